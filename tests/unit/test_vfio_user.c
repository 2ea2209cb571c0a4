/* SPDX-License-Identifier: MIT */
/* The wire codec against a peer that cuts, glues, inflates and litters its messages. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "fds_open.h"

#define SECOND_NS 1000000000ull

struct pair {
	int peer;
	struct vu_stream stream;
	int fds_before; /* descriptors of this process */
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int sock[2];

	p->fds_before = fds_open();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	p->peer = sock[0];
	vu_stream_init(&p->stream, sock[1]);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	vu_stream_close(&p->stream);
	if (p->peer >= 0)
		close(p->peer);
	assert_int_equal(fds_open(), p->fds_before);
	free(p);
	return 0;
}

static void send_bytes(struct pair *p, const void *data, size_t len)
{
	assert_int_equal(send(p->peer, data, len, MSG_NOSIGNAL), len);
}

/* A command with a payload of `len` bytes, each `fill`, and copies of descriptor 2. */
static int send_command(struct pair *p, uint16_t id, uint8_t fill, size_t len, uint32_t fds)
{
	struct vu_header header = {.id = id, .command = VU_REGION_WRITE};
	uint8_t *payload = malloc(len + 1);
	struct iovec part = {payload, len};
	int fd[VU_FDS_MAX + 1];
	int err;

	memset(payload, fill, len + 1);
	for (uint32_t i = 0; i < VU_FDS_MAX + 1; i++)
		fd[i] = STDERR_FILENO;
	err = vu_send(p->peer, &header, &part, 1, fd, fds, vu_now_ns() + SECOND_NS);
	free(payload);
	return err;
}

static void expect(struct pair *p, uint16_t id, uint8_t fill, size_t len, uint32_t fds)
{
	struct vu_message m;

	assert_int_equal(vu_stream_wait_limit(
				 &p->stream, &m,
				 &(const struct vu_limit){.deadline_ns = vu_now_ns() + SECOND_NS}),
			 0);
	assert_int_equal(m.header.id, id);
	assert_int_equal(m.len, len);
	assert_int_equal(m.fds, fds);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(m.data[i], fill);
	for (uint32_t i = 0; i < fds; i++)
		assert_true(fcntl(m.fd[i], F_GETFD) & FD_CLOEXEC);
	vu_message_close(&m);
}

static int next(struct pair *p)
{
	struct vu_message m;
	int err = vu_stream_next(&p->stream, &m);

	if (!err)
		vu_message_close(&m);
	return err;
}

static void test_whole(void **state)
{
	struct pair *p = *state;

	assert_int_equal(next(p), -EAGAIN);
	assert_int_equal(send_command(p, 7, 0xa5, 20, 0), 0);
	expect(p, 7, 0xa5, 20, 0);
	assert_int_equal(next(p), -EAGAIN);
	assert_false(vu_stream_partial(&p->stream));
}

static void test_byte_by_byte(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {.id = 3, .command = VU_RESET, .size = 20};
	uint8_t message[20] = {0};

	memcpy(message, &header, sizeof(header));
	for (size_t i = 0; i < sizeof(message); i++) {
		assert_int_equal(next(p), -EAGAIN);
		send_bytes(p, &message[i], 1);
	}
	expect(p, 3, 0, 4, 0);
}

/* Descriptors go with the message that carried them, however the reads fall. */
static void test_glued_with_fds(void **state)
{
	struct pair *p = *state;

	assert_int_equal(send_command(p, 1, 1, 30, 0), 0);
	assert_int_equal(send_command(p, 2, 2, 0, 2), 0);
	assert_int_equal(send_command(p, 3, 3, 5, 0), 0);
	assert_int_equal(send_command(p, 4, 4, 5, VU_FDS_MAX), 0);
	assert_int_equal(send_command(p, 5, 5, 5, VU_FDS_MAX), 0);
	expect(p, 1, 1, 30, 0);
	expect(p, 2, 2, 0, 2);
	expect(p, 3, 3, 5, 0);
	expect(p, 4, 4, 5, VU_FDS_MAX);
	expect(p, 5, 5, 5, VU_FDS_MAX);
}

