/* SPDX-License-Identifier: MIT */
/*
 * Receive queues (sections 4.6.7, 7.1).
 *
 *       next                 fill
 *        v                    v
 *     ---[NIC][NIC][NIC][NIC][ ][ ][ ]---
 *
 * The NIC owns the `filled` descriptors from `next` up to `fill`, which is what the tail
 * register holds; the others have no buffer. A burst takes done descriptors at `next`, a
 * refill adds buffers from the pool at `fill`, many at a time, with one tail write. When the
 * pool runs dry the ring just holds less. Frames then stay in the NIC's packet buffer, or the NIC
 * drops them: see rx_program() in rings.c.
 *
 * Nothing beyond `fill` is looked at, whatever the NIC wrote there. A descriptor half is
 * loaded once, and the copy is checked. The buffer comes from our own table, never from an
 * address in the ring. A frame's descriptors are taken when the last of them is done. There is
 * no state for an unfinished frame: the next burst looks at it again. So a burst moves on when the
 * frame at `next` has its end, or is longer than any: ixgbe_rx_pending says just that.
 *
 * Most frames are one good descriptor: rx_simple() takes these, eight at a time where the processor
 * can (vector.h), and rx_frame() all the others.
 *
 * Death. The queue's record and its table of buffers may lie in memory that outlives the process
 * (queue_place.state). A successor goes on from there (rxq_resume), wherever its predecessor died:
 *
 *       taken                next                 fill
 *        v                    v                    v
 *     ---[out][out][out][out][NIC][NIC][NIC][NIC][ ][ ][ ]---
 *
 * The frames of a burst are out: the caller has them. They count as handled when it asks for the
 * next burst. Until then their descriptors and their places in the table stay as they are, the ring
 * is shorter by them, and a successor takes them once more. So `taken` is stored before a refill,
 * and `fill` after what it covers and before the tail. All else that a successor needs follows from
 * the three. It compares the table with the addresses in the ring that the NIC has not written over
 * yet: a NIC must not write into a buffer that is thought to be free.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ixgbe/tables/regs.h"
#include "mmio.h"
#include "pool.h"
#include "queue.h"
#include "vector.h"

#define unlikely(x) __builtin_expect(!!(x), 0)

/* In `taken` it stands beside the place. */
#define RX_DISCARDING (1u << 31)
/* `taken` of a queue without state memory: a burst's frames leave the ring at once. */
#define RX_NOT_KEPT UINT32_MAX

/* Descriptors without a buffer before they are refilled, with one tail write. */
#define RX_REFILL_BATCH 32u
/* How far a look goes for descriptors that were passed over. An idle ring is not read whole each
 * time. */
#define RX_SKIP_LOOK 64u
/* The shortest buffer the pool may have: SRRCTL.BSIZEPACKET counts KiB. */
#define RX_BUF_MIN_BYTES 2048u
#define RX_BUF_MAX_BYTES 16384u
/* The longest frame that the MAC lets through, less the FCS, and its descriptors: the NIC fills all
 * buffers but the last. Even a ring that waits for its refill has room for them. */
#define RX_FRAME_MAX_BYTES (IXGBE_FRAME_MAX_BYTES + IXGBE_VLAN_TAGS_BYTES - IXGBE_FCS_BYTES)
#define RX_FRAME_MAX_DESCS ((RX_FRAME_MAX_BYTES - 1) / RX_BUF_MIN_BYTES + 1)
static_assert(RX_FRAME_MAX_DESCS < RX_REFILL_BATCH, "the NIC can end each frame");

struct ixgbe_rxq {
	/* One cache line that each burst touches. */
	union ixgbe_desc *ring;
	struct ixgbe_buf **buf;       /* of each descriptor that the NIC owns */
	uint32_t size;                /* descriptors of the ring */
	uint32_t next;                /* first that the NIC owns */
	uint32_t filled;              /* how many it owns, size - 1 at most */
	struct vector_rx_terms terms; /* where the NIC writes in a buffer, and how much */
	uint16_t found_mask;          /* RX_FOUND_MASK; without VP unless tags are stripped */
	bool vectors;
	uint32_t discarding; /* RX_DISCARDING: up to the end of a frame too long to be delivered */
	/* What a refill needs besides. */
	struct ixgbe_pool *pool; /* NULL: the queue is off */
	uint32_t fill;           /* first descriptor without a buffer */
	uint32_t taken;          /* see `Death` above */
	struct tail tail;

