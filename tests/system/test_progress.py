# SPDX-License-Identifier: MIT
"""A NIC that does not do its part: what waits for it must not spin, nor take its word for it.

A relay between ixtapd and ixnic plays the NIC whose registers do not take what is written:

    ixtapd ==vfio-user== relay ==vfio-user== ixnic --TAP wire0
"""
import array
import contextlib
import os
import select
import socket
import struct
import threading
import time

import pytest

import rig as r

HEADER = struct.Struct("<HHIII")  # id, command, size, flags, error
ACCESS = struct.Struct("<QII")  # offset, region, bytes
SET_IRQS, REGION_READ, REGION_WRITE = 8, 9, 10
CTRL, CTRL_RST = 0, 1 << 26
ESDP, ESDP_MODULE = 0x20, 1 << 2
TDT = 0x6018  # of transmit queue 0
FDS_MAX = 16
DESCRIPTOR_BYTES = 16
DONE, END = 1, 2


class Relay:
    """Passes messages both ways. While `swallow` is set, the tail of transmit queue 0 keeps its value; a
    reset of the NIC ends that. While `lose` is set, no interrupt arrives; while `pull` is set, the cage of the
    module looks empty."""

    def __init__(self, path, server):
        self.server, self.swallow, self.tail = server, False, b"\0\0\0\0"
        self.swallowed = 0
        self.lose = self.pull = False
        self.irqs = {}  # the NIC's eventfds, and the client's
        self.irq_epoll = select.epoll()
        self.irq_thread = threading.Thread(target=self.interrupts)
        self.irq_thread.start()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with client, socket.socket(socket.AF_UNIX) as server:
                    server.connect(self.server)
                    back = threading.Thread(target=self.carry, args=(server, client, False))
                    back.start()
                    self.carry(client, server, True)
                    back.join()

    def carry(self, source, target, forth):
        """Carries whole messages until either end is gone."""
        data, fds = b"", array.array("i")
        with contextlib.suppress(OSError):
            while True:
                more, ancillary, _, _ = source.recvmsg(1 << 16, socket.CMSG_LEN(FDS_MAX * 4))
                if not more:
                    break
                data += more
                for _, _, passed in ancillary:
                    fds.frombytes(passed)
                while len(data) >= HEADER.size and len(data) >= HEADER.unpack_from(data)[2]:
                    size = HEADER.unpack_from(data)[2]
                    message, data = data[:size], data[size:]
                    if forth:
                        message = self.look(message)
                        fds = self.between(message, fds)
                    else:
                        message = self.look_back(message)
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
                    sent = target.sendmsg([message], rights)
                    target.sendall(message[sent:])
                    for fd in fds:
                        os.close(fd)
                    fds = array.array("i")
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def look(self, message):
        if HEADER.unpack_from(message)[1] != REGION_WRITE:
            return message
        offset, region, _ = ACCESS.unpack_from(message, HEADER.size)
        if (offset, region) == (CTRL, 0) and struct.unpack("<I", message[-4:])[0] & CTRL_RST:
            self.swallow = False
        if (offset, region) != (TDT, 0):
            return message
        if self.swallow and message[-4:] != b"\0\0\0\0":  # which is the driver's when it sets the queue up
            self.swallowed += 1
            return message[:-4] + self.tail
        self.tail = message[-4:]
        return message

    def look_back(self, message):
        _, command, size, _, _ = HEADER.unpack_from(message)
        if not self.pull or command != REGION_READ or size < HEADER.size + ACCESS.size + 4 or \
                ACCESS.unpack_from(message, HEADER.size) != (ESDP, 0, 4):
            return message
        value, = struct.unpack("<I", message[-4:])
        return message[:-4] + struct.pack("<I", value & ~ESDP_MODULE)

    def between(self, message, fds):
        """Takes the client's eventfds, and returns the relay's own for the NIC."""
        if HEADER.unpack_from(message)[1] != SET_IRQS:
            return fds
        passed = array.array("i")
        for theirs in fds:
            ours = os.eventfd(0)
            self.irqs[ours] = theirs
            self.irq_epoll.register(ours, select.EPOLLIN)
            passed.append(os.dup(ours))
        return passed

    def interrupts(self):
        while (events := self.irq_epoll.poll(0.1)) is not None and self.irqs is not None:
            for ours, _ in events:
                os.eventfd_read(ours)
                if not self.lose:
                    os.eventfd_write(self.irqs[ours], 1)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        fds, self.irqs = self.irqs, None
        self.irq_thread.join()
        for fd in (*fds.keys(), *fds.values()):
            os.close(fd)
        self.irq_epoll.close()


