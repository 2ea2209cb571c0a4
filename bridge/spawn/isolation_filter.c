/* SPDX-License-Identifier: MIT */
/*
 * Two lists. `running` is what a driver needs for ever, `starting` is what the spawner, and a
 * driver before isolation_last, need besides. A call that is on none kills the process: SIGSYS,
 * which the spawner reports and the kernel logs with the call's number.
 *
 * Not there, and not missed: whatever makes a descriptor from a name, a socket, a process of
 * another kind, memory that can be executed; ioctl (TAP and device are set up by the keeper);
 * fallocate and madvise's MADV_REMOVE, which would punch holes into memory that others use;
 * process_vm_*, ptrace, bpf, keyctl, mount, and all that needs privileges.
 *
 * seccomp does not see what an io_uring does: io_uring_setup is allowed at the start alone, and a
 * ring is restricted to its opcodes and registered files before it is enabled (frames/uring.c).
 */
#include "isolation_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define INT_BITS 0xffffffffu
/* Of io_uring_register's opcode: all but the flag that names the ring by its registered number, as
 * liburing does from 2.4 on. */
#define OPCODE_BITS (INT_BITS & ~(1u << 31))

/* A call, under conditions on bits of its arguments: mask 0 is none. */
struct permit {
	int call;
	struct {
		uint8_t argument;
		uint64_t mask, value;
	} when[2];
	uint32_t action; /* 0: allowed */
};

#define CALL(name)                                                                                 \
	{                                                                                          \
		.call = SCMP_SYS(name)                                                             \
	}
#define CALL_IF(name, arg, mask, value)                                                            \
	{                                                                                          \
		.call = SCMP_SYS(name), .when = { {arg, mask, value} }                             \
	}

static const struct permit running[] = {
	/* A frame's way. */
	CALL(io_uring_enter),
	CALL(sched_yield),   /* a worker that polls lets others run */
	CALL(read),          /* eventfds, and a region channel's answers */
	CALL(write),         /* eventfds: another worker is woken */
	CALL(futex),         /* locks of libixgbe, threads that end */
	CALL(clock_gettime), /* where the vDSO has no clock, under some hypervisors */
	/* Control: messages of the keeper, registers over a region channel. */
	CALL(sendmsg),
	CALL(recvmsg),
	CALL(sendto),   /* send(3) */
	CALL(recvfrom), /* recv(3) */
	CALL(preadv2),  /* the eventfd of other causes, without waiting */
	CALL(poll),
	CALL(ppoll),
	CALL(close),           /* descriptors in a message that has none */
	CALL(clock_nanosleep), /* bounded waits for the hardware */
	CALL(restart_syscall), /* a wait that SIGSTOP and SIGCONT interrupted */
	/* malloc, of words for a failure; a thread's stack when it ends. */
	CALL(sched_getaffinity), /* how many arenas */
	CALL(brk),
	CALL(munmap),
	CALL_IF(madvise, 2, INT_BITS, MADV_DONTNEED),
	CALL_IF(mprotect, 2, PROT_EXEC, 0), /* another thread's heap grows */
	{.call = SCMP_SYS(mmap), .when = {{2, PROT_EXEC, 0}, {3, MAP_ANONYMOUS, MAP_ANONYMOUS}}},
	/* A thread that was made just before the filter has still to begin. */
	CALL(rseq),
	CALL(set_robust_list),
	CALL(rt_sigprocmask),
	/* Ends: of a worker, of a thread, of the process. */
	CALL_IF(io_uring_register, 1, OPCODE_BITS, IORING_UNREGISTER_FILES),
	CALL_IF(io_uring_register, 1, OPCODE_BITS, IORING_UNREGISTER_RING_FDS),
	CALL(exit),
	CALL(exit_group),
};

