/* SPDX-License-Identifier: MIT */
#include "isolation_root.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLAGS   (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define OPTIONS "mode=0555,size=4096,nr_inodes=2"

/* A tmpfs on a directory that every system has. */
static int mount_empty(const char **place)
{
	static const char *const places[] = {"/tmp", "/run", "/proc", "/dev"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		*place = places[i];
		if (mount("tmpfs", places[i], "tmpfs", FLAGS, OPTIONS) == 0)
			return 0;
		if (errno != ENOENT)
			break;
	}
	return -errno;
}

int isolation_root(void)
{
	const char *place;
	int err;

	/* Nothing of this reaches other mount namespaces. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	err = mount_empty(&place);
	if (err)
		return err;
	if (chdir(place))
		return -errno;
	/* The former root lies upon the new one, in the same place, until it is taken off. */
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) || chdir("/") ? -errno : 0;
	/* The kernel's first file system, of a system that runs from its initramfs, is no place to
	 * pivot from. */
	if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return -errno;
	return 0;
}
