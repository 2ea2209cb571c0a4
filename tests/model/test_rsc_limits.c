/* SPDX-License-Identifier: MIT */
/* Receive-side coalescing: how large it gets, where there is none; turns, interrupts, resets. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "segments.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/data/data.h"

static long long broken(const struct bed *bed, const char *rule)
{
	return model_broken(bed->m, rule);
}

/* ---- How large ---- */

static void the_oldest_makes_room(void **state)
{
	struct bed bed;
	uint32_t large = 0, plain = 0;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 2; i++) {
		/* the first round opens 33; the second begins with the one that was evicted */
		for (uint16_t flow = 0; flow <= RSC_CONTEXTS; flow++) {
			if (i == 1 && flow > 0 && flow < RSC_CONTEXTS)
				continue;
			bed_send(&bed, &(struct segment){.frame = {.seq = FLOW_SEQ + i * 50,
								   .payload = 50,
								   .source = 1000u + flow}});
		}
	}
	bed_go(&bed, 100);
	for (uint32_t i = 0; i < RSC_CONTEXTS + 2; i++) {
		static struct chain c;

		bed_take(&bed, &c);
		large += c.packets == 2;
		plain += c.packets == 0;
		if (c.packets)
			assert_int_equal(get16(c.data + 34), 1000 + RSC_CONTEXTS);
	}
	assert_int_equal(large, 1);
	assert_int_equal(plain, RSC_CONTEXTS + 1);
	bed_end(&bed, 1, 2);
}

static void fourteen_begin_in_a_buffer(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 30; i++)
		bed_data(&bed, FLOW_SEQ + i * 20, 20);
	bed_go(&bed, 32);
	expect_large(&bed, FLOW_SEQ, 280, 14);
	expect_large(&bed, FLOW_SEQ + 280, 280, 14);
	expect_large(&bed, FLOW_SEQ + 560, 40, 2);
	bed_end(&bed, 3, 30);
}

/* As many segments as MAXDESC buffers hold, then the next large receive; never over 64 KiB. */
static void maxdesc(void **state, uint32_t kib, uint32_t field, uint32_t descs)
{
	static struct chain c;
	struct bed bed;
	uint32_t bytes = descs * kib * 1024 < 65535 + 14 ? descs * kib * 1024 : 65535 + 14;
	uint32_t full = (bytes - 54) / 1448, packets = 100, seq = FLOW_SEQ;
	bool too_large = descs * kib * 1024 > 65535;
	bool too_small = descs * kib * 1024 <= BED_FRAME - 58; /* for the longest segment */

	bed_start(&bed, state, kib, field, 0);
	for (uint32_t i = 0; i < packets; i++)
		bed_data(&bed, FLOW_SEQ + i * 1448, 1448);
	bed_go(&bed, BED_RING - 1);
	while (packets > 0) {
		uint32_t n = packets < full ? packets : full;

		bed_take(&bed, &c);
		assert_int_equal(c.packets, n > 1 ? n : 0);
		assert_true(c.descs <= descs);
		chain_check(&c, 14, 54, seq, n * 1448);
		packets -= n;
		seq += n * 1448;
	}
	assert_int_equal(counter(bed.m, "rx_delivered"), 100);
	if (too_large)
		assert_int_equal(broken(&bed, "RX_RSC_SETUP"), 1);
	if (too_small)
		assert_int_equal(broken(&bed, "RX_RSC_MSS"), 1);
	rings_end(bed.m, too_large || too_small);
}

#define MAXDESC(descs, kib)                                                                        \
	static void maxdesc_##descs##_of_##kib##k(void **state)                                    \
	{                                                                                          \
		maxdesc(state, kib, IXGBE_RSCCTL_MAXDESC_##descs, descs);                          \
	}
MAXDESC(1, 2)
MAXDESC(4, 2)
MAXDESC(8, 2)
MAXDESC(16, 2)
MAXDESC(16, 3)
MAXDESC(1, 4)
MAXDESC(4, 4)
MAXDESC(8, 4)
MAXDESC(16, 4)
MAXDESC(16, 16)

static void the_ring_runs_out(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 6; i++)
		bed_data(&bed, FLOW_SEQ + i * 1460, 1460);
	bed_go(&bed, 2); /* 54 + 2 * 1460 fit, a third does not */
	expect_large(&bed, FLOW_SEQ, 2 * 1460, 2);
	assert_true(rx_silent(&bed.ring));
	assert_int_equal(counter(bed.m, "rx_delivered"), 2);
	rx_give(&bed.ring, 30);
	expect_large(&bed, FLOW_SEQ + 2 * 1460, 4 * 1460, 4);
	bed_end(&bed, 2, 6);
}

