# SPDX-License-Identifier: MIT
"""The comparison's figures with their spread, its ratios, and a page with plots.

A pass is {driver: what scenario_compare measured}. A figure is the median over the passes, with
the smallest and the largest beside it. A ratio is taken within each pass, since both drivers had the
same host then; the ratios of all passes make a figure.
"""
import functools
import json
import os
import statistics
import subprocess

from store import Failure

EMULATED = """\
Nothing here is hardware. QEMU emulates the processor of the guest instruction by instruction (TCG), on {cpus}
processors that it shares with the software NIC and the far end; an access to a register of the NIC is
a message to another process, not a write on PCI Express. So every time is far longer than on a
real machine, and what counts is how two drivers differ on the same NIC, in the same boot, in
the same pass. What that comparison carries over: how much code runs for a frame, how
often a driver touches registers, how often it sleeps and is woken. What it does not: caches, memory
bandwidth, PCI Express, real interrupts. Copies are dearer than on hardware. The NIC moderates interrupts as
an 82599 does. The IOMMU passes the in-kernel driver's DMA through (iommu=pt), and translates that of
the others. While latency is measured, the guest's processors give way to the software NIC and the far end
(SCHED_IDLE): hardware does not wait for a processor that polls. The latency probe keeps to one processor of
the guest, and what polls without sleep has the other one. The host's processors sleep when they are
idle, except where it says "host kept awake" (/dev/cpu_dma_latency): waking one takes long in a virtual
machine, and a driver that always polls spares others that.

The drivers:

- `ixgbe`: the guest's own, as it comes: interrupt moderation by itself, flows directed by the
  processor that sends (ATR). `rx-usecs 0`: no moderation. `ntuple`: no ATR, by which a connection whose
  acknowledgements leave from two processors arrives out of order.
- `ixtapd`: one queue, as a user without privileges, in its three ways to poll.
- `DPDK`: testpmd forwards between its ixgbe driver and an interface of the kernel: `net_tap`, or
  `virtio-user` with the kernel's vhost-net. It forwards frames as they are, so the kernel
  computes checksums and cuts TCP into frames; and it always polls.
"""


def round_trip(run):
    """The times from the moment of sending. At a fixed rate ixlat's "rtt" begins when the probe was due,
    and has in it how late the guest's timer woke the sender."""
    return run.get("rtt_uncorrected") or run["rtt"]


