/* SPDX-License-Identifier: MIT */
/*
 * The rules for the registers of a ring, the same in both directions (sections 4.6.7.1, 4.6.8.1).
 *
 * A ring that does not run may have anything in its registers: drivers write zeros to rings that
 * they give up, and patterns to test them. Base, length and tail are judged when the ring is
 * enabled. Wrong tails of a ring are counted once until the ring is enabled again.
 *
 * FAULT_DD tells the driver that descriptors are done which are not. What the driver does with the
 * ring then is no offence of its own: until the ring is enabled again, a tail past the head is not
 * judged, nor are the descriptors.
 */
#pragma once

#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/violations.h"

/* 128 KiB, 8192 descriptors (8.2.3.8.3, 8.2.3.9.7). */
#define RING_BYTES_MAX 0x20000u

/* What the driver did to a ring. */
struct ring_rules {
	bool enable_seen; /* ENABLE was read back set */
	bool off_unseen;  /* it was cleared, and not read as clear since */
	/* A tail was counted: before ENABLE, outside, past the head, without bus master. */
	bool early, range, over, dead;
	bool falsified;        /* a fault wrote its descriptors */
	uint32_t base, length; /* as written, with the bits that the register does not keep */
};

/* A ring: its registers, and the rules of its direction. */
struct ring_case {
	const char *prefix; /* of the registers' names */
	uint32_t queue;
	bool enabled;
	uint32_t size, head, tail; /* descriptors */
	enum nic_violation base_rule, length_rule, live_rule, early_rule, range_rule, over_rule,
		again_rule;
	struct ring_rules *rules;
};

/* A register that may only change while the ring is off: `name` is that behind the prefix. */
void ring_rules_live(struct nic *nic, const struct ring_case *ring, const char *name);
/* The tail was written. */
void ring_rules_tail(struct nic *nic, const struct ring_case *ring, uint32_t old);
/* ENABLE went from 1 to 0. */
void ring_rules_end(const struct ring_case *ring);
/* ENABLE was read. */
void ring_rules_seen(struct ring_rules *rules, bool enabled);
/* ENABLE went from 0 to 1. */
void ring_rules_start(struct nic *nic, const struct ring_case *ring);
