/* SPDX-License-Identifier: MIT */
#include "text_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable.h"

json_t *text_json(const char *text)
{
	char *escaped = printable_escape(text);
	json_t *json = escaped ? json_string_nocheck(escaped) : NULL;

	free(escaped);
	return json;
}

/* ---- Real numbers ---- */

/* All digits that a double may need. With fewer the last of ten is noise in some numbers, with more
 * in most. */
#define DIGITS_LEAST 15
#define DIGITS_MOST  17

/* Writes a number of `len` bytes at `text` again, if it is real and can be shorter; returns its
 * length. What stands behind it is no part of it. */
static size_t shorten(char *text, size_t len)
{
	char number[40], shorter[sizeof(number)];
	double value;

	if (len >= sizeof(number))
		return len;
	memcpy(number, text, len);
	number[len] = '\0';
	if (!strpbrk(number, ".eE"))
		return len;
	value = strtod(number, NULL);
	for (int digits = DIGITS_LEAST; digits <= DIGITS_MOST; digits++) {
		snprintf(shorter, sizeof(shorter), "%.*g", digits, value);
		if (strtod(shorter, NULL) == value)
			break;
	}
	if (!strpbrk(shorter, ".e")) /* real numbers stay so */
		strcat(shorter, ".0");
	if (strlen(shorter) >= len)
		return len;
	memcpy(text, shorter, strlen(shorter));
	return strlen(shorter);
}

static size_t string_bytes(const char *text)
{
	size_t len = 1;

	while (text[len] && text[len] != '"')
		len += text[len] == '\\' ? 2 : 1;
	return len + 1;
}

char *text_json_dump(const json_t *json, size_t flags)
{
	char *text = json_dumps(json, flags), *to = text;
	size_t len, kept;

	for (const char *from = text; from && *from; from += len, to += kept) {
		kept = len = *from == '"' ? string_bytes(from) : strspn(from, "+-.0123456789eE");
		if (len == 0)
			kept = len = 1;
		memmove(to, from, len);
		if (*to != '"' && kept > 1)
			kept = shorten(to, len);
	}
	if (to)
		*to = '\0';
	return text;
}
