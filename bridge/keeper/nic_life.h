/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* With the NIC open and the interface configured: sets the NIC up, then frames flow. */
int nic_life_start(struct daemon *daemon, struct ixgbe_why *why);
/* The NIC was taken over from the program before: a driver of this one goes on. -EKEYREJECTED: what
 * the former driver left is not to be trusted, and the NIC has failed. */
int nic_life_succeed(struct daemon *daemon, struct ixgbe_why *why);
/* Nobody inherits the NIC: before it is closed, or begins anew. */
void nic_life_release(struct daemon *daemon);
/* Closes the NIC, which works, until nic_life_away. */
void nic_life_close(struct daemon *daemon);
/* The NIC does not work any more: closes it and plans the next attempt to bring it back. */
void nic_life_failed(struct daemon *daemon, const char *what);
/* It was opened anew: the log and monitors hear of it, and `how`. */
void nic_life_is_back(struct daemon *daemon, const char *how);
/* Each tick while the NIC is away: the next attempt to bring it back, when it is time. */
void nic_life_away(struct daemon *daemon);
/* The reset of the NIC's function is over. */
void nic_life_reset_over(struct daemon *daemon);
/* What the driver has said: the log, monitors and the interface hear of it. */
void nic_life_listen(struct daemon *daemon);
/* The driver process that was ordered has come, or cannot be made. */
void nic_life_driver_come(struct daemon *daemon);
/* The driver process is dead: the next one goes on where it was, or begins anew. */
void nic_life_driver_died(struct daemon *daemon);
/* Each tick: whether the driver does what it is told. */
void nic_life_supervise(struct daemon *daemon);
/* The server asks for memory, or a register is relayed. */
void nic_life_serve(struct daemon *daemon);
/* The kernel wants the NIC back. */
void nic_life_wanted_back(struct daemon *daemon);
/* The bus has reported an error of the NIC. */
void nic_life_bus_error(struct daemon *daemon);
/* Once a second: what the bus says of the NIC, and interrupts that were lost. */
void nic_life_bus_check(struct daemon *daemon);
