# SPDX-License-Identifier: MIT
"""Another program takes the place of a running ixtapd."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import textwrap
import time

import pytest

import restart_rig as k
import rig as r
from upgrade_rig import driver_program, executes, installed, upgrade

RATE = 2000


@pytest.fixture(params=[k.soft, k.vfio_user], ids=["soft", "vfio-user"])
def world(rig, request):
    return request.param(rig)


def script(rig, name, text):
    path = rig.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(textwrap.dedent(text))
    os.chmod(path, 0o755)
    return path


# ---- Under frames

@pytest.mark.parametrize("options", [(), ("--queues", "4")], ids=["one queue", "four"])
def test_nothing_is_lost_or_repeated(rig, options):
    world = k.soft(rig, *options)
    # A TAP sends a flow's frames over the queue that the flow was received on last, and over any before: one frame in
    # advance, and none of those that are numbered changes its queue.
    delivered = r.ask(world.control, "stats")["bridge"]["rx_delivered"]
    with world.right.packet_socket("wire0") as raw:
        raw.send(bytes.fromhex(r.NIC_MAC.replace(":", "")) + b"\2" * 6 + b"\x88\xb5".ljust(48, b"\0"))
    r.wait_for(lambda: r.ask(world.control, "stats")["bridge"]["rx_delivered"] > delivered, "delivered")
    before = k.State(world)
    with k.Frames(*world.ends(), "--rate", RATE) as frames:
        connection = k.Connection(world)
        frames.tell("start")
        for done in range(1, 11):
            frames.tell("until", done * RATE // 10)
            answer = json.loads(upgrade(world).stdout)
            assert answer["start"] == "warm" and answer["version"] == answer["previous"]
        frames.tell("until", 2 * RATE)
        accounts = frames.tell("stop")
        assert connection.end() is None
    after = k.State(world)
    for way in k.WAYS:
        found = {name: accounts[way][name] for name in ("lost", "repeated", "refused", "reordered", "corrupted")}
        assert not any(found.values()), (way, found)
    assert after.status["driver"]["starts"] == {"warm": 0, "cold": 1, "upgrade": 10}
    assert after.status["driver"]["lost"] == {"tap_reads": 0, "held": 0}
    assert after.status["driver"]["repeated"] == {"rx_frames": 0}
    assert after.status["pid"] == before.status["pid"] == world.daemon.pid
    assert after.status["uptime_s"] > before.status["uptime_s"]
    assert not [check for check in [*k.link_checks(before, after), *k.same_checks(before, after)] if not check.good]


def test_signal(world):
    before = world.status()
    os.kill(world.daemon.pid, signal.SIGUSR2)
    r.wait_for(lambda: world.status()["driver"]["starts"]["upgrade"] == 1, "upgraded")
    after = world.status()
    assert after["pid"] == before["pid"] and after["driver"]["pid"] != before["driver"]["pid"]
    r.wait_for(lambda: "upgraded from" in world.daemon.errors(), "the log says so")
    with open(f"/proc/{after['pid']}/comm", encoding="utf-8") as name:
        assert name.read() == "ixtapd\n"
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    # A driver that dies after that is followed as before.
    os.kill(after["driver"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: world.status()["driver"]["starts"] == {"warm": 1, "cold": 1, "upgrade": 1}, "the next one runs")
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    assert world.daemon.stop() == 0
    assert world.daemon.process.stdout.read() == b""  # "ready" was said once


def test_settings_stay_and_are_followed(rig):
    world = k.soft(rig, "--persist")
    r.run(r.IXTAP, "-c", world.control, "features", "rx", "off")
    world.left.run("ip", "link", "set", "tap0", "name", "uplink0")
    world.left.run("ip", "link", "set", "uplink0", "mtu", "4000", "alias", "as it was")
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 4000, "the NIC has the MTU")
    counted = r.ask(world.control, "stats")
    upgrade(world)
    status = world.status()
    assert status["tap"]["name"] == "uplink0" and status["tap"]["persist"] and status["nic"]["mtu"] == 4000
    assert status["state"] == "running" and status["tap"]["carrier"]
    assert r.ask(world.control, "features")["rx"] == "off"
    now = r.ask(world.control, "stats")
    for part in ("nic", "bridge"):
        assert not {name: (value, now[part][name]) for name, value in counted[part].items() if now[part][name] < value}
    world.left.run("ip", "link", "set", "uplink0", "mtu", "3000")
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 3000, "the NIC follows")
    world.left.run("ip", "link", "set", "uplink0", "down")
    r.wait_for(lambda: world.status()["state"] == "down", "down")


def test_namespace_of_its_own(rig):
    world = k.soft(rig)
    other = rig.namespace("other")
    world.left.run("ip", "link", "set", "tap0", "netns", other.name)
    r.wait_for(lambda: world.status()["tap"]["away"], "away")
    upgrade(world)
    assert world.status()["tap"]["away"]
    other.run("ip", "link", "set", "tap0", "up", "mtu", "2000")
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 2000, "the NIC follows there, too")


def test_monitors_go_on(world):
    with subprocess.Popen([r.IXTAP, "-j", "--control", world.control, "monitor"], stdout=subprocess.PIPE, text=True,
                          env=r.environment()) as shown:
        try:
            assert json.loads(shown.stdout.readline())["event"] == "start"
            upgrade(world)
            world.left.run("ip", "link", "set", "tap0", "mtu", "1400")
            events = []
            while len(events) < 2:
                event = json.loads(shown.stdout.readline())
                events += [event] if event["event"] != "address" else []
            assert [event["event"] for event in events] == ["upgrade", "mtu"] and events[0]["start"] == "warm", events
        finally:
            shown.kill()


# ---- Other programs

def test_other_files(rig, world):
    """The programs of the next version lie elsewhere, and the former ones are replaced meanwhile."""
    program = installed(rig, "next")
    answer = json.loads(upgrade(world, program).stdout)
    assert answer["start"] == "warm"
    pid = world.status()["driver"]["pid"]
    assert executes(world.daemon.pid, program)
    assert executes(pid, os.path.join(os.path.dirname(program), "ixtap-driver"))
    # A package manager replaces them: drivers of this version go on, until an upgrade.
    for name in ("ixtapd", "ixtap-driver"):
        path = os.path.join(os.path.dirname(program), name)
        shutil.copy(path, path + ".new")
        os.rename(path + ".new", path)
    os.kill(pid, signal.SIGKILL)
    k.next_driver(world, pid)
    os.kill(world.daemon.pid, signal.SIGUSR2)
    r.wait_for(lambda: world.status()["driver"]["starts"]["upgrade"] == 2, "upgraded")
    assert executes(world.daemon.pid, program)


def unchanged(world, before):
    after = world.status()
    assert after["driver"]["pid"] == before["driver"]["pid"] and after["driver"]["starts"] == before["driver"]["starts"]
    assert executes(world.daemon.pid, r.IXTAPD)
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)


@pytest.mark.parametrize("program, words", [
    ("/bin/true", "exited with status 0"),
    ("/etc/passwd", "cannot be executed"),
    ("/no/such/ixtapd", "cannot find"),
    ("/usr/bin/env", "exited with status"),
    ("/usr/bin/sleep", "exited with status"),
])
def test_programs_that_are_none(rig, program, words):
    world = k.soft(rig)
    before = world.status()
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    unchanged(world, before)


@pytest.mark.parametrize("text, words, without", [
    ("exec yes", "printed 4096 bytes and more", "within 3 s"),
    ("kill -9 $$", "was killed by signal 9", "within 3 s"),
    ("kill -11 $$", "was killed by signal 11", "within 3 s"),
    ("echo first >&2; echo the reason >&2; exit 5", "exited with status 5 when it was asked whether it can take over: it "
     "is no ixtapd, or one that cannot: the reason", "first"),
    ("yes all of this >&2 & sleep 0.5; kill $!; wait; echo >&2; echo the end >&2; exit 1", ": the end", "all of this"),
    ("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1", "xxxx", "all of this"),
    ("printf '\\033[2J\\n' >&2; exit 1", r"\x1b", "\033"),
    ("exec >&-; sleep 60", "closed its output without an answer", "within 3 s"),
    ("exec 2>&1 /no/such/program", "cannot be executed", "within 3 s")],
    ids=["endless", "SIGKILL", "SIGSEGV", "reason", "noisy", "one line", "control", "closed", "127"])
def test_why_there_is_no_answer(rig, text, words, without):
    world = k.soft(rig, "--isolation", "off")
    before = world.status()
    done = r.run(r.IXTAP, "--control", world.control, "upgrade", script(rig, "next", f"#!/bin/sh\n{text}\n"), check=False)
    assert done.returncode == 1 and words in done.stderr and without not in done.stderr, done.stderr
    assert len(done.stderr) < 1000 and len(done.stderr.splitlines()) == 1, done.stderr
    unchanged(world, before)


@pytest.mark.parametrize("make, words", [
    (lambda path: open(path, "wb").close(), ["Exec format error", "an empty file", "name a binary program"]),
    (lambda path: shutil.copy("/usr/bin/ldd", path), ["Exec format error", "a script", "name a binary program"])],
    ids=["empty", "script"])
def test_required_isolation_executes_binaries_only(rig, make, words):
    world = k.soft(rig, "--isolation", "require")
    before = world.status()
    program = installed(rig, "next")
    os.remove(program)
    make(program)
    os.chmod(program, 0o755)
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and all(word in done.stderr for word in words), done.stderr
    unchanged(world, before)


def test_required_isolation_and_a_folder_of_roots_own(rig):
    world = k.soft(rig, "--isolation", "require")
    before = world.status()
    program = installed(rig, "next")
    os.chmod(os.path.dirname(program), 0o700)
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and "may not go into that folder" in done.stderr and "chmod a+x" in done.stderr, done.stderr
    assert os.path.dirname(program) in done.stderr and "install ixtap anew" not in done.stderr
    unchanged(world, before)
    os.chmod(os.path.dirname(program), 0o755)
    assert json.loads(upgrade(world, program).stdout)["start"] == "warm"


def test_program_that_hangs(rig):
    world = k.soft(rig)
    before = world.status()
    program = script(rig, "hangs", "#!/bin/sh\nexec sleep 60\n")
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and "did not answer within 3 s" in done.stderr
    unchanged(world, before)


def test_what_is_more_urgent_comes_first(rig):
    """While a program is asked that hangs, a driver that dies is followed at once."""
    world = k.soft(rig)
    driver = world.status()["driver"]["pid"]
    program = script(rig, "hangs", "#!/bin/sh\nexec sleep 60\n")
    with subprocess.Popen([r.IXTAP, "--control", world.control, "upgrade", program], env=r.environment(),
                          stderr=subprocess.PIPE, text=True) as asks:
        r.wait_for(lambda: "sleep" in k.descendants(world.daemon.pid).values(), "it is asked")
        os.kill(driver, signal.SIGKILL)
        assert "something more urgent" in asks.communicate(timeout=r.DEADLINE_S)[1]
    r.wait_for(lambda: world.status()["driver"]["starts"] == {"warm": 1, "cold": 1, "upgrade": 0}, "the next one runs")


def test_without_its_driver_program(rig):
    world = k.soft(rig)
    before = world.status()
    done = upgrade(world, installed(rig, "next", "ixtap-driver"), check=False)
    # An installation elsewhere may have one.
    if done.returncode:
        assert "cannot find ixtap-driver" in done.stderr
        unchanged(world, before)


def no_file(path):
    os.mkdir(path)


def not_executable(path):
    shutil.copy(driver_program(), path)
    os.chmod(path, 0o644)


def loose(path):
    shutil.copy(driver_program(), path)
    os.chmod(path, 0o777)


@pytest.mark.parametrize("make, words", [
    (no_file, "Is a directory"), (not_executable, "may not be executed"), (loose, "chmod o-w"),
    (lambda path: open(path, "wb").close(), "an empty file"), (lambda path: shutil.copy("/usr/bin/ldd", path), "a script")],
    ids=["folder", "mode", "loose", "empty", "script"])
def test_a_driver_program_that_is_none_is_seen_before(rig, make, words):
    """Nothing is stopped."""
    world = k.soft(rig)
    before = world.status()
    program = installed(rig, "next", "ixtap-driver")
    make(os.path.join(os.path.dirname(program), "ixtap-driver"))
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and "the upgrade failed" not in done.stderr and words in done.stderr, done.stderr
    assert "ixtap-driver" in done.stderr
    unchanged(world, before)


FAILS = {
    "spawner": ("ixtap-driver", "\177ELF, and nothing else\n", "cannot execute the driver program"),
    "driver": ("ixtap-driver", None, "exited with status"),
}


@pytest.mark.parametrize("what", FAILS)
def test_failure_goes_back(rig, world, what):
    """The next version starts, and its driver does not."""
    name, text, words = FAILS[what]
    before = world.status()
    program = installed(rig, "next", name)
    path = os.path.join(os.path.dirname(program), name)
    if text is None:
        shutil.copy("/bin/false", path)
    else:
        script(rig, f"next/{name}", text)
    with k.Frames(*world.ends(), "--rate", RATE) as frames:
        frames.tell("start")
        frames.tell("until", RATE // 4)
        done = upgrade(world, program, check=False)
        frames.tell("until", RATE)
        accounts = frames.tell("stop")
    assert done.returncode == 1 and "the upgrade failed" in done.stderr and words in done.stderr, done.stderr
    for way in k.WAYS:
        assert accounts[way]["lost"] == accounts[way]["repeated"] == 0, accounts
    after = world.status()
    assert after["state"] == "running" and after["pid"] == before["pid"]
    assert after["driver"]["starts"] == {"warm": 1, "cold": 1, "upgrade": 0}
    assert executes(world.daemon.pid, r.IXTAPD)
    with open(f"/proc/{world.daemon.pid}/comm", encoding="utf-8") as comm:
        assert comm.read() == "ixtapd\n"
    assert json.loads(upgrade(world).stdout)["start"] == "warm"


COLD = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc > 2 && strstr(argv[2], ":check"))
		return puts("{\"start\": \"cold\", \"why\": \"as the test wants\", \"version\": \"9\"}") < 0;
	execv(REAL, argv);
	return 1;
}
"""


