/* SPDX-License-Identifier: MIT */
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_PATH    "/dev/net/tun"
#define FLAGS       (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define FLAGS_STATE IFF_PERSIST /* TUNGETIFF reports this too, which is no setting of ours */

static int flags_of(const struct tun_request *request)
{
	return FLAGS | (request->multi_queue ? IFF_MULTI_QUEUE : 0);
}

static int attach(int fd, const struct tun_request *request, struct ixgbe_why *why)
{
	struct ifreq ifr = {.ifr_flags = (short)flags_of(request)};
	const char *who = request->who, *other = request->other;
	int err;

	memcpy(ifr.ifr_name, request->name, strlen(request->name));
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return 0;
	err = -errno;
	switch (err) {
	case -EPERM:
		return ixgbe_why_fill(
			why, err, "no permission to create %s: run as root or with CAP_NET_ADMIN",
			who);
	case -EBUSY:
		return ixgbe_why_fill(
			why, err,
			"%s: a running program, perhaps an ixnic or ixtapd, has this TAP: stop it "
			"or %s",
			who, other);
	case -EINVAL:
		return ixgbe_why_fill(
			why, err,
			"%s: there is an interface of that name that is no %s-queue TAP: remove it "
			"(ip link del %s) or %s",
			who, request->multi_queue ? "multi" : "single", request->name, other);
	case -ENOTTY:
		return ixgbe_why_fill(why, err,
				      TUN_PATH " is no tun device: make it (mknod " TUN_PATH
					       " c 10 200)");
	default:
		return ixgbe_why_fill(why, err, "cannot create %s: %s", who, strerror(-err));
	}
}

static int settings_set(int fd, const struct tun_request *request, struct ixgbe_why *why)
{
	int size = request->header_bytes, le = 1;
	struct ifreq ifr = {0};

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 || ioctl(fd, TUNSETVNETLE, &le) < 0)
		return ixgbe_why_fill(why, -errno, "cannot set the header of %s: %s", request->who,
				      strerror(errno));
	size = le = 0;
	if (ioctl(fd, TUNGETIFF, &ifr) < 0 || ioctl(fd, TUNGETVNETHDRSZ, &size) < 0 ||
	    ioctl(fd, TUNGETVNETLE, &le) < 0)
		return ixgbe_why_fill(why, -errno, "cannot read the settings of %s: %s",
				      request->who, strerror(errno));
	if ((ifr.ifr_flags & ~FLAGS_STATE) != flags_of(request) || size != request->header_bytes ||
	    le != 1)
		return ixgbe_why_fill(
			why, -EINVAL,
			"%s has other settings than asked for (flags %#x): remove it (ip link del %s)",
			request->who, (unsigned int)(unsigned short)ifr.ifr_flags, request->name);
	return 0;
}

int tun_open(const struct tun_request *request, struct ixgbe_why *why)
{
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0) {
		err = -errno;
		return ixgbe_why_fill(why, err, "cannot open " TUN_PATH ": %s: %s", strerror(errno),
				      err == -EACCES || err == -EPERM ? "run as root"
				      : err == -EMFILE || err == -ENFILE
					      ? "raise the limit (ulimit -n)"
					      : "load the module (modprobe tun)");
	}
	err = attach(fd, request, why);
	if (!err)
		err = settings_set(fd, request, why);
	if (!err)
		return fd;
	close(fd);
	return err;
}

uint32_t tun_offloads_set(int fd)
{
	static const uint32_t sets[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		TUN_F_CSUM,
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)sets[i]) == 0)
			return sets[i];
	ioctl(fd, TUNSETOFFLOAD, 0ul);
	return 0;
}

bool tun_persists(int fd)
{
	struct ifreq ifr = {0};

	return ioctl(fd, TUNGETIFF, &ifr) == 0 && ifr.ifr_flags & IFF_PERSIST;
}
