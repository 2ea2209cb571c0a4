/* SPDX-License-Identifier: MIT */
#include "interface.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bridge/service/listen.h"
#include "bridge/service/log.h"
#include "bridge/service/printable.h"
#include "bridge/service/tun.h"

#define IPV6_MTU_MIN      1280 /* RFC 8200, 5 */
#define ALIAS_NETNS_BYTES 220u /* what an alias has room for */
#define GONE_MS           1000 /* how long an interface may outlive its descriptors, at most */
#define GONE_NEXT_MS      2

void interface_init(struct interface *iface)
{
	*iface = (struct interface){.home = -1};
	for (size_t q = 0; q < IXGBE_QUEUES_MAX; q++)
		iface->tap.fd[q] = -1;
}

/* ---- Opening ---- */

/* The io_uring of an ixtapd that was killed holds the TAP until a moment after its death, and a
 * supervisor may start the next one sooner. */
static int open_tap(struct interface *iface, const struct options *options, struct ixgbe_why *why)
{
	int err, left_ms = LISTEN_BUSY_MS;

	for (;;) {
		err = tap_open(&iface->tap, options->tap, options->queues, options->persist, why);
		if (err != -EBUSY || left_ms <= 0)
			return err;
		usleep(LISTEN_NEXT_MS * 1000);
		left_ms -= LISTEN_NEXT_MS;
	}
}

static int link_get(struct interface *iface, struct ixgbe_why *why)
{
	int err = netlink_link_get(iface->nl, iface->tap.ifindex, &iface->link);

	return err ? ixgbe_why_fill(why, err, "cannot ask the kernel for the TAP by netlink: %s",
				    strerror(-err))
		   : 0;
}

/* The interface's link, by the name that the descriptor knows: its index may differ there. */
static int look_up(const struct interface *iface, struct netlink_link *out)
{
	struct ifreq request = {0};
	struct netlink *nl;
	int err;

	if (ioctl(iface->tap.fd[0], TUNGETIFF, &request))
		return -errno;
	err = netlink_open(&nl);
	if (err)
		return err;
	err = netlink_link_find(nl, request.ifr_name, out);
	netlink_close(nl);
	return err;
}

/* Whether an interface of that name and number is in the thread's namespace, which is home. */
static bool is_at_home(const struct interface *iface)
{
	struct netlink_link link = {0};

	return !look_up(iface, &link) && link.ifindex == iface->tap.ifindex;
}

/* A descriptor of the interface's namespace, or -errno. -EBADFD: there is no interface. Without
 * CAP_NET_ADMIN the kernel does not say it. */
static int namespace_of(const struct interface *iface)
{
	int fd = ioctl(iface->tap.fd[0], TUNGETDEVNETNS);
	int err = fd < 0 ? -errno : 0;

	if (err == -EPERM && !iface->entered && is_at_home(iface)) {
		fd = fcntl(iface->home, F_DUPFD_CLOEXEC, 0);
		err = fd < 0 ? -errno : 0;
	}
	return err ? err : fd;
}

/* The alias of an interface that ixtapd made anew at home because its namespace had ended. A later
 * start with that --netns takes the interface there. */
static void alias_make(const struct options *options, char alias[NETLINK_ALIAS_BYTES])
{
	snprintf(alias, NETLINK_ALIAS_BYTES, "ixtapd: from network namespace %.*s",
		 (int)printable_bytes(options->netns, ALIAS_NETNS_BYTES), options->netns);
}

/* Whether an interface with that alias is in the thread's namespace. */
static bool came_home(const struct options *options)
{
	char alias[NETLINK_ALIAS_BYTES];
	struct netlink_link link;
	struct netlink *nl;
	bool came;

	if (netlink_open(&nl))
		return false;
	alias_make(options, alias);
	came = !netlink_link_find(nl, options->tap, &link) && !strcmp(link.alias, alias);
	netlink_close(nl);
	return came;
}

