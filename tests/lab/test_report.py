# SPDX-License-Identifier: MIT
"""The comparison's arithmetic, and its page; and what the screen shows of a check."""
import os
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tools", "lab")]

import lab  # noqa: E402
import report  # noqa: E402

CASE = "udp, one after the other"
AWAKE = f"{CASE}, awake"
FAMILY = {"kernel": "in-kernel", "kernel, fast": "in-kernel", "ours": "ixtapd",
          "ours, busy": "ixtapd", "dpdk": "DPDK"}


def driver(p50, p99, out, back):
    return {"latency": {CASE: {"lost": 0, "rtt": {
        "p50_ns": p50, "p90_ns": p50, "p99_ns": p99, "p99_9_ns": p99, "max_ns": p99}}},
        "TCP out": {"mbps": out, "cpu_s_per_gb": 1.0}, "TCP in": {"mbps": back, "cpu_s_per_gb": 2.0},
        "packets in": {"kpps": 10.0, "cpu_us_per_packet": 5.0}}


# The host was half as fast in the second round, for all drivers alike.
ROUNDS = [
    {"kernel": driver(2000, 4000, 100, 100), "kernel, fast": driver(1000, 3000, 90, 90),
     "ours": driver(1500, 2000, 200, 50), "ours, busy": driver(800, 2400, 150, 80),
     "dpdk": driver(1600, 3000, 1, 1)},
    {"kernel": driver(4000, 8000, 50, 50), "kernel, fast": driver(2000, 6000, 45, 45),
     "ours": driver(3000, 4000, 100, 25), "ours, busy": driver(1600, 4800, 75, 40),
     "dpdk": driver(3200, 6000, 1, 1)},
]


@pytest.fixture
def comparison():
    return report.Comparison(ROUNDS, FAMILY.get)


def test_figure_is_the_median_with_its_spread():
    figure = report.Figure([3000, 1000, 2000])
    assert figure.median == 2000
    assert figure.text() == "2,000 (1,000-3,000)"
    assert figure.text(spread=False) == "2,000"
    assert report.Figure([7]).text() == "7"
    assert figure.json() == {"median": 2000, "min": 1000, "max": 3000}


def test_ratio_is_taken_within_a_round(comparison):
    ratio = comparison.ratio("ours, busy", "kernel, fast", report.latency_of(CASE, "p50_ns"))
    assert ratio.values == [0.8, 0.8]


def test_case_with_passes_of_its_own():
    own = [{"kernel": {"latency": {CASE: {"rtt": {"p50_ns": 3000, "p99_ns": 9000}}}},
            "ours": {"latency": {CASE: {"rtt": {"p50_ns": ours, "p99_ns": ours}}}}}
           for ours in (1500, 750, 2250)]
    rounds = [{"kernel": driver(1, 1, 100, 100), "ours": driver(2, 2, 100, 100)}]
    awake = [{name: {"latency": {AWAKE: {"rtt": {"p50_ns": 6000, "p99_ns": 7000}}}}
              for name in ("kernel", "ours")}]
    both = report.Comparison(rounds, FAMILY.get, {CASE: own, AWAKE: awake})
    assert both.of("another") is both
    rows = {row["what"]: row for row in both.aims([CASE])}
    assert rows[f"{CASE}: median"]["ratio"] == {"median": 0.5, "min": 0.25, "max": 0.75}
    assert rows["TCP out"]["ratio"]["median"] == 1
    lines = list(report.overview(both, [CASE, AWAKE]))
    assert lines[3].startswith("| ours | 2 (1-2) | 2 (1-2) | 6 | 7 | 100 | 100 |"), lines


def tcp_out(result):
    return result["TCP out"]["mbps"]


@pytest.mark.parametrize("family, get, most, mode", [
    ("ixtapd", report.latency_of(CASE, "p50_ns"), False, "ours, busy"),
    ("ixtapd", report.latency_of(CASE, "p99_ns"), False, "ours"),
    ("ixtapd", tcp_out, True, "ours"),
    ("in-kernel", tcp_out, True, "kernel"),
    ("in-kernel", report.latency_of(CASE, "p50_ns"), False, "kernel, fast"),
])
def test_best_mode(comparison, family, get, most, mode):
    assert comparison.best(family, get, most) == mode


def test_round_trip_begins_when_the_probe_was_sent():
    run = {"latency": {CASE: {"rtt": {"p50_ns": 9000}, "rtt_uncorrected": {"p50_ns": 2000}}}}
    assert report.latency_of(CASE, "p50_ns")(run) == 2
    assert report.latency_of(CASE, "p50_ns", report.from_schedule)(run) == 9


def test_aims(comparison):
    rows = {(row["what"], row["theirs"]): row for row in comparison.aims([CASE])}
    reached = {key: row["reached"] for key, row in rows.items()}
    assert reached == {
        (f"{CASE}: median", "kernel, fast"): True,
        (f"{CASE}: 99th percentile", "kernel, fast"): True,
        ("TCP out", "kernel"): True,
        ("TCP in", "kernel"): False,
        (f"{CASE}: median", "dpdk"): True,
        (f"{CASE}: 99th percentile", "dpdk"): True,
    }
    assert rows["TCP in", "kernel"]["ratio"] == {"median": 0.8, "min": 0.8, "max": 0.8}


def test_page_has_every_figure(comparison):
    text = "\n".join(report.page(
        comparison, "6.12", [CASE], ["TCP out", "TCP in"], ["packets in"], [CASE, CASE],
        {CASE: "latency-1.svg", "throughput": "t.svg", "cpu": "c.svg"}))
    assert "| TCP in | ours, busy / kernel | at least 1.0 | 0.80 (0.80-0.80) | **missed** |" in text
    assert f"![Percentiles: {CASE}](latency-1.svg)" in text
    for name in FAMILY:
        assert text.count(f"| {name} |") == 6, name
    assert "TCG" in text


def test_bars_are_drawn(comparison, tmp_path):
    path = tmp_path / "bars.svg"
    report.bars(str(path), "Throughput", comparison, ["TCP out", "TCP in"], "mbps")
    text = path.read_text()
    assert "Throughput" in text and "TCP in" in text and "ours, busy" in text


def test_figures_are_there_without_gnuplot(comparison, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(report.Failure, match="gnuplot-nox"):
        report.write(str(tmp_path), comparison, "6.12", cases=[CASE], streams=["TCP out", "TCP in"],
                     packets=["packets in"], quiet=[CASE, CASE], ixlat="ixlat")
    assert "| TCP in | ours, busy / kernel | at least 1.0 |" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("result", ({"pass": False, "reason": "long " * 100}, {"pass": None, "reason": "r" * 200},
                                    {"pass": False, "reason": "broken: {...}\n    and why"},
                                    {"pass": True, "values": {f"name_{i}": f"value_{i}" for i in range(20)}}))
def test_screen_shows_all(capsys, result):
    lab.Screen().result({"name": "a check", "seconds": 1.0} | result)
    shown = " ".join(capsys.readouterr().out.split())
    for text in (result.get("reason", ""), *result.get("values", {}).values()):
        assert " ".join(text.split()) in shown
