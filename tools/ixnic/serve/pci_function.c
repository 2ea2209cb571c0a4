/* SPDX-License-Identifier: MIT */
#include "pci_function.h"

#include <linux/vfio.h>
#include <string.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "tools/ixnic/bus/irqfd.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/faults.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/violations.h"

static void on_refused(void *ctx)
{
	struct pci_function *function = ctx;

	config_space_master_abort(&function->config);
}

/* The card loses its power, or has it again: what was set up is lost. */
static void power(struct pci_function *function)
{
	nic_reset(function->nic, NIC_RESET_POWER);
	irqfd_reset(function->irqfd);
	config_space_reset(&function->config);
	function->io_address = 0;
}

static void on_fault(void *ctx, enum fault_bus what)
{
	struct pci_function *function = ctx;

	if (what == FAULT_BUS_POWER)
		power(function);
	else
		config_space_master_clear(&function->config);
	function->former_master = false;
	memory_enable(function->nic->memory, false);
}

/* --dirty: the function is a bus master when its client comes, as a driver that died leaves it. */
static void former_owner(struct pci_function *function)
{
	function->former_master = function->nic->dirty != NULL;
	if (function->former_master)
		config_space_master_set(&function->config);
	memory_enable(function->nic->memory, function->former_master);
}

int pci_function_init(struct pci_function *function, struct nic *nic)
{
	int err;

	*function = (struct pci_function){.nic = nic};
	config_space_init(&function->config, nic->mac);
	err = irqfd_new(nic, &function->config, &function->irqfd);
	if (err)
		return err;
	interrupt_deliver_set(nic, irqfd_deliver, function->irqfd);
	memory_refused_set(nic->memory, on_refused, function);
	faults_bus_set(nic, on_fault, function);
	former_owner(function);
	return 0;
}

void pci_function_free(struct pci_function *function)
{
	interrupt_deliver_set(function->nic, NULL, NULL);
	memory_refused_set(function->nic->memory, NULL, NULL);
	faults_bus_set(function->nic, NULL, NULL);
	irqfd_free(function->irqfd);
}

void pci_function_reset(struct pci_function *function)
{
	nic_reset(function->nic, NIC_RESET_FLR);
	irqfd_reset(function->irqfd);
	config_space_status_reset(&function->config);
	function->former_master = false; /* no ring is left */
}

void pci_function_release(struct pci_function *function)
{
	/* The reset comes first: afterwards nothing in the NIC refers to the client's memory. */
	nic_reset(function->nic, NIC_RESET_FLR);
	irqfd_release(function->irqfd);
	config_space_reset(&function->config);
	function->io_address = 0;
	memory_unmap_all(function->nic->memory);
	former_owner(function);
}

uint32_t pci_function_bytes(uint32_t region)
{
	static const uint32_t bytes[VFIO_PCI_NUM_REGIONS] = {
		[VFIO_PCI_BAR0_REGION_INDEX] = IXGBE_BAR0_SIZE,
		[VFIO_PCI_BAR2_REGION_INDEX] = BAR2_BYTES,
		[VFIO_PCI_BAR4_REGION_INDEX] = BAR4_BYTES,
		[VFIO_PCI_CONFIG_REGION_INDEX] = CONFIG_BYTES,
	};

	return bytes[region];
}

/* ---- Regions ---- */

/* Registers are words. Any other access breaks a rule, and reads all ones, as on a bus without a
 * completion. */
/* With its memory space off a NIC does not answer. One as new is not so strict: clients of it may
 * leave that to somebody else. */
static bool answers(const struct pci_function *function)
{
	return !function->nic->dirty || config_space_memory(&function->config);
}

static void registers_read(struct pci_function *function, uint32_t offset, uint8_t *data,
			   uint32_t len)
{
	if (offset % 4 != 0 || len % 4 != 0) {
		violation(function->nic, VIOLATION_UNALIGNED_ACCESS, "read of %u bytes at %#x", len,
			  offset);
		memset(data, 0xff, len);
		return;
	}
	if (!answers(function)) {
		memset(data, 0xff, len);
		return;
	}
	for (uint32_t i = 0; i < len; i += 4) {
		uint32_t value = regfile_read(function->nic, offset + i);

		memcpy(data + i, &value, 4);
	}
}

