/* SPDX-License-Identifier: MIT */
/*
 * The wires: a TAP, in a network namespace of this test's own, a cable between two NICs, a socket;
 * and the capture file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model_rings.h"

#define TAP "dp-wire"

static bool have_namespace;

/* ---- The kernel's side of the TAP ---- */

static void interface_up(bool up)
{
	struct ifreq request = {.ifr_name = TAP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	if (up)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= (short)~IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static bool interface_runs(void)
{
	struct ifreq request = {.ifr_name = TAP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool runs = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_RUNNING;

	close(fd);
	return runs;
}

static void wait_running(bool running)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	while (interface_runs() != running) {
		assert_true(model_now_ms() < end);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

/* A raw socket on the TAP, with virtio headers in both directions. */
static int far_end(void)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(TAP),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	int on = 1, size = 8 << 20;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void far_send(int fd, const struct virtio_net_hdr *vnet, const uint8_t *data, size_t len)
{
	struct iovec part[] = {{(void *)(uintptr_t)vnet, sizeof(*vnet)},
			       {(void *)(uintptr_t)data, len}};

	assert_int_equal(writev(fd, part, 2), sizeof(*vnet) + len);
}

static size_t far_recv(int fd, struct virtio_net_hdr *vnet, uint8_t *data, size_t size)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct iovec part[] = {{vnet, sizeof(*vnet)}, {data, size}};
	ssize_t len;

	assert_int_equal(poll(&pfd, 1, MODEL_DEADLINE_MS), 1);
	len = readv(fd, part, 2);
	assert_true(len >= (ssize_t)sizeof(*vnet));
	return (size_t)len - sizeof(*vnet);
}

static int tap_setup(void **state)
{
	*state = NULL;
	return have_namespace ? model_start(state, &(struct model_options){.wire = "tap:" TAP}) : 0;
}

static int tap_start(void **state, struct ring *rx, struct ring *tx)
{
	if (!have_namespace)
		skip();
	interface_up(true);
	rings_begin(*state);
	rx_open(rx, *state, 0, 512, 2, 0);
	tx_open(tx, *state, 0, 512);
	rings_go(*state);
	wait_running(true);
	return far_end();
}

static void tap_carries_frames(void **state)
{
	static const struct virtio_net_hdr plain;
	struct ring rx, tx;
	struct received got;
	struct virtio_net_hdr vnet;
	struct built f;
	uint8_t data[2000];
	int far = tap_start(state, &rx, &tx);

	frame_raw(&f, NULL, 1000);
	far_send(far, &plain, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.len);
	assert_memory_equal(got.data, f.data, f.len);
	frame_raw(&f, NULL, 20); /* the partner pads it */
	far_send(far, &plain, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, 60);
	assert_memory_equal(got.data, f.data, 60);
	frame_build(&f, &(struct frame_spec){.payload = 900});
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	assert_int_equal(far_recv(far, &vnet, data, sizeof(data)), f.len);
	assert_memory_equal(data, f.data, f.len);
	rings_end(*state, 0);
	close(far);
}

static void tap_fills_in_checksums(void **state)
{
	struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
	struct ring rx, tx;
	struct received got;
	struct built f, want;
	int far = tap_start(state, &rx, &tx);

	for (int v6 = 0; v6 < 2; v6++) {
		frame_build(&want,
			    &(struct frame_spec){.ipv6 = v6, .protocol = 17, .payload = 777});
		f = want;
		vnet.csum_start = (uint16_t)f.l4;
		vnet.csum_offset = 6;
		set16(f.data + f.l4 + 6, pseudo_sum(f.data, f.l3, 17, f.len - f.l4));
		far_send(far, &vnet, f.data, f.len);
		rx_take(&rx, &got);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.data, want.data, want.len);
		assert_int_equal(got.last.dword[2] & (IXGBE_RXD_STAT_L4I | IXGBE_RXD_ERR_L4E),
				 IXGBE_RXD_STAT_L4I);
	}
	rings_end(*state, 0);
	close(far);
}

struct gso {
	struct frame_spec spec;
	uint8_t type;
	uint16_t mss;
};

static void tap_cuts_what_the_kernel_left_whole(void **state)
{
	static const struct gso cases[] = {
		{{.payload = 20000, .seq = 77, .tcp_flags = 0x18}, VIRTIO_NET_HDR_GSO_TCPV4, 1448},
		{{.payload = 64000, .tcp_options = 12}, VIRTIO_NET_HDR_GSO_TCPV4, 1400},
		{{.ipv6 = true, .payload = 30000}, VIRTIO_NET_HDR_GSO_TCPV6, 1440},
		{{.tagged = true, .vlan = 5, .payload = 9000}, VIRTIO_NET_HDR_GSO_TCPV4, 1448},
	};
	static struct built f;
	struct ring rx, tx;
	struct received got;
	int far = tap_start(state, &rx, &tx);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct virtio_net_hdr vnet = {
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = cases[i].type,
			.gso_size = cases[i].mss,
			.csum_offset = 16,
		};
		uint32_t at = 0, mss = cases[i].mss;

		frame_build(&f, &cases[i].spec);
		vnet.csum_start = (uint16_t)f.l4;
		vnet.hdr_len = (uint16_t)f.body;
		set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, f.len - f.l4));
		far_send(far, &vnet, f.data, f.len);
		while (at < f.len - f.body) {
			uint32_t want = f.len - f.body - at < mss ? f.len - f.body - at : mss;

			rx_take(&rx, &got);
			assert_int_equal(got.len, f.body + want);
			assert_int_equal(get32(got.data + f.l4 + 4), cases[i].spec.seq + at);
			assert_true(cases[i].spec.ipv6 || frame_ip_right(got.data, f.l3));
			assert_true(frame_l4_right(got.data, f.l3, f.l4, got.len));
			assert_int_equal(got.last.dword[2] &
						 (IXGBE_RXD_STAT_L4I | IXGBE_RXD_ERR_L4E),
					 IXGBE_RXD_STAT_L4I);
			assert_memory_equal(got.data + f.body, f.data + f.body + at, want);
			at += want;
		}
	}
	assert_true(rx_silent(&rx));
	rings_end(*state, 0);
	close(far);
}

