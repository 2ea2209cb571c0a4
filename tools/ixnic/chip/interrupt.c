/* SPDX-License-Identifier: MIT */
/*
 * Interrupts (sections 7.3 and 8.2.3.5).
 *
 *   a queue   -- IVAR ------+                       +-- INTx, MSI: everything is vector 0
 *                           +--> cause, EIMS mask --+
 *   the rest  -- IVAR_MISC -+                       +-- MSI-X: EITR, message, EIAC, EIAM
 *
 * Queue causes are kept in `pending` and their masks in `enabled`, 64 bits each, one for each MSI-X
 * vector. EICR[15:0] and EIMS[15:0] show the low 16; EIMS_EX shows all of `enabled`. The other
 * causes are bits 16 to 30 of EICR and EIMS.
 *
 * A vector's level is high while a cause mapped to it is pending and unmasked. A
 * message is due when a cause makes the level rise or joins a high level, when
 * unmasking raises it, and when the driver cleared some of the causes but not all. EITR
 * then may hold the message back; a level that falls meanwhile takes the message with it.
 *
 * EITR (7.3.2.1) counts down from a message on; the next message goes when the counter is at 0. A
 * new interval begins with the next message: with CNT_WDIS, which drivers set when they adapt the
 * interval, the counter goes on from where it is. An interval of 0 means no moderation, whatever
 * the counter was. With GPIE.EIMEN the causes that software sets in EICS do not wait.
 */
#include <errno.h>
#include <stdlib.h>

#include "faults.h"
#include "interrupt.h"
#include "tools/ixnic/loop.h"
#include "violations.h"

#define QUEUE_BITS  0x0000ffffu
#define OTHER_BITS  0x3fff0000u /* by IVAR_MISC.OTHER */
#define TIMER_BIT   IXGBE_EICR_TCP_TIMER
#define OCD_BITS    0x3fff0000u /* a read clears these alone with GPIE.OCD */
#define ITR_UNIT_NS 2000u       /* at 10 Gb/s and 1 Gb/s */
#define MS_NS       1000000u

struct interrupt {
	uint64_t pending;                 /* queue causes, by vector */
	uint64_t enabled;                 /* their masks: EIMS and EIMS_EX */
	uint64_t by_software;             /* those of `pending` that EICS set */
	uint64_t due;                     /* vectors that EITR holds back */
	uint64_t free_at_ns[NIC_VECTORS]; /* when EITR lets the next message go */
	interrupt_deliver_fn deliver;
	void *deliver_ctx;
};

static void itr_expired(void *ctx, uint32_t events);

int interrupt_new(struct nic *nic)
{
	nic->interrupt = calloc(1, sizeof(*nic->interrupt));
	return nic->interrupt ? 0 : -ENOMEM;
}

void interrupt_free(struct nic *nic)
{
	free(nic->interrupt);
	nic->interrupt = NULL;
}

void interrupt_deliver_set(struct nic *nic, interrupt_deliver_fn deliver, void *ctx)
{
	nic->interrupt->deliver = deliver;
	nic->interrupt->deliver_ctx = ctx;
}

static bool msix(const struct nic *nic)
{
	return reg(nic, IXGBE_GPIE) & IXGBE_GPIE_MULTIPLE_MSIX;
}

/* The registers show the 64-bit masks; the driver may use either name. */
static void mirror(struct nic *nic)
{
	struct interrupt *interrupt = nic->interrupt;

	interrupt->by_software &= interrupt->pending;
	reg_store(nic, IXGBE_EICR,
		  (reg(nic, IXGBE_EICR) & ~QUEUE_BITS) |
			  ((uint32_t)interrupt->pending & QUEUE_BITS));
	reg_store(nic, IXGBE_EIMS,
		  (reg(nic, IXGBE_EIMS) & ~QUEUE_BITS) |
			  ((uint32_t)interrupt->enabled & QUEUE_BITS));
	reg_store(nic, IXGBE_AT(EIMS_EX, 0), (uint32_t)interrupt->enabled);
	reg_store(nic, IXGBE_AT(EIMS_EX, 1), (uint32_t)(interrupt->enabled >> 32));
}

