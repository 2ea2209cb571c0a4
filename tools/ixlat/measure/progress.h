/* SPDX-License-Identifier: MIT */
/* A line on the terminal during a run, from the third second on. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
	/* Stored by the loop that measures. */
	_Atomic uint32_t sent, received;
	uint32_t total;    /* probes of the run; 0: the run ends after duration_s */
	double duration_s; /* used when `total` is 0 */
	/* Used in progress.c only. */
	pthread_t thread;
	bool running;
	pthread_mutex_t mutex;
	pthread_cond_t end;
	bool ended;
};

/* Shows the line if standard error is a terminal, and if that is possible. */
void progress_start(struct progress *progress);
/* Wipes the line. */
void progress_stop(struct progress *progress);
