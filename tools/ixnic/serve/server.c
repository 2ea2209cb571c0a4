/* SPDX-License-Identifier: MIT */
/*
 * Serving clients.
 *
 * Everything runs from the loop. When the socket is readable, there is one read, and every whole
 * message in it is answered at once, in order. A reply that the client does not take is kept, and
 * nothing more is read from the client until the reply is out: no client makes us grow. One
 * deadline watches whatever a client leaves half done: the negotiation, a message, the taking of a
 * message.
 *
 * The server asks the client, too (ask.c): for the bus accesses of rogue.c. The question goes out
 * between two replies, and its own reply is one more message to handle. Only a deadline waits for
 * it.
 *
 * The client may have a channel of its own for the registers (ioregion.c).
 *
 * A request that the protocol can refuse (a range outside a region, a mapping over another) is
 * answered with an error, and the connection goes on. A message that leaves no sense in the stream,
 * or could only be an attack, ends the connection.
 */
#include "bridge/service/log.h"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ask.h"
#include "commands.h"
#include "ioregion.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "bridge/service/listen.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/loop.h"

/* How long a client may leave something half done. */
#define CLIENT_DEADLINE_NS 5000000000ull

/* The things that it may leave half done. */
static const char negotiation[] = "the negotiation";
static const char message_rest[] = "the rest of a message";
static const char reply_taking[] = "taking a message";

struct server {
	struct nic *nic;
	struct pci_function function;
	struct commands commands;

	struct listen_socket listener; /* not listening: a socket was handed over */

	bool connected;
	const char *unfinished; /* the deadline waits for this; NULL: for nothing */
	size_t out_len, out_sent;
	int out_fd;                  /* goes with the first byte; -1: none */
	uint8_t out[VU_MESSAGE_MAX]; /* a reply, or a question of ours */
	struct vu_stream stream;
	struct ask ask;
	struct ioregion ioregion;
};

/* ---- The client's life ---- */

static void on_client(void *ctx, uint32_t events);

/* Waits for `what` from now on, unless that is waited for already. */
static void deadline_set(struct server *s, const char *what);

static void client_drop(struct server *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Nothing is on its way to the client. */
static void out_forget(struct server *s)
{
	s->out_len = s->out_sent = 0;
	if (s->out_fd >= 0)
		close(s->out_fd);
	s->out_fd = -1;
}

/* Ends the connection: with a reason, if the client is to blame, else NULL. */
static void client_drop(struct server *s, const char *format, ...)
{
	char reason[160];
	va_list args;

	if (!s->connected)
		return;
	if (format) {
		va_start(args, format);
		ixgbe_text_fit(reason, sizeof(reason), format, args);
		va_end(args);
		log_warning("dropped the client: %s", reason);
	}
	deadline_set(s, NULL);
	loop_remove(s->nic->loop, s->stream.sock);
	vu_stream_close(&s->stream);
	s->connected = s->commands.negotiated = false;
	out_forget(s);
	ioregion_close(&s->ioregion);
	pci_function_release(&s->function);
	ask_client_left(&s->ask);
	if (s->listener.fd < 0)
		loop_stop(s->nic->loop);
}

static void on_deadline(void *ctx, uint32_t events)
{
	struct server *s = ctx;

	(void)events;
	client_drop(s, "%s took it longer than %llu s", s->unfinished,
		    CLIENT_DEADLINE_NS / 1000000000ull);
}

static void deadline_set(struct server *s, const char *what)
{
	if (what == s->unfinished)
		return;
	s->unfinished = what;
	loop_timer_set(s->nic->loop, LOOP_TIMER_CLIENT,
		       what ? loop_now_ns() + CLIENT_DEADLINE_NS : 0, on_deadline, s);
}

/* Nothing is on its way to the client: sets the deadline for what it left half done, if anything.
 */
static void deadline_next(struct server *s)
{
	deadline_set(s, !s->commands.negotiated         ? negotiation
			: vu_stream_partial(&s->stream) ? message_rest
							: NULL);
}

static void on_torn(void *ctx, uint32_t events)
{
	struct server *s = ctx;

	(void)events;
	/* The event may be of a client that left in this round, with the next one already here. */
	if (!memory_torn(s->nic->memory))
		return;
	client_drop(s, "it cut short memory that the NIC was using");
	memory_unmap_all(s->nic->memory); /* quietens the event in any case */
}

/* The process at the other end; 0: not known. */
static pid_t peer_of(int sock)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? 0 : peer.pid;
}

