# SPDX-License-Identifier: MIT
"""Unplanned events: signals at any moment, a server that fails in any message, an administrator who
changes everything at once, clients that flood. Afterwards the accounts are right, nothing is left, and
each failure was reported in one line."""
import array
import contextlib
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import rig as r
from test_bad_input import FAILED, USAGE, ixnic, ixtapd, left, refuse  # noqa: F401 (a fixture)
from test_crash import traffic

SIOCADDMULTI, SIOCDELMULTI = 0x8931, 0x8932
FCTRL_MPE, FCTRL_UPE = 0x100, 0x200
STOP_S = 2.0


def moves(bridge, what):
    """Waits until frames go both ways again."""
    start = bridge.counters()
    r.wait_for(lambda: all(bridge.counter(name) > start[name] + 200
                           for name in ("rx_delivered", "tx_delivered")), f"traffic after {what}")


# ---- Bad input ----

@pytest.mark.parametrize("options, parts", [
    (["--address", "0.0.0.0/0"], ["0.0.0.0/0", "unicast"]),
    (["--address", "224.0.0.1/4"], ["unicast"]),
    (["--address", "ff02::1/64"], ["unicast"]),
    (["--address", "::/0"], ["unicast"]),
    (["--nic", "vfio:0000:3:0.0"], ["0000:3:0.0"]),
    (["--nic", "x\ny\033[31m"], ["x\\x0ay\\x1b[31m"]),
    (["a\nb"], ["a\\x0ab"]),
])
def test_ixtapd_usage(rig, left, options, parts):  # noqa: F811
    refuse(rig, left, ixtapd(rig, *options), USAGE, *parts)


@pytest.mark.parametrize("options, parts", [
    (["--socket", ""], ["empty"]),
    (["--wire", "seqpacket:mine", "--netns", "x"], ["--netns", "seqpacket:mine"]),
    (["--mac", "x\ny"], ["x\\x0ay"]),
])
def test_ixnic_usage(rig, left, options, parts):  # noqa: F811
    refuse(rig, left, ixnic(rig, *options), USAGE, *parts)


@pytest.mark.parametrize("options, wrapper, part", [
    (["--address", "2001:db8::1/64", "--mtu", "1279"], [], "1280"),
    ([], ["prlimit", "--fsize=1000"], "too large"),
    *((["--isolation", isolation], ["prlimit", f"--nofile={most}"], "too many open files")
      for isolation in ("off", "best", "require") for most in range(12, 32)),
    ([], ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "sh"],
     "modprobe tun"),
    ([], ["unshare", "-m", "sh", "-c", "mount --bind /dev/null /dev/net/tun && exec \"$@\"", "sh"],
     "mknod"),
])
def test_late_failures_say_one_line(rig, left, options, wrapper, part, sanitized):  # noqa: F811
    """These failures come when the NIC is up. Nothing may be printed but their one line."""
    if sanitized and "prlimit" in wrapper:
        pytest.skip("sanitizers need files of their own")
    refuse(rig, left, [*wrapper, *ixtapd(rig, *options)], FAILED, part)


def test_failed_start_leaves_persistence_as_it_was(rig, left):  # noqa: F811
    words = ixtapd(rig, "--persist", nic=f"vfio-user:{rig.path('nobody')}")
    refuse(rig, left, words, FAILED, "nobody")
    left.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue", "vnet_hdr")
    words.remove("--persist")
    refuse(rig, left, words, FAILED, "nobody")
    assert left.has("tap0")


# ---- Signals while starting ----

def test_signals_while_starting(rig, sanitized):
    """Signals at twenty moments: to the process alone, or to its group as by Ctrl-C."""
    space = rig.namespace("left")
    chance = random.Random(82599)
    for turn in range(20):
        number = chance.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        daemon = rig.daemon(*ixtapd(rig, "--netns", space.name, "--up", "--log-level", "warning",
                                    nic=f"soft:tap:ch{os.getpid()}"))
        time.sleep(chance.choice([0.003, 0.03, 0.3]) * chance.random())  # the moment, no wait
        sent = time.monotonic()
        (os.killpg if turn % 2 else os.kill)(daemon.pid, number)
        # A signal that comes before the handler is set ends the process at once.
        assert daemon.wait() in (0, -number), daemon.errors()
        assert daemon.errors() == ""
        assert sanitized or time.monotonic() - sent < STOP_S
        assert not space.has("tap0")
        assert not os.listdir(rig.scratch) or \
            all(name.startswith("log") for name in os.listdir(rig.scratch))
    r.wait_for(lambda: not os.path.exists(f"/sys/class/net/ch{os.getpid()}"), "no wire is left")


# ---- A server that fails ----

def message(peer):
    """One vfio-user message and its descriptors. None: the end."""
    data, fds = b"", array.array("i")
    while len(data) < 16 or len(data) < struct.unpack_from("<I", data, 4)[0]:
        want = struct.unpack_from("<I", data, 4)[0] if len(data) >= 16 else 16
        part, controls, _, _ = peer.recvmsg(want - len(data), socket.CMSG_SPACE(64))
        for _, _, words in controls:
            fds.frombytes(words)
        if not part:
            return None, fds
        data += part
    return data, fds


