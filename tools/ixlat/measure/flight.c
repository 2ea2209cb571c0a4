/* SPDX-License-Identifier: MIT */
#include "flight.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOTS_LEAST = 1024 };

int flight_init(struct flight *flight, double rate_hz, int64_t timeout_ns, uint32_t warmup)
{
	double most = 2 * rate_hz * (double)timeout_ns / 1e9;
	uint32_t slots = SLOTS_LEAST;

	if (most > IN_FLIGHT_MAX)
		return -E2BIG;
	while (slots < most)
		slots *= 2;
	*flight = (struct flight){
		.slots = calloc(slots, sizeof(*flight->slots)),
		.mask = slots - 1,
		.warmup = warmup,
		.timeout_ns = timeout_ns,
	};
	return flight->slots ? 0 : -ENOMEM;
}

void flight_free(struct flight *flight)
{
	free(flight->slots);
	flight->slots = NULL;
}

static struct flight_slot *slot_of(const struct flight *flight, uint32_t sequence)
{
	return &flight->slots[sequence & flight->mask];
}

void flight_sent(struct flight *flight, int64_t due_ns, int64_t sent_ns)
{
	*slot_of(flight, flight->next) = (struct flight_slot){
		.due_ns = due_ns,
		.sent_ns = sent_ns,
		.sequence = flight->next,
		.state = FLIGHT_WAITING,
	};
	if (flight_counted(flight, flight->next))
		flight->counts.sent++;
	flight->next++;
}

/* Moves `oldest` behind the probes that are no longer waited for. */
static void advance(struct flight *flight)
{
	while (!flight_empty(flight) && slot_of(flight, flight->oldest)->state != FLIGHT_WAITING)
		flight->oldest++;
}

static void note_order(struct flight *flight, uint32_t sequence, bool counted)
{
	if (flight->any_answered && sequence < flight->highest_answered) {
		flight->counts.reordered += counted;
		return;
	}
	flight->any_answered = true;
	flight->highest_answered = sequence;
}

enum flight_verdict flight_answer(struct flight *flight, uint32_t sequence, int64_t sent_ns,
				  const struct flight_slot **slot)
{
	struct flight_slot *found = slot_of(flight, sequence);
	bool counted = flight_counted(flight, sequence);

	if (sequence >= flight->next)
		return FLIGHT_UNKNOWN;
	if (found->sequence != sequence) {
		/* A later probe has the slot: this one was sent more than a timeout ago. */
		flight->counts.late += counted;
		return FLIGHT_LATE;
	}
	if (found->sent_ns != sent_ns)
		return FLIGHT_UNKNOWN;
	switch (found->state) {
	case FLIGHT_WAITING:
		found->state = FLIGHT_ANSWERED;
		flight->counts.received += counted;
		note_order(flight, sequence, counted);
		advance(flight);
		*slot = found;
		return FLIGHT_FIRST;
	case FLIGHT_LOST:
		/* A second answer to this probe would be a duplicate. */
		found->state = FLIGHT_ANSWERED;
		flight->counts.late += counted;
		return FLIGHT_LATE;
	default:
		flight->counts.duplicates += counted;
		return FLIGHT_DUPLICATE;
	}
}

void flight_expire(struct flight *flight, int64_t now_ns)
{
	while (!flight_empty(flight) && flight_deadline(flight) <= now_ns) {
		slot_of(flight, flight->oldest)->state = FLIGHT_LOST;
		flight->counts.lost += flight_counted(flight, flight->oldest);
		advance(flight);
	}
}

void flight_abandon(struct flight *flight)
{
	while (!flight_empty(flight)) {
		slot_of(flight, flight->oldest)->state = FLIGHT_FREE;
		flight->counts.sent -= flight_counted(flight, flight->oldest);
		advance(flight);
	}
}

int64_t flight_deadline(const struct flight *flight)
{
	if (flight_empty(flight))
		return INT64_MAX;
	return slot_of(flight, flight->oldest)->sent_ns + flight->timeout_ns;
}
