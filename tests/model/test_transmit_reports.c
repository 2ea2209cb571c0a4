/* SPDX-License-Identifier: MIT */
/* What transmit descriptors ask for, and how the NIC reports that they were sent. */
#include <string.h>

#include "model_rings.h"

/* The next frame on the wire must be this one. */
static void expect(struct model *m, const uint8_t *data, size_t len)
{
	uint8_t got[MODEL_FRAME_MAX];

	assert_int_equal(model_wire_recv(m, got, sizeof(got)), len);
	assert_memory_equal(got, data, len);
}

/* 7.2.3.2.2: what a packet wants is said in its first descriptor, its report in the last. */
static void takes_the_first_descriptors_word(void **state)
{
	const uint32_t wants = IXGBE_TXL_IC | IXGBE_TXD_IFCS | IXGBE_TXD_VLE;
	struct ring rx, tx;
	struct built f;
	uint32_t crc;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	frame_build(&f, &(struct frame_spec){.payload = 300});
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, 320));
	for (uint32_t first = 0; first < 2; first++) {
		union ixgbe_desc half[2] = {0};

		for (uint32_t i = 0; i < 2; i++) {
			bool said = (i == 0) == (first == 0);

			half[i].dword[2] = 150 | (i ? IXGBE_TXD_EOP | IXGBE_TXD_RS : 0);
			if (i)
				half[i].dword[2] += f.len - 300;
			half[i].dword[2] |=
				said ? wants | IXGBE_FIELD_PREP(IXGBE_TXL_CSO, f.l4 + 16) : 0;
			half[i].dword[3] =
				said ? IXGBE_FIELD_PREP(IXGBE_TXL_CSS, f.l4) | 0x0123u << 16 : 0;
		}
		tx_desc(&tx, tx_data(&tx, f.data, 150), half[0].qword[1]);
		tx_desc(&tx, tx_data(&tx, f.data + 150, f.len - 150), half[1].qword[1]);
		tx_kick(&tx);
		if (first == 0) {
			assert_int_equal(model_wire_recv(*state, got, sizeof(got)), f.len + 4);
			assert_int_equal(get32(got + 12), 0x81000123);
			assert_true(frame_l4_right(got, f.l3 + 4, f.l4 + 4, f.len + 4));
			/* A frame that software completed goes out as it is. */
			crc = plain_crc32(f.data, f.len - 4, 0xedb88320u);
			memcpy(f.data + f.len - 4, &crc, 4);
		} else {
			expect(*state, f.data, f.len - 4);
		}
	}
	rings_end(*state, 0);
}

/* The checksum is left out where CSS or CSO is not in the frame (7.2.3.2.2). */
static void leaves_out_a_checksum_outside(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	tx_desc(&tx, tx_data(&tx, f.data, f.len),
		f.len | IXGBE_FIELD_PREP(IXGBE_TXL_CSO, 99) | IXGBE_TXL_IC | IXGBE_TXD_EOP |
			IXGBE_TXD_IFCS | IXGBE_TXD_RS);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_CONTEXT"), 1);
	rings_end(*state, 1);
}

/* What the NIC changes has no CRC of software's: the far end drops it. */
static void wants_ifcs_for_what_it_changes(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	tx_context(&tx, 0, 14, 0, 0, 0, 100, 0);
	index = tx_desc(&tx, tx_data(&tx, f.data, f.len),
			tx_data_half(f.len, (TX_LAST & ~IXGBE_TXD_IFCS) | IXGBE_TXD_VLE, f.len, 0));
	tx_kick(&tx);
	tx_wait(&tx, index);
	assert_int_equal(counter(*state, "tx_drop_crc"), 1);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_IFCS"), 1);
	rings_end(*state, 1);
}

