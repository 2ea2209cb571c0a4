/* SPDX-License-Identifier: MIT */
/*
 * The listener and the clients are in an epoll set of their own. control_fd() returns its
 * descriptor, the one thing that the daemon's loop watches.
 *
 * Nothing here waits. Events are level-triggered and a client's turn handles one request: a client
 * that asks without end shares the loop with the others. A client holds its place and one socket
 * buffer, never more.
 *
 * An answer may wait, and have others served meanwhile: control_dispatch runs within
 * control_dispatch then. So it takes one event at a time, and whatever holds a client while an
 * answer is made looks afterwards whether the client is the same still.
 */
#include "control.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "listen.h"
#include "log.h"
#include "printable.h"
#include "text_json.h"

#define TURNED_REQUESTS 64 /* more than a socket's queue has: net.unix.max_dgram_qlen */

static_assert(CONTROL_MONITORS_MAX < CONTROL_CLIENTS_MAX, "who asks finds a place");

struct client {
	int fd; /* -1: the place is free */
	bool monitor;
	bool waiting;    /* for an answer that is not there yet */
	bool deaf;       /* its requests are no events now */
	int unread;      /* of a monitor: what waits in its buffer, as last seen */
	int64_t read_ms; /* of a monitor: when it last read something, or had nothing to read */
	uint64_t id;     /* no two clients of a run have the same */
	uint64_t heard;  /* turn of the last request */
	uint64_t missed; /* events since the last that fitted */
};

struct control {
	int epoll;
	struct listen_socket listener;
	const struct control_command *commands;
	void *ctx;
	uint64_t turn;
	const char *busy; /* why most requests are refused now; NULL: they are not */
	uint64_t former;  /* who asked the program that this process executed before */
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
	char text[1024]; /* half of it for what printable() makes longer */
	va_list args;

	va_start(args, format);
	ixgbe_text_fit(text, sizeof(text) / 2, format, args);
	va_end(args);
	printable(text, sizeof(text));
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
	char *text = text_json_dump(json, JSON_COMPACT);
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

/* Closes with a last word. What was asked meanwhile is taken out: the end of a connection with
 * something unread is a failure for who reads the word. */
static void turn_away(struct client *client, json_t *error)
{
	char text[CONTROL_REQUEST_MAX];

	for (int i = 0; i < TURNED_REQUESTS; i++)
		if (recv(client->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC) <= 0)
			break;
	send_json(client->fd, error);
	json_decref(error);
	client_close(client);
}

/* Splits in place; the number of words, or one above the limit. */
static size_t split(char *text, char *words[CONTROL_WORDS_MAX + 1])
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

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

/* Splits a packet of `len` bytes and room for one more into words: NULL, or an error to reply. */
static json_t *request_parse(char *text, size_t len, struct control_request *request)
{
	if (len > CONTROL_REQUEST_MAX)
		return control_error("the request is longer than %u bytes", CONTROL_REQUEST_MAX);
	if (len && text[len - 1] == '\n')
		len--;
	if (!is_ascii(text, len))
		return control_error("the request has bytes that are not printable ASCII");
	text[len] = '\0';
	request->count = split(text, request->words);
	if (!request->count)
		return control_error("the request is empty: try status");
	if (request->count > CONTROL_WORDS_MAX)
		return control_error("the request has more than %u words", CONTROL_WORDS_MAX);
	return NULL;
}

static json_t *unknown_command(const struct control_command *command, const char *word)
{
	char names[256] = "";

	for (; command->name; command++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 *names ? ", " : "", command->name);
	return control_error("there is no request '%s': use one of %s", word, names);
}

static unsigned int monitors(const struct control *control)
{
	unsigned int count = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		count += control->client[i].fd >= 0 && control->client[i].monitor;
	return count;
}

/* Takes the reference of an answer that makes its client a monitor. */
static json_t *monitor_begin(const struct control *control, struct client *client, json_t *json)
{
	if (monitors(control) >= CONTROL_MONITORS_MAX) {
		json_decref(json);
		return control_error("%u programs monitor already: end one of them",
				     CONTROL_MONITORS_MAX);
	}
	client->monitor = true;
	client->read_ms = clock_ms();
	return json;
}

static json_t *too_many_words(const struct control_command *command)
{
	if (command->args_max == 0)
		return control_error("'%s' takes no words behind it", command->name);
	return control_error("'%s' takes at most %zu word%s behind it", command->name,
			     command->args_max, command->args_max == 1 ? "" : "s");
}

static json_t *answer(const struct control *control, struct control_request *request)
{
	const struct control_command *command = control->commands;

	while (command->name && strcmp(command->name, request->words[0]))
		command++;
	if (!command->name)
		return unknown_command(control->commands, request->words[0]);
	if (request->count - 1 > command->args_max)
		return too_many_words(command);
	if (control->busy && !command->meanwhile)
		return control_error("%s", control->busy);
	return command->answer(control->ctx, request);
}

/* A client that waits is not heard; its end is. */
static void client_listen(const struct control *control, struct client *client, bool on)
{
	struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = client};

