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
 * Refusals are read in configuration space (device/pci.c), which a kept device's driver does not
 * have: its keeper asks.
 */
#include <errno.h>

#include "parts.h"

int ixgbe_bus_errors(struct ixgbe *nic)
{
	uint32_t cause = reg_read(nic, IXGBE_PICAUSE);
	int events;

	if (cause == UINT32_MAX)
		return -ENODEV;
	events = port_is_kept(nic) ? 0 : ixgbe_device_bus_errors(nic->device);
	if (events < 0)
		return events;
	if (cause & IXGBE_PIENA_TO) {
		reg_write(nic, IXGBE_PICAUSE, IXGBE_PIENA_TO);
		events |= IXGBE_BUS_TIMEOUT;
	}
	return events;
}
