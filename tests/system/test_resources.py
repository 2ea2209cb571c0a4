# SPDX-License-Identifier: MIT
"""What a bridge costs: memory, and processor time while idle."""
import time

import pytest

import rig as r

pytestmark = pytest.mark.alone

IDLE_S = 10


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def ixtapd_pid(bridge):
    return bridge.ask("status")["pid"]


def test_memory(bridge, sanitized):
    """At most 64 MiB resident for one queue, after traffic in both directions."""
    if sanitized:
        pytest.skip("a sanitizer's shadow memory counts too")
    bridge.iperf()
    bridge.iperf("-R")
    assert resident_bytes(ixtapd_pid(bridge)) <= 64 << 20


def test_idle(bridge, sanitized):
    """Under 1 % of a processor when nothing happens. The test has to wait, since that is what it measures."""
    if sanitized:
        pytest.skip("a sanitized program is slower at everything")
    bridge.iperf()
    pids = [ixtapd_pid(bridge), bridge.ask("status")["nic"]["soft"]["pid"]]
    before = [r.cpu_seconds(pid) for pid in pids]
    time.sleep(IDLE_S)
    for pid, start in zip(pids, before):
        assert r.cpu_seconds(pid) - start < 0.01 * IDLE_S
