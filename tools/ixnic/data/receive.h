/* SPDX-License-Identifier: MIT */
/* The receive side: from a frame on the wire to a descriptor written back. */
#pragma once

#include "frame.h"
#include "tools/ixnic/chip/chip.h"

/* The packet buffer in front of the rings is this large, whatever RXPBSIZE says. */
#define RX_BUFFER_BYTES (512u * 1024u)

struct rx_queue {
	bool enable_seen; /* RXDCTL.ENABLE was read back set */
	bool interrupt;   /* something was written back in this turn */
};

extern const struct reg_hook rx_hooks[];

void rx_frame(struct nic *nic, const struct frame *frame);
/* Whether a frame would find room: a wire that can wait, waits. */
bool rx_ready(const struct nic *nic);
/* Moves what waits in the packet buffer to the rings, as far as it goes. */
void rx_drain(struct nic *nic);
void rx_reset(struct nic *nic);
