/* SPDX-License-Identifier: MIT */
/* Keeper, spawner, drivers: who starts, who ends with whom, what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/spawn/spawn_wire.h"
#include "spawn_rig.h"

#define LIVES 100

/* ---- A life ---- */

static void test_life(void **state)
{
	const struct puppet_record record = {.text = "told at the start"};
	static struct puppet_answer answer;
	const unsigned int before = files_of(getpid());
	struct spawner spawner;
	struct driver driver;

	(void)state;
	start(&spawner, &record);
	order(&spawner, &driver);
	assert_true(driver.process.pid > 0);
	assert_int_equal(ask(&driver, DEED_RECORD, &answer), 0);
	assert_string_equal(answer.text, record.text);
	spawner_stop(&spawner);
	driver_end(&driver);
	assert_int_equal(files_of(getpid()), before);
}

static void test_names(void **state)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;
	char text[256];

	(void)state;
	start(&spawner, &record);
	file_of(spawner.pid, "comm", text, sizeof(text));
	assert_string_equal(text, "ixtap-spawn\n");
	order(&spawner, &driver);
	ask(&driver, DEED_PID, &answer);
	file_of(driver.process.pid, "comm", text, sizeof(text));
	assert_string_equal(text, "ixtap-driver\n");
	file_of(driver.process.pid, "cmdline", text, sizeof(text));
	assert_string_equal(text, "ixtap-driver");
	assert_string_equal(text + sizeof("ixtap-driver"), "tap-test");
	spawner_stop(&spawner);
	driver_end(&driver);
}

/* Descriptors of the start are in each driver, those of an order in its own. */
static void test_descriptors(void **state)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;
	struct ixgbe_why why;
	char text[8] = "";
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(start_as(rig_program, &record, &pipes[1], 1, &spawner, &why), 0);
	for (int i = 0; i < 2; i++) {
		order(&spawner, &driver);
		assert_int_equal(ask(&driver, DEED_SHARED, &answer), 6);
		assert_int_equal(read(pipes[0], text, 6), 6);
		assert_string_equal(text, "shared");
		assert_int_equal(
			syscall(SYS_pidfd_send_signal, driver.process.pidfd, SIGKILL, NULL, 0), 0);
		driver_end(&driver);
	}
	/* Nobody else has the writing end when the spawner is gone. */
	close(pipes[1]);
	spawner_stop(&spawner);
	assert_int_equal(read(pipes[0], text, 1), 0);
	close(pipes[0]);
}

static unsigned int children_of(pid_t pid)
{
	char path[64], text[4096];
	unsigned int count = 0;

	snprintf(path, sizeof(path), "task/%d/children", pid);
	file_of(pid, path, text, sizeof(text));
	for (const char *at = text; (at = strchr(at, ' ')); at++)
		count++;
	return count;
}

static void test_many_lives(void **state)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	const bool visible = geteuid() == 0 || rig_isolation == ISOLATION_OFF;
	unsigned int before = 0, here;
	struct spawner spawner;
	struct driver driver;
	struct spawn_end end;

	(void)state;
	start(&spawner, &record);
	if (visible)
		before = files_of(spawner.pid);
	here = files_of(getpid());
	for (uint32_t i = 1; i <= LIVES; i++) {
		order(&spawner, &driver);
		assert_int_equal(driver.process.number, i);
		ask(&driver, DEED_PID, &answer);
		assert_int_equal(
			syscall(SYS_pidfd_send_signal, driver.process.pidfd, SIGKILL, NULL, 0), 0);
		driver_ended(&spawner, &driver, &end);
		assert_int_equal(end.code, CLD_KILLED);
		assert_int_equal(end.status, SIGKILL);
	}
	assert_int_equal(children_of(spawner.pid), 0);
	if (visible)
		assert_int_equal(files_of(spawner.pid), before);
	assert_int_equal(files_of(getpid()), here);
	spawner_stop(&spawner);
}

static void test_exit_status(void **state)
{
	const struct puppet_record record = {.text = ""};
	struct spawner spawner;
	struct driver driver;
	struct spawn_end end;

	(void)state;
	start(&spawner, &record);
	order(&spawner, &driver);
	tell(&driver, DEED_EXIT);
	driver_ended(&spawner, &driver, &end);
	assert_int_equal(end.code, CLD_EXITED);
	assert_int_equal(end.status, 9);
	assert_false(spawner_ended(&spawner, 0, &end));
	assert_false(spawner_ended(&spawner, driver.process.number + SPAWN_ENDS_KEPT, &end));
	spawner_stop(&spawner);
	spawner_stop(&spawner);
}

