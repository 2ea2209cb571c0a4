/* SPDX-License-Identifier: MIT */
/*
 * Drivers that follow each other on one device. Each life is a process of its own, forked from the
 * test, which is the keeper and serves the device meanwhile. Either it has the keeper's memory, or
 * it executes this program anew and imports the device. It ends by SIGKILL where its story ends. A
 * check that fails in there is told by the process's exit status, since cmocka's own would go on in
 * the wrong process.
 */
#include "child_check.h"
#include "driver_lives.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver_frames.h"
#include "driver_pass.h"

#define FRAME_BYTES 100u
#define HANGS       3 /* exit status: only the keeper's reset can help */

struct life {
	struct rig *rig;
	struct ixgbe_resumed resumed;
};

static int busy_pipe[2]; /* where a driver says that it is at work */

/* The driver `pid`'s keeper, until it is dead: it kills the driver when there is something to read
 * from `kill_fd`, which may be -1. False: a NIC that is not new hung, and was reset. */
static bool keep(struct ixgbe_device *device, pid_t pid, int kill_fd)
{
	struct pollfd pfd[4] = {
		{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN},
		{.fd = ixgbe_device_connection(device), .events = POLLIN},
		{.fd = ixgbe_device_relay(device), .events = POLLIN},
		{.fd = kill_fd, .events = POLLIN},
	};
	int status;

	assert_true(pfd[0].fd >= 0);
	while (poll(pfd, 4, -1) > 0 && !pfd[0].revents) {
		if (pfd[3].revents)
			kill(pid, SIGKILL);
		assert_int_equal(ixgbe_device_serve(device), 0);
	}
	close(pfd[0].fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == HANGS) {
		assert_non_null(getenv("IXNIC_DIRTY"));
		assert_int_equal(ixgbe_device_reset(device, NULL), 0);
		assert_int_equal(ixgbe_device_renew(device), 0);
		assert_int_equal(ixgbe_device_bus_master_set(device, true), 0);
		return false;
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(ixgbe_device_renew(device), 0);
	return true;
}

/* In a driver's process. */
_Noreturn static void run(struct rig *rig, struct ixgbe_device *device,
			  void (*story)(struct life *life))
{
	struct ixgbe_why why = {"no reason given"};
	struct life life = {.rig = rig};
	int err = rig_attach(rig, device, &why);

	if (err == -ETIMEDOUT)
		_exit(HANGS);
	if (err)
		fprintf(stderr, "attach: %d: %s\n", err, why.text);
	CHECK(!err);
	ixgbe_resumed(rig->nic, &life.resumed);
	story(&life);
	kill(getpid(), SIGKILL);
	_exit(2);
}

/* Runs `story` in a driver of its own, which dies at its end. */
static void live(struct rig *rig, struct ixgbe_device *device, void (*story)(struct life *life))
{
	pid_t pid;

	do {
		pid = fork();
		if (pid == 0)
			run(rig, device, story);
	} while (!keep(device, pid, -1));
}

static void wire_numbered(struct rig *rig, uint8_t first, uint8_t end)
{
	uint8_t frame[FRAME_BYTES];

	for (uint8_t i = first; i < end; i++) {
		plain_make(frame, sizeof(frame), broadcast, i);
		rig_wire_send(rig, frame, sizeof(frame));
	}
}

/* Waits until the NIC has put `count` frames into its ring. */
static void arrived(struct rig *rig, uint64_t count)
{
	const uint64_t limit = rig_now_ms() + RIG_DEADLINE_MS;

	while (rig_stat(rig, "rx_pkts_nic") < count)
		CHECK(rig_now_ms() < limit);
}

/* Takes the frames `first` up to `end`, which are on their way, `most` in a burst. The last burst's
 * are not handled yet. */
static void takes(struct rig *rig, uint8_t first, uint8_t end, uint32_t most)
{
	const uint64_t limit = rig_now_ms() + RIG_DEADLINE_MS;
	struct ixgbe_seg seg[RIG_BURST];

	while (first < end) {
		const uint32_t room = (uint32_t)(end - first);
		uint32_t n = ixgbe_rx_burst(ixgbe_rxq(rig->nic, 0), seg, room < most ? room : most);

		for (uint32_t i = 0; i < n; i++, first++) {
			CHECK(seg[i].len == FRAME_BYTES);
			CHECK(seg[i].buf->data[seg[i].offset + ETH_BYTES] ==
			      (uint8_t)(first + ETH_BYTES));
			ixgbe_buf_put(seg[i].buf);
		}
		CHECK(rig_now_ms() < limit);
	}
}

static void sends(struct rig *rig, uint8_t first, uint8_t end)
{
	uint8_t frame[FRAME_BYTES];

	for (uint8_t i = first; i < end; i++) {
		plain_make(frame, sizeof(frame), broadcast, i);
		rig_send(rig, frame, sizeof(frame), NULL);
	}
}

static void reach_the_wire(struct rig *rig, uint8_t first, uint8_t end)
{
	uint8_t frame[RIG_FRAME_MAX];

	for (; first < end; first++) {
		assert_int_equal(rig_wire_recv(rig, frame, sizeof(frame)), FRAME_BYTES);
		assert_int_equal(frame[ETH_BYTES], (uint8_t)(first + ETH_BYTES));
	}
}

/* ---- A driver dies in the middle of its work ---- */

static void first_driver(struct life *life)
{
	CHECK(!life->resumed.resumed);
	wire_numbered(life->rig, 0, 42);
	arrived(life->rig, 42);
	takes(life->rig, 0, 40, 4); /* enough for a refill: the tail is where no start puts it */
	sends(life->rig, 0, 3);
}

static void second_driver(struct life *life)
{
	struct rig *rig = life->rig;
	const uint64_t limit = rig_now_ms() + RIG_DEADLINE_MS;

	CHECK(life->resumed.resumed);
	CHECK(life->resumed.rx_repeated == 4 && life->resumed.tx_forgotten == 0);
	takes(rig, 36, 47, RIG_BURST);
	while (ixgbe_pool_available(rig->tx_pool) < RIG_TX_BUFFERS) {
		ixgbe_tx_reclaim(ixgbe_txq(rig->nic, 0));
		CHECK(rig_now_ms() < limit);
	}
	sends(rig, 3, 5);
	CHECK(ixgbe_stats_update(rig->nic) == 0);
	CHECK(rig_stat(rig, "lsc_int") <= 1);
	CHECK(rig_stat(rig, "rx_packets") == 42 - 2 + 11); /* taken twice, counted twice */
	CHECK(rig_stat(rig, "rx_pkts_nic") == 47);
	CHECK(rig_stat(rig, "tx_packets") == 5);
}

void a_successor_goes_on(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device = rig_device_open(rig);

	live(rig, device, first_driver);
	reach_the_wire(rig, 0, 3);
	wire_numbered(rig, 42, 47); /* nobody drives the NIC */
	live(rig, device, second_driver);
	reach_the_wire(rig, 3, 5);
	assert_true(rig_wire_quiet(rig));
	rig_device_close(rig, device);
}

/* ---- It dies with nothing to do ---- */

static void idle_driver(struct life *life)
{
	struct ixgbe_seg seg;

	wire_numbered(life->rig, 0, 5);
	takes(life->rig, 0, 5, RIG_BURST);
	CHECK(ixgbe_rx_burst(ixgbe_rxq(life->rig->nic, 0), &seg, 1) == 0);
}

static void next_driver(struct life *life)
{
	CHECK(life->resumed.resumed && life->resumed.rx_repeated == 0);
	wire_numbered(life->rig, 5, 6);
	takes(life->rig, 5, 6, RIG_BURST);
}

void an_idle_driver_leaves_nothing_to_repeat(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device = rig_device_open(rig);

	live(rig, device, idle_driver);
	live(rig, device, next_driver);
	rig_device_close(rig, device);
}

/* ---- It had stopped the port ---- */

static void stopping_driver(struct life *life)
{
	int err = ixgbe_stop(life->rig->nic);

	CHECK(err == 0 || (err == -ETIMEDOUT && getenv("IXNIC_DIRTY")));
}

static void begins_anew(struct life *life)
{
	CHECK(!life->resumed.resumed);
	wire_numbered(life->rig, 0, 1);
	takes(life->rig, 0, 1, RIG_BURST);
}

void a_stopped_port_is_begun_anew(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device = rig_device_open(rig);

	live(rig, device, stopping_driver);
	live(rig, device, begins_anew);
	rig_device_close(rig, device);
}

/* ---- The keeper resets the device ---- */

static void is_reset(struct ixgbe_device *device, bool replace_memory)
{
	struct ixgbe_why why = {"no reason given"};
	int err = ixgbe_device_reset(device, &why);

	if (!err && replace_memory)
		err = ixgbe_device_memory_replace(device, &why);
	if (err)
		fail_msg("%s", why.text);
	assert_int_equal(ixgbe_device_renew(device), 0);
	assert_int_equal(ixgbe_device_bus_master_set(device, true), 0);
}

static void another_idle_driver(struct life *life)
{
	CHECK(!life->resumed.resumed);
	idle_driver(life);
}

/* The second time with other memory: holes that a driver may have punched part NIC and driver. */
void a_reset_makes_the_next_one_begin_anew(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device;

	device = rig_device_open(rig);
	live(rig, device, idle_driver);
	is_reset(device, false);
	live(rig, device, begins_anew);
	is_reset(device, true);
	live(rig, device, another_idle_driver);
	live(rig, device, next_driver);
	assert_int_equal(ixgbe_device_bus_errors(device), 0);
	rig_device_close(rig, device);
}

/* ---- It dies in the middle of an access ---- */

static void busy_driver(struct life *life)
{
	struct ixgbe_link link;

	CHECK(write(busy_pipe[1], "", 1) == 1);
	while (ixgbe_link_get(life->rig->nic, &link) == 0)
		(void)ixgbe_irq_arm(life->rig->nic, 0);
	CHECK(false);
}

void a_driver_dies_within_an_access(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device = rig_device_open(rig);

	live(rig, device, idle_driver);
	assert_int_equal(pipe2(busy_pipe, O_CLOEXEC), 0);
	for (int i = 0; i < 10; i++) {
		char byte;
		pid_t pid = fork();

		if (pid == 0)
			run(rig, device, busy_driver);
		assert_true(keep(device, pid, busy_pipe[0]));
		assert_int_equal(read(busy_pipe[0], &byte, 1), 1);
	}
	close(busy_pipe[0]);
	close(busy_pipe[1]);
	live(rig, device, next_driver);
	rig_device_close(rig, device);
}

/* ---- The driver is another program ---- */

static const struct {
	const char *name;
	void (*story)(struct life *life);
} stories[] = {
	{"first", first_driver},
	{"second", second_driver},
};

/* Descriptors as words, open over an exec. */
static const char *handed(int fd)
{
	char *word = malloc(12);

	CHECK(word && (fd < 0 || !fcntl(fd, F_SETFD, 0)));
	snprintf(word, 12, "%d", fd);
	return word;
}

_Noreturn static void become_program(const struct rig *rig, const struct ixgbe_device *device,
				     const char *name)
{
	const char *argv[7 + IXGBE_IMAGE_FDS_MAX + 1] = {"test_driver", "life", name, rig->dir};
	int record = memfd_create("record", 0);
	struct ixgbe_device_image image;
	struct ixgbe_why why;
	size_t n = 4;

	CHECK(!ixgbe_device_export(device, &image, &why));
	CHECK(write(record, image.record, image.bytes) == (ssize_t)image.bytes);
	argv[n++] = handed(rig->wire);
	argv[n++] = handed(record);
	argv[n++] = handed(ixgbe_device_channel(device));
	for (uint32_t i = 0; i < image.fds; i++)
		argv[n++] = handed(image.fd[i]);
	execv("/proc/self/exe", (char **)(uintptr_t)argv);
	_exit(127);
}

/* What become_program wrote, from the story's name on. */
int life_main(int argc, char **argv)
{
	static uint8_t record[1 << 16];
	struct ixgbe_device *device;
	struct ixgbe_why why = {"no reason given"};
	int fd[IXGBE_IMAGE_FDS_MAX], fds = argc - 5, err;
	ssize_t bytes;

	if (strcmp(argv[0], "keeper") == 0)
		return next_keeper_main(argc, argv);
	CHECK(fds > 0);
	bytes = pread(atoi(argv[3]), record, sizeof(record), 0);
	CHECK(bytes > 0);
	for (int i = 0; i < fds; i++)
		fd[i] = atoi(argv[5 + i]);
	err = ixgbe_device_import(record, (size_t)bytes, fd, (uint32_t)fds, NULL, &device, &why);
	if (err)
		fprintf(stderr, "import: %d: %s\n", err, why.text);
	CHECK(!err);
	if (atoi(argv[4]) >= 0)
		CHECK(!ixgbe_device_channel_set(device, atoi(argv[4])));
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++)
		if (strcmp(stories[i].name, argv[0]) == 0)
			run(rig_elsewhere(argv[1], atoi(argv[2])), device, stories[i].story);
	return 2;
}

static void live_as_program(struct rig *rig, struct ixgbe_device *device, const char *name)
{
	pid_t pid;

	do {
		pid = fork();
		if (pid == 0)
			become_program(rig, device, name);
	} while (!keep(device, pid, -1));
}

void a_program_of_its_own_goes_on(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device = rig_device_open(rig);

	live_as_program(rig, device, "first");
	reach_the_wire(rig, 0, 3);
	wire_numbered(rig, 42, 47);
	live_as_program(rig, device, "second");
	reach_the_wire(rig, 3, 5);
	assert_true(rig_wire_quiet(rig));
	rig_device_close(rig, device);
}
