# SPDX-License-Identifier: MIT
"""Frames from the wire that no proper station sends. The test is the far end of the cable:

    test --seqpacket-- ixnic ==vfio-user== ixtapd --TAP-- kernel (namespace left)

None may stop the bridge. Each is delivered, or dropped and counted by name.
"""
import contextlib
import socket
import struct
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

import rig as r

OUR_MAC = "02:00:00:00:00:99"
ETHER = Ether(dst=r.NIC_MAC, src=OUR_MAC)
FRAME_MIN = 60


def padded(frame):
    return bytes(frame).ljust(FRAME_MIN, b"\0")


class Wire:
    """The far end, and the kernel's count of frames that were delivered."""

    def __init__(self, rig):
        self.bridge = rig.bridge(connected=False, wire=rig.path("wire"))
        self.probes = 0
        self.connect()
        r.wait_for(lambda: self.bridge.left.carrier(self.bridge.tap), "carrier")
        self.probe()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(r.DEADLINE_S)
        self.socket.connect(self.bridge.wire)

    def send(self, frame):
        self.socket.send(bytes(frame))

    def receive(self, match):
        """The next frame from the NIC for which match() is true."""
        while True:
            frame = Ether(self.socket.recv(1 << 16))
            if match(frame):
                return frame

    def drain(self):
        """Takes all frames that are under way."""
        self.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                self.socket.recv(1 << 16)
        self.socket.settimeout(r.DEADLINE_S)

    def probe(self):
        """Fails unless an ARP request is answered. After a flood the kernel may have no room for the answer,
        so the request is repeated. Each probe has a sender of its own, since a late answer to an earlier
        probe says nothing."""
        self.probes += 1
        sender = f"192.0.2.{100 + self.probes}"
        request = padded(Ether(dst="ff:ff:ff:ff:ff:ff", src=OUR_MAC) /
                         ARP(op=1, hwsrc=OUR_MAC, psrc=sender, pdst=r.LEFT_V4))
        deadline = time.monotonic() + 2 * r.DEADLINE_S
        self.socket.settimeout(0.5)
        while True:
            assert time.monotonic() < deadline, "an ARP request is not answered"
            self.send(request)
            with contextlib.suppress(TimeoutError):
                self.receive(lambda frame: ARP in frame and (frame[ARP].op, frame[ARP].pdst) == (2, sender))
                break
        self.socket.settimeout(r.DEADLINE_S)

    def nic(self, name):
        return self.bridge.nic("counters")["counters"][name]

    def snmp(self, protocol, name):
        with self.bridge.left.entered(), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
            rows = [line.split() for line in file if line.startswith(f"{protocol}:")]
        return int(rows[1][rows[0].index(name)])


@pytest.fixture
def wire(rig):
    made = Wire(rig)
    yield made
    made.probe()
    made.socket.close()


def test_runts(wire):
    """The NIC's MAC drops frames shorter than 64 bytes with the checksum; its statistics have no frame that is
    shorter than 12 (specification clarification 18)."""
    before = wire.nic("rx_drop_runt")
    lengths = [1, 5, 6, 12, 13, 14, 15, 17, 42, 59]
    for length in lengths:
        wire.send(padded(ETHER)[:length])
    r.wait_for(lambda: wire.nic("rx_drop_runt") == before + len(lengths), "counted as runts")
    counted = sum(length + 4 >= 12 for length in lengths)
    r.wait_for(lambda: wire.bridge.ask("stats")["nic"]["rx_short_length_errors"] == counted,
               "and by the driver")


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR, None], ids=["half", "shutdown", "close"])
def test_empty_packets(wire, how):
    """They are runts, and no end. An end behind them is one."""
    runts, delivered = wire.nic("rx_drop_runt"), wire.bridge.counter("rx_delivered")
    frame = (Ether(dst=r.NIC_MAC, src=OUR_MAC, type=0x88b5) / bytes(100)).build()
    for packet in (b"", frame, b"", b"", frame):
        wire.send(packet)
    r.wait_for(lambda: wire.bridge.counter("rx_delivered") == delivered + 2, "the frames behind them")
    assert wire.nic("rx_drop_runt") == runts + 3
    wire.probe()
    delivered = wire.bridge.counter("rx_delivered")
    for packet in (frame, b"", frame, b"", b""):
        wire.send(packet)
    if how is None:
        wire.socket.close()
    else:
        wire.socket.shutdown(how)
    r.wait_for(lambda: wire.bridge.nic("status")["far_end"] == "awaited", "the end")
    assert wire.nic("rx_drop_runt") == runts + 3 + 3
    r.wait_for(lambda: wire.bridge.counter("rx_delivered") == delivered + 2, "the frames before it")
    wire.socket.close()
    wire.connect()


