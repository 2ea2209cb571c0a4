/* SPDX-License-Identifier: MIT */
/* The transmit ring: what is written into it, what is refused, and what comes back. */
#include "ring_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RING    64u
#define BUFFERS 128u
#define SIZE    66000u
#define EOP     IXGBE_SEG_EOP

/* dword[2] of a data descriptor without options: advanced data, FCS */
#define DATA 0x22300000u

struct bed {
	struct rig *rig;
	struct ixgbe_pool *pool;
	struct ixgbe_txq *txq;
};

static void bed_start(struct bed *bed, bool doorbells)
{
	bed->rig = rig_new(RING);
	bed->rig->doorbells = doorbells;
	assert_int_equal(ixgbe_pool_new(&bed->rig->nic, BUFFERS, SIZE, 0, &bed->pool), 0);
	assert_int_equal(rig_txq_new(bed->rig, 0), 0);
	bed->txq = bed->rig->nic.txq[0];
	assert_int_equal(rings_transmit_start(&bed->rig->nic, NULL), 0);
}

static void bed_stop(struct bed *bed)
{
	rings_transmit_stop(&bed->rig->nic);
	assert_int_equal(ixgbe_pool_available(bed->pool), BUFFERS); /* none is lost */
	ixgbe_pool_free(bed->pool);
	rig_free(bed->rig);
}

static struct ixgbe_seg segment(struct bed *bed, uint32_t len, uint32_t flags)
{
	struct ixgbe_seg seg = {.buf = ixgbe_buf_get(bed->pool), .len = len, .flags = flags};

	assert_non_null(seg.buf);
	return seg;
}

/* A TCP segment of 1,460 bytes over IPv4, to be varied. */
static struct ixgbe_seg tso(struct bed *bed, uint32_t len)
{
	struct ixgbe_seg seg =
		segment(bed, len, EOP | IXGBE_TX_IPV4 | IXGBE_TX_TCP_CSUM | IXGBE_TX_TSO);

	seg.l2_len = 14;
	seg.l3_len = 20;
	seg.l4_len = 32;
	seg.mss = 1448;
	return seg;
}

static const union ixgbe_desc *desc(struct bed *bed, uint32_t i)
{
	return rig_tx_desc(bed->rig, i);
}

/* A burst of which everything is taken. */
static void send_all(struct bed *bed, const struct ixgbe_seg *seg, uint32_t count)
{
	int stopped = 1;

	assert_int_equal(ixgbe_tx_burst(bed->txq, seg, count, &stopped), count);
	assert_int_equal(stopped, 0);
}

/* A burst that stops behind `taken` segments, and says `why`. */
static void send_stops(struct bed *bed, const struct ixgbe_seg *seg, uint32_t count, uint32_t taken,
		       int why)
{
	int stopped = 1;

	assert_int_equal(ixgbe_tx_burst(bed->txq, seg, count, &stopped), taken);
	assert_int_equal(stopped, why);
}

/* Everything queued is sent and reclaimed, and nothing stays. */
static void drain(struct bed *bed)
{
	rig_tx_send(bed->rig, UINT32_MAX);
	ixgbe_tx_reclaim(bed->txq);
	assert_int_equal(ixgbe_tx_in_flight(bed->txq), 0);
	assert_int_equal(ixgbe_pool_available(bed->pool), BUFFERS);
}

/* ---- Set-up ---- */

static void the_queue_is_programmed(void **state)
{
	struct bed *bed = *state;
	struct rig *rig = bed->rig;

	assert_int_equal(rig->reg[ixgbe_txq_reg(IXGBE_TDLEN, 0) / 4], RING * 16);
	assert_int_equal(rig->reg[ixgbe_txq_reg(IXGBE_TDBAL, 0) / 4] % IXGBE_RING_ALIGN_BYTES, 0);
	/* PTHRESH 32, HTHRESH 1, WTHRESH 0 */
	assert_int_equal(rig->reg[ixgbe_txq_reg(IXGBE_TXDCTL, 0) / 4], 0x02000120);
	assert_int_equal(rig->reg[ixgbe_txq_reg(IXGBE_TDWBAL, 0) / 4], 0);
	assert_int_equal(rig->reg[IXGBE_DMATXCTL / 4] & IXGBE_DMATXCTL_TE, IXGBE_DMATXCTL_TE);
	/* The ring, the path, which enables queue 0 (8.2.3.9.10), the queue; no tail after that. */
	assert_int_equal(rig->write[0].offset, IXGBE_TDBAL);
	assert_int_equal(rig->write[rig->writes - 2].offset, IXGBE_DMATXCTL);
	assert_int_equal(rig->write[rig->writes - 1].offset, ixgbe_txq_reg(IXGBE_TXDCTL, 0));
}

