# SPDX-License-Identifier: MIT
"""The scenario "selftests": what it makes of the output of the kernel's tests. The guest is a stand-in."""
import json
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
END_S = 60
HUGE = "vfio_dma_mapping_test.vfio_type1_iommu_anonymous_hugetlb_1gb.dma_map_unmap"
NO_IOMMUFD = "the guest's kernel is made without iommufd (CONFIG_IOMMUFD)"
RUNS_A_PROGRAM = """
import json, sys, types
import scenario_selftests
from checks import Scenario
code, out, program, iommufd = json.load(sys.stdin)
asked = []
def try_sh(text, timeout):
    asked.append(text)
    return code, out, ""
lab = types.SimpleNamespace(iommufd=iommufd, bdf="0000:00:06.0", guest=types.SimpleNamespace(try_sh=try_sh))
scenario = scenario_selftests.scenario
scenario.checks = [(program, False, lambda lab: scenario_selftests.run_program(lab, program)),
                   ("the next one", False, lambda lab: None)]
ends = []
results = scenario.run(lab, lambda name: None, ends.append)
assert results == ends
print(json.dumps({"asked": asked, "results": results}))
"""


def python(text, **more):
    return subprocess.run(["/usr/bin/python3", "-c", text], text=True, capture_output=True, timeout=END_S,
                          env={**os.environ, "PYTHONPATH": f"{TOP}/tools/lab:{TOP}/tools"}, **more)


def results_of(code, *lines, program="vfio_pci_device_test", iommufd=False):
    """[(name, pass, reason)] of the checks, without the last one's; and what the guest was asked."""
    done = python(RUNS_A_PROGRAM, input=json.dumps([code, "".join(f"{line}\n" for line in lines), program, iommufd]),
                  check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    rows = [(each["name"].strip(), each["pass"], each.get("reason")) for each in said["results"]]
    assert rows.pop() == ("the next one", True, None)
    return rows, said["asked"]


def test_each_case_is_a_check():
    rows, _ = results_of(
        1, "TAP version 13", "1..3", "# Starting 3 tests from 2 test cases.", "#  RUN           a.b ...",
        "#            OK  a.b", "ok 1 a.b", "#  RUN           c.d ...", "# vfio.c:9:d:Expected 1 (1) == 0 (0)",
        "x.c:7: Assertion Failure", "", "  Expression: rc == 0", "#          FAIL  c.d", "not ok 2 c.d",
        f"#  RUN           {HUGE} ...", "#      SKIP      mmap() failed", f"ok 3 {HUGE} # SKIP mmap() failed",
        "# FAILED: 2 / 3 tests passed.")
    assert rows == [("vfio_pci_device_test", True, None), ("a.b", True, None),
                    ("c.d", False, "vfio.c:9:d:Expected 1 (1) == 0 (0)\nx.c:7: Assertion Failure\nExpression: rc == 0"),
                    (HUGE, None, "mmap() failed")]


def test_programs_that_skip_themselves():
    rows, _ = results_of(4, "TAP version 13", "1..0 # SKIP no SR-IOV", program="vfio_pci_sriov_uapi_test")
    assert rows == [("vfio_pci_sriov_uapi_test", None, "no SR-IOV")]
    rows, _ = results_of(4, "No driver found for device 0000:00:06.0", program="vfio_pci_driver_test")
    assert rows == [("vfio_pci_driver_test", None, "No driver found for device 0000:00:06.0")]


def test_what_may_not_skip_itself():
    """The 82599 has what these look for: where they do not find it, ixnic is at fault."""
    rows, _ = results_of(4, "TAP version 13", "1..0 # SKIP no device")
    assert rows == [("vfio_pci_device_test", False, "it skips itself: no device")]
    rows, _ = results_of(0, "1..1", "ok 1 vfio_pci_irq_test.msix.enable_trigger_disable # SKIP MSI-x: not supported")
    assert rows[1][1:] == (False, "it skips itself: MSI-x: not supported")


@pytest.mark.parametrize("code, lines", (
    (0, ["1..2", "ok 1 a.b"]),  # there is a case less than the program planned
    (124, ["1..2", "ok 1 a.b"]),  # it was not done in time
    (1, ["1..1", "ok 1 a.b"]),  # its exit status says something else than its cases
    (0, ["1..1", "not ok 1 a.b"]),
    (4, ["1..1", "ok 1 a.b"]),
    (0, ["ok 1 a.b"]),
    (1, ["x.c:7: Assertion Failure"]),
    (139, []),
    (0, []),
))
def test_a_program_that_does_not_end_well(code, lines):
    rows, _ = results_of(code, *lines)
    name, passed, reason = rows[0]
    assert (name, passed) == ("vfio_pci_device_test", False)
    assert f"status {code}" in reason


def test_cases_for_iommufd_where_there_is_none():
    lines = ["1..3", "not ok 1 a.iommufd_compat_type1.b", "ok 2 a.iommufd.b", "not ok 3 a.vfio_type1_iommu.b"]
    rows, asked = results_of(1, *lines)
    assert [row[1:] for row in rows] == [(True, None), (None, NO_IOMMUFD), (True, None), (False, "it says not why")]
    assert "IXTAP_IOMMU_MODE=vfio_type1v2_iommu " in asked[0] and asked[0].endswith(" 0000:00:06.0 2>&1")
    rows, asked = results_of(1, *lines, iommufd=True)
    assert [row[1] for row in rows] == [True, False, True, False]
    assert "IXTAP_IOMMU_MODE" not in asked[0]
    rows, _ = results_of(1, "1..1", "not ok 1 vfio_cdev.bind", program="vfio_iommufd_setup_test")
    assert rows[1] == ("vfio_cdev.bind", None, NO_IOMMUFD)


def test_other_kernels_are_refused():
    done = subprocess.run([f"{TOP}/tools/lab/lab", "selftests", "--kernel", "6.12"], text=True, capture_output=True,
                          timeout=END_S, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.splitlines()[-1] == "lab: error: selftests runs on kernel 7.3 alone, not on 6.12"
