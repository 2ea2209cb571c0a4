/* SPDX-License-Identifier: MIT */
/* Keeper, spawner, drivers: who starts, who ends with whom, what is refused. The driver is
 * spawn_puppet.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/spawn/spawn.h"
#include "bridge/spawn/spawn_wire.h"
#include "spawn_puppet.h"

#define WAIT_MS 20000
#define LIVES   100

static const char *program; /* spawn_puppet */
static enum isolation isolation = ISOLATION_OFF;

struct driver {
	struct spawned process;
	int sock;
};

static void wait_readable(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
}

static int start_as(const char *path, const struct puppet_record *record, const int *fd,
		    uint32_t fds, struct spawner *spawner, struct ixgbe_why *why)
{
	const struct spawn_config config = {
		.program = path,
		.name = "tap-test",
		.isolation = isolation,
		.user = ISOLATION_USER_FREE,
		.record = record,
		.bytes = sizeof(*record),
		.fd = fd,
		.fds = fds,
	};

	*spawner = (struct spawner){.pid = 0};
	why->text[0] = '\0';
	return spawner_start(spawner, &config, why);
}

static void start(struct spawner *spawner, const struct puppet_record *record)
{
	struct ixgbe_why why;
	int err = start_as(program, record, NULL, 0, spawner, &why);

	if (err)
		print_message("# %s\n", why.text);
	assert_int_equal(err, 0);
}

static void order(struct spawner *spawner, struct driver *driver)
{
	int pair[2], err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(spawner_order(spawner, &pair[1], 1), 0);
	close(pair[1]);
	driver->sock = pair[0];
	do {
		wait_readable(spawner->sock);
		err = spawner_take(spawner, &driver->process);
	} while (err == -EAGAIN);
	assert_int_equal(err, 0);
}

static int64_t ask(const struct driver *driver, char letter, struct puppet_answer *answer)
{
	assert_int_equal(write(driver->sock, &letter, 1), 1);
	wait_readable(driver->sock);
	assert_int_equal(read(driver->sock, answer, sizeof(*answer)), sizeof(*answer));
	return answer->value;
}

static void driver_end(const struct driver *driver)
{
	wait_readable(driver->process.pidfd);
	close(driver->process.pidfd);
	close(driver->sock);
}

static unsigned int files_open(void)
{
	DIR *all = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(all))
		count++;
	closedir(all);
	return count;
}

/* ---- A life ---- */

static void test_life(void **state)
{
	const struct puppet_record record = {.text = "told at the start"};
	static struct puppet_answer answer;
	const unsigned int before = files_open();
	struct spawner spawner;
	struct driver driver;

	(void)state;
	start(&spawner, &record);
	order(&spawner, &driver);
	assert_true(driver.process.pid > 0);
	assert_int_equal(kill(driver.process.pid, 0), 0);
	assert_int_equal(ask(&driver, 'r', &answer), 0);
	assert_string_equal(answer.text, record.text);
	spawner_stop(&spawner);
	driver_end(&driver);
	assert_int_equal(files_open(), before);
}

static void file_of(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	got = read(fd, text, size - 1);
	assert_true(got >= 0);
	text[got] = '\0';
	close(fd);
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
	ask(&driver, 'p', &answer);
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
	assert_int_equal(start_as(program, &record, &pipes[1], 1, &spawner, &why), 0);
	for (int i = 0; i < 2; i++) {
		order(&spawner, &driver);
		assert_int_equal(ask(&driver, 's', &answer), 6);
		assert_int_equal(read(pipes[0], text, 6), 6);
		assert_string_equal(text, "shared");
		assert_int_equal(kill(driver.process.pid, SIGKILL), 0);
		driver_end(&driver);
	}
	/* Nobody else has the writing end when the spawner is gone. */
	close(pipes[1]);
	spawner_stop(&spawner);
	assert_int_equal(read(pipes[0], text, 1), 0);
	close(pipes[0]);
}

/* The words of a process's state, and how many descriptors it has. */
static unsigned int files_of(pid_t pid)
{
	char path[64];
	unsigned int count = 0;
	DIR *all;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	all = opendir(path);
	assert_non_null(all);
	while (readdir(all))
		count++;
	closedir(all);
	return count;
}

static unsigned int children_of(pid_t pid)
{
	char path[64], text[4096];
	unsigned int count = 0;

	snprintf(path, sizeof(path), "task/%d/children", pid);
	file_of(pid, path, text, sizeof(text));
	for (char *at = text; (at = strchr(at, ' ')); at++)
		count++;
	return count;
}

static void test_many_lives(void **state)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;
	struct spawn_end end;
	unsigned int before, here;

	(void)state;
	start(&spawner, &record);
	before = files_of(spawner.pid);
	here = files_open();
	for (uint32_t i = 1; i <= LIVES; i++) {
		order(&spawner, &driver);
		assert_int_equal(driver.process.number, i);
		ask(&driver, 'p', &answer);
		assert_int_equal(
			syscall(SYS_pidfd_send_signal, driver.process.pidfd, SIGKILL, NULL, 0), 0);
		driver_end(&driver);
		while (!spawner_ended(&spawner, i, &end)) {
			struct spawned none;

			wait_readable(spawner.sock);
			assert_int_equal(spawner_take(&spawner, &none), -EAGAIN);
		}
		assert_int_equal(end.code, CLD_KILLED);
		assert_int_equal(end.status, SIGKILL);
	}
	assert_int_equal(children_of(spawner.pid), 0);
	assert_int_equal(files_of(spawner.pid), before);
	assert_int_equal(files_open(), here);
	spawner_stop(&spawner);
}

