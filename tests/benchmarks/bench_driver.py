#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the driver costs per frame, with a NIC that costs nothing.

Nanoseconds come from bench_driver itself; instructions from callgrind. A step is what an application
does with a burst: it receives, sends, or both, and gets or gives back the buffers. The NIC's turns
between the steps are not counted. Of a step, the driver's part is its burst functions with all that
they call. The build is optimized and without assertions, in a tree of its own.

instructions.json has the counts that are on record, by compiler. tests/cost holds the driver to them.
"""
import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(TOP, "build", "bench")
RECORD = os.path.join(TOP, "tests", "benchmarks", "instructions.json")
MODES = ("receive", "transmit", "forward", "touch")
BATCHES = (1, 8, 32, 64, 256)
RECORDED_BATCHES = (1, 8, 32, 256)
COUNTED_FRAMES = 25600
AIMS = {"step": 78, "driver": 50}  # forward at batch 32
STEPS = tuple(f"burst_{mode}" for mode in MODES)
DRIVER = ("ixgbe_rx_burst", "ixgbe_tx_burst")


def build(tree):
    """bench_driver, built in `tree`."""
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": TOP}
    steps = [["ninja", "-C", tree, "tests/benchmarks/bench_driver"]]
    if not os.path.exists(os.path.join(tree, "build.ninja")):
        steps.insert(0, ["meson", "setup", tree, "-Dbuildtype=debugoptimized", "-Db_ndebug=true"])
    for step in steps:
        done = subprocess.run(step, check=False, **quiet)
        if done.returncode:
            sys.exit(f"{' '.join(step)} failed:\n{done.stdout}")
    return os.path.join(tree, "tests", "benchmarks", "bench_driver")


def build_summary(tree):
    """How `tree` is built, as it says itself."""
    done = subprocess.run(["meson", "introspect", "--buildoptions", tree], check=True, text=True,
                          errors="backslashreplace", stdout=subprocess.PIPE)
    options = {option["name"]: option["value"] for option in json.loads(done.stdout)}
    return {"optimization": options["optimization"],
            "assertions": options["b_ndebug"] != "true"}


def has_vectors():
    """Whether libixgbe uses vector instructions on this processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return bool(re.search(r"^flags\s*:.*\bavx2\b", file.read(), re.M))


def compiler(tree):
    """What decides how many instructions there are: "gcc 12.2.0 x86_64"."""
    with open(os.path.join(tree, "compile_commands.json"), encoding="utf-8") as file:
        program = shlex.split(json.load(file)[0]["command"])[0]
    line = subprocess.run([program, "--version"], check=True, text=True, errors="backslashreplace",
                          stdout=subprocess.PIPE).stdout.splitlines()[0]
    version = re.search(r"\d+(\.\d+)+$", line.rstrip())
    return f"{'clang' if 'clang' in line else 'gcc'} {version[0] if version else line} {platform.machine()}"


def recorded():
    """{compiler: {"vectors" and "plain": {mode: {batch: instructions of a step per frame}}}}"""
    with open(RECORD, encoding="utf-8") as file:
        return json.load(file)


def record(name, counts):
    """Puts the counts on record as those of the compiler of that name."""
    every = {**recorded(),
             name: {loops: {mode: {str(batch): table_[mode][str(batch)] for batch in RECORDED_BATCHES}
                            for mode in MODES} for loops, table_ in counts.items()}}
    with open(RECORD, "w", encoding="utf-8") as file:
        json.dump(every, file, indent=1, sort_keys=True)
        file.write("\n")


