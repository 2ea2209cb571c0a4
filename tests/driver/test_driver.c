/* SPDX-License-Identifier: MIT */
/*
 * The driver through its public interface, over each backend: test_driver BACKEND [high]. "high":
 * with IOVAs far above 4 GiB, where a driver in the field has them only if the lower ones do not
 * suffice.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dma_high.h"
#include "driver_frames.h"
#include "driver_lives.h"
#include "driver_more.h"

/* ---- The port ---- */

static void open_tells_who_it_is(void **state)
{
	struct rig *rig = *state;
	uint8_t mac[IXGBE_MAC_BYTES];
	struct ixgbe_link link;

	rig_open(rig, NULL);
	assert_int_equal(ixgbe_device_id(rig->nic), 0x10fb);
	ixgbe_mac_permanent(rig->nic, mac);
	assert_memory_equal(mac, rig->mac, sizeof(mac));
	ixgbe_mac_get(rig->nic, mac);
	assert_memory_equal(mac, rig->mac, sizeof(mac));
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_SR);
	assert_int_equal(ixgbe_link_get(rig->nic, &link), 0);
	assert_false(link.up);
}

static void link_needs_no_start(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_link link;

	rig_open(rig, NULL);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
	assert_int_equal(ixgbe_link_get(rig->nic, &link), 0);
	assert_int_equal(link.speed_mbps, 10000);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, false), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, false, RIG_DEADLINE_MS), 0);
	if (rig_has_control(rig))
		assert_false(rig_control(rig, "status", "laser"));
}

static void link_changes_are_events(void **state)
{
	struct rig *rig = *state;
	int fd;

	rig_start(rig, NULL);
	if (!rig_has_control(rig))
		skip();
	fd = ixgbe_irq_other_fd(rig->nic);
	assert_true(rig_irq(fd, RIG_DEADLINE_MS)); /* it came up */
	assert_true(ixgbe_irq_other_handle(rig->nic) & IXGBE_EVENT_LINK);
	for (int up = 0; up < 2; up++) {
		rig_control(rig, up ? "link up" : "link down", NULL);
		assert_true(rig_irq(fd, RIG_DEADLINE_MS));
		assert_int_equal(ixgbe_link_wait(rig->nic, up, RIG_DEADLINE_MS), 0);
		assert_true(ixgbe_irq_other_handle(rig->nic) & IXGBE_EVENT_LINK);
	}
	assert_true(rig_stat(rig, "lsc_int") >= 3);
}

/* Frames that cannot go out keep DMA from ending; a stop flushes them and resets twice. */
static void a_stop_without_a_link_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[RIG_FRAME_MAX], got[RIG_FRAME_MAX];

	rig_start(rig, NULL);
	if (!rig_has_control(rig))
		skip();
	rig_control(rig, "link down", NULL);
	assert_int_equal(ixgbe_link_wait(rig->nic, false, RIG_DEADLINE_MS), 0);
	plain_make(frame, 100, peer, 1);
	rig_send(rig, frame, 100, NULL);
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	rig_control(rig, "link up", NULL);
	assert_int_equal(ixgbe_start(rig->nic, rig->rx_pool, NULL), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
	plain_make(frame, 200, peer, 2);
	rig_send(rig, frame, 200, NULL);
	assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), 200);
	assert_memory_equal(got, frame, 200);
	rig_send_done(rig);
}

static void frames_pass_both_ways(void **state)
{
	static const uint32_t length[] = {60, 61, 64, 128, 1000, 1514};
	struct rig *rig = *state;
	uint8_t frame[RIG_FRAME_MAX], got[RIG_FRAME_MAX];

	rig_start(rig, NULL);
	for (size_t i = 0; i < sizeof(length) / sizeof(*length); i++) {
		plain_make(frame, length[i], rig->mac, (uint8_t)i);
		arrives(rig, frame, length[i]);
		plain_make(frame, length[i], peer, (uint8_t)i);
		rig_send(rig, frame, length[i], NULL);
		assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), length[i]);
		assert_memory_equal(got, frame, length[i]);
	}
	rig_send_done(rig);
	assert_int_equal(rig_stat(rig, "rx_packets"), 6);
	assert_int_equal(rig_stat(rig, "tx_packets"), 6);
	assert_int_equal(rig_stat(rig, "rx_queue_0_packets"), 6);
	assert_int_equal(rig_stat(rig, "rx_pkts_nic"), 6);
	assert_int_equal(rig_stat(rig, "tx_pkts_nic"), 6);
	/* With the FCS of each. */
	assert_int_equal(rig_stat(rig, "tx_bytes_nic"), 60 + 61 + 64 + 128 + 1000 + 1514 + 6 * 4);
}