static const struct permit starting[] = {
	/* The spawner. */
	CALL_IF(clone, 0, ISOLATION_NAMESPACES, 0), /* fork, pthread_create */
	/* Its flags lie in memory, which no filter sees: libc takes clone then. */
	{.call = SCMP_SYS(clone3), .action = SCMP_ACT_ERRNO(ENOSYS)},
	CALL(waitid),
	CALL(pidfd_open),
	CALL(rt_sigreturn), /* SIGCHLD's handler */
	CALL(getppid),      /* whether the spawner lives */
	CALL_IF(prctl, 0, INT_BITS, PR_SET_PDEATHSIG),
	CALL_IF(fcntl, 1, INT_BITS, F_GETFD), /* which descriptors there are */
	CALL_IF(prlimit64, 0, INT_BITS, 0),   /* its own limits, which can only fall */
	/* A thread begins. */
	CALL(rt_sigaction),
	CALL(gettid),
	CALL(getpid),
	CALL(getrandom), /* malloc */
	CALL(mremap),    /* realloc */
	CALL_IF(mmap, 2, PROT_EXEC, 0),
	CALL_IF(prctl, 0, INT_BITS, PR_SET_NAME),
	CALL(sched_setaffinity),
	/* pthread_setname_np of another thread opens a file, and time a zone: an empty root has
	   none. */
	{.call = SCMP_SYS(openat), .action = SCMP_ACT_ERRNO(ENOENT)},
	CALL(getsockopt),                     /* whether a region channel is a stream */
	CALL_IF(fcntl, 1, INT_BITS, F_GETFL), /* whether the TAP's descriptors wait */
	CALL(pwritev2),                       /* whether a TAP knows RWF_NOWAIT */
	/* io_uring. */
	CALL(io_uring_setup),
	CALL(io_uring_register),
	CALL(eventfd2),
	/* The last filter. */
	CALL(seccomp),
	CALL_IF(prctl, 0, INT_BITS, PR_SET_NO_NEW_PRIVS),
};

#ifdef __SANITIZE_ADDRESS__
/* What the sanitizers' runtime does besides, in such a build alone. */
static const struct permit sanitizers[] = {
	CALL_IF(madvise, 2, INT_BITS, MADV_DONTDUMP), /* its shadow */
	CALL_IF(madvise, 2, INT_BITS, MADV_NOHUGEPAGE),
	CALL(sigaltstack), /* each thread, which looks at its attributes, too */
	CALL(gettid),
	CALL(sched_getaffinity),
	CALL_IF(mmap, 2, PROT_EXEC, 0),
};
#endif

static int permit(scmp_filter_ctx filter, const struct permit *permits, size_t count)
{
	struct scmp_arg_cmp conditions[2];
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		const struct permit *one = &permits[i];
		unsigned int n = 0;

		for (size_t j = 0; j < 2; j++)
			if (one->when[j].mask)
				conditions[n++] =
					(struct scmp_arg_cmp){.arg = one->when[j].argument,
							      .op = SCMP_CMP_MASKED_EQ,
							      .datum_a = one->when[j].mask,
							      .datum_b = one->when[j].value};
		err = seccomp_rule_add_array(filter, one->action ? one->action : SCMP_ACT_ALLOW,
					     one->call, n, conditions);
	}
	return err;
}

#define PERMIT(filter, list) permit(filter, list, sizeof(list) / sizeof((list)[0]))

static int load(int (*fill)(scmp_filter_ctx filter))
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!filter)
		return -ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = fill(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

static int fill_last(scmp_filter_ctx filter)
{
	int err = PERMIT(filter, running);

#ifdef __SANITIZE_ADDRESS__
	if (!err)
		err = PERMIT(filter, sanitizers);
#endif
	return err;
}

static int fill_first(scmp_filter_ctx filter)
{
	int err = fill_last(filter);

	return err ? err : PERMIT(filter, starting);
}

int isolation_filter_first(void)
{
	return load(fill_first);
}

int isolation_filter_last(void)
{
	return load(fill_last);
}
