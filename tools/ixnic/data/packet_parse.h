/* SPDX-License-Identifier: MIT */
/* The 82599's packet parser: where a frame's headers are (sections 7.1.2 and 7.1.11). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Which tags the parser knows, from the registers. */
struct parse_config {
	uint16_t vlan_type;  /* VLNCTRL.VET */
	uint16_t outer_type; /* EXVET, with CTRL_EXT.EXTENDED_VLAN; 0: off */
};

enum parse_ip { PARSE_NO_IP, PARSE_IPV4, PARSE_IPV6 };

/* Offsets are from the start of the frame; 0 means that there is none. */
struct parsed {
	bool vlan;           /* tagged, with vlan_type */
	bool fragment;       /* of IP: no layer 4 is looked at, even in the first one */
	bool routed;         /* IPv6 routing header with segments left: no checksum is verified */
	uint8_t l4_protocol; /* TCP, UDP, SCTP, if `l4`; of a fragment also */
	enum parse_ip ip;
	uint16_t tag;     /* TCI of the tag */
	uint16_t type;    /* EtherType behind the tags; a length below 0x600 */
	uint32_t tag_at;  /* offset of the tag that is stripped */
	uint32_t l3;      /* IP header */
	uint32_t l4;      /* TCP, UDP or SCTP header */
	uint32_t payload; /* behind the last header that the parser knows */
	uint32_t l4_len;  /* from l4 to the end of the IP packet */
	uint32_t types;   /* IXGBE_RXD_TYPE_* */
};

/* A pure function of its arguments. Headers are looked for in the `len` bytes at `data`; the whole
 * frame has `total` >= len, which lengths in headers are checked against. */
void packet_parse(struct parsed *packet, const struct parse_config *config, const uint8_t *data,
		  uint32_t len, uint32_t total);
