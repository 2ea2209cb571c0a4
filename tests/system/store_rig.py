# SPDX-License-Identifier: MIT
"""Stands in for a service manager with a store of descriptors, as systemd's is.

    ixtapd ── NOTIFY_SOCKET: FDSTORE=1, a descriptor ──► Manager: names and descriptors
       ▲                                                    │
       └── LISTEN_FDS, LISTEN_FDNAMES, descriptors ─────────┘  at the next start

Its rules are those of systemd 252: one name for one file, which is the first that the file had; a store that is full
drops what comes; a name is removed with all that it names; a barrier's descriptor is closed when all before it is done.
"""
import array
import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import socket
import struct
import subprocess
import sys
import threading

import restart_rig as k
import rig as r

SYS_KCMP, KCMP_FILE = 312, 0
FIRST_FD, HIGH_FD = 3, 300
ROOM = 256
MEMORY = "ixtap-memory"
# Of struct store_memory: three words, four of the texts, six of the journal, the texts.
TEXT_AT, TEXT_BYTES = 52, 256 << 10
# A shell does not pass descriptors above 9 on.
PASS = f"""import os, sys
for at, fd in enumerate(map(int, filter(None, sys.argv[1].split(",")))):
    os.dup2(fd, {FIRST_FD} + at)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""


def same_file(one, other):
    """Whether two descriptors are one open file."""
    answer = r.libc.syscall(SYS_KCMP, os.getpid(), os.getpid(), KCMP_FILE, one, other)
    assert answer >= 0, os.strerror(ctypes.get_errno())
    return answer == 0


class Keeper(r.Daemon):
    """ixtapd, with descriptors that are passed from 3 on."""

    def __init__(self, words, scratch, fds, **environ):  # pylint: disable=super-init-not-called
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD) for fd in fds]
        self.log = open(os.path.join(scratch, f"log-{next(r.serial)}"), "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen([sys.executable, "-ISc", PASS, ",".join(map(str, high)), *map(str, words)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, bufsize=0, pass_fds=high,
                                        env=r.environment(**environ), start_new_session=True)
        for fd in high:
            os.close(fd)


def places(part, at=()):
    """Where a text names descriptors, and which: (place, number)."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part):
        if name == "fd":
            numbers = value if isinstance(value, list) else [value]
            yield from (((*at, nth), number) for nth, number in enumerate(numbers) if number >= 0)
        elif isinstance(value, (dict, list)):
            yield from places(value, (*at, name))