/* ---- Deaths ---- */

static void test_spawner_killed(void **state)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	struct spawned none;
	struct spawner spawner;
	struct driver driver;

	(void)state;
	start(&spawner, &record);
	order(&spawner, &driver);
	ask(&driver, DEED_PID, &answer);
	assert_int_equal(syscall(SYS_pidfd_send_signal, spawner.pidfd, SIGKILL, NULL, 0), 0);
	driver_end(&driver);
	wait_readable(spawner.sock);
	assert_int_equal(spawner_take(&spawner, &none), -EPIPE);
	assert_int_equal(spawner_order(&spawner, NULL, 0), -EPIPE);
	spawner_stop(&spawner);
}

/* The keeper is a child of this process, and hands its descriptors over. */
static void keeper(int sock, bool linger)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;
	struct ixgbe_why why;
	int fd[4];

	if (start_as(rig_program, &record, NULL, 0, &spawner, &why))
		_exit(1);
	if (linger) {
		spawner_linger(&spawner, false);
		spawner_linger(&spawner, true);
	}
	order(&spawner, &driver); /* behind the other orders */
	ask(&driver, DEED_PID, &answer);
	fd[0] = spawner.pidfd;
	fd[1] = driver.process.pidfd;
	fd[2] = spawner.sock;
	fd[3] = driver.sock;
	spawn_send(sock, "k", 1, fd, 4);
	pause();
}

/* Descriptors as above, of a keeper that was killed. */
static void keeper_kill(bool linger, int fd[4])
{
	uint32_t fds;
	int pair[2];
	pid_t pid;
	char letter;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0)
		keeper(pair[1], linger);
	wait_readable(pair[0]);
	assert_int_equal(spawn_receive(pair[0], &letter, 1, fd, 4, &fds, 0), 1);
	assert_int_equal(fds, 4);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(pair[0]);
	close(pair[1]);
}

static void test_keeper_killed(void **state)
{
	int fd[4];

	(void)state;
	keeper_kill(false, fd);
	for (int i = 0; i < 2; i++)
		wait_readable(fd[i]);
	spawn_close_all(fd, 4);
}

/* Both live on while somebody holds the keeper's descriptors. */
static void test_lingers(void **state)
{
	static struct puppet_answer answer;
	struct spawner spawner = {.pid = 0};
	struct driver first, next;
	int fd[4];

	(void)state;
	keeper_kill(true, fd);
	spawner.sock = fd[2];
	first = (struct driver){.process = {.pidfd = fd[1]}, .sock = fd[3]};
	order(&spawner, &next); /* as the next keeper could */
	assert_true(ask(&first, DEED_PID, &answer) > 0);
	assert_true(ask(&next, DEED_PID, &answer) > 0);
	close(fd[2]);
	driver_end(&first);
	driver_end(&next);
	wait_readable(fd[0]);
	close(fd[0]);
}

/* Who is told to die with a keeper that is dead does so. */
static void test_lingers_no_more(void **state)
{
	struct spawner spawner = {.pid = 0};
	int fd[4];

	(void)state;
	keeper_kill(true, fd);
	spawner.sock = fd[2];
	assert_int_equal(spawner_linger(&spawner, false), 0);
	for (int i = 0; i < 2; i++)
		wait_readable(fd[i]);
	spawn_close_all(fd, 4);
}

/* ---- Programs that are none ---- */

static char scratch[] = "/tmp/test-spawn-XXXXXX";

