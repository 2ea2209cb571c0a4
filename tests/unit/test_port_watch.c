/* SPDX-License-Identifier: MIT */
/* What the control side finds by looking, since no event tells of it; the test plays the clock. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "port_rig.h"

#include "ixgbe/tables/desc.h"

#define S 1000000u /* a second, in us */

struct ring {
	union ixgbe_desc *desc;
	uint32_t done; /* descriptors that the NIC has sent */
};

static struct ring ring_of(const struct rig *rig, uint32_t q)
{
	ixgbe_iova iova = reg(rig, ixgbe_txq_reg(IXGBE_TDBAL, q)) |
			  (uint64_t)reg(rig, ixgbe_txq_reg(IXGBE_TDBAH, q)) << 32;

	return (struct ring){fake_dma_at(rig->fake, iova, RING * sizeof(union ixgbe_desc)), 0};
}

static void send_frames(struct rig *rig, uint16_t q, uint32_t count)
{
	struct ixgbe_txq *txq = ixgbe_txq(rig->nic, q);

	for (uint32_t i = 0; i < count; i++) {
		const struct ixgbe_tx_seg seg = {
			.buf = ixgbe_buf_get(rig->pool[q]), .len = 60, .flags = IXGBE_TX_EOP};
		int stopped;

		assert_int_equal(ixgbe_tx_burst(txq, &seg, 1, &stopped), 1);
	}
}

/* The NIC sends `count` frames, and the queue's thread notices. */
static void nic_sends(struct rig *rig, uint16_t q, struct ring *ring, uint32_t count)
{
	for (; count > 0; count--, ring->done = (ring->done + 1) % RING)
		ring->desc[ring->done].qword[1] |= (uint64_t)IXGBE_TXD_STAT_DD << 32;
	ixgbe_tx_reclaim(ixgbe_txq(rig->nic, q));
}

static uint64_t timeouts(const struct rig *rig)
{
	for (size_t i = 0; i < ixgbe_stats_count(rig->nic); i++)
		if (!strcmp(ixgbe_stats_name(rig->nic, i), "tx_timeout_count"))
			return ixgbe_stats_value(rig->nic, i);
	fail_msg("no tx_timeout_count");
	return 0;
}

static void started(struct rig *rig)
{
	open_with(rig, &options);
	start(rig);
	ixgbe_link_set_admin(rig->nic, true);
	rig->fake->cable = true;
}

/* Looks once a second from `from` to `to`, and nothing is wrong. */
static void all_is_well(struct rig *rig, uint64_t from, uint64_t to)
{
	for (uint64_t s = from; s <= to; s++)
		assert_int_equal(rings_transmit_watch(rig->nic, s * S), 0);
}

static void frames_that_stay_for_five_seconds_are_a_hang(void **state)
{
	struct rig *rig = *state;

	started(rig);
	all_is_well(rig, 100, 110);
	send_frames(rig, 1, 3);
	all_is_well(rig, 111, 115);
	assert_int_equal(rings_transmit_watch(rig->nic, 116 * S), -ETIMEDOUT);
	assert_int_equal(timeouts(rig), 1);
	/* A new start is a new beginning. */
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	assert_int_equal(ixgbe_tx_watch(rig->nic), 0);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, NULL), 0);
	all_is_well(rig, 117, 130);
	assert_int_equal(timeouts(rig), 1);
}

static void an_idle_nic_is_not_asked(void **state)
{
	struct rig *rig = *state;
	struct ring ring;
	size_t before;

	started(rig);
	ring = ring_of(rig, 0);
	all_is_well(rig, 100, 101);
	before = rig->fake->log_count;
	all_is_well(rig, 102, 120);
	/* Nor is a busy one, of whose frames some are under way at each look. */
	send_frames(rig, 0, 3);
	before += 3; /* the tails */
	for (uint64_t s = 121; s < 200; s++) {
		send_frames(rig, 0, 1);
		before++;
		nic_sends(rig, 0, &ring, 1);
		assert_int_equal(rings_transmit_watch(rig->nic, s * S), 0);
	}
	assert_int_equal(rig->fake->log_count, before);
}

