/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * One turn is one burst in each direction and one io_uring_enter:
 *
 *     NIC ring --rx_burst--> writes --+                  +--> buffers back to the pool
 *                                     +--io_uring_enter--+
 *     pool ----- buffers --> reads ---+                  +--> offload --tx_burst--> NIC ring
 *
 * With RWF_NOWAIT the kernel carries out every read and write inside io_uring_enter, or says
 * EAGAIN. Without that flag it keeps the reads that find no frame, even of a non-blocking file. A
 * turn begins a direction anew only when nothing of it is in flight.
 *
 * A TAP that was found empty is not read until its poll says that it is not: turns that have
 * nothing to do make no system call, and those that have received frames make none for the other
 * direction. The kernel raises a flag in the ring's memory when the poll has fired
 * (uring_has_news). The reads then go out with the call that brings the poll's completion. They
 * take the frames first, so the poll finds the TAP empty again and stays: a frame costs one call. A
 * worker that polls busily reads in each turn: it has the processor for it, and the frame a little
 * sooner.
 *
 * To the TAP. The vnet header and a frame's first bytes stand in memory that the NIC cannot write
 * (coalesce.c). A frame of one buffer is copied there whole, and is one write: the copy costs no
 * more than a list of two pieces, which the kernel has to fetch and walk. A frame of several
 * buffers is one gathered write of its head and the rest in the NIC's buffers, and so are frames
 * that were merged. The kernel copies them: the buffers are free when the write is complete.
 *
 * To the NIC. Each read takes one frame, which may be of 64 KiB: the kernel cuts off what has no
 * room. Buffers of that size for all frames that the NIC may have would be 20 MiB a queue. So there
 * are many short buffers and a few long ones, and the frames of the turn before tell what the next
 * ones will be like:
 *
 *     average            a frame is read into               and copied
 *     -----------------  ---------------------------------  ----------------------------------
 *     < SCATTER_BYTES    private memory                     to a short buffer, or to a long one
 *     up to a short one  a short buffer, its rest into      if it has a rest: both to a long one
 *                        private memory
 *     more               a long buffer                      not at all
 *
 * The vnet header always goes to private memory, which the NIC cannot write. A copy of a small
 * frame costs less than a list of pieces. A read is posted only if there is a long buffer for it,
 * too, whatever it brings.
 *
 * The number of reads in a turn follows the turn before. If some found no frame, the number is one
 * more than there were frames: a read that finds none costs about a third of a frame. If all found
 * one, the bytes decide: the number doubles below READ_BYTES_MAX / 2, and is halved above
 * READ_BYTES_MAX.
 *
 * Kernels such as 6.1 have a TAP that does not know RWF_NOWAIT. Reads that find a frame complete
 * inside io_uring_enter there too; each of the others waits with a poll of its own. A frame wakes
 * all of them, and one that was woken 128 times for nothing gets a kernel thread. So all but one
 * are cancelled at once. The one that is left wakes the worker, with a frame read already; until
 * then no more reads are posted.
 *
 * Backpressure. Frames that the NIC's ring does not take stay pending. While any are pending, or no
 * transmit buffer is left, the TAP is not read (`blocked`): the kernel's queue holds the frames,
 * and the senders wait. Without a link frames are dropped: they would be stale when it returns.
 *
 * A frame is delivered when the NIC has reported it sent: a NIC may take frames and do nothing. As
 * each frame is one buffer, what was handed over and is not in the ring any more was sent.
 */
#include "datapath.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ixgbe/tables/guard.h"
#include "bridge/service/clock.h"
#include "offload.h"
#include "tap.h"

#define BURST DATAPATH_BURST
/* Requests of both directions, and those that wake the worker. */
#define RING_ENTRIES (DATAPATH_RX_BURST + BURST + 16)
/* A turn of more bytes is followed by a smaller one: its frames are to be in the cache still when
 * the NIC reads them. */
#define READ_BYTES_MAX (512u << 10)

static_assert(DATAPATH_RX_BURST <= COALESCE_SEGS, "a burst fits");

#define REPORT_POLL_US 100

