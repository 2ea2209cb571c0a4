# SPDX-License-Identifier: MIT
"""DPDK in the guest: testpmd, and the two ways by which DPDK gives the kernel an interface.

      far end ==wire== ixnic ==VFIO== testpmd, port 0 -- port 1 == dtap0 | vtap0, the kernel's

    net_tap       port 1 reads and writes a TAP
    virtio-user   port 1 is a virtio NIC whose other half is the kernel's vhost-net, over a TAP

testpmd runs in a root of its own (store.py), read-only. It has a terminal, since it would buffer what
it prints to anything else. Its main thread waits for commands; its thread on processor 1 forwards,
and is always busy.
"""
import contextlib
import re
import time

from machine import NEAR_V4, NIC_MAC
from store import Failure

ROOT = "/run/dpdk"
COMMANDS, OUT, ERR, PID, CODE = (f"/run/testpmd.{name}"
                                 for name in ("in", "out", "err", "pid", "code"))
PROMPT = "testpmd> "
REFUSED = re.compile(r"Bad arguments|Command not found|Ambiguous command|not supported|"
                     r"\b[Ff]ail(ed)?\b|\b[Ii]nvalid\b")
HUGE_PAGES = 64  # of 2 MiB
MBUFS = 8192
START_S, COMMAND_S, STOP_S = 60, 20, 30
QUEUE_SIZE = 1024


def shares(lab):
    """For Lab.start(): the folders that prepare() mounts."""
    return {"dpdk": lab.store.dpdk()}


def prepare(lab):
    """To be called once for a guest. It does not bind the NIC to vfio-pci."""
    lab.guest.sh(
        f"mkdir -p {ROOT} /dev/pts && mount -t devpts devpts /dev/pts && "
        f"mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro dpdk {ROOT} && "
        f"for each in dev proc sys; do mount --rbind /$each {ROOT}/$each || exit; done && "
        f"for each in run tmp; do mount -t tmpfs dpdk {ROOT}/$each || exit; done && "
        f"mkfifo {COMMANDS} && echo {HUGE_PAGES} >/proc/sys/vm/nr_hugepages")
    have = int(lab.guest.sh("cat /proc/sys/vm/nr_hugepages"))
    if have != HUGE_PAGES:
        raise Failure(f"the guest gives {have} of {HUGE_PAGES} huge pages")


# Makes plain text of a terminal's output. testpmd reports a change of the link at once, even within a
# prompt.
PLAIN = (r"tr -d '\r' | sed -z 's/\x1b\[[0-9;]*[A-Za-z]//g; "
         r"s/\nPort [0-9]*: link state change event\n//g'")