/* Takes the rest of `frames`, until received = delivered + named drops. */
static void is_accounted_for(struct rig *rig, uint64_t frames, uint64_t delivered)
{
	static const char *const drops[] = {"rx_missed_errors", "rx_no_dma_resources",
					    "rx_dropped"};
	uint64_t end = rig_now_ms() + RIG_DEADLINE_MS, dropped;
	struct rig_frame got;

	for (;;) {
		dropped = 0;
		for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++)
			dropped += rig_stat(rig, drops[i]);
		if (delivered + dropped == frames)
			break;
		if (rig_now_ms() >= end)
			fail_msg("%lu of %lu frames, and %lu dropped", delivered, frames, dropped);
		while (rig_try_recv(rig, &got))
			delivered++;
	}
	assert_int_equal(delivered, rig_stat(rig, "rx_packets"));
	assert_int_equal(delivered + rig_stat(rig, "rx_no_dma_resources"),
			 rig_stat(rig, "rx_pkts_nic"));
}

/* In order, over many turns of the ring. */
static void no_frame_is_unaccounted_for(void **state)
{
	enum { FRAMES = 2000 };
	struct rig *rig = *state;
	struct rig_frame got;
	uint8_t frame[200];
	uint32_t delivered = 0, next = 0;

	rig_start(rig, NULL);
	for (uint32_t i = 0; i < FRAMES; i++) {
		plain_make(frame, sizeof(frame), rig->mac, 0);
		frame[14] = (uint8_t)(i >> 8);
		frame[15] = (uint8_t)i;
		rig_wire_send(rig, frame, sizeof(frame));
		/* In step, roughly: the wire of a test does not wait for the NIC. */
		if (i - delivered < RIG_RING / 2)
			continue;
		rig_recv(rig, &got);
		assert_true(get16(got.data + 14) >= next); /* in order */
		next = get16(got.data + 14) + 1;
		delivered++;
	}
	is_accounted_for(rig, FRAMES, delivered);
}

/* Nobody takes frames until the ring and the packet buffer are full. */
static void an_overrun_is_counted(void **state)
{
	enum { FRAMES = 1200 };
	struct rig *rig = *state;
	uint8_t frame[1514];

	rig_start(rig, NULL);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	for (uint32_t i = 0; i < FRAMES; i++)
		rig_wire_send(rig, frame, sizeof(frame));
	is_accounted_for(rig, FRAMES, 0);
	assert_true(rig_stat(rig, "rx_missed_errors") > 0);
	assert_true(rig_stat(rig, "rx_packets") >= RIG_RING);
	arrives(rig, frame, sizeof(frame)); /* and it goes on */
}

static void mtu_changes_while_running(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[RIG_FRAME_MAX], got[RIG_FRAME_MAX];

	rig_start(rig, NULL);
	plain_make(frame, 9014, rig->mac, 1);
	is_filtered(rig, frame, 1515);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 9000), 0);
	arrives(rig, frame, 1515);
	arrives(rig, frame, 9014);
	plain_make(frame, 9015, rig->mac, 1);
	is_filtered(rig, frame, 9015);
	plain_make(frame, 9014, peer, 2);
	rig_send(rig, frame, 9014, NULL);
	assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), 9014);
	assert_memory_equal(got, frame, 9014);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 9710), 0);
	plain_make(frame, 9724, rig->mac, 3);
	arrives(rig, frame, 9724);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 1500), 0);
	is_filtered(rig, frame, 9014);
	assert_true(rig_stat(rig, "rx_long_length_errors") >= 1);
	rig_send_done(rig);
}

