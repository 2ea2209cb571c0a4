/* SPDX-License-Identifier: MIT */
#include "driver_more.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver_frames.h"
#include "ixgbe/tables/desc.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#define LOOK_US 50000 /* between two looks of the watchdog */

static void needs_control(struct rig *rig)
{
	if (!rig_has_control(rig))
		skip();
}

static int other_event(struct rig *rig)
{
	assert_true(rig_irq(ixgbe_irq_other_fd(rig->nic), RIG_DEADLINE_MS));
	return ixgbe_irq_other_handle(rig->nic);
}

/* A started port whose link is up, and was told to be. */
static void quiet_start(struct rig *rig, const struct ixgbe_options *options)
{
	rig_start(rig, options);
	needs_control(rig);
	assert_int_equal(other_event(rig), IXGBE_EVENT_LINK);
}

/* ---- The board ---- */

/* DRV_LOAD tells the firmware whether the link is its own. */
void a_closed_port_is_the_firmwares(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL);
	needs_control(rig);
	assert_true(rig_register(rig, "CTRL_EXT", 0) & IXGBE_CTRL_EXT_DRV_LOAD);
	rig_close(rig); /* a function reset with the bit would be a violation */
}

static void module_sum_is(struct rig *rig, enum ixgbe_sfp_sum wanted)
{
	assert_int_equal(ixgbe_sfp_sum_check(rig->nic), 0);
	assert_int_equal(ixgbe_sfp_sum(rig->nic), wanted);
}

void modules_come_and_go(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];

	quiet_start(rig, NULL);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	for (int i = 0; i < 2; i++) {
		rig_control(rig, "module out", NULL);
		assert_int_equal(ixgbe_link_wait(rig->nic, false, RIG_DEADLINE_MS), 0);
		assert_true(other_event(rig) & IXGBE_EVENT_SFP);
		assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_NONE);
		/* It takes a while before it answers. */
		rig_control(rig, i ? "module sr" : "module sr-1g", NULL);
		assert_true(other_event(rig) & IXGBE_EVENT_SFP);
		assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_SR);
		assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
		arrives(rig, frame, sizeof(frame));
		module_sum_is(rig, IXGBE_SFP_SUM_RIGHT);
	}
	/* Another one, faster than anybody looks. */
	rig_control(rig, "module da", NULL);
	assert_true(other_event(rig) & IXGBE_EVENT_SFP);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_DA);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
	arrives(rig, frame, sizeof(frame));
}

/* A copper cable's partner sees the transmitter itself go off. */
void a_cable_has_no_laser(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];

	quiet_start(rig, NULL);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	rig_control(rig, "module out", NULL);
	assert_true(other_event(rig) & IXGBE_EVENT_SFP);
	rig_control(rig, "module da", NULL);
	assert_true(other_event(rig) & IXGBE_EVENT_SFP);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_DA);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
		arrives(rig, frame, sizeof(frame));
		assert_int_equal(ixgbe_link_set_admin(rig->nic, false), 0);
		assert_false(rig_control(rig, "status", "laser"));
		assert_int_equal(rig_register(rig, "AUTOC2", 0) & IXGBE_AUTOC2_LINK_DISABLE,
				 IXGBE_AUTOC2_LINK_DISABLE);
		assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	}
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
}

/* ---- Faults ---- */

/* The NIC reads a frame from where nothing is mapped: no backend uses the first page. */
static void read_refused(struct rig *rig)
{
	struct ixgbe_buf *buf = ixgbe_buf_get(rig->tx_pool);
	struct ixgbe_seg seg = {.buf = buf, .len = 60, .flags = IXGBE_SEG_EOP};
	const uint64_t iova = buf->iova;
	int stopped;

	buf->iova = 0x800;
	assert_int_equal(ixgbe_tx_burst(ixgbe_txq(rig->nic, 0), &seg, 1, &stopped), 1);
	buf->iova = iova;
	rig_send_done(rig);
	rig_control(rig, "violations zero", NULL);
}