def measure_ns(program, frames):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "ns.json")
        subprocess.run([program, "--frames", str(frames), "--json", path], check=True,
                       stdout=subprocess.DEVNULL)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def count_instructions(program, mode, batch, plain=False, counted=STEPS):
    """Instructions per frame of the functions `counted`, with all that they call."""
    frames = COUNTED_FRAMES // batch * batch
    with tempfile.TemporaryDirectory() as directory:
        command = ["valgrind", "--tool=callgrind",
                   f"--callgrind-out-file={directory}/callgrind.out",
                   *(f"--toggle-collect={name}" for name in counted),
                   program, "--mode", mode, "--batch", str(batch), "--frames", str(frames),
                   *(["--plain"] if plain else [])]
        done = subprocess.run(command, check=False, text=True, errors="backslashreplace", stderr=subprocess.PIPE)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not collected:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return int(collected.group(1)) / frames


def table(title, values):
    heads = [f"batch {batch}" for batch in BATCHES]
    print(f"{title:<22}" + "".join(f"{head:>11}" for head in heads))
    for mode in MODES:
        cells = "".join(f"{values[mode][str(batch)]:>11.1f}" for batch in BATCHES)
        print(f"  {mode:<20}{cells}")
    print(flush=True)


def count_all(program, **how):
    return {mode: {str(batch): round(count_instructions(program, mode, batch, **how), 1) for batch in BATCHES}
            for mode in MODES}


def count_and_print(program):
    """What is counted, as it goes into the JSON, and printed."""
    steps = {"vectors": count_all(program)} if has_vectors() else {}
    steps["plain"] = count_all(program, plain=True)
    best = "vectors" if has_vectors() else "plain"
    driver = count_all(program, counted=DRIVER)
    table("instructions per frame", steps[best])
    table("  the driver's part", driver)
    if has_vectors():
        table("  without AVX2", steps["plain"])
    measured = {"step": steps[best]["forward"]["32"], "driver": driver["forward"]["32"]}
    for what, aim in AIMS.items():
        print(f"forward at batch 32, {what}: {measured[what]:.1f} instructions, "
              f"aim {aim}: {'met' if measured[what] <= aim else 'missed'}")
    return {"steps": steps, "driver": driver, "vectors": has_vectors(),
            "aims": {what: {"instructions": aim, "measured": measured[what], "met": measured[what] <= aim}
                     for what, aim in AIMS.items()}}


def frames(text):
    if not re.fullmatch("[0-9]{1,9}", text) or not int(text):
        raise argparse.ArgumentTypeError("a number of at most nine digits")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w", encoding="utf-8"),
                        help="write the tables as JSON too")
    parser.add_argument("--frames", type=frames, default=1000000,
                        help="frames of each timed measurement (%(default)s)")
    parser.add_argument("--build-dir", default=TREE,
                        help="build tree, made if it is not there (build/bench)")
    parser.add_argument("--no-callgrind", action="store_true", help="only the time")
    parser.add_argument("--record", action="store_true",
                        help="put the instructions on record, for the suite cost of tests/run")
    options = parser.parse_args()
    if options.record and options.no_callgrind:
        parser.error("--record needs callgrind")

    packages = os.path.join(TOP, "tools", "packages")
    if subprocess.run([packages, "build", "test", "bench"], check=False).returncode:
        sys.exit(1)
    program = build(options.build_dir)
    how = build_summary(options.build_dir)
    result = {"frame_bytes": 60, "build": how,
              "ns_per_frame": measure_ns(program, options.frames)}
    print("60-byte frames of one segment, a NIC that costs nothing")
    print(f"built with -O{how['optimization']}, "
          f"{'with' if how['assertions'] else 'without'} assertions\n")
    table("ns per frame", result["ns_per_frame"])
    if not options.no_callgrind:
        result["instructions_per_frame"] = count_and_print(program)
        if options.record:
            if not has_vectors():
                sys.exit("bench_driver: this processor has no AVX2, whose counts belong on record too")
            record(compiler(options.build_dir), result["instructions_per_frame"]["steps"])
    if options.json:
        with options.json:
            json.dump(result, options.json, indent=1)
            options.json.write("\n")


if __name__ == "__main__":
    if sys.stdout:
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever the locale
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except OSError as reason:  # there is no room for our output
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor would Python's last flush have any
        sys.exit(f"bench_driver: {reason.strerror}")
