/* SPDX-License-Identifier: MIT */
/*
 * The software NIC of `--nic soft`: an ixnic that ixtapd starts for itself.
 *
 * It serves one end of a socket pair and ends when the other end closes. It dies with ixtapd, too,
 * unless a service manager holds that end (making/nic_process.h: outlives). Its process group is
 * its own: Ctrl-C reaches ixtapd alone, which stops it in order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bridge/making/maker.h"
#include "ixgbe/ixgbe.h"
#include "patience.h"

#define SOFT_NIC_START_MS 5000
#define SOFT_NIC_STOP_MS  2000

struct soft_nic {
	struct maker *maker;
	pid_t pid;
	int pidfd;       /* readable when it has ended */
	int output;      /* its standard error: non-blocking */
	int socket;      /* of vfio-user, connected; its taker sets it to -1 */
	char line[2048]; /* of its output, not whole yet; log.c writes shorter ones */
	size_t line_len;
	struct ixgbe_why *reason; /* not NULL: its errors go there, not to the log */
};

/* All descriptors -1. `maker` makes the process. */
void soft_nic_init(struct soft_nic *soft, struct maker *maker);

/*
 * Starts ixnic with those words. Waits until ixnic is ready, unless `patience` is over before.
 * -ENOENT: ixnic is not beside us, in the build tree or in the configured directory; -ETIMEDOUT;
 * -ECANCELED; -ECHILD: ixnic ended at once, and `why` has its own words.
 * ixnic ends when its socket's other end is closed, and, unless it outlives that, with who makes it
 * at the latest.
 */
int soft_nic_start(struct soft_nic *soft, const struct nic_words *words, struct patience *patience,
		   struct ixgbe_why *why);
/* Logs its output, line by line; call when `output` is readable. -EPIPE: the output is closed. */
int soft_nic_output(struct soft_nic *soft);
/* Waits for its end, which a closed vfio-user socket brings about; helps with SIGTERM, then
 * SIGKILL. Takes one that was not started. */
void soft_nic_stop(struct soft_nic *soft);
/* Waits for its end, at most so long. False: it runs on, or was not started. */
bool soft_nic_ended(const struct soft_nic *soft, int timeout_ms);
/* Once it has ended: "exited with status 1", "was killed by signal 9". */
void soft_nic_fate(const struct soft_nic *soft, char text[SPAWN_FATE_BYTES]);
