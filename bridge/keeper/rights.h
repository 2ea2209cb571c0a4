/* SPDX-License-Identifier: MIT */
/* What the keeper itself gives up, once it has started. */
#pragma once

#include "bridge/spawn/spawn.h"

/*
 * Gives up, for this process and all that it executes from here on, each capability that neither
 * the keeper nor its children need, and that any program gives it more rights (no_new_privs).
 * `out`: in force, with the capabilities that are left; or what could not be given up.
 */
void rights_give_up(enum isolation isolation, struct isolation_fact *out);
