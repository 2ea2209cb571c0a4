/* SPDX-License-Identifier: MIT */
/*
 * The wire as a socket for tests: each packet is one raw frame without FCS, in both directions,
 * nothing padded, nothing checked. One peer at a time, which may come and go. The wire never waits
 * for the NIC: a frame without room is lost, as on a real wire.
 *
 * An empty packet and the end look the same to recv(2), and a hang-up may stand behind packets that
 * are not read yet. So each packet comes with its sender's credentials, which the end has not.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/loop.h"
#include "wire.h"

struct seqpacket {
	struct wire wire;
	struct listen_socket listener;
	int peer;
	bool readable;
	uint8_t buffer[WIRE_PACKET_MAX];
};

static struct seqpacket *self(struct wire *wire)
{
	return (struct seqpacket *)wire;
}

static void hang_up(struct seqpacket *s)
{
	if (s->peer < 0)
		return;
	loop_remove(s->wire.nic->loop, s->peer);
	close(s->peer);
	s->peer = -1;
	s->readable = false;
}

static void peer_event(void *ctx, uint32_t events)
{
	struct seqpacket *s = ctx;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		s->readable = true;
}

/* The length of the next packet, which may be 0; -1 with errno, ENOTCONN at the end. */
static ssize_t packet_next(struct seqpacket *s)
{
	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof(struct ucred))];
	} sender;
	struct iovec part = {s->buffer, sizeof(s->buffer)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &sender,
		.msg_controllen = sizeof(sender),
	};
	ssize_t len = recvmsg(s->peer, &message, MSG_TRUNC);

	if (len != 0 || message.msg_controllen > 0)
		return len;
	errno = ENOTCONN;
	return -1;
}

static bool seqpacket_poll(struct wire *wire, uint32_t budget)
{
	struct seqpacket *s = self(wire);

	for (; s->readable && budget > 0; budget--) {
		ssize_t len = packet_next(s);

		/* A peer that closed without reading all is an error once, before what it had sent.
		 */
		if (len < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (len < 0 && errno == EAGAIN) {
			s->readable = false;
		} else if (len < 0) {
			hang_up(s);
		} else if ((size_t)len > sizeof(s->buffer)) {
			count(wire->nic, COUNTER_wire_drop_truncated);
		} else {
			struct frame frame = {.head = s->buffer, .head_len = (uint32_t)len};

			wire_receive(wire, &frame);
		}
	}
	return s->readable;
}

/* Whether the peer is still there; if not, the frames that it left behind are read. */
static bool peer_lives(struct seqpacket *s)
{
	struct pollfd peer = {.fd = s->peer};

	if (s->peer < 0)
		return false;
	if (poll(&peer, 1, 0) == 0)
		return true;
	s->readable = true;
	seqpacket_poll(&s->wire, UINT32_MAX);
	hang_up(s);
	return false;
}

static void listener_event(void *ctx, uint32_t events)
{
	struct seqpacket *s = ctx;
	int on = 1, fd = listen_accept(&s->listener, NULL);

	(void)events;
	if (fd < 0)
		return;
	if (peer_lives(s) || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    loop_add(s->wire.nic->loop, fd, EPOLLIN | EPOLLOUT | EPOLLET, peer_event, s) < 0) {
		close(fd);
		return;
	}
	s->peer = fd;
	s->readable = true;
}

static int seqpacket_send(struct wire *wire, const struct frame *frame)
{
	struct seqpacket *s = self(wire);
	struct iovec part[] = {
		{(void *)(uintptr_t)frame->head, frame->head_len},
		{(void *)(uintptr_t)frame->body, frame->body_len},
	};
	struct msghdr message = {.msg_iov = part, .msg_iovlen = frame->body_len ? 2 : 1};

	if (s->peer < 0) {
		count(wire->nic, COUNTER_wire_drop_no_peer);
		return 1;
	}
	if (sendmsg(s->peer, &message, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno == EAGAIN)
		return -EAGAIN;
	if (errno == EPIPE || errno == ECONNRESET) {
		s->readable = true; /* frames that it sent before are still read */
		count(wire->nic, COUNTER_wire_drop_no_peer);
	} else {
		count(wire->nic, COUNTER_wire_drop_error);
	}
	return 1;
}

static void seqpacket_carrier(struct wire *wire, bool up)
{
	(void)wire, (void)up; /* no light on a socket */
}

static void seqpacket_far_end(const struct wire *wire, char *text, size_t size)
{
	snprintf(text, size, "%s",
		 ((const struct seqpacket *)wire)->peer >= 0 ? "there" : "awaited");
}

static void seqpacket_free(struct wire *wire)
{
	struct seqpacket *s = self(wire);

	hang_up(s);
	loop_remove(wire->nic->loop, s->listener.fd);
	listen_close(&s->listener);
	free(s);
}

static const struct wire_ops seqpacket_ops = {
	.poll = seqpacket_poll,
	.send = seqpacket_send,
	.carrier = seqpacket_carrier,
	.far_end = seqpacket_far_end,
	.free = seqpacket_free,
};

int wire_seqpacket_new(struct nic *nic, const char *path, const char *netns, struct wire **out,
		       struct ixgbe_why *why)
{
	struct seqpacket *s = calloc(1, sizeof(*s));
	int err;

	(void)netns; /* a path is the same in all of them */
	if (!s)
		return ixgbe_why_fill(why, -ENOMEM, "wire %s: no memory", path);
	s->wire = (struct wire){&seqpacket_ops, nic};
	s->peer = -1;
	err = listen_at("wire", path, SOCK_SEQPACKET, LISTEN_BUSY_MS, &s->listener, why);
	if (err)
		goto out_free;
	err = loop_add(nic->loop, s->listener.fd, EPOLLIN, listener_event, s);
	if (err) {
		ixgbe_why_fill(why, err, "wire %s: %s", path, strerror(-err));
		goto out_close;
	}
	*out = &s->wire;
	phy_light_set(nic, true);
	return 0;
out_close:
	listen_close(&s->listener);
out_free:
	free(s);
	return err;
}