void faults_are_told_once(void **state)
{
	struct rig *rig = *state;

	quiet_start(rig, NULL);
	assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
	for (int i = 0; i < 2; i++) {
		read_refused(rig);
		assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_REFUSED);
		assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
		rig_control(rig, "fault timeout", NULL);
		assert_int_equal(other_event(rig), IXGBE_EVENT_BUS);
		assert_int_equal(ixgbe_bus_errors(rig->nic), IXGBE_BUS_TIMEOUT);
		assert_int_equal(ixgbe_bus_errors(rig->nic), 0);
		rig_control(rig, "fault ecc", NULL);
		assert_int_equal(other_event(rig), IXGBE_EVENT_FAULT);
	}
	assert_false(rig_irq(ixgbe_irq_other_fd(rig->nic), RIG_QUIET_MS));
}

/* Queue 0 has a frame that does not go out, and the watchdog says so. */
static void queue_hangs(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	const uint64_t end = rig_now_ms() + RIG_DEADLINE_MS;
	int err;

	rig_send(rig, frame, len, NULL);
	while ((err = ixgbe_tx_watch(rig->nic)) == 0 && rig_now_ms() < end) {
		ixgbe_tx_reclaim(ixgbe_txq(rig->nic, 0));
		usleep(LOOK_US);
	}
	assert_int_equal(err, -ETIMEDOUT);
	assert_int_equal(ixgbe_tx_hung(rig->nic), 1);
	assert_true(rig_wire_quiet(rig));
}

static void sends(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	uint8_t got[RIG_FRAME_MAX];

	rig_send(rig, frame, len, NULL);
	assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), len);
	assert_memory_equal(got, frame, len);
	rig_send_done(rig);
}

void a_queue_that_hangs_is_restarted(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];

	quiet_start(rig, NULL);
	plain_make(frame, sizeof(frame), peer, 0);
	for (int i = 0; i < 2; i++) {
		rig_control(rig, "fault tx-hang queue 0", NULL);
		queue_hangs(rig, frame, sizeof(frame));
		assert_int_equal(ixgbe_tx_restart(rig->nic, 0), 0);
		rig_send_done(rig); /* the buffers are back */
		sends(rig, frame, sizeof(frame));
	}
	assert_false(rig_irq(ixgbe_irq_other_fd(rig->nic), RIG_QUIET_MS)); /* the link stayed */
	assert_int_equal(rig_stat(rig, "tx_timeout_count"), 2);
}

void a_restart_that_does_not_help_is_followed_by_a_reset(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60];

	quiet_start(rig, NULL);
	plain_make(frame, sizeof(frame), peer, 0);
	rig_control(rig, "fault tx-hang reset", NULL);
	queue_hangs(rig, frame, sizeof(frame));
	assert_int_equal(ixgbe_tx_restart(rig->nic, 0), 0);
	queue_hangs(rig, frame, sizeof(frame));
	assert_int_equal(ixgbe_tx_restart(rig->nic, 0), -EIO);
	ixgbe_stop(rig->nic);
	assert_int_equal(ixgbe_start(rig->nic, rig->rx_pool, NULL), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
	sends(rig, frame, sizeof(frame));
}

/* ---- Interrupts ---- */

void other_causes_fire_once_per_arming(void **state)
{
	struct rig *rig = *state;
	int fd;

	quiet_start(rig, NULL);
	fd = ixgbe_irq_other_fd(rig->nic);
	rig_control(rig, "link down", NULL);
	assert_true(rig_irq(fd, RIG_DEADLINE_MS));
	rig_control(rig, "fault ecc", NULL);
	assert_false(rig_irq(fd, RIG_QUIET_MS)); /* masked until handled */
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_LINK | IXGBE_EVENT_FAULT);
	assert_false(rig_irq(fd, RIG_QUIET_MS));
	rig_control(rig, "link up", NULL);
	assert_int_equal(other_event(rig), IXGBE_EVENT_LINK);
}

