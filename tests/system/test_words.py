# SPDX-License-Identifier: MIT
"""Command lines of all kinds, and output that cannot be written."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

import rig as r

PROGRAMS = [r.IXTAPD, r.IXNIC, r.IXTAP, r.IXLAT]
TOOLS = [[os.path.join(r.TOP, "tools", "lab", "lab")], ["/usr/bin/python3", os.path.join(r.TOP, "tools", "demo.py")],
         ["/usr/bin/python3", os.path.join(r.TOP, "tests", "benchmarks", "bench_driver.py")]]
LONG = "x" * 5000


def shell(command, *words, **more):
    """A command line of sh whose "$@" are the words: (exit status, standard error)."""
    done = subprocess.run(["sh", "-c", command, "sh", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, check=False, env=r.environment(), **more)
    return done.returncode, done.stderr.decode()


def name(words):
    return os.path.basename(words[-1] if isinstance(words, list) else words)


# ---- Output that cannot be written ----

@pytest.mark.parametrize("option", ["--help", "--version", "-h", "-V"])
@pytest.mark.parametrize("where, reason", [(">/dev/full", "No space left"), (">&-", "Bad file descriptor")])
@pytest.mark.parametrize("program", PROGRAMS, ids=name)
def test_help_that_cannot_be_written(program, where, reason, option):
    status, said = shell(f'exec "$@" {where}', program, option)
    assert status == 1
    assert said == f"{name(program)}: cannot write to standard output: {said.rpartition(': ')[2]}"
    assert reason in said


@pytest.mark.scripts
@pytest.mark.parametrize("tool", TOOLS, ids=name)
def test_help_of_a_tool_that_cannot_be_written(tool):
    status, said = shell('exec "$@" --help >/dev/full', *tool)
    assert status not in (0, 120) and said.count("\n") == 1 and "No space left" in said, said


@pytest.mark.parametrize("where, reason", [(">/dev/full", "No space left"), (">&-", "Bad file descriptor")])
@pytest.mark.parametrize("words", [["status"], ["stats"], ["-s", "stats"], ["-j", "status"], ["-j", "stats"],
                                   ["stats", "-i", "0.01"], ["-j", "stats", "-i", "0.01"], ["features"],
                                   ["monitor"], ["-j", "monitor"]], ids=" ".join)
def test_an_answer_that_cannot_be_written(rig, words, where, reason):
    nic = rig.daemon(r.IXTAPD, "--netns", rig.namespace("left").name, "--tap", "tap0", "--control",
                     rig.path("control"), "--nic", f"soft:seqpacket:{rig.path('wire')}").wait_ready()
    status, said = shell(f'exec timeout 10 "$@" {where}', r.IXTAP, "-c", rig.path("control"), *words)
    assert status == 1, said
    assert said.count("\n") == 1 and "standard output" in said and reason in said, said
    assert nic.stop() == 0


def test_a_list_that_cannot_be_written(rig):
    tap = f"w{os.getpid()}"
    daemon = rig.daemon(r.IXTAPD, "--netns", rig.namespace("left").name, "--tap", tap, "--nic",
                        f"soft:seqpacket:{rig.path('wire')}").wait_ready()
    for words in (["list"], ["-j", "list"]):
        status, said = shell('exec "$@" >/dev/full', r.IXTAP, *words)
        assert status == 1 and said.count("\n") == 1 and "No space left" in said, said
    assert daemon.stop() == 0


def test_a_reader_that_leaves():
    """As the tools of every day: ended by SIGPIPE, or, where that is ignored, by a line that says why."""
    for program in PROGRAMS:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w", encoding="ascii") as pipe:
            done = subprocess.run([program, "--help"], stdout=pipe, stderr=subprocess.PIPE, check=False)
            assert (done.returncode, done.stderr) == (-13, b"")
            done = subprocess.run(["sh", "-c", 'trap "" PIPE; exec "$0" --help', program], stdout=pipe,
                                  stderr=subprocess.PIPE, check=False)
            assert done.returncode == 1 and b"Broken pipe" in done.stderr, done.stderr


# ---- Words that steer a terminal, or push the reason away ----

@pytest.mark.parametrize("word", [b"--x\x1b[31m", b"--x\xff\xfe", "--x\u009b31m".encode(), b"-\x1b", b"-\xff",
                                  b"--x\nixtapd: forged", b"--help=\x1b[31m"])
@pytest.mark.parametrize("program", PROGRAMS, ids=name)
def test_words_steer_no_terminal(program, word):
    done = subprocess.run([os.fsencode(program), word], capture_output=True, check=False, timeout=60)
    assert done.returncode == 2 and done.stdout == b""
    text = done.stderr.decode()
    assert text.count("\n") == 1 and text.startswith(f"{name(program)}: ") and text.endswith("; see --help\n"), text
    assert not [c for c in text[:-1] if ord(c) < 32 or 127 <= ord(c) < 160], text


LONG_WORDS = [
    (r.IXTAPD, ["--" + LONG], "unrecognized option '--x"),
    (r.IXTAPD, [LONG], "is not an option"),
    (r.IXTAPD, ["--help=" + LONG], "doesn't allow an argument"),
    (r.IXTAPD, ["--tap", LONG], "has more than 15 bytes"),
    (r.IXTAPD, ["--tap", "t", "--mac", LONG], "write it like 02:00:00:00:00:01"),
    (r.IXTAPD, ["--tap", "t", "--nic", f"soft:tap:{LONG}"], "has more than 15 bytes"),
    (r.IXTAPD, ["--tap", "t", "--nic", f"vfio-user:{LONG}"], "is longer than"),
    (r.IXTAPD, ["--tap", "t", "--control", LONG], "is longer than"),
    (r.IXTAPD, ["--tap", "t", "--config", LONG], "too long"),
    (r.IXTAPD, ["--tap", "t", "--config", "/" + LONG[:4000]], "File name too long"),
    (r.IXNIC, ["--socket", LONG, "--wire", "tap:w"], "choose a shorter path"),
    (r.IXNIC, ["--socket", "s", "--wire", "cable:" + LONG], "choose a shorter path"),
    (r.IXNIC, ["--socket", "s", "--wire", "seqpacket:" + LONG], "choose a shorter path"),
    (r.IXNIC, ["--socket", "s", "--wire", "tap:" + LONG], "more than 15 bytes"),
    (r.IXNIC, ["--socket", "s", "--wire", LONG], "use tap:NAME, cable:PATH or seqpacket:PATH"),
    (r.IXNIC, ["--socket", "s", "--wire", "tap:w", "--netns", LONG], "is too long"),
    (r.IXNIC, ["--socket", "s", "--wire", "tap:w", "--mac", LONG], "write it as in"),
    (r.IXNIC, ["--socket", "s", "--wire", "tap:w", "--link", LONG], "is neither up nor down"),
    (r.IXNIC, ["--socket", "s", "--wire", "tap:w", "--pcap", LONG], "File name too long"),
    (r.IXNIC, ["--socket", "x" * 107, "--wire", "cable:" + "x" * 107], "choose two paths"),
    (r.IXNIC, ["--socket", "fd:1" + LONG, "--wire", "tap:w"], "wants a number"),
    (r.IXTAP, [LONG], "is one of list, status, stats, monitor, features"),
    (r.IXTAP, ["status", LONG], "File name too long"),
    (r.IXTAP, ["status", "a", LONG], "is one word too many"),
    (r.IXTAP, ["status", "-c", LONG], "File name too long"),
    (r.IXTAP, ["stats", "-i", LONG], "seconds from 0.01 to 86400"),
    (r.IXTAP, ["features", LONG, "on"], "see ethtool -K"),
    (r.IXTAP, ["features", "rx", LONG], "short words"),
    (r.IXLAT, [LONG], "it is one of udp, tcp, raw, reflect, compare"),
    (r.IXLAT, ["udp", LONG], "not known"),
    (r.IXLAT, ["raw", LONG], "write it like 02:00:00:00:00:01"),
    (r.IXLAT, ["udp", "h", LONG], "is one word too many"),
    (r.IXLAT, ["udp", "h", "--count", "1" * 5000], "is no number of probes"),
    (r.IXLAT, ["udp", "h", "--plot", LONG], "must end in .svg or .png"),
    (r.IXLAT, ["udp", "127.0.0.1", "--json", LONG], "File name too long"),
    (r.IXLAT, ["compare", LONG, LONG], "File name too long"),
]


@pytest.mark.parametrize("program, words, reason", LONG_WORDS,
                         ids=lambda value: name(value) if isinstance(value, str) and "/" in value else "")
def test_the_reason_outlasts_long_words(rig, program, words, reason):
    done = r.run(program, *words, check=False, cwd=rig.scratch)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done.stderr
    assert reason in done.stderr, done.stderr


@pytest.mark.parametrize("program, words", [words[:2] for words in LONG_WORDS],
                         ids=lambda value: name(value) if isinstance(value, str) else "")
def test_long_words_are_cut_between_characters(rig, program, words):
    """Half a character would be shown as \\xHH."""
    for shift in range(3):
        filling = "x" * shift + "\u20ac" * 1300
        done = subprocess.run([program, *(word.replace(LONG[:4000], filling) for word in words)],
                              capture_output=True, check=False, timeout=60, cwd=rig.scratch, env=r.environment())
        text = done.stderr.decode()
        assert done.returncode in (1, 2) and text.count("\n") == 1 and "\\x" not in text, text


@pytest.mark.parametrize("text, reason", [
    (f"mtu = {LONG}\n", ":1: 'x"), (f"{LONG} = 1\n", "there is no option"), (f"address = {LONG}\n", "like 192.0.2.1/24"),
    (f"[{LONG}]\n", "there are no sections"), (f"log-level = {LONG}\n", "error, warning, info or debug")])
def test_the_reason_outlasts_long_lines(rig, text, reason):
    with open(rig.path("long.conf"), "w", encoding="ascii") as config:
        config.write(text)
    done = r.run(r.IXTAPD, "--tap", "tap9", "--config", rig.path("long.conf"), check=False)
    assert done.returncode == 2 and reason in done.stderr and "long.conf:1: " in done.stderr, done.stderr


@pytest.mark.parametrize("program, words", [
    (r.IXTAPD, ["--bogus"]), (r.IXTAPD, ["--tap", "t", "--config", "/no/such"]), (r.IXNIC, []), (r.IXLAT, ["udp"]),
    (r.IXNIC, ["--socket", "/no/such/s", "--wire", "seqpacket:w"]), (r.IXTAP, ["status", "/"])])
def test_failures_have_the_journals_priority(rig, program, words):
    """Whatever says why a unit did not start, 'journalctl -p err' shows it; another stream gets no prefix."""
    with open(rig.path("said"), "w+b") as said, open(rig.path("other"), "w+b") as other:
        st = os.fstat(said.fileno())
        for stream, prefix in ((said, b"<3>"), (other, b"")):
            subprocess.run([program, *words], stdout=subprocess.DEVNULL, stderr=stream, check=False,
                           env=r.environment(JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}"))
            stream.seek(0)
            assert stream.read().startswith(prefix + name(program).encode() + b": ")


# ---- Words that are empty, and numbers ----

@pytest.mark.parametrize("program, words", [
    (r.IXTAP, ["-c", "", "status"]), (r.IXTAP, ["status", ""]), (r.IXTAP, ["stats", "-i", ""]),
    (r.IXTAP, ["features", "", "on"]),
    *[(r.IXNIC, [*before, option, ""]) for option in ("--socket", "--wire", "--netns", "--mac", "--link", "--control",
                                                      "--pcap", "--log-level")
      for before in [["--socket", "s", "--wire", "tap:w"]]],
    *[(r.IXNIC, ["--socket", "s", "--wire", wire]) for wire in ("tap:", "cable:", "seqpacket:")],
    *[(r.IXTAPD, ["--tap", "t", option, ""]) for option in (
        "--tap", "--nic", "--netns", "--mac", "--mtu", "--address", "--queues", "--poll", "--coalesce", "--config",
        "--control", "--log-level", "--rx-checksum")],
    *[(r.IXTAPD, ["--tap", "t", "--nic", nic]) for nic in ("soft:", "soft:tap:", "soft:cable:", "soft:seqpacket:",
                                                           "vfio:", "vfio-user:")],
    *[(r.IXLAT, ["udp", "h", option, ""]) for option in ("--json", "--hgrm", "--plot", "--label", "--port", "--rate",
                                                         "--count", "--duration", "--size", "--timeout", "--warmup")],
    (r.IXLAT, ["udp", ""]), (r.IXLAT, ["raw", "02:00:00:00:00:01", "--interface", ""]),
    (r.IXLAT, ["reflect", "udp", "--listen", ""]), (r.IXLAT, [""]), (r.IXLAT, ["reflect", ""]),
])
def test_empty_words(rig, program, words):
    done = r.run(program, *words, check=False, cwd=rig.scratch)
    assert done.returncode == (1 if words == ["status", ""] else 2), done.stderr
    assert done.stderr.count("\n") == 1 and "connect" not in done.stderr, done.stderr


@pytest.mark.parametrize("words, reason", [
    (["features", "rx", "off", "extra"], "'extra' is one word too many"),
    (["features", "tap0", "rx", "off", "extra"], "'extra' is one word too many"),
    (["-c", "s", "features", "rx", "off", "extra"], "'extra' is one word too many"),
    (["features", "tap0", "rx"], "say which"),
    (["features", "gro", "off"], "'gro' can't be set here"),
    (["features", "tap0", "gro", "off"], "'gro' can't be set here"),
    (["status", "tap0", "extra"], "'extra' is one word too many"),
    (["nic", "-c", "s", "dma", "read", "0", "4", "extra"], "'extra' is one word too many"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_too_many_words_and_too_few(words, reason):
    """What is wrong is the word that is too many, not one that stands where it may."""
    done = r.run(r.IXTAP, *words, check=False)
    assert done.returncode == 2 and reason in done.stderr, done.stderr


BAD_NUMBERS = ["", " 1", "1 ", "+1", "-1", "0x1", "0x1p3", "1e", "e1", "1e+", "1e1.5", "1e999", "1.", ".5", "1.5.", "1,5", "inf", "nan", "infinity",
               "NAN(1)", "1_0", "\u0661", "1\n", "99999999999999999999999999", "1" * 400]


@pytest.mark.parametrize("program, words", [
    *[(r.IXTAPD, ["--tap", "t", option]) for option in ("--mtu", "--queues")],
    *[(r.IXLAT, ["udp", "h", option]) for option in ("--rate", "--duration", "--port", "--count", "--warmup", "--size",
                                                     "--timeout")],
    (r.IXTAP, ["stats", "-i"]),
], ids=lambda value: value[-1] if isinstance(value, list) else name(value))
def test_bad_numbers(program, words):
    for number in BAD_NUMBERS:
        done = r.run(program, *words, number, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, (number, done.stderr)


def test_bad_numbers_of_descriptors(rig):
    for number in (" 0", "+0", "0x0", "0 ", "-0", ""):
        done = r.run(r.IXNIC, "--socket", f"fd:{number}", "--wire", f"seqpacket:{rig.path('wire')}", check=False)
        assert done.returncode == 2 and "wants a number" in done.stderr, done.stderr


@pytest.mark.scripts
@pytest.mark.parametrize("tool, option", [(TOOLS[0], "--deadline"), (TOOLS[1], "--seconds"), (TOOLS[2], "--frames")],
                         ids=lambda value: name(value))
def test_bad_numbers_of_tools(tool, option):
    scenario = ["vfio"] if option == "--deadline" else []
    for number in (" 1", "+1", "1_0", "\u0661", "0", "1e1", "9" * 30):
        done = r.run(*tool, *scenario, option, number, check=False)
        assert done.returncode == 2 and option in done.stderr, done.stderr


def test_bad_numbers_on_the_control_socket(rig):
    rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--control", rig.path("control"), "--wire",
               f"seqpacket:{rig.path('wire')}").wait_ready()
    for words in ("read +0 1", "read 0 +1", "read 0 0x", "read -1 1", "read 0 1x", "read 0 0x+1", "read 0 99999999999999999999"):
        assert "not understood" in r.ask(rig.path("control"), f"dma {words}")["error"]
    assert "there is no client" in r.ask(rig.path("control"), "dma read 0x1F 010")["error"]


# ---- A daemon that is none ----

HUGE = 9223372036854775807
WORST = [{"event": "x" * 3000, "time": time, "uptime_s": i, "nic": {"rx_bytes": (-1) ** i * HUGE, "rx_missed_errors": HUGE},
          "bridge": {"rx_drop_runt": (-1) ** i * HUGE, "wakeups": -HUGE, "tx_drop_x": HUGE},
          "queues": [{"queue": HUGE, "rx_received": HUGE}] * 20, "tap": {"name": "\u009b31m\x7f" + "y" * 3000}}
         for i, time in enumerate([1e300, -1e300, -0.5, HUGE, -HUGE, 1e15, 1e17])]


@pytest.mark.parametrize("words", [["stats", "-i", "0.01"], ["-s", "stats", "-i", "0.01"], ["monitor"], ["-j", "monitor"],
                                   ["status"], ["-j", "status"], ["stats"], ["features"]], ids=" ".join)
def test_worst_answers(rig, words):
    """Nothing overflows, each line has its end, and nothing steers a terminal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(rig.path("fake"))
        listener.listen()

        def serve():
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):  # it has what it asked for
                for answer in WORST:
                    if "monitor" not in words or answer is WORST[0]:
                        peer.recv(4096)
                    peer.send(json.dumps(answer, ensure_ascii=False).encode())

        server = threading.Thread(target=serve)
        server.start()
        done = r.run(r.IXTAP, "-c", rig.path("fake"), *words, check=False)
        server.join()
    assert done.returncode == (1 if "monitor" in words or "-i" in words else 0), done.stderr
    assert not [c for c in done.stdout if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160], done.stdout
    if "monitor" in words:
        assert len(done.stdout.splitlines()) == len(WORST)
        assert "-j" in words or all(line.count("x" * 3000) == 1 for line in done.stdout.splitlines())


