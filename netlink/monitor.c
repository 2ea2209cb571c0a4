/* SPDX-License-Identifier: MIT */
/*
 * The event monitor.
 *
 * One socket both hears the kernel's multicast groups and asks for the present state. The kernel
 * runs one dump per socket, so the questions are asked in turn: the link, then the addresses.
 * Events that arrive meanwhile are as new as the dump or newer: delivering all in the order of
 * arrival ends in the right state.
 *
 * Something is missing when the socket overflows (ENOBUFS), or when the kernel says that a dump
 * was interrupted. Then NETLINK_EVENT_RESYNC is delivered and the questions start over, once the
 * queue is empty and the dump under way has ended.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

/* Linux 6.15; older headers do not name them, older kernels refuse to join. */
#ifndef RTM_NEWMULTICAST
#define RTM_NEWMULTICAST 56
#define RTM_DELMULTICAST 57
#endif
#define GROUP_IPV4_MCADDR 37
#define GROUP_IPV6_MCADDR 38

#define RECEIVE_BUFFER_BYTES (1 << 20)

enum question { ASK_LINK, ASK_ADDRESSES, ASK_NOTHING };

struct netlink_monitor {
	struct mnl_socket *socket;
	int ifindex; /* 0: all */
	bool there;  /* in another namespace, which has this number here: */
	int32_t nsid;
	netlink_event_fn fn;
	void *ctx;
	enum question asked; /* what is being answered */
	bool again;          /* start over when it is */
	uint32_t seq;
	union { /* a message buffer is aligned like its header */
		struct nlmsghdr header;
		char bytes[32768];
	} buffer;
};

static void deliver(struct netlink_monitor *monitor, const struct netlink_event *event)
{
	monitor->fn(monitor->ctx, event);
}

static bool wanted(const struct netlink_monitor *monitor, int ifindex)
{
	return monitor->ifindex == 0 || monitor->ifindex == ifindex;
}

static int ask(struct netlink_monitor *monitor, enum question question)
{
	char request[128] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(request);

	monitor->asked = monitor->there ? ASK_NOTHING : question;
	if (monitor->asked == ASK_NOTHING)
		return 0;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = ++monitor->seq;
	if (question == ASK_LINK) {
		header->nlmsg_type = RTM_GETLINK;
		struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
		info->ifi_index = monitor->ifindex;
		if (monitor->ifindex != 0)
			header->nlmsg_flags = NLM_F_REQUEST;
	} else {
		header->nlmsg_type = RTM_GETADDR;
		mnl_nlmsg_put_extra_header(header, sizeof(struct ifaddrmsg));
	}
	return mnl_socket_sendto(monitor->socket, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int answered(struct netlink_monitor *monitor)
{
	if (monitor->again) {
		monitor->again = false;
		return ask(monitor, ASK_LINK);
	}
	return ask(monitor, monitor->asked + 1);
}

static int handle_link(struct netlink_monitor *monitor, const struct nlmsghdr *message)
{
	struct netlink_event event = {.type = message->nlmsg_type == RTM_NEWLINK
						      ? NETLINK_EVENT_LINK
						      : NETLINK_EVENT_LINK_GONE};
	/* The answer about a single link is one message, without an end of its own. */
	bool answer = monitor->asked == ASK_LINK && monitor->ifindex != 0 &&
		      message->nlmsg_seq == monitor->seq;

	if (netlink_parse_link(message, &event.link) == 0 && wanted(monitor, event.link.ifindex))
		deliver(monitor, &event);
	return answer ? answered(monitor) : 0;
}

static void handle_address(struct netlink_monitor *monitor, const struct nlmsghdr *message)
{
	struct netlink_event event = {.type = message->nlmsg_type == RTM_NEWADDR
						      ? NETLINK_EVENT_ADDRESS
						      : NETLINK_EVENT_ADDRESS_GONE};

	if (netlink_parse_address(message, &event.link.ifindex, &event.address) == 0 &&
	    wanted(monitor, event.link.ifindex))
		deliver(monitor, &event);
}

static void handle_multicast(struct netlink_monitor *monitor, const struct nlmsghdr *message)
{
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct ifaddrmsg))
		return;
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	if (wanted(monitor, (int)info->ifa_index))
		deliver(monitor, &(struct netlink_event){.type = NETLINK_EVENT_MULTICAST,
							 .link.ifindex = (int)info->ifa_index});
}

/* An error in place of an answer. */
static int handle_error(struct netlink_monitor *monitor, const struct nlmsghdr *message)
{
	if (message->nlmsg_seq != monitor->seq || monitor->asked == ASK_NOTHING)
		return 0;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nlmsgerr))
		return -EBADMSG;
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	if (error->error == -ENODEV && monitor->asked == ASK_LINK)
		deliver(monitor, &(struct netlink_event){.type = NETLINK_EVENT_LINK_GONE,
							 .link.ifindex = monitor->ifindex});
	else if (error->error != 0)
		return error->error;
	return answered(monitor);
}

static int handle(struct netlink_monitor *monitor, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR && message->nlmsg_seq == monitor->seq)
		monitor->again = true;
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return handle_link(monitor, message);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		handle_address(monitor, message);
		return 0;
	case RTM_NEWMULTICAST:
	case RTM_DELMULTICAST:
		handle_multicast(monitor, message);
		return 0;
	case NLMSG_DONE:
		return message->nlmsg_seq == monitor->seq ? answered(monitor) : 0;
	case NLMSG_ERROR:
		return handle_error(monitor, message);
	default:
		return 0;
	}
}

