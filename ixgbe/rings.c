/* SPDX-License-Identifier: MIT */
/*
 * The registers of queues (sections 4.6.7.1, 4.6.8.1).
 *
 * queues/ has the rings in memory. This file tells the NIC where a ring is, enables and disables
 * queues, and waits until the NIC has done so.
 *
 * The watchdogs are here, too. A NIC that hangs may report no error.
 *
 * Transmit: frames do not come back, and the head stands. rings_transmit_watch() measures for how
 * long. The time begins anew without a link, when the link has changed, and when the partner has
 * sent pause frames: frames may wait then. The least that may cure such a queue is to end it and to
 * start it again (rings_transmit_restart); a reset of the port comes after that.
 *
 * Receive: the packet buffer is full and frames are missed, while the rings have room and get
 * nothing (rings_receive_watch).
 */
#include "parts.h"
#include "queues/dma.h"
#include "queues/pool.h"
#include "queues/queue.h"
#include "wait.h"

#include <errno.h>
#include <string.h>

/* How long a queue may take to start, to send what it has, and to stop. */
#define ENABLE_LIMIT_US  100000u
#define DRAIN_LIMIT_US   10000u
#define DISABLE_LIMIT_US 100000u
/* From the end of a receive queue to the end of its DMA, 4.6.7.1.2. */
#define RX_IDLE_US 100u
/* How long no frame of a queue may come back. Looks are a second apart: a hang is noticed within
 * two. */
#define TX_HANG_US 900000u
/* Looks in a row that find a receiver stuck. */
#define RX_STUCK_LOOKS 2u

/* Section 7.2.3.4: descriptors are fetched ahead when the NIC holds fewer than 32. A write-back
 * threshold of 0 lets each report come at once, not in groups. */
#define TXDCTL_VALUE                                                                               \
	(IXGBE_FIELD_PREP(IXGBE_TXDCTL_PTHRESH, 32) | IXGBE_FIELD_PREP(IXGBE_TXDCTL_HTHRESH, 1) |  \
	 IXGBE_FIELD_PREP(IXGBE_TXDCTL_WTHRESH, 0))

/* ---- Memory ---- */

int rings_new(struct ixgbe *nic)
{
	int err = 0;

	for (uint16_t q = 0; !err && q < nic->options.queues; q++) {
		struct queue_place place = {
			.backend = nic->backend,
			.dma = nic->dma,
			.queue = q,
			.size = nic->options.rx_ring,
			.state = nic->device->state,
			.plain = nic->options.plain_loops,
		};

		err = rxq_new(&place, nic->options.rx_vlan_strip, &nic->rxq[q]);
		place.size = nic->options.tx_ring;
		if (!err)
			err = txq_new(&place, &nic->kept->mtu, &nic->txq[q]);
	}
	return err;
}

void rings_free(struct ixgbe *nic)
{
	for (uint16_t q = 0; q < IXGBE_QUEUES_MAX; q++) {
		txq_free(nic->txq[q]);
		rxq_free(nic->rxq[q]);
	}
}

struct ixgbe_rxq *ixgbe_rxq(struct ixgbe *nic, uint16_t queue)
{
	return queue < nic->options.queues ? nic->rxq[queue] : NULL;
}

struct ixgbe_txq *ixgbe_txq(struct ixgbe *nic, uint16_t queue)
{
	return queue < nic->options.queues ? nic->txq[queue] : NULL;
}

int ixgbe_pool_new(struct ixgbe *nic, uint32_t count, uint32_t size, uint32_t headroom,
		   struct ixgbe_pool **out)
{
	const struct pool_place place = {
		.dma = nic->dma,
		.set = &nic->pools,
		.state = nic->device->state,
		.resumed = nic->resumed.resumed,
	};

	return pool_new(&place, count, size, headroom, out);
}

/* ---- Receive ---- */

