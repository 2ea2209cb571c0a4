# SPDX-License-Identifier: MIT
"""ixnic is told to read and write outside what ixtapd mapped. The IOMMU refuses, ixtapd says so, and the
memory of others is intact. In a guest without an IOMMU that memory is hit.

The weapon is `dma read` and `dma write` of ixnic's control socket. The reply says which path an access
took. "shared" is memory that QEMU has given to ixnic; with an IOMMU that is only what the guest's driver
mapped. An access to any other address goes to QEMU as a message, and QEMU's IOMMU judges it as it judges
every device's.
"""
import json
import os
import re
import secrets
import struct
import time

from checks import Scenario, expect, rules_kept
from machine import FAR_V4, NEAR_V4, Guest
from scenario_vfio import (FIND, PORT, accounts, bridge_end, bridge_start, give, ixtap, stats, up)
from traffic import iperf, ping

PATTERN = "c0ffee5eed5afe99"
PAGE = 4096
DESC_BYTES = 16
AREA_PAGES_MAX = 1 << 15  # 128 MiB: no area is as large
NOTICE_S = 10             # ixtapd looks once a second
LOOK_S = 2.5              # by then it has looked, also in a slow guest
SAYS = "reached for memory outside its own"
EVENTS = "/run/monitor.json"


def start(lab):
    lab.start()


scenario = Scenario("ixnic told to reach outside its memory: the IOMMU refuses, ixtapd says so", start)


# ---- The weapon ----

def dma_read(lab, address, length):
    """(path, what was read or None)"""
    reply = lab.nic.ask(f"dma read {address:#x} {length}")
    return reply["path"], bytes.fromhex(reply["data"]) if "data" in reply else None


def dma_write(lab, address, data):
    """(path, whether it was done)"""
    reply = lab.nic.ask(f"dma write {address:#x} {data.hex()}")
    return reply["path"], reply["refused"] is None


def attack(lab, what, address):
    """Fails unless a write and a read are both refused."""
    path, done = dma_write(lab, address, b"\xde\xad\xbe\xef" * 16)
    expect(path == "message" and not done, f"the write to {what} at {address:#x} went by {path}"
                                           f"{', and was done' if done else ''}")
    path, data = dma_read(lab, address, 64)
    expect(path == "message" and data is None, f"the read of {what} at {address:#x} went by {path}"
                                               f"{f', and gave {data.hex()}' if data else ''}")


# ---- Where ----

