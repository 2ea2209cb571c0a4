# SPDX-License-Identifier: MIT
"""State of the interface that changes without an event: it is followed, or put back."""
import array
import contextlib
import fcntl
import os
import re
import socket
import struct
import subprocess
import threading

import pytest

import rig as r
from upgrade_rig import installed, upgrade

FCTRL_UPE = 1 << 9
RAH_AV = 1 << 31
SOL_PACKET, PACKET_ADD_MEMBERSHIP = 263, 1
ENTRIES = 128  # receive addresses of an 82599, the first of them the interface's own
MACVLAN_V4 = "192.0.2.3"
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_UNICAST = 263, 1, 3
SIOCETHTOOL, ETHTOOL_GLINKSETTINGS, ETHTOOL_GLINK = 0x8946, 0x4c, 0xa
SPEED_UNKNOWN = 0xffffffff


def others(bridge):
    """The addresses that the NIC receives besides the interface's own."""
    registers = bridge.nic("registers RA")["registers"]
    found = set()
    for low, high in list(zip(registers["RAL"], registers["RAH"]))[1:]:
        if high & RAH_AV:
            found.add(struct.pack("<IH", low, high & 0xffff).hex(":"))
    return found


def promiscuous(bridge):
    return bool(bridge.register("FCTRL") & FCTRL_UPE)


def receives(bridge, *addresses):
    r.wait_for(lambda: others(bridge) == set(addresses), f"{addresses}, not {others(bridge)}", 3)


def send(bridge, *addresses):
    """Frames from the wire to these addresses."""
    with bridge.right.packet_socket(bridge.wire) as wire:
        for address in addresses:
            wire.send(bytes.fromhex(address.replace(":", "")) + bytes.fromhex("02deadbeef02" "88b5") + bytes(60))


def logged(bridge, text):
    return [line for line in bridge.errors().splitlines() if text in line]


# ---- Further addresses ----

def macvlan(rig, bridge, name="mv0", mode="bridge"):
    """A macvlan in a namespace of its own, as a container has it."""
    container = rig.namespace("container")
    bridge.left.run("ip", "link", "add", "link", bridge.tap, "name", name, "type", "macvlan", "mode", mode)
    bridge.left.run("ip", "link", "set", name, "netns", container.name)
    container.run("ip", "address", "add", f"{MACVLAN_V4}/24", "dev", name)
    container.run("ip", "link", "set", name, "up")
    return container


def test_macvlan_is_reached_at_once(rig):
    bridge = rig.bridge()
    container = macvlan(rig, bridge)
    done = container.run("ping", "-n", "-q", "-c", 5, "-i", "0.3", "-W", 1, r.RIGHT_V4, check=False)
    assert int(re.search(r"(\d+) received", done.stdout)[1]) >= 4, done.stdout
    receives(bridge, container.link("mv0")["address"])
    assert not promiscuous(bridge)
    assert bridge.ask("status")["filters"]["unicast_addresses"] == 1
    container.run("ip", "link", "delete", "mv0")
    receives(bridge)
    assert bridge.ask("status")["filters"]["unicast_addresses"] == 0


def test_macvlan_with_another_address(rig):
    """As keepalived changes it, and once more while the interface is down."""
    bridge = rig.bridge()
    container = macvlan(rig, bridge)
    for mac in "00:00:5e:00:01:33", "02:51:52:53:54:55":
        container.run("ip", "link", "set", "mv0", "address", mac)
        receives(bridge, mac)
    bridge.left.run("ip", "link", "set", bridge.tap, "down")
    container.run("ip", "link", "set", "mv0", "address", "02:51:52:53:54:66")
    bridge.left.run("ip", "link", "set", bridge.tap, "up")
    receives(bridge, "02:51:52:53:54:66")
    container.run("ip", "link", "set", "mv0", "up")
    r.wait_for(lambda: container.run("ping", "-n", "-q", "-c", 1, "-W", 1, r.RIGHT_V4,
                                     check=False).returncode == 0, "an answer")