/* ---- Filters ---- */

static void addresses_filter(void **state)
{
	/* Of different words and bits of the table. */
	static const uint8_t group[][IXGBE_MAC_BYTES] = {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03},
							 {0x01, 0x00, 0x5e, 0x00, 0x10, 0x00},
							 {0x33, 0x33, 0x00, 0x00, 0x9a, 0xbc}};
	static const uint8_t changed[IXGBE_MAC_BYTES] = {0x02, 7, 7, 7, 7, 7};
	struct rig *rig = *state;
	uint8_t ours[60], other[60], all[60], multicast[60], ours_new[60];

	plain_make(ours, 60, rig->mac, 0);
	plain_make(other, 60, peer, 0);
	plain_make(all, 60, broadcast, 0);
	plain_make(multicast, 60, group[0], 0);
	plain_make(ours_new, 60, changed, 0);

	rig_start(rig, NULL);
	arrives(rig, ours, 60);
	arrives(rig, all, 60);
	is_filtered(rig, other, 60);
	is_filtered(rig, multicast, 60);

	assert_int_equal(ixgbe_multicast_set(rig->nic, group, 3), 0);
	for (size_t i = 0; i < 3; i++) {
		plain_make(multicast, 60, group[i], 0);
		arrives(rig, multicast, 60);
	}
	assert_int_equal(ixgbe_multicast_set(rig->nic, NULL, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		plain_make(multicast, 60, group[i], 0);
		is_filtered(rig, multicast, 60);
	}
	assert_int_equal(ixgbe_allmulticast_set(rig->nic, true), 0);
	arrives(rig, multicast, 60);
	is_filtered(rig, other, 60);
	assert_int_equal(ixgbe_allmulticast_set(rig->nic, false), 0);

	assert_int_equal(ixgbe_promiscuous_set(rig->nic, true), 0);
	arrives(rig, other, 60);
	arrives(rig, multicast, 60);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, false), 0);
	is_filtered(rig, other, 60);

	assert_int_equal(ixgbe_mac_set(rig->nic, changed), 0);
	arrives(rig, ours_new, 60);
	is_filtered(rig, ours, 60);
}

/* A frame to us with a tag. */
static void tagged_make(struct rig *rig, uint8_t *frame, uint32_t len, uint16_t vid)
{
	plain_make(frame, len, rig->mac, 0);
	memmove(frame + 16, frame + 12, 2);
	put16(frame + 12, 0x8100);
	put16(frame + 14, vid);
}

static void vlans_filter(void **state)
{
	struct rig *rig = *state;
	uint8_t ten[64], twenty[64], high[64], eligible[64], none[60];

	rig_start(rig, NULL);
	tagged_make(rig, ten, 64, 10);
	tagged_make(rig, twenty, 64, 20);
	tagged_make(rig, high, 64, 3000);
	tagged_make(rig, eligible, 64, 0x1000 | 20); /* to be dropped before others (802.1Q) */
	plain_make(none, 60, rig->mac, 0);
	arrives(rig, ten, 64); /* inline, whole */
	arrives(rig, eligible, 64);
	assert_int_equal(ixgbe_vlan_set(rig->nic, 20, true), 0);
	assert_int_equal(ixgbe_vlan_set(rig->nic, 3000, true), 0);
	assert_int_equal(ixgbe_vlan_filter_set(rig->nic, true), 0);
	arrives(rig, twenty, 64);
	arrives(rig, eligible, 64);
	arrives(rig, high, 64);
	is_filtered(rig, ten, 64);
	arrives(rig, none, 60);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, true), 0);
	arrives(rig, ten, 64);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, false), 0);
	assert_int_equal(ixgbe_vlan_set(rig->nic, 20, false), 0);
	is_filtered(rig, twenty, 64);
	assert_int_equal(ixgbe_vlan_filter_set(rig->nic, false), 0);
	arrives(rig, ten, 64);
}

