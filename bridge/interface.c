/* SPDX-License-Identifier: MIT */
#include "interface.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/netns.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200, 5 */

/* Linux 5.9 */
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

void interface_init(struct interface *iface)
{
	*iface = (struct interface){.start_netns = -1};
	for (size_t q = 0; q < IXGBE_QUEUES_MAX; q++)
		iface->tap.fd[q] = -1;
}

/* ---- Opening ---- */

/* The io_uring of an ixtapd that was killed holds the TAP until a moment after its death, and a
 * supervisor may start the next one sooner. */
static int open_tap(struct interface *iface, const struct options *options, struct ixgbe_why *why)
{
	int err, left_ms = INTERFACE_BUSY_MS;

	for (;;) {
		err = tap_open(&iface->tap, options->tap, options->queues, options->persist, why);
		if (err != -EBUSY || left_ms <= 0)
			return err;
		usleep(20 * 1000);
		left_ms -= 20;
	}
}

static int link_get(struct interface *iface, struct ixgbe_why *why)
{
	int err = netlink_link_get(iface->nl, iface->tap.ifindex, &iface->link);

	return err ? ixgbe_why_fill(why, err, "cannot ask the kernel for the TAP by netlink: %s",
				    strerror(-err))
		   : 0;
}

int interface_open(struct interface *iface, const struct options *options, struct ixgbe_why *why)
{
	int err = 0;

	iface->start_netns = netns_current(why);
	if (iface->start_netns < 0)
		return iface->start_netns;
	if (*options->netns)
		err = netns_enter(options->netns, why);
	if (!err)
		err = open_tap(iface, options, why);
	if (err)
		return err;
	iface->reachable = true;
	err = netlink_open(&iface->nl);
	if (err)
		return ixgbe_why_fill(why, err, "cannot open netlink: %s", strerror(-err));
	err = link_get(iface, why);
	iface->tx_dropped_before = iface->link.tx_dropped;
	return err;
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

int interface_configure(struct interface *iface, const struct options *options,
			const uint8_t mac[IXGBE_MAC_BYTES], uint16_t mtu, struct ixgbe_why *why)
{
	int err = tap_mac_set(&iface->tap, mac);

	if (err)
		return ixgbe_why_fill(why, err, "cannot set the MAC address of the TAP: %s",
				      strerror(-err));
	if (mtu != iface->link.mtu) {
		err = netlink_link_set_mtu(iface->nl, iface->tap.ifindex, mtu);
		if (err)
			return ixgbe_why_fill(
				why, err,
				"cannot set the MTU of the TAP: %s; CAP_NET_ADMIN is needed",
				strerror(-err));
	}
	err = add_addresses(iface, options, mtu, why);
	if (err)
		return err;
	if (options->up) {
		err = netlink_link_set_up(iface->nl, iface->tap.ifindex, true);
		if (err)
			return ixgbe_why_fill(why, err,
					      "cannot set the TAP up: %s; CAP_NET_ADMIN is needed",
					      strerror(-err));
	}
	return link_get(iface, why);
}

/* ---- Following ---- */

static void on_event(void *ctx, const struct netlink_event *event)
{
	struct interface *iface = ctx;

	if (event->type == NETLINK_EVENT_LINK) {
		iface->gone_heard = false;
	} else if (event->type == NETLINK_EVENT_LINK_GONE) {
		iface->gone_heard = true;
	}
	iface->fn(iface->ctx, event);
}

int interface_watch(struct interface *iface, netlink_event_fn fn, void *ctx)
{
	iface->fn = fn;
	iface->ctx = ctx;
	return netlink_monitor_open(iface->tap.ifindex, on_event, iface, &iface->monitor);
}

int interface_dispatch(struct interface *iface)
{
	return netlink_monitor_dispatch(iface->monitor);
}

int interface_read(struct interface *iface)
{
	int err = iface->reachable ? netlink_link_get(iface->nl, iface->tap.ifindex, &iface->link)
				   : 0;
	bool strange = err && err != -ENODEV; /* moved or deleted just now */

	/* The index tells which interface this is: its name may have changed. */
	if (!err)
		memcpy(iface->tap.name, iface->link.name, sizeof(iface->tap.name));
	if (strange && !iface->read_warned)
		log_warning("%s: cannot read the interface's settings: %s: trying again",
			    iface->tap.name, strerror(-err));
	iface->read_warned = strange;
	return err;
}

static bool same_namespace(int fd)
{
	struct stat there, here;

	return !fstat(fd, &there) && !stat("/proc/thread-self/ns/net", &here) &&
	       there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

/* The thread has entered another namespace: what belongs to a namespace is opened again. */
static int reopen(struct interface *iface)
{
	struct netlink_monitor *monitor;
	struct netlink *nl;
	struct ifreq request = {0};
	struct netlink_link link;
	int err;

	/* The index may differ there; the descriptor knows the name. */
	if (ioctl(iface->tap.fd[0], TUNGETIFF, &request))
		return -errno;
	err = netlink_open(&nl);
	if (err)
		return err;
	err = netlink_link_find(nl, request.ifr_name, &link);
	if (!err)
		err = netlink_monitor_open(link.ifindex, on_event, iface, &monitor);
	if (err) {
		netlink_close(nl);
		return err;
	}
	netlink_monitor_close(iface->monitor);
	netlink_close(iface->nl);
	iface->monitor = monitor;
	iface->nl = nl;
	iface->link = link;
	iface->tap.ifindex = link.ifindex;
	memcpy(iface->tap.name, link.name, sizeof(iface->tap.name));
	return 0;
}

enum interface_fate interface_find(struct interface *iface)
{
	int err, fd = ioctl(iface->tap.fd[0], TUNGETDEVNETNS);

	if (fd < 0)
		return errno == EBADFD ? INTERFACE_DELETED : INTERFACE_OUT_OF_REACH;
	iface->gone_heard = false;
	if (iface->reachable && same_namespace(fd)) {
		close(fd);
		return INTERFACE_HERE;
	}
	err = setns(fd, CLONE_NEWNET) ? -errno : reopen(iface);
	close(fd);
	iface->reachable = !err;
	iface->moved = true;
	return err ? INTERFACE_OUT_OF_REACH : INTERFACE_MOVED;
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
	if (iface->reachable)
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
	if (link->promiscuity && !link->bridge_port && iface->reachable)
		err = netlink_unicast_addresses(iface->nl, iface->tap.ifindex, wanted->other,
						&others);
	if (err == -ENOSPC)
		others = IXGBE_UNICAST_MAX;
	else if (err)
		others = 0;
	wanted->others = (uint16_t)others;
	wanted->promiscuous =
		link->promiscuity > (others > 0) || err == -ENOSPC || link->flags & IFF_PROMISC;
}

uint64_t interface_kernel_drop(struct interface *iface)
{
	struct netlink_link now;

	if (iface->reachable && !netlink_link_get(iface->nl, iface->tap.ifindex, &now))
		iface->link.tx_dropped = now.tx_dropped;
	return iface->link.tx_dropped - iface->tx_dropped_before;
}

void interface_wanted(const struct interface *iface, uint16_t mtu, struct mirror *wanted)
{
	const struct netlink_link *link = &iface->link;
	size_t groups = MIRROR_GROUPS_MAX;
	int err = iface->reachable ? netlink_multicast_groups(iface->nl, iface->tap.name,
							      wanted->group, &groups)
				   : -ENODEV;

	memcpy(wanted->mac, link->mac, sizeof(wanted->mac));
	wanted->mtu = link->mtu <= IXGBE_MTU_MAX ? (uint16_t)link->mtu : mtu;
	wanted->admin_up = link->flags & IFF_UP;
	unicast_wanted(iface, wanted);
	/* With a table that cannot be read, or is too long, all multicast is better than some. */
	wanted->allmulticast = err || link->allmulti || link->flags & IFF_ALLMULTI;
	wanted->groups = err ? 0 : (uint16_t)groups;
}

void interface_close(struct interface *iface)
{
	netlink_monitor_close(iface->monitor);
	netlink_close(iface->nl);
	if (iface->tap.fd[0] >= 0)
		tap_close(&iface->tap);
	if (iface->start_netns >= 0)
		close(iface->start_netns);
	interface_init(iface);
}
