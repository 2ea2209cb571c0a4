/* SPDX-License-Identifier: MIT */
#pragma once

#include "ixgbe/ixgbe.h"
#include "tools/ixnic/nic.h"
#include "server.h"

struct control;

/* Answers requests on a socket at `path` (mode 0600; a stale one is replaced). `server` may
 * be NULL. nic->loop runs it. Errors, explained in `why`: -EADDRINUSE and what socket calls give.
 */
int control_new(struct nic *nic, struct server *server, const char *path, struct control **out,
		struct ixgbe_why *why);
void control_free(struct control *control); /* removes the socket file; takes NULL */
