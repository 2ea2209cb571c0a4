/* SPDX-License-Identifier: MIT */
/*
 * The wire as a cable between two ixnics: a SOCK_SEQPACKET connection at a path. Who comes first
 * listens, who comes second connects. When one end goes, the other one looks for it again and, not
 * finding it, listens: so either may be restarted. Where that fails it is tried again and again.
 *
 * A packet is a frame without FCS, or one byte: whether the sender's laser is on. Light arrives
 * when there is a connection and the peer said so. A frame that the peer has no room for stays
 * in the sender's ring: the cable loses nothing while it is plugged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/loop.h"
#include "wire.h"

#define RETRY_NS 100000000u /* how long to wait before the other end is looked for again */

struct cable {
	struct wire wire;
	struct listen_socket listener;
	int peer;
	bool readable;
	bool laser;      /* ours */
	bool laser_due;  /* the peer does not know yet */
	bool complained; /* that there is no way to find the peer */
	char *path;
	uint8_t buffer[WIRE_PACKET_MAX];
};

static void meet_peer(struct cable *cable);

static struct cable *self(struct wire *wire)
{
	return (struct cable *)wire;
}

static void close_peer(struct cable *cable)
{
	if (cable->peer < 0)
		return;
	loop_remove(cable->wire.nic->loop, cable->peer);
	close(cable->peer);
	cable->peer = -1;
}

static void tell_laser(struct cable *cable)
{
	uint8_t on = cable->laser;

	if (cable->laser_due && cable->peer >= 0 &&
	    send(cable->peer, &on, sizeof(on), MSG_NOSIGNAL) == sizeof(on))
		cable->laser_due = false;
}

static void peer_event(void *ctx, uint32_t events)
{
	struct cable *cable = ctx;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		cable->readable = true;
	tell_laser(cable);
}

static int plug(struct cable *cable, int fd)
{
	int err = loop_add(cable->wire.nic->loop, fd, EPOLLIN | EPOLLOUT | EPOLLET, peer_event,
			   cable);

	if (err) {
		close(fd);
		return err;
	}
	cable->peer = fd;
	cable->readable = true;
	cable->laser_due = true;
	tell_laser(cable);
	return 0;
}

static void unplug(struct cable *cable)
{
	close_peer(cable);
	cable->readable = false;
	phy_light_set(cable->wire.nic, false);
	if (cable->listener.fd < 0)
		meet_peer(cable);
}

static void listener_event(void *ctx, uint32_t events)
{
	struct cable *cable = ctx;
	int fd = listen_accept(&cable->listener, NULL);

	(void)events;
	if (fd < 0)
		return;
	if (cable->peer >= 0)
		close(fd); /* a cable has two ends */
	else
		plug(cable, fd);
}

/* Connects to the other end, or waits for it. */
static int find_peer(struct cable *cable, struct ixgbe_why *why)
{
	int peer = -1, err = wire_meet(cable->path, &peer, &cable->listener, why);

	if (err)
		return err;
	if (peer >= 0)
		err = plug(cable, peer);
	else
		err = loop_add(cable->wire.nic->loop, cable->listener.fd, EPOLLIN, listener_event,
			       cable);
	if (!err)
		return 0;
	listen_close(&cable->listener);
	return ixgbe_why_fill(why, err, "wire cable:%s: %s", cable->path, strerror(-err));
}

static void retry(void *ctx, uint32_t events)
{
	(void)events;
	meet_peer(ctx);
}

static void retry_later(struct cable *cable)
{
	loop_timer_set(cable->wire.nic->loop, LOOP_TIMER_WIRE, loop_now_ns() + RETRY_NS, retry,
		       cable);
}

static void meet_peer(struct cable *cable)
{
	struct ixgbe_why why;

	if (find_peer(cable, &why) == 0) {
		cable->complained = false;
		return;
	}
	if (!cable->complained)
		log_error("%s; the link is down until then", why.text);
	cable->complained = true;
	retry_later(cable);
}

/* One packet of the peer. False: there is none. */
static bool cable_take(struct cable *cable)
{
	struct nic *nic = cable->wire.nic;
	ssize_t len = recv(cable->peer, cable->buffer, sizeof(cable->buffer), MSG_TRUNC);
	struct frame frame = {.head = cable->buffer, .head_len = (uint32_t)len};

	if (len < 0 && errno == EINTR)
		return true;
	if (len < 0 && errno == EAGAIN) {
		cable->readable = false;
		return false;
	}
	if (len <= 0)
		unplug(cable);
	else if (len == 1)
		phy_light_set(nic, cable->buffer[0]);
	else if ((size_t)len > sizeof(cable->buffer))
		count(nic, COUNTER_wire_drop_truncated);
	else
		wire_receive(&cable->wire, &frame);
	return cable->readable;
}

static bool cable_poll(struct wire *wire, uint32_t budget)
{
	struct cable *cable = self(wire);

	while (budget > 0 && receive_ready(wire->nic) && cable->readable && cable_take(cable))
		budget--;
	return budget == 0;
}

static int cable_send(struct wire *wire, const struct frame *frame)
{
	struct cable *cable = self(wire);
	struct iovec part[] = {
		{(void *)(uintptr_t)frame->head, frame->head_len},
		{(void *)(uintptr_t)frame->body, frame->body_len},
	};
	struct msghdr message = {.msg_iov = part, .msg_iovlen = frame->body_len ? 2 : 1};

	if (cable->peer < 0) {
		count(wire->nic, COUNTER_wire_drop_no_peer);
		return 1;
	}
	if (sendmsg(cable->peer, &message, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno == EAGAIN)
		return -EAGAIN;
	count(wire->nic, errno == EPIPE || errno == ECONNRESET ? COUNTER_wire_drop_no_peer
							       : COUNTER_wire_drop_error);
	return 1;
}

static void cable_carrier(struct wire *wire, bool up)
{
	struct cable *cable = self(wire);

	cable->laser = up;
	cable->laser_due = true;
	tell_laser(cable);
}

static void cable_free(struct wire *wire)
{
	struct cable *cable = self(wire);

	loop_timer_set(wire->nic->loop, LOOP_TIMER_WIRE, 0, NULL, NULL);
	close_peer(cable);
	if (cable->listener.fd >= 0)
		loop_remove(wire->nic->loop, cable->listener.fd);
	listen_close(&cable->listener);
	free(cable->path);
	free(cable);
}

static const struct wire_ops cable_ops = {
	.poll = cable_poll,
	.send = cable_send,
	.carrier = cable_carrier,
	.free = cable_free,
};

int wire_cable_new(struct nic *nic, const char *path, const char *netns, struct wire **out,
		   struct ixgbe_why *why)
{
	struct cable *cable = calloc(1, sizeof(*cable));
	int err;

	(void)netns; /* a path is the same in all of them */
	if (cable)
		cable->path = strdup(path);
	if (!cable || !cable->path) {
		free(cable);
		return ixgbe_why_fill(why, -ENOMEM, "wire cable:%s: no memory", path);
	}
	cable->wire = (struct wire){&cable_ops, nic};
	cable->listener.fd = cable->peer = -1;
	err = find_peer(cable, why);
	if (err == -EWOULDBLOCK) {
		retry_later(cable);
	} else if (err) {
		free(cable->path);
		free(cable);
		return err;
	}
	*out = &cable->wire;
	return 0;
}
