/* SPDX-License-Identifier: MIT */
/*
 * The control socket. The listener and the clients are in an epoll set of their own, whose
 * descriptor is what control_fd() returns, so that the daemon's loop sees one thing.
 *
 * Nothing in here waits. Events are level-triggered and a client gets one request
 * handled each time it is its turn, so a client that asks without end shares the loop
 * with the others. What a client may hold is bounded: its place, one socket buffer.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct client {
	int fd; /* -1: the place is free */
	bool monitor;
	uint64_t heard;  /* turn of the last request */
	uint64_t missed; /* events since the last that fitted */
};

struct control {
	int epoll, listener;
	struct sockaddr_un address;
	control_answer_fn answer;
	void *ctx;
	uint64_t turn;
	struct client client[CONTROL_CLIENTS_MAX];
};

/* ---- JSON ---- */

json_t *control_time(void)
{
	struct timespec now;
	int64_t us;

	clock_gettime(CLOCK_REALTIME, &now);
	us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	return json_real((double)us / 1e6);
}

json_t *control_error(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return json_pack("{s:s}", "error", text);
}

/* ---- Clients ---- */

static void client_close(struct client *client)
{
	/* Closing takes it out of the epoll set: nobody else has the descriptor. */
	close(client->fd);
	*client = (struct client){.fd = -1};
}

/* -EAGAIN: no room in the client's buffer. Any other error: it is gone, or the packet can't be
 * sent. */
static int send_text(int fd, const char *text, size_t len)
{
	if (send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR) >= 0)
		return 0;
	return errno == ENOBUFS ? -EAGAIN : -errno;
}

static int send_json(int fd, const json_t *json)
{
	/* 16 digits: a time to the microsecond, without the noise of binary fractions. */
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(16));
	size_t len = text ? strlen(text) : 0;
	int err;

	if (!text)
		err = -ENOMEM;
	else if (len > CONTROL_REPLY_MAX)
		err = -EMSGSIZE;
	else
		err = send_text(fd, text, len);
	free(text);
	return err;
}

/* Takes the reference. A reply that does not fit is the client's fault: it reads nothing. */
static void reply(struct client *client, json_t *json)
{
	int err = send_json(client->fd, json);

	json_decref(json);
	if (err == -EMSGSIZE) {
		json = control_error("the answer does not fit the socket: ask for less");
		err = send_json(client->fd, json);
		json_decref(json);
	}
	if (err)
		client_close(client);
}

/* Splits in place; the number of words, or one above the limit. */
static size_t split(char *text, char *words[CONTROL_WORDS_MAX])
{
	size_t count = 0;
	char *save;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (count == CONTROL_WORDS_MAX)
			return CONTROL_WORDS_MAX + 1;
		words[count++] = word;
	}
	return count;
}

static bool printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static json_t *answer_packet(struct control *control, char *text, size_t len, bool *monitor)
{
	char *words[CONTROL_WORDS_MAX] = {NULL};
	size_t count;

	if (len > CONTROL_REQUEST_MAX)
		return control_error("the request is longer than %u bytes", CONTROL_REQUEST_MAX);
	if (len && text[len - 1] == '\n')
		len--;
	if (!printable(text, len))
		return control_error("the request has bytes that are not printable ASCII");
	text[len] = '\0';
	count = split(text, words);
	if (!count)
		return control_error("the request is empty: try status");
	if (count > CONTROL_WORDS_MAX)
		return control_error("the request has more than %u words", CONTROL_WORDS_MAX);
	return control->answer(control->ctx, count, words, monitor);
}

static void client_read(struct control *control, struct client *client)
{
	char text[CONTROL_REQUEST_MAX + 1];
	ssize_t len = recv(client->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
	bool monitor = false;
	json_t *answer;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An empty packet can't be told from the end of the connection. */
	if (len <= 0 || client->monitor) {
		client_close(client);
		return;
	}
	client->heard = ++control->turn;
	answer = answer_packet(control, text, (size_t)len, &monitor);
	client->monitor = monitor;
	reply(client, answer);
}

/* A free place, or that of the client that was silent longest; NULL: all are monitors. */
static struct client *place(struct control *control)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *client = &control->client[i];

		if (client->fd < 0)
			return client;
		if (!client->monitor && (!oldest || client->heard < oldest->heard))
			oldest = client;
	}
	if (oldest)
		client_close(oldest);
	return oldest;
}

static void refuse(int fd)
{
	json_t *error =
		control_error("%u programs monitor already: end one of them", CONTROL_CLIENTS_MAX);

	send_json(fd, error);
	json_decref(error);
	close(fd);
}