/* Section 4.6.7.1, step by step. */
static void rx_program(struct ixgbe *nic, uint16_t q)
{
	const struct queue_ring ring = rxq_ring(nic->rxq[q]);
	uint32_t srrctl;

	/* Head and tail are equal: the ring has no descriptors yet. */
	reg_write(nic, ixgbe_rxq_reg(IXGBE_RDBAL, q), (uint32_t)ring.iova);
	reg_write(nic, ixgbe_rxq_reg(IXGBE_RDBAH, q), (uint32_t)(ring.iova >> 32));
	reg_write(nic, ixgbe_rxq_reg(IXGBE_RDLEN, q), ring.bytes);
	reg_write(nic, ixgbe_rxq_reg(IXGBE_RDH, q), 0);
	reg_write(nic, ixgbe_rxq_reg(IXGBE_RDT, q), 0);

	/* With one queue the packet buffer keeps frames that find no descriptor. With several, a
	 * queue that nobody serves would keep the frames of all the others waiting. */
	srrctl = IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEPACKET, rxq_buf_bytes(nic->rxq[q]) / 1024) |
		 IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE, IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER);
	if (nic->options.queues > 1)
		srrctl |= IXGBE_SRRCTL_DROP_EN;
	reg_write(nic, ixgbe_rxq_reg(IXGBE_SRRCTL, q), srrctl);
	reg_write(nic, ixgbe_rxq_reg(IXGBE_RSCCTL, q), 0);

	/* A reserved bit is 1 after a reset and has to be 0. Without relaxed ordering a
	 * descriptor's write-back cannot overtake the data that it announces (8.2.3.11.1). */
	reg_clear(nic, ixgbe_rxq_reg(IXGBE_DCA_RXCTRL, q),
		  IXGBE_DCA_RXCTRL_RESERVED_ZERO | IXGBE_DCA_RXCTRL_DESC_WB_RO_EN);
}

static int rx_enable(struct ixgbe *nic, uint16_t q, struct ixgbe_pool *pool)
{
	const uint32_t rxdctl = ixgbe_rxq_reg(IXGBE_RXDCTL, q);
	int err = rxq_prepare(nic->rxq[q], pool);

	if (err)
		return err;
	rx_program(nic, q);
	reg_write(nic, rxdctl,
		  IXGBE_RXDCTL_ENABLE | (nic->options.rx_vlan_strip ? IXGBE_RXDCTL_VME : 0));
	err = reg_wait(nic, rxdctl, IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE, ENABLE_LIMIT_US);
	/* 4.6.7.1: the tail must not be written before ENABLE reads as set. */
	if (err)
		rxq_drain(nic->rxq[q]);
	else
		rxq_fill(nic->rxq[q]);
	return err;
}

/* Section 4.6.7.1.2. On failure the buffers are given back all the same: the caller resets the
 * device before they are used. */
static int rx_disable(struct ixgbe *nic, uint16_t q)
{
	const uint32_t rxdctl = ixgbe_rxq_reg(IXGBE_RXDCTL, q);
	int err;

	reg_clear(nic, rxdctl, IXGBE_RXDCTL_ENABLE);
	err = reg_wait(nic, rxdctl, IXGBE_RXDCTL_ENABLE, 0, DISABLE_LIMIT_US);
	wait_us(RX_IDLE_US); /* ENABLE reads as clear while the last writes are on their way */
	rxq_drain(nic->rxq[q]);
	return err;
}

/* Ends the first `count` queues, also those behind one that fails. */
static int rx_stop(struct ixgbe *nic, uint16_t count)
{
	int first = 0;

	while (count > 0) {
		int err = rx_disable(nic, --count);

		first = first ? first : err;
	}
	return first;
}

/* What the rings have had, all together. */
static struct rx_watch received(const struct ixgbe *nic)
{
	struct rx_watch sum = {0};

	for (uint16_t q = 0; q < nic->options.queues; q++) {
		const struct ixgbe_queue_counters *counters = rxq_counters(nic->rxq[q]);

		sum.received += atomic_load_explicit(&counters->packets, memory_order_relaxed);
		sum.hollow += atomic_load_explicit(&counters->hollow, memory_order_relaxed);
	}
	return sum;
}