def test_a_list_of_any_bytes(rig):
    tap = os.fsdecode(b"b\xfcro") + str(os.getpid() % 10000)
    daemon = rig.daemon(r.IXTAPD, "--netns", rig.namespace("left").name, "--tap", tap, "--nic",
                        f"soft:seqpacket:{rig.path('wire')}").wait_ready()
    done = subprocess.run([r.IXTAP, "-j", "list"], capture_output=True, check=False)
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert f"b\\xfcro{tap[4:]}" in [row["name"] for row in rows]
    assert daemon.stop() == 0


# ---- Remedies ----

@pytest.mark.parametrize("program", [r.IXTAPD, r.IXNIC], ids=name)
def test_a_name_that_is_no_namespace(rig, program):
    """A capability would not help: the name is the place of a mount that is gone."""
    space = f"ixt-file-{os.getpid()}"
    with open(f"/run/netns/{space}", "x", encoding="ascii"):
        pass
    try:
        words = ["--tap", "t", "--control", rig.path("control")] if program == r.IXTAPD else \
            ["--socket", rig.path("nic"), "--wire", "tap:w"]
        done = r.run(program, *words, "--netns", space, check=False)
    finally:
        os.unlink(f"/run/netns/{space}")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "no network namespace" in done.stderr and "CAP_" not in done.stderr, done.stderr


