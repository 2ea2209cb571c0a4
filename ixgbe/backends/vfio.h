/* SPDX-License-Identifier: MIT */
/*
 * The kernel VFIO backend's parts. Internal to libixgbe.
 *
 *     vfio_pci.c   a name, and what sysfs says of the device
 *     vfio.c       group, container, device: the backend
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "backend.h"

#define VFIO_BDF_CHARS 13u /* DDDD:BB:DD.F and the 0 */

/* A PCI function and what stands in the way of using it. */
struct vfio_pci {
	char bdf[VFIO_BDF_CHARS];
	char group[16]; /* its number */
};

/* Parses DDDD:BB:DD.F or BB:DD.F (domain 0) into the long form. -EINVAL. */
int vfio_bdf_parse(const char *text, char bdf[VFIO_BDF_CHARS]);

/* Finds the function `name` below `sysfs` ("/sys") and checks that it is in an IOMMU group and
 * bound to vfio-pci. -EINVAL, -ENODEV; `why` says what to do. */
int vfio_pci_find(const char *sysfs, const char *name, struct vfio_pci *out, struct ixgbe_why *why);

/* The system calls, each of which returns -errno when it fails: a test plays the kernel. */
struct vfio_kernel {
	int (*open)(const char *path);
	void (*close)(int fd);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	int (*map)(size_t len, int fd, off_t offset, void **out);
	void (*unmap)(void *addr, size_t len);
	ssize_t (*pread)(int fd, void *data, size_t len, off_t offset);
	ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
	uint64_t (*memlock_bytes)(void); /* RLIMIT_MEMLOCK */
};

/* `dev`: "/dev/vfio". */
int vfio_open(const struct vfio_kernel *kernel, const char *sysfs, const char *dev,
	      const char *name, struct ixgbe_backend **out, struct ixgbe_why *why);
