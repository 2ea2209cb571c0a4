/* SPDX-License-Identifier: MIT */
/*
 * UNIX sockets with a name in the file system: where they are, and who listens there. `what` is how
 * messages call the socket, e.g. "--socket".
 */
#pragma once

#include <sys/un.h>

#include "ixgbe/ixgbe.h"

/* -ENAMETOOLONG, explained in `why`. */
int listen_address(const char *what, const char *path, struct sockaddr_un *out,
		   struct ixgbe_why *why);

/*
 * Listens at `path` with a non-blocking socket of `type`, whose file is private to the user (0600).
 * A socket file that nobody listens on is replaced.
 * Returns the descriptor, or, explained in `why`: -ENAMETOOLONG, -EADDRINUSE (somebody listens
 * there, or it is no socket), and the errors of socket(2), bind(2) and listen(2).
 */
int listen_at(const char *what, const char *path, int type, struct ixgbe_why *why);
