# SPDX-License-Identifier: MIT
"""Single frames on the far end's wire: sent, and those that come back."""
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


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(to, size, number):
    """A frame of `size` bytes from PEER, unlike any with another number."""
    head = mac_bytes(to) + mac_bytes(PEER) + struct.pack("!HHI", ETHERTYPE, size, number)
    pattern = bytes((number * 7 + i) & 0xFF for i in range(256))
    return (head + pattern * (size // 256 + 1))[:size]


def tagged(data, vlan):
    return data[:12] + struct.pack("!HH", 0x8100, vlan) + data[12:]


def swapped(data):
    return data[6:12] + data[:6] + data[12:]


class Wire:
    def __init__(self, raw):
        self.raw = raw
        raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)

    def receive(self, deadline):
        """(tag or None, frame) of the next to PEER, or None."""
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

    def exchange(self, frames, wanted=None):
        """What comes back for the frames: [(tag or None, frame)], `wanted` of them."""
        wanted = len(frames) if wanted is None else wanted
        got = []
        sent = 0
        deadline = time.monotonic() + TIMEOUT_S
        while len(got) < wanted:
            while sent < len(frames) and sent - len(got) < WINDOW:
                self.raw.send(frames[sent])
                sent += 1
            back = self.receive(deadline)
            expect(back, f"{len(got)} of {wanted} frames came back of {sent} sent")
            got.append(back)
            deadline = time.monotonic() + TIMEOUT_S
        return got

    def echo(self, frames, silent=()):
        """Each comes back with its addresses swapped, in order; none of `silent`, which are sent
        first, does."""
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
