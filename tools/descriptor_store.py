#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands in for a service manager with a store of descriptors, as systemd's is.

    ixtapd ── NOTIFY_SOCKET: FDSTORE=1, a descriptor ──► Store: names and descriptors
       ▲                                                    │
       └── LISTEN_FDS, LISTEN_FDNAMES, descriptors ─────────┘  at the next start

Its rules are those of systemd 252: one name for one file, which is the first that the file had; a store that is full
drops what comes; a name is removed with all that it names; a barrier's descriptor is closed when all before it is done.

    descriptor_store.py FOLDER PROGRAM WORDS...

runs a program so, and again whenever a signal has ended it; the exit status is that of the program when it ends by
itself. Other processes that it started are left alone (KillMode=process). The folder is made, and has the files

    pid     of the program that runs now
    out     what that one has said
    err     what all of them have reported
    names   of what is held, one a line
"""
import array
import contextlib
import ctypes
import fcntl
import os
import socket
import subprocess
import sys
import threading

SYS_KCMP, KCMP_FILE = 312, 0
FIRST_FD, HIGH_FD = 3, 300
ROOM = 256
MESSAGE_BYTES, MESSAGE_FDS = 4096, 64
DEADLINE_S = 20.0
# A shell does not pass descriptors above 9 on.
PASS = f"""import os, sys
for at, fd in enumerate(map(int, filter(None, sys.argv[1].split(",")))):
    os.dup2(fd, {FIRST_FD} + at)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""

libc = ctypes.CDLL(None, use_errno=True)


def same_file(one, other):
    """Whether two descriptors are one open file."""
    answer = libc.syscall(SYS_KCMP, os.getpid(), os.getpid(), KCMP_FILE, one, other)
    assert answer >= 0, os.strerror(ctypes.get_errno())
    return answer == 0


class Store:
    """Listens at `path`. `room`: how many descriptors it holds; `told`: what FDSTORE says."""

    def __init__(self, path, room=ROOM, told=None):
        self.path, self.room, self.told = path, room, room if told is None else told
        self.lock, self.held, self.dropped, self.said = threading.Lock(), [], 0, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)  # a keeper may have any user
        os.chmod(os.path.dirname(self.path), 0o711)
        self.socket.settimeout(0.1)
        self.over, self.drained = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    # ---- What it is told

    def listen(self):
        size = socket.CMSG_LEN(MESSAGE_FDS * array.array("i").itemsize)
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                text, control, _, _ = self.socket.recvmsg(MESSAGE_BYTES, size)
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

    def drain(self):
        """All that it was told so far is done, as systemd does before it looks after processes that ended."""
        self.drained.clear()
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as last:
            last.sendto(b"DRAIN=1", self.path)
        assert self.drained.wait(DEADLINE_S)

    # ---- What it holds

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

    def empty(self):
        """As at the end of the unit."""
        with self.lock:
            for _, fd in self.held:
                os.close(fd)
            self.held.clear()

    # ---- What the next program gets

    def environment(self):
        with self.lock:
            names = [name for name, _ in self.held]
        return {"NOTIFY_SOCKET": self.path, **({"FDSTORE": str(self.told)} if self.told else {}),
                **({"LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names)} if names else {})}

    @contextlib.contextmanager
    def passed_to(self, words):
        """(words of a program that executes these with what is held as its descriptors from 3 on, what subprocess
        has to pass to it)"""
        with self.lock:
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD) for _, fd in self.held]
        try:
            yield [sys.executable, "-ISc", PASS, ",".join(map(str, high)), *map(str, words)], high
        finally:
            for fd in high:
                os.close(fd)

    def close(self):
        self.over.set()
        self.thread.join()
        self.socket.close()
        self.empty()


# ---- The command

def write(path, text):
    """The file is never half written."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.replace(path + ".new", path)


class WrittenStore(Store):
    """A file has the names at all times."""

    def handle(self, message, fds):
        super().handle(message, fds)
        self.write_names()

    def empty(self):
        super().empty()
        self.write_names()

    def write_names(self):
        write(os.path.join(os.path.dirname(self.path), "names"), "".join(f"{name}\n" for name, _ in self.held))


def run(store, folder, words):
    """Runs the program once. A negative number is the signal that has ended it."""
    store.drain()
    with store.passed_to(words) as (command, fds), open(os.path.join(folder, "out"), "wb") as out, \
            open(os.path.join(folder, "err"), "ab") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=fds,
                                   env={**os.environ, **store.environment()}, start_new_session=True)
    write(os.path.join(folder, "pid"), f"{process.pid}\n")
    return process.wait()


def main(folder, *words):
    os.makedirs(folder)
    store = WrittenStore(os.path.join(folder, "notify"))
    try:
        while (status := run(store, folder, words)) < 0:
            pass
    finally:
        store.close()
    return status


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: descriptor_store.py FOLDER PROGRAM WORDS...")
    sys.exit(main(*sys.argv[1:]))
