/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A pipe that nobody reads, a terminal stopped by Ctrl-S or a file on a server that is away make a
 * write wait. The program goes on meanwhile: lines go into a ring, and a thread of the outlet's own
 * writes them, one a call, so that lines of several programs do not mix. What the ring has no room
 * for is lost and counted; a line says so where the lost ones would be.
 *
 * The thread is made by outlet_start(), or at the first line. It takes no signal, and the end of
 * the process waits for it no longer than OUTLET_END_MS.
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

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct outlet *list; /* those with a thread */

/* All of it, however long that takes. What cannot be written is nobody's to hear of. */
static void write_whole(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			/* Somebody has made the file description non-blocking. */
			struct pollfd room = {.fd = fd, .events = POLLOUT};

			if (poll(&room, 1, -1) < 0 || !(room.revents & POLLOUT))
				return;
		} else if (errno != EINTR) {
			return;
		}
	}
}

/* ---- The ring; the lock is held ---- */

static bool ring_put(struct outlet *outlet, const char *line, size_t len)
{
	if (OUTLET_BYTES - (outlet->put - outlet->written) < len)
		return false;
	for (size_t i = 0; i < len; i++)
		outlet->ring[(outlet->put + i) % OUTLET_BYTES] = line[i];
	outlet->put += len;
	pthread_cond_signal(&outlet->more);
	return true;
}

/* The first line, which stays in the ring: its length. */
static size_t ring_line(const struct outlet *outlet, char line[OUTLET_LINE_MAX])
{
	size_t len = 0;

	do
		line[len] = outlet->ring[(outlet->written + len) % OUTLET_BYTES];
	while (line[len++] != '\n' && outlet->written + len < outlet->put && len < OUTLET_LINE_MAX);
	return len;
}

/* Puts the line about lost ones in their place, if there were any. False: there is no room. */
static bool say_lost(struct outlet *outlet)
{
	char line[OUTLET_LINE_MAX];

	if (!outlet->lost)
		return true;
	if (outlet->lost_line &&
	    !ring_put(outlet, line, outlet->lost_line(line, sizeof(line), outlet->lost)))
		return false;
	outlet->lost = 0;
	return true;
}

/* ---- The thread ---- */

static void *drain(void *arg)
{
	struct outlet *outlet = arg;
	char line[OUTLET_LINE_MAX];

	pthread_mutex_lock(&outlet->lock);
	for (;;) {
		size_t len;

		if (outlet->put == outlet->written)
			say_lost(outlet);
		if (outlet->put == outlet->written) {
			pthread_cond_broadcast(&outlet->empty);
			pthread_cond_wait(&outlet->more, &outlet->lock);
			continue;
		}
		len = ring_line(outlet, line);
		pthread_mutex_unlock(&outlet->lock);
		write_whole(outlet->fd, line, len);
		pthread_mutex_lock(&outlet->lock);
		outlet->written += len;
	}
	return NULL;
}

/* At exit(3): gives the threads a moment for what waits still. */
static void wait_empty(void)
{
	const int64_t end = clock_ns() + OUTLET_END_MS * 1000000LL;
	const struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};

	for (struct outlet *outlet = list; outlet; outlet = outlet->next) {
		int err = 0;

		pthread_mutex_lock(&outlet->lock);
		while ((outlet->put != outlet->written || outlet->lost) && !err)
			err = pthread_cond_clockwait(&outlet->empty, &outlet->lock, CLOCK_MONOTONIC,
						     &until);
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
		atexit(wait_empty);
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

void outlet_start(struct outlet *outlet)
{
	pthread_mutex_lock(&outlet->lock);
	begin(outlet);
	pthread_mutex_unlock(&outlet->lock);
}

void outlet_put(struct outlet *outlet, const char *line, size_t len)
{
	pthread_mutex_lock(&outlet->lock);
	begin(outlet);
	if (!outlet->started)
		write_whole(outlet->fd, line, len); /* a line that may wait is better than none */
	else if (!say_lost(outlet) || !ring_put(outlet, line, len))
		outlet->lost++;
	pthread_mutex_unlock(&outlet->lock);
}
