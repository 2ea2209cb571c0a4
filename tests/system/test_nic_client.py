# SPDX-License-Identifier: MIT
"""ixtap nic, against ixnic."""
import json
import re
import socket
import struct
import subprocess
import time

import pytest

import rig as r
from test_cli import ixtap, refused
from test_waits import BAR0, REGION_WRITE, vfio_user


@pytest.fixture
def nic(rig):
    """An ixnic with a control socket, whose wire nobody holds."""
    return rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", f"seqpacket:{rig.path('wire')}", "--control",
                      rig.path("nic.control"), "--mac", r.NIC_MAC).wait_ready()


@pytest.mark.usefixtures("nic")
@pytest.mark.parametrize("words, reason", [
    (["link", "up", "up"], "'link' takes at most 1 word behind it"),
    (["dma", "read", "0", "4", "5"], "'dma' takes at most 3 words behind it"),
    (["queues", "all"], "'queues' takes no words"),
    (["fault"], "fault: the name is missing; try: fault list, or see ixnic(8)"),
    (["fault", "nonsense"], "fault: no fault has that name; try: fault list"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_words_of_requests(rig, words, reason):
    assert reason in r.ask(rig.path("nic.control"), " ".join(words))["error"]


@pytest.mark.usefixtures("nic")
@pytest.mark.parametrize("words", [
    ["nic", "-c", "C", "dma", "read", "-1", "4"], ["nic", "dma", "read", "-1", "4", "-c", "C"],
    ["-c", "C", "n", "dma", "read", "0", "-4"], ["nic", "dma", "read", "-c", "C", "-1", "-4"],
    ["nic", "dma", "-c", "C", "-j", "-0x10", "-4"],
], ids=" ".join)
def test_numbers_are_words(rig, words):
    """ixnic says what is wrong with a number."""
    status, line = refused(*(rig.path("nic.control") if word == "C" else word for word in words))
    assert status == 1 and "dma: not understood" in line


@pytest.mark.parametrize("words", [["-1", "nic"], ["status", "-1"], ["nic", "-c", "s", "-x1"], ["nic", "-c", "s", "-j1"]],
                         ids=" ".join)
def test_other_numbers_are_options(words):
    done = r.run(r.IXTAP, *words, check=False)
    assert done.returncode == 2 and "invalid option" in done.stderr, done.stderr


@pytest.mark.usefixtures("nic")
def test_nic(rig):
    """Requests to ixnic, and how replies are shown."""
    control = rig.path("nic.control")

    def shown(*words):
        return ixtap("nic", "-c", control, *words).stdout

    r.wait_for(lambda: re.search(r"^link +up$", shown(), re.M), "the link comes up")
    assert shown() == shown("status")
    assert re.search(rf"^mac +{r.NIC_MAC}$", shown(), re.M)
    assert re.search(r"^cable +no$", shown("link", "down"), re.M)
    assert re.search(r"^rx +none\ntx +none$", shown("queues"), re.M)
    assert re.search(r"^  RAH +\[0\] 0x8000[0-9a-f]{4}$", shown("registers", "RAH"), re.M)
    assert re.search(r"^  CTRL +0x[0-9a-f]{8}$", shown("registers"), re.M)
    assert re.search(r"^  rx_frames +0$", shown("counters"), re.M)
    assert json.loads(ixtap("-j", "nic", "-c", control, "link", "up").stdout)["cable"] is True
    for words, part in ((["frobnicate"], "no request 'frobnicate'"), ([""], "the request is empty"), (["dma", "read", "0", "4"], "no client")):
        status, line = refused("nic", "-c", control, *words)
        assert status == 1 and part in line


@pytest.mark.usefixtures("nic")
@pytest.mark.parametrize("words", [["status"], ["-j", "status"]], ids=" ".join)
def test_an_ixnic_asked_as_an_ixtapd(rig, words):
    """It has a status, too, but of another kind."""
    status, line = refused("-c", rig.path("nic.control"), *words)
    assert status == 1 and "ixtap nic" in line


@pytest.mark.parametrize("words", [[], ["status"], ["registers", "CTRL"], ["stats"], ["features", "rx", "off"],
                                   ["violations"]], ids=lambda words: " ".join(words) or "nothing")
def test_an_ixtapd_asked_as_an_ixnic(rig, words):
    """Some of its requests have the same names, and it is not set either."""
    rig.daemon(*rig.namespace("left").words(r.IXTAPD, "--tap", "tap0", "--nic", f"soft:seqpacket:{rig.path('wire')}",
                                            "--control", rig.path("control"))).wait_ready()
    status, line = refused("nic", "-c", rig.path("control"), *words)
    assert status == 1 and "ixtapd's" in line and rig.path("control.nic") in line
    assert r.ask(rig.path("control"), "features")["rx"] == "on"


def test_nic_violations(rig):
    """A bridge that runs breaks no rule. A client that does is in the table, until that is zeroed."""
    bridge = rig.bridge()
    words = ("nic", "-c", bridge.nic_control, "violations")
    assert ixtap(*words).stdout == "no rule was broken\nclient 1  none\n"
    status = ixtap("nic", "-c", bridge.nic_control).stdout
    assert re.search(r"^client +yes$", status, re.M)


@pytest.mark.alone
@pytest.mark.parametrize("way, counter", [((), "tx_bytes"), (("-R",), "rx_bytes")], ids=["out", "in"])
def test_nic_rate(rig, way, counter):
    """Half the rate, half the bytes, in each direction, of datagrams that are too many for either. How fast the
    machine is does not matter."""
    bridge = rig.bridge()

    def passed():
        return bridge.nic("counters")["counters"][counter], time.monotonic()

    def rate(mbit):
        ixtap("nic", "-c", bridge.nic_control, "rate", str(mbit))
        time.sleep(0.2)  # what had passed before is no part of it
        (before, start), _, (after, end) = passed(), time.sleep(2), passed()
        return (after - before) * 8 / (end - start) / 1e6

    with bridge.right.popen("iperf3", "-s", "-1", "--forceflush", "-B", r.RIGHT_V4, stdout=subprocess.PIPE) as server:
        while "listening" not in server.stdout.readline():
            assert server.poll() is None
        with bridge.left.popen("iperf3", "-c", r.RIGHT_V4, "-u", "-b", "50M", "-l", "1400", "-t", "60", *way,
                               stdout=subprocess.DEVNULL) as flood:
            start = passed()[0]
            r.wait_for(lambda: passed()[0] > start + 1e6, "datagrams pass")
            got = {mbit: rate(mbit) for mbit in (8, 4)}
            flood.kill()
        server.kill()
    assert got[8] < 1.1 * 8 and got[4] < 1.1 * 4 and 1.5 < got[8] / got[4] < 2.7, got
    assert re.search(r"^rate_mbit +0$", ixtap("nic", "-c", bridge.nic_control, "rate", "off").stdout, re.M)
    bridge.check_accounts()


def test_nic_strict(rig):
    """A NIC that a broken rule would stop: ours runs on it, through stop and start."""
    left, right, control = rig.namespace("left"), rig.namespace("right"), rig.path("nic.control")
    rig.daemon(*left.words(r.IXNIC, "--socket", rig.path("nic"), "--wire", "tap:wire0", "--control", control,
                           "--strict")).wait_ready()
    left.run("ip", "link", "set", "wire0", "netns", right.name)
    right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
    right.run("ip", "link", "set", "wire0", "up")
    for _ in range(2):
        bridge = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap", "tap0", "--address",
                                        f"{r.LEFT_V4}/24", "--up")).wait_ready()
        r.wait_for(lambda: left.carrier("tap0") and right.carrier("wire0"), "carrier at both ends")
        left.run("ping", "-n", "-q", "-c", "5", "-i", "0.05", "-W", "5", r.RIGHT_V4)
        status = r.ask(control, "status")
        assert status["stopped"] is False and status["violations"] == 0, r.ask(control, "violations")
        assert bridge.stop() == 0


def test_nic_violations_of_a_client(rig, nic):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(rig.path("nic"))
        client.settimeout(r.DEADLINE_S)
        vfio_user(client, 1, struct.pack("<HH", 0, 1) + b"{}\0")
        for _ in range(6):  # EIMC, with its reserved bit
            vfio_user(client, REGION_WRITE, struct.pack("<QIII", 0x888, BAR0, 4, 1 << 31))
        words = ("nic", "-c", rig.path("nic.control"), "violations")
        for last in ((), ("zero",)):
            lines = ixtap(*words, *last).stdout.splitlines()
            assert lines[0].split()[:3] == ["rule", "count", "section"]
            assert lines[1].split()[:3] == ["EIMC_RESERVED", "6", "8.2.3.5.4"]
            assert [line.strip() for line in lines[2:6]] == ["EIMC = 0x80000000"] * 4
            assert lines[6:] == ["client 1  EIMC_RESERVED 6"]
        assert ixtap(*words).stdout == "no rule was broken\nclient 1  none\n"
    assert nic.stop() == 0