static int client_new(struct server *s, int sock)
{
	int err = loop_add(s->nic->loop, sock, EPOLLIN, on_client, s);

	if (err)
		return err;
	vu_stream_init(&s->stream, sock);
	s->connected = true;
	violations_client(s->nic);
	memory_client(s->nic->memory, peer_of(sock));
	deadline_set(s, negotiation);
	return 0;
}

/* The NIC has its client. Another one is answered before its first message, which is never read. */
static void send_away(int sock)
{
	struct vu_header header = {
		.command = VU_VERSION, .flags = VU_REPLY | VU_ERROR, .error = EBUSY};

	(void)vu_send(sock, &header, NULL, 0, NULL, 0, 0);
	close(sock);
}

static bool client_has_left(const struct server *s)
{
	struct pollfd pfd = {.fd = s->stream.sock, .events = POLLRDHUP};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

static void on_listener(void *ctx, uint32_t events)
{
	struct server *s = ctx;
	int sock = listen_accept(&s->listener, NULL);

	(void)events;
	if (sock < 0)
		return;
	/* The next client may come before we have noticed that this one went. */
	if (s->connected && client_has_left(s))
		client_drop(s, NULL);
	if (s->connected) {
		log_warning("sent a second client away: the NIC has one already");
		send_away(sock);
		return;
	}
	if (client_new(s, sock))
		close(sock);
}

/* ---- What goes out ---- */

/* Sends the rest of the reply. */
static void out_flush(struct server *s)
{
	while (s->out_sent < s->out_len) {
		ssize_t n = vu_send_some(s->stream.sock, s->out + s->out_sent,
					 s->out_len - s->out_sent, s->out_sent ? -1 : s->out_fd);

		if (n >= 0) {
			s->out_sent += (size_t)n;
		} else if (n == -EAGAIN) {
			loop_modify(s->nic->loop, s->stream.sock, EPOLLOUT);
			deadline_set(s, reply_taking);
			return;
		} else {
			client_drop(s, NULL);
			return;
		}
	}
	out_forget(s);
}

/* ---- Questions of ours ---- */

/* Sends the question, if there is one and nothing else is on its way. */
static void ask_send(struct server *s)
{
	if (!s->connected || s->out_len)
		return;
	s->out_len = ask_take(&s->ask, s->out);
	out_flush(s);
}

int server_dma(struct server *s, uint64_t iova, size_t len, const void *data, ask_fn done,
	       void *ctx)
{
	int err;

	if (!s->commands.negotiated)
		return -ENOTCONN;
	if (len > s->commands.data_max)
		return -EMSGSIZE;
	err = ask_start(&s->ask, iova, len, data, done, ctx);
	if (!err)
		ask_send(s);
	return err;
}

void server_dma_cancel(struct server *s)
{
	ask_cancel(&s->ask);
}

/* ---- The stream ---- */

/* Answers one message. */
static void handle(struct server *s, struct vu_message *m)
{
	struct vu_header head = {
		.id = m->header.id, .command = m->header.command, .flags = VU_REPLY};
	int len;

	if ((m->header.flags & VU_TYPE) != VU_COMMAND) {
		if (!ask_reply(&s->ask, m))
			client_drop(s, "a reply that answers nothing");
		return;
	}
	if (!s->commands.negotiated && m->header.command != VU_VERSION) {
		client_drop(s, "command %u before the negotiation", m->header.command);
		return;
	}
	ioregion_serve(&s->ioregion);
	len = commands_answer(&s->commands, m, s->out + sizeof(head));
	s->out_fd = s->commands.reply_fd;
	if (m->header.flags & VU_NO_REPLY) {
		if (len < 0)
			log_debug("posted command %u: %s", m->header.command, strerror(-len));
		return;
	}
	if (len < 0) {
		head.flags |= VU_ERROR;
		head.error = (uint32_t)-len;
		len = 0;
	}
	head.size = (uint32_t)(sizeof(head) + (size_t)len);
	memcpy(s->out, &head, sizeof(head));
	s->out_len = head.size;
	out_flush(s);
}

/* Handles the messages of the last read; reads at most once. */
static void messages_run(struct server *s)
{
	struct vu_message m;
	bool whole = false;

	do {
		int err = vu_stream_next(&s->stream, &m);

		if (err == -EAGAIN)
			break;
		if (err == -EPIPE) {
			client_drop(s, NULL);
		} else if (err == -EBADMSG) {
			client_drop(s, "it closed within a message");
		} else if (err) {
			client_drop(s, "%s",
				    err == -EPROTO ? "it does not speak vfio-user"
						   : strerror(-err));
		} else {
			handle(s, &m);
			vu_message_close(&m);
			whole = true;
		}
	} while (s->connected && s->out_len == 0 && vu_stream_ready(&s->stream));

	if (!s->connected || s->out_len)
		return;
	if (whole && s->commands.negotiated)
		deadline_set(s, NULL); /* a new message has a new deadline */
	deadline_next(s);
}

static void on_client(void *ctx, uint32_t events)
{
	struct server *s = ctx;

	if (s->out_len) {
		if (events & (EPOLLHUP | EPOLLERR)) {
			client_drop(s, NULL);
			return;
		}
		out_flush(s);
		if (!s->connected || s->out_len)
			return;
		deadline_next(s);
		loop_modify(s->nic->loop, s->stream.sock, EPOLLIN);
		ask_send(s);
		if (!s->connected || s->out_len)
			return;
		if (!vu_stream_ready(&s->stream))
			return;
	}
	messages_run(s);
}

/* ---- The socket ---- */

/* The socket of "fd:N", or -errno. */
static int socket_take(const char *name, struct ixgbe_why *why)
{
	int sock = vu_socket_take(name + 3);

	if (sock == -EINVAL)
		return ixgbe_why_fill(why, sock, "--socket %s: fd:N wants a number", name);
	if (sock < 0)
		return ixgbe_why_fill(why, sock, "--socket %s: %s; N is a connected stream socket",
				      name, strerror(-sock));
	return sock;
}

static int socket_listen(struct server *s, const char *path, struct ixgbe_why *why)
{
	int err = listen_at("--socket", path, SOCK_STREAM, LISTEN_BUSY_MS, &s->listener, why);

	if (err)
		return err;
	err = loop_add(s->nic->loop, s->listener.fd, EPOLLIN, on_listener, s);
	return err ? ixgbe_why_fill(why, err, "--socket %s: %s", path, strerror(-err)) : 0;
}

int server_new(struct nic *nic, const char *name, const struct server_options *options,
	       struct server **out, struct ixgbe_why *why)
{
	struct server *s = calloc(1, sizeof(*s));
	int err, sock;

	if (!s)
		return ixgbe_why_fill(why, -ENOMEM, "--socket: out of memory");
	s->nic = nic;
	s->listener.fd = s->stream.sock = s->out_fd = -1;
	s->commands.function = &s->function;
	s->commands.ioregion = options->no_io_fds ? NULL : &s->ioregion;
	ioregion_init(&s->ioregion, &s->function);
	err = pci_function_init(&s->function, nic);
	ask_init(&s->ask, nic, &s->function.config);
	if (!err)
		err = loop_add(nic->loop, memory_torn_fd(nic->memory), EPOLLIN, on_torn, s);
	if (err) {
		ixgbe_why_fill(why, err, "--socket: %s", strerror(-err));
		goto fail;
	}
	if (strncmp(name, "fd:", 3) == 0) {
		sock = socket_take(name, why);
		err = sock < 0 ? sock : client_new(s, sock);
		if (sock >= 0 && err)
			ixgbe_why_fill(why, err, "--socket %s: %s", name, strerror(-err));
	} else {
		err = socket_listen(s, name, why);
	}
	if (err)
		goto fail;
	*out = s;
	return 0;

fail:
	server_free(s);
	return err;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->listener.fd >= 0)
		loop_remove(s->nic->loop, s->listener.fd);
	client_drop(s, NULL);
	listen_close(&s->listener);
	loop_remove(s->nic->loop, memory_torn_fd(s->nic->memory));
	pci_function_free(&s->function);
	free(s);
}

bool server_client(const struct server *s)
{
	return s->commands.negotiated;
}

bool server_channel(const struct server *s)
{
	return s->ioregion.sock >= 0;
}
