# SPDX-License-Identifier: MIT
"""The connection of tools/lab/pulse.py: what it tells of silences."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PULSE = os.path.join(TOP, "tools", "lab", "pulse.py")
END_S, SILENT_S = 20, 1.0


class Pulse:
    def __init__(self, folder):
        self.file = folder / "pulse"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(END_S)
        self.process = subprocess.Popen([sys.executable, "-I", PULSE, "beat", "127.0.0.1",
                                         str(self.listener.getsockname()[1]), str(self.file)])
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(END_S)

    def beat(self, silent_s=0.0):
        """One byte goes back, after a while. What is told then."""
        byte = self.connection.recv(1)
        time.sleep(silent_s)
        before = self.file.read_text() if self.file.exists() else ""
        self.connection.send(byte)
        deadline = time.monotonic() + END_S
        while not self.file.exists() or self.file.read_text() == before:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        count, longest = self.file.read_text().split()
        return int(count), float(longest)

    def close(self):
        self.connection.close()
        self.listener.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture(name="pulse")
def fixture_pulse(tmp_path):
    with contextlib.closing(Pulse(tmp_path)) as made:
        yield made


def test_the_longest_silence_stays(pulse):
    assert pulse.beat()[0] == 1
    assert pulse.beat(SILENT_S)[1] >= SILENT_S
    count, longest = pulse.beat()
    assert count == 3 and longest >= SILENT_S


def test_it_is_forgotten_at_any_moment(pulse):
    for pause_s in (0.0, 0.01, 0.03, 0.06):
        assert pulse.beat(SILENT_S)[1] >= SILENT_S
        time.sleep(pause_s)  # the moment: a byte is under way, or none is yet
        pulse.process.send_signal(signal.SIGUSR1)
        assert pulse.beat()[1] < SILENT_S


def test_the_end_is_told(pulse):
    pulse.beat()
    pulse.connection.close()
    pulse.process.wait(END_S)
    assert pulse.file.read_text().startswith("ended ")
