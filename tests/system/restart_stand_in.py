#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands in for ixtapd, for the tests of restart_rig.py: carries frames between two TAPs while it has a child named
ixtap-driver, and makes another when that was killed. Loses nothing of its own accord.

    restart_stand_in.py LEFT RIGHT CONTROL [FAULT]

makes tap0 and wire0 in the two network namespaces, and answers status and stats at the control socket. With a
fault, each restart does one thing wrong.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

FAULTS = ("lose-received", "lose-sent", "lose-uncounted", "repeat", "repeat-uncounted", "cold", "flap", "leak", "grow", "child",
          "address", "backwards", "name", "early",
          "stuck")
CLONE_NEWNET, PR_SET_NAME, PR_SET_PDEATHSIG = 0x40000000, 15, 1
TUNSETIFF, TUNSETCARRIER, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x400454E2, 0x0002, 0x1000
FRAME_MAX = 65536
libc = ctypes.CDLL(None, use_errno=True)


def ip(netns, *words):
    subprocess.run(["ip", "-n", netns, *words], check=True)


def tap(netns, name, address):
    with open("/proc/self/ns/net", "rb") as home, open(f"/run/netns/{netns}", "rb") as there:
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        assert libc.setns(home.fileno(), CLONE_NEWNET) == 0
    ip(netns, "address", "add", address, "dev", name)
    ip(netns, "link", "set", name, "up")
    return fd


class Keeper:
    def __init__(self, left, right, control, fault):
        self.left, self.right, self.fault = left, right, fault
        self.near, self.far = tap(left, "tap0", "192.0.2.1/24"), tap(right, "wire0", "192.0.2.2/24")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(control)
        self.listener.listen()
        self.starts = {"warm": 0, "cold": 0, "upgrade": 0}
        self.lost, self.repeated = {"tap_reads": 0}, {"posted": 0}
        self.carried, self.dead_ns, self.kept = 0, 0, []
        self.start()

    def start(self):
        named, names = os.pipe()
        self.driver = os.fork()
        if self.driver == 0:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            libc.prctl(PR_SET_NAME, b"another" if self.fault == "name" else b"ixtap-driver", 0, 0, 0)
            os.write(names, b"!")
            while True:
                signal.pause()
        os.read(named, 1)
        os.close(named)
        os.close(names)
        self.running_ns = time.monotonic_ns()
        self.pidfd = os.pidfd_open(self.driver)

    def restart(self):
        """A killed driver's successor."""
        self.dead_ns = time.monotonic_ns()
        os.waitpid(self.driver, 0)
        os.close(self.pidfd)
        self.start()
        self.starts["cold" if self.fault == "cold" else "warm"] += 1
        if self.fault:
            self.go_wrong()

    def go_wrong(self):
        if self.fault == "flap":
            for carrier in (0, 1):
                fcntl.ioctl(self.far, TUNSETCARRIER, struct.pack("i", carrier))
        elif self.fault == "leak":
            self.kept.append(os.dup(self.near))
        elif self.fault == "grow":
            self.kept.append(b"x" * (1 << 20))
        elif self.fault == "child":
            self.kept.append(subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "sleep", "1000"]))
        elif self.fault == "address":
            ip(self.left, "address", "replace", f"192.0.2.{10 + self.starts['warm'] % 200}/24", "dev", "tap0")
        elif self.fault == "backwards":
            self.carried //= 2
        elif self.fault in ("lose-received", "lose-sent", "lose-uncounted"):
            source = self.far if self.fault == "lose-received" else self.near
            select.select([source], [], [], 5)
            with contextlib.suppress(BlockingIOError):
                os.read(source, FRAME_MAX)
                self.lost["tap_reads"] += self.fault != "lose-uncounted"
        elif self.fault in ("repeat", "repeat-uncounted"):
            select.select([self.near], [], [], 5)
            with contextlib.suppress(BlockingIOError):
                frame = os.read(self.near, FRAME_MAX)
                os.write(self.far, frame)
                os.write(self.far, frame)
                self.repeated["posted"] += self.fault == "repeat"

    def carry(self, source, sink):
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                if select.select([self.pidfd], [], [], 0)[0]:
                    return
                frame = os.read(source, FRAME_MAX)
                with contextlib.suppress(OSError):  # the other interface is down
                    os.write(sink, frame)
                self.carried += 1

    def answer(self, request):
        if request == b"stats":
            return {"bridge": {"rx_received": self.carried}}
        last = {"dead_ns": self.dead_ns, "started_ns": self.running_ns, "attached_ns": self.running_ns,
                "running_ns": self.running_ns}
        if self.fault == "early":
            last["attached_ns"] = self.dead_ns - 1
        return {"state": "running", "queues": [{"queue": 0}], "rings": {"rx": 4096, "tx": 4096},
                "driver": {"pid": self.driver, "starts": self.starts, "lost": self.lost, "repeated": self.repeated,
                           "last": last}}

    def run(self):
        while True:
            waiting = [self.listener, self.pidfd]
            if self.fault != "stuck" or not self.dead_ns:
                waiting += [self.near, self.far]
            ready, _, _ = select.select(waiting, [], [])
            if self.pidfd in ready:
                self.restart()
                continue
            if self.listener in ready:
                connection = self.listener.accept()[0]
                connection.send(json.dumps(self.answer(connection.recv(4096))).encode())
                connection.close()
            if self.near in ready:
                self.carry(self.near, self.far)
            if self.far in ready:
                self.carry(self.far, self.near)


if __name__ == "__main__":
    keeper = Keeper(*sys.argv[1:4], (sys.argv[4:] or [None])[0])
    os.write(1, b"ready\n")
    keeper.run()