void other_causes_leave_those_of_queues(void **state)
{
	struct rig *rig = *state;
	struct rig_frame got;
	uint8_t frame[60];

	quiet_start(rig, NULL);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	rig_wire_send(rig, frame, sizeof(frame));
	rig_recv(rig, &got);
	rig_control(rig, "fault ecc", NULL);
	assert_int_equal(other_event(rig), IXGBE_EVENT_FAULT);
	assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
	assert_true(rig_irq(ixgbe_irq_fd(rig->nic, 0), RIG_DEADLINE_MS));
}

/* Least times, so a slow machine does no harm. */
void a_vector_keeps_its_interval(void **state)
{
	enum { INTERVAL_US = 1000, TIMES = 50, UNIT_US = 2 };
	struct rig *rig = *state;
	struct rig_frame got;
	uint8_t frame[60];
	uint64_t start;

	rig_start(rig, &(struct ixgbe_options){.itr_us = INTERVAL_US});
	plain_make(frame, sizeof(frame), rig->mac, 0);
	start = rig_now_ms();
	for (int i = 0; i < TIMES; i++) {
		assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
		rig_wire_send(rig, frame, sizeof(frame));
		assert_true(rig_irq(ixgbe_irq_fd(rig->nic, 0), RIG_DEADLINE_MS));
		rig_recv(rig, &got);
	}
	assert_true(rig_now_ms() - start + 1 >= (TIMES - 1) * INTERVAL_US / 1000);
	if (rig_has_control(rig)) /* a unit more or less is no matter of time */
		assert_int_equal(
			IXGBE_FIELD_GET(IXGBE_EITR_ITR_INTERVAL, rig_register(rig, "EITR", 0)),
			INTERVAL_US / UNIT_US);
}

/* Two queues share a register; each goes on and off by itself. */
void sent_frames_interrupt_on_each_queue(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60], got[RIG_FRAME_MAX];

	rig_start(rig, &(struct ixgbe_options){.queues = 2});
	plain_make(frame, sizeof(frame), peer, 0);
	for (uint32_t step = 0; step < 5; step++) { /* on: none, 0, 0 and 1, 1, none */
		for (uint16_t q = 0; q < 2; q++)
			assert_int_equal(ixgbe_irq_tx_set(rig->nic, q, step - q - 1 < 2), 0);
		for (uint16_t q = 0; q < 2; q++) {
			const bool on = step - q - 1 < 2;

			assert_int_equal(ixgbe_irq_arm(rig->nic, q), 0);
			rig_send_on(rig, q, frame, sizeof(frame), NULL);
			rig_wire_recv(rig, got, sizeof(got));
			assert_int_equal(rig_irq(ixgbe_irq_fd(rig->nic, q),
						 on ? RIG_DEADLINE_MS : RIG_QUIET_MS),
					 on);
			assert_false(rig_irq(ixgbe_irq_fd(rig->nic, 1 - q), 0));
		}
	}
}

void a_vector_is_armed_alone(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[60], got[RIG_FRAME_MAX];

	rig_start(rig, &(struct ixgbe_options){.queues = 2});
	plain_make(frame, sizeof(frame), peer, 0);
	assert_int_equal(ixgbe_irq_tx_set(rig->nic, 1, true), 0);
	rig_send_on(rig, 1, frame, sizeof(frame), NULL);
	rig_wire_recv(rig, got, sizeof(got));
	assert_int_equal(ixgbe_irq_arm(rig->nic, 0), 0);
	assert_false(rig_irq(ixgbe_irq_fd(rig->nic, 1), RIG_QUIET_MS)); /* has a cause */
	assert_int_equal(ixgbe_irq_arm(rig->nic, 1), 0);
	assert_true(rig_irq(ixgbe_irq_fd(rig->nic, 1), RIG_DEADLINE_MS));
}

/* ---- Queues ---- */

