/* SPDX-License-Identifier: MIT */
/*
 * The loops of vector.h against the plain ones: two ports, of which one has the plain loops only,
 * get the same descriptors of a NIC that writes anything, and the same segments of a caller that
 * asks for anything. Whatever comes out is the same.
 */
#include "ring_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ixgbe/queues/pool.h"

#define RING        256u
#define BUFFERS     700u
#define HEADROOM    64u
#define SIZE        (HEADROOM + 2048u)
#define BURST       80u
#define DESCRIPTORS 10000000u
/* What a NIC may have found in a frame that is sent on. */
#define RX_FLAGS                                                                                   \
	(IXGBE_RX_RSS | IXGBE_RX_IPV4 | IXGBE_RX_IPV6 | IXGBE_RX_TCP | IXGBE_RX_UDP |              \
	 IXGBE_RX_IP_GOOD | IXGBE_RX_IP_BAD | IXGBE_RX_L4_GOOD | IXGBE_RX_L4_BAD)

enum side { PLAIN, VECTORS, SIDES };

struct bed {
	struct rig *rig;
	struct ixgbe_pool *pool;
	struct ixgbe_seg seg[BURST];
	uint32_t got;
};

static struct bed beds[SIDES];
static uint64_t seed;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(random64() >> 32) % limit;
}

/* One in `n`; 0: never. */
static bool one_in(uint32_t n)
{
	return n > 0 && below(n) == 0;
}

static void beds_start(bool vlan_strip)
{
	for (enum side s = 0; s < SIDES; s++) {
		struct bed *bed = &beds[s];

		memset(bed, 0, sizeof(*bed));
		bed->rig = rig_new(RING);
		bed->rig->doorbells = true;
		bed->rig->nic.options.rx_vlan_strip = vlan_strip;
		bed->rig->nic.options.plain_loops = s == PLAIN;
		assert_int_equal(
			ixgbe_pool_new(&bed->rig->nic, BUFFERS, SIZE, HEADROOM, &bed->pool), 0);
		assert_int_equal(rig_rxq_new(bed->rig, 0), 0);
		assert_int_equal(rig_txq_new(bed->rig, 0), 0);
		assert_int_equal(rings_receive_start(&bed->rig->nic, &bed->pool, NULL), 0);
		assert_int_equal(rings_transmit_start(&bed->rig->nic, NULL), 0);
	}
	seed = 0x9e3779b97f4a7c15u;
}

static void beds_stop(void)
{
	for (enum side s = 0; s < SIDES; s++) {
		struct bed *bed = &beds[s];

		rings_receive_stop(&bed->rig->nic);
		rings_transmit_stop(&bed->rig->nic);
		assert_int_equal(ixgbe_pool_available(bed->pool), BUFFERS);
		ixgbe_pool_free(bed->pool);
		rig_free(bed->rig);
	}
}

static void counters_agree(const struct ixgbe_queue_counters *a,
			   const struct ixgbe_queue_counters *b)
{
	assert_int_equal(a->packets, b->packets);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->errors, b->errors);
	assert_int_equal(a->csum_errors, b->csum_errors);
	assert_int_equal(a->alloc_failed, b->alloc_failed);
	assert_int_equal(a->restarts, b->restarts);
	assert_int_equal(a->hollow, b->hollow);
}

/* The whole ring, of either direction. */
static void rings_agree(union ixgbe_desc *(*desc)(struct rig *rig, uint32_t index))
{
	assert_memory_equal(desc(beds[PLAIN].rig, 0), desc(beds[VECTORS].rig, 0),
			    RING * sizeof(union ixgbe_desc));
}

static void pools_agree(void)
{
	const struct ixgbe_pool *a = beds[PLAIN].pool, *b = beds[VECTORS].pool;

	assert_int_equal(a->available, b->available);
	for (uint32_t i = 0; i < a->available; i++)
		if (a->stack[i]->index != b->stack[i]->index)
			fail_msg("free buffer %u: %u and %u", i, a->stack[i]->index,
				 b->stack[i]->index);
}

/* ---- Receive ---- */

static uint16_t any_length(void)
{
	static const uint16_t edge[] = {0, 1, 59, 60, 1514, 2047, 2048, 2049, 4096, 0x8000, 0xffff};

	return one_in(2) ? edge[below(sizeof(edge) / sizeof(edge[0]))] : (uint16_t)random64();
}

