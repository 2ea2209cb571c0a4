# SPDX-License-Identifier: MIT
"""ixtapd in the guest, as root and with all isolation that can be had, through the kernel's VFIO and an IOMMU: its
drivers are killed under load, the program is replaced under load, and the keeper is killed under load while a service
manager holds its descriptors. The interface, its link and a connection outlive all of that; the NIC is not reset.

A driver that is not trusted is another matter: the NIC begins anew, and the link goes. Interface and connection stay."""
import json
import re
import time

from checks import VFIO_RESETS, Scenario, expect, log_quiet, rules_kept, strict
from heartbeat import Pulse, serve_pulse
from machine import FAR_V4, NEAR_V4, WIRE
from scenario_vfio import (PORT, START_S, STOP_S, accounts, bridge_end, bridge_start, bridge_words, errors, give_group,
                           ixtap, stats)
from store import Failure
from traffic import carries, ping, settled, up

RINGS = 4096
KILLS, KILLS_SHORT = 100, 10
UPGRADES, UPGRADES_SHORT = 20, 3
DISTRUSTED, DISTRUSTED_SHORT = 5, 2
KEEPERS, KEEPERS_SHORT = 20, 3
FOLLOWED_S = 15
BEATS_AGAIN_S = 60  # TCP doubles the time to its next attempt while the link is gone again and again
SAID_MAX = 40  # lines of the log that a failure shows
MANAGER = "/run/manager"  # folder of descriptor_store.py
LOAD = ("ping", "-n", "-q", "-f", "-s", "1400", NEAR_V4)


def start(lab):
    lab.start()
    serve_pulse(lab)
    strict(lab)


scenario = Scenario("drivers of ixtapd are killed, and ixtapd is replaced, through the kernel's VFIO and an IOMMU", start,
                    deadline_s=3000)


def status(lab):
    try:
        return json.loads(ixtap(lab, "-j", "status"))
    except Failure as failure:
        raise Failure(f"{failure}\n    {errors(lab)}") from None


def driver_after(lab, was):
    """The status once another driver than in the status `was` runs: one that has begun is counted."""
    deadline = time.monotonic() + FOLLOWED_S
    while True:
        now = status(lab)
        if now["state"] == "running" and now["driver"]["pid"] not in (None, was["driver"]["pid"]) and \
                now["driver"]["starts"] != was["driver"]["starts"]:
            return now
        expect(time.monotonic() < deadline, f"no driver follows within {FOLLOWED_S} s: {now['state']}, "
                                            f"{was['driver']}, then {now['driver']}")


class Watched:
    """What must not change, or may only grow."""

    def __init__(self, lab):
        self.lab = lab
        self.changes = self.carrier_changes()
        self.status = status(lab)
        self.counters = stats(lab)["bridge"]
        self.faults, self.resets = self.dma_faults(), self.function_resets()
        self.interface = self.interface_is()
        self.said = len(self.log())

    def log(self):
        return self.lab.guest.sh("cat /run/ixtapd.err").splitlines()

    def carrier_changes(self):
        return int(self.lab.far.sh(f"cat /sys/class/net/{WIRE}/carrier_changes"))

    def dma_faults(self):
        return self.lab.guest.sh("dmesg").count("fault addr")

    def function_resets(self):
        """Newer kernels tell of them."""
        return len(re.findall(VFIO_RESETS, self.lab.guest.sh("dmesg"), re.M))

    def interface_is(self):
        return self.lab.guest.sh(f"ip -o address show dev {PORT}")

    def expect(self, condition, what):
        if not condition:
            raise Failure("\n    ".join([what + self.lab.guest.starved(), *self.log()[self.said:][-SAID_MAX:]]))

    def compare(self, kind, count):
        """`count` starts of drivers of that kind and no others; "cold": by as many resets of the NIC."""
        now, was = status(self.lab), self.status
        anew = count if kind == "cold" else 0
        starts = {name: number - was["driver"]["starts"][name] for name, number in now["driver"]["starts"].items()}
        self.expect(starts == {**dict.fromkeys(starts, 0), kind: count}, f"starts of drivers: {starts}")
        gone, begun = self.carrier_changes() - self.changes, now["recoveries"] - was["recoveries"]
        self.expect(anew or not gone, f"the far end saw the link go: {gone} changes")
        self.expect(begun == anew, f"the NIC has begun anew {begun} times")
        self.expect(anew or self.function_resets() == self.resets, "the kernel has reset the NIC")
        self.expect(self.dma_faults() == self.faults, "the IOMMU has refused an access")
        self.expect(self.interface_is() == self.interface, f"the interface is another: {self.interface_is()}")
        back = [name for name, value in stats(self.lab)["bridge"].items() if value < self.counters[name]]
        self.expect(not back, f"counters went back: {back}")
        return {f"lost.{name}": number - was["driver"]["lost"].get(name, 0)
                for name, number in now["driver"]["lost"].items()}


