/* SPDX-License-Identifier: MIT */
/* The receive ring, with the test as an honest and as a hostile NIC. */
#include "ring_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RING    64u
#define BUFFERS 160u
#define DD      IXGBE_RXD_STAT_DD
#define EOP     IXGBE_RXD_STAT_EOP

struct bed {
	struct rig *rig;
	struct ixgbe_pool *pool;
	struct ixgbe_rxq *rxq;
	struct ixgbe_seg seg[256];
};

static void bed_start(struct bed *bed, bool doorbells, bool vlan_strip)
{
	bed->rig = rig_new(RING);
	bed->rig->doorbells = doorbells;
	bed->rig->nic.options.rx_vlan_strip = vlan_strip;
	assert_int_equal(ixgbe_pool_new(&bed->rig->nic, BUFFERS, 64 + 2048, 64, &bed->pool), 0);
	assert_int_equal(rig_rxq_new(bed->rig, 0), 0);
	bed->rxq = bed->rig->nic.rxq[0];
	assert_int_equal(rings_receive_start(&bed->rig->nic, &bed->pool, NULL), 0);
}

static void bed_stop(struct bed *bed)
{
	assert_int_equal(rings_receive_stop(&bed->rig->nic), 0);
	assert_int_equal(ixgbe_pool_available(bed->pool), BUFFERS); /* none is lost */
	ixgbe_pool_free(bed->pool);
	rig_free(bed->rig);
}

static uint64_t errors(const struct bed *bed)
{
	return rxq_counters(bed->rxq)->errors;
}

/* Receives, checks what must hold for every burst, and frees the segments. */
static uint32_t burst(struct bed *bed, uint32_t max)
{
	uint32_t n = ixgbe_rx_burst(bed->rxq, bed->seg, max);

	assert_true(n <= max);
	if (n > 0)
		assert_true(bed->seg[n - 1].flags & IXGBE_SEG_EOP);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(bed->seg[i].offset, 64);
		assert_true(bed->seg[i].len >= 1 && bed->seg[i].len <= 2048);
		ixgbe_buf_put(bed->seg[i].buf);
	}
	return n;
}

/* ---- Set-up ---- */

static void the_queue_is_programmed(void **state)
{
	struct bed *bed = *state;
	struct rig *rig = bed->rig;
	const uint32_t *reg = rig->reg;

	assert_int_equal(reg[ixgbe_rxq_reg(IXGBE_RDLEN, 0) / 4], RING * 16);
	assert_int_equal(reg[ixgbe_rxq_reg(IXGBE_RDBAL, 0) / 4] % IXGBE_RING_ALIGN_BYTES, 0);
	assert_int_equal(reg[ixgbe_rxq_reg(IXGBE_SRRCTL, 0) / 4], 0x02000002); /* advanced, 2 KiB */
	assert_int_equal(reg[ixgbe_rxq_reg(IXGBE_RXDCTL, 0) / 4], IXGBE_RXDCTL_ENABLE);
	assert_int_equal(reg[ixgbe_rxq_reg(IXGBE_DCA_RXCTRL, 0) / 4] & 0x1800, 0);
	assert_int_equal(rig_rx_room(rig), RING - 1);
	/* The tail is bumped after the enable, and last. */
	assert_int_equal(rig->write[rig->writes - 1].offset, ixgbe_rxq_reg(IXGBE_RDT, 0));
	assert_int_equal(rig->write[rig->writes - 2].offset, ixgbe_rxq_reg(IXGBE_RXDCTL, 0));
	for (uint32_t i = 0; i < RING - 1; i++) {
		rig_at(rig, rig_rx_desc(rig, i)->qword[0], 2048);
		assert_int_equal(rig_rx_desc(rig, i)->qword[1], 0);
	}
}

