/* SPDX-License-Identifier: MIT */
/*
 * Transmit queues (sections 4.6.8, 7.2).
 *
 *       clean                next
 *        v                    v
 *     ---[NIC][NIC][NIC][NIC][ ][ ][ ]---
 *
 * A burst writes descriptors at `next` and then the tail, once. Every 32 descriptors or so,
 * and at the end of the burst, the last descriptor of a frame asks for a report (RS): the
 * NIC sets DD in it when it has read everything up to there. One of any 40 descriptors has to ask
 * (8.2.3.9.10): where a large frame would make it later, the frame before it asks, too. The circle
 * `report` has the places of these descriptors; a reclaim looks at the oldest and frees the
 * descriptors and buffers up to it in one go.
 *
 * Checksums, segmentation and VLAN tags need a context descriptor in front of the frame.
 * The NIC keeps the last one for the frames behind it. `context` is our copy: frames with the
 * same headers share one context.
 *
 * Most frames are one segment without offload; tx_simple() handles these, four at a time where the
 * processor can (vector.h), and tx_frame() all the others. Both check everything that they are
 * given: the ring gets only what the datasheet allows.
 *
 * The control thread watches whether frames come back (txq_stuck_us). So `next`, `clean` and
 * `laps`, which only the queue's thread writes, are stored and loaded whole.
 *
 * Death. As in rx.c, the queue's record, its table of buffers and `report` may outlive the process.
 * `posted` is what the tail has or is about to get: it is stored after all that it covers, reports
 * included, and before the tail. What lies between `posted` and `next` was never the NIC's: a
 * successor forgets those frames (txq_resume). `clean` is stored before `report_first`, so that no
 * descriptor is left without a report.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"
#include "mmio.h"
#include "pool.h"
#include "queue.h"
#include "vector.h"

/* DEVIATION(reports): descriptors between two reports. Later datasheets want one for each packet.
 */
#define TX_REPORT_BATCH 32u
/* A burst takes sent frames back once so many descriptors are not free. */
#define TX_RECLAIM_BATCH 32u
/* And at most, with the one that asks: as many as the NIC holds of a queue (8.2.3.9.10). */
#define TX_REPORT_MAX 40u
static_assert(IXGBE_TX_DESC_FRAME_MAX + 1 <= TX_REPORT_MAX, "a frame with its context");
/* The shortest frame that the NIC pads to 60 bytes by itself. */
#define TX_FRAME_MIN_BYTES 17u
#define TX_CMD                                                                                     \
	(IXGBE_FIELD_PREP(IXGBE_TXD_DTYP, IXGBE_TXD_DTYP_DATA) | IXGBE_TXD_DEXT | IXGBE_TXD_IFCS)

#define TX_L4_CSUM (IXGBE_TX_TCP_CSUM | IXGBE_TX_UDP_CSUM | IXGBE_TX_SCTP_CSUM)
#define TX_IP      (IXGBE_TX_IPV4 | IXGBE_TX_IPV6)
#define TX_CSUM    (IXGBE_TX_IP_CSUM | TX_L4_CSUM)
#define TX_OFFLOAD (TX_CSUM | IXGBE_TX_TSO)
#define TX_RX_FLAGS                                                                                \
	(IXGBE_RX_RSS | IXGBE_RX_IPV4 | IXGBE_RX_IPV6 | IXGBE_RX_TCP | IXGBE_RX_UDP |              \
	 IXGBE_RX_IP_GOOD | IXGBE_RX_IP_BAD | IXGBE_RX_L4_GOOD | IXGBE_RX_L4_BAD)
#define TX_ALL_FLAGS (TX_OFFLOAD | TX_IP | IXGBE_SEG_VLAN | IXGBE_SEG_EOP | TX_RX_FLAGS)
/* With none of these but EOP a frame is simple. */
#define TX_NOTICED (~(uint32_t)TX_RX_FLAGS)

