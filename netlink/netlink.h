/* SPDX-License-Identifier: MIT */
/*
 * netlink: an interface in the kernel, through rtnetlink.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     objects.c    links and addresses are read and changed, link-layer addresses are read
 *     monitor.c    changes by others are heard
 *       |
 *     messages.c   the kernel's messages become structs, addresses become text
 *
 * objects.c uses libnl-route-3: `struct netlink` waits for the kernel's answer, with a deadline,
 * and allocates. monitor.c uses libmnl: `struct netlink_monitor` allocates nothing after open, and
 * asks for a full dump when events were lost (ENOBUFS).
 *
 * Both act in the network namespace of the thread that opened them. All functions return 0 or a
 * negative errno. Outputs stay untouched on failure, but for those of netlink_multicast_groups and
 * netlink_unicast_addresses.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_MAC_BYTES   6u
#define NETLINK_ALIAS_BYTES 256u

struct netlink;

int netlink_open(struct netlink **out);
void netlink_close(struct netlink *nl); /* takes NULL */

struct netlink_link {
	int ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[NETLINK_MAC_BYTES];
	uint32_t mtu;
	uint32_t tx_queue_len; /* frames that wait in a queue of a TAP, at most */
	uint32_t flags;        /* IFF_UP, IFF_RUNNING, ... */
	uint32_t promiscuity;  /* how many ask for it: tcpdump shows only here */
	uint32_t allmulti;
	bool carrier;
	bool bridge_port;
	/* Since the interface was made: what was read of a TAP, and what the kernel dropped. */
	uint64_t tx_packets, tx_dropped;
	bool left;           /* LINK_GONE: it went to another namespace */
	bool tun;            /* a TUN or a TAP */
	uint32_t tun_queues; /* attached to it, by anybody; 0 if it has one queue only */
	char alias[NETLINK_ALIAS_BYTES];
};

/* -ENODEV: no such link. */
int netlink_link_get(struct netlink *nl, int ifindex, struct netlink_link *out);
int netlink_link_find(struct netlink *nl, const char *name, struct netlink_link *out);
int netlink_link_set_up(struct netlink *nl, int ifindex, bool up);
int netlink_link_set_mtu(struct netlink *nl, int ifindex, uint32_t mtu);
int netlink_link_set_tx_queue_len(struct netlink *nl, int ifindex, uint32_t frames);
int netlink_link_set_alias(struct netlink *nl, int ifindex, const char *alias); /* "": none */

/* An address with the length of its network: IPv4 in the first 4 bytes. */
struct netlink_prefix {
	int family; /* AF_INET or AF_INET6 */
	uint8_t address[16];
	uint8_t length;
};

/* "192.0.2.1/24", "2001:db8::1/64"; without a length, that of a host. -EINVAL. */
int netlink_prefix_parse(const char *text, struct netlink_prefix *out);
#define NETLINK_PREFIX_TEXT 64
void netlink_prefix_format(const struct netlink_prefix *prefix, char text[NETLINK_PREFIX_TEXT]);

/* Adding an address that is there already is success. */
int netlink_address_add(struct netlink *nl, int ifindex, const struct netlink_prefix *address);

/* The number that the kernel uses here for another network namespace; it is given one if it has
 * none. The number ends with the namespace. */
int netlink_namespace_number(struct netlink *nl, int netns_fd, int32_t *nsid);

/*
 * The link-layer multicast groups of an interface, whatever family they are for. `*count` is the
 * room on entry and the number found on return. -ENOSPC: more than fit; `mac` is full, and `*count`
 * says how many there are. Reads the kernel's table dev_mcast in the namespace of the first call.
 * The table stays open, since opening is most of the cost.
 */
int netlink_multicast_groups(struct netlink *nl, const char *ifname,
			     uint8_t (*mac)[NETLINK_MAC_BYTES], size_t *count);

/*
 * The link-layer unicast addresses of an interface besides its own, those that macvlans, VLANs,
 * packet sockets and 'bridge fdb add ... self' put there. `*count` and -ENOSPC are as above. The
 * zero address is left out. A change of them is no event.
 */
int netlink_unicast_addresses(struct netlink *nl, int ifindex, uint8_t (*mac)[NETLINK_MAC_BYTES],
			      size_t *count);

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
	/* LINK: whole; LINK_GONE: ifindex and left; RESYNC: nothing; the others: ifindex. */
	struct netlink_link link;
	struct netlink_prefix address; /* ADDRESS, ADDRESS_GONE */
};

typedef void (*netlink_event_fn)(void *ctx, const struct netlink_event *event);

/* Events of the interface with that index; 0: of all interfaces. The first dispatch delivers the
 * present state. */
int netlink_monitor_open(int ifindex, netlink_event_fn fn, void *ctx, struct netlink_monitor **out);
/* Events of an interface in another namespace, by its number here. The socket is in the thread's
 * own namespace, so the monitor does not keep the other one alive. It never delivers the present
 * state, and without CAP_NET_BROADCAST nothing at all. */
int netlink_monitor_open_there(int32_t nsid, int ifindex, netlink_event_fn fn, void *ctx,
			       struct netlink_monitor **out);
void netlink_monitor_close(struct netlink_monitor *monitor); /* takes NULL */
/* Readable when there is something to dispatch; non-blocking. */
int netlink_monitor_fd(const struct netlink_monitor *monitor);
/* Handles what is there, without waiting. */
int netlink_monitor_dispatch(struct netlink_monitor *monitor);
/* Asks for the full state again, as after a loss. */
int netlink_monitor_resync(struct netlink_monitor *monitor);
