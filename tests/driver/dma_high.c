/* SPDX-License-Identifier: MIT */
/*
 * IOVAs at the end of what an address width of 39 bits reaches, in place of the lowest: the linker
 * has rings.c call this dma_new (-Wl,--wrap=dma_new). An address that loses its upper half anywhere
 * between the rings and the IOMMU is then another one, which nobody has mapped.
 */
#include "dma_high.h"

#include "ixgbe/backends/backend.h"
#include "ixgbe/queues/dma.h"

#define IOVA_END   (UINT64_C(1) << 39)
#define ROOM_BYTES (UINT64_C(1) << 30) /* for all rings and pools of a test */

static bool high;

int __real_dma_new(struct ixgbe_backend *backend, struct ixgbe_dma **out);
int __wrap_dma_new(struct ixgbe_backend *backend, struct ixgbe_dma **out);

static void range_at_the_end(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	(void)backend;
	*first = IOVA_END - ROOM_BYTES;
	*last = IOVA_END - 1;
}

int __wrap_dma_new(struct ixgbe_backend *backend, struct ixgbe_dma **out)
{
	const struct ixgbe_backend_ops *ops = backend->ops;
	struct ixgbe_backend_ops with_range = *ops;
	int err;

	if (!high)
		return __real_dma_new(backend, out);
	with_range.dma_range = range_at_the_end;
	backend->ops = &with_range;
	err = __real_dma_new(backend, out);
	backend->ops = ops;
	return err;
}

void dma_high_set(bool wanted)
{
	high = wanted;
}

bool dma_high_wanted(void)
{
	return high;
}
