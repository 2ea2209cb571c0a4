/* SPDX-License-Identifier: MIT */
/* The vfio-user server and its clients: one after the other, two at a time, and those that mean
 * harm. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "server_client.h"

#define PAGE 4096u

static int setup(void **state)
{
	static const struct model_options options = {.listen = true};

	return model_start(state, &options);
}

/* ---- One client after the other ---- */

static size_t fds_of(int pid)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_reconnect(void **state)
{
	struct model *m = *state;
	size_t fds = fds_of(model_pid(m));

	for (int i = 0; i < 50; i++) {
		model_dma_new(m, PAGE);
		model_write(m, IXGBE_LEDCTL, 0x01010101);
		model_reconnect(m);
		assert_int_not_equal(model_read(m, IXGBE_LEDCTL), 0x01010101);
		assert_int_equal(model_config_read(m, 0x10, 4), 0x0c);
		model_config_write(m, 0x10, 4, 0xe0000000);
	}
	assert_int_equal(fds_of(model_pid(m)), fds);
}

static void test_second_client_is_told(void **state)
{
	struct model *m = *state;
	struct vu_version version = {0, 0};
	char reply[64];

	for (int i = 0; i < 5; i++) {
		struct peer *p = peer_connect(m);

		assert_int_equal(peer_command(p, VU_VERSION, &version, 4, NULL, 0, reply, 64),
				 -EBUSY);
		peer_close(p);
	}
	assert_int_equal(model_config_read(m, 0, 4), 0x10fb8086);
}

/* A client's own counts; those of both together; nothing after they were zeroed. */
static void test_violations_are_counted_for_each_client(void **state)
{
	json_t *reply;
	long long count;

	for (int client = 1; client <= 2; client++) {
		if (client == 2)
			model_reconnect(*state);
		for (int i = 0; i < client; i++)
			model_write(*state, IXGBE_EIMC, 0x80000000);
	}
	reply = model_control(*state, "violations zero");
	assert_int_equal(json_integer_value(json_object_get(reply, "total")), 3);
	assert_int_equal(json_array_size(json_object_get(reply, "clients")), 2);
	for (int client = 1; client <= 2; client++) {
		const json_t *one = json_array_get(json_object_get(reply, "clients"), client - 1);

		assert_int_equal(json_integer_value(json_object_get(one, "client")), client);
		count = json_integer_value(
			json_object_get(json_object_get(one, "counts"), "EIMC_RESERVED"));
		assert_int_equal(count, client);
	}
	json_decref(reply);

	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
	model_write(*state, IXGBE_EIMC, 0x80000000);
	reply = model_control(*state, "violations");
	assert_int_equal(json_integer_value(json_object_get(reply, "total")), 1);
	assert_int_equal(json_array_size(json_object_get(reply, "clients")), 2);
	json_decref(reply);
}

/* ---- Clients that mean harm ---- */

static void say(struct peer *p, const void *data, size_t len)
{
	(void)!send(peer_socket(p), data, len, MSG_NOSIGNAL);
}

