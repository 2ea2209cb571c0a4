/* SPDX-License-Identifier: MIT */
/*
 * What the bridge's data path costs per frame, against the bare TAP.
 *
 * The same frames go over the same TAP, in a network namespace of its own, in rounds that
 * take turns, so that what disturbs the machine disturbs all alike:
 *
 *     to the kernel     write(), io_uring writes in batches, the data path
 *     from the kernel   read(), io_uring reads in batches, the data path
 *
 * The data path is the worker's: the turns of bridge/frames/datapath.c over the real driver, on
 * this thread. The NIC costs nothing: it fills the receive ring and reports what was sent every few
 * turns, with the clock standing still.
 *
 * The kernel's side: frames from the kernel are put into the TAP's queue by a packet
 * socket before the clock starts. Frames to the kernel are TCP for another MAC address, which
 * the kernel drops as early as it can: what is measured is the TAP, not the network stack.
 *
 * Merging has a table of its own: frames of 1,514 bytes of N TCP flows that take turns, with
 * merging and without.
 *
 * The time is this thread's (CLOCK_THREAD_CPUTIME_ID), per round; the median of the rounds
 * is printed, and the range of their middle half. A ratio is taken within each round, to io_uring
 * and to the cheaper bare variant, and the median of the ratios is printed: what slows a round
 * slows all of it.
 *
 *     bench_tap [--json FILE] [--rounds N]
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bridge/frames/datapath.h"
#include "bridge/frames/offload.h"
#include "bridge/frames/tap.h"
#include "tests/unit/ipv6_off.h"
#include "tests/unit/puppet_nic.h"

#define NAME      "data-bench0"
#define ETHERTYPE 0x88b5u
#define RING      512u
#define ROUND     2048u /* frames */
#define BATCH     64u
/* The GSO frame as it comes over the wire. */
#define GSO_WIRE_FRAMES 45u
#define GSO_WIRE_BYTES  (54 + 1448)
#define ROUNDS_MAX      1000u
#define READ_BYTES      (TAP_VNET_HDR_BYTES + TAP_FRAME_MAX + 1)
#define QUEUE_BYTES     (64 << 20)

static const struct kind {
	const char *name;
	uint32_t bytes;
	uint32_t frames; /* of a round */
	uint32_t turns;  /* of the bridge between two turns of the NIC */
	bool gso;
} kinds[] = {
	{"60", 60, ROUND, 4, false},
	{"1514", 1514, ROUND, 4, false},
	{"64K GSO", 54 + 65160, 64, 1, true},
};

enum direction { TO_KERNEL, FROM_KERNEL, DIRECTIONS };
static const char *const direction_name[] = {"to the kernel", "from the kernel"};

