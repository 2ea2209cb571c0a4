/* SPDX-License-Identifier: MIT */
/*
 * The registers of a device that another process keeps.
 *
 *     keeper                                         driver: this backend
 *     ---------------------------------------------  -----------------------------------------
 *     configuration space, DMA, interrupts, reset    registers, where BAR 0 is mapped and over
 *     the connection to a vfio-user server           a channel (region_channel.h)
 *
 * What only the keeper may do is -ENOTSUP here. At the channel's other end is the server, or the
 * keeper if the server has no channel (ixgbe/device/relay.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attached.h"
#include "region_channel.h"
#include "vfio_user_client.h"

struct attached {
	struct ixgbe_backend backend;
	struct ixgbe_backend_ops ops; /* with a name of its own */
	char name[16];
	struct backend_registers registers;
	struct ixgbe_options options; /* give_up */
	struct region_channel channel;
};

static struct attached *attached_of(struct ixgbe_backend *backend)
{
	return (struct attached *)(void *)backend;
}

/* ---- Registers ---- */

static volatile uint32_t *attached_doorbell(struct ixgbe_backend *backend, uint32_t offset)
{
	const struct backend_registers *registers = &attached_of(backend)->registers;

	return offset % 4 == 0 ? backend_window_at(registers->window, registers->windows, offset)
			       : NULL;
}

static uint32_t attached_read32(struct ixgbe_backend *backend, uint32_t offset)
{
	struct attached *attached = attached_of(backend);
	volatile uint32_t *at = attached_doorbell(backend, offset);
	uint32_t value;

	if (atomic_load_explicit(&attached->channel.gone, memory_order_relaxed))
		return UINT32_MAX;
	if (at)
		return *at;
	if (attached->channel.sock < 0)
		return UINT32_MAX;
	return region_channel_read32(&attached->channel, offset, &value) ? UINT32_MAX : value;
}

static void attached_write32(struct ixgbe_backend *backend, uint32_t offset, uint32_t value)
{
	struct attached *attached = attached_of(backend);
	volatile uint32_t *at = attached_doorbell(backend, offset);

	if (at)
		*at = value;
	else if (attached->channel.sock >= 0)
		(void)region_channel_write32(&attached->channel, offset, value);
}

/* ---- What only the keeper may do ---- */

static int attached_config_read(struct ixgbe_backend *backend, uint32_t offset, void *data,
				size_t len)
{
	(void)backend;
	(void)offset;
	(void)data;
	(void)len;
	return -ENOTSUP;
}

static int attached_config_write(struct ixgbe_backend *backend, uint32_t offset, const void *data,
				 size_t len)
{
	(void)backend;
	(void)offset;
	(void)data;
	(void)len;
	return -ENOTSUP;
}

static int attached_dma_map(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
			    uint64_t fd_offset, ixgbe_iova iova)
{
	(void)backend;
	(void)addr;
	(void)len;
	(void)fd;
	(void)fd_offset;
	(void)iova;
	return -ENOTSUP;
}

static int attached_dma_unmap(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	(void)backend;
	(void)iova;
	(void)len;
	return -ENOTSUP;
}

static void attached_dma_range(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	(void)backend;
	*first = *last = 0;
}

static int attached_irq_set(struct ixgbe_backend *backend, const int *eventfd, uint32_t count)
{
	(void)backend;
	(void)eventfd;
	(void)count;
	return -ENOTSUP;
}

static int attached_reset(struct ixgbe_backend *backend)
{
	(void)backend;
	return -ENOTSUP;
}

/* ---- Life ---- */

static void attached_close(struct ixgbe_backend *backend)
{
	struct attached *attached = attached_of(backend);

	if (!attached)
		return;
	region_channel_close(&attached->channel);
	free(attached);
}

static const struct ixgbe_backend_ops attached_ops = {
	.close = attached_close,
	.read32 = attached_read32,
	.write32 = attached_write32,
	.doorbell = attached_doorbell,
	.config_read = attached_config_read,
	.config_write = attached_config_write,
	.dma_map = attached_dma_map,
	.dma_unmap = attached_dma_unmap,
	.dma_range = attached_dma_range,
	.irq_set = attached_irq_set,
	.reset = attached_reset,
};

int attached_new(const char *name, const struct backend_registers *registers,
		 const struct ixgbe_options *options, struct ixgbe_backend **out)
{
	struct attached *attached = calloc(1, sizeof(*attached));

	if (!attached)
		return -ENOMEM;
	snprintf(attached->name, sizeof(attached->name), "%s", name);
	attached->ops = attached_ops;
	attached->ops.name = attached->name;
	attached->backend.ops = &attached->ops;
	attached->registers = *registers;
	attached->options = *options;
	region_channel_init(&attached->channel);
	*out = &attached->backend;
	return 0;
}

int attached_connect(struct ixgbe_backend *backend, int sock, uint64_t user_data)
{
	struct attached *attached = attached_of(backend);
	const struct vu_sub_region sub = {.user_data = user_data};

	if (attached->channel.sock >= 0) {
		close(sock);
		return -EALREADY;
	}
	return region_channel_open(&attached->channel, sock, &sub,
				   VFIO_USER_DEADLINE_S * 1000000000ull, &attached->options, NULL);
}
