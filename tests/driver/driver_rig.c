/* SPDX-License-Identifier: MIT */
#include "driver_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAC_TEXT "02:00:00:00:00:42"

/*
 * Slow motion. A message to the NIC takes as long as the driver's short waits, so a NIC could not
 * tell whether they were made. With a NIC that is not new they, and the times that the NIC wants,
 * are so many times as long.
 */
#define SLOW          20u
#define SLOW_TEXT     "20"
#define SLOW_SHORT_US 50u
#define SLOW_BELOW_US 100u /* ten times as slow: so much is done meanwhile */

void __real_wait_us(uint32_t us);
void __wrap_wait_us(uint32_t us);

static const uint8_t mac_bytes[IXGBE_MAC_BYTES] = {0x02, 0, 0, 0, 0, 0x42};

struct rig_backend {
	const char *name;
	const char *(*missing)(void);                         /* NULL, or why it cannot run */
	void (*device)(struct rig *rig);                      /* makes sure that there is one */
	void (*address)(struct rig *rig, char *name, size_t); /* for ixgbe_open */
};

static const struct rig_backend *selected;

static const struct ixgbe_pool_plan rig_pools[] = {
	{RIG_RX_BUFFERS, 64 + 2048, 64},
	{RIG_TX_BUFFERS, RIG_TX_BYTES, 0},
};

uint32_t rig_slow_us(uint32_t us)
{
	if (us > SLOW_BELOW_US || !getenv("IXNIC_DIRTY"))
		return us;
	return us < SLOW_SHORT_US ? us * SLOW : us * SLOW * 10;
}

void __wrap_wait_us(uint32_t us)
{
	__real_wait_us(rig_slow_us(us));
}

uint64_t rig_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	while (poll(&pfd, 1, timeout_ms) < 0 && errno == EINTR)
		;
	return pfd.revents != 0;
}

/* ---- The software NIC ---- */

static const char *ixnic_missing(void)
{
	return getenv("IXNIC") ? NULL : "IXNIC is not set: run this test by meson";
}

static void path_of(const struct rig *rig, char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", rig->dir, name);
}

/* Whether registers are to go over a channel of their own. */
static const char *io_fds(void)
{
	return getenv("IXNIC_IO_FDS") ? getenv("IXNIC_IO_FDS") : "on";
}

/* Each NIC of a run is another one. */
static void dirty_seed(char *text, size_t size, uint32_t nth)
{
	snprintf(text, size, "%lu", strtoul(getenv("IXNIC_DIRTY"), NULL, 10) * 1000u + nth);
}

static void become_ixnic(const struct rig *rig, int sock, int out, uint32_t nth)
{
	const char *program = getenv("IXNIC");
	char nic[64], wire[64], control[64], seed[24];
	const char *argv[24] = {"ixnic",     "--socket", nic,     "--wire", wire,
				"--control", control,    "--mac", MAC_TEXT, "--log-level",
				"warning",   "--io-fds", io_fds()};
	size_t n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	path_of(rig, nic, sizeof(nic), "nic");
	if (sock >= 0) {
		fcntl(sock, F_SETFD, 0);
		snprintf(nic, sizeof(nic), "fd:%d", sock);
	}
	snprintf(wire, sizeof(wire), "seqpacket:%s/wire", rig->dir);
	path_of(rig, control, sizeof(control), "control");
	if (getenv("IXNIC_DIRTY")) {
		dirty_seed(seed, sizeof(seed), nth);
		while (argv[n])
			n++;
		memcpy(&argv[n], (const char *[]){"--dirty", seed, "--slow", SLOW_TEXT},
		       4 * sizeof(argv[0]));
	}
	execv(program ? program : "ixnic", (char **)(uintptr_t)argv);
	_exit(127);
}

/* Starts ixnic unless it runs, and waits for its line "ready". */
static void ixnic_run(struct rig *rig, bool pair)
{
	static uint32_t nth;
	int sock[2] = {-1, -1}, out[2];
	char line[16] = "";

	if (rig->pid >= 0)
		return;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	if (pair)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	nth++;
	rig->pid = fork();
	if (rig->pid == 0)
		become_ixnic(rig, sock[1], out[1], nth);
	close(out[1]);
	if (pair)
		close(sock[1]);
	rig->sock = sock[0];
	if (!readable(out[0], RIG_DEADLINE_MS) || read(out[0], line, sizeof(line) - 1) != 6 ||
	    strcmp(line, "ready\n") != 0)
		fail_msg("ixnic is not ready");
	close(out[0]);
}

