/* SPDX-License-Identifier: MIT */
/*
 * The kernel VFIO backend against a kernel that the test plays: sysfs is a temporary
 * directory, the system calls are functions here. Each step of the start can be made to
 * fail; whatever happens, nothing may stay open, mapped or attached.
 */
#include "ixgbe/backends/vfio.h"

#include <errno.h>
#include <limits.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BDF        "0000:03:00.0"
#define GROUP_PATH "/dev/vfio/12"
#define BAR_BYTES  0x20000u
#define MIB        (1u << 20)

enum fake_fd { CLOSED, CONTAINER, GROUP, DEVICE };

static struct fake {
	/* The script. */
	const char *fail_path; /* open fails with fail_error */
	unsigned long fail_request;
	int fail_error;
	uint32_t group_flags, device_flags, bar_flags, vectors;
	int api_version, extension;
	struct vfio_iova_range range[4];
	uint32_t ranges;
	uint32_t cap_next;     /* 0: where the ranges are */
	uint64_t memlock_left; /* bytes that can be pinned */
	bool short_config;

	/* What there is. */
	enum fake_fd fd[8];
	bool in_container, iommu_set, bar_mapped;
	uint32_t dma_maps;
	uint64_t dma_bytes;
	int eventfd[64];
	uint32_t irqs;
	char log[256]; /* what was done in which order */
	uint8_t bar[BAR_BYTES];
	uint8_t config[256];
} fake;

static char sysfs[] = "/tmp/ixgbe-vfio-test-XXXXXX";
static struct ixgbe_why why;

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

#define FAIL_MMAP 1ul /* as a request */

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

static void link_set(const char *name, const char *target)
{
	char path[PATH_MAX];

	at(path, name);
	unlink(path);
	if (target)
		assert_int_equal(symlink(target, path), 0);
}

#define DEVICES      "bus/pci/devices/"
#define LINK_DRIVER  DEVICES BDF "/driver"
#define LINK_GROUP   DEVICES BDF "/iommu_group"
#define TARGET_VFIO  "../../../drivers/vfio-pci"
#define TARGET_GROUP "../../../../kernel/iommu_groups/12"

static int sysfs_make(void **state)
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

static int sysfs_remove(void **state)
{
	static const char *const dirs[] = {(DEVICES BDF), "bus/pci/devices", "bus/pci", "bus", ""};
	char path[PATH_MAX];

	(void)state;
	link_set(LINK_DRIVER, NULL);
	link_set(LINK_GROUP, NULL);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		at(path, dirs[i]);
		rmdir(path);
	}
	return 0;
}

/* A machine on which everything works. */
static int setup(void **state)
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
	link_set(LINK_DRIVER, TARGET_VFIO);
	link_set(LINK_GROUP, TARGET_GROUP);
	why.text[0] = '\0';
	return 0;
}

static void nothing_is_left(void)
{
	for (int fd = 0; fd < 8; fd++)
		assert_int_equal(fake.fd[fd], CLOSED);
	assert_false(fake.in_container);
	assert_false(fake.bar_mapped);
	assert_int_equal(fake.dma_maps, 0);
	assert_int_equal(fake.irqs, 0);
}

static int open_fake(const char *name, struct ixgbe_backend **out)
{
	return ixgbe_backend_vfio.open(name, NULL, out, &why);
}

/* The start fails with this error, says all of these words in one whole line, and leaves
 * nothing behind. */
static void refused(int err, const char *name, const char *const words[])
{
	struct ixgbe_backend *backend = NULL;

	assert_int_equal(open_fake(name, &backend), err);
	assert_null(backend);
	nothing_is_left();
	assert_true(strlen(why.text) < sizeof(why.text) - 1); /* not cut off */
	assert_null(strchr(why.text, '\n'));
	for (; *words; words++)
		if (!strstr(why.text, *words))
			fail_msg("'%s' is not in '%s'", *words, why.text);
}

#define REFUSED(err, name, ...) refused(err, name, (const char *const[]){__VA_ARGS__, NULL})

