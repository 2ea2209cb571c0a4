/* SPDX-License-Identifier: MIT */
/* A pool's inside, for the loops of rx.c and tx.c. Internal to libixgbe. */
#pragma once

#include <string.h>

#include "dma.h"
#include "ixgbe/ixgbe.h"
#include "ixgbe/tables/guard.h"

struct ixgbe_pool {
	/* The free buffers; the last one used is on top. pool_push_many() writes before it checks
	 * the number: there is room for a ring's buffers behind the first `count`. */
	struct ixgbe_buf **stack;
	uint32_t available;
	uint32_t count;
	uint32_t size; /* bytes of a buffer */
	uint32_t headroom;
	struct ixgbe_buf *buf;
	bool *is_free; /* by index; kept for the assertions only */
	struct ixgbe_dma *dma;
	struct ixgbe_dma_area area;
};

/* See ixgbe_pool_new. */
int pool_new(struct ixgbe_dma *dma, uint32_t count, uint32_t size, uint32_t headroom,
	     struct ixgbe_pool **out);

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

/* The caller makes sure that there are `n`. */
static inline void pool_pop_many(struct ixgbe_pool *pool, struct ixgbe_buf **to, uint32_t n)
{
	pool->available -= n;
	memcpy(to, &pool->stack[pool->available], n * sizeof(*to));
	for (uint32_t i = 0; i < n; i++)
		pool_mark(to[i], false);
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
static inline uint32_t pool_push_many(struct ixgbe_buf *const *at, uint32_t n)
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
		do {
			pool_mark(buf, true);
			*top++ = buf;
		} while (++at < end && (buf = *at) != NULL && buf->pool == pool);
		pool->available += (uint32_t)(top - bottom);
		IXGBE_GUARD(pool->available <= pool->count); /* one check for all: see `stack` */
		pushed += (uint32_t)(top - bottom);
	}
	return pushed;
}
