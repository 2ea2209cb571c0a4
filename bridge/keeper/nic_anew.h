/* SPDX-License-Identifier: MIT */
/*
 * The NIC begins anew and stays open (engine/engine_anew.c), step by step: a killed driver takes
 * its time to die, a function to reset, a driver to start. Nobody waits for any of these.
 *
 *     enum anew     what is awaited                 what follows
 *     -----------   -----------------------------   ------------------------------------------
 *     ANEW_DEATH    the driver's end                the spawner is ended, if it is distrusted;
 *                                                   a thread resets the NIC
 *     ANEW_RESET    the thread's end                interrupts, PCI command and memory are in
 *                                                   order again, and no driver lives
 *     ANEW_TIME     the time for another driver     bus master on, a driver is ordered
 *     ANEW_DRIVER   a driver that moves frames      nic_anew_over
 *
 * Each step has a limit. Functions that return -errno fill `why`: the NIC is to be closed then.
 */
#pragma once

#include "daemon.h"

/* Kills the driver, if there is one, whose end is watched. The next one comes after `delay_ms` at
 * the earliest. */
int nic_anew_begin(struct daemon *daemon, bool distrust, int delay_ms, struct ixgbe_why *why);
/* Whatever was awaited, it is so no longer. */
void nic_anew_over(struct daemon *daemon);
/* Ends the spawner, and the driver with it, whose end is heard of as that of any other. */
void nic_anew_spawner_end(struct daemon *daemon);
/* No driver lives any more, nor is one to come. */
int nic_anew_death(struct daemon *daemon, struct ixgbe_why *why);
int nic_anew_reset_over(struct daemon *daemon, struct ixgbe_why *why);
/* Each tick. */
int nic_anew_look(struct daemon *daemon, struct ixgbe_why *why);
/* Watches what a driver that was ordered will speak over. Its end is watched once it has come. */
int nic_anew_order_watch(const struct daemon *daemon);
