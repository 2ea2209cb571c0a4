/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of an interface, through rtnetlink.
 *
 * Two halves. `struct netlink` changes and reads links, addresses and routes with
 * libnl-route-3; it waits for the kernel's answer (with a deadline) and allocates.
 * `struct netlink_monitor` listens with libmnl, allocates nothing after open, and never
 * loses the state: after ENOBUFS it asks for a full dump again.
 *
 * Both act in the network namespace of the thread that opened them. All functions
 * return 0 or a negative errno; outputs stay untouched on failure.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_MAC_BYTES 6u

struct netlink;

int netlink_open(struct netlink **out);
void netlink_close(struct netlink *nl); /* takes NULL */

struct netlink_link {
	int ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[NETLINK_MAC_BYTES];
	uint32_t mtu;
	uint32_t flags;       /* IFF_UP, IFF_RUNNING, ... */
	uint32_t promiscuity; /* how many ask for it: tcpdump shows only here */
	uint32_t allmulti;
	uint32_t group;
	bool carrier;
};

/* -ENODEV: no such link. */
int netlink_link_get(struct netlink *nl, int ifindex, struct netlink_link *out);
int netlink_link_find(struct netlink *nl, const char *name, struct netlink_link *out);
int netlink_link_set_up(struct netlink *nl, int ifindex, bool up);
int netlink_link_set_mtu(struct netlink *nl, int ifindex, uint32_t mtu);
int netlink_link_set_mac(struct netlink *nl, int ifindex, const uint8_t mac[NETLINK_MAC_BYTES]);
int netlink_link_set_name(struct netlink *nl, int ifindex, const char *name);
int netlink_link_delete(struct netlink *nl, int ifindex);

/* An address or a route's destination: IPv4 in the first 4 bytes. */
struct netlink_prefix {
	int family; /* AF_INET or AF_INET6 */
	uint8_t address[16];
	uint8_t length;
};

/* "192.0.2.1/24", "2001:db8::1/64"; without a length, that of a host. -EINVAL. */
int netlink_prefix_parse(const char *text, struct netlink_prefix *out);
#define NETLINK_PREFIX_TEXT 64
void netlink_prefix_format(const struct netlink_prefix *prefix, char text[NETLINK_PREFIX_TEXT]);

/* Adding what is there already, and removing what is not, is success. */
int netlink_address_add(struct netlink *nl, int ifindex, const struct netlink_prefix *address);
int netlink_address_remove(struct netlink *nl, int ifindex, const struct netlink_prefix *address);

struct netlink_route {
	struct netlink_prefix destination; /* length 0: default */
	struct netlink_prefix gateway;     /* family 0: on link */
	uint32_t table;                    /* 0: main */
	uint32_t metric;
};

int netlink_route_add(struct netlink *nl, int ifindex, const struct netlink_route *route);
int netlink_route_remove(struct netlink *nl, int ifindex, const struct netlink_route *route);

/*
 * What an administrator set on a link: its MTU, up state, addresses (but the kernel's own
 * link-local) and routes (but the kernel's own). Taken from one interface and applied to another,
 * e.g. when a driver takes an interface over.
 */
struct netlink_snapshot;
int netlink_snapshot_take(struct netlink *nl, int ifindex, struct netlink_snapshot **out);
/* Applies as much as it can; the first error is returned, the rest is tried all the same. */
int netlink_snapshot_apply(struct netlink *nl, int ifindex,
			   const struct netlink_snapshot *snapshot);
void netlink_snapshot_free(struct netlink_snapshot *snapshot);
size_t netlink_snapshot_addresses(const struct netlink_snapshot *snapshot);
size_t netlink_snapshot_routes(const struct netlink_snapshot *snapshot);

/* ---- The monitor ---- */

struct netlink_monitor;

enum netlink_event_type {
	NETLINK_EVENT_LINK, /* the link is there, or changed */
	NETLINK_EVENT_LINK_GONE,
	NETLINK_EVENT_ADDRESS, /* an address is there */
	NETLINK_EVENT_ADDRESS_GONE,
	NETLINK_EVENT_MULTICAST, /* group memberships changed: read them again */
	NETLINK_EVENT_RESYNC,    /* events were lost; what follows is a full dump */
};

struct netlink_event {
	enum netlink_event_type type;
	struct netlink_link link; /* LINK; of the others only ifindex counts (RESYNC: nothing) */
	struct netlink_prefix address; /* ADDRESS, ADDRESS_GONE */
};

typedef void (*netlink_event_fn)(void *ctx, const struct netlink_event *event);

/* Events of this interface only, by its index; 0: of all. The first dispatch delivers the present
 * state. */
int netlink_monitor_open(int ifindex, netlink_event_fn fn, void *ctx, struct netlink_monitor **out);
void netlink_monitor_close(struct netlink_monitor *monitor); /* takes NULL */
/* Readable when there is something to dispatch; non-blocking. */
int netlink_monitor_fd(const struct netlink_monitor *monitor);
/* Handles what is there, without waiting. */
int netlink_monitor_dispatch(struct netlink_monitor *monitor);
/* Asks for the full state again, as after a loss. */
int netlink_monitor_resync(struct netlink_monitor *monitor);

/* The link-layer multicast groups of an interface. `*count` is the room on entry and the number
 * found on return; more than fit: -ENOSPC with `*count` set. Reads the kernel's dev_mcast table,
 * which names every group whatever its family, in the namespace of the first call; it stays open,
 * as opening is most of the cost. */
int netlink_multicast_groups(struct netlink *nl, const char *ifname,
			     uint8_t (*mac)[NETLINK_MAC_BYTES], size_t *count);
