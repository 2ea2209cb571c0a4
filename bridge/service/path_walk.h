/* SPDX-License-Identifier: MIT */
/*
 * A path, part by part, where other users may have a say in where it leads. The kernel follows a
 * link in the middle of a path whoever made it, and O_NOFOLLOW is for the last part only. So links
 * are read and followed here, from one open folder to the next, and nothing is looked up twice.
 *
 * Others have a say in a folder that belongs to another user than root and us, or that others or a
 * group may write to. Any group: where there is an access list, the group's bits are the most that
 * the list gives to anybody. In one with the sticky bit, as /tmp, they have names of their own, and
 * leave ours alone. In a user namespace root may have another number: that of /.
 *
 *   A file that is read: no folder may be one in which others have a say.
 *   A file that is executed: nor may others put names into the last one, sticky or not. Where the
 *   kernel lets them (fs.protected_hardlinks=0) such a name may be that of any file of root's, and
 *   be left when root has removed the file.
 *   A file that is written: no link may be followed that is another user's, or that stands in or
 *   below such a folder. Without links, the file is in that folder and nowhere else.
 *
 * Links of /proc to what a process has open are followed by the kernel: they are no text.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "ixgbe/ixgbe.h"

enum path_use {
	PATH_READ,
	PATH_EXECUTE,
	PATH_WRITE,
	PATH_WRITE_OURS, /* the last part is no link, and the file is ours wherever it is */
};

struct path_end {
	int folder; /* O_PATH; of the caller, to be closed */
	char name[NAME_MAX + 1];
	bool ours;   /* the file must be: others may put names of their own into the folder */
	bool opened; /* what a process has open: no name, and the kernel follows it */
};

/* What is wrong with the owner or the mode of a file, and what to do about it; else NULL. */
const char *path_loose(const struct stat *st);
/*
 * Goes to the folder of what the path leads to, which need not be there. 0, or -errno with a reason
 * for people: -EPERM if others have a say. *out is untouched then.
 */
int path_walk(const char *path, enum path_use use, struct path_end *out, struct ixgbe_why *why);
/*
 * Opens what is at the end, where no link is any more: a descriptor, or -errno with a reason. What
 * must be ours has no other name.
 */
int path_open(const struct path_end *end, int flags, mode_t mode, struct ixgbe_why *why);
