# SPDX-License-Identifier: MIT
"""The driver's own tests (tests/driver) over the kernel's VFIO. Each test is a check."""
import contextlib
import os
import re
import socket
import threading

from checks import Scenario, expect, rules_kept
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


scenario = Scenario("the driver's tests, through the kernel's VFIO and an IOMMU", start)


@contextlib.contextmanager
def wire(lab):
    port = lab.guest.sh("grep -l ixtap-wire /sys/class/virtio-ports/*/name | cut -d/ -f5").strip()
    with socket.socket(socket.AF_UNIX) as stream, \
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as nic:
        stream.connect(lab.guest.wire)  # first: a port without a host reads as ended
        nic.connect(lab.wire_path)
        lab.guest.sh(f"/usr/bin/python3 -I /run/relay.py /dev/{port} {WIRE_SOCKET} "
                     f">/run/relay.log 2>&1 &")
        lab.guest.until(f"test -S {WIRE_SOCKET} && chmod 666 {WIRE_SOCKET}", None)
        thread = threading.Thread(target=relay, args=(stream.fileno(), None, nic), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stream.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@scenario.check("give the NIC to a user", vital=True)
def give(lab):
    give_group(lab)


@scenario.check("test_driver vfio")
def tests(lab):
    with wire(lab):
        code, out, err = lab.guest.try_sh(
            f"cd /tmp; IXTAP_VFIO={lab.bdf} IXTAP_WIRE={WIRE_SOCKET} CMOCKA_MESSAGE_OUTPUT=TAP "
            f"prlimit --memlock=268435456 setpriv --reuid={USER} --regid={USER} --clear-groups "
            f"--inh-caps=-all /run/build/tests/driver/test_driver vfio", TESTS_S)
    rows = re.findall(r"^(ok|not ok) \d+ (.*)$", out, re.M)
    skipped = [name for _, name in rows if "# SKIP" in name]
    failed = [name for verdict, name in rows if verdict != "ok" and name not in skipped]
    if failed or not rows:
        raise Failure(f"status {code}, {len(failed)} of {len(rows)} failed: {'; '.join(failed)} "
                      f"{err.strip()[-2000:]}")
    expect(code == 0, f"status {code}")
    return {"passed": len(rows) - len(skipped), "skipped": len(skipped)}


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab)
