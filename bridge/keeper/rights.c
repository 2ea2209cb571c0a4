/* SPDX-License-Identifier: MIT */
#include "rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	unsigned int number;
	const char *name;
} kept[] = {
	{CAP_NET_ADMIN, "net_admin"},         /* the TAP, netlink */
	{CAP_NET_BROADCAST, "net_broadcast"}, /* netlink of other namespaces */
	{CAP_SYS_ADMIN, "sys_admin"},         /* an interface that moves; a spawner's namespaces */
	{CAP_SETUID, "setuid"},               /* a spawner's user */
	{CAP_SETGID, "setgid"},
	{CAP_SETPCAP, "setpcap"},           /* a spawner's bounding set */
	{CAP_KILL, "kill"},                 /* a spawner, which has another user */
	{CAP_IPC_LOCK, "ipc_lock"},         /* DMA memory */
	{CAP_DAC_OVERRIDE, "dac_override"}, /* sockets in folders of others */
};

static uint64_t kept_set(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		set |= UINT64_C(1) << kept[i].number;
	return set;
}

/* Takes the set of those that are left; -errno. */
static int capabilities_reduce(uint64_t *left)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	const uint64_t keep = kept_set();

	/* Only who has CAP_SETPCAP can do this. Without it there is nothing that exec could give.
	 */
	for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if (!(keep >> i & 1))
			(void)prctl(PR_CAPBSET_DROP, i);
	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective &= data[i].permitted;
		data[i].inheritable &= data[i].permitted;
	}
	if (syscall(SYS_capset, &head, data) || syscall(SYS_capget, &head, data))
		return -errno;
	*left = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return *left & ~keep ? -EPERM : 0;
}

void rights_give_up(enum isolation isolation, struct isolation_fact *out)
{
	uint64_t left = 0;
	int err = 0;

	*out = (struct isolation_fact){.state = ISOLATION_UNUSED};
	if (isolation == ISOLATION_OFF)
		return;
	err = capabilities_reduce(&left);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (err) {
		out->state = ISOLATION_MISSING;
		snprintf(out->text, sizeof(out->text), "%s", strerror(-err));
		return;
	}
	out->state = ISOLATION_IN_FORCE;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (left >> kept[i].number & 1)
			snprintf(out->text + strlen(out->text),
				 sizeof(out->text) - strlen(out->text), "%s%s",
				 *out->text ? ", " : "", kept[i].name);
}