def test_address_in_the_forwarding_database(bridge):
    macs = ["02:31:32:33:34:35", "02:31:32:33:34:36"]
    for mac in macs:
        bridge.left.run("bridge", "fdb", "add", mac, "dev", bridge.tap, "self")
    receives(bridge, *macs)
    with bridge.left.packet_socket(bridge.tap) as tap:
        send(bridge, *macs)
        got = set()
        while len(got) < len(macs):
            frame = tap.recv(2048)
            if frame[12:14] == b"\x88\xb5":
                got.add(frame[:6].hex(":"))
        assert got == set(macs)
    bridge.left.run("bridge", "fdb", "delete", macs[0], "dev", bridge.tap, "self")
    receives(bridge, macs[1])
    assert not promiscuous(bridge)


def test_address_of_a_packet_socket(bridge):
    """It is received while the socket is open. A program that is promiscuous meanwhile is still seen."""
    mac = "02:41:42:43:44:45"
    with bridge.left.packet_socket(bridge.tap) as member:
        member.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                          struct.pack("iHH8s", bridge.left.link(bridge.tap)["ifindex"], PACKET_MR_UNICAST,
                                      6, bytes.fromhex(mac.replace(":", ""))))
        receives(bridge, mac)
        assert not promiscuous(bridge)
        with bridge.left.popen("tcpdump", "-ni", bridge.tap, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) as tcpdump:
            r.wait_for(lambda: promiscuous(bridge), "promiscuous for tcpdump")
            tcpdump.terminate()
        r.wait_for(lambda: not promiscuous(bridge), "not promiscuous without tcpdump")
        assert others(bridge) == {mac}
    receives(bridge)


def test_more_addresses_than_the_nic_has_entries(bridge):
    macs = [f"02:61:00:00:00:{i:02x}" for i in range(ENTRIES)]

    def change(what, which):
        bridge.left.run("bridge", "-batch", "-", input="".join(
            f"fdb {what} {mac} dev {bridge.tap} self\n" for mac in which))

    change("add", macs)
    r.wait_for(lambda: promiscuous(bridge), "promiscuous")
    assert bridge.ask("status")["filters"]["unicast_addresses"] == len(macs)
    change("delete", macs[:1])
    r.wait_for(lambda: not promiscuous(bridge), "as many as fit")
    receives(bridge, *macs[1:])
    change("delete", macs[1:])
    receives(bridge)


def test_more_groups_than_the_filter_takes(bridge):
    """The NIC takes all multicast; how many groups there are is shown all the same."""
    def shown():
        filters = bridge.ask("status")["filters"]
        return filters["multicast_groups"], filters["allmulticast"]

    with bridge.left.packet_socket(bridge.tap) as joined:
        index = bridge.left.link(bridge.tap)["ifindex"]
        for groups in range(600), range(600, 601):
            for i in groups:
                group = b"\x33\x33\0\1" + i.to_bytes(2, "big")
                joined.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("@iHH8s", index, 0, 6, group))
            at_least = groups[-1] + 1  # those of the kernel come and go
            r.wait_for(lambda least=at_least: least <= shown()[0] < least + 20 and shown()[1], f"{at_least} groups", 3)
        text = r.run(r.IXTAP, "-c", bridge.control, "status").stdout
        assert re.search(r"6\d\d multicast groups, all multicast", text), text
    r.wait_for(lambda: shown()[0] < 20 and not shown()[1], "few groups", 3)


def test_macvlan_passthru_is_promiscuous(rig):
    bridge = rig.bridge()
    container = macvlan(rig, bridge, mode="passthru")
    r.wait_for(lambda: promiscuous(bridge), "promiscuous", 3)
    container.run("ip", "link", "delete", "mv0")
    r.wait_for(lambda: not promiscuous(bridge), "not promiscuous", 3)


def test_port_of_a_bridge_is_promiscuous(bridge):
    """The kernel's answer about such a port has all that is behind it, besides its own addresses."""
    bridge.left.run("ip", "link", "add", "br0", "type", "bridge")
    bridge.left.run("ip", "link", "set", bridge.tap, "master", "br0")
    bridge.left.run("bridge", "fdb", "add", "02:81:82:83:84:85", "dev", bridge.tap, "master", "static")
    r.wait_for(lambda: promiscuous(bridge), "promiscuous", 3)
    bridge.left.run("ip", "link", "set", bridge.tap, "nomaster")
    r.wait_for(lambda: not promiscuous(bridge), "not promiscuous", 3)
    receives(bridge)


