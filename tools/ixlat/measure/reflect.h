/* SPDX-License-Identifier: MIT */
/* The reflector answers every probe. */
#pragma once

#include "tools/ixlat/command_line.h"

/* Print "ready", then answer until SIGINT or SIGTERM: 0, or -1 after a line on standard error. */
int reflect_datagrams(const struct ixlat_options *options); /* udp, raw */
int reflect_tcp(const struct ixlat_options *options);

/* Used by both. A socket bound to --listen and --port, or -1 after a line on standard error. */
int reflect_bind(const struct ixlat_options *options, int type);
/* Prints "ready": 0, or -1 after a line on standard error. */
int reflect_ready(void);
