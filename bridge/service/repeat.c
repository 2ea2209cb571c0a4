/* SPDX-License-Identifier: MIT */
#include "repeat.h"

#include <inttypes.h>
#include <stdio.h>

static struct repeat_site *find(struct repeat *repeat, const void *site)
{
	for (uint32_t i = 0; i < REPEAT_SITES; i++) {
		struct repeat_site *at = &repeat->site[i];

		if (!at->site)
			at->site = site;
		if (at->site == site)
			return at;
	}
	return NULL;
}

bool repeat_add(struct repeat *repeat, const void *site, int level, const char *text,
		int64_t now_ms)
{
	struct repeat_site *at = find(repeat, site);

	if (!at)
		return true;
	/* A window with lines that were left out is ended by repeat_next. */
	if (!at->left_out && (!at->said || now_ms - at->begun_ms >= REPEAT_WINDOW_MS)) {
		at->begun_ms = now_ms;
		at->said = 0;
	}
	if (at->said < REPEAT_BURST) {
		at->said++;
		return true;
	}
	at->left_out++;
	at->level = level;
	ixgbe_why_fill(&at->last, 0, "%s", text);
	return false;
}

int64_t repeat_due_ms(const struct repeat *repeat)
{
	int64_t due = INT64_MAX;

	for (uint32_t i = 0; i < REPEAT_SITES && repeat->site[i].site; i++) {
		const struct repeat_site *at = &repeat->site[i];

		if (at->left_out && at->begun_ms + REPEAT_WINDOW_MS < due)
			due = at->begun_ms + REPEAT_WINDOW_MS;
	}
	return due;
}

bool repeat_next(struct repeat *repeat, int64_t now_ms, bool all, int *level, char *text,
		 size_t size)
{
	for (uint32_t i = 0; i < REPEAT_SITES && repeat->site[i].site; i++) {
		struct repeat_site *at = &repeat->site[i];

		if (!at->left_out || (!all && now_ms - at->begun_ms < REPEAT_WINDOW_MS))
			continue;
		*level = at->level;
		snprintf(text, size, "%s (the last of %" PRIu64 " such lines within %" PRId64 " s)",
			 at->last.text, at->left_out, (now_ms - at->begun_ms + 999) / 1000);
		at->left_out = 0;
		at->begun_ms = now_ms;
		return true;
	}
	return false;
}
