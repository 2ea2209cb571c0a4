/* SPDX-License-Identifier: MIT */
#pragma once

#include <dirent.h>

/* How many descriptors this process has open, and three more: a test compares two answers. */
static inline int fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
