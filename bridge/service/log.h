/* SPDX-License-Identifier: MIT */
/* What ixtapd tells people: lines on standard error, with journald's level in front when
 * it listens. Any thread. */
#pragma once

#include "ixgbe/ixgbe.h"

void log_level_set(enum ixgbe_log_level least);
/* One line, without its end. */
void log_line(enum ixgbe_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Words of others may have ends of lines and a terminal's commands: they become '?'. */
void log_printable(char *text);
/* The same as an ixgbe_log_fn; the context is not used. */
void log_library(void *ctx, enum ixgbe_log_level level, const char *message);

#define log_error(...)   log_line(IXGBE_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(IXGBE_LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(IXGBE_LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(IXGBE_LOG_DEBUG, __VA_ARGS__)
