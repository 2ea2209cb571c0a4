/* SPDX-License-Identifier: MIT */
/* The registers of rings: what a driver may write, and when a wrong value is one. */
#include <string.h>

#include "model_rings.h"

#define RULE(m, name) model_control_int(m, "violations", "counts." name)

/* 8.2.3.8.3 and 8.2.3.9.7: 128 KiB, 8192 descriptors. */
static void takes_the_largest_rings(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_begin(*state);
	rx_open(&rx, *state, 0, 8192, 1, 0);
	tx_open(&tx, *state, 0, 8192);
	rings_go(*state);
	/* The ring's end is reached, and its start again. */
	frame_raw(&f, NULL, 60);
	for (uint32_t round = 0; round < 41; round++) {
		for (uint32_t i = 0; i < 200; i++) {
			uint32_t index = tx_frame(&tx, f.data, f.len, 0, 0);

			if (i == 199) {
				tx_kick(&tx);
				tx_wait(&tx, index);
			}
		}
		for (uint32_t i = 0; i < 200; i++)
			(void)model_wire_recv(*state, got.data, sizeof(got.data));
	}
	assert_int_equal(model_read(*state, IXGBE_TDH), 41 * 200 - 8192);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	rings_end(*state, 0);
}

static void refuses_larger_ones(void **state)
{
	rings_begin(*state);
	model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_write(*state, IXGBE_RDLEN, 8200 * IXGBE_DESC_BYTES);
	model_write(*state, IXGBE_TDLEN, 8200 * IXGBE_DESC_BYTES);
	rings_end(*state, 0);
	model_write(*state, IXGBE_SRRCTL, 2);
	model_write(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_write(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	assert_int_equal(model_control_int(*state, "violations", "counts.RX_RING_LENGTH"), 1);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_RING_LENGTH"), 1);
	rings_end(*state, 2);
}

/* What drivers write to a ring that they give up, and what a test of registers writes. */
static void a_ring_that_is_off_may_have_anything(void **state)
{
	static const uint32_t values[] = {0, 0xffffffff, 0x5a5a5a5a, 0};
	static const enum ixgbe_reg_offset rows[] = {
		IXGBE_RDBAL, IXGBE_RDBAH, IXGBE_RDLEN, IXGBE_RDH,   IXGBE_TDBAL,
		IXGBE_TDBAH, IXGBE_TDLEN, IXGBE_TDH,   IXGBE_RDBAL,
	};
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			bool head = rows[row] == IXGBE_RDH || rows[row] == IXGBE_TDH;

			model_write(*state, rows[row], head ? values[i] & 0xffff : values[i]);
		}
	}
	model_write(*state, IXGBE_RDT, 0);
	model_write(*state, IXGBE_TDT, 0);
	rings_end(*state, 0);
}