def test_addresses_outlive_the_nic(bridge):
    mac = "02:71:72:73:74:75"
    bridge.left.run("bridge", "fdb", "add", mac, "dev", bridge.tap, "self")
    receives(bridge, mac)
    r.run("kill", "-9", bridge.ask("status")["nic"]["soft"]["pid"])
    r.wait_for(lambda: bridge.ask("status")["recoveries"] == 1, "another NIC")
    receives(bridge, mac)


# ---- Carrier, and what ethtool shows ----

def carrier_put_back(namespace, device, on):
    """Sets the carrier, and waits until it was set back. The kernel counts both."""
    def count():
        return int(namespace.run("cat", f"/sys/class/net/{device}/carrier_{'down' if on else 'up'}_count").stdout)

    before = count()
    namespace.run("ip", "link", "set", device, "carrier", "on" if on else "off")
    r.wait_for(lambda: count() > before, "the carrier as before", 2)


def test_carrier_set_off_comes_back(bridge):
    for _ in range(2):
        carrier_put_back(bridge.left, bridge.tap, False)
        r.wait_for(lambda: bridge.left.carrier(bridge.tap), "carrier", 5)
        bridge.ping(count=2)
    assert bridge.ask("status")["tap"]["carrier"] is True
    assert len(logged(bridge, "carrier")) == 1, bridge.errors()


def test_carrier_set_on_without_a_link_goes(bridge):
    bridge.nic("link down")
    r.wait_for(lambda: not bridge.left.carrier(bridge.tap), "no carrier")
    carrier_put_back(bridge.left, bridge.tap, True)
    r.wait_for(lambda: bridge.left.link(bridge.tap)["operstate"] == "DOWN", "no carrier", 5)
    assert bridge.ask("status")["tap"]["carrier"] is False
    assert logged(bridge, "carrier")
    bridge.nic("link up")  # a frame that the kernel sent meanwhile waits in the NIC


def test_carrier_of_the_wire_comes_back(bridge):
    """The software NIC's TAP, too, shows the link and nothing else."""
    carrier_put_back(bridge.right, bridge.wire, False)
    r.wait_for(lambda: bridge.right.carrier(bridge.wire), "carrier", 5)
    bridge.ping(count=2)
    bridge.nic("link down")
    r.wait_for(lambda: not bridge.right.carrier(bridge.wire), "no carrier")
    carrier_put_back(bridge.right, bridge.wire, True)


def ethtool(bridge, *more):
    return bridge.left.run("ethtool", *more, bridge.tap).stdout


def test_ethtool_shows_the_module(bridge):
    shown = ethtool(bridge)
    assert "Supported ports: [ FIBRE ]" in shown
    assert re.search(r"Supported link modes: +10000baseSR/Full\n", shown), shown
    assert re.search(r"Advertised link modes: +10000baseSR/Full\n", shown), shown
    assert "Port: FIBRE" in shown
    bridge.nic("link down")
    r.wait_for(lambda: "Speed: Unknown" in ethtool(bridge), "an unknown speed")
    assert "Port: FIBRE" in ethtool(bridge)


def test_link_settings_are_put_back(bridge):
    before = ethtool(bridge)
    for words in ("speed", 1000), ("duplex", "half"), ("port", "tp"), ("phyad", 3), \
            ("speed", 100, "duplex", "half"):
        bridge.left.run("ethtool", "-s", bridge.tap, *words)
        r.wait_for(lambda: ethtool(bridge) == before, f"the settings as before {words}", 3)
    lines = logged(bridge, "link settings")
    assert len(lines) == 1 and "1000" in lines[0], bridge.errors()


@pytest.mark.parametrize("words, said", [
    ("duplex half", ["duplex half"]), ("speed 1000", ["speed 1000 Mbit/s"]), ("port tp", ["port TP"]),
    ("autoneg on", ["autonegotiation on"]), ("speed 100 duplex half", ["speed 100 Mbit/s", "duplex half"])])
def test_what_was_put_back_is_named(bridge, words, said):
    bridge.left.run("ethtool", "-s", bridge.tap, *words.split())
    line = r.wait_for(lambda: logged(bridge, "link settings"), "a line in the log", 3)[0]
    listed = re.search(r"\((.*)\)", line)[1].split(", ")
    named = [item for item in listed if re.match("speed|duplex|port|autonegotiation", item)]
    assert len(named) == len(said) and all(item.startswith(tuple(said)) for item in named), line


