/* SPDX-License-Identifier: MIT */
/* The one bounded wait for a register, delays, the clock, and the log. */
#include "wait.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* A shorter delay is spun: a sleep overshoots by more than the spinning costs. */
#define SPIN_US 50u
/* Polls of reg_wait that do not sleep: a posted write takes about that long. */
#define POLLS_WITHOUT_SLEEP 4u
/* Sleeps between polls double from the first to the longest. */
#define SLEEP_FIRST_US   12u
#define SLEEP_LONGEST_US 1000u

uint64_t wait_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void wait_us(uint32_t us)
{
	struct timespec delay = {.tv_sec = us / 1000000u, .tv_nsec = us % 1000000u * 1000u};
	uint64_t end;

	if (us > SPIN_US) {
		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, &delay) == EINTR)
			;
		return;
	}
	end = wait_now_us() + us + 1; /* the clock is cut to whole microseconds */
	while (wait_now_us() < end)
		;
}

int reg_wait(const struct ixgbe *nic, uint32_t offset, uint32_t mask, uint32_t value,
	     uint32_t timeout_us)
{
	uint64_t end = wait_now_us() + timeout_us;
	uint32_t sleep_us = SLEEP_FIRST_US;

	for (uint32_t poll = 0;; poll++) {
		/* The clock before the register: a late wake-up is no timeout. */
		bool last = wait_now_us() >= end;
		uint32_t now = reg_read(nic, offset);

		if (now == UINT32_MAX && (mask & value) != UINT32_MAX)
			return -ENODEV;
		if ((now & mask) == value)
			return 0;
		if (last)
			return -ETIMEDOUT;
		if (poll < POLLS_WITHOUT_SLEEP)
			continue;
		if (nic->options.give_up && nic->options.give_up(nic->options.give_up_ctx))
			return -ECANCELED;
		wait_us(sleep_us);
		if (sleep_us < SLEEP_LONGEST_US)
			sleep_us *= 2;
	}
}

void port_log(const struct ixgbe *nic, enum ixgbe_log_level level, const char *format, ...)
{
	char message[256];
	va_list args;

	if (!nic->options.log)
		return;
	va_start(args, format);
	ixgbe_text_fit(message, sizeof(message), format, args);
	va_end(args);
	nic->options.log(nic->options.log_ctx, level, message);
}
