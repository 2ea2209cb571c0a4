# SPDX-License-Identifier: MIT
"""Drivers compared on one software NIC, in one boot of one guest.

    the guest's kernel  <->  driver  <->  ixnic  <->  TAP  <->  the far end's kernel

Only the driver differs. A pass has each driver once. A round is passes that measure no more than the
quiet round trip, so that the drivers come right after each other, and a pass that measures the
rest, by which two drivers come minutes apart. Every pass begins with another driver, so that what
drifts on the host hits all alike; a ratio is taken within a pass, never across.

Two things are done as one does when latency is measured. The host's processors do not sleep (cyclictest,
tuned's latency profiles): how long one takes to wake up depends on the time of day, and by that the medians
of one driver differed twofold. The probe keeps to processor 0, as drivers that always poll have the other
one: left to itself, it now and then shares that for seconds, while its own is idle.

The guest's IOMMU runs as README.md tells operators to run it (iommu=pt): the in-kernel driver's DMA is
passed through, that of vfio-pci is translated.

Latency is ixlat's. CPU is the guest's, all that is not idle, by /proc/stat: a driver that polls uses
a processor whether frames come or not.
"""
import contextlib
import json
import os
import struct

import dpdk
import traffic
from checks import Scenario, expect
from machine import FAR_V4, NEAR_V4, WIRE
from scenario_kernel import PORT as KERNEL_PORT
from scenario_vfio import PORT as TAP_PORT
from scenario_vfio import bridge_end, bridge_start, give_group, make_tap
from report import Comparison, round_trip, write

ROUNDS, ROUNDS_SHORT = 5, 1
QUIET_PASSES = 2  # a round
ROUND_S = 420  # what a round may take
TRAFFIC_S = 2
WARM_UP = 50
IXLAT = "taskset --cpu-list 0 /run/build/tools/ixlat/ixlat"
IXLAT_PORT = 8259
OFFERED_PPS = 200_000
SMALL_PAYLOAD = 18  # of UDP in a frame of 64 bytes with its CRC
# What one latency measurement is: {name: how ixlat is to send}.
QUIET = "udp 64 B, 200 a second"  # what an idle interface answers like
LATENCY = {
    QUIET: ("udp", 500, "--size 64 --rate 200"),
    "udp 64 B, 1000 a second": ("udp", 2000, "--size 64 --rate 1000"),
    "udp 64 B, one after the other": ("udp", 2000, "--size 64"),
    "udp 1400 B, one after the other": ("udp", 1000, "--size 1400"),
    "tcp 1 B transactions": ("tcp", 1000, "--size 64"),
}
THROUGHPUT = {
    "TCP out": (),
    "TCP in": ("-R",),
    "UDP out": ("-u", "-b", "0"),
    "UDP in": ("-u", "-b", "1G", "-R"),
}


# ---- The drivers ----

@contextlib.contextmanager
def in_kernel(lab, rx_usecs, ntuple="off"):
    """With ntuple filters on, the driver does not direct flows by the processor that sends (ATR): a
    connection whose acknowledgements leave from several arrives out of order."""
    lab.guest.sh(f"modprobe ixgbe && ip link set {KERNEL_PORT} up && "
                 f"ethtool -C {KERNEL_PORT} rx-usecs {rx_usecs} && "
                 f"ethtool -K {KERNEL_PORT} ntuple {ntuple}")
    try:
        yield KERNEL_PORT
    finally:
        lab.guest.sh("modprobe -r ixgbe")


@contextlib.contextmanager
def with_vfio(lab):
    give_group(lab)
    try:
        yield
    finally:
        lab.guest.sh(f"echo >/sys/bus/pci/devices/{lab.bdf}/driver_override && "
                     f"echo {lab.bdf} >/sys/bus/pci/drivers/vfio-pci/unbind")


@contextlib.contextmanager
def ixtapd(lab, poll):
    with with_vfio(lab):
        make_tap(lab)
        try:
            bridge_start(lab, "--poll", poll)
            try:
                yield TAP_PORT
            finally:
                bridge_end(lab)
        finally:
            lab.guest.sh(f"ip link delete {TAP_PORT}")


