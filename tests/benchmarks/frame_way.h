/* SPDX-License-Identifier: MIT */
/*
 * One direction of numbered frames: a packet socket at either end, an account of each number, and
 * when frames arrived. See bench_restart.c.
 *
 * Times are of CLOCK_MONOTONIC, in nanoseconds. An arrival's is the kernel's: the receiver may be
 * late.
 */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "numbered_frame.h"

#define WAY_FRAMES_MAX (1ull << 28)
#define WAY_LOG        (1u << 16) /* arrivals that are remembered: over 6 s at 10,000 a second */

/* What the harness itself does wrong, to show that it finds that. */
enum plant { PLANT_NONE, PLANT_DROP, PLANT_REPEAT, PLANT_CORRUPT, PLANT_SWAP };

struct arrival {
	int64_t arrived_ns, sent_ns;
};

struct frame_way {
	const char *name;
	struct numbered_kind kind;
	int from, to; /* sockets */
	enum plant plant;
	uint64_t plant_each;
	uint64_t planted;
	atomic_uint_fast64_t next; /* number */
	uint64_t refused; /* not taken by the interface: its queue was full, or it was down */
	/* For each number how often it arrived, and WAY_REFUSED. */
	_Atomic uint8_t *mark;
	/* The receiver's. */
	pthread_t receiver;
	atomic_bool over;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t came;
	uint64_t arrived; /* different numbers */
	uint64_t highest;
	uint64_t reordered; /* came behind a higher number */
	uint64_t corrupted; /* of our type, but not as they were sent */
	int64_t latest_sent_ns;
	uint64_t logged;
	struct arrival log[WAY_LOG];
};

int64_t clock_now_ns(void);
void sleep_until_ns(int64_t at_ns);
/* Says why on standard error, with errno, and ends the program. */
__attribute__((noreturn)) void way_fail(const char *what);

/* An interface in a network namespace of that name. Returns a packet socket; its MAC to `mac`. */
int way_socket(const char *netns, const char *interface, uint8_t mac[6]);
/* Begins to receive. The sockets, name and kind are there. */
void way_start(struct frame_way *way);
/* Sends the next frame, or, where something is planted, none or two. */
void way_send(struct frame_way *way);
/* Waits until a frame arrived that was sent later than that. False: not before the deadline. */
bool way_wait_sent_after(struct frame_way *way, int64_t sent_ns, int64_t deadline_ns);
/* Waits until all have arrived. False: not before the deadline. */
bool way_wait_all(struct frame_way *way, int64_t deadline_ns);
void way_stop(struct frame_way *way);

struct way_gap {
	int64_t largest_ns; /* between two arrivals of which the later came behind `since_ns` */
	/* The arrival that ended the largest gap, of those up to the first arrival of a frame that
	 * was sent behind `after_ns`; 0: no such frame came. */
	int64_t first_ns;
};
struct way_gap way_gap_since(struct frame_way *way, int64_t since_ns, int64_t after_ns);
/* When the first frame arrived that was sent later than that; 0: none has. */
int64_t way_arrival_after(struct frame_way *way, int64_t sent_ns);

/* After way_stop(). Those of the numbers from `first` on, up to `end`. */
uint64_t way_lost(const struct frame_way *way, uint64_t first, uint64_t end);
uint64_t way_repeated(const struct frame_way *way, uint64_t first, uint64_t end);
json_t *way_json(const struct frame_way *way);