/* More frames than its ring has descriptors. */
void sent_frames_go_round_the_ring(void **state)
{
	enum { FRAMES = 2 * RIG_RING + 10 };
	struct rig *rig = *state;
	uint8_t frame[60], got[RIG_FRAME_MAX];

	rig_start(rig, NULL);
	for (uint32_t i = 0; i < FRAMES; i++) {
		plain_make(frame, sizeof(frame), peer, (uint8_t)i);
		rig_send(rig, frame, sizeof(frame), NULL);
		assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), sizeof(frame));
		assert_memory_equal(got, frame, sizeof(frame));
		rig_send_done(rig);
	}
}

/* One burst: frames of one descriptor, and one of `pieces` (0: none) behind them. */
static void send_at_once(struct rig *rig, uint32_t small, uint32_t pieces)
{
	enum { BYTES = 60 };
	struct ixgbe_seg seg[RIG_TX_BUFFERS] = {0};
	const uint32_t all = small + pieces;
	uint8_t frame[BYTES], got[RIG_FRAME_MAX];
	int stopped;

	plain_make(frame, sizeof(frame), peer, 0);
	for (uint32_t i = 0; i < all; i++) {
		seg[i].buf = ixgbe_buf_get(rig->tx_pool);
		assert_non_null(seg[i].buf);
		memcpy(seg[i].buf->data, frame, BYTES);
		seg[i].len = i < small ? BYTES : BYTES / 2;
		seg[i].flags = i < small || i == all - 1 ? IXGBE_SEG_EOP : 0;
	}
	assert_int_equal(ixgbe_tx_burst(ixgbe_txq(rig->nic, 0), seg, (uint16_t)all, &stopped), all);
	for (uint32_t i = 0; i < small; i++)
		assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), BYTES);
	if (pieces)
		assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), pieces * (BYTES / 2));
	rig_send_done(rig);
}

/* Its report would come behind more descriptors than the 40 that the NIC holds: TX_RS (8.2.3.9.10).
 */
void a_large_frame_follows_small_ones(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL);
	send_at_once(rig, 25, 38);
	for (uint32_t small = 22; small <= 31; small++) /* 40 descriptors, and 41 */
		for (uint32_t all = 40; all <= 41; all++)
			send_at_once(rig, small, all - small);
}

/* TX_RS: a report comes before the end of the burst. */
void a_long_burst_reports_on_its_way(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL);
	for (uint32_t small = 31; small <= RIG_TX_BUFFERS; small += 11)
		send_at_once(rig, small, 0);
}

/* The NIC drops what its length field or its size shows to be broken, and counts it. A frame that
 * came in all the same would be one of rx_dropped. */
void broken_frames_stay_in_the_nic(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[100];

	rig_start(rig, NULL);
	plain_make(frame, sizeof(frame), rig->mac, 0);
	put16(frame + 12, sizeof(frame) - ETH_BYTES);
	arrives(rig, frame, sizeof(frame));
	put16(frame + 12, sizeof(frame) - ETH_BYTES + 1);
	is_filtered(rig, frame, sizeof(frame));
	put16(frame + 12, sizeof(frame) - ETH_BYTES - 1);
	is_filtered(rig, frame, sizeof(frame));
	plain_make(frame, sizeof(frame), rig->mac, 0);
	is_filtered(rig, frame, 59);
	arrives(rig, frame, sizeof(frame));
	assert_int_equal(rig_stat(rig, "rx_length_errors"), 2);
	assert_int_equal(rig_stat(rig, "rx_dropped"), 0);
	assert_int_equal(rig_stat(rig, "rx_packets"), 2);
}

void each_queue_is_set_up_alike(void **state)
{
	enum { QUEUES = 3 };
	struct rig *rig = *state;

	rig_start(rig, &(struct ixgbe_options){.queues = QUEUES, .rx_vlan_strip = true});
	needs_control(rig);
	for (uint32_t q = 0; q < QUEUES; q++) {
		assert_true(rig_register(rig, "RXDCTL", q) & IXGBE_RXDCTL_VME);
		assert_true(rig_register(rig, "SRRCTL", q) & IXGBE_SRRCTL_DROP_EN);
		assert_int_equal(rig_register(rig, "TDLEN", q), RIG_RING * IXGBE_DESC_BYTES);
		assert_int_equal(rig_register(rig, "RDLEN", q), RIG_RING * IXGBE_DESC_BYTES);
	}
}

