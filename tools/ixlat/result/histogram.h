/* SPDX-License-Identifier: MIT */
/*
 * A histogram with a high dynamic range: every value up to `highest` is counted with a fixed
 * number of decimal digits, in a fixed amount of memory, in a few instructions.
 *
 * Debian 12 has the HdrHistogram library for Java and Go but not for C, so this is our own, with
 * the same layout of counters, so that its encoding and its .hgrm text are what others read.
 *
 *   value     0 ... 2047   2048 ... 4095   4096 ... 8191   8192 ...        (3 digits)
 *   step           1              2               4             8
 *   counters    2048           1024            1024          1024
 *
 * A counter stands for all values of its step.
 * Percentiles, minimum and maximum come from counters alone, never from a value kept
 * aside, so that a histogram read back says the same as the one that was written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	HISTOGRAM_DIGITS = 3,
	HISTOGRAM_COUNTERS_MAX = 1 << 20, /* 8 MiB, for one that comes from outside */
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
 * Makes an empty one. -EINVAL: digits not from 1 to 5, lowest below 1, highest below twice lowest;
 * -E2BIG: more than HISTOGRAM_COUNTERS_MAX counters; -ENOMEM.
 */
int histogram_init(struct histogram *histogram, int64_t lowest, int64_t highest, int digits);
void histogram_free(struct histogram *histogram);
/* Counts `value`; below 0 as 0, above the highest as that. Never allocates. */
void histogram_record(struct histogram *histogram, int64_t value);

/* All of an empty one are 0. */
int64_t histogram_min(const struct histogram *histogram);
int64_t histogram_max(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);
double histogram_stddev(const struct histogram *histogram);
/* The value that `percentile` (0 to 100) of all values are not above. */
int64_t histogram_percentile(const struct histogram *histogram, double percentile);

/*
 * One line of the percentile distribution: 5 lines for each halving of what lies above, the last
 * is 100 %. Start with {0}; false after the last.
 */
struct histogram_step {
	int64_t value;
	double percentile; /* 0 to 100 */
	uint64_t count;    /* of values up to `value` */
	bool last;
	/* The place: the next counter to add to `count`. */
	size_t index;
	double next_percentile;
};
bool histogram_next(const struct histogram *histogram, struct histogram_step *step);

/* The text that HdrHistogram plotters read (.hgrm), values divided by `scale`. */
void histogram_write_hgrm(const struct histogram *histogram, double scale, FILE *file);
