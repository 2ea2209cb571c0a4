/* SPDX-License-Identifier: MIT */
/* From a wire's name to its kind, and what the kinds share. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/ixnic/data/data.h"
#include "tools/ixnic/serve/listen.h"

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

int wire_meet(const char *path, bool *connected, struct nic_why *why)
{
	struct sockaddr_un address;
	int lock, fd, err = listen_address("wire", path, &address, why);

	if (err)
		return err;
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
		fd = nic_why(why, -errno, "wire %s: %s", path, strerror(errno));
	} else if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		*connected = true;
	} else {
		close(fd);
		fd = listen_at("wire", path, SOCK_SEQPACKET, why);
	}
	close(lock);
	return fd;
}