#define SCATTER_BYTES 256u

/* Never fails: RING_ENTRIES are more than are ever in flight. */
struct io_uring_sqe *datapath_request(struct datapath *dp)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&dp->ring);

	assert(sqe);
	return sqe;
}

void datapath_label(struct io_uring_sqe *sqe, enum datapath_request request, uint32_t index)
{
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data64(sqe, (uint64_t)request << 32 | index);
}

/* ---- To the TAP ---- */

/* Writes the vnet header of a frame, alone or merged, and makes its headers fit. */
static void rx_prepare(struct datapath *dp, const struct coalesce_write *w,
		       struct coalesce_head *head)
{
	const uint32_t flags = dp->rx_seg[w->last].flags;
	struct bridge_counters *counters = dp->counters;

	if (w->frames > 1) {
		coalesce_headers(w, head);
		bridge_count(&counters->rx_csum_verified, w->frames);
		bridge_count(&counters->rx_coalesced, w->frames - 1u);
		return;
	}
	if (flags & (IXGBE_RX_L4_BAD | IXGBE_RX_IP_BAD))
		bridge_count(&counters->rx_csum_bad, 1);
	if (flags & IXGBE_RX_L4_GOOD)
		bridge_count(&counters->rx_csum_verified, 1);
	if (atomic_load_explicit(&dp->csum_replace, memory_order_relaxed))
		offload_rx(head->vnet, head->frame, w->head_bytes, w->bytes, flags, &w->headers);
	else
		memset(head->vnet, 0, TAP_VNET_HDR_BYTES);
}

static void rx_write(struct datapath *dp, uint32_t index)
{
	const struct coalesce_write *w = &dp->coalesce.write[index];
	struct iovec *iov = &dp->rx_iov[dp->rx_iovs];
	struct io_uring_sqe *sqe = datapath_request(dp);
	uint32_t pieces;

	rx_prepare(dp, w, &dp->coalesce.head[index]);
	pieces = coalesce_iov(&dp->coalesce, index, iov);
	if (pieces == 1) {
		io_uring_prep_write(sqe, DATAPATH_TAP, iov->iov_base, (uint32_t)iov->iov_len, 0);
	} else {
		dp->rx_iovs += pieces;
		io_uring_prep_writev(sqe, DATAPATH_TAP, iov, pieces, 0);
	}
	sqe->rw_flags = dp->rw_flags;
	datapath_label(sqe, REQUEST_WRITE, index);
	dp->to_enter = true;
	dp->writes_in_flight++;
}

/* Takes a burst from the NIC and posts its writes; returns how many segments came. */
static uint32_t rx_post(struct datapath *dp)
{
	struct coalesce *coalesce = &dp->coalesce;
	uint32_t got, at, end, frames = 0;

	if (dp->writes_in_flight > 0)
		return 0;
	got = ixgbe_rx_burst(dp->rxq, dp->rx_seg, DATAPATH_RX_BURST);
	coalesce_begin(coalesce, dp->rx_seg,
		       atomic_load_explicit(&dp->coalesce_on, memory_order_relaxed));
	for (at = 0; at < got; at = end) {
		uint32_t bytes = 0;

		end = at;
		do
			bytes += dp->rx_seg[end].len;
		while (!(dp->rx_seg[end++].flags & IXGBE_SEG_EOP));
		frames++;
		/* The kernel wants a whole Ethernet header. */
		if (bytes < OFFLOAD_ETH_BYTES) {
			bridge_count(&dp->counters->rx_drop_runt, 1);
			continue;
		}
		coalesce_add(coalesce, at, end - at, bytes);
	}
	dp->rx_segs = got;
	dp->rx_iovs = 0;
	for (uint32_t i = 0; i < coalesce->writes; i++)
		rx_write(dp, i);
	if (coalesce->writes == 0)
		ixgbe_bufs_put(dp->rx_seg, got);
	bridge_count(&dp->counters->rx_received, frames);
	return got;
}