@contextlib.contextmanager
def by_dpdk(lab, path):
    with with_vfio(lab), path(lab) as port:
        yield port


DRIVERS = {
    "ixgbe": lambda lab: in_kernel(lab, 1),
    "ixgbe, rx-usecs 0": lambda lab: in_kernel(lab, 0),
    "ixgbe, ntuple": lambda lab: in_kernel(lab, 1, "on"),
    "ixtapd, interrupt": lambda lab: ixtapd(lab, "interrupt"),
    "ixtapd, adaptive": lambda lab: ixtapd(lab, "adaptive"),
    "ixtapd, busy": lambda lab: ixtapd(lab, "busy"),
    "DPDK, net_tap": lambda lab: by_dpdk(lab, dpdk.net_tap),
    "DPDK, virtio-user": lambda lab: by_dpdk(lab, dpdk.virtio_user),
}
FAMILIES = {"ixgbe": "in-kernel", "ixtapd": "ixtapd", "DPDK": "DPDK"}


def family(driver):
    return FAMILIES[driver.partition(",")[0]]


# ---- What is measured ----

def latency(lab, name):
    mode, count, options = LATENCY[name]
    with lab.far.running(os.path.join(lab.build, "tools/ixlat/ixlat"), "reflect", mode,
                         "--listen", FAR_V4, until="ready"):
        text = lab.guest.sh(f"{IXLAT} {mode} {FAR_V4} --port {IXLAT_PORT} "
                            f"--count {count // (4 if lab.short else 1)} "
                            f"--warmup {WARM_UP} {options} --json -")
    return json.loads(text)


def busy_of(text):
    """Seconds that /proc/stat says were not idle, of both its first lines."""
    first, second = ([int(word) for word in line.split()[1:9]]
                     for line in text.splitlines() if line.startswith("cpu "))
    spent = [after - before for before, after in zip(first, second, strict=True)]
    return (sum(spent) - spent[3] - spent[4]) / 100  # USER_HZ; but idle and iowait


def with_cpu(lab, command, timeout):
    """(output, seconds of CPU that the guest used meanwhile)"""
    out = lab.guest.sh(f"head -1 /proc/stat >/run/cpu; {command} || exit; "
                       "head -1 /proc/stat >>/run/cpu", timeout)
    return out, busy_of(lab.guest.sh("cat /run/cpu"))


def iperf(lab, *options):
    cpu_s = None

    def run(command, timeout):
        nonlocal cpu_s
        out, cpu_s = with_cpu(lab, command, timeout)
        return out

    end = traffic.iperf_end(lab, TRAFFIC_S, options, run)
    total = end["sum" if "-u" in options else "sum_received"]
    received = total["bytes"] * (1 - total.get("lost_percent", 0) / 100)
    expect(received > 0, f"iperf3 {' '.join(options)}: nothing got through")
    return {"mbps": received * 8 / total["seconds"] / 1e6, "seconds": total["seconds"],
            "cpu_s": cpu_s, "cpu_s_per_gb": cpu_s / received * 1e9}


def packets(lab, port, way):
    """Small frames at a rate that is more than can be handled: how many came through."""
    place, name, options = {
        "in": (lab.guest, f"/sys/class/net/{port}/statistics/rx_packets", "-R"),
        "out": (lab.far, f"/sys/class/net/{WIRE}/statistics/rx_packets", ""),
    }[way]
    offered = f"-u -l {SMALL_PAYLOAD} -b {OFFERED_PPS * SMALL_PAYLOAD * 8}"

    def count():
        return int(place.sh(f"cat {name}"))

    before = count()
    result = iperf(lab, offered, options)
    received = count() - before
    return {"kpps": received / result["seconds"] / 1e3,
            "cpu_us_per_packet": result["cpu_s"] / received * 1e6}


def measure_quiet(lab, _port, begins):
    begins(QUIET)
    return {"latency": {QUIET: latency(lab, QUIET)}}


