/* SPDX-License-Identifier: MIT */
/* A control socket in a directory of its own, for tests. */
#pragma once

#include "bridge/service/control.h"

struct rig {
	char directory[32];
	char path[64];
	struct control *control; /* NULL: a test has closed it */
};

/* For cmocka's setup and teardown. The teardown fails if anything is left in the directory. */
int rig_open(void **state, const struct control_command *commands);
int rig_close(void **state);

/* Dispatches until nothing is left to do. */
void settle(struct rig *rig);
/* A connection that was accepted. */
int dial(struct rig *rig);
