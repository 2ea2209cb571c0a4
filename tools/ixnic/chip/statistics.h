/* SPDX-License-Identifier: MIT */
/*
 * The statistics registers (section 8.2.3.23). They have no state beside the registers. Bytes are
 * counted from the destination address through the CRC.
 */
#pragma once

#include "tools/ixnic/nic.h"

/* Adds to a statistics register; it sticks at its maximum. */
void statistics_add(struct nic *nic, uint32_t offset, uint32_t amount);

/* All of them have counted as far as they can. */
void statistics_max(struct nic *nic);

enum statistics_cast { CAST_UNI, CAST_MULTI, CAST_BROAD };
enum statistics_cast statistics_cast(const uint8_t *destination);
void statistics_rx_wire(struct nic *nic, uint32_t bytes); /* anything that came, good or bad */
void statistics_rx_good(struct nic *nic, const uint8_t *destination, uint32_t bytes);
void statistics_rx_queue(struct nic *nic, uint32_t queue, uint32_t frames, uint32_t bytes);
void statistics_rx_queue_drop(struct nic *nic, uint32_t queue, uint32_t frames, uint32_t bytes);
void statistics_tx(struct nic *nic, const uint8_t *destination, uint32_t bytes);
void statistics_tx_queue(struct nic *nic, uint32_t queue, uint32_t bytes);
