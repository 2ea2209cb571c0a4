/* SPDX-License-Identifier: MIT */
/*
 * Text of others, before people or programs see it. A name in the kernel is any bytes; terminals,
 * the journal and JSON want UTF-8 (RFC 3629: no surrogates, nothing longer than needed).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes text of a buffer of `room` bytes fit to be shown, in place. Control characters become '?':
 * a line's end would forge a line of a log, and others steer a terminal. Those are ASCII's and
 * U+0080 to U+009F. A line's end stays if `lines`. A byte that is not UTF-8 becomes \xHH, or '?'
 * where that does not fit.
 */
void printable(char *text, size_t room, bool lines);

/*
 * A copy that is UTF-8, and from which the bytes can be had back: a byte that is not UTF-8 becomes
 * \xHH, and so does a backslash. To be freed; NULL: no memory.
 */
char *printable_escape(const char *text);
