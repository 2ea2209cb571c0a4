/* SPDX-License-Identifier: MIT */
/*
 * Links and addresses as objects, with libnl-route-3.
 *
 * Every request waits for the kernel's acknowledgement, no longer than ANSWER_TIMEOUT_S. libnl has
 * error numbers of its own, fewer than the kernel's; each is returned as an errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define ANSWER_TIMEOUT_S 5

struct netlink {
	struct nl_sock *socket;
	int multicast; /* the table of groups, or -1 */
};

static int to_errno(int nle)
{
	static const struct {
		int nle, error;
	} table[] = {
		{NLE_OBJ_NOTFOUND, ENODEV},
		{NLE_NODEV, ENODEV},
		{NLE_EXIST, EEXIST},
		{NLE_PERM, EPERM},
		{NLE_NOACCESS, EACCES},
		{NLE_INVAL, EINVAL},
		{NLE_RANGE, ERANGE},
		{NLE_BUSY, EBUSY},
		{NLE_NOMEM, ENOMEM},
		{NLE_NOADDR, EADDRNOTAVAIL},
		{NLE_OPNOTSUPP, EOPNOTSUPP},
		{NLE_AF_NOSUPPORT, EAFNOSUPPORT},
		{NLE_MSG_TOOSHORT, EBADMSG},
		{NLE_MSG_TRUNC, EMSGSIZE},
		{NLE_INTR, EINTR},
		{NLE_AGAIN, ETIMEDOUT}, /* the socket's receive timeout */
	};

	if (nle >= 0)
		return 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].nle == -nle)
			return -table[i].error;
	return -EIO;
}

/* After a failure answers may be left, which the next question must not take for its own. */
static void drop_answers(struct netlink *nl)
{
	char byte;

	while (recv(nl_socket_get_fd(nl->socket), &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		;
}

int netlink_open(struct netlink **out)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	struct netlink *nl = calloc(1, sizeof(*nl));
	int error = -ENOMEM;

	if (!nl)
		return -ENOMEM;
	nl->multicast = -1;
	nl->socket = nl_socket_alloc();
	if (!nl->socket)
		goto fail;
	/* libnl has no number for EMFILE, which a user can mend. */
	errno = 0;
	error = to_errno(nl_connect(nl->socket, NETLINK_ROUTE));
	if (error && errno)
		error = -errno;
	if (error)
		goto fail;
	if (setsockopt(nl_socket_get_fd(nl->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)) < 0) {
		error = -errno;
		goto fail;
	}
	*out = nl;
	return 0;
fail:
	netlink_close(nl);
	return error;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->socket);
	if (nl->multicast >= 0)
		close(nl->multicast);
	free(nl);
}

/* ---- Links ---- */

/* libnl's link object lacks attributes that we need, so the message is parsed here. */
static int on_link(struct nl_msg *msg, void *ctx)
{
	return netlink_parse_link(nlmsg_hdr(msg), ctx) < 0 ? NL_SKIP : NL_OK;
}

/* By index, or by name. */
static struct nl_msg *link_question(int ifindex, const char *name)
{
	const struct ifinfomsg info = {.ifi_index = ifindex};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK);

	if (msg && !nlmsg_append(msg, (void *)&info, sizeof(info), NLMSG_ALIGNTO) &&
	    (!name || !nla_put_string(msg, IFLA_IFNAME, name)))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int link_request(struct netlink *nl, int ifindex, const char *name, struct netlink_link *out)
{
	struct netlink_link link = {0};
	struct nl_msg *msg = link_question(ifindex, name);
	struct nl_cb *defaults = nl_socket_get_cb(nl->socket); /* takes a reference */
	struct nl_cb *cb = nl_cb_clone(defaults);
	int error = -NLE_NOMEM;

	if (msg && cb) {
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_link, &link);
		error = nl_send_auto(nl->socket, msg);
		if (error >= 0)
			error = nl_recvmsgs(nl->socket, cb);
		if (error >= 0)
			error = nl_wait_for_ack(nl->socket);
		if (error >= 0 && link.ifindex == 0)
			error = -NLE_NODEV;
	}
	nl_cb_put(cb);
	nl_cb_put(defaults);
	nlmsg_free(msg);
	if (error >= 0)
		*out = link;
	else
		drop_answers(nl);
	return to_errno(error);
}

