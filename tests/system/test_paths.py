# SPDX-License-Identifier: MIT
"""Files are not what others make of them: pipes in place of files, links, folders that others may write to."""
import os
import signal
import socket
import struct

import pytest

import rig as r
from test_bad_input import FAILED, USAGE, ixnic, ixtapd, left, refuse  # noqa: F401 (a fixture)

OTHER = 65534
AS_OTHER = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


def put(path, text="precious", mode=0o644, owner=0, group=0):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chown(path, owner, group)
    os.chmod(path, mode)
    return path


def taken(path):
    with open(path, encoding="ascii") as file:
        return file.read()


@pytest.fixture
def fifo(rig):
    os.mkfifo(rig.path("mine"))
    return rig.path("mine")


def capture(rig, path):
    return ixnic(rig, "--pcap", path, wire=f"seqpacket:{rig.path('wire')}")


def test_capture_into_a_pipe(rig, left, fifo):  # noqa: F811
    """With and without a reader, it is refused at once."""
    refuse(rig, left, capture(rig, fifo), FAILED, "capture", "no regular file")
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb"):
        refuse(rig, left, capture(rig, fifo), FAILED, "capture", "no regular file")
    refuse(rig, left, capture(rig, "/dev/null"), FAILED, "capture", "no regular file")


def test_capture_follows_no_name_of_others(rig, left):  # noqa: F811
    target = rig.path("target")
    with open(target, "w", encoding="ascii") as file:
        file.write("precious")
    os.symlink(target, rig.path("link"))
    os.link(target, rig.path("second"))
    for name, part in (("link", "symbolic link"), ("second", "another name")):
        refuse(rig, left, capture(rig, rig.path(name)), FAILED, part)
    os.unlink(rig.path("second"))
    os.chown(target, 65534, 65534)
    refuse(rig, left, capture(rig, target), FAILED, "another user")
    with open(target, encoding="ascii") as file:
        assert file.read() == "precious"


def links_of_others(rig):
    """A folder as /tmp is, where another user has links to a folder and to a file of ours."""
    os.mkdir(rig.path("tmp"))
    os.chmod(rig.path("tmp"), 0o1777)
    os.mkdir(rig.path("roots"), 0o755)
    data = put(rig.path("roots/data"))
    for link, target in (("mid", rig.path("roots")), ("data", data), ("dangling", rig.path("roots/new"))):
        os.symlink(target, rig.path(f"tmp/{link}"))
        os.lchown(rig.path(f"tmp/{link}"), OTHER, OTHER)
    return data


def test_capture_through_a_link_of_others(rig, left):  # noqa: F811
    """Not only the last part of a name can lead elsewhere."""
    data = links_of_others(rig)
    for name in ("mid/data", "mid/new"):
        refuse(rig, left, capture(rig, rig.path(f"tmp/{name}")), FAILED, rig.path("tmp/mid"), "link", "another user")
    assert taken(data) == "precious" and os.listdir(rig.path("roots")) == ["data"]
    # A folder of another user's, where the link may have been moved to.
    os.makedirs(rig.path("theirs/a"))
    os.symlink(rig.path("roots"), rig.path("theirs/a/mid"))
    os.chown(rig.path("theirs"), OTHER, OTHER)
    refuse(rig, left, capture(rig, rig.path("theirs/a/mid/data")), FAILED, rig.path("theirs/a/mid"), "link", "another user")
    assert taken(data) == "precious"
    # Without a link, a folder of another user leads nowhere else.
    nic = rig.daemon(*left.words(*capture(rig, rig.path("theirs/capture")))).wait_ready()
    assert nic.stop() == 0 and os.path.getsize(rig.path("theirs/capture")) == 24


@pytest.mark.parametrize("option", ["--json", "--hgrm"])
def test_ixlat_through_links_of_others(rig, left, option):  # noqa: F811
    data = links_of_others(rig)
    rig.daemon(*left.words(r.IXLAT, "reflect", "udp")).wait_ready()
    words = [r.IXLAT, "udp", "127.0.0.1", "--count", "5", option]
    for name in ("mid/data", "mid/new", "data", "dangling"):
        refuse(rig, left, [*words, rig.path(f"tmp/{name}")], FAILED, "link", "another user")
    put(rig.path("tmp/theirs"), owner=OTHER)
    os.link(data, rig.path("tmp/second"))
    os.chown(rig.path("tmp"), OTHER, OTHER)
    for name in ("theirs", "second"):
        refuse(rig, left, [*words, rig.path(f"tmp/{name}")], FAILED, "another user or has another name")
    assert taken(data) == "precious" and os.listdir(rig.path("roots")) == ["data"]
    # A link of ours, and a file of ours with them.
    os.symlink(data, rig.path("link"))
    for name in ("tmp/new", "tmp/new", "link"):
        left.run(*words, rig.path(name))
    assert taken(data) != "precious" and os.path.islink(rig.path("link"))


