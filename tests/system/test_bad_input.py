# SPDX-License-Identifier: MIT
"""Bad input: one line that says what, why and what to do; the exit status; nothing left behind."""
import contextlib
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import threading

import pytest

import rig as r

USAGE, FAILED = 2, 1


@pytest.fixture
def left(rig):
    return rig.namespace("left")


def refuse(rig, left, words, status, *parts):
    """The program ends with `status` after one line on standard error that has all of `parts`."""
    before = left.run("ip", "-o", "link").stdout
    daemon = rig.daemon(*left.words(*words))
    assert daemon.wait() == status, daemon.errors()
    lines = daemon.errors().splitlines()
    assert len(lines) == 1, "\n".join(lines)
    for part in parts:
        assert part.lower() in lines[0].lower(), lines[0]
    assert len(lines[0]) < 400
    assert os.read(daemon.process.stdout.fileno(), 100) == b""
    assert left.run("ip", "-o", "link").stdout == before
    sockets = [name for name in os.listdir(rig.scratch)
               if stat.S_ISSOCK(os.stat(rig.path(name)).st_mode)]
    assert not [name for name in sockets if not name.startswith("mine")], sockets


def ixtapd(rig, *options, nic="soft:tap:wire0", tap="tap0"):
    return [r.IXTAPD, "--nic", nic, "--tap", tap, "--control", rig.path("control"), *options]


@pytest.mark.parametrize("options, parts", [
    (["--frobnicate"], ["--frobnicate"]),
    (["--mac", "02:00:00:00:00"], ["02:00:00:00:00"]),
    (["--mac", "03:00:00:00:00:01"], ["03:00:00:00:00:01", "multicast"]),
    (["--mac", "00:00:00:00:00:00"], ["mac"]),
    (["--mac", "02:00:00:00:00:0g"], ["02:00:00:00:00:0g"]),
    (["--address", "192.0.2.1/33"], ["192.0.2.1/33"]),
    (["--address", "192.0.2.256/24"], ["192.0.2.256/24"]),
    (["--address", "2001:db8::1/129"], ["2001:db8::1/129"]),
    (["--address", "here"], ["here"]),
    (["--mtu", "67"], ["67", "9710"]),
    (["--mtu", "9711"], ["9711", "9710"]),
    (["--mtu", "1500x"], ["1500x"]),
    (["--queues", "0"], ["'0'", "16"]),
    (["--queues", "17"], ["'17'", "16"]),
    (["--poll", "often"], ["often", "adaptive"]),
    (["--log-level", "loud"], ["loud", "debug"]),
    (["--netns", "../x"], ["../x"]),
    (["--config", "/nonexistent"], ["/nonexistent"]),
    (["word"], ["word"]),
    (["--up=perhaps"], ["up"]),
])
def test_ixtapd_usage(rig, left, options, parts):
    refuse(rig, left, ixtapd(rig, *options), USAGE, *parts)


@pytest.mark.parametrize("nic", ["", "e1000:1", "vfio:3.0", "vfio:0000:03:00.8", "vfio:",
                                 "vfio:zz:00.0", "vfio-user:", "soft:carrier-pigeon:1", "soft:tap:",
                                 "soft:tap:a-name-of-16-chars", "soft:cable:"])
def test_ixtapd_names_of_nics(rig, left, nic):
    refuse(rig, left, ixtapd(rig, nic=nic), USAGE)


@pytest.mark.parametrize("tap", ["", "a-name-of-16-chars", "with/slash", "with space", "..", "a%d"])
def test_ixtapd_names_of_taps(rig, left, tap):
    refuse(rig, left, ixtapd(rig, tap=tap), USAGE, "tap")


