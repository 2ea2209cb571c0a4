/* SPDX-License-Identifier: MIT */
/*
 * The NIC's interrupts, as they reach the client: an eventfd for each INTx, MSI or MSI-X vector,
 * the MSI-X table and pending bits of BAR 4, and masking.
 *
 * A vector has one mask. Its bit in the MSI-X table sets and clears the mask, so does SET_IRQS with
 * MASK and UNMASK, and an eventfd for the vector clears it, as in the kernel's VFIO. Without the
 * last rule nothing would arrive: all vectors are masked at power-on, and QEMU keeps the table for
 * itself and never writes ours. A vector that fires while masked is pending, and is delivered when
 * the mask is cleared.
 */
#pragma once

#include "config_space.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "tools/ixnic/nic.h"

struct irqfd;

int irqfd_new(struct nic *nic, const struct config_space *config, struct irqfd **out);
void irqfd_free(struct irqfd *irqfd); /* takes NULL */

/* Of a VFIO_PCI_*_IRQ_INDEX; 0 for one that is not there. */
uint32_t irqfd_count(uint32_t index);
uint32_t irqfd_flags(uint32_t index); /* VFIO_IRQ_INFO_* */

/*
 * Carries out a SET_IRQS command, and takes those of its descriptors that it keeps. -EINVAL:
 * malformed, or a descriptor that is no eventfd.
 */
int irqfd_set(struct irqfd *irqfd, struct vu_message *message);

/* Vector `vector` of the NIC fired: an interrupt_deliver_fn, whose `ctx` is the struct irqfd. */
void irqfd_deliver(void *ctx, uint32_t vector);

/* `len` bytes at `offset` of BAR 4, within it. */
void irqfd_bar_read(const struct irqfd *irqfd, uint32_t offset, uint8_t *data, uint32_t len);
void irqfd_bar_write(struct irqfd *irqfd, uint32_t offset, const uint8_t *data, uint32_t len);

/* After a change of the configuration space: pending vectors that may fire now, do. */
void irqfd_update(struct irqfd *irqfd);

/* Function level reset: nothing is pending, the table is as at power-on, but a vector that has an
 * eventfd keeps it, unmasked. */
void irqfd_reset(struct irqfd *irqfd);
/* The client is gone: no eventfds. */
void irqfd_release(struct irqfd *irqfd);
