# SPDX-License-Identifier: MIT
"""What the keeper gives up after its start, and the process that makes others for it.

    ixtapd (keeper) --requests--> ixtap-maker --> ixtap-spawn --> ixtap-driver
                                       `--------> ixnic
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import restart_rig as k
import rig as r
from upgrade_rig import executes, installed, upgrade

BITS = {"net_admin": 12, "net_broadcast": 11, "sys_admin": 21, "setuid": 7, "setgid": 6, "setpcap": 8, "kill": 5,
        "ipc_lock": 14, "dac_override": 1}
KEPT = {"best": ["net_admin", "net_broadcast", "sys_admin", "ipc_lock", "dac_override"], "require": ["net_admin"]}
ANEW = 75
USERS = range(61184, 65520)


@pytest.fixture(params=["best", "require"])
def mode(request):
    return request.param


def said(pid, task=None):
    """What /proc/PID/status says."""
    path = f"/proc/{pid}/status" if task is None else f"/proc/{pid}/task/{task}/status"
    with open(path, encoding="utf-8") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def sets(pid):
    return {name: int(value, 16) for name, value in said(pid).items() if name.startswith("Cap")}


def mask(names):
    return sum(1 << BITS[name] for name in names)


def user(pid):
    return {int(word) for word in said(pid)["Uid"].split()}


def keeper(world):
    return world.status()["isolation"]["keeper"]


def maker_of(world):
    found = [pid for pid, name in k.descendants(world.daemon.pid).items() if name == "ixtap-maker"]
    assert len(found) == 1, found
    return found[0]


def check_rights(world, mode):
    """What is in force is what the kernel says, and what ixtapd says."""
    told, pid = keeper(world), world.daemon.pid
    assert told["state"] == "in force" and told["text"] == ", ".join(KEPT[mode])
    status, had = said(pid), sets(pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert had["CapEff"] == had["CapPrm"] == had["CapBnd"] == mask(KEPT[mode]), had
    for name in ("capabilities", "no-new-privs", "landlock", "seccomp", "maker"):
        assert told[name]["state"] == "in force", (name, told[name])
    if mode == "require":
        assert had["CapAmb"] == had["CapInh"] == mask(["net_admin"])
        uid, = user(pid)
        assert uid in USERS and told["user"] == {"state": "in force", "text": f"user and group {uid}"}
        assert status["Groups"].strip() == ""
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            assert re.search(r"Max locked memory +(\S+) +\1 ", limits.read())
        assert uid not in user(world.status()["driver"]["pid"]), "the driver is another user"
        assert "follow the interface into other network namespaces" in told["cannot"]
    else:
        assert user(pid) == {0} and told["user"]["state"] == "unused" and told["cannot"] == []
    # Threads have rights of their own.
    for task in os.listdir(f"/proc/{pid}/task"):
        if int(task) != pid:
            assert not int(said(pid, task)["CapPrm"], 16), said(pid, task)["CapPrm"]
            assert said(pid, task)["NoNewPrivs"] == "1" and said(pid, task)["Seccomp"] == "2"


# ---- What is in force

@pytest.mark.parametrize("make", [k.soft, k.vfio_user], ids=["soft", "vfio-user"])
def test_in_force(rig, mode, make):
    world = make(rig, "--isolation", mode)
    check_rights(world, mode)
    shown = r.run(r.IXTAP, "-c", world.control, "status").stdout
    assert f"keeper: {', '.join(KEPT[mode])}" in shown
    assert ("cannot follow the interface" in shown) == (mode == "require"), shown
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    world.left.run("ip", "link", "set", "tap0", "mtu", "4000")
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 4000, "the NIC follows")
    assert world.daemon.stop() == 0
    assert not world.left.has("tap0") and not os.path.exists(world.control)


def test_each_has_a_user_of_its_own(rig):
    """Of two interfaces of one name."""
    worlds = []
    for name in ("one", "two"):
        home, control = rig.namespace(name), rig.path(name)
        daemon = rig.daemon(*home.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path(name + '-wire')}", "--tap", "tap0",
                                        "--control", control, "--isolation", "require")).wait_ready()
        worlds += [daemon.pid, r.ask(control, "status")["driver"]["pid"]]
    users = [user(pid) for pid in worlds]
    assert all(len(each) == 1 for each in users) and len(set.union(*users)) == 4, users
    assert set.union(*users) <= set(USERS)


def test_the_maker_has_what_making_needs(rig, mode):
    world = k.soft(rig, "--isolation", mode)
    pid = maker_of(world)
    status = said(pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and user(pid) == {0}
    assert sets(pid)["CapPrm"] == mask(["sys_admin", "setuid", "setgid", "setpcap", "kill", "ipc_lock", "net_admin",
                                        "dac_override"])
    held = k.descriptors(pid)
    assert not [each for each in held if "vfio" in each or "tun" in each or "memfd" in each], held
    assert world.status()["isolation"]["keeper"]["maker"]["text"] == f"process {pid}"


def test_no_maker_without_isolation(rig):
    world = k.soft(rig, "--isolation", "off")
    assert "ixtap-maker" not in k.descendants(world.daemon.pid).values()
    told = keeper(world)
    assert told["state"] == "unused" and told["landlock"]["text"] == "--isolation off"
    assert said(world.daemon.pid)["NoNewPrivs"] == "0"


def test_denied_calls(rig, mode):
    """A program of the keeper's that tries: it inherits the keeper's filter, landlock and capabilities."""
    world = k.soft(rig, "--isolation", mode)
    tried = rig.path("tried")
    os.mkdir(tried)
    os.chmod(tried, 0o777)
    with open(os.path.join(tried, "there"), "w", encoding="utf-8") as there:
        os.fchmod(there.fileno(), 0o666)
    os.chmod(rig.scratch, 0o755)
    program = rig.path("tries")
    shutil.copy(os.path.join(r.BUILD, "tests", "unit", "rights_probe"), program)
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and "probe:" in done.stderr, done.stderr
    answer = dict(re.findall(r"(\w+)=(\w+)", done.stderr))
    for name in ("unshare", "mount", "bpf", "io_uring_setup", "chroot", "clone", "setuid", "create", "append"):
        assert answer[name] in ("EPERM", "EACCES", "ENOSYS"), answer
    assert answer["chmod"] == answer["acl"] == "EPERM", answer
    # Not by landlock, which knows of it from Linux 6.2 on.
    assert answer["truncate"] == answer["trunc"] == "EPERM" and answer["openat2"] == "ENOSYS", answer
    assert answer["setns"] == ("EPERM" if mode == "require" else "0"), answer
    assert answer["null"] == "0" and answer["read"] == "0", answer


# ---- What follows

def test_drivers_follow(rig, mode):
    """A driver that dies, and a spawner, which the keeper has no right to kill itself."""
    world = k.soft(rig, "--isolation", mode)
    for warm in (1, 2):
        pid = world.driver()["pid"]
        os.kill(pid, signal.SIGKILL)
        k.next_driver(world, pid)
        r.wait_for(lambda: world.status()["driver"]["starts"] == {"warm": warm, "cold": 1, "upgrade": 0}, "warm")
    spawner = k.parent_and_name(world.driver()["pid"])[0]
    assert k.parent_and_name(spawner)[0] == maker_of(world)
    os.kill(spawner, signal.SIGKILL)
    r.wait_for(lambda: world.status()["recoveries"] == 1, "the NIC is back", 20)
    r.wait_for(lambda: world.left.carrier("tap0"), "carrier")
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    assert not [name for name in k.descendants(world.daemon.pid).values() if "zombie" in name]
    check_rights(world, mode)


def test_the_software_nic_is_made_anew(rig, mode):
    world = k.soft(rig, "--isolation", mode)
    for times in (1, 2):
        os.kill(world.status()["nic"]["soft"]["pid"], signal.SIGKILL)
        r.wait_for(lambda: world.status()["recoveries"] == times, "the NIC is back", 20)
        pid = world.status()["nic"]["soft"]["pid"]
        assert k.parent_and_name(pid)[:2] == (maker_of(world), "ixnic")
        assert said(pid)["NoNewPrivs"] == "1"
        r.wait_for(lambda: "the software NIC was killed by signal 9" in world.daemon.errors(), "the log says how")
    assert not [name for name in k.descendants(world.daemon.pid).values() if "zombie" in name]


def test_the_maker_dies(rig, mode):
    """Nobody could make another one: ixtapd ends, and an interface that persists stays."""
    world = k.soft(rig, "--isolation", mode, "--persist")
    family = k.descendants(world.daemon.pid)
    os.kill(maker_of(world), signal.SIGKILL)
    assert world.daemon.wait() == ANEW
    assert "the process that makes drivers" in world.daemon.errors() and f"status {ANEW}" in world.daemon.errors()
    link = world.left.link("tap0")
    assert "UP" in link["flags"] and r.LEFT_V4 in world.left.run("ip", "address", "show", "dev", "tap0").stdout
    r.wait_for(lambda: not [pid for pid in family if os.path.exists(f"/proc/{pid}")], "all have ended")
    # Its control socket is left, and is taken by the next one.
    rig.daemon(*world.left.words(r.IXTAPD, "--nic", f"soft:seqpacket:{rig.path('wire')}", "--tap", "tap0", "--control",
                                 world.control, "--isolation", mode)).wait_ready()
    assert world.status()["state"] == "waiting" or world.status()["state"] == "running"


def test_the_maker_is_stopped(rig, mode):
    """SIGSTOP of the maker: drivers go on; what needs the maker ends in time."""
    world = k.soft(rig, "--isolation", mode)
    pid = maker_of(world)
    os.kill(pid, signal.SIGSTOP)
    driver = world.driver()["pid"]
    os.kill(driver, signal.SIGKILL)
    k.next_driver(world, driver)  # its spawner makes it
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    os.kill(world.status()["nic"]["soft"]["pid"], signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        world.daemon.process.wait(60)
    assert world.daemon.process.returncode == ANEW, world.daemon.errors()
    r.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the maker has ended, too")


def test_a_stop_beside_a_stopped_maker(rig, mode):
    """It is within the time that ixtapd(8) names for a stop, and what stays is said."""
    world = k.soft(rig, "--isolation", mode)
    maker = maker_of(world)
    os.kill(maker, signal.SIGSTOP)
    began = time.monotonic()
    assert world.daemon.stop() == 0
    assert time.monotonic() - began < 11
    assert f"the control socket, {world.control}, stays" in world.daemon.errors()
    r.wait_for(lambda: not os.path.exists(f"/proc/{maker}"), "the maker has ended, too")
    assert not world.left.has("tap0")


@pytest.mark.usefixtures("open_build")
def test_an_upgrade_beside_a_stopped_maker(rig, mode):
    """Nothing is executed; ixtapd ends, as with any maker that does not answer."""
    world = k.soft(rig, "--isolation", mode, "--persist")
    os.kill(maker_of(world), signal.SIGSTOP)
    done = upgrade(world, check=False)
    assert done.returncode == 1 and "does not answer, and ixtapd ends" in done.stderr, done.stderr
    assert world.daemon.wait() == ANEW
    assert "executing" not in world.daemon.errors()


def test_a_stopped_spawner_is_named(rig):
    world = k.soft(rig)
    spawner, = [pid for pid, name in k.descendants(world.daemon.pid).items() if name == "ixtap-spawn"]
    driver = world.driver()["pid"]
    os.kill(spawner, signal.SIGSTOP)
    os.kill(driver, signal.SIGKILL)
    world.daemon.says("the process that makes drivers is stopped")
    k.next_driver(world, driver)


def test_the_keeper_dies(rig, mode):
    world = k.soft(rig, "--isolation", mode)
    family = k.descendants(world.daemon.pid)
    assert "ixtap-maker" in family.values()
    world.daemon.kill()
    r.wait_for(lambda: not [pid for pid in family if os.path.exists(f"/proc/{pid}")], "all have ended")


# ---- What require gives up

def test_a_nic_that_goes(rig, mode):
    """`require` ends for it with a status of its own, and keeps the interface; `best` opens it again."""
    left = rig.namespace("left")
    nic, control = rig.path("nic"), rig.path("control")
    words = [r.IXNIC, "--socket", nic, "--wire", f"seqpacket:{rig.path('wire')}"]
    server = rig.daemon(*words).wait_ready()
    start = left.words(r.IXTAPD, "--nic", f"vfio-user:{nic}", "--tap", "tap0", "--control", control, "--address",
                       "192.0.2.1/24", "--up", "--persist", "--isolation", mode)
    daemon = rig.daemon(*start).wait_ready()
    if mode == "require":
        assert "open the NIC again" in r.ask(control, "status")["isolation"]["keeper"]["cannot"]
    server.kill()
    if mode == "best":
        rig.daemon(*words).wait_ready()
        r.wait_for(lambda: r.ask(control, "status")["recoveries"] == 1, "the NIC is back", 20)
        return
    assert daemon.wait() == ANEW
    assert "the NIC has to be opened anew" in daemon.errors() and "status 75" in daemon.errors()
    assert "192.0.2.1" in left.run("ip", "address", "show", "dev", "tap0").stdout
    # As the service manager does.
    rig.daemon(*words).wait_ready()
    rig.daemon(*start).wait_ready()
    assert r.ask(control, "status")["state"] in ("waiting", "running")


def test_another_namespace(rig, mode):
    world = k.soft(rig, "--isolation", mode)
    other = rig.namespace("other")
    world.left.run("ip", "link", "set", "tap0", "netns", other.name)
    if mode == "best":
        r.wait_for(lambda: world.status()["tap"]["away"] and world.status()["tap"]["reachable"], "followed")
        return
    r.wait_for(lambda: not world.status()["tap"]["reachable"], "out of reach")
    r.wait_for(lambda: "may not enter" in world.daemon.errors(), "the log says so")
    other.run("ip", "address", "add", f"{r.LEFT_V4}/24", "dev", "tap0")
    other.run("ip", "link", "set", "tap0", "up")
    r.wait_for(lambda: other.has("tap0") and other.carrier("tap0"), "frames' carrier")
    other.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    # It comes back.
    other.run("ip", "link", "set", "tap0", "netns", world.left.name)
    r.wait_for(lambda: world.status()["tap"]["reachable"], "in reach again", 20)


def test_made_in_another_namespace(rig, mode):
    """As asked for at the start, and out of reach from then on, or not."""
    home, there = rig.namespace("home"), rig.namespace("there")
    control = rig.path("control")
    daemon = rig.daemon(*home.words(r.IXTAPD, "--tap", "tap0", "--netns", there.name, "--address", "192.0.2.1/24", "--up",
                                    "--mtu", 3000, "--control", control, "--isolation", mode)).wait_ready()
    assert "192.0.2.1" in there.run("ip", "address", "show", "dev", "tap0").stdout
    r.wait_for(lambda: r.ask(control, "status")["state"] == "running" and there.runs("tap0"), "carrier")
    there.run("ip", "link", "set", "tap0", "mtu", "2000")
    if mode == "best":
        r.wait_for(lambda: r.ask(control, "status")["nic"]["mtu"] == 2000, "followed")
    else:
        r.wait_for(lambda: not r.ask(control, "status")["tap"]["reachable"], "out of reach")
        r.wait_for(lambda: "may not enter" in daemon.errors(), "the log says so")
        assert r.ask(control, "status")["nic"]["mtu"] == 3000
    assert daemon.stop() == 0
    r.wait_for(lambda: not there.has("tap0"), "the interface is gone")


# ---- Upgrades

@pytest.fixture
def open_build(mode):
    """With a user of its own the keeper executes its own file only where others may."""
    if mode == "require" and r.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "test", "-x", r.IXTAPD,
                                   check=False).returncode:
        pytest.skip("the build tree is not open to other users")


@pytest.mark.usefixtures("open_build")
def test_upgrades_keep_the_rights(rig, mode):
    world = k.soft(rig, "--isolation", mode)
    maker, uid = maker_of(world), user(world.daemon.pid)
    for times in range(1, 21):  # landlock has room for 16 layers
        answer = json.loads(upgrade(world).stdout)
        assert answer["start"] == "warm"
        assert world.status()["driver"]["starts"]["upgrade"] == times
    check_rights(world, mode)
    assert maker_of(world) == maker and user(world.daemon.pid) == uid
    assert len([each for each in k.descriptors(maker) if each.endswith("ixtap-driver")]) == 1
    os.kill(world.status()["nic"]["soft"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: world.status()["recoveries"] == 1, "the NIC is back", 20)
    world.daemon.plug()
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)


def test_upgrade_to_other_files(rig, mode):
    world = k.soft(rig, "--isolation", mode)
    program = installed(rig, "next")
    assert json.loads(upgrade(world, program).stdout)["start"] == "warm"
    assert executes(world.daemon.pid, program)
    driver = world.driver()["pid"]
    assert executes(driver, os.path.join(os.path.dirname(program), "ixtap-driver"))
    os.kill(world.status()["nic"]["soft"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: world.status()["recoveries"] == 1, "the NIC is back", 20)
    nic = world.status()["nic"]["soft"]["pid"]
    assert executes(nic, os.path.join(os.path.dirname(program), "ixnic"))
    check_rights(world, mode)


def test_upgrade_to_another_version(rig, mode):
    """The maker stays that of the former one."""
    world = k.soft(rig, "--isolation", mode)
    program = installed(rig, "next")
    former = world.status()["version"].encode()
    later = former[:-1] + bytes([former[-1] ^ 1])
    for path in program, os.path.join(os.path.dirname(program), "ixtap-driver"):
        with open(path, "r+b") as file:
            data = file.read()
            assert former + b"\0" in data
            file.seek(0)
            file.write(data.replace(former + b"\0", later + b"\0"))
    assert json.loads(upgrade(world, program).stdout)["start"] == "warm"
    assert world.status()["version"].encode() == later
    driver = world.driver()["pid"]
    os.kill(driver, signal.SIGKILL)
    k.next_driver(world, driver)
    check_rights(world, mode)


@pytest.mark.usefixtures("open_build")
@pytest.mark.parametrize("line", ["isolation = best", "isolation = require", "isolation = off", "driver-user = 61200"])
def test_an_upgrade_does_not_change_the_isolation(rig, mode, line):
    """What was given up does not come back, and the maker makes drivers as before: refused before anything is done."""
    config, before = rig.path("config"), f"isolation = {mode}"

    def configure(text):
        with open(config, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.chmod(config, 0o644)

    os.chmod(rig.scratch, 0o755)
    configure(before)
    world = k.soft(rig, "--config", config)
    driver = world.driver()["pid"]
    configure(line if "isolation" in line else f"{before}\n{line}")
    done = upgrade(world, check=False)
    if line == before:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1 and f"another --{line.split()[0]} than" in done.stderr, done.stderr
        assert "new start" in done.stderr and world.driver()["pid"] == driver
    check_rights(world, mode)


@pytest.mark.usefixtures("open_build")
@pytest.mark.parametrize("times", [1, 9])
def test_an_upgrade_that_fails_goes_back(rig, mode, times):
    """A next version whose driver cannot start. The maker forgets that one's programs each time."""
    world = k.soft(rig, "--isolation", mode)
    program = installed(rig, "next", "ixtap-driver")
    shutil.copy("/bin/false", os.path.join(os.path.dirname(program), "ixtap-driver"))
    for _ in range(times):
        done = upgrade(world, program, check=False)
        assert done.returncode == 1 and "the upgrade failed" in done.stderr, done.stderr
    check_rights(world, mode)
    warm = world.status()["driver"]["starts"]["warm"]
    os.kill(world.driver()["pid"], signal.SIGKILL)
    r.wait_for(lambda: world.status()["driver"]["starts"]["warm"] == warm + 1, "the next one runs")
    assert json.loads(upgrade(world).stdout)["start"] == "warm"


