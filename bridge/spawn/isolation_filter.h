/* SPDX-License-Identifier: MIT */
/* Which system calls are left. */
#pragma once

#include <stdint.h>

/* The flags of clone(2) and unshare(2) that make namespaces: all CLONE_NEW*. */
#define ISOLATION_NAMESPACES UINT64_C(0x7e020000)

/* For the spawner, and drivers that begin: 0, or -errno. Needs no_new_privs. */
int isolation_filter_first(void);
/* For all threads of a driver that runs. */
int isolation_filter_last(void);
