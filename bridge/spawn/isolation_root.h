/* SPDX-License-Identifier: MIT */
/* A root directory with nothing in it. */
#pragma once

/* For a process in a mount namespace of its own: root and working directory become an empty file
 * system that cannot be written, and all others are out of reach. 0 or -errno. */
int isolation_root(void);