/*
 * The descriptors of a TAP keep the namespace alive in which /dev/net/tun was opened. So a new TAP
 * is made in a namespace of its own, where its name is free, and moved. A TAP that is there already
 * can be taken only from there.
 */
static int open_there(struct interface *iface, const struct options *options, int there,
		      struct ixgbe_why *why)
{
	const bool came = came_home(options);
	int err = netns_enter(there, why);

	if (err)
		return err;
	iface->entered = true;
	if (if_nametoindex(options->tap)) {
		iface->held_netns = options->netns;
		iface->held = iface->where;
		return open_tap(iface, options, why);
	}
	err = came ? netns_enter(iface->home, why) : netns_enter_new(why);
	if (!err)
		err = open_tap(iface, options, why);
	if (err)
		return err;
	err = netns_interface_move(options->tap, there);
	if (err)
		return ixgbe_why_fill(why, err, "cannot move TAP %s to network namespace %s: %s",
				      options->tap, options->netns, strerror(-err));
	return netns_enter(there, why);
}

/* As open_there; the thread is at home before and after. */
static int open_away(struct interface *iface, const struct options *options, struct ixgbe_why *why)
{
	int err, there = netns_open(options->netns, why);
	struct netns_id id = {0};

	if (there < 0)
		return there;
	iface->away = netns_identify(there, &id) && !netns_same(&id, &iface->where);
	if (iface->away) {
		iface->where = id;
		err = open_there(iface, options, there, why);
		/* The index may differ there. */
		iface->tap.ifindex = (int)if_nametoindex(options->tap);
	} else {
		err = open_tap(iface, options, why);
	}
	close(there);
	return err;
}

int interface_open(struct interface *iface, const struct options *options, struct ixgbe_why *why)
{
	int err;

	iface->home = netns_current(why);
	if (iface->home < 0)
		return iface->home;
	netns_identify(iface->home, &iface->where);
	err = *options->netns ? open_away(iface, options, why) : open_tap(iface, options, why);
	if (!err) {
		iface->reachable = true;
		err = netlink_open(&iface->nl);
		if (err)
			ixgbe_why_fill(why, err, "cannot open netlink: %s", strerror(-err));
		else
			err = link_get(iface, why);
	}
	interface_leave(iface);
	iface->tx_packets_before = iface->link.tx_packets;
	iface->tx_dropped_before = iface->link.tx_dropped;
	return err;
}

/* Takes the alias from an interface that is in its namespace again. */
static void alias_clear(struct interface *iface, const struct options *options)
{
	char alias[NETLINK_ALIAS_BYTES];

	alias_make(options, alias);
	if (iface->away && !strcmp(iface->link.alias, alias))
		netlink_link_set_alias(iface->nl, iface->tap.ifindex, "");
}

static void alias_set(struct interface *iface, const struct options *options)
{
	char alias[NETLINK_ALIAS_BYTES];

	alias_make(options, alias);
	if (*options->netns)
		netlink_link_set_alias(iface->nl, iface->tap.ifindex, alias);
}

static int add_addresses(struct interface *iface, const struct options *options, uint16_t mtu,
			 struct ixgbe_why *why)
{
	for (size_t i = 0; i < options->addresses; i++) {
		char text[NETLINK_PREFIX_TEXT];
		int err = netlink_address_add(iface->nl, iface->tap.ifindex, &options->address[i]);

		if (!err)
			continue;
		netlink_prefix_format(&options->address[i], text);
		return ixgbe_why_fill(why, err, "cannot add the address %s to %s: %s%s", text,
				      iface->tap.name, strerror(-err),
				      options->address[i].family == AF_INET ? ""
				      : mtu < IPV6_MTU_MIN
					      ? "; IPv6 needs an MTU of at least 1280"
					      : "; is IPv6 off (net.ipv6.conf.all.disable_ipv6)?");
	}
	return 0;
}

void interface_mtu_refuse(const struct interface *iface, uint16_t mtu)
{
	log_warning("%s: MTU %u refused, an 82599 can at most %u: set to %u", iface->tap.name,
		    iface->link.mtu, IXGBE_MTU_MAX, mtu);
}

