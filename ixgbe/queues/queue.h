/* SPDX-License-Identifier: MIT */
/*
 * queues: the way of a frame between rings and buffers. Internal to libixgbe.
 *
 * A queue here is memory: a ring of descriptors, the buffers in it, and how far both sides are.
 * The only register that is written is the tail. Who programs a ring into the NIC, and waits for
 * the NIC to take it, is ixgbe/rings.c.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     rx.c       received frames out of their ring, buffers into it; counts them
 *     tx.c       frames into their ring, sent buffers out of it; counts them
 *       |
 *     pool.c     DMA buffers that are free; pool.h takes and gives back inside the loops
 *     vector.c   the inner loops of the three, several descriptors at a time
 *       |
 *     dma.c      memory that the NIC can reach, and its addresses
 *     state_memory.c  memory that outlives the process
 *       |
 *     arena.c    memory at the same addresses in several processes
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dma.h"
#include "state_memory.h"

/* Descriptors of a ring: the NIC takes no more (8.2.3.8.3, 8.2.3.9.7). */
#define IXGBE_RING_MAX 8192u

/* How long a descriptor is looked at that the NIC may be writing just now. */
#define RESUME_LOOKS   100u
#define RESUME_LOOK_US 100u

/* What a queue is made from. Backend and DMA memory outlive the queue. */
struct queue_place {
	struct ixgbe_backend *backend; /* writes the tail where it is not mapped */
	struct ixgbe_dma *dma;
	uint16_t queue;             /* its number */
	uint32_t size;              /* descriptors of its ring */
	struct state_memory *state; /* outlives the process, or NULL */
	bool plain;                 /* without the loops of vector.h */
};

struct pool_set;

/* A ring as the NIC is told of it. */
struct queue_ring {
	ixgbe_iova iova;
	uint32_t bytes;
	uint32_t tail; /* the first descriptor that is not the NIC's */
};

/* What a queue counts itself; read by any thread (relaxed). */
struct ixgbe_queue_counters {
	_Atomic uint64_t packets, bytes;
	_Atomic uint64_t errors;       /* RX: broken, too long, or of descriptors without sense */
	_Atomic uint64_t csum_errors;  /* RX */
	_Atomic uint64_t alloc_failed; /* RX: refills that found the pool empty */
	_Atomic uint64_t restarts;     /* TX: bursts that found the ring full */
	_Atomic uint64_t hollow;       /* RX: of the errors, those that only a broken NIC makes */
};

/* ---- rx.c ---- */

int rxq_new(const struct queue_place *place, bool vlan_strip, struct ixgbe_rxq **out);
/* The caller makes sure that the NIC does not use the ring, here and in rxq_drain. Takes NULL. */
void rxq_free(struct ixgbe_rxq *rxq);
/* Empties the ring, whose buffers are to come from `pool`. -EINVAL: the pool has too few buffers,
 * or too small ones. */
int rxq_prepare(struct ixgbe_rxq *rxq, struct ixgbe_pool *pool);
struct queue_ring rxq_ring(const struct ixgbe_rxq *rxq);
/* How much the NIC may write into a buffer: a multiple of 1 KiB. */
uint32_t rxq_buf_bytes(const struct ixgbe_rxq *rxq);
/* Fills the ring and writes the tail. The caller has enabled the ring before (4.6.7.1). */
void rxq_fill(struct ixgbe_rxq *rxq);
/* Gives all buffers back to the pool. */
void rxq_drain(struct ixgbe_rxq *rxq);
/*
 * Instead of rxq_prepare, for a ring that the NIC goes on using since a former process died: claims
 * its buffers from `pool`. *repeated: how many descriptors' frames that process had taken and may
 * have handled; the next burst begins with them. -EBADMSG: the record does not add up; *repeated is
 * untouched, and the NIC must be reset.
 */
int rxq_resume(struct ixgbe_rxq *rxq, struct ixgbe_pool *pool, uint32_t *repeated);
/* Writes the tail, which a former process may not have got to. */
void rxq_tell(struct ixgbe_rxq *rxq);
/* What a queue with a ring of `size` takes of state memory and of DMA memory. */
size_t rxq_memory_bytes(uint32_t size);
size_t rxq_ring_bytes(uint32_t size);
const struct ixgbe_queue_counters *rxq_counters(const struct ixgbe_rxq *rxq);
/* Whether the NIC is done with later descriptors, some of the next 64, and not with the next one.
 * Runs beside the queue's thread: what changes meanwhile may be seen half. */
bool rxq_skipped(const struct ixgbe_rxq *rxq);

/* ---- tx.c ---- */

/* `mtu` is read at each burst, since it changes while frames are sent. */
int txq_new(const struct queue_place *place, const uint16_t *mtu, struct ixgbe_txq **out);
/* The caller makes sure that the NIC does not use the ring, here and in txq_drain. Takes NULL. */
void txq_free(struct ixgbe_txq *txq);
/* Empties the ring. */
void txq_prepare(struct ixgbe_txq *txq);
struct queue_ring txq_ring(const struct ixgbe_txq *txq);
/* Gives all buffers back, sent or not. */
void txq_drain(struct ixgbe_txq *txq);
/* As for receive queues. *forgotten: descriptors that the former process had written and not
 * posted; their buffers are claimed by nobody. */
int txq_resume(struct ixgbe_txq *txq, const struct pool_set *pools, uint32_t *forgotten);
void txq_tell(struct ixgbe_txq *txq);
size_t txq_memory_bytes(uint32_t size);
size_t txq_ring_bytes(uint32_t size);
const struct ixgbe_queue_counters *txq_counters(const struct ixgbe_txq *txq);

/* How the control thread saw a transmit queue last; all 0: not yet. */
struct txq_watch {
	uint32_t laps, clean;
	uint32_t head;  /* of the NIC, by whoever reads it */
	bool waited;    /* frames were in the ring */
	bool restarted; /* the queue was, and no frame has come back since */
	uint64_t since_us, seen_us;
};
/* After a longer pause between two looks the time begins anew: the process may have slept. */
#define TXQ_WATCH_GAP_US 3000000u
/* For how long frames have been in the ring without one coming back, as far as the looks at
 * `now_us` tell. Runs beside the queue's thread. A caller that sets since_us to now begins anew. */
uint64_t txq_stuck_us(const struct ixgbe_txq *txq, struct txq_watch *watch, uint64_t now_us);

/* ---- For the loops of both ---- */

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The place behind `at - 1` in a circle of `size`. */
static inline uint32_t ring_wrap(uint32_t size, uint32_t at)
{
	return at == size ? 0 : at;
}

/* From one place up to another. */
static inline uint32_t ring_distance(uint32_t size, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : size - from + to;
}

/* A counter has one writer, which needs no locked addition. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}
