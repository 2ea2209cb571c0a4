/* SPDX-License-Identifier: MIT */
/*
 * backends: how the driver reaches a device, one const table of operations per backend.
 *
 * A backend opens a PCI function, reads and writes its BAR 0 and configuration
 * space, maps memory for its DMA and connects its MSI-X vectors to eventfds. It
 * knows PCI and its transport, and nothing of the 82599.
 *
 * Guarantees every backend gives:
 * - open takes the device over exclusively (-EBUSY otherwise), and leaves nothing behind when it
 *   fails;
 * - close resets the function, so that DMA has ended when it returns;
 * - once the device is gone, read32 returns all ones, and a write reaches nothing but a mapped
 * area;
 * - a read returns after every earlier write of the same thread has taken effect
 *   (posted writes, as on PCI Express);
 * - read32 and write32 may be called by several threads at a time, the others by
 *   one thread.
 *
 * A process that executes another program keeps its device: hand_over says what is left of a
 * backend, numbers and descriptors, and take_over makes a backend of that. Neither touches the
 * device, nor who drives it.
 *
 * A driver that is followed by others has a backend that a keeper shares (attached.c): registers
 * and nothing else. It is not opened, and its close ends nothing.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     attached.c           the registers of a device that another process keeps
 *     vfio.c               the kernel's VFIO: group, container, device
 *     vfio_user_client.c   a device that another process serves over vfio-user
 *       |
 *     vfio_kernel.c        the system calls of vfio.c
 *     vfio_pci.c           a PCI function by its name, in sysfs
 *     vfio_user_channel.c  messages to the server, replies, and its accesses to our memory
 *     region_channel.c     the registers over a channel of their own, if the server has one
 *     vfio_user_socket.c   the socket to the server
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define BACKEND_WINDOWS_MAX 16u

struct ixgbe_backend;

/* A mapped area of BAR 0. */
struct backend_window {
	uint64_t offset, bytes;
	uint8_t *at;
	uint64_t fd_offset;
};

/* Where the registers are, for another process. */
struct backend_registers {
	uint64_t bytes; /* of BAR 0 */
	uint32_t windows;
	struct backend_window window[BACKEND_WINDOWS_MAX];
	int fd;             /* of all windows; the backend's; -1: there are none */
	int channel;        /* a stream socket (region_channel.h), the backend's; -1: none */
	uint64_t user_data; /* of the channel */
};

/* What is left of a backend when its process executes another program. What its registers operation
 * has is not repeated. */
#define BACKEND_WORDS      4u
#define BACKEND_HANDED_FDS 2u
struct backend_handed {
	uint64_t word[BACKEND_WORDS];
	int fd[BACKEND_HANDED_FDS]; /* -1: none */
};

/* Memory that the device has already. */
struct backend_memory {
	void *addr;
	ixgbe_iova iova;
	size_t len;
};

/* For the program that is executed: a backend that nobody has. None of the numbers is trusted. */
struct backend_left {
	struct backend_handed handed;
	struct backend_registers registers; /* mapped nowhere */
	const struct backend_memory *memory;
	uint32_t memories;
};

/* A register's place in one of the windows; NULL: it is in none. */
static inline volatile uint32_t *backend_window_at(const struct backend_window *window,
						   uint32_t windows, uint32_t offset)
{
	for (const struct backend_window *w = window; w < window + windows; w++)
		if (offset >= w->offset && w->bytes >= 4 && offset - w->offset <= w->bytes - 4)
			return (volatile uint32_t *)(void *)(w->at + (offset - w->offset));
	return NULL;
}

/* Whether the windows have all registers. */
static inline bool backend_registers_mapped(const struct backend_registers *registers)
{
	return registers->windows > 0 && registers->window[0].offset == 0 &&
	       registers->window[0].bytes >= registers->bytes;
}

struct ixgbe_backend_ops {
	const char *name;   /* as ixgbe_backend_name gives it */
	const char *prefix; /* of the NIC's name, with the colon: "vfio:" */

