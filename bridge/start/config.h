/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: lines of `name = value`, of any length, with the names of the long
 * options; flags take yes or no; `address` may be repeated. # and ;, at the beginning of a line or
 * behind a blank, start comments.
 *
 * The folder FILE.d beside it, which may be missing, has more such files, with names that end in
 * .conf. They are read in the order of their names, and a later file replaces what earlier ones say
 * about an option (all of their addresses, if it gives one).
 */
#pragma once

#include "options.h"

/* Reads the file and its folder; `path` is shorter than PATH_MAX. Errors, with `why` starting with
 * "FILE:LINE: " where a line is to blame: those of options_set and of opening a file. */
int config_load(struct options *options, const char *path, struct ixgbe_why *why);