void interrupt_reset(struct nic *nic)
{
	struct interrupt *interrupt = nic->interrupt;

	*interrupt = (struct interrupt){.deliver = interrupt->deliver,
					.deliver_ctx = interrupt->deliver_ctx};
	reg_store(nic, IXGBE_EICR, 0);
	if (nic->loop) {
		loop_timer_set(nic->loop, LOOP_TIMER_ITR, 0, NULL, NULL);
		loop_timer_set(nic->loop, LOOP_TIMER_TCP, 0, NULL, NULL);
	}
}

/* The vector of the other causes and of the TCP timer; NIC_VECTORS: none. */
static uint32_t other_vector(const struct nic *nic)
{
	uint32_t misc = reg(nic, IXGBE_IVAR_MISC);
	uint32_t vector = IXGBE_FIELD_GET(IXGBE_IVAR_MISC_OTHER, misc);

	return misc & IXGBE_IVAR_MISC_OTHER_VALID && vector < NIC_VECTORS ? vector : NIC_VECTORS;
}

static uint32_t timer_vector(const struct nic *nic)
{
	uint32_t misc = reg(nic, IXGBE_IVAR_MISC);
	uint32_t vector = IXGBE_FIELD_GET(IXGBE_IVAR_MISC_TCP_TIMER, misc);

	return misc & IXGBE_IVAR_MISC_TCP_TIMER_VALID && vector < NIC_VECTORS ? vector
									      : NIC_VECTORS;
}

/* The EICR bits above the queues' that belong to a vector. */
static uint32_t misc_bits(const struct nic *nic, uint32_t vector)
{
	return (other_vector(nic) == vector ? OTHER_BITS : 0) |
	       (timer_vector(nic) == vector ? TIMER_BIT : 0);
}

static bool level(const struct nic *nic, uint32_t vector)
{
	uint32_t misc = reg(nic, IXGBE_EICR) & reg(nic, IXGBE_EIMS) & ~QUEUE_BITS;
	uint64_t queues = nic->interrupt->pending & nic->interrupt->enabled;

	if (!msix(nic))
		return vector == 0 && (misc || queues & QUEUE_BITS);
	return queues >> vector & 1 || misc & misc_bits(nic, vector);
}

/* The vectors that mask themselves. */
static uint64_t auto_masked(const struct nic *nic)
{
	if (!(reg(nic, IXGBE_GPIE) & IXGBE_GPIE_EIAME))
		return 0;
	return (uint64_t)reg(nic, IXGBE_AT(EIAM_EX, 1)) << 32 | reg(nic, IXGBE_AT(EIAM_EX, 0)) |
	       (reg(nic, IXGBE_EIAM) & QUEUE_BITS);
}

/* Erratum 1: without PBA support and automatic mask, automatic clear may leave a cause that EICS
 * set just before the message; here it does each time. No further message comes until the
 * driver has cleared the cause. */
static uint64_t causes_left(const struct nic *nic)
{
	if (reg(nic, IXGBE_GPIE) & IXGBE_GPIE_PBA_SUPPORT)
		return 0;
	return nic->interrupt->by_software & ~auto_masked(nic) & QUEUE_BITS;
}

/* Automatic clear and mask, when the message of an MSI-X vector goes out (7.3.1.3 ff.). Causes of
 * vectors above 15 show in no register: they always clear themselves. */
static void auto_clear_and_mask(struct nic *nic, uint32_t vector)
{
	struct interrupt *interrupt = nic->interrupt;
	uint64_t bit = 1ull << vector;
	uint64_t clear = reg(nic, IXGBE_EIAC) & QUEUE_BITS & ~causes_left(nic);
	uint32_t misc = misc_bits(nic, vector);

	clear |= ~(uint64_t)QUEUE_BITS;
	interrupt->pending &= ~(bit & clear);
	reg_store(nic, IXGBE_EICR,
		  reg(nic, IXGBE_EICR) & ~(misc & reg(nic, IXGBE_EIAC) & TIMER_BIT));
	if (reg(nic, IXGBE_GPIE) & IXGBE_GPIE_EIAME) {
		interrupt->enabled &= ~(bit & auto_masked(nic));
		reg_store(nic, IXGBE_EIMS, reg(nic, IXGBE_EIMS) & ~(misc & reg(nic, IXGBE_EIAM)));
	}
	mirror(nic);
}

