/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A pipe that nobody reads, a terminal stopped by Ctrl-S or a file on a server that is away make a
 * write wait. The program goes on meanwhile: lines go into a ring, and a thread of the outlet's own
 * writes them, one a call, so that lines of several programs do not mix.
 *
 * Lines are lost where the ring has no room, and where a write fails (the file system is full, the
 * reader has left). They are counted. A line says how many where they would be: before the next
 * one that can be written, and at the end of the process if that is none. A line that a full file
 * system has taken half is ended before.
 *
 * The thread is made by outlet_start(), or at the first line. It takes no signal, has no right
 * (bare_thread), and the end of the process, or of the program (exec), waits for it no longer than
 * OUTLET_END_MS.
 *
 * Weighed against it: writes that do not wait, without a thread. O_NONBLOCK belongs to the file
 * description, which standard error shares with a shell or with other programs. A description of
 * our own, by /proc/self/fd/2, can be had of a pipe, but not of a socket or of another user's
 * terminal, and of a file it has another position. poll() before the write does not help where
 * others write too: they may fill the pipe in between. And a file's write waits whatever the flags.
 */
#include "outlet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "landlock.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct outlet *list; /* those with a thread */
static bool user_changes;

/* All of it, however long that takes: 0 or -errno, with *written bytes. */
static int write_whole(int fd, const char *text, size_t len, size_t *written)
{
	for (*written = 0; *written < len;) {
		ssize_t n = write(fd, text + *written, len - *written);

		if (n > 0) {
			*written += (size_t)n;
		} else if (n == 0) {
			return -EIO;
		} else if (errno == EAGAIN) {
			/* Somebody has made the file description non-blocking. */
			struct pollfd room = {.fd = fd, .events = POLLOUT};

			if (poll(&room, 1, -1) < 0 || !(room.revents & POLLOUT))
				return -EPIPE;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* ---- The ring; the lock is held ---- */

/* What stands before each line. */
struct head {
	uint64_t lost; /* lines, before this one */
	size_t len;
};

static void ring_in(struct outlet *outlet, const void *bytes, size_t len)
{
	size_t at = outlet->put % OUTLET_BYTES;
	size_t first = len < OUTLET_BYTES - at ? len : OUTLET_BYTES - at;

	memcpy(outlet->ring + at, bytes, first);
	memcpy(outlet->ring, (const char *)bytes + first, len - first);
	outlet->put += len;
}

static void ring_out(const struct outlet *outlet, uint64_t from, void *bytes, size_t len)
{
	size_t at = from % OUTLET_BYTES;
	size_t first = len < OUTLET_BYTES - at ? len : OUTLET_BYTES - at;

	memcpy(bytes, outlet->ring + at, first);
	memcpy((char *)bytes + first, outlet->ring, len - first);
}

/* False: there is no room. */
static bool ring_put(struct outlet *outlet, const char *line, size_t len)
{
	const struct head head = {outlet->lost, len};

	if (OUTLET_BYTES - (outlet->put - outlet->written) < sizeof(head) + len)
		return false;
	ring_in(outlet, &head, sizeof(head));
	ring_in(outlet, line, len);
	outlet->lost = 0;
	pthread_cond_signal(&outlet->more);
	return true;
}

/* ---- The thread; the lock is held, but for the writes ---- */

/* Writes a line: 0 or -errno. */
static int write_line(struct outlet *outlet, const char *line, size_t len)
{
	char text[1 + OUTLET_LINE_MAX];
	size_t start = outlet->half ? 1 : 0, written;
	int err;

	text[0] = '\n';
	memcpy(text + start, line, len);
	pthread_mutex_unlock(&outlet->lock);
	err = write_whole(outlet->fd, text, start + len, &written);
	if (err && !outlet->untold && outlet->failed)
		outlet->failed(-err);
	pthread_mutex_lock(&outlet->lock);
	if (written)
		outlet->half = text[written - 1] != '\n';
	if (err)
		outlet->err = -err;
	return err;
}

/* Says how many lines were lost, if any were: 0 or -errno. */
static int tell(struct outlet *outlet)
{
	char line[OUTLET_LINE_MAX];
	int err = 0;

	if (outlet->untold && outlet->lost_line)
		err = write_line(
			outlet, line,
			outlet->lost_line(line, sizeof(line), outlet->untold, outlet->err));
	if (!err) {
		outlet->untold = 0;
		outlet->err = 0;
	}
	return err;
}

static void write_next(struct outlet *outlet)
{
	char line[OUTLET_LINE_MAX];
	struct head head;

	ring_out(outlet, outlet->written, &head, sizeof(head));
	ring_out(outlet, outlet->written + sizeof(head), line, head.len);
	outlet->untold += head.lost;
	if (tell(outlet) || write_line(outlet, line, head.len))
		outlet->untold++;
	/* Behind the write: the end of the process waits for it. */
	outlet->written += sizeof(head) + head.len;
}

static void *drain(void *arg)
{
	struct outlet *outlet = arg;

	bare_thread(user_changes);
	pthread_mutex_lock(&outlet->lock);
	for (;;) {
		if (outlet->put != outlet->written) {
			write_next(outlet);
			continue;
		}
		if (outlet->lost || (outlet->untold && outlet->ending)) {
			outlet->untold += outlet->lost;
			outlet->lost = 0;
			tell(outlet);
		}
		if (outlet->put == outlet->written && !outlet->lost) {
			outlet->told_end = outlet->ending;
			pthread_cond_broadcast(&outlet->empty);
			pthread_cond_wait(&outlet->more, &outlet->lock);
		}
	}
	return NULL;
}

void outlet_finish(void)
{
	const int64_t end = clock_ns() + OUTLET_END_MS * 1000000LL;
	const struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};

	for (struct outlet *outlet = list; outlet; outlet = outlet->next) {
		int err = 0;

		pthread_mutex_lock(&outlet->lock);
		outlet->ending = true;
		outlet->told_end = false;
		pthread_cond_signal(&outlet->more);
		while ((outlet->put != outlet->written || outlet->lost || !outlet->told_end) &&
		       !err)
			err = pthread_cond_clockwait(&outlet->empty, &outlet->lock, CLOCK_MONOTONIC,
						     &until);
		outlet->ending = false;
		pthread_mutex_unlock(&outlet->lock);
	}
}

static int thread_new(struct outlet *outlet)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, drain, outlet);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	pthread_detach(thread);
	pthread_mutex_lock(&list_lock);
	if (!list)
		atexit(outlet_finish);
	outlet->next = list;
	list = outlet;
	pthread_mutex_unlock(&list_lock);
	return 0;
}

static void begin(struct outlet *outlet)
{
	if (!outlet->started)
		outlet->started = !thread_new(outlet);
}

void outlet_user_changes(void)
{
	user_changes = true;
}

void outlet_start(struct outlet *outlet)
{
	pthread_mutex_lock(&outlet->lock);
	begin(outlet);
	pthread_mutex_unlock(&outlet->lock);
}

void outlet_put(struct outlet *outlet, const char *line, size_t len)
{
	size_t written;

	pthread_mutex_lock(&outlet->lock);
	begin(outlet);
	if (!outlet->started) /* a line that may wait is better than none */
		outlet->lost += write_whole(outlet->fd, line, len, &written) < 0;
	else if (!ring_put(outlet, line, len))
		outlet->lost++;
	pthread_mutex_unlock(&outlet->lock);
}
