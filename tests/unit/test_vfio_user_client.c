/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user client against a server of the test's own: one that is well, one that offers
 * doorbell pages, and many that are not well. Each server is a thread on one end of a
 * socketpair or behind a listening socket, with a short script.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ixgbe/backends/backend.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "fds_open.h"

#define BAR0_BYTES 0x80000u
#define PAGE       4096u

/* ---- A server ---- */

enum quirk {
	WELL,
	OFFERS_PAGES,       /* sparse areas of BAR 0 */
	OFFERS_LOOSE_PAGES, /* in a file that it can truncate */
	OFFERS_SHORT_FILE,  /* areas beyond the end of the file */
	OFFERS_BROKEN_CAPS, /* a chain that loops */
	SAYS_NOTHING,
	CLOSES_AT_ONCE,
	SPEAKS_TEXT,
	STOPS_MID_MESSAGE,
	CLOSES_MID_MESSAGE,
	WRONG_MAJOR,
	NEWER_MINOR,
	BAD_JSON,
	NO_FDS, /* max_msg_fds 0 */
	REFUSES_VERSION,
	IS_BUSY,
	NO_PCI,
	SHORT_INFO,
	ONE_FD, /* max_msg_fds 1, the default */
	WRONG_ID,
	ASKS_FOR_MEMORY, /* DMA_READ in front of each reply */
	REFUSES_READS,   /* region reads answered with an error */
	STOPS_AT_READS,  /* goes silent at the first read of BAR 0 */
	CLOSES_AT_READS,
	ASKS_AT_READS, /* without end */
	ANSWERS_LATE,  /* each command, after LATE_MS */
};

#define LATE_MS 60

struct server {
	enum quirk quirk;
	pthread_t thread;
	bool joined;
	int sock;
	uint8_t *pages; /* with OFFERS_PAGES */
	int pages_fd;
	uint32_t reg[BAR0_BYTES / 4];
	_Atomic uint32_t commands[32]; /* how many of each came */
	_Atomic uint32_t largest_fds;
	_Atomic uint32_t refused; /* of our questions */
	uint64_t map_addr, map_offset;
	uint32_t irq_count; /* of all SET_IRQS with eventfds */
	struct vu_stream stream;
};

static uint64_t soon(void)
{
	return vu_now_ns() + 2000000000ull;
}

static void answer(struct server *s, const struct vu_header *asked, const void *data, size_t len,
		   const int *fd, uint32_t fds, uint32_t error)
{
	struct vu_header header = {.id = asked->id,
				   .command = asked->command,
				   .flags = VU_REPLY | (error ? VU_ERROR : 0),
				   .error = error};
	struct iovec part = {(void *)(uintptr_t)data, len};

	if (s->quirk == ANSWERS_LATE)
		usleep(LATE_MS * 1000);
	if (s->quirk == WRONG_ID && asked->command == VU_GET_INFO)
		header.id++;
	if (s->quirk == ASKS_FOR_MEMORY) {
		struct vu_header question = {.id = 99, .command = VU_DMA_READ};
		uint64_t where[2] = {0x1000, 64};
		struct iovec q = {where, sizeof(where)};

		(void)vu_send(s->sock, &question, &q, 1, NULL, 0, soon());
	}
	(void)vu_send(s->sock, &header, &part, 1, fd, fds, soon());
}

static void answer_version(struct server *s, const struct vu_message *m)
{
	struct {
		struct vu_version version;
		char json[120];
	} reply = {{0, 0}, "{\"capabilities\":{\"max_msg_fds\":8}}"};

	if (s->quirk == WRONG_MAJOR)
		reply.version.major = 1;
	if (s->quirk == NEWER_MINOR)
		reply.version.minor = 99;
	if (s->quirk == BAD_JSON)
		strcpy(reply.json, "{\"capabilities\":");
	if (s->quirk == NO_FDS)
		strcpy(reply.json, "{\"capabilities\":{\"max_msg_fds\":0}}");
	if (s->quirk == ONE_FD)
		strcpy(reply.json, "{}");
	if (s->quirk == REFUSES_VERSION || s->quirk == IS_BUSY)
		answer(s, &m->header, NULL, 0, NULL, 0, s->quirk == IS_BUSY ? EBUSY : EINVAL);
	else
		answer(s, &m->header, &reply, 4 + strlen(reply.json) + 1, NULL, 0, 0);
}