static void vlan_tags_strip_and_insert(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_seg offload = {.flags = IXGBE_SEG_VLAN, .vlan = 0x6123, .l2_len = ETH_BYTES};
	struct rig_frame got;
	uint8_t tagged[68], plain[64], wire[RIG_FRAME_MAX];

	rig_start(rig, &(struct ixgbe_options){.rx_vlan_strip = true});
	tagged_make(rig, tagged, sizeof(tagged), 0x6123);
	rig_wire_send(rig, tagged, sizeof(tagged));
	rig_recv(rig, &got);
	assert_int_equal(got.len, sizeof(tagged) - 4);
	assert_true(got.flags & IXGBE_SEG_VLAN);
	assert_int_equal(got.vlan, 0x6123);
	assert_int_equal(get16(got.data + 12), 0x88b5);

	plain_make(plain, sizeof(plain), peer, 0);
	rig_send(rig, plain, sizeof(plain), &offload);
	assert_int_equal(rig_wire_recv(rig, wire, sizeof(wire)), sizeof(plain) + 4);
	assert_int_equal(get16(wire + 12), 0x8100);
	assert_int_equal(get16(wire + 14), 0x6123);
	assert_memory_equal(wire + 16, plain + 12, sizeof(plain) - 12);
	rig_send_done(rig);
}

/* ---- Interrupts ---- */

static void a_vector_fires_once_per_arming(void **state)
{
	struct rig *rig = *state;
	struct rig_frame got;
	uint8_t frame[60];
	int fd;

	rig_start(rig, &(struct ixgbe_options){.queues = 2});
	fd = ixgbe_irq_fd(rig->nic, 0);
	plain_make(frame, sizeof(frame), rig->mac, 0); /* not IP: queue 0 */

	rig_wire_send(rig, frame, sizeof(frame));
	rig_recv(rig, &got);
	assert_false(rig_irq(fd, RIG_QUIET_MS)); /* masked until armed, ... */
	assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
	assert_true(rig_irq(fd, RIG_DEADLINE_MS)); /* ... and the cause was kept */

	rig_wire_send(rig, frame, sizeof(frame));
	rig_recv(rig, &got);
	assert_false(rig_irq(fd, RIG_QUIET_MS));
	assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
	assert_true(rig_irq(fd, RIG_DEADLINE_MS));

	/* Armed first. */
	assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
	assert_false(rig_irq(fd, RIG_QUIET_MS));
	rig_wire_send(rig, frame, sizeof(frame));
	assert_true(rig_irq(fd, RIG_DEADLINE_MS));
	rig_recv(rig, &got);
	assert_false(rig_irq(ixgbe_irq_fd(rig->nic, 1), 0));
}

static void sent_frames_interrupt_when_asked_for(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60], got[RIG_FRAME_MAX];
	int fd;

	rig_start(rig, NULL);
	fd = ixgbe_irq_fd(rig->nic, 0);
	plain_make(frame, sizeof(frame), peer, 0);
	assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
	rig_send(rig, frame, sizeof(frame), NULL);
	rig_wire_recv(rig, got, sizeof(got));
	rig_send_done(rig);
	assert_false(rig_irq(fd, RIG_QUIET_MS));

	assert_int_equal(ixgbe_irq_tx_set(rig->nic, 0, true), 0);
	rig_send(rig, frame, sizeof(frame), NULL);
	assert_true(rig_irq(fd, RIG_DEADLINE_MS));
	assert_int_equal(ixgbe_irq_tx_set(rig->nic, 0, false), 0);
	rig_wire_recv(rig, got, sizeof(got));
	rig_send_done(rig);
}

