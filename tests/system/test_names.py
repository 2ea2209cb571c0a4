# SPDX-License-Identifier: MIT
"""Network namespaces that end, names of all kinds, and what is exclusive: sockets, TAPs, NICs."""
import contextlib
import fcntl
import itertools
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

import rig as r


def ends_with(namespace, what):
    """Deletes the namespace. Nothing of it may live on: its half of a veth takes the other half along."""
    end = f"v{os.getpid() % 100000}"
    r.run("ip", "link", "add", end, "type", "veth", "peer", "name", "inside", "netns", namespace.name)
    namespace.delete()
    r.wait_for(lambda: r.run("ip", "link", "show", "dev", end, check=False).returncode,
               f"the namespace ends in spite of {what}", 8)


def stays_in(namespace, pid):
    """All threads of the process are in the namespace, but for a moment."""
    there = {os.stat(f"/run/netns/{namespace.name}").st_ino}
    r.wait_for(lambda: {os.stat(f"/proc/{pid}/task/{task}/ns/net").st_ino
                        for task in os.listdir(f"/proc/{pid}/task")} == there,
               f"all of {pid} is in {namespace.name}")


def at_home(bridge, space):
    """The bridge's interface is in `space`, and works like any other there."""
    r.wait_for(lambda: space.has(bridge.tap), "the interface comes back")
    bridge.left = space
    space.run("ip", "address", "add", f"{r.LEFT_V4}/24", "dev", bridge.tap)
    space.run("ip", "link", "set", bridge.tap, "up")
    r.wait_for(lambda: bridge.ask("status")["state"] == "running", "running")
    bridge.wire = "wire0"
    r.wait_for(lambda: space.has(bridge.wire), "the wire of the NIC that is opened again")
    bridge.plug()
    bridge.left.run("ip", "neighbour", "flush", "dev", bridge.tap)
    bridge.ping()


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


# ---- Namespaces that end ----

def test_moved_and_its_namespace_deleted(rig):
    """With --persist the interface comes back where ixtapd was started, and a restart finds it there."""
    bridge = rig.bridge("--persist")
    home, away = bridge.left, rig.namespace("away")
    mac = "02:00:00:aa:bb:cc"
    home.run("ip", "link", "set", bridge.tap, "address", mac)
    home.run("ip", "link", "set", bridge.tap, "mtu", "1400")
    home.run("ip", "link", "set", bridge.tap, "netns", away.name)
    r.wait_for(lambda: bridge.ask("status")["tap"]["reachable"], "followed")
    ends_with(away, "a TAP that was moved there")
    def as_it_was():
        link = home.link(bridge.tap)
        return (link["address"], link["mtu"], "UP" in link["flags"]) == (mac, 1400, False)

    r.wait_for(lambda: home.has(bridge.tap) and as_it_was(), "the interface comes back")
    at_home(bridge, home)
    assert "error:" not in bridge.errors(), "it came back: nothing is lost that should not be"
    assert bridge.stop() == 0, bridge.errors()
    assert home.has(bridge.tap)
    again = r.Bridge(home, bridge.right, rig.scratch)
    rig.daemons.append(again)
    again.wait_ready()


def test_moved_and_deleted_at_once(rig):
    """Nobody had time to look where the interface went."""
    bridge = rig.bridge("--persist", connected=False)
    home = bridge.left
    for _ in range(3):
        away = rig.namespace("away")
        home.run("ip", "link", "set", bridge.tap, "netns", away.name)
        away.delete()
        r.wait_for(lambda: home.has(bridge.tap), "the interface comes back")
    at_home(bridge, home)
    assert bridge.stop() == 0
    home.run("ip", "link", "delete", bridge.tap)


def test_without_persist_the_end_is_that_of_a_deleted_interface(rig):
    bridge = rig.bridge(connected=False)
    away = rig.namespace("away")
    bridge.left.run("ip", "link", "set", bridge.tap, "netns", away.name)
    r.wait_for(lambda: bridge.ask("status")["tap"]["reachable"] and away.has(bridge.tap), "followed")
    ends_with(away, "a TAP that was moved there")
    assert bridge.wait() == 1
    assert "namespace" in bridge.errors()