/* A write-back: good for a frame of one buffer, but for one in `bad`. */
static union ixgbe_desc any_write_back(uint32_t bad)
{
	union ixgbe_desc desc = {.qword = {random64(), random64()}};
	uint32_t status = desc.dword[2] | IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP;

	status &= ~IXGBE_RXD_ERR_RXE;
	if (one_in(2)) /* types as a NIC has them, in place of random bits */
		desc.dword[0] = below(16) | 1u << (4 + below(4)) | below(4) << 8;
	if (one_in(bad))
		status ^= 2u << below(31);
	if (one_in(bad))
		status &= ~IXGBE_RXD_STAT_EOP;
	desc.dword[2] = status;
	desc.dword[3] = (uint32_t)random64() << 16 | (one_in(bad) ? any_length() : 1 + below(2048));
	return desc;
}

/* Puts descriptors into both rings. *undone: the place of one that has no DD yet, or RING. */
static uint32_t receive_some(uint32_t *undone)
{
	static const uint32_t badness[] = {0, 0, 300, 40, 6, 2};
	const uint32_t bad = badness[below(sizeof(badness) / sizeof(badness[0]))];
	const uint32_t room = rig_rx_room(beds[PLAIN].rig);
	const uint32_t n = below(2) ? below(room + 1) : room ? below(room < 24 ? room : 24) : 0;

	assert_int_equal(room, rig_rx_room(beds[VECTORS].rig));
	*undone = RING;
	for (uint32_t i = 0; i < n; i++) {
		union ixgbe_desc desc = any_write_back(bad);

		if (*undone == RING && one_in(bad)) {
			*undone = beds[PLAIN].rig->reg[ixgbe_rxq_reg(IXGBE_RDH, 0) / 4];
			desc.dword[2] &= ~IXGBE_RXD_STAT_DD;
		}
		for (enum side s = 0; s < SIDES; s++) {
			uint32_t *head = &beds[s].rig->reg[ixgbe_rxq_reg(IXGBE_RDH, 0) / 4];

			*rig_rx_desc(beds[s].rig, *head) = desc;
			*head = (*head + 1) % RING;
		}
	}
	return n;
}

static void segments_agree(void)
{
	assert_int_equal(beds[PLAIN].got, beds[VECTORS].got);
	for (uint32_t i = 0; i < beds[PLAIN].got; i++) {
		const struct ixgbe_seg *a = &beds[PLAIN].seg[i], *b = &beds[VECTORS].seg[i];

		assert_int_equal(a->buf->index, b->buf->index);
		assert_int_equal(a->offset, b->offset);
		assert_int_equal(a->len, b->len);
		assert_int_equal(a->flags, b->flags);
		/* As the port says, they are in the first and the last one. */
		if (a->flags != 0) {
			assert_int_equal(a->vlan, b->vlan);
			assert_int_equal(a->rss_hash, b->rss_hash);
		}
	}
}

/* Bursts until nothing comes any more. Returns how many could have been groups of vectors. */
static uint32_t receive_all(void)
{
	uint32_t groups = 0;

	do {
		const uint32_t max = one_in(4) ? 1 + below(BURST) : BURST;

		for (enum side s = 0; s < SIDES; s++)
			beds[s].got = ixgbe_rx_burst(beds[s].rig->nic.rxq[0], beds[s].seg, max);
		segments_agree();
		for (enum side s = 0; s < SIDES; s++)
			ixgbe_bufs_put(beds[s].seg, beds[s].got);
		groups += beds[PLAIN].got >= VECTOR_RX_GROUP;
	} while (beds[PLAIN].got > 0);
	return groups;
}

static void receives_the_same(bool vlan_strip)
{
	uint64_t groups = 0;

	beds_start(vlan_strip);
	for (uint32_t done = 0; done < DESCRIPTORS / 2;) {
		uint32_t undone;

		done += receive_some(&undone);
		groups += receive_all();
		if (undone != RING) {
			for (enum side s = 0; s < SIDES; s++)
				rig_rx_desc(beds[s].rig, undone)->dword[2] |= IXGBE_RXD_STAT_DD;
			groups += receive_all();
		}
		counters_agree(rxq_counters(beds[PLAIN].rig->nic.rxq[0]),
			       rxq_counters(beds[VECTORS].rig->nic.rxq[0]));
		rings_agree(rig_rx_desc);
		pools_agree();
	}
	/* Or nothing was compared. */
	assert_true(groups > DESCRIPTORS / 1000);
	assert_true(rxq_counters(beds[PLAIN].rig->nic.rxq[0])->errors > DESCRIPTORS / 1000);
	beds_stop();
}

