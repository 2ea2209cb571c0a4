/* SPDX-License-Identifier: MIT */
/*
 * The flow director's table (sections 7.1.2.7.3 to 7.1.2.7.11): commands, lists, limits and what is
 * counted; what a filter does to a frame, and which filters go before it.
 */
#include <string.h>

#include "fdir_rig.h"

/* The usual flow, and as many others as asked for that fall into the same bucket: found by trying
 * ports. */
static void same_bucket(struct flow *flows, uint32_t count, uint32_t mask)
{
	struct built f;
	struct flow next;
	uint32_t bucket;

	flow_build(&f, &usual);
	next = flow_of(&f);
	bucket = flow_hash(BUCKET_KEY, &next) & mask;
	for (uint32_t port = 1000; count > 0; port++) {
		assert_true(port < 65536);
		set16(next.ports, port);
		if ((flow_hash(BUCKET_KEY, &next) & mask) != bucket)
			continue;
		*flows++ = next;
		count--;
	}
}

static void frame_of(struct built *f, const struct flow *flow)
{
	struct flow_spec spec = usual;

	spec.spec.source = get16(flow->ports);
	flow_build(f, &spec);
}

static uint32_t coll(struct rig *rig)
{
	return IXGBE_FIELD_GET(IXGBE_FDIRFREE_COLL, model_read(rig->m, IXGBE_FDIRFREE));
}

static void collisions_are_marked(void **state)
{
	struct rig rig;
	uint32_t hash;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, LENGTH(10));
	hash = signature_of(&rig.flow);
	fdir_command(&rig, hash, ADD | TO(1));
	fdir_command(&rig, hash, ADD | TO(1)); /* the same: nothing happens */
	assert_int_equal(arrives(&rig, &rig.f, 1) & IXGBE_RXD_ERR_FDIR, 0);
	fdir_counted(&rig, 1, 0, 0, 0);
	fdir_command(&rig, hash, ADD | TO(2)); /* another action: the first one stays */
	assert_int_equal(arrives(&rig, &rig.f, 1) & IXGBE_RXD_ERR_FDIR, IXGBE_RXD_ERR_FDIR_COLL);
	assert_int_equal(coll(&rig), 1);
	fdir_command(&rig, hash, ADD | TO(2));
	assert_int_equal(coll(&rig), 1);
	fdir_counted(&rig, 0, 0, 2, 0);
	fdir_command(&rig, hash, ADD | IXGBE_FDIRCMD_FILTER_UPDATE | TO(3)); /* keeps the mark */
	assert_int_equal(arrives(&rig, &rig.f, 3) & IXGBE_RXD_ERR_FDIR, IXGBE_RXD_ERR_FDIR_COLL);
	assert_int_equal(coll(&rig), 1);
	fdir_command(&rig, hash, IXGBE_FDIRCMD_CMD_REMOVE);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 8190);
	fdir_command(&rig, hash, ADD | TO(2));
	assert_int_equal(arrives(&rig, &rig.f, 2) & IXGBE_RXD_ERR_FDIR, 0);
	rings_end(rig.m, 0);
}

/* Of equal tuples with other indexes, too. */
static void collisions_of_perfect_filters(void **state)
{
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K,
		   PERFECT | LENGTH(10) | IXGBE_FDIRCTRL_REPORT_STATUS);
	perfect(&rig, &rig.flow, 5, ADD | TO(1));
	perfect(&rig, &rig.flow, 6, ADD | TO(1));
	assert_int_equal(arrives(&rig, &rig.f, 1) & IXGBE_RXD_ERR_FDIR, IXGBE_RXD_ERR_FDIR_COLL);
	assert_int_equal(rig.got.last.dword[1] & IXGBE_RXD_FDIR_ID, 5);
	assert_int_equal(coll(&rig), 1);
	perfect(&rig, &rig.flow, 6, ADD | IXGBE_FDIRCMD_FILTER_UPDATE | TO(2));
	arrives(&rig, &rig.f, 2);
	assert_int_equal(rig.got.last.dword[1] & IXGBE_RXD_FDIR_ID, 6);
	fdir_command(&rig, index_of(&rig.flow, 5), IXGBE_FDIRCMD_CMD_REMOVE); /* has another now */
	assert_true(matches(&rig, &rig.f, 2));
	fdir_command(&rig, index_of(&rig.flow, 6), IXGBE_FDIRCMD_CMD_REMOVE);
	assert_false(matches(&rig, &rig.f, 0));
	fdir_counted(&rig, 1, 1, 2, 1);
	rings_end(rig.m, 0);
}

