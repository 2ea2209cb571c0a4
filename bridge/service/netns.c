/* SPDX-License-Identifier: MIT */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define OWN_PATH         "/proc/thread-self/ns/net"
#define NAME_PATH_BYTES  (NAME_MAX + 16)
#define ANSWER_TIMEOUT_S 5

int netns_current(struct ixgbe_why *why)
{
	int fd = open(OWN_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ixgbe_why_fill(why, -errno, "cannot open " OWN_PATH ": %s; mount /proc",
				      strerror(errno));
	return fd;
}

static void name_path(const char *name, char path[NAME_PATH_BYTES])
{
	snprintf(path, NAME_PATH_BYTES, NETNS_NAMES "/%s", name);
}

int netns_open(const char *name, struct ixgbe_why *why)
{
	char path[NAME_PATH_BYTES];
	int fd;

	name_path(name, path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return fd;
	if (fd >= 0) {
		/* The file is what a mount stands on: the mount is gone, or this process does not
		 * see it. */
		close(fd);
		return ixgbe_why_fill(why, -EINVAL,
				      "'%s' in " NETNS_NAMES " is no network namespace: make it "
				      "anew, by 'ip netns delete' and 'ip netns add'",
				      name);
	}
	if (errno == ENOENT)
		return ixgbe_why_fill(
			why, -ENOENT,
			"there is no network namespace '%s': make it with 'ip netns add'", name);
	return ixgbe_why_fill(why, -errno, "cannot open the network namespace '%s': %s", name,
			      strerror(errno));
}

static int entered(int result, struct ixgbe_why *why)
{
	if (!result)
		return 0;
	return ixgbe_why_fill(why, -errno, "cannot enter the network namespace: %s%s",
			      strerror(errno),
			      errno == EPERM    ? "; CAP_SYS_ADMIN is needed"
			      : errno == ENOSPC ? "; the limit user.max_net_namespaces is reached"
						: "");
}

int netns_enter(int fd, struct ixgbe_why *why)
{
	return entered(setns(fd, CLONE_NEWNET), why);
}

int netns_enter_new(struct ixgbe_why *why)
{
	return entered(unshare(CLONE_NEWNET), why);
}

/* ---- Which one ---- */

bool netns_identify(int fd, struct netns_id *out)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	*out = (struct netns_id){st.st_dev, st.st_ino};
	return true;
}

bool netns_same(const struct netns_id *a, const struct netns_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

bool netns_is_named(const char *name, const struct netns_id *id)
{
	char path[NAME_PATH_BYTES];
	struct stat st;

	name_path(name, path);
	return !stat(path, &st) && st.st_dev == id->dev && st.st_ino == id->ino;
}

/* ---- Moving ---- */

/* Sends one request, and waits for its acknowledgement. */
static int netlink_do(const struct nlmsghdr *request)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char room[1024]; /* the kernel returns the request */
	} answer;
	int err = -EIO, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t got;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    send(fd, request, request->nlmsg_len, 0) < 0) {
		err = -errno;
	} else {
		got = recv(fd, &answer, sizeof(answer), 0);
		if (got < 0)
			err = -errno;
		else if ((size_t)got >= sizeof(answer.header) + sizeof(answer.error) &&
			 answer.header.nlmsg_type == NLMSG_ERROR)
			err = answer.error.error;
	}
	close(fd);
	return err;
}

int netns_interface_move(const char *ifname, int fd)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
		struct rtattr to;
		int fd;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_SETLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.info = {.ifi_index = (int)if_nametoindex(ifname)},
		.to = {.rta_len = RTA_LENGTH(sizeof(int)), .rta_type = IFLA_NET_NS_FD},
		.fd = fd,
	};

	return request.info.ifi_index ? netlink_do(&request.header) : -ENODEV;
}
