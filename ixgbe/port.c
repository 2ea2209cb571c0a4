/* SPDX-License-Identifier: MIT */
/*
 * The life of a port.
 *
 *     open   backend, identity, reset, EEPROM, module, memory, vectors
 *     start  rings, transmitter, receiver, interrupts
 *     stop   the reverse, then a reset
 *     close  reset, and everything goes back
 *
 * One rule holds the states together: a port that is not started has just been
 * reset and configured. Start needs no reset of its own, and stop and start cure a
 * fault. A device that could not be reset is no bus master, and the next start resets it
 * again. Settings (addresses, filters, MTU, link) are kept in `struct ixgbe` and written to
 * the device at once; port_reset() writes them again.
 */
#include "ixgbe/tables/desc.h"
#include "parts.h"
#include "wait.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#define PCI_VENDOR_INTEL 0x8086u
#define RING_MIN         64u /* twice a batch of rx.c and of tx.c */

static const struct ixgbe_options defaults = {
	.queues = 1,
	.rx_ring = 512,
	.tx_ring = 512,
	.mtu = 1500,
};

/* The 82599s with an SFP+ cage (section 9.3.3.2 and the vendor's ID list). */
static const uint16_t device_ids[] = {
	0x10fb, /* 82599ES SFI/SFP+ */
	0x1507, /* mezzanine with SFP+ */
	0x1529, /* SFP+ with FCoE */
	0x154a, /* four ports */
	0x154d, /* second revision of the SFP+ board */
	0x1557, /* 82599EN */
};

/* ---- Open ---- */

static int ring_check(const char *name, uint16_t count, struct ixgbe_why *why)
{
	if (count >= RING_MIN && count <= IXGBE_RING_MAX && count % IXGBE_RING_MULTIPLE == 0)
		return 0;
	return ixgbe_why_fill(why, -EINVAL,
			      "%s ring of %u descriptors: choose a multiple of %u from %u to %u",
			      name, count, IXGBE_RING_MULTIPLE, RING_MIN, IXGBE_RING_MAX);
}

int port_options_fill(const struct ixgbe_options *from, struct ixgbe_options *to,
		      struct ixgbe_why *why)
{
	int err;

	*to = from ? *from : defaults;
	to->queues = to->queues ? to->queues : defaults.queues;
	to->rx_ring = to->rx_ring ? to->rx_ring : defaults.rx_ring;
	to->tx_ring = to->tx_ring ? to->tx_ring : defaults.tx_ring;
	to->mtu = to->mtu ? to->mtu : defaults.mtu;

	if (to->queues > IXGBE_QUEUES_MAX)
		return ixgbe_why_fill(
			why, -EINVAL,
			"%u queues: the receive side scaling of the 82599 reaches %u, "
			"choose 1 to %u",
			to->queues, IXGBE_QUEUES_MAX, IXGBE_QUEUES_MAX);
	if (to->mtu < IXGBE_MTU_MIN || to->mtu > IXGBE_MTU_MAX)
		return ixgbe_why_fill(why, -EINVAL, "MTU %u: choose %u to %u", to->mtu,
				      IXGBE_MTU_MIN, IXGBE_MTU_MAX);
	err = ring_check("receive", to->rx_ring, why);
	return err ? err : ring_check("transmit", to->tx_ring, why);
}

static int identify(struct ixgbe *nic, struct ixgbe_why *why)
{
	uint16_t vendor;
	int err = pci_read16(nic, PCI_VENDOR_ID, &vendor);

	if (!err)
		err = pci_read16(nic, PCI_DEVICE_ID, &nic->device_id);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot read the PCI configuration space over %s: %s; see whether "
			"the device is still there",
			nic->backend->ops->name, strerror(-err));

	for (size_t i = 0;
	     vendor == PCI_VENDOR_INTEL && i < sizeof(device_ids) / sizeof(*device_ids); i++)
		if (device_ids[i] == nic->device_id)
			return 0;
	if (vendor == 0xffff)
		return ixgbe_why_fill(
			why, -ENODEV,
			"the device does not answer (its PCI ID reads as ones): it was "
			"removed, or it is powered down; rescan the bus or reseat it");
	return ixgbe_why_fill(
		why, -ENODEV,
		"the device %04x:%04x is not an Intel 82599 with SFP+ (8086:10fb): name "
		"another one, lspci -nn -d 8086: lists Intel's",
		vendor, nic->device_id);
}

