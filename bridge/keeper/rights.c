/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * What a keeper needs after its start depends on what it is to do, and so on --isolation:
 *
 *                       best                              require
 *     user              that of the start: may open the   one of its own
 *                       NIC, and its server, again
 *     capabilities      net_admin      TAP, netlink       net_admin, which is ambient: an upgrade
 *                       net_broadcast  news of other      keeps it
 *                                      namespaces
 *                       sys_admin      goes there
 *                       ipc_lock       DMA memory
 *                       dac_override   sockets of others
 *     landlock          writes no file but devices        the same
 *     seccomp           what is never needed              besides, no other namespace
 *     gives up          nothing                           following the interface into other
 *                                                         namespaces; opening the NIC again
 *
 * All of it rests on the maker: a keeper that makes drivers itself needs nearly all that root has,
 * and cannot deny it to itself without denying it to them. Without a maker only those capabilities
 * go that drivers do not need either.
 *
 * The order is forced by what each step needs: bounding set and user take capabilities, landlock
 * and seccomp take no_new_privs, and seccomp denies all those before it.
 *
 * An exec keeps all of this, so an upgrade hands over what is in force, and does not put it into
 * force once more: landlock has room for 16 layers, and each filter is looked at at each call.
 */
#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bridge/making/denied_calls.h"
#include "bridge/service/landlock.h"
#include "bridge/service/text_json.h"
#include "bridge/spawn/capability_sets.h"
#include "bridge/spawn/free_user.h"

#define KEPT_REQUIRE CAPABILITY(CAP_NET_ADMIN)
#define KEPT_BEST                                                                                  \
	(KEPT_REQUIRE | CAPABILITY(CAP_NET_BROADCAST) | CAPABILITY(CAP_SYS_ADMIN) |                \
	 CAPABILITY(CAP_IPC_LOCK) | CAPABILITY(CAP_DAC_OVERRIDE))
/* Of who makes spawners itself. */
#define KEPT_ALONE                                                                                 \
	(KEPT_BEST | CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETPCAP) |   \
	 CAPABILITY(CAP_KILL))

/* What is opened for writing after the start: a TAP that is made anew, VFIO, and nothing else. */
static const char *const writable[] = {"/dev/null", "/dev/net/tun", "/dev/vfio", NULL};

const char *rights_name(enum rights_mechanism mechanism)
{
	static const char *const names[RIGHTS_COUNT] = {
#define M(symbol, name) [RIGHTS_##symbol] = name,
		RIGHTS_MECHANISMS(M)
#undef M
	};

	return names[mechanism];
}

