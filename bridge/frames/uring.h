/* SPDX-License-Identifier: MIT */
/*
 * An io_uring for one thread, over files that are registered before it runs.
 *
 * A ring is made disabled: it can be restricted (IORING_REGISTER_RESTRICTIONS) between uring_init
 * and uring_enable. Only the thread that enables it may submit.
 */
#pragma once

#include <liburing.h>
#include <stdbool.h>

#include "ixgbe/ixgbe.h"

/*
 * A ring of `entries` submissions over `count` files; requests name them by index, with
 * IOSQE_FIXED_FILE. Uses what the kernel has of SINGLE_ISSUER, DEFER_TASKRUN and COOP_TASKRUN.
 * -ENOSYS, -EPERM: the kernel has no io_uring, or forbids it.
 */
int uring_init(struct io_uring *ring, unsigned int entries, const int *fds, unsigned int count,
	       struct ixgbe_why *why);
/* In the thread that will submit. */
int uring_enable(struct io_uring *ring);
/* Whether a call would bring completions, or may: where the kernel does not tell, always. */
static inline bool uring_has_news(const struct io_uring *ring)
{
	return io_uring_cq_ready(ring) > 0 || !(ring->flags & IORING_SETUP_TASKRUN_FLAG) ||
	       IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}
/* In the same thread, when nothing is in flight: lets the files go. Otherwise the kernel holds them
 * until some time after the ring is closed, and a TAP outlives its owner. */
void uring_release(struct io_uring *ring);