static void ixnic_pair(struct rig *rig)
{
	ixnic_run(rig, true);
}

static void ixnic_listen(struct rig *rig)
{
	ixnic_run(rig, false);
}

/* The socket passes to the library. */
static void pair_address(struct rig *rig, char *name, size_t size)
{
	snprintf(name, size, "vfio-user-fd:%d", rig->sock);
	rig->sock = -1;
}

static void listen_address(struct rig *rig, char *name, size_t size)
{
	snprintf(name, size, "vfio-user:%s/nic", rig->dir);
}

/* Waits for its end; 0 if it exited with 0. `term`: asks for it. */
static int ixnic_end(struct rig *rig, bool term)
{
	uint64_t end = rig_now_ms() + RIG_DEADLINE_MS;
	int status = -1;

	if (rig->pid < 0)
		return 0;
	if (term)
		kill(rig->pid, SIGTERM);
	while (waitpid(rig->pid, &status, WNOHANG) == 0) {
		if (rig_now_ms() >= end) {
			kill(rig->pid, SIGKILL);
			waitpid(rig->pid, &status, 0);
			break;
		}
		usleep(1000);
	}
	rig->pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void rig_kill(struct rig *rig)
{
	kill(rig->pid, SIGKILL);
	waitpid(rig->pid, NULL, 0);
	rig->pid = -1;
}

/* ---- The kernel's VFIO ---- */

static const char *vfio_missing(void)
{
	if (access("/dev/vfio/vfio", F_OK))
		return "there is no /dev/vfio/vfio: no IOMMU, or vfio-pci is not loaded";
	if (!getenv("IXTAP_VFIO") || !getenv("IXTAP_WIRE"))
		return "IXTAP_VFIO=DDDD:BB:DD.F and IXTAP_WIRE=PATH do not name a device and its "
		       "wire";
	return NULL;
}

static void vfio_device(struct rig *rig)
{
	(void)rig;
}

static void vfio_address(struct rig *rig, char *name, size_t size)
{
	(void)rig;
	snprintf(name, size, "vfio:%s", getenv("IXTAP_VFIO"));
}

static const struct rig_backend backends[] = {
	{"vfio-user-fd", ixnic_missing, ixnic_pair, pair_address},
	{"vfio-user", ixnic_missing, ixnic_listen, listen_address},
	{"vfio", vfio_missing, vfio_device, vfio_address},
};

const char *rig_select(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		if (strcmp(backends[i].name, name) != 0)
			continue;
		selected = &backends[i];
		return selected->missing();
	}
	return "no such backend";
}

/* ---- The fixture ---- */

static int seqpacket_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		fail_msg("%s: %s", path, strerror(errno));
	return sock;
}

static void wire_connect(struct rig *rig)
{
	const char *given = getenv("IXTAP_WIRE");
	char path[64];

	if (rig->wire >= 0)
		return;
	path_of(rig, path, sizeof(path), "wire");
	rig->wire = seqpacket_connect(rig->backend->missing == vfio_missing ? given : path);
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return -1;
	rig->pid = rig->sock = rig->wire = -1;
	rig->backend = selected;
	memcpy(rig->mac, mac_bytes, sizeof(rig->mac));
	strcpy(rig->dir, "/tmp/ixtap-driver-XXXXXX");
	if (!mkdtemp(rig->dir))
		return -1;
	*state = rig;
	return 0;
}

static void pools_free(struct rig *rig)
{
	for (uint16_t q = 0; q < rig->queues; q++) {
		struct rig_burst *burst = &rig->burst[q];

		while (burst->at < burst->count)
			ixgbe_buf_put(burst->seg[burst->at++].buf);
		assert_int_equal(ixgbe_pool_available(rig->rx_pool[q]), RIG_RX_BUFFERS);
		ixgbe_pool_free(rig->rx_pool[q]);
	}
	if (rig->tx_pool) {
		assert_int_equal(ixgbe_pool_available(rig->tx_pool), RIG_TX_BUFFERS);
		ixgbe_pool_free(rig->tx_pool);
	}
	rig->queues = 0;
	rig->tx_pool = NULL;
}

