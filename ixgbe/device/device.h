/* SPDX-License-Identifier: MIT */
/*
 * device: what a driver drives, and what of it outlives the driver. Internal to libixgbe.
 *
 * A device is a backend, DMA memory, the vectors' eventfds, and state memory. A keeper has it:
 *
 *     keeper                                driver                        successor
 *     ------------------------------------  ----------------------------  ----------------------
 *     ixgbe_device_open: backend, eventfds,
 *       rings and pools are mapped for DMA
 *     ixgbe_device_bus_master_set
 *     fork, or export to another program    (import) attach, pools, start
 *     ixgbe_device_serve, at any time       frames
 *     waits for its end                     dies
 *     ixgbe_device_renew
 *     fork, or the program does it                                        the same
 *
 *     what             keeper             driver
 *     ---------------  -----------------  ----------------------------------------------------
 *     configuration    reads and writes   no: bus mastering, PCI status and function reset are
 *     space, reset                        the keeper's
 *     DMA mappings     makes and unmaps   no
 *     DMA memory       maps               maps, at the same addresses (queues/arena.c)
 *     state memory     makes, forgets     reads and writes, at the same addresses
 *     interrupts       connects           waits for the eventfds
 *     registers        CTRL_EXT.DRV_LOAD  BAR 0 mapped, or a channel to the server or the keeper
 *
 * Each driver makes its records in state memory in the same order, so each finds its predecessor's
 * (queues/state_memory.h) and the same DMA memory (dma_keep).
 *
 * A keeper may execute another program, which keeps the device then (pass.c). The driver does not
 * notice.
 *
 * A port that is opened by ixgbe_open has a device of its own, which keeps nothing: one process
 * does both.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     kept.c     a keeper's device: opened, served, reset, closed
 *     pass.c     the same device in the program that its keeper executes
 *       |
 *     image.c    a device for another program: export and import
 *       |
 *     device.c   what every device has, and what a NIC's name means
 *       |
 *     relay.c    registers for a driver, over a server that has no channel for them
 *     pci.c      configuration space: bus mastering, and accesses to memory that failed
 */
#pragma once

#include "ixgbe/backends/backend.h"
#include "ixgbe/queues/dma.h"
#include "ixgbe/queues/state_memory.h"
#include "ixgbe/vfio_user/vfio_user.h"

#define PCI_VENDOR_INTEL 0x8086u

/* One for each queue pair, and one for other causes. */
#define VECTORS_MAX (IXGBE_QUEUES_MAX + 1u)

/* Registers for a driver, over a socket pair. */
struct relay {
	int keeper, driver; /* the ends; -1: there is no relay */
	struct vu_sub_region sub;
	size_t have; /* bytes of commands */
	struct vu_ioregion_command command[32];
};

/* The first words of the state's file, behind which state memory begins: what the keeper tells the
 * next driver. Drivers only read it. */
struct device_note {
	uint64_t channel_user_data;
	uint64_t reserved[7];
};

struct ixgbe_device {
	struct ixgbe_backend *backend; /* of an imported device: attached (backends/attached.c) */
	struct ixgbe_options options;  /* with defaults filled in */
	uint16_t device_id;
	struct ixgbe_dma *dma;
	int irq_fd[VECTORS_MAX];
	uint32_t vectors;
	uint16_t aborts_stuck; /* bits of the PCI status that cannot be cleared */
	bool master;           /* it was given the right to master the bus */
	uint32_t refused_seen; /* by the backend */

	struct state_memory *state; /* NULL: the device has one driver, and closes with it */
	struct state_memory memory; /* what `state` points to */
	struct device_note *note;
	int state_fd;
	struct relay relay;
	struct ixgbe_journal *journal; /* NULL: none is written */

	/* Of an imported device. */
	bool imported;
	int channel; /* for the attach; -1: none was given */
	struct backend_registers registers;
};

/* ---- device.c ---- */

/* The options, checked, and with defaults in place of zeros. -EINVAL. */
int device_options_fill(const struct ixgbe_options *from, struct ixgbe_options *to,
			struct ixgbe_why *why);
/* Whether it is the PCI device ID of an 82599 that the driver knows. */
bool device_id_known(uint16_t id);
/* The backend that a NIC's name means, opened, if the options make sense. */
int backend_open(const char *name, const struct ixgbe_options *options, struct ixgbe_backend **out,
		 struct ixgbe_why *why);
/* The operations of the backend that ixgbe_backend_name calls so. NULL: there is none. */
const struct ixgbe_backend_ops *backend_named(const char *name);
/* The device of a backend that the caller opened, without state memory. The backend passes to the
 * device, also on failure. */
int device_new(struct ixgbe_backend *backend, const struct ixgbe_options *options,
	       struct ixgbe_device **out, struct ixgbe_why *why);
/* A device without anything; NULL: no memory. */
struct ixgbe_device *device_empty(void);
/* The device does no DMA any more. Takes half-built ones. */
void device_free(struct ixgbe_device *device);
/* Connects the vectors to their eventfds, which a reset of the function may have parted. */
int device_vectors_connect(struct ixgbe_device *device);
/* Lays state memory, and the note before it, over a mapped file. */
void device_state_set(struct ixgbe_device *device, void *at, size_t bytes);

/* ---- kept.c ---- */

/* A keeper's device of a backend that the caller opened, as ixgbe_device_open has it. The backend
 * passes to the device, also on failure. */
int device_keep(struct ixgbe_backend *backend, const struct ixgbe_options *options,
		const struct ixgbe_pool_plan *pool, uint32_t pools, struct ixgbe_device **out,
		struct ixgbe_why *why);
/* In a driver: the backend that its registers are reached by. */
int device_registers(struct ixgbe_device *device, struct ixgbe_backend **out,
		     struct ixgbe_why *why);

/* ---- relay.c ---- */

void relay_init(struct relay *relay);
/* A new pair of ends for BAR 0 of `bytes` bytes. */
int relay_open(struct relay *relay, uint64_t bytes);
/* A relay of a keeper before this one, with `have` bytes of half a command. -EBADMSG: the ends are
 * no sockets, or there is more than half a command; nothing changes then. */
int relay_adopt(struct relay *relay, int keeper, int driver, uint64_t bytes, const void *half,
		size_t have);
void relay_close(struct relay *relay);
/* Carries out what has come from the driver, some of it, without waiting for the driver. -EPROTO:
 * the driver broke the rules, and the relay is closed. */
int relay_serve(struct relay *relay, struct ixgbe_backend *backend);
/* The driver is dead: carries out all that has come, and closes the relay. */
void relay_finish(struct relay *relay, struct ixgbe_backend *backend);

/* ---- pci.c ---- */

/* Registers answer afterwards, and INTx is off. */
int pci_bus_master_set(struct ixgbe_device *device, bool on);
/* Whether requests of the device are still on the bus: 1, 0 or -errno. */
int pci_transactions_pending(const struct ixgbe_device *device);

/* A word of the configuration space, which has the low byte first. */
static inline int pci_read16(const struct ixgbe_device *device, uint32_t offset, uint16_t *value)
{
	uint8_t raw[2];
	int err = device->backend->ops->config_read(device->backend, offset, raw, sizeof(raw));

	if (!err)
		*value = (uint16_t)(raw[0] | raw[1] << 8);
	return err;
}

static inline int pci_write16(const struct ixgbe_device *device, uint32_t offset, uint16_t value)
{
	const uint8_t raw[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

	return device->backend->ops->config_write(device->backend, offset, raw, sizeof(raw));
}
