# SPDX-License-Identifier: MIT
"""ixlat between two namespaces, against reflectors of ours that misbehave, and with bad files.

      left                  right
    +--------------+      +--------------+
    | veth-l       |======| veth-r       |
    | 192.0.2.1/24 |      | 192.0.2.2/24 |
    +--------------+      +--------------+
     ixlat udp|tcp|raw     ixlat reflect, or a thread of the test
"""
import base64
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree
import zlib

import pytest

import rig as r

LEFT_MAC, RIGHT_MAC = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
PORT = 8259
# struct probe of tools/ixlat/probe.h
PROBE = struct.Struct(">4sBBHIIQQQ")
REQUEST, ANSWER = 1, 2
TIMES_NS = ("min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns")


# ---- HdrHistogram's encoding, written anew here

def decode(text):
    """{lowest value that the counter stands for: count}"""
    outer = base64.b64decode(text)
    cookie, length = struct.unpack_from(">II", outer)
    assert cookie == 0x1C849314 and length == len(outer) - 8
    inner = zlib.decompress(outer[8:])
    cookie, length, offset, digits, lowest, _, factor = struct.unpack_from(">IIIIqqd", inner)
    assert (cookie, length, offset, digits, lowest, factor) == (0x1C849313, len(inner) - 40, 0, 3, 1, 1)
    values, index, at = {}, 0, 40
    while at < len(inner):
        zigzag = shift = 0
        while True:
            byte = inner[at]
            at += 1
            zigzag |= (byte if shift == 56 else byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift == 63:
                break
        number = (zigzag >> 1) ^ -(zigzag & 1)
        if number < 0:
            index -= number
        else:
            doubling = max(index // 1024 - 1, 0)
            if number:
                values[(index - doubling * 1024) << doubling] = number
            index += 1
    return values


def encode(counts, digits=3, lowest=1, highest=1 << 40):
    """The histogram with these counters, from the first."""
    inner = b""
    for count in counts:
        zigzag = count << 1 if count >= 0 else (-count << 1) - 1
        while zigzag > 0x7F:
            inner += bytes([zigzag & 0x7F | 0x80])
            zigzag >>= 7
        inner += bytes([zigzag])
    inner = struct.pack(">IIIIqqd", 0x1C849313, len(inner), 0, digits, lowest, highest, 1) + inner
    packed = zlib.compress(inner)
    return base64.b64encode(struct.pack(">II", 0x1C849314, len(packed)) + packed).decode()


# ---- Two ends

class Pair:
    def __init__(self, rig):
        self.rig = rig
        self.left, self.right = rig.namespace("left"), rig.namespace("right")
        self.left.run("ip", "link", "add", "veth-l", "address", LEFT_MAC, "type", "veth", "peer",
                      "name", "veth-r", "address", RIGHT_MAC, "netns", self.right.name)
        for end, device, address in ((self.left, "veth-l", r.LEFT_V4), (self.right, "veth-r", r.RIGHT_V4)):
            end.run("ip", "address", "add", f"{address}/24", "dev", device)
            end.run("ip", "link", "set", device, "up")
        r.wait_for(lambda: self.left.carrier("veth-l") and self.right.carrier("veth-r"),
                   "carrier at both ends")

    def reflect(self, *words):
        return self.rig.daemon(*self.right.words(r.IXLAT, "reflect", *words)).wait_ready()

    def ixlat(self, *words, check=True, timeout=60):
        return self.left.run(r.IXLAT, *words, check=check, timeout=timeout)

    def measure(self, *words):
        """The JSON of a run, its accounts checked; what is slow on a busy machine is not lost."""
        if "--timeout" not in words:
            words = (*words, "--timeout", 10000)
        run = json.loads(self.ixlat(*words, "--json", "-").stdout)
        assert run["sent"] == run["received"] + run["lost"]
        for time_of in ("rtt", "rtt_uncorrected", "forward", "return"):
            if time_of in run:
                check_times(run[time_of], run["received"])
        return run

    def refused(self, *words):
        """(status, line) of a run that must fail."""
        done = self.ixlat(*words, check=False)
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and done.stdout == "", done.stdout + done.stderr
        return done.returncode, lines[0]

    @contextlib.contextmanager
    def answering(self, answers):
        """Meanwhile, a thread at the right sends answers(datagram), a list, for each that comes."""
        with self.right.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((r.RIGHT_V4, PORT))
        sock.settimeout(0.05)
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    datagram, sender = sock.recvfrom(65536)
                    for answer in answers(datagram):
                        sock.sendto(answer, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            sock.close()


def check_times(times, received):
    counted = decode(times["histogram"])
    values = [times[name] for name in TIMES_NS]
    assert sum(counted.values()) == received
    assert values == sorted(values)
    assert values[0] == min(counted)
    assert times["max_ns"] * 0.999 <= max(counted) <= times["max_ns"]
    assert times["min_ns"] <= times["mean_ns"] <= times["max_ns"]
    # The median, by rank.
    seen = 0
    for value in sorted(counted):
        seen += counted[value]
        if 2 * seen >= received:
            assert value <= times["p50_ns"] <= value * 1.001 + 1
            break


def above(times, limit_ns):
    """How many were at least that long."""
    return sum(count for value, count in decode(times["histogram"]).items() if value >= limit_ns)


def answer_to(datagram, received_ns=None, **changes):
    """An honest answer, but for what is to be changed: magic, version, kind, run, sequence, sent."""
    names = ("magic", "version", "kind", "bytes", "run", "sequence", "sent", "received", "answered")
    fields = dict(zip(names, PROBE.unpack_from(datagram)))
    now = time.monotonic_ns() if received_ns is None else received_ns
    fields.update(kind=ANSWER, received=now, answered=now)
    fields.update(changes)
    return PROBE.pack(*fields.values()) + datagram[PROBE.size:]


def sequence_of(datagram):
    return PROBE.unpack_from(datagram)[5]


@pytest.fixture
def pair(rig):
    return Pair(rig)


TARGETS = {
    "udp": (["udp"], ["udp", r.RIGHT_V4]),
    "tcp": (["tcp"], ["tcp", r.RIGHT_V4]),
    "raw": (["raw", "--interface", "veth-r"], ["raw", RIGHT_MAC, "--interface", "veth-l"]),
}


# ---- It measures

@pytest.mark.parametrize("mode", TARGETS)
def test_one_after_another(pair, mode):
    reflect, target = TARGETS[mode]
    reflector = pair.reflect(*reflect)
    run = pair.measure(*target, "--count", 500, "--one-way")
    assert (run["mode"], run["sent"], run["received"], run["lost"]) == (mode, 500, 500, 0)
    assert run["duplicates"] == run["reordered"] == run["invalid"] == run["late"] == 0
    assert run["rate_hz"] == 0 and run["size_bytes"] == 64 and not run["interrupted"]
    assert "rtt_uncorrected" not in run
    assert 0 < run["duration_s"] and run["transactions_per_s"] == pytest.approx(500 / run["duration_s"])
    assert 0 < run["cpu"]["user_s"] + run["cpu"]["system_s"] <= run["duration_s"] + 0.1
    # There, back and what the reflector takes between.
    assert run["forward"]["mean_ns"] + run["return"]["mean_ns"] < run["rtt"]["mean_ns"] * 1.001
    assert run["forward"]["min_ns"] > 0 and run["return"]["min_ns"] > 0
    assert reflector.stop() == 0


@pytest.mark.parametrize("mode", TARGETS)
def test_fixed_rate(pair, mode):
    reflect, target = TARGETS[mode]
    pair.reflect(*reflect)
    run = pair.measure(*target, "--rate", 1000, "--duration", 0.5)
    assert run["sent"] == run["received"] == 500
    assert run["duration_s"] == pytest.approx(0.5, abs=0.25)
    # No probe is sent before it is due.
    for name in TIMES_NS:
        assert run["rtt_uncorrected"][name] <= run["rtt"][name]


@pytest.mark.parametrize("mode, sizes", [("udp", (40, 1472, 65507)), ("tcp", (40, 1449, 65535)),
                                         ("raw", (60, 61, 1514))])
def test_sizes(pair, mode, sizes):
    reflect, target = TARGETS[mode]
    pair.reflect(*reflect)
    for size in sizes:
        run = pair.measure(*target, "--count", 20, "--size", size, "--timeout", 5000)
        assert run["size_bytes"] == size and run["received"] == 20
    # Many at a time, of a TCP stream cut anywhere.
    run = pair.measure(*target, "--count", 300, "--rate", 5000, "--size", sizes[1], "--timeout", 5000)
    assert run["received"] == 300


def test_size_on_the_wire(pair):
    """--size of a frame is that of tcpdump: without FCS."""
    pair.reflect("raw", "--interface", "veth-r")
    with contextlib.closing(pair.right.packet_socket("veth-r")) as sniffer:
        pair.measure(*TARGETS["raw"][1], "--count", 1, "--warmup", 0, "--size", 777)
        while (frame := sniffer.recv(65536))[12:14] != b"\x88\xb5":
            pass
    assert len(frame) == 777
    assert frame[:12].hex(":") == f"{RIGHT_MAC}:{LEFT_MAC}"


def test_busy(pair):
    pair.reflect("udp", "--busy")
    run = pair.measure("udp", r.RIGHT_V4, "--busy", "--count", 300)
    assert run["received"] == 300 and run["busy"]


def test_ipv6_and_a_listening_address(pair):
    pair.right.run("ip", "address", "add", "2001:db8::2/64", "dev", "veth-r", "nodad")
    pair.left.run("ip", "address", "add", "2001:db8::1/64", "dev", "veth-l", "nodad")
    pair.reflect("udp", "--listen", "2001:db8::2", "--port", 5000)
    assert pair.measure("udp", "2001:db8::2", "--port", 5000, "--count", 50)["received"] == 50
    status, line = pair.refused("udp", r.RIGHT_V4, "--port", 5000, "--count", 1, "--timeout", 200)
    assert status == 1 and "refused" in line


def test_answer_comes_from_where_the_probe_went(pair):
    """To a second address of the host: the sender's socket takes answers from there only."""
    pair.right.run("ip", "address", "add", "192.0.2.77/24", "dev", "veth-r")
    pair.right.run("ip", "address", "add", "2001:db8::77/64", "dev", "veth-r", "nodad")
    pair.right.run("ip", "address", "add", "2001:db8::2/64", "dev", "veth-r", "nodad")
    pair.left.run("ip", "address", "add", "2001:db8::1/64", "dev", "veth-l", "nodad")
    pair.reflect("udp")
    for address in ("192.0.2.77", "2001:db8::77"):
        assert pair.measure("udp", address, "--count", 10)["received"] == 10


def test_two_senders(pair):
    """Each counts its own answers only."""
    pair.reflect("udp")
    pair.reflect("raw", "--interface", "veth-r")
    runs = [pair.left.popen(r.IXLAT, *TARGETS[mode][1], "--rate", 2000, "--duration", 0.5, "--json", "-",
                            stdout=subprocess.PIPE)
            for mode in ("udp", "udp", "raw", "raw")]
    for process in runs:
        run = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])
        assert process.returncode == 0
        assert run["received"] == run["sent"] == 1000


# ---- What goes wrong on the way

def test_pause_of_the_sender_shows(pair):
    """A sender that is stopped catches up, and the probes that were late count from when they were due."""
    pair.reflect("udp")
    with pair.left.popen(r.IXLAT, "udp", r.RIGHT_V4, "--rate", 1000, "--duration", 2, "--json", "-",
                         stdout=subprocess.PIPE) as process:
        try:
            time.sleep(0.8)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            process.send_signal(signal.SIGCONT)
            run = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])
        finally:
            process.kill()
    assert run["sent"] == run["received"] == 2000, "the rate stands"
    assert run["rtt"]["max_ns"] > 390e6
    # Due in the first 300 of the 400 ms.
    late = above(run["rtt"], 100e6)
    assert late >= 290
    assert above(run["rtt_uncorrected"], 100e6) < late / 2, "those were quick once they were sent"


