/* SPDX-License-Identifier: MIT */
/*
 * ixlat's histogram and its encoding. What they are held against was written by HdrHistogram 2.1.11
 * for Java.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "tools/ixlat/result/encoding.h"
#include "tools/ixlat/result/histogram.h"

#define HIGHEST ((int64_t)1 << 47)

/* recordValue() of the values that record_many() records. */
static const char java_many[] =
	"HISTFAAAAvh4nDVUsWoUURR9c96deRmGYVmWZVliCCJBQhBJEVIECSIhiIVfYCUW1mJhJ6hVCBbiZ1hYiIhVqvyC"
	"ltY2dmIhes55k83OvPfuu/fcc8+92Wuv3y1Sai9T/eRpbVJ66c3xr2oA/mzzAV5l/Cu4jrMez/A7Y8D3jAW+NPgA"
	"/AUe4scGzhvs4gD38Qg/GzzGZYNPDTbxOeMt8JRBz4GvDXDW4E3GKUZ8bHCIDLyX3ymWOOFzDhqxgydoebrFuBnS"
	"tzhgfn7nSNjGTb6zwm/QNEPBbb4P6HwH4NUL7GOPgSN6bBHmAdc9eqxwj88AHnfpchhOvIMjeiZlXRF1HjvidFcc"
	"MoN5M/Ki5Yo1LUN4P6MAXI65WZNRJiajWm63qAFzjOLNjTDmYLqePGfkW2g84SnFnFc9Hf0qDHVZ+qNlBWYolcIR"
	"nVtu980g0ey7UwqhlfjF+Ri04JKd5YT4S1c9Y0lJ/A29VBo9sahVDUYscFUtgdqwJZhtaZqDSOTI5p4qltJRooH1"
	"MtRIY+QYw7qM5IuQ48JFLWmRuFAZa74H76BcRFb6Er246Mkxc5TSZEuwoiIkF7JaVGVcK1PpVtZGLbRMbESX7bPJ"
	"t9uyFhrhB8GlrhZgEVO3gJvnyVIhBt1xZ6pk+tQ+ZJNqo7Vr1WER3lmbatEQMVtbFU2kPIt5LLjONTqUaIJaTYDF"
	"3hoxEgzV3HcVtISSETtk5iGyU7A/tlRqytzpFGp9r4vUmbclluo0DCq86FKNNMzo9OiqrAlVFfUp10QCDCkYqENj"
	"pgpnMzbk0ioJzV3ZMDJNfcCa4GrmMCnhYQid+g55UreE7zUxqmAuKgRYduFhrU5sBusNK6HSWsutNUVlUZyYMkSt"
	"22NXKnq66oOmw4OapoG1ElENmj4auSRPLoeoa32pRthHU6slrIhSq7I6D22Xax3WgHchKUku+qviuZ8Ucy2KdZeS"
	"jqm2vMuTa/3X1NJ517oCDkIlrt+XGKdSBkP4pyr8lWuvmIsL4D9NKDsK";

static uint32_t next_random(uint32_t x)
{
	return (x * 1103515245u + 12345u) & 0x7fffffffu;
}

static struct histogram empty(void)
{
	struct histogram made;

	assert_int_equal(histogram_init(&made, 1, HIGHEST, 3), 0);
	return made;
}

static struct histogram record_many(void)
{
	static const int64_t edges[] = {0, 1, 2047, 2048, (int64_t)1 << 40};
	struct histogram made = empty();
	uint32_t x = 12345;

	for (int i = 0; i < 1000; i++) {
		x = next_random(x);
		histogram_record(&made, x % 1000000);
	}
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		histogram_record(&made, edges[i]);
	for (int i = 0; i < 300; i++)
		histogram_record(&made, 70000);
	return made;
}

static void same_figures_as_javas(void **state)
{
	struct histogram many = record_many();

	(void)state;
	assert_int_equal(many.total, 1305);
	assert_int_equal(histogram_min(&many), 0);
	assert_int_equal(histogram_max(&many), 1100585369599);
	assert_int_equal(histogram_percentile(&many, 50), 375295);
	assert_int_equal(histogram_percentile(&many, 90), 878079);
	assert_int_equal(histogram_percentile(&many, 99), 988159);
	assert_int_equal(histogram_percentile(&many, 99.9), 998911);
	assert_int_equal(histogram_percentile(&many, 99.99), 1100585369599);
	assert_int_equal(histogram_percentile(&many, 100), 1100585369599);
	assert_true(fabs(histogram_mean(&many) - 8.433595463961686e8) < 1);
	assert_true(fabs(histogram_stddev(&many) - 3.0439671025127563e10) < 100);
	histogram_free(&many);
}

static void values_keep_three_digits(void **state)
{
	(void)state;
	for (int64_t value = 1; value < HIGHEST; value += value / 3 + 1) {
		struct histogram one = empty();

		histogram_record(&one, value);
		assert_true(histogram_min(&one) <= value && value <= histogram_max(&one));
		assert_true(histogram_max(&one) - histogram_min(&one) <= value / 1000);
		histogram_free(&one);
	}
}

