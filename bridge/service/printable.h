/* SPDX-License-Identifier: MIT */
/*
 * Text of others, before people or programs see it. A name in the kernel is any bytes; terminals,
 * the journal and JSON want UTF-8 (RFC 3629: no surrogates, nothing longer than needed).
 *
 * All programs write such text in one way, in logs, messages, tables and JSON: \xHH stands for a
 * byte of what is not UTF-8, of a control character (ASCII's, and U+0080 to U+009F: a line's end
 * would forge a line of a log, and others steer a terminal), or of a backslash. Whoever replaces
 * each \xHH by its byte has the text as it was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Writes the text of a buffer of `room` bytes so, in place. A byte whose \xHH does not fit becomes
 * '?'. */
void printable(char *text, size_t room);
/* The same for text that another program has written so: its backslashes stay, and so does a
 * line's end if `lines`. */
void printable_told(char *text, size_t room, bool lines);
/* A copy that is written so, to be freed; NULL: no memory. */
char *printable_escape(const char *text);
/* How many bytes of the text, of `most` at most, end where a character does: what is cut behind
 * them is fit to be shown. */
size_t printable_bytes(const char *text, size_t most);
/* One more item of the list "a, b" in `text`, which is cut where there is no room. */
void printable_list(char *text, size_t room, const char *item);
/* The text as it was, in place. */
void printable_undo(char *text);
