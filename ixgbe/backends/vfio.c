/* SPDX-License-Identifier: MIT */
/*
 * The kernel's VFIO (Documentation/driver-api/vfio.rst), with a type 1 IOMMU.
 *
 *     /dev/vfio/N        the group: all devices that the IOMMU cannot tell apart
 *       in a container   /dev/vfio/vfio: an IOMMU address space, where DMA is mapped
 *         the device     registers by mmap, configuration space by pread, MSI-X by ioctl
 *
 * The order matters: a group is viable when all its devices are bound to vfio-pci or to
 * nothing; the IOMMU can be set when a group is in the container; the device can be had
 * when the IOMMU is set. Closing goes backwards. The last close of the device makes the
 * kernel clear bus mastering and reset it, even when the process was killed.
 *
 * An exec is no close of descriptors that stay open. Pages that are pinned stay pinned, and mapped
 * for the device, until the container is closed. Linux 6.1 may refuse to unmap them singly, since
 * another program mapped them; closing the container frees them then.
 *
 * Only BAR 0 is mapped. The MSI-X table has a BAR of its own, which the kernel manages.
 *
 * Time. No option of ours ends a call into the kernel: who waits here serves nobody meanwhile, and
 * cannot be killed while the kernel sleeps. Three calls reset the function: opening the device,
 * VFIO_DEVICE_RESET and the last close. Linux (pcie_flr) waits up to 700 ms for requests that are
 * under way, then 100 ms, so a device that works takes less than a second. One that does not come
 * back is waited for up to 60 s. MAP_DMA pins pages that are there already (MAP_POPULATE in
 * queues/dma.c). To be heard during those 60 s a program needs a thread or a process for the reset
 * alone, which nothing else of the NIC waits for.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vfio.h"

/* The narrowest IOMMUs reach 39 bits, and not all kernels say so. */
#define IOVA_LAST_MAX ((UINT64_C(1) << 39) - 1)
/* For a kernel that names no ranges: the last address below the window of MSI on x86. */
#define IOVA_LAST_DEFAULT UINT64_C(0xfedfffff)
/* A range of this size has room for all pools of a port, so no other one is looked for. */
#define IOVA_RANGE_ENOUGH_BYTES (UINT64_C(1) << 30)
/* About as much as a port with one queue pins. */
#define MEMLOCK_PROBE_BYTES (UINT64_C(32) << 20)
/* Room for eventfds in one message to the kernel. Vectors beyond it are not offered. */
#define EVENTFDS_MAX 64u

struct vfio {
	struct ixgbe_backend backend;
	int container, group, device;
	bool in_container;
	uint8_t *bar;
	size_t bar_bytes;
	uint64_t bar_offset; /* in the device's file */
	uint64_t config_offset, config_bytes;
	uint32_t vectors;
	ixgbe_iova first, last;
};

static struct vfio *vfio_of(struct ixgbe_backend *backend)
{
	return (struct vfio *)backend;
}

/* ---- Registers ---- */

static uint32_t vfio_read32(struct ixgbe_backend *backend, uint32_t offset)
{
	const struct vfio *vfio = vfio_of(backend);

	return offset <= vfio->bar_bytes - 4 ? *(const volatile uint32_t *)(vfio->bar + offset)
					     : UINT32_MAX;
}

static volatile uint32_t *vfio_doorbell(struct ixgbe_backend *backend, uint32_t offset)
{
	const struct vfio *vfio = vfio_of(backend);

	return offset <= vfio->bar_bytes - 4 ? (volatile uint32_t *)(vfio->bar + offset) : NULL;
}

static void vfio_write32(struct ixgbe_backend *backend, uint32_t offset, uint32_t value)
{
	volatile uint32_t *reg = vfio_doorbell(backend, offset);

	if (reg)
		*reg = value;
}

static void vfio_registers(struct ixgbe_backend *backend, struct backend_registers *out)
{
	const struct vfio *vfio = vfio_of(backend);

	*out = (struct backend_registers){
		.bytes = vfio->bar_bytes,
		.windows = 1,
		.window = {{0, vfio->bar_bytes, vfio->bar, vfio->bar_offset}},
		.fd = vfio->device,
		.channel = -1,
	};
}

