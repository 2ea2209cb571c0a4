# SPDX-License-Identifier: MIT
"""What programs read and print as text: configuration files, tables, lists, and what the manual pages say of
them."""
import json
import os
import socket
import threading

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


# ---- Rates ----

class Impostor:
    """A control socket that gives each request the next of the answers, and then hangs up."""

    def __init__(self, path, answers):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen()
        self.answers = answers
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        peer, _ = self.listener.accept()
        with peer:
            for answer in self.answers:
                peer.recv(4096)
                peer.send(json.dumps(answer).encode())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def stats(uptime_s, second, nic=None, **bridge):
    """What ixtapd answers to `stats`."""
    return {"time": second, "uptime_s": uptime_s, "nic": nic or {}, "bridge": bridge, "queues": []}


def test_rates_while_the_clock_is_set(rig):
    """A second is a second, whatever becomes of the wall clock."""
    wall = [1e9, 1e9 - 3600, 1e9 + 86400, 1e9 + 86400, 1e9 + 86400.001]
    answers = [stats(10 + i, wall[i], {"rx_bytes": i * 125_000_000, "tx_packets": i * 1000},
                     wakeups=i * 50) for i in range(len(wall))]
    for words, part in ((["-i", "0.01"], "1.00 Gbit/s"), (["-s", "-i", "0.01"], "125 M/s")):
        os.path.exists(rig.path("clock")) and os.unlink(rig.path("clock"))
        with Impostor(rig.path("clock"), answers):
            done = r.run(r.IXTAP, "-c", rig.path("clock"), "stats", *words, check=False)
        assert done.returncode == 1
        assert done.stdout.count(part) == len(wall) - 1, done.stdout


def test_uptime_measures_short_intervals(bridge):
    """Rates of 10 ms are worth something: the uptime has microseconds."""
    assert any(round(bridge.ask("stats")["uptime_s"] * 1e6) % 1000 for _ in range(5))
