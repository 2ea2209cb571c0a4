/* SPDX-License-Identifier: MIT */
/*
 * An open NIC with all that moves its frames: the port, its pools, the workers, and the process of
 * a software NIC of ours. It can be closed and opened again while the TAP stays; the counts go on.
 */
#pragma once

#include "bridge/frames/counters.h"
#include "bridge/frames/worker.h"
#include "bridge/start/options.h"
#include "ixgbe/ixgbe.h"
#include "patience.h"
#include "soft_nic.h"

/* Descriptors of a ring. A receive burst (128 segments) takes a quarter of them. A transmit burst
 * (64 frames) takes three quarters at most, if all are of 64 KiB: five data descriptors and a
 * context. */
#define ENGINE_RING 512

struct engine {
	const struct options *options;
	struct patience *patience; /* of the control thread, which opens, uses and closes this */
	struct soft_nic soft;
	char soft_wire[OPTIONS_PATH_BYTES + 16], soft_control[OPTIONS_PATH_BYTES];
	struct ixgbe *nic; /* NULL: closed */
	bool started;      /* the rings run */
	struct ixgbe_pool *rx_pool[IXGBE_QUEUES_MAX], *tx_pool[IXGBE_QUEUES_MAX];
	struct worker *worker[IXGBE_QUEUES_MAX];
	int cpu[IXGBE_QUEUES_MAX];   /* -1: not pinned */
	bool coalesce, csum_replace; /* of all workers, see struct worker_config */
	/* The counts of ports and workers that were closed. */
	struct bridge_counters worker_before[IXGBE_QUEUES_MAX];
	size_t stats;
	char **stat_name;
	uint64_t *stat_before;
};

void engine_init(struct engine *engine, const struct options *options, struct patience *patience);

/*
 * Opens the NIC of the options with its pools; receiver and transmitter are off. A software NIC is
 * started in the calling thread's network namespace. A failure undoes all.
 */
int engine_open(struct engine *engine, uint16_t mtu, struct ixgbe_why *why);
/* Starts the rings and a worker for each queue; tap_fd has one descriptor for each. */
int engine_start(struct engine *engine, const int tap_fd[], struct ixgbe_why *why);
/* Without a link the workers drop what the kernel sends. It is up after engine_start. */
void engine_link_set(struct engine *engine, bool up);
/* What the workers do to received frames, those that run and those to come. */
void engine_receive_set(struct engine *engine, bool coalesce, bool csum_replace);
/* Stops the workers, quiesces DMA, resets the NIC, ends a software NIC of ours. Does nothing to an
 * engine that is closed. */
void engine_close(struct engine *engine);
/* engine_close, and forgets the counts. */
void engine_free(struct engine *engine);

void engine_counters(const struct engine *engine, uint16_t queue, struct bridge_counters *out);
/* Read the NIC's counters: all, or the next one. 0 when the NIC is closed. */
int engine_stats_update(struct engine *engine);
int engine_stats_step(struct engine *engine);
uint64_t engine_stat(const struct engine *engine, size_t i);
