/* SPDX-License-Identifier: MIT */
/* Receive-side coalescing (section 7.11): what joins a large receive, and which segments end it. */
#include <string.h>

#include "segments.h"

/* ---- What joins ---- */

static void merges_what_follows(void **state)
{
	static struct chain c;
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 4; i++)
		bed_data(&bed, FLOW_SEQ + i * 1460, 1460);
	bed_go(&bed, 32);
	bed_take(&bed, &c);
	chain_check(&c, 14, 54, FLOW_SEQ, 4 * 1460);
	assert_int_equal(c.packets, 4);
	assert_int_equal(c.descs, 3); /* 54 + 4 * 1460 bytes in 2 KiB each */
	assert_int_equal(c.count[0], 3);
	assert_int_equal(c.count[1], 2);
	assert_int_equal(c.count[2], 2);
	assert_int_equal(c.first.dword[2],
			 IXGBE_RXD_STAT_DD | IXGBE_FIELD_PREP(IXGBE_RXD_STAT_NEXTP, 1));
	assert_int_equal(c.first.dword[3], 2048);
	assert_int_equal(c.first.dword[0] & IXGBE_RXD_PKT_TYPE,
			 IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP);
	assert_int_equal(model_read(bed.m, IXGBE_RDH), 3);
	assert_int_equal(model_read(bed.m, IXGBE_QPRC), 4);
	assert_int_equal(model_read(bed.m, IXGBE_GPRC), 4);
	bed_end(&bed, 1, 4);
}

static void alone_is_as_without(void **state)
{
	static struct chain c;
	struct bed bed;

	bed_start_usual(&bed, state);
	bed_data(&bed, FLOW_SEQ, 5000);
	bed_go(&bed, 32);
	bed_take(&bed, &c);
	chain_check(&c, 14, 54, FLOW_SEQ, 5000);
	assert_int_equal(c.descs, 3);
	assert_int_equal(c.first.dword[0] & IXGBE_RXD_RSC_COUNT, 0);
	assert_int_equal(c.first.dword[2], IXGBE_RXD_STAT_DD);
	bed_end(&bed, 0, 0);
}

static void header_is_the_first_with_what_the_last_says(void **state)
{
	static struct chain c;
	struct bed bed;
	const uint8_t *tcp = c.data + 34;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 3; i++)
		bed_send(&bed,
			 &(struct segment){.frame = {.seq = FLOW_SEQ + i * 101, .payload = 101},
					   .stamped = true,
					   .stamp = UINT32_MAX - 1 + i,
					   .echo = 70 + i,
					   .ack = UINT32_MAX - 20 + i * 20,
					   .window = (uint16_t)(3000 - i)});
	bed_go(&bed, 32);
	bed_take(&bed, &c);
	chain_check(&c, 14, 66, FLOW_SEQ, 303);
	assert_int_equal(c.packets, 3);
	assert_int_equal(get32(tcp + 8), 19); /* over the wrap */
	assert_int_equal(get16(tcp + 14), 2998);
	assert_int_equal(get32(tcp + 24), 0);
	assert_int_equal(get32(tcp + 28), 72);
	assert_int_equal(tcp[13], FLAGS_ACK);
	bed_end(&bed, 1, 3);
}

static void sums_are_right_for_any_lengths(void **state)
{
	static const uint32_t lens[] = {1460, 7, 11, 9, 333, 1024, 9, 1460, 8, 15, 1447, 1448};
	struct bed bed;
	uint32_t seq = UINT32_MAX - 3000; /* and over the wrap of the sequence number */

	bed_start_usual(&bed, state);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		bed_data(&bed, seq, lens[i]);
		seq += lens[i];
	}
	bed_go(&bed, 32);
	expect_large(&bed, UINT32_MAX - 3000, seq - (UINT32_MAX - 3000), 12);
	assert_int_equal(counter(bed.m, "rx_delivered"), 12);
}

static void flows_interleave(void **state)
{
	static struct chain c;
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 4; i++) {
		for (uint16_t flow = 0; flow < 3; flow++)
			bed_send(&bed, &(struct segment){.frame = {.seq = FLOW_SEQ + i * 1460,
								   .payload = 1460,
								   .source = 1000u + flow}});
	}
	bed_go(&bed, 32);
	for (uint32_t flow = 0; flow < 3; flow++) {
		bed_take(&bed, &c);
		assert_int_equal(get16(c.data + 34), 1000 + flow);
		assert_int_equal(c.packets, 4);
		chain_check(&c, 14, 54, FLOW_SEQ, 4 * 1460);
		assert_int_equal(c.index[0], flow);
		assert_int_equal(c.index[1], 3 + flow); /* as they were needed */
	}
	bed_end(&bed, 3, 12);
}

