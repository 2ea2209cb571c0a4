/* SPDX-License-Identifier: MIT */
/*
 * Configuration space, and what it says of accesses of the NIC to memory (ixgbe/bus.c has the whole
 * table).
 *
 * The kernel's VFIO shows the device's PCI status and ignores writes to it. A bit that a write did
 * not clear is remembered, and counts again only after it was seen clear: a reset cleared it, or
 * root did ("setpci -s BDF STATUS=3000"). VFIO's error interrupt (VFIO_PCI_ERR_IRQ_INDEX) tells of
 * errors that a port signalled by AER, not of these.
 *
 * Over vfio-user the backend itself refuses the server's accesses, reads and writes, and counts
 * them.
 */
#include <errno.h>
#include <linux/pci_regs.h>

#include "device.h"

/* BOARD(pcie): the PCI Express capability is at 0xa0 (9.3.10). */
#define PCI_DEVICE_STATUS (0xa0u + PCI_EXP_DEVSTA)

#define STATUS_ABORTS (PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_REC_TARGET_ABORT)

int pci_bus_master_set(struct ixgbe_device *device, bool on)
{
	uint16_t command;
	int err = pci_read16(device, PCI_COMMAND, &command);

	if (err)
		return err;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_MASTER;
	if (!on)
		command &= (uint16_t)~PCI_COMMAND_MASTER;
	err = pci_write16(device, PCI_COMMAND, command);
	if (!err)
		device->master = on;
	return err;
}

int ixgbe_device_bus_master_set(struct ixgbe_device *device, bool on)
{
	return pci_bus_master_set(device, on);
}

int pci_transactions_pending(const struct ixgbe_device *device)
{
	uint16_t status;
	int err = pci_read16(device, PCI_DEVICE_STATUS, &status);

	return err ? err : (status & PCI_EXP_DEVSTA_TRPND) != 0;
}

/* ---- Accesses that failed ---- */

static int status_read(const struct ixgbe_device *device, uint16_t *aborts)
{
	uint16_t status;
	int err = pci_read16(device, PCI_STATUS, &status);

	if (err)
		return err;
	if (status == 0xffff)
		return -ENODEV;
	*aborts = (uint16_t)(status & STATUS_ABORTS);
	return 0;
}

/* 1: reads of the NIC were aborted since the last call; 0; or -errno. */
static int aborts_take(struct ixgbe_device *device)
{
	uint16_t aborts, left;
	int err = status_read(device, &aborts);

	if (err)
		return err;
	if (!(aborts & ~device->aborts_stuck)) {
		device->aborts_stuck = aborts;
		return 0;
	}
	err = pci_write16(device, PCI_STATUS, aborts);
	if (!err)
		err = status_read(device, &left);
	if (err)
		return err;
	device->aborts_stuck = left;
	return 1;
}

/* The right to master the bus is ours to give: IXGBE_BUS_MASTER_OFF if somebody took it. */
static int master_off(const struct ixgbe_device *device)
{
	uint16_t command;

	return device->master && !pci_read16(device, PCI_COMMAND, &command) &&
			       !(command & PCI_COMMAND_MASTER)
		       ? IXGBE_BUS_MASTER_OFF
		       : 0;
}

int ixgbe_device_bus_errors(struct ixgbe_device *device)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;
	int aborts = aborts_take(device);
	uint32_t refused = ops->dma_refused ? ops->dma_refused(device->backend) : 0;
	bool more = refused != device->refused_seen;

	/* The NIC may be refused between the two reads. The status is read again then, or one
	 * refusal would be reported twice. */
	if (aborts == 0 && more)
		aborts = aborts_take(device);
	if (aborts < 0)
		return aborts;
	device->refused_seen = refused;
	return (aborts || more ? IXGBE_BUS_REFUSED : 0) | master_off(device);
}
