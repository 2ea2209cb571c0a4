/* SPDX-License-Identifier: MIT */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *hint(int err)
{
	if (err == -ENOSYS)
		return ": Linux 6.1 or newer with io_uring is needed";
	if (err == -EPERM)
		return ": allow it (sysctl kernel.io_uring_disabled=0, or the container's seccomp "
		       "profile)";
	return "";
}

/* What a ring is for, and nothing else: on registered files alone. A filter of system calls does
 * not see what goes through a ring. */
static int restrict_ring(struct io_uring *ring)
{
	static const uint8_t requests[] = {
		IORING_OP_READ,   IORING_OP_READV,    IORING_OP_WRITE,
		IORING_OP_WRITEV, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
	};
	static const uint8_t registers[] = {
		IORING_REGISTER_RING_FDS,
		IORING_UNREGISTER_FILES,
	};
	struct io_uring_restriction all[sizeof(requests) + sizeof(registers) + 1];
	unsigned int count = 0;

	memset(all, 0, sizeof(all));
	for (size_t i = 0; i < sizeof(requests); i++) {
		all[count].opcode = IORING_RESTRICTION_SQE_OP;
		all[count++].sqe_op = requests[i];
	}
	for (size_t i = 0; i < sizeof(registers); i++) {
		all[count].opcode = IORING_RESTRICTION_REGISTER_OP;
		all[count++].register_op = registers[i];
	}
	/* A cancellation, too, has the flag, which means nothing to it. */
	all[count].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	all[count++].sqe_flags = IOSQE_FIXED_FILE;
	/* liburing 2.3 declares io_uring_register_restrictions and does not export it. */
	return syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, all,
		       count)
		       ? -errno
		       : 0;
}

int uring_init(struct io_uring *ring, unsigned int entries, const int *fds, unsigned int count,
	       struct ixgbe_why *why)
{
	/* The best first: completions run when the thread enters the kernel, without an interrupt,
	 * and a flag says that there are some. DEFER_TASKRUN since Linux 6.1, the others
	 * since 5.19.
	 */
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	const char *what = "create";
	int err = -EINVAL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && err == -EINVAL; i++) {
		struct io_uring_params params = {.flags = flags[i] | IORING_SETUP_R_DISABLED};

		err = io_uring_queue_init_params(entries, ring, &params);
	}
	if (!err) {
		what = "register files with";
		err = io_uring_register_files(ring, fds, count);
		if (!err) {
			what = "restrict";
			err = restrict_ring(ring);
		}
		if (err)
			io_uring_queue_exit(ring);
	}
	if (err)
		ixgbe_why_fill(why, err, "cannot %s an io_uring: %s%s", what, strerror(-err),
			       hint(err));
	return err;
}

int uring_enable(struct io_uring *ring)
{
	/* Spares a look-up of the descriptor in each call; fails before Linux 5.18. */
	io_uring_register_ring_fd(ring);
	/* liburing 2.3 declares io_uring_enable_rings but its shared library has no such symbol. */
	return syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0)
		       ? -errno
		       : 0;
}

void uring_release(struct io_uring *ring)
{
	io_uring_unregister_files(ring);
}