def cold_program(rig):
    """A version that cannot go on with the running NIC."""
    program = installed(rig, "next")
    os.rename(program, program + "-9")
    r.run("cc", "-x", "c", "-o", program, f'-DREAL="{program}-9"', "-", input=COLD)
    return program


def test_cold_where_the_nic_cannot_be_opened_again(rig):
    """It is refused: closed, the NIC would stay so."""
    world = k.vfio_user(rig, "--isolation", "require")
    before = k.State(world)
    done = upgrade(world, cold_program(rig), check=False)
    assert done.returncode == 1 and "would start the NIC anew (as the test wants)" in done.stderr, done.stderr
    assert "restart the service" in done.stderr
    after = k.State(world)
    assert after.status["state"] == "running" and after.status["driver"]["pid"] == before.status["driver"]["pid"]
    assert not [check for check in [*k.link_checks(before, after), *k.same_checks(before, after)] if not check.good]


def test_cold_where_the_nic_is_made_anew(rig):
    world = k.soft(rig, "--isolation", "require")
    nic = world.status()["nic"]["soft"]["pid"]
    assert json.loads(upgrade(world, cold_program(rig)).stdout)["start"] == "cold"
    r.wait_for(lambda: world.status()["state"] in ("waiting", "running"), "the NIC is back")
    assert world.status()["nic"]["soft"]["pid"] != nic
    assert world.status()["driver"]["starts"] == {"warm": 0, "cold": 2, "upgrade": 0}