static uint64_t interval_ns(const struct nic *nic, uint32_t vector)
{
	uint32_t itr = reg(nic, ixgbe_eitr_reg(vector));

	return (uint64_t)IXGBE_FIELD_GET(IXGBE_EITR_ITR_INTERVAL, itr) * ITR_UNIT_NS;
}

static void message(struct nic *nic, uint32_t vector)
{
	struct interrupt *interrupt = nic->interrupt;

	if (fault_on(nic, FAULT_IRQ_LOST | FAULT_GONE) && faults_message_lost(nic))
		return;
	if (interrupt->deliver)
		interrupt->deliver(interrupt->deliver_ctx, vector);
}

/* Sends the due messages that EITR lets go, and sets the timer for the others. */
static void fire(struct nic *nic)
{
	struct interrupt *interrupt = nic->interrupt;
	uint64_t now = loop_now_ns(), next = UINT64_MAX;

	for (uint64_t left = interrupt->due; left; left &= left - 1) {
		uint32_t vector = (uint32_t)__builtin_ctzll(left);

		if (!level(nic, vector)) {
			interrupt->due &= ~(1ull << vector);
			continue;
		}
		if (nic->loop && interrupt->free_at_ns[vector] > now &&
		    interval_ns(nic, vector) > 0) {
			if (interrupt->free_at_ns[vector] < next)
				next = interrupt->free_at_ns[vector];
			continue;
		}
		interrupt->due &= ~(1ull << vector);
		interrupt->free_at_ns[vector] = now + interval_ns(nic, vector);
		if (msix(nic))
			auto_clear_and_mask(nic, vector);
		message(nic, vector);
	}
	if (nic->loop)
		loop_timer_set(nic->loop, LOOP_TIMER_ITR, next == UINT64_MAX ? 0 : next,
			       itr_expired, nic);
}

static void itr_expired(void *ctx, uint32_t events)
{
	(void)events;
	fire(ctx);
}

/* The vectors of a set of causes: queue causes by vector, and EICR bits above them. */
static uint64_t vectors_of(const struct nic *nic, uint64_t queues, uint32_t misc)
{
	uint32_t other = other_vector(nic), timer = timer_vector(nic);

	if (!msix(nic))
		return 1;
	if (misc & OTHER_BITS && other < NIC_VECTORS)
		queues |= 1ull << other;
	if (misc & TIMER_BIT && timer < NIC_VECTORS)
		queues |= 1ull << timer;
	return queues;
}

static void evaluate(struct nic *nic, uint64_t queues, uint32_t misc)
{
	if (!queues && !misc)
		return;
	nic->interrupt->due |= vectors_of(nic, queues, misc);
	fire(nic);
}

/* Causes become pending. Those that were have had their message, or are masked. */
static void raise_causes(struct nic *nic, uint64_t queues, uint32_t misc)
{
	queues &= ~nic->interrupt->pending;
	misc &= ~reg(nic, IXGBE_EICR);
	if (!queues && !misc)
		return;
	nic->interrupt->pending |= queues;
	reg_store(nic, IXGBE_EICR, reg(nic, IXGBE_EICR) | misc);
	mirror(nic);
	evaluate(nic, queues, misc);
}

void interrupt_message(struct nic *nic, uint32_t vector)
{
	uint32_t other = msix(nic) ? other_vector(nic) : 0;

	if (vector == NIC_VECTORS)
		vector = other;
	if (vector < NIC_VECTORS)
		message(nic, vector);
}

