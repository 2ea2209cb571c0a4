/* SPDX-License-Identifier: MIT */
#include "puppet_nic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RX_BUF_BYTES 2048u

static void fire(struct puppet *puppet)
{
	const uint64_t one = 1;

	puppet->irq_armed = puppet->irq_pending = false;
	assert_int_equal(write(puppet->fake->eventfd[0], &one, sizeof(one)), sizeof(one));
}

static void cause(struct puppet *puppet)
{
	pthread_mutex_lock(&puppet->irq_lock);
	if (puppet->irq_armed)
		fire(puppet);
	else
		puppet->irq_pending = true;
	pthread_mutex_unlock(&puppet->irq_lock);
}

static void on_write(struct fake *fake, uint32_t offset, uint32_t value)
{
	struct puppet *puppet = fake->ctx;

	fake->log_count = 0;
	if (offset == ixgbe_rxq_reg(IXGBE_RDT, 0)) {
		atomic_store(&puppet->rdt, value);
	} else if (offset == ixgbe_txq_reg(IXGBE_TDT, 0)) {
		atomic_store(&puppet->tdt, value);
	} else if (offset == IXGBE_AT(IVAR, 0)) {
		atomic_store(&puppet->ivar, value);
	} else if (offset == IXGBE_EIMS && (value & 1)) {
		pthread_mutex_lock(&puppet->irq_lock);
		puppet->irq_armed = true;
		if (puppet->irq_pending)
			fire(puppet);
		pthread_mutex_unlock(&puppet->irq_lock);
	}
}

static uint32_t reg(struct puppet *puppet, uint32_t offset)
{
	return puppet->fake->reg[offset / 4];
}

static void *ring_at(struct puppet *puppet, uint32_t low, uint32_t high)
{
	void *ring = fake_dma_at(puppet->fake, reg(puppet, low) | (uint64_t)reg(puppet, high) << 32,
				 puppet->ring * IXGBE_DESC_BYTES);

	assert_non_null(ring);
	return ring;
}

struct puppet *puppet_new(uint16_t ring, uint16_t mtu)
{
	const struct ixgbe_options options = {.rx_ring = ring, .tx_ring = ring, .mtu = mtu};
	struct puppet *puppet = calloc(1, sizeof(*puppet));
	struct ixgbe_why why = {""};
	struct ixgbe_pool_plan plan[WORKER_POOLS];

	assert_non_null(puppet);
	puppet->ring = ring;
	pthread_mutex_init(&puppet->irq_lock, NULL);
	puppet->fake = fake_new();
	puppet->fake->ctx = puppet;
	puppet->fake->on_write = on_write;
	if (fake_open(puppet->fake, &options, &puppet->nic, &why) != 0)
		fail_msg("%s", why.text);
	worker_pools(ring, ring, plan);
	for (enum worker_pool i = 0; i < WORKER_POOLS; i++)
		assert_int_equal(ixgbe_pool_new(puppet->nic, plan[i].count, plan[i].size,
						plan[i].headroom, &puppet->pool[i]),
				 0);
	if (ixgbe_start(puppet->nic, &puppet->pool[WORKER_POOL_RX], &why) != 0)
		fail_msg("%s", why.text);
	puppet->rx = ring_at(puppet, ixgbe_rxq_reg(IXGBE_RDBAL, 0), ixgbe_rxq_reg(IXGBE_RDBAH, 0));
	puppet->tx = ring_at(puppet, ixgbe_txq_reg(IXGBE_TDBAL, 0), ixgbe_txq_reg(IXGBE_TDBAH, 0));
	return puppet;
}

void puppet_free(struct puppet *puppet)
{
	ixgbe_stop(puppet->nic);
	for (enum worker_pool i = 0; i < WORKER_POOLS; i++) {
		assert_int_equal(ixgbe_pool_available(puppet->pool[i]),
				 ixgbe_pool_count(puppet->pool[i]));
		ixgbe_pool_free(puppet->pool[i]);
	}
	ixgbe_close(puppet->nic);
	fake_free(puppet->fake);
	pthread_mutex_destroy(&puppet->irq_lock);
	free(puppet);
}

void puppet_interrupt(struct puppet *puppet)
{
	cause(puppet);
}

