/* SPDX-License-Identifier: MIT */
/*
 * Serving clients.
 *
 * Everything runs from the loop. When the socket is readable, there is one read, and every whole
 * message in it is answered at once, in order. A reply that the client does not take is kept, and
 * nothing more is read from the client until the reply is out: no client makes us grow. One
 * deadline watches whatever a client leaves half done: the negotiation, a message, the taking of a
 * message.
 *
 * The server asks the client, too (ask.c): for the bus accesses of rogue.c. The question goes out
 * between two replies, and its own reply is one more message to handle. Only a deadline waits for
 * it.
 *
 * A request that the protocol can refuse (a range outside a region, a mapping over another) is
 * answered with an error, and the connection goes on. A message that leaves no sense in the stream,
 * or could only be an attack, ends the connection.
 */
#include "bridge/service/log.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ask.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "bridge/service/listen.h"
#include "tools/ixnic/bus/config_space.h"
#include "tools/ixnic/bus/irqfd.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/loop.h"

/* How long a client may leave something half done. */
#define CLIENT_DEADLINE_NS 5000000000ull

/* The things that it may leave half done. */
static const char negotiation[] = "the negotiation";
static const char message_rest[] = "the rest of a message";
static const char reply_taking[] = "taking a message";

struct server {
	struct nic *nic;
	struct irqfd *irqfd;
	struct config_space config;
	uint32_t io_address; /* IOADDR of BAR 2 */

	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": a socket was handed over */
	int listener;

	bool connected;
	bool negotiated;
	const char *unfinished; /* the deadline waits for this; NULL: for nothing */
	size_t out_len, out_sent;
	uint8_t out[VU_MESSAGE_MAX]; /* a reply, or a question of ours */
	struct vu_stream stream;

	uint64_t data_max; /* bytes that the client takes in one message */
	struct ask ask;
};

/* ---- The client's life ---- */

static void on_client(void *ctx, uint32_t events);

/* Waits for `what` from now on, unless that is waited for already. */
static void deadline_set(struct server *s, const char *what);