/* ---- Configuration space ---- */

static bool config_within(const struct vfio *vfio, uint32_t offset, size_t len)
{
	return offset <= vfio->config_bytes && len <= vfio->config_bytes - offset;
}

static int transferred(ssize_t got, size_t len)
{
	if (got < 0)
		return (int)got;
	return (size_t)got == len ? 0 : -EIO;
}

static int vfio_config_read(struct ixgbe_backend *backend, uint32_t offset, void *data, size_t len)
{
	const struct vfio *vfio = vfio_of(backend);

	if (!config_within(vfio, offset, len))
		return -EINVAL;
	return transferred(
		vfio_kernel.pread(vfio->device, data, len, (off_t)(vfio->config_offset + offset)),
		len);
}

static int vfio_config_write(struct ixgbe_backend *backend, uint32_t offset, const void *data,
			     size_t len)
{
	const struct vfio *vfio = vfio_of(backend);

	if (!config_within(vfio, offset, len))
		return -EINVAL;
	return transferred(
		vfio_kernel.pwrite(vfio->device, data, len, (off_t)(vfio->config_offset + offset)),
		len);
}

/* ---- DMA ---- */

static int vfio_dma_map(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
			uint64_t fd_offset, ixgbe_iova iova)
{
	const struct vfio *vfio = vfio_of(backend);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)addr,
		.iova = iova,
		.size = len,
	};

	(void)fd;
	(void)fd_offset;
	return vfio_kernel.ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &map);
}

static int vfio_dma_unmap(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	const struct vfio *vfio = vfio_of(backend);
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = len,
	};
	int err = vfio_kernel.ioctl(vfio->container, VFIO_IOMMU_UNMAP_DMA, &unmap);

	/* Linux 6.1 says 0 to one that is not who mapped, and how much of it was done: nothing. */
	return err < 0 ? err : unmap.size == len ? 0 : -EPERM;
}

static void vfio_dma_range(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	*first = vfio_of(backend)->first;
	*last = vfio_of(backend)->last;
}

/* ---- Interrupts and reset ---- */

static int vfio_irq_set(struct ixgbe_backend *backend, const int *eventfd, uint32_t count)
{
	const struct vfio *vfio = vfio_of(backend);
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + EVENTFDS_MAX * sizeof(int)];
	} arg = {.set = {
			 .argsz = sizeof(struct vfio_irq_set),
			 .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = VFIO_PCI_MSIX_IRQ_INDEX,
		 }};
	int err;

	if (count > vfio->vectors)
		return -EINVAL;
	/* Vectors cannot be added to those that are enabled: all off first, by count 0. The
	 * kernel says -EINVAL when they are off already. */
	err = vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &arg.set);
	if (err < 0 && err != -EINVAL)
		return err;
	if (count == 0)
		return 0;
	arg.set.argsz += count * (uint32_t)sizeof(int);
	arg.set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	arg.set.count = count;
	memcpy(arg.set.data, eventfd, count * sizeof(int));
	err = vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &arg.set);
	return err > 0 ? -ENOSPC : err; /* positive: the kernel has only so many vectors */
}

static int alarm_set(const struct vfio *vfio, uint32_t index, int eventfd)
{
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} arg = {.set = {
			 .argsz = sizeof(arg),
			 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = index,
			 .count = 1,
		 }};

	memcpy(arg.set.data, &eventfd, sizeof(eventfd));
	return vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &arg.set);
}

static int vfio_alarms(struct ixgbe_backend *backend, int release, int error)
{
	const struct vfio *vfio = vfio_of(backend);
	int err = alarm_set(vfio, VFIO_PCI_REQ_IRQ_INDEX, release);

	/* Only PCI Express has errors to report; the kernel says -EINVAL or -ENOTTY else. */
	if (!err)
		(void)alarm_set(vfio, VFIO_PCI_ERR_IRQ_INDEX, error);
	return err;
}

