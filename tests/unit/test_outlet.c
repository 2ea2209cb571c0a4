/* SPDX-License-Identifier: MIT */
/* Lines go out in order, nobody waits, and each lost line is counted where it would be. Lines that
 * repeat are left out and summed up. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/service/clock.h"
#include "bridge/service/outlet.h"
#include "bridge/service/printable.h"
#include "bridge/service/repeat.h"

#define LINES   20000u /* many times what ring and pipe hold */
#define WAIT_MS 10000

static size_t lost_line(char *line, size_t size, uint64_t lost)
{
	return (size_t)snprintf(line, size, "lost %" PRIu64 "\n", lost);
}

static void put(struct outlet *outlet, unsigned int number)
{
	char line[32];

	outlet_put(outlet, line, (size_t)snprintf(line, sizeof(line), "line %u\n", number));
}

/* Reads what comes until `lines` are accounted for, said or lost. */
static void read_all(int fd, uint64_t lines, uint64_t *lost)
{
	FILE *file = fdopen(fd, "r");
	uint64_t next = 0, value;
	char line[64], word[8];

	*lost = 0;
	assert_non_null(file);
	while (next < lines) {
		assert_non_null(fgets(line, sizeof(line), file));
		assert_int_equal(sscanf(line, "%7s %" SCNu64, word, &value), 2);
		if (!strcmp(word, "lost")) {
			*lost += value;
			next += value;
		} else {
			assert_int_equal(value, next);
			next++;
		}
	}
	assert_int_equal(next, lines);
	fclose(file);
}

static void test_nobody_reads(void **state)
{
	/* Static: its thread stays. */
	static struct outlet outlet = OUTLET(-1, lost_line);
	int64_t start = clock_ms();
	uint64_t lost;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	outlet.fd = pipes[1];
	for (unsigned int i = 0; i < LINES; i++)
		put(&outlet, i);
	assert_true(clock_ms() - start < WAIT_MS);
	read_all(pipes[0], LINES, &lost);
	assert_in_range(lost, 1, LINES - 1);
	close(pipes[1]);
}

/* Others may have made the file description non-blocking. */
static void test_non_blocking(void **state)
{
	static struct outlet outlet = OUTLET(-1, lost_line);
	uint64_t lost;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	outlet.fd = pipes[1];
	for (unsigned int i = 0; i < LINES; i++)
		put(&outlet, i);
	assert_int_equal(fcntl(pipes[0], F_SETFL, 0), 0);
	read_all(pipes[0], LINES, &lost);
	close(pipes[1]);
}

static void test_nobody_can_read(void **state)
{
	static struct outlet outlet = OUTLET(-1, lost_line);
	int64_t start = clock_ms();
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	close(pipes[0]);
	outlet.fd = pipes[1];
	for (unsigned int i = 0; i < LINES; i++)
		put(&outlet, i);
	assert_true(clock_ms() - start < WAIT_MS);
}

/* Says `lines` of a site, `each_ms` apart; how many were said. */
static unsigned int say(struct repeat *repeat, const char *site, unsigned int lines,
			int64_t *now_ms, int64_t each_ms)
{
	unsigned int said = 0;
	char text[16];

	for (unsigned int i = 0; i < lines; i++, *now_ms += each_ms) {
		snprintf(text, sizeof(text), "%s %u", site, i);
		said += repeat_add(repeat, site, 1, text, *now_ms);
	}
	return said;
}

static void test_repeated_lines_are_summed_up(void **state)
{
	static struct repeat repeat;
	const char *a = "a", *b = "b";
	int64_t now_ms = 5000;
	char text[200];
	int level = 0;

	(void)state;
	assert_int_equal(say(&repeat, a, REPEAT_BURST, &now_ms, 0), REPEAT_BURST);
	assert_true(repeat_due_ms(&repeat) == INT64_MAX);
	assert_int_equal(say(&repeat, a, 1000, &now_ms, 1), 0);
	assert_int_equal(say(&repeat, b, 3, &now_ms, 0), 3); /* another site */
	assert_int_equal(repeat_due_ms(&repeat), 5000 + REPEAT_WINDOW_MS);
	assert_false(repeat_next(&repeat, now_ms, false, &level, text, sizeof(text)));
	now_ms = 5000 + REPEAT_WINDOW_MS;
	assert_true(repeat_next(&repeat, now_ms, false, &level, text, sizeof(text)));
	assert_string_equal(text, "a 999 (the last of 1000 such lines within 10 s)");
	assert_int_equal(level, 1);
	assert_false(repeat_next(&repeat, now_ms, true, &level, text, sizeof(text)));

	/* It goes on: only sums, until a window is quiet. */
	assert_int_equal(say(&repeat, a, 7, &now_ms, 1), 0);
	assert_true(repeat_next(&repeat, now_ms, true, &level, text, sizeof(text)));
	assert_string_equal(text, "a 6 (the last of 7 such lines within 1 s)");
	now_ms += REPEAT_WINDOW_MS;
	assert_int_equal(say(&repeat, a, 1, &now_ms, 0), 1);
	/* Lines that are rare are never left out. */
	assert_int_equal(say(&repeat, b, 100, &now_ms, REPEAT_WINDOW_MS / REPEAT_BURST), 100);
}

/* The summary of a long line begins and ends as the line does, and has whole characters only. */
static void test_a_long_line_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\x8d"};
	int64_t now_ms = 0;

	(void)state;
	for (int c = 0; c < 3; c++)
		for (size_t shift = 0; shift < 4; shift++) {
			struct repeat repeat = {0};
			char line[1600] = "", text[1920], again[1920];
			int level;

			memset(line, '-', shift);
			while (strlen(line) < 800)
				strcat(line, characters[c]);
			strcat(line, "why");
			for (unsigned int i = 0; i <= REPEAT_BURST; i++)
				repeat_add(&repeat, "site", 1, line, now_ms);
			assert_true(repeat_next(&repeat, now_ms, true, &level, text, sizeof(text)));
			assert_memory_equal(text, line, 100);
			assert_non_null(strstr(text, "why (the last of 1"));
			strcpy(again, text);
			printable(again, sizeof(again));
			assert_string_equal(again, text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_non_blocking),
		cmocka_unit_test(test_nobody_can_read),
		cmocka_unit_test(test_repeated_lines_are_summed_up),
		cmocka_unit_test(test_a_long_line_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
