/* SPDX-License-Identifier: MIT */
/* SIGINT and SIGTERM: a run or a reflector ends in order. */
#pragma once

#include <stdbool.h>

/* From now on both set a flag, end a system call that waits, and limit what output may wait. */
void stop_on_signals(void);
/* From now on both end the program, as before: what is left to do is to write results. */
void stop_by_default(void);
/* Whether one of them came. */
bool stop_asked(void);
