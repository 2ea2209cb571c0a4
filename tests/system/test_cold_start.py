# SPDX-License-Identifier: MIT
"""A NIC that begins anew stays open, and ixtapd does its other work meanwhile."""
import contextlib
import os
import re
import shutil
import signal
import struct
import time

import pytest

import rig as r

PHASE_AT = 8            # in struct board_report, behind two counters of 32 bits
NO_PHASE = 99
AT_ONCE_S = 2.0         # an answer of an event loop that nothing holds up; the server's deadline is 5 s
LIAR = os.path.join(r.BUILD, "tests", "unit", "lying_driver")


def parent(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return int(re.search(r"^PPid:\s+(\d+)$", status.read(), re.M).group(1))


def memories(bridge, name):
    """The keeper's files of shared memory with that name: descriptor to inode."""
    found = {}
    for fd in os.listdir(f"/proc/{bridge.pid}/fd"):
        path = f"/proc/{bridge.pid}/fd/{fd}"
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(path).startswith(f"/memfd:{name}"):
                found[path] = os.stat(path).st_ino
    return found


def tell_a_lie(bridge):
    """The driver that moves frames reports a phase that there is none of."""
    report, = memories(bridge, "ixtap-report")
    with open(report, "r+b", buffering=0) as file:
        def found_out():
            os.pwrite(file.fileno(), struct.pack("I", NO_PHASE), PHASE_AT)
            bridge.ask("status")  # has ixtapd look
            return "the driver speaks nonsense" in bridge.errors()
        r.wait_for(found_out, "the lie is found out")


def break_the_filter(bridge):
    os.kill(bridge.ask("status")["driver"]["pid"], signal.SIGSYS)


def fail(bridge):
    bridge.nic("fault ecc")


@pytest.mark.parametrize("cause, trusted", [(tell_a_lie, False), (break_the_filter, False), (fail, True)])
def test_the_nic_stays_open(bridge, cause, trusted):
    """The same software NIC, connection and interface; after a driver that is not trusted other memory, in which
    there are no holes of that driver's, and so another spawner."""
    bridge.ping()
    before, dma = bridge.ask("status"), memories(bridge, "ixgbe-dma")
    sent, addresses = bridge.counter("tx_delivered"), bridge.addresses()
    spawner = parent(before["driver"]["pid"])
    assert dma and sent
    cause(bridge)
    now = r.wait_for(lambda: (status := bridge.ask("status"))["recoveries"] == 1 and status, "back")
    bridge.says("the NIC is back, begun anew within")
    assert now["nic"]["soft"] == before["nic"]["soft"] and now["tap"]["ifindex"] == before["tap"]["ifindex"]
    assert now["driver"]["starts"]["cold"] == before["driver"]["starts"]["cold"] + 1
    assert now["driver"]["pid"] != before["driver"]["pid"]
    assert (parent(now["driver"]["pid"]) == spawner) == trusted
    again = memories(bridge, "ixgbe-dma")
    assert len(again) == len(dma)
    assert (set(again.values()) == set(dma.values())) == trusted
    assert trusted or not set(again.values()) & set(dma.values())
    r.wait_for(lambda: bridge.left.carrier(bridge.tap) and bridge.right.carrier(bridge.wire), "carrier")
    bridge.ping()
    assert bridge.addresses() == addresses
    assert bridge.counter("tx_delivered") > sent
    bridge.check_accounts()


@contextlib.contextmanager
def reset_under_way(bridge):
    """The NIC is silent, so its reset does not end, for the 5 s that a server has. Yields the software NIC's
    process."""
    status = bridge.ask("status")
    nic = status["nic"]["soft"]["pid"]
    os.kill(nic, signal.SIGSTOP)
    os.kill(status["driver"]["pid"], signal.SIGSYS)
    try:
        r.wait_for(lambda: bridge.ask("status")["state"] == "recovering", "the reset begins")
        yield nic
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(nic, signal.SIGCONT)


def test_the_loop_goes_on_while_a_reset_runs(bridge):
    with reset_under_way(bridge):
        slowest = 0.0
        for _ in range(10):
            started = time.monotonic()
            status = bridge.ask("status")
            slowest = max(slowest, time.monotonic() - started)
            assert status["state"] == "recovering" and status["driver"]["pid"] is None, status
        assert slowest < AT_ONCE_S
        assert "try again" in r.ask(bridge.control, "upgrade")["error"]
        bridge.left.run("ip", "link", "set", bridge.tap, "down")
        bridge.left.run("ip", "link", "set", bridge.tap, "name", "other")
        r.wait_for(lambda: bridge.ask("status")["tap"]["name"] == "other", "netlink is heard")
        bridge.left.run("ip", "link", "set", "other", "name", bridge.tap)
        bridge.left.run("ip", "link", "set", bridge.tap, "up")
    r.wait_for(lambda: "the NIC is back, begun anew" in bridge.errors(), "back")
    r.wait_for(lambda: bridge.left.carrier(bridge.tap), "carrier")
    bridge.ping()


def test_told_to_stop_while_a_reset_runs(bridge):
    with reset_under_way(bridge) as nic:
        assert bridge.stop() == 0
        r.wait_for(lambda: not os.path.exists(f"/proc/{nic}"), "the software NIC has ended")
    assert not bridge.left.has(bridge.tap)
    assert not os.path.exists(bridge.control)


def test_a_reset_that_does_not_come_back(bridge):
    """The NIC is closed then, and another one is opened."""
    with reset_under_way(bridge) as nic:
        r.wait_for(lambda: bridge.ask("status")["recoveries"] == 1, "another NIC", 40)
    assert "begun anew" not in bridge.errors()
    assert bridge.ask("status")["nic"]["soft"]["pid"] != nic
    bridge.connect()
    bridge.left.run("ip", "neighbour", "flush", "dev", bridge.tap)  # the new wire has another address
    bridge.ping()


def test_a_server_that_ends_within_a_reset(rig):
    def start():
        return rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", f"seqpacket:{rig.path('wire')}").wait_ready()
    server, left = start(), rig.namespace("left")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap", "tap0", "--control",
                                    rig.path("control"))).wait_ready()
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(r.ask(rig.path("control"), "status")["driver"]["pid"], signal.SIGSYS)
    r.wait_for(lambda: "the NIC begins anew" in daemon.errors(), "the reset begins")
    server.kill()
    server = start()
    r.wait_for(lambda: "the NIC is back" in daemon.errors(), "back", 20)
    assert daemon.stop() == 0