/* ---- Names ---- */

static void addresses_are_parsed(void **state)
{
	static const struct {
		const char *text, *bdf;
	} row[] = {
		{"0000:03:00.0", "0000:03:00.0"},
		{"03:00.1", "0000:03:00.1"},
		{"ABCD:Ef:1f.7", "abcd:ef:1f.7"},
		{"", NULL},
		{"03:00", NULL},
		{"03:00.", NULL},
		{"03:00.8", NULL},
		{"03:20.0", NULL},
		{"03:1g.0", NULL},
		{"3:0.0", NULL},
		{"03:00.00", NULL},
		{"000:03:00.0", NULL},
		{"00000:03:00.0", NULL},
		{"0000:03:00.0 ", NULL},
		{" 03:00.0", NULL},
		{"0000-03:00.0", NULL},
		{"../../etc/x0", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct vfio_pci pci;
		int err = vfio_pci_find("/nowhere", row[i].text, &pci, &why);

		/* A name that is one is told to be of no device. */
		assert_int_equal(err, row[i].bdf ? -ENODEV : -EINVAL);
		assert_non_null(strstr(why.text, row[i].bdf ? row[i].bdf : "no PCI address"));
	}
}

static void what_sysfs_forbids_is_explained(void **state)
{
	struct vfio_pci pci;

	(void)state;
	assert_int_equal(vfio_pci_find(sysfs, "03:00.0", &pci, &why), 0);
	assert_string_equal(pci.bdf, BDF);
	assert_string_equal(pci.group, "12");

	REFUSED(-EINVAL, "eth0", "'eth0'", "DDDD:BB:DD.F");
	REFUSED(-ENODEV, "0000:04:00.0", "0000:04:00.0", "no such PCI device", "lspci");
	link_set(LINK_DRIVER, "../../../drivers/ixgbe");
	REFUSED(-ENODEV, BDF, "driver ixgbe", "driverctl set-override " BDF " vfio-pci",
		"echo vfio-pci > devices/" BDF "/driver_override",
		"echo " BDF " > devices/" BDF "/driver/unbind", "echo " BDF " > drivers_probe'");
	link_set(LINK_DRIVER, NULL);
	REFUSED(-ENODEV, BDF, "no driver", "driverctl", "drivers_probe'");
	link_set(LINK_GROUP, NULL);
	REFUSED(-ENODEV, BDF, "no IOMMU", "intel_iommu=on");
	/* A link to nowhere in particular. */
	link_set(LINK_GROUP, "../a-name-that-is-too-long-for-a-number");
	REFUSED(-ENODEV, BDF, "no IOMMU");
}

/* ---- Failures of the kernel's side ---- */

static void each_refusal_is_explained(void **state)
{
	(void)state;
	fake.fail_path = "/dev/vfio/vfio";
	fake.fail_error = ENOENT;
	REFUSED(-ENOENT, BDF, "/dev/vfio/vfio", "modprobe vfio-pci");
	fake.fail_path = GROUP_PATH;
	fake.fail_error = EACCES;
	REFUSED(-EACCES, BDF, GROUP_PATH, "chown USER " GROUP_PATH);
	fake.fail_error = EBUSY;
	REFUSED(-EBUSY, BDF, GROUP_PATH, "in use", "fuser");
	fake.fail_error = ENOENT;
	REFUSED(-ENOENT, BDF, GROUP_PATH);
	fake.fail_path = NULL;

	fake.group_flags = 0;
	REFUSED(-EPERM, BDF, "group 12", "/sys/kernel/iommu_groups/12/devices");
	fake.group_flags = VFIO_GROUP_FLAGS_VIABLE;

	fake.extension = 0;
	REFUSED(-EOPNOTSUPP, BDF, "type 1");
	fake.extension = 1;
	fake.api_version = 1;
	REFUSED(-EOPNOTSUPP, BDF, "type 1");
	fake.api_version = 0;

	fake.fail_request = VFIO_SET_IOMMU;
	fake.fail_error = EPERM;
	REFUSED(-EPERM, BDF, "interrupt remapping", "allow_unsafe_interrupts=1");
	fake.fail_request = 0;

	fake.memlock_left = 8 * MIB;
	REFUSED(-ENOMEM, BDF, "8192 KiB", "32768 KiB", "ulimit -l", "LimitMEMLOCK");
	fake.memlock_left = 64 * MIB;

	fake.device_flags = VFIO_DEVICE_FLAGS_PCI;
	REFUSED(-ENODEV, BDF, "reset");
	fake.device_flags |= VFIO_DEVICE_FLAGS_RESET;
	fake.bar_flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	REFUSED(-ENODEV, BDF, "registers");
	fake.bar_flags |= VFIO_REGION_INFO_FLAG_MMAP;
	fake.vectors = 0;
	REFUSED(-ENODEV, BDF, "MSI-X");
}

static void every_step_that_fails_leaves_nothing(void **state)
{
	static const unsigned long steps[] = {
		VFIO_GROUP_GET_STATUS,       VFIO_GROUP_SET_CONTAINER, VFIO_SET_IOMMU,
		VFIO_IOMMU_GET_INFO,         VFIO_GROUP_GET_DEVICE_FD, VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO, FAIL_MMAP,
		VFIO_IOMMU_MAP_DMA,
	};

	(void)state;
	fake.fail_error = EIO;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake.fail_request = steps[i];
		REFUSED(-EIO, BDF, strerror(EIO));
	}
}

