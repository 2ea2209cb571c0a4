/* SPDX-License-Identifier: MIT */
/* What engine.c does for engine_pass.c and engine_anew.c, too. */
#pragma once

#include "engine.h"

int engine_spawner_open(struct engine *engine, uint16_t mtu, const int tap_fd[],
			struct ixgbe_why *why);
/* No driver lives: takes back what the last one has reported. Counts go on. */
void engine_report_clear(struct engine *engine);
/* Room for names and counts of the NIC: -ENOMEM. */
int engine_stats_room(struct engine *engine, size_t count);
/* Until the driver has come so far. */
int engine_driver_wait_phase(struct engine *engine, enum board_phase phase, struct ixgbe_why *why);
/* Takes the report into `seen`. What a dying driver was writing is not read: the copy before
 * holds. */
int engine_report_look(struct engine *engine);