def measuring(pid):
    """Whether ixlat has opened its files: a signal would end the run, and not the program."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        caught = next(line for line in file if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1


def datagrams(place):
    """How many have come in."""
    names, values = (line.split() for line in place.run("cat", "/proc/net/snmp").stdout.splitlines()
                     if line.startswith("Udp:"))
    return int(values[names.index("InDatagrams")])


@pytest.mark.parametrize("target", ["data", "new"])
def test_ixlat_that_is_overtaken(rig, left, target):  # noqa: F811
    """A name that was free before the run is another user's link after it."""
    data = links_of_others(rig)
    rig.daemon(*left.words(r.IXLAT, "reflect", "udp")).wait_ready()
    path = rig.path("tmp/result")
    daemon = rig.daemon(*left.words(r.IXLAT, "udp", "127.0.0.1", "--duration", "60", "--json", path))
    r.wait_for(lambda: measuring(daemon.pid) and datagrams(left) > 10, "the run, and answers")
    os.symlink(rig.path(f"roots/{target}"), path)
    os.lchown(path, OTHER, OTHER)
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.wait() == FAILED, daemon.errors()
    assert "link" in daemon.errors() and path in daemon.errors(), daemon.errors()
    assert taken(data) == "precious" and os.listdir(rig.path("roots")) == ["data"]


def test_capture_of_a_start_that_fails(rig, left):  # noqa: F811
    """A file that was there is kept, and none is made."""
    with open(rig.path("before"), "w", encoding="ascii") as file:
        file.write("precious")
    os.mkdir(rig.path("folder"))
    for name in ("before", "new"):
        for words in ([], ["--control", rig.path("folder/none/none/control")]):
            wire = f"seqpacket:{rig.path('wire' if words else 'folder/none/none/wire')}"
            refuse(rig, left, ixnic(rig, "--pcap", rig.path(name), *words, wire=wire), FAILED)
    with open(rig.path("before"), encoding="ascii") as file:
        assert file.read() == "precious"
    assert not os.path.exists(rig.path("new"))


def test_capture_is_private(rig, left):  # noqa: F811
    nic = rig.daemon(*left.words(*capture(rig, rig.path("pcap")))).wait_ready()
    assert os.stat(rig.path("pcap")).st_mode & 0o777 == 0o600
    assert nic.stop() == 0


def test_capture_that_outgrows_its_limit(rig, left):  # noqa: F811
    """The log has the reason, each frame is recorded or counted as lost, and no record is cut."""
    command, socket_path = capture(rig, rig.path("pcap")), rig.path("nic.control")
    nic = rig.daemon(*left.words("sh", "-c", """trap '' XFSZ; ulimit -f 16; exec "$@" """, "sh", *command,
                                 "--control", socket_path)).wait_ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wire:
        wire.connect(rig.path("wire"))
        for _ in range(100):
            wire.send(bytes(1000))

        def frames():
            counters = r.ask(socket_path, "counters")["counters"]
            return sum(number for name, number in counters.items() if name.startswith("rx_drop_")) == 100

        r.wait_for(frames, "all frames at the NIC")
    lost = r.ask(socket_path, "counters")["counters"]["capture_lost"]
    assert nic.stop() == 0
    assert "the capture ends, its file cannot be written: File too large" in nic.errors(), nic.errors()
    size = os.stat(rig.path("pcap")).st_size
    recorded = (size - 24) // 1016
    assert size == 24 + recorded * 1016 and recorded + lost == 100, (size, lost)


# ---- Configuration ----

# The line that has a fault is named only if the file is read.
FAULT, READ = "mtu = 1\n", ":1: "


def lent(path, users):
    """An access list by which a user may write, as setfacl -m u:USER:rwx has it: the mode's group is its mask."""
    entries = ((1, 6, -1), *((2, 7, user) for user in users), (4, 4, -1), (0x10, 7, -1), (0x20, 4, -1))
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, rights, who & 0xffffffff)
                                             for tag, rights, who in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", access)
    except OSError as reason:
        pytest.skip(f"no access lists in {path}: {reason}")
    assert os.stat(path).st_mode & 0o020 and os.stat(path).st_gid == 0


@pytest.mark.parametrize("mode, owner, group, part", [
    (0o646, 0, 0, "everybody"), (0o622, 0, 0, "everybody"), (0o664, 0, OTHER, "group"), (0o664, 0, 0, "group"),
    (0o600, OTHER, 0, "another user"),
])
def test_configuration_that_others_may_write(rig, left, mode, owner, group, part):  # noqa: F811
    path = put(rig.path("config"), FAULT, mode, owner, group)
    refuse(rig, left, ixtapd(rig, "--config", path), USAGE, path, part)


@pytest.mark.parametrize("place", ["config", "config.d", "", "link"])
def test_configuration_that_is_lent_to_a_user(rig, left, place):  # noqa: F811
    """With an access list, all that a group has may be one user's."""
    os.mkdir(rig.path("folder"))
    os.mkdir(rig.path("folder/config.d"))
    path = put(rig.path("folder/config"), FAULT)
    os.symlink(path, rig.path("link"))
    lent(rig.path("folder/" + place if place != "link" else "folder"), [OTHER])
    refuse(rig, left, ixtapd(rig, "--config", rig.path("link") if place == "link" else path), USAGE, "group", "chmod")


