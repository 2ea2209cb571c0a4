/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user client whose server has a channel for the registers, against a server of the test's
 * own: it offers well or badly, closes the channel, or asks for memory and waits for that before
 * it answers on the channel.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ixgbe/backends/backend.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "fds_open.h"

#define BAR0_BYTES 0x80000u
#define PAGE       4096u
#define IOVA       0x10000u
#define SOON_NS    2000000000ull

enum offer {
	WHOLE,
	AMONG_OTHERS, /* behind an eventfd's */
	PART,
	AN_EVENTFD, /* said to be an ioregionfd */
	NOTHING,
	NO_SUCH_COMMAND,
	OTHER_REGION,
	WITHOUT_FD,
	SHORT,
};

enum quirk {
	NONE,
	ASKS,        /* for memory, and waits for that, at each read of a register */
	ASKS_BEHIND, /* the same, in one piece with the reply to a message before */
	CLOSES_MAIN, /* closes the connection at a read of a register */
	CLOSES_CHANNEL,
	SILENT,
};

struct server {
	enum offer offer;
	enum quirk quirk;
	pthread_t thread;
	int sock, channel;             /* channel -1: none */
	_Atomic uint32_t commands[32]; /* that came over the connection */
	_Atomic uint32_t bar0;         /* of these: to registers */
	_Atomic uint32_t over_channel;
	_Atomic uint32_t answers; /* to questions: the right memory */
	uint32_t asked;           /* that are not answered yet */
	uint32_t reg[BAR0_BYTES / 4];
	struct vu_stream stream;
};

struct fixture {
	struct server *server;
	struct ixgbe_backend *backend;
	struct ixgbe_why why;
	int fds_before;
};

/* ---- The server: the connection ---- */

static uint64_t soon(void)
{
	return vu_now_ns() + SOON_NS;
}

static const struct vu_dma_access question = {IOVA + 8, 8};

static void ask(struct server *s)
{
	const struct vu_header header = {.id = 99, .command = VU_DMA_READ};
	struct iovec part = {(void *)(uintptr_t)&question, sizeof(question)};

	s->asked++;
	(void)vu_send(s->sock, &header, &part, 1, NULL, 0, soon());
}

static void answer(struct server *s, const struct vu_message *m, const void *data, size_t len,
		   uint32_t error)
{
	const struct vu_header header = {.id = m->header.id,
					 .command = m->header.command,
					 .flags = VU_REPLY | (error ? VU_ERROR : 0),
					 .error = error};
	struct iovec part = {(void *)(uintptr_t)data, len};

	(void)vu_send(s->sock, &header, &part, 1, NULL, 0, soon());
}

/* A reply and a question that arrive together. */
static void answer_and_ask(struct server *s, const struct vu_message *m, const void *data,
			   size_t len)
{
	uint8_t bytes[256];
	struct vu_header header = {.id = m->header.id,
				   .command = m->header.command,
				   .size = (uint32_t)(sizeof(header) + len),
				   .flags = VU_REPLY};
	size_t at = header.size;

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), data, len);
	header = (struct vu_header){
		.id = 99, .command = VU_DMA_READ, .size = sizeof(header) + sizeof(question)};
	memcpy(bytes + at, &header, sizeof(header));
	memcpy(bytes + at + sizeof(header), &question, sizeof(question));
	s->asked++;
	(void)!send(s->sock, bytes, at + header.size, MSG_NOSIGNAL);
}

