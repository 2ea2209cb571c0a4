# SPDX-License-Identifier: MIT
"""tools/ixnic/RULES.md has a row for each rule of chip/violations.h, with its section and text, and names tests
that break it."""
import re

import pytest
from conftest import text_of

HEAD = ["rule", "section", "what is wrong", "judged", "ixnic", "hardware", "tests"]


def declared(text):
    """{rule: (section, text)} of NIC_VIOLATIONS."""
    table = text.partition("#define NIC_VIOLATIONS")[2].partition("enum nic_violation")[0]
    found = re.findall(r'R\((\w+), "([^"]+)",[\s\\]*"([^"]+)"\)', table)
    assert len(found) == len(re.findall(r"R\(\w+,", table)), "a row that is written otherwise"
    return {rule: (section, what) for rule, section, what in found}


def rows(text):
    """The rows of the page's one table, as dictionaries."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == HEAD
    return [dict(zip(HEAD, line, strict=True)) for line in lines[2:]]


RULES = declared(text_of("tools/ixnic/chip/violations.h"))
ROWS = rows(text_of("tools/ixnic/RULES.md"))


def test_every_rule_has_its_row():
    """In the order of the header, so that neither has one that the other lacks."""
    assert [row["rule"] for row in ROWS] == list(RULES)


def breaks(path, function, rule):
    """Whether the test names the rule: in its function, or in the table of cases before it."""
    source = text_of(path)
    body = re.search(rf"^static void {function}\(void \*\*state\)\n\{{\n.*?^\}}", source, re.M | re.S)
    assert body, f"{path} has no test {function}"
    assert re.search(rf"\b{function}\b", source[body.end():]), f"{function} is not run"
    cases = [table.group(2) for table in re.finditer(r"^static const \w+(?: \w+)* (\w+)\[\] = \{(.*?)^\};", source,
                                                     re.M | re.S) if table.group(1) in body.group()]
    return any(re.search(rf"\b{rule}\b", text) for text in [body.group(), *cases])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["rule"])
def test_row(row):
    assert (row["section"], row["what is wrong"]) == RULES[row["rule"]]
    assert row["judged"] and row["ixnic"] and row["hardware"]
    named = re.findall(r"`(tests/model/test_\w+\.c):(\w+)`", row["tests"])
    assert named, "no test breaks it"
    for path, function in named:
        assert breaks(path, function, row["rule"]), f"{path}:{function} does not break it"


def test_a_rule_without_a_row_is_found():
    begin = "#define NIC_VIOLATIONS(R)"
    text = text_of("tools/ixnic/chip/violations.h").replace(begin, begin + ' R(NEW_RULE, "1", "x")')
    assert "NEW_RULE" in declared(text)


def test_a_test_that_breaks_another_rule_is_found():
    assert not breaks("tests/model/test_rules.c", "interrupts_have_a_mode", "TX_RS")
    assert breaks("tests/model/test_rules.c", "at_te_each", "TX_ARBITER")
    assert not breaks("tests/model/test_rules.c", "at_te_each", "FCRTH_MARK")
