/* SPDX-License-Identifier: MIT */
/*
 * The operator's side: the control socket, and how the program starts and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static bool has_error(struct model *m, const char *request)
{
	json_t *reply = model_control(m, request);
	bool error = json_is_string(json_object_get(reply, "error"));

	json_decref(reply);
	return error;
}

static void status_tells_the_state(void **state)
{
	json_t *reply;

	model_wait(*state, IXGBE_STATUS, IXGBE_STATUS_LINK_UP, IXGBE_STATUS_LINK_UP);
	reply = model_control(*state, "status");
	assert_string_equal(json_string_value(json_object_get(reply, "mac")), "02:00:00:00:00:01");
	assert_string_equal(json_string_value(json_object_get(reply, "link")), "up");
	assert_true(json_is_true(json_object_get(reply, "client")));
	assert_true(json_is_true(json_object_get(reply, "cable")));
	assert_true(json_is_true(json_object_get(reply, "laser")));
	json_decref(reply);
	reply = model_control(*state, "link down");
	assert_string_equal(json_string_value(json_object_get(reply, "link")), "down");
	assert_true(json_is_false(json_object_get(reply, "cable")));
	json_decref(reply);
}

static void registers_are_chosen_by_prefix(void **state)
{
	json_t *reply, *rows;

	model_write(*state, IXGBE_AT(MTA, 3), 0x80000000);
	reply = model_control(*state, "registers MTA");
	rows = json_object_get(reply, "registers");
	assert_int_equal(json_object_size(rows), 1);
	assert_int_equal(json_array_size(json_object_get(rows, "MTA")), 128);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(rows, "MTA"), 3)),
			 0x80000000);
	json_decref(reply);
	assert_int_equal(model_control_int(*state, "registers rxc", "registers.RXCTRL"), 0);
	assert_true(has_error(*state, "registers NOSUCH"));
}

static void queues_lists_those_that_run(void **state)
{
	struct model_dma ring = model_dma_new(*state, 4096);
	const uint32_t q = 70;
	json_t *reply, *rx;

	model_write(*state, ixgbe_rxq_reg(IXGBE_RDBAL, q), (uint32_t)ring.iova);
	model_write(*state, ixgbe_rxq_reg(IXGBE_RDBAH, q), (uint32_t)(ring.iova >> 32));
	model_write(*state, ixgbe_rxq_reg(IXGBE_RDLEN, q), 4096);
	model_set(*state, ixgbe_rxq_reg(IXGBE_RXDCTL, q), IXGBE_RXDCTL_ENABLE);
	model_wait(*state, ixgbe_rxq_reg(IXGBE_RXDCTL, q), IXGBE_RXDCTL_ENABLE,
		   IXGBE_RXDCTL_ENABLE);
	model_write(*state, ixgbe_rxq_reg(IXGBE_RDT, q), 9);
	reply = model_control(*state, "queues");
	rx = json_object_get(reply, "rx");
	assert_int_equal(json_array_size(rx), 1);
	rx = json_array_get(rx, 0);
	assert_int_equal(json_integer_value(json_object_get(rx, "queue")), q);
	assert_int_equal(json_integer_value(json_object_get(rx, "tail")), 9);
	assert_int_equal(json_integer_value(json_object_get(rx, "length")), 256);
	assert_int_equal(json_array_size(json_object_get(reply, "tx")), 0);
	json_decref(reply);
	model_dma_free(*state, &ring);
}

static void counters_have_statistics_that_stay(void **state)
{
	json_t *reply = model_control(*state, "counters");

	assert_true(json_object_size(json_object_get(reply, "counters")) > 0);
	assert_true(json_is_integer(json_object_get(json_object_get(reply, "statistics"), "GPRC")));
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(reply, "statistics"), "QPRC")), 16);
	json_decref(reply);
}

static void violations_say_what_and_where(void **state)
{
	json_t *reply, *rule;

	for (int i = 0; i < 10; i++)
		model_write(*state, IXGBE_EIMC, 0x80000000);
	reply = model_control(*state, "violations");
	assert_int_equal(json_integer_value(json_object_get(reply, "total")), 10);
	assert_int_equal(json_object_size(json_object_get(reply, "counts")), 1);
	rule = json_object_get(json_object_get(reply, "rules"), "EIMC_RESERVED");
	assert_string_equal(json_string_value(json_object_get(rule, "section")), "8.2.3.5.4");
	assert_int_equal(json_array_size(json_object_get(rule, "first")), 4);
	json_decref(reply);
}

static void nonsense_gets_an_error(void **state)
{
	char big[1100];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_true(has_error(*state, "frobnicate"));
	assert_true(has_error(*state, " "));
	assert_true(has_error(*state, "link"));
	assert_true(has_error(*state, "link sideways"));
	assert_true(has_error(*state, "violations all"));
	assert_true(has_error(*state, "link up now please and again"));
	assert_true(has_error(*state, "status status"));
	assert_true(has_error(*state, big));
	assert_false(has_error(*state, "status"));
}

/* Clients that ask and do not read, or leave at once, cost nobody else anything. */
/* Each has its turn before who asks politely: a sanitized NIC takes its time for all its registers.
 */
