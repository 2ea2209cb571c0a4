/* SPDX-License-Identifier: MIT */
/*
 * A keeper that becomes another program twice, over a device that drivers drive meanwhile:
 *
 *     test     frames ──────────────────────────────────────────────────────────►
 *     keeper   opens ── exec ── takes over ── renews ──── exec ── takes over ── resets ── closes
 *     driver      anew ──────────────► dies    resumed ─► dies                     anew ► dies
 *
 * Each driver sends back what comes, and reads registers all the time. The keeper is a process of
 * its own. It begins as a copy of the test, which has opened the device and does nothing with it,
 * and closes what is left of it at the end. A check that fails in there is told by the process's
 * exit status.
 */
#include "child_check.h"
#include "driver_pass.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver_frames.h"
#include "driver_lives.h"

#define FRAME_BYTES 100u
#define FRAMES      20u /* in each stage */

/* What the processes share, open over an exec. */
struct stage {
	int said[2]; /* to the test: 'd', a driver is at work; 't', the device was taken over */
	int go[2];   /* to the keeper: to become another program */
	int stop[2]; /* to a driver: to die */
};

struct keeper {
	struct rig *rig;
	struct ixgbe_device *device;
	struct stage stage;
	pid_t driver;
};

static void say(int fd, char byte)
{
	CHECK(write(fd, &byte, 1) == 1);
}

static bool heard(int fd, int timeout_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char byte;

	if (poll(&pfd, 1, timeout_ms) != 1)
		return false;
	CHECK(read(fd, &byte, 1) == 1);
	return true;
}

/* ---- A driver ---- */

static uint32_t send_back(struct ixgbe *nic)
{
	struct ixgbe_seg seg[RIG_BURST];
	const uint32_t n = ixgbe_rx_burst(ixgbe_rxq(nic, 0), seg, RIG_BURST);
	int stopped = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct ixgbe_seg out = {.buf = seg[i].buf,
					      .offset = seg[i].offset,
					      .len = seg[i].len,
					      .flags = IXGBE_SEG_EOP};

		CHECK(seg[i].flags & IXGBE_SEG_EOP);
		CHECK(ixgbe_tx_burst(ixgbe_txq(nic, 0), &out, 1, &stopped) == 1);
	}
	return n;
}

_Noreturn static void drive(const struct keeper *k, bool resumed)
{
	struct ixgbe_why why = {"no reason given"};
	struct ixgbe_resumed how;
	struct ixgbe_link link;
	int err = rig_attach(k->rig, k->device, &why);

	if (err)
		fprintf(stderr, "attach: %d: %s\n", err, why.text);
	CHECK(!err);
	ixgbe_resumed(k->rig->nic, &how);
	CHECK(how.resumed == resumed);
	CHECK(how.rx_repeated == 0 && how.tx_forgotten == 0);
	say(k->stage.said[1], 'd');
	while (!heard(k->stage.stop[0], 0)) {
		CHECK(!ixgbe_link_get(k->rig->nic, &link) && link.up);
		(void)ixgbe_irq_arm(k->rig->nic, 0);
		send_back(k->rig->nic);
	}
	while (send_back(k->rig->nic)) /* the last one counts as handled then */
		;
	if (resumed) { /* what the predecessor counted is there */
		CHECK(rig_stat(k->rig, "rx_pkts_nic") >= 3 * FRAMES);
		CHECK(rig_stat(k->rig, "lsc_int") <= 1);
	}
	kill(getpid(), SIGKILL);
	_exit(2);
}

static void driver_begin(struct keeper *k, bool resumed)
{
	k->driver = fork();
	CHECK(k->driver >= 0);
	if (k->driver == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* of a keeper that fails */
		drive(k, resumed);
	}
}

/* ---- A keeper ---- */