/* Over a socketpair ixnic ends with its connection. */
static void device_gone(struct rig *rig)
{
	if (rig->backend->address != pair_address)
		return;
	close(rig->wire);
	rig->wire = -1;
	assert_int_equal(ixnic_end(rig, false), 0);
}

void rig_close(struct rig *rig)
{
	if (!rig->nic)
		return;
	ixgbe_stop(rig->nic);
	pools_free(rig); /* no buffer was lost */
	if (rig->last_means[0])
		fail_msg("the last means, though the NIC was well: %s", rig->last_means);
	if (rig_has_control(rig))
		assert_int_equal(rig_control(rig, "violations", "total"), 0);
	ixgbe_close(rig->nic);
	rig->nic = NULL;
	if (rig->backend->address == listen_address && rig_has_control(rig))
		assert_int_equal(rig_control(rig, "violations", "total"), 0);
	device_gone(rig);
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	char path[64];
	int err;

	rig_close(rig);
	err = ixnic_end(rig, true);
	if (rig->wire >= 0)
		close(rig->wire);
	if (rig->sock >= 0)
		close(rig->sock);
	for (size_t i = 0; i < 3; i++) {
		path_of(rig, path, sizeof(path), (const char *[]){"nic", "wire", "control"}[i]);
		unlink(path);
	}
	rmdir(rig->dir);
	free(rig);
	return err;
}

/* What a driver does only to a NIC that hangs. */
static void on_log(void *ctx, enum ixgbe_log_level level, const char *message)
{
	struct rig *rig = ctx;

	if (level <= IXGBE_LOG_WARNING &&
	    (strstr(message, "resetting the function") || strstr(message, "SW_FW_SYNC")))
		snprintf(rig->last_means, sizeof(rig->last_means), "%s", message);
}

/* Makes sure that there is a device with a wire, and names it. */
static void device_name(struct rig *rig, char *name, size_t size)
{
	rig->backend->device(rig);
	wire_connect(rig);
	rig->backend->address(rig, name, size);
}

struct ixgbe_device *rig_device_open(struct rig *rig)
{
	const struct ixgbe_options options = {.rx_ring = RIG_RING, .tx_ring = RIG_RING};
	struct ixgbe_why why = {"no reason given"};
	struct ixgbe_device *device;
	char name[96];

	device_name(rig, name, sizeof(name));
	if (ixgbe_device_open(name, &options, rig_pools, 2, &device, &why))
		fail_msg("%s: %s", name, why.text);
	assert_int_equal(ixgbe_device_bus_master_set(device, true), 0);
	return device;
}

int rig_attach(struct rig *rig, struct ixgbe_device *device, struct ixgbe_why *why)
{
	int err = ixgbe_attach(device, &rig->nic, why);

	rig->queues = 1;
	if (!err)
		err = ixgbe_pool_new(rig->nic, rig_pools[0].count, rig_pools[0].size,
				     rig_pools[0].headroom, &rig->rx_pool[0]);
	if (!err)
		err = ixgbe_pool_new(rig->nic, rig_pools[1].count, rig_pools[1].size,
				     rig_pools[1].headroom, &rig->tx_pool);
	if (!err)
		err = ixgbe_start(rig->nic, rig->rx_pool, why);
	if (!err)
		err = ixgbe_link_set_admin(rig->nic, true);
	return err ? err : ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS);
}

struct rig *rig_elsewhere(const char *dir, int wire)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return NULL;
	rig->sock = -1;
	rig->wire = wire;
	snprintf(rig->dir, sizeof(rig->dir), "%s", dir);
	return rig;
}

void rig_device_close(struct rig *rig, struct ixgbe_device *device)
{
	if (rig_has_control(rig))
		assert_int_equal(rig_control(rig, "violations", "total"), 0);
	ixgbe_device_close(device);
	device_gone(rig);
}

void rig_open(struct rig *rig, const struct ixgbe_options *options)
{
	struct ixgbe_options full = options ? *options : (struct ixgbe_options){0};
	struct ixgbe_why why = {"no reason given"};
	char name[96];
	int err;

	full.log = on_log;
	full.log_ctx = rig;
	device_name(rig, name, sizeof(name));
	err = ixgbe_open(name, &full, &rig->nic, &why);
	if (err)
		fail_msg("%s: %d: %s", name, err, why.text);
	if (rig->pid >= 0)
		assert_int_equal(rig_control(rig, "status", "channel"), !strcmp(io_fds(), "on"));
}