static void test_many(void **state)
{
	struct pair *p = *state;

	for (uint32_t round = 0; round < 50; round++) {
		for (uint16_t i = 0; i < 20; i++)
			assert_int_equal(send_command(p, i, (uint8_t)i, i * 100u, i % 3), 0);
		for (uint16_t i = 0; i < 20; i++)
			expect(p, i, (uint8_t)i, i * 100u, i % 3);
	}
}

static void test_taken_fd_stays_open(void **state)
{
	struct pair *p = *state;
	struct vu_message m;

	assert_int_equal(send_command(p, 1, 0, 0, 2), 0);
	assert_int_equal(vu_stream_wait_limit(
				 &p->stream, &m,
				 &(const struct vu_limit){.deadline_ns = vu_now_ns() + SECOND_NS}),
			 0);
	int fd = vu_message_take(&m, 1);
	int other = m.fd[0];

	vu_message_close(&m);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(fcntl(other, F_GETFD), -1);
	close(fd);
}

static void test_largest(void **state)
{
	struct pair *p = *state;

	assert_int_equal(send_command(p, 1, 9, VU_MESSAGE_MAX - 16, 1), 0);
	expect(p, 1, 9, VU_MESSAGE_MAX - 16, 1);
	assert_int_equal(send_command(p, 1, 9, VU_MESSAGE_MAX - 15, 0), -EMSGSIZE);
	assert_int_equal(send_command(p, 1, 9, 0, VU_FDS_MAX + 1), -EMSGSIZE);
}

static void test_bad_headers(void **state)
{
	(void)state;
	static const struct vu_header bad[] = {
		{.size = 0},
		{.size = 15},
		{.size = VU_MESSAGE_MAX + 1},
		{.size = UINT32_MAX},
		{.size = 16, .flags = 0x2},
		{.size = 16, .flags = 0xf},
		{.size = 16, .flags = 0x40},
		{.size = 16, .flags = 0x80000000},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *inner;

		setup(&inner);
		struct pair *p = inner;

		send_bytes(p, &bad[i], sizeof(bad[i]));
		assert_int_equal(next(p), -EPROTO);
		assert_int_equal(next(p), -EPROTO); /* and stays so */
		teardown(&inner);
	}
}

static void test_text_is_refused(void **state)
{
	struct pair *p = *state;

	send_bytes(p, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	assert_int_equal(next(p), -EPROTO);
}

static void test_closed_between(void **state)
{
	struct pair *p = *state;

	assert_int_equal(send_command(p, 1, 0, 4, 0), 0);
	close(p->peer);
	p->peer = -1;
	expect(p, 1, 0, 4, 0);
	assert_int_equal(next(p), -EPIPE);
}

static void test_closed_within(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {.size = 100};

	send_bytes(p, &header, sizeof(header));
	assert_int_equal(next(p), -EAGAIN);
	assert_true(vu_stream_partial(&p->stream));
	close(p->peer);
	p->peer = -1;
	assert_int_equal(next(p), -EBADMSG);
}

static void test_stops_within(void **state)
{
	struct pair *p = *state;
	struct vu_message m;
	uint64_t start = vu_now_ns();

	send_bytes(p, "\1\0", 2);
	assert_int_equal(vu_stream_wait_limit(
				 &p->stream, &m,
				 &(const struct vu_limit){.deadline_ns = start + SECOND_NS / 20}),
			 -ETIMEDOUT);
	assert_true(vu_now_ns() - start >= SECOND_NS / 20);
}

/* Sends raw bytes with descriptors. */
static void send_raw_fds(struct pair *p, const void *data, size_t len, uint32_t fds)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = CMSG_SPACE(fds * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fds * sizeof(int));
	for (uint32_t i = 0; i < fds; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){STDERR_FILENO}, sizeof(int));
	assert_int_equal(sendmsg(p->peer, &msg, MSG_NOSIGNAL), len);
}

static void test_too_many_fds_at_once(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {.size = sizeof(header)};

	send_raw_fds(p, &header, sizeof(header), 64);
	assert_int_equal(next(p), -EPROTO);
}

