/* SPDX-License-Identifier: MIT */
/* The port, and access to its registers. Internal to libixgbe. */
#pragma once

#include "ixgbe/backends/backend.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"
#include "queues/queue.h"

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
	uint32_t sfp_pin;   /* ESDP's when the module was read */

	/* bus.c */
	uint16_t aborts_stuck; /* bits of the PCI status that cannot be cleared */
	uint32_t refused_seen; /* by the backend */

	/* The transmit watchdog, in rings.c. */
	struct txq_watch txq_watch[IXGBE_QUEUES_MAX];
	uint64_t link_changes_seen, pauses_seen;

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

/* A word of the PCI configuration space, which has the low byte first. */
static inline int pci_read16(const struct ixgbe *nic, uint32_t offset, uint16_t *value)
{
	uint8_t raw[2];
	int err = nic->backend->ops->config_read(nic->backend, offset, raw, sizeof(raw));

	if (!err)
		*value = (uint16_t)(raw[0] | raw[1] << 8);
	return err;
}

static inline int pci_write16(struct ixgbe *nic, uint32_t offset, uint16_t value)
{
	const uint8_t raw[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

	return nic->backend->ops->config_write(nic->backend, offset, raw, sizeof(raw));
}

/* Whether the device has left the bus: every register reads as ones then. */
static inline bool port_gone(const struct ixgbe *nic)
{
	return reg_read(nic, IXGBE_STATUS) == UINT32_MAX;
}
