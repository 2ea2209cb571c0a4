# SPDX-License-Identifier: MIT
"""The connection of pulse.py, from the guest to the far end: whether it goes on."""
import os
import time

from machine import FAR_V4, TOP

BEAT_PORT, BEAT_FILE = 7007, "/run/pulse"
BEGIN_S = 60


def serve_pulse(lab):
    """The far end answers from now on."""
    lab.far.start(os.path.join(lab.folder, "pulse.log"), "/usr/bin/python3", "-I",
                  os.path.join(TOP, "tools", "lab", "pulse.py"), "serve", FAR_V4, str(BEAT_PORT))


class Pulse:
    def __init__(self, lab):
        self.guest = lab.guest
        self.guest.sh(f"rm -f {BEAT_FILE}; /usr/bin/python3 -I /run/pulse.py beat {FAR_V4} {BEAT_PORT} "
                      f"{BEAT_FILE} >/dev/null 2>&1 & echo $! >/run/pulse.pid")
        self.guest.until(f"grep -q '^[0-9]' {BEAT_FILE}", None, BEGIN_S)

    def read(self):
        """(beats, the longest in s), or None and why it ended."""
        words = self.guest.sh(f"cat {BEAT_FILE} 2>/dev/null || echo 0 0").split(maxsplit=1)
        return (None, words[1].strip()) if words[0] == "ended" else (int(words[0]), float(words[1]))

    def forget(self):
        """The longest time so far, once the next byte is back."""
        self.guest.sh("kill -USR1 $(cat /run/pulse.pid)")

    def end(self):
        self.guest.try_sh("kill $(cat /run/pulse.pid)")

    def beats(self, seconds):
        """Whether it does, within the time, or has ended."""
        deadline = time.monotonic() + seconds
        before, now = self.read()[0], None
        while before is not None and time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.read()[0]
            if now is None or now > before > 0:
                return now is not None
            before = now
        return False