static void client_drop(struct server *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends the connection: with a reason, if the client is to blame, else NULL. */
static void client_drop(struct server *s, const char *format, ...)
{
	char reason[160];
	va_list args;

	if (!s->connected)
		return;
	if (format) {
		va_start(args, format);
		vsnprintf(reason, sizeof(reason), format, args);
		va_end(args);
		log_warning("dropped the client: %s", reason);
	}
	deadline_set(s, NULL);
	loop_remove(s->nic->loop, s->stream.sock);
	vu_stream_close(&s->stream);
	s->connected = s->negotiated = false;
	s->out_len = s->out_sent = 0;

	/* The reset comes first: afterwards nothing in the NIC refers to the client's memory. */
	nic_reset(s->nic, NIC_RESET_FLR);
	irqfd_release(s->irqfd);
	config_space_reset(&s->config);
	s->io_address = 0;
	memory_enable(s->nic->memory, false);
	memory_unmap_all(s->nic->memory);
	ask_client_left(&s->ask);
	if (s->listener < 0)
		loop_stop(s->nic->loop);
}

static void on_deadline(void *ctx, uint32_t events)
{
	struct server *s = ctx;

	(void)events;
	client_drop(s, "%s took it longer than %llu s", s->unfinished,
		    CLIENT_DEADLINE_NS / 1000000000ull);
}

static void deadline_set(struct server *s, const char *what)
{
	if (what == s->unfinished)
		return;
	s->unfinished = what;
	loop_timer_set(s->nic->loop, LOOP_TIMER_CLIENT,
		       what ? loop_now_ns() + CLIENT_DEADLINE_NS : 0, on_deadline, s);
}

/* Nothing is on its way to the client: sets the deadline for what it left half done, if anything.
 */
static void deadline_next(struct server *s)
{
	deadline_set(s, !s->negotiated                  ? negotiation
			: vu_stream_partial(&s->stream) ? message_rest
							: NULL);
}

static void on_torn(void *ctx, uint32_t events)
{
	struct server *s = ctx;

	(void)events;
	/* The event may be of a client that left in this round, with the next one already here. */
	if (!memory_torn(s->nic->memory))
		return;
	client_drop(s, "it cut short memory that the NIC was using");
	memory_unmap_all(s->nic->memory); /* quietens the event in any case */
}

static int client_new(struct server *s, int sock)
{
	int err = loop_add(s->nic->loop, sock, EPOLLIN, on_client, s);

	if (err)
		return err;
	vu_stream_init(&s->stream, sock);
	s->connected = true;
	deadline_set(s, negotiation);
	return 0;
}

/* The NIC has its client. Another one is answered before its first message, which is never read. */
static void send_away(int sock)
{
	struct vu_header header = {
		.command = VU_VERSION, .flags = VU_REPLY | VU_ERROR, .error = EBUSY};

	(void)vu_send(sock, &header, NULL, 0, NULL, 0, 0);
	close(sock);
}

static bool client_has_left(const struct server *s)
{
	struct pollfd pfd = {.fd = s->stream.sock, .events = POLLRDHUP};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

static void on_listener(void *ctx, uint32_t events)
{
	struct server *s = ctx;
	int sock = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (sock < 0)
		return;
	/* The next client may come before we have noticed that this one went. */
	if (s->connected && client_has_left(s))
		client_drop(s, NULL);
	if (s->connected) {
		log_warning("sent a second client away: the NIC has one already");
		send_away(sock);
		return;
	}
	if (client_new(s, sock))
		close(sock);
}

/* ---- Commands ---- */

/* The payload of a command, if it is that long. */
static int payload(const struct vu_message *m, void *to, size_t len)
{
	if (m->len < len)
		return -EINVAL;
	memcpy(to, m->data, len);
	return 0;
}

static uint8_t *reply_data(struct server *s)
{
	return s->out + sizeof(struct vu_header);
}

static int reply(struct server *s, const void *data, size_t len)
{
	memcpy(reply_data(s), data, len);
	return (int)len;
}

/* Of each number the lesser holds, and only capabilities that the client named are answered. */
static int handle_version(struct server *s, struct vu_message *m)
{
	struct vu_version version;
	struct vu_capabilities caps;
	int len, err = payload(m, &version, sizeof(version));

	if (err || s->negotiated)
		return -EINVAL;
	if (version.major != VU_VERSION_MAJOR)
		return -EINVAL;
	err = vu_capabilities_parse((const char *)m->data + sizeof(version),
				    m->len - sizeof(version), &caps);
	if (err)
		return err;
	s->data_max = caps.max_data_xfer_size;
	caps.max_msg_fds = VU_FDS_MAX;
	caps.max_data_xfer_size = VU_DATA_MAX_BYTES;
	caps.max_dma_maps = MEMORY_MAPPINGS_MAX;
	caps.pgsizes = VU_PAGE_SIZES;
	if (version.minor > VU_VERSION_MINOR)
		version.minor = VU_VERSION_MINOR;
	reply(s, &version, sizeof(version));
	len = vu_capabilities_format(&caps, (char *)reply_data(s) + sizeof(version), 512);
	if (len < 0)
		return len;
	s->negotiated = true;
	return (int)sizeof(version) + len;
}

static int handle_dma_map(struct server *s, struct vu_message *m)
{
	struct vu_dma_map map;
	int err = payload(m, &map, sizeof(map));

	if (err)
		return err;
	static_assert(VU_DMA_READABLE == MEMORY_READABLE && VU_DMA_WRITABLE == MEMORY_WRITABLE,
		      "the protocol's flags are the table's");
	return memory_map(s->nic->memory, map.addr, map.size,
			  map.flags & (MEMORY_READABLE | MEMORY_WRITABLE), m->fds ? m->fd[0] : -1,
			  map.offset);
}

static int handle_dma_unmap(struct server *s, struct vu_message *m)
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
		memory_unmap_all(s->nic->memory);
	} else {
		err = memory_unmap(s->nic->memory, unmap.addr, unmap.size);
	}
	return err ? err : reply(s, &unmap, sizeof(unmap));
}

