# SPDX-License-Identifier: MIT
"""For the system tests: namespaces, daemons, and a bridge between two namespaces.

      namespace left                                                 namespace right
    +----------------+                                             +----------------+
    | tap0           |    TAP +--------+ vfio-user +-------+  TAP  | wire0          |
    | 192.0.2.1/24   |--------| ixtapd |===========| ixnic |-------| 192.0.2.2/24   |
    | 2001:db8::1/64 |        +--------+ socketpair+-------+       | 2001:db8::2/64 |
    +----------------+             | control          | control.nic  +----------------+
                                  test              test

With a seqpacket wire there is no namespace right: the test itself is the far end.

Nothing here waits for time: wait_for() waits for a condition and fails at a deadline.
"""
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("IXTAP_BUILD") or os.path.join(TOP, "build", "plain")
IXTAPD = os.path.join(BUILD, "bridge", "ixtapd")
IXNIC = os.path.join(BUILD, "tools", "ixnic", "ixnic")
IXTAP = os.path.join(BUILD, "tools", "ixtap", "ixtap")
IXLAT = os.path.join(BUILD, "tools", "ixlat", "ixlat")

DEADLINE_S = 20.0
PING_S = 5  # for an answer
LEFT_V4, RIGHT_V4 = "192.0.2.1", "192.0.2.2"
LEFT_V6, RIGHT_V6 = "2001:db8::1", "2001:db8::2"
NIC_MAC = "02:00:00:00:82:01"

# Every process of a test has this in its environment, and so have its children: it finds them.
MARK = f"IXTAP_TEST={os.getpid()}"
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 1 << 6

libc = ctypes.CDLL(None, use_errno=True)
serial = itertools.count()


def sanitized():
    with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as file:
        return any(option["name"] == "b_sanitize" and option["value"] != "none"
                   for option in json.load(file))


def environment(**more):
    name, value = MARK.split("=")
    return {**os.environ, name: value, **more}


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Calls condition() until it returns something true, and returns that."""
    deadline = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)


def run(*words, check=True, timeout=60, **more):
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True,
                          timeout=timeout, check=False, env=environment(), **more)
    assert not check or done.returncode == 0, \
        f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sleeps(pid):
    """How often the process's first thread has waited for something."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.M)[1])


