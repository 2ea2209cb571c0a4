# SPDX-License-Identifier: MIT
"""Waits have an end, whoever is at the other side: a server that takes interrupts back or answers late, a
client that fills eventfds, standard error that nobody reads."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest

import rig as r
from test_bad_input import FAILED, ixnic, ixtapd, left, refuse  # noqa: F401 (a fixture)
from test_chaos import message

SET_IRQS, REGION_READ, REGION_WRITE = 8, 9, 10
COMMAND, REPLY, NO_REPLY = 0, 1, 0x10
BAR0, CONFIG, MSIX = 0, 7, 2
STOP_S = 10.0  # from a signal to the end, whatever the other side does
# The limits of bridge/engine/patience.h, with room for a busy machine.
FOLLOW_S, START_S = 15.0, 40.0
ANSWER_S = 5.0  # as long as ixtap waits


def clear_nonblock(fd):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)


class Between:
    """Stands between ixtapd and ixnic: keeps the eventfds of interrupts, and may answer late. All accesses come by,
    none has a channel of its own."""

    def __init__(self, rig, space):
        self.delay_s, self.eventfds = 0.0, []
        self.asked = self.answered = 0  # messages of ixtapd, and those for it, that came by
        self.stopped = threading.Event()
        self.nic = rig.daemon(*space.words(*ixnic(rig, "--io-fds", "off", wire=f"seqpacket:{rig.path('wire')}")))
        self.nic.wait_ready()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(rig.path("mine"))
        self.listener.listen()
        self.ends, self.threads = [], [threading.Thread(target=self.accept, args=(rig.path("nic"),))]
        self.threads[0].start()
        self.name = f"vfio-user:{rig.path('mine')}"

    def accept(self, path):
        with contextlib.suppress(OSError):
            while True:
                front, _ = self.listener.accept()
                # ixnic has one client, and hears first that the one before has gone.
                for thread in self.threads[1::2]:
                    thread.join()
                back = socket.socket(socket.AF_UNIX)
                back.connect(path)
                self.ends += [front, back]
                for source, sink, late in ((front, back, False), (back, front, True)):
                    self.threads.append(threading.Thread(target=self.forward,
                                                         args=(source, sink, late)))
                    self.threads[-1].start()

    def forward(self, source, sink, late):
        with contextlib.suppress(OSError):
            while True:
                data, fds = message(source)
                if data is None or (late and self.delay_s and self.stopped.wait(self.delay_s)):
                    break
                if late:
                    self.answered += 1
                else:
                    self.asked += 1
                sink.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
                if struct.unpack_from("<H", data, 2)[0] == SET_IRQS:
                    self.eventfds += fds
                else:
                    for fd in fds:
                        os.close(fd)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hang_up(self):
        for end in list(self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.stopped.set()
        for end in (self.listener, *self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for end in (self.listener, *self.ends):
            end.close()
        for fd in self.eventfds:
            os.close(fd)
        self.eventfds = []


@pytest.fixture
def between(rig, left):  # noqa: F811
    made = Between(rig, left)
    yield made
    made.close()


def asks(path, deadline_s=5.0, request="status"):
    """Asks for the status, or something else. Fails if no answer comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        connection.settimeout(deadline_s)
        connection.send(request.encode())
        try:
            return json.loads(connection.recv(1 << 20))
        except socket.timeout:
            raise AssertionError(f"{path}: no answer within {deadline_s} s") from None


# ---- Eventfds are shared ----

def test_the_count_is_taken_back(rig, left, between):  # noqa: F811
    """The server signals the link's interrupt and takes the count back before ixtapd has read it."""
    daemon = rig.daemon(*left.words(*ixtapd(rig, "--up", nic=between.name))).wait_ready()
    other = between.eventfds[1]  # queue 0, then the rest
    clear_nonblock(other)
    buffer = [bytearray(8)]
    taken, end = 0, time.monotonic() + 6
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.connect(rig.path("control"))
        control.settimeout(5.0)
        turn = 0
        while time.monotonic() < end and taken < 3000:
            turn += 1
            os.write(other, (1).to_bytes(8, "little"))
            for _ in range(turn % 120):
                pass
            try:
                os.preadv(other, buffer, -1, os.RWF_NOWAIT)
                taken += 1
            except BlockingIOError:
                continue
            control.send(b"status")
            try:
                control.recv(1 << 20)
            except socket.timeout:
                raise AssertionError(f"no answer after {taken} counts taken back") from None
    assert taken > 100
    sent = time.monotonic()
    assert daemon.stop() == 0, daemon.errors()
    assert time.monotonic() - sent < STOP_S


