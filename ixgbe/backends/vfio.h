/* SPDX-License-Identifier: MIT */
/* The parts of the kernel VFIO backend. Internal to libixgbe. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "backend.h"

/* A PCI function. */
struct vfio_pci {
	char bdf[IXGBE_PCI_ADDRESS_BYTES];
	char group[16]; /* its number */
};

/* Finds the function `name`, which ixgbe_pci_address understands, below `sysfs` and checks that it
 * is in an IOMMU group and bound to vfio-pci. -EINVAL, -ENODEV; `why` says what to do. */
int vfio_pci_find(const char *sysfs, const char *name, struct vfio_pci *out, struct ixgbe_why *why);

/* The kernel: two paths, and system calls that return -errno when they fail. There is one; a test
 * that links another instead plays the kernel. */
struct vfio_kernel {
	const char *sysfs; /* "/sys" */
	const char *dev;   /* "/dev/vfio" */
	int (*open)(const char *path);
	void (*close)(int fd);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	int (*map)(size_t len, int fd, off_t offset, void **out);
	void (*unmap)(void *addr, size_t len);
	ssize_t (*pread)(int fd, void *data, size_t len, off_t offset);
	ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
	uint64_t (*memlock_bytes)(void); /* RLIMIT_MEMLOCK */
};
extern const struct vfio_kernel vfio_kernel;