static const char *scratch_file(const char *text, mode_t mode)
{
	int fd = open(scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return scratch;
}

static void refused(const char *path, enum puppet_prepare prepare, int error, const char *said)
{
	const struct puppet_record record = {.prepare = prepare, .text = "not today"};
	const unsigned int before = files_of(getpid());
	struct ixgbe_why why;
	struct spawner spawner;
	int err = start_as(path, &record, NULL, 0, &spawner, &why);

	if (err != error || !strstr(why.text, said))
		print_message("# %d: %s\n", err, why.text);
	assert_int_equal(err, error);
	assert_non_null(strstr(why.text, said));
	assert_int_equal(spawner.pid, 0);
	assert_int_equal(files_of(getpid()), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_program(void **state)
{
	int fd = mkstemp(scratch);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	refused("/nonexistent/driver", PREPARE_WELL, -ENOENT, "No such file");
	refused("/tmp", PREPARE_WELL, -EISDIR, "directory");
	refused("/dev/null", PREPARE_WELL, -ENOEXEC, "/dev/null");
	refused(scratch_file("#!/bin/sh\nexit 0\n", 0700), PREPARE_WELL, -ENOEXEC, "format");
	refused(scratch_file("", 0700), PREPARE_WELL, -ENOEXEC, "format");
	refused(scratch_file("\177ELF, but not more", 0600), PREPARE_WELL, -EACCES, "Permission");
	refused(scratch_file("\177ELF, but not more", 0700), PREPARE_WELL, -ENOEXEC, "format");
	refused("/bin/true", PREPARE_WELL, -ECHILD, "status 0");
	unlink(scratch);
}

static void test_prepare(void **state)
{
	(void)state;
	refused(rig_program, PREPARE_FAIL, -ENODEV, "no: not today");
	refused(rig_program, PREPARE_EXIT, -ECHILD, "status 7");
	refused(rig_program, PREPARE_NONSENSE, -EPROTO, "nonsense");
	refused(rig_program, PREPARE_VERSION, -EBADMSG, "99.9");
	refused(rig_program, PREPARE_HANG, -ETIMEDOUT, "5000 ms");
}

/* ---- Messages that are none ---- */

/* Runs the program with a first message of the test's, and returns its word. */
static void say_first(const void *message, size_t bytes, const int *fd, uint32_t count,
		      struct spawn_word *word)
{
	int pair[2], status;
	uint32_t fds;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], SPAWN_SOCKET);
		execl(rig_program, "ixtap-spawn", NULL);
		_exit(1);
	}
	close(pair[1]);
	assert_int_equal(spawn_send(pair[0], message, bytes, fd, count), 0);
	wait_readable(pair[0]);
	assert_int_equal(spawn_receive(pair[0], word, sizeof(*word), NULL, 0, &fds, 0),
			 sizeof(*word));
	assert_int_equal(word->stage, SPAWN_FAILED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pair[0]);
}

/* A keeper of another version, or with another message, is told so by the program. */
static void test_other_keeper(void **state)
{
	const int fd[] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
	struct spawn_hello hello = {.isolation = rig_isolation}, other;
	struct spawn_word word;

	(void)state;
	spawn_head_fill(&hello.head, NULL);
	other = hello;
	other.head.layout++;
	say_first(&other, sizeof(other) / 2, NULL, 0, &word);
	assert_int_equal(word.error, -EBADMSG);
	assert_non_null(strstr(word.why, "version"));
	other = hello;
	other.head.magic++;
	say_first(&other, sizeof(other), fd, 2, &word);
	assert_int_equal(word.error, -EPROTO);
	say_first(&hello, sizeof(hello) - 1, fd, 2, &word);
	assert_int_equal(word.error, -EPROTO);
	say_first(&hello, sizeof(hello), fd, 1, &word);
	assert_int_equal(word.error, -EPROTO);
	say_first(&hello, sizeof(hello), fd, 3, &word);
	assert_int_equal(word.error, -EPROTO);
	other = hello;
	other.isolation = 3;
	say_first(&other, sizeof(other), fd, 2, &word);
	assert_int_equal(word.error, -EPROTO);
	say_first(&hello, sizeof(hello), fd, 2, &word); /* no sealed memory */
	assert_int_equal(word.error, -EPROTO);
}

/* An order that is none ends the spawner: nobody knows what the keeper wanted. */
static void test_other_orders(void **state)
{
	static const struct {
		struct spawn_order order;
		size_t bytes;
		uint32_t fds;
	} orders[] = {
		{{SPAWN_MAGIC, SPAWN_ORDER_DRIVER, 1}, sizeof(struct spawn_order), 0},
		{{SPAWN_MAGIC, SPAWN_ORDER_DRIVER, 0}, sizeof(struct spawn_order), 1},
		{{SPAWN_MAGIC + 1, SPAWN_ORDER_DRIVER, 0}, sizeof(struct spawn_order), 0},
		{{SPAWN_MAGIC, SPAWN_ORDER_DRIVER, 0}, sizeof(struct spawn_order) - 1, 0},
		{{SPAWN_MAGIC, SPAWN_ORDER_LINGER, 1}, sizeof(struct spawn_order), 1},
		{{SPAWN_MAGIC, SPAWN_ORDER_FOLLOW + 1, 0}, sizeof(struct spawn_order), 0},
	};
	const struct puppet_record record = {.text = ""};
	const int fd = STDERR_FILENO;
	struct spawner spawner;
	struct spawned none;

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		start(&spawner, &record);
		assert_int_equal(spawn_send(spawner.sock, &orders[i].order, orders[i].bytes, &fd,
					    orders[i].fds),
				 0);
		wait_readable(spawner.pidfd);
		assert_int_equal(spawner_take(&spawner, &none), -EPIPE);
		spawner_stop(&spawner);
	}
	assert_int_equal(spawner_order(&spawner, NULL, SPAWN_FDS_MAX + 1), -EINVAL);
}

