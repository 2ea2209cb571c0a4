/* SPDX-License-Identifier: MIT */
/* What the parts of the driver offer to each other. Internal to libixgbe. */
#pragma once

#include "port.h"

/* ---- init.c ---- */

/* Stops DMA and resets the device; interrupts are off and nothing else is set up
 * afterwards (sections 4.6.3.2, 4.2.1.6, 5.2.5.3.2). -ETIMEDOUT, -ENODEV. */
int init_reset(struct ixgbe *nic);
/* Writes the configuration that never changes: neither filters, nor interrupts, nor rings. */
void init_configure(struct ixgbe *nic);
/* Reports of ECC errors in the receiver's memories (section 4.6.7). What was never written may look
 * like an error: filters are written before. */
void init_memory_errors_report(struct ixgbe *nic);
/* Opens and closes the receiver around RXCTRL.RXEN (section 4.6.7). */
int init_receiver_set(struct ixgbe *nic, bool on);
/* Bus mastering in PCI configuration space (section 9.3). A kept device's is the keeper's: 0. */
int init_bus_master_set(struct ixgbe *nic, bool on);

/* ---- rings.c ---- */

/* All queues. On failure the caller frees what there is. */
int rings_new(struct ixgbe *nic);
void rings_free(struct ixgbe *nic);
/* Enable all queues; on failure none is. The caller has closed the receiver. */
int rings_transmit_start(struct ixgbe *nic, struct ixgbe_why *why);
int rings_receive_start(struct ixgbe *nic, struct ixgbe_pool *const pool[], struct ixgbe_why *why);
/* End all queues and give their buffers back, even if a step fails (sections 4.6.7.1.2,
 * 4.6.8.1.2). The caller has closed the receiver. */
int rings_receive_stop(struct ixgbe *nic);
int rings_transmit_stop(struct ixgbe *nic);
/* Goes on with rings that a former driver started, and makes all other buffers available. -EBADMSG.
 * Nothing is written to the device before all is found to add up. */
int rings_resume(struct ixgbe *nic, struct ixgbe_pool *const pool[], struct ixgbe_resumed *out);
/* See ixgbe_tx_watch, ixgbe_tx_restart and ixgbe_rx_watch; at `now_us`. */
int rings_transmit_watch(struct ixgbe *nic, uint64_t now_us);
int rings_transmit_restart(struct ixgbe *nic, uint16_t q);
int rings_receive_watch(struct ixgbe *nic);
/* Ends the queues that the device's former owner left on. -ETIMEDOUT: one does not end; those after
 * it are not tried. */
int rings_end_all(struct ixgbe *nic);

/* ---- semaphore.c ---- */

/* The resources of SW_FW_SYNC (IXGBE_SW_FW_SYNC_SW_*), held against firmware and
 * the other port's driver (section 10.5.4). -ETIMEDOUT, -ENODEV. */
int semaphore_take(struct ixgbe *nic, uint32_t resource);
void semaphore_release(struct ixgbe *nic, uint32_t resource);

/* ---- eeprom.c ---- */

/* -EIO: no EEPROM, or its contents are invalid. */
int eeprom_check(struct ixgbe *nic, struct ixgbe_why *why);
int eeprom_read(struct ixgbe *nic, uint32_t word, uint16_t *value);

/* ---- sfp.c, link.c ---- */

/* Reads the module's identity into nic->kept->sfp; no module, or one that does not answer, is
 * IXGBE_SFP_NONE and no error. */
int sfp_identify(struct ixgbe *nic);
/* Writes the EEPROM's settings of the analogue part for this module. */
int sfp_setup(struct ixgbe *nic);
/* Brings the link to the administrative state. */
int link_apply(struct ixgbe *nic);
/* Whether the module's presence pin has changed since the module was read. The interrupt that tells
 * of this may have been lost. */
bool link_module_moved(const struct ixgbe *nic);
/* A module was plugged in or pulled out: reads it, which takes up to 300 ms, and sets the link
 * up for it. */
int link_module_changed(struct ixgbe *nic);

/* ---- filters.c ---- */

int filters_new(struct ixgbe *nic);
void filters_free(struct ixgbe *nic);
/* As after open: nothing but the port's own address and broadcasts. */
void filters_forget(struct ixgbe *nic);
/* Writes all of the filter state to a device that runs. */
int filters_redo(struct ixgbe *nic);
/* Writes all of the filter state to the device. The caller has closed the receiver. */
void filters_apply(struct ixgbe *nic);

/* ---- rss.c ---- */

/* Spreads received frames over the queues. */
void rss_configure(struct ixgbe *nic);

/* ---- irq.c ---- */

int irq_new(struct ixgbe *nic); /* -ENOMEM */
void irq_free(struct ixgbe *nic);
/* Sets the device up for MSI-X, all vectors masked. */
void irq_configure(struct ixgbe *nic);
/* Gives each receive queue its vector, and the transmit queues none. */
void irq_queues_configure(struct ixgbe *nic);
void irq_mask_all(struct ixgbe *nic);
/* Enables the vector of other causes. */
void irq_other_arm(struct ixgbe *nic);

/* ---- stats.c ---- */

int stats_new(struct ixgbe *nic);
void stats_free(struct ixgbe *nic);
/* Throws away what the device counted before it was ours (section 4.6.5). */
void stats_discard(struct ixgbe *nic);
void stats_link_change(struct ixgbe *nic);
uint64_t stats_link_changes(const struct ixgbe *nic);
void stats_tx_timeout(struct ixgbe *nic);
/* Reads how many frames the packet buffer had no room for since the last read: 0 or -ENODEV. */
int stats_missed(struct ixgbe *nic, uint32_t *count);
/* Reads how many pause frames have come: 0 or -ENODEV. */
int stats_pauses(struct ixgbe *nic, uint64_t *count);
