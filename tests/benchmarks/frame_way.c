/* SPDX-License-Identifier: MIT */
#include "frame_way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define FRAME_ROOM  2048
#define QUEUE_BYTES (64 << 20)
#define AWAKE_US    50000 /* so often a receiver looks whether it is to end */
#define WAY_REFUSED 0x80u
#define COUNT_MAX   0x7fu
#define LOST_SHOWN  8

/* ---- Time ---- */

static int64_t ns_of(struct timespec ts)
{
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t clock_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ns_of(ts);
}

int64_t clock_now_ns(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

void sleep_until_ns(int64_t at_ns)
{
	struct timespec ts = {at_ns / 1000000000, at_ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void way_fail(const char *what)
{
	fprintf(stderr, "bench_restart: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* ---- Sockets ---- */

/* In the calling thread's network namespace. */
static int packet_socket_bound(const char *interface, uint8_t mac[6])
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(NUMBERED_ETHERTYPE)};
	struct timeval awake = {.tv_usec = AWAKE_US};
	struct ifreq request = {0};
	const int on = 1, room = QUEUE_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		way_fail("a packet socket");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		way_fail(interface);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	at.sll_ifindex = (int)if_nametoindex(interface);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &awake, sizeof(awake)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		way_fail(interface);
	return fd;
}

int way_socket(const char *netns, const char *interface, uint8_t mac[6])
{
	char path[256];
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), there, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		way_fail(path);
	fd = packet_socket_bound(interface, mac);
	if (setns(home, CLONE_NEWNET) < 0)
		way_fail("the way back");
	close(home);
	close(there);
	return fd;
}

/* ---- Sending ---- */

/* False: the interface did not take it. */
static bool put_on(struct frame_way *way, uint64_t number, bool changed)
{
	uint8_t frame[NUMBERED_BYTES_MAX];
	size_t bytes = numbered_write(&way->kind, (struct numbered){number, clock_now_ns()}, frame);

	if (changed)
		frame[bytes - 1] ^= 1;
	if (send(way->from, frame, bytes, MSG_DONTWAIT) >= 0)
		return true;
	if (errno != ENOBUFS && errno != EAGAIN && errno != ENETDOWN)
		way_fail(way->name);
	return false;
}

/* The same, and a frame that was not taken is not missed. */
static bool send_numbered(struct frame_way *way, uint64_t number, bool changed)
{
	if (put_on(way, number, changed))
		return true;
	atomic_fetch_or(&way->mark[number], WAY_REFUSED);
	way->refused++;
	return false;
}

void way_send(struct frame_way *way)
{
	const uint64_t number = way->next;
	const bool here = way->plant && number % way->plant_each == way->plant_each - 1;
	const enum plant plant = here ? way->plant : PLANT_NONE;
	bool taken = true;

	if (number + 2 > WAY_FRAMES_MAX) {
		errno = EOVERFLOW;
		way_fail("too many frames for one run");
	}
	/* The receiver may have the frame before we are back: the number is used from here on. */
	way->next = number + (plant == PLANT_SWAP ? 2 : 1);
	if (plant == PLANT_SWAP)
		taken = send_numbered(way, number + 1, false);
	if (plant != PLANT_DROP)
		taken &= send_numbered(way, number, plant == PLANT_CORRUPT);
	if (plant == PLANT_REPEAT && taken)
		taken = put_on(way, number, false);
	/* What the interface refused is no fault. */
	way->planted += here && taken;
}

/* ---- Receiving ---- */

/* With the lock. `frame` is of our type, since the socket takes no other. */
static void take_frame(struct frame_way *way, const uint8_t *frame, size_t bytes,
		       int64_t arrived_ns)
{
	struct numbered in;

	if (!numbered_read(&way->kind, frame, bytes, &in) || in.number >= way->next) {
		way->corrupted++;
		return;
	}
	if ((way->mark[in.number] & COUNT_MAX) < COUNT_MAX &&
	    (atomic_fetch_add(&way->mark[in.number], 1) & COUNT_MAX) == 0) {
		way->arrived++;
		way->reordered += in.number < way->highest;
	}
	if (in.number > way->highest)
		way->highest = in.number;
	if (in.sent_ns > way->latest_sent_ns)
		way->latest_sent_ns = in.sent_ns;
	way->log[way->logged++ % WAY_LOG] = (struct arrival){arrived_ns, in.sent_ns};
}

/* The kernel's time of an arrival. */
static int64_t stamp_of(struct msghdr *message, int64_t monotonic_ahead_ns)
{
	struct timespec ts;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return ns_of(ts) + monotonic_ahead_ns;
	}
	return clock_now_ns();
}

struct intake {
	struct mmsghdr message[BATCH];
	struct iovec part[BATCH];
	uint8_t frame[BATCH][FRAME_ROOM];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(struct timespec))];
};

static int intake_fill(struct intake *in, int fd)
{
	for (int i = 0; i < BATCH; i++) {
		in->part[i] = (struct iovec){in->frame[i], FRAME_ROOM};
		in->message[i].msg_hdr = (struct msghdr){.msg_iov = &in->part[i],
							 .msg_iovlen = 1,
							 .msg_control = in->control[i],
							 .msg_controllen = sizeof(in->control[i])};
	}
	return recvmmsg(fd, in->message, BATCH, MSG_WAITFORONE, NULL);
}