/* Reserved bits of each form are 0. What an index says without an offload does not matter. */
static void reserved_bits_are_0(void **state)
{
	static const struct {
		uint32_t legacy, low, high;
	} cases[] = {
		{0, 1u << 16, 0}, {0, 1u << 17, 0}, {0, 1u << 26, 0}, {0, 1u << 28, 0},
		{0, 0, 1},        {0, 0, 2},        {0, 0, 8},        {0, 0, 1u << 10},
		{0, 0, 1u << 11}, {0, 0, 1u << 13}, {1, 1u << 28, 0}, {1, 1u << 31, 0},
		{1, 0, 1},        {1, 0, 4},        {1, 0, 1u << 4},  {1, 0, 1u << 7},
	};
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, IXGBE_TXD_MAC_1588, IXGBE_TXD_IDX);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	rings_end(*state, 0);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t legacy = f.len | (TX_LAST & ~IXGBE_TXD_DEXT) | cases[i].low;
		const uint64_t half = (uint64_t)cases[i].high << 32 | legacy;

		tx_desc(&tx, tx_data(&tx, f.data, f.len),
			cases[i].legacy ? half
					: tx_data_half(f.len, TX_LAST | cases[i].low, f.len,
						       cases[i].high));
		tx_kick(&tx);
		expect(*state, f.data, f.len);
		assert_int_equal(model_broken(*state, "TX_DESC_RESERVED"), i + 1);
	}
	rings_end(*state, sizeof(cases) / sizeof(cases[0]));
}

static void context_flags(struct ring *tx, uint32_t flags, uint32_t second, uint32_t high)
{
	tx_desc(tx, 14u << 9 | (uint64_t)second << 32,
		(IXGBE_TXD_DEXT | flags | IXGBE_FIELD_PREP(IXGBE_TXD_DTYP, IXGBE_TXD_DTYP_CTXT)) |
			(uint64_t)high << 32);
}

/* MSS and L4LEN are for what is cut: they are judged when the context ends, by another one or with
 * its queue. */
static void unused_fields_of_contexts_are_0(void **state)
{
	static const struct {
		uint32_t low, second, high;
	} units[] = {{1, 0, 0}, {1u << 13, 0, 0}, {1u << 15, 0, 0}, {0, 1, 0}, {0, 1u << 31, 0}};
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 5; i++)
		context_flags(&tx, units[i].low, units[i].second, 0);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	assert_int_equal(model_broken(*state, "TX_CONTEXT_UNUSED"), 5);
	context_flags(&tx, 1u << 24, 0, 0);
	context_flags(&tx, 1u << 19, 0, 0);
	context_flags(&tx, 0, 0, 1u << 7);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	assert_int_equal(model_broken(*state, "TX_DESC_RESERVED"), 3);
	for (uint32_t i = 0; i < 3; i++) { /* MSS, L4LEN, and none */
		tx_context(&tx, 0, 14, 0, i == 1 ? 20 : 0, i == 0 ? 1000 : 0, 0, 0);
		tx_frame(&tx, f.data, f.len, 0, IXGBE_TXD_CC);
		tx_kick(&tx);
		expect(*state, f.data, f.len);
		assert_int_equal(model_broken(*state, "TX_CONTEXT_UNUSED"), 5 + i);
	}
	tx_context(&tx, 1, 14, 0, 20, 0, 0, 0);
	tx_frame(&tx, f.data, f.len, 0, IXGBE_TXD_CC | IXGBE_FIELD_PREP(IXGBE_TXD_IDX, 1));
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	model_wait(*state, IXGBE_TDH, UINT32_MAX, tx.next);
	assert_int_equal(model_broken(*state, "TX_CONTEXT_UNUSED"), 7);
	model_write(*state, IXGBE_TXDCTL, 0);
	assert_int_equal(model_broken(*state, "TX_CONTEXT_UNUSED"), 8);
	rings_end(*state, 11);
}

static void with_wthresh(struct model *m, struct ring *rx, struct ring *tx, uint32_t thresh,
			 uint32_t itr)
{
	rings_begin(m);
	model_write(m, IXGBE_IVAR, (IXGBE_IVAR_ALLOC0_VALID | 1) << 8 | IXGBE_IVAR_ALLOC0_VALID);
	model_write(m, IXGBE_EITR, IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, itr));
	model_write(m, IXGBE_TXDCTL, thresh);
	rx_open(rx, m, 0, 64, 2, 0);
	tx_open(tx, m, 0, 64);
	rings_go(m);
}

