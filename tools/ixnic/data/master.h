/* SPDX-License-Identifier: MIT */
/* Whether the NIC ends its DMA when it is told to (sections 5.2.5.3.1 and 5.2.5.3.2). */
#pragma once

#include "tools/ixnic/chip/chip.h"

enum master {
	MASTER_FREE,
	MASTER_HELD,   /* frames were left at a master disable: two resets are due */
	MASTER_TRACES, /* after the first of the two */
};

struct master_state {
	enum master master;
	bool left;            /* frames in the transmitter that cannot go out */
	uint64_t flush_at_ns; /* the flush began; 0: none */
};

extern const struct reg_hook master_hooks[];

/* After a write of CTRL: shows in STATUS whether there may be DMA. */
void master_show(struct nic *nic);
/* A queue goes off: frames that it has under way stay in the transmitter. */
void master_queue_off(struct nic *nic, uint32_t queue);
/* Call once a turn: with a link, the frames that were left go out. */
void master_turn(struct nic *nic);
/* Whether the transmitter stands still because only one of the two resets was done. */
bool master_traces(const struct nic *nic);
void master_reset(struct nic *nic, enum nic_reset kind);
