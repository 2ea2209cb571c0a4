/* SPDX-License-Identifier: MIT */
/*
 * The NIC with everything that moves its frames: the software NIC's process if it is ours, the
 * port, the pools and the workers. It can be closed and opened again under a TAP that stays; counts
 * go on from where they were.
 */
#pragma once

#include "bridge/frames/counters.h"
#include "ixgbe/ixgbe.h"
#include "bridge/start/options.h"
#include "soft_nic.h"
#include "bridge/frames/worker.h"

struct engine {
	const struct options *options;
	struct soft_nic soft;
	char soft_wire[OPTIONS_PATH_BYTES + 16], soft_control[OPTIONS_PATH_BYTES];
	struct ixgbe *nic; /* NULL: closed */
	bool started;      /* the rings run */
	struct ixgbe_pool *rx_pool[IXGBE_QUEUES_MAX], *tx_pool[IXGBE_QUEUES_MAX];
	struct worker *worker[IXGBE_QUEUES_MAX];
	int cpu[IXGBE_QUEUES_MAX]; /* -1: not pinned */
	/* What ports and workers that are closed had counted. */
	struct bridge_counters worker_before[IXGBE_QUEUES_MAX];
	size_t stats;
	char **stat_name;
	uint64_t *stat_before;
};

void engine_init(struct engine *engine, const struct options *options);

/*
 * Opens the NIC of the options (a software NIC is started in the namespace netns_fd) with its
 * pools; receiver and transmitter are off. What fails undoes all.
 */
int engine_open(struct engine *engine, int netns_fd, uint16_t mtu, struct ixgbe_why *why);
/* Starts the rings and a worker for each queue; tap_fd has one descriptor for each. */
int engine_start(struct engine *engine, const int tap_fd[], struct ixgbe_why *why);
/* Tells the workers: without a link they drop what the kernel sends. Up after engine_start. */
void engine_link_set(struct engine *engine, bool up);
/* Stops the workers, quiesces DMA, resets the NIC, ends a software NIC of ours. Takes a closed one.
 */
void engine_close(struct engine *engine);
/* engine_close, and forgets the counts. */
void engine_free(struct engine *engine);

void engine_counters(const struct engine *engine, uint16_t queue, struct bridge_counters *out);
/* Read the NIC's counters, all or the next; 0 when it is closed. */
int engine_stats_update(struct engine *engine);
int engine_stats_step(struct engine *engine);
uint64_t engine_stat(const struct engine *engine, size_t i);
