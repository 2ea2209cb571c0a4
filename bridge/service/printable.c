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

size_t printable_bytes(const char *text, size_t most)
{
	size_t bytes = 0;

	while (bytes < most && text[bytes]) {
		size_t len = character(text + bytes);
		size_t step = len ? len : 1;

		if (step > most - bytes)
			break;
		bytes += step;
	}
	return bytes;
}

/* Whether a character of `len` bytes steers a terminal or forges a line. */
static bool is_control(const char *text, size_t len)
{
	uint8_t first = (uint8_t)text[0], second = (uint8_t)text[1];

	return len == 1 ? first < 0x20 || first == 0x7f
			: len == 2 && first == 0xc2 && second < 0xa0;
}

/* How many bytes at `text` to escape; 0: none, a character of *len bytes stays. */
static size_t to_escape(const char *text, const char *keep, size_t *len)
{
	*len = character(text);
	if (!*len)
		return 1;
	if (*len == 1 && strchr(keep, *text))
		return 0;
	return is_control(text, *len) || *text == '\\' ? *len : 0;
}

/* Escapes all that has to be but the characters `keep`. */
static void make_printable(char *text, size_t room, const char *keep)
{
	size_t left = strlen(text); /* from `at` on */
	size_t step;

	for (char *at = text; left; at += step, left -= step) {
		size_t used = (size_t)(at - text) + left + 1;
		size_t escaped = to_escape(at, keep, &step);

		/* The bytes of a character behind the first are escaped by their own: they are no
		 * UTF-8 without the first. */
		if (!escaped)
			continue;
		if (used + ESCAPE_BYTES - 1 <= room) {
			memmove(at + ESCAPE_BYTES, at + 1, left);
			escape(*at, at);
			step = ESCAPE_BYTES;
			left += ESCAPE_BYTES - 1;
		} else {
			*at = '?';
			step = 1;
		}
	}
}

void printable(char *text, size_t room)
{
	make_printable(text, room, "");
}

void printable_told(char *text, size_t room, bool lines)
{
	make_printable(text, room, lines ? "\\\n" : "\\");
}

char *printable_escape(const char *text)
{
	size_t room = strlen(text) * ESCAPE_BYTES + 1;
	char *out = malloc(room);

	if (!out)
		return NULL;
	strcpy(out, text);
	printable(out, room);
	return out;
}

/* The value of a digit that escape() writes, or -1. */
static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void printable_undo(char *text)
{
	char *to = text;

	while (*text) {
		int high = text[0] == '\\' && text[1] == 'x' ? digit_value(text[2]) : -1;
		int low = high >= 0 ? digit_value(text[3]) : -1;

		if (low < 0 || !(high | low)) {
			*to++ = *text++;
			continue;
		}
		*to++ = (char)(high << 4 | low);
		text += ESCAPE_BYTES;
	}
	*to = '\0';
}

void printable_list(char *text, size_t room, const char *item)
{
	const size_t used = strlen(text);

	snprintf(text + used, room - used, "%s%s", used ? ", " : "", item);
}
