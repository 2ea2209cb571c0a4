/* SPDX-License-Identifier: MIT */
/*
 * Nothing is believed that can be read back: sets of capabilities, no_new_privs, dumpable and the
 * limits are looked at after they were set.
 *
 * Landlock denies what it is told to handle; what a newer kernel adds is not handled by itself.
 * Here is all up to ABI 6 (Linux 6.12). With an older ABI the namespaces do what the later rights
 * would: 4 (6.7) and 6 are about ports, abstract sockets and signals, 5 (6.10) is about devices'
 * ioctls. A descriptor that was opened before is not concerned: TAP queues stay usable.
 */
#include "isolation_rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation_report.h"

/* ---- User and capabilities ---- */

void isolation_user(const struct isolation_want *want, struct isolation_report *report)
{
	const uid_t before = geteuid(), user = want->user;

	if (user == ISOLATION_USER_FREE || want->user_namespace) {
		isolation_say(report, ISOLATION_USER, ISOLATION_MISSING,
			      "started without CAP_SETUID and CAP_SETGID: it stays user %u",
			      before);
		return;
	}
	if (setgroups(0, NULL) || setresgid(user, user, user) || setresuid(user, user, user)) {
		isolation_say(report, ISOLATION_USER, ISOLATION_MISSING,
			      "cannot become user %u: %s: it stays user %u", user, strerror(errno),
			      geteuid());
		return;
	}
	isolation_say(report, ISOLATION_USER,
		      user == before ? ISOLATION_MISSING : ISOLATION_IN_FORCE,
		      user == before ? "user %u is the keeper's, too" : "user and group %u", user);
}

/* Of CAP_SETPCAP, which goes with the user. */
void isolation_bounding_set(struct isolation_report *report)
{
	int err = 0;

	for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (prctl(PR_CAPBSET_READ, i) == 1 && prctl(PR_CAPBSET_DROP, i))
			err = errno;
	if (err)
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_MISSING,
			      "the bounding set stays, the others are empty: %s", strerror(err));
	else
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_IN_FORCE, "%s", "");
}

void isolation_capabilities(struct isolation_report *report)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	uint32_t left = 0;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capset, &head, data) || syscall(SYS_capget, &head, data)) {
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_MISSING, "%s",
			      strerror(errno));
		return;
	}
	for (int i = 0; i < 2; i++)
		left |= data[i].effective | data[i].permitted | data[i].inheritable;
	if (left)
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_MISSING,
			      "0x%x of them are left", left);
}

/* ---- landlock ---- */

#define ABI_KNOWN       6
#define ACCESS_FS_FIRST 0x1fffu /* ABI 1: EXECUTE to MAKE_SYM */
#define ACCESS_NET      0x3u    /* ABI 4: BIND_TCP, CONNECT_TCP */
#define SCOPED          0x3u    /* ABI 6: abstract sockets, signals */

/* As newer kernels have them. */
struct landlock_rules {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static uint64_t access_fs(long abi)
{
	uint64_t access = ACCESS_FS_FIRST;

	if (abi >= 2)
		access |= 1u << 13; /* REFER */
	if (abi >= 3)
		access |= 1u << 14; /* TRUNCATE */
	if (abi >= 5)
		access |= 1u << 15; /* IOCTL_DEV */
	return access;
}

static int restrict_self(long abi)
{
	const struct landlock_rules rules = {
		.handled_access_fs = access_fs(abi),
		.handled_access_net = abi >= 4 ? ACCESS_NET : 0,
		.scoped = abi >= 6 ? SCOPED : 0,
	};
	const size_t bytes = abi >= 6 ? sizeof(rules) : abi >= 4 ? 16 : 8;
	const int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, bytes, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err;
}

void isolation_landlock(struct isolation_report *report)
{
	long abi;
	int err;

	/* Landlock asks for it. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		isolation_say(report, ISOLATION_NO_NEW_PRIVS, ISOLATION_MISSING, "%s",
			      strerror(errno));
	else
		isolation_say(report, ISOLATION_NO_NEW_PRIVS, ISOLATION_IN_FORCE, "%s", "");
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* which ABI */);
	err = abi < 0 ? -errno : restrict_self(abi);
	if (err)
		isolation_say(report, ISOLATION_LANDLOCK, ISOLATION_MISSING,
			      err == -ENOSYS       ? "this kernel has none: %s"
			      : err == -EOPNOTSUPP ? "it is off in this kernel (lsm=): %s"
						   : "%s",
			      strerror(-err));
	else
		isolation_say(report, ISOLATION_LANDLOCK, ISOLATION_IN_FORCE, "ABI %ld",
			      abi < ABI_KNOWN ? abi : ABI_KNOWN);
}

/* ---- Limits ---- */

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limit = {.rlim_cur = 0};

	if (getrlimit(resource, &limit))
		return -errno;
	if (value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) ? -errno : 0;
}

void isolation_limits(const struct isolation_want *want, struct isolation_report *report)
{
	const bool alone =
		want->user_namespace || report->of[ISOLATION_USER].state == ISOLATION_IN_FORCE;
	int err = limit(RLIMIT_NOFILE, want->files);

	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_FSIZE, 0);
	if (!err)
		err = limit(RLIMIT_MSGQUEUE, 0);
	if (!err && alone)
		err = limit(RLIMIT_NPROC, want->tasks);
	if (err)
		isolation_say(report, ISOLATION_LIMITS, ISOLATION_MISSING, "%s", strerror(-err));
	else if (!alone)
		isolation_say(report, ISOLATION_LIMITS, ISOLATION_MISSING,
			      "all but that of processes, which would count its user's others");
	else
		isolation_say(report, ISOLATION_LIMITS, ISOLATION_IN_FORCE, "%u files, %u tasks",
			      want->files, want->tasks);
}

void isolation_dumpable(struct isolation_report *report)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		isolation_say(report, ISOLATION_DUMPABLE, ISOLATION_MISSING, "%s", strerror(errno));
	else
		isolation_say(report, ISOLATION_DUMPABLE, ISOLATION_IN_FORCE, "%s", "");
}
