/* SPDX-License-Identifier: MIT */
/* Lengths of frames and headers, where fields are in headers, and reading and writing of fields. */
#pragma once

#include <stdint.h>

enum {
	FRAME_MIN = 60,            /* without CRC */
	FRAME_MAX_STANDARD = 1518, /* with CRC, without tag */
	CRC_BYTES = 4,

	ETHER_TYPE = 12, /* or the tag */
	ETHER_BYTES = 14,
	TAG_BYTES = 4,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,

	IP_PACKET_MAX = 65535,
	IPV4_TOS = 1,
	IPV4_LENGTH = 2,
	IPV4_ID = 4,
	IPV4_FRAGMENT = 6,
	IPV4_PROTOCOL = 9,
	IPV4_CSUM = 10,
	IPV4_ADDRESSES = 12,
	IPV4_BYTES = 20, /* without options */
	IPV6_LENGTH = 4,
	IPV6_NEXT = 6,
	IPV6_ADDRESSES = 8,
	IPV6_BYTES = 40,

	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_OFFSET = 12, /* header length, reserved bits and NS; then the flags */
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CSUM = 16,
	TCP_URGENT = 18,
	TCP_BYTES = 20, /* without options */
	TCP_FLAGS_FIN = 0x01,
	TCP_FLAGS_SYN = 0x02,
	TCP_FLAGS_PSH = 0x08,
	TCP_FLAGS_ACK = 0x10,

	UDP_LENGTH = 4,
	UDP_CSUM = 6,
	UDP_BYTES = 8,

	SCTP_CSUM = 8,
	SCTP_BYTES = 12,
};

/* Addresses and ports as the filters' registers have them: the first byte on the wire lowest. */
static inline uint32_t le32_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint16_t be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32_at(const uint8_t *p)
{
	return (uint32_t)be16_at(p) << 16 | be16_at(p + 2);
}

/* The lower 16 bits of `value`. */
static inline void be16_put(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void be32_put(uint8_t *p, uint32_t value)
{
	be16_put(p, value >> 16);
	be16_put(p + 2, value);
}
