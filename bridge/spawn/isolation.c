/* SPDX-License-Identifier: MIT */
/*
 * The order is forced by what each step needs:
 *
 *     namespaces, root       CAP_SYS_ADMIN
 *     bounding set           CAP_SETPCAP
 *     user and groups        CAP_SETUID, CAP_SETGID
 *     capabilities           are of no use any more
 *     no_new_privs           before landlock and seccomp, which ask for it without capabilities
 *     landlock               after all mounts, which it denies
 *     not dumpable           after the change of user, which decides anew who may trace
 *     the program's part     none of these: it reads what the keeper has sent
 *     limits                 on what that part has left open
 *     seccomp                after all others, which it denies
 *
 * A step that fails is reported and the next one tried: the report says all that is missing at
 * once.
 */
#include "isolation.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "isolation_filter.h"
#include "isolation_report.h"
#include "isolation_rights.h"
#include "isolation_root.h"

/* What isolation_last adds to: drivers inherit both. */
static struct isolation_report kept;
static enum isolation kept_mode;

static void say_namespace(struct isolation_report *report, enum isolation_mechanism mechanism,
			  int err)
{
	if (!err)
		isolation_say(report, mechanism, ISOLATION_IN_FORCE, "%s", "");
	else
		isolation_say(report, mechanism, ISOLATION_MISSING, "%s%s", strerror(err),
			      err == EPERM    ? ": neither CAP_SYS_ADMIN nor user namespaces"
			      : err == ENOSPC ? ": the limit user.max_*_namespaces is reached"
			      : err == EINVAL ? ": this kernel has none"
					      : "");
}

/* 0 or errno. */
static int leave(int flag)
{
	if (unshare(flag) || (flag == CLONE_NEWUTS && sethostname("", 0)))
		return errno;
	return 0;
}

static void namespaces(const struct isolation_want *want, struct isolation_report *report)
{
	static const struct {
		enum isolation_mechanism mechanism;
		int flag;
	} each[] = {
		{ISOLATION_NETWORK, CLONE_NEWNET},   {ISOLATION_MOUNT, CLONE_NEWNS},
		{ISOLATION_IPC, CLONE_NEWIPC},       {ISOLATION_UTS, CLONE_NEWUTS},
		{ISOLATION_CGROUP, CLONE_NEWCGROUP},
	};

	/* That of processes is the keeper's to make: only children are in a new one. */
	say_namespace(report, ISOLATION_PID,
		      getpid() == 1     ? 0
		      : want->pid_error ? want->pid_error
					: ENOTRECOVERABLE);
	if (want->user_namespace)
		isolation_say(report, ISOLATION_USER_NAMESPACE, ISOLATION_IN_FORCE,
			      "user %u of this one alone", geteuid());
	else if (getpid() == 1)
		isolation_say(report, ISOLATION_USER_NAMESPACE, ISOLATION_UNUSED,
			      "started with privileges, which are given up");
	else
		say_namespace(report, ISOLATION_USER_NAMESPACE, want->pid_error);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		say_namespace(report, each[i].mechanism, leave(each[i].flag));
}

static void root(struct isolation_report *report)
{
	int err;

	if (report->of[ISOLATION_MOUNT].state != ISOLATION_IN_FORCE) {
		isolation_say(report, ISOLATION_ROOT, ISOLATION_MISSING,
			      "it needs a mount namespace");
		return;
	}
	err = isolation_root();
	isolation_say(report, ISOLATION_ROOT, err ? ISOLATION_MISSING : ISOLATION_IN_FORCE, "%s",
		      err ? strerror(-err) : "");
}

static void filter(struct isolation_report *report, enum isolation_mechanism mechanism, int err)
{
	isolation_say(report, mechanism, err ? ISOLATION_MISSING : ISOLATION_IN_FORCE, "%s",
		      err ? strerror(-err) : "");
}

static void isolate_all(const struct isolation_want *want, struct isolation_report *report)
{
	namespaces(want, report);
	root(report);
	isolation_bounding_set(report);
	isolation_user(want, report);
	isolation_capabilities(report);
	isolation_landlock(report);
	isolation_dumpable(report);
}

static int all_required(const struct isolation_report *report, struct ixgbe_why *why)
{
	for (unsigned int i = 0; i < ISOLATION_COUNT; i++)
		if (report->of[i].state == ISOLATION_MISSING)
			return ixgbe_why_fill(why, -EPERM, "--isolation require: no %s: %s",
					      isolation_name(i), report->of[i].text);
	return 0;
}

void isolation_start(const struct isolation_want *want)
{
	kept_mode = want->mode;
	for (unsigned int i = 0; want->mode == ISOLATION_OFF && i < ISOLATION_COUNT; i++)
		isolation_say(&kept, i, ISOLATION_UNUSED, "--isolation off");
	if (want->mode != ISOLATION_OFF)
		isolate_all(want, &kept);
}

int isolation_first(const struct isolation_want *want, struct isolation_report *report,
		    struct ixgbe_why *why)
{
	if (kept_mode != ISOLATION_OFF) {
		isolation_limits(want, &kept);
		filter(&kept, ISOLATION_SECCOMP, isolation_filter_first());
		isolation_say(&kept, ISOLATION_SECCOMP_LAST, ISOLATION_LATER,
			      "when a driver's threads run");
	}
	*report = kept;
	return kept_mode == ISOLATION_REQUIRE ? all_required(report, why) : 0;
}

int isolation_last(struct isolation_report *report)
{
	int err = 0;

	if (kept_mode != ISOLATION_OFF) {
		err = isolation_filter_last();
		filter(&kept, ISOLATION_SECCOMP_LAST, err);
	}
	if (report)
		*report = kept;
	return kept_mode == ISOLATION_REQUIRE ? err : 0;
}
