/* SPDX-License-Identifier: MIT */
/*
 * A pool's inside, for the loops of rx.c and tx.c. Internal to libixgbe.
 */
#pragma once

#include <assert.h>

#include "dma.h"
#include "ixgbe.h"

struct ixgbe_pool {
	struct ixgbe_buf **stack; /* the free buffers, the warmest on top */
	uint32_t available;
	uint32_t count;
	uint32_t size; /* bytes of a buffer */
	uint32_t headroom;
	struct ixgbe_buf *buf;
	bool *is_free; /* by index; kept for the assertions only */
	struct ixgbe_dma *dma;
	struct ixgbe_dma_area area;
};

/* The pool is not empty. */
static inline struct ixgbe_buf *pool_pop(struct ixgbe_pool *pool)
{
	struct ixgbe_buf *buf = pool->stack[--pool->available];

#ifndef NDEBUG
	assert(pool->is_free[buf->index]);
	pool->is_free[buf->index] = false;
#endif
	return buf;
}

static inline void pool_push(struct ixgbe_buf *buf)
{
	struct ixgbe_pool *pool = buf->pool;

#ifndef NDEBUG
	assert(!pool->is_free[buf->index]); /* given back twice */
	pool->is_free[buf->index] = true;
#endif
	pool->stack[pool->available++] = buf;
}