static void test_too_many_fds_in_pieces(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {.size = 24};
	int err = -EAGAIN;

	send_raw_fds(p, &header, sizeof(header), VU_FDS_MAX);
	for (int i = 0; i < 8 && err == -EAGAIN; i++) {
		err = next(p);
		if (err == -EAGAIN)
			send_raw_fds(p, "x", 1, VU_FDS_MAX);
	}
	assert_int_equal(err, -EPROTO);
}

static void test_fds_of_a_cut_message(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {.size = 100};

	/* The teardown finds them closed. */
	send_raw_fds(p, &header, sizeof(header), 3);
	assert_int_equal(next(p), -EAGAIN);
}

static void test_send_to_nobody(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {0};

	close(p->peer);
	p->peer = -1;
	assert_int_equal(vu_send(p->stream.sock, &header, NULL, 0, NULL, 0, 0), -EPIPE);
}

static void test_send_to_a_deaf_peer(void **state)
{
	struct pair *p = *state;
	int err = 0;

	/* Far more than any socket buffer. */
	for (int i = 0; i < 10000 && !err; i++) {
		struct vu_header header = {.id = (uint16_t)i};
		uint8_t payload[4096] = {0};
		struct iovec part = {payload, sizeof(payload)};

		err = vu_send(p->stream.sock, &header, &part, 1, NULL, 0,
			      vu_now_ns() + SECOND_NS / 20);
	}
	assert_int_equal(err, -ETIMEDOUT);
}

static void test_within(void **state)
{
	(void)state;
	assert_true(vu_within(0, 0, 0));
	assert_true(vu_within(4, 4, 8));
	assert_false(vu_within(5, 4, 8));
	assert_false(vu_within(9, 0, 8));
	assert_false(vu_within(UINT64_MAX, 2, 8));
	assert_false(vu_within(2, UINT64_MAX, 8));
}

static void test_irq_set(void **state)
{
	(void)state;
	enum {
		NONE = VFIO_IRQ_SET_DATA_NONE,
		BOOL = VFIO_IRQ_SET_DATA_BOOL,
		EVENTFD = VFIO_IRQ_SET_DATA_EVENTFD,
		MASK = VFIO_IRQ_SET_ACTION_MASK,
		UNMASK = VFIO_IRQ_SET_ACTION_UNMASK,
		TRIGGER = VFIO_IRQ_SET_ACTION_TRIGGER,
	};
	static const struct {
		uint32_t flags, start, count, data, fds;
		int want;
	} row[] = {
		{EVENTFD | TRIGGER, 0, 16, 0, 16, 0},
		{EVENTFD | TRIGGER, 48, 16, 0, 16, 0},
		{EVENTFD | TRIGGER, 0, 16, 0, 0, 0},
		{EVENTFD | TRIGGER, 49, 16, 0, 16, -EINVAL},
		{EVENTFD | TRIGGER, 0, 16, 0, 15, -EINVAL},
		{EVENTFD | TRIGGER, 0, 0, 0, 0, -EINVAL},
		{NONE | TRIGGER, 0, 0, 0, 0, 0},
		{NONE | TRIGGER, 1, 0, 0, 0, -EINVAL},
		{NONE | MASK, 0, 0, 0, 0, -EINVAL},
		{NONE | MASK, 0, 64, 0, 0, 0},
		{NONE | UNMASK, 63, 1, 0, 0, 0},
		{NONE | TRIGGER, 64, 1, 0, 0, -EINVAL},
		{NONE | TRIGGER, UINT32_MAX, 2, 0, 0, -EINVAL},
		{NONE | TRIGGER, 2, UINT32_MAX, 0, 0, -EINVAL},
		{NONE | TRIGGER, 0, 1, 0, 1, -EINVAL},
		{BOOL | TRIGGER, 0, 8, 8, 0, 0},
		{BOOL | TRIGGER, 0, 8, 7, 0, -EINVAL},
		{BOOL | EVENTFD | TRIGGER, 0, 1, 1, 1, -EINVAL},
		{BOOL | TRIGGER | MASK, 0, 1, 1, 0, -EINVAL},
		{TRIGGER, 0, 1, 0, 0, -EINVAL},
		{NONE, 0, 1, 0, 0, -EINVAL},
		{NONE | TRIGGER | 0x100, 0, 1, 0, 0, -EINVAL},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct vu_irq_set set = {
			.flags = row[i].flags, .start = row[i].start, .count = row[i].count};

		assert_int_equal(vu_irq_set_check(&set, sizeof(set) + row[i].data, row[i].fds, 64),
				 row[i].want);
		assert_int_equal(vu_irq_set_check(&set, sizeof(set) - 1, row[i].fds, 64), -EINVAL);
	}
}

