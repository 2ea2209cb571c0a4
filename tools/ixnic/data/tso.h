/* SPDX-License-Identifier: MIT */
/* Cutting a big TCP or UDP packet into frames (section 7.2.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/tables/desc.h"
#include "frame.h"

/* Where the headers are and how to continue them. */
struct tso_plan {
	uint32_t l2_bytes, l3_bytes, l4_bytes;
	uint32_t mss;
	bool ipv4; /* else IPv6 */
	bool tcp;  /* else UDP */
	/* Masks of the TCP flags in the first, middle and last frame. */
	uint16_t flags_first, flags_middle, flags_last;
	/* The pseudo header's sum without the length, as csum_pseudo() returns it. */
	uint64_t pseudo;
	bool pseudo_right; /* the frames' checksums will be right */
};

/* A packet being cut: an iterator over its frames. */
struct tso {
	struct tso_plan plan;
	uint8_t head[IXGBE_TSO_HEADER_MAX];
	const uint8_t *payload;
	uint32_t left;  /* bytes of payload still to be sent */
	uint32_t seq;   /* of TCP, of the next frame */
	uint16_t id;    /* of IPv4, of the next frame */
	uint16_t flags; /* TCP: header length, reserved bits and flags, as the packet has them */
	bool first;
};

static inline uint32_t tso_head_bytes(const struct tso_plan *plan)
{
	return plan->l2_bytes + plan->l3_bytes + plan->l4_bytes;
}

/* Begins with the `len` bytes at `data`: headers, then payload. -EINVAL: the lengths of the plan do
 * not fit the packet, the headers are too long, or mss is 0. The payload must stay until the end.
 */
int tso_start(struct tso *tso, const struct tso_plan *plan, const uint8_t *data, uint32_t len);
/* The next frame; false when there is none left. It is valid until the next call. */
bool tso_next(struct tso *tso, struct frame *frame);
