/* SPDX-License-Identifier: MIT */
/*
 * The flow director (sections 7.1.2.7 and 8.2.3.21): the hash against the datasheet's own words for
 * it, what filters of both modes compare, and what the descriptor says.
 */
#include <string.h>

#include "fdir_rig.h"

/* ---- Tests: the hash ---- */

/* What drivers compute for these flows, by a formulation of their own, with the keys above. */
static const struct vector {
	struct flow_spec flow;
	uint16_t bucket, signature;
} vectors[] = {
	{{{.payload = 20}, "192.0.2.1", "192.0.2.2"}, 0xac19, 0x38fe}, /* the usual one */
	{{{.protocol = 17, .tagged = true, .vlan = 0x2005, .payload = 20},
	  "192.0.2.1",
	  "192.0.2.2"},
	 0xf305,
	 0x2843},
	{{{.ipv6 = true, .payload = 20}, "2001:db8::1", "2001:db8::2"}, 0xe071, 0xbaf9},
};

static void hashes_known_flows(void **state)
{
	struct rig rig;
	struct built f;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_256K,
		   IXGBE_FDIRCTRL_REPORT_STATUS | IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct flow flow;

		flow_build(&f, &vectors[i].flow);
		flow = flow_of(&f);
		assert_int_equal(flow_hash(BUCKET_KEY, &flow), vectors[i].bucket);
		assert_int_equal(flow_hash(SIGNATURE_KEY, &flow), vectors[i].signature);
		assert_false(matches(&rig, &f, 0));
		assert_int_equal(rig.got.last.dword[0] & IXGBE_RXD_RSS_TYPE, IXGBE_RXD_RSS_FDIR);
		assert_int_equal(rig.got.last.dword[1], (vectors[i].bucket & 0x7fffu) << 16 |
								(vectors[i].signature & 0x7fffu));
	}
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMISS), 3);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMATCH), 0);
	rings_end(rig.m, 0);
}

static uint32_t random_bits(void)
{
	static uint32_t lfsr = 0x2545f491;

	for (int i = 0; i < 32; i++)
		lfsr = lfsr >> 1 ^ (lfsr & 1 ? 0xedb88320u : 0);
	return lfsr;
}

static uint32_t reversed16(uint32_t value)
{
	uint32_t to = 0;

	for (int i = 0; i < 16; i++)
		to |= (value >> i & 1) << (15 - i);
	return to;
}

/* Masks at random, into the registers and on the flow. */
static void mask_at_random(struct rig *rig, struct flow *flow)
{
	static const uint16_t tag[4] = {0xefff, 0xe000, 0x0fff, 0};
	uint32_t fdirm = random_bits() & 0x1f, ip6 = random_bits();
	uint32_t sip = random_bits(), dip = random_bits(), ports = random_bits();
	bool udp = (flow->type & 3) == 1, v6 = flow->type & 4;

	model_write(rig->m, IXGBE_FDIRM, fdirm);
	model_write(rig->m, IXGBE_FDIRIP6M, ip6);
	model_write(rig->m, IXGBE_FDIRSIP4M, sip);
	model_write(rig->m, IXGBE_FDIRDIP4M, dip);
	model_write(rig->m, IXGBE_FDIRTCPM, udp ? 0x12345678 : ports);
	model_write(rig->m, IXGBE_FDIRUDPM, udp ? ports : 0x12345678);
	flow->vlan &= tag[fdirm & (IXGBE_FDIRM_VLANID | IXGBE_FDIRM_VLANP)];
	for (uint32_t i = 0; i < 16; i++) {
		bool source = v6 ? ip6 >> i & 1 : 0, destination = v6 ? ip6 >> (16 + i) & 1 : 0;

		flow->source[i] &= source ? 0 : 0xff;
		flow->destination[i] &= destination ? 0 : 0xff;
	}
	for (uint32_t i = 0; i < 4 && !v6; i++) {
		flow->source[12 + i] &= (uint8_t) ~(sip >> i * 8);
		flow->destination[12 + i] &= (uint8_t) ~(dip >> i * 8);
	}
	set16(flow->ports, get16(flow->ports) & ~reversed16(ports & 0xffff));
	set16(flow->ports + 2, get16(flow->ports + 2) & ~reversed16(ports >> 16));
	if (fdirm & IXGBE_FDIRM_L4P)
		flow->type &= 4;
	if (fdirm & IXGBE_FDIRM_FLEX)
		memset(flow->flex, 0, 2);
}

