/* SPDX-License-Identifier: MIT */
/* The event loop's descriptors: signals and the timer, and those that come and go. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/process.h"
#include "watch.h"

#define TICK_MS   (1000 / DAEMON_TICKS_PER_SECOND)
#define NS_PER_MS 1000000

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

int watch_pace(struct daemon *daemon, unsigned int ticks)
{
	const long ns = (long)ticks * TICK_MS * NS_PER_MS;
	const struct timespec each = {ns / NS_PER_S, ns % NS_PER_S};
	const struct itimerspec timer = {each, each};

	if (ticks == daemon->pace)
		return 0;
	if (timerfd_settime(daemon->timer, 0, &timer, NULL))
		return -errno;
	daemon->pace = ticks;
	return 0;
}

int watch_open(struct daemon *daemon)
{
	int err;

	daemon->signals = process_signals();
	if (daemon->signals < 0)
		return daemon->signals;
	daemon->upgrades = process_signal(SIGUSR2);
	if (daemon->upgrades < 0)
		return daemon->upgrades;
	daemon->epoll = epoll_create1(EPOLL_CLOEXEC);
	daemon->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (daemon->epoll < 0 || daemon->timer < 0)
		return -errno;
	err = watch_pace(daemon, 1);
	if (!err)
		err = watch_add(daemon, daemon->signals, WATCH_SIGNALS);
	if (!err)
		err = watch_add(daemon, daemon->upgrades, WATCH_UPGRADE);
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
	close_fd(daemon->upgrades);
	close_fd(daemon->signals);
	close_fd(daemon->epoll);
}
