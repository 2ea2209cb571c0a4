/* SPDX-License-Identifier: MIT */
/* Which frames are for us, and to which queue they go (sections 7.1.1 and 7.1.2). */
#pragma once

#include "packet_parse.h"
#include "receive_ring.h"
#include "tools/ixnic/chip/chip.h"

extern const struct reg_hook filter_hooks[];

/* Whether the frame is for us. *inexact: only a hash or promiscuity says so (PIF). Counts the drop.
 */
bool filter_accept(struct nic *nic, const uint8_t *destination, const struct parsed *packet,
		   bool *inexact);
/* Chooses the queue (7.1.2), and fills in the descriptor's packet type, RSS type and flow director
 * status. *hash is for the descriptor's RSS hash field. */
void filter_queue(struct nic *nic, const struct parsed *packet, const struct frame *frame,
		  struct receive_packet *out, uint32_t *hash);