static void hashes_what_the_masks_leave(void **state)
{
	static const uint8_t protocols[3] = {6, 17, 132};
	struct rig rig;
	struct built f;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_256K,
		   IXGBE_FDIRCTRL_REPORT_STATUS | IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS);
	for (int round = 0; round < 200; round++) {
		uint32_t bits = random_bits();
		struct flow flow;

		frame_build(&f, &(struct frame_spec){
					.ipv6 = bits & 1,
					.tagged = bits & 2,
					.vlan = (uint16_t)(bits >> 8 & 0xffff),
					.protocol = protocols[bits >> 2 & 1 ? 2 : bits >> 3 & 1],
					.source = (uint16_t)(bits >> 16),
					.destination = (uint16_t)(bits >> 5),
					.payload = 30});
		for (uint32_t i = 0; i < (bits & 1 ? 32 : 8); i++)
			f.data[f.l3 + (bits & 1 ? 8 : 12) + i] = (uint8_t)random_bits();
		flow = flow_of(&f);
		mask_at_random(&rig, &flow);
		arrives(&rig, &f, 0);
		assert_int_equal(rig.got.last.dword[1],
				 signature_of(&flow) << 16 | signature_of(&flow) >> 16);
	}
	rings_end(rig.m, 0);
}

static void uses_the_keys(void **state)
{
	static const uint32_t keys[4] = {0, UINT32_MAX, 0x80000001, 0x13579bdf};
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_256K,
		   IXGBE_FDIRCTRL_REPORT_STATUS | IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS);
	for (int i = 0; i < 4; i++) {
		model_write(rig.m, IXGBE_FDIRHKEY, keys[i]);
		model_write(rig.m, IXGBE_FDIRSKEY, ~keys[i]);
		arrives(&rig, &rig.f, 0);
		assert_int_equal(rig.got.last.dword[1] >> 16,
				 flow_hash(keys[i], &rig.flow) & 0x7fff);
		assert_int_equal(rig.got.last.dword[1] & 0xffff,
				 flow_hash(~keys[i], &rig.flow) & 0x7fff);
	}
	rings_end(rig.m, 0);
}

/* ---- Tests: filters ---- */

static void filters_by_signature(void **state)
{
	struct rig rig;
	struct built other;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, LENGTH(10));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 8190);
	flow_build(&other, &vectors[1].flow);
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(2));
	assert_int_equal(arrives(&rig, &rig.f, 2) & (IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR),
			 IXGBE_RXD_STAT_FLM);
	assert_int_equal(rig.got.last.dword[0] & IXGBE_RXD_RSS_TYPE, IXGBE_RXD_RSS_NONE);
	assert_int_equal(rig.got.last.dword[1], 0);
	assert_false(matches(&rig, &other, 0));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMATCH), 1);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMISS), 1);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMATCH), 0); /* read, and cleared */
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 8189);
	fdir_counted(&rig, 1, 0, 0, 0);
	fdir_command(&rig, signature_of(&rig.flow), ADD | IXGBE_FDIRCMD_FILTER_UPDATE | TO(1));
	assert_true(matches(&rig, &rig.f, 1));
	fdir_counted(&rig, 0, 0, 1, 0);
	fdir_command(&rig, signature_of(&rig.flow) ^ 0x10000,
		     IXGBE_FDIRCMD_CMD_REMOVE); /* another one */
	assert_true(matches(&rig, &rig.f, 1));
	fdir_command(&rig, signature_of(&rig.flow), IXGBE_FDIRCMD_CMD_REMOVE);
	assert_false(matches(&rig, &rig.f, 0));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 8190);
	fdir_counted(&rig, 0, 1, 0, 1);
	rings_end(rig.m, 0);
}

