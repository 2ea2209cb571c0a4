# SPDX-License-Identifier: MIT
"""Frames from the kernel with vnet headers that a program made up: a packet socket with
PACKET_VNET_HDR hands them to the TAP's queue.

    test --packet socket (namespace left)-- TAP -- ixtapd ==vfio-user== ixnic --seqpacket-- test

The bridge checks each header against its frame. It drops and counts frames that it cannot send.
"""
import errno
import itertools
import socket
import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

import rig as r
from test_wire_frames import OUR_MAC, Wire

SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 0, 1, 3, 4, 5, 0x80
ETHER = Ether(dst=OUR_MAC, src=r.NIC_MAC)
TCP4 = ETHER / IP(src=r.LEFT_V4, dst=r.RIGHT_V4) / TCP(sport=1, dport=2, flags="A")
TCP6 = ETHER / IPv6(src=r.LEFT_V6, dst=r.RIGHT_V6) / TCP(sport=1, dport=2, flags="A")
UDP4 = ETHER / IP(src=r.LEFT_V4, dst=r.RIGHT_V4) / UDP(sport=1, dport=2)


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


def vnet(flags=0, gso=GSO_NONE, header=0, size=0, start=0, offset=0):
    return struct.pack("<BBHHHH", flags, gso, header, size, start, offset)


def send(tap, header, frame):
    """Whether the kernel took the frame. A frame that it refuses never reaches the bridge."""
    try:
        tap.send(header + bytes(frame))
        return True
    except OSError as reason:
        assert reason.errno in (errno.EINVAL, errno.EMSGSIZE, errno.ENOBUFS), reason
        return False


def ours(frame):
    return frame.src == r.NIC_MAC and frame.dst == OUR_MAC


def checksum_is_right(frame, layer):
    """Compares with the checksum that scapy computes."""
    again = frame.copy()
    del again[layer].chksum
    return Ether(bytes(again))[layer].chksum == frame[layer].chksum


def pseudo_header_sum(source, destination, protocol, length):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    data = socket.inet_pton(family, source) + socket.inet_pton(family, destination) + \
        struct.pack(">II", length, protocol)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def summed(base, layer, payload_bytes):
    """The frame with zeros as payload, and with the pseudo-header's sum in place of its checksum."""
    frame = base.copy()
    network = frame[IP] if IP in frame else frame[IPv6]
    frame[layer].chksum = pseudo_header_sum(network.src, network.dst, 6 if layer is TCP else 17,
                                            len(bytes(network[layer])) + payload_bytes)
    return bytes(frame / bytes(payload_bytes))


@pytest.mark.parametrize("tags", [0, 1, 2])
@pytest.mark.parametrize("base, layer, offset", [(TCP4, TCP, 16), (TCP6, TCP, 16), (UDP4, UDP, 6)])
def test_checksum_is_filled(wire, tap, base, layer, offset, tags):
    payload = b"payload of odd length"
    network = base[IP] if IP in base else base[IPv6]
    length = len(bytes(network[layer])) + len(payload)
    network = network.copy()
    network[layer].chksum = pseudo_header_sum(network.src, network.dst,
                                              6 if layer is TCP else 17, length)
    frame = ETHER.copy()
    for tag in range(tags):
        frame = frame / Dot1Q(vlan=10 + tag)
    frame = frame / network / payload
    start = len(bytes(frame)) - length
    assert send(tap, vnet(NEEDS_CSUM, start=start, offset=offset), frame)
    got = wire.receive(lambda got: ours(got) and layer in got)
    assert got[layer].payload.load.startswith(payload)
    assert checksum_is_right(got, layer)


def test_checksum_of_another_protocol(wire, tap):
    """The NIC has no offload for this start and offset: the bridge fills the checksum, or drops by name."""
    frame = bytes(ETHER / IP(src=r.LEFT_V4, dst=r.RIGHT_V4, proto=47)) + bytes(100)
    before = wire.bridge.counters()
    assert send(tap, vnet(NEEDS_CSUM, start=34, offset=10), frame)

    def counted():
        now = wire.bridge.counters()
        return now["tx_csum_software"] > before["tx_csum_software"] or \
            now["tx_drop_bad_vnet_header"] > before["tx_drop_bad_vnet_header"]

    r.wait_for(counted, "filled in software or dropped")


@pytest.mark.parametrize("base, gso, layer", [(TCP4, GSO_TCPV4, TCP), (TCP6, GSO_TCPV6, TCP),
                                              (UDP4, GSO_UDP_L4, UDP)])
