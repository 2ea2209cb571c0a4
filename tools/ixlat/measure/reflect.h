/* SPDX-License-Identifier: MIT */
/* The other end: answers every probe. */
#pragma once

#include "tools/ixlat/command_line.h"

/* Say "ready" on standard output, then answer until SIGINT or SIGTERM: 0, or -1 after a line on
 * standard error. */
int reflect_datagrams(const struct ixlat_options *options); /* udp, raw */
int reflect_tcp(const struct ixlat_options *options);

/* For both: a socket bound to --listen and --port, or -1 after a line on standard error. */
int reflect_bind(const struct ixlat_options *options, int type);
/* Says "ready": 0, or -1 after a line on standard error. */
int reflect_ready(void);
