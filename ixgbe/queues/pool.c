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
	state_free(pool->state, pool->buf);
	free(pool->stack);
	free(pool);
}

/* Cuts the area into buffers, and forgets whatever a former process left in the records. */
static void pool_cut(struct ixgbe_pool *pool, size_t stride)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		pool->buf[i] = (struct ixgbe_buf){
			.data = (uint8_t *)pool->area.addr + i * stride,
			.iova = pool->area.iova + i * stride,
			.pool = pool,
			.size = pool->size,
			.index = i,
		};
		pool->is_free[i] = true;
	}
}

static_assert(CACHE_LINE_BYTES % sizeof(struct ixgbe_buf) == 0 &&
		      POOL_COUNT_MAX <= UINT32_MAX / sizeof(struct ixgbe_buf),
	      "a scale and a distance of vector.h");

/* The first one is on top. */
void pool_settle(struct ixgbe_pool *pool)
{
	for (uint32_t i = pool->count; i-- > 0;)
		if (pool->is_free[i])
			pool->stack[pool->available++] = &pool->buf[i];
}

int pool_claim(struct ixgbe_pool *pool, const struct ixgbe_buf *buf)
{
	const uintptr_t offset = (uintptr_t)buf - (uintptr_t)pool->buf;
	const uintptr_t index = offset / sizeof(*buf);

	if (offset % sizeof(*buf) != 0 || index >= pool->count || !pool->is_free[index])
		return -EBADMSG;
	pool->is_free[index] = false;
	return 0;
}

int pool_set_claim(const struct pool_set *set, const struct ixgbe_buf *buf)
{
	for (struct ixgbe_pool *pool = set->first; pool; pool = pool->next)
		if (!pool_claim(pool, buf))
			return 0;
	return -EBADMSG;
}

size_t pool_area_bytes(uint32_t count, uint32_t size)
{
	return count * pool_stride(size);
}

size_t pool_memory_bytes(uint32_t count)
{
	return count * sizeof(struct ixgbe_buf);
}

static void pool_set_add(struct pool_set *set, struct ixgbe_pool *pool)
{
	pool->set = set;
	pool->next = set->first;
	set->first = pool;
}

static void pool_set_remove(const struct ixgbe_pool *pool)
{
	struct ixgbe_pool **at = &pool->set->first;

	while (*at != pool)
		at = &(*at)->next;
	*at = pool->next;
}

static bool pool_size_valid(uint32_t count, uint32_t size, uint32_t headroom)
{
	return count > 0 && count <= POOL_COUNT_MAX && size > 0 && size <= POOL_SIZE_MAX &&
	       headroom < size && headroom % CACHE_LINE_BYTES == 0;
}

int pool_new(const struct pool_place *place, uint32_t count, uint32_t size, uint32_t headroom,
	     struct ixgbe_pool **out)
{
	size_t stride = pool_stride(size);
	struct ixgbe_pool *pool;
	int err = -ENOMEM;

	if (!pool_size_valid(count, size, headroom))
		return -EINVAL;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->state = place->state;
	pool->stack = calloc((size_t)count + IXGBE_RING_MAX, sizeof(struct ixgbe_buf *));
	pool->buf = state_alloc(place->state, pool_memory_bytes(count));
	pool->is_free = calloc(count, sizeof(bool));
	if (!pool->stack || !pool->buf || !pool->is_free)
		goto fail;
	err = dma_alloc(place->dma, pool_area_bytes(count, size), &pool->area);
	if (err)
		goto fail;

	pool->dma = place->dma;
	pool->count = count;
	pool->size = size;
	pool->headroom = headroom;
	pool_set_add(place->set, pool);
	pool_cut(pool, stride);
	pool->vector = (struct vector_pool){
		.record = pool->buf,
		.last = pool_memory_bytes(count) - 1,
		.scale = stride / sizeof(struct ixgbe_buf),
		.iova = pool->area.iova,
		.size = size,
	};
	if (!place->resumed)
		pool_settle(pool);
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
	pool_set_remove(pool);
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

uint32_t ixgbe_bufs_get(struct ixgbe_pool *pool, struct ixgbe_seg *seg, uint32_t max)
{
	const uint32_t n = min_u32(max, pool->available);
	struct ixgbe_buf *const *from = pool_take(pool, n);

	for (uint32_t i = 0; i < n; i++)
		seg[i].buf = from[n - 1 - i];
	return n;
}

void ixgbe_bufs_put(const struct ixgbe_seg *seg, uint32_t n)
{
	const struct ixgbe_seg *const end = seg + n;

	while (seg < end) {
		struct ixgbe_pool *const pool = seg->buf->pool;
		struct ixgbe_buf **top = &pool->stack[pool->available], **const bottom = top;
		/* There is room for a ring's buffers at most. */
		const struct ixgbe_seg *const last =
			end - seg > IXGBE_RING_MAX ? seg + IXGBE_RING_MAX : end;

		for (; seg < last && seg->buf->pool == pool; seg++) {
			pool_mark(seg->buf, true);
			*top++ = seg->buf;
		}
		pool->available += (uint32_t)(top - bottom);
		IXGBE_GUARD(pool->available <= pool->count);
	}
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
