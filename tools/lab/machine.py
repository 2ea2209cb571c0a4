# SPDX-License-Identifier: MIT
"""The virtual machine, the software NIC in it and the far end of the NIC's cable.

      guest (QEMU, TCG)                          host
    +-------------------------+              +-----------------------+
    | driver -- IOMMU -- PCIe |--vfio-user---| ixnic                 |
    |                         |              |   | TAP wire0         |
    | agent.py                |--virtio port-| lab.py                |
    | / (read-only, by 9p)    |--------------| /                     |
    +-------------------------+              +---|-------------------+
                                             | namespace lab-far     |
                                             | 192.0.2.2/24          |
                                             +-----------------------+

All of it runs in namespaces of its own (contained.py). So all of it ends with us, however we end.
"""
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import contained
from store import Failure, Unavailable, command

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAR, WIRE = "lab-far", "wire0"  # further NICs have wire1, wire2, ...
NEAR_V4, FAR_V4 = "192.0.2.1", "192.0.2.2"  # RFC 5737
NIC_MAC = "02:00:00:00:82:01"
NIC_ID = "0x8086:0x10fb"
BOOT_S, COMMAND_S, GRACE_S, DAEMON_S = 90, 60, 30, 10
TAIL_LINES = 25
INITRAMFS = "initramfs"  # in the lab's folder
# What the IOMMU of many machines in use can translate. QEMU would choose 48.
IOMMU_BITS = 39
# Without fast string moves (ERMS, FSRM). A kernel that sees these flags copies with "rep movsb", which
# TCG does byte by byte. A comparison would then say little more than how much each driver copies.
NICS_MAX = 8
CPU, CPUS = "max,-erms,-fsrm", 2
CLONE_NEWNET = 0x40000000


def far_v4(number):
    """The address at the far end of a NIC's wire; NIC 0 has FAR_V4. RFC 5737 and, from NIC 3 on, RFC 2544."""
    return (FAR_V4, "198.51.100.2", "203.0.113.2", *(f"198.18.{each}.2" for each in range(3, NICS_MAX)))[number]


class Dead(Failure):
    """The guest hangs or has ended. No further check can run."""


def tail(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip() for line in file if line.strip()]
    except OSError:
        return ""
    return "".join(f"\n  {os.path.basename(path)}: {line}" for line in lines[-TAIL_LINES:])


class Place:
    """A place where commands run. sh(text) returns the output of one, or fails with what it said."""

    def sh(self, text, timeout=COMMAND_S):
        code, out, err = self.try_sh(text, timeout)
        if code == 0:
            return out
        said = (err.strip() or out.strip()).splitlines()[-3:]
        what = f"not done after {timeout} s" if code == 124 else f"status {code}"
        raise Failure(": ".join([f"{self.name}: {text.strip()}", what, *said]))

    def try_sh(self, text, timeout=COMMAND_S):
        raise NotImplementedError

    def until(self, text, wanted, deadline_s=20):
        """Waits until the command's output is `wanted`, or until it succeeds if that is None."""
        deadline = time.monotonic() + deadline_s
        while True:
            code, out, err = self.try_sh(text)
            if code == 0 and wanted in (None, out.strip()):
                return
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: {text}: not {wanted!r} within {deadline_s} s, but "
                              f"{(out or err).strip()!r}")
            time.sleep(0.1)