class RelayedBridge(r.Bridge):
    """ixtapd over a relay to an ixnic that is not its child."""

    def __init__(self, rig, *options):
        left, right = rig.namespace("left"), rig.namespace("right")
        self.nic_daemon = rig.daemon(*left.words(
            r.IXNIC, "--socket", rig.path("nic"), "--io-fds", "off", "--wire", "tap:wire0",
            "--control", rig.path("nic-control"))).wait_ready()
        self.relay = Relay(rig.path("relay"), rig.path("nic"))
        super().__init__(left, right, rig.scratch, "--nic", f"vfio-user:{rig.path('relay')}",
                         *options)
        self.nic_control = rig.path("nic-control")
        rig.daemons.append(self)


@contextlib.contextmanager
def relayed(rig, *options):
    bridge = RelayedBridge(rig, *options)
    try:
        bridge.wait_ready().connect()
        yield bridge
        bridge.check_accounts()
        assert bridge.stop() == 0
    finally:
        bridge.kill()
        bridge.relay.close()


def status(bridge):
    return bridge.ask("status")


class SilentWire:
    """A bridge whose far end sends nothing unless told to."""

    def __init__(self, rig):
        self.bridge = rig.bridge(connected=False, wire=rig.path("wire"))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(r.DEADLINE_S)
        self.socket.connect(rig.path("wire"))
        r.wait_for(lambda: self.bridge.left.carrier(self.bridge.tap), "carrier")

    def write_descriptor(self, ahead, status, length=1500):
        """As the NIC would write it, so many descriptors ahead of its place."""
        ring = self.bridge.register("RDBAH", 0) << 32 | self.bridge.register("RDBAL", 0)
        size = self.bridge.register("RDLEN", 0) // DESCRIPTOR_BYTES
        there = ring + (self.bridge.register("RDH", 0) + ahead) % size * DESCRIPTOR_BYTES + 8
        self.bridge.nic(f"dma write {there:#x} {struct.pack('<Q', length << 32 | status).hex()}")

    def write_half_a_frame(self):
        """What a NIC that stops in the middle leaves: done, and no end of a packet."""
        self.write_descriptor(0, DONE)


