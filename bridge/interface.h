/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of the bridge: the TAP, its network namespace and what netlink says of it.
 *
 * The thread that opens an interface is in the interface's network namespace from then on:
 * netlink, ethtool and /proc/net all mean the thread's own. When the administrator moves
 * the interface the thread follows, if it has the right to.
 */
#pragma once

#include "mirror.h"
#include "netlink/netlink.h"
#include "bridge/start/options.h"
#include "bridge/frames/tap.h"

/* How long a TAP that is in use may take to become free at the start. */
#define INTERFACE_BUSY_MS 1000

struct interface {
	struct tap tap;
	int start_netns; /* where ixtapd was started */
	struct netlink *nl;
	struct netlink_monitor *monitor;
	struct netlink_link link; /* as last heard */
	bool reachable;           /* we are in its namespace */
	bool moved;               /* from where it was made */
	bool gone_heard;          /* it left our namespace, one way or the other */
	bool speed_warned;
	uint32_t mtu_refused; /* so that one refusal is said once */
	netlink_event_fn fn;
	void *ctx;
};

/* So that interface_close takes it. */
void interface_init(struct interface *iface);

/* Enters the namespace, makes or takes the TAP. */
int interface_open(struct interface *iface, const struct options *options, struct ixgbe_why *why);
/* The MTU to start with: that of the options, or what the interface has if the NIC can. */
uint16_t interface_mtu_first(const struct interface *iface, const struct options *options);
/* MAC, MTU and addresses; then up, if asked for. */
int interface_configure(struct interface *iface, const struct options *options,
			const uint8_t mac[IXGBE_MAC_BYTES], uint16_t mtu, struct ixgbe_why *why);
/* Opens the monitor; `fn` gets the events that interface_dispatch finds. `link` is updated before.
 */
int interface_watch(struct interface *iface, netlink_event_fn fn, void *ctx);
/* Handles what the monitor has. */
int interface_dispatch(struct interface *iface);

enum interface_fate {
	INTERFACE_HERE,         /* nothing happened to it after all */
	INTERFACE_MOVED,        /* to another namespace: we are there too; the monitor is new */
	INTERFACE_OUT_OF_REACH, /* to one that we can't enter; its frames still flow */
	INTERFACE_DELETED,
};
/* Finds out what a link that is gone, or was out of reach, has become. */
enum interface_fate interface_find(struct interface *iface);

/* Carrier and speed, as the NIC's link is. */
void interface_link_set(struct interface *iface, const struct ixgbe_link *link);
/* What the administrator wants of the NIC; reads the multicast groups. An MTU of 0: one that no
 * 82599 can. */
void interface_wanted(const struct interface *iface, struct mirror *wanted);

/* Removes the TAP unless it persists. */
void interface_close(struct interface *iface);
