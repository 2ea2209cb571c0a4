/* SPDX-License-Identifier: MIT */
/*
 * What every device has: a backend, the vectors' eventfds, and DMA memory; and which devices there
 * are.
 */
#include "ixgbe/queues/queue.h"
#include "ixgbe/tables/desc.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

#define RING_MIN 64u /* twice a batch of rx.c and of tx.c */

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

static int ring_check(const char *name, uint16_t count, struct ixgbe_why *why)
{
	if (count >= RING_MIN && count <= IXGBE_RING_MAX && count % IXGBE_RING_MULTIPLE == 0)
		return 0;
	return ixgbe_why_fill(why, -EINVAL,
			      "%s ring of %u descriptors: choose a multiple of %u from %u to %u",
			      name, count, IXGBE_RING_MULTIPLE, RING_MIN, IXGBE_RING_MAX);
}

int device_options_fill(const struct ixgbe_options *from, struct ixgbe_options *to,
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

bool device_id_known(uint16_t id)
{
	for (size_t i = 0; i < sizeof(device_ids) / sizeof(*device_ids); i++)
		if (device_ids[i] == id)
			return true;
	return false;
}

static int identify(struct ixgbe_device *device, struct ixgbe_why *why)
{
	uint16_t vendor;
	int err = pci_read16(device, PCI_VENDOR_ID, &vendor);

	if (!err)
		err = pci_read16(device, PCI_DEVICE_ID, &device->device_id);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot read the PCI configuration space over %s: %s; see whether "
			"the device is still there",
			device->backend->ops->name, strerror(-err));

	if (vendor == PCI_VENDOR_INTEL && device_id_known(device->device_id))
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
		vendor, device->device_id);
}

static const struct ixgbe_backend_ops *const backends[] = {
	&ixgbe_backend_vfio,
	&ixgbe_backend_vfio_user,
	&ixgbe_backend_vfio_user_fd,
};

const struct ixgbe_backend_ops *backend_named(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

int backend_open(const char *name, const struct ixgbe_options *options, struct ixgbe_backend **out,
		 struct ixgbe_why *why)
{
	struct ixgbe_options checked;
	/* Before the device is touched. */
	int err = device_options_fill(options, &checked, why);

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		size_t len = strlen(backends[i]->prefix);

		if (strncmp(name, backends[i]->prefix, len) == 0)
			return backends[i]->open(name + len, &checked, out, why);
	}
	ixgbe_why_fill(why, -EINVAL,
		       "NIC '%s': no such kind; write vfio:DDDD:BB:DD.F, vfio-user:PATH or "
		       "vfio-user-fd:N",
		       name);
	return -EINVAL;
}

/* ---- Vectors ---- */

int device_vectors_connect(struct ixgbe_device *device)
{
	return device->backend->ops->irq_set(device->backend, device->irq_fd, device->vectors);
}

static int vectors_new(struct ixgbe_device *device, struct ixgbe_why *why)
{
	int err;

	while (device->vectors < device->options.queues + 1u) {
		int fd = eventfd(0, EFD_CLOEXEC);

		if (fd < 0)
			return ixgbe_why_fill(
				why, -errno, "cannot make an eventfd: %s%s", strerror(errno),
				errno == EMFILE ? "; raise the limit of open files (ulimit -n)"
						: "");
		device->irq_fd[device->vectors++] = fd;
	}
	err = device_vectors_connect(device);
	return err ? ixgbe_why_fill(
			     why, err,
			     "cannot enable %u MSI-X vectors: %s; see whether the IOMMU remaps "
			     "interrupts, or use fewer queues",
			     device->vectors, strerror(-err))
		   : 0;
}

/* ---- Life ---- */

struct ixgbe_device *device_empty(void)
{
	struct ixgbe_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->state_fd = device->channel = device->registers.fd = -1;
	relay_init(&device->relay);
	return device;
}

int device_new(struct ixgbe_backend *backend, const struct ixgbe_options *options,
	       struct ixgbe_device **out, struct ixgbe_why *why)
{
	struct ixgbe_device *device = device_empty();
	int err;

	if (!device) {
		backend->ops->close(backend);
		ixgbe_why_fill(why, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	device->backend = backend;
	err = device_options_fill(options, &device->options, why);
	if (!err)
		err = identify(device, why);
	if (!err)
		err = vectors_new(device, why);
	if (!err) {
		err = dma_new(backend, &device->dma);
		ixgbe_why_fill(err ? why : NULL, err, "out of memory");
	}
	if (err) {
		device_free(device);
		return err;
	}
	*out = device;
	return 0;
}

static void state_unmap(struct ixgbe_device *device)
{
	if (device->note)
		munmap(device->note, device->memory.bytes + sizeof(*device->note));
	if (device->state_fd >= 0)
		close(device->state_fd);
}

void device_free(struct ixgbe_device *device)
{
	struct ixgbe_backend *backend = device->backend;

	if (device->vectors > 0)
		backend->ops->irq_set(backend, NULL, 0);
	dma_free(device->dma);
	while (device->vectors > 0)
		close(device->irq_fd[--device->vectors]);
	if (backend)
		backend->ops->close(backend);
	for (uint32_t i = 0; i < device->registers.windows; i++)
		munmap(device->registers.window[i].at, device->registers.window[i].bytes);
	if (device->channel >= 0)
		close(device->channel);
	relay_close(&device->relay);
	state_unmap(device);
	free(device);
}

void device_state_set(struct ixgbe_device *device, void *at, size_t bytes)
{
	device->note = at;
	device->memory = (struct state_memory){
		.at = (uint8_t *)at + sizeof(*device->note),
		.bytes = bytes - sizeof(*device->note),
	};
	device->state = &device->memory;
}
