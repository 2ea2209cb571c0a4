/* SPDX-License-Identifier: MIT */
/* Output that a stop signal limits: nobody may read there. */
#pragma once

#include <stdio.h>

#define SINK_LATE_MS 3000 /* how long writes may wait after the stop signal, all together */

/* Makes sinks of standard output and standard error. To be called once, before they are used. */
void sinks_install(void);
/* A stream that writes to the descriptor, and closes it when it is closed; NULL with errno. */
FILE *sink_new(int fd);
/* From now on writes wait SINK_LATE_MS at most. A signal's handler may call this. */
void sinks_hurry(void);
