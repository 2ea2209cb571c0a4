/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
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

/*
 * Sends a message to the service manager, if there is one. sd_notify(3) would wait for a manager
 * that does not read; this waits `wait_ms` at most. 0 or -errno.
 */
static int notify(int wait_ms, const char *message)
{
	const struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	int fd, err = 0;

	if (!len)
		return 0;
	if (len >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
		return -EAFNOSUPPORT; /* of other kinds systemd has some for virtual machines */
	memcpy(address.sun_path, path, len);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL | (wait_ms ? 0 : MSG_DONTWAIT),
		   (const struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		err = -errno;
	close(fd);
	return err;
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