@pytest.mark.parametrize("persist", [True, False])
@pytest.mark.parametrize("taken_over", [True, False])
def test_made_there_by_an_option(rig, persist, taken_over):
    """--netns, with a new TAP or with one that an earlier ixtapd has left there."""
    home, away = rig.namespace("home"), rig.namespace("away")
    words = ["--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap7", "--netns", away.name,
             "--control", rig.path("control"), "--up"]
    if taken_over:
        first = rig.daemon(*home.words(r.IXTAPD, *words, "--persist")).wait_ready()
        assert first.stop() == 0, first.errors()
        assert away.has("tap7")
    daemon = rig.daemon(*home.words(r.IXTAPD, *words, *["--persist"] * persist)).wait_ready()
    mac = away.link("tap7")["address"]
    stays_in(home, daemon.pid)
    ends_with(away, "the TAP that was made there")
    if not persist:
        assert daemon.wait() == 1
        assert not home.has("tap7")
        return
    r.wait_for(lambda: home.has("tap7") and home.link("tap7")["address"] == mac, "the interface comes back")
    r.wait_for(lambda: r.ask(rig.path("control"), "status")["state"] == "down", "the NIC is back")
    tap = r.ask(rig.path("control"), "status")["tap"]
    assert (tap["netns"], tap["reachable"]) == (None, True)
    assert daemon.stop() == 0, daemon.errors()
    # The namespace is made again, and so is the start: there is one interface, where it is wanted.
    r.run("ip", "netns", "add", away.name)
    daemon = rig.daemon(*home.words(r.IXTAPD, *words, "--persist")).wait_ready()
    assert not home.has("tap7")
    assert away.link("tap7")["address"] == mac
    assert not away.link("tap7").get("ifalias")
    stays_in(home, daemon.pid)
    ends_with(away, "the TAP that was taken there again")
    r.wait_for(lambda: home.has("tap7"), "it comes back again")
    r.wait_for(lambda: away.name in home.link("tap7").get("ifalias", ""), "it says where it was")
    assert daemon.stop() == 0, daemon.errors()
    home.run("ip", "link", "delete", "tap7")


def test_another_one_of_the_name_stays_at_home(rig):
    """Only what came from that namespace is taken there."""
    home, away = rig.namespace("home"), rig.namespace("away")
    home.run("ip", "tuntap", "add", "tap7", "mode", "tap", "multi_queue", "vnet_hdr")
    home.run("ip", "link", "set", "tap7", "alias", "ixtapd: from network namespace another")
    daemon = rig.daemon(*home.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap7",
                                    "--netns", away.name, "--control", rig.path("control"))).wait_ready()
    assert home.has("tap7") and away.has("tap7")
    assert daemon.stop() == 0
    home.run("ip", "link", "delete", "tap7")


def test_without_descriptors_it_has_not_moved(rig):
    """A process that has as many open files as it may goes nowhere; the log says why, and that it is over."""
    home, away = rig.namespace("home"), rig.namespace("away")
    daemon = rig.daemon(*home.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap7",
                                    "--netns", away.name, "--control", rig.path("control"))).wait_ready()
    most = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    free = most[0]
    # The lowest number that is free: no new descriptor has one below. ixtapd opens some for a moment.
    for _ in range(30):
        free = min(set(range(free)) - set(map(int, os.listdir(f"/proc/{daemon.pid}/fd"))), default=free)
        time.sleep(0.01)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (free, most[1]))
    away.run("ip", "link", "set", "tap7", "mtu", "1400")
    r.wait_for(lambda: "Too many open files" in daemon.errors(), "it says why")
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, most)
    r.wait_for(lambda: r.ask(rig.path("control"), "status")["tap"]["mtu"] == 1400, "it follows again")
    away.run("ip", "link", "set", "tap7", "mtu", "1300")
    r.wait_for(lambda: r.ask(rig.path("control"), "status")["tap"]["mtu"] == 1300, "by events, too")
    assert "moved" not in daemon.errors()
    daemon.says("can be entered again")
    assert daemon.stop() == 0


def test_the_container_ends(rig):
    """A namespace without a name, which lives as long as its process."""
    bridge = rig.bridge("--persist", connected=False)
    with subprocess.Popen(["unshare", "-n", "sleep", "1000"], env=r.environment()) as container:
        try:
            ours = os.stat("/proc/self/ns/net").st_ino
            r.wait_for(lambda: os.stat(f"/proc/{container.pid}/ns/net").st_ino != ours, "a container")
            bridge.left.run("ip", "link", "set", bridge.tap, "netns", container.pid)
            r.run("nsenter", "-n", "-t", container.pid, "ip", "link", "set", bridge.tap, "up")
            r.wait_for(lambda: bridge.ask("status")["state"] == "running", "up is followed there")
        finally:
            container.kill()
    at_home(bridge, bridge.left)
    assert bridge.stop() == 0
    bridge.left.run("ip", "link", "delete", bridge.tap)


