/* SPDX-License-Identifier: MIT */
/*
 * The reflector of TCP connections. One read can bring several probes, or a part of one; a
 * connection's buffer holds the largest. Nothing is read from a connection while an answer waits to
 * be sent. So a sender that does not read its answers fills its own queue, and none of our memory.
 */
#include "reflect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/ixlat/ixlat.h"
#include "probe.h"
#include "stop.h"
#include "tools/ixtap/output.h"

enum {
	CONNECTIONS_MAX = 64,
	IN_BYTES = 1 << 16, /* more than the longest message */
	/* A signal that comes right before the wait does not end it; the end of the wait does. */
	WAIT_MAX_MS = 200,
	/* After so long without a probe the kernel asks whether the sender is still there. */
	KEEPALIVE_S = 60,
};

struct connection {
	int fd;
	uint8_t *in;
	size_t start, end;   /* received, and not answered yet */
	size_t answer_left;  /* bytes of the answer at `start` that are not sent yet */
	int64_t received_ns; /* when the last of these bytes were received */
};

struct server {
	struct connection connections[CONNECTIONS_MAX];
	size_t count;
	struct pollfd waiting[1 + CONNECTIONS_MAX]; /* the listening socket first */
};

/* 0: all of the answer is sent. -EAGAIN: not yet. Other -errno: the connection has ended. */
static int send_answer(struct connection *connection)
{
	while (connection->answer_left) {
		ssize_t sent = send(connection->fd, connection->in + connection->start,
				    connection->answer_left, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		connection->start += (size_t)sent;
		connection->answer_left -= (size_t)sent;
	}
	return 0;
}

/* Answers all whole probes: 0, or as send_answer(). */
static int answer_messages(struct connection *connection)
{
	for (;;) {
		size_t have = connection->end - connection->start;
		struct probe *probe = (struct probe *)(connection->in + connection->start);
		uint16_t bytes;
		int err;

		if (have < sizeof(*probe))
			return 0;
		bytes = probe_bytes(probe);
		if (!bytes || !probe_is_request(probe, bytes))
			return -EPROTO;
		if (have < bytes)
			return 0;
		probe_make_answer(probe, connection->received_ns);
		probe_stamp_sent(probe, clock_ns());
		connection->answer_left = bytes;
		err = send_answer(connection);
		if (err)
			return err;
	}
}

/* 0, or why the connection has ended. */
static int receive(struct connection *connection)
{
	ssize_t got;

	memmove(connection->in, connection->in + connection->start,
		connection->end - connection->start);
	connection->end -= connection->start;
	connection->start = 0;
	got = recv(connection->fd, connection->in + connection->end, IN_BYTES - connection->end,
		   MSG_DONTWAIT);
	if (got < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
	connection->received_ns = clock_ns();
	connection->end += (size_t)got;
	return got ? 0 : -ECONNRESET;
}

/* Goes on with a connection that poll(2) reported: 0, or why the connection has ended. */
static int serve(struct connection *connection)
{
	int err = connection->answer_left ? send_answer(connection) : receive(connection);

	if (!err)
		err = answer_messages(connection);
	return err == -EAGAIN ? 0 : err;
}

/* False: there is no memory or no file descriptor for a further connection. */
static bool take_connection(struct server *server)
{
	int fd = accept4(server->waiting[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection taken = {.fd = fd, .in = malloc(IN_BYTES)};
	int on = 1, idle_s = KEEPALIVE_S;

	if (fd < 0 || !taken.in || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)) < 0) {
		free(taken.in);
		if (fd >= 0)
			close(fd);
		return false;
	}
	server->connections[server->count++] = taken;
	return true;
}

static void drop_connection(struct server *server, size_t i)
{
	close(server->connections[i].fd);
	free(server->connections[i].in);
	server->connections[i] = server->connections[--server->count];
}

static int serve_all(struct server *server)
{
	bool room = true; /* memory and a file descriptor for a further connection */

	while (!stop_asked()) {
		/* Without a place or without room, connections wait in the kernel's queue. */
		server->waiting[0].events = room && server->count < CONNECTIONS_MAX ? POLLIN : 0;
		for (size_t i = 0; i < server->count; i++)
			server->waiting[1 + i] = (struct pollfd){
				.fd = server->connections[i].fd,
				.events = server->connections[i].answer_left ? POLLOUT : POLLIN,
			};
		if (poll(server->waiting, 1 + server->count, WAIT_MAX_MS) < 0) {
			if (errno == EINTR)
				continue;
			fail("cannot wait for connections: %s", strerror(errno));
			return -1;
		}
		/* Backwards, since drop_connection() moves the last one. */
		for (size_t i = server->count; i-- > 0;)
			if (server->waiting[1 + i].revents && serve(&server->connections[i]))
				drop_connection(server, i);
		room = !(server->waiting[0].revents & POLLIN) || take_connection(server);
	}
	return 0;
}

int reflect_tcp(const struct ixlat_options *options)
{
	struct server *server = calloc(1, sizeof(*server));
	int fd = reflect_bind(options, SOCK_STREAM);
	int err = -1;

	if (fd >= 0 && server) {
		server->waiting[0].fd = fd;
		stop_on_signals();
		if (listen(fd, CONNECTIONS_MAX) < 0)
			fail("cannot listen: %s", strerror(errno));
		else if (reflect_ready() == 0)
			err = serve_all(server);
		while (server->count > 0)
			drop_connection(server, server->count - 1);
	} else if (!server) {
		fail("out of memory");
	}
	if (fd >= 0)
		close(fd);
	free(server);
	return err;
}
