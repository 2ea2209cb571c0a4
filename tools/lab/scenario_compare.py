# SPDX-License-Identifier: MIT
"""Drivers compared on one software NIC, in one boot of one guest.

    the guest's kernel  <->  driver  <->  ixnic  <->  TAP  <->  the far end's kernel

Only the driver differs. A pass measures each driver once. Every pass begins with another driver, since the
host may drift; a ratio is taken within a pass, never across. A round has short passes, which measure only
the quiet round trip, with the drivers right after each other. It ends with a long pass, which measures the
rest; there two drivers come minutes apart.

The quiet round trip is measured twice: as machines come, with processors that sleep when they are idle;
and with the host's processors kept awake (as by cyclictest, or tuned's latency profiles). To wake a
processor takes long, above all in a virtual machine, and how long changes with the time of day. A driver
that always polls keeps one awake. The probe is bound to the guest's processor 0, since a driver that polls has the other one:
unbound, the probe now and then shares the other one for seconds, while processor 0 is idle.

The guest's IOMMU runs as README.md tells operators to run it (iommu=pt): the in-kernel driver's DMA is
passed through, that of vfio-pci is translated.

Latency is what ixlat measures. CPU is all of the guest's time that is not idle, by /proc/stat. A driver that
polls uses a processor whether frames come or not.
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
from store import Failure

ROUNDS, ROUNDS_SHORT = 5, 1
QUIET_PASSES = 2  # a round, of each case
ROUND_S = 500  # what a round may take
TRAFFIC_S = 2
WARM_UP = 50
IXLAT = "taskset --cpu-list 0 /run/build/tools/ixlat/ixlat"
IXLAT_PORT = 8259
OFFERED_PPS = 200_000
SMALL_PAYLOAD = 18  # of UDP in a frame of 64 bytes with its CRC
# {name of a latency measurement: how ixlat sends}
QUIET = "udp 64 B, 200 a second"  # what an idle interface answers like
AWAKE = "udp 64 B, 200 a second, host kept awake"
LATENCY = {
    QUIET: ("udp", 500, "--size 64 --rate 200"),
    AWAKE: ("udp", 500, "--size 64 --rate 200"),
    "udp 64 B, 1000 a second": ("udp", 2000, "--size 64 --rate 1000"),
    "udp 64 B, one after the other": ("udp", 2000, "--size 64"),
    "udp 1400 B, one after the other": ("udp", 1000, "--size 1400"),
    "tcp 64 B transactions": ("tcp", 1000, "--size 64"),
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
    """With ntuple filters the driver does not direct flows by the processor that sends (ATR). With ATR, a
    connection arrives out of order if several processors send its acknowledgements."""
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
    """The guest's processors give way meanwhile. For throughput they do not, since that costs a fifth of
    TCP out."""
    mode, count, options = LATENCY[name]
    with (lab.guest.giving_way(),
          lab.far.running(os.path.join(lab.build, "tools/ixlat/ixlat"), "reflect", mode,
                          "--listen", FAR_V4, until="ready")):
        text = lab.guest.sh(f"{IXLAT} {mode} {FAR_V4} --port {IXLAT_PORT} "
                            f"--count {count // (4 if lab.short else 1)} "
                            f"--warmup {WARM_UP} {options} --json -")
    return json.loads(text)


def busy_of(text):
    """The seconds that were not idle between two first lines of /proc/stat."""
    first, second = ([int(word) for word in line.split()[1:9]]
                     for line in text.splitlines() if line.startswith("cpu "))
    spent = [after - before for before, after in zip(first, second, strict=True)]
    return (sum(spent) - spent[3] - spent[4]) / 100  # in USER_HZ; 3 and 4 are idle and iowait


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
    if "-u" not in options:
        traffic.tcp_mbps(end)
    total = end["sum" if "-u" in options else "sum_received"]
    received = total["bytes"] * (1 - total.get("lost_percent", 0) / 100)
    expect(received > 0, f"iperf3 {' '.join(options)}: nothing got through")
    return {"mbps": received * 8 / total["seconds"] / 1e6, "seconds": total["seconds"],
            "cpu_s": cpu_s, "cpu_s_per_gb": cpu_s / received * 1e9}


def packets(lab, port, way):
    """Sends more small frames than can be handled, and counts those that come through."""
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
    expect(received > 0, f"no small frame came {way}")
    return {"kpps": received / result["seconds"] / 1e3,
            "cpu_us_per_packet": result["cpu_s"] / received * 1e6}


@contextlib.contextmanager
def kept_awake():
    """Keeps the host's processors from sleeping, by the kernel's PM QoS."""
    try:
        most_us = open("/dev/cpu_dma_latency", "wb", buffering=0)
    except OSError as error:
        raise Failure(f"the host's processors cannot be kept awake: {error}") from None
    with most_us:
        most_us.write(struct.pack("i", 0))
        yield


def measure_quiet(lab, _port, begins):
    begins(QUIET)
    return {"latency": {QUIET: latency(lab, QUIET)}}


def measure_awake(lab, _port, begins):
    begins(AWAKE)
    with kept_awake():
        return {"latency": {AWAKE: latency(lab, AWAKE)}}


def measure_rest(lab, port, begins):
    result = {"latency": {}}
    for name in LATENCY:
        if name not in (QUIET, AWAKE):
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


# ---- The scenario: a check for each driver in each pass ----

def summary(result):
    if "TCP out" in result:
        return {way: f"{result[way]['mbps']:.0f} Mbit/s" for way in ("TCP out", "TCP in")}
    (run,) = result["latency"].values()
    return {key: f"{round_trip(run)[f'{key}_ns'] / 1000:.0f} us" for key in ("p50", "p99")}


def add_pass(name, results, measure):
    """Adds a check for each driver, and to `results` a dict that they fill: {driver: what was measured}."""
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
    lab.quiet, lab.awake, lab.rest = [], [], []
    for number in range(1, (ROUNDS_SHORT if lab.short else ROUNDS) + 1):
        for again in range(1, QUIET_PASSES + 1):
            add_pass(f"round {number}, quiet {again}", lab.quiet, measure_quiet)
            add_pass(f"round {number}, awake {again}", lab.awake, measure_awake)
        add_pass(f"round {number}, rest", lab.rest, measure_rest)
    scenario.check("aims")(aims)
    lab.start(iommu="pt", shares=dpdk.shares(lab))
    dpdk.prepare(lab)


def whole(passes):
    done = [each for each in passes if len(each) == len(DRIVERS)]
    expect(done, "no pass is whole")
    return done


def comparison_of(lab):
    return Comparison(whole(lab.rest), family, {QUIET: whole(lab.quiet), AWAKE: whole(lab.awake)})


def aims(lab):
    """A missed aim is a result, not a failure of the scenario."""
    return {f"{row['what']}: {row['ours']} / {row['theirs']}":
            f"{row['ratio']['median']:.2f}, aim {'at most' if row['at_most'] else 'at least'} "
            f"{row['aim']:.1f}: {'reached' if row['reached'] else 'missed'}"
            for row in comparison_of(lab).aims([QUIET, AWAKE])}


def data(lab):
    """For the JSON: all that was measured."""
    return {"quiet": lab.quiet, "awake": lab.awake, "rest": lab.rest}


def report(lab, folder):
    """Writes the page and returns its path."""
    comparison = comparison_of(lab)
    return write(folder, comparison,
                 lab.guest.release, cases=[*LATENCY], streams=[*THROUGHPUT],
                 packets=["packets in", "packets out"], quiet=[QUIET, AWAKE],
                 ixlat=os.path.join(lab.build, "tools/ixlat/ixlat"))


scenario = Scenario("in-kernel ixgbe, ixtapd and DPDK on the same NIC: latency, throughput, CPU",
                    start, report=report, data=data, deadline_s=ROUNDS * ROUND_S, needs=("dpdk",))