/* Everything after a reset that does not depend on queues. */
static void port_configure(struct ixgbe *nic)
{
	init_configure(nic);
	filters_apply(nic);
	init_memory_errors_report(nic);
	irq_configure(nic);
}

static int port_reset(struct ixgbe *nic)
{
	int err = init_reset(nic);

	if (!err) {
		port_configure(nic);
		err = init_bus_master_set(nic, true);
	}
	if (!err)
		err = link_apply(nic);
	nic->reset_failed = err != 0;
	if (err)
		init_bus_master_set(nic, false); /* it does no DMA, whatever else it does */
	return err;
}

static int bus_set(struct ixgbe *nic, bool master, struct ixgbe_why *why)
{
	int err = init_bus_master_set(nic, master);

	return err ? ixgbe_why_fill(why, err,
				    "cannot write the PCI configuration space: %s; see whether the "
				    "device is still there",
				    strerror(-err))
		   : 0;
}

static int module_set_up(struct ixgbe *nic, struct ixgbe_why *why)
{
	int err = sfp_identify(nic);

	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot reach the SFP+ module (%s): firmware or another driver "
			"holds its bus; close that program, or reboot",
			strerror(-err));
	err = sfp_setup(nic);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot set up the SFP+ module from the EEPROM (%s): write the "
			"EEPROM anew with the adapter maker's tool",
			strerror(-err));
	return 0;
}

/* Takes the device from any state to that of a port that is not started. */
static int bring_up(struct ixgbe *nic, struct ixgbe_why *why)
{
	/* From here on registers answer. Without bus mastering the device does no DMA to rings of a
	 * former owner. */
	int err = bus_set(nic, false, why);

	if (err)
		return err;
	if (port_gone(nic))
		return -ENODEV; /* device_take says why */
	err = init_reset(nic);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"the reset of the device failed (%s): it hangs; power-cycle the machine",
			strerror(-err));
	err = eeprom_check(nic, why);
	if (err)
		return err;
	memcpy(nic->mac, nic->mac_permanent, sizeof(nic->mac));
	port_configure(nic);
	err = module_set_up(nic, why);
	if (!err)
		err = bus_set(nic, true, why);
	if (err)
		return err;
	stats_discard(nic);
	err = link_apply(nic);
	return err ? ixgbe_why_fill(why, err, "cannot set up the link: %s", strerror(-err)) : 0;
}

static int memory_new(struct ixgbe *nic, struct ixgbe_why *why)
{
	int err = rings_new(nic);

	if (err)
		ixgbe_why_fill(
			why, err,
			"cannot get DMA memory for %u queues with rings of %u and %u: %s%s",
			nic->options.queues, nic->options.rx_ring, nic->options.tx_ring,
			strerror(-err),
			err == -ENOMEM
				? "; raise the limit of locked memory (ulimit -l) or use fewer "
				  "queues"
				: "");
	return err;
}

/* Frees what exists; the device does no DMA any more. */
static void port_free(struct ixgbe *nic)
{
	irq_free(nic);
	rings_free(nic);
	stats_free(nic);
	filters_free(nic);
	nic->backend->ops->close(nic->backend);
	free(nic);
}

/* Makes the port's own records. The device is asked for its IDs alone. */
static int port_prepare(struct ixgbe *nic, const struct ixgbe_options *options,
			struct ixgbe_why *why)
{
	int err = port_options_fill(options, &nic->options, why);

	if (err)
		return err;
	nic->mtu = nic->options.mtu;
	err = identify(nic, why);
	if (err)
		return err;
	err = filters_new(nic);
	if (!err)
		err = stats_new(nic);
	return err ? ixgbe_why_fill(why, err, "out of memory") : 0;
}

