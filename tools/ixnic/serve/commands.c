/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <assert.h>
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "tools/ixnic/bus/irqfd.h"
#include "tools/ixnic/bus/memory.h"

/* ---- Negotiation, memory, interrupts ---- */

/* The payload of a command, if it is that long. */
static int payload(const struct vu_message *m, void *to, size_t len)
{
	if (m->len < len)
		return -EINVAL;
	memcpy(to, m->data, len);
	return 0;
}

static int fill(uint8_t *reply, const void *data, size_t len)
{
	memcpy(reply, data, len);
	return (int)len;
}

/* The reply has the lesser minor version, and our limits: those of which the client named its own.
 */
static int handle_version(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_version version;
	struct vu_capabilities caps;
	int len, err = payload(m, &version, sizeof(version));

	if (err || c->negotiated)
		return -EINVAL;
	if (version.major != VU_VERSION_MAJOR)
		return -EINVAL;
	err = vu_capabilities_parse((const char *)m->data + sizeof(version),
				    m->len - sizeof(version), &caps);
	if (err)
		return err;
	c->data_max = caps.max_data_xfer_size;
	caps.max_msg_fds = VU_FDS_MAX;
	caps.max_data_xfer_size = VU_DATA_MAX_BYTES;
	caps.max_dma_maps = VU_DMA_MAPS_MAX;
	caps.pgsizes = VU_PAGE_SIZES;
	if (version.minor > VU_VERSION_MINOR)
		version.minor = VU_VERSION_MINOR;
	fill(reply, &version, sizeof(version));
	len = vu_capabilities_format(&caps, (char *)reply + sizeof(version), 512);
	if (len < 0)
		return len;
	c->negotiated = true;
	return (int)sizeof(version) + len;
}

static int handle_dma_map(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_dma_map map;
	int err = payload(m, &map, sizeof(map));

	(void)reply;
	if (err)
		return err;
	static_assert(VU_DMA_READABLE == MEMORY_READABLE && VU_DMA_WRITABLE == MEMORY_WRITABLE,
		      "the protocol's flags are the table's");
	return memory_map(c->function->nic->memory, map.addr, map.size,
			  map.flags & (MEMORY_READABLE | MEMORY_WRITABLE), m->fds ? m->fd[0] : -1,
			  map.offset);
}

static int handle_dma_unmap(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_dma_unmap unmap;
	int err = payload(m, &unmap, sizeof(unmap));

	if (err)
		return err;
	if (unmap.flags & ~(VU_UNMAP_DIRTY | VU_UNMAP_ALL))
		return -EINVAL;
	if (unmap.flags & VU_UNMAP_DIRTY)
		return -ENOTSUP;
	if (unmap.flags & VU_UNMAP_ALL) {
		if (unmap.addr != 0 || unmap.size != 0)
			return -EINVAL;
		memory_unmap_all(c->function->nic->memory);
	} else {
		err = memory_unmap(c->function->nic->memory, unmap.addr, unmap.size);
	}
	return err ? err : fill(reply, &unmap, sizeof(unmap));
}

static int handle_get_info(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_device_info info;
	int err = payload(m, &info, sizeof(info));

	(void)c;
	if (err || info.argsz < sizeof(info))
		return -EINVAL;
	info = (struct vu_device_info){
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.regions = VFIO_PCI_NUM_REGIONS,
		.irqs = VFIO_PCI_NUM_IRQS,
	};
	return fill(reply, &info, sizeof(info));
}

