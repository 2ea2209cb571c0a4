# SPDX-License-Identifier: MIT
"""What ethtool -K and `ixtap features` set, the bytes that raw readers see, the longest frame, and the
counts of frames that neither ixtapd nor the NIC lost.

    kernel (namespace left)-- TAP -- ixtapd ==vfio-user== ixnic --seqpacket-- test
"""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

import rig as r
from test_kernel_frames import (ETHER, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, TCP4, TCP6, UDP4,
                                SOL_PACKET, PACKET_VNET_HDR, ours, send, summed, vnet)
from test_wire_frames import Wire

TCP_HEADER, UDP_HEADER = 20, 8


@pytest.fixture
def wire(rig):
    made = Wire(rig)
    yield made
    made.probe()
    made.socket.close()


@pytest.fixture
def tap(wire):
    with wire.bridge.left.packet_socket(wire.bridge.tap) as raw:
        raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        yield raw


# ---- The longest frame ----

TAGS = {
    "untagged": [],
    "tag": [Dot1Q(vlan=5)],
    "service tag": [Dot1AD(vlan=6)],
    "two tags": [Dot1Q(vlan=5), Dot1Q(vlan=6)],
    "tag in a service tag": [Dot1AD(vlan=5), Dot1Q(vlan=6)],
}


def one_segment(base, layer, length, tags):
    """(vnet header, frame) of `length` bytes that ask for one segment: the kernel does not hold it
    against the MTU."""
    frame = ETHER.copy()
    for tag in tags:
        frame = frame / tag
    headers = len(bytes(frame / base.payload))
    frame = frame / summed_payload(base, layer, length - headers)
    start = headers - (TCP_HEADER if layer is TCP else UDP_HEADER)
    gso = GSO_UDP_L4 if layer is UDP else GSO_TCPV6 if IPv6 in base else GSO_TCPV4
    return (vnet(NEEDS_CSUM, gso, headers, length - headers, start, 16 if layer is TCP else 6), bytes(frame))


def summed_payload(base, layer, payload_bytes):
    network = IP if IP in base else IPv6
    return network(summed(base, layer, payload_bytes)[len(ETHER):])


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("mtu", [1500, 1400, 9000])
def test_the_longest_frame_is_that_of_its_own_framing(wire, tap, mtu, tags):
    """Up to the MTU behind Ethernet header and tags, a frame goes out. A longer one is dropped by name, and
    never handed to a NIC that would lose it."""
    bridge = wire.bridge
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", mtu)
    r.wait_for(lambda: bridge.ask("status")["nic"]["mtu"] == mtu, "the MTU")
    limit = mtu + 14 + 4 * len(TAGS[tags])
    before = bridge.counters()
    lengths = [limit + more for more in (-1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 12, 40)]
    for length in lengths:
        for base, layer in (TCP4, TCP), (TCP6, TCP), (UDP4, UDP):
            assert send(tap, *one_segment(base, layer, length, TAGS[tags]))
    got = [len(wire.receive(lambda frame: ours(frame) and (TCP in frame or UDP in frame)))
           for _ in range(6)]
    assert sorted(got) == [limit - 1] * 3 + [limit] * 3
    r.wait_for(lambda: bridge.counter("tx_drop_oversize") == before["tx_drop_oversize"] +
               3 * (len(lengths) - 2), f"the others are dropped by name: {bridge.counters()}")


# ---- ethtool -K, and `ixtap features` ----

def ixtap(bridge, *words, **more):
    return r.run(r.IXTAP, "-c", bridge.control, *words, **more)


def longest_received(bridge):
    """The longest frame that a raw reader sees while TCP comes in."""
    with bridge.left.packet_socket(bridge.tap) as raw:
        assert bridge.iperf("-R")["sum_received"]["bytes"] > 1 << 20
        raw.setblocking(False)
        longest = 0
        while True:
            try:
                longest = max(longest, raw.recv_into(bytearray(1), 1, socket.MSG_TRUNC))
            except BlockingIOError:
                return longest


def merges(bridge):
    """The reader's memory has room for the first frames alone, and those of a slow start may come one by one."""
    r.wait_for(lambda: longest_received(bridge) > 1514, "frames are merged")


