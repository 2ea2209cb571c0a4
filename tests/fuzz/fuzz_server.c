/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user server under arbitrary messages.
 *
 * An input is a list of records: command, flags, length, payload. A record becomes one message
 * with a right header, so that the handlers are reached and not only the framing; command 0xff
 * is sent as it is. Command 0xfe makes the server ask for memory, and flag 16 makes the message a
 * reply to what it asked last (or not quite). Command 0xfd goes over the channel for the registers,
 * if there was one in a reply: a command of the channel, or, with flag 1, the payload as it is.
 * Command 0xfc is a server's reply that describes a channel, for the client. The connection is
 * negotiated first, unless the first byte is 0. The NIC is the real one, without a wire.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "fuzz.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/loop.h"
#include "tools/ixnic/serve/server.h"

enum {
	RAW = 0xff,
	ASK = 0xfe,
	CHANNEL = 0xfd,
	OFFER = 0xfc,
	PAYLOAD_MAX = 255,
	WITH_MEMORY = 1,
	WITH_EVENTFDS = 2,
	WITH_PIPE = 4,
	POSTED = 8, /* an error, of a reply */
	REPLY = 16,
	OTHER_ID = 32
};

struct channel {
	int sock;       /* -1: none */
	uint64_t count; /* of those that came: the number of the last one */
};

/* Takes in what the server says, so that it never waits for us. The descriptor that comes is the
 * channel from now on. */
static void drain(int sock, struct channel *channel)
{
	static uint8_t sink[1 << 17];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {sink, sizeof(sink)};

	for (;;) {
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control)};

		if (recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		if (!CMSG_FIRSTHDR(&msg))
			continue;
		if (channel->sock >= 0)
			close(channel->sock);
		memcpy(&channel->sock, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		channel->count++;
	}
}

/* Over the channel, whose answers are taken or not. The payload's user_data is the difference to
 * the right one. */