static int vfio_reset(struct ixgbe_backend *backend)
{
	const struct vfio *vfio = vfio_of(backend);

	return vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_RESET, NULL);
}

/* ---- Open ---- */

static int container_open(struct vfio *vfio, struct ixgbe_why *why)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vfio", vfio_kernel.dev);
	vfio->container = vfio_kernel.open(path);
	if (vfio->container < 0)
		return ixgbe_why_fill(why, vfio->container, "%s: %s%s", path,
				      strerror(-vfio->container),
				      vfio->container == -ENOENT || vfio->container == -ENODEV
					      ? "; load VFIO with 'modprobe vfio-pci'"
					      : "");
	if (vfio_kernel.ioctl(vfio->container, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION ||
	    vfio_kernel.ioctl(vfio->container, VFIO_CHECK_EXTENSION, (void *)VFIO_TYPE1v2_IOMMU) <=
		    0)
		return ixgbe_why_fill(why, -EOPNOTSUPP,
				      "VFIO of this kernel has no type 1 IOMMU: 'modprobe "
				      "vfio_iommu_type1'");
	return 0;
}

static int group_open(struct vfio *vfio, const struct vfio_pci *pci, const char *path,
		      struct ixgbe_why *why)
{
	vfio->group = vfio_kernel.open(path);
	if (vfio->group == -EACCES || vfio->group == -EPERM)
		return ixgbe_why_fill(
			why, vfio->group,
			"no permission on %s, the IOMMU group of NIC %s: 'chown USER %s', or "
			"start as root",
			path, pci->bdf, path);
	if (vfio->group == -EBUSY)
		return ixgbe_why_fill(
			why, -EBUSY,
			"NIC %s is in use: another process has %s open ('fuser -v %s' says "
			"which)",
			pci->bdf, path, path);
	if (vfio->group < 0)
		return ixgbe_why_fill(why, vfio->group, "%s, the IOMMU group of NIC %s: %s", path,
				      pci->bdf, strerror(-vfio->group));
	return 0;
}

/* Checks that the group is viable, and puts it into the container. */
static int group_attach(struct vfio *vfio, const struct vfio_pci *pci, const char *path,
			struct ixgbe_why *why)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int err = vfio_kernel.ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status);

	if (err < 0)
		return ixgbe_why_fill(why, err, "status of %s: %s", path, strerror(-err));
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return ixgbe_why_fill(
			why, -EPERM,
			"IOMMU group %s of NIC %s has devices with other drivers: bind all of "
			"/sys/kernel/iommu_groups/%s/devices to vfio-pci, or move the NIC to "
			"another slot",
			pci->group, pci->bdf, pci->group);
	err = vfio_kernel.ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container);
	if (err < 0)
		return ixgbe_why_fill(why, err, "%s into a container: %s", path, strerror(-err));
	vfio->in_container = true;
	return 0;
}

static int iommu_set(struct vfio *vfio, const struct vfio_pci *pci, struct ixgbe_why *why)
{
	int err = vfio_kernel.ioctl(vfio->container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);

	if (err == -EPERM)
		return ixgbe_why_fill(
			why, err,
			"NIC %s: this machine has no interrupt remapping, so VFIO refuses it: "
			"enable it in the firmware, or accept that the device may forge "
			"interrupts with 'modprobe vfio_iommu_type1 allow_unsafe_interrupts=1'",
			pci->bdf);
	if (err < 0)
		return ixgbe_why_fill(why, err, "NIC %s: setting its IOMMU: %s", pci->bdf,
				      strerror(-err));
	return 0;
}

/* Container and group, up to a set IOMMU. */
static int iommu_open(struct vfio *vfio, const struct vfio_pci *pci, struct ixgbe_why *why)
{
	char path[128];
	int err = container_open(vfio, why);

	snprintf(path, sizeof(path), "%s/%s", vfio_kernel.dev, pci->group);
	if (!err)
		err = group_open(vfio, pci, path, why);
	if (!err)
		err = group_attach(vfio, pci, path, why);
	return err ? err : iommu_set(vfio, pci, why);
}

