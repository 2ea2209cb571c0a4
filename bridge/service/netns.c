/* SPDX-License-Identifier: MIT */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OWN_PATH "/proc/thread-self/ns/net"

int netns_current(struct ixgbe_why *why)
{
	int fd = open(OWN_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ixgbe_why_fill(why, -errno, "cannot open " OWN_PATH ": %s; mount /proc",
				      strerror(errno));
	return fd;
}

int netns_return(int fd, struct ixgbe_why *why)
{
	if (!setns(fd, CLONE_NEWNET))
		return 0;
	return ixgbe_why_fill(why, -errno, "cannot go back to the first network namespace: %s",
			      strerror(errno));
}

int netns_enter(const char *name, struct ixgbe_why *why)
{
	char path[NAME_MAX + 16];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return ixgbe_why_fill(
			why, -ENOENT,
			"there is no network namespace '%.100s': make it with 'ip netns add'",
			name);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err = ixgbe_why_fill(
			why, -errno,
			"cannot enter the network namespace '%.100s': %s; CAP_SYS_ADMIN is needed",
			name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}
