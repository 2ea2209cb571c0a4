/* SPDX-License-Identifier: MIT */
/* A line on the terminal for as long as a run takes, from its third second. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
	/* Written by the run, in its loop: no more than a store. */
	_Atomic uint32_t sent, received;
	uint32_t total;    /* probes; 0: by time */
	double duration_s; /* then, of this */
	/* Its own. */
	pthread_t thread;
	bool running;
	pthread_mutex_t mutex;
	pthread_cond_t end;
	bool ended;
};

/* Starts showing, if standard error is a terminal. A failure only means that nothing is shown. */
void progress_start(struct progress *progress);
/* Ends it and wipes the line. */
void progress_stop(struct progress *progress);
