# SPDX-License-Identifier: MIT
"""What the administrator does with ip, tcpdump and ethtool reaches the NIC, and the other way."""
import json
import re
import socket
import subprocess

import rig as r

FCTRL_MPE, FCTRL_UPE = 1 << 8, 1 << 9
RAH_AV = 1 << 31


def mta_bit(bridge, mac):
    """Section 7.1.1.2, with MCSTCTRL.MO 0: bits 47:36 of the address choose the bit."""
    octets = bytes.fromhex(mac.replace(":", ""))
    vector = octets[4] >> 4 | octets[5] << 4
    return bridge.register("MTA", vector >> 5) >> (vector & 31) & 1


def wait_register(bridge, name, mask, value):
    r.wait_for(lambda: bridge.register(name) & mask == value, f"{name} & {mask:#x} == {value:#x}")


def test_promiscuous(bridge):
    wait_register(bridge, "FCTRL", FCTRL_UPE, 0)
    bridge.left.run("ip", "link", "set", bridge.tap, "promisc", "on")
    wait_register(bridge, "FCTRL", FCTRL_UPE, FCTRL_UPE)
    assert bridge.ask("status")["filters"]["promiscuous"] is True
    bridge.left.run("ip", "link", "set", bridge.tap, "promisc", "off")
    wait_register(bridge, "FCTRL", FCTRL_UPE, 0)


def test_tcpdump_is_promiscuous_and_sees_others_frames(bridge):
    foreign = bytes.fromhex("02deadbeef01" "02deadbeef02" "88b5") + bytes(60)
    with bridge.left.popen("tcpdump", "-ni", bridge.tap, "-c", "1", "-l", "ether", "proto", "0x88b5",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tcpdump:
        try:
            wait_register(bridge, "FCTRL", FCTRL_UPE, FCTRL_UPE)
            # What comes before its filter is set is thrown away, and that is after it has made the interface promiscuous.
            while "listening on" not in tcpdump.stderr.readline():
                assert tcpdump.poll() is None
            with bridge.right.packet_socket(bridge.wire) as wire:
                wire.send(foreign)
            output, _ = tcpdump.communicate(timeout=r.DEADLINE_S)
        finally:
            tcpdump.kill()
    assert "02:de:ad:be:ef:02" in output
    wait_register(bridge, "FCTRL", FCTRL_UPE, 0)


def test_frames_for_others_are_filtered(bridge):
    """The NIC drops frames for others, also the multicast that the far end's kernel sends at any time."""
    def dropped():
        return bridge.nic("counters")["counters"]["rx_drop_address"]

    source = bytes.fromhex("02deadbeef02")
    before = dropped()
    with bridge.left.packet_socket(bridge.tap) as tap, bridge.right.packet_socket(bridge.wire) as wire:
        for to in ["02deadbeef01"] * 100 + ["ffffffffffff"]:
            wire.send(bytes.fromhex(to) + source + b"\x88\xb5" + bytes(60))
        while (frame := tap.recv(2048))[6:12] != source:
            pass
    assert frame[:6] == bytes.fromhex("ffffffffffff")
    assert dropped() >= before + 100


def test_allmulticast(bridge):
    bridge.left.run("ip", "link", "set", bridge.tap, "allmulticast", "on")
    wait_register(bridge, "FCTRL", FCTRL_MPE, FCTRL_MPE)
    bridge.left.run("ip", "link", "set", bridge.tap, "allmulticast", "off")
    wait_register(bridge, "FCTRL", FCTRL_MPE, 0)


def test_multicast_group(bridge):
    """A program joins a group: the group's bit is in the MTA, and its frames pass."""
    mac = "01:00:5e:41:52:63"
    assert mta_bit(bridge, mac) == 0
    with bridge.left.entered():
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    index = bridge.left.link(bridge.tap)["ifindex"]
    member.bind(("239.65.82.99", 5000))
    member.settimeout(r.DEADLINE_S)
    member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                      socket.inet_aton("239.65.82.99") + bytes(4) + index.to_bytes(4, "little"))
    r.wait_for(lambda: mta_bit(bridge, mac) == 1, "the MTA bit of the group")
    with bridge.right.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(r.RIGHT_V4))
    sender.sendto(b"to the group", ("239.65.82.99", 5000))
    assert member.recv(64) == b"to the group"
    sender.close()
    member.close()
    r.wait_for(lambda: mta_bit(bridge, mac) == 0, "the MTA bit goes")


def test_multicast_address_by_hand(bridge):
    mac = "33:33:00:00:ab:cd"
    bridge.left.run("ip", "maddress", "add", mac, "dev", bridge.tap)
    r.wait_for(lambda: mta_bit(bridge, mac) == 1, "the MTA bit")
    bridge.left.run("ip", "maddress", "delete", mac, "dev", bridge.tap)
    r.wait_for(lambda: mta_bit(bridge, mac) == 0, "the MTA bit goes")


def test_mac_change(bridge):
    bridge.left.run("ip", "link", "set", bridge.tap, "address", "02:11:22:33:44:55")
    r.wait_for(lambda: bridge.register("RAL", 0) == 0x33221102, "RAL")
    r.wait_for(lambda: bridge.register("RAH", 0) & (0xffff | RAH_AV) == 0x5544 | RAH_AV, "RAH")
    status = bridge.ask("status")["nic"]
    assert status["mac"] == "02:11:22:33:44:55"
    bridge.right.run("ip", "neighbour", "flush", "all")
    bridge.ping()