static void a_dead_queue_is_reported(void **state)
{
	struct rig *rig = rig_new(RING);

	(void)state;
	rig->map_error = -ENOMEM;
	assert_int_equal(rig_txq_new(rig, 0), -ENOMEM);
	assert_null(rig->nic.txq[0]);
	rig->map_error = 0;
	assert_int_equal(rig_txq_new(rig, 0), 0);
	rig->queues_stuck = true;
	assert_int_equal(rings_transmit_start(&rig->nic, NULL), -ETIMEDOUT);
	assert_int_equal(rig->reg[IXGBE_DMATXCTL / 4] & IXGBE_DMATXCTL_TE, 0);
	rig_free(rig);
}

/* ---- Plain frames ---- */

static void frames_become_descriptors(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[3];

	for (uint32_t i = 0; i < 3; i++) {
		seg[i] = segment(bed, 60 + i, EOP);
		seg[i].offset = 64 * i;
	}
	send_all(bed, seg, 3);
	assert_int_equal(ixgbe_tx_in_flight(bed->txq), 3);
	assert_int_equal(rig_written(bed->rig, ixgbe_txq_reg(IXGBE_TDT, 0)), 2); /* set-up, burst */
	assert_int_equal(rig_tx_queued(bed->rig), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(desc(bed, i)->qword[0], seg[i].buf->iova + 64 * i);
		/* One report, at the end. */
		assert_int_equal(desc(bed, i)->dword[2],
				 DATA | IXGBE_TXD_EOP | (60 + i) | (i == 2 ? IXGBE_TXD_RS : 0));
		assert_int_equal(desc(bed, i)->dword[3], (60 + i) << 14);
	}
	/* Not before the report. */
	assert_int_equal(ixgbe_tx_reclaim(bed->txq), 0);
	rig_tx_send(bed->rig, 2);
	assert_int_equal(ixgbe_tx_reclaim(bed->txq), 0);
	rig_tx_send(bed->rig, 1);
	assert_int_equal(ixgbe_tx_reclaim(bed->txq), 3);
	assert_int_equal(txq_counters(bed->txq)->packets, 3);
	assert_int_equal(txq_counters(bed->txq)->bytes, 183);
	drain(bed);
}

static void the_ring_fills_wraps_and_empties(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[BUFFERS];
	uint32_t sent = 0;

	for (int round = 0; round < 300; round++) {
		uint32_t want = 1 + (uint32_t)(round * 7) % 65, took;
		int stopped;

		for (uint32_t i = 0; i < want; i++)
			seg[i] = segment(bed, 60, EOP);
		took = ixgbe_tx_burst(bed->txq, seg, want, &stopped);
		assert_int_equal(stopped, took < want ? -EAGAIN : 0);
		assert_true(took <= want && rig_tx_queued(bed->rig) < RING);
		for (uint32_t i = took; i < want; i++)
			ixgbe_buf_put(seg[i].buf);
		sent += took;
		assert_int_equal(ixgbe_pool_available(bed->pool) + ixgbe_tx_in_flight(bed->txq),
				 BUFFERS);
		rig_tx_send(bed->rig, (uint32_t)(round * 5) % 70);
	}
	assert_int_equal(txq_counters(bed->txq)->packets, sent);
	assert_true(txq_counters(bed->txq)->restarts > 0);

	/* Full to the last: one descriptor stays free. */
	drain(bed);
	for (uint32_t i = 0; i < RING; i++)
		seg[i] = segment(bed, 60, EOP);
	send_stops(bed, seg, RING, RING - 1, -EAGAIN);
	send_stops(bed, &seg[RING - 1], 1, 0, -EAGAIN);
	ixgbe_buf_put(seg[RING - 1].buf);
	/* The reports in the middle let a part of it come back. */
	rig_tx_send(bed->rig, 40);
	assert_int_equal(ixgbe_tx_reclaim(bed->txq), 32);
	drain(bed);
}

