# SPDX-License-Identifier: MIT
"""The driver's own tests (tests/driver) over the kernel's VFIO: all of them, or those that IXTAP_TEST names."""
import contextlib
import os
import re
import shlex
import socket
import threading

from checks import Scenario, expect, rules_kept, strict
from machine import IOMMU_BITS
from relay import relay
from scenario_vfio import USER, give_group
from store import Failure

NIC_MAC = "02:00:00:00:00:42"  # what the tests expect
WIRE_SOCKET = "/run/wire"
TESTS_S = 240


def start(lab):
    path = os.path.join(lab.folder, "wire.sock")
    lab.start(wire=("--wire", f"seqpacket:{path}"), mac=NIC_MAC)
    lab.wire_path = path
    strict(lab)


scenario = Scenario("the driver's tests, through the kernel's VFIO and an IOMMU", start)


@contextlib.contextmanager
def wire(lab):
    port = lab.guest.sh("grep -l ixtap-wire /sys/class/virtio-ports/*/name | cut -d/ -f5").strip()
    with socket.socket(socket.AF_UNIX) as stream, \
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as nic:
        stream.connect(lab.guest.wire)  # first: a port without a host reads as ended
        nic.connect(lab.wire_path)
        lab.guest.sh(f"rm -f {WIRE_SOCKET}; /usr/bin/python3 -I /run/relay.py /dev/{port} {WIRE_SOCKET} "
                     f">/run/relay.log 2>&1 &")
        lab.guest.until(f"test -S {WIRE_SOCKET} && chmod 666 {WIRE_SOCKET}", None)
        thread = threading.Thread(target=relay, args=(stream.fileno(), None, nic), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stream.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            lab.guest.until("pgrep -f [r]elay.py || echo none", "none")  # the port opens once


@scenario.check("give the NIC to a user", vital=True)
def give(lab):
    give_group(lab)


@scenario.check("the IOMMU has 39 bits")
def address_width(lab):
    """As many of the machines in use have. The capability register says it in bits 21:16, less one (Intel
    Virtualization Technology for Directed I/O, 11.4.2)."""
    said = lab.guest.sh("cat /sys/class/iommu/dmar*/intel-iommu/cap").split()
    bits = [(int(each, 16) >> 16 & 0x3f) + 1 for each in said]
    expect(bits == [IOMMU_BITS], f"it has {bits}")
    return {"bits": bits[0]}


def run_tests(lab, *words):
    with wire(lab):
        code, out, err = lab.guest.try_sh(
            f"cd /tmp; IXTAP_VFIO={lab.bdf} IXTAP_WIRE={WIRE_SOCKET} CMOCKA_MESSAGE_OUTPUT=TAP "
            f"IXTAP_TEST={shlex.quote(os.environ.get('IXTAP_TEST', '*'))} "
            f"prlimit --memlock=268435456 setpriv --reuid={USER} --regid={USER} --clear-groups "
            f"--inh-caps=-all /run/build/tests/driver/test_driver vfio {' '.join(words)}", TESTS_S)
    rows = re.findall(r"^(ok|not ok) \d+ (.*)$", out, re.M)
    skipped = [name for _, name in rows if "# SKIP" in name]
    failed = [name for verdict, name in rows if verdict != "ok" and name not in skipped]
    if failed or not rows:
        raise Failure(f"status {code}, {len(failed)} of {len(rows)} failed: {'; '.join(failed)} "
                      f"{err.strip()[-2000:]}")
    expect(code == 0, f"status {code}")
    return {"passed": len(rows) - len(skipped), "skipped": len(skipped)}


@scenario.check("test_driver vfio")
def tests(lab):
    return run_tests(lab)


@scenario.check("test_driver vfio, IOVAs above 4 GiB")
def tests_high(lab):
    """The driver takes the lowest IOVAs; here it gets the last ones that fit the IOMMU's 39 bits."""
    return run_tests(lab, "high")


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab)