static void several_queues_drop_and_vlan_strips(void **state)
{
	struct rig *rig = rig_new(RING);
	struct ixgbe_pool *pool[2];

	(void)state;
	rig->nic.options.queues = 2;
	rig->nic.options.rx_vlan_strip = true;
	for (uint16_t q = 0; q < 2; q++) {
		assert_int_equal(ixgbe_pool_new(&rig->nic, BUFFERS, 64 + 4000, 64, &pool[q]), 0);
		assert_int_equal(rig_rxq_new(rig, q), 0);
	}
	assert_int_equal(rings_receive_start(&rig->nic, pool, NULL), 0);
	/* Rounded down to 1 KiB. */
	assert_int_equal(rig->reg[ixgbe_rxq_reg(IXGBE_SRRCTL, 1) / 4],
			 0x02000003 | IXGBE_SRRCTL_DROP_EN);
	assert_int_equal(rig->reg[ixgbe_rxq_reg(IXGBE_RXDCTL, 1) / 4],
			 IXGBE_RXDCTL_ENABLE | IXGBE_RXDCTL_VME);
	rings_receive_stop(&rig->nic);
	for (uint16_t q = 0; q < 2; q++)
		ixgbe_pool_free(pool[q]);
	rig_free(rig);
}

static void a_bad_pool_and_a_dead_queue_are_refused(void **state)
{
	struct rig *rig = rig_new(RING);
	struct ixgbe *nic = &rig->nic;
	struct ixgbe_pool *pool;

	(void)state;
	assert_int_equal(rig_rxq_new(rig, 0), 0);
	assert_int_equal(ixgbe_pool_new(nic, BUFFERS, 64 + 2047, 64, &pool), 0);
	assert_int_equal(rings_receive_start(nic, &pool, NULL), -EINVAL); /* small buffers */
	ixgbe_pool_free(pool);
	assert_int_equal(ixgbe_pool_new(nic, RING, 64 + 2048, 64, &pool), 0);
	assert_int_equal(rings_receive_start(nic, &pool, NULL), -EINVAL); /* too few */
	ixgbe_pool_free(pool);

	assert_int_equal(ixgbe_pool_new(nic, RING + 1, 64 + 2048, 64, &pool), 0);
	rig->queues_stuck = true;
	assert_int_equal(rings_receive_start(nic, &pool, NULL), -ETIMEDOUT);
	assert_int_equal(rig->reg[ixgbe_rxq_reg(IXGBE_RDT, 0) / 4], 0); /* tail untouched */
	assert_int_equal(ixgbe_pool_available(pool), RING + 1);
	rig->queues_stuck = false;
	assert_int_equal(rings_receive_start(nic, &pool, NULL), 0);
	rig->queues_stuck = true; /* and will not stop: the buffers are back even so */
	assert_int_equal(rings_receive_stop(nic), -ETIMEDOUT);
	assert_int_equal(ixgbe_pool_available(pool), RING + 1);
	ixgbe_pool_free(pool);

	rig->map_error = -ENOMEM;
	assert_int_equal(rig_rxq_new(rig, 1), -ENOMEM);
	assert_null(nic->rxq[1]);
	rig_free(rig);
}

/* ---- Honest frames ---- */

static void frames_arrive_in_order_and_wrap(void **state)
{
	struct bed *bed = *state;
	uint8_t sent = 0, got = 0;

	for (int round = 0; round < 200; round++) {
		uint32_t batch = 1 + (uint32_t)round % 31, n;

		assert_true(rig_rx_room(bed->rig) >= batch);
		for (uint32_t i = 0; i < batch; i++, sent++)
			rig_rx_frame(bed->rig, (uint16_t)(60 + sent), sent);
		assert_true(ixgbe_rx_pending(bed->rxq));
		n = burst(bed, 256);
		assert_int_equal(n, batch);
		for (uint32_t i = 0; i < n; i++, got++) {
			assert_int_equal(bed->seg[i].len, 60 + got);
			assert_int_equal(bed->seg[i].buf->data[64], got);
			assert_int_equal(bed->seg[i].flags, IXGBE_SEG_EOP);
		}
		assert_false(ixgbe_rx_pending(bed->rxq));
	}
	assert_int_equal(errors(bed), 0);
}

static void a_burst_keeps_to_its_limit(void **state)
{
	struct bed *bed = *state;

	for (uint32_t i = 0; i < 40; i++)
		rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 0), 0);
	assert_int_equal(burst(bed, 1), 1);
	assert_int_equal(burst(bed, 32), 32);
	assert_int_equal(burst(bed, 32), 7);
	assert_int_equal(burst(bed, 32), 0);
	assert_int_equal(rxq_counters(bed->rxq)->packets, 40);
	assert_int_equal(rxq_counters(bed->rxq)->bytes, 40 * 60);
}