static void answer_io_fds(struct server *s, const struct vu_message *m)
{
	struct {
		struct vu_region_io_fds head;
		struct vu_sub_region sub[2];
	} reply = {
		.head = {.argsz = 56, .count = 1},
		.sub = {{0, BAR0_BYTES, 0, VU_IO_FD_IOREGIONFD, VU_IOREGION_POSTED_WRITES, 0, 7}},
	};
	const struct vu_header header = {
		.id = m->header.id, .command = m->header.command, .flags = VU_REPLY};
	struct iovec part = {&reply, 0};
	int sock[2], fd[2] = {eventfd(0, EFD_CLOEXEC), -1};

	if (s->offer == NO_SUCH_COMMAND) {
		close(fd[0]);
		answer(s, m, NULL, 0, ENOTSUP);
		return;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	fd[1] = sock[1];
	reply.sub[0].fd_index = s->offer != AN_EVENTFD;
	if (s->offer == AMONG_OTHERS) {
		reply.sub[1] = reply.sub[0];
		reply.sub[0] = (struct vu_sub_region){0x6018, 4, 0, VU_IO_FD_IOEVENTFD, 0, 0, 0};
		reply.head.argsz += 40;
		reply.head.count++;
	}
	reply.sub[0].size -= s->offer == PART ? PAGE : 0;
	reply.head.index = s->offer == OTHER_REGION;
	if (s->offer == NOTHING)
		reply.head = (struct vu_region_io_fds){.argsz = 16};
	part.iov_len = s->offer == SHORT ? 15 : reply.head.argsz;
	(void)vu_send(s->sock, &header, &part, 1, fd, s->offer == WITHOUT_FD ? 1 : 2, soon());
	close(fd[0]);
	close(fd[1]);
	s->channel = sock[0];
}

static void answer_region(struct server *s, const struct vu_message *m)
{
	struct {
		struct vu_region_access access;
		uint32_t data;
	} a = {0};

	memcpy(&a, m->data, m->len < sizeof(a) ? m->len : sizeof(a));
	uint32_t *reg = &s->reg[a.access.offset % BAR0_BYTES / 4];

	if (a.access.region == VFIO_PCI_BAR0_REGION_INDEX) {
		s->bar0++;
		if (m->header.command == VU_REGION_WRITE)
			*reg = a.data;
		else
			a.data = *reg;
	}
	if (m->header.flags & VU_NO_REPLY)
		return;
	if (s->quirk == ASKS_BEHIND)
		answer_and_ask(s, m, &a, sizeof(a));
	else
		answer(s, m, &a, sizeof(a), 0);
}

static void on_message(struct server *s, const struct vu_message *m)
{
	const struct vu_device_info device = {sizeof(device),
					      VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
					      VFIO_PCI_NUM_REGIONS, VFIO_PCI_NUM_IRQS};
	const struct vu_region_info region = {.argsz = sizeof(region), .size = BAR0_BYTES};
	const struct vu_version version = {0, 1};

	if ((m->header.flags & VU_TYPE) == VU_REPLY) {
		s->answers += m->header.id == 99 && m->header.error == 0 &&
			      m->len == sizeof(question) + 8 &&
			      memcmp(m->data + sizeof(question), "82599EB", 8) == 0;
		s->asked--;
		return;
	}
	s->commands[m->header.command % 32]++;
	switch (m->header.command) {
	case VU_VERSION:
		answer(s, m, &version, sizeof(version), 0);
		break;
	case VU_GET_INFO:
		answer(s, m, &device, sizeof(device), 0);
		break;
	case VU_GET_REGION_INFO:
		answer(s, m, &region, sizeof(region), 0);
		break;
	case VU_GET_REGION_IO_FDS:
		answer_io_fds(s, m);
		break;
	case VU_REGION_READ:
	case VU_REGION_WRITE:
		answer_region(s, m);
		break;
	default:
		answer(s, m, NULL, 0, 0);
	}
}

/* The messages that have come. False: the client has left. */
static bool messages(struct server *s)
{
	struct vu_message m;
	int err;

	do {
		err = vu_stream_next(&s->stream, &m);
		if (!err) {
			on_message(s, &m);
			vu_message_close(&m);
		}
	} while (!err && vu_stream_ready(&s->stream));
	return !err || err == -EAGAIN;
}

/* ---- The server: the channel ---- */

static void channel_close(struct server *s)
{
	if (s->channel >= 0)
		close(s->channel);
	s->channel = -1;
}

/* As a server that does one thing at a time: it goes on when it has its answers. */
static bool wait_for_memory(struct server *s)
{
	struct pollfd pfd = {.fd = s->sock, .events = POLLIN};

	while (s->asked > 0) {
		if (poll(&pfd, 1, 2000) != 1 || !messages(s))
			return false;
	}
	return true;
}

/* False: the server is done with this client. */
static bool on_command(struct server *s)
{
	struct vu_ioregion_response response = {0};
	struct vu_ioregion_command c;
	uint32_t *reg;

	if (recv(s->channel, &c, sizeof(c), MSG_WAITALL) != sizeof(c)) {
		channel_close(s);
		return true;
	}
	s->over_channel++;
	assert_int_equal(c.user_data, 7);
	reg = &s->reg[c.offset % BAR0_BYTES / 4];
	if (c.command == VU_IOREGION_WRITE) {
		*reg = (uint32_t)c.data;
		return true;
	}
	if (s->quirk == CLOSES_MAIN)
		return false;
	if (s->quirk == CLOSES_CHANNEL)
		channel_close(s);
	if (s->quirk == SILENT || s->quirk == CLOSES_CHANNEL)
		return true;
	if (s->quirk == ASKS)
		ask(s);
	if (!wait_for_memory(s))
		return false;
	response.data = *reg;
	return send(s->channel, &response, sizeof(response), MSG_NOSIGNAL) == sizeof(response);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	bool more = true;

	while (more) {
		struct pollfd pfd[2] = {{.fd = s->sock, .events = POLLIN},
					{.fd = s->channel, .events = POLLIN}};

		if (poll(pfd, 2, 20000) <= 0)
			break;
		if (pfd[1].revents)
			more = on_command(s);
		else if (pfd[0].revents)
			more = messages(s);
	}
	/* The channel stays open for a moment: what ends is the connection. */
	vu_stream_close(&s->stream);
	if (s->quirk == CLOSES_MAIN)
		poll(&(struct pollfd){.fd = s->channel, .events = POLLRDHUP}, 1, 20000);
	channel_close(s);
	return NULL;
}

/* ---- Fixture ---- */

static int start_with(struct fixture *f, enum offer offer, enum quirk quirk,
		      const struct ixgbe_options *options)
{
	int sock[2];
	char arg[16];

	*f = (struct fixture){.fds_before = fds_open()};
	f->server = calloc(1, sizeof(*f->server));
	f->server->offer = offer;
	f->server->quirk = quirk;
	f->server->channel = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	f->server->sock = sock[0];
	vu_stream_init(&f->server->stream, sock[0]);
	assert_int_equal(pthread_create(&f->server->thread, NULL, serve, f->server), 0);
	snprintf(arg, sizeof(arg), "%d", sock[1]);
	return ixgbe_backend_vfio_user_fd.open(arg, options, &f->backend, &f->why);
}

static int start(struct fixture *f, enum offer offer, enum quirk quirk)
{
	return start_with(f, offer, quirk, NULL);
}

/* Closes the backend; afterwards the server has seen all there was. */
static void leave(struct fixture *f)
{
	f->backend->ops->close(f->backend);
	f->backend = NULL;
	pthread_join(f->server->thread, NULL);
}

static void stop(struct fixture *f)
{
	if (f->backend)
		leave(f);
	free(f->server);
	assert_int_equal(fds_open(), f->fds_before);
}

static void accesses(struct fixture *f)
{
	const struct ixgbe_backend_ops *ops = f->backend->ops;
	uint32_t value;

	for (uint32_t i = 0; i < 300; i++) {
		ops->write32(f->backend, 0x1000 + 4 * (i % 16), i);
		if (i % 10 == 0)
			assert_int_equal(ops->read32(f->backend, 0x1000 + 4 * (i % 16)), i);
	}
	assert_int_equal(ops->config_read(f->backend, 0, &value, 4), 0);
	assert_int_equal(ops->config_write(f->backend, 4, &value, 2), 0);
	assert_int_equal(ops->reset(f->backend), 0);
}

/* ---- Which way registers go ---- */

static void test_over_the_channel(void **state)
{
	(void)state;

	for (enum offer offer = WHOLE; offer <= AMONG_OTHERS; offer++) {
		struct fixture f;

		assert_int_equal(start(&f, offer, NONE), 0);
		accesses(&f);
		leave(&f);
		assert_int_equal(f.server->commands[VU_GET_REGION_IO_FDS], 1);
		assert_int_equal(f.server->over_channel, 330);
		assert_int_equal(f.server->bar0, 0);
		assert_int_equal(f.server->commands[VU_RESET], 2);
		stop(&f);
	}
}

static void test_over_the_connection(void **state)
{
	(void)state;
	static const enum offer offers[] = {PART, AN_EVENTFD, NOTHING, NO_SUCH_COMMAND};

	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		struct fixture f;

		assert_int_equal(start(&f, offers[i], NONE), 0);
		accesses(&f);
		leave(&f);
		assert_int_equal(f.server->over_channel, 0);
		assert_int_equal(f.server->bar0, 330);
		stop(&f);
	}
}