struct region_reply {
	struct vu_region_info info;
	struct vu_cap other;
	struct vu_sparse sparse;
	struct vu_area area[2];
};

static struct region_reply region_reply(void)
{
	return (struct region_reply){
		.info = {.flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS,
			 .cap_offset = offsetof(struct region_reply, other),
			 .size = 0x80000},
		.other = {.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
			  .next = offsetof(struct region_reply, sparse)},
		.sparse = {.cap.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .areas = 2},
		.area = {{0x1000, 0x1000}, {0x7f000, 0x1000}},
	};
}

static void test_region_areas(void **state)
{
	(void)state;
	struct region_reply good = region_reply(), r;
	struct vu_area area[4];

	assert_int_equal(vu_region_areas(&good, sizeof(good), area, 4), 2);
	assert_int_equal(area[1].offset, 0x7f000);
	assert_int_equal(vu_region_areas(&good, sizeof(good), area, 1), 1);
	assert_int_equal(vu_region_areas(&good, sizeof(good) - 1, area, 4), -EPROTO);
	assert_int_equal(vu_region_areas(&good, sizeof(good.info) - 1, area, 4), -EPROTO);
	assert_int_equal(vu_region_areas(&good, sizeof(good.info), area, 4), -EPROTO);

	r = good, r.sparse.areas = UINT32_MAX;
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), -EPROTO);
	r = good, r.area[0].offset = UINT64_MAX;
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), -EPROTO);
	r = good, r.area[1].size = 0x2000;
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), -EPROTO);
	r = good, r.other.next = r.info.cap_offset; /* a loop */
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), -EPROTO);
	r = good, r.info.cap_offset = 8; /* into the info itself */
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), -EPROTO);
	r = good, r.info.cap_offset = UINT32_MAX;
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), -EPROTO);

	r = good, r.other.next = 0; /* no sparse capability: all of it */
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), 1);
	assert_int_equal(area[0].size, 0x80000);
	r = good, r.info.flags = 0;
	assert_int_equal(vu_region_areas(&r, sizeof(r), area, 4), 0);
}

static void test_capabilities(void **state)
{
	(void)state;
	struct vu_capabilities caps, again;
	char json[256];
	static const char qemu[] =
		"{\"capabilities\": {\"migration\": {\"max_bitmap_size\": 268435456, \"pgsize\": 4096},"
		" \"max_msg_fds\": 16, \"max_data_xfer_size\": 1048576, \"pgsizes\": 4096,"
		" \"max_dma_maps\": 65535, \"write_multiple\": true}}";

	assert_int_equal(vu_capabilities_parse(NULL, 0, &caps), 0);
	assert_int_equal(caps.max_msg_fds, VU_DEFAULT_FDS);
	assert_int_equal(caps.max_data_xfer_size, VU_DEFAULT_DATA_BYTES);
	assert_false(caps.has_max_msg_fds);

	assert_int_equal(vu_capabilities_parse(qemu, sizeof(qemu), &caps), 0);
	assert_int_equal(caps.max_msg_fds, 16);
	assert_true(caps.has_max_msg_fds && caps.has_max_data_xfer_size && caps.write_multiple);
	int len = vu_capabilities_format(&caps, json, sizeof(json));

	/* QEMU wants a reply no longer than its request. */
	assert_in_range(len, 2, sizeof(qemu));
	assert_int_equal(json[len - 1], '\0');
	assert_int_equal(vu_capabilities_parse(json, (size_t)len, &again), 0);
	assert_memory_equal(&caps, &again, sizeof(caps));
	assert_int_equal(vu_capabilities_format(&caps, json, 20), -ENOBUFS);
}

