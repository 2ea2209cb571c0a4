# SPDX-License-Identifier: MIT
"""The guest has no kernel at first: iPXE, with its own driver of the 82599, boots one over the NIC.

    iPXE                              far end
      DHCP discover, request  ------>  dnsmasq: address, server, name of a file
      TFTP read               ------>  dnsmasq: boot.ipxe, a script
      HTTP GET, two times     ------>  Python's http.server: the guest's kernel and initramfs
    Linux, started by iPXE
      its ixgbe takes the NIC over as iPXE left it

The rules of the datasheet that iPXE breaks are listed here, with the reasons; those of Linux's driver are
in scenario_kernel.py.
"""
import os
import re
import shutil

import contained
from checks import Scenario, expect, log_quiet, rules_kept, strict
from machine import FAR_V4, INITRAMFS, NEAR_V4, NIC_MAC, WIRE, kernel_words, tail
from scenario_kernel import BROKEN_BY_IXGBE, EXPECTED_OF_IXGBE, PORT
from store import Failure
from traffic import iperf, ping
import traffic

HTTP_PORT, TFTP_ROOT, WWW = 80, "tftp", "www"
SCRIPT, MARK = "boot.ipxe", "ixtap.booted_by=ipxe"
BROKEN_BY_IPXE = {
    "DRV_LOAD": "it never sets CTRL_EXT.DRV_LOAD",
    "FCRTH_MARK": "it leaves FCRTH as the reset left it",
    "INIT_NOT_WAITED": "it waits for neither EEC.AUTO_RD nor RDRXCTL.DMAIDONE after the reset",
    "RX_BUFFER_SUM": "it leaves RXPBSIZE[1] to [7] as the reset left them",
    "RX_CRC_STRIP": "it does not set RDRXCTL.CRCSTRIP, but bit 0",
    "RX_NO_SNOOP": "it never sets CTRL_EXT.NS_DIS",
    "TX_BUFFER_SUM": "it leaves TXPBSIZE[1] to [7] as the reset left them",
    "RDRXCTL_RSC": "it leaves RDRXCTL.RSCACKC and FCOE_WRFIX as the reset left them",
    "RESERVED_BITS": "it sets bit 0 of RDRXCTL to have the CRC stripped; that is done by CRCSTRIP",
    "RXEN_WITHOUT_SECRX": "it sets RXEN without the SECRX handshake",
    "RX_TAIL_EARLY": "it never reads RXDCTL back",
    "TX_PATH_OFF": "it clears DMATXCTL.TE first, and its ring then",
    "TX_TAIL_EARLY": "it never reads TXDCTL back",
    "TX_WITHOUT_TE": "it enables the ring first, and sets DMATXCTL.TE then",
}


def served(lab):
    """Fills the folders that the far end's servers show, and returns them: for TFTP, for HTTP."""
    tftp, www = os.path.join(lab.folder, TFTP_ROOT), os.path.join(lab.folder, WWW)
    kernel = lab.store.kernel(lab.version)
    os.makedirs(tftp)
    os.makedirs(www)
    shutil.copy(kernel.image, os.path.join(www, "vmlinuz"))
    lab.store.initramfs(kernel, os.path.join(www, INITRAMFS))
    with open(os.path.join(tftp, SCRIPT), "w", encoding="ascii") as file:
        file.write(f"#!ipxe\n"
                   f"kernel http://{FAR_V4}/vmlinuz {kernel_words('nopt')} {lab.guest_options['words']} {MARK} || exit\n"
                   f"initrd http://{FAR_V4}/{INITRAMFS} || exit\n"
                   f"boot\n")
    return tftp, www


def servers(lab):
    tftp, www = served(lab)
    lab.far.start(lab.log_of("dnsmasq"), "dnsmasq", "--keep-in-foreground", "--log-facility=-",
                  "--conf-file=/dev/null", "--user=root", "--pid-file=", f"--interface={WIRE}", "--bind-dynamic",
                  "--port=0", "--log-dhcp", f"--dhcp-leasefile={lab.folder}/leases",
                  f"--dhcp-range={NEAR_V4},{NEAR_V4},1h", f"--dhcp-boot={SCRIPT}", "--enable-tftp",
                  f"--tftp-root={tftp}")
    lab.far.start(lab.log_of("http"), "/usr/bin/python3", "-u", "-m", "http.server", str(HTTP_PORT),
                  "--bind", FAR_V4, "--directory", www)


def start(lab):
    def before():
        servers(lab)
        strict(lab, BROKEN_BY_IPXE)

    lab.start(before=before, boot=os.path.join(lab.store.ipxe(), "ipxe.lkrn"))


scenario = Scenario("iPXE boots Linux over the software NIC, and Linux's ixgbe takes it over", start, needs=("ipxe",))


def logged(lab, name, pattern):
    with open(lab.log_of(name), encoding="utf-8", errors="replace") as file:
        found = re.search(pattern, file.read(), re.M)
    expect(found, f"its log has no {pattern}{tail(lab.log_of(name))}")
    return found


@scenario.check("DHCP")
def dhcp(lab):
    logged(lab, "dnsmasq", rf"DHCPACK\({WIRE}\) {NEAR_V4} {NIC_MAC}")


@scenario.check("TFTP")
def tftp(lab):
    logged(lab, "dnsmasq", rf"sent \S*/{SCRIPT} to {NEAR_V4}")


@scenario.check("HTTP")
def http(lab):
    for name in ("vmlinuz", INITRAMFS):
        logged(lab, "http", rf'^{NEAR_V4} .*"GET /{name} HTTP/1\.1" 200')


@scenario.check("Linux runs", vital=True)
def linux(lab):
    said = lab.guest.sh("cat /proc/cmdline").split()
    expect(MARK in said, f"its command line is {said}")
    wanted = lab.store.kernel(lab.version).release
    expect(lab.guest.release == wanted, f"it is {lab.guest.release}, not {wanted}")


@scenario.check("datasheet rules, iPXE")
def rules_ipxe(lab):
    broken = rules_kept(lab, BROKEN_BY_IPXE)
    lab.nic.ask("violations zero")
    strict(lab, BROKEN_BY_IXGBE)
    return broken


@scenario.check("Linux's ixgbe takes over", vital=True)
def take_over(lab):
    lab.guest.sh("modprobe ixgbe")
    lab.guest.until(f"cat /sys/class/net/{PORT}/address", NIC_MAC)
    lab.guest.sh(f"ip address add {NEAR_V4}/24 dev {PORT}")
    traffic.up(lab, PORT)
    return ping(lab.guest, FAR_V4)


@scenario.check("TCP out")
def tcp_out(lab):
    return iperf(lab)


@scenario.check("TCP in")
def tcp_in(lab):
    return iperf(lab, "-R")


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "ixgbe|Tx Unit Hang", EXPECTED_OF_IXGBE)


@scenario.check("datasheet rules, Linux")
def rules_linux(lab):
    return rules_kept(lab, BROKEN_BY_IXGBE)