@pytest.mark.parametrize("text, parts", [
    ("mtu\n", [":1"]),
    ("tap = tap0\nmtu = many\n", [":2", "many"]),
    ("colour = blue\n", [":1", "colour"]),
    ("mtu = 1500\nmtu = 1501\n", [":2", "mtu"]),
    ("[section]\nmtu = 1500\n", ["section"]),
    ("config = other\n", [":1", "config"]),
    ("\0\1\2", []),
])
def test_configuration_file(rig, left, text, parts):
    with open(rig.path("config"), "w", encoding="ascii") as config:
        config.write(text)
    refuse(rig, left, ixtapd(rig, "--config", rig.path("config")), USAGE, rig.path("config"), *parts)


def test_netns_that_is_not_there(rig, left):
    refuse(rig, left, ixtapd(rig, "--netns", "no-such-namespace"), FAILED, "no-such-namespace")


def test_device_that_is_not_there(rig, left):
    refuse(rig, left, ixtapd(rig, nic="vfio:0000:ff:1f.7"), FAILED, "0000:ff:1f.7")


def test_device_of_another_make(rig, left):
    """Any PCI device of this machine that is no 82599."""
    try:
        devices = [name for name in sorted(os.listdir("/sys/bus/pci/devices"))
                   if open(f"/sys/bus/pci/devices/{name}/device", encoding="ascii").read().strip()
                   not in ("0x10fb", "0x10f8", "0x1528", "0x154d")]
    except FileNotFoundError:
        devices = []
    if not devices:
        pytest.skip("this machine has no PCI device")
    refuse(rig, left, ixtapd(rig, nic=f"vfio:{devices[0]}"), FAILED, devices[0])


def test_vfio_user_socket_that_is_not_there(rig, left):
    refuse(rig, left, ixtapd(rig, nic=f"vfio-user:{rig.path('nobody')}"), FAILED, rig.path("nobody"))


def test_vfio_user_socket_nobody_listens_on(rig, left):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(rig.path("mine-stale"))
    refuse(rig, left, ixtapd(rig, nic=f"vfio-user:{rig.path('mine-stale')}"), FAILED, "mine-stale")


def vfio_user_reply(request, payload):
    ident, command = struct.unpack_from("<HH", request)
    return struct.pack("<HHIII", ident, command, 16 + len(payload), 1, 0) + payload


