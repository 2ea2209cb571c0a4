# SPDX-License-Identifier: MIT
"""What programs read and print as text: configuration files, tables, lists, and what the manual pages say of
them."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import termios
import threading

import pytest

import rig as r


# ---- The configuration file ----

@pytest.mark.parametrize("columns", [100, 200, 300, 4096, 8200, 100000])
def test_comment_of_any_length(rig, columns):
    """What ends a long comment is not obeyed, and a fault behind it has its own line's number."""
    comment = "# persist = yes".rjust(columns, "#")
    with open(rig.path("long.conf"), "w", encoding="ascii") as config:
        config.write(f"{comment}\ncoalesce = off {comment}\n")
    bridge = rig.bridge("--config", rig.path("long.conf"), connected=False)
    assert bridge.ask("status")["tap"]["persist"] is False
    with open(rig.path("bad.conf"), "w", encoding="ascii") as config:
        config.write(f"{comment}\nmtu = many\n")
    done = r.run(r.IXTAPD, "--tap", "tap9", "--config", rig.path("bad.conf"), check=False)
    assert done.returncode == 2
    assert f"{rig.path('bad.conf')}:2: " in done.stderr, done.stderr


def test_folder_of_drop_ins(rig):
    """FILE.d/*.conf in the order of their names; a later file replaces, the command line replaces all."""
    os.mkdir(rig.path("tap.conf.d"))
    for name, text in {"tap.conf": "poll = busy\npersist = yes\nqueues = 3\n",
                       "tap.conf.d/50-last.conf": "\ufeffpoll = interrupt\r\n",
                       "tap.conf.d/10-first.conf": "poll = adaptive\npersist = no",
                       "tap.conf.d/99-no.conf.bak": "persist = yes\n"}.items():
        with open(rig.path(name), "w", encoding="utf-8", newline="") as config:
            config.write(text)
    bridge = rig.bridge("--queues", "2", "--config", rig.path("tap.conf"), connected=False)
    status = bridge.ask("status")
    assert (status["poll"], status["tap"]["persist"], len(status["queues"])) == ("interrupt", False, 2)


def test_faults_in_a_file_steer_no_terminal(rig):
    with open(rig.path("bad.conf"), "wb") as config:
        config.write("tap = a\ncolour\u009b31m = red\n".encode())
    done = r.run(r.IXTAPD, "--config", rig.path("bad.conf"), check=False)
    assert done.returncode == 2
    assert ":2: there is no option 'colour\\xc2\\x9b31m'" in done.stderr, done.stderr


# ---- Rates ----

class Impostor:
    """A control socket that gives each request the next of the answers, and then hangs up."""

    def __init__(self, path, answers):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen()
        self.answers = answers
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        peer, _ = self.listener.accept()
        with peer:
            for answer in self.answers:
                peer.recv(4096)
                peer.send(json.dumps(answer).encode())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def stats(uptime_s, second, nic=None, **bridge):
    """What ixtapd answers to `stats`."""
    return {"time": second, "uptime_s": uptime_s, "nic": nic or {}, "bridge": bridge, "queues": []}


def test_rates_while_the_clock_is_set(rig):
    """A second is a second, whatever becomes of the wall clock."""
    wall = [1e9, 1e9 - 3600, 1e9 + 86400, 1e9 + 86400, 1e9 + 86400.001]
    answers = [stats(10 + i, wall[i], {"rx_bytes": i * 125_000_000, "tx_packets": i * 1000},
                     wakeups=i * 50) for i in range(len(wall))]
    for words, part in ((["-i", "0.01"], "1.00 Gbit/s"), (["-s", "-i", "0.01"], "125 M/s")):
        os.path.exists(rig.path("clock")) and os.unlink(rig.path("clock"))
        with Impostor(rig.path("clock"), answers):
            done = r.run(r.IXTAP, "-c", rig.path("clock"), "stats", *words, check=False)
        assert done.returncode == 1
        assert done.stdout.count(part) == len(wall) - 1, done.stdout


def test_uptime_measures_short_intervals(bridge):
    """Rates of 10 ms are worth something: the uptime has microseconds."""
    assert any(round(bridge.ask("stats")["uptime_s"] * 1e6) % 1000 for _ in range(5))


