/* SPDX-License-Identifier: MIT */
/*
 * The registers' channel by itself, as a process without a connection has it: against a device of
 * the test's own, a thread at the other end, that is well or is not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ixgbe/backends/region_channel.h"

#define REGISTERS 64u
#define USER_DATA 0x8259900000000001u
#define SHORT_NS  200000000u  /* a deadline that is to pass */
#define LONG_NS   5000000000u /* one that is not */
#define AT_ONCE   2000000000ull

enum quirk {
	WELL,
	CLOSES,        /* at a read */
	CLOSES_MIDWAY, /* in the answer */
	STOPS_MIDWAY,
	SILENT,
	ANSWERS_TWICE,
	ANSWERS_IN_BYTES,
	ANSWERS_WRITES,
	LISTENS_NEVER,
	ANSWERS_LATE, /* after LATE_MS */
};

#define LATE_MS 300

struct device {
	enum quirk quirk;
	int sock;
	uint32_t reg[REGISTERS];
	uint32_t strange; /* commands that are not as they should be */
	pthread_t thread;
};

struct fixture {
	struct device device;
	struct region_channel channel;
};

/* ---- The device ---- */

/* False: it is over. */
static bool answer(struct device *d, uint64_t data)
{
	const struct vu_ioregion_response r[2] = {{.data = data}, {.data = data}};
	const uint8_t *bytes = (const uint8_t *)r;
	size_t len = sizeof(r[0]);

	switch (d->quirk) {
	case CLOSES:
		return false;
	case SILENT:
		return true;
	case CLOSES_MIDWAY:
	case STOPS_MIDWAY:
		len = 31;
		break;
	case ANSWERS_TWICE:
		len = sizeof(r);
		break;
	case ANSWERS_LATE:
		usleep(LATE_MS * 1000);
		break;
	case ANSWERS_IN_BYTES:
		for (; len > 1; len--, usleep(100))
			(void)!send(d->sock, bytes++, 1, MSG_NOSIGNAL);
		break;
	default:
		break;
	}
	(void)!send(d->sock, bytes, len, MSG_NOSIGNAL);
	return d->quirk != CLOSES_MIDWAY;
}

static bool carry_out(struct device *d, const struct vu_ioregion_command *c)
{
	static const uint8_t zeros[sizeof(c->padding)];
	uint8_t read = VU_IOREGION_32BIT | VU_IOREGION_RESPONSE;
	uint32_t *reg = &d->reg[c->offset / 4 % REGISTERS];

	if (c->user_data != USER_DATA || memcmp(c->padding, zeros, sizeof(zeros)) != 0)
		d->strange++;
	if (c->command == VU_IOREGION_WRITE) {
		d->strange += c->how != VU_IOREGION_32BIT || c->data > UINT32_MAX;
		*reg = (uint32_t)c->data;
		return d->quirk != ANSWERS_WRITES || answer(d, 0);
	}
	d->strange += c->command != VU_IOREGION_READ || c->how != read || c->data != 0;
	return answer(d, *reg);
}

static void *run(void *arg)
{
	struct device *d = arg;
	struct vu_ioregion_command c;
	struct pollfd pfd = {.fd = d->sock, .events = POLLRDHUP};

	if (d->quirk == LISTENS_NEVER)
		(void)poll(&pfd, 1, -1);
	else
		while (recv(d->sock, &c, sizeof(c), MSG_WAITALL) == sizeof(c) && carry_out(d, &c))
			;
	close(d->sock);
	return NULL;
}

static void start_with(struct fixture *f, enum quirk quirk, uint64_t deadline_ns,
		       const struct ixgbe_options *options,
		       const struct region_meanwhile *meanwhile)
{
	const struct vu_sub_region sub = {.user_data = USER_DATA};
	int sock[2];

	memset(f, 0, sizeof(*f));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	f->device.quirk = quirk;
	f->device.sock = sock[0];
	assert_int_equal(pthread_create(&f->device.thread, NULL, run, &f->device), 0);
	region_channel_init(&f->channel);
	assert_int_equal(
		region_channel_open(&f->channel, sock[1], &sub, deadline_ns, options, meanwhile),
		0);
}

static void start(struct fixture *f, enum quirk quirk, uint64_t deadline_ns)
{
	start_with(f, quirk, deadline_ns, NULL, NULL);
}

static void stop(struct fixture *f)
{
	region_channel_close(&f->channel);
	pthread_join(f->device.thread, NULL);
	assert_int_equal(f->device.strange, 0);
}

