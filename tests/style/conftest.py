# SPDX-License-Identifier: MIT
import concurrent.futures
import functools
import os
import re
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("IXTAP_BUILD") or os.path.join(TOP, "build", "plain")


def run(*words):
    """(exit status, everything it said)"""
    done = subprocess.run(words, cwd=TOP, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def tracked(*patterns):
    code, names = run("git", "-c", f"safe.directory={TOP}", "ls-files", "--", *patterns)
    assert code == 0, names
    return [name for name in names.splitlines() if os.path.isfile(os.path.join(TOP, name))]


def text_of(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


# Of clang-format and clang-tidy. Another version formats otherwise and has other checks; Debian 12 has this one.
CLANG_VERSION = 14


@functools.cache
def of_clang(name):
    """(the program of LLVM's that is of our version, or None, and why not)"""
    found = [f"{name}: {CLANG_VERSION} is wanted"]
    for program in (f"{name}-{CLANG_VERSION}", name):
        if not shutil.which(program):
            continue
        _, said = run(program, "--version")
        version = re.search(r"version (\d+)", said)
        if version and int(version[1]) == CLANG_VERSION:
            return program, ""
        found.append(f"this is {version[1] if version else said.strip()}")
    return None, ", ".join(found if len(found) > 1 else [*found, "there is none"])


def clang_or_skip(name):
    program, reason = of_clang(name)
    if not program:
        pytest.skip(reason)
    return program


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes of a processor; tests/run style has it, tests/run alone not")


class Ahead:
    """Runs a command for every file on all processors, as soon as the first is asked for."""

    def __init__(self, names, command):
        self.names, self.command, self.futures = names, command, None

    def result(self, name):
        if self.futures is None:
            pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
            self.futures = {each: pool.submit(run, *self.command, each) for each in self.names}
        return self.futures[name].result()


@pytest.fixture(scope="session")
def clang_tidy(request):
    wanted = [item.callspec.params["name"] for item in request.session.items
              if "clang_tidy" in getattr(item, "fixturenames", ())]
    return Ahead(wanted, [clang_or_skip("clang-tidy"), "--quiet", "-p", BUILD])
