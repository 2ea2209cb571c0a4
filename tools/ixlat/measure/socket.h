/* SPDX-License-Identifier: MIT */
/* The receive queue of a socket, for both ends. */
#pragma once

/*
 * Asks for a receive queue of SOCKET_QUEUE_BYTES, or as much as is allowed. A packet that comes
 * while this process cannot run should be late, not lost.
 */
enum { SOCKET_QUEUE_BYTES = 4 << 20 };
void socket_widen(int fd);
