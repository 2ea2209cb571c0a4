/* SPDX-License-Identifier: MIT */
/*
 * A user is taken when a process has it, of any kind (real, effective, saved, of files; groups,
 * too), when /etc/passwd or /etc/group name it, or when systemd gave it to a service with
 * DynamicUser=, whose range this is. Two keepers that choose in the same instant begin at different
 * places, as their interfaces' names differ.
 *
 * Other containers' processes are not seen, and the kernel counts locked memory by user, whichever
 * container it is in. So the place depends on the PID namespace, too.
 */
#include "free_user.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capability_sets.h"
#include "spawn.h"

#define USERS (ISOLATION_USER_LAST - ISOLATION_USER_FIRST + 1)
/* Where systemd has a file for each user that it gave out. */
#define SYSTEMD_USERS "/run/systemd/dynamic-uid/%u"

struct taken {
	uint8_t by[USERS];
};

static void take(struct taken *taken, unsigned long id)
{
	if (id >= ISOLATION_USER_FIRST && id <= ISOLATION_USER_LAST)
		taken->by[id - ISOLATION_USER_FIRST] = 1;
}

static void take_accounts(struct taken *taken)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;
	const struct group *group;

	while (file && (user = fgetpwent(file)))
		take(taken, user->pw_uid);
	if (file)
		fclose(file);
	file = fopen("/etc/group", "re");
	while (file && (group = fgetgrent(file)))
		take(taken, group->gr_gid);
	if (file)
		fclose(file);
}

/* "Uid:	0	0	0	0" and the like. */
static void user_line_take(struct taken *taken, const char *line)
{
	char *end;

	if (strncmp(line, "Uid:", 4) != 0 && strncmp(line, "Gid:", 4) != 0 &&
	    strncmp(line, "Groups:", 7) != 0)
		return;
	for (const char *at = strchr(line, ':') + 1;; at = end) {
		unsigned long id = strtoul(at, &end, 10);

		if (end == at)
			return;
		take(taken, id);
	}
}

static void take_process(struct taken *taken, const char *pid)
{
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	file = fopen(path, "re");
	while (file && getline(&line, &size, file) > 0)
		user_line_take(taken, line);
	free(line);
	if (file)
		fclose(file);
}

static void take_processes(struct taken *taken)
{
	DIR *all = opendir("/proc");
	const struct dirent *entry;

	while (all && (entry = readdir(all)))
		if (isdigit((unsigned char)entry->d_name[0]))
			take_process(taken, entry->d_name);
	if (all)
		closedir(all);
}

static bool by_systemd(uid_t user)
{
	char path[64];

	snprintf(path, sizeof(path), SYSTEMD_USERS, user);
	return access(path, F_OK) == 0;
}

static bool may_become_another(void)
{
	const uint64_t wanted = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID);

	return (capability_sets_effective() & wanted) == wanted;
}

/* FNV-1a: 2166136261 is the value of no bytes. */
static uint32_t hash(uint32_t value, const void *bytes, size_t count)
{
	for (const unsigned char *at = bytes; count; at++, count--)
		value = (value ^ *at) * 16777619u;
	return value;
}

static uint32_t place_first(const char *name)
{
	struct stat pid_namespace;
	const uint32_t value = hash(2166136261u, name, strlen(name));

	if (stat("/proc/self/ns/pid", &pid_namespace))
		return value % USERS;
	return hash(value, &pid_namespace.st_ino, sizeof(pid_namespace.st_ino)) % USERS;
}

int free_user(const char *name, uid_t *out, struct ixgbe_why *why)
{
	struct taken taken = {{0}};
	const uint32_t first = place_first(name);

	if (!may_become_another())
		return 0;
	take_accounts(&taken);
	take_processes(&taken);
	for (uint32_t i = 0; i < USERS; i++) {
		const uint32_t at = (first + i) % USERS;

		if (taken.by[at] || by_systemd(ISOLATION_USER_FIRST + at))
			continue;
		*out = ISOLATION_USER_FIRST + at;
		return 0;
	}
	return ixgbe_why_fill(why, -EUSERS, "all users from %u to %u are taken: give one",
			      ISOLATION_USER_FIRST, ISOLATION_USER_LAST);
}