/* Sixteen queues: the vector of other causes is beyond EICR's queue bits. */
static void all_queues_have_their_vector(void **state)
{
	struct rig *rig = *state;
	struct rig_frame got;
	static struct packet p;
	int other;

	rig_start(rig, &(struct ixgbe_options){.queues = IXGBE_QUEUES_MAX});
	other = ixgbe_irq_other_fd(rig->nic);
	assert_true(rig_irq(other, RIG_DEADLINE_MS));
	assert_true(ixgbe_irq_other_handle(rig->nic) & IXGBE_EVENT_LINK);
	for (uint16_t q = 0; q < IXGBE_QUEUES_MAX; q++)
		assert_int_equal(ixgbe_irq_arm(rig->nic, q), 0);
	for (uint16_t port = 1; port <= 8; port++) {
		packet_make(&p, rig->mac, false, PROTO_TCP, port, 10);
		rig_wire_send(rig, p.data, p.len);
		rig_recv(rig, &got);
		assert_true(rig_irq(ixgbe_irq_fd(rig->nic, got.queue), RIG_DEADLINE_MS));
		assert_int_equal(ixgbe_irq_arm(rig->nic, got.queue), 0);
	}
	assert_false(rig_irq(other, 0));
}

/* ---- Offloads ---- */

static void checksums_are_verified(void **state)
{
	static struct packet p;
	struct rig *rig = *state;
	struct rig_frame got;

	rig_start(rig, NULL);
	for (int i = 0; i < 4; i++) {
		bool v6 = i & 1;
		uint8_t proto = i & 2 ? PROTO_UDP : PROTO_TCP;
		uint32_t is = (v6 ? IXGBE_RX_IPV6 : IXGBE_RX_IPV4) |
			      (proto == PROTO_TCP ? IXGBE_RX_TCP : IXGBE_RX_UDP);

		packet_make(&p, rig->mac, v6, proto, 1000, 100);
		rig_wire_send(rig, p.data, p.len);
		rig_recv(rig, &got);
		assert_int_equal(got.flags & is, is);
		assert_true(got.flags & IXGBE_RX_L4_GOOD);
		assert_int_equal(!!(got.flags & IXGBE_RX_IP_GOOD), !v6);
		assert_false(got.flags & (IXGBE_RX_L4_BAD | IXGBE_RX_IP_BAD));

		p.data[p.header + 50] ^= 0xff;
		rig_wire_send(rig, p.data, p.len);
		rig_recv(rig, &got);
		assert_false(got.flags & IXGBE_RX_L4_GOOD);
		/* The device's word on a bad UDP checksum is not worth having (erratum). */
		assert_int_equal(!!(got.flags & IXGBE_RX_L4_BAD), proto == PROTO_TCP);
	}
	/* A UDP datagram without checksum is neither good nor bad. */
	packet_make(&p, rig->mac, false, PROTO_UDP, 1000, 100);
	put16(checksum_field(&p), 0);
	rig_wire_send(rig, p.data, p.len);
	rig_recv(rig, &got);
	assert_false(got.flags & IXGBE_RX_L4_BAD);

	packet_make(&p, rig->mac, false, PROTO_TCP, 1000, 100);
	p.data[p.l3 + 8] = 63;
	rig_wire_send(rig, p.data, p.len);
	rig_recv(rig, &got);
	assert_true(got.flags & IXGBE_RX_IP_BAD);
	/* The device's word on a bad header of a fragment neither (erratum). */
	packet_make(&p, rig->mac, false, PROTO_UDP, 1000, 100);
	put16(p.data + p.l3 + 6, 0x2000);
	put16(p.data + p.l3 + 10, 0);
	put16(p.data + p.l3 + 10, ~fold(sum(p.data + p.l3, p.l4 - p.l3, 0)));
	rig_wire_send(rig, p.data, p.len);
	rig_recv(rig, &got);
	assert_true(got.flags & IXGBE_RX_IPV4);
	assert_false(got.flags & IXGBE_RX_IP_BAD);
}

static void checksums_are_filled_in(void **state)
{
	static struct packet p, sent;
	struct rig *rig = *state;
	uint8_t got[RIG_FRAME_MAX];

	rig_start(rig, NULL);
	for (int i = 0; i < 4; i++) {
		struct ixgbe_seg offload;

		packet_make(&p, peer, i & 1, i & 2 ? PROTO_UDP : PROTO_TCP, 1000, 321);
		sent = p;
		if (!sent.v6)
			put16(sent.data + sent.l3 + 10, 0);
		put16(checksum_field(&sent),
		      fold(pseudo(&sent, sent.data + sent.l3, sent.len - sent.l4)));
		offload = offload_of(&sent);
		rig_send(rig, sent.data, sent.len, &offload);
		assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), p.len);
		assert_memory_equal(got, p.data, p.len);
	}
	rig_send_done(rig);
}

