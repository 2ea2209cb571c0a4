/* SPDX-License-Identifier: MIT */
/*
 * landlock(7): what the calling thread, and all that it makes from here on, may do with files.
 * Other threads are not concerned.
 *
 * Landlock denies what it is told to handle; what a newer kernel adds is not handled by itself.
 * Here is all up to ABI 6 (Linux 6.12): 4 (6.7) is about ports, 5 (6.10) about devices' ioctls, 6
 * about abstract sockets and signals. A descriptor that was opened before is not concerned.
 */
#pragma once

#include <stdbool.h>

struct landlock_want {
	bool reads;                  /* files can be read and executed */
	bool devices;                /* ioctls of devices that are opened later */
	bool abstract;               /* abstract sockets of others can be connected to */
	const char *const *writable; /* files, and folders with all below, up to NULL; NULL: none */
};

/* The ABI that is in force now, or -errno. no_new_privs must be set. A path that is not there is
 * left out. -ENOSYS: this kernel has no landlock; -EOPNOTSUPP: it is off. */
int landlock_restrict(const struct landlock_want *want);