class Manager:
    """Starts the program `words` again and again. `room`: of the store; `told`: what FDSTORE says."""

    def __init__(self, rig, words, room=ROOM, told=None):
        self.rig, self.words, self.room, self.told = rig, words, room, room if told is None else told
        self.lock, self.held, self.dropped, self.said = threading.Lock(), [], 0, []
        self.path = rig.path(f"notify-{next(r.serial)}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)  # a keeper may have any user
        os.chmod(rig.scratch, 0o711)
        self.socket.settimeout(0.1)
        self.over, self.drained = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()
        self.keeper = None

    # ---- What it is told

    def listen(self):
        size = socket.CMSG_LEN(64 * array.array("i").itemsize)
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                text, control, _, _ = self.socket.recvmsg(4096, size)
                fds = array.array("i")
                for level, kind, data in control:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                        fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                with self.lock:
                    self.handle(dict(line.split("=", 1) for line in text.decode().splitlines()), fds)

    def handle(self, message, fds):
        if "FDSTORE" in message:
            assert message["FDPOLL"] == "0" and len(message["FDNAME"]) < 256 and ":" not in message["FDNAME"]
            for fd in fds:
                self.store(message["FDNAME"], fd)
            return
        for fd in fds:  # of a barrier
            os.close(fd)
        if "FDSTOREREMOVE" in message:
            for name, fd in [each for each in self.held if each[0] == message["FDNAME"]]:
                self.held.remove((name, fd))
                os.close(fd)
        elif "DRAIN" in message:
            self.drained.set()
        else:
            self.said.append(message)

    def store(self, name, fd):
        if len(self.held) >= self.room or any(same_file(fd, held) for _, held in self.held):
            self.dropped += len(self.held) >= self.room
            os.close(fd)
        else:
            self.held.append((name, fd))

    def names(self):
        with self.lock:
            return sorted(name for name, _ in self.held)

    def descriptor(self, name):
        with self.lock:
            return dict(self.held)[name]

    def remove(self, name):
        with self.lock:
            self.handle({"FDSTOREREMOVE": "1", "FDNAME": name}, [])

    def swap(self, name):
        """Another file in its place."""
        self.remove(name)
        with self.lock:
            self.store(name, os.open("/dev/null", os.O_RDWR))

    def handover(self):
        """The text that is stored, or None: also while another one is written in its place."""
        with self.lock:
            if MEMORY not in dict(self.held):
                return None
            with mmap.mmap(dict(self.held)[MEMORY], 0) as memory:
                current, *sizes = struct.unpack_from("II4xI", memory, 8)
                if not current:
                    return None
                at = TEXT_AT + (current - 1) * TEXT_BYTES
                with contextlib.suppress(ValueError):
                    return json.loads(memory[at:at + sizes[current - 1]])
                return None

    def complete(self):
        """Whether what it holds is what there is now."""
        return not self.lacks()

    def lacks(self):
        """Why it is not: another driver, or other descriptors."""
        found = k.descendants(self.keeper.pid)
        drivers = [pid for pid, name in found.items() if name == k.DRIVER]
        text = self.handover()
        if not text or not text["engine"]["running"]:
            return "no NIC"
        stored = text["engine"]["running"]["driver"]["pid"]
        if [stored] != drivers:
            return f"driver {stored}, not {drivers}"
        wanted = {MEMORY, *(f"ixtap-{number}" for number in dict(places(text)).values())}
        return ", ".join(sorted(wanted ^ set(self.names())))

    def empty(self):
        """As at the end of the unit."""
        with self.lock:
            for _, fd in self.held:
                os.close(fd)
            self.held.clear()

    # ---- What it starts

    def drain(self):
        """All that it was told so far is done, as systemd does before it looks after processes that ended."""
        self.drained.clear()
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as last:
            last.sendto(b"DRAIN=1", self.path)
        assert self.drained.wait(r.DEADLINE_S)

    def start(self, ready=True, words=None):
        self.drain()
        with self.lock:
            held = list(self.held)
        more = {"LISTEN_FDS": str(len(held)), "LISTEN_FDNAMES": ":".join(name for name, _ in held)} if held else {}
        if self.told:
            more["FDSTORE"] = str(self.told)
        self.keeper = Keeper(words or self.words, self.rig.scratch, [fd for _, fd in held], NOTIFY_SOCKET=self.path, **more)
        self.rig.daemons.append(self.keeper)
        return self.keeper.wait_ready() if ready else self.keeper

    def kill(self):
        self.keeper.kill()

    def close(self):
        self.over.set()
        self.thread.join()
        self.socket.close()
        self.empty()


class World(k.World):
    """As in restart_rig.py, with a daemon that is another one at times."""

    def __init__(self, manager, *others):
        self.manager = manager
        super().__init__(None, *others)

    @property
    def daemon(self):
        return self.manager.keeper

    @daemon.setter
    def daemon(self, _):
        pass

    def again(self, **more):
        """The keeper is killed, and the next one started."""
        self.manager.kill()
        return self.manager.start(**more)


def addressed(right):
    right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
    right.run("ip", "link", "set", "wire0", "up")


def words_of(rig, left, nic, *options):
    return left.words(r.IXTAPD, "--nic", nic, "--tap", "tap0", "--address", f"{r.LEFT_V4}/24", "--up", "--control",
                      rig.path("control"), "--log-level", "debug", *options)


@contextlib.contextmanager
def managed(rig, kind, *options, io_fds="on", **manager):
    """A bridge under a manager; `kind`: soft or vfio-user. `io_fds`: of that ixnic."""
    left, right = rig.namespace("left"), rig.namespace("right")
    nic, control = rig.path("nic"), rig.path("control")
    if kind == "vfio-user":
        rig.daemon(r.IXNIC, "--socket", nic, "--wire", "tap:wire0", "--netns", right.name, "--control",
                   control + ".nic", "--io-fds", io_fds).wait_ready()
        name = f"vfio-user:{nic}"
    else:
        name = "soft:tap:wire0"
    made = Manager(rig, words_of(rig, left, name, *options), **manager)
    try:
        made.start()
        if kind == "soft":
            left.run("ip", "link", "set", "wire0", "netns", right.name)
        addressed(right)
        r.wait_for(lambda: left.carrier("tap0") and right.carrier("wire0"), "carrier at both ends")
        yield World(made, left, right, control, control + ".nic")
    finally:
        if made.keeper and made.keeper.alive():
            made.keeper.stop()
        made.close()