def again_and_again(lab, count, step):
    """step() under load, while a connection goes on. Gives the longest time that a byte took."""
    pulse = Pulse(lab)
    try:
        with lab.far.running(*LOAD):
            before = stats(lab)["bridge"]["rx_delivered"]
            for number in range(count):
                lab.progress(f"{number + 1} of {count}")
                step()
            expect(stats(lab)["bridge"]["rx_delivered"] > before, "there was no load")
        expect(pulse.beats(BEATS_AGAIN_S), f"the connection is lost: {pulse.read()[1]}")
        return pulse.read()[1]
    finally:
        pulse.end()


def begun_anew(lab):
    """The times in ms that the log tells."""
    return [int(ms) for ms in re.findall(r"begun anew within (\d+) ms", lab.guest.sh("cat /run/ixtapd.err"))]


def none_left(lab):
    """The maker is ixtapd's program, and the spawner the driver's, each by another name."""
    lab.guest.until("pgrep '^ixtap' || echo none", "none")


@scenario.check("start as root", vital=True)
def begin(lab):
    give_group(lab)
    lab.guest.sh(f"modprobe tun && install -d /run/ixtap && ip tuntap add dev {PORT} mode tap vnet_hdr multi_queue && "
                 f"ip address add {NEAR_V4}/24 dev {PORT}")
    bridge_start(lab, "--rings", str(RINGS), user=None)
    up(lab, PORT)
    return ping(lab.guest, FAR_V4)


@scenario.check("isolation")
def isolation(lab):
    """All that the guest's kernel has."""
    said = status(lab)["isolation"]
    missing = {name: fact for name, fact in said.items() if isinstance(fact, dict) and fact.get("state") == "missing"}
    expect(not missing, f"missing: {missing}")


@scenario.check("the driver is killed under load")
def kills(lab):
    count = KILLS_SHORT if lab.short else KILLS
    watched = Watched(lab)
    now = watched.status

    def kill():
        nonlocal now
        lab.guest.sh(f"kill -9 {now['driver']['pid']}")
        now = driver_after(lab, now)

    silent = again_and_again(lab, count, kill)
    return {"kills": count, "longest_silence_s": silent} | watched.compare("warm", count) | accounts(lab)


@scenario.check("an idle driver is killed")
def idle(lab):
    watched = Watched(lab)
    lab.guest.sh(f"kill -9 {watched.status['driver']['pid']}")
    driver_after(lab, watched.status)
    return watched.compare("warm", 1) | ping(lab.guest, FAR_V4)


@scenario.check("the program is replaced under load")
def upgrades(lab):
    count = UPGRADES_SHORT if lab.short else UPGRADES
    watched = Watched(lab)
    keeper = lab.guest.sh("cat /run/ixtapd.pid")
    now = watched.status

    def upgrade():
        nonlocal now
        ixtap(lab, "upgrade")
        now = driver_after(lab, now)

    silent = again_and_again(lab, count, upgrade)
    expect(int(keeper) == status(lab)["pid"], "ixtapd has another process")
    return {"upgrades": count, "longest_silence_s": silent} | watched.compare("upgrade", count) | accounts(lab)


@scenario.check("the driver is killed after that")
def killed_after(lab):
    return idle(lab)


@scenario.check("a driver is not trusted, under load")
def distrusted(lab):
    """Its death looks like that of one which has called what it may not."""
    count = DISTRUSTED_SHORT if lab.short else DISTRUSTED
    watched = Watched(lab)
    now = watched.status
    said = begun_anew(lab)

    def distrust():
        nonlocal now
        lab.guest.sh(f"kill -SYS {now['driver']['pid']}")
        now = driver_after(lab, now)
        carries(lab, PORT)

    silent = again_and_again(lab, count, distrust)
    result = watched.compare("cold", count) | accounts(lab) | ping(lab.guest, FAR_V4)
    times = begun_anew(lab)[len(said):]
    expect(len(times) == count, f"the log tells of {len(times)}")
    return {"resets": count, "anew_ms": f"{min(times)} to {max(times)}", "longest_silence_s": silent} | result


