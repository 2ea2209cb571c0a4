#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who calls whom: the arrows between the product's files, from the symbols of their objects.

    tests/style/arrows.py [BUILD]     prints them, by folders and by files

An arrow goes from a file to the file that defines what it uses, a function or data. What is reached by a
pointer (a table of operations, a callback) is no arrow: that is how a lower file calls a higher one
without knowing it.

Each folder's first file has a map: rows of files and rooms, drawn from the top to the bottom. Arrows descend: a
file uses rows below its own, no row above, nothing beside.
"""
import collections
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRODUCT = ("bridge/", "ixgbe/", "netlink/", "tools/")

# The first file of each folder: the one that a newcomer opens, with the map.
FIRST = {
    "bridge": "bridge/ixtapd.c",
    "bridge/driver": "bridge/driver/board.h",
    "bridge/engine": "bridge/engine/engine.h",
    "bridge/frames": "bridge/frames/worker.h",
    "bridge/interface": "bridge/interface/interface.h",
    "bridge/keeper": "bridge/keeper/daemon.h",
    "bridge/making": "bridge/making/maker.h",
    "bridge/service": "bridge/service/control.h",
    "bridge/spawn": "bridge/spawn/spawn.h",
    "bridge/start": "bridge/start/options.h",
    "ixgbe": "ixgbe/ixgbe.h",
    "ixgbe/backends": "ixgbe/backends/backend.h",
    "ixgbe/device": "ixgbe/device/device.h",
    "ixgbe/queues": "ixgbe/queues/queue.h",
    "ixgbe/tables": "ixgbe/tables/regs.h",
    "ixgbe/vfio_user": "ixgbe/vfio_user/vfio_user.h",
    "netlink": "netlink/netlink.h",
    "tools/ixlat": "tools/ixlat/ixlat.h",
    "tools/ixlat/measure": "tools/ixlat/measure/run.h",
    "tools/ixlat/result": "tools/ixlat/result/result.h",
    "tools/ixnic": "tools/ixnic/nic.h",
    "tools/ixnic/bus": "tools/ixnic/bus/memory.h",
    "tools/ixnic/chip": "tools/ixnic/chip/chip.h",
    "tools/ixnic/data": "tools/ixnic/data/data.h",
    "tools/ixnic/serve": "tools/ixnic/serve/server.h",
    "tools/ixnic/wire": "tools/ixnic/wire/wire.h",
    "tools/ixtap": "tools/ixtap/ixtap.h",
}

# What the folders may use of each other, from the top down; the longest match decides. Nobody uses tools/,
# but for one tool that shows its results as another does.
MAY_USE = {
    "bridge": ("bridge", "ixgbe", "netlink"),
    "bridge/service": ("bridge/service", "ixgbe/why.c"),
    "bridge/making": ("bridge/making", "bridge/spawn", "bridge/service", "ixgbe/why.c"),
    "bridge/spawn": ("bridge/spawn", "bridge/service/landlock.c", "ixgbe/why.c"),
    "ixgbe": ("ixgbe",),
    "netlink": ("netlink",),
    "tools/ixlat": ("tools/ixlat", "tools/ixtap/output.c", "bridge/service", "ixgbe/why.c"),
    # The judge shares nothing with the driver but the registers' table and the messages.
    "tools/ixnic": ("tools/ixnic", "bridge/service", "ixgbe/tables", "ixgbe/vfio_user", "ixgbe/why.c"),
    "tools/ixtap": ("tools/ixtap", "bridge/service", "ixgbe/why.c"),
}

Symbols = collections.namedtuple("Symbols", "defines uses")


def is_product(source):
    return source.startswith(PRODUCT)


def read_symbols(build):
    """{source: Symbols} of every C file that `build` compiled, those of tests too."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    symbols = {}
    for entry in entries:
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), TOP)
        said = subprocess.run(["nm", os.path.join(entry["directory"], entry["output"])], check=True,
                              text=True, stdout=subprocess.PIPE).stdout
        known = symbols.setdefault(source, Symbols(set(), set()))
        for kind, name in re.findall(r"^[0-9a-f]* +([A-Za-z]) (\S+)$", said, re.M):
            if kind in "TDBRVWC":
                known.defines.add(name)
            elif kind == "U":
                known.uses.add(name)
    return symbols


