/* SPDX-License-Identifier: MIT */
/* Interrupts (sections 7.3 and 8.2.3.5): nic->interrupt has their state beside the registers. */
#pragma once

#include "chip.h"

extern const struct reg_hook interrupt_hooks[];

int interrupt_new(struct nic *nic);
void interrupt_free(struct nic *nic);

/* Sets causes in EICR and fires what they are mapped to, if unmasked and as EITR allows. */
void interrupt_raise(struct nic *nic, uint32_t eicr_bits);
void interrupt_raise_rx(struct nic *nic, uint32_t queue); /* by IVAR */
void interrupt_raise_tx(struct nic *nic, uint32_t queue);
/* EITR's interval of the vector that a receive queue has, in EITR's units; 0: there is none. */
uint32_t interrupt_rx_interval(const struct nic *nic, uint32_t queue);
/* Whether the vector of a transmit queue has an interval in EITR, at whose end descriptors that
 * wait for others are written back (7.2.3.5.1). */
bool interrupt_tx_moderated(const struct nic *nic, uint32_t queue);
/* Delivers a vector's message; irqfd_deliver(), which writes an eventfd, is one. */
typedef void (*interrupt_deliver_fn)(void *ctx, uint32_t vector);
void interrupt_deliver_set(struct nic *nic, interrupt_deliver_fn deliver, void *ctx);
/* A message of this vector without a cause, as the chip sends none; NIC_VECTORS: of that of the
 * other causes. */
void interrupt_message(struct nic *nic, uint32_t vector);
/* Sets causes in PICAUSE; those that PIENA lets through raise EICR's (sections 8.2.3.4.14, 15). */
void interrupt_pci_exception(struct nic *nic, uint32_t picause_bits);
void interrupt_reset(struct nic *nic); /* state beside the registers: pending causes, throttles */
