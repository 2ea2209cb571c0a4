# SPDX-License-Identifier: MIT
"""ixtapd in the guest, as a user without any capability, through the kernel's VFIO and an IOMMU.

Root does what an administrator does once: it binds the NIC to vfio-pci, gives the group's file and a
persistent TAP to the user, and sets addresses, MTU and flags of the TAP. Nothing else runs as root.
"""
import json
import re
import time

from checks import VFIO_RESETS, Scenario, ethtool_says, expect, log_quiet, rules_kept, strict
from machine import FAR_V4, NEAR_V4
from store import Failure
from traffic import counted_by_nic, filtered, iperf, jumbo, ping, unfiltered, without_offloads
import traffic

PORT = "ixtap0"
USER = 65534
MEMLOCK_BYTES = 256 << 20
CONTROL = f"/run/ixtap/{PORT}.sock"
START_S, STOP_S = 30, 20
FIND = "grep -l 0x10fb /sys/bus/pci/devices/*/device | cut -d/ -f6"


def start(lab):
    lab.start()
    strict(lab)


scenario = Scenario("ixtapd as a normal user, through the kernel's VFIO and an IOMMU", start)


# ---- The daemon in the guest ----

def errors(lab):
    return lab.guest.sh("tail -n 5 /run/ixtapd.err").strip()


def bridge_words(lab, *options, user=USER):
    """As that user without a capability, or, with None, as root."""
    rights = (f"setpriv --reuid={user} --regid={user} --clear-groups --inh-caps=-all --bounding-set=-all "
              "--no-new-privs") if user else ""
    return (f"prlimit --memlock={MEMLOCK_BYTES} {rights} /run/build/bridge/ixtapd --nic vfio:{lab.bdf} --tap {PORT} "
            f"--persist {' '.join(options)}")


def bridge_start(lab, *options, user=USER):
    lab.guest.sh(f"cd /; : >/run/ixtapd.out; {bridge_words(lab, *options, user=user)} "
                 f">/run/ixtapd.out 2>/run/ixtapd.err & echo $! >/run/ixtapd.pid")
    deadline = time.monotonic() + START_S
    while lab.guest.sh("cat /run/ixtapd.out").strip() != "ready":
        alive = lab.guest.try_sh("kill -0 $(cat /run/ixtapd.pid)")[0] == 0
        if not alive or time.monotonic() > deadline:
            raise Failure(f"ixtapd is not ready: {errors(lab)}")
        time.sleep(0.1)


def bridge_end(lab, signal="TERM"):
    lab.guest.sh(f"kill -{signal} $(cat /run/ixtapd.pid)")
    lab.guest.until("kill -0 $(cat /run/ixtapd.pid) 2>/dev/null || echo ended", "ended", STOP_S)


def up(lab):
    traffic.up(lab, PORT)


def ixtap(lab, *words):
    return lab.guest.sh(f"/run/build/tools/ixtap/ixtap --control {CONTROL} {' '.join(words)}")


def stats(lab):
    return json.loads(ixtap(lab, "-j", "stats"))


def accounts(lab):
    """Fails unless received = delivered + the named drops, in both directions, once all is quiet."""
    deadline = time.monotonic() + 10
    while True:
        bridge = stats(lab)["bridge"]
        missing = {way: bridge[f"{way}_received"] - bridge[f"{way}_delivered"] - sum(
            value for name, value in bridge.items() if name.startswith(f"{way}_drop_"))
            for way in ("rx", "tx")}
        if not any(missing.values()) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    expect(not any(missing.values()), f"unaccounted frames: {missing}")
    return {"drops": sum(value for name, value in bridge.items() if "_drop_" in name)}


# ---- The checks ----

def give_group(lab):
    """Binds the NIC to vfio-pci and gives its group's file to the user."""
    lab.guest.sh("modprobe vfio-pci")
    lab.bdf = lab.guest.sh(FIND).strip()
    device = f"/sys/bus/pci/devices/{lab.bdf}"
    lab.guest.sh(f"echo vfio-pci >{device}/driver_override && "
                 f"echo {lab.bdf} >/sys/bus/pci/drivers_probe")
    group = lab.guest.sh(f"basename $(readlink {device}/iommu_group)").strip()
    lab.guest.until(f"test -c /dev/vfio/{group} && chown {USER} /dev/vfio/{group}", None)


def give_back(lab):
    """Gives the NIC to the in-kernel driver again, with our address."""
    lab.guest.sh(f"echo >/sys/bus/pci/devices/{lab.bdf}/driver_override && "
                 f"echo {lab.bdf} >/sys/bus/pci/drivers/vfio-pci/unbind && modprobe ixgbe && "
                 f"echo {lab.bdf} >/sys/bus/pci/drivers_probe; ip link set eth0 up && "
                 f"ip address add {NEAR_V4}/24 dev eth0")
    lab.guest.until("cat /sys/class/net/eth0/carrier", "1")


def make_tap(lab):
    """Makes the interface: persistent, and the user's."""
    lab.guest.sh(f"modprobe tun && chmod 666 /dev/net/tun && install -d -o {USER} /run/ixtap && "
                 f"ip tuntap add dev {PORT} mode tap user {USER} vnet_hdr multi_queue && "
                 f"ip address add {NEAR_V4}/24 dev {PORT}")


