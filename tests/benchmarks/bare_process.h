/* SPDX-License-Identifier: MIT */
/*
 * A process that is nothing but what a driver's death costs the kernel: mappings of the same size
 * and an io_uring that waits for an event. It is killed beside the driver, for comparison.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct bare_size {
	uint64_t shared_bytes;  /* in use; they outlive the process, as the driver's do */
	uint64_t private_bytes; /* likewise; they end with the process */
	uint32_t mappings;      /* that the shared ones are made of */
	uint32_t entries;       /* of the io_uring; 0: none */
};

/* Starts one, and returns when it is as it is to be. Its pidfd goes to *pidfd. */
pid_t bare_start(const struct bare_size *size, int *pidfd);
/* What bare_start() executes this program for: `words` are the four numbers. */
__attribute__((noreturn)) void bare_main(char *const words[]);