static void the_tail_is_written_once_per_batch(void **state)
{
	struct bed *bed = *state;
	uint32_t before = rig_written(bed->rig, ixgbe_rxq_reg(IXGBE_RDT, 0));

	for (uint32_t i = 0; i < 31; i++) {
		rig_rx_frame(bed->rig, 60, 0);
		assert_int_equal(burst(bed, 8), 1);
	}
	assert_int_equal(rig_written(bed->rig, ixgbe_rxq_reg(IXGBE_RDT, 0)), before);
	rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 8), 1);
	assert_int_equal(rig_written(bed->rig, ixgbe_rxq_reg(IXGBE_RDT, 0)), before + 1);
	assert_int_equal(rig_rx_room(bed->rig), RING - 1);
}

static void doorbells_in_memory_are_used(void **state)
{
	struct bed bed = {0};

	(void)state;
	bed_start(&bed, true, false);
	assert_int_equal(rig_rx_room(bed.rig), RING - 1);
	for (uint32_t i = 0; i < 200; i++) {
		rig_rx_frame(bed.rig, 60, 0);
		assert_int_equal(burst(&bed, 8), 1);
	}
	/* Only the set-up wrote the register as a register. */
	assert_int_equal(rig_written(bed.rig, ixgbe_rxq_reg(IXGBE_RDT, 0)), 1);
	bed_stop(&bed);
}

static void jumbo(struct bed *bed, uint32_t descs, uint16_t last)
{
	for (uint32_t i = 0; i < descs - 1; i++)
		rig_rx(bed->rig, 0, 0, DD, 2048, 0, (uint8_t)i);
	rig_rx(bed->rig, 0, 0, DD | EOP, last, 0, (uint8_t)(descs - 1));
}

static void jumbo_frames_come_whole(void **state)
{
	struct bed *bed = *state;
	uint32_t n;

	/* Half of it is not a frame, and does not block what comes later. */
	rig_rx_frame(bed->rig, 60, 0);
	rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0);
	rig_rx(bed->rig, 0, 0, DD, 2048, 0, 1);
	assert_int_equal(burst(bed, 32), 1);
	assert_int_equal(burst(bed, 32), 0);
	rig_rx(bed->rig, IXGBE_RXD_TYPE_IPV4, 0, DD | EOP | IXGBE_RXD_STAT_IPCS, 100, 0, 2);
	rig_rx_frame(bed->rig, 61, 3);
	n = burst(bed, 32);
	assert_int_equal(n, 4);
	assert_int_equal(bed->seg[0].flags, IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD);
	assert_int_equal(bed->seg[0].len, 2048);
	assert_int_equal(bed->seg[1].flags, 0);
	assert_int_equal(bed->seg[2].flags, IXGBE_SEG_EOP | IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD);
	assert_int_equal(bed->seg[2].len, 100);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(bed->seg[i].buf->data[64], i);
	assert_int_equal(rxq_counters(bed->rxq)->packets, 3);
	assert_int_equal(rxq_counters(bed->rxq)->bytes, 60 + 4196 + 61);

	/* The longest, at every place of the ring. */
	for (uint32_t i = 0; i < 3 * RING; i++) {
		jumbo(bed, 5, 9732 - 4 * 2048);
		assert_int_equal(burst(bed, 5), 5);
	}
	/* A frame that does not fit behind another waits for the next burst. */
	rig_rx_frame(bed->rig, 60, 0);
	jumbo(bed, 3, 10);
	assert_int_equal(burst(bed, 3), 1);
	assert_int_equal(burst(bed, 3), 3);
	assert_int_equal(errors(bed), 0);
}

static void overlong_frames_are_dropped_once(void **state)
{
	struct bed *bed = *state;

	/* More segments than the caller takes. */
	jumbo(bed, 5, 10);
	rig_rx_frame(bed->rig, 77, 9);
	assert_int_equal(burst(bed, 4), 1);
	assert_int_equal(bed->seg[0].len, 77);
	assert_int_equal(errors(bed), 1);
	/* Exactly as many. */
	jumbo(bed, 4, 10);
	assert_int_equal(burst(bed, 4), 4);
	assert_int_equal(errors(bed), 1);
	/* Longer than any frame, by one byte. */
	jumbo(bed, 5, 9733 - 4 * 2048);
	rig_rx_frame(bed->rig, 77, 9);
	assert_int_equal(burst(bed, 32), 1);
	assert_int_equal(errors(bed), 2);
	/* Its end comes later. */
	for (int i = 0; i < 6; i++)
		rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0);
	assert_int_equal(burst(bed, 32), 0);
	assert_int_equal(errors(bed), 3); /* at once: it does not fill the ring */
	assert_int_equal(burst(bed, 32), 0);
	rig_rx(bed->rig, 0, 0, DD | EOP, 1, 0, 0);
	rig_rx_frame(bed->rig, 78, 9);
	assert_int_equal(burst(bed, 32), 1);
	assert_int_equal(bed->seg[0].len, 78);
	assert_int_equal(errors(bed), 3);
}

