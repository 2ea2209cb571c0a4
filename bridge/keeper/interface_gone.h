/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* Finds the interface, which left its namespace or is out of reach: follows it, or stops. */
void interface_gone_find(struct daemon *daemon);
