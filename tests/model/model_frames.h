/* SPDX-License-Identifier: MIT */
/*
 * Frames for tests, and what is right about them: written in the plainest way, to be compared
 * with what the NIC does in a fast one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What to build. Zero means: none, or the usual. */
struct frame_spec {
	const uint8_t *to;   /* destination; NULL: the model's factory address */
	uint16_t outer_vlan; /* with outer_type: a tag in front of everything */
	uint16_t outer_type;
	uint16_t vlan; /* TCI; with `tagged` */
	bool tagged;
	bool ipv6;
	uint8_t protocol;     /* 6, 17, 132; 0: TCP */
	uint16_t ip_options;  /* bytes, a multiple of 4 (IPv4), of 8: destination options (IPv6) */
	uint16_t fragment;    /* the flags and offset word of IPv4 */
	uint8_t tcp_flags;    /* 0: ACK */
	uint16_t tcp_options; /* bytes, a multiple of 4 */
	uint32_t seq;
	uint16_t source, destination; /* ports; 0: 1000 and 2000 */
	uint32_t payload;             /* bytes: 0, 1, 2, ... */
};

struct built {
	uint8_t data[70000];
	uint32_t len;
	uint32_t l3, l4, body; /* offsets */
};

void frame_build(struct built *frame, const struct frame_spec *spec);
/* A frame of `len` bytes, of an EtherType that nothing looks into, to `to` (NULL: the model). */
void frame_raw(struct built *frame, const uint8_t *to, uint32_t len);

/* Whether the IPv4 header's and the layer 4 checksum are right; by the frame's own headers. */
bool frame_ip_right(const uint8_t *data, uint32_t l3);
bool frame_l4_right(const uint8_t *data, uint32_t l3, uint32_t l4, uint32_t len);

extern const uint8_t frame_mac[6]; /* the model's factory address */

uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
void set16(uint8_t *at, uint32_t value);
void set32(uint8_t *at, uint32_t value);
uint32_t plain_crc32(const uint8_t *data, size_t len, uint32_t polynomial);
/* The one's complement sum of big-endian words, folded, not inverted. */
uint16_t plain_sum(uint32_t start, const uint8_t *data, size_t len);
/* The pseudo header's, by the addresses of the frame. */
uint16_t pseudo_sum(const uint8_t *data, uint32_t l3, uint8_t protocol, uint32_t l4_len);
