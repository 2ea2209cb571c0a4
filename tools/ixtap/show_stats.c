/* SPDX-License-Identifier: MIT */
/*
 * ixtap stats: the counters, in groups. With an interval: one line of rates each time; with -s, all
 * counters and their rates.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bridge/frames/counters.h"
#include "bridge/service/streams.h"
#include "ixtap.h"

#define HEADER_EVERY  20
#define NAME_COLUMNS  28 /* with the two before it */
#define COUNT_COLUMNS 18
#define RATE_COLUMNS  12

static const struct bridge_counter_info described[] = {
#define C(name, text) {#name, text},
	BRIDGE_COUNTERS(C)
#undef C
};

static const struct bridge_counter_info of_kernel[] = {
#define C(name, text) {#name, text},
	BRIDGE_KERNEL_COUNTERS(C)
#undef C
};

static const char *describe(const char *name)
{
	for (size_t i = 0; i < sizeof(described) / sizeof(described[0]); i++) {
		if (strcmp(described[i].name, name) == 0)
			return described[i].text;
	}
	for (size_t i = 0; i < sizeof(of_kernel) / sizeof(of_kernel[0]); i++) {
		if (strcmp(of_kernel[i].name, name) == 0)
			return of_kernel[i].text;
	}
	return "";
}

/* Whether frames were lost if this counter is not zero. */
static bool is_loss(const char *name)
{
	static const char *const parts[] = {"drop",   "error",       "missed",  "no_dma_resources",
					    "failed", "dma_refused", "timeout", "unfinished",
					    "skipped"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(name, parts[i]))
			return true;
	}
	return false;
}

/* The frames that the NIC could not take, or the bridge or the kernel at the TAP dropped. */
static int64_t losses(const json_t *stats)
{
	static const char *const nic[] = {"rx_missed_errors", "rx_no_dma_resources"};
	const char *name;
	json_t *value;
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(nic) / sizeof(nic[0]); i++)
		sum += (uint64_t)member_int(json_object_get(stats, "nic"), nic[i]);
	json_object_foreach(json_object_get(stats, "bridge"), name, value)
	{
		if (strstr(name, "_drop"))
			sum += (uint64_t)json_integer_value(value);
	}
	return (int64_t)sum;
}

/* Counts of a daemon that may be none: a difference or sum out of range wraps. */
static int64_t difference(int64_t now, int64_t before)
{
	return (int64_t)((uint64_t)now - (uint64_t)before);
}

/* By the daemon's uptime: "time" is the wall clock, which people and NTP set. */
static double per_second(const json_t *now, const json_t *before, const char *path)
{
	double seconds = member_number(now, "uptime_s") - member_number(before, "uptime_s");
	int64_t counted = difference(member_int(now, path), member_int(before, path));

	return seconds > 0 ? (double)counted / seconds : 0;
}

static void put_name(const char *name, bool loss)
{
	put(loss ? COLOUR_BAD : COLOUR_NONE, "  %-*s", NAME_COLUMNS - 2, name);
}

static void put_value(uint64_t value, bool loss)
{
	char count[FORMAT_BYTES];

	put(loss ? COLOUR_BAD : COLOUR_NONE, "%*s", COUNT_COLUMNS, format_count(count, value));
}

static void put_counter(const char *name, uint64_t value, const char *rate, const char *text)
{
	bool loss = value && is_loss(name);
	int at = NAME_COLUMNS + COUNT_COLUMNS + 2;

	put_name(name, loss);
	put_value(value, loss);
	if (rate) {
		put(COLOUR_NONE, "%*s", RATE_COLUMNS, rate);
		at += RATE_COLUMNS;
	}
	if (*text)
		put_beside(COLOUR_DIM, at, text);
	put(COLOUR_NONE, "\n");
}

/* Shows rates if `before` is not NULL. */
static void put_group(const struct ixtap *cli, const char *group, const json_t *now,
		      const json_t *before)
{
	const char *name;
	json_t *value;
	bool any = false, bridge = strcmp(group, "bridge") == 0;

	put(COLOUR_HEAD, "%s", group);
	put(COLOUR_NONE, "\n");
	json_object_foreach(json_object_get(now, group), name, value)
	{
		uint64_t count = (uint64_t)json_integer_value(value);
		char path[64], rate[FORMAT_BYTES];

		if (count == 0 && !cli->all)
			continue;
		if (before) {
			snprintf(path, sizeof(path), "%s.%s", group, name);
			format_rate(rate, per_second(now, before, path), "/s");
		}
		put_counter(name, count, before ? rate : NULL, bridge ? describe(name) : "");
		any = true;
	}
	if (!any)
		put(COLOUR_DIM, "  nothing counted yet\n");
}

/* A column for each of the queues [first, end). */
static void put_some_queues(const struct ixtap *cli, const json_t *queues, size_t first, size_t end)
{
	put(COLOUR_HEAD, "%-*s", NAME_COLUMNS, "queues");
	for (size_t q = first; q < end; q++)
		put(COLOUR_HEAD, "%*" PRId64, COUNT_COLUMNS,
		    member_int(json_array_get(queues, q), "queue"));
	put(COLOUR_NONE, "\n");
	for (size_t i = 0; i < sizeof(described) / sizeof(described[0]); i++) {
		const char *name = described[i].name;
		uint64_t sum = 0;
		json_t *queue;
		size_t q;

		json_array_foreach(queues, q, queue) sum += (uint64_t)member_int(queue, name);
		if (sum == 0 && !cli->all)
			continue;
		put_name(name, false);
		for (q = first; q < end; q++) {
			uint64_t value = (uint64_t)member_int(json_array_get(queues, q), name);

			put_value(value, value && is_loss(name));
		}
		put(COLOUR_NONE, "\n");
	}
}