/* 7.2.3.5.1: by groups, all descriptors, without RS; the rest after EITR's interval, if there is
 * one.
 */
static void writes_back_in_groups(void **state)
{
	const uint32_t thresh = IXGBE_FIELD_PREP(IXGBE_TXDCTL_WTHRESH, 4) |
				IXGBE_FIELD_PREP(IXGBE_TXDCTL_PTHRESH, 32) |
				IXGBE_FIELD_PREP(IXGBE_TXDCTL_HTHRESH, 1);

	for (uint32_t itr = 0; itr < 2; itr++) {
		struct ring rx, tx;
		struct built f;
		uint32_t index[7];

		with_wthresh(*state, &rx, &tx, thresh, itr * 100);
		frame_raw(&f, NULL, 100);
		index[0] = tx_context(&tx, 0, 14, 0, 0, 0, 100, 0);
		for (uint32_t i = 1; i < 7; i++)
			index[i] = tx_frame(&tx, f.data, f.len, 0, 0) | 0;
		for (uint32_t i = 1; i < 7; i++)
			tx.desc.addr[index[i] * IXGBE_DESC_BYTES + 11] &=
				(uint8_t) ~(IXGBE_TXD_RS >> 24);
		tx_kick(&tx);
		for (uint32_t i = 1; i < 7; i++)
			expect(*state, f.data, f.len);
		tx_wait(&tx, index[itr ? 6 : 3]);
		assert_int_equal(model_read(*state, IXGBE_TDH), 7);
		for (uint32_t i = 0; i < 7; i++)
			assert_int_equal(tx_done(&tx, index[i]), itr || i < 4);
		rings_end(*state, 0);
		model_restart(*state);
	}
}

/* 8.2.3.9.10: without WTHRESH, RS at least once in 40 descriptors. */
static void rs_is_due_in_time(void **state)
{
	const uint32_t cmd = TX_LAST & ~IXGBE_TXD_RS;
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 39; i++)
			tx_desc(&tx, tx_data(&tx, f.data, f.len),
				tx_data_half(f.len, cmd, f.len, 0));
		if (round < 2)
			tx_frame(&tx, f.data, f.len, 0, 0);
		tx_kick(&tx);
		for (uint32_t i = 0; i < 39 + (round < 2); i++)
			expect(*state, f.data, f.len);
		rings_end(*state, 0);
	}
	tx_desc(&tx, tx_data(&tx, f.data, f.len), tx_data_half(f.len, cmd, f.len, 0));
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_RS"), 1);
	rings_end(*state, 1);
}

/* A packet has RS in its last descriptor: those before it count, contexts too. */
static void rs_comes_behind_its_packet(void **state)
{
	static const struct {
		uint32_t before, descs; /* packets without RS, then one of so many with it */
		bool context, late;
	} row[] = {
		{2, 38, false, false}, {3, 38, false, true},  {1, 38, true, false},
		{2, 38, true, true},   {31, 9, false, false}, {31, 10, false, true},
		{0, 38, true, false},
	};
	const uint32_t cmd = TX_LAST & ~IXGBE_TXD_RS, inner = cmd & ~IXGBE_TXD_EOP;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ring rx, tx;
		struct built f;

		rings_start(*state, &rx, &tx);
		frame_raw(&f, NULL, 380);
		for (uint32_t j = 0; j < row[i].before; j++)
			tx_desc(&tx, tx_data(&tx, f.data, f.len),
				tx_data_half(f.len, cmd, f.len, 0));
		if (row[i].context)
			tx_context(&tx, 0, 14, 20, 0, 0, 0, 0);
		for (uint32_t j = 0, at = 0; j < row[i].descs; j++, at += 10) {
			bool last = j == row[i].descs - 1;
			uint32_t len = last ? f.len - at : 10;

			tx_desc(&tx, tx_data(&tx, f.data + at, len),
				tx_data_half(len, last ? TX_LAST : inner, f.len, 0));
		}
		tx_kick(&tx);
		for (uint32_t j = 0; j <= row[i].before; j++)
			expect(*state, f.data, f.len);
		if (row[i].late)
			assert_int_equal(model_control_int(*state, "violations", "counts.TX_RS"),
					 1);
		rings_end(*state, row[i].late);
		model_restart(*state);
	}
}

