/* SPDX-License-Identifier: MIT */
/* A user that nobody else is. */
#pragma once

#include <sys/types.h>

#include "ixgbe/ixgbe.h"

/* Of ISOLATION_USER_FIRST to ISOLATION_USER_LAST, the same for the same `name` where it is free;
 * left at ISOLATION_USER_FREE where this process may not become another user. 0, or -EUSERS with
 * `why` filled: all are taken. */
int free_user(const char *name, uid_t *out, struct ixgbe_why *why);
