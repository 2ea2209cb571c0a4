/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

int process_signals(void)
{
	struct sigaction hangup;
	sigset_t signals;
	int fd;

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

void process_ready(void)
{
	puts("ready");
	fflush(stdout);
	sd_notify(0, "READY=1");
}

void process_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}
