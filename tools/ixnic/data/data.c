/* SPDX-License-Identifier: MIT */
/* The turns of the data path, and its state as a whole. */
#include "data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	raise(nic, dp->rx_interrupts, interrupt_raise_rx);
	raise(nic, dp->tx_interrupts, interrupt_raise_tx);
	return more;
}