SERVERS = {
    "nonsense": lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "half a header": lambda peer: peer.send(b"\0\0\1\0\20"),
    "a size of 4 GiB": lambda peer: peer.send(struct.pack("<HHIII", 0, 1, 0xffffffff, 1, 0)),
    "a size of 0": lambda peer: peer.send(struct.pack("<HHIII", 0, 1, 0, 1, 0)),
    "half a version": lambda peer: peer.send(struct.pack("<HHIII", 0, 1, 64, 1, 0) + b"\0\0\0\0"),
    "another version": lambda peer: peer.send(
        vfio_user_reply(peer.recv(4096), struct.pack("<HH", 7, 9) + b"{}\0")),
    "nothing": lambda peer: None,
    "an error": lambda peer: peer.send(peer.recv(4096)[:4] + struct.pack("<III", 16, 0x21, 22)),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_vfio_user_server_that_speaks_nonsense(rig, left, kind):
    """A server sends nonsense and hangs up: ixtapd says what is wrong."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(rig.path("mine-server"))
        listener.listen()
        listener.settimeout(r.DEADLINE_S)

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(r.DEADLINE_S)
                SERVERS[kind](peer)

        server = threading.Thread(target=serve)
        server.start()
        try:
            refuse(rig, left, ixtapd(rig, nic=f"vfio-user:{rig.path('mine-server')}"), FAILED,
                   "vfio-user")
        finally:
            server.join()


def test_vfio_user_server_that_stops_mid_message(rig, left):
    """Half a reply, then silence on an open connection: the deadline ends the start."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(rig.path("mine-server"))
        listener.listen()
        held = []

        def serve():
            peer, _ = listener.accept()
            peer.send(struct.pack("<HHIII", 0, 1, 64, 1, 0)[:9])
            held.append(peer)

        server = threading.Thread(target=serve)
        server.start()
        refuse(rig, left, ixtapd(rig, nic=f"vfio-user:{rig.path('mine-server')}"), FAILED)
        server.join()
        held[0].close()


def test_tap_name_is_taken(rig, left):
    left.run("ip", "link", "add", "tap0", "type", "veth", "peer", "name", "other")
    refuse(rig, left, ixtapd(rig), FAILED, "tap0")


def test_tap_in_use(rig):
    bridge = rig.bridge(connected=False)
    refuse_words = ixtapd(rig, nic="soft:tap:wire1")
    refuse_words[refuse_words.index("--control") + 1] = rig.path("other")
    daemon = rig.daemon(*bridge.left.words(*refuse_words))
    assert daemon.wait() == FAILED
    assert len(daemon.errors().splitlines()) == 1, daemon.errors()
    assert "tap0" in daemon.errors()
    assert bridge.ask("status")["state"] in ("waiting", "running")


def test_wire_name_is_taken(rig, left):
    left.run("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "other")
    refuse(rig, left, ixtapd(rig), FAILED, "wire0")


def test_control_path_is_a_file(rig, left):
    with open(rig.path("control"), "w", encoding="ascii") as file:
        file.write("precious")
    refuse(rig, left, ixtapd(rig), FAILED, rig.path("control"))
    with open(rig.path("control"), encoding="ascii") as file:
        assert file.read() == "precious"


def test_control_socket_is_alive(rig, left):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(rig.path("mine-control"))
        other.listen()
        words = ixtapd(rig)
        words[words.index("--control") + 1] = rig.path("mine-control")
        refuse(rig, left, words, FAILED, rig.path("mine-control"))
        assert os.path.exists(rig.path("mine-control"))


def test_stale_control_socket_is_replaced(rig):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(rig.path("control"))
    rig.bridge(connected=False)


def test_control_path_is_too_long(rig, left):
    words = ixtapd(rig)
    words[words.index("--control") + 1] = "/tmp/" + "x" * 120
    refuse(rig, left, words, USAGE, "control")


def test_control_folder_is_not_there(rig, left):
    words = ixtapd(rig)
    words[words.index("--control") + 1] = rig.path("no/such/folder")
    refuse(rig, left, words, FAILED, "no/such/folder")


@pytest.mark.parametrize("path", ["P/typo/x", "/run/../P/typo/x", "/runner/x", "typo/x", "/run/one/two/x"])
@pytest.mark.parametrize("program", ["ixtapd", "ixnic"])
def test_a_mistyped_control_path_makes_no_folder(rig, left, program, path):
    path = path.replace("P", rig.scratch)
    words = ixtapd(rig)[:-2] if program == "ixtapd" else ixnic(rig, wire=f"seqpacket:{rig.path('wire')}")
    refuse(rig, left, [*words, "--control", path], FAILED, path, "its directory must exist", "make it")
    assert not os.path.exists(os.path.dirname(path))


def test_folders_of_run_are_made(rig, left):
    """One level: /run is empty after each boot."""
    for path in ("/run/ixtap/a", "/run/of-ours/b", "/var/run/of-others/c"):
        if os.path.exists(os.path.dirname(os.path.dirname(path))):
            rig.daemon(*left.words(*ixnic(rig, "--control", path, wire=f"seqpacket:{rig.path('wire')}"))).wait_ready().stop()
            assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o755


def test_without_permission(rig, left):
    """The user nobody, without a capability, can make no TAP."""
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *ixtapd(rig)]
    os.chmod(rig.scratch, 0o777)
    if r.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "test", "-x", r.IXTAPD,
             check=False).returncode != 0:
        pytest.skip("the build tree is in a folder that others cannot enter")
    refuse(rig, left, words, FAILED)


def test_memlock_too_low_for_vfio_user_is_no_matter(rig):
    """Only the kernel's VFIO counts locked memory."""
    low = (64 << 10, 64 << 10)
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (low[0], before[1]))
    try:
        bridge = rig.bridge()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)
    bridge.ping()


def ixnic(rig, *options, wire="tap:wire0"):
    return [r.IXNIC, "--socket", rig.path("nic"), "--wire", wire, *options]


