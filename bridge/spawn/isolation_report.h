/* SPDX-License-Identifier: MIT */
/* One mechanism's state, as the code that puts it into force says it. */
#pragma once

#include "spawn.h"

/* A text that is too long is cut. */
void isolation_say(struct isolation_report *report, enum isolation_mechanism mechanism,
		   enum isolation_state state, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
