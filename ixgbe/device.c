/* SPDX-License-Identifier: MIT */
/*
 * What outlives a driver: the backend, DMA memory, the vectors' eventfds, and state memory.
 *
 *     keeper                                driver                        successor
 *     ------------------------------------  ----------------------------  ----------------------
 *     ixgbe_device_open: backend, eventfds,
 *       rings and pools are mapped for DMA
 *     fork                                  ixgbe_attach, pools, start
 *                                           frames
 *     waits for its end                     dies
 *     fork                                                                the same
 *
 * The driver and its successors are forked from the keeper, or from a process that has the same
 * memory at the same addresses. Each makes its records in the same order, so each finds its
 * predecessor's (queues/state_memory.h) and the same DMA memory (dma_keep).
 *
 * A port that is opened by ixgbe_open has a device of its own, which keeps nothing.
 */
#include "ixgbe/tables/desc.h"
#include "parts.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PCI_VENDOR_INTEL 0x8086u
#define PORT_STATE_BYTES (8u << 10) /* state memory of what is no queue and no pool */
#define RING_MIN         64u        /* twice a batch of rx.c and of tx.c */

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

static int options_fill(const struct ixgbe_options *from, struct ixgbe_options *to,
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

	for (size_t i = 0;
	     vendor == PCI_VENDOR_INTEL && i < sizeof(device_ids) / sizeof(*device_ids); i++)
		if (device_ids[i] == device->device_id)
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

int backend_open(const char *name, const struct ixgbe_options *options, struct ixgbe_backend **out,
		 struct ixgbe_why *why)
{
	static const struct ixgbe_backend_ops *const backends[] = {
		&ixgbe_backend_vfio,
		&ixgbe_backend_vfio_user,
		&ixgbe_backend_vfio_user_fd,
	};
	struct ixgbe_options checked;
	/* Before the device is touched. */
	int err = options_fill(options, &checked, why);

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

int device_new(struct ixgbe_backend *backend, const struct ixgbe_options *options,
	       struct ixgbe_device **out, struct ixgbe_why *why)
{
	struct ixgbe_device *device = calloc(1, sizeof(*device));
	int err;

	if (!device) {
		backend->ops->close(backend);
		ixgbe_why_fill(why, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	device->backend = backend;
	err = options_fill(options, &device->options, why);
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

void device_free(struct ixgbe_device *device)
{
	struct ixgbe_backend *backend = device->backend;

	if (device->vectors > 0)
		backend->ops->irq_set(backend, NULL, 0);
	dma_free(device->dma);
	while (device->vectors > 0)
		close(device->irq_fd[--device->vectors]);
	backend->ops->close(backend);
	if (device->memory.at)
		munmap(device->memory.at, device->memory.bytes);
	free(device);
}

/* ---- A keeper's ---- */

static size_t state_bytes(const struct ixgbe_options *options, const struct ixgbe_pool_plan *pool,
			  uint32_t pools)
{
	size_t bytes = PORT_STATE_BYTES + options->queues * (rxq_memory_bytes(options->rx_ring) +
							     txq_memory_bytes(options->tx_ring));

	for (uint32_t i = 0; i < pools; i++)
		bytes += pool_memory_bytes(pool[i].count);
	/* Each piece begins on a cache line. */
	return bytes + 64 * (2 * (size_t)options->queues + pools);
}

static int state_new(struct ixgbe_device *device, size_t bytes, struct ixgbe_why *why)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		return ixgbe_why_fill(why, -errno, "%zu bytes of state memory: %s", bytes,
				      strerror(errno));
	device->memory = (struct state_memory){.at = at, .bytes = bytes};
	device->state = &device->memory;
	return 0;
}

/* Maps for DMA what each driver will ask for, in the order of a driver. */
static int areas_new(struct ixgbe_device *device, const struct ixgbe_pool_plan *pool,
		     uint32_t pools, struct ixgbe_why *why)
{
	const struct ixgbe_options *options = &device->options;
	struct ixgbe_dma_area area;
	int err = 0;

	for (uint16_t q = 0; q < options->queues && !err; q++) {
		err = dma_alloc(device->dma, rxq_ring_bytes(options->rx_ring), &area);
		if (!err)
			err = dma_alloc(device->dma, txq_ring_bytes(options->tx_ring), &area);
	}
	for (uint32_t i = 0; i < pools && !err; i++)
		err = dma_alloc(device->dma, pool_area_bytes(pool[i].count, pool[i].size), &area);
	dma_keep(device->dma);
	return err ? ixgbe_why_fill(why, err,
				    "cannot get DMA memory for %u queues and %u pools: %s%s",
				    options->queues, pools, strerror(-err),
				    err == -ENOMEM ? "; raise the limit of locked memory (ulimit "
						     "-l) or use fewer queues"
						   : "")
		   : 0;
}

int ixgbe_device_open(const char *nic, const struct ixgbe_options *options,
		      const struct ixgbe_pool_plan *pool, uint32_t pools, struct ixgbe_device **out,
		      struct ixgbe_why *why)
{
	struct ixgbe_backend *backend = NULL;
	struct ixgbe_device *device = NULL;
	int err = backend_open(nic, options, &backend, why);

	if (!err)
		err = device_new(backend, options, &device, why);
	if (err)
		return err;
	err = state_new(device, state_bytes(&device->options, pool, pools), why);
	if (!err)
		err = areas_new(device, pool, pools, why);
	if (err) {
		device_free(device);
		return err;
	}
	*out = device;
	return 0;
}

int ixgbe_device_renew(struct ixgbe_device *device)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;

	return ops->renew ? ops->renew(device->backend) : 0;
}

void ixgbe_device_close(struct ixgbe_device *device)
{
	if (!device)
		return;
	/* The last driver died with the NIC running: it does DMA until then. */
	device->backend->ops->reset(device->backend);
	device_free(device);
}
