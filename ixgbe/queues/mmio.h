/* SPDX-License-Identifier: MIT */
/*
 * Memory that both sides write: descriptors and doorbells. Internal to libixgbe.
 *
 * A descriptor half is one 64-bit load or store: never torn and never read twice. The order
 * between halves, buffers and doorbells is explicit:
 *
 *     software                              device
 *     write descriptors, buffers            read tail
 *     dma_wmb()                             read descriptors
 *     write tail                            ...
 *
 *     read the half with DD                 write buffers, then descriptors
 *     dma_rmb()
 *     read the other half, the buffer
 *
 * On x86 neither barrier is an instruction: stores stay in order, also towards uncached
 * memory, and so do loads. They keep the compiler from reordering.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "ixgbe/backends/backend.h"
#include "ixgbe/tables/desc.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "descriptors and registers are little-endian, and are accessed as host words");

/* Everything written before is seen by the device before what is written after. */
static inline void dma_wmb(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb oshst" ::: "memory");
#else
	atomic_thread_fence(memory_order_release);
#endif
}

/* What is read after is no older than what was read before. */
static inline void dma_rmb(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb oshld" ::: "memory");
#else
	atomic_thread_fence(memory_order_acquire);
#endif
}

/* One half, 0 or 1, read once. */
static inline uint64_t desc_load(const union ixgbe_desc *desc, unsigned int half)
{
	return *(const volatile uint64_t *)&desc->qword[half];
}

static inline void desc_store_half(union ixgbe_desc *desc, unsigned int half, uint64_t value)
{
	*(volatile uint64_t *)&desc->qword[half] = value;
}

static inline void desc_store(union ixgbe_desc *desc, uint64_t half0, uint64_t half1)
{
	desc_store_half(desc, 0, half0);
	desc_store_half(desc, 1, half1);
}

/* A ring's tail register. */
struct tail {
	volatile uint32_t *doorbell; /* the register where it is mapped, or NULL */
	struct ixgbe_backend *backend;
	uint32_t reg;
};

static inline struct tail tail_of(struct ixgbe_backend *backend, uint32_t reg)
{
	return (struct tail){backend->ops->doorbell(backend, reg), backend, reg};
}

/* The NIC has all descriptors in front of `at` now. */
static inline void tail_write(const struct tail *tail, uint32_t at)
{
	dma_wmb();
	if (tail->doorbell)
		*tail->doorbell = at;
	else
		tail->backend->ops->write32(tail->backend, tail->reg, at);
}
