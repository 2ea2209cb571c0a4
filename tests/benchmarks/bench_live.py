#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a running ixtapd costs: memory a queue, wake-ups while nothing happens, and system calls a frame.

ixtapd runs with its own software NIC between two namespaces that end with it (tools/contained.py).

    memory      resident memory that a driver shares with the NIC or its successor, and its own, for each queue
    idle        how often all processes but the NIC go to sleep in a second without frames
    loop        system calls of the driver for each frame of a transfer, in the direction of its payload: a large
                segment that the kernel hands over whole is one frame, a received one counts as its frames of the wire.
                The software NIC has its registers behind a socket: each access is a call or two, which a NIC with
                mapped registers does not cost. They are counted apart. Counted by the kernel's tracepoints, which
                cost the driver some nanoseconds a call
"""
import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_restart  # first: finds the tree and the tests' modules
import contained
import rig as r

QUEUES = (1, 2, 4, 16)
IDLE_S, SETTLE_S, LOOP_S = 10, 3, 3
QUIET_S = 25  # a new interface sends for some time; 5 s after that ixtapd looks less often
TRACEFS = "/sys/kernel/tracing"
# For registers behind a socket (ixgbe/backends/region_channel.c).
REGISTER_CALLS = ("sendto", "sendmsg", "recvfrom", "ppoll")
EVENTS = ("raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{call}" for call in REGISTER_CALLS))
LOADS = {
    "tcp_out": ("tx_delivered", []),
    "tcp_in": ("rx_delivered", ["-R"]),
    "udp_out": ("tx_delivered", ["-u", "-b", "100M", "-l", "200"]),
    "udp_in": ("rx_delivered", ["-u", "-b", "100M", "-l", "200", "-R"]),
}


# ---- Processes

def family(pid):
    """{pid: name} of a process and all that came from it."""
    found = {}
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError):
            with open(f"/proc/{one}/comm", encoding="utf-8") as file:
                found[one] = file.read().strip()
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as file:
                    waiting += [int(word) for word in file.read().split()]
    return found


def sleeps(pid):
    """How often threads of the process have gone to sleep."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[1])
    return total


def resident_kib(pid):
    """Of the mappings that may be written: code is everybody's."""
    total, counts = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ (....)", line)
            if head:
                counts = "w" in head[1]
            elif counts and line.startswith("Rss:"):
                total += int(line.split()[1])
    return total


# ---- The measures

@contextlib.contextmanager
def bridge_of(queues):
    rig = r.Rig()
    try:
        bridge = rig.bridge("--queues", queues)
        time.sleep(SETTLE_S)
        yield bridge
        assert bridge.stop() == 0, bridge.errors()
    finally:
        rig.tear_down()


def driver_of(bridge):
    return bridge.ask("status")["driver"]["pid"]


def measure_memory():
    """{queues: MiB a queue}. What does not grow with the queues is in the first."""
    found = {}
    for queues in QUEUES:
        with bridge_of(queues) as bridge:
            found[str(queues)] = round(resident_kib(driver_of(bridge)) / 1024 / queues, 2)
    return found


def measure_idle(bridge):
    """{name: sleeps a second} of all processes but the NIC."""
    time.sleep(QUIET_S)
    members = {pid: name for pid, name in family(bridge.pid).items() if name != "ixnic"}
    before = {pid: sleeps(pid) for pid in members}
    time.sleep(IDLE_S)
    found = {}
    for pid, name in members.items():
        found[name] = round(found.get(name, 0) + (sleeps(pid) - before[pid]) / IDLE_S, 1)
    return found


