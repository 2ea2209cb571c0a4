# SPDX-License-Identifier: MIT
"""What programs read and print as text: configuration files, tables, lists, and what the manual pages say of
them."""
import os

import pytest

import rig as r


# ---- The configuration file ----

@pytest.mark.parametrize("columns", [100, 200, 300, 4096, 8200, 100000])
def test_comment_of_any_length(rig, columns):
    """What ends a long comment is not obeyed, and a fault behind it has its own line's number."""
    comment = "# persist = yes".rjust(columns, "#")
    with open(rig.path("long.conf"), "w", encoding="ascii") as config:
        config.write(f"{comment}\ncoalesce = off {comment}\n")
    bridge = rig.bridge("--config", rig.path("long.conf"), connected=False)
    assert bridge.ask("status")["tap"]["persist"] is False
    with open(rig.path("bad.conf"), "w", encoding="ascii") as config:
        config.write(f"{comment}\nmtu = many\n")
    done = r.run(r.IXTAPD, "--tap", "tap9", "--config", rig.path("bad.conf"), check=False)
    assert done.returncode == 2
    assert f"{rig.path('bad.conf')}:2: " in done.stderr, done.stderr


def test_folder_of_drop_ins(rig):
    """FILE.d/*.conf in the order of their names; a later file replaces, the command line replaces all."""
    os.mkdir(rig.path("tap.conf.d"))
    for name, text in {"tap.conf": "poll = busy\npersist = yes\nqueues = 3\n",
                       "tap.conf.d/50-last.conf": "\ufeffpoll = interrupt\r\n",
                       "tap.conf.d/10-first.conf": "poll = adaptive\npersist = no",
                       "tap.conf.d/99-no.conf.bak": "persist = yes\n"}.items():
        with open(rig.path(name), "w", encoding="utf-8", newline="") as config:
            config.write(text)
    bridge = rig.bridge("--queues", "2", "--config", rig.path("tap.conf"), connected=False)
    status = bridge.ask("status")
    assert (status["poll"], status["tap"]["persist"], len(status["queues"])) == ("interrupt", False, 2)


def test_faults_in_a_file_steer_no_terminal(rig):
    with open(rig.path("bad.conf"), "wb") as config:
        config.write("tap = a\ncolour\u009b31m = red\n".encode())
    done = r.run(r.IXTAPD, "--config", rig.path("bad.conf"), check=False)
    assert done.returncode == 2
    assert ":2: there is no option 'colour??31m'" in done.stderr, done.stderr