#define LIST 5u

static uint32_t length(struct rig *rig, const struct flow *flow, uint32_t index)
{
	fdir_command(rig, index_of(flow, index), IXGBE_FDIRCMD_CMD_QUERY);
	return IXGBE_FIELD_GET(IXGBE_FDIRLEN_BUCKET_LENGTH, model_read(rig->m, IXGBE_FDIRLEN));
}

static void lists_are_kept_in_order(void **state)
{
	/* each order of removal of three that matters: first, middle, last */
	static const uint32_t removed[3] = {0, 2, 4};
	struct flow flows[LIST];
	struct rig rig;
	struct built f;
	uint32_t value;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT | LENGTH(2));
	same_bucket(flows, LIST, 0x7ff);
	for (uint32_t i = 0; i < LIST; i++)
		perfect(&rig, &flows[i], i, ADD | TO(i % FDIR_QUEUES));
	value = model_read(rig.m, IXGBE_FDIRLEN);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_FDIRLEN_MAXLEN, value), LIST - 1);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_FDIRLEN_MAXHASH, value),
			 flow_hash(BUCKET_KEY, &flows[0]) & 0x7ff);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRLEN), 0);
	for (uint32_t i = 0; i < LIST; i++) {
		frame_of(&f, &flows[i]);
		/* behind MAX_LENGTH they match all the same, and say so */
		assert_int_equal(arrives(&rig, &f, i % FDIR_QUEUES) &
					 (IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR),
				 IXGBE_RXD_STAT_FLM | (i >= 2 ? IXGBE_RXD_ERR_FDIR_LEN : 0));
		assert_int_equal(length(&rig, &flows[i], i), i);
	}
	assert_int_equal(length(&rig, &flows[0], 99), LIST); /* not there: how long the list is */
	for (uint32_t i = 0; i < 3; i++) {
		fdir_command(&rig, index_of(&flows[0], removed[i]), IXGBE_FDIRCMD_CMD_REMOVE);
		frame_of(&f, &flows[removed[i]]);
		/* the third time two are left, and that is not too long */
		assert_int_equal(arrives(&rig, &f, 0) & (IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR),
				 i < 2 ? IXGBE_RXD_ERR_FDIR_LEN : 0);
		assert_int_equal(length(&rig, &flows[0], 99), LIST - 1 - i);
	}
	frame_of(&f, &flows[3]);
	/* Erratum 2: it moved up, and the mark stays. A new one at the same place has none. */
	assert_int_equal(arrives(&rig, &f, 3) & IXGBE_RXD_ERR_FDIR, IXGBE_RXD_ERR_FDIR_LEN);
	fdir_command(&rig, index_of(&flows[0], 3), IXGBE_FDIRCMD_CMD_REMOVE);
	perfect(&rig, &flows[3], 3, ADD | TO(3));
	assert_int_equal(arrives(&rig, &f, 3) & IXGBE_RXD_ERR_FDIR, 0);
	perfect(&rig, &flows[0], 0, ADD | TO(2));
	frame_of(&f, &flows[0]);
	assert_int_equal(arrives(&rig, &f, 2) & IXGBE_RXD_ERR_FDIR, IXGBE_RXD_ERR_FDIR_LEN);
	frame_of(&f, &flows[2]); /* no filter, and the list is too long for another */
	assert_int_equal(arrives(&rig, &f, 0) & (IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR),
			 IXGBE_RXD_ERR_FDIR_LEN);
	rings_end(rig.m, 0);
}

