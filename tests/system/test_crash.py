# SPDX-License-Identifier: MIT
"""Signals to either program, and its sudden death, with traffic under way."""
import contextlib
import ctypes
import os
import re
import signal
import subprocess

import pytest

import rig as r


@contextlib.contextmanager
def traffic(bridge):
    """Runs iperf3 both ways until the end. Its result does not matter."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with bridge.right.popen("iperf3", "-s", "-1", "--forceflush", "-B", r.RIGHT_V4,
                            stdout=subprocess.PIPE) as server:
        while "listening" not in server.stdout.readline():
            assert server.poll() is None
        with bridge.left.popen("iperf3", "-c", r.RIGHT_V4, "-t", "60", "--bidir", **quiet) as client:
            try:
                start = bridge.counters()["rx_received"]
                r.wait_for(lambda: bridge.counters()["rx_received"] > start + 1000, "traffic")
                yield
            finally:
                client.kill()
                server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_under_traffic(bridge, number):
    with traffic(bridge):
        assert bridge.stop(number) == 0, bridge.errors()[-3000:]
    assert not bridge.left.has(bridge.tap)
    assert not os.path.exists(bridge.control)


def test_ixtapd_killed_under_traffic(bridge):
    """The interface, the software NIC and the wire go with ixtapd."""
    nic = bridge.ask("status")["nic"]["soft"]["pid"]
    with traffic(bridge):
        bridge.kill()
        r.wait_for(lambda: not os.path.exists(f"/proc/{nic}"), "the software NIC is gone")
    r.wait_for(lambda: not bridge.left.has(bridge.tap), "the interface is gone")
    r.wait_for(lambda: not bridge.right.has(bridge.wire), "the wire is gone")
    # The killed iperf3's connections would go on. Until the neighbour is found they fill the kernel's queue for it,
    # which forgets what has waited longest: a ping, or its answer.
    for space in (bridge.left, bridge.right):
        space.run("ss", "-K", "-t")
    # Sockets that were left do not hinder the next start.
    again = r.Bridge(bridge.left, bridge.right, os.path.dirname(bridge.control))
    try:
        again.wait_ready().connect().ping()
        assert again.stop() == 0
    finally:
        again.close()


def test_killed_with_persistent_interface(rig):
    """kill -9, and a new ixtapd: the same interface, with its addresses."""
    bridge = rig.bridge("--persist")
    left = bridge.left
    left.run("ip", "address", "add", "198.51.100.1/24", "dev", bridge.tap)
    index = left.link(bridge.tap)["ifindex"]
    bridge.kill()
    assert left.has(bridge.tap)
    r.wait_for(lambda: not bridge.right.has(bridge.wire), "the wire is gone")
    again = r.Bridge(left, bridge.right, rig.scratch, "--persist")
    rig.daemons.append(again)
    again.wait_ready().connect().ping()
    assert left.link(bridge.tap)["ifindex"] == index
    assert "198.51.100.1" in left.run("ip", "address", "show", "dev", bridge.tap).stdout
    assert again.stop() == 0
    left.run("ip", "link", "delete", bridge.tap)


def test_software_nic_killed_under_traffic(bridge):
    """The bridge brings a new one up; interface and addresses stay."""
    index = bridge.left.link(bridge.tap)["ifindex"]
    with traffic(bridge):
        os.kill(bridge.ask("status")["nic"]["soft"]["pid"], signal.SIGKILL)
        r.wait_for(lambda: bridge.ask("status")["recoveries"] == 1, "the NIC is brought back")
    r.wait_for(lambda: bridge.left.has(bridge.wire), "the new wire")
    bridge.connect()
    # The new wire has another address.
    bridge.left.run("ip", "neighbour", "flush", "dev", bridge.tap)
    bridge.ping()
    assert bridge.left.link(bridge.tap)["ifindex"] == index


def test_another_mac_in_the_eeprom(rig):
    """A NIC that comes back as another one is told of."""
    def nic(mac):
        return rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", f"seqpacket:{rig.path('wire')}", "--mac",
                          mac).wait_ready()
    server, left = nic("02:00:00:00:00:01"), rig.namespace("left")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap", "tap0", "--control",
                                    rig.path("control"))).wait_ready()
    for mac, recoveries in (("02:00:00:00:00:01", 1), ("02:00:00:00:00:02", 2)):
        server.kill()
        server = nic(mac)
        r.wait_for(lambda: daemon.errors().count("the NIC is back") == recoveries, "the NIC is back", 20)
        told = "was 02:00:00:00:00:01 and is 02:00:00:00:00:02 now" in daemon.errors()
        assert told == (recoveries == 2), daemon.errors()


def test_server_killed_under_traffic(rig):
    """A separate ixnic is killed and started again: the bridge finds it."""
    left, right = rig.namespace("left"), rig.namespace("right")
    words = [r.IXNIC, "--socket", rig.path("nic"), "--wire", "tap:wire0", "--netns", right.name]

    def start_nic():
        nic = rig.daemon(*words).wait_ready()
        right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
        right.run("ip", "link", "set", "wire0", "up")
        return nic

    nic = start_nic()
    bridge = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap",
                                    "tap0", "--address", f"{r.LEFT_V4}/24", "--up", "--control",
                                    rig.path("control"))).wait_ready()
    r.wait_for(lambda: left.carrier("tap0"), "carrier")
    nic.kill()
    r.wait_for(lambda: not left.carrier("tap0"), "no carrier without a NIC")
    shown = r.wait_for(lambda: r.run(r.IXTAP, "-c", rig.path("control"), "status").stdout, "status")
    assert re.search(r"^  nic +vfio-user:\S+, not there\n  \S", shown, re.M), shown
    start_nic()
    r.wait_for(lambda: left.carrier("tap0"), "carrier again")
    left.run("ping", "-n", "-q", "-c", "3", "-i", "0.05", "-W", "5", r.RIGHT_V4)
    assert bridge.stop() == 0, bridge.errors()


def test_software_nic_stops_answering(rig):
    """The NIC is there but silent (SIGSTOP): the bridge still stops when told to."""
    bridge = rig.bridge()
    nic = bridge.ask("status")["nic"]["soft"]["pid"]
    os.kill(nic, signal.SIGSTOP)
    try:
        bridge.process.send_signal(signal.SIGTERM)
        bridge.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(nic, signal.SIGCONT)
    assert not bridge.left.has(bridge.tap)


def parent(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return int(re.search(r"^PPid:\s+(\d+)$", status.read(), re.M).group(1))


@pytest.mark.parametrize("whom, number, said", [("spawner", signal.SIGKILL, "the spawner has ended"),
                                                ("driver", signal.SIGSYS, "the driver was killed by signal 31")])
def test_a_driver_that_nobody_may_follow(bridge, whom, number, said):
    """Without a spawner there is no driver; one that broke the filter of system calls is not trusted."""
    before = bridge.ask("status")
    driver = before["driver"]["pid"]
    addresses = bridge.left.run("ip", "address", "show", "dev", bridge.tap).stdout.splitlines()[1:]
    os.kill(parent(driver) if whom == "spawner" else driver, number)
    now = r.wait_for(lambda: (status := bridge.ask("status"))["recoveries"] == 1 and status, "brought back")
    bridge.says(said)
    assert now["driver"]["pid"] not in (driver, None)
    assert now["driver"]["starts"] == {"warm": 0, "cold": before["driver"]["starts"]["cold"] + 1, "upgrade": 0}
    assert not os.path.exists(f"/proc/{driver}")
    assert now["nic"]["soft"]["pid"] == before["nic"]["soft"]["pid"], "the NIC stayed open"
    r.wait_for(lambda: bridge.left.carrier(bridge.tap) and bridge.right.carrier(bridge.wire), "carrier")
    bridge.ping()
    assert bridge.left.run("ip", "address", "show", "dev", bridge.tap).stdout.splitlines()[1:] == addresses


PTRACE_CONT, PTRACE_DETACH, PTRACE_GETEVENTMSG, PTRACE_SEIZE = 7, 17, 0x4201, 0x4206
PTRACE_O_TRACEFORK, PTRACE_EVENT_FORK = 2, 1
WAIT_ALL = 0x40000000  # __WALL


def ptrace(request, pid, data=0):
    r.libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    assert r.libc.ptrace(request, pid, None, data) != -1, os.strerror(ctypes.get_errno())


@contextlib.contextmanager
def held_behind_its_fork(pid, cause):
    """The process stands where it has just made another, which cause() brings about. The other one runs."""
    child = ctypes.c_ulong()
    ptrace(PTRACE_SEIZE, pid, PTRACE_O_TRACEFORK)
    cause()
    while (status := os.waitpid(pid, WAIT_ALL)[1]) >> 8 != PTRACE_EVENT_FORK << 8 | signal.SIGTRAP:
        ptrace(PTRACE_CONT, pid, os.WSTOPSIG(status))  # a signal, as that of the dead child
    ptrace(PTRACE_GETEVENTMSG, pid, ctypes.addressof(child))
    os.waitpid(child.value, WAIT_ALL)
    ptrace(PTRACE_DETACH, child.value)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, pid)


def test_a_driver_counts_once_it_can_be_ended(bridge):
    """It runs before its spawner's word of it is heard: until then nobody could follow it, or tell it to leave."""
    driver = bridge.ask("status")["driver"]["pid"]
    with held_behind_its_fork(parent(driver), lambda: os.kill(driver, signal.SIGKILL)):
        bridge.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)  # frames pass
        status = bridge.ask("status")
        assert status["driver"]["pid"] is None and status["driver"]["starts"]["warm"] == 0, status
        assert all(queue["state"] == "stopped" for queue in status["queues"]), status
    now = r.wait_for(lambda: (status := bridge.ask("status"))["driver"]["starts"]["warm"] == 1 and status, "it counts")
    assert now["driver"]["pid"] not in (driver, None) and now["state"] == "running"
    bridge.ping()


def test_a_driver_that_is_stopped_is_left_alone(bridge):
    driver = bridge.ask("status")["driver"]["pid"]
    os.kill(driver, signal.SIGSTOP)
    try:
        r.wait_for(lambda: f"the driver, process {driver}, is stopped" in bridge.errors(), "told")
    finally:
        os.kill(driver, signal.SIGCONT)
    bridge.ping()
    status = bridge.ask("status")
    assert status["driver"]["pid"] == driver and status["recoveries"] == 0