/* ---- What the NIC says of a frame ---- */

static void checksums_types_and_hash(void **state)
{
	enum {
		V4 = IXGBE_RXD_TYPE_IPV4,
		V6 = IXGBE_RXD_TYPE_IPV6,
		TCP = IXGBE_RXD_TYPE_TCP,
		UDP = IXGBE_RXD_TYPE_UDP,
		SCTP = IXGBE_RXD_TYPE_SCTP,
		IPCS = IXGBE_RXD_STAT_IPCS,
		L4I = IXGBE_RXD_STAT_L4I,
	};
	const uint32_t IPE = IXGBE_RXD_ERR_IPE, L4E = IXGBE_RXD_ERR_L4E;
	const struct {
		uint32_t info, status, flags;
	} row[] = {
		{0, 0, 0},
		{V4 | TCP, IPCS | L4I,
		 IXGBE_RX_IPV4 | IXGBE_RX_TCP | IXGBE_RX_IP_GOOD | IXGBE_RX_L4_GOOD},
		{V4 | UDP, IPCS | L4I,
		 IXGBE_RX_IPV4 | IXGBE_RX_UDP | IXGBE_RX_IP_GOOD | IXGBE_RX_L4_GOOD},
		{V6 | TCP, L4I, IXGBE_RX_IPV6 | IXGBE_RX_TCP | IXGBE_RX_L4_GOOD},
		{V6 | UDP, L4I, IXGBE_RX_IPV6 | IXGBE_RX_UDP | IXGBE_RX_L4_GOOD},
		{IXGBE_RXD_TYPE_IPV4E, IPCS, IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD},
		{IXGBE_RXD_TYPE_IPV6E, 0, IXGBE_RX_IPV6},
		/* Errors count only where a check was made. */
		{V4 | TCP, IPE | L4E, IXGBE_RX_IPV4 | IXGBE_RX_TCP},
		{V4 | TCP, IPCS | IPE, IXGBE_RX_IPV4 | IXGBE_RX_TCP | IXGBE_RX_IP_BAD},
		{V4 | TCP, IPCS | L4I | L4E,
		 IXGBE_RX_IPV4 | IXGBE_RX_TCP | IXGBE_RX_IP_GOOD | IXGBE_RX_L4_BAD},
		{V6 | TCP, L4I | L4E, IXGBE_RX_IPV6 | IXGBE_RX_TCP | IXGBE_RX_L4_BAD},
		/* ERRATUM(fragment-ip): without a known layer 4 it may be a fragment. */
		{V4, IPCS | IPE, IXGBE_RX_IPV4},
		{IXGBE_RXD_TYPE_IPV4E, IPCS | IPE, IXGBE_RX_IPV4},
		{V4 | SCTP, IPCS | IPE, IXGBE_RX_IPV4},
		{V4 | UDP, IPCS | IPE, IXGBE_RX_IPV4 | IXGBE_RX_UDP | IXGBE_RX_IP_BAD},
		/* ERRATUM(udp-zero): nothing is known. */
		{V4 | UDP, IPCS | L4I | L4E, IXGBE_RX_IPV4 | IXGBE_RX_UDP | IXGBE_RX_IP_GOOD},
		{V6 | UDP, L4I | L4E, IXGBE_RX_IPV6 | IXGBE_RX_UDP},
		/* A check of a header that is not there is no check. */
		{V6, IPCS | L4I, IXGBE_RX_IPV6},
		{V4 | SCTP, IPCS | L4I, IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD},
		{0, IPCS | L4I | IPE | L4E, 0},
		/* An EtherType filter's number is no type. */
		{IXGBE_RXD_TYPE_ETQF | V4 | V6 | TCP, IPCS | L4I, 0},
		{V4 | IXGBE_RXD_RSS_IPV4, IPCS, IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD | IXGBE_RX_RSS},
		/* Tags are not stripped here. */
		{0, IXGBE_RXD_STAT_VP, 0},
	};
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint32_t hash = 0xabcd0000u + (uint32_t)i;

		rig_rx(bed->rig, row[i].info, hash, DD | EOP | row[i].status, 60, 0x123, 0);
		assert_int_equal(burst(bed, 8), 1);
		if (bed->seg[0].flags != (IXGBE_SEG_EOP | row[i].flags))
			fail_msg("row %zu: flags %#x", i, bed->seg[0].flags);
		assert_int_equal(bed->seg[0].rss_hash, hash);
	}
	assert_int_equal(rxq_counters(bed->rxq)->csum_errors, 4);
	assert_int_equal(errors(bed), 0);
}

