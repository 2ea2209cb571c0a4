# SPDX-License-Identifier: MIT
"""A software NIC is told to reach for memory not its own: that is refused and noticed, and no more."""
import json
import subprocess

import pytest

import rig as r

SAYS = "reached for memory outside its own"
NOWHERE = 0x7ffffff000


@pytest.mark.parametrize("request_", [f"dma write {NOWHERE:#x} deadbeef", f"dma read {NOWHERE:#x} 64",
                                      "dma write 0 00", "dma read 0xfffffffffffffff0 16"])
def test_refused_noticed_and_survived(bridge, request_):
    with subprocess.Popen([r.IXTAP, "-j", "--control", bridge.control, "monitor"], text=True,
                          stdout=subprocess.PIPE, env=r.environment()) as monitor:
        try:
            first = json.loads(monitor.stdout.readline())
            assert first["status"]["nic"]["dma_refused"] == 0
            for i in range(3):
                reply = bridge.nic(request_)
                assert reply == {"path": "message", "refused": "Bad address"}
                r.wait_for(lambda: bridge.ask("status")["nic"]["dma_refused"] > i, "it is noticed")
            for line in monitor.stdout:
                event = json.loads(line)
                if event["event"] == "dma_refused":
                    assert event["count"] == 1
                    break
        finally:
            monitor.kill()
    assert bridge.ask("stats")["nic"]["dma_refused"] == 3
    assert bridge.errors().count(SAYS) == 1
    bridge.says("its server is not to be trusted")
    assert "dmesg" not in bridge.errors(), "no IOMMU of the kernel was asked"
    shown = {words[0]: r.run(r.IXTAP, "--control", bridge.control, *words).stdout
             for words in (("status",), ("stats",))}
    assert "memory not its own refused, noticed 3 times" in shown["status"]
    assert "dma_refused" in shown["stats"]
    assert bridge.ask("status")["state"] == "running"
    bridge.ping()


def test_its_own_memory_is_its_own(bridge):
    """The NIC reaches the memory that the driver gave it. That is not counted or logged."""
    ring = bridge.register("RDBAL", 0) | bridge.register("RDBAH", 0) << 32
    before = bridge.nic(f"dma read {ring:#x} 16")
    assert before["path"] == "shared" and before["refused"] is None
    after = bridge.nic(f"dma write {ring + 16 * 511:#x} " +
                       bridge.nic(f"dma read {ring + 16 * 511:#x} 16")["data"])
    assert after == {"path": "shared", "refused": None}
    seconds = bridge.ask("status")["uptime_s"] + 2
    r.wait_for(lambda: bridge.ask("status")["uptime_s"] > seconds, "two looks at the bus")
    assert bridge.ask("status")["nic"]["dma_refused"] == 0
    assert SAYS not in bridge.errors()
    bridge.ping()
