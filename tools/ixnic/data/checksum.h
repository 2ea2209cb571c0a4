/* SPDX-License-Identifier: MIT */
/* The checksums of frames: Internet (RFC 1071), CRC-32 of Ethernet, CRC-32c of SCTP. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds `len` bytes, taken as big-endian 16-bit words, to a running sum in the machine's byte
 * order. Parts of one sum must be of even length, but for the last. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);
/* The 16-bit one's complement sum, as it lies in memory. Not yet inverted. */
uint16_t csum_fold(uint64_t sum);
/* The pseudo header of TCP and UDP, of `len` bytes of layer 4 behind the IP header at `ip`. */
uint64_t csum_pseudo(const uint8_t *ip, bool ipv4, uint8_t protocol, uint32_t len);

/* Both in steps: start with 0, feed each part the last result. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t len);
uint32_t crc32c_add(uint32_t crc, const void *data, size_t len);