static void a_reset_drops_what_waits(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 6; i++)
		bed_data(&bed, FLOW_SEQ + i * 1460, 1460);
	bed_go(&bed, 2);
	expect_large(&bed, FLOW_SEQ, 2 * 1460, 2);
	model_set(bed.m, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
	model_set(bed.m, IXGBE_CTRL, IXGBE_CTRL_RST);
	model_control_wait(bed.m, "counters", "counters.rx_drop_reset", 4);
	assert_int_equal(counter(bed.m, "rx_delivered"), 2);
	assert_int_equal(model_read(bed.m, ixgbe_rxq_reg(IXGBE_RSCCTL, 0)), 0);
}

static void a_buffer_that_is_not_there_costs_its_frame(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	*(uint64_t *)(void *)(bed.ring.desc.addr + IXGBE_DESC_BYTES) = 0x7fff00000000;
	for (uint32_t i = 0; i < 4; i++)
		bed_data(&bed, FLOW_SEQ + i * 900, 900);
	bed_go(&bed, 32);
	expect_large(&bed, FLOW_SEQ, 1800, 2);
	model_control_wait(bed.m, "counters", "counters.rx_drop_dma", 1);
	bed.ring.next = 2;
	expect_plain(&bed, FLOW_SEQ + 2700);
	assert_int_equal(counter(bed.m, "rx_delivered"), 3);
	assert_true(model_control_int(bed.m, "violations", "counts.DMA_FAULT") >= 1);
}

/* ---- Where nothing is coalesced ---- */