class Far(Place):
    """The namespace at the far end of the wire."""
    name = FAR

    def __init__(self):
        self.programs = []

    def words(self, *words):
        return ("ip", "netns", "exec", FAR, *words)

    def try_sh(self, text, timeout=COMMAND_S):
        try:
            done = subprocess.run(self.words("bash", "-c", text), stdin=subprocess.DEVNULL,
                                  text=True, errors="backslashreplace", capture_output=True,
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return 124, "", ""
        return done.returncode, done.stdout, done.stderr

    @contextlib.contextmanager
    def running(self, *words, until=None):
        """Runs the program meanwhile. First waits for a line of its output that contains `until`."""
        with subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL, text=True, errors="backslashreplace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              preexec_fn=contained.die_with_parent) as process:
            try:
                if until and not any(until in line for line in process.stdout):
                    raise Failure(f"{self.name}: {words[0]} ended before it said '{until}'")
                yield
            finally:
                process.kill()

    def start(self, log, *words):
        """Runs the program until the lab ends, with a file for what it says."""
        with open(log, "w", encoding="utf-8") as file:
            self.programs.append(subprocess.Popen(
                self.words(*words), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                preexec_fn=contained.die_with_parent))

    def close(self):
        for program in self.programs:
            program.kill()
            program.wait()

    def packet_socket(self):
        """A raw socket on the wire's end."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{FAR}", os.O_RDONLY)
        try:
            check = contained.check
            check(contained.libc.setns(there, CLONE_NEWNET), "setns")
            try:
                raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            finally:
                check(contained.libc.setns(home, CLONE_NEWNET), "setns")
        finally:
            os.close(home)
            os.close(there)
        raw.bind((WIRE, 0))
        return raw


class Nic:
    """ixnic, with its control socket."""

    def __init__(self, build, folder, wire, mac, name="nic"):
        self.socket = os.path.join(folder, f"{name}.sock")
        self.control = os.path.join(folder, f"{name}.control")
        self.log = os.path.join(folder, f"ix{name}.log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.path.join(build, "tools", "ixnic", "ixnic"), "--socket", self.socket,
                 "--control", self.control, "--mac", mac, *wire],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                errors="backslashreplace",
                preexec_fn=contained.die_with_parent)
        if self.process.stdout.readline() != "ready\n":
            self.process.kill()
            self.process.wait()
            raise Failure(f"ixnic did not start{tail(self.log)}")

    def ask(self, request):
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as connection:
            connection.settimeout(DAEMON_S)
            try:
                connection.connect(self.control)
                connection.send(request.encode())
                reply = json.loads(connection.recv(1 << 20))
            except (OSError, ValueError) as error:
                raise Dead(f"ixnic answers '{request}' no more: {error}{tail(self.log)}") from None
        if "error" in reply:
            raise Failure(f"ixnic: {reply['error']}")
        return reply

    @contextlib.contextmanager
    def held(self):
        """ixnic stands still meanwhile: what comes, it finds together."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.process.terminate()
        try:
            return self.process.wait(DAEMON_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def virtual_processors(pid):
    """{number: thread} of a QEMU. QEMU names its threads."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8", errors="replace") as file:
            number = re.match(r"CPU (\d+)/TCG", file.read())
        if number:
            found[int(number[1])] = int(task)
    return found


def kernel_words(iommu):
    """The guest's kernel command line."""
    # no_timer_check: to the kernel, a virtual processor that waits looks like a broken timer.
    return ("console=ttyS0 panic=-1 oops=panic random.trust_cpu=on no_timer_check intel_iommu=on "
            f"iommu={iommu or 'off'}")


class Guest(Place):
    name = "guest"
    over = None  # why nothing is asked any more: an exception

    def __init__(self, store, kernel, nics, folder, build, iommu="nopt", shares=None, boot=None, memory_mib=1024,
                 words=""):
        """`iommu` is "nopt" (the DMA of the kernel's own drivers is translated too), "pt" (it is passed
        through) or None (there is no IOMMU). `shares` are further folders that the guest may mount,
        {9p tag: path}. `boot` is a program of the store that QEMU loads in place of kernel and initramfs.
        `words` are further ones of the kernel's command line."""
        self.folder, self.nics, self.iommu, self.more_shares = folder, nics, iommu, shares or {}
        self.boot, self.memory_mib, self.words = boot, memory_mib, words
        self.console_log = os.path.join(folder, "console.log")
        self.console = os.path.join(folder, "console.sock")
        self.wire = os.path.join(folder, "wire-port.sock")
        self.log = os.path.join(folder, "qemu.log")
        self.port = None
        self.pending = b""
        root = store.tools()
        self.binds(root, store.path, build)
        initramfs = store.initramfs(kernel, os.path.join(folder, INITRAMFS))
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["nice", "-n", "15", "chroot", root, "qemu-system-x86_64",
                 *self.options(kernel, initramfs, store.path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=contained.die_with_parent)
        self.connect()
        self.spread()

    @staticmethod
    def binds(root, cache, build):
        """What QEMU sees of the host: / in /mnt, the programs in /media, sockets in /run, the
        cache in /srv."""
        for path, seen in (("/", "mnt"), (build, "media"), ("/run", "run"), (cache, "srv"),
                           ("/dev", "dev")):
            command("mount", "--bind", path, os.path.join(root, seen))

    def options(self, kernel, initramfs, cache):
        def seen(path):
            return os.path.join("/srv", os.path.relpath(path, cache))

        shares = {"root": "/mnt", "modules": seen(kernel.modules), "build": "/media",
                  **{tag: seen(path) for tag, path in self.more_shares.items()}}
        port = os.path.join(self.folder, "agent.sock")
        # eim: interrupts go to an x2APIC, as on servers. With an xAPIC each costs accesses to several
        # emulated registers.
        iommu = ["-device", "intel-iommu,caching-mode=on,intremap=on,eim=on,"
                 f"aw-bits={IOMMU_BITS}"] if self.iommu else []
        return [
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", str(CPUS), "-m", f"{self.memory_mib}M",
            "-machine", "q35,memory-backend=mem",
            "-object", f"memory-backend-memfd,id=mem,size={self.memory_mib}M,share=on",
            *iommu, *(word for nic in self.nics for word in ("-device", json.dumps(
                {"driver": "vfio-user-pci", "socket": {"type": "unix", "path": nic.socket}}))),
            *(word for tag, path in shares.items() for word in (
                "-virtfs", f"local,path={path},mount_tag={tag},security_model=none,"
                           "multidevs=remap,readonly=on")),
            "-device", "virtio-serial-pci", "-chardev",
            f"socket,id=agent,path={port},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=ixtap-lab",
            "-chardev", f"socket,id=wire,path={self.wire},server=on,wait=off",
            "-device", "virtserialport,chardev=wire,name=ixtap-wire",
            "-chardev", f"socket,id=console,path={self.console},server=on,wait=off,"
                        f"logfile={self.console_log}", "-serial", "chardev:console",
            *(["-kernel", seen(self.boot), "-machine", "graphics=off"] if self.boot else
              ["-kernel", seen(kernel.image), "-initrd", initramfs, "-append",
               f"{kernel_words(self.iommu)} {self.words}"]),
        ]

    def reason(self):
        return f"{self.starved()}{tail(self.log)}{tail(self.console_log)}"

    def starved(self):
        """Says if the guest's processors waited for ours longer than they ran. Such a guest only looks as
        if it hangs. A thread's schedstat begins with the times that it ran and waited, in ns
        (Linux, Documentation/scheduler/sched-stats.rst)."""
        ran = waited = 0
        with contextlib.suppress(OSError):  # QEMU has ended
            for task in virtual_processors(self.process.pid).values():
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat", encoding="ascii") as file:
                    times = [int(word) / 1e9 for word in file.read().split()[:2]]
                ran, waited = ran + times[0], waited + times[1]
        if waited <= ran:
            return ""
        return (f"\n  its processors ran {ran:.0f} s and waited {waited:.0f} s for ours, which other programs keep "
                "busy: end those, or try again later")

    def connect(self):
        deadline = time.monotonic() + BOOT_S
        path = os.path.join(self.folder, "agent.sock")
        while True:
            self.port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.port.connect(path)
                break
            except OSError:
                self.port.close()
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Dead(f"QEMU did not start{self.reason()}") from None
                time.sleep(0.05)
        self.release = self.reply(BOOT_S, "boot")["ready"]

    def spread(self):
        """Gives each virtual processor one of ours. The host's scheduler would now and then run both on
        one of ours for milliseconds, while the other is idle."""
        ours = sorted(os.sched_getaffinity(0))
        threads = virtual_processors(self.process.pid)
        if sorted(threads) != [*range(CPUS)]:
            raise Failure(f"{len(threads)} of QEMU's threads are named like a virtual processor (\"CPU 0/TCG\"), "
                          f"not {CPUS}: they cannot be spread over ours; a new version of QEMU?")
        for number, task in threads.items():
            os.sched_setaffinity(task, {ours[number % len(ours)]})

    @contextlib.contextmanager
    def giving_way(self):
        """The guest's processors give way to all other programs meanwhile, the NIC and the far end above
        all. A "nice" value is not enough. With one, a virtual processor that polls runs on until the host's
        next tick, for up to 4 ms, while the NIC whose doorbell it rang waits; hardware never waits."""
        threads = [*virtual_processors(self.process.pid).values()]
        for task in threads:
            os.sched_setscheduler(task, os.SCHED_IDLE, os.sched_param(0))
        try:
            yield
        finally:
            for task in threads:
                with contextlib.suppress(ProcessLookupError):  # QEMU may have ended meanwhile
                    os.sched_setscheduler(task, os.SCHED_OTHER, os.sched_param(0))

    def reply(self, timeout, what):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.pending:
            left = max(deadline - time.monotonic(), 0)
            if not select.select([self.port], [], [], left)[0]:
                raise Dead(f"the guest hangs: no answer in {timeout} s ({what}){self.reason()}")
            with self.alive(what):
                data = self.port.recv(65536)
                if not data:
                    raise ConnectionResetError
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    @contextlib.contextmanager
    def alive(self, what):
        """For all uses of the port. They fail in one way or another when QEMU has ended."""
        try:
            yield
        except ConnectionError:
            raise Dead(f"the guest ended ({what}){self.reason()}") from None

    def ask(self, request, timeout, what):
        if self.over:
            raise self.over
        try:
            with self.alive(what):
                self.port.sendall(json.dumps(request).encode() + b"\n")
            return self.reply(timeout, what)
        except Dead as reason:
            self.over = reason
            raise

    def try_sh(self, text, timeout=COMMAND_S):
        done = self.ask({"run": text, "timeout": timeout}, timeout + GRACE_S, text.strip())
        return done["code"], done["out"], done["err"]

    def close(self):
        if self.port:
            self.port.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Lab:
    """What a scenario works with: far, nic and guest. `build` is the folder of the programs. `short` asks
    for the same checks with less traffic and fewer repetitions."""

    def __init__(self, store, version, build, folder, short=False,
                 progress=lambda what: None):
        self.store, self.version, self.build, self.folder = store, version, build, folder
        self.short, self.progress = short, progress
        self.far = Far()
        self.guest = None
        self.nics = []
        self.nics_wanted, self.guest_options = 1, {}  # what the command line asks for

    @property
    def nic(self):
        return self.nics[0]

    def start(self, wire=("--wire", f"tap:{WIRE}", "--netns", FAR), mac=NIC_MAC, before=lambda: None, **guest):
        """`guest`: further arguments for Guest(). before() is called when the far end stands, and the guest
        does not run yet."""
        try:
            os.close(os.memfd_create("lab"))
        except OSError as error:
            raise Unavailable(f"this system makes no memfd: {error.strerror}; the guest's memory is "
                              "one, so that ixnic can reach it") from None
        command("ip", "netns", "add", FAR)
        self.nics.append(Nic(self.build, self.folder, wire, mac))
        if f"tap:{WIRE}" in wire:
            self.far.sh(f"sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set lo up && "
                        f"ip address add {FAR_V4}/24 dev {WIRE} && ip link set {WIRE} up")
        self.add_nics()
        before()
        self.guest = Guest(self.store, self.store.kernel(self.version), self.nics, self.folder,
                           self.build, **guest, **self.guest_options)
        self.guest.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
                      "net.ipv6.conf.default.disable_ipv6=1")

    def add_nics(self):
        """The NICs after the first, each with a wire to the far end and addresses of its own."""
        for number in range(1, self.nics_wanted):
            wire = f"wire{number}"
            self.nics.append(Nic(self.build, self.folder, ("--wire", f"tap:{wire}", "--netns", FAR),
                                 f"{NIC_MAC[:-1]}{number + 1:x}", f"nic{number}"))
            self.far.sh(f"ip address add {far_v4(number)}/24 dev {wire} && ip link set {wire} up")

    def log_of(self, program):
        return os.path.join(self.folder, f"{program}.log")

    def over(self, reason):
        """Raises `reason` now, and whenever the guest is asked again. What cleans up may ask again; it
        would take the late answer to the question that this ends for the answer to its own."""
        if self.guest:
            self.guest.over = reason
        raise reason

    def close(self):
        for part in (self.guest, *self.nics, self.far):
            if part:
                part.close()
