/* SPDX-License-Identifier: MIT */
/*
 * The backend for a device that another process serves over vfio-user.
 *
 * One connection has one lock, whose holder sends a message and waits for the reply. Register
 * writes are posted, and a read flushes them, as on PCI Express. Areas of BAR 0 that the server
 * lets us map are read and written there, without messages.
 *
 * A server may give us a channel of its own for the registers (region_channel.c). They go over that
 * then, with the channel's lock, and the rest goes over the connection. The server carries out what
 * it has got over the channel before it handles a message that was sent later. It may ask for
 * memory over the connection, and wait for that, before it answers on the channel. So whoever waits
 * there serves the connection, unless another thread is at it, who serves it, too.
 *
 * The server is not trusted. Every wait has a deadline, and many that add up are ended by the
 * caller's give_up. The first thing that goes wrong on the
 * connection (closed, silent, out of step) makes the device gone for good: all registers read as
 * ones, and no message is sent any more. A channel that the server closes takes the registers with
 * it; the connection stays for the reset that ends DMA.
 */
#include "vfio_user_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backend.h"
#include "region_channel.h"

#define PAGE_BYTES 4096u
#define INFO_BYTES 4096u /* of a region's info with its capabilities */
#define IO_FDS_MAX 16u   /* sub-regions of BAR 0 that a server may tell of */

#define ALL_ONES UINT32_MAX

/* There is no IOMMU that limits IOVAs; 39 bits are what hardware has. A descriptor of zeros finds
 * nothing, since page 0 stays free. */
#define IOVA_FIRST 0x1000ull
#define IOVA_LAST  0x7fffffffffull

struct client {
	struct ixgbe_backend backend;
	pthread_mutex_t lock; /* for the channel and irqs_on; the rest stays as it is after open */
	struct channel channel;
	struct region_channel region; /* has a lock of its own */
	bool irqs_on;
	bool can_reset;
	uint32_t fds_max; /* in one message, as the server says */
	uint64_t bar0_bytes;
	uint32_t windows;
	struct backend_window window[BACKEND_WINDOWS_MAX];
	int windows_fd; /* for who maps them too; -1: none */
};

static struct client *client_of(struct ixgbe_backend *backend)
{
	return (struct client *)(void *)backend;
}

static void connection_lock(struct client *c)
{
	pthread_mutex_lock(&c->lock);
}

/* What the server asked behind its last reply is answered first: nobody would find it in the
 * socket. */
static void connection_unlock(struct client *c)
{
	(void)channel_serve(&c->channel, true);
	pthread_mutex_unlock(&c->lock);
}

/* For whoever waits for the registers' channel. */
static int serve_meanwhile(void *ctx)
{
	struct client *c = ctx;
	int err;

	if (pthread_mutex_trylock(&c->lock))
		return -EAGAIN;
	err = channel_serve(&c->channel, false);
	pthread_mutex_unlock(&c->lock);
	return err;
}

/* ---- Regions; the lock is held ---- */

static int region_read(struct client *c, uint32_t region, uint64_t offset, void *data, size_t len)
{
	struct vu_region_access access = {
		.offset = offset, .region = region, .count = (uint32_t)len};
	struct iovec part = {&access, sizeof(access)};
	struct vu_message reply;
	int err = channel_call(&c->channel, VU_REGION_READ, &part, 1, sizeof(access) + len, &reply);

	if (err)
		return err;
	memcpy(data, reply.data + sizeof(access), len);
	vu_message_close(&reply);
	return 0;
}

static int region_write(struct client *c, uint32_t region, uint64_t offset, const void *data,
			size_t len, bool posted)
{
	struct vu_region_access access = {
		.offset = offset, .region = region, .count = (uint32_t)len};
	struct iovec part[2] = {{&access, sizeof(access)}, {(void *)(uintptr_t)data, len}};
	struct vu_message reply;
	int err;

	if (posted)
		return channel_post(&c->channel, VU_REGION_WRITE, part, 2);
	err = channel_call(&c->channel, VU_REGION_WRITE, part, 2, 0, &reply);
	if (!err)
		vu_message_close(&reply);
	return err;
}

/* ---- Operations ---- */

static volatile uint32_t *mapped(const struct client *c, uint32_t offset)
{
	return backend_window_at(c->window, c->windows, offset);
}

/* A server that is silent here is not asked elsewhere. */
static void region_failed(struct client *c, int err)
{
	if (err == -ETIMEDOUT || err == -ECANCELED)
		channel_lose(&c->channel);
}