static void reports_as_asked(void **state)
{
	static const struct {
		uint32_t flags;
		bool match, miss; /* whether the descriptor has the ID */
	} cases[] = {
		{0, false, false},
		{IXGBE_FDIRCTRL_REPORT_STATUS, true, false},
		{IXGBE_FDIRCTRL_REPORT_STATUS | IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS, true, true},
	};
	struct built miss, raw;
	struct rig rig;

	model_write(*state, IXGBE_MRQC, IXGBE_MRQC_MRQE_RSS | IXGBE_MRQC_RSS_IPV4);
	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	flow_build(&miss, &vectors[1].flow);
	frame_raw(&raw, NULL, 100);
	for (int i = 0; i < 3; i++) {
		fdir_again(&rig,
			   IXGBE_FDIRCTRL_PBALLOC_64K | PERFECT | FLEX_ETHERTYPE | cases[i].flags);
		perfect(&rig, &rig.flow, 0x1234, ADD | TO(3));
		assert_true(matches(&rig, &rig.f, 3));
		assert_int_equal(rig.got.last.dword[0] & IXGBE_RXD_RSS_TYPE,
				 cases[i].match ? IXGBE_RXD_RSS_FDIR : IXGBE_RXD_RSS_IPV4);
		if (cases[i].match)
			assert_int_equal(rig.got.last.dword[1],
					 (vectors[0].bucket & 0x7ffu) << 16 | 0x1234);
		assert_false(matches(&rig, &miss, 0));
		assert_int_equal(rig.got.last.dword[0] & IXGBE_RXD_RSS_TYPE,
				 cases[i].miss ? IXGBE_RXD_RSS_FDIR : IXGBE_RXD_RSS_IPV4);
		assert_false(matches(&rig, &raw, 0));
		assert_int_equal(rig.got.last.dword[0] & IXGBE_RXD_RSS_TYPE, IXGBE_RXD_RSS_NONE);
	}
	rings_end(rig.m, 0);
}

/* Frames that differ from `like` in one tuple each. */
static const struct flow_spec neighbours[] = {
	{{.protocol = 17, .tagged = true, .vlan = 0x2005, .payload = 20}, "192.0.2.9", "192.0.2.2"},
	{{.protocol = 17, .tagged = true, .vlan = 0x2005, .payload = 20}, "192.0.2.1", "192.0.2.9"},
	{{.protocol = 17, .tagged = true, .vlan = 0x2005, .payload = 20, .source = 9},
	 "192.0.2.1",
	 "192.0.2.2"},
	{{.protocol = 17, .tagged = true, .vlan = 0x2005, .payload = 20, .destination = 9},
	 "192.0.2.1",
	 "192.0.2.2"},
	{{.protocol = 17, .tagged = true, .vlan = 0x2009, .payload = 20}, "192.0.2.1", "192.0.2.2"},
	{{.protocol = 17, .tagged = true, .vlan = 0x4005, .payload = 20}, "192.0.2.1", "192.0.2.2"},
	{{.protocol = 6, .tagged = true, .vlan = 0x2005, .payload = 20}, "192.0.2.1", "192.0.2.2"},
	{{.protocol = 17, .payload = 20}, "192.0.2.1", "192.0.2.2"},
	{{.protocol = 17, .tagged = true, .vlan = 0x2005, .ipv6 = true, .payload = 20},
	 "2001:db8::1",
	 "2001:db8::2"},
};
#define NEIGHBOURS (sizeof(neighbours) / sizeof(neighbours[0]))

static void compares_every_tuple(void **state)
{
	struct rig rig;
	struct built f, canonical;
	struct flow flow;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_128K, PERFECT);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 4094);
	flow_build(&f, &vectors[1].flow);
	flow = flow_of(&f);
	perfect(&rig, &flow, 7, ADD | TO(1));
	assert_true(matches(&rig, &f, 1));
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		flow_build(&canonical, &neighbours[i]);
		assert_false(matches(&rig, &canonical, 0));
	}
	/* the tag's CFI is not compared */
	frame_build(&canonical,
		    &(struct frame_spec){
			    .protocol = 17, .tagged = true, .vlan = 0x3005, .payload = 20});
	assert_true(matches(&rig, &canonical, 1));
	rings_end(rig.m, 0);
}

