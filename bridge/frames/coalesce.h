/* SPDX-License-Identifier: MIT */
/*
 * Merges TCP frames of a receive burst into large ones, so that the kernel takes many with one
 * write. Payload is not copied: a merged frame is a head and a list of pieces. No I/O, no
 * allocation.
 *
 *     coalesce_begin ─ coalesce_add for each frame ─ for each write: coalesce_headers or
 *     offload_rx, coalesce_iov, and the write
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ixgbe/ixgbe.h"
#include "offload.h"
#include "tap.h"

#define COALESCE_SEGS 256u /* of a burst, at most */
/* Places for flows that are merged at the same time: twice a burst. A power of two. */
#define COALESCE_SLOTS 512u

/* The head of a write, out of the NIC's reach: the vnet header, and the frame's first bytes behind
 * it. A frame of up to COALESCE_SHORT_BYTES is read whole at once. Of a longer one only those are
 * that can hold the headers of a frame that is merged; the rest follows where a frame of one
 * segment stays alone. */
#define COALESCE_SHORT_BYTES   240u
#define COALESCE_HEADERS_BYTES 128u
#define COALESCE_WHOLE_BYTES   2096u

struct coalesce_head {
	_Alignas(64) uint8_t unused[4];
	uint8_t vnet[TAP_VNET_HDR_BYTES];
	uint8_t frame[COALESCE_WHOLE_BYTES];
};
/* An odd number of cache lines: heads do not all begin in the same set. */
static_assert(sizeof(struct coalesce_head) == (size_t)33 * 64 &&
		      offsetof(struct coalesce_head, frame) ==
			      offsetof(struct coalesce_head, vnet) + TAP_VNET_HDR_BYTES,
	      "the frame follows its vnet header");

/* What one write to the TAP carries: a frame of the burst, or several in one. */
struct coalesce_write {
	uint16_t first, last;           /* segments, linked by coalesce.next */
	uint16_t segs, frames;          /* how many */
	uint32_t bytes;                 /* of the frame that is written, without the vnet header */
	uint32_t head_bytes;            /* how many of them are in the head */
	uint32_t wire_bytes;            /* of the frames as they came */
	struct offload_headers headers; /* of the first frame; version 0: not parsed */
	/* Only of a write that other frames may join, or have joined: */
	uint32_t next_seq;
	uint16_t gso_size; /* TCP payload of each frame but the last, which may be shorter */
	uint16_t next_id;  /* of IPv4 */
	uint8_t l4_at, header_bytes; /* the offset of the TCP header; the length of all */
	bool psh;
};

/* A flow whose last write still takes frames. */
struct coalesce_slot {
	uint64_t epoch; /* another than that of struct coalesce: the slot is free */
	uint32_t tag;
	uint16_t target; /* the write */
};

/* What merging has brought lately. */
struct coalesce_gain {
	uint32_t fit, joined; /* frames that might have joined another, and those that did */
	uint32_t rest;        /* bursts to go that are not merged */
	uint32_t next_rest;
};

struct coalesce {
	const struct ixgbe_seg *seg;
	bool on;
	uint32_t writes;
	struct coalesce_write write[COALESCE_SEGS];
	struct coalesce_head head[COALESCE_SEGS]; /* of each write */
	uint16_t next[COALESCE_SEGS];             /* the segment behind each in its write */

	uint64_t epoch;
	struct coalesce_slot slot[COALESCE_SLOTS];
	struct coalesce_gain gain;
};

/* Begins a burst whose segments are at `seg`. `on`: frames are merged, unless that gains nothing.
 * Before the first burst all is zero. */
void coalesce_begin(struct coalesce *c, const struct ixgbe_seg *seg, bool on);
/* Adds the frame of `segs` segments from `at` on, `bytes` in all: at least an Ethernet header. */
void coalesce_add(struct coalesce *c, uint32_t at, uint32_t segs, uint32_t bytes);

/* Makes the headers in `head` those of the merged frame, and writes its vnet header. Only for a
 * write of more than one frame. */
void coalesce_headers(const struct coalesce_write *w, struct coalesce_head *head);
/* Fills `iov` with the pieces of write number `index`: the head, and what of the frames is not in
 * it, without the headers of frames behind the first. Returns how many: w->segs + 1 at most. */
uint32_t coalesce_iov(struct coalesce *c, uint32_t index, struct iovec *iov);
