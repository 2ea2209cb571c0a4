# SPDX-License-Identifier: MIT
"""ixtap nic, against ixnic."""
import json
import re
import socket
import struct

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
def test_nic(rig):
    """Requests to ixnic, and how replies are shown."""
    control = rig.path("nic.control")

    def shown(*words):
        return ixtap("nic", "-c", control, *words).stdout

    assert shown() == shown("status")
    assert re.search(rf"^mac +{r.NIC_MAC}$", shown(), re.M)
    assert re.search(r"^cable +no$", shown("link", "down"), re.M)
    assert re.search(r"^rx +none\ntx +none$", shown("queues"), re.M)
    assert re.search(r"^  RAH +\[0\] 0x8000[0-9a-f]{4}$", shown("registers", "RAH"), re.M)
    assert re.search(r"^  CTRL +0x[0-9a-f]{8}$", shown("registers"), re.M)
    assert re.search(r"^  rx_frames +0$", shown("counters"), re.M)
    assert json.loads(ixtap("-j", "nic", "-c", control, "link", "up").stdout)["cable"] is True
    for words, part in ((["frobnicate"], "no request 'frobnicate'"), (["dma", "read", "0", "4"], "no client")):
        status, line = refused("nic", "-c", control, *words)
        assert status == 1 and part in line


def test_nic_violations(rig):
    """A bridge that runs breaks no rule. A client that does is in the table, until that is zeroed."""
    bridge = rig.bridge()
    words = ("nic", "-c", bridge.nic_control, "violations")
    assert ixtap(*words).stdout == "no rule was broken\nclient 1  none\n"
    status = ixtap("nic", "-c", bridge.nic_control).stdout
    assert re.search(r"^client +yes$", status, re.M)


@pytest.mark.parametrize("way", [(), ("-R",)], ids=["out", "in"])
def test_nic_rate(rig, way):
    """Half the rate, half the bytes, in each direction. How fast the machine is does not matter."""
    bridge = rig.bridge()
    got = {}
    for mbit in (40, 20):
        ixtap("nic", "-c", bridge.nic_control, "rate", str(mbit))
        got[mbit] = bridge.iperf(*way, seconds=2)["sum_received"]["bits_per_second"] / 1e6
        assert got[mbit] < 1.05 * mbit, got
    assert 1.5 < got[40] / got[20] < 2.7, got
    assert re.search(r"^rate_mbit +0$", ixtap("nic", "-c", bridge.nic_control, "rate", "off").stdout, re.M)
    bridge.check_accounts()


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
