/* SPDX-License-Identifier: MIT */
#pragma once

#include "bridge/daemon.h"

/* With the interface's link just read: puts back what others changed. */
void interface_kept_check(struct daemon *daemon);
