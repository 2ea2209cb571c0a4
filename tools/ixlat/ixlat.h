/* SPDX-License-Identifier: MIT */
/*
 * ixlat: how long a packet takes there and back.
 *
 *   main.c ── options.c ─┬─ run.c ─┬─ link.c (udp, tcp, raw)   the sender's sockets
 *                        │         ├─ probe.c                  what is on the wire
 *                        │         ├─ flight.c                 what became of each probe
 *                        │         └─ progress.c
 *                        ├─ result.c, report.c                 a run as JSON, as text
 *                        ├─ compare.c                          several of them side by side
 *                        │    └─ histogram.c, encoding.c, plot.c
 *                        └─ reflect.c, reflect_tcp.c           the other end
 *
 * A function of a header that returns -1 has said why on standard error, in one line; one that
 * returns -errno leaves that to its caller, but for ixlat_options_parse.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { STATUS_FAILED = 1 };

#define NS_PER_S 1000000000ll

static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}
