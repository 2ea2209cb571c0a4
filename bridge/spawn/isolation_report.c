/* SPDX-License-Identifier: MIT */
#include "isolation_report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ISOLATION_COUNT] = {
#define M(symbol, name) [ISOLATION_##symbol] = name,
	ISOLATION_MECHANISMS(M)
#undef M
};

static_assert(sizeof(struct isolation_report) == ISOLATION_COUNT * ISOLATION_TEXT_BYTES,
	      "the report has no padding");

const char *isolation_name(unsigned int mechanism)
{
	return mechanism < ISOLATION_COUNT ? names[mechanism] : NULL;
}

void isolation_say(struct isolation_report *report, enum isolation_mechanism mechanism,
		   enum isolation_state state, const char *format, ...)
{
	struct isolation_fact *fact = &report->of[mechanism];
	va_list args;

	memset(fact, 0, sizeof(*fact));
	fact->state = (uint8_t)state;
	va_start(args, format);
	vsnprintf(fact->text, sizeof(fact->text), format, args);
	va_end(args);
}

static bool text_valid(const char text[ISOLATION_TEXT_BYTES - 1])
{
	const char *end = memchr(text, '\0', ISOLATION_TEXT_BYTES - 1);

	for (const char *at = text; end && at < end; at++)
		if (*at < ' ' || *at > '~')
			return false;
	return end;
}

bool isolation_fact_valid(const struct isolation_fact *fact)
{
	return fact->state <= ISOLATION_LATER && text_valid(fact->text);
}

bool isolation_report_valid(const struct isolation_report *report)
{
	for (size_t i = 0; i < ISOLATION_COUNT; i++)
		if (!isolation_fact_valid(&report->of[i]))
			return false;
	return true;
}
