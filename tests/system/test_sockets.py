# SPDX-License-Identifier: MIT
"""Sockets with a name in the file system: who listens, who asks, and what a daemon does without descriptors."""
import contextlib
import json
import os
import resource
import select
import socket
import subprocess

import pytest

import rig as r


def dial(path, kind=socket.SOCK_SEQPACKET):
    connection = socket.socket(socket.AF_UNIX, kind)
    connection.settimeout(r.DEADLINE_S)
    connection.connect(path)
    return connection


@contextlib.contextmanager
def without_descriptors(nic, control):
    """The process gets no descriptor more: clients take those between others, a limit those above."""
    def used():
        return set(map(int, os.listdir(f"/proc/{nic.pid}/fd")))

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.ExitStack() as stack:
        while len(used()) <= max(used()):
            before = len(used())
            stack.enter_context(dial(control))
            r.wait_for(lambda: len(used()) > before, "a client is taken")
        resource.prlimit(nic.pid, resource.RLIMIT_NOFILE, (max(used()) + 1, hard))
        yield
        resource.prlimit(nic.pid, resource.RLIMIT_NOFILE, (hard, hard))


@pytest.mark.alone
@pytest.mark.parametrize("name", ["nic", "wire", "cable", "control"])
def test_without_descriptors_nobody_waits(rig, name):
    """A connection that can't be taken is closed: left there, it would keep the daemon busy for ever."""
    kind = "cable" if name == "cable" else "seqpacket"
    nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--control", rig.path("control"), "--wire",
                     f"{kind}:{rig.path(kind if name == 'cable' else 'wire')}").wait_ready()
    how = socket.SOCK_STREAM if name == "nic" else socket.SOCK_SEQPACKET
    with without_descriptors(nic, rig.path("control")):
        before = r.cpu_seconds(nic.pid)
        for _ in range(20):
            with dial(rig.path(name), how) as connection:
                with contextlib.suppress(ConnectionResetError):
                    if name == "control":
                        assert "files" in json.loads(connection.recv(4096))["error"]
                    assert connection.recv(16) == b""
        assert r.cpu_seconds(nic.pid) - before < 1
    assert r.ask(rig.path("control"), "status")["link"] in ("up", "down")
    assert nic.stop() == 0, nic.errors()


def test_monitors_that_read_nothing(rig):
    """As many as there may be, and more: whoever asks is served, and a monitor too many hears why."""
    place = rig.namespace("left")
    daemon = rig.daemon(r.IXTAPD, "--netns", place.name, "--tap", "tap0", "--nic",
                        f"soft:seqpacket:{rig.path('wire')}", "--control", rig.path("control")).wait_ready()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            monitor = stack.enter_context(dial(rig.path("control")))
            monitor.send(b"monitor")
            answer = json.loads(monitor.recv(4096))
        assert "12 programs monitor already" in answer["error"]
        for words in (["status"], ["stats"], ["features"], ["-j", "status"]):
            r.run(r.IXTAP, "--control", rig.path("control"), *words)
        done = r.run(r.IXTAP, "--control", rig.path("control"), "monitor", check=False)
        assert done.returncode == 1 and "12 programs monitor already: end one of them" in done.stderr, done.stderr
    with contextlib.closing(dial(rig.path("control"))) as monitor:
        monitor.send(b"monitor")
        assert json.loads(monitor.recv(4096))["event"] == "start"
    assert daemon.stop() == 0, daemon.errors()


def test_a_client_turned_away_hears_why(rig):
    """A listener closes with a word what has asked: the client shows the word, not that the connection ended."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as listener:
        listener.bind(rig.path("control"))
        listener.listen()
        for early in (True, False):
            with subprocess.Popen([r.IXTAP, "--control", rig.path("control"), "status"], stderr=subprocess.PIPE,
                                  text=True, env=r.environment()) as client:
                connection, _ = listener.accept()
                if not early:
                    r.wait_for(lambda: select.select([connection], [], [], 0)[0], "the request")
                connection.send(b'{"error": "no room today"}')
                connection.close()
                assert client.wait(r.DEADLINE_S) == 1
                assert client.stderr.read() == "ixtap: no room today\n"


def test_a_name_is_looked_for_without_a_connection(rig):
    """ixtap without a name finds the only ixtapd; the others, which it asks whether they live, lose no client."""
    names = [f"s{os.getpid()}{letter}" for letter in "ab"]
    place = rig.namespace("left")
    daemons = [rig.daemon(r.IXTAPD, "--netns", place.name, "--tap", name, "--nic",
                          f"soft:seqpacket:{rig.path(name)}").wait_ready() for name in names]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(dial(f"/run/ixtap/{name}.sock"))
                   for name in names for _ in range(16)]
        done = r.run(r.IXTAP, "status", check=False)
        assert done.returncode == 1 and all(name in done.stderr for name in names), done.stderr
        for client in clients:
            client.send(b"features")
            assert client.recv(4096).startswith(b"{")
    assert [daemon.stop() for daemon in daemons] == [0, 0]