def test_deleted_away_is_deleted(rig):
    """Whoever deletes the interface itself wants it gone, with --persist too."""
    bridge = rig.bridge("--persist", connected=False)
    away = rig.namespace("away")
    bridge.left.run("ip", "link", "set", bridge.tap, "netns", away.name)
    # Only who has followed is told of a deletion.
    r.wait_for(lambda: "following it" in bridge.errors(), "followed")
    away.run("ip", "link", "delete", bridge.tap)
    assert bridge.wait() == 1
    assert "deleted" in bridge.errors()
    assert not bridge.left.has(bridge.tap)


def test_status_tells_that_it_is_away(rig):
    """In a namespace whose name ixtapd does not know. Back at home, it is as if it had never left."""
    bridge, there = rig.bridge(connected=False), rig.namespace("there")

    def shown():
        return r.run(r.IXTAP, "--control", bridge.control, "status").stdout

    assert "namespace" not in shown()
    bridge.left.run("ip", "link", "set", bridge.tap, "netns", there.name)
    r.wait_for(lambda: re.search(r"^  interface \S+, index \d+ in another namespace, mtu", shown(), re.M), "away")
    assert bridge.ask("status")["tap"]["away"] is True
    there.run("ip", "link", "set", bridge.tap, "netns", bridge.left.name)
    r.wait_for(lambda: "namespace" not in shown(), "at home")


def test_followed_away(rig):
    """Settings and events of another namespace arrive at once, and threads stay at home."""
    bridge = rig.bridge("--queues", "2", connected=False)
    home, away = bridge.left, rig.namespace("away")
    home.run("ip", "tuntap", "add", "dummy0", "mode", "tap")
    home.run("ip", "link", "set", bridge.tap, "netns", away.name)
    with events(bridge) as told:
        away.run("ip", "link", "set", bridge.tap, "mtu", "1333")
        away.run("ip", "address", "add", "198.51.100.7/24", "dev", bridge.tap)
        away.run("ip", "link", "set", bridge.tap, "name", "renamed")
        home.run("ip", "address", "add", "198.51.100.8/24", "dev", "dummy0")
        away.run("ip", "link", "set", "renamed", "up")
        wanted = [{"event": "mtu", "mtu": 1333}, {"event": "name", "name": "renamed"},
                  {"event": "address", "address": "198.51.100.7/24", "added": True},
                  {"event": "admin", "up": True}]
        while wanted:
            event = next(told)
            assert event.get("address") != "198.51.100.8/24", "of another interface"
            wanted = [want for want in wanted if not want.items() <= event.items()]
    r.wait_for(lambda: "10000Mb/s" in away.run("ethtool", "renamed").stdout, "the speed")
    stays_in(home, bridge.pid)
    away.run("ip", "link", "set", "renamed", "netns", home.name)
    r.wait_for(lambda: home.has("renamed") and bridge.ask("status")["tap"]["reachable"], "home again")
    home.run("ip", "link", "set", "renamed", "mtu", "1222")
    r.wait_for(lambda: bridge.ask("status")["tap"]["mtu"] == 1222, "followed at home again")
    bridge.tap = "renamed"


