/* SPDX-License-Identifier: MIT */
#include "ipv6_off.h"
#include "worker_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/frames/offload.h"

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void interface_set(bool up, int mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = NAME};

	if (mtu) {
		ifr.ifr_mtu = mtu;
		assert_int_equal(ioctl(fd, SIOCSIFMTU, &ifr), 0);
	}
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

static void packet_bind(struct rig *rig)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(ETHERTYPE),
				   .sll_ifindex = rig->tap.ifindex};
	int size = 64 << 20;

	rig->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE));
	assert_true(rig->socket >= 0);
	assert_int_equal(bind(rig->socket, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(setsockopt(rig->socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)),
			 0);
	assert_int_equal(setsockopt(rig->socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)),
			 0);
}

struct bridge_counters counters(const struct rig *rig)
{
	struct bridge_counters c;

	bridge_counters_read(&rig->board->counters, &c);
	return c;
}

bool worker_rig_idle(const struct rig *rig)
{
	return atomic_load_explicit(&rig->board->idle, memory_order_relaxed);
}

/* The kernel's queue opens a moment after the carrier; until then it swallows frames. */
static void wait_for_queue(struct rig *rig)
{
	static const uint8_t probe[60] = {[12] = 0x88, 0xb6};

	do {
		puppet_transmit_all(rig->puppet);
		assert_int_equal(send(rig->socket, probe, sizeof(probe), 0), sizeof(probe));
		poll(NULL, 0, 1);
	} while (counters(rig).tx_delivered == 0);
}

bool worker_rig_no_nowait;

static struct rig *current; /* what a failed test leaves behind */

static struct worker_board board; /* of the one worker at a time */

struct rig *worker_rig_new(enum worker_poll poll_mode, uint16_t mtu)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct ixgbe_why why = {""};
	struct worker_config config = {
		.poll = poll_mode, .coalesce = true, .no_nowait = worker_rig_no_nowait, .cpu = -1};

	assert_non_null(rig);
	rig->board = &board;
	memset(&board, 0, sizeof(board));
	config.board = &board;
	rig->puppet = puppet_new(RING, mtu);
	if (tap_open(&rig->tap, NAME, 1, false, &why) != 0)
		fail_msg("%s", why.text);
	interface_set(true, mtu);
	packet_bind(rig);
	assert_int_equal(tap_carrier_set(&rig->tap, true), 0);
	config.nic = rig->puppet->nic;
	config.tap_fd = rig->tap.fd[0];
	config.pool = rig->puppet->pool;
	if (worker_start(&config, &rig->worker, &why) != 0)
		fail_msg("%s", why.text);
	current = rig;
	wait_for_queue(rig);
	return rig;
}

static void check_invariant(const struct rig *rig)
{
	struct bridge_counters c = counters(rig);
	uint64_t rx = c.rx_delivered, tx = c.tx_delivered;

#define C(name, text) rx += c.name;
	BRIDGE_RX_DROPS(C)
#undef C
#define C(name, text) tx += c.name;
	BRIDGE_TX_DROPS(C)
#undef C
	assert_int_equal(c.rx_received, rx);
	assert_int_equal(c.tx_received, tx);
}

void worker_rig_free(struct rig *rig)
{
	current = NULL;
	worker_halt(rig->worker);
	check_invariant(rig);
	worker_stop(rig->worker);
	close(rig->socket);
	tap_close(&rig->tap);
	assert_int_equal(if_nametoindex(NAME), 0); /* nothing holds it any more */
	puppet_free(rig->puppet);                  /* checks that every buffer is back */
	free(rig);
}

int worker_rig_clean_up(void **state)
{
	(void)state;
	if (current) {
		worker_stop(current->worker);
		close(current->socket);
		tap_close(&current->tap);
		current = NULL;
	}
	return 0;
}

/* ---- Frames: number n has its own length and content ---- */

uint32_t frame_make(uint8_t *frame, uint32_t n, uint32_t len)
{
	memset(frame, 0xff, 6); /* everyone's */
	memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
	offload_put_be16(frame + 12, ETHERTYPE);
	for (uint32_t i = 14; i < len; i++)
		frame[i] = (uint8_t)(n + i * 7);
	memcpy(frame + 14, &n, sizeof(n));
	return len;
}

uint32_t frame_len(uint32_t n, uint32_t max)
{
	return 60 + n * 97 % (max - 59);
}

void kernel_send(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	assert_int_equal(send(rig->socket, frame, len, 0), len);
}

void kernel_expect(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	static uint8_t got[PUPPET_FRAME_MAX];
	struct pollfd pfd = {.fd = rig->socket, .events = POLLIN};

	assert_int_equal(poll(&pfd, 1, DEADLINE_MS), 1);
	assert_int_equal(recv(rig->socket, got, sizeof(got), 0), len);
	assert_memory_equal(got, frame, len);
}

void nic_next(struct rig *rig)
{
	do
		WAIT_FOR(puppet_transmit(rig->puppet, &rig->frame));
	while (offload_get_be16(rig->frame.data + 12) != ETHERTYPE);
}

void nic_expect(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	nic_next(rig);
	assert_int_equal(rig->frame.len, len);
	assert_memory_equal(rig->frame.data, frame, len);
}

bool worker_rig_possible(void)
{
	if (unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0) {
		ipv6_off();
		return true;
	}
	printf("1..0 # SKIP needs root and /dev/net/tun: %s\n", strerror(errno));
	return false;
}