def test_pause_of_the_reflector_is_loss(pair):
    reflector = pair.reflect("udp")
    with pair.left.popen(r.IXLAT, "udp", r.RIGHT_V4, "--rate", 1000, "--duration", 2, "--timeout", 100,
                         "--json", "-", stdout=subprocess.PIPE) as process:
        try:
            time.sleep(0.8)
            reflector.process.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            reflector.process.send_signal(signal.SIGCONT)
            run = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])
        finally:
            process.kill()
    assert run["sent"] == 2000 == run["received"] + run["lost"]
    assert run["lost"] >= 290
    assert run["late"] >= 290, "they were only late"
    assert run["rtt_uncorrected"]["max_ns"] < 400e6


def test_rate_too_high(pair):
    """Nobody sends four million a second; the run ends all the same, and says so."""
    pair.reflect("udp")
    words = ["udp", r.RIGHT_V4, "--rate", 4000000, "--duration", 0.3, "--warmup", 0, "--timeout", 100]
    run = pair.measure(*words)
    assert run["unsent"] > 0
    assert run["sent"] + run["unsent"] == 1200000
    assert "never sent" in pair.ixlat(*words).stdout


def test_lost(pair):
    """Every fourth, and the sender does not wait for it longer than it should."""
    with pair.answering(lambda probe: [answer_to(probe)] if sequence_of(probe) % 4 else []):
        started = time.monotonic()
        run = pair.measure("udp", r.RIGHT_V4, "--count", 40, "--warmup", 0, "--timeout", 50)
    assert (run["sent"], run["received"], run["lost"], run["late"]) == (40, 30, 10, 0)
    assert 0.5 <= time.monotonic() - started < 5


