/* SPDX-License-Identifier: MIT */
/*
 * Frames with a number, for bench_restart. Nothing sends them again: what is lost, repeated, out of
 * order or changed shows at the far end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBERED_ETHERTYPE 0x88b5u /* IEEE 802: local experimental */
#define NUMBERED_BYTES_MIN 60u
#define NUMBERED_BYTES_MAX 1514u

struct numbered {
	uint64_t number;
	int64_t sent_ns; /* CLOCK_MONOTONIC */
};

/* One direction of a run: frames of others are told apart. */
struct numbered_kind {
	uint32_t run;
	uint32_t way;
	uint32_t bytes; /* of each frame; 0: all lengths, by turns */
	uint8_t to[6], from[6];
};

/* Writes a frame, of NUMBERED_BYTES_MAX bytes at most. Returns its length. */
size_t numbered_write(const struct numbered_kind *kind, struct numbered numbered, uint8_t *frame);
/* Reads a frame that came in. False: it is not, or not any more, one that numbered_write() made. */
bool numbered_read(const struct numbered_kind *kind, const uint8_t *frame, size_t bytes,
		   struct numbered *out);
