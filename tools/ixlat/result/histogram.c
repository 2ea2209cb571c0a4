/* SPDX-License-Identifier: MIT */
/* histogram.h has the layout of the counters. */
#include "histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { TICKS_PER_HALVING = 5 };

/* The number of bits of `value`. */
static int bits(uint64_t value)
{
	return value ? 64 - __builtin_clzll(value) : 0;
}

int histogram_init(struct histogram *histogram, int64_t lowest, int64_t highest, int digits)
{
	struct histogram made = {.lowest = lowest, .highest = highest, .digits = digits};
	uint64_t steps = 2;
	int doublings;

	if (digits < 1 || digits > 5 || lowest < 1 || lowest > highest / 2)
		return -EINVAL;
	for (int i = 0; i < digits; i++)
		steps *= 10;
	made.unit_bits = bits((uint64_t)lowest) - 1;
	/* The first power of two with room for two times ten to the digits. */
	made.half_bits = bits(steps - 1) - 1;
	if (made.unit_bits + made.half_bits > 61)
		return -EINVAL;
	doublings = bits((uint64_t)highest) - (made.unit_bits + made.half_bits + 1);
	made.length = (size_t)((doublings > 0 ? doublings : 0) + 2) << made.half_bits;
	if (made.length > HISTOGRAM_COUNTERS_MAX)
		return -E2BIG;
	made.counters = calloc(made.length, sizeof(*made.counters));
	if (!made.counters)
		return -ENOMEM;
	*histogram = made;
	return 0;
}

void histogram_free(struct histogram *histogram)
{
	free(histogram->counters);
	*histogram = (struct histogram){0};
}

static size_t index_of(const struct histogram *histogram, int64_t value)
{
	int linear = histogram->unit_bits + histogram->half_bits + 1;
	int doubling = bits((uint64_t)value | ((1ull << linear) - 1)) - linear;

	return ((size_t)doubling << histogram->half_bits) +
	       (size_t)(value >> (doubling + histogram->unit_bits));
}

void histogram_record(struct histogram *histogram, int64_t value)
{
	if (value < 0)
		value = 0;
	if (value > histogram->highest)
		value = histogram->highest;
	histogram->counters[index_of(histogram, value)]++;
	histogram->total++;
}

/* How often the step has doubled before `index`. */
static int doubling_of(const struct histogram *histogram, size_t index)
{
	int half = (int)(index >> histogram->half_bits);

	return half > 1 ? half - 1 : 0;
}

/* The smallest value that counts at `index`. */
static int64_t lowest_at(const struct histogram *histogram, size_t index)
{
	int doubling = doubling_of(histogram, index);
	size_t place = index - ((size_t)doubling << histogram->half_bits);

	return (int64_t)((uint64_t)place << (doubling + histogram->unit_bits));
}

static int64_t step_at(const struct histogram *histogram, size_t index)
{
	return (int64_t)(1ull << (doubling_of(histogram, index) + histogram->unit_bits));
}

/* The largest value that counts at `index`. */
static int64_t highest_at(const struct histogram *histogram, size_t index)
{
	return lowest_at(histogram, index) + (step_at(histogram, index) - 1);
}

/* The value that stands for all of a counter in sums. */
static double middle(const struct histogram *histogram, size_t index)
{
	return (double)lowest_at(histogram, index) + (double)(step_at(histogram, index) >> 1);
}

int64_t histogram_min(const struct histogram *histogram)
{
	for (size_t i = 0; i < histogram->length; i++)
		if (histogram->counters[i])
			return lowest_at(histogram, i);
	return 0;
}

int64_t histogram_max(const struct histogram *histogram)
{
	for (size_t i = histogram->length; i-- > 0;)
		if (histogram->counters[i])
			return highest_at(histogram, i);
	return 0;
}

double histogram_mean(const struct histogram *histogram)
{
	double sum = 0;

	for (size_t i = 0; i < histogram->length; i++)
		if (histogram->counters[i])
			sum += (double)histogram->counters[i] * middle(histogram, i);
	return histogram->total ? sum / (double)histogram->total : 0;
}

double histogram_stddev(const struct histogram *histogram)
{
	double mean = histogram_mean(histogram), sum = 0;

	for (size_t i = 0; i < histogram->length; i++) {
		double off = middle(histogram, i) - mean;

		if (histogram->counters[i])
			sum += (double)histogram->counters[i] * off * off;
	}
	return histogram->total ? sqrt(sum / (double)histogram->total) : 0;
}

int64_t histogram_percentile(const struct histogram *histogram, double percentile)
{
	/* The double 99.9 is a little above 99.9, and would make 99.9 % of 1000 the 1000th value.
	 */
	double wanted = ceil(nextafter(percentile, 0) / 100 * (double)histogram->total);
	uint64_t seen = 0;

	if (percentile >= 100)
		return histogram_max(histogram);
	if (wanted < 1)
		wanted = 1;
	for (size_t i = 0; i < histogram->length; i++) {
		seen += histogram->counters[i];
		if ((double)seen >= wanted)
			return highest_at(histogram, i);
	}
	return 0;
}

/*
 * The percentile of the next line. The distance to 100 is halved in TICKS_PER_HALVING equal steps,
 * and then the rest of it. 100 follows when the distance is too small to be halved.
 */
static double percentile_after(double percentile)
{
	int64_t halvings = (int64_t)(log(100 / (100 - percentile)) / log(2)) + 1;
	double next = percentile + 100 / (TICKS_PER_HALVING * pow(2, (double)halvings));

	return next > percentile ? next : 100;
}

bool histogram_next(const struct histogram *histogram, struct histogram_step *step)
{
	double total = (double)histogram->total;

	if (step->last || histogram->total == 0)
		return false;
	/* When all values are counted, only the line of 100 % is left. */
	step->percentile = step->count == histogram->total ? 100 : step->next_percentile;
	step->last = step->percentile >= 100;
	/* Goes on to the counter that has this percentile: perhaps the same as for the line before.
	 */
	while (step->count == 0 ||
	       (step->count < histogram->total &&
		(step->last || 100 * (double)step->count / total < step->percentile)))
		step->count += histogram->counters[step->index++];
	step->value = highest_at(histogram, step->index - 1);
	if (!step->last)
		step->next_percentile = percentile_after(step->percentile);
	return true;
}

void histogram_write_hgrm(const struct histogram *histogram, double scale, FILE *file)
{
	struct histogram_step step = {0};
	int digits = histogram->digits;

	fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	while (histogram_next(histogram, &step)) {
		fprintf(file, "%12.*f %2.12f %10" PRIu64, digits, (double)step.value / scale,
			step.percentile / 100, step.count);
		if (step.last)
			fputc('\n', file);
		else
			fprintf(file, " %14.2f\n", 1 / (1 - step.percentile / 100));
	}
	fprintf(file, "#[Mean    = %12.*f, StdDeviation   = %12.*f]\n", digits,
		histogram_mean(histogram) / scale, digits, histogram_stddev(histogram) / scale);
	fprintf(file, "#[Max     = %12.*f, Total count    = %12" PRIu64 "]\n", digits,
		(double)histogram_max(histogram) / scale, histogram->total);
	fprintf(file, "#[Buckets = %12zu, SubBuckets     = %12u]\n",
		(histogram->length >> histogram->half_bits) - 1, 2u << histogram->half_bits);
}
