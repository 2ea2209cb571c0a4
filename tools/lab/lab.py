#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The command: tools/lab/lab runs this. README says what is in which file."""
import argparse
import contextlib
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import tty

import contained
import scenario_bare
import scenario_compare
import scenario_containment
import scenario_dpdk
import scenario_driver
import scenario_faults
import scenario_groundwork
import scenario_ipxe
import scenario_kernel
import scenario_restart
import scenario_selftests
import scenario_vfio
from machine import FAR, NICS_MAX, TOP, Dead, Lab
from store import KERNELS, Failure, Store, Unavailable, command

SCENARIOS = {
    "kernel": scenario_kernel.scenario,
    "vfio": scenario_vfio.scenario,
    "driver": scenario_driver.scenario,
    "restart": scenario_restart.scenario,
    "containment": scenario_containment.scenario,
    "faults": scenario_faults.scenario,
    "dpdk": scenario_dpdk.scenario,
    "ipxe": scenario_ipxe.scenario,
    "selftests": scenario_selftests.scenario,
    "groundwork": scenario_groundwork.scenario,
    "compare": scenario_compare.scenario,
    "bare": scenario_bare.scenario,
}
PROGRAMS = ("bridge/ixtapd", "bridge/ixtap-driver", "tools/ixnic/ixnic", "tools/ixtap/ixtap", "tools/ixlat/ixlat",
            "tests/driver/test_driver", "tests/groundwork/groundwork")
FOLDER = "/run/lab"
DAY_S = 86400
DEFAULT_KERNEL = "6.12"
MARKS = {True: ("ok", 32), False: ("FAILED", 31), None: ("skip", 33)}  # by "pass"
NOTE_MAX = 120  # longer ones take a line for each value


class Screen:
    """Prints lines. On a terminal the last line changes while something is under way."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.live and not os.environ.get("NO_COLOR")

    def line(self, text=""):
        print(f"\r\033[K{text}" if self.live else text, flush=True)

    def progress(self, text):
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + f"  ... {text}"[:width], end="", flush=True)

    def result(self, result):
        mark, colour = MARKS[result["pass"]]
        mark = f"\033[{colour}m{mark:<6}\033[0m" if self.colours else f"{mark:<6}"
        values = [f"{key} {value}" for key, value in result.get("values", {}).items()
                  if not isinstance(value, (dict, list))]
        note = result.get("reason") or ", ".join(values)
        many = "reason" not in result and "\n" not in note and len(note) > NOTE_MAX
        self.line(f"  {mark}  {result['name']:<34} {result['seconds']:6.1f} s  "
                  f"{'' if many else note}".rstrip())
        for value in values if many else ():
            self.line(f"          {value}")


screen = Screen()


def build():
    """The folder of the programs: build/lab, brought up to date, or what IXTAP_BUILD names."""
    given = os.environ.get("IXTAP_BUILD")
    if given:
        return os.path.abspath(given)
    folder = os.path.join(TOP, "build", "lab")
    screen.progress("building")
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        shutil.rmtree(folder, ignore_errors=True)
        command("meson", "setup", folder, TOP, "-Dbuildtype=release")
    command("ninja", "-C", folder, *PROGRAMS)
    return folder


@contextlib.contextmanager
def deadline(lab, seconds):
    def over(*_):
        lab.over(Dead(f"the scenario is not done after {seconds} s"
                      f"{lab.guest.reason() if lab.guest else ''}"))

    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def ways_in(lab):
    """How another terminal reaches what stands."""
    enter = f"nsenter -t {contained.pid_outside} -m -n -p"
    rows = [("the far end", f"{enter} ip netns exec {FAR} bash")]
    for nic in lab.nics:
        name = "the NIC" if len(lab.nics) == 1 else f"NIC {os.path.basename(nic.control).partition('.')[0]}"
        rows.append((name, f"{enter} {lab.build}/tools/ixtap/ixtap nic --control {nic.control} violations"))
        rows.append(("its log", f"{enter} tail -F {nic.log}"))
    return "\n".join(f"  {what:<12} {command}" for what, command in rows)


def shell(lab):
    """Shows the guest's console on this terminal until its shell ends."""
    guest = lab.guest
    screen.line(f"from other terminals:\n{ways_in(lab)}")
    screen.line("a shell in the guest; 'exit' ends it and everything else")
    console = socket.socket(socket.AF_UNIX)
    console.connect(guest.console)
    old = termios.tcgetattr(0) if sys.stdin.isatty() else None
    guest.port.sendall(b'{"shell": true}\n')
    try:
        if old:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # contained.py left us in the background
            os.tcsetpgrp(0, os.getpgrp())
            tty.setraw(0)
        while True:
            ready, _, _ = select.select([0, console, guest.port], [], [])
            if guest.port in ready:
                return
            if console in ready:
                os.write(1, console.recv(4096))
            if 0 in ready:
                data = os.read(0, 4096)
                if not data:
                    return
                console.sendall(data)
    finally:
        if old:
            termios.tcsetattr(0, termios.TCSADRAIN, old)
        console.close()


