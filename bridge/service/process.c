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

static struct outlet output = OUTLET(STDOUT_FILENO, NULL);

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

	if (!len || len >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
		return 0;
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

void process_ready(void)
{
	int err = notify(PROCESS_NOTIFY_MS, "READY=1");

	outlet_put(&output, "ready\n", strlen("ready\n"));
	if (err)
		log_warning("cannot tell the service manager that all is ready: %s",
			    strerror(-err));
}

void process_stopping(void)
{
	notify(0, "STOPPING=1");
}

void process_alive(void)
{
	notify(0, "WATCHDOG=1");
}

void process_status(const char *text)
{
	char message[256];

	snprintf(message, sizeof(message), "STATUS=%s", text);
	notify(0, message);
}
