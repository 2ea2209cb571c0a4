/* SPDX-License-Identifier: MIT */
/*
 * Accesses of the NIC to memory that failed, as far as the driver can learn of them.
 *
 *     access of the NIC                     trace of it
 *     ------------------------------------  ---------------------------------------------------
 *     a read that the IOMMU refused         PCI status, Received Master Abort or Target Abort
 *                                           (9.3.3): the completion was Unsupported Request or
 *                                           Completer Abort. The 82599 drops the request; no
 *                                           interrupt, and nothing in PICAUSE, the device status
 *                                           or AER: the completer reports such an error.
 *     a read that nobody completed          PICAUSE.TO, EICR's PCI exception (8.2.3.4.14)
 *     a write that was refused              nothing: it is posted, and has no completion. The
 *                                           IOMMU's own log is in the kernel.
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

#include "parts.h"

#define STATUS_ABORTS (PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_REC_TARGET_ABORT)

static int status_read(const struct ixgbe *nic, uint16_t *aborts)
{
	uint16_t status;
	int err = pci_read16(nic->device, PCI_STATUS, &status);

	if (err)
		return err;
	if (status == 0xffff)
		return -ENODEV;
	*aborts = (uint16_t)(status & STATUS_ABORTS);
	return 0;
}

/* 1: reads of the NIC were aborted since the last call; 0; or -errno. */
static int aborts_take(struct ixgbe *nic)
{
	uint16_t aborts, left;
	int err = status_read(nic, &aborts);

	if (err)
		return err;
	if (!(aborts & ~nic->kept->aborts_stuck)) {
		nic->kept->aborts_stuck = aborts;
		return 0;
	}
	err = pci_write16(nic->device, PCI_STATUS, aborts);
	if (!err)
		err = status_read(nic, &left);
	if (err)
		return err;
	nic->kept->aborts_stuck = left;
	return 1;
}

int ixgbe_bus_errors(struct ixgbe *nic)
{
	const struct ixgbe_backend_ops *ops = nic->backend->ops;
	uint32_t cause = reg_read(nic, IXGBE_PICAUSE), refused;
	int aborts, events = 0;

	if (cause == UINT32_MAX)
		return -ENODEV;
	aborts = aborts_take(nic);
	refused = ops->dma_refused ? ops->dma_refused(nic->backend) : 0;
	/* The NIC may be refused between the two reads. The status is read again then, or one
	 * refusal would be reported twice. */
	if (aborts == 0 && refused != nic->kept->refused_seen)
		aborts = aborts_take(nic);
	if (aborts < 0)
		return aborts;
	if (aborts || refused != nic->kept->refused_seen)
		events |= IXGBE_BUS_REFUSED;
	nic->kept->refused_seen = refused;
	if (cause & IXGBE_PIENA_TO) {
		reg_write(nic, IXGBE_PICAUSE, IXGBE_PIENA_TO);
		events |= IXGBE_BUS_TIMEOUT;
	}
	return events;
}