def test_duplicates(pair):
    with pair.answering(lambda probe: [answer_to(probe)] * 3):
        run = pair.measure("udp", r.RIGHT_V4, "--count", 50, "--warmup", 0, "--rate", 500)
    assert run["received"] == 50
    # Those of the last probe come when all is counted already.
    assert 98 <= run["duplicates"] <= 100


def test_reordered(pair):
    """The reflector holds one back, and sends it after the next."""
    held = []

    def swap(probe):
        held.append(answer_to(probe))
        if len(held) < 2:
            return []
        answers, held[:] = held[::-1], []
        return answers

    with pair.answering(swap):
        run = pair.measure("udp", r.RIGHT_V4, "--count", 50, "--warmup", 0, "--rate", 200,
                           "--timeout", 5000)
    assert (run["received"], run["reordered"]) == (50, 25)


STRAYS = {
    "nothing": lambda probe: b"",
    "text": lambda probe: b"hello" * 12,
    "the probe itself": lambda probe: probe,
    "cut short": lambda probe: answer_to(probe)[:-1],
    "only a header's start": lambda probe: answer_to(probe)[:39],
    "too long": lambda probe: answer_to(probe) + b"x",
    "another magic": lambda probe: answer_to(probe, magic=b"ixlx"),
    "another version": lambda probe: answer_to(probe, version=2),
    "another run": lambda probe: answer_to(probe, run=1),
    "never sent": lambda probe: answer_to(probe, sequence=sequence_of(probe) + 1000),
    "another stamp": lambda probe: answer_to(probe, sent=1),
}


