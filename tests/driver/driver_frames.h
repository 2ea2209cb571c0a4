/* SPDX-License-Identifier: MIT */
/* Frames for the driver tests: built, and looked at. */
#pragma once

#include "driver_rig.h"

#define ETH_BYTES  14u
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define TCP_BYTES  20u
#define UDP_BYTES  8u
#define PROTO_TCP  6u
#define PROTO_UDP  17u

extern const uint8_t peer[IXGBE_MAC_BYTES], broadcast[IXGBE_MAC_BYTES];

struct packet {
	uint8_t data[64 * 1024];
	uint32_t l3, l4, header, len; /* offsets: of IP, of TCP or UDP, of the payload; end */
	bool v6;
	uint8_t proto;
};

void put16(uint8_t *at, uint32_t value);
uint32_t get16(const uint8_t *at);
/* One's complement sum, RFC 1071, unfolded so that pieces add up. */
uint32_t sum(const uint8_t *data, size_t len, uint32_t start);
uint32_t fold(uint32_t value);
/* The sum over addresses and protocol, and `length`. */
uint32_t pseudo(const struct packet *p, const uint8_t *ip, uint32_t length);

/* Ethernet, IP, TCP or UDP with all checksums right, and a payload that counts. */
void packet_make(struct packet *p, const uint8_t to[IXGBE_MAC_BYTES], bool v6, uint8_t proto,
		 uint16_t port, uint32_t payload);
uint8_t *checksum_field(struct packet *p);
/* Fails unless a frame of `len` bytes has right checksums in the headers that `like` has. */
void assert_checksums(const struct packet *like, const uint8_t *frame, uint32_t len);
/* What the driver is told to fill in. */
struct ixgbe_seg offload_of(const struct packet *p);

/* Sends it on the wire; it arrives at the port as it is, or not at all. */
void arrives(struct rig *rig, const uint8_t *frame, uint32_t len);
void is_filtered(struct rig *rig, const uint8_t *frame, uint32_t len);

/* A plain frame of `len` bytes, EtherType of experiments. */
void plain_make(uint8_t *frame, uint32_t len, const uint8_t to[IXGBE_MAC_BYTES], uint8_t seed);
