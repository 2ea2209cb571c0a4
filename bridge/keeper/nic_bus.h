/* SPDX-License-Identifier: MIT */
/* What the bus says of the NIC. */
#pragma once

#include "daemon.h"

/* The NIC was refused memory that is not its own; or its read of memory had no answer. */
void nic_bus_refused(struct daemon *daemon);
void nic_bus_timeout(struct daemon *daemon);
