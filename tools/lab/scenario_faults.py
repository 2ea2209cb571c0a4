# SPDX-License-Identifier: MIT
"""The same faults of the NIC for the guest's own ixgbe and for ixtapd, and a table of what became of them.

A fault lasts for HOLD_S, unless something ends it before, while one byte goes to the far end and back again and
again on one TCP connection (pulse.py). Then the fault is cleared. What does not work again by itself within
SETTLE_S gets help, a little more each time. The in-kernel driver is only watched. ixtapd fails a check if it
needs help, if the host warns, or if it loses the connection; EXCUSED has what is not its to mend."""
import os
import re
import time

from checks import SERIOUS, Scenario, expect
from heartbeat import Pulse, serve_pulse
from machine import FAR_V4, NEAR_V4, WIRE, Dead, Guest
from scenario_vfio import FIND, PORT as TAP, bridge_end, bridge_start, give, give_group
from store import Failure
from traffic import up

PORT = "eth0"
HOLD_S, HOLD_SHORT_S = 8, 5
SETTLE_S, HELPED_S = 30, 15
LOAD = ("ping", "-n", "-q", "-f", "-s", "1400", NEAR_V4)
SAID_MAX = 90

# (what it is called, the request of ixnic, whether the far end sends much meanwhile)
FAULTS = (
    ("transmit hang, a queue's restart cures", "fault tx-hang queue", False),
    ("transmit hang, a reset cures", "fault tx-hang reset", False),
    ("transmit hang, a function reset cures", "fault tx-hang function", False),
    ("receive DMA stuck, a reset cures", "fault rx-stuck reset", True),
    ("interrupts lost", "fault irq-lost", False),
    ("interrupt storm, 5,000 a second", "fault irq-storm 5000", False),
    ("registers all ones for 300 ms", "fault ones 300", False),
    ("registers all ones for good", "fault ones", False),
    ("surprise removal, and return", "fault gone", False),
    ("link flaps 1,000 times in 10 s", "fault link-flap 1000 10000", False),
    ("module pulled and plugged", "module out", False),
    ("module without a 10G code", "fault module-code", False),
    ("module with a wrong checksum", "fault module-sum", False),
    ("ECC error", "fault ecc", False),
    ("EEPROM checksum wrong", "fault eeprom-sum", False),
    ("statistics at their maximum", "fault stats-max", False),
    ("bus master taken away", "fault master-off", False),
    ("DD in all descriptors", "fault dd", False),
)
# Faults after which ixtapd may need help, or lose a connection.
EXCUSED = {
    "surprise removal, and return": "the kernel has to find the device again",
    "DD in all descriptors": "nothing that such a NIC says is true",
}


def start(lab):
    lab.start()
    lab.rows = {name: {} for name, _, _ in FAULTS}
    serve_pulse(lab)


def table(lab):
    """Of the faults that were tried: a line with what, and two with what became of it."""
    lines = []
    for name, row in lab.rows.items():
        if row:
            lines.append(f"  {name}")
            lines += [f"    {driver:<16} link {values['link']}; connection {values['connection']}; "
                      f"{values['recovery']}; host {values['host']}" for driver, values in row.items()]
    return "\n".join(lines)


scenario = Scenario("the same faults of the NIC for the in-kernel ixgbe and for ixtapd", start, table=table,
                    data=lambda lab: {"faults": lab.rows}, deadline_s=3600)


# ---- The drivers ----

class InKernel:
    name = "in-kernel ixgbe"
    port = PORT

    def begin(self, lab):
        lab.guest.sh("modprobe ixgbe")
        lab.guest.until(f"test -e /sys/class/net/{PORT}", None)
        lab.guest.sh(f"ip address replace {NEAR_V4}/24 dev {PORT}")
        up(lab, PORT)

    def again(self, lab):
        lab.guest.sh("rmmod ixgbe")
        self.begin(lab)

    def said(self, lab):
        return [line for line in kernel_says(lab) if "ixgbe" in line]

    def forget(self, lab):
        pass


class InUserSpace:
    name = "ixtapd"
    port = TAP

    def begin(self, lab):
        give(lab)
        bridge_start(lab)
        up(lab, TAP)

    def again(self, lab):
        if lab.guest.try_sh("kill -0 $(cat /run/ixtapd.pid)")[0] == 0:
            bridge_end(lab)
        if lab.guest.try_sh(f"test -e /sys/bus/pci/drivers/vfio-pci/{lab.bdf}")[0]:
            give_group(lab)
        bridge_start(lab)
        up(lab, TAP)

    def said(self, lab):
        return lab.guest.sh("grep -E 'warning|error' /run/ixtapd.err || true").splitlines()

    def forget(self, lab):
        lab.guest.sh(": >/run/ixtapd.err")


def rescan(lab):
    """The device is taken out of the kernel's tree, and found anew."""
    bdf = lab.guest.try_sh(FIND)[1].strip() or lab.bdf
    lab.guest.sh(f"echo 1 >/sys/bus/pci/devices/{bdf}/remove; echo 1 >/sys/bus/pci/rescan")
    lab.guest.until(FIND, None)


