# SPDX-License-Identifier: MIT
"""Frames from end to end. After each test the fixture checks that all are accounted for."""
import re
import subprocess

import pytest

import rig as r


def test_ping(bridge):
    bridge.ping(count=50)


def test_ping_ipv6(bridge):
    bridge.ping(target=r.RIGHT_V6, count=20)


def test_ping_ipv6_link_local(bridge):
    addresses = bridge.right.run("ip", "-6", "address", "show", "dev", bridge.wire).stdout
    bridge.ping(target=re.search(r"fe80:[0-9a-f:]+", addresses)[0] + f"%{bridge.tap}")


def test_ipv6_looks_for_duplicates(rig):
    bridge = rig.bridge(detect_duplicates=True)
    assert "dadfailed" not in bridge.addresses()
    bridge.ping(target=r.RIGHT_V6)


def test_ipv6_finds_a_duplicate(rig):
    """The question goes to a multicast group of the address, the answer to that of all. The address comes
    when the other end is ready: the kernel asks once."""
    bridge = rig.bridge(connected=False, detect_duplicates=True)
    taken = f"{r.RIGHT_V6}7"
    bridge.plug(right_v6=taken)
    bridge.left.run("ip", "address", "add", f"{taken}/64", "dev", bridge.tap)
    r.wait_for(lambda: re.search(f"{taken}/64 .*dadfailed", bridge.addresses()),
               f"{taken} found to be a duplicate")


def test_arping(bridge):
    """Frames of 42 bytes are padded on the way."""
    done = bridge.left.run("arping", "-c", "5", "-f", "-w", "10", "-I", bridge.tap, r.RIGHT_V4)
    wire_mac = bridge.right.link(bridge.wire)["address"]
    assert wire_mac in done.stdout.lower()
    bridge.right.run("arping", "-c", "5", "-f", "-w", "10", "-I", bridge.wire, r.LEFT_V4)


@pytest.mark.parametrize("size", [0, 1, 17, 18, 63, 64, 65, 1000, 1471, 1472])
def test_every_size_of_frame(bridge, size):
    bridge.ping("-M", "do", "-s", size, count=3)


def test_fragments(bridge):
    bridge.ping("-s", 60000)


def test_jumbo(rig):
    bridge = rig.bridge(mtu=9710)
    assert bridge.left.link(bridge.tap)["mtu"] == 9710
    for size in (9682, 9681, 4000, 2048 - 42, 2048 - 41):
        bridge.ping("-M", "do", "-s", size)
    end = bridge.iperf()
    assert end["sum_received"]["bytes"] > 1 << 20


def test_mtu_is_kept(bridge):
    """The kernel refuses a frame longer than the MTU."""
    done = bridge.left.run("ping", "-n", "-c", "1", "-M", "do", "-s", "1473", r.RIGHT_V4,
                           check=False)
    assert done.returncode != 0
    assert "too long" in done.stdout + done.stderr


@pytest.mark.parametrize("direction", [(), ("-R",)], ids=["out", "in"])
def test_tcp(bridge, direction):
    before = bridge.counters()
    end = bridge.iperf(*direction)
    assert end["sum_received"]["bytes"] > 4 << 20
    after = bridge.counters()
    if not direction:
        assert after["tx_tso"] > before["tx_tso"], "the NIC segments"
    else:
        assert after["rx_csum_verified"] > before["rx_csum_verified"], "the NIC verifies checksums"
    assert after["rx_csum_bad"] == 0


def test_tcp_ipv6(bridge):
    with bridge.right.popen("iperf3", "-s", "-1", "--forceflush", "-B", r.RIGHT_V6,
                            stdout=subprocess.PIPE) as server:
        while "listening" not in server.stdout.readline():
            assert server.poll() is None
        bridge.left.run("iperf3", "-c", r.RIGHT_V6, "-t", "1")
        server.kill()
    assert bridge.counter("tx_tso") > 0


def test_tcp_without_offloads(bridge):
    """The kernel does itself what ethtool turns off on the interface."""
    bridge.left.run("ethtool", "-K", bridge.tap, "tso", "off", "gso", "off", "tx", "off")
    before = bridge.counters()
    assert bridge.iperf()["sum_received"]["bytes"] > 1 << 20
    after = bridge.counters()
    assert after["tx_tso"] == before["tx_tso"]
    assert after["tx_csum_offload"] == before["tx_csum_offload"]


@pytest.mark.alone
@pytest.mark.parametrize("direction", [(), ("-R",)], ids=["out", "in"])
def test_udp(bridge, direction):
    """The kernel may have no room for a datagram at either end. The bridge drops none."""
    end = bridge.iperf("-u", "-b", "100M", *direction)["sum"]
    assert end["packets"] > 1000
    assert end["lost_packets"] < end["packets"] // 2
    counters = bridge.counters() | bridge.nic("counters")["counters"]
    drops = {name: value for name, value in counters.items() if "_drop_" in name and value}
    assert not drops.keys() - {"tx_drop_link_down", "rx_drop_link_down", "wire_drop_down",
                               "rx_drop_address"}, drops


def test_tcp_both_ways_with_many_streams(bridge):
    end = bridge.iperf("--bidir", "-P", "4")
    assert end["sum_received"]["bytes"] > 1 << 20
    assert end["sum_received_bidir_reverse"]["bytes"] > 1 << 20


def test_vlan_interface(bridge):
    if bridge.left.run("ip", "link", "add", "link", bridge.tap, "name", "probe", "type", "vlan",
                       "id", "99", check=False).returncode != 0:
        pytest.skip("this kernel has no VLAN interfaces (8021q)")
    for namespace, device, address in ((bridge.left, bridge.tap, "198.51.100.1"),
                                       (bridge.right, bridge.wire, "198.51.100.2")):
        namespace.run("ip", "link", "add", "link", device, "name", "v100", "type", "vlan", "id", "100")
        namespace.run("ip", "address", "add", f"{address}/24", "dev", "v100")
        namespace.run("ip", "link", "set", "v100", "up")
    bridge.ping("-M", "do", "-s", "1472", target="198.51.100.2")
    bridge.ping("-s", "20000", target="198.51.100.2")


@pytest.mark.parametrize("poll", ["busy", "adaptive", "interrupt"])
def test_poll(rig, poll):
    bridge = rig.bridge("--poll", poll)
    assert bridge.ask("status")["poll"] == poll
    bridge.ping(count=20)
    assert bridge.iperf()["sum_received"]["bytes"] > 1 << 20


def test_two_queues(rig):
    bridge = rig.bridge("--queues", 2)
    assert [queue["queue"] for queue in bridge.ask("status")["queues"]] == [0, 1]
    bridge.iperf("--bidir", "-P", "8")
    stats = bridge.ask("stats")
    for queue in stats["queues"]:
        assert queue["rx_received"] > 0, f"nothing received on queue {queue['queue']}"
    del stats["bridge"]["kernel_drop"]  # of the whole interface, and not ours to bound
    for name, total in stats["bridge"].items():
        assert total == sum(queue[name] for queue in stats["queues"]), name


def test_nftables_sees_the_traffic(bridge):
    """A rule on the interface counts, as on any other."""
    if bridge.left.run("nft", "--version", check=False).returncode != 0:
        pytest.skip("nft is not installed")
    bridge.left.run("nft", "add table inet t; add chain inet t in "
                    "{ type filter hook input priority 0; }; "
                    f"add rule inet t in iifname {bridge.tap} counter")
    bridge.ping(count=7)
    rules = bridge.left.run("nft", "list", "chain", "inet", "t", "in").stdout
    assert int(re.search(r"packets (\d+)", rules)[1]) >= 7
