/* SPDX-License-Identifier: MIT */
/* SIGINT and SIGTERM: a run or a reflector ends in order. */
#pragma once

#include <stdbool.h>

/* From now on both set a flag and end a system call that waits. */
void stop_on_signals(void);
/* From now on both end the program, as before: what is left to do is to write results, and a pipe
 * may have no reader. */
void stop_by_default(void);
/* Whether one of them came. */
bool stop_asked(void);