def forward(source, sink, spoil=lambda number, data: data):
    """Forwards until either end is gone or spoil() says so, then closes both."""
    number = 0
    with contextlib.suppress(OSError):
        while True:
            data, fds = message(source)
            if data is None:
                break
            number += 1
            data = spoil(number, data)
            if data is None:
                break
            sink.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
            for fd in fds:
                os.close(fd)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


SPOILERS = {
    "hangs up": lambda data: None,
    "random bytes": lambda data: os.urandom(len(data)),
    "a size of 0": lambda data: data[:4] + bytes(4) + data[8:],
    "a size of 4 GiB": lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:],
    "another reply": lambda data: bytes([data[0] ^ 0x55]) + data[1:],
    "no payload": lambda data: data[:4] + struct.pack("<I", 16) + data[8:16],
    "an error": lambda data: data[:4] + struct.pack("<III", 16, 0x21, 5),
    "ones": lambda data: data[:16] + b"\xff" * (len(data) - 16),
    "twice": lambda data: data + data,
}


@pytest.mark.parametrize("kind", SPOILERS)
@pytest.mark.parametrize("io_fds, victims", [("off", (1, 2, 3, 5, 9, 40, 300, 800)), ("on", (4, 5))],
                         ids=["messages", "channel"])
def test_server_fails_at_any_message(rig, left, kind, io_fds, victims):  # noqa: F811
    """The test stands between the bridge and a good server, and spoils one reply: one of many to accesses, or the
    one with the channel for those (the fourth). The start fails with one line, or succeeds. The server goes on."""
    nic = rig.daemon(*left.words(*ixnic(rig, "--io-fds", io_fds, wire=f"seqpacket:{rig.path('wire')}"))).wait_ready()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(rig.path("mine"))
        listener.listen()
        for victim in victims:
            daemon = rig.daemon(*left.words(*ixtapd(rig, nic=f"vfio-user:{rig.path('mine')}")))
            front, _ = listener.accept()
            with front, socket.socket(socket.AF_UNIX) as back:
                back.connect(rig.path("nic"))
                threads = [
                    threading.Thread(target=forward, args=(front, back)),
                    threading.Thread(target=forward, args=(
                        back, front,
                        lambda number, data, at=victim: SPOILERS[kind](data) if number == at
                        else data)),
                ]
                for thread in threads:
                    thread.start()
                if daemon.process.stdout.readline() == b"ready\n":
                    daemon.process.send_signal(signal.SIGTERM)
                    assert daemon.wait() == 0, daemon.errors()
                else:
                    assert daemon.wait() == FAILED, daemon.errors()
                    assert len(daemon.errors().splitlines()) == 1, daemon.errors()
                    # Spoilt values may mislead the bridge about the device; silence must not.
                    assert kind in ("ones", "an error") or "maker" not in daemon.errors()
                for thread in threads:
                    thread.join()
            assert not left.has("tap0")
    assert nic.stop() == 0, nic.errors()


# ---- An administrator in a hurry ----

def test_everything_changes_under_traffic(bridge):
    chance = random.Random(82599)
    with traffic(bridge):
        for turn in range(25):
            bridge.left.run("ip", "link", "set", bridge.tap, "mtu",
                            chance.choice([68, 500, 1501, 4000, 9710]))
            bridge.left.run("ip", "link", "set", bridge.tap, "address", f"02:00:00:00:01:{turn:02x}")
            bridge.left.run("ip", "link", "set", bridge.tap, "promisc", "off" if turn % 2 else "on",
                            "allmulticast", "on" if turn % 2 else "off")
            bridge.left.run("ip", "link", "set", bridge.tap, "down")
            bridge.left.run("ip", "link", "set", bridge.tap, "name", "other0")
            bridge.left.run("ip", "link", "set", "other0", "name", bridge.tap, "up")
        bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "1500", "promisc", "off",
                        "allmulticast", "off")
        bridge.left.run("ip", "address", "replace", f"{r.LEFT_V6}/64", "dev", bridge.tap, "nodad")
        r.wait_for(lambda: bridge.left.carrier(bridge.tap), "carrier")
        # A connection of its own, since the old one may have given up.
        bridge.ping()
    r.wait_for(lambda: not bridge.register("FCTRL") & (FCTRL_UPE | FCTRL_MPE), "filters are back")
    bridge.right.run("ip", "neighbour", "flush", "all")
    bridge.ping(target=r.RIGHT_V6)
    bridge.check_accounts()


def test_neighbours_are_found_after_the_link_flaps(bridge):
    """IPv6 finds neighbours by multicast, so the filters must be as they were."""
    for _ in range(3):
        bridge.nic("link down")
        r.wait_for(lambda: not bridge.left.carrier(bridge.tap), "no carrier")
        bridge.nic("link up")
        r.wait_for(lambda: bridge.left.carrier(bridge.tap) and bridge.right.carrier(bridge.wire),
                   "carrier")
        for space in (bridge.left, bridge.right):
            space.run("ip", "neighbour", "flush", "all")
        bridge.right.run("ping", "-n", "-c", "1", "-W", "5", r.LEFT_V6)
        bridge.ping(count=2)