/* A queue of its own, with one register changed after bed_start() and before the queue is on. */
static void restart(struct bed *bed, uint32_t at, uint32_t clear, uint32_t set)
{
	uint32_t rxdctl = ixgbe_rxq_reg(IXGBE_RXDCTL, 0);

	model_clear(bed->m, rxdctl, IXGBE_RXDCTL_ENABLE);
	model_write(bed->m, at, (model_read(bed->m, at) & ~clear) | set);
	model_set(bed->m, rxdctl, IXGBE_RXDCTL_ENABLE);
	model_wait(bed->m, rxdctl, IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
}

/* `count` segments that follow each other come as they were sent. */
static void expect_untouched(struct bed *bed, const struct segment *like, uint32_t count)
{
	static struct built f;
	struct segment s = *like;

	for (uint32_t i = 0; i < count; i++) {
		s.frame.seq = FLOW_SEQ + i * s.frame.payload;
		segment_build(&f, &s);
		bed_send_built(bed, &f);
	}
	bed_go(bed, count); /* none is left */
	for (uint32_t i = 0; i < count; i++)
		expect_plain_at(bed, f.l4, FLOW_SEQ + i * s.frame.payload);
	assert_int_equal(counter(bed->m, "rx_large"), 0);
}

static const struct segment usual = {.frame = {.payload = 700}};

static void ipv6_is_not(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	expect_untouched(&bed, &(struct segment){.frame = {.ipv6 = true, .payload = 700}}, 3);
	bed_end(&bed, 0, 0);
}

static void marked_by_congestion_is_not(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	expect_untouched(&bed, &(struct segment){.frame = {.payload = 700}, .tos = 3}, 3);
	bed_end(&bed, 0, 0);
}

/* Three bytes of payload and three of padding: the next segment seems to follow the six. */
static void padding_is_no_payload(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	bed_data(&bed, FLOW_SEQ, 3);
	bed_data(&bed, FLOW_SEQ + 6, 300);
	bed_go(&bed, 32);
	expect_plain(&bed, FLOW_SEQ);
	expect_plain(&bed, FLOW_SEQ + 6);
	bed_end(&bed, 0, 0);
}

static void with_rsc_dis_nothing_is(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	restart(&bed, IXGBE_RFCTL, 0, IXGBE_RFCTL_RSC_DIS);
	expect_untouched(&bed, &usual, 3);
	bed_end(&bed, 0, 0);
}

static void without_rscen_nothing_is(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	model_clear(bed.m, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_RSCEN);
	expect_untouched(&bed, &usual, 3);
	rings_end(bed.m, 1); /* RX_RSC_LIVE */
}

/* Frames that waited in the packet buffer come to a queue as it is by then. */
static void without_rscen_since_they_came_nothing_is(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	for (uint32_t i = 0; i < 3; i++)
		bed_data(&bed, FLOW_SEQ + i * 700, 700);
	model_control_wait(bed.m, "counters", "counters.rx_frames", 3);
	model_clear(bed.m, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_RSCEN);
	bed_go(&bed, 3);
	for (uint32_t i = 0; i < 3; i++)
		expect_plain(&bed, FLOW_SEQ + i * 700);
	rings_end(bed.m, 1); /* RX_RSC_LIVE */
}

static void nfs_only_without_its_filters(void **state)
{
	const struct segment nfs = {.frame = {.payload = 700, .destination = 2049}};
	struct bed bed;

	bed_start_usual(&bed, state);
	model_clear(bed.m, IXGBE_RFCTL, IXGBE_RFCTL_NFSR_DIS);
	expect_untouched(&bed, &nfs, 3);
	model_set(bed.m, IXGBE_RFCTL, IXGBE_RFCTL_NFSR_DIS);
	for (uint32_t i = 0; i < 2; i++) {
		struct segment s = nfs;

		s.frame.seq = FLOW_SEQ + i * 700;
		bed_send(&bed, &s);
	}
	bed_go(&bed, 32);
	expect_large(&bed, FLOW_SEQ, 1400, 2);
	bed_end(&bed, 1, 2);
}

static void header_buffers_are_longer_than_the_header(void **state)
{
	struct bed bed;

	bed_start(&bed, state, 2, IXGBE_RSCCTL_MAXDESC_16,
		  IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEHEADER, 1));
	expect_untouched(&bed, &(struct segment){.frame = {.payload = 700}, .stamped = true}, 3);
	assert_int_equal(broken(&bed, "RX_RSC_HEADER"), 1);
	rings_end(bed.m, 1);
}

static void tcp_headers_are_recognized(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	restart(&bed, IXGBE_PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP, IXGBE_PSRTYPE_SPLIT_UDP);
	expect_untouched(&bed, &usual, 3);
	assert_int_equal(broken(&bed, "RX_RSC_HEADER"), 1);
	rings_end(bed.m, 1);
}

/* An interval longer than the time for the write-backs: (RSC_DELAY + 1) * 4 us. */
static void interrupts_are_moderated(void **state)
{
	static const struct {
		uint32_t at, clear, set, broken;
	} each[] = {
		{IXGBE_GPIE, 0, 0, 0},
		{IXGBE_GPIE, 0, IXGBE_FIELD_PREP(IXGBE_GPIE_RSC_DELAY, 1), 0},
		{IXGBE_GPIE, 0, IXGBE_FIELD_PREP(IXGBE_GPIE_RSC_DELAY, 2), 1},
		{IXGBE_IVAR, IXGBE_IVAR_ALLOC0_VALID, 0, 1},
		{IXGBE_AT(EITR, BED_VECTOR), IXGBE_EITR_ITR_INTERVAL, 0, 1},
		{IXGBE_AT(EITR, BED_VECTOR), IXGBE_EITR_ITR_INTERVAL,
		 IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, 2), 1},
		{IXGBE_AT(EITR, BED_VECTOR), IXGBE_EITR_ITR_INTERVAL,
		 IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, 3), 0},
	};

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		struct bed bed;

		bed_start_usual(&bed, state);
		model_write(bed.m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT);
		restart(&bed, each[i].at, each[i].clear, each[i].set);
		bed_data(&bed, FLOW_SEQ, 700);
		bed_data(&bed, FLOW_SEQ + 700, 700);
		bed_go(&bed, 32);
		expect_large(&bed, FLOW_SEQ, 1400, 2);
		if (each[i].broken)
			assert_int_equal(broken(&bed, "RX_RSC_THROTTLE"), 1);
		rings_end(bed.m, each[i].broken);
		model_restart(*state);
	}
}

