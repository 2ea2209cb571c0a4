# SPDX-License-Identifier: MIT
"""A bridge under a service manager with a store of descriptors: tools/descriptor_store.py says how that works."""
import contextlib
import json
import mmap
import os
import struct
import subprocess
import sys

import restart_rig as k
import rig as r

sys.path.insert(0, os.path.join(r.TOP, "tools"))

from descriptor_store import Store  # noqa: E402

MEMORY = "ixtap-memory"
# Of struct store_memory: three words, four of the texts, six of the journal, the texts.
TEXT_AT, TEXT_BYTES = 52, 256 << 10


class Keeper(r.Daemon):
    """ixtapd, with the descriptors of a store."""

    def __init__(self, words, scratch, store):  # pylint: disable=super-init-not-called
        self.log = open(os.path.join(scratch, f"log-{next(r.serial)}"), "w+", encoding="utf-8", errors="replace")
        with store.passed_to(words) as (command, fds):
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
                                            bufsize=0, pass_fds=fds, env=r.environment(**store.environment()),
                                            start_new_session=True)


def places(part, at=()):
    """Where a text names descriptors, and which: (place, number)."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part):
        if name == "fd":
            numbers = value if isinstance(value, list) else [value]
            yield from (((*at, nth), number) for nth, number in enumerate(numbers) if number >= 0)
        elif isinstance(value, (dict, list)):
            yield from places(value, (*at, name))


class Manager(Store):
    """Starts the program `words` again and again."""

    def __init__(self, rig, words, **store):
        self.rig, self.words, self.keeper = rig, words, None
        super().__init__(rig.path(f"notify-{next(r.serial)}"), **store)

    # ---- What it holds of ixtapd

    def handover(self):
        """The text that is stored, or None: also while another one is written in its place."""
        with self.lock:
            if MEMORY not in dict(self.held):
                return None
            with mmap.mmap(dict(self.held)[MEMORY], 0) as memory:
                current, *sizes = struct.unpack_from("II4xI", memory, 8)
                if not current:
                    return None
                at = TEXT_AT + (current - 1) * TEXT_BYTES
                with contextlib.suppress(ValueError):
                    return json.loads(memory[at:at + sizes[current - 1]])
                return None

    def complete(self):
        """Whether what it holds is what there is now."""
        return not self.lacks()

    def lacks(self):
        """Why it is not: another driver, or other descriptors."""
        found = k.descendants(self.keeper.pid)
        drivers = [pid for pid, name in found.items() if name == k.DRIVER]
        text = self.handover()
        if not text or not text["engine"]["running"]:
            return "no NIC"
        stored = text["engine"]["running"]["driver"]["pid"]
        if [stored] != drivers:
            return f"driver {stored}, not {drivers}"
        wanted = {MEMORY, *(f"ixtap-{number}" for number in dict(places(text)).values())}
        return ", ".join(sorted(wanted ^ set(self.names())))

    # ---- What it starts

    def start(self, ready=True, words=None):
        self.drain()
        self.keeper = Keeper(words or self.words, self.rig.scratch, self)
        self.rig.daemons.append(self.keeper)
        return self.keeper.wait_ready() if ready else self.keeper

    def kill(self):
        self.keeper.kill()


class World(k.World):
    """As in restart_rig.py, with a daemon that is another one at times."""

    def __init__(self, manager, *others):
        self.manager = manager
        super().__init__(None, *others)

    @property
    def daemon(self):
        return self.manager.keeper

    @daemon.setter
    def daemon(self, _):
        pass

    def again(self, **more):
        """The keeper is killed, and the next one started."""
        self.manager.kill()
        return self.manager.start(**more)


def addressed(right):
    right.run("ip", "address", "add", f"{r.RIGHT_V4}/24", "dev", "wire0")
    right.run("ip", "link", "set", "wire0", "up")


def words_of(rig, left, nic, *options):
    return left.words(r.IXTAPD, "--nic", nic, "--tap", "tap0", "--address", f"{r.LEFT_V4}/24", "--up", "--control",
                      rig.path("control"), "--log-level", "debug", *options)


@contextlib.contextmanager
def managed(rig, kind, *options, io_fds="on", **manager):
    """A bridge under a manager; `kind`: soft or vfio-user. `io_fds`: of that ixnic."""
    left, right = rig.namespace("left"), rig.namespace("right")
    nic, control = rig.path("nic"), rig.path("control")
    if kind == "vfio-user":
        rig.daemon(r.IXNIC, "--socket", nic, "--wire", "tap:wire0", "--netns", right.name, "--control",
                   control + ".nic", "--io-fds", io_fds).wait_ready()
        name = f"vfio-user:{nic}"
    else:
        name = "soft:tap:wire0"
    made = Manager(rig, words_of(rig, left, name, *options), **manager)
    try:
        made.start()
        if kind == "soft":
            left.run("ip", "link", "set", "wire0", "netns", right.name)
        addressed(right)
        r.wait_for(lambda: left.carrier("tap0") and right.carrier("wire0"), "carrier at both ends")
        yield World(made, left, right, control, control + ".nic")
    finally:
        if made.keeper and made.keeper.alive():
            made.keeper.stop()
        made.close()