/* Wherever a frame stands in its burst, and of however many descriptors it is. */
static void each_bad_checksum_is_counted(void **state)
{
	const uint32_t tcp4 = IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP;
	const uint32_t bad = DD | EOP | IXGBE_RXD_STAT_IPCS | IXGBE_RXD_ERR_IPE;
	struct bed *bed = *state;

	rig_rx(bed->rig, tcp4, 0, bad, 60, 0, 0);
	rig_rx_frame(bed->rig, 60, 0);
	rig_rx(bed->rig, tcp4, 0, DD, 2048, 0, 0);
	rig_rx(bed->rig, tcp4, 0, bad, 60, 0, 0);
	rig_rx(bed->rig, tcp4, 0, bad, 60, 0, 0);
	rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 32), 6);
	assert_int_equal(rxq_counters(bed->rxq)->csum_errors, 3);
	assert_int_equal(rxq_counters(bed->rxq)->packets, 5);
}

static void stripped_tags_are_reported(void **state)
{
	struct bed bed = {0};

	(void)state;
	bed_start(&bed, false, true);
	rig_rx(bed.rig, 0, 0, DD | EOP | IXGBE_RXD_STAT_VP, 60, 0xe123, 0);
	rig_rx(bed.rig, 0, 0, DD | EOP, 60, 0xe123, 0);
	assert_int_equal(burst(&bed, 8), 2);
	assert_int_equal(bed.seg[0].flags, IXGBE_SEG_EOP | IXGBE_SEG_VLAN);
	assert_int_equal(bed.seg[0].vlan, 0xe123);
	assert_int_equal(bed.seg[1].flags, IXGBE_SEG_EOP);
	bed_stop(&bed);
}

/* ---- Hostile write-backs ---- */

static void descriptors_without_sense_are_dropped(void **state)
{
	struct bed *bed = *state;

	rig_rx(bed->rig, 0, 0, DD | EOP, 2049, 0, 0); /* longer than the buffer */
	rig_rx(bed->rig, 0, 0, DD | EOP, 0xffff, 0, 0);
	rig_rx(bed->rig, 0, 0, DD | EOP, 0, 0, 0); /* empty */
	rig_rx(bed->rig, 0, 0, DD | EOP | IXGBE_RXD_ERR_RXE, 60, 0, 0);
	rig_rx(bed->rig, 0, 0, DD, 2049, 0, 0); /* within a frame of two */
	rig_rx(bed->rig, 0, 0, DD | EOP, 60, 0, 0);
	rig_rx(bed->rig, 0, 0, DD, 60, 0, 0);
	rig_rx(bed->rig, 0, 0, DD | EOP, 0, 0, 0);
	rig_rx_frame(bed->rig, 61, 0);
	assert_int_equal(burst(bed, 32), 1);
	assert_int_equal(bed->seg[0].len, 61);
	assert_int_equal(errors(bed), 6);
	assert_int_equal(rxq_counters(bed->rxq)->packets, 1);
}

static void a_frame_without_end_does_not_stop_the_ring(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < 1000; i++) {
		while (rig_rx_room(bed->rig) > 0)
			rig_rx(bed->rig, 0, 0, DD, 1, 0, 0);
		assert_int_equal(burst(bed, 32), 0);
	}
	assert_int_equal(errors(bed), 1);
	rig_rx(bed->rig, 0, 0, DD | EOP, 1, 0, 0);
	rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 32), 1);
}