	struct ixgbe_dma *dma;
	struct ixgbe_dma_area area;
	struct state_memory *state;
	_Alignas(64) struct ixgbe_queue_counters counters;
};

/* ---- From a descriptor to a frame's flags ---- */

/* The flags that a frame may have, by RSS type (bits 3:0) and packet type (9:4: IPV4, IPV4E, IPV6,
 * IPV6E, TCP, UDP) of dword 0. A checksum is good or bad only in a header that is there.
 * ERRATUM(udp-zero): the NIC reports an L4 error for UDP frames without a checksum, so RX_L4_BAD
 * is not allowed for UDP. ERRATUM(fragment-ip): the NIC may report an error in the IPv4 header of a
 * fragment that is right, and a fragment has no TCP or UDP type, so RX_IP_BAD is allowed only with
 * one. */
#define RX_IPV4_ALLOWED (IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD)
#define RX_TCP_ALLOWED  (IXGBE_RX_TCP | IXGBE_RX_L4_GOOD | IXGBE_RX_L4_BAD)
#define RX_UDP_ALLOWED  (IXGBE_RX_UDP | IXGBE_RX_L4_GOOD)
#define RX_BAD          (IXGBE_RX_IP_BAD | IXGBE_RX_L4_BAD)

#define RX_TYPE(i)                                                                                 \
	(IXGBE_SEG_EOP | IXGBE_SEG_VLAN | (((i)&IXGBE_RXD_RSS_TYPE) ? IXGBE_RX_RSS : 0) |          \
	 (((i) & (IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_IPV4E)) ? RX_IPV4_ALLOWED : 0) |            \
	 ((((i) & (IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_IPV4E)) &&                                 \
	   ((i) & (IXGBE_RXD_TYPE_TCP | IXGBE_RXD_TYPE_UDP)))                                      \
		  ? IXGBE_RX_IP_BAD                                                                \
		  : 0) |                                                                           \
	 (((i) & (IXGBE_RXD_TYPE_IPV6 | IXGBE_RXD_TYPE_IPV6E)) ? IXGBE_RX_IPV6 : 0) |              \
	 (((i)&IXGBE_RXD_TYPE_TCP) ? RX_TCP_ALLOWED : 0) |                                         \
	 (((i)&IXGBE_RXD_TYPE_UDP) ? RX_UDP_ALLOWED : 0))
#define RX_TYPES4(i)  RX_TYPE(i), RX_TYPE((i) + 1), RX_TYPE((i) + 2), RX_TYPE((i) + 3)
#define RX_TYPES16(i) RX_TYPES4(i), RX_TYPES4((i) + 4), RX_TYPES4((i) + 8), RX_TYPES4((i) + 12)
#define RX_TYPES64(i)                                                                              \
	RX_TYPES16(i), RX_TYPES16((i) + 16), RX_TYPES16((i) + 32), RX_TYPES16((i) + 48)
#define RX_TYPES256(i)                                                                             \
	RX_TYPES64(i), RX_TYPES64((i) + 64), RX_TYPES64((i) + 128), RX_TYPES64((i) + 192)

#define RX_TYPE_MASK 0x3ffu
static const uint16_t rx_allowed[RX_TYPE_MASK + 1] = {RX_TYPES256(0), RX_TYPES256(256),
						      RX_TYPES256(512), RX_TYPES256(768)};

/* The flags that the NIC found, by bits of dword 2: a tag was stripped (VP, 3), the checksums of
 * L4 and IPv4 were checked (L4I and IPCS, 5 and 6) and were wrong (L4E and IPE, 30 and 31). Rotated
 * by two, these bits are an index. */
#define RX_L4E        (1u << 0)
#define RX_IPE        (1u << 1)
#define RX_VP         (1u << 5)
#define RX_L4I        (1u << 7)
#define RX_IPCS       (1u << 8)
#define RX_FOUND_MASK (RX_L4E | RX_IPE | RX_VP | RX_L4I | RX_IPCS)

