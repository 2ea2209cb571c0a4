/* SPDX-License-Identifier: MIT */
/*
 * A PCI device through the kernel's VFIO, without the driver. The lab has its NIC write a growing
 * number to two IOVAs all the time: see tools/lab/scenario_groundwork.py.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u
/* Where the device writes. */
#define IOVA_FIRST  0x10000000u
#define IOVA_SECOND (IOVA_FIRST + PAGE_BYTES)

struct device {
	int container, group, fd;
	uint64_t bar_at, bar_bytes, config_at; /* in fd */
	bool cloexec;                          /* as the kernel made fd */
};

/* Opens all three, sets the IOMMU. */
void device_open(struct device *device, const char *bdf);
/* Opens the device itself, of a group that is in a container. 0 or -errno. */
int device_reopen(struct device *device, const char *bdf);
/* Asks where the regions are, of a descriptor that came from another process. */
void device_regions(struct device *device);
void device_close(struct device *device);
void *device_map_bar(const struct device *device);
/* Bits of the PCI command register. Set through VFIO, read in sysfs by anyone. */
#define COMMAND_MEMORY 0x2u
#define COMMAND_MASTER 0x4u
void device_command(const struct device *device, uint16_t set, uint16_t clear);
uint16_t pci_command(const char *bdf);
bool bus_master(const char *bdf);

/* 0 or -errno. */
int dma_add(int container, const void *memory, size_t bytes, uint64_t iova);
/* How many bytes were unmapped, or -errno. Zero bytes at IOVA zero: all that is mapped. */
int64_t dma_remove(int container, uint64_t iova, size_t bytes);
/* Whether the device's number in that page grows: looks for up to 2 s. */
bool dma_goes_on(const void *page);