static void a_frame_of_all_descriptors_is_dropped(void **state)
{
	struct bed *bed = *state;

	/* The caller would take it, but the NIC can get no descriptor for its end. */
	while (rig_rx_room(bed->rig) > 0)
		rig_rx(bed->rig, 0, 0, DD, 1, 0, 0);
	assert_int_equal(burst(bed, 256), 0);
	assert_int_equal(errors(bed), 1);
	assert_int_equal(rig_rx_room(bed->rig), RING - 1);
	rig_rx(bed->rig, 0, 0, DD | EOP, 1, 0, 0);
	rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 256), 1);
}

static void flapping_descriptors_lose_no_buffer(void **state)
{
	struct bed *bed = *state;

	/* Done, undone, done: between the bursts of a frame that is not complete. */
	rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0);
	rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0);
	assert_int_equal(burst(bed, 32), 0);
	rig_rx_desc(bed->rig, 0)->dword[2] = 0;
	assert_int_equal(burst(bed, 32), 0);
	assert_false(ixgbe_rx_pending(bed->rxq));
	rig_rx_desc(bed->rig, 0)->dword[2] = DD | EOP;
	assert_int_equal(burst(bed, 32), 1);
	rig_rx_desc(bed->rig, 1)->dword[2] = DD | EOP;
	assert_int_equal(burst(bed, 32), 1);

	/* Everything done, everywhere, whoever owns it. */
	for (uint32_t i = 0; i < RING; i++) {
		rig_rx_desc(bed->rig, i)->dword[2] = DD | EOP;
		rig_rx_desc(bed->rig, i)->dword[3] = 60;
	}
	assert_int_equal(burst(bed, 256), RING - 3);
}

static void random_write_backs_lose_no_buffer(void **state)
{
	struct bed *bed = *state;

	srandom(82599);
	for (int round = 0; round < 20000; round++) {
		union ixgbe_desc *desc = rig_rx_desc(bed->rig, (uint32_t)random() % RING);

		desc->qword[0] = (uint64_t)random() << 32 ^ (uint64_t)random();
		desc->qword[1] = (uint64_t)random() << 33 ^ (uint64_t)random() << 3;
		if (random() % 2)
			desc->dword[2] |= DD;
		if (random() % 4)
			desc->dword[3] &= 0xffff07ff;
		burst(bed, (uint32_t)random() % 40);
	}
}

/* Half a frame is no work: who waits for work must not be told that there is some. */
static void pending_is_what_a_burst_moves(void **state)
{
	struct bed *bed = *state;
	const uint32_t *rdt = &bed->rig->reg[ixgbe_rxq_reg(IXGBE_RDT, 0) / 4];
	uint32_t moves = 0, halves = 0;

	rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0);
	assert_false(ixgbe_rx_pending(bed->rxq));
	assert_true(ixgbe_rx_unfinished(bed->rxq));
	assert_int_equal(burst(bed, 32), 0);
	rig_rx(bed->rig, 0, 0, DD | EOP, 1, 0, 0);
	assert_true(ixgbe_rx_pending(bed->rxq));
	assert_false(ixgbe_rx_unfinished(bed->rxq));
	assert_int_equal(burst(bed, 32), 2);
	assert_false(ixgbe_rx_pending(bed->rxq));
	assert_false(ixgbe_rx_unfinished(bed->rxq));

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		const uint32_t free = ixgbe_pool_available(bed->pool), tail = *rdt;
		const bool pending = ixgbe_rx_pending(bed->rxq);
		const bool half = ixgbe_rx_unfinished(bed->rxq);
		const uint32_t taken = burst(bed, 5);
		const bool moved =
			taken > 0 || *rdt != tail || ixgbe_pool_available(bed->pool) != free;

		assert_int_equal(pending, moved);
		assert_false(pending && half);
		moves += moved;
		halves += half;
		if (random() % 3 && rig_rx_room(bed->rig) > 0)
			rig_rx(bed->rig, 0, 0, random() % 4 ? DD : DD | EOP,
			       (uint16_t)(random() % 3 * 2048), 0, 0);
	}
	assert_true(moves > 1000 && halves > 1000);
}

/* So few buffers are missing that the ring is not refilled. */
static void a_frame_without_end_in_a_part_of_the_ring_is_dropped(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < 20; i++)
		rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 256), 20);
	while (rig_rx_room(bed->rig) > 0)
		rig_rx(bed->rig, 0, 0, DD, 1, 0, 0);
	assert_true(ixgbe_rx_pending(bed->rxq));
	assert_int_equal(burst(bed, 256), 0);
	assert_int_equal(errors(bed), 1);
	rig_rx(bed->rig, 0, 0, DD | EOP, 1, 0, 0);
	rig_rx_frame(bed->rig, 60, 0);
	assert_int_equal(burst(bed, 256), 1);
}