static_assert(IXGBE_RXD_ERR_L4E == 1u << 30 && IXGBE_RXD_ERR_IPE == 1u << 31 &&
		      IXGBE_RXD_STAT_VP == RX_VP >> 2 && IXGBE_RXD_STAT_L4I == RX_L4I >> 2 &&
		      IXGBE_RXD_STAT_IPCS == RX_IPCS >> 2,
	      "rotated by two");

#define RX_FOUND(i)                                                                                \
	[i] = IXGBE_SEG_EOP | IXGBE_RX_RSS | IXGBE_RX_IPV4 | IXGBE_RX_IPV6 | IXGBE_RX_TCP |        \
	      IXGBE_RX_UDP | (((i)&RX_VP) ? IXGBE_SEG_VLAN : 0) |                                  \
	      (((i)&RX_IPCS) ? (((i)&RX_IPE) ? IXGBE_RX_IP_BAD : IXGBE_RX_IP_GOOD) : 0) |          \
	      (((i)&RX_L4I) ? (((i)&RX_L4E) ? IXGBE_RX_L4_BAD : IXGBE_RX_L4_GOOD) : 0)
#define RX_FOUND4(i) RX_FOUND(i), RX_FOUND((i) | 1), RX_FOUND((i) | 2), RX_FOUND((i) | 3)
#define RX_FOUND16(i)                                                                              \
	RX_FOUND4(i), RX_FOUND4((i) | RX_L4I), RX_FOUND4((i) | RX_IPCS),                           \
		RX_FOUND4((i) | RX_L4I | RX_IPCS)

/* NOLINTNEXTLINE(misc-redundant-expression): one of the indices is 0 */
static const uint16_t rx_found[RX_FOUND_MASK + 1] = {RX_FOUND16(0), RX_FOUND16(RX_VP)};

/* `info` and `status` are dwords 0 and 2 of the frame's last descriptor; `mask` is the
 * queue's found_mask. */
static inline uint32_t rx_flags(uint32_t info, uint32_t status, uint32_t mask)
{
	const uint32_t found = rx_found[(status << 2 | status >> 30) & mask];

	/* With an EtherType filter's match the type is the filter's number. */
	if (unlikely(info & IXGBE_RXD_TYPE_ETQF))
		return found & rx_allowed[info & IXGBE_RXD_RSS_TYPE];
	return found & rx_allowed[info & RX_TYPE_MASK];
}

static inline uint32_t rx_len(uint64_t qword1)
{
	return (uint32_t)(qword1 >> 32) & IXGBE_RXD_LENGTH;
}

/* The fields of a frame that stand in its last segment. */
static inline void rx_last_segment(struct ixgbe_seg *seg, uint32_t found_mask, uint64_t qword0,
				   uint64_t qword1)
{
	seg->flags = rx_flags((uint32_t)qword0, (uint32_t)qword1, found_mask);
	seg->rss_hash = (uint32_t)(qword0 >> 32);
	seg->vlan = (uint16_t)(qword1 >> 48);
}

static inline void rx_first_segment(struct ixgbe_seg *seg, const struct ixgbe_seg *last)
{
	seg->flags = last->flags & ~(uint32_t)IXGBE_SEG_EOP;
	seg->rss_hash = last->rss_hash;
	seg->vlan = last->vlan;
}

/* ---- Refill ---- */

static void rx_refill(struct ixgbe_rxq *rxq)
{
	struct ixgbe_pool *pool = rxq->pool;
	uint32_t wanted = rxq->size - 1 - rxq->filled;
	uint32_t n = wanted;

	if (unlikely(!pool))
		return; /* the queue is off */
	if (unlikely(pool->available < wanted)) {
		n = pool->available;
		counter_add(&rxq->counters.alloc_failed, n == 0);
		/* A tail write for a few buffers is only worth it when the NIC is short. */
		if (n == 0 || (n < RX_REFILL_BATCH && rxq->filled >= RX_REFILL_BATCH))
			return;
	}
	rxq->filled += n;
	while (n > 0) {
		const uint32_t run = min_u32(n, rxq->size - rxq->fill),
			       headroom = rxq->terms.headroom;
		struct ixgbe_buf *const *from = pool_take(pool, run);
		struct ixgbe_buf **const to = &rxq->buf[rxq->fill];
		union ixgbe_desc *const desc = &rxq->ring[rxq->fill];
		uint32_t i = 0;

		if (rxq->vectors)
			i = vector_refill(desc, to, from, run, &pool->vector, headroom);
		for (; i < run; i++) {
			to[i] = from[i];
			desc_store(&desc[i], from[i]->iova + headroom, 0);
		}
		state_store(&rxq->fill, ring_wrap(rxq->size, rxq->fill + run));
		n -= run;
	}
	tail_write(&rxq->tail, rxq->fill);
}