def measure_rest(lab, port, begins):
    result = {"latency": {}}
    for name in LATENCY:
        if name != QUIET:
            begins(name)
            result["latency"][name] = latency(lab, name)
    for name, options in THROUGHPUT.items():
        begins(name)
        result[name] = iperf(lab, *options)
    for way in ("in", "out"):
        begins(f"packets {way}")
        result[f"packets {way}"] = packets(lab, port, way)
    return result


def ready(lab, port):
    lab.guest.sh(f"ip address replace {NEAR_V4}/24 dev {port}")
    traffic.up(lab, port)
    lab.guest.until(f"ping -n -q -c 1 -W 1 {FAR_V4} >/dev/null", None)


# ---- The host ----

def keep_awake(lab):
    """Until the lab ends, by the kernel's PM QoS; whether that could be had."""
    try:
        lab.awake = open("/dev/cpu_dma_latency", "wb", buffering=0)
        lab.awake.write(struct.pack("i", 0))
    except OSError:
        return False
    return True


# ---- The scenario: a check for each driver in each pass ----

def quiet_summary(result):
    quiet = round_trip(result["latency"][QUIET])
    return {"p50_us": round(quiet["p50_ns"] / 1000), "p99_us": round(quiet["p99_ns"] / 1000)}


def rest_summary(result):
    return {"out_mbps": round(result["TCP out"]["mbps"]), "in_mbps": round(result["TCP in"]["mbps"])}


def add_pass(name, results, measure, summary):
    """To `results` comes a dict that the checks fill: {driver: what was measured}."""
    result = {}
    at = len(results) % len(DRIVERS)
    results.append(result)

    def add(driver):
        @scenario.check(f"{name}: {driver}")
        def _(lab):
            with DRIVERS[driver](lab) as port:
                ready(lab, port)
                measured = measure(lab, port, lambda what: lab.progress(f"{driver}: {what}"))
            result[driver] = measured
            return summary(measured)

    for each in [*DRIVERS][at:] + [*DRIVERS][:at]:
        add(each)


def start(lab):
    lab.quiet, lab.rest = [], []
    for number in range(ROUNDS_SHORT if lab.short else ROUNDS):
        for quiet in range(QUIET_PASSES):
            add_pass(f"round {number + 1}, quiet {quiet + 1}", lab.quiet, measure_quiet, quiet_summary)
        add_pass(f"round {number + 1}, rest", lab.rest, measure_rest, rest_summary)
    scenario.check("aims")(aims)
    lab.never_sleeps = keep_awake(lab)
    lab.start(iommu="pt", shares=dpdk.shares(lab))
    dpdk.prepare(lab)


def whole(passes):
    done = [each for each in passes if len(each) == len(DRIVERS)]
    expect(done, "no pass is whole")
    return done


def comparison_of(lab):
    return Comparison(whole(lab.rest), family, {QUIET: whole(lab.quiet)})


def aims(lab):
    """What came out of them is no failure of the scenario: it is the result."""
    return {f"{row['what']}: {row['ours']} / {row['theirs']}":
            f"{row['ratio']['median']:.2f}, aim {'at most' if row['at_most'] else 'at least'} "
            f"{row['aim']:.1f}: {'reached' if row['reached'] else 'missed'}"
            for row in comparison_of(lab).aims(QUIET)}


def data(lab):
    """For the JSON: all that was measured."""
    return {"host_never_sleeps": lab.never_sleeps, "quiet": lab.quiet, "rest": lab.rest}


def report(lab, folder):
    """Writes the page; its path."""
    comparison = comparison_of(lab)
    return write(folder, comparison,
                 {"guest_kernel": lab.guest.release, "never_sleeps": lab.never_sleeps},
                 cases=[*LATENCY], streams=[*THROUGHPUT],
                 packets=["packets in", "packets out"], quiet=QUIET,
                 ixlat=os.path.join(lab.build, "tools/ixlat/ixlat"))


scenario = Scenario("in-kernel ixgbe, ixtapd and DPDK on the same NIC: latency, throughput, CPU",
                    start, report=report, data=data, deadline_s=ROUNDS * ROUND_S)
