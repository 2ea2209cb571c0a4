/* SPDX-License-Identifier: MIT */
/*
 * result: what a run found out, in all the forms that it is shown in.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     compare.c     several runs side by side
 *     summary.c     a run as text
 *       |
 *     result.c      a run's numbers, and the run as JSON
 *     plot.c        percentiles as a picture, drawn by gnuplot
 *       |
 *     encoding.c    a histogram in HdrHistogram's format
 *     outfile.c     a file that stays as it was until there is a result
 *       |
 *     histogram.c   times, counted with three digits
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "tools/ixlat/command_line.h"

enum { RESULT_PERCENTILES = 5 };

/* The times of a run. Those that the options do not ask for have no counters. */
enum result_time {
	RESULT_RTT,         /* from when the probe was due */
	RESULT_UNCORRECTED, /* from when the probe was sent; at a fixed rate */
	RESULT_FORWARD,     /* one way, there */
	RESULT_RETURN,      /* one way, back */
	RESULT_TIMES,
};

/* Probes for warming up are not counted. At the end, sent = received + lost. */
struct result_counts {
	uint64_t sent;
	uint64_t received;
	uint64_t lost;       /* no answer within the timeout */
	uint64_t late;       /* lost probes whose answer came after all */
	uint64_t duplicates; /* answers to probes that were answered before */
	uint64_t reordered;  /* answers that came after the answer to a later probe */
};

struct result {
	struct result_counts counts;
	uint64_t invalid;     /* messages that were no answer to a probe of this run */
	uint64_t send_errors; /* probes that the kernel refused to send; they count as sent */
	uint64_t unsent;      /* probes that were due and never sent: the rate is too high */
	int last_error;       /* -errno of the last error of sending or receiving; 0: none */
	bool interrupted;
	double duration_s; /* from the first probe that counts to the last answer */
	double user_s, system_s;
	struct histogram times[RESULT_TIMES];
};

/* Makes the histograms that the options ask for: 0, or -1 after a line on standard error. */
int result_init(struct result *result, const struct ixlat_options *options);
void result_free(struct result *result);
/* Answers per second. */
double result_rate(const struct result *result);

/* The percentiles that are shown in text and in JSON. */
extern const struct result_percentile {
	double percentile;
	const char *name;   /* p99.9 */
	const char *member; /* p99_9_ns */
} result_percentiles[RESULT_PERCENTILES];

/* The rows of a table: the values that are shown of a histogram. */
enum {
	RESULT_ROW_MIN,
	RESULT_ROW_PERCENTILES, /* the first percentile */
	RESULT_ROW_MAX = RESULT_ROW_PERCENTILES + RESULT_PERCENTILES,
	RESULT_ROW_MEAN,
	RESULT_ROW_STDDEV,
	RESULT_ROWS,
};
const char *result_row_name(size_t row);
double result_row_value(const struct histogram *histogram, size_t row);

/* A number that was computed, without digits behind the sixth decimal. */
json_t *result_number(double value);
/* The run as an object, to be released with json_decref(); NULL: no memory. */
json_t *result_json(const struct result *result, const struct ixlat_options *options);
/* Prints the run for people. */
void summary_write(const struct result *result, const struct ixlat_options *options);
/* The run's label. Without --label it is made in `out`, of at least 64 bytes: "udp 192.0.2.2". */
const char *result_label(const struct ixlat_options *options, char *out, size_t bytes);
