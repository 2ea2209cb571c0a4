/* SPDX-License-Identifier: MIT */
/*
 * A keeper's device, from its opening to its end.
 *
 * Bus mastering is off until the keeper switches it on, and off after a reset. The state memory's
 * file and those of DMA memory stay open: another program maps them too (image.c).
 *
 * A reset of the device makes a driver begin anew: of what its predecessor has recorded nothing is
 * left. DMA memory is the same, and may hold anything: a driver writes what it will read. But a
 * driver that punched a hole into DMA memory has parted device and CPU for good. A keeper that
 * cannot exclude this has the memory replaced. That is not possible everywhere: on Linux 6.1 the
 * program that made the maps alone may undo them, and a keeper may be that program's successor. It
 * closes the device then, and opens another.
 */
#include "ixgbe/backends/attached.h"
#include "ixgbe/queues/arena.h"
#include "ixgbe/queues/pool.h"
#include "ixgbe/queues/queue.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

#define PORT_STATE_BYTES (8u << 10) /* state memory of what is no queue and no pool */

/* ---- Memory ---- */

static size_t state_bytes(const struct ixgbe_options *options, const struct ixgbe_pool_plan *pool,
			  uint32_t pools)
{
	size_t bytes = sizeof(struct device_note) + PORT_STATE_BYTES +
		       options->queues * (rxq_memory_bytes(options->rx_ring) +
					  txq_memory_bytes(options->tx_ring));

	for (uint32_t i = 0; i < pools; i++)
		bytes += pool_memory_bytes(pool[i].count);
	/* Each piece begins on a cache line. */
	bytes += 64 * (2 * (size_t)options->queues + pools);
	return (bytes + ARENA_PAGE_BYTES - 1) / ARENA_PAGE_BYTES * ARENA_PAGE_BYTES;
}

static int state_new(struct ixgbe_device *device, size_t bytes, struct ixgbe_why *why)
{
	uint64_t next = 0;
	void *at;
	int err = arena_file("ixgbe-state", bytes, 0);

	if (err >= 0) {
		device->state_fd = err;
		err = arena_map(device->state_fd, bytes, &next, &at);
	}
	if (err)
		return ixgbe_why_fill(why, err, "%zu bytes of state memory: %s", bytes,
				      strerror(-err));
	device_state_set(device, at, bytes);
	return 0;
}

/* Maps for DMA what each driver will ask for, in the order of a driver. */
static int areas_new(struct ixgbe_device *device, const struct ixgbe_pool_plan *pool,
		     uint32_t pools, struct ixgbe_why *why)
{
	const struct ixgbe_options *options = &device->options;
	struct ixgbe_dma_area area;
	int err = 0;

	dma_share(device->dma);
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

/* ---- The way to the registers ---- */

/* For the next driver: the server's channel, or a relay where there is none. */
static int way_new(struct ixgbe_device *device)
{
	struct backend_registers registers;

	device->backend->ops->registers(device->backend, &registers);
	if (backend_registers_mapped(&registers))
		return 0;
	if (registers.channel < 0) {
		int err = relay_open(&device->relay, registers.bytes);

		if (err)
			return err;
		registers.user_data = device->relay.sub.user_data;
	}
	device->note->channel_user_data = registers.user_data;
	return 0;
}

int ixgbe_device_channel(const struct ixgbe_device *device)
{
	struct backend_registers registers;

	if (device->imported)
		return device->channel;
	if (device->relay.driver >= 0)
		return device->relay.driver;
	device->backend->ops->registers(device->backend, &registers);
	return registers.channel;
}

int ixgbe_device_relay(const struct ixgbe_device *device)
{
	return device->relay.keeper;
}

int ixgbe_device_connection(const struct ixgbe_device *device)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;

	return ops->connection ? ops->connection(device->backend) : -1;
}

int ixgbe_device_alarms(struct ixgbe_device *device, int release, int error)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;

	return ops->alarms ? ops->alarms(device->backend, release, error) : -ENOTSUP;
}

