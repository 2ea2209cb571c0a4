/* SPDX-License-Identifier: MIT */
/* The event loop, which knows nothing of a NIC. */
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
/* `work` is called in every turn, after the events, and does a bounded piece. While it returns true
 * the loop does not sleep. */
void loop_work_set(struct loop *loop, bool (*work)(void *ctx), void *ctx);
enum loop_timer {
	LOOP_TIMER_ITR,
	LOOP_TIMER_LINK,
	LOOP_TIMER_TCP,
	LOOP_TIMER_CLIENT,
	LOOP_TIMER_WIRE,
	LOOP_TIMER_ASK,
	LOOP_TIMER_RATE,
	LOOP_TIMER_FAULT,
	LOOP_TIMERS
};
/* Calls `fn` once when loop_now_ns() has reached `at_ns`; 0: not at all. Each timer has one
 * deadline, which replaces the last. */
void loop_timer_set(struct loop *loop, enum loop_timer timer, uint64_t at_ns, loop_fn fn,
		    void *ctx);
uint64_t loop_now_ns(void);
/* Until loop_stop, also if that came before: it ends one run. 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
