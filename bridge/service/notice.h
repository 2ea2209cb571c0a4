/* SPDX-License-Identifier: MIT */
/*
 * Counts something that may happen often, and says when it is worth a line in the log: once for a
 * burst. The caller brings the time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A burst ends when nothing happens for so long. */
#define NOTICE_QUIET_MS 60000

struct notice {
	uint64_t count;
	int64_t last_ms; /* with count > 0 */
};

/* It happened. Returns whether that begins a burst. */
bool notice_add(struct notice *notice, int64_t now_ms);