def test_mtu_over_the_nics_is_put_back(bridge):
    for mtu in 9711, 9711, 20000:
        bridge.left.run("ip", "link", "set", bridge.tap, "mtu", mtu)
        r.wait_for(lambda: bridge.left.link(bridge.tap)["mtu"] == 1500, "the MTU as before", 3)
    assert len(logged(bridge, "MTU 9711")) == 2, bridge.errors()
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", 9710)
    r.wait_for(lambda: bridge.ask("status")["tap"]["mtu"] == 9710, "the largest MTU")
    assert bridge.left.link(bridge.tap)["mtu"] == 9710


def test_a_queue_without_length_is_put_back(bridge):
    """A TAP without a queue sends nothing."""
    for before, mtu in (1000, 1400), (300, 1300):
        bridge.left.run("ip", "link", "set", bridge.tap, "txqueuelen", before, "mtu", mtu)
        r.wait_for(lambda: bridge.ask("status")["tap"]["mtu"] == mtu, "ixtapd has seen both")
        assert bridge.left.link(bridge.tap)["txqlen"] == before
        bridge.left.run("ip", "link", "set", bridge.tap, "txqueuelen", 0)
        r.wait_for(lambda: bridge.left.link(bridge.tap).get("txqlen") == before, "the length as before", 3)
        bridge.ping()
    assert logged(bridge, "txqueuelen 0"), bridge.errors()


class Spectator:
    """Asks for carrier and speed all the time, and notes a carrier without a speed."""

    def __init__(self, bridge):
        self.name = bridge.tap.encode()
        with bridge.left.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.carriers = self.without_speed = 0
        self.over = threading.Event()
        # The more ask the longer the daemon waits for the kernel's lock between carrier and speed.
        self.threads = [threading.Thread(target=self.look) for _ in range(4)]

    def ask(self, request):
        buffer = array.array("B", request)
        address, _ = buffer.buffer_info()
        fcntl.ioctl(self.socket, SIOCETHTOOL, struct.pack("16sP16x", self.name, address))
        return buffer.tobytes()

    def look(self):
        words = -struct.unpack_from("b", self.ask(struct.pack("=I508x", ETHTOOL_GLINKSETTINGS)), 15)[0]
        settings = struct.pack("=I11xb496x", ETHTOOL_GLINKSETTINGS, words)
        while not self.over.is_set():
            # The carrier first: the speed is never older than it.
            carrier = struct.unpack("=II", self.ask(struct.pack("=II", ETHTOOL_GLINK, 0)))[1]
            speed = struct.unpack_from("=I", self.ask(settings), 4)[0]
            self.carriers += carrier
            self.without_speed += carrier and speed in (0, SPEED_UNKNOWN)

    @contextlib.contextmanager
    def looking(self):
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in self.threads:
                thread.join()
            self.socket.close()


def test_speed_is_there_when_carrier_comes(bridge):
    bridge.nic("link down")
    r.wait_for(lambda: not bridge.left.carrier(bridge.tap), "no carrier")
    for _ in range(15):
        spectator = Spectator(bridge)
        with spectator.looking():
            bridge.nic("link up")
            r.wait_for(lambda: spectator.carriers > 5, "carrier")
        assert spectator.without_speed == 0
        bridge.nic("link down")
        r.wait_for(lambda: not bridge.ask("status")["tap"]["carrier"], "no carrier")


def test_what_is_shown_is_kept_without_a_nic(rig):
    """While the NIC is away, too, carrier and MTU are what they can be."""
    left, right = rig.namespace("left"), rig.namespace("right")
    nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", "tap:wire0", "--netns", right.name)
    nic.wait_ready()
    bridge = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap", "tap0",
                                    "--up", "--control", rig.path("control"))).wait_ready()
    right.run("ip", "link", "set", "wire0", "up")
    r.wait_for(lambda: left.carrier("tap0"), "carrier")
    nic.kill()
    r.wait_for(lambda: not left.carrier("tap0"), "no carrier without a NIC")
    carrier_put_back(left, "tap0", True)
    left.run("ip", "link", "set", "tap0", "mtu", 9711)
    r.wait_for(lambda: left.link("tap0")["mtu"] == 1500, "the MTU as before", 2)
    assert bridge.stop() == 0, bridge.errors()