static void doorbells_in_memory_are_used(void **state)
{
	struct bed bed = {0};

	(void)state;
	bed_start(&bed, true);
	for (int i = 0; i < 100; i++) {
		struct ixgbe_seg seg = segment(&bed, 60, EOP);

		send_all(&bed, &seg, 1);
		assert_int_equal(rig_tx_send(bed.rig, 8), 1);
	}
	assert_int_equal(rig_written(bed.rig, ixgbe_txq_reg(IXGBE_TDT, 0)), 1);
	bed_stop(&bed);
}

static void short_frames_are_padded(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg = segment(bed, 14, EOP);

	memset(seg.buf->data, 0xff, 64);
	send_all(bed, &seg, 1);
	assert_int_equal(desc(bed, 0)->dword[2] & IXGBE_TXD_DTALEN, 17);
	assert_int_equal(desc(bed, 0)->dword[3] >> 14, 17);
	for (int i = 14; i < 17; i++)
		assert_int_equal(seg.buf->data[i], 0);
	assert_int_equal(seg.buf->data[17], 0xff);
	assert_int_equal(txq_counters(bed->txq)->bytes, 14);
	drain(bed);

	/* At the end of its buffer there is no room to pad. */
	seg = segment(bed, 14, EOP);
	seg.offset = SIZE - 14;
	send_stops(bed, &seg, 1, 0, -EINVAL);
	ixgbe_buf_put(seg.buf);
}

/* ---- Several segments and descriptors ---- */

static void segments_become_one_frame(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[4] = {
		segment(bed, 100, 0),
		segment(bed, 200, 0),
		segment(bed, 1, EOP),
		segment(bed, 60, 0),
	};

	/* The last one is a frame without end: the burst stops in front of it. */
	send_stops(bed, seg, 2, 0, -EINVAL);
	send_stops(bed, seg, 4, 3, -EINVAL);
	ixgbe_buf_put(seg[3].buf);
	assert_int_equal(desc(bed, 0)->dword[2], DATA | 100);
	assert_int_equal(desc(bed, 1)->dword[2], DATA | 200);
	assert_int_equal(desc(bed, 2)->dword[2], DATA | IXGBE_TXD_EOP | IXGBE_TXD_RS | 1);
	assert_int_equal(desc(bed, 0)->dword[3], 301 << 14);
	assert_int_equal(ixgbe_tx_in_flight(bed->txq), 3);
	assert_int_equal(txq_counters(bed->txq)->packets, 1);
	assert_int_equal(txq_counters(bed->txq)->bytes, 301);
	drain(bed);
}

static void a_64_kib_segment_is_cut(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg = tso(bed, 65536);
	uint32_t at = 0;

	send_all(bed, &seg, 1);
	assert_int_equal(rig_tx_queued(bed->rig), 1 + 5);
	for (uint32_t i = 1; i <= 5; i++) {
		uint32_t len = desc(bed, i)->dword[2] & IXGBE_TXD_DTALEN;

		assert_true(len <= IXGBE_TX_DESC_MAX_BYTES);
		assert_int_equal(desc(bed, i)->qword[0], seg.buf->iova + at);
		assert_int_equal(desc(bed, i)->dword[2] & ~IXGBE_TXD_DTALEN,
				 DATA | IXGBE_TXD_TSE |
					 (i == 5 ? IXGBE_TXD_EOP | IXGBE_TXD_RS : 0));
		assert_int_equal(desc(bed, i)->dword[3],
				 (65536u - 66) << 14 | IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM);
		at += len;
	}
	assert_int_equal(at, 65536);
	drain(bed);

	/* Exactly one and one byte more than one descriptor. */
	for (uint32_t more = 0; more <= 1; more++) {
		seg = tso(bed, IXGBE_TX_DESC_MAX_BYTES + more);
		send_all(bed, &seg, 1);
		assert_int_equal(rig_tx_queued(bed->rig), 1 + more);
		drain(bed);
	}
}

