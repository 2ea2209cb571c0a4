/* SPDX-License-Identifier: MIT */
/*
 * A device for another program: what it needs to drive, as a record and descriptors.
 *
 *     descriptor     of                                          after import
 *     -------------  ------------------------------------------  ------------
 *     0              state memory, with the note before it       closed
 *     1 ... a        DMA memory, in the order of a driver        closed
 *     a+1 ... a+v    the vectors' eventfds                       kept
 *     a+v+1          BAR 0's windows, if there are any           closed
 *
 * What is mapped stays: a process whose descriptors are closed holds on to nothing else. The
 * channel to registers is not part of an image, since each driver gets another one.
 *
 * The record is the keeper's word, and the importer takes none of it on trust: each number is
 * checked for itself, the memories against their files, and against each other by where they are to
 * lie. What a record cannot say wrong is the kind of a vector's descriptor: a wrong one is a vector
 * that never fires, or always.
 */
#include "ixgbe/backends/attached.h"
#include "ixgbe/queues/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

static_assert(1 + AREAS_MAX + VECTORS_MAX + 1 <= IXGBE_IMAGE_FDS_MAX, "all descriptors fit");

/* ---- Export ---- */

static void options_put(const struct ixgbe_options *options, struct image_record *record)
{
	record->queues = options->queues;
	record->rx_ring = options->rx_ring;
	record->tx_ring = options->tx_ring;
	record->mtu = options->mtu;
	record->itr_us = options->itr_us;
	record->vlan_strip = options->rx_vlan_strip;
}

static void memories_put(const struct ixgbe_device *device, struct image_record *record,
			 struct ixgbe_device_image *out)
{
	record->state = (struct image_memory){
		.at = (uintptr_t)device->note,
		.bytes = device->memory.bytes + sizeof(*device->note),
	};
	out->fd[out->fds++] = device->state_fd;
	record->areas = dma_count(device->dma);
	for (uint32_t i = 0; i < record->areas; i++) {
		struct dma_shared shared;

		dma_show(device->dma, i, &shared);
		record->area[i] = (struct image_memory){.at = (uintptr_t)shared.dma.addr,
							.bytes = shared.dma.len,
							.iova = shared.dma.iova,
							.asked = shared.asked};
		out->fd[out->fds++] = shared.fd;
	}
}

static void windows_put(const struct ixgbe_device *device, struct image_record *record,
			struct ixgbe_device_image *out)
{
	struct backend_registers registers;

	device->backend->ops->registers(device->backend, &registers);
	record->bar_bytes = registers.bytes;
	record->windows = registers.windows;
	for (uint32_t i = 0; i < registers.windows; i++)
		record->window[i] =
			(struct image_window){registers.window[i].offset, registers.window[i].bytes,
					      registers.window[i].fd_offset};
	if (registers.windows > 0)
		out->fd[out->fds++] = registers.fd;
}

int ixgbe_device_export(const struct ixgbe_device *device, struct ixgbe_device_image *out,
			struct ixgbe_why *why)
{
	struct ixgbe_device_image image = {.bytes = sizeof(struct image_record)};
	struct image_record *record;

	if (device->imported)
		return ixgbe_why_fill(why, -ENOTSUP, "an imported device has one driver");
	record = calloc(1, sizeof(*record));
	if (!record)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	record->magic = IMAGE_MAGIC;
	record->version = IMAGE_VERSION;
	record->bytes = sizeof(*record);
	strncpy(record->name, device->backend->ops->name, sizeof(record->name) - 1);
	record->device_id = device->device_id;
	options_put(&device->options, record);
	memories_put(device, record, &image);
	record->vectors = device->vectors;
	for (uint32_t v = 0; v < device->vectors; v++)
		image.fd[image.fds++] = device->irq_fd[v];
	windows_put(device, record, &image);
	record->fds = image.fds;
	image.record = record;
	*out = image;
	return 0;
}

