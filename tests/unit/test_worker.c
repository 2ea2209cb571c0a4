/* SPDX-License-Identifier: MIT */
/* The worker between a real TAP and a NIC that the test plays; see worker_rig.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/frames/offload.h"
#include "worker_rig.h"

static atomic_uint yields;

/* In the place of libc's. */
int sched_yield(void)
{
	atomic_fetch_add(&yields, 1);
	return (int)syscall(SYS_sched_yield);
}

/* ---- Tests ---- */

static void exchange(struct rig *rig, uint32_t frames, uint32_t max)
{
	static uint8_t frame[PUPPET_FRAME_MAX];
	const uint32_t window = 40;

	for (uint32_t n = 0; n < frames + window; n++) {
		if (n < frames) {
			uint32_t len = frame_make(frame, n, frame_len(n, max));

			WAIT_FOR(puppet_rx_room(rig->puppet) > 8);
			puppet_receive(rig->puppet, frame, len, 0, 0);
			puppet_interrupt(rig->puppet);
			kernel_send(rig, frame, len);
		}
		if (n >= window) {
			uint32_t len = frame_make(frame, n - window, frame_len(n - window, max));

			kernel_expect(rig, frame, len);
			nic_expect(rig, frame, len);
		}
	}
	assert_int_equal(counters(rig).rx_delivered, frames);
	assert_int_equal(counters(rig).rx_received, frames);
	WAIT_FOR(counters(rig).tx_delivered >= frames);
}

static void both_directions(enum worker_poll poll_mode, uint16_t mtu)
{
	struct rig *rig = worker_rig_new(poll_mode, mtu);

	exchange(rig, 3000, mtu + 14u);
	worker_rig_free(rig);
}

static void frames_arrive_intact_adaptive(void **state)
{
	(void)state;
	both_directions(WORKER_POLL_ADAPTIVE, 1500);
}

static void frames_arrive_intact_interrupt(void **state)
{
	(void)state;
	both_directions(WORKER_POLL_INTERRUPT, 1500);
}

static void frames_arrive_intact_busy(void **state)
{
	(void)state;
	both_directions(WORKER_POLL_BUSY, 1500);
}

static void jumbo_frames_arrive_intact(void **state)
{
	(void)state;
	both_directions(WORKER_POLL_ADAPTIVE, 9710);
}

/* So that what it woke need not wait for the end of its time slice. */
static void busy_worker_gives_way(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_BUSY, 1500);
	unsigned int before = atomic_load(&yields);

	(void)state;
	WAIT_FOR(atomic_load(&yields) > before + 100);
	worker_rig_free(rig);
}

static void idle_worker_does_nothing(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	struct bridge_counters before;

	(void)state;
	exchange(rig, 100, 1514);
	/* The kernel's own frames (discovery) may come still: quiet is a while without any. */
	do {
		WAIT_FOR(worker_rig_idle(rig));
		before = counters(rig);
		poll(NULL, 0, 100);
	} while (counters(rig).tx_received != before.tx_received);
	assert_int_equal(counters(rig).turns, before.turns);
	worker_rig_free(rig);
}

/* How many reads of the TAP are in flight: theirs are the buffers that nobody else has. */
static uint32_t reads_armed(const struct rig *rig)
{
	uint32_t held = 0;

	for (enum worker_pool i = WORKER_POOL_TX; i <= WORKER_POOL_TX_LONG; i++)
		held += ixgbe_pool_count(rig->puppet->pool[i]) -
			ixgbe_pool_available(rig->puppet->pool[i]);
	return held - ixgbe_tx_in_flight(ixgbe_txq(rig->puppet->nic, 0));
}

