/* SPDX-License-Identifier: MIT */
/*
 * UNIX sockets with a name in the file system: where they are, and who listens there. `what` is the
 * socket's name in messages, e.g. "--socket".
 */
#pragma once

#include <sys/un.h>

#include "ixgbe/ixgbe.h"

#define LISTEN_BACKLOG 16 /* connections that wait to be accepted */
/* How long a program may wait for what a killed one still has: a process that was killed lets go of
 * its sockets, interfaces and devices a moment later. */
#define LISTEN_BUSY_MS 1000
#define LISTEN_NEXT_MS 20 /* between two attempts */

/* -ENAMETOOLONG, explained in `why`. */
int listen_address(const char *what, const char *path, struct sockaddr_un *out,
		   struct ixgbe_why *why);

/*
 * Listens at `path` with a non-blocking socket of `type`, whose file is private to the user (0600).
 * A socket that nobody listens on is what a killed program left: the new one replaces the old. One
 * that is in use may become free for `wait_ms`.
 * Returns the descriptor, or, explained in `why`: -ENAMETOOLONG, -EADDRINUSE (somebody listens),
 * -EEXIST (the file is no socket), and the errors of socket(2), bind(2) and listen(2).
 */
int listen_at(const char *what, const char *path, int type, int wait_ms, struct ixgbe_why *why);