/* No region can be mapped: each page of BAR 0 has registers that act when read or written. */
static int handle_get_region_info(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_region_info info;
	int err = payload(m, &info, sizeof(info));

	(void)c;
	if (err || info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info = (struct vu_region_info){
		.argsz = sizeof(info),
		.index = info.index,
		.size = pci_function_bytes(info.index),
		.flags = pci_function_bytes(info.index)
				 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE
				 : 0,
	};
	return fill(reply, &info, sizeof(info));
}

/* What the client may tell of a region's descriptors if it has room. BAR 0 has a channel. */
static int handle_get_region_io_fds(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_region_io_fds fds;
	size_t whole = sizeof(fds) + sizeof(c->ioregion->sub);
	int err;

	if (!c->ioregion)
		return -ENOTSUP;
	/* What comes with a reply needs one. */
	if (vu_io_fds_check(m->data, m->len, &fds) || (m->header.flags & VU_NO_REPLY) ||
	    fds.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	if (fds.index != VFIO_PCI_BAR0_REGION_INDEX) {
		fds.argsz = sizeof(fds);
		return fill(reply, &fds, sizeof(fds));
	}
	fds.count = 1;
	if (fds.argsz < whole) { /* the client asks again, with more room */
		fds.argsz = (uint32_t)whole;
		return fill(reply, &fds, sizeof(fds));
	}
	fds.argsz = (uint32_t)whole;
	err = ioregion_new(c->ioregion, &c->reply_fd);
	if (err)
		return err;
	fill(reply + sizeof(fds), &c->ioregion->sub, sizeof(c->ioregion->sub));
	return fill(reply, &fds, sizeof(fds)) + (int)sizeof(c->ioregion->sub);
}

static int handle_get_irq_info(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_irq_info info;
	int err = payload(m, &info, sizeof(info));

	(void)c;
	if (err || info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = irqfd_flags(info.index);
	info.count = irqfd_count(info.index);
	return fill(reply, &info, sizeof(info));
}

static int handle_set_irqs(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	(void)reply;
	return irqfd_set(c->function->irqfd, m);
}

static int handle_reset(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	(void)m, (void)reply;
	pci_function_reset(c->function);
	return 0;
}

/* ---- Regions ---- */

/* 0, or -EINVAL: no such region, or not within it. */
static int access_check(uint32_t region, uint64_t offset, uint32_t count)
{
	if (region >= VFIO_PCI_NUM_REGIONS || count == 0 || count > VU_DATA_MAX_BYTES)
		return -EINVAL;
	return vu_within(offset, count, pci_function_bytes(region)) ? 0 : -EINVAL;
}

static int handle_region_read(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_region_access access;
	int err = payload(m, &access, sizeof(access));

	if (!err)
		err = access_check(access.region, access.offset, access.count);
	if (err)
		return err;
	fill(reply, &access, sizeof(access));
	pci_function_read(c->function, access.region, (uint32_t)access.offset,
			  reply + sizeof(access), access.count);
	return (int)(sizeof(access) + access.count);
}

static int handle_region_write(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_region_access access;
	int err = payload(m, &access, sizeof(access));

	if (!err)
		err = access_check(access.region, access.offset, access.count);
	if (err || m->len - sizeof(access) < access.count)
		return -EINVAL;
	pci_function_write(c->function, access.region, (uint32_t)access.offset,
			   m->data + sizeof(access), access.count);
	return fill(reply, &access, sizeof(access));
}

/* In order, up to the first that is wrong; the reply says how many were right. */
static int handle_region_write_multi(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	struct vu_write_multi multi;
	struct vu_write_one one;
	uint64_t done;
	int err = payload(m, &multi, sizeof(multi));

	if (err || multi.count > (m->len - sizeof(multi)) / sizeof(one))
		return -EINVAL;
	for (done = 0; done < multi.count; done++) {
		memcpy(&one, m->data + sizeof(multi) + done * sizeof(one), sizeof(one));
		if (one.count > sizeof(one.data) || access_check(one.region, one.offset, one.count))
			break;
		pci_function_write(c->function, one.region, (uint32_t)one.offset, one.data,
				   one.count);
	}
	return fill(reply, &done, sizeof(done));
}

/* ---- All of them ---- */

/* A handler returns the length of the reply's payload, or -errno. */
static const struct {
	int (*handle)(struct commands *c, struct vu_message *m, uint8_t *reply);
	uint32_t fds; /* at most */
} handlers[] = {
	[VU_VERSION] = {handle_version, 0},
	[VU_DMA_MAP] = {handle_dma_map, 1},
	[VU_DMA_UNMAP] = {handle_dma_unmap, 0},
	[VU_GET_INFO] = {handle_get_info, 0},
	[VU_GET_REGION_INFO] = {handle_get_region_info, 0},
	[VU_GET_REGION_IO_FDS] = {handle_get_region_io_fds, 0},
	[VU_GET_IRQ_INFO] = {handle_get_irq_info, 0},
	[VU_SET_IRQS] = {handle_set_irqs, VU_FDS_MAX},
	[VU_REGION_READ] = {handle_region_read, 0},
	[VU_REGION_WRITE] = {handle_region_write, 0},
	[VU_RESET] = {handle_reset, 0},
	[VU_REGION_WRITE_MULTI] = {handle_region_write_multi, 0},
};

int commands_answer(struct commands *c, struct vu_message *m, uint8_t *reply)
{
	uint16_t command = m->header.command;

	c->reply_fd = -1;
	if (command >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[command].handle)
		return -ENOTSUP;
	if (m->fds > handlers[command].fds)
		return -EINVAL;
	return handlers[command].handle(c, m, reply);
}
