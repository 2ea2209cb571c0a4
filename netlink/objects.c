/* SPDX-License-Identifier: MIT */
/*
 * Links, addresses and routes as objects, with libnl-route-3.
 *
 * Every request waits for the kernel's acknowledgement, no longer than
 * ANSWER_TIMEOUT_S. libnl has error numbers of its own, which keep less than the
 * kernel said; they come back as the errno they stand for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
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
	error = to_errno(nl_connect(nl->socket, NETLINK_ROUTE));
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

/* libnl's link object does not know every attribute we need: parse the message. */
static int on_link(struct nl_msg *msg, void *ctx)
{
	return netlink_parse_link(nlmsg_hdr(msg), ctx) < 0 ? NL_SKIP : NL_OK;
}

static int link_request(struct netlink *nl, int ifindex, const char *name, struct netlink_link *out)
{
	const struct ifinfomsg info = {.ifi_index = ifindex};
	struct netlink_link link = {0};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK);
	struct nl_cb *defaults = nl_socket_get_cb(nl->socket); /* a reference of ours */
	struct nl_cb *cb = nl_cb_clone(defaults);
	int error = -NLE_NOMEM;

	if (!msg || !cb)
		goto done;
	error = nlmsg_append(msg, (void *)&info, sizeof(info), NLMSG_ALIGNTO);
	if (!error && name)
		error = nla_put_string(msg, IFLA_IFNAME, name);
	if (error)
		goto done;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_link, &link);
	error = nl_send_auto(nl->socket, msg);
	if (error >= 0)
		error = nl_recvmsgs(nl->socket, cb);
	if (error >= 0)
		error = nl_wait_for_ack(nl->socket);
	if (error >= 0 && link.ifindex == 0)
		error = -NLE_NODEV;
done:
	nl_cb_put(cb);
	nl_cb_put(defaults);
	nlmsg_free(msg);
	if (error < 0)
		return to_errno(error);
	*out = link;
	return 0;
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

int netlink_link_set_mac(struct netlink *nl, int ifindex, const uint8_t mac[NETLINK_MAC_BYTES])
{
	struct rtnl_link *changes = rtnl_link_alloc();
	struct nl_addr *address = nl_addr_build(AF_LLC, mac, NETLINK_MAC_BYTES);

	if (changes && address) {
		rtnl_link_set_addr(changes, address);
	} else {
		rtnl_link_put(changes);
		changes = NULL;
	}
	nl_addr_put(address);
	return link_change(nl, ifindex, changes);
}

int netlink_link_set_name(struct netlink *nl, int ifindex, const char *name)
{
	struct rtnl_link *changes = rtnl_link_alloc();

	if (changes)
		rtnl_link_set_name(changes, name);
	return link_change(nl, ifindex, changes);
}