static void a_frame_has_at_most_38_descriptors(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[39];

	for (uint32_t i = 0; i < 39; i++)
		seg[i] = segment(bed, 20, i == 38 ? EOP : 0);
	send_stops(bed, seg, 39, 0, -EMSGSIZE);
	send_all(bed, seg + 1, 38);
	/* A second one does not fit; nothing of it is taken. */
	for (uint32_t i = 1; i < 39; i++)
		seg[i] = segment(bed, 20, i == 38 ? EOP : 0);
	send_stops(bed, seg + 1, 38, 0, -EAGAIN);
	assert_int_equal(rig_tx_queued(bed->rig), 38);
	for (uint32_t i = 0; i < 39; i++)
		ixgbe_buf_put(seg[i].buf);
	drain(bed);
}

/* 8.2.3.9.10: one of any 40 descriptors asks for a report, contexts counted. */
static void large_frames_do_not_keep_reports_back(void **state)
{
	static const struct {
		uint32_t before, segs, flags; /* frames of one segment, then one of so many */
		bool asks;                    /* the last of them */
	} row[] = {
		{2, 38, 0, false},
		{3, 38, 0, true},
		{9, 31, 0, false},
		{10, 31, 0, true},
		{1, 38, IXGBE_SEG_VLAN, false},
		{2, 38, IXGBE_SEG_VLAN, true},
		{0, 38, IXGBE_SEG_VLAN, false},
	};
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const uint32_t n = row[i].before, segs = row[i].segs;
		const uint32_t start = bed->rig->reg[ixgbe_txq_reg(IXGBE_TDT, 0) / 4];
		const uint32_t all = n + segs + (row[i].flags != 0);
		struct ixgbe_seg seg[BUFFERS];

		for (uint32_t j = 0; j < n; j++)
			seg[j] = segment(bed, 60, EOP);
		for (uint32_t j = 0; j < segs; j++)
			seg[n + j] = segment(bed, 20, j == segs - 1 ? EOP : 0);
		seg[n].flags |= row[i].flags;
		seg[n].vlan = (uint16_t)i; /* another context each time */
		send_all(bed, seg, n + segs);
		for (uint32_t j = 0; j < all; j++)
			assert_int_equal(
				(bool)(desc(bed, (start + j) % RING)->dword[2] & IXGBE_TXD_RS),
				j == all - 1 || (row[i].asks && j == n - 1));
		drain(bed);
	}
}

/* ---- Offload ---- */

