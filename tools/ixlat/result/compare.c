/* SPDX-License-Identifier: MIT */
/*
 * Ratios are to the first file. Percentiles come from the histograms, not from the numbers beside
 * them in the file. A file may come from anywhere, so everything in it is checked.
 */
#include "compare.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "encoding.h"
#include "histogram.h"
#include "tools/ixlat/ixlat.h"
#include "outfile.h"
#include "plot.h"
#include "result.h"
#include "tools/ixtap/output.h"

enum { FILE_BYTES_MAX = 64 << 20 };

struct compared {
	const char *file, *label;
	json_t *run;
	struct histogram rtt;
};

struct comparison {
	struct compared runs[COMPARE_MAX];
	size_t count;
};

/* ---- Reading ---- */

static json_t *load(const char *path)
{
	struct stat status;
	json_error_t error;
	json_t *run;

	if (stat(path, &status) == 0 && status.st_size > FILE_BYTES_MAX) {
		fail("%s is too large to be the result of a run", path);
		return NULL;
	}
	run = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!run && error.line < 0)
		fail("cannot read %s: %s", path, strerror(errno));
	else if (!run)
		fail("%s is no JSON: line %d: %s", path, error.line, error.text);
	return run;
}

static int read_histogram(struct compared *compared)
{
	const char *encoded = json_string_value(member(compared->run, "rtt.histogram"));
	int err;

	if (!encoded) {
		fail("%s has no rtt.histogram: is it from 'ixlat --json'?", compared->file);
		return -1;
	}
	err = encoding_read(encoded, &compared->rtt);
	if (err) {
		fail("%s: its rtt.histogram %s", compared->file,
		     err == -ENOMEM  ? "needs more memory than there is"
		     : err == -E2BIG ? "has more counters than ixlat takes"
				     : "is no HdrHistogram (V2, compressed, base64)");
		return -1;
	}
	if (!compared->rtt.total) {
		fail("%s: its rtt.histogram is empty", compared->file);
		return -1;
	}
	return 0;
}

static int read_run(struct compared *compared, const char *path)
{
	compared->file = path;
	compared->run = load(path);
	if (!compared->run)
		return -1;
	compared->label = json_string_value(member(compared->run, "label"));
	if (!compared->label || !json_is_string(member(compared->run, "mode")) ||
	    !json_is_number(member(compared->run, "rate_hz")) ||
	    !json_is_integer(member(compared->run, "size_bytes")) ||
	    !json_is_number(member(compared->run, "transactions_per_s")) ||
	    !json_is_integer(member(compared->run, "lost"))) {
		fail("%s is no result of a run: it needs label, mode, rate_hz, size_bytes, "
		     "transactions_per_s and lost",
		     path);
		return -1;
	}
	return read_histogram(compared);
}

/* ---- Values ---- */

enum { ROWS = RESULT_ROW_STDDEV }; /* all but the standard deviation, which is last */

/* -1: the base is 0. */
static double ratio(double value, double base)
{
	return base > 0 ? value / base : -1;
}

/* ---- As text ---- */

static void put_legend(const struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->count; i++) {
		const struct compared *each = &comparison->runs[i];
		double rate_hz = member_number(each->run, "rate_hz");

		put(COLOUR_HEAD, "  %c  %s", (char)('A' + i), each->label);
		put(COLOUR_NONE, "  ");
		put_raw(COLOUR_DIM, 0, each->file);
		put(COLOUR_DIM, ", %s, %lld bytes, ", member_text(each->run, "mode"),
		    (long long)member_int(each->run, "size_bytes"));
		if (rate_hz > 0)
			put(COLOUR_DIM, "%g per second\n", rate_hz);
		else
			put(COLOUR_DIM, "one after another\n");
	}
}

static void put_value(double value, double base, bool is_base, enum colour colour)
{
	double times = ratio(value, base);

	put(COLOUR_NONE, "%12.2f", value);
	if (!is_base && times >= 0)
		put(colour, "  x %-6.3f", times);
	else if (!is_base)
		put(COLOUR_NONE, "  x -     ");
}

#define NAME_COLUMNS  12 /* with the two before it */
#define VALUE_COLUMNS 12
#define RATIO_COLUMNS 10

static void put_heads(const char *what, size_t first, size_t end)
{
	put(COLOUR_HEAD, "\n  %-*s%*c", NAME_COLUMNS - 2, what, VALUE_COLUMNS, 'A');
	for (size_t i = first; i < end; i++)
		put(COLOUR_HEAD, "%*c  %c / A   ", VALUE_COLUMNS, (char)('A' + i), (char)('A' + i));
	put(COLOUR_NONE, "\n");
}

/* The base, and the runs [first, end). */
static void put_runs(const struct comparison *comparison, size_t first, size_t end)
{
	const struct compared *base = &comparison->runs[0];

	put_heads("us", first, end);
	for (size_t row = 0; row < ROWS; row++) {
		double base_value = result_row_value(&base->rtt, row);

		put(COLOUR_NONE, "  %-10s", result_row_name(row));
		put_value(base_value / 1000, base_value / 1000, true, COLOUR_NONE);
		for (size_t i = first; i < end; i++) {
			double value = result_row_value(&comparison->runs[i].rtt, row);

			put_value(value / 1000, base_value / 1000, false,
				  value > base_value ? COLOUR_BAD : COLOUR_GOOD);
		}
		put(COLOUR_NONE, "\n");
	}
}

