/* SPDX-License-Identifier: MIT */
/*
 * The channel that a client may have for the registers alone: GET_REGION_IO_FDS, and what passes
 * over the ioregionfd.
 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "server_client.h"

#define READ  VU_IOREGION_READ
#define WRITE VU_IOREGION_WRITE
#define WORD  VU_IOREGION_32BIT

/* A client with its connection and, mostly, a channel. */
struct rig {
	struct model *m;
	struct peer *peer;
	int channel; /* -1: none */
	struct vu_sub_region sub;
};

static int rig_start(void **state, const struct model_options *options)
{
	static struct rig rig;

	rig = (struct rig){.channel = -1};
	if (model_start((void **)&rig.m, options))
		return -1;
	model_disconnect(rig.m);
	rig.peer = peer_connect(rig.m);
	peer_negotiate(rig.peer);
	*state = &rig;
	return 0;
}

static int setup(void **state)
{
	static const struct model_options options = {.listen = true};
	int err = rig_start(state, &options);
	struct rig *r = *state;

	if (!err)
		r->channel = peer_channel(r->peer, &r->sub);
	return err;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	if (r->channel >= 0)
		close(r->channel);
	peer_close(r->peer);
	return model_stop((void **)&r->m);
}

/* ---- Over the connection ---- */

static uint32_t main_read(struct rig *r, uint32_t offset)
{
	struct {
		struct vu_region_access access;
		uint32_t value;
	} reply = {.access = {offset, VFIO_PCI_BAR0_REGION_INDEX, 4}};

	assert_int_equal(peer_command(r->peer, VU_REGION_READ, &reply.access, sizeof(reply.access),
				      NULL, 0, &reply, sizeof(reply)),
			 sizeof(reply.access) + 4);
	return reply.value;
}

static void main_write(struct rig *r, uint32_t offset, uint32_t value)
{
	struct {
		struct vu_region_access access;
		uint32_t value;
	} request = {{offset, VFIO_PCI_BAR0_REGION_INDEX, 4}, value};

	assert_int_equal(peer_command(r->peer, VU_REGION_WRITE, &request,
				      sizeof(request.access) + 4, NULL, 0, &request,
				      sizeof(request)),
			 sizeof(request.access));
}

static void connection_lives(struct rig *r)
{
	main_write(r, IXGBE_FCTTV, 77);
	assert_int_equal(main_read(r, IXGBE_FCTTV), 77);
}

/* What the operator sees. */
static bool channel_is_there(struct rig *r)
{
	json_t *status = model_control(r->m, "status");
	bool there = json_is_true(json_object_get(status, "channel"));

	json_decref(status);
	return there;
}

static void channel_goes(struct rig *r)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	while (channel_is_there(r)) {
		if (model_now_ms() >= end)
			fail_msg("the channel is there still");
	}
}

/* ---- Over the channel ---- */

static struct vu_ioregion_command command_of(const struct rig *r, uint8_t command, uint8_t how,
					     uint64_t offset, uint64_t data)
{
	return (struct vu_ioregion_command){.command = command,
					    .how = how,
					    .user_data = r->sub.user_data,
					    .offset = offset,
					    .data = data};
}

static void say(struct rig *r, const void *data, size_t len)
{
	assert_int_equal(send(r->channel, data, len, MSG_NOSIGNAL), len);
}

static void command(struct rig *r, uint8_t number, uint8_t how, uint64_t offset, uint64_t data)
{
	const struct vu_ioregion_command c = command_of(r, number, how, offset, data);

	say(r, &c, sizeof(c));
}

static bool answered(struct rig *r, int timeout_ms)
{
	struct pollfd pfd = {.fd = r->channel, .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) == 1;
}

static uint64_t answer(struct rig *r)
{
	struct vu_ioregion_response response;

	if (!answered(r, MODEL_DEADLINE_MS))
		fail_msg("no answer");
	assert_int_equal(recv(r->channel, &response, sizeof(response), MSG_WAITALL),
			 sizeof(response));
	for (size_t i = 0; i < sizeof(response.padding); i++)
		assert_int_equal(response.padding[i], 0);
	return response.data;
}

static void write32(struct rig *r, uint32_t offset, uint32_t value)
{
	command(r, WRITE, WORD, offset, value);
}

static uint64_t read32(struct rig *r, uint32_t offset)
{
	command(r, READ, WORD | VU_IOREGION_RESPONSE, offset, 0);
	return answer(r);
}

/* Waits until the server has closed the channel. */
static void channel_ends(struct rig *r)
{
	uint8_t byte;

	if (!answered(r, MODEL_DEADLINE_MS))
		fail_msg("the channel was not closed");
	assert_true(recv(r->channel, &byte, 1, 0) <= 0);
	close(r->channel);
	r->channel = -1;
}

