/* SPDX-License-Identifier: MIT */
#include "printable.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE_BYTES 4u /* "\\xfc" */

/* The length of the character that `text` begins with; 0: it is not UTF-8. */
static size_t character(const char *text)
{
	/* The smallest code point of each length. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *byte = (const uint8_t *)text;
	size_t len = byte[0] < 0x80   ? 1
		     : byte[0] < 0xc0 ? 0
		     : byte[0] < 0xe0 ? 2
		     : byte[0] < 0xf0 ? 3
		     : byte[0] < 0xf8 ? 4
				      : 0;
	uint32_t code;

	if (len < 2)
		return len;
	code = byte[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80) /* the text's end, too */
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

static void escape(char byte, char to[ESCAPE_BYTES])
{
	static const char digit[] = "0123456789abcdef";

	to[0] = '\\';
	to[1] = 'x';
	to[2] = digit[(uint8_t)byte >> 4];
	to[3] = digit[byte & 0xf];
}

void printable(char *text, size_t room, bool lines)
{
	size_t left = strlen(text); /* from `at` on */
	size_t step;

	for (char *at = text; left; at += step, left -= step) {
		size_t used = (size_t)(at - text) + left + 1;

		step = character(at);
		if (!step && used + ESCAPE_BYTES - 1 <= room) {
			memmove(at + ESCAPE_BYTES, at + 1, left);
			escape(*at, at);
			step = ESCAPE_BYTES;
			left += ESCAPE_BYTES - 1;
		} else if (!step || (step == 1 && ((uint8_t)*at < 0x20 || *at == 0x7f) &&
				     !(lines && *at == '\n'))) {
			*at = '?';
			step = 1;
		} else if (step == 2 && (uint8_t)at[0] == 0xc2 && (uint8_t)at[1] < 0xa0) {
			at[0] = at[1] = '?';
		}
	}
}

char *printable_escape(const char *text)
{
	char *out = malloc(strlen(text) * ESCAPE_BYTES + 1), *to = out;
	size_t step;

	if (!out)
		return NULL;
	for (; *text; text += step) {
		step = character(text);
		if (!step || *text == '\\') {
			escape(*text, to);
			step = 1;
			to += ESCAPE_BYTES;
		} else {
			memcpy(to, text, step);
			to += step;
		}
	}
	*to = '\0';
	return out;
}
