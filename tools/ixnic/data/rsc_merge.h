/* SPDX-License-Identifier: MIT */
/* Receive-side coalescing, the part without a NIC: which TCP segment may follow which, and the
 * header of the large receive (section 7.11). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "packet_parse.h"

/* Two tags; IPv4 without options; TCP with a time stamp. */
#define RSC_HEADER_MAX (14u + 8u + 20u + 32u)

#define RSC_FLOW_BYTES 12u /* source and destination, addresses and ports */

/* Where the headers are in a segment, from the start of its frame. */
struct rsc_layout {
	uint16_t l3, l4;
	uint16_t header; /* bytes of all headers */
};

/* A large receive's header: the first segment's, with the changes of later ones. */
struct rsc_large {
	uint8_t header[RSC_HEADER_MAX];
	struct rsc_layout at;
	uint32_t payload; /* bytes */
	uint32_t next_seq;
	uint16_t sum; /* of the payload, as csum_fold() has it */
};

/* These functions work on their arguments alone. The caller makes sure that packet_parse() found
 * IPv4 and TCP in each segment. */

/* Who talks to whom. */
void rsc_merge_flow(uint8_t flow[RSC_FLOW_BYTES], const uint8_t *l3, const uint8_t *l4);
/* Whether the segment's headers allow it in a large receive at all (section 7.11.1). All of its
 * headers are at `head`. *push: it ends the one that it is in. */
bool rsc_merge_fits(const uint8_t *head, const struct parsed *packet, bool *push);

/* From here on the caller makes sure that segments fit (rsc_merge_fits). */
void rsc_merge_begin(struct rsc_large *large, const uint8_t *header, const struct rsc_layout *at,
		     uint32_t payload);
/* Whether the segment is the next of this large receive (section 7.11.4). `ack_change`: it may
 * acknowledge more than the last one did (RDRXCTL.RSCACKC). */
bool rsc_merge_follows(const struct rsc_large *large, const uint8_t *header,
		       const struct rsc_layout *at, uint32_t payload, bool ack_change);
void rsc_merge_join(struct rsc_large *large, const uint8_t *header, uint32_t payload);
/* Lengths and checksums of the whole; after it, only large->header is of use. */
void rsc_merge_finish(struct rsc_large *large);