static void answer_region_info(struct server *s, const struct vu_message *m)
{
	struct {
		struct vu_region_info info;
		struct vu_sparse sparse;
		struct vu_area area[2];
	} reply = {
		.info = {.argsz = sizeof(reply), .size = BAR0_BYTES, .offset = PAGE},
		.sparse = {{VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0}, 2, 0},
		.area = {{0x1000, PAGE}, {0x6000, PAGE}},
	};
	bool pages = s->quirk == OFFERS_PAGES || s->quirk == OFFERS_LOOSE_PAGES ||
		     s->quirk == OFFERS_SHORT_FILE || s->quirk == OFFERS_BROKEN_CAPS;

	if (pages) {
		reply.info.flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
		reply.info.cap_offset = offsetof(typeof(reply), sparse);
	}
	if (s->quirk == OFFERS_SHORT_FILE)
		reply.area[0].offset = 0x40000;
	if (s->quirk == OFFERS_BROKEN_CAPS) {
		reply.sparse.cap.id = 77;
		reply.sparse.cap.next = reply.info.cap_offset;
	}
	answer(s, &m->header, &reply, pages ? sizeof(reply) : sizeof(reply.info),
	       pages ? &s->pages_fd : NULL, pages, 0);
}

/* Until nobody listens; false. */
static bool ask_without_end(struct server *s)
{
	struct vu_header question = {.command = VU_DMA_READ, .flags = VU_NO_REPLY};
	uint64_t where[2] = {0x1000, 64};
	struct iovec part = {where, sizeof(where)};

	while (vu_send(s->sock, &question, &part, 1, NULL, 0, soon()) == 0)
		;
	return false;
}

/* False: the server is done with this client. */
static bool answer_region(struct server *s, const struct vu_message *m)
{
	struct {
		struct vu_region_access access;
		uint8_t data[64];
	} reply = {0};
	size_t len = sizeof(reply.access);

	memcpy(&reply.access, m->data, len);
	bool bar0 = reply.access.region == 0;
	uint8_t *at = (uint8_t *)s->reg + reply.access.offset % (BAR0_BYTES - 64);

	if (m->header.command == VU_REGION_WRITE) {
		if (bar0)
			memcpy(at, m->data + len, reply.access.count % 64);
	} else {
		if (bar0 && s->quirk == REFUSES_READS) {
			answer(s, &m->header, NULL, 0, NULL, 0, EIO);
			return true;
		}
		if (bar0 && s->quirk == CLOSES_AT_READS)
			return false;
		if (bar0 && s->quirk == ASKS_AT_READS)
			return ask_without_end(s);
		if (bar0 && s->quirk == STOPS_AT_READS)
			return true;
		memcpy(reply.data, at, sizeof(reply.data));
		len += reply.access.count % 65;
	}
	if (!(m->header.flags & VU_NO_REPLY))
		answer(s, &m->header, &reply, len, NULL, 0, 0);
	return true;
}

static bool handle(struct server *s, const struct vu_message *m)
{
	struct vu_device_info info = {sizeof(info), VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
				      VFIO_PCI_NUM_REGIONS, VFIO_PCI_NUM_IRQS};
	struct vu_dma_map map;
	struct vu_irq_set set;

	if ((m->header.flags & VU_TYPE) == VU_REPLY) {
		s->refused += m->header.id == 99 && m->header.error == EFAULT;
		return true;
	}
	s->commands[m->header.command % 32]++;
	if (m->fds > s->largest_fds)
		s->largest_fds = m->fds;
	switch (m->header.command) {
	case VU_VERSION:
		answer_version(s, m);
		break;
	case VU_GET_INFO:
		if (s->quirk == NO_PCI)
			info.flags = 0;
		answer(s, &m->header, &info, s->quirk == SHORT_INFO ? 8 : sizeof(info), NULL, 0, 0);
		break;
	case VU_GET_REGION_INFO:
		answer_region_info(s, m);
		break;
	case VU_GET_REGION_IO_FDS: /* as a server that does not know it */
		answer(s, &m->header, NULL, 0, NULL, 0, ENOTSUP);
		break;
	case VU_REGION_READ:
	case VU_REGION_WRITE:
		return answer_region(s, m);
	case VU_DMA_MAP:
		memcpy(&map, m->data, sizeof(map));
		s->map_addr = map.addr;
		s->map_offset = map.offset;
		answer(s, &m->header, NULL, 0, NULL, 0, map.addr == 0xbad000 ? EEXIST : 0);
		break;
	case VU_SET_IRQS:
		memcpy(&set, m->data, sizeof(set));
		if (m->fds && set.start == s->irq_count) /* in order, without gaps */
			s->irq_count += m->fds;
		answer(s, &m->header, NULL, 0, NULL, 0, 0);
		break;
	default:
		answer(s, &m->header, NULL, 0, NULL, 0, 0);
	}
	return true;
}