static void registers_write(struct pci_function *function, uint32_t offset, const uint8_t *data,
			    uint32_t len)
{
	if (offset % 4 != 0 || len % 4 != 0) {
		violation(function->nic, VIOLATION_UNALIGNED_ACCESS, "write of %u bytes at %#x",
			  len, offset);
		return;
	}
	if (!answers(function))
		return;
	if (function->former_master)
		violation(function->nic, VIOLATION_FORMER_RINGS, "write at %#x", offset);
	function->former_master = false;
	for (uint32_t i = 0; i < len; i += 4) {
		uint32_t value;

		memcpy(&value, data + i, 4);
		regfile_write(function->nic, offset + i, value);
	}
}

/* BAR 2 (section 9.3.5): IOADDR at 0 holds the offset of the register that IODATA at 4 is. */
static void io_read(struct pci_function *function, uint32_t offset, uint8_t *data, uint32_t len)
{
	memset(data, 0xff, len);
	if (len != 4)
		return;
	if (offset == 0)
		memcpy(data, &function->io_address, 4);
	else if (offset == 4 && vu_within(function->io_address, 4, IXGBE_BAR0_SIZE))
		registers_read(function, function->io_address, data, 4);
}

static void io_write(struct pci_function *function, uint32_t offset, const uint8_t *data,
		     uint32_t len)
{
	if (len != 4)
		return;
	if (offset == 0)
		memcpy(&function->io_address, data, 4);
	else if (offset == 4 && vu_within(function->io_address, 4, IXGBE_BAR0_SIZE))
		registers_write(function, function->io_address, data, 4);
}

static void config_write(struct pci_function *function, uint32_t offset, const uint8_t *data,
			 uint32_t len)
{
	if (config_space_write(&function->config, offset, data, len) & CONFIG_FLR) {
		nic_reset(function->nic, NIC_RESET_FLR);
		irqfd_reset(function->irqfd);
		config_space_reset(&function->config);
	}
	function->former_master &= config_space_bus_master(&function->config);
	memory_enable(function->nic->memory, config_space_bus_master(&function->config));
	irqfd_update(function->irqfd);
}

/* Nobody answers there, by a fault. */
static bool silent(const struct pci_function *function, uint32_t region)
{
	return fault_on(function->nic, FAULT_GONE) ||
	       (fault_on(function->nic, FAULT_ONES) &&
		(region == VFIO_PCI_BAR0_REGION_INDEX || region == VFIO_PCI_BAR2_REGION_INDEX));
}

void pci_function_read(struct pci_function *function, uint32_t region, uint32_t offset,
		       uint8_t *data, uint32_t len)
{
	if (fault_on(function->nic, FAULT_GONE | FAULT_ONES) && silent(function, region)) {
		memset(data, 0xff, len);
		return;
	}
	switch (region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		registers_read(function, offset, data, len);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		io_read(function, offset, data, len);
		break;
	case VFIO_PCI_BAR4_REGION_INDEX:
		irqfd_bar_read(function->irqfd, offset, data, len);
		break;
	default:
		config_space_pending(&function->config, dirty_pending(function->nic));
		config_space_read(&function->config, offset, data, len);
	}
}

void pci_function_write(struct pci_function *function, uint32_t region, uint32_t offset,
			const uint8_t *data, uint32_t len)
{
	if (fault_on(function->nic, FAULT_GONE | FAULT_ONES) && silent(function, region))
		return;
	switch (region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		registers_write(function, offset, data, len);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		io_write(function, offset, data, len);
		break;
	case VFIO_PCI_BAR4_REGION_INDEX:
		irqfd_bar_write(function->irqfd, offset, data, len);
		break;
	default:
		config_write(function, offset, data, len);
	}
}