@pytest.mark.parametrize("folder, part", [("gone", "must exist"), ("file", "must exist")])
def test_the_remedy_fits_the_reason(rig, folder, part):
    with open(rig.path("file"), "w", encoding="ascii"):
        pass
    done = r.run(r.IXNIC, "--wire", f"seqpacket:{rig.path('wire')}", "--socket", f"{rig.path(folder)}/nic", check=False)
    assert done.returncode == 1 and part in done.stderr and "ours" not in done.stderr, done.stderr


# ---- What a software NIC says at its end ----

def fake_ixnic(rig, script):
    """ixtapd with a script in place of ixnic: (exit status, its lines)."""
    with open(rig.path("ixtapd"), "wb") as copy, open(r.IXTAPD, "rb") as program:
        copy.write(program.read())
    with open(rig.path("ixnic"), "w", encoding="ascii") as nic:
        nic.write(f"#!/bin/sh\n{script}\n")
    for path in ("ixtapd", "ixnic"):
        os.chmod(rig.path(path), 0o755)
    place = rig.namespace("left")
    # A maker executes no script.
    done = place.run(rig.path("ixtapd"), "--isolation", "off", "--tap", "tap0", "--control", rig.path("control"),
                     check=False)
    return done.returncode, done.stderr.splitlines()


