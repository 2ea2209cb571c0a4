# SPDX-License-Identifier: MIT
"""For the tests of ixlat: two namespaces, the format of probes, and that of histograms.

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
import signal
import socket
import struct
import subprocess
import threading
import time
import zlib

import rig as r

LEFT_MAC, RIGHT_MAC = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
PORT = 8259
# struct probe of tools/ixlat/measure/probe.h
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
    """Encodes the histogram with these counters."""
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
        """The JSON of a run, with its counts checked. The timeout is long, since the machine may be busy."""
        if "--timeout" not in words:
            words = (*words, "--timeout", 10000)
        run = json.loads(self.ixlat(*words, "--json", "-").stdout)
        assert run["sent"] == run["received"] + run["lost"]
        for time_of in ("rtt", "rtt_uncorrected", "forward", "return"):
            if time_of in run:
                check_times(run[time_of], run["received"])
        return run

    @contextlib.contextmanager
    def measuring(self, *words):
        """A run goes on meanwhile. Its first probes have been sent."""
        with self.left.popen(r.IXLAT, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                self.wait_for_probes()
                yield process
            finally:
                process.kill()

    def wait_for_probes(self):
        """Waits until some more probes have come to the right."""
        def arrived():
            link = json.loads(self.right.run("ip", "-s", "-j", "link", "show", "dev", "veth-r").stdout)[0]
            return link["stats64"]["rx"]["packets"]

        enough = arrived() + 50
        r.wait_for(lambda: arrived() >= enough, "probes at the right")

    def refused(self, *words):
        """(status, line) of a run that must fail."""
        done = self.ixlat(*words, check=False)
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and done.stdout == "", done.stdout + done.stderr
        return done.returncode, lines[0]

    @contextlib.contextmanager
    def answering(self, answers):
        """Meanwhile a thread at the right sends the list answers(datagram) for each datagram that comes."""
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


@contextlib.contextmanager
def stopped(pid):
    """The process is stopped meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            r.wait_for(lambda: stat.seek(0) == 0 and stat.read().rpartition(")")[2].split()[0] == "T",
                       "that it is stopped")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


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
    """How many times were at least that long."""
    return sum(count for value, count in decode(times["histogram"]).items() if value >= limit_ns)


def answer_to(datagram, received_ns=None, **changes):
    """An honest answer, except for the fields given: magic, version, kind, run, sequence, sent."""
    names = ("magic", "version", "kind", "bytes", "run", "sequence", "sent", "received", "answered")
    fields = dict(zip(names, PROBE.unpack_from(datagram)))
    now = time.monotonic_ns() if received_ns is None else received_ns
    fields.update(kind=ANSWER, received=now, answered=now)
    fields.update(changes)
    return PROBE.pack(*fields.values()) + datagram[PROBE.size:]


def sequence_of(datagram):
    return PROBE.unpack_from(datagram)[5]


TARGETS = {
    "udp": (["udp"], ["udp", r.RIGHT_V4]),
    "tcp": (["tcp"], ["tcp", r.RIGHT_V4]),
    "raw": (["raw", "--interface", "veth-r"], ["raw", RIGHT_MAC, "--interface", "veth-l"]),
}