static int handle_get_info(struct server *s, struct vu_message *m)
{
	struct vu_device_info info;
	int err = payload(m, &info, sizeof(info));

	if (err || info.argsz < sizeof(info))
		return -EINVAL;
	info = (struct vu_device_info){
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.regions = VFIO_PCI_NUM_REGIONS,
		.irqs = VFIO_PCI_NUM_IRQS,
	};
	return reply(s, &info, sizeof(info));
}

static const uint32_t region_bytes[VFIO_PCI_NUM_REGIONS] = {
	[VFIO_PCI_BAR0_REGION_INDEX] = IXGBE_BAR0_SIZE,
	[VFIO_PCI_BAR2_REGION_INDEX] = BAR2_BYTES,
	[VFIO_PCI_BAR4_REGION_INDEX] = BAR4_BYTES,
	[VFIO_PCI_CONFIG_REGION_INDEX] = CONFIG_BYTES,
};

/* No region can be mapped: each page of BAR 0 has registers that act when read or written. */
static int handle_get_region_info(struct server *s, struct vu_message *m)
{
	struct vu_region_info info;
	int err = payload(m, &info, sizeof(info));

	if (err || info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info = (struct vu_region_info){
		.argsz = sizeof(info),
		.index = info.index,
		.size = region_bytes[info.index],
		.flags = region_bytes[info.index]
				 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE
				 : 0,
	};
	return reply(s, &info, sizeof(info));
}

static int handle_get_irq_info(struct server *s, struct vu_message *m)
{
	struct vu_irq_info info;
	int err = payload(m, &info, sizeof(info));

	if (err || info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = irqfd_flags(info.index);
	info.count = irqfd_count(info.index);
	return reply(s, &info, sizeof(info));
}

static int handle_set_irqs(struct server *s, struct vu_message *m)
{
	return irqfd_set(s->irqfd, m);
}

/* As the kernel's VFIO has it: the configuration space is saved and restored around the reset. */
static int handle_reset(struct server *s, struct vu_message *m)
{
	(void)m;
	nic_reset(s->nic, NIC_RESET_FLR);
	irqfd_reset(s->irqfd);
	config_space_status_reset(&s->config);
	return 0;
}

/* ---- Regions ---- */

/* Registers are words. Any other access breaks a rule, and reads all ones, as on a bus without a
 * completion. */
static void registers_read(struct server *s, uint32_t offset, uint8_t *data, uint32_t len)
{
	if (offset % 4 != 0 || len % 4 != 0) {
		violation(s->nic, VIOLATION_UNALIGNED_ACCESS, "read of %u bytes at %#x", len,
			  offset);
		memset(data, 0xff, len);
		return;
	}
	for (uint32_t i = 0; i < len; i += 4) {
		uint32_t value = regfile_read(s->nic, offset + i);

		memcpy(data + i, &value, 4);
	}
}

static void registers_write(struct server *s, uint32_t offset, const uint8_t *data, uint32_t len)
{
	if (offset % 4 != 0 || len % 4 != 0) {
		violation(s->nic, VIOLATION_UNALIGNED_ACCESS, "write of %u bytes at %#x", len,
			  offset);
		return;
	}
	for (uint32_t i = 0; i < len; i += 4) {
		uint32_t value;

		memcpy(&value, data + i, 4);
		regfile_write(s->nic, offset + i, value);
	}
}

/* BAR 2 (section 9.3.5): IOADDR at 0 holds the offset of the register that IODATA at 4 is. */
static void io_read(struct server *s, uint32_t offset, uint8_t *data, uint32_t len)
{
	memset(data, 0xff, len);
	if (len != 4)
		return;
	if (offset == 0)
		memcpy(data, &s->io_address, 4);
	else if (offset == 4 && vu_within(s->io_address, 4, IXGBE_BAR0_SIZE))
		registers_read(s, s->io_address, data, 4);
}

static void io_write(struct server *s, uint32_t offset, const uint8_t *data, uint32_t len)
{
	if (len != 4)
		return;
	if (offset == 0)
		memcpy(&s->io_address, data, 4);
	else if (offset == 4 && vu_within(s->io_address, 4, IXGBE_BAR0_SIZE))
		registers_write(s, s->io_address, data, 4);
}

static void function_config_write(struct server *s, uint32_t offset, const uint8_t *data,
				  uint32_t len)
{
	if (config_space_write(&s->config, offset, data, len) & CONFIG_FLR) {
		nic_reset(s->nic, NIC_RESET_FLR);
		irqfd_reset(s->irqfd);
		config_space_reset(&s->config);
	}
	memory_enable(s->nic->memory, config_space_bus_master(&s->config));
	irqfd_update(s->irqfd);
}

static void region_read(struct server *s, uint32_t region, uint32_t offset, uint8_t *data,
			uint32_t len)
{
	switch (region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		registers_read(s, offset, data, len);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		io_read(s, offset, data, len);
		break;
	case VFIO_PCI_BAR4_REGION_INDEX:
		irqfd_bar_read(s->irqfd, offset, data, len);
		break;
	default:
		config_space_read(&s->config, offset, data, len);
	}
}

static void region_write(struct server *s, uint32_t region, uint32_t offset, const uint8_t *data,
			 uint32_t len)
{
	switch (region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		registers_write(s, offset, data, len);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		io_write(s, offset, data, len);
		break;
	case VFIO_PCI_BAR4_REGION_INDEX:
		irqfd_bar_write(s->irqfd, offset, data, len);
		break;
	default:
		function_config_write(s, offset, data, len);
	}
}

/* 0, or -EINVAL: no such region, or not within it. */
static int access_check(uint32_t region, uint64_t offset, uint32_t count)
{
	if (region >= VFIO_PCI_NUM_REGIONS || count == 0 || count > VU_DATA_MAX_BYTES)
		return -EINVAL;
	return vu_within(offset, count, region_bytes[region]) ? 0 : -EINVAL;
}

static int handle_region_read(struct server *s, struct vu_message *m)
{
	struct vu_region_access access;
	int err = payload(m, &access, sizeof(access));

	if (!err)
		err = access_check(access.region, access.offset, access.count);
	if (err)
		return err;
	reply(s, &access, sizeof(access));
	region_read(s, access.region, (uint32_t)access.offset, reply_data(s) + sizeof(access),
		    access.count);
	return (int)(sizeof(access) + access.count);
}

static int handle_region_write(struct server *s, struct vu_message *m)
{
	struct vu_region_access access;
	int err = payload(m, &access, sizeof(access));

	if (!err)
		err = access_check(access.region, access.offset, access.count);
	if (err || m->len - sizeof(access) < access.count)
		return -EINVAL;
	region_write(s, access.region, (uint32_t)access.offset, m->data + sizeof(access),
		     access.count);
	return reply(s, &access, sizeof(access));
}

/* In order, up to the first that is wrong; the reply says how many were right. */
static int handle_region_write_multi(struct server *s, struct vu_message *m)
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
		region_write(s, one.region, (uint32_t)one.offset, one.data, one.count);
	}
	return reply(s, &done, sizeof(done));
}