/* A frame wakes all reads that are armed: after a flood there is one, or a poll and none. */
static void idle_worker_has_one_read_armed(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_INTERRUPT, 1500);
	uint8_t frame[60];

	(void)state;
	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t n = 0; n < 200; n++)
			kernel_send(rig, frame, frame_make(frame, n, sizeof(frame)));
		for (uint32_t n = 0; n < 200; n++)
			nic_expect(rig, frame, frame_make(frame, n, sizeof(frame)));
		WAIT_FOR(worker_rig_idle(rig) && reads_armed(rig) == worker_rig_no_nowait);
	}
	worker_rig_free(rig);
}

/* A TCP frame of `payload` bytes behind a vnet header that asks for segments of `mss`. */
static uint32_t tso_make(uint8_t *buf, uint32_t payload, uint16_t mss)
{
	uint8_t *frame = buf + 10, *ip = frame + 14, *tcp = ip + 20; /* a socket's header is 10 */
	uint32_t len = 54 + payload;
	struct offload_headers headers;

	memset(buf, 0, 10);
	buf[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	buf[VNET_GSO_TYPE] = VIRTIO_NET_HDR_GSO_TCPV4;
	offload_put_le16(buf + VNET_HDR_LEN, 54);
	offload_put_le16(buf + VNET_GSO_SIZE, mss);
	offload_put_le16(buf + VNET_CSUM_START, 34);
	offload_put_le16(buf + VNET_CSUM_OFFSET, 16);
	memset(frame, 0, 54);
	memset(frame, 0xff, 6);
	offload_put_be16(frame + 12, 0x0800);
	ip[0] = 0x45;
	offload_put_be16(ip + 2, (uint16_t)(len - 14));
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, (uint8_t[]){10, 1, 2, 3, 10, 1, 2, 4}, 8);
	tcp[12] = 5 << 4;
	for (uint32_t i = 0; i < payload; i++)
		tcp[20 + i] = (uint8_t)(i * 13);
	if (!offload_parse(frame, len, &headers))
		fail();
	offload_put_be16(tcp + 16, offload_pseudo_sum(frame, &headers, len - 34));
	return 10 + len;
}

static void tso_frame_reaches_the_nic_whole(void **state)
{
	static uint8_t buf[PUPPET_FRAME_MAX];
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	const uint32_t len = tso_make(buf, 65481, 1448) - 10; /* the most that is not cut */
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_IP),
				   .sll_ifindex = rig->tap.ifindex,
				   .sll_halen = 6};
	int on = 1;

	(void)state;
	assert_int_equal(setsockopt(rig->socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(sendto(rig->socket, buf, len + 10, 0, (struct sockaddr *)&addr,
					sizeof(addr)),
				 len + 10);
		do
			WAIT_FOR(puppet_transmit(rig->puppet, &rig->frame));
		while (rig->frame.len != len);
		assert_true(rig->frame.tso);
		assert_int_equal(rig->frame.popts, IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM);
		assert_int_equal(
			IXGBE_FIELD_GET(IXGBE_TXC_MSS, (uint32_t)(rig->frame.context[1] >> 32)),
			1448);
		assert_int_equal(
			IXGBE_FIELD_GET(IXGBE_TXC_L4LEN, (uint32_t)(rig->frame.context[1] >> 32)),
			20);
		assert_memory_equal(rig->frame.data + 54, buf + 64, len - 54);
	}
	assert_int_equal(counters(rig).tx_tso, 200);
	worker_rig_free(rig);
}

/* ---- Merged frames ---- */

#define FLOWS       3u
#define FLOW_FRAMES 40u
#define LAST_BYTES  777u

/* Where a flow's headers are: IPv4, IPv6, IPv4 behind a tag. */
static const struct flow {
	bool v6;
	uint32_t l3, l4;
} flows[FLOWS] = {{false, 14, 34}, {true, 14, 54}, {false, 18, 38}};

