/* SPDX-License-Identifier: MIT */
/*
 * Resets and the PCIe master (sections 4.2.1.6 and 5.2.5.3).
 *
 *                     registers  semaphores,      rings   link retrains
 *                                manageability
 *   power-on, FLR     x          x                x       x
 *   CTRL.LRST         x                           x       x
 *   CTRL.RST          x                           x
 *
 * A reset is over when the write returns, so both bits read back as zero. The datasheet asks the
 * driver to wait 10 ms all the same, before it initializes anything.
 */
#include "tools/ixnic/nic.h"

#define RESET_WAIT_NS 10000000u

static bool dma_running(const struct nic *nic)
{
	for (uint32_t q = 0; q < NIC_QUEUES; q++) {
		if (reg(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, q)) & IXGBE_RXDCTL_ENABLE ||
		    reg(nic, ixgbe_txq_reg(IXGBE_TXDCTL, q)) & IXGBE_TXDCTL_ENABLE)
			return true;
	}
	return false;
}

void reset_check_write(struct nic *nic, const struct ixgbe_register *r)
{
	uint64_t since;

	if (!nic->reset_at_ns || r->offset == IXGBE_CTRL)
		return;
	since = loop_now_ns() - nic->reset_at_ns;
	if (since < RESET_WAIT_NS)
		violation(nic, VIOLATION_RESET_NOT_WAITED, "%s written %u us after the reset",
			  r->name, (unsigned)(since / 1000));
	else
		nic->reset_at_ns = 0;
}

static void ctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (written & (IXGBE_CTRL_RST | IXGBE_CTRL_LRST)) {
		if (!(old & IXGBE_CTRL_PCIE_MASTER_DISABLE) && dma_running(nic))
			violation(nic, VIOLATION_RESET_WITH_DMA, "CTRL = 0x%08x", written);
		nic_reset(nic, written & IXGBE_CTRL_LRST ? NIC_RESET_LINK : NIC_RESET_CTRL_RST);
		nic->reset_at_ns = loop_now_ns();
		return;
	}
	/* Requests are synchronous here: none is ever outstanding. */
	reg_set(nic, IXGBE_STATUS,
		(reg(nic, IXGBE_STATUS) & ~IXGBE_STATUS_PCIE_MASTER_ENABLE) |
			(written & IXGBE_CTRL_PCIE_MASTER_DISABLE
				 ? 0
				 : IXGBE_STATUS_PCIE_MASTER_ENABLE));
}

const struct reg_hook reset_hooks[] = {
	{IXGBE_CTRL, NULL, ctrl_write},
	{0},
};
