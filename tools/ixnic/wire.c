/* SPDX-License-Identifier: MIT */
/* From a wire's name to its kind, and what the kinds share. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "datapath.h"

static const struct kind {
	const char *prefix;
	int (*new)(struct nic *nic, const char *name, const char *netns, struct wire **out,
		   struct nic_why *why);
} kinds[] = {
	{"tap:", wire_tap_new},
	{"cable:", wire_cable_new},
	{"seqpacket:", wire_seqpacket_new},
};

int wire_new(struct nic *nic, const char *spec, const char *netns, struct nic_why *why)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t prefix = strlen(kinds[i].prefix);

		if (strncmp(spec, kinds[i].prefix, prefix) != 0)
			continue;
		if (!spec[prefix])
			break;
		return kinds[i].new(nic, spec + prefix, netns, &nic->wire, why);
	}
	return nic_why(why, -EINVAL,
		       "wire %s: no such kind; use tap:NAME, cable:PATH or seqpacket:PATH", spec);
}

void wire_free(struct nic *nic)
{
	if (nic->wire)
		nic->wire->ops->free(nic->wire);
	nic->wire = NULL;
}

void wire_carrier_set(struct nic *nic, bool up)
{
	if (nic->wire)
		nic->wire->ops->carrier(nic->wire, up);
}

bool wire_poll(struct nic *nic, uint32_t budget)
{
	return nic->wire && nic->wire->ops->poll(nic->wire, budget);
}

int wire_send(struct nic *nic, const struct frame *frame)
{
	int taken;

	if (!nic->wire) {
		count(nic, COUNTER_wire_drop_no_peer);
		return 1;
	}
	taken = nic->wire->ops->send(nic->wire, frame);
	if (taken != -EAGAIN)
		capture_frame(nic, frame);
	return taken;
}

void wire_flush(struct nic *nic)
{
	if (nic->wire && nic->wire->ops->flush)
		nic->wire->ops->flush(nic->wire);
}

/* ---- Sockets ---- */

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

/* Connects to whoever listens; else removes what is left of a listener. 1: connected. */
static int meet(int fd, const struct sockaddr_un *address, bool peer)
{
	struct stat st;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return peer ? 1 : -EADDRINUSE;
	if (errno == ENOENT)
		return 0;
	if (errno != ECONNREFUSED)
		return errno == EPROTOTYPE || errno == EAGAIN ? -EADDRINUSE : -errno;
	if (lstat(address->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int listen_at(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(mask);
	if (!err && listen(fd, 4) < 0)
		err = -errno;
	return err;
}

int wire_socket(const char *path, bool peer, bool *connected, struct nic_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int lock, fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return nic_why(why, -ENAMETOOLONG, "wire %s: the path is longer than %zu bytes",
			       path, sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	lock = lock_directory(path);
	if (lock == -EWOULDBLOCK)
		return nic_why(why, lock,
			       "wire %s: another program has locked its directory; stop that "
			       "program or choose another path",
			       path);
	if (lock < 0)
		return nic_why(why, lock, "wire %s: cannot use its directory: %s", path,
			       strerror(-lock));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	err = meet(fd, &address, peer);
	if (err == 0)
		err = listen_at(fd, &address);
	else if (err == 1)
		*connected = true;
	if (err < 0)
		close(fd);
out:
	close(lock);
	if (err == -EADDRINUSE)
		return nic_why(why, err, "wire %s: already in use; choose another path", path);
	if (err < 0)
		return nic_why(why, err, "wire %s: %s", path, strerror(-err));
	return fd;
}