static uint32_t crc32c(const uint8_t *data, uint32_t len)
{
	uint32_t crc = UINT32_MAX;

	while (len--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* The NIC pads a short SCTP frame; padding of the driver's would be in the sum. */
static void a_short_sctp_frame_is_padded_behind_its_sum(void **state)
{
	enum { L4 = ETH_BYTES + IPV4_BYTES, SCTP_BYTES = 12 };
	struct rig *rig = *state;
	uint8_t frame[L4 + SCTP_BYTES], got[RIG_FRAME_MAX], zeros[SCTP_BYTES];
	struct ixgbe_seg offload = {
		.flags = IXGBE_TX_SCTP_CSUM | IXGBE_TX_IPV4,
		.l2_len = ETH_BYTES,
		.l3_len = IPV4_BYTES,
	};
	uint32_t found;

	rig_start(rig, NULL);
	plain_make(frame, sizeof(frame), peer, 0);
	put16(frame + 12, 0x0800);
	frame[ETH_BYTES] = 0x45;
	put16(frame + ETH_BYTES + 2, IPV4_BYTES + SCTP_BYTES);
	put16(frame + ETH_BYTES + 6, 0);
	frame[ETH_BYTES + 9] = 132;
	memset(frame + L4 + 8, 0, 4);
	rig_send(rig, frame, sizeof(frame), &offload);
	assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), 60);
	memcpy(zeros, got + L4, SCTP_BYTES);
	memset(zeros + 8, 0, 4);
	memcpy(&found, got + L4 + 8, sizeof(found));
	assert_int_equal(found, crc32c(zeros, SCTP_BYTES));
	rig_send_done(rig);
}

/* TSO: every piece is a frame that could have been sent so, and together they are the whole. */
static void one_is_cut(struct rig *rig, bool v6, uint32_t payload, uint16_t mss)
{
	static struct packet p;
	struct ixgbe_seg offload;
	uint8_t got[RIG_FRAME_MAX];
	uint32_t done = 0;

	packet_make(&p, peer, v6, PROTO_TCP, 1000, payload);
	if (!v6) {
		put16(p.data + p.l3 + 2, 0);
		put16(p.data + p.l3 + 10, 0);
	} else {
		put16(p.data + p.l3 + 4, 0);
	}
	put16(checksum_field(&p), fold(pseudo(&p, p.data + p.l3, 0)));
	offload = offload_of(&p);
	offload.flags |= IXGBE_TX_TSO;
	offload.mss = mss;
	rig_send(rig, p.data, p.len, &offload);
	while (done < payload) {
		uint32_t len = (uint32_t)rig_wire_recv(rig, got, sizeof(got));
		uint32_t piece = len - p.header;
		bool last = done + piece == payload;

		assert_int_equal(piece, payload - done < mss ? payload - done : mss);
		assert_memory_equal(got + p.header, p.data + p.header + done, piece);
		assert_checksums(&p, got, len);
		assert_int_equal(get16(got + p.l4 + 4) << 16 | get16(got + p.l4 + 6), 1 + done);
		assert_int_equal(got[p.l4 + 13] & 0x08, last ? 0x08 : 0); /* PSH at the end */
		done += piece;
	}
}

static void large_segments_are_cut(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL);
	one_is_cut(rig, false, 10000, 1460);
	one_is_cut(rig, true, 10000, 1440);
	one_is_cut(rig, false, 60000, 1448);
	one_is_cut(rig, false, 1460 * 3, 1460);
	one_is_cut(rig, false, 100, 1460);
	assert_true(rig_wire_quiet(rig));
	rig_send_done(rig);
}