/* One register, over the channel that it has. */
static int register_read(struct client *c, uint32_t offset, uint32_t *value)
{
	int err;

	if (c->region.sock >= 0) {
		err = region_channel_read32(&c->region, offset, value);
		region_failed(c, err);
		return err;
	}
	connection_lock(c);
	err = region_read(c, VFIO_PCI_BAR0_REGION_INDEX, offset, value, sizeof(*value));
	connection_unlock(c);
	return err;
}

static uint32_t client_read32(struct ixgbe_backend *backend, uint32_t offset)
{
	struct client *c = client_of(backend);
	volatile uint32_t *at = mapped(c, offset);
	uint32_t value;

	if (atomic_load_explicit(&c->channel.gone, memory_order_relaxed))
		return ALL_ONES;
	if (at)
		return *at;
	return register_read(c, offset, &value) ? ALL_ONES : value;
}

static void client_write32(struct ixgbe_backend *backend, uint32_t offset, uint32_t value)
{
	struct client *c = client_of(backend);
	volatile uint32_t *at = mapped(c, offset);

	if (at) {
		*at = value;
		return;
	}
	if (c->region.sock >= 0) {
		if (!atomic_load_explicit(&c->channel.gone, memory_order_relaxed))
			region_failed(c, region_channel_write32(&c->region, offset, value));
		return;
	}
	connection_lock(c);
	(void)region_write(c, VFIO_PCI_BAR0_REGION_INDEX, offset, &value, sizeof(value), true);
	connection_unlock(c);
}

static volatile uint32_t *client_doorbell(struct ixgbe_backend *backend, uint32_t offset)
{
	return offset % 4 == 0 ? mapped(client_of(backend), offset) : NULL;
}

static int client_config_read(struct ixgbe_backend *backend, uint32_t offset, void *data,
			      size_t len)
{
	struct client *c = client_of(backend);
	int err;

	connection_lock(c);
	err = region_read(c, VFIO_PCI_CONFIG_REGION_INDEX, offset, data, len);
	connection_unlock(c);
	return err;
}

static int client_config_write(struct ixgbe_backend *backend, uint32_t offset, const void *data,
			       size_t len)
{
	struct client *c = client_of(backend);
	int err;

	connection_lock(c);
	err = region_write(c, VFIO_PCI_CONFIG_REGION_INDEX, offset, data, len, false);
	connection_unlock(c);
	return err;
}

static int client_dma_map(struct ixgbe_backend *backend, void *addr, size_t len, int fd,
			  uint64_t fd_offset, ixgbe_iova iova)
{
	struct client *c = client_of(backend);
	struct vu_dma_map map = {
		.argsz = sizeof(map),
		.flags = VU_DMA_READABLE | VU_DMA_WRITABLE,
		.offset = fd_offset,
		.addr = iova,
		.size = len,
	};
	int err;

	connection_lock(c);
	err = channel_memory_reserve(&c->channel);
	if (!err)
		err = channel_exchange(&c->channel, VU_DMA_MAP, &map, sizeof(map), &fd, 1, 0);
	if (!err)
		channel_memory_add(&c->channel, (struct channel_memory){addr, iova, len});
	connection_unlock(c);
	return err;
}

static int client_dma_unmap(struct ixgbe_backend *backend, ixgbe_iova iova, size_t len)
{
	struct client *c = client_of(backend);
	struct vu_dma_unmap unmap = {.argsz = sizeof(unmap), .addr = iova, .size = len};
	int err;

	connection_lock(c);
	/* Even if the server refuses: the caller frees the memory. */
	channel_memory_remove(&c->channel, iova, len);
	err = channel_exchange(&c->channel, VU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, 0);
	connection_unlock(c);
	return err;
}

static void client_dma_range(struct ixgbe_backend *backend, ixgbe_iova *first, ixgbe_iova *last)
{
	(void)backend;
	*first = IOVA_FIRST;
	*last = IOVA_LAST;
}

static int irqs_off(struct client *c)
{
	struct vu_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
	};
	int err = c->irqs_on ? channel_exchange(&c->channel, VU_SET_IRQS, &set, sizeof(set), NULL,
						0, 0)
			     : 0;

	if (!err)
		c->irqs_on = false;
	return err;
}

