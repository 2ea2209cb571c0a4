/* SPDX-License-Identifier: MIT */
/*
 * The wire as a cable between two ixnics: a SOCK_SEQPACKET connection at a path. Who comes first
 * listens, who comes second connects. When one end goes, the other one looks for it again and, not
 * finding it, listens: so either may be restarted. Where that fails it is tried again and again.
 *
 * A packet is a frame without FCS, or one byte: whether the sender's laser is on. Light arrives
 * when there is a connection and the peer said so. A frame that the peer has no room for stays
 * in the sender's ring: the cable loses nothing while it is plugged.
 *
 * The ends meet while one of them holds the path's lock (see listen_at). Anybody may hold that, so
 * the wait for it has an end: then a cable goes on without. Two that do so at one moment may both
 * listen, and only one of them at the path: the other one notices and looks again.
 *
 * A third program is told that both ends are taken. Its start fails; if it runs already, it says so
 * in its log and its status, and tries again and again.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
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

/* What a third program is sent. No frame is as short. The numbers of the processes mean something
 * to whoever sees the sender by its own number. */
struct refusal {
	int32_t pid, other_pid; /* of the two ends */
};
#define REFUSAL_TEXT 100

static_assert(sizeof(struct refusal) < ETHER_BYTES, "it is told from a frame by its length");

struct cable {
	struct wire wire;
	struct listen_socket listener;
	int peer;
	bool readable;
	bool laser;      /* ours */
	bool laser_due;  /* the peer does not know yet */
	bool complained; /* that there is no way to the peer, or that it refused */
	bool refused;    /* the cable has two ends without us */
	struct refusal refusal;
	uint64_t locked_ns; /* the path's lock has been another's since then; 0: it was ours */
	char *path;
	uint8_t buffer[WIRE_PACKET_MAX];
};

static void meet_peer(struct cable *cable);
static void retry_later(struct cable *cable);
static bool cable_poll(struct wire *wire, uint32_t budget);

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

/* The process that made the other socket, as it is numbered here. */
static int32_t pid_of(int fd)
{
	struct ucred of = {0};
	socklen_t len = sizeof(of);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &of, &len) ? 0 : of.pid;
}