static void flows_spread_and_stay(void **state)
{
	static struct packet p;
	struct rig *rig = *state;
	struct rig_frame got;
	enum { QUEUES = 5 };
	bool used[QUEUES] = {false};

	rig_start(rig, &(struct ixgbe_options){.queues = QUEUES});
	for (uint16_t flow = 0; flow < 64; flow++) {
		uint16_t queue = 0;

		for (int again = 0; again < 2; again++) {
			packet_make(&p, rig->mac, flow & 1, PROTO_TCP, (uint16_t)(2000 + flow), 10);
			rig_wire_send(rig, p.data, p.len);
			rig_recv(rig, &got);
			assert_true(got.flags & IXGBE_RX_RSS);
			assert_int_equal(got.queue, got.rss_hash % 128 % QUEUES);
			if (again)
				assert_int_equal(got.queue, queue);
			queue = got.queue;
		}
		used[queue] = true;
	}
	for (int q = 0; q < QUEUES; q++)
		assert_true(used[q]);
}

/* The examples of the RSS specification: 66.9.149.187:2794 to 161.142.100.80:1766, and
 * [3ffe:2501:200:1fff::7]:2794 to [3ffe:2501:200:3::1]:1766; those of UDP are hashed by address. */
static void the_hash_is_the_published_one(void **state)
{
	static const uint8_t v4[8] = {66, 9, 149, 187, 161, 142, 100, 80};
	static const uint8_t v6[32] = {0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, [15] = 7,
				       0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, [31] = 1};
	static const uint32_t hash[] = {0x51ccc178, 0x40207d3d, 0x323e8fc2, 0x2cc18cd5};
	static struct packet p;
	struct rig *rig = *state;
	struct rig_frame got;
	uint8_t *ip;

	rig_start(rig, NULL);
	for (int i = 0; i < 4; i++) {
		packet_make(&p, rig->mac, i & 1, i & 2 ? PROTO_UDP : PROTO_TCP, 2794, 40);
		ip = p.data + p.l3;
		put16(p.data + p.l4 + 2, 1766);
		if (p.v6) {
			memcpy(ip + 8, v6, sizeof(v6));
		} else {
			memcpy(ip + 12, v4, sizeof(v4));
			put16(ip + 10, 0);
			put16(ip + 10, ~fold(sum(ip, IPV4_BYTES, 0)));
		}
		rig_wire_send(rig, p.data, p.len);
		rig_recv(rig, &got);
		assert_true(got.flags & IXGBE_RX_RSS);
		assert_int_equal(got.rss_hash, hash[i]);
	}
}

/* ---- Again ---- */

static void it_stops_and_starts(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];

	rig_start(rig, NULL);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	for (int i = 0; i < 3; i++) {
		arrives(rig, frame, sizeof(frame));
		assert_int_equal(ixgbe_stop(rig->nic), 0);
		assert_int_equal(ixgbe_pool_available(rig->rx_pool[0]), RIG_RX_BUFFERS);
		assert_int_equal(ixgbe_start(rig->nic, rig->rx_pool, NULL), 0);
		assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
	}
	arrives(rig, frame, sizeof(frame));
	assert_int_equal(rig_stat(rig, "rx_packets"), 4);
	assert_int_equal(rig_stat(rig, "rx_pkts_nic"), 4);
}

static void it_closes_and_opens(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];

	plain_make(frame, sizeof(frame), rig->mac, 0);
	for (int i = 0; i < 3; i++) {
		rig_start(rig, NULL);
		arrives(rig, frame, sizeof(frame));
		rig_close(rig);
	}
}

/* The device is pulled out while frames are under way. */
static void it_survives_the_loss_of_the_device(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_link link;
	uint8_t frame[60];

	rig_start(rig, NULL);
	if (rig->pid < 0)
		skip();
	plain_make(frame, sizeof(frame), peer, 0);
	rig_send(rig, frame, sizeof(frame), NULL);
	rig_kill(rig);
	rig_send(rig, frame, sizeof(frame), NULL);
	assert_int_equal(ixgbe_link_get(rig->nic, &link), -ENODEV);
	assert_int_equal(ixgbe_stats_update(rig->nic), -ENODEV);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), -ENODEV);
	assert_int_equal(ixgbe_stop(rig->nic), -ENODEV);
	assert_int_equal(ixgbe_pool_available(rig->tx_pool), RIG_TX_BUFFERS);
}