static int client_irq_set(struct ixgbe_backend *backend, const int *eventfd, uint32_t count)
{
	struct client *c = client_of(backend);
	int err;

	connection_lock(c);
	err = irqs_off(c);
	for (uint32_t first = 0, n; first < count && !err; first += n) {
		n = count - first < c->fds_max ? count - first : c->fds_max;
		struct vu_irq_set set = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.start = first,
			.count = n,
		};

		c->irqs_on = true;
		err = channel_exchange(&c->channel, VU_SET_IRQS, &set, sizeof(set), &eventfd[first],
				       n, 0);
	}
	if (err)
		(void)irqs_off(c);
	connection_unlock(c);
	return err;
}

static int reset_locked(struct client *c)
{
	return c->can_reset ? channel_exchange(&c->channel, VU_RESET, NULL, 0, NULL, 0, 0)
			    : -ENOTSUP;
}

static int client_reset(struct ixgbe_backend *backend)
{
	struct client *c = client_of(backend);
	int err;

	connection_lock(c);
	err = reset_locked(c);
	connection_unlock(c);
	return err;
}

static uint32_t client_dma_refused(struct ixgbe_backend *backend)
{
	return atomic_load_explicit(&client_of(backend)->channel.refused, memory_order_relaxed);
}

/* ---- The registers' channel ---- */

/* `sock` passes to the client, also on failure. */
static int region_connect(struct client *c, int sock, const struct vu_sub_region *sub)
{
	const struct ixgbe_options options = {.give_up = c->channel.give_up,
					      .give_up_ctx = c->channel.give_up_ctx};
	const struct region_meanwhile meanwhile = {c->channel.stream.sock, serve_meanwhile, c};

	return region_channel_open(&c->region, sock, sub, VFIO_USER_DEADLINE_S * 1000000000ull,
				   &options, &meanwhile);
}

/* Asks for a channel to BAR 0. There may be none, or one that is none of ours: then registers go
 * over the connection. */