/* A reset clears the NIC's filters and sizes; the port's are written again. */
void settings_live_through_a_stop(void **state)
{
	static const uint8_t group[][IXGBE_MAC_BYTES] = {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}};
	static const uint8_t second[][IXGBE_MAC_BYTES] = {{0x02, 9, 9, 9, 9, 1}};
	static const uint8_t changed[IXGBE_MAC_BYTES] = {0x02, 7, 7, 7, 7, 7};
	struct rig *rig = *state;
	uint8_t frame[9014];

	rig_start(rig, NULL);
	assert_int_equal(ixgbe_multicast_set(rig->nic, group, 1), 0);
	assert_int_equal(ixgbe_unicast_set(rig->nic, second, 1), 0);
	assert_int_equal(ixgbe_mac_set(rig->nic, changed), 0);
	assert_int_equal(ixgbe_mtu_set(rig->nic, 9000), 0);
	assert_int_equal(ixgbe_vlan_set(rig->nic, 3000, true), 0);
	assert_int_equal(ixgbe_vlan_filter_set(rig->nic, true), 0);
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	assert_int_equal(ixgbe_start(rig->nic, rig->rx_pool, NULL), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);

	plain_make(frame, 60, group[0], 0);
	arrives(rig, frame, 60);
	plain_make(frame, 60, second[0], 0);
	arrives(rig, frame, 60);
	plain_make(frame, 60, rig->mac, 0);
	is_filtered(rig, frame, 60);
	plain_make(frame, sizeof(frame), changed, 0);
	arrives(rig, frame, sizeof(frame));
	for (uint16_t vid = 2998; vid < 3003; vid++) {
		put16(frame + 12, 0x8100);
		put16(frame + 14, vid);
		if (vid == 3000)
			arrives(rig, frame, 64);
		else
			is_filtered(rig, frame, 64);
	}
}

void queues_have_their_counters(void **state)
{
	enum { FLOWS = 48 };
	static struct packet p;
	struct rig *rig = *state;
	struct rig_frame got;
	uint32_t count[IXGBE_QUEUES_MAX] = {0};
	uint8_t frame[RIG_FRAME_MAX];

	rig_start(rig, &(struct ixgbe_options){.queues = IXGBE_QUEUES_MAX});
	needs_control(rig);
	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		packet_make(&p, rig->mac, false, PROTO_TCP, (uint16_t)(3000 + flow), 10);
		rig_wire_send(rig, p.data, p.len);
		rig_recv(rig, &got);
		count[got.queue]++;
	}
	for (uint16_t q = 0; q < IXGBE_QUEUES_MAX; q++) {
		assert_int_equal(rig_statistic(rig, "QPRC", q), count[q]);
		plain_make(frame, 60, peer, (uint8_t)q);
		for (int i = 0; i <= q % 3; i++) {
			rig_send_on(rig, q, frame, 60, NULL);
			rig_wire_recv(rig, frame, sizeof(frame));
		}
		assert_int_equal(rig_statistic(rig, "QPTC", q), q % 3 + 1);
	}
}

void further_addresses_filter(void **state)
{
	static const uint8_t second[][IXGBE_MAC_BYTES] = {{0x02, 9, 9, 9, 9, 1},
							  {0x02, 9, 9, 9, 9, 2}};
	struct rig *rig = *state;
	uint8_t extra[60];

	rig_start(rig, NULL);
	plain_make(extra, 60, second[1], 0);
	is_filtered(rig, extra, 60);
	assert_int_equal(ixgbe_unicast_set(rig->nic, second, 2), 0);
	arrives(rig, extra, 60);
	assert_int_equal(ixgbe_unicast_set(rig->nic, second, 1), 0);
	is_filtered(rig, extra, 60);
	assert_int_equal(ixgbe_unicast_set(rig->nic, second, 2), 0);
	arrives(rig, extra, 60);
	plain_make(extra, 60, second[0], 0);
	arrives(rig, extra, 60);
	/* Another one in the same place, and none. */
	assert_int_equal(ixgbe_unicast_set(rig->nic, second + 1, 1), 0);
	is_filtered(rig, extra, 60);
	plain_make(extra, 60, second[1], 0);
	arrives(rig, extra, 60);
	assert_int_equal(ixgbe_unicast_set(rig->nic, NULL, 0), 0);
	is_filtered(rig, extra, 60);
}

