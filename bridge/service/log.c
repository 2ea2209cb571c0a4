/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "outlet.h"
#include "printable.h"
#include "repeat.h"

#define LOG_TEXT_BYTES 1920
#define NAME_BYTES     64u /* of a program */
static_assert(LOG_TEXT_BYTES + NAME_BYTES + sizeof("<3>: warning: \n") <= OUTLET_LINE_MAX,
	      "a line has room for any text");

/* In the order of enum ixgbe_log_level; the priorities are syslog's. */
static const struct {
	const char *name, *priority;
} levels[] = {{"error", "<3>"}, {"warning", "<4>"}, {"info", "<6>"}, {"debug", "<7>"}};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

static _Atomic int threshold = IXGBE_LOG_INFO;
static bool to_journal;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void log_level_set(enum ixgbe_log_level least)
{
	threshold = (int)least;
}

int log_level_parse(const char *name, enum ixgbe_log_level *out)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (!strcmp(name, levels[i].name)) {
			*out = (enum ixgbe_log_level)i;
			return 0;
		}
	return -EINVAL;
}

const char *log_level_name(enum ixgbe_log_level level)
{
	return levels[level].name;
}

/* JOURNAL_STREAM names the journal's end of a stream as DEVICE:INODE. Children inherit the variable
 * along with other streams, so standard error is compared (systemd.exec(5)). */
static void find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	to_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		     !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

const char *log_priority(enum ixgbe_log_level level)
{
	pthread_once(&once, find_journal);
	return to_journal ? levels[level].priority : "";
}

/* One line, with its end: its length. */
static size_t line_format(char *line, size_t size, enum ixgbe_log_level level, const char *text)
{
	const char *name = program_invocation_short_name;

	return (size_t)snprintf(line, size, "%s%.*s: %s: %s\n", log_priority(level),
				(int)printable_bytes(name, NAME_BYTES), name, levels[level].name,
				text);
}

static size_t lost_line(char *line, size_t size, uint64_t lost, int err)
{
	char text[192];

	snprintf(text, sizeof(text),
		 "%" PRIu64 " lines of the log were lost here: standard error %s%s", lost,
		 err ? "could not be written: " : "was not read", err ? strerror(err) : "");
	return line_format(line, size, IXGBE_LOG_WARNING, text);
}

static struct outlet outlet = OUTLET(STDERR_FILENO, lost_line, NULL);

void log_start(void)
{
	outlet_start(&outlet);
}

static void (*diverted)(enum ixgbe_log_level level, const char *text);

void log_divert(void (*to)(enum ixgbe_log_level level, const char *text))
{
	diverted = to;
}

static void put(enum ixgbe_log_level level, const char *text)
{
	char line[OUTLET_LINE_MAX];

	if (diverted) {
		diverted(level, text);
		return;
	}
	outlet_put(&outlet, line, line_format(line, sizeof(line), level, text));
}

static void text_format(char *text, size_t size, const char *format, va_list args)
{
	/* Half of the room is for what printable() makes longer. */
	ixgbe_text_fit(text, size / 2, format, args);
	printable(text, size);
}

void log_line(enum ixgbe_log_level level, const char *format, ...)
{
	char text[LOG_TEXT_BYTES];
	va_list args;

	if ((int)level > threshold)
		return;
	va_start(args, format);
	text_format(text, sizeof(text), format, args);
	va_end(args);
	put(level, text);
}

/* ---- Lines that repeat ---- */

static struct repeat repeat;
static pthread_mutex_t repeat_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int64_t due_ms = INT64_MAX;

static void sum_up(bool all)
{
	char text[LOG_TEXT_BYTES];
	bool more;
	int level;

	do {
		pthread_mutex_lock(&repeat_lock);
		more = repeat_next(&repeat, clock_ms(), all, &level, text, sizeof(text));
		due_ms = repeat_due_ms(&repeat);
		pthread_mutex_unlock(&repeat_lock);
		if (more)
			put((enum ixgbe_log_level)level, text);
	} while (more);
}

static void sum_up_all(void)
{
	sum_up(true);
}

static void at_exit(void)
{
	atexit(sum_up_all);
}

int64_t log_due_ms(void)
{
	return due_ms;
}

void log_sum_up(void)
{
	if (due_ms != INT64_MAX && clock_ms() >= due_ms)
		sum_up(false);
}

void log_limited(enum ixgbe_log_level level, const char *format, ...)
{
	static pthread_once_t first = PTHREAD_ONCE_INIT;
	char text[LOG_TEXT_BYTES];
	bool say = true;
	va_list args;

	if ((int)level > threshold)
		return;
	va_start(args, format);
	text_format(text, sizeof(text), format, args);
	va_end(args);
	log_sum_up();
	/* Who wants to debug wants every line. */
	if (level < IXGBE_LOG_DEBUG) {
		pthread_mutex_lock(&repeat_lock);
		say = repeat_add(&repeat, format, (int)level, text, clock_ms());
		due_ms = repeat_due_ms(&repeat);
		pthread_mutex_unlock(&repeat_lock);
	}
	if (say)
		put(level, text);
	else
		pthread_once(&first, at_exit);
}

void log_library(void *ctx, enum ixgbe_log_level level, const char *message)
{
	(void)ctx;
	log_limited(level, "%s", message);
}
