/* SPDX-License-Identifier: MIT */
#pragma once

#include "chip.h"
#include "faults.h"

/* A fault that lasts begins. Each takes what it needs of nic->faults, where the caller has put it.
 */
void fault_play_begin(struct nic *nic, uint32_t which);
/* These end, as far as they are on. */
void fault_play_end(struct nic *nic, uint32_t which);