def test_oversize(wire):
    before = wire.nic("rx_drop_oversize")
    lengths = [1519, 1520, 2000, 9000, 9728, 15000, 16000]
    for length in lengths:
        wire.send(bytes(ETHER / b"x")[:14].ljust(length, b"\0"))
    r.wait_for(lambda: wire.nic("rx_drop_oversize") + wire.nic("wire_drop_truncated") ==
               before + len(lengths), "counted as oversize")


def test_longest_frames_pass(wire):
    before = wire.bridge.counter("rx_delivered")
    wire.send((Ether(dst=r.NIC_MAC, src=OUR_MAC, type=0x88b5) / bytes(1500)).build())
    wire.send((Ether(dst=r.NIC_MAC, src=OUR_MAC) / Dot1Q(vlan=5, type=0x88b5) / bytes(1500)).build())
    r.wait_for(lambda: wire.bridge.counter("rx_delivered") == before + 2, "delivered")


def test_full_frames_with_two_tags_need_a_larger_mtu(wire):
    """As with the in-kernel driver: the NIC makes room for one tag."""
    bridge, before = wire.bridge, wire.bridge.counter("rx_delivered")
    frames = [Ether(dst=r.NIC_MAC, src=OUR_MAC) / outer(vlan=5) / Dot1Q(vlan=6, type=0x88b5) / bytes(1500)
              for outer in (Dot1Q, Dot1AD)]
    for frame in frames:
        wire.send(frame.build())
    r.wait_for(lambda: bridge.ask("stats")["nic"]["rx_long_length_errors"] == 2, "counted by name")
    assert bridge.counter("rx_delivered") == before
    bridge.left.run("ip", "link", "set", bridge.tap, "mtu", "1508")
    r.wait_for(lambda: bridge.ask("status")["nic"]["mtu"] == 1508, "MTU")
    for frame in frames:
        wire.send(frame.build())
    r.wait_for(lambda: bridge.counter("rx_delivered") == before + 2, "delivered")


def test_bad_ipv4_header_checksum(wire):
    """The NIC may call the right header of a fragment wrong (an erratum), and does not say what is a fragment.
    So the bridge believes it of TCP and UDP alone, and the kernel looks itself."""
    before, errors = wire.bridge.counter("rx_csum_bad"), wire.snmp("Ip", "InHdrErrors")
    wire.send(padded(ETHER / IP(src=r.RIGHT_V4, dst=r.LEFT_V4, chksum=0xdead) / ICMP()))
    r.wait_for(lambda: wire.snmp("Ip", "InHdrErrors") == errors + 1, "dropped by the kernel")
    assert wire.bridge.counter("rx_csum_bad") == before, "not believed"
    wire.send(padded(ETHER / IP(src=r.RIGHT_V4, dst=r.LEFT_V4, chksum=0xdead) / TCP(sport=1000, dport=9)))
    r.wait_for(lambda: wire.bridge.counter("rx_csum_bad") == before + 1, "found by the NIC")
    r.wait_for(lambda: wire.snmp("Ip", "InHdrErrors") == errors + 2, "dropped by the kernel")


def test_a_right_fragment_is_not_called_wrong(wire):
    before, needed = wire.bridge.counter("rx_csum_bad"), wire.snmp("Ip", "ReasmReqds")
    wire.send(padded(ETHER / IP(src=r.RIGHT_V4, dst=r.LEFT_V4, flags="MF") / UDP(sport=1000, dport=9) / bytes(64)))
    r.wait_for(lambda: wire.snmp("Ip", "ReasmReqds") == needed + 1, "the kernel has it")
    assert wire.bridge.counter("rx_csum_bad") == before


@pytest.mark.parametrize("protocol, layer", [("Udp", UDP), ("Tcp", TCP)])
def test_bad_transport_checksum(wire, protocol, layer):
    """The NIC calls UDP without a checksum wrong (an erratum). So the bridge ignores what it says of UDP,
    and the kernel looks itself."""
    before, errors = wire.bridge.counter("rx_csum_bad"), wire.snmp(protocol, "InCsumErrors")
    good = wire.snmp("Icmp", "OutDestUnreachs"), wire.snmp("Tcp", "OutRsts")
    wire.send(padded(ETHER / IP(src=r.RIGHT_V4, dst=r.LEFT_V4) /
                     layer(sport=1000, dport=9, chksum=0xdead) / b"some payload, of even length"))
    r.wait_for(lambda: wire.snmp(protocol, "InCsumErrors") == errors + 1, "dropped by the kernel")
    assert wire.bridge.counter("rx_csum_bad") == before + (layer is TCP), "found by the NIC"
    assert (wire.snmp("Icmp", "OutDestUnreachs"), wire.snmp("Tcp", "OutRsts")) == good


