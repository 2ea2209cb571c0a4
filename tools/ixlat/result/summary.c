/* SPDX-License-Identifier: MIT */
/* A run as text, for people. */
#include <stdio.h>

#include "tools/ixlat/ixlat.h"
#include "result.h"
#include "tools/ixtap/output.h"

static void put_head(const struct ixlat_options *options)
{
	put(COLOUR_HEAD, "%s ", mode_name(options->mode));
	put_raw(COLOUR_HEAD, 0, options->host);
	put(COLOUR_NONE, options->mode == MODE_RAW ? " on " : " port ");
	if (options->mode == MODE_RAW)
		put_raw(COLOUR_NONE, 0, options->interface);
	else
		put(COLOUR_NONE, "%u", options->port);
	put(COLOUR_NONE, ", %u bytes, ", options->size_bytes);
	if (options->rate_hz > 0)
		put(COLOUR_NONE, "%g per second", options->rate_hz);
	else
		put(COLOUR_NONE, "one after another");
	put(COLOUR_NONE, "%s%s\n", options->busy ? ", busy" : "",
	    options->kernel_stamps ? ", kernel stamps" : "");
}

/* Shows a count if it is not zero, or always. */
static void put_count(const char *name, uint64_t count, bool always, enum colour colour)
{
	char text[FORMAT_BYTES];

	if (count || always)
		put(count ? colour : COLOUR_NONE, "  %s %s", name, format_count(text, count));
}

static void put_counts(const struct result *result)
{
	const struct result_counts *counts = &result->counts;

	put_count("sent", counts->sent, true, COLOUR_NONE);
	put_count("received", counts->received, true, COLOUR_NONE);
	put_count("lost", counts->lost, true, COLOUR_BAD);
	put_count("of them late", counts->late, false, COLOUR_WARN);
	put_count("duplicates", counts->duplicates, true, COLOUR_WARN);
	put_count("reordered", counts->reordered, true, COLOUR_WARN);
	put_count("not ours", result->invalid, false, COLOUR_WARN);
	put_count("refused", result->send_errors, false, COLOUR_BAD);
	put_count("never sent", result->unsent, false, COLOUR_BAD);
	put(COLOUR_NONE, "\n");
	put(COLOUR_NONE,
	    "  %.2f s  %.0f round trips per second  processor %.2f s user, %.2f s system\n",
	    result->duration_s, result_rate(result), result->user_s, result->system_s);
}

static void put_times(const struct result *result)
{
	static const char *const heads[] = {
		[RESULT_RTT] = "round trip",
		[RESULT_UNCORRECTED] = "uncorrected",
		[RESULT_FORWARD] = "there",
		[RESULT_RETURN] = "back",
	};

	put(COLOUR_HEAD, "\n  %-8s", "us");
	for (size_t i = 0; i < RESULT_TIMES; i++)
		if (result->times[i].counters)
			put(COLOUR_HEAD, "%14s", heads[i]);
	put(COLOUR_NONE, "\n");
	for (size_t row = 0; row < RESULT_ROWS; row++) {
		put(COLOUR_NONE, "  %-8s", result_row_name(row));
		for (size_t i = 0; i < RESULT_TIMES; i++)
			if (result->times[i].counters)
				put(COLOUR_NONE, "%14.2f",
				    result_row_value(&result->times[i], row) / 1000);
		put(COLOUR_NONE, "\n");
	}
}

/* Says what the table can't. */
static void put_notes(const struct result *result)
{
	uint64_t received = result->counts.received;

	if (result->interrupted)
		put(COLOUR_WARN, "\n  Interrupted: this is what there was until then.\n");
	if (result->unsent)
		put(COLOUR_WARN,
		    "\n  The sender can't keep this rate: lower --rate, or try --busy.\n");
	for (size_t i = 0; i < RESULT_PERCENTILES; i++) {
		const struct result_percentile *each = &result_percentiles[i];

		if ((double)received * (100 - each->percentile) / 100 < 1 - 1e-6) {
			put(COLOUR_DIM, "\n  With %lu answers, %s is no other than max.\n",
			    (unsigned long)received, each->name);
			break;
		}
	}
}

void summary_write(const struct result *result, const struct ixlat_options *options)
{
	put_head(options);
	put_counts(result);
	put_times(result);
	put_notes(result);
}
