/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* What a descriptor of the event loop is about. */
enum watch {
	WATCH_SIGNALS,
	WATCH_UPGRADE,
	WATCH_TIMER,
	WATCH_NETLINK,
	WATCH_CONTROL,
	WATCH_SPAWNER,
	WATCH_DRIVER,
	WATCH_DRIVER_END,
	WATCH_DEVICE,
	WATCH_RESET,
	WATCH_RELEASE,
	WATCH_ERROR,
	WATCH_SOFT_END,
	WATCH_SOFT_OUTPUT,
	WATCH_MAKER,
};

/* Makes epoll, and has it watch signals and the timer. The spawner and a software NIC undo the
 * signal mask that this sets. */
int watch_open(struct daemon *daemon);
/* From now on the timer's events are `ticks` ticks apart (DAEMON_TICKS_PER_SECOND). */
int watch_pace(struct daemon *daemon, unsigned int ticks);
void watch_close(const struct daemon *daemon);
int watch_add(const struct daemon *daemon, int fd, enum watch what);
/* Call before `fd` is closed: epoll would go on watching a file that another process holds too.
 * Takes -1. */
void watch_remove(const struct daemon *daemon, int fd);