struct ixgbe_txq {
	/* One cache line that each burst touches. */
	union ixgbe_desc *ring;
	struct ixgbe_buf **buf; /* the one that ends at a descriptor, or NULL */
	uint16_t *report;       /* descriptors with RS, a circle of `size` */
	uint32_t size;          /* descriptors of the ring */
	uint32_t next;          /* first free */
	uint32_t free;          /* how many are free; one always stays so */
	uint32_t clean;         /* oldest that is not reclaimed */
	uint32_t in_flight;     /* buffers */
	uint32_t report_first;  /* oldest in report */
	uint32_t report_next;   /* end of report */
	uint32_t laps;          /* how often `clean` began again at 0 */
	uint32_t posted;        /* see `Death` above */
	uint64_t last;          /* the second half of the descriptor before `next` */
	struct tail tail;
	bool vectors;

	const uint16_t *mtu; /* the port's */
	uint64_t context[2]; /* the last context descriptor; 0: none */
	struct ixgbe_dma *dma;
	struct ixgbe_dma_area area;
	struct state_memory *state;
	_Alignas(64) struct ixgbe_queue_counters counters;
};

/* ---- What the control thread looks at ---- */

static inline void index_store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELAXED);
}

static uint32_t index_load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_RELAXED);
}

uint64_t txq_stuck_us(const struct ixgbe_txq *txq, struct txq_watch *watch, uint64_t now_us)
{
	const uint32_t laps = index_load(&txq->laps), clean = index_load(&txq->clean);
	const bool waits = index_load(&txq->next) != clean;
	const bool moved = laps != watch->laps || clean != watch->clean;
	const bool watched = watch->waited && now_us - watch->seen_us <= TXQ_WATCH_GAP_US;

	watch->laps = laps;
	watch->clean = clean;
	watch->waited = waits;
	watch->restarted &= !moved;
	watch->seen_us = now_us;
	if (!waits || moved || !watched)
		watch->since_us = now_us;
	return now_us - watch->since_us;
}

/* ---- Reclaim ---- */

static inline bool tx_reported(const struct ixgbe_txq *txq, uint32_t report)
{
	return desc_load(&txq->ring[txq->report[report]], 1) >> 32 & IXGBE_TXD_STAT_DD;
}

/* Frees the descriptors from `clean` up to `end`; returns the number of buffers given back. A call
 * would cost each burst of one frame 2 % of its instructions. */
static inline __attribute__((always_inline)) uint32_t tx_free_to(struct ixgbe_txq *txq,
								 uint32_t end)
{
	uint32_t returned = 0;

	if (end < txq->clean) {
		returned =
			pool_push_many(&txq->buf[txq->clean], txq->size - txq->clean, txq->vectors);
		txq->free += txq->size - txq->clean;
		index_store(&txq->laps, txq->laps + 1);
		index_store(&txq->clean, 0);
	}
	returned += pool_push_many(&txq->buf[txq->clean], end - txq->clean, txq->vectors);
	txq->free += end - txq->clean;
	index_store(&txq->clean, end);
	txq->in_flight -= returned;
	return returned;
}

uint32_t ixgbe_tx_reclaim(struct ixgbe_txq *txq)
{
	uint32_t report = txq->report_first, last, returned;

	if (report == txq->report_next || !tx_reported(txq, report))
		return 0;
	do {
		last = txq->report[report];
		report = ring_wrap(txq->size, report + 1);
	} while (report != txq->report_next && tx_reported(txq, report));
	returned = tx_free_to(txq, ring_wrap(txq->size, last + 1));
	state_store(&txq->report_first, report);
	return returned;
}

uint32_t ixgbe_tx_in_flight(const struct ixgbe_txq *txq)
{
	return txq->in_flight;
}

/* ---- Checks ---- */

struct tx_plan {
	uint32_t segs;
	uint32_t descs; /* of data */
	uint32_t bytes;
	uint32_t header_bytes; /* with TSO */
};