/* ---- A device that is well ---- */

static void accesses(struct fixture *f)
{
	uint32_t value;

	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(region_channel_write32(&f->channel, 4 * (i % 16), ~i), 0);
		if (i % 10)
			continue;
		assert_int_equal(region_channel_read32(&f->channel, 4 * (i % 16), &value), 0);
		assert_int_equal(value, ~i);
	}
}

static void test_accesses(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, WELL, LONG_NS);
	accesses(&f);
	stop(&f);
	start(&f, ANSWERS_IN_BYTES, LONG_NS);
	accesses(&f);
	stop(&f);
}

struct hammer {
	struct region_channel *channel;
	uint32_t offset, wrong;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	uint32_t value;

	for (uint32_t i = 1; i < 2000; i++) {
		if (region_channel_write32(h->channel, h->offset, i) ||
		    region_channel_read32(h->channel, h->offset, &value) || value != i)
			h->wrong++;
	}
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	struct fixture f;
	struct hammer h[4];
	pthread_t thread[4];

	start(&f, WELL, LONG_NS);
	for (uint32_t i = 0; i < 4; i++) {
		h[i] = (struct hammer){&f.channel, 4 * i, 0};
		pthread_create(&thread[i], NULL, hammer, &h[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(h[i].wrong, 0);
	}
	stop(&f);
}

/* ---- Devices that are not ---- */

static void test_bad_devices(void **state)
{
	(void)state;
	static const struct {
		enum quirk quirk;
		int want;
	} row[] = {
		{CLOSES, -EPIPE},     {CLOSES_MIDWAY, -EPIPE},  {STOPS_MIDWAY, -ETIMEDOUT},
		{SILENT, -ETIMEDOUT}, {ANSWERS_TWICE, -EPROTO},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct fixture f;
		uint32_t value = 77;
		uint64_t before;

		start(&f, row[i].quirk, SHORT_NS);
		assert_int_equal(region_channel_write32(&f.channel, 0, 1), 0);
		assert_int_equal(region_channel_read32(&f.channel, 0, &value), row[i].want);
		before = vu_now_ns();
		for (int n = 0; n < 100; n++) {
			assert_int_equal(region_channel_read32(&f.channel, 0, &value), -ENODEV);
			assert_int_equal(region_channel_write32(&f.channel, 0, 1), -ENODEV);
		}
		assert_true(vu_now_ns() - before < AT_ONCE);
		assert_int_equal(value, 77);
		stop(&f);
	}
}

/* Answers to posted writes are answers to nothing. */
static void test_answered_writes(void **state)
{
	(void)state;
	struct fixture f;
	uint32_t value;
	int there = 0;

	start(&f, ANSWERS_WRITES, LONG_NS);
	for (int i = 0; i < 2; i++)
		assert_int_equal(region_channel_write32(&f.channel, 0, 1), 0);
	while (there < 64)
		assert_int_equal(ioctl(f.channel.sock, FIONREAD, &there), 0);
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), -EPROTO);
	stop(&f);
}

/* Writes fill the socket, and there is an end to the wait for room. */
static void test_deaf_device(void **state)
{
	(void)state;
	struct fixture f;
	int err = 0;

	start(&f, LISTENS_NEVER, SHORT_NS);
	for (uint32_t i = 0; i < 1u << 20 && !err; i++)
		err = region_channel_write32(&f.channel, 0, i);
	assert_int_equal(err, -ETIMEDOUT);
	assert_int_equal(region_channel_write32(&f.channel, 0, 0), -ENODEV);
	stop(&f);
}

static void test_no_stream_socket(void **state)
{
	(void)state;
	const struct vu_sub_region sub = {0};
	int sock[2], fd[3] = {eventfd(0, EFD_CLOEXEC)};

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	fd[1] = sock[0];
	assert_int_equal(close(sock[1]), 0);
	assert_int_equal(pipe2(sock, O_CLOEXEC), 0);
	fd[2] = sock[0];
	for (int i = 0; i < 3; i++) {
		struct region_channel channel;

		region_channel_init(&channel);
		assert_int_equal(region_channel_open(&channel, fd[i], &sub, LONG_NS, NULL, NULL),
				 -ENOTSOCK);
		assert_int_equal(channel.sock, -1);
		assert_int_equal(fcntl(fd[i], F_GETFD), -1);
		region_channel_close(&channel);
	}
	close(sock[1]);
}