@pytest.mark.parametrize("options, parts", [
    (["--frobnicate"], ["--frobnicate"]),
    (["--mac", "03:00:00:00:00:01"], ["03:00:00:00:00:01"]),
    (["--mac", "2:0:0:0:0:1"], ["2:0:0:0:0:1"]),
    (["--link", "sideways"], ["sideways", "up"]),
    (["--log-level", "loud"], ["loud"]),
    (["word"], ["word"]),
    (["--slow", "2"], ["--slow", "--dirty"]),
    (["--socket", ""], ["--socket", "empty"]),
    (["--socket", "fd:"], ["--socket", "fd:", "number"]),
    (["--socket", "fd:-1"], ["fd:-1", "number"]),
    (["--socket", "fd:1x"], ["fd:1x", "number"]),
    (["--socket", "fd: 1"], ["fd: 1", "number"]),
    (["--socket", "fd:18446744073709551616"], ["fd:18446744073709551616", "number"]),
    (["--socket", "fd:2147483648"], ["fd:2147483648", "number"]),
    (["--socket", "/tmp/" + "x" * 120], ["--socket", "longer than 107 bytes"]),
    (["--control", "/tmp/" + "x" * 120], ["--control", "longer than 107 bytes"]),
    (["--control", ""], ["--control", "empty"]),
], ids=lambda value: " ".join(value)[:40])
def test_ixnic_usage(rig, left, options, parts):
    refuse(rig, left, ixnic(rig, *options), USAGE, *parts)


@pytest.mark.parametrize("wire", ["", "tap", "tap:", "tap:a-name-of-16-chars", "cable:",
                                  "seqpacket:", "pigeon:1", "foo", "seqpacket:/tmp/" + "x" * 120,
                                  "cable:/tmp/" + "x" * 120],
                         ids=lambda wire: wire[:30])
def test_ixnic_wires(rig, left, wire):
    refuse(rig, left, ixnic(rig, wire=wire), USAGE, "--wire", wire.split(":")[0])


def test_ixnic_socket_is_no_socket(rig, left):
    """A number that may name a socket is no usage error."""
    refuse(rig, left, ixnic(rig, "--socket", "fd:0"), FAILED, "fd:0", "stream socket")


def test_ixnic_socket_is_a_file(rig, left):
    with open(rig.path("nic"), "w", encoding="ascii"):
        pass
    refuse(rig, left, ixnic(rig), FAILED, rig.path("nic"))
    assert os.path.isfile(rig.path("nic"))


def test_ixnic_socket_is_alive(rig, left):
    nic = rig.daemon(*left.words(*ixnic(rig))).wait_ready()
    other = rig.daemon(*left.words(*ixnic(rig, wire="tap:wire1")))
    assert other.wait() == FAILED
    assert len(other.errors().splitlines()) == 1, other.errors()
    assert rig.path("nic") in other.errors()
    assert not left.has("wire1")
    assert nic.stop() == 0


def test_ixnic_namespace_that_is_not_there(rig, left):
    refuse(rig, left, ixnic(rig, "--netns", "no-such-namespace"), FAILED, "no-such-namespace")


def test_ixnic_control_is_a_file(rig, left):
    with open(rig.path("file"), "w", encoding="ascii"):
        pass
    refuse(rig, left, ixnic(rig, "--control", rig.path("file")), FAILED, rig.path("file"))


def test_ixnic_pcap_in_no_folder(rig, left):
    refuse(rig, left, ixnic(rig, "--pcap", rig.path("no/such/folder")), FAILED, "no/such/folder")


@pytest.mark.parametrize("request_", ["", "frobnicate", "status now please and more", "x" * 255,
                                      "x" * 4000, "registers \x01", "\xff\xfe", "monitor x"],
                         ids=lambda text: ascii(text[:30]))
@pytest.mark.parametrize("which", ["control", "nic_control"])
def test_control_requests(bridge, which, request_):
    """Nonsense gets an error or ends the connection. The daemon goes on."""
    path = getattr(bridge, which)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(r.DEADLINE_S)
        client.connect(path)
        client.send(request_.encode("latin-1"))
        if request_:
            reply = client.recv(1 << 16)
            assert not reply or b"error" in reply, reply
    assert "error" not in r.ask(path, "status")
    bridge.ping(count=2)


