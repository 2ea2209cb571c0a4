/* SPDX-License-Identifier: MIT */
/* What the spawner gives up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "spawn.h"

struct isolation_want {
	enum isolation mode;
	uid_t user; /* ISOLATION_USER_FREE: this process's may not change */
	int pid_error;
	bool user_namespace;
	uint32_t files; /* descriptors, at most */
	uint32_t tasks; /* processes and threads, at most */
};

/* Gives up all rights that can be; `files` and `tasks` need not be known yet. */
void isolation_start(const struct isolation_want *want);
/* Then limits and system calls, too, and says in the report what was had. -EPERM with `why` filled:
 * something is missing, and all is required. */
int isolation_first(const struct isolation_want *want, struct isolation_report *report,
		    struct ixgbe_why *why);
