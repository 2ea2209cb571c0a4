/* SPDX-License-Identifier: MIT */
/*
 * Translates between virtio_net headers, which a TAP carries in front of each frame, and the
 * offloads of the 82599. Pure functions over bytes: no I/O, no state, no allocation.
 */
#pragma once

#include <stdint.h>

#include "ixgbe/ixgbe.h"
#include "tap.h"

struct offload_headers {
	uint8_t version;  /* 4 or 6; of a received frame also 0 or OFFLOAD_NO_IP */
	uint8_t protocol; /* of the header behind IP and its extensions */
	bool fragment;
	uint8_t l2_len;  /* 14, 18 or 22 */
	uint16_t l3_len; /* with options and extensions: 20..511 */
};

/* The version of a frame that was parsed in vain; its protocol is 0. */
#define OFFLOAD_NO_IP 1

/* The verdict on a frame from the kernel. */
enum offload_tx {
	OFFLOAD_TX_PLAIN,                /* send as it is */
	OFFLOAD_TX_CSUM,                 /* send, the NIC fills the checksum */
	OFFLOAD_TX_TSO,                  /* send, the NIC cuts it into segments */
	OFFLOAD_TX_CSUM_SOFTWARE,        /* send, offload_tx has filled the checksum */
	OFFLOAD_TX_DROP_SHORT,           /* no Ethernet header */
	OFFLOAD_TX_DROP_TRUNCATED,       /* longer than TAP_FRAME_MAX */
	OFFLOAD_TX_DROP_BAD_VNET_HEADER, /* the header contradicts the frame */
	OFFLOAD_TX_DROP_UNSUPPORTED_GSO, /* segmentation the NIC cannot do */
	OFFLOAD_TX_VERDICTS
};

/* A frame that the NIC would cut into more segments is refused: no socket of the kernel asks for
 * that (TCP's least MSS is 48 less options, UDP segments are at most 128). */
#define OFFLOAD_TX_SEGMENTS_MAX 4096u

/*
 * Judges the frame of `len` bytes whose vnet header is `vnet`, prepares it for the NIC (edits
 * its checksum fields) and fills flags, vlan, mss, l2_len, l3_len and l4_len of `seg`, nothing
 * else. `seg` and the frame mean nothing after a drop.
 */
enum offload_tx offload_tx(const uint8_t vnet[TAP_VNET_HDR_BYTES], uint8_t *frame, uint32_t len,
			   struct ixgbe_seg *seg);

/* What the kernel is told of the checksum of a received frame that is not merged. */
enum offload_rx {
	OFFLOAD_RX_PLAIN,    /* nothing: the kernel verifies it */
	OFFLOAD_RX_VERIFIED, /* it is good: the kernel does not look again */
};

/*
 * Writes the vnet header for a received frame of `frame_len` bytes, whose first `len` bytes
 * stand at `frame`, from the IXGBE_RX_* flags of its last segment. OFFLOAD_RX_VERIFIED
 * replaces the checksum by the pseudo-header's sum. `headers` are those of the frame, or have
 * version 0: then offload_rx parses the frame.
 */
enum offload_rx offload_rx(uint8_t vnet[TAP_VNET_HDR_BYTES], uint8_t *frame, uint32_t len,
			   uint32_t frame_len, uint32_t flags,
			   const struct offload_headers *headers);

/* ---- What both directions and the coalescer know of headers ---- */

#define OFFLOAD_ETH_BYTES    14u
#define OFFLOAD_VLAN_TAGS    2u /* the parser looks behind so many */
#define OFFLOAD_IPV6_EXT_MAX 8u /* the same, of extension headers */

/* The VIRTIO_NET_HDR fields by their offsets; the numbers are little-endian (TUNSETVNETLE). */
enum {
	VNET_FLAGS = 0,
	VNET_GSO_TYPE = 1,
	VNET_HDR_LEN = 2,
	VNET_GSO_SIZE = 4,
	VNET_CSUM_START = 6,
	VNET_CSUM_OFFSET = 8,
	VNET_NUM_BUFFERS = 10,
};

/* False: not IP, or headers that do not fit in `len` bytes or contradict themselves. */
bool offload_parse(const uint8_t *frame, uint32_t len, struct offload_headers *out);
/* The folded, not inverted ones' complement sum of big-endian words. */
uint16_t offload_sum(const uint8_t *p, uint32_t len);
/* The same of the IP pseudo-header at `frame` for `l4_len` bytes. */
uint16_t offload_pseudo_sum(const uint8_t *frame, const struct offload_headers *headers,
			    uint32_t l4_len);

static inline uint16_t offload_get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void offload_put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline uint16_t offload_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

static inline void offload_put_le16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}
