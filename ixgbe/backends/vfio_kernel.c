/* SPDX-License-Identifier: MIT */
/* The kernel as vfio.c sees it: system calls that return -errno. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vfio.h"

static int sys_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void sys_close(int fd)
{
	close(fd);
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	int got = ioctl(fd, request, arg);

	return got < 0 ? -errno : got;
}

static int sys_map(size_t len, int fd, off_t offset, void **out)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (addr == MAP_FAILED)
		return -errno;
	*out = addr;
	return 0;
}

static void sys_unmap(void *addr, size_t len)
{
	munmap(addr, len);
}

static ssize_t sys_pread(int fd, void *data, size_t len, off_t offset)
{
	ssize_t got = pread(fd, data, len, offset);

	return got < 0 ? -errno : got;
}

static ssize_t sys_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	ssize_t got = pwrite(fd, data, len, offset);

	return got < 0 ? -errno : got;
}

static uint64_t sys_memlock_bytes(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? RLIM_INFINITY : limit.rlim_cur;
}

const struct vfio_kernel vfio_kernel = {
	.sysfs = "/sys",
	.dev = "/dev/vfio",
	.open = sys_open,
	.close = sys_close,
	.ioctl = sys_ioctl,
	.map = sys_map,
	.unmap = sys_unmap,
	.pread = sys_pread,
	.pwrite = sys_pwrite,
	.memlock_bytes = sys_memlock_bytes,
};
