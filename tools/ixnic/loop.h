/* SPDX-License-Identifier: MIT */
/*
 * The event loop: file descriptors, a few one-shot deadlines, and one work hook. It knows nothing
 * of a NIC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void (*loop_fn)(void *ctx, uint32_t epoll_events);
int loop_new(struct loop **out);
void loop_free(struct loop *loop);
int loop_add(struct loop *loop, int fd, uint32_t epoll_events, loop_fn fn, void *ctx);
int loop_modify(struct loop *loop, int fd, uint32_t epoll_events);
void loop_remove(struct loop *loop, int fd);
/* Called once per turn, after the events, until it returns false (then the loop may
 * sleep): the data path does a bounded piece of work per call. */
void loop_work_set(struct loop *loop, bool (*work)(void *ctx), void *ctx);
/* A one-shot deadline per `slot`, for EITR, the link and so on: monotonic nanoseconds; 0: none. */
enum loop_timer {
	LOOP_TIMER_ITR,
	LOOP_TIMER_LINK,
	LOOP_TIMER_TCP,
	LOOP_TIMER_CLIENT,
	LOOP_TIMER_WIRE,
	LOOP_TIMER_ASK,
	LOOP_TIMERS
};
void loop_timer_set(struct loop *loop, enum loop_timer timer, uint64_t at_ns, loop_fn fn,
		    void *ctx);
uint64_t loop_now_ns(void);
/* Until loop_stop, also if that came before: it ends one run. 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
