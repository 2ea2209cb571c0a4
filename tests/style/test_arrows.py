# SPDX-License-Identifier: MIT
"""Who calls whom: arrows descend, there are no circles, one name means one thing."""
import collections
import math
import os
import re

import arrows
import pytest
from conftest import BUILD, text_of, tracked

FILES_MAX = 16        # .c files of a folder of the product
LINES_MAX = 60        # of a function
LINES_P90_MAX = 26    # of nine in ten functions of a folder
PRODUCT_FILES = [name for name in tracked("*.c", "*.h") if arrows.is_product(name)]


@pytest.fixture(scope="module", name="symbols")
def fixture_symbols():
    symbols = arrows.read_symbols(BUILD)
    missing = {name for name in PRODUCT_FILES if name.endswith(".c")} - set(symbols)
    assert not missing, "not compiled in this build tree, so nothing is known of them"
    return symbols


@pytest.fixture(scope="module", name="tree")
def fixture_tree(symbols):
    found = arrows.arrows_of(symbols)
    print(arrows.draw(found))
    return found


def test_no_circles(tree):
    assert not arrows.circles(tree)


def test_folders_descend(tree):
    assert not arrows.forbidden(tree)


def test_rooms_do_not_know_the_daemon():
    """struct daemon is all of the keeper: only the files that stand beside daemon.c see it."""
    assert not [name for name in PRODUCT_FILES if name.startswith("bridge/") and name.count("/") > 1
                and not name.startswith("bridge/keeper/")
                and re.search(r'^#include ".*\bdaemon\.h"', text_of(name), re.M)]


def test_every_folder_has_a_first_file():
    assert {os.path.dirname(name) for name in PRODUCT_FILES if name.endswith(".c")} == set(arrows.FIRST)


@pytest.mark.parametrize("folder", arrows.FIRST)
def test_map(tree, folder):
    rows = arrows.read_map(text_of(arrows.FIRST[folder]))
    assert rows, "no map behind a line with 'Who calls whom'"
    drawn = [name for row in rows for name in row]
    there = {arrows.place(folder, name) for name in PRODUCT_FILES if name.endswith(".c")} - {None}
    assert sorted(drawn) == sorted(there)
    assert not arrows.climbing(folder, rows, tree)


def included(name):
    """The headers of this tree that a file includes, by their paths."""
    found = re.findall(r'^#include "([^"]+)"', text_of(name), re.M)
    return [path if path in PRODUCT_FILES else os.path.normpath(os.path.join(os.path.dirname(name), path)) for path in found]


@pytest.mark.parametrize("folder", arrows.FIRST)
def test_folders_include_what_is_below(folder):
    """A type or a constant is no symbol. Each place of a map includes headers of folders beside or below it."""
    rows = arrows.read_map(text_of(arrows.FIRST[folder]))
    row_of = {name: at for at, row in enumerate(rows) for name in row}
    climbing = []
    for name in PRODUCT_FILES:
        own = arrows.place(folder, name.removesuffix(".h") + ".c" if name.endswith(".h") else name)
        for header in included(name):
            other = arrows.place(folder, header)
            if own in row_of and other and other.endswith("/") and row_of[other] < row_of[own]:
                climbing.append(f"{name} includes {header}")
    assert not climbing


def test_external_names_mean_one_thing(symbols):
    twice = {name: sorted(where) for name, where in arrows.definers(symbols).items()
             if len(where) > 1 and name != "main"}
    assert not twice


def function_names(text):
    """Names of the functions that a C file defines, static ones too."""
    text = re.sub(r"__attribute__\(\(\w+\)\) ", "", text)
    return re.findall(r"^[a-z_][^;={}()]*?\b(\w+)\([^;{}]*\)\n\{$", text, re.M)


@pytest.mark.parametrize("area", ["bridge", "ixgbe", "netlink"])
def test_function_names_mean_one_thing(area):
    where = collections.defaultdict(set)
    for name in PRODUCT_FILES:
        if name.startswith(area + "/") and name.endswith(".c"):
            for function in function_names(text_of(name)):
                where[function].add(name)
    assert where
    where.pop("main", None)  # each program has one
    assert not {function: names for function, names in where.items() if len(names) > 1}


def test_file_names_mean_one_thing():
    where = collections.defaultdict(list)
    for name in tracked("*.c", "*.h"):
        where[os.path.basename(name)].append(name)
    assert not [names for names in where.values() if len(names) > 1]


def test_nothing_is_for_tests_only(symbols):
    """What the product defines and does not use is libixgbe's documented interface."""
    interface = set(re.findall(r"IXGBE_API[^(;]*?(ixgbe_\w+)\(", text_of("ixgbe/ixgbe.h")))
    used = set().union(*(known.uses for source, known in symbols.items()
                         if arrows.is_product(source)))
    assert interface
    assert set(arrows.definers(symbols)) - used - interface - {"main"} == set()


