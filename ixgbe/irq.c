/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: MSI-X, one vector per queue pair and one for everything else
 * (section 7.3).
 *
 *     receive queue q  ── IVAR ──────► vector q     ── eventfd q
 *     transmit queue q ── IVAR ──────► vector q        (when asked for)
 *     link, module, ECC,
 *     PCI timeout      ─ IVAR_MISC ──► vector n     ── eventfd n
 *
 * GPIE.EIAME with EIAM masks a vector as it fires, and EIAC clears its cause. No register is
 * accessed for a queue until it is armed again, by one write. A cause that comes while masked
 * stays in EICR and fires on arming (7.3.1.3). The other causes are read from EICR; with GPIE.OCD
 * that read clears them and leaves those of the queues.
 */
#include "parts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define EITR_UNIT_US      2u
#define OTHER_THROTTLE_US 100u /* a link that flaps does not storm */

/* BOARD(module): SDP2 is the module's presence. */
#define CAUSES_OTHER (IXGBE_EICR_LSC | IXGBE_EICR_GPI_SDP2 | IXGBE_EICR_ECC | IXGBE_EICR_PCI)

struct ixgbe_irq {
	/* Two queue pairs share a register, and the threads of both call ixgbe_irq_tx_set. */
	pthread_mutex_t ivar_lock;
	uint32_t ivar[IXGBE_QUEUES_MAX / 2];
};

int irq_new(struct ixgbe *nic)
{
	nic->irq = calloc(1, sizeof(*nic->irq));
	if (!nic->irq)
		return -ENOMEM;
	pthread_mutex_init(&nic->irq->ivar_lock, NULL);
	return 0;
}

void irq_free(struct ixgbe *nic)
{
	if (!nic->irq)
		return;
	pthread_mutex_destroy(&nic->irq->ivar_lock);
	free(nic->irq);
}

void irq_mask_all(struct ixgbe *nic)
{
	/* 8.2.3.5.4: bit 31 is reserved. EIMC has the causes, EIMC_EX the vectors 0 to 63. */
	reg_write(nic, IXGBE_EIMC, IXGBE_EICR_ALL);
	reg_write(nic, IXGBE_AT(EIMC_EX, 0), UINT32_MAX);
	reg_write(nic, IXGBE_AT(EIMC_EX, 1), UINT32_MAX);
	reg_read(nic, IXGBE_EIMS); /* returns when the writes have arrived */
}

static uint32_t eitr_value(uint32_t us)
{
	uint32_t units = us / EITR_UNIT_US;
	uint32_t max = IXGBE_FIELD_GET(IXGBE_EITR_ITR_INTERVAL, UINT32_MAX);

	return IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, units < max ? units : max) |
	       IXGBE_EITR_CNT_WDIS;
}

/* The byte of IVAR that gives a queue its vector (8.2.3.5.16). */
static uint32_t ivar_entry(uint16_t queue, bool tx)
{
	uint32_t shift = 16u * (queue & 1) + (tx ? 8 : 0);

	return (queue | IXGBE_IVAR_ALLOC0_VALID) << shift;
}

void irq_queues_configure(struct ixgbe *nic)
{
	const uint32_t used = (nic->options.queues + 1u) / 2;
	struct ixgbe_irq *irq = nic->irq;

	pthread_mutex_lock(&irq->ivar_lock);
	memset(irq->ivar, 0, sizeof(irq->ivar));
	for (uint16_t q = 0; q < nic->options.queues; q++)
		irq->ivar[q / 2] |= ivar_entry(q, false);
	for (uint32_t i = 0; i < used; i++)
		reg_write(nic, IXGBE_AT(IVAR, i), irq->ivar[i]);
	pthread_mutex_unlock(&irq->ivar_lock);
}