class Testpmd:
    """A running testpmd. begin() and quit(), or a with statement, start and end it."""

    def __init__(self, lab, *options, eal=()):
        self.lab, self.guest = lab, lab.guest
        # The NIC gets virtual addresses. They must fit the IOMMU, which has 39 bits (machine.py); EAL maps
        # memory from 4 GiB upward, well below that.
        words = ["dpdk-testpmd", "-l", "0,1", "--main-lcore", "0", "--in-memory", "--iova-mode=va",
                 "--no-telemetry", "--log-level=pmd.net.ixgbe.init:debug", "-a", lab.bdf, *eal,
                 "--", "-i", f"--total-num-mbufs={MBUFS}", *options]
        self.text = " ".join(words)

    def begin(self):
        if self.guest.try_sh(f"test -e {PID} -a ! -e {CODE}")[0] == 0:
            self.kill()  # a check that failed left it
        self.guest.sh(
            f"rm -f {CODE} {PID}; : >{OUT}; (script -qef -c 'echo $$ >{PID}; "
            f"exec chroot {ROOT} {self.text} 2>{ERR}' {OUT} <>{COMMANDS} >/dev/null 2>&1; "
            f"echo $? >{CODE}) >/dev/null 2>&1 &")
        deadline = time.monotonic() + START_S
        while PROMPT not in self.guest.sh(f"<{OUT} {PLAIN}"):
            ended = self.guest.try_sh(f"test -e {CODE}")[0] == 0
            if ended or time.monotonic() > deadline:
                said = self.said()
                self.kill()
                raise Failure(f"testpmd {'ended' if ended else 'hangs'} at its start: {said}")
            time.sleep(0.1)

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, kind, error, _):
        try:
            if kind is None:
                self.quit()
        finally:
            self.kill()

    def log(self):
        return self.guest.sh(f"cat {ERR}; <{OUT} {PLAIN}")

    def said(self, lines=8):
        return "\n    ".join(self.log().splitlines()[-lines:])

    def kill(self):
        self.guest.sh(f"test -e {CODE} || kill -9 $(cat {PID})")
        self.guest.until(f"test -e {CODE}", None, STOP_S)

    def quit(self):
        """Stops and closes its ports, and must end with status 0."""
        # <> does not wait for a reader, should testpmd have ended.
        self.guest.sh(f"echo quit 1<>{COMMANDS}")
        self.guest.until(f"cat {CODE}", "0", STOP_S)

    def do(self, *commands, timeout=COMMAND_S):
        """Types the commands, each after the prompt that follows the last one. Returns what they print."""
        output = []
        for command in commands:
            text = self.guest.sh(
                f"start=$(($(stat -c %s {OUT}) + 1)); echo '{command}' 1<>{COMMANDS}; "
                f"said() {{ tail -c +$start {OUT} | {PLAIN}; }}; "
                # Not $SECONDS, which is of the wall clock.
                f"up() {{ read up _ </proc/uptime; up=${{up%.*}}; }}; up; end=$((up + {timeout})); "
                f"until said | grep -q '{PROMPT}' || test -e {CODE} -o $up -gt $end; do up; "
                f"sleep 0.$((tries++ < 20 ? 1 : 9)); done; said", timeout + 10)
            answer, prompt, _ = text.partition(PROMPT)
            if not prompt:
                raise Failure(f"testpmd: '{command}' is not done in {timeout} s: {self.said()}")
            if not command.startswith("show") and REFUSED.search(answer):
                raise Failure(f"testpmd: '{command}': {answer.partition(chr(10))[2].strip()}")
            output.append(answer.partition("\n")[2])
        return "\n".join(output)


# ---- The two ways to the kernel ----

def pid(lab):
    return int(lab.guest.sh(f"cat {PID}"))


def cpu_seconds(lab):
    """Processor time that testpmd and the kernel's vhost threads have used: {thread: seconds}."""
    text = lab.guest.sh(
        f"getconf CLK_TCK; for each in $(cat {PID}) $(pgrep '^vhost-' || true); do "
        f"cat /proc/$each/task/*/stat 2>/dev/null; done | awk '!seen[$1]++'")
    ticks, *rows = text.splitlines()
    result = {}
    for row in rows:
        head, _, rest = row.rpartition(")")
        fields = rest.split()
        user, system = int(fields[11]), int(fields[12])  # fields 14 and 15 of proc(5)
        result[head.replace(" (", " ", 1)] = (user + system) / int(ticks)
    return result


@contextlib.contextmanager
def exception_path(lab, port, vdev):
    with Testpmd(lab, "--forward-mode=io", eal=(f"--vdev={vdev}",)) as pmd:
        pmd.do("start")
        lab.guest.sh(f"ip address add {NEAR_V4}/24 dev {port} && ip link set {port} up")
        lab.guest.until(f"cat /sys/class/net/{port}/carrier", "1")
        yield port
        pmd.do("stop")


def net_tap(lab):
    """The interface by which the kernel reaches the wire through net_tap, with its address."""
    lab.guest.sh("modprobe tun")
    return exception_path(lab, "dtap0", f"net_tap0,iface=dtap0,mac={NIC_MAC}")


def virtio_user(lab):
    """As net_tap(), through virtio-user and vhost-net."""
    lab.guest.sh("modprobe -a tun vhost_net")
    return exception_path(lab, "vtap0", f"virtio_user0,path=/dev/vhost-net,queues=1,"
                                        f"queue_size={QUEUE_SIZE},iface=vtap0,mac={NIC_MAC}")