NOISE = "echo \"ERROR: ld.so: object 'x' from LD_PRELOAD cannot be preloaded: ignored.\" >&2"


@pytest.mark.parametrize("script, last", [
    (f"{NOISE}; echo 'ixnic: error: the cause' >&2; exit 1", "software NIC: the cause"),
    ("echo >&2; echo 'ixnic: warning: of something' >&2; echo 'ixnic: error: the cause' >&2; exit 1",
     "software NIC: the cause"),
    ("echo 'ixnic: error: first' >&2; echo 'ixnic: error: the cause' >&2; echo tail >&2; exit 1",
     "software NIC: the cause"),
    ("echo 'ixnic: --wire: the cause' >&2; exit 2", "software NIC: --wire: the cause"),
    (f"{NOISE}; exit 3", "the software NIC exited with status 3 and did not say why"),
    ("kill -KILL $$", "the software NIC was killed by signal 9 and did not say why"),
])
def test_why_a_software_nic_ended(rig, script, last):
    """The reason is its own last error, whatever libraries and warnings come before or behind."""
    status, lines = fake_ixnic(rig, script)
    assert status == 1 and lines[-1].startswith(f"ixtapd: error: {last}"), lines
    assert ("LD_PRELOAD" in script) == any("LD_PRELOAD" in line for line in lines[:-1]), lines
