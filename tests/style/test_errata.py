# SPDX-License-Identifier: MIT
"""The form of ixgbe/ERRATA.md: each number once, and nothing named that is not there."""
import collections
import functools
import re

import pytest
from conftest import text_of, tracked

NUMBERS = {
    "Errata": 68,
    "Specification changes": 12,
    "Specification clarifications": 19,
    "Software clarifications": 6,
}
NAMED = "Errata that public drivers name"
HEAD = {name: ["number", "what it is", "known", "libixgbe", "ixnic", "tests"] for name in NUMBERS}
HEAD[NAMED] = ["who", "what it is", "libixgbe", "ixnic", "tests"]
KNOWN = {"text", "part", "title", "no"}
WORDS = {"heeds", "untouched", "unjudged"}
# How comments name the sections, with a number.
SAID = {
    "Errata": r"errat(?:um|a)",
    "Specification changes": r"specification change",
    "Specification clarifications": r"specification clarification",
    "Software clarifications": r"software clarification",
}

Row = collections.namedtuple("Row", "section number what known libixgbe ixnic tests")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read(text):
    """The rows of all tables; fails where a table's head is another one."""
    rows, section, head = [], None, None
    for line in text.splitlines():
        if line.startswith("## "):
            section, head = line[3:], None
        elif line.startswith("|") and head is None:
            head = cells(line)
            assert head == HEAD[section], section
        elif line.startswith("|") and not line.startswith("| ---"):
            row = dict(zip(head, cells(line), strict=True))
            rows.append(Row(section, row.get("number"), row["what it is"], row.get("known", "text"),
                            row["libixgbe"], row["ixnic"], row["tests"]))
    return rows


ROWS = read(text_of("ixgbe/ERRATA.md"))
NAMES = [f"{row.section} {row.number or row.what}" for row in ROWS]


def numbers(row):
    first, _, last = row.number.partition("-")
    return list(range(int(first), int(last or first) + 1))


def references(cell):
    """(file, function) of each in backticks"""
    return re.findall(r"`([\w./]+\.(?:c|py)):(\w+)`", cell)


@functools.cache
def defined(file):
    """The functions of a C or Python file."""
    if file.endswith(".py"):
        return set(re.findall(r"^def (\w+)\(", text_of(file), re.M))
    text = re.sub(r"__attribute__\(\(.*?\)\)", "", text_of(file))
    # A definition begins in the first column, and no semicolon comes before its body.
    return set(re.findall(r"^[a-z][^;{}()]*?\b(\w+)\([^;{}]*\)\s*\{", text, re.M))


def test_sections():
    assert [name for name in dict.fromkeys(row.section for row in ROWS)] == [*NUMBERS, NAMED]


@pytest.mark.parametrize("section", NUMBERS)
def test_each_number_is_there_once(section):
    found = [number for row in ROWS if row.section == section for number in numbers(row)]
    assert found == list(range(1, NUMBERS[section] + 1))


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_what_is_not_known_is_not_judged(row):
    assert row.known in KNOWN
    if row.known == "no":
        assert (row.what, row.libixgbe, row.ixnic, row.tests) == ("", "unjudged", "", "")
        return
    assert row.what and row.ixnic
    assert row.number is None or row.number.isdigit(), "one row each"


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_what_is_heeded_is_tested(row):
    word = re.match(r"\w+", row.libixgbe)[0]
    tests = [file for file, _ in references(row.tests)]
    assert word in WORDS
    if word == "heeds":
        assert references(row.libixgbe), "where?"
        assert any(file.startswith(("tests/unit/", "tests/driver/", "tests/system/")) for file in tests)
    if row.ixnic.startswith("not shown: "):
        assert not references(row.ixnic)
    elif row.known != "no":
        assert any(file.startswith("tools/ixnic/") for file, _ in references(row.ixnic))
        assert any(file.startswith(("tests/model/", "tests/driver/")) for file in tests)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_functions_and_tests_exist(row):
    for cell in (row.libixgbe, row.ixnic, row.tests):
        for file, name in references(cell):
            assert name in defined(file), f"{file}:{name}"
        assert cell.count("`") == 2 * len(references(cell)), "in backticks, but no file:function"
    for file, name in references(row.tests):
        assert file.startswith("tests/")
        if file.endswith(".c"):
            assert re.search(rf"\(\s*{name}\s*\)[,;]", text_of(file)), f"{name} is not run"
        else:
            assert name.startswith("test_")


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_rules_exist(row):
    rules = set(re.findall(r"\bR\(([A-Z_]+),", text_of("tools/ixnic/chip/violations.h")))
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", row.ixnic)) <= rules
    assert rules


@pytest.mark.parametrize("section", SAID)
def test_comments_name_what_is_known(section):
    known = {number for row in ROWS if row.section == section and row.known != "no" for number in numbers(row)}
    said = {(name, int(number)) for name in tracked("*.c", "*.h", "*.py")
            for number in re.findall(rf"\b{SAID[section]} (\d+)", text_of(name), re.I)}
    assert said
    assert {entry for entry in said if entry[1] not in known} == set()
