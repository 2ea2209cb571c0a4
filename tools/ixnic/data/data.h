/* SPDX-License-Identifier: MIT */
/*
 * data: the data path, between the wire and the rings in the client's memory.
 *
 * nic->data is its state. data_work() does a bounded turn of all of it: frames from the wire,
 * packets from the rings with a flush of the wire behind each, then one interrupt for each queue
 * that had something.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     data.c              the turn, the state as a whole
 *       |
 *     transmit.c          descriptors to frames on the wire
 *       |
 *     receive.c           frames from the wire to descriptors written back
 *     transmit_prepare.c  a packet's buffers, tag and checksums
 *     master.c            what is left in the transmitter when DMA is to end
 *       |
 *     rsc.c               large receives: several segments in one packet
 *     filter.c            which frames are for us, and for which queue
 *     tso.c               one big packet cut into frames
 *       |
 *     receive_ring.c      the next descriptor of a receive ring, and its buffer
 *     rsc_merge.c         which segment may follow which, and their common header
 *     fdir.c              the flow director: a queue by filters of flows
 *     rss_hash.c          the Toeplitz hash
 *       |
 *     ring_rules.c        the rules for the registers of rings
 *     descriptor.c        a descriptor in the client's memory
 *     packet_parse.c      where a frame's headers are
 *     checksum.c          Internet checksum, CRC-32, CRC-32c
 */
#pragma once

#include "nic_counters.h"
#include "fdir.h"
#include "master.h"
#include "receive.h"
#include "rsc.h"
#include "rss_hash.h"
#include "transmit.h"

/* Bounds of one turn. */
#define RX_FRAMES_TURN 256u
#define TX_FRAMES_TURN 256u

struct data {
	uint64_t counter[NIC_COUNTER_COUNT];

	/* receive.c */
	struct receive_queue rxq[IXGBE_RXQ_COUNT];
	uint64_t rx_interrupts[IXGBE_RXQ_COUNT / 64]; /* queues to raise at the end of the turn */
	uint32_t fifo_head, fifo_tail, fifo_used;     /* bytes of fifo[] */
	uint8_t *fifo;
	uint64_t rx_off_at_ns;  /* the last frame came while the receiver was off */
	uint32_t rx_off_frames; /* such frames in a row */
	bool rx_hung;           /* until the next reset */
	bool rx_began;          /* RXEN was set since the last reset */

	/* rsc.c */
	uint32_t rsc_open;
	struct rsc_context
		*rsc[RSC_CONTEXTS]; /* the open ones, the oldest first; then the others */
	struct rsc_context rsc_context[RSC_CONTEXTS];

	/* filter.c: derived from registers, rebuilt when they were written */
	bool filter_stale;
	uint32_t addresses;
	uint64_t address[IXGBE_RAL_COUNT]; /* as in RAL and RAH */
	bool five_tuples, ethertypes;      /* any FTQF, any ETQF enabled */
	struct rss_table rss;

	/* fdir.c */
	bool fdir_on, fdir_started; /* started: since the last reset */
	enum fdir_clear fdir_clear;
	struct fdir *fdir;

	/* transmit.c and transmit_prepare.c */
	struct transmit_queue txq[IXGBE_TXQ_COUNT];
	uint64_t tx_pending[IXGBE_TXQ_COUNT / 64]; /* queues whose tail moved */
	uint64_t tx_done[IXGBE_TXQ_COUNT / 64];    /* queues with descriptors to write back */
	uint64_t tx_interrupts[IXGBE_TXQ_COUNT / 64];
	uint32_t tx_next; /* queue to serve next */
	struct transmit_packet tx;
	uint8_t *tx_buffer; /* TX_HEADROOM + TX_PACKET_BYTES */

	struct master_state master; /* master.c */
};

static inline void count(struct nic *nic, enum nic_counter counter)
{
	nic->data->counter[counter]++;
}

static inline void count_add(struct nic *nic, enum nic_counter counter, uint64_t amount)
{
	nic->data->counter[counter] += amount;
}

static inline void bit_set(uint64_t *map, uint32_t bit)
{
	map[bit / 64] |= 1ull << bit % 64;
}

static inline uint32_t rxq_value(const struct nic *nic, enum ixgbe_reg_offset row, uint32_t queue)
{
	return reg(nic, ixgbe_rxq_reg(row, queue));
}

static inline uint32_t txq_value(const struct nic *nic, enum ixgbe_reg_offset row, uint32_t queue)
{
	return reg(nic, ixgbe_txq_reg(row, queue));
}

/* The longest frame that MAXFRS allows, with CRC and without tag. */
static inline uint32_t frame_max(const struct nic *nic)
{
	uint32_t max = FRAME_MAX_STANDARD;

	if (reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_JUMBOEN)
		max = IXGBE_FIELD_GET(IXGBE_MAXFRS_MFS, reg(nic, IXGBE_MAXFRS));
	return max < IXGBE_FRAME_MAX_BYTES ? max : IXGBE_FRAME_MAX_BYTES;
}

int data_new(struct nic *nic);
void data_free(struct nic *nic);
void data_reset(struct nic *nic); /* state beside the registers */
/* One bounded turn of all transmit queues and of the wire; true: there is more. */
bool data_work(struct nic *nic);

typedef void (*counter_fn)(void *ctx, const char *name, uint64_t value);
void data_counters(const struct nic *nic, counter_fn fn, void *ctx);