uint16_t interface_mtu_first(const struct interface *iface, const struct options *options)
{
	if (options->mtu)
		return options->mtu;
	if (iface->link.mtu <= IXGBE_MTU_MAX)
		return (uint16_t)iface->link.mtu;
	/* A persistent TAP keeps its MTU from before. */
	interface_mtu_refuse(iface, IXGBE_MTU_MAX);
	return IXGBE_MTU_MAX;
}

static const char *right_needed(int err)
{
	return err == -EPERM || err == -EACCES ? "; CAP_NET_ADMIN is needed" : "";
}

static int mac_and_mtu_set(struct interface *iface, const uint8_t mac[IXGBE_MAC_BYTES],
			   uint16_t mtu, struct ixgbe_why *why)
{
	int err = tap_mac_set(&iface->tap, mac);

	if (err)
		return ixgbe_why_fill(why, err, "cannot set the MAC address of the TAP: %s",
				      strerror(-err));
	if (mtu != iface->link.mtu) {
		err = netlink_link_set_mtu(iface->nl, iface->tap.ifindex, mtu);
		if (err)
			return ixgbe_why_fill(why, err, "cannot set the MTU of the TAP: %s%s",
					      strerror(-err), right_needed(err));
	}
	return 0;
}

int interface_configure(struct interface *iface, const struct options *options,
			const uint8_t mac[IXGBE_MAC_BYTES], uint16_t mtu, struct ixgbe_why *why)
{
	int err = mac_and_mtu_set(iface, mac, mtu, why);

	alias_clear(iface, options);
	if (!err)
		err = add_addresses(iface, options, mtu, why);
	if (err)
		return err;
	if (options->up) {
		err = netlink_link_set_up(iface->nl, iface->tap.ifindex, true);
		if (err)
			return ixgbe_why_fill(why, err, "cannot set the TAP up: %s%s",
					      strerror(-err), right_needed(err));
	}
	return link_get(iface, why);
}

/* ---- There and back ---- */

/* Goes there if the interface still is where it was. */
static bool go(const struct interface *iface)
{
	int fd = namespace_of(iface);
	struct netns_id now;
	bool gone;

	if (fd < 0)
		return false;
	gone = netns_identify(fd, &now) && netns_same(&now, &iface->where) &&
	       !netns_enter(fd, NULL);
	close(fd);
	return gone;
}

void interface_enter(struct interface *iface)
{
	if (!iface->away || iface->entered || !iface->reachable)
		return;
	iface->entered = go(iface);
	if (iface->entered && netlink_open(&iface->nl))
		interface_leave(iface);
	if (iface->entered)
		return;
	iface->reachable = false;
	iface->astray = true;
}

void interface_leave(struct interface *iface)
{
	struct ixgbe_why why;

	if (!iface->entered)
		return;
	netlink_close(iface->nl);
	iface->nl = NULL;
	/* A thread that was allowed to leave its first namespace may always go back. */
	if (netns_enter(iface->home, &why))
		log_error("%s: %s", iface->tap.name, why.text);
	iface->entered = false;
}

/* ---- Following ---- */

static void on_event(void *ctx, const struct netlink_event *event)
{
	struct interface *iface = ctx;

	if (event->type == NETLINK_EVENT_LINK_GONE) {
		iface->astray = true;
		iface->deleted_heard = !event->link.left;
	}
	iface->fn(iface->ctx, event);
}

/* Opens the monitor of an interface that is away; the thread is at home. -EPERM: CAP_NET_ADMIN is
 * needed. */
static int monitor_there(struct interface *iface, int there, int ifindex,
			 struct netlink_monitor **out)
{
	struct netlink *nl;
	int32_t nsid;
	int err = netlink_open(&nl);

	if (err)
		return err;
	err = netlink_namespace_number(nl, there, &nsid);
	netlink_close(nl);
	return err ? err : netlink_monitor_open_there(nsid, ifindex, on_event, iface, out);
}

