/* SPDX-License-Identifier: MIT */
/* The port, and access to its registers. Internal to libixgbe. */
#pragma once

#include "ixgbe/device/device.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"
#include "queues/pool.h"
#include "queues/queue.h"

/*
 * What a successor has to know of the port, at the beginning of state memory. Numbers of a fixed
 * size: a successor reads them before it can trust them (port_state_check).
 */
struct port_state {
	uint32_t version;
	uint32_t running; /* rings and receiver are the NIC's */
	uint32_t intent;  /* INTENT_*: operations of several registers that have begun */
	uint16_t queues, rx_ring, tx_ring, mtu;
	uint8_t mac[IXGBE_MAC_BYTES];
	uint8_t mac_permanent[IXGBE_MAC_BYTES];
	uint8_t admin_up;
	uint8_t sfp;           /* enum ixgbe_sfp */
	uint8_t sfp_limiting;  /* an active cable that is set up like optics */
	uint8_t sfp_two_rates; /* optics for 1 and 10 Gb/s */
	uint8_t sfp_sum;       /* enum ixgbe_sfp_sum */
	uint32_t sfp_pin;      /* ESDP's when the module was read */
	uint32_t tx_restarted; /* queues that were, and no frame has come back since */
};

/* How the receiver was seen last. */
struct rx_watch {
	uint64_t received; /* by all rings */
	uint64_t hollow;   /* descriptors, in all rings, that were done and had not been written */
	uint32_t looks;    /* in a row that found frames missed and none received */
};

/* Bits are queues. */
struct rx_skip {
	uint64_t ended[IXGBE_QUEUES_MAX]; /* frames, at the last look */
	uint32_t seen, told;              /* since the last frame */
	uint32_t now;                     /* told at the last look */
};

/* What a successor does about an operation that its predecessor did not end. */
enum {
	INTENT_FILTERS = 1u << 0, /* writes all filters anew */
	INTENT_OTHER = 1u << 1,   /* resets the device */
};

struct ixgbe {
	struct ixgbe_device *device;
	/* The device's, as options and dma are. Of a kept device: registers only. */
	struct ixgbe_backend *backend;
	struct ixgbe_options options;
	struct ixgbe_dma *dma;
	struct port_state *kept;
	struct pool_set pools;
	struct ixgbe_rxq *rxq[IXGBE_QUEUES_MAX];
	struct ixgbe_txq *txq[IXGBE_QUEUES_MAX];
	bool started;
	/* The NIC runs since a former driver's life: ixgbe_start goes on with it. */
	struct ixgbe_resumed resumed;
	bool reset_failed; /* the next start has to do it */

	/* The watchdogs, in rings.c. */
	struct txq_watch txq_watch[IXGBE_QUEUES_MAX];
	uint32_t tx_hung; /* queues, at the last look */
	struct rx_watch rx_watch;
	struct rx_skip rx_skip;
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

/* Whether the device has left the bus: every register reads as ones then. */
static inline bool port_gone(const struct ixgbe *nic)
{
	return reg_read(nic, IXGBE_STATUS) == UINT32_MAX;
}

/* Around each operation of several registers. Operations may contain others of another intent. */
static inline void intent_begin(struct ixgbe *nic, uint32_t intent)
{
	state_store(&nic->kept->intent, nic->kept->intent | intent);
}

static inline void intent_end(struct ixgbe *nic, uint32_t intent)
{
	state_store(&nic->kept->intent, nic->kept->intent & ~intent);
}

/* Whether another process has what is not the driver's: configuration space, reset, DMA mappings.
 */
static inline bool port_is_kept(const struct ixgbe *nic)
{
	return nic->device->state != NULL;
}