/* ---- A backend that works ---- */

static struct ixgbe_backend *opened(void)
{
	struct ixgbe_backend *backend;

	if (open_fake("03:00.0", &backend))
		fail_msg("%s", why.text);
	assert_int_equal(fake.dma_maps, 0); /* the probe is gone */
	return backend;
}

static void it_opens_and_closes_in_order(void **state)
{
	struct ixgbe_backend *backend = opened();

	(void)state;
	assert_string_equal(backend->ops->name, "vfio");
	assert_string_equal(fake.log, "");
	backend->ops->close(backend);
	assert_string_equal(fake.log, "reset unmap device unset group container");
	nothing_is_left();
	ixgbe_backend_vfio.close(NULL);
}

static void registers_are_within_the_bar(void **state)
{
	struct ixgbe_backend *backend = opened();
	const struct ixgbe_backend_ops *ops = backend->ops;

	(void)state;
	ops->write32(backend, 0x18, 0x12345678);
	assert_int_equal(ops->read32(backend, 0x18), 0x12345678);
	assert_memory_equal(fake.bar + 0x18, "\x78\x56\x34\x12", 4);
	assert_ptr_equal(ops->doorbell(backend, 0x6018), fake.bar + 0x6018);
	ops->write32(backend, BAR_BYTES - 4, 1);
	assert_int_equal(ops->read32(backend, BAR_BYTES - 4), 1);
	ops->write32(backend, BAR_BYTES, 1);
	assert_int_equal(ops->read32(backend, BAR_BYTES), UINT32_MAX);
	assert_int_equal(ops->read32(backend, UINT32_MAX), UINT32_MAX);
	assert_null(ops->doorbell(backend, BAR_BYTES));
	ops->close(backend);
}

static void configuration_space_is_read_and_written(void **state)
{
	struct ixgbe_backend *backend = opened();
	const struct ixgbe_backend_ops *ops = backend->ops;
	uint16_t value = 0x0406;

	(void)state;
	assert_int_equal(ops->config_write(backend, 4, &value, 2), 0);
	assert_memory_equal(fake.config + 4, &value, 2);
	value = 0;
	assert_int_equal(ops->config_read(backend, 4, &value, 2), 0);
	assert_int_equal(value, 0x0406);
	assert_int_equal(ops->config_read(backend, 255, &value, 2), -EINVAL);
	assert_int_equal(ops->config_write(backend, UINT32_MAX, &value, 2), -EINVAL);
	fake.short_config = true;
	assert_int_equal(ops->config_read(backend, 4, &value, 2), -EIO);
	assert_int_equal(ops->config_write(backend, 4, &value, 2), -EPERM);
	ops->close(backend);
}