void rig_start(struct rig *rig, const struct ixgbe_options *options)
{
	struct ixgbe_options full = options ? *options : (struct ixgbe_options){0};
	struct ixgbe_why why = {"no reason given"};
	int err;

	full.rx_ring = RIG_RING;
	full.tx_ring = RIG_RING;
	full.queues = full.queues ? full.queues : 1;
	rig_open(rig, &full);
	for (; rig->queues < full.queues; rig->queues++)
		assert_int_equal(ixgbe_pool_new(rig->nic, RIG_RX_BUFFERS, 64 + 2048, 64,
						&rig->rx_pool[rig->queues]),
				 0);
	assert_int_equal(ixgbe_pool_new(rig->nic, RIG_TX_BUFFERS, RIG_TX_BYTES, 0, &rig->tx_pool),
			 0);
	err = ixgbe_start(rig->nic, rig->rx_pool, &why);
	if (err)
		fail_msg("start: %d: %s", err, why.text);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, RIG_DEADLINE_MS), 0);
}

/* ---- The wire ---- */

void rig_wire_send(struct rig *rig, const void *frame, size_t len)
{
	if (send(rig->wire, frame, len, 0) != (ssize_t)len)
		fail_msg("the wire: %s", strerror(errno));
}

size_t rig_wire_recv(struct rig *rig, uint8_t *frame, size_t size)
{
	ssize_t len;

	if (!readable(rig->wire, RIG_DEADLINE_MS))
		fail_msg("no frame on the wire");
	len = recv(rig->wire, frame, size, MSG_TRUNC);
	assert_true(len > 0 && (size_t)len <= size);
	return (size_t)len;
}

bool rig_wire_quiet(struct rig *rig)
{
	return !readable(rig->wire, RIG_QUIET_MS);
}

/* ---- The port ---- */

/* A whole frame from queue q, if there is one. */
static bool take(struct rig *rig, uint16_t q, struct rig_frame *frame)
{
	struct rig_burst *burst = &rig->burst[q];
	const struct ixgbe_seg *seg;

	if (burst->at == burst->count) {
		burst->at = 0;
		burst->count = ixgbe_rx_burst(ixgbe_rxq(rig->nic, q), burst->seg, RIG_BURST);
	}
	if (burst->at == burst->count)
		return false;
	frame->len = 0;
	do {
		assert_true(burst->at < burst->count);
		seg = &burst->seg[burst->at++];
		assert_true(frame->len + seg->len <= sizeof(frame->data));
		memcpy(frame->data + frame->len, seg->buf->data + seg->offset, seg->len);
		frame->len += seg->len;
		ixgbe_buf_put(seg->buf);
	} while (!(seg->flags & IXGBE_SEG_EOP));
	frame->flags = seg->flags;
	frame->vlan = seg->vlan;
	frame->rss_hash = seg->rss_hash;
	frame->queue = q;
	return true;
}

static bool take_any(struct rig *rig, struct rig_frame *frame, uint64_t timeout_ms)
{
	uint64_t end = rig_now_ms() + timeout_ms;

	for (;;) {
		bool last = rig_now_ms() >= end;

		for (uint16_t q = 0; q < rig->queues; q++)
			if (take(rig, q, frame))
				return true;
		if (last)
			return false;
		usleep(100);
	}
}

void rig_recv(struct rig *rig, struct rig_frame *frame)
{
	if (!take_any(rig, frame, RIG_DEADLINE_MS))
		fail_msg("no frame received");
}

bool rig_try_recv(struct rig *rig, struct rig_frame *frame)
{
	return take_any(rig, frame, 0);
}

bool rig_recv_quiet(struct rig *rig)
{
	struct rig_frame frame;

	return !take_any(rig, &frame, RIG_QUIET_MS);
}

void rig_send(struct rig *rig, const void *frame, uint32_t len, const struct ixgbe_seg *offload)
{
	rig_send_on(rig, 0, frame, len, offload);
}

void rig_send_on(struct rig *rig, uint16_t queue, const void *frame, uint32_t len,
		 const struct ixgbe_seg *offload)
{
	struct ixgbe_seg seg = offload ? *offload : (struct ixgbe_seg){0};
	struct ixgbe_txq *txq = ixgbe_txq(rig->nic, queue);
	int stopped;

	seg.buf = ixgbe_buf_get(rig->tx_pool);
	assert_non_null(seg.buf);
	assert_true(len <= seg.buf->size);
	memcpy(seg.buf->data, frame, len);
	seg.offset = 0;
	seg.len = len;
	seg.flags |= IXGBE_SEG_EOP;
	assert_int_equal(ixgbe_tx_burst(txq, &seg, 1, &stopped), 1);
	assert_int_equal(stopped, 0);
}