@pytest.mark.usefixtures("open_build")
def test_a_cold_upgrade(rig, mode):
    """Under the rights of the former program the next one opens a NIC."""
    world = k.soft(rig, "--isolation", mode, environ={"IXTAP_NEXT": r.IXTAPD})
    answer = json.loads(upgrade(world, os.path.join(r.BUILD, "tests", "unit", "cold_version")).stdout)
    assert answer["start"] == "cold"
    r.wait_for(lambda: world.status()["recoveries"] == 1, "the NIC is there", 20)
    world.daemon.plug()
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
    check_rights(world, mode)


@pytest.mark.parametrize("pause", [0, 0.002, 0.01, 0.03])
def test_the_maker_dies_at_that_moment(rig, mode, pause):
    """An upgrade is under way."""
    world = k.soft(rig, "--isolation", mode)
    maker = maker_of(world)
    os.kill(world.daemon.pid, signal.SIGUSR2)
    time.sleep(pause)  # the moment, no wait
    os.kill(maker, signal.SIGKILL)
    assert world.daemon.wait() == ANEW
    assert not world.left.has("tap0")


def others_may_write(folder):
    os.chmod(os.path.join(folder, "ixtap-driver"), 0o777)


def of_somebody(folder):
    os.chown(os.path.join(folder, "ixtap-driver"), 12345, 0)


def in_a_folder_of_somebody(folder):
    os.chown(folder, 12345, 0)


def in_a_folder_of_all(folder):
    os.chmod(folder, 0o777)


def in_a_sticky_folder(folder):
    os.chmod(folder, 0o1777)


def another_program(folder):
    os.unlink(os.path.join(folder, "ixtap-driver"))
    os.symlink("/bin/true", os.path.join(folder, "ixtap-driver"))


@pytest.mark.parametrize("spoil, why", [
    (others_may_write, "everybody may write to it"),
    (of_somebody, "it belongs to another user"),
    (in_a_folder_of_somebody, "others may put another file in its place"),
    (in_a_folder_of_all, "others may put another file in its place"),
    (in_a_sticky_folder, "others may put a file there that nobody meant"),
    (another_program, "it is no ixtap-driver")])
def test_a_driver_program_that_root_has_not_put_there(rig, spoil, why):
    """The maker executes it for nobody."""
    world = k.soft(rig, "--isolation", "best")
    program = installed(rig, "next")
    spoil(os.path.dirname(program))
    done = upgrade(world, program, check=False)
    assert done.returncode == 1 and why in done.stderr, done.stderr
    assert executes(world.daemon.pid, r.IXTAPD)
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)