/* ---- Receive ---- */

static uint32_t rx_bad(const struct ixgbe_seg *seg, uint32_t n)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < n; i++)
		bad += (seg[i].flags & RX_BAD) != 0;
	return bad;
}

/* Counts `n` frames, whose last segments are at `last` and have `flags` together. */
static inline void rx_count(struct ixgbe_rxq *rxq, const struct ixgbe_seg *last, uint32_t n,
			    uint64_t bytes, uint32_t flags)
{
	counter_add(&rxq->counters.packets, n);
	counter_add(&rxq->counters.bytes, bytes);
	if (unlikely(flags & RX_BAD))
		counter_add(&rxq->counters.csum_errors, rx_bad(last, n));
}

static inline bool rx_done(const union ixgbe_desc *desc)
{
	return desc_load(desc, 1) & IXGBE_RXD_STAT_DD;
}

/* Takes `n` descriptors and puts their buffers back. */
static void rx_drop(struct ixgbe_rxq *rxq, uint32_t n)
{
	rxq->filled -= n;
	for (; n > 0; n--) {
		pool_push(rxq->buf[rxq->next]);
		rxq->next = ring_wrap(rxq->size, rxq->next + 1);
	}
}

/* Drops descriptors up to the end of the frame; false: it is not there yet. */
static bool rx_discard(struct ixgbe_rxq *rxq)
{
	while (rxq->filled > 0) {
		uint64_t qword1 = desc_load(&rxq->ring[rxq->next], 1);

		if (!(qword1 & IXGBE_RXD_STAT_DD))
			return false;
		rx_drop(rxq, 1);
		if (qword1 & IXGBE_RXD_STAT_EOP) {
			rxq->discarding = 0;
			return true;
		}
	}
	return false;
}

/* Drops the first `n` descriptors of a frame that will not be delivered, and the rest. The NIC
 * fills each buffer before it takes the next: as many that are done, without an end and not full,
 * were never written. */
static int rx_overlong(struct ixgbe_rxq *rxq, uint32_t n, uint32_t bytes)
{
	counter_add(&rxq->counters.errors, 1);
	counter_add(&rxq->counters.hollow,
		    n == RX_FRAME_MAX_DESCS && bytes < n * rxq->terms.buf_bytes);
	rx_drop(rxq, n);
	rxq->discarding = RX_DISCARDING;
	return rx_discard(rxq) ? 0 : -EAGAIN;
}

/* Whether a frame whose first `n` descriptors have no end, and `bytes` bytes, is longer than any.
 */
static inline bool rx_hopeless(uint32_t n, uint32_t bytes)
{
	return n == RX_FRAME_MAX_DESCS || bytes > RX_FRAME_MAX_BYTES;
}

/*
 * Takes the frame at `next`, of any number of descriptors, into `room` segments. Returns
 * their number; 0: it was dropped; -EAGAIN: it is not complete, or needs more room than
 * the frames before it left (`room` < `max`).
 */
static __attribute__((noinline)) int rx_frame(struct ixgbe_rxq *rxq, struct ixgbe_seg *seg,
					      uint32_t room, uint32_t max)
{
	uint32_t at = rxq->next, n = 0, bytes = 0;
	uint64_t qword0, qword1;
	bool broken = false;

	do {
		/* Longer than any, or than a whole burst. */
		if (rx_hopeless(n, bytes) || (n == room && room == max))
			return rx_overlong(rxq, n, bytes);
		if (n == rxq->filled || n == room)
			return -EAGAIN;
		qword1 = desc_load(&rxq->ring[at], 1);
		if (!(qword1 & IXGBE_RXD_STAT_DD))
			return -EAGAIN;
		dma_rmb();
		qword0 = desc_load(&rxq->ring[at], 0);

		broken |= rx_len(qword1) - 1 >= rxq->terms.buf_bytes;
		bytes += rx_len(qword1);
		seg[n] = (struct ixgbe_seg){
			.buf = rxq->buf[at],
			.offset = rxq->terms.headroom,
			.len = rx_len(qword1),
		};
		at = ring_wrap(rxq->size, at + 1);
		n++;
	} while (!(qword1 & IXGBE_RXD_STAT_EOP));
	rx_last_segment(&seg[n - 1], rxq->found_mask, qword0, qword1);
	if (n > 1)
		rx_first_segment(&seg[0], &seg[n - 1]);

	if (broken || bytes > RX_FRAME_MAX_BYTES || (qword1 & IXGBE_RXD_ERR_RXE)) {
		counter_add(&rxq->counters.errors, 1);
		rx_drop(rxq, n);
		return 0;
	}
	rxq->next = at;
	rxq->filled -= n;
	rx_count(rxq, &seg[n - 1], 1, bytes, seg[n - 1].flags);
	return (int)n;
}

