/* SPDX-License-Identifier: MIT */
/* SIGINT and SIGTERM end what runs, in order. */
#pragma once

#include <stdbool.h>

/* From now on they set a flag and end a system call that waits. */
void stop_on_signals(void);
bool stop_asked(void);
