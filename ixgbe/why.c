/* SPDX-License-Identifier: MIT */
/* Reasons of failures, as the library, the bridge and the tools all give them. */
#include "ixgbe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT " ... "

/* Whether a character of UTF-8 goes on with this byte. */
static bool within_character(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* What a user wrote stands in the middle of a line mostly, and the reason behind it. */
static void cut_middle(char *text, size_t size, const char *whole, size_t len)
{
	const size_t room = size - sizeof(CUT);
	size_t head = room / 3, from = len - (room - head);

	while (head && within_character(whole[head]))
		head--;
	while (within_character(whole[from]))
		from++;
	memcpy(text, whole, head);
	strcpy(stpcpy(text + head, CUT), whole + from);
}

void ixgbe_text_fit(char *text, size_t size, const char *format, va_list args)
{
	char *whole = NULL;
	int len = vasprintf(&whole, format, args);

	if (len < 0)
		snprintf(text, size, "out of memory");
	else if ((size_t)len < size)
		memcpy(text, whole, (size_t)len + 1);
	else
		cut_middle(text, size, whole, (size_t)len);
	if (len >= 0)
		free(whole);
}

int ixgbe_why_fill(struct ixgbe_why *why, int error, const char *format, ...)
{
	va_list args;

	if (!why)
		return error;
	va_start(args, format);
	ixgbe_text_fit(why->text, sizeof(why->text), format, args);
	va_end(args);
	return error;
}
