/* SPDX-License-Identifier: MIT */
/*
 * One worker: a thread that moves frames between one queue pair of the NIC and one
 * queue of the TAP, pinned to one processor, sharing nothing.
 *
 * worker_start is called when the NIC's rings run; worker_stop before they stop.
 * In between nothing else touches the queue pair, its pools or the TAP descriptor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "ixgbe/ixgbe.h"

struct worker;

enum worker_poll { WORKER_POLL_ADAPTIVE, WORKER_POLL_BUSY, WORKER_POLL_INTERRUPT };

struct worker_config {
	struct ixgbe *nic;
	uint16_t queue;
	int tap_fd;                 /* stays the caller's */
	struct ixgbe_pool *rx_pool; /* headroom 64 */
	struct ixgbe_pool *tx_pool; /* buffers that hold a vnet header and TAP_FRAME_MAX */
	enum worker_poll poll;
	bool coalesce;  /* merge received TCP frames, see coalesce.h */
	bool no_nowait; /* as if the TAP did not know RWF_NOWAIT, for tests */
	int cpu;        /* -1: not pinned */
	ixgbe_log_fn log;
	void *log_ctx;
};

/* Sizes of the pools a worker needs for rings of that many descriptors. */
struct worker_pools {
	uint32_t rx_count, rx_size, rx_headroom;
	uint32_t tx_count, tx_size;
};
void worker_pools(uint16_t rx_ring, uint16_t tx_ring, struct worker_pools *out);

/* Sets up the io_uring and starts the thread. -ENOSYS and -EPERM: no io_uring. */
int worker_start(const struct worker_config *config, struct worker **out, struct ixgbe_why *why);
/* Stops receiving, delivers or counts what it holds, gives back all buffers but those in the
 * NIC's rings, ends the thread. Within 1 s. The counters are final afterwards. */
void worker_halt(struct worker *worker);
/* Halts the worker, if that is not done yet, and frees it. Takes NULL. */
void worker_stop(struct worker *worker);
/* Any thread, any time; each value is exact, the set is a snapshot within a burst. */
void worker_counters(const struct worker *worker, struct bridge_counters *out);
/* Any thread. Up after start; while down, frames from the TAP are dropped and counted: the
 * NIC would keep them until the link returns. */
void worker_link_set(struct worker *worker, bool up);
bool worker_idle(const struct worker *worker); /* asleep, waiting for interrupts */
