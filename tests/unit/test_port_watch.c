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
		const struct ixgbe_seg seg = {
			.buf = ixgbe_buf_get(rig->pool[q]), .len = 60, .flags = IXGBE_SEG_EOP};
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

static void frames_that_stay_are_a_hang(void **state)
{
	struct rig *rig = *state;

	started(rig);
	all_is_well(rig, 100, 110);
	send_frames(rig, 1, 3);
	all_is_well(rig, 111, 111);
	assert_int_equal(rings_transmit_watch(rig->nic, 112 * S), -ETIMEDOUT);
	assert_int_equal(ixgbe_tx_hung(rig->nic), 1u << 1);
	assert_int_equal(timeouts(rig), 1);
	/* A new start is a new beginning. */
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	assert_int_equal(ixgbe_tx_watch(rig->nic), 0);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, NULL), 0);
	all_is_well(rig, 113, 130);
	assert_int_equal(timeouts(rig), 1);
	assert_int_equal(ixgbe_tx_hung(rig->nic), 0);
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
	/* Of a busy one, of whose frames some are under way at each look, the head alone is read.
	 */
	send_frames(rig, 0, 3);
	before += 3; /* the tails */
	for (uint64_t s = 121; s < 200; s++) {
		send_frames(rig, 0, 1);
		before += 2; /* tail and head */
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
	assert_int_equal(rings_transmit_watch(rig->nic, 120 * S), -ETIMEDOUT);
}

static void without_a_link_frames_may_wait(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 100);
	rig->fake->cable = false;
	all_is_well(rig, 101, 130);
	rig->fake->cable = true;
	/* It went and came between two looks. */
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_LSC;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_LINK);
	all_is_well(rig, 131, 131);
	assert_int_equal(rings_transmit_watch(rig->nic, 132 * S), -ETIMEDOUT);
}

static void a_partner_that_pauses_holds_the_nic(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	for (uint64_t s = 100; s < 130; s++) {
		rig->fake->reg[IXGBE_LXOFFRXCNT / 4] = 5;
		if (s % 2)
			assert_int_equal(ixgbe_stats_update(rig->nic), 0); /* clears it */
		assert_int_equal(rings_transmit_watch(rig->nic, s * S), 0);
	}
	assert_int_equal(rings_transmit_watch(rig->nic, 130 * S), -ETIMEDOUT);
}

/* A process that was stopped has not watched meanwhile. */
static void a_gap_begins_anew(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 100);
	all_is_well(rig, 190, 190);
	assert_int_equal(rings_transmit_watch(rig->nic, 191 * S), -ETIMEDOUT);
}

static void a_nic_that_is_gone_is_told(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 100);
	rig->fake->gone = true;
	assert_int_equal(rings_transmit_watch(rig->nic, 101 * S), -ENODEV);
	rig->fake->gone = false;
	assert_int_equal(timeouts(rig), 0);
}

/* A slow wire: what one report is for takes long, but the head moves. */
static void a_head_that_moves_is_no_hang(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 40);
	for (uint32_t s = 100; s < 120; s++) {
		rig->fake->reg[IXGBE_TDH / 4] = s - 99;
		assert_int_equal(rings_transmit_watch(rig->nic, s * S), 0);
	}
	assert_int_equal(rings_transmit_watch(rig->nic, 120 * S), -ETIMEDOUT);
}

/* ---- The cures ---- */

static void a_queue_is_restarted_alone(void **state)
{
	struct rig *rig = *state;
	const uint32_t txdctl = ixgbe_txq_reg(IXGBE_TXDCTL, 1);
	struct ring ring;
	uint32_t free_before;
	size_t from;

	started(rig);
	free_before = ixgbe_pool_available(rig->pool[1]);
	send_frames(rig, 1, 3);
	all_is_well(rig, 100, 100);
	assert_int_equal(rings_transmit_watch(rig->nic, 101 * S), -ETIMEDOUT);
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_tx_restart(rig->nic, 1), 0);
	from = wrote(rig, from, txdctl, IXGBE_TXDCTL_ENABLE | IXGBE_TXDCTL_SWFLSH,
		     IXGBE_TXDCTL_SWFLSH);
	from = wrote(rig, from, ixgbe_txq_reg(IXGBE_TDT, 1), UINT32_MAX, 0);
	wrote(rig, from, txdctl, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
	assert_int_equal(ixgbe_tx_in_flight(ixgbe_txq(rig->nic, 1)), 0);
	assert_int_equal(ixgbe_pool_available(rig->pool[1]), free_before);
	/* It sends again, from its first descriptor on. */
	ring = ring_of(rig, 1);
	send_frames(rig, 1, 1);
	all_is_well(rig, 102, 102);
	nic_sends(rig, 1, &ring, 1);
	assert_int_equal(ixgbe_tx_in_flight(ixgbe_txq(rig->nic, 1)), 0);
	all_is_well(rig, 103, 105);
	/* The next hang is one of its own. */
	send_frames(rig, 1, 1);
	all_is_well(rig, 106, 106);
	assert_int_equal(rings_transmit_watch(rig->nic, 107 * S), -ETIMEDOUT);
	assert_int_equal(ixgbe_tx_restart(rig->nic, 1), 0);
	assert_int_equal(timeouts(rig), 2);
}

