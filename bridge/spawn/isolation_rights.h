/* SPDX-License-Identifier: MIT */
/* What a process may do by who it is, and how much. Each says in the report what it had. */
#pragma once

#include "isolation.h"

/* In this order: what one gives up, those before need. */
void isolation_bounding_set(struct isolation_report *report);
void isolation_user(const struct isolation_want *want, struct isolation_report *report);
void isolation_capabilities(struct isolation_report *report);
void isolation_landlock(struct isolation_report *report); /* no_new_privs, too */
void isolation_limits(const struct isolation_want *want, struct isolation_report *report);
void isolation_dumpable(struct isolation_report *report);
