/* SPDX-License-Identifier: MIT */
/* Where the fields of Ethernet, IP, TCP and UDP headers are. */
#pragma once

#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu

#define IPV4_BYTES     20u
#define IPV4_TOT_LEN   2u
#define IPV4_ID        4u
#define IPV4_FRAG      6u
#define IPV4_FRAG_MASK 0x3fffu /* more fragments, and the offset */
#define IPV4_FRAG_DF   0x4000u
#define IPV4_PROTOCOL  9u
#define IPV4_CSUM      10u
#define IPV4_ADDRESSES 12u
#define IPV6_BYTES     40u
#define IPV6_PAYLOAD   4u
#define IPV6_NEXT      6u
#define IPV6_ADDRESSES 8u
#define TCP_BYTES      20u
#define TCP_SEQ        4u
#define TCP_ACK        8u
#define TCP_DOFF       12u
#define TCP_FLAGS      13u
#define TCP_FLAGS_PSH  0x08u
#define TCP_FLAGS_ACK  0x10u
#define TCP_WINDOW     14u
#define TCP_CSUM       16u
#define TCP_URGENT     18u
#define UDP_BYTES      8u
