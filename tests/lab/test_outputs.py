# SPDX-License-Identifier: MIT
"""The output of other programs is read in the forms of all their versions that Debian 12 and 13 have."""
import os
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tools", "lab")]
import scenario_kernel
import scenario_vfio

COALESCE = {
    "6.1": "Coalesce parameters for eth0:\nAdaptive RX: n/a  TX: n/a\nrx-usecs: 1\nrx-frames: n/a\n",
    "6.14": "Coalesce parameters for eth0:\nAdaptive RX: n/a  TX: n/a\nrx-usecs:\t\t1\nrx-frames:\t\tn/a\n",
}


class Guest:
    """Answers each command with the same text."""

    def __init__(self, text):
        self.text = text

    def sh(self, _command, _timeout=0):
        return self.text


class Lab:
    def __init__(self, text):
        self.guest = Guest(text)


def check(scenario, name):
    function, = [each for called, _, each in scenario.checks if called == name]
    return function


@pytest.mark.parametrize("version", COALESCE)
def test_ethtool_c(version):
    check(scenario_kernel.scenario, "ethtool -c")(Lab(COALESCE[version]))


@pytest.mark.parametrize("blanks", [" ", "  ", "\t", "\t\t"])
def test_blanks_in_ethtools_output(blanks):
    """What stands between a name and its value may be anything."""
    check(scenario_kernel.scenario, "ethtool -i")(Lab(f"driver:{blanks}ixgbe\n"))
    check(scenario_kernel.scenario, "ethtool -g")(Lab(f"Current hardware settings:\nRX:{blanks}512\n"))
    check(scenario_vfio.scenario, "ethtool -i")(Lab(f"driver:{blanks}tun\n"))
    assert scenario_kernel.lro(Lab(f"large-receive-offload:{blanks}on\n")) == "on"
    assert scenario_kernel.counted(Lab(f"NIC statistics:\n{blanks}fdir_match:{blanks}7\n"), "fdir_match") == 7