/* The last piece may be shorter than the shortest frame: the partner pads it. */
static void tap_pads_a_short_last_piece(void **state)
{
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1000,
		.csum_offset = 16,
	};
	struct ring rx, tx;
	struct received got;
	struct built f;
	int far = tap_start(state, &rx, &tx);

	frame_build(&f, &(struct frame_spec){.payload = 1001});
	vnet.csum_start = (uint16_t)f.l4;
	vnet.hdr_len = (uint16_t)f.body;
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, f.len - f.l4));
	far_send(far, &vnet, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.body + 1000);
	rx_take(&rx, &got);
	assert_int_equal(got.len, 60);
	assert_int_equal(get16(got.data + f.l3 + 2), f.body - f.l3 + 1);
	assert_int_equal(got.data[f.body], f.data[f.body + 1000]);
	assert_int_equal(got.data[59], 0);
	assert_int_equal(got.last.dword[2] & (IXGBE_RXD_STAT_L4I | IXGBE_RXD_ERR_L4E),
			 IXGBE_RXD_STAT_L4I);
	rings_end(*state, 0);
	close(far);
}

static void post_tso(struct ring *tx, const struct built *original, uint32_t mss, bool v6,
		     uint16_t wrong)
{
	static struct built f;
	uint32_t half;

	f = *original;
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, 0) ^ wrong);
	tx_context(tx, 0, f.l3, f.l4 - f.l3, f.body - f.l4, mss, 0,
		   (v6 ? 0 : IXGBE_TXC_IPV4) | IXGBE_FIELD_PREP(IXGBE_TXC_L4T, IXGBE_TXC_L4T_TCP));
	for (uint32_t at = 0; at < f.len; at += half) {
		half = f.len - at < 16384 ? f.len - at : 16384;
		tx_desc(tx, tx_data(tx, f.data + at, half),
			tx_data_half(
				half,
				(at + half == f.len ? TX_LAST : IXGBE_TXD_DEXT | IXGBE_TXD_IFCS) |
					IXGBE_TXD_TSE,
				f.len - f.body,
				IXGBE_TXD_POPTS_TXSM | (v6 ? 0 : IXGBE_TXD_POPTS_IXSM)));
	}
	tx_kick(tx);
}

