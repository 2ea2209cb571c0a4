/* SPDX-License-Identifier: MIT */
/*
 * The switches of the receive and transmit paths, and the order that the datasheet wants for them.
 *
 * A driver that enables reception stops the receive path first by the security block
 * (SECRXCTRL.RX_DIS) and waits until that is empty (sections 4.6.7 and 8.2.3.12). Here the block is
 * empty as soon as it is stopped.
 */
#include "chip.h"
#include "violations.h"

static void secrx_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t stat = reg(nic, IXGBE_SECRXSTAT) & ~IXGBE_SECRXSTAT_SECRX_RDY;

	(void)index;
	(void)old;
	reg_store(nic, IXGBE_SECRXSTAT,
		  stat | (written & IXGBE_SECRXCTRL_RX_DIS ? IXGBE_SECRXSTAT_SECRX_RDY : 0));
}

static void sectx_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t stat = reg(nic, IXGBE_SECTXSTAT) & ~IXGBE_SECTXSTAT_SECTX_RDY;

	(void)index;
	(void)old;
	reg_store(nic, IXGBE_SECTXSTAT,
		  stat | (written & IXGBE_SECTXCTRL_TX_DIS ? IXGBE_SECTXSTAT_SECTX_RDY : 0));
}

static void rxctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	const uint32_t ones = IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX;
	uint32_t rdrxctl = reg(nic, IXGBE_RDRXCTL);

	(void)index;
	if (old & IXGBE_RXCTRL_RXEN || !(written & IXGBE_RXCTRL_RXEN))
		return;
	if (!(reg(nic, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS))
		violation(nic, VIOLATION_RXEN_WITHOUT_SECRX, "RXCTRL = 0x%08x", written);
	if (rdrxctl & IXGBE_RDRXCTL_RSCFRSTSIZE || (rdrxctl & ones) != ones)
		violation(nic, VIOLATION_RDRXCTL_RSC, "RDRXCTL is 0x%08x", rdrxctl);
}

static void fctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (reg(nic, IXGBE_FCTRL) != old && reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)
		violation(nic, VIOLATION_FCTRL_WITH_RXEN, "FCTRL 0x%08x to 0x%08x", old, written);
}

static void dtxmxszrq_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	(void)old;
	if (written & ~IXGBE_DTXMXSZRQ_MAX_BYTES)
		violation(nic, VIOLATION_DTXMXSZRQ_BITS, "DTXMXSZRQ = 0x%08x", written);
}

const struct reg_hook paths_hooks[] = {
	{IXGBE_SECRXCTRL, NULL, secrx_write},     {IXGBE_SECTXCTRL, NULL, sectx_write},
	{IXGBE_RXCTRL, NULL, rxctrl_write},       {IXGBE_FCTRL, NULL, fctrl_write},
	{IXGBE_DTXMXSZRQ, NULL, dtxmxszrq_write}, {0},
};