void ixgbe_device_image_free(struct ixgbe_device_image *image)
{
	free(image->record);
	image->record = NULL;
}

/* ---- What a record says for itself ---- */

int image_broken(struct ixgbe_why *why, const char *what)
{
	return ixgbe_why_fill(why, -EBADMSG,
			      "the record of the device does not add up (%s); is the keeper of "
			      "another version?",
			      what);
}

int image_read(const void *from, size_t bytes, uint32_t fds, struct image_record *record,
	       struct ixgbe_why *why)
{
	struct {
		uint32_t magic, version, bytes;
	} head;

	if (bytes < sizeof(head))
		return image_broken(why, "its length");
	memcpy(&head, from, sizeof(head));
	if (head.magic != IMAGE_MAGIC)
		return image_broken(why, "its first word");
	if (head.version != IMAGE_VERSION)
		return ixgbe_why_fill(why, -EBADMSG,
				      "the device is kept by another version: its record is of "
				      "version %u, this driver reads %u",
				      head.version, IMAGE_VERSION);
	if (head.bytes != sizeof(*record) || bytes != sizeof(*record))
		return image_broken(why, "its length");
	memcpy(record, from, sizeof(*record));
	/* Not yet bounded numbers add up in 64 bits. */
	if (record->areas > AREAS_MAX || record->windows > BACKEND_WINDOWS_MAX ||
	    record->vectors > VECTORS_MAX || record->fds != fds ||
	    1 + record->areas + record->vectors + (record->windows > 0) != fds)
		return image_broken(why, "how much of everything");
	return 0;
}

int image_options_read(const struct image_record *record, const struct ixgbe_options *callbacks,
		       struct ixgbe_options *out, struct ixgbe_why *why)
{
	const struct ixgbe_options options = {
		.queues = record->queues,
		.rx_ring = record->rx_ring,
		.tx_ring = record->tx_ring,
		.mtu = record->mtu,
		.itr_us = record->itr_us,
		.rx_vlan_strip = record->vlan_strip != 0,
		.log = callbacks ? callbacks->log : NULL,
		.log_ctx = callbacks ? callbacks->log_ctx : NULL,
		.give_up = callbacks ? callbacks->give_up : NULL,
		.give_up_ctx = callbacks ? callbacks->give_up_ctx : NULL,
	};

	if (!options.queues || !options.rx_ring || !options.tx_ring || !options.mtu ||
	    device_options_fill(&options, out, NULL) || record->vlan_strip > 1)
		return image_broken(why, "its options");
	if (record->vectors != options.queues + 1u || record->areas < 2u * options.queues)
		return image_broken(why, "its queues");
	if (!device_id_known(record->device_id) || record->reserved != 0 || !record->name[0] ||
	    record->name[NAME_BYTES - 1])
		return image_broken(why, "its identity");
	return 0;
}

/* ---- Import ---- */

/* A window's file is the kernel's VFIO, or a file of the server's that cannot be shrunk. */
static bool window_file_fits(int fd, const struct image_window *window)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (fstat(fd, &st))
		return false;
	if (seals < 0)
		return !S_ISREG(st.st_mode) || st.st_nlink == 0 || st.st_size == 0;
	return (seals & F_SEAL_SHRINK) && st.st_size >= 0 &&
	       vu_within(window->fd_offset, window->bytes, (uint64_t)st.st_size);
}

static int window_map(const struct image_record *record, uint32_t i, int fd,
		      struct backend_window *out)
{
	const struct image_window *w = &record->window[i];
	void *at;

	if (w->bytes == 0 || w->offset % 4096 != 0 || w->bytes % 4096 != 0 ||
	    w->fd_offset % 4096 != 0 || w->fd_offset > INT64_MAX - w->bytes ||
	    record->bar_bytes > UINT32_MAX || !vu_within(w->offset, w->bytes, record->bar_bytes) ||
	    !window_file_fits(fd, w))
		return -EBADMSG;
	at = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)w->fd_offset);
	if (at == MAP_FAILED)
		return -errno;
	*out = (struct backend_window){w->offset, w->bytes, at, w->fd_offset};
	return 0;
}