/* Frame `n` of a stream of FLOW_FRAMES, with its checksums; returns its length. */
static uint32_t stream_make(uint8_t *frame, uint32_t flow, uint32_t n)
{
	const uint32_t l3 = flows[flow].l3, l4 = flows[flow].l4;
	const bool last = n == FLOW_FRAMES - 1, v6 = flows[flow].v6;
	const uint32_t payload = last ? LAST_BYTES : 1400, l4_len = 20 + payload;
	const struct offload_headers headers = {
		.version = v6 ? 6 : 4, .protocol = IPPROTO_TCP, .l2_len = (uint8_t)l3};
	uint8_t *ip = frame + l3, *tcp = frame + l4;

	memset(frame, 0, l4 + 20);
	memcpy(frame, "\x02\0\0\0\0\x77\x02\0\0\0\0\x78\x81\0\0\x05", 16);
	offload_put_be16(ip - 2, v6 ? 0x86dd : 0x0800);
	ip[0] = v6 ? 0x60 : 0x45;
	if (v6) {
		offload_put_be16(ip + 4, (uint16_t)l4_len);
		memcpy(ip + 6, "\x06\x40\x20\x01\x0d\xb8", 6);
		memcpy(ip + 24, "\x20\x01\x0d\xb8", 4);
		ip[39] = 1;
	} else {
		offload_put_be16(ip + 2, (uint16_t)(20 + l4_len));
		offload_put_be16(ip + 4, (uint16_t)(0xfff0 + n)); /* runs over */
		memcpy(ip + 6, "\x40\0\x40\x06\0\0\xc0\0\2\1\xc0\0\2\2", 14);
		offload_put_be16(ip + 10, (uint16_t)~offload_sum(ip, 20));
	}
	offload_put_be16(tcp, (uint16_t)(1000 + flow));
	offload_put_be16(tcp + 2, 80);
	offload_put_be16(tcp + 6, (uint16_t)(n * 1400));
	memcpy(tcp + 12, last ? "\x50\x18\x01" : "\x50\x10\x01", 3);
	for (uint32_t i = 0; i < payload; i++)
		tcp[20 + i] = (uint8_t)(n * 31 + i);
	offload_put_be16(tcp + 16, offload_pseudo_sum(frame, &headers, l4_len));
	offload_put_be16(tcp + 16, (uint16_t)~offload_sum(tcp, l4_len));
	return l4 + l4_len;
}

/* Receives a frame as it was on the wire: the kernel takes the tag out. */
static uint32_t tagged_receive(int fd, uint8_t *frame, uint32_t size)
{
	struct iovec iov = {frame + 4, size - 4};
	union {
		struct cmsghdr header;
		uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct tpacket_auxdata aux = {0};
	ssize_t n;

	assert_int_equal(poll(&pfd, 1, DEADLINE_MS), 1);
	n = recvmsg(fd, &msg, 0);
	assert_true(n >= 14);
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID)) {
		memmove(frame, frame + 4, (size_t)n);
		return (uint32_t)n;
	}
	memmove(frame, frame + 4, 12);
	offload_put_be16(frame + 12, 0x8100);
	offload_put_be16(frame + 14, aux.tp_vlan_tci);
	return (uint32_t)n + 4;
}