static void jumbo_frames_merge(void **state)
{
	struct bed bed;

	bed_start(&bed, state, 2, IXGBE_RSCCTL_MAXDESC_16, 0);
	for (uint32_t i = 0; i < 4; i++)
		bed_data(&bed, FLOW_SEQ + i * 8960, 8960);
	bed_go(&bed, 64);
	expect_large(&bed, FLOW_SEQ, 3 * 8960, 3); /* 16 buffers of 2 KiB */
	expect_plain(&bed, FLOW_SEQ + 3 * 8960);
	bed_end(&bed, 1, 3);
}

static void tags(void **state, bool strip)
{
	static const uint16_t tag[] = {100, 100, 200, 200, 200};
	static struct chain c;
	struct bed bed;
	uint32_t l3 = strip ? 14 : 18;

	bed_start_usual(&bed, state);
	if (strip)
		model_set(bed.m, ixgbe_rxq_reg(IXGBE_RXDCTL, 0), IXGBE_RXDCTL_VME);
	for (uint32_t i = 0; i < 5; i++)
		bed_send(&bed, &(struct segment){.frame = {.tagged = true,
							   .vlan = tag[i],
							   .seq = FLOW_SEQ + i * 500,
							   .payload = 500}});
	bed_go(&bed, 32);
	for (uint32_t i = 0; i < 2; i++) {
		bed_take(&bed, &c);
		chain_check(&c, l3, l3 + 40, FLOW_SEQ + i * 1000, 1000 + i * 500);
		assert_int_equal(c.packets, 2 + i);
		assert_true(c.last.dword[2] & IXGBE_RXD_STAT_VP);
		assert_int_equal(IXGBE_FIELD_GET(IXGBE_RXD_VLAN, c.last.dword[3]), 100 + i * 100);
	}
	bed_end(&bed, 2, 5);
}

static void tags_come_along(void **state)
{
	tags(state, false);
}

static void stripped_tags_keep_apart(void **state)
{
	tags(state, true);
}

static void splits_the_header_off(void **state)
{
	struct bed bed;
	struct model_dma headers;
	union ixgbe_desc desc;

	bed_start(&bed, state, 2, IXGBE_RSCCTL_MAXDESC_16,
		  IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE, IXGBE_SRRCTL_DESCTYPE_ADV_HEADER_SPLIT));
	model_write(bed.m, IXGBE_PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP);
	headers = model_dma_new(bed.m, BED_RING * 256);
	for (uint32_t i = 0; i < BED_RING; i++) {
		uint64_t *at = (void *)(bed.ring.desc.addr + i * IXGBE_DESC_BYTES);

		at[1] = headers.iova + i * 256;
	}
	for (uint32_t i = 0; i < 3; i++)
		bed_data(&bed, FLOW_SEQ + i * 1000, 1000);
	bed_go(&bed, 32);
	desc = bed_wait_desc(&bed, 1);
	assert_int_equal(desc.dword[0] & (IXGBE_RXD_SPH | IXGBE_RXD_HDR_LEN), 0);
	assert_true(desc.dword[2] & IXGBE_RXD_STAT_EOP);
	assert_int_equal(desc.dword[3] & IXGBE_RXD_LENGTH, 3000 - 2048);
	desc = bed_wait_desc(&bed, 0);
	assert_int_equal(desc.dword[0] & (IXGBE_RXD_SPH | IXGBE_RXD_HDR_LEN | IXGBE_RXD_RSC_COUNT),
			 IXGBE_RXD_SPH | IXGBE_FIELD_PREP(IXGBE_RXD_HDR_LEN, 54) |
				 IXGBE_FIELD_PREP(IXGBE_RXD_RSC_COUNT, 4));
	assert_int_equal(desc.dword[3] & IXGBE_RXD_LENGTH, 2048);
	assert_int_equal(get16(headers.addr + 16), 40 + 3000);
	assert_true(frame_ip_right(headers.addr, 14));
	for (uint32_t i = 0; i < 2048; i++)
		assert_int_equal(bed.ring.buffer.addr[i], stream_byte(FLOW_SEQ + i));
	assert_int_equal(counter(bed.m, "rx_large"), 1);
	assert_int_equal(model_control_int(bed.m, "violations", "counts.RX_DESC_TYPE"), 1);
	rings_end(bed.m, 1);
}

