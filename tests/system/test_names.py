# SPDX-License-Identifier: MIT
"""Network namespaces that end, names of all kinds, and what is exclusive: sockets, TAPs, NICs."""
import contextlib
import json
import os
import select
import socket
import subprocess

import pytest

import rig as r


@contextlib.contextmanager
def events(bridge):
    """What `ixtap monitor` tells from now on. It ends with a line that does not come in time."""
    def lines():
        while select.select([monitor.stdout], [], [], r.DEADLINE_S / 2)[0]:
            line = monitor.stdout.readline()
            assert line, "the monitor ended"
            yield json.loads(line)

    # Unbuffered: select() sees all that was not read.
    with subprocess.Popen([r.IXTAP, "-j", "--control", bridge.control, "monitor"], bufsize=0,
                          stdout=subprocess.PIPE, env=r.environment()) as monitor:
        try:
            told = lines()
            assert next(told)["event"] == "start"
            yield told
        finally:
            monitor.kill()


# ---- Names ----

@pytest.mark.parametrize("name, shown", [(b"b\xfcro", "b\\xfcro"), (b"\xff\xfe", "\\xff\\xfe"),
                                         (b"a\\b", "a\\x5cb"), ("büro7".encode(), "büro7"),
                                         (b"x\xc3", "x\\xc3"), (b"\xed\xb2\x80z", "\\xed\\xb2\\x80z")])
def test_renamed_to_any_bytes(rig, name, shown):
    """Status and monitor go on, and tell the bytes; the log and the service manager get UTF-8."""
    with notified(rig) as (manager, path):
        bridge = rig.bridge(connected=False, environ={"NOTIFY_SOCKET": path})
        with events(bridge) as told:
            for words in ([bridge.tap, "down"], [bridge.tap, "name", name], [name, "up"]):
                subprocess.run(bridge.left.words("ip", "link", "set", "dev")[:-1] + ["dev", *words],
                               check=True)
            assert next(event for event in told if event["event"] == "name")["name"] == shown
        bridge.tap = os.fsdecode(name)
        assert bridge.ask("status")["tap"]["name"] == shown
        assert os.fsencode(shown) in subprocess.run([r.IXTAP, "--control", bridge.control, "status"],
                                                    capture_output=True, check=True).stdout
        r.wait_for(lambda: bridge.ask("status")["state"] == "running", "running")
        assert bridge.stop() == 0
        with open(bridge.log.name, "rb") as log:
            log.read().decode()
        for message in messages(manager):
            message.decode()


@pytest.mark.parametrize("name", ["büro0", "naïve", os.fsdecode(b"\xf6\xfc")])
def test_started_with_any_bytes(rig, name):
    home = rig.namespace("home")
    rig.daemon(*home.words(r.IXTAPD, "--tap", name, "--control", rig.path(f"c-{name}"))).wait_ready()
    with home.entered():
        assert {name, f"{name}-wire"} <= {there for _, there in socket.if_nameindex()}
    status = r.ask(os.fsencode(rig.path(f"c-{name}")).decode(errors="surrogateescape"), "status")
    shown = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    assert status["tap"]["name"] == shown
    assert status["nic"]["soft"]["wire"] == f"tap:{shown}-wire"


def test_wires_of_long_names(rig):
    """Each has its own by default."""
    home = rig.namespace("home")
    wires = set()
    for tap in ("uplink-port-a1", "uplink-port-a2", "uplink-por", "fifteen-bytes-x"):
        rig.daemon(*home.words(r.IXTAPD, "--tap", tap, "--control", rig.path(tap))).wait_ready()
        wires.add(r.ask(rig.path(tap), "status")["nic"]["soft"]["wire"])
    assert len(wires) == 4 and all(len(wire) <= 4 + 15 for wire in wires), wires


@pytest.mark.parametrize("program, words", [
    ("IXTAPD", ["--tap", "same", "--nic", "soft:tap:same"]),
    ("IXTAPD", ["--tap", "tap0", "--nic", "soft:seqpacket:P", "--control", "P"]),
    ("IXTAPD", ["--tap", "tap0", "--nic", "soft:cable:P.nic", "--control", "P"]),
    ("IXNIC", ["--socket", "P", "--wire", "seqpacket:Q", "--control", "P"]),
    ("IXNIC", ["--socket", "P", "--wire", "cable:P"]),
    ("IXNIC", ["--socket", "Q", "--wire", "seqpacket:P", "--control", "P"]),
])
def test_one_name_for_two_things_of_ours(rig, program, words):
    """It is a fault of the words, and no other program's."""
    words = [word.replace("P", rig.path("p")).replace("Q", rig.path("q")) for word in words]
    done = rig.namespace("home").run(getattr(r, program), *words, check=False)
    assert done.returncode == 2
    assert "other program" not in done.stderr and done.stderr.count("\n") == 1, done.stderr


# ---- The software NIC's start ----

@contextlib.contextmanager
def notified(rig):
    """A service manager's socket, and its path."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        path = rig.path(f"notify-{next(r.serial)}")
        manager.bind(path)
        yield manager, path


def messages(manager):
    """What has come."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(manager.recv(4096, socket.MSG_DONTWAIT))
    return found