enum variant { SYSCALL, URING, BRIDGE, BRIDGE_NO_NOWAIT, VARIANTS };
static const char *const variant_name[DIRECTIONS][VARIANTS] = {
	{"write()", "io_uring", "bridge", "bridge"},
	{"read()", "io_uring", "bridge", "bridge"},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Flows that take turns. A round is long enough to learn whether merging gains anything. */
static const uint32_t merges[] = {1, 8, 9, 32, 64, 1000, 10000};
#define MERGES       (sizeof(merges) / sizeof(merges[0]))
#define MERGE_FRAMES 16384u
#define FLOWS_MAX    10000u

static struct bench {
	struct puppet *puppet;
	struct tap tap;
	int packet;
	struct sockaddr_ll to;
	struct datapath path[2]; /* the second as if the TAP did not know RWF_NOWAIT */
	struct io_uring uring;
	uint8_t frame[10 + PUPPET_FRAME_MAX]; /* a packet socket's vnet header is 10 bytes */
	uint8_t *buf[BATCH];                  /* of the bare variants, vnet header first */
	double ns[KINDS][DIRECTIONS][VARIANTS][ROUNDS_MAX];
	double merge_ns[MERGES][2][ROUNDS_MAX]; /* without and with merging */
	struct {
		uint32_t seq;
		uint16_t id;
	} flow[FLOWS_MAX];
} b;

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_tap: %s: %s\n", what, strerror(err));
	exit(1);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- Set-up ---- */

static void interface_up(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {.ifr_name = NAME, .ifr_qlen = 4096};

	if (ioctl(fd, SIOCSIFTXQLEN, &ifr) < 0)
		die("queue length", errno);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		die("interface", errno);
	ifr.ifr_flags |= IFF_UP | IFF_NOARP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		die("interface up", errno);
	close(fd);
}

static void packet_open(void)
{
	int on = 1, size = QUEUE_BYTES;

	b.packet = socket(AF_PACKET, SOCK_RAW, 0); /* receives nothing */
	b.to = (struct sockaddr_ll){
		.sll_family = AF_PACKET, .sll_ifindex = b.tap.ifindex, .sll_halen = 6};
	if (b.packet < 0 ||
	    setsockopt(b.packet, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(b.packet, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(b.packet, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		die("packet socket", errno);
}

static void set_up(void)
{
	static struct worker_board board[2];
	struct worker_config config = {0};
	struct ixgbe_why why = {""};
	int err = 0;

	if (unshare(CLONE_NEWNET) < 0)
		die("a network namespace", errno);
	ipv6_off();
	b.puppet = puppet_new(RING, 1500);
	if (tap_open(&b.tap, NAME, 1, false, &why) || tap_carrier_set(&b.tap, true)) {
		fprintf(stderr, "bench_tap: %s\n", why.text);
		exit(1);
	}
	interface_up();
	packet_open();
	config.nic = b.puppet->nic;
	config.tap_fd = b.tap.fd[0];
	config.pool = b.puppet->pool;
	config.coalesce = true;
	for (uint32_t i = 0; i < 2 && !err; i++) {
		config.no_nowait = i == 1;
		config.board = &board[i];
		err = datapath_init(&b.path[i], &config, b.tap.fd[0], &why);
		if (!err)
			err = uring_enable(&b.path[i].ring);
	}
	if (!err)
		err = uring_init(&b.uring, 2 * BATCH, b.tap.fd, 1, &why);
	if (!err)
		err = uring_enable(&b.uring);
	if (err)
		die(why.text, -err);
	for (uint32_t i = 0; i < BATCH; i++)
		b.buf[i] = aligned_alloc(64, (READ_BYTES + 63) & ~63u);
}

/* ---- Frames ---- */

/* A TCP frame for somebody else (so that the kernel drops it early), at b.frame + 10, behind
 * the vnet header of a packet socket. */
static void frame_make(const struct kind *kind)
{
	uint8_t *vnet = b.frame, *frame = b.frame + 10, *ip = frame + 14, *tcp = ip + 20;
	struct offload_headers headers;

	memset(b.frame, 0, 10 + 54);
	memcpy(frame, "\x02\0\0\0\0\x99\x02\0\0\0\0\x01\x08", 13);
	ip[0] = 0x45;
	offload_put_be16(ip + 2, (uint16_t)(kind->bytes - 14));
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
	memset(frame + 54, 0x5a, kind->bytes - 54);
	b.to.sll_protocol = htons(ETH_P_IP);
	if (!kind->gso)
		return;
	vnet[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet[VNET_GSO_TYPE] = VIRTIO_NET_HDR_GSO_TCPV4;
	offload_put_le16(vnet + VNET_HDR_LEN, 54);
	offload_put_le16(vnet + VNET_GSO_SIZE, 1448);
	offload_put_le16(vnet + VNET_CSUM_START, 34);
	offload_put_le16(vnet + VNET_CSUM_OFFSET, 16);
	if (!offload_parse(frame, kind->bytes, &headers))
		die("a frame of its own", EINVAL);
	offload_put_be16(tcp + 16, offload_pseudo_sum(frame, &headers, kind->bytes - 34));
}

static void kernel_fill(const struct kind *kind)
{
	for (uint32_t i = 0; i < kind->frames; i++)
		while (sendto(b.packet, b.frame, 10 + kind->bytes, 0, (struct sockaddr *)&b.to,
			      sizeof(b.to)) < 0) {
			if (errno != ENOBUFS && errno != ENETDOWN)
				die("send", errno);
			poll(NULL, 0, 1);
		}
}

/* ---- The variants: nanoseconds for a round ---- */

static uint64_t write_syscall(const struct kind *kind)
{
	uint64_t start = cpu_ns();

	for (uint32_t i = 0; i < kind->frames; i++)
		if (write(b.tap.fd[0], b.buf[i % BATCH], TAP_VNET_HDR_BYTES + kind->bytes) < 0)
			die("write", errno);
	return cpu_ns() - start;
}

static uint64_t read_syscall(const struct kind *kind)
{
	uint64_t start = cpu_ns();

	for (uint32_t i = 0; i < kind->frames; i++)
		if (read(b.tap.fd[0], b.buf[i % BATCH], READ_BYTES) !=
		    (ssize_t)(TAP_VNET_HDR_BYTES + kind->bytes))
			die("read", errno);
	return cpu_ns() - start;
}

static uint64_t uring(const struct kind *kind, enum direction direction)
{
	const uint32_t bytes = TAP_VNET_HDR_BYTES + kind->bytes;
	uint64_t start = cpu_ns();

	for (uint32_t done = 0; done < kind->frames;) {
		uint32_t n = kind->frames - done < BATCH ? kind->frames - done : BATCH;
		struct io_uring_cqe *cqe;
		unsigned int head;

		for (uint32_t i = 0; i < n; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&b.uring);

			if (direction == TO_KERNEL)
				io_uring_prep_write(sqe, 0, b.buf[i], bytes, 0);
			else
				io_uring_prep_read(sqe, 0, b.buf[i], READ_BYTES, 0);
			sqe->rw_flags = b.path[0].rw_flags;
			io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
		}
		io_uring_submit_and_wait(&b.uring, n);
		io_uring_for_each_cqe(&b.uring, head, cqe) if (cqe->res != (int)bytes)
			die("io_uring", -cqe->res);
		io_uring_cq_advance(&b.uring, n);
		done += n;
	}
	return cpu_ns() - start;
}

/* Makes what is at b.frame + 10 the wire frame number `n` of the GSO frame, counted from its end.
 */
static void gso_cut(uint32_t n)
{
	uint8_t *ip = b.frame + 10 + 14, *tcp = ip + 20;
	uint32_t i = GSO_WIRE_FRAMES - 1 - n % GSO_WIRE_FRAMES;

	offload_put_be16(ip + 2, GSO_WIRE_BYTES - 14);
	offload_put_be16(ip + 4, (uint16_t)i);
	offload_put_be16(tcp + 6, (uint16_t)(i * (GSO_WIRE_BYTES - 54)));
	tcp[13] = i == GSO_WIRE_FRAMES - 1 ? 0x18 : 0x10;
}

/*
 * Puts up to `left` wire frames into the receive ring, which is half full then. Of the small
 * kinds all are the same frame: coalescing looks at each and merges none. Those of a GSO frame
 * are as a sender with segmentation offload sends them.
 */
static uint32_t nic_fill(const struct kind *kind, uint32_t left)
{
	uint32_t n = 0;

	for (; n < left && puppet_rx_room(b.puppet) > RING / 2; n++) {
		if (kind->gso)
			gso_cut(left - n - 1);
		puppet_receive(b.puppet, b.frame + 10, kind->gso ? GSO_WIRE_BYTES : kind->bytes,
			       IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP,
			       IXGBE_RXD_STAT_L4I | IXGBE_RXD_STAT_IPCS);
	}
	return n;
}

static uint64_t bridge(const struct kind *kind, enum direction direction, struct datapath *path)
{
	const uint64_t *counter = direction == TO_KERNEL ? &path->counters->rx_delivered
							 : &path->counters->tx_received;
	uint32_t left = direction == FROM_KERNEL ? 0
			: kind->gso              ? kind->frames * GSO_WIRE_FRAMES
						 : kind->frames;
	uint64_t target = *counter + (direction == FROM_KERNEL ? kind->frames : left), ns = 0;

	path->coalesce.gain = (struct coalesce_gain){0}; /* learned from another kind */
	while (*counter < target) {
		uint64_t start;

		left -= nic_fill(kind, left);
		start = cpu_ns();
		for (uint32_t i = 0; i < kind->turns && *counter < target; i++)
			datapath_turn(path);
		ns += cpu_ns() - start;
		puppet_transmit_all(b.puppet);
	}
	datapath_finish(path, true); /* the other variants' frames are not for a read that waits */
	return ns;
}

static uint64_t run(const struct kind *kind, enum direction direction, enum variant variant)
{
	frame_make(kind);
	for (uint32_t i = 0; i < BATCH; i++) {
		memcpy(b.buf[i], b.frame, 10);
		memset(b.buf[i] + 10, 0, 2);
		memcpy(b.buf[i] + TAP_VNET_HDR_BYTES, b.frame + 10, kind->bytes);
	}
	if (direction == FROM_KERNEL)
		kernel_fill(kind);
	if (variant >= BRIDGE)
		return bridge(kind, direction, &b.path[variant - BRIDGE]);
	if (variant == URING)
		return uring(kind, direction);
	return direction == TO_KERNEL ? write_syscall(kind) : read_syscall(kind);
}

/* The next frame of a flow, in order. */
static void flow_receive(uint32_t flow)
{
	uint8_t *ip = b.frame + 10 + 14, *tcp = ip + 20;

	offload_put_be16(ip + 4, b.flow[flow].id++);
	offload_put_be16(tcp, (uint16_t)flow);
	offload_put_be16(tcp + 4, (uint16_t)(b.flow[flow].seq >> 16));
	offload_put_be16(tcp + 6, (uint16_t)b.flow[flow].seq);
	b.flow[flow].seq += 1514 - 54;
	puppet_receive(b.puppet, b.frame + 10, 1514, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP,
		       IXGBE_RXD_STAT_L4I | IXGBE_RXD_STAT_IPCS);
}

static uint64_t merge(uint32_t flows, bool on)
{
	struct datapath *path = &b.path[0];
	const uint64_t *counter = &path->counters->rx_delivered;
	const uint64_t target = *counter + MERGE_FRAMES;
	uint64_t ns = 0;

	frame_make(&kinds[1]);
	path->coalesce.gain = (struct coalesce_gain){0};
	atomic_store_explicit(&path->coalesce_on, on, memory_order_relaxed);
	for (uint32_t done = 0; *counter < target;) {
		uint64_t start;

		for (; done < MERGE_FRAMES && puppet_rx_room(b.puppet) > RING / 2; done++)
			flow_receive(done % flows);
		start = cpu_ns();
		for (uint32_t i = 0; i < 2 && *counter < target; i++)
			datapath_turn(path);
		ns += cpu_ns() - start;
	}
	atomic_store_explicit(&path->coalesce_on, true, memory_order_relaxed);
	datapath_finish(path, true);
	return ns;
}

/* ---- Results ---- */

static int compare(const void *a, const void *c)
{
	double x = *(const double *)a, y = *(const double *)c;

	return (x > y) - (x < y);
}

/* The median of what the bridge takes, to what io_uring or the cheaper bare variant takes in the
 * same round, and the range of the middle half. */
struct ratio {
	double low, median, high;
};

static struct ratio ratio_of(double ns[VARIANTS][ROUNDS_MAX], enum variant of_bridge, bool to_best,
			     unsigned int rounds)
{
	static double each[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++) {
		double bare = ns[URING][i];

		if (to_best && ns[SYSCALL][i] < bare)
			bare = ns[SYSCALL][i];
		each[i] = ns[of_bridge][i] / bare;
	}
	qsort(each, rounds, sizeof(*each), compare);
	return (struct ratio){each[rounds / 4], each[rounds / 2], each[rounds * 3 / 4]};
}

static json_t *ratio_json(struct ratio ratio)
{
	return json_pack("{s:f,s:f,s:f}", "low", ratio.low, "median", ratio.median, "high",
			 ratio.high);
}

static json_t *print_row(const struct kind *kind, enum direction direction, enum variant of_bridge,
			 unsigned int rounds)
{
	double(*all)[ROUNDS_MAX] = b.ns[kind - kinds][direction];
	const struct ratio uring = ratio_of(all, of_bridge, false, rounds);
	const struct ratio best = ratio_of(all, of_bridge, true, rounds);
	double median[VARIANTS];
	json_t *row = json_object();

	printf("%-16s %8s ", direction_name[direction], kind->name);
	json_object_set_new(row, "direction", json_string(direction_name[direction]));
	json_object_set_new(row, "frame_bytes", json_integer(kind->bytes));
	json_object_set_new(row, "nowait", json_boolean(of_bridge == BRIDGE));
	for (enum variant v = 0; v < VARIANTS; v++) {
		static double ns[ROUNDS_MAX]; /* the rounds keep their order */

		memcpy(ns, all[v], rounds * sizeof(*ns));
		qsort(ns, rounds, sizeof(*ns), compare);
		median[v] = ns[rounds / 2];
		if (v >= BRIDGE && v != of_bridge)
			continue;
		printf(" %8.0f (%.0f-%.0f)%*s", median[v], ns[rounds / 4], ns[rounds * 3 / 4],
		       8 - snprintf(NULL, 0, "%.0f-%.0f", ns[rounds / 4], ns[rounds * 3 / 4]) + 3,
		       "");
		json_object_set_new(row, variant_name[direction][v], json_real(median[v]));
	}
	printf(" %5.2f %5.2f\n", uring.median, best.median);
	json_object_set_new(row, "ratio_to_io_uring", ratio_json(uring));
	json_object_set_new(row, "ratio_to_best", ratio_json(best));
	return row;
}

static json_t *print_merge(size_t index, unsigned int rounds)
{
	double median[2];
	json_t *row;

	for (uint32_t on = 0; on < 2; on++) {
		double *ns = b.merge_ns[index][on];

		qsort(ns, rounds, sizeof(*ns), compare);
		median[on] = ns[rounds / 2];
	}
	printf("%16u %16.0f %16.0f %12.2f\n", merges[index], median[0], median[1],
	       median[1] / median[0]);
	row = json_pack("{s:i,s:f,s:f,s:f}", "flows", (int)merges[index], "alone_ns", median[0],
			"merged_ns", median[1], "ratio", median[1] / median[0]);
	return row;
}

struct args {
	const char *json;
	unsigned int rounds;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	if (key == 'j')
		args->json = arg;
	else if (key == 'r')
		args->rounds = (unsigned int)strtoul(arg, NULL, 10);
	else
		return ARGP_ERR_UNKNOWN;
	if (args->rounds == 0 || args->rounds > ROUNDS_MAX)
		argp_error(state, "rounds: 1 to %u", ROUNDS_MAX);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"json", 'j', "FILE", 0, "Write the results there too", 0},
		{"rounds", 'r', "N", 0, "Rounds of each measurement (100)", 0},
		{0},
	};
	const struct argp argp = {.options = options,
				  .parser = parse,
				  .doc = "What the bridge costs per frame, against the bare TAP."};
	struct args args = {.rounds = 100};
	json_t *rows = json_array();

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	set_up();
	for (unsigned int round = 0; round < args.rounds; round++)
		for (size_t k = 0; k < KINDS; k++)
			for (enum direction d = 0; d < DIRECTIONS; d++)
				for (enum variant v = 0; v < VARIANTS; v++)
					b.ns[k][d][v][round] =
						(double)run(&kinds[k], d, v) / kinds[k].frames;

	for (unsigned int round = 0; round < args.rounds; round++)
		for (size_t m = 0; m < MERGES; m++)
			for (uint32_t on = 0; on < 2; on++)
				b.merge_ns[m][on][round] =
					(double)merge(merges[m], on) / MERGE_FRAMES;

	printf("Nanoseconds of processor time per frame: median (middle half) of %u rounds\n\n"
	       "%-16s %8s  %8s %10s  %8s %10s  %8s %10s  uring  best\n",
	       args.rounds, "", "frame", "syscall", "", "io_uring", "", "bridge", "");
	for (enum variant v = BRIDGE; v < VARIANTS; v++) {
		if (v == BRIDGE_NO_NOWAIT)
			printf("\nThe bridge on a TAP that does not know RWF_NOWAIT (Linux 6.1):\n");
		for (enum direction d = 0; d < DIRECTIONS; d++)
			for (size_t k = 0; k < KINDS; k++)
				json_array_append_new(rows,
						      print_row(&kinds[k], d, v, args.rounds));
	}
	printf("\nuring, best: the bridge to io_uring, and to the cheaper of the two bare variants. The\n"
	       "64K frame comes from the NIC as 45 wire frames.\n");
	printf("\nFrames of 1,514 bytes to the kernel, of TCP flows that take turns:\n\n"
	       "%16s %16s %16s %12s\n",
	       "flows", "alone", "merged", "ratio");
	for (size_t m = 0; m < MERGES; m++)
		json_array_append_new(rows, print_merge(m, args.rounds));
	if (args.json && json_dump_file(rows, args.json, JSON_INDENT(2)) < 0)
		die(args.json, EIO);
	json_decref(rows);
	return 0;
}
