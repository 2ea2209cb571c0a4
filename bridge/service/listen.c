/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int listen_address(const char *what, const char *path, struct sockaddr_un *out,
		   struct ixgbe_why *why)
{
	if (!*path)
		return ixgbe_why_fill(why, -EINVAL, "%s: its path is empty; name a file", what);
	if (strlen(path) >= sizeof(out->sun_path))
		return ixgbe_why_fill(why, -ENAMETOOLONG,
				      "%s %s: longer than %zu bytes; choose a shorter path", what,
				      path, sizeof(out->sun_path) - 1);
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(out->sun_path, path);
	return 0;
}

/*
 * A datagram socket cannot be connected to the others that are used here. The kernel looks first
 * whether a program has the socket (ECONNREFUSED), and then at its type (EPROTOTYPE): unix(7). So
 * no connection comes about, which would cost a server a client's place.
 */
int listen_probe(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		err = errno == EPROTOTYPE || errno == EPERM ? 0 : -errno;
	close(fd);
	return err;
}

static int lock_open(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)] = "";

	strncpy(copy, path, sizeof(copy) - 1);
	return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int listen_lock(const char *path, int wait_ms)
{
	int err, fd = lock_open(path);

	if (fd < 0)
		return -errno;
	for (; flock(fd, LOCK_EX | LOCK_NB); wait_ms -= LISTEN_NEXT_MS) {
		err = -errno;
		if (err != -EWOULDBLOCK || wait_ms <= 0) {
			close(fd);
			return err;
		}
		usleep(LISTEN_NEXT_MS * 1000);
	}
	return fd;
}

static int in_use(const char *what, const char *path, struct ixgbe_why *why)
{
	return ixgbe_why_fill(why, -EADDRINUSE,
			      "%s %s is in use: another program listens there; stop that program "
			      "or choose another path",
			      what, path);
}

/* Removes a socket file that no program has. */
static int make_way(const char *what, const struct sockaddr_un *address, struct ixgbe_why *why)
{
	const char *path = address->sun_path;
	struct stat st;
	int err;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return ixgbe_why_fill(
			why, -EEXIST,
			"%s %s: a file that is no socket is there; remove it or choose "
			"another path",
			what, path);
	err = listen_probe(address);
	if (!err)
		return in_use(what, path, why);
	if (err == -EACCES)
		return ixgbe_why_fill(
			why, err,
			"%s %s: a socket of user %u is there, and we may not ask whether a program "
			"listens; remove it if none does, or choose another path",
			what, path, st.st_uid);
	if (err != -ECONNREFUSED && err != -ENOENT)
		return ixgbe_why_fill(why, err,
				      "%s %s: cannot tell whether a program listens there: %s",
				      what, path, strerror(-err));
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

static int refused(const char *what, const char *path, int err, struct ixgbe_why *why)
{
	const char *remedy = "";

	if (err == -EADDRINUSE) /* of a program that goes without the lock */
		return in_use(what, path, why);
	if (err == -ENOENT || err == -ENOTDIR)
		remedy = "; its directory must exist: make it, or choose another path";
	else if (err == -EACCES || err == -EPERM)
		remedy = "; its directory must be ours to write to";
	return ixgbe_why_fill(why, err, "%s %s: %s%s", what, path, strerror(-err), remedy);
}

/* Takes note of the file that bind(2) has made. */
static void own(struct listen_socket *listener)
{
	struct stat st;

	if (lstat(listener->path, &st) < 0)
		return;
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
}

int listen_locked(const char *what, const char *path, int type, struct listen_socket *out,
		  struct ixgbe_why *why)
{
	struct sockaddr_un address;
	int err;

	*out = (struct listen_socket){.fd = -1, .spare = -1};
	err = listen_address(what, path, &address, why);
	if (!err)
		err = make_way(what, &address, why);
	if (err)
		return err;
	strcpy(out->path, path);
	out->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return refused(what, path, -errno, why);
	err = bind_private(out->fd, &address);
	if (!err) {
		own(out);
		err = listen(out->fd, LISTEN_BACKLOG) < 0 ? -errno : 0;
	}
	if (err) {
		listen_close(out);
		return refused(what, path, err, why);
	}
	out->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

int listen_at(const char *what, const char *path, int type, int wait_ms, struct listen_socket *out,
	      struct ixgbe_why *why)
{
	static int lock_ms = LISTEN_LOCK_MS;
	int lock, err;

	for (;; wait_ms -= LISTEN_NEXT_MS) {
		lock = listen_lock(path, lock_ms);
		err = listen_locked(what, path, type, out, why);
		if (lock >= 0)
			close(lock);
		else
			lock_ms = 0; /* it was waited for: so is that of the next socket */
		if (err != -EADDRINUSE || wait_ms <= 0)
			return err;
		usleep(LISTEN_NEXT_MS * 1000);
	}
}

int listen_accept(struct listen_socket *listener, const char *refusal)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != EMFILE && errno != ENFILE)
		return -errno;
	if (listener->spare >= 0)
		close(listener->spare);
	fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0 && refusal)
		(void)!send(fd, refusal, strlen(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
	listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return -EMFILE;
}

bool listen_is_there(const struct listen_socket *listener)
{
	struct stat st;

	return listener->ino && !lstat(listener->path, &st) && st.st_dev == listener->dev &&
	       st.st_ino == listener->ino;
}

void listen_close(struct listen_socket *listener)
{
	if (listener->fd < 0)
		return;
	if (listen_is_there(listener))
		unlink(listener->path);
	close(listener->fd);
	if (listener->spare >= 0)
		close(listener->spare);
	listener->fd = listener->spare = -1;
}