int interface_watch(struct interface *iface, netlink_event_fn fn, void *ctx)
{
	int err, there;

	iface->fn = fn;
	iface->ctx = ctx;
	if (!iface->away)
		return netlink_monitor_open(iface->tap.ifindex, on_event, iface, &iface->monitor);
	there = namespace_of(iface);
	if (there < 0)
		return there;
	err = monitor_there(iface, there, iface->tap.ifindex, &iface->monitor);
	close(there);
	return err;
}

int interface_dispatch(struct interface *iface)
{
	return netlink_monitor_dispatch(iface->monitor);
}

/* Whether the thread is where the interface is. */
static bool is_here(const struct interface *iface)
{
	return iface->reachable && (!iface->away || iface->entered);
}

/* The index tells which interface this is: its name may have changed. */
static void link_take(struct interface *iface, const struct netlink_link *link)
{
	iface->link = *link;
	iface->tap.ifindex = link->ifindex;
	memcpy(iface->tap.name, link->name, sizeof(iface->tap.name));
}

int interface_read(struct interface *iface)
{
	struct netlink_link link;
	bool strange;
	int err;

	if (!is_here(iface))
		return 0;
	err = netlink_link_get(iface->nl, iface->tap.ifindex, &link);
	if (!err)
		link_take(iface, &link);
	else if (err == -ENODEV)
		iface->astray = true; /* moved or deleted just now */
	strange = err && err != -ENODEV;
	if (strange && !iface->read_warned)
		log_warning("%s: cannot read the interface's settings: %s: trying again",
			    iface->tap.name, strerror(-err));
	iface->read_warned = strange;
	return err;
}

/* Whether the interface's namespace lost its name, and lives on by our descriptors. */
static bool holds_alone(const struct interface *iface)
{
	return iface->held_netns && netns_same(&iface->where, &iface->held) &&
	       !netns_is_named(iface->held_netns, &iface->held);
}

void interface_held_check(struct interface *iface)
{
	iface->astray |= holds_alone(iface);
}

/* The interface is in the namespace of `there` now: what was about another one is opened again. */
static int reopen(struct interface *iface, int there, bool away)
{
	struct netlink_monitor *monitor = NULL;
	struct netlink *nl = NULL;
	struct netlink_link link = {0};
	int err = away ? netns_enter(there, NULL) : 0;

	if (err)
		return err;
	err = look_up(iface, &link);
	if (away && netns_enter(iface->home, NULL))
		return -EPERM;
	if (!err && away)
		err = monitor_there(iface, there, link.ifindex, &monitor);
	else if (!err)
		err = netlink_monitor_open(link.ifindex, on_event, iface, &monitor);
	if (!err && !away)
		err = netlink_open(&nl);
	if (err) {
		netlink_monitor_close(monitor);
		return err;
	}
	netlink_monitor_close(iface->monitor);
	netlink_close(iface->nl);
	iface->monitor = monitor;
	iface->nl = nl;
	link_take(iface, &link);
	return 0;
}

/* The interface is in the namespace of `there`. */
static enum interface_fate find_there(struct interface *iface, int there)
{
	struct netns_id now, home;
	bool away, same;
	int err;

	if (!netns_identify(there, &now) || !netns_identify(iface->home, &home))
		return INTERFACE_OUT_OF_REACH;
	same = netns_same(&now, &iface->where);
	away = !netns_same(&now, &home);
	if (same) {
		if (holds_alone(iface)) {
			iface->reachable = false;
			return INTERFACE_LOST;
		}
		if (iface->reachable)
			return INTERFACE_HERE;
	}
	iface->moved |= !same;
	iface->away = away;
	iface->where = now;
	err = reopen(iface, there, away);
	iface->reachable = !err;
	iface->out_of_reach = -err;
	if (err)
		return INTERFACE_OUT_OF_REACH;
	return same ? INTERFACE_REACHED : INTERFACE_MOVED;
}