def test_gro_off_means_no_merging(bridge):
    merges(bridge)
    bridge.left.run("ethtool", "-K", bridge.tap, "gro", "off")
    r.wait_for(lambda: "gro off" in bridge.errors(), "followed without a question")
    assert bridge.ask("features") == {"rx": "on", "gro": False, "coalesce": True, "merging": False}
    before = bridge.counter("rx_coalesced")
    assert longest_received(bridge) <= 1514
    assert bridge.counter("rx_coalesced") == before
    os.kill(bridge.ask("status")["nic"]["soft"]["pid"], signal.SIGKILL)
    r.wait_for(lambda: bridge.ask("status")["recoveries"] == 1, "the NIC is back")
    assert bridge.ask("features")["merging"] is False
    bridge.left.run("ethtool", "-K", bridge.tap, "gro", "on")
    r.wait_for(lambda: "gro on" in bridge.errors(), "followed")
    assert bridge.ask("features")["merging"] is True


def test_gro_is_followed_elsewhere_and_by_another_name(rig):
    bridge = rig.bridge(connected=False)
    elsewhere = rig.namespace("elsewhere")
    bridge.left.run("ip", "link", "set", bridge.tap, "netns", elsewhere.name, "name", "uplink0")
    bridge.left, bridge.tap = elsewhere, "uplink0"
    r.wait_for(lambda: bridge.ask("status")["tap"]["name"] == "uplink0", "moved")
    bridge.left.run("ethtool", "-K", bridge.tap, "gro", "off")
    r.wait_for(lambda: "uplink0: rx on, gro off" in bridge.errors(), "followed")


def test_what_a_persistent_interface_has_is_followed_from_the_start(rig):
    left = rig.namespace("left")
    left.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue", "vnet_hdr")
    left.run("ethtool", "-K", "tap0", "gro", "off")
    daemon = rig.daemon(*left.words(r.IXTAPD, "--tap", "tap0", "--nic", f"soft:seqpacket:{rig.path('wire')}",
                                    "--control", rig.path("control"))).wait_ready()
    assert r.ask(rig.path("control"), "features")["gro"] is False
    assert daemon.stop() == 0