class Neighbour:
    """neighbour.py in a guest."""

    def __init__(self, guest):
        self.guest = guest
        guest.sh(f"/usr/bin/python3 -I /run/neighbour.py {PATTERN} >/run/neighbour.out "
                 f"2>/run/neighbour.err &")
        guest.until("test -s /run/neighbour.out || cat /run/neighbour.err >&2; "
                    "test -s /run/neighbour.out", None)
        words = guest.sh("cat /run/neighbour.out").split()
        self.pid, self.address, self.physical = map(int, words)

    def page(self):
        """The page as the guest's processor sees it."""
        return bytes.fromhex(self.guest.sh(
            f"dd if=/proc/{self.pid}/mem bs={PAGE} skip={self.address // PAGE} count=1 status=none "
            f"| od -An -v -tx1 | tr -d ' \\n'"))

    def intact(self):
        return self.page() == bytes.fromhex(PATTERN) * (PAGE * 2 // len(PATTERN))


def memory_map(lab, name):
    """(first, last) of each line with that name in the guest's /proc/iomem."""
    rows = re.findall(rf"^ *([0-9a-f]+)-([0-9a-f]+) : {name}$", lab.guest.sh("cat /proc/iomem"), re.M)
    expect(rows, f"no '{name}' in /proc/iomem")
    return [(int(first, 16), int(last, 16)) for first, last in rows]


def register(lab, name):
    return lab.nic.ask(f"registers {name}")["registers"][name][0]


def descriptor(lab, way, index):
    """A descriptor of queue 0, whether the NIC has it or the driver."""
    base = register(lab, f"{way}DBAL") | register(lab, f"{way}DBAH") << 32
    count = register(lab, f"{way}DLEN") // DESC_BYTES
    path, data = dma_read(lab, base + index % count * DESC_BYTES, DESC_BYTES)
    expect(path == "shared" and data, f"the {way} ring at {base:#x} is not shared ({path})")
    return struct.unpack("<QQ", data)


def receive_buffer(lab):
    """The buffer that the NIC will use last, in which there is no frame yet."""
    return descriptor(lab, "R", register(lab, "RDT") - 1)[0]


def areas(lab):
    """An address in each area that the driver is known to have mapped."""
    return {"the receive ring": register(lab, "RDBAL") | register(lab, "RDBAH") << 32,
            "the transmit ring": register(lab, "TDBAL") | register(lab, "TDBAH") << 32,
            "the receive buffers": receive_buffer(lab)}


def end_of(lab, address):
    """The first page behind the area with this address."""
    page = address // PAGE * PAGE
    for _ in range(AREA_PAGES_MAX):
        if dma_read(lab, page, 1)[0] != "shared":
            return page
        page += PAGE
    raise AssertionError("an area without end")


def refused(lab):
    return json.loads(ixtap(lab, "-j", "status"))["nic"]["dma_refused"]


def noticed(lab, count):
    deadline = time.monotonic() + NOTICE_S
    while refused(lab) != count:
        expect(time.monotonic() < deadline,
               f"ixtapd has noticed {refused(lab)} refusals, not {count}")
        time.sleep(0.2)


def forget(lab):
    """Clears the abort bits of the PCI status, as root and past VFIO."""
    lab.guest.sh(f"printf '\\0\\060' | dd of=/sys/bus/pci/devices/{lab.bdf}/config bs=1 seek=6 "
                 f"conv=notrunc status=none")


# ---- The checks ----

@scenario.check("ixtapd works", vital=True)
def begin(lab):
    give(lab)
    bridge_start(lab)
    up(lab)
    lab.guest.sh(f"/run/build/tools/ixtap/ixtap -j --control /run/ixtap/{PORT}.sock monitor "
                 f">{EVENTS} 2>&1 &")
    lab.guest.until(f"grep -q start {EVENTS}", None)
    lab.neighbour = Neighbour(lab.guest)
    return ping(lab.guest, FAR_V4)


@scenario.check("its own memory", vital=True)
def own(lab):
    """The weapon works: a write to ixtapd's memory arrives there."""
    marker, address = secrets.token_bytes(16), receive_buffer(lab)
    path, done = dma_write(lab, address, marker)
    expect(path == "shared" and done, f"the write to a receive buffer at {address:#x}: {path}, {done}")
    count = lab.guest.sh("/usr/bin/python3 -I - <<'EOF'\n"
                         "pid = open('/run/ixtapd.pid').read().strip()\n"
                         "found = 0\n"
                         "with open(f'/proc/{pid}/mem', 'rb') as memory:\n"
                         "    for line in open(f'/proc/{pid}/maps'):\n"
                         "        if 'ixgbe-dma' in line:\n"
                         "            first, last = (int(word, 16) for word in\n"
                         "                           line.split()[0].split('-'))\n"
                         "            memory.seek(first)\n"
                         f"            found += memory.read(last - first).count({marker!r})\n"
                         "print(found)\nEOF").strip()
    expect(count == "1", f"the bytes are {count} times in ixtapd's memory, not once")
    expect(refused(lab) == 0, "ixtapd was told of refusals before there were any")


@scenario.check("writes to a neighbour")
def writes(lab):
    """Writes are refused, and a driver cannot see that."""
    for _ in range(3):
        path, done = dma_write(lab, lab.neighbour.physical, b"\0" * 64)
        expect(path == "message" and not done, f"the write went by {path}, {done}")
    expect(lab.neighbour.intact(), "the neighbour's page has changed")
    time.sleep(LOOK_S)
    expect(refused(lab) == 0, "ixtapd noticed a write: the manual says that it cannot")


@scenario.check("reads of a neighbour")
def reads(lab):
    """Reads are refused and noticed, and noticed again after root has cleared the bits."""
    for count in (1, 2):
        path, data = dma_read(lab, lab.neighbour.physical, 64)
        expect(path == "message" and data is None, f"the read went by {path}: {data}")
        noticed(lab, count)
        forget(lab)
        time.sleep(LOOK_S)
    expect(lab.neighbour.intact(), "the neighbour's page has changed")


@scenario.check("everywhere else")
def elsewhere(lab):
    places = {"address 0": 0, "the end of memory": memory_map(lab, "System RAM")[-1][1] - 63,
              "the kernel": memory_map(lab, "Kernel code")[0][0],
              "the neighbour": lab.neighbour.physical}
    places |= {f"what is behind {name}": end_of(lab, address)
               for name, address in areas(lab).items()}
    for name, address in places.items():
        attack(lab, name, address)
    expect(lab.neighbour.intact(), "the neighbour's page has changed")
    return {"places": len(places)}


@scenario.check("ixtapd says so")
def says(lab):
    noticed(lab, 3)  # the last check's reads count as one, since the bit sticks
    log = lab.guest.sh("cat /run/ixtapd.err")
    expect(log.count(SAYS) == 1, f"not one line of its log says so, but {log.count(SAYS)}: {log}")
    expect(stats(lab)["nic"]["dma_refused"] == 3, "ixtap stats counts otherwise")
    text = ixtap(lab, "status")
    expect("refused, noticed 3 times" in text, text)
    events = [json.loads(line) for line in lab.guest.sh(f"cat {EVENTS}").splitlines()]
    counts = [event["count"] for event in events if event["event"] == "dma_refused"]
    expect(counts == [1, 2, 3], f"ixtap monitor told of {counts}")


@scenario.check("the kernel says where")
def kernel_log(lab):
    # Newer kernels name the PCI domain.
    rows = re.findall(r"\[DMA (Read|Write) NO_PASID\] Request device \[(?:0000:)?([^]]+)\] "
                      r"fault addr (0x[0-9a-f]+)", lab.guest.sh("dmesg"))
    bdf = lab.bdf.partition(":")[2]
    expect(all(row[1] == bdf for row in rows), f"faults of other devices: {rows}")
    # The kernel's log is rate-limited, and the IOMMU keeps one fault at a time.
    for way in ("Read", "Write"):
        expect((way, bdf, f"{lab.neighbour.physical:#x}") in rows,
               f"no DMA {way} of the neighbour at {lab.neighbour.physical:#x} in {rows}")
    return {"faults": len(rows)}


@scenario.check("traffic goes on")
def traffic(lab):
    result = ping(lab.guest, FAR_V4)
    for way, more in (("out", ()), ("in", ("-R",))):
        result[f"{way}_mbps"] = iperf(lab, *more)["mbps"]
    return result | rules_kept(lab) | accounts(lab)


@scenario.check("after the end")
def end(lab):
    """ixtapd has ended. The kernel lets the NIC no longer master the bus, so old addresses fail too."""
    addresses = areas(lab)
    bridge_end(lab)
    for name, address in addresses.items():
        path, done = dma_write(lab, address, b"\0" * 16)
        expect(path == "off" and not done, f"the write to {name}: {path}, {done}")
        path, data = dma_read(lab, address, 16)
        expect(path == "off" and data is None, f"the read of {name}: {path}, {data}")
    bridge_start(lab)
    up(lab)
    expect(refused(lab) == 0, "a new start knows of refusals that were another's")
    return ping(lab.guest, FAR_V4)


@scenario.check("without an IOMMU")
def bare(lab):
    """Without an IOMMU, and with the kernel's own driver, the same write hits the neighbour."""
    lab.guest.close()
    folder = os.path.join(lab.folder, "bare")
    os.makedirs(folder)
    lab.guest = Guest(lab.store, lab.store.kernel(lab.version), lab.nics, folder, lab.build,
                      iommu=None)
    bdf = lab.guest.sh(FIND).strip()
    lab.guest.sh(f"modprobe ixgbe; ip link set eth0 up && ip address add {NEAR_V4}/24 dev eth0")
    lab.guest.until("cat /sys/class/net/eth0/carrier", "1")
    expect(not lab.guest.sh(f"ls /sys/bus/pci/devices/{bdf}").count("iommu_group"),
           "this guest has an IOMMU, too")
    neighbour = Neighbour(lab.guest)
    expect(neighbour.intact(), "the neighbour's page is not as it should be at first")
    path, data = dma_read(lab, neighbour.physical, 8)
    expect(path == "shared" and data.hex() == PATTERN, f"the read: {path}, {data}")
    path, done = dma_write(lab, neighbour.physical + 64, b"\0" * 64)
    expect(path == "shared" and done, f"the write: {path}, {done}")
    wanted = bytearray(bytes.fromhex(PATTERN) * (PAGE * 2 // len(PATTERN)))
    wanted[64:128] = bytes(64)
    expect(neighbour.page() == wanted, "the neighbour's page is not what the NIC made of it")