enum interface_fate interface_find(struct interface *iface)
{
	enum interface_fate fate;
	int there;

	interface_leave(iface);
	there = namespace_of(iface);
	if (there == -EBADFD) {
		/* Netlink tells of a deletion, and not of the end of a namespace. */
		(void)interface_dispatch(iface);
		iface->reachable = false;
		return iface->deleted_heard ? INTERFACE_DELETED : INTERFACE_LOST;
	}
	/* EINVAL: the namespace is about to end, and the interface with it. */
	iface->astray = there == -EINVAL;
	iface->deleted_heard = false;
	iface->out_of_reach = there < 0 ? -there : 0;
	if (there < 0)
		return iface->astray ? INTERFACE_HERE : INTERFACE_OUT_OF_REACH;
	fate = find_there(iface, there);
	close(there);
	return fate;
}

int interface_bring_home(struct interface *iface, const struct options *options,
			 const uint8_t mac[IXGBE_MAC_BYTES], uint16_t mtu, struct ixgbe_why *why)
{
	uint64_t dropped = iface->link.tx_dropped - iface->tx_dropped_before;
	uint64_t reads = iface->link.tx_packets - iface->tx_packets_before;
	int err;

	interface_leave(iface);
	netlink_monitor_close(iface->monitor);
	netlink_close(iface->nl);
	iface->monitor = NULL;
	iface->nl = NULL;
	iface->held_netns = NULL;
	iface->away = iface->astray = iface->deleted_heard = false;
	iface->reachable = iface->moved = true;
	netns_identify(iface->home, &iface->where);
	/* Without persistence the old interface goes when its descriptors are closed. */
	iface->tap.persist = false;
	tap_close(&iface->tap);
	err = open_tap(iface, options, why);
	if (!err)
		err = netlink_open(&iface->nl) ? ixgbe_why_fill(why, -EIO, "cannot open netlink")
					       : link_get(iface, why);
	if (!err)
		err = mac_and_mtu_set(iface, mac, mtu, why);
	if (!err) {
		alias_set(iface, options);
		err = link_get(iface, why);
	}
	iface->tx_packets_before = iface->link.tx_packets - reads;
	iface->tx_dropped_before = iface->link.tx_dropped - dropped;
	if (!err && interface_watch(iface, iface->fn, iface->ctx))
		err = ixgbe_why_fill(why, -EIO, "cannot watch the interface");
	return err;
}

/* ---- From one program to the next ---- */

bool interface_attached(const struct interface *iface)
{
	struct ifreq request = {0};

	return !ioctl(iface->tap.fd[0], TUNGETIFF, &request);
}

/* In one number, a byte for each; -1: not read yet. */
static int features_number(const struct tap_features *features)
{
	return features->known ? features->requested | features->active << 8 | features->off << 16
			       : -1;
}

static struct tap_features features_of(int number)
{
	return number < 0 ? (struct tap_features){.known = false}
			  : (struct tap_features){.known = true,
						  .requested = (uint8_t)number,
						  .active = (uint8_t)(number >> 8),
						  .off = (uint8_t)(number >> 16)};
}

json_t *interface_hand_over(const struct interface *iface)
{
	const struct tap *tap = &iface->tap;
	json_t *fd = json_array();

	for (uint16_t q = 0; q < tap->queues; q++)
		json_array_append_new(fd, json_integer(tap->fd[q]));
	return json_pack("{s:o,s:i,s:b,s:b,s:i,s:b,s:b,s:I,s:I,s:i,s:i}", "fd", fd, "ifindex",
			 tap->ifindex, "persist", tap->persist, "was_persistent",
			 tap->was_persistent, "offloads", (int)tap->offloads, "moved", iface->moved,
			 "held", iface->held_netns != NULL, "tx_packets_before",
			 (json_int_t)iface->tx_packets_before, "tx_dropped_before",
			 (json_int_t)iface->tx_dropped_before, "tx_queue_len",
			 (int)iface->tx_queue_len, "features", features_number(&tap->features));
}