def vfio_user(sock, number, payload, flags=COMMAND, fds=()):
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
    sock.sendmsg([struct.pack("<HHIII", 7, number, 16 + len(payload), flags, 0) + payload], control)
    if flags & NO_REPLY:
        return None
    data, _ = message(sock)
    assert data and not struct.unpack_from("<I", data, 12)[0], f"command {number}: {data}"
    return data[16:]


def drain(eventfd):
    with contextlib.suppress(BlockingIOError):
        os.preadv(eventfd, [bytearray(8)], -1, os.RWF_NOWAIT)


def fill(eventfd):
    """Fills the count. If the other side was faster, the write waits until an alarm has drained it. The
    alarm comes again and again, since the first may come before the write."""
    before = signal.signal(signal.SIGALRM, lambda *_: drain(eventfd))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    os.write(eventfd, (2 ** 64 - 2).to_bytes(8, "little"))
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_client_fills_an_eventfd(rig, left):  # noqa: F811
    """The client fills the count of an interrupt's eventfd, which it has made blocking, at the moment when
    ixnic signals it."""
    nic = rig.daemon(*left.words(*ixnic(rig, wire=f"seqpacket:{rig.path('wire')}"))).wait_ready()
    eventfd = r.libc.eventfd(0, 0)
    assert eventfd >= 0
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(rig.path("nic"))
        client.settimeout(5.0)
        vfio_user(client, 1, struct.pack("<HH", 0, 1) + b"{}\0")
        vfio_user(client, REGION_WRITE, struct.pack("<QII", 4, CONFIG, 2) + struct.pack("<H", 6))
        vfio_user(client, SET_IRQS, struct.pack("<IIIII", 20, 0x4 | 0x20, MSIX, 0, 1), fds=[eventfd])
        config = vfio_user(client, REGION_READ, struct.pack("<QII", 0, CONFIG, 256))[16:]
        at = config[0x34]
        while config[at] != 0x11:
            at = config[at + 1]
        vfio_user(client, REGION_WRITE, struct.pack("<QII", at + 2, CONFIG, 2) + struct.pack("<H", 0x8000))
        # SET_IRQS without data fires the vector.
        fire = struct.pack("<IIIII", 20, 0x1 | 0x20, MSIX, 0, 1)
        end, turn = time.monotonic() + 4, 0
        while time.monotonic() < end and turn < 10000:
            turn += 1
            vfio_user(client, SET_IRQS, fire, NO_REPLY)
            for _ in range(turn % 200):
                pass
            fill(eventfd)
            try:
                vfio_user(client, REGION_READ, struct.pack("<QII", 8, BAR0, 4))
            except socket.timeout:
                raise AssertionError(f"no answer after {turn} turns") from None
            drain(eventfd)
    os.close(eventfd)
    assert nic.stop() == 0, nic.errors()


# ---- Nobody reads what is said ----

