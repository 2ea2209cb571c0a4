/* SPDX-License-Identifier: MIT */
/* Runs side by side, from the JSON they left. */
#pragma once

#include "tools/ixlat/command_line.h"

/* 0, or -1 after a line on standard error. */
int compare_runs(const struct ixlat_options *options);