#define DELETED                                                                                    \
	"%s: the interface was deleted: nothing left to do; start ixtapd again to have it back"

static int tap_take_over(struct interface *iface, const json_t *from, uint16_t queues, bool *held)
{
	struct tap *tap = &iface->tap;
	json_int_t packets, dropped;
	struct ifreq request = {0};
	int persist, was, offloads, moved, holds, len, features = -1;
	json_t *fd;

	if (json_unpack((json_t *)(uintptr_t)from, "{s:o,s:b,s:b,s:i,s:b,s:b,s:I,s:I,s:i,s?i}",
			"fd", &fd, "persist", &persist, "was_persistent", &was, "offloads",
			&offloads, "moved", &moved, "held", &holds, "tx_packets_before", &packets,
			"tx_dropped_before", &dropped, "tx_queue_len", &len, "features",
			&features) ||
	    json_array_size(fd) != queues)
		return -EBADMSG;
	for (uint16_t q = 0; q < queues; q++)
		tap->fd[q] = (int)json_integer_value(json_array_get(fd, q));
	tap->queues = queues;
	tap->ifindex = (int)json_integer_value(json_object_get(from, "ifindex"));
	tap->persist = persist;
	tap->was_persistent = was;
	tap->offloads = (uint32_t)offloads;
	tap->features = features_of(features);
	iface->moved = moved;
	iface->tx_packets_before = (uint64_t)packets;
	iface->tx_dropped_before = (uint64_t)dropped;
	iface->tx_queue_len = (uint32_t)len;
	*held = holds;
	if (ioctl(tap->fd[0], TUNGETIFF, &request))
		return -errno;
	memcpy(tap->name, request.ifr_name, sizeof(tap->name));
	tap_kept_begin(tap);
	return 0;
}

int interface_take_over(struct interface *iface, const json_t *from, const struct options *options,
			netlink_event_fn fn, void *ctx, struct ixgbe_why *why)
{
	bool held, moved;
	int err = tap_take_over(iface, from, options->queues, &held);
	enum interface_fate fate;

	if (err == -EBADFD)
		return ixgbe_why_fill(why, err, DELETED, options->tap);
	if (err)
		return ixgbe_why_fill(why, err, "the interface of the former program: %s",
				      strerror(-err));
	iface->home = netns_current(why);
	if (iface->home < 0)
		return iface->home;
	iface->fn = fn;
	iface->ctx = ctx;
	netns_identify(iface->home, &iface->where);
	moved = iface->moved;
	fate = interface_find(iface);
	iface->moved = moved;
	if (held) {
		iface->held_netns = options->netns;
		iface->held = iface->where;
	}
	if (!iface->monitor) /* out of reach: it hears of nothing */
		err = netlink_monitor_open(0, on_event, iface, &iface->monitor);
	if (err)
		return ixgbe_why_fill(why, err, "cannot open netlink: %s", strerror(-err));
	return fate == INTERFACE_DELETED || fate == INTERFACE_LOST
		       ? ixgbe_why_fill(why, -ENODEV, DELETED, iface->tap.name)
		       : 0;
}

/* ---- Telling ---- */

static void ethtool_set(struct interface *iface, const struct ixgbe_link *link, enum ixgbe_sfp sfp)
{
	int err = tap_link_set(&iface->tap, link->speed_mbps, sfp);

	if (err == -ENODEV || err == -EBADFD)
		return; /* moved or deleted just now */
	if (err && !iface->link_set_warned)
		log_warning("cannot set speed, port and modes that ethtool shows for %s: %s",
			    iface->tap.name, strerror(-err));
	iface->link_set_warned |= err;
}

void interface_link_set(struct interface *iface, const struct ixgbe_link *link, enum ixgbe_sfp sfp)
{
	int err;

	/* The speed first: who hears of the carrier reads it at once. */
	if (is_here(iface))
		ethtool_set(iface, link, sfp);
	err = tap_carrier_set(&iface->tap, link->up);
	if (!err)
		iface->link.carrier = link->up;
	if (err == -EBADFD)
		return; /* deleted just now: netlink reports it */
	if (err && !iface->carrier_warned)
		log_warning("cannot set the carrier of %s: %s", iface->tap.name, strerror(-err));
	iface->carrier_warned = err;
}