/* Before any message. False: that was all. */
static bool open_badly(struct server *s)
{
	static const char text[] = "220 mail.example.org ESMTP ready, pleased to meet you\r\n";
	struct vu_header header = {.command = VU_VERSION, .size = 100, .flags = VU_REPLY};

	switch (s->quirk) {
	case SPEAKS_TEXT:
		(void)!send(s->sock, text, sizeof(text) - 1, MSG_NOSIGNAL);
		return true;
	case STOPS_MID_MESSAGE:
		(void)!send(s->sock, &header, sizeof(header), MSG_NOSIGNAL);
		return true;
	case CLOSES_MID_MESSAGE:
		(void)!send(s->sock, &header, sizeof(header), MSG_NOSIGNAL);
		return false;
	case CLOSES_AT_ONCE:
		return false;
	default:
		return true;
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct vu_message m;
	bool mute = s->quirk == SAYS_NOTHING || s->quirk == STOPS_MID_MESSAGE;

	vu_stream_init(&s->stream, s->sock);
	if (open_badly(s)) {
		bool more = true;

		while (more && vu_stream_wait_limit(
				       &s->stream, &m,
				       &(const struct vu_limit){
					       .deadline_ns = vu_now_ns() + 20000000000ull}) == 0) {
			more = mute || handle(s, &m);
			vu_message_close(&m);
		}
	}
	vu_stream_close(&s->stream);
	return NULL;
}

/* ---- Fixture ---- */

struct fixture {
	struct server *server;
	struct ixgbe_backend *backend;
	struct ixgbe_why why;
	int fds_before;
};

/* Starts a server with a quirk and opens it with these options: what open returned. */
static int start_with(struct fixture *f, enum quirk quirk, const struct ixgbe_options *options)
{
	int sock[2];
	char arg[16];

	f->fds_before = fds_open();
	f->server = calloc(1, sizeof(*f->server));
	f->server->quirk = quirk;
	f->server->pages_fd = memfd_create(
		"pages", MFD_CLOEXEC | (quirk == OFFERS_LOOSE_PAGES ? 0 : MFD_ALLOW_SEALING));
	assert_int_equal(ftruncate(f->server->pages_fd, 8 * PAGE), 0);
	f->server->pages =
		mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->server->pages_fd, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	f->server->sock = sock[0];
	assert_int_equal(pthread_create(&f->server->thread, NULL, serve, f->server), 0);
	snprintf(arg, sizeof(arg), "%d", sock[1]);
	memset(&f->why, 0, sizeof(f->why));
	f->backend = NULL;
	return ixgbe_backend_vfio_user_fd.open(arg, options, &f->backend, &f->why);
}

static int start(struct fixture *f, enum quirk quirk)
{
	return start_with(f, quirk, NULL);
}

/* Closes the backend; afterwards the server has seen all there was. */
static void leave(struct fixture *f)
{
	if (f->backend)
		f->backend->ops->close(f->backend);
	f->backend = NULL;
	if (!f->server->joined)
		pthread_join(f->server->thread, NULL);
	f->server->joined = true;
}

static void stop(struct fixture *f)
{
	leave(f);
	munmap(f->server->pages, 8 * PAGE);
	close(f->server->pages_fd);
	free(f->server);
	assert_int_equal(fds_open(), f->fds_before);
}

/* ---- A server that is well ---- */

static void test_reads_and_writes(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, WELL), 0);
	const struct ixgbe_backend_ops *ops = f.backend->ops;
	uint32_t value;

	for (uint32_t i = 0; i < 1000; i++) {
		ops->write32(f.backend, 0x1000 + 4 * (i % 16), i);
		if (i % 100 == 0)
			assert_int_equal(ops->read32(f.backend, 0x1000 + 4 * (i % 16)), i);
	}
	assert_int_equal(ops->read32(f.backend, 0x1000 + 4 * (999 % 16)), 999);
	assert_null(ops->doorbell(f.backend, 0x1000));
	assert_int_equal(ops->config_read(f.backend, 0, &value, 4), 0);
	assert_int_equal(ops->config_write(f.backend, 4, &value, 2), 0);
	assert_int_equal(ops->reset(f.backend), 0);
	assert_int_equal(f.server->commands[VU_RESET], 1);
	stop(&f);
}