void interrupt_pci_exception(struct nic *nic, uint32_t picause_bits)
{
	reg_store(nic, IXGBE_PICAUSE, reg(nic, IXGBE_PICAUSE) | picause_bits);
	if (reg(nic, IXGBE_PIENA) & picause_bits)
		interrupt_raise(nic, IXGBE_EICR_PCI);
}

static void piena_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	(void)old;
	(void)written;
	if (dirty_exception(nic))
		interrupt_raise(nic, IXGBE_EICR_PCI);
}

void interrupt_raise(struct nic *nic, uint32_t eicr_bits)
{
	raise_causes(nic, eicr_bits & QUEUE_BITS, eicr_bits & (OTHER_BITS | TIMER_BIT));
}

/* IVAR has a byte for each cause: RX 2n, TX 2n, RX 2n + 1, TX 2n + 1 (8.2.3.5.16). */
static void raise_by_ivar(struct nic *nic, uint32_t queue, uint32_t tx)
{
	uint32_t shift = ((queue & 1) * 2 + tx) * 8;
	uint32_t entry = reg(nic, IXGBE_AT(IVAR, queue / 2)) >> shift;
	uint32_t cause = entry & IXGBE_IVAR_ALLOC0;

	if (!(entry & IXGBE_IVAR_ALLOC0_VALID))
		return;
	raise_causes(nic, 1ull << (msix(nic) ? cause : cause & 15), 0);
}

void interrupt_raise_rx(struct nic *nic, uint32_t queue)
{
	raise_by_ivar(nic, queue, 0);
}

void interrupt_raise_tx(struct nic *nic, uint32_t queue)
{
	raise_by_ivar(nic, queue, 1);
}

/* EITR's interval of the vector that a queue has, in its units; 0: none. */
static uint32_t queue_interval(const struct nic *nic, uint32_t queue, uint32_t tx)
{
	uint32_t entry = reg(nic, IXGBE_AT(IVAR, queue / 2)) >> ((queue & 1) * 2 + tx) * 8;
	uint32_t vector = msix(nic) ? entry & IXGBE_IVAR_ALLOC0 : 0;

	if (!(entry & IXGBE_IVAR_ALLOC0_VALID) || vector >= NIC_VECTORS)
		return 0;
	return IXGBE_FIELD_GET(IXGBE_EITR_ITR_INTERVAL, reg(nic, ixgbe_eitr_reg(vector)));
}

uint32_t interrupt_rx_interval(const struct nic *nic, uint32_t queue)
{
	return queue_interval(nic, queue, 0);
}

bool interrupt_tx_moderated(const struct nic *nic, uint32_t queue)
{
	return queue_interval(nic, queue, 1) != 0;
}

/* ---- The registers ---- */

static void enable(struct nic *nic, uint64_t queues, uint32_t misc)
{
	struct interrupt *interrupt = nic->interrupt;
	uint64_t new_queues = queues & ~interrupt->enabled;
	uint32_t new_misc = misc & ~reg(nic, IXGBE_EIMS);

	interrupt->enabled |= queues;
	reg_store(nic, IXGBE_EIMS, reg(nic, IXGBE_EIMS) | misc);
	mirror(nic);
	evaluate(nic, new_queues & interrupt->pending, new_misc & reg(nic, IXGBE_EICR));
}

static void disable(struct nic *nic, uint64_t queues, uint32_t misc)
{
	nic->interrupt->enabled &= ~queues;
	reg_store(nic, IXGBE_EIMS, reg(nic, IXGBE_EIMS) & ~misc);
	mirror(nic);
}

static void clear(struct nic *nic, uint32_t bits)
{
	uint64_t queues = bits & QUEUE_BITS & nic->interrupt->pending;
	uint32_t misc = bits & ~QUEUE_BITS & reg(nic, IXGBE_EICR);

	nic->interrupt->pending &= ~queues;
	reg_store(nic, IXGBE_EICR, reg(nic, IXGBE_EICR) & ~misc);
	mirror(nic);
	evaluate(nic, queues, misc); /* other causes of the same vectors */
}