/* Values that were wrong on the way are none of the ring's when it is enabled. */
static void the_values_at_enable_count(void **state)
{
	struct ring rx, tx;

	model_write(*state, IXGBE_RDBAL, 0x11);
	model_write(*state, IXGBE_RDLEN, 100);
	model_write(*state, IXGBE_TDBAL, 0x11);
	model_write(*state, IXGBE_TDLEN, 100);
	rings_begin(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	tx_open(&tx, *state, 0, 64);
	rings_go(*state);
	rings_end(*state, 0);
}

static void wrong_ones_count_once_at_enable(void **state)
{
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	for (uint32_t times = 1; times < 3; times++) {
		model_write(*state, IXGBE_RDBAL, (uint32_t)rx.desc.iova | 64);
		model_write(*state, IXGBE_RDLEN, 0);
		model_write(*state, IXGBE_TDBAL, (uint32_t)tx.desc.iova | 64);
		model_write(*state, IXGBE_TDLEN, 64);
		model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
		model_set(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
		model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE); /* no edge */
		assert_int_equal(RULE(*state, "RX_RING_BASE"), times);
		assert_int_equal(RULE(*state, "RX_RING_LENGTH"), times);
		assert_int_equal(RULE(*state, "TX_RING_BASE"), times);
		assert_int_equal(RULE(*state, "TX_RING_LENGTH"), times);
		model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
		model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
		rings_end(*state, 4 * times);
	}
}

static void tails_count_once_until_enable(void **state)
{
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	for (uint32_t times = 1; times < 3; times++) {
		for (uint32_t i = 0; i < 5; i++) {
			model_write(*state, IXGBE_RDT, 64 + i);
			model_write(*state, IXGBE_TDT, 64 + i);
		}
		assert_int_equal(RULE(*state, "RX_TAIL_RANGE"), times);
		assert_int_equal(RULE(*state, "TX_TAIL_RANGE"), times);
		model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
		model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
		model_write(*state, IXGBE_RDT, 0);
		model_write(*state, IXGBE_TDT, 0);
		model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
		model_set(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
		if (times == 1)
			assert_true(model_read(*state, IXGBE_RXDCTL) &
				    model_read(*state, IXGBE_TXDCTL) & IXGBE_RXDCTL_ENABLE);
	}
	/* ENABLE was not read back the second time. */
	for (uint32_t i = 1; i < 5; i++) {
		model_write(*state, IXGBE_RDT, i);
		model_write(*state, IXGBE_TDT, 0);
	}
	assert_int_equal(RULE(*state, "RX_TAIL_EARLY"), 1);
	rings_end(*state, 5);
}

/* A tail from before, in a ring that became smaller. */
static void a_tail_left_outside_counts_at_enable(void **state)
{
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_write(*state, IXGBE_RDLEN, 32 * IXGBE_DESC_BYTES);
	rings_end(*state, 0);
	model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	assert_int_equal(RULE(*state, "RX_TAIL_RANGE"), 1);
	rings_end(*state, 1);
}

/* While a ring runs its registers stay; the tail comes after ENABLE was read. */
static void a_ring_that_runs_is_left_alone(void **state)
{
	static const enum ixgbe_reg_offset rows[] = {
		IXGBE_RDBAL, IXGBE_RDBAH, IXGBE_RDLEN, IXGBE_RDH,
		IXGBE_TDBAL, IXGBE_TDBAH, IXGBE_TDLEN, IXGBE_TDH,
	};
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		model_write(*state, rows[row], model_read(*state, rows[row]));
	assert_int_equal(RULE(*state, "RX_RING_LIVE"), 4);
	assert_int_equal(RULE(*state, "TX_RING_LIVE"), 4);
	rings_end(*state, 8);
	/* Of SRRCTL that is what a buffer is. */
	model_set(*state, IXGBE_SRRCTL, IXGBE_SRRCTL_DROP_EN);
	rings_end(*state, 8);
	model_set(*state, IXGBE_SRRCTL, IXGBE_SRRCTL_BSIZEPACKET);
	model_set(*state, IXGBE_SRRCTL, IXGBE_SRRCTL_BSIZEHEADER);
	model_clear(*state, IXGBE_SRRCTL, IXGBE_SRRCTL_DESCTYPE);
	assert_int_equal(RULE(*state, "RX_RING_LIVE"), 7);
	rings_end(*state, 11);
}

/* 63 of 64 descriptors are the most that a ring can hand over (7.1.9). */
static void tails_stay_behind_the_head(void **state)
{
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	model_set(*state, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS); /* the head stands */
	model_write(*state, IXGBE_TDT, 10);
	model_write(*state, IXGBE_TDT, 63);
	model_write(*state, IXGBE_RDT, 63);
	rings_end(*state, 0);
	model_write(*state, IXGBE_RDT, 0);
	model_write(*state, IXGBE_RDT, 63); /* 0 was all, so this is the rest */
	model_write(*state, IXGBE_TDT, 10);
	assert_int_equal(RULE(*state, "RX_TAIL_OVER"), 1);
	assert_int_equal(RULE(*state, "TX_TAIL_OVER"), 1);
	model_write(*state, IXGBE_RDT, 5);
	model_write(*state, IXGBE_TDT, 5);
	rings_end(*state, 2);
}

static void tails_wait_for_enable(void **state)
{
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_write(*state, IXGBE_TDT, 1);
	model_write(*state, IXGBE_RDT, 1);
	assert_int_equal(RULE(*state, "TX_TAIL_EARLY"), 1);
	assert_int_equal(RULE(*state, "RX_TAIL_EARLY"), 1);
	rings_end(*state, 2);
}

/* A queue that never had a ring may go on at once. */
static void queues_end_before_they_begin_again(void **state)
{
	const uint32_t on = IXGBE_TXDCTL_ENABLE;
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	for (uint32_t seen = 2; seen-- > 0;) {
		model_write(*state, IXGBE_TXDCTL, 0);
		model_write(*state, IXGBE_RXDCTL, 0);
		for (uint32_t i = 0; i < seen; i++) {
			model_wait(*state, IXGBE_TXDCTL, on, 0);
			model_wait(*state, IXGBE_RXDCTL, on, 0);
		}
		model_write(*state, IXGBE_TXDCTL, on);
		model_write(*state, IXGBE_RXDCTL, on);
		rings_end(*state, seen ? 0 : 2);
	}
	assert_int_equal(RULE(*state, "TX_QUEUE_AGAIN"), 1);
	assert_int_equal(RULE(*state, "RX_QUEUE_AGAIN"), 1);
	model_write(*state, ixgbe_txq_reg(IXGBE_TXDCTL, 1), 0);
	tx_open(&tx, *state, 1, 64);
	rings_end(*state, 2);
}

static void half_of_the_queues_are_for_pools(void **state)
{
	struct ring tx;

	rings_begin(*state);
	tx_open(&tx, *state, 63, 64);
	rings_end(*state, 0);
	tx_open(&tx, *state, 64, 64);
	assert_int_equal(RULE(*state, "TX_QUEUE_HIGH"), 1);
	rings_end(*state, 1);
	model_restart(*state);
	rings_begin(*state);
	rings_pools(*state);
	tx_open(&tx, *state, 64, 64);
	rings_end(*state, 0);
}

static void buffers_have_a_size(void **state)
{
	static const uint32_t kib[] = {1, 16, 0, 17};
	struct ring rx;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	for (uint32_t i = 0; i < 4; i++) {
		model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
		model_write(*state, IXGBE_SRRCTL,
			    IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEPACKET, kib[i]) |
				    IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE,
						     IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER));
		model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
		rings_end(*state, i < 2 ? 0 : i - 1);
	}
	assert_int_equal(RULE(*state, "RX_BUFFER_SIZE"), 2);
}

