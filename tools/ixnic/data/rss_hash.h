/* SPDX-License-Identifier: MIT */
/* Receive-side scaling: the Toeplitz hash of section 7.1.2.8. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "packet_parse.h"

#define RSS_KEY_BYTES   40u
#define RSS_INPUT_BYTES 36u /* IPv6 addresses and two ports */

/* The share in the hash of each value of each input byte, for one key. */
struct rss_table {
	uint32_t entry[RSS_INPUT_BYTES][256];
};

void rss_table_fill(struct rss_table *table, const uint8_t key[RSS_KEY_BYTES]);
/* `len` at most RSS_INPUT_BYTES. */
uint32_t rss_hash(const struct rss_table *table, const uint8_t *input, size_t len);

/* Builds the input of a packet's hash as `mrqc` enables. Returns its length, 0 if the packet is not
 * hashed, and in *type the RSS type of the descriptor (IXGBE_RXD_RSS_*). */
size_t rss_input(uint8_t input[RSS_INPUT_BYTES], uint32_t *type, const struct parsed *packet,
		 const uint8_t *data, uint32_t mrqc);
