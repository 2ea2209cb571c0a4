/* SPDX-License-Identifier: MIT */
/*
 * TCP segments to a queue that coalesces, and what comes of them. Frames wait in the packet buffer
 * until bed_go() hands descriptors over: then all of them are taken in one turn, so what joins
 * what depends on no timing.
 */
#pragma once

#include "model_rings.h"
#include "tools/ixnic/data/rsc.h"

enum {
	BED_RING = 256,
	BED_FRAME = 9728,
	BED_VECTOR = 5,
	BED_ITR_US = 10,
	FLOW_SEQ = 5000,
	FLAGS_ACK = 0x10,
	FLAGS_ACK_PSH = 0x18,
};

struct bed {
	struct model *m;
	struct ring ring;
	uint32_t sent;
	bool taken[BED_RING];
};

/* A segment; zero means: the usual. */
struct segment {
	struct frame_spec frame; /* .payload and .seq count */
	uint32_t ack, stamp, echo;
	uint16_t window;
	uint8_t tos;
	uint8_t reserved; /* bits beside the header length */
	bool stamped;
};

/* What a driver would make of the next chain of descriptors. */
struct chain {
	uint32_t len, descs, packets;
	union ixgbe_desc first, last;
	uint32_t index[RSC_DESCS_MAX];
	uint32_t count[RSC_DESCS_MAX]; /* RSCCNT */
	uint8_t data[70000];
};

/* The queue's ring, with nothing handed over; RSCCTL.MAXDESC as a field, `srrctl`: further bits. */
void bed_start(struct bed *bed, void **state, uint32_t kib, uint32_t maxdesc, uint32_t srrctl);
/* Buffers of 2 KiB, 16 of them. */
void bed_start_usual(struct bed *bed, void **state);
/* Nothing more came, no rule was broken, and so much was coalesced. */
void bed_end(struct bed *bed, uint32_t large, uint32_t coalesced);

void segment_build(struct built *f, const struct segment *s);
void bed_send_built(struct bed *bed, const struct built *f);
void bed_send(struct bed *bed, const struct segment *s);
/* The usual one, and one with other flags. */
void bed_data(struct bed *bed, uint32_t seq, uint32_t payload);
void bed_data_flags(struct bed *bed, uint32_t seq, uint32_t payload, uint8_t flags);
/* Lets go of what was sent. */
void bed_go(struct bed *bed, uint32_t descs);

/* The byte of the stream that has this sequence number: the payload of all segments. */
uint8_t stream_byte(uint32_t seq);
union ixgbe_desc bed_wait_desc(struct bed *bed, uint32_t index);
/* The next chain, as the in-kernel driver reads it: RSCCNT counts, NEXTP leads on. */
void bed_take(struct bed *bed, struct chain *out);
/* The chain's headers and checksums are right and say what it is; its payload is the stream's. */
void chain_check(const struct chain *c, uint32_t l3, uint32_t header, uint32_t seq,
		 uint32_t payload);
void expect_large(struct bed *bed, uint32_t seq, uint32_t payload, uint32_t packets);
/* A frame by itself: what coalescing says is not there. `l4`: where its TCP header is. */
void expect_plain_at(struct bed *bed, uint32_t l4, uint32_t seq);
void expect_plain(struct bed *bed, uint32_t seq);
