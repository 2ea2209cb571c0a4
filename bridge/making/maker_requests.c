/* SPDX-License-Identifier: MIT */
#include "maker_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trusted_program.h"

#define CHILDREN_MAX 8u /* a spawner, the one before, ixnic; and what is about to end */
#define PROGRAMS_MAX 8u /* of this version, and the next */

static struct {
	struct maker_hello hello;
	pid_t child[CHILDREN_MAX]; /* 0: free */
	struct {
		uint32_t number; /* 0: free */
		enum maker_program what;
		int fd;
	} program[PROGRAMS_MAX];
	uint32_t programs; /* so many were opened */
} made;

static int senseless(struct ixgbe_why *why, const char *what)
{
	return ixgbe_why_fill(why, -EPROTO, "the maker was asked for %s by no rule", what);
}

/* ---- Programs ---- */

static int program_keep(enum maker_program what, int fd, uint32_t *number, struct ixgbe_why *why)
{
	for (size_t i = 0; i < PROGRAMS_MAX; i++) {
		if (made.program[i].number)
			continue;
		*number = made.program[i].number = ++made.programs;
		made.program[i].what = what;
		made.program[i].fd = fd;
		return 0;
	}
	close(fd);
	return ixgbe_why_fill(why, -ENFILE, "the maker has %u programs open", PROGRAMS_MAX);
}

static int program_of(uint32_t number, enum maker_program what)
{
	for (size_t i = 0; i < PROGRAMS_MAX; i++)
		if (number && made.program[i].number == number && made.program[i].what == what)
			return made.program[i].fd;
	return -1;
}

static int program_first(enum maker_program what, const char *path, uint32_t *number,
			 struct ixgbe_why *why)
{
	int fd = spawner_program_open(path, why);

	if (fd < 0 && what == MAKER_IXNIC)
		ixgbe_why_fill(why, fd, "software NIC: %s cannot be executed: %s", path,
			       strerror(-fd));
	return fd < 0 ? fd : program_keep(what, fd, number, why);
}

static int serve_open(const struct maker_request *request, struct maker_answer *answer, int *out,
		      struct ixgbe_why *why)
{
	static const char *const names[MAKER_PROGRAMS] = {"ixtap-driver", "ixnic", NULL};
	int fd;

	if (request->program >= MAKER_PROGRAMS)
		return senseless(why, "a program");
	fd = trusted_program_open(request->path, names[request->program], why);
	if (fd < 0)
		return fd;
	if (request->program != MAKER_KEEPER)
		return program_keep((enum maker_program)request->program, fd, &answer->program,
				    why);
	out[0] = fd;
	answer->fds = 1;
	return 0;
}

static int serve_forget(const struct maker_request *request, struct ixgbe_why *why)
{
	for (size_t i = 0; i < PROGRAMS_MAX; i++) {
		if (!request->program || made.program[i].number != request->program)
			continue;
		close(made.program[i].fd);
		made.program[i].number = 0;
		return 0;
	}
	return senseless(why, "a program's end");
}

/* ---- Children ---- */

static bool child_known(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (pid > 0 && made.child[i] == pid)
			return true;
	return false;
}

/* Room for a child more; those whose end nobody has asked for are over. */
static pid_t *child_room(struct ixgbe_why *why)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (!made.child[i])
			return &made.child[i];
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (waitpid(made.child[i], NULL, WNOHANG) == made.child[i]) {
			made.child[i] = 0;
			return &made.child[i];
		}
	ixgbe_why_fill(why, -EAGAIN, "the maker has %u children already", CHILDREN_MAX);
	return NULL;
}

static int serve_spawner(const struct maker_request *request, const int *fd,
			 struct maker_answer *answer, int *out, struct ixgbe_why *why)
{
	struct spawn_config config = {
		.program = "ixtap-driver",
		.program_fd = program_of(request->program, MAKER_DRIVER),
		.version = request->version,
		.name = made.hello.name,
		.isolation = (enum isolation)made.hello.isolation,
		.user = made.hello.user,
		.bytes = request->bytes,
	};
	struct spawner spawner;
	pid_t *child;
	int err;

	if (config.program_fd < 0 || !request->fds)
		return senseless(why, "a spawner");
	child = child_room(why);
	if (!child)
		return -EAGAIN;
	config.record = fd[0]; /* the spawner looks whether it is one */
	config.fd = fd + 1;
	config.fds = request->fds - 1;
	err = spawner_start(&spawner, &config, why);
	if (err)
		return err;
	*child = spawner.pid;
	answer->pid = spawner.pid;
	answer->report = spawner.report;
	out[0] = spawner.pidfd;
	out[1] = spawner.sock;
	answer->fds = MAKER_SPAWNER_FDS;
	return 0;
}