def test_numbers_of_json_have_no_noise(bridge):
    """No more than six digits behind the point: what comes of binary fractions is not printed."""
    for words in (["status"], ["stats"]) * 10:
        shown = r.run(r.IXTAP, "-j", "-c", bridge.control, *words).stdout
        assert not re.search(r"\d\.\d{7}", shown), shown


# ---- Terminals ----

def on_terminal(columns, *words):
    """The lines that a command writes to a terminal of so many columns, without colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=slave,
                          stderr=subprocess.PIPE, env=r.environment(TERM="xterm")) as process:
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
        process.wait(r.DEADLINE_S)
    return re.sub("\033\\[[0-9;]*m", "", shown.decode()).replace("\r", "").splitlines()


def large_stats(i):
    """The widest of each: counts and rates of a busy port with 16 queues."""
    counters = {name: i * (10 ** 10 - 1) for name in
                ("rx_received", "rx_delivered", "tx_drop_bad_vnet_header", "wakeups", "rx_csum_bad",
                 "tx_csum_software", "tx_ring_full")}
    answer = stats(10 + i, 1e9 + i, {"rx_bytes": i * 1_249_999_999, "tx_bytes": i * 1_249_999_999,
                                     "rx_packets": i * 14_880_000, "tx_packets": i * 14_880_000,
                                     "rx_csum_offload_errors": i * 10 ** 9}, **counters)
    answer["queues"] = [{"queue": queue, **counters} for queue in range(16)]
    return answer


@pytest.mark.parametrize("columns, hidden", [(200, []), (80, []), (77, ["wake-ups"]),
                                             (44, ["wake-ups", "rx frames", "tx frames", "lost"])])
def test_rates_fit_the_terminal(rig, columns, hidden):
    with Impostor(rig.path("busy"), [large_stats(i) for i in range(1, 4)]):
        lines = on_terminal(columns, r.IXTAP, "-c", rig.path("busy"), "stats", "-i", "0.01")
    assert len(lines) == 3 and max(map(len, lines)) <= columns
    for head in ("time", "rx", "rx frames", "tx", "tx frames", "lost", "wake-ups"):
        assert bool(re.search(rf"  {head}(  |$)", f"  {lines[0]}")) == (head not in hidden), lines[0]
    assert lines[1].count("10.0 Gbit/s") == 2


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("words", [["stats"], ["-s", "stats"], ["-s", "stats", "-i", "0.01"]],
                         ids=" ".join)
def test_tables_fit_the_terminal(rig, columns, words):
    count = 2 if "-i" in words else 1
    with Impostor(rig.path("busy"), [large_stats(i + 1) for i in range(count)]):
        lines = on_terminal(columns, r.IXTAP, "-c", rig.path("busy"), *words)
    assert [line for line in lines if len(line) > columns or line != line.rstrip()] == []
    queues = " ".join(line for line in lines if line.startswith("queues")).replace("queues", "")
    assert queues.split() == [str(queue) for queue in range(16)], "every queue has a column"
    text = " ".join(" ".join(lines).split())
    whole = "in which the NIC found a wrong IPv4 or TCP checksum; the kernel judges them" in text
    assert whole == (columns == 80 and count == 1), "no room for words: none, not half of them"


def test_a_pipe_has_no_width(rig):
    """Programs read a counter a line."""
    with Impostor(rig.path("busy"), [large_stats(1)]):
        shown = r.run(r.IXTAP, "-c", rig.path("busy"), "stats").stdout
    assert "frames in which the NIC found a wrong IPv4 or TCP checksum; the kernel judges them\n" in shown
    assert len(re.findall("^queues", shown, re.M)) == 1


def test_status_fits_the_terminal(bridge):
    lines = on_terminal(80, r.IXTAP, "-c", bridge.control, "status")
    assert lines[0].startswith("tap0: running") and max(map(len, lines)) <= 80


def test_comparison_fits_the_terminal(rig):
    place, path = rig.namespace("left"), rig.path("run.json")
    rig.daemon(*place.words(r.IXLAT, "reflect", "udp", "--listen", "127.0.0.1")).wait_ready()
    place.run(r.IXLAT, "udp", "127.0.0.1", "--count", "20", "--json", path)
    for columns in (80, 50):
        lines = on_terminal(columns, r.IXLAT, "compare", *[path] * 8)
        heads = [line for line in lines if line.split()[:2] == ["us", "A"]]
        assert re.findall("([B-H]) / A", " ".join(heads)) == list("BCDEFGH")
        assert max(len(line) for line in lines[8:]) <= columns
    assert max(map(len, r.run(r.IXLAT, "compare", *[path] * 8).stdout.splitlines())) > 160


@pytest.mark.parametrize("program", [r.IXTAPD, r.IXNIC, r.IXTAP, r.IXLAT], ids=os.path.basename)
def test_help_fits_the_terminal(program):
    lines = on_terminal(80, program, "-h")
    assert len(lines) > 10 and max(map(len, lines)) <= 80


# ---- Rings, and who runs ----

def test_rings(bridge):
    """ethtool -g has no rings of a TAP."""
    rings = bridge.ask("status")["rings"]
    for name, register in (("rx", "RDLEN"), ("tx", "TDLEN")):
        assert bridge.register(register, 0) == rings[name] * 16
    shown = r.run(r.IXTAP, "-c", bridge.control, "status").stdout
    assert f"receive {rings['rx']}, transmit {rings['tx']} descriptors" in shown


def listed(*words):
    return r.run(r.IXTAP, *words, "list")


def test_list(rig):
    """A row for each ixtapd in /run/ixtap: not for what a killed one left, nor for another's socket."""
    names = [f"l{os.getpid()}{letter}" for letter in "ab"]
    place = rig.namespace("left")
    daemons = [rig.daemon(r.IXTAPD, "--netns", place.name, "--tap", name, "--nic",
                          f"soft:seqpacket:{rig.path(name)}").wait_ready() for name in names]
    place.run("ip", "link", "set", names[1], "name", f"{names[1]}x")
    r.wait_for(lambda: f"renamed to {names[1]}x" in listed().stdout, "the list has the new name")
    rows = {row.split()[0]: row.split() for row in listed().stdout.splitlines()}
    for name, daemon in zip(names, daemons, strict=True):
        assert rows[name][1] == "down" and rows[name][2] == str(daemon.pid)
        assert rows[name][3].startswith(f"soft:seqpacket:{rig.path(name)}")
    assert rows["name"] == ["name", "state", "pid", "NIC"]
    objects = {row["name"]: row["status"] for row in map(json.loads, listed("-j").stdout.splitlines())}
    assert [objects[name]["pid"] for name in names] == [daemon.pid for daemon in daemons]
    daemons[0].kill()
    assert names[0] not in listed().stdout and names[1] in listed().stdout
    assert daemons[1].stop() == 0
    os.unlink(f"/run/ixtap/{names[0]}.sock")
    with contextlib.suppress(FileNotFoundError):  # its NIC had the time to tidy up, or not
        os.unlink(f"/run/ixtap/{names[0]}.sock.nic")
    assert not any(name in listed().stdout + listed("-j").stdout for name in names)


