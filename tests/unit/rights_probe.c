/* SPDX-License-Identifier: MIT */
/*
 * For tests/system/test_keeper_rights.py: a program that is asked whether it can take an ixtapd's
 * place, and says instead, in the error, what it was denied: "unshare=EPERM ...".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *folder(void)
{
	static char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[len > 0 ? len : 0] = '\0';
	if (strrchr(path, '/'))
		*strrchr(path, '/') = '\0';
	return path;
}

static long file_try(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static long below_try(const char *name, int flags)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/%s", folder(), name);
	return file_try(path, flags);
}

static long truncate_try(void)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/tried/there", folder());
	return truncate(path, 0);
}

static long openat2_try(void)
{
	struct open_how how = {.flags = O_RDONLY};

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long setns_try(void)
{
	return setns(open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET);
}

static void tell(const char *name, long result)
{
	printf(" %s=%s", name, result < 0 ? strerrorname_np(errno) : "0");
}

int main(void)
{
	printf("{\"error\": \"probe:");
	tell("unshare", unshare(CLONE_NEWNS));
	tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	tell("bpf", syscall(SYS_bpf, 5, NULL, 0));
	tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
	tell("chroot", chroot("/"));
	tell("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0));
	tell("setuid", setuid(0));
	tell("chmod", syscall(452, AT_FDCWD, folder(), 0700, 0)); /* fchmodat2 */
	tell("acl", setxattr(folder(), "user.probe", "", 0, 0));
	tell("create", below_try("tried/new", O_WRONLY | O_CREAT));
	tell("append", below_try("tried/there", O_WRONLY | O_APPEND));
	tell("truncate", truncate_try());
	tell("trunc", below_try("tried/there", O_RDONLY | O_TRUNC));
	tell("openat2", openat2_try());
	tell("setns", setns_try());
	tell("null", file_try("/dev/null", O_WRONLY));
	tell("read", file_try("/etc/passwd", O_RDONLY));
	printf("\"}");
	return 0;
}
