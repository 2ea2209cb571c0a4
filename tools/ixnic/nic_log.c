/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "nic.h"

static enum nic_log_level shown = NIC_LOG_INFO;

void nic_log_level_set(enum nic_log_level level)
{
	shown = level;
}

void nic_log_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void nic_log(enum nic_log_level level, const char *format, ...)
{
	static const char *const name[] = {"error", "warning", "info", "debug"};
	char line[512];
	va_list args;

	if (level > shown)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	nic_log_printable(line);
	/* One call, so that lines of several programs on one terminal do not mix. */
	fprintf(stderr, "ixnic: %s: %s\n", name[level], line);
}