/*
 * A TAP has no unicast filter: while it has addresses besides its own the kernel makes it
 * promiscuous, as if one more program had asked for that. The NIC has entries for such addresses;
 * it is promiscuous only where somebody else asks, or where they do not fit.
 */
static void unicast_wanted(const struct interface *iface, struct mirror *wanted)
{
	const struct netlink_link *link = &iface->link;
	size_t others = IXGBE_UNICAST_MAX;
	int err = -ENODEV;

	/* A bridge wants all frames. For its port the kernel would list all that are behind it. */
	if (link->promiscuity && !link->bridge_port && is_here(iface))
		err = netlink_unicast_addresses(iface->nl, iface->tap.ifindex, wanted->other,
						&others);
	if (err && err != -ENOSPC)
		others = 0;
	wanted->others_there = (uint32_t)others;
	wanted->others = (uint16_t)(others < IXGBE_UNICAST_MAX ? others : IXGBE_UNICAST_MAX);
	wanted->promiscuous =
		link->promiscuity > (others > 0) || err == -ENOSPC || link->flags & IFF_PROMISC;
}

static bool counts_read(struct interface *iface)
{
	struct netlink_link now;

	if (!is_here(iface) || netlink_link_get(iface->nl, iface->tap.ifindex, &now))
		return false;
	iface->link.tx_packets = now.tx_packets;
	iface->link.tx_dropped = now.tx_dropped;
	return true;
}

uint64_t interface_kernel_drop(struct interface *iface)
{
	(void)counts_read(iface);
	return iface->link.tx_dropped - iface->tx_dropped_before;
}

bool interface_kernel_reads(struct interface *iface, uint64_t *count)
{
	if (!counts_read(iface))
		return false;
	*count = iface->link.tx_packets - iface->tx_packets_before;
	return true;
}

void interface_wanted(const struct interface *iface, uint16_t mtu, struct mirror *wanted)
{
	const struct netlink_link *link = &iface->link;
	size_t groups = MIRROR_GROUPS_MAX;
	int err = is_here(iface) ? netlink_multicast_groups(iface->nl, iface->tap.name,
							    wanted->group, &groups)
				 : -ENODEV;

	memcpy(wanted->mac, link->mac, sizeof(wanted->mac));
	wanted->mtu = link->mtu <= IXGBE_MTU_MAX ? (uint16_t)link->mtu : mtu;
	wanted->admin_up = link->flags & IFF_UP;
	unicast_wanted(iface, wanted);
	/* With a table that cannot be read, or is too long, all multicast is better than some. */
	wanted->allmulticast = err || link->allmulti || link->flags & IFF_ALLMULTI;
	wanted->groups_there = err && err != -ENOSPC ? 0 : (uint32_t)groups;
	wanted->groups = err ? 0 : (uint16_t)groups;
}

/* The io_uring of a driver that was killed has the TAP's descriptors for some 40 ms still. Whoever
 * sees us end is to see the interface gone. */
static void gone_wait(const char *name, int ifindex)
{
	for (int left_ms = GONE_MS; left_ms > 0 && (int)if_nametoindex(name) == ifindex;
	     left_ms -= GONE_NEXT_MS)
		usleep(GONE_NEXT_MS * 1000);
}

void interface_close(struct interface *iface)
{
	const struct tap tap = iface->tap;

	netlink_monitor_close(iface->monitor);
	netlink_close(iface->nl);
	if (iface->tap.fd[0] >= 0) {
		tap_close(&iface->tap);
		if (!tap.persist && !iface->away)
			gone_wait(tap.name, tap.ifindex);
	}
	if (iface->home >= 0)
		close(iface->home);
	interface_init(iface);
}
