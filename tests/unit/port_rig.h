/* SPDX-License-Identifier: MIT */
/* A port over the fake backend, for the tests of the driver's control side. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_backend.h"
#include "ixgbe/ixgbe.h"

#define RING        64
#define POOL_COUNT  (2 * RING)
#define BUFFER_SIZE 2112
#define HEADROOM    64

struct rig {
	struct fake *fake;
	struct ixgbe *nic;
	struct ixgbe_pool *pool[IXGBE_QUEUES_MAX];
	uint16_t queues;
};

extern const struct ixgbe_options options; /* two queues */

/* For cmocka: *state is a struct rig *, with a device but no port. */
int control_setup(void **state);
/* Stops and closes, and fails unless everything went back. */
int control_teardown(void **state);
void open_with(struct rig *rig, const struct ixgbe_options *wanted);
/* With pools for `options`. */
void start(struct rig *rig);

uint32_t reg(const struct rig *rig, uint32_t offset);
/* The write is in the log at or after `from`; returns its place. */
size_t wrote(const struct rig *rig, size_t from, uint32_t offset, uint32_t mask, uint32_t value);
bool never_wrote(const struct rig *rig, uint32_t offset, uint32_t mask, uint32_t value);
