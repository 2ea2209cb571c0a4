# SPDX-License-Identifier: MIT
"""A driver that lies, floods, hangs or ends at once: ixtapd says so, answers, and stops in order."""
import os
import shutil
import stat

import pytest

import rig as r

LIAR = os.path.join(r.BUILD, "tests", "unit", "lying_driver")
NONSENSE = ("phase", "groups", "unicast", "flag", "mtu", "link", "module", "checksum", "queue", "filter", "reason",
            "short message", "long message", "version")


@pytest.fixture
def keeper(rig):
    """Starts an ixtapd beside a driver program of ours."""
    folder = rig.path("programs")
    os.mkdir(folder)
    shutil.copy2(r.IXTAPD, folder)
    shutil.copy2(r.IXNIC, folder)

    def start(lie, program=LIAR):
        if program:
            shutil.copy2(program, os.path.join(folder, "ixtap-driver"))
        with open(os.path.join(folder, "lie"), "w", encoding="ascii") as file:
            file.write(lie)
        left = rig.namespace("left")
        return rig.daemon(*left.words(os.path.join(folder, "ixtapd"), "--nic", "soft:tap:wire0", "--tap", "tap0",
                                      "--control", rig.path("control")))
    start.folder = folder
    return start


def fails(daemon, *words):
    assert daemon.wait() == 1
    said = daemon.errors()
    assert len(said.splitlines()) == 1, said
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("lie, words", [
    ("exits in prepare", ("driver", "status 3")),
    ("hangs in prepare", ("driver", "within")),
    ("exits at once", ("driver", "exited with status 5")),
    ("crashes at once", ("driver", "signal 4")),
])
def test_a_start_that_fails_says_why(keeper, lie, words):
    fails(keeper(lie), *words)


def test_a_program_that_is_none(keeper):
    path = os.path.join(keeper.folder, "ixtap-driver")
    with open(path, "w", encoding="ascii") as file:
        file.write("no program")
    fails(keeper("", program=None), "cannot execute the driver program", "ixtap-driver")
    os.chmod(path, stat.S_IRWXU)
    fails(keeper("", program=None), "cannot execute the driver program", "xec format")


@pytest.mark.parametrize("lie", NONSENSE)
def test_nonsense_is_found_out(rig, keeper, lie):
    daemon = keeper(lie).wait_ready()
    r.wait_for(lambda: "the driver speaks nonsense" in daemon.errors(), "the lie is found out")
    assert r.ask(rig.path("control"), "status")["state"] in ("recovering", "down", "waiting")


def test_a_flood_is_ended(rig, keeper):
    daemon = keeper("floods").wait_ready()
    r.wait_for(lambda: "the driver talks without end" in daemon.errors(), "the flood is ended")
    assert r.ask(rig.path("control"), "status")["state"] in ("recovering", "down", "waiting")
    assert daemon.stop() == 0


def test_counts_without_measure(rig, keeper):
    """Tables that claim to have more rows than there is room for."""
    daemon = keeper("counts").wait_ready()
    for request in ("status", "stats", "registers"):
        for _ in range(3):
            r.ask(rig.path("control"), request)
    assert daemon.stop() == 0


def test_half_a_word_is_not_believed(rig, keeper):
    daemon = keeper("half a word").wait_ready()
    assert r.ask(rig.path("control"), "status")["driver"]["pid"] > 0
    assert daemon.stop() == 0


def test_silence_is_noticed(rig, keeper):
    """A driver that has reported all that was wanted, and turns no more."""
    daemon = keeper("is silent").wait_ready()
    r.wait_for(lambda: "the driver hangs, and the NIC answers" in daemon.errors(), "the silence is noticed", 30)
    r.wait_for(lambda: "hangs again and again" in daemon.errors(), "that is the NIC's end", 30)
    assert daemon.stop() == 0
