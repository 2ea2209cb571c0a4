# SPDX-License-Identifier: MIT
"""Upgrades: asked for, to copies of the programs, and who runs then."""
import os
import shutil

import rig as r


def driver_program():
    return os.path.join(os.path.dirname(r.IXTAPD), "ixtap-driver")


def upgrade(world, *program, check=True):
    return r.run(r.IXTAP, "--control", world.control, "-j", "upgrade", *program, check=check)


def installed(rig, name, *left_out):
    """A copy of the programs, as another version would be installed."""
    folder = rig.path(name)
    os.chmod(rig.scratch, 0o755)
    os.mkdir(folder)
    for program in (r.IXTAPD, driver_program(), r.IXNIC):
        if os.path.basename(program) not in left_out:
            shutil.copy(program, folder)
    return os.path.join(folder, "ixtapd")


def executes(pid, program):
    """Whether the process runs that file. In a chroot the link's text has the path outside: the process has another
    mount namespace."""
    return os.path.samefile(f"/proc/{pid}/exe", program)