static void queries_tell_what_is_there(void **state)
{
	struct rig rig;
	struct flow flows[2];
	uint32_t value;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	same_bucket(flows, 2, 0x7ff);
	fdir_command(&rig, index_of(&flows[0], 1), IXGBE_FDIRCMD_CMD_QUERY);
	assert_false(model_read(rig.m, IXGBE_FDIRHASH) & IXGBE_FDIRHASH_BUCKET_VALID);
	assert_false(model_read(rig.m, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_FILTER_VALID);
	perfect(&rig, &flows[0], 1, ADD | TO(3));
	perfect(&rig, &flows[1], 2, ADD | IXGBE_FDIRCMD_DROP | TO(9));
	fdir_command(&rig, index_of(&flows[0], 3), IXGBE_FDIRCMD_CMD_QUERY);
	assert_true(model_read(rig.m, IXGBE_FDIRHASH) & IXGBE_FDIRHASH_BUCKET_VALID);
	assert_false(model_read(rig.m, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_FILTER_VALID);
	fdir_command(&rig, index_of(&flows[0], 1), IXGBE_FDIRCMD_CMD_QUERY);
	assert_true(model_read(rig.m, IXGBE_FDIRHASH) & IXGBE_FDIRHASH_BUCKET_VALID);
	/* Erratum 4: the upper bit of L4TYPE is wrong. */
	assert_int_equal(model_read(rig.m, IXGBE_FDIRCMD) ^ 0x40,
			 IXGBE_FDIRCMD_FILTER_VALID | IXGBE_FDIRCMD_QUEUE_EN | TO(3) |
				 IXGBE_FIELD_PREP(IXGBE_FDIRCMD_L4TYPE, IXGBE_FDIRCMD_L4TYPE_TCP));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRIPSA), 0x010200c0);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRIPDA), 0x020200c0);
	value = model_read(rig.m, IXGBE_FDIRPORT);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_FDIRPORT_SOURCE, value), get16(flows[0].ports));
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_FDIRPORT_DESTINATION, value), 2000);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRVLAN), 0x00080000);
	fdir_command(&rig, index_of(&flows[1], 2), IXGBE_FDIRCMD_CMD_QUERY);
	value = model_read(rig.m, IXGBE_FDIRCMD);
	assert_true(value & IXGBE_FDIRCMD_LAST && value & IXGBE_FDIRCMD_DROP);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_FDIRCMD_RX_QUEUE, value), 9);
	rings_end(rig.m, 0);
}

/* Section 7.1.2.7.4. */
static void holds_as_many_as_its_memory(void **state)
{
	static const uint32_t limits[4][2] = {{0, 0}, {8190, 2046}, {16382, 4094}, {32766, 8190}};
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_256K, 0);
	for (uint32_t pballoc = 0; pballoc < 4; pballoc++) {
		fdir_again(&rig, pballoc);
		assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), limits[pballoc][0]);
		fdir_again(&rig, pballoc | PERFECT);
		assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), limits[pballoc][1]);
	}
	rings_end(rig.m, 0);
}

/* All commands, without waiting for each: index n of a made-up bucket. */
static void fill(struct rig *rig, uint32_t from, uint32_t to, uint32_t fdircmd)
{
	for (uint32_t i = from; i < to; i++) {
		model_write(rig->m, IXGBE_FDIRPORT, i);
		model_write(rig->m, IXGBE_FDIRHASH, i << 16 | (i & 0x7f));
		model_write(rig->m, IXGBE_FDIRCMD, fdircmd);
	}
}

static void a_full_table_refuses(void **state)
{
	const uint32_t thresh = IXGBE_FIELD_PREP(IXGBE_FDIRCTRL_FULL_THRESH, 4);
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT | thresh);
	model_read(rig.m, IXGBE_EICR);
	fill(&rig, 0, 2046 - 65, ADD);
	assert_false(model_read(rig.m, IXGBE_EICR) & IXGBE_EICR_FLOW_DIR);
	fill(&rig, 2046 - 65, 2046 - 64, ADD); /* 64 are left: 4 times 16 */
	assert_true(model_read(rig.m, IXGBE_EICR) & IXGBE_EICR_FLOW_DIR);
	fill(&rig, 2046 - 64, 2046, ADD);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 0);
	assert_false(model_read(rig.m, IXGBE_EICR) & IXGBE_EICR_FLOW_DIR);
	fdir_counted(&rig, 2046, 0, 0, 0);
	perfect(&rig, &rig.flow, 3000, ADD | TO(1));
	assert_true(model_read(rig.m, IXGBE_EICR) & IXGBE_EICR_FLOW_DIR);
	assert_false(matches(&rig, &rig.f, 0));
	fdir_counted(&rig, 0, 0, 1, 0);
	fill(&rig, 700, 701, IXGBE_FDIRCMD_CMD_REMOVE);
	perfect(&rig, &rig.flow, 3000, ADD | TO(1));
	assert_true(matches(&rig, &rig.f, 1));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 0);
	fdir_counted(&rig, 1, 1, 0, 0);
	fill(&rig, 0, 300, ADD | IXGBE_FDIRCMD_FILTER_UPDATE | TO(1)); /* the field's maximum */
	fdir_counted(&rig, 0, 0, 255, 0);
	rings_end(rig.m, 0);
}

