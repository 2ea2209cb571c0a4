# SPDX-License-Identifier: MIT
"""The keeper is killed under a service manager that holds its descriptors."""
import mmap
import os
import random
import re
import signal
import struct
import time

import pytest

import restart_rig as k
import rig as r
import store_rig as s

RATE = 2000
KILLS = 20
LINGER_S = 10  # SPAWN_LINGER_MS
ENOUGH = 128  # ixtapd(8)
ANEW = 75  # DAEMON_EXIT_ANEW
SOMEWHERE = random.Random(15)  # within what takes about so long
START_S = 0.15


@pytest.fixture(params=["soft", "vfio-user"])
def world(rig, request):
    with s.managed(rig, request.param) as made:
        stored(made)
        yield made


def stored(world):
    """Whoever is killed now leaves everything to the next one."""
    try:
        r.wait_for(world.manager.complete, "stored")
    except AssertionError as late:
        raise AssertionError(f"{late}: {world.manager.lacks()}") from None


def works(world):
    world.left.run("ping", "-c", "1", "-W", "5", r.RIGHT_V4)


def starts(world):
    return world.status()["driver"]["starts"]


def alive(pid):
    try:
        return k.parent_and_name(pid)[2] != "Z"
    except OSError:  # it ends while its file is read, or before
        return False


def gone(*pids):
    r.wait_for(lambda: not any(alive(pid) for pid in pids), "the processes end")


def family(world):
    """Spawner and driver."""
    pids = [pid for pid, name in k.descendants(world.daemon.pid).items() if name in ("ixtap-spawn", k.DRIVER)]
    assert len(pids) == 2
    return pids


def links_stay(before, after):
    assert not [check for check in k.link_checks(before, after) if not check.good]


# ---- The next one goes on

