/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <sys/socket.h>

void socket_widen(int fd)
{
	int bytes = SOCKET_QUEUE_BYTES;

	/* CAP_NET_ADMIN lifts the system's limit. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}