int netlink_link_delete(struct netlink *nl, int ifindex)
{
	struct rtnl_link *link = rtnl_link_alloc();

	if (!link)
		return -ENOMEM;
	rtnl_link_set_ifindex(link, ifindex);
	int error = to_errno(rtnl_link_delete(nl->socket, link));
	rtnl_link_put(link);
	return error;
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

static int prefix_from_nl(const struct nl_addr *address, int family, struct netlink_prefix *out)
{
	struct netlink_prefix prefix = {.family = family};
	unsigned int bytes = nl_addr_get_len(address);

	if (bytes > sizeof(prefix.address))
		return -EBADMSG;
	prefix.length = (uint8_t)nl_addr_get_prefixlen(address);
	memcpy(prefix.address, nl_addr_get_binary_addr(address), bytes);
	*out = prefix;
	return 0;
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

int netlink_address_remove(struct netlink *nl, int ifindex, const struct netlink_prefix *address)
{
	struct rtnl_addr *object = address_object(ifindex, address);

	if (!object)
		return -ENOMEM;
	int error = to_errno(rtnl_addr_delete(nl->socket, object, 0));
	rtnl_addr_put(object);
	return error == -EADDRNOTAVAIL ? 0 : error;
}

/* ---- Routes ---- */

static int route_fill(struct rtnl_route *object, struct rtnl_nexthop *hop, int ifindex,
		      const struct netlink_route *route)
{
	bool direct = route->gateway.family == 0;
	struct nl_addr *destination = prefix_to_nl(&route->destination);
	struct nl_addr *gateway = direct ? NULL : prefix_to_nl(&route->gateway);
	int error = destination && (direct || gateway) ? 0 : -NLE_NOMEM;

	if (!error)
		error = rtnl_route_set_dst(object, destination);
	if (!error) {
		rtnl_route_set_table(object, route->table ? route->table : RT_TABLE_MAIN);
		rtnl_route_set_priority(object, route->metric);
		rtnl_route_set_protocol(object, RTPROT_STATIC);
		rtnl_route_set_scope(object, direct && route->destination.family == AF_INET
						     ? RT_SCOPE_LINK
						     : RT_SCOPE_UNIVERSE);
		rtnl_route_nh_set_ifindex(hop, ifindex);
		if (gateway)
			rtnl_route_nh_set_gateway(hop, gateway);
	}
	nl_addr_put(destination);
	nl_addr_put(gateway);
	return error;
}

static int route_object(int ifindex, const struct netlink_route *route, struct rtnl_route **out)
{
	struct rtnl_route *object = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int error = object && hop ? 0 : -NLE_NOMEM;

	if (!error)
		error = route_fill(object, hop, ifindex, route);
	if (error) {
		if (hop)
			rtnl_route_nh_free(hop);
		rtnl_route_put(object);
		return to_errno(error);
	}
	rtnl_route_add_nexthop(object, hop); /* belongs to the route now */
	*out = object;
	return 0;
}

int netlink_route_add(struct netlink *nl, int ifindex, const struct netlink_route *route)
{
	struct rtnl_route *object = NULL;
	int error = route_object(ifindex, route, &object);

	if (error)
		return error;
	error = to_errno(rtnl_route_add(nl->socket, object, NLM_F_EXCL));
	rtnl_route_put(object);
	return error == -EEXIST ? 0 : error;
}

int netlink_route_remove(struct netlink *nl, int ifindex, const struct netlink_route *route)
{
	struct rtnl_route *object = NULL;
	int error = route_object(ifindex, route, &object);

	if (error)
		return error;
	error = to_errno(rtnl_route_delete(nl->socket, object, 0));
	rtnl_route_put(object);
	/* ESRCH of the kernel */
	return error == -ENODEV ? 0 : error;
}

/* ---- Snapshots ---- */

struct netlink_snapshot {
	uint32_t mtu;
	bool up;
	size_t addresses, routes;
	struct netlink_prefix *address;
	struct netlink_route *route;
};

static bool address_is_ours(struct nl_object *object, int ifindex)
{
	struct rtnl_addr *address = (struct rtnl_addr *)object;

	/* The kernel makes link-local and autoconfigured addresses itself. */
	return rtnl_addr_get_ifindex(address) == ifindex &&
	       rtnl_addr_get_scope(address) != RT_SCOPE_LINK &&
	       (rtnl_addr_get_flags(address) & IFA_F_PERMANENT);
}

static bool route_is_ours(struct nl_object *object, int ifindex)
{
	struct rtnl_route *route = (struct rtnl_route *)object;
	uint8_t protocol = rtnl_route_get_protocol(route);

	return rtnl_route_get_nnexthops(route) == 1 &&
	       rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0)) == ifindex &&
	       protocol != RTPROT_KERNEL && protocol != RTPROT_RA &&
	       rtnl_route_get_type(route) == RTN_UNICAST;
}

static int address_copy(struct nl_object *object, void *out)
{
	struct rtnl_addr *address = (struct rtnl_addr *)object;

	return prefix_from_nl(rtnl_addr_get_local(address), rtnl_addr_get_family(address), out);
}

static int route_copy(struct nl_object *object, void *out)
{
	struct rtnl_route *route = (struct rtnl_route *)object;
	struct nl_addr *gateway = rtnl_route_nh_get_gateway(rtnl_route_nexthop_n(route, 0));
	struct netlink_route copy = {
		.table = rtnl_route_get_table(route),
		.metric = rtnl_route_get_priority(route),
	};
	int error = prefix_from_nl(rtnl_route_get_dst(route), rtnl_route_get_family(route),
				   &copy.destination);

	if (!error && gateway)
		error = prefix_from_nl(gateway, nl_addr_get_family(gateway), &copy.gateway);
	if (!error)
		*(struct netlink_route *)out = copy;
	return error;
}