/* Serves the device until the driver is dead, or until it is to go on elsewhere: true. */
static bool keep_until(struct keeper *k, int go)
{
	struct pollfd pfd[4] = {
		{.fd = (int)syscall(SYS_pidfd_open, k->driver, 0), .events = POLLIN},
		{.fd = ixgbe_device_connection(k->device), .events = POLLIN},
		{.fd = ixgbe_device_relay(k->device), .events = POLLIN},
		{.fd = go, .events = POLLIN},
	};
	int status;

	CHECK(pfd[0].fd >= 0);
	while (poll(pfd, 4, -1) > 0 && !pfd[0].revents) {
		if (pfd[3].revents) {
			close(pfd[0].fd);
			return heard(go, 0);
		}
		CHECK(!ixgbe_device_serve(k->device));
	}
	close(pfd[0].fd);
	CHECK(waitpid(k->driver, &status, 0) == k->driver);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return false;
}

static char *number(int n)
{
	char *word = malloc(12);

	CHECK(word);
	snprintf(word, 12, "%d", n);
	return word;
}

static char *still_open(int fd)
{
	CHECK(!fcntl(fd, F_SETFD, 0));
	return number(fd);
}

_Noreturn static void become(struct keeper *k, const char *name)
{
	char *argv[11 + IXGBE_IMAGE_FDS_MAX + 1] = {(char[]){"test_driver"}, (char[]){"life"},
						    (char[]){"keeper"}};
	int record = memfd_create("record", 0);
	struct ixgbe_device_image image;
	struct ixgbe_why why = {"no reason given"};
	size_t n = 3;

	if (ixgbe_device_hand_over(k->device, &image, &why))
		fprintf(stderr, "hand over: %s\n", why.text);
	CHECK(!ixgbe_device_record_check(image.record, image.bytes, image.fds, &why));
	CHECK(write(record, image.record, image.bytes) == (ssize_t)image.bytes);
	argv[n++] = strdup(name);
	argv[n++] = k->rig->dir;
	argv[n++] = still_open(k->rig->wire);
	argv[n++] = number(k->stage.said[1]);
	argv[n++] = number(k->stage.go[0]);
	argv[n++] = number(k->stage.stop[0]);
	argv[n++] = number(k->driver);
	argv[n++] = number(record);
	for (uint32_t i = 0; i < image.fds; i++)
		argv[n++] = still_open(image.fd[i]);
	execv("/proc/self/exe", argv);
	_exit(127);
}

/* ---- What the next program was given ---- */

struct given {
	_Alignas(uint32_t) uint8_t record[1 << 14];
	size_t bytes;
	int fd[IXGBE_IMAGE_FDS_MAX];
	uint32_t fds;
};

/* How many mappings the device's memories are. */
static uint32_t mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	uint32_t n = 0;

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "memfd:ixgbe-") != NULL;
	fclose(maps);
	return n;
}

/* Whether it is refused in vain: all is as it was. */
static bool refused(const struct given *given, const void *record, size_t bytes, const int *fd,
		    uint32_t fds)
{
	struct ixgbe_device *device = NULL;
	struct ixgbe_why why = {""};
	int err = ixgbe_device_take_over(record, bytes, fd, fds, NULL, &device, &why);

	if (err >= 0 || device || !why.text[0] || mapped() != 0)
		return false;
	for (uint32_t i = 0; i < given->fds; i++)
		CHECK(fcntl(given->fd[i], F_GETFD) == 0);
	return true;
}

/* Words of a record, as pass.c and image.h have them, and what they cannot be. */
#define IMAGE   28 /* where the image's record begins */
#define VECTORS (IMAGE + 12)
#define AREAS   (IMAGE + 13)
#define STATE   (IMAGE + 18)
#define AREA    (IMAGE + 26)
static const struct {
	uint32_t word, value;
} wrong[] = {
	{0, 0},           {1, 0},          {1, 2},         {2, 0},
	{2, 2},           {3, 0},          {3, 1u << 13},  {4, 0},
	{4, 7},           {5, 1},          {5, 7},         {5, 8},
	{5, UINT32_MAX},  {6, 1u << 16},   {7, 2},         {9, 32},
	{12, UINT32_MAX}, {14, 1000},      {16, 64},       {IMAGE, 0},
	{IMAGE + 1, 9},   {IMAGE + 2, 1},  {IMAGE + 3, 1}, {IMAGE + 4, 0x78787878},
	{IMAGE + 11, 2},  {VECTORS, 1},    {AREAS, 2},     {AREAS, 200},
	{IMAGE + 14, 99}, {IMAGE + 15, 1}, {STATE, 4096},  {STATE + 1, 0},
	{STATE + 2, 1},   {AREA, 4096},    {AREA + 1, 0},  {AREA + 2, 1},
	{AREA + 4, 1},    {AREA + 6, 0},
};