/* The longest frame without tags. The NIC adds the FCS. */
static uint32_t tx_max_untagged(const struct ixgbe_txq *txq)
{
	return __atomic_load_n(txq->mtu, __ATOMIC_RELAXED) + IXGBE_ETH_HEADER_BYTES;
}

static bool tx_within_buffer(const struct ixgbe_seg *seg)
{
	return seg->len > 0 && seg->offset <= seg->buf->size &&
	       seg->len <= seg->buf->size - seg->offset;
}

/* How many bytes of VLAN tags the frame has in its buffer. Two tags count, or one if the NIC
 * inserts the other. Each byte is read once: the NIC may write there. */
static uint32_t tx_tag_bytes(const struct ixgbe_seg *first)
{
	const volatile uint8_t *type =
		first->buf->data + first->offset + IXGBE_ETH_HEADER_BYTES - 2;
	const uint32_t most = IXGBE_VLAN_TAGS_BYTES - (first->flags & IXGBE_SEG_VLAN ? 4 : 0);
	uint32_t tags = 0;

	while (tags < most && first->len >= IXGBE_ETH_HEADER_BYTES + tags + 4) {
		const uint32_t high = type[tags], low = type[tags + 1];

		if ((high << 8 | low) != 0x8100 && (high << 8 | low) != 0x88a8)
			break;
		tags += 4;
	}
	return tags;
}

/* Whether a frame, or one to be cut off the frame that begins at `first`, has more behind its own
 * framing than the MTU. The NIC loses such frames and says nothing. Tags are looked for only where
 * they decide. */
static inline bool tx_too_long(const struct ixgbe_seg *first, uint32_t bytes, uint32_t max_untagged)
{
	return bytes > max_untagged && bytes - max_untagged > tx_tag_bytes(first);
}

/* The header lengths and mss of a frame to be cut, whose L4 header is at `l4_offset`. */
static int tx_check_tso(const struct ixgbe_txq *txq, const struct ixgbe_seg *first,
			uint32_t l4_offset, struct tx_plan *plan)
{
	const uint32_t l4 = first->flags & TX_L4_CSUM;
	uint32_t payload;

	plan->header_bytes = l4_offset + first->l4_len;
	if (l4 == IXGBE_TX_UDP_CSUM
		    ? first->l4_len != 8
		    : l4 != IXGBE_TX_TCP_CSUM || first->l4_len < 20 || first->l4_len > 60)
		return -EINVAL;
	if (first->mss == 0 || plan->header_bytes > IXGBE_TSO_HEADER_MAX ||
	    plan->header_bytes > first->len || plan->header_bytes >= plan->bytes)
		return -EINVAL;
	payload = plan->bytes - plan->header_bytes;
	if (tx_too_long(first, plan->header_bytes + min_u32(payload, first->mss),
			tx_max_untagged(txq)) ||
	    payload > IXGBE_TXD_PAYLEN >> 14)
		return -EMSGSIZE;
	return 0;
}

/* The header lengths and flags of a frame with offload. */
static int tx_check_offload(const struct ixgbe_txq *txq, const struct ixgbe_seg *first,
			    struct tx_plan *plan)
{
	const uint32_t flags = first->flags;
	const uint32_t l4 = flags & TX_L4_CSUM;
	const bool ipv4 = (flags & TX_IP) == IXGBE_TX_IPV4;
	const uint32_t l4_min = l4 == IXGBE_TX_TCP_CSUM    ? 20
				: l4 == IXGBE_TX_UDP_CSUM  ? 8
				: l4 == IXGBE_TX_SCTP_CSUM ? 12
							   : 0;
	const uint32_t l4_offset = (uint32_t)first->l2_len + first->l3_len;

