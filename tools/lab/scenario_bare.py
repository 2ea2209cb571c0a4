# SPDX-License-Identifier: MIT
"""A guest that nobody has touched yet, for a driver of your own: with --shell, --nics, --memory, --append."""
from checks import Scenario, expect
from machine import NIC_ID


def start(lab):
    lab.start()


scenario = Scenario("nothing is started: for a driver of your own, with --shell", start, many_nics=True)


@scenario.check("the NICs are there")
def nics(lab):
    vendor, device = NIC_ID.split(":")
    functions = lab.guest.sh(f"cd /sys/bus/pci/devices; grep -l {device} */device | cut -d/ -f1").split()
    expect(len(functions) == len(lab.nics), f"the guest sees {functions}")
    expect(vendor == lab.guest.sh(f"cat /sys/bus/pci/devices/{functions[0]}/vendor").strip(), "of another vendor")
    return {"pci": " ".join(functions)}