static void vectors_get_their_eventfds(void **state)
{
	struct ixgbe_backend *backend = opened();
	const struct ixgbe_backend_ops *ops = backend->ops;
	const int fds[64] = {100, 101, 102};

	(void)state;
	assert_int_equal(ops->irq_set(backend, fds, 3), 0);
	assert_int_equal(fake.irqs, 3);
	assert_memory_equal(fake.eventfd, fds, 3 * sizeof(int));
	assert_int_equal(ops->irq_set(backend, fds, 64), 0); /* more: off and on again */
	assert_int_equal(fake.irqs, 64);
	assert_int_equal(ops->irq_set(backend, fds, 65), -EINVAL);
	assert_int_equal(ops->irq_set(backend, NULL, 0), 0);
	assert_int_equal(fake.irqs, 0);
	assert_int_equal(ops->irq_set(backend, NULL, 0), 0); /* off already */
	assert_int_equal(ops->irq_set(backend, fds, 2), 0);
	fake.log[0] = '\0';
	ops->close(backend);
	assert_string_equal(fake.log, "irqs-off reset unmap device unset group container");
	nothing_is_left();
}

static void memory_is_mapped_and_unmapped(void **state)
{
	struct ixgbe_backend *backend = opened();
	const struct ixgbe_backend_ops *ops = backend->ops;

	(void)state;
	assert_int_equal(ops->dma_map(backend, fake.bar, 4096, -1, 0, 0x1000), 0);
	assert_int_equal(fake.dma_maps, 1);
	assert_int_equal(ops->dma_map(backend, fake.bar, 65 * MIB, -1, 0, 0x100000), -ENOMEM);
	assert_int_equal(ops->dma_unmap(backend, 0x1000, 4096), 0);
	assert_int_equal(fake.dma_maps, 0);
	assert_int_equal(ops->reset(backend), 0);
	fake.fail_request = VFIO_DEVICE_RESET;
	fake.fail_error = EINVAL;
	assert_int_equal(ops->reset(backend), -EINVAL);
	fake.fail_request = 0;
	ops->close(backend);
}

/* ---- Another program goes on with the device ---- */

static void left_of(struct ixgbe_backend *backend, struct backend_left *left)
{
	*left = (struct backend_left){0};
	assert_int_equal(backend->ops->hand_over(backend, &left->handed), 0);
	backend->ops->registers(backend, &left->registers);
}

static void a_device_is_handed_over(void **state)
{
	struct ixgbe_backend *backend = opened(), *next;
	const struct ixgbe_backend_ops *ops = backend->ops;
	const int fds[3] = {100, 101, 102};
	struct backend_left left;
	ixgbe_iova first, last;

	(void)state;
	assert_int_equal(ops->dma_map(backend, fake.bar, 4096, -1, 0, 0x1000), 0);
	assert_int_equal(ops->irq_set(backend, fds, 3), 0);
	left_of(backend, &left);
	free(backend); /* as an exec does */
	fake.bar_mapped = false;
	fake.memlock_left = 0; /* nothing is pinned again */
	assert_int_equal(ixgbe_backend_vfio.take_over(&left, NULL, &next, &why), 0);
	assert_string_equal(fake.log, "");
	assert_int_equal(fake.irqs, 3);
	assert_int_equal(fake.dma_maps, 1);
	assert_true(fake.bar_mapped);
	ops = next->ops;
	ops->dma_range(next, &first, &last);
	assert_int_equal(last, 0xfedfffff);
	assert_ptr_equal(ops->doorbell(next, 0x6018), fake.bar + 0x6018);
	assert_int_equal(ops->config_read(next, 0, &last, 2), 0);
	assert_int_equal(ops->irq_set(next, fds, 2), 0);
	assert_int_equal(ops->dma_unmap(next, 0x1000, 4096), 0);
	fake.log[0] = '\0';
	ops->close(next);
	assert_string_equal(fake.log, "irqs-off reset unmap device unset group container");
	nothing_is_left();
}

