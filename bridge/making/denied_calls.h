/* SPDX-License-Identifier: MIT */
/* System calls that a process gives up, with all threads and all that it executes. */
#pragma once

/* Each is denied what the one before is, and more. */
enum denied_to {
	DENIED_TO_MAKER,   /* and its children: what neither has a use for */
	DENIED_TO_KEEPER,  /* what one never needs whose children a maker makes */
	DENIED_TO_REQUIRED /* the same under --isolation require: another network namespace */
};

/*
 * Such a call fails with EPERM, so that a later version that tries it, under an older one's filter,
 * goes on without. A filter more. -errno. Needs no_new_privs.
 */
int denied_calls(enum denied_to who);
