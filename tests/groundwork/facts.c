/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_S  30
#define US_PER_S  1000000
#define ACTOR_BAD 99

/* ---- Results ---- */

static int facts_said, facts_wrong;

static void say_line(const char *begin, const char *text, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), text, args);
	if (begin[0] == '#')
		printf("# %s\n", line);
	else
		printf("%s %d - %s\n", begin, facts_said, line);
	fflush(stdout);
}

void fact(bool good, const char *text, ...)
{
	va_list args;

	facts_said++;
	facts_wrong += !good;
	va_start(args, text);
	say_line(good ? "ok" : "not ok", text, args);
	va_end(args);
}

void fact_skip(const char *text, ...)
{
	char with_reason[256];
	va_list args;

	facts_said++;
	va_start(args, text);
	vsnprintf(with_reason, sizeof(with_reason), text, args);
	va_end(args);
	printf("ok %d - %s\n", facts_said, with_reason);
	fflush(stdout);
}

void fact_note(const char *text, ...)
{
	va_list args;

	va_start(args, text);
	say_line("#", text, args);
	va_end(args);
}

int facts_end(void)
{
	printf("1..%d\n", facts_said);
	return facts_wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

void fact_broken(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(ACTOR_BAD);
}

int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

void sleep_us(int64_t us)
{
	const struct timespec time = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};

	nanosleep(&time, NULL);
}

int any_below(int count)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223; /* Numerical Recipes, 7.1 */
	return (int)((uint64_t)state * (uint32_t)count >> 32);
}

/* ---- Messages ---- */

union fds_space {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
};

void message_send(int sock, int64_t value, const int *fds, int count)
{
	union fds_space space = {.bytes = {0}};
	struct iovec iov = {.iov_base = &value, .iov_len = sizeof(value)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count > 0) {
		message.msg_control = &space;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		space.header.cmsg_level = SOL_SOCKET;
		space.header.cmsg_type = SCM_RIGHTS;
		space.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(&space.header), fds, (size_t)count * sizeof(int));
	}
	if (sendmsg(sock, &message, MSG_NOSIGNAL) != sizeof(value))
		fact_broken("a message to another process");
}

int64_t message_take(int sock, int *fds, int count)
{
	int64_t value;
	union fds_space space;
	struct iovec iov = {.iov_base = &value, .iov_len = sizeof(value)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &space,
				 .msg_controllen = sizeof(space)};

	if (recvmsg(sock, &message, 0) != sizeof(value))
		fact_broken("a message of another process");
	if (count > 0) {
		if (message.msg_controllen < CMSG_LEN((size_t)count * sizeof(int)))
			fact_broken("descriptors of another process");
		memcpy(fds, CMSG_DATA(&space.header), (size_t)count * sizeof(int));
	}
	return value;
}

void message_pair(int pair[2])
{
	const struct timeval limit = {.tv_sec = ANSWER_S};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		fact_broken("socketpair");
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* ---- Actors ---- */

void actor_start(struct actor *actor, void (*play)(int sock, void *arg), void *arg)
{
	int pair[2];

	message_pair(pair);
	actor->pid = fork();
	if (actor->pid < 0)
		fact_broken("fork");
	if (actor->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		play(pair[1], arg);
		_exit(0);
	}
	close(pair[1]);
	actor->sock = pair[0];
	actor->pidfd = (int)syscall(SYS_pidfd_open, actor->pid, 0);
	if (actor->pidfd < 0)
		fact_broken("pidfd_open");
}

int64_t actor_says(const struct actor *actor)
{
	return message_take(actor->sock, NULL, 0);
}

void actor_go(const struct actor *actor)
{
	message_send(actor->sock, 0, NULL, 0);
}

int64_t actor_next(const struct actor *actor)
{
	actor_go(actor);
	return actor_says(actor);
}

bool actor_dead(const struct actor *actor, int64_t limit_us)
{
	struct pollfd wait = {.fd = actor->pidfd, .events = POLLIN};

	return poll(&wait, 1, (int)(limit_us / 1000)) == 1;
}

int64_t actor_kill(struct actor *actor)
{
	int64_t since = now_us();

	kill(actor->pid, SIGKILL);
	if (!actor_dead(actor, ANSWER_S * (int64_t)US_PER_S))
		fact_broken("a killed process that does not die");
	return now_us() - since;
}

int actor_end(struct actor *actor)
{
	int status;

	if (waitpid(actor->pid, &status, 0) != actor->pid)
		fact_broken("waitpid");
	close(actor->pidfd);
	close(actor->sock);
	return status;
}

void say_and_wait(int sock, int64_t value)
{
	message_send(sock, value, NULL, 0);
	message_take(sock, NULL, 0);
}

void wait_for_death(void)
{
	for (;;)
		pause();
}

void *memory_new(const char *name, size_t bytes, int *fd)
{
	void *memory;

	*fd = memfd_create(name, MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes) < 0)
		fact_broken("memfd");
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (memory == MAP_FAILED)
		fact_broken("mmap");
	return memory;
}