@contextlib.contextmanager
def unread_pipe():
    """A full pipe that nobody reads: the end to read from, and the one to write to."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n")
    os.set_blocking(writer, True)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def drained(reader):
    """What the pipe held, without the filling."""
    found = b""
    while select.select([reader], [], [], 0.5)[0]:
        data = os.read(reader, 1 << 20)
        if not data:
            break
        found += data
    return found.strip(b"\0\n").decode()


class Silent:
    """A program with standard output and error of its own choice."""

    def __init__(self, words, stdout, stderr, **environ):
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                        env=r.environment(**environ), start_new_session=True)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def live(path):
    """Whether a daemon answers there."""
    with contextlib.suppress(OSError):
        return asks(path)
    return None


def test_standard_error_is_not_read(rig, left):  # noqa: F811
    """Status, MTU and SIGTERM work all the same, and what was said is there when somebody reads."""
    with unread_pipe() as (reader, writer), \
            Silent(left.words(*ixtapd(rig, "--up", "--log-level", "debug",
                                      nic=f"soft:seqpacket:{rig.path('wire')}")),
                   writer, writer) as daemon:
        r.wait_for(lambda: live(rig.path("control")), "an answer")
        for mtu in (1400, 1300):
            left.run("ip", "link", "set", "tap0", "mtu", mtu)
            r.wait_for(lambda: asks(rig.path("control"))["nic"]["mtu"] == mtu, "the MTU")
        assert os.get_blocking(writer), "the file description is not ours"
        text = drained(reader)
        assert "ready" in text and "MTU 1300" in text, text
        assert daemon.stop() == 0
        assert not left.has("tap0")


def test_end_with_standard_error_unread(rig, left):  # noqa: F811
    with unread_pipe() as (_, writer), \
            Silent(left.words(*ixnic(rig, "--control", rig.path("control"),
                                     wire=f"seqpacket:{rig.path('wire')}")),
                   writer, writer) as nic:
        r.wait_for(lambda: live(rig.path("control")), "an answer")
        assert nic.stop() == 0
    assert not os.path.exists(rig.path("nic"))


def test_the_service_manager_does_not_read(rig, left):  # noqa: F811
    """Its socket is full from the start."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        manager.bind(rig.path("mine"))
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"X=1", rig.path("mine"))
        daemon = rig.daemon(*left.words(*ixtapd(rig, nic=f"soft:seqpacket:{rig.path('wire')}")),
                            NOTIFY_SOCKET=rig.path("mine")).wait_ready()
        assert asks(rig.path("control"))
        assert daemon.stop() == 0, daemon.errors()
        daemon.says("cannot tell the service manager that all is ready")


@pytest.mark.parametrize("program", ["ixtapd", "ixnic"])
@pytest.mark.parametrize("where, reason", [("P/gone", "No such file"), ("relative", "not supported"),
                                           ("vsock:2:1234", "not supported"), ("/" + "x" * 200, "not supported"),
                                           ("@ixtap-nobody", "Connection refused")])
def test_the_service_manager_is_not_there(rig, left, program, where, reason):  # noqa: F811
    """Whoever waits for "ready" in vain finds why in the log."""
    wire = f"seqpacket:{rig.path('wire')}"
    words = ixtapd(rig, nic=f"soft:{wire}") if program == "ixtapd" else ixnic(rig, wire=wire)
    daemon = rig.daemon(*left.words(*words), NOTIFY_SOCKET=where.replace("P", rig.scratch)).wait_ready()
    assert daemon.stop() == 0, daemon.errors()
    lines = [line for line in daemon.errors().splitlines() if "cannot tell the service manager" in line]
    assert any("that all is ready" in line and reason in line for line in lines), daemon.errors()
    assert len(lines) <= 2, lines


@pytest.mark.parametrize("program", ["ixtapd", "ixnic"])
def test_ready_cannot_be_written(rig, left, program):  # noqa: F811
    wire = f"seqpacket:{rig.path('wire')}"
    words = ixtapd(rig, nic=f"soft:{wire}") if program == "ixtapd" else \
        ixnic(rig, "--control", rig.path("control"), wire=wire)
    with open("/dev/full", "wb") as full, open(rig.path("said"), "w+b") as said, \
            Silent(left.words(*words), full, said) as daemon:
        r.wait_for(lambda: live(rig.path("control")), "an answer")
        assert daemon.stop() == 0
        said.seek(0)
        assert b'cannot write "ready" to standard output: No space left' in said.read()


