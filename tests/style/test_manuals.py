# SPDX-License-Identifier: MIT
"""The manual pages: well-formed, and complete against the programs they describe."""
import os
import re

import pytest
from conftest import BUILD, run, text_of, tracked

PROGRAMS = {
    "ixtapd": "bridge/ixtapd",
    "ixnic": "tools/ixnic/ixnic",
    "ixtap": "tools/ixtap/ixtap",
    "ixlat": "tools/ixlat/ixlat",
}


def page(program):
    return text_of(f"man/{program}.8")


@pytest.mark.parametrize("name", tracked("man/*.8", "man/*.5", "man/*.1", "man/*.7"))
def test_mandoc(name):
    code, said = run("mandoc", "-T", "lint", "-W", "warning", name)
    assert code == 0, said


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_has_an_entry(program):
    code, said = run(os.path.join(BUILD, PROGRAMS[program]), "--help")
    assert code == 0, said
    options = set(re.findall(r"^ +(?:-\w, )?--([a-z][a-z-]+)", said, re.M)) - {"help", "usage"}
    assert options
    entries = set(re.findall(r"Fl -([a-z][a-z-]+)", "\n".join(
        line for line in page(program).splitlines() if line.startswith(".It "))))
    assert options - entries == set(), "not in the page"
    assert entries - options - {"help", "usage", "version"} == set(), "not in the program"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_letter_stands_at_its_option(program):
    _, said = run(os.path.join(BUILD, PROGRAMS[program]), "--help")
    letters = re.findall(r"^ +-(\w), --([a-z][a-z-]+)", said, re.M)
    assert {("h", "help"), ("V", "version")} <= set(letters)
    for letter, option in letters:
        assert f"\n.It Fl {letter} , Fl -{option}" in page(program)


@pytest.mark.parametrize("name", re.findall(r"\bC\((\w+), \"", text_of("bridge/frames/counters.h")))
def test_every_counter_is_explained(name):
    assert f"\n.It Cm {name}\n" in page("ixtapd")
