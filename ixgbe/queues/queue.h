/* SPDX-License-Identifier: MIT */
/*
 * What the loops of rx.c and tx.c share. Internal to libixgbe.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The place behind `at - 1` in a circle of `size`. */
static inline uint32_t ring_wrap(uint32_t size, uint32_t at)
{
	return at == size ? 0 : at;
}

/* A counter has one writer, which needs no locked addition. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}