@pytest.mark.parametrize("words", [["list", "tap0"], ["-c", "/tmp/x", "list"], ["-i", "1", "list"]])
def test_list_usage(words):
    done = r.run(r.IXTAP, *words, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and not done.stdout


# ---- NetworkManager ----

# NetworkManager and its bus, in a world of their own; `run` waits for a command to succeed.
WORLD = """
mount --make-rprivate / && for each in /run /etc/NetworkManager /var/lib/NetworkManager; do
    mount -t tmpfs tmpfs $each; done
mkdir -p /run/dbus /etc/NetworkManager/system-connections
printf '[main]\\nplugins=keyfile\\nauth-polkit=root-only\\n' >/etc/NetworkManager/NetworkManager.conf
mount -o remount,ro /sys    # there is no udev to wait for
dbus-daemon --system --nopidfile --fork --print-pid >$DIR/bus
trap 'kill $nm $(cat $DIR/bus)' EXIT
NetworkManager --no-daemon 2>$DIR/nm & nm=$!
run() { for try in $(seq 200); do "$@" >$DIR/said 2>&1 && return; sleep 0.05; done; cat $DIR/said $DIR/nm; exit 1; }
run nmcli device
"""


def profile(text):
    """The words of the nmcli line in a text."""
    line = re.search(r"nmcli connection add (?:.*\\(?:e)?\n)*.*", text)[0]
    return re.sub(r"\\e?\n", " ", line).split()


@pytest.mark.parametrize("first", ["ixtapd", "NetworkManager"])
def test_network_manager(rig, first):
    """The profile of README and of ixtapd(8) works, whoever comes first; an Ethernet profile does not."""
    # Not in tools/packages: where systemd runs, installing NetworkManager starts it.
    if not all(map(shutil.which, ("NetworkManager", "nmcli", "dbus-daemon"))):
        pytest.skip("NetworkManager or dbus-daemon is not installed")
    with open(os.path.join(r.TOP, "README.md"), encoding="utf-8") as readme, \
            open(os.path.join(r.TOP, "man/ixtapd.8"), encoding="utf-8") as page:
        words = profile(readme.read())
        assert words == profile(page.read())
    place = rig.namespace("left")

    def start():
        return rig.daemon(*place.words(r.IXTAPD, "--tap", "tap0", "--persist", "--control",
                                       rig.path("control"), "--nic", "soft:tap:wire0")).wait_ready()

    add = f"run {' '.join(words)}\n"
    ethernet = "nmcli connection add type ethernet ifname tap0 con-name e && ! nmcli connection up e || exit 1\n"
    if first == "ixtapd":
        daemon = start()
        place.run("bash", "-c", f"DIR={rig.scratch}; {WORLD}{ethernet}{add}run nmcli connection up tap0")
    else:
        place.run("bash", "-c", f"DIR={rig.scratch}; {WORLD}{add}run ip link show dev tap0 up")
        daemon = start()
    assert "192.0.2.1/24" in place.run("ip", "address", "show", "dev", "tap0").stdout
    assert r.ask(rig.path("control"), "status")["tap"]["up"]
    assert daemon.stop() == 0
    assert "192.0.2.1/24" in place.run("ip", "address", "show", "dev", "tap0").stdout


# ---- The tools ----

CONTAINED = os.path.join(r.TOP, "tools", "contained.py")
LEFT_BEHIND = """
import os, sys
for name in (b"\\xff\\xfe", b"two\\nlines", "b\u00fcro".encode(), b"a\\\\b", b"\\xc2\\x9b"):
    open(b"/run/left-" + name, "w").close()
"""


@pytest.mark.scripts
@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "de_DE.ISO-8859-1"])
def test_what_is_left_behind_is_told_whatever_its_name(rig, locale):
    """A thing a line, written as the programs write names."""
    with open(rig.path("leave.py"), "w", encoding="utf-8") as script:
        script.write("# -*- coding: utf-8 -*-" + LEFT_BEHIND)
    done = r.run("env", f"LC_ALL={locale}", "/usr/bin/python3", CONTAINED, rig.path("report"), "/usr/bin/python3",
                 rig.path("leave.py"))
    assert (done.stdout, done.stderr) == ("", "")
    with open(rig.path("report"), encoding="utf-8") as report:
        assert set(report.read().splitlines()) == {
            f"file /run/left-{shown}" for shown in ("\\xff\\xfe", "two\\x0alines", "b\u00fcro", "a\\x5cb", "\\xc2\\x9b")}


@pytest.mark.scripts
@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
@pytest.mark.parametrize("module, lines", [
    ("demo", "s.line(demo.command('printf', r'b\\374ro'))"), ("lab", "s.line(lab.command('printf', r'b\\374ro'))")])
def test_tools_tell_any_bytes(locale, module, lines):
    """What programs say, and words of the command line, reach the screen whatever the locale."""
    code = f"import contained, {module}, sys; contained.speak_to_any(); s = {module}.Screen(); {lines}; s.line(sys.argv[1])"
    done = subprocess.run(["/usr/bin/python3", "-c", code, b"a\xfc\xe2\x82\xac"], capture_output=True, check=False,
                          env=r.environment(LC_ALL=locale, PYTHONPATH=":".join(
                              os.path.join(r.TOP, "tools", *folder) for folder in ((), ("lab",)))))
    assert done.returncode == 0, done.stderr
    told, word = done.stdout.splitlines()
    assert told == b"b\\xfcro" and word.startswith(b"a\\udcfc"), done.stdout
