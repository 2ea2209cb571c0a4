/* SPDX-License-Identifier: MIT */
/* Waiting for the hardware, the clock, and the caller's log. Internal to libixgbe. */
#pragma once

#include "port.h"

/* The limit of a wait that the datasheet gives none for: far above the time that the hardware
 * takes, and short enough for whoever watches the start. */
#define WAIT_LIMIT_US 500000u

/* Waits until the bits of `mask` read as `value`. 0, -ETIMEDOUT after `timeout_us`, -ECANCELED when
 * options.give_up says so, -ENODEV when the register reads all ones and `value` is something else.
 */
int reg_wait(const struct ixgbe *nic, uint32_t offset, uint32_t mask, uint32_t value,
	     uint32_t timeout_us);

/* Sleeps at least that long: for waits that the datasheet gives as a time. */
void wait_us(uint32_t us);

/* CLOCK_MONOTONIC. */
uint64_t wait_now_us(void);

/* One line to the log of ixgbe_open's caller, if there is one. */
void port_log(const struct ixgbe *nic, enum ixgbe_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
