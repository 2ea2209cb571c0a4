/* SPDX-License-Identifier: MIT */
/*
 * Lines that repeat without end are left out, and summed up later.
 *
 * A line's site is the place in the program that says it. In a window of REPEAT_WINDOW_MS a site
 * says REPEAT_BURST lines; further ones are left out and counted. At the end of the window the site
 * says the last of them, which tells what is true now, and their number. Then the next window
 * begins, in which all lines are left out. The windows end with one that had no line.
 *
 * The caller brings the time, and lets one thread in at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define REPEAT_BURST     10u
#define REPEAT_WINDOW_MS 10000
#define REPEAT_SITES     64u /* lines of further sites are always said */

struct repeat_site {
	const void *site; /* NULL: unused */
	int level;
	uint32_t said;
	uint64_t left_out;
	int64_t begun_ms;      /* of the window */
	struct ixgbe_why last; /* or what fits of the text */
};

struct repeat {
	struct repeat_site site[REPEAT_SITES];
};

/* Whether to say a line. */
bool repeat_add(struct repeat *repeat, const void *site, int level, const char *text,
		int64_t now_ms);
/* When the next window with lines that were left out ends; INT64_MAX: there is none. */
int64_t repeat_due_ms(const struct repeat *repeat);
/* A summary whose time has come, or, with `all`, any: its level and text. False: there is none. */
bool repeat_next(struct repeat *repeat, int64_t now_ms, bool all, int *level, char *text,
		 size_t size);
