/* SPDX-License-Identifier: MIT */
/*
 * The control socket: finds the daemon, asks, waits for the answer.
 *
 * A socket's file can be there without a daemon. Only connect(2) tells whether the daemon runs.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "bridge/service/control.h"
#include "bridge/service/listen.h"
#include "bridge/service/printable.h"
#include "ixtap.h"

#define REPLY_TIMEOUT_MS 5000
#define SUFFIX           ".sock"

static int connect_through(int fd, const struct sockaddr_un *address)
{
	/* Limits how long connect(2) waits for room in the listener's queue: socket(7). */
	const struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_MS / 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	/* A wait with a limit ends when the terminal stops the program: signal(7). */
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* A connected socket, or -errno. -EAGAIN: the daemon took no client within REPLY_TIMEOUT_MS. */
static int connect_path(const char *path)
{
	struct sockaddr_un address;
	int fd, err = listen_address("", path, &address, NULL);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect_through(fd, &address);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static const char *what_to_do(int err)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return "nothing runs there: start it, or say which with NAME or --control PATH";
	case EACCES:
	case EPERM:
		return "it, or its folder, is another user's: try as root";
	case EPROTOTYPE:
		return "this socket is not one of ixtapd or ixnic";
	case ENAMETOOLONG:
		return "use a shorter path";
	case EINVAL:
		return "a path that is empty names no file";
	case EAGAIN:
		return "it takes no clients; its log may say why";
	default:
		return "is it a control socket?";
	}
}

static int connect_or_fail(const char *path)
{
	int fd = connect_path(path);

	if (fd < 0) {
		fail("cannot connect to %s: %s; %s", path, strerror(-fd), what_to_do(-fd));
		return -1;
	}
	return fd;
}

static int is_socket(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return len > suffix && strcmp(entry->d_name + len - suffix, SUFFIX) == 0;
}

/* Whether a daemon has the socket at `path`, which does not notice: as listen_probe. */
static int probe_path(const char *path)
{
	struct sockaddr_un address;
	int err = listen_address("", path, &address, NULL);

	return err ? err : listen_probe(&address);
}

int client_each(void (*found)(void *ctx, const char *name, int err), void *ctx)
{
	struct dirent **entries = NULL;
	int count = scandir(IXTAP_RUN_DIR, &entries, is_socket, alphasort);

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		char path[sizeof(IXTAP_RUN_DIR) + 1 + sizeof(entries[i]->d_name)];

		snprintf(path, sizeof(path), IXTAP_RUN_DIR "/%s", entries[i]->d_name);
		entries[i]->d_name[strlen(entries[i]->d_name) - strlen(SUFFIX)] = '\0';
		found(ctx, entries[i]->d_name, probe_path(path));
		free(entries[i]);
	}
	free(entries);
	return 0;
}

int client_connect_name(const char *name)
{
	char path[sizeof(IXTAP_RUN_DIR "/" SUFFIX) + NAME_MAX];

	snprintf(path, sizeof(path), IXTAP_RUN_DIR "/%.*s" SUFFIX,
		 (int)printable_bytes(name, NAME_MAX), name);
	return connect_or_fail(path);
}

struct only {
	int alive, refused;
	char name[NAME_MAX + 1]; /* the last one */
	char names[512];
};

static void take_only(void *ctx, const char *name, int err)
{
	struct only *only = ctx;
	size_t used = strlen(only->names), room = sizeof(only->names) - used;

	if (err == -EACCES || err == -EPERM)
		only->refused++;
	if (err)
		return;
	only->alive++;
	snprintf(only->name, sizeof(only->name), "%.*s", NAME_MAX, name);
	if (room > sizeof(", "))
		snprintf(only->names + used, room, "%s%.*s", used ? ", " : "",
			 (int)printable_bytes(name, room - sizeof(", ")), name);
}

/* Connects to the only daemon that answers in IXTAP_RUN_DIR. */
static int connect_only(void)
{
	struct only only = {0};
	int err = client_each(take_only, &only);

	if (only.alive == 1)
		return client_connect_name(only.name);
	if (only.alive > 1) {
		fail("several ixtapd run: %s; say which", only.names);
	} else if (only.refused || err == -EACCES) {
		fail("the sockets in " IXTAP_RUN_DIR " belong to another user: try as root");
	} else {
		fail("no ixtapd answers in " IXTAP_RUN_DIR "; start one, or give --control PATH");
	}
	return -1;
}

int client_connect(const struct ixtap *cli)
{
	if (cli->control)
		return connect_or_fail(cli->control);
	if (!cli->name)
		return connect_only();
	if (!cli->name[0] || strchr(cli->name, '/')) {
		fail("'%s' is no interface name; a socket's path goes with --control", cli->name);
		return -1;
	}
	return client_connect_name(cli->name);
}

int client_send(int fd, const char *request)
{
	/* A daemon that turned this client away has said why: client_receive finds it. */
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET) {
		fail("cannot ask: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* True: there is something to read. False after a line on standard error. */
static bool wait_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int ready = poll(&poll_fd, 1, timeout_ms);

	if (ready > 0)
		return true;
	if (ready == 0)
		fail("no answer within %d s; the log of ixtapd or ixnic may say why",
		     timeout_ms / 1000);
	else
		fail("cannot wait for the answer: %s", strerror(errno));
	return false;
}

json_t *client_receive(int fd, int timeout_ms)
{
	json_error_t error;
	json_t *object = NULL;
	const char *text;
	ssize_t len;
	char *reply;

	if (!wait_readable(fd, timeout_ms))
		return NULL;
	reply = malloc(CONTROL_REPLY_MAX);
	if (!reply) {
		fail("out of memory");
		return NULL;
	}
	len = recv(fd, reply, CONTROL_REPLY_MAX, MSG_TRUNC);
	if (len < 0 && errno == ECONNRESET) /* told once, before what is there */
		len = recv(fd, reply, CONTROL_REPLY_MAX, MSG_TRUNC);
	if (len < 0)
		fail("cannot read the answer: %s", strerror(errno));
	else if (len == 0)
		fail("the connection was closed before the answer; the log of ixtapd or ixnic may say "
		     "why");
	else if ((size_t)len > CONTROL_REPLY_MAX)
		fail("the answer is longer than the protocol allows");
	else if (!(object = json_loadb(reply, (size_t)len, JSON_REJECT_DUPLICATES, &error)))
		fail("the answer is no JSON object: %s; is this a control socket?", error.text);
	free(reply);
	text = json_string_value(json_object_get(object, "error"));
	if (text) {
		fail_told(text);
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *client_request(int fd, const char *request)
{
	return client_send(fd, request) == 0 ? client_receive(fd, REPLY_TIMEOUT_MS) : NULL;
}

int client_show(const struct ixtap *cli, json_t *answer, void (*put_answer)(const json_t *answer))
{
	if (!answer)
		return 1;
	if (cli->json)
		put_json(answer);
	else
		put_answer(answer);
	json_decref(answer);
	return 0;
}
