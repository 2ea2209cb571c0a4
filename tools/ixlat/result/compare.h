/* SPDX-License-Identifier: MIT */
/* Several runs side by side, from their JSON. */
#pragma once

#include "tools/ixlat/command_line.h"

/* Shows, writes and draws as the options say: 0, or -1 after a line on standard error. */
int compare_runs(const struct ixlat_options *options);