/* Keeps the range if it is better than those before: the first that is large enough is best, and
 * without one the largest. */
static void consider_range(struct vfio *vfio, struct vfio_iova_range range, uint64_t *best)
{
	uint64_t last = range.end < IOVA_LAST_MAX ? range.end : IOVA_LAST_MAX;

	if (*best >= IOVA_RANGE_ENOUGH_BYTES || range.start > last || last - range.start <= *best)
		return;
	*best = last - range.start;
	vfio->first = range.start;
	vfio->last = last;
}

/* Looks for the IOVA ranges in the IOMMU's chain of capabilities. These are not aligned: a
 * kernel before 6.6 puts one of 12 bytes in front of them. */
static void parse_ranges(struct vfio *vfio, const uint8_t *info, size_t size, size_t at)
{
	struct vfio_iommu_type1_info_cap_iova_range cap;
	struct vfio_iova_range range;
	uint64_t best = 0;

	while (at <= size && size - at >= sizeof(cap.header)) {
		memcpy(&cap.header, info + at, sizeof(cap.header));
		if (cap.header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE &&
		    size - at >= sizeof(cap)) {
			memcpy(&cap, info + at, sizeof(cap));
			at += sizeof(cap);
			for (; cap.nr_iovas > 0 && size - at >= sizeof(range); cap.nr_iovas--) {
				memcpy(&range, info + at, sizeof(range));
				consider_range(vfio, range, &best);
				at += sizeof(range);
			}
			return;
		}
		if (cap.header.next <= at)
			return;
		at = cap.header.next;
	}
}

static int read_ranges(struct vfio *vfio)
{
	struct vfio_iommu_type1_info small = {.argsz = sizeof(small)};
	struct vfio_iommu_type1_info *info;
	int err;

	vfio->first = 0;
	vfio->last = IOVA_LAST_DEFAULT;
	err = vfio_kernel.ioctl(vfio->container, VFIO_IOMMU_GET_INFO, &small);
	if (err < 0 || !(small.flags & VFIO_IOMMU_INFO_CAPS) || small.argsz <= sizeof(small))
		return err;
	info = calloc(1, small.argsz);
	if (!info)
		return -ENOMEM;
	info->argsz = small.argsz;
	err = vfio_kernel.ioctl(vfio->container, VFIO_IOMMU_GET_INFO, info);
	if (err == 0 && (info->flags & VFIO_IOMMU_INFO_CAPS))
		parse_ranges(vfio, (const uint8_t *)info, small.argsz, info->cap_offset);
	free(info);
	return err;
}

/* Pins as much as a small port, and lets go again. Here a failure can be explained; later it would
 * be any map's -ENOMEM. */
static int probe_memlock(struct vfio *vfio, struct ixgbe_why *why)
{
	const size_t len = MEMLOCK_PROBE_BYTES;
	ixgbe_iova iova = (vfio->first + 0xfff) & ~UINT64_C(0xfff);
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (addr == MAP_FAILED)
		return ixgbe_why_fill(why, -errno, "%zu MiB of memory: %s", len >> 20,
				      strerror(errno));
	err = vfio_dma_map(&vfio->backend, addr, len, -1, 0, iova);
	if (err == 0)
		vfio_dma_unmap(&vfio->backend, iova, len);
	munmap(addr, len);
	if (err == -ENOMEM)
		return ixgbe_why_fill(
			why, err,
			"memory that may be locked for DMA: %llu KiB, at least %zu KiB are "
			"needed; raise it with 'ulimit -l unlimited', or LimitMEMLOCK=infinity "
			"in the service",
			(unsigned long long)vfio_kernel.memlock_bytes() >> 10, len >> 10);
	if (err < 0)
		return ixgbe_why_fill(why, err, "mapping memory for DMA: %s", strerror(-err));
	return 0;
}

static int region_info(const struct vfio *vfio, uint32_t index, struct vfio_region_info *out)
{
	*out = (struct vfio_region_info){.argsz = sizeof(*out), .index = index};
	return vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, out);
}