	if (!ipv4 && ((flags & TX_IP) != IXGBE_TX_IPV6 || (flags & IXGBE_TX_IP_CSUM)))
		return -EINVAL;
	if ((l4 & (l4 - 1)) != 0) /* at most one */
		return -EINVAL;
	if (first->l2_len < 14 || first->l2_len > 127)
		return -EINVAL;
	if (first->l3_len < (ipv4 ? 20 : 40) || first->l3_len > (ipv4 ? 60 : 511))
		return -EINVAL;
	if (l4_offset + l4_min > plan->bytes)
		return -EINVAL;
	if (!(flags & IXGBE_TX_TSO))
		return tx_too_long(first, plan->bytes, tx_max_untagged(txq)) ? -EMSGSIZE : 0;
	return tx_check_tso(txq, first, l4_offset, plan);
}

/* Checks the frame that begins at `seg`, and counts its segments, descriptors and bytes. */
static int tx_plan(const struct ixgbe_txq *txq, const struct ixgbe_seg *seg, uint32_t count,
		   struct tx_plan *out)
{
	struct tx_plan plan = {0};
	const struct ixgbe_seg *at;

	do {
		if (plan.segs == count)
			return -EINVAL; /* the frame has no end */
		at = &seg[plan.segs++];
		if (!tx_within_buffer(at) || (at->flags & ~TX_ALL_FLAGS))
			return -EINVAL;
		plan.descs += (at->len - 1) / IXGBE_TX_DESC_MAX_BYTES + 1;
		plan.bytes += at->len;
		if (plan.descs > IXGBE_TX_DESC_FRAME_MAX)
			return -EMSGSIZE;
	} while (!(at->flags & IXGBE_SEG_EOP));

	if (seg->flags & TX_OFFLOAD) {
		int err = tx_check_offload(txq, seg, &plan);

		if (err)
			return err;
	} else if (tx_too_long(seg, plan.bytes, tx_max_untagged(txq))) {
		return -EMSGSIZE;
	}
	/* Shorter frames are padded below, in the buffer. */
	if (plan.bytes < TX_FRAME_MIN_BYTES &&
	    (plan.segs != 1 || seg->buf->size - seg->offset < TX_FRAME_MIN_BYTES))
		return -EINVAL;
	*out = plan;
	return 0;
}

/* ---- Transmit ---- */

static inline void tx_desc(struct ixgbe_txq *txq, uint64_t half0, uint64_t half1,
			   struct ixgbe_buf *buf)
{
	const uint32_t at = txq->next;

	desc_store(&txq->ring[at], half0, half1);
	txq->last = half1;
	txq->buf[at] = buf;
	index_store(&txq->next, ring_wrap(txq->size, at + 1));
	txq->free--;
}

/* The context that a frame needs (section 7.2.3.2.3); only index 0 is used. */
static void tx_context(const struct ixgbe_seg *first, uint64_t context[2])
{
	const uint32_t flags = first->flags;
	uint32_t type = IXGBE_FIELD_PREP(IXGBE_TXD_DTYP, IXGBE_TXD_DTYP_CTXT) | IXGBE_TXD_DEXT;
	uint32_t lengths = IXGBE_FIELD_PREP(IXGBE_TXC_MACLEN, 14);
	uint32_t segmentation = 0;

	if (flags & TX_OFFLOAD) {
		lengths = IXGBE_FIELD_PREP(IXGBE_TXC_MACLEN, first->l2_len) |
			  IXGBE_FIELD_PREP(IXGBE_TXC_IPLEN, first->l3_len);
		type |= (flags & IXGBE_TX_IPV4) ? IXGBE_TXC_IPV4 : 0;
		type |= IXGBE_FIELD_PREP(IXGBE_TXC_L4T,
					 flags & IXGBE_TX_TCP_CSUM    ? IXGBE_TXC_L4T_TCP
					 : flags & IXGBE_TX_SCTP_CSUM ? IXGBE_TXC_L4T_SCTP
								      : IXGBE_TXC_L4T_UDP);
	}
	if (flags & IXGBE_SEG_VLAN)
		lengths |= IXGBE_FIELD_PREP(IXGBE_TXC_VLAN, first->vlan);
	if (flags & IXGBE_TX_TSO)
		segmentation = IXGBE_FIELD_PREP(IXGBE_TXC_MSS, first->mss) |
			       IXGBE_FIELD_PREP(IXGBE_TXC_L4LEN, first->l4_len);
	context[0] = lengths;
	context[1] = type | (uint64_t)segmentation << 32;
}