static void contexts_say_what_the_headers_are(void **state)
{
	enum {
		V4 = IXGBE_TX_IPV4,
		V6 = IXGBE_TX_IPV6,
		IP = IXGBE_TX_IP_CSUM,
		TCP = IXGBE_TX_TCP_CSUM,
		UDP = IXGBE_TX_UDP_CSUM,
		SCTP = IXGBE_TX_SCTP_CSUM,
		TSO = IXGBE_TX_TSO,
		VLAN = IXGBE_SEG_VLAN,
	};
	const uint32_t CTXT = 0x20200000, TUCMD_V4 = 0x400, L4_TCP = 0x800, L4_SCTP = 0x1000;
	const uint32_t TXSM = 0x200, IXSM = 0x100;
	const uint32_t l4len20 = 20 << 8, mss = 1000u << 16;
	const struct {
		uint32_t flags;
		uint8_t l2, l4;
		uint16_t l3;
		uint32_t lengths, type, segmentation; /* of the context */
		uint32_t command, options;            /* of the data, without lengths */
		uint32_t payload;
	} row[] = {
		{V4 | TCP, 14, 0, 20, 14 << 9 | 20, CTXT | TUCMD_V4 | L4_TCP, 0, DATA, TXSM, 1200},
		{V4 | TCP | IP, 14, 0, 24, 14 << 9 | 24, CTXT | TUCMD_V4 | L4_TCP, 0, DATA,
		 TXSM | IXSM, 1200},
		{V4 | UDP, 18, 0, 60, 18 << 9 | 60, CTXT | TUCMD_V4, 0, DATA, TXSM, 1200},
		{V4 | SCTP, 14, 0, 20, 14 << 9 | 20, CTXT | TUCMD_V4 | L4_SCTP, 0, DATA, TXSM,
		 1200},
		{V4 | IP, 14, 0, 20, 14 << 9 | 20, CTXT | TUCMD_V4, 0, DATA, IXSM, 1200},
		{V6 | TCP, 14, 0, 40, 14 << 9 | 40, CTXT | L4_TCP, 0, DATA, TXSM, 1200},
		{V6 | UDP, 127, 0, 511, 127 << 9 | 511, CTXT, 0, DATA, TXSM, 1200},
		{V4 | TCP | TSO, 14, 20, 20, 14 << 9 | 20, CTXT | TUCMD_V4 | L4_TCP, mss | l4len20,
		 DATA | 0x80000000, TXSM | IXSM, 1200 - 54},
		{V6 | TCP | TSO, 14, 20, 40, 14 << 9 | 40, CTXT | L4_TCP, mss | l4len20,
		 DATA | 0x80000000, TXSM, 1200 - 74},
		{V4 | UDP | TSO, 14, 8, 20, 14 << 9 | 20, CTXT | TUCMD_V4, mss | 8 << 8,
		 DATA | 0x80000000, TXSM | IXSM, 1200 - 42},
		{VLAN, 0, 0, 0, 0xe123u << 16 | 14 << 9, CTXT, 0, DATA | 0x40000000, 0, 1200},
		{VLAN | V6 | UDP, 14, 0, 40, 0xe123u << 16 | 14 << 9 | 40, CTXT, 0,
		 DATA | 0x40000000, TXSM, 1200},
	};
	struct bed *bed = *state;

	for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ixgbe_seg seg = segment(bed, 1200, EOP | row[i].flags);

		seg.l2_len = row[i].l2;
		seg.l3_len = row[i].l3;
		seg.l4_len = row[i].l4;
		seg.mss = 1000;
		seg.vlan = 0xe123;
		send_all(bed, &seg, 1);
		assert_int_equal(desc(bed, 2 * i)->dword[0], row[i].lengths);
		assert_int_equal(desc(bed, 2 * i)->dword[1], 0);
		assert_int_equal(desc(bed, 2 * i)->dword[2], row[i].type);
		assert_int_equal(desc(bed, 2 * i)->dword[3], row[i].segmentation);
		assert_int_equal(desc(bed, 2 * i + 1)->dword[2],
				 row[i].command | IXGBE_TXD_EOP | IXGBE_TXD_RS | 1200);
		assert_int_equal(desc(bed, 2 * i + 1)->dword[3],
				 row[i].options | row[i].payload << 14);
	}
	drain(bed);
}

static void contexts_are_written_only_when_they_change(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[5];

	for (int i = 0; i < 5; i++)
		seg[i] = tso(bed, 3000);
	seg[1].flags = EOP; /* needs none, and disturbs none */
	seg[1].len = 60;
	seg[3].mss = 1000;
	send_all(bed, seg, 5);
	assert_int_equal(rig_tx_queued(bed->rig), 5 + 3);
	drain(bed);

	seg[0] = tso(bed, 2000);
	send_all(bed, seg, 1); /* as the last one before */
	assert_int_equal(rig_tx_queued(bed->rig), 1);
	drain(bed);

	/* A queue that is started again remembers nothing. */
	assert_int_equal(rings_transmit_stop(&bed->rig->nic), 0);
	assert_int_equal(rings_transmit_start(&bed->rig->nic, NULL), 0);
	seg[0] = tso(bed, 2000);
	send_all(bed, seg, 1);
	assert_int_equal(rig_tx_queued(bed->rig), 2);
	drain(bed);
}

static void a_context_needs_room_too(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg = {0};

	for (uint32_t i = 0; i < RING - 2; i++) {
		seg = segment(bed, 60, EOP);
		send_all(bed, &seg, 1);
	}
	seg = tso(bed, 3000); /* two descriptors, and one is free */
	send_stops(bed, &seg, 1, 0, -EAGAIN);
	assert_int_equal(txq_counters(bed->txq)->restarts, 1);
	assert_int_equal(rig_tx_send(bed->rig, 1), 1);
	send_all(bed, &seg, 1);
	assert_int_equal(rig_tx_queued(bed->rig), RING - 1);
	drain(bed);
}