/* With one queue, group "bridge" says the same. */
static void put_queues(const struct ixtap *cli, const json_t *stats)
{
	const json_t *queues = json_object_get(stats, "queues");
	size_t count = json_array_size(queues), end;
	int room = (output_columns() - NAME_COLUMNS) / COUNT_COLUMNS;

	for (size_t first = 0; count > 1 && first < count; first = end) {
		end = first + (room > 1 ? (size_t)room : 1);
		if (end > count)
			end = count;
		put_some_queues(cli, queues, first, end);
	}
}

/* ---- Rates, a line each time ---- */

static void put_time(const json_t *stats)
{
	char text[FORMAT_BYTES];

	put(COLOUR_DIM, "%s", format_time(text, member_number(stats, "time")));
}

static const struct {
	const char *head;
	int width;               /* of all together with the time: 78 */
	const char *path, *unit; /* no path: what was lost */
	double scale;
} columns[] = {
	{"rx", 13, "nic.rx_bytes", "bit/s", 8},
	{"rx frames", 11, "nic.rx_packets", "/s", 1},
	{"tx", 13, "nic.tx_bytes", "bit/s", 8},
	{"tx frames", 11, "nic.tx_packets", "/s", 1},
	{"lost", 12, NULL, "", 1},
	{"wake-ups", 10, "bridge.wakeups", "/s", 1},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* A bit for each column that the terminal has no room for: the least important ones first. */
static unsigned int columns_hidden(void)
{
	static const uint8_t order[] = {5, 3, 1, 4, 2}; /* wake-ups, frames, lost, tx */
	int width = (int)strlen("12:34:56"), room = output_columns();
	unsigned int hidden = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		width += columns[i].width;
	for (size_t i = 0; i < sizeof(order) && width > room; i++) {
		width -= columns[order[i]].width;
		hidden |= 1u << order[i];
	}
	return hidden;
}

static void put_rates_header(void)
{
	unsigned int hidden = columns_hidden();

	put(COLOUR_HEAD, "%-8s", "time");
	for (size_t i = 0; i < COLUMNS; i++)
		if (!(hidden & 1u << i))
			put(COLOUR_HEAD, "%*s", columns[i].width, columns[i].head);
	put(COLOUR_NONE, "\n");
}

static void put_rate(size_t i, const json_t *now, const json_t *before)
{
	int64_t lost = difference(losses(now), losses(before));
	char text[FORMAT_BYTES];

	if (columns[i].path)
		put(COLOUR_NONE, "%*s", columns[i].width,
		    format_rate(text, per_second(now, before, columns[i].path) * columns[i].scale,
				columns[i].unit));
	else
		put(lost ? COLOUR_BAD : COLOUR_NONE, "%*s", columns[i].width,
		    format_count(text, (uint64_t)lost));
}

static void put_rates(const json_t *now, const json_t *before)
{
	unsigned int hidden = columns_hidden();

	put_time(now);
	for (size_t i = 0; i < COLUMNS; i++)
		if (!(hidden & 1u << i))
			put_rate(i, now, before);
	put(COLOUR_NONE, "\n");
}

static void put_totals(const struct ixtap *cli, const json_t *now, const json_t *before)
{
	put_group(cli, "nic", now, before);
	put_group(cli, "bridge", now, before);
	put_queues(cli, now);
}

static void put_interval(const struct ixtap *cli, unsigned int line, const json_t *now,
			 const json_t *before)
{
	if (cli->all) {
		put_time(now);
		put(COLOUR_NONE, "\n");
		put_totals(cli, now, before);
		put(COLOUR_NONE, "\n");
		return;
	}
	if (line % HEADER_EVERY == 0)
		put_rates_header();
	put_rates(now, before);
}

static void sleep_interval(double seconds)
{
	double whole = floor(seconds);
	struct timespec left = {.tv_sec = (time_t)whole,
				.tv_nsec = (long)((seconds - whole) * 1e9)};

	nanosleep(&left, NULL);
}

/* Shows `before`, then rates, until interrupted or until the daemon ends. Takes `before`. */
static void repeat(const struct ixtap *cli, int fd, json_t *before)
{
	for (unsigned int line = 0; before && streams_ok(); line++) {
		json_t *now;

		if (cli->json)
			put_json(before);
		if (!streams_ok())
			break;
		sleep_interval(cli->interval_s);
		now = client_request(fd, "stats");
		if (now && !cli->json)
			put_interval(cli, line, now, before);
		json_decref(before);
		before = now;
	}
	json_decref(before);
}

int ixtap_stats(const struct ixtap *cli)
{
	int fd = client_connect(cli);
	json_t *stats;
	int status = 0;

	if (fd < 0)
		return 1;
	stats = client_request(fd, "stats");
	if (!stats) {
		status = 1;
	} else if (cli->interval_s > 0) {
		repeat(cli, fd, stats);
		status = 1;
	} else if (cli->json) {
		put_json(stats);
		json_decref(stats);
	} else {
		put_totals(cli, stats, NULL);
		json_decref(stats);
	}
	close(fd);
	return status;
}
