/* SPDX-License-Identifier: MIT */
/* Text of others, before people see it. */
#pragma once

#include <stdbool.h>

/*
 * Replaces each control character by '?', in place: a line's end would forge a line of a log, and
 * others steer a terminal. Those are ASCII's and U+0080 to U+009F. A line's end stays if `lines`.
 */
void printable(char *text, bool lines);
