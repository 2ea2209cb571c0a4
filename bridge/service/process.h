/* SPDX-License-Identifier: MIT */
/* How a daemon starts and ends: what it tells its service manager, and what ends it. */
#pragma once

/*
 * SIGTERM, SIGINT and SIGHUP are read from the descriptor that this returns (signalfd(2)), or
 * -errno. Threads that are made later inherit the signal mask: call this before. A daemon under
 * nohup outlives its terminal: a SIGHUP that was ignored stays ignored.
 */
int process_signals(void);
/* The same for a signal that asks for something else. */
int process_signal(int number);

/* Says "ready" on standard output, and to the service manager, as sd_notify(3) does. This message
 * waits a second for a manager that does not read. The messages below do not wait: they are lost
 * then. */
void process_ready(void);
void process_stopping(void);
/* The manager's watchdog hears that the process lives. */
void process_alive(void);
/* A line for people, of less than 240 bytes. */
void process_status(const char *text);

/*
 * The manager's store: it holds descriptors for this process, and passes them to the next one of
 * the unit (sd_pid_notify_with_fds(3), FDSTORE=1). It keeps one name for one file, does not watch
 * what it holds, and drops without a word what it has no room for.
 */

/* How many descriptors it takes, as the variable FDSTORE says; 0: none. */
unsigned int process_store_room(void);
/* A name of less than 100 bytes. These wait a second at most for a manager that does not read: 0 or
 * -errno. */
int process_store(int fd, const char *name);
int process_store_remove(const char *name);
/* Until the manager has done all that it was told; a second at most. */
int process_store_settle(void);