static void right_say(struct rights *rights, enum rights_mechanism mechanism,
		      enum isolation_state state, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void right_say(struct rights *rights, enum rights_mechanism mechanism,
		      enum isolation_state state, const char *format, ...)
{
	struct isolation_fact *fact = &rights->of[mechanism];
	va_list args;

	fact->state = (uint8_t)state;
	va_start(args, format);
	vsnprintf(fact->text, sizeof(fact->text), format, args);
	va_end(args);
}

static bool holds(const struct rights *rights, enum rights_mechanism mechanism)
{
	return rights->of[mechanism].state == ISOLATION_IN_FORCE;
}

/* ---- Each of them ---- */

static int user_change(uid_t user)
{
	if (capability_sets_across(true) || setgroups(0, NULL) || setresgid(user, user, user) ||
	    setresuid(user, user, user))
		return -errno;
	(void)capability_sets_across(false);
	/* /proc/self would be root's, and no descriptor of ours could be looked at; nobody else is
	 * this user. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

static void user_give_up(struct rights *rights, const struct options *options)
{
	char name[IFNAMSIZ + 16];
	struct ixgbe_why why = {""};
	uid_t user = ISOLATION_USER_FREE;
	int err;

	/* Not the driver's, which begins its search by the interface's name. */
	snprintf(name, sizeof(name), "keeper of %s", options->tap);
	err = free_user(name, &user, &why);
	if (err || user == ISOLATION_USER_FREE) {
		right_say(rights, RIGHTS_USER, ISOLATION_MISSING, "%s",
			  err ? why.text : "started without CAP_SETUID and CAP_SETGID");
		return;
	}
	err = user_change(user);
	if (err)
		right_say(rights, RIGHTS_USER, ISOLATION_MISSING, "cannot become user %u: %s", user,
			  strerror(-err));
	else
		right_say(rights, RIGHTS_USER, ISOLATION_IN_FORCE, "user and group %u", user);
}

static void capabilities_say(struct rights *rights, int err, uint64_t left)
{
	char text[ISOLATION_TEXT_BYTES - 1];

	capability_sets_text(left, text, sizeof(text));
	if (err)
		right_say(rights, RIGHTS_CAPABILITIES, ISOLATION_MISSING, "%s", strerror(-err));
	else
		right_say(rights, RIGHTS_CAPABILITIES, ISOLATION_IN_FORCE, "%s", text);
}

static void capabilities_reduce(struct rights *rights, uint64_t keep)
{
	uint64_t left = 0;
	int err;

	(void)capability_sets_bounding(keep);
	err = capability_sets_reduce(keep, &left);
	capabilities_say(rights, err, left);
}

/* DMA memory that replaces other memory is locked, as CAP_IPC_LOCK allowed; as far as can be. */
static void memory_lock_allow(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (!setrlimit(RLIMIT_MEMLOCK, &limit) || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* With the user: what is left is what an exec gives, too. */
static void capabilities_become(struct rights *rights, const struct options *options)
{
	int err;

	memory_lock_allow();
	(void)capability_sets_bounding(KEPT_REQUIRE);
	user_give_up(rights, options);
	err = capability_sets_ambient(KEPT_REQUIRE);
	if (!err && capability_sets_effective() != KEPT_REQUIRE)
		err = -EPERM;
	capabilities_say(rights, err, KEPT_REQUIRE);
}

static void no_new_privs(struct rights *rights)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		right_say(rights, RIGHTS_NO_NEW_PRIVS, ISOLATION_MISSING, "%s", strerror(errno));
	else
		right_say(rights, RIGHTS_NO_NEW_PRIVS, ISOLATION_IN_FORCE, "%s", "");
}

static void files_give_up(struct rights *rights)
{
	const struct landlock_want want = {
		.reads = true, .devices = true, .abstract = true, .writable = writable};
	const int abi = landlock_restrict(&want);
	char text[ISOLATION_TEXT_BYTES - 1];

	landlock_text(abi, text, sizeof(text));
	right_say(rights, RIGHTS_LANDLOCK, abi < 0 ? ISOLATION_MISSING : ISOLATION_IN_FORCE, "%s",
		  text);
}

static void calls_give_up(struct rights *rights, bool require)
{
	int err = denied_calls(require ? DENIED_TO_REQUIRED : DENIED_TO_KEEPER);

	if (err)
		right_say(rights, RIGHTS_SECCOMP, ISOLATION_MISSING, "%s", strerror(-err));
	else
		right_say(rights, RIGHTS_SECCOMP, ISOLATION_IN_FORCE, "%s",
			  require ? "no other namespace, either" : "");
}

/* ---- All of them ---- */

static void without_maker(struct rights *rights)
{
	static const enum rights_mechanism missing[] = {RIGHTS_MAKER, RIGHTS_USER, RIGHTS_LANDLOCK,
							RIGHTS_SECCOMP};

	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		right_say(rights, missing[i], ISOLATION_MISSING,
			  "started without privileges: ixtapd makes its processes itself");
	capabilities_reduce(rights, KEPT_ALONE);
	no_new_privs(rights);
}

static void with_maker(struct rights *rights, const struct options *options,
		       const struct maker *maker)
{
	const bool require = options->isolation == ISOLATION_REQUIRE;

	right_say(rights, RIGHTS_MAKER, ISOLATION_IN_FORCE, "process %d", maker->pid);
	if (!require)
		right_say(rights, RIGHTS_USER, ISOLATION_UNUSED,
			  "best: it stays user %u, who can open the NIC again", geteuid());
	if (!require)
		capabilities_reduce(rights, KEPT_BEST);
	else if (!holds(rights, RIGHTS_USER) || !holds(rights, RIGHTS_CAPABILITIES))
		capabilities_become(rights, options);
	no_new_privs(rights);
	if (!holds(rights, RIGHTS_LANDLOCK))
		files_give_up(rights);
	if (!holds(rights, RIGHTS_SECCOMP))
		calls_give_up(rights, require);
}

int rights_give_up(struct rights *rights, const struct options *options, const struct maker *maker,
		   struct ixgbe_why *why)
{
	if (options->isolation == ISOLATION_OFF) {
		for (size_t i = 0; i < RIGHTS_COUNT; i++)
			right_say(rights, (enum rights_mechanism)i, ISOLATION_UNUSED,
				  "--isolation off");
		return 0;
	}
	if (maker_there(maker))
		with_maker(rights, options, maker);
	else
		without_maker(rights);
	if (options->isolation != ISOLATION_REQUIRE)
		return 0;
	for (size_t i = 0; i < RIGHTS_COUNT; i++)
		if (rights->of[i].state == ISOLATION_MISSING)
			return ixgbe_why_fill(
				why, -EPERM, "--isolation require: no %s of ixtapd itself: %s",
				rights_name((enum rights_mechanism)i), rights->of[i].text);
	return 0;
}

bool rights_whole(const struct rights *rights)
{
	for (size_t i = 0; i < RIGHTS_COUNT; i++)
		if (rights->of[i].state == ISOLATION_MISSING)
			return false;
	return true;
}

bool rights_other_user(const struct rights *rights)
{
	return holds(rights, RIGHTS_USER);
}

bool rights_open_nic(const struct rights *rights, enum options_nic_kind kind)
{
	return kind == OPTIONS_NIC_SOFT || !rights_other_user(rights);
}

/* ---- From one program to the next ---- */

json_t *rights_hand_over(const struct rights *rights)
{
	json_t *json = json_object();

	for (size_t i = 0; i < RIGHTS_COUNT; i++)
		if (rights->of[i].state == ISOLATION_IN_FORCE)
			json_object_set_new(json, rights_name((enum rights_mechanism)i),
					    text_json(rights->of[i].text));
	return json;
}

/* What can be read back is not believed. */
static bool really(enum rights_mechanism mechanism)
{
	switch (mechanism) {
	case RIGHTS_SECCOMP:
		return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
	case RIGHTS_USER:
		return geteuid() >= ISOLATION_USER_FIRST && geteuid() <= ISOLATION_USER_LAST;
	case RIGHTS_CAPABILITIES:
		return capability_sets_effective() == KEPT_REQUIRE;
	default:
		return true;
	}
}

void rights_take_over(struct rights *rights, const json_t *from)
{
	for (size_t i = 0; i < RIGHTS_COUNT; i++) {
		const enum rights_mechanism mechanism = (enum rights_mechanism)i;
		const char *text = json_string_value(json_object_get(from, rights_name(mechanism)));

		if (text && really(mechanism))
			right_say(rights, mechanism, ISOLATION_IN_FORCE, "%s", text);
	}
}