@pytest.mark.parametrize("stray", STRAYS)
def test_strays_do_not_count(pair, stray):
    with pair.answering(lambda probe: [STRAYS[stray](probe), answer_to(probe)]):
        run = pair.measure("udp", r.RIGHT_V4, "--count", 20, "--warmup", 0)
    assert (run["received"], run["lost"], run["invalid"], run["duplicates"]) == (20, 0, 20, 0)


@pytest.mark.parametrize("skew_ns", [10**9, -10**9])
def test_one_way_needs_one_clock(pair, skew_ns):
    with pair.answering(lambda probe: [answer_to(probe, time.monotonic_ns() + skew_ns)]):
        status, line = pair.refused("udp", r.RIGHT_V4, "--count", 20, "--one-way")
    assert status == 1
    assert "clock" in line and ("come back" if skew_ns > 0 else "arrived") in line


# ---- What a reflector must not do

def test_reflector_answers_probes_only(pair):
    reflector = pair.reflect("udp")
    request = PROBE.pack(b"ixlt", 1, REQUEST, 64, 7, 3, 12345, 0, 0) + bytes(24)
    with pair.left.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(sock):
        sock.settimeout(r.DEADLINE_S)
        sock.connect((r.RIGHT_V4, PORT))
        for stray in (b"", b"x", bytes(64), request[:39], request[:-1], request + b"x",
                      answer_to(request), b"ixlt\2" + request[5:], os.urandom(65507)):
            sock.send(stray)
        sock.send(request)
        answer = sock.recv(65536)
        fields = PROBE.unpack_from(answer)
        assert len(answer) == 64
        assert fields[:7] == (b"ixlt", 1, ANSWER, 64, 7, 3, 12345)
        assert 0 < fields[7] <= fields[8] <= time.monotonic_ns()
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(65536)
    assert reflector.stop(signal.SIGINT) == 0


