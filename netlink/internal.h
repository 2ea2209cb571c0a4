/* SPDX-License-Identifier: MIT */
/* The kernel's messages, for both halves. */
#pragma once

#include <libmnl/libmnl.h>

#include "netlink.h"

/* Fills `out` from an RTM_NEWLINK or RTM_DELLINK message that mnl_nlmsg_ok accepted.
 * -EBADMSG: too short, or an attribute of the wrong size; -EAGAIN: not about an interface (a
 * bridge port's view of one). */
int netlink_parse_link(const struct nlmsghdr *message, struct netlink_link *out);
/* The same for RTM_NEWADDR and RTM_DELADDR. */
int netlink_parse_address(const struct nlmsghdr *message, int *ifindex, struct netlink_prefix *out);
/* Whether an RTM_NEWNEIGH message about the interface's own database has a unicast address that is
 * not zero; then `mac` is that. */
bool netlink_parse_unicast(const struct nlmsghdr *message, int ifindex,
			   uint8_t mac[NETLINK_MAC_BYTES]);
/* Whether a line of /proc/net/dev_mcast is about this interface; then `mac` is the group. */
bool netlink_parse_multicast(const char *line, const char *ifname, uint8_t mac[NETLINK_MAC_BYTES]);
