# SPDX-License-Identifier: MIT
"""tests/run.py with system tests of our own: what it makes of files that run side by side."""
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

import rig as r

pytestmark = pytest.mark.scripts
CONFTEST = """
import os
def pytest_configure(config):
    config.addinivalue_line("markers", "alone: of this test")
"""
# Each notes in a file which others run at that moment.
NOTES = """
import os, pathlib, time, pytest
def note(name, seconds):
    place = pathlib.Path("PLACE")
    (place / name).touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(list(place.iterdir())) < 2:
        time.sleep(0.01)
    met = sorted(each.name for each in place.iterdir())
    with open("MET", "a") as file:
        file.write(f"{name}: {' '.join(met)}\\n")
    time.sleep(0.3)
    (place / name).unlink()
"""
FILES = {
    "test_first.py": """
def test_together(): note("first", 20)
@pytest.mark.alone
def test_alone(): note("alone", 1)
""",
    "test_second.py": """
def test_together(): note("second", 20)
def test_fails(): assert 1 == 2, "as it should"
""",
    "test_only_alone.py": """
@pytest.mark.alone
def test_alone_too(): note("alone too", 1)
""",
    "test_leaves.py": """
def test_leaves(): pathlib.Path("/run/left").touch()
""",
}


@pytest.fixture
def tree(tmp_path):
    """What tests/run.py needs of a tree of sources, and a program that runs its system tests."""
    for name in ("tests/run.py", "tools/contained.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(os.path.join(r.TOP, name), tmp_path / name)
    for name in ("tests/system", "build/plain", "place"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tests/system/conftest.py").write_text(CONFTEST)
    (tmp_path / "runs.py").write_text(
        f"import signal, sys\nsys.path.insert(0, '{tmp_path}/tests')\nimport run\n"
        "signal.signal(signal.SIGALRM, run.on_alarm)\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "run.LANES = 2\nrun.run('system', 'plain')\nsys.exit(run.report())\n")

    def write(files):
        notes = NOTES.replace("PLACE", f"{tmp_path}/place").replace("MET", f"{tmp_path}/met")
        for name, text in files.items():
            (tmp_path / "tests/system" / name).write_text(notes + text)
        return [sys.executable, tmp_path / "runs.py"]
    write.path = tmp_path
    return write


def test_files_side_by_side(tree):
    done = r.run(*tree(FILES), check=False, timeout=120)
    said = done.stdout
    assert done.returncode == 1, said + done.stderr
    # No file is noted with two others, and who wants to be alone is.
    met = dict(line.split(": ") for line in (tree.path / "met").read_text().splitlines())
    assert met["alone"] == "alone" and met["alone too"] == "alone too", met
    assert "first second" in (met["first"], met["second"]), met
    failed = said.partition("\nfailed:\n")[2].splitlines()
    assert [line.split(":", 1)[0].strip() for line in failed if re.match(r"  \S", line)] == \
        ["plain system", "plain system test_leaves.py"], said
    for part in ("as it should", "file /run/left"):
        assert part in said, said
    assert said.splitlines()[-1] == "9 passed, 2 failed, 0 skipped", said
    # The lines of a file stand together.
    shown = re.findall(r"system/(test_\w+)\.py::\w+ [A-Z]", said)
    assert len([name for name, before in zip(shown, [None, *shown]) if name != before]) == 5, shown


def test_a_file_that_cannot_be_read_is_a_failure(tree):
    done = r.run(*tree({"test_broken.py": "import no_such_module\n", "test_whole.py": "def test_it(): pass\n"}),
                 check=False, timeout=120)
    assert done.returncode == 1 and "No module named 'no_such_module'" in done.stdout, done.stdout
    assert "test_whole.py::test_it PASSED" in done.stdout, done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_files_side_by_side_are_ended(tree, number):
    command = tree({"test_long.py": "def test_long(): note('long', 100); time.sleep(100)\n",
                    "test_too.py": "def test_too(): note('too', 100); time.sleep(100)\n"})
    with subprocess.Popen([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=r.environment()) as run:
        r.wait_for((tree.path / "met").exists, "both run")
        run.send_signal(number)
        said = run.communicate(timeout=r.DEADLINE_S)[0]
    assert run.returncode == (-number if number == signal.SIGKILL else 128 + number), said
    r.wait_for(lambda: not r.our_processes(), "all processes have ended")