static void test_close_resets(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, WELL), 0);
	leave(&f);
	assert_int_equal(f.server->commands[VU_RESET], 1);
	stop(&f);
	ixgbe_backend_vfio_user.close(NULL);
}

static void test_memory(void **state)
{
	(void)state;
	struct fixture f;
	ixgbe_iova first, last;
	int fd;

	assert_int_equal(start(&f, WELL), 0);
	fd = memfd_create("memory", MFD_CLOEXEC);
	const struct ixgbe_backend_ops *ops = f.backend->ops;

	assert_int_equal(ops->dma_map(f.backend, NULL, PAGE, fd, 2 * PAGE, 0x10000), 0);
	assert_int_equal(f.server->map_addr, 0x10000);
	assert_int_equal(f.server->map_offset, 2 * PAGE);
	assert_int_equal(ops->dma_map(f.backend, NULL, PAGE, fd, 0, 0xbad000), -EEXIST);
	assert_int_equal(ops->dma_unmap(f.backend, 0x10000, PAGE), 0);
	ops->dma_range(f.backend, &first, &last);
	assert_true(first > 0 && first < last && last + 1 <= 1ull << 39);
	close(fd);
	stop(&f);
}

static void set_irqs(struct fixture *f, uint32_t count)
{
	int fd[64];

	for (uint32_t i = 0; i < count; i++)
		fd[i] = eventfd(0, EFD_CLOEXEC);
	f->server->irq_count = 0;
	assert_int_equal(f->backend->ops->irq_set(f->backend, fd, count), 0);
	assert_int_equal(f->server->irq_count, count);
	for (uint32_t i = 0; i < count; i++)
		close(fd[i]);
}

/* Not more descriptors in a message than the server said. */
static void test_interrupts(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, WELL), 0);
	set_irqs(&f, 17);
	assert_int_equal(f.server->largest_fds, 8);
	assert_int_equal(f.server->commands[VU_SET_IRQS], 3);
	set_irqs(&f, 2); /* the former ones first off */
	assert_int_equal(f.server->commands[VU_SET_IRQS], 5);
	assert_int_equal(f.backend->ops->irq_set(f.backend, NULL, 0), 0);
	assert_int_equal(f.backend->ops->irq_set(f.backend, NULL, 0), 0);
	assert_int_equal(f.server->commands[VU_SET_IRQS], 6);
	stop(&f);

	assert_int_equal(start(&f, ONE_FD), 0);
	set_irqs(&f, 5);
	assert_int_equal(f.server->largest_fds, 1);
	stop(&f);
}

static void test_doorbell_pages(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, OFFERS_PAGES), 0);
	const struct ixgbe_backend_ops *ops = f.backend->ops;
	/* Register 0x6018 is in the second area: at its place in the file, a page further. */
	volatile uint32_t *theirs = (uint32_t *)(void *)(f.server->pages + PAGE + 0x6018);
	volatile uint32_t *bell = ops->doorbell(f.backend, 0x6018);

	assert_non_null(bell);
	*bell = 7;
	assert_int_equal(*theirs, 7);
	ops->write32(f.backend, 0x6018, 8);
	assert_int_equal(*theirs, 8);
	*theirs = 9;
	assert_int_equal(ops->read32(f.backend, 0x6018), 9);
	assert_int_equal(f.server->commands[VU_REGION_WRITE] + f.server->commands[VU_REGION_READ],
			 0);

	assert_non_null(ops->doorbell(f.backend, 0x6ffc));
	assert_null(ops->doorbell(f.backend, 0x7000));
	assert_null(ops->doorbell(f.backend, 0x5ffc));
	assert_null(ops->doorbell(f.backend, 0x6019));
	assert_null(ops->doorbell(f.backend, 0xfffffffc));
	ops->write32(f.backend, 0x3000, 5); /* outside: by message */
	assert_int_equal(ops->read32(f.backend, 0x3000), 5);
	/* The server cannot take the pages away from under us. */
	assert_int_equal(ftruncate(f.server->pages_fd, 0), -1);
	stop(&f);
}

