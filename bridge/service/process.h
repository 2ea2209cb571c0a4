/* SPDX-License-Identifier: MIT */
/* How a daemon starts and ends: what it tells its service manager, and what ends it. */
#pragma once

/*
 * SIGTERM, SIGINT and SIGHUP are read from the descriptor that this returns (signalfd(2)), or
 * -errno. Threads that are made later inherit the signal mask: call this before. A daemon under
 * nohup outlives its terminal: a SIGHUP that was ignored stays ignored.
 */
int process_signals(void);

/* "ready" on standard output, and to the service manager (sd_notify(3)). */
void process_ready(void);
void process_stopping(void);
