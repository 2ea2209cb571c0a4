# SPDX-License-Identifier: MIT
"""What ixlat writes: text, JSON, .hgrm, plots. What it reads: files that others may have written."""
import base64
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
import zlib

import pytest

import rig as r
from ixlat_rig import Pair, encode


@pytest.fixture
def pair(rig):
    return Pair(rig)


# ---- What comes out

@pytest.fixture
def runs(pair):
    """The paths of two results."""
    pair.reflect("udp")
    paths = [pair.rig.path(name) for name in ("a.json", "b.json")]
    pair.ixlat("udp", r.RIGHT_V4, "--count", 300, "--label", "first", "--json", paths[0])
    pair.ixlat("udp", r.RIGHT_V4, "--count", 300, "--size", 1000, "--rate", 5000, "--json", paths[1])
    return paths


def test_text(pair):
    pair.reflect("udp")
    shown = pair.ixlat("udp", r.RIGHT_V4, "--count", 300, "--rate", 1000, "--one-way").stdout
    for part in (r"^udp 192\.0\.2\.2 port 8259, 64 bytes, 1000 per second$", "sent 300 ", "lost 0 ",
                 "uncorrected .*there .*back", r"^  p99\.9 ", "^  max ",
                 r"With 300 answers, p99\.9 is no other than max"):
        assert re.search(part, shown, re.M), (part, shown)
    assert "\033" not in shown, "no colours but on a terminal"


def test_numbers_of_json_have_no_noise(pair, runs):
    """A duration has nanoseconds."""
    shown = pair.ixlat("compare", *runs, "--json", "-").stdout
    for path in runs:
        with open(path, encoding="utf-8") as file:
            shown += file.read()
    long = re.findall(r'"(\w+)": \d+\.\d{7}', shown)
    assert "ratio" in shown and set(long) <= {"duration_s"} and not re.search(r"\d\.\d{10}", shown), shown


def test_interrupted(pair):
    pair.reflect("udp")
    path = pair.rig.path("cut.json")
    with pair.measuring("udp", r.RIGHT_V4, "--duration", 1000, "--json", path) as process:
        process.send_signal(signal.SIGINT)
        shown = process.communicate(timeout=r.DEADLINE_S)[0]
    assert process.returncode == 0
    assert "Interrupted" in shown
    with open(path, encoding="utf-8") as file:
        run = json.load(file)
    assert run["interrupted"] and run["received"] == run["sent"] > 0


def test_hgrm(pair):
    pair.reflect("udp")
    path, result = pair.rig.path("a.hgrm"), pair.rig.path("a.json")
    pair.ixlat("udp", r.RIGHT_V4, "--count", 400, "--hgrm", path, "--json", result)
    with open(path, encoding="ascii") as file:
        lines = file.read().splitlines()
    with open(result, encoding="utf-8") as file:
        rtt = json.load(file)["rtt"]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    rows = [list(map(float, line.split())) for line in lines[2:-3]]
    assert rows == sorted(rows)
    assert rows[0][1] == 0 and rows[-1][1:] == [1, 400]
    assert rows[-1][0] == pytest.approx(rtt["max_ns"] / 1000, abs=0.001)
    assert [row[0] for row in rows if row[1] == 0.5] == [pytest.approx(rtt["p50_ns"] / 1000, abs=0.001)]
    assert re.search(r"#\[Max +=.*Total count +=\s+400\]", lines[-2])


def test_files_stay_when_a_run_fails(pair):
    """Old files keep their contents, and new ones are not made."""
    kept, new = pair.rig.path("kept"), pair.rig.path("new")
    with open(kept, "w", encoding="ascii") as file:
        file.write("the last result")
    assert pair.refused("tcp", r.RIGHT_V4, "--json", kept, "--hgrm", new)[0] == 1
    with open(kept, encoding="ascii") as file:
        assert file.read() == "the last result"
    assert not os.path.exists(new)