#define RUDE_CLIENTS 4

static void rude_clients_bother_nobody(void **state)
{
	int fds[RUDE_CLIENTS];

	for (int i = 0; i < RUDE_CLIENTS; i++) {
		fds[i] = model_control_connect(*state);
		for (int k = 0; k < 50; k++)
			send(fds[i], "registers", 9, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	assert_false(has_error(*state, "status"));
	for (int i = 0; i < RUDE_CLIENTS; i++)
		close(fds[i]);
	for (int i = 0; i < 100; i++) {
		int fd = model_control_connect(*state);

		send(fd, "status", 6, MSG_NOSIGNAL);
		close(fd);
	}
	assert_false(has_error(*state, "status"));
}

static void socket_is_private(void **state)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/control", model_dir(*state));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- Starting ---- */

#define RUN_TEXT 2048

/* Runs the program with these arguments until it ends by itself: its exit status; `text` is what
 * it wrote to both outputs. */
static int run(char text[RUN_TEXT], const char *const *args)
{
	const char *argv[16] = {getenv("IXNIC")};
	size_t len = 0;
	int pipefd[2], status;
	ssize_t n;
	pid_t pid;

	for (int i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipefd[1], STDOUT_FILENO);
		dup2(pipefd[1], STDERR_FILENO);
		alarm(MODEL_DEADLINE_MS / 1000); /* one that stays is killed, and fails the test */
		execv(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(pipefd[1]);
	while ((n = read(pipefd[0], text + len, RUN_TEXT - 1 - len)) > 0)
		len += (size_t)n;
	close(pipefd[0]);
	text[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(text, ...) run(text, (const char *const[]){__VA_ARGS__, NULL})

static void is_one_line(const char *text)
{
	assert_non_null(strchr(text, '\n'));
	assert_string_equal(strchr(text, '\n'), "\n");
}

static void usage_errors_exit_2(void **state)
{
	char text[RUN_TEXT];

	(void)state;
	assert_int_equal(RUN(text, "--nonsense"), 2);
	assert_int_equal(RUN(text, "--socket", "/nowhere/x"), 2);
	assert_int_equal(RUN(text, "--wire", "tap:x"), 2);
	assert_int_equal(RUN(text, "--socket", "a", "--wire", "tap:x", "--mac", "02:00"), 2);
	assert_int_equal(
		RUN(text, "--socket", "a", "--wire", "tap:x", "--mac", "03:00:00:00:00:01"), 2);
	assert_int_equal(RUN(text, "--socket", "a", "--wire", "tap:x", "--link", "sideways"), 2);
	assert_int_equal(RUN(text, "--socket", "a", "--wire", "tap:x", "--log-level", "loud"), 2);
	assert_int_equal(RUN(text, "--socket", "a", "--wire", "tap:x", "more"), 2);
	assert_int_equal(RUN(text, "--socket", "a", "--wire", "string:x"), 2);
	is_one_line(text);
	assert_int_equal(RUN(text, "--version"), 0);
	assert_string_equal(text, "ixnic " IXTAP_VERSION "\n");
	assert_int_equal(RUN(text, "--help"), 0);
	assert_non_null(strstr(text, "--wire"));
}

/* One line, exit 1, and what is in the way is left alone. */
static void failed_starts_exit_1(void **state)
{
	char text[RUN_TEXT], nic[128], wire[160], control[128], file[128];
	struct stat st;
	int fd;

	snprintf(nic, sizeof(nic), "%s/other", model_dir(*state));
	snprintf(wire, sizeof(wire), "seqpacket:%s/other-wire", model_dir(*state));
	snprintf(control, sizeof(control), "%s/control", model_dir(*state));
	snprintf(file, sizeof(file), "%s/file", model_dir(*state));
	assert_int_equal(RUN(text, "--socket", "/no/such/directory/x", "--wire", wire), 1);
	is_one_line(text);
	/* The control socket of the NIC that this test has. */
	assert_int_equal(RUN(text, "--socket", nic, "--wire", wire, "--control", control), 1);
	is_one_line(text);
	assert_non_null(strstr(text, control));
	assert_false(has_error(*state, "status"));
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(RUN(text, "--socket", nic, "--wire", wire, "--control", file), 1);
	is_one_line(text);
	assert_int_equal(stat(file, &st), 0);
	unlink(file);
	/* Nothing is left of the sockets that were made before the failure. */
	assert_int_equal(stat(nic, &st), -1);
	assert_int_equal(stat(wire + strlen("seqpacket:"), &st), -1);
}

/* One that listens there and never accepts: the start does not wait for it. */
static void does_not_wait_for_a_full_listener(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[RUN_TEXT], nic[128], wire[160];
	int listener, fd[2];

	snprintf(nic, sizeof(nic), "%s/other", model_dir(*state));
	snprintf(wire, sizeof(wire), "seqpacket:%s/other-wire", model_dir(*state));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/full", model_dir(*state));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fd[i], (struct sockaddr *)&address, sizeof(address));
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(RUN(text, "--socket", nic, "--wire", wire, "--control", address.sun_path),
			 1);
	is_one_line(text);
	close(fd[0]);
	close(fd[1]);
	close(listener);
	unlink(address.sun_path);
}

/* A datagram socket as systemd's, that waits no longer than the deadline. */
static int notify_socket(const char *path)
{
	const struct timeval deadline = {.tv_sec = MODEL_DEADLINE_MS / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)), 0);
	return fd;
}

/* A socket file that a killed program left is replaced; the service manager hears of the start. */
static void starts_over_a_stale_socket_and_says_so(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char nic[128], wire[160], notify[100], line[8] = "";
	int fd, pipefd[2], status, systemd;
	pid_t pid;

	snprintf(nic, sizeof(nic), "%s/other", model_dir(*state));
	snprintf(wire, sizeof(wire), "seqpacket:%s/other-wire", model_dir(*state));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", model_dir(*state));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	snprintf(notify, sizeof(notify), "%s/notify", model_dir(*state));
	systemd = notify_socket(notify);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipefd[1], STDOUT_FILENO);
		setenv("NOTIFY_SOCKET", notify, 1);
		alarm(MODEL_DEADLINE_MS / 1000);
		execl(getenv("IXNIC"), "ixnic", "--socket", nic, "--wire", wire, "--control",
		      address.sun_path, NULL);
		_exit(127);
	}
	close(pipefd[1]);
	assert_int_equal(read(pipefd[0], line, 6), 6);
	assert_string_equal(line, "ready\n");
	assert_int_equal(recv(systemd, line, sizeof(line), 0), 7);
	assert_memory_equal(line, "READY=1", 7);
	close(pipefd[0]);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(access(address.sun_path, F_OK), -1);
	assert_int_equal(access(nic, F_OK), -1);
	close(systemd);
	unlink(notify);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(status_tells_the_state),
		TEST(registers_are_chosen_by_prefix),
		TEST(queues_lists_those_that_run),
		TEST(counters_have_statistics_that_stay),
		TEST(violations_say_what_and_where),
		TEST(nonsense_gets_an_error),
		TEST(rude_clients_bother_nobody),
		TEST(socket_is_private),
		TEST(failed_starts_exit_1),
		TEST(does_not_wait_for_a_full_listener),
		TEST(starts_over_a_stale_socket_and_says_so),
		cmocka_unit_test(usage_errors_exit_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
