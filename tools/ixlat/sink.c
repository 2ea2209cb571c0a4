/* SPDX-License-Identifier: MIT */
/*
 * A pipe that nobody reads and a stopped terminal make a write wait. Before a stop signal the
 * program waits too: nothing is lost that a slow reader takes. After the signal all writes together
 * wait SINK_LATE_MS. What is not taken by then is dropped, with ETIME, and so is all that the
 * stream is given later.
 *
 * Only a signal ends a write that waits. So a timer sends one again and again: a single one may
 * come right before the write. The timer runs only during a write, since other calls need not end
 * early. Nobody but the thread that handles stop signals writes to a sink.
 */
#include "sink.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <unistd.h>

#include "ixlat.h"

#define TICK_US 20000

#define SINKS_MAX 8u

static struct sink {
	bool used;
	int fd;
	bool dead; /* a write was late */
} sinks[SINKS_MAX];

static volatile sig_atomic_t hurried, writing;
static int64_t waited_ns; /* by the writes that are over, since the stop signal */

static void tick(int number)
{
	(void)number;
}

static void timer(int us)
{
	const struct itimerval every = {{.tv_usec = us}, {.tv_usec = us}};

	setitimer(ITIMER_REAL, &every, NULL);
}

void sinks_hurry(void)
{
	hurried = 1;
	if (writing)
		timer(TICK_US);
}

/* Whether the writes have waited too long; `since_ns` is when this one began to count. */
static bool late(int64_t *since_ns)
{
	if (!hurried)
		return false;
	if (!*since_ns)
		*since_ns = clock_ns();
	return waited_ns + clock_ns() - *since_ns >= SINK_LATE_MS * (NS_PER_S / 1000);
}

/* 0 or an errno, with *written bytes. */
static int write_limited(struct sink *sink, const char *text, size_t size, size_t *written)
{
	int64_t since_ns = 0;
	int err = 0;

	/* In this order: a signal from here on starts the timer, or finds that it runs. */
	writing = 1;
	if (hurried)
		timer(TICK_US);
	late(&since_ns); /* what the writes before have used up leaves this one a tick */
	for (*written = 0; *written < size && !err;) {
		ssize_t n = write(sink->fd, text + *written, size - *written);

		if (n > 0)
			*written += (size_t)n;
		else if (n == 0)
			err = EIO;
		else if (errno != EINTR)
			err = errno;
		else if (late(&since_ns))
			err = ETIME;
	}
	writing = 0;
	if (hurried)
		timer(0);
	if (since_ns)
		waited_ns += clock_ns() - since_ns;
	return err;
}

static ssize_t sink_write(void *cookie, const char *text, size_t size)
{
	struct sink *sink = cookie;
	size_t written = 0;
	int err = sink->dead ? ETIME : write_limited(sink, text, size, &written);

	sink->dead = err == ETIME;
	if (err)
		errno = err;
	return (ssize_t)written;
}

static int sink_close(void *cookie)
{
	struct sink *sink = cookie;

	sink->used = false;
	return close(sink->fd);
}

FILE *sink_new(int fd)
{
	const cookie_io_functions_t functions = {.write = sink_write, .close = sink_close};
	struct sink *sink = sinks;
	FILE *file;

	while (sink < sinks + SINKS_MAX && sink->used)
		sink++;
	if (sink == sinks + SINKS_MAX) {
		errno = ENFILE;
		return NULL;
	}
	*sink = (struct sink){.fd = fd};
	file = fopencookie(sink, "w", functions);
	sink->used = file != NULL;
	return file;
}

/* Without memory the stream stays as it was. */
static void replace(FILE **stream, int fd, int buffering)
{
	FILE *file = sink_new(fd);

	if (!file)
		return;
	setvbuf(file, NULL, buffering, 0);
	*stream = file;
}

void sinks_install(void)
{
	struct sigaction action = {.sa_handler = tick};
	sigset_t alarm;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	replace(&stdout, STDOUT_FILENO, _IOLBF);
	replace(&stderr, STDERR_FILENO, _IONBF);
}
