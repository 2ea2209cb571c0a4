/* SPDX-License-Identifier: MIT */
/*
 * A thread of its own writes to the terminal. A write to a terminal can take long, and must not
 * hold up the loop that measures. A terminal that was stopped (Ctrl-S) takes nothing: the end waits
 * END_MS for the thread, and cancels it then. So the thread holds no lock while it writes, neither
 * ours nor that of a FILE.
 */
#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/ixlat/ixlat.h"

enum { QUIET_S = 2, BETWEEN_MS = 500, END_MS = 500 };

static struct timespec time_at(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

static void put(const char *text, int len)
{
	(void)!write(STDERR_FILENO, text, (size_t)len);
}

static void show(const struct progress *progress, double passed_s)
{
	uint32_t sent = atomic_load_explicit(&progress->sent, memory_order_relaxed);
	uint32_t received = atomic_load_explicit(&progress->received, memory_order_relaxed);
	double part =
		progress->total ? (double)sent / progress->total : passed_s / progress->duration_s;
	char text[120]; /* a FILE would be left locked, or to be flushed at the exit */

	put(text, snprintf(text, sizeof(text),
			   "\r%3.0f %%  %" PRIu32 " sent, %" PRIu32 " answered, %.0f s\033[K",
			   100 * (part > 1 ? 1 : part), sent, received, passed_s));
}

static void *show_until_end(void *argument)
{
	struct progress *progress = argument;
	int64_t start_ns = clock_ns(), next_ns = start_ns + QUIET_S * NS_PER_S;
	bool shown = false;

	pthread_mutex_lock(&progress->mutex);
	while (!progress->ended) {
		struct timespec next = time_at(next_ns);
		int64_t now_ns;

		pthread_cond_timedwait(&progress->end, &progress->mutex, &next);
		now_ns = clock_ns();
		if (progress->ended || now_ns < next_ns)
			continue;
		pthread_mutex_unlock(&progress->mutex);
		show(progress, (double)(now_ns - start_ns) / 1e9);
		pthread_mutex_lock(&progress->mutex);
		shown = true;
		next_ns = now_ns + BETWEEN_MS * (NS_PER_S / 1000);
	}
	pthread_mutex_unlock(&progress->mutex);
	if (shown)
		put("\r\033[K", 4);
	return NULL;
}

void progress_start(struct progress *progress)
{
	pthread_condattr_t clock;
	sigset_t all, before;

	if (!isatty(STDERR_FILENO))
		return;
	pthread_mutex_init(&progress->mutex, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&progress->end, &clock);
	pthread_condattr_destroy(&clock);
	/* Signals must go to the thread that measures, where they end a sleep. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	progress->running = pthread_create(&progress->thread, NULL, show_until_end, progress) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void progress_stop(struct progress *progress)
{
	const struct timespec end = time_at(clock_ns() + END_MS * (NS_PER_S / 1000));

	if (!progress->running)
		return;
	pthread_mutex_lock(&progress->mutex);
	progress->ended = true;
	pthread_cond_signal(&progress->end);
	pthread_mutex_unlock(&progress->mutex);
	if (pthread_clockjoin_np(progress->thread, NULL, CLOCK_MONOTONIC, &end)) {
		pthread_cancel(progress->thread);
		pthread_join(progress->thread, NULL);
	}
	pthread_cond_destroy(&progress->end);
	pthread_mutex_destroy(&progress->mutex);
	progress->running = false;
}