/* The largest tables, full, and then filters that come and go. */
static void filters_are_used_again(void **state)
{
	static const struct {
		uint32_t flags, filters;
	} modes[2] = {{PERFECT, 8190}, {0, 32766}};
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_256K, 0);
	for (int mode = 0; mode < 2; mode++) {
		fdir_again(&rig, IXGBE_FDIRCTRL_PBALLOC_256K | modes[mode].flags);
		fill(&rig, 0, modes[mode].filters, ADD);
		assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 0);
		for (uint32_t i = 0; i < modes[mode].filters; i += 1000) {
			fill(&rig, i, i + 3, IXGBE_FDIRCMD_CMD_REMOVE);
			assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 3);
			fill(&rig, i, i + 3, ADD);
			assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 0);
			fdir_command(&rig, i << 16 | (i & 0x7f), IXGBE_FDIRCMD_CMD_QUERY);
			assert_true(model_read(rig.m, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_FILTER_VALID);
		}
	}
	rings_end(rig.m, 0);
}

static void drops_by_its_queue(void **state)
{
	const uint32_t to_drop = IXGBE_FIELD_PREP(IXGBE_FDIRCTRL_DROP_QUEUE, 127);
	const uint32_t ends = IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR;
	struct flow flows[2];
	struct rig rig;
	struct built f;
	struct ring bin;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT | LENGTH(1) | to_drop);
	same_bucket(flows, 2, 0x7ff);
	frame_of(&f, &flows[0]);
	/* not gated by QUEUE_EN */
	perfect(&rig, &flows[0], 0, IXGBE_FDIRCMD_CMD_ADD | IXGBE_FDIRCMD_DROP);
	for (uint32_t i = 0; i < 3; i++)
		model_wire_send(rig.m, f.data, f.len);
	model_control_wait(rig.m, "counters", "counters.rx_drop_flow_director", 3);
	assert_int_equal(counter(rig.m, "rx_drop_queue_disabled"), 0);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMATCH), 3);
	/* behind MAX_LENGTH: to the filter's own queue */
	perfect(&rig, &flows[1], 1, ADD | IXGBE_FDIRCMD_DROP | TO(2));
	frame_of(&f, &flows[1]);
	assert_int_equal(arrives(&rig, &f, 2) & ends,
			 IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR_LEN | IXGBE_RXD_ERR_FDIR_DROP);
	/* an enabled drop queue keeps them for software to look at */
	rx_open(&bin, rig.m, 127, 64, 2, 0);
	frame_of(&f, &flows[0]);
	model_wire_send(rig.m, f.data, f.len);
	rx_take(&bin, &rig.got);
	assert_int_equal(rig.got.last.dword[2] & ends,
			 IXGBE_RXD_STAT_FLM | IXGBE_RXD_ERR_FDIR_DROP);
	assert_int_equal(counter(rig.m, "rx_drop_flow_director"), 3);
	rings_end(rig.m, 0);
}

/* Section 7.1.2.1: five-tuple and SYN filters, then the flow director, then RSS. */
static void comes_after_fixed_filters_and_before_rss(void **state)
{
	struct rig rig;
	struct built f;
	struct flow flow;

	model_write(*state, IXGBE_MRQC, IXGBE_MRQC_MRQE_RSS | IXGBE_MRQC_RSS_IPV4);
	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	for (uint32_t i = 0; i < IXGBE_RETA_COUNT; i++)
		model_write(rig.m, IXGBE_AT(RETA, i), 0x03030303);
	frame_build(&f, &(struct frame_spec){.tcp_flags = 0x02, .payload = 20});
	flow = flow_of(&f);
	assert_false(matches(&rig, &f, 3));                     /* RSS */
	perfect(&rig, &flow, 1, IXGBE_FDIRCMD_CMD_ADD | TO(2)); /* without QUEUE_EN */
	assert_true(matches(&rig, &f, 3));
	assert_int_equal(rig.got.last.dword[0] & IXGBE_RXD_RSS_TYPE, IXGBE_RXD_RSS_IPV4);
	perfect(&rig, &flow, 1, ADD | IXGBE_FDIRCMD_FILTER_UPDATE | TO(2));
	assert_true(matches(&rig, &f, 2));
	model_write(rig.m, IXGBE_SYNQF,
		    IXGBE_SYNQF_QUEUE_EN | IXGBE_FIELD_PREP(IXGBE_SYNQF_RX_QUEUE, 1));
	assert_true(matches(&rig, &f, 1));
	model_write(rig.m, IXGBE_L34TIMIR,
		    IXGBE_L34TIMIR_SIZE_BP | IXGBE_L34TIMIR_CTRL_BP |
			    IXGBE_FIELD_PREP(IXGBE_L34TIMIR_RX_QUEUE, 0));
	model_write(rig.m, IXGBE_FTQF,
		    IXGBE_FTQF_QUEUE_ENABLE | IXGBE_FTQF_MASK_SRC_ADDR | IXGBE_FTQF_MASK_DST_ADDR |
			    IXGBE_FTQF_MASK_SRC_PORT | IXGBE_FTQF_MASK_DST_PORT |
			    IXGBE_FTQF_MASK_POOL | IXGBE_FTQF_MASK_PROTOCOL |
			    IXGBE_FIELD_PREP(IXGBE_FTQF_PRIORITY, 1));
	assert_true(matches(&rig, &f, 0));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMATCH), 4); /* counted whoever routes */
	rings_end(rig.m, 0);
}