def test_rx_off_means_frames_as_on_the_wire(bridge):
    """tcpdump finds no wrong checksum in what has come in, and no frame longer than the wire's."""
    shown = ixtap(bridge, "features", "rx", "off").stdout
    assert re.search(r"rx +off", shown) and re.search(r"merging +off", shown)
    with bridge.left.popen("tcpdump", "-nvvi", bridge.tap, "-Q", "in", "-c", "200", "tcp",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tcpdump:
        try:
            while "listening" not in tcpdump.stderr.readline():
                assert tcpdump.poll() is None
            bridge.iperf("-R")
            output, _ = tcpdump.communicate(timeout=r.DEADLINE_S)
        finally:
            tcpdump.kill()
    assert output.count("(correct)") >= 200
    assert "incorrect" not in output
    assert max(map(int, re.findall(r", length (\d+)\)", output))) <= 1500
    shown = ixtap(bridge, "features", "rx", "on").stdout
    assert re.search(r"rx +on", shown) and re.search(r"merging +on", shown)
    merges(bridge)


def single_frames():
    """Frames that all differ, of many lengths, with right checksums."""
    ends = {IP: (r.RIGHT_V4, r.LEFT_V4), IPv6: (r.RIGHT_V6, r.LEFT_V6)}
    for network, (source, destination) in ends.items():
        for layer in (TCP, UDP):
            for tags in ([], [Dot1Q(vlan=5)]):
                frame = FOREIGN.copy()
                for tag in tags:
                    frame = frame / tag
                frame = frame / network(src=source, dst=destination) / layer(sport=1000, dport=9)
                head = len(bytes(frame))
                for length in (100, 255, 256, 257, 700, 1001, 1514):
                    yield bytes(frame / (bytes(range(251)) * 6)[:length - head])


FOREIGN = Ether(dst=r.NIC_MAC, src="02:00:00:00:00:77")


def received_as(wire, frames):
    """What a raw reader sees of these frames, with their tag put back."""
    with wire.bridge.left.packet_socket(wire.bridge.tap) as raw:
        raw.setsockopt(SOL_PACKET, 8, 1)  # PACKET_AUXDATA: the kernel moves the tag there
        for frame in frames:
            wire.send(frame)
        got = []
        while len(got) < len(frames):
            data, extra, _, _ = raw.recvmsg(65536, 256)
            if data[6:12] != frames[0][6:12]:
                continue
            aux = next(value for level, kind, value in extra if (level, kind) == (SOL_PACKET, 8))
            status, _, _, _, _, tci, _ = struct.unpack("<IIIHHHH", aux)
            got.append(data[:12] + struct.pack(">HH", 0x8100, tci) + data[12:] if status & 0x10 else data)
        return got


def test_single_frames_keep_the_bytes_of_the_wire(wire):
    """Unless somebody asks for frames without checksums, of 256 bytes and more."""
    frames = [frame for frame in single_frames() if len(frame) >= 60]
    for rx in ("on", "off"):
        ixtap(wire.bridge, "features", "rx", rx)
        assert received_as(wire, frames) == frames, rx
    ixtap(wire.bridge, "features", "rx", "all")
    for sent, got in zip(frames, received_as(wire, frames)):
        assert (sent == got) == (len(sent) < 256), len(sent)
    assert wire.bridge.counter("rx_csum_verified") == 3 * len(frames)


def test_rx_checksum_at_the_start(rig):
    with open(rig.path("conf"), "w", encoding="ascii") as conf:
        conf.write("rx-checksum = off\n")
    for words, rx in ((["--rx-checksum", "all"], "all"), (["--config", rig.path("conf")], "off"),
                      (["--config", rig.path("conf"), "--rx-checksum", "on"], "on")):
        bridge = rig.bridge(*words, connected=False)
        features = bridge.ask("features")
        assert (features["rx"], features["merging"]) == (rx, rx != "off")
        assert bridge.stop() == 0


@pytest.mark.parametrize("words, part", [
    (["features", "rx", "maybe"], "on, off or all"),
    (["features", "rx"], "say which"),
    (["features", "gro", "off"], "ethtool -K"),
])
def test_features_that_cannot_be(bridge, words, part):
    assert part in r.ask(bridge.control, " ".join(words))["error"]


def test_the_monitor_tells_of_features(bridge):
    with subprocess.Popen([r.IXTAP, "-j", "-c", bridge.control, "monitor"], text=True,
                          stdout=subprocess.PIPE, env=r.environment()) as monitor:
        try:
            monitor.stdout.readline()
            bridge.left.run("ethtool", "-K", bridge.tap, "gro", "off")
            event = next(event for event in map(json.loads, monitor.stdout)
                         if event["event"] == "features")
            assert (event["rx"], event["gro"], event["merging"]) == ("on", False, False)
        finally:
            monitor.kill()


@pytest.mark.parametrize("feature, counter", [("tso", "tx_tso"), ("tx", "tx_csum_offload")])
def test_what_the_kernel_does_itself(bridge, feature, counter):
    bridge.left.run("ethtool", "-K", bridge.tap, feature, "off")
    before = bridge.counters()
    assert bridge.iperf()["sum_received"]["bytes"] > 1 << 20
    assert bridge.counter(counter) == before[counter]
    assert bridge.counter("tx_tso") == before["tx_tso"], "segments need checksums"


# ---- What is lost, or counted, outside of ixtapd ----

def link_stats(bridge):
    shown = bridge.left.run("ip", "-s", "-j", "link", "show", "dev", bridge.tap).stdout
    return json.loads(shown)[0]["stats64"]


@contextlib.contextmanager
def asleep(bridge):
    """The driver does nothing meanwhile, once each of its threads has stopped."""
    driver = bridge.ask("status")["driver"]["pid"]

    def stopped():
        tasks = f"/proc/{driver}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat", encoding="utf-8", errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] != "T":
                    return False
        return True

    os.kill(driver, signal.SIGSTOP)
    try:
        r.wait_for(stopped, "all threads stop")
        yield
    finally:
        os.kill(driver, signal.SIGCONT)


def test_what_the_kernel_drops_is_told(bridge):
    """The TAP's own queue is full: every frame that was sent is received by ixtapd or counted."""
    bridge.left.run("ip", "link", "set", bridge.tap, "txqueuelen", "10")
    before, sent = bridge.counters(), 2000
    assert before["kernel_drop"] == link_stats(bridge)["tx"]["dropped"]
    with bridge.left.packet_socket(bridge.tap) as raw, asleep(bridge):
        raw.setsockopt(SOL_PACKET, 20, 1)  # PACKET_QDISC_BYPASS
        for _ in range(sent):
            with contextlib.suppress(OSError):
                raw.send(bytes(ETHER)[:12] + b"\x88\xb5" + bytes(100))
    bridge.ping()

    def counted():
        now, link = bridge.counters(), link_stats(bridge)["tx"]
        grown = {name: now[name] - before[name] for name in ("kernel_drop", "tx_received")}
        return (now["kernel_drop"], now["tx_received"]) == (link["dropped"], link["packets"]) and \
            grown["kernel_drop"] > sent / 2 and sum(grown.values()) >= sent

    r.wait_for(counted, f"tx_dropped is kernel_drop: {bridge.counters()}, {link_stats(bridge)}")
    assert re.search(r"kernel_drop +[\d,]+  frames the kernel dropped", ixtap(bridge, "stats").stdout)