static void rx_done(struct datapath *dp, uint32_t index, int res)
{
	const struct coalesce_write *w = &dp->coalesce.write[index];
	struct bridge_counters *counters = dp->counters;

	if (res == (int)(w->bytes + TAP_VNET_HDR_BYTES)) {
		bridge_count(&counters->rx_delivered, w->frames);
		bridge_count(&counters->rx_bytes, w->wire_bytes);
	} else if (res == -EIO || res == -EBADFD) { /* down, or deleted */
		bridge_count(&counters->rx_drop_tap_down, w->frames);
	} else {
		bridge_count(&counters->rx_drop_tap_rejected, w->frames);
	}
	if (--dp->writes_in_flight == 0)
		ixgbe_bufs_put(dp->rx_seg, dp->rx_segs);
}

/* ---- To the NIC ---- */

/* Takes back what the NIC has sent, and counts it. */
static void tx_reclaim(struct datapath *dp)
{
	uint64_t *delivered = &dp->counters->tx_delivered;

	ixgbe_tx_reclaim(dp->txq);
	bridge_count(delivered, dp->tx_handed - ixgbe_tx_in_flight(dp->txq) - *delivered);
}

/* Stops or resumes reading the TAP, and counts each stop. */
static void block(struct datapath *dp, bool blocked)
{
	if (blocked && !dp->blocked)
		bridge_count(&dp->counters->tx_ring_full, 1);
	dp->blocked = blocked;
}

/* The counter of each verdict, as an offset; SIZE_MAX: none. */
static const size_t tx_counter[OFFLOAD_TX_VERDICTS] = {
	[OFFLOAD_TX_PLAIN] = SIZE_MAX,
	[OFFLOAD_TX_CSUM] = offsetof(struct bridge_counters, tx_csum_offload),
	[OFFLOAD_TX_TSO] = offsetof(struct bridge_counters, tx_tso),
	[OFFLOAD_TX_CSUM_SOFTWARE] = offsetof(struct bridge_counters, tx_csum_software),
	[OFFLOAD_TX_DROP_SHORT] = offsetof(struct bridge_counters, tx_drop_short),
	[OFFLOAD_TX_DROP_TRUNCATED] = offsetof(struct bridge_counters, tx_drop_truncated),
	[OFFLOAD_TX_DROP_BAD_VNET_HEADER] =
		offsetof(struct bridge_counters, tx_drop_bad_vnet_header),
	[OFFLOAD_TX_DROP_UNSUPPORTED_GSO] =
		offsetof(struct bridge_counters, tx_drop_unsupported_gso),
};

/* A frame of `len` bytes that read number `index` has brought, whole in one buffer: in `buf`, or in
 * a long one in its place. */
static struct ixgbe_buf *tx_gather(struct datapath *dp, uint32_t index, struct ixgbe_buf *buf,
				   uint32_t len)
{
	const uint8_t *private = dp->read_private[index].frame;
	struct ixgbe_buf *to = buf;
	uint32_t there = 0; /* of the frame, at the beginning of `buf` */

	if (dp->reads == DATAPATH_READS_LONG)
		return buf;
	if (dp->reads == DATAPATH_READS_SHORT)
		there = len < DATAPATH_TX_BYTES ? len : DATAPATH_TX_BYTES;
	if (len > DATAPATH_TX_BYTES) {
		to = ixgbe_buf_get(dp->tx_long_pool);
		IXGBE_GUARD(to); /* tx_room() */
		memcpy(to->data, buf->data, there);
		ixgbe_buf_put(buf);
	}
	memcpy(to->data + there, private, len - there);
	return to;
}

/* Read number `index` has brought `len` bytes, a frame with its header: it is pending, or dropped.
 */
