/* SPDX-License-Identifier: MIT */
/*
 * Assertions that a release keeps. assert() is for our own bugs, and a release leaves it out: on
 * the frame's path it costs one instruction in seven. Where a bug would touch memory that is not
 * ours, IXGBE_GUARD stands instead: there the program ends in every build.
 *
 * A release traps. A call of abort() clobbers registers: each receive burst would take two more
 * instructions for a call that is never made.
 */
#pragma once

#include <assert.h>

#ifdef NDEBUG
#define IXGBE_GUARD(condition) (__builtin_expect(!(condition), 0) ? __builtin_trap() : (void)0)
#else
#define IXGBE_GUARD(condition) assert(condition)
#endif