static void legacy_descriptors_do_not_tell(void **state)
{
	struct rig rig;
	uint32_t status;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, 0);
	rx_legacy(&rig.rx[1]);
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
	model_wire_send(rig.m, rig.f.data, rig.f.len);
	model_control_wait(rig.m, "counters", "counters.rx_delivered", 1);
	status = ((const union ixgbe_desc *)(const void *)rig.rx[1].desc.addr)->dword[3];
	assert_int_equal(status & (IXGBE_RXL_STAT_DD | IXGBE_RXD_STAT_FLM), IXGBE_RXL_STAT_DD);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRMATCH), 1);
	rings_end(rig.m, 0);
}

/* ---- The table emptied ---- */

static void the_datasheets_way_to_empty_it(void **state)
{
	struct rig rig;
	uint32_t fdirctrl;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, 0);
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
	assert_true(matches(&rig, &rig.f, 1));
	/* written back as read, it changes nothing */
	fdirctrl = model_read(rig.m, IXGBE_FDIRCTRL);
	fdir_control(&rig, fdirctrl | LENGTH(5));
	assert_true(matches(&rig, &rig.f, 1));
	/* the steps of section 7.1.2.7.9 */
	fdir_again(&rig, fdirctrl & ~IXGBE_FDIRCTRL_INIT_DONE);
	assert_false(matches(&rig, &rig.f, 0));
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 8190);
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(2));
	assert_true(matches(&rig, &rig.f, 2));
	rings_end(rig.m, 0);
}

static void other_ways_to_empty_it(void **state)
{
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, PERFECT);
	for (int way = 0; way < 3; way++) {
		perfect(&rig, &rig.flow, 1, ADD | TO(1));
		assert_true(matches(&rig, &rig.f, 1));
		if (way == 0) /* off, without a word of INIT_DONE */
			fdir_control(&rig, IXGBE_FDIRCTRL_INIT_DONE);
		else if (way == 1) /* another mode */
			fdir_again(&rig, IXGBE_FDIRCTRL_PBALLOC_64K | IXGBE_FDIRCTRL_INIT_DONE);
		else
			model_set(rig.m, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CLEARHT);
		assert_false(matches(&rig, &rig.f, 0));
		fdir_again(&rig, IXGBE_FDIRCTRL_PBALLOC_64K | PERFECT | FLEX_ETHERTYPE);
		assert_false(matches(&rig, &rig.f, 0));
		assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 2046);
	}
	rings_end(rig.m, 0);
}

/* What the in-kernel driver calls an erratum: the initialization does not end. */
static void a_second_start_needs_it_emptied(void **state)
{
	struct rig rig;
	struct model *m = *state;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, 0);
	for (uint32_t way = 0; way < 2; way++) {
		fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
		assert_true(matches(&rig, &rig.f, 1));
		if (way) /* set, and not cleared */
			model_set(m, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CLEARHT);
		model_write(m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_PBALLOC_64K | FLEX_ETHERTYPE);
		assert_false(model_read(m, IXGBE_FDIRCTRL) & IXGBE_FDIRCTRL_INIT_DONE);
		assert_int_equal(model_control_int(m, "violations", "counts.FDIR_RESTART"),
				 1 + 2 * way);
		if (!way) {
			fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
			model_write(m, IXGBE_FDIRCTRL,
				    IXGBE_FDIRCTRL_PBALLOC_64K | IXGBE_FDIRCTRL_INIT_DONE);
			assert_false(model_read(m, IXGBE_FDIRCTRL) & IXGBE_FDIRCTRL_INIT_DONE);
		}
		assert_false(matches(&rig, &rig.f, 0));
		fdir_again(&rig, IXGBE_FDIRCTRL_PBALLOC_64K | FLEX_ETHERTYPE);
	}
	rings_end(m, 3);
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
	assert_true(matches(&rig, &rig.f, 1));
}