static void wrong_records_are_refused(const struct given *given)
{
	static uint8_t record[sizeof(given->record)];
	uint32_t *word = (uint32_t *)(void *)record;
	struct ixgbe_why why;

	for (size_t bytes = 0; bytes < given->bytes; bytes++) {
		CHECK(ixgbe_device_record_check(given->record, bytes, given->fds, &why) ==
		      -EBADMSG);
		CHECK(bytes % 100 || refused(given, given->record, bytes, given->fd, given->fds));
	}
	for (uint32_t fds = 0; fds < given->fds; fds++)
		CHECK(refused(given, given->record, given->bytes, given->fd, fds));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memcpy(record, given->record, given->bytes);
		if (word[wrong[i].word] == wrong[i].value) /* right, with this backend */
			continue;
		word[wrong[i].word] = wrong[i].value;
		if (!refused(given, record, given->bytes, given->fd, given->fds))
			fprintf(stderr, "word %u: %u\n", wrong[i].word, wrong[i].value);
		CHECK(refused(given, record, given->bytes, given->fd, given->fds));
	}
}

static void wrong_descriptors_are_refused(const struct given *given)
{
	const uint32_t *word = (const uint32_t *)(const void *)given->record;
	const uint32_t vectors = word[VECTORS], areas = word[AREAS];
	const int other = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd[IXGBE_IMAGE_FDS_MAX];

	for (uint32_t nth = 0; nth < given->fds; nth++) {
		/* Behind the state and the memories are the vectors, which may be anything. */
		memcpy(fd, given->fd, sizeof(fd));
		fd[nth] = other;
		CHECK((nth > areas && nth <= areas + vectors) ||
		      refused(given, given->record, given->bytes, fd, given->fds));
		fd[nth] = -1;
		CHECK(refused(given, given->record, given->bytes, fd, given->fds));
		fd[nth] = fd[nth ? 0 : 1];
		CHECK(refused(given, given->record, given->bytes, fd, given->fds));
	}
	close(other);
}

/* Registers go the same way as before. */
static void way_is_the_same(const struct keeper *k)
{
	const char *io_fds = getenv("IXNIC_IO_FDS");
	const bool relayed = io_fds && strcmp(io_fds, "off") == 0;

	CHECK((ixgbe_device_relay(k->device) >= 0) == relayed);
}

static void take_over(struct keeper *k, struct given *given)
{
	struct ixgbe_why why = {"no reason given"};

	wrong_records_are_refused(given);
	wrong_descriptors_are_refused(given);
	if (ixgbe_device_take_over(given->record, given->bytes, given->fd, given->fds, NULL,
				   &k->device, &why))
		fprintf(stderr, "take over: %s\n", why.text);
	CHECK(k->device);
	for (uint32_t i = 0; i < given->fds; i++)
		CHECK(fcntl(given->fd[i], F_GETFD) == FD_CLOEXEC);
	way_is_the_same(k);
	say(k->stage.said[1], 't');
}

/* A driver goes on, and after it another one; then there is none. */
static void second_keeper(struct keeper *k)
{
	CHECK(!keep_until(k, -1));
	CHECK(!ixgbe_device_renew(k->device));
	way_is_the_same(k);
	driver_begin(k, true);
	CHECK(!keep_until(k, -1));
	CHECK(!ixgbe_device_bus_errors(k->device));
	become(k, "last");
}

static void last_keeper(struct keeper *k, const struct given *given)
{
	struct ixgbe_device_image image;
	struct ixgbe_why why = {"no reason given"};

	CHECK(!ixgbe_device_bus_errors(k->device));
	CHECK(!ixgbe_device_export(k->device, &image, &why));
	for (uint32_t i = 0; i < image.fds; i++)
		CHECK(image.fd[i] == given->fd[i]);
	ixgbe_device_image_free(&image);
	CHECK(!ixgbe_device_reset(k->device, &why));
	CHECK(!ixgbe_device_renew(k->device));
	CHECK(!ixgbe_device_bus_master_set(k->device, true));
	driver_begin(k, false);
	CHECK(!keep_until(k, -1));
	ixgbe_device_close(k->device);
	for (uint32_t i = 0; i < given->fds; i++)
		CHECK(fcntl(given->fd[i], F_GETFD) < 0);
	CHECK(mapped() == 0);
}

