/* SPDX-License-Identifier: MIT */
/*
 * A port without a device: the driver's rings over a backend whose registers are an array.
 * The test itself is the NIC: it finds the rings where the driver programmed them,
 * reads descriptors and writes them back, well or badly.
 */
#pragma once

#include "ixgbe/parts.h"
#include "ixgbe/queues/queue.h"
#include "ixgbe/tables/desc.h"

#define RIG_MAPS_MAX   64u
#define RIG_WRITES_MAX 64u

struct rig_map {
	uint8_t *addr;
	size_t len;
	ixgbe_iova iova;
};

struct rig {
	struct ixgbe_backend backend; /* first: the backend is the rig */
	struct ixgbe_device device;   /* only its state memory is used */
	struct port_state kept;
	struct ixgbe nic;

	uint32_t reg[IXGBE_BAR0_SIZE / 4];
	/* The last register writes, oldest first once it is full. */
	struct {
		uint32_t offset, value;
	} write[RIG_WRITES_MAX];
	uint32_t writes;
	bool doorbells;    /* offered as memory; set before the queues are made */
	bool queues_stuck; /* the enable bits keep what they are */

	struct rig_map map[RIG_MAPS_MAX];
	uint32_t maps;
	int map_error; /* what dma_map returns */
	ixgbe_iova first, last;
};

/* One queue, rings of `ring` descriptors. */
struct rig *rig_new(uint16_t ring);
/* The same in memory of the caller's, all zeros. */
void rig_init(struct rig *rig, uint16_t ring);
/* Memory for one queue of the rig's port, not programmed into the NIC. */
int rig_rxq_new(struct rig *rig, uint16_t queue);
int rig_txq_new(struct rig *rig, uint16_t queue);
/* Frees the queues that there are. Every mapping must be gone then. */
void rig_free(struct rig *rig);

/* The driver's memory at an IOVA; fails the test if any byte of it is not mapped. */
void *rig_at(struct rig *rig, ixgbe_iova iova, size_t len);
/* How often a register was written, within the last RIG_WRITES_MAX writes. */
uint32_t rig_written(const struct rig *rig, uint32_t offset);

/* ---- The NIC's side of queue 0 ---- */

union ixgbe_desc *rig_rx_desc(struct rig *rig, uint32_t index);
/* Descriptors the receiver may use: from RDH to RDT. */
uint32_t rig_rx_room(struct rig *rig);
/* Uses one: fills the buffer with `fill`, writes the descriptor back, advances RDH. */
void rig_rx(struct rig *rig, uint32_t info, uint32_t hash, uint32_t status, uint16_t len,
	    uint16_t vlan, uint8_t fill);
/* A plain good frame of one descriptor. */
void rig_rx_frame(struct rig *rig, uint16_t len, uint8_t fill);

union ixgbe_desc *rig_tx_desc(struct rig *rig, uint32_t index);
uint32_t rig_tx_queued(struct rig *rig);
/* Sends up to `max` queued descriptors and reports those with RS; returns how many. */
uint32_t rig_tx_send(struct rig *rig, uint32_t max);
