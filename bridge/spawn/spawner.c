/* SPDX-License-Identifier: MIT */
/*
 * The keeper's side. A start is a few attempts: with a PID namespace; where that is refused (no
 * CAP_SYS_ADMIN), with a user namespace, too; without any. `require` has the first one alone.
 *
 * The program is opened once, looked at and executed by its descriptor: what was looked at is what
 * runs, for the keeper's life, whatever a package manager puts at the path meanwhile.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "free_user.h"
#include "spawn_wire.h"
#include "spawner_exec.h"

#define STOP_MS 5000
#define END_MS  1000

#ifdef __SANITIZE_ADDRESS__
#define KEEP_STDERR true /* what a sanitizer finds is to be read */
#else
#define KEEP_STDERR false
#endif

struct start {
	const struct spawn_config *config;
	struct launch launch;
	int keeper; /* a pidfd of this process */
	uid_t user;
	int pid_error;
	struct spawn_word word; /* what the program said */
};

/* ---- What the program gets ---- */

static int above_standard(int fd)
{
	int high;

	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_SOCKET + 1);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

int spawner_program_check(int fd)
{
	struct stat stat;
	char begin[4];

	if (fstat(fd, &stat))
		return -errno;
	if (S_ISDIR(stat.st_mode))
		return -EISDIR;
	if (!S_ISREG(stat.st_mode) || pread(fd, begin, sizeof(begin), 0) != sizeof(begin) ||
	    memcmp(begin, "\177ELF", sizeof(begin)))
		return -ENOEXEC;
	return 0;
}

static int program_failed(const char *program, int err, struct ixgbe_why *why)
{
	return ixgbe_why_fill(why, err, "cannot execute the driver program %s: %s", program,
			      strerror(-err));
}

int spawner_program_open(const char *program, struct ixgbe_why *why)
{
	/* O_NONBLOCK: a FIFO is refused, not waited for. */
	int err, fd = above_standard(open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK));

	if (fd < 0)
		return program_failed(program, fd, why);
	err = spawner_program_check(fd);
	if (err) {
		close(fd);
		return program_failed(program, err, why);
	}
	return fd;
}

