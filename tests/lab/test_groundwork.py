# SPDX-License-Identifier: MIT
"""The scenario "groundwork": what it makes of the output of tests/groundwork. The guest is a stand-in."""
import os
import subprocess
import sys
import types

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tools", "lab")]
import scenario_groundwork
from checks import Scenario

BUILD = os.environ.get("IXTAP_BUILD") or os.path.join(TOP, "build", "plain")
PROGRAM = os.path.join(BUILD, "tests", "groundwork", "groundwork")


@pytest.fixture(name="results_of")
def fixture_results_of(monkeypatch):
    """(code, lines): [(name, pass)] of the part's check and of those that follow."""
    def results(code, *lines):
        scenario = Scenario("stand-in", None)
        monkeypatch.setattr(scenario_groundwork, "scenario", scenario)
        guest = types.SimpleNamespace(try_sh=lambda text, timeout: (code, "".join(f"{line}\n" for line in lines), ""))
        scenario.check("a part")(lambda lab: scenario_groundwork.run_part(lab, "part"))
        found = scenario.run(types.SimpleNamespace(guest=guest), lambda name: None, lambda result: None)
        return [(each["name"].strip(), each["pass"]) for each in found]
    return results


def test_each_fact_is_a_check(results_of):
    assert results_of(1, "ok 1 - a: 1", "# a note", "not ok 2 - b", "ok 3 - c # SKIP no c here", "1..3") == [
        ("a part", True), ("a: 1", True), ("b", False), ("c", None)]


@pytest.mark.parametrize("code, lines", [
    (0, ["ok 1 - a"]),
    (0, ["ok 1 - a", "1..2"]),
    (1, ["ok 1 - a", "1..1"]),
    (0, ["not ok 1 - a", "1..1"]),
    (99, ["ok 1 - a", "Bail out! a rig: no memory"]),
    (0, ["1..0"]),
])
def test_a_part_that_does_not_end_well_fails(results_of, code, lines):
    assert results_of(code, *lines)[0] == ("a part", False)


@pytest.mark.parametrize("words", [[], ["part"], ["device"], ["ring"], ["after-exec-dma"]])
def test_a_wrong_command_line(words):
    done = subprocess.run([PROGRAM, *words], text=True, capture_output=True, timeout=10, check=False)
    assert done.returncode == 2 and done.stderr.startswith("usage: groundwork") and not done.stdout