def definers(symbols):
    """{name: the product's sources that define it}"""
    found = collections.defaultdict(set)
    for source, known in symbols.items():
        if is_product(source):
            for name in known.defines:
                found[name].add(source)
    return found


def arrows_of(symbols):
    """{source: {source that it uses: names}} of the product."""
    where = definers(symbols)
    arrows = {}
    for source, known in symbols.items():
        if not is_product(source):
            continue
        arrows[source] = collections.defaultdict(set)
        for name in known.uses:
            for target in where.get(name, set()) - {source}:
                arrows[source][target].add(name)
    return arrows


def circles(arrows):
    """The sets of files that reach each other (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(at):
        index[at] = low[at] = len(index)
        stack.append(at)
        for target in arrows.get(at, ()):
            if target not in index:
                visit(target)
                low[at] = min(low[at], low[target])
            elif target in stack:
                low[at] = min(low[at], index[target])
        if low[at] == index[at]:
            start = stack.index(at)
            if len(stack) - start > 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for source in arrows:
        if source not in index:
            visit(source)
    return found


def read_map(text):
    """The rows of the map in a file's first comment: [["a.c", "room/"], ...], or None."""
    text = text.removeprefix("/* SPDX-License-Identifier: MIT */")
    comment = text.partition("*/")[0]
    rows, inside = [[]], False
    for line in comment.splitlines():
        line = line.strip().removeprefix("*")
        if not inside:
            inside = "who calls whom" in line.lower()
            continue
        if line.strip() in ("", "|"):
            rows.append([])
        elif line.startswith("     "):
            first = line.split()[0]
            if re.fullmatch(r"\w+(\.c|/)", first):
                rows[-1].append(first)
        elif any(rows):
            break
    rows = [row for row in rows if row]
    return rows or None


def place(folder, source):
    """Under which name `source` stands in the map of `folder`: "a.c", "room/", or None."""
    if not source.startswith(folder + "/"):
        return None
    rest = source[len(folder) + 1:]
    return rest if "/" not in rest else rest.split("/")[0] + "/"


def climbing(folder, rows, arrows):
    """Arrows within `folder` that do not go to a row below: lines of text."""
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    found = []
    for source, targets in sorted(arrows.items()):
        for target, names in sorted(targets.items()):
            here, there = place(folder, source), place(folder, target)
            if not here or not there or here == there or not {here, there} <= set(row_of):
                continue
            if row_of[there] <= row_of[here]:
                found.append(f"{source} -> {target}: {', '.join(sorted(names))}")
    return found


def forbidden(arrows):
    """Arrows between folders that MAY_USE does not have: lines of text."""
    found = []
    for source, targets in sorted(arrows.items()):
        folder = max((name for name in MAY_USE if source.startswith(name + "/")), key=len)
        for target, names in sorted(targets.items()):
            if not any(target == may or target.startswith(may + "/") for may in MAY_USE[folder]):
                found.append(f"{source} -> {target}: {', '.join(sorted(names))}")
    return found


def draw(arrows):
    """The arrows as text: between folders, then between files."""
    between = collections.defaultdict(set)
    for source, targets in arrows.items():
        for target in targets:
            if os.path.dirname(source) != os.path.dirname(target):
                between[os.path.dirname(source)].add(os.path.dirname(target))
    lines = ["Folders"]
    lines += [f"  {folder:<22} -> {', '.join(sorted(between[folder]))}" for folder in sorted(between)]
    lines += ["", "Files"]
    lines += [f"  {source:<40} -> {', '.join(sorted(targets))}"
              for source, targets in sorted(arrows.items()) if targets]
    return "\n".join(lines)


if __name__ == "__main__":
    print(draw(arrows_of(read_symbols(sys.argv[1] if len(sys.argv) > 1
                                      else os.path.join(TOP, "build", "plain")))))