/* ---- What is refused ---- */

#define SET(field, value)                                                                          \
	offsetof(struct ixgbe_seg, field), sizeof(((struct ixgbe_seg *)0)->field), value

static void malformed_frames_stop_the_burst(void **state)
{
	const uint32_t tcp4 = EOP | IXGBE_TX_IPV4 | IXGBE_TX_TCP_CSUM;
	const uint32_t tso4 = tcp4 | IXGBE_TX_TSO;
	const uint32_t tso6 = EOP | IXGBE_TX_IPV6 | IXGBE_TX_TCP_CSUM | IXGBE_TX_TSO;
	const uint32_t uso4 = EOP | IXGBE_TX_IPV4 | IXGBE_TX_UDP_CSUM | IXGBE_TX_TSO;
	const struct {
		uint32_t flags;
		size_t offset, size;
		uint32_t value;
		int err;
	} row[] = {
		{EOP, SET(len, 0), -EINVAL},
		{EOP, SET(len, SIZE + 1), -EINVAL},
		{EOP, SET(offset, SIZE - 60), 0},
		{EOP, SET(offset, SIZE - 59), -EINVAL},
		{tso4, SET(offset, SIZE - 3000), 0},
		{tso4, SET(offset, SIZE - 2999), -EINVAL},
		{EOP, SET(offset, UINT32_MAX), -EINVAL},
		{0, SET(len, 60), -EINVAL},
		{EOP | 1u << 23, SET(len, 60), -EINVAL},
		{EOP | 1, SET(len, 60), -EINVAL},
		{EOP | IXGBE_RX_RSS | IXGBE_RX_IPV4 | IXGBE_RX_IP_BAD, SET(len, 60), 0},
		{EOP, SET(len, 1514), 0},
		{EOP, SET(len, 1515), -EMSGSIZE},
		{tso4, SET(len, 3000), 0},
		{tso4, SET(l2_len, 13), -EINVAL},
		{tso4, SET(l2_len, 128), -EINVAL},
		{tso4, SET(l3_len, 19), -EINVAL},
		{tso4, SET(l3_len, 61), -EINVAL},
		{tso6, SET(l3_len, 39), -EINVAL},
		{tso6, SET(l3_len, 512), -EINVAL},
		{tso6, SET(l3_len, 200), -EINVAL}, /* headers of more than 192 bytes */
		{tso4, SET(l4_len, 19), -EINVAL},
		{tso4, SET(l4_len, 61), -EINVAL},
		{uso4, SET(l4_len, 20), -EINVAL},
		{uso4, SET(l4_len, 8), 0},
		{tso4, SET(mss, 0), -EINVAL},
		{tso4, SET(mss, 1), 0},
		{tso4, SET(mss, 1500 - 20 - 20), 0},
		{tso4, SET(mss, 1500 - 20 - 20 + 1), -EMSGSIZE},
		{tso4, SET(mss, UINT16_MAX), -EMSGSIZE},
		{tso4, SET(len, 54), -EINVAL}, /* nothing to cut */
		{tso4, SET(len, 55), 0},
		{EOP | IXGBE_TX_TSO | IXGBE_TX_IPV4, SET(len, 3000), -EINVAL},
		{tso4 | IXGBE_TX_UDP_CSUM, SET(len, 3000), -EINVAL},
		{tso4 | IXGBE_TX_IPV6, SET(len, 3000), -EINVAL},
		{EOP | IXGBE_TX_TCP_CSUM, SET(len, 60), -EINVAL},
		{EOP | IXGBE_TX_IPV6 | IXGBE_TX_IP_CSUM, SET(len, 60), -EINVAL},
		{tcp4 | IXGBE_TX_SCTP_CSUM, SET(len, 60), -EINVAL},
		{tcp4, SET(len, 53), -EINVAL}, /* no place for a TCP header */
		{tcp4, SET(len, 54), 0},
		{tcp4, SET(len, 1514), 0},
		{tcp4, SET(len, 1515), -EMSGSIZE},
		{EOP | IXGBE_TX_SCTP_CSUM | IXGBE_TX_IPV4 | IXGBE_TX_TSO, SET(len, 3000), -EINVAL},
	};
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ixgbe_seg seg[2] = {segment(bed, 60, EOP)};
		uint32_t taken;
		int stopped;

		seg[1] = (struct ixgbe_seg){
			.buf = ixgbe_buf_get(bed->pool),
			.len = row[i].flags & IXGBE_TX_TSO ? 3000 : 60,
			.flags = row[i].flags,
			.mss = 1000,
			.l2_len = 14,
			.l3_len = row[i].flags & IXGBE_TX_IPV6 ? 40 : 20,
			.l4_len = 20,
		};
		if (row[i].flags == uso4)
			seg[1].l4_len = 8;
		memcpy((char *)&seg[1] + row[i].offset, &row[i].value, row[i].size);
		taken = ixgbe_tx_burst(bed->txq, seg, 2, &stopped);
		if (stopped != row[i].err || taken != (row[i].err ? 1 : 2))
			fail_msg("row %zu: %u taken, %d", i, taken, stopped);
		if (row[i].err)
			ixgbe_buf_put(seg[1].buf);
		drain(bed);
	}
	assert_int_equal(txq_counters(bed->txq)->restarts, 0);
}