def test_state_without_events_away(rig):
    """What no event tells is read, and put back, there; an interface at home that has the same name is left alone."""
    bridge = rig.bridge("--persist", connected=False)
    home, away, tap = bridge.left, rig.namespace("away"), bridge.tap
    home.run("ip", "link", "set", tap, "netns", away.name)
    home.run("ip", "tuntap", "add", tap, "mode", "tap")
    same_name = home.run("ethtool", tap).stdout
    away.run("ip", "link", "set", tap, "up")
    r.wait_for(lambda: "10000Mb/s" in away.run("ethtool", tap).stdout, "the speed")
    before = away.run("ethtool", tap).stdout

    def filters():
        return bridge.ask("status")["filters"]

    groups = filters()["multicast_groups"]
    away.run("ip", "maddress", "add", "01:00:5e:7f:01:02", "dev", tap)
    away.run("bridge", "fdb", "add", "02:31:32:33:34:35", "dev", tap, "self")
    r.wait_for(lambda: filters()["multicast_groups"] == groups + 1, "the group")
    r.wait_for(lambda: filters()["unicast_addresses"] == 1, "the address")
    assert not filters()["promiscuous"] and not filters()["allmulticast"]
    away.run("ethtool", "-K", tap, "gro", "off")
    away.run("ethtool", "-s", tap, "speed", "1000")
    away.run("ip", "link", "set", tap, "carrier", "off")
    away.run("ip", "link", "set", tap, "mtu", "9711")
    r.wait_for(lambda: "gro off" in bridge.errors(), "gro is followed")
    r.wait_for(lambda: away.run("ethtool", tap).stdout == before, "link and settings are put back")
    r.wait_for(lambda: away.link(tap)["mtu"] == 1500, "the MTU is put back")
    os.kill(bridge.ask("status")["nic"]["soft"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: bridge.ask("status")["recoveries"] == 1, "the NIC is brought back")
    r.wait_for(lambda: away.run("ethtool", tap).stdout == before, "the same is shown")
    assert filters()["unicast_addresses"] == 1 and filters()["multicast_groups"] == groups + 1
    assert home.run("ethtool", tap).stdout == same_name
    home.run("ip", "link", "delete", tap)
    dropped = bridge.ask("stats")["bridge"]["kernel_drop"]
    stays_in(home, bridge.pid)
    ends_with(away, "what is read there")
    r.wait_for(lambda: home.has(tap) and bridge.ask("status")["state"] == "down", "the interface comes back")
    assert dropped <= bridge.ask("stats")["bridge"]["kernel_drop"] < 1 << 32
    assert bridge.stop() == 0, bridge.errors()
    home.run("ip", "link", "delete", tap)


def test_a_software_nic_that_is_started_again_away(rig):
    """Its processes and threads are made at home, though the interface is elsewhere."""
    bridge = rig.bridge(connected=False)
    home, away = bridge.left, rig.namespace("away")
    home.run("ip", "link", "set", bridge.tap, "netns", away.name)
    r.wait_for(lambda: away.has(bridge.tap), "moved")
    os.kill(bridge.ask("status")["nic"]["soft"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: bridge.ask("status")["recoveries"] == 1, "the NIC is brought back")
    stays_in(home, bridge.ask("status")["nic"]["soft"]["pid"])
    stays_in(home, bridge.pid)
    assert home.has("wire0")
    bridge.left = away


@pytest.mark.parametrize("rights", ["+net_admin,+sys_admin", "+net_admin"])
def test_away_with_fewer_rights(rig, rights):
    """Without CAP_NET_BROADCAST nothing is heard, so it is looked for; without CAP_SYS_ADMIN the interface is out
    of reach. It comes home all the same."""
    home, away = rig.namespace("home"), rig.namespace("away")
    daemon = rig.daemon(*home.words(
        "setpriv", "--bounding-set", f"-all,{rights}", "--inh-caps", f"-all,{rights}", r.IXTAPD, "--nic",
        f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap6", "--persist", "--control",
        rig.path("control"))).wait_ready()
    home.run("ip", "link", "set", "tap6", "netns", away.name)
    away.run("ip", "link", "set", "tap6", "mtu", "1277")

    def tap():
        return r.ask(rig.path("control"), "status")["tap"]

    if "sys_admin" in rights:
        r.wait_for(lambda: tap()["mtu"] == 1277, "the MTU is looked for")
    else:
        r.wait_for(lambda: not tap()["reachable"], "out of reach")
    ends_with(away, "a TAP that was moved there")
    r.wait_for(lambda: home.has("tap6") and tap()["reachable"], "the interface comes back")
    assert daemon.stop() == 0, daemon.errors()
    assert daemon.errors().count("may not enter") == ("sys_admin" not in rights), daemon.errors()
    home.run("ip", "link", "delete", "tap6")


@pytest.mark.parametrize("there_before", [True, False])
def test_the_namespace_of_a_wire_ends(rig, there_before):
    away = rig.namespace("away")
    if there_before:
        away.run("ip", "tuntap", "add", "wire9", "mode", "tap", "vnet_hdr")
    nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--control", rig.path("control"), "--wire",
                     "tap:wire9", "--netns", away.name).wait_ready()
    assert away.has("wire9")
    ends_with(away, "the TAP of a wire")
    r.wait_for(lambda: not r.ask(rig.path("control"), "status")["light"], "no light")
    assert nic.stop() == 0
    assert nic.errors().count("deleted") == 1, nic.errors()


# ---- Killed, and started at once ----

def start_killed(rig, words, times=4):
    """Kills the program without waiting for its end, and starts it again."""
    daemon = rig.daemon(*words).wait_ready()
    for _ in range(times):
        daemon.process.send_signal(signal.SIGKILL)
        daemon = rig.daemon(*words).wait_ready()
    return daemon


@contextlib.contextmanager
def slow_to_die(rig, *words):
    """A program that was killed and, for half a second, is not dead: it is stopped."""
    daemon = rig.daemon(*words).wait_ready()
    with subprocess.Popen(["sh", "-c", "read go; sleep 0.4; kill -KILL $0", str(daemon.pid)],
                          stdin=subprocess.PIPE) as killer:
        daemon.process.send_signal(signal.SIGSTOP)
        killer.stdin.write(b"go\n")
        killer.stdin.close()
        yield daemon


def test_ixtapd_killed_and_started_at_once(rig):
    home = rig.namespace("home")
    words = home.words(r.IXTAPD, "--nic", "soft", "--tap", "tap0", "--control", rig.path("control"))
    daemon = start_killed(rig, words)
    assert daemon.stop() == 0, daemon.errors()


def test_ixtapd_that_is_not_dead_yet(rig):
    home = rig.namespace("home")
    words = home.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap0",
                       "--persist", "--control", rig.path("control"))
    with slow_to_die(rig, *words):
        assert rig.daemon(*words).wait_ready().stop() == 0