static void pools_do_not_coalesce(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	restart(&bed, IXGBE_PFVTCTL, 0, IXGBE_PFVTCTL_VT_ENA);
	bed_data(&bed, FLOW_SEQ, 700);
	bed_go(&bed, 32);
	expect_plain(&bed, FLOW_SEQ);
	assert_int_equal(broken(&bed, "RX_RSC_GLOBAL"), 1);
	rings_end(bed.m, 1);
	restart(&bed, IXGBE_RFCTL, 0, IXGBE_RFCTL_RSC_DIS);
	bed_data(&bed, FLOW_SEQ, 700);
	expect_plain(&bed, FLOW_SEQ);
	rings_end(bed.m, 1);
}

static void a_whole_segment_has_room(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	restart(&bed, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_MAXDESC,
		IXGBE_FIELD_PREP(IXGBE_RSCCTL_MAXDESC, IXGBE_RSCCTL_MAXDESC_8));
	rings_end(bed.m, 0);
	restart(&bed, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_MAXDESC,
		IXGBE_FIELD_PREP(IXGBE_RSCCTL_MAXDESC, IXGBE_RSCCTL_MAXDESC_4));
	assert_int_equal(broken(&bed, "RX_RSC_MSS"), 1);
	restart(&bed, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN, 0);
	rings_end(bed.m, 1);
}

static void settings_are_static(void **state)
{
	uint32_t rscctl = ixgbe_rxq_reg(IXGBE_RSCCTL, 64);
	struct ring high;
	struct bed bed;

	bed_start_usual(&bed, state);
	model_set(bed.m, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_RSCEN); /* as it is */
	restart(&bed, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_RSCEN, 0);
	rings_end(bed.m, 0);
	model_set(bed.m, ixgbe_rxq_reg(IXGBE_RSCCTL, 0), IXGBE_RSCCTL_RSCEN);
	assert_int_equal(broken(&bed, "RX_RSC_LIVE"), 1);
	rx_open_empty(&high, bed.m, 64, 64, 2, 0);
	model_set(bed.m, rscctl, IXGBE_RSCCTL_RSCEN);
	assert_int_equal(broken(&bed, "RX_RSC_LIVE"), 2);
	model_set(bed.m, IXGBE_RFCTL, IXGBE_RFCTL_RSC_DIS);
	model_set(bed.m, IXGBE_RFCTL, IXGBE_RFCTL_NFSW_DIS); /* filters, not coalescing */
	assert_int_equal(broken(&bed, "RX_RSC_LIVE"), 3);
	rings_end(bed.m, 3);
}

/* What a queue was judged by when it went on is judged again when it changes. */
static void settings_stay_right(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	model_write(bed.m, IXGBE_PSRTYPE,
		    model_read(bed.m, IXGBE_PSRTYPE) | IXGBE_PSRTYPE_SPLIT_UDP);
	model_write(bed.m, IXGBE_AT(PSRTYPE, 1), IXGBE_PSRTYPE_SPLIT_TCP); /* of pools */
	model_write(bed.m, IXGBE_AT(PSRTYPE, 1), 0);
	rings_end(bed.m, 0);
	model_clear(bed.m, IXGBE_PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP);
	assert_int_equal(broken(&bed, "RX_RSC_HEADER"), 1);
	rings_end(bed.m, 1);
	model_restart(*state);
	/* One buffer for a whole segment: of 1,518 bytes, then of more. */
	bed_start(&bed, state, 2, IXGBE_RSCCTL_MAXDESC_1, 0);
	json_decref(model_control(bed.m, "violations zero"));
	model_write(bed.m, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 1518));
	rings_end(bed.m, 0);
	model_write(bed.m, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 4000));
	assert_int_equal(broken(&bed, "RX_RSC_MSS"), 1);
	rings_end(bed.m, 1);
}