static void tap_merges_what_follows_each_other(void **state)
{
	static struct built f;
	static uint8_t data[70000];
	struct virtio_net_hdr vnet;
	struct ring rx, tx;
	int far = tap_start(state, &rx, &tx);

	for (int v6 = 0; v6 < 2; v6++) {
		size_t len;

		frame_build(&f, &(struct frame_spec){
					.ipv6 = v6, .payload = 50000, .tcp_flags = 0x18, .seq = 9});
		post_tso(&tx, &f, 1440, v6, 0);
		len = far_recv(far, &vnet, data, sizeof(data));
		assert_int_equal(len, f.len);
		assert_int_equal(vnet.gso_type,
				 v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(vnet.gso_size, 1440);
		assert_memory_equal(data, f.data, f.l3);
		assert_memory_equal(data + f.l4, f.data + f.l4, 16);
		assert_memory_equal(data + f.body, f.data + f.body, 50000);
		assert_int_equal(get16(data + f.l4 + 16),
				 pseudo_sum(f.data, f.l3, 6, f.len - f.l4));
	}
	assert_int_equal(counter(*state, "tx_sent"), 2 * 35);
	assert_int_equal(counter(*state, "wire_merged"), 2 * 35);
	/* a wrong seed makes wrong checksums: nothing is merged then */
	frame_build(&f, &(struct frame_spec){.payload = 3000});
	post_tso(&tx, &f, 1000, false, 0x0100);
	for (int i = 0; i < 3; i++)
		assert_int_equal(far_recv(far, &vnet, data, sizeof(data)), f.body + 1000);
	rings_end(*state, 1);
	close(far);
}

static void tap_counts_what_a_closed_interface_loses(void **state)
{
	struct ring rx, tx;
	struct built f;
	int far = tap_start(state, &rx, &tx);
	uint32_t index;

	/* The link is forced up: it outlives the partner's light. */
	model_set(*state, IXGBE_AUTOC, IXGBE_AUTOC_FLU);
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	interface_up(false);
	frame_raw(&f, NULL, 100);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	tx_wait(&tx, index);
	assert_int_equal(counter(*state, "wire_drop_down"), 1);
	assert_int_equal(counter(*state, "tx_sent"), 0);
	rings_end(*state, 0);
	close(far);
}

static void tap_takes_the_link_down_with_its_interface(void **state)
{
	struct virtio_net_hdr vnet;
	uint8_t data[2048];
	struct ring rx, tx;
	struct built f;
	uint32_t index;
	int far;

	if (!have_namespace)
		skip();
	/* It was never up: the NIC has its light. */
	json_t *status = model_control(*state, "status");

	assert_true(json_is_true(json_object_get(status, "light")));
	json_decref(status);
	far = tap_start(state, &rx, &tx);
	(void)model_read(*state, IXGBE_EICR);
	interface_up(false);
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	assert_true(model_read(*state, IXGBE_EICR) & IXGBE_EICR_LSC);
	frame_raw(&f, NULL, 100);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	assert_false(tx_done(&tx, index));
	interface_up(true);
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	tx_wait(&tx, index);
	wait_running(true);
	close(far);
	far = far_end();
	frame_raw(&f, NULL, 200);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	assert_int_equal(far_recv(far, &vnet, data, sizeof(data)), f.len);
	assert_int_equal(counter(*state, "wire_drop_down"), 0);
	rings_end(*state, 0);
	close(far);
}

static void tap_holds_what_the_rings_have_no_room_for(void **state)
{
	enum { FRAMES = 600 };
	static const struct virtio_net_hdr plain;
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	long long buffered = 0;
	struct ring rx;
	struct received got;
	struct built f;
	int far;

	if (!have_namespace)
		skip();
	interface_up(true);
	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	wait_running(true);
	far = far_end();
	for (uint32_t i = 0; i < FRAMES; i++) {
		frame_raw(&f, NULL, 800 + i);
		far_send(far, &plain, f.data, f.len);
	}
	/* The packet buffer takes what it can, and the kernel's queue holds the others. */
	while (buffered < 200 && model_now_ms() < end)
		buffered = counter(*state, "rx_frames");
	assert_true(buffered >= 200);
	assert_true(rx_silent(&rx));
	assert_true(counter(*state, "rx_frames") < FRAMES);
	rx_give(&rx, 20);
	for (uint32_t i = 0; i < FRAMES; i++) {
		rx_take(&rx, &got);
		assert_int_equal(got.len, 800 + i);
	}
	assert_int_equal(counter(*state, "rx_drop_missed"), 0);
	rings_end(*state, 0);
	close(far);
}

static void tap_carrier_follows_the_laser(void **state)
{
	struct ring rx, tx;

	close(tap_start(state, &rx, &tx));
	json_decref(model_control(*state, "link down"));
	wait_running(false);
	json_decref(model_control(*state, "link up"));
	wait_running(true);
	model_set(*state, IXGBE_AUTOC2, IXGBE_AUTOC2_LINK_DISABLE);
	wait_running(false);
}

static void tap_goes_with_the_program(void **state)
{
	if (!have_namespace)
		skip();
	assert_true(if_nametoindex(TAP) != 0);
	assert_int_equal(model_stop(state), 0);
	assert_int_equal(if_nametoindex(TAP), 0);
}

/* ---- The cable ---- */

/* Whoever may read the directory can lock it. That keeps the ends from meeting, and the NIC from
 * nothing else. */
static void cable_does_not_wait_for_a_lock(void **state)
{
	char dir[] = "/tmp/ixnic-cable-XXXXXX", wire[64];
	struct model_options options = {.wire = wire};
	void *a = NULL, *b = NULL;
	int lock;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(wire, sizeof(wire), "cable:%s/wire", dir);
	lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(model_start(&a, &options), 0);
	assert_int_equal(model_start(&b, &options), 0);
	assert_int_equal(model_read(a, IXGBE_LINKS) & IXGBE_LINKS_UP, 0);
	assert_int_equal(flock(lock, LOCK_UN), 0);
	model_wait(a, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	model_wait(b, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(model_stop(&a), 0);
	model_wait(b, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	assert_int_equal(model_config_read(b, 0, 4), 0x10fb8086);
	assert_int_equal(model_stop(&b), 0);
	close(lock);
	assert_int_equal(rmdir(dir), 0);
}

static void cable_joins_two(void **state)
{
	char wire[64];
	void *a = NULL, *b = NULL;
	struct model_options options = {.wire = wire};
	struct ring rx[2], tx[2];
	struct received got;
	struct built f;

	(void)state;
	snprintf(wire, sizeof(wire), "cable:/tmp/ixnic-cable-%d", getpid());
	assert_int_equal(model_start(&a, &options), 0);
	assert_int_equal(model_read(a, IXGBE_LINKS) & IXGBE_LINKS_UP, 0);
	assert_int_equal(model_start(&b, &options), 0);
	rings_start(a, &rx[0], &tx[0]);
	rings_start(b, &rx[1], &tx[1]);
	for (uint32_t i = 0; i < 100; i++) {
		frame_raw(&f, NULL, 60 + i);
		tx_frame(&tx[i & 1], f.data, f.len, 0, 0);
		tx_kick(&tx[i & 1]);
		rx_take(&rx[!(i & 1)], &got);
		assert_int_equal(got.len, f.len);
		assert_memory_equal(got.data, f.data, f.len);
	}
	/* light off at one end: no link at the other */
	json_decref(model_control(a, "link down"));
	model_wait(b, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	json_decref(model_control(a, "link up"));
	model_wait(b, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	/* either end may go and come back */
	assert_int_equal(model_stop(&a), 0);
	model_wait(b, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	assert_int_equal(model_start(&a, &options), 0);
	model_wait(b, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	assert_int_equal(model_stop(&b), 0);
	model_wait(a, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	assert_int_equal(model_start(&b, &options), 0);
	model_wait(a, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	assert_int_equal(model_stop(&a), 0);
	assert_int_equal(model_stop(&b), 0);
	assert_int_equal(access(wire + strlen("cable:"), F_OK), -1);
}

static void cable_loses_nothing(void **state)
{
	char wire[64];
	void *a = NULL, *b = NULL;
	struct model_options options = {.wire = wire};
	struct ring tx, rx, unused;
	struct received got;
	struct built f;
	uint32_t index = 0;

	(void)state;
	snprintf(wire, sizeof(wire), "cable:/tmp/ixnic-cable-%d", getpid());
	assert_int_equal(model_start(&a, &options), 0);
	assert_int_equal(model_start(&b, &options), 0);
	rings_begin(a);
	rx_open(&unused, a, 0, 64, 2, 0);
	tx_open(&tx, a, 0, 1024);
	rings_begin(b);
	rx_open_empty(&rx, b, 0, 64, 2, 0);
	rings_go(a);
	rings_go(b);
	frame_raw(&f, NULL, 1500);
	for (uint32_t i = 0; i < 1000; i++)
		index = tx_frame(&tx, f.data, 500 + i % 500, 0, 0);
	tx_kick(&tx);
	assert_true(rx_silent(&rx));
	assert_false(tx_done(&tx, index));
	rx_give(&rx, 60);
	for (uint32_t i = 0; i < 1000; i++) {
		rx_take(&rx, &got);
		assert_int_equal(got.len, 500 + i % 500);
	}
	tx_wait(&tx, index);
	rings_end(a, 0);
	rings_end(b, 0);
	assert_int_equal(model_stop(&a), 0);
	assert_int_equal(model_stop(&b), 0);
}

/* ---- The socket, the capture ---- */

static int socket_to(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/peer", dir);
	for (int tries = 0; connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0;
	     tries++) {
		assert_true(tries < 1000);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return fd;
}

static void socket_peers_come_and_go(void **state)
{
	char dir[] = "/tmp/ixnic-wire-XXXXXX", wire[64];
	struct ring rx, tx;
	struct received got;
	struct built f;
	uint8_t data[2000];
	uint32_t index;

	assert_non_null(mkdtemp(dir));
	snprintf(wire, sizeof(wire), "seqpacket:%s/peer", dir);
	assert_int_equal(model_start(state, &(struct model_options){.wire = wire}), 0);
	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	tx_wait(&tx, index);
	assert_int_equal(counter(*state, "wire_drop_no_peer"), 1);
	for (int i = 0; i < 5; i++) {
		int fd = socket_to(dir), second;

		assert_int_equal(send(fd, f.data, f.len, 0), f.len);
		rx_take(&rx, &got);
		second = socket_to(dir); /* there is one peer at a time */
		assert_int_equal(recv(second, data, sizeof(data), 0), 0);
		close(second);
		tx_frame(&tx, f.data, f.len, 0, 0);
		tx_kick(&tx);
		assert_int_equal(recv(fd, data, sizeof(data), 0), f.len);
		index = tx_frame(&tx, f.data, f.len, 0, 0);
		tx_kick(&tx);
		tx_wait(&tx, index);
		/* What it sent last arrives, even if it did not read all before it went. */
		assert_int_equal(kill(model_pid(*state), SIGSTOP), 0);
		assert_int_equal(send(fd, f.data, 60, 0), 60);
		close(fd);
		assert_int_equal(kill(model_pid(*state), SIGCONT), 0);
		rx_take(&rx, &got);
		assert_int_equal(got.len, 60);
	}
	rings_end(*state, 0);
	assert_int_equal(model_stop(state), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void captures_both_directions(void **state)
{
	char path[] = "/tmp/ixnic-pcap-XXXXXX";
	const char *more[] = {"--pcap", path, NULL};
	struct ring rx, tx;
	struct received got;
	struct built f;
	uint8_t data[4096];
	uint32_t head[6];
	FILE *file;

	close(mkstemp(path));
	assert_int_equal(model_start(state, &(struct model_options){.more = more}), 0);
	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, 100);
	rx_take(&rx, &got);
	tx_frame(&tx, f.data, 200, 0, 0);
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, data, sizeof(data)), 200);
	model_read(*state, IXGBE_STATUS); /* the turn is over: it was flushed */
	file = fopen(path, "r");
	assert_int_equal(fread(head, 4, 6, file), 6);
	assert_int_equal(head[0], 0xa1b23c4d); /* nanoseconds */
	assert_int_equal(head[5], 1);          /* Ethernet */
	for (uint32_t len = 100; len <= 200; len += 100) {
		assert_int_equal(fread(head, 4, 4, file), 4);
		assert_true(head[1] < 1000000000);
		assert_int_equal(head[2], len);
		assert_int_equal(fread(data, 1, len, file), len);
		assert_memory_equal(data, f.data, 100);
	}
	fclose(file);
	unlink(path);
	assert_int_equal(model_stop(state), 0);
}

/* ---- Starts that fail ---- */

/* Runs ixnic with these arguments until it ends: its exit status, and what it said. */
static int run_ixnic(const char *const *args, char *said, size_t size)
{
	char socket_path[64];
	const char *argv[16] = {getenv("IXNIC"), "--socket", socket_path};
	int out[2], status;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	snprintf(socket_path, sizeof(socket_path), "/tmp/ixnic-why-%d", getpid());
	for (int i = 0; i < 12 && args[i]; i++)
		argv[i + 3] = args[i];
	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0 && argv[0]) {
		dup2(out[1], STDERR_FILENO);
		execv(argv[0], (char **)(uintptr_t)argv);
	}
	if (pid == 0)
		_exit(127);
	close(out[1]);
	while (have < size - 1 && (n = read(out[0], said + have, size - 1 - have)) > 0)
		have += (size_t)n;
	said[have] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void explains_what_is_wrong(void **state)
{
	static const struct {
		const char *args[5];
		const char *says;
		int status;
		bool tap;
	} cases[] = {
		{{"--wire", ""}, "--wire: '': no such kind", 2, false},
		{{"--wire", "tap"}, "no such kind", 2, false},
		{{"--wire", "tap:"}, "name is empty", 2, false},
		{{"--wire", "cable:"}, "path is empty", 2, false},
		{{"--wire", "seqpacket:"}, "path is empty", 2, false},
		{{"--wire", "radio:x"}, "no such kind", 2, false},
		{{"--wire", "tap:a-name-of-16-chr"}, "more than 15 bytes", 2, false},
		{{"--wire", "tap:a/b"}, "no interface's name may have", 2, false},
		{{"--wire", "tap:tap%d"}, "no interface's name may have", 2, false},
		{{"--wire", "tap:default"}, "is reserved", 2, false},
		{{"--wire", "tap:lo"}, "that is no", 1, true},
		{{"--wire", "tap:x", "--netns", "no-such-namespace"}, "make it with", 1, true},
		{{"--wire", "seqpacket:/nowhere/at/all"}, "directory", 1, false},
		{{"--wire", "cable:/dev/null"}, "no socket", 1, false},
		{{"--wire", "seqpacket:/tmp/ixnic-x", "--pcap", "/nowhere/at/all"},
		 "cannot write",
		 1,
		 false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char said[1024];

		if (cases[i].tap && !have_namespace)
			continue;
		assert_int_equal(run_ixnic(cases[i].args, said, sizeof(said)), cases[i].status);
		print_message("# %s", said);
		assert_non_null(strstr(said, cases[i].says));
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, tap_setup, model_stop)
		T(tap_carries_frames),
		T(tap_fills_in_checksums),
		T(tap_cuts_what_the_kernel_left_whole),
		T(tap_pads_a_short_last_piece),
		T(tap_merges_what_follows_each_other),
		T(tap_counts_what_a_closed_interface_loses),
		T(tap_takes_the_link_down_with_its_interface),
		T(tap_holds_what_the_rings_have_no_room_for),
		T(tap_carrier_follows_the_laser),
		T(tap_goes_with_the_program),
#undef T
		cmocka_unit_test(cable_joins_two),
		cmocka_unit_test(cable_loses_nothing),
		cmocka_unit_test(cable_does_not_wait_for_a_lock),
		cmocka_unit_test(socket_peers_come_and_go),
		cmocka_unit_test(captures_both_directions),
		cmocka_unit_test(explains_what_is_wrong),
	};
	int fd;

	/* a TAP's own traffic (IPv6) would be in the way */
	have_namespace = unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
	fd = have_namespace ? open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY) : -1;
	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			perror("disable_ipv6");
		close(fd);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
