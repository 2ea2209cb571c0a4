/* SPDX-License-Identifier: MIT */
/*
 * frames: the way of a frame between a queue of the TAP and a queue pair of the NIC.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     worker.c      a thread for each queue pair: when it turns, spins and sleeps
 *       |
 *     datapath.c    one turn: a burst in each direction, and its counts
 *       |
 *     coalesce.c    received TCP frames are merged
 *     counters.c    names of what is counted
 *     uring.c       an io_uring and its files
 *     tap.c         the TAP is opened and set
 *       |
 *     tap_features.c  its offloads
 *       |
 *     tap_ethtool.c the TAP's link, as ethtool has it
 *     offload.c     checksums and segmentation: vnet headers to what a segment asks of the NIC,
 *                   and back (ixgbe/queues/tx.c makes the descriptors)
 *
 * worker_start is called when the NIC's rings run, worker_stop before they stop. In between nothing
 * else touches the queue pair, its pools or the TAP's descriptor. Workers share nothing but what
 * libixgbe locks inside: the registers of interrupts, and a server's socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "ixgbe/ixgbe.h"

struct worker;

/* What a worker shows to any thread. Each value is exact; values of one burst may differ in age.
 * The memory may be another process's, too, and outlive this one. */
struct worker_board {
	_Alignas(64) struct bridge_counters counters;
	_Atomic uint32_t idle; /* asleep, waiting for interrupts */
};

/* Frames of up to 2 KiB are sent from TX, others from TX_LONG. */
enum worker_pool { WORKER_POOL_RX, WORKER_POOL_TX, WORKER_POOL_TX_LONG, WORKER_POOLS };
enum worker_poll { WORKER_POLL_ADAPTIVE, WORKER_POLL_BUSY, WORKER_POLL_INTERRUPT };

struct worker_config {
	struct ixgbe *nic;
	uint16_t queue;
	int tap_fd;                     /* stays the caller's */
	struct ixgbe_pool *const *pool; /* WORKER_POOLS of them, as worker_pools says */
	enum worker_poll poll;
	bool coalesce;              /* merge received TCP frames, see coalesce.h */
	bool csum_replace;          /* of single frames too, what offload_rx does */
	bool no_nowait;             /* for tests: as if the TAP did not know RWF_NOWAIT */
	bool link_down;             /* at the start */
	bool resumed;               /* the rings go on from a former process */
	int cpu;                    /* -1: not pinned */
	struct worker_board *board; /* whose counters go on */
};

/* The pools that a worker needs for rings of that many descriptors. */
void worker_pools(uint16_t rx_ring, uint16_t tx_ring, struct ixgbe_pool_plan out[WORKER_POOLS]);

/* The name of its thread, by the queue's number. */
#define WORKER_THREAD "queue-%u"
/* Sets up the io_uring and starts the thread. -ENOSYS and -EPERM: no io_uring. */
int worker_start(const struct worker_config *config, struct worker **out, struct ixgbe_why *why);
/* Stops receiving, delivers or counts the frames that are held, gives back all buffers but those in
 * the NIC's rings, ends the thread. The wait has no limit of its own. It ends with the thread's
 * turn, once the kernel has done the writes to the TAP, none of which waits, and cancelled the
 * rest. The counters are final afterwards. */
void worker_halt(struct worker *worker);
/* The same, for another process that goes on with the rings: the NIC may have frames still. */
void worker_leave(struct worker *worker);
/* Halts the worker, if that is not done yet, and frees it. Takes NULL. */
void worker_stop(struct worker *worker);
/* Any thread. The link is up after start. While it is down, frames from the TAP are dropped and
 * counted: the NIC would keep them until it returns. */
void worker_link_set(struct worker *worker, bool up);
/* Any thread. How many interrupts the NIC has sent to the worker, woken by them or not. */
uint64_t worker_interrupts(const struct worker *worker);
/* Any thread. Both are as in the configuration; they hold from the next burst on. */
void worker_receive_set(struct worker *worker, bool coalesce, bool csum_replace);