def contents(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_the_log_has_no_space(rig, left):  # noqa: F811
    """What was lost is counted, and said once when there is space again."""
    os.mkdir(rig.path("small"))
    r.run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", rig.path("small"))
    try:
        with open(rig.path("small/log"), "ab") as log, open(rig.path("small/filling"), "wb", buffering=0) as filling, \
                Silent(left.words(*ixtapd(rig, "--up", nic=f"soft:seqpacket:{rig.path('wire')}")),
                       subprocess.DEVNULL, log) as daemon:
            r.wait_for(lambda: "link up" in contents(log.name), "the last line of the start")
            with contextlib.suppress(OSError):
                while True:
                    filling.write(bytes(512))
            with contextlib.suppress(OSError):
                while True:
                    os.write(log.fileno(), b"-\n")

            def follow(mtu):
                left.run("ip", "link", "set", "tap0", "mtu", mtu)
                r.wait_for(lambda: asks(rig.path("control"))["nic"]["mtu"] == mtu, "the MTU")

            for mtu in (1400, 1300, 1200):
                follow(mtu)
            os.ftruncate(filling.fileno(), 0)
            follow(1350)
            assert daemon.stop() == 0
            lines = [line for line in contents(log.name).splitlines() if line != "-"]
        told = [at for at, line in enumerate(lines) if "lines of the log were lost here" in line]
        assert len(told) == 1 and "standard error could not be written: No space left" in lines[told[0]], lines
        assert int(lines[told[0]].split(": ")[2].split()[0]) >= 3 and "MTU 1350" in lines[told[0] + 1], lines
    finally:
        r.run("umount", rig.path("small"))


# ---- A server that answers late ----

def stops_soon(daemon):
    sent = time.monotonic()
    assert daemon.stop() == 0, daemon.errors()
    assert time.monotonic() - sent < STOP_S, daemon.errors()
    return daemon.errors()


@pytest.mark.parametrize("delay_s", [0.5, 4.5])
def test_signal_during_a_slow_start(rig, left, between, delay_s):  # noqa: F811
    """No message is late enough for its own limit."""
    between.delay_s = delay_s
    daemon = rig.daemon(*left.words(*ixtapd(rig, nic=between.name)))
    r.wait_for(lambda: left.has("tap0"), "the start is under way")
    assert "told to stop" in stops_soon(daemon)
    assert not left.has("tap0")
    assert not os.path.exists(rig.path("control"))


def test_signal_shortly_before_a_start_fails(rig, left, between):  # noqa: F811
    """The limit of a message comes before that of the signal. Whoever has told the start to stop hears of no failure."""
    between.delay_s = 20
    daemon = rig.daemon(*left.words(*ixtapd(rig, nic=between.name)))
    r.wait_for(lambda: left.has("tap0"), "the start is under way")
    time.sleep(4)  # of the 5 s that a message has
    assert "told to stop" in stops_soon(daemon)
    assert not left.has("tap0")


def test_signal_during_a_start_without_an_answer(rig, left):  # noqa: F811
    """The server's queue is full, so that not even connect(2) returns."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(rig.path("mine"))
        server.listen(0)
        first.connect(rig.path("mine"))
        daemon = rig.daemon(*left.words(*ixtapd(rig, nic=f"vfio-user:{rig.path('mine')}")))
        r.wait_for(lambda: left.has("tap0"), "the start is under way")
        assert "told to stop" in stops_soon(daemon)


@pytest.mark.parametrize("delay_s", [0.5, 4.5])
def test_stop_with_a_slow_server(rig, left, between, delay_s):  # noqa: F811
    daemon = rig.daemon(*left.words(*ixtapd(rig, "--up", nic=between.name))).wait_ready()
    assert asks(rig.path("control"))["state"]
    between.delay_s = delay_s
    stops_soon(daemon)
    assert not left.has("tap0")


def test_a_request_has_an_end(rig, left, between):  # noqa: F811
    """All counters of a slow server would take minutes. The request is answered, and the NIC given up. One that
    comes while something else waits for the NIC, or while it is brought back, is told so."""
    daemon = rig.daemon(*left.words(*ixtapd(rig, nic=between.name))).wait_ready()
    between.delay_s = 2.0

    def given_up():
        answer = asks(rig.path("control"), FOLLOW_S, "stats")
        assert "bridge" in answer or "only status is answered" in answer["error"], answer
        return any(words in daemon.errors() for words in ("trying to bring the NIC back", "the NIC begins anew"))

    r.wait_for(given_up, "the NIC is given up", 2 * FOLLOW_S)
    assert "recovering" in asks(rig.path("control"), ANSWER_S)["state"]
    stops_soon(daemon)


def test_a_signal_during_an_attempt_is_no_fault_of_the_nic(rig, left, between):  # noqa: F811
    daemon = rig.daemon(*left.words(*ixtapd(rig, nic=between.name))).wait_ready()
    between.delay_s = 0.3
    between.hang_up()
    r.wait_for(lambda: asks(rig.path("control"), ANSWER_S)["state"] == "recovering", "the NIC is away")
    answered = between.answered
    r.wait_for(lambda: between.answered > answered + 2, "an attempt is under way, and gets along")
    said = stops_soon(daemon)
    lines = [line for line in said.splitlines() if "given up" in line]
    assert len(lines) == 1 and "told to stop" in lines[0], said
    assert "too slowly" not in said, said


class Manager:
    """A service manager that reads all the time: its queue takes few messages."""

    def __init__(self, path):
        self.heard = 0  # how many WATCHDOG=1
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.thread = threading.Thread(target=self.read)

    def read(self):
        while line := self.socket.recv(4096):
            self.heard += line == b"WATCHDOG=1"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def test_a_signal_while_it_is_looked_after_is_no_fault_of_the_nic(rig, left, between):  # noqa: F811
    daemon = rig.daemon(*left.words(*ixtapd(rig, nic=between.name))).wait_ready()
    between.delay_s, asked = 1.5, between.asked
    r.wait_for(lambda: between.asked > asked, "registers are being read")
    said = stops_soon(daemon)
    assert "bring the NIC back" not in said and "error: " not in said, said


def test_status_is_answered_whatever_the_nic_does(rig, left, between):  # noqa: F811
    """A start, an event and an attempt to bring the NIC back may each take long. Who asks for the status meanwhile
    has it within the time that ixtap waits; who asks for more, or monitors, is answered, too."""
    between.delay_s = 0.3
    daemon = rig.daemon(*left.words(*ixtapd(rig, nic=between.name)), NOTIFY_SOCKET=rig.path("manager"),
                        WATCHDOG_USEC="10000000")
    with Manager(rig.path("manager")) as manager:
        r.wait_for(lambda: live(rig.path("control")), "an answer")

        def status():
            return asks(rig.path("control"), ANSWER_S)

        assert status()["state"] == "opening"
        assert "being opened" in asks(rig.path("control"), ANSWER_S, "stats")["error"]
        between.delay_s = 0.0
        daemon.wait_ready()
        r.wait_for(lambda: status()["state"] == "down", "the start is over")
        assert "bridge" in asks(rig.path("control"), ANSWER_S, "stats")
        between.delay_s = 2.0
        # The counters take it too long; who has asked for them waits, and the others do not.
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as patient:
            patient.connect(rig.path("control"))
            patient.send(b"stats")
            # An event may have been under way, which has its own limit.
            r.wait_for(lambda: manager.heard and status()["state"] == "recovering", "the NIC is given up",
                       2 * FOLLOW_S + ANSWER_S)
        begun, heard = time.monotonic(), manager.heard
        while "attempt 1 to bring" not in daemon.errors():
            assert time.monotonic() - begun < START_S
            answer = status()
            assert answer["state"] == "recovering" and answer["reason"] and "backend" not in answer["nic"]
            assert r.run(r.IXTAP, "--control", rig.path("control"), "status").returncode == 0
            done = r.run(r.IXTAP, "--control", rig.path("control"), "stats", check=False)
            assert done.returncode == 0 or "being brought back" in done.stderr, done.stderr
            with subprocess.Popen([r.IXTAP, "--control", rig.path("control"), "monitor"], text=True,
                                  stdout=subprocess.PIPE, env=r.environment()) as monitor:
                assert "recovering" in monitor.stdout.readline()
                monitor.kill()
        assert time.monotonic() - begun > 20, "the attempt took long"
        assert manager.heard - heard > 10, "the service manager's watchdog heard of it"
        between.delay_s = 0.0
        r.wait_for(lambda: status()["recoveries"] == 1, "the NIC is back", START_S)
        assert "NOTIFY_SOCKET" not in daemon.errors(), daemon.errors()
        assert "bridge" in asks(rig.path("control"), ANSWER_S, "stats")
        stops_soon(daemon)


# ---- Lines without end ----

@pytest.mark.alone
def test_a_link_that_flaps(rig, left):  # noqa: F811
    """Some lines, then a sum; the last line tells what is true. So in ixnic's log."""
    nic = rig.daemon(*left.words(*ixnic(rig, "--control", rig.path("control.nic"),
                                        wire=f"seqpacket:{rig.path('wire')}"))).wait_ready()
    daemon = rig.daemon(*left.words(*ixtapd(rig, "--up", nic=f"vfio-user:{rig.path('nic')}")))
    daemon.wait_ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wire:
        wire.connect(rig.path("wire"))
        r.wait_for(lambda: asks(rig.path("control"))["link"]["up"], "the link")
        for turn in range(1, 61):
            up = turn % 2 == 0
            r.ask(rig.path("control.nic"), f"link {'up' if up else 'down'}")
            r.wait_for(lambda up=up: asks(rig.path("control"))["link"]["up"] == up, "the link")
    assert daemon.stop() == 0
    assert nic.stop() == 0
    for log in (daemon.errors(), nic.errors()):
        lines = [line for line in log.splitlines() if "link " in line]
        assert 10 <= len(lines) <= 20, log
        assert any("the last of" in line for line in lines), log
    lines = [line for line in daemon.errors().splitlines() if "link " in line]
    assert "link up" in lines[-1] and "such lines" in lines[-1], lines
    assert sum(1 if "such lines" not in line else int(line.split("the last of ")[1].split()[0])
               for line in lines) >= 60


@pytest.mark.alone
def test_clients_that_come_without_end(rig, left):  # noqa: F811
    nic = rig.daemon(*left.words(*ixnic(rig, wire=f"seqpacket:{rig.path('wire')}"))).wait_ready()
    for _ in range(500):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(rig.path("nic"))
            client.send(b"\xff" * 16)
            client.recv(16)
    assert nic.stop() == 0
    lines = nic.errors().splitlines()
    assert 10 <= len(lines) <= 20, lines
    assert "dropped the client" in lines[-1] and "such lines" in lines[-1], lines


# ---- A user without any right ----

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all"]


@pytest.fixture
def open_tun(rig):
    """/dev/net/tun is for everybody, as udev makes it. Without udev it may be root's."""
    own = rig.path("tun")
    os.mknod(own, 0o666 | stat.S_IFCHR, os.stat("/dev/net/tun").st_rdev)
    os.chmod(own, 0o666)
    r.run("mount", "--bind", own, "/dev/net/tun")
    yield
    r.run("umount", "/dev/net/tun")


@pytest.mark.usefixtures("open_tun")
@pytest.mark.parametrize("queues", [1, 2])
def test_an_interface_made_for_a_user(rig, left, queues):  # noqa: F811
    """README's way: root makes the TAP for a user, and gives it MTU, address and up. ixtapd needs no
    capability then, and keeps what root has set, as does the interface when ixtapd ends."""
    if r.run(*NOBODY, "test", "-x", r.IXTAPD, check=False).returncode:
        pytest.skip("the build tree is not open to other users")
    right = rig.namespace("right")
    nic = rig.daemon(*left.words(*ixnic(rig, wire="tap:wire0"))).wait_ready()
    left.run("ip", "link", "set", "wire0", "netns", right.name)
    right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
    right.run("ip", "link", "set", "wire0", "mtu", "2000", "up")
    left.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue", "vnet_hdr", "user",
             "65534")
    left.run("ip", "link", "set", "tap0", "mtu", "2000", "up")
    left.run("ip", "address", "add", f"{r.LEFT_V4}/24", "dev", "tap0")
    os.chmod(rig.scratch, 0o711)
    os.chown(rig.path("nic"), 65534, 65534)
    os.mkdir(rig.path("run"))
    os.chown(rig.path("run"), 65534, 65534)
    control = rig.path("run/control")
    daemon = rig.daemon(*left.words(*NOBODY, r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap",
                                    "tap0", "--queues", queues, "--persist", "--control",
                                    control)).wait_ready()
    r.wait_for(lambda: left.carrier("tap0"), "carrier")
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        assert "CapEff:\t0000000000000000" in status.read()
    assert asks(control)["tap"]["mtu"] == 2000
    left.run("ping", "-n", "-q", "-c", 3, "-i", "0.05", "-W", 5, "-s", 1900, "-M", "do", r.RIGHT_V4)
    # What root changes is followed.
    left.run("ip", "link", "set", "tap0", "mtu", "1400")
    r.wait_for(lambda: asks(control)["tap"]["mtu"] == 1400, "the MTU")
    # The kernel does not tell this user where the interface is; the next program finds it all the same.
    before = asks(control)["tap"]
    for _ in range(2):
        assert json.loads(r.run(r.IXTAP, "--control", control, "-j", "upgrade").stdout)["start"] == "warm"
        assert asks(control)["tap"] == before and asks(control)["state"] == "running", daemon.errors()
    left.run("ip", "link", "set", "tap0", "mtu", "2000")
    r.wait_for(lambda: asks(control)["tap"]["mtu"] == 2000, "the MTU")
    left.run("ping", "-n", "-q", "-c", 3, "-i", "0.05", "-W", 5, "-s", 1900, "-M", "do", r.RIGHT_V4)
    assert daemon.stop() == 0
    assert left.has("tap0") and r.LEFT_V4 in left.run("ip", "address", "show", "tap0").stdout
    assert nic.stop() == 0, nic.errors()


