/* SPDX-License-Identifier: MIT */
/* A program that nobody but root can have put there. */
#pragma once

#include "ixgbe/ixgbe.h"

/*
 * Opens the program at `path`, which must be called `name`, or anything if that is NULL. The file
 * and all folders above it belong to root or to this process's user, which is root but for a
 * process that was given its capabilities, and nobody else may write to them. A folder with the
 * sticky bit is as good further up, since others cannot replace what is in there, but not as that
 * of the file (PATH_EXECUTE). A descriptor, or -errno with `why` filled: -EPERM (not so), -ENOEXEC
 * and others of spawner_program_check.
 */
int trusted_program_open(const char *path, const char *name, struct ixgbe_why *why);
