# SPDX-License-Identifier: MIT
"""DPDK's ixgbe driver on ixnic: a second judge of ixnic that does not come from us.

The rules of the datasheet that it breaks are listed here, with the places in its source (22.11). Any other
that ixnic reports is a mistake of ixnic, or a discovery.
"""
import re
import socket
import struct
import time

from checks import VFIO_RESETS, Scenario, expect, log_quiet, rules_kept, strict
from frames import MAX, MIN, PEER, SEQ, frame, ip_packet, tagged, wire
from machine import FAR_V4, NIC_MAC, WIRE
from scenario_vfio import give_group
from traffic import iperf, ping
import dpdk

SIZES = (MIN, 61, 64, 65, 127, 128, 255, 256, 512, 1023, 1024, MAX)
ROUNDS = 8
JUMBO = 9000
CRC_BYTES = 4
MULTI_SEGS = 1 << 15  # RTE_ETH_TX_OFFLOAD_MULTI_SEGS; without it only a frame's first buffer is sent
MODULE_S = 150  # 512 bytes, bit by bit
MSS = 400
LRO_SEGMENTS = 12
RESTARTS = 3
LINK_S = 15  # DPDK looks again 4 s after the cause "link down"
OTHER = "02:00:00:00:00:99"
GROUP, GROUP_2 = "01:00:5e:00:00:63", "01:00:5e:00:00:64"
AS_AFTER_RESET = "it leaves the register as the reset left it"
BROKEN_BY_DPDK = {
    "DRV_LOAD": "it sets CTRL_EXT.DRV_LOAD when it probes the device; each start resets that",
    "EIMC_RESERVED": "ixgbe_disable_intr and ixgbe_stop_adapter write ones to bit 31 of EIMC, too",
    "FCRTH_MARK": "its flow director takes memory from RXPBSIZE[0], and leaves the mark above the new end",
    "FCTRL_WITH_RXEN": "ixgbe_dev_promiscuous_enable and others change FCTRL while receiving",
    "INIT_NOT_WAITED": "it waits for neither EEC.AUTO_RD nor RDRXCTL.DMAIDONE after a reset",
    "RDRXCTL_RSC": "ixgbe_set_rsc sets RSCACKC only for LRO, nothing sets FCOE_WRFIX",
    "RESERVED_BITS": "ixgbe_dev_rx_init sets the 82598's PMCF and DPF in FCTRL",
    "RX_BUFFER_SUM": AS_AFTER_RESET,
    "RX_DCA_RESERVED": AS_AFTER_RESET,
    "RX_RING_LIVE": "ixgbe_dev_rx_queue_start writes RDH again after enabling the queue",
    "SECURITY_ON": "it writes SECRXCTRL as 0, though it uses no security offload",
    "TX_BUFFER_SUM": AS_AFTER_RESET,
    "TX_CONTEXT_UNUSED": "ixgbe_set_xmit_ctx gives L4LEN with each checksum, not for TSO alone",
    "TX_HTHRESH": "its default thresholds are 32, 0 and 0",
    "TX_RING_LIVE": "ixgbe_dev_tx_queue_start writes TDH when DMATXCTL.TE has enabled queue 0 already",
}


def start(lab):
    lab.start(shares=dpdk.shares(lab))
    strict(lab, BROKEN_BY_DPDK)


scenario = Scenario("DPDK's driver: testpmd, and its two ways to the kernel", start, needs=("dpdk",))


def link_is(lab, state):
    deadline = time.monotonic() + LINK_S
    while not re.search(rf"net_ixgbe\s+{state}\b", lab.pmd.do("show port summary 0")):
        expect(time.monotonic() < deadline, f"the link is not {state} after {LINK_S} s")
        time.sleep(0.2)


def begin(lab, *options, eal=()):
    """Makes testpmd swap addresses and send back, from the command "start" on."""
    lab.pmd = dpdk.Testpmd(lab, "--forward-mode=macswap", *options, eal=eal)
    lab.pmd.begin()
    link_is(lab, "up")


def reconfigure(lab, *commands):
    """Changes what may change only while the port is stopped."""
    lab.pmd.do("stop", "port stop 0", *commands, "port start 0")
    link_is(lab, "up")
    lab.pmd.do("start")