/* Without GPIE.EIAME, an access to EICR masks what EIAM says. */
static void mask_on_access(struct nic *nic)
{
	uint32_t mask = reg(nic, IXGBE_EIAM);

	if (!(reg(nic, IXGBE_GPIE) & IXGBE_GPIE_EIAME))
		disable(nic, mask & QUEUE_BITS, mask & ~QUEUE_BITS);
}

static uint32_t eicr_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	mask_on_access(nic);
	clear(nic, reg(nic, IXGBE_GPIE) & IXGBE_GPIE_OCD ? OCD_BITS : IXGBE_EICR_ALL);
	return value;
}

static void eicr_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	reg_store(nic, IXGBE_EICR, old); /* undo: clear() has to see what goes */
	mask_on_access(nic);
	clear(nic, written & IXGBE_EICR_ALL);
}

/* Reading EICS shows the causes and leaves them: drivers rely on it. */
static uint32_t eics_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	(void)value;
	return reg(nic, IXGBE_EICR);
}

/* With GPIE.EIMEN, EITR does not hold back what software sets (8.2.3.5.18). */
static void free_now(struct nic *nic, uint64_t queues, uint32_t misc)
{
	if (!(reg(nic, IXGBE_GPIE) & IXGBE_GPIE_EIMEN) || (!queues && !misc))
		return;
	for (uint64_t left = vectors_of(nic, queues, misc); left; left &= left - 1)
		nic->interrupt->free_at_ns[__builtin_ctzll(left)] = 0;
}

static void eics_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t unmask = written & reg(nic, IXGBE_EIAM);

	(void)index;
	(void)old;
	free_now(nic, written & QUEUE_BITS, written & (OTHER_BITS | TIMER_BIT));
	nic->interrupt->by_software |= written & QUEUE_BITS & ~nic->interrupt->pending;
	interrupt_raise(nic, written);
	if (!(reg(nic, IXGBE_GPIE) & IXGBE_GPIE_EIAME))
		enable(nic, unmask & QUEUE_BITS, unmask & (OTHER_BITS | TIMER_BIT));
}

static bool any_enabled(const struct nic *nic, uint32_t index)
{
	(void)index;
	return nic->interrupt->enabled || reg(nic, IXGBE_EIMS) & ~QUEUE_BITS;
}

/* Interrupts go on, or are on: the mode has to be one (8.2.3.5.5, 8.2.3.5.18). */
static void judge_mode(struct nic *nic, uint32_t index)
{
	uint32_t gpie = reg(nic, IXGBE_GPIE), eiac = reg(nic, IXGBE_EIAC);

	(void)index;
	if (msix(nic) ? !(gpie & IXGBE_GPIE_PBA_SUPPORT) : eiac != 0)
		violation(nic, VIOLATION_IRQ_MODE, "GPIE is 0x%08x, EIAC 0x%08x", gpie, eiac);
}

static void eims_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	reg_store(nic, IXGBE_EIMS, old); /* undo: enable() has to see what is new */
	if (written && !any_enabled(nic, 0))
		judge_mode(nic, 0);
	enable(nic, written & QUEUE_BITS, written & (OTHER_BITS | TIMER_BIT));
}

static void eimc_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	(void)old;
	if (written & IXGBE_EICR_OTHER)
		violation(nic, VIOLATION_EIMC_RESERVED, "EIMC = 0x%08x", written);
	disable(nic, written & QUEUE_BITS, written & (OTHER_BITS | TIMER_BIT));
}

static void eics_ex_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)old;
	free_now(nic, (uint64_t)written << (index * 32), 0);
	nic->interrupt->by_software |= (uint64_t)written << (index * 32) & ~nic->interrupt->pending;
	raise_causes(nic, (uint64_t)written << (index * 32), 0);
}

static void eims_ex_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)old;
	if (written && !any_enabled(nic, 0))
		judge_mode(nic, 0);
	enable(nic, (uint64_t)written << (index * 32), 0);
}

static void eimc_ex_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)old;
	disable(nic, (uint64_t)written << (index * 32), 0);
}