/* Each mask lets one neighbour through, and only that. */
static void masks_what_it_is_told(void **state)
{
	static const struct {
		enum ixgbe_reg_offset offset;
		uint32_t value;
		size_t neighbour;
	} masks[] = {
		{IXGBE_FDIRSIP4M, 0x08000000, 0}, /* bit 3 of the last byte */
		{IXGBE_FDIRDIP4M, 0xffffffff, 1},    {IXGBE_FDIRUDPM, 0x0000ffff, 2},
		{IXGBE_FDIRUDPM, 0xffff0000, 3},     {IXGBE_FDIRM, IXGBE_FDIRM_VLANID, 4},
		{IXGBE_FDIRM, IXGBE_FDIRM_VLANP, 5}, {IXGBE_FDIRM, IXGBE_FDIRM_L4P, 6},
	};
	struct rig rig;
	struct built f, other;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	flow_build(&f, &vectors[1].flow);
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct flow flow = flow_of(&f);

		model_write(rig.m, masks[i].offset, masks[i].value);
		switch (masks[i].neighbour) {
		case 0:
			flow.source[15] &= 0xf7;
			break;
		case 1:
			memset(flow.destination, 0, 16);
			break;
		case 2:
			set16(flow.ports, 0);
			break;
		case 3:
			set16(flow.ports + 2, 0);
			break;
		case 4:
			flow.vlan &= 0xe000;
			break;
		case 5:
			flow.vlan &= 0x0fff;
			break;
		default:
			flow.type = 0;
			break;
		}
		perfect(&rig, &flow, 1, ADD | TO(1));
		assert_true(matches(&rig, &f, 1));
		for (size_t n = 0; n < NEIGHBOURS; n++) {
			bool same = n == masks[i].neighbour;

			flow_build(&other, &neighbours[n]);
			assert_int_equal(matches(&rig, &other, same), same);
		}
		fdir_command(&rig, index_of(&flow, 1), IXGBE_FDIRCMD_CMD_REMOVE);
		assert_false(matches(&rig, &f, 0));
		model_write(rig.m, masks[i].offset, 0);
	}
	rings_end(rig.m, 0);
}

static void compares_flexible_bytes_anywhere(void **state)
{
	struct rig rig;
	struct built f;
	struct flow flow;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	flow_build(&f, &vectors[0].flow);
	for (uint32_t words = 21; words < 32;
	     words += 10) { /* 42: in the header; 62: in the payload */
		fdir_again(&rig, IXGBE_FDIRCTRL_PBALLOC_64K | PERFECT |
					 IXGBE_FIELD_PREP(IXGBE_FDIRCTRL_FLEX_OFFSET, words));
		set16(f.data + words * 2, 0x55aa);
		flow = flow_of(&f);
		set16(flow.flex, 0x55aa);
		perfect(&rig, &flow, 1, ADD | TO(1));
		assert_true(matches(&rig, &f, 1));
		set16(f.data + words * 2, 0xaa55);
		assert_false(matches(&rig, &f, 0));
		model_write(rig.m, IXGBE_FDIRM, IXGBE_FDIRM_FLEX);
		assert_false(matches(&rig, &f, 0)); /* the filter has them, and the frame none */
		memset(flow.flex, 0, 2);
		perfect(&rig, &flow, 2, ADD | TO(2));
		assert_true(matches(&rig, &f, 2));
		model_write(rig.m, IXGBE_FDIRM, 0);
	}
	rings_end(rig.m, 0);
}