static void tx_accept(struct datapath *dp, uint32_t index, struct ixgbe_buf *buf, uint32_t len)
{
	const struct datapath_read *from = &dp->read_private[index];
	struct ixgbe_seg *seg = &dp->tx_seg[dp->pending_first + dp->pending_count];
	enum offload_tx verdict = OFFLOAD_TX_DROP_SHORT;

	bridge_count(&dp->counters->tx_received, 1);
	if (len >= TAP_VNET_HDR_BYTES) {
		len -= TAP_VNET_HDR_BYTES;
		buf = tx_gather(dp, index, buf, len);
		verdict = offload_tx(from->vnet, buf->data, len, seg);
	}
	if (tx_counter[verdict] != SIZE_MAX)
		bridge_count((uint64_t *)((char *)dp->counters + tx_counter[verdict]), 1);
	if (verdict >= OFFLOAD_TX_DROP_SHORT) {
		ixgbe_buf_put(buf);
		return;
	}
	seg->buf = buf;
	seg->offset = 0;
	seg->len = len;
	seg->flags |= IXGBE_SEG_EOP;
	dp->pending_count++;
	dp->read_bytes += len;
}

static void tx_done(struct datapath *dp, uint32_t index, int res)
{
	struct ixgbe_buf *buf = dp->read_buf[index];

	dp->read_buf[index] = NULL;
	dp->reads_in_flight--;
	if (res >= 0) {
		dp->reads_filled++;
		tx_accept(dp, index, buf, (uint32_t)res);
		return;
	}
	ixgbe_buf_put(buf);
	/* Any other error is about the TAP: the interface was deleted (EBADFD). */
	if (res != -EAGAIN && res != -EINTR && res != -ENOMEM && res != -ECANCELED)
		dp->tap_gone = true;
}

/* Takes back the reads in flight, but the first `keep` of them. */
static void tx_cancel(struct datapath *dp, uint32_t keep)
{
	for (uint32_t i = 0; i < DATAPATH_BURST; i++) {
		struct io_uring_sqe *sqe;

		if (!dp->read_buf[i] || (keep > 0 && keep--))
			continue;
		sqe = datapath_request(dp);
		io_uring_prep_cancel64(sqe, (uint64_t)REQUEST_READ << 32 | i, 0);
		datapath_label(sqe, REQUEST_CANCEL, 0);
		dp->to_enter = true;
	}
}

void datapath_poll_tap(struct datapath *dp)
{
	struct io_uring_sqe *sqe;

	if (dp->tap_polled || dp->tap_gone || dp->blocked || dp->reads_in_flight > 0)
		return;
	sqe = datapath_request(dp);
	io_uring_prep_poll_add(sqe, DATAPATH_TAP, POLLIN);
	datapath_label(sqe, REQUEST_TAP_READY, 0);
	dp->tap_polled = true;
}

void datapath_watch(struct datapath *dp)
{
	datapath_poll_tap(dp);
	if (io_uring_sq_ready(&dp->ring) > 0)
		io_uring_submit(&dp->ring);
}

static void tap_polled(struct datapath *dp, int res)
{
	dp->tap_polled = dp->tap_empty = false;
	/* What comes after a pause may be of another size. */
	if (dp->read_depth > READ_BYTES_MAX / TAP_FRAME_MAX)
		dp->read_depth = READ_BYTES_MAX / TAP_FRAME_MAX;
	/* POLLERR: the interface was deleted. Another poll would end at once, for ever. */
	if (res > 0 && (res & (POLLERR | POLLHUP)))
		dp->tap_gone = true;
}

/* How many frames there are buffers for. */
static uint32_t tx_room(const struct datapath *dp)
{
	const uint32_t any = ixgbe_pool_available(dp->tx_pool);
	const uint32_t longest = ixgbe_pool_available(dp->tx_long_pool);

	return any < longest ? any : longest;
}

/* After a turn that brought frames. */
static enum datapath_reads reads_for(uint32_t bytes, uint32_t frames)
{
	return bytes < frames * SCATTER_BYTES        ? DATAPATH_READS_PRIVATE
	       : bytes <= frames * DATAPATH_TX_BYTES ? DATAPATH_READS_SHORT
						     : DATAPATH_READS_LONG;
}

