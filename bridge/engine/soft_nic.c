/* SPDX-License-Identifier: MIT */
#include "soft_nic.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "bridge/service/printable.h"
#include "programs.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum {
	CHILD_SOCKET = 3, /* the descriptor of ixnic's socket */
	ASK_MS = 50,      /* how often a wait asks whether to go on */
};

static void close_once(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void soft_nic_init(struct soft_nic *soft)
{
	*soft = (struct soft_nic){.pid = -1, .pidfd = -1, .output = -1, .socket = -1};
}

/* ---- Output ---- */

/*
 * ixnic logs "ixnic: LEVEL: TEXT". A line "ixnic: TEXT" is about its command line, or the dynamic
 * linker cannot start it. A line without that prefix is an error that a sanitizer or a library
 * reports. ixtapd logs the news of the link itself, so those of ixnic are debug lines.
 */
static enum ixgbe_log_level line_level(const char **text, bool *own)
{
	static const struct {
		const char *prefix;
		enum ixgbe_log_level level;
	} prefixes[] = {
		{"ixnic: error: ", IXGBE_LOG_ERROR}, {"ixnic: warning: ", IXGBE_LOG_WARNING},
		{"ixnic: info: ", IXGBE_LOG_DEBUG},  {"ixnic: debug: ", IXGBE_LOG_DEBUG},
		{"ixnic: ", IXGBE_LOG_ERROR},
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (strncmp(*text, prefixes[i].prefix, len))
			continue;
		*text += len;
		*own = true;
		return prefixes[i].level;
	}
	*own = false;
	return IXGBE_LOG_ERROR;
}

static void line_end(struct soft_nic *soft)
{
	const char *text = soft->line;
	enum ixgbe_log_level level;
	bool own;

	soft->line[soft->line_len] = '\0';
	soft->line_len = 0;
	level = line_level(&text, &own);
	if (own) /* what it has written as bridge/service/printable.h says, our log does again */
		printable_undo(soft->line);
	if (soft->reason && own && level == IXGBE_LOG_ERROR)
		ixgbe_why_fill(soft->reason, -ECHILD, "software NIC: %s", text);
	else if (*text)
		log_line(level, "software NIC: %s", text);
}

int soft_nic_output(struct soft_nic *soft)
{
	char bytes[512];
	ssize_t got = read(soft->output, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (ssize_t i = 0; i < got; i++) {
		/* A line of ixnic always fits. A longer one is another program's, and is cut into
		 * several. */
		if (bytes[i] == '\n' || soft->line_len == sizeof(soft->line) - 1)
			line_end(soft);
		if (bytes[i] != '\n')
			soft->line[soft->line_len++] = bytes[i];
	}
	return got ? 0 : -EPIPE;
}

static void output_rest(struct soft_nic *soft)
{
	struct pollfd poll_output = {.fd = soft->output, .events = POLLIN};

	/* Bounded by what the pipe held: the other end is closed. */
	while (poll(&poll_output, 1, 0) == 1 && !soft_nic_output(soft))
		;
	if (soft->line_len)
		line_end(soft);
}

/* ---- Start ---- */

struct pipes {
	int socket[2], ready[2], output[2]; /* ours, the child's */
};

struct program {
	char path[PATH_MAX];
	char *const *args;
	char **environment;
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
static void give_up(int output, const char *what)
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

/* In the child, between fork and exec: makes system calls only. */
static void become_ixnic(const struct pipes *pipes, const struct program *program, pid_t parent)
{
	/* Away from 0 to 3, so that no dup2 below overwrites a source. */
	int output = fcntl(pipes->output[1], F_DUPFD_CLOEXEC, 10);
	int ready = fcntl(pipes->ready[1], F_DUPFD_CLOEXEC, 10);
	int server = fcntl(pipes->socket[1], F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have ended before prctl. */
	if (getppid() != parent)
		_exit(127);
	if (ready < 0 || output < 0 || server < 0)
		give_up(pipes->output[1], "get its descriptors; raise the limit (ulimit -n)");
	if (null < 0)
		give_up(output, "open /dev/null");
	if (setpgid(0, 0) || dup_over(null, 0) || dup_over(ready, 1) || dup_over(output, 2) ||
	    dup_over(server, CHILD_SOCKET))
		give_up(output, "arrange its descriptors");
	/* ixnic does not get what ixtapd inherited and did not open. Before Linux 5.11 it does. */
	(void)close_range(CHILD_SOCKET + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	forget_signals();
	execve(program->path, program->args, program->environment);
	give_up(output, "be executed");
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

/* The child's last line about an error of its own becomes `why`; what else it said is logged, as
 * when it runs. */
static int ended_at_once(struct soft_nic *soft, struct ixgbe_why *why)
{
	char fate[64];

	soft_nic_fate(soft, fate);
	ixgbe_why_fill(why, -ECHILD,
		       "the software NIC %s and did not say why: run ixnic by hand to see more",
		       fate);
	soft->reason = why;
	output_rest(soft);
	soft->reason = NULL;
	return -ECHILD;
}

static int wait_ready(struct soft_nic *soft, int ready, struct patience *patience,
		      struct ixgbe_why *why)
{
	int64_t deadline = clock_ms() + SOFT_NIC_START_MS;
	struct pollfd fds[] = {{.fd = ready, .events = POLLIN},
			       {.fd = soft->pidfd, .events = POLLIN}};
	char byte;

	for (;;) {
		int64_t left = deadline - clock_ms();

		if (left > 0 && !poll(fds, 2, left < ASK_MS ? (int)left : ASK_MS)) {
			if (patience_over(patience))
				return ixgbe_why_fill(why, -ECANCELED,
						      "the software NIC is not ready: given up");
			continue;
		}
		if (left <= 0) {
			return ixgbe_why_fill(
				why, -ETIMEDOUT,
				"the software NIC was not ready within %d s: the machine is "
				"overloaded, or ixnic is of another version",
				SOFT_NIC_START_MS / 1000);
		}
		if (fds[0].revents & POLLIN) {
			/* Its only output there is the line "ready". */
			if (read(ready, &byte, 1) == 1 && byte == '\n')
				return 0;
		} else if (fds[1].revents) {
			return ended_at_once(soft, why);
		} else if (fds[0].revents) {
			fds[0].fd = -1; /* closed: the end of ixnic follows */
		}
	}
}

/* Starts the child and closes its ends; ours go to `soft`, which soft_nic_stop undoes. */
static int spawn(struct soft_nic *soft, struct pipes *pipes, const struct program *program)
{
	pid_t parent = getpid();
	int err = open_pipes(pipes);

	if (!err) {
		soft->pid = fork();
		if (!soft->pid)
			become_ixnic(pipes, program, parent);
		err = soft->pid < 0 ? -errno : 0;
	}
	close_once(&pipes->socket[1]);
	close_once(&pipes->ready[1]);
	close_once(&pipes->output[1]);
	soft->socket = pipes->socket[0];
	soft->output = pipes->output[0];
	if (!err) {
		soft->pidfd = (int)syscall(SYS_pidfd_open, soft->pid, 0);
		err = soft->pidfd < 0 ? -errno : 0;
	}
	return err;
}

int soft_nic_start(struct soft_nic *soft, const char *wire, const char *control,
		   const char *log_level, struct patience *patience, struct ixgbe_why *why)
{
	char *const args[] = {
		(char *)"ixnic",   (char *)"--socket",
		(char *)"fd:3",    (char *)"--wire",
		(char *)wire,      (char *)"--control",
		(char *)control,   (char *)"--log-level",
		(char *)log_level, NULL,
	};
	struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
	struct program program = {.args = args};
	int err = programs_ixnic(program.path, why);

	soft_nic_init(soft);
	if (err)
		return err;
	err = environment_new(&program.environment);
	if (!err)
		err = spawn(soft, &pipes, &program);
	free(program.environment);
	if (err)
		ixgbe_why_fill(why, err, "cannot start %s: %s", program.path, strerror(-err));
	else
		err = wait_ready(soft, pipes.ready[0], patience, why);
	close_once(&pipes.ready[0]);
	if (err)
		soft_nic_stop(soft);
	return err;
}

/* ---- End ---- */

void soft_nic_fate(const struct soft_nic *soft, char text[64])
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)soft->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		snprintf(text, 64, "ended");
	else if (info.si_code == CLD_EXITED)
		snprintf(text, 64, "exited with status %d", info.si_status);
	else
		snprintf(text, 64, "was killed by signal %d", info.si_status);
}

bool soft_nic_ended(const struct soft_nic *soft, int timeout_ms)
{
	struct pollfd end = {.fd = soft->pidfd, .events = POLLIN};

	return soft->pid > 0 && poll(&end, 1, timeout_ms) == 1;
}

void soft_nic_stop(struct soft_nic *soft)
{
	siginfo_t info;

	close_once(&soft->socket);
	if (soft->pid > 0) {
		/* Without a pidfd there is no wait with a limit. */
		if (soft->pidfd < 0)
			kill(soft->pid, SIGKILL);
		else if (!soft_nic_ended(soft, SOFT_NIC_STOP_MS)) {
			kill(soft->pid, SIGTERM);
			if (!soft_nic_ended(soft, SOFT_NIC_STOP_MS))
				kill(soft->pid, SIGKILL);
		}
		waitid(P_PID, (id_t)soft->pid, &info, WEXITED);
	}
	if (soft->output >= 0)
		output_rest(soft);
	close_once(&soft->output);
	close_once(&soft->pidfd);
	soft->pid = -1;
}
