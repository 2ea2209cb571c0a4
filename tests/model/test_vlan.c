/* SPDX-License-Identifier: MIT */
/* VLAN tags: taken off and reported, put in, left alone. */
#include <string.h>

#include "model_rings.h"

static uint32_t tag_of(const struct received *got)
{
	return IXGBE_FIELD_GET(IXGBE_RXD_VLAN, got->last.dword[3]);
}

static void strips_and_reports(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f, bare;

	rings_start(*state, &rx, &tx);
	frame_build(&f, &(struct frame_spec){.tagged = true, .vlan = 0xa123, .payload = 200});
	frame_build(&bare, &(struct frame_spec){.payload = 200});
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.len); /* RXDCTL.VME is clear */
	assert_memory_equal(got.data, f.data, f.len);
	assert_true(got.last.dword[2] & IXGBE_RXD_STAT_VP);
	assert_int_equal(tag_of(&got), 0xa123);
	model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_VME);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, bare.len);
	assert_memory_equal(got.data, bare.data, bare.len);
	assert_true(got.last.dword[2] & IXGBE_RXD_STAT_VP);
	assert_true(got.last.dword[2] & IXGBE_RXD_STAT_L4I);
	assert_false(got.last.dword[2] & IXGBE_RXD_ERR_L4E);
	assert_int_equal(tag_of(&got), 0xa123);
	model_wire_send(*state, bare.data, bare.len);
	rx_take(&rx, &got);
	assert_false(got.last.dword[2] & IXGBE_RXD_STAT_VP);
	assert_int_equal(tag_of(&got), 0);
	rings_end(*state, 0);
}

/* Only the outermost tag is taken; behind it is no IP for the parser. */
static void strips_one_of_two(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_VME);
	frame_build(&f, &(struct frame_spec){.outer_type = 0x8100,
					     .outer_vlan = 7,
					     .tagged = true,
					     .vlan = 8,
					     .payload = 200});
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.len - 4);
	assert_int_equal(tag_of(&got), 7);
	assert_int_equal(get32(got.data + 12), 0x81000008);
	assert_int_equal(got.last.dword[0] & IXGBE_RXD_PKT_TYPE, 0);
	rings_end(*state, 0);
}

/* With CTRL_EXT.EXTENDED_VLAN the outer tag stays, the inner one is taken, IP is found. */
static void knows_outer_tags(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	model_set(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_EXTENDED_VLAN);
	model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_GDV);
	rings_start(*state, &rx, &tx);
	model_set(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_VME);
	model_write(*state, IXGBE_EXVET, 0x88a8u << 16);
	frame_build(&f, &(struct frame_spec){.outer_type = 0x88a8,
					     .outer_vlan = 7,
					     .tagged = true,
					     .vlan = 8,
					     .payload = 200});
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.len - 4);
	assert_int_equal(tag_of(&got), 8);
	assert_int_equal(get32(got.data + 12), 0x88a80007);
	assert_int_equal(got.last.dword[0] & IXGBE_RXD_PKT_TYPE,
			 IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP);
	rings_end(*state, 0);
}

/* A full frame with two tags has room for one of them only, unless double VLAN is on. */
static void has_room_for_tags(void **state)
{
	static const struct {
		uint16_t outer;
		uint32_t len; /* without CRC */
		bool extended, passes;
	} frames[] = {
		{0x8100, 1518, false, true},  {0x8100, 1519, false, false},
		{0x8100, 1522, false, false}, {0x88a8, 1514, false, true},
		{0x88a8, 1518, false, false}, {0x88a8, 1522, true, true},
		{0x88a8, 1523, true, false},
	};
	struct ring rx, tx;
	struct received got;
	struct built f;
	long long refused = 0;

	rings_start(*state, &rx, &tx);
	model_write(*state, IXGBE_EXVET, 0x88a8u << 16);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		frame_build(&f, &(struct frame_spec){.outer_type = frames[i].outer,
						     .outer_vlan = 7,
						     .tagged = true,
						     .vlan = 8,
						     .payload = frames[i].len - 14 - 8 - 40});
		assert_int_equal(f.len, frames[i].len);
		if (frames[i].extended)
			model_set(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_EXTENDED_VLAN);
		else
			model_clear(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_EXTENDED_VLAN);
		model_wire_send(*state, f.data, f.len);
		if (frames[i].passes) {
			rx_take(&rx, &got);
			assert_int_equal(got.len, f.len);
		} else {
			model_control_wait(*state, "counters", "counters.rx_drop_oversize",
					   ++refused);
		}
	}
	/* The bit is not to be changed while frames come. */
	assert_true(model_control_int(*state, "violations", "counts.EXTENDED_VLAN_LIVE") > 0);
}

static void inserts(void **state)
{
	struct ring rx, tx;
	struct built f, want;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	frame_build(&f, &(struct frame_spec){.payload = 200});
	frame_build(&want, &(struct frame_spec){.tagged = true, .vlan = 0x7234, .payload = 200});
	tx_context(&tx, 1, 14, 20, 0, 0, 0x7234, 0);
	tx_frame(&tx, f.data, f.len, IXGBE_TXD_VLE, IXGBE_FIELD_PREP(IXGBE_TXD_IDX, 1));
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, got, sizeof(got)), want.len);
	assert_memory_equal(got, want.data, want.len);
	/* the type is DMATXCTL.VLT */
	model_write(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE | 0x88a8u << 16);
	tx_frame(&tx, f.data, f.len, IXGBE_TXD_VLE, IXGBE_FIELD_PREP(IXGBE_TXD_IDX, 1));
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, got, sizeof(got)), want.len);
	assert_int_equal(get32(got + 12), 0x88a87234);
	/* a full frame may become 4 bytes longer */
	frame_raw(&f, NULL, 1514);
	tx_frame(&tx, f.data, f.len, IXGBE_TXD_VLE, IXGBE_FIELD_PREP(IXGBE_TXD_IDX, 1));
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, got, sizeof(got)), 1518);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_VLAN_TYPE"), 1);
	rings_end(*state, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(strips_and_reports), T(strips_one_of_two), T(knows_outer_tags),
		T(has_room_for_tags),  T(inserts),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
