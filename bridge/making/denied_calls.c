/* SPDX-License-Identifier: MIT */
/*
 * A list of what is denied, where the driver has one of what is allowed. A keeper executes the next
 * version of itself, whose libraries and start are not known today; a list of what is allowed would
 * have to have all that the next one may need. Denied is what gives power over the machine, or is a
 * large part of the kernel that a keeper has no use for.
 *
 * clone3 and openat2 have their flags in memory, which no filter sees. They are said to be missing,
 * and libraries take clone and openat then.
 */
#include "denied_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/spawn/isolation_filter.h"

/* Newer than some libseccomp and headers; these numbers are the same on all processors. */
#define CALL_FCHMODAT2     452
#define CALL_SETXATTRAT    463
#define CALL_REMOVEXATTRAT 466

static const int of_maker[] = {
	/* The kernel itself. */
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(bpf),
	SCMP_SYS(reboot),
	SCMP_SYS(syslog),
	SCMP_SYS(acct),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(quotactl),
	SCMP_SYS(ioperm),
	SCMP_SYS(iopl),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	/* Other processes' memory, and what is watched of them. */
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
#ifndef __SANITIZE_ADDRESS__ /* which traces its own threads */
	SCMP_SYS(ptrace),
#endif
	/* Parts of the kernel that nobody here needs. */
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(uselib),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(vhangup),
};

static const int of_keeper[] = {
	/* What a spawner needs, and a maker makes. */
	SCMP_SYS(unshare),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(fsopen),
	SCMP_SYS(fspick),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	/* Users, and what belongs to whom. */
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setreuid),
	SCMP_SYS(setregid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid),
	SCMP_SYS(setgroups),
	SCMP_SYS(chown),
	SCMP_SYS(fchown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	CALL_FCHMODAT2,
	/* An ACL is an attribute, and may say what a mode says. */
	SCMP_SYS(setxattr),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(removexattr),
	SCMP_SYS(lremovexattr),
	SCMP_SYS(fremovexattr),
	CALL_SETXATTRAT,
	CALL_REMOVEXATTRAT,
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	/* Of files by their names; landlock knows of that from ABI 3 on. */
	SCMP_SYS(truncate),
	SCMP_SYS(creat),
	/* Drivers have rings; the keeper moves no frame. */
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
};

static const int of_required[] = {SCMP_SYS(setns)};

/* -EDOM, -EFAULT: this processor has no such call. */
static int list_deny(scmp_filter_ctx filter, const int *call, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call[i], 0);
		if (err == -EDOM || err == -EFAULT)
			err = 0;
	}
	return err;
}

/* A bit of clone's flags that is set is a namespace; one rule for each. */
static int clone_deny(scmp_filter_ctx filter)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (int bit = 0; bit < 32 && !err; bit++)
		if (ISOLATION_NAMESPACES >> bit & 1)
			err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
					       SCMP_A0(SCMP_CMP_MASKED_EQ, UINT64_C(1) << bit,
						       UINT64_C(1) << bit));
	return err;
}

/* Before ABI 3 of landlock a file that is opened for reading alone can be truncated by that. */
static int truncating_deny(scmp_filter_ctx filter)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);

	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, O_TRUNC, O_TRUNC));
	if (err)
		return err;
	err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
			       SCMP_A1(SCMP_CMP_MASKED_EQ, O_TRUNC, O_TRUNC));
	return err == -EDOM || err == -EFAULT ? 0 : err; /* this processor has no open */
}

#define LIST_DENY(filter, list) list_deny(filter, list, sizeof(list) / sizeof((list)[0]))

static int all_deny(scmp_filter_ctx filter, enum denied_to who)
{
	int err = LIST_DENY(filter, of_maker);

	if (!err && who >= DENIED_TO_KEEPER)
		err = LIST_DENY(filter, of_keeper);
	if (!err && who >= DENIED_TO_KEEPER)
		err = clone_deny(filter);
	if (!err && who >= DENIED_TO_KEEPER)
		err = truncating_deny(filter);
	if (!err && who >= DENIED_TO_REQUIRED)
		err = LIST_DENY(filter, of_required);
	return err;
}

int denied_calls(enum denied_to who)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err;

	if (!filter)
		return -ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = all_deny(filter, who);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