def test_cold(rig):
    """A version that cannot go on with the running NIC says so beforehand."""
    world = k.vfio_user(rig)
    program = cold_program(rig)
    before = k.State(world)
    connection = k.Connection(world)
    answer = json.loads(upgrade(world, program).stdout)
    assert answer["start"] == "cold"
    r.wait_for(lambda: world.status()["state"] == "running", "the NIC is back")
    assert connection.end() is None
    r.wait_for(lambda: "starts the NIC anew: as the test wants" in world.daemon.errors(), "the log says so")
    assert world.status()["driver"]["starts"] == {"warm": 0, "cold": 2, "upgrade": 0}
    after = k.State(world)
    assert not k.went_back(before.counters, after.counters)


def test_changed_configuration(rig):
    """What a running ixtapd cannot change is refused, and said."""
    config = rig.path("config")
    with open(config, "w", encoding="utf-8") as file:
        file.write("rings = 512\n")
    world = k.soft(rig, "--config", config)
    before = world.status()
    with open(config, "w", encoding="utf-8") as file:
        file.write("rings = 1024\n")
    done = upgrade(world, check=False)
    assert done.returncode == 1 and "another --rings" in done.stderr, done.stderr
    unchanged(world, before)
    with open(config, "w", encoding="utf-8") as file:
        file.write("ring = 1024\n")
    done = upgrade(world, check=False)
    assert done.returncode == 1 and "command line or configuration" in done.stderr, done.stderr
    assert f"{config}:1" in done.stderr and "'ring'" in done.stderr, "the reason"
    unchanged(world, before)