def test_three_hundred_groups(bridge):
    """More groups than the mirror holds: all multicast passes, rather than one group too few."""
    with bridge.left.entered():
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    groups = [bytes([1, 0, 0x5e, number >> 8, number & 255, number * 7 & 255])
              for number in range(300)]

    def each(request):
        for group in groups:
            fcntl.ioctl(control, request, struct.pack("16sH14s", bridge.tap.encode(), 0, group))

    with control, bridge.right.packet_socket(bridge.wire) as wire:
        each(SIOCADDMULTI)
        r.wait_for(lambda: bridge.register("FCTRL") & FCTRL_MPE or
                   sum(bin(word).count("1") for word in bridge.register("MTA")) > 250, "filters")
        before = bridge.counter("rx_delivered")
        for group in groups:
            wire.send(group + bytes.fromhex("02000000000288b5") + bytes(50))
        r.wait_for(lambda: bridge.counter("rx_delivered") >= before + len(groups), "all of them")
        each(SIOCDELMULTI)
        r.wait_for(lambda: not bridge.register("FCTRL") & FCTRL_MPE, "filters are back")


def test_port_of_a_bridge(rig):
    """Frames for others pass. A bridge makes its ports promiscuous, which gives no event of its own."""
    bridge = rig.bridge()
    third = rig.namespace("third")
    for words in (["add", "br0", "type", "bridge"], ["set", "br0", "up"],
                  ["add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", third.name],
                  ["set", "veth0", "master", "br0", "up"],
                  ["set", bridge.tap, "master", "br0"]):
        bridge.left.run("ip", "link", *words)
    third.run("ip", "address", "add", "192.0.2.9/24", "dev", "eth0")
    third.run("ip", "link", "set", "eth0", "up")
    r.wait_for(lambda: bridge.register("FCTRL") & FCTRL_UPE, "promiscuous")
    third.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "5", r.RIGHT_V4)
    bridge.left.run("ip", "link", "set", bridge.tap, "nomaster")
    r.wait_for(lambda: not bridge.register("FCTRL") & FCTRL_UPE, "not any more")


# ---- A NIC that falters ----

def test_soft_nic_pauses_under_traffic(bridge):
    """The NIC is stopped for less than the deadline of an answer: no recovery, no loss of order."""
    nic = bridge.ask("status")["nic"]["soft"]["pid"]
    with traffic(bridge):
        for pause_s in (0.01, 0.1, 0.5):
            os.kill(nic, signal.SIGSTOP)
            time.sleep(pause_s)  # the pause itself
            os.kill(nic, signal.SIGCONT)
            moves(bridge, f"a pause of {pause_s} s")
    assert bridge.ask("status")["recoveries"] == 0


def test_soft_nic_killed_again_and_again(bridge):
    """No file descriptor is lost, and a TCP connection survives."""
    descriptors = f"/proc/{bridge.ask('status')['pid']}/fd"
    before = len(os.listdir(descriptors))
    with bridge.right.popen("iperf3", "-s", "-1", "--forceflush", "-B", r.RIGHT_V4,
                            stdout=subprocess.PIPE) as server:
        while "listening" not in server.stdout.readline():
            assert server.poll() is None
        with bridge.left.popen("iperf3", "-c", r.RIGHT_V4, "-t", "60", stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) as client:
            try:
                for turn in range(3):
                    moves(bridge, "a start")
                    os.kill(bridge.ask("status")["nic"]["soft"]["pid"], signal.SIGKILL)
                    r.wait_for(lambda turn=turn: bridge.ask("status")["recoveries"] == turn + 1,
                               "the NIC is brought back")
                    r.wait_for(lambda: bridge.left.has(bridge.wire), "the new wire")
                    bridge.connect()
                moves(bridge, "the last kill")
                assert client.poll() is None
            finally:
                client.kill()
                server.kill()
    r.wait_for(lambda: len(os.listdir(descriptors)) <= before, "as many descriptors as before", 5)
    assert "firmware" not in bridge.errors()


# ---- Clients of the control socket ----

def test_clients_flood_both_daemons(bridge):
    """Clients ask without end and read nothing. Frames and daemon go on."""
    daemon = bridge.ask("status")["pid"]
    nic = bridge.ask("status")["nic"]["soft"]["pid"]
    for path, pid in ((bridge.control, daemon), (bridge.nic_control, nic)):
        before = len(os.listdir(f"/proc/{pid}/fd"))
        clients = []
        for turn in range(100):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            client.connect(path)
            client.setblocking(False)
            clients.append(client)
            with contextlib.suppress(OSError):
                for _ in range(20):
                    client.send((b"monitor", b"stats", os.urandom(300), b"x" * 100000)[turn % 4])
        bridge.ping(count=20)
        for client in clients:
            client.close()
        r.wait_for(lambda before=before, pid=pid: len(os.listdir(f"/proc/{pid}/fd")) <= before,
                   "all places are free again")
        assert "error" not in r.ask(path, "status")
