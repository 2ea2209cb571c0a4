/* SPDX-License-Identifier: MIT */
/*
 * A kept device for the program that its keeper executes.
 *
 *     one process        keeper ── exec ── the next keeper
 *     another process    driver ────────────────────────── goes on driving
 *
 * The process stays, and so do its descriptors. Who holds them has the device: the kernel's VFIO
 * resets a device at the last close, a vfio-user server when the connection ends, and an exec
 * closes none of what is to stay open. Mappings and everything else in memory are lost. A record
 * says what they were: that of an image (image.c), and what only a keeper has.
 *
 *     descriptors, in this order        the record has
 *     --------------------------------  -----------------------------------------------------
 *     an image's                        the image's record: memories, vectors, windows, options
 *     of the backend                    words that the backend reads (backend.h)
 *     the registers' channel, if any    its user data
 *     both ends of a relay, if any      bytes of half a command
 *                                       what the bus was given, and which errors were told
 *
 * Nothing is asked of the device or its server, nor told to them: a driver would lose its channel
 * with a new one, an interrupt while vectors are connected anew, and everything with a reset. What
 * a server asks, and what a driver relays, waits in the sockets for the length of the exec.
 *
 * Taking over touches nothing that would have to be undone: memory is mapped first, then the
 * backend is made, and only then the descriptors pass. A program that fails leaves the device to
 * another try.
 *
 * The record is of the same process, so its numbers are at worst of another version. They are
 * checked as an image's are all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

#define PASS_MAGIC   0x73736170u
#define PASS_VERSION 1u /* raised with any change of what is not the image's */

/* Which of the optional descriptors are there. */
enum { HAS_SECOND = 1u << 0, HAS_CHANNEL = 1u << 1, HAS_RELAY = 1u << 2 };
#define HAS_ALL     (HAS_SECOND | HAS_CHANNEL | HAS_RELAY)
#define OWN_FDS_MAX (BACKEND_HANDED_FDS + 1u + 2u)

struct pass_record {
	uint32_t magic, version, image_version;
	uint32_t bytes; /* of the record */
	uint32_t fds;
	uint32_t has;
	uint32_t aborts_stuck, master, refused_seen;
	uint32_t relay_have;
	uint64_t channel_user_data;
	uint64_t word[BACKEND_WORDS];
	uint8_t relay_half[sizeof(struct vu_ioregion_command)];
	struct image_record image;
};
static_assert(sizeof(struct pass_record) ==
		      48 + 8 * BACKEND_WORDS + 32 + sizeof(struct image_record),
	      "no padding: what a record says is all there is in it");
static_assert(1 + AREAS_MAX + VECTORS_MAX + 1 + OWN_FDS_MAX <= IXGBE_IMAGE_FDS_MAX,
	      "all descriptors fit");

/* What is behind an image's descriptors. */
struct own_fds {
	int handed[BACKEND_HANDED_FDS];
	int channel, keeper, driver; /* -1: none */
};

static uint32_t own_count(uint32_t has)
{
	return 1u + !!(has & HAS_SECOND) + !!(has & HAS_CHANNEL) + 2u * !!(has & HAS_RELAY);
}

/* ---- Handing over ---- */

static void relay_put(const struct relay *relay, struct pass_record *record)
{
	record->relay_have = (uint32_t)relay->have;
	memcpy(record->relay_half, relay->command, relay->have);
}

static void own_put(const struct ixgbe_device *device, const struct backend_handed *handed,
		    struct pass_record *record, struct ixgbe_device_image *out)
{
	struct backend_registers registers;

	device->backend->ops->registers(device->backend, &registers);
	out->fd[out->fds++] = handed->fd[0];
	if (handed->fd[1] >= 0) {
		record->has |= HAS_SECOND;
		out->fd[out->fds++] = handed->fd[1];
	}
	if (registers.channel >= 0) {
		record->has |= HAS_CHANNEL;
		record->channel_user_data = registers.user_data;
		out->fd[out->fds++] = registers.channel;
	}
	if (device->relay.keeper >= 0) {
		record->has |= HAS_RELAY;
		relay_put(&device->relay, record);
		out->fd[out->fds++] = device->relay.keeper;
		out->fd[out->fds++] = device->relay.driver;
	}
	memcpy(record->word, handed->word, sizeof(record->word));
	record->aborts_stuck = device->aborts_stuck;
	record->master = device->master;
	record->refused_seen = device->refused_seen;
}

