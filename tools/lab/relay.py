#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The wire of tests in the guest: packets of a socket, carried over a virtio port.

    test in the guest -- socket PATH -- relay.py === port === relay() -- socket -- ixnic

On the port each frame follows its length, of four bytes. Frames are lost while there is no test, as
on ixnic's wire without a peer.

    relay.py DEVICE PATH        in the guest; never ends
"""
import os
import select
import socket
import struct
import sys

FRAME_MAX = 65536
LENGTH = struct.Struct("!I")


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class Frames:
    """Cuts a stream into frames."""

    def __init__(self):
        self.data = b""

    def add(self, data):
        self.data += data
        while len(self.data) >= LENGTH.size:
            length, = LENGTH.unpack_from(self.data)
            if len(self.data) < LENGTH.size + length:
                return
            yield self.data[LENGTH.size:LENGTH.size + length]
            self.data = self.data[LENGTH.size + length:]


def relay(stream, listener, peer):
    """Carries frames between the stream's descriptor and the packet socket `peer`. `peer` is None until
    somebody connects to `listener`. Returns when the stream ends, or when the peer has gone and
    there is no listener for another."""
    frames = Frames()
    while True:
        other = peer or listener
        ready, _, _ = select.select([stream, other] if other else [stream], [], [])
        if stream in ready:
            data = os.read(stream, FRAME_MAX)
            if not data:
                return
            for frame in frames.add(data):
                try:
                    if peer:
                        peer.send(frame)
                except OSError:
                    pass  # the peer has gone; reading from it says so below
        if peer and peer in ready:
            try:
                frame = peer.recv(FRAME_MAX)
            except OSError:
                frame = b""
            if frame:
                write_all(stream, LENGTH.pack(len(frame)) + frame)
                continue
            peer.close()
            peer = None
            if listener is None:
                return
        elif listener in ready:
            peer = listener.accept()[0]


def main(device, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        relay(os.open(device, os.O_RDWR), listener, None)


if __name__ == "__main__":
    main(*sys.argv[1:])