def test_mtu_change_while_running(bridge):
    bridge.right.run("ip", "link", "set", bridge.wire, "mtu", "9000")
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "9000")
    r.wait_for(lambda: bridge.register("MAXFRS") >> 16 >= 9018, "MAXFRS")
    bridge.ping("-M", "do", "-s", "8972")
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "1500")
    r.wait_for(lambda: bridge.ask("status")["nic"]["mtu"] == 1500, "MTU 1500")
    bridge.ping("-M", "do", "-s", "1472")


def test_mtu_the_nic_cannot_have(bridge):
    """The TAP takes an MTU up to 65,521, the NIC up to 9,710. Above that the old MTU comes back."""
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "20000", check=False)
    r.wait_for(lambda: bridge.left.link(bridge.tap)["mtu"] == 1500, "the MTU as before")
    bridge.ping()


def test_down_turns_the_laser_off(bridge):
    bridge.left.run("ip", "link", "set", bridge.tap, "down")
    r.wait_for(lambda: not bridge.right.carrier(bridge.wire), "the far end loses carrier")
    assert bridge.nic("status")["laser"] is False
    assert bridge.ask("status")["state"] == "down"
    bridge.left.run("ip", "link", "set", bridge.tap, "up")
    r.wait_for(lambda: bridge.left.carrier(bridge.tap) and bridge.right.carrier(bridge.wire),
               "carrier comes back")
    assert bridge.nic("status")["laser"] is True
    bridge.ping()


def test_cable_pulled_is_no_carrier(bridge):
    bridge.nic("link down")
    r.wait_for(lambda: not bridge.left.carrier(bridge.tap), "no carrier")
    link = bridge.left.link(bridge.tap)
    assert link["operstate"] == "DOWN"
    assert "UP" in link["flags"], "the administrator's state is untouched"
    assert bridge.ask("status")["state"] == "waiting"
    bridge.nic("link up")
    r.wait_for(lambda: bridge.left.carrier(bridge.tap), "carrier")
    r.wait_for(lambda: bridge.left.link(bridge.tap)["operstate"] in ("UP", "UNKNOWN"), "operstate")
    assert bridge.ask("status")["link"] == {"up": True, "speed_mbps": 10000}
    bridge.ping()


def test_ethtool(bridge):
    shown = bridge.left.run("ethtool", bridge.tap).stdout
    assert re.search(r"Speed: 10000Mb/s", shown)
    assert re.search(r"Duplex: Full", shown)
    assert re.search(r"Link detected: yes", shown)
    assert "driver: tun" in bridge.left.run("ethtool", "-i", bridge.tap).stdout


def test_rename(bridge):
    bridge.left.run("ip", "link", "set", bridge.tap, "down")
    bridge.left.run("ip", "link", "set", bridge.tap, "name", "uplink0")
    bridge.left.run("ip", "link", "set", "uplink0", "up")
    bridge.tap = "uplink0"
    r.wait_for(lambda: bridge.ask("status")["tap"]["name"] == "uplink0", "the new name")
    r.wait_for(lambda: bridge.left.carrier("uplink0"), "carrier")
    bridge.left.run("ip", "link", "set", "uplink0", "promisc", "on")
    wait_register(bridge, "FCTRL", FCTRL_UPE, FCTRL_UPE)
    bridge.ping()


def test_move_to_another_namespace(rig):
    bridge = rig.bridge()
    elsewhere = rig.namespace("elsewhere")
    bridge.left.run("ip", "link", "set", bridge.tap, "netns", elsewhere.name)
    bridge.left = elsewhere
    elsewhere.run("ip", "address", "add", f"{r.LEFT_V4}/24", "dev", bridge.tap)
    elsewhere.run("ip", "link", "set", bridge.tap, "up")
    r.wait_for(lambda: elsewhere.carrier(bridge.tap), "carrier")
    bridge.ping()
    elsewhere.run("ip", "link", "set", bridge.tap, "address", "02:11:22:33:44:55")
    r.wait_for(lambda: bridge.register("RAL", 0) == 0x33221102, "RAL follows there too")


def test_interface_deleted(bridge):
    """When somebody deletes the interface the daemon says so and ends."""
    bridge.left.run("ip", "link", "delete", bridge.tap)
    assert bridge.wait() in (0, 1)
    assert bridge.errors().strip()


def test_monitor_tells(rig):
    bridge = rig.bridge()
    with subprocess.Popen([r.IXTAP, "-j", "--control", bridge.control, "monitor"], text=True,
                          stdout=subprocess.PIPE, env=r.environment()) as monitor:
        try:
            first = json.loads(monitor.stdout.readline())
            assert first["event"] == "start"
            assert first["status"]["tap"]["name"] == bridge.tap
            bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "1400")
            bridge.left.run("ip", "link", "set", bridge.tap, "promisc", "on")
            bridge.left.run("ip", "address", "add", "198.51.100.7/24", "dev", bridge.tap)
            bridge.nic("link down")
            wanted = [{"event": "mtu", "mtu": 1400}, {"event": "promiscuous", "on": True},
                      {"event": "address", "address": "198.51.100.7/24", "added": True},
                      {"event": "link", "up": False}]
            for line in monitor.stdout:
                event = json.loads(line)
                wanted = [want for want in wanted if not want.items() <= event.items()]
                if not wanted:
                    break
            assert not wanted, wanted
        finally:
            monitor.kill()
