/* SPDX-License-Identifier: MIT */
/* Lines go out in order, nobody waits, and each lost line is counted where it would be. Lines that
 * repeat are left out and summed up. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/service/clock.h"
#include "bridge/service/outlet.h"
#include "bridge/service/printable.h"
#include "bridge/service/repeat.h"

#define LINES   20000u /* many times what ring and pipe hold */
#define WAIT_MS 10000

static size_t lost_line(char *line, size_t size, uint64_t lost, int err)
{
	(void)err;
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
	static struct outlet outlet = OUTLET(-1, lost_line, NULL);
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
	static struct outlet outlet = OUTLET(-1, lost_line, NULL);
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
	static struct outlet outlet = OUTLET(-1, lost_line, NULL);
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

static size_t lost_why(char *line, size_t size, uint64_t lost, int err)
{
	return (size_t)snprintf(line, size, "lost %" PRIu64 ": %d\n", lost, err);
}

static _Atomic unsigned int failures, first_failure;

static void note_failure(int err)
{
	if (!failures++)
		first_failure = (unsigned int)err;
}

/* Waits until the outlet has tried to write all. */
static void settle(struct outlet *outlet)
{
	for (int64_t end = clock_ms() + WAIT_MS;; usleep(1000)) {
		bool empty;

		pthread_mutex_lock(&outlet->lock);
		empty = outlet->put == outlet->written;
		pthread_mutex_unlock(&outlet->lock);
		if (empty)
			return;
		assert_true(clock_ms() < end);
	}
}

/* Writes fail for a while: what is lost then is counted, and said once when there is room again. */
static void test_what_cannot_be_written(void **state)
{
	static struct outlet outlet = OUTLET(-1, lost_why, note_failure);
	char text[256] = "";
	int pipes[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(pipe(pipes), 0);
	outlet.fd = dup(pipes[1]);
	put(&outlet, 0);
	settle(&outlet);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(dup2(full, outlet.fd), outlet.fd);
		for (unsigned int i = 1; i < 6; i++) {
			put(&outlet, i);
			settle(&outlet);
		}
		assert_int_equal(dup2(pipes[1], outlet.fd), outlet.fd);
		put(&outlet, 6);
		put(&outlet, 7);
		settle(&outlet);
	}
	assert_true(read(pipes[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text,
			    "line 0\nlost 5: 28\nline 6\nline 7\nlost 5: 28\nline 6\nline 7\n");
	assert_int_equal(failures, 2); /* once for each time */
	assert_int_equal(first_failure, ENOSPC);
	close(pipes[0]);
	close(pipes[1]);
	close(full);
}

/* A file that has room for half a line: the next one that fits begins a line. */
static void test_half_a_line(void **state)
{
	static struct outlet outlet = OUTLET(-1, lost_why, NULL);
	const struct rlimit small = {16, RLIM_INFINITY}, large = {RLIM_INFINITY, RLIM_INFINITY};
	char name[] = "/tmp/ixtap-outlet-XXXXXX", text[256] = "";

	(void)state;
	outlet.fd = mkstemp(name);
	assert_true(outlet.fd >= 0);
	assert_int_equal(unlink(name), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned int i = 0; i < 5; i++) {
		put(&outlet, i); /* 7 bytes */
		settle(&outlet);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &large), 0);
	put(&outlet, 5);
	settle(&outlet);
	assert_true(pread(outlet.fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "line 0\nline 1\nli\nlost 3: 27\nline 5\n");
}

static pid_t forked(int pipes[2])
{
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	return pid;
}

static void ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The process ends before a line could be written again: the count is its last line. */
static void test_what_was_lost_is_said_at_the_end(void **state)
{
	static struct outlet outlet = OUTLET(-1, lost_why, NULL);
	char text[256] = "";
	int pipes[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	pid_t pid;

	(void)state;
	pid = forked(pipes);
	if (!pid) {
		outlet.fd = full;
		put(&outlet, 1);
		settle(&outlet);
		dup2(pipes[1], full);
		exit(0);
	}
	ends_well(pid);
	assert_true(read(pipes[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "lost 1: 28\n");
	close(pipes[0]);
	close(pipes[1]);
	close(full);
}

/* exec ends the thread, whatever waits. */
static void test_another_program_is_executed(void **state)
{
	static struct outlet outlet = OUTLET(-1, lost_line, NULL);
	const unsigned int lines = 1000; /* that the pipe holds */
	uint64_t lost;
	int pipes[2];
	pid_t pid;

	(void)state;
	pid = forked(pipes);
	if (!pid) {
		outlet.fd = pipes[1];
		for (unsigned int i = 0; i < lines; i++)
			put(&outlet, i);
		outlet_finish();
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	close(pipes[1]);
	read_all(pipes[0], lines, &lost);
	assert_int_equal(lost, 0);
	ends_well(pid);
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
		cmocka_unit_test(test_what_cannot_be_written),
		cmocka_unit_test(test_half_a_line),
		cmocka_unit_test(test_what_was_lost_is_said_at_the_end),
		cmocka_unit_test(test_another_program_is_executed),
		cmocka_unit_test(test_repeated_lines_are_summed_up),
		cmocka_unit_test(test_a_long_line_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
