/* SPDX-License-Identifier: MIT */
/*
 * Nothing is believed that can be read back: sets of capabilities, no_new_privs, dumpable and the
 * limits are looked at after they were set.
 *
 * With an older ABI of landlock the namespaces do what the later rights would. TAP queues stay
 * usable: landlock is not about descriptors that were opened before.
 */
#include "isolation_rights.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bridge/service/landlock.h"
#include "capability_sets.h"
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
	int err = capability_sets_bounding(0);

	if (err)
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_MISSING,
			      "the bounding set stays, the others are empty: %s", strerror(-err));
	else
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_IN_FORCE, "%s", "");
}

void isolation_capabilities(struct isolation_report *report)
{
	uint64_t left = 0;
	int err = capability_sets_reduce(0, &left);

	if (left)
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_MISSING,
			      "0x%llx of them are left", (unsigned long long)left);
	else if (err)
		isolation_say(report, ISOLATION_CAPABILITIES, ISOLATION_MISSING, "%s",
			      strerror(-err));
}

/* ---- landlock ---- */

void isolation_landlock(struct isolation_report *report)
{
	const struct landlock_want none = {.writable = NULL};
	char text[ISOLATION_TEXT_BYTES - 1];
	int abi;

	/* Landlock asks for it. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		isolation_say(report, ISOLATION_NO_NEW_PRIVS, ISOLATION_MISSING, "%s",
			      strerror(errno));
	else
		isolation_say(report, ISOLATION_NO_NEW_PRIVS, ISOLATION_IN_FORCE, "%s", "");
	abi = landlock_restrict(&none);
	landlock_text(abi, text, sizeof(text));
	isolation_say(report, ISOLATION_LANDLOCK, abi < 0 ? ISOLATION_MISSING : ISOLATION_IN_FORCE,
		      "%s", text);
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