@pytest.mark.parametrize("line", ["mtu = 9000", "address = 192.0.2.77/24", "mac = 02:00:00:00:00:77", "persist = yes",
                                  "rx-checksum = off"])
def test_changed_settings(rig, line):
    """What is applied at the start alone is not, and that is said; what can be changed is."""
    config = rig.path("config")
    with open(config, "w", encoding="utf-8"):
        pass
    left, control = rig.namespace("left"), rig.path("control")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap0", "--control",
                                    control, "--config", config)).wait_ready()
    world = k.World(daemon, left, left, control)
    before = world.left.link("tap0")
    assert json.loads(upgrade(world).stdout)["start"] == "warm"
    assert "has changed" not in world.daemon.errors()
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"{line}\npoll = busy\n")
    assert json.loads(upgrade(world).stdout)["start"] == "warm"
    world.daemon.says(f"--{line.split()[0]} has changed")
    assert world.daemon.errors().count("has changed") == 1
    after = world.left.link("tap0")
    assert (before["mtu"], before["address"]) == (after["mtu"], after["address"])
    assert world.status()["poll"] == "busy"


def test_while_the_nic_is_away(rig):
    left = rig.namespace("left")
    nic, control = rig.path("nic"), rig.path("control")
    server = rig.daemon(r.IXNIC, "--socket", nic, "--wire", f"seqpacket:{rig.path('wire')}").wait_ready()
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{nic}", "--tap", "tap0", "--control",
                                    control)).wait_ready()
    server.kill()
    r.wait_for(lambda: r.ask(control, "status")["state"] == "recovering", "recovering")
    os.kill(daemon.pid, signal.SIGUSR2)
    r.wait_for(lambda: "upgraded from" in daemon.errors(), "upgraded")
    rig.daemon(r.IXNIC, "--socket", nic, "--wire", f"seqpacket:{rig.path('wire')}").wait_ready()
    r.wait_for(lambda: r.ask(control, "status")["state"] != "recovering", "the NIC is back", 20)


