# SPDX-License-Identifier: MIT
"""ixlat between two namespaces, and against reflectors that misbehave."""
import contextlib
import fcntl
import json
import os
import queue
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

import rig as r
from ixlat_rig import (ANSWER, LEFT_MAC, PORT, PROBE, REQUEST, RIGHT_MAC, TARGETS, TIMES_NS, Pair, above,
                       answer_to, check_times, sequence_of, stopped)

SO_TIMESTAMPNS = 35


@pytest.fixture
def pair(rig):
    return Pair(rig)


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
    # The way there, the way back, and the reflector's time between.
    assert run["forward"]["mean_ns"] + run["return"]["mean_ns"] < run["rtt"]["mean_ns"] * 1.001
    assert run["forward"]["min_ns"] > 0 and run["return"]["min_ns"] > 0
    assert reflector.stop() == 0


@pytest.mark.parametrize("mode", TARGETS)
def test_fixed_rate(pair, mode):
    reflect, target = TARGETS[mode]
    pair.reflect(*reflect)
    run = pair.measure(*target, "--rate", 1000, "--duration", 0.5)
    assert run["sent"] == run["received"] == 500
    assert run["duration_s"] > 0.499, "when the last was due"
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
    # Many probes at a time, in a TCP stream that is cut anywhere.
    run = pair.measure(*target, "--count", 300, "--rate", 5000, "--size", sizes[1], "--timeout", 5000)
    assert run["received"] == 300


def test_message_larger_than_the_queues(pair):
    """The rest of a message is sent as soon as the kernel has room, not with the next probe."""
    pair.left.run("sysctl", "-qw", "net.ipv4.tcp_wmem=4096 4096 4096")
    pair.right.run("sysctl", "-qw", "net.ipv4.tcp_rmem=4096 4096 4096")
    pair.reflect("tcp")
    run = pair.measure("tcp", r.RIGHT_V4, "--size", 65535, "--count", 5, "--warmup", 0)
    assert run["received"] == 5


def test_size_on_the_wire(pair):
    """--size of a frame is without FCS, as in tcpdump."""
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


@pytest.mark.parametrize("mode", ["udp", "raw"])
def test_kernel_stamps(pair, mode):
    reflect, target = TARGETS[mode]
    pair.reflect(*reflect)
    run = pair.measure(*target, "--kernel-stamps", "--one-way", "--count", 300)
    assert run["kernel_stamps"] and run["received"] == 300
    assert 0 < run["return"]["min_ns"] < run["rtt"]["min_ns"]


@pytest.fixture
def kernel_stamps():
    """The kernel begins to stamp some time after the first socket asked for that: until then a frame's time is when it is
    read. So another socket has asked before."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        other.bind(("127.0.0.1", 0))

        def stamped():
            other.sendto(b"x", other.getsockname())
            sent, now = time.time_ns(), 0
            time.sleep(0.01)
            for level, kind, data in other.recvmsg(1, 64)[1]:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, now = struct.unpack("@ll", data)
                    now += seconds * 1_000_000_000
            return now - sent < 5_000_000

        r.wait_for(stamped, "the kernel stamps")
        yield


@pytest.mark.usefixtures("kernel_stamps")
@pytest.mark.parametrize("options", [[], ["--kernel-stamps"]], ids=["ours", "kernel's"])
def test_what_a_stamp_includes(pair, options):
    """An answer comes while the sender cannot run. Only the kernel knows when."""
    pids, held_ns = queue.SimpleQueue(), []

    def stop_and_answer(probe):
        with stopped(pids.get(timeout=r.DEADLINE_S)):
            yield answer_to(probe)
            r.wait_for(lambda: pair.left.run("ss", "-Hun").stdout.split()[0] != "0", "the answer in its queue")
            held_ns.append(time.monotonic_ns() - PROBE.unpack_from(probe)[6])

    with pair.answering(stop_and_answer):
        # ip netns exec becomes ixlat: it has that process id.
        with pair.left.popen(r.IXLAT, "udp", r.RIGHT_V4, "--count", 1, "--warmup", 0, "--timeout", 60000,
                             "--json", "-", *options, stdout=subprocess.PIPE) as process:
            pids.put(process.pid)
            rtt = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])["rtt"]
    assert rtt["max_ns"] < held_ns[0] if options else rtt["max_ns"] > held_ns[0]


def test_ipv6_and_a_listening_address(pair):
    pair.right.run("ip", "address", "add", "2001:db8::2/64", "dev", "veth-r", "nodad")
    pair.left.run("ip", "address", "add", "2001:db8::1/64", "dev", "veth-l", "nodad")
    pair.reflect("udp", "--listen", "2001:db8::2", "--port", 5000)
    assert pair.measure("udp", "2001:db8::2", "--port", 5000, "--count", 50)["received"] == 50
    status, line = pair.refused("udp", r.RIGHT_V4, "--port", 5000, "--count", 1, "--timeout", 200)
    assert status == 1 and "refused" in line


def test_answer_comes_from_where_the_probe_went(pair):
    """A probe goes to a second address of the host. The sender's socket takes answers from there only."""
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