/* What the kernel says of a device. */
struct device_facts {
	struct vfio_device_info device;
	struct vfio_irq_info irq;
	struct vfio_region_info bar, config;
};

static int device_ask(const struct vfio *vfio, struct device_facts *out)
{
	int err;

	*out = (struct device_facts){
		.device.argsz = sizeof(out->device),
		.irq = {.argsz = sizeof(out->irq), .index = VFIO_PCI_MSIX_IRQ_INDEX},
	};
	err = vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_GET_INFO, &out->device);
	if (err == 0)
		err = region_info(vfio, VFIO_PCI_BAR0_REGION_INDEX, &out->bar);
	if (err == 0)
		err = region_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &out->config);
	if (err == 0)
		err = vfio_kernel.ioctl(vfio->device, VFIO_DEVICE_GET_IRQ_INFO, &out->irq);
	return err;
}

static bool device_usable(const struct device_facts *facts)
{
	const uint32_t mappable = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_READ |
				  VFIO_REGION_INFO_FLAG_WRITE;

	return (facts->device.flags & VFIO_DEVICE_FLAGS_RESET) &&
	       (facts->bar.flags & mappable) == mappable && facts->bar.size >= 4096 &&
	       facts->irq.count > 0;
}

/* Asks for all that a driver needs of a device that is open, and maps its registers. */
static int device_map(struct vfio *vfio, const char *bdf, struct ixgbe_why *why)
{
	struct device_facts facts;
	void *addr;
	int err = device_ask(vfio, &facts);

	if (err < 0)
		return ixgbe_why_fill(why, err, "NIC %s: asking what it has: %s", bdf,
				      strerror(-err));
	if (!device_usable(&facts))
		return ixgbe_why_fill(
			why, -ENODEV,
			"NIC %s cannot be used: a function reset, registers in memory and "
			"MSI-X are needed; is it an 82599?",
			bdf);
	err = vfio_kernel.map(facts.bar.size, vfio->device, (off_t)facts.bar.offset, &addr);
	if (err < 0)
		return ixgbe_why_fill(why, err, "NIC %s: mapping its registers: %s", bdf,
				      strerror(-err));
	vfio->bar = addr;
	vfio->bar_bytes = facts.bar.size;
	vfio->bar_offset = facts.bar.offset;
	vfio->config_offset = facts.config.offset;
	vfio->config_bytes = facts.config.size;
	vfio->vectors = facts.irq.count < EVENTFDS_MAX ? facts.irq.count : EVENTFDS_MAX;
	return 0;
}

static int open_device(struct vfio *vfio, const struct vfio_pci *pci, struct ixgbe_why *why)
{
	vfio->device = vfio_kernel.ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, (void *)pci->bdf);
	if (vfio->device < 0)
		return ixgbe_why_fill(why, vfio->device, "NIC %s: opening it: %s", pci->bdf,
				      strerror(-vfio->device));
	return device_map(vfio, pci->bdf, why);
}

static void vfio_close(struct ixgbe_backend *backend)
{
	struct vfio *vfio = vfio_of(backend);

	if (!vfio)
		return;
	if (vfio->bar) {
		vfio_irq_set(backend, NULL, 0);
		vfio_reset(backend);
		vfio_kernel.unmap(vfio->bar, vfio->bar_bytes);
	}
	if (vfio->device >= 0)
		vfio_kernel.close(vfio->device);
	if (vfio->in_container)
		vfio_kernel.ioctl(vfio->group, VFIO_GROUP_UNSET_CONTAINER, NULL);
	if (vfio->group >= 0)
		vfio_kernel.close(vfio->group);
	if (vfio->container >= 0)
		vfio_kernel.close(vfio->container);
	free(vfio);
}

static int open_all(struct vfio *vfio, const struct vfio_pci *pci, struct ixgbe_why *why)
{
	int err = iommu_open(vfio, pci, why);

	if (err)
		return err;
	err = read_ranges(vfio);
	if (err)
		return ixgbe_why_fill(why, err, "NIC %s: asking what its IOMMU can map: %s",
				      pci->bdf, strerror(-err));
	err = open_device(vfio, pci, why);
	return err ? err : probe_memlock(vfio, why);
}

