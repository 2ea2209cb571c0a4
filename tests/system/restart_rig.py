# SPDX-License-Identifier: MIT
"""What a killed driver costs: numbered frames both ways, kills, and what must be the same afterwards. For
test_restart.py and tests/bench restart.

      namespace left                                             namespace right
    +----------------+    TAP +--------+           +-------+ TAP +----------------+
    | tap0           |--------| ixtapd |===========| ixnic |-----| wire0          |
    +-------^--------+        +--------+           +-------+     +-------^--------+
            |                  ixtap-driver is killed                    |
            |    sent: from left to right; received: from right to left  |
      +-----v---------------------- bench_restart -----------------------v-----+

All times are of CLOCK_MONOTONIC, in nanoseconds, as are those that ixtapd tells.
"""
import collections
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

import rig as r

PROGRAMS = os.path.join(r.BUILD, "tests", "benchmarks")
BENCH_RESTART = os.path.join(PROGRAMS, "bench_restart")
VALUES_HGRM = os.path.join(PROGRAMS, "values_hgrm")
DRIVER = "ixtap-driver"
WAYS = ("sent", "received")
ANSWER_S = 15.0
BURST = 64  # frames of one transmit burst: DATAPATH_BURST, unless ixtapd says driver.batch
MEMORY_KIB, MAPPINGS = 1024, 8  # a program's allocator may keep so much more
RING_ENTRIES = 256  # of a bare process's io_uring
AIM_MS = {"median": 5, "99 %": 20}
ECHO_PORT, ECHO_S = 7, 0.1

Check = collections.namedtuple("Check", "name good text")


class NoDriver(Exception):
    """This ixtapd has no driver process that could be killed."""


# ---- The frames

class Frames:
    """bench_restart: its ends are NETNS:INTERFACE."""

    def __init__(self, left, right, *options):
        self.process = subprocess.Popen([BENCH_RESTART, *map(str, options), left, right], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=r.environment())
        assert json.loads(self.process.stdout.readline() or "{}").get("ready"), "bench_restart did not start"

    def tell(self, *words):
        """One command, and its answer."""
        line = ""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            line = self.process.stdout.readline()
        assert line, f"bench_restart ended with status {self.process.wait()} at {words}"
        answer = json.loads(line)
        assert "error" not in answer, f"{words}: {answer['error']}"
        return answer

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- Where

class World:
    """Two interfaces in two namespaces, and a daemon between them, which has a driver. `nic` is the control socket
    of the NIC between them, if that is ixnic."""

    def __init__(self, daemon, left, right, control, nic=None, tap="tap0", wire="wire0"):
        self.daemon, self.left, self.right = daemon, left, right
        self.control, self.nic, self.tap, self.wire = control, nic, tap, wire

    def status(self):
        return r.ask(self.control, "status")

    def counters(self):
        return r.ask(self.control, "stats")["bridge"]

    def ends(self):
        return f"{self.left.name}:{self.tap}", f"{self.right.name}:{self.wire}"

    def driver(self, status=None):
        """What status says of the driver."""
        driver = (status or self.status()).get("driver") or {}
        if not driver.get("pid"):
            raise NoDriver("ixtapd's status has no driver.pid: its driver is no process of its own")
        return driver

    def carrier_changes(self):
        return [int(space.run("cat", f"/sys/class/net/{name}/carrier_changes").stdout)
                for space, name in ((self.left, self.tap), (self.right, self.wire))]


def soft(rig, *options, **more):
    bridge = rig.bridge(*options, **more)
    return World(bridge, bridge.left, bridge.right, bridge.control, bridge.nic_control)