/* The oldest frame is always a new one: also where each look finds it in the same descriptor. */
static void a_busy_ring_is_no_hang(void **state)
{
	struct rig *rig = *state;
	struct ring ring;

	started(rig);
	ring = ring_of(rig, 0);
	send_frames(rig, 0, 2);
	for (uint64_t s = 100; s < 120; s++) {
		for (uint32_t i = 0; i < RING / 2; i++) {
			send_frames(rig, 0, 2);
			nic_sends(rig, 0, &ring, 2);
		}
		assert_int_equal(rings_transmit_watch(rig->nic, s * S), 0);
	}
	all_is_well(rig, 120, 123);
	assert_int_equal(rings_transmit_watch(rig->nic, 124 * S), -ETIMEDOUT);
}

static void without_a_link_frames_may_wait(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 103);
	rig->fake->cable = false;
	all_is_well(rig, 104, 130);
	rig->fake->cable = true;
	all_is_well(rig, 131, 134);
	/* It went and came between two looks. */
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_LSC;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_LINK);
	all_is_well(rig, 135, 139);
	assert_int_equal(rings_transmit_watch(rig->nic, 140 * S), -ETIMEDOUT);
}

static void a_partner_that_pauses_holds_the_nic(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	for (uint64_t s = 100; s < 130; s++) {
		rig->fake->reg[IXGBE_LXOFFRXCNT / 4] = s % 3 ? 0 : 5;
		if (s % 2)
			assert_int_equal(ixgbe_stats_update(rig->nic), 0); /* clears it */
		assert_int_equal(rings_transmit_watch(rig->nic, s * S), 0);
	}
	all_is_well(rig, 130, 133);
	assert_int_equal(rings_transmit_watch(rig->nic, 134 * S), -ETIMEDOUT);
}

/* A process that was stopped has not watched meanwhile. */
static void a_gap_begins_anew(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 102);
	all_is_well(rig, 190, 194);
	assert_int_equal(rings_transmit_watch(rig->nic, 195 * S), -ETIMEDOUT);
}

static void a_nic_that_is_gone_is_told(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 101);
	rig->fake->gone = true;
	assert_int_equal(rings_transmit_watch(rig->nic, 102 * S), -ENODEV);
	rig->fake->gone = false;
	assert_int_equal(timeouts(rig), 0);
}

/* ---- Lost interrupts ---- */

/* The module is exchanged for a DA cable, and the pin shows it; the cause may be lost. */
static void module_changes(struct rig *rig, bool present)
{
	rig->fake->sfp.present = present;
	rig->fake->sfp.page[0] = 0x03;
	rig->fake->sfp.page[8] = 0x04;
	rig->fake->reg[IXGBE_ESDP / 4] = present ? reg(rig, IXGBE_ESDP) | IXGBE_ESDP_SDP2_DATA
						 : reg(rig, IXGBE_ESDP) & ~IXGBE_ESDP_SDP2_DATA;
}

static void a_module_is_found_without_an_interrupt(void **state)
{
	struct rig *rig = *state;

	started(rig);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), 0);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_NONE);
	module_changes(rig, true);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_DA);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), 0);
	module_changes(rig, false);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_NONE);
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, control_setup, control_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_that_stay_for_five_seconds_are_a_hang),
		TEST(an_idle_nic_is_not_asked),
		TEST(a_busy_ring_is_no_hang),
		TEST(without_a_link_frames_may_wait),
		TEST(a_partner_that_pauses_holds_the_nic),
		TEST(a_gap_begins_anew),
		TEST(a_nic_that_is_gone_is_told),
		TEST(a_module_is_found_without_an_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
