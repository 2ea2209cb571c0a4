/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects, if somebody listens. */
static int connected(const struct sockaddr_un *address, int *peer)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		*peer = fd;
		return 0;
	}
	err = -errno;
	close(fd);
	return err;
}

int wire_meet(const char *path, bool without_lock, int *peer, struct listen_socket *listener,
	      struct ixgbe_why *why)
{
	struct sockaddr_un address;
	int lock, err = listen_address("wire", path, &address, why);

	if (err)
		return err;
	lock = listen_lock(path, 0);
	if (lock == -EWOULDBLOCK && !without_lock)
		return ixgbe_why_fill(
			why, lock,
			"wire %s: another program has locked its directory; stop that "
			"program or choose another path",
			path);
	if (lock < 0 && lock != -EWOULDBLOCK)
		return ixgbe_why_fill(why, lock, "wire %s: cannot use its directory: %s", path,
				      strerror(-lock));
	err = connected(&address, peer);
	if (err)
		err = listen_locked("wire", path, SOCK_SEQPACKET, listener, why);
	if (lock >= 0)
		close(lock);
	/* Without a lock, the other end may have come meanwhile. */
	else if (err == -EADDRINUSE && !connected(&address, peer))
		err = 0;
	return err;
}
