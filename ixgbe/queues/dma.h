/* SPDX-License-Identifier: MIT */
/*
 * Memory that the device can reach. Internal to libixgbe.
 *
 * An area is mapped once for us and once for the device. The allocator picks its IOVA, which is
 * never a virtual address: those do not fit an IOMMU's width.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ixgbe/backends/backend.h"

struct ixgbe_dma;

struct ixgbe_dma_area {
	void *addr;
	ixgbe_iova iova;
	size_t len;
};

int dma_new(struct ixgbe_backend *backend, struct ixgbe_dma **out);
void dma_free(struct ixgbe_dma *dma); /* unmaps what is left; takes NULL */
/* Zeroed; `addr` and `iova` are multiples of a page. -ENOMEM, -EPERM, -ENOSPC: no IOVA is free; and
 * the backend's errors. -EBADMSG: a kept area is next, and is not of this length. */
int dma_alloc(struct ixgbe_dma *dma, size_t len, struct ixgbe_dma_area *out);
void dma_release(struct ixgbe_dma *dma, struct ixgbe_dma_area *area);
/* Takes all areas back, and keeps them and their contents for those who ask next. */
void dma_keep(struct ixgbe_dma *dma);