	if (client->deaf == !on)
		return;
	client->deaf = !on;
	epoll_ctl(control->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void client_answer(struct control *control, struct client *client, json_t *json)
{
	client->waiting = false;
	client_listen(control, client, true);
	if (!json)
		json = control_error("the answer cannot be told: out of memory, or not UTF-8");
	reply(client, json);
}

/* Whose program it was that connected. */
static uid_t client_user(const struct client *client)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);

	getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return peer.uid;
}

static void client_read(struct control *control, struct client *client)
{
	char text[CONTROL_REQUEST_MAX + 1];
	ssize_t len = recv(client->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
	struct control_request request = {.client = client->id, .user = client_user(client)};
	json_t *json;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An empty packet can't be told from the end of the connection. */
	if (len <= 0 || client->monitor) {
		client_close(client);
		return;
	}
	client->heard = ++control->turn;
	json = request_parse(text, (size_t)len, &request);
	client->waiting = true;
	if (!json)
		json = answer(control, &request);
	if (client->fd < 0 || client->id != request.client) { /* it left meanwhile */
		json_decref(json);
		return;
	}
	if (request.monitor)
		json = monitor_begin(control, client, json);
	if (!request.late)
		client_answer(control, client, json);
	else if (client->waiting) /* else control_reply has come already */
		client_listen(control, client, false);
}

void control_reply(struct control *control, uint64_t client, json_t *answer)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *at = &control->client[i];

		if (at->fd < 0 || at->id != client)
			continue;
		client_answer(control, at, answer);
		return;
	}
	json_decref(answer);
}

/* A free place, or that of the client that was silent longest, which is no monitor. */
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
	turn_away(oldest, control_error("%u programs are connected, and others ask: this one was "
					"silent longest; ask again",
					CONTROL_CLIENTS_MAX));
	return oldest;
}

static int client_add(struct control *control, struct client *client, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	control->turn++;
	*client = (struct client){.fd = fd, .id = control->turn, .heard = control->turn};
	return 0;
}

static void client_accept(struct control *control)
{
	int fd = listen_accept(&control->listener, "{\"error\":\"too many files are open\"}");
	int room = CONTROL_REPLY_MAX;
	struct client *client;

	if (fd < 0)
		return;
	client = place(control);
	/* Room for the longest reply; without privilege, as much as the system allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (client_add(control, client, fd))
		close(fd);
}

/* ---- The server ---- */

/* Whether a folder there would be below /run, which is empty after each boot. Elsewhere a folder
 * that is missing is a path that was mistyped. */
static bool is_run_folder(const char *folder)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *parent;
	bool run;

	snprintf(copy, sizeof(copy), "%s", folder);
	parent = realpath(dirname(copy), NULL);
	run = parent && !strncmp(parent, "/run", 4) && (!parent[4] || parent[4] == '/');
	free(parent);
	return run;
}

static int make_directory(const char *path, struct ixgbe_why *why)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *folder;

	snprintf(copy, sizeof(copy), "%s", path);
	folder = dirname(copy);
	/* listen_at explains a folder that is missing still. */
	if (!is_run_folder(folder) || !mkdir(folder, 0755) || errno == EEXIST || errno == ENOENT)
		return 0;
	return ixgbe_why_fill(
		why, -errno,
		"control socket %s: cannot make its directory: %s; make it, or choose "
		"another path",
		path, strerror(errno));
}

static int listener_watch(const struct control *control, struct ixgbe_why *why)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(control->epoll, EPOLL_CTL_ADD, control->listener.fd, &event)
		       ? ixgbe_why_fill(why, -errno, "control socket %s: %s",
					control->listener.path, strerror(errno))
		       : 0;
}