/* ---- Patience ---- */

static bool count_down(void *ctx)
{
	return (*(int *)ctx)-- <= 0;
}

static void test_give_up(void **state)
{
	(void)state;
	int turns = 2; /* the first of them before the command */
	const struct ixgbe_options options = {.give_up = count_down, .give_up_ctx = &turns};
	uint64_t before = vu_now_ns();
	struct fixture f;
	uint32_t value;

	start_with(&f, SILENT, 60 * 1000000000ull, &options, NULL);
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), -ECANCELED);
	assert_int_equal(turns, -1);
	assert_true(vu_now_ns() - before < AT_ONCE);
	turns = 100;
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), -ENODEV);
	assert_int_equal(turns, 100);
	stop(&f);

	turns = 0;
	start_with(&f, WELL, LONG_NS, &options, NULL);
	assert_int_equal(region_channel_write32(&f.channel, 0, 1), -ECANCELED);
	stop(&f);
	assert_int_equal(f.device.reg[0], 0);
}

/* ---- The connection, meanwhile ---- */

struct connection {
	struct region_meanwhile meanwhile;
	int err; /* that serve returns */
	uint32_t served;
};

static int serve(void *ctx)
{
	struct connection *c = ctx;

	c->served++;
	return c->err;
}

/* An eventfd that is readable, and stays it. */
static struct connection *connection(struct connection *c, int err)
{
	c->err = err;
	c->served = 0;
	c->meanwhile = (struct region_meanwhile){eventfd(1, EFD_CLOEXEC), serve, c};
	return c;
}

static void test_meanwhile(void **state)
{
	(void)state;
	struct connection c;
	struct fixture f;
	uint32_t value;

	/* It is served while the answer is waited for, and its error ends the wait. */
	start_with(&f, ANSWERS_LATE, LONG_NS, NULL, &connection(&c, 0)->meanwhile);
	assert_int_equal(region_channel_write32(&f.channel, 0, 5), 0);
	assert_int_equal(c.served, 0);
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), 0);
	assert_int_equal(value, 5);
	assert_true(c.served > 0);
	c.err = -EPIPE;
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), -EPIPE);
	stop(&f);
	close(c.meanwhile.fd);

	/* A server that asks without end gains no time. */
	start_with(&f, SILENT, SHORT_NS, NULL, &connection(&c, 0)->meanwhile);
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), -ETIMEDOUT);
	stop(&f);
	close(c.meanwhile.fd);

	/* An answer that is there already keeps nobody from it. */
	start_with(&f, ANSWERS_WRITES, LONG_NS, NULL, &connection(&c, 0)->meanwhile);
	assert_int_equal(region_channel_write32(&f.channel, 0, 1), 0);
	for (int there = 0; there == 0;)
		assert_int_equal(ioctl(f.channel.sock, FIONREAD, &there), 0);
	(void)region_channel_read32(&f.channel, 0, &value);
	assert_int_equal(c.served, 1);
	stop(&f);
	close(c.meanwhile.fd);

	/* Another thread serves it: looked at now and then, not all the time. */
	start_with(&f, ANSWERS_LATE, LONG_NS, NULL, &connection(&c, -EAGAIN)->meanwhile);
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), 0);
	assert_in_range(c.served, 1, LATE_MS + 1);
	stop(&f);
	close(c.meanwhile.fd);

	start_with(&f, SILENT, SHORT_NS, NULL, &connection(&c, -EAGAIN)->meanwhile);
	assert_int_equal(region_channel_read32(&f.channel, 0, &value), -ETIMEDOUT);
	stop(&f);
	close(c.meanwhile.fd);
}

/* It is served while a write waits for room, too. */
static void test_meanwhile_of_a_write(void **state)
{
	(void)state;
	struct connection c;
	struct fixture f;
	int err = 0;

	start_with(&f, LISTENS_NEVER, SHORT_NS, NULL, &connection(&c, -EPIPE)->meanwhile);
	for (uint32_t i = 0; i < 1u << 20 && !err; i++)
		err = region_channel_write32(&f.channel, 0, i);
	assert_int_equal(err, -EPIPE);
	assert_int_equal(c.served, 1);
	stop(&f);
	close(c.meanwhile.fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_bad_devices),
		cmocka_unit_test(test_answered_writes),
		cmocka_unit_test(test_deaf_device),
		cmocka_unit_test(test_no_stream_socket),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_meanwhile),
		cmocka_unit_test(test_meanwhile_of_a_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
