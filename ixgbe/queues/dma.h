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
 * the backend's errors. -EBADMSG: areas are kept, and the next one is not of this length. */
int dma_alloc(struct ixgbe_dma *dma, size_t len, struct ixgbe_dma_area *out);
void dma_release(struct ixgbe_dma *dma, struct ixgbe_dma_area *area);
/* Takes all areas back, and keeps them and their contents for those who ask next. */
void dma_keep(struct ixgbe_dma *dma);

/* An area, for a process that is to have it at the same address. */
struct dma_shared {
	struct ixgbe_dma_area dma;
	size_t asked; /* what dma_alloc was asked for */
	int fd;
};

/* From now on areas lie in the arena (arena.h), and their files stay open. */
void dma_share(struct ixgbe_dma *dma);
/* Other memory, of zeroes, in place of that of all shared areas, at the same addresses and IOVAs.
 * The device does no DMA, and nobody else has the old memory mapped any more: its pages are to be
 * free for the new. On failure some areas have no memory: what is left to do is dma_free. */
int dma_replace(struct ixgbe_dma *dma);
/* How many areas there are, and the one that was the `number`th to be made. */
uint32_t dma_count(const struct ixgbe_dma *dma);
void dma_show(const struct ixgbe_dma *dma, uint32_t number, struct dma_shared *out);
/*
 * Maps an area of another process, the next one in the order of making, for us alone: the device
 * has it already. `fd` stays the caller's, and none of the numbers is trusted. -EBADMSG: they do
 * not add up; -EEXIST: its address is in use; -ENOMEM.
 */
int dma_adopt(struct ixgbe_dma *dma, const struct dma_shared *shared);
/* Areas of a keeper before this one: they are adopted before there is a backend. Until dma_take
 * they are ours alone, and dma_free unmaps them for us. NULL: no memory. */
struct ixgbe_dma *dma_empty(void);
/* Now they are the backend's, shared and kept, and `fd` has their files, which pass to them. */
void dma_take(struct ixgbe_dma *dma, struct ixgbe_backend *backend, const int *fd);
