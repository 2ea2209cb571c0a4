/* SPDX-License-Identifier: MIT */
/*
 * The hash XORs, for each bit set in the input, the 32 bits of the key that begin at that bit's
 * number. The share of a byte depends on its value and position alone: one table lookup finds it.
 */
#include "rss_hash.h"

#include <netinet/in.h>
#include <string.h>

#include "header_fields.h"
#include "ixgbe/tables/desc.h"
#include "ixgbe/tables/fields.h"

void rss_table_fill(struct rss_table *table, const uint8_t key[RSS_KEY_BYTES])
{
	for (uint32_t at = 0; at < RSS_INPUT_BYTES; at++) {
		uint32_t *entry = table->entry[at];
		uint64_t window = 0; /* the key's 40 bits from this byte on */

		for (uint32_t i = 0; i < 5; i++)
			window = window << 8 | (at + i < RSS_KEY_BYTES ? key[at + i] : 0);
		entry[0] = 0;
		for (uint32_t value = 1; value < 256; value++) {
			uint32_t top = 31u - (uint32_t)__builtin_clz(value);

			entry[value] = entry[value ^ (1u << top)] ^ (uint32_t)(window >> (top + 1));
		}
	}
}

uint32_t rss_hash(const struct rss_table *table, const uint8_t *input, size_t len)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < len; i++)
		hash ^= table->entry[i][input[i]];
	return hash;
}

size_t rss_input(uint8_t input[RSS_INPUT_BYTES], uint32_t *type, const struct parsed *packet,
		 const uint8_t *data, uint32_t mrqc)
{
	/* With ports if the packet has them and that is enabled, else addresses alone. */
	static const struct {
		enum parse_ip ip;
		uint8_t protocol; /* 0: any */
		uint32_t enable;
		uint32_t type;
	} kinds[] = {
		{PARSE_IPV4, IPPROTO_TCP, IXGBE_MRQC_RSS_TCP_IPV4, IXGBE_RXD_RSS_IPV4_TCP},
		{PARSE_IPV4, IPPROTO_UDP, IXGBE_MRQC_RSS_UDP_IPV4, IXGBE_RXD_RSS_IPV4_UDP},
		{PARSE_IPV4, 0, IXGBE_MRQC_RSS_IPV4, IXGBE_RXD_RSS_IPV4},
		{PARSE_IPV6, IPPROTO_TCP, IXGBE_MRQC_RSS_TCP_IPV6, IXGBE_RXD_RSS_IPV6_TCP},
		{PARSE_IPV6, IPPROTO_UDP, IXGBE_MRQC_RSS_UDP_IPV6, IXGBE_RXD_RSS_IPV6_UDP},
		{PARSE_IPV6, 0, IXGBE_MRQC_RSS_IPV6, IXGBE_RXD_RSS_IPV6},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t at = packet->ip == PARSE_IPV4 ? IPV4_ADDRESSES : IPV6_ADDRESSES;
		size_t len = packet->ip == PARSE_IPV4 ? 8 : 32;

		if (kinds[i].ip != packet->ip || !(mrqc & kinds[i].enable))
			continue;
		if (kinds[i].protocol && (!packet->l4 || kinds[i].protocol != packet->l4_protocol))
			continue;
		memcpy(input, data + packet->l3 + at, len);
		if (kinds[i].protocol) {
			memcpy(input + len, data + packet->l4, 4);
			len += 4;
		}
		*type = kinds[i].type;
		return len;
	}
	*type = IXGBE_RXD_RSS_NONE;
	return 0;
}
