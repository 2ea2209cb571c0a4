/* SPDX-License-Identifier: MIT */
/* Frames that continue each other, for wire_tap.c to write them as one packet. */
#pragma once

#include "wire.h"

struct virtio_net_hdr;

/* Frames that may go to the kernel as one packet. */
struct wire_tap_merge {
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

/* The frame continues the run that waits; false: there is none, or it does not. */
bool wire_tap_merge_join(struct wire_tap_merge *merge, const struct frame *frame);
/* A run begins with the frame, none waits; false: the frame is not one to be merged. */
bool wire_tap_merge_begin(struct wire_tap_merge *merge, const struct frame *frame);
/* Ends the run: its packet is merge->head and merge->body, behind *vnet. Returns how many frames
 * are in it, 0 if none waited. */
uint32_t wire_tap_merge_end(struct wire_tap_merge *merge, struct virtio_net_hdr *vnet);