def test_a_namespace_that_a_user_may_not_enter(rig, left):  # noqa: F811
    """One line, and nothing of a way back from where nobody has been."""
    if r.run(*NOBODY, "test", "-x", r.IXTAPD, check=False).returncode:
        pytest.skip("the build tree is not open to other users")
    os.chmod(rig.scratch, 0o777)
    other = rig.namespace("other")
    refuse(rig, left, [*NOBODY, *ixtapd(rig, "--netns", other.name)], FAILED, "cannot enter", "CAP_SYS_ADMIN is needed")


def test_ixlat_on_a_stopped_terminal(rig, left):  # noqa: F811
    """Nobody reads the terminal, and it is full: the run ends, and writes its results."""
    rig.daemon(*left.words(r.IXLAT, "reflect", "udp")).wait_ready()
    master, slave = pty.openpty()
    try:
        os.set_blocking(slave, False)
        while select.select([], [slave], [], 0.2)[1]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(slave, b"x")
        os.set_blocking(slave, True)
        words = left.words(r.IXLAT, "udp", "127.0.0.1", "--duration", "2.5", "--json", rig.path("json"))
        with Silent(words, subprocess.DEVNULL, slave) as measured:
            assert measured.process.wait(STOP_S) == 0
        assert os.path.getsize(rig.path("json")) > 100
    finally:
        os.close(master)
        os.close(slave)