@scenario.check("the keeper is killed under load, without a store")
def keeper_killed(lab):
    """The kernel closes the device, so no DMA goes on."""
    with lab.far.running(*LOAD):
        bridge_end(lab, "KILL")
        rings = lab.nic.ask("queues")
        expect(not rings["rx"] and not rings["tx"], f"rings still run: {rings}")
        none_left(lab)
        bridge_start(lab, "--rings", str(RINGS), user=None)
        up(lab, PORT)
    return ping(lab.guest, FAR_V4) | accounts(lab)


# ---- Under a service manager ----

def managed_ready(lab, former=""):
    """Waits for the next keeper after that one."""
    try:
        lab.guest.until(f"test \"$(cat {MANAGER}/pid)\" != '{former}' && cat {MANAGER}/out", "ready", START_S)
    except Failure as failure:
        raise Failure(f"{failure}\n    {errors(lab)}") from None
    return lab.guest.sh(f"cat {MANAGER}/pid").strip()


def managed_start(lab):
    """What starts and ends ixtapd elsewhere finds its files where they were."""
    lab.guest.sh(f"cd /; rm -rf {MANAGER}; for each in pid out err; do ln -sf {MANAGER}/$each /run/ixtapd.$each; done; "
                 f"(/usr/bin/python3 -I /run/descriptor_store.py {MANAGER} "
                 f"{bridge_words(lab, '--rings', str(RINGS), user=None)}; echo $? >{MANAGER}/status) "
                 ">/run/manager.log 2>&1 &")
    return managed_ready(lab)


def stored(lab):
    return lab.guest.sh(f"cat {MANAGER}/names").split()


def stored_after(lab, before):
    """Waits until as much is stored as before, and the next driver's: new files have names of their own."""
    deadline = time.monotonic() + FOLLOWED_S
    while len(now := stored(lab)) != len(before) or now == before:
        expect(time.monotonic() < deadline, f"what is stored is not complete within {FOLLOWED_S} s: "
                                            f"{sorted(now)}, where {sorted(before)} was")
        time.sleep(0.1)


def held(lab):
    """Processes, the descriptors of each, and what is stored for them."""
    return {"processes": lab.guest.sh("for pid in $(pgrep '^ixtap'); do "
                                      "echo $(cat /proc/$pid/comm) $(ls /proc/$pid/fd | wc -l); done | sort").splitlines(),
            "stored": len(stored(lab))}


@scenario.check("the keeper is killed under load, with a store")
def keeper_kept(lab):
    """Each next keeper goes on with the rings of the one before, and so does its driver."""
    count = KEEPERS_SHORT if lab.short else KEEPERS
    bridge_end(lab)
    none_left(lab)
    keeper = managed_start(lab)
    up(lab, PORT)

    def kill():
        nonlocal keeper
        before, was = stored(lab), status(lab)
        lab.guest.sh(f"kill -9 {keeper}")
        keeper = managed_ready(lab, keeper)
        expect(driver_after(lab, was)["pid"] == int(keeper), "another keeper answers")
        stored_after(lab, before)

    lab.guest.until(f"test -s {MANAGER}/names", None)
    settled(lambda: stored(lab))
    kill()  # the first one has made what the others find
    watched, before = Watched(lab), held(lab)
    silent = again_and_again(lab, count, kill)
    result = watched.compare("warm", count) | accounts(lab) | ping(lab.guest, FAR_V4)
    now = held(lab)
    expect(now == before, f"{before} has become {now}")
    return {"kills": count, "longest_silence_s": silent, "stored": now["stored"]} | result


@scenario.check("the managed keeper ends")
def managed_end(lab):
    """Nothing is stored any more, and the NIC is idle."""
    bridge_end(lab)
    none_left(lab)
    lab.guest.until(f"cat {MANAGER}/status", "0", STOP_S)
    expect(not stored(lab), f"stored still: {stored(lab)}")
    rings = lab.nic.ask("queues")
    expect(not rings["rx"] and not rings["tx"] and not lab.nic.ask("status")["bus_master"], f"rings still run: {rings}")


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab)


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "vfio", VFIO_RESETS)