/* Copies what `ours` picks from a cache into a new array of `size`-byte elements. */
static int collect(struct nl_cache *cache, int ifindex, bool (*ours)(struct nl_object *, int),
		   int (*copy)(struct nl_object *, void *), size_t size, void **out, size_t *count)
{
	struct nl_object *object;
	char *array = calloc((size_t)nl_cache_nitems(cache) + 1, size);
	size_t found = 0;

	if (!array)
		return -ENOMEM;
	for (object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object)) {
		if (!ours(object, ifindex))
			continue;
		int error = copy(object, array + found * size);
		if (error) {
			free(array);
			return error;
		}
		found++;
	}
	*out = array;
	*count = found;
	return 0;
}

int netlink_snapshot_take(struct netlink *nl, int ifindex, struct netlink_snapshot **out)
{
	struct netlink_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct nl_cache *addresses = NULL, *routes = NULL;
	struct netlink_link link = {0};
	int error = -ENOMEM;

	if (!snapshot)
		return -ENOMEM;
	error = netlink_link_get(nl, ifindex, &link);
	if (error)
		goto done;
	snapshot->mtu = link.mtu;
	snapshot->up = link.flags & IFF_UP;
	error = to_errno(rtnl_addr_alloc_cache(nl->socket, &addresses));
	if (!error)
		error = to_errno(rtnl_route_alloc_cache(nl->socket, AF_UNSPEC, 0, &routes));
	if (!error)
		error = collect(addresses, ifindex, address_is_ours, address_copy,
				sizeof(*snapshot->address), (void **)&snapshot->address,
				&snapshot->addresses);
	if (!error)
		error = collect(routes, ifindex, route_is_ours, route_copy,
				sizeof(*snapshot->route), (void **)&snapshot->route,
				&snapshot->routes);
done:
	if (addresses)
		nl_cache_free(addresses);
	if (routes)
		nl_cache_free(routes);
	if (error) {
		netlink_snapshot_free(snapshot);
		return error;
	}
	*out = snapshot;
	return 0;
}

int netlink_snapshot_apply(struct netlink *nl, int ifindex, const struct netlink_snapshot *snapshot)
{
	int first = netlink_link_set_mtu(nl, ifindex, snapshot->mtu);
	int error = netlink_link_set_up(nl, ifindex, snapshot->up);

	first = first ? first : error;
	for (size_t i = 0; i < snapshot->addresses; i++) {
		error = netlink_address_add(nl, ifindex, &snapshot->address[i]);
		first = first ? first : error;
	}
	/* On-link routes first: the gateways of the others are behind them. */
	for (int gateways = 0; gateways < 2; gateways++)
		for (size_t i = 0; i < snapshot->routes; i++) {
			if ((snapshot->route[i].gateway.family != 0) != (gateways != 0))
				continue;
			error = netlink_route_add(nl, ifindex, &snapshot->route[i]);
			first = first ? first : error;
		}
	return first;
}

void netlink_snapshot_free(struct netlink_snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->address);
	free(snapshot->route);
	free(snapshot);
}

size_t netlink_snapshot_addresses(const struct netlink_snapshot *snapshot)
{
	return snapshot->addresses;
}

size_t netlink_snapshot_routes(const struct netlink_snapshot *snapshot)
{
	return snapshot->routes;
}

/* ---- Multicast groups ---- */

int netlink_multicast_groups(struct netlink *nl, const char *ifname,
			     uint8_t (*mac)[NETLINK_MAC_BYTES], size_t *count)
{
	char text[4096]; /* of whole lines, and what is there of the next */
	size_t have = 0, found = 0, room = *count;
	off_t offset = 0;
	ssize_t got;

	if (nl->multicast < 0)
		nl->multicast = open("/proc/thread-self/net/dev_mcast", O_RDONLY | O_CLOEXEC);
	if (nl->multicast < 0)
		return -errno;
	while ((got = pread(nl->multicast, text + have, sizeof(text) - 1 - have, offset)) > 0) {
		char *line = text, *end;

		offset += got;
		have += (size_t)got;
		text[have] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			uint8_t address[NETLINK_MAC_BYTES];

			*end = '\0';
			if (!netlink_parse_multicast(line, ifname, address))
				continue;
			if (found < room)
				memcpy(mac[found], address, sizeof(address));
			found++;
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
	}
	if (got < 0)
		return -errno;
	*count = found;
	return found > room ? -ENOSPC : 0;
}