def catches(pid, number):
    """Whether the process has a handler for the signal."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return bool(int(re.search(r"SigCgt:\t(\w+)", status.read())[1], 16) >> number - 1 & 1)


def answers(space):
    """Whether a run in the network namespace has had some."""
    udp = [line.split() for line in space.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Udp:")]
    return int(dict(zip(*udp))["InDatagrams"]) > 20


@contextlib.contextmanager
def measuring(rig, space, stdout, stderr, *options):
    """An ixlat in the midst of a run."""
    rig.daemon(*space.words(r.IXLAT, "reflect", "udp")).wait_ready()
    with Silent(space.words(r.IXLAT, "udp", "127.0.0.1", "--rate", "100", "--duration", "60", "--warmup", "0", *options),
                stdout, stderr) as ixlat:
        r.wait_for(lambda: answers(space), "answers")
        yield ixlat


@pytest.mark.parametrize("mode", ["udp", "tcp"])
def test_ixlat_reflects_and_nobody_reads(left, mode):  # noqa: F811
    """Neither that it is ready nor that this could not be written."""
    with unread_pipe() as (_, writer), Silent(left.words(r.IXLAT, "reflect", mode), writer, writer) as ixlat:
        r.wait_for(lambda: catches(ixlat.process.pid, signal.SIGTERM), "the handler")
        assert ixlat.stop() == 1


@pytest.mark.parametrize("output", ["text", "json", "pipe"])
def test_ixlat_has_a_result_and_nobody_reads(rig, left, output):  # noqa: F811
    """The result is dropped, and standard error says so. A file is written all the same."""
    options = {"text": [], "json": ["--json", "-"], "pipe": ["--json", "/dev/fd/1"]}[output]
    with unread_pipe() as (_, writer), open(rig.path("said"), "w+b") as said, \
            measuring(rig, left, writer, said, "--hgrm", rig.path("hgrm"), *options) as ixlat:
        assert ixlat.stop() == 1
        said.seek(0)
        assert b"cannot write to" in said.read()
    assert os.path.getsize(rig.path("hgrm")) > 100


def test_ixlat_has_a_slow_reader(rig, left):  # noqa: F811
    """The signal ends no output that somebody takes."""
    with unread_pipe() as (reader, writer), \
            measuring(rig, left, writer, subprocess.DEVNULL, "--json", "-") as ixlat:
        ixlat.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert json.loads(drained(reader))["interrupted"]
        assert ixlat.process.wait(STOP_S) == 0