static int region_open(struct client *c)
{
	struct vu_region_io_fds request = {
		.argsz = sizeof(request) + IO_FDS_MAX * sizeof(struct vu_sub_region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct iovec part = {&request, sizeof(request)};
	struct vu_sub_region sub;
	struct vu_message reply;
	int found, err = channel_call(&c->channel, VU_GET_REGION_IO_FDS, &part, 1, sizeof(request),
				      &reply);

	if (err)
		return c->channel.gone ? err : 0;
	found = vu_io_fds_whole(reply.data, reply.len, reply.fds, VFIO_PCI_BAR0_REGION_INDEX,
				c->bar0_bytes, &sub);
	if (found == 1)
		(void)region_connect(c, vu_message_take(&reply, sub.fd_index), &sub);
	vu_message_close(&reply);
	return found < 0 ? found : 0;
}

/* The server ends the former channel, and what was left in it. */
static int client_renew(struct ixgbe_backend *backend)
{
	struct client *c = client_of(backend);
	int err;

	if (c->region.sock < 0)
		return 0;
	connection_lock(c);
	region_channel_close(&c->region);
	region_channel_init(&c->region);
	err = region_open(c);
	connection_unlock(c);
	return err;
}

/* ---- For other processes ---- */

static void client_registers(struct ixgbe_backend *backend, struct backend_registers *out)
{
	const struct client *c = client_of(backend);

	*out = (struct backend_registers){
		.bytes = c->bar0_bytes,
		.windows = c->windows,
		.fd = c->windows_fd,
		.channel = c->region.sock,
		.user_data = c->region.user_data,
	};
	memcpy(out->window, c->window, sizeof(out->window));
}

static int client_connection(struct ixgbe_backend *backend)
{
	return client_of(backend)->channel.stream.sock;
}

static int client_serve(struct ixgbe_backend *backend)
{
	struct client *c = client_of(backend);
	int err;

	connection_lock(c);
	err = channel_serve(&c->channel, false);
	connection_unlock(c);
	return err ? -ENODEV : 0;
}

/* ---- Opening and closing ---- */

static void client_free(struct client *c)
{
	for (uint32_t i = 0; i < c->windows; i++)
		munmap(c->window[i].at, c->window[i].bytes);
	if (c->windows_fd >= 0)
		close(c->windows_fd);
	region_channel_close(&c->region);
	channel_close(&c->channel);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void client_close(struct ixgbe_backend *backend)
{
	struct client *c;

	if (!backend)
		return;
	c = client_of(backend);
	(void)reset_locked(c); /* a server that is gone has no DMA under way */
	client_free(c);
}

static int explain(struct client *c, struct ixgbe_why *why, const char *name, const char *what,
		   int err)
{
	return vfio_user_explain(name, what, vu_stream_partial(&c->channel.stream), err, why);
}

/* The server's answer to a negotiation. */
static int version_parse(const struct vu_message *reply, struct vu_version *version,
			 struct vu_capabilities *caps)
{
	int err;

	if (reply->len < sizeof(*version))
		return -EPROTO;
	memcpy(version, reply->data, sizeof(*version));
	err = vu_capabilities_parse((const char *)reply->data + sizeof(*version),
				    reply->len - sizeof(*version), caps);
	return !err && caps->max_msg_fds == 0 ? -EPROTO : err;
}

/* Agrees on the version and learns how much the server takes in one message. */
static int negotiate(struct client *c, const char *name, struct ixgbe_why *why)
{
	struct vu_capabilities caps = {
		.max_msg_fds = VU_FDS_MAX,
		.max_data_xfer_size = VU_DATA_MAX_BYTES,
		.has_max_msg_fds = true,
		.has_max_data_xfer_size = true,
	};
	struct vu_version version = {VU_VERSION_MAJOR, VU_VERSION_MINOR};
	char json[256];
	int len = vu_capabilities_format(&caps, json, sizeof(json));
	struct iovec part[2] = {{&version, sizeof(version)}, {json, (size_t)len}};
	struct vu_message reply;
	int err = len < 0 ? len : channel_call_first(&c->channel, VU_VERSION, part, 2, &reply);

	if (err)
		return explain(c, why, name, "negotiation", err);
	err = version_parse(&reply, &version, &caps);
	vu_message_close(&reply);
	if (err)
		return explain(c, why, name, "negotiation", err);
	if (version.major != VU_VERSION_MAJOR || version.minor > VU_VERSION_MINOR)
		return ixgbe_why_fill(
			why, -EPROTO,
			"vfio-user server at %s speaks version %u.%u of the protocol, we "
			"speak %u.%u; update the older of the two",
			name, version.major, version.minor, VU_VERSION_MAJOR, VU_VERSION_MINOR);
	c->fds_max = caps.max_msg_fds < VU_FDS_MAX ? caps.max_msg_fds : VU_FDS_MAX;
	return 0;
}

/*
 * Maps one area of BAR 0. An area that cannot be mapped is reached by messages. So is an area of a
 * file without a seal against shrinking: the server could take its pages away under us. So is one
 * of huge pages: the server can punch a hole into it, and no page may be left to fill the hole.
 */
static void window_add(struct client *c, int fd, uint64_t base, const struct vu_area *area)
{
	struct statfs fs;
	struct stat st;
	void *at;
	int seals;

	if (c->windows == BACKEND_WINDOWS_MAX || area->size == 0 || area->offset > UINT32_MAX ||
	    area->size > UINT32_MAX || area->offset % PAGE_BYTES != 0 ||
	    area->size % PAGE_BYTES != 0 || base % PAGE_BYTES != 0)
		return;
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	seals = fcntl(fd, F_GET_SEALS); /* the server may have sealed it */
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstatfs(fd, &fs) ||
	    fs.f_type == HUGETLBFS_MAGIC)
		return;
	if (fstat(fd, &st) || st.st_size < 0 || area->offset > UINT64_MAX - base ||
	    !vu_within(base + area->offset, area->size, (uint64_t)st.st_size))
		return;
	at = mmap(NULL, area->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  (off_t)(base + area->offset));
	if (at == MAP_FAILED)
		return;
	c->window[c->windows++] =
		(struct backend_window){area->offset, area->size, at, base + area->offset};
}

/* Asks for BAR 0, and maps what the server lets be mapped. */
static int bar0_open(struct client *c)
{
	struct vu_region_info info = {.argsz = INFO_BYTES, .index = VFIO_PCI_BAR0_REGION_INDEX};
	struct iovec part = {&info, sizeof(info)};
	struct vu_area area[BACKEND_WINDOWS_MAX];
	struct vu_message reply;
	int areas, err = channel_call(&c->channel, VU_GET_REGION_INFO, &part, 1, 0, &reply);

	if (err)
		return err;
	areas = vu_region_areas(reply.data, reply.len, area, BACKEND_WINDOWS_MAX);
	if (areas >= 0) {
		memcpy(&info, reply.data, sizeof(info));
		for (int i = 0; i < areas && reply.fds > 0; i++)
			window_add(c, reply.fd[0], info.offset, &area[i]);
		if (c->windows > 0)
			c->windows_fd = vu_message_take(&reply, 0);
	}
	vu_message_close(&reply);
	if (areas < 0)
		return areas;
	c->bar0_bytes = info.size;
	return 0;
}

static int device_open(struct client *c, const char *name, struct ixgbe_why *why)
{
	struct vu_device_info info = {.argsz = sizeof(info)};
	int err = negotiate(c, name, why);

	if (err)
		return err;
	err = channel_exchange(&c->channel, VU_GET_INFO, &info, sizeof(info), NULL, 0,
			       sizeof(info));
	if (err)
		return explain(c, why, name, "device's description", err);
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.regions <= VFIO_PCI_CONFIG_REGION_INDEX ||
	    info.irqs <= VFIO_PCI_MSIX_IRQ_INDEX)
		return ixgbe_why_fill(
			why, -ENODEV,
			"vfio-user server at %s serves no PCI device with MSI-X, so it is no "
			"82599; name another socket",
			name);
	c->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	err = bar0_open(c);
	if (err)
		return explain(c, why, name, "description of BAR 0", err);
	err = region_open(c);
	return err ? explain(c, why, name, "channel to BAR 0", err) : 0;
}

/* NULL: no memory. */
static struct client *client_empty(int sock, const struct ixgbe_options *options,
				   const struct ixgbe_backend_ops *ops)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->backend.ops = ops;
	c->windows_fd = -1;
	pthread_mutex_init(&c->lock, NULL);
	channel_init(&c->channel, sock, options);
	region_channel_init(&c->region);
	return c;
}

