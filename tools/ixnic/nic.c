/* SPDX-License-Identifier: MIT */
/*
 * The NIC as a whole: its parts, their registers, and its resets (sections 4.2.1.6 and 5.2.5.3).
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
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/faults.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/data/filter.h"
#include "tools/ixnic/loop.h"

/* ---- Registers ---- */

static bool dma_running(const struct nic *nic)
{
	for (uint32_t q = 0; q < IXGBE_RXQ_COUNT; q++) {
		if (reg(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, q)) & IXGBE_RXDCTL_ENABLE ||
		    reg(nic, ixgbe_txq_reg(IXGBE_TXDCTL, q)) & IXGBE_TXDCTL_ENABLE)
			return true;
	}
	return false;
}

static void ctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (written & (IXGBE_CTRL_RST | IXGBE_CTRL_LRST)) {
		bool with_dma = !(old & IXGBE_CTRL_PCIE_MASTER_DISABLE) && dma_running(nic);
		bool with_irq = reg(nic, IXGBE_EIMS) || reg(nic, IXGBE_AT(EIMS_EX, 0)) ||
				reg(nic, IXGBE_AT(EIMS_EX, 1));

		nic_reset(nic, written & IXGBE_CTRL_LRST ? NIC_RESET_LINK : NIC_RESET_CTRL_RST);
		if (with_dma)
			violation(nic, VIOLATION_RESET_WITH_DMA, "CTRL = 0x%08x", written);
		if (with_irq)
			violation(nic, VIOLATION_RESET_WITH_IRQ, "CTRL = 0x%08x", written);
		nic->reset_at_ns = loop_now_ns();
		return;
	}
	master_show(nic);
}

static const struct reg_hook ctrl_hooks[] = {
	{.offset = IXGBE_CTRL, .write = ctrl_write},
	{0},
};

/* Where several hook one register, the earlier ones here go first. */
static const struct reg_hook *const hooks[] = {
	ctrl_hooks,      eeprom_image_hooks, spi_hooks,     module_hooks,   phy_hooks,
	interrupt_hooks, paths_hooks,        receive_hooks, transmit_hooks, filter_hooks,
	fdir_hooks,      master_hooks,       rsc_hooks,
};

static int registers_new(struct nic *nic)
{
	return regfile_new(nic, hooks, sizeof(hooks) / sizeof(hooks[0]));
}

/* ---- Life ---- */

/* In the order in which they are made; taken apart in reverse. */
static const struct {
	int (*make)(struct nic *nic);
	void (*free)(struct nic *nic);
} parts[] = {
	{violations_new, violations_free},
	{faults_new, faults_free},
	{registers_new, regfile_free},
	{eeprom_image_new, eeprom_image_free},
	{spi_new, spi_free},
	{module_new, module_free},
	{phy_new, phy_free},
	{interrupt_new, interrupt_free},
	{memory_new, memory_free},
	{data_new, data_free},
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

int nic_new(const uint8_t mac[6], struct nic **out)
{
	struct nic *nic = calloc(1, sizeof(*nic));
	size_t made;
	int err;

	if (!nic)
		return -ENOMEM;
	memcpy(nic->mac, mac, sizeof(nic->mac));
	nic->cable = true;
	for (made = 0; made < PARTS; made++) {
		err = parts[made].make(nic);
		if (err)
			goto unmake;
	}
	nic_reset(nic, NIC_RESET_POWER);
	*out = nic;
	return 0;

unmake:
	while (made-- > 0)
		parts[made].free(nic);
	free(nic);
	return err;
}

int nic_dirty(struct nic *nic, uint64_t seed, uint32_t slow)
{
	int err = dirty_set(nic, seed, slow);

	if (err)
		return err;
	phy_module_set(nic, MODULE_SR_TWO_RATES);
	/* Interrupts were on, of vectors that no EICR shows, too. */
	regfile_write(nic, IXGBE_EIMS, IXGBE_EICR_LSC | IXGBE_EICR_RTXQ);
	regfile_write(nic, IXGBE_AT(EIMS_EX, 0), UINT32_MAX);
	regfile_write(nic, IXGBE_AT(EIMS_EX, 1), UINT32_MAX);
	return 0;
}

void nic_free(struct nic *nic)
{
	if (!nic)
		return;
	dirty_free(nic);
	for (size_t i = PARTS; i-- > 0;)
		parts[i].free(nic);
	free(nic);
}

void nic_reset(struct nic *nic, enum nic_reset kind)
{
	nic->reset_at_ns = 0;
	faults_reset(nic, kind);
	dirty_leave(nic, kind);
	nic->eeprom_seen = nic->dma_seen = nic->stopped = false;
	regfile_reset(nic, kind);
	dirty_reset(nic, kind);
	eeprom_image_load(nic);
	module_reset(nic);
	data_reset(nic);
	master_reset(nic, kind);
	phy_reset(nic, kind);
	interrupt_reset(nic); /* last: no cause outlives the reset */
}