void rig_send_done(struct rig *rig)
{
	uint64_t end = rig_now_ms() + RIG_DEADLINE_MS;

	while (ixgbe_tx_in_flight(ixgbe_txq(rig->nic, 0)) > 0) {
		if (rig_now_ms() >= end)
			fail_msg("sent frames do not come back");
		ixgbe_tx_reclaim(ixgbe_txq(rig->nic, 0));
		usleep(100);
	}
	assert_int_equal(ixgbe_pool_available(rig->tx_pool), RIG_TX_BUFFERS);
}

uint64_t rig_stat(struct rig *rig, const char *name)
{
	assert_int_equal(ixgbe_stats_update(rig->nic), 0);
	for (size_t i = 0; i < ixgbe_stats_count(rig->nic); i++)
		if (strcmp(ixgbe_stats_name(rig->nic, i), name) == 0)
			return ixgbe_stats_value(rig->nic, i);
	fail_msg("no statistic %s", name);
	return 0;
}

bool rig_irq(int fd, int timeout_ms)
{
	uint64_t count;

	return readable(fd, timeout_ms) && read(fd, &count, sizeof(count)) == sizeof(count);
}

/* ---- Control ---- */

static void control_path(const struct rig *rig, char *path, size_t size)
{
	const char *given = getenv("IXTAP_CONTROL");

	if (rig->backend->missing == vfio_missing)
		snprintf(path, size, "%s", given ? given : "");
	else
		path_of(rig, path, size, "control");
}

bool rig_has_control(const struct rig *rig)
{
	char path[108];

	if (rig->backend->missing == ixnic_missing && rig->pid < 0)
		return false;
	control_path(rig, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* Asks the control socket: the JSON of the reply. */
static json_t *ask(struct rig *rig, const char *request, const char *key)
{
	static char reply[256 * 1024];
	char path[108];
	json_t *root;
	ssize_t len;
	int sock;

	control_path(rig, path, sizeof(path));
	sock = seqpacket_connect(path);
	assert_int_equal(send(sock, request, strlen(request), 0), strlen(request));
	if (!readable(sock, RIG_DEADLINE_MS))
		fail_msg("no reply to '%s'", request);
	len = recv(sock, reply, sizeof(reply), 0);
	close(sock);
	assert_true(len > 0);
	root = json_loadb(reply, (size_t)len, 0, NULL);
	if (!root || json_object_get(root, "error") || (key && !json_object_get(root, key)))
		fail_msg("the reply to '%s': %.*s", request, (int)len, reply);
	if (strcmp(request, "violations") == 0 &&
	    json_integer_value(json_object_get(root, "total")) != 0)
		fail_msg("rules were broken: %.*s", (int)len, reply);
	return root;
}

long long rig_control(struct rig *rig, const char *request, const char *key)
{
	json_t *root = ask(rig, request, key), *member = key ? json_object_get(root, key) : NULL;
	long long value =
		json_is_boolean(member) ? json_is_true(member) : json_integer_value(member);

	json_decref(root);
	return value;
}

/* A number of the member `of` of a reply. */
static uint32_t number(struct rig *rig, const char *request, const char *of, const char *name,
		       uint32_t index)
{
	json_t *root = ask(rig, request, of);
	json_t *row = json_object_get(json_object_get(root, of), name);
	uint32_t value;

	assert_non_null(row);
	value = (uint32_t)json_integer_value(json_is_array(row) ? json_array_get(row, index) : row);
	json_decref(root);
	return value;
}

uint32_t rig_register(struct rig *rig, const char *name, uint32_t index)
{
	char request[64];

	snprintf(request, sizeof(request), "registers %s", name);
	return number(rig, request, "registers", name, index);
}

uint32_t rig_counter(struct rig *rig, const char *name)
{
	return number(rig, "counters", "counters", name, 0);
}

uint32_t rig_statistic(struct rig *rig, const char *name, uint32_t index)
{
	return number(rig, "counters", "statistics", name, index);
}
