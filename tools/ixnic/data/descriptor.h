/* SPDX-License-Identifier: MIT */
#pragma once

#include "tools/ixnic/nic.h"

/* A snapshot of a descriptor that the client may be writing: each half is loaded once. */
static inline union ixgbe_desc descriptor_load(const union ixgbe_desc *desc)
{
	union ixgbe_desc copy;

	copy.qword[1] = __atomic_load_n(&desc->qword[1], __ATOMIC_ACQUIRE);
	copy.qword[0] = __atomic_load_n(&desc->qword[0], __ATOMIC_RELAXED);
	return copy;
}

/* Writes a descriptor back: the half with DD last, after everything that was written before. */
static inline void descriptor_store(union ixgbe_desc *desc, const union ixgbe_desc *value)
{
	__atomic_store_n(&desc->qword[0], value->qword[0], __ATOMIC_RELAXED);
	__atomic_store_n(&desc->qword[1], value->qword[1], __ATOMIC_RELEASE);
}

/* Descriptor `index` of the ring at `base`; NULL, and reported, if no memory of ours is there. */
union ixgbe_desc *descriptor_at(struct nic *nic, uint64_t base, uint32_t index);