def test_segmentation(wire, tap, base, gso, layer):
    """The NIC cuts. Lengths, sequence numbers and checksums of the pieces are right."""
    mss, payload = 1000, bytes(range(256)) * 14  # 3,584 bytes: 4 pieces
    network = (base[IP] if IP in base else base[IPv6]).copy()
    head = len(bytes(network)) - len(bytes(network[layer]))
    transport = len(bytes(network[layer]))
    network[layer].chksum = pseudo_header_sum(network.src, network.dst, 6 if layer is TCP else 17,
                                              transport + len(payload))
    if layer is TCP:
        network[TCP].seq = 0xffffff00  # the sequence number wraps
    frame = ETHER / network / payload
    if not send(tap, vnet(NEEDS_CSUM, gso, 14 + head + transport, mss, 14 + head,
                          16 if layer is TCP else 6), frame):
        pytest.skip("this kernel does not take such a header from a packet socket")
    pieces = [wire.receive(lambda got: ours(got) and layer in got) for _ in range(4)]
    data = b"".join(bytes(piece[layer].payload)[:mss] for piece in pieces)
    assert data[:len(payload)] == payload
    for index, piece in enumerate(pieces):
        assert checksum_is_right(piece, layer), index
        if layer is TCP:
            assert piece[TCP].seq == (0xffffff00 + index * mss) & 0xffffffff
        if IP in piece:
            assert piece[IP].len == head + transport + (mss if index < 3 else len(payload) - 3 * mss)
            whole = piece[IP].copy()
            del whole.chksum
            assert IP(bytes(whole)).chksum == piece[IP].chksum


@pytest.mark.parametrize("base, gso, layer, start", [(TCP4, GSO_TCPV4, TCP, 34), (TCP6, GSO_TCPV6, TCP, 54),
                                                     (UDP4, GSO_UDP_L4, UDP, 34)])
def test_segmentation_with_another_sum(wire, tap, base, gso, layer, start):
    """The NIC adds to the pseudo-header's sum, which a program may have got wrong: every piece would be wrong."""
    offset = 16 if layer is TCP else 6
    frame = bytearray(summed(base, layer, 3000))
    frame[start + offset] ^= 0x11
    before = wire.bridge.counter("tx_drop_bad_vnet_header")
    assert send(tap, vnet(NEEDS_CSUM, gso, len(frame) - 3000, 1000, start, offset), bytes(frame))
    r.wait_for(lambda: wire.bridge.counter("tx_drop_bad_vnet_header") == before + 1, "dropped by name", 5)
    assert wire.bridge.nic("violations")["total"] == 0


def test_any_header(wire, tap):
    """A sweep over all that a header can say, on frames of several kinds. The kernel refuses some. The
    others come out or are dropped by name, as the accounts show when the test ends. Frames with the sum of the
    pseudo-header, and without."""
    frames = [summed(TCP4, TCP, 3000), summed(TCP6, TCP, 100), summed(UDP4, UDP, 2000), bytes(TCP4 / bytes(3000)),
              bytes(ETHER / bytes(20)), bytes(ETHER)[:14] + b"\x45", bytes(ETHER / Dot1Q() / b"x")]
    taken = 0
    for frame, flags, gso, size, start in itertools.product(
            frames, (0, NEEDS_CSUM, DATA_VALID, 0xff),
            (GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4, GSO_TCPV4 | GSO_ECN, 0x7f),
            (0, 1, 7, 1448, 65535), (0, 14, 34, 54, 65000)):
        for header, offset in ((0, 0), (54, 16), (len(frame), 6), (65535, 65535)):
            taken += send(tap, vnet(flags, gso, header, size, start, offset), frame)
    assert taken > 100
    # A packet socket does not wait: the kernel drops frames for which the TAP's queue has no room. And ixtapd reads the
    # TAP as fast as the wire is read.
    wire.drain()
    r.wait_for(lambda: wire.bridge.counter("tx_received") > 100, "they arrive")


@pytest.mark.parametrize("length", [14, 15, 33, 59, 60])
def test_short_frames(wire, tap, length):
    """The NIC pads frames that are shorter than the wire allows."""
    frame = (bytes(ETHER)[:12] + b"\x88\xb5").ljust(length, b"\1")
    assert send(tap, vnet(), frame)
    got = wire.receive(lambda got: ours(got) and got.type == 0x88b5)
    assert bytes(got)[:length] == frame
    assert len(bytes(got)) == 60