int netlink_link_get(struct netlink *nl, int ifindex, struct netlink_link *out)
{
	return ifindex > 0 ? link_request(nl, ifindex, NULL, out) : -ENODEV;
}

int netlink_link_find(struct netlink *nl, const char *name, struct netlink_link *out)
{
	size_t length = strlen(name);

	return length > 0 && length < IFNAMSIZ ? link_request(nl, 0, name, out) : -ENODEV;
}

/* Applies `changes` to the link and drops the reference to it. */
static int link_change(struct netlink *nl, int ifindex, struct rtnl_link *changes)
{
	struct rtnl_link *which = rtnl_link_alloc();
	int error = -ENOMEM;

	if (which && changes) {
		rtnl_link_set_ifindex(which, ifindex);
		error = to_errno(rtnl_link_change(nl->socket, which, changes, 0));
	}
	rtnl_link_put(which);
	rtnl_link_put(changes);
	return error;
}

int netlink_link_set_up(struct netlink *nl, int ifindex, bool up)
{
	struct rtnl_link *changes = rtnl_link_alloc();

	if (changes && up)
		rtnl_link_set_flags(changes, IFF_UP);
	else if (changes)
		rtnl_link_unset_flags(changes, IFF_UP);
	return link_change(nl, ifindex, changes);
}

int netlink_link_set_mtu(struct netlink *nl, int ifindex, uint32_t mtu)
{
	struct rtnl_link *changes = rtnl_link_alloc();

	if (changes)
		rtnl_link_set_mtu(changes, mtu);
	return link_change(nl, ifindex, changes);
}

int netlink_link_set_tx_queue_len(struct netlink *nl, int ifindex, uint32_t frames)
{
	struct rtnl_link *changes = rtnl_link_alloc();

	if (changes)
		rtnl_link_set_txqlen(changes, frames);
	return link_change(nl, ifindex, changes);
}

int netlink_link_set_alias(struct netlink *nl, int ifindex, const char *alias)
{
	struct rtnl_link *changes = rtnl_link_alloc();

	if (changes)
		rtnl_link_set_ifalias(changes, alias);
	return link_change(nl, ifindex, changes);
}

/* ---- Addresses ---- */

static struct nl_addr *prefix_to_nl(const struct netlink_prefix *prefix)
{
	struct nl_addr *address =
		nl_addr_build(prefix->family, prefix->address, prefix->family == AF_INET ? 4 : 16);

	if (address)
		nl_addr_set_prefixlen(address, prefix->length);
	return address;
}

static struct rtnl_addr *address_object(int ifindex, const struct netlink_prefix *prefix)
{
	struct rtnl_addr *object = rtnl_addr_alloc();
	struct nl_addr *local = prefix_to_nl(prefix);
	int error = object && local ? 0 : -NLE_NOMEM;

	if (!error) {
		rtnl_addr_set_ifindex(object, ifindex);
		error = rtnl_addr_set_local(object, local);
	}
	nl_addr_put(local);
	if (error) {
		rtnl_addr_put(object);
		return NULL;
	}
	return object;
}

int netlink_address_add(struct netlink *nl, int ifindex, const struct netlink_prefix *address)
{
	struct rtnl_addr *object = address_object(ifindex, address);

	if (!object)
		return -ENOMEM;
	int error = to_errno(rtnl_addr_add(nl->socket, object, 0));
	rtnl_addr_put(object);
	return error == -EEXIST ? 0 : error;
}

/* ---- Namespaces ---- */

static int on_number(struct nl_msg *msg, void *ctx)
{
	struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct rtgenmsg), NETNSA_NSID);

	if (attr)
		*(int32_t *)ctx = nla_get_s32(attr);
	return NL_OK;
}

/* RTM_NEWNSID, or RTM_GETNSID with its answer. */
static int number_request(struct netlink *nl, int type, int netns_fd, int32_t *nsid)
{
	const struct rtgenmsg general = {.rtgen_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK);
	struct nl_cb *defaults = nl_socket_get_cb(nl->socket); /* takes a reference */
	struct nl_cb *cb = nl_cb_clone(defaults);
	int error = -NLE_NOMEM;

	if (msg && cb && !nlmsg_append(msg, (void *)&general, sizeof(general), NLMSG_ALIGNTO) &&
	    !nla_put_s32(msg, NETNSA_FD, netns_fd) &&
	    (type != RTM_NEWNSID || !nla_put_s32(msg, NETNSA_NSID, -1))) {
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_number, nsid);
		error = nl_send_auto(nl->socket, msg);
		if (error >= 0 && type == RTM_GETNSID)
			error = nl_recvmsgs(nl->socket, cb);
		if (error >= 0)
			error = nl_wait_for_ack(nl->socket);
	}
	nl_cb_put(cb);
	nl_cb_put(defaults);
	nlmsg_free(msg);
	return to_errno(error);
}

