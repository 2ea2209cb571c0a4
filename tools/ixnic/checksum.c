/* SPDX-License-Identifier: MIT */
/*
 * One's complement sums do not care about byte order (RFC 1071, 2B): words are added as they lie
 * in memory, and only the folded result is ever stored. Eight bytes are added as two 32-bit
 * halves into 64-bit sums, which cannot overflow for any frame, and needs no carry.
 */
#include "checksum.h"

#include <endian.h>
#include <string.h>
#include <threads.h>

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t low = 0, high = 0, w[4];

	for (; len >= sizeof(w); len -= sizeof(w), p += sizeof(w)) {
		memcpy(w, p, sizeof(w));
		for (int i = 0; i < 4; i++) {
			low += w[i] & UINT32_MAX;
			high += w[i] >> 32;
		}
	}
	while (len > 0) {
		size_t n = len < 4 ? len : 4;
		uint32_t word = 0;

		memcpy(&word, p, n);
		low += word;
		p += n;
		len -= n;
	}
	/* sum may be any 64-bit value that came from here: halve it before adding */
	return (sum & UINT32_MAX) + (sum >> 32) + low + high;
}

uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t csum_pseudo(const uint8_t *source, const uint8_t *destination, size_t address_len,
		     uint8_t protocol, uint32_t len)
{
	uint64_t sum = csum_add(0, source, address_len);

	sum = csum_add(sum, destination, address_len);
	return sum + htobe32(len) + htobe16(protocol);
}

struct crc_table {
	once_flag once;
	uint32_t entry[256];
};

static void crc_table_fill(struct crc_table *table, uint32_t polynomial)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
		table->entry[i] = crc;
	}
}

static uint32_t crc_add(const struct crc_table *table, uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	while (len--)
		crc = (crc >> 8) ^ table->entry[(crc ^ *p++) & 0xff];
	return ~crc;
}

static struct crc_table ethernet = {.once = ONCE_FLAG_INIT};
static struct crc_table castagnoli = {.once = ONCE_FLAG_INIT};

static void ethernet_fill(void)
{
	crc_table_fill(&ethernet, 0xedb88320u);
}

static void castagnoli_fill(void)
{
	crc_table_fill(&castagnoli, 0x82f63b78u);
}

uint32_t crc32_add(uint32_t crc, const void *data, size_t len)
{
	call_once(&ethernet.once, ethernet_fill);
	return crc_add(&ethernet, crc, data, len);
}

uint32_t crc32c_add(uint32_t crc, const void *data, size_t len)
{
	call_once(&castagnoli.once, castagnoli_fill);
	return crc_add(&castagnoli, crc, data, len);
}