/* `n` frames of one descriptor each were taken from `next` on. */
static inline uint32_t rx_taken(struct ixgbe_rxq *rxq, const struct ixgbe_seg *seg, uint32_t n,
				uint64_t bytes, uint32_t flags)
{
	if (n == 0)
		return 0;
	rxq->next = ring_wrap(rxq->size, rxq->next + n);
	rxq->filled -= n;
	rx_count(rxq, seg, n, bytes, flags);
	return n;
}

/*
 * Takes good frames of one descriptor, as many as follow each other from `next` on, at most
 * `max` and not beyond the ring's end.
 */
static inline uint32_t rx_simple(struct ixgbe_rxq *rxq, struct ixgbe_seg *seg, uint32_t max)
{
	const uint64_t must = IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP;
	const uint32_t headroom = rxq->terms.headroom, buf_bytes = rxq->terms.buf_bytes;
	const uint32_t mask = rxq->found_mask;
	const union ixgbe_desc *desc = &rxq->ring[rxq->next];
	struct ixgbe_buf *const *const first = &rxq->buf[rxq->next];
	struct ixgbe_buf *const *buf = first;
	uint64_t sum = 0;
	uint32_t flags = 0, n;

	for (; buf < first + max; buf++, desc++, seg++) {
		const uint64_t qword1 = desc_load(desc, 1);

		if ((qword1 & (must | IXGBE_RXD_ERR_RXE)) != must ||
		    rx_len(qword1) - 1 >= buf_bytes)
			break;
		seg->len = rx_len(qword1);
		dma_rmb();
		seg->buf = *buf;
		seg->offset = headroom;
		rx_last_segment(seg, mask, desc_load(desc, 0), qword1);
		sum += rx_len(qword1);
		flags |= seg->flags;
	}
	n = (uint32_t)(buf - first);
	return rx_taken(rxq, seg - n, n, sum, flags);
}

/* The same, by whole groups. */
static __attribute__((noinline)) uint32_t rx_groups(struct ixgbe_rxq *rxq, struct ixgbe_seg *seg,
						    uint32_t max)
{
	const struct vector_sum sum =
		vector_rx(&rxq->ring[rxq->next], &rxq->buf[rxq->next], seg, max, &rxq->terms);

	return rx_taken(rxq, seg, sum.n, sum.bytes, sum.flags);
}

/* Whether there is a whole group most likely. */
static inline bool rx_group_there(const struct ixgbe_rxq *rxq, uint32_t max)
{
	return max >= VECTOR_RX_GROUP && rxq->vectors &&
	       rx_done(&rxq->ring[rxq->next + VECTOR_RX_GROUP - 1]);
}

static inline void rx_refill_if_due(struct ixgbe_rxq *rxq)
{
	if (rxq->size - 1 - rxq->filled >= RX_REFILL_BATCH)
		rx_refill(rxq);
}

/* Nothing is out any more: its places in the ring may be filled again. */
static inline void rx_handled(struct ixgbe_rxq *rxq)
{
	state_store(&rxq->taken, rxq->next | rxq->discarding);
	rx_refill_if_due(rxq);
}