static void tx_read(struct datapath *dp, uint32_t index)
{
	struct ixgbe_pool *pool = dp->reads == DATAPATH_READS_LONG ? dp->tx_long_pool : dp->tx_pool;
	struct io_uring_sqe *sqe = datapath_request(dp);
	struct ixgbe_buf *buf = ixgbe_buf_get(pool);
	struct iovec *iov = dp->read_iov[index];

	dp->read_buf[index] = buf;
	if (dp->reads == DATAPATH_READS_PRIVATE) {
		io_uring_prep_read(sqe, DATAPATH_TAP, dp->read_private[index].vnet,
				   TAP_VNET_HDR_BYTES + TAP_FRAME_MAX + 1, 0);
	} else {
		const bool whole = dp->reads == DATAPATH_READS_LONG;

		iov[1] = (struct iovec){buf->data, whole ? TAP_FRAME_MAX + 1 : DATAPATH_TX_BYTES};
		io_uring_prep_readv(sqe, DATAPATH_TAP, iov, whole ? 2 : 3, 0);
	}
	sqe->rw_flags = dp->rw_flags;
	datapath_label(sqe, REQUEST_READ, index);
	dp->to_enter = true;
}

/* Posts the reads of a turn, if no frame is pending and no read is in flight. */
static void tx_post(struct datapath *dp)
{
	uint32_t depth, room;

	/* Buffers sent last are still in the cache: they are used first. */
	tx_reclaim(dp);
	if (dp->pending_count > 0 || dp->tap_gone)
		return;
	if (dp->reads_in_flight > 0) {
		block(dp, false);
		return;
	}
	room = tx_room(dp);
	depth = dp->read_depth < room ? dp->read_depth : room;
	block(dp, depth == 0);
	if (dp->tap_empty) {
		const bool watched = dp->tap_polled;

		/* It goes out with the next call, whatever that is for. */
		datapath_poll_tap(dp);
		if (!watched || !uring_has_news(&dp->ring))
			return;
	}
	dp->reads_in_flight = dp->reads_posted = depth;
	if (dp->reads_filled > 0)
		dp->reads = reads_for(dp->read_bytes, dp->reads_filled);
	dp->reads_filled = dp->read_bytes = 0;
	dp->pending_first = 0;
	for (uint32_t i = 0; i < depth; i++)
		tx_read(dp, i);
}

/* After a turn. A read that a frame has just woken is not found by its cancel, and waits again: so
 * each turn looks. */
static void tx_depth_adapt(struct datapath *dp)
{
	if (dp->reads_in_flight > 1)
		tx_cancel(dp, 1);
	if (dp->reads_posted == 0)
		return;
	dp->tap_empty = !dp->polls_busily && dp->rw_flags && dp->reads_filled < dp->reads_posted;
	if (dp->reads_filled < dp->reads_posted)
		dp->read_depth = dp->reads_filled + 1;
	else if (dp->read_bytes < READ_BYTES_MAX / 2)
		dp->read_depth = 2 * dp->reads_posted < BURST ? 2 * dp->reads_posted : BURST;
	else if (dp->read_bytes > READ_BYTES_MAX && dp->read_depth > 1)
		dp->read_depth /= 2;
	dp->reads_posted = 0;
}

/* Drops `n` pending frames from the first on. */
static void tx_drop(struct datapath *dp, uint32_t n, uint64_t *counter)
{
	for (; n > 0; n--) {
		ixgbe_buf_put(dp->tx_seg[dp->pending_first++].buf);
		dp->pending_count--;
		bridge_count(counter, 1);
	}
}

/* Hands pending frames to the NIC; returns how many are pending no more. */
static uint32_t tx_send(struct datapath *dp)
{
	struct bridge_counters *counters = dp->counters;
	const uint32_t before = dp->pending_count;

	if (!atomic_load_explicit(&dp->link_up, memory_order_relaxed))
		tx_drop(dp, dp->pending_count, &counters->tx_drop_link_down);
	while (dp->pending_count > 0) {
		struct ixgbe_seg *seg = &dp->tx_seg[dp->pending_first];
		int stopped;
		uint32_t n = ixgbe_tx_burst(dp->txq, seg, dp->pending_count, &stopped);
		uint64_t bytes = 0;

		for (uint32_t i = 0; i < n; i++)
			bytes += seg[i].len;
		dp->tx_handed += n;
		bridge_count(&counters->tx_bytes, bytes);
		dp->pending_first += n;
		dp->pending_count -= n;
		if (stopped == 0)
			break;
		if (stopped == -EAGAIN) {
			block(dp, true);
			break;
		}
		tx_drop(dp, 1,
			stopped == -EMSGSIZE ? &counters->tx_drop_oversize
					     : &counters->tx_drop_rejected);
	}
	return before - dp->pending_count;
}