static void channel_say(const struct channel *channel, uint8_t flags, const uint8_t *payload,
			size_t len)
{
	static uint8_t sink[1 << 12];
	struct vu_ioregion_command command = {0};

	if (flags & 1) {
		(void)!send(channel->sock, payload, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} else {
		memcpy(&command, payload, len < sizeof(command) ? len : sizeof(command));
		command.user_data += channel->count;
		for (int i = 0; i < (flags & 2 ? 300 : 1); i++)
			(void)!send(channel->sock, &command, sizeof(command),
				    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (flags & 4)
		(void)!recv(channel->sock, sink, sizeof(sink), MSG_DONTWAIT);
	if (flags & 8)
		shutdown(channel->sock, SHUT_RDWR);
}

/* A client makes of any reply what lies within the reply, or nothing. */
static void offer(uint8_t flags, const uint8_t *payload, size_t len)
{
	struct vu_sub_region sub = {0};
	uint8_t *exact = malloc(len + 1); /* a sanitizer sees a read behind its end */

	if (!exact)
		abort();
	memcpy(exact, payload, len);
	if (vu_io_fds_whole(exact, len, flags, 0, IXGBE_BAR0_SIZE, &sub) == 1)
		CHECK(sub.fd_index < flags && sub.offset == 0 && sub.size == IXGBE_BAR0_SIZE);
	else
		CHECK(sub.size == 0);
	free(exact);
}

static uint16_t asked; /* the number of the last question */

static void on_answer(void *ctx, int err, const void *data)
{
	static volatile uint8_t sink;

	(void)ctx;
	if (!err && data)
		sink = *(const uint8_t *)data;
	(void)sink;
}

static void ask(struct server *server, uint8_t flags, const uint8_t *payload, size_t len)
{
	size_t count = flags & REPLY ? flags : len;

	/* As the operator may: nothing checks that the client is there. */
	if (server_dma(server, len > 0 ? payload[0] : 0, count % (ASK_BYTES_MAX + 2),
		       flags & 1 ? NULL : (const uint8_t[2 * ASK_BYTES_MAX]){flags}, on_answer,
		       NULL) == 0)
		asked++;
	if (flags & 2)
		server_dma_cancel(server);
}

static void message(int sock, uint8_t command, uint8_t flags, const uint8_t *payload, size_t len)
{
	struct vu_header header = {.command = command, .flags = flags & POSTED ? VU_NO_REPLY : 0};
	struct iovec part = {(void *)(uintptr_t)payload, len};
	int fd[2] = {-1, -1}, fds = 0;

	if (flags & REPLY) {
		header.flags = VU_REPLY | (flags & POSTED ? VU_ERROR : 0);
		header.error = flags & 1 ? len > 0 ? payload[0] : 0 : UINT32_MAX;
		header.id = (uint16_t)(flags & OTHER_ID ? asked - 1 : asked);
	}

	if (flags & WITH_MEMORY) {
		fd[fds] = memfd_create("fuzz", MFD_CLOEXEC);
		(void)!ftruncate(fd[fds++], 16 * 4096);
	} else if (flags & WITH_EVENTFDS) {
		fd[fds++] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fd[fds++] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	} else if (flags & WITH_PIPE) {
		if (pipe2(fd, O_CLOEXEC) == 0)
			fds = 2;
	}
	(void)vu_send(sock, &header, &part, 1, fd, (uint32_t)fds, 0);
	while (fds > 0)
		close(fd[--fds]);
}

static bool work(void *nic)
{
	return data_work(nic);
}

/* Of a descriptor that is always ready: a run of the loop is one turn, and never sleeps. */
static void on_turn(void *loop, uint32_t events)
{
	(void)events;
	loop_stop(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	static const struct vu_version version = {VU_VERSION_MAJOR, VU_VERSION_MINOR};
	struct server *server = NULL;
	struct nic *nic = NULL;
	struct ixgbe_why why;
	char name[16];
	struct channel channel = {.sock = -1};
	int sock[2], ready = eventfd(1, EFD_CLOEXEC);

	asked = 0;
	log_level_set(IXGBE_LOG_ERROR);
	if (nic_new(mac, &nic) || loop_new(&nic->loop) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		abort();
	snprintf(name, sizeof(name), "fd:%d", sock[1]);
	if (server_new(nic, name, &(const struct server_options){0}, &server, &why))
		abort();
	if (loop_add(nic->loop, ready, EPOLLIN, on_turn, nic->loop))
		abort();
	loop_work_set(nic->loop, work, nic);

	if (size > 0 && data[0] != 0)
		message(sock[0], VU_VERSION, 0, (const uint8_t *)&version, sizeof(version));
	for (size_t at = 1; at + 3 <= size;) {
		size_t len = data[at + 2], left = size - at - 3;

		len = len < left ? len : left;
		if (data[at] == RAW)
			(void)!send(sock[0], data + at + 3, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		else if (data[at] == ASK)
			ask(server, data[at + 1], data + at + 3, len);
		else if (data[at] == CHANNEL)
			channel_say(&channel, data[at + 1], data + at + 3, len);
		else if (data[at] == OFFER)
			offer(data[at + 1], data + at + 3, len);
		else
			message(sock[0], data[at], data[at + 1], data + at + 3, len);
		at += 3 + len;
		loop_run(nic->loop);
		drain(sock[0], &channel);
	}
	close(sock[0]);
	if (channel.sock >= 0)
		close(channel.sock);
	loop_run(nic->loop);
	server_free(server);
	struct loop *loop = nic->loop;

	nic->loop = NULL;
	nic_free(nic);
	loop_free(loop);
	close(ready);
	return 0;
}

/* ---- Inputs that make sense up to a point, for runs without libFuzzer ---- */

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

/* A number near an edge, or any. */
static uint64_t number(uint32_t (*random)(void))
{
	static const uint64_t edge[] = {0,
					1,
					4,
					8,
					63,
					64,
					4095,
					4096,
					0x2000,
					0x3ffc,
					0x4000,
					0x7fffc,
					0x80000,
					0x10000,
					UINT32_MAX,
					1ull << 32,
					UINT64_MAX - 4095,
					UINT64_MAX};

	if (random() % 4)
		return edge[random() % (sizeof(edge) / sizeof(edge[0]))];
	return random() % 2 ? random() % 0x80000 & ~3u : (uint64_t)random() << 32 | random();
}

static size_t channel_payload(uint8_t *to, uint32_t (*random)(void))
{
	struct vu_ioregion_command command = {
		.command = (uint8_t)(random() % 2),
		.how = VU_IOREGION_32BIT,
		.offset = random() % 0x80000 & ~3u,
		.data = (uint64_t)random() << 32 | random(),
	};

	if (random() % 8 == 0)
		command.how = (uint8_t)(random() % 20);
	if (random() % 64 == 0)
		command.offset = number(random);
	if (random() % 64 == 0)
		command.user_data--;
	return (size_t)(put(to, &command, sizeof(command)) - to);
}

static size_t offer_payload(uint8_t *to, uint32_t (*random)(void))
{
	struct vu_region_io_fds head = {.argsz = 16, .count = random() % 4};
	struct vu_sub_region sub = {.size = 0x80000, .type = VU_IO_FD_IOREGIONFD};
	uint8_t *end = to + sizeof(head);

	for (uint32_t i = 0; i < head.count; i++) {
		sub.offset = random() % 4 ? 0 : number(random);
		sub.size = random() % 4 ? 0x80000 : number(random);
		sub.fd_index = random() % 3;
		sub.flags = random() % 4;
		end = put(end, &sub, sizeof(sub));
	}
	head.argsz += head.count * (uint32_t)sizeof(sub);
	if (random() % 4 == 0)
		head.argsz = (uint32_t)number(random);
	if (random() % 8 == 0)
		head.count = (uint32_t)number(random);
	put(to, &head, sizeof(head));
	return (size_t)(end - to);
}

static size_t io_fds_payload(uint8_t *to, uint32_t (*random)(void))
{
	struct vu_region_io_fds request = {.argsz = 56};

	if (random() % 8 == 0)
		request.argsz = (uint32_t)number(random);
	if (random() % 8 == 0)
		request.index = random() % 10;
	return (size_t)(put(to, &request, sizeof(request)) - to);
}

static size_t payload(uint8_t command, uint8_t *to, uint32_t (*random)(void))
{
	uint8_t *end = to;

	if (command == CHANNEL)
		return channel_payload(to, random);
	if (command == OFFER)
		return offer_payload(to, random);
	if (command == VU_GET_REGION_IO_FDS)
		return io_fds_payload(to, random);
	if (command == VU_DMA_READ || command == VU_DMA_WRITE) {
		struct vu_dma_access access = {number(random), random() % 64};

		end = put(end, &access, sizeof(access)) + random() % 64;
	} else if (command == VU_DMA_MAP || command == VU_DMA_UNMAP) {
		uint64_t place = (uint64_t)(random() % 8) * 4096,
			 size = (1 + random() % 4) * 4096ull;
		struct vu_dma_map map = {32, random() % 4, 0, place, size};
		struct vu_dma_unmap unmap = {24, random() % 3, place, size};

		if (random() % 4 == 0)
			map.size = unmap.size = number(random), map.offset = number(random);
		end = command == VU_DMA_MAP ? put(end, &map, sizeof(map))
					    : put(end, &unmap, sizeof(unmap));
	} else if (command == VU_SET_IRQS) {
		struct vu_irq_set set = {20, 1u << random() % 3 | 8u << random() % 3, random() % 6,
					 (uint32_t)number(random) % 70, random() % 4};

		end = put(end, &set, sizeof(set)) + random() % 4;
	} else {
		struct vu_region_access access = {number(random), random() % 10, 4};

		if (random() % 4 == 0)
			access.count = (uint32_t)number(random);
		if (random() % 2)
			access.region = random() % 2 ? 0 : 7;
		end = put(end, &access, sizeof(access));
		for (int i = 0; i < 8; i++)
			*end++ = (uint8_t)random();
	}
	return (size_t)(end - to);
}

size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	uint8_t *at = to;
	uint32_t at_ask = 0; /* the record before asks: 2, and 1 to read */

	memset(to, 0, size);
	*at++ = random() % 16 != 0;
	while ((size_t)(at - to) + 3 + PAYLOAD_MAX < size) {
		uint8_t command = (uint8_t)(random() % 20), flags = (uint8_t)(random() % 16);
		size_t len;

		if (command > 16)
			command = VU_REGION_WRITE;
		if (command == VU_DMA_MAP && random() % 4)
			flags = WITH_MEMORY;
		if (command == VU_GET_REGION_IO_FDS && random() % 4)
			flags = 0;
		if (command == VU_SET_IRQS && random() % 4)
			flags = WITH_EVENTFDS;
		if (random() % 16 == 0) {
			command = ASK;
			flags = random() % 8 ? random() % 2 : (uint8_t)(random() % 64);
		}
		/* A reply to nothing is the end, so most are to something. */
		if (at_ask ? random() % 4 : random() % 256 == 0) {
			command = (uint8_t)(at_ask & 1 ? VU_DMA_READ : VU_DMA_WRITE);
			flags = REPLY | (random() % 3 ? 0 : POSTED) | (random() % 2);
			if (random() % 32 == 0)
				flags |= OTHER_ID;
		}
		at_ask = command == ASK ? 2u | (flags & 1u) : 0;
		if (random() % 256 == 0)
			command = RAW;
		if (random() % 4 == 0) {
			command = random() % 16 ? CHANNEL : OFFER;
			flags = (uint8_t)(random() % 8 ? 0 : random() % 16);
		}
		len = payload(command, at + 3, random);
		if (random() % 32 == 0)
			len = random() % PAYLOAD_MAX;
		at[0] = command;
		at[1] = flags;
		at[2] = (uint8_t)len;
		at += 3 + len;
	}
	return (size_t)(at - to);
}