@pytest.mark.alone
def test_pause_of_the_sender_shows(pair):
    """A sender that was stopped catches up. Late probes count from when they were due."""
    pair.reflect("udp")
    with pair.measuring("udp", r.RIGHT_V4, "--rate", 1000, "--duration", 3, "--timeout", 10000, "--json",
                        "-") as process:
        with stopped(process.pid):
            time.sleep(0.4)
        run = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])
    assert run["sent"] == run["received"] == 3000, "the rate stands"
    assert run["rtt"]["max_ns"] > 390e6
    # These were due in the first 300 of the 400 ms.
    assert above(run["rtt"], 100e6) >= 290
    # 400 probes were due meanwhile, and went 200 ms late on average.
    late_ns = (run["rtt"]["mean_ns"] - run["rtt_uncorrected"]["mean_ns"]) * 3000
    assert late_ns > 390 * 195e6


@pytest.mark.alone
def test_pause_of_the_reflector_is_loss(pair):
    reflector = pair.reflect("udp")
    with pair.measuring("udp", r.RIGHT_V4, "--rate", 1000, "--duration", 3, "--timeout", 100, "--json",
                        "-") as process:
        with stopped(reflector.pid):
            time.sleep(0.4)
        run = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])
    assert run["sent"] == 3000 == run["received"] + run["lost"]
    assert run["lost"] >= 290
    assert run["late"] >= 290, "they were only late"
    for times in ("rtt", "rtt_uncorrected"):
        check_times(run[times], run["received"])


@pytest.mark.parametrize("mode", ["udp", "raw"])
def test_link_goes_down_and_up(pair, mode):
    """Probes that are sent meanwhile are lost. Both ends go on."""
    reflect, target = TARGETS[mode]
    reflector = pair.reflect(*reflect)
    with pair.measuring(*target, "--rate", 200, "--duration", 1000, "--timeout", 100, "--json",
                        "-") as process:
        for end, device in ((pair.left, "veth-l"), (pair.right, "veth-r")):
            end.run("ip", "link", "set", device, "down")
            time.sleep(0.2)
            end.run("ip", "link", "set", device, "up")
            pair.wait_for_probes()
        process.send_signal(signal.SIGINT)
        run = json.loads(process.communicate(timeout=r.DEADLINE_S)[0])
    assert run["sent"] == run["received"] + run["lost"]
    assert run["send_errors"] > 0 and run["lost"] > 0
    assert run["received"] > 100, "until it went down and after"
    assert reflector.stop() == 0


def test_interface_goes_away(pair):
    reflector = pair.reflect("raw", "--interface", "veth-r")
    pair.right.run("ip", "link", "delete", "veth-r")
    assert reflector.wait() == 1
    assert "veth-r is gone" in reflector.errors()


def test_without_privileges(pair):
    """UDP and TCP need no privileges."""
    nobody = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    pair.rig.daemon(*pair.right.words(*nobody, r.IXLAT, "reflect", "udp")).wait_ready()
    done = pair.left.run(*nobody, r.IXLAT, "udp", r.RIGHT_V4, "--count", 50, "--json", "-")
    assert json.loads(done.stdout)["received"] == 50


def test_rate_too_high(pair):
    """Nobody sends four million a second. The run ends all the same, and says so."""
    pair.reflect("udp")
    words = ["udp", r.RIGHT_V4, "--rate", 4000000, "--duration", 0.3, "--warmup", 0, "--timeout", 100]
    run = pair.measure(*words)
    assert run["unsent"] > 0
    assert run["sent"] + run["unsent"] == 1200000
    assert "never sent" in pair.ixlat(*words).stdout


@pytest.mark.alone
def test_lost(pair):
    """Every fourth answer is lost. The sender waits for it no longer than it should."""
    with pair.answering(lambda probe: [answer_to(probe)] if sequence_of(probe) % 4 else []):
        started = time.monotonic()
        run = pair.measure("udp", r.RIGHT_V4, "--count", 40, "--warmup", 0, "--timeout", 200)
    assert (run["sent"], run["received"], run["lost"], run["late"]) == (40, 30, 10, 0)
    assert 2 <= time.monotonic() - started < r.DEADLINE_S


def test_duplicates(pair):
    with pair.answering(lambda probe: [answer_to(probe)] * 3):
        run = pair.measure("udp", r.RIGHT_V4, "--count", 50, "--warmup", 0, "--rate", 500)
    assert run["received"] == 50
    # Duplicates of the last answer come after the end of the run.
    assert 98 <= run["duplicates"] <= 100