static void test_nonsense(void **state)
{
	(void)state;
	static const enum offer offers[] = {OTHER_REGION, WITHOUT_FD, SHORT};

	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		struct fixture f;

		assert_int_equal(start(&f, offers[i], NONE), -EPROTO);
		assert_non_null(strstr(f.why.text, "does not speak vfio-user (channel to BAR 0)"));
		pthread_join(f.server->thread, NULL);
		stop(&f);
	}
}

/* ---- A server that waits for us ---- */

static void map(struct fixture *f, uint8_t *memory)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	memcpy(memory + 8, "82599EB", 8);
	assert_int_equal(f->backend->ops->dma_map(f->backend, memory, PAGE, fd, 0, IOVA), 0);
	close(fd);
}

static void test_server_asks(void **state)
{
	(void)state;
	uint8_t *memory = calloc(1, PAGE);
	uint64_t before = vu_now_ns();
	struct fixture f;
	uint32_t value;

	assert_int_equal(start(&f, WHOLE, ASKS), 0);
	map(&f, memory);
	for (uint32_t i = 1; i <= 100; i++) {
		f.backend->ops->write32(f.backend, 0x20, i);
		assert_int_equal(f.backend->ops->read32(f.backend, 0x20), i);
		assert_int_equal(f.server->answers, i);
	}
	stop(&f);

	/* Its question comes with a reply, and is in no socket any more when the read waits. */
	assert_int_equal(start(&f, WHOLE, ASKS_BEHIND), 0);
	map(&f, memory);
	for (uint32_t i = 1; i <= 100; i++) {
		assert_int_equal(f.backend->ops->config_read(f.backend, 0, &value, 4), 0);
		f.backend->ops->write32(f.backend, 0x20, i);
		assert_int_equal(f.backend->ops->read32(f.backend, 0x20), i);
		assert_int_equal(f.server->answers, i);
	}
	stop(&f);
	assert_true(vu_now_ns() - before < SOON_NS);
	free(memory);
}

