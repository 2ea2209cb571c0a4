/* SPDX-License-Identifier: MIT */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABI_KNOWN       6
#define ACCESS_EXECUTE  (1u << 0)
#define ACCESS_WRITE    (1u << 1)
#define ACCESS_READS    (3u << 2) /* READ_FILE, READ_DIR */
#define ACCESS_FS_FIRST 0x1fffu   /* ABI 1: EXECUTE to MAKE_SYM */
#define ACCESS_REFER    (1u << 13)
#define ACCESS_TRUNCATE (1u << 14)
#define ACCESS_IOCTL    (1u << 15)
#define ACCESS_NET      0x3u /* ABI 4: BIND_TCP, CONNECT_TCP */
#define SCOPED_ABSTRACT 0x1u /* ABI 6 */
#define SCOPED_SIGNAL   0x2u
#define RULE_PATH       1

/* As newer kernels have them. */
struct landlock_rules {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct landlock_path {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

static uint64_t access_fs(const struct landlock_want *want, long abi)
{
	uint64_t access = ACCESS_FS_FIRST;

	if (want->reads)
		access &= ~(uint64_t)(ACCESS_EXECUTE | ACCESS_READS);
	if (abi >= 2)
		access |= ACCESS_REFER;
	if (abi >= 3)
		access |= ACCESS_TRUNCATE;
	if (abi >= 5 && !want->devices)
		access |= ACCESS_IOCTL;
	return access;
}

/* Of a folder: what is in it can be written, and nothing be made or removed there. */
static int path_allow(int ruleset, const char *path)
{
	struct landlock_path rule = {.allowed_access = ACCESS_WRITE,
				     .parent_fd = open(path, O_PATH | O_CLOEXEC)};
	int err = 0;

	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0))
		err = -errno;
	close(rule.parent_fd);
	return err;
}

int landlock_restrict(const struct landlock_want *want)
{
	const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* which ABI */);
	const struct landlock_rules rules = {
		.handled_access_fs = access_fs(want, abi),
		.handled_access_net = abi >= 4 ? ACCESS_NET : 0,
		.scoped = abi >= 6 ? SCOPED_SIGNAL | (want->abstract ? 0 : SCOPED_ABSTRACT) : 0,
	};
	const size_t bytes = abi >= 6 ? sizeof(rules) : abi >= 4 ? 16 : 8;
	int fd, err = 0;

	if (abi < 0)
		return -errno;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, bytes, 0);
	if (fd < 0)
		return -errno;
	for (const char *const *path = want->writable; path && *path && !err; path++)
		err = path_allow(fd, *path);
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err ? err : abi < ABI_KNOWN ? (int)abi : ABI_KNOWN;
}

void landlock_text(int abi, char *text, size_t bytes)
{
	if (abi >= 0)
		snprintf(text, bytes, "ABI %d", abi);
	else
		snprintf(text, bytes, "%s%s",
			 abi == -ENOSYS       ? "this kernel has none: "
			 : abi == -EOPNOTSUPP ? "it is off in this kernel (lsm=): "
					      : "",
			 strerror(-abi));
}

void bare_thread(bool user_changes)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (!syscall(SYS_capget, &head, data)) {
		data[0].permitted &= user_changes ? 1u << CAP_SETUID | 1u << CAP_SETGID : 0;
		data[0].effective = data[0].permitted;
		data[0].inheritable = 0;
		data[1] = (struct __user_cap_data_struct){0};
		(void)syscall(SYS_capset, &head, data);
	}
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks traces all threads from the main one */
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		(void)landlock_restrict(&(const struct landlock_want){.reads = false});
#endif
}