static void count_row(void *ctx, const char *name, uint32_t offset, uint32_t value)
{
	(void)name, (void)offset, (void)value;
	++*(size_t *)ctx;
}

static void iovas_are_where_they_are_wanted(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_buf *buf;

	rig_start(rig, NULL);
	buf = ixgbe_buf_get(rig->tx_pool);
	assert_non_null(buf);
	assert_int_equal(buf->iova > UINT32_MAX, dma_high_wanted());
	ixgbe_buf_put(buf);
}

static void registers_are_shown(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];
	size_t rows = 0;

	rig_start(rig, NULL);
	assert_int_equal(ixgbe_registers_dump(rig->nic, count_row, &rows), 0);
	assert_true(rows > 1000);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	arrives(rig, frame, sizeof(frame));
	assert_int_equal(rig_stat(rig, "rx_pkts_nic"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(open_tells_who_it_is),
		TEST(link_needs_no_start),
		TEST(link_changes_are_events),
		TEST(a_stop_without_a_link_leaves_nothing),
		TEST(frames_pass_both_ways),
		TEST(no_frame_is_unaccounted_for),
		TEST(an_overrun_is_counted),
		TEST(mtu_changes_while_running),
		TEST(addresses_filter),
		TEST(further_addresses_filter),
		TEST(vlans_filter),
		TEST(vlan_tags_strip_and_insert),
		TEST(a_vector_fires_once_per_arming),
		TEST(sent_frames_interrupt_when_asked_for),
		TEST(all_queues_have_their_vector),
		TEST(checksums_are_verified),
		TEST(checksums_are_filled_in),
		TEST(a_short_sctp_frame_is_padded_behind_its_sum),
		TEST(large_segments_are_cut),
		TEST(flows_spread_and_stay),
		TEST(the_hash_is_the_published_one),
		TEST(it_stops_and_starts),
		TEST(it_closes_and_opens),
		TEST(it_survives_the_loss_of_the_device),
		TEST(registers_are_shown),
		TEST(iovas_are_where_they_are_wanted),
		TEST(a_closed_port_is_the_firmwares),
		TEST(modules_come_and_go),
		TEST(a_cable_has_no_laser),
		TEST(faults_are_told_once),
		TEST(a_queue_that_hangs_is_restarted),
		TEST(a_restart_that_does_not_help_is_followed_by_a_reset),
		TEST(other_causes_fire_once_per_arming),
		TEST(other_causes_leave_those_of_queues),
		TEST(a_vector_keeps_its_interval),
		TEST(sent_frames_interrupt_on_each_queue),
		TEST(a_vector_is_armed_alone),
		TEST(sent_frames_go_round_the_ring),
		TEST(a_large_frame_follows_small_ones),
		TEST(a_long_burst_reports_on_its_way),
		TEST(broken_frames_stay_in_the_nic),
		TEST(each_queue_is_set_up_alike),
		TEST(settings_live_through_a_stop),
		TEST(queues_have_their_counters),
		TEST(pause_frames_stay_in_the_nic),
		TEST(a_stop_sends_what_it_has),
		TEST(a_queue_that_nobody_serves_holds_up_no_other),
		TEST(a_successor_goes_on),
		TEST(an_idle_driver_leaves_nothing_to_repeat),
		TEST(a_stopped_port_is_begun_anew),
		TEST(a_reset_makes_the_next_one_begin_anew),
		TEST(a_driver_dies_within_an_access),
		TEST(a_program_of_its_own_goes_on),
		TEST(a_keeper_becomes_another_program),
	};
	const char *missing;

	if (argc > 2 && strcmp(argv[1], "life") == 0)
		return life_main(argc - 2, argv + 2);
	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "high") != 0)) {
		fprintf(stderr, "usage: %s vfio-user-fd|vfio-user|vfio [high]\n", argv[0]);
		return 2;
	}
	dma_high_set(argc == 3);
	if (getenv("IXTAP_TEST")) /* only those of this pattern */
		cmocka_set_test_filter(getenv("IXTAP_TEST"));
	missing = rig_select(argv[1]);
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 0;
	}
	return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