static void a_counter_begins_where_the_one_before_ends(void **state)
{
	struct histogram one;

	(void)state;
	assert_int_equal(histogram_init(&one, 1, 1 << 16, 3), 0);
	for (size_t i = 1; i < one.length; i++) {
		int64_t end;

		one.counters[i - 1] = 1;
		end = histogram_max(&one);
		one.counters[i - 1] = 0;
		one.counters[i] = 1;
		assert_int_equal(histogram_min(&one), end + 1);
		one.counters[i] = 0;
	}
	histogram_free(&one);
}

static void what_is_outside_counts_as_the_edge(void **state)
{
	struct histogram one = empty();

	(void)state;
	histogram_record(&one, -5);
	assert_int_equal(histogram_max(&one), 0);
	histogram_record(&one, INT64_MAX);
	assert_int_equal(one.total, 2);
	assert_true(histogram_max(&one) >= HIGHEST);
	histogram_free(&one);
}

static void percentiles_are_exact_in_rank(void **state)
{
	struct histogram thousand = empty();

	(void)state;
	for (int i = 1; i <= 1000; i++)
		histogram_record(&thousand, i);
	assert_int_equal(histogram_percentile(&thousand, 0), 1);
	assert_int_equal(histogram_percentile(&thousand, 50), 500);
	assert_int_equal(histogram_percentile(&thousand, 99), 990);
	assert_int_equal(histogram_percentile(&thousand, 99.9), 999);
	assert_int_equal(histogram_percentile(&thousand, 99.99), 1000);
	histogram_free(&thousand);
}

static void nothing_is_zero_everywhere(void **state)
{
	struct histogram none = empty();
	struct histogram_step step = {0};

	(void)state;
	assert_int_equal(histogram_min(&none), 0);
	assert_int_equal(histogram_max(&none), 0);
	assert_int_equal(histogram_percentile(&none, 50), 0);
	assert_true(histogram_mean(&none) == 0 && histogram_stddev(&none) == 0);
	assert_false(histogram_next(&none, &step));
	histogram_free(&none);
}

static void odd_sizes_are_refused(void **state)
{
	struct histogram none = {0};

	(void)state;
	assert_int_equal(histogram_init(&none, 0, 1000, 3), -EINVAL);
	assert_int_equal(histogram_init(&none, -1, 1000, 3), -EINVAL);
	assert_int_equal(histogram_init(&none, 1, 1, 3), -EINVAL);
	assert_int_equal(histogram_init(&none, 1, 1000, 0), -EINVAL);
	assert_int_equal(histogram_init(&none, 1, 1000, 6), -EINVAL);
	assert_int_equal(histogram_init(&none, INT64_MAX / 2, INT64_MAX, 5), -EINVAL);
	assert_int_equal(histogram_init(&none, 1, INT64_MAX, 5), -E2BIG);
	assert_null(none.counters);
	assert_int_equal(histogram_init(&none, INT64_MAX / 8, INT64_MAX, 1), -EINVAL);
	/* The least and the most that go. */
	assert_int_equal(histogram_init(&none, 1, 2, 1), 0);
	histogram_record(&none, 2);
	assert_int_equal(histogram_max(&none), 2);
	histogram_free(&none);
	assert_int_equal(histogram_init(&none, 1, INT64_MAX, 3), 0);
	histogram_record(&none, INT64_MAX);
	assert_int_equal(histogram_max(&none), INT64_MAX);
	histogram_free(&none);
}

static void hgrm_is_what_java_writes(void **state)
{
	static const char wanted[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
				     "       1.000 0.000000000000          2           1.00\n"
				     "       1.000 0.100000000000          2           1.11\n"
				     "       1.000 0.200000000000          2           1.25\n"
				     "       1.000 0.300000000000          2           1.43\n"
				     "       1.000 0.400000000000          2           1.67\n"
				     "       1.000 0.500000000000          2           2.00\n"
				     "       2.000 0.550000000000          3           2.22\n"
				     "       2.000 0.600000000000          3           2.50\n"
				     "       2.000 0.650000000000          3           2.86\n"
				     "       2.000 0.700000000000          3           3.33\n"
				     "       2.000 0.750000000000          3           4.00\n"
				     "       5.003 0.775000000000          4           4.44\n"
				     "       5.003 1.000000000000          4\n"
				     "#[Mean    =        2.251, StdDeviation   =        1.640]\n"
				     "#[Max     =        5.003, Total count    =            4]\n"
				     "#[Buckets =           38, SubBuckets     =         2048]\n";
	static const int64_t values[] = {1000, 1000, 2000, 5000};
	struct histogram four = empty();
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		histogram_record(&four, values[i]);
	histogram_write_hgrm(&four, 1000, file);
	fclose(file);
	assert_string_equal(text, wanted);
	free(text);
	histogram_free(&four);
}

/* So many in one counter that the one beside it has no share that a double can tell. */
static void steps_end_whatever_the_counters(void **state)
{
	(void)state;
	for (uint64_t many = 1; many <= (uint64_t)1 << 62; many <<= 1) {
		struct histogram two = empty();
		struct histogram_step step = {0};
		int lines = 0;

		two.counters[1] = many;
		two.counters[2] = 1;
		two.total = many + 1;
		while (histogram_next(&two, &step)) {
			assert_true(step.percentile <= 100);
			assert_true(++lines < 1000);
		}
		assert_true(step.percentile == 100 && step.value == 2 && step.count == two.total);
		histogram_free(&two);
	}
}

static void assert_same(const struct histogram *a, const struct histogram *b)
{
	assert_int_equal(a->lowest, b->lowest);
	assert_int_equal(a->highest, b->highest);
	assert_int_equal(a->digits, b->digits);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->total, b->total);
	assert_memory_equal(a->counters, b->counters, a->length * sizeof(*a->counters));
}

