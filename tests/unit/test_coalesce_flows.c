/* SPDX-License-Identifier: MIT */
/*
 * Which frames are merged where there are many flows. What is written of them is test_coalesce.c's.
 */
#include "bridge/frames/coalesce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAYLOAD 100u
#define HEADERS 54u

static struct burst {
	struct ixgbe_buf buf[COALESCE_SEGS];
	uint8_t memory[COALESCE_SEGS][HEADERS + PAYLOAD];
	struct ixgbe_seg seg[COALESCE_SEGS];
	uint32_t frames;
	struct coalesce c;
} b;

/* The frame number `nth` of a flow. */
static void frame_add(uint32_t flow, uint32_t nth)
{
	uint8_t *p = b.memory[b.frames], *ip = p + OFFLOAD_ETH_BYTES, *tcp = ip + 20;

	memset(p, 0, HEADERS);
	p[12] = 0x08;
	ip[0] = 0x45;
	offload_put_be16(ip + 2, HEADERS + PAYLOAD - OFFLOAD_ETH_BYTES);
	offload_put_be16(ip + 4, (uint16_t)nth);
	ip[9] = 6;
	offload_put_be16(tcp, (uint16_t)flow);
	offload_put_be16(tcp + 6, (uint16_t)(nth * PAYLOAD));
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
	b.buf[b.frames].data = p;
	b.seg[b.frames] =
		(struct ixgbe_seg){.buf = &b.buf[b.frames],
				   .len = HEADERS + PAYLOAD,
				   .flags = IXGBE_SEG_EOP | IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD |
					    IXGBE_RX_TCP | IXGBE_RX_L4_GOOD};
	b.frames++;
}

/* How many writes a burst makes: of each flow so many frames, which take turns. */
static uint32_t writes_of(uint32_t flows, uint32_t each)
{
	b.frames = 0;
	for (uint32_t i = 0; i < flows * each; i++)
		frame_add(i % flows, i / flows);
	coalesce_begin(&b.c, b.seg, true);
	for (uint32_t i = 0; i < b.frames; i++)
		coalesce_add(&b.c, i, 1, b.seg[i].len);
	return b.c.writes;
}

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	return 0;
}

/* A few share a place and end each other's writes. */
static void flows_that_take_turns_are_merged(void **state)
{
	(void)state;
	assert_int_equal(writes_of(1, 40), 1);
	assert_int_equal(writes_of(9, 5), 9);
	assert_in_range(writes_of(32, 4), 32, 40);
	assert_in_range(writes_of(64, 2), 64, 80);
	assert_in_range(writes_of(128, 2), 128, 160);
}

static void merging_rests_where_nothing_is_gained(void **state)
{
	uint32_t merged = 0, bursts;

	(void)state;
	for (bursts = 0; bursts < 1000; bursts++) {
		assert_int_equal(writes_of(100, 1), 100);
		merged += b.c.on;
	}
	assert_in_range(merged, 1, 100);
	/* A stream is found soon, and is merged from then on. */
	for (bursts = 0; writes_of(1, 2) == 2; bursts++)
		assert_true(bursts < 70);
	for (bursts = 0; bursts < 1000; bursts++)
		assert_int_equal(writes_of(1, 2), 1);
	for (bursts = 0; bursts < 1000; bursts++)
		assert_in_range(writes_of(16, 2), 16, 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(flows_that_take_turns_are_merged, setup),
		cmocka_unit_test_setup(merging_rests_where_nothing_is_gained, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