/* Pages that the server could take from under us are left alone. */
static void test_loose_pages(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, OFFERS_LOOSE_PAGES), 0);
	assert_null(f.backend->ops->doorbell(f.backend, 0x6018));
	f.backend->ops->write32(f.backend, 0x6018, 5);
	assert_int_equal(f.backend->ops->read32(f.backend, 0x6018), 5);
	stop(&f);
}

static void test_pages_beyond_the_file(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, OFFERS_SHORT_FILE), 0);
	assert_null(f.backend->ops->doorbell(f.backend, 0x40000));
	f.backend->ops->write32(f.backend, 0x40000, 5);
	assert_int_equal(f.backend->ops->read32(f.backend, 0x40000), 5);
	assert_non_null(f.backend->ops->doorbell(f.backend, 0x6000));
	stop(&f);
}

/* A question from the server is refused, and does not come between a command and its reply. */
static void test_server_asks(void **state)
{
	(void)state;
	struct fixture f;

	assert_int_equal(start(&f, ASKS_FOR_MEMORY), 0);
	f.backend->ops->write32(f.backend, 0x20, 3);
	assert_int_equal(f.backend->ops->read32(f.backend, 0x20), 3);
	leave(&f);
	assert_true(f.server->refused >= 4);
	stop(&f);
}

struct hammer {
	struct ixgbe_backend *backend;
	uint32_t offset;
	bool bad;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;

	for (uint32_t i = 1; i < 2000; i++) {
		h->backend->ops->write32(h->backend, h->offset, i);
		if (h->backend->ops->read32(h->backend, h->offset) != i)
			h->bad = true;
	}
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	struct fixture f;
	struct hammer h[4];
	pthread_t thread[4];

