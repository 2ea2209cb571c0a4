/* SPDX-License-Identifier: MIT */
/* A process that executes the driver's program. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* All descriptors are above SPAWN_SOCKET. */
struct launch {
	int program;         /* the file */
	int sock;            /* becomes SPAWN_SOCKET */
	int null;            /* /dev/null: becomes standard input, output and error */
	const char *name;    /* for ps(1) */
	const char *version; /* of the keeper's program; NULL: this one's */
	bool keep_stderr;    /* standard error stays the keeper's */
};

/* The process, with a pidfd, or -errno. `namespaces`: flags of clone(2); with CLONE_NEWUSER the
 * process keeps its user, and has the capabilities that isolation needs. What fails in the process
 * comes as a word of SPAWN_NO_EXEC or SPAWN_NO_USERS. */
pid_t spawner_exec(const struct launch *launch, uint64_t namespaces, int *pidfd);