@contextlib.contextmanager
def asked(path, request):
    """Sends one request to a control socket. The reply, also if it is an {"error"}, and the connection is open."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as connection:
        # Not settimeout(): with it connect() fails at once if the daemon's queue is full.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(DEADLINE_S), 0))
        connection.connect(str(path))
        connection.settimeout(DEADLINE_S)
        connection.send(request.encode())
        yield json.loads(connection.recv(1 << 20))


def ask(path, request):
    with asked(path, request) as reply:
        return reply


class Namespace:
    """A network namespace. Unless told to, its interfaces do not look for duplicates of their IPv6
    addresses, which takes over a second."""

    def __init__(self, label):
        self.name = f"ixt{os.getpid()}-{next(serial)}-{label}"
        run("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")
        self.detect_duplicates(0)

    def detect_duplicates(self, whether):
        """Whether (1 or 0) interfaces that come later look for duplicates."""
        self.run("sh", "-c", "cd /proc/sys/net/ipv6/conf; "
                             f"for each in all default; do echo {whether} >$each/accept_dad; done")

    def words(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, *words, **more):
        # All that ip(8) asks is the kernel, which goes by the namespace: it needs no mounts of its own, and takes half
        # the time without.
        if words[0] != "ip":
            return run(*self.words(*words), **more)
        with self.entered():
            return run(*words, **more)

    def popen(self, *words, **more):
        return subprocess.Popen(self.words(*words), text=True, env=environment(),
                                stdin=subprocess.DEVNULL, **more)

    def link(self, device):
        return json.loads(self.run("ip", "-d", "-j", "link", "show", "dev", device).stdout)[0]

    def has(self, device):
        with contextlib.suppress(OSError), self.entered():  # neither the namespace nor the interface need be there
            return bool(socket.if_nametoindex(device))
        return False

    def runs(self, device):
        """The flag RUNNING, as a program of the namespace would see it."""
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16s24x", device.encode()))
        return bool(struct.unpack_from("H", answer, 16)[0] & IFF_RUNNING)

    def carrier(self, device):
        """Whether the interface has carrier and sends. The flag LOWER_UP comes before the kernel's link
        watch has given the interface its queueing discipline; frames are lost until then."""
        # This is asked again and again; the flag, which the state UNKNOWN has as well, is the cheaper question.
        return self.runs(device) and self.link(device)["operstate"] == "UP"

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the namespace meanwhile. Sockets made there stay in it."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{self.name}", "rb") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def packet_socket(self, device):
        """A raw socket that sends and sees whole frames of the interface."""
        with self.entered():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        raw.bind((device, 0))
        raw.settimeout(DEADLINE_S)
        return raw

    def delete(self):
        run("ip", "netns", "delete", self.name, check=False)


class Daemon:
    """A program that says `ready`, and its log."""

    def __init__(self, words, scratch, **environ):
        self.log = open(os.path.join(scratch, f"log-{next(serial)}"), "w+", encoding="utf-8",
                        errors="replace")
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, bufsize=0,
                                        env=environment(**environ), start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def errors(self):
        """The log, without what a sanitizer says of threads that end while it looks for leaks."""
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return re.sub(r"^==\d+==Running thread \d+ was not suspended\. False leaks are possible\.\n", "", log.read(),
                          flags=re.M)

    def says(self, text):
        """What runs writes its log beside what it does: the line may follow."""
        wait_for(lambda: text in self.errors(), f"the log says '{text}'")

    def wait_ready(self):
        readable, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        assert readable, f"not ready within {DEADLINE_S} s\n{self.errors()}"
        line = os.read(self.process.stdout.fileno(), 64)
        if line != b"ready\n":
            self.kill()
        assert line == b"ready\n", f"said {line!r}\n{self.errors()}"
        return self

    def wait(self):
        """Waits for the end, and returns the exit status."""
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {DEADLINE_S} s\n{self.errors()}") from None

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        self.process.stdout.close()
        self.log.close()


class Bridge(Daemon):
    """ixtapd in the namespace left, with a software NIC. The wire's end, if a TAP, is in right."""

    tap = "tap0"

    def __init__(self, left, right, scratch, *options, wire=None, mtu=1500, environ=None):
        self.left, self.right, self.mtu = left, right, mtu
        self.control = os.path.join(scratch, "control")
        self.nic_control = self.control + ".nic"
        self.wire = "wire0" if wire is None else wire
        nic = "soft:tap:wire0" if wire is None else f"soft:seqpacket:{wire}"
        words = [IXTAPD, "--nic", nic, "--tap", self.tap, "--mac", NIC_MAC,
                 "--address", f"{LEFT_V4}/24", "--address", f"{LEFT_V6}/64", "--up",
                 "--mtu", mtu, "--control", self.control, "--log-level", "debug", *options]
        super().__init__(left.words(*words), scratch, **(environ or {}))

    def plug(self, right_v6=RIGHT_V6):
        """Puts the wire's TAP into the namespace right, and waits for carrier at both ends."""
        self.left.run("ip", "link", "set", self.wire, "netns", self.right.name)
        for words in (["address", "add", f"{RIGHT_V4}/24", "dev", self.wire],
                      ["address", "add", f"{right_v6}/64", "dev", self.wire, "nodad"],
                      ["link", "set", self.wire, "mtu", self.mtu, "up"]):
            self.right.run("ip", *words)
        wait_for(lambda: self.left.carrier(self.tap) and self.right.carrier(self.wire),
                 "carrier at both ends")

    def addresses(self):
        return self.left.run("ip", "-6", "address", "show", "dev", self.tap).stdout

    def connect(self):
        """plug(), and waits until IPv6 can be used, too."""
        self.plug()
        wait_for(lambda: "tentative" not in self.addresses(), "IPv6 addresses without duplicates")
        return self

    def ask(self, request):
        reply = ask(self.control, request)
        assert "error" not in reply, reply["error"]
        return reply

    def nic(self, request):
        reply = ask(self.nic_control, request)
        assert "error" not in reply, reply["error"]
        return reply

    def register(self, name, index=None):
        value = self.nic(f"registers {name}")["registers"][name]
        return value if index is None else value[index]

    def counters(self):
        return self.ask("stats")["bridge"]

    def counter(self, name):
        return self.counters()[name]

    def check_accounts(self):
        """Fails unless received = delivered + named drops, both ways, and no rule of the datasheet was
        broken."""
        def balanced():
            bridge = self.counters()
            return all(bridge[f"{way}_received"] == bridge[f"{way}_delivered"] +
                       sum(value for name, value in bridge.items()
                           if name.startswith(f"{way}_drop_"))
                       for way in ("rx", "tx"))

        wait_for(balanced, f"received = delivered + drops: {self.counters()}", 5)
        violations = self.nic("violations")
        assert violations["total"] == 0, violations["rules"]

    def ping(self, *options, count=5, target=RIGHT_V4):
        """Pings the far end. Every packet must come back: the first, which finds the neighbour, and then the
        others at once. ping waits for the last as long as its interval: -W is for when nothing came at all."""
        for packets in (1, count - 1):
            done = self.left.run("ping", "-n", "-q", "-c", packets, "-l", packets, "-i", PING_S, "-W", PING_S,
                                 *options, target, check=False)
            assert f"{packets} packets transmitted, {packets} received" in done.stdout, \
                done.stdout + done.stderr + self.errors()[-3000:] + self.where_frames_went()

    def where_frames_went(self):
        """All counters, for a failure's log."""
        counted = {**self.counters(), **self.nic("counters")["counters"]}
        shown = [str({name: value for name, value in counted.items() if value})]
        for space, name in ((self.left, self.tap), (self.right, self.wire)):
            for words in (["ip", "-s", "-s", "link", "show", "dev", name], ["tc", "-s", "qdisc", "show", "dev", name],
                          ["ip", "-s", "neighbour", "show", "dev", name], ["nstat", "-as"]):
                shown.append(space.run(*words, check=False).stdout)
        return "\n".join(shown)

    def iperf(self, *options, seconds=1):
        """iperf3's report, with the client in left and the server in right."""
        with self.right.popen("iperf3", "-s", "-1", "--forceflush", "-B", RIGHT_V4,
                              stdout=subprocess.PIPE) as server:
            try:
                while "listening" not in server.stdout.readline():
                    assert server.poll() is None
                done = self.left.run("iperf3", "-J", "-c", RIGHT_V4, "-t", seconds, *options,
                                     check=False)
            finally:
                server.kill()
        report = json.loads(done.stdout)
        assert "error" not in report, report["error"]
        return report["end"]


