# SPDX-License-Identifier: MIT
"""The guest's own ixgbe on ixnic: a judge of ixnic that does not come from us.

The rules of the datasheet that the in-kernel driver breaks are listed here, with the reasons. Any other
that ixnic reports is a mistake of ixnic, or a discovery.
"""
import re
import time

from checks import Scenario, ethtool_says, expect, log_quiet, rules_kept, single_spaced, strict
from machine import FAR_V4, NEAR_V4
from store import Failure
from traffic import counted_by_nic, filtered, iperf, jumbo, ping, unfiltered, without_offloads
import traffic

PORT = "eth0"
RELOADS, RELOADS_SHORT = 10, 2
DATAGRAMS = 50
SELF_TEST = "ethtool -t writes test patterns into it, with rings that do not run"
# Logged for a slow slot, and when the cable is pulled with a frame in the ring.
EXPECTED_OF_IXGBE = (r"PCIe bandwidth|PCI-Express.*slot|Width=|speed=|Reset adapter|"
                     r"reset to clear Tx work after link loss")
SELF_TEST_ALONE = "ethtool -t goes its own way from a reset to RXEN or TE, without the registers that this asks for"
BROKEN_BY_IXGBE = {
    "DRV_LOAD": "it sets DRV_LOAD when the interface is up, after RXEN and TE",
    "FCRTH_MARK": "it writes FCRTH when the link is up, after RXEN",
    "INIT_NOT_WAITED": "it waits for neither EEC.AUTO_RD nor RDRXCTL.DMAIDONE after a reset",
    "RXEN_WITHOUT_QUEUE": SELF_TEST_ALONE,
    "RX_BUFFER_SUM": SELF_TEST_ALONE,
    "RX_CRC_STRIP": SELF_TEST_ALONE,
    "RX_DCA_RESERVED": SELF_TEST_ALONE,
    "TX_ARBITER": "it writes TXPBSIZE and TXPBTHRESH while the arbiter runs",
    "TX_BUFFER_SUM": SELF_TEST_ALONE,
    "EIMC_RESERVED": "it disables all interrupts by writing all ones to EIMC",
    "FCTRL_WITH_RXEN": "it changes FCTRL while receiving, as flags and multicast change",
    "RESERVED_BITS": "it sets the 82598's PMCF and DPF in FCTRL, and EITR of other causes to 1950",
    "RX_DESC_DD": "it clears only the length of a used descriptor: it looks at that, not DD",
    "RX_RING_LENGTH": SELF_TEST,
    "RX_TAIL_EARLY": SELF_TEST,
    "RX_TAIL_RANGE": SELF_TEST,
    "READ_ONLY_WRITE": "ethtool -t writes STATUS to see that it does not change",
    "RXEN_WITHOUT_SECRX": "ethtool -t sets RXEN without the SECRX handshake",
    "RDRXCTL_RSC": "ethtool -t sets RXEN after a reset without setting RDRXCTL",
    "TX_RS": "it sets RS on each frame while WTHRESH is 8",
    "UNKNOWN_REGISTER": "ethtool -d reads DCA_TXCTRL where the 82598 has it",
}


def start(lab):
    lab.start()
    strict(lab, BROKEN_BY_IXGBE)


scenario = Scenario("the guest's own ixgbe on the software NIC", start)


def up(lab):
    traffic.up(lab, PORT)


def ethtool(lab, *words, timeout=60):
    return single_spaced(lab.guest.sh(" ".join(("ethtool", words[0], PORT, *words[1:])), timeout))


@scenario.check("load", vital=True)
def load(lab):
    lab.guest.sh("modprobe ixgbe")
    lab.guest.until(f"cat /sys/class/net/{PORT}/address", lab.nic.ask("status")["mac"])
    lab.guest.sh(f"ip address add {NEAR_V4}/24 dev {PORT}")


@scenario.check("link at 10 Gbit/s", vital=True)
def link(lab):
    up(lab)
    text = ethtool(lab, "")
    expect("Speed: 10000Mb/s" in text and "Duplex: Full" in text, text)


@scenario.check("interrupts and queues")
def queues(lab):
    vectors = lab.guest.sh(f"grep -c {PORT}-TxRx /proc/interrupts").strip()
    expect(int(vectors) == int(lab.guest.sh("nproc")), f"{vectors} vectors of queues")
    channels = ethtool(lab, "-l")
    return {"vectors": int(vectors),
            "combined_max": int(re.search(r"Combined:\s+(\d+)", channels)[1])}


@scenario.check("ping")
def pings(lab):
    return ping(lab.guest, FAR_V4)


@scenario.check("TCP out")
def tcp_out(lab):
    return iperf(lab)


