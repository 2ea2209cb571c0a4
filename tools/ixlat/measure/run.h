/* SPDX-License-Identifier: MIT */
/* Sends the probes and measures. */
#pragma once

#include "tools/ixlat/command_line.h"
#include "tools/ixlat/result/result.h"

/*
 * Fills *result (from result_init) and returns 0, when all is sent, or earlier when SIGINT or
 * SIGTERM came. -1 after a line on standard error: it could not start, the clocks are not one, the
 * connection broke, or nothing came back.
 */
int run_probes(const struct ixlat_options *options, struct result *result);