int next_keeper_main(int argc, char **argv)
{
	static struct given given;
	struct keeper k;
	ssize_t bytes;

	CHECK(argc > 9);
	k.rig = rig_elsewhere(argv[2], atoi(argv[3]));
	CHECK(k.rig);
	k.device = NULL;
	k.stage = (struct stage){{-1, atoi(argv[4])}, {atoi(argv[5]), -1}, {atoi(argv[6]), -1}};
	k.driver = atoi(argv[7]);
	bytes = pread(atoi(argv[8]), given.record, sizeof(given.record), 0);
	CHECK(bytes > 0 && (size_t)bytes < sizeof(given.record));
	given.bytes = (size_t)bytes;
	given.fds = (uint32_t)argc - 9;
	for (uint32_t i = 0; i < given.fds; i++)
		given.fd[i] = atoi(argv[9 + i]);
	take_over(&k, &given);
	if (strcmp(argv[1], "last") != 0)
		second_keeper(&k);
	last_keeper(&k, &given);
	free(k.rig);
	return 0;
}

_Noreturn static void first_keeper(struct rig *rig, struct ixgbe_device *device,
				   const struct stage *stage)
{
	struct keeper k = {.rig = rig, .device = device, .stage = *stage};

	driver_begin(&k, false);
	CHECK(keep_until(&k, stage->go[0]));
	become(&k, "second");
}

/* ---- The test ---- */

static void comes_back(struct rig *rig, uint8_t nth)
{
	uint8_t frame[RIG_FRAME_MAX];

	plain_make(frame, FRAME_BYTES, broadcast, nth);
	rig_wire_send(rig, frame, FRAME_BYTES);
	assert_int_equal(rig_wire_recv(rig, frame, sizeof(frame)), FRAME_BYTES);
	assert_int_equal(frame[ETH_BYTES], (uint8_t)(nth + ETH_BYTES));
}

static void some_come_back(struct rig *rig)
{
	for (uint8_t i = 0; i < FRAMES; i++)
		comes_back(rig, i);
}

static void next_word(const struct stage *stage, char word)
{
	struct pollfd pfd = {.fd = stage->said[0], .events = POLLIN};
	char byte = '?';

	assert_int_equal(poll(&pfd, 1, RIG_DEADLINE_MS * 4), 1);
	assert_int_equal(read(stage->said[0], &byte, 1), 1);
	assert_int_equal(byte, word);
}

static void stage_play(struct rig *rig, const struct stage *stage)
{
	struct pollfd said = {.fd = stage->said[0], .events = POLLIN};

	next_word(stage, 'd');
	some_come_back(rig);
	say(stage->go[1], 'g');
	while (poll(&said, 1, 0) == 0) /* the driver drives without a keeper, too */
		comes_back(rig, 1);
	next_word(stage, 't');
	for (int i = 0; i < 2; i++) {
		some_come_back(rig);
		say(stage->stop[1], 's');
		next_word(stage, i == 0 ? 'd' : 't');
	}
	next_word(stage, 'd');
	some_come_back(rig);
	say(stage->stop[1], 's');
}

void a_keeper_becomes_another_program(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_device *device;
	struct stage stage;
	int status;
	pid_t pid;

	if (getenv("IXNIC_DIRTY")) { /* a driver may want a reset, which has its tests elsewhere */
		print_message("# not with a NIC that comes up dirty\n");
		return;
	}
	device = rig_device_open(rig);
	assert_int_equal(pipe(stage.said) | pipe(stage.go) | pipe(stage.stop), 0);
	pid = fork();
	if (pid == 0)
		first_keeper(rig, device, &stage);
	close(stage.said[1]);
	stage_play(rig, &stage);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(rig_wire_quiet(rig));
	for (int i = 0; i < 2; i++) {
		close(stage.go[i]);
		close(stage.stop[i]);
	}
	close(stage.said[0]);
	rig_device_close(rig, device);
}