static int pass_explain(int err, struct ixgbe_why *why)
{
	return err == -EAGAIN
		       ? ixgbe_why_fill(why, err,
					"the device's server is in the middle of a message; try "
					"again")
		       : ixgbe_why_fill(why, err, "the device is gone: %s", strerror(-err));
}

int ixgbe_device_hand_over(struct ixgbe_device *device, struct ixgbe_device_image *out,
			   struct ixgbe_why *why)
{
	const struct ixgbe_backend_ops *ops = device->backend->ops;
	struct ixgbe_device_image image;
	struct backend_handed handed;
	struct pass_record *record;
	int err;

	if (!ops->hand_over)
		return ixgbe_why_fill(why, -ENOTSUP, "the device is another keeper's");
	err = ops->hand_over(device->backend, &handed);
	if (err)
		return pass_explain(err, why);
	err = ixgbe_device_export(device, &image, why);
	if (err)
		return err;
	record = calloc(1, sizeof(*record));
	if (!record) {
		ixgbe_device_image_free(&image);
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	}
	record->magic = PASS_MAGIC;
	record->version = PASS_VERSION;
	record->image_version = IMAGE_VERSION;
	record->bytes = sizeof(*record);
	memcpy(&record->image, image.record, sizeof(record->image));
	ixgbe_device_image_free(&image);
	own_put(device, &handed, record, &image);
	record->fds = image.fds;
	image.record = record;
	image.bytes = sizeof(*record);
	*out = image;
	return 0;
}

/* ---- What a record says for itself ---- */

static int pass_read(const void *from, size_t bytes, uint32_t fds, struct pass_record *record,
		     struct ixgbe_why *why)
{
	struct {
		uint32_t magic, version, image_version, bytes;
	} head;

	if (bytes < sizeof(head))
		return image_broken(why, "its length");
	memcpy(&head, from, sizeof(head));
	if (head.magic != PASS_MAGIC)
		return image_broken(why, "its first word");
	if (head.version != PASS_VERSION || head.image_version != IMAGE_VERSION)
		return ixgbe_why_fill(why, -EBADMSG,
				      "the device was kept by another version: its record is of "
				      "version %u.%u, this program reads %u.%u",
				      head.version, head.image_version, PASS_VERSION,
				      IMAGE_VERSION);
	if (head.bytes != sizeof(*record) || bytes != sizeof(*record))
		return image_broken(why, "its length");
	memcpy(record, from, sizeof(*record));
	if (record->has & ~HAS_ALL || record->fds != fds || fds < own_count(record->has))
		return image_broken(why, "how many descriptors");
	if (record->aborts_stuck > UINT16_MAX || record->master > 1)
		return image_broken(why, "what its bus was given");
	if (record->relay_have >= sizeof(record->relay_half))
		return image_broken(why, "its relay");
	return image_read((const uint8_t *)from + offsetof(struct pass_record, image),
			  sizeof(record->image), fds - own_count(record->has), &record->image, why);
}

/* The record as a whole: what of it stands for itself. */
static int pass_check(const void *from, size_t bytes, uint32_t fds,
		      const struct ixgbe_options *callbacks, struct pass_record *record,
		      struct ixgbe_options *options, struct ixgbe_why *why)
{
	int err = pass_read(from, bytes, fds, record, why);

	if (!err)
		err = image_options_read(&record->image, callbacks, options, why);
	if (!err && !backend_named(record->image.name))
		err = image_broken(why, "its backend");
	return err;
}

int ixgbe_device_record_check(const void *record, size_t bytes, uint32_t fds, struct ixgbe_why *why)
{
	struct ixgbe_options options;
	struct pass_record read;

	return pass_check(record, bytes, fds, NULL, &read, &options, why);
}

/* ---- Taking over ---- */

/* Each is open, and none is there twice: it would be closed twice. */
static int descriptors_check(const int *fd, uint32_t fds, struct ixgbe_why *why)
{
	for (uint32_t i = 0; i < fds; i++) {
		bool bad = fcntl(fd[i], F_GETFD) < 0;

		for (uint32_t k = 0; k < i; k++)
			bad |= fd[k] == fd[i];
		if (bad)
			return ixgbe_why_fill(why, -EBADMSG,
					      "number %u of the device's descriptors is not open, "
					      "or there twice",
					      i);
	}
	return 0;
}