static void test_bad_capabilities(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"nonsense",
		"[]",
		"{\"capabilities\": 1}",
		"{\"capabilities\": {\"max_msg_fds\": -1}}",
		"{\"capabilities\": {\"max_msg_fds\": \"8\"}}",
		"{\"capabilities\": {\"max_msg_fds\": 4294967296}}",
		"{\"capabilities\": {\"max_data_xfer_size\": 1e99}}",
		"{\"capabilities\": {\"write_multiple\": 1}}",
		"{\"capabilities\": {}} trailing",
	};
	struct vu_capabilities caps;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vu_capabilities_parse(bad[i], strlen(bad[i]) + 1, &caps), -EPROTO);
	/* without its NUL */
	assert_int_equal(vu_capabilities_parse("{}", 2, &caps), -EPROTO);
	assert_int_equal(vu_capabilities_parse("{}", 3, &caps), 0);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- Accesses over a descriptor of their own ---- */

#define REGION_BYTES 0x80000u

static void test_io_fds_request(void **state)
{
	(void)state;
	static const struct {
		struct vu_region_io_fds request;
		int want;
	} row[] = {
		{{16, 0, 0, 0}, 0},
		{{UINT32_MAX, 0, UINT32_MAX, 0}, 0}, /* the caller knows its regions */
		{{15, 0, 0, 0}, -EINVAL},
		{{56, 1, 0, 0}, -EINVAL},
		{{56, 0, 0, 1}, -EINVAL},
	};
	struct vu_region_io_fds out;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		out.argsz = 77;
		assert_int_equal(vu_io_fds_check(&row[i].request, sizeof(out), &out), row[i].want);
		assert_int_equal(out.argsz, row[i].want ? 77 : row[i].request.argsz);
		assert_int_equal(vu_io_fds_check(&row[i].request, sizeof(out) - 1, &out), -EINVAL);
	}
}

struct io_fds_reply {
	struct vu_region_io_fds head;
	struct vu_sub_region sub[3];
};

/* Two sub-regions: an eventfd at a doorbell, and the one that is looked for. */
static struct io_fds_reply io_fds_reply(void)
{
	return (struct io_fds_reply){
		.head = {.argsz = 16 + 2 * 40, .count = 2},
		.sub = {{0x6018, 4, 0, VU_IO_FD_IOEVENTFD, 0, 0, 0},
			{0, REGION_BYTES, 1, VU_IO_FD_IOREGIONFD, VU_IOREGION_POSTED_WRITES, 0,
			 82599}},
	};
}

static int whole(const struct io_fds_reply *reply, size_t len, struct vu_sub_region *out)
{
	return vu_io_fds_whole(reply, len, 2, 0, REGION_BYTES, out);
}

static void test_io_fds_whole(void **state)
{
	(void)state;
	struct io_fds_reply r = io_fds_reply();
	struct vu_sub_region sub = {0};

	assert_int_equal(whole(&r, r.head.argsz, &sub), 1);
	assert_int_equal(sub.fd_index, 1);
	assert_int_equal(sub.user_data, 82599);
	/* Bytes behind the array are not ours; entries may be longer. */
	assert_int_equal(whole(&r, sizeof(r), &sub), 1);
	r.head.argsz = sizeof(r);
	r.head.count = 2; /* 60 bytes each */
	memmove((uint8_t *)r.sub + 60, &r.sub[1], sizeof(sub));
	sub.user_data = 0;
	assert_int_equal(whole(&r, sizeof(r), &sub), 1);
	assert_int_equal(sub.user_data, 82599);

	/* None at all, or not all of them. */
	r = io_fds_reply();
	r.head.count = 0;
	assert_int_equal(whole(&r, sizeof(r), &sub), 0);
	r.head.argsz = 16;
	assert_int_equal(whole(&r, 16, &sub), 0);
	r = io_fds_reply();
	assert_int_equal(whole(&r, r.head.argsz - 1, &sub), 0);
	assert_int_equal(whole(&r, 16, &sub), 0);
}

