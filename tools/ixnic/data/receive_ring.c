/* SPDX-License-Identifier: MIT */
#include "receive_ring.h"

#include <string.h>

#include "data.h"
#include "descriptor.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/violations.h"

struct receive_ring receive_ring_of(const struct nic *nic, uint32_t queue)
{
	uint32_t tail = rxq_value(nic, IXGBE_RDT, queue);
	struct receive_ring ring = {
		.base = (uint64_t)rxq_value(nic, IXGBE_RDBAH, queue) << 32 |
			rxq_value(nic, IXGBE_RDBAL, queue),
		.size = rxq_value(nic, IXGBE_RDLEN, queue) / IXGBE_DESC_BYTES,
		.head = rxq_value(nic, IXGBE_RDH, queue),
	};

	if (ring.head < ring.size && tail < ring.size)
		ring.free = (tail + ring.size - ring.head) % ring.size;
	return ring;
}

union ixgbe_desc *receive_ring_slot(struct nic *nic, uint32_t queue,
				    const struct receive_ring *ring, union ixgbe_desc *given)
{
	uint32_t type = IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, rxq_value(nic, IXGBE_SRRCTL, queue));
	union ixgbe_desc *slot = descriptor_at(nic, ring->base, ring->head);

	if (!slot)
		return NULL;
	*given = descriptor_load(slot);
	if (type != IXGBE_SRRCTL_DESCTYPE_LEGACY && given->qword[1] & IXGBE_RXD_STAT_DD)
		violation(nic, VIOLATION_RX_DESC_DD, "queue %u, descriptor %u", queue, ring->head);
	if (given->qword[0] == 0)
		violation(nic, VIOLATION_RX_DESC_NULL, "queue %u, descriptor %u", queue,
			  ring->head);
	return slot;
}

void receive_ring_read(struct receive_reader *from, uint8_t *to, uint32_t len)
{
	while (len > 0) {
		const struct slice *slice = &from->packet->part[from->part];
		uint32_t n = slice->len - from->at < len ? slice->len - from->at : len;

		memcpy(to, slice->data + from->at, n);
		to += n;
		len -= n;
		from->at += n;
		if (from->at == slice->len) {
			from->part++;
			from->at = 0;
		}
	}
}

bool receive_ring_read_to_client(struct nic *nic, struct receive_reader *from, uint64_t iova,
				 uint32_t len)
{
	uint8_t *to = memory_at(nic, iova, len, true);

	if (to) {
		receive_ring_read(from, to, len);
		return true;
	}
	while (len > 0) {
		uint8_t piece[256];
		uint32_t n = len < sizeof(piece) ? len : (uint32_t)sizeof(piece);

		receive_ring_read(from, piece, n);
		if (memory_write(nic, iova, piece, n) < 0)
			return false;
		iova += n;
		len -= n;
	}
	return true;
}
