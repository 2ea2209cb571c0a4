/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the driver share: the port, its registers and the one
 * bounded wait. Internal to libixgbe.
 */
#pragma once

#include <stdatomic.h>

#include "ixgbe/backends/backend.h"
#include "ixgbe/queues/dma.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

struct ixgbe {
	struct ixgbe_backend *backend;
	struct ixgbe_options options; /* with defaults filled in */
	struct ixgbe_dma *dma;
	struct ixgbe_rxq *rxq[IXGBE_QUEUES_MAX];
	struct ixgbe_txq *txq[IXGBE_QUEUES_MAX];
	bool started;
	bool reset_failed; /* the next start has to do it */

	uint16_t device_id;
	uint16_t mtu;
	uint8_t mac[IXGBE_MAC_BYTES];
	uint8_t mac_permanent[IXGBE_MAC_BYTES];
	bool admin_up;
	enum ixgbe_sfp sfp;
	bool sfp_limiting;  /* an active cable that is set up like optics */
	bool sfp_two_rates; /* optics for 1 and 10 Gb/s */

	/* bus.c */
	uint32_t aborts_stuck; /* bits of the PCI status that cannot be cleared */
	uint32_t refused_seen; /* by the backend */

	struct ixgbe_irq *irq;
	struct ixgbe_filters *filters;
	struct ixgbe_stats *stats;
};

static inline uint32_t reg_read(const struct ixgbe *nic, uint32_t offset)
{
	return nic->backend->ops->read32(nic->backend, offset);
}

static inline void reg_write(struct ixgbe *nic, uint32_t offset, uint32_t value)
{
	nic->backend->ops->write32(nic->backend, offset, value);
}

static inline void reg_set(struct ixgbe *nic, uint32_t offset, uint32_t bits)
{
	reg_write(nic, offset, reg_read(nic, offset) | bits);
}

static inline void reg_clear(struct ixgbe *nic, uint32_t offset, uint32_t bits)
{
	reg_write(nic, offset, reg_read(nic, offset) & ~bits);
}

/* Waits until the bits of `mask` read as `value`. 0, -ETIMEDOUT after
 * `timeout_us`, -ENODEV when the register reads all ones and that is not what is
 * waited for. */
int reg_wait(const struct ixgbe *nic, uint32_t offset, uint32_t mask, uint32_t value,
	     uint32_t timeout_us);

/* Sleeps at least that long: for waits that the datasheet gives as a time. */
void port_delay_us(uint32_t us);

void port_log(const struct ixgbe *nic, enum ixgbe_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* rx.c and tx.c: a queue's ring is allocated once at open and programmed by
 * enable (sections 4.6.7.1, 4.6.8.1), with tail writes as the last step. disable
 * waits for the queue to be off (4.6.7.1.2, 4.6.8.1.2) and gives all buffers back. */
int rxq_new(struct ixgbe *nic, uint16_t queue, struct ixgbe_rxq **out);
int rxq_enable(struct ixgbe_rxq *rxq, struct ixgbe_pool *pool);
int rxq_disable(struct ixgbe_rxq *rxq);
void rxq_free(struct ixgbe_rxq *rxq);
int txq_new(struct ixgbe *nic, uint16_t queue, struct ixgbe_txq **out);
int txq_enable(struct ixgbe_txq *txq);
int txq_disable(struct ixgbe_txq *txq);
void txq_free(struct ixgbe_txq *txq);

/* What a queue counts itself; read by any thread (relaxed). */
struct ixgbe_queue_counters {
	_Atomic uint64_t packets, bytes;
	_Atomic uint64_t errors; /* broken by the NIC's word, or descriptors without sense */
	_Atomic uint64_t csum_errors;
	_Atomic uint64_t alloc_failed; /* refills that found the pool empty */
	_Atomic uint64_t restarts;     /* TX: bursts that found the ring full */
};
const struct ixgbe_queue_counters *rxq_counters(const struct ixgbe_rxq *rxq);
const struct ixgbe_queue_counters *txq_counters(const struct ixgbe_txq *txq);