def test_killed_again_and_again(world):
    before = k.State(world)
    world.again()  # from here on a software NIC is nobody's child
    stored(world)
    then = k.State(world)
    held = len(world.manager.names())
    with k.Frames(*world.ends(), "--rate", RATE) as frames:
        connection = k.Connection(world)
        frames.tell("start")
        for done in range(1, KILLS + 1):
            frames.tell("until", done * RATE // 4)
            counted = world.counters()
            driver = world.status()["driver"]["pid"]
            world.again()
            now = world.status()
            assert now["state"] == "running" and now["driver"]["pid"] != driver
            assert not k.went_back(counted, world.counters())
            r.wait_for(lambda: len(world.manager.names()) == held, "stored again")
        frames.tell("until", (KILLS + 1) * RATE // 4)
        accounts = frames.tell("stop")
        assert connection.end() is None
    after = k.State(world)
    for way in k.WAYS:
        # What is refused its sender knows: a queue that is full, on a machine that has other things to do.
        found = {name: accounts[way][name] for name in ("lost", "repeated", "reordered", "corrupted")}
        assert not any(found.values()), (way, found)
    assert after.status["driver"]["starts"] == {"warm": 1 + KILLS, "cold": 1, "upgrade": 0}
    assert after.status["driver"]["lost"] == {"tap_reads": 0, "held": 0}
    assert after.status["nic"]["soft"] == before.status["nic"]["soft"]
    assert world.manager.dropped == 0
    links_stay(before, after)
    assert not [check for check in k.same_checks(then, after) if not check.good]


def test_killed_while_it_takes_over(world):
    before, connection = k.State(world), k.Connection(world)
    held = len(world.manager.names())
    for _ in range(KILLS):
        world.again(ready=False)
        time.sleep(SOMEWHERE.random() * START_S)  # the moment, no wait
    world.again()
    assert connection.end() is None
    after = k.State(world)
    assert after.status["state"] == "running" and after.status["driver"]["starts"]["cold"] == 1
    links_stay(before, after)
    r.wait_for(lambda: len(world.manager.names()) == held, "stored again, and nothing besides")
    assert len(family(world)) == 2


def test_killed_during_an_upgrade(world):
    before, connection = k.State(world), k.Connection(world)
    for _ in range(KILLS // 2):
        os.kill(world.daemon.pid, signal.SIGUSR2)
        time.sleep(SOMEWHERE.random() * 2 * START_S)  # the moment, no wait
        world.again()
        stored(world)
    assert connection.end() is None
    after = k.State(world)
    assert after.status["state"] == "running" and after.status["driver"]["starts"]["cold"] == 1
    links_stay(before, after)
    assert len(family(world)) == 2


def test_upgraded_then_killed(world):
    pid = world.daemon.pid
    for done in range(1, 4):
        held = len(world.manager.names())
        answer = r.ask(world.control, "upgrade")
        assert answer["start"] == "warm" and world.status()["pid"] == world.daemon.pid
        r.wait_for(lambda: len(world.manager.names()) == held, "stored again")
        world.again()
        stored(world)
        assert starts(world) == {"warm": done, "cold": 1, "upgrade": done}
    assert world.daemon.pid != pid
    works(world)


def test_driver_that_died_before(world):
    """The keeper had a next one by then, or it had not."""
    for pause in (0, 0.005, 0.02, 1):
        os.kill(world.status()["driver"]["pid"], signal.SIGKILL)
        time.sleep(pause)  # the moment, no wait
        world.again()
        stored(world)
        works(world)
    assert starts(world)["cold"] == 1 and len(family(world)) == 2


def test_driver_that_nobody_heard_of(world):
    """The dead keeper had ordered one, whose birth the spawner told, and did not read that."""
    driver = world.status()["driver"]["pid"]
    spawner, = set(family(world)) - {driver}
    os.kill(spawner, signal.SIGSTOP)
    os.kill(driver, signal.SIGKILL)
    r.wait_for(lambda: r.ask(world.control, "status")["driver"]["pid"] is None, "the keeper has ordered the next one")
    os.kill(world.daemon.pid, signal.SIGSTOP)
    os.kill(spawner, signal.SIGCONT)
    r.wait_for(lambda: k.DRIVER in k.descendants(spawner).values(), "that one is born")
    world.manager.kill()
    world.manager.start()
    works(world)
    assert starts(world)["cold"] == 1 and not alive(spawner)


def test_driver_that_dies_alone(world):
    driver = world.status()["driver"]["pid"]
    world.manager.kill()
    os.kill(driver, signal.SIGKILL)
    world.manager.start()
    works(world)
    assert starts(world) == {"warm": 1, "cold": 1, "upgrade": 0}


def test_settings_of_meanwhile(world):
    world.left.run("ip", "link", "set", "tap0", "mtu", "4000")
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 4000, "the NIC has the MTU")
    world.manager.kill()
    world.left.run("ip", "link", "set", "tap0", "mtu", "3000")
    world.manager.start()
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 3000, "the NIC follows")
    before = world.manager.handover()["daemon"]["rx_checksum"]
    r.ask(world.control, "features rx off")
    r.wait_for(lambda: world.manager.handover()["daemon"]["rx_checksum"] != before, "stored")
    world.again()
    assert r.ask(world.control, "features")["rx"] == "off"
    world.left.run("ip", "link", "set", "tap0", "mtu", "2000")
    r.wait_for(lambda: world.status()["nic"]["mtu"] == 2000, "the NIC follows")


def test_nic_that_was_away(rig):
    """What is stored is brought up to date while there is no NIC, and when it is back."""
    with s.managed(rig, "soft") as world:
        stored(world)
        held = len(world.manager.names())
        os.kill(world.status()["nic"]["soft"]["pid"], signal.SIGKILL)
        r.wait_for(lambda: world.status()["recoveries"] == 1, "back")
        r.wait_for(lambda: len(world.manager.names()) == held, "stored again")
        world.again()
        assert starts(world) == {"warm": 1, "cold": 2, "upgrade": 0} and world.status()["recoveries"] == 1


def test_server_without_a_channel(rig):
    """Each register goes over the keeper. What that had in hand is lost, and the NIC starts anew then."""
    with s.managed(rig, "vfio-user", io_fds="off") as world:
        stored(world)
        index, connection = world.left.link("tap0")["ifindex"], k.Connection(world)
        for done in range(1, 6):
            world.again()
            r.wait_for(lambda: world.status()["state"] == "running", "running")
            stored(world)
            works(world)
            assert sum(starts(world).values()) == 1 + done
        assert connection.end() is None and world.left.link("tap0")["ifindex"] == index


# ---- There is none

def test_nobody_goes_on(world):
    """Spawner and driver end when their time is over; who comes then goes on all the same."""
    pids = family(world)
    world.manager.kill()
    killed = time.monotonic()
    r.wait_for(lambda: not any(alive(pid) for pid in pids), "their time is over", LINGER_S + r.DEADLINE_S)
    assert time.monotonic() - killed > LINGER_S - 1
    world.manager.start()
    works(world)
    assert starts(world) == {"warm": 1, "cold": 1, "upgrade": 0}


def test_store_is_emptied(rig):
    """As a manager does that gives the unit up: the NIC is let go."""
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        pids, nic = family(world), r.ask(world.nic, "status")
        assert nic["client"] and nic["bus_master"]
        world.manager.kill()
        assert alive(pids[0]) and alive(pids[1])
        world.manager.empty()
        gone(*pids)
        r.wait_for(lambda: not r.ask(world.nic, "status")["client"], "the connection ends")
        assert not r.ask(world.nic, "status")["bus_master"]


def test_without_a_store(rig):
    world = k.vfio_user(rig)
    pids = family(world)
    assert r.ask(world.nic, "status")["bus_master"]
    world.daemon.kill()
    gone(*pids)
    r.wait_for(lambda: not r.ask(world.nic, "status")["client"], "the connection ends")
    assert not r.ask(world.nic, "status")["bus_master"]


def test_room_that_is_too_small(rig):
    with s.managed(rig, "soft", room=5) as world:
        r.wait_for(lambda: "room for 5 descriptors" in world.daemon.errors(), "the log says so")
        os.kill(world.status()["driver"]["pid"], signal.SIGKILL)
        r.wait_for(lambda: starts(world)["warm"] == 1, "the next one")
        pids = family(world)
        assert world.manager.names() == [] and world.manager.dropped == 0
        assert world.daemon.errors().count("room for") == 1
        world.manager.kill()
        gone(*pids)


@pytest.mark.parametrize("kind", ["soft", "vfio-user"])
def test_room_for_all_queues(rig, kind):
    """What the manual page says of the room: it is enough, also where another driver and its memory follow."""
    queues = 16
    with s.managed(rig, kind, "--queues", str(queues), "--rings", "64", room=ENOUGH) as world:
        stored(world)
        held = len(world.manager.names())
        assert 20 + 6 * (queues - 1) - 5 <= held <= ENOUGH, held
        distrusted(world)
        r.wait_for(lambda: world.status()["recoveries"] == 1, "back")
        stored(world)
        world.again()
        stored(world)
        works(world)
        assert starts(world) == {"warm": 1, "cold": 2, "upgrade": 0}
        assert len(world.manager.names()) == held and world.manager.dropped == 0


def test_room_that_nobody_tells_of(rig):
    with s.managed(rig, "soft", told=0) as world:
        works(world)
        assert world.manager.names() == []


# ---- The end

def test_stop_empties_the_store(world):
    pids = family(world)
    assert world.manager.keeper.stop() == 0
    assert world.manager.names() == []
    gone(*pids)
    assert not world.left.has("tap0")


# ---- What does not fit

def broken(world, change, why):
    """What is there is removed, the start is as any other."""
    pids = family(world)
    world.manager.kill()
    change(world.manager)
    world.manager.start()
    r.wait_for(lambda: why in world.daemon.errors(), "the log says why")
    gone(*pids)
    r.wait_for(lambda: world.status()["link"]["up"], "link")
    stored(world)
    return starts(world)


def memory_write(at, data):
    def change(manager):
        with mmap.mmap(manager.descriptor(s.MEMORY), 0) as memory:
            memory[at:at + len(data)] = data
    return change


def texts_spoil(manager):
    with mmap.mmap(manager.descriptor(s.MEMORY), 0) as memory:
        for word in (b'"options"', b'"engine"'):
            at = memory.find(word)
            while at >= 0:
                memory[at + 1:at + 2] = b"X"
                at = memory.find(word)


@pytest.mark.parametrize("change, why", [
    (memory_write(0, b"xxxx"), "another version"),
    (memory_write(4, b"\x63"), "another version"),
    (memory_write(8, b"\x03"), "another version"),
    (memory_write(8, b"\x00"), "another version"),
    (texts_spoil, "its text is broken"),
    (lambda manager: manager.remove(s.MEMORY), "its memory is missing"),
    (lambda manager: manager.remove(manager.names()[3]), "a descriptor is missing"),
    (lambda manager: manager.swap(s.MEMORY), "another version"),
], ids=["magic", "version", "place", "no text", "text", "no memory", "no descriptor", "other memory"])
def test_broken_handover(rig, change, why):
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        assert broken(world, change, why) == {"warm": 0, "cold": 1, "upgrade": 0}


def test_names_of_ours_that_are_none(rig):
    """What nobody takes over has no room in the store any more; others' descriptors keep theirs."""
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        world.manager.kill()
        with world.manager.lock:
            for name in ("ixtap-007", "ixtap-x", "ixtap-99999999999", "another"):
                world.manager.store(name, os.memfd_create(name))
        world.manager.start()
        r.wait_for(lambda: not {"ixtap-007", "ixtap-x", "ixtap-99999999999"} & set(world.manager.names()), "removed")
        assert "another" in world.manager.names() and starts(world)["warm"] == 1


@pytest.mark.parametrize("room", ["abc", "-1", "99999999999999", ""])
def test_a_room_that_is_no_number(rig, room):
    with s.managed(rig, "vfio-user") as world:
        assert world.manager.keeper.stop() == 0
        world.manager.start(words=["env", f"FDSTORE={room}", *world.manager.words])
        world.manager.keeper.says(f"FDSTORE is '{room}', which is no number of descriptors")
        assert world.manager.names() == []


@pytest.mark.parametrize("words", ["LISTEN_FDNAMES=a:b", "LISTEN_FDS=x", "LISTEN_FDS=5000"])
def test_words_of_the_manager_that_contradict(rig, words):
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        world.manager.kill()
        world.manager.start(ready=False, words=["env", words, *world.manager.words])
        world.manager.keeper.says("LISTEN_FDS and LISTEN_FDNAMES do not say what was passed")


@pytest.mark.parametrize("first", [0, 1, 2])
def test_descriptors_of_other_kinds(rig, first):
    """The interface stays, and the NIC is opened anew, or nothing stays. No start fails. Each third place: ixtapd gives a
    NIC up that has failed eight times in a row."""
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        def named():
            return dict(s.places(r.wait_for(world.manager.handover, "a text")))

        wanted = list(named())
        assert len(wanted) > 10
        for place in wanted[first::3]:  # a new start has others there
            number = named()[place]
            world.manager.kill()
            world.manager.swap(f"ixtap-{number}")
            world.manager.start()
            r.wait_for(lambda: world.status()["link"]["up"], "link")
            stored(world)
            assert len(family(world)) == 2
        addressed = world.left.run("ip", "address", "show", "dev", "tap0").stdout
        assert r.LEFT_V4 in addressed


def test_other_options(rig):
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        world.manager.words += ["--rings", "512"]
        assert broken(world, lambda manager: None, "another --rings") == {"warm": 0, "cold": 1, "upgrade": 0}
        assert world.status()["rings"]["rx"] == 512


WITHIN = 4 * (3 + 4 + 3)  # of struct store_memory: the journal's; behind it, whether the server asks for memory


def test_within_a_reply(world):
    """That was the dead one's alone."""
    before = k.State(world)
    world.manager.kill()
    memory_write(WITHIN, b"\x01")(world.manager)
    world.manager.start()
    links_stay(before, k.State(world))
    works(world)
    assert starts(world) == {"warm": 1, "cold": 1, "upgrade": 0}


def test_within_a_message(rig):
    """The NIC cannot be gone on with; the interface stays as it is."""
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        index = world.left.link("tap0")["ifindex"]
        broken(world, memory_write(WITHIN, b"\x01\0\0\0\x01"), "in the midst of a message")
        assert world.left.link("tap0")["ifindex"] == index
        works(world)


def test_strangers_are_removed(world):
    """What the former one stored and did not name yet. Nobody has it open then."""
    end, other = os.pipe()
    try:
        with world.manager.lock:
            world.manager.store("ixtap-4000000", end)
        world.again()
        assert starts(world)["warm"] == 1
        r.wait_for(lambda: "ixtap-4000000" not in world.manager.names(), "removed")
        with pytest.raises(BrokenPipeError):
            os.write(other, b"x")
    finally:
        os.close(other)


@pytest.mark.parametrize("lacks", [None, "report"])
def test_nic_that_is_gone(rig, lacks):
    """The interface stays, and waits for the NIC. Counts go on, also without the driver's report of them."""
    with s.managed(rig, "vfio-user") as world:
        stored(world)
        works(world)
        index, counted = world.left.link("tap0")["ifindex"], world.counters()
        r.wait_for(lambda: not k.went_back(counted, r.wait_for(world.manager.handover, "a text")["engine"]["counts"]["shown"][0]),
                   "the counts are stored")
        numbers = [number for place, number in s.places(r.wait_for(world.manager.handover, "a text")) if lacks in place]
        world.manager.kill()
        for number in numbers:
            world.manager.swap(f"ixtap-{number}")
        server = rig.daemons[0]
        words = server.process.args
        server.kill()
        world.manager.start()
        r.wait_for(lambda: world.status()["state"] in ("recovering", "opening"), "the NIC's end is noticed")
        assert len(numbers) == (lacks is not None) and not k.went_back(counted, world.counters())
        rig.daemon(*words).wait_ready()
        world.right.run("ip", "link", "set", "wire0", "up")
        s.addressed(world.right)
        r.wait_for(lambda: world.status()["state"] == "running", "the NIC is back", 40)
        assert world.left.link("tap0")["ifindex"] == index


# ---- A NIC that begins anew

def distrusted(world):
    """The next driver has other DMA memory, and another spawner."""
    os.kill(world.status()["driver"]["pid"], signal.SIGSYS)


def at_fault(world):
    r.ask(world.nic, "fault ecc")


def dma_files(manager):
    """Inodes of the DMA memory that is held."""
    with manager.lock:
        return {os.fstat(fd).st_ino for _, fd in manager.held if "ixgbe-dma" in os.readlink(f"/proc/self/fd/{fd}")}


@pytest.mark.parametrize("cause, trusted", [(distrusted, False), (at_fault, True)])
def test_killed_after_the_nic_began_anew(world, cause, trusted):
    """What is stored is the memory and the spawner of now."""
    before, held = dma_files(world.manager), len(world.manager.names())
    assert before
    cause(world)
    r.wait_for(lambda: world.status()["recoveries"] == 1, "back")
    stored(world)
    assert len(world.manager.names()) == held
    assert (dma_files(world.manager) == before) == trusted
    for done in range(1, 4):
        world.again()
        stored(world)
        works(world)
        assert starts(world) == {"warm": done, "cold": 2, "upgrade": 0}


@pytest.mark.parametrize("isolation", ["best", "require"])
@pytest.mark.parametrize("cause", [distrusted, at_fault])
def test_killed_while_the_nic_begins_anew(rig, cause, isolation):
    """Nothing of a driver that is not to be followed is gone on with."""
    with s.managed(rig, "vfio-user", "--isolation", isolation) as world:
        stored(world)
        for pause in (0, 0.002, 0.01, 0.03, 0.1):
            pids = family(world)
            cause(world)
            time.sleep(pause)  # the moment, no wait
            world.again()
            gone(*pids)
            r.wait_for(lambda: world.status()["state"] == "running", "running")
            stored(world)
            works(world)
            assert len(family(world)) == 2


# ---- A keeper that has given up its rights

@pytest.mark.parametrize("mode", ["require", "off"])
@pytest.mark.parametrize("kind", ["soft", "vfio-user"])
def test_with_isolation(rig, kind, mode):
    with s.managed(rig, kind, "--isolation", mode) as world:
        stored(world)
        before, connection = k.State(world), k.Connection(world)
        for done in range(1, 4):
            pids = family(world)
            world.again()
            gone(*pids)
            stored(world)
            works(world)
            assert starts(world) == {"warm": done, "cold": 1, "upgrade": 0}
        assert connection.end() is None
        links_stay(before, k.State(world))
        assert world.manager.keeper.stop() == 0
        assert world.manager.names() == [] and not world.left.has("tap0")


@pytest.mark.parametrize("modes", [("best", "require"), ("require", "best"), ("require", "off"), ("off", "require")])
def test_with_another_isolation(rig, modes):
    """Another process can have what the one before had given up, and the driver is another, too."""
    with s.managed(rig, "vfio-user", "--isolation", modes[0]) as world:
        stored(world)
        world.manager.words[world.manager.words.index(modes[0])] = modes[1]
        for done in range(1, 3):
            world.again()
            stored(world)
            works(world)
            assert starts(world) == {"warm": done, "cold": 1, "upgrade": 0}
            isolation = world.status()["isolation"]
            assert isolation["wanted"] == modes[1], isolation
            expected = "unused" if modes[1] == "off" else "in force"
            assert isolation["keeper"]["state"] == expected and isolation["seccomp"]["state"] == expected, isolation


def test_changed_settings(rig):
    with s.managed(rig, "soft") as world:
        stored(world)
        world.manager.words += ["--mtu", "1400"]
        world.again()
        world.daemon.says("--mtu has changed")
        assert world.daemon.errors().count("has changed") == 1 and world.left.link("tap0")["mtu"] == 1500


@pytest.mark.parametrize("modes", [("off", "require"), ("best", "off")])
def test_software_nic_with_another_isolation(rig, modes):
    """It has the rights that it was made with, so another is made."""
    with s.managed(rig, "soft", "--isolation", modes[0]) as world:
        stored(world)
        nic, index = world.status()["nic"]["soft"]["pid"], world.left.link("tap0")["ifindex"]
        world.manager.words[world.manager.words.index(modes[0])] = modes[1]
        world.again()
        gone(nic)
        world.daemon.says("another --isolation")
        r.wait_for(lambda: world.status()["state"] in ("waiting", "running"), "the NIC is back")
        with open(f"/proc/{world.status()['nic']['soft']['pid']}/status", encoding="ascii") as status:
            assert ("NoNewPrivs:\t1" in status.read()) == (modes[1] != "off")
        assert world.left.link("tap0")["ifindex"] == index


MIDST = memory_write(WITHIN, b"\x01\0\0\0\x01")


def another_layout(manager):
    """The text is whole; what it says of the driver's memory is of another version."""
    with mmap.mmap(manager.descriptor(s.MEMORY), 0) as memory:
        current, = struct.unpack_from("I", memory, 8)
        place, at = 12 + 8 * (current - 1), s.TEXT_AT + (current - 1) * s.TEXT_BYTES
        size, = struct.unpack_from("I", memory, place)
        text, times = re.subn(rb'"board":.', b'"board":0', memory[at:at + size])
        assert times == 1 and len(text) == size
        memory[at:at + size] = text
        total = 2166136261  # FNV-1a
        for byte in text:
            total = (total ^ byte) * 16777619 & 0xffffffff
        struct.pack_into("I", memory, place + 4, total)


@pytest.mark.parametrize("change, why", [(MIDST, "in the midst of a message"), (another_layout, "does not fit")],
                         ids=["midst", "layout"])
def test_isolation_and_a_nic_that_does_not_fit(rig, change, why):
    """The next one opens the NIC before it gives up the right to: the interface stays as it is."""
    with s.managed(rig, "vfio-user", "--isolation", "require") as world:
        for _ in range(2):
            stored(world)
            index, pids = world.left.link("tap0")["ifindex"], family(world)
            world.manager.kill()
            change(world.manager)
            world.manager.start()
            gone(*pids)
            r.wait_for(lambda: why in world.daemon.errors(), "the log says why")
            r.wait_for(lambda: world.status()["state"] == "running", "running")
            assert world.left.link("tap0")["ifindex"] == index and len(family(world)) == 2
            works(world)
            assert world.status()["reason"] == ""
        assert world.status()["isolation"]["keeper"]["state"] == "in force"


def test_isolation_and_a_nic_that_is_gone(rig):
    """Nobody could open it later: the status says so, and the interface that persists waits for the next start."""
    with s.managed(rig, "vfio-user", "--isolation", "require", "--persist") as world:
        stored(world)
        index, pids = world.left.link("tap0")["ifindex"], family(world)
        world.manager.kill()
        server = rig.daemons[0]
        words = server.process.args
        server.kill()
        world.manager.start(ready=False)
        assert world.daemon.wait() == ANEW
        assert f"status {ANEW}" in world.daemon.errors() and world.manager.names() == []
        gone(*pids)
        rig.daemon(*words).wait_ready()
        world.manager.start()
        s.addressed(world.right)
        r.wait_for(lambda: world.status()["state"] == "running", "running")
        assert world.left.link("tap0")["ifindex"] == index
        works(world)
        stored(world)
