/* SPDX-License-Identifier: MIT */
/*
 * A port whose NIC the test plays: the whole driver over the fake backend, started, with the
 * pools that a worker needs. A worker may run on its queue; the test's thread puts frames
 * into the receive ring, takes them from the transmit ring and raises interrupts.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "bridge/frames/worker.h"
#include "ixgbe/tables/desc.h"
#include "fake_backend.h"

#define PUPPET_FRAME_MAX (70u << 10)

struct puppet {
	struct ixgbe *nic;
	struct ixgbe_pool *pool[WORKER_POOLS];

	struct fake *fake;
	uint32_t ring;
	union ixgbe_desc *rx, *tx;
	uint32_t rdh, tdh;
	union ixgbe_desc *held;     /* what is received first after puppet_hold(); or NULL */
	atomic_uint rdt, tdt, ivar; /* as the driver wrote them */
	uint64_t context[2];

	pthread_mutex_t irq_lock;
	bool irq_armed, irq_pending;
};

/* What the NIC saw of a frame. */
struct puppet_frame {
	uint32_t len;
	bool tso;
	uint32_t popts;      /* IXGBE_TXD_POPTS_* */
	uint64_t context[2]; /* valid with tso or popts */
	uint8_t data[PUPPET_FRAME_MAX];
};

struct puppet *puppet_new(uint16_t ring, uint16_t mtu);
/* Fails the test if any buffer is not back. */
void puppet_free(struct puppet *puppet);

/* Descriptors the driver has filled. */
uint32_t puppet_rx_room(struct puppet *puppet);
/* Receives a frame into as many descriptors as it takes; `info` and `status` are dwords 0 and 2
 * of the write-back, besides DD and EOP. There is room. No interrupt. */
void puppet_receive(struct puppet *puppet, const void *frame, uint32_t len, uint32_t info,
		    uint32_t status);
/* The driver sees nothing of what is received between these, then all of it at once: it takes
 * descriptors in their order, and the first one is not done. */
void puppet_hold(struct puppet *puppet);
void puppet_release(struct puppet *puppet);
/* Raises the queue's receive cause. */
void puppet_interrupt(struct puppet *puppet);
/* Takes the next frame to send, if there is one; reports it, and interrupts if asked for. */
bool puppet_transmit(struct puppet *puppet, struct puppet_frame *out);
/* The same, without looking at the frame; returns how many descriptors. */
uint32_t puppet_transmit_all(struct puppet *puppet);
