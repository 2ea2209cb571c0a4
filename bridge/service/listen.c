/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int listen_address(const char *what, const char *path, struct sockaddr_un *out,
		   struct ixgbe_why *why)
{
	if (strlen(path) >= sizeof(out->sun_path))
		return ixgbe_why_fill(why, -ENAMETOOLONG,
				      "%s %s: longer than %zu bytes; choose a shorter path", what,
				      path, sizeof(out->sun_path) - 1);
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(out->sun_path, path);
	return 0;
}

/*
 * Whether somebody listens there. ECONNREFUSED alone says that nobody does: a listener may have a
 * full backlog (EAGAIN), another type (EPROTOTYPE), or be one whom we may not ask (EACCES).
 */
static bool is_live(const struct sockaddr_un *address, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool live = true;

	if (fd < 0)
		return true;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		live = errno != ECONNREFUSED && errno != ENOENT;
	close(fd);
	return live;
}

/* Removes a socket file that nobody listens on. */
static int make_way(const char *what, const struct sockaddr_un *address, int type,
		    struct ixgbe_why *why)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return ixgbe_why_fill(
			why, -EEXIST,
			"%s %s: a file that is no socket is there; remove it or choose "
			"another path",
			what, path);
	if (is_live(address, type))
		return ixgbe_why_fill(why, -EADDRINUSE,
				      "%s %s is in use: another program listens there; stop that "
				      "program or choose another path",
				      what, path);
	if (unlink(path) < 0 && errno != ENOENT)
		return ixgbe_why_fill(
			why, -errno,
			"%s %s: cannot remove the socket of a program that has ended: %s", what,
			path, strerror(errno));
	return 0;
}

/* bind(2) makes the file with the mode that umask leaves: nobody else may open it, at any time. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(mask);
	return err;
}

int listen_at(const char *what, const char *path, int type, int wait_ms, struct ixgbe_why *why)
{
	struct sockaddr_un address;
	int fd, err = listen_address(what, path, &address, why);

	if (err)
		return err;
	while ((err = make_way(what, &address, type, why)) == -EADDRINUSE && wait_ms > 0) {
		usleep(LISTEN_NEXT_MS * 1000);
		wait_ms -= LISTEN_NEXT_MS;
	}
	if (err)
		return err;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ixgbe_why_fill(why, -errno, "%s %s: %s", what, path, strerror(errno));
	err = bind_private(fd, &address);
	if (!err && listen(fd, LISTEN_BACKLOG) < 0) {
		err = -errno;
		unlink(path);
	}
	if (!err)
		return fd;
	close(fd);
	return ixgbe_why_fill(why, err,
			      "%s %s: %s; its directory must exist and be ours to write to", what,
			      path, strerror(-err));
}