/* Whether the end of a dump is still to come, also after a loss: a dump goes on when there is room
 * again. The answer about a single link may itself be lost. */
static bool dumping(const struct netlink_monitor *monitor)
{
	return monitor->asked == ASK_ADDRESSES ||
	       (monitor->asked == ASK_LINK && monitor->ifindex == 0);
}

static void lost(struct netlink_monitor *monitor)
{
	monitor->again = true;
	deliver(monitor, &(struct netlink_event){.type = NETLINK_EVENT_RESYNC});
}

/*
 * Whether the monitor is about the namespace that the message came from. The kernel adds the number
 * of another namespace only; what comes from our own is about interfaces that have the same index
 * by chance.
 */
static bool from_there(const struct netlink_monitor *monitor, struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		int32_t nsid;

		if (part->cmsg_level != SOL_NETLINK || part->cmsg_type != NETLINK_LISTEN_ALL_NSID)
			continue;
		memcpy(&nsid, CMSG_DATA(part), sizeof(nsid));
		return monitor->there && nsid == monitor->nsid;
	}
	return !monitor->there;
}

static ssize_t receive(struct netlink_monitor *monitor)
{
	char control[CMSG_SPACE(sizeof(int32_t)) * 2] __attribute__((aligned(8)));
	struct iovec into = {monitor->buffer.bytes, sizeof(monitor->buffer)};
	struct msghdr message = {
		.msg_iov = &into,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t received = recvmsg(mnl_socket_get_fd(monitor->socket), &message, MSG_DONTWAIT);

	return received > 0 && !from_there(monitor, &message) ? 0 : received;
}

static int handle_all(struct netlink_monitor *monitor, size_t bytes)
{
	int left = (int)bytes;

	for (const struct nlmsghdr *message = &monitor->buffer.header; mnl_nlmsg_ok(message, left);
	     message = mnl_nlmsg_next(message, &left)) {
		int error = handle(monitor, message);
		if (error)
			return error;
	}
	return 0;
}

int netlink_monitor_dispatch(struct netlink_monitor *monitor)
{
	int error = 0;

	while (!error) {
		ssize_t received = receive(monitor);

		if (received >= 0)
			error = handle_all(monitor, (size_t)received);
		else if (errno == ENOBUFS)
			lost(monitor);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			error = -errno;
	}
	/* Not before the queue is empty: the kernel silently drops answers for which it has no
	 * room. */
	if (!error && monitor->again && !dumping(monitor)) {
		monitor->again = false;
		error = ask(monitor, ASK_LINK);
	}
	return error;
}

int netlink_monitor_resync(struct netlink_monitor *monitor)
{
	lost(monitor);
	return netlink_monitor_dispatch(monitor);
}

/* Returns -1 with errno. */
static int join_groups(struct mnl_socket *socket)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	static const int newer_groups[] = {GROUP_IPV4_MCADDR, GROUP_IPV6_MCADDR};
	const int buffer_bytes = RECEIVE_BUFFER_BYTES;

	/* A larger buffer makes losses rarer; they are handled all the same. */
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes,
			 sizeof(buffer_bytes));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(int)) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(newer_groups) / sizeof(newer_groups[0]); i++)
		(void)mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP,
					    (void *)&newer_groups[i], sizeof(int));
	return 0;
}

/* Without CAP_NET_BROADCAST the kernel refuses, and the monitor hears nothing. */
static void listen_there(struct mnl_socket *socket)
{
	const int on = 1;

	(void)setsockopt(mnl_socket_get_fd(socket), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on,
			 sizeof(on));
}

static struct netlink_monitor *monitor_new(int ifindex, netlink_event_fn fn, void *ctx)
{
	struct netlink_monitor *monitor = calloc(1, sizeof(*monitor));

	if (monitor) {
		monitor->ifindex = ifindex;
		monitor->fn = fn;
		monitor->ctx = ctx;
	}
	return monitor;
}

/* Takes `monitor`, or frees it. */
static int monitor_start(struct netlink_monitor *monitor, struct netlink_monitor **out)
{
	int error;

	monitor->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!monitor->socket || mnl_socket_bind(monitor->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	if (monitor->there)
		listen_there(monitor->socket);
	if (join_groups(monitor->socket))
		goto fail;
	error = ask(monitor, ASK_LINK);
	if (error) {
		netlink_monitor_close(monitor);
		return error;
	}
	*out = monitor;
	return 0;
fail:
	error = -errno;
	netlink_monitor_close(monitor);
	return error;
}

int netlink_monitor_open(int ifindex, netlink_event_fn fn, void *ctx, struct netlink_monitor **out)
{
	struct netlink_monitor *monitor = monitor_new(ifindex, fn, ctx);

	return monitor ? monitor_start(monitor, out) : -ENOMEM;
}

int netlink_monitor_open_there(int32_t nsid, int ifindex, netlink_event_fn fn, void *ctx,
			       struct netlink_monitor **out)
{
	struct netlink_monitor *monitor = monitor_new(ifindex, fn, ctx);

	if (!monitor)
		return -ENOMEM;
	monitor->there = true;
	monitor->nsid = nsid;
	return monitor_start(monitor, out);
}

void netlink_monitor_close(struct netlink_monitor *monitor)
{
	if (!monitor)
		return;
	if (monitor->socket)
		mnl_socket_close(monitor->socket);
	free(monitor);
}

int netlink_monitor_fd(const struct netlink_monitor *monitor)
{
	return mnl_socket_get_fd(monitor->socket);
}