@scenario.check("TCP out, no offloads")
def tcp_plain(lab):
    return without_offloads(lab, PORT)


@scenario.check("TCP in")
def tcp_in(lab):
    return iperf(lab, "-R")


def coalesced_so_far(lab):
    """Segments and large receives, as the driver counts them and as ixnic does."""
    text = ethtool(lab, "-S")
    driver = [int(re.search(rf"^\s*hw_rsc_{name}: (\d+)", text, re.M)[1])
              for name in ("aggregated", "flushed")]
    counters = lab.nic.ask("counters")["counters"]
    return driver, [counters["rx_coalesced"], counters["rx_large"]]


def lro(lab):
    return re.search(r"large-receive-offload: (\w+)", ethtool(lab, "-k"))[1]


def set_lro(lab, state):
    ethtool(lab, "-K", "lro", state)
    lab.guest.until(f"cat /sys/class/net/{PORT}/carrier", "1")
    expect(lro(lab) == state, f"lro stays {lro(lab)}")


@scenario.check("TCP in, coalesced")
def coalesced(lab):
    default = lro(lab)
    set_lro(lab, "on")
    driver, nic = coalesced_so_far(lab)
    result = iperf(lab, "-R")
    driver_now, nic_now = coalesced_so_far(lab)
    by_driver = [now - before for now, before in zip(driver_now, driver)]
    by_nic = [now - before for now, before in zip(nic_now, nic)]
    expect(by_driver == by_nic and by_nic[1] > 0,
           f"segments and large receives: {by_driver} by the driver, {by_nic} by the NIC")
    set_lro(lab, "off")
    before = coalesced_so_far(lab)
    without = iperf(lab, "-R")
    expect(coalesced_so_far(lab) == before, "large receives without lro")
    set_lro(lab, default)
    return result | {"lro_default": default, "segments": by_nic[0], "large_receives": by_nic[1],
                     "mbps_without": without["mbps"]}


@scenario.check("TCP, four streams")
def tcp_streams(lab):
    result = iperf(lab, "-P", "4", "-R")
    text = ethtool(lab, "-S")
    used = [int(n) for n in re.findall(r"rx_queue_\d+_packets: (\d+)", text) if int(n)]
    expect(len(used) > 1, "RSS: only one queue received")
    return result | {"rx_queues_used": len(used)}


@scenario.check("UDP")
def udp(lab):
    return iperf(lab, "-u", "-b", "50M")


@scenario.check("jumbo frames")
def jumbo_frames(lab):
    return jumbo(lab, PORT)


@scenario.check("VLAN")
def vlan(lab):
    return traffic.vlan(lab, PORT)


@scenario.check("promiscuous")
def promiscuous(lab):
    filtered(lab, PORT)
    lab.guest.sh(f"ip link set {PORT} promisc on")
    unfiltered(lab, PORT)
    lab.guest.sh(f"ip link set {PORT} promisc off")
    filtered(lab, PORT)


@scenario.check("multicast")
def multicast(lab):
    group = {"address": "224.0.0.99", "mac": None}
    filtered(lab, PORT, **group)
    lab.guest.sh(f"ip maddress add 01:00:5e:00:00:63 dev {PORT}")
    unfiltered(lab, PORT, **group)
    lab.guest.sh(f"ip maddress del 01:00:5e:00:00:63 dev {PORT}")
    filtered(lab, PORT, **group)


ethtool_says(scenario, PORT, {
    "-i": r"driver: ixgbe",
    "-S": r"rx_packets: [1-9]",
    "-k": r"tcp-segmentation-offload: on",
    "-g": r"RX:\s+512",
    "-l": r"Combined:\s+[1-9]",
    "-x": r"RX flow hash indirection table",
    "-a": r"Autonegotiate:",
    "-m": r"(?s)Identifier\s+: 0x03 \(SFP\).*10G Base-SR",
    "-d": r"(?s)CTRL.*RXDCTL",
    "-e": r"0x0000:",
    "-c": r"rx-usecs: 1",
})


@scenario.check("ethtool -S counts frames")
def statistics(lab):
    return counted_by_nic(lab, lambda name: int(re.search(
        rf"^\s*{name}: (\d+)", ethtool(lab, "-S"), re.M)[1]))


@scenario.check("ethtool -p")
def identify(lab):
    lab.guest.sh(f"(ethtool -p {PORT} 3 >/dev/null 2>&1 &)")
    seen = set()
    deadline = time.monotonic() + 15
    while len(seen) < 2 and time.monotonic() < deadline:
        seen.add(lab.nic.ask("registers LEDCTL")["registers"]["LEDCTL"])
        time.sleep(0.1)
    lab.guest.until("pgrep -x ethtool || echo none", "none")
    expect(len(seen) > 1, f"LEDCTL stays {seen}")


