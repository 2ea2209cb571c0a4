/* SPDX-License-Identifier: MIT */
#include "isolation.h"

#include <errno.h>

#include "isolation_report.h"

/* What isolation_last adds to. */
static struct isolation_report kept;

int isolation_start(const struct isolation_want *want, struct isolation_report *report,
		    struct ixgbe_why *why)
{
	for (unsigned int i = 0; i < ISOLATION_COUNT; i++)
		isolation_say(&kept, i,
			      want->mode == ISOLATION_OFF ? ISOLATION_UNUSED : ISOLATION_MISSING,
			      want->mode == ISOLATION_OFF ? "--isolation off" : "not written yet");
	*report = kept;
	if (want->mode != ISOLATION_REQUIRE)
		return 0;
	return ixgbe_why_fill(why, -EPERM, "--isolation require: not written yet");
}

int isolation_last(struct isolation_report *report)
{
	if (report)
		*report = kept;
	return 0;
}
