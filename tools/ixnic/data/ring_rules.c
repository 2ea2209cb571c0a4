/* SPDX-License-Identifier: MIT */
#include "ring_rules.h"

#include "tools/ixnic/bus/memory.h"

void ring_rules_live(struct nic *nic, const struct ring_case *ring, const char *name)
{
	if (ring->enabled)
		violation(nic, ring->live_rule, "%s%s[%u]", ring->prefix, name, ring->queue);
}

/* Whether it is the first of its kind since the ring was enabled. */
static bool first(bool *told)
{
	bool is_first = !*told;

	*told = true;
	return is_first;
}

static void tail_in_range(struct nic *nic, const struct ring_case *ring)
{
	if (ring->tail && ring->tail >= ring->size && first(&ring->rules->range))
		violation(nic, ring->range_rule, "%sT[%u] = %u, %u descriptors", ring->prefix,
			  ring->queue, ring->tail, ring->size);
}

/* The NIC has the descriptors from the head up to the tail. What the tail adds to them is the
 * driver's: all but one at most, or the tail passes the head. */
static void tail_past_head(struct nic *nic, const struct ring_case *ring, uint32_t old)
{
	uint32_t size = ring->size, held, given;

	if (ring->rules->falsified || ring->head >= size || old >= size || ring->tail >= size)
		return;
	held = (old + size - ring->head) % size;
	given = (ring->tail + size - old) % size;
	if (held + given >= size && first(&ring->rules->over))
		violation(nic, ring->over_rule, "%sT[%u] %u to %u, head %u of %u", ring->prefix,
			  ring->queue, old, ring->tail, ring->head, size);
}

void ring_rules_tail(struct nic *nic, const struct ring_case *ring, uint32_t old)
{
	/* Drivers write a tail of 0 while they set up or give up: no offence. */
	bool moved = ring->tail != old && (ring->enabled || ring->tail);

	if (moved && !ring->rules->enable_seen && first(&ring->rules->early))
		violation(nic, ring->early_rule, "%sT[%u] = %u", ring->prefix, ring->queue,
			  ring->tail);
	if (moved && ring->enabled && !memory_enabled(nic) && first(&ring->rules->dead))
		violation(nic, VIOLATION_DMA_FAULT, "%sT[%u] = %u without bus master", ring->prefix,
			  ring->queue, ring->tail);
	if (ring->enabled) {
		tail_in_range(nic, ring);
		tail_past_head(nic, ring, old);
	}
}

/* A ring of no length never ran: DMATXCTL.TE enables queue 0 so. */
void ring_rules_end(const struct ring_case *ring)
{
	ring->rules->off_unseen = ring->size > 0;
}

void ring_rules_seen(struct ring_rules *rules, bool enabled)
{
	if (enabled)
		rules->enable_seen = true;
	else
		rules->off_unseen = false;
}

void ring_rules_start(struct nic *nic, const struct ring_case *ring)
{
	struct ring_rules *rules = ring->rules;

	if (rules->off_unseen)
		violation(nic, ring->again_rule, "%sLEN[%u] is %u", ring->prefix, ring->queue,
			  rules->length);
	rules->early = rules->range = rules->over = rules->dead = rules->off_unseen = false;
	rules->falsified = false;
	if (rules->base % IXGBE_RING_ALIGN_BYTES)
		violation(nic, ring->base_rule, "%sBAL[%u] = 0x%08x", ring->prefix, ring->queue,
			  rules->base);
	if (rules->length == 0 || rules->length % IXGBE_RING_ALIGN_BYTES ||
	    rules->length > RING_BYTES_MAX)
		violation(nic, ring->length_rule, "%sLEN[%u] = %u", ring->prefix, ring->queue,
			  rules->length);
	else
		tail_in_range(nic, ring);
}
