/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bridge/service/listen.h"

/* One process at a time decides who listens: a lock on the socket's directory, which goes with the
 * descriptor. It is not waited for: whoever may read the directory can hold it. */
static int lock_directory(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd, err;

	strcpy(copy, path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int wire_meet(const char *path, bool *connected, struct ixgbe_why *why)
{
	struct sockaddr_un address;
	int lock, fd, err = listen_address("wire", path, &address, why);

	if (err)
		return err;
	lock = lock_directory(path);
	if (lock == -EWOULDBLOCK)
		return ixgbe_why_fill(
			why, lock,
			"wire %s: another program has locked its directory; stop that "
			"program or choose another path",
			path);
	if (lock < 0)
		return ixgbe_why_fill(why, lock, "wire %s: cannot use its directory: %s", path,
				      strerror(-lock));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		fd = ixgbe_why_fill(why, -errno, "wire %s: %s", path, strerror(errno));
	} else if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		*connected = true;
	} else {
		close(fd);
		fd = listen_at("wire", path, SOCK_SEQPACKET, 0, why);
	}
	close(lock);
	return fd;
}