@scenario.check("give the NIC to a user", vital=True)
def give(lab):
    give_group(lab)
    make_tap(lab)


@scenario.check("start without root", vital=True)
def begin(lab):
    bridge_start(lab)
    text = lab.guest.sh("grep -E '^(Uid|CapEff|CapBnd)' /proc/$(cat /run/ixtapd.pid)/status")
    expect(re.search(rf"Uid:\s+{USER}\s", text) and re.search(r"CapEff:\s+0+$", text, re.M), text)


@scenario.check("link at 10 Gbit/s", vital=True)
def link(lab):
    up(lab)
    text = lab.guest.sh(f"ethtool {PORT}")
    expect("Link detected: yes" in text, text)
    status = json.loads(ixtap(lab, "-j", "status"))
    expect(status["link"] == {"up": True, "speed_mbps": 10000} and status["state"] == "running"
           and status["nic"]["backend"] == "vfio", json.dumps(status))


@scenario.check("ping")
def pings(lab):
    return ping(lab.guest, FAR_V4)


@scenario.check("TCP out")
def tcp_out(lab):
    return iperf(lab)


@scenario.check("TCP out, no offloads")
def tcp_plain(lab):
    return without_offloads(lab, PORT) | accounts(lab)


@scenario.check("TCP in")
def tcp_in(lab):
    return iperf(lab, "-R")


@scenario.check("UDP")
def udp(lab):
    return iperf(lab, "-u", "-b", "50M") | accounts(lab)


@scenario.check("jumbo frames")
def jumbo_frames(lab):
    return jumbo(lab, PORT) | accounts(lab)


@scenario.check("VLAN")
def vlan(lab):
    return traffic.vlan(lab, PORT)


def filters_say(lab, name, value):
    deadline = time.monotonic() + 10
    while json.loads(ixtap(lab, "-j", "status"))["filters"][name] != value:
        expect(time.monotonic() < deadline, f"{name} does not become {value}")
        time.sleep(0.1)


@scenario.check("promiscuous")
def promiscuous(lab):
    filtered(lab, PORT)
    lab.guest.sh(f"ip link set {PORT} promisc on")
    filters_say(lab, "promiscuous", True)
    unfiltered(lab, PORT)
    lab.guest.sh(f"ip link set {PORT} promisc off")
    filters_say(lab, "promiscuous", False)
    filtered(lab, PORT)


@scenario.check("multicast")
def multicast(lab):
    group = {"address": "224.0.0.99", "mac": None}
    groups = json.loads(ixtap(lab, "-j", "status"))["filters"]["multicast_groups"]
    filtered(lab, PORT, **group)
    lab.guest.sh(f"ip maddress add 01:00:5e:00:00:63 dev {PORT}")
    filters_say(lab, "multicast_groups", groups + 1)
    unfiltered(lab, PORT, **group)
    lab.guest.sh(f"ip maddress del 01:00:5e:00:00:63 dev {PORT}")
    filters_say(lab, "multicast_groups", groups)
    filtered(lab, PORT, **group)


ethtool_says(scenario, PORT, {
    "-i": r"driver: tun",
    "-k": r"(?s)tx-checksumming: on.*tcp-segmentation-offload: on",
})


@scenario.check("ixtap stats counts frames")
def statistics(lab):
    return counted_by_nic(lab, lambda name: stats(lab)["nic"][name])


@scenario.check("cable out and in")
def cable(lab):
    return traffic.cable(lab, PORT)


@scenario.check("ip link down and up")
def admin(lab):
    return traffic.down_and_up(lab, PORT)


@scenario.check("kill -9 under load")
def killed(lab):
    with lab.far.running("ping", "-n", "-q", "-f", "-s", "1400", NEAR_V4):
        before = stats(lab)["bridge"]["rx_delivered"]
        time.sleep(1)
        expect(stats(lab)["bridge"]["rx_delivered"] > before, "there was no load")
        bridge_end(lab, "KILL")
        # The kernel has closed the device: it is reset and may not master the bus, so no ring is left.
        rings = lab.nic.ask("queues")
        expect(not rings["rx"] and not rings["tx"], f"rings still run: {rings}")
        faults = lab.guest.sh("dmesg").count("fault addr")
        expect(faults == 0, f"{faults} DMA faults")
        bridge_start(lab)
        up(lab)
    return ping(lab.guest, FAR_V4) | accounts(lab)


def add_mode(mode, *options):
    @scenario.check(f"{mode} anew")
    def _(lab):
        bridge_end(lab)
        bridge_start(lab, *options)
        up(lab)
        result = ping(lab.guest, FAR_V4)
        for way, more in (("out", ()), ("in", ("-R",))):
            result[f"{way}_mbps"] = iperf(lab, *more)["mbps"]
        return result | accounts(lab)


for each in ("busy", "interrupt", "adaptive"):
    add_mode(f"--poll {each}", "--poll", each)


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab)


@scenario.check("the in-kernel driver has it again")
def back(lab):
    bridge_end(lab)
    lab.guest.sh(f"ip link delete {PORT}")
    lab.nic.ask("strict off")  # that driver breaks rules, see scenario_kernel.py
    give_back(lab)
    return ping(lab.guest, FAR_V4)


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "vfio", VFIO_RESETS)
