/* SPDX-License-Identifier: MIT */
#include "sender.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/ixlat/ixlat.h"
#include "packet_socket.h"
#include "socket.h"
#include "tools/ixtap/output.h"

enum {
	CONNECT_TIMEOUT_MS = 5000,
	IN_BYTES = 2 << 16, /* one datagram, or several messages of a TCP connection */
};
/* A packet does not wait that long in a queue: if its stamp says so, the clock was set. */
#define STAMP_AGE_MAX_NS (60 * NS_PER_S)

/* ---- Opening ---- */

/* Connects within the time limit: 0 or -errno. */
static int connect_within(int fd, const struct addrinfo *address)
{
	struct pollfd waiting = {.fd = fd, .events = POLLOUT};
	socklen_t length = sizeof(int);
	int err = 0, ready;

	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	ready = poll(&waiting, 1, CONNECT_TIMEOUT_MS);
	if (ready == 0)
		return -ETIMEDOUT;
	if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) < 0)
		return -errno;
	return -err;
}

/* A connected socket or -errno. */
static int connect_one(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, err;

	if (fd < 0)
		return -errno;
	err = connect_within(fd, address);
	if (!err && address->ai_socktype == SOCK_STREAM &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_ip(struct sender *sender, const struct ixlat_options *options)
{
	struct addrinfo hints = {
		.ai_socktype = options->mode == MODE_TCP ? SOCK_STREAM : SOCK_DGRAM,
	};
	struct addrinfo *found;
	char port[8];
	int err, fd = -EHOSTUNREACH;

	snprintf(port, sizeof(port), "%u", options->port);
	err = getaddrinfo(options->host, port, &hints, &found);
	if (err) {
		fail("cannot find %s: %s", options->host, gai_strerror(err));
		return -1;
	}
	for (struct addrinfo *each = found; each && fd < 0; each = each->ai_next)
		fd = connect_one(each);
	freeaddrinfo(found);
	if (fd < 0) {
		fail("cannot connect to %s port %u: %s%s", options->host, options->port,
		     strerror(-fd),
		     fd == -ECONNREFUSED ? "; is 'ixlat reflect tcp' running there?" : "");
		return -1;
	}
	sender->fd = fd;
	return 0;
}

static int open_raw(struct sender *sender, const struct ixlat_options *options)
{
	struct ether_header *header = (struct ether_header *)sender->out;
	unsigned int mtu;

	sender->fd = packet_socket_open(options->interface, true, sender->own_mac, &mtu);
	if (sender->fd < 0)
		return -1;
	if (options->size_bytes > mtu + ETHER_HDR_LEN) {
		fail("--size %u: a frame on %s has at most %u bytes (its MTU is %u)",
		     options->size_bytes, options->interface, mtu + ETHER_HDR_LEN, mtu);
		return -1;
	}
	memcpy(header->ether_dhost, options->mac, sizeof(header->ether_dhost));
	memcpy(header->ether_shost, sender->own_mac, sizeof(header->ether_shost));
	header->ether_type = htons(PROBE_ETHERTYPE);
	return 0;
}

static int switch_stamps_on(const struct sender *sender)
{
	int on = 1;

	if (!sender->kernel_stamps ||
	    setsockopt(sender->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0)
		return 0;
	fail("--kernel-stamps: %s", strerror(errno));
	return -1;
}

int sender_open(struct sender *sender, const struct ixlat_options *options)
{
	size_t before = options->mode == MODE_RAW ? ETHER_HDR_LEN : 0;
	int err;

	*sender = (struct sender){
		.fd = -1,
		.mode = options->mode,
		.kernel_stamps = options->kernel_stamps,
		.probe_bytes = (uint16_t)(options->size_bytes - before),
		.out_bytes = options->size_bytes,
		.out = calloc(1, options->size_bytes),
		.in = malloc(IN_BYTES),
	};
	if (!sender->out || !sender->in) {
		fail("out of memory");
		sender_close(sender);
		return -1;
	}
	sender->probe = (struct probe *)(sender->out + before);
	err = options->mode == MODE_RAW ? open_raw(sender, options) : open_ip(sender, options);
	if (!err)
		err = switch_stamps_on(sender);
	if (err)
		sender_close(sender);
	else if (options->mode != MODE_TCP)
		socket_widen(sender->fd);
	return err;
}

void sender_close(struct sender *sender)
{
	if (sender->fd >= 0)
		close(sender->fd);
	free(sender->out);
	free(sender->in);
	*sender = (struct sender){.fd = -1};
}

/* ---- Sending ---- */

int sender_ready(struct sender *sender)
{
	while (sender->out_left) {
		ssize_t sent = send(sender->fd, sender->out + sender->out_bytes - sender->out_left,
				    sender->out_left, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		sender->out_left -= (size_t)sent;
	}
	return 0;
}

int sender_send(struct sender *sender)
{
	int err;

	if (sender->mode == MODE_TCP) {
		sender->out_left = sender->out_bytes;
		err = sender_ready(sender);
		/* The rest is sent later; for the caller the message is sent. */
		return err == -EAGAIN ? 0 : err;
	}
	if (send(sender->fd, sender->out, sender->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return 0;
}

/* ---- Receiving ---- */

/* Reads to `in` + `offset`: the number of bytes, or -errno. */
static ssize_t read_more(struct sender *sender, size_t offset, int flags)
{
	ssize_t got =
		recv(sender->fd, sender->in + offset, IN_BYTES - offset, MSG_DONTWAIT | flags);

	sender->received_ns = clock_ns();
	if (got < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return got;
}

/* When the kernel received the message, by its stamp; without one that makes sense, now. */
static int64_t stamp_of(struct msghdr *message)
{
	struct timespec stamp, now;
	int64_t age_ns, now_ns;

	/*
	 * CLOCK_REALTIME first. A delay between the two calls then makes the time too late. In the
	 * other order it would be too early, perhaps before the probe was sent.
	 */
	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = clock_ns();
	for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each;
	     each = CMSG_NXTHDR(message, each)) {
		if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_TIMESTAMPNS ||
		    each->cmsg_len != CMSG_LEN(sizeof(stamp)))
			continue;
		memcpy(&stamp, CMSG_DATA(each), sizeof(stamp));
		age_ns = (now.tv_sec - stamp.tv_sec) * NS_PER_S + now.tv_nsec - stamp.tv_nsec;
		if (age_ns >= 0 && age_ns <= STAMP_AGE_MAX_NS)
			return now_ns - age_ns;
	}
	return now_ns;
}

static ssize_t read_stamped(struct sender *sender)
{
	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	struct iovec data = {.iov_base = sender->in, .iov_len = IN_BYTES};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(sender->fd, &message, MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	sender->received_ns = stamp_of(&message);
	return got;
}

/* A datagram or a frame: its length, or -errno. */
static ssize_t read_whole(struct sender *sender)
{
	return sender->kernel_stamps ? read_stamped(sender) : read_more(sender, 0, MSG_TRUNC);
}

static ssize_t receive_frame(struct sender *sender, const struct probe **probe)
{
	const struct ether_header *header = (const struct ether_header *)sender->in;
	ssize_t got = read_whole(sender);

	if (got < 0)
		return got;
	/* A promiscuous interface receives frames for others too. */
	if (got < ETHER_HDR_LEN ||
	    memcmp(header->ether_dhost, sender->own_mac, sizeof(sender->own_mac)))
		return 0;
	*probe = (const struct probe *)(sender->in + ETHER_HDR_LEN);
	return got - ETHER_HDR_LEN;
}

/* The length of the first message in `in`; 0: it is not whole yet; -EPROTO: it is none. */
static ssize_t whole_message(const struct sender *sender)
{
	size_t have = sender->in_end - sender->in_start;
	uint16_t bytes;

	if (have < sizeof(struct probe))
		return 0;
	bytes = probe_bytes((const struct probe *)(sender->in + sender->in_start));
	if (!bytes)
		return -EPROTO;
	return have < bytes ? 0 : bytes;
}

static ssize_t receive_stream(struct sender *sender, const struct probe **probe)
{
	ssize_t bytes = whole_message(sender);

	if (bytes == 0) {
		ssize_t got;

		memmove(sender->in, sender->in + sender->in_start,
			sender->in_end - sender->in_start);
		sender->in_end -= sender->in_start;
		sender->in_start = 0;
		got = read_more(sender, sender->in_end, 0);
		if (got <= 0)
			return got < 0 ? got : -ECONNRESET;
		sender->in_end += (size_t)got;
		bytes = whole_message(sender);
	}
	if (bytes <= 0)
		return bytes < 0 ? bytes : -EAGAIN;
	*probe = (const struct probe *)(sender->in + sender->in_start);
	sender->in_start += (size_t)bytes;
	return bytes;
}

ssize_t sender_receive(struct sender *sender, const struct probe **probe)
{
	switch (sender->mode) {
	case MODE_TCP:
		return receive_stream(sender, probe);
	case MODE_RAW:
		return receive_frame(sender, probe);
	default:
		*probe = (const struct probe *)sender->in;
		return read_whole(sender);
	}
}

void sender_wait(const struct sender *sender, int64_t until_ns)
{
	struct pollfd waiting = {
		.fd = sender->fd,
		.events = (short)(POLLIN | (sender->out_left ? POLLOUT : 0)),
	};
	int64_t left_ns = until_ns - clock_ns();
	struct timespec left;

	if (left_ns <= 0)
		return;
	left = (struct timespec){.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
	/* A signal or an error of the socket also ends this; the caller's next round notices. */
	ppoll(&waiting, 1, &left, NULL);
}