static void a_restart_that_does_not_help_is_told(void **state)
{
	struct rig *rig = *state;

	started(rig);
	send_frames(rig, 0, 1);
	all_is_well(rig, 100, 100);
	assert_int_equal(rings_transmit_watch(rig->nic, 101 * S), -ETIMEDOUT);
	assert_int_equal(ixgbe_tx_restart(rig->nic, 0), 0);
	send_frames(rig, 0, 1);
	all_is_well(rig, 102, 102);
	assert_int_equal(rings_transmit_watch(rig->nic, 103 * S), -ETIMEDOUT);
	assert_int_equal(ixgbe_tx_restart(rig->nic, 0), -EIO);
	assert_int_equal(ixgbe_tx_restart(rig->nic, options.queues), -EINVAL);
}

/* ---- The receiver ---- */

static void frames_that_are_missed_with_room_are_a_stuck_receiver(void **state)
{
	struct rig *rig = *state;

	started(rig);
	assert_int_equal(ixgbe_rx_watch(rig->nic), 0);
	rig->fake->reg[IXGBE_RXMPC / 4] = 7;
	assert_int_equal(ixgbe_rx_watch(rig->nic), 0);
	assert_int_equal(ixgbe_rx_watch(rig->nic), 0); /* none in between */
	for (int i = 0; i < 2; i++) {
		rig->fake->reg[IXGBE_RXMPC / 4] = 7;
		assert_int_equal(ixgbe_rx_watch(rig->nic), i ? -ETIMEDOUT : 0);
	}
	/* A ring without descriptors is the driver's. */
	rig->fake->reg[IXGBE_RDH / 4] = reg(rig, IXGBE_RDT);
	for (int i = 0; i < 5; i++) {
		rig->fake->reg[IXGBE_RXMPC / 4] = 7;
		assert_int_equal(ixgbe_rx_watch(rig->nic), 0);
	}
	rig->fake->gone = true;
	assert_int_equal(ixgbe_rx_watch(rig->nic), -ENODEV);
	rig->fake->gone = false;
}

/* As it reports them: DD, an end or none, a length. */
static void nic_says_done(struct rig *rig, uint32_t first, uint32_t count, uint64_t qword1)
{
	ixgbe_iova iova = reg(rig, IXGBE_RDBAL) | (uint64_t)reg(rig, IXGBE_RDBAH) << 32;
	union ixgbe_desc *ring = fake_dma_at(rig->fake, iova, RING * sizeof(*ring));

	for (uint32_t i = 0; i < count; i++)
		ring[(first + i) % RING].qword[1] = qword1;
}

static void receives(struct rig *rig)
{
	struct ixgbe_seg seg[RING];
	uint32_t n = ixgbe_rx_burst(ixgbe_rxq(rig->nic, 0), seg, RING);

	for (uint32_t i = 0; i < n; i++)
		ixgbe_buf_put(seg[i].buf);
}

static void descriptors_that_were_never_written_are_found(void **state)
{
	const uint64_t full = IXGBE_RXD_STAT_DD | (uint64_t)2048 << 32;
	const uint64_t end = IXGBE_RXD_STAT_EOP;
	struct rig *rig = *state;

	started(rig);
	/* Descriptors without sense, and a frame that is too long, are what others made. */
	nic_says_done(rig, 0, 1, IXGBE_RXD_STAT_DD | end);
	nic_says_done(rig, 1, 9, full);
	nic_says_done(rig, 10, 1, full | end);
	receives(rig);
	assert_int_equal(ixgbe_rx_watch(rig->nic), 0);
	nic_says_done(rig, 11, 20, IXGBE_RXD_STAT_DD);
	receives(rig);
	assert_int_equal(ixgbe_rx_watch(rig->nic), -EBADMSG);
	assert_int_equal(ixgbe_rx_watch(rig->nic), -EBADMSG);
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, NULL), 0);
	assert_int_equal(ixgbe_rx_watch(rig->nic), 0);
}

