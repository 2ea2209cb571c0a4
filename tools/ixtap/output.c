/* SPDX-License-Identifier: MIT */
/*
 * Text from a daemon or a file may hold anything. All that goes to the terminal passes through
 * put() or fail(), which write it as bridge/service/printable.h says.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/printable.h"
#include "bridge/service/streams.h"
#include "bridge/service/text_json.h"
#include "ixgbe/ixgbe.h"
#include "output.h"

#define BESIDE_LEAST 24   /* columns in which text can be read */
#define SECONDS_MAX  1e15 /* what any integer for a time can hold; a daemon may say more */

static bool colours;

void output_init(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	colours = isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term &&
		  strcmp(term, "dumb") != 0;
	/* A line at a time, since a program may read `ixtap monitor` through a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void fail(const char *format, ...)
{
	char line[2048]; /* half of it for what printable() makes longer */
	va_list ap;

	va_start(ap, format);
	ixgbe_text_fit(line, sizeof(line) / 2, format, ap);
	va_end(ap);
	printable(line, sizeof(line));
	fprintf(stderr, "%s%s: %s\n", log_priority(IXGBE_LOG_ERROR), program_invocation_short_name,
		line);
}

void fail_told(const char *text)
{
	char *raw = strdup(text);

	if (raw)
		printable_undo(raw);
	fail("%s", raw ? raw : "out of memory");
	free(raw);
}

/* To be freed; NULL: no memory. */
static char *format_printable(const char *format, va_list ap)
{
	char *text, *roomy;
	int len = vasprintf(&text, format, ap);
	size_t room = 4 * (size_t)(len < 0 ? 0 : len) + 1; /* \xHH for each byte */

	if (len < 0)
		return NULL;
	roomy = realloc(text, room);
	if (!roomy) {
		free(text);
		return NULL;
	}
	printable_told(roomy, room, true);
	return roomy;
}

void put(enum colour colour, const char *format, ...)
{
	static const char *const start[] = {
		[COLOUR_NONE] = "",         [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[1;31m",
		[COLOUR_WARN] = "\033[33m", [COLOUR_HEAD] = "\033[1m",  [COLOUR_DIM] = "\033[2m",
	};
	bool coloured = colours && colour != COLOUR_NONE;
	va_list ap;
	char *text;

	va_start(ap, format);
	text = format_printable(format, ap);
	va_end(ap);
	if (text)
		printf("%s%s%s", coloured ? start[colour] : "", text, coloured ? "\033[0m" : "");
	free(text);
	streams_ok();
}

void put_raw(enum colour colour, int columns, const char *text)
{
	char *escaped = printable_escape(text);

	if (escaped)
		put(colour, "%-*s", columns, escaped);
	free(escaped);
}

int output_columns(void)
{
	struct winsize size;

	/* A terminal may not know its size. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return INT_MAX;
	return size.ws_col;
}

/* How much of the text goes into so many columns: whole words, or as much as there is. */
static size_t line_bytes(const char *text, size_t columns)
{
	size_t most = printable_bytes(text, columns), end = most;

	if (!text[most])
		return most;
	while (end && text[end] != ' ')
		end--;
	return end ? end : most;
}

void put_beside(enum colour colour, int at, const char *text)
{
	int columns = output_columns();

	if (columns - at < BESIDE_LEAST)
		return;
	put(COLOUR_NONE, "  ");
	for (size_t from = 0;;) {
		size_t bytes = line_bytes(&text[from], (size_t)(columns - at));

		put(colour, "%.*s", (int)bytes, &text[from]);
		from += bytes;
		from += strspn(&text[from], " ");
		if (!text[from])
			return;
		put(COLOUR_NONE, "\n%*s", at, "");
	}
}

/* JSON escapes of the characters that steer a terminal those below U+0020 only. */
static void write_escaped(const char *text, size_t size, FILE *file)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)text[i], next = i + 1 < size ? (uint8_t)text[i + 1] : 0;

		if (byte == 0x7f)
			fputs("\\u007f", file);
		else if (byte == 0xc2 && next >= 0x80 && next < 0xa0 && ++i)
			fprintf(file, "\\u%04x", next);
		else
			putc(byte, file);
	}
}

void json_write(const json_t *object, FILE *file, size_t flags)
{
	char *text = text_json_dump(object, flags);

	write_escaped(text ? text : "null", text ? strlen(text) : 4, file);
	putc('\n', file);
	free(text);
}

void put_json(const json_t *object)
{
	json_write(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	streams_ok();
}

const char *format_count(char out[FORMAT_BYTES], uint64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *to = out;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return out;
}

const char *format_rate(char out[FORMAT_BYTES], double per_second, const char *unit)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T"};
	size_t prefix = 0;
	int decimals;

	while (per_second >= 999.5 && prefix < 4) {
		per_second /= 1000;
		prefix++;
	}
	decimals = prefix == 0 || per_second >= 99.95 ? 0 : per_second >= 9.995 ? 1 : 2;
	snprintf(out, FORMAT_BYTES, "%.*f %s%s", decimals, per_second, prefixes[prefix], unit);
	return out;
}

const char *format_duration(char out[FORMAT_BYTES], double seconds)
{
	uint64_t s = seconds > 0 ? (uint64_t)fmin(seconds, SECONDS_MAX) : 0;

	if (s >= 86400)
		snprintf(out, FORMAT_BYTES, "%" PRIu64 " d %" PRIu64 " h", s / 86400,
			 s / 3600 % 24);
	else if (s >= 3600)
		snprintf(out, FORMAT_BYTES, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, FORMAT_BYTES, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(out, FORMAT_BYTES, "%.1f s", fmax(seconds, 0));
	return out;
}

const char *format_time(char out[FORMAT_BYTES], double seconds)
{
	time_t whole = (time_t)fmin(fmax(floor(seconds), -SECONDS_MAX), SECONDS_MAX);
	struct tm tm;

	if (!localtime_r(&whole, &tm) || !strftime(out, FORMAT_BYTES, "%H:%M:%S", &tm))
		strcpy(out, "--:--:--");
	return out;
}

const json_t *member(const json_t *object, const char *path)
{
	char name[64];

	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		object = json_object_get(object, name);
	}
	return json_object_get(object, path);
}

const char *member_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(member(object, path));

	return text ? text : "";
}

int64_t member_int(const json_t *object, const char *path)
{
	return json_integer_value(member(object, path));
}

double member_number(const json_t *object, const char *path)
{
	return json_number_value(member(object, path));
}

bool member_true(const json_t *object, const char *path)
{
	return json_is_true(member(object, path));
}
