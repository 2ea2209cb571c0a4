/* SPDX-License-Identifier: MIT */
/* The turns of the data path, and its state as a whole. */
#include "data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/faults.h"
#include "tools/ixnic/chip/interrupt.h"

int data_new(struct nic *nic)
{
	struct data *dp = calloc(1, sizeof(*dp));

	if (!dp)
		return -ENOMEM;
	dp->filter_stale = true;
	dp->fifo = calloc(1, RX_BUFFER_BYTES);
	dp->tx_buffer = calloc(1, TX_HEADROOM + TX_PACKET_BYTES);
	nic->data = dp;
	if (dp->fifo && dp->tx_buffer && fdir_new(&dp->fdir) == 0)
		return 0;
	data_free(nic);
	return -ENOMEM;
}

void data_free(struct nic *nic)
{
	struct data *dp = nic->data;

	if (!dp)
		return;
	free(dp->fifo);
	free(dp->tx_buffer);
	fdir_free(dp->fdir);
	free(dp);
	nic->data = NULL;
}

void data_reset(struct nic *nic)
{
	receive_reset(nic);
	transmit_reset(nic);
	fdir_reset(nic);
	nic->data->filter_stale = true;
}

void data_counters(const struct nic *nic, counter_fn fn, void *ctx)
{
	static const char *const names[] = {
#define C(name) #name,
		NIC_COUNTERS(C)
#undef C
	};

	for (uint32_t i = 0; i < NIC_COUNTER_COUNT; i++)
		fn(ctx, names[i], nic->data->counter[i]);
}

static void raise(struct nic *nic, uint64_t *map, void (*irq)(struct nic *nic, uint32_t queue))
{
	for (uint32_t word = 0; word < IXGBE_RXQ_COUNT / 64; word++) {
		while (map[word]) {
			uint32_t bit = (uint32_t)__builtin_ctzll(map[word]);

			map[word] &= map[word] - 1;
			irq(nic, word * 64 + bit);
		}
	}
}

/* ---- FAULT_DD ---- */

/* Sets `dd`, in `dword` of each descriptor of a ring; whether one had none. */
static bool ring_done(struct nic *nic, struct ring_rules *rules, uint64_t base, uint32_t bytes,
		      uint32_t dword, uint32_t dd)
{
	bool any = false;

	rules->falsified = true;
	for (uint32_t i = 0; i < bytes / IXGBE_DESC_BYTES; i++) {
		union ixgbe_desc *slot = descriptor_at(nic, base, i), desc;

		if (!slot)
			return any;
		desc = descriptor_load(slot);
		if (desc.dword[dword] & dd)
			continue;
		desc.dword[dword] |= dd;
		descriptor_store(slot, &desc);
		any = true;
	}
	return any;
}

static uint64_t base_of(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

/* All descriptors of the rings that are on are written back, whatever their heads are. */
static void all_done(struct nic *nic)
{
	struct data *dp = nic->data;

	for (uint32_t q = 0; memory_enabled(nic) && q < IXGBE_RXQ_COUNT; q++) {
		if (rxq_value(nic, IXGBE_RXDCTL, q) & IXGBE_RXDCTL_ENABLE &&
		    ring_done(
			    nic, &dp->rxq[q].rules,
			    base_of(rxq_value(nic, IXGBE_RDBAH, q), rxq_value(nic, IXGBE_RDBAL, q)),
			    rxq_value(nic, IXGBE_RDLEN, q), 2, IXGBE_RXD_STAT_DD))
			bit_set(dp->rx_interrupts, q);
		if (txq_value(nic, IXGBE_TXDCTL, q) & IXGBE_TXDCTL_ENABLE &&
		    ring_done(
			    nic, &dp->txq[q].rules,
			    base_of(txq_value(nic, IXGBE_TDBAH, q), txq_value(nic, IXGBE_TDBAL, q)),
			    txq_value(nic, IXGBE_TDLEN, q), 3, IXGBE_TXD_STAT_DD))
			bit_set(dp->tx_interrupts, q);
	}
}

/* ---- The turn ---- */

bool data_work(struct nic *nic)
{
	struct data *dp = nic->data;
	bool more = false;

	if (!nic->stopped)
		receive_drain(nic);
	if (nic->connector)
		more |= nic->connector->poll(nic, RX_FRAMES_TURN);
	rsc_close_all(nic); /* before transmit: a driver that polls has them sooner */
	more |= transmit_work(nic, TX_FRAMES_TURN);
	rsc_close_all(nic); /* of frames that were looped back */
	if (nic->connector)
		nic->connector->turn_end(nic);
	if (fault_on(nic, FAULT_DD))
		all_done(nic);
	raise(nic, dp->rx_interrupts, interrupt_raise_rx);
	raise(nic, dp->tx_interrupts, interrupt_raise_tx);
	return more;
}