@pytest.mark.parametrize("folder", arrows.FIRST)
def test_a_folder_fits_a_glance(folder):
    files = [name for name in PRODUCT_FILES
             if os.path.dirname(name) == folder and name.endswith(".c")]
    assert len(files) <= FILES_MAX


def functions(name):
    """(lines, first line) of the bodies of functions: both braces stand in the first column."""
    lines, start = text_of(name).splitlines(), None
    for number, line in enumerate(lines):
        if line == "{" and not lines[number - 1].endswith(("=", ";")):
            start = number
        elif line == "}" and start is not None:
            yield number - start - 1, start + 1
            start = None


@pytest.mark.parametrize("folder", sorted({name.split("/")[0] for name in arrows.FIRST}
                                          | {name for name in arrows.FIRST if name.count("/") == 1
                                             and name.startswith("tools/")}))
def test_functions_are_short(folder):
    lengths = sorted((lines, name, at) for name in PRODUCT_FILES
                     if name.startswith(folder + "/") for lines, at in functions(name))
    assert lengths[-1][0] <= LINES_MAX, lengths[-1]
    assert lengths[math.ceil(0.9 * len(lengths)) - 1][0] <= LINES_P90_MAX


COMMENT = re.compile(r"/\*.*?\*/", re.S)


def area(path):
    """What a bare file name in a comment is looked for in."""
    parts = path.split("/")
    return "/".join(parts[:2] if parts[0] == "tools" else parts[:1]) + "/"


def strangers(name, text, paths):
    """Files of ours that a comment of the file `name` names and that are not there: by the end of their path, or,
    without a folder, in the same area of the tree."""
    for comment in COMMENT.findall(text):
        for path in re.findall(r"(?<![\w<./*-])((?:\w+/)*\w+\.[ch])\b(?!\w*\()", comment):
            where = "" if "/" in path or name.startswith("tests/") else area(name)
            if not any(("/" + there).endswith("/" + path) and there.startswith(where)
                       for there in paths):
                yield path


@pytest.mark.parametrize("name", tracked("*.c", "*.h"))
def test_files_named_in_comments_exist(name):
    assert not list(strangers(name, text_of(name), tracked()))


# ---- That the checks can fail ----

def test_a_circle_is_found():
    assert arrows.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert not arrows.circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_functions_are_found():
    assert function_names("static __attribute__((noinline)) int a(int b,\n\t     int c)\n{\n}\n\n"
                          "int d(void)\n{\n\tif (e())\n\t{\n") == ["a", "d"]


MAP = """/* SPDX-License-Identifier: MIT */
/*
 * A folder.
 *
 * Who calls whom: each row calls rows below.
 *
 *     top.c       what is above
 *     beside.c    what is beside
 *       |
 *     room/       what is below
 *
 * Text behind that names other.c.
 */
"""


def test_a_map_is_read():
    assert arrows.read_map(MAP) == [["top.c", "beside.c"], ["room/"]]
    assert arrows.read_map("/* Nothing. */") is None


@pytest.mark.parametrize("source, target, climbs", [
    ("f/top.c", "f/room/x.c", False),
    ("f/room/x.c", "f/top.c", True),
    ("f/top.c", "f/beside.c", True),
    ("f/room/x.c", "f/room/y.c", False),
    ("f/room/x.c", "g/z.c", False),
])
def test_an_arrow_that_climbs_is_found(source, target, climbs):
    rows = [["top.c", "beside.c"], ["room/"]]
    assert bool(arrows.climbing("f", rows, {source: {target: {"name"}}})) == climbs


@pytest.mark.parametrize("source, target, bad", [
    ("ixgbe/a.c", "bridge/b.c", True),
    ("bridge/b.c", "tools/ixtap/c.c", True),
    ("bridge/service/b.c", "ixgbe/a.c", True),
    ("bridge/b.c", "ixgbe/a.c", False),
    ("tools/ixnic/a.c", "ixgbe/a.c", True),
    ("tools/ixnic/data/a.c", "ixgbe/tables/regs.c", False),
    ("tools/ixnic/data/a.c", "ixgbe/queues/rx.c", True),
])
def test_an_arrow_between_folders_is_judged(source, target, bad):
    assert bool(arrows.forbidden({source: {target: {"name"}}})) == bad


def test_a_stale_name_in_a_comment_is_found():
    paths = ["ixgbe/queues/rx.c", "bridge/a.c"]
    assert list(strangers("bridge/a.c", "/* See rx.c and gone.c. */", paths)) == ["rx.c", "gone.c"]
    assert not list(strangers("bridge/a.c", "/* See queues/rx.c, a.c and <b.h>. */", paths))