void irq_configure(struct ixgbe *nic)
{
	uint32_t other = nic->device->vectors - 1;

	/* 7.3.1.2 to 7.3.1.4, as the head of this file has it. SDP2_EN lets the module's pin
	 * interrupt. */
	reg_write(nic, IXGBE_GPIE,
		  IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT | IXGBE_GPIE_OCD |
			  IXGBE_GPIE_EIAME | IXGBE_GPIE_SDP2_EN);
	reg_write(nic, IXGBE_EIAC, IXGBE_EICR_RTXQ);
	reg_write(nic, IXGBE_EIAM, IXGBE_EICR_RTXQ | CAUSES_OTHER);
	reg_write(nic, IXGBE_AT(EIAM_EX, 0), UINT32_MAX);
	reg_write(nic, IXGBE_AT(EIAM_EX, 1), UINT32_MAX);

	irq_queues_configure(nic); /* others are never enabled */
	reg_write(nic, IXGBE_IVAR_MISC,
		  IXGBE_FIELD_PREP(IXGBE_IVAR_MISC_OTHER, other) | IXGBE_IVAR_MISC_OTHER_VALID);

	/* 8.2.3.4.15: of the PCI exceptions only reads that nobody completed interrupt. */
	reg_write(nic, IXGBE_PICAUSE, IXGBE_PIENA_TO);
	reg_write(nic, IXGBE_PIENA, IXGBE_PIENA_TO);

	for (uint32_t v = 0; v < nic->device->vectors; v++)
		reg_write(nic, ixgbe_eitr_reg(v),
			  eitr_value(v == other ? OTHER_THROTTLE_US : nic->options.itr_us));
}

void irq_other_arm(struct ixgbe *nic)
{
	reg_write(nic, IXGBE_EIMS, CAUSES_OTHER);
}

int ixgbe_irq_fd(const struct ixgbe *nic, uint16_t queue)
{
	return queue < nic->options.queues ? nic->device->irq_fd[queue] : -EINVAL;
}

int ixgbe_irq_other_fd(const struct ixgbe *nic)
{
	return nic->device->irq_fd[nic->device->vectors - 1];
}

int ixgbe_irq_arm(struct ixgbe *nic, uint16_t queue)
{
	if (queue >= nic->options.queues)
		return -EINVAL;
	reg_write(nic, IXGBE_EIMS, 1u << queue);
	return 0;
}

int ixgbe_irq_tx_set(struct ixgbe *nic, uint16_t queue, bool on)
{
	struct ixgbe_irq *irq = nic->irq;
	uint32_t *ivar;

	if (queue >= nic->options.queues)
		return -EINVAL;
	ivar = &irq->ivar[queue / 2];
	pthread_mutex_lock(&irq->ivar_lock);
	*ivar = on ? *ivar | ivar_entry(queue, true) : *ivar & ~(0xff00u << 16 * (queue & 1));
	reg_write(nic, IXGBE_AT(IVAR, queue / 2), *ivar);
	pthread_mutex_unlock(&irq->ivar_lock);
	return 0;
}

int ixgbe_irq_other_handle(struct ixgbe *nic)
{
	uint32_t eicr = reg_read(nic, IXGBE_EICR);
	int events = 0, err = 0;

	if (eicr == UINT32_MAX)
		return -ENODEV;
	if (eicr & IXGBE_EICR_LSC) {
		events |= IXGBE_EVENT_LINK;
		stats_link_change(nic);
	}
	if (eicr & IXGBE_EICR_GPI_SDP2 || link_module_moved(nic)) {
		events |= IXGBE_EVENT_SFP;
		intent_begin(nic, INTENT_OTHER);
		err = link_module_changed(nic);
		intent_end(nic, INTENT_OTHER);
	}
	if (eicr & IXGBE_EICR_ECC)
		events |= IXGBE_EVENT_FAULT;
	if (eicr & IXGBE_EICR_PCI)
		events |= IXGBE_EVENT_BUS;
	irq_other_arm(nic);
	return err ? err : events;
}