int netlink_namespace_number(struct netlink *nl, int netns_fd, int32_t *nsid)
{
	int32_t found = NETNSA_NSID_NOT_ASSIGNED;
	int error = number_request(nl, RTM_NEWNSID, netns_fd, &found);

	if (error && error != -EEXIST)
		return error;
	error = number_request(nl, RTM_GETNSID, netns_fd, &found);
	if (error)
		return error;
	if (found < 0)
		return -ENOENT;
	*nsid = found;
	return 0;
}

/* ---- Link-layer addresses ---- */

/* MAC addresses: the first `room` of all that were found. */
struct macs {
	uint8_t (*mac)[NETLINK_MAC_BYTES];
	size_t room, found;
};

static void macs_add(struct macs *macs, const uint8_t mac[NETLINK_MAC_BYTES])
{
	if (macs->found < macs->room)
		memcpy(macs->mac[macs->found], mac, NETLINK_MAC_BYTES);
	macs->found++;
}

static int macs_count(const struct macs *macs, size_t *count)
{
	*count = macs->found;
	return macs->found > macs->room ? -ENOSPC : 0;
}

/* What the answer to a dump is gathered into. */
struct unicast_dump {
	int ifindex;
	struct macs macs;
};

static int on_neighbour(struct nl_msg *msg, void *ctx)
{
	struct unicast_dump *dump = ctx;
	uint8_t mac[NETLINK_MAC_BYTES];

	if (netlink_parse_unicast(nlmsg_hdr(msg), dump->ifindex, mac))
		macs_add(&dump->macs, mac);
	return NL_OK;
}

int netlink_unicast_addresses(struct netlink *nl, int ifindex, uint8_t (*mac)[NETLINK_MAC_BYTES],
			      size_t *count)
{
	/* With this header, not struct ndmsg, every kernel looks at that interface alone. */
	struct ifinfomsg info = {.ifi_family = PF_BRIDGE, .ifi_index = ifindex};
	struct unicast_dump dump = {ifindex, {.mac = mac, .room = *count}};
	struct nl_cb *defaults = nl_socket_get_cb(nl->socket); /* takes a reference */
	struct nl_cb *cb = nl_cb_clone(defaults);
	int error = -NLE_NOMEM;

	if (cb) {
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_neighbour, &dump);
		error = nl_send_simple(nl->socket, RTM_GETNEIGH, NLM_F_DUMP, &info, sizeof(info));
		if (error >= 0)
			error = nl_recvmsgs(nl->socket, cb);
	}
	nl_cb_put(cb);
	nl_cb_put(defaults);
	if (error >= 0)
		return macs_count(&dump.macs, count);
	drop_answers(nl);
	return to_errno(error);
}

/* Takes the whole lines of `text`; returns the bytes of them. */
static size_t take_lines(char *text, const char *ifname, struct macs *groups)
{
	char *line = text, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		uint8_t address[NETLINK_MAC_BYTES];

		*end = '\0';
		if (netlink_parse_multicast(line, ifname, address))
			macs_add(groups, address);
	}
	return (size_t)(line - text);
}

int netlink_multicast_groups(struct netlink *nl, const char *ifname,
			     uint8_t (*mac)[NETLINK_MAC_BYTES], size_t *count)
{
	struct macs groups = {.mac = mac, .room = *count};
	char text[4096]; /* whole lines, and the beginning of the next */
	size_t have = 0, taken;
	off_t offset = 0;
	ssize_t got;

	if (nl->multicast < 0)
		nl->multicast = open("/proc/thread-self/net/dev_mcast", O_RDONLY | O_CLOEXEC);
	if (nl->multicast < 0)
		return -errno;
	while ((got = pread(nl->multicast, text + have, sizeof(text) - 1 - have, offset)) > 0) {
		offset += got;
		have += (size_t)got;
		text[have] = '\0';
		taken = take_lines(text, ifname, &groups);
		have -= taken;
		memmove(text, text + taken, have);
	}
	if (got < 0)
		return -errno;
	return macs_count(&groups, count);
}
