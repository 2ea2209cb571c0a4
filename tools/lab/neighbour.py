#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A process in the guest whose memory the NIC must not reach: a locked page that holds a pattern.

Prints its process ID, the page's address and the page's place in the guest's memory, then waits. Only
root may learn that place. The arguments are the pattern."""
import ctypes
import mmap
import os
import struct
import sys
import time

PRESENT, FRAME = 1 << 63, (1 << 55) - 1
PAGE = mmap.PAGESIZE


def physical(address):
    with open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(address // PAGE * 8)
        entry, = struct.unpack("=Q", pagemap.read(8))
    if not entry & PRESENT or not entry & FRAME:
        sys.exit("neighbour: the page is not in memory, or this is not root")
    return (entry & FRAME) * PAGE


def main():
    page = mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pattern = bytes.fromhex(sys.argv[1])
    page[:] = pattern * (PAGE // len(pattern))
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(PAGE)):
        sys.exit(f"neighbour: mlock: {os.strerror(ctypes.get_errno())}")
    print(os.getpid(), address, physical(address), flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