/* No report comes of a null descriptor, which may ask for one all the same. */
static void rs_of_null_descriptors_counts(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 60; i++)
		tx_desc(&tx, 0, tx_data_half(0, TX_LAST, 0, 0));
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	rings_end(*state, 0);
}

static void thresholds_have_rules(void **state)
{
	const uint32_t both = IXGBE_FIELD_PREP(IXGBE_TXDCTL_WTHRESH, 9) |
			      IXGBE_FIELD_PREP(IXGBE_TXDCTL_PTHRESH, 32);
	struct ring rx, tx;
	struct built f;

	with_wthresh(*state, &rx, &tx, both, 100);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_WTHRESH"), 1);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 3; i++)
		tx_frame(&tx, f.data, f.len, 0, 0); /* with RS */
	tx_kick(&tx);
	for (uint32_t i = 0; i < 3; i++)
		expect(*state, f.data, f.len);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_RS"), 1);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_HTHRESH"), 1);
	rings_end(*state, 3);
}

/* 8.2.3.9.10: DMATXCTL.TE enables queue 0 with it. */
static void te_enables_queue_0(void **state)
{
	struct ring tx;
	struct built f;

	rings_begin(*state); /* with TE: a ring of no length breaks no rule */
	assert_true(model_read(*state, IXGBE_TXDCTL) & IXGBE_TXDCTL_ENABLE);
	assert_false(model_read(*state, IXGBE_AT(TXDCTL, 1)) & IXGBE_TXDCTL_ENABLE);
	model_write(*state, IXGBE_TDBAL, 0x1000);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_RING_LIVE"), 1);
	rings_te_off(*state);
	tx_open_off(&tx, *state, 0, 64);
	model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	model_wait(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	rings_end(*state, 1);
}

/* 7.2.3.2.2: a descriptor without data, between packets. An advanced one gets no DD (7.2.3.2.4). */
static void passes_null_descriptors(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t legacy, advanced, last;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	legacy = tx_desc(&tx, 0, IXGBE_TXD_EOP | IXGBE_TXD_RS);
	advanced = tx_desc(&tx, 0, tx_data_half(0, TX_LAST, 0, 0));
	last = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	tx_wait(&tx, last);
	assert_true(tx_done(&tx, legacy));
	assert_false(tx_done(&tx, advanced));
	assert_int_equal(model_read(*state, IXGBE_TDH), 3);
	assert_int_equal(counter(*state, "tx_packets"), 1);
	rings_end(*state, 0);
}

/* Specification change 11 is about this mode. */
static void without_wthresh_writes_back_what_asks_for_it(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index[4];

	rings_start(*state, &rx, &tx);
	model_write(*state, IXGBE_TXDCTL, model_read(*state, IXGBE_TXDCTL) & ~IXGBE_TXDCTL_WTHRESH);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t cmd = i & 1 ? TX_LAST : TX_LAST & ~IXGBE_TXD_RS;

		index[i] = tx_desc(&tx, tx_data(&tx, f.data, f.len),
				   tx_data_half(f.len, cmd, f.len, 0));
	}
	tx_kick(&tx);
	for (uint32_t i = 0; i < 4; i++)
		expect(*state, f.data, f.len);
	tx_wait(&tx, index[3]);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(tx_done(&tx, index[i]), i & 1);
	assert_int_equal(model_read(*state, IXGBE_TDH), 4);
	rings_end(*state, 0);
}