def test_udp_without_checksum(wire):
    """Checksum 0 means none. Such a datagram is good, whatever the hardware's erratum says."""
    with wire.bridge.left.entered():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((r.LEFT_V4, 5000))
    receiver.settimeout(r.DEADLINE_S)
    wire.send(padded(ETHER / IP(src=r.RIGHT_V4, dst=r.LEFT_V4) /
                     UDP(sport=1000, dport=5000, chksum=0) / b"unchecked"))
    assert receiver.recv(64).startswith(b"unchecked")
    receiver.close()
    assert wire.bridge.counter("rx_csum_bad") == 0


@pytest.mark.parametrize("layer", [UDP, TCP])
@pytest.mark.parametrize("network", [IP, IPv6])
def test_good_checksums_are_verified_by_the_nic(wire, network, layer):
    """Only for long frames is the kernel told that the checksum is good."""
    ends = {IP: (r.RIGHT_V4, r.LEFT_V4), IPv6: (r.RIGHT_V6, r.LEFT_V6)}[network]
    before = wire.bridge.counter("rx_csum_verified")
    wire.send(padded(ETHER / network(src=ends[0], dst=ends[1]) / layer(sport=1000, dport=9) /
                     bytes(1001)))
    r.wait_for(lambda: wire.bridge.counter("rx_csum_verified") == before + 1, "verified")


TAGS = {
    "one tag": Dot1Q(vlan=5),
    "a priority tag": Dot1Q(vlan=0, prio=7),
    "the last tag": Dot1Q(vlan=4095),
    "a tag in a tag": Dot1Q(vlan=5) / Dot1Q(vlan=6),
    "a tag in a service tag": Dot1AD(vlan=5) / Dot1Q(vlan=6),
    "five tags": Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / Dot1Q(vlan=4) / Dot1Q(vlan=5),
}


@pytest.mark.parametrize("tags", TAGS)
def test_tagged_frames_come_through_unchanged(wire, tags):
    sent = padded(ETHER / TAGS[tags] / IP(src=r.RIGHT_V4, dst=r.LEFT_V4) / UDP(dport=9) / b"tagged")
    with wire.bridge.left.packet_socket(wire.bridge.tap) as tap:
        tap.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel moves the tag there
        wire.send(sent)
        for _ in range(1000):
            got, extra, _, _ = tap.recvmsg(65536, 256)
            if got[6:12] == bytes.fromhex(OUR_MAC.replace(":", "")):
                break
    aux = next(data for level, kind, data in extra if (level, kind) == (263, 8))
    status, _, _, _, _, tci, tpid = struct.unpack("<IIIHHHH", aux)
    if status & 0x10:  # TP_STATUS_VLAN_VALID
        got = got[:12] + struct.pack(">HH", tpid if status & 0x40 else 0x8100, tci) + got[12:]
    assert got == sent


def test_tag_and_nothing_behind_it(wire):
    before = wire.bridge.counter("rx_delivered")
    for tail in (b"\x81\x00", b"\x81\x00\x00\x05", b"\x81\x00\x00\x05\x81\x00"):
        wire.send(padded(bytes(ETHER)[:12] + tail))
    r.wait_for(lambda: wire.bridge.counter("rx_delivered") == before + 3, "delivered")


def test_every_ethertype(wire):
    """Every 257th type, and those that hardware knows, before a payload that fits none of them."""
    special = [0x0800, 0x0806, 0x8100, 0x86dd, 0x88a8, 0x88cc, 0x88e5, 0x88f7, 0x8906, 0x8914,
               0x8847, 0x8863, 0x8864, 0x9000, 0x9100, 0x05ff, 0x0600, 0xffff]
    types = [*range(0x0600, 0x10000, 257), *special]
    before = wire.bridge.counter("rx_received")
    dropped = wire.nic("rx_drop_length_field")
    for ethertype in types:
        head = bytes(ETHER)[:12] + struct.pack(">H", ethertype)
        wire.send(head.ljust(128, bytes([ethertype & 0xff])))
    r.wait_for(lambda: wire.bridge.counter("rx_received") - before +
               wire.nic("rx_drop_length_field") - dropped == len(types),
               "each is delivered, or is no length")