/* Offers that are no channel for the whole region. */
static void test_io_fds_partial(void **state)
{
	(void)state;
	static const struct vu_sub_region offer[] = {
		{0, REGION_BYTES, 1, VU_IO_FD_IOEVENTFD, VU_IOREGION_POSTED_WRITES, 0, 0},
		{0, REGION_BYTES, 1, 2, VU_IOREGION_POSTED_WRITES, 0, 0},
		{0, REGION_BYTES, 1, VU_IO_FD_IOREGIONFD, 0, 0, 0},
		{0, REGION_BYTES, 1, VU_IO_FD_IOREGIONFD, 3, 0, 0},
		{0, REGION_BYTES - 4, 1, VU_IO_FD_IOREGIONFD, VU_IOREGION_POSTED_WRITES, 0, 0},
		{4, REGION_BYTES - 4, 1, VU_IO_FD_IOREGIONFD, VU_IOREGION_POSTED_WRITES, 0, 0},
		{0, 0, 1, VU_IO_FD_IOREGIONFD, VU_IOREGION_POSTED_WRITES, 0, 0},
	};
	struct vu_sub_region sub;

	for (size_t i = 0; i < sizeof(offer) / sizeof(offer[0]); i++) {
		struct io_fds_reply r = io_fds_reply();

		r.sub[1] = offer[i];
		assert_int_equal(whole(&r, r.head.argsz, &sub), 0);
	}
}

static void test_io_fds_nonsense(void **state)
{
	(void)state;
	struct io_fds_reply good = io_fds_reply(), r = good;
	struct vu_sub_region sub;

	assert_int_equal(whole(&r, 15, &sub), -EPROTO);
	assert_int_equal(vu_io_fds_whole(&r, r.head.argsz, 2, 2, REGION_BYTES, &sub), -EPROTO);
	assert_int_equal(vu_io_fds_whole(&r, r.head.argsz, 1, 0, REGION_BYTES, &sub), -EPROTO);
	assert_int_equal(vu_io_fds_whole(&r, r.head.argsz, 0, 0, REGION_BYTES, &sub), -EPROTO);
	r.head.flags = 1;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r = good;
	r.head.argsz = 15;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r = good;
	r.head.argsz -= 2; /* entries of 39 bytes */
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r = good;
	r.head.count = UINT32_MAX;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r = good;
	r.sub[0].offset = REGION_BYTES - 3; /* of one that we do not want, too */
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r.sub[0].offset = UINT64_MAX;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r = good;
	r.sub[1].size = UINT64_MAX;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	r = good;
	r.sub[1].fd_index = UINT32_MAX;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	/* The whole region, and then nonsense: nothing. */
	r.sub[0] = good.sub[1];
	sub.user_data = 1;
	assert_int_equal(whole(&r, sizeof(r), &sub), -EPROTO);
	assert_int_equal(sub.user_data, 1);
}

static void test_ioregion_command(void **state)
{
	(void)state;
	const struct vu_sub_region of = {.size = REGION_BYTES, .user_data = 7};
	static const struct {
		uint8_t command, how;
		uint64_t user_data, offset;
		int want;
	} row[] = {
		{VU_IOREGION_READ, 2, 7, 0, 0},
		{VU_IOREGION_WRITE, 2 | VU_IOREGION_RESPONSE, 7, REGION_BYTES - 4, 0},
		{VU_IOREGION_READ, 0, 7, REGION_BYTES - 1, 0},
		{VU_IOREGION_WRITE, 3, 7, REGION_BYTES - 8, 0},
		{VU_IOREGION_WRITE, 3, 7, REGION_BYTES - 7, -EPROTO},
		{VU_IOREGION_READ, 1, 7, REGION_BYTES - 1, -EPROTO},
		{VU_IOREGION_READ, 2, 7, REGION_BYTES, -EPROTO},
		{VU_IOREGION_READ, 2, 7, UINT64_MAX - 3, -EPROTO},
		{2, 2, 7, 0, -EPROTO},
		{UINT8_MAX, 2, 7, 0, -EPROTO},
		{VU_IOREGION_READ, 4, 7, 0, -EPROTO},
		{VU_IOREGION_READ, 15, 7, 0, -EPROTO},
		{VU_IOREGION_READ, 2 | 0x20, 7, 0, -EPROTO},
		{VU_IOREGION_READ, 2 | 0x80, 7, 0, -EPROTO},
		{VU_IOREGION_READ, 2, 8, 0, -EPROTO},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct vu_ioregion_command command = {.command = row[i].command,
						      .how = row[i].how,
						      .user_data = row[i].user_data,
						      .offset = row[i].offset};

		assert_int_equal(vu_ioregion_check(&command, &of), row[i].want);
	}
	for (uint8_t how = 0; how < 4; how++) {
		struct vu_ioregion_command command = {.how = how | VU_IOREGION_RESPONSE};

		assert_int_equal(vu_ioregion_bytes(&command), 1 << how);
	}
}