static int device_take(struct ixgbe *nic, struct ixgbe_why *why)
{
	int err = irq_new(nic, why);

	if (!err)
		err = bring_up(nic, why);
	if (!err)
		err = memory_new(nic, why);
	/* A device that is gone makes any step fail, and that step's advice is wrong. */
	if (err && port_gone(nic))
		return ixgbe_why_fill(
			why, -ENODEV,
			"the NIC does not answer any more: its vfio-user server ended or "
			"hangs (see its log), or the device was removed or hangs (echo 1 > "
			"/sys/bus/pci/devices/BDF/reset, or power-cycle the machine)");
	return err;
}

int ixgbe_open_backend(struct ixgbe_backend *backend, const struct ixgbe_options *options,
		       struct ixgbe **out, struct ixgbe_why *why)
{
	struct ixgbe *nic = calloc(1, sizeof(*nic));
	int err;

	if (!nic) {
		backend->ops->close(backend);
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	}
	nic->backend = backend;
	err = port_prepare(nic, options, why);
	if (!err)
		err = device_take(nic, why);
	if (err) {
		port_free(nic);
		return err;
	}
	(void)ixgbe_bus_errors(nic); /* forgets errors from before this driver */
	*out = nic;
	return 0;
}

void ixgbe_close(struct ixgbe *nic)
{
	if (!nic)
		return;
	if (nic->started)
		ixgbe_stop(nic);
	nic->admin_up = false;
	link_apply(nic); /* the partner sees the link go down */
	irq_mask_all(nic);
	init_reset(nic);
	init_bus_master_set(nic, false);
	reg_clear(nic, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
	port_free(nic);
}

/* ---- Start and stop ---- */

/* Section 4.5.9: no frame comes in, then the queues end. All of it is done even if a step fails:
 * the reset afterwards ends what did not end by itself. */
static int traffic_stop(struct ixgbe *nic)
{
	int receiver = init_receiver_set(nic, false);
	int rx = rings_receive_stop(nic);
	int tx = rings_transmit_stop(nic);

	return receiver ? receiver : rx ? rx : tx;
}

/* Sections 4.6.7, 4.6.8: all queues, and only then the receiver. */
static int traffic_start(struct ixgbe *nic, struct ixgbe_pool *const rx_pool[],
			 struct ixgbe_why *why)
{
	int err = rings_transmit_start(nic, why);

	if (err)
		return err;
	err = rings_receive_start(nic, rx_pool, why);
	if (err) {
		rings_transmit_stop(nic);
		return err;
	}
	err = init_receiver_set(nic, true);
	if (err) {
		traffic_stop(nic);
		return ixgbe_why_fill(why, err, "the receiver did not start: %s; reset the device",
				      strerror(-err));
	}
	return 0;
}

int ixgbe_start(struct ixgbe *nic, struct ixgbe_pool *const rx_pool[], struct ixgbe_why *why)
{
	int err;

	if (nic->started)
		return ixgbe_why_fill(why, -EBUSY, "the port is started already");
	if (nic->reset_failed) {
		err = port_reset(nic);
		if (err)
			return ixgbe_why_fill(
				why, err,
				"the reset of the device failed again (%s): it hangs; "
				"power-cycle the machine",
				strerror(-err));
	}
	err = traffic_start(nic, rx_pool, why);
	if (err) {
		port_reset(nic);
		return err;
	}
	irq_other_arm(nic); /* 4.6.3.1: interrupts are enabled last */
	nic->started = true;
	return 0;
}

int ixgbe_stop(struct ixgbe *nic)
{
	int first, err;

	if (!nic->started)
		return 0;
	nic->started = false;
	irq_mask_all(nic);
	first = traffic_stop(nic);
	err = ixgbe_stats_update(nic); /* before the reset clears them */
	first = first ? first : err;
	err = port_reset(nic);
	return first ? first : err;
}

int ixgbe_tx_watch(struct ixgbe *nic)
{
	return nic->started ? rings_transmit_watch(nic, wait_now_us()) : 0;
}

/* ---- Insight ---- */

const char *ixgbe_backend_name(const struct ixgbe *nic)
{
	return nic->backend->ops->name;
}

uint16_t ixgbe_device_id(const struct ixgbe *nic)
{
	return nic->device_id;
}
