/* SPDX-License-Identifier: MIT */
/*
 * What a daemon tells people: lines "PROGRAM: LEVEL: TEXT" on standard error, with the journal's
 * priority in front when standard error is the journal's. Any thread may call, and none waits for
 * whoever reads there: lines that have no room are lost, and a line says how many (outlet.h).
 */
#pragma once

#include "ixgbe/ixgbe.h"

/* Makes the thread that writes (outlet_start). */
void log_start(void);
/* Lines of a lower level are not shown; IXGBE_LOG_INFO at the start. */
void log_level_set(enum ixgbe_log_level least);
/* The level that error, warning, info or debug names: 0, or -EINVAL. */
int log_level_parse(const char *name, enum ixgbe_log_level *out);
const char *log_level_name(enum ixgbe_log_level level);
/* Lines go to `to` instead, as they are, from any thread: a process that has no standard error. */
void log_divert(void (*to)(enum ixgbe_log_level level, const char *text));
/* What stands in front of a line on standard error: "<3>" and the like, or nothing where that is
 * not the journal's. For programs that write lines of their own there. */
const char *log_priority(enum ixgbe_log_level level);

/* Says one line, without its end, in any case. For lines that cannot repeat without end. */
void log_line(enum ixgbe_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Says one line, unless many with the same `format` came: then they are left out, and summed up
 * later (repeat.h). Debug lines are never left out. */
void log_limited(enum ixgbe_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* log_due_ms: when the next summary is due (clock_ms), or INT64_MAX. log_sum_up says those that are
 * due. A daemon calls it from its loop; log_limited and the end of the process do, too. */
int64_t log_due_ms(void);
void log_sum_up(void);
/* log_limited as an ixgbe_log_fn; `ctx` is not used. */
void log_library(void *ctx, enum ixgbe_log_level level, const char *message);

#define log_error(...)   log_limited(IXGBE_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_limited(IXGBE_LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_limited(IXGBE_LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_limited(IXGBE_LOG_DEBUG, __VA_ARGS__)