/* With CNT_WDIS the counter and credits stay; else the counter is what is written. */
static void eitr_written(struct nic *nic, uint32_t vector, uint32_t old, uint32_t written)
{
	uint32_t kept = IXGBE_EITR_ITR_COUNTER | IXGBE_EITR_LLI_CREDIT;
	uint32_t at = ixgbe_eitr_reg(vector);

	if (written & IXGBE_EITR_CNT_WDIS) {
		reg_store(nic, at, (reg(nic, at) & ~kept) | (old & kept));
		fire(nic); /* with no interval there is nothing left to wait for */
		return;
	}
	if (vector >= NIC_VECTORS)
		return;
	/* The field is the upper 7 bits of a 9-bit counter. */
	nic->interrupt->free_at_ns[vector] =
		loop_now_ns() +
		(uint64_t)IXGBE_FIELD_GET(IXGBE_EITR_ITR_COUNTER, written) * 4 * ITR_UNIT_NS;
	fire(nic);
}

static void eitr_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	eitr_written(nic, index, old, written);
}

static void eitr_hi_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	eitr_written(nic, index + IXGBE_EITR_COUNT, old, written);
}

/* A new mode or mapping may have raised the level of any vector. */
static void mapping_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (written == old)
		return;
	nic->interrupt->due = msix(nic) ? UINT64_MAX : 1;
	fire(nic);
}

/* ---- The timers (8.2.3.19) ---- */

static uint32_t frtimer_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)nic;
	(void)index;
	(void)value;
	return (uint32_t)(loop_now_ns() / 1000u);
}

static void tcp_timer_expired(void *ctx, uint32_t events);

static void tcp_timer_start(struct nic *nic)
{
	uint64_t ms = IXGBE_FIELD_GET(IXGBE_TCPTIMER_DURATION, reg(nic, IXGBE_TCPTIMER));

	/* A duration of 0 with LOOP would never let the loop sleep. */
	if (nic->loop)
		loop_timer_set(nic->loop, LOOP_TIMER_TCP, loop_now_ns() + (ms ? ms : 1) * MS_NS,
			       tcp_timer_expired, nic);
}

static void tcp_timer_expired(void *ctx, uint32_t events)
{
	struct nic *nic = ctx;

	(void)events;
	if (!(reg(nic, IXGBE_TCPTIMER) & IXGBE_TCPTIMER_COUNT_ENABLE))
		return;
	interrupt_raise(nic, TIMER_BIT);
	if (reg(nic, IXGBE_TCPTIMER) & IXGBE_TCPTIMER_LOOP)
		tcp_timer_start(nic);
}

static void tcptimer_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	(void)old;
	if (written & IXGBE_TCPTIMER_KICKSTART)
		tcp_timer_start(nic);
}

const struct reg_hook interrupt_hooks[] = {
	{.offset = IXGBE_EICR, .read = eicr_read, .write = eicr_write},
	{.offset = IXGBE_EICS, .read = eics_read, .write = eics_write},
	{.offset = IXGBE_EIMS, .write = eims_write},
	{.offset = IXGBE_EIMC, .write = eimc_write},
	{.offset = IXGBE_EICS_EX, .write = eics_ex_write},
	{.offset = IXGBE_EIMS_EX, .write = eims_ex_write},
	{.offset = IXGBE_EIMC_EX, .write = eimc_ex_write},
	{.offset = IXGBE_EITR, .write = eitr_write},
	{.offset = IXGBE_EITR_HI, .write = eitr_hi_write},
	{.offset = IXGBE_IVAR, .write = mapping_write},
	{.offset = IXGBE_IVAR_MISC, .write = mapping_write},
	{.offset = IXGBE_GPIE,
	 .write = mapping_write,
	 .live = {IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT, any_enabled, judge_mode,
		  VIOLATIONS}},
	{.offset = IXGBE_EIAC, .live = {UINT32_MAX, any_enabled, judge_mode, VIOLATIONS}},
	{.offset = IXGBE_PIENA, .write = piena_write},
	{.offset = IXGBE_FRTIMER, .read = frtimer_read},
	{.offset = IXGBE_TCPTIMER, .write = tcptimer_write},
	{0},
};
