/* SPDX-License-Identifier: MIT */
/* Reasons of failures, as the library, the bridge and the tools all give them. */
#include "ixgbe.h"

#include <stdarg.h>
#include <stdio.h>

int ixgbe_why_fill(struct ixgbe_why *why, int error, const char *format, ...)
{
	va_list args;

	if (!why)
		return error;
	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return error;
}