static void javas_encoding_is_read(void **state)
{
	struct histogram many = record_many(), read;

	(void)state;
	assert_int_equal(encoding_read(java_many, &read), 0);
	assert_same(&many, &read);
	histogram_free(&many);
	histogram_free(&read);
}

/* Another range, another precision, a counter of 6 bytes. */
static void other_encodings_are_read(void **state)
{
	struct histogram read;

	(void)state;
	assert_int_equal(
		encoding_read("HISTFAAAAFJ4nJNpmSzMwMCgzwABTBCK+QUQuxnsWMBg/wEisp5vxYsTL6ez"
			      "L+ZiWsrIFMvEypTK5Mkkz2TJJMyUycTJxM7EZMokySTPwswUzMTPBACWxw5A",
			      &read),
		0);
	assert_int_equal(read.digits, 2);
	assert_int_equal(read.lowest, 1000);
	assert_int_equal(read.highest, 3600000000000);
	assert_int_equal(read.total, 123456789032);
	assert_int_equal(histogram_max(&read), 2113929215);
	assert_int_equal(histogram_percentile(&read, 50), 5013503);
	histogram_free(&read);
	/* Empty. */
	assert_int_equal(
		encoding_read("HISTFAAAAB14nJNpmSzMwMDAyAABzFAayG8AM+w/QEUARDUC+w==", &read), 0);
	assert_int_equal(read.total, 0);
	histogram_free(&read);
}

static void what_is_written_is_read(void **state)
{
	struct histogram many = record_many(), none = empty(), read;
	char *text = encoding_write(&many);

	(void)state;
	assert_non_null(text);
	assert_int_equal(strncmp(text, "HISTFAAA", 8), 0);
	assert_int_equal(encoding_read(text, &read), 0);
	assert_same(&many, &read);
	free(text);
	histogram_free(&many);
	histogram_free(&read);

	text = encoding_write(&none);
	assert_int_equal(encoding_read(text, &read), 0);
	assert_same(&none, &read);
	free(text);
	histogram_free(&none);
	histogram_free(&read);
}

static void other_texts_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"A",
		"AAAA",
		"====",
		"HIST",
		"HISTFAAA",
		"HISTFAAAAB1",
		"not base64 at all",
		"HISTFAAAAB14nJNpmSzMwMDAyAABzFAayG8AM+w/QEUARDUC+w=",  /* one letter short */
		"HISTFAAAAP94nJNpmSzMwMDAyAABzFAayG8AM+w/QEUARDUC+w==", /* longer than it is */
		"HISTEAAAAB14nJNpmSzMwMDAyAABzFAayG8AM+w/QEUARDUC+w==", /* another cookie */
		"HISTFAAAAB14nJNpmSzMwMDAyAABzFAayG8AM+w/QEUARDUC+g==", /* a checksum that is wrong
									 */
		"HISTFAAAAB14nJNpmSzMwMDAyA=BzFAayG8AM+w/QEUARDUC+w==",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct histogram read = {0};

		assert_int_equal(encoding_read(bad[i], &read), -EINVAL);
		assert_null(read.counters);
	}
}

/* Every letter of a good one changed, one at a time: an error, or a histogram of some sort. */
static void no_change_does_harm(void **state)
{
	char text[sizeof(java_many)];

	(void)state;
	for (size_t i = 0; i < sizeof(java_many) - 1; i++) {
		struct histogram read = {0};

		memcpy(text, java_many, sizeof(text));
		text[i] = text[i] == 'A' ? 'B' : 'A';
		if (encoding_read(text, &read) == 0)
			histogram_free(&read);
		else
			assert_null(read.counters);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_figures_as_javas),
		cmocka_unit_test(values_keep_three_digits),
		cmocka_unit_test(a_counter_begins_where_the_one_before_ends),
		cmocka_unit_test(what_is_outside_counts_as_the_edge),
		cmocka_unit_test(percentiles_are_exact_in_rank),
		cmocka_unit_test(nothing_is_zero_everywhere),
		cmocka_unit_test(odd_sizes_are_refused),
		cmocka_unit_test(hgrm_is_what_java_writes),
		cmocka_unit_test(steps_end_whatever_the_counters),
		cmocka_unit_test(javas_encoding_is_read),
		cmocka_unit_test(other_encodings_are_read),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(no_change_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
