/* SPDX-License-Identifier: MIT */
/*
 * Between fork and exec the child makes system calls only.
 */
#include "nic_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SOCKET = 3 }; /* the descriptor of ixnic's socket */

static void end_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

struct pipes {
	int socket[2], ready[2], output[2]; /* ours, the child's */
};

struct nic_program {
	int fd; /* -1: the path */
	const char *path;
	char *const *args;
	char **environment;
	bool outlives;
};

/*
 * What the service manager tells this process alone. An ixnic with NOTIFY_SOCKET would say READY a
 * second time, and STOPPING while ixtapd goes on; the others name a process, its streams or its
 * descriptors.
 */
static bool is_ours_alone(const char *entry)
{
	static const char *const names[] = {
		"NOTIFY_SOCKET=",
		"WATCHDOG_PID=",
		"WATCHDOG_USEC=",
		"LISTEN_PID=",
		"LISTEN_PIDFDID=",
		"LISTEN_FDS=",
		"LISTEN_FDNAMES=",
		"FDSTORE=",
		"MAINPID=",
		"MAINPIDFDID=",
		"MANAGERPID=",
		"MANAGERPIDFDID=",
		"JOURNAL_STREAM=",
		"SYSTEMD_EXEC_PID=",
		"MEMORY_PRESSURE_WATCH=",
		"MEMORY_PRESSURE_WRITE=",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(entry, names[i], strlen(names[i])))
			return true;
	return false;
}

/* The environment of ixnic: a new array, of our own strings. */
static int environment_new(char ***out)
{
	size_t count = 0, kept = 0;

	while (environ[count])
		count++;
	*out = calloc(count + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!is_ours_alone(environ[i]))
			(*out)[kept++] = environ[i];
	return 0;
}

static int dup_over(int fd, int target)
{
	/* dup2 leaves CLOEXEC on when both are the same. */
	if (fd == target)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, target) < 0 ? -1 : 0;
}

/* Says why on the output, in ixnic's own form, and ends the child. */
static void nic_give_up(int output, const char *what)
{
	static const char prefix[] = "ixnic: error: cannot ";
	const char *reason = strerrordesc_np(errno); /* a constant, unlike strerror's */
	const struct iovec line[] = {
		{(void *)(uintptr_t)prefix, sizeof(prefix) - 1},
		{(void *)(uintptr_t)what, strlen(what)},
		{(void *)(uintptr_t) ": ", 2},
		{(void *)(uintptr_t)reason, strlen(reason)},
		{(void *)(uintptr_t) "\n", 1},
	};
	ssize_t ignored = writev(output, line, sizeof(line) / sizeof(line[0]));

	(void)ignored;
	_exit(127);
}

/* A Ctrl-C before setpgid reached the child, too. The parent ends the child itself, so the child
 * discards the signal, by SIG_IGN. */
static void forget_signals(void)
{
	static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t none;

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		void (*before)(int) = signal(stops[i], SIG_IGN);

		signal(stops[i], before);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. */
static void become_ixnic(const struct pipes *pipes, const struct nic_program *program, pid_t parent)
{
	/* Away from 0 to 3, so that no dup2 below overwrites a source. */
	int output = fcntl(pipes->output[1], F_DUPFD_CLOEXEC, 10);
	int ready = fcntl(pipes->ready[1], F_DUPFD_CLOEXEC, 10);
	int server = fcntl(pipes->socket[1], F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (!program->outlives)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have ended before prctl. */
	if (getppid() != parent)
		_exit(127);
	if (ready < 0 || output < 0 || server < 0)
		nic_give_up(pipes->output[1], "get its descriptors; raise the limit (ulimit -n)");
	if (null < 0)
		nic_give_up(output, "open /dev/null");
	if (setpgid(0, 0) || dup_over(null, 0) || dup_over(ready, 1) || dup_over(output, 2) ||
	    dup_over(server, CHILD_SOCKET))
		nic_give_up(output, "arrange its descriptors");
	/* ixnic does not get what ixtapd inherited and did not open. Before Linux 5.11 it does. */
	(void)close_range(CHILD_SOCKET + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	forget_signals();
	if (program->fd >= 0)
		syscall(SYS_execveat, program->fd, "", program->args, program->environment,
			AT_EMPTY_PATH);
	else
		execve(program->path, program->args, program->environment);
	nic_give_up(output, "be executed");
}

static int open_pipes(struct pipes *pipes)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes->socket) ||
	    pipe2(pipes->ready, O_CLOEXEC) || pipe2(pipes->output, O_CLOEXEC))
		return -errno;
	/* Neither end of the output waits: ixtapd reads what is there. An ixnic that waited for
	 * ixtapd to read, while ixtapd waits for its answer, would hang both; it loses lines. */
	if (fcntl(pipes->output[0], F_SETFL, O_NONBLOCK) ||
	    fcntl(pipes->output[1], F_SETFL, O_NONBLOCK))
		return -errno;
	return 0;
}

static void process_undo(struct nic_process *process)
{
	if (process->pid > 0) {
		kill(process->pid, SIGKILL);
		waitid(P_PID, (id_t)process->pid, NULL, WEXITED);
	}
	end_close(&process->pidfd);
	end_close(&process->socket);
	end_close(&process->ready);
	end_close(&process->output);
	process->pid = -1;
}

static int program_spawn(const struct nic_program *program, struct nic_process *out)
{
	struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
	const pid_t parent = getpid();
	int err = open_pipes(&pipes);

	if (!err) {
		out->pid = fork();
		if (!out->pid)
			become_ixnic(&pipes, program, parent);
		err = out->pid < 0 ? -errno : 0;
	}
	end_close(&pipes.socket[1]);
	end_close(&pipes.ready[1]);
	end_close(&pipes.output[1]);
	out->socket = pipes.socket[0];
	out->ready = pipes.ready[0];
	out->output = pipes.output[0];
	if (!err) {
		out->pidfd = (int)syscall(SYS_pidfd_open, out->pid, 0);
		err = out->pidfd < 0 ? -errno : 0;
	}
	if (err)
		process_undo(out);
	return err;
}

int nic_process_start(int program, const char *path, const struct nic_words *words,
		      struct nic_process *out)
{
	char *const args[] = {
		(char *)"ixnic",
		(char *)"--socket",
		(char *)"fd:3",
		(char *)"--wire",
		(char *)(uintptr_t)words->wire,
		(char *)"--control",
		(char *)(uintptr_t)words->control,
		(char *)"--log-level",
		(char *)(uintptr_t)words->log_level,
		NULL,
	};
	struct nic_program all = {
		.fd = program, .path = path, .args = args, .outlives = words->outlives};
	int err = environment_new(&all.environment);

	*out = (struct nic_process){
		.pid = -1, .pidfd = -1, .socket = -1, .ready = -1, .output = -1};
	if (!err)
		err = program_spawn(&all, out);
	free(all.environment);
	return err;
}
