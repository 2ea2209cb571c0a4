/* SPDX-License-Identifier: MIT */
/*
 * The master disable (section 5.2.5.3.2, specification clarification 9 in ixgbe/ERRATA.md).
 *
 *   CTRL.master disable ── nothing left ── STATUS.master enable clears ── reset
 *                       └─ frames left ─── it stays ── flush ── reset, reset
 *
 * Frames that the transmitter took from memory cannot go out without a link, or while the far end
 * takes none; then the NIC may not end its DMA. A driver flushes them: looped back (HLREG0.LPBK) to
 * a receiver that is off, with GCR_EXT.Buffers_Clear_Func for 20 us. A reset without that is
 * against the rules. It takes two resets then: after one alone nothing is sent.
 */
#include "data.h"

#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/loop.h"

#define FLUSH_NS 20000u

/* Whether a queue has given descriptors to a transmitter that is on. */
static bool queue_waits(const struct nic *nic, uint32_t queue)
{
	uint32_t tail = txq_value(nic, IXGBE_TDT, queue);

	return reg(nic, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE &&
	       tail != txq_value(nic, IXGBE_TDH, queue) &&
	       tail < txq_value(nic, IXGBE_TDLEN, queue) / IXGBE_DESC_BYTES;
}

void master_queue_off(struct nic *nic, uint32_t queue)
{
	const struct transmit_packet *tx = &nic->data->tx;

	if (queue_waits(nic, queue) && (!phy_link_is_up(nic) || (tx->busy && tx->queue == queue)))
		nic->data->master.left = true;
}

void master_show(struct nic *nic)
{
	struct master_state *state = &nic->data->master;
	bool disable = reg(nic, IXGBE_CTRL) & IXGBE_CTRL_PCIE_MASTER_DISABLE;

	for (uint32_t q = 0; disable && q < IXGBE_TXQ_COUNT; q++) {
		if (txq_value(nic, IXGBE_TXDCTL, q) & IXGBE_TXDCTL_ENABLE)
			master_queue_off(nic, q);
	}
	if (disable && state->left && state->master == MASTER_FREE)
		state->master = MASTER_HELD;
	reg_store(nic, IXGBE_STATUS,
		  (reg(nic, IXGBE_STATUS) & ~IXGBE_STATUS_PCIE_MASTER_ENABLE) |
			  (disable && !state->left ? 0 : IXGBE_STATUS_PCIE_MASTER_ENABLE));
}

void master_turn(struct nic *nic)
{
	struct master_state *state = &nic->data->master;

	if (!state->left || !phy_link_is_up(nic) || nic->data->tx.busy)
		return;
	state->left = false;
	if (state->master == MASTER_HELD)
		state->master = MASTER_FREE;
	master_show(nic);
}

bool master_traces(const struct nic *nic)
{
	return nic->data->master.master == MASTER_TRACES;
}

void master_reset(struct nic *nic, enum nic_reset kind)
{
	struct master_state *state = &nic->data->master;
	bool by_driver = kind == NIC_RESET_CTRL_RST || kind == NIC_RESET_LINK;

	if (by_driver && state->left && state->master == MASTER_HELD)
		violation(nic, VIOLATION_RESET_STUCK, "frames were left, and not flushed");
	*state = (struct master_state){
		.master = by_driver && state->master == MASTER_HELD ? MASTER_TRACES : MASTER_FREE,
	};
}

/* The bit flushes while frames are looped back to a receiver that is off. */
static bool flush_begins(const struct nic *nic)
{
	return reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK &&
	       !(reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN);
}

static void gcr_ext_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	struct master_state *state = &nic->data->master;

	(void)index;
	if (~old & written & IXGBE_GCR_EXT_BUFFERS_CLEAR)
		state->flush_at_ns = flush_begins(nic) ? loop_now_ns() : 0;
	if (!(old & ~written & IXGBE_GCR_EXT_BUFFERS_CLEAR))
		return;
	if (state->flush_at_ns && loop_now_ns() - state->flush_at_ns >= FLUSH_NS)
		state->left = false;
	master_show(nic);
}

const struct reg_hook master_hooks[] = {
	{.offset = IXGBE_GCR_EXT, .write = gcr_ext_written},
	{0},
};
