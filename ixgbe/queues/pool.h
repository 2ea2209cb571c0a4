/* SPDX-License-Identifier: MIT */
/* A pool's inside, for the loops of rx.c and tx.c. Internal to libixgbe. */
#pragma once

#include <string.h>

#include "dma.h"
#include "state_memory.h"
#include "vector.h"
#include "ixgbe/ixgbe.h"
#include "ixgbe/tables/guard.h"

/* The pools of a port. */
struct pool_set {
	struct ixgbe_pool *first;
};

struct ixgbe_pool {
	struct ixgbe_pool *next; /* of the set */
	struct pool_set *set;
	struct state_memory *state;
	/* The free buffers; the last one used is on top. pool_push_many() writes before it checks
	 * the number: there is room for a ring's buffers behind the first `count`. */
	struct ixgbe_buf **stack;
	uint32_t available;
	uint32_t count;
	uint32_t size; /* bytes of a buffer */
	uint32_t headroom;
	struct ixgbe_buf *buf;
	struct vector_pool vector;
	/* By index. Kept for the assertions only, once the pool is in use; before, for claims. */
	bool *is_free;
	struct ixgbe_dma *dma;
	struct ixgbe_dma_area area;
};

/* What a pool is made from, and outlives it. */
struct pool_place {
	struct ixgbe_dma *dma;
	struct pool_set *set;
	struct state_memory *state; /* or NULL */
	bool resumed;               /* the state memory is a former process's */
};

/*
 * See ixgbe_pool_new. The buffers' records are what queues keep of buffers, so they lie in state
 * memory, where each process finds them at the same address. A resumed pool has no buffer available
 * until pool_settle.
 */
int pool_new(const struct pool_place *place, uint32_t count, uint32_t size, uint32_t headroom,
	     struct ixgbe_pool **out);

/*
 * Says that a buffer of a resumed pool is in use. `buf` is what a former process left, and is
 * looked at only if it is a record of the pool. -EBADMSG: it is none, or is claimed already.
 */
int pool_claim(struct ixgbe_pool *pool, const struct ixgbe_buf *buf);
/* The same for whichever pool it is of. */
int pool_set_claim(const struct pool_set *set, const struct ixgbe_buf *buf);
/* Makes all that nobody claimed available. */
void pool_settle(struct ixgbe_pool *pool);
/* What a pool takes of state memory and of DMA memory. */
size_t pool_memory_bytes(uint32_t count);
size_t pool_area_bytes(uint32_t count, uint32_t size);

static inline void pool_mark(const struct ixgbe_buf *buf, bool is_free)
{
#ifndef NDEBUG
	assert(buf->pool->is_free[buf->index] != is_free); /* given back twice, or taken twice */
	buf->pool->is_free[buf->index] = is_free;
#else
	(void)buf;
	(void)is_free;
#endif
}

/* The caller makes sure that there is one. */
static inline struct ixgbe_buf *pool_pop(struct ixgbe_pool *pool)
{
	struct ixgbe_buf *buf = pool->stack[--pool->available];

	pool_mark(buf, false);
	return buf;
}

/* Takes `n` buffers; the caller makes sure that there are as many. They stand there until others
 * are given back. */
static inline struct ixgbe_buf *const *pool_take(struct ixgbe_pool *pool, uint32_t n)
{
	pool->available -= n;
	for (uint32_t i = 0; i < n; i++)
		pool_mark(pool->stack[pool->available + i], false);
	return &pool->stack[pool->available];
}

static inline void pool_push(struct ixgbe_buf *buf)
{
	struct ixgbe_pool *pool = buf->pool;

	pool_mark(buf, true);
	IXGBE_GUARD(pool->available < pool->count);
	pool->stack[pool->available++] = buf;
}

/* Gives back `n` buffers of any pools, at most a ring's, most likely of one; NULLs are skipped.
 * Returns how many there were. */
static inline uint32_t pool_push_many(struct ixgbe_buf *const *at, uint32_t n, bool vectors)
{
	struct ixgbe_buf *const *const end = at + n;
	uint32_t pushed = 0;

	while (at < end) {
		struct ixgbe_pool *pool;
		struct ixgbe_buf **top, **bottom, *buf = *at;

		if (!buf) {
			at++;
			continue;
		}
		pool = buf->pool;
		top = bottom = &pool->stack[pool->available];
		if (vectors && end - at >= VECTOR_GROUP)
			top += vector_put(top, at, (uint32_t)(end - at), &pool->vector);
		for (at += top - bottom; at < end && (buf = *at) != NULL && buf->pool == pool; at++)
			*top++ = buf;
		for (struct ixgbe_buf **given = bottom; given < top; given++)
			pool_mark(*given, true);
		pool->available += (uint32_t)(top - bottom);
		IXGBE_GUARD(pool->available <= pool->count); /* one check for all: see `stack` */
		pushed += (uint32_t)(top - bottom);
	}
	return pushed;
}
