/* SPDX-License-Identifier: MIT */
/*
 * The probes that are on their way, and what became of them: every probe sent ends as received or
 * lost, once.
 *
 *   oldest ............................... next      sequence numbers
 *   answered, waiting, answered, waiting             slot = sequence & mask
 *
 * A probe is waited for `timeout` from when it was sent. Until its slot is free of it, no other
 * can take the slot: the sender waits, and the ring is made large enough that it need not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum flight_state { FLIGHT_FREE, FLIGHT_WAITING, FLIGHT_ANSWERED, FLIGHT_LOST };

struct flight_slot {
	int64_t due_ns;  /* when it should have been sent */
	int64_t sent_ns; /* when it was */
	uint32_t sequence;
	enum flight_state state;
};

/* Of probes that count: not those for warming up. sent = received + lost, once all are over. */
struct flight_counts {
	uint64_t sent;
	uint64_t received;
	uint64_t lost;       /* no answer within the timeout */
	uint64_t late;       /* of the lost, those whose answer came after all */
	uint64_t duplicates; /* answers to what had been answered */
	uint64_t reordered;  /* answers after that to a probe sent later */
};

struct flight {
	struct flight_slot *slots;
	uint32_t mask;
	uint32_t oldest; /* all before are answered or lost */
	uint32_t next;   /* the next to send */
	uint32_t highest_answered;
	bool any_answered;
	uint32_t warmup; /* the first that counts */
	int64_t timeout_ns;
	struct flight_counts counts;
};

/* What an answer is. */
enum flight_verdict {
	FLIGHT_FIRST,     /* the one waited for */
	FLIGHT_LATE,      /* its probe has been given up */
	FLIGHT_DUPLICATE, /* there was one before */
	FLIGHT_UNKNOWN,   /* to a probe never sent */
};

enum { FLIGHT_SLOTS_MAX = 1 << 22 };

/*
 * Room for what is on its way at `rate_hz` (0: one at a time), twice over, for bursts of a sender
 * that was late. -E2BIG: more than FLIGHT_SLOTS_MAX; -ENOMEM.
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

/* Whether the probe counts. */
static inline bool flight_counted(const struct flight *flight, uint32_t sequence)
{
	return sequence >= flight->warmup;
}

/* The next probe has been sent; there must be room. */
void flight_sent(struct flight *flight, int64_t due_ns, int64_t sent_ns);
/* An answer to `sequence` came; `sent_ns` is what it says of when that was sent. FLIGHT_FIRST:
 * *slot is set, valid until the next flight_sent. */
enum flight_verdict flight_answer(struct flight *flight, uint32_t sequence, int64_t sent_ns,
				  const struct flight_slot **slot);
/* Gives up those that `now_ns` finds too old. */
void flight_expire(struct flight *flight, int64_t now_ns);
/* Those still waited for don't count as sent: the run ends early. */
void flight_abandon(struct flight *flight);
/* When the oldest is given up; INT64_MAX when none is waited for. */
int64_t flight_deadline(const struct flight *flight);
