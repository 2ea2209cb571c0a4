# SPDX-License-Identifier: MIT
"""tools/demo, as a person runs it. Nothing is left of it."""
import json
import os
import signal
import subprocess

import pytest

import rig as r

DEMO = os.path.join(r.TOP, "tools", "demo")


def world():
    """Interfaces, namespaces and files in /run as seen from here."""
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk("/run")
                   for name in names)
    return sorted(os.listdir("/sys/class/net")), files


def start(*words, wrapper=()):
    return subprocess.Popen([*wrapper, DEMO, *words], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=r.environment(IXTAP_BUILD=r.BUILD))


def test_results(rig):
    before = world()
    with start("--json", rig.path("json"), "--seconds", "1") as demo:
        output, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, output + errors
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
    with start("--seconds", "60") as demo:
        for line in demo.stdout:
            if "ping" in line:  # iperf3 is running now
                break
        demo.send_signal(number)
        demo.wait(r.DEADLINE_S)
        assert demo.returncode == (-number if number == signal.SIGKILL else 128 + number)
    r.wait_for(lambda: not r.our_processes(), "all processes have ended")
    assert world() == before


def test_nohup(rig):
    """The terminal ends; the demo goes on and its results are there."""
    with start("--json", rig.path("json"), "--seconds", "1", wrapper=["nohup"]) as demo:
        for line in demo.stdout:
            if "ping" in line:
                break
        demo.send_signal(signal.SIGHUP)
        output, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, output + errors
    assert os.path.getsize(rig.path("json"))


def test_shell_and_down():
    before = world()
    with start("--shell") as demo:
        output, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, output + errors
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


@pytest.mark.parametrize("words", [["--frobnicate"], ["--seconds", "0"], ["--seconds", "x"],
                                   ["--json", "/no/such/folder/file"]])
def test_usage(words):
    with start(*words) as demo:
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert words[-1] in errors
