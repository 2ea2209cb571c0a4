/* SPDX-License-Identifier: MIT */
/*
 * Moves frames between one queue pair of the NIC and one queue of the TAP, in turns. The worker
 * decides when to turn and when to sleep (worker.c).
 */
#pragma once

#include <stdatomic.h>
#include <sys/uio.h>

#include "coalesce.h"
#include "tap.h"
#include "uring.h"
#include "worker.h"

/* Frames of one transmit burst. */
#define DATAPATH_BURST 64u
/* Segments of one receive burst: nearly three merged frames of 64 KiB, at 1,448 bytes each. */
#define DATAPATH_RX_BURST 128u
/* Transmit buffers. One byte is left behind the longest frame: a read that fills that byte was
 * truncated. */
#define DATAPATH_TX_BYTES      2048u
#define DATAPATH_TX_LONG_BYTES ((TAP_FRAME_MAX + 1 + 63) & ~63u)

/* The files of the ring, by index. */
enum datapath_file { DATAPATH_TAP, DATAPATH_IRQ, DATAPATH_WAKE, DATAPATH_FILES };

/* What a completion is about: the high half of its user data. The low half is an index. */
enum datapath_request {
	REQUEST_WRITE,
	REQUEST_READ,
	REQUEST_CANCEL,
	REQUEST_TAP_READY,
	/* The owner's: they go to datapath.woken. */
	REQUEST_IRQ,
	REQUEST_WAKE,
	REQUESTS
};

/* Memory for a read, out of the NIC's reach: for the vnet header, and for as much of the frame as
 * enum datapath_reads says. The size is an odd number of cache lines: ixgbe/queues/pool.c says
 * why. A page that no frame reaches costs no memory. */
struct datapath_read {
	_Alignas(64) uint8_t unused[4];
	uint8_t vnet[TAP_VNET_HDR_BYTES];
	uint8_t frame[(TAP_FRAME_MAX + 1 + 63) / 64 * 64 + 112];
};
static_assert(sizeof(struct datapath_read) % 128 == 64 &&
		      offsetof(struct datapath_read, frame) ==
			      offsetof(struct datapath_read, vnet) + TAP_VNET_HDR_BYTES,
	      "a read fills both");

/* Where the reads of a turn bring their frames, behind the vnet header: see "To the NIC". */
enum datapath_reads {
	DATAPATH_READS_PRIVATE, /* to private memory */
	DATAPATH_READS_SHORT,   /* to a short buffer, and what is longer to private memory */
	DATAPATH_READS_LONG,    /* to a long buffer */
};

struct datapath {
	struct io_uring ring;
	struct ixgbe_rxq *rxq;
	struct ixgbe_txq *txq;
	struct ixgbe_pool *tx_pool, *tx_long_pool;
	int rw_flags; /* RWF_NOWAIT, if the kernel's TAP knows it */
	void (*woken)(void *ctx, enum datapath_request request, int res);
	void *woken_ctx;
	atomic_bool link_up; /* set by any thread */
	bool tap_gone;       /* the interface was deleted: it is not read any more */
	bool blocked;        /* the NIC's ring is full or the pool empty: the TAP is not read */
	bool tap_empty;      /* at the last look: it is not read before the poll says otherwise */
	bool tap_polled;     /* the poll is posted */
	bool polls_busily;   /* and the TAP is read in each turn */
	bool to_enter;       /* requests wait for a call that are not the poll */

	/* From the NIC to the TAP. */
	uint32_t writes_in_flight;
	uint32_t rx_segs; /* of the burst: their buffers go back when all writes are done */
	atomic_bool coalesce_on, csum_replace; /* set by any thread; see struct worker_config */
	uint32_t rx_iovs;                      /* of the burst, so far */
	struct ixgbe_seg rx_seg[DATAPATH_RX_BURST];
	struct iovec rx_iov[2 * DATAPATH_RX_BURST]; /* for each segment, and each head */
	struct coalesce coalesce;

	/* From the TAP to the NIC. */
	uint32_t reads_in_flight;
	uint32_t read_depth;                             /* reads of the next turn */
	uint32_t reads_posted, reads_filled, read_bytes; /* of this turn */
	struct ixgbe_buf *read_buf[DATAPATH_BURST];      /* NULL: that read is not in flight */
	struct datapath_read *read_private;              /* of each read */
	enum datapath_reads reads;                       /* those of this turn */
	struct iovec read_iov[DATAPATH_BURST][3]; /* vnet header, buffer, and what is longer */
	uint32_t pending_first, pending_count;    /* of tx_seg: frames the ring has not taken yet */
	struct ixgbe_seg tx_seg[DATAPATH_BURST];
	uint64_t tx_handed; /* frames, to the NIC: each is one buffer of its ring */

	struct bridge_counters *counters;
};

/* Makes the io_uring, disabled (see uring_init). `wake_fd` is for the owner's purposes. */
int datapath_init(struct datapath *dp, const struct worker_config *config, int wake_fd,
		  struct ixgbe_why *why);
/* Frees the io_uring; nothing may be in flight. */
void datapath_exit(struct datapath *dp);

/* One burst in each direction, in one system call, or in none if there is nothing to do. Returns
 * whether anything moved. */
bool datapath_turn(struct datapath *dp);
/* Before turns are to see without a call that the TAP has frames, or before a sleep: posts the poll
 * of the TAP, unless reads see to that. datapath_wait submits it, datapath_watch does so itself. */
void datapath_poll_tap(struct datapath *dp);
void datapath_watch(struct datapath *dp);
/* Whether a turn would move something: frames were received, or room has come for a data path that
 * was blocked. Takes back what was sent, and sends what is pending. */
bool datapath_ready(struct datapath *dp);
/* Ends what is in flight, delivers or drops what is pending. If the rings end, too, waits for
 * DATAPATH_REPORT_MS at most until the NIC has reported all that it was handed. */
void datapath_finish(struct datapath *dp, bool rings_end);
#define DATAPATH_REPORT_MS 20

/* For the owner's own requests: takes a submission; says what it is about. */
struct io_uring_sqe *datapath_request(struct datapath *dp);
void datapath_label(struct io_uring_sqe *sqe, enum datapath_request request, uint32_t index);
/* Submits, sleeps until something completes or the time is over (0: no limit), and takes the
 * completions. False: there was none. */
bool datapath_wait(struct datapath *dp, int64_t limit_ns);