static int serve_nic(const struct maker_request *request, struct maker_answer *answer, int *out,
		     struct ixgbe_why *why)
{
	const int program = program_of(request->program, MAKER_IXNIC);
	const struct nic_words words = {made.hello.wire, made.hello.nic_control,
					made.hello.log_level, made.hello.outlives};
	struct nic_process process;
	pid_t *child;
	int err;

	if (program < 0 || request->fds)
		return senseless(why, "a software NIC");
	child = child_room(why);
	if (!child)
		return -EAGAIN;
	err = nic_process_start(program, "", &words, &process);
	if (err)
		return ixgbe_why_fill(why, err, "cannot start ixnic: %s", strerror(-err));
	*child = process.pid;
	answer->pid = process.pid;
	out[0] = process.pidfd;
	out[1] = process.socket;
	out[2] = process.ready;
	out[3] = process.output;
	answer->fds = MAKER_NIC_FDS;
	return 0;
}

/* -1: it is gone. Whoever has its number by then is not who a pidfd means. */
static pid_t parent_of(pid_t pid)
{
	char path[32], text[512];
	const char *end;
	int fd, parent;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	end = strrchr(text, ')'); /* its name may have anything */
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : -1;
}

static int serve_signal(const struct maker_request *request, const int *fd, struct ixgbe_why *why)
{
	pid_t pid = -1;

	if (request->fds != 1 || (request->signal != SIGTERM && request->signal != SIGKILL) ||
	    spawner_pidfd_process(fd[0], &pid))
		return senseless(why, "a signal");
	/* -1: it has ended; 0: it is of another PID namespace. */
	if (pid <= 0 || (!child_known(pid) && !child_known(parent_of(pid))))
		return ixgbe_why_fill(why, pid < 0 ? -ESRCH : -EPERM,
				      "process %d is none that the maker has made", pid);
	return syscall(SYS_pidfd_send_signal, fd[0], request->signal, NULL, 0)
		       ? ixgbe_why_fill(why, -errno, "it has ended")
		       : 0;
}

static void child_over(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (made.child[i] == pid)
			made.child[i] = 0;
}

static int serve_end(const struct maker_request *request, const int *fd,
		     struct maker_answer *answer, struct ixgbe_why *why)
{
	siginfo_t info = {.si_pid = 0};

	if (request->fds != 1 || request->reap > 1 ||
	    waitid(P_PIDFD, (id_t)fd[0], &info, WEXITED | WNOHANG | (request->reap ? 0 : WNOWAIT)))
		return senseless(why, "an end");
	if (!info.si_pid)
		return 0;
	answer->code = info.si_code;
	answer->status = info.si_status;
	if (request->reap)
		child_over(info.si_pid);
	return 0;
}

/* ---- The control socket ---- */

static int serve_unlink(const struct maker_request *request, struct ixgbe_why *why)
{
	const char *path = made.hello.control;
	struct stat stat;

	if (!*path || lstat(path, &stat) || !S_ISSOCK(stat.st_mode) ||
	    stat.st_dev != request->dev || stat.st_ino != request->ino)
		return ixgbe_why_fill(why, -ENOENT, "it is not there");
	return unlink(path)
		       ? ixgbe_why_fill(why, -errno, "cannot remove %s: %s", path, strerror(errno))
		       : 0;
}

/* ---- All of them ---- */

int maker_requests_serve(const struct maker_request *request, const int *fd,
			 struct maker_answer *answer, int out[MAKER_ANSWER_FDS_MAX],
			 struct ixgbe_why *why)
{
	switch ((enum maker_kind)request->head.kind) {
	case MAKER_SPAWNER:
		return serve_spawner(request, fd, answer, out, why);
	case MAKER_NIC:
		return serve_nic(request, answer, out, why);
	case MAKER_SIGNAL:
		return serve_signal(request, fd, why);
	case MAKER_END:
		return serve_end(request, fd, answer, why);
	case MAKER_OPEN:
		return request->fds ? senseless(why, "a program")
				    : serve_open(request, answer, out, why);
	case MAKER_FORGET:
		return serve_forget(request, why);
	case MAKER_UNLINK:
		return serve_unlink(request, why);
	case MAKER_HELLO:
	case MAKER_KINDS:
		break;
	}
	return senseless(why, "something");
}

int maker_requests_begin(const struct maker_hello *hello, struct maker_answer *answer,
			 struct ixgbe_why *why)
{
	int err;

	made.hello = *hello;
	err = program_first(MAKER_DRIVER, hello->driver, &answer->program, why);
	if (!err && *hello->nic)
		err = program_first(MAKER_IXNIC, hello->nic, &answer->nic, why);
	return err;
}
