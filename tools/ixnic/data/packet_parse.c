/* SPDX-License-Identifier: MIT */
/*
 * The parser knows the headers that the hardware's knows: up to two VLAN tags, SNAP, IPv4 with
 * options, IPv6 with hop-by-hop, destination and routing headers, TCP, UDP and SCTP. It stops at
 * any other header and at one that does not fit, and reports those before it. No length in a frame
 * is believed before it was compared with the bytes that are there.
 */
#include "packet_parse.h"

#include <netinet/in.h>
#include <string.h>

#include "header_fields.h"
#include "ixgbe/tables/desc.h"

enum {
	IPV4_MORE_FRAGMENTS = 0x2000,
	IPV4_FRAGMENT_OFFSET = 0x1fff,
	LENGTH_END = 0x600, /* below: a length in place of the EtherType */
	SNAP_BYTES = 8,     /* with the LLC header before it */
};

struct cursor {
	const uint8_t *data;
	uint32_t len; /* bytes that may be read */
	uint32_t end; /* of the IP packet, as far as the frame reaches */
};

/* The protocols whose header the parser looks into. */
static const struct l4 {
	uint8_t protocol;
	uint8_t header_min;
	uint32_t type;
} l4_known[] = {
	{IPPROTO_TCP, TCP_BYTES, IXGBE_RXD_TYPE_TCP},
	{IPPROTO_UDP, UDP_BYTES, IXGBE_RXD_TYPE_UDP},
	{IPPROTO_SCTP, SCTP_BYTES, IXGBE_RXD_TYPE_SCTP},
};

static void parse_l4(struct parsed *packet, const struct cursor *c, uint32_t at)
{
	for (size_t i = 0; i < sizeof(l4_known) / sizeof(l4_known[0]); i++) {
		const struct l4 *known = &l4_known[i];
		uint32_t header = known->header_min;

		if (known->protocol != packet->l4_protocol)
			continue;
		if (c->end - at < header || c->len - at < header)
			return;
		if (known->protocol == IPPROTO_TCP) {
			header = (c->data[at + TCP_OFFSET] >> 4) * 4u;
			if (header < known->header_min || header > c->end - at)
				return;
		}
		packet->l4 = at;
		packet->l4_len = c->end - at;
		packet->payload = at + header;
		packet->types |= known->type;
		return;
	}
}

static void parse_ipv4(struct parsed *packet, struct cursor *c, uint32_t at, uint32_t total)
{
	const uint8_t *ip = c->data + at;
	uint32_t header, length;

	if (c->len - at < IPV4_BYTES || ip[0] >> 4 != 4)
		return;
	header = (ip[0] & 0xf) * 4u;
	length = be16_at(ip + IPV4_LENGTH);
	if (header < IPV4_BYTES || header > c->len - at || length < header || length > total - at)
		return;
	c->end = at + length;
	packet->ip = PARSE_IPV4;
	packet->l3 = at;
	packet->payload = at + header;
	packet->types |= header > IPV4_BYTES ? IXGBE_RXD_TYPE_IPV4E : IXGBE_RXD_TYPE_IPV4;
	packet->l4_protocol = ip[IPV4_PROTOCOL];
	packet->fragment =
		(be16_at(ip + IPV4_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) != 0;
	if (!packet->fragment)
		parse_l4(packet, c, at + header);
}

static void parse_ipv6(struct parsed *packet, struct cursor *c, uint32_t at, uint32_t total)
{
	const uint8_t *ip = c->data + at;
	uint32_t length;
	uint8_t next;

	if (c->len - at < IPV6_BYTES || ip[0] >> 4 != 6)
		return;
	length = be16_at(ip + IPV6_LENGTH);
	if (length > total - at - IPV6_BYTES)
		return;
	c->end = at + IPV6_BYTES + length;
	packet->ip = PARSE_IPV6;
	packet->l3 = at;
	packet->types |= IXGBE_RXD_TYPE_IPV6;
	next = ip[IPV6_NEXT];
	at += IPV6_BYTES;
	packet->payload = at;
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING) {
		uint32_t header;

		if (c->len - at < 8 || c->end - at < 8)
			return;
		header = (c->data[at + 1] + 1u) * 8u;
		if (header > c->len - at || header > c->end - at)
			return;
		if (next == IPPROTO_ROUTING && c->data[at + 3] != 0)
			packet->routed = true;
		packet->types &= ~IXGBE_RXD_TYPE_IPV6;
		packet->types |= IXGBE_RXD_TYPE_IPV6E;
		next = c->data[at];
		at += header;
		packet->payload = at;
	}
	packet->l4_protocol = next;
	packet->fragment = next == IPPROTO_FRAGMENT;
	if (!packet->fragment)
		parse_l4(packet, c, at);
}

/* Steps over a tag of the given type at `at`; true if there was one. */
static bool parse_tag(struct parsed *packet, const struct cursor *c, uint32_t *at, uint16_t type)
{
	if (type == 0 || packet->type != type || c->len - *at < TAG_BYTES)
		return false;
	packet->type = be16_at(c->data + *at + 2);
	*at += TAG_BYTES;
	return true;
}

void packet_parse(struct parsed *packet, const struct parse_config *config, const uint8_t *data,
		  uint32_t len, uint32_t total)
{
	struct cursor c = {.data = data, .len = len, .end = len};
	uint32_t at = ETHER_BYTES;
	uint16_t type;

	*packet = (struct parsed){0};
	if (len < ETHER_BYTES)
		return;
	packet->type = be16_at(data + ETHER_TYPE);
	parse_tag(packet, &c, &at, config->outer_type);
	if (parse_tag(packet, &c, &at, config->vlan_type)) {
		packet->vlan = true;
		packet->tag_at = at - TAG_BYTES - 2;
		packet->tag = be16_at(data + at - TAG_BYTES);
	}
	packet->payload = at;
	type = packet->type;
	/* Any LLC header counts as one with SNAP (erratum 67). */
	if (type < LENGTH_END && len - at >= SNAP_BYTES) {
		at += SNAP_BYTES;
		type = be16_at(data + at - 2);
	}
	if (type == ETHERTYPE_IPV4)
		parse_ipv4(packet, &c, at, total);
	else if (type == ETHERTYPE_IPV6)
		parse_ipv6(packet, &c, at, total);
}
