/* SPDX-License-Identifier: MIT */
/* The statistics registers after traffic that is known. */
#include <string.h>

#include "model_rings.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/statistics.h"

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t multicast[6] = {0x01, 0x00, 0x5e, 0x12, 0x34, 0x56};

struct want {
	const char *name;
	uint32_t offset, value;
};

#define W(name, value)                                                                             \
	{                                                                                          \
#name, IXGBE_##name, value                                                         \
	}

/* Each is as wanted, and then cleared. */
static void check(struct model *m, const struct want *want, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t value = model_read(m, want[i].offset);

		if (value != want[i].value)
			fail_msg("%s is %u, not %u", want[i].name, value, want[i].value);
		assert_int_equal(model_read(m, want[i].offset), 0);
	}
}

/* Lengths with CRC, on both sides of each class's end; 64 + ... is their sum. */
static const uint32_t lens[] = {64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1518};

static uint32_t sum(void)
{
	uint32_t bytes = 0;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		bytes += lens[i];
	return bytes;
}

static void counts_what_it_receives(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_begin(*state);
	model_write(*state, IXGBE_FCTRL, IXGBE_FCTRL_BAM | IXGBE_FCTRL_MPE);
	rx_open(&rx, *state, 0, 64, 2, 0);
	tx_open(&tx, *state, 0, 64);
	rings_go(*state);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		frame_raw(&f, i == 0 ? broadcast : i < 3 ? multicast : NULL, lens[i] - 4);
		model_wire_send(*state, f.data, f.len);
		rx_take(&rx, &got);
	}
	frame_raw(&f, (const uint8_t[]){2, 9, 9, 9, 9, 9}, 96); /* for somebody else */
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_address", 1);
	const struct want want[] = {
		W(TPR, 12),      W(TORL, sum() + 100),
		W(TORH, 0),      W(GPRC, 11),
		W(GORCL, sum()), W(GORCH, 0),
		W(BPRC, 1),      W(MPRC, 2),
		W(PRC64, 1),     W(PRC127, 2),
		W(PRC255, 2),    W(PRC511, 2),
		W(PRC1023, 2),   W(PRC1522, 2),
		W(QPRC, 11),     W(QBRC_L, sum() - 44),
		W(QBRC_H, 0),    W(RUC, 0),
		W(ROC, 0),       W(RFC, 0),
		W(RJC, 0),       W(CRCERRS, 0),
		W(ILLERRC, 0),   W(RXMPC, 0),
	};

	check(*state, want, sizeof(want) / sizeof(want[0]));
	rings_end(*state, 0);
}

static void counts_what_it_sends(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint8_t data[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		frame_raw(&f, i == 0 ? broadcast : i < 3 ? multicast : NULL, lens[i] - 4);
		tx_frame(&tx, f.data, f.len, 0, 0);
		tx_kick(&tx);
		model_wire_recv(*state, data, sizeof(data));
	}
	const struct want want[] = {
		W(TPT, 11),    W(GPTC, 11),   W(GOTCL, sum()), W(GOTCH, 0),      W(BPTC, 1),
		W(MPTC, 2),    W(PTC64, 1),   W(PTC127, 2),    W(PTC255, 2),     W(PTC511, 2),
		W(PTC1023, 2), W(PTC1522, 2), W(QPTC, 11),     W(QBTC_L, sum()), W(QBTC_H, 0),
	};

	check(*state, want, sizeof(want) / sizeof(want[0]));
	rings_end(*state, 0);
}

/* No test sends as many frames: the counters of a bare NIC. */
static void sticks_at_the_maximum(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct nic *nic;

	(void)state;
	assert_int_equal(nic_new(mac, &nic), 0);
	reg_store(nic, IXGBE_GPRC, UINT32_MAX - 1);
	for (int i = 0; i < 3; i++)
		statistics_add(nic, IXGBE_GPRC, 1);
	assert_int_equal(regfile_read(nic, IXGBE_GPRC), UINT32_MAX);
	assert_int_equal(regfile_read(nic, IXGBE_GPRC), 0);
	reg_store(nic, IXGBE_GORCL, UINT32_MAX);
	statistics_rx_good(nic, mac, 10);
	assert_int_equal(reg(nic, IXGBE_GORCL), 9);
	assert_int_equal(reg(nic, IXGBE_GORCH), 1);
	reg_store(nic, IXGBE_GORCH, 15);
	statistics_rx_good(nic, mac, UINT32_MAX);
	assert_int_equal(regfile_read(nic, IXGBE_GORCL), UINT32_MAX);
	assert_int_equal(regfile_read(nic, IXGBE_GORCH), 15);
	nic_free(nic);
}

static void maps_queues_to_counters(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;
	uint8_t data[MODEL_FRAME_MAX];

	rings_begin(*state);
	rings_pools(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	tx_open(&tx, *state, 66, 64);
	rings_go(*state);
	model_write(*state, IXGBE_RQSMR, 0x0000000b);
	model_write(*state, IXGBE_AT(TQSM, 66 / 4), 0x000f0000);
	frame_raw(&f, NULL, 96);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	model_wire_recv(*state, data, sizeof(data));
	assert_int_equal(model_read(*state, IXGBE_AT(QPRC, 0)), 0);
	assert_int_equal(model_read(*state, IXGBE_AT(QPRC, 11)), 1);
	assert_int_equal(model_read(*state, IXGBE_AT(QPTC, 0)), 0);
	assert_int_equal(model_read(*state, IXGBE_AT(QPTC, 15)), 1);
	assert_int_equal(model_read(*state, IXGBE_AT(QBTC_L, 15)), 100);
	rings_end(*state, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(counts_what_it_receives),
		T(counts_what_it_sends),
		T(maps_queues_to_counters),
		cmocka_unit_test(sticks_at_the_maximum),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
