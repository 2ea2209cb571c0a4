/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include <assert.h>

const struct bridge_counter_info bridge_counter_info[] = {
#define C(name, text) {#name, text},
	BRIDGE_COUNTERS(C)
#undef C
};
const size_t bridge_counter_count = sizeof(bridge_counter_info) / sizeof(bridge_counter_info[0]);

static_assert(sizeof(struct bridge_counters) == sizeof(bridge_counter_info) /
							sizeof(bridge_counter_info[0]) *
							sizeof(uint64_t),
	      "one name for each counter");

void bridge_counters_read(const struct bridge_counters *counters, struct bridge_counters *out)
{
	const uint64_t *from = (const uint64_t *)counters;
	uint64_t *to = (uint64_t *)out;

	for (size_t i = 0; i < bridge_counter_count; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void bridge_counters_add(struct bridge_counters *sum, const struct bridge_counters *more)
{
	for (size_t i = 0; i < bridge_counter_count; i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)more)[i];
}