	assert_int_equal(start(&f, WELL), 0);
	for (uint32_t i = 0; i < 4; i++) {
		h[i] = (struct hammer){f.backend, 0x100 + 4 * i, false};
		pthread_create(&thread[i], NULL, hammer, &h[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		assert_false(h[i].bad);
	}
	stop(&f);
}

/* ---- Servers that are not ---- */

static void test_bad_servers(void **state)
{
	(void)state;
	static const struct {
		enum quirk quirk;
		int want;
		const char *words;
	} row[] = {
		{CLOSES_AT_ONCE, -EPROTO, "closed the connection at once"},
		{SPEAKS_TEXT, -EPROTO, "does not speak vfio-user"},
		{CLOSES_MID_MESSAGE, -EPROTO, "in the middle of a message"},
		{WRONG_MAJOR, -EPROTO, "version 1.0"},
		{NEWER_MINOR, -EPROTO, "version 0.99"},
		{BAD_JSON, -EPROTO, "does not speak vfio-user"},
		{NO_FDS, -EPROTO, "does not speak vfio-user"},
		{REFUSES_VERSION, -EINVAL, "refused the negotiation"},
		{IS_BUSY, -EBUSY, "serves another client"},
		{NO_PCI, -ENODEV, "no PCI device"},
		{SHORT_INFO, -EPROTO, "does not speak vfio-user"},
		{WRONG_ID, -EPROTO, "does not speak vfio-user"},
		{OFFERS_BROKEN_CAPS, -EPROTO, "description of BAR 0"},
		{SAYS_NOTHING, -ETIMEDOUT, "does not answer"},
		{STOPS_MID_MESSAGE, -ETIMEDOUT, "stopped in the middle of a message"},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct fixture f;
		int err = start(&f, row[i].quirk);

		if (err != row[i].want || !strstr(f.why.text, row[i].words))
			fail_msg("quirk %d: %d, %s", row[i].quirk, err, f.why.text);
		stop(&f);
	}
}

/* A read that the server refuses is all ones; the device is still there. */
static void test_refused_read(void **state)
{
	(void)state;
	struct fixture f;
	uint32_t value;

	assert_int_equal(start(&f, REFUSES_READS), 0);
	assert_int_equal(f.backend->ops->read32(f.backend, 0), UINT32_MAX);
	assert_int_equal(f.backend->ops->config_read(f.backend, 0, &value, 4), 0);
	stop(&f);
}

static void gone(enum quirk quirk)
{
	struct fixture f;
	uint32_t value;
	int fd = STDERR_FILENO;

	assert_int_equal(start(&f, quirk), 0);
	const struct ixgbe_backend_ops *ops = f.backend->ops;

	assert_int_equal(ops->read32(f.backend, 0), UINT32_MAX);
	uint64_t before = vu_now_ns();

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(ops->read32(f.backend, 4), UINT32_MAX);
		ops->write32(f.backend, 4, 0);
	}
	assert_int_equal(ops->config_read(f.backend, 0, &value, 4), -ENODEV);
	assert_int_equal(ops->config_write(f.backend, 0, &value, 4), -ENODEV);
	assert_int_equal(ops->dma_map(f.backend, NULL, PAGE, fd, 0, 0x1000), -ENODEV);
	assert_int_equal(ops->dma_unmap(f.backend, 0x1000, PAGE), -ENODEV);
	assert_int_equal(ops->irq_set(f.backend, &fd, 1), -ENODEV);
	assert_int_equal(ops->reset(f.backend), -ENODEV);
	/* None of these waited again. */
	assert_true(vu_now_ns() - before < 2000000000ull);
	stop(&f);
}

static void test_gone(void **state)
{
	(void)state;
	gone(CLOSES_AT_READS);
	gone(STOPS_AT_READS);
	gone(ASKS_AT_READS);
}

/* ---- Patience ---- */

static bool no_patience(void *ctx)
{
	return atomic_load((_Atomic bool *)ctx);
}

/* The caller gives up: before the first command, in the middle of a wait, or between two. */
static void test_give_up(void **state)
{
	(void)state;
	_Atomic bool over = true;
	const struct ixgbe_options options = {.give_up = no_patience, .give_up_ctx = &over};
	const struct ixgbe_backend_ops *ops;
	struct fixture f;
	uint64_t before;

	assert_int_equal(start_with(&f, SAYS_NOTHING, &options), -ECANCELED);
	assert_non_null(strstr(f.why.text, "given up"));
	stop(&f);

	over = false;
	assert_int_equal(start_with(&f, ANSWERS_LATE, &options), 0);
	ops = f.backend->ops;
	f.server->reg[2] = 82599;
	assert_int_equal(ops->read32(f.backend, 8), 82599);
	over = true;
	before = f.server->commands[VU_REGION_READ];
	assert_int_equal(ops->read32(f.backend, 8), UINT32_MAX);
	over = false; /* given up for good */
	assert_int_equal(ops->read32(f.backend, 8), UINT32_MAX);
	assert_int_equal(ops->reset(f.backend), -ENODEV);
	leave(&f);
	assert_int_equal(f.server->commands[VU_REGION_READ], before);
	assert_int_equal(f.server->commands[VU_RESET], 0);
	stop(&f);
}

static bool second_time(void *ctx)
{
	return atomic_fetch_add((_Atomic int *)ctx, 1) > 0;
}

static void test_give_up_while_waiting(void **state)
{
	(void)state;
	_Atomic int asked = 0;
	const struct ixgbe_options options = {.give_up = second_time, .give_up_ctx = &asked};
	uint64_t start_ns = vu_now_ns();
	struct fixture f;

	assert_int_equal(start_with(&f, SAYS_NOTHING, &options), -ECANCELED);
	assert_in_range(vu_now_ns() - start_ns, 0, 2000000000ull);
	assert_int_equal(asked, 2);
	stop(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes),
		cmocka_unit_test(test_close_resets),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_doorbell_pages),
		cmocka_unit_test(test_loose_pages),
		cmocka_unit_test(test_pages_beyond_the_file),
		cmocka_unit_test(test_server_asks),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_refused_read),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_give_up_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
