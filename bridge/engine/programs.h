/* SPDX-License-Identifier: MIT */
/* Where a build or an installation has the programs that ixtapd starts. */
#pragma once

#include <stddef.h>

#include "ixgbe/ixgbe.h"

/* The file of this program, whatever stands there by now. */
void programs_self(char *path);
/* ixnic, and ixtap-driver, of the same build or installation as this process. `path` has room for
 * PATH_MAX bytes. -ENOENT, or -EACCES (our own folder is closed to us), with `why` filled. */
int programs_ixnic(char *path, struct ixgbe_why *why);
int programs_driver(char *path, struct ixgbe_why *why);
/* Whether the mode of an open program lets it be executed: 0, -EACCES with `why` filled. */
int programs_executable(int fd, const char *path, struct ixgbe_why *why);