def test_reordered(pair):
    """The reflector holds an answer back, and sends it after the next one."""
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
    request, after = (PROBE.pack(b"ixlt", 1, REQUEST, 64, 7, sequence, 12345, 0, 0) + bytes(24)
                      for sequence in (3, 4))
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
        # Nothing is between the two.
        sock.send(after)
        assert sequence_of(sock.recv(65536)) == 4
    assert reflector.stop(signal.SIGINT) == 0


def test_raw_reflector_answers_its_own_address_only(pair):
    pair.reflect("raw", "--interface", "veth-r")
    probe, after = (PROBE.pack(b"ixlt", 1, REQUEST, 46, 7, sequence, 12345, 0, 0) + bytes(6)
                    for sequence in (3, 4))
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
        # Nothing is between the two.
        sock.send(mac["right"] + mac["left"] + b"\x88\xb5" + after)
        assert PROBE.unpack_from(next_answer(), 14)[5] == 4


def test_tcp_reflector_drops_what_makes_no_sense(pair):
    reflector = pair.reflect("tcp")
    request = PROBE.pack(b"ixlt", 1, REQUEST, 64, 7, 3, 12345, 0, 0) + bytes(24)
    with pair.left.entered():
        for _ in range(70):  # more than the reflector serves at a time
            with contextlib.closing(socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S)) as sock:
                sock.send(b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
                assert sock.recv(100) == b""
        with contextlib.closing(socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S)) as sock:
            for byte in request:
                sock.send(bytes([byte]))
            sock.send(request[:50])
            answer = sock.recv(64, socket.MSG_WAITALL)
            assert PROBE.unpack_from(answer)[2] == ANSWER
            # An idle connection does not hold up others.
            assert pair.measure("tcp", r.RIGHT_V4, "--count", 50)["received"] == 50
    assert reflector.stop() == 0


def test_tcp_reflector_waits_for_a_sender_that_does_not_read(pair):
    """The reflector reads nothing while answers can't be sent, and goes on when they can."""
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


def test_tcp_reflector_stamps_what_waits_for_an_answer_before(pair):
    """Two probes come at once. The second was received then, not when the first answer was sent."""
    pair.right.run("sysctl", "-qw", "net.ipv4.tcp_wmem=4096 4096 4096")
    pair.right.run("ip", "link", "set", "veth-r", "gso_max_size", 4096)
    reflector = pair.reflect("tcp")
    request = PROBE.pack(b"ixlt", 1, REQUEST, 30000, 7, 3, 12345, 0, 0) + bytes(30000 - 40)
    with pair.left.entered():
        sock = socket.socket()
    with contextlib.closing(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(r.DEADLINE_S)
        sock.connect((r.RIGHT_V4, PORT))
        with stopped(reflector.pid):
            sock.sendall(2 * request)
            r.wait_for(lambda: not any(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))), "that both are there")
        sock.recv(1, socket.MSG_PEEK)
        read_ns = time.monotonic_ns()
        answers = b""
        while len(answers) < 60000:
            answers += sock.recv(60000 - len(answers))
    (*_, received_ns, answered_ns) = PROBE.unpack_from(answers, 30000)
    assert received_ns < read_ns < answered_ns


def test_tcp_reflector_asks_whether_a_silent_sender_is_there(pair):
    """A host that died does not close its connection, and would keep its place for good."""
    pair.reflect("tcp")
    with pair.left.entered():
        sock = socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S)
    with contextlib.closing(sock):
        r.wait_for(lambda: "timer:(keepalive," in pair.right.run("ss", "-Htno").stdout, "its timer")


@pytest.mark.alone
def test_tcp_reflector_out_of_files_waits(pair):
    """A client for whom there is no file descriptor is served when another one has left."""
    reflector = pair.rig.daemon(*pair.right.words("prlimit", "--nofile=12", r.IXLAT, "reflect", "tcp")).wait_ready()
    with pair.left.entered():
        senders = [socket.create_connection((r.RIGHT_V4, PORT), r.DEADLINE_S) for _ in range(20)]
    before = r.cpu_seconds(reflector.pid)
    time.sleep(1)  # the reflector has nothing to do meanwhile
    assert r.cpu_seconds(reflector.pid) - before < 0.5
    for sender in senders[:15]:
        sender.close()
    senders[-1].send(PROBE.pack(b"ixlt", 1, REQUEST, 64, 7, 3, 12345, 0, 0) + bytes(24))
    assert PROBE.unpack_from(senders[-1].recv(64, socket.MSG_WAITALL))[2] == ANSWER
    for sender in senders[15:]:
        sender.close()
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
    """A run without any answer ends before its time."""
    status, line = pair.refused("udp", r.RIGHT_V4, "--duration", 1000, "--timeout", 100)
    assert status == 1 and "nothing came back" in line


def test_connection_breaks(pair):
    reflector = pair.reflect("tcp")
    with pair.measuring("tcp", r.RIGHT_V4, "--rate", 1000, "--duration", 1000) as process:
        assert reflector.stop() == 0
        assert "connection broke" in process.communicate(timeout=r.DEADLINE_S)[1]
    assert process.returncode == 1


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
