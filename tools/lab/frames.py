# SPDX-License-Identifier: MIT
"""Sends single frames from the far end, and receives those that come back."""
import contextlib
import socket
import struct
import time

from checks import expect
from traffic import PACKET_AUXDATA, SOL_PACKET, tag_of

PEER = "02:00:00:00:0a:0a"  # ours; not the wire's, so that the host's stack leaves them alone
ETHERTYPE = 0x88B5  # for local experiments (IEEE 802)
MIN, MAX = 60, 1514
WINDOW = 16  # frames on their way
TIMEOUT_S = 5
RECEIVE_BYTES = 4 << 20
L4_BYTES = {socket.IPPROTO_UDP: 8, socket.IPPROTO_TCP: 20}
SEQ, TCP_ACK = 7, 0x10


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(to, size, number):
    """A frame of `size` bytes from PEER. Frames with different numbers differ."""
    head = mac_bytes(to) + mac_bytes(PEER) + struct.pack("!HHI", ETHERTYPE, size, number)
    pattern = bytes((number * 7 + i) & 0xFF for i in range(256))
    return (head + pattern * (size // 256 + 1))[:size]


def tagged(data, vlan):
    return data[:12] + struct.pack("!HH", 0x8100, vlan) + data[12:]


def checksum(data):
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(to, version, protocol, data, host=1, right=True, seq=SEQ):
    """An IP packet from PEER to `to`, from the host of that number, with right or wrong checksums."""
    ports = struct.pack("!HH", 1000 + host, 2000)
    length = L4_BYTES[protocol] + len(data)
    if version == 4:
        addresses = bytes((198, 51, 100, host, 198, 51, 100, 200))  # RFC 5737
        fixed = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 1, 0, 64, protocol)
        right_ip = checksum(fixed + b"\0\0" + addresses)
        header = fixed + struct.pack("!H", right_ip if right else right_ip ^ 0xBAD) + addresses
    else:
        network = bytes.fromhex("20010db8") + bytes(11)  # RFC 3849
        addresses = network + bytes((host,)) + network + bytes((200,))
        header = struct.pack("!IHBB", 6 << 28, length, protocol, 64) + addresses
    if protocol == socket.IPPROTO_UDP:
        before, after = ports + struct.pack("!H", length), b""
    else:
        before, after = ports + struct.pack("!IIBBH", seq, 0, 5 << 4, TCP_ACK, 8192), b"\0\0"
    pseudo = addresses + struct.pack("!HH", protocol, length)
    right_l4 = checksum(pseudo + before + b"\0\0" + after + data) or 0xFFFF
    l4 = before + struct.pack("!H", right_l4 if right else right_l4 ^ 0xBAD) + after
    kind = struct.pack("!H", 0x0800 if version == 4 else 0x86DD)
    return mac_bytes(to) + mac_bytes(PEER) + kind + header + l4 + data


def swapped(data):
    return data[6:12] + data[:6] + data[12:]


class Wire:
    def __init__(self, raw):
        self.raw = raw
        raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)

    def receive(self, deadline):
        """(tag or None, frame) of the next frame to PEER; None: there is none."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.raw.settimeout(left)
            try:
                data, ancillary, _, _ = self.raw.recvmsg(65536, 256)
            except TimeoutError:
                return None
            if data[:6] == mac_bytes(PEER):
                return tag_of(data, ancillary)

    def exchange(self, frames, complete=None):
        """Sends the frames and returns those that come back, [(tag or None, frame)]: as many as were
        sent, or until complete(frames so far)."""
        got = []
        sent = 0
        deadline = time.monotonic() + TIMEOUT_S
        while not complete(got) if complete else len(got) < len(frames):
            while sent < len(frames) and sent - len(got) < WINDOW:
                self.raw.send(frames[sent])
                sent += 1
            back = self.receive(deadline)
            expect(back, f"{len(got)} frames came back of {sent} sent")
            got.append(back)
            deadline = time.monotonic() + TIMEOUT_S
        return got

    def echo(self, frames, silent=()):
        """Fails unless each frame comes back with its addresses swapped, in order. The frames of
        `silent` are sent first, and must not come back."""
        for each in silent:
            self.raw.send(each)
        for (tag, back), sent in zip(self.exchange(frames), frames):
            expect(tag is None and back == swapped(sent),
                   f"sent {sent[:24].hex()}.. ({len(sent)}), came back {back[:24].hex()}.. "
                   f"({len(back)}), tag {tag}")


@contextlib.contextmanager
def wire(lab):
    with lab.far.packet_socket() as raw:
        yield Wire(raw)