uint32_t ixgbe_rx_burst(struct ixgbe_rxq *rxq, struct ixgbe_seg *seg, uint32_t max)
{
	uint32_t n = 0;

	if (rxq->taken != RX_NOT_KEPT)
		rx_handled(rxq);
	if (unlikely(rxq->discarding) && !rx_discard(rxq))
		max = 0;

	while (n < max && rxq->filled > 0) {
		const uint32_t run = min_u32(min_u32(max - n, rxq->filled), rxq->size - rxq->next);
		uint32_t simple;
		int segs;

		if (rx_group_there(rxq, run) && (simple = rx_groups(rxq, &seg[n], run)) > 0) {
			n += simple;
			continue;
		}
		simple = rx_simple(rxq, &seg[n], run);
		n += simple;
		if (simple == run)
			continue;
		if (!rx_done(&rxq->ring[rxq->next]))
			break;
		segs = rx_frame(rxq, &seg[n], max - n, max);
		if (segs < 0)
			break;
		n += (uint32_t)segs;
	}

	if (rxq->taken != RX_NOT_KEPT) {
		if (n == 0)
			rx_handled(rxq);
	} else {
		rx_refill_if_due(rxq);
	}
	return n;
}

/* Whether the NIC has begun a frame at `next`, and whether a burst moves on there. */
static bool rx_begun(const struct ixgbe_rxq *rxq, bool *moves)
{
	uint32_t at = rxq->next, bytes = 0, n;

	*moves = false;
	for (n = 0; n < rxq->filled && !*moves; n++) {
		const uint64_t qword1 = desc_load(&rxq->ring[at], 1);

		if (!(qword1 & IXGBE_RXD_STAT_DD))
			break;
		bytes += rx_len(qword1);
		*moves =
			qword1 & IXGBE_RXD_STAT_EOP || rxq->discarding || rx_hopeless(n + 1, bytes);
		at = ring_wrap(rxq->size, at + 1);
	}
	return n > 0;
}

bool ixgbe_rx_pending(const struct ixgbe_rxq *rxq)
{
	bool moves;

	rx_begun(rxq, &moves);
	return moves;
}

bool ixgbe_rx_unfinished(const struct ixgbe_rxq *rxq)
{
	bool moves;
	const bool begun = rx_begun(rxq, &moves);

	return !moves && (begun || rxq->discarding);
}

uint64_t ixgbe_rx_ended(const struct ixgbe_rxq *rxq)
{
	const struct ixgbe_queue_counters *counters = &rxq->counters;

	return atomic_load_explicit(&counters->packets, memory_order_relaxed) +
	       atomic_load_explicit(&counters->errors, memory_order_relaxed);
}

bool rxq_skipped(const struct ixgbe_rxq *rxq)
{
	const uint32_t taken = __atomic_load_n(&rxq->taken, __ATOMIC_RELAXED);
	const uint32_t fill = __atomic_load_n(&rxq->fill, __ATOMIC_RELAXED);
	uint32_t at = taken == RX_NOT_KEPT ? __atomic_load_n(&rxq->next, __ATOMIC_RELAXED)
					   : taken & ~RX_DISCARDING;

	if (at == fill || rx_done(&rxq->ring[at]))
		return false;
	for (uint32_t n = 1; n < rxq->size && n <= RX_SKIP_LOOK; n++) {
		at = ring_wrap(rxq->size, at + 1);
		if (at == fill)
			return false;
		if (rx_done(&rxq->ring[at]))
			return true;
	}
	return false;
}

/* ---- Set-up and teardown ---- */

const struct ixgbe_queue_counters *rxq_counters(const struct ixgbe_rxq *rxq)
{
	return &rxq->counters;
}

size_t rxq_ring_bytes(uint32_t size)
{
	return size * sizeof(union ixgbe_desc);
}

size_t rxq_memory_bytes(uint32_t size)
{
	return sizeof(struct ixgbe_rxq) + size * sizeof(struct ixgbe_buf *);
}

int rxq_new(const struct queue_place *place, bool vlan_strip, struct ixgbe_rxq **out)
{
	struct ixgbe_rxq *rxq = state_alloc(place->state, rxq_memory_bytes(place->size));
	int err;

	if (!rxq)
		return -ENOMEM;
	/* Not the positions: a successor needs them. */
	rxq->state = place->state;
	rxq->pool = NULL;
	rxq->dma = place->dma;
	rxq->size = place->size;
	rxq->found_mask = vlan_strip ? RX_FOUND_MASK : RX_FOUND_MASK & ~RX_VP;
	rxq->terms.status = IXGBE_SEG_EOP | (vlan_strip ? IXGBE_SEG_VLAN : 0);
	rxq->vectors = !place->plain && vector_usable();
	rxq->tail = tail_of(place->backend, ixgbe_rxq_reg(IXGBE_RDT, place->queue));
	rxq->buf = (struct ixgbe_buf **)(rxq + 1);
	rxq->filled = 0;
	err = dma_alloc(rxq->dma, rxq_ring_bytes(rxq->size), &rxq->area);
	if (err) {
		state_free(place->state, rxq);
		return err;
	}
	rxq->ring = rxq->area.addr;
	*out = rxq;
	return 0;
}