/* dword[2] and, above it, dword[3] of all data descriptors of a frame, without length and EOP. */
static uint64_t tx_command(const struct ixgbe_seg *first, const struct tx_plan *plan)
{
	const uint32_t flags = first->flags;
	const bool tso = flags & IXGBE_TX_TSO;
	uint32_t cmd = TX_CMD, options;

	options = IXGBE_FIELD_PREP(IXGBE_TXD_PAYLEN, plan->bytes - plan->header_bytes);
	if (flags & IXGBE_SEG_VLAN)
		cmd |= IXGBE_TXD_VLE;
	if (tso)
		cmd |= IXGBE_TXD_TSE;
	if (flags & TX_L4_CSUM)
		options |= IXGBE_TXD_POPTS_TXSM;
	/* Each frame that TSO cuts off needs an IPv4 checksum of its own. */
	if ((flags & IXGBE_TX_IP_CSUM) || (tso && (flags & IXGBE_TX_IPV4)))
		options |= IXGBE_TXD_POPTS_IXSM;
	return cmd | (uint64_t)options << 32;
}

/* Writes the data descriptors of a frame. */
static inline void tx_segments(struct ixgbe_txq *txq, const struct ixgbe_seg *seg,
			       const struct tx_plan *plan)
{
	uint64_t command = tx_command(seg, plan);

	for (uint32_t i = 0; i < plan->segs; i++) {
		const uint32_t len = plan->segs == 1 ? plan->bytes : seg[i].len;
		const ixgbe_iova iova = seg[i].buf->iova + seg[i].offset;
		uint32_t done = 0;

		for (; len - done > IXGBE_TX_DESC_MAX_BYTES; done += IXGBE_TX_DESC_MAX_BYTES)
			tx_desc(txq, iova + done, command | IXGBE_TX_DESC_MAX_BYTES, NULL);
		if (i == plan->segs - 1)
			command |= IXGBE_TXD_EOP;
		tx_desc(txq, iova + done, command | (len - done), seg[i].buf);
	}
}

/* Asks for a report at the last descriptor that was written, which ends a frame. The ring is not
 * read: the NIC may have written there. */
static inline void tx_report(struct ixgbe_txq *txq)
{
	const uint32_t last = (txq->next != 0 ? txq->next : txq->size) - 1;

	desc_store_half(&txq->ring[last], 1, txq->last | IXGBE_TXD_RS);
	txq->report[txq->report_next] = (uint16_t)last;
	txq->report_next = ring_wrap(txq->size, txq->report_next + 1);
}

/* Writes any frame, `unreported` descriptors behind the last report: it may need one in front of
 * it, and its own is due then, too (TX_REPORT_BATCH). Returns its segments; -EAGAIN: no room;
 * -EINVAL, -EMSGSIZE: it is no frame. */
static __attribute__((noinline)) int tx_frame(struct ixgbe_txq *txq, const struct ixgbe_seg *seg,
					      uint32_t segs, uint32_t unreported)
{
	uint64_t context[2];
	struct tx_plan plan;
	bool new_context = false;
	int err = tx_plan(txq, seg, segs, &plan);

	if (err)
		return err;
	if (seg->flags & (TX_OFFLOAD | IXGBE_SEG_VLAN)) {
		tx_context(seg, context);
		new_context = context[0] != txq->context[0] || context[1] != txq->context[1];
	}
	if (plan.descs + new_context > txq->free)
		return -EAGAIN;
	if (unreported + plan.descs + new_context > TX_REPORT_MAX)
		tx_report(txq);
	if (new_context) {
		tx_desc(txq, context[0], context[1], NULL);
		memcpy(txq->context, context, sizeof(context));
	}
	counter_add(&txq->counters.packets, 1);
	counter_add(&txq->counters.bytes, plan.bytes);
	if (plan.bytes < TX_FRAME_MIN_BYTES) {
		memset(seg->buf->data + seg->offset + seg->len, 0, TX_FRAME_MIN_BYTES - plan.bytes);
		plan.bytes = TX_FRAME_MIN_BYTES;
	}
	tx_segments(txq, seg, &plan);
	return (int)plan.segs;
}