# ---- What an interface has from before ----

def again(rig, bridge, *options):
    """The bridge is stopped; another one takes its interface over, with the NIC's own address."""
    assert bridge.stop() == 0, bridge.errors()
    daemon = rig.daemon(*bridge.left.words(r.IXTAPD, "--nic", "soft:tap:wire1", "--tap", bridge.tap,
                                           "--control", bridge.control, "--persist", *options))
    return daemon.wait_ready()


def test_surviving_address_is_kept(rig):
    bridge = rig.bridge("--persist")
    left = bridge.left
    left.run("ip", "link", "set", bridge.tap, "address", "02:11:22:33:44:66")
    second = again(rig, bridge)
    assert left.link(bridge.tap)["address"] == "02:11:22:33:44:66"
    assert r.ask(bridge.control, "status")["nic"]["mac"] == "02:11:22:33:44:66"
    assert second.stop() == 0
    third = again(rig, bridge, "--mac", "02:11:22:33:44:77")
    assert left.link(bridge.tap)["address"] == "02:11:22:33:44:77", "an option names another"
    assert third.stop() == 0
    left.run("ip", "link", "delete", bridge.tap)


def test_surviving_settings_are_kept(rig):
    bridge = rig.bridge("--persist")
    left, tap = bridge.left, bridge.tap
    left.run("ethtool", "-K", tap, "tx", "off")
    left.run("ip", "link", "set", tap, "mtu", 1400, "txqueuelen", 77, "promisc", "on", "down")
    features = left.run("ethtool", "-k", tap).stdout
    second = again(rig, bridge)
    link = left.link(tap)
    assert (link["mtu"], link["txqlen"]) == (1400, 77)
    assert "PROMISC" in link["flags"] and "UP" not in link["flags"]
    assert left.run("ethtool", "-k", tap).stdout == features
    assert second.stop() == 0
    left.run("ip", "link", "delete", tap)


def test_address_that_the_kernel_made_up_is_replaced(rig):
    """A TAP that was made beforehand has an address at random, unless somebody set one."""
    left = rig.namespace("left")
    for chosen in None, "02:21:22:23:24:25":
        left.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue", "vnet_hdr")
        if chosen:
            left.run("ip", "link", "set", "tap0", "address", chosen)
        daemon = rig.daemon(r.IXTAPD, "--netns", left.name, "--nic", "soft:tap:ixtfollow-w", "--tap", "tap0",
                            "--persist", "--control", rig.path("control")).wait_ready()
        status = r.ask(rig.path("control"), "status")["nic"]
        assert left.link("tap0")["address"] == (chosen or status["mac_permanent"])
        assert status["mac"] == left.link("tap0")["address"]
        assert daemon.stop() == 0
        left.run("ip", "link", "delete", "tap0")


def test_status_shows_where_workers_may_run(rig):
    """Processors are taken and given by others: taskset, a cpuset."""
    bridge = rig.bridge("--queues", 2, connected=False)
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("one processor")

    def cpus():
        return [queue["cpu"] for queue in bridge.ask("status")["queues"]]

    assert cpus() == allowed[::-1][:2], "as it was started"
    threads, driver = {}, bridge.ask("status")["driver"]["pid"]
    for task in os.listdir(f"/proc/{driver}/task"):
        with open(f"/proc/{driver}/task/{task}/comm", encoding="ascii") as name:
            threads[name.read().strip()] = int(task)
    r.run("taskset", "-p", "-c", allowed[0], threads["queue-0"])
    r.wait_for(lambda: cpus() == [allowed[0], allowed[-2]], "a worker that was moved")
    r.run("taskset", "-p", "-c", f"{allowed[0]},{allowed[1]}", threads["queue-1"])
    r.wait_for(lambda: cpus() == [allowed[0], -1], "a worker that may run on two")


# ---- Settings of the TAP that another program changes by attaching to it