static void client_accept(struct control *control)
{
	int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	int room = CONTROL_REPLY_MAX;
	struct client *client;

	if (fd < 0)
		return;
	client = place(control);
	if (!client) {
		refuse(fd);
		return;
	}
	/* Room for the longest reply; without privilege, as much as the system allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	event.data.ptr = client;
	if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event)) {
		close(fd);
		return;
	}
	*client = (struct client){.fd = fd, .heard = ++control->turn};
}

/* ---- The server ---- */

/* A socket nobody listens on is left from a process that was killed: it goes. */
static int remove_stale(const struct sockaddr_un *address, struct ixgbe_why *why)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why->text, sizeof(why->text),
			 "the control path %s exists and is no socket: remove it or use another "
			 "--control",
			 address->sun_path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* EPROTOTYPE: somebody listens with another type. EAGAIN: its backlog is full. */
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    errno != ECONNREFUSED) {
		snprintf(why->text, sizeof(why->text),
			 "the control socket %s is in use: another ixtapd runs; stop it or use "
			 "another --control",
			 address->sun_path);
		err = -EADDRINUSE;
	} else if (unlink(address->sun_path) && errno != ENOENT) {
		err = -errno;
	}
	close(fd);
	return err;
}

static int make_directory(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(copy, sizeof(copy), "%s", path);
	return mkdir(dirname(copy), 0755) && errno != EEXIST ? -errno : 0;
}

static int listen_at(struct control *control, const char *path, struct ixgbe_why *why)
{
	struct epoll_event event = {.events = EPOLLIN};
	mode_t mask;
	int err;

	why->text[0] = '\0';
	control->address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(control->address.sun_path))
		return -ENAMETOOLONG;
	strcpy(control->address.sun_path, path);
	err = make_directory(path);
	/* A parent that is missing shows in bind(). */
	if (err && err != -ENOENT)
		return err;
	err = remove_stale(&control->address, why);
	if (err)
		return err;
	control->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->listener < 0)
		return -errno;
	mask = umask(0177);
	err = bind(control->listener, (struct sockaddr *)&control->address,
		   sizeof(control->address))
		      ? -errno
		      : 0;
	umask(mask);
	if (err) {
		control->address.sun_path[0] = '\0'; /* not ours to remove */
		return err;
	}
	if (listen(control->listener, CONTROL_CLIENTS_MAX) ||
	    epoll_ctl(control->epoll, EPOLL_CTL_ADD, control->listener, &event))
		return -errno;
	return 0;
}

int control_open(const char *path, control_answer_fn answer, void *ctx, struct control **out,
		 struct ixgbe_why *why)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control) {
		snprintf(why->text, sizeof(why->text), "out of memory");
		return -ENOMEM;
	}
	control->listener = -1;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->client[i].fd = -1;
	control->answer = answer;
	control->ctx = ctx;
	control->epoll = epoll_create1(EPOLL_CLOEXEC);
	err = control->epoll < 0 ? -errno : listen_at(control, path, why);
	if (!err) {
		*out = control;
		return 0;
	}
	if (!why->text[0])
		snprintf(why->text, sizeof(why->text),
			 "cannot make the control socket %s: %s; choose another with --control",
			 path, strerror(-err));
	if (control->listener < 0)
		control->address.sun_path[0] = '\0';
	control_close(control);
	return err;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->client[i].fd >= 0)
			client_close(&control->client[i]);
	if (control->listener >= 0)
		close(control->listener);
	if (control->address.sun_path[0])
		unlink(control->address.sun_path);
	if (control->epoll >= 0)
		close(control->epoll);
	free(control);
}

int control_fd(const struct control *control)
{
	return control->epoll;
}

void control_dispatch(struct control *control)
{
	struct epoll_event event[CONTROL_CLIENTS_MAX + 1];
	int count = epoll_wait(control->epoll, event, CONTROL_CLIENTS_MAX + 1, 0);
	bool accept = false;

	/* The listener last: accepting may close a client that has an event in this set. */
	for (int i = 0; i < count; i++) {
		if (event[i].data.ptr)
			client_read(control, event[i].data.ptr);
		else
			accept = true;
	}
	if (accept)
		client_accept(control);
}

bool control_monitored(const struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->client[i].monitor)
			return true;
	return false;
}

static void publish_to(struct client *client, const json_t *event)
{
	int err = 0;

	if (client->missed) {
		json_t *missed = json_pack("{s:o,s:s,s:I}", "time", control_time(), "event",
					   "missed", "count", (json_int_t)client->missed);

		err = send_json(client->fd, missed);
		json_decref(missed);
		if (!err)
			client->missed = 0;
	}
	if (!err)
		err = send_json(client->fd, event);
	if (err == -EAGAIN)
		client->missed++;
	else if (err)
		client_close(client);
}

void control_publish(struct control *control, json_t *event)
{
	json_object_set_new(event, "time", control_time());
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->client[i].monitor)
			publish_to(&control->client[i], event);
	json_decref(event);
}