class Figure:
    """The median, the smallest and the largest value of the passes."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)

    def text(self, digits=0, spread=True):
        said = f"{self.median:,.{digits}f}"
        if spread and len(self.values) > 1:
            said += f" ({min(self.values):,.{digits}f}-{max(self.values):,.{digits}f})"
        return said

    def json(self):
        return {"median": self.median, "min": min(self.values), "max": max(self.values)}


def latency_of(case, key, start=round_trip):
    """A function of what was measured of a driver: gives this latency in microseconds."""
    return lambda result: start(result["latency"][case])[key] / 1000


def from_schedule(run):
    return run["rtt"]


class Comparison:
    """family(driver) is the same for all modes of a driver. `own` has the cases of latency with passes of
    their own, {case: passes}."""

    def __init__(self, passes, family, own=None):
        self.passes, self.family, self.own = passes, family, own or {}
        self.drivers = [driver for driver in passes[0] if all(driver in each for each in passes)]

    def of(self, case):
        """The comparison that has this case of latency."""
        return Comparison(self.own[case], self.family) if case in self.own else self

    def figure(self, driver, get):
        return Figure(get(each[driver]) for each in self.passes)

    def modes(self, family):
        return [driver for driver in self.drivers if self.family(driver) == family]

    def best(self, family, get, most):
        """The mode with the best median."""
        return (max if most else min)(self.modes(family),
                                      key=lambda mode: self.figure(mode, get).median)

    def ratio(self, driver, other, get):
        return Figure(get(each[driver]) / get(each[other]) for each in self.passes)

    def aims(self, quiet):
        """What the project wants of the comparison, and what came out. `quiet` are the cases of latency
        with an idle interface."""
        rows = []

        def row(comparison, what, get, theirs, aim, most):
            ours = comparison.best("ixtapd", get, most)
            ratio = comparison.ratio(ours, theirs, get)
            rows.append({
                "what": what, "ours": ours, "theirs": theirs, "aim": aim, "at_most": not most,
                "ratio": ratio.json(),
                "reached": ratio.median >= aim if most else ratio.median <= aim})

        trips = [(self.of(case), f"{case}: {what}", latency_of(case, key))
                 for case in quiet for what, key in (("median", "p50_ns"), ("99th percentile", "p99_ns"))]
        for idle, what, get in trips:
            row(idle, what, get, idle.best("in-kernel", get, False), 1.0, False)
        for way in ("TCP out", "TCP in"):
            get = functools.partial(lambda way, result: result[way]["mbps"], way)
            row(self, way, get, self.best("in-kernel", get, True), 1.0, True)
        for idle, what, get in trips:
            for theirs in self.modes("DPDK"):
                row(idle, what, get, theirs, 0.8, False)
        return rows


# ---- Markdown ----

def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def aim_rows(aims):
    for aim in aims:
        ratio = aim["ratio"]
        yield [aim["what"], f"{aim['ours']} / {aim['theirs']}",
               f"{'at most' if aim['at_most'] else 'at least'} {aim['aim']:.1f}",
               f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})",
               "reached" if aim["reached"] else "**missed**"]


def latency_table(comparison, case, start):
    keys = ("p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns")
    return table(["driver", "p50", "p90", "p99", "p99.9", "max", "lost"], [
        [driver, *(comparison.figure(driver, latency_of(case, key, start)).text() for key in keys),
         f"{sum(each[driver]['latency'][case]['lost'] for each in comparison.passes)}"]
        for driver in comparison.drivers])


def latency_section(comparison, case, plot):
    yield f"### {case}"
    yield ""
    yield from latency_table(comparison, case, round_trip)
    yield ""
    yield f"![Percentiles: {case}]({plot})"
    if all("rtt_uncorrected" in each["latency"][case] for each in comparison.passes[0].values()):
        yield ""
        yield ("The same, from when the probe should have been sent: how late the guest's timer woke the "
               "sender is in it, and nothing is left out when an answer holds up the next probes.")
        yield ""
        yield from latency_table(comparison, case, from_schedule)


def overview(comparison, quiet):
    """The page in one table. COMPARISON.md has the table of one run."""
    asleep, awake = quiet
    columns = [
        ("round trip, us: median", comparison.of(asleep), latency_of(asleep, "p50_ns"), 0),
        ("99th percentile", comparison.of(asleep), latency_of(asleep, "p99_ns"), 0),
        ("host kept awake: median", comparison.of(awake), latency_of(awake, "p50_ns"), 0),
        ("99th percentile", comparison.of(awake), latency_of(awake, "p99_ns"), 0),
        ("TCP out, Mbit/s", comparison, lambda result: result["TCP out"]["mbps"], 0),
        ("TCP in", comparison, lambda result: result["TCP in"]["mbps"], 0),
        ("CPU, s/GB: out", comparison, lambda result: result["TCP out"]["cpu_s_per_gb"], 1),
        ("in", comparison, lambda result: result["TCP in"]["cpu_s_per_gb"], 1),
    ]
    return table(["driver", *(name for name, *_ in columns)], [
        [driver, *(of.figure(driver, get).text(digits) for _, of, get, digits in columns)]
        for driver in comparison.drivers])


def throughput_table(comparison, names, key, digits):
    return table(["driver", *names], [
        [driver, *(comparison.figure(driver, lambda result, name=name: result[name][key]).text(digits)
                   for name in names)] for driver in comparison.drivers])


def page(comparison, kernel, cases, streams, packets, quiet, plots):
    aims = comparison.aims(quiet)
    yield "# ixtapd, in-kernel ixgbe and DPDK on the same NIC"
    yield ""
    idle = len(comparison.of(quiet[0]).passes)
    yield (f"Guest kernel {kernel}. Each driver was measured {len(comparison.passes)} times, its round trip "
           f"when idle {idle} times; medians, with the smallest and the largest in brackets.")
    yield ""
    yield "## What was emulated, and what that means"
    yield ""
    yield EMULATED.format(cpus=os.cpu_count())
    yield "## Overview"
    yield ""
    yield f"Round trips: {quiet[0]}, measured by themselves, the drivers right after each other."
    yield ""
    yield from overview(comparison, quiet)
    yield ""
    yield "## Aims"
    yield ""
    yield "The best mode of each driver, by its median; ratios within a pass."
    yield ""
    yield from table(["what", "of", "aim", "came out", ""], aim_rows(aims))
    yield ""
    yield "## Round trips, microseconds"
    for case in cases:
        yield ""
        yield from latency_section(comparison.of(case), case, plots[case])
    yield ""
    yield "## Throughput, Mbit/s"
    yield ""
    yield from throughput_table(comparison, streams, "mbps", 0)
    yield ""
    yield f"![Throughput]({plots['throughput']})"
    yield ""
    yield "## CPU of the guest, seconds for a gigabyte"
    yield ""
    yield from throughput_table(comparison, streams, "cpu_s_per_gb", 1)
    yield ""
    yield f"![CPU]({plots['cpu']})"
    yield ""
    yield "## Frames of 64 bytes, thousands a second"
    yield ""
    yield from throughput_table(comparison, packets, "kpps", 1)
    yield ""
    yield "## CPU of the guest, microseconds for such a frame"
    yield ""
    yield from throughput_table(comparison, packets, "cpu_us_per_packet", 1)


# ---- Plots ----

SHADES = {
    "in-kernel": ("#08519c", "#3182bd", "#6baed6"),
    "ixtapd": ("#fdae6b", "#f16913", "#a63603"),
    "DPDK": ("#969696", "#525252"),
}


def gnuplot(script):
    try:
        done = subprocess.run(["gnuplot", "-"], input=script, text=True, errors="backslashreplace",
                              capture_output=True, check=False, timeout=60)
    except FileNotFoundError:
        raise Failure("gnuplot is not installed: install gnuplot-nox") from None
    if done.returncode != 0:
        raise Failure(f"gnuplot: {done.stderr.strip()}")


def colour(comparison, driver):
    """A hue for each family, a shade for each of its modes."""
    family = comparison.family(driver)
    shades = SHADES[family]
    return shades[comparison.modes(family).index(driver) % len(shades)]


def bars(path, title, comparison, names, key):
    """A group of bars for each name, a bar for each driver, a whisker from least to most."""
    data = "".join(
        "$d{0} << EOD\n{1}\nEOD\n".format(number, "\n".join(
            "{} {} {} {}".format(group, figure.median, min(figure.values), max(figure.values))
            for group, figure in enumerate(
                comparison.figure(driver, lambda result, name=name: result[name][key])
                for name in names)))
        for number, driver in enumerate(comparison.drivers))
    width = 0.8 / len(comparison.drivers)
    plot = ", ".join(
        f"$d{number} using ($1 + {(number - (len(comparison.drivers) - 1) / 2) * width}):2:3:4:"
        f"({width * 0.9}) linecolor rgb '{colour(comparison, driver)}' "
        f"with boxerrorbars title \"{driver}\""
        for number, driver in enumerate(comparison.drivers))
    ticks = ", ".join(f'"{name}" {group}' for group, name in enumerate(names))
    gnuplot(f"""set terminal svg noenhanced size 900,420 font "sans-serif,13" background rgb "white"