@scenario.check("cable out and in")
def cable(lab):
    return traffic.cable(lab, PORT)


@scenario.check("ip link down and up")
def admin(lab):
    return traffic.down_and_up(lab, PORT)


@scenario.check("flow director by hash")
def flow_hash(lab):
    """The driver samples what it sends, and directs the answers to the queue that sent."""
    before = counted(lab, "fdir_match")
    iperf(lab, "-R")
    found = grown(lab, "fdir_match", before, 100)
    return {"matched": found, "missed": counted(lab, "fdir_miss")}


def counted(lab, name):
    return int(re.search(rf"^\s*{name}: (\d+)", ethtool(lab, "-S"), re.M)[1])


def grown(lab, name, before, wanted, read=counted):
    """Waits until the counter has grown by as much as is wanted, and returns by how much."""
    deadline = time.monotonic() + 10
    while (growth := read(lab, name) - before) < wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    expect(growth >= wanted, f"{name} grew by {growth}, not by {wanted}")
    return growth


def datagrams(lab, port):
    """Sends datagrams to the guest, where nobody listens."""
    lab.far.sh(f"""python3 -c '
import socket
for _ in range({DATAGRAMS}):
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"datagram", ("{NEAR_V4}", {port}))'""")


def nic_counted(lab, name):
    return lab.nic.ask("counters")["counters"][name]


def queue_of(lab, port):
    """The queue that receives the datagrams to a port."""
    def packets():
        return [int(n) for n in re.findall(r"rx_queue_\d+_packets: (\d+)", ethtool(lab, "-S"))]

    before = packets()
    datagrams(lab, port)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for queue, (was, now) in enumerate(zip(before, packets())):
            if now - was >= DATAGRAMS:
                return queue
        time.sleep(0.2)
    raise Failure(f"no queue received the datagrams to port {port}")


def rule(lab, port, action):
    text = ethtool(lab, "-N", "flow-type", "udp4", "dst-ip", NEAR_V4, "dst-port", str(port),
                   "action", str(action))
    return int(re.search(r"ID (\d+)", text)[1])


@scenario.check("ethtool -N: flow director by rules")
def flow_rules(lab):
    ethtool(lab, "-K", "ntuple", "on")
    up(lab)
    try:
        ping(lab.guest, FAR_V4)
        usual = queue_of(lab, 5555)
        wanted = 0 if usual else 1
        steered, dropping = rule(lab, 5555, wanted), rule(lab, 5556, -1)
        found = queue_of(lab, 5555)
        expect(found == wanted, f"the rule's datagrams came to queue {found}, not {wanted}")
        expect(queue_of(lab, 5557) == usual, "a port without rule was steered")
        dropped = nic_counted(lab, "rx_drop_flow_director")
        datagrams(lab, 5556)
        grown(lab, "rx_drop_flow_director", dropped, DATAGRAMS, nic_counted)
        text = ethtool(lab, "-n")
        for said in ("Total 2 rules", f"Filter: {steered}", f"Filter: {dropping}",
                     f"Direct to queue {wanted}", "Action: Drop", "Dest port: 5555"):
            expect(said in text, f"does not say {said}: {text}")
        for each in (steered, dropping):
            ethtool(lab, "-N", "delete", str(each))
        for port in (5555, 5556):
            expect(queue_of(lab, port) == usual, f"the rule for port {port} is still there")
        return {"usual_queue": usual, "steered_to": wanted}
    finally:
        ethtool(lab, "-K", "ntuple", "off")
        up(lab)


@scenario.check("ethtool -t offline")
def self_test(lab):
    code, text, errors = lab.guest.try_sh(f"ethtool -t {PORT} offline", 120)
    rows = re.findall(r"^(\w+) test\s+\(\S+\)\s+(-?\d+)", text, re.M)
    expect(code == 0 and len(rows) == 5 and all(value == "0" for _, value in rows),
           f"{text}{errors}")
    lab.guest.until(f"cat /sys/class/net/{PORT}/carrier", "1")
    return {"passed": len(rows)} | ping(lab.guest, FAR_V4)


@scenario.check("unload and load again")
def reload(lab):
    reloads = RELOADS_SHORT if lab.short else RELOADS
    for _ in range(reloads):
        lab.guest.sh("modprobe -r ixgbe && modprobe ixgbe")
        up(lab)
    lab.guest.sh(f"ip address add {NEAR_V4}/24 dev {PORT}")
    return {"reloads": reloads} | ping(lab.guest, FAR_V4)


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "ixgbe|Tx Unit Hang", EXPECTED_OF_IXGBE)


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab, BROKEN_BY_IXGBE)