def test_no_file_of_a_run_that_is_killed(pair):
    """A run is killed while it waits for an answer. It leaves no empty file."""
    path = pair.rig.path("new")
    with pair.left.popen(r.IXLAT, "tcp", "192.0.2.99", "--json", path) as process:
        r.wait_for(lambda: pair.left.run("ss", "-Htn", "state", "syn-sent").stdout, "that it connects")
        process.terminate()
    assert process.returncode == -signal.SIGTERM
    assert not os.path.exists(path)


def test_shorter_result_replaces_a_longer(pair):
    pair.reflect("udp")
    path = pair.rig.path("a.json")
    with open(path, "w", encoding="ascii") as file:
        file.write("x" * 100000)
    pair.ixlat("udp", r.RIGHT_V4, "--count", 10, "--json", path)
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["received"] == 10


def test_disk_full(pair):
    pair.reflect("udp")
    done = pair.ixlat("udp", r.RIGHT_V4, "--count", 10, "--json", "/dev/full", check=False)
    assert done.returncode == 1 and "/dev/full" in done.stderr
    done = pair.left.run("sh", "-c", f"{r.IXLAT} udp {r.RIGHT_V4} --count 10 >/dev/full", check=False)
    assert done.returncode == 1 and "standard output" in done.stderr


def test_reader_goes_away(pair):
    """The reader of the text leaves early. The files are written all the same."""
    pair.reflect("udp")
    path = pair.rig.path("a.json")
    reading, writing = os.pipe()
    os.close(reading)
    with pair.left.popen(r.IXLAT, "udp", r.RIGHT_V4, "--count", 10, "--json", path, stdout=writing,
                         stderr=subprocess.PIPE) as process:
        os.close(writing)
        assert "standard output" in process.communicate(timeout=r.DEADLINE_S)[1]
    assert process.returncode == 1
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["received"] == 10


def test_no_half_of_a_file(pair):
    """A new file that could not be written to its end is removed."""
    pair.reflect("udp")
    for option in ("--json", "--hgrm"):
        path = pair.rig.path("new")
        done = pair.left.run("sh", "-c", f"trap '' XFSZ; ulimit -f 1; {r.IXLAT} udp {r.RIGHT_V4} --count 100 "
                             f"{option} {path}", check=False)
        assert done.returncode == 1 and "too large" in done.stderr, done
        assert not os.path.exists(path)


def test_texts_that_are_no_utf_8(pair):
    """JSON can't hold such texts. ixlat says so before it measures, and before there is a file."""
    path, strange = pair.rig.path("new"), os.fsdecode(b"\xff")
    for words in (["udp", r.RIGHT_V4, "--label", strange], ["compare", "a", strange],
                  ["raw", "02:00:00:00:00:01", "--interface", strange]):
        status, line = pair.refused(*words, "--json", path)
        assert status == 2 and "UTF-8" in line
    assert not os.path.exists(path)


def texts_in(path):
    return [element.text for element in ElementTree.parse(path).iter()
            if element.tag.endswith("text") or element.tag.endswith("tspan")]