static void text(struct peer *p)
{
	say(p, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
}

static void size_zero(struct peer *p)
{
	say(p, &(struct vu_header){.command = VU_VERSION, .size = 0}, 16);
}

static void size_huge(struct peer *p)
{
	say(p, &(struct vu_header){.command = VU_VERSION, .size = UINT32_MAX}, 16);
}

static void no_negotiation(struct peer *p)
{
	say(p, &(struct vu_header){.command = VU_RESET, .size = 16}, 16);
}

static void reply_to_nothing(struct peer *p)
{
	peer_negotiate(p);
	say(p, &(struct vu_header){.command = VU_RESET, .size = 16, .flags = VU_REPLY}, 16);
}

static void unknown_flags(struct peer *p)
{
	peer_negotiate(p);
	say(p, &(struct vu_header){.command = VU_RESET, .size = 16, .flags = 0x100}, 16);
}

/* Sends reads and takes no reply in, then one byte more than fits. */
static void deaf(struct peer *p)
{
	struct {
		struct vu_header header;
		struct vu_region_access access;
	} read = {{.command = VU_REGION_READ, .size = 32}, {0, 0, 65536}};

	peer_negotiate(p);
	for (int i = 0; i < 2000; i++) {
		if (send(peer_socket(p), &read, sizeof(read), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	}
}

static void mid_message(struct peer *p)
{
	peer_negotiate(p);
	say(p, &(struct vu_header){.command = VU_REGION_WRITE, .size = 1000}, 16);
}

static void mid_header(struct peer *p)
{
	say(p, "\0\0\1", 3);
}

static void silent(struct peer *p)
{
	(void)p;
}

/* As many descriptors as a message can carry, many times over, in a message that never ends. */
static void fd_flood(struct peer *p)
{
	peer_negotiate(p);
	peer_send_fds(p, &(struct vu_header){.command = VU_SET_IRQS, .size = 60000}, 16, 250);
	for (int i = 0; i < 20; i++)
		peer_send_fds(p, "x", 1, 250);
}

static const struct {
	const char *name;
	void (*act)(struct peer *p);
	bool waits; /* the server gives it its time */
} hostile[] = {
	{"text", text, false},
	{"size zero", size_zero, false},
	{"size huge", size_huge, false},
	{"no negotiation", no_negotiation, false},
	{"reply to nothing", reply_to_nothing, false},
	{"unknown flags", unknown_flags, false},
	{"fd flood", fd_flood, false},
	{"deaf", deaf, true},
	{"mid-message", mid_message, true},
	{"mid-header", mid_header, true},
	{"silent", silent, true},
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

/* Each of them leaves in the middle of it. */
static void test_hostile_clients_that_leave(void **state)
{
	struct model *m = *state;
	size_t fds;

	fds = fds_of(model_pid(m));
	for (size_t i = 0; i < HOSTILE; i++) {
		model_disconnect(m);
		struct peer *p = peer_connect(m);

		hostile[i].act(p);
		peer_close(p);
		model_reconnect(m);
		assert_int_equal(model_config_read(m, 0, 4), 0x10fb8086);
	}
	assert_int_equal(fds_of(model_pid(m)), fds);
}

/* Each of them stays, and is dropped: at once, or when its time is over. */
static void test_hostile_clients_that_stay(void **state)
{
	struct model *m = *state;

	for (size_t i = 0; i < HOSTILE; i++) {
		if (hostile[i].waits && hostile[i].act != mid_message && hostile[i].act != deaf)
			continue; /* two of them are enough of waiting */
		model_disconnect(m);
		struct peer *p = peer_connect(m);

		hostile[i].act(p);
		if (!peer_dropped(p, hostile[i].waits ? 15000 : MODEL_DEADLINE_MS))
			fail_msg("%s: not dropped", hostile[i].name);
		model_reconnect(m);
		assert_int_equal(model_config_read(m, 0, 4), 0x10fb8086);
		peer_close(p);
	}
}

/* One that lets replies pile up, and takes them in then, has gained no time for the negotiation. */
static void test_full_socket_wins_no_time(void **state)
{
	struct model *m = *state;
	struct {
		struct vu_header header;
		struct vu_version version;
	} wrong = {{.command = VU_VERSION, .size = sizeof(wrong)}, {99, 0}};
	struct pollfd pfd;
	uint32_t sent = 0;

	model_disconnect(m);
	struct peer *p = peer_connect(m);

	pfd = (struct pollfd){.fd = peer_socket(p), .events = POLLOUT};
	/* Until the server listens no more, for its replies have no room. */
	while (poll(&pfd, 1, MODEL_QUIET_MS) == 1) {
		assert_int_equal(send(pfd.fd, &wrong, sizeof(wrong), MSG_NOSIGNAL), sizeof(wrong));
		sent++;
	}
	while (sent-- > 0)
		assert_int_equal(peer_reply(p, NULL, 0), -EINVAL);
	assert_true(peer_dropped(p, 15000));
	peer_close(p);
	model_reconnect(m);
}

/* A message in tiny pieces is a message. */
static void test_slow_but_honest(void **state)
{
	struct model *m = *state;
	struct vu_header header = {.command = VU_RESET, .size = 16};

	model_disconnect(m);
	struct peer *p = peer_connect(m);

	peer_negotiate(p);
	for (size_t i = 0; i < sizeof(header); i++)
		say(p, (uint8_t *)&header + i, 1);
	assert_int_equal(peer_reply(p, NULL, 0), 0);
	peer_close(p);
}

/* ---- The socket ---- */

static void test_socket_is_private(void **state)
{
	struct model *m = *state;
	struct stat st;

	assert_int_equal(stat(model_path(m), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static int setup_fd(void **state)
{
	return model_start(state, NULL);
}

/* A NIC on a handed-over socket ends with its client, in peace. */
static void test_fd_ends_with_client(void **state)
{
	struct model *m = *state;

	model_disconnect(m);
	assert_true(model_ended(m));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_reconnect),
		TEST(test_second_client_is_told),
		TEST(test_violations_are_counted_for_each_client),
		TEST(test_hostile_clients_that_leave),
		TEST(test_hostile_clients_that_stay),
		TEST(test_full_socket_wins_no_time),
		TEST(test_slow_but_honest),
		TEST(test_socket_is_private),
		cmocka_unit_test_setup_teardown(test_fd_ends_with_client, setup_fd, model_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
