/* SPDX-License-Identifier: MIT */
/*
 * The event loop: file descriptors, a few one-shot deadlines, and one work hook.
 *
 * A turn waits (not at all while the work hook says there is more), calls the functions of the
 * descriptors that are ready, then those of the deadlines that have passed, then the work hook
 * once. A doorbell that arrived as an event is served in the same turn, and a busy data path never
 * starves the client's messages.
 *
 * A source that is removed during a turn may still have an event in this turn's
 * batch; it is freed when the turn is over.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#include "bridge/service/clock.h"
#include "bridge/service/log.h"

#define EVENTS_PER_TURN 32
#define LOG_LOOK_NS     1000000000u /* how often, while lines are left out (log_sum_up) */

struct source {
	struct source *next;
	int fd;
	loop_fn fn; /* NULL: removed */
	void *ctx;
};

struct timer {
	uint64_t at_ns; /* 0: not set */
	loop_fn fn;
	void *ctx;
};

struct loop {
	int epoll;
	bool stop;
	bool busy; /* the work hook has more to do */
	bool (*work)(void *ctx);
	void *work_ctx;
	struct source *sources;
	struct timer timers[LOOP_TIMERS];
};

uint64_t loop_now_ns(void)
{
	return (uint64_t)clock_ns();
}

int loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int err = -errno;

		free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

/* Frees the sources that were removed, or all. */
static void sources_free(struct loop *loop, bool all)
{
	struct source **at = &loop->sources;

	while (*at) {
		struct source *source = *at;

		if (!all && source->fn) {
			at = &source->next;
			continue;
		}
		*at = source->next;
		free(source);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	sources_free(loop, true);
	close(loop->epoll);
	free(loop);
}

static struct source *source_find(const struct loop *loop, int fd)
{
	struct source *source = loop->sources;

	while (source && (source->fd != fd || !source->fn))
		source = source->next;
	return source;
}

int loop_add(struct loop *loop, int fd, uint32_t epoll_events, loop_fn fn, void *ctx)
{
	struct source *source = calloc(1, sizeof(*source));
	struct epoll_event event = {.events = epoll_events, .data.ptr = source};

	if (!source)
		return -ENOMEM;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		int err = -errno;

		free(source);
		return err;
	}
	*source = (struct source){.next = loop->sources, .fd = fd, .fn = fn, .ctx = ctx};
	loop->sources = source;
	return 0;
}

int loop_modify(struct loop *loop, int fd, uint32_t epoll_events)
{
	struct source *source = source_find(loop, fd);
	struct epoll_event event = {.events = epoll_events, .data.ptr = source};

	if (!source)
		return -ENOENT;
	return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, int fd)
{
	struct source *source = source_find(loop, fd);

	if (!source)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	source->fn = NULL;
}

void loop_work_set(struct loop *loop, bool (*work)(void *ctx), void *ctx)
{
	loop->work = work;
	loop->work_ctx = ctx;
}

void loop_timer_set(struct loop *loop, enum loop_timer timer, uint64_t at_ns, loop_fn fn, void *ctx)
{
	loop->timers[timer] = (struct timer){.at_ns = at_ns, .fn = fn, .ctx = ctx};
}

/* How long this turn may sleep: NULL for as long as nothing happens. */
static struct timespec *turn_timeout(const struct loop *loop, struct timespec *out)
{
	uint64_t now = loop_now_ns();
	uint64_t wait = UINT64_MAX;

	if (loop->busy)
		wait = 0;
	for (int i = 0; i < LOOP_TIMERS; i++) {
		uint64_t at = loop->timers[i].at_ns;
		uint64_t left = at > now ? at - now : 0;

		if (at && left < wait)
			wait = left;
	}
	if (log_due_ms() != INT64_MAX && wait > LOG_LOOK_NS)
		wait = LOG_LOOK_NS;
	if (wait == UINT64_MAX)
		return NULL;
	out->tv_sec = (time_t)(wait / 1000000000u);
	out->tv_nsec = (long)(wait % 1000000000u);
	return out;
}

static void timers_run(struct loop *loop)
{
	uint64_t now = loop_now_ns();

	for (int i = 0; i < LOOP_TIMERS; i++) {
		struct timer timer = loop->timers[i];

		if (!timer.at_ns || timer.at_ns > now)
			continue;
		loop->timers[i].at_ns = 0; /* first: the function may set it anew */
		timer.fn(timer.ctx, 0);
	}
}

static int turn(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];
	struct timespec timeout;
	int n = epoll_pwait2(loop->epoll, events, EVENTS_PER_TURN, turn_timeout(loop, &timeout),
			     NULL);

	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct source *source = events[i].data.ptr;

		if (source->fn)
			source->fn(source->ctx, events[i].events);
	}
	timers_run(loop);
	if (log_due_ms() != INT64_MAX)
		log_sum_up();
	loop->busy = loop->work && loop->work(loop->work_ctx);
	sources_free(loop, false);
	return 0;
}

int loop_run(struct loop *loop)
{
	int err = 0;

	while (!loop->stop && err == 0)
		err = turn(loop);
	loop->stop = false;
	return err;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