/* ---- Messages ---- */

/* A handler returns the length of the reply's payload, or -errno. */
static const struct {
	int (*handle)(struct server *s, struct vu_message *m);
	uint32_t fds; /* at most */
} handlers[] = {
	[VU_VERSION] = {handle_version, 0},
	[VU_DMA_MAP] = {handle_dma_map, 1},
	[VU_DMA_UNMAP] = {handle_dma_unmap, 0},
	[VU_GET_INFO] = {handle_get_info, 0},
	[VU_GET_REGION_INFO] = {handle_get_region_info, 0},
	[VU_GET_IRQ_INFO] = {handle_get_irq_info, 0},
	[VU_SET_IRQS] = {handle_set_irqs, VU_FDS_MAX},
	[VU_REGION_READ] = {handle_region_read, 0},
	[VU_REGION_WRITE] = {handle_region_write, 0},
	[VU_RESET] = {handle_reset, 0},
	[VU_REGION_WRITE_MULTI] = {handle_region_write_multi, 0},
};

static int dispatch(struct server *s, struct vu_message *m)
{
	uint16_t command = m->header.command;

	if (command >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[command].handle)
		return -ENOTSUP;
	if (m->fds > handlers[command].fds)
		return -EINVAL;
	return handlers[command].handle(s, m);
}