/* ---- What ends a large receive ---- */

static void push_ends_it(void **state)
{
	static struct chain c;
	struct bed bed;

	bed_start_usual(&bed, state);
	bed_data(&bed, FLOW_SEQ, 1000);
	bed_data_flags(&bed, FLOW_SEQ + 1000, 1000, FLAGS_ACK_PSH);
	bed_data_flags(&bed, FLOW_SEQ + 2000, 1000, FLAGS_ACK_PSH);
	bed_data(&bed, FLOW_SEQ + 3000, 1000);
	bed_go(&bed, 32);
	bed_take(&bed, &c);
	assert_int_equal(c.packets, 2);
	chain_check(&c, 14, 54, FLOW_SEQ, 2000);
	assert_int_equal(c.data[47], FLAGS_ACK_PSH);
	expect_plain(&bed, FLOW_SEQ + 2000);
	expect_plain(&bed, FLOW_SEQ + 3000);
	bed_end(&bed, 1, 2);
}

static void a_gap_ends_it(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	bed_data(&bed, FLOW_SEQ, 1000);
	bed_data(&bed, FLOW_SEQ + 2000, 1000); /* 1000 to 1999 is lost */
	bed_data(&bed, FLOW_SEQ + 3000, 1000);
	bed_data(&bed, FLOW_SEQ + 3000, 1000); /* comes twice */
	bed_data(&bed, FLOW_SEQ + 1000, 1000); /* and again */
	bed_go(&bed, 32);
	expect_plain(&bed, FLOW_SEQ);
	expect_large(&bed, FLOW_SEQ + 2000, 2000, 2);
	expect_plain(&bed, FLOW_SEQ + 3000);
	expect_plain(&bed, FLOW_SEQ + 1000);
	bed_end(&bed, 1, 2);
}

/* Between two that would join comes one that is no candidate: it ends the first, in order, and
 * the third opens a new one for the fourth. */
static void interrupted_by(struct bed *bed, const struct built *between, uint32_t seq)
{
	static struct built f;
	struct segment s = {.frame = {.seq = seq, .payload = 400}};

	for (uint32_t i = 0; i < 4; i++) {
		if (i == 2)
			bed_send_built(bed, between);
		segment_build(&f, &s);
		bed_send_built(bed, &f);
		s.frame.seq += 400;
	}
	bed_go(bed, 3); /* none is left */
	expect_large(bed, seq, 800, 2);
	expect_plain_at(bed, between->l4, get32(between->data + between->l4 + 4));
	expect_large(bed, seq + 800, 800, 2);
}

static void odd_flags_end_it(void **state)
{
	static const struct {
		uint8_t flags, reserved;
	} odd[] = {{0x11, 0}, {0x12, 0}, {0x14, 0}, {0x30, 0}, {0x50, 0},
		   {0x90, 0}, {0x08, 0}, {0x10, 1}, {0x10, 8}};
	static struct built f;
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		uint32_t seq = FLOW_SEQ + i * 10000;

		segment_build(&f, &(struct segment){.frame = {.seq = seq + 800,
							      .payload = 300,
							      .tcp_flags = odd[i].flags},
						    .reserved = odd[i].reserved});
		interrupted_by(&bed, &f, seq);
	}
	bed_end(&bed, 18, 36);
}

static void other_kinds_of_header_end_it(void **state)
{
	const struct segment kinds[] = {
		{.frame = {.tcp_options = 4}},  /* not a time stamp */
		{.frame = {.tcp_options = 12}}, /* of its length, but none */
		{.stamped = true},              /* the others have none */
		{.tos = 3},                     /* CE: no candidate */
		{.tos = 2},                     /* ECT, where the others have none */
		{.frame = {.ip_options = 8}},
		{.frame = {.to = (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}},
	};
	static struct built f;
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct segment s = kinds[i];

		s.frame.seq = FLOW_SEQ + i * 10000 + 800;
		s.frame.payload = 300;
		segment_build(&f, &s);
		interrupted_by(&bed, &f, FLOW_SEQ + i * 10000);
	}
	bed_end(&bed, 14, 28);
}

static void wrong_checksums_are_not_merged(void **state)
{
	static struct built f;
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 2; i++) {
		segment_build(&f, &(struct segment){.frame = {.seq = FLOW_SEQ + i * 10000 + 800,
							      .payload = 300}});
		f.data[i ? f.body + 5 : f.l3 + 8] ^= 1; /* in the payload; TTL */
		interrupted_by(&bed, &f, FLOW_SEQ + i * 10000);
	}
	bed_end(&bed, 4, 8);
}

