/* SPDX-License-Identifier: MIT */
/* What a handover says of descriptors, and what becomes of those that cannot go along. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/keeper/handover.h"

struct seen {
	int sum, count, of_pid;
	int refused, error; /* that descriptor, with that error */
};

static int look(void *ctx, int fd, pid_t pid)
{
	struct seen *seen = ctx;

	seen->sum += fd;
	seen->count++;
	seen->of_pid += pid > 0;
	return fd == seen->refused ? seen->error : fd + 100;
}

static json_t *parsed(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void each_is_visited_and_replaced(void **state)
{
	json_t *json = parsed("{\"fd\": 1, \"a\": {\"fd\": [2, -1, 3], \"pid\": 7}, "
			      "\"b\": [{\"fd\": 4, \"number\": 5}], \"c\": null}");
	json_t *after = parsed("{\"fd\": 101, \"a\": {\"fd\": [102, -1, 103], \"pid\": 7}, "
			       "\"b\": [{\"fd\": 104, \"number\": 5}], \"c\": null}");
	struct seen seen = {.refused = -1};

	(void)state;
	assert_int_equal(handover_fds(json, look, &seen), 0);
	assert_int_equal(seen.sum, 10);
	assert_int_equal(seen.count, 4);
	assert_int_equal(seen.of_pid, 2);
	assert_true(json_equal(json, after));
	json_decref(json);
	json_decref(after);
}

/* One that cannot go along does not hide the others: they are to be closed, too. */
static void what_was_wrong_is_said(void **state)
{
	static const int errors[] = {-ENOSPC, -EBADF, -ENOMEM};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		for (int refused = 1; refused <= 4; refused++) {
			json_t *json =
				parsed("{\"fd\": 1, \"a\": [{\"fd\": [2, 3]}, {\"fd\": 4}]}");
			struct seen seen = {.refused = refused, .error = errors[i]};

			assert_int_equal(handover_fds(json, look, &seen), errors[i]);
			assert_int_equal(seen.count, 4);
			json_decref(json);
		}
}

static void what_is_no_descriptor_is_refused(void **state)
{
	static const char *const texts[] = {
		"{\"fd\": -2}",  "{\"fd\": 2147483648}",           "{\"fd\": \"1\"}",
		"{\"fd\": 1.5}", "{\"a\": [{\"fd\": [0, null]}]}", "{\"fd\": {\"fd\": 1}}",
	};
	struct seen seen = {.refused = -1};
	json_t *many = json_array();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = parsed(texts[i]);

		assert_int_equal(handover_fds(json, look, &seen), -EBADF);
		json_decref(json);
	}
	for (int i = 0; i < 2000; i++)
		json_array_append_new(many, json_integer(i));
	assert_int_equal(handover_fds(many, look, &seen), -E2BIG);
	json_decref(many);
}

static void flags_are_set_on_all(void **state)
{
	int end[2];
	json_t *json;

	(void)state;
	assert_int_equal(pipe(end), 0);
	json = json_pack("{s:[i,i]}", "fd", end[0], end[1]);
	assert_int_equal(handover_fds_flag(json, FD_CLOEXEC), 0);
	assert_int_equal(fcntl(end[0], F_GETFD) & fcntl(end[1], F_GETFD), FD_CLOEXEC);
	assert_int_equal(handover_fds_flag(json, 0), 0);
	assert_int_equal(fcntl(end[0], F_GETFD) | fcntl(end[1], F_GETFD), 0);
	close(end[0]);
	assert_int_equal(handover_fds_flag(json, FD_CLOEXEC), -EBADF);
	assert_int_equal(fcntl(end[1], F_GETFD), FD_CLOEXEC);
	close(end[1]);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_visited_and_replaced),
		cmocka_unit_test(what_was_wrong_is_said),
		cmocka_unit_test(what_is_no_descriptor_is_refused),
		cmocka_unit_test(flags_are_set_on_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