static int vfio_open(const char *name, const struct ixgbe_options *options,
		     struct ixgbe_backend **out, struct ixgbe_why *why)
{
	struct vfio_pci pci;
	struct vfio *vfio;
	int err;

	(void)options; /* the kernel answers at once */
	err = vfio_pci_find(vfio_kernel.sysfs, name, &pci, why);
	if (err)
		return err;
	vfio = calloc(1, sizeof(*vfio));
	if (!vfio)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	vfio->backend.ops = &ixgbe_backend_vfio;
	vfio->container = vfio->group = vfio->device = -1;
	err = open_all(vfio, &pci, why);
	if (err) {
		vfio_close(&vfio->backend);
		return err;
	}
	*out = &vfio->backend;
	return 0;
}

/* ---- For the program that the process executes ---- */

static int vfio_hand_over(struct ixgbe_backend *backend, struct backend_handed *out)
{
	const struct vfio *vfio = vfio_of(backend);

	*out = (struct backend_handed){.fd = {vfio->container, vfio->group}};
	return 0;
}

/* Whether the descriptors are what they are said to be: what the kernel says of each. */
static int left_ask(struct vfio *vfio, const struct backend_registers *registers,
		    struct ixgbe_why *why)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int err = vfio_kernel.ioctl(vfio->container, VFIO_GET_API_VERSION, NULL);

	if (err >= 0)
		err = err == VFIO_API_VERSION
			      ? vfio_kernel.ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status)
			      : -EBADMSG;
	if (err >= 0)
		err = read_ranges(vfio);
	if (err < 0)
		return ixgbe_why_fill(why, -EBADMSG,
				      "container and group of the NIC that was handed over: %s",
				      strerror(-err));
	err = device_map(vfio, "that was handed over", why);
	if (!err && vfio->bar_bytes != registers->bytes)
		err = ixgbe_why_fill(why, -EBADMSG,
				     "the NIC that was handed over has registers of %zu bytes, "
				     "not of %llu",
				     vfio->bar_bytes, (unsigned long long)registers->bytes);
	return err;
}

/* The kernel charged the pages to the program before, whose account ended with its memory. So
 * nothing is probed, and nothing is pinned again. */
static int vfio_take_over(const struct backend_left *left, const struct ixgbe_options *options,
			  struct ixgbe_backend **out, struct ixgbe_why *why)
{
	static const struct backend_handed none;
	struct vfio *vfio;
	int err;

	(void)options;
	if (memcmp(left->handed.word, none.word, sizeof(none.word)) != 0)
		return ixgbe_why_fill(why, -EBADMSG,
				      "the NIC was handed over with words that mean nothing");
	vfio = calloc(1, sizeof(*vfio));
	if (!vfio)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	vfio->backend.ops = &ixgbe_backend_vfio;
	vfio->container = left->handed.fd[0];
	vfio->group = left->handed.fd[1];
	vfio->device = left->registers.fd;
	vfio->in_container = true;
	err = left_ask(vfio, &left->registers, why);
	if (err) {
		if (vfio->bar)
			vfio_kernel.unmap(vfio->bar, vfio->bar_bytes);
		free(vfio);
		return err;
	}
	*out = &vfio->backend;
	return 0;
}

const struct ixgbe_backend_ops ixgbe_backend_vfio = {
	.name = "vfio",
	.prefix = "vfio:",
	.open = vfio_open,
	.close = vfio_close,
	.read32 = vfio_read32,
	.write32 = vfio_write32,
	.doorbell = vfio_doorbell,
	.config_read = vfio_config_read,
	.config_write = vfio_config_write,
	.dma_map = vfio_dma_map,
	.dma_unmap = vfio_dma_unmap,
	.dma_range = vfio_dma_range,
	.irq_set = vfio_irq_set,
	.alarms = vfio_alarms,
	.reset = vfio_reset,
	.registers = vfio_registers,
	.hand_over = vfio_hand_over,
	.take_over = vfio_take_over,
};