static void test_send_some(void **state)
{
	struct pair *p = *state;
	struct vu_header header = {.command = VU_RESET, .size = 20, .flags = VU_REPLY};
	static const uint8_t bulk[1u << 20];
	ssize_t n;

	assert_int_equal(vu_send_some(p->peer, &header, 16, STDERR_FILENO), 16);
	assert_int_equal(vu_send_some(p->peer, "\5\5\5\5", 4, -1), 4);
	expect(p, 0, 5, 4, 1);
	do
		n = vu_send_some(p->peer, bulk, sizeof(bulk), -1);
	while (n > 0);
	assert_int_equal(n, -EAGAIN);
	close(p->stream.sock);
	p->stream.sock = -1;
	assert_int_equal(vu_send_some(p->peer, "x", 1, -1), -EPIPE);
}

static bool always(void *ctx)
{
	(*(int *)ctx)++;
	return true;
}

static void test_poll_limit(void **state)
{
	struct pair *p = *state;
	struct pollfd pfd[2] = {{.fd = -1, .events = POLLIN},
				{.fd = p->stream.sock, .events = POLLIN}};
	int asked = 0;

	assert_int_equal(vu_poll_limit(pfd, 2, &(const struct vu_limit){0}), -ETIMEDOUT);
	assert_int_equal(vu_poll_limit(pfd, 2,
				       &(const struct vu_limit){vu_now_ns() + 60 * SECOND_NS,
								always, &asked}),
			 -ECANCELED);
	assert_int_equal(asked, 1);
	send_bytes(p, "x", 1);
	assert_int_equal(vu_poll_limit(pfd, 2, &(const struct vu_limit){0}), 0);
	assert_int_equal(pfd[0].revents, 0);
	assert_int_equal(pfd[1].revents, POLLIN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STREAM_TEST(test_whole),
		STREAM_TEST(test_byte_by_byte),
		STREAM_TEST(test_glued_with_fds),
		STREAM_TEST(test_many),
		STREAM_TEST(test_taken_fd_stays_open),
		STREAM_TEST(test_largest),
		cmocka_unit_test(test_bad_headers),
		STREAM_TEST(test_text_is_refused),
		STREAM_TEST(test_closed_between),
		STREAM_TEST(test_closed_within),
		STREAM_TEST(test_stops_within),
		STREAM_TEST(test_too_many_fds_at_once),
		STREAM_TEST(test_too_many_fds_in_pieces),
		STREAM_TEST(test_fds_of_a_cut_message),
		STREAM_TEST(test_send_to_nobody),
		STREAM_TEST(test_send_to_a_deaf_peer),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_irq_set),
		cmocka_unit_test(test_region_areas),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_bad_capabilities),
		cmocka_unit_test(test_io_fds_request),
		cmocka_unit_test(test_io_fds_whole),
		cmocka_unit_test(test_io_fds_partial),
		cmocka_unit_test(test_io_fds_nonsense),
		cmocka_unit_test(test_ioregion_command),
		STREAM_TEST(test_send_some),
		STREAM_TEST(test_poll_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