/* A header buffer's address is even: its lowest bit is DD in the write-back. */
static void descriptors_come_without_dd(void **state)
{
	struct ring rx;
	struct received got;
	struct built f;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	rx.desc.addr[8] |= IXGBE_RXD_STAT_DD;
	rx_give(&rx, 10);
	rings_go(*state);
	rings_end(*state, 0);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_delivered", 1);
	assert_int_equal(RULE(*state, "RX_DESC_DD"), 1);
	rx_take(&rx, &got);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	rings_end(*state, 1);
}

static void descriptors_come_with_a_buffer(void **state)
{
	struct ring rx;
	struct built f;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	memset(rx.desc.addr, 0, 8);
	rx_give(&rx, 10);
	rings_go(*state);
	rings_end(*state, 0);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_frames", 1);
	assert_int_equal(RULE(*state, "RX_DESC_NULL"), 1);
}

static void transmit_queues_come_after_te(void **state)
{
	struct ring tx;

	rings_begin(*state);
	rings_te_off(*state);
	tx_open(&tx, *state, 1, 64);
	assert_int_equal(RULE(*state, "TX_WITHOUT_TE"), 1);
	rings_end(*state, 1);
}

/* 4.6.8.1.2: a queue goes off when all is sent, or is flushed; the path when all queues are off. */
static void transmit_goes_off_from_the_queues_on(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	model_set(*state, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS); /* nothing is sent */
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	model_write(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_SWFLSH);
	rings_end(*state, 0);
	tx_open(&tx, *state, 0, 64);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	model_write(*state, IXGBE_TXDCTL, 0);
	assert_int_equal(RULE(*state, "TX_QUEUE_OFF"), 1);
	rings_te_off(*state);
	rings_end(*state, 1);
	model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	model_clear(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	assert_int_equal(RULE(*state, "TX_PATH_OFF"), 1);
	rings_end(*state, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(takes_the_largest_rings),
		T(refuses_larger_ones),
		T(a_ring_that_is_off_may_have_anything),
		T(the_values_at_enable_count),
		T(wrong_ones_count_once_at_enable),
		T(tails_count_once_until_enable),
		T(a_tail_left_outside_counts_at_enable),
		T(a_ring_that_runs_is_left_alone),
		T(tails_stay_behind_the_head),
		T(tails_wait_for_enable),
		T(queues_end_before_they_begin_again),
		T(half_of_the_queues_are_for_pools),
		T(buffers_have_a_size),
		T(descriptors_come_without_dd),
		T(descriptors_come_with_a_buffer),
		T(transmit_queues_come_after_te),
		T(transmit_goes_off_from_the_queues_on),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
