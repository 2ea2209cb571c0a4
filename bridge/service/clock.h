/* SPDX-License-Identifier: MIT */
/* The clock that no administrator sets: CLOCK_MONOTONIC. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_S 1000000000ll

static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}