/* A bridge takes a moment to let frames through, and swallows them until then. */
static void wait_for_bridge(struct rig *rig, int fd)
{
	static const uint8_t probe[60] = {2, [5] = 1, 2, [11] = 2, 0x88, 0xb6};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint64_t end = now_ms() + DEADLINE_MS;
	uint8_t got[2048];

	do {
		assert_true(now_ms() < end);
		puppet_receive(rig->puppet, probe, sizeof(probe), 0, 0);
		puppet_interrupt(rig->puppet);
		poll(&pfd, 1, 10);
	} while (recv(fd, got, sizeof(got), MSG_DONTWAIT) < 14 || memcmp(got, probe, 14) != 0);
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

/*
 * What the kernel makes of merged frames when they leave by an interface without any offload:
 *
 *     puppet ── worker ── TAP ── bridge ── veth ── veth ── packet socket
 */
static void forwarded_frames_are_those_that_came(void **state)
{
	static uint8_t frame[FLOWS][2048], got[2048];
	struct rig *rig = worker_rig_new(WORKER_POLL_INTERRUPT, 1500);
	uint32_t seen[FLOWS] = {0}, total = 0;
	struct bridge_counters before;
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1, size = 8 << 20;

	(void)state;
	run("ip link add data-br0 type bridge && ip link set data-br0 up &&"
	    "ip link add data-v0 type veth peer name data-v1 &&"
	    "ip link set data-v0 master data-br0 && ip link set " NAME " master data-br0 &&"
	    "ip link set data-v0 up && ip link set data-v1 up &&"
	    "ethtool -K data-v0 tso off gso off tx off sg off >/dev/null &&"
	    "ethtool -K data-br0 tso off gso off tx off sg off >/dev/null");
	addr.sll_ifindex = (int)if_nametoindex("data-v1");
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);

	wait_for_bridge(rig, fd);
	WAIT_FOR(worker_rig_idle(rig));
	before = counters(rig);
	puppet_hold(rig->puppet);
	for (uint32_t n = 0; n < FLOW_FRAMES; n++)
		for (uint32_t flow = 0; flow < FLOWS; flow++) {
			uint32_t len = stream_make(frame[flow], flow, n);

			puppet_receive(rig->puppet, frame[flow], len,
				       IXGBE_RXD_TYPE_TCP | (flows[flow].v6 ? IXGBE_RXD_TYPE_IPV6
									    : IXGBE_RXD_TYPE_IPV4),
				       IXGBE_RXD_STAT_L4I |
					       (flows[flow].v6 ? 0 : IXGBE_RXD_STAT_IPCS));
		}
	puppet_release(rig->puppet);
	puppet_interrupt(rig->puppet);

	while (total < FLOWS * FLOW_FRAMES) {
		uint32_t len = tagged_receive(fd, got, sizeof(got)), flow = 0, expected;

		while (flow < FLOWS && memcmp(got, frame[flow], flows[flow].l3) != 0)
			flow++;
		if (flow == FLOWS)
			continue; /* the kernel's own talk */
		expected = stream_make(frame[flow], flow, seen[flow]++);
		assert_int_equal(len, expected);
		assert_memory_equal(got, frame[flow], len);
		total++;
	}
	WAIT_FOR(counters(rig).rx_delivered - before.rx_delivered == total);
	/* A burst, or two. */
	assert_true(counters(rig).rx_coalesced >= total - 2 * FLOWS);
	close(fd);
	run("ip link del data-v0 && ip link del data-br0");
	worker_rig_free(rig);
}

static void merged_frames_for_an_interface_that_is_down_are_counted(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_INTERRUPT, 1500);
	static uint8_t frame[2048];

	(void)state;
	interface_set(false, 0);
	WAIT_FOR(worker_rig_idle(rig));
	for (uint32_t n = 0; n < FLOW_FRAMES; n++)
		puppet_receive(rig->puppet, frame, stream_make(frame, 0, n),
			       IXGBE_RXD_TYPE_TCP | IXGBE_RXD_TYPE_IPV4,
			       IXGBE_RXD_STAT_L4I | IXGBE_RXD_STAT_IPCS);
	puppet_interrupt(rig->puppet);
	WAIT_FOR(counters(rig).rx_drop_tap_down == FLOW_FRAMES);
	assert_true(counters(rig).rx_coalesced > 0);
	worker_rig_free(rig);
}

/* ---- A NIC that writes wherever it can ---- */

#define HOSTILE_FRAMES 3000u

/* Writes a vnet header that asks for a checksum in front of every buffer of the pools and of the
 * receive ring, and where one could stand behind a buffer's beginning: in the middle of the
 * frames. */
struct hostile {
	struct rig *rig;
	ixgbe_iova rx[RING];
	atomic_bool stop;
	atomic_uint rounds;
	pthread_t thread;
};