static void a_report_has_its_place(void **state)
{
	const uint32_t report = IXGBE_FDIRCTRL_REPORT_STATUS;
	const uint32_t always = IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS;
	static const bool wrong[8] = {false, false, true, false, false, true, true, true};

	for (uint32_t i = 0; i < 8; i++) {
		struct model *m = *state;
		struct rig rig;

		fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K,
			   (i & 1 ? report : 0) | (i & 2 ? always : 0));
		if (i & 4)
			model_clear(m, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
		arrives(&rig, &rig.f, 0);
		arrives(&rig, &rig.f, 0);
		if (wrong[i])
			assert_int_equal(model_control_int(m, "violations", "counts.FDIR_REPORT"),
					 1);
		rings_end(m, wrong[i]);
		model_restart(m);
	}
}

static void a_reset_switches_it_off(void **state)
{
	struct rig rig;

	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, 0);
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
	assert_true(matches(&rig, &rig.f, 1));
	model_reset(rig.m);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRCTRL), 0);
	assert_int_equal(model_read(rig.m, IXGBE_FDIRFREE), 0);
	/* commands while it is off do nothing, and end */
	fdir_command(&rig, signature_of(&rig.flow), ADD | TO(1));
	fdir_counted(&rig, 0, 0, 0, 0);
	model_restart(rig.m);
	fdir_start(&rig, state, IXGBE_FDIRCTRL_PBALLOC_64K, 0);
	assert_false(matches(&rig, &rig.f, 0));
	rings_end(rig.m, 0);
}

/* ---- Its share of the packet buffer (7.1.2.7.4) ---- */

static void takes_its_memory_from_the_packet_buffer(void **state)
{
	struct model *m = *state;
	struct ring rx;
	struct built f;

	rings_begin(m);
	fdir_room(m, 0);
	model_write(m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_PBALLOC_256K);
	model_wait(m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE, IXGBE_FDIRCTRL_INIT_DONE);
	assert_int_equal(model_control_int(m, "violations", "counts.FDIR_MEMORY"), 1);
	rx_open_empty(&rx, m, 0, 64, 2, 0);
	rings_go(m);
	frame_raw(&f, NULL, 1514);
	for (uint32_t i = 0; i < 200; i++)
		model_wire_send(m, f.data, f.len);
	model_control_wait(m, "counters", "counters.rx_frames", 200);
	assert_in_range(counter(m, "rx_drop_missed"), 200 - 256 * 1024 / 1514, 60);
	rings_end(m, 1);
}

/* Filters that have their memory keep it. */
static void keeps_its_memory(void **state)
{
	const uint32_t all = IXGBE_FIELD_PREP(IXGBE_RXPBSIZE_SIZE, 512);
	const uint32_t less = IXGBE_FIELD_PREP(IXGBE_RXPBSIZE_SIZE, 256);
	struct model *m = *state;

	rings_begin(m);
	model_write(m, IXGBE_RXPBSIZE, less);
	model_write(m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_PBALLOC_256K);
	model_wait(m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE, IXGBE_FDIRCTRL_INIT_DONE);
	model_write(m, IXGBE_RXPBSIZE, less / 2);
	model_write(m, IXGBE_RXPBSIZE, less);
	rings_end(m, 0);
	model_write(m, IXGBE_RXPBSIZE, all);
	assert_int_equal(model_control_int(m, "violations", "counts.FDIR_MEMORY"), 1);
	model_write(m, IXGBE_FDIRCTRL, 0);
	model_write(m, IXGBE_RXPBSIZE, less);
	model_write(m, IXGBE_RXPBSIZE, all);
	rings_end(m, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(collisions_are_marked),
		T(collisions_of_perfect_filters),
		T(lists_are_kept_in_order),
		T(queries_tell_what_is_there),
		T(holds_as_many_as_its_memory),
		T(a_full_table_refuses),
		T(filters_are_used_again),
		T(drops_by_its_queue),
		T(comes_after_fixed_filters_and_before_rss),
		T(legacy_descriptors_do_not_tell),
		T(the_datasheets_way_to_empty_it),
		T(other_ways_to_empty_it),
		T(a_second_start_needs_it_emptied),
		T(a_report_has_its_place),
		T(a_reset_switches_it_off),
		T(takes_its_memory_from_the_packet_buffer),
		T(keeps_its_memory),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
