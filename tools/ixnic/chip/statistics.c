/* SPDX-License-Identifier: MIT */
/*
 * The statistics registers (section 8.2.3.23). Clearing on read is the register file's. Octets
 * are counted from the destination address through the CRC.
 */
#include "statistics.h"

#include <string.h>

#define HIGH_MAX 0xfu /* of a counter's high register */

void statistics_add(struct nic *nic, uint32_t offset, uint32_t amount)
{
	uint32_t value;

	if (__builtin_add_overflow(reg(nic, offset), amount, &value))
		value = UINT32_MAX;
	reg_store(nic, offset, value);
}

/* The same of the 64-bit octet counters, a low and a high register. */
static void add64(struct nic *nic, uint32_t low, uint32_t high, uint64_t amount)
{
	const uint64_t max = (uint64_t)HIGH_MAX << 32 | UINT32_MAX;
	uint64_t value = (uint64_t)reg(nic, high) << 32 | reg(nic, low);

	value = amount > max - value ? max : value + amount;
	reg_store(nic, low, (uint32_t)value);
	reg_store(nic, high, (uint32_t)(value >> 32));
}

void statistics_max(struct nic *nic)
{
	static const char section[] = "8.2.3.23.";

	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];
		bool high = r->name[strlen(r->name) - 1] == 'H';

		if (r->access != IXGBE_REG_RC || strncmp(r->section, section, sizeof(section) - 1))
			continue;
		for (uint32_t n = 0; n < r->count; n++)
			reg_store(nic, r->offset + n * r->stride, high ? HIGH_MAX : UINT32_MAX);
	}
}

/* The register of a size class, of six that follow each other. */
static uint32_t size_class(uint32_t first, uint32_t bytes)
{
	static const uint32_t limit[] = {64, 127, 255, 511, 1023};
	uint32_t i = 0;

	while (i < sizeof(limit) / sizeof(limit[0]) && bytes > limit[i])
		i++;
	return first + 4 * i;
}

enum statistics_cast statistics_cast(const uint8_t *destination)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (!(destination[0] & 1))
		return CAST_UNI;
	return memcmp(destination, broadcast, 6) == 0 ? CAST_BROAD : CAST_MULTI;
}

void statistics_rx_wire(struct nic *nic, uint32_t bytes)
{
	statistics_add(nic, IXGBE_TPR, 1);
	add64(nic, IXGBE_TORL, IXGBE_TORH, bytes);
}

void statistics_rx_good(struct nic *nic, const uint8_t *destination, uint32_t bytes)
{
	enum statistics_cast cast = statistics_cast(destination);

	statistics_add(nic, IXGBE_GPRC, 1);
	add64(nic, IXGBE_GORCL, IXGBE_GORCH, bytes);
	statistics_add(nic, size_class(IXGBE_PRC64, bytes), 1);
	if (cast == CAST_BROAD)
		statistics_add(nic, IXGBE_BPRC, 1);
	else if (cast == CAST_MULTI)
		statistics_add(nic, IXGBE_MPRC, 1);
}

void statistics_tx(struct nic *nic, const uint8_t *destination, uint32_t bytes)
{
	enum statistics_cast cast = statistics_cast(destination);

	statistics_add(nic, IXGBE_TPT, 1);
	statistics_add(nic, IXGBE_GPTC, 1);
	add64(nic, IXGBE_GOTCL, IXGBE_GOTCH, bytes);
	statistics_add(nic, size_class(IXGBE_PTC64, bytes), 1);
	if (cast == CAST_BROAD)
		statistics_add(nic, IXGBE_BPTC, 1);
	else if (cast == CAST_MULTI)
		statistics_add(nic, IXGBE_MPTC, 1);
}

/* Which of the 16 sets of queue counters a queue has: RQSMR, TQSM. */
static uint32_t queue_set(const struct nic *nic, uint32_t map, uint32_t queue)
{
	return reg(nic, map + queue / 4 * 4) >> (queue % 4 * 8) & IXGBE_RQSMR_Q0;
}

void statistics_rx_queue(struct nic *nic, uint32_t queue, uint32_t frames, uint32_t bytes)
{
	uint32_t set = queue_set(nic, IXGBE_RQSMR, queue);

	statistics_add(nic, IXGBE_AT(QPRC, set), frames);
	add64(nic, IXGBE_AT(QBRC_L, set), IXGBE_AT(QBRC_H, set), bytes);
	statistics_add(nic, IXGBE_RXDGPC, frames);
	add64(nic, IXGBE_RXDGBCL, IXGBE_RXDGBCH, bytes);
}

void statistics_rx_queue_drop(struct nic *nic, uint32_t queue, uint32_t frames, uint32_t bytes)
{
	statistics_add(nic, IXGBE_AT(QPRDC, queue_set(nic, IXGBE_RQSMR, queue)), frames);
	statistics_add(nic, IXGBE_RXDDPC, frames);
	add64(nic, IXGBE_RXDDBCL, IXGBE_RXDDBCH, bytes);
}

void statistics_tx_queue(struct nic *nic, uint32_t queue, uint32_t bytes)
{
	uint32_t set = queue_set(nic, IXGBE_TQSM, queue);

	statistics_add(nic, IXGBE_AT(QPTC, set), 1);
	add64(nic, IXGBE_AT(QBTC_L, set), IXGBE_AT(QBTC_H, set), bytes);
	statistics_add(nic, IXGBE_TXDGPC, 1);
	add64(nic, IXGBE_TXDGBCL, IXGBE_TXDGBCH, bytes);
}