def verdict(arguments, lab, results):
    passed, failed, skipped = ([result["pass"] for result in results].count(value) for value in (True, False, None))
    return {
        "scenario": arguments.scenario, "kernel": arguments.kernel,
        "guest_kernel": lab.guest.release if lab.guest else None,
        "emulated": "QEMU without hardware virtualization (TCG); the NIC is ixnic",
        "passed": passed, "failed": failed, "skipped": skipped, "checks": results,
    }


def gave_up(arguments, failure):
    """Says why there is no result, also in the JSON."""
    screen.line()
    print(f"lab: {failure}", file=sys.stderr)
    write_json(arguments, {"scenario": arguments.scenario, "kernel": arguments.kernel,
                           "unavailable": isinstance(failure, Unavailable),
                           "error": str(failure)})
    return 1


def write_json(arguments, result):
    if arguments.json:
        json.dump(result, arguments.json, indent=2)
        arguments.json.write("\n")
        arguments.json.flush()


def keep():
    kept = tempfile.mkdtemp(prefix="ixtap-lab-")
    for log in glob.glob("**/*.log", root_dir=FOLDER, recursive=True):
        shutil.copy(os.path.join(FOLDER, log), os.path.join(kept, log.replace("/", "-")))
    screen.line(f"  logs are kept in {kept}")


def run(arguments, store, programs):
    """Runs as process 1 of the namespaces, which end with it."""
    lab = Lab(store, arguments.kernel, programs, FOLDER, arguments.short,
              screen.progress)
    lab.nics_wanted = arguments.nics
    lab.guest_options = {"memory_mib": arguments.memory, "words": arguments.append}

    def interrupted(number, _):
        lab.over(SystemExit(128 + number))

    for number in contained.SIGNALS:
        signal.signal(number, interrupted)
    os.makedirs(FOLDER)
    scenario = SCENARIOS[arguments.scenario]
    started = time.monotonic()
    code = 1
    try:
        with deadline(lab, arguments.deadline or scenario.deadline_s):
            screen.progress("booting")
            scenario.start(lab)
            screen.line(f"{arguments.scenario}: guest kernel {lab.guest.release}, up after "
                        f"{time.monotonic() - started:.1f} s")
            results = scenario.run(lab, screen.progress, screen.result)
        result = verdict(arguments, lab, results)
        result["seconds"] = round(time.monotonic() - started, 1)
        write_json(arguments, result | scenario.data(lab))
        complete = len(results) == len(scenario.checks)
        screen.line(f"{result['passed']} passed, {result['failed']} failed"
                    f"{', %d skipped' % result['skipped'] if result['skipped'] else ''}"
                    f"{'' if complete else ', the rest was not reached'}, "
                    f"{result['seconds']:.0f} s")
        if scenario.table:
            screen.line(scenario.table(lab))
        if arguments.report:
            screen.line(f"  the report is {scenario.report(lab, arguments.report)}")
        code = 0 if complete and not result["failed"] else 1
        if arguments.shell:
            shell(lab)
    except (Failure, OSError) as failure:
        code = gave_up(arguments, failure)
    finally:
        if arguments.keep:
            keep()
        lab.close()
    return code


