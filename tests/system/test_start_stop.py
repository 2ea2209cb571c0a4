# SPDX-License-Identifier: MIT
"""Start, `ready`, sd_notify, stop, and what is left."""
import os
import signal
import socket

import pytest

import rig as r


STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.mark.parametrize("number", STOPS)
def test_signal_stops_cleanly(rig, number):
    bridge = rig.bridge()
    assert bridge.stop(number) == 0, bridge.errors()
    assert not bridge.left.has(bridge.tap)
    assert not bridge.right.has(bridge.wire)
    assert not os.path.exists(bridge.control)


@pytest.mark.parametrize("number", STOPS)
def test_signal_stops_ixnic_cleanly(rig, number):
    places = [rig.path(name) for name in ("nic", "wire", "nic.control")]
    nic = rig.daemon(r.IXNIC, "--socket", places[0], "--wire", f"seqpacket:{places[1]}",
                     "--control", places[2]).wait_ready()
    assert nic.stop(number) == 0, nic.errors()
    assert not any(map(os.path.exists, places))


def test_nohup(rig):
    """A bridge that nohup started outlives the terminal, and so does its NIC."""
    space = rig.namespace("left")
    daemon = rig.daemon(*space.words("nohup", r.IXTAPD, "--nic", "soft:tap:wire0", "--tap", "tap0",
                                     "--control", rig.path("control"))).wait_ready()
    soft = r.ask(rig.path("control"), "status")["nic"]["soft"]
    for pid, control in ((daemon.pid, rig.path("control")), (soft["pid"], soft["control"])):
        os.kill(pid, signal.SIGHUP)
        assert "error" not in r.ask(control, "status")
    assert r.ask(rig.path("control"), "status")["nic"]["soft"]["pid"] == soft["pid"]
    assert daemon.stop() == 0, daemon.errors()


def test_ready_means_usable(rig):
    bridge = rig.bridge(connected=False)
    link = bridge.left.link(bridge.tap)
    assert "UP" in link["flags"]
    assert link["address"] == r.NIC_MAC
    assert r.LEFT_V4 in bridge.left.run("ip", "address", "show", "dev", bridge.tap).stdout
    assert bridge.ask("status")["pid"] > 0


def test_sd_notify(rig):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(rig.path("notify"))
        notify.settimeout(r.DEADLINE_S)
        bridge = rig.bridge(connected=False, environ={"NOTIFY_SOCKET": rig.path("notify")})
        said = ""
        while "READY=1" not in said.splitlines():
            said += notify.recv(4096).decode() + "\n"
        assert bridge.stop() == 0
        while "STOPPING=1" not in said.splitlines():
            said += notify.recv(4096).decode() + "\n"


def test_ixnic_sd_notify(rig):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(rig.path("notify"))
        notify.settimeout(r.DEADLINE_S)
        nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire",
                         f"seqpacket:{rig.path('wire')}", NOTIFY_SOCKET=rig.path("notify"))
        assert "READY=1" in notify.recv(4096).decode()
        nic.wait_ready()
        assert nic.stop() == 0, nic.errors()
        assert not os.path.exists(rig.path("nic"))
        assert not os.path.exists(rig.path("wire"))


def test_default_paths_and_namespace(rig):
    """--netns makes the TAP there. Control socket and wire are named after the TAP."""
    left = rig.namespace("left")
    tap = f"t{os.getpid()}"
    daemon = rig.daemon(r.IXTAPD, "--nic", "soft", "--tap", tap, "--netns", left.name).wait_ready()
    status = r.ask(f"/run/ixtap/{tap}.sock", "status")
    assert status["tap"]["netns"] == left.name
    assert status["nic"]["soft"]["wire"] == f"tap:{tap}-wire"
    assert left.has(tap)
    r.run("ip", "link", "show", "dev", f"{tap}-wire")
    assert daemon.stop() == 0, daemon.errors()
    assert not os.path.exists(f"/run/ixtap/{tap}.sock")
    assert r.run("ip", "link", "show", "dev", f"{tap}-wire", check=False).returncode != 0


def test_own_ixnic_over_a_socket(rig):
    """ixnic is started apart. It stays while bridges come and go."""
    left, right = rig.namespace("left"), rig.namespace("right")
    nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", "tap:wire0", "--netns",
                     right.name, "--mac", r.NIC_MAC, "--control", rig.path("nic.control"))
    nic.wait_ready()
    right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
    right.run("ip", "link", "set", "wire0", "up")
    for _ in range(3):
        bridge = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap",
                                        "tap0", "--address", f"{r.LEFT_V4}/24", "--up", "--control",
                                        rig.path("control"))).wait_ready()
        assert left.link("tap0")["address"] == r.NIC_MAC
        r.wait_for(lambda: left.carrier("tap0") and right.carrier("wire0"), "carrier")
        left.run("ping", "-n", "-q", "-c", "3", "-i", "0.05", "-W", "5", r.RIGHT_V4)
        assert bridge.stop() == 0, bridge.errors()
    assert r.ask(rig.path("nic.control"), "violations")["total"] == 0
    assert nic.stop() == 0, nic.errors()


def test_persist_keeps_interface_and_addresses(rig):
    bridge = rig.bridge("--persist")
    left = bridge.left
    left.run("ip", "address", "add", "198.51.100.1/24", "dev", bridge.tap)
    assert bridge.stop() == 0
    assert left.has(bridge.tap)
    assert not left.carrier(bridge.tap)
    index = left.link(bridge.tap)["ifindex"]
    again = r.Bridge(left, rig.namespace("right"), rig.scratch, "--persist")
    rig.daemons.append(again)
    again.wait_ready().connect().ping()
    assert left.link(bridge.tap)["ifindex"] == index
    assert "198.51.100.1" in left.run("ip", "address", "show", "dev", bridge.tap).stdout
    assert again.stop() == 0
    left.run("ip", "link", "delete", bridge.tap)


@pytest.mark.parametrize("program", [r.IXTAPD, r.IXNIC, r.IXTAP])
def test_version_and_help(program):
    name = os.path.basename(program)
    assert r.run(program, "--version").stdout.startswith(f"{name} ")
    assert "Usage: " in r.run(program, "--help").stdout


def test_config_file(rig):
    left = rig.namespace("left")
    with open(rig.path("config"), "w", encoding="ascii") as config:
        config.write(f"# a comment\nnic = soft:tap:wire0\ntap = tap0\naddress = {r.LEFT_V4}/24\n"
                     f"address = {r.LEFT_V6}/64\nmtu = 1600\nup = yes\ncontrol = {rig.path('c')}\n")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--config", rig.path("config"), "--mtu", 1700))
    daemon.wait_ready()
    assert left.link("tap0")["mtu"] == 1700, "the command line has precedence"
    assert r.LEFT_V6 in left.run("ip", "address", "show", "dev", "tap0").stdout
    assert daemon.stop() == 0
