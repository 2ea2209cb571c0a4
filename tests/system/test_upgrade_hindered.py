# SPDX-License-Identifier: MIT
"""An upgrade that something comes between: the NIC and its drivers, the interface, other questions."""
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import textwrap

import restart_rig as k
import rig as r
from upgrade_rig import installed

SLEEP = shutil.which("sleep")
TRIES = 5  # UPGRADE_TRIES


def script(rig, name, text):
    path = rig.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + textwrap.dedent(text))
    os.chmod(path, 0o755)
    return path


def before_it_goes_on(rig, what):
    """ixtapd, after the exec: does something first."""
    return script(rig, "first", f"""\
        case "$2" in *:go) {what} ;; esac
        exec {r.IXTAPD} "$@"
        """)


def is_asked(daemon):
    """A program that sleeps instead of answering. It can write no file to tell: it has ixtapd's rights."""
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as children:
        for pid in children.read().split():
            with contextlib.suppress(OSError):  # one that has just ended
                if os.path.samefile(f"/proc/{pid}/exe", SLEEP):
                    return True
    return False


def asks(world, program):
    return subprocess.Popen([r.IXTAP, "--control", world.control, "upgrade", program], env=r.environment(),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def works(world):
    r.wait_for(lambda: world.status()["state"] == "running", "running")
    r.wait_for(lambda: world.left.carrier(world.tap) and world.right.carrier(world.wire), "carrier")
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)


def test_a_driver_that_broke_its_filter_is_followed_by_a_reset(rig):
    """Between the exec and the order to leave: what it left is not to be trusted."""
    world = k.vfio_user(rig)
    driver = world.status()["driver"]["pid"]
    program = before_it_goes_on(rig, f"echo went >&2; while [ ! -e {rig.path('on')} ]; do sleep 0.01; done")
    with asks(world, program) as asking:
        r.wait_for(lambda: "went" in world.daemon.errors().splitlines(), "it is executed")
        os.kill(driver, signal.SIGSYS)
        script(rig, "on", "")
        assert asking.wait(r.DEADLINE_S) == 0
    r.wait_for(lambda: f"was killed by signal {int(signal.SIGSYS)}" in world.daemon.errors(), "the log says so")
    works(world)
    assert world.status()["driver"]["starts"] == {"warm": 0, "cold": 2, "upgrade": 0}


def mute_until(rig, asked):
    """ixtapd, whose file has another program by now: one that answers no question before `asked` is there."""
    program = installed(rig, "own")
    left, control = rig.namespace("left"), rig.path("control")
    daemon = rig.daemon(*left.words(program, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap0", "--control",
                                    control)).wait_ready()
    os.rename(script(rig, "next", f"""\
        case "$2" in *:check) [ -e {asked} ] || exec sleep 60 ;; esac
        exec {r.IXTAPD} "$@"
        """), program)
    return daemon, control


def test_a_signal_is_followed_once_the_urgent_is_over(rig):
    """Who sends it hears of no "try again"."""
    daemon, control = mute_until(rig, rig.path("asked"))
    driver = r.ask(control, "status")["driver"]["pid"]
    os.kill(daemon.pid, signal.SIGUSR2)
    r.wait_for(lambda: is_asked(daemon), "it is asked")
    script(rig, "asked", "")
    os.kill(driver, signal.SIGKILL)
    r.wait_for(lambda: r.ask(control, "status")["driver"]["starts"] == {"warm": 1, "cold": 1, "upgrade": 1}, "upgraded")


def test_a_signal_is_followed_five_times_at_most(rig):
    """What is urgent each time is not kept waiting for ever. The next signal counts anew."""
    daemon, control = mute_until(rig, rig.path("asked"))

    def starts():
        return r.ask(control, "status")["driver"]["starts"]

    os.kill(daemon.pid, signal.SIGUSR2)
    for done in range(1, TRIES + 1):
        r.wait_for(lambda: is_asked(daemon), "it is asked")
        os.kill(r.ask(control, "status")["driver"]["pid"], signal.SIGKILL)
        r.wait_for(lambda: starts()["warm"] == done, "the next driver")
    # It would be asked with the next tick, of which there are some in a second.
    since = r.ask(control, "status")["uptime_s"]
    r.wait_for(lambda: r.ask(control, "status")["uptime_s"] > since + 1, "a second")
    assert not is_asked(daemon) and daemon.errors().count("no upgrade: something more urgent") == TRIES
    script(rig, "asked", "")
    os.kill(daemon.pid, signal.SIGUSR2)
    r.wait_for(lambda: starts() == {"warm": TRIES, "cold": 1, "upgrade": 1}, "upgraded")


def test_upgrades_do_not_keep_the_nic_away(rig):
    left = rig.namespace("left")
    nic, control = rig.path("nic"), rig.path("control")
    words = [r.IXNIC, "--socket", nic, "--wire", f"seqpacket:{rig.path('wire')}"]
    server = rig.daemon(*words).wait_ready()
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{nic}", "--tap", "tap0", "--control",
                                    control)).wait_ready()
    server.kill()
    r.wait_for(lambda: r.ask(control, "status")["state"] == "recovering", "recovering")
    rig.daemon(*words).wait_ready()

    def back():
        os.kill(daemon.pid, signal.SIGUSR2)
        return "the NIC is back" in daemon.errors()

    r.wait_for(back, "the NIC is back")
    daemon.says("upgraded from")


def test_interface_that_is_deleted_within_the_exec(rig):
    world = k.soft(rig)
    with asks(world, before_it_goes_on(rig, "ip link del tap0")) as asking:
        assert asking.wait(r.DEADLINE_S) == 1
    assert world.daemon.wait() == 1
    said = world.daemon.errors()
    assert "the interface was deleted: nothing left to do; start ixtapd again to have it back" in said
    assert said.count("error: ") == 1, said


def test_few_descriptors(rig):
    """What the next program needs is looked at before anything is stopped."""
    world = k.soft(rig, "--queues", "2")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(int(fd) for fd in os.listdir(f"/proc/{world.daemon.pid}/fd"))
    outcomes = []
    for limit in range(most + 5, most + 60, 3):
        resource.prlimit(world.daemon.pid, resource.RLIMIT_NOFILE, (limit, hard))
        done = r.run(r.IXTAP, "--control", world.control, "upgrade", check=False)
        outcomes.append(done.returncode)
        assert not done.returncode or "the limit of open files" in done.stderr, (limit, done.stderr)
        status = world.status()
        assert status["state"] == "running" and status["recoveries"] == 0, (limit, world.daemon.errors()[-2000:])
    assert outcomes[0] == 1 and outcomes[-1] == 0
    assert world.status()["driver"]["starts"]["cold"] == 1


def test_status_is_answered_while_a_program_is_asked(rig):
    world = k.soft(rig)
    with asks(world, script(rig, "hangs", "exec sleep 60\n")) as asking:
        r.wait_for(lambda: is_asked(world.daemon), "it is asked")
        assert world.status()["state"] == "running"
        assert "asked whether" in r.ask(world.control, "stats")["error"]
        assert asking.poll() is None
        assert "did not answer within 3 s" in asking.communicate(timeout=r.DEADLINE_S)[1]