def xstats(lab):
    return {name: int(value) for name, value in re.findall(
        r"^(\w+): (\d+)$", lab.pmd.do("show port xstats 0"), re.M)}


def frames(to=NIC_MAC, sizes=SIZES, rounds=ROUNDS):
    return [frame(to, size, number) for number, size in enumerate(sizes * rounds)]


def said_at_start(lab, *wanted):
    text = lab.pmd.log()
    for each in wanted:
        expect(each in text, f"DPDK does not say '{each}'")


@scenario.check("give the NIC to DPDK", vital=True)
def give(lab):
    give_group(lab)
    dpdk.prepare(lab)


@scenario.check("start", vital=True)
def first(lab):
    begin(lab, "--enable-rx-cksum")
    said_at_start(lab, "VFIO support initialized", "Selected IOVA mode 'VA'", "Vector rx enabled",
                  "Vector tx enabled")


@scenario.check("show port info")
def info(lab):
    text = lab.pmd.do("show port info 0")
    for wanted in (f"MAC address: {NIC_MAC}", "Driver name: net_ixgbe", "Link status: up",
                   "Link speed: 10 Gbps", "Link duplex: full-duplex", "Autoneg status: On",
                   "Max possible RX queues: 128", "Redirection table size: 128"):
        expect(wanted in text, f"not '{wanted}': {text}")
    return {"firmware": re.search(r"Firmware-version: (\S+)", text)[1].rstrip(",")}


@scenario.check("EEPROM")
def eeprom(lab):
    text = lab.pmd.do("show port 0 eeprom")
    image = bytes.fromhex("".join(re.findall(r"^[0-9A-F]{8}: ((?:[0-9A-F]{2} ){16})", text, re.M)))
    expect(len(image) >= 0x200 and bytes.fromhex(NIC_MAC.replace(":", "")) in image, text[:400])
    return {"bytes": len(image)}


@scenario.check("SFP+ module")
def module(lab):
    text = lab.pmd.do("show port 0 module_eeprom", timeout=MODULE_S)
    expect("IXTAP" in text and "SOFT-10G" in text and "length: 512 bytes" in text, text[:400])


@scenario.check("forwarding")
def forwarding(lab):
    lab.pmd.do("start")
    return forwarded(lab)


def forwarded(lab, sizes=SIZES):
    """Frames of all sizes go there and back, and both sides count them."""
    lab.pmd.do("clear port xstats 0")
    all_of_them = frames(sizes=sizes)
    with wire(lab) as far:
        far.echo(all_of_them)
    counted = xstats(lab)
    wanted = {name: len(all_of_them) for name in (
        "rx_good_packets", "tx_good_packets", "rx_total_packets", "tx_total_packets",
        "rx_q0_packets", "tx_q0_packets")}
    # The NIC counts the bytes of the CRC; DPDK takes them off.
    wanted |= {name: sum(map(len, all_of_them)) for name in (
        "rx_good_bytes", "tx_good_bytes", "rx_total_bytes", "rx_q0_bytes")}
    wanted |= {f"{way}_size_{name}_packets": sum(low <= len(each) + CRC_BYTES <= high
                                                 for each in all_of_them)
               for way in ("rx", "tx") for name, low, high in (
                   ("64", 64, 64), ("65_to_127", 65, 127), ("128_to_255", 128, 255),
                   ("256_to_511", 256, 511), ("512_to_1023", 512, 1023),
                   ("1024_to_max", 1024, 16383))}
    wrong = {name: (counted[name], value) for name, value in wanted.items()
             if counted[name] != value}
    expect(not wrong, f"counted and sent: {wrong}")
    bad = {name: value for name, value in counted.items()
           if value and re.search("error|missed|dropped", name)}
    expect(not bad, f"{bad}")
    return {"frames": len(all_of_them)}


