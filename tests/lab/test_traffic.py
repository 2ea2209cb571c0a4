# SPDX-License-Identifier: MIT
"""What the lab takes for working traffic."""
import os
import sys
import types

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tools", "lab")]

import traffic  # noqa: E402


@pytest.mark.parametrize("options, end, works", [
    (["-u"], {"sum": {"lost_percent": 5, "bits_per_second": 5e7, "packets": 100, "lost_packets": 5}}, True),
    (["-u"], {"sum": {"lost_percent": 5.1, "bits_per_second": 5e7, "packets": 1000, "lost_packets": 51}},
     False),
    ([], {"sum_received": {"bits_per_second": 5e6}, "sum_sent": {}}, True),
    ([], {"sum_received": {"bits_per_second": 4.9e6}, "sum_sent": {}}, False),
])
def test_limits(monkeypatch, options, end, works):
    monkeypatch.setattr(traffic, "iperf_end", lambda *_: end)
    lab = types.SimpleNamespace(short=True)
    if works:
        assert traffic.iperf(lab, *options)["mbps"] > 0
    else:
        with pytest.raises(traffic.Failure, match="at most|at least"):
            traffic.iperf(lab, *options)


@pytest.mark.parametrize("received", [9, 10])
def test_ping_is_answered_whole(received):
    said = f"10 packets transmitted, {received} received\nrtt min/avg/max/mdev = 1.0/2.0/3.0/0.1 ms"
    place = types.SimpleNamespace(sh=lambda _: said)
    if received == 10:
        assert traffic.ping(place, "192.0.2.2")["rtt_avg_us"] == 2000
    else:
        with pytest.raises(traffic.Failure):
            traffic.ping(place, "192.0.2.2")
