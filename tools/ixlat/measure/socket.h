/* SPDX-License-Identifier: MIT */
/* What both ends do with their sockets. */
#pragma once

/*
 * Asks for a receive queue of SOCKET_QUEUE_BYTES, as far as the system lets us: what comes while
 * this process is kept from running should be late, not lost.
 */
enum { SOCKET_QUEUE_BYTES = 4 << 20 };
void socket_widen(int fd);
