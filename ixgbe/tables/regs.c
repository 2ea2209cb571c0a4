/* SPDX-License-Identifier: MIT */
/*
 * The register table as data, and the search from an offset to its row.
 *
 * The elements of different rows interleave (RDBAL[1] lies behind RDT[0]), so a search
 * over sorted rows would not do. A map with one small entry for each 32-bit word of the
 * register space does: 96 KiB of rows and elements, filled once, two loads for a lookup.
 * Words above the last register have no entry.
 */
#include "regs.h"

#include <threads.h>

/* The last register (HFDR) is below this; checked at compile time. */
#define MAP_BYTES 0x18000u
#define MAP_WORDS (MAP_BYTES / 4u)

/* A row number plus one, so that zeroed memory means "nothing here", and the element. */
struct map_entry {
	uint16_t row_plus_one;
	uint16_t index;
};

const struct ixgbe_register ixgbe_registers[] = {
#define IXGBE_R(name, offset, stride, count, access, writable, reset, section)                     \
	{#name, offset, stride, count, IXGBE_REG_##access, writable, reset, section},
	IXGBE_REGISTERS(IXGBE_R)
#undef IXGBE_R
};

const size_t ixgbe_register_count = IXGBE_REGISTER_ROWS;

static_assert(sizeof ixgbe_registers / sizeof ixgbe_registers[0] == IXGBE_REGISTER_ROWS,
	      "one row each");
static_assert(IXGBE_REGISTER_ROWS < UINT16_MAX, "a row number fits map_entry");
static_assert(MAP_BYTES <= IXGBE_BAR0_SIZE, "the map is inside BAR 0");

#define IXGBE_R(name, offset, stride, count, ...)                                                  \
	static_assert((offset) % 4 == 0 && (stride) % 4 == 0 && (stride) >= 4, "aligned");         \
	static_assert((count) >= 1 && (count) <= UINT16_MAX, "an element fits map_entry");         \
	static_assert((offset) + ((count)-1) * (stride) < MAP_BYTES, "inside the map");
IXGBE_REGISTERS(IXGBE_R)
#undef IXGBE_R

#define IXGBE_A(target, offset, stride, count)                                                     \
	static_assert((offset) % 4 == 0 && (stride) % 4 == 0 && (stride) >= 4, "aligned");         \
	static_assert((count) <= IXGBE_##target##_COUNT, "no more elements than the target");      \
	static_assert((offset) + ((count)-1) * (stride) < MAP_BYTES, "inside the map");
IXGBE_REGISTER_ALIASES(IXGBE_A)
#undef IXGBE_A

static struct map_entry map[MAP_WORDS];
static once_flag map_once = ONCE_FLAG_INIT;

static void map_range(size_t row, uint32_t offset, uint32_t stride, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		map[(offset + i * stride) / 4u] = (struct map_entry){
			.row_plus_one = (uint16_t)(row + 1u), .index = (uint16_t)i};
}

static void map_build(void)
{
#define IXGBE_A(target, offset, stride, count) map_range(IXGBE_ROW_##target, offset, stride, count);
	IXGBE_REGISTER_ALIASES(IXGBE_A)
#undef IXGBE_A
	for (size_t row = 0; row < ixgbe_register_count; row++) {
		const struct ixgbe_register *r = &ixgbe_registers[row];

		map_range(row, r->offset, r->stride, r->count);
	}
}

const struct ixgbe_register *ixgbe_register_find(uint32_t offset, uint32_t *index)
{
	struct map_entry entry;

	if (offset >= MAP_BYTES || offset % 4u != 0)
		return NULL;

	call_once(&map_once, map_build);
	entry = map[offset / 4u];
	if (entry.row_plus_one == 0)
		return NULL;
	if (index)
		*index = entry.index;
	return &ixgbe_registers[entry.row_plus_one - 1u];
}