/* ---- Turns ---- */

static uint32_t reap(struct datapath *dp)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&dp->ring, head, cqe)
	{
		const enum datapath_request request = (enum datapath_request)(cqe->user_data >> 32);
		const uint32_t index = (uint32_t)cqe->user_data;

		if (request == REQUEST_WRITE)
			rx_done(dp, index, cqe->res);
		else if (request == REQUEST_READ)
			tx_done(dp, index, cqe->res);
		else if (request == REQUEST_TAP_READY)
			tap_polled(dp, cqe->res);
		else if (request != REQUEST_CANCEL)
			dp->woken(dp->woken_ctx, request, cqe->res);
		n++;
	}
	io_uring_cq_advance(&dp->ring, n);
	return n;
}

bool datapath_turn(struct datapath *dp)
{
	const uint64_t received = dp->counters->tx_received;
	uint32_t moved = rx_post(dp);

	tx_post(dp);
	if (dp->to_enter || uring_has_news(&dp->ring)) {
		dp->to_enter = false;
		io_uring_submit_and_get_events(&dp->ring);
		reap(dp);
		bridge_count(&dp->counters->turns, 1);
	}
	moved += (uint32_t)(dp->counters->tx_received - received);
	tx_depth_adapt(dp);
	if (dp->pending_count > 0)
		moved += tx_send(dp);
	return moved > 0;
}

bool datapath_ready(struct datapath *dp)
{
	tx_reclaim(dp);
	if (dp->writes_in_flight == 0 && ixgbe_rx_pending(dp->rxq))
		return true;
	if (!dp->blocked)
		return false;
	if (dp->pending_count > 0)
		return tx_send(dp) > 0;
	return !dp->tap_gone && tx_room(dp) > 0;
}

bool datapath_wait(struct datapath *dp, int64_t limit_ns)
{
	struct __kernel_timespec limit = {limit_ns / 1000000000, limit_ns % 1000000000};
	struct io_uring_cqe *cqe;

	dp->to_enter = false;
	if (limit_ns > 0)
		io_uring_submit_and_wait_timeout(&dp->ring, &cqe, 1, &limit, NULL);
	else
		io_uring_submit_and_wait(&dp->ring, 1);
	return reap(dp) > 0;
}

/* Waits until the NIC has reported all that it was handed, and counts what it has not. */
static void tx_settle(struct datapath *dp)
{
	const int64_t end_ns = clock_ns() + DATAPATH_REPORT_MS * INT64_C(1000000);

	tx_reclaim(dp);
	while (ixgbe_tx_in_flight(dp->txq) > 0 && clock_ns() < end_ns &&
	       atomic_load_explicit(&dp->link_up, memory_order_relaxed)) {
		usleep(REPORT_POLL_US);
		tx_reclaim(dp);
	}
	bridge_count(&dp->counters->tx_drop_unreported, ixgbe_tx_in_flight(dp->txq));
}

void datapath_finish(struct datapath *dp, bool rings_end)
{
	/* Each turn posts all that it received as writes: with the writes done none is left. */
	while (dp->writes_in_flight > 0 || dp->reads_in_flight > 0 || dp->tap_polled) {
		tx_cancel(dp, 0);
		if (dp->tap_polled) {
			struct io_uring_sqe *sqe = datapath_request(dp);

			io_uring_prep_cancel64(sqe, (uint64_t)REQUEST_TAP_READY << 32, 0);
			datapath_label(sqe, REQUEST_CANCEL, 0);
		}
		datapath_wait(dp, 0);
	}
	tx_send(dp);
	tx_drop(dp, dp->pending_count, &dp->counters->tx_drop_stopped);
	if (rings_end) {
		tx_settle(dp);
	} else { /* what is delivered nobody takes or counts again */
		tx_reclaim(dp);
		(void)ixgbe_rx_burst(dp->rxq, NULL, 0);
	}
}

