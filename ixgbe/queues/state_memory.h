/* SPDX-License-Identifier: MIT */
/*
 * State memory: what of queues and pools outlives the process that drives them. Internal to
 * libixgbe.
 *
 * It lies where the device cannot reach it, and at the same address in each process that drives
 * the port in turn: records point to each other. It is dealt out from its beginning. Each process
 * asks for the same pieces in the same order, so each piece is where the predecessor had it.
 *
 * A process dies between any two instructions. What it stored before is there, in the order of the
 * program. So every record says in which order its fields are stored, and a successor takes nothing
 * for true that does not add up.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct state_memory {
	uint8_t *at;
	size_t bytes, used;
};

/* `bytes` on a cache line; as the predecessor left them, or zeroes. Without state memory (NULL)
 * they are the process's own, and zeroes. NULL: there are not as many. */
void *state_alloc(struct state_memory *state, size_t bytes);
/* Does nothing for a piece of state memory. */
void state_free(struct state_memory *state, void *piece);

/* A store that comes after all those before it in the program and before all those behind it. */
static inline void state_store(uint32_t *to, uint32_t value)
{
	atomic_signal_fence(memory_order_seq_cst);
	__atomic_store_n(to, value, __ATOMIC_RELAXED);
	atomic_signal_fence(memory_order_seq_cst);
}
