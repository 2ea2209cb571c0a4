# SPDX-License-Identifier: MIT
"""The kernel's own tests of VFIO (tools/testing/selftests/vfio), with the software NIC as their device.

The store builds them from Debian's source package; nothing of them is here. A check runs each program, and
each test case of the program is a check after that, with what the program said of it.

Four things decide what is tested:

    iommufd       Debian's kernel has none (CONFIG_IOMMUFD). The test cases for it fail, and are shown as
                  skipped. The other ones that would take it by default get another IOMMU mode.
    debugfs       Debian's kernel does not show the IOMMU's tables there (CONFIG_IOMMU_DEBUGFS). The tests
                  of mappings then pass without a look at those.
    huge pages    There are some of 2 MiB. The test cases with one of 1 GiB skip themselves, unless the lab is
                  given --memory 4096 --append "hugepagesz=1G hugepages=1".
    the device    It has no virtual functions, and the tests have no driver for it. Two programs are about
                  nothing else, and skip themselves.

Whatever else skips itself is a failure: the 82599 has what the tests look for. Its interrupts are not tested:
the tests trigger MSI and MSI-X in the kernel.
"""
import re

from checks import VFIO_RESETS, Scenario, Skipped, expect, log_quiet, rules_kept
from machine import FAR_V4
from scenario_vfio import give_back, give_group
from store import SELFTESTS_KERNEL, Failure
from traffic import ping

ROOT = "/run/selftests"
PROGRAMS = ("vfio_pci_device_test", "vfio_dma_mapping_test", "vfio_dma_mapping_mmio_test",
            "vfio_iommufd_setup_test", "vfio_pci_device_init_perf_test", "vfio_pci_driver_test",
            "vfio_pci_sriov_uapi_test")
PROGRAM_S = 180
SKIPPED = 4  # the exit status of a program that skips itself
HUGE_PAGES = 4  # of 2 MiB
IOMMUFD, INSTEAD = "iommufd", "vfio_type1v2_iommu"
MAY_SKIP = re.compile(r"vfio_dma_mapping_test\.\w+_hugetlb_1gb\.|vfio_pci_(driver|sriov_uapi)_test$")
NO_IOMMUFD = "the guest's kernel is made without iommufd (CONFIG_IOMMUFD)"
UNSAID = "it says not why"
FRAME = re.compile(r"TAP version|1\.\.\d|# Starting|# +(RUN|OK|FAIL|SKIP) ")
RESULT = re.compile(r"(ok|not ok) \d+ (\S+)(?: # (SKIP|XFAIL|XPASS)\b ?(.*))?$")


def start(lab):
    lab.start(shares={"selftests": lab.store.selftests()})


scenario = Scenario("the kernel's own tests of VFIO, with the software NIC as their device (Linux 7.3)", start,
                    needs=("selftests",), kernels=(SELFTESTS_KERNEL,))


def cases_of(text):
    """[(name, "ok" or "not ok", "SKIP" or another directive or None, what was said of it)] of TAP. What a test
    case prints stands before its result."""
    cases, said = [], []
    for line in text.splitlines():
        result = RESULT.match(line)
        if result:
            verdict, name, directive, reason = result.groups()
            cases.append((name, verdict, directive, reason or "\n".join(said)))
            said = []
        elif line.strip() and not FRAME.match(line):
            said.append(line.strip(" #"))
    return cases


def skips_itself(name, reason):
    return Skipped(reason or UNSAID) if MAY_SKIP.match(name) else Failure(f"it skips itself: {reason or UNSAID}")


def outcome_of(lab, program, case):
    """None for a test case that passed; else what its check raises."""
    name, verdict, directive, said = case
    if directive == "SKIP":
        return skips_itself(name, said)
    if verdict == "ok":
        return None
    if not lab.iommufd and IOMMUFD in f"{program} {name}":
        return Skipped(NO_IOMMUFD)
    return Failure(said or UNSAID)


def case_check(case, outcome):
    def check(_):
        if outcome:
            raise outcome
    return f"  {case[0]}", False, check


def run_program(lab, program):
    """Runs it, and has its test cases follow as checks. Fails if it did not come to its end."""
    code, out, _ = lab.guest.try_sh(
        f"cd /tmp && {'' if lab.iommufd else f'IXTAP_IOMMU_MODE={INSTEAD} '}{ROOT}/{program} {lab.bdf} 2>&1",
        PROGRAM_S)
    cases = cases_of(out)
    outcomes = [outcome_of(lab, program, case) for case in cases]
    scenario.follow([*map(case_check, cases, outcomes)])
    lines = [line.strip(" #") for line in out.splitlines() if line.strip()]
    if code == SKIPPED and not cases:
        raise skips_itself(program, re.sub(r"^.*# SKIP ", "", lines[-1]) if lines else "")
    plan = re.search(r"^1\.\.(\d+)$", out, re.M)
    status = 1 if any(verdict != "ok" for _, verdict, _, _ in cases) else 0
    expect(plan and int(plan[1]) == len(cases) and code == status,
           f"status {code}, {len(cases)} results of {plan[1] if plan else 'an unknown number'}:\n    "
           + "\n    ".join(lines[-10:]))
    return {name: sum(isinstance(outcome, kind) for outcome in outcomes)
            for name, kind in (("passed", type(None)), ("failed", Failure), ("skipped", Skipped))}


@scenario.check("bind the NIC to vfio-pci", vital=True)
def bind(lab):
    give_group(lab)
    lab.guest.sh(f"mkdir {ROOT} && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro "
                 f"selftests {ROOT} && echo {HUGE_PAGES} >/proc/sys/vm/nr_hugepages")


@scenario.check("the programs are those that this scenario knows")
def programs(lab):
    found = sorted(lab.guest.sh(f"ls {ROOT}").split())
    expect(found == sorted(PROGRAMS), f"they are {found}")
    return {"programs": len(found)}


@scenario.check("iommufd", vital=True)
def iommufd(lab):
    """Only where the kernel is made without it, tests for it may fail."""
    config = lab.guest.sh("cat /usr/lib/modules/$(uname -r)/config")
    lab.iommufd = bool(re.search(r"^CONFIG_IOMMUFD=[ym]$", config, re.M))
    if not lab.iommufd:
        raise Skipped(f"{NO_IOMMUFD}; {INSTEAD} is the default mode")
    lab.guest.sh("modprobe iommufd && test -c /dev/iommu")


def add_program(program):
    @scenario.check(program)
    def _(lab):
        return run_program(lab, program)


for each in PROGRAMS:
    add_program(each)


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab)


@scenario.check("the in-kernel driver has it again")
def back(lab):
    give_back(lab)
    return ping(lab.guest, FAR_V4)


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "vfio", VFIO_RESETS)