/* ---- The pool runs dry ---- */

static void the_ring_shrinks_and_recovers(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg held[BUFFERS] = {0};
	uint32_t n = 0, got;

	/* Take frames and keep their buffers, until the NIC has none left. */
	while (rig_rx_room(bed->rig) > 0) {
		rig_rx_frame(bed->rig, 60, 0);
		n += ixgbe_rx_burst(bed->rxq, &held[n], BUFFERS - n);
	}
	assert_int_equal(n, BUFFERS);
	assert_int_equal(ixgbe_pool_available(bed->pool), 0);
	assert_true(rxq_counters(bed->rxq)->alloc_failed > 0);
	/* Stale write-backs are in the ring; none is taken for a frame. */
	assert_false(ixgbe_rx_pending(bed->rxq));
	assert_int_equal(ixgbe_rx_burst(bed->rxq, bed->seg, 32), 0);

	/* One comes back: the ring holds one. */
	ixgbe_buf_put(held[--n].buf);
	assert_int_equal(ixgbe_rx_burst(bed->rxq, bed->seg, 32), 0);
	assert_int_equal(rig_rx_room(bed->rig), 1);
	/* Half a frame in it is not completed by what lies behind. */
	rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0);
	assert_int_equal(ixgbe_rx_burst(bed->rxq, &held[n], 32), 0);
	rig_rx_desc(bed->rig, (bed->rig->reg[ixgbe_rxq_reg(IXGBE_RDH, 0) / 4] + RING - 1) % RING)
		->dword[2] |= EOP;
	got = ixgbe_rx_burst(bed->rxq, &held[n], 32);
	assert_int_equal(got, 1);
	n += got;

	while (n > 0)
		ixgbe_buf_put(held[--n].buf);
	assert_int_equal(burst(bed, 32), 0);
	assert_int_equal(rig_rx_room(bed->rig), RING - 1);
	for (uint32_t i = 0; i < 3 * RING; i++) {
		rig_rx_frame(bed->rig, 60, 0);
		assert_int_equal(burst(bed, 32), 1);
	}
}

static void a_queue_can_be_started_again(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 10; k++)
			rig_rx_frame(bed->rig, 60, 0);
		rig_rx(bed->rig, 0, 0, DD, 2048, 0, 0); /* and half a frame */
		assert_int_equal(burst(bed, 4), 4);
		assert_int_equal(rings_receive_stop(&bed->rig->nic), 0);
		assert_int_equal(ixgbe_pool_available(bed->pool), BUFFERS);
		assert_false(ixgbe_rx_pending(bed->rxq));
		assert_int_equal(burst(bed, 4), 0);
		assert_int_equal(rings_receive_start(&bed->rig->nic, &bed->pool, NULL), 0);
	}
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bed));
	bed_start(*state, false, false);
	return 0;
}

static int teardown(void **state)
{
	bed_stop(*state);
	free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_queue_is_programmed),
		cmocka_unit_test(several_queues_drop_and_vlan_strips),
		cmocka_unit_test(a_bad_pool_and_a_dead_queue_are_refused),
		TEST(frames_arrive_in_order_and_wrap),
		TEST(a_burst_keeps_to_its_limit),
		TEST(the_tail_is_written_once_per_batch),
		cmocka_unit_test(doorbells_in_memory_are_used),
		TEST(jumbo_frames_come_whole),
		TEST(overlong_frames_are_dropped_once),
		TEST(checksums_types_and_hash),
		TEST(each_bad_checksum_is_counted),
		cmocka_unit_test(stripped_tags_are_reported),
		TEST(descriptors_without_sense_are_dropped),
		TEST(a_frame_without_end_does_not_stop_the_ring),
		TEST(a_frame_of_all_descriptors_is_dropped),
		TEST(flapping_descriptors_lose_no_buffer),
		TEST(random_write_backs_lose_no_buffer),
		TEST(pending_is_what_a_burst_moves),
		TEST(a_frame_without_end_in_a_part_of_the_ring_is_dropped),
		TEST(the_ring_shrinks_and_recovers),
		TEST(a_queue_can_be_started_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
