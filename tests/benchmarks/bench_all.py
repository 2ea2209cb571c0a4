#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All benchmarks, one after the other: one JSON with what each found, and a page for people.

Each benchmark is a program of its own (tests/bench NAME), prints what it finds, and writes it. This one runs them, picks
what the page and the aims are about, and keeps the rest below `raw`.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(TOP, "tests", "bench")
MODE_NAMES = {"receive": "rx", "transmit": "tx", "forward": "fwd", "touch": "touch"}
KIND_NAMES = {60: "60", 1514: "1514", 54 + 65160: "64k"}
WAY_NAMES = {"to the kernel": "to", "from the kernel": "from"}
PARTS = {
    "driver": [],
    "tap": [],
    "live": [],
    "registers": [],
    "restart": ["--kills", "100", "--any-load"],
    "upgrade": ["--any-load"],
}
QUICK = {
    "driver": ["--frames", "100000"],
    "tap": ["--rounds", "15"],
    "live": ["--rounds", "1"],
    "registers": ["--rounds", "5"],
    "restart": ["--short"],
    "upgrade": ["--short"],
}
# Path in the JSON, the most that is aimed at, and what it is.
AIMS = (
    ("driver.instructions.fwd.32", 78, "instructions of a forwarding step, burst of 32"),
    ("driver.part.fwd.32", 50, "of these, in the driver's functions"),
    ("tap.ratio.to.60.uring", 1.03, "bridge to io_uring, 60 bytes to the kernel"),
    ("tap.ratio.from.60.uring", 1.04, "60 bytes from the kernel"),
    ("tap.ratio.to.60.best", 1.10, "bridge to the cheaper plain way, 60 bytes to the kernel"),
    ("tap.ratio.from.60.best", 1.15, "60 bytes from the kernel"),
    ("tap.ratio.to.1514.best", 1.04, "1,514 bytes to the kernel"),
    ("tap.ratio.from.1514.best", 1.03, "1,514 bytes from the kernel"),
    ("tap.ratio.to.64k.best", 1.6, "64 KiB in 45 frames to the kernel"),
    ("tap.ratio.from.64k.best", 1.05, "64 KiB from the kernel"),
    ("merge.of_one_flow.32", 1.5, "merging 32 flows, to merging one"),
    ("merge.of_alone.10000", 1.0, "merging 10,000 flows, to not merging"),
    ("loop.syscalls_per_frame.tcp_out", 0.5, "system calls for a sent frame, one TCP stream"),
    ("memory.mib.1", 6, "MiB a queue"),
    ("idle.wakeups_per_s", 5, "sleeps a second without frames"),
)


# ---- Running