def blocked(pid):
    """The set of signals that a process has blocked."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(r"SigBlk:\s+(\w+)", status.read())[1], 16)


@pytest.mark.parametrize("pause", [0, 0.005, 0.02])
def test_the_nic_dies_at_that_moment(rig, pause):
    """It is brought back as at any other."""
    left = rig.namespace("left")
    nic, control = rig.path("nic"), rig.path("control")
    words = [r.IXNIC, "--socket", nic, "--wire", f"seqpacket:{rig.path('wire')}"]
    server = rig.daemon(*words).wait_ready()
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{nic}", "--tap", "tap0", "--control",
                                    control)).wait_ready()
    server.process.kill()
    time.sleep(pause)  # the moment, no wait
    os.kill(daemon.pid, signal.SIGUSR2)
    server.process.wait()
    rig.daemon(*words).wait_ready()
    r.wait_for(lambda: daemon.errors().count("bring the NIC back") >= 1, "the NIC's end is noticed")
    r.wait_for(lambda: r.ask(control, "status")["state"] not in ("recovering", "opening"), "the NIC is back", 30)
    assert daemon.alive() and left.has("tap0")


def test_frames_of_an_upgrade_are_counted_once(rig):
    """Those that the NIC sends while the driver leaves are none that a dead one held."""
    world = k.soft(rig, "--queues", "4")
    with k.Frames(*world.ends(), "--rate", 10000) as frames:
        frames.tell("start")
        for _ in range(30):
            upgrade(world)
            frames.tell("until", frames.tell("until", 0)["frames"] + 200)
        frames.tell("stop")
    driver = world.status()["driver"]
    assert driver["starts"]["upgrade"] == 30 and driver["lost"] == {"tap_reads": 0, "held": 0}


def test_a_driver_that_dies_is_counted(rig):
    """Before it could leave."""
    world = k.soft(rig)
    program = script(rig, "slow", f"""\
        #!/bin/sh
        case "$2" in *:go) sleep 0.3 ;; esac
        exec {r.IXTAPD} "$@"
        """)
    with k.Frames(*world.ends(), "--rate", RATE) as frames:
        frames.tell("start")
        for done in range(1, 6):
            driver = world.status()["driver"]["pid"]
            with subprocess.Popen([r.IXTAP, "--control", world.control, "upgrade", program], env=r.environment(),
                                  stdout=subprocess.DEVNULL) as asks:
                r.wait_for(lambda: world.daemon.errors().count("in our place") == done, "it is executed")
                os.kill(driver, signal.SIGKILL)
                assert asks.wait(r.DEADLINE_S) == 0
            r.wait_for(lambda: world.daemon.errors().count("before it left") == done, "the log says so")
        frames.tell("until", frames.tell("until", 0)["frames"] + RATE)
        accounts = frames.tell("stop")
    driver = world.status()["driver"]
    assert driver["starts"]["upgrade"] == 5
    assert accounts["sent"]["lost"] + accounts["received"]["lost"] == sum(driver["lost"].values()), driver
    assert accounts["received"]["repeated"] <= driver["repeated"]["rx_frames"]


def test_signal_during_a_start(rig):
    """It is no order to stop: the start goes on, and the upgrade follows."""
    left = rig.namespace("left")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap0", "--control",
                                    rig.path("control")))
    # All signals are blocked for a moment in a child that has not yet become the program.
    r.wait_for(lambda: k.parent_and_name(daemon.pid)[1] == "ixtapd" and blocked(daemon.pid) & 1 << signal.SIGUSR2 - 1,
               "the signal is expected")
    os.kill(daemon.pid, signal.SIGUSR2)
    daemon.wait_ready()
    r.wait_for(lambda: r.ask(rig.path("control"), "status")["driver"]["starts"]["upgrade"] == 1, "upgraded")
    assert daemon.stop() == 0


def test_stop_during_an_upgrade(rig):
    world = k.soft(rig)
    for _ in range(5):
        os.kill(world.daemon.pid, signal.SIGUSR2)
    os.kill(world.daemon.pid, signal.SIGTERM)
    assert world.daemon.wait() == 0
    assert not re.search("tap0", world.left.run("ip", "link").stdout)


def test_words(rig):
    world = k.soft(rig)
    for words, code, said in ((["upgrade", "a", "b", "c"], 2, "one word too many"),
                              (["upgrade", "./nothing"], 1, "cannot find ./nothing"),
                              (["upgrade", "tap9"], 1, "tap9")):
        done = r.run(r.IXTAP, *words, check=False)
        assert done.returncode == code and said in done.stderr, (words, done.stderr)
    assert "error" in r.ask(world.control, "upgrade ixtapd")
    mode = stat.S_IMODE(os.stat(world.control).st_mode)
    assert mode == 0o600
