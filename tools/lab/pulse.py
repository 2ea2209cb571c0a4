#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One TCP connection to the far end, on which a byte goes there and back again and again.

    pulse.py serve ADDRESS PORT        at the far end
    pulse.py beat ADDRESS PORT FILE    in the guest

`beat` writes one line to FILE after each byte that came back: how many have, and the longest time in seconds
that one took. SIGUSR1 has it forget the longest so far. It ends when the connection does, and says why in the last
line."""
import os
import signal
import socket
import sys
import time

BEAT_S = 0.05
GIVE_UP_S = 120


def serve(address, port):
    with socket.create_server((address, port)) as listener:
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := connection.recv(64):
                    connection.sendall(data)
                os._exit(0)
            connection.close()


def write(file, text):
    """The file is never half written: a reader sees the line before, or this one."""
    with open(file + ".new", "w", encoding="ascii") as out:
        out.write(text + "\n")
    os.replace(file + ".new", file)


def beat(address, port, file):
    count, longest, told, heeded = 0, 0.0, 0, 0

    def forget(*_):
        nonlocal told
        told += 1

    signal.signal(signal.SIGUSR1, forget)
    try:
        with socket.create_connection((address, port), GIVE_UP_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                started = time.monotonic()
                connection.sendall(b"x")
                if not connection.recv(1):
                    raise ConnectionResetError("closed by the far end")
                lasted = time.monotonic() - started
                heed = told  # once: the signal may come at any instruction
                longest = max(longest, lasted) if heed == heeded else lasted
                heeded = heed
                count += 1
                write(file, f"{count} {longest:.2f}")
                time.sleep(BEAT_S)
    except OSError as reason:
        write(file, f"ended {reason}")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        beat(sys.argv[2], int(sys.argv[3]), sys.argv[4])
