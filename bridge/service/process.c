/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "outlet.h"

/* How long "ready" waits for the service manager to take it. */
#define PROCESS_NOTIFY_MS 1000

static void output_failed(int err)
{
	log_warning("cannot write \"ready\" to standard output: %s", strerror(err));
}

static struct outlet output = OUTLET(STDOUT_FILENO, NULL, output_failed);

int process_signals(void)
{
	struct sigaction hangup;
	sigset_t signals;
	int fd;

	log_start();
	outlet_start(&output);
	/* A peer that is gone, and a file or memfd over RLIMIT_FSIZE, are errors of a call then,
	 * not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigaction(SIGHUP, NULL, &hangup) || hangup.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int process_signal(int number)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, number);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Where the manager listens: 0; -ENOENT: there is none. */
static int manager_address(struct sockaddr_un *out, socklen_t *bytes)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (!len)
		return -ENOENT;
	if (len >= sizeof(out->sun_path) || (*path != '/' && *path != '@'))
		return -EAFNOSUPPORT; /* of other kinds systemd has some for virtual machines */
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(out->sun_path, path, len);
	if (*path == '@')
		out->sun_path[0] = '\0';
	*bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

/* `with`: a descriptor that goes along; -1: none. */
static int message_send(int sock, int wait_ms, const char *message, int with)
{
	const struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000};
	struct sockaddr_un address;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	struct iovec text = {(char *)(uintptr_t)message, strlen(message)};
	struct msghdr head = {.msg_name = &address, .msg_iov = &text, .msg_iovlen = 1};
	int err = manager_address(&address, &head.msg_namelen);

	if (err)
		return err;
	if (with >= 0) {
		memcpy(CMSG_DATA(&control.head), &with, sizeof(with));
		head.msg_control = &control;
		head.msg_controllen = sizeof(control);
	}
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return sendmsg(sock, &head, MSG_NOSIGNAL | (wait_ms ? 0 : MSG_DONTWAIT)) < 0 ? -errno : 0;
}

/*
 * Sends a message to the service manager. sd_notify(3) would wait for a manager that does not read;
 * this waits `wait_ms` at most. 0; -ENOENT: there is no manager; other -errno.
 */
static int notify_with(int wait_ms, const char *message, int with)
{
	int err, sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -errno;
	err = message_send(sock, wait_ms, message, with);
	close(sock);
	return err;
}

/* Nothing is wrong without a manager. */
static int notify(int wait_ms, const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && *path ? notify_with(wait_ms, message, -1) : 0;
}

/* The same, and says in the log that the manager does not take it: once, until it does. `what` is
 * what it is not told. */
static void notify_or_say(int wait_ms, const char *message, const char *what)
{
	static int said;
	int err = notify(wait_ms, message);

	if (err && (err != said || wait_ms))
		log_warning("cannot tell the service manager %s: NOTIFY_SOCKET is %s: %s", what,
			    getenv("NOTIFY_SOCKET"), strerror(-err));
	said = err;
}

void process_ready(void)
{
	notify_or_say(PROCESS_NOTIFY_MS, "READY=1", "that all is ready");
	outlet_put(&output, "ready\n", strlen("ready\n"));
}

void process_stopping(void)
{
	notify_or_say(0, "STOPPING=1", "that this is the end");
}

void process_alive(void)
{
	notify_or_say(0, "WATCHDOG=1", "that all is well");
}

void process_status(const char *text)
{
	char message[256];

	snprintf(message, sizeof(message), "STATUS=%s", text);
	notify_or_say(0, message, "the state");
}

/* ---- The manager's store of descriptors ---- */

unsigned int process_store_room(void)
{
	const char *manager = getenv("NOTIFY_SOCKET"), *room = getenv("FDSTORE");
	char *end;
	long number;

	if (!manager || !*manager || !room)
		return 0;
	number = strtol(room, &end, 10);
	if (*room && !*end && number >= 0 && number <= INT_MAX)
		return (unsigned int)number;
	log_warning("FDSTORE is '%s', which is no number of descriptors: none is stored", room);
	return 0;
}

int process_store(int fd, const char *name)
{
	char message[128];

	snprintf(message, sizeof(message), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return notify_with(PROCESS_NOTIFY_MS, message, fd);
}

int process_store_remove(const char *name)
{
	char message[128];

	snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return notify_with(PROCESS_NOTIFY_MS, message, -1);
}

int process_store_settle(void)
{
	struct pollfd done;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	err = notify_with(PROCESS_NOTIFY_MS, "BARRIER=1", ends[1]);
	close(ends[1]);
	done = (struct pollfd){.fd = ends[0]};
	if (!err && poll(&done, 1, PROCESS_NOTIFY_MS) != 1)
		err = -ETIMEDOUT;
	close(ends[0]);
	return err;
}