static void received_frames(void **state)
{
	(void)state;
	receives_the_same(false);
}

static void received_frames_with_tags_stripped(void **state)
{
	(void)state;
	receives_the_same(true);
}

/* ---- Transmit ---- */

static uint32_t any_number(uint32_t sane)
{
	static const uint32_t edge[] = {0,      1,       16,         17,         60,
					1514,   1515,    1518,       2048,       2112,
					0xffff, 0x10000, 0x7fffffff, 0xfffffff0, 0xffffffff};

	return one_in(2)   ? edge[below(sizeof(edge) / sizeof(edge[0]))]
	       : one_in(2) ? (uint32_t)random64()
			   : below(sane);
}

/* For a caller's segments, of which one in `bad` fields is anything. The buffers are not there
 * yet. */
static void any_segments(struct ixgbe_seg *seg, uint32_t n, uint32_t bad)
{
	for (uint32_t i = 0; i < n; i++) {
		seg[i] = (struct ixgbe_seg){
			.offset = one_in(bad) ? any_number(SIZE) : below(64),
			.len = one_in(bad) ? any_number(1600) : 17 + below(1498),
			.flags = IXGBE_SEG_EOP | ((uint32_t)random64() & RX_FLAGS),
			.vlan = (uint16_t)random64(),
			.mss = (uint16_t)random64(),
			.rss_hash = (uint32_t)random64(),
		};
		if (one_in(bad))
			seg[i].flags ^= 1u << below(32);
	}
}

static void send_some(uint32_t *sent)
{
	static const uint32_t badness[] = {0, 0, 300, 40, 6};
	const uint32_t bad = badness[below(sizeof(badness) / sizeof(badness[0]))];
	struct ixgbe_seg seg[BURST];
	const uint32_t n = below(BURST + 1);
	uint32_t taken[SIDES];
	int stopped[SIDES];

	any_segments(seg, n, bad);
	for (enum side s = 0; s < SIDES; s++) {
		struct bed *bed = &beds[s];

		memcpy(bed->seg, seg, sizeof(seg));
		for (uint32_t i = 0; i < n; i++) {
			bed->seg[i].buf = ixgbe_buf_get(bed->pool);
			assert_non_null(bed->seg[i].buf);
			memset(bed->seg[i].buf->data, 0, 64); /* no tags */
		}
		taken[s] = ixgbe_tx_burst(bed->rig->nic.txq[0], bed->seg, n, &stopped[s]);
		ixgbe_bufs_put(bed->seg + taken[s], n - taken[s]);
	}
	assert_int_equal(taken[PLAIN], taken[VECTORS]);
	assert_int_equal(stopped[PLAIN], stopped[VECTORS]);
	*sent += n;
}

static void sent_frames(void **state)
{
	(void)state;
	beds_start(false);
	for (uint32_t sent = 0; sent < DESCRIPTORS;) {
		const uint32_t report = one_in(3) ? below(RING) : RING;

		send_some(&sent);
		for (enum side s = 0; s < SIDES; s++)
			rig_tx_send(beds[s].rig, report);
		if (one_in(3))
			assert_int_equal(ixgbe_tx_reclaim(beds[PLAIN].rig->nic.txq[0]),
					 ixgbe_tx_reclaim(beds[VECTORS].rig->nic.txq[0]));
		assert_int_equal(ixgbe_tx_in_flight(beds[PLAIN].rig->nic.txq[0]),
				 ixgbe_tx_in_flight(beds[VECTORS].rig->nic.txq[0]));
		counters_agree(txq_counters(beds[PLAIN].rig->nic.txq[0]),
			       txq_counters(beds[VECTORS].rig->nic.txq[0]));
		rings_agree(rig_tx_desc);
		pools_agree();
	}
	assert_true(txq_counters(beds[PLAIN].rig->nic.txq[0])->packets > DESCRIPTORS / 4);
	beds_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_frames),
		cmocka_unit_test(received_frames_with_tags_stripped),
		cmocka_unit_test(sent_frames),
	};

	if (!vector_usable()) {
		printf("1..0 # SKIP this processor has no AVX2\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
