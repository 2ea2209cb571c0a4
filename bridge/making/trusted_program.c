/* SPDX-License-Identifier: MIT */
#include "trusted_program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/path_walk.h"
#include "bridge/spawn/spawn.h"

static int system_refused(struct ixgbe_why *reason, int err)
{
	return ixgbe_why_fill(reason, err, "%s%s", strerror(-err),
			      err == -ENOEXEC
				      ? ": neither a script nor an empty file will do; name "
					"a binary program"
				      : "");
}

/* What stands there is looked at before it is opened: opening a device may do something. */
static int program_look(const struct path_end *end, struct ixgbe_why *reason)
{
	const char *fault;
	struct stat stat;

	if (end->opened)
		return ixgbe_why_fill(reason, -EPERM,
				      "that is no place, but what somebody has open");
	if (fstatat(end->folder, end->name, &stat, AT_SYMLINK_NOFOLLOW))
		return system_refused(reason, -errno);
	fault = path_loose(&stat);
	if (fault)
		return ixgbe_why_fill(reason, -EPERM, "%s", fault);
	return S_ISREG(stat.st_mode)
		       ? 0
		       : system_refused(reason, S_ISDIR(stat.st_mode) ? -EISDIR : -ENOEXEC);
}

static int program_take(const struct path_end *end, struct ixgbe_why *reason)
{
	int err = program_look(end, reason), fd;

	if (err)
		return err;
	fd = path_open(end, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, reason);
	if (fd < 0)
		return fd;
	err = spawner_program_check(fd);
	if (!err)
		return fd;
	close(fd);
	return system_refused(reason, err);
}

int trusted_program_open(const char *path, const char *name, struct ixgbe_why *why)
{
	struct path_end end = {.folder = -1};
	struct ixgbe_why reason = {""};
	int fd = *path == '/' ? path_walk(path, PATH_EXECUTE, &end, &reason)
			      : ixgbe_why_fill(&reason, -EINVAL, "give its whole path");

	if (!fd && name && strcmp(end.name, name) != 0)
		fd = ixgbe_why_fill(&reason, -EPERM, "it is no %s", name);
	if (!fd)
		fd = program_take(&end, &reason);
	if (end.folder >= 0)
		close(end.folder);
	return fd < 0 ? ixgbe_why_fill(why, fd, "cannot execute the program %s: %s", path,
				       reason.text)
		      : fd;
}