int spawner_record_new(const void *record, size_t bytes)
{
	int fd = above_standard(memfd_create("ixtap-record", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	size_t done = 0;

	if (fd < 0)
		return fd;
	while (done < bytes) {
		ssize_t n = write(fd, (const char *)record + done, bytes - done);

		if (n < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
		done += (size_t)n;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

static void start_close(struct start *start)
{
	const int fd[] = {start->launch.null, start->launch.sock, start->keeper};

	spawn_close_all(fd, sizeof(fd) / sizeof(fd[0]));
}

static int start_open(struct start *start, struct ixgbe_why *why)
{
	const struct spawn_config *config = start->config;

	start->launch.null = above_standard(open("/dev/null", O_RDWR | O_CLOEXEC));
	if (start->launch.null < 0)
		return ixgbe_why_fill(why, start->launch.null, "cannot open /dev/null: %s",
				      strerror(-start->launch.null));
	start->keeper = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (start->keeper < 0)
		return ixgbe_why_fill(why, -errno, "cannot watch ixtapd from the spawner: %s",
				      strerror(errno));
	if (config->isolation != ISOLATION_OFF && start->user == ISOLATION_USER_FREE)
		return free_user(config->name ? config->name : "", &start->user, why);
	return 0;
}

/* ---- The spawner's first word ---- */

/* The program has closed its socket: its end follows, or it is no ixtap-driver. */
static int said_end(const struct spawner *spawner, const char *program, struct ixgbe_why *why)
{
	struct pollfd dead = {.fd = spawner->pidfd, .events = POLLIN};
	siginfo_t info = {.si_pid = 0};
	char fate[SPAWN_FATE_BYTES];

	poll(&dead, 1, END_MS);
	waitid(P_PIDFD, (id_t)spawner->pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
	if (!info.si_pid)
		return ixgbe_why_fill(why, -EPROTO, "the driver program %s hung up", program);
	spawn_fate(&(struct spawn_end){.code = info.si_code, .status = info.si_status}, fate);
	return ixgbe_why_fill(why, -ECHILD,
			      "the driver program %s %s before it was ready; is it ixtap-driver, "
			      "of this installation?",
			      program, fate);
}

/* Waits for a message, or for the end: 1, 0, or -ETIMEDOUT. */
static int await_message(const struct spawner *spawner, int64_t deadline)
{
	struct pollfd fds[] = {{.fd = spawner->sock, .events = POLLIN},
			       {.fd = spawner->pidfd, .events = POLLIN}};

	for (;;) {
		int64_t left = deadline - clock_ms();
		int n = poll(fds, 2, left > 0 ? (int)left : 0);

		if (n > 0 && fds[0].revents & POLLIN)
			return 1;
		if (n > 0 && fds[1].revents)
			return 0;
		if (n > 0)
			fds[0].fd = -1; /* hung up: the end follows, or the deadline */
		if (n == 0)
			return -ETIMEDOUT;
	}
}

static int other_version(const struct spawn_head *head, const struct spawn_config *config,
			 struct ixgbe_why *why)
{
	char version[SPAWN_VERSION_BYTES + 1] = "";

	memcpy(version, head->version, SPAWN_VERSION_BYTES);
	for (char *at = version; *at; at++)
		if (*at <= ' ' || *at > '~')
			*at = '?';
	return ixgbe_why_fill(why, -EBADMSG,
			      "the driver program %s is of version %s (layout %" PRIu32
			      "), this is %s (layout %u): install both from one package",
			      config->program, version, head->layout,
			      config->version ? config->version : IXTAP_VERSION, SPAWN_LAYOUT);
}

static bool word_valid(const struct spawn_word *word)
{
	return word->stage <= SPAWN_NO_USERS &&
	       (word->error != 0) == (word->stage != SPAWN_READY) && word->error <= 0 &&
	       word->error > -4096 && memchr(word->why, '\0', sizeof(word->why)) &&
	       isolation_report_valid(&word->report);
}

/* Receives the word, and judges only whether it is one. */
static int take_word(const struct spawner *spawner, const struct spawn_config *config,
		     struct spawn_word *word, struct ixgbe_why *why)
{
	const char *program = config->program;
	uint32_t fds;
	ssize_t got;
	int err;

	got = spawn_receive(spawner->sock, word, sizeof(*word), NULL, 0, &fds, MSG_DONTWAIT);
	if (got == 0)
		return said_end(spawner, program, why);
	err = got < 0 ? -EPROTO : spawn_head_check(&word->head, config->version, (size_t)got);
	if (err == -EBADMSG)
		return other_version(&word->head, config, why);
	if (err || (size_t)got != sizeof(*word) || !word_valid(word))
		return ixgbe_why_fill(why, -EPROTO, "the driver program %s speaks nonsense",
				      program);
	return 0;
}

static int await_word(const struct spawner *spawner, struct start *start, struct ixgbe_why *why)
{
	const char *program = start->config->program;
	int got = await_message(spawner, clock_ms() + SPAWN_START_MS);

	if (got == 0)
		return said_end(spawner, program, why);
	if (got < 0)
		return ixgbe_why_fill(why, got, "the driver program %s was not ready within %d ms",
				      program, SPAWN_START_MS);
	return take_word(spawner, start->config, &start->word, why);
}

static int judge_word(const struct spawn_word *word, const char *program, struct ixgbe_why *why)
{
	if (word->stage == SPAWN_READY)
		return 0;
	if (word->stage == SPAWN_FAILED)
		return ixgbe_why_fill(why, word->error, "%s", word->why);
	return program_failed(program, word->error, why);
}

/* ---- One attempt ---- */

static int say_hello(const struct spawner *spawner, const struct start *start, uint64_t namespaces)
{
	const struct spawn_config *config = start->config;
	struct spawn_hello hello = {
		.bytes = config->bytes,
		.fds = config->fds,
		.isolation = (uint32_t)config->isolation,
		.user = start->user,
		.pid_error = namespaces & CLONE_NEWPID ? 0 : start->pid_error,
		.user_namespace = !!(namespaces & CLONE_NEWUSER),
	};
	int fd[SPAWN_WIRE_FDS_MAX] = {config->record, start->keeper};

	spawn_head_fill(&hello.head, config->version);
	if (config->fds)
		memcpy(fd + SPAWN_HELLO_FDS, config->fd, config->fds * sizeof(*fd));
	return spawn_send(spawner->sock, &hello, sizeof(hello), fd, SPAWN_HELLO_FDS + config->fds);
}

static int process_start(struct spawner *spawner, struct start *start, uint64_t namespaces)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	start->launch.sock = above_standard(pair[1]);
	spawner->sock = pair[0];
	spawner->pid = start->launch.sock < 0
			       ? start->launch.sock
			       : spawner_exec(&start->launch, namespaces, &spawner->pidfd);
	if (start->launch.sock >= 0)
		close(start->launch.sock);
	start->launch.sock = -1;
	if (spawner->pid > 0)
		return 0;
	close(pair[0]);
	return spawner->pid;
}

/* 0: the word is there. -EUSERS: not with these namespaces; start->pid_error says why. */
static int attempt(struct spawner *spawner, struct start *start, uint64_t namespaces,
		   struct ixgbe_why *why)
{
	int err = process_start(spawner, start, namespaces);

	if (err && namespaces) {
		start->pid_error = -err;
		return -EUSERS;
	}
	if (err)
		return ixgbe_why_fill(why, err, "cannot make the spawner: %s", strerror(-err));
	err = say_hello(spawner, start, namespaces);
	if (err && err != -EPIPE) /* of a process that has ended, its word tells more */
		ixgbe_why_fill(why, err, "cannot hand the spawner its descriptors: %s",
			       strerror(-err));
	else
		err = await_word(spawner, start, why);
	if (!err && start->word.stage == SPAWN_NO_USERS) {
		start->pid_error = -start->word.error;
		err = -EUSERS;
	}
	if (err)
		spawner_stop(spawner);
	return err;
}

static int attempts(struct spawner *spawner, struct start *start, struct ixgbe_why *why)
{
	static const uint64_t namespaces[] = {CLONE_NEWPID, CLONE_NEWPID | CLONE_NEWUSER, 0};
	const enum isolation isolation = start->config->isolation;
	int err = -EUSERS;

	for (size_t i = isolation == ISOLATION_OFF ? 2 : 0; err == -EUSERS && i < 3; i++) {
		err = attempt(spawner, start, namespaces[i], why);
		if (err == -EUSERS && isolation == ISOLATION_REQUIRE)
			return ixgbe_why_fill(why, -EPERM,
					      "--isolation require: cannot make a PID namespace: "
					      "%s%s",
					      strerror(start->pid_error),
					      start->pid_error == EPERM ? "; it takes root" : "");
	}
	if (!err)
		err = judge_word(&start->word, start->config->program, why);
	if (err)
		spawner_stop(spawner);
	return err;
}

int spawner_start(struct spawner *out, const struct spawn_config *config, struct ixgbe_why *why)
{
	struct start start = {
		.config = config,
		.launch = {.program = config->program_fd,
			   .sock = -1,
			   .null = -1,
			   .name = config->name,
			   .version = config->version,
			   .keep_stderr = KEEP_STDERR || config->isolation == ISOLATION_OFF},
		.keeper = -1,
		.user = config->user,
	};
	struct spawner spawner = {.pid = 0};
	int err;

	if (config->fds > SPAWN_FDS_MAX)
		return ixgbe_why_fill(why, -EINVAL, "%" PRIu32 " descriptors for a driver: %u fit",
				      config->fds, SPAWN_FDS_MAX);
	err = start_open(&start, why);
	if (!err)
		err = attempts(&spawner, &start, why);
	start_close(&start);
	if (err)
		return err;
	spawner.report = start.word.report;
	*out = spawner;
	return 0;
}

void spawner_stop(struct spawner *spawner)
{
	struct pollfd dead = {.fd = spawner->pidfd, .events = POLLIN};

	if (spawner->pid <= 0)
		return;
	syscall(SYS_pidfd_send_signal, spawner->pidfd, SIGKILL, NULL, 0);
	while (poll(&dead, 1, STOP_MS) < 0 && errno == EINTR)
		;
	waitid(P_PIDFD, (id_t)spawner->pidfd, NULL, WEXITED | WNOHANG);
	close(spawner->pidfd);
	close(spawner->sock);
	*spawner = (struct spawner){.pid = 0};
}

/* ---- Drivers ---- */

int spawner_order(struct spawner *spawner, const int *fd, uint32_t fds)
{
	const struct spawn_order order = {
		.magic = SPAWN_MAGIC, .kind = SPAWN_ORDER_DRIVER, .fds = fds};

	if (fds > SPAWN_FDS_MAX)
		return -EINVAL;
	return spawn_send(spawner->sock, &order, sizeof(order), fd, fds);
}

int spawner_linger(struct spawner *spawner, bool linger)
{
	const struct spawn_order order = {
		.magic = SPAWN_MAGIC,
		.kind = linger ? SPAWN_ORDER_LINGER : SPAWN_ORDER_FOLLOW,
	};

	int err = spawn_send(spawner->sock, &order, sizeof(order), NULL, 0);

	if (!err)
		spawner->lingers = linger;
	return err;
}

int spawner_pidfd_process(int pidfd, pid_t *pid)
{
	char path[64], line[128];
	int found = -EPROTO;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Pid:", strlen("Pid:")) == 0) {
			*pid = (pid_t)strtol(line + strlen("Pid:"), NULL, 10);
			found = 0;
		}
	}
	fclose(file);
	return found;
}

static int take_birth(const struct spawn_news *news, int pidfd, struct spawned *out)
{
	pid_t pid = -1;
	int err;

	if (news->error)
		return news->error == -EAGAIN ? -ENOMEM : news->error;
	err = spawner_pidfd_process(pidfd, &pid);
	if (err)
		return err;
	*out = (struct spawned){.pid = pid, .pidfd = pidfd, .number = news->number};
	return 0;
}

static void keep_end(struct spawner *spawner, const struct spawn_news *news)
{
	spawner->ends[news->number % SPAWN_ENDS_KEPT] = (struct spawn_end){
		.number = news->number, .code = news->code, .status = news->status};
}

static bool news_valid(const struct spawn_news *news, ssize_t got, uint32_t fds)
{
	if (got != sizeof(*news) || news->magic != SPAWN_MAGIC || news->error > 0 ||
	    news->error < -4095)
		return false;
	if (news->kind == SPAWN_ENDED)
		return !fds && !news->error;
	return news->kind == SPAWN_BORN && fds == !news->error;
}

int spawner_take(struct spawner *spawner, struct spawned *out)
{
	struct spawn_news news;
	int pidfd = -1, err;
	uint32_t fds;
	ssize_t got;

	do {
		got = spawn_receive(spawner->sock, &news, sizeof(news), &pidfd, 1, &fds,
				    MSG_DONTWAIT);
		if (got == 0)
			return -EPIPE;
		if (got < 0)
			return (int)got;
		if (!news_valid(&news, got, fds)) {
			spawn_close_all(&pidfd, fds);
			return -EPROTO;
		}
		if (news.kind == SPAWN_ENDED)
			keep_end(spawner, &news);
	} while (news.kind == SPAWN_ENDED);
	err = take_birth(&news, pidfd, out);
	if (err)
		spawn_close_all(&pidfd, fds);
	return err;
}

void spawn_fate(const struct spawn_end *end, char text[SPAWN_FATE_BYTES])
{
	if (!end)
		snprintf(text, SPAWN_FATE_BYTES, "ended");
	else if (end->code == CLD_EXITED)
		snprintf(text, SPAWN_FATE_BYTES, "exited with status %d", end->status);
	else
		snprintf(text, SPAWN_FATE_BYTES, "was killed by signal %d", end->status);
}

bool spawner_ended(const struct spawner *spawner, uint32_t number, struct spawn_end *out)
{
	const struct spawn_end *end = &spawner->ends[number % SPAWN_ENDS_KEPT];

	if (!number || end->number != number)
		return false;
	*out = *end;
	return true;
}
