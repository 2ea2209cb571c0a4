/* SPDX-License-Identifier: MIT */
/* Whether the NIC ends its DMA when it is told to (sections 5.2.5.3.1 and 5.2.5.3.2). */
#pragma once

#include "tools/ixnic/chip/chip.h"

enum master {
	MASTER_FREE,
	MASTER_HELD,   /* the driver waited in vain: two resets are due */
	MASTER_TRACES, /* one of them was done */
};

struct master_state {
	enum master master;
	bool left;            /* frames in the transmitter that cannot go out */
	uint64_t flush_at_ns; /* the flush began; 0: none */
};

extern const struct reg_hook master_hooks[];

/* CTRL was written: STATUS says whether there may be DMA. */
void master_show(struct nic *nic);
/* The queue goes off; what it had under way is left. */
void master_queue_off(struct nic *nic, uint32_t queue);
/* A turn: with a link the frames that were left go out. */
void master_turn(struct nic *nic);
/* Whether traces of a reset that was done once keep the transmitter from running. */
bool master_traces(const struct nic *nic);
void master_reset(struct nic *nic, enum nic_reset kind);