uint32_t puppet_rx_room(struct puppet *puppet)
{
	return (atomic_load(&puppet->rdt) + puppet->ring - puppet->rdh) % puppet->ring;
}

void puppet_receive(struct puppet *puppet, const void *frame, uint32_t len, uint32_t info,
		    uint32_t status)
{
	const uint8_t *bytes = frame;

	assert_true(len <= puppet_rx_room(puppet) * RX_BUF_BYTES);
	while (len > 0) {
		union ixgbe_desc *desc = &puppet->rx[puppet->rdh];
		const uint32_t n = len < RX_BUF_BYTES ? len : RX_BUF_BYTES;
		uint32_t last = n == len ? IXGBE_RXD_STAT_EOP | status : 0;

		memcpy(fake_dma_at(puppet->fake, desc->qword[0], n), bytes, n);
		desc->qword[0] = n == len ? info : 0;
		if (desc != puppet->held)
			last |= IXGBE_RXD_STAT_DD;
		__atomic_store_n(&desc->qword[1], (uint64_t)n << 32 | last, __ATOMIC_RELEASE);
		puppet->rdh = (puppet->rdh + 1) % puppet->ring;
		bytes += n;
		len -= n;
	}
}

void puppet_hold(struct puppet *puppet)
{
	puppet->held = &puppet->rx[puppet->rdh];
}

void puppet_release(struct puppet *puppet)
{
	if (puppet->held != &puppet->rx[puppet->rdh])
		__atomic_fetch_or(&puppet->held->qword[1], IXGBE_RXD_STAT_DD, __ATOMIC_RELEASE);
	puppet->held = NULL;
}

static bool tx_empty(struct puppet *puppet)
{
	return puppet->tdh == atomic_load_explicit(&puppet->tdt, memory_order_acquire);
}

/* Done with the descriptor at the head; whether it asked for a report. */
static bool tx_done(struct puppet *puppet)
{
	union ixgbe_desc *desc = &puppet->tx[puppet->tdh];
	const bool report = desc->dword[2] & IXGBE_TXD_RS;

	if (report)
		__atomic_store_n(&desc->qword[1], (uint64_t)IXGBE_TXD_STAT_DD << 32,
				 __ATOMIC_RELEASE);
	puppet->tdh = (puppet->tdh + 1) % puppet->ring;
	puppet->fake->reg[ixgbe_txq_reg(IXGBE_TDH, 0) / 4] = puppet->tdh;
	return report;
}

static void tx_cause(struct puppet *puppet)
{
	if (atomic_load(&puppet->ivar) & 0x8000) /* queue 0, transmit, valid */
		cause(puppet);
}

bool puppet_transmit(struct puppet *puppet, struct puppet_frame *out)
{
	bool report = false, end = false;

	if (tx_empty(puppet))
		return false;
	out->len = 0;
	while (!end) {
		const union ixgbe_desc desc = puppet->tx[puppet->tdh];
		const uint32_t n = IXGBE_FIELD_GET(IXGBE_TXD_DTALEN, desc.dword[2]);

		assert_false(tx_empty(puppet)); /* frames are queued whole */
		if (IXGBE_FIELD_GET(IXGBE_TXD_DTYP, desc.dword[2]) == IXGBE_TXD_DTYP_CTXT) {
			memcpy(puppet->context, desc.qword, sizeof(puppet->context));
			report |= tx_done(puppet);
			continue;
		}
		assert_true(n > 0 && n <= PUPPET_FRAME_MAX - out->len);
		memcpy(out->data + out->len, fake_dma_at(puppet->fake, desc.qword[0], n), n);
		out->len += n;
		out->tso = desc.dword[2] & IXGBE_TXD_TSE;
		out->popts = desc.dword[3] & (IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM);
		end = desc.dword[2] & IXGBE_TXD_EOP;
		report |= tx_done(puppet);
	}
	memcpy(out->context, puppet->context, sizeof(out->context));
	if (report)
		tx_cause(puppet);
	return true;
}

uint32_t puppet_transmit_all(struct puppet *puppet)
{
	uint32_t n = 0;
	bool report = false;

	for (; !tx_empty(puppet); n++)
		report |= tx_done(puppet);
	if (report)
		tx_cause(puppet);
	return n;
}
