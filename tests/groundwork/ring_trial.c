/* SPDX-License-Identifier: MIT */
#include "ring_trial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facts.h"

#define NAME "ground0"

/* ---- The interface ---- */

static int tap_new(void)
{
	struct ifreq request = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
	};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), size = VNET_BYTES, sock;
	FILE *ipv6 = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

	if (ipv6) {
		fputs("1\n", ipv6);
		fclose(ipv6);
	}
	memcpy(request.ifr_name, NAME, sizeof(NAME));
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
		fact_broken("a TAP");
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	request.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &request) < 0)
		fact_broken("the TAP up");
	close(sock);
	return fd;
}

static int sender_new(int ifindex)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	const int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fact_broken("a packet socket");
	return fd;
}

void frame_send(const struct trial *trial, uint32_t number)
{
	union {
		struct frame frame;
		uint8_t bytes[FRAME_BYTES];
	} out = {.frame = {.to = {2, 0, 0, 0, 0, 1},
			   .from = {2, 0, 0, 0, 0, 2},
			   .type = htons(ETHER_TYPE),
			   .number = number}};

	if (send(trial->sender, &out, sizeof(out), 0) != sizeof(out))
		fact_broken("a frame");
}

uint32_t number_in(const struct slot *slot)
{
	struct frame frame;

	memcpy(&frame, slot->frame, sizeof(frame));
	return frame.type == htons(ETHER_TYPE) && frame.number < NUMBERS_MAX ? frame.number : 0;
}

bool trial_begin(struct trial *trial)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	trial->tap = tap_new();
	trial->sender = sender_new((int)if_nametoindex(NAME));
	trial->common = memory_new("dead-ring", sizeof(struct common), &fd);
	return true;
}

void end_new(int end[2])
{
	if (pipe2(end, O_CLOEXEC) < 0)
		fact_broken("a pipe");
}

struct rtnl_link_stats interface_counts(void)
{
	struct rtnl_link_stats counts = {.tx_dropped = UINT32_MAX};
	struct ifaddrs *all, *each;

	if (getifaddrs(&all) < 0)
		return counts;
	for (each = all; each; each = each->ifa_next)
		if (each->ifa_data && !strcmp(each->ifa_name, NAME) &&
		    each->ifa_addr->sa_family == AF_PACKET)
			memcpy(&counts, each->ifa_data, sizeof(counts));
	freeifaddrs(all);
	return counts;
}

struct io_uring ring_new(const struct trial *trial)
{
	struct io_uring_params params = {.flags = trial->setup | IORING_SETUP_R_DISABLED};
	struct io_uring ring;

	errno = -io_uring_queue_init_params(2 * SLOTS, &ring, &params);
	if (!errno)
		errno = -io_uring_register_files(&ring, (int[]){trial->tap, trial->end[1]}, 2);
	if (!errno &&
	    syscall(SYS_io_uring_register, ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		fact_broken("enabling an io_uring");
	if (errno)
		fact_broken("an io_uring");
	close(trial->end[1]);
	close(trial->tap);
	return ring;
}

bool readable(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, 0) == 1;
}

void wait_spinning(int64_t us)
{
	const int64_t until = now_us() + us;

	while (now_us() < until)
		;
}
