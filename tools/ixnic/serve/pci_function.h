/* SPDX-License-Identifier: MIT */
/*
 * The PCI function as its client finds it: regions 0 (the registers), 2 (a window to them), 4
 * (MSI-X) and 7 (configuration space), interrupts and resets.
 */
#pragma once

#include "tools/ixnic/bus/config_space.h"
#include "tools/ixnic/nic.h"

struct pci_function {
	struct nic *nic;
	struct irqfd *irqfd;
	struct config_space config;
	uint32_t io_address; /* IOADDR of BAR 2 */
	bool former_master;  /* --dirty: bus master since before the client came */
};

/* Puts the function around `nic` and takes the NIC's interrupts. 0 or -ENOMEM. */
int pci_function_init(struct pci_function *function, struct nic *nic);
void pci_function_free(struct pci_function *function); /* also after a failed init */

/* Bytes of a region (VFIO_PCI_*_REGION_INDEX, below VFIO_PCI_NUM_REGIONS); 0: it is not there. */
uint32_t pci_function_bytes(uint32_t region);
/* The caller makes sure that the `len` bytes at `offset` lie within the region. */
void pci_function_read(struct pci_function *function, uint32_t region, uint32_t offset,
		       uint8_t *data, uint32_t len);
void pci_function_write(struct pci_function *function, uint32_t region, uint32_t offset,
			const uint8_t *data, uint32_t len);

/* A reset as the kernel's VFIO does one: the configuration space is saved and restored around FLR.
 */
void pci_function_reset(struct pci_function *function);
/* The client is gone: the function is as at power-on, and nothing in it refers to the client. */
void pci_function_release(struct pci_function *function);
