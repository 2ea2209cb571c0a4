/* SPDX-License-Identifier: MIT */
#include "capability_sets.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sets {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
};

static int sets_get(struct sets *sets)
{
	*sets = (struct sets){.head.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capget, &sets->head, sets->data) ? -errno : 0;
}

static int sets_set(struct sets *sets)
{
	return syscall(SYS_capset, &sets->head, sets->data) ? -errno : 0;
}

uint64_t capability_sets_effective(void)
{
	struct sets sets;

	if (sets_get(&sets))
		return 0;
	return sets.data[0].effective | (uint64_t)sets.data[1].effective << 32;
}

int capability_sets_bounding(uint64_t keep)
{
	int err = 0;

	for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (!(keep >> i & 1) && prctl(PR_CAPBSET_READ, i) == 1 && prctl(PR_CAPBSET_DROP, i))
			err = -errno;
	return err;
}

int capability_sets_reduce(uint64_t keep, uint64_t *left)
{
	struct sets sets;
	int err = sets_get(&sets);

	for (int i = 0; i < 2; i++) {
		sets.data[i].permitted &= (uint32_t)(keep >> 32 * i);
		sets.data[i].effective &= sets.data[i].permitted;
		sets.data[i].inheritable &= sets.data[i].permitted;
	}
	if (!err)
		err = sets_set(&sets);
	if (!err)
		err = sets_get(&sets);
	if (err)
		return err;
	for (int i = 0; i < 2; i++)
		sets.data[i].permitted |= sets.data[i].effective | sets.data[i].inheritable;
	*left = sets.data[0].permitted | (uint64_t)sets.data[1].permitted << 32;
	return *left & ~keep ? -EPERM : 0;
}

int capability_sets_across(bool begin)
{
	return prctl(PR_SET_KEEPCAPS, begin, 0, 0, 0) ? -errno : 0;
}

int capability_sets_ambient(uint64_t keep)
{
	struct sets sets = {.head.version = _LINUX_CAPABILITY_VERSION_3};
	int err;

	for (int i = 0; i < 2; i++) {
		const uint32_t half = (uint32_t)(keep >> 32 * i);

		sets.data[i].permitted = sets.data[i].effective = sets.data[i].inheritable = half;
	}
	err = sets_set(&sets);
	for (int i = 0; i < 64 && !err; i++)
		if (keep >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			err = -errno;
	return err;
}

void capability_sets_text(uint64_t set, char *text, size_t bytes)
{
	static const struct {
		unsigned int number;
		const char *name;
	} known[] = {
		{CAP_NET_ADMIN, "net_admin"},
		{CAP_NET_BROADCAST, "net_broadcast"},
		{CAP_SYS_ADMIN, "sys_admin"},
		{CAP_SETUID, "setuid"},
		{CAP_SETGID, "setgid"},
		{CAP_SETPCAP, "setpcap"},
		{CAP_KILL, "kill"},
		{CAP_IPC_LOCK, "ipc_lock"},
		{CAP_DAC_OVERRIDE, "dac_override"},
	};

	*text = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (set & CAPABILITY(known[i].number))
			snprintf(text + strlen(text), bytes - strlen(text), "%s%s",
				 *text ? ", " : "", known[i].name);
}