class Rig:
    """Makes what a test needs and takes it down again, whatever happens."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="ixt-")
        self.namespaces, self.daemons = [], []

    def namespace(self, label):
        self.namespaces.append(Namespace(label))
        return self.namespaces[-1]

    def daemon(self, *words, **environ):
        self.daemons.append(Daemon(words, self.scratch, **environ))
        return self.daemons[-1]

    def bridge(self, *options, connected=True, detect_duplicates=False, **more):
        """A bridge between two namespaces, ready and with carrier."""
        left, right = self.namespace("left"), self.namespace("right")
        if detect_duplicates:
            left.detect_duplicates(1)
        bridge = Bridge(left, right, self.scratch, *options, **more)
        self.daemons.append(bridge)
        bridge.wait_ready()
        return bridge.connect() if connected else bridge

    def path(self, name):
        return os.path.join(self.scratch, name)

    def stop(self):
        """Every bridge that still runs must have kept its accounts, and must stop with status 0."""
        for bridge in self.daemons:
            if isinstance(bridge, Bridge) and bridge.alive():
                bridge.check_accounts()
                assert bridge.stop() == 0, bridge.errors()[-4000:]
                assert not bridge.left.has(bridge.tap), "the TAP is still there"
                for path in (bridge.control, bridge.nic_control):
                    assert not os.path.exists(path), f"{path} is still there"

    def tear_down(self):
        for daemon in self.daemons:
            daemon.close()
        for namespace in self.namespaces:
            namespace.delete()
        shutil.rmtree(self.scratch, ignore_errors=True)


def our_processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                ours = MARK.encode() in environ.read().split(b"\0")
            with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                words = cmdline.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # the process has ended
        if ours and words:
            found[int(pid)] = words
    return found


def leftovers():
    """Removes the processes and namespaces that are left of this run of the tests, and names them."""
    deadline = time.monotonic() + 2
    while (processes := our_processes()) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    names = [name for name in os.listdir("/run/netns") if name.startswith(f"ixt{os.getpid()}-")] \
        if os.path.isdir("/run/netns") else []
    for name in names:
        run("ip", "netns", "delete", name, check=False)
    return [f"process {pid}: {words}" for pid, words in processes.items()] + \
        [f"namespace {name}" for name in names]