static void knows_ipv6_destinations_of_its_own(void **state)
{
	const struct flow_spec spec = {{.ipv6 = true, .payload = 20}, "2001:db8::1", "2001:db8::2"};
	struct rig rig;
	struct built f;
	struct flow flow;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	flow_build(&f, &spec);
	flow = flow_of(&f);
	memset(flow.destination, 0, 16); /* not compared: it is not ours */
	perfect(&rig, &flow, 1, ADD | TO(1));
	assert_true(matches(&rig, &f, 1));
	for (uint32_t i = 0; i < 4; i++)
		model_write(rig.m, IXGBE_AT(IP6AT, i),
			    __builtin_bswap32(get32(f.data + f.l3 + 24 + i * 4)));
	assert_true(matches(&rig, &f, 1)); /* IPAV is clear */
	model_write(rig.m, IXGBE_IPAV, IXGBE_IPAV_V60);
	assert_false(matches(&rig, &f, 0));
	flow.destination[0] = 1; /* in the hash, for a match (7.1.2.7.15) */
	perfect(&rig, &flow, 2, ADD | IXGBE_FDIRCMD_IPV6_DMATCH | TO(2));
	assert_true(matches(&rig, &f, 2));
	model_write(rig.m, IXGBE_FDIRM, IXGBE_FDIRM_DIPV6);
	assert_true(matches(&rig, &f, 1));
	rings_end(rig.m, 0);
}

static void compares_the_pool(void **state)
{
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	rig.flow.pool = 1;
	perfect(&rig, &rig.flow, 1, ADD | TO(3));
	assert_false(matches(&rig, &rig.f, 0)); /* no pools */
	model_write(rig.m, IXGBE_PFVTCTL,
		    IXGBE_PFVTCTL_VT_ENA | IXGBE_FIELD_PREP(IXGBE_PFVTCTL_DEF_PL, 1));
	assert_true(matches(&rig, &rig.f, 3));
	/* with two queues a pool, queue 3 is the second of pool 1, and so is 1 */
	model_write(rig.m, IXGBE_MRQC, IXGBE_MRQC_MRQE_VT64);
	assert_true(matches(&rig, &rig.f, 3));
	perfect(&rig, &rig.flow, 1, ADD | IXGBE_FDIRCMD_FILTER_UPDATE | TO(1));
	assert_true(matches(&rig, &rig.f, 3));
	model_write(rig.m, IXGBE_FDIRM, IXGBE_FDIRM_POOL);
	assert_false(matches(&rig, &rig.f, 2)); /* the filter has one, and the frame none */
	rig.flow.pool = 0;
	perfect(&rig, &rig.flow, 2, ADD | TO(1));
	assert_true(matches(&rig, &rig.f, 3));
	rings_end(rig.m, 0);
}

/* SCTP's ports are zero here, a fragment has none; what is not IP, or an IPv6 fragment, misses. */
static void knows_what_has_no_ports(void **state)
{
	struct rig rig;
	struct built f;
	struct flow flow;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	frame_build(&f, &(struct frame_spec){.protocol = 132, .source = 7, .payload = 20});
	flow = flow_of(&f);
	perfect(&rig, &flow, 1, ADD | TO(1));
	assert_true(matches(&rig, &f, 1));
	set16(f.data + f.l4, 9);
	assert_true(matches(&rig, &f, 1));
	frame_build(&f, &(struct frame_spec){.fragment = 0x2000, .payload = 20});
	flow = flow_of(&f);
	memset(flow.ports, 0, 4);
	flow.type = 0;
	perfect(&rig, &flow, 2, ADD | TO(2));
	assert_true(matches(&rig, &f, 2));
	model_read(rig.m, IXGBE_FDIRMISS);
	frame_raw(&f, NULL, 100);
	assert_false(matches(&rig, &f, 0));
	frame_build(&f, &(struct frame_spec){.ipv6 = true, .payload = 20});
	f.data[f.l3 + 6] = 44; /* fragment header */
	flow = flow_of(&f);
	memset(flow.ports, 0, 4);
	flow.type = 4;
	perfect(&rig, &flow, 3, ADD | TO(3));
	assert_false(matches(&rig, &f, 0));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMISS), 2);
	rings_end(rig.m, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(hashes_known_flows),
		T(hashes_what_the_masks_leave),
		T(uses_the_keys),
		T(filters_by_signature),
		T(reports_as_asked),
		T(compares_every_tuple),
		T(masks_what_it_is_told),
		T(compares_flexible_bytes_anywhere),
		T(knows_ipv6_destinations_of_its_own),
		T(compares_the_pool),
		T(knows_what_has_no_ports),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
