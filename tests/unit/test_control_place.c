/* SPDX-License-Identifier: MIT */
/* Where the control socket of ixtapd is in the file system: who has the place, and what was left
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_rig.h"

static json_t *echo(void *ctx, struct control_request *request)
{
	(void)ctx;
	return json_pack("{s:s,s:i}", "echo", request->count > 1 ? request->words[1] : "", "words",
			 (int)request->count);
}

static const struct control_command commands[] = {{"echo", 2, echo, true}, {0}};

static int setup(void **state)
{
	return rig_open(state, commands);
}

static void the_socket_is_private(void **state)
{
	struct rig *rig = *state;
	struct stat st;

	assert_int_equal(stat(rig->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_live_socket_is_an_error_a_stale_one_goes(void **state)
{
	struct rig *rig = *state;
	struct control *second = NULL;
	struct ixgbe_why why = {""};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	assert_int_equal(control_open(rig->path, commands, NULL, &second, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, rig->path));
	assert_int_equal(access(rig->path, F_OK), 0);
	control_close(rig->control);
	rig->control = NULL;

	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	strcpy(address.sun_path, rig->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(access(rig->path, F_OK), 0);
	assert_int_equal(control_open(rig->path, commands, NULL, &rig->control, &why), 0);
}

/* A socket's file at `path` that nobody has any more. */
static void leave_stale(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

/* One of the programs that start at one moment: tells what came out, and stays until `end`. */
static void start_and_tell(const char *path, int begin, int told, int end)
{
	struct control *control;
	struct ixgbe_why why = {""};
	char byte;
	int err;

	(void)!read(begin, &byte, 1); /* its end */
	err = control_open(path, commands, NULL, &control, &why);
	if (!err)
		byte = 'w';
	else
		byte = err == -EADDRINUSE && strstr(why.text, "in use") ? 'l' : '?';
	(void)!write(told, &byte, 1);
	(void)!read(end, &byte, 1);
	_exit(0);
}

static void of_many_starts_at_once_one_wins(void **state)
{
	enum { STARTS = 24, ROUNDS = 3 };
	struct rig *rig = *state;
	char path[64];

	snprintf(path, sizeof(path), "%s/many", rig->directory);
	for (int round = 0; round < ROUNDS; round++) {
		int begin[2], told[2], end[2], won = 0;
		char byte;

		leave_stale(path);
		assert_int_equal(pipe(begin) | pipe(told) | pipe(end), 0);
		for (int i = 0; i < STARTS; i++)
			if (!fork()) {
				close(begin[1]);
				close(end[1]);
				start_and_tell(path, begin[0], told[1], end[0]);
			}
		close(begin[1]);
		for (int i = 0; i < STARTS; i++) {
			assert_int_equal(read(told[0], &byte, 1), 1);
			assert_int_not_equal(byte, '?');
			won += byte == 'w';
		}
		close(end[1]);
		while (wait(NULL) > 0)
			;
		close(begin[0]);
		close(told[0]);
		close(told[1]);
		close(end[0]);
		assert_int_equal(won, 1);
	}
	unlink(path);
}

/* Whoever may read the directory can hold the lock: a start waits, and not for ever. */
static void a_lock_held_by_others_stops_no_start(void **state)
{
	struct rig *rig = *state;
	struct control *control = NULL;
	struct ixgbe_why why = {""};
	char path[64];
	int lock = open(rig->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(lock, LOCK_EX), 0);
	snprintf(path, sizeof(path), "%s/locked", rig->directory);
	leave_stale(path);
	assert_int_equal(control_open(path, commands, NULL, &control, &why), 0);
	control_close(control);
	close(lock);
}

static void the_end_removes_its_own_file_alone(void **state)
{
	struct rig *rig = *state;
	char aside[80];

	snprintf(aside, sizeof(aside), "%s.aside", rig->path);
	assert_int_equal(rename(rig->path, aside), 0);
	leave_stale(rig->path); /* of another program */
	control_close(rig->control);
	rig->control = NULL;
	assert_int_equal(unlink(rig->path), 0);
	assert_int_equal(unlink(aside), 0);
}

/* A second start asks whether the socket is in use: that takes no place of a client. */
static void a_second_start_costs_the_first_nothing(void **state)
{
	struct rig *rig = *state;
	struct control *second = NULL;
	struct ixgbe_why why = {""};
	int fd[CONTROL_CLIENTS_MAX];
	char byte;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fd[i] = dial(rig);
	assert_int_equal(control_open(rig->path, commands, NULL, &second, &why), -EADDRINUSE);
	settle(rig);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		assert_int_equal(recv(fd[i], &byte, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		close(fd[i]);
	}
	settle(rig);
}

/* We may not ask, so it is neither in use nor free. */
static void a_socket_of_another_user_is_called_that(void **state)
{
	struct rig *rig = *state;
	char path[64];
	int status;

	if (geteuid())
		skip();
	snprintf(path, sizeof(path), "%s/theirs", rig->directory);
	leave_stale(path);
	assert_int_equal(chmod(path, 0600) | chmod(rig->directory, 0777), 0);
	if (!fork()) {
		struct control *control = NULL;
		struct ixgbe_why why = {""};
		int err = -1;

		if (!setuid(65534))
			err = control_open(path, commands, NULL, &control, &why);
		_exit(err != -EACCES || !strstr(why.text, "user 0") || strstr(why.text, "in use"));
	}
	wait(&status);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	unlink(path);
}

static void a_file_in_the_way_stays(void **state)
{
	struct rig *rig = *state;
	struct control *control = NULL;
	struct ixgbe_why why = {""};
	char path[64], long_path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", rig->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(control_open(path, commands, NULL, &control, &why), -EEXIST);
	assert_int_equal(unlink(path), 0);

	snprintf(path, sizeof(path), "%s/no/such/c.sock", rig->directory);
	assert_int_equal(control_open(path, commands, NULL, &control, &why), -ENOENT);
	assert_non_null(strstr(why.text, path));
	memset(long_path, 'a', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(control_open(long_path, commands, NULL, &control, &why), -ENAMETOOLONG);
	assert_int_equal(control_open("", commands, NULL, &control, &why), -EINVAL);
	assert_null(control);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_close)
	const struct CMUnitTest tests[] = {
		TEST(the_socket_is_private),
		TEST(a_live_socket_is_an_error_a_stale_one_goes),
		TEST(of_many_starts_at_once_one_wins),
		TEST(a_lock_held_by_others_stops_no_start),
		TEST(the_end_removes_its_own_file_alone),
		TEST(a_second_start_costs_the_first_nothing),
		TEST(a_socket_of_another_user_is_called_that),
		TEST(a_file_in_the_way_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
