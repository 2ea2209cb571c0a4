# SPDX-License-Identifier: MIT
"""tools/demo, as a person runs it. Nothing is left of it."""
import json
import os
import re
import signal
import subprocess
import sys

import pytest

import rig as r

DEMO = os.path.join(r.TOP, "tools", "demo")
sys.path.insert(0, os.path.join(r.TOP, "tools"))

import demo  # noqa: E402


def world():
    """Interfaces, namespaces and files in /run as seen from here."""
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk("/run")
                   for name in names)
    return sorted(os.listdir("/sys/class/net")), files


def start(*words, wrapper=(), **environ):
    return subprocess.Popen([*wrapper, DEMO, *words], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=r.environment(IXTAP_BUILD=r.BUILD, **environ))


@pytest.mark.alone
def test_results(rig):
    before = world()
    with start("--json", rig.path("json"), "--seconds", "1") as run:
        output, errors = run.communicate(timeout=120)
    assert run.returncode == 0, output + errors
    assert errors == ""
    assert "It works." in output
    with open(rig.path("json"), encoding="utf-8") as file:
        result = json.load(file)
    assert result["ping_sent"] == result["ping_received"] > 0
    assert 0 < result["ping_rtt_us"]["min"] <= result["ping_rtt_us"]["avg"] <= \
        result["ping_rtt_us"]["max"]
    for key in ("tcp_tx_gbps", "tcp_rx_gbps", "udp_tx_gbps"):
        assert result[key] > 0
    assert result["udp_lost"] >= 0
    assert result["contract_violations"] == 0
    assert result["counters"]["bridge"]["rx_delivered"] > 0
    assert result["counters"]["nic"]["rx_packets"] > 0
    assert world() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_behind(number):
    before = world()
    with start("--seconds", "60") as run:
        for line in run.stdout:
            if "ping" in line:  # iperf3 is running now
                break
        run.send_signal(number)
        run.wait(r.DEADLINE_S)
        assert run.returncode == (-number if number == signal.SIGKILL else 128 + number)
    r.wait_for(lambda: not r.our_processes(), "all processes have ended")
    assert world() == before


@pytest.mark.alone
def test_nohup(rig):
    """The terminal ends; the demo goes on and its results are there."""
    with start("--json", rig.path("json"), "--seconds", "1", wrapper=["nohup"]) as run:
        for line in run.stdout:
            if "ping" in line:
                break
        run.send_signal(signal.SIGHUP)
        output, errors = run.communicate(timeout=120)
    assert run.returncode == 0, output + errors
    assert os.path.getsize(rig.path("json"))


def test_shell_and_down():
    before = world()
    with start("--shell") as run:
        output, errors = run.communicate(timeout=120)
    assert run.returncode == 0, output + errors
    try:
        assert "ip netns exec ixtap-left ping" in output
        r.run("ip", "netns", "exec", "ixtap-left", "ping", "-n", "-q", "-c", "3", "-i", "0.05",
              "192.0.2.2")
        r.run(r.IXTAP, "status", "ixtap0")
        with start("--shell") as again:
            _, errors = again.communicate(timeout=60)
        assert again.returncode == 1
        assert "--down" in errors
    finally:
        with start("--down") as down:
            output, _ = down.communicate(timeout=60)
    assert output == "taken down\n"
    assert world() == before


@pytest.mark.scripts
@pytest.mark.parametrize("words", [["--frobnicate"], ["--seconds", "0"], ["--seconds", "x"],
                                   ["--json", "/no/such/folder/file"]])
def test_usage(words):
    with start(*words) as run:
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 2
    assert words[-1] in errors


# ---- What counts as "ok" ----

LOSSY = """#!/usr/bin/python3
import json, os, subprocess, sys
if "-u" not in sys.argv:
    os.execv("/usr/bin/iperf3", sys.argv)
done = subprocess.run(["/usr/bin/iperf3", *sys.argv[1:]], capture_output=True, text=True)
result = json.loads(done.stdout)
total = result["end"]["sum"]
total["lost_packets"] = min(total["lost_packets"] + total["packets"] // 10, total["packets"])
print(json.dumps(result))
"""


@pytest.mark.alone
def test_loss_is_no_success(rig):
    """A tenth of the datagrams is lost, beside those of a busy machine: the row says so and what its limit is."""
    with open(rig.path("iperf3"), "w", encoding="ascii") as fake:
        fake.write(LOSSY)
    os.chmod(rig.path("iperf3"), 0o755)
    with start("--seconds", "1", "--json", rig.path("json"),
               PATH=f"{rig.scratch}:{os.environ['PATH']}") as run:
        output, errors = run.communicate(timeout=120)
    rows = [line for line in output.splitlines() if line.endswith(("ok", "FAILED"))]
    assert [row.split()[0] for row in rows if row.endswith("FAILED")] == ["UDP"], output + errors
    assert run.returncode == 1 and errors == "", output + errors
    assert re.search(r"1\d\.\d% is lost, at most 1% may be", output), output
    assert "It does not work" in output
    assert all(len(line) <= 80 for line in output.splitlines())
    with open(rig.path("json"), encoding="utf-8") as file:
        assert json.load(file)["udp_lost"] > 0