static void stamps_do_not_go_back(void **state)
{
	static const uint32_t stamps[] = {10, 10, 9, 11};
	struct bed bed;
	static struct chain c;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 4; i++)
		bed_send(&bed,
			 &(struct segment){.frame = {.seq = FLOW_SEQ + i * 100, .payload = 100},
					   .stamped = true,
					   .stamp = stamps[i]});
	bed_go(&bed, 32);
	for (uint32_t i = 0; i < 2; i++) {
		bed_take(&bed, &c);
		assert_int_equal(c.packets, 2);
		chain_check(&c, 14, 66, FLOW_SEQ + i * 200, 200);
	}
	bed_end(&bed, 2, 4);
}

static void acknowledgements_do_not_go_back(void **state)
{
	static const uint32_t acks[] = {10, 10, 9, 11};
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 4; i++)
		bed_send(&bed,
			 &(struct segment){.frame = {.seq = FLOW_SEQ + i * 100, .payload = 100},
					   .ack = acks[i]});
	bed_go(&bed, 32);
	expect_large(&bed, FLOW_SEQ, 200, 2);
	expect_large(&bed, FLOW_SEQ + 200, 200, 2);
	bed_end(&bed, 2, 4);
}

/* Without RDRXCTL.RSCACKC, which breaks a rule, a new acknowledgement ends it. */
static void without_rscackc_acknowledgements_stay(void **state)
{
	static const uint32_t acks[] = {10, 10, 11, 12};
	struct bed bed;

	bed_start_usual(&bed, state);
	model_clear(bed.m, IXGBE_RDRXCTL, IXGBE_RDRXCTL_RSCACKC);
	for (uint32_t i = 0; i < 4; i++)
		bed_send(&bed,
			 &(struct segment){.frame = {.seq = FLOW_SEQ + i * 100, .payload = 100},
					   .ack = acks[i]});
	bed_go(&bed, 32);
	expect_large(&bed, FLOW_SEQ, 200, 2);
	expect_plain(&bed, FLOW_SEQ + 200);
	expect_plain(&bed, FLOW_SEQ + 300);
	assert_int_equal(counter(bed.m, "rx_large"), 1);
}

static void pure_acks(void **state)
{
	static const uint32_t acks[] = {10, 20, 20, 30};
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t round = 0; round < 2; round++) {
		static struct chain c;

		if (round == 1)
			model_write(bed.m, IXGBE_RSCDBU, 0);
		for (uint32_t i = 0; i < 4; i++)
			bed_send(&bed, &(struct segment){.frame = {.seq = FLOW_SEQ},
							 .stamped = true,
							 .ack = acks[i]});
		/* Padded, without a stamp: no candidates even so. */
		bed_send(&bed, &(struct segment){.frame = {.seq = FLOW_SEQ}, .ack = 40});
		bed_send(&bed, &(struct segment){.frame = {.seq = FLOW_SEQ}, .ack = 50});
		bed_go(&bed, round ? 32 : 6);
		if (round == 0) {
			for (uint32_t i = 0; i < 6; i++)
				expect_plain(&bed, FLOW_SEQ);
			continue;
		}
		for (uint32_t i = 0; i < 2; i++) { /* the duplicate is not hidden */
			bed_take(&bed, &c);
			assert_int_equal(c.packets, 2);
			chain_check(&c, 14, 66, FLOW_SEQ, 0);
			assert_int_equal(get32(c.data + 42), i ? 30 : 20);
		}
		for (uint32_t i = 0; i < 2; i++)
			expect_plain(&bed, FLOW_SEQ);
	}
	bed_end(&bed, 2, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(merges_what_follows),
		TEST(alone_is_as_without),
		TEST(header_is_the_first_with_what_the_last_says),
		TEST(sums_are_right_for_any_lengths),
		TEST(flows_interleave),
		TEST(jumbo_frames_merge),
		TEST(tags_come_along),
		TEST(stripped_tags_keep_apart),
		TEST(splits_the_header_off),
		TEST(push_ends_it),
		TEST(a_gap_ends_it),
		TEST(odd_flags_end_it),
		TEST(other_kinds_of_header_end_it),
		TEST(wrong_checksums_are_not_merged),
		TEST(stamps_do_not_go_back),
		TEST(acknowledgements_do_not_go_back),
		TEST(without_rscackc_acknowledgements_stay),
		TEST(pure_acks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
