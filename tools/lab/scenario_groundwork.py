# SPDX-License-Identifier: MIT
"""Facts about the kernel that ixtapd's processes rest on (tests/groundwork). Each fact is a check.

Those about DMA need a device that goes on by itself, whatever becomes of its driver. So the software NIC is
told, again and again, to write a growing number to two IOVAs; a page there shows whether the writes arrive.
"""
import contextlib
import re
import threading

from checks import Scenario, Skipped, expect
from scenario_vfio import FIND
from store import Failure

PROGRAM = "/run/build/tests/groundwork/groundwork"
IOVAS = (0x10000000, 0x10001000)  # those of tests/groundwork/device.h
PERIOD_S = 0.01
PART_S = 600
KILLS, KILLS_SHORT = 100, 10
RESULT = re.compile(r"(ok|not ok) \d+ - (.*)$")
SKIP = " # SKIP "


def start(lab):
    lab.start()


scenario = Scenario("what ixtapd's processes rest on: facts about VFIO, io_uring, exec and namespaces", start,
                    deadline_s=1800)


@contextlib.contextmanager
def device_writes(lab):
    """The NIC writes meanwhile, as far as it may."""
    over, failed = threading.Event(), []

    def write():
        number = 0
        try:
            while not over.wait(PERIOD_S):
                number += 1
                for iova in IOVAS:
                    lab.nic.ask(f"dma write {iova:#x} {number.to_bytes(8, 'little').hex()}")
        except Failure as failure:
            failed.append(failure)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def fact_check(verdict, text):
    def check(_):
        if SKIP in text:
            raise Skipped(text.partition(SKIP)[2])
        expect(verdict == "ok", "it is not so")
    return f"  {text.partition(SKIP)[0]}", False, check


def run_part(lab, *words):
    """Runs a part of the program, and has its facts follow as checks. Fails if it did not come to its end."""
    code, out, err = lab.guest.try_sh(f"cd /tmp && {PROGRAM} {' '.join(words)} 2>&1", PART_S)
    lines = out.splitlines()
    facts = [found.groups() for found in map(RESULT.match, lines) if found]
    scenario.follow([fact_check(*fact) for fact in facts])
    plan = re.search(r"^1\.\.(\d+)$", out, re.M)
    wrong = any(verdict != "ok" for verdict, _ in facts)
    expect(plan and int(plan[1]) == len(facts) > 0 and code == int(wrong),
           f"status {code}, {len(facts)} facts:\n    " + "\n    ".join([*lines[-10:], err]))
    return {f"note {number}": line[2:] for number, line in enumerate(lines) if line.startswith("# ")}


@scenario.check("bind the NIC to vfio-pci", vital=True)
def bind(lab):
    lab.guest.sh("modprobe vfio-pci; modprobe tun")
    lab.bdf = lab.guest.sh(FIND).strip()
    device = f"/sys/bus/pci/devices/{lab.bdf}"
    lab.guest.sh(f"echo vfio-pci >{device}/driver_override && echo {lab.bdf} >/sys/bus/pci/drivers_probe")
    group = lab.guest.sh(f"basename $(readlink {device}/iommu_group)").strip()
    lab.guest.until(f"test -c /dev/vfio/{group}", None)


def add_device_part(name, part):
    @scenario.check(name)
    def _(lab):
        with device_writes(lab):
            return run_part(lab, part, lab.bdf)


for each in (("who keeps the device open", "device"), ("who keeps memory mapped for DMA", "dma"),
             ("a BAR in several processes", "bar")):
    add_device_part(*each)


@scenario.check("the io_uring of a killed process")
def ring(lab):
    return run_part(lab, "ring", str(KILLS_SHORT if lab.short else KILLS))


def add_part(name, part):
    @scenario.check(name)
    def _(lab):
        return run_part(lab, part)


for each in (("what an exec keeps", "rights"), ("how process 1 of a PID namespace ends", "first"),
             ("memory that another process can write", "pages")):
    add_part(*each)


@scenario.check("guest kernel's log")
def log(lab):
    """Each of the NIC's writes that is refused is a fault in the log, and meant to be."""
    bad = [line for line in lab.guest.sh("dmesg --level=emerg,alert,crit,err,warn").splitlines()
           if re.search(r"Call Trace|WARNING|BUG|lockdep", line)]
    expect(not bad, "\n    ".join(bad[:10]))
