/* SPDX-License-Identifier: MIT */
/*
 * Faults begin and end, and act as time passes.
 *
 *   irq-storm   a message at each interval, whatever causes, masks and EITR say
 *   link-flap   at each step the link goes down, or comes up without training
 *   ones, gone  end at their time
 *
 * One timer of the loop is for the earliest of them.
 */
#include "fault_play.h"

#include "interrupt.h"
#include "tools/ixnic/loop.h"

static uint32_t index_of(enum fault which)
{
	return (uint32_t)__builtin_ctz(which);
}

static void expired(void *ctx, uint32_t events);

/* Sets the timer for whatever is next. */
static void timer_set(struct nic *nic)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < FAULTS; i++) {
		uint64_t at = nic->faults->at_ns[i];

		if (fault_on(nic, 1u << i) && at && at < next)
			next = at;
	}
	if (nic->loop)
		loop_timer_set(nic->loop, LOOP_TIMER_FAULT, next == UINT64_MAX ? 0 : next, expired,
			       nic);
}

/* The state of the card in the slot: out, or as at power-on. */
static void power(struct nic *nic)
{
	if (nic->faults->bus)
		nic->faults->bus(nic->faults->bus_ctx, FAULT_BUS_POWER);
}

/* A module that shows something else is another one. */
static void module_again(struct nic *nic)
{
	phy_module_set(nic, module_which(nic));
}

static void storm(struct nic *nic, uint64_t now)
{
	struct faults *faults = nic->faults;

	interrupt_message(nic, faults->storm_vector);
	faults->at_ns[index_of(FAULT_IRQ_STORM)] = now + 1000000000u / faults->storm_per_s;
}

/* An even number of changes is left before the link goes down. */
static void flap(struct nic *nic, uint64_t now)
{
	struct faults *faults = nic->faults;

	phy_flap(nic, faults->flap_changes % 2);
	if (--faults->flap_changes == 0)
		nic->fault_bits &= ~(uint32_t)FAULT_LINK_FLAP;
	faults->at_ns[index_of(FAULT_LINK_FLAP)] = now + faults->flap_step_ns;
}

static void expired(void *ctx, uint32_t events)
{
	struct nic *nic = ctx;
	uint64_t now = loop_now_ns();
	uint32_t over = 0;

	(void)events;
	for (uint32_t i = 0; i < FAULTS; i++) {
		if (nic->faults->at_ns[i] && nic->faults->at_ns[i] <= now)
			over |= nic->fault_bits & 1u << i;
	}
	if (over & FAULT_IRQ_STORM)
		storm(nic, now);
	if (over & FAULT_LINK_FLAP)
		flap(nic, now);
	fault_play_end(nic, over & (FAULT_ONES | FAULT_GONE));
}

void fault_play_begin(struct nic *nic, uint32_t which)
{
	nic->fault_bits |= which;
	if (which & FAULT_GONE)
		power(nic);
	if (which & (FAULT_MODULE_CODE | FAULT_MODULE_SUM))
		module_again(nic);
	timer_set(nic);
}

void fault_play_end(struct nic *nic, uint32_t which)
{
	which &= nic->fault_bits;
	nic->fault_bits &= ~which;
	if (which & FAULT_GONE)
		power(nic);
	if (which & (FAULT_MODULE_CODE | FAULT_MODULE_SUM))
		module_again(nic);
	if (which & FAULT_LINK_FLAP)
		phy_flap(nic, true);
	timer_set(nic);
}
