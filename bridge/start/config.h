/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: lines of `name = value`, with the names of the long
 * options; flags take yes or no; `address` may be repeated. # and ; start comments.
 */
#pragma once

#include "options.h"

/* Errors, with `why` starting with "FILE:LINE: " where a line is to blame: those of
 * options_set and of opening the file. */
int config_load(struct options *options, const char *path, struct ixgbe_why *why);