static union ixgbe_desc *rx_desc(const struct rig *rig, uint32_t q, uint32_t at)
{
	ixgbe_iova iova = reg(rig, ixgbe_rxq_reg(IXGBE_RDBAL, q)) |
			  (uint64_t)reg(rig, ixgbe_rxq_reg(IXGBE_RDBAH, q)) << 32;

	return (union ixgbe_desc *)fake_dma_at(rig->fake, iova, RING * sizeof(union ixgbe_desc)) +
	       at;
}

/* The NIC is done with a frame of one descriptor, or with none. */
static void nic_receives(const struct rig *rig, uint32_t q, uint32_t at, bool done)
{
	rx_desc(rig, q, at)->qword[1] =
		done ? (uint64_t)60 << 32 | IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP : 0;
}

static uint32_t skipped_after(struct rig *rig, uint32_t seconds)
{
	uint32_t all = 0;

	for (; seconds > 0; seconds--) {
		assert_int_equal(ixgbe_rx_watch(rig->nic), 0);
		all |= ixgbe_rx_skipped(rig->nic);
	}
	return all;
}

static uint32_t take_all(struct rig *rig, uint16_t q)
{
	struct ixgbe_seg seg[RING];
	uint32_t n = ixgbe_rx_burst(ixgbe_rxq(rig->nic, q), seg, RING);

	for (uint32_t i = 0; i < n; i++)
		ixgbe_buf_put(seg[i].buf);
	return n;
}

static void a_descriptor_that_is_passed_over_is_told_once(void **state)
{
	struct rig *rig = *state;

	started(rig);
	assert_int_equal(skipped_after(rig, 3), 0);
	/* The first look that finds it does not know since when. */
	nic_receives(rig, 1, 1, true);
	nic_receives(rig, 1, 2, true);
	assert_int_equal(take_all(rig, 1), 0);
	assert_int_equal(skipped_after(rig, 1), 0);
	assert_int_equal(skipped_after(rig, 1), 1u << 1);
	assert_int_equal(skipped_after(rig, 10), 0);
	/* The one follows, and the next is a new one: far away, and not there at each look. */
	nic_receives(rig, 1, 0, true);
	assert_int_equal(take_all(rig, 1), 3);
	assert_int_equal(skipped_after(rig, 3), 0);
	nic_receives(rig, 1, RING - 3, true);
	assert_int_equal(skipped_after(rig, 1), 0);
	nic_receives(rig, 1, RING - 3, false);
	assert_int_equal(skipped_after(rig, 1), 0);
	nic_receives(rig, 1, RING - 3, true);
	assert_int_equal(skipped_after(rig, 1), 1u << 1);
}

/* Nor frames that nobody has taken yet, or half of one. */
static void frames_in_order_are_not_passed_over(void **state)
{
	struct rig *rig = *state;

	started(rig);
	for (uint32_t at = 0; at < RING - 1; at++) {
		nic_receives(rig, 0, at, true);
		assert_int_equal(skipped_after(rig, 1), 0);
	}
	assert_int_equal(take_all(rig, 0), RING - 1);
	assert_int_equal(skipped_after(rig, 3), 0);
	/* The other queue goes on meanwhile. */
	nic_receives(rig, 1, 0, true);
	rx_desc(rig, 1, 0)->qword[1] &= ~(uint64_t)IXGBE_RXD_STAT_EOP;
	assert_int_equal(skipped_after(rig, 3), 0);
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
		TEST(frames_that_stay_are_a_hang),
		TEST(an_idle_nic_is_not_asked),
		TEST(a_busy_ring_is_no_hang),
		TEST(without_a_link_frames_may_wait),
		TEST(a_partner_that_pauses_holds_the_nic),
		TEST(a_gap_begins_anew),
		TEST(a_nic_that_is_gone_is_told),
		TEST(a_head_that_moves_is_no_hang),
		TEST(a_queue_is_restarted_alone),
		TEST(a_restart_that_does_not_help_is_told),
		TEST(frames_that_are_missed_with_room_are_a_stuck_receiver),
		TEST(descriptors_that_were_never_written_are_found),
		TEST(a_descriptor_that_is_passed_over_is_told_once),
		TEST(frames_in_order_are_not_passed_over),
		TEST(a_module_is_found_without_an_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