static int start(struct control *control, const char *path, struct ixgbe_why *why)
{
	struct sockaddr_un address;
	int err = listen_address("control socket", path, &address, why);

	if (!err)
		err = make_directory(path, why);
	if (err)
		return err;
	err = listen_at("control socket", path, SOCK_SEQPACKET, LISTEN_BUSY_MS, &control->listener,
			why);
	return err ? err : listener_watch(control, why);
}

/* A socket that listens nowhere yet. */
static int control_new(const struct control_command *commands, void *ctx, struct control **out,
		       struct ixgbe_why *why)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		ixgbe_why_fill(why, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	control->listener.fd = control->listener.spare = -1;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->client[i].fd = -1;
	control->commands = commands;
	control->ctx = ctx;
	control->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (control->epoll < 0) {
		ixgbe_why_fill(why, -errno, "control socket: %s", strerror(errno));
		free(control);
		return -EMFILE;
	}
	*out = control;
	return 0;
}

int control_open(const char *path, const struct control_command *commands, void *ctx,
		 struct control **out, struct ixgbe_why *why)
{
	struct control *control;
	int err = control_new(commands, ctx, &control, why);

	if (err)
		return err;
	err = start(control, path, why);
	if (err) {
		control_close(control);
		return err;
	}
	*out = control;
	return 0;
}

bool control_file(const struct control *control, dev_t *dev, ino_t *ino)
{
	if (!control || control->listener.fd < 0)
		return false;
	*dev = control->listener.dev;
	*ino = control->listener.ino;
	return true;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	listen_close(&control->listener);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->client[i].fd >= 0)
			client_close(&control->client[i]);
	if (control->epoll >= 0)
		close(control->epoll);
	free(control);
}

int control_fd(const struct control *control)
{
	return control->epoll;
}

/* Tells a monitor how many events it missed, if there is room now. `time` is that of the event that
 * follows, or times would go back; the reference is taken. */
static int missed_tell(struct client *client, json_t *time)
{
	json_t *missed;
	int err;

	if (!client->missed) {
		json_decref(time);
		return 0;
	}
	missed = json_pack("{s:o,s:s,s:I}", "time", time, "event", "missed", "count",
			   (json_int_t)client->missed);
	err = send_json(client->fd, missed);
	json_decref(missed);
	if (!err)
		client->missed = 0;
	return err;
}

/* What waits in the monitor's buffer. */
static int unread_bytes(const struct client *client)
{
	int bytes = 0;

	return ioctl(client->fd, SIOCOUTQ, &bytes) ? 0 : bytes;
}

/* Notes whether the monitor has read something since `unread` was set. Whoever sends sets it
 * behind: then only what was read makes it less. */
static void silence_note(struct client *client, int64_t now_ms)
{
	int unread = unread_bytes(client);

	if (!unread || unread < client->unread)
		client->read_ms = now_ms;
	client->unread = unread;
}

/* Events of a monitor: its end, and room for what it missed. */
static void monitor_watch(const struct control *control, struct client *client)
{
	struct epoll_event event = {.events = EPOLLIN | (client->missed ? EPOLLOUT : 0),
				    .data.ptr = client};

	epoll_ctl(control->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void monitor_room(const struct control *control, struct client *client)
{
	int err;

	silence_note(client, clock_ms());
	err = missed_tell(client, control_time());
	if (err && err != -EAGAIN) {
		client_close(client);
		return;
	}
	client->unread = unread_bytes(client);
	if (!err)
		monitor_watch(control, client);
}

static void client_event(struct control *control, struct client *client, uint32_t events)
{
	if (client->waiting && !(events & (EPOLLHUP | EPOLLERR)))
		client_listen(control, client, false); /* until it has its answer */
	else if (client->waiting)
		client_close(client);
	else if (events == EPOLLOUT)
		monitor_room(control, client);
	else
		client_read(control, client);
}

void control_dispatch(struct control *control)
{
	struct epoll_event event;

	/* Each client has a turn, and the listener. */
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++) {
		if (epoll_wait(control->epoll, &event, 1, 0) != 1)
			return;
		if (event.data.ptr)
			client_event(control, event.data.ptr, event.events);
		else
			client_accept(control);
	}
}

void control_meanwhile(struct control *control, const char *busy)
{
	control->busy = busy;
	control_dispatch(control);
	control->busy = NULL;
}

void control_end_silent(struct control *control, int64_t now_ms)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *client = &control->client[i];
		struct ucred peer = {0};
		socklen_t len = sizeof(peer);

		if (client->fd < 0 || !client->monitor)
			continue;
		silence_note(client, now_ms);
		if (now_ms - client->read_ms < CONTROL_SILENT_MS)
			continue;
		getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		log_warning("control socket: process %d has monitored and read nothing for %d s: "
			    "ended",
			    (int)peer.pid, CONTROL_SILENT_MS / 1000);
		turn_away(client, control_error("this monitor has read nothing for %d s: ended",
						CONTROL_SILENT_MS / 1000));
	}
}

