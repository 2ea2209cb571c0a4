/* SPDX-License-Identifier: MIT */
/*
 * Lines that repeat without end are left out, and summed up later. A line's site is the place in
 * the program that says it. Of one site REPEAT_BURST lines are said in REPEAT_WINDOW_MS. The rest
 * of the window is left out and counted. At its end the last of these lines is said, which tells
 * what is true now, and how many there were. Windows go on so, without a burst, until one has no
 * line.
 *
 * The caller brings the time, and lets one thread in at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPEAT_BURST      10u
#define REPEAT_WINDOW_MS  10000
#define REPEAT_SITES      64u /* lines of further sites are always said */
#define REPEAT_TEXT_BYTES 256u

struct repeat_site {
	const void *site; /* NULL: unused */
	int level;
	uint32_t said;
	uint64_t left_out;
	int64_t begun_ms; /* of the window */
	char last[REPEAT_TEXT_BYTES];
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
