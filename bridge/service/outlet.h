/* SPDX-License-Identifier: MIT */
/*
 * Text to standard output or standard error, by which no program waits for whoever reads there. Any
 * thread may call.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTLET_BYTES  65536u /* what waits to be written; the rest is lost, and counted */
#define OUTLET_END_MS 1000   /* at most, at the end of the program, for what waits still */

/* One line that says how many were lost, with its end: its length. `err`: the errno of a write that
 * failed; 0: nobody read. */
typedef size_t (*outlet_lost_fn)(char *line, size_t size, uint64_t lost, int err);
/* A line cannot be written, and those before could: the errno. Called by the outlet's thread. */
typedef void (*outlet_failed_fn)(int err);

struct outlet {
	int fd;
	outlet_lost_fn lost_line; /* NULL: nothing is said */
	outlet_failed_fn failed;  /* NULL: nobody is told */
	/* The rest is the outlet's own. */
	pthread_mutex_t lock;
	pthread_cond_t more, empty;
	bool started;
	uint64_t put, written; /* bytes, since the start */
	uint64_t lost;         /* lines that found no room, behind the last one in the ring */
	uint64_t untold;       /* lines that were lost before the first one in the ring */
	int err;               /* of the last write that failed, while lines are untold */
	bool half;             /* the last line that was written has no end */
	bool ending, told_end; /* the process ends; all that could be said was */
	struct outlet *next;
	char ring[OUTLET_BYTES];
};

#define OUTLET(fd, lost_line, failed)                                                              \
	{                                                                                          \
		fd, lost_line, failed, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,        \
			PTHREAD_COND_INITIALIZER                                                   \
	}

/* Before the first line: this process will change its user, which its threads must be able to. */
void outlet_user_changes(void);
/* Makes the thread. The thread stays in the network namespace of its maker, and keeps it alive: a
 * program that enters others makes the thread before. */
void outlet_start(struct outlet *outlet);
/* Puts a line, with its end, of less than OUTLET_LINE_MAX bytes. */
#define OUTLET_LINE_MAX 2048u
void outlet_put(struct outlet *outlet, const char *line, size_t len);
/* Waits, OUTLET_END_MS at most, until all outlets have written what waits. exit(3) does so; who
 * executes another program calls this before, since exec ends the threads. */
void outlet_finish(void);
