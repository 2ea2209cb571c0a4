/* SPDX-License-Identifier: MIT */
/*
 * interface: the kernel's side of the bridge, the TAP as the administrator sees it.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     interface_before.c   what a persistent TAP has from before
 *     interface_kept.c     what the TAP shows of the NIC stays true
 *       |
 *     interface.c          the TAP, its network namespace, and netlink's news of it
 *
 * Netlink, ethtool and /proc/net act in the namespace of the thread. Home is the namespace where
 * ixtapd was started. For an interface that is away, in another namespace, the thread goes there
 * for as long as it handles an event (interface_enter), if it has the right to, and keeps nothing
 * that was opened there. So a namespace that the administrator deletes, or whose container ends, is
 * not kept alive by us. Threads and children stay where the thread is when it makes them: it
 * makes them at home.
 */
#pragma once

#include <jansson.h>

#include "bridge/frames/tap.h"
#include "bridge/service/netns.h"
#include "bridge/start/options.h"
#include "bridge/driver/mirror.h"
#include "bridge/service/notice.h"
#include "netlink/netlink.h"

struct interface {
	struct tap tap;
	int home;               /* a descriptor */
	struct netns_id where;  /* the namespace of the interface */
	bool away;              /* `where` is not home */
	bool entered;           /* away, and the thread is there now */
	const char *held_netns; /* our descriptors keep this one alive; NULL: none but home */
	struct netns_id held;
	struct netlink *nl; /* away: only while entered */
	struct netlink_monitor *monitor;
	struct netlink_link link; /* as last read */
	/* Our start; both wrap below 0 for an interface made anew. */
	uint64_t tx_packets_before, tx_dropped_before;
	bool reachable;     /* the functions below can act on it */
	bool moved;         /* to another namespace than it was made in */
	bool deleted_heard; /* netlink says so */
	bool astray;        /* it may be elsewhere, or nowhere: interface_find tells */
	bool unreachable_said;
	int out_of_reach; /* why: an errno */
	bool link_set_warned, carrier_warned, read_warned;
	uint32_t mtu_refused;  /* the last MTU that was refused and logged; 0: none */
	uint32_t tx_queue_len; /* the last that was not 0; 0: not seen yet */
	struct notice carrier_changed, settings_changed, queue_changed; /* by other programs */
	struct notice tap_changed, offloads_changed;
	netlink_event_fn fn;
	void *ctx;
};

/* Before anything else; interface_close takes the result. */
void interface_init(struct interface *iface);

/* Makes or takes the TAP. The thread is at home afterwards. */
int interface_open(struct interface *iface, const struct options *options, struct ixgbe_why *why);
/* Takes the thread to the interface, and back home. What acts on the interface is called between
 * the two. Neither does anything if the interface is at home; both may be called twice. */
void interface_enter(struct interface *iface);
void interface_leave(struct interface *iface);
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
/* Asks for what no event tells: sets `astray` if the interface's namespace lost its name, and lives
 * on by our descriptors alone. */
void interface_held_check(struct interface *iface);

enum interface_fate {
	INTERFACE_HERE,         /* where it was */
	INTERFACE_MOVED,        /* to another namespace; the monitor is new */
	INTERFACE_REACHED,      /* where it was, and out of reach no more; the monitor is new */
	INTERFACE_OUT_OF_REACH, /* the thread cannot go there (out_of_reach); frames flow */
	INTERFACE_DELETED,
	INTERFACE_LOST, /* its namespace ended, or would without us */
};
/* Finds an interface that is astray, or that was out of reach. */
enum interface_fate interface_find(struct interface *iface);
/* Brings a lost interface back, at home, without addresses and down. The descriptors and the
 * monitor are new. */
int interface_bring_home(struct interface *iface, const struct options *options,
			 const uint8_t mac[IXGBE_MAC_BYTES], uint16_t mtu, struct ixgbe_why *why);

/* Sets carrier and what ethtool shows to those of the NIC's link and module. */
void interface_link_set(struct interface *iface, const struct ixgbe_link *link, enum ixgbe_sfp sfp);
/* Frames that the kernel has dropped in the TAP's own queue since the start; of an interface out of
 * reach, those that were last heard of. */
uint64_t interface_kernel_drop(struct interface *iface);
/* Frames that were read of the TAP since the start, by any driver. False: the interface is out of
 * reach. */
bool interface_kernel_reads(struct interface *iface, uint64_t *count);
/* Fills in the administrator's settings, with `mtu` in place of an MTU that no 82599 can have.
 * Reads the multicast groups, and the unicast addresses. */
void interface_wanted(const struct interface *iface, uint16_t mtu, struct mirror *wanted);

/* Whether the descriptors belong to an interface still. */
bool interface_attached(const struct interface *iface);
/* For the program that this process executes next: what that needs to go on with the interface.
 * Members "fd" are descriptors. NULL: no memory. */
json_t *interface_hand_over(const struct interface *iface);
/* In that program: as interface_open and interface_watch. */
int interface_take_over(struct interface *iface, const json_t *from, const struct options *options,
			netlink_event_fn fn, void *ctx, struct ixgbe_why *why);

/* Removes the TAP unless it persists. */
void interface_close(struct interface *iface);