/* What spawner_take says to a message, all of whose descriptors are closed. */
static int taken(const void *message, size_t bytes, const int *fd, uint32_t fds)
{
	const unsigned int before = files_of(getpid());
	struct spawned out = {.pid = -7};
	struct spawner spawner = {.pid = 0};
	int pair[2], err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	spawner.sock = pair[0];
	assert_int_equal(spawn_send(pair[1], message, bytes, fd, fds), 0);
	err = spawner_take(&spawner, &out);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(out.pid, -7);
	assert_int_equal(files_of(getpid()), before);
	return err;
}

static void test_other_news(void **state)
{
	const struct spawn_news born = {.magic = SPAWN_MAGIC, .kind = SPAWN_BORN, .number = 1};
	const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0),
		  event = eventfd(0, EFD_CLOEXEC);
	const int fd[] = {pidfd, pidfd};
	struct spawn_news other = born;
	char longer[sizeof(born) + 1] = "";

	(void)state;
	assert_int_equal(taken(&born, sizeof(born) - 1, fd, 1), -EPROTO);
	memcpy(longer, &born, sizeof(born));
	assert_int_equal(taken(longer, sizeof(longer), fd, 1), -EPROTO);
	assert_int_equal(taken(&born, sizeof(born), fd, 0), -EPROTO);
	assert_int_equal(taken(&born, sizeof(born), fd, 2), -EPROTO);
	assert_int_equal(taken(&born, sizeof(born), &event, 1), -EPROTO); /* no pidfd */
	other.magic++;
	assert_int_equal(taken(&other, sizeof(other), fd, 1), -EPROTO);
	other = born;
	other.kind = SPAWN_ENDED + 1;
	assert_int_equal(taken(&other, sizeof(other), fd, 1), -EPROTO);
	other.kind = SPAWN_ENDED;
	assert_int_equal(taken(&other, sizeof(other), fd, 1), -EPROTO);
	assert_int_equal(taken(&other, sizeof(other), fd, 0), -EAGAIN);
	other = born;
	other.error = 5;
	assert_int_equal(taken(&other, sizeof(other), fd, 0), -EPROTO);
	other.error = -5000;
	assert_int_equal(taken(&other, sizeof(other), fd, 0), -EPROTO);
	other.error = -EMFILE;
	assert_int_equal(taken(&other, sizeof(other), fd, 1), -EPROTO);
	assert_int_equal(taken(&other, sizeof(other), fd, 0), -EMFILE);
	other.error = -EAGAIN;
	assert_int_equal(taken(&other, sizeof(other), fd, 0), -ENOMEM);
	close(pidfd);
	close(event);
}

static void test_report_valid(void **state)
{
	struct isolation_report report = {0};

	(void)state;
	assert_true(isolation_report_valid(&report));
	report.of[3].state = ISOLATION_LATER + 1;
	assert_false(isolation_report_valid(&report));
	report.of[3].state = ISOLATION_LATER;
	report.of[4].text[0] = '\n';
	assert_false(isolation_report_valid(&report));
	memset(report.of[4].text, 'x', sizeof(report.of[4].text));
	assert_false(isolation_report_valid(&report));
	report.of[4].text[sizeof(report.of[4].text) - 1] = '\0';
	assert_true(isolation_report_valid(&report));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_many_lives),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_spawner_killed),
		cmocka_unit_test(test_keeper_killed),
		cmocka_unit_test(test_lingers),
		cmocka_unit_test(test_lingers_no_more),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_other_keeper),
		cmocka_unit_test(test_other_orders),
		cmocka_unit_test(test_other_news),
		cmocka_unit_test(test_report_valid),
	};
	int status = rig_options(argc, argv);

	if (status)
		return status < 0 ? 0 : status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