def udp_end(lost, gbps=0.5):
    return {"sum": {"bits_per_second": gbps * 1e9, "packets": 100_000, "lost_packets": lost}}


def tcp_end(gbps, again):
    return {"sum_received": {"bits_per_second": gbps * 1e9},
            "sum_sent": {"bytes": 100_000 * 1448, "retransmits": again}}


def counted(missed=0, no_descriptor=0, **bridge):
    every = dict.fromkeys(("rx_received", "rx_delivered", "tx_received", "tx_delivered", "kernel_drop"), 0)
    nic = {"rx_missed_errors": missed, "rx_no_dma_resources": no_descriptor}
    return {"bridge": every | bridge, "nic": nic, "queues": []}


@pytest.mark.parametrize("row, what, good", [
    ("udp", udp_end(1_000), True),
    ("udp", udp_end(1_001), False),
    ("udp", udp_end(100_000), False),
    ("udp", udp_end(0, 0.04), False),
    ("tcp", tcp_end(0.05, 1_000), True),
    ("tcp", tcp_end(0.04, 0), False),
    ("tcp", tcp_end(9, 1_001), False),
    ("accounts", counted(rx_received=10_000, rx_delivered=9_990, rx_drop_runt=10), True),
    ("accounts", counted(rx_received=10_000, rx_delivered=9_989, rx_drop_runt=11), False),
    ("accounts", counted(tx_received=10_000, tx_delivered=9_999), False),
    ("accounts", counted(tx_received=9_999, tx_delivered=10_000), False),
    ("accounts", counted(tx_received=9_990, tx_delivered=9_990, kernel_drop=10), True),
    ("accounts", counted(tx_received=9_989, tx_delivered=9_989, kernel_drop=11), False),
    ("accounts", counted(rx_received=9_990, rx_delivered=9_990, missed=3, no_descriptor=7), True),
    ("accounts", counted(rx_received=9_989, rx_delivered=9_989, missed=11), False),
    ("accounts", counted(rx_received=9_989, rx_delivered=9_989, no_descriptor=11), False),
    ("rules", 0, True),
    ("rules", 1, False),
    ("ping", "20 packets transmitted, 20 received\nrtt = 0.1/50.0/99.0/1.0 ms", True),
    ("ping", "20 packets transmitted, 20 received\nrtt = 0.1/50.1/99.0/1.0 ms", False),
    ("ping", "20 packets transmitted, 19 received\nrtt = 0.1/0.2/0.3/0.1 ms", False),
    ("ping", "20 packets transmitted, 20 received, +20 duplicates\nrtt = 0.1/0.2/0.3/0.1 ms", False),
    ("ping", "20 packets transmitted, 0 received", False),
])
@pytest.mark.scripts
def test_limits(monkeypatch, capsys, row, what, good):
    """A row is ok at its limit, and not beyond."""
    monkeypatch.setattr(demo, "iperf", lambda *_: what)
    monkeypatch.setattr(demo, "stats", lambda: what)
    monkeypatch.setattr(demo, "ask", lambda *_: {"total": what})
    monkeypatch.setattr(demo, "run_with_progress", lambda *_: (0, what, ""))
    monkeypatch.setattr(demo, "SETTLE_S", 0.01)
    call = {"udp": lambda: demo.udp(1), "tcp": lambda: demo.tcp("key", "TCP out", "there", 1),
            "accounts": demo.accounts, "rules": demo.rules, "ping": demo.ping}[row]
    assert call()[1] == good
    shown = capsys.readouterr().out
    assert ("FAILED" in shown) != good and (len(shown.splitlines()) > 1) != good, shown


@pytest.mark.scripts
def test_a_datagram_is_judged_once(monkeypatch, capsys):
    """The rates that a slow machine does not keep up with are tried all the same."""
    monkeypatch.setattr(demo, "iperf", lambda *_: next(ends))  # set below
    monkeypatch.setattr(demo, "ping", lambda: ({}, True))
    monkeypatch.setattr(demo, "tcp", lambda *_: ({}, True))
    monkeypatch.setattr(demo, "rules", lambda: ({}, True))
    monkeypatch.setattr(demo, "driver_dies", lambda: ({}, True))
    for dropped, good in (11_500 + 400, True), (11_500 + 401, False):
        every = counted(tx_received=400_000 - dropped, tx_delivered=400_000 - dropped, kernel_drop=dropped)
        monkeypatch.setattr(demo, "stats", lambda every=every: every)
        ends = iter([udp_end(9_000), udp_end(2_000), udp_end(500)])
        assert demo.measure(1)[1] == good
    assert "11,900 dropped" in capsys.readouterr().out