/* `sock` passes to the client, also on failure. */
static int client_new(int sock, const char *name, const struct ixgbe_options *options,
		      struct ixgbe_backend **out, const struct ixgbe_backend_ops *ops,
		      struct ixgbe_why *why)
{
	struct client *c = client_empty(sock, options, ops);
	int err;

	if (!c) {
		close(sock);
		return ixgbe_why_fill(why, -ENOMEM, "vfio-user: out of memory");
	}
	err = device_open(c, name, why);
	if (err) {
		client_free(c);
		return err;
	}
	(void)channel_serve(&c->channel, true);
	*out = &c->backend;
	return 0;
}

static int path_open(const char *path, const struct ixgbe_options *options,
		     struct ixgbe_backend **out, struct ixgbe_why *why)
{
	int sock = vfio_user_connect(path, options, why);

	return sock < 0 ? sock
			: client_new(sock, path, options, out, &ixgbe_backend_vfio_user, why);
}

static int fd_open(const char *arg, const struct ixgbe_options *options, struct ixgbe_backend **out,
		   struct ixgbe_why *why)
{
	int sock = vfio_user_inherit(arg, why);
	char name[32];

	if (sock < 0)
		return sock;
	snprintf(name, sizeof(name), "descriptor %d", sock);
	return client_new(sock, name, options, out, &ixgbe_backend_vfio_user_fd, why);
}

/* ---- For the keeper behind this one ---- */

static void client_journal(struct ixgbe_backend *backend, struct ixgbe_journal *journal)
{
	struct client *c = client_of(backend);

	connection_lock(c);
	channel_journal(&c->channel, journal);
	connection_unlock(c);
}

/*
 * The server sees nothing of an exec: the connection and the channel are the same, and so is what
 * it was told. A driver's channel would end with a new one, so none is asked for, nor is anything
 * else. The words are what only the negotiation, the server and our own calls could tell.
 */
enum { WORD_ID, WORD_FDS_MAX, WORD_IS, WORD_REFUSED };
enum { IS_RESETTABLE = 1u << 0, IS_WITH_IRQS = 1u << 1 };
static_assert(WORD_REFUSED < BACKEND_WORDS, "there is a place for each");

static int client_hand_over(struct ixgbe_backend *backend, struct backend_handed *out)
{
	struct client *c = client_of(backend);
	int err;

	connection_lock(c);
	err = channel_settle(&c->channel);
	if (!err)
		*out = (struct backend_handed){
			.word = {[WORD_ID] = c->channel.id,
				 [WORD_FDS_MAX] = c->fds_max,
				 [WORD_IS] = (c->can_reset ? IS_RESETTABLE : 0) |
					     (c->irqs_on ? IS_WITH_IRQS : 0),
				 [WORD_REFUSED] = c->channel.refused},
			.fd = {c->channel.stream.sock, -1},
		};
	connection_unlock(c);
	return err && err != -EAGAIN ? -ENODEV : err;
}

