/* SPDX-License-Identifier: MIT */
#include "descriptor.h"

#include "tools/ixnic/bus/memory.h"

union ixgbe_desc *descriptor_at(struct nic *nic, uint64_t base, uint32_t index)
{
	uint64_t iova = base + (uint64_t)index * IXGBE_DESC_BYTES;
	void *desc = memory_at(nic, iova, IXGBE_DESC_BYTES, true);

	if (desc && (uintptr_t)desc % sizeof(uint64_t) == 0)
		return desc;
	if (memory_enabled(nic)) {
		memory_refused(nic);
		memory_fault(nic, iova, "descriptor", index);
	}
	return NULL;
}
