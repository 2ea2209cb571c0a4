/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdio.h>

/* New interfaces of this network namespace are without IPv6: the kernel's own frames (discovery)
 * would wake a worker that a test lets sleep, and be counted by a benchmark. */
static inline void ipv6_off(void)
{
	FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

	if (!file)
		return; /* a kernel without */
	fputs("1\n", file);
	fclose(file);
}