/* The interval and the delay may change: the next frame shows whether they still agree. */
static void moderation_may_change(void **state)
{
	const uint32_t eitr = IXGBE_AT(EITR, BED_VECTOR);
	struct bed bed;

	bed_start_usual(&bed, state);
	model_write(bed.m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT);
	bed_go(&bed, 32);
	bed_data(&bed, FLOW_SEQ, 700);
	expect_plain(&bed, FLOW_SEQ);
	model_write(bed.m, eitr, IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, 3));
	bed_data(&bed, FLOW_SEQ + 700, 700);
	expect_plain(&bed, FLOW_SEQ + 700);
	rings_end(bed.m, 0);
	model_write(bed.m, eitr, IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, 2));
	rings_end(bed.m, 0);
	for (uint32_t i = 2; i < 4; i++) {
		bed_data(&bed, FLOW_SEQ + i * 700, 700);
		expect_plain(&bed, FLOW_SEQ + i * 700);
		assert_int_equal(broken(&bed, "RX_RSC_THROTTLE"), 1);
	}
	rings_end(bed.m, 1);
}

static void with_crc_nothing_is(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	model_clear(bed.m, IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP);
	expect_untouched(&bed, &usual, 3);
	assert_int_equal(counter(bed.m, "rx_delivered"), 3);
	assert_int_equal(broken(&bed, "RX_RSC_GLOBAL"), 1);
}

static void small_buffers_break_a_rule(void **state)
{
	struct bed bed;

	bed_start(&bed, state, 1, IXGBE_RSCCTL_MAXDESC_16, 0);
	expect_untouched(&bed, &usual, 3);
	assert_int_equal(broken(&bed, "RX_RSC_SETUP"), 1);
}

static void fragments_pass_by(void **state)
{
	static struct built f;
	struct bed bed;

	bed_start_usual(&bed, state);
	bed_data(&bed, FLOW_SEQ, 500);
	segment_build(&f,
		      &(struct segment){.frame = {.seq = 1, .payload = 300, .fragment = 0x2000}});
	bed_send_built(&bed, &f);
	bed_data(&bed, FLOW_SEQ + 500, 500);
	bed_go(&bed, 32);
	expect_large(&bed, FLOW_SEQ, 1000, 2);
	expect_plain(&bed, 1);
	bed_end(&bed, 1, 2);
}

/* ---- Turns, interrupts, resets ---- */

/* When the message comes, all that it is about is there. */
static void closed_before_the_interrupt(void **state)
{
	struct bed bed;
	struct model *m;

	bed_start_usual(&bed, state);
	m = bed.m;
	model_write(m, IXGBE_EIAC, 0x0000ffff);
	model_write(m, IXGBE_EIMS, 0x0000ffff);
	for (uint32_t i = 0; i < 3; i++)
		bed_data(&bed, FLOW_SEQ + i * 1000, 1000);
	bed_go(&bed, 32);
	assert_true(model_irq_wait(m, BED_VECTOR));
	for (uint32_t i = 0; i < 2; i++) {
		const uint64_t *at = (const void *)(bed.ring.desc.addr + i * IXGBE_DESC_BYTES);

		assert_true(at[1] & IXGBE_RXD_STAT_DD);
	}
	assert_false(model_irq_pending(m, BED_VECTOR));
	expect_large(&bed, FLOW_SEQ, 3000, 3);
	bed_end(&bed, 1, 3);
}

/* Without anything that follows, a frame does not wait. */
static void nothing_waits_for_a_next_one(void **state)
{
	struct bed bed;

	bed_start_usual(&bed, state);
	rx_give(&bed.ring, 32);
	for (uint32_t i = 0; i < 3; i++) {
		bed_data(&bed, FLOW_SEQ + i * 1000, 1000);
		expect_plain(&bed, FLOW_SEQ + i * 1000);
	}
	bed_end(&bed, 0, 0);
}