struct hammer {
	struct ixgbe_backend *backend;
	uint32_t offset, wrong;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;

	for (uint32_t i = 1; i < 500; i++) {
		h->backend->ops->write32(h->backend, h->offset, i);
		h->wrong += h->backend->ops->read32(h->backend, h->offset) != i;
	}
	return NULL;
}

/* Threads at the registers, one at the connection, and a server that waits for either. */
static void test_threads(void **state)
{
	(void)state;
	uint8_t *memory = calloc(1, PAGE);
	uint64_t before = vu_now_ns();

	for (enum quirk quirk = ASKS; quirk <= ASKS_BEHIND; quirk++) {
		struct hammer h[3];
		pthread_t thread[3];
		struct fixture f;
		uint32_t value;

		assert_int_equal(start(&f, WHOLE, quirk), 0);
		map(&f, memory);
		for (uint32_t i = 0; i < 3; i++) {
			h[i] = (struct hammer){f.backend, 0x100 + 4 * i, 0};
			pthread_create(&thread[i], NULL, hammer, &h[i]);
		}
		for (int i = 0; i < 500; i++)
			assert_int_equal(f.backend->ops->config_read(f.backend, 0, &value, 4), 0);
		for (int i = 0; i < 3; i++) {
			pthread_join(thread[i], NULL);
			assert_int_equal(h[i].wrong, 0);
		}
		leave(&f);
		assert_int_equal(f.server->bar0, 0);
		assert_true(f.server->answers >= 500);
		stop(&f);
	}
	assert_true(vu_now_ns() - before < 10 * SOON_NS);
	free(memory);
}

