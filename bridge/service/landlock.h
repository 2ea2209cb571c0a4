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
#include <stddef.h>

struct landlock_want {
	bool reads;                  /* files can be read and executed */
	bool devices;                /* ioctls of devices that are opened later */
	bool abstract;               /* abstract sockets of others can be connected to */
	const char *const *writable; /* files, and what is in folders, up to NULL; NULL: none */
};

/* The ABI that is in force now, or -errno. no_new_privs must be set. A path that is not there is
 * left out. -ENOSYS: this kernel has no landlock; -EOPNOTSUPP: it is off. */
int landlock_restrict(const struct landlock_want *want);
/* What that has returned, in words: "ABI 4", "this kernel has none: ...". */
void landlock_text(int abi, char *text, size_t bytes);

/*
 * Of the calling thread: gives up all capabilities, and, by landlock, all files and signals. Rights
 * are each thread's own: what the main thread gives up later, this one would keep. A change of the
 * user is the exception, since libc makes it in all threads, and ends a process where one of them
 * may not: with `user_changes` the two capabilities for that stay, until that change takes them.
 */
void bare_thread(bool user_changes);
