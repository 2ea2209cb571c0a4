/* SPDX-License-Identifier: MIT */
/* A run's numbers, and the run as JSON. */
#include "result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "encoding.h"
#include "bridge/service/printable.h"
#include "tools/ixtap/output.h"

/* Longer than the longest run. */
#define LABEL_MODE_BYTES sizeof("udp ")
#define HIGHEST_NS       ((int64_t)1 << 47)

const struct result_percentile result_percentiles[RESULT_PERCENTILES] = {
	{50, "p50", "p50_ns"},       {90, "p90", "p90_ns"},          {99, "p99", "p99_ns"},
	{99.9, "p99.9", "p99_9_ns"}, {99.99, "p99.99", "p99_99_ns"},
};

/* The name of a member of the JSON object. */
static const char *time_name(enum result_time time)
{
	static const char *const names[] = {
		[RESULT_RTT] = "rtt",
		[RESULT_UNCORRECTED] = "rtt_uncorrected",
		[RESULT_FORWARD] = "forward",
		[RESULT_RETURN] = "return",
	};

	return names[time];
}

const char *result_row_name(size_t row)
{
	switch (row) {
	case RESULT_ROW_MIN:
		return "min";
	case RESULT_ROW_MAX:
		return "max";
	case RESULT_ROW_MEAN:
		return "mean";
	case RESULT_ROW_STDDEV:
		return "stddev";
	default:
		return result_percentiles[row - RESULT_ROW_PERCENTILES].name;
	}
}

double result_row_value(const struct histogram *histogram, size_t row)
{
	switch (row) {
	case RESULT_ROW_MIN:
		return (double)histogram_min(histogram);
	case RESULT_ROW_MAX:
		return (double)histogram_max(histogram);
	case RESULT_ROW_MEAN:
		return histogram_mean(histogram);
	case RESULT_ROW_STDDEV:
		return histogram_stddev(histogram);
	default:
		return (double)histogram_percentile(
			histogram, result_percentiles[row - RESULT_ROW_PERCENTILES].percentile);
	}
}

int result_init(struct result *result, const struct ixlat_options *options)
{
	const bool wanted[] = {
		[RESULT_RTT] = true,
		[RESULT_UNCORRECTED] = options->rate_hz > 0,
		[RESULT_FORWARD] = options->one_way,
		[RESULT_RETURN] = options->one_way,
	};

	*result = (struct result){0};
	for (size_t i = 0; i < RESULT_TIMES; i++) {
		if (wanted[i] &&
		    histogram_init(&result->times[i], 1, HIGHEST_NS, HISTOGRAM_DIGITS)) {
			fail("out of memory");
			result_free(result);
			return -1;
		}
	}
	return 0;
}

void result_free(struct result *result)
{
	for (size_t i = 0; i < RESULT_TIMES; i++)
		histogram_free(&result->times[i]);
}

double result_rate(const struct result *result)
{
	return result->duration_s > 0 ? (double)result->counts.received / result->duration_s : 0;
}

const char *result_label(const struct ixlat_options *options, char *out, size_t bytes)
{
	if (options->label)
		return options->label;
	snprintf(out, bytes, "%s %.*s", mode_name(options->mode),
		 (int)printable_bytes(options->host, bytes - LABEL_MODE_BYTES), options->host);
	return out;
}

json_t *result_number(double value)
{
	return json_real(round(value * 1e6) / 1e6);
}

static json_t *histogram_json(const struct histogram *histogram)
{
	char *encoded = encoding_write(histogram);
	json_t *object = json_pack("{sI so}", "min_ns", (json_int_t)histogram_min(histogram),
				   "mean_ns", result_number(histogram_mean(histogram)));

	for (size_t i = 0; i < RESULT_PERCENTILES; i++) {
		const struct result_percentile *each = &result_percentiles[i];

		json_object_set_new(
			object, each->member,
			json_integer(histogram_percentile(histogram, each->percentile)));
	}
	json_object_set_new(object, "max_ns", json_integer(histogram_max(histogram)));
	json_object_set_new(object, "stddev_ns", result_number(histogram_stddev(histogram)));
	json_object_set_new(object, "histogram", json_string(encoded));
	free(encoded);
	return object;
}

json_t *result_json(const struct result *result, const struct ixlat_options *options)
{
	const struct result_counts *counts = &result->counts;
	char label[64];
	json_t *object = json_pack(
		"{ss* ss ss* ss sf si sb sb si sb sI sI sI sI sI sI sI sI sI so so s{so so} sb}",
		"label", result_label(options, label, sizeof(label)), "mode",
		mode_name(options->mode), "interface", options->interface, "host", options->host,
		"rate_hz", options->rate_hz, "size_bytes", (int)options->size_bytes, "busy",
		options->busy, "kernel_stamps", options->kernel_stamps, "timeout_ms",
		(int)options->timeout_ms, "one_way", options->one_way, "sent",
		(json_int_t)counts->sent, "received", (json_int_t)counts->received, "lost",
		(json_int_t)counts->lost, "late", (json_int_t)counts->late, "duplicates",
		(json_int_t)counts->duplicates, "reordered", (json_int_t)counts->reordered,
		"invalid", (json_int_t)result->invalid, "send_errors",
		(json_int_t)result->send_errors, "unsent", (json_int_t)result->unsent, "duration_s",
		json_real(result->duration_s), "transactions_per_s",
		result_number(result_rate(result)), "cpu", "user_s", result_number(result->user_s),
		"system_s", result_number(result->system_s), "interrupted", result->interrupted);

	for (size_t i = 0; object && i < RESULT_TIMES; i++)
		if (result->times[i].counters)
			json_object_set_new(object, time_name((enum result_time)i),
					    histogram_json(&result->times[i]));
	return object;
}