static void publish_to(const struct control *control, struct client *client, const json_t *event)
{
	int err;

	silence_note(client, clock_ms());
	err = missed_tell(client, json_incref(json_object_get(event, "time")));
	if (!err)
		err = send_json(client->fd, event);
	if (err && err != -EAGAIN) {
		client_close(client);
		return;
	}
	client->unread = unread_bytes(client);
	if (err && client->missed++ == 0)
		monitor_watch(control, client);
}

void control_publish(struct control *control, json_t *event)
{
	json_object_set_new(event, "time", control_time());
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->client[i].monitor)
			publish_to(control, &control->client[i], event);
	json_decref(event);
}

/* ---- From one program to the next ---- */

json_t *control_hand_over(const struct control *control, uint64_t asks)
{
	const struct listen_socket *listener = &control->listener;
	json_t *clients = json_array();

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct client *client = &control->client[i];

		if (client->fd >= 0)
			json_array_append_new(
				clients, json_pack("{s:i,s:b,s:b,s:I}", "fd", client->fd, "monitor",
						   client->monitor, "asks", client->id == asks,
						   "missed", (json_int_t)client->missed));
	}
	return json_pack("{s:i,s:I,s:I,s:o}", "fd", listener->fd, "dev", (json_int_t)listener->dev,
			 "ino", (json_int_t)listener->ino, "clients", clients);
}

static int client_take_over(struct control *control, struct client *client, json_t *from)
{
	int fd, monitor, asks;
	json_int_t missed;

	if (json_unpack(from, "{s:i,s:b,s:b,s:I}", "fd", &fd, "monitor", &monitor, "asks", &asks,
			"missed", &missed) ||
	    client_add(control, client, fd))
		return -EBADMSG;
	client->monitor = monitor;
	client->missed = (uint64_t)missed;
	client->read_ms = clock_ms();
	if (asks) {
		client->waiting = true;
		control->former = client->id;
		client_listen(control, client, false);
	}
	if (client->monitor)
		monitor_watch(control, client);
	return 0;
}

static int all_take_over(struct control *control, const char *path, const json_t *from,
			 struct ixgbe_why *why)
{
	struct listen_socket *listener = &control->listener;
	json_t *clients;
	json_int_t dev, ino;
	int err = json_unpack((json_t *)(uintptr_t)from, "{s:i,s:I,s:I,s:o}", "fd", &listener->fd,
			      "dev", &dev, "ino", &ino, "clients", &clients);

	if (err || strlen(path) >= sizeof(listener->path) ||
	    json_array_size(clients) > CONTROL_CLIENTS_MAX)
		return ixgbe_why_fill(why, -EBADMSG, "control socket: of another version");
	strcpy(listener->path, path);
	listener->dev = (dev_t)dev;
	listener->ino = (ino_t)ino;
	listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < json_array_size(clients) && !err; i++)
		err = client_take_over(control, &control->client[i], json_array_get(clients, i));
	return err ? ixgbe_why_fill(why, err, "control socket: of another version")
		   : listener_watch(control, why);
}

int control_take_over(const char *path, const json_t *from, const struct control_command *commands,
		      void *ctx, struct control **out, struct ixgbe_why *why)
{
	struct control *control;
	int err = control_new(commands, ctx, &control, why);

	if (err)
		return err;
	err = all_take_over(control, path, from, why);
	if (err) { /* what it would have taken stays as it is */
		close(control->epoll);
		free(control);
		return err;
	}
	*out = control;
	return 0;
}

void control_answer_former(struct control *control, json_t *answer)
{
	control_reply(control, control->former, answer);
}
