/* SPDX-License-Identifier: MIT */
/*
 * A stream brings probes one after another, perhaps several at once or half of one. A connection
 * has room for the largest; while its answer can't go, nothing more is read from it, so a sender
 * that does not take its answers fills its own queue and nobody's memory.
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
	IN_BYTES = 1 << 16, /* the longest message and a byte */
	/* A signal that comes just before the wait ends it this late. */
	WAIT_MAX_MS = 200,
	/* A sender that is silent for so long is asked whether it is there still. */
	KEEPALIVE_S = 60,
};

struct connection {
	int fd;
	uint8_t *in;
	size_t start, end;   /* what has come and is not answered */
	size_t answer_left;  /* bytes of the answer at `start` that are not out yet */
	int64_t received_ns; /* the last of it */
};

struct server {
	struct connection connections[CONNECTIONS_MAX];
	size_t count;
	struct pollfd waiting[1 + CONNECTIONS_MAX]; /* the listening socket first */
};

/* 0: it is out. -EAGAIN, or why the connection is of no use any more. */
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

/* Answers what has come: 0 when nothing whole is left, otherwise as send_answer. */
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

/* Reads what is there: 0, or why the connection has ended. */
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

/* What there is to do on a connection: 0, or why it has ended. */
static int serve(struct connection *connection)
{
	int err = connection->answer_left ? send_answer(connection) : receive(connection);

	if (!err)
		err = answer_messages(connection);
	return err == -EAGAIN ? 0 : err;
}

/* Whether it could be taken. */
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
	bool room = true; /* for another connection: memory, and file descriptors */

	while (!stop_asked()) {
		/* Who comes when all places are taken, or there was no room just now, waits. */
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
		/* From the end, since the last takes the place of one that is dropped. */
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
