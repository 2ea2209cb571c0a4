/* SPDX-License-Identifier: MIT */
/* What wire_tap.c and wire_tap_merge.c share. */
#pragma once

#include "tools/ixnic/data/data.h"
#include "wire.h"

struct virtio_net_hdr;

/* Frames that may go to the kernel as one packet. */
struct tap_merge {
	uint32_t frames; /* 0: none waits */
	bool closed;     /* the last one ended the run */
	bool ipv4;
	uint32_t l3, l4; /* offsets */
	uint32_t mss;
	uint32_t next_seq;
	uint32_t head_len;
	uint8_t head[IXGBE_TSO_HEADER_MAX]; /* of the first frame, with the flags of the last */
	struct slice body;
};

/* Takes a frame; the one before it is written if this does not continue it. */
void tap_merge_frame(struct tap_merge *merge, struct wire *wire, const struct frame *frame);
/* Writes what waits. */
void tap_merge_flush(struct tap_merge *merge, struct wire *wire);

/* One write to the TAP, that counts as `frames` (at most three parts). */
void tap_write(struct wire *wire, const struct virtio_net_hdr *vnet, const struct slice *part,
	       uint32_t parts, uint32_t frames);
