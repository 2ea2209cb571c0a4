# SPDX-License-Identifier: MIT
"""What ethtool -K and `ixtap features` set, the bytes that raw readers see, the longest frame, and the
counts of frames that neither ixtapd nor the NIC lost.

    kernel (namespace left)-- TAP -- ixtapd ==vfio-user== ixnic --seqpacket-- test
"""
import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q

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
    r.wait_for(lambda: bridge.ask("status")["tap"]["mtu"] == mtu, "the MTU")
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