def vfio_user(rig, *options):
    """An ixnic of its own."""
    left, right = rig.namespace("left"), rig.namespace("right")
    nic, control = rig.path("nic"), rig.path("control")
    rig.daemon(r.IXNIC, "--socket", nic, "--wire", "tap:wire0", "--netns", right.name, "--control",
               control + ".nic").wait_ready()
    right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
    right.run("ip", "link", "set", "wire0", "up")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{nic}", "--tap", "tap0", "--address",
                                    f"{r.LEFT_V4}/24", "--up", "--control", control, *options)).wait_ready()
    r.wait_for(lambda: left.carrier("tap0") and right.carrier("wire0"), "carrier at both ends")
    return World(daemon, left, right, control, control + ".nic")


def stand_in(rig, *fault):
    """restart_stand_in.py in place of ixtapd, with a fault if there is to be one."""
    left, right = rig.namespace("left"), rig.namespace("right")
    daemon = rig.daemon(sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "restart_stand_in.py"),
                        left.name, right.name, rig.path("control"), *fault).wait_ready()
    return World(daemon, left, right, rig.path("control"))


# ---- Processes

def parent_and_name(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        head, _, tail = stat.read().rpartition(")")
    return int(tail.split()[1]), head.partition("(")[2], tail.split()[0]


def descendants(root):
    """{pid: name} of root and all below it, zombies too."""
    every = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            every[int(pid)] = parent_and_name(pid)
    found, grows = {root}, True
    while grows:
        more = {pid for pid, (parent, _, _) in every.items() if parent in found} - found
        found |= more
        grows = bool(more)
    return {pid: every[pid][1] + (" (zombie)" if every[pid][2] == "Z" else "")
            for pid in found if pid in every}


def descriptors(pid):
    """What a process holds open, without what differs from one of a kind to the next."""
    held = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            held.append(re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{name}")))
    return sorted(held)


def memory(pid):
    """(KiB of its own that are in use, mappings). What is shared is made beforehand, and is in use page by page."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status, \
            open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        return int(re.search(r"^RssAnon:\s*(\d+)", status.read(), re.M)[1]), len(maps.readlines())


def mapped(pid):
    """What is mapped and in memory: bytes that are shared, bytes that are private, mappings that are shared."""
    sums, kind = {"s": 0, "p": 0}, "p"
    shared = 0
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
        for line in smaps:
            begin = re.match(r"[0-9a-f]+-[0-9a-f]+ ...([sp]) ", line)
            if begin:
                kind = begin[1]
                shared += kind == "s"
            elif line.startswith("Rss:"):
                sums[kind] += int(line.split()[1]) * 1024
    return sums["s"], sums["p"], shared


def interfaces(space):
    """Interfaces, their addresses and routes, without counters and times that run."""
    links = json.loads(space.run("ip", "-j", "address", "show").stdout)
    routes = space.run("ip", "route", "show").stdout + space.run("ip", "-6", "route", "show").stdout
    return {"routes": sorted(re.sub(r" expires \S+", "", line) for line in routes.splitlines()),
            "links": [{**{key: link.get(key) for key in ("ifindex", "ifname", "flags", "mtu", "address", "operstate")},
                       "addresses": sorted(f"{each['local']}/{each['prefixlen']}" for each in link["addr_info"])}
                      for link in links]}


def processes(world):
    """{name: [(descriptors, memory) of each]}"""
    found = {}
    for pid, name in descendants(world.daemon.pid).items():
        zombie = name.endswith("(zombie)")
        found.setdefault(name, []).append(([], (0, 0)) if zombie else (descriptors(pid), memory(pid)))
    return found


def numbers(found):
    """{process: [how many, descriptors, KiB, mappings]}"""
    return {name: [len(each), sum(len(held) for held, _ in each), *map(sum, zip(*(used for _, used in each)))]
            for name, each in found.items()}


class State:
    """What must be the same after the kills as before."""

    def __init__(self, world):
        # A daemon that has answered has seen the end of former questions: these hold no descriptor more.
        with r.asked(world.control, "status"), r.asked(world.nic, "status") if world.nic else contextlib.nullcontext():
            self.processes = processes(world)
        self.carrier = world.carrier_changes()
        self.taken = int(world.left.run("cat", f"/sys/class/net/{world.tap}/statistics/tx_packets").stdout)
        self.interfaces = {"left": interfaces(world.left), "right": interfaces(world.right)}
        self.status = world.status()
        stats = r.ask(world.control, "stats")
        self.counters, self.registers = stats["bridge"], stats.get("nic", {})
        self.nic = r.ask(world.nic, "status") if world.nic else {}
        self.nic_counters = r.ask(world.nic, "counters")["counters"] if world.nic else {}


# ---- A connection that is kept

class Connection:
    """One TCP connection, with lines that are sent back; unless it is quiet, one each ECHO_S."""

    def __init__(self, world, quiet=False):
        with world.right.entered():
            listener = socket.create_server((r.RIGHT_V4, ECHO_PORT))
        with world.left.entered():
            self.near = socket.create_connection((r.RIGHT_V4, ECHO_PORT), r.DEADLINE_S)
        self.far = listener.accept()[0]
        listener.close()
        self.lines, self.over, self.failure = 0, threading.Event(), None
        self.near.settimeout(ANSWER_S)
        self.far.settimeout(ANSWER_S)
        self.thread = threading.Thread(target=self.talk)
        if quiet:
            self.over.set()
        self.thread.start()

    def line(self):
        text = f"{self.lines:011}\n".encode()
        for one, other in ((self.near, self.far), (self.far, self.near)):
            one.sendall(text)
            came = b""
            while len(came) < len(text):
                part = other.recv(len(text) - len(came))
                if not part:
                    raise ConnectionError("the connection was closed")
                came += part
            if came != text:
                raise ConnectionError(f"{came!r} came in place of {text!r}")
        self.lines += 1

    def talk(self):
        try:
            self.line()
            while not self.over.wait(ECHO_S):
                self.line()
        except OSError as reason:
            self.failure = str(reason)

    def end(self):
        """The last line goes over it, too. Returns why it was lost, or None."""
        self.over.set()
        self.thread.join()
        try:
            if not self.failure:
                self.line()
        except OSError as reason:
            self.failure = str(reason)
        finally:
            self.near.close()
            self.far.close()
        return self.failure


# ---- Kills

def judged_driver(world, driver):
    """Why the process of driver.pid is none to be killed, or ""."""
    family = descendants(world.daemon.pid)
    bearers = [pid for pid, name in family.items() if name == DRIVER]
    if driver["pid"] not in family:
        return f"driver.pid {driver['pid']} is no descendant of ixtapd"
    if bearers != [driver["pid"]]:
        return f"driver.pid is {driver['pid']}, but processes {bearers} have the name {DRIVER}"
    return ""


def next_driver(world, former):
    """The driver that came after `former` and runs; with None any that runs."""
    def runs():
        status = world.status()
        driver = status.get("driver") or {}
        return driver if driver.get("pid") not in (None, 0, former) and status["state"] != "starting" and \
            (driver.get("last") or {}).get("running_ns", 1) else None

    return r.wait_for(runs, f"another driver than {former} runs" if former else "a driver runs")


def went_back(before, after):
    return sorted(name for name, value in before.items() if after.get(name, 0) < value)


class Kills:
    """Many kills, one after the other, and what they cost."""

    start = "warm"  # what each successor's is

    def __init__(self, world, frames, dice, spread_ms=100, idle=False, compare=True, progress=lambda _: None):
        self.world, self.frames, self.dice, self.progress = world, frames, dice, progress
        self.spread_us, self.idle, self.compare = spread_ms * 1000, idle, compare
        self.times = collections.defaultdict(list)  # ns
        self.wrong = []  # drivers that were not as they should be
        self.stuck = 0  # kills after which frames did not flow again
        self.disorder = []  # times that cannot be
        self.wanted, self.broken = 0, None  # why no more kills were made
        self.settled = None  # the processes' numbers, when memory that is used once is in use
        self.backwards = set()
        self.done = 0
        self.size = mapped(world.driver()["pid"]) if compare else None

    def note_times(self, answer, last):
        """`last`: the points of time that ixtapd tells."""
        killed, dead = answer["killed_ns"], answer["dead_ns"]
        if killed < last.get("dead_ns", 0) < dead:
            dead = last["dead_ns"]  # the daemon was woken before us
        attached = last.get("attached_ns")
        # A frame of the dead driver can arrive late, behind the largest gap.
        first = {way: answer[way]["first_ns"] if (answer[way]["first_ns"] or 0) >= (attached or 0)
                 else answer[way]["sure_ns"] for way in WAYS}
        self.times["dead"].append(dead - killed)
        if attached:
            self.times["register"].append(attached - dead)
        for way in WAYS:
            if not first[way]:
                continue
            self.times[f"frame_{way}"].append(first[way] - dead)
            if attached:
                self.times[f"register_to_frame_{way}"].append(first[way] - attached)
            if not self.idle:
                self.times[f"gap_{way}"].append(answer[way]["gap_ns"])
        if all(first.values()):
            self.times["frame"].append(max(first.values()) - dead)

    def note_order(self, killed_ns, last):
        points = [last.get(name) for name in ("dead_ns", "started_ns", "attached_ns", "running_ns")]
        if last and (None in points or [killed_ns, *points] != sorted([killed_ns, *points])):
            self.disorder.append(f"killed {killed_ns}, {last}")

    def look(self):
        """The same without a kill, and a process that is no driver."""
        if not self.idle:
            answer = self.frames.tell("look", self.dice.randrange(self.spread_us))
            for way in WAYS:
                self.times[f"no_kill_{way}"].append(answer[way]["gap_ns"])
        self.times["bare"].append(self.frames.tell("bare", *self.size, RING_ENTRIES)["dead_ns"])

    def one(self):
        driver, counted = next_driver(self.world, None), self.world.counters()
        wrong = judged_driver(self.world, driver)
        if wrong:
            self.wrong.append(wrong)
        answer = self.frames.tell("once" if self.idle else "kill", driver["pid"], self.dice.randrange(self.spread_us))
        self.stuck += not answer["again"]
        last = next_driver(self.world, driver["pid"]).get("last") or {}
        self.note_times(answer, last)
        self.note_order(answer["killed_ns"], last)
        self.backwards.update(went_back(counted, self.world.counters()))
        self.done += 1

    def run(self, count):
        """What went well before a failure is told, too."""
        self.wanted += count
        try:
            for at in range(count):
                if self.compare:
                    self.look()
                self.one()
                if at == count // 10:
                    self.settled = numbers(processes(self.world))
                self.progress(self.done)
        except AssertionError as reason:
            self.broken = str(reason)


class Upgrades(Kills):
    """Another program takes ixtapd's place, again and again: the same file."""

    start = "upgrade"

    def look(self):
        """There is no death to compare with."""

    def one(self):
        counted = self.world.counters()
        time.sleep(self.dice.randrange(self.spread_us) / 1e6)
        answer = r.ask(self.world.control, "upgrade")
        assert answer.get("start") == "warm", answer
        self.times["upgrade"].append(answer["gap_us"] * 1000)
        self.frames.tell("until", self.frames.tell("until", 0)["frames"] + 100)
        self.backwards.update(went_back(counted, self.world.counters()))
        self.done += 1


# ---- What must hold

def total(driver, member):
    return sum((driver.get(member) or {}).values())


def grown(before, after):
    """{name: by how much} of those counters that have grown."""
    return {name: value - before.get(name, 0) for name, value in after.items()
            if isinstance(value, int) and value != before.get(name, 0)}


def drops(before, after):
    """What others than the driver's death cost, by name. What the TAP's queue had no room for its sender knows. What a
    dying driver held is among driver.lost, too."""
    return {name: count for name, count in {**grown(before.counters, after.counters),
                                            **grown(before.registers, after.registers)}.items()
            if not name.endswith("_driver_died") and re.match(r"(rx|tx)_drop_|rx_missed_errors$|rx_no_dma_resources$", name)}


def named(counts):
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def posted(status):
    """How many frames a driver can have in its hands."""
    return len(status.get("queues") or [0]) * (status.get("driver") or {}).get("batch", BURST)


def frame_checks(accounts):
    """That hold whether anybody was killed or not."""
    for way in WAYS:
        one = accounts[way]
        for name, text in (("corrupted", "as they were sent"), ("reordered", "in their order"),
                           ("unseen", "and the far end has looked at each")):
            yield Check(f"{way}: {name} 0", one[name] == 0, f"{one['arrived']:,} frames arrive {text}" if not one[name]
                        else f"{one[name]:,} of {one['frames']:,}")


def loss_checks(accounts, before, after, load):
    """`load`: what is lost beside our frames. "none": nothing. "limited": as many frames as all queues have room for.
    "unlimited": more."""
    driver = {when: state.status.get("driver") or {} for when, state in (("before", before), ("after", after))}
    lost, repeated = (grown(driver["before"].get(member) or {}, driver["after"].get(member) or {})
                      for member in ("lost", "repeated"))
    dropped = drops(before, after)
    missing = sum(accounts[way]["lost"] for way in WAYS)
    twice = sum(accounts[way]["repeated"] for way in WAYS)
    most = max(accounts["sent"]["lost_by_kill"], default=0)
    # Those of our connection, and of the kernel's own: what of them is lost nobody sees.
    others = after.taken - before.taken - (accounts["sent"]["frames"] - accounts["sent"]["refused"])
    as_many = "as many as" if load == "none" else "no more than"

    def agree(seen, said):
        return seen <= said and (load != "none" or said <= seen + others)

    if load != "unlimited":
        yield Check("received: lost 0", accounts["received"]["lost"] == 0, f"{accounts['received']['lost']:,}")
        yield Check(f"sent: lost at most {posted(after.status)} a kill", most <= posted(after.status) and
                    (accounts["sent"]["lost_by_kill"] or not accounts["sent"]["lost"]),
                    f"at most {most}, altogether {accounts['sent']['lost']:,}")
    yield Check(f"losses: the far ends miss {as_many} are counted by name",
                agree(missing, sum(lost.values()) + sum(dropped.values())),
                f"{missing:,} missed; counted: {named({**lost, **dropped})}; {others:,} frames besides")
    # The harness has missed one at times, with the stand-in, too.
    yield Check("repeats: the far ends get no more than are counted by name", twice <= sum(repeated.values()),
                f"{twice:,} came again; counted: {named(repeated)}")


def upgrade_checks(accounts, upgrades, before, after):
    """An upgrade costs nothing."""
    driver = {when: state.status["driver"] for when, state in (("before", before), ("after", after))}
    for way in WAYS:
        for name in ("lost", "repeated", "refused"):
            yield Check(f"{way}: {name} 0", accounts[way][name] == 0,
                        f"{accounts[way][name]:,} of {accounts[way]['frames']:,}")
    for member in ("lost", "repeated"):
        counted = grown(driver["before"][member], driver["after"][member])
        yield Check(f"counted as {member}: 0", not counted, named(counted))
    yield from begin_checks(upgrades, before, after)
    yield Check("no counter goes backwards", not upgrades.backwards, ", ".join(sorted(upgrades.backwards)) or "none did")


def begin_checks(kills, before, after):
    starts = grown((before.status.get("driver") or {}).get("starts") or {},
                   (after.status.get("driver") or {}).get("starts") or {})
    what = "kills" if kills.start == "warm" else "upgrades"
    yield Check(f"all {what} were made", kills.done == kills.wanted and not kills.broken,
                kills.broken or f"{kills.done:,}")
    yield Check("each start was a warm one" if kills.start == "warm" else "each start was by upgrade",
                starts == ({kills.start: kills.done} if kills.done else {}), named(starts))


def start_checks(kills, before, after):
    yield from begin_checks(kills, before, after)
    yield Check("frames flow again after each kill", kills.stuck == 0, f"not after {kills.stuck:,} of {kills.done:,}")
    yield Check("driver.last tells of each driver", len(kills.times["register"]) == kills.done,
                f"of {len(kills.times['register']):,}")
    yield Check(f"one process is named {DRIVER}, ixtapd's descendant", not kills.wrong,
                kills.wrong[0] if kills.wrong else "at each kill")
    yield Check("a driver begins when its predecessor is dead", not kills.disorder,
                kills.disorder[0] if kills.disorder else "by driver.last")
    yield Check("no counter goes backwards", not kills.backwards, ", ".join(sorted(kills.backwards)) or "none did")


def link_checks(before, after):
    changes = [now - then for then, now in zip(before.carrier, after.carrier)]
    yield Check("link changes that the far end sees 0", changes[1] == 0, f"{changes[1]}")
    yield Check("link changes of the TAP 0", changes[0] == 0, f"{changes[0]}")
    if "resets" in after.nic:
        resets = after.nic["resets"] - before.nic["resets"]
        yield Check("resets of the NIC 0", resets == 0, f"{resets}, by ixnic's account")
    elif after.nic:
        clues = {name: count for name, count in grown(before.nic_counters, after.nic_counters).items()
                 if name in ("rx_drop_reset", "tx_drop_reset", "rx_drop_disabled", "rx_drop_link_down")}
        yield Check("resets of the NIC 0", changes[1] == 0 and not clues,
                    f"ixnic does not count them; frames lost by one: {named(clues)}")
    if after.nic:
        broken = after.nic["violations"] - before.nic["violations"]
        yield Check("the datasheet's rules are kept", broken == 0, f"{broken} broken")


def memory_check(name, then, now):
    return Check(f"{name}: memory at most {MEMORY_KIB} KiB and {MAPPINGS} mappings more",
                 now[2] <= then[2] + MEMORY_KIB and now[3] <= then[3] + MAPPINGS,
                 f"{then[2]:,} KiB, {then[3]} mappings, then {now[2]:,}, {now[3]}")


def same_checks(before, after, settled=None):
    """`settled`: the processes' numbers after some kills, which memory is compared with."""
    then, now = numbers(before.processes), numbers(after.processes)
    yield Check("processes the same", {name: each[0] for name, each in then.items()} ==
                {name: each[0] for name, each in now.items()}, ", ".join(sorted(now)))
    for name in sorted(set(then) & set(now)):
        more = collections.Counter(sum((held for held, _ in after.processes[name]), []))
        more.subtract(collections.Counter(sum((held for held, _ in before.processes[name]), [])))
        yield Check(f"{name}: no descriptor more", max(more.values(), default=0) <= 0,
                    named({kind: count for kind, count in more.items() if count}) if any(more.values())
                    else f"{now[name][1]}")
        # A driver is another each time; a sanitizer's memory grows as it likes.
        if name != DRIVER and not r.sanitized():
            yield memory_check(name, (settled or then).get(name, then[name]), now[name])
    for side in ("left", "right"):
        yield Check(f"interfaces, addresses and routes the same, {side}",
                    before.interfaces[side] == after.interfaces[side],
                    "" if before.interfaces[side] == after.interfaces[side]
                    else f"{before.interfaces[side]}, then {after.interfaces[side]}")


def all_checks(accounts, kills, before, after, load, connection_failure):
    yield from frame_checks(accounts)
    if isinstance(kills, Upgrades):
        yield from upgrade_checks(accounts, kills, before, after)
    else:
        yield from loss_checks(accounts, before, after, load)
        yield from start_checks(kills, before, after)
    yield from link_checks(before, after)
    yield Check("connections lost 0", connection_failure is None, connection_failure or "kept through all kills")
    yield from same_checks(before, after, kills.settled)