static bool left_adds_up(const struct backend_left *left)
{
	const uint64_t *word = left->handed.word;

	return word[WORD_ID] <= UINT16_MAX && word[WORD_FDS_MAX] > 0 &&
	       word[WORD_FDS_MAX] <= VU_FDS_MAX &&
	       word[WORD_IS] <= (IS_RESETTABLE | IS_WITH_IRQS) &&
	       word[WORD_REFUSED] <= UINT32_MAX && vu_is_stream(left->handed.fd[0]) &&
	       left->handed.fd[1] < 0 &&
	       (left->registers.channel < 0 || vu_is_stream(left->registers.channel));
}

/* Maps the same windows. */
static int left_windows(struct client *c, const struct backend_registers *registers)
{
	for (uint32_t i = 0; i < registers->windows; i++) {
		const struct backend_window *w = &registers->window[i];
		const struct vu_area area = {.offset = w->offset, .size = w->bytes};

		if (w->fd_offset < w->offset || !vu_within(w->offset, w->bytes, registers->bytes))
			return -EBADMSG;
		window_add(c, registers->fd, w->fd_offset - w->offset, &area);
		if (c->windows != i + 1)
			return -EBADMSG;
	}
	c->bar0_bytes = registers->bytes;
	return 0;
}

static int left_memories(struct client *c, const struct backend_left *left)
{
	int err = 0;

	for (uint32_t i = 0; i < left->memories && !err; i++) {
		const struct backend_memory *m = &left->memory[i];

		err = channel_memory_reserve(&c->channel);
		if (!err)
			channel_memory_add(&c->channel,
					   (struct channel_memory){m->addr, m->iova, m->len});
	}
	return err;
}

static void left_become(struct client *c, const struct backend_left *left)
{
	const struct vu_sub_region sub = {.user_data = left->registers.user_data};
	const uint64_t *word = left->handed.word;

	c->channel.stream.sock = left->handed.fd[0];
	c->channel.id = (uint16_t)word[WORD_ID];
	c->channel.refused = (uint32_t)word[WORD_REFUSED];
	c->fds_max = (uint32_t)word[WORD_FDS_MAX];
	c->can_reset = word[WORD_IS] & IS_RESETTABLE;
	c->irqs_on = word[WORD_IS] & IS_WITH_IRQS;
	c->windows_fd = c->windows ? left->registers.fd : -1;
	if (left->registers.channel >= 0)
		(void)region_connect(c, left->registers.channel, &sub); /* it is a stream */
}

static int client_take_over(const struct backend_left *left, const struct ixgbe_options *options,
			    struct ixgbe_backend **out, struct ixgbe_why *why)
{
	struct client *c;
	int err;

	if (!left_adds_up(left))
		return ixgbe_why_fill(why, -EBADMSG,
				      "the connection to a vfio-user server that was handed over "
				      "is none");
	c = client_empty(-1, options, &ixgbe_backend_vfio_user);
	if (!c)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	err = left_windows(c, &left->registers);
	if (!err)
		err = left_memories(c, left);
	if (err) {
		client_free(c); /* has no descriptors yet */
		return ixgbe_why_fill(why, err,
				      "the registers that were handed over cannot be mapped: %s",
				      strerror(-err));
	}
	left_become(c, left);
	*out = &c->backend;
	return 0;
}

#define CLIENT_OPS                                                                                 \
	.close = client_close, .read32 = client_read32, .write32 = client_write32,                 \
	.doorbell = client_doorbell, .config_read = client_config_read,                            \
	.config_write = client_config_write, .dma_map = client_dma_map,                            \
	.dma_unmap = client_dma_unmap, .dma_range = client_dma_range, .irq_set = client_irq_set,   \
	.reset = client_reset, .renew = client_renew, .dma_refused = client_dma_refused,           \
	.registers = client_registers, .connection = client_connection, .serve = client_serve,     \
	.hand_over = client_hand_over, .take_over = client_take_over, .journal = client_journal

const struct ixgbe_backend_ops ixgbe_backend_vfio_user = {
	.name = "vfio-user", .prefix = "vfio-user:", .open = path_open, CLIENT_OPS};

const struct ixgbe_backend_ops ixgbe_backend_vfio_user_fd = {
	.name = "vfio-user", .prefix = "vfio-user-fd:", .open = fd_open, CLIENT_OPS};
