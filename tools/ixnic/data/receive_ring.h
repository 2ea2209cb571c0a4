/* SPDX-License-Identifier: MIT */
/* A receive ring, and a packet on its way to one: for receive.c and rsc.c, which fill rings. */
#pragma once

#include "frame.h"
#include "rsc_merge.h"
#include "tools/ixnic/nic.h"

/* Filled by rsc.c, of frames to queues that coalesce. */
struct rsc_frame {
	bool tcp;       /* TCP over IPv4: it joins the large receive of its flow, or closes it */
	bool candidate; /* it may join or begin a large receive; `push` and `at` are set */
	bool push;      /* the large receive ends with it */
	struct rsc_layout at; /* of the headers, as they reach the client */
	uint8_t flow[RSC_FLOW_BYTES];
};

/* A frame on its way to a ring. */
struct receive_packet {
	struct slice part[4]; /* its bytes, in order */
	uint32_t parts;
	uint32_t len;
	uint32_t queue;
	bool flow_drop;        /* `queue` is the flow director's drop queue */
	uint32_t split;        /* length of the header that may be split off; 0: none */
	union ixgbe_desc done; /* the last descriptor's write-back, but for length, DD and EOP */
	struct rsc_frame rsc;
};

/* Takes the next bytes of a packet, slice by slice. */
struct receive_reader {
	const struct receive_packet *packet;
	uint32_t part;
	uint32_t at;
};

/* A receive ring as its registers have it now. */
struct receive_ring {
	uint64_t base;
	uint32_t size; /* descriptors */
	uint32_t head;
	uint32_t free; /* descriptors from head to tail */
};

struct receive_ring receive_ring_of(const struct nic *nic, uint32_t queue);
/* The descriptor at the ring's head, and in *given a copy as the driver wrote it; NULL: no memory
 * of ours is there. */
union ixgbe_desc *receive_ring_slot(struct nic *nic, uint32_t queue,
				    const struct receive_ring *ring, union ixgbe_desc *given);

static inline void receive_ring_advance(struct receive_ring *ring)
{
	ring->head = ring->head + 1 == ring->size ? 0 : ring->head + 1;
	ring->free--;
}

void receive_ring_read(struct receive_reader *from, uint8_t *to, uint32_t len);
/* To the client's buffer at `iova`, which may lie in several mappings. */
bool receive_ring_read_to_client(struct nic *nic, struct receive_reader *from, uint64_t iova,
				 uint32_t len);