/* Ethernet header and tags of a frame are its own, at most two tags: what follows may be as long as
 * the MTU, in one segment or several, whole or cut. */
static void tags_do_not_count_against_the_mtu(void **state)
{
	static const struct {
		char types[11]; /* with their payload's, zeros behind */
		uint32_t tag_bytes;
		uint32_t flags;
	} row[] = {
		{"\x08\x00", 0, 0},
		{"\x81\x00\0\0\x08\x00", 4, 0},
		{"\x88\xa8\0\0\x08\x00", 4, 0},
		{"\x81\x00\0\0\x81\x00\0\0\x08\x00", 8, 0},
		{"\x88\xa8\0\0\x81\x00\0\0\x08\x00", 8, 0},
		{"\x81\x00\0\0\x81\x00\0\0\x81\x00", 8, 0},
		{"\x91\x00\0\0\x81\x00\0\0\x81\x00", 0, 0},
		{"\x81\x00\0\0\x81\x00\0\0\x08\x00", 4, IXGBE_SEG_VLAN},
	};
	const uint32_t tcp4 = IXGBE_TX_IPV4 | IXGBE_TX_TCP_CSUM;
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]) * 8; i++) {
		const uint32_t flags = row[i / 8].flags | EOP | (i & 1 ? tcp4 : 0);
		const uint32_t longest = 1514 + row[i / 8].tag_bytes, len = longest + (i >> 1 & 1);
		struct ixgbe_seg seg[2] = {segment(bed, len, flags), segment(bed, 100, EOP)};
		const uint32_t segs = i & 4 ? 2 : 1;

		seg[0].l2_len = (uint8_t)(14 + row[i / 8].tag_bytes);
		seg[0].l3_len = 20;
		memcpy(seg[0].buf->data + 12, row[i / 8].types, 10);
		if (segs == 2) {
			seg[0].flags &= ~EOP;
			seg[0].len -= 100;
		} else {
			ixgbe_buf_put(seg[1].buf);
		}
		if (len == longest) {
			send_all(bed, seg, segs);
		} else {
			send_stops(bed, seg, segs, 0, -EMSGSIZE);
			for (uint32_t j = 0; j < segs; j++)
				ixgbe_buf_put(seg[j].buf);
		}
		drain(bed);
	}
}