@pytest.mark.parametrize("wire", ["tap:wire8", "seqpacket:W", "cable:W"])
def test_ixnic_that_is_not_dead_yet(rig, wire):
    wire = wire.replace("W", rig.path("wire"))
    words = [r.IXNIC, "--socket", rig.path("nic"), "--control", rig.path("control"), "--wire", wire]
    start_killed(rig, words).kill()
    with slow_to_die(rig, *words):
        assert rig.daemon(*words).wait_ready().stop() == 0
    if wire.startswith("tap:"):
        words[2], words[4] = rig.path("other"), rig.path("another")
        with slow_to_die(rig, r.IXNIC, "--socket", rig.path("nic"), "--wire", wire):
            assert rig.daemon(*words).wait_ready().stop() == 0


def test_client_that_is_not_dead_yet(rig):
    """A server takes one client: the next one waits for the end of the first."""
    home = rig.namespace("home")
    rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire",
               f"seqpacket:{rig.path('wire')}").wait_ready()
    words = [r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap"]
    with slow_to_die(rig, *home.words(*words, "tap0", "--control", rig.path("a"))):
        other = rig.daemon(*home.words(*words, "tap1", "--control", rig.path("b"))).wait_ready()
        assert other.stop() == 0


# ---- Names ----

@pytest.mark.parametrize("name, shown", [(b"b\xfcro", "b\\xfcro"), (b"\xff\xfe", "\\xff\\xfe"),
                                         (b"a\\b", "a\\x5cb"), ("büro7".encode(), "büro7"),
                                         (b"x\xc3", "x\\xc3"), (b"\xed\xb2\x80z", "\\xed\\xb2\\x80z"),
                                         (b"c\x01\x1b\x7fd", "c\\x01\\x1b\\x7fd"),
                                         (b"\xc2\x85e", "\\xc2\\x85e")])
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
            assert f"{shown}: " in log.read().decode()
        assert any(f"STATUS={shown}: " in message.decode() for message in messages(manager))


@pytest.mark.parametrize("name, shown", [("b\udcfcro", "b\\xfcro"), ("a\\b", "a\\x5cb"), ("c\x01\x1b", "c\\x01\\x1b")])
def test_list_of_any_bytes(rig, name, shown):
    """Interfaces are listed as status, monitor and log write them, and only those renamed since are."""
    home = rig.namespace("home")
    words = home.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap")
    daemon = rig.daemon(*words, "other").wait_ready()
    home.run("ip", "link", "set", "dev", "other", "name", name)
    r.wait_for(lambda: r.ask("/run/ixtap/other.sock", "status")["tap"]["name"] == shown, "renamed")
    row = r.run(r.IXTAP, "list").stdout.splitlines()[1]
    assert row.startswith("other ") and row.endswith(f", renamed to {shown}"), row
    assert daemon.stop() == 0, daemon.errors()
    # No interface starts with control characters in its name, but its socket may have them.
    path = f"/run/ixtap/{name}.sock"
    daemon = rig.daemon(*words, "tap0" if "\x01" in name else name, "--control", path).wait_ready()
    row = r.run(r.IXTAP, "list").stdout.splitlines()[1]
    assert row.startswith(f"{shown} ") and ("renamed" in row) == ("\x01" in name), row
    assert json.loads(r.run(r.IXTAP, "-j", "list").stdout)["name"] == shown
    assert daemon.stop() == 0, daemon.errors()
    for words in (["status", name], ["--control", path, "status"]):
        done = r.run(r.IXTAP, *words, check=False)
        assert f"/run/ixtap/{shown}.sock: " in done.stderr, done.stderr
    assert f"'{shown}'" in r.run(r.IXTAP, name, check=False).stderr


def test_a_software_nic_tells_any_bytes(rig):
    """What ixnic has written for people stands in ixtapd's log as ixnic's own log has it."""
    wire = rig.path("no/a\\b\x01")
    done = rig.namespace("home").run(r.IXTAPD, "--nic", f"soft:seqpacket:{wire}", "--tap", "tap0", "--control",
                                     rig.path("control"), check=False)
    assert done.returncode == 1
    assert rig.path("no/a\\x5cb\\x01") in done.stderr, done.stderr


def test_wires_of_long_names(rig):
    """Each has its own by default."""
    home = rig.namespace("home")
    wires = set()
    for tap in ("uplink-port-a1", "uplink-port-a2", "uplink-por", "fifteen-bytes-x"):
        rig.daemon(*home.words(r.IXTAPD, "--tap", tap, "--control", rig.path(tap))).wait_ready()
        wires.add(r.ask(rig.path(tap), "status")["nic"]["soft"]["wire"])
    assert len(wires) == 4 and all(len(wire) <= 4 + 15 for wire in wires), wires


def test_a_wire_that_is_taken(rig):
    home = rig.namespace("home")
    words = [r.IXTAPD, "--nic", "soft:tap:shared", "--tap"]
    rig.daemon(*home.words(*words, "tap1", "--control", rig.path("a"))).wait_ready()
    other = rig.daemon(*home.words(*words, "tap2", "--control", rig.path("b")))
    assert other.wait() == 1
    assert "another program" not in other.errors()
    assert "ixtapd" in other.errors() and "shared" in other.errors(), other.errors()


def test_both_ends_of_a_cable_have_addresses_of_their_own(rig):
    """And the same ones after a restart."""
    homes = {tap: rig.namespace(tap) for tap in ("tap1", "tap2")}

    def start(tap):
        daemon = rig.daemon(*homes[tap].words(r.IXTAPD, "--tap", tap, "--nic", f"soft:cable:{rig.path('cable')}",
                                        "--control", rig.path(tap))).wait_ready()
        return daemon, r.ask(rig.path(tap), "status")["tap"]["mac"]

    (first, mac), (_, other) = start("tap1"), start("tap2")
    assert mac != other
    assert first.stop() == 0
    assert start("tap1")[1] == mac


CONTAINER = """
mount --bind "$1" "$2" && hostname "$3" && { [ -z "$4" ] || mount --bind "$4" /etc/machine-id; } && cd "$2" &&
exec "$5" --socket "${6}nic" --wire "seqpacket:${6}wire" --control "${6}control"
"""


def factory_mac(rig, unshared="", host="host", machine="", before=None, ids=itertools.count()):
    """The factory address of an ixnic in a container of its own, with the same words as any other."""
    mine, there = rig.path(f"container-{next(ids)}"), rig.path("there")
    os.makedirs(mine)
    os.makedirs(there, exist_ok=True)
    if machine:
        with open(rig.path(machine), "w", encoding="ascii") as file:
            file.write(machine + "\n")
    words = ["unshare", "-m", "-u", *unshared.split(), "sh", "-c", CONTAINER, "sh", mine, there, host,
             machine and rig.path(machine), r.IXNIC, f"{there}/" if before is None else before]
    nic = rig.daemon(*words).wait_ready()
    mac = r.ask(f"{mine}/control", "status")["mac"]
    assert nic.stop() == 0
    return mac


@pytest.mark.parametrize("other", [
    {"host": "another"}, {"unshared": "-n"}, pytest.param({"machine": "another"}, marks=pytest.mark.skipif(
        not os.path.exists("/etc/machine-id"), reason="no machine-id to cover"))], ids=str)
def test_the_same_words_in_two_containers(rig, other):
    """Their NICs may meet on one bridge."""
    mac = factory_mac(rig)
    assert factory_mac(rig, **other) != mac
    assert factory_mac(rig) == mac, "after a restart it is as before"


def test_the_same_words_in_two_namespaces(rig):
    """One that has a name keeps its address when it is made anew, as at the next boot."""
    name = f"ixt{os.getpid()}-mac"
    seen = []
    for each in name, f"{name}2", name:
        r.run("ip", "netns", "add", each)
        try:
            seen.append(factory_mac(rig, unshared=f"nsenter --net=/run/netns/{each}"))
        finally:
            r.run("ip", "netns", "delete", each)
    assert seen[0] == seen[2] != seen[1]


def test_the_same_words_in_two_directories(rig):
    """A path means another place there, and the same as the whole path."""
    there = rig.path("there")
    assert factory_mac(rig, before="") == factory_mac(rig, before=f"{there}/")
    words = ["sh", "-c", 'cd "$1" && exec "$2" --socket nic --wire seqpacket:wire --control control', "sh"]
    seen = set()
    for place in rig.path("one"), rig.path("two"):
        os.makedirs(place)
        nic = rig.daemon(*words, place, r.IXNIC).wait_ready()
        seen.add(r.ask(f"{place}/control", "status")["mac"])
        assert nic.stop() == 0
    assert len(seen) == 2


def cable_end(rig, label):
    """An ixnic at the cable, and its control socket."""
    control = rig.path(f"{label}.control")
    return rig.daemon(r.IXNIC, "--socket", rig.path(label), "--wire", f"cable:{rig.path('cable')}", "--control",
                      control), control


def lit(control):
    return r.ask(control, "status")["light"]


def test_a_third_end_of_a_cable(rig):
    """It is refused, and told who has the two ends, until one of them is free."""
    (first, _), (second, control) = cable_end(rig, "first"), cable_end(rig, "second")
    first.wait_ready(), second.wait_ready()
    r.wait_for(lambda: lit(control), "light from the other end")
    third, _ = cable_end(rig, "third")
    assert third.wait() == 1
    said = third.errors()
    assert said.count("\n") == 1 and "two ends" in said and str(first.pid) in said and str(second.pid) in said, said
    assert r.ask(control, "status")["far_end"] == "there"
    bridge = rig.daemon(*rig.namespace("home").words(r.IXTAPD, "--tap", "tap0", "--nic",
                                                     f"soft:cable:{rig.path('cable')}", "--control",
                                                     rig.path("control")))
    assert bridge.wait() == 1 and "two ends" in bridge.errors()
    assert first.stop() == 0
    third, control = cable_end(rig, "third")
    third.wait_ready()
    r.wait_for(lambda: lit(control), "light from the other end")


@contextlib.contextmanager
def locked(folder):
    """As any user can who may read it."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def test_a_cable_whose_lock_another_has(rig):
    """The ends go on without, also when both are at it at one moment: each may believe then that it listens."""
    with locked(rig.scratch):
        (first, control), (second, other) = cable_end(rig, "first"), cable_end(rig, "second")
        first.wait_ready(), second.wait_ready()
        r.wait_for(lambda: lit(control) and lit(other), "light from both ends")
        second.kill()
        r.wait_for(lambda: not lit(control), "the end")
        # The other one has taken the file of the first for what a killed program left.
        r.wait_for(lambda: os.path.exists(rig.path("cable")), "the first listens")
        os.unlink(rig.path("cable"))
        second, other = cable_end(rig, "second")
        second.wait_ready()
        r.wait_for(lambda: lit(control) and lit(other), "light from both ends")
    assert first.stop() == 0 and second.stop() == 0
    assert "error" not in first.errors() + second.errors()


@pytest.mark.alone
def test_locks_that_others_have_delay_a_start_once(rig):
    """All sockets together wait for a second."""
    with locked(rig.scratch):
        began = time.monotonic()
        nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", f"seqpacket:{rig.path('wire')}", "--control",
                         rig.path("control")).wait_ready()
        assert 0.9 < time.monotonic() - began < 1.9
        assert nic.stop() == 0


def test_an_end_of_a_cable_that_was_taken_meanwhile(rig):
    """The NIC runs: its log says so once, its status all the time, until an end is free."""
    first, _ = cable_end(rig, "first")
    first.wait_ready()  # this one listens, and the other, which is stopped below, has connected
    second, control = cable_end(rig, "second")
    second.wait_ready()
    r.wait_for(lambda: lit(control), "light from the other end")
    second.process.send_signal(signal.SIGSTOP)
    first.kill()
    (third, _), (fourth, other) = cable_end(rig, "third"), cable_end(rig, "fourth")
    third.wait_ready(), fourth.wait_ready()
    r.wait_for(lambda: lit(other), "light between the two")
    second.process.send_signal(signal.SIGCONT)
    r.wait_for(lambda: "two ends" in r.ask(control, "status")["far_end"], "the status tells of it")
    far_end = r.ask(control, "status")["far_end"]
    assert str(third.pid) in far_end and str(fourth.pid) in far_end
    time.sleep(0.5)  # it tries ten times a second
    assert second.errors().count("warning") == second.errors().count("two ends") == 1, second.errors()
    assert not lit(control)
    assert fourth.stop() == 0
    r.wait_for(lambda: lit(control), "light from the other end")
    assert r.ask(control, "status")["far_end"] == "there"


def test_an_end_of_a_cable_killed_and_started_at_once(rig):
    first, control = cable_end(rig, "first")
    first.wait_ready()
    for _ in range(5):
        second, _ = cable_end(rig, "second")
        second.wait_ready()
        r.wait_for(lambda: lit(control), "light from the other end")
        second.process.kill()  # and not waited for


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
    """What has come. The kernel keeps some ten messages for a socket that nobody reads."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(manager.recv(4096, socket.MSG_DONTWAIT))
    return found


def test_the_software_nic_inherits_nothing_of_the_service_manager(rig):
    manager_words = {"WATCHDOG_USEC": "30000000", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x",
                     "LISTEN_PID": "1", "JOURNAL_STREAM": "8:1234", "FDSTORE": "3"}
    with notified(rig) as (manager, path), contextlib.ExitStack() as stack:
        leak, other = os.pipe()
        for fd in (leak, other):
            stack.callback(os.close, fd)
        home = rig.namespace("home")
        words = home.words(r.IXTAPD, "--tap", "tap0", "--control", rig.path("control"))
        script = f"exec 7<&{leak} 8<&{leak} 19<&{leak}; exec \"$@\""
        os.set_inheritable(leak, True)
        with subprocess.Popen(["bash", "-c", script, "sh", *words], pass_fds=[leak],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=r.environment(NOTIFY_SOCKET=path, **manager_words)) as daemon:
            try:
                assert daemon.stdout.readline() == b"ready\n"
                nic = r.ask(rig.path("control"), "status")["nic"]["soft"]["pid"]
                with open(f"/proc/{nic}/environ", "rb") as environ:
                    names = {entry.split(b"=")[0].decode() for entry in environ.read().split(b"\0")}
                pipe = os.readlink(f"/proc/self/fd/{leak}")
                inherited = [fd for fd in os.listdir(f"/proc/{nic}/fd")
                             if os.readlink(f"/proc/{nic}/fd/{fd}") == pipe]
                said = messages(manager)
                os.kill(nic, signal.SIGKILL)

                def back():
                    said.extend(messages(manager))
                    return r.ask(rig.path("control"), "status")["recoveries"] == 1
                r.wait_for(back, "back")
            finally:
                daemon.terminate()
        assert daemon.returncode == 0
        lines = [line for message in said + messages(manager) for line in message.split(b"\n")]
        assert lines.count(b"READY=1") == 1 and lines.count(b"STOPPING=1") == 1, lines
        assert "PATH" in names and not names & {"NOTIFY_SOCKET", *manager_words}, names
        assert not inherited


def test_software_nic_with_net_admin_only(rig):
    home = rig.namespace("home")
    rig.daemon(*home.words("setpriv", "--bounding-set", "-all,+net_admin", "--inh-caps",
                           "-all,+net_admin", r.IXTAPD, "--tap", "tap0", "--up", "--control",
                           rig.path("control"))).wait_ready()
    r.wait_for(lambda: home.has("tap0-wire"), "the wire")


@pytest.mark.parametrize("isolation, content, reason", [("off", "#!/no/such/interpreter\n", "No such file"),
                                                        ("off", "no program\n", "Exec format error"),
                                                        ("best", "no program\n", "Exec format error")])
def test_a_software_nic_that_cannot_be_executed(rig, isolation, content, reason):
    """What fails before ixnic runs is said."""
    for program in (r.IXTAPD, os.path.join(os.path.dirname(r.IXTAPD), "ixtap-driver")):
        shutil.copy(program, rig.path(os.path.basename(program)))
    with open(rig.path("ixnic"), "w", encoding="ascii") as nic:
        nic.write(content)
    os.chmod(rig.path("ixnic"), 0o755)
    done = rig.namespace("home").run(rig.path("ixtapd"), "--tap", "tap0", "--isolation", isolation, "--control",
                                     rig.path("control"), check=False)
    assert done.returncode == 1
    assert "executed" in done.stderr and reason in done.stderr, done.stderr
