/* SPDX-License-Identifier: MIT */
#include "fake_vfio.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_vfio fake;

static char sysfs[] = "/tmp/ixgbe-vfio-test-XXXXXX";
struct ixgbe_why fake_vfio_why;

static void logged(const char *word)
{
	size_t at = strlen(fake.log);

	snprintf(fake.log + at, sizeof(fake.log) - at, "%s%s", at ? " " : "", word);
}

static int fd_new(enum fake_fd kind)
{
	for (int fd = 1; fd < 8; fd++)
		if (fake.fd[fd] == CLOSED) {
			fake.fd[fd] = kind;
			return fd;
		}
	fail_msg("too many files");
	return -EMFILE;
}

static int fake_open(const char *path)
{
	if (fake.fail_path && strcmp(path, fake.fail_path) == 0)
		return -fake.fail_error;
	if (strcmp(path, "/dev/vfio/vfio") == 0)
		return fd_new(CONTAINER);
	assert_string_equal(path, GROUP_PATH);
	return fd_new(GROUP);
}

static void fake_close(int fd)
{
	static const char *const names[] = {"?", "container", "group", "device"};

	assert_true(fd > 0 && fd < 8 && fake.fd[fd] != CLOSED);
	logged(names[fake.fd[fd]]);
	fake.fd[fd] = CLOSED;
}

/* As Linux 6.1 answers: the ranges come after a capability of 12 bytes, unaligned. */
static int fake_info(struct vfio_iommu_type1_info *info)
{
	struct vfio_iommu_type1_info_dma_avail avail = {
		.header = {.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1},
		.avail = 65535,
	};
	struct vfio_iommu_type1_info_cap_iova_range cap = {
		.header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1},
		.nr_iovas = fake.ranges,
	};
	uint8_t *at = (uint8_t *)(info + 1);
	uint32_t need = (uint32_t)(sizeof(*info) + sizeof(avail) + sizeof(cap) +
				   fake.ranges * sizeof(fake.range[0]));

	info->flags = VFIO_IOMMU_INFO_PGSIZES;
	if (fake.ranges == 0)
		return 0;
	info->flags |= VFIO_IOMMU_INFO_CAPS;
	if (info->argsz < need) {
		info->argsz = need;
		info->cap_offset = 0;
		return 0;
	}
	info->cap_offset = sizeof(*info);
	avail.header.next =
		fake.cap_next ? fake.cap_next : (uint32_t)(sizeof(*info) + sizeof(avail));
	memcpy(at, &avail, sizeof(avail));
	memcpy(at + sizeof(avail), &cap, sizeof(cap));
	memcpy(at + sizeof(avail) + sizeof(cap), fake.range, fake.ranges * sizeof(fake.range[0]));
	return 0;
}

static int fake_map_dma(const struct vfio_iommu_type1_dma_map *map)
{
	assert_int_equal(map->flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	assert_int_equal(map->iova % 4096, 0);
	if (map->size > fake.memlock_left)
		return -ENOMEM;
	fake.memlock_left -= map->size;
	fake.dma_maps++;
	return 0;
}

static int fake_container_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return fake.api_version;
	case VFIO_CHECK_EXTENSION:
		return fake.extension;
	case VFIO_SET_IOMMU:
		assert_true(fake.in_container && (uintptr_t)arg == VFIO_TYPE1v2_IOMMU);
		fake.iommu_set = true;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		assert_true(fake.iommu_set);
		return fake_info(arg);
	case VFIO_IOMMU_MAP_DMA:
		assert_true(fake.iommu_set);
		return fake_map_dma(arg);
	case VFIO_IOMMU_UNMAP_DMA:
		if (fake.unmap_refused) { /* as Linux 6.1 does to one that did not map */
			((struct vfio_iommu_type1_dma_unmap *)arg)->size = 0;
			return 0;
		}
		fake.memlock_left += ((struct vfio_iommu_type1_dma_unmap *)arg)->size;
		fake.dma_maps--;
		return 0;
	default:
		fail_msg("container: request %#lx", request);
		return -ENOTTY;
	}
}

static int fake_group_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)arg)->flags = fake.group_flags;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(fake.fd[*(int *)arg], CONTAINER);
		fake.in_container = true;
		return 0;
	case VFIO_GROUP_UNSET_CONTAINER:
		assert_true(fake.in_container);
		fake.in_container = false;
		logged("unset");
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		assert_true(fake.iommu_set);
		assert_string_equal(arg, BDF);
		return fd_new(DEVICE);
	default:
		fail_msg("group: request %#lx", request);
		return -ENOTTY;
	}
}

static int fake_set_irqs(const struct vfio_irq_set *set)
{
	assert_int_equal(set->index, VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(set->start, 0);
	if (set->count == 0 && fake.irqs == 0)
		return -EINVAL; /* as Linux has it */
	if (set->count == 0) {
		assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER);
		fake.irqs = 0;
		logged("irqs-off");
		return 0;
	}
	assert_int_equal(fake.irqs, 0); /* not added to */
	assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(set->argsz, sizeof(*set) + set->count * sizeof(int));
	memcpy(fake.eventfd, set->data, set->count * sizeof(int));
	fake.irqs = set->count;
	return 0;
}

static int fake_region(struct vfio_region_info *info)
{
	if (info->index == VFIO_PCI_BAR0_REGION_INDEX) {
		info->flags = fake.bar_flags;
		info->size = BAR_BYTES;
		info->offset = 0;
	} else {
		assert_int_equal(info->index, VFIO_PCI_CONFIG_REGION_INDEX);
		info->size = sizeof(fake.config);
		info->offset = UINT64_C(7) << 40;
	}
	return 0;
}