def liar(rig, lie):
    """An ixtapd with drivers that lie."""
    folder = rig.path("programs")
    os.mkdir(folder)
    for program in (r.IXTAPD, r.IXNIC):
        shutil.copy2(program, folder)
    shutil.copy2(LIAR, os.path.join(folder, "ixtap-driver"))
    with open(os.path.join(folder, "lie"), "w", encoding="ascii") as file:
        file.write(lie)
    return rig.daemon(*rig.namespace("left").words(
        os.path.join(folder, "ixtapd"), "--nic", "soft:tap:wire0", "--tap", "tap0", "--control",
        rig.path("control"))).wait_ready()


def test_a_successor_with_another_address(rig):
    """It could not go on, and so has read the NIC's EEPROM: that is compared with what was there before."""
    daemon = liar(rig, "another address")
    os.kill(r.ask(rig.path("control"), "status")["driver"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: "and had to reset the NIC" in daemon.errors(), "the next one begins anew")
    assert "it is another NIC, or somebody has written its EEPROM" in daemon.errors()  # a line before that one
    assert daemon.stop() == 0


def test_lies_that_follow_each_other(rig):
    """Each time the next driver has to wait longer, and its NIC is the same. One that has another MAC address than
    the one before is told of."""
    daemon = liar(rig, "address")
    nic = r.ask(rig.path("control"), "status")["nic"]["soft"]["pid"]
    times = []
    for count in (1, 2, 3):
        r.wait_for(lambda: daemon.errors().count("the NIC is back, begun anew") >= count, "back", 20)
        times.append(time.monotonic())
    assert times[2] - times[1] > 0.9, "no delay of a second before the third"
    assert r.ask(rig.path("control"), "status")["nic"]["soft"]["pid"] == nic
    assert "it is another NIC, or somebody has written its EEPROM" in daemon.errors()
    assert daemon.stop() == 0