/* The second half of a simple frame's descriptor: the length stands in DTALEN and in PAYLEN. */
#define TX_SIMPLE_CMD  (TX_CMD | IXGBE_TXD_EOP)
#define TX_LENGTH_UNIT (1 | UINT64_C(1) << (32 + 14))
static_assert(IXGBE_TXD_PAYLEN == ~0u << 14, "shifted in place");

/* Whether it is a frame of its own without offload. */
static inline bool tx_asks_nothing(const struct ixgbe_seg *seg)
{
	return (seg->flags & TX_NOTICED) == IXGBE_SEG_EOP;
}

/* `n` simple frames were written from `next` on. */
static inline uint32_t tx_written(struct ixgbe_txq *txq, uint32_t n, uint64_t bytes, uint64_t last)
{
	if (n == 0)
		return 0;
	index_store(&txq->next, ring_wrap(txq->size, txq->next + n));
	txq->free -= n;
	txq->last = last;
	counter_add(&txq->counters.packets, n);
	counter_add(&txq->counters.bytes, bytes);
	return n;
}

/*
 * Writes frames of one segment without offload, up to the first frame of another kind, and at most
 * `max`. The caller makes sure that `max` descriptors are free before the ring's end.
 */
static inline uint32_t tx_simple(struct ixgbe_txq *txq, const struct ixgbe_seg *seg, uint32_t max,
				 uint32_t max_untagged)
{
	union ixgbe_desc *desc = &txq->ring[txq->next];
	struct ixgbe_buf **const first = &txq->buf[txq->next], **slot = first;
	uint64_t sum = 0, last = txq->last;

	for (; slot < first + max; slot++, desc++, seg++) {
		struct ixgbe_buf *buf = seg->buf;
		const uint64_t len = seg->len, offset = seg->offset;

		/* One comparison for both limits of the length: below the minimum, the difference
		 * wraps around to a number above every maximum. A frame that only its tags make
		 * longer is left to tx_frame(). */
		if (!tx_asks_nothing(seg) ||
		    seg->len - TX_FRAME_MIN_BYTES > max_untagged - TX_FRAME_MIN_BYTES ||
		    offset + len > buf->size)
			break;
		last = TX_SIMPLE_CMD + len * TX_LENGTH_UNIT;
		desc_store(desc, buf->iova + offset, last);
		*slot = buf;
		sum += len;
	}
	return tx_written(txq, (uint32_t)(slot - first), sum, last);
}

/* The same, by whole groups of frames whose buffers are of one pool. */
static __attribute__((noinline)) uint32_t tx_groups(struct ixgbe_txq *txq,
						    const struct ixgbe_seg *seg, uint32_t max,
						    uint32_t max_untagged)
{
	static const struct vector_tx_terms terms = {TX_SIMPLE_CMD, TX_NOTICED, TX_FRAME_MIN_BYTES};
	const struct vector_sum sum = vector_tx(&txq->ring[txq->next], &txq->buf[txq->next], seg,
						max, &seg->buf->pool->vector, &terms, max_untagged);
	const uint32_t last = sum.n ? seg[sum.n - 1].len : 0;

	return tx_written(txq, sum.n, sum.bytes, TX_SIMPLE_CMD + last * TX_LENGTH_UNIT);
}

/* Takes back what was sent if that may be much: a few at a time would cost more than the frames. */
static inline void tx_reclaim_if_due(struct ixgbe_txq *txq)
{
	if (txq->size - 1 - txq->free >= TX_RECLAIM_BATCH)
		ixgbe_tx_reclaim(txq);
}

