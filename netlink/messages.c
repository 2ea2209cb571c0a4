/* SPDX-License-Identifier: MIT */
/* Kernel messages and text into plain structs; no state, no sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int attr_u32(const struct nlattr *attr, uint32_t *out)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return MNL_CB_ERROR;
	*out = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int parse_tun_attr(const struct nlattr *attr, void *ctx)
{
	struct netlink_link *link = ctx;
	uint16_t type = mnl_attr_get_type(attr);
	uint32_t queues = 0;

	if (type != IFLA_TUN_NUM_QUEUES && type != IFLA_TUN_NUM_DISABLED_QUEUES)
		return MNL_CB_OK;
	if (attr_u32(attr, &queues) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	link->tun_queues += queues;
	return MNL_CB_OK;
}

/* The kernel puts the kind before the data, whose meaning the kind decides. */
static int parse_info_attr(const struct nlattr *attr, void *ctx)
{
	struct netlink_link *link = ctx;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) {
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			return MNL_CB_ERROR;
		link->tun = !strcmp(mnl_attr_get_str(attr), "tun");
	}
	if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND) {
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			return MNL_CB_ERROR;
		link->bridge_port = !strcmp(mnl_attr_get_str(attr), "bridge");
	}
	if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && link->tun)
		return mnl_attr_parse_nested(attr, parse_tun_attr, link);
	return MNL_CB_OK;
}

/* The attribute grows with the kernel's version. */
static void counts_take(const struct nlattr *attr, struct netlink_link *link)
{
	struct rtnl_link_stats64 counts = {0};
	size_t bytes = mnl_attr_get_payload_len(attr);

	memcpy(&counts, mnl_attr_get_payload(attr),
	       bytes < sizeof(counts) ? bytes : sizeof(counts));
	link->tx_packets = counts.tx_packets;
	link->tx_dropped = counts.tx_dropped;
}

static int parse_link_attr(const struct nlattr *attr, void *ctx)
{
	struct netlink_link *link = ctx;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
		    mnl_attr_get_payload_len(attr) > IFNAMSIZ)
			return MNL_CB_ERROR;
		snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_IFALIAS:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			return MNL_CB_ERROR;
		snprintf(link->alias, sizeof(link->alias), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS: /* other lengths belong to other kinds of interface */
		if (mnl_attr_get_payload_len(attr) == NETLINK_MAC_BYTES)
			memcpy(link->mac, mnl_attr_get_payload(attr), NETLINK_MAC_BYTES);
		break;
	case IFLA_MTU:
		return attr_u32(attr, &link->mtu);
	case IFLA_TXQLEN:
		return attr_u32(attr, &link->tx_queue_len);
	case IFLA_PROMISCUITY:
		return attr_u32(attr, &link->promiscuity);
	case IFLA_ALLMULTI:
		return attr_u32(attr, &link->allmulti);
	case IFLA_CARRIER:
		if (mnl_attr_validate(attr, MNL_TYPE_U8) < 0)
			return MNL_CB_ERROR;
		link->carrier = mnl_attr_get_u8(attr);
		break;
	case IFLA_STATS64:
		counts_take(attr, link);
		break;
	case IFLA_NEW_NETNSID:
		link->left = true;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, parse_info_attr, link);
	default:
		break;
	}
	return MNL_CB_OK;
}

int netlink_parse_link(const struct nlmsghdr *message, struct netlink_link *out)
{
	struct netlink_link link = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg))
		return -EBADMSG;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	if (info->ifi_family != AF_UNSPEC)
		return -EAGAIN;
	link.ifindex = info->ifi_index;
	link.flags = info->ifi_flags;
	if (mnl_attr_parse(message, sizeof(*info), parse_link_attr, &link) < 0)
		return -EBADMSG;
	*out = link;
	return 0;
}

static size_t address_bytes(int family) /* 0: not an address we know */
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

struct address_attrs {
	size_t bytes;
	const void *address, *local;
};

