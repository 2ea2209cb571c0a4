/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Whether process `pid` has mapped the file, and each time privately: then others never see what it
 * writes there. False too when that cannot be told: pid 0, another user's process, no /proc. */
bool peer_maps_private_only(pid_t pid, dev_t dev, ino_t ino);
