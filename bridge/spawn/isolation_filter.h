/* SPDX-License-Identifier: MIT */
/* Which system calls are left. */
#pragma once

/* For the spawner, and drivers that begin: 0, or -errno. Needs no_new_privs. */
int isolation_filter_first(void);
/* For all threads of a driver that runs. */
int isolation_filter_last(void);
