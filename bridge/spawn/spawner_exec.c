/* SPDX-License-Identifier: MIT */
/*
 * From clone(2) to exec the process runs on a copy of the keeper's memory, whose other threads may
 * have held locks: system calls alone, no allocation.
 *
 * Nothing of the keeper's is left behind exec: its descriptors are closed by it, handlers and
 * ignored signals are default, the mask and the environment are empty.
 */
#include "spawner_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capability_sets.h"
#include "spawn_wire.h"

#define MAP_LINE_BYTES 40
/* Of the program, after exec: new namespaces and mounts, an empty bounding set. */
#define NEEDED (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SETPCAP))

static void say_and_exit(const struct launch *launch, enum spawn_stage stage, int error)
{
	struct spawn_word word = {.stage = (uint32_t)stage, .error = error};

	spawn_head_fill(&word.head, launch->version);
	spawn_send(SPAWN_SOCKET, &word, sizeof(word), NULL, 0);
	_exit(1);
}

static void signals_default(void)
{
	const struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < _NSIG; number++)
		sigaction(number, &action, NULL); /* two are libc's own, two have no other */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- A user namespace ---- */

static int write_file(const char *path, const char *text, size_t len)
{
	int err = 0, fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		err = -errno;
	close(fd);
	return err;
}

/* "1000 1000 1": as snprintf, which might allocate. */
static size_t map_line(char line[MAP_LINE_BYTES], unsigned int id)
{
	char digits[12];
	size_t len = sizeof(digits), count;
	char *at = line;

	do
		digits[--len] = (char)('0' + id % 10);
	while (id /= 10);
	count = sizeof(digits) - len;
	for (int i = 0; i < 2; i++) {
		at = mempcpy(at, digits + len, count);
		*at++ = ' ';
	}
	*at++ = '1';
	return (size_t)(at - line);
}

static int users_map(uid_t uid, gid_t gid)
{
	char line[MAP_LINE_BYTES];
	int err;

	prctl(PR_SET_DUMPABLE, 1); /* /proc/self is root's otherwise; exec decides anew */
	err = write_file("/proc/self/setgroups", "deny", strlen("deny"));
	if (!err)
		err = write_file("/proc/self/uid_map", line, map_line(line, uid));
	if (!err)
		err = write_file("/proc/self/gid_map", line, map_line(line, gid));
	return err ? err : capability_sets_ambient(NEEDED);
}

/* ---- The process ---- */

static void descriptors_set(const struct launch *launch)
{
	dup3(launch->null, STDIN_FILENO, 0);
	dup3(launch->null, STDOUT_FILENO, 0);
	if (!launch->keep_stderr)
		dup3(launch->null, STDERR_FILENO, 0);
	dup3(launch->sock, SPAWN_SOCKET, 0);
	close_range(SPAWN_SOCKET + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

static _Noreturn void execute(const struct launch *launch, char *const *words, uid_t uid, gid_t gid,
			      bool users)
{
	char *const environment[] = {NULL};
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A terminal's Ctrl-C is for the keeper. The session stays the keeper's: the scheduler
	 * weighs sessions against each other (autogroups), and the driver moves the keeper's
	 * frames. */
	setpgid(0, 0);
	signals_default();
	descriptors_set(launch);
	err = users ? users_map(uid, gid) : 0;
	if (err)
		say_and_exit(launch, SPAWN_NO_USERS, err);
	syscall(SYS_execveat, launch->program, "", words, environment, AT_EMPTY_PATH);
	say_and_exit(launch, SPAWN_NO_EXEC, -errno);
	_exit(1);
}

pid_t spawner_exec(const struct launch *launch, uint64_t namespaces, int *pidfd)
{
	/* The second word is room for the longer name of a driver. */
	char name[] = "ixtap-spawn", room[] = "--", of[64];
	char *const words[] = {name, room, of, NULL};
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	int fd = -1;
	struct clone_args args = {
		.flags = namespaces | CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
	sigset_t all, before;
	pid_t pid;

	snprintf(of, sizeof(of), "%s", launch->name ? launch->name : "");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		execute(launch, words, uid, gid, namespaces & CLONE_NEWUSER);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid > 0)
		*pidfd = fd;
	return pid;
}
