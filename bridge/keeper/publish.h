/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* Sends `event` (a reference that is taken; may be NULL) to the monitors. */
void publish_event(struct daemon *daemon, json_t *event);
/* Computes the state from the facts; a new one is told. */
void publish_state(struct daemon *daemon);
/* The loop ends after the present event. */
void publish_stop(struct daemon *daemon, int exit_status);
/* The same, with DAEMON_EXIT_ANEW, and says why. */
void publish_stop_anew(struct daemon *daemon, const char *why);
/* The module in the NIC's cage was changed. */
void publish_module(struct daemon *daemon, enum ixgbe_sfp sfp);
void publish_sfp_sum_wrong(struct daemon *daemon);
const char *publish_sfp_sum_name(enum ixgbe_sfp_sum sum);
/* "none", "sr", ...: see answers.h. */
const char *publish_sfp_name(enum ixgbe_sfp sfp);
/* Takes note of the NIC's own MAC address, and says if it was another one before. */
void publish_mac_permanent(struct daemon *daemon);
/* `parts` (enum mirror_part) of what the NIC has have changed. */
void publish_parts(struct daemon *daemon, uint32_t parts);