/* Segments are limited as frames are: by what is in them, not by what MSS allows. */
static void segments_have_the_limit_of_their_framing(void **state)
{
	struct bed *bed = *state;

	for (uint32_t i = 0; i < 6; i++) {
		const uint32_t tags = i / 2 * 4, l2 = 14 + tags;
		struct ixgbe_seg seg = tso(bed, l2 + 52 + 3000);

		memcpy(seg.buf->data + 12, "\x81\x00\0\0\x81\x00\0\0\x08\x00", 10);
		seg.buf->data[12 + tags] = 8;
		seg.l2_len = (uint8_t)l2;
		seg.mss = (uint16_t)(1448 + (i & 1));
		if (i & 1) {
			send_stops(bed, &seg, 1, 0, -EMSGSIZE);
			/* The same MSS, but all in one segment that fits. */
			seg.len = l2 + 52 + 1448;
		}
		send_all(bed, &seg, 1);
		drain(bed);
	}
}

static void the_mtu_is_the_limit_while_running_too(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg = segment(bed, 9000 + 14, EOP);

	send_stops(bed, &seg, 1, 0, -EMSGSIZE);
	bed->rig->kept.mtu = 9000;
	send_all(bed, &seg, 1);
	drain(bed);
}

/* A header that is in the second segment: not what the datasheet lets TSO do. */
static void tso_headers_are_in_the_first_segment(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[2] = {tso(bed, 66), segment(bed, 4000, EOP)};

	seg[0].flags &= ~(uint32_t)EOP;
	seg[0].len = 65;
	send_stops(bed, seg, 2, 0, -EINVAL);
	seg[0].len = 66;
	send_all(bed, seg, 2);
	drain(bed);
}

/* ---- Hostile write-backs, and the end ---- */

static void random_write_backs_lose_no_buffer(void **state)
{
	struct bed *bed = *state;

	srandom(82599);
	for (int round = 0; round < 20000; round++) {
		struct ixgbe_seg seg[8];
		uint32_t want = (uint32_t)random() % 8, n = 0, took;
		int stopped;

		while (n < want && ixgbe_pool_available(bed->pool) > 0) {
			seg[n] = random() % 4 ? segment(bed, 60, EOP) : tso(bed, 40000);
			n++;
		}
		took = ixgbe_tx_burst(bed->txq, seg, n, &stopped);
		while (n > took)
			ixgbe_buf_put(seg[--n].buf);
		rig_tx_desc(bed->rig, (uint32_t)random() % RING)->qword[random() % 2] =
			(uint64_t)random() << 33 ^ (uint64_t)random();
		assert_int_equal(ixgbe_pool_available(bed->pool) + ixgbe_tx_in_flight(bed->txq),
				 BUFFERS);
	}
}

static void what_was_not_sent_comes_back_at_the_end(void **state)
{
	struct bed *bed = *state;
	struct ixgbe_seg seg[3] = {segment(bed, 60, EOP), tso(bed, 65000), segment(bed, 60, EOP)};

	send_all(bed, seg, 3);
	bed->rig->queues_stuck = true;
	assert_int_equal(rings_transmit_stop(&bed->rig->nic), -ETIMEDOUT);
	assert_int_equal(ixgbe_tx_in_flight(bed->txq), 0);
	assert_int_equal(ixgbe_pool_available(bed->pool), BUFFERS);
	bed->rig->queues_stuck = false;
	assert_int_equal(rings_transmit_stop(&bed->rig->nic), 0);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bed));
	bed_start(*state, false);
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
		cmocka_unit_test(a_dead_queue_is_reported),
		TEST(frames_become_descriptors),
		TEST(the_ring_fills_wraps_and_empties),
		cmocka_unit_test(doorbells_in_memory_are_used),
		TEST(short_frames_are_padded),
		TEST(segments_become_one_frame),
		TEST(a_64_kib_segment_is_cut),
		TEST(a_frame_has_at_most_38_descriptors),
		TEST(large_frames_do_not_keep_reports_back),
		TEST(contexts_say_what_the_headers_are),
		TEST(contexts_are_written_only_when_they_change),
		TEST(a_context_needs_room_too),
		TEST(malformed_frames_stop_the_burst),
		TEST(tags_do_not_count_against_the_mtu),
		TEST(segments_have_the_limit_of_their_framing),
		TEST(the_mtu_is_the_limit_while_running_too),
		TEST(tso_headers_are_in_the_first_segment),
		TEST(random_write_backs_lose_no_buffer),
		TEST(what_was_not_sent_comes_back_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