static void writes_the_head_back(void **state)
{
	struct ring rx, tx;
	struct model_dma word;
	struct built f;
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	uint32_t index;

	rings_begin(*state);
	rings_te_off(*state);
	word = model_dma_new(*state, 4096);
	model_write(*state, IXGBE_TDWBAL, (uint32_t)word.iova | IXGBE_TDWBAL_HEAD_WB_EN);
	model_write(*state, IXGBE_TDWBAH, (uint32_t)(word.iova >> 32));
	rx_open(&rx, *state, 0, 64, 2, 0);
	model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	tx_open(&tx, *state, 0, 64);
	rings_go(*state);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	expect(*state, f.data, f.len);
	while (__atomic_load_n((uint32_t *)(void *)word.addr, __ATOMIC_ACQUIRE) != 2)
		assert_true(model_now_ms() < end);
	assert_false(tx_done(&tx, index));
	rings_end(*state, 0);
}

/* The chip holds 40 descriptors of a queue: a larger group is never complete (7.2.3.4.1). */
static void a_group_that_is_too_large_never_ends(void **state)
{
	for (uint32_t wthresh = 40; wthresh < 42; wthresh++) {
		struct ring rx, tx;
		struct built f;

		with_wthresh(*state, &rx, &tx, IXGBE_FIELD_PREP(IXGBE_TXDCTL_WTHRESH, wthresh), 0);
		frame_raw(&f, NULL, 100);
		for (uint32_t i = 0; i < 42; i++)
			tx_desc(&tx, tx_data(&tx, f.data, f.len),
				tx_data_half(f.len, TX_LAST & ~IXGBE_TXD_RS, f.len, 0));
		/* With 40 no packet is left room (7.2.1.1): all are refused, and completed. */
		tx_kick(&tx);
		model_wait(*state, IXGBE_TDH, 0xffff, 42);
		assert_int_equal(tx_done(&tx, 0), wthresh == 40);
		assert_false(tx_done(&tx, 41));
		assert_int_equal(model_control_int(*state, "violations", "counts.TX_FRAME_DESCS"),
				 42);
		model_restart(*state);
	}
}

/* A driver out of its mind changes a ring while a packet of it waits for the wire. */
static void survives_a_ring_that_shrinks(void **state)
{
	static const uint32_t lengths[] = {0, 128, 64 * IXGBE_DESC_BYTES};

	for (uint32_t i = 0; i < 6; i++) {
		struct ring rx, tx;
		struct built f;
		uint8_t got[MODEL_FRAME_MAX];

		with_wthresh(*state, &rx, &tx,
			     i & 1 ? IXGBE_FIELD_PREP(IXGBE_TXDCTL_WTHRESH, 4) : 0, 100);
		frame_raw(&f, NULL, 1500);
		do { /* until the wire is full */
			for (uint32_t n = 0; n < 40; n++)
				tx_frame(&tx, f.data, f.len, 0, 0);
			tx_kick(&tx);
			for (uint32_t looks = 0;
			     looks < 200 && model_read(*state, IXGBE_TDH) != tx.tail; looks++)
				;
		} while (model_read(*state, IXGBE_TDH) == tx.tail);
		model_write(*state, IXGBE_TDLEN, lengths[i / 2]);
		model_write(*state, IXGBE_TDH, i / 2 == 2 ? 7 : 0);
		(void)model_read(*state, IXGBE_STATUS);
		while (!model_wire_quiet(*state))
			(void)model_wire_recv(*state, got, sizeof(got));
		(void)model_read(*state, IXGBE_STATUS); /* it lives */
		model_restart(*state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(takes_the_first_descriptors_word),
		T(leaves_out_a_checksum_outside),
		T(wants_ifcs_for_what_it_changes),
		T(reserved_bits_are_0),
		T(unused_fields_of_contexts_are_0),
		T(writes_back_in_groups),
		T(rs_is_due_in_time),
		T(rs_comes_behind_its_packet),
		T(rs_of_null_descriptors_counts),
		T(thresholds_have_rules),
		T(a_group_that_is_too_large_never_ends),
		T(survives_a_ring_that_shrinks),
		T(te_enables_queue_0),
		T(passes_null_descriptors),
		T(without_wthresh_writes_back_what_asks_for_it),
		T(writes_the_head_back),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