static int fake_device_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)arg)->flags = fake.device_flags;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return fake_region(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)arg)->count = fake.vectors;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return fake_set_irqs(arg);
	case VFIO_DEVICE_RESET:
		fake.command_at_reset = fake.config[PCI_COMMAND];
		if (fake.reset_takes) { /* the kernel puts back what it has saved, or has not */
			memset(fake.config + PCI_COMMAND, 0, 2);
			fake.irqs = 0;
		}
		logged("reset");
		return 0;
	default:
		fail_msg("device: request %#lx", request);
		return -ENOTTY;
	}
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	assert_true(fd > 0 && fd < 8 && fake.fd[fd] != CLOSED);
	if (request == fake.fail_request)
		return -fake.fail_error;
	return fake.fd[fd] == CONTAINER ? fake_container_ioctl(request, arg)
	       : fake.fd[fd] == GROUP   ? fake_group_ioctl(request, arg)
					: fake_device_ioctl(request, arg);
}

static int fake_map(size_t len, int fd, off_t offset, void **out)
{
	if (fake.fail_request == FAIL_MMAP)
		return -fake.fail_error;
	assert_int_equal(fake.fd[fd], DEVICE);
	assert_int_equal(len, BAR_BYTES);
	assert_int_equal(offset, 0);
	fake.bar_mapped = true;
	*out = fake.bar;
	return 0;
}

static void fake_unmap(void *addr, size_t len)
{
	assert_ptr_equal(addr, fake.bar);
	assert_int_equal(len, BAR_BYTES);
	fake.bar_mapped = false;
	logged("unmap");
}

static ssize_t fake_pread(int fd, void *data, size_t len, off_t offset)
{
	assert_int_equal(fake.fd[fd], DEVICE);
	if (fake.short_config)
		return (ssize_t)len - 1;
	memcpy(data, fake.config + (offset - (off_t)(UINT64_C(7) << 40)), len);
	return (ssize_t)len;
}

static ssize_t fake_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	assert_int_equal(fake.fd[fd], DEVICE);
	if (fake.short_config)
		return -EPERM;
	memcpy(fake.config + (offset - (off_t)(UINT64_C(7) << 40)), data, len);
	return (ssize_t)len;
}

static uint64_t fake_memlock_bytes(void)
{
	return 8 * MIB;
}

/* In place of the library's. */
const struct vfio_kernel vfio_kernel = {
	.sysfs = sysfs,
	.dev = "/dev/vfio",
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.map = fake_map,
	.unmap = fake_unmap,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
	.memlock_bytes = fake_memlock_bytes,
};

/* ---- The fake sysfs ---- */

static void at(char path[PATH_MAX], const char *rest)
{
	snprintf(path, PATH_MAX, "%s/%s", sysfs, rest);
}

void fake_vfio_link(const char *name, const char *target)
{
	char path[PATH_MAX];

	at(path, name);
	unlink(path);
	if (target)
		assert_int_equal(symlink(target, path), 0);
}

int fake_vfio_begin(void **state)
{
	static const char *const dirs[] = {"bus", "bus/pci", "bus/pci/devices", (DEVICES BDF)};
	char path[PATH_MAX];

	(void)state;
	if (!mkdtemp(sysfs))
		return -1;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		at(path, dirs[i]);
		if (mkdir(path, 0700) < 0)
			return -1;
	}
	return 0;
}

int fake_vfio_end(void **state)
{
	static const char *const dirs[] = {(DEVICES BDF), "bus/pci/devices", "bus/pci", "bus", ""};
	char path[PATH_MAX];

	(void)state;
	fake_vfio_link(LINK_DRIVER, NULL);
	fake_vfio_link(LINK_GROUP, NULL);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		at(path, dirs[i]);
		rmdir(path);
	}
	return 0;
}

/* A machine on which everything works. */
int fake_vfio_setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.group_flags = VFIO_GROUP_FLAGS_VIABLE;
	fake.device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	fake.bar_flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_READ |
			 VFIO_REGION_INFO_FLAG_WRITE;
	fake.vectors = 64;
	fake.extension = 1;
	fake.memlock_left = 64 * MIB;
	fake.ranges = 2;
	fake.range[0] = (struct vfio_iova_range){0, 0xfedfffff};
	fake.range[1] = (struct vfio_iova_range){0xfef00000, UINT64_MAX};
	fake_vfio_link(LINK_DRIVER, TARGET_VFIO);
	fake_vfio_link(LINK_GROUP, TARGET_GROUP);
	fake_vfio_why.text[0] = '\0';
	return 0;
}

void fake_vfio_nothing_left(void)
{
	for (int fd = 0; fd < 8; fd++)
		assert_int_equal(fake.fd[fd], CLOSED);
	assert_false(fake.in_container);
	assert_false(fake.bar_mapped);
	assert_int_equal(fake.dma_maps, 0);
	assert_int_equal(fake.irqs, 0);
}

struct ixgbe_backend *fake_vfio_opened(void)
{
	struct ixgbe_backend *backend;

	if (ixgbe_backend_vfio.open("03:00.0", NULL, &backend, &fake_vfio_why))
		fail_msg("%s", fake_vfio_why.text);
	assert_int_equal(fake.dma_maps, 0); /* the probe is gone */
	return backend;
}