static void find_counter(void *ctx, const char *name, uint64_t value)
{
	if (strcmp(name, "rx_drop_reset") == 0)
		*(uint64_t *)ctx = value;
}

/* In the middle of a turn, which no client can reach: the state itself. */
static void a_reset_forgets_what_is_open(void **state)
{
	static struct built f;
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct frame frame = {.head = f.data};
	struct model_dma memory;
	struct nic *nic = NULL;
	uint64_t dropped = 0;
	int fd = memfd_create("rsc", MFD_CLOEXEC);

	(void)state;
	memory.iova = 0x100000;
	assert_true(fd >= 0 && ftruncate(fd, 0x10000) == 0);
	assert_int_equal(nic_new(mac, &nic), 0);
	memory_enable(nic->memory, true);
	assert_int_equal(memory_map(nic->memory, memory.iova, 0x10000,
				    MEMORY_READABLE | MEMORY_WRITABLE, fd, 0),
			 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(
			memory_write(nic, memory.iova + i * 16,
				     (const uint64_t[]){memory.iova + 0x1000 + i * 2048, 0}, 16),
			0);
	regfile_write(nic, IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_LPBK);
	regfile_write(nic, IXGBE_FCTRL, IXGBE_FCTRL_UPE);
	regfile_write(nic, IXGBE_PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP);
	regfile_write(nic, IXGBE_RSCCTL, IXGBE_RSCCTL_RSCEN | IXGBE_RSCCTL_MAXDESC);
	regfile_write(nic, IXGBE_SRRCTL, 2 | 4 << 8 | 1 << 25);
	regfile_write(nic, IXGBE_RDBAL, (uint32_t)memory.iova);
	regfile_write(nic, IXGBE_RDLEN, 128);
	regfile_write(nic, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	regfile_write(nic, IXGBE_RDT, 7);
	regfile_write(nic, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	frame.looped = true;
	for (uint32_t i = 0; i < 3; i++) {
		segment_build(&f, &(struct segment){.frame = {.seq = i * 500, .payload = 500}});
		frame.head_len = f.len;
		receive_frame(nic, &frame);
	}
	assert_int_equal(nic->data->rsc_open, 1);
	data_reset(nic);
	assert_int_equal(nic->data->rsc_open, 0);
	data_counters(nic, find_counter, &dropped);
	assert_int_equal(dropped, 3);
	nic_free(nic);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(the_oldest_makes_room),
		TEST(fourteen_begin_in_a_buffer),
		TEST(maxdesc_1_of_2k),
		TEST(maxdesc_4_of_2k),
		TEST(maxdesc_8_of_2k),
		TEST(maxdesc_16_of_2k),
		TEST(maxdesc_16_of_3k),
		TEST(maxdesc_1_of_4k),
		TEST(maxdesc_4_of_4k),
		TEST(maxdesc_8_of_4k),
		TEST(maxdesc_16_of_4k),
		TEST(maxdesc_16_of_16k),
		TEST(the_ring_runs_out),
		TEST(a_reset_drops_what_waits),
		TEST(a_buffer_that_is_not_there_costs_its_frame),
		TEST(ipv6_is_not),
		TEST(marked_by_congestion_is_not),
		TEST(padding_is_no_payload),
		TEST(with_rsc_dis_nothing_is),
		TEST(without_rscen_nothing_is),
		TEST(without_rscen_since_they_came_nothing_is),
		TEST(nfs_only_without_its_filters),
		TEST(header_buffers_are_longer_than_the_header),
		TEST(tcp_headers_are_recognized),
		TEST(interrupts_are_moderated),
		TEST(pools_do_not_coalesce),
		TEST(a_whole_segment_has_room),
		TEST(settings_are_static),
		TEST(settings_stay_right),
		TEST(moderation_may_change),
		TEST(with_crc_nothing_is),
		TEST(small_buffers_break_a_rule),
		TEST(fragments_pass_by),
		TEST(closed_before_the_interrupt),
		TEST(nothing_waits_for_a_next_one),
		cmocka_unit_test(a_reset_forgets_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
