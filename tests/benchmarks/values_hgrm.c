/* SPDX-License-Identifier: MIT */
/*
 * A histogram as ixlat makes them, of values that somebody else has measured.
 *
 *     values_hgrm [FILE.hgrm] <VALUES
 *
 * takes whole numbers of nanoseconds from standard input. Writes their percentile distribution to
 * the file, in microseconds, and to standard output a JSON object: the percentiles, and the
 * histogram as text.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ixlat/result/encoding.h"
#include "tools/ixlat/result/histogram.h"

#define HIGHEST_NS (INT64_C(1) << 40) /* 18 minutes */

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "values_hgrm: %s\n", what);
	exit(EXIT_FAILURE);
}

static void percentile_add(json_t *json, const char *name, const struct histogram *histogram,
			   double percentile)
{
	json_object_set_new(json, name, json_integer(histogram_percentile(histogram, percentile)));
}

static void print_json(const struct histogram *histogram)
{
	char *text = encoding_write(histogram);
	json_t *json = json_pack("{s:I, s:I, s:f}", "count", (json_int_t)histogram->total, "min_ns",
				 (json_int_t)histogram_min(histogram), "mean_ns",
				 histogram_mean(histogram));

	if (!text || !json)
		fail("no memory");
	percentile_add(json, "p50_ns", histogram, 50);
	percentile_add(json, "p90_ns", histogram, 90);
	percentile_add(json, "p99_ns", histogram, 99);
	percentile_add(json, "p99_9_ns", histogram, 99.9);
	percentile_add(json, "max_ns", histogram, 100);
	json_object_set_new(json, "histogram", json_string(text));
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
	free(text);
}

int main(int argc, char **argv)
{
	struct histogram histogram;
	char line[64], *end;
	FILE *file;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: values_hgrm [FILE.hgrm] <VALUES\n");
		return 2;
	}
	if (histogram_init(&histogram, 1, HIGHEST_NS, HISTOGRAM_DIGITS))
		fail("no memory");
	while (fgets(line, sizeof(line), stdin)) {
		int64_t value = strtoll(line, &end, 10);

		if (end == line || *end != '\n')
			fail("a line that is no whole number");
		histogram_record(&histogram, value);
	}
	print_json(&histogram);
	if (argc == 2) {
		file = fopen(argv[1], "we");
		if (!file)
			fail(argv[1]);
		histogram_write_hgrm(&histogram, 1000, file);
		if (fclose(file))
			fail(argv[1]);
	}
	histogram_free(&histogram);
	return 0;
}