def test_raw_reflector_answers_its_own_address_only(pair):
    pair.reflect("raw", "--interface", "veth-r")
    probe = PROBE.pack(b"ixlt", 1, REQUEST, 46, 7, 3, 12345, 0, 0) + bytes(6)
    mac = {name: bytes.fromhex(text.replace(":", "")) for name, text in
           (("left", LEFT_MAC), ("right", RIGHT_MAC), ("other", "02:00:00:00:00:0c"),
            ("all", "ff:ff:ff:ff:ff:ff"))}
    pair.right.run("ip", "link", "set", "veth-r", "promisc", "on")
    with contextlib.closing(pair.left.packet_socket("veth-l")) as sock:
        for to, sender in (("other", "left"), ("all", "left"), ("right", "all")):
            sock.send(mac[to] + mac[sender] + b"\x88\xb5" + probe)
        sock.send(mac["right"] + mac["left"] + b"\x88\xb5" + probe[:30])
        sock.send(mac["right"] + mac["left"] + b"\x88\xb5" + probe)

        def next_answer():
            while True:
                frame = sock.recv(65536)
                if frame[12:14] == b"\x88\xb5" and frame[6:12] != mac["left"] and frame[6:12] != mac["all"]:
                    return frame

        frame = next_answer()
        assert frame[:14] == mac["left"] + mac["right"] + b"\x88\xb5"
        assert PROBE.unpack_from(frame, 14)[2] == ANSWER
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            next_answer()


def test_tcp_reflector_drops_what_makes_no_sense(pair):
    reflector = pair.reflect("tcp")
    request = PROBE.pack(b"ixlt", 1, REQUEST, 64, 7, 3, 12345, 0, 0) + bytes(24)
    with pair.left.entered():
        for _ in range(70):  # more than there are places for connections
            with contextlib.closing(socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S)) as sock:
                sock.send(b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
                assert sock.recv(100) == b""
        with contextlib.closing(socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S)) as sock:
            for byte in request:
                sock.send(bytes([byte]))
            sock.send(request[:50])
            answer = sock.recv(64, socket.MSG_WAITALL)
            assert PROBE.unpack_from(answer)[2] == ANSWER
            # A connection that nobody goes on with does not hold up others.
            assert pair.measure("tcp", r.RIGHT_V4, "--count", 50)["received"] == 50
    assert reflector.stop() == 0