static void what_is_no_device_is_not_taken_over(void **state)
{
	static const unsigned long steps[] = {
		VFIO_GET_API_VERSION,
		VFIO_GROUP_GET_STATUS,
		VFIO_IOMMU_GET_INFO,
		VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_GET_IRQ_INFO,
		VFIO_DEVICE_GET_REGION_INFO,
		FAIL_MMAP,
	};
	struct ixgbe_backend *backend = opened(), *next = NULL;
	struct backend_left left;

	(void)state;
	left_of(backend, &left);
	fake.bar_mapped = false;
	fake.fail_error = ENOTTY;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake.fail_request = steps[i];
		why.text[0] = '\0';
		assert_true(ixgbe_backend_vfio.take_over(&left, NULL, &next, &why) < 0);
		assert_non_null(strstr(why.text, "handed over"));
		assert_false(fake.bar_mapped);
	}
	fake.fail_request = 0;
	left.registers.bytes /= 2;
	assert_int_equal(ixgbe_backend_vfio.take_over(&left, NULL, &next, &why), -EBADMSG);
	assert_false(fake.bar_mapped);
	assert_null(next);
	/* All descriptors are open, and nothing was done to the device. */
	assert_string_equal(fake.log, "unmap");
	fake.bar_mapped = true;
	backend->ops->close(backend);
	nothing_is_left();
}

static void a_good_iova_range_is_chosen(void **state)
{
	const uint64_t last39 = (UINT64_C(1) << 39) - 1;
	const struct {
		uint32_t ranges;
		struct vfio_iova_range range[4];
		uint64_t first, last;
	} row[] = {
		{0, {{0}}, 0, 0xfedfffff}, /* an old kernel says nothing */
		{1, {{0, UINT64_MAX}}, 0, last39},
		{2, {{0, 0xfedfffff}, {0xfef00000, UINT64_MAX}}, 0, 0xfedfffff},
		/* The lowest is too small. */
		{2, {{0, 0x3ffffff}, {0xfef00000, UINT64_MAX}}, 0xfef00000, last39},
		/* All are small: the largest. */
		{3,
		 {{0, 0x3ffffff}, {0x8000000, 0xfffffff}, {0x20000000, 0x22000000}},
		 0x8000000,
		 0xfffffff},
		/* One that a narrow IOMMU does not reach. */
		{2, {{UINT64_C(1) << 40, UINT64_MAX}, {0x1000, 0x3ffffff}}, 0x1000, 0x3ffffff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ixgbe_backend *backend;
		ixgbe_iova first, last;

		fake.ranges = row[i].ranges;
		memcpy(fake.range, row[i].range, sizeof(fake.range));
		backend = opened();
		backend->ops->dma_range(backend, &first, &last);
		assert_int_equal(first, row[i].first);
		assert_int_equal(last, row[i].last);
		backend->ops->close(backend);
	}
	/* A chain that leads back, or out. */
	fake.ranges = 1;
	for (uint32_t next = 1; next < 4096; next += 7) {
		struct ixgbe_backend *backend;

		fake.cap_next = next;
		backend = opened();
		backend->ops->close(backend);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(addresses_are_parsed),
		TEST(what_sysfs_forbids_is_explained),
		TEST(each_refusal_is_explained),
		TEST(every_step_that_fails_leaves_nothing),
		TEST(it_opens_and_closes_in_order),
		TEST(registers_are_within_the_bar),
		TEST(configuration_space_is_read_and_written),
		TEST(vectors_get_their_eventfds),
		TEST(memory_is_mapped_and_unmapped),
		TEST(a_good_iova_range_is_chosen),
		TEST(a_device_is_handed_over),
		TEST(what_is_no_device_is_not_taken_over),
	};

	return cmocka_run_group_tests(tests, sysfs_make, sysfs_remove);
}
