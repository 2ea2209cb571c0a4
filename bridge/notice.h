/* SPDX-License-Identifier: MIT */
/*
 * Something that may happen often and is worth one line: counted each time, told once per burst.
 * A pure function of its arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Quiet for that long, and the next one begins a burst. */
#define NOTICE_QUIET_MS 60000

struct notice {
	uint64_t count;
	int64_t last_ms; /* with count > 0 */
};

/* It happened: whether it begins a burst. */
bool notice_add(struct notice *notice, int64_t now_ms);
