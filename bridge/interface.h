/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of the bridge: the TAP, its network namespace, and netlink's news of it.
 *
 * The thread that opens an interface enters the interface's network namespace and stays there,
 * since netlink, ethtool and /proc/net act in the namespace of the thread. When the administrator
 * moves the interface the thread follows, if it has the right to.
 */
#pragma once

#include "bridge/frames/tap.h"
#include "bridge/start/options.h"
#include "mirror.h"
#include "netlink/netlink.h"

/* How long a TAP that is in use may take to become free at the start. */
#define INTERFACE_BUSY_MS 1000

struct interface {
	struct tap tap;
	int start_netns; /* where ixtapd was started */
	struct netlink *nl;
	struct netlink_monitor *monitor;
	struct netlink_link link;   /* as last read */
	uint64_t tx_dropped_before; /* our start */
	bool reachable;             /* the thread is in its namespace */
	bool moved;                 /* from the namespace it was made in */
	bool gone_heard;            /* it left its namespace: moved or deleted */
	bool link_set_warned, carrier_warned, read_warned;
	uint32_t mtu_refused; /* the last: a refusal is logged once */
	netlink_event_fn fn;
	void *ctx;
};

/* Before anything else; interface_close takes the result. */
void interface_init(struct interface *iface);

/* Enters the namespace, makes or takes the TAP. */
int interface_open(struct interface *iface, const struct options *options, struct ixgbe_why *why);
/* The MTU to start with: that of the options, or that of the interface if the NIC can have it. */
uint16_t interface_mtu_first(const struct interface *iface, const struct options *options);
/* Logs that no 82599 can have the interface's MTU, and that `mtu` replaces it. */
void interface_mtu_refuse(const struct interface *iface, uint16_t mtu);
/* MAC, MTU and addresses; then up, if asked for. */
int interface_configure(struct interface *iface, const struct options *options,
			const uint8_t mac[IXGBE_MAC_BYTES], uint16_t mtu, struct ixgbe_why *why);
/* Opens the monitor. interface_dispatch gives its events to `fn`. They tell that something changed;
 * interface_read tells what is now. */
int interface_watch(struct interface *iface, netlink_event_fn fn, void *ctx);
int interface_dispatch(struct interface *iface);
/* Reads `link` and the name. Does nothing while the interface is out of reach. */
int interface_read(struct interface *iface);

enum interface_fate {
	INTERFACE_HERE,         /* where it was */
	INTERFACE_MOVED,        /* to a namespace that the thread is in now; the monitor is new */
	INTERFACE_OUT_OF_REACH, /* in a namespace that the thread may not enter; frames flow */
	INTERFACE_DELETED,
};
/* Finds an interface whose link is gone, or that was out of reach. */
enum interface_fate interface_find(struct interface *iface);

/* Sets carrier and what ethtool shows to those of the NIC's link and module. */
void interface_link_set(struct interface *iface, const struct ixgbe_link *link, enum ixgbe_sfp sfp);
/* Frames that the kernel has dropped in the TAP's own queue since the start; of an interface out of
 * reach, those that were last heard of. */
uint64_t interface_kernel_drop(struct interface *iface);
/* Fills in the administrator's settings, with `mtu` in place of an MTU that no 82599 can have.
 * Reads the multicast groups, and the unicast addresses. */
void interface_wanted(const struct interface *iface, uint16_t mtu, struct mirror *wanted);

/* Removes the TAP unless it persists. */
void interface_close(struct interface *iface);