static int windows_map(struct ixgbe_device *device, const struct image_record *record, int fd,
		       struct ixgbe_why *why)
{
	struct backend_registers *registers = &device->registers;
	int err = 0;

	registers->bytes = record->bar_bytes;
	registers->channel = -1;
	while (registers->windows < record->windows && !err) {
		err = window_map(record, registers->windows, fd,
				 &registers->window[registers->windows]);
		registers->windows += !err;
	}
	if (err)
		return ixgbe_why_fill(why, err, "cannot map the device's registers: %s",
				      strerror(-err));
	err = attached_new(record->name, registers, &device->options, &device->backend);
	return err ? ixgbe_why_fill(why, err, "out of memory") : 0;
}

int image_memories_map(struct ixgbe_device *device, const struct image_record *record,
		       const int *fd, struct ixgbe_why *why)
{
	void *at;
	int err = record->state.bytes <= sizeof(struct device_note) ? -EBADMSG : 0;

	if (!err)
		err = arena_map_at(fd[0], record->state.bytes, record->state.at, &at);
	if (!err)
		device_state_set(device, at, record->state.bytes);
	for (uint32_t i = 0; i < record->areas && !err; i++) {
		const struct image_memory *m = &record->area[i];
		const struct dma_shared shared = {
			/* NOLINTNEXTLINE(performance-no-int-to-ptr): where the keeper has it */
			.dma = {(void *)(uintptr_t)m->at, m->iova, m->bytes},
			.asked = m->asked,
			.fd = fd[1 + i],
		};

		err = dma_adopt(device->dma, &shared);
	}
	return err ? ixgbe_why_fill(
			     why, err, "cannot map the device's memory: %s%s", strerror(-err),
			     err == -EEXIST ? "; its place in the address space is taken" : "")
		   : 0;
}

static int device_build(struct ixgbe_device *device, const struct image_record *record,
			const int *fd, struct ixgbe_why *why)
{
	const int *vector = fd + 1 + record->areas;
	/* Without windows there is no such descriptor, and nobody looks. */
	int err = windows_map(device, record, record->windows ? vector[record->vectors] : -1, why);

	if (!err) {
		err = dma_new(device->backend, &device->dma);
		ixgbe_why_fill(err ? why : NULL, err, "out of memory");
	}
	if (!err)
		err = image_memories_map(device, record, fd, why);
	if (err)
		return err;
	dma_keep(device->dma);
	device->device_id = record->device_id;
	memcpy(device->irq_fd, vector, record->vectors * sizeof(*vector));
	device->vectors = record->vectors;
	return 0;
}

static int device_import(const struct image_record *record, const int *fd,
			 const struct ixgbe_options *callbacks, struct ixgbe_device **out,
			 struct ixgbe_why *why)
{
	struct ixgbe_device *device = device_empty();
	int err;

	if (!device)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	device->imported = true;
	err = image_options_read(record, callbacks, &device->options, why);
	if (!err)
		err = device_build(device, record, fd, why);
	if (err)
		device_free(device);
	else
		*out = device;
	return err;
}

int ixgbe_device_import(const void *record, size_t bytes, const int *fd, uint32_t fds,
			const struct ixgbe_options *callbacks, struct ixgbe_device **out,
			struct ixgbe_why *why)
{
	struct image_record read = {0};
	int err = image_read(record, bytes, fds, &read, why);

	if (!err)
		err = device_import(&read, fd, callbacks, out, why);
	for (uint32_t i = 0; i < fds; i++) {
		const bool vector = !err && i > read.areas && i <= read.areas + read.vectors;

		if (!vector)
			close(fd[i]);
	}
	return err;
}