static const uint8_t hostile_vnet[TAP_VNET_HDR_BYTES] = {
	[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM, [VNET_CSUM_START] = 40, [VNET_CSUM_OFFSET] = 6};

static void hostile_write(const struct hostile *hostile, ixgbe_iova iova)
{
	uint8_t *at = fake_dma_at(hostile->rig->puppet->fake, iova, TAP_VNET_HDR_BYTES);

	if (at)
		memcpy(at, hostile_vnet, sizeof(hostile_vnet));
}

static void *hostile_main(void *arg)
{
	struct hostile *hostile = arg;
	struct ixgbe_pool *tx_pool = hostile->rig->puppet->pool[WORKER_POOL_TX];

	while (!atomic_load(&hostile->stop)) {
		for (uint32_t i = 0; i < RING - 1; i++)
			hostile_write(hostile, hostile->rx[i] - TAP_VNET_HDR_BYTES);
		for (uint32_t i = 0; i < ixgbe_pool_count(tx_pool); i++) {
			const struct ixgbe_buf *buf = ixgbe_pool_at(tx_pool, i);

			hostile_write(hostile, buf->iova - TAP_VNET_HDR_BYTES);
			hostile_write(hostile, buf->iova + 64 - TAP_VNET_HDR_BYTES);
		}
		atomic_fetch_add(&hostile->rounds, 1);
	}
	return NULL;
}

static void hostile_start(struct hostile *hostile, struct rig *rig)
{
	*hostile = (struct hostile){.rig = rig};
	/* Nothing was received yet: the descriptors are as the driver wrote them. */
	assert_int_equal(rig->puppet->rdh, 0);
	for (uint32_t i = 0; i < RING - 1; i++)
		hostile->rx[i] = rig->puppet->rx[i].qword[0];
	assert_int_equal(pthread_create(&hostile->thread, NULL, hostile_main, hostile), 0);
	WAIT_FOR(atomic_load(&hostile->rounds) > 0);
}

static void hostile_end(struct hostile *hostile)
{
	atomic_store(&hostile->stop, true);
	pthread_join(hostile->thread, NULL);
}

/* The kernel gets our vnet header with each frame. It asks for nothing: no checksum is filled on
 * the frame's way to a program. */
static void a_vnet_header_of_the_nic_does_not_reach_the_kernel(void **state)
{
	static uint8_t frame[2048], got[2048];
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	uint32_t wrong = 0;
	struct hostile hostile;
	int on = 1;

	(void)state;
	assert_int_equal(setsockopt(rig->socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	hostile_start(&hostile, rig);
	for (uint32_t n = 0; n < HOSTILE_FRAMES; n++) {
		struct pollfd pfd = {.fd = rig->socket, .events = POLLIN};
		const uint32_t len = frame_make(frame, n, frame_len(n, 1514));

		puppet_receive(rig->puppet, frame, len, 0, 0);
		puppet_interrupt(rig->puppet);
		assert_int_equal(poll(&pfd, 1, DEADLINE_MS), 1);
		assert_int_equal(recv(rig->socket, got, sizeof(got), 0), 10 + len);
		wrong += (got[VNET_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	}
	hostile_end(&hostile);
	assert_int_equal(wrong, 0);
	worker_rig_free(rig);
}

/* The other way: between the kernel's read and our look at the header. */
static void a_vnet_header_of_the_nic_is_not_taken_for_the_kernels(void **state)
{
	static uint8_t frame[2048];
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	struct bridge_counters c;
	struct hostile hostile;

	(void)state;
	hostile_start(&hostile, rig);
	for (uint32_t n = 0; n < HOSTILE_FRAMES; n++) {
		kernel_send(rig, frame, frame_make(frame, n, frame_len(n, 1514)));
		if (n % 64 == 63) {
			WAIT_FOR(counters(rig).tx_received > n);
			puppet_transmit_all(rig->puppet);
		}
	}
	WAIT_FOR(counters(rig).tx_received >= HOSTILE_FRAMES);
	hostile_end(&hostile);
	puppet_transmit_all(rig->puppet);
	c = counters(rig);
	assert_int_equal(c.tx_csum_software, 0);
	assert_int_equal(c.tx_csum_offload, 0);
	assert_int_equal(c.tx_drop_bad_vnet_header, 0);
	worker_rig_free(rig);
}

static void full_ring_holds_the_kernel_back(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	struct bridge_counters c;
	uint8_t frame[60];
	uint32_t sent = 700, got = 0;
	uint64_t turns;

	(void)state;
	/* More than the worker has buffers for (320), less than these and the kernel's queue (500).
	 */
	for (uint32_t n = 0; n < sent; n++) {
		frame_make(frame, n, sizeof(frame));
		kernel_send(rig, frame, sizeof(frame));
	}
	WAIT_FOR(counters(rig).tx_ring_full > 0 && worker_rig_idle(rig));
	c = counters(rig);
	assert_true(c.tx_received < sent);
	turns = c.turns;
	poll(NULL, 0, 50);
	assert_true(worker_rig_idle(rig)); /* it waits, it does not spin */
	assert_int_equal(counters(rig).turns, turns);

	/* The NIC goes on: everything comes, in order. */
	for (; got < sent; got++) {
		frame_make(frame, got, sizeof(frame));
		nic_expect(rig, frame, sizeof(frame));
	}
	worker_rig_free(rig);
}

static void stop_under_load_loses_no_buffer(void **state)
{
	static uint8_t frame[9724];

	(void)state;
	for (int round = 0; round < 10; round++) {
		struct rig *rig = worker_rig_new((enum worker_poll)(round % 3), 9710);

		for (uint32_t n = 0; n < 400; n++) {
			uint32_t len = frame_make(frame, n, frame_len(n, 9724));

			if (puppet_rx_room(rig->puppet) > 8)
				puppet_receive(rig->puppet, frame, len, 0, 0);
			send(rig->socket, frame, len, MSG_DONTWAIT);
			if (n % 3 == 0)
				puppet_interrupt(rig->puppet);
			if (n % 8 == (uint32_t)round % 4)
				puppet_transmit_all(rig->puppet);
		}
		worker_rig_free(rig);
	}
}

static void frames_for_an_interface_that_is_down_are_counted(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	uint8_t frame[60];

	(void)state;
	interface_set(false, 0);
	for (uint32_t n = 0; n < 100; n++) {
		frame_make(frame, n, sizeof(frame));
		puppet_receive(rig->puppet, frame, sizeof(frame), 0, 0);
	}
	puppet_interrupt(rig->puppet);
	WAIT_FOR(counters(rig).rx_drop_tap_down == 100);
	interface_set(true, 0);
	puppet_receive(rig->puppet, frame, sizeof(frame), 0, 0);
	puppet_interrupt(rig->puppet);
	WAIT_FOR(counters(rig).rx_delivered == 1);
	worker_rig_free(rig);
}

static void runts_and_bad_checksums_are_counted(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	uint8_t frame[60];

	(void)state;
	frame_make(frame, 0, sizeof(frame));
	puppet_receive(rig->puppet, frame, 13, 0, 0);
	puppet_receive(rig->puppet, frame, sizeof(frame), IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP,
		       IXGBE_RXD_STAT_L4I | IXGBE_RXD_ERR_L4E);
	puppet_interrupt(rig->puppet);
	kernel_expect(rig, frame, sizeof(frame)); /* bad or not is for the kernel to judge */
	WAIT_FOR(counters(rig).rx_drop_runt == 1 && counters(rig).rx_delivered == 1);
	assert_int_equal(counters(rig).rx_csum_bad, 1);
	worker_rig_free(rig);
}

static void frames_over_the_mtu_of_the_nic_are_counted(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	static uint8_t frame[4014];

	(void)state;
	interface_set(true, 4000);
	frame_make(frame, 1, sizeof(frame));
	kernel_send(rig, frame, sizeof(frame));
	WAIT_FOR(counters(rig).tx_drop_oversize == 1);
	frame_make(frame, 2, 1514);
	kernel_send(rig, frame, 1514);
	nic_expect(rig, frame, 1514);
	worker_rig_free(rig);
}

static void frames_without_a_link_are_dropped_not_kept(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	uint8_t frame[60];

	(void)state;
	/* Blocked on a NIC that does not send, as it does without a link ... */
	for (uint32_t n = 0; n < 700; n++) {
		frame_make(frame, n, sizeof(frame));
		kernel_send(rig, frame, sizeof(frame));
	}
	WAIT_FOR(worker_rig_idle(rig));
	/* ... until it hears why. */
	worker_link_set(rig->worker, false);
	WAIT_FOR(counters(rig).tx_drop_link_down > 0 ||
		 ixgbe_pool_available(rig->puppet->pool[WORKER_POOL_TX]) == 0);
	worker_link_set(rig->worker, true);
	puppet_transmit_all(rig->puppet);
	worker_rig_free(rig);
}

static void deleted_tap_does_not_spin(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	struct bridge_counters before;
	uint8_t frame[60];

	(void)state;
	WAIT_FOR(worker_rig_idle(rig));
	assert_int_equal(system("ip link del " NAME), 0);
	do {
		WAIT_FOR(worker_rig_idle(rig));
		before = counters(rig);
		poll(NULL, 0, 50);
	} while (counters(rig).wakeups != before.wakeups);
	frame_make(frame, 0, sizeof(frame));
	puppet_receive(rig->puppet, frame, sizeof(frame), 0, 0);
	puppet_interrupt(rig->puppet);
	WAIT_FOR(counters(rig).rx_drop_tap_down == 1);
	worker_rig_free(rig);
}

static void blocking_tap_is_refused(void **state)
{
	static struct worker_board board;
	struct worker_config config = {.cpu = -1, .tap_fd = STDIN_FILENO, .board = &board};
	struct puppet *puppet = puppet_new(RING, 1500);
	struct worker *worker = NULL;
	struct ixgbe_why why = {""};
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	config.nic = puppet->nic;
	config.tap_fd = fd[0];
	assert_int_equal(worker_start(&config, &worker, &why), -EINVAL);
	assert_null(worker);
	assert_non_null(strstr(why.text, "non-blocking"));
	close(fd[0]);
	close(fd[1]);
	puppet_free(puppet);
	worker_stop(NULL);
}

#define TEST(function) cmocka_unit_test_teardown(function, worker_rig_clean_up)

/* With the argument "no-nowait" as on a kernel whose TAP does not know RWF_NOWAIT. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_arrive_intact_adaptive),
		TEST(frames_arrive_intact_interrupt),
		TEST(frames_arrive_intact_busy),
		TEST(jumbo_frames_arrive_intact),
		TEST(busy_worker_gives_way),
		TEST(idle_worker_does_nothing),
		TEST(idle_worker_has_one_read_armed),
		TEST(tso_frame_reaches_the_nic_whole),
		TEST(forwarded_frames_are_those_that_came),
		TEST(merged_frames_for_an_interface_that_is_down_are_counted),
		TEST(a_vnet_header_of_the_nic_does_not_reach_the_kernel),
		TEST(a_vnet_header_of_the_nic_is_not_taken_for_the_kernels),
		TEST(full_ring_holds_the_kernel_back),
		TEST(stop_under_load_loses_no_buffer),
		TEST(frames_for_an_interface_that_is_down_are_counted),
		TEST(runts_and_bad_checksums_are_counted),
		TEST(frames_over_the_mtu_of_the_nic_are_counted),
		TEST(frames_without_a_link_are_dropped_not_kept),
		TEST(deleted_tap_does_not_spin),
		TEST(blocking_tap_is_refused),
	};

	if (!worker_rig_possible())
		return 0; /* meson's TAP wants no 77 */
	worker_rig_no_nowait = argc > 1 && strcmp(argv[1], "no-nowait") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
