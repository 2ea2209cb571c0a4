/* SPDX-License-Identifier: MIT */
/* Receive-side coalescing (section 7.11). */
#pragma once

#include "packet_parse.h"
#include "receive_ring.h"
#include "tools/ixnic/chip/chip.h"

extern const struct reg_hook rsc_hooks[];

#define RSC_CONTEXTS  32u /* large receives open at once (section 7.11) */
#define RSC_DESCS_MAX 16u /* RSCCTL.MAXDESC */
#define RSC_BEGIN_MAX 14u /* segments that begin in one buffer: RSCCNT is one more */

struct rsc_desc {
	uint16_t index; /* in the ring */
	uint16_t begin; /* segments */
	uint32_t bytes; /* but for the last one, whose are in the tail */
};

/* Where the next byte goes. */
struct rsc_tail {
	uint32_t descs;
	uint32_t bytes, room; /* in the last one's buffer: written, and free */
	uint64_t iova;
};

/* A large receive that is open: its descriptors are taken, but not yet written back. */
struct rsc_context {
	uint32_t queue;
	uint8_t flow[RSC_FLOW_BYTES];
	uint32_t packets, bytes;
	uint32_t split; /* bytes in the header buffer */
	uint64_t header_iova;
	struct rsc_large large;
	union ixgbe_desc done; /* the last packet's */
	struct rsc_tail tail;
	struct rsc_desc desc[RSC_DESCS_MAX];
};

/* Fills out->rsc; out is laid out as it reaches the client. For queues with RSCCTL.RSCEN. */
void rsc_classify(const struct nic *nic, const struct frame *frame, const struct parsed *packet,
		  struct receive_packet *out);
/* Whether the frame, which is TCP over IPv4, is now part of a large receive; else it is the
 * caller's, and the flow has none open. */
bool rsc_take(struct nic *nic, const struct receive_packet *packet);
void rsc_close_all(struct nic *nic);
/* Report what is wrong with a queue's settings: of those that count when it is enabled, and of
 * those that count when its first frame comes. */
void rsc_check_queue(struct nic *nic, uint32_t queue);
void rsc_check_first(struct nic *nic, uint32_t queue);
void rsc_reset(struct nic *nic);