/* Sends the rest of the reply. */
static void out_flush(struct server *s)
{
	while (s->out_sent < s->out_len) {
		ssize_t n = send(s->stream.sock, s->out + s->out_sent, s->out_len - s->out_sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			s->out_sent += (size_t)n;
		} else if (errno == EAGAIN) {
			loop_modify(s->nic->loop, s->stream.sock, EPOLLOUT);
			deadline_set(s, reply_taking);
			return;
		} else if (errno != EINTR) {
			client_drop(s, NULL);
			return;
		}
	}
	if (s->out_len)
		s->out_len = s->out_sent = 0;
}

/* ---- Questions of ours ---- */

/* Sends the question, if there is one and nothing else is on its way. */
static void ask_send(struct server *s)
{
	if (!s->connected || s->out_len)
		return;
	s->out_len = ask_take(&s->ask, s->out);
	out_flush(s);
}

int server_dma(struct server *s, uint64_t iova, size_t len, const void *data, ask_fn done,
	       void *ctx)
{
	int err;

	if (!s->negotiated)
		return -ENOTCONN;
	if (len > s->data_max)
		return -EMSGSIZE;
	err = ask_start(&s->ask, iova, len, data, done, ctx);
	if (!err)
		ask_send(s);
	return err;
}

void server_dma_cancel(struct server *s)
{
	ask_cancel(&s->ask);
}

/* ---- The stream ---- */

/* Answers one message. */
static void handle(struct server *s, struct vu_message *m)
{
	struct vu_header head = {
		.id = m->header.id, .command = m->header.command, .flags = VU_REPLY};
	int len;

	if ((m->header.flags & VU_TYPE) != VU_COMMAND) {
		if (!ask_reply(&s->ask, m))
			client_drop(s, "a reply that answers nothing");
		return;
	}
	if (!s->negotiated && m->header.command != VU_VERSION) {
		client_drop(s, "command %u before the negotiation", m->header.command);
		return;
	}
	len = dispatch(s, m);
	if (m->header.flags & VU_NO_REPLY) {
		if (len < 0)
			log_debug("posted command %u: %s", m->header.command, strerror(-len));
		return;
	}
	if (len < 0) {
		head.flags |= VU_ERROR;
		head.error = (uint32_t)-len;
		len = 0;
	}
	head.size = (uint32_t)(sizeof(head) + (size_t)len);
	memcpy(s->out, &head, sizeof(head));
	s->out_len = head.size;
	out_flush(s);
}

/* Handles the messages of the last read; reads at most once. */
static void messages_run(struct server *s)
{
	struct vu_message m;
	bool whole = false;

	do {
		int err = vu_stream_next(&s->stream, &m);

		if (err == -EAGAIN)
			break;
		if (err == -EPIPE) {
			client_drop(s, NULL);
		} else if (err == -EBADMSG) {
			client_drop(s, "it closed within a message");
		} else if (err) {
			client_drop(s, "%s",
				    err == -EPROTO ? "it does not speak vfio-user"
						   : strerror(-err));
		} else {
			handle(s, &m);
			vu_message_close(&m);
			whole = true;
		}
	} while (s->connected && s->out_len == 0 && vu_stream_ready(&s->stream));

	if (!s->connected || s->out_len)
		return;
	if (whole && s->negotiated)
		deadline_set(s, NULL); /* a new message has a new deadline */
	deadline_next(s);
}

