/* SPDX-License-Identifier: MIT */
/*
 * The probes that are on their way, and what became of them. Each ends once, as received or lost.
 *
 * The probes from `oldest` to before `next` are kept in a ring, each in slot[sequence & mask]. The
 * oldest still waits for its answer; of the others some have theirs. A probe is lost when it has no
 * answer `timeout_ns` after it was sent. A full ring keeps the next probe from being sent;
 * flight_init() makes the ring so large that this is rare.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/ixlat/result/result.h"

enum flight_state { FLIGHT_FREE, FLIGHT_WAITING, FLIGHT_ANSWERED, FLIGHT_LOST };

struct flight_slot {
	int64_t due_ns;  /* when the probe should have been sent */
	int64_t sent_ns; /* when the probe was sent */
	uint32_t sequence;
	enum flight_state state;
};

struct flight {
	struct flight_slot *slots;
	uint32_t mask;
	uint32_t oldest; /* all before it are answered or lost */
	uint32_t next;   /* the next to be sent */
	uint32_t highest_answered;
	bool any_answered;
	uint32_t warmup; /* the first probe that counts */
	int64_t timeout_ns;
	struct result_counts counts;
};

enum flight_verdict {
	FLIGHT_FIRST,     /* the first answer to a probe, in time */
	FLIGHT_LATE,      /* an answer to a lost probe */
	FLIGHT_DUPLICATE, /* a further answer to a probe */
	FLIGHT_UNKNOWN,   /* an answer to a probe that was never sent */
};

/*
 * Makes a ring for twice the probes that are due within a timeout at `rate_hz` (0: one at a time),
 * since a sender that was kept from sending sends many at once. -E2BIG: more than IN_FLIGHT_MAX;
 * -ENOMEM.
 */
int flight_init(struct flight *flight, double rate_hz, int64_t timeout_ns, uint32_t warmup);
void flight_free(struct flight *flight);

static inline bool flight_empty(const struct flight *flight)
{
	return flight->oldest == flight->next;
}

/* Whether there is a slot for the next probe. */
static inline bool flight_has_room(const struct flight *flight)
{
	return flight->next - flight->oldest <= flight->mask;
}

/* Whether the probe counts: it is not for warming up. */
static inline bool flight_counted(const struct flight *flight, uint32_t sequence)
{
	return sequence >= flight->warmup;
}

/* Notes that the next probe was sent. flight_has_room() must be true. */
void flight_sent(struct flight *flight, int64_t due_ns, int64_t sent_ns);
/*
 * Notes an answer to `sequence`. `sent_ns` is the time of sending that the answer brought back.
 * FLIGHT_FIRST: *slot is the probe's, valid until the next flight_sent().
 */
enum flight_verdict flight_answer(struct flight *flight, uint32_t sequence, int64_t sent_ns,
				  const struct flight_slot **slot);
/* Gives up the probes whose timeout has passed. */
void flight_expire(struct flight *flight, int64_t now_ns);
/* For a run that ends early: probes without an answer don't count as sent. */
void flight_abandon(struct flight *flight);
/* When the oldest probe will be given up; INT64_MAX: none is waited for. */
int64_t flight_deadline(const struct flight *flight);
