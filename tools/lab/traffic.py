# SPDX-License-Identifier: MIT
"""Traffic between the guest and the far end, and whether it arrives."""
import contextlib
import json
import re
import socket
import struct
import threading
import time

from checks import expect
from machine import FAR_V4, NEAR_V4, WIRE
from store import Failure

PINGS = 10
SETTLE_S = 10
IPERF_S, IPERF_SHORT_S = 2, 1
# An emulated processor is slow: the slowest case is near 25 Mbit/s.
TCP_LEAST_MBPS = 5
UDP_LOST_MOST_PERCENT = 5  # at 50 Mbit/s; near 0 otherwise
ETH_VLAN, ETH_ARP, ETH_IP = 0x8100, 0x0806, 0x0800
PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 8, 1 << 4
SOL_PACKET = 263


def ping(place, address, *options):
    text = place.sh(f"ping -n -q -c {PINGS} -i 0.05 -W 2 {' '.join(options)} {address}")
    received = int(re.search(r"(\d+) received", text)[1])
    expect(received == PINGS, f"{received} of {PINGS} answered")
    times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", text)
    return {"rtt_avg_us": round(float(times[2]) * 1000),
            "rtt_max_us": round(float(times[3]) * 1000)}


def carries(lab, port):
    """Waits until both ends of the cable have carrier and send: a kernel's link watch comes up to a second after the
    carrier, and what is to be sent until then is dropped. A TAP whose carrier never went is "unknown" for good."""
    lab.guest.until(f"cat /sys/class/net/{port}/carrier", "1")
    for place, name, states in ((lab.guest, port, "up|unknown"), (lab.far, WIRE, "up")):
        place.until(f"grep -xE '{states}' /sys/class/net/{name}/operstate", None)


def up(lab, port):
    lab.guest.sh(f"ip link set {port} up")
    carries(lab, port)


def down_and_up(lab, port):
    lab.guest.sh(f"ip link set {port} down")
    lab.far.until(f"cat /sys/class/net/{WIRE}/carrier", "0")
    up(lab, port)
    return ping(lab.guest, FAR_V4)


def cable(lab, port):
    lab.nic.ask("link down")
    lab.guest.until(f"cat /sys/class/net/{port}/carrier", "0")
    lab.nic.ask("link up")
    carries(lab, port)
    return ping(lab.guest, FAR_V4)


def iperf_end(lab, seconds, options, run):
    """iperf3's result at its end. run(command, deadline in seconds) runs a command in the guest and
    returns its output."""
    with lab.far.running("iperf3", "-s", "-1", "-B", FAR_V4, "--forceflush", until="listening"):
        said = run(f"iperf3 -J -c {FAR_V4} -t {seconds} {' '.join(options)}", seconds + 60)
    try:
        result = json.loads(said)
    except ValueError:
        raise Failure(f"iperf3 {' '.join(options)}: {said}") from None
    expect("error" not in result, f"iperf3 {' '.join(options)}: {result.get('error')}")
    return result["end"]


def tcp_mbps(end):
    mbps = end["sum_received"]["bits_per_second"] / 1e6
    expect(mbps >= TCP_LEAST_MBPS, f"TCP: {mbps:.1f} Mbit/s, not {TCP_LEAST_MBPS} at least")
    return mbps


def iperf(lab, *options):
    def run(command, timeout):
        code, out, err = lab.guest.try_sh(command, timeout)
        return out or err or f"status {code}"

    end = iperf_end(lab, IPERF_SHORT_S if lab.short else IPERF_S, options, run)
    if "-u" in options:
        total = end["sum"]
        lost = total["lost_percent"]
        expect(lost <= UDP_LOST_MOST_PERCENT, f"{lost:.1f} % of the datagrams are lost, at most "
                                              f"{UDP_LOST_MOST_PERCENT} % may be")
        return {"mbps": round(total["bits_per_second"] / 1e6), "sent": total["packets"],
                "lost": total["lost_packets"]}
    return {"mbps": round(tcp_mbps(end)), "retransmits": end["sum_sent"].get("retransmits", 0)}


def settled(read):
    """Waits until read() gives the same twice, since no frame is under way then. Returns that."""
    deadline = time.monotonic() + SETTLE_S
    last, now = None, read()
    while now != last:
        expect(time.monotonic() < deadline, f"traffic does not end within {SETTLE_S} s")
        time.sleep(0.1)
        last, now = now, read()
    return now


def cut_by_nic(lab):
    """Runs TCP out: (result, number of frames that the NIC sent, number of packets that it cut)."""
    def sent():
        counters = lab.nic.ask("counters")["counters"]
        return counters["tx_frames"], counters["tx_packets"]

    before = settled(sent)
    result = iperf(lab)
    return result, *(now - then for now, then in zip(settled(sent), before))


def without_offloads(lab, port):
    """The kernel does itself what ethtool switches off, until that is on again."""
    lab.guest.sh(f"ethtool -K {port} tx off tso off gso off")
    try:
        result, frames, packets = cut_by_nic(lab)
        expect(frames == packets, f"{packets} packets became {frames} frames")
    finally:
        lab.guest.sh(f"ethtool -K {port} tx on tso on gso on")
    _, frames, packets = cut_by_nic(lab)
    expect(frames > packets, f"{packets} packets became {frames} frames, with offloads again")
    return result