/* ---- Life ---- */

/* Tries a write that is too short for any frame: EINVAL means that the flag is known. */
static bool nowait_known(int tap_fd)
{
	uint8_t byte = 0;
	const struct iovec iov = {&byte, sizeof(byte)};

	return pwritev2(tap_fd, &iov, 1, -1, RWF_NOWAIT) >= 0 || errno != EOPNOTSUPP;
}

#define ADD(name, text) +counters->name

/* A former process may have died within a turn. What it had received and not delivered is lost, but
 * for frames that are in the NIC's transmit ring still, and those that it had taken from a NIC that
 * runs on: they come again, and are counted again. */
static void counters_settle(struct datapath *dp, bool resumed)
{
	struct bridge_counters *counters = dp->counters;
	const uint64_t rx = counters->rx_delivered BRIDGE_RX_DROPS(ADD);
	const uint64_t tx =
		counters->tx_delivered + ixgbe_tx_in_flight(dp->txq) BRIDGE_TX_DROPS(ADD);

	if (!resumed && counters->rx_received > rx)
		bridge_count(&counters->rx_drop_driver_died, counters->rx_received - rx);
	else
		counters->rx_received = rx;
	if (counters->tx_received > tx)
		bridge_count(&counters->tx_drop_driver_died, counters->tx_received - tx);
	else
		counters->tx_received = tx;
	dp->tx_handed = counters->tx_delivered + ixgbe_tx_in_flight(dp->txq);
}

int datapath_init(struct datapath *dp, const struct worker_config *config, int wake_fd,
		  struct ixgbe_why *why)
{
	const int fds[DATAPATH_FILES] = {
		[DATAPATH_TAP] = config->tap_fd,
		[DATAPATH_IRQ] = ixgbe_irq_fd(config->nic, config->queue),
		[DATAPATH_WAKE] = wake_fd,
	};
	int err;

	/* A TAP that blocks would hold the other direction up. */
	if (!(fcntl(config->tap_fd, F_GETFL) & O_NONBLOCK))
		return ixgbe_why_fill(why, -EINVAL, "the TAP's descriptor %d is not non-blocking",
				      config->tap_fd);
	memset(dp, 0, sizeof(*dp));
	dp->read_private = aligned_alloc(64, BURST * sizeof(struct datapath_read));
	if (!dp->read_private)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	dp->rw_flags = !config->no_nowait && nowait_known(config->tap_fd) ? RWF_NOWAIT : 0;
	dp->rxq = ixgbe_rxq(config->nic, config->queue);
	dp->txq = ixgbe_txq(config->nic, config->queue);
	dp->tx_pool = config->pool[WORKER_POOL_TX];
	dp->tx_long_pool = config->pool[WORKER_POOL_TX_LONG];
	dp->counters = &config->board->counters;
	counters_settle(dp, config->resumed);
	atomic_init(&dp->coalesce_on, config->coalesce);
	atomic_init(&dp->csum_replace, config->csum_replace);
	dp->polls_busily = config->poll == WORKER_POLL_BUSY;
	dp->read_depth = 1;
	for (uint32_t i = 0; i < BURST; i++) {
		dp->read_iov[i][0] = (struct iovec){dp->read_private[i].vnet, TAP_VNET_HDR_BYTES};
		dp->read_iov[i][2] = (struct iovec){dp->read_private[i].frame,
						    TAP_FRAME_MAX + 1 - DATAPATH_TX_BYTES};
	}
	atomic_init(&dp->link_up, !config->link_down);
	err = uring_init(&dp->ring, RING_ENTRIES, fds, DATAPATH_FILES, why);
	if (err)
		free(dp->read_private);
	return err;
}

void datapath_exit(struct datapath *dp)
{
	IXGBE_GUARD(dp->writes_in_flight == 0 && dp->reads_in_flight == 0 &&
		    dp->pending_count == 0);
	io_uring_queue_exit(&dp->ring);
	free(dp->read_private);
}
