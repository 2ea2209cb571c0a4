/* SPDX-License-Identifier: MIT */
/* System calls that a process gives up, with all threads and all that it executes. */
#pragma once

/*
 * Such a call fails with EPERM, so that a later version that tries it, under an older one's filter,
 * goes on without. Each is a filter more. -errno. Needs no_new_privs.
 */
/* What neither the maker nor its children have a use for. */
int denied_calls_maker(void);
/* What a keeper whose children a maker makes never needs besides. */
int denied_calls_keeper(void);
/* Another network namespace cannot be entered any more. */
int denied_calls_namespaces(void);
