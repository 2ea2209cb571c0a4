/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic int threshold = IXGBE_LOG_INFO;

void log_level_set(enum ixgbe_log_level least)
{
	threshold = (int)least;
}

void log_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void log_line(enum ixgbe_log_level level, const char *format, ...)
{
	/* The syslog numbers, in the order of enum ixgbe_log_level. */
	static const char *const journal[] = {"<3>", "<4>", "<6>", "<7>"};
	static const char *const people[] = {
		"ixtapd: ", "ixtapd: warning: ", "ixtapd: ", "ixtapd: debug: "};
	char text[1024];
	va_list args;

	if ((int)level > threshold)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_printable(text);
	/* One call, so that lines of several threads don't mix. */
	fprintf(stderr, "%s%s%s\n", getenv("JOURNAL_STREAM") ? journal[level] : "", people[level],
		text);
}

void log_library(void *ctx, enum ixgbe_log_level level, const char *message)
{
	(void)ctx;
	log_line(level, "%s", message);
}