set output "{path}"
set title "{title}"
set style fill solid 0.75
set xtics ({ticks}) scale 0
set yrange [0:*]
set grid ytics
set key outside right top
{data}plot [-0.6:{len(names) - 0.4}] {plot}
""")


def percentiles(path, ixlat, folder, comparison, case):
    """Draws, for each driver, the pass with the median of all medians."""
    files = []
    for number, driver in enumerate(comparison.drivers):
        runs = sorted((each[driver]["latency"][case] for each in comparison.passes),
                      key=lambda run: round_trip(run)["p50_ns"])
        name = os.path.join(folder, f"driver-{number}.json")
        with open(name, "w", encoding="utf-8") as file:
            run = runs[len(runs) // 2]
            json.dump(run | {"label": driver, "rtt": round_trip(run)}, file)
        files.append(name)
    try:
        done = subprocess.run([ixlat, "compare", *files, "--plot", path], text=True, errors="backslashreplace",
                              capture_output=True, check=False, timeout=60)
        if done.returncode != 0:
            raise Failure(f"ixlat compare: {done.stderr.strip()}")
    finally:
        for name in files:
            os.unlink(name)


def write(folder, comparison, kernel, *, cases, streams, packets, quiet, ixlat):
    """Writes the page and its plots to `folder`."""
    os.makedirs(folder, exist_ok=True)
    latency = {case: f"latency-{number}.svg" for number, case in enumerate(cases, 1)}
    plots = {"throughput": "throughput.svg", "cpu": "cpu.svg", **latency}
    # The figures first: pictures need gnuplot, and hours of measuring should not hang on that.
    path = os.path.join(folder, "README.md")
    with open(path, "w", encoding="utf-8") as file:
        for line in page(comparison, kernel, cases, streams, packets, quiet, plots):
            print(line, file=file)
    bars(os.path.join(folder, plots["throughput"]), "Throughput, Mbit/s", comparison, streams, "mbps")
    bars(os.path.join(folder, plots["cpu"]), "CPU of the guest, seconds for a gigabyte", comparison,
         streams, "cpu_s_per_gb")
    for case, name in latency.items():
        percentiles(os.path.join(folder, name), ixlat, folder, comparison.of(case), case)
    return path