static void test_exit_status(void **state)
{
	const struct puppet_record record = {.text = ""};
	struct spawner spawner;
	struct spawned none;
	struct driver driver;
	struct spawn_end end;

	(void)state;
	start(&spawner, &record);
	order(&spawner, &driver);
	assert_int_equal(write(driver.sock, "x", 1), 1);
	driver_end(&driver);
	wait_readable(spawner.sock);
	assert_int_equal(spawner_take(&spawner, &none), -EAGAIN);
	assert_true(spawner_ended(&spawner, driver.process.number, &end));
	assert_int_equal(end.code, CLD_EXITED);
	assert_int_equal(end.status, 9);
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
	ask(&driver, 'p', &answer);
	assert_int_equal(kill(spawner.pid, SIGKILL), 0);
	driver_end(&driver);
	wait_readable(spawner.sock);
	assert_int_equal(spawner_take(&spawner, &none), -EPIPE);
	spawner_stop(&spawner);
}

/* The keeper is a child of this process, and hands its pidfds over. */
static void keeper(int sock)
{
	const struct puppet_record record = {.text = ""};
	static struct puppet_answer answer;
	struct spawner spawner;
	struct driver driver;
	struct ixgbe_why why;
	int pidfds[2];

	if (start_as(program, &record, NULL, 0, &spawner, &why))
		_exit(1);
	order(&spawner, &driver);
	ask(&driver, 'p', &answer);
	pidfds[0] = spawner.pidfd;
	pidfds[1] = driver.process.pidfd;
	spawn_send(sock, "k", 1, pidfds, 2);
	pause();
}

static void test_keeper_killed(void **state)
{
	int pair[2], pidfds[2];
	uint32_t fds;
	pid_t pid;
	char letter;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0)
		keeper(pair[1]);
	wait_readable(pair[0]);
	assert_int_equal(spawn_receive(pair[0], &letter, 1, pidfds, 2, &fds, 0), 1);
	assert_int_equal(fds, 2);
	assert_int_equal(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 2; i++) {
		wait_readable(pidfds[i]);
		close(pidfds[i]);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(pair[0]);
	close(pair[1]);
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
	const unsigned int before = files_open();
	struct ixgbe_why why;
	struct spawner spawner;
	int err = start_as(path, &record, NULL, 0, &spawner, &why);

	if (err != error || !strstr(why.text, said))
		print_message("# %d: %s\n", err, why.text);
	assert_int_equal(err, error);
	assert_non_null(strstr(why.text, said));
	assert_int_equal(spawner.pid, 0);
	assert_int_equal(files_open(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_program(void **state)
{
	(void)state;
	refused("/nonexistent/driver", PREPARE_WELL, -ENOENT, "No such file");
	refused("/tmp", PREPARE_WELL, -EISDIR, "directory");
	refused("/dev/null", PREPARE_WELL, -ENOEXEC, "/dev/null");
	refused(scratch_file("#!/bin/sh\nexit 0\n", 0755), PREPARE_WELL, -ENOEXEC, "format");
	refused(scratch_file("", 0755), PREPARE_WELL, -ENOEXEC, "format");
	refused(scratch_file("\177ELF, but not more", 0644), PREPARE_WELL, -EACCES, "Permission");
	refused(scratch_file("\177ELF, but not more", 0755), PREPARE_WELL, -ENOEXEC, "format");
	refused("/bin/true", PREPARE_WELL, -ECHILD, "status 0");
	unlink(scratch);
}

static void test_prepare(void **state)
{
	(void)state;
	refused(program, PREPARE_FAIL, -ENODEV, "no: not today");
	refused(program, PREPARE_EXIT, -ECHILD, "status 7");
	refused(program, PREPARE_NONSENSE, -EPROTO, "nonsense");
	refused(program, PREPARE_VERSION, -EBADMSG, "99.9");
	refused(program, PREPARE_HANG, -ETIMEDOUT, "5000 ms");
}

/* A keeper of another version is told so by the program. */
static void test_other_keeper(void **state)
{
	struct spawn_hello hello = {.bytes = 0};
	struct spawn_word word;
	int pair[2], status;
	uint32_t fds;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], SPAWN_SOCKET);
		execl(program, "ixtap-spawn", NULL);
		_exit(1);
	}
	close(pair[1]);
	spawn_head_fill(&hello.head);
	hello.head.layout++;
	assert_int_equal(spawn_send(pair[0], &hello, sizeof(hello) / 2, NULL, 0), 0);
	wait_readable(pair[0]);
	assert_int_equal(spawn_receive(pair[0], &word, sizeof(word), NULL, 0, &fds, 0),
			 sizeof(word));
	assert_int_equal(word.stage, SPAWN_FAILED);
	assert_int_equal(word.error, -EBADMSG);
	assert_non_null(strstr(word.why, "version"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pair[0]);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),          cmocka_unit_test(test_names),
		cmocka_unit_test(test_descriptors),   cmocka_unit_test(test_many_lives),
		cmocka_unit_test(test_exit_status),   cmocka_unit_test(test_spawner_killed),
		cmocka_unit_test(test_keeper_killed), cmocka_unit_test(test_program),
		cmocka_unit_test(test_prepare),       cmocka_unit_test(test_other_keeper),
	};
	int fd;

	if (argc < 3)
		return 2;
	program = argv[1];
	isolation = strcmp(argv[2], "off") ? ISOLATION_BEST : ISOLATION_OFF;
	fd = mkstemp(scratch);
	if (fd >= 0)
		close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