/* For a frame that has no room. Returns how many descriptors became free. */
static uint32_t tx_make_room(struct ixgbe_txq *txq)
{
	const uint32_t before = txq->free;

	ixgbe_tx_reclaim(txq);
	if (txq->free == before)
		counter_add(&txq->counters.restarts, 1);
	return txq->free - before;
}

uint32_t ixgbe_tx_burst(struct ixgbe_txq *txq, const struct ixgbe_seg *seg, uint32_t count,
			int *stopped)
{
	const uint32_t max_untagged = tx_max_untagged(txq);
	uint32_t taken = 0, unreported;

	*stopped = 0;
	tx_reclaim_if_due(txq);
	unreported = txq->free;
	while (taken < count) {
		const uint32_t left = count - taken;
		const uint32_t room = min_u32(txq->free, txq->size - txq->next);
		const uint32_t batch = TX_REPORT_BATCH - (unreported - txq->free);
		const uint32_t most = min_u32(min_u32(left, room), batch);
		uint32_t n = 0;

		if (most >= VECTOR_GROUP && txq->vectors && tx_asks_nothing(seg + taken))
			n = tx_groups(txq, seg + taken, most, max_untagged);
		if (n == 0)
			n = tx_simple(txq, seg + taken, most, max_untagged);
		if (n == 0) {
			int segs = tx_frame(txq, seg + taken, left, unreported - txq->free);
			const uint32_t more = segs == -EAGAIN ? tx_make_room(txq) : 0;

			if (more > 0) {
				unreported += more;
				continue;
			}
			if (segs < 0) {
				*stopped = segs;
				break;
			}
			n = (uint32_t)segs;
		}
		taken += n;
		if (unreported - txq->free >= TX_REPORT_BATCH) {
			tx_report(txq);
			unreported = txq->free;
		}
	}
	if (taken == 0)
		return 0;

	if (unreported != txq->free)
		tx_report(txq);
	txq->in_flight += taken;
	state_store(&txq->posted, txq->next);
	tail_write(&txq->tail, txq->next);
	return taken;
}

/* ---- Set-up and teardown ---- */

const struct ixgbe_queue_counters *txq_counters(const struct ixgbe_txq *txq)
{
	return &txq->counters;
}

size_t txq_ring_bytes(uint32_t size)
{
	return size * sizeof(union ixgbe_desc);
}

size_t txq_memory_bytes(uint32_t size)
{
	return sizeof(struct ixgbe_txq) + size * (sizeof(struct ixgbe_buf *) + sizeof(uint16_t));
}

int txq_new(const struct queue_place *place, const uint16_t *mtu, struct ixgbe_txq **out)
{
	struct ixgbe_txq *txq = state_alloc(place->state, txq_memory_bytes(place->size));
	int err;

	if (!txq)
		return -ENOMEM;
	/* Not the positions: a successor needs them. */
	txq->state = place->state;
	txq->dma = place->dma;
	txq->mtu = mtu;
	txq->vectors = !place->plain && vector_usable();
	txq->size = place->size;
	txq->tail = tail_of(place->backend, ixgbe_txq_reg(IXGBE_TDT, place->queue));
	txq->buf = (struct ixgbe_buf **)(txq + 1);
	txq->report = (uint16_t *)(txq->buf + txq->size);
	txq->in_flight = 0;
	err = dma_alloc(txq->dma, txq_ring_bytes(txq->size), &txq->area);
	if (err) {
		state_free(place->state, txq);
		return err;
	}
	txq->ring = txq->area.addr;
	*out = txq;
	return 0;
}

void txq_free(struct ixgbe_txq *txq)
{
	if (!txq)
		return;
	IXGBE_GUARD(txq->in_flight == 0);
	dma_release(txq->dma, &txq->area);
	state_free(txq->state, txq);
}

