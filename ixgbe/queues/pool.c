/* SPDX-License-Identifier: MIT */
/*
 * DMA buffers in pools.
 *
 * A pool is one DMA area cut into equal buffers, and a stack of those that are free. Last
 * in, first out: the buffer that is taken next was touched last and is still in the cache.
 * Stack and records of the buffers are in ordinary memory, where the device cannot reach them.
 */
#include <errno.h>
#include <stdlib.h>

#include "ixgbe/tables/desc.h"
#include "pool.h"
#include "queue.h"

#define CACHE_LINE_BYTES 64u
#define POOL_COUNT_MAX   (1u << 20)
#define POOL_SIZE_MAX    (1u << 20) /* bytes of a buffer */

/* From one buffer to the next: an odd number of cache lines. Were it a power of two, the
 * first lines of all buffers, which hold the headers that everybody reads, would compete
 * for the same few sets of the cache. */
static size_t pool_stride(uint32_t size)
{
	size_t lines = (size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES;

	return (lines | 1) * CACHE_LINE_BYTES;
}

static void pool_free_records(struct ixgbe_pool *pool)
{
	free(pool->is_free);
	free(pool->buf);
	free(pool->stack);
	free(pool);
}

/* Cuts the area into buffers, all of them free, the first on top. */
static void pool_cut(struct ixgbe_pool *pool, size_t stride)
{
	for (uint32_t i = 0; i < pool->count; i++)
		pool->buf[i] = (struct ixgbe_buf){
			.data = (uint8_t *)pool->area.addr + i * stride,
			.iova = pool->area.iova + i * stride,
			.pool = pool,
			.size = pool->size,
			.index = i,
		};
	for (uint32_t i = pool->count; i-- > 0;)
		pool_push(&pool->buf[i]);
}

int pool_new(struct ixgbe_dma *dma, uint32_t count, uint32_t size, uint32_t headroom,
	     struct ixgbe_pool **out)
{
	size_t stride = pool_stride(size);
	struct ixgbe_pool *pool;
	int err = -ENOMEM;

	if (count == 0 || count > POOL_COUNT_MAX || size == 0 || size > POOL_SIZE_MAX ||
	    headroom >= size || headroom % CACHE_LINE_BYTES != 0)
		return -EINVAL;

	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->stack = calloc((size_t)count + IXGBE_RING_MAX, sizeof(struct ixgbe_buf *));
	pool->buf = calloc(count, sizeof(struct ixgbe_buf));
	pool->is_free = calloc(count, sizeof(bool));
	if (!pool->stack || !pool->buf || !pool->is_free)
		goto fail;
	err = dma_alloc(dma, count * stride, &pool->area);
	if (err)
		goto fail;

	pool->dma = dma;
	pool->count = count;
	pool->size = size;
	pool->headroom = headroom;
	pool_cut(pool, stride);
	*out = pool;
	return 0;

fail:
	pool_free_records(pool);
	return err;
}

void ixgbe_pool_free(struct ixgbe_pool *pool)
{
	if (!pool)
		return;
	IXGBE_GUARD(pool->available == pool->count);
	dma_release(pool->dma, &pool->area);
	pool_free_records(pool);
}

struct ixgbe_buf *ixgbe_buf_get(struct ixgbe_pool *pool)
{
	return pool->available != 0 ? pool_pop(pool) : NULL;
}

void ixgbe_buf_put(struct ixgbe_buf *buf)
{
	pool_push(buf);
}

struct ixgbe_buf *ixgbe_pool_at(struct ixgbe_pool *pool, uint32_t index)
{
	return index < pool->count ? &pool->buf[index] : NULL;
}

uint32_t ixgbe_pool_count(const struct ixgbe_pool *pool)
{
	return pool->count;
}

uint32_t ixgbe_pool_available(const struct ixgbe_pool *pool)
{
	return pool->available;
}
