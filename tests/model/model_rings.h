/* SPDX-License-Identifier: MIT */
/*
 * Rings of a model, in the smallest form that keeps the datasheet's rules: a test that only uses
 * these must end without a contract violation, and rings_end() checks that it did.
 */
#pragma once

#include "harness.h"

#include "model_frames.h"

struct ring {
	struct model *m;
	bool tx;
	uint32_t queue;
	uint32_t size; /* descriptors */
	uint32_t next; /* RX: the next one to be written back; TX: the next one to fill */
	uint32_t tail;
	uint32_t buffer_bytes;
	struct model_dma desc;
	struct model_dma buffer; /* RX: one for each descriptor; TX: used round */
	size_t used;             /* TX */
};

/* Units that come before the rings: CRC strip, checksums, jumbo frames off, broadcast accepted. */
void rings_begin(struct model *m);
/* Queue 0 off, which DMATXCTL.TE enabled, and TE. */
void rings_te_off(struct model *m);
/* Transmit queues in pools: those above 63 are for that. */
void rings_pools(struct model *m);
/* After the rings: receive enabled by the SECRX handshake, link up. */
void rings_go(struct model *m);
/* rings_begin, one receive and one transmit ring on queue 0, rings_go. */
void rings_start(struct model *m, struct ring *rx, struct ring *tx);
/* Fails unless the number of violations is `violations`. */
void rings_end(struct model *m, long long violations);

/* A receive ring with buffers of `kib` KiB, advanced one-buffer descriptors; `srrctl`: further
 * bits. All but one descriptor are handed over. */
void rx_open(struct ring *ring, struct model *m, uint32_t queue, uint32_t size, uint32_t kib,
	     uint32_t srrctl);
/* The same without descriptors handed over: rx_give() does. */
void rx_open_empty(struct ring *ring, struct model *m, uint32_t queue, uint32_t size, uint32_t kib,
		   uint32_t srrctl);
void rx_give(struct ring *ring, uint32_t count);
/* The ring is off, takes legacy descriptors, and is on again. */
void rx_legacy(struct ring *ring);

struct received {
	uint32_t len;
	uint32_t descs;
	union ixgbe_desc first, last;
	uint8_t data[20000];
};
/* Waits for the next frame, takes it out and hands its descriptors over again. */
void rx_take(struct ring *ring, struct received *out);
/* Puts any frame on the wire, and takes it. */
void rx_one_frame(struct model *m, struct ring *rx);
/* Waits MODEL_QUIET_MS: whether nothing was written back. */
bool rx_silent(struct ring *ring);

void tx_open(struct ring *ring, struct model *m, uint32_t queue, uint32_t size);
/* The same, but ENABLE is not set. */
void tx_open_off(struct ring *ring, struct model *m, uint32_t queue, uint32_t size);
/* Puts data into the ring's buffers; its IOVA. */
uint64_t tx_data(struct ring *ring, const void *data, size_t len);
/* Fills the next descriptor; its index. */
uint32_t tx_desc(struct ring *ring, uint64_t address, uint64_t qword1);
void tx_kick(struct ring *ring);
bool tx_done(const struct ring *ring, uint32_t index);
void tx_wait(struct ring *ring, uint32_t index);
/* The second half of descriptors. `cmd`: TXD bits of dword 2, `options`: of dword 3. */
uint64_t tx_data_half(uint32_t len, uint32_t cmd, uint32_t paylen, uint32_t options);
/* A whole context descriptor. `flags`: TXC bits of dword 2. */
uint32_t tx_context(struct ring *ring, uint32_t index, uint32_t maclen, uint32_t iplen,
		    uint32_t l4len, uint32_t mss, uint16_t vlan, uint32_t flags);
/* A frame in one descriptor; its index. Not kicked. */
uint32_t tx_frame(struct ring *ring, const void *data, uint32_t len, uint32_t cmd,
		  uint32_t options);

#define TX_LAST (IXGBE_TXD_DEXT | IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_RS)

long long counter(struct model *m, const char *name);
