# SPDX-License-Identifier: MIT
"""ixtap, against a bridge and against sockets of other programs."""
import json
import os
import socket
import threading

import pytest

import rig as r


def ixtap(*words, check=True):
    return r.run(r.IXTAP, *words, check=check)


def refused(*words):
    """(exit status, its one line) of a command that must fail."""
    done = ixtap(*words, check=False)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    return done.returncode, lines[0]


def test_status(bridge):
    shown = ixtap("--control", bridge.control, "status").stdout
    assert shown.splitlines()[0] == "tap0: running, link up, 10000 Mbit/s"
    for part in (r.NIC_MAC, "8086:10fb", "soft:tap:wire0", "mtu 1500"):
        assert part in shown
    assert "\033" not in shown, "no colours but on a terminal"


def test_status_json(bridge):
    lines = ixtap("-j", "--control", bridge.control, "status").stdout.splitlines()
    assert len(lines) == 1
    status = json.loads(lines[0])
    assert status["tap"]["name"] == "tap0"
    assert status["link"] == {"up": True, "speed_mbps": 10000}
    assert status["queues"][0]["state"] in ("idle", "busy")


def test_stats(bridge):
    bridge.ping(count=10)
    shown = ixtap("-c", bridge.control, "stats").stdout
    assert "rx_delivered" in shown
    assert "rx_drop_runt" not in shown, "what is zero is left out"
    everything = ixtap("-s", "-c", bridge.control, "stats").stdout
    assert "rx_drop_runt" in everything
    stats = json.loads(ixtap("-j", "-c", bridge.control, "stats").stdout)
    assert stats["bridge"]["rx_delivered"] >= 10
    assert stats["nic"]["rx_packets"] >= 10


def test_rates(bridge):
    """Two lines under a heading; then the bridge stops, and ixtap fails with one line."""
    with r.subprocess.Popen([r.IXTAP, "-c", bridge.control, "stats", "-i", "0.1"], text=True,
                            stdout=r.subprocess.PIPE, stderr=r.subprocess.PIPE,
                            env=r.environment()) as process:
        try:
            assert "wake-ups" in process.stdout.readline()
            for _ in range(2):
                assert "bit/s" in process.stdout.readline()
            assert bridge.stop() == 0
            assert process.wait(r.DEADLINE_S) == 1
            assert len(process.stderr.read().splitlines()) == 1
        finally:
            process.kill()


def test_names(rig):
    """The TAP's name chooses. Without it the only ixtapd is asked; with several, ixtap says their names."""
    names = [f"t{os.getpid()}{letter}" for letter in "ab"]
    start = [r.IXTAPD, "--netns", rig.namespace("left").name, "--tap"]
    first = rig.daemon(*start, names[0], "--nic", f"soft:seqpacket:{rig.path('a')}").wait_ready()
    assert ixtap("status", names[0]).stdout.startswith(f"{names[0]}: ")
    if os.listdir("/run/ixtap") == [f"{names[0]}.sock", f"{names[0]}.sock.nic"]:
        assert ixtap("status").stdout.startswith(f"{names[0]}: ")
    second = rig.daemon(*start, names[1], "--nic", f"soft:seqpacket:{rig.path('b')}").wait_ready()
    assert ixtap("status", names[1]).stdout.startswith(f"{names[1]}: ")
    status, line = refused("status")
    assert status == 1
    assert names[0] in line and names[1] in line
    assert first.stop() == 0 and second.stop() == 0
    status, line = refused("status", names[0])
    assert status == 1 and names[0] in line


@pytest.mark.parametrize("words, part", [
    ([], "list, status, stats, monitor, features, upgrade or nic"),
    (["stat"], "status, stats"),
    (["st"], "status, stats"),
    (["frobnicate"], "frobnicate"),
    ([""], "unknown"),
    (["--frobnicate"], "--frobnicate"),
    (["stats", "-i", "never"], "never"),
    (["stats", "-i", "-1"], "-1"),
    (["stats", "-i", "nan"], "nan"),
    (["status", "-i", "1"], "-i"),
    *((["-s", each], "-s goes with stats only") for each in ("list", "status", "monitor", "features")),
    (["status", "a", "b"], "b"),
    (["status", "a", "--control", "b"], "--control"),
    (["features", "a", "rx", "on", "b"], "b"),
    (["features", "gro", "off"], "ethtool -K"),
    (["nic", "status"], "--control"),
    (["nic", "-c", "x", "dma", "read", "0", "4", "5"], "5"),
    (["features", "a", "--control", "b"], "--control"),
])
def test_usage(words, part):
    status, line = refused(*words)
    assert status == 2
    assert part in line


@pytest.mark.parametrize("words", [["statu"], ["statuS"]])
def test_abbreviations(bridge, words):
    done = ixtap("-c", bridge.control, *words, check=False)
    assert done.returncode == (0 if words == ["statu"] else 2)


def test_no_daemon(rig):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(rig.path("stale"))
    with open(rig.path("file"), "w", encoding="ascii"):
        pass
    for words in (["no-such-tap"], ["--control", rig.path("nothing")], ["a/b"],
                  ["--control", rig.path("stale")], ["--control", rig.path("file")],
                  ["--control", "/tmp/" + "x" * 200]):
        status, line = refused("status", *words)
        assert status == 1, line


ANSWERS = {
    "nothing": None,
    "no JSON": b"hello",
    "an array": b"[1, 2]",
    "an error": b'{"error": "out of\\u001b[31m order\\nreally"}',
    "empty objects": b"{}",
    "other types": b'{"tap": 1, "link": [], "queues": {"a": 1}, "nic": "x", "offloads": 3, "rules": {"a": 1},'
                   b' "total": 2, "counts": {"a": [], "b": 1}, "clients": [1, {"counts": 7}]}',
    "first cases of other types": b'{"total": 1, "counts": {"a": 1}, "rules": {"a": {"first": [1, {}, null]}}}',
    "too long": b'{"a": "' + b"x" * 500000 + b'"}' + b" " * 100000,
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("words", [["status"], ["stats"], ["-s", "stats"], ["monitor"], ["nic", "violations"]],
                         ids=["status", "stats", "all-stats", "monitor", "nic"])
def test_daemon_that_is_none(rig, answer, words):
    """Whatever answers, ixtap ends with 0 or 1, and never writes an escape sequence."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(rig.path("fake"))
        listener.listen()

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.SOL_SOCKET, 32, 2 << 20)  # SO_SNDBUFFORCE
                peer.recv(4096)
                if ANSWERS[answer] is not None:
                    peer.send(ANSWERS[answer])

        server = threading.Thread(target=serve)
        server.start()
        done = ixtap("-c", rig.path("fake"), *words, check=False)
        server.join()
    assert done.returncode in (0, 1)
    assert done.returncode == 0 or len(done.stderr.splitlines()) == 1
    assert "\033" not in done.stdout + done.stderr
    if answer in ("nothing", "no JSON", "an error", "too long"):
        assert done.returncode == 1
