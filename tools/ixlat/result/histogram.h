/* SPDX-License-Identifier: MIT */
/*
 * A histogram with a high dynamic range: values up to `highest` are counted with a fixed number of
 * decimal digits. It needs a fixed amount of memory, and a few instructions for each value.
 *
 * Debian 12 has the HdrHistogram library for Java and Go but not for C, so this is our own. Its
 * counters have the library's layout, and other programs read its encoding and its .hgrm text.
 *
 *   value     0 ... 2047   2048 ... 4095   4096 ... 8191   8192 ...        (3 digits)
 *   step           1              2               4             8
 *   counters    2048           1024            1024          1024
 *
 * A counter stands for all values of its step.
 * Percentiles, minimum and maximum come from the counters alone. So a histogram that was written
 * and read back gives the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	HISTOGRAM_DIGITS = 3,
	HISTOGRAM_COUNTERS_MAX = 1 << 20, /* 8 MiB: a file could ask for more */
};

struct histogram {
	int64_t lowest;  /* the smallest step between values, at least 1 */
	int64_t highest; /* larger values count as this one */
	int digits;      /* 1 to 5 */
	int unit_bits;   /* log2 of `lowest` */
	int half_bits;   /* log2 of the counters from one doubling of the step to the next */
	size_t length;   /* of counters[] */
	uint64_t total;
	uint64_t *counters;
};

/*
 * Makes an empty histogram. -EINVAL: digits not from 1 to 5, lowest below 1, highest below twice
 * lowest; -E2BIG: more than HISTOGRAM_COUNTERS_MAX counters; -ENOMEM.
 */
int histogram_init(struct histogram *histogram, int64_t lowest, int64_t highest, int digits);
void histogram_free(struct histogram *histogram);
/* Counts `value`: below 0 as 0, above `highest` as `highest`. Never allocates. */
void histogram_record(struct histogram *histogram, int64_t value);

/* Each is 0 for an empty histogram. */
int64_t histogram_min(const struct histogram *histogram);
int64_t histogram_max(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);
double histogram_stddev(const struct histogram *histogram);
/* The least value that `percentile` (0 to 100) per cent of all values do not exceed. */
int64_t histogram_percentile(const struct histogram *histogram, double percentile);

/*
 * One line of the percentile distribution. There are 5 lines for each halving of the distance to
 * 100 %, and a last line for 100 %. Start with {0}; histogram_next() is false after the last line.
 */
struct histogram_step {
	int64_t value;
	double percentile; /* 0 to 100 */
	uint64_t count;    /* of values up to `value` */
	bool last;
	/* Used by histogram_next() only: the next counter to add to `count`. */
	size_t index;
	double next_percentile;
};
bool histogram_next(const struct histogram *histogram, struct histogram_step *step);

/* The text that HdrHistogram plotters read (.hgrm), values divided by `scale`. */
void histogram_write_hgrm(const struct histogram *histogram, double scale, FILE *file);