static void on_client(void *ctx, uint32_t events)
{
	struct server *s = ctx;

	if (s->out_len) {
		if (events & (EPOLLHUP | EPOLLERR)) {
			client_drop(s, NULL);
			return;
		}
		out_flush(s);
		if (!s->connected || s->out_len)
			return;
		deadline_next(s);
		loop_modify(s->nic->loop, s->stream.sock, EPOLLIN);
		ask_send(s);
		if (!s->connected || s->out_len)
			return;
		if (!vu_stream_ready(&s->stream))
			return;
	}
	messages_run(s);
}

/* ---- The socket ---- */

/* The number N of "fd:N", which is a connected stream socket. */
static int socket_take(const char *name, int *out, struct ixgbe_why *why)
{
	char *end;
	long fd = strtol(name + 3, &end, 10);
	int type = 0;
	socklen_t len = sizeof(type);

	if (end == name + 3 || *end || fd < 0 || fd > INT32_MAX)
		return ixgbe_why_fill(why, -EINVAL, "--socket %s: fd:N wants a number", name);
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return ixgbe_why_fill(why, -errno,
				      "--socket %s: %s; N is a connected stream socket", name,
				      strerror(errno));
	if (type != SOCK_STREAM)
		return ixgbe_why_fill(why, -ENOTSOCK, "--socket %s: not a stream socket", name);
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	*out = (int)fd;
	return 0;
}

static int socket_listen(struct server *s, const char *path, struct ixgbe_why *why)
{
	int err;

	s->listener = listen_at("--socket", path, SOCK_STREAM, why);
	if (s->listener < 0)
		return s->listener;
	strcpy(s->path, path);
	err = loop_add(s->nic->loop, s->listener, EPOLLIN, on_listener, s);
	return err ? ixgbe_why_fill(why, err, "--socket %s: %s", path, strerror(-err)) : 0;
}

static void on_refused(void *ctx)
{
	struct server *s = ctx;

	config_space_master_abort(&s->config);
}

int server_new(struct nic *nic, const char *name, struct server **out, struct ixgbe_why *why)
{
	struct server *s = calloc(1, sizeof(*s));
	int err, sock = -1;

	if (!s)
		return ixgbe_why_fill(why, -ENOMEM, "--socket: out of memory");
	s->nic = nic;
	s->listener = s->stream.sock = -1;
	config_space_init(&s->config, nic->mac);
	ask_init(&s->ask, nic, &s->config);
	err = irqfd_new(nic, &s->config, &s->irqfd);
	if (!err)
		err = loop_add(nic->loop, memory_torn_fd(nic->memory), EPOLLIN, on_torn, s);
	if (err) {
		ixgbe_why_fill(why, err, "--socket: %s", strerror(-err));
		goto fail;
	}
	if (strncmp(name, "fd:", 3) == 0) {
		err = socket_take(name, &sock, why);
		if (!err && (err = client_new(s, sock)))
			ixgbe_why_fill(why, err, "--socket %s: %s", name, strerror(-err));
	} else {
		err = socket_listen(s, name, why);
	}
	if (err)
		goto fail;
	interrupt_deliver_set(nic, irqfd_deliver, s->irqfd);
	memory_refused_set(nic->memory, on_refused, s);
	*out = s;
	return 0;

fail:
	server_free(s);
	return err;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	client_drop(s, NULL);
	interrupt_deliver_set(s->nic, NULL, NULL);
	memory_refused_set(s->nic->memory, NULL, NULL);
	loop_remove(s->nic->loop, memory_torn_fd(s->nic->memory));
	if (s->listener >= 0) {
		loop_remove(s->nic->loop, s->listener);
		close(s->listener);
	}
	if (s->path[0])
		unlink(s->path);
	irqfd_free(s->irqfd);
	free(s);
}

bool server_client(const struct server *s)
{
	return s->negotiated;
}
