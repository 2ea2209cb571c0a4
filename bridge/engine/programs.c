/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void programs_self(char *path)
{
	static const char deleted[] = " (deleted)"; /* or replaced */
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	const size_t tail = sizeof(deleted) - 1;

	path[len < 0 ? 0 : len] = '\0';
	if (len > (ssize_t)tail && !strcmp(path + len - tail, deleted))
		path[(size_t)len - tail] = '\0';
}

/* A place beside our own program, or the one that the build was configured for. -ENOENT, -EACCES:
 * we may not go into our own program's folder, which stands in `path` then. */
static int beside_or_configured(char *path, const char *const beside[], const char *configured)
{
	char self[PATH_MAX];
	char *slash;

	programs_self(self);
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	if (access(self, X_OK) && errno == EACCES) {
		snprintf(path, PATH_MAX, "%s", self);
		return -EACCES;
	}
	for (; *beside; beside++)
		if (snprintf(path, PATH_MAX, "%s/%s", self, *beside) < PATH_MAX &&
		    !access(path, F_OK))
			return 0;
	snprintf(path, PATH_MAX, "%s", configured);
	return access(path, F_OK) ? -ENOENT : 0;
}

static int program_seek(char *path, const char *what, const char *const beside[],
			const char *folder, const char *advice, struct ixgbe_why *why)
{
	char configured[PATH_MAX];
	int err;

	snprintf(configured, sizeof(configured), "%s/%s", folder, what);
	err = beside_or_configured(path, beside, configured);
	if (err == -EACCES)
		return ixgbe_why_fill(why, err,
				      "cannot look for %s in %s: user %u, which ixtapd is, may not "
				      "go into that folder: let it (chmod a+x), or install ixtap "
				      "elsewhere",
				      what, path, (unsigned int)getuid());
	return err ? ixgbe_why_fill(why, err, "cannot find %s beside ixtapd or in %s: %s", what,
				    folder, advice)
		   : 0;
}

int programs_ixnic(char *path, struct ixgbe_why *why)
{
	static const char *const beside[] = {"ixnic", "../tools/ixnic/ixnic", "../bin/ixnic", NULL};

	return program_seek(path, "ixnic", beside, IXTAP_BINDIR, "install it, or use another --nic",
			    why);
}

int programs_driver(char *path, struct ixgbe_why *why)
{
	static const char *const beside[] = {"ixtap-driver", "../libexec/ixtap-driver", NULL};

	return program_seek(path, "ixtap-driver", beside, IXTAP_LIBEXECDIR, "install ixtap anew",
			    why);
}

int programs_executable(int fd, const char *path, struct ixgbe_why *why)
{
	struct stat stat;

	if (!fstat(fd, &stat) && stat.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))
		return 0;
	return ixgbe_why_fill(why, -EACCES,
			      "the program %s may not be executed: give it that mode (chmod 755), "
			      "or install ixtap anew",
			      path);
}
