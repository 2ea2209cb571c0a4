# SPDX-License-Identifier: MIT
"""Faults of the hardware, one after the other: ixtapd recovers, or says plainly what it needs. ixnic is a process
of its own here, so its faults outlive what ixtapd does about them."""
import contextlib
import os
import subprocess
import time

import pytest

import rig as r

NOTICE_S = 2.0    # a hang is noticed within
SLACK_S = 1.5     # for a machine that does other things meanwhile
FRAME = bytes.fromhex(r.NIC_MAC.replace(":", "")) + b"\2" * 6 + b"\x88\xb5".ljust(1400, b"\0")


class FaultyBridge(r.Bridge):
    """ixtapd on an ixnic that is not its child."""

    def __init__(self, rig, *options):
        left, right = rig.namespace("left"), rig.namespace("right")
        self.nic_daemon = rig.daemon(*left.words(
            r.IXNIC, "--socket", rig.path("nic"), "--wire", "tap:wire0",
            "--control", rig.path("nic-control"))).wait_ready()
        super().__init__(left, right, rig.scratch, "--nic", f"vfio-user:{rig.path('nic')}", *options)
        self.nic_control = rig.path("nic-control")
        rig.daemons.append(self)
        self.told = os.path.join(rig.scratch, "monitor")
        self.monitor = None

    def begin(self):
        self.wait_ready().connect().ping()
        with open(self.told, "w", encoding="utf-8") as out:
            self.monitor = subprocess.Popen([r.IXTAP, "-c", self.control, "monitor"], stdout=out,
                                            env=r.environment())
        r.wait_for(lambda: self.monitored("running"), "the monitor runs")
        return self

    def monitored(self, text):
        with open(self.told, encoding="utf-8") as lines:
            return text in lines.read()

    def tells(self, text):
        r.wait_for(lambda: self.monitored(text), f"'ixtap monitor' says '{text}'")

    def status(self):
        return self.ask("status")

    def shown(self, text):
        """What 'ixtap status' prints."""
        said = r.run(r.IXTAP, "-c", self.control, "status").stdout
        assert text in said, said

    def checksum(self, wanted):
        r.wait_for(lambda: self.status()["nic"].get("sfp_checksum") == wanted, f"the checksum is {wanted}")

    def fault(self, words):
        return self.nic(f"fault {words}")

    def nic_stat(self, name):
        return self.ask("stats")["nic"][name]

    def send_one(self):
        """From our side, without waiting for an answer."""
        with self.left.packet_socket(self.tap) as raw:
            raw.send(b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5".ljust(48, b"\0"))

    def carrier_changes(self):
        return int(self.right.run("cat", f"/sys/class/net/{self.wire}/carrier_changes").stdout)

    def back(self, recoveries=1):
        r.wait_for(lambda: self.status()["recoveries"] >= recoveries, "brought back")
        self.works()

    def works(self):
        """Status first: whoever hears of a cause may see the carrier of before its effect."""
        r.wait_for(lambda: self.status()["state"] == "running" and self.left.carrier(self.tap)
                   and self.right.carrier(self.wire), "it runs, with carrier")
        self.ping()

    def forgive(self):
        """What the driver could not know of, ixnic counts all the same: a tail that is written while nobody
        listens."""
        self.nic("violations zero")


@contextlib.contextmanager
def faulty(rig, *options):
    bridge = FaultyBridge(rig, *options)
    try:
        yield bridge.begin()
        bridge.check_accounts()
        assert bridge.stop() == 0
    finally:
        bridge.kill()
        if bridge.monitor:
            bridge.monitor.wait(r.DEADLINE_S)


@pytest.fixture
def bridge(rig):
    with faulty(rig) as made:
        yield made


# ---- Rings ----

@pytest.mark.alone
def test_transmit_hang_that_the_queue_s_restart_cures(bridge):
    changes = bridge.carrier_changes()
    bridge.fault("tx-hang queue 0")
    started = time.monotonic()
    bridge.send_one()
    r.wait_for(lambda: bridge.nic_stat("tx_timeout_count") == 1, "noticed")
    assert time.monotonic() - started < NOTICE_S + SLACK_S
    bridge.tells("transmit queue 0 hung, restarted; ")
    bridge.works()
    bridge.shown("transmit queues hung 1 times")
    assert bridge.counter("tx_drop_unreported") > 0
    assert bridge.status()["recoveries"] == 0
    assert bridge.carrier_changes() == changes, "the far end saw the link go"


@pytest.mark.parametrize("cure", ["reset", "function"])
def test_transmit_hang_that_wants_a_reset(bridge, cure):
    bridge.fault(f"tx-hang {cure}")
    with bridge.left.popen("ping", "-n", "-q", "-i", "0.2", r.RIGHT_V4, stdout=subprocess.DEVNULL) as ping:
        try:
            bridge.tells("transmit queue 0 hung, the NIC is reset")
        finally:
            ping.kill()
    bridge.tells("before: running (the NIC has stopped to send)")
    bridge.back()
    assert bridge.nic_stat("tx_timeout_count") == 2, "the queue alone was tried before"


def flood(bridge, seconds_most=20):
    """Frames to our side until the NIC has failed and is back."""
    with bridge.right.packet_socket(bridge.wire) as raw:
        deadline = time.monotonic() + seconds_most
        while bridge.status()["recoveries"] == 0:
            assert time.monotonic() < deadline, bridge.errors()[-2000:]
            for _ in range(400):
                with contextlib.suppress(OSError):
                    raw.send(FRAME)


@pytest.mark.parametrize("cure", ["queue", "function"])
def test_receiver_that_is_stuck(bridge, cure):
    bridge.fault(f"rx-stuck {cure}")
    flood(bridge)
    bridge.tells("before: running (the NIC has stopped to receive)")
    bridge.back()
    assert bridge.nic_stat("rx_missed_errors") > 0


def test_dd_in_all_descriptors(bridge):
    """Nothing that such a NIC says is true. It is reset, again and again, until it is mended or the tries are used up:
    then the reason is the last word."""
    bridge.fault("dd")
    bridge.tells("before: running (the NIC says done of receive descriptors that it never wrote: it is at fault")
    r.wait_for(lambda: bridge.status()["recoveries"] >= 2, "reset more than once")
    r.wait_for(lambda: "it is at fault" in bridge.status()["reason"], "says why")
    bridge.fault("clear")
    bridge.back(2)
    assert bridge.nic("violations")["counts"] == {}, "no rule was broken by what the NIC made up"


# ---- Interrupts ----

def test_lost_interrupts(bridge):
    bridge.fault("irq-lost")
    for _ in range(2):
        done = bridge.right.run("ping", "-n", "-q", "-c", "1", "-W", "15", r.LEFT_V4, check=False)
        assert "1 received" in done.stdout, done.stdout
    bridge.tells("an interrupt of the NIC was lost")
    assert bridge.counter("irqs_lost") > 0
    r.wait_for(lambda: bridge.status()["nic"]["irq_lost"] > 0, "counted")
    bridge.shown("interrupts lost ")
    bridge.fault("clear irq-lost")
    bridge.works()


@pytest.mark.parametrize("vector", ["", "0"])
def test_interrupt_storm(bridge, vector):
    bridge.works()
    assert not bridge.monitored("storm")
    bridge.fault(f"irq-storm 20000 {vector}")
    for _ in range(3):
        bridge.works()
    bridge.tells("interrupt storm, ")
    r.wait_for(lambda: "interrupts a second that nothing caused" in bridge.errors(), "the log says so")
    assert bridge.status()["nic"]["irq_storm"] > 2000
    bridge.shown("interrupt storm, ")
    bridge.fault("clear irq-storm")
    bridge.tells("the interrupt storm is over")
    assert bridge.status()["nic"]["irq_storm"] == 0
    bridge.works()


def test_interrupts_of_frames_are_no_storm(rig):
    """Single frames, each with an interrupt of its own."""
    with faulty(rig, "--poll", "interrupt") as bridge:
        before = bridge.counter("irqs")
        for _ in range(4):
            bridge.left.run("ping", "-n", "-q", "-A", "-c", "5000", r.RIGHT_V4)
        assert bridge.counter("irqs") - before > 10000
        assert not bridge.monitored("storm")


def test_ecc_error(bridge):
    bridge.fault("ecc")
    bridge.tells("before: running (the NIC reports an unrecoverable ECC error)")
    bridge.back()


# ---- The bus ----

def test_registers_of_ones_for_a_while(bridge):
    bridge.fault("ones 400")
    bridge.tells("state recovering, before: running (")
    bridge.back()
    bridge.forgive()


@pytest.mark.parametrize("fault, why", [("ones", "the NIC does not answer any more"), ("gone", "it was removed")])
def test_registers_of_ones_for_good(bridge, fault, why):
    addresses = bridge.addresses()
    bridge.fault(fault)
    bridge.tells("state recovering, before: running (")
    r.wait_for(lambda: why in bridge.status()["reason"], "says why")
    assert not bridge.left.carrier(bridge.tap)
    bridge.fault("clear")
    bridge.back()
    assert bridge.addresses() == addresses
    bridge.forgive()


def test_bus_master_taken_away(bridge):
    bridge.fault("master-off")
    bridge.tells("before: running (somebody took the NIC's right to master the bus")
    bridge.back()
    bridge.forgive()


# ---- The link and the board ----

def test_link_that_flaps(bridge):
    """As often as 1,000 times in 10 s."""
    bridge.fault("link-flap 500 5000")
    slowest = 0.0
    while bridge.nic("status")["faults"] != "none":
        started = time.monotonic()
        bridge.status()
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 1.0, "ixtapd did not answer meanwhile"
    bridge.tells("link down")
    bridge.works()
    assert bridge.status()["recoveries"] == 0
    assert bridge.nic_stat("lsc_int") > 20
    assert bridge.errors().count(": link ") < 100, "the log is full of it"


def test_module_pulled_and_plugged(bridge):
    bridge.nic("module out")
    bridge.tells("module changed, now: none")
    r.wait_for(lambda: bridge.status()["state"] == "waiting", "no link")
    bridge.nic("module sr")
    bridge.tells("module changed, now: sr")
    bridge.works()


def test_module_that_names_no_ethernet(bridge):
    bridge.fault("module-code")
    bridge.tells("module changed, now: other")
    bridge.works()
    bridge.fault("clear module-code")
    bridge.tells("module changed, now: sr")
    bridge.works()


def test_module_with_a_wrong_checksum(bridge):
    """Its codes are believed all the same, as the in-kernel driver does."""
    bridge.checksum("right")
    bridge.fault("module-sum")
    bridge.tells("module changed, now: sr")
    bridge.tells("the module's checksum is wrong")
    bridge.checksum("wrong")
    bridge.shown("module sr, its checksum is wrong")
    bridge.works()
    bridge.fault("ecc")  # a NIC that starts with it
    bridge.back()
    bridge.checksum("wrong")
    r.wait_for(lambda: bridge.errors().count("says of itself is wrong") == 2, "the log says so")
    bridge.fault("clear module-sum")
    bridge.checksum("right")
    bridge.works()


def test_eeprom_with_a_wrong_checksum(bridge):
    """The NIC that runs goes on. When it has to be opened again, ixtapd says what it needs."""
    bridge.fault("eeprom-sum")
    bridge.works()
    bridge.fault("ecc")
    r.wait_for(lambda: "EEPROM's checksum is wrong" in bridge.status()["reason"], "says why")
    assert "adapter maker's tool" in bridge.status()["reason"]
    bridge.fault("clear")
    bridge.back()


def test_statistics_at_their_maximum(bridge):
    before = bridge.nic_stat("rx_crc_errors")
    assert not bridge.monitored("maximum")
    bridge.fault("stats-max")
    bridge.tells("a counter of the NIC was at its maximum")
    bridge.shown("counters at their maximum ")
    r.wait_for(lambda: bridge.nic_stat("rx_crc_errors") == before + 0xffffffff, "read once")
    bridge.works()
    assert bridge.nic_stat("rx_crc_errors") == before + 0xffffffff, "it counts on from there"
    received = bridge.nic_stat("tx_pkts_nic")
    bridge.ping()
    assert received < bridge.nic_stat("tx_pkts_nic") < received + 100
