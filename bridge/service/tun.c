/* SPDX-License-Identifier: MIT */
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "printable.h"

#define TUN_PATH    "/dev/net/tun"
#define FLAGS       (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define FLAGS_STATE IFF_PERSIST /* TUNGETIFF reports this too, which is no setting of ours */

static int flags_of(const struct tun_request *request)
{
	return FLAGS | (request->multi_queue ? IFF_MULTI_QUEUE : 0);
}

bool tun_altname_refuse(const char *name, const char *other, struct ixgbe_why *why)
{
	char own[IFNAMSIZ];

	if (!if_indextoname(if_nametoindex(name), own) || !strcmp(own, name))
		return false;
	ixgbe_why_fill(why, -EINVAL,
		       "%s is an altname of %s: take that name from it (ip link property del dev "
		       "%s altname %s) or %s",
		       name, own, own, name, other);
	return true;
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
		if (tun_altname_refuse(request->name, other, why))
			return err;
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

/* Reads a number, and sets it if it is another one. Returns whether it was, or -errno. */
static int number_keep(int fd, unsigned long get, unsigned long set, int wanted, int *was)
{
	if (ioctl(fd, get, was) < 0)
		return -errno;
	if (*was == wanted)
		return 0;
	return ioctl(fd, set, &wanted) < 0 ? -errno : 1;
}

static int numbers_keep(int fd, int header_bytes, char changes[TUN_CHANGES_TEXT])
{
	const struct {
		unsigned long get, set;
		int wanted;
		const char *name, *unit; /* without a unit the number says nothing */
	} numbers[] = {
		{TUNGETVNETHDRSZ, TUNSETVNETHDRSZ, header_bytes, "headers of", "bytes"},
		{TUNGETVNETLE, TUNSETVNETLE, 1, "headers in the machine's byte order", NULL},
		{TUNGETSNDBUF, TUNSETSNDBUF, INT_MAX, "a send buffer of", "bytes"},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char item[64];
		int was, other = number_keep(fd, numbers[i].get, numbers[i].set, numbers[i].wanted,
					     &was);

		if (other < 0)
			return other;
		if (numbers[i].unit)
			snprintf(item, sizeof(item), "%s %d %s", numbers[i].name, was,
				 numbers[i].unit);
		else
			snprintf(item, sizeof(item), "%s", numbers[i].name);
		if (other)
			printable_list(changes, TUN_CHANGES_TEXT, item);
	}
	return 0;
}

/* The kernel tells which classic filter it had last, and not whether that is there still. Of the
 * two other kinds it tells nothing. */
static void filters_remove(int fd, struct tun_kept *kept, char changes[TUN_CHANGES_TEXT])
{
	struct sock_fprog last = {0};
	struct tun_filter none = {0};
	int no_program = -1;

	if (!ioctl(fd, TUNGETFILTER, &last) &&
	    (last.len != kept->filter_len || last.filter != kept->filter)) {
		kept->filter_len = last.len;
		kept->filter = last.filter;
		printable_list(changes, TUN_CHANGES_TEXT, "a filter");
	}
	ioctl(fd, TUNDETACHFILTER, &last);
	ioctl(fd, TUNSETTXFILTER, &none);
	ioctl(fd, TUNSETFILTEREBPF, &no_program);
}

void tun_kept_begin(int fd, int header_bytes, struct tun_kept *out)
{
	struct sock_fprog last = {0};

	ioctl(fd, TUNGETFILTER, &last);
	*out = (struct tun_kept){
		.header_bytes = header_bytes, .filter = last.filter, .filter_len = last.len};
}

int tun_keep(int fd, struct tun_kept *kept, char changes[TUN_CHANGES_TEXT])
{
	int err;

	*changes = '\0';
	err = numbers_keep(fd, kept->header_bytes, changes);
	if (!err)
		filters_remove(fd, kept, changes);
	return err;
}

static int settings_set(int fd, const struct tun_request *request, struct ixgbe_why *why)
{
	struct tun_kept kept;
	char ignored[TUN_CHANGES_TEXT], differs[TUN_CHANGES_TEXT] = "";
	struct ifreq ifr = {0};
	int err;

	tun_kept_begin(fd, request->header_bytes, &kept);
	err = tun_keep(fd, &kept, ignored);
	if (err)
		return ixgbe_why_fill(why, err, "cannot set the header of %s: %s", request->who,
				      strerror(-err));
	err = ioctl(fd, TUNGETIFF, &ifr) < 0 ? -errno : tun_keep(fd, &kept, differs);
	if (err)
		return ixgbe_why_fill(why, err, "cannot read the settings of %s: %s", request->who,
				      strerror(-err));
	if ((ifr.ifr_flags & ~FLAGS_STATE) != flags_of(request) || *differs)
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
