/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "ixgbe/ixgbe.h"

/* Whether the service manager has a store for this process. Before any other function here. */
bool store_open(void);

/*
 * Stores what a handover names, and the handover, which is changed; removes what is stored and not
 * named any more. -ENOSPC: the manager has no room for so much, and nothing is stored; other
 * -errno: the manager does not listen, and some of it is stored.
 */
int store_put(json_t *handover);
/* Whether nothing was removed by store_empty since store_put. */
bool store_has(void);
/* Nothing is stored any more, as far as the manager listens. */
void store_empty(void);
/* Of the keeper's device, for ixgbe_device_journal. NULL: no memory. */
struct ixgbe_journal *store_journal(void);

/*
 * What the keeper before this one had stored: the handover, whose descriptors are this process's. A
 * new reference. NULL: nothing is there, and `why` is empty, or something that does not fit, and is
 * removed.
 */
json_t *store_take(struct ixgbe_why *why);
/* Ends the processes that a part of a handover names, closes its descriptors, and removes them. */
void store_drop(json_t *part);
/* The same with all that is stored. */
void store_drop_all(void);

/* For the program that this process executes, and in it: what is stored stays. */
json_t *store_hand_over(void);
void store_take_over(const json_t *from);