def test_lengths_of_802_3(wire):
    """Up to 1,500 the field is a length. A frame with the right length passes."""
    before = wire.bridge.counter("rx_delivered")
    lengths = [0, 1, 3, 45, 46, 47, 100, 1499, 1500]
    for length in lengths:
        wire.send(padded(bytes(ETHER)[:12] + struct.pack(">H", length) + bytes(length)))
    r.wait_for(lambda: wire.bridge.counter("rx_delivered") == before + len(lengths), "delivered")


@pytest.mark.parametrize("head", [
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, ihl=15, len=1000, proto=6)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, ihl=0)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, len=4)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, len=65535, proto=17)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, version=7)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, flags="MF", frag=8191, proto=6)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, proto=6) / TCP())[:21],
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, proto=6) / TCP(dataofs=0)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, proto=6) / TCP(dataofs=15)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, proto=17) / UDP(len=3)),
    bytes(IP(src=r.RIGHT_V4, dst=r.LEFT_V4, proto=17) / UDP(len=60000)),
    bytes(IPv6(src=r.RIGHT_V6, dst=r.LEFT_V6, plen=65535, nh=0)) + bytes(8),
    bytes(IPv6(src=r.RIGHT_V6, dst=r.LEFT_V6, plen=8, nh=44)) + bytes(8),
    bytes(IPv6(src=r.RIGHT_V6, dst=r.LEFT_V6, plen=0, nh=6)),
    bytes(IPv6(src=r.RIGHT_V6, dst=r.LEFT_V6))[:20],
], ids=["options past the end", "header length 0", "total length 4", "total length 65535",
        "version 7", "fragment past the end", "TCP cut", "TCP header length 0",
        "TCP header length 60", "UDP length 3", "UDP length 60000", "IPv6 hop-by-hop jumbo",
        "IPv6 fragment", "IPv6 without payload", "IPv6 cut"])
@pytest.mark.parametrize("tagged", [False, True], ids=["untagged", "tagged"])
def test_headers_that_lie(wire, head, tagged):
    ethertype = b"\x86\xdd" if head[0] >> 4 == 6 else b"\x08\x00"
    before = wire.bridge.counter("rx_received")
    tag = b"\x81\x00\x00\x05" if tagged else b""
    wire.send(padded(bytes(ETHER)[:12] + tag + ethertype + head))
    r.wait_for(lambda: wire.bridge.counter("rx_received") == before + 1, "received")


def test_a_flood_is_counted(rig):
    """More frames at once than the rings hold: those that do not fit are counted as missed."""
    wire = Wire(rig)
    frame = padded(ETHER / IP(src=r.RIGHT_V4, dst=r.LEFT_V4) / UDP(dport=9) / b"flood")
    before, sent = wire.nic("rx_frames"), 20000
    for _ in range(sent):
        wire.send(frame)
    r.wait_for(lambda: wire.nic("rx_frames") >= before + sent, "all have come")
    wire.probe()
    wire.socket.close()


def test_pcap_records_the_wire(rig):
    """--pcap of ixnic records what went over the wire, for tcpdump."""
    left = rig.namespace("left")
    nic = rig.daemon(r.IXNIC, "--socket", rig.path("nic"), "--wire", f"seqpacket:{rig.path('wire')}",
                     "--pcap", rig.path("capture"), "--mac", r.NIC_MAC).wait_ready()
    bridge = rig.daemon(*left.words(r.IXTAPD, "--nic", f"vfio-user:{rig.path('nic')}", "--tap",
                                    "tap0", "--address", f"{r.LEFT_V4}/24", "--up", "--control",
                                    rig.path("control"))).wait_ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as wire:
        wire.settimeout(r.DEADLINE_S)
        wire.connect(rig.path("wire"))
        r.wait_for(lambda: left.carrier("tap0"), "carrier")
        wire.send(padded(Ether(dst="ff:ff:ff:ff:ff:ff", src=OUR_MAC) /
                         ARP(op=1, hwsrc=OUR_MAC, psrc=r.RIGHT_V4, pdst=r.LEFT_V4)))
        while ARP not in Ether(wire.recv(1 << 16)):
            pass
    assert bridge.stop() == 0
    assert nic.stop() == 0, nic.errors()
    # tcpdump gives up root for another user, who may not read a private file.
    shown = r.run("tcpdump", "-n", "-Z", "root", "-r", rig.path("capture")).stdout
    assert f"who-has {r.LEFT_V4}" in shown
    assert f"{r.LEFT_V4} is-at {r.NIC_MAC}" in shown