@pytest.mark.parametrize("mode, owner, part", [(0o777, 0, "everybody"), (0o775, 0, "group"), (0o755, OTHER, "another user")])
@pytest.mark.parametrize("folder", ["a/b/config.d", "a/b", "a"])
def test_configuration_folder_that_others_may_write(rig, left, folder, mode, owner, part):  # noqa: F811
    """They could put another file there, or a link to any file of root's."""
    os.makedirs(rig.path("a/b/config.d"), 0o755)
    path = put(rig.path("a/b/config"), FAULT)
    put(f"{path}.d/a.conf", FAULT)
    os.symlink(path, rig.path("link"))
    os.chmod(rig.path(folder), mode)
    os.chown(rig.path(folder), owner, 0)
    for name in (path, rig.path("link")) if folder != "a/b/config.d" else (path,):
        refuse(rig, left, ixtapd(rig, "--config", name), USAGE, rig.path(folder), part)


def test_configuration_through_a_link_of_others(rig, left):  # noqa: F811
    """In a folder as /tmp is, everybody has names of his own."""
    os.mkdir(rig.path("tmp"))
    os.chmod(rig.path("tmp"), 0o1777)
    os.mkdir(rig.path("roots"), 0o755)
    path = put(rig.path("roots/config"), FAULT)
    for name, target in (("file", path), ("folder", rig.path("roots")), ("ours.d", rig.path("roots"))):
        os.symlink(target, rig.path(f"tmp/{name}"))
        os.lchown(rig.path(f"tmp/{name}"), OTHER, OTHER)
    ours = put(rig.path("tmp/ours"), FAULT)
    for name, link in (("file", "file"), ("folder/config", "folder"), ("ours", "ours.d")):
        refuse(rig, left, ixtapd(rig, "--config", rig.path(f"tmp/{name}")), USAGE, rig.path(f"tmp/{link}"), "link")
    os.unlink(f"{ours}.d")
    refuse(rig, left, ixtapd(rig, "--config", ours), USAGE, ours + READ)


def test_configuration_through_links_of_ours(rig, left):  # noqa: F811
    """One after the other, relative ones too, and those of /proc; a circle of them has an end."""
    os.makedirs(rig.path("a/b"), 0o755)
    put(rig.path("a/b/config"), FAULT)
    for link, target in (("first", "a/second"), ("a/second", "../a/b/../third"), ("a/third", rig.path("a/b/config")),
                         ("a/circle", "b/circle"), ("a/b/circle", "../circle")):
        os.symlink(target, rig.path(link))
    refuse(rig, left, ixtapd(rig, "--config", rig.path("first")), USAGE, rig.path("first") + READ)
    refuse(rig, left, ixtapd(rig, "--config", rig.path("a/circle")), USAGE, rig.path("a/circle"), "too many")
    with open(rig.path("first"), encoding="ascii") as file:
        words = ixtapd(rig, "--config", f"/proc/self/fd/{file.fileno()}")
        done = r.run(*left.words(*words), check=False, pass_fds=[file.fileno()])
    assert done.returncode == USAGE and READ in done.stderr, done.stderr


def test_configuration_of_a_user(rig, left):  # noqa: F811
    """One's own file in one's own folder."""
    if r.run(*AS_OTHER, "test", "-x", r.IXTAPD, check=False).returncode:
        pytest.skip("the build tree is not open to other users")
    os.chmod(rig.scratch, 0o711)
    os.mkdir(rig.path("home"), 0o700)
    path = put(rig.path("home/config"), FAULT, 0o644, OTHER, OTHER)
    os.chown(rig.path("home"), OTHER, OTHER)
    refuse(rig, left, [*AS_OTHER, *ixtapd(rig, "--config", path)], USAGE, path + READ)
    os.chmod(path, 0o664)
    refuse(rig, left, [*AS_OTHER, *ixtapd(rig, "--config", path)], USAGE, path, "group", "chmod")


def test_configuration_from_a_pipe(rig, left, fifo):  # noqa: F811
    refuse(rig, left, ixtapd(rig, "--config", fifo), USAGE, "no regular file")


def test_ixlat_writes_into_a_pipe(rig, left, fifo):  # noqa: F811
    """Nobody reads it: refused before the run. Somebody opens it and does not read: a signal ends the
    program all the same."""
    words = [r.IXLAT, "udp", "127.0.0.1", "--count", "10", "--json", fifo]
    refuse(rig, left, words, FAILED, "no program reads")
    rig.daemon(*left.words(r.IXLAT, "reflect", "udp")).wait_ready()
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb"), \
            open(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
        daemon = rig.daemon(*left.words(*words))
        r.wait_for(lambda: "pipe_write" in wchan(daemon.pid) or not daemon.alive(), "it writes")
        assert daemon.alive(), daemon.errors()
        assert daemon.stop() == -signal.SIGTERM


def wchan(pid):
    """Where in the kernel a process waits."""
    with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
        return file.read()
