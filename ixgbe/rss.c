/* SPDX-License-Identifier: MIT */
/*
 * Receive side scaling: which queue a received frame goes to (section 7.1.2.8).
 *
 * The NIC hashes addresses and TCP ports with the key. The low seven bits of the hash pick one of
 * the 128 entries of the redirection table, which names the queue.
 */
#include "parts.h"

/* The key of the RSS specification's own examples: hashes can be checked against
 * its published vectors. Low byte first in each register (8.2.3.7.14). */
static const uint8_t rss_key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

/*
 * Section 4.6.10.1.1: key and table are written before MRQC turns the scaling on. Fragments of a
 * UDP datagram have no ports but the first. UDP is hashed by address only, or a datagram's
 * fragments would be in different queues.
 */
void rss_configure(struct ixgbe *nic)
{
	for (uint32_t i = 0; i < (uint32_t)IXGBE_RSSRK_COUNT; i++) {
		const uint8_t *k = &rss_key[4 * i];

		reg_write(nic, IXGBE_AT(RSSRK, i),
			  k[0] | (uint32_t)k[1] << 8 | (uint32_t)k[2] << 16 | (uint32_t)k[3] << 24);
	}
	for (uint32_t i = 0; i < (uint32_t)IXGBE_RETA_COUNT; i++) {
		uint32_t reta = 0;

		for (uint32_t k = 0; k < 4; k++)
			reta |= (4 * i + k) % nic->options.queues << 8 * k;
		reg_write(nic, IXGBE_AT(RETA, i), reta);
	}
	reg_write(nic, IXGBE_MRQC,
		  IXGBE_FIELD_PREP(IXGBE_MRQC_MRQE, IXGBE_MRQC_MRQE_RSS) | IXGBE_MRQC_RSS_IPV4 |
			  IXGBE_MRQC_RSS_TCP_IPV4 | IXGBE_MRQC_RSS_IPV6 | IXGBE_MRQC_RSS_TCP_IPV6);
}