static void refuse(const struct cable *cable, int fd)
{
	const struct refusal refusal = {getpid(), pid_of(cable->peer)};

	(void)!send(fd, &refusal, sizeof(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Whether the peer is still there; if not, the frames that it left behind are read. */
static bool peer_lives(struct cable *cable)
{
	struct pollfd peer = {.fd = cable->peer};

	if (cable->peer < 0)
		return false;
	if (poll(&peer, 1, 0) == 0)
		return true;
	cable->readable = true;
	cable_poll(&cable->wire, UINT32_MAX);
	if (cable->peer >= 0)
		unplug(cable);
	return false;
}

static void listener_event(void *ctx, uint32_t events)
{
	struct cable *cable = ctx;
	int fd = listen_accept(&cable->listener, NULL);

	(void)events;
	if (fd < 0)
		return;
	if (peer_lives(cable))
		refuse(cable, fd);
	else
		plug(cable, fd);
}

static void retry(void *ctx, uint32_t events)
{
	struct cable *cable = ctx;

	(void)events;
	if (cable->listener.fd >= 0 && !listen_is_there(&cable->listener)) {
		loop_remove(cable->wire.nic->loop, cable->listener.fd);
		listen_close(&cable->listener);
	}
	if (cable->listener.fd < 0)
		meet_peer(cable);
	else if (cable->peer < 0)
		retry_later(cable);
}

static void retry_later(struct cable *cable)
{
	loop_timer_set(cable->wire.nic->loop, LOOP_TIMER_WIRE, loop_now_ns() + RETRY_NS, retry,
		       cable);
}

static bool lock_waited_for(const struct cable *cable)
{
	return cable->locked_ns &&
	       loop_now_ns() - cable->locked_ns >= LISTEN_LOCK_MS * UINT64_C(1000000);
}

/* Connects to the other end, or waits for it. */
static int find_peer(struct cable *cable, struct ixgbe_why *why)
{
	const bool late = lock_waited_for(cable);
	int peer = -1, err = wire_meet(cable->path, late, &peer, &cable->listener, why);

	if (err == -EWOULDBLOCK && !cable->locked_ns)
		cable->locked_ns = loop_now_ns();
	if (err)
		return err;
	if (!late)
		cable->locked_ns = 0;
	else if (peer < 0)
		retry_later(cable);
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

/* ---- A cable that has two ends without us ---- */

/* We have an end of the cable. */
static void joined(struct cable *cable)
{
	cable->complained = cable->refused = false;
}

static void refusal_text(const struct cable *cable, char *text, size_t size)
{
	const struct refusal *by = &cable->refusal;

	if (by->pid > 0)
		snprintf(text, size, "a cable has two ends, and the processes %d and %d have them",
			 (int)by->pid, (int)by->other_pid);
	else
		snprintf(text, size, "a cable has two ends, and two other programs have them");
}

/* `refusal` is what the peer has sent. */
static void refusal_take(struct cable *cable, const struct refusal *refusal)
{
	cable->refusal = *refusal;
	if (pid_of(cable->peer) != refusal->pid)
		cable->refusal.pid = 0; /* its numbers are those of another container */
	cable->refused = true;
	cable->readable = false;
	close_peer(cable);
}

/* The same, of a NIC that runs. */
static void turned_away(struct cable *cable, const struct refusal *refusal)
{
	char text[REFUSAL_TEXT];

	refusal_take(cable, refusal);
	refusal_text(cable, text, sizeof(text));
	if (!cable->complained)
		log_warning("wire cable:%s: %s; the link is down until one of them ends",
			    cable->path, text);
	cable->complained = true;
	phy_light_set(cable->wire.nic, false);
	retry_later(cable);
}

static void meet_peer(struct cable *cable)
{
	struct ixgbe_why why;
	int err = find_peer(cable, &why);

	if (!err) {
		if (cable->peer < 0)
			joined(cable);
		return;
	}
	if (err != -EWOULDBLOCK) {
		if (!cable->complained)
			log_error("%s; the link is down until then", why.text);
		cable->complained = true;
	}
	retry_later(cable);
}

/* One packet of the peer. False: there is none. */
static bool cable_take(struct cable *cable)
{
	struct nic *nic = cable->wire.nic;
	ssize_t len = recv(cable->peer, cable->buffer, sizeof(cable->buffer), MSG_TRUNC);
	struct frame frame = {.head = cable->buffer, .head_len = (uint32_t)len};
	struct refusal refusal;

	/* A peer that closed without reading all is an error once, before what it had sent. */
	if (len < 0 && (errno == EINTR || errno == ECONNRESET))
		return true;
	if (len < 0 && errno == EAGAIN) {
		cable->readable = false;
		return false;
	}
	if (len <= 0) {
		unplug(cable);
	} else if (len == 1) {
		joined(cable);
		phy_light_set(nic, cable->buffer[0]);
	} else if (len == sizeof(refusal)) {
		memcpy(&refusal, cable->buffer, sizeof(refusal));
		turned_away(cable, &refusal);
	} else if ((size_t)len > sizeof(cable->buffer)) {
		count(nic, COUNTER_wire_drop_truncated);
	} else {
		wire_receive(&cable->wire, &frame);
	}
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

static void cable_far_end(const struct wire *wire, char *text, size_t size)
{
	const struct cable *cable = (const struct cable *)wire;

	if (cable->refused)
		refusal_text(cable, text, size);
	else
		snprintf(text, size, "%s", cable->peer >= 0 ? "there" : "awaited");
}

static const struct wire_ops cable_ops = {
	.poll = cable_poll,
	.send = cable_send,
	.carrier = cable_carrier,
	.far_end = cable_far_end,
	.free = cable_free,
};

/* Waits, but not for ever, until the peer takes or refuses us. */
static bool refused(struct cable *cable)
{
	struct pollfd peer = {.fd = cable->peer, .events = POLLIN};
	struct refusal refusal;
	ssize_t len = -1;

	if (poll(&peer, 1, LISTEN_BUSY_MS) != 1)
		return false;
	/* An error comes first, and once: as in cable_take. */
	for (int i = 0; i < 2 && len < 0; i++)
		len = recv(cable->peer, &refusal, sizeof(refusal), MSG_PEEK | MSG_TRUNC);
	if (len != sizeof(refusal))
		return false;
	refusal_take(cable, &refusal);
	return true;
}

/* As find_peer, of a NIC that starts. One of the two ends may be about to end. */
static int find_peer_first(struct cable *cable, struct ixgbe_why *why)
{
	char text[REFUSAL_TEXT];

	for (int wait_ms = LISTEN_BUSY_MS;; wait_ms -= LISTEN_NEXT_MS) {
		int err = find_peer(cable, why);

		if (err || cable->peer < 0 || !refused(cable)) {
			cable->refused = false;
			return err;
		}
		if (wait_ms <= 0)
			break;
		usleep(LISTEN_NEXT_MS * 1000);
	}
	refusal_text(cable, text, sizeof(text));
	return ixgbe_why_fill(why, -EADDRINUSE,
			      "wire cable:%s: %s; stop one of them, or choose another path",
			      cable->path, text);
}

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
	err = find_peer_first(cable, why);
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
