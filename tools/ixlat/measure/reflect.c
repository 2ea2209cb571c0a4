/* SPDX-License-Identifier: MIT */
/*
 * The reflector of datagrams and frames. The stamp of reception is taken right after the call that
 * receives the probe, the stamp of sending right before the call that sends the answer.
 *
 * The answer to a datagram comes from the address that the probe was sent to, also where the host
 * has several. That address arrives as ancillary data, which is passed back when sending.
 */
#include "reflect.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/ixlat/ixlat.h"
#include "packet_socket.h"
#include "probe.h"
#include "socket.h"
#include "stop.h"
#include "tools/ixtap/output.h"

enum {
	IN_BYTES = 1 << 16,
	/* A signal that comes right before the wait does not end it; the end of the wait does. */
	WAIT_MAX_US = 200000,
};

struct reflector {
	int fd;
	const char *interface; /* if raw */
	bool raw, busy;
	uint8_t own_mac[6];
	uint8_t *in;
	struct sockaddr_storage from;
	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			      CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	struct iovec data;
	struct msghdr message;
};

int reflect_ready(void)
{
	if (puts("ready") < 0 || fflush(stdout) != 0) {
		fail("cannot write to standard output: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* ---- Opening ---- */

/* A bound socket or -errno. */
static int bind_one(const struct addrinfo *address, bool any)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, err = 0;

	if (fd < 0)
		return -errno;
	if (address->ai_socktype == SOCK_STREAM)
		err = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* A socket for any IPv6 address takes IPv4 too. */
	if (!err && address->ai_family == AF_INET6 && any)
		err = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!err && address->ai_socktype == SOCK_DGRAM)
		err = address->ai_family == AF_INET6
			      ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))
			      : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	if (err || bind(fd, address->ai_addr, address->ai_addrlen) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int reflect_bind(const struct ixlat_options *options, int type)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = type};
	struct addrinfo *found;
	int err, fd = -EADDRNOTAVAIL;
	char port[8];

	snprintf(port, sizeof(port), "%u", options->port);
	err = getaddrinfo(options->listen, port, &hints, &found);
	if (err) {
		fail("--listen: cannot find %s: %s", options->listen, gai_strerror(err));
		return -1;
	}
	/* IPv6 first: a socket for any IPv6 address takes IPv4 too. */
	for (int round = 0; round < 2 && fd < 0; round++)
		for (struct addrinfo *each = found; each && fd < 0; each = each->ai_next)
			if ((each->ai_family == AF_INET6) == (round == 0))
				fd = bind_one(each, !options->listen);
	freeaddrinfo(found);
	if (fd < 0)
		fail("cannot listen on %s port %u: %s%s",
		     options->listen ? options->listen : "any address", options->port,
		     strerror(-fd),
		     fd == -EADDRINUSE ? "; another ixlat, perhaps: use --port" : "");
	return fd < 0 ? -1 : fd;
}

static int open_reflector(struct reflector *reflector, const struct ixlat_options *options)
{
	struct timeval wait = {.tv_usec = WAIT_MAX_US};
	unsigned int mtu;

	*reflector = (struct reflector){
		.fd = -1,
		.interface = options->interface,
		.raw = options->mode == MODE_RAW,
		.busy = options->busy,
		.in = malloc(IN_BYTES),
	};
	if (!reflector->in) {
		fail("out of memory");
		return -1;
	}
	reflector->fd = reflector->raw ? packet_socket_open(options->interface, false,
							    reflector->own_mac, &mtu)
				       : reflect_bind(options, SOCK_DGRAM);
	if (reflector->fd < 0)
		return -1;
	socket_widen(reflector->fd);
	setsockopt(reflector->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return 0;
}

/* ---- Answering ---- */

/* The length of a message, or -1 with errno. */
static ssize_t receive(struct reflector *reflector)
{
	reflector->data = (struct iovec){.iov_base = reflector->in, .iov_len = IN_BYTES};
	reflector->message = (struct msghdr){.msg_iov = &reflector->data, .msg_iovlen = 1};
	if (!reflector->raw) {
		reflector->message.msg_name = &reflector->from;
		reflector->message.msg_namelen = sizeof(reflector->from);
		reflector->message.msg_control = &reflector->control;
		reflector->message.msg_controllen = sizeof(reflector->control);
	}
	return recvmsg(reflector->fd, &reflector->message,
		       MSG_TRUNC | (reflector->busy ? MSG_DONTWAIT : 0));
}

/*
 * Takes the interface's number out of the ancillary data, since it would force the answer out of
 * that interface; the kernel's routes should decide. Link-local addresses need the number.
 */
static void forget_interface(struct msghdr *message)
{
	for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each;
	     each = CMSG_NXTHDR(message, each)) {
		if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(each);

			info->ipi_ifindex = 0;
		} else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(each);

			if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
				info->ipi6_ifindex = 0;
		}
	}
}