@scenario.check("filters")
def filters(lab):
    """Promiscuous, all multicast, and addresses added."""
    mine, other, group, group_2 = (frame(to, 64, 1) for to in (NIC_MAC, OTHER, GROUP, GROUP_2))
    with wire(lab) as far:
        for commands, heard, unheard in (
                (["set promisc 0 on"], [other, group, group_2], []),
                (["set promisc 0 off"], [], [other, group, group_2]),
                (["set allmulti 0 on"], [group, group_2], [other]),
                (["set allmulti 0 off", f"mcast_addr add 0 {GROUP}"], [group], [other, group_2]),
                ([f"mcast_addr remove 0 {GROUP}"], [], [other, group, group_2]),
                ([f"mac_addr add 0 {OTHER}"], [other], [group]),
                ([f"mac_addr remove 0 {OTHER}"], [], [other, group]),
                ([f"mac_addr set 0 {OTHER}", f"mac_addr add 0 {NIC_MAC}"], [other], []),
                ([f"mac_addr remove 0 {NIC_MAC}", f"mac_addr set 0 {NIC_MAC}"], [], [other]),
                (["set promisc 0 on"], [other], [])):
            lab.pmd.do(*commands)
            far.echo([*heard, mine], silent=unheard)


@scenario.check("VLAN tags")
def vlan(lab):
    """VLAN tags are left alone, filtered, taken out, put in."""
    plain = frame(NIC_MAC, 64, 1)
    with wire(lab) as far:
        def expect_tag(sent, tag):
            got, = far.exchange([sent])
            expect(got[0] == tag, f"tag {got[0]}, not {tag}")

        expect_tag(tagged(plain, 100), 100)
        reconfigure(lab, "set promisc 0 off", "vlan set filter on 0", "rx_vlan add 100 0")
        far.echo([plain], silent=[tagged(plain, 101)])
        expect_tag(tagged(plain, 100), 100)
        reconfigure(lab, "rx_vlan rm 100 0", "vlan set filter off 0", "set promisc 0 on",
                    "vlan set strip on 0")
        expect_tag(tagged(plain, 100), None)
        reconfigure(lab, "tx_vlan set 0 200")
        expect_tag(tagged(plain, 100), 200)
        expect_tag(plain, 200)
        reconfigure(lab, "tx_vlan reset 0", "vlan set strip off 0")
        expect_tag(plain, None)


def packets(right):
    """Three packets of each kind."""
    return [ip_packet(NIC_MAC, version, protocol, bytes(i & 0xFF for i in range(size)), right=right)
            for size in (20, 301, 1300) for version in (4, 6)
            for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP)]


