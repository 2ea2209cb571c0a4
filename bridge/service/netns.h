/* SPDX-License-Identifier: MIT */
/* Network namespaces of ip-netns(8). Each thread is in one. */
#pragma once

#include "ixgbe/ixgbe.h"

/* A descriptor of the calling thread's namespace, or -errno with `why` filled. */
int netns_current(struct ixgbe_why *why);
/* Takes the calling thread into the namespace `name`, which was checked by names_netns_fault: 0;
 * or, with `why` filled, -ENOENT (there is none), -EPERM (CAP_SYS_ADMIN is needed), others of
 * open(2) and setns(2). */
int netns_enter(const char *name, struct ixgbe_why *why);
/* Takes the calling thread back to that of a descriptor: 0, or -errno with `why` filled. */
int netns_return(int fd, struct ixgbe_why *why);