def run_part(name, options):
    """What `tests/bench NAME` wrote; None: it failed."""
    words = [BENCH, name, *(QUICK if options.quick else PARTS)[name]]
    print(f"---- {name}\n", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        done = subprocess.run([*words, "--json", path], check=False)
        print(f"\n{name}: {time.monotonic() - started:.0f} s\n", flush=True)
        # A benchmark whose aims are missed says so by its status, and has written all the same.
        if not os.path.exists(path) or not os.path.getsize(path):
            print(f"tests/bench {name} ended with status {done.returncode} and wrote nothing", file=sys.stderr)
            return None
        with open(path, encoding="utf-8") as file:
            return json.load(file)


# ---- What is picked

def pick_driver(raw):
    counted = raw["instructions_per_frame"]
    best = "vectors" if counted["vectors"] else "plain"

    def by_name(table):
        return {short: table[mode] for mode, short in MODE_NAMES.items()}

    return {"instructions": by_name(counted["steps"][best]), "instructions_plain": by_name(counted["steps"]["plain"]),
            "part": by_name(counted["driver"]), "ns": by_name(raw["ns_per_frame"]), "vectors": counted["vectors"]}


def pick_tap(raw):
    ratio, spread = {}, {}
    for row in raw:
        if row.get("nowait") is not True:
            continue
        way, kind = WAY_NAMES[row["direction"]], KIND_NAMES[row["frame_bytes"]]
        for found, key in ((ratio, "median"), (spread, None)):
            found.setdefault(way, {})[kind] = {
                short: row[name][key] if key else [row[name]["low"], row[name]["high"]]
                for short, name in (("uring", "ratio_to_io_uring"), ("best", "ratio_to_best"))}
    return {"ratio": ratio, "middle_half": spread}


def pick_merge(raw):
    rows = {str(row["flows"]): row for row in raw if "flows" in row}
    one = rows["1"]["merged_ns"]
    return {"ns": {flows: row["merged_ns"] for flows, row in rows.items()},
            "alone_ns": {flows: row["alone_ns"] for flows, row in rows.items()},
            "of_alone": {flows: row["ratio"] for flows, row in rows.items()},
            "of_one_flow": {flows: row["merged_ns"] / one for flows, row in rows.items()}}


def pick(raw):
    found = {}
    if raw["driver"]:
        found["driver"] = pick_driver(raw["driver"])
    if raw["tap"]:
        found["tap"], found["merge"] = pick_tap(raw["tap"]), pick_merge(raw["tap"])
    if raw["live"]:
        found.update(raw["live"])
    for name in ("restart", "upgrade"):
        if raw[name]:
            found[name] = {"kills": raw[name]["kills"], "times": raw[name]["times"], "failed": raw[name]["failed"]}
    return found


def value_at(found, path):
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def judge(found):
    """[{name, what, value, aim, met}]; value None: this machine does not tell."""
    rows = []
    for path, aim, what in AIMS:
        value = value_at(found, path)
        rows.append({"name": path, "what": what, "value": value, "aim": aim, "met": None if value is None else value <= aim})
    return rows


# ---- Results

def aims_table(rows):
    width = max(len(row["what"]) for row in rows)
    lines = [f"{'':<{width}}  {'measured':>9} {'at most':>8}"]
    for row in rows:
        value = "not told" if row["value"] is None else f"{row['value']:,.2f}"
        lines.append(f"{row['what']:<{width}}  {value:>9} {row['aim']:>8}  "
                     f"{'' if row['met'] is None else 'met' if row['met'] else 'missed'}".rstrip())
    return lines


def matrix(title, head, rows, digits=1):
    """A table of Markdown; rows: {name: {column: value}}."""
    columns = list(next(iter(rows.values())))
    yield f"## {title}\n"
    yield f"| {head} | " + " | ".join(columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for name, row in rows.items():
        yield f"| {name} | " + " | ".join(f"{row[column]:,.{digits}f}" for column in columns) + " |"
    yield ""


def page(found, rows, options):
    yield "# Benchmarks\n"
    if options.quick:
        yield "Of short runs: the numbers are rough.\n"
    yield "```"
    yield from aims_table(rows)
    yield "```\n"
    if "driver" in found:
        yield from matrix("Instructions of a step per frame, by burst", "step", found["driver"]["instructions"])
        yield from matrix("Of these in the driver's functions", "step", found["driver"]["part"])
        yield from matrix("The same steps without AVX2", "step", found["driver"]["instructions_plain"])
    for way, kinds in found.get("tap", {}).get("ratio", {}).items():
        yield from matrix(f"The bridge to the bare TAP, {way} the kernel", "frame", kinds, digits=2)
    if "merge" in found:
        yield from matrix("Merging, ns per frame of 1,514 bytes, by flows", "", {
            "alone": found["merge"]["alone_ns"], "merged": found["merge"]["ns"]}, digits=0)
    if "memory" in found:
        yield from matrix("Resident memory, by queues", "", {"MiB a queue": found["memory"]["mib"]})
        yield from matrix("Sleeps a second without frames", "", {"": found["idle"]["each"]})
    if "loop" in found:
        yield from matrix("System calls of the driver per frame", "", {"": found["loop"]["syscalls_per_frame"]}, digits=2)
    for name in ("restart", "upgrade"):
        if name in found:
            yield from matrix(f"{name.capitalize()}, milliseconds", "of", {
                series: {column: times[key] / 1e6 for column, key in (("median", "p50_ns"), ("99 %", "p99_ns"),
                                                                      ("most", "max_ns"))}
                for series, times in found[name]["times"].items()}, digits=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w", encoding="utf-8"),
                        help="write what was found")
    parser.add_argument("--report", metavar="DIR", help="write the page there, as report.md, and the JSON beside it")
    parser.add_argument("--only", metavar="NAME", action="append", choices=PARTS,
                        help=f"this benchmark, of {', '.join(PARTS)}; may be given again")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all works")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench_all: needs root: benchmarks make network namespaces")
    if options.report:
        os.makedirs(options.report, exist_ok=True)
    raw = {name: run_part(name, options) if not options.only or name in options.only else None for name in PARTS}
    found = pick(raw)
    rows = judge(found)
    print("---- aims\n\n" + "\n".join(aims_table(rows)))
    whole = {**found, "aims": rows, "raw": raw}
    for file in [options.json] if options.json else []:
        json.dump(whole, file, indent=1)
        file.write("\n")
        file.flush()
    if options.report:
        with open(os.path.join(options.report, "report.json"), "w", encoding="utf-8") as file:
            json.dump(whole, file, indent=1)
        with open(os.path.join(options.report, "report.md"), "w", encoding="utf-8") as file:
            file.write("\n".join(page(found, rows, options)) + "\n")
    asked = options.only or list(PARTS)
    return 1 if any(raw[name] is None for name in asked) else 0


if __name__ == "__main__":
    if sys.stdout:
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever the locale
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as reason:
        sys.exit(f"bench_all: {reason.filename or ''}: {reason.strerror}")