int rings_receive_start(struct ixgbe *nic, struct ixgbe_pool *const pool[], struct ixgbe_why *why)
{
	nic->rx_watch = received(nic);
	nic->rx_skip = (struct rx_skip){0};
	for (uint16_t q = 0; q < nic->options.queues; q++) {
		int err = rx_enable(nic, q, pool[q]);

		if (!err)
			continue;
		rx_stop(nic, q);
		return ixgbe_why_fill(
			why, err, "receive queue %u did not start: %s; %s", q, strerror(-err),
			err == -EINVAL ? "give it a pool with more buffers than its ring"
				       : "reset the device");
	}
	return 0;
}

int rings_receive_stop(struct ixgbe *nic)
{
	return rx_stop(nic, nic->options.queues);
}

/* ---- Transmit ---- */

/* Section 4.6.8.1, step by step. */
static void tx_program(struct ixgbe *nic, uint16_t q)
{
	const struct queue_ring ring = txq_ring(nic->txq[q]);

	/* Head and tail are equal: there is nothing to send. */
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDBAL, q), (uint32_t)ring.iova);
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDBAH, q), (uint32_t)(ring.iova >> 32));
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDLEN, q), ring.bytes);
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDH, q), 0);
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDT, q), 0);

	/* Reports come in the descriptors, so the NIC does not write its head to memory. Without
	 * relaxed ordering no report overtakes another (8.2.3.11.2). */
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDWBAL, q), 0);
	reg_write(nic, ixgbe_txq_reg(IXGBE_TDWBAH, q), 0);
	reg_clear(nic, ixgbe_txq_reg(IXGBE_DCA_TXCTRL, q), IXGBE_DCA_TXCTRL_DESC_WB_RO_EN);
}

static int tx_enable(struct ixgbe *nic, uint16_t q)
{
	const uint32_t txdctl = ixgbe_txq_reg(IXGBE_TXDCTL, q);

	/* 4.6.8.1: the queue is the NIC's when ENABLE reads as set, no tail before. */
	reg_write(nic, txdctl, TXDCTL_VALUE | IXGBE_TXDCTL_ENABLE);
	return reg_wait(nic, txdctl, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE, ENABLE_LIMIT_US);
}

/* Section 4.6.8.1.2. The NIC drops frames that are unsent at the deadline: without a link they all
 * are. A failure gives the buffers back all the same, as in rx_disable. */
static int tx_disable(struct ixgbe *nic, uint16_t q)
{
	const uint32_t txdctl = ixgbe_txq_reg(IXGBE_TXDCTL, q);
	int err;

	reg_wait(nic, ixgbe_txq_reg(IXGBE_TDH, q), 0xffff, txq_ring(nic->txq[q]).tail,
		 DRAIN_LIMIT_US);
	reg_write(nic, txdctl, TXDCTL_VALUE | IXGBE_TXDCTL_SWFLSH);
	err = reg_wait(nic, txdctl, IXGBE_TXDCTL_ENABLE, 0, DISABLE_LIMIT_US);
	txq_drain(nic->txq[q]);
	return err;
}

