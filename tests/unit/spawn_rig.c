/* SPDX-License-Identifier: MIT */
#include "spawn_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

const char *rig_program;
enum isolation rig_isolation;

/* The build tree may be out of a user's reach. */
static int become_user(void)
{
	static char path[32];
	/* A high one: tests have uses for SPAWN_SOCKET. */
	int fd = fcntl(open(rig_program, O_RDONLY | O_CLOEXEC), F_DUPFD_CLOEXEC, 64);

	if (fd < 0 || setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1))
		return 1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rig_program = path;
	return 0;
}

int rig_options(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[2], "require") == 0 && geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return -1;
	}
	rig_program = argv[1];
	rig_isolation = strcmp(argv[2], "off") == 0       ? ISOLATION_OFF
			: strcmp(argv[2], "require") == 0 ? ISOLATION_REQUIRE
							  : ISOLATION_BEST;
	return strcmp(argv[2], "user") == 0 && !geteuid() ? become_user() : 0;
}

void wait_readable(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, RIG_WAIT_MS), 1);
}

int start_as(const char *path, const struct puppet_record *record, const int *fd, uint32_t fds,
	     struct spawner *spawner, struct ixgbe_why *why)
{
	struct spawn_config config = {
		.program = path,
		.name = "tap-test",
		.isolation = rig_isolation,
		.user = ISOLATION_USER_FREE,
		.record = spawner_record_new(record, sizeof(*record)),
		.bytes = sizeof(*record),
		.fd = fd,
		.fds = fds,
	};

	int err;

	*spawner = (struct spawner){.pid = 0};
	why->text[0] = '\0';
	config.program_fd = spawner_program_open(path, why);
	assert_true(config.record >= 0);
	err = config.program_fd < 0 ? config.program_fd : spawner_start(spawner, &config, why);
	close(config.program_fd);
	close(config.record);
	return err;
}

void start(struct spawner *spawner, const struct puppet_record *record)
{
	struct ixgbe_why why;
	int err = start_as(rig_program, record, NULL, 0, spawner, &why);

	if (err)
		print_message("# %s\n", why.text);
	assert_int_equal(err, 0);
}

void order(struct spawner *spawner, struct driver *driver)
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

void tell(const struct driver *driver, enum deed deed)
{
	const uint8_t byte = (uint8_t)deed;

	assert_int_equal(write(driver->sock, &byte, 1), 1);
}

int64_t ask(const struct driver *driver, enum deed deed, struct puppet_answer *answer)
{
	tell(driver, deed);
	wait_readable(driver->sock);
	assert_int_equal(read(driver->sock, answer, sizeof(*answer)), sizeof(*answer));
	return answer->value;
}

void driver_end(const struct driver *driver)
{
	wait_readable(driver->process.pidfd);
	close(driver->process.pidfd);
	close(driver->sock);
}

void driver_ended(struct spawner *spawner, const struct driver *driver, struct spawn_end *end)
{
	struct spawned none;

	driver_end(driver);
	while (!spawner_ended(spawner, driver->process.number, end)) {
		wait_readable(spawner->sock);
		assert_int_equal(spawner_take(spawner, &none), -EAGAIN);
	}
}

void file_of(pid_t pid, const char *name, char *text, size_t size)
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

unsigned int files_of(pid_t pid)
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