def jumbo(lab, port, mtu=9000):
    """A ping of the largest size that fits, and TCP."""
    before = lab.guest.sh(f"cat /sys/class/net/{port}/mtu").strip()
    try:
        lab.far.sh(f"ip link set {WIRE} mtu {mtu}")
        lab.guest.sh(f"ip link set {port} mtu {mtu}")
        up(lab, port)
        result = ping(lab.guest, FAR_V4, "-M", "do", "-s", str(mtu - 28))
        return result | {f"{way}_{key}": value for way, options in (("out", ()), ("in", ("-R",)))
                         for key, value in iperf(lab, *options).items()}
    finally:
        lab.guest.sh(f"ip link set {port} mtu {before}")
        lab.far.sh(f"ip link set {WIRE} mtu {before}")
        up(lab, port)


# ---- Filters: does a frame that is not for us arrive? ----

def received(lab, port):
    """The number of frames received so far, once no more are coming."""
    path = f"/sys/class/net/{port}/statistics/rx_packets"
    return settled(lambda: int(lab.guest.sh(f"cat {path}")))


def send_to(lab, address, mac):
    if mac:
        lab.far.sh(f"ip neighbour replace {address} lladdr {mac} dev {WIRE}")
    lab.far.try_sh(f"ping -n -q -c 3 -i 0.01 -W 0.2 -I {WIRE} {address}")


def arrived(lab, port, address, mac):
    before = received(lab, port)
    send_to(lab, address, mac)
    return received(lab, port) - before


def filtered(lab, port, address="192.0.2.77", mac="02:00:00:00:00:99"):
    count = arrived(lab, port, address, mac)
    expect(count == 0, f"{count} frames to {mac or address} arrived")


def unfiltered(lab, port, address="192.0.2.77", mac="02:00:00:00:00:99"):
    count = arrived(lab, port, address, mac)
    expect(count == 3, f"{count} of 3 frames to {mac or address} arrived")


def counted_by_nic(lab, read):
    """The driver's counters of frames, read(name), grow by as much as those of the far end."""
    names = {"rx_packets": "tx_packets", "tx_packets": "rx_packets"}

    def far(name):
        return int(lab.far.sh(f"cat /sys/class/net/{WIRE}/statistics/{name}"))

    before = {name: (read(name), far(other)) for name, other in names.items()}
    lab.far.sh(f"ping -n -q -f -c 100 {NEAR_V4}")
    result = {}
    deadline = time.monotonic() + 10
    for name, other in names.items():
        while True:
            here, there = read(name) - before[name][0], far(other) - before[name][1]
            if here == there and here >= 100 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        expect(here == there, f"{name} grew by {here}, the far end's {other} by {there}")
        result[name] = here
    return result


# ---- A far end with VLAN tags: the host's kernel may know none ----

def tag_of(frame, ancillary):
    """(tag or None, the frame without it). The kernel leaves a tag in the frame, or passes it apart."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, = struct.unpack_from("=I", data)
            tag, = struct.unpack_from("=H", data, 16)
            if status & TP_STATUS_VLAN_VALID:
                return tag, frame
    if struct.unpack_from("!H", frame, 12)[0] == ETH_VLAN:
        return struct.unpack_from("!H", frame, 14)[0], frame[:12] + frame[16:]
    return None, frame


class TaggedEcho:
    """Answers ARP and ping for one address of one VLAN."""

    def __init__(self, raw, vlan, address):
        self.raw, self.vlan, self.address = raw, vlan, socket.inet_aton(address)
        self.seen = 0
        self.stopping = False
        raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        raw.settimeout(0.1)
        self.thread = threading.Thread(target=self.serve)

    def answer(self, frame):
        """The reply to a frame, from behind the MAC addresses on; None: there is none."""
        kind, = struct.unpack_from("!H", frame, 12)
        if kind == ETH_ARP and frame[20:22] == b"\0\1" and frame[38:42] == self.address:
            return (frame[12:20] + b"\0\2" + self.mac() + self.address + frame[22:32])
        if kind == ETH_IP and frame[30:34] == self.address and frame[34:35] == b"\x08":
            checksum, = struct.unpack_from("!H", frame, 36)
            checksum += 0x0800  # type 8 has become 0
            checksum = (checksum & 0xFFFF) + (checksum >> 16)
            return (frame[12:26] + frame[30:34] + frame[26:30] + b"\0" + frame[35:36]
                    + struct.pack("!H", checksum) + frame[38:])
        return None

    def mac(self):
        return self.raw.getsockname()[4]

    def serve(self):
        while not self.stopping:
            try:
                frame, ancillary, _, _ = self.raw.recvmsg(65536, 256)
            except TimeoutError:
                continue
            if len(frame) < 42:
                continue
            tag, frame = tag_of(frame, ancillary)
            reply = self.answer(frame)
            if tag is None or tag & 0xFFF != self.vlan or reply is None:
                continue
            self.seen += 1
            self.raw.send(frame[6:12] + self.mac() + struct.pack("!HH", ETH_VLAN, self.vlan)
                          + reply)


@contextlib.contextmanager
def tagged_echo(far, vlan, address):
    with far.packet_socket() as raw:
        echo = TaggedEcho(raw, vlan, address)
        echo.thread.start()
        try:
            yield echo
        finally:
            echo.stopping = True
            echo.thread.join()


def vlan(lab, port):
    lab.guest.sh(f"ip link add link {port} name vlan100 type vlan id 100 && "
                 f"ip address add 198.51.100.1/24 dev vlan100 && ip link set vlan100 up")
    try:
        with tagged_echo(lab.far, 100, "198.51.100.2") as tagged:
            result = ping(lab.guest, "198.51.100.2")
        expect(tagged.seen, "frames arrived without their tag")
        return result
    finally:
        lab.guest.sh("ip link delete vlan100")
