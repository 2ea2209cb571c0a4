/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* With the NIC open and the interface configured: sets the NIC up, then frames flow. */
int nic_life_start(struct daemon *daemon, struct ixgbe_why *why);
/* Closes the NIC, which works, until nic_life_retry. */
void nic_life_close(struct daemon *daemon);
/* The NIC does not work any more: closes it and plans the next attempt to bring it back. */
void nic_life_failed(struct daemon *daemon, const char *what);
void nic_life_failed_errno(struct daemon *daemon, const char *what, int err);
/* An attempt to bring the NIC back. */
void nic_life_retry(struct daemon *daemon);
/* Reads the link. False: the NIC failed. */
bool nic_life_link_read(struct daemon *daemon);
/* Reads the kind of the NIC's module, and has the interface show it. */
void nic_life_module_read(struct daemon *daemon);
/* Whether frames that were handed to the NIC come back sent. False: the NIC failed. */
bool nic_life_transmit_check(struct daemon *daemon);
/* Looks for accesses to memory that the bus refused or did not answer. False: the NIC failed. */
bool nic_life_bus_check(struct daemon *daemon);
