/* SPDX-License-Identifier: MIT */
/*
 * One's complement sums do not care about byte order (RFC 1071, 2B): words are added as they lie
 * in memory, and only the folded result is ever stored. Words of 32 bits are added to 64-bit sums,
 * which no frame makes overflow: there is no carry to look at.
 */
#include "checksum.h"

#include <endian.h>
#include <string.h>
#include <threads.h>

#include "header_fields.h"

typedef uint64_t lanes __attribute__((vector_size(16)));

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	lanes a = {0}, b = {0}, c = {0}, d = {0};

	/* Four sums, so that no addition waits for the one before it. */
	for (; len >= 2 * sizeof(lanes); len -= 2 * sizeof(lanes), p += 2 * sizeof(lanes)) {
		lanes x, y;

		memcpy(&x, p, sizeof(x));
		memcpy(&y, p + sizeof(x), sizeof(y));
		a += x & UINT32_MAX;
		b += x >> 32;
		c += y & UINT32_MAX;
		d += y >> 32;
	}
	a += b + c + d;
	/* `sum` may be as large as this function's results are: one fold makes room. */
	sum = (sum & UINT32_MAX) + (sum >> 32) + a[0] + a[1];
	for (uint32_t word; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len & 2)
		sum += htobe16((uint16_t)(p[0] << 8 | p[1]));
	if (len & 1) /* followed by a byte of 0 */
		sum += htobe16((uint16_t)(p[len - 1] << 8));
	return sum;
}

uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t csum_pseudo(const uint8_t *ip, bool ipv4, uint8_t protocol, uint32_t len)
{
	uint64_t sum =
		ipv4 ? csum_add(0, ip + IPV4_ADDRESSES, 8) : csum_add(0, ip + IPV6_ADDRESSES, 32);

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