/* What a driver asks for is lost with the keeper that has taken it from the socket. */
static void relay_note(struct ixgbe_device *device, bool relayed)
{
	if (device->journal)
		__atomic_store_n(&device->journal->relayed, relayed, __ATOMIC_RELEASE);
}

static int within_message(struct ixgbe_why *why)
{
	return ixgbe_why_fill(why, -EBADMSG,
			      "the keeper before was in the midst of a message of the device");
}

/* The reply to a keeper that died in the midst of it is nobody's loss. Whether that was it, and all
 * of it, shows by the next one. */
int ixgbe_device_journal(struct ixgbe_device *device, struct ixgbe_journal *journal,
			 struct ixgbe_why *why)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;
	const bool within = journal->used && journal->within;
	uint16_t vendor;

	if (journal->used && (journal->relayed || (within && journal->serves)))
		return within_message(why);
	if (ops->journal)
		ops->journal(device->backend, journal);
	device->journal = journal;
	if (within && (pci_read16(device, PCI_VENDOR_ID, &vendor) || vendor != PCI_VENDOR_INTEL))
		return within_message(why);
	return 0;
}

int ixgbe_device_serve(struct ixgbe_device *device)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;
	int relayed, err;

	relay_note(device, device->relay.keeper >= 0);
	relayed = relay_serve(&device->relay, device->backend);
	relay_note(device, device->relay.keeper >= 0 && device->relay.have > 0);
	/* Afterwards: an access may have found the device gone. */
	err = ops->serve ? ops->serve(device->backend) : 0;
	return err ? -ENODEV : relayed;
}

int ixgbe_device_renew(struct ixgbe_device *device)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;
	int err;

	if (device->imported)
		return -ENOTSUP;
	relay_note(device, device->relay.keeper >= 0);
	relay_finish(&device->relay, device->backend);
	relay_note(device, false);
	err = ops->renew ? ops->renew(device->backend) : 0;
	return err ? err : way_new(device);
}

/* ---- Life ---- */

/* 8.2.3.1.3: a driver that goes says so before the reset. One that died could not. It may have died
 * within an access, so the channel is another one first. */
static void driver_unload(struct ixgbe_device *device)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;
	uint32_t value;

	if (ops->renew && ops->renew(device->backend))
		return;
	value = ops->read32(device->backend, IXGBE_CTRL_EXT);
	if (value == UINT32_MAX || !(value & IXGBE_CTRL_EXT_DRV_LOAD))
		return;
	ops->write32(device->backend, IXGBE_CTRL_EXT, value & ~IXGBE_CTRL_EXT_DRV_LOAD);
	ops->read32(device->backend, IXGBE_CTRL_EXT); /* returns when the write has arrived */
}

/* The device does no DMA afterwards. */
static int reset_function(struct ixgbe_device *device)
{
	int err = pci_bus_master_set(device, false);

	if (err)
		return err;
	driver_unload(device);
	return device->backend->ops->reset(device->backend);
}

static int reset_and_connect(struct ixgbe_device *device)
{
	int err = reset_function(device);

	if (!err) /* registers have to answer again */
		err = pci_bus_master_set(device, false);
	if (!err)
		err = device_vectors_connect(device);
	/* What the device tried before is forgotten. One that is gone shows here. */
	if (!err)
		err = ixgbe_device_bus_errors(device);
	return err < 0 ? err : 0;
}

/* Before the first driver: the device is quiet, and what it tried before is forgotten. A former
 * owner may have left DMA that only a reset of the function ends, which no driver can ask for. A
 * server may have no reset. */
static int quieten(struct ixgbe_device *device, struct ixgbe_why *why)
{
	int err = reset_and_connect(device);

	if (err == -ENOTSUP)
		err = ixgbe_device_bus_errors(device);
	return err < 0 ? ixgbe_why_fill(
				 why, err,
				 "cannot reset the device: %s; see whether it is still there",
				 strerror(-err))
		       : 0;
}

