/* SPDX-License-Identifier: MIT */
/*
 * The wire held to a rate, each direction by itself: a token bucket, as the time at which the wire
 * has carried all that was put on it. A frame may begin up to BURST_NS before that. Frames count
 * with what a real wire carries beside them.
 *
 * The loop does not wait: where a frame may not begin yet, the timer brings its turn.
 */
#include "wire.h"

#include "tools/ixnic/loop.h"

/* As long as a thread may have to wait for a processor: what it misses meanwhile is not lost. */
#define BURST_NS       5000000u
#define BESIDE_BYTES   24u /* preamble, FCS, gap */
#define NS_PER_S       1000000000ull
#define MBIT_PER_S_MAX 100000u

static void due(void *ctx, uint32_t events)
{
	(void)ctx, (void)events; /* the turn that follows is all */
}

bool wire_rate_free(struct wire *wire, enum wire_way way)
{
	uint64_t now, at = wire->rate.busy_until_ns[way];

	if (wire->rate.mbit_s == 0)
		return true;
	now = loop_now_ns();
	if (at <= now + BURST_NS)
		return true;
	if (!wire->rate.due_ns || wire->rate.due_ns <= now || at - BURST_NS < wire->rate.due_ns) {
		wire->rate.due_ns = at - BURST_NS;
		loop_timer_set(wire->nic->loop, LOOP_TIMER_RATE, wire->rate.due_ns, due, wire);
	}
	return false;
}

void wire_rate_spend(struct wire *wire, enum wire_way way, uint32_t len)
{
	uint64_t now, *until = &wire->rate.busy_until_ns[way];

	if (wire->rate.mbit_s == 0)
		return;
	now = loop_now_ns();
	*until = (*until > now ? *until : now) +
		 (len + BESIDE_BYTES) * 8ull * (NS_PER_S / 1000000u) / wire->rate.mbit_s;
}

int wire_rate_set(struct nic *nic, uint32_t mbit_s)
{
	if (!nic->wire || mbit_s > MBIT_PER_S_MAX)
		return -1;
	nic->wire->rate = (struct wire_rate){.mbit_s = mbit_s};
	return 0;
}

uint32_t wire_rate_get(const struct nic *nic)
{
	return nic->wire ? nic->wire->rate.mbit_s : 0;
}