	/* `arg`: the NIC's name after the prefix. Of the options, waits need give_up. */
	int (*open)(const char *arg, const struct ixgbe_options *options,
		    struct ixgbe_backend **out, struct ixgbe_why *why);
	void (*close)(struct ixgbe_backend *backend); /* takes NULL */

	uint32_t (*read32)(struct ixgbe_backend *backend, uint32_t offset);
	void (*write32)(struct ixgbe_backend *backend, uint32_t offset, uint32_t value);
	/* The register's place in memory, if the device lets it be mapped, else NULL:
	 * then the caller writes it by write32. */
	volatile uint32_t *(*doorbell)(struct ixgbe_backend *backend, uint32_t offset);

	int (*config_read)(struct ixgbe_backend *backend, uint32_t offset, void *data, size_t len);
	int (*config_write)(struct ixgbe_backend *backend, uint32_t offset, const void *data,
			    size_t len);

	/* Memory at `addr`, `len` bytes (both multiples of 4 KiB), which is `fd` from
	 * `fd_offset` on, shared: readable and writable by the device at `iova`. */
	int (*dma_map)(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
		       uint64_t fd_offset, ixgbe_iova iova);
	/* -EPERM: another program had mapped it, and this kernel lets nobody else unmap it. */
	int (*dma_unmap)(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len);
	/* The IOVAs that can be mapped: [first, last]. */
	void (*dma_range)(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last);

	/* Connects vectors 0..count-1 to eventfds and enables MSI-X; count 0 disables. */
	int (*irq_set)(struct ixgbe_backend *backend, const int *eventfd, uint32_t count);
	/* As ixgbe_device_alarms. NULL: there are none. */
	int (*alarms)(struct ixgbe_backend *backend, int release, int error);
	int (*reset)(struct ixgbe_backend *backend); /* function level reset */
	/* Another process goes on with the registers. Who had them may have died within an access.
	 * NULL: nothing is left of such an access. */
	int (*renew)(struct ixgbe_backend *backend);
	/* How many accesses of the device to memory the backend itself has refused since open.
	 * NULL: the backend refuses none, an IOMMU does. */
	uint32_t (*dma_refused)(struct ixgbe_backend *backend);

	/* What another process needs for the registers. A renew changes the channel. */
	void (*registers)(struct ixgbe_backend *backend, struct backend_registers *out);
	/* The descriptor that is readable when the server asks for something, and what answers
	 * that: 0, or -errno, the device is gone. NULL: nobody asks. */
	int (*connection)(struct ixgbe_backend *backend);
	int (*serve)(struct ixgbe_backend *backend);

	/* Serves what the server has asked so far. The descriptors stay the backend's, which goes
	 * on if there is no exec. -EAGAIN: the server is in the middle of a message; -ENODEV. */
	int (*hand_over)(struct ixgbe_backend *backend, struct backend_handed *out);
	/* The descriptors, those of the registers too, pass to the backend on success alone.
	 * -EBADMSG: they are of another kind, or the numbers do not add up; -ENOMEM; and the
	 * kernel's. */
	int (*take_over)(const struct backend_left *left, const struct ixgbe_options *options,
			 struct ixgbe_backend **out, struct ixgbe_why *why);
	/* As ixgbe_device_journal has it, for what the backend does. NULL: its device is owed
	 * nothing. */
	void (*journal)(struct ixgbe_backend *backend, struct ixgbe_journal *journal);
};

/* What a backend embeds as its first member. */
struct ixgbe_backend {
	const struct ixgbe_backend_ops *ops;
};

extern const struct ixgbe_backend_ops ixgbe_backend_vfio;
extern const struct ixgbe_backend_ops ixgbe_backend_vfio_user;    /* "vfio-user:" */
extern const struct ixgbe_backend_ops ixgbe_backend_vfio_user_fd; /* "vfio-user-fd:" */
