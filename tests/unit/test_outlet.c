/* SPDX-License-Identifier: MIT */
/* Lines go out in order, nobody waits, and each lost line is counted where it would be. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_non_blocking),
		cmocka_unit_test(test_nobody_can_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