class Calls:
    """Counts the system calls of a process, if this kernel can."""

    def __init__(self, pid):
        self.out = tempfile.NamedTemporaryFile("r", encoding="utf-8")
        self.perf = subprocess.Popen(["perf", "stat", "-x", ",", "-o", self.out.name, "-e", ",".join(EVENTS),
                                      "-p", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        assert self.perf.poll() is None, self.perf.stderr.read()

    def end(self):
        """(calls but those for registers, all calls)"""
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()
        text = self.out.read()
        counted = {event: int(count) for count, event in re.findall(r"^(\d+),,(\S+?),", text, re.M)}
        assert set(EVENTS) <= set(counted), text
        every = counted.pop(EVENTS[0])
        return every - sum(counted.values()), every


def tracing():
    """Whether system calls can be counted here."""
    if not os.path.isdir(f"{TRACEFS}/events"):
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACEFS], check=False, stderr=subprocess.DEVNULL)
    done = subprocess.run(["perf", "stat", "-e", "raw_syscalls:sys_enter", "true"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def measure_loop(bridge, rounds):
    """{load: {calls a frame, and the rounds' range}}"""
    found = {}
    for load, (counter, options) in LOADS.items():
        per_frame, with_registers = [], []
        for _ in range(rounds):
            calls, before = Calls(driver_of(bridge)), bridge.counter(counter)
            bridge.iperf(*options, seconds=LOOP_S)
            frames = bridge.counter(counter) - before
            own, every = calls.end()
            per_frame.append(own / max(frames, 1))
            with_registers.append(every / max(frames, 1))
        found[load] = {"median": round(statistics.median(per_frame), 3), "least": round(min(per_frame), 3),
                       "most": round(max(per_frame), 3), "all": round(statistics.median(with_registers), 3)}
    return found


def measure(rounds):
    result = {"memory": {"mib": measure_memory()}}
    with bridge_of(1) as bridge:
        each = measure_idle(bridge)
        result["idle"] = {"wakeups_per_s": round(sum(each.values()), 1), "each": each}
        if tracing():
            loop = measure_loop(bridge, rounds)
            result["loop"] = {"syscalls_per_frame": {load: row["median"] for load, row in loop.items()},
                              "syscalls_per_frame_range": {load: [row["least"], row["most"]]
                                                           for load, row in loop.items()},
                              "with_registers": {load: row["all"] for load, row in loop.items()}}
    return result


# ---- Results

def show(result):
    print("Resident memory of the driver, MiB a queue")
    for queues, mib in result["memory"]["mib"].items():
        print(f"  {queues:>3} queues {mib:>8.1f}")
    print("\nSleeps a second without frames")
    for name, each in result["idle"]["each"].items():
        print(f"  {name:<16}{each:>8.1f}")
    print(f"  {'all':<16}{result['idle']['wakeups_per_s']:>8.1f}")
    if "loop" not in result:
        print("\nThis kernel does not count system calls (perf, raw_syscalls): no calls a frame")
        return
    print(f"\n{'System calls of the driver a frame':<34}{'range':>16}{'with registers':>16}")
    for load, calls in result["loop"]["syscalls_per_frame"].items():
        least, most = result["loop"]["syscalls_per_frame_range"][load]
        print(f"  {load:<16}{calls:>8.2f}{f'{least:.2f} to {most:.2f}':>24}"
              f"{result['loop']['with_registers'][load]:>16.2f}")


def measured(options):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        result = measure(options.rounds)
    except AssertionError as reason:
        print(f"bench_live: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(result)
    if options.json:
        json.dump(result, options.json, indent=1)
        options.json.write("\n")
        options.json.flush()
    return 0


def rounds(text):
    if not re.fullmatch("[0-9]{1,3}", text) or not int(text):
        raise argparse.ArgumentTypeError("a number from 1 to 999")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w", encoding="utf-8"),
                        help="write the results as JSON too")
    parser.add_argument("--rounds", metavar="N", type=rounds, default=5, help="transfers of each kind (%(default)s)")
    options = parser.parse_args()
    packages = os.path.join(bench_restart.TOP, "tools", "packages")
    if subprocess.run([packages, "build", "test", "demo", "live"], check=False).returncode:
        sys.exit(1)
    if os.geteuid() != 0:
        sys.exit("bench_live: needs root: it makes network namespaces")
    bench_restart.build()
    return contained.contained(lambda: measured(options))


if __name__ == "__main__":
    contained.speak_to_any()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
