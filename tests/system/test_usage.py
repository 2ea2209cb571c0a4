# SPDX-License-Identifier: MIT
"""Scripts that install packages: what they do not understand, and who only asks for help, costs nothing."""
import os
import re
import sys

import pytest

import rig as r

sys.path.insert(0, os.path.join(r.TOP, "tests"))

import run as tests_run  # noqa: E402

pytestmark = pytest.mark.scripts
RUN, BENCH, DEMO, LAB, PACKAGES = "tests/run", "tests/bench", "tools/demo", "tools/lab/lab", "tools/packages"


@pytest.fixture
def installs(tmp_path):
    """Runs a script on a machine on which no package is installed. Returns the result, and whether the script tried
    to change that."""
    calls = tmp_path / "calls"
    for name, text in {"dpkg-query": "exit 1", "apt-get": f"echo \"$@\" >>{calls}; exit 1"}.items():
        stand_in = tmp_path / name
        stand_in.write_text(f"#!/bin/sh\n{text}\n")
        stand_in.chmod(0o755)

    def script(path, *words):
        done = r.run("env", f"PATH={tmp_path}:{os.environ['PATH']}", os.path.join(r.TOP, path), *words, check=False)
        return done, calls.exists()
    return script


@pytest.mark.parametrize("words", [[RUN, "--help"], [RUN, "unit", "-h"], [BENCH, "--help"], [BENCH, "tap", "--help"],
                                   [BENCH, "driver", "--help"], [BENCH, "registers", "--help"],
                                   [BENCH, "all", "--help"], [BENCH, "live", "--help"],
                                   [BENCH, "restart", "--help"], [DEMO, "--help"],
                                   [DEMO, "-h"], [LAB, "--help"],
                                   [LAB, "kernel", "-h"], [PACKAGES, "--help"], [PACKAGES, "build", "-h"]],
                         ids=" ".join)
def test_help_is_given(installs, words):
    done, installed = installs(*words)
    assert not installed
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower() and not done.stderr


@pytest.mark.parametrize("words", [[RUN, "units"], [RUN, "unit", ""], [RUN, "unit model"], [RUN, "--all"], [BENCH],
                                   [BENCH, "both"], [BENCH, "tap", "--jsn"], [BENCH, "tap", "--json"],
                                   [BENCH, "restart", "--kills", "many"], [BENCH, "restart", "--idle", "--iperf", "5"],
                                   [BENCH, "driver", "--colour"], [DEMO, "--seconds", "0"], [DEMO, "now"],
                                   [LAB], [LAB, "kernels"], [LAB, "kernel", "--kernel", "1"], [LAB, "selftests", "--kernel", "6.12"],
                                   [PACKAGES],
                                   [PACKAGES, "build", "fun"]], ids=" ".join)
def test_what_is_not_understood_is_refused(installs, words):
    done, installed = installs(*words)
    assert not installed
    assert done.returncode == 2, done.stdout + done.stderr
    assert "usage" in done.stderr.lower() or "no group" in done.stderr


@pytest.mark.parametrize("words", [[RUN, "unit"], [BENCH, "tap", "--rounds", "1"], [BENCH, "driver"], [BENCH, "restart"], [DEMO],
                                   [LAB, "kernel"], [PACKAGES, "build"]], ids=" ".join)
def test_what_is_understood_needs_the_packages(installs, words):
    done, installed = installs(*words)
    assert installed
    assert done.returncode == 1
    assert "apt-get failed" in done.stderr


def test_run_knows_its_suites(installs):
    said = installs(RUN, "--help")[0].stdout
    assert re.search(r"\[(.*?)\]", said)[1].split("|") == list(tests_run.SUITES)
