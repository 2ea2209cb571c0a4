# SPDX-License-Identifier: MIT
"""ixtapd in the guest, as root and with all isolation that can be had, through the kernel's VFIO and an IOMMU: its
drivers are killed under load, and the program is replaced under load. The interface, its link and a connection
outlive both; the NIC is not reset."""
import json
import time

from checks import VFIO_RESETS, Scenario, expect, log_quiet, rules_kept, strict
from heartbeat import Pulse, serve_pulse
from machine import FAR_V4, NEAR_V4, WIRE
from scenario_vfio import PORT, accounts, bridge_end, bridge_start, errors, give_group, ixtap, stats
from store import Failure
from traffic import ping, up

RINGS = 4096
KILLS, KILLS_SHORT = 100, 10
UPGRADES, UPGRADES_SHORT = 20, 3
FOLLOWED_S = 15
LOAD = ("ping", "-n", "-q", "-f", "-s", "1400", NEAR_V4)


def start(lab):
    lab.start()
    serve_pulse(lab)
    strict(lab)


scenario = Scenario("drivers of ixtapd are killed, and ixtapd is replaced, through the kernel's VFIO and an IOMMU", start,
                    deadline_s=1200)


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
        self.faults = self.dma_faults()

    def carrier_changes(self):
        return int(self.lab.far.sh(f"cat /sys/class/net/{WIRE}/carrier_changes"))

    def dma_faults(self):
        return self.lab.guest.sh("dmesg").count("fault addr")

    def compare(self, kind, count):
        now, was = status(self.lab), self.status
        expect(self.carrier_changes() == self.changes, "the far end saw the link go")
        expect(self.dma_faults() == self.faults, "the IOMMU has refused an access")
        starts = {name: number - was["driver"]["starts"][name] for name, number in now["driver"]["starts"].items()}
        expect(starts == {**dict.fromkeys(starts, 0), kind: count}, f"starts of drivers: {starts}")
        expect(now["recoveries"] == was["recoveries"], "the NIC was reset")
        back = [name for name, value in stats(self.lab)["bridge"].items() if value < self.counters[name]]
        expect(not back, f"counters went back: {back}")
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
        expect(pulse.beats(10), f"the connection is lost: {pulse.read()[1]}")
        return pulse.read()[1]
    finally:
        pulse.end()


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


@scenario.check("the keeper is killed under load")
def keeper_killed(lab):
    """Without a service manager that keeps its descriptors: the kernel closes the device, so no DMA goes on."""
    with lab.far.running(*LOAD):
        bridge_end(lab, "KILL")
        rings = lab.nic.ask("queues")
        expect(not rings["rx"] and not rings["tx"], f"rings still run: {rings}")
        none_left(lab)
        bridge_start(lab, "--rings", str(RINGS), user=None)
        up(lab, PORT)
    return ping(lab.guest, FAR_V4) | accounts(lab)


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab)


@scenario.check("ixtapd ends")
def end(lab):
    bridge_end(lab)
    none_left(lab)


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "vfio", VFIO_RESETS)
