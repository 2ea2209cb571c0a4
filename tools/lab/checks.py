# SPDX-License-Identifier: MIT
"""A scenario is a list of checks, each a function of a Lab, run in order.

A check returns a dict of what it measured, or None. A check that fails raises Failure. The next ones
still run, unless the guest is dead or the check was vital. A check that finds nothing to test raises Skipped;
its "pass" is None."""
import re
import time

from machine import Dead
from store import KERNELS, Failure

SERIOUS = r"DMAR:.*[Ff]ault|Call Trace|WARNING|BUG"
VFIO_RESETS = r"vfio-pci \S+ (resetting|reset done)$"


class Skipped(Exception):
    """What the check is about is not there. Nothing was tested; the reason is shown."""


class Scenario:
    """@scenario.check("name") adds a check. `text` describes the scenario in a line. report(lab, folder)
    writes a page and returns its path. table(lab) is text for the end. data(lab) gives what the JSON has besides the checks. `needs`: what
    of the store it uses besides QEMU and a kernel. `many_nics`: it takes any number of them. `kernels`: those
    that it runs on."""

    def __init__(self, text, start, report=None, table=None, data=lambda lab: {}, deadline_s=900,
                 needs=(), many_nics=False, kernels=tuple(KERNELS)):
        self.text, self.start, self.deadline_s, self.needs = text, start, deadline_s, needs
        self.report, self.table, self.data = report, table, data
        self.many_nics, self.kernels = many_nics, kernels
        self.checks = []
        self.done = 0

    def check(self, name, vital=False):
        def add(function):
            self.checks.append((name, vital, function))
            return function
        return add

    def follow(self, checks):
        """For a check that finds others, [(name, vital, function)]: these come right after it."""
        self.checks[self.done:self.done] = checks

    def run(self, lab, begins, ends):
        """Runs the checks, with begins(name) before each and ends(result) after it. Returns the
        results."""
        results = []
        self.done = 0
        while self.done < len(self.checks):
            name, vital, function = self.checks[self.done]
            self.done += 1
            begins(name)
            started = time.monotonic()
            result = {"name": name, "pass": True}
            last = False
            try:
                values = function(lab)
                if values:
                    result["values"] = values
            except Skipped as reason:
                result |= {"pass": None, "reason": str(reason)}
            except Failure as failure:
                result |= {"pass": False, "reason": str(failure)}
                last = vital or isinstance(failure, Dead)
            result["seconds"] = round(time.monotonic() - started, 2)
            results.append(result)
            ends(result)
            if last:
                break
        return results


def expect(condition, what):
    if not condition:
        raise Failure(what)


def single_spaced(text):
    """`text` with one space wherever it has several, or tabs. ethtool aligns its output by blanks, in each
    version by others; not all of it can be had as JSON."""
    return re.sub(r"[ \t]+", " ", text)


def ethtool_says(scenario, port, said):
    """Adds a check for each of {option: a pattern that its output matches, single-spaced}."""
    def add(option, wanted):
        @scenario.check(f"ethtool {option}")
        def _(lab):
            text = single_spaced(lab.guest.sh(f"ethtool {option} {port}"))
            expect(re.search(wanted, text), f"does not say {wanted}: {text[:400]}")
            return {"lines": text.count("\n")}

    for each in said.items():
        add(*each)


def strict(lab, broken=None):
    """From now on a broken rule of the datasheet ends the NIC's DMA until a reset, except those in `broken`."""
    lab.nic.ask(f"strict but {','.join(broken)}" if broken else "strict on")


def rules_kept(lab, broken=None):
    """Fails if the driver broke a rule of the datasheet that ixnic watches, except those in `broken`,
    {name: reason}. Returns how often it broke each of these."""
    known = broken or {}
    said = lab.nic.ask("violations")
    surprising = {name: rule["first"] for name, rule in said["rules"].items() if name not in known}
    expect(not surprising, f"broken: {surprising}")
    expect(not lab.nic.ask("status")["stopped"], "a broken rule has ended the DMA")
    return {name: f"{count} ({known[name]})" for name, count in said["counts"].items()}


def log_quiet(lab, about, harmless):
    """Fails if the guest's kernel warns of something serious, or of something that matches `about`.
    Lines that match `harmless` are allowed."""
    bad = [line for line in lab.guest.sh("dmesg --level=emerg,alert,crit,err,warn").splitlines()
           if re.search(rf"{SERIOUS}|{about}", line) and not re.search(harmless, line)]
    expect(not bad, "\n    ".join(bad[:10]))