/* The server's descriptors, when it has seen all that we did. */
static size_t fds_of(struct rig *r)
{
	char path[64];
	size_t n = 0;

	connection_lives(r);
	snprintf(path, sizeof(path), "/proc/%d/fd", model_pid(r->m));
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* ---- Asking ---- */

static int ask(struct rig *r, struct vu_region_io_fds request, struct vu_region_io_fds *reply)
{
	return peer_command(r->peer, VU_GET_REGION_IO_FDS, &request, sizeof(request), NULL, 0,
			    reply, sizeof(*reply));
}

static void test_what_is_offered(void **state)
{
	struct rig *r = *state;
	struct vu_region_io_fds reply;
	int type;
	socklen_t len = sizeof(type);

	assert_int_equal(r->sub.offset, 0);
	assert_int_equal(r->sub.size, IXGBE_BAR0_SIZE);
	assert_int_equal(r->sub.type, VU_IO_FD_IOREGIONFD);
	assert_int_equal(r->sub.flags, VU_IOREGION_POSTED_WRITES);
	assert_int_equal(r->sub.padding, 0);
	assert_int_equal(getsockopt(r->channel, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	assert_int_equal(type, SOCK_STREAM);
	for (uint32_t i = 1; i < VFIO_PCI_NUM_REGIONS; i++) {
		assert_int_equal(ask(r, (struct vu_region_io_fds){.argsz = 56, .index = i}, &reply),
				 sizeof(reply));
		assert_int_equal(reply.argsz, 16);
		assert_int_equal(reply.index, i);
		assert_int_equal(reply.flags | reply.count, 0);
	}
	/* None of these made a channel, or ended this one. */
	assert_int_equal(read32(r, IXGBE_STATUS) & 0xffff0000, 0x00080000);
}

static void test_bad_requests(void **state)
{
	struct rig *r = *state;
	static const struct vu_region_io_fds bad[] = {
		{15, 0, 0, 0},
		{0, 0, 0, 0},
		{56, 1, 0, 0},
		{56, 0, 0, 1},
		{56, 0, VFIO_PCI_NUM_REGIONS, 0},
		{56, 0, UINT32_MAX, 0},
	};
	struct vu_region_io_fds reply, posted = {.argsz = 56};
	struct vu_header header = {.command = VU_GET_REGION_IO_FDS, .flags = VU_NO_REPLY};
	struct iovec part = {&posted, sizeof(posted)};
	int fd = STDERR_FILENO;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ask(r, bad[i], &reply), -EINVAL);
	assert_int_equal(peer_command(r->peer, VU_GET_REGION_IO_FDS, &posted, 15, NULL, 0, &reply,
				      sizeof(reply)),
			 -EINVAL);
	assert_int_equal(peer_command(r->peer, VU_GET_REGION_IO_FDS, &posted, sizeof(posted), &fd,
				      1, &reply, sizeof(reply)),
			 -EINVAL);
	/* Without room, or without a reply, there is no descriptor. */
	for (posted.argsz = 16; posted.argsz < 56; posted.argsz += 39) {
		assert_int_equal(ask(r, posted, &reply), sizeof(reply));
		assert_int_equal(reply.argsz, 56);
		assert_int_equal(reply.count, 1);
	}
	posted.argsz = 56;
	assert_int_equal(vu_send(peer_socket(r->peer), &header, &part, 1, NULL, 0, 0), 0);
	connection_lives(r);
	assert_int_equal(read32(r, IXGBE_FCTTV), 77);
}

static int setup_off(void **state)
{
	static const char *const off[] = {"--io-fds", "off", NULL};
	static const struct model_options options = {.listen = true, .more = off};

	return rig_start(state, &options);
}

static void test_off(void **state)
{
	struct rig *r = *state;
	struct vu_region_io_fds reply;

	assert_int_equal(ask(r, (struct vu_region_io_fds){.argsz = 56}, &reply), -ENOTSUP);
	assert_false(channel_is_there(r));
	connection_lives(r);
}

/* ---- Accesses ---- */

static void test_sizes(void **state)
{
	struct rig *r = *state;

	write32(r, IXGBE_LEDCTL, 0x01010101);
	assert_int_equal(read32(r, IXGBE_LEDCTL), 0x01010101);
	command(r, WRITE, 3, IXGBE_FCTTV, 0x0000000200000001);
	assert_int_equal(read32(r, IXGBE_AT(FCTTV, 0)), 1);
	assert_int_equal(read32(r, IXGBE_AT(FCTTV, 1)), 2);
	command(r, READ, 3, IXGBE_FCTTV, 0);
	assert_int_equal(answer(r), 0x0000000200000001);
	/* Whether a write is answered, the write says. */
	command(r, WRITE, WORD | VU_IOREGION_RESPONSE, IXGBE_FCTTV, UINT64_MAX);
	assert_int_equal(answer(r), 0);
	assert_int_equal(read32(r, IXGBE_FCTTV), UINT32_MAX);
	assert_int_equal(model_control_int(r->m, "violations", "total"), 0);

	/* Registers are words: the same rule as by message. */
	command(r, READ, 0, IXGBE_FCTTV, 0);
	assert_int_equal(answer(r), 0xff);
	command(r, READ, 1, IXGBE_FCTTV, 0);
	assert_int_equal(answer(r), 0xffff);
	command(r, WRITE, 1, IXGBE_FCTTV, 0);
	command(r, WRITE, WORD, IXGBE_FCTTV + 2, 0);
	assert_int_equal(read32(r, IXGBE_FCTTV), UINT32_MAX);
	assert_int_equal(model_control_int(r->m, "violations", "counts.UNALIGNED_ACCESS"), 4);
}

/* A read comes after every earlier write of the channel, and so does a message. */
static void test_order(void **state)
{
	struct rig *r = *state;

	for (uint32_t i = 1; i < 2000; i++) {
		write32(r, IXGBE_FCTTV, i);
		if (i % 3 == 0)
			assert_int_equal(read32(r, IXGBE_FCTTV), i);
		else if (i % 3 == 1)
			assert_int_equal(main_read(r, IXGBE_FCTTV), i);
	}
	main_write(r, IXGBE_FCTTV, 5);
	assert_int_equal(read32(r, IXGBE_FCTTV), 5);
	/* Commands in one piece, and one in many. */
	struct vu_ioregion_command many[3] = {
		command_of(r, WRITE, WORD, IXGBE_FCTTV, 6),
		command_of(r, READ, WORD, IXGBE_FCTTV, 0),
		command_of(r, WRITE, WORD, IXGBE_FCTTV, 7),
	};

	say(r, many, sizeof(many));
	assert_int_equal(answer(r), 6);
	for (size_t i = 0; i < sizeof(many[1]); i++) {
		say(r, (uint8_t *)&many[1] + i, 1);
		connection_lives(r);
	}
	assert_int_equal(answer(r), 77);
}

/* ---- One channel after the other ---- */

static void test_next_channel(void **state)
{
	struct rig *r = *state;
	size_t fds = fds_of(r);
	uint8_t byte;

	for (uint32_t i = 1; i < 50; i++) {
		const struct vu_ioregion_command half =
			command_of(r, WRITE, WORD, IXGBE_FCTTV, 1000);
		const struct vu_sub_region former = r->sub;
		int old = r->channel;

		/* A driver dies with writes under way, the last of them half said. */
		for (uint32_t n = 0; n < 100; n++)
			write32(r, IXGBE_FCTTV, n < 99 ? n : i);
		command(r, READ, WORD, IXGBE_FCTTV, 0);
		say(r, &half, sizeof(half) - 1 - i % 31);
		if (i % 2)
			close(old);
		r->channel = peer_channel(r->peer, &r->sub);
		assert_int_not_equal(r->sub.user_data, former.user_data);
		assert_int_equal(read32(r, IXGBE_FCTTV), i);
		if (i % 2)
			continue;
		/* It lives, and is heard no more. */
		while (recv(old, &byte, 1, 0) > 0)
			;
		assert_int_equal(send(old, &half, sizeof(half), MSG_NOSIGNAL), -1);
		close(old);
	}
	assert_true(channel_is_there(r));
	assert_int_equal(fds_of(r), fds);
}

/* What it has posted takes effect, also behind a read whose answer nobody takes. */
static void test_driver_that_leaves(void **state)
{
	struct rig *r = *state;
	struct vu_ioregion_command c[3 * 256];
	size_t count = sizeof(c) / sizeof(c[0]);

	for (size_t i = 0; i < count; i++)
		c[i] = command_of(r, i ? WRITE : READ, WORD, IXGBE_FCTTV, i);
	kill(model_pid(r->m), SIGSTOP); /* that all of it is there when the server looks */
	say(r, c, sizeof(c));
	close(r->channel);
	r->channel = -1;
	kill(model_pid(r->m), SIGCONT);
	assert_int_equal(main_read(r, IXGBE_FCTTV), count - 1);
	connection_lives(r);
	channel_goes(r);
}

static void test_life_of_the_channel(void **state)
{
	struct rig *r = *state;

	write32(r, IXGBE_FCTTV, 3);
	assert_int_equal(peer_command(r->peer, VU_RESET, NULL, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(read32(r, IXGBE_FCTTV), 0);
	assert_true(channel_is_there(r));
	peer_close(r->peer);
	channel_ends(r);
	r->peer = peer_connect(r->m);
	peer_negotiate(r->peer);
	assert_false(channel_is_there(r));
	connection_lives(r);
}

/* ---- Who means harm ---- */

static void test_no_access_to_bar0(void **state)
{
	struct rig *r = *state;
	static const struct {
		uint8_t command, how;
		uint64_t offset;
	} bad[] = {
		{READ, WORD, IXGBE_BAR0_SIZE},
		{WRITE, WORD, IXGBE_BAR0_SIZE},
		{READ, 3, IXGBE_BAR0_SIZE - 4},
		{READ, 0, IXGBE_BAR0_SIZE},
		{WRITE, WORD, IXGBE_BAR0_SIZE - 3},
		{READ, WORD, UINT64_MAX},
		{WRITE, 3, UINT64_MAX - 7},
		{READ, WORD, 1ull << 32},
		{READ, 4, 0},
		{WRITE, 15, 0},
		{2, WORD, 0},
		{UINT8_MAX, WORD, 0},
		{READ, WORD | 0x20, 0},
		{WRITE, WORD | 0x80, 0},
	};
	size_t fds = fds_of(r);

	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		/* The commands before the bad one count, those behind do not. */
		struct vu_ioregion_command c[3] = {
			command_of(r, WRITE, WORD, IXGBE_LEDCTL, i),
			command_of(r, READ, WORD, 0, 0),
			command_of(r, WRITE, WORD, IXGBE_LEDCTL, 0x40),
		};

		if (i < sizeof(bad) / sizeof(bad[0]))
			c[1] = command_of(r, bad[i].command, bad[i].how, bad[i].offset, 0);
		else
			c[1].user_data++;
		say(r, c, sizeof(c));
		channel_ends(r);
		assert_int_equal(main_read(r, IXGBE_LEDCTL), i);
		assert_false(channel_is_there(r));
		r->channel = peer_channel(r->peer, &r->sub);
	}
	assert_int_equal(fds_of(r), fds);
}

static void test_half_a_command(void **state)
{
	struct rig *r = *state;
	size_t fds = fds_of(r);

	for (size_t len = 1; len < sizeof(struct vu_ioregion_command); len++) {
		const struct vu_ioregion_command c = command_of(r, WRITE, WORD, IXGBE_FCTTV, 1);

		say(r, &c, len);
		connection_lives(r);
		if (len % 2) { /* half of them say that there is no more */
			shutdown(r->channel, SHUT_WR);
			channel_ends(r);
		} else {
			close(r->channel);
		}
		assert_int_equal(main_read(r, IXGBE_FCTTV), 77);
		r->channel = peer_channel(r->peer, &r->sub);
	}
	assert_int_equal(fds_of(r), fds);
}

/* Reads until nothing more can be said, with answers that nobody takes. Returns how many. */
static uint32_t flood(struct rig *r)
{
	struct pollfd pfd = {.fd = r->channel, .events = POLLOUT};
	struct vu_ioregion_command c[64];
	size_t sent = 0;

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		c[i] = command_of(r, READ, WORD, IXGBE_FCTTV, 0);
	while (poll(&pfd, 1, MODEL_QUIET_MS) == 1) {
		size_t at = sent % sizeof(c);
		ssize_t n = send(r->channel, (uint8_t *)c + at, sizeof(c) - at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		assert_true(n > 0);
		sent += (size_t)n;
	}
	connection_lives(r);
	/* The rest of a command that did not fit. */
	return (uint32_t)(sent / sizeof(c[0]));
}

/* Nothing is lost, and the connection does not wait for the channel. */
static void test_answers_that_nobody_takes(void **state)
{
	struct rig *r = *state;
	uint32_t count;

	main_write(r, IXGBE_FCTTV, 77);
	count = flood(r);
	assert_true(count > 500);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(answer(r), 77);
	assert_false(answered(r, MODEL_QUIET_MS));

	/* Nor does the next channel, which has a clean start. */
	close(r->channel);
	r->channel = peer_channel(r->peer, &r->sub);
	flood(r);
	close(r->channel);
	r->channel = peer_channel(r->peer, &r->sub);
	assert_int_equal(read32(r, IXGBE_FCTTV), 77);
	flood(r);
	close(r->channel);
	r->channel = -1;
	connection_lives(r);
	channel_goes(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_what_is_offered),
		TEST(test_bad_requests),
		cmocka_unit_test_setup_teardown(test_off, setup_off, teardown),
		TEST(test_sizes),
		TEST(test_order),
		TEST(test_next_channel),
		TEST(test_driver_that_leaves),
		TEST(test_life_of_the_channel),
		TEST(test_no_access_to_bar0),
		TEST(test_half_a_command),
		TEST(test_answers_that_nobody_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