static int parse_address_attr(const struct nlattr *attr, void *ctx)
{
	struct address_attrs *attrs = ctx;
	uint16_t type = mnl_attr_get_type(attr);

	if (type != IFA_ADDRESS && type != IFA_LOCAL)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) != attrs->bytes)
		return MNL_CB_ERROR;
	*(type == IFA_LOCAL ? &attrs->local : &attrs->address) = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

int netlink_parse_address(const struct nlmsghdr *message, int *ifindex, struct netlink_prefix *out)
{
	struct netlink_prefix prefix = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct ifaddrmsg))
		return -EBADMSG;
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct address_attrs attrs = {.bytes = address_bytes(info->ifa_family)};
	if (attrs.bytes == 0)
		return -EAGAIN;
	if (mnl_attr_parse(message, sizeof(*info), parse_address_attr, &attrs) < 0)
		return -EBADMSG;
	/* On a point-to-point link IFA_ADDRESS is the peer's. */
	const void *local = attrs.local ? attrs.local : attrs.address;
	if (!local)
		return -EBADMSG;
	prefix.family = info->ifa_family;
	prefix.length = info->ifa_prefixlen;
	memcpy(prefix.address, local, attrs.bytes);
	*ifindex = (int)info->ifa_index;
	*out = prefix;
	return 0;
}

int netlink_prefix_parse(const char *text, struct netlink_prefix *out)
{
	struct netlink_prefix prefix = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	unsigned long host_length = 8 * address_bytes(prefix.family), length = host_length;
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t chars = slash ? (size_t)(slash - text) : strlen(text);

	if (chars >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, chars);
	address[chars] = '\0';
	if (slash) {
		size_t digits = strspn(slash + 1, "0123456789");
		if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
			return -EINVAL;
		length = strtoul(slash + 1, NULL, 10);
	}
	if (length > host_length || inet_pton(prefix.family, address, prefix.address) != 1)
		return -EINVAL;
	prefix.length = (uint8_t)length;
	*out = prefix;
	return 0;
}

void netlink_prefix_format(const struct netlink_prefix *prefix, char text[NETLINK_PREFIX_TEXT])
{
	char address[INET6_ADDRSTRLEN] = "?";

	inet_ntop(prefix->family, prefix->address, address, sizeof(address));
	snprintf(text, NETLINK_PREFIX_TEXT, "%s/%u", address, prefix->length);
}

static int parse_neighbour_attr(const struct nlattr *attr, void *ctx)
{
	const uint8_t **address = ctx;

	if (mnl_attr_get_type(attr) == NDA_LLADDR &&
	    mnl_attr_get_payload_len(attr) == NETLINK_MAC_BYTES)
		*address = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

bool netlink_parse_unicast(const struct nlmsghdr *message, int ifindex,
			   uint8_t mac[NETLINK_MAC_BYTES])
{
	static const uint8_t zero[NETLINK_MAC_BYTES];
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	const uint8_t *address = NULL;

	if (message->nlmsg_type != RTM_NEWNEIGH ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->ndm_ifindex != ifindex ||
	    !(info->ndm_flags & NTF_SELF))
		return false;
	if (mnl_attr_parse(message, sizeof(*info), parse_neighbour_attr, &address) < 0 ||
	    !address || address[0] & 1 || !memcmp(address, zero, sizeof(zero)))
		return false;
	memcpy(mac, address, NETLINK_MAC_BYTES);
	return true;
}

bool netlink_parse_multicast(const char *line, const char *ifname, uint8_t mac[NETLINK_MAC_BYTES])
{
	char name[IFNAMSIZ + 1], hex[2 * NETLINK_MAC_BYTES + 1];

	/* index, interface, users, users in all, address in hex */
	return sscanf(line, "%*d %16s %*d %*d %12s", name, hex) == 2 && !strcmp(name, ifname) &&
	       sscanf(hex, "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6;
}
