# SPDX-License-Identifier: MIT
"""The guest's own ixgbe on ixnic."""
from checks import Scenario

PORT = "eth0"


def start(lab):
    lab.start()


scenario = Scenario("the guest's own ixgbe on the software NIC", start)


@scenario.check("load")
def load(lab):
    lab.guest.sh("modprobe ixgbe")
    lab.guest.until(f"cat /sys/class/net/{PORT}/address", lab.nic.ask("status")["mac"])