TUNSETIFF, TUNSETPERSIST, TUNSETOFFLOAD, TUNSETTXFILTER = 0x400454ca, 0x400454cb, 0x400454d0, 0x400454d1
TUNGETIFF, TUNSETSNDBUF, TUNATTACHFILTER = 0x800454d2, 0x400454d4, 0x401054d5
TUNSETVNETHDRSZ, TUNSETVNETLE = 0x400454d8, 0x400454dc
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE, IFF_PERSIST = 2, 0x1000, 0x4000, 0x100, 0x800


def tap_ioctl(namespace, name, *requests, kind=IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE):
    """What a program does that attaches to the TAP, and ends. The answers of the requests that have one."""
    with namespace.entered():
        tap = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), kind))
        return [fcntl.ioctl(tap, *request) for request in requests]
    finally:
        os.close(tap)


def drop_all():
    """A classic filter that lets nothing through: what it is kept in, and the request's argument."""
    code = array.array("B", struct.pack("=HBBI", 6, 0, 0, 0))
    return code, struct.pack("H6xQ", 1, code.buffer_info()[0])


@pytest.mark.parametrize("request_, value, said", [
    (TUNSETVNETHDRSZ, 10, "headers of 10 bytes"), (TUNSETVNETHDRSZ, 70000, "headers of 70000 bytes"),
    (TUNSETVNETLE, 0, "headers in the machine's byte order"), (TUNSETSNDBUF, 1, "a send buffer of 1 bytes"),
    (TUNATTACHFILTER, None, "a filter"), (TUNSETTXFILTER, "txfilter", None)],
    ids=["header", "long header", "byte order", "send buffer", "filter", "address filter"])
def test_settings_of_the_tap_are_put_back(bridge, request_, value, said):
    bridge.ping()
    code, program = drop_all()
    no_address = array.array("B", struct.pack("HH6s", 0, 1, bytes(6)))
    argument = program if value is None else no_address.tobytes() if value == "txfilter" else struct.pack("i", value)
    tap_ioctl(bridge.left, bridge.tap, (request_, argument))
    if said:
        line = r.wait_for(lambda: logged(bridge, "set back"), "a line in the log", 3)
        assert len(line) == 1 and said in line[0] and bridge.tap in line[0], line
    r.wait_for(lambda: bridge.right.run("ping", "-n", "-q", "-c", 1, "-W", 1, r.LEFT_V4, check=False).returncode == 0,
               "an answer", 5)
    bridge.ping(count=3)
    assert bridge.ask("status")["recoveries"] == 0, bridge.errors()
    del code


@pytest.mark.parametrize("options, there", [(["--persist"], True), ([], False)], ids=["persistent", "not"])
def test_persistence_is_put_back(rig, options, there):
    bridge = rig.bridge(*options)
    tap_ioctl(bridge.left, bridge.tap, (TUNSETPERSIST, 0 if there else 1))
    line = r.wait_for(lambda: logged(bridge, "set back"), "a line in the log", 3)
    assert "persistent" in line[0], line
    answer = tap_ioctl(bridge.left, bridge.tap, (TUNGETIFF, bytes(40)))[0]
    assert bool(struct.unpack_from("16xH", answer)[0] & IFF_PERSIST) is there
    assert bridge.stop() == 0, bridge.errors()
    assert bridge.left.has(bridge.tap) is there
    if there:
        bridge.left.run("ip", "link", "delete", bridge.tap)


def offloads(namespace, name):
    """Each offload of the TAP: on, off, or "requested"."""
    text = namespace.run("ethtool", "-k", name).stdout
    found = re.findall(r"^\s*(tx-(?:checksum-ip-generic|tcp-segmentation|tcp6-segmentation|tcp-ecn-segmentation"
                       r"|udp-segmentation)): (.*)$", text, re.M)
    return {key: "requested" if "requested on" in value else value.split()[0] for key, value in found}


@pytest.mark.parametrize("value", [0, 1, 7], ids=["none", "csum", "csum and tso"])
@pytest.mark.parametrize("words", ["", "tx off", "tso off", "tx-udp-segmentation off"])
def test_offloads_of_the_tap_are_put_back(bridge, value, words):
    """Those that the administrator switched off stay off."""
    if words:
        bridge.left.run("ethtool", "-K", bridge.tap, *words.split())
        r.wait_for(lambda: len(bridge.ask("status")["offloads"]) < 6, "it is seen")
    before = offloads(bridge.left, bridge.tap)
    tap_ioctl(bridge.left, bridge.tap, (TUNSETOFFLOAD, value))
    r.wait_for(lambda: logged(bridge, "offloads"), "a line in the log", 3)
    r.wait_for(lambda: offloads(bridge.left, bridge.tap) == before, "the offloads as before", 3)
    bridge.left.run("ethtool", "-K", bridge.tap, "tx", "on", "tso", "on", "tx-udp-segmentation", "on")
    assert set(offloads(bridge.left, bridge.tap).values()) == {"on"}
    bridge.ping()


