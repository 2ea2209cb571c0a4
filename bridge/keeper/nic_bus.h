/* SPDX-License-Identifier: MIT */
/* What the bus says of the NIC. */
#pragma once

#include "daemon.h"

/* The NIC was refused memory that is not its own; or its read of memory had no answer. */
void nic_bus_refused(struct daemon *daemon);
void nic_bus_timeout(struct daemon *daemon);
/* Has the kernel tell when it wants the NIC back, and when the bus reports an error. */
void nic_bus_watch(struct daemon *daemon);
void nic_bus_unwatch(struct daemon *daemon);