def test_plot(pair):
    pair.reflect("udp")
    svg, png = pair.rig.path("plot.svg"), pair.rig.path("plot.png")
    label = "it's \"a\" `touch made` \\ @x_2^3 é"
    pair.ixlat("udp", r.RIGHT_V4, "--count", 300, "--rate", 5000, "--label", label, "--plot", svg)
    texts = [text for text in texts_in(svg) if text]
    assert "it s a touch made x_2^3 é" in " ".join(" ".join(texts).split())
    assert {"round trip", "round trip, uncorrected", "percentile", "microseconds", "99"} <= set(texts)
    assert not os.path.exists("made")
    pair.ixlat("udp", r.RIGHT_V4, "--count", 300, "--plot", png)
    with open(png, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    assert os.path.getsize(png) > 3000


def test_plot_needs_gnuplot(pair):
    """ixlat says so before it measures, and before there is a file."""
    path = pair.rig.path("plot.svg")
    done = pair.left.run("/usr/bin/env", f"PATH={pair.rig.scratch}", r.IXLAT, "udp", r.RIGHT_V4, "--plot",
                         path, check=False)
    assert done.returncode == 1
    assert "gnuplot-nox" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not os.path.exists(path)


def test_plot_that_fails(pair, runs):
    """ixlat prints what gnuplot said. The old picture stays."""
    fake, path = pair.rig.path("gnuplot"), pair.rig.path("plot.svg")
    with open(path, "w", encoding="ascii") as file:
        file.write("before")
    for script in ("echo out of ink >&2; exit 1", "echo out of ink >&2"):
        with open(fake, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(fake, 0o755)
        done = pair.left.run("/usr/bin/env", f"PATH={pair.rig.scratch}", r.IXLAT, "compare", *runs, "--plot",
                             path, check=False)
        assert done.returncode == 1 and "out of ink" in done.stderr
        with open(path, encoding="ascii") as file:
            assert file.read() == "before"


@pytest.mark.parametrize("words", [["--plot", "plot.svg"], ["--plot", "no/such/folder.svg"],
                                   ["--json", "no/such/folder.json"],
                                   ["--json", "new.json", "--plot", "plot.svg"]])
def test_comparison_without_its_extras(pair, runs, words):
    """The table and the other file are there, although gnuplot or a folder is not."""
    words = [word if word.startswith("--") else pair.rig.path(word) for word in words]
    plain = pair.ixlat("compare", *runs).stdout
    done = pair.left.run("/usr/bin/env", f"PATH={pair.rig.scratch}", r.IXLAT, "compare", *runs, *words,
                         check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == plain
    assert os.path.exists(pair.rig.path("new.json")) == (pair.rig.path("new.json") in words)
    assert not os.path.exists(pair.rig.path("plot.svg"))


def on_terminal(*words):
    """Runs a command on a terminal, and returns what it writes."""
    master, slave = pty.openpty()
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=slave,
                          stderr=slave, env=r.environment(TERM="xterm", NO_COLOR="")) as process:
        os.close(slave)
        shown = b""
        try:
            while select.select([master], [], [], r.DEADLINE_S)[0]:
                part = os.read(master, 65536)
                shown += part
                if not part:
                    break
        except OSError:  # EIO: the other end is closed
            pass
        finally:
            os.close(master)
        assert process.wait(r.DEADLINE_S) == 0
    return shown.decode()


def test_terminal(pair):
    """Colours, and progress from the third second on, which is wiped at the end."""
    pair.reflect("udp")
    short = on_terminal(*pair.left.words(r.IXLAT, "udp", r.RIGHT_V4, "--count", 20))
    assert "\033[1m" in short and "answered" not in short
    shown = on_terminal(*pair.left.words(r.IXLAT, "udp", r.RIGHT_V4, "--rate", 100, "--duration", 3))
    assert re.search(r"\r *\d+ %  \d+ sent, \d+ answered, \d+ s\033\[K", shown)
    assert "\r\033[K" in shown[shown.rindex("answered"):]


# ---- compare

def result(**changes):
    """A result with what compare needs: 1000 times from 1 to 1000 ns."""
    run = {"label": "made", "mode": "udp", "rate_hz": 0.0, "size_bytes": 64, "transactions_per_s": 100.0,
           "lost": 0, "rtt": {"histogram": encode([0] + [1] * 1000)}}
    run.update(changes)
    return run


def write(rig, name, content):
    path = rig.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return path


def compare(*words, check=True):
    return r.run(r.IXLAT, "compare", *words, check=check)


def test_compare(pair, runs):
    svg, out = pair.rig.path("both.svg"), pair.rig.path("out.json")
    shown = compare(*runs, "--plot", svg, "--json", out).stdout
    for part in ("A  first", "B  udp 192.0.2.2", "p99.99", "per second", "differ in size_bytes",
                 "differ in rate_hz"):
        assert part in shown
    assert {"first", "udp 192.0.2.2"} <= set(texts_in(svg))
    with open(out, encoding="utf-8") as file:
        compared = json.load(file)
    with open(runs[1], encoding="utf-8") as file:
        second = json.load(file)
    assert compared["base"] == "first"
    assert set(compared["runs"][0]["ratio"].values()) == {1.0}
    assert compared["runs"][1]["rtt_ns"]["p99"] == second["rtt"]["p99_ns"]


def test_ratios(rig):
    """All times are twice as long, in a histogram with 4 digits. Wrong numbers beside one are not used."""
    base = write(rig, "base", result(rtt={"histogram": encode([0] + [1] * 1000), "p50_ns": 77}))
    slow = write(rig, "slow", result(label="slow", lost=3, transactions_per_s=50, rtt={
        "histogram": encode([0, 0] + [1, 0] * 1000, digits=4)}))
    compared = json.loads(compare(base, slow, "--json", "-").stdout)
    assert compared["runs"][0]["rtt_ns"] == {"min": 1, "p50": 500, "p90": 900, "p99": 990, "p99.9": 999,
                                             "p99.99": 1000, "max": 1000, "mean": 500.5}
    assert set(compared["runs"][1]["ratio"].values()) == {2.0}
    assert compared["runs"][1]["lost"] == 3
    shown = compare(base, slow).stdout
    assert re.search(r"p50 +0\.50 +1\.00 +x 2\.000", shown), shown
    assert re.search(r"per second +100\.00 +50\.00 +x 0\.500", shown), shown


BAD = {
    "nothing": "",
    "no JSON": "ixlat",
    "cut": '{"label": "x", ',
    "an array": "[]",
    "a number": "5",
    "an empty object": {},
    "a key twice": '{"label": "a", "label": "b"}',
    "no label": result(label=None),
    "label a number": result(label=5),
    "lost a text": result(lost="0"),
    "rate a text": result(rate_hz="0"),
    "no rtt": result(rtt=None),
    "rtt a text": result(rtt="x"),
    "no histogram": result(rtt={"p50_ns": 5}),
    "histogram a number": result(rtt={"histogram": 5}),
    "no base64": result(rtt={"histogram": "ä!!"}),
    "another thing": result(rtt={"histogram": base64.b64encode(b"x" * 100).decode()}),
    "empty": result(rtt={"histogram": encode([])}),
    "more counters than there are": result(rtt={"histogram": encode([-(1 << 40), 1])}),
    "the widest gap": result(rtt={"histogram": encode([-(1 << 62)])}),
    "more than a number holds": result(rtt={"histogram": encode([(1 << 62) - 1] * 9)}),
    "five digits": result(rtt={"histogram": encode([1], digits=5, highest=(1 << 63) - 1)}),
    "no digits": result(rtt={"histogram": encode([1], digits=0)}),
    "many digits": result(rtt={"histogram": encode([1], digits=0xFFFFFFFF)}),
    "lowest 0": result(rtt={"histogram": encode([1], lowest=0)}),
    "lowest negative": result(rtt={"histogram": encode([1], lowest=-1)}),
    "lowest above highest": result(rtt={"histogram": encode([1], lowest=1 << 50)}),
    "a bomb": result(rtt={"histogram": base64.b64encode(struct.pack(">II", 0x1C849314, 0) +
                                                        zlib.compress(bytes(64 << 20))).decode()}),
    "a bomb of the right length": result(rtt={"histogram": (lambda packed: base64.b64encode(
        struct.pack(">II", 0x1C849314, len(packed)) + packed).decode())(zlib.compress(bytes(64 << 20)))}),
}


@pytest.mark.parametrize("bad", BAD)
def test_compare_refuses(rig, bad):
    good, path = write(rig, "good", result()), write(rig, "bad", BAD[bad])
    for files in ((good, path), (path, good)):
        done = compare(*files, check=False)
        assert done.returncode == 1, done.stdout
        assert len(done.stderr.splitlines()) == 1 and path in done.stderr
        assert done.stdout == ""


def test_compare_missing_file(rig):
    for path in (rig.path("missing"), rig.scratch):
        done = compare(write(rig, "good", result()), path, check=False)
        assert done.returncode == 1 and path in done.stderr


def test_compare_shows_no_escapes(rig):
    path = write(rig, "a", result(label="\033[31mred\nline\u009b32mgr\u00fcn", mode="\033[2J"))
    shown = compare(path, path).stdout
    assert "\033" not in shown and "\\x1b[31mred" in shown
    assert "\u009b" not in shown and "32mgr\u00fcn" in shown