static void *receive(void *arg)
{
	struct frame_way *way = arg;
	struct intake *in = calloc(1, sizeof(*in));

	if (!in)
		way_fail("memory");
	while (!way->over) {
		int count = intake_fill(in, way->to);
		int64_t ahead_ns = clock_now_ns() - clock_of(CLOCK_REALTIME);

		if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
			way_fail(way->name);
		pthread_mutex_lock(&way->lock);
		for (int i = 0; i < count; i++)
			take_frame(way, in->frame[i], in->message[i].msg_len,
				   stamp_of(&in->message[i].msg_hdr, ahead_ns));
		pthread_cond_broadcast(&way->came);
		pthread_mutex_unlock(&way->lock);
	}
	free(in);
	return NULL;
}

void way_start(struct frame_way *way)
{
	pthread_condattr_t attr;

	way->mark = mmap(NULL, WAY_FRAMES_MAX, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (way->mark == MAP_FAILED)
		way_fail("memory");
	pthread_mutex_init(&way->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&way->came, &attr);
	errno = pthread_create(&way->receiver, NULL, receive, way);
	if (errno)
		way_fail("a thread");
}

void way_stop(struct frame_way *way)
{
	way->over = true;
	pthread_join(way->receiver, NULL);
}

/* ---- Waiting ---- */

/* With the lock. False: the deadline is over. */
static bool wait_more(struct frame_way *way, int64_t deadline_ns)
{
	struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};

	return pthread_cond_timedwait(&way->came, &way->lock, &until) != ETIMEDOUT;
}

bool way_wait_sent_after(struct frame_way *way, int64_t sent_ns, int64_t deadline_ns)
{
	bool came;

	pthread_mutex_lock(&way->lock);
	while (way->latest_sent_ns <= sent_ns && wait_more(way, deadline_ns))
		;
	came = way->latest_sent_ns > sent_ns;
	pthread_mutex_unlock(&way->lock);
	return came;
}

bool way_wait_all(struct frame_way *way, int64_t deadline_ns)
{
	bool came;

	pthread_mutex_lock(&way->lock);
	while (way->arrived + way->refused < way->next && wait_more(way, deadline_ns))
		;
	came = way->arrived + way->refused >= way->next;
	pthread_mutex_unlock(&way->lock);
	return came;
}

/* ---- Results ---- */

struct way_gap way_gap_since(struct frame_way *way, int64_t since_ns, int64_t after_ns)
{
	struct way_gap gap = {0};
	int64_t first_gap_ns = 0, ended_ns = 0;
	uint64_t at;

	pthread_mutex_lock(&way->lock);
	at = way->logged;
	while (at > 0 && at + WAY_LOG > way->logged + 1 &&
	       way->log[(at - 1) % WAY_LOG].arrived_ns > since_ns)
		at--;
	for (at += at == 0; at < way->logged; at++) {
		const struct arrival *here = &way->log[at % WAY_LOG];
		int64_t before_ns = here->arrived_ns - way->log[(at - 1) % WAY_LOG].arrived_ns;

		if (before_ns > gap.largest_ns)
			gap.largest_ns = before_ns;
		if (before_ns > first_gap_ns && !gap.first_ns) {
			first_gap_ns = before_ns;
			ended_ns = here->arrived_ns;
		}
		if (here->sent_ns > after_ns)
			gap.first_ns = ended_ns;
	}
	pthread_mutex_unlock(&way->lock);
	return gap;
}

int64_t way_arrival_after(struct frame_way *way, int64_t sent_ns)
{
	int64_t arrived_ns = 0;

	pthread_mutex_lock(&way->lock);
	for (uint64_t at = way->logged; at > 0 && at + WAY_LOG > way->logged; at--) {
		const struct arrival *here = &way->log[(at - 1) % WAY_LOG];

		if (here->sent_ns <= sent_ns)
			break;
		arrived_ns = here->arrived_ns;
	}
	pthread_mutex_unlock(&way->lock);
	return arrived_ns;
}

static bool is_lost(const struct frame_way *way, uint64_t number)
{
	return way->mark[number] == 0;
}

uint64_t way_lost(const struct frame_way *way, uint64_t first, uint64_t end)
{
	uint64_t lost = 0;

	for (uint64_t number = first; number < end; number++)
		lost += is_lost(way, number);
	return lost;
}

uint64_t way_repeated(const struct frame_way *way, uint64_t first, uint64_t end)
{
	uint64_t repeated = 0;

	for (uint64_t number = first; number < end; number++) {
		uint8_t count = way->mark[number] & COUNT_MAX;

		repeated += count > 1 ? count - 1u : 0;
	}
	return repeated;
}

json_t *way_json(const struct frame_way *way)
{
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);
	json_t *lost = json_array();

	for (uint64_t n = 0; n < way->next && json_array_size(lost) < LOST_SHOWN; n++)
		if (is_lost(way, n))
			json_array_append_new(lost, json_integer((json_int_t)n));
	if (getsockopt(way->to, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
		way_fail("packet statistics");
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "frames",
			 (json_int_t)way->next, "refused", (json_int_t)way->refused, "arrived",
			 (json_int_t)way->arrived, "lost", (json_int_t)way_lost(way, 0, way->next),
			 "repeated", (json_int_t)way_repeated(way, 0, way->next), "reordered",
			 (json_int_t)way->reordered, "corrupted", (json_int_t)way->corrupted,
			 "planted", (json_int_t)way->planted, "unseen", (json_int_t)stats.tp_drops,
			 "lost_first", lost);
}