int device_keep(struct ixgbe_backend *backend, const struct ixgbe_options *options,
		const struct ixgbe_pool_plan *pool, uint32_t pools, struct ixgbe_device **out,
		struct ixgbe_why *why)
{
	struct ixgbe_device *device = NULL;
	int err = device_new(backend, options, &device, why);

	if (err)
		return err;
	if (pools > IXGBE_DEVICE_POOLS_MAX)
		err = ixgbe_why_fill(why, -EINVAL, "%u pools: a device has %u at most", pools,
				     IXGBE_DEVICE_POOLS_MAX);
	if (!err)
		err = quieten(device, why);
	if (!err)
		err = state_new(device, state_bytes(&device->options, pool, pools), why);
	if (!err)
		err = areas_new(device, pool, pools, why);
	if (!err) {
		err = way_new(device);
		ixgbe_why_fill(err ? why : NULL, err, "cannot make a channel for registers: %s",
			       strerror(-err));
	}
	if (err) {
		device_free(device);
		return err;
	}
	*out = device;
	return 0;
}

int ixgbe_device_reset(struct ixgbe_device *device, struct ixgbe_why *why)
{
	int err;

	relay_close(&device->relay); /* what the driver still wanted is void */
	relay_note(device, false);
	err = reset_and_connect(device);
	if (err)
		return ixgbe_why_fill(why, err,
				      "the reset of the device failed (%s): it hangs, or is gone; "
				      "power-cycle the machine",
				      strerror(-err));
	/* No record of the driver before is to be believed. */
	memset(device->memory.at, 0, device->memory.bytes);
	return 0;
}

int ixgbe_device_memory_replace(struct ixgbe_device *device, struct ixgbe_why *why)
{
	int err = device->imported ? -ENOTSUP : device->master ? -EBUSY : dma_replace(device->dma);

	return err ? ixgbe_why_fill(why, err, "the device's memory cannot be replaced: %s",
				    strerror(-err))
		   : 0;
}

void ixgbe_device_close(struct ixgbe_device *device)
{
	if (!device)
		return;
	/* The last driver died with the NIC running: it does DMA until then. */
	if (!device->imported)
		reset_function(device);
	device_free(device);
}

/* ---- In a driver ---- */

int ixgbe_device_channel_set(struct ixgbe_device *device, int fd)
{
	if (device->channel >= 0) {
		close(fd);
		return -EALREADY;
	}
	device->channel = fd;
	return 0;
}

/* The channel for the backend: what was given, or what the keeper had when it forked us. */
static int channel_take(struct ixgbe_device *device)
{
	int fd = device->channel;

	device->channel = -1;
	if (fd >= 0 || device->imported)
		return fd;
	fd = ixgbe_device_channel(device);
	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int registers_reach(struct ixgbe_device *device, struct ixgbe_backend *attached, bool mapped,
			   struct ixgbe_why *why)
{
	int fd = channel_take(device), err;

	if (fd < 0)
		return mapped ? 0
			      : ixgbe_why_fill(why, -ENOTCONN,
					       "the device's registers are not mapped, and there "
					       "is no channel to them");
	err = attached_connect(attached, fd, device->note->channel_user_data);
	return err ? ixgbe_why_fill(why, err, "the channel to the device's registers: %s",
				    strerror(-err))
		   : 0;
}

int device_registers(struct ixgbe_device *device, struct ixgbe_backend **out, struct ixgbe_why *why)
{
	struct ixgbe_backend *attached = device->backend;
	struct backend_registers registers = device->registers;
	int err = 0;

	if (!device->imported) {
		device->backend->ops->registers(device->backend, &registers);
		err = attached_new(device->backend->ops->name, &registers, &device->options,
				   &attached);
		if (err)
			return ixgbe_why_fill(why, err, "out of memory");
	}
	err = registers_reach(device, attached, backend_registers_mapped(&registers), why);
	if (err && !device->imported)
		attached->ops->close(attached);
	if (!err)
		*out = attached;
	return err;
}
