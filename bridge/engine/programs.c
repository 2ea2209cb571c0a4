/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
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

/* A place beside our own program, or the one that the build was configured for. */
static bool found(char *path, const char *const beside[], const char *configured)
{
	char self[PATH_MAX];
	char *slash;

	programs_self(self);
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (; *beside; beside++)
		if (snprintf(path, PATH_MAX, "%s/%s", self, *beside) < PATH_MAX &&
		    !access(path, F_OK))
			return true;
	snprintf(path, PATH_MAX, "%s", configured);
	return !access(path, F_OK);
}

int programs_ixnic(char *path, struct ixgbe_why *why)
{
	static const char *const beside[] = {"ixnic", "../tools/ixnic/ixnic", "../bin/ixnic", NULL};

	if (found(path, beside, IXTAP_BINDIR "/ixnic"))
		return 0;
	return ixgbe_why_fill(
		why, -ENOENT,
		"cannot find ixnic beside ixtapd or in %s: install it, or use another --nic",
		IXTAP_BINDIR);
}

int programs_driver(char *path, struct ixgbe_why *why)
{
	static const char *const beside[] = {"ixtap-driver", "../libexec/ixtap-driver", NULL};

	if (found(path, beside, IXTAP_LIBEXECDIR "/ixtap-driver"))
		return 0;
	return ixgbe_why_fill(why, -ENOENT,
			      "cannot find ixtap-driver beside ixtapd or in %s: install ixtap anew",
			      IXTAP_LIBEXECDIR);
}
