/* SPDX-License-Identifier: MIT */
#include "bare_device.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "facts.h"

#define LOOK_US 2000000

#define PCI_COMMAND_AT 4

/* The group's number is the last part of a link's target. */
static void group_path(const char *bdf, char *path, size_t bytes)
{
	char link[PATH_MAX], target[PATH_MAX];
	ssize_t got;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	got = readlink(link, target, sizeof(target) - 1);
	if (got < 0)
		fact_broken("the device's IOMMU group");
	target[got] = '\0';
	snprintf(path, bytes, "/dev/vfio/%s", basename(target));
}

static void region(const struct device *device, uint32_t index, uint64_t *at, uint64_t *bytes)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		fact_broken("a region of the device");
	*at = info.offset;
	*bytes = info.size;
}

void device_regions(struct device *device)
{
	uint64_t config_bytes;

	region(device, VFIO_PCI_BAR0_REGION_INDEX, &device->bar_at, &device->bar_bytes);
	region(device, VFIO_PCI_CONFIG_REGION_INDEX, &device->config_at, &config_bytes);
}

int device_reopen(struct device *device, const char *bdf)
{
	device->fd = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device->fd < 0)
		return -errno;
	device->cloexec = fcntl(device->fd, F_GETFD) & FD_CLOEXEC;
	fcntl(device->fd, F_SETFD, 0); /* like the others, kept over an exec */
	device_regions(device);
	return 0;
}

void device_open(struct device *device, const char *bdf)
{
	char path[PATH_MAX];

	group_path(bdf, path, sizeof(path));
	device->container = open("/dev/vfio/vfio", O_RDWR);
	device->group = open(path, O_RDWR);
	if (device->container < 0 || device->group < 0)
		fact_broken("VFIO's container or group");
	if (ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->container) < 0 ||
	    ioctl(device->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		fact_broken("VFIO's IOMMU");
	errno = -device_reopen(device, bdf);
	if (errno)
		fact_broken("the device");
}

void device_close(struct device *device)
{
	close(device->fd);
	close(device->group);
	close(device->container);
}

void *device_map_bar(const struct device *device)
{
	void *bar = mmap(NULL, device->bar_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd,
			 (off_t)device->bar_at);

	if (bar == MAP_FAILED)
		fact_broken("the device's BAR");
	return bar;
}

void device_command(const struct device *device, uint16_t set, uint16_t clear)
{
	const off_t at = (off_t)device->config_at + PCI_COMMAND_AT;
	uint16_t command;

	if (pread(device->fd, &command, sizeof(command), at) != sizeof(command))
		fact_broken("the device's command register");
	command = (uint16_t)((command | set) & ~clear);
	if (pwrite(device->fd, &command, sizeof(command), at) != sizeof(command))
		fact_broken("the device's command register");
}

uint16_t pci_command(const char *bdf)
{
	char path[PATH_MAX];
	uint16_t command;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &command, sizeof(command), PCI_COMMAND_AT) != sizeof(command))
		fact_broken("the device's configuration space in sysfs");
	close(fd);
	return command;
}

bool bus_master(const char *bdf)
{
	return pci_command(bdf) & COMMAND_MASTER;
}

int dma_add(int container, const void *memory, size_t bytes, uint64_t iova)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = bytes,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0 ? -errno : 0;
}

int64_t dma_remove(int container, uint64_t iova, size_t bytes)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = bytes ? 0 : VFIO_DMA_UNMAP_FLAG_ALL,
		.iova = iova,
		.size = bytes,
	};

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0 ? -errno : (int64_t)unmap.size;
}

bool dma_goes_on(const void *page)
{
	const volatile uint64_t *number = page;
	const uint64_t before = *number;
	const int64_t until = now_us() + LOOK_US;

	while (*number == before)
		if (now_us() > until)
			return false;
		else
			sleep_us(1000);
	return true;
}