static int tx_stop(struct ixgbe *nic, uint16_t count)
{
	int first = 0;

	while (count > 0) {
		int err = tx_disable(nic, --count);

		first = first ? first : err;
	}
	reg_clear(nic, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	return first;
}

int rings_transmit_start(struct ixgbe *nic, struct ixgbe_why *why)
{
	for (uint16_t q = 0; q < nic->options.queues; q++) {
		txq_prepare(nic->txq[q]);
		nic->txq_watch[q] = (struct txq_watch){0};
		tx_program(nic, q);
	}
	/* 4.6.8.1: the transmit path as a whole is enabled before the first queue's ENABLE, and
	 * once for all queues. It enables queue 0 with it (8.2.3.9.10), whose ring has to be there
	 * by now. */
	reg_set(nic, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	for (uint16_t q = 0; q < nic->options.queues; q++) {
		int err = tx_enable(nic, q);

		if (!err)
			continue;
		tx_stop(nic, q);
		return ixgbe_why_fill(why, err,
				      "transmit queue %u did not start: %s; reset the device", q,
				      strerror(-err));
	}
	return 0;
}

int rings_transmit_stop(struct ixgbe *nic)
{
	return tx_stop(nic, nic->options.queues);
}

/* ---- After a driver's death ---- */

/* Looks at a queue for the first time. */
static void watch_begin(struct ixgbe *nic, uint16_t q)
{
	struct txq_watch *watch = &nic->txq_watch[q];

	*watch = (struct txq_watch){0};
	txq_stuck_us(nic->txq[q], watch, 0);
	watch->restarted = nic->kept->tx_restarted >> q & 1;
}

int rings_resume(struct ixgbe *nic, struct ixgbe_pool *const pool[], struct ixgbe_resumed *out)
{
	const uint16_t queues = nic->options.queues;
	uint32_t repeated, forgotten;

	for (uint16_t q = 0; q < queues; q++) {
		int err = rxq_resume(nic->rxq[q], pool[q], &repeated);

		if (!err)
			err = txq_resume(nic->txq[q], &nic->pools, &forgotten);
		if (err)
			return err;
		out->rx_repeated += repeated;
		out->tx_forgotten += forgotten;
	}
	for (struct ixgbe_pool *at = nic->pools.first; at; at = at->next)
		pool_settle(at);
	nic->rx_watch = received(nic);
	for (uint16_t q = 0; q < queues; q++) {
		rxq_tell(nic->rxq[q]);
		txq_tell(nic->txq[q]);
		watch_begin(nic, q);
	}
	return 0;
}

/* ---- The transmit watchdog ---- */

/* Whether frames rightly wait. 0, or -ENODEV. */
static int transmit_may_wait(struct ixgbe *nic, bool *may)
{
	uint64_t changes = stats_link_changes(nic), pauses;
	struct ixgbe_link link;
	int err = ixgbe_link_get(nic, &link);

	if (!err)
		err = stats_pauses(nic, &pauses);
	if (err)
		return err;
	*may = !link.up || changes != nic->link_changes_seen || pauses != nic->pauses_seen;
	nic->link_changes_seen = changes;
	nic->pauses_seen = pauses;
	return 0;
}

static void tell_hang(struct ixgbe *nic, uint16_t q, uint64_t stuck_us)
{
	stats_tx_timeout(nic);
	port_log(nic, IXGBE_LOG_WARNING,
		 "transmit queue %u: no frame was reported sent for %u ms: TDH %u, TDT %u, "
		 "written %u",
		 q, (unsigned int)(stuck_us / 1000), reg_read(nic, ixgbe_txq_reg(IXGBE_TDH, q)),
		 reg_read(nic, ixgbe_txq_reg(IXGBE_TDT, q)), txq_ring(nic->txq[q]).tail);
}

/* How long neither frames have come back nor the head has moved. A slow wire moves the head long
 * before it has sent all that one report is for. */
static uint64_t stuck_us(struct ixgbe *nic, uint16_t q, uint64_t now_us)
{
	struct txq_watch *watch = &nic->txq_watch[q];
	uint64_t us = txq_stuck_us(nic->txq[q], watch, now_us);
	uint32_t head = watch->head;

	if (!watch->restarted)
		nic->kept->tx_restarted &= ~(1u << q);
	if (watch->waited)
		watch->head = reg_read(nic, ixgbe_txq_reg(IXGBE_TDH, q));
	if (watch->head == head || watch->head == UINT32_MAX) /* all ones: the NIC is gone */
		return us;
	watch->since_us = now_us;
	return 0;
}

int rings_transmit_watch(struct ixgbe *nic, uint64_t now_us)
{
	uint64_t stuck[IXGBE_QUEUES_MAX] = {0}, most_us = 0;
	bool may_wait = false;
	int err;

	nic->tx_hung = 0;
	for (uint16_t q = 0; q < nic->options.queues; q++) {
		stuck[q] = stuck_us(nic, q, now_us);
		most_us = stuck[q] > most_us ? stuck[q] : most_us;
	}
	if (most_us == 0)
		return 0;
	err = transmit_may_wait(nic, &may_wait);
	for (uint16_t q = 0; q < nic->options.queues; q++) {
		if (may_wait) {
			nic->txq_watch[q].since_us = now_us;
		} else if (!err && stuck[q] >= TX_HANG_US) {
			nic->tx_hung |= 1u << q;
			tell_hang(nic, q, stuck[q]);
		}
	}
	return err ? err : nic->tx_hung ? -ETIMEDOUT : 0;
}

int rings_transmit_restart(struct ixgbe *nic, uint16_t q)
{
	struct txq_watch *watch = &nic->txq_watch[q];
	int err;

	if (watch->restarted)
		return -EIO;
	intent_begin(nic, INTENT_OTHER);
	err = tx_disable(nic, q);
	txq_prepare(nic->txq[q]);
	nic->kept->tx_restarted |= 1u << q;
	watch_begin(nic, q);
	if (!err) {
		tx_program(nic, q);
		err = tx_enable(nic, q);
	}
	intent_end(nic, INTENT_OTHER);
	return err;
}

/* ---- The receive watchdog ---- */

/* Whether a ring has no descriptor for the NIC: then the driver holds it up. */
static bool any_full(struct ixgbe *nic)
{
	for (uint16_t q = 0; q < nic->options.queues; q++) {
		if (reg_read(nic, ixgbe_rxq_reg(IXGBE_RDH, q)) ==
		    reg_read(nic, ixgbe_rxq_reg(IXGBE_RDT, q)))
			return true;
	}
	return false;
}

/* Looks at one queue. The first look that finds something does not know since when. */
static void skip_look(struct rx_skip *skip, const struct ixgbe_rxq *rxq, uint16_t q)
{
	const uint64_t ended = ixgbe_rx_ended(rxq);
	const uint32_t bit = 1u << q;

	if (ended != skip->ended[q]) {
		skip->ended[q] = ended;
		skip->seen &= ~bit;
		skip->told &= ~bit;
	} else if (!(skip->told & bit) && rxq_skipped(rxq)) {
		skip->now |= skip->seen & bit;
		skip->told |= skip->seen & bit;
		skip->seen |= bit;
	}
}

int rings_receive_watch(struct ixgbe *nic)
{
	struct rx_watch *watch = &nic->rx_watch;
	const struct rx_watch got = received(nic);
	uint32_t missed;
	int err;

	nic->rx_skip.now = 0;
	for (uint16_t q = 0; q < nic->options.queues; q++)
		skip_look(&nic->rx_skip, nic->rxq[q], q);
	if (got.hollow != watch->hollow)
		return -EBADMSG;
	if (got.received != watch->received) {
		*watch = got;
		return 0; /* no register is read as long as frames come */
	}
	err = stats_missed(nic, &missed);
	if (err)
		return err;
	watch->looks = missed && !any_full(nic) ? watch->looks + 1 : 0;
	if (watch->looks < RX_STUCK_LOOKS)
		return 0;
	watch->looks = 0;
	port_log(nic, IXGBE_LOG_WARNING,
		 "%u frames were missed within a second, and the rings got none: RDH %u, RDT %u",
		 missed, reg_read(nic, IXGBE_RDH), reg_read(nic, IXGBE_RDT));
	return -ETIMEDOUT;
}

/* ---- Before a reset ---- */

/* Ends the queue of this RXDCTL or TXDCTL. 1: it was on; 0; or -errno. */
static int leftover_end(struct ixgbe *nic, uint32_t reg, uint32_t enable)
{
	int err;

	if (!(reg_read(nic, reg) & enable))
		return 0;
	reg_clear(nic, reg, enable);
	err = reg_wait(nic, reg, enable, 0, WAIT_LIMIT_US);
	return err ? err : 1;
}

int rings_end_all(struct ixgbe *nic)
{
	int ended = 0, got;

	for (uint32_t q = 0; q < IXGBE_RXQ_COUNT; q++) {
		got = leftover_end(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, q), IXGBE_RXDCTL_ENABLE);
		if (got < 0)
			return got;
		ended += got;
	}
	for (uint32_t q = 0; q < IXGBE_TXQ_COUNT; q++) {
		got = leftover_end(nic, ixgbe_txq_reg(IXGBE_TXDCTL, q), IXGBE_TXDCTL_ENABLE);
		if (got < 0)
			return got;
		ended += got;
	}
	if (ended > 0)
		wait_us(RX_IDLE_US); /* one wait for all of them */
	return 0;
}