/* Neither obeyed nor handed to the host, whoever listens. */
void pause_frames_stay_in_the_nic(void **state)
{
	static const uint8_t to[IXGBE_MAC_BYTES] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x01};
	struct rig *rig = *state;
	uint8_t frame[60], got[RIG_FRAME_MAX];

	rig_start(rig, NULL);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, true), 0);
	plain_make(frame, sizeof(frame), to, 0);
	memset(frame + 14, 0, sizeof(frame) - 14);
	put16(frame + 12, 0x8808);
	put16(frame + 14, 0x0001);
	put16(frame + 16, 0xffff);
	is_filtered(rig, frame, sizeof(frame));
	plain_make(frame, sizeof(frame), peer, 0);
	rig_send(rig, frame, sizeof(frame), NULL);
	assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), sizeof(frame));
	rig_send_done(rig);
}

/* What was given to the NIC goes out, if the wire takes it within 10 ms. It takes a little less, in
 * what is left of it after the receive queues' end. A busy machine may take longer, but not always.
 */
void a_stop_sends_what_it_has(void **state)
{
	enum { TIMES = 10, FRAMES = 50, BYTES = 1500, LEFT_US = 5000, END_US = 100 };
	struct rig *rig = *state;
	uint8_t frame[BYTES], got[RIG_FRAME_MAX];
	uint32_t came = 0, us = rig_slow_us(END_US) + LEFT_US;
	char rate[32];

	rig_start(rig, NULL);
	needs_control(rig);
	snprintf(rate, sizeof(rate), "rate %u", FRAMES * BYTES * 8 / us);
	for (uint8_t i = 0; i < TIMES && came < FRAMES; i++) {
		rig_control(rig, rate, NULL);
		plain_make(frame, sizeof(frame), peer, i);
		for (uint32_t k = 0; k < FRAMES; k++)
			rig_send(rig, frame, sizeof(frame), NULL);
		assert_int_equal(ixgbe_stop(rig->nic), 0);
		for (came = 0; !rig_wire_quiet(rig); came++)
			assert_int_equal(rig_wire_recv(rig, got, sizeof(got)), sizeof(frame));
		rig_control(rig, "rate off", NULL);
		assert_int_equal(ixgbe_start(rig->nic, rig->rx_pool, NULL), 0);
		assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
	}
	assert_int_equal(came, FRAMES);
}

/* Its frames are lost when its ring is full, not kept in the packet buffer. */
void a_queue_that_nobody_serves_holds_up_no_other(void **state)
{
	enum { FRAMES = 1200 };
	static struct packet p;
	struct rig *rig = *state;
	struct ixgbe_seg seg;
	uint8_t frame[1514];
	uint64_t end;

	rig_start(rig, &(struct ixgbe_options){.queues = 2});
	plain_make(frame, sizeof(frame), rig->mac, 0); /* not IP: queue 0 */
	for (uint32_t i = 0; i < FRAMES; i++)
		rig_wire_send(rig, frame, sizeof(frame));
	for (uint16_t flow = 0; flow < 8; flow++) {
		packet_make(&p, rig->mac, false, PROTO_TCP, (uint16_t)(1000 + flow), 10);
		rig_wire_send(rig, p.data, p.len);
	}
	end = rig_now_ms() + RIG_DEADLINE_MS;
	while (ixgbe_rx_burst(ixgbe_rxq(rig->nic, 1), &seg, 1) == 0)
		assert_true(rig_now_ms() < end);
	ixgbe_buf_put(seg.buf);
}