def test_what_the_kernel_drops_without_carrier_is_told(bridge):
    """No queue was full, so no word says that one must have been."""
    before, sent = bridge.counters()["kernel_drop"], 20
    r.ask(bridge.nic_control, "link down")
    r.wait_for(lambda: not bridge.left.carrier(bridge.tap), "no carrier")

    def dropped():
        with bridge.left.packet_socket(bridge.tap) as raw:
            for _ in range(sent):
                with contextlib.suppress(OSError):
                    raw.send(bytes(ETHER)[:12] + b"\x88\xb5" + bytes(100))
        return bridge.counters()["kernel_drop"] >= before + sent

    r.wait_for(dropped, "the kernel drops")
    assert re.search(r"kernel_drop +[\d,]+  frames the kernel dropped: .* or without carrier",
                     ixtap(bridge, "stats").stdout)


def test_what_the_kernel_dropped_before_the_start_does_not_count(rig):
    """A persistent interface keeps its count."""
    left = rig.namespace("left")
    left.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue", "vnet_hdr")
    words = left.words(r.IXTAPD, "--tap", "tap0", "--nic", f"soft:seqpacket:{rig.path('wire')}", "--up",
                       "--persist", "--control", rig.path("control"))
    bridge = rig.daemon(*words).wait_ready()
    bridge.left, bridge.tap = left, "tap0"
    bridge.ask = lambda request: r.ask(rig.path("control"), request)
    left.run("ip", "link", "set", "tap0", "txqueuelen", "10")
    with left.packet_socket("tap0") as raw, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wire:
        wire.connect(rig.path("wire"))
        r.wait_for(lambda: left.carrier("tap0"), "carrier")
        raw.setsockopt(SOL_PACKET, 20, 1)
        with asleep(bridge):
            for _ in range(200):
                with contextlib.suppress(OSError):
                    raw.send(bytes(ETHER)[:12] + b"\x88\xb5" + bytes(100))
        dropped = r.wait_for(lambda: r.ask(rig.path("control"), "stats")["bridge"]["kernel_drop"], "counted")
        assert dropped == link_stats(bridge)["tx"]["dropped"] > 100
        assert bridge.stop() == 0
    again = rig.daemon(*words).wait_ready()
    assert r.ask(rig.path("control"), "stats")["bridge"]["kernel_drop"] < dropped
    assert again.stop() == 0


def test_merged_frames_are_counted_as_they_came_elsewhere(bridge):
    """`ip -s link` counts what the kernel gets. `ixtap stats` has the frames of the wire."""
    bridge.iperf("-R")

    def told():
        counters, link = bridge.counters(), link_stats(bridge)["rx"]
        return counters["rx_coalesced"] > 100 and \
            link["packets"] == counters["rx_delivered"] - counters["rx_coalesced"]

    r.wait_for(told, "merged frames are one packet each")
    assert bridge.ask("stats")["nic"]["rx_packets"] == bridge.counter("rx_received")


def test_what_the_nic_loses_is_shown_by_ethtools_names(wire):
    """More frames than the NIC has room for while ixtapd sleeps, and some that are no frames."""
    frame = bytes(ETHER)[6:12] + bytes(ETHER)[:6] + b"\x88\xb5" + bytes(1000)
    for _ in range(3):
        wire.send(frame[:30])
    with asleep(wire.bridge):
        for _ in range(6000):
            wire.send(frame)
    stats = r.wait_for(lambda: (now := wire.bridge.ask("stats")["nic"])["rx_missed_errors"] and now, "missed")
    assert stats["rx_short_length_errors"] == 3
    shown = ixtap(wire.bridge, "stats").stdout
    for name in ("rx_missed_errors", "rx_short_length_errors"):
        assert re.search(rf"^  {name} +[\d,]+$", shown, re.M), shown
    for name in ("rx_errors", "rx_crc_errors", "rx_long_length_errors", "rx_no_dma_resources", "rx_dropped"):
        assert name in ixtap(wire.bridge, "-s", "stats").stdout