def test_tcp_reflector_waits_for_a_sender_that_does_not_read(pair):
    """It keeps no answers that can't go, and goes on when they can."""
    reflector = pair.reflect("tcp")
    bytes_each = 60000
    request = PROBE.pack(b"ixlt", 1, REQUEST, bytes_each, 7, 3, 12345, 0, 0) + bytes(bytes_each - 40)
    with pair.left.entered():
        sock = socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S)
    with contextlib.closing(sock):
        sock.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 1 << 30:
                sent += sock.send(request[sent % bytes_each:])
        assert sent < 1 << 30, "it took a gigabyte without an answer being read"
        sock.settimeout(r.DEADLINE_S)
        for _ in range(sent // bytes_each):
            got = b""
            while len(got) < bytes_each:
                got += sock.recv(bytes_each - len(got))
            assert PROBE.unpack_from(got)[2] == ANSWER
    assert reflector.stop() == 0


# ---- Failing

def test_nobody_there(pair):
    status, line = pair.refused("udp", r.RIGHT_V4, "--count", 3, "--timeout", 100)
    assert status == 1 and "refused" in line and "ixlat reflect udp" in line
    status, line = pair.refused("tcp", r.RIGHT_V4)
    assert status == 1 and "refused" in line
    status, line = pair.refused(*TARGETS["raw"][1], "--count", 3, "--timeout", 100)
    assert status == 1 and "nothing came back" in line


def test_gives_up(pair):
    """Without any answer it does not go on for as long as it was to."""
    started = time.monotonic()
    status, line = pair.refused("udp", r.RIGHT_V4, "--duration", 1000, "--timeout", 100)
    assert status == 1 and "nothing came back" in line
    assert time.monotonic() - started < 15


def test_connection_breaks(pair):
    reflector = pair.reflect("tcp")
    with pair.left.popen(r.IXLAT, "tcp", r.RIGHT_V4, "--rate", 1000, "--duration", 60,
                         stderr=subprocess.PIPE) as process:
        try:
            time.sleep(0.5)
            assert reflector.stop() == 0
            assert process.wait(r.DEADLINE_S) == 1
            assert "connection broke" in process.stderr.read()
        finally:
            process.kill()


@pytest.mark.parametrize("words, status, part", [
    (["udp", "no-such-host.invalid"], 1, "no-such-host.invalid"),
    (["raw", RIGHT_MAC, "--interface", "nothing0"], 1, "nothing0"),
    (["raw", RIGHT_MAC, "--interface", "veth-l", "--size", "1515"], 1, "1514"),
    (["reflect", "raw", "--interface", "nothing0"], 1, "nothing0"),
    (["reflect", "udp", "--listen", "192.0.2.99"], 1, "192.0.2.99"),
    (["udp", r.RIGHT_V4, "--json", "/nowhere/x.json"], 1, "/nowhere/x.json"),
    (["udp", r.RIGHT_V4, "--hgrm", "/"], 1, "cannot write to /"),
    (["udp"], 2, "host"),
    (["udp", r.RIGHT_V4, "--size", "39"], 2, "40"),
    (["raw", "192.0.2.2", "--interface", "veth-l"], 2, "MAC"),
    (["compare", "one"], 2, "two"),
    (["fly"], 2, "fly"),
])
def test_refused(pair, words, status, part):
    assert pair.refused(*words)[0] == status
    assert part in pair.refused(*words)[1]


def test_down_or_taken(pair):
    pair.reflect("udp")
    done = pair.right.run(r.IXLAT, "reflect", "udp", check=False)
    assert done.returncode == 1 and "in use" in done.stderr
    pair.left.run("ip", "link", "set", "veth-l", "down")
    status, line = pair.refused(*TARGETS["raw"][1], "--count", 1, "--timeout", 100)
    assert status == 1 and ("is down" in line or "is not up" in line), line


def test_raw_needs_the_right(pair):
    done = pair.left.run("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", r.IXLAT,
                         *TARGETS["raw"][1], check=False)
    assert done.returncode == 1 and "CAP_NET_RAW" in done.stderr


# ---- What comes out

@pytest.fixture
def runs(pair):
    """Two results: paths."""
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


def test_interrupted(pair):
    pair.reflect("udp")
    path = pair.rig.path("cut.json")
    with pair.left.popen(r.IXLAT, "udp", r.RIGHT_V4, "--duration", 1000, "--json", path,
                         stdout=subprocess.PIPE) as process:
        try:
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            shown = process.communicate(timeout=r.DEADLINE_S)[0]
        finally:
            process.kill()
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
    """What was in them is kept; what was not there is not made."""
    kept, new = pair.rig.path("kept"), pair.rig.path("new")
    with open(kept, "w", encoding="ascii") as file:
        file.write("the last result")
    assert pair.refused("tcp", r.RIGHT_V4, "--json", kept, "--hgrm", new)[0] == 1
    with open(kept, encoding="ascii") as file:
        assert file.read() == "the last result"
    assert not os.path.exists(new)


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
    """Said before anything is measured, and before there is a file."""
    path = pair.rig.path("plot.svg")
    done = pair.left.run("/usr/bin/env", f"PATH={pair.rig.scratch}", r.IXLAT, "udp", r.RIGHT_V4, "--plot",
                         path, check=False)
    assert done.returncode == 1
    assert "gnuplot-nox" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not os.path.exists(path)


def test_plot_that_fails(pair, runs):
    """gnuplot's word, and the picture from before stays."""
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


def on_terminal(*words):
    """What a command writes to a terminal."""
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
        except OSError:  # EIO: nobody has the other end any more
            pass
        finally:
            os.close(master)
        assert process.wait(r.DEADLINE_S) == 0
    return shown.decode()


def test_terminal(pair):
    """Colours, and progress from the third second, wiped in the end."""
    pair.reflect("udp")
    short = on_terminal(*pair.left.words(r.IXLAT, "udp", r.RIGHT_V4, "--count", 20))
    assert "\033[1m" in short and "answered" not in short
    shown = on_terminal(*pair.left.words(r.IXLAT, "udp", r.RIGHT_V4, "--rate", 100, "--duration", 3))
    assert re.search(r"\r *\d+ %  \d+ sent, \d+ answered, \d+ s\033\[K", shown)
    assert "\r\033[K" in shown[shown.rindex("answered"):]


# ---- compare

def result(**changes):
    """What compare needs of a result: 1000 times from 1 to 1000 ns."""
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
    """Twice as long, from another counting; numbers beside the histogram are not believed."""
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
    path = write(rig, "a", result(label="\033[31mred\nline", mode="\033[2J"))
    shown = compare(path, path).stdout
    assert "\033" not in shown and "?[31mred" in shown