@pytest.mark.alone
def test_half_a_frame_does_not_keep_the_worker_busy(rig):
    wire = SilentWire(rig)
    bridge = wire.bridge
    wire.write_half_a_frame()
    with bridge.left.packet_socket(bridge.tap) as raw:
        raw.send(b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5".ljust(48, b"\0"))
    busy = r.cpu_seconds(bridge.pid)
    r.wait_for(lambda: bridge.counter("rx_unfinished") == 1, "counted")
    r.wait_for(lambda: status(bridge)["queues"][0]["state"] == "idle", "it sleeps")
    assert r.cpu_seconds(bridge.pid) - busy < 0.6, "of the second until it was counted"
    # The next frame takes the descriptor: nothing is lost.
    before = bridge.counter("rx_delivered")
    wire.socket.send(bytes.fromhex(r.NIC_MAC.replace(":", "")) + b"\2" * 6 + b"\x88\xb5".ljust(48, b"\0"))
    r.wait_for(lambda: bridge.counter("rx_delivered") == before + 1, "delivered")
    wire.socket.close()
    # ixnic noticed the descriptor that it did not write itself: the rig would call that a violation.
    assert bridge.stop() == 0


def test_descriptors_that_the_nic_passes_over_are_counted(rig):
    """Later ones are done, and the next one is not: their frames stay as long as it lasts."""
    wire = SilentWire(rig)
    bridge = wire.bridge
    for ahead in (1, 2):
        wire.write_descriptor(ahead, DONE | END, 60)
    r.wait_for(lambda: bridge.counter("rx_skipped") == 1, "counted")
    assert bridge.counter("rx_received") == 0
    wire.write_descriptor(0, DONE | END, 60)
    with bridge.left.packet_socket(bridge.tap) as raw:  # wakes the worker
        raw.send(b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5".ljust(48, b"\0"))
    r.wait_for(lambda: bridge.counter("rx_received") == 3, "taken")
    assert bridge.counter("rx_skipped") == 1
    wire.socket.close()
    assert bridge.stop() == 0


@pytest.mark.alone
def test_interrupts_of_other_causes_without_end(rig):
    """They are counted, cost little, and a change of the link is noticed meanwhile."""
    bridge = rig.bridge()
    driver = status(bridge)["driver"]["pid"]
    bridge.nic("fault irq-storm 100000")
    r.wait_for(lambda: bridge.counter("irqs_other") > 10000, "the storm")
    sleeps, began, before = r.sleeps(driver), time.monotonic(), bridge.counter("irqs_other")
    for up in (False, True) * 2:
        bridge.nic(f"link {'up' if up else 'down'}")
        r.wait_for(lambda up=up: status(bridge)["link"]["up"] == up, "the link")
    r.wait_for(lambda: bridge.counter("irqs_other") > before + 200000, "more of it", 60)
    # 200 looks a second, each of some registers and each register a wait for the NIC: 2,000. Without a limit of looks
    # they are more than 60,000.
    assert r.sleeps(driver) - sleeps < 4000 * (time.monotonic() - began)
    bridge.nic("fault clear")
    bridge.ping()
    assert bridge.stop() == 0


def test_a_nic_that_stops_to_send_is_brought_back(rig):
    with relayed(rig) as bridge:
        bridge.ping()
        before = bridge.ask("stats")["nic"]["tx_timeout_count"]
        bridge.relay.swallow = True
        bridge.left.run("ping", "-n", "-q", "-c", 1, "-W", 1, r.RIGHT_V4, check=False)
        assert bridge.relay.swallowed > 0
        r.wait_for(lambda: status(bridge)["recoveries"] == 1, "brought back")
        r.wait_for(lambda: bridge.left.carrier(bridge.tap) and bridge.right.carrier(bridge.wire), "carrier")
        # The restart of the queue did not help.
        assert bridge.ask("stats")["nic"]["tx_timeout_count"] == before + 2
        bridge.says("transmit queue 0: no frame was reported sent for")
        bridge.ping()
        assert bridge.counter("tx_drop_unreported") > 0


def test_a_far_end_that_takes_nothing_is_no_hang(rig):
    """Back-pressure of the wire stands for pause frames: the NIC waits, and so does ixtapd."""
    wire = SilentWire(rig)
    bridge = wire.bridge
    with bridge.left.packet_socket(bridge.tap) as raw:
        def flood():
            for _ in range(200):
                raw.send(b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5".ljust(1400, b"\0"))
            return bridge.counter("tx_ring_full") > 0
        r.wait_for(flood, "the ring is full")
    delivered = bridge.counter("tx_delivered")
    # Longer than the watchdog's time.
    for _ in range(8):
        time.sleep(1)
        assert status(bridge)["recoveries"] == 0, bridge.errors()
    assert bridge.counter("tx_delivered") == delivered, "the wire took nothing meanwhile"
    assert bridge.ask("stats")["nic"]["rx_flow_control_xoff"] > 0
    assert bridge.ask("stats")["nic"]["tx_timeout_count"] == 0
    wire.socket.close()


def ping_back(bridge, count):
    """From the far end: only what is received makes ixtapd send. One at a time: ping waits for twice the round
    trip when an answer to another came."""
    for _ in range(count):
        done = bridge.right.run("ping", "-n", "-q", "-c", "1", "-W", "15", r.LEFT_V4, check=False)
        assert "1 packets transmitted, 1 received" in done.stdout, done.stdout


@pytest.mark.alone
@pytest.mark.parametrize("poll", ["interrupt", "adaptive"])
def test_lost_interrupts_make_no_queue_deaf(rig, poll):
    with relayed(rig, "--poll", poll) as bridge:
        bridge.ping()
        bridge.relay.lose = True
        ping_back(bridge, 1)
        ping_back(bridge, 5)
        assert bridge.counter("irqs_lost") > 0
        bridge.relay.lose = False
        ping_back(bridge, 5)
        lost = bridge.counter("irqs_lost")
        ping_back(bridge, 10)
        assert bridge.counter("irqs_lost") == lost


def test_a_module_is_followed_without_an_interrupt(rig):
    with relayed(rig) as bridge:
        bridge.relay.lose = bridge.relay.pull = True
        r.wait_for(lambda: "the NIC's module was changed" in bridge.errors(), "pulled out")
        r.wait_for(lambda: bridge.left.carrier(bridge.tap), "the link is set up again")
        bridge.relay.lose = False