def test_many_clients_of_the_control_socket(bridge):
    clients = []
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(bridge.control)  # waits while the daemon takes the others
        clients.append(client)
    assert bridge.ask("status")["pid"] > 0
    for client in clients:
        client.close()


@pytest.fixture
def full_queue(bridge):
    """The daemon's process: stopped, and its socket's queue full of waiting clients."""
    pid, clients = bridge.ask("status")["pid"], []
    os.kill(pid, signal.SIGSTOP)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
                clients.append(client)
                client.connect(bridge.control)
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)
        for client in clients:
            client.close()


def test_daemon_that_takes_no_client(bridge, full_queue):
    """ixtap does not wait for ever."""
    assert full_queue
    done = r.run(r.IXTAP, "--control", bridge.control, "status", check=False, timeout=r.DEADLINE_S)
    assert done.returncode == FAILED and not done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert bridge.control in done.stderr and "takes no clients" in done.stderr


def goes_on_when_waited_for(daemon, waiting):
    """Lets the daemon go on once the thread `waiting` waits in connect()."""
    def waits():
        with open(f"/proc/{waiting}/wchan", encoding="ascii") as place:
            return place.read() == "unix_wait_for_peer"

    r.wait_for(waits, "waiting for room in the queue")
    os.kill(daemon, signal.SIGCONT)


def test_daemon_that_takes_clients_late(bridge, full_queue):
    with subprocess.Popen([r.IXTAP, "--control", bridge.control, "status"], text=True, stdout=subprocess.PIPE) as ixtap:
        goes_on_when_waited_for(full_queue, ixtap.pid)
        out, _ = ixtap.communicate(timeout=r.DEADLINE_S)
    assert ixtap.returncode == 0 and bridge.tap in out


def test_ask_waits_for_its_turn(bridge, full_queue):
    """The ask() of these tests waits too."""
    server = threading.Thread(target=goes_on_when_waited_for, args=(full_queue, threading.get_native_id()))
    server.start()
    assert bridge.ask("status")["pid"] == full_queue
    server.join()


def test_monitors_that_do_not_read(bridge):
    """The daemon does not wait for monitors that do not read."""
    monitors = []
    for _ in range(4):
        monitor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        monitor.connect(bridge.control)
        monitor.send(b"monitor")
        monitors.append(monitor)
    for count in range(200):
        bridge.left.run("ip", "link", "set", bridge.tap, "mtu", str(1400 + count % 2))
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "1500")
    bridge.ping()
    for monitor in monitors:
        monitor.close()


IXTAPD_ALT0 = (r.IXTAPD, "--nic", "soft:tap:wire0", "--tap", "alt0", "--control", "control")
IXNIC_ALT0 = (r.IXNIC, "--socket", "nic", "--wire", "tap:alt0")


@pytest.mark.parametrize("words, kind", [
    (IXTAPD_ALT0, "link add own0 type bridge"), (IXTAPD_ALT0, "tuntap add own0 mode tap"),
    (IXNIC_ALT0, "link add own0 type bridge"), (IXNIC_ALT0, "tuntap add own0 mode tap multi_queue")],
    ids=["ixtapd bridge", "ixtapd tap", "ixnic bridge", "ixnic tap"])
def test_another_name_of_another_interface(rig, words, kind):
    """Nobody is told to delete that."""
    left = rig.namespace("left")
    left.run("ip", *kind.split())
    left.run("ip", "link", "property", "add", "dev", "own0", "altname", "alt0")
    done = left.run(*(rig.path(word) if word in ("nic", "control") else word for word in words), check=False, timeout=20)
    assert done.returncode == 1 and "alt0 is an altname of own0" in done.stderr, done
    assert "ip link del" not in done.stderr and "ip link property del dev own0 altname alt0" in done.stderr
    assert left.has("own0")
