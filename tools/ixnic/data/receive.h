/* SPDX-License-Identifier: MIT */
#pragma once

#include "frame.h"
#include "ring_rules.h"
#include "tools/ixnic/chip/chip.h"

/* The packet buffer in front of the rings. RXPBSIZE and the flow director's filters may leave
 * frames less of it. */
#define RX_BUFFER_BYTES (512u * 1024u)

/* What a queue's first frame shows, and the first one after a change: all, or what is about
 * coalescing. */
enum { JUDGE_SETTINGS = 1, JUDGE_COALESCING = 2, JUDGE_ALL = 3 };

struct receive_queue {
	struct ring_rules rules;
	uint8_t unjudged; /* JUDGE_*: of what the next frame shows */
	bool interrupt;   /* something was written back in this turn */
};

extern const struct reg_hook receive_hooks[];

void receive_frame(struct nic *nic, const struct frame *frame);
/* Whether a frame would find room: a wire that can wait, waits. */
bool receive_ready(const struct nic *nic);
/* Moves what waits in the packet buffer to the rings, as far as it goes. */
void receive_drain(struct nic *nic);
void receive_reset(struct nic *nic);
