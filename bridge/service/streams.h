/* SPDX-License-Identifier: MIT */
/*
 * Standard output, for programs that print a result: what is not written is a failure, with the
 * reason. A reader that has gone (EPIPE) ends a program by SIGPIPE, unless the program or its
 * parent ignores that signal: then it is a failure like others.
 */
#pragma once

#include <stdbool.h>

/* Opens /dev/null in place of each of standard input, output and error that the parent closed. Else
 * a socket or file of ours would get its number, and the program's output. To be called at the
 * start. A read or write of what is opened here fails. */
void streams_keep(void);
/* Whether all of standard output was written so far. To be called after what prints: it keeps the
 * reason. A program that prints without end ends when this is false. */
bool streams_ok(void);
/* Writes what waits still, and closes standard output: 0, or -1 after a line on standard error. */
int streams_end(void);