@scenario.check("checksums")
def checksums(lab):
    """The NIC reports wrong checksums, and fills in right ones."""
    reconfigure(lab, "csum set ip hw 0", "csum set udp hw 0", "csum set tcp hw 0",
                f"set eth-peer 0 {PEER}", "set fwd csum")
    lab.pmd.do("clear fwd stats all")
    wrong, fitting = packets(right=False), packets(right=True)
    with wire(lab) as far:
        for sent in (wrong, fitting):
            for (_, back), fits in zip(far.exchange(sent), fitting):
                expect(back[14:] == fits[14:], f"{back[12:].hex()}, not {fits[12:].hex()}")
            if sent is wrong:
                counted = text_count(lab.pmd.do("show fwd stats all"))
    expect(counted == text_count(lab.pmd.do("show fwd stats all")),
           "right checksums are called wrong")
    # DPDK ignores what the NIC says of UDP: the 82599 calls an absent checksum wrong (erratum).
    expect(counted == (len(wrong) // 2, len(wrong) // 2),
           f"IP and TCP checksums called wrong: {counted} of {len(wrong)} packets")
    return {"wrong_ip": counted[0], "wrong_tcp": counted[1]}


def text_count(text):
    found = re.search(r"Bad-ipcsum: (\d+)\s+Bad-l4csum: (\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@scenario.check("TSO")
def tso(lab):
    """One TCP packet is sent as segments. The wire's TAP puts them together again if all their
    headers and checksums are right, so the NIC is asked how many there were."""
    reconfigure(lab, f"tso set {MSS} 0")
    data = bytes(i * 3 & 0xFF for i in range(1400))
    segments = -(-len(data) // MSS)
    with wire(lab) as far:
        for version, headers in ((4, 54), (6, 74)):
            before = lab.nic.ask("counters")["counters"]
            packet = ip_packet(NIC_MAC, version, socket.IPPROTO_TCP, data)
            (_, back), = far.exchange([packet])
            expect(back[headers:] == data and back[headers - 16:headers - 12] == struct.pack(
                "!I", SEQ), f"IPv{version}: {len(back)} other bytes came back")
            after = lab.nic.ask("counters")["counters"]
            grown = {name: after[name] - before[name]
                     for name in ("tx_packets", "tx_frames", "wire_merged")}
            expect(grown == {"tx_packets": 1, "tx_frames": segments, "wire_merged": segments},
                   f"IPv{version}: {grown}, not {segments} segments")
    reconfigure(lab, "tso set 0 0", "set fwd macswap")
    return {"segments": segments}


@scenario.check("cable out and in")
def cable(lab):
    for state in ("down", "up"):
        lab.nic.ask(f"link {state}")
        link_is(lab, state)
    return forwarded(lab)


@scenario.check("port stop, reset, start")
def restart_port(lab):
    reconfigure(lab)
    forwarded(lab)
    reconfigure(lab, "port reset 0")
    return forwarded(lab)


@scenario.check("detach and attach")
def detach(lab):
    lab.pmd.do("stop", "port stop 0", f"device detach {lab.bdf}", f"port attach {lab.bdf}",
               "port start 0")
    link_is(lab, "up")
    lab.pmd.do("start")
    return forwarded(lab)


@scenario.check("quit")
def quit_first(lab):
    lab.pmd.do("stop")
    lab.pmd.quit()
    rings = lab.nic.ask("queues")
    expect(not rings["rx"] and not rings["tx"], f"rings still run: {rings}")


@scenario.check("start, three times")
def again(lab):
    for _ in range(RESTARTS):
        begin(lab)
        lab.pmd.do("start")
        with wire(lab) as far:
            far.echo(frames(rounds=1))
        lab.pmd.quit()
    return {"starts": RESTARTS}


@scenario.check("LRO")
def lro(lab):
    """Segments of one connection that come together are received as one packet, and sent back as one."""
    begin(lab, "--enable-lro", f"--max-lro-pkt-size={JUMBO}", f"--max-pkt-len={JUMBO}",
          "--enable-scatter", f"--tx-offloads={MULTI_SEGS:#x}")
    said_at_start(lab, "LRO is requested")
    data = bytes(i * 5 & 0xFF for i in range(LRO_SEGMENTS * MSS))
    sent = [ip_packet(NIC_MAC, 4, socket.IPPROTO_TCP, data[at:at + MSS], seq=SEQ + at)
            for at in range(0, len(data), MSS)]
    before = lab.nic.ask("counters")["counters"]
    lab.pmd.do("start")
    with wire(lab) as far:
        with lab.nic.held():
            for segment in sent:
                far.raw.send(segment)
        got = [back for _, back in far.exchange([], lambda got: sum(
            len(back) - 54 for _, back in got) >= len(data))]
    expect(b"".join(back[54:] for back in got) == data, "other data came back")
    expect(all(struct.unpack_from("!H", back, 16)[0] == len(back) - 14 for back in got),
           "IP lengths are wrong")
    large = [(len(back) - 54) // MSS for back in got if len(back) - 54 > MSS]
    expect(large, f"{len(got)} packets of {len(sent)} segments")
    after = lab.nic.ask("counters")["counters"]
    grown = {name: after[name] - before[name] for name in ("rx_coalesced", "rx_large")}
    expect(grown == {"rx_coalesced": sum(large), "rx_large": len(large)}, f"{grown}, not {large}")
    lab.pmd.quit()
    return {"segments": len(sent), "packets": len(got)}


@scenario.check("scalar, two queues, jumbo")
def scalar(lab):
    begin(lab, "--rxq=2", "--txq=2", f"--max-pkt-len={JUMBO}", "--enable-scatter",
          f"--tx-offloads={MULTI_SEGS:#x}",
          eal=("--force-max-simd-bitwidth=64",))
    said_at_start(lab, "Using a Scattered with bulk allocation callback")
    expect("Vector rx enabled" not in lab.pmd.log(), "DPDK took a vector path")
    before = lab.far.sh(f"cat /sys/class/net/{WIRE}/mtu").strip()
    lab.far.sh(f"ip link set {WIRE} mtu {JUMBO}")
    lab.pmd.do("start")
    try:
        return forwarded(lab, (*SIZES, 2048, 4000, JUMBO - 4))
    finally:
        lab.far.sh(f"ip link set {WIRE} mtu {before}")


@scenario.check("RSS")
def rss(lab):
    # Unless told otherwise, DPDK lets the first queue's counters count all queues.
    lab.pmd.do("set stat_qmap rx 0 1 1", "set stat_qmap tx 0 1 1", "clear port xstats 0",
               "clear fwd stats all")
    sent = [ip_packet(NIC_MAC, 4, socket.IPPROTO_UDP, bytes(64), host) for host in range(1, 65)]
    with wire(lab) as far:
        got = far.exchange(sent)
    expect(sorted(back[14:] for _, back in got) == sorted(each[14:] for each in sent),
           "other frames came back")
    counted = xstats(lab)
    queues = {way: [counted[f"{way}_q{i}_packets"] for i in range(2)] for way in ("rx", "tx")}
    expect(all(queues["rx"]) and sum(queues["rx"]) == len(sent) and queues["tx"] == queues["rx"],
           f"frames by queue: {queues}")
    text = lab.pmd.do("show fwd stats all")
    streams = [int(count) for count in re.findall(
        r"Queue= *\d+ -> TX.*\n\s+RX-packets: (\d+)", text)]
    expect(streams == queues["rx"], f"the NIC counts {queues['rx']}, DPDK {streams}: {text}")
    return {"queue_0": queues["rx"][0], "queue_1": queues["rx"][1]}


@scenario.check("flow rules")
def flow_rules(lab):
    """A 5-tuple filter sends a flow to the other queue; the Flow Director drops another one."""
    def datagrams(host):
        return [ip_packet(NIC_MAC, 4, socket.IPPROTO_UDP, bytes((number,) * 64), host)
                for number in range(ROUNDS)]

    def queue_of(host):
        lab.pmd.do("clear port xstats 0")
        far.echo(datagrams(host))
        counts = [xstats(lab)[f"rx_q{i}_packets"] for i in range(2)]
        expect(sorted(counts) == [0, ROUNDS], f"one flow in queues {counts}")
        return counts.index(ROUNDS)

    flow = "flow create 0 ingress pattern eth / ipv4 src is {} dst is {}"
    hosts = ("198.51.100.1", "198.51.100.2")
    with wire(lab) as far:
        usual = queue_of(1)
        lab.pmd.do(flow.format(hosts[0], "198.51.100.200") +
                   f" / udp src is 1001 dst is 2000 / end actions queue index {1 - usual} / end")
        expect(queue_of(1) == 1 - usual, "the filter's flow stays in its queue")
        lab.pmd.do(flow.format(hosts[1], "198.51.100.200") + " / end actions drop / end")
        far.echo(datagrams(3), silent=datagrams(2))
        dropped = lab.nic.ask("counters")["counters"]["rx_drop_flow_director"]
        expect(dropped == ROUNDS, f"{dropped} of {ROUNDS} frames are dropped")
        lab.pmd.do("flow flush 0")
        expect(queue_of(1) == usual, "the filter's flow does not come back to its queue")
        far.echo(datagrams(2))
    lab.pmd.do("stop")
    lab.pmd.quit()
    return {"dropped": dropped}


def add_path(name, path):
    @scenario.check(name)
    def _(lab):
        with path(lab):
            used = sum(dpdk.cpu_seconds(lab).values())
            result = ping(lab.guest, FAR_V4)
            for way, options in (("out", ()), ("in", ("-R",))):
                result[f"{way}_mbps"] = iperf(lab, *options)["mbps"]
            result["cpu_s"] = round(sum(dpdk.cpu_seconds(lab).values()) - used, 2)
            expect(result["cpu_s"] > 0, "testpmd used no processor time")
            return result


add_path("net_tap", dpdk.net_tap)
add_path("virtio-user", dpdk.virtio_user)


@scenario.check("datasheet rules")
def rules(lab):
    return rules_kept(lab, BROKEN_BY_DPDK)


@scenario.check("guest kernel's log")
def log(lab):
    log_quiet(lab, "vfio|vhost|tun:", VFIO_RESETS)
