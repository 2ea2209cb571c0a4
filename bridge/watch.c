/* SPDX-License-Identifier: MIT */
/* The event loop's descriptors: signals and the timer, and those that come and go. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon.h"

#define TICK_MS (1000 / DAEMON_TICKS_PER_SECOND)

int watch_add(const struct daemon *daemon, int fd, enum watch what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

	return epoll_ctl(daemon->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void watch_remove(const struct daemon *daemon, int fd)
{
	if (fd >= 0)
		epoll_ctl(daemon->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int watch_open(struct daemon *daemon)
{
	const struct itimerspec tick = {
		.it_interval.tv_nsec = TICK_MS * 1000000L,
		.it_value.tv_nsec = TICK_MS * 1000000L,
	};
	struct sigaction hangup;
	sigset_t signals;
	int err;

	signal(SIGPIPE, SIG_IGN);
	/* A limit on the size of files, as memory is, makes an error then. */
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* nohup has SIGHUP ignored: the end of the terminal does not end ixtapd then. */
	if (sigaction(SIGHUP, NULL, &hangup) || hangup.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -errno;
	daemon->epoll = epoll_create1(EPOLL_CLOEXEC);
	daemon->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (daemon->epoll < 0 || daemon->signals < 0 || daemon->timer < 0 ||
	    timerfd_settime(daemon->timer, 0, &tick, NULL))
		return -errno;
	err = watch_add(daemon, daemon->signals, WATCH_SIGNALS);
	return err ? err : watch_add(daemon, daemon->timer, WATCH_TIMER);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void watch_close(const struct daemon *daemon)
{
	close_fd(daemon->timer);
	close_fd(daemon->signals);
	close_fd(daemon->epoll);
}
