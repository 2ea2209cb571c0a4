/* SPDX-License-Identifier: MIT */
/* A process that is ixnic, and serves one end of a socket pair. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct nic_words {
	const char *wire, *control, *log_level;
	bool outlives; /* it does not die with who makes it */
};

struct nic_process {
	pid_t pid;
	int pidfd;
	int socket; /* of vfio-user */
	int ready;  /* what it says on standard output */
	int output; /* on standard error; non-blocking */
};

/*
 * Executes ixnic, the open file `program`, or, if that is -1, the one at `path`, in the calling
 * thread's network namespace. It inherits no descriptor of this process but those, and no variable
 * by which the service manager speaks to one process alone; unless it outlives that, it dies with
 * the calling thread. It is the leader of a process group of its own. 0 or -errno: nothing is left.
 * What fails in the process comes as a line of its output.
 */
int nic_process_start(int program, const char *path, const struct nic_words *words,
		      struct nic_process *out);
