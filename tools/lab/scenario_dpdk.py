# SPDX-License-Identifier: MIT
"""DPDK's ixgbe driver, as Debian 12 has it, on ixnic."""
from checks import Scenario, expect
from machine import FAR_V4
from scenario_vfio import give_group
from traffic import iperf, ping
import dpdk


def start(lab):
    lab.start(shares=dpdk.shares(lab))


scenario = Scenario("DPDK's driver, and its two ways to the kernel", start)


@scenario.check("prepare", vital=True)
def prepare(lab):
    give_group(lab)
    dpdk.prepare(lab)


def add_path(name, path):
    @scenario.check(name)
    def _(lab):
        with path(lab):
            result = ping(lab.guest, FAR_V4)
            for way, options in (("out", ()), ("in", ("-R",))):
                result[f"{way}_mbps"] = iperf(lab, *options)["mbps"]
            return result


add_path("net_tap", dpdk.net_tap)
add_path("virtio-user", dpdk.virtio_user)