def number(least, most):
    # int() would take blanks, a sign, an underscore and digits of other scripts.
    def parsed(text):
        value = int(text) if re.fullmatch("[0-9]{1,5}", text) else -1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is no number from {least} to {most}")
        return value
    return parsed


def parse():
    known = "\n".join(f"  {name:<12}{each.text}" for name, each in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="lab", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs a scenario on the software NIC in a virtual machine.",
        epilog=f"scenarios:\n{known}\n\nexit status: 0 all passed, 1 something failed, 2 usage")
    parser.add_argument("scenario", metavar="SCENARIO", choices=SCENARIOS)
    parser.add_argument("--kernel", choices=KERNELS, help=f"of the guest ({DEFAULT_KERNEL}, or the one that "
                        "the scenario runs on)")
    parser.add_argument("--fetch", action="store_true",
                        help="fetch and build what the scenario needs, and do not run it")
    parser.add_argument("--short", action="store_true",
                        help="the same checks with less traffic and fewer repetitions")
    parser.add_argument("--deadline", metavar="S", type=number(1, DAY_S),
                        help="give up after so many seconds (900; compare: 2100)")
    parser.add_argument("--report", metavar="DIR",
                        help="compare: write a page with tables and plots there")
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w"),
                        help="write the results there")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    parser.add_argument("--shell", action="store_true",
                        help="afterwards, a shell in the guest with everything standing")
    parser.add_argument("--nics", metavar="N", type=number(1, NICS_MAX), default=1,
                        help="bare: so many NICs (1)")
    parser.add_argument("--memory", metavar="MIB", type=number(512, 1 << 16), default=1024,
                        help="of the guest (1024)")
    parser.add_argument("--append", metavar="WORDS", default="",
                        help="add these to the command line of the guest's kernel")
    cache = os.environ.get("XDG_CACHE_HOME") or "/var/cache"
    parser.add_argument("--cache", metavar="DIR", default=os.path.join(cache, "ixtap-lab"),
                        help="QEMU, kernels and all else that is fetched are kept there (%(default)s)")
    arguments = parser.parse_args()
    kernels = SCENARIOS[arguments.scenario].kernels
    if arguments.kernel is None:
        arguments.kernel = DEFAULT_KERNEL if DEFAULT_KERNEL in kernels else kernels[-1]
    if arguments.kernel not in kernels:
        parser.error(f"{arguments.scenario} runs on kernel {' or '.join(kernels)} alone, not on {arguments.kernel}")
    if arguments.report and not SCENARIOS[arguments.scenario].report:
        parser.error(f"{arguments.scenario} has no report")
    if arguments.nics > 1 and not SCENARIOS[arguments.scenario].many_nics:
        parser.error(f"{arguments.scenario} uses one NIC; more are for 'bare'")
    return arguments


def main():
    arguments = parse()
    try:
        subprocess.run([os.path.join(TOP, "tools", "packages"), "build", "demo", "test", "lab"],
                       check=True)
        store = Store(arguments.cache, screen.progress)
        store.fetch(arguments.kernel, SCENARIOS[arguments.scenario].needs)
        programs = build()
        if arguments.fetch:
            screen.line(f"all that '{arguments.scenario}' needs is in {store.path}")
            return 0
    except subprocess.CalledProcessError:
        return gave_up(arguments, Unavailable("packages are missing, as said above"))
    except Failure as failure:
        return gave_up(arguments, failure)
    return contained.contained(lambda: run(arguments, store, programs))


if __name__ == "__main__":
    contained.speak_to_any()
    try:
        try:
            sys.exit(main())
        finally:
            sys.stdout.flush()
    except OSError as reason:
        contained.end_by("lab", reason)