void txq_prepare(struct ixgbe_txq *txq)
{
	txq->next = txq->clean = txq->posted = 0;
	txq->free = txq->size - 1;
	txq->report_first = txq->report_next = 0;
	txq->context[0] = txq->context[1] = 0;
	for (uint32_t i = 0; i < txq->size; i++) {
		desc_store(&txq->ring[i], 0, 0);
		txq->buf[i] = NULL;
	}
}

/* Leaves of the reports those that are between `clean` and `posted`. The last of these has to be
 * the descriptor before `posted`: each burst ends with one. */
static int tx_reports_resume(struct ixgbe_txq *txq)
{
	const uint32_t size = txq->size, used = ring_distance(size, txq->clean, txq->posted);
	uint32_t first = txq->report_first, end = txq->report_next, at, after = 0;

	if (first >= size || end >= size)
		return -EBADMSG;
	while (first != end && ring_distance(size, txq->clean, txq->report[first]) >= used)
		first = ring_wrap(size, first + 1);
	for (at = first; at != end; at = ring_wrap(size, at + 1)) {
		const uint32_t from_clean = ring_distance(size, txq->clean, txq->report[at]);

		if (txq->report[at] >= size || (from_clean < used && from_clean < after))
			return -EBADMSG;
		if (from_clean >= used)
			break;
		after = from_clean + 1;
	}
	if (after != used)
		return -EBADMSG;
	txq->report_first = first;
	txq->report_next = at;
	return 0;
}

/* Whether the table's buffer, or none, is what the descriptor has. One that is reported may have
 * anything instead. */
static bool tx_agrees(const struct ixgbe_txq *txq, uint32_t at)
{
	const struct ixgbe_buf *buf = txq->buf[at];

	for (uint32_t looks = 0; looks < RESUME_LOOKS; looks++) {
		const uint64_t half0 = desc_load(&txq->ring[at], 0);
		const uint64_t half1 = desc_load(&txq->ring[at], 1);
		const bool data =
			IXGBE_FIELD_GET(IXGBE_TXD_DTYP, (uint32_t)half1) == IXGBE_TXD_DTYP_DATA;

		if (half1 >> 32 & IXGBE_TXD_STAT_DD ||
		    (buf ? data && half0 - buf->iova < buf->size
			 : !data || (half1 & IXGBE_TXD_DTALEN) == IXGBE_TX_DESC_MAX_BYTES))
			return true;
		usleep(RESUME_LOOK_US);
	}
	return false;
}

int txq_resume(struct ixgbe_txq *txq, const struct pool_set *pools, uint32_t *forgotten)
{
	const uint32_t size = txq->size;
	int err;

	if (txq->clean >= size || txq->posted >= size || txq->next >= size)
		return -EBADMSG;
	err = tx_reports_resume(txq);
	if (err)
		return err;
	txq->in_flight = 0;
	for (uint32_t at = txq->clean; at != txq->posted; at = ring_wrap(size, at + 1)) {
		err = txq->buf[at] ? pool_set_claim(pools, txq->buf[at]) : 0;
		if (err)
			return err;
		if (!tx_agrees(txq, at))
			return -EBADMSG;
		txq->in_flight += txq->buf[at] != NULL;
	}
	*forgotten = ring_distance(size, txq->posted, txq->next);
	index_store(&txq->next, txq->posted);
	txq->free = size - 1 - ring_distance(size, txq->clean, txq->posted);
	txq->context[0] = txq->context[1] = 0; /* the NIC's last one may be one that is forgotten */
	return 0;
}

void txq_tell(struct ixgbe_txq *txq)
{
	tail_write(&txq->tail, txq->posted);
}

struct queue_ring txq_ring(const struct ixgbe_txq *txq)
{
	return (struct queue_ring){
		.iova = txq->area.iova,
		.bytes = txq->size * IXGBE_DESC_BYTES,
		.tail = index_load(&txq->next),
	};
}

void txq_drain(struct ixgbe_txq *txq)
{
	tx_free_to(txq, txq->next);
	txq->report_first = txq->report_next;
}
