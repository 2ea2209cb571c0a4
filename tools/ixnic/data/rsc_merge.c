/* SPDX-License-Identifier: MIT */
/*
 * The header of a large receive is the first segment's, with the last one's acknowledgement,
 * window, time stamp and PSH, and the length and checksums of the whole. The payload is not read
 * again for the checksum: a segment with a right checksum adds up to 0xffff, so the payload's sum
 * is 0xffff less the header's.
 */
#include "rsc_merge.h"

#include <netinet/in.h>
#include <string.h>

#include "checksum.h"
#include "header_fields.h"

enum {
	ECN_CE = 3,
	TCP_STAMPED_BYTES = 32,
	STAMP_AT = 24, /* TSval */
};

/* How far `b` is ahead of `a`, modulo 2^32; negative: behind. */
static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a);
}

static bool stamped(const struct rsc_layout *at)
{
	return at->header - at->l4 == TCP_STAMPED_BYTES;
}

void rsc_merge_flow(uint8_t flow[RSC_FLOW_BYTES], const uint8_t *l3, const uint8_t *l4)
{
	memcpy(flow, l3 + IPV4_ADDRESSES, 8);
	memcpy(flow + 8, l4, 4);
}

bool rsc_merge_fits(const uint8_t *head, const struct parsed *packet, bool *push)
{
	static const uint8_t stamp[] = {1, 1, 8, 10}; /* aligned as RFC 7323 has it */
	const uint8_t *l3 = head + packet->l3, *l4 = head + packet->l4;
	uint32_t l4_header = packet->payload - packet->l4;

	*push = l4[TCP_FLAGS] & TCP_FLAGS_PSH;
	if (packet->payload > RSC_HEADER_MAX || packet->l4 - packet->l3 != IPV4_BYTES ||
	    (l3[IPV4_TOS] & 3) == ECN_CE)
		return false;
	if (l4[TCP_OFFSET] & 0xf || (l4[TCP_FLAGS] & ~TCP_FLAGS_PSH) != TCP_FLAGS_ACK)
		return false;
	return l4_header == TCP_BYTES || (l4_header == TCP_STAMPED_BYTES &&
					  memcmp(l4 + TCP_BYTES, stamp, sizeof(stamp)) == 0);
}

/* The sum of a segment's payload: with pseudo header and TCP header it makes 0xffff. */
static uint16_t payload_sum(const uint8_t *header, const struct rsc_layout *at, uint32_t payload)
{
	uint32_t l4_header = (uint32_t)at->header - at->l4;
	uint64_t sum = csum_pseudo(header + at->l3, true, IPPROTO_TCP, l4_header + payload);

	return (uint16_t)~csum_fold(csum_add(sum, header + at->l4, l4_header));
}

void rsc_merge_begin(struct rsc_large *large, const uint8_t *header, const struct rsc_layout *at,
		     uint32_t payload)
{
	memcpy(large->header, header, at->header);
	large->at = *at;
	large->payload = payload;
	large->next_seq = be32_at(header + at->l4 + TCP_SEQ) + payload;
	large->sum = payload_sum(header, at, payload);
}

bool rsc_merge_follows(const struct rsc_large *large, const uint8_t *header,
		       const struct rsc_layout *at, uint32_t payload, bool ack_change)
{
	const uint8_t *l4 = header + at->l4, *last = large->header + at->l4;
	int32_t acks;

	if (memcmp(at, &large->at, sizeof(*at)) || memcmp(header, large->header, at->l3) ||
	    header[at->l3 + IPV4_TOS] != large->header[at->l3 + IPV4_TOS] ||
	    be32_at(l4 + TCP_SEQ) != large->next_seq ||
	    (uint32_t)at->header - at->l3 + large->payload + payload > IP_PACKET_MAX)
		return false;
	acks = ahead(be32_at(last + TCP_ACK), be32_at(l4 + TCP_ACK));
	/* Nothing new and no payload: a duplicate acknowledgement, which TCP counts. */
	if (acks < 0 || (acks > 0 && !ack_change) || (acks == 0 && payload == 0))
		return false;
	return !stamped(at) || ahead(be32_at(last + STAMP_AT), be32_at(l4 + STAMP_AT)) >= 0;
}

void rsc_merge_join(struct rsc_large *large, const uint8_t *header, uint32_t payload)
{
	const uint8_t *l4 = header + large->at.l4;
	uint8_t *own = large->header + large->at.l4;
	uint16_t sum = payload_sum(header, &large->at, payload);

	if (large->payload % 2) /* its bytes are the other halves of words */
		sum = __builtin_bswap16(sum);
	large->sum = csum_fold((uint64_t)large->sum + sum);
	large->payload += payload;
	large->next_seq += payload;
	memcpy(own + TCP_ACK, l4 + TCP_ACK, 4);
	own[TCP_FLAGS] |= l4[TCP_FLAGS];
	memcpy(own + TCP_WINDOW, l4 + TCP_WINDOW, 2);
	memcpy(own + TCP_BYTES, l4 + TCP_BYTES,
	       (uint32_t)large->at.header - large->at.l4 - TCP_BYTES);
}

void rsc_merge_finish(struct rsc_large *large)
{
	uint8_t *l3 = large->header + large->at.l3, *l4 = large->header + large->at.l4;
	uint32_t l4_header = (uint32_t)large->at.header - large->at.l4;
	uint32_t l4_bytes = l4_header + large->payload;
	uint64_t sum;
	uint16_t found;

	be16_put(l3 + IPV4_LENGTH, IPV4_BYTES + l4_bytes);
	be16_put(l3 + IPV4_CSUM, 0);
	found = (uint16_t)~csum_fold(csum_add(0, l3, IPV4_BYTES));
	memcpy(l3 + IPV4_CSUM, &found, sizeof(found));

	be16_put(l4 + TCP_CSUM, 0);
	sum = csum_pseudo(l3, true, IPPROTO_TCP, l4_bytes);
	found = (uint16_t)~csum_fold(csum_add(sum + large->sum, l4, l4_header));
	memcpy(l4 + TCP_CSUM, &found, sizeof(found));
}
