# SPDX-License-Identifier: MIT
"""The form of sources and scripts. What a tool's settings leave out has its reason beside it."""
import re

import pytest
from conftest import clang_or_skip, run, text_of, tracked

C_FILES = tracked("*.c", "*.h")
SCRIPTS = [name for name in tracked() if text_of(name).startswith("#!/bin/bash")
           or text_of(name).startswith("#!/bin/sh")] if tracked() else []
LINES_MAX = 800
# Longer files, each with the reason why it is one subject still.
LONG_FILES = {}


@pytest.mark.parametrize("name", C_FILES)
def test_clang_format(name):
    code, said = run(clang_or_skip("clang-format"), "--dry-run", "-Werror", name)
    assert code == 0, said


# The product in each run of all suites; the tests' own sources, which take as long again, where style is asked for.
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] if name.startswith("tests/") else [])
                                  for name in tracked("*.c")])
def test_clang_tidy(clang_tidy, name):
    code, said = clang_tidy.result(name)
    assert code == 0, said


def test_clang_tidy_exceptions_have_reasons():
    settings = text_of(".clang-tidy")
    left_out = set(re.findall(r"^  -([a-z][\w.-]*[\w])", settings, re.M))
    reasons = set(re.findall(r"^# ([\w.-]+): \S", settings, re.M))
    assert left_out
    assert left_out == reasons


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck(name):
    code, said = run("shellcheck", name)
    assert code == 0, said


@pytest.mark.parametrize("name", tracked("*.c", "*.h", "*.py", "*.build", *SCRIPTS))
def test_licence_is_named(name):
    assert "SPDX-License-Identifier: MIT" in "".join(text_of(name).splitlines(True)[:2])


@pytest.mark.parametrize("name", tracked("*.c", "*.h", "*.py", *SCRIPTS))
def test_length(name):
    lines = text_of(name).count("\n")
    if name in LONG_FILES:
        assert lines > LINES_MAX, "it is short again: take it off the list"
    else:
        assert lines <= LINES_MAX


@pytest.mark.parametrize("name", tracked())
def test_white_space(name):
    text = text_of(name)
    assert not text or text.endswith("\n") and not text.endswith("\n\n"), "its end"
    assert not re.search(r"[ \t]+$", text, re.M), "at the end of a line"


def test_deviations_are_listed():
    """Each deviation from the datasheet that the driver's code names stands in the list."""
    tag = re.compile(r"\b(?:DEVIATION|UNWRITTEN|ERRATUM|BOARD)\([a-z-]+\)")
    named = {found for name in tracked("ixgbe/*.c", "ixgbe/*.h")
             for found in tag.findall(text_of(name))}
    listed = set(tag.findall(text_of("ixgbe/DEVIATIONS.md")))
    assert named
    assert named == listed
