/* SPDX-License-Identifier: MIT */
#include "trusted_program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/path_walk.h"
#include "bridge/spawn/spawn.h"

/* What stands there is looked at before it is opened: opening a device may do something. */
static int program_look(const struct path_end *end)
{
	struct stat stat;

	if (end->opened)
		return -EPERM;
	if (fstatat(end->folder, end->name, &stat, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (path_loose(&stat))
		return -EPERM;
	return S_ISREG(stat.st_mode) ? 0 : S_ISDIR(stat.st_mode) ? -EISDIR : -ENOEXEC;
}

static int program_take(const struct path_end *end)
{
	int err = program_look(end), fd;

	if (err)
		return err;
	fd = path_open(end, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, NULL);
	err = fd < 0 ? fd : spawner_program_check(fd);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

int trusted_program_open(const char *path, const char *name, struct ixgbe_why *why)
{
	struct path_end end = {.folder = -1};
	int fd = *path == '/' ? path_walk(path, PATH_READ, &end, NULL) : -EINVAL;

	if (!fd && name && strcmp(end.name, name) != 0) {
		close(end.folder);
		return ixgbe_why_fill(why, -EPERM, "the program %s is no %s", path, name);
	}
	if (!fd) {
		fd = program_take(&end);
		close(end.folder);
	}
	if (fd == -EPERM)
		return ixgbe_why_fill(why, fd,
				      "the program %s, or a folder above it, belongs to somebody "
				      "else than root, or others may write there: install it anew",
				      path);
	return fd < 0 ? ixgbe_why_fill(why, fd, "cannot execute the program %s: %s", path,
				       strerror(-fd))
		      : fd;
}