/* ---- The end ---- */

/* The channel's end takes the registers. The reset, which ends DMA, goes over the connection. */
static void test_channel_closed(void **state)
{
	(void)state;
	struct fixture f;
	uint32_t value;

	assert_int_equal(start(&f, WHOLE, CLOSES_CHANNEL), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(f.backend->ops->read32(f.backend, 0), UINT32_MAX);
		f.backend->ops->write32(f.backend, 0, 1);
	}
	assert_int_equal(f.backend->ops->config_read(f.backend, 0, &value, 4), 0);
	leave(&f);
	assert_int_equal(f.server->over_channel, 1);
	assert_int_equal(f.server->bar0, 0);
	assert_int_equal(f.server->commands[VU_RESET], 1);
	stop(&f);
}

static void all_gone(struct fixture *f)
{
	const struct ixgbe_backend_ops *ops = f->backend->ops;
	uint64_t before = vu_now_ns();
	uint32_t value;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(ops->read32(f->backend, 4), UINT32_MAX);
		ops->write32(f->backend, 4, 0);
	}
	assert_int_equal(ops->config_read(f->backend, 0, &value, 4), -ENODEV);
	assert_int_equal(ops->reset(f->backend), -ENODEV);
	assert_true(vu_now_ns() - before < SOON_NS);
}

/* The connection's end is noticed by who waits at the channel. */
static void test_connection_closed(void **state)
{
	(void)state;
	uint64_t before = vu_now_ns();
	struct fixture f;

	assert_int_equal(start(&f, WHOLE, CLOSES_MAIN), 0);
	assert_int_equal(f.backend->ops->read32(f.backend, 0), UINT32_MAX);
	assert_true(vu_now_ns() - before < SOON_NS);
	all_gone(&f);
	stop(&f);
}

static bool over(void *ctx)
{
	return atomic_load((_Atomic bool *)ctx);
}

static bool second_time(void *ctx)
{
	return atomic_fetch_add((_Atomic int *)ctx, 1) > 0;
}

/* A server that is silent at the channel is not waited for at the connection again. */
static void test_silence(void **state)
{
	(void)state;
	_Atomic bool end = false;
	_Atomic int asked;
	struct ixgbe_options options = {.give_up = over, .give_up_ctx = &end};
	struct fixture f;

	assert_int_equal(start_with(&f, WHOLE, SILENT, &options), 0);
	assert_int_equal(f.backend->ops->read32(f.backend, 0), UINT32_MAX); /* 5 s */
	all_gone(&f);
	stop(&f);

	/* Given up before an access, and within one. */
	assert_int_equal(start_with(&f, WHOLE, NONE, &options), 0);
	f.backend->ops->write32(f.backend, 0, 5);
	assert_int_equal(f.backend->ops->read32(f.backend, 0), 5);
	end = true;
	assert_int_equal(f.backend->ops->read32(f.backend, 0), UINT32_MAX);
	end = false;
	all_gone(&f);
	leave(&f);
	assert_int_equal(f.server->over_channel, 2);
	assert_int_equal(f.server->commands[VU_RESET], 0);
	stop(&f);

	options = (struct ixgbe_options){.give_up = second_time, .give_up_ctx = &asked};
	asked = INT32_MIN;
	assert_int_equal(start_with(&f, WHOLE, SILENT, &options), 0);
	asked = 0;
	assert_int_equal(f.backend->ops->read32(f.backend, 0), UINT32_MAX);
	assert_int_equal(asked, 2);
	all_gone(&f);
	stop(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over_the_channel),
		cmocka_unit_test(test_over_the_connection),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_server_asks),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_channel_closed),
		cmocka_unit_test(test_connection_closed),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
