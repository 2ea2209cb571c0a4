/* SPDX-License-Identifier: MIT */
/*
 * An io_uring for one thread, over files that are registered before it runs.
 *
 * A ring is made disabled, and everything is registered then: whoever isolates the program
 * can restrict it (IORING_REGISTER_RESTRICTIONS) between ring_init and
 * ring_enable. The thread that enables it is the only one that may submit.
 */
#pragma once

#include <liburing.h>

#include "ixgbe/ixgbe.h"

/*
 * A ring of `entries` submissions over `count` files; requests name them by index, with
 * IOSQE_FIXED_FILE. Uses SINGLE_ISSUER, DEFER_TASKRUN and COOP_TASKRUN as far as the
 * kernel has them. -ENOSYS, -EPERM: the kernel has no io_uring, or forbids it.
 */
int ring_init(struct io_uring *ring, unsigned int entries, const int *fds, unsigned int count,
	      struct ixgbe_why *why);
/* In the thread that will submit. */
int ring_enable(struct io_uring *ring);
/* In the same thread, when nothing is in flight: lets the files go. Without, the kernel holds
 * them until some time after the ring is closed, and a TAP would outlive its owner. */
void ring_release(struct io_uring *ring);
