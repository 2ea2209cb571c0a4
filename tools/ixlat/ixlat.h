/* SPDX-License-Identifier: MIT */
/*
 * ixlat: how long a packet takes there and back.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     ixlat.c          the program: one run, a reflector, or a comparison
 *       |
 *     measure/         probes are sent, reflected, received
 *       |
 *     result/          what a run found out: histograms, JSON, text, plots, comparison
 *       |
 *     command_line.c   options
 *     sink.c           output that a stop signal limits
 *
 * All print with tools/ixtap/output.h. A function of a header that returns -1 has printed one line
 * on standard error that says why. One that returns -errno leaves that to its caller, except
 * ixlat_options_parse.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/service/clock.h"

enum { STATUS_FAILED = 1 };