static struct own_fds own_take(const struct pass_record *record, const int *fd)
{
	struct own_fds own = {{fd[record->image.fds], -1}, -1, -1, -1};
	uint32_t at = record->image.fds + 1;

	if (record->has & HAS_SECOND)
		own.handed[1] = fd[at++];
	if (record->has & HAS_CHANNEL)
		own.channel = fd[at++];
	if (record->has & HAS_RELAY) {
		own.keeper = fd[at++];
		own.driver = fd[at];
	}
	return own;
}

/* What backend_left has of the registers; nothing is mapped. */
static void registers_take(const struct pass_record *record, const int *fd, int channel,
			   struct backend_registers *out)
{
	const struct image_record *image = &record->image;

	*out = (struct backend_registers){
		.bytes = image->bar_bytes,
		.windows = image->windows,
		.fd = image->windows ? fd[1 + image->areas + image->vectors] : -1,
		.channel = channel,
		.user_data = record->channel_user_data,
	};
	for (uint32_t i = 0; i < image->windows; i++)
		out->window[i] =
			(struct backend_window){image->window[i].offset, image->window[i].bytes,
						NULL, image->window[i].fd_offset};
}

static int backend_take(struct ixgbe_device *device, const struct pass_record *record,
			const int *fd, const struct own_fds *own, struct ixgbe_why *why)
{
	struct backend_memory memory[AREAS_MAX];
	struct backend_left left = {.memory = memory, .memories = dma_count(device->dma)};

	for (uint32_t i = 0; i < left.memories; i++) {
		struct dma_shared shared;

		dma_show(device->dma, i, &shared);
		memory[i] =
			(struct backend_memory){shared.dma.addr, shared.dma.iova, shared.dma.len};
	}
	memcpy(left.handed.word, record->word, sizeof(left.handed.word));
	memcpy(left.handed.fd, own->handed, sizeof(left.handed.fd));
	registers_take(record, fd, own->channel, &left.registers);
	return backend_named(record->image.name)
		->take_over(&left, &device->options, &device->backend, why);
}

/* All that may fail. */
static int pass_build(struct ixgbe_device *device, const struct pass_record *record, const int *fd,
		      const struct own_fds *own, struct ixgbe_why *why)
{
	struct relay relay;
	int err = descriptors_check(fd, record->fds, why);

	relay_init(&relay);
	if (!err && own->keeper >= 0 &&
	    relay_adopt(&relay, own->keeper, own->driver, record->image.bar_bytes,
			record->relay_half, record->relay_have))
		err = image_broken(why, "its relay");
	if (err)
		return err;
	device->dma = dma_empty();
	if (!device->dma)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	err = image_memories_map(device, &record->image, fd, why);
	if (!err)
		err = backend_take(device, record, fd, own, why);
	if (!err)
		device->relay = relay;
	return err;
}

static void pass_finish(struct ixgbe_device *device, const struct pass_record *record,
			const int *fd)
{
	const struct image_record *image = &record->image;

	device->state_fd = fd[0];
	dma_take(device->dma, device->backend, fd + 1);
	memcpy(device->irq_fd, fd + 1 + image->areas, image->vectors * sizeof(*fd));
	device->vectors = image->vectors;
	device->device_id = image->device_id;
	device->aborts_stuck = (uint16_t)record->aborts_stuck;
	device->master = record->master;
	device->refused_seen = record->refused_seen;
	for (uint32_t i = 0; i < record->fds; i++)
		fcntl(fd[i], F_SETFD, FD_CLOEXEC);
}

int ixgbe_device_take_over(const void *record, size_t bytes, const int *fd, uint32_t fds,
			   const struct ixgbe_options *callbacks, struct ixgbe_device **out,
			   struct ixgbe_why *why)
{
	struct ixgbe_options options;
	struct ixgbe_device *device;
	struct pass_record read;
	struct own_fds own;
	int err = pass_check(record, bytes, fds, callbacks, &read, &options, why);

	if (err)
		return err;
	device = device_empty();
	if (!device)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	device->options = options;
	own = own_take(&read, fd);
	err = pass_build(device, &read, fd, &own, why);
	if (err) {
		device_free(device);
		return err;
	}
	pass_finish(device, &read, fd);
	*out = device;
	return 0;
}