def test_offloads_that_are_switched_off_stay_off(bridge):
    for words in "tso off", "tx-udp-segmentation off", "tx off", "tx on tso on tx-udp-segmentation on":
        bridge.left.run("ethtool", "-K", bridge.tap, *words.split())
        wanted = {"tso off": ["csum", "uso4", "uso6"], "tx-udp-segmentation off": ["csum"], "tx off": []}.get(
            words, ["csum", "tso4", "tso6", "tso_ecn", "uso4", "uso6"])
        r.wait_for(lambda wanted=wanted: bridge.ask("status")["offloads"] == wanted, f"{words} in the status", 3)
        before = offloads(bridge.left, bridge.tap)
        bridge.left.run("ip", "link", "set", bridge.tap, "mtu", 1400)
        bridge.left.run("ip", "link", "set", bridge.tap, "mtu", 1500)
        r.wait_for(lambda: bridge.ask("status")["tap"]["mtu"] == 1500, "it is seen")
        assert offloads(bridge.left, bridge.tap) == before
    assert not logged(bridge, "offloads"), bridge.errors()


@pytest.mark.parametrize("isolation", ["off", "best", "require"])
def test_the_tap_is_put_back_in_isolation_and_after_an_upgrade(rig, isolation):
    bridge = rig.bridge("--isolation", isolation)
    bridge.left.run("ethtool", "-K", bridge.tap, "tso", "off")
    r.wait_for(lambda: len(bridge.ask("status")["offloads"]) == 3, "it is seen")
    before = offloads(bridge.left, bridge.tap)
    for upgrades in range(2):
        code, program = drop_all()
        tap_ioctl(bridge.left, bridge.tap, (TUNSETVNETHDRSZ, struct.pack("i", 10)), (TUNATTACHFILTER, program),
                  (TUNSETOFFLOAD, 0))
        for text in "headers of 10 bytes", "its offloads":
            r.wait_for(lambda text=text: len(logged(bridge, text)) == upgrades + 1, f"a line: {text}", 3)
        r.wait_for(lambda: offloads(bridge.left, bridge.tap) == before, "the offloads as before", 3)
        r.wait_for(lambda: bridge.right.run("ping", "-n", "-q", "-c", 1, "-W", 1, r.LEFT_V4, check=False).returncode == 0,
                   "an answer", 5)
        del code
        # With a user of its own ixtapd executes only what others may reach: the build tree may be root's alone.
        upgrade(bridge, installed(rig, f"next{upgrades}"))
        bridge.ping()
        assert offloads(bridge.left, bridge.tap) == before
    assert len(logged(bridge, "another program attached")) == 4, bridge.errors()
    assert bridge.ask("status")["offloads"] == ["csum", "uso4", "uso6"]


def test_the_tap_is_put_back_where_it_cannot_be_followed(rig):
    """With `require` ixtapd does not go to another namespace; the descriptors work wherever the TAP is."""
    bridge = rig.bridge("--isolation", "require")
    away = rig.namespace("away")
    bridge.left.run("ip", "link", "set", bridge.tap, "netns", away.name)
    away.run("ip", "address", "add", f"{r.LEFT_V4}/24", "dev", bridge.tap)
    away.run("ip", "link", "set", bridge.tap, "up")
    tap_ioctl(away, bridge.tap, (TUNSETVNETHDRSZ, struct.pack("i", 10)))
    r.wait_for(lambda: logged(bridge, "headers of 10 bytes"), "a line in the log", 3)
    r.wait_for(lambda: away.run("ping", "-n", "-q", "-c", 1, "-W", 1, r.RIGHT_V4, check=False).returncode == 0,
               "an answer", 5)
    assert bridge.stop() == 0, bridge.errors()