void rxq_free(struct ixgbe_rxq *rxq)
{
	if (!rxq)
		return;
	IXGBE_GUARD(rxq->filled == 0);
	dma_release(rxq->dma, &rxq->area);
	state_free(rxq->state, rxq);
}

static int rx_pool_set(struct ixgbe_rxq *rxq, struct ixgbe_pool *pool)
{
	if (pool->size - pool->headroom < RX_BUF_MIN_BYTES || pool->count <= rxq->size)
		return -EINVAL;
	rxq->pool = pool;
	rxq->terms.headroom = pool->headroom;
	rxq->terms.buf_bytes = min_u32((pool->size - pool->headroom) & ~1023u, RX_BUF_MAX_BYTES);
	return 0;
}

int rxq_prepare(struct ixgbe_rxq *rxq, struct ixgbe_pool *pool)
{
	int err = rx_pool_set(rxq, pool);

	if (err)
		return err;
	rxq->next = rxq->fill = rxq->filled = 0;
	rxq->taken = rxq->state ? 0 : RX_NOT_KEPT;
	rxq->discarding = 0;
	for (uint32_t i = 0; i < rxq->size; i++)
		desc_store(&rxq->ring[i], 0, 0);
	return 0;
}

/* Whether the NIC has the buffer that the table says, as far as the ring tells: the NIC writes the
 * frame's fields over the address, of which one look may find a part only. */
static bool rx_agrees(const struct ixgbe_rxq *rxq, uint32_t at)
{
	const union ixgbe_desc *desc = &rxq->ring[at];

	for (uint32_t looks = 0; looks < RESUME_LOOKS; looks++) {
		if (desc_load(desc, 0) == rxq->buf[at]->iova + rxq->terms.headroom || rx_done(desc))
			return true;
		usleep(RESUME_LOOK_US);
	}
	return false;
}

int rxq_resume(struct ixgbe_rxq *rxq, struct ixgbe_pool *pool, uint32_t *repeated)
{
	const uint32_t taken = rxq->taken & ~RX_DISCARDING, next = rxq->next;
	const uint32_t fill = rxq->fill;

	if (taken >= rxq->size || next >= rxq->size || fill >= rxq->size ||
	    ring_distance(rxq->size, taken, next) > ring_distance(rxq->size, taken, fill))
		return -EBADMSG;
	if (rx_pool_set(rxq, pool))
		return -EBADMSG;
	for (uint32_t at = taken; at != fill; at = ring_wrap(rxq->size, at + 1)) {
		int err = pool_claim(pool, rxq->buf[at]);

		if (err)
			return err;
		if (!rx_agrees(rxq, at))
			return -EBADMSG;
	}
	rxq->discarding = rxq->taken & RX_DISCARDING;
	rxq->next = taken;
	rxq->filled = ring_distance(rxq->size, taken, fill);
	*repeated = ring_distance(rxq->size, taken, next);
	return 0;
}

void rxq_tell(struct ixgbe_rxq *rxq)
{
	tail_write(&rxq->tail, rxq->fill);
}

struct queue_ring rxq_ring(const struct ixgbe_rxq *rxq)
{
	return (struct queue_ring){
		.iova = rxq->area.iova,
		.bytes = rxq->size * IXGBE_DESC_BYTES,
		.tail = rxq->fill,
	};
}

uint32_t rxq_buf_bytes(const struct ixgbe_rxq *rxq)
{
	return rxq->terms.buf_bytes;
}

void rxq_fill(struct ixgbe_rxq *rxq)
{
	rx_refill(rxq);
}

void rxq_drain(struct ixgbe_rxq *rxq)
{
	rx_drop(rxq, rxq->filled);
	rxq->pool = NULL;
}
