#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the death of the driver costs: kill -9 of ixtap-driver at random moments under numbered frames.

tests/system/restart_rig.py draws the set-up, and has the kills and what must hold; bench_restart.c has the frames. This
file has the load beside them, the wait for a quiet machine, and the tables. All of it runs in namespaces that end with
it (tools/contained.py).

The times are between these points:

    kill .. pidfd readable .. first access to a register .. first frame of the new driver, either way
            (the kernel)      (told by ixtapd)              (the kernel's stamp at the far end)

A bare process with as much memory mapped, and an io_uring, is killed beside each driver. The largest gap between two
arrivals around a kill stands beside the largest gap around a moment without a kill.
"""
import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(TOP, "build", "bench")
sys.path[:0] = [os.path.join(TOP, "tests", "system"), os.path.join(TOP, "tools")]
os.environ["IXTAP_BUILD"] = os.environ.get("IXTAP_BUILD") or TREE

import contained  # noqa: E402
import restart_rig as k  # noqa: E402
import rig as r  # noqa: E402

PROGRAMS = ("bridge/ixtapd", "tools/ixnic/ixnic", "tools/ixtap/ixtap", "tests/benchmarks/bench_restart",
            "tests/benchmarks/values_hgrm")
IF_KNOWN = "bridge/ixtap-driver"  # of a tree that has it
QUIET_LOAD, QUIET_S, QUIET_WAIT_S = 0.3, 10, 900
SHORT_KILLS, WITHOUT_KILLS_S = 20, 5
TAP_QUEUE = 1000  # frames
SERIES = {
    "dead": "kill to pidfd readable",
    "bare": "  a bare process beside it",
    "register": "pidfd to first register access",
    "register_to_frame_sent": "register to first frame sent",
    "register_to_frame_received": "register to first frame received",
    "frame_sent": "pidfd to first frame sent",
    "frame_received": "pidfd to first frame received",
    "frame": "ours: pidfd to both",
    "upgrade": "upgrade: one driver to the next",
    "gap_sent": "largest gap, sent",
    "no_kill_sent": "  without a kill",
    "gap_received": "largest gap, received",
    "no_kill_received": "  without a kill",
}
COLUMNS = {"least": "min_ns", "median": "p50_ns", "90 %": "p90_ns", "99 %": "p99_ns", "99.9 %": "p99_9_ns",
           "most": "max_ns"}


# ---- Before

def build():
    """Nothing, where the environment names a tree."""
    if os.environ["IXTAP_BUILD"] != TREE:
        return
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": TOP}
    steps = [["ninja", "-C", TREE, *PROGRAMS]]
    if not os.path.exists(os.path.join(TREE, "build.ninja")):
        steps.insert(0, ["meson", "setup", TREE, "-Dbuildtype=debugoptimized", "-Db_ndebug=true"])
    for step in steps:
        if step[0] == "ninja" and subprocess.run(["ninja", "-C", TREE, "-t", "query", IF_KNOWN], check=False,
                                                 **quiet).returncode == 0:
            step.append(IF_KNOWN)
        done = subprocess.run(step, check=False, **quiet)
        if done.returncode:
            sys.exit(f"{' '.join(step)} failed:\n{done.stdout}")


def load():
    with open("/proc/loadavg", encoding="ascii") as file:
        return float(file.read().split()[0])


def wait_quiet():
    """Waits until the load is below QUIET_LOAD for QUIET_S, and returns it. Or says that it is not."""
    deadline, since, told = time.monotonic() + QUIET_WAIT_S, None, False
    while True:
        now, busy = time.monotonic(), load()
        since = (since if since is not None else now) if busy < QUIET_LOAD else None
        if since is not None and now - since >= QUIET_S:
            print(f"load {busy}, below {QUIET_LOAD} for {QUIET_S} s")
            return busy
        if not told and since is None:
            print(f"load {busy}: waiting until it is below {QUIET_LOAD} for {QUIET_S} s", flush=True)
            told = True
        if now > deadline:
            sys.exit(f"bench_restart: the load is {busy} after {QUIET_WAIT_S} s; --any-load does not wait")
        time.sleep(0.5)


# ---- Beside the frames

class Iperf:
    """TCP both ways until the end, limited to so many Mbit/s each way, or not."""

    def __init__(self, world, mbit):
        self.failure = None
        quiet = {"stderr": subprocess.DEVNULL}
        self.server = world.right.popen("iperf3", "-s", "-1", "--forceflush", "-B", r.RIGHT_V4, stdout=subprocess.PIPE,
                                        **quiet)
        while "listening" not in self.server.stdout.readline():
            assert self.server.poll() is None, "iperf3 does not start"
        limit = [] if mbit == "unlimited" else ["-b", f"{mbit}M"]
        self.client = world.left.popen("iperf3", "-J", "-i", "0", "-c", r.RIGHT_V4, "-t", "86400", "--bidir", *limit,
                                       stdout=subprocess.PIPE, **quiet)

    def end(self):
        """Both must be there still: iperf3 ends when a connection does."""
        if self.client.poll() is not None:
            self.failure = f"iperf3 ended with status {self.client.returncode}: {self.client.stdout.read()[-300:]}"
        for process in (self.client, self.server):
            process.kill()
            process.wait()
            process.stdout.close()


def daemon_options(options):
    words = ["--queues", options.queues]
    if "--rings" in r.run(r.IXTAPD, "--help").stdout:
        words += ["--rings", options.rings]
    else:
        print("this ixtapd has no --rings")
    return words


def progress(options):
    def show(done):
        if sys.stdout.isatty():
            print(f"\r{done} of {options.kills} {what_is_done(options)}", end="\n" if done == options.kills else "",
                  flush=True)
    return show


def what_is_done(options):
    return "upgrades" if options.upgrade else "kills"


# ---- The run

def run(world, options):
    """(the kills, the accounts, all checks, what was before and after, seconds)"""
    before = k.State(world)
    started = time.monotonic()
    with k.Frames(*world.ends(), "--rate", options.rate, "--bytes", options.bytes, *options.plant) as frames, \
            contextlib.ExitStack() as ends:
        connection = k.Connection(world, quiet=options.idle)
        failure = []
        ends.callback(lambda: failure or failure.append(connection.end()))
        beside = None
        if options.iperf != "off":
            beside = Iperf(world, options.iperf)
            ends.callback(beside.end)
        kind = k.Upgrades if options.upgrade else k.Kills
        kills = kind(world, frames, random.Random(options.seed), options.spread, options.idle,
                     compare=options.kills > 0 and not options.upgrade, progress=progress(options))
        if not options.idle:
            frames.tell("start")
        kills.run(options.kills)
        if not options.kills and not options.idle:
            frames.tell("until", options.rate * WITHOUT_KILLS_S)
        seconds = time.monotonic() - started
        accounts = frames.tell("stop")
        ends.close()
    after = k.State(world)
    checks = list(k.all_checks(accounts, kills, before, after, beside_load(options), failure[0]))
    checks += load_checks(options, before, after, kills, beside, seconds)
    return kills, accounts, checks, before, after, seconds


def beside_load(options):
    return {"off": "none", "unlimited": "unlimited"}.get(options.iperf, "limited")


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else 0


def load_checks(options, before, after, kills, beside, seconds):
    """What the load beside the frames must be for the measure to say something."""
    counted = k.grown(before.counters, after.counters)
    if beside:
        yield k.Check("iperf3's connections kept", beside.failure is None, beside.failure or "until the end")
    if options.iperf == "unlimited":
        return
    yield k.Check("kernel_drop 0", not counted.get("kernel_drop"), str(counted.get("kernel_drop", 0)))
    if options.idle or options.upgrade or not kills.done:
        return
    gap_s = max(percentile(kills.times[f"gap_{way}"], 99) for way in k.WAYS) / 1e9
    frames = max(counted.get("rx_received", 0), counted.get("tx_received", 0)) / seconds * gap_s
    room = min(after.status["rings"]["rx"], TAP_QUEUE) / 2
    yield k.Check("frames of the gap's 99 % fit half the ring and half the TAP's queue", frames <= room,
                  f"{frames:,.0f} of {room:,.0f}")


# ---- Results

def histograms(kills, prefix):
    """{series: its percentiles and histogram}; with a prefix, a file for each."""
    found = {}
    for name in SERIES:
        if not kills.times[name]:
            continue
        done = r.run(k.VALUES_HGRM, *([f"{prefix}{name}.hgrm"] if prefix else []),
                     input="".join(f"{value}\n" for value in kills.times[name]))
        found[name] = json.loads(done.stdout)
    return found


def print_times(times):
    if not times:
        return
    print(f"\n{'microseconds':<34}" + "".join(f"{head:>10}" for head in COLUMNS))
    for name, text in SERIES.items():
        if name in times:
            print(f"  {text:<32}" + "".join(f"{times[name][key] / 1000:>10,.0f}" for key in COLUMNS.values()))


def print_frames(accounts):
    print(f"\n{'frames':<34}" + "".join(f"{way:>12}" for way in k.WAYS))
    for key in ("frames", "refused", "lost", "repeated", "reordered", "corrupted"):
        print(f"  {key:<32}" + "".join(f"{accounts[way][key]:>12,}" for way in k.WAYS))
    print(f"  {'most lost by one kill':<32}" +
          "".join(f"{max(accounts[way]['lost_by_kill'], default=0):>12,}" for way in k.WAYS))
    print(f"\n{accounts['late_frames']:,} frames left over 1 ms late, the latest by {accounts['late_ns'] / 1e6:.1f} ms; "
          f"the sender has {'real-time' if accounts['realtime'] else 'ordinary'} priority")


def print_processes(before, after):
    print(f"\n{'processes':<20}{'descriptors':>12}{'after':>8}{'KiB':>10}{'after':>10}{'mappings':>10}{'after':>8}")
    then, now = k.numbers(before.processes), k.numbers(after.processes)
    for name in sorted(set(then) | set(now)):
        one, other = then.get(name, [0] * 4), now.get(name, [0] * 4)
        print(f"  {name:<18}" + "".join(f"{value:>{width},}" for value, width in
                                        zip((one[1], other[1], one[2], other[2], one[3], other[3]),
                                            (12, 8, 10, 10, 10, 8))))


def print_rates(before, after, seconds):
    counted = k.grown(before.counters, after.counters)
    print("\naltogether: " + ", ".join(
        f"{way} {counted.get(f'{prefix}_received', 0) / seconds:,.0f} frames a second, "
        f"{counted.get(f'{prefix}_bytes', 0) * 8 / seconds / 1e6:,.0f} Mbit/s"
        for way, prefix in (("sent", "tx"), ("received", "rx"))))


def aims(times):
    if "frame" not in times:
        return []
    return [k.Check(f"ours: {name} at most {ms} ms", times["frame"][COLUMNS[name]] <= ms * 1_000_000,
                    f"{times['frame'][COLUMNS[name]] / 1e6:.1f} ms") for name, ms in k.AIM_MS.items()]


def report(options, busy, outcome):
    kills, accounts, checks, before, after, seconds = outcome
    times = histograms(kills, options.hgrm)
    checks += aims(times)
    print(f"\n{kills.done:,} {what_is_done(options)} of {'ixtapd' if options.upgrade else k.DRIVER}, "
          f"seed {options.seed}; " +
          ("idle, and one frame each way after each" if options.idle else
           f"{options.rate:,} frames a second each way, iperf3 beside: {options.iperf}"))
    print_times(times)
    print_frames(accounts)
    print_processes(before, after)
    print_rates(before, after, seconds)
    print()
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"  {'ok' if check.good else 'FAILED':<7}{check.name:<{width}}  {check.text}")
    failed = sum(not check.good for check in checks)
    print(f"\n{len(checks) - failed} hold, {failed} do not")
    if options.json:
        json.dump({"options": {key: value for key, value in vars(options).items() if key != "json"}, "load": busy,
                   "kills": kills.done, "times": times, "accounts": accounts, "driver": after.status.get("driver"),
                   "processes": {"before": k.numbers(before.processes), "settled": kills.settled,
                                 "after": k.numbers(after.processes)},
                   "checks": [{"name": check.name, "pass": bool(check.good), "text": check.text} for check in checks],
                   "failed": failed}, options.json, indent=1)
        options.json.write("\n")
        options.json.flush()
    return 1 if failed else 0


def measured(options, busy):
    """In namespaces of its own. The exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rig = r.Rig()
    try:
        world = k.stand_in(rig) if options.nic == "stand-in" else \
            (k.soft if options.nic == "soft" else k.vfio_user)(rig, *daemon_options(options))
        if options.kills:
            world.driver()
        code = report(options, busy, run(world, options))
        stopped = 0 if options.nic == "stand-in" else world.daemon.stop()
        if stopped:
            print(f"ixtapd ended with status {stopped}\n{world.daemon.errors()[-2000:]}")
        return code or bool(stopped)
    except k.NoDriver as reason:
        print(f"bench_restart: {reason}", file=sys.stderr)
        return 1
    except AssertionError as reason:
        print(f"bench_restart: {reason}", file=sys.stderr)
        for daemon in rig.daemons:
            print(daemon.errors()[-2000:], file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        rig.tear_down()


# ---- Options

def number(least, most):
    def parse(text):
        if not re.fullmatch("[0-9]{1,10}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a number from {least} to {most}")
        return int(text)
    return parse


def iperf_limit(text):
    return text if text in ("off", "unlimited") else number(1, 100_000)(text)


def plant(text):
    if not re.fullmatch("(drop|repeat|corrupt|swap):[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError("drop, repeat, corrupt or swap, and :N")
    return ["--plant", text]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--kills", metavar="N", type=number(0, 100_000), help="how often the driver is killed (1000); with 0 frames only")
    add("--upgrade", action="store_true",
        help="ixtapd is upgraded to its own file instead, so often (100): tests/bench upgrade")
    add("--short", action="store_true", help=f"{SHORT_KILLS} kills, whatever the load")
    add("--idle", action="store_true", help="kill an idle driver, then send one frame each way, each time")
    add("--rate", metavar="N", type=number(1, 1_000_000), default=10_000, help="frames a second each way (%(default)s)")
    add("--bytes", metavar="N", type=number(0, 1514), default=0, help="of each frame, 60 to 1514 (all lengths)")
    add("--iperf", metavar="MBIT", type=iperf_limit,
        help="iperf3 beside, both ways: Mbit/s, off or unlimited (100; off with --idle)")
    add("--rings", metavar="N", type=number(64, 8192), default=4096, help="descriptors of each ring (%(default)s)")
    add("--queues", metavar="N", type=number(1, 16), default=1, help="(%(default)s)")
    add("--nic", choices=("soft", "vfio-user", "stand-in"), default="soft",
        help="ixtapd's own ixnic, or one beside (%(default)s); stand-in: no ixtapd, to try this program")
    add("--spread", metavar="MS", type=number(1, 10_000), default=100,
        help="each kill comes within this time after frames flow again (%(default)s)")
    add("--seed", metavar="N", type=number(0, (1 << 32) - 1), help="of the moments (another each time; printed)")
    add("--any-load", action="store_true", help="do not wait for a quiet machine")
    add("--json", metavar="FILE", type=argparse.FileType("w", encoding="utf-8"), help="write the results as JSON too")
    add("--hgrm", metavar="PREFIX", help="write each histogram to a file PREFIX...hgrm")
    add("--plant", metavar="KIND:N", type=plant, default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if 0 < options.bytes < 60:
        parser.error("--bytes: 60 to 1514, or 0 for all lengths")
    if options.idle and options.upgrade:
        parser.error("--upgrade is under frames")
    if options.idle and options.iperf not in (None, "off"):
        parser.error("--idle goes without --iperf")
    options.iperf = options.iperf or ("off" if options.idle else 100)
    if options.kills is None:
        options.kills = SHORT_KILLS if options.short else 100 if options.upgrade else 1000
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    return options


def main():
    options = parse_options()
    packages = os.path.join(TOP, "tools", "packages")
    if subprocess.run([packages, "build", "test", "demo"], check=False).returncode:
        sys.exit(1)
    if os.geteuid() != 0:
        sys.exit("bench_restart: needs root: it makes network namespaces")
    build()
    busy = load() if options.short or options.any_load else wait_quiet()
    print(f"seed {options.seed}", flush=True)
    return contained.contained(lambda: measured(options, busy))


if __name__ == "__main__":
    contained.speak_to_any()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as failed:
        contained.end_by("bench_restart", failed)