def kernel_says(lab):
    return lab.guest.sh("dmesg --level=emerg,alert,crit,err,warn").splitlines()


def without_time(line):
    return re.sub(r"^\[[^]]*\] ", "", line)


def host_says(lab):
    """The worst since the fault began."""
    return next((without_time(line) for line in kernel_says(lab)[lab.said:] if re.search(SERIOUS, line)), "well")


# ---- The connection ----

def reaches(lab):
    """Whether the far end can be reached."""
    try:
        lab.guest.until(f"ping -n -q -c 1 -W 1 {FAR_V4}", None, HELPED_S)
        return True
    except Dead:
        raise
    except Failure:
        return False


def pulse_of(lab):
    """The connection of the trials before, if it still works; or a new one."""
    pulse = getattr(lab, "pulse", None)
    if not pulse or not pulse.beats(2):
        if pulse:
            pulse.end()
        lab.pulse = Pulse(lab)
    return lab.pulse


# ---- A fault ----

def carrier_changes(lab):
    return int(lab.far.sh(f"cat /sys/class/net/{WIRE}/carrier_changes"))


def helped(lab, driver):
    """What it took until traffic ran again."""
    steps = {
        "ip link set down, up": lambda: (lab.guest.sh(f"ip link set {driver.port} down"), up(lab, driver.port)),
        f"a new start of {driver.name}": lambda: driver.again(lab),
        "PCI remove and rescan, and a new start": lambda: (rescan(lab), driver.again(lab)),
    }
    for what, step in steps.items():
        try:
            step()
            if reaches(lab):
                return what
        except Dead:
            raise
        except Failure:
            continue
    raise Dead(f"nothing helps {driver.name}; {host_says(lab)}")


def hold(lab, pulse, request, loaded):
    """The fault is on, and then it is not."""
    seconds = HOLD_SHORT_S if lab.short else HOLD_S

    def wait():
        lab.nic.ask(request)
        if "flap" in request:  # for its own time
            while lab.nic.ask("status")["faults"] != "none":
                time.sleep(0.2)
        time.sleep(seconds)

    if loaded:
        with lab.far.running(*LOAD):
            wait()
    else:
        wait()
    works = pulse.beats(2)
    lab.nic.ask("module sr" if request == "module out" else "fault clear")
    return works


def outcome(lab, driver, pulse, before, works):
    """What became of link, connection and host."""
    alone = works or pulse.beats(SETTLE_S)
    alone = alone or (pulse.read()[0] is None and reaches(lab))
    changes = carrier_changes(lab) - before
    need = None if alone else helped(lab, driver)
    last, gap = pulse.read()
    kept = last is not None and (alone or pulse.beats(SETTLE_S))
    return {
        "link": f"lost {(changes + 1) // 2} time{'s' if changes > 2 else ''}" if changes else "kept",
        "connection": f"lost ({gap})" if last is None else f"kept, silent for {pulse.read()[1]} s" if kept else "dead",
        "recovery": f"needs {need}" if need else "works by itself" if works else "works when the fault is over",
        "host": host_says(lab),
    }


def new_guest(lab, driver):
    """After one that hangs or has panicked."""
    lab.guest.close()
    lab.pulse = None
    lab.nic.ask("fault clear")
    lab.restarts = getattr(lab, "restarts", 0) + 1
    folder = os.path.join(lab.folder, f"again{lab.restarts}")
    os.makedirs(folder)
    lab.guest = Guest(lab.store, lab.store.kernel(lab.version), lab.nics, folder, lab.build)
    driver.begin(lab)


def trial(lab, driver, name, request, loaded):
    try:
        pulse = pulse_of(lab)
        lab.said = len(kernel_says(lab))
        driver.forget(lab)
        said = len(driver.said(lab))
        before = carrier_changes(lab)
        pulse.forget()
        values = outcome(lab, driver, pulse, before, hold(lab, pulse, request, loaded))
        lines = driver.said(lab)[said:]
        if lines:
            values["says"] = without_time(lines[0])[:SAID_MAX]
    except Dead as reason:
        values = {"link": "lost", "connection": "lost", "recovery": "needs a restart of the host",
                  "host": str(reason).splitlines()[0]}
        new_guest(lab, driver)
    lab.rows[name][driver.name] = values
    return values


def add(driver, name, request, loaded):
    @scenario.check(f"{driver.name}: {name}")
    def _(lab):
        values = trial(lab, driver, name, request, loaded)
        if driver.name == "ixtapd" and name not in EXCUSED:
            well = values["connection"].startswith("kept") and values["host"] == "well" and \
                not values["recovery"].startswith("needs")
            expect(well, "; ".join(f"{key} {value}" for key, value in values.items()))
        return values


def add_all():
    @scenario.check("in-kernel ixgbe works", vital=True)
    def _(lab):
        InKernel().begin(lab)

    for each in FAULTS:
        add(InKernel(), *each)

    @scenario.check("ixtapd works", vital=True)
    def _(lab):
        lab.guest.sh("rmmod ixgbe")
        lab.nic.ask("fault clear")
        InUserSpace().begin(lab)

    for each in FAULTS:
        add(InUserSpace(), *each)


add_all()