static void put_rates(const struct comparison *comparison, size_t first, size_t end)
{
	const struct compared *base = &comparison->runs[0];
	double base_value = member_number(base->run, "transactions_per_s");

	put(COLOUR_NONE, "  %-10s", "per second");
	put_value(base_value, base_value, true, COLOUR_NONE);
	for (size_t i = first; i < end; i++) {
		double value = member_number(comparison->runs[i].run, "transactions_per_s");

		put_value(value, base_value, false, value < base_value ? COLOUR_BAD : COLOUR_GOOD);
	}
	put(COLOUR_NONE, "\n  %-10s%12lld", "lost", (long long)member_int(base->run, "lost"));
	for (size_t i = first; i < end; i++)
		put(COLOUR_NONE, "%12lld          ",
		    (long long)member_int(comparison->runs[i].run, "lost"));
	put(COLOUR_NONE, "\n");
}

/* One table, or several below each other on a terminal that has no room for all runs. */
static void put_tables(const struct comparison *comparison)
{
	int room =
		(output_columns() - NAME_COLUMNS - VALUE_COLUMNS) / (VALUE_COLUMNS + RATIO_COLUMNS);

	for (size_t first = 1, end; first < comparison->count; first = end) {
		end = first + (room > 1 ? (size_t)room : 1);
		if (end > comparison->count)
			end = comparison->count;
		put_runs(comparison, first, end);
		put_rates(comparison, first, end);
	}
}

/* Warns of runs with different options: they can be compared, but the reader should know. */
static void put_differences(const struct comparison *comparison)
{
	static const char *const members[] = {"mode", "size_bytes", "rate_hz"};

	for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++)
		for (size_t i = 1; i < comparison->count; i++)
			if (!json_equal(member(comparison->runs[i].run, members[m]),
					member(comparison->runs[0].run, members[m]))) {
				put(COLOUR_WARN, "\n  Not alike: %c and A differ in %s.\n",
				    (char)('A' + i), members[m]);
			}
}

/* ---- As JSON, as a picture ---- */

static json_t *run_json(const struct compared *compared, const struct compared *base)
{
	json_t *rtt = json_object(), *ratios = json_object();

	for (size_t row = 0; row < ROWS; row++) {
		double value = result_row_value(&compared->rtt, row);
		double times = ratio(value, result_row_value(&base->rtt, row));

		json_object_set_new(rtt, result_row_name(row), result_number(value));
		json_object_set_new(ratios, result_row_name(row),
				    times < 0 ? json_null() : result_number(times));
	}
	return json_pack("{ss ss sO sO sO sO sO so so}", "label", compared->label, "file",
			 compared->file, "mode", member(compared->run, "mode"), "rate_hz",
			 member(compared->run, "rate_hz"), "size_bytes",
			 member(compared->run, "size_bytes"), "transactions_per_s",
			 member(compared->run, "transactions_per_s"), "lost",
			 member(compared->run, "lost"), "rtt_ns", rtt, "ratio", ratios);
}

static json_t *comparison_json(const struct comparison *comparison)
{
	json_t *runs = json_array();

	for (size_t i = 0; i < comparison->count; i++)
		json_array_append_new(runs, run_json(&comparison->runs[i], &comparison->runs[0]));
	return json_pack("{ss so}", "base", comparison->runs[0].label, "runs", runs);
}

static int draw(const struct comparison *comparison, struct outfile *outfile)
{
	struct plot_line lines[COMPARE_MAX];

	for (size_t i = 0; i < comparison->count; i++)
		lines[i] = (struct plot_line){
			.label = comparison->runs[i].label,
			.histogram = &comparison->runs[i].rtt,
		};
	if (plot_write(outfile, "Round trip", lines, comparison->count))
		return -1;
	return outfile_commit(outfile);
}

/* When one output fails the others are still written. */
static int show(const struct comparison *comparison, const struct ixlat_options *options)
{
	struct outfile json = {0}, plot = {0};
	bool as_json = options->json && strcmp(options->json, "-") == 0;
	int err = 0;

	if (!as_json) {
		put_legend(comparison);
		put_tables(comparison);
		put_differences(comparison);
	}
	if (options->json && (outfile_open(&json, options->json) ||
			      outfile_json(&json, comparison_json(comparison))))
		err = -1;
	if (options->plot &&
	    (plot_check() || outfile_open(&plot, options->plot) || draw(comparison, &plot)))
		err = -1;
	outfile_abandon(&json);
	outfile_abandon(&plot);
	return err;
}

int compare_runs(const struct ixlat_options *options)
{
	struct comparison comparison = {0};
	int err = 0;

	for (; comparison.count < options->file_count && !err; comparison.count++)
		err = read_run(&comparison.runs[comparison.count],
			       options->files[comparison.count]);
	if (!err)
		err = show(&comparison, options);
	for (size_t i = 0; i < comparison.count; i++) {
		histogram_free(&comparison.runs[i].rtt);
		json_decref(comparison.runs[i].run);
	}
	return err;
}