/* Swaps the frame's addresses. False: the frame was not for us alone, or its sender is a group. */
static bool turn_round(struct reflector *reflector)
{
	struct ether_header *header = (struct ether_header *)reflector->in;

	if (memcmp(header->ether_dhost, reflector->own_mac, sizeof(reflector->own_mac)) != 0 ||
	    header->ether_shost[0] & 1)
		return false;
	memcpy(header->ether_dhost, header->ether_shost, sizeof(header->ether_dhost));
	memcpy(header->ether_shost, reflector->own_mac, sizeof(header->ether_shost));
	return true;
}

static void answer(struct reflector *reflector, size_t length, int64_t received_ns)
{
	size_t before = reflector->raw ? sizeof(struct ether_header) : 0;
	struct probe *probe = (struct probe *)(reflector->in + before);

	if (length > IN_BYTES || length < before || !probe_is_request(probe, length - before) ||
	    (reflector->raw && !turn_round(reflector)))
		return;
	probe_make_answer(probe, received_ns);
	reflector->data.iov_len = length;
	if (!reflector->raw)
		forget_interface(&reflector->message);
	probe_stamp_sent(probe, clock_ns());
	/* The sender of the probe counts an answer that cannot be sent as lost. */
	sendmsg(reflector->fd, &reflector->message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Whether a later call can succeed: nothing was there, or an earlier answer was refused. */
static bool passes(int err)
{
	return err == EAGAIN || err == EINTR || err == ECONNREFUSED || err == EHOSTUNREACH ||
	       err == ENETUNREACH || err == ENETDOWN || err == ENOBUFS || err == ENOMEM;
}

/* Whether the raw socket's interface was deleted. A new one of that name is not the socket's. */
static bool gone(const struct reflector *reflector)
{
	struct sockaddr_ll at = {0};
	socklen_t length = sizeof(at);

	return getsockname(reflector->fd, (struct sockaddr *)&at, &length) == 0 &&
	       at.sll_ifindex < 0;
}

static int answer_all(struct reflector *reflector)
{
	/*
	 * A deletion begins by setting the interface down, which gives an error. Its end gives
	 * none. So while the interface is down, every round asks whether it is gone.
	 */
	bool down = false;

	while (!stop_asked()) {
		ssize_t length = receive(reflector);
		int64_t received_ns = clock_ns();

		if (length >= 0) {
			down = false;
			answer(reflector, (size_t)length, received_ns);
		} else if (!passes(errno)) {
			fail("cannot receive: %s", strerror(errno));
			return -1;
		} else if (reflector->raw && (down || errno == ENETDOWN)) {
			down = true;
			if (gone(reflector)) {
				fail("the interface %s is gone", reflector->interface);
				return -1;
			}
		}
	}
	return 0;
}

int reflect_datagrams(const struct ixlat_options *options)
{
	struct reflector reflector;
	int err = open_reflector(&reflector, options);

	if (!err) {
		stop_on_signals();
		err = reflect_ready();
	}
	if (!err)
		err = answer_all(&reflector);
	if (reflector.fd >= 0)
		close(reflector.fd);
	free(reflector.in);
	return err;
}
