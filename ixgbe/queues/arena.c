/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"

/* Far from where Linux places programs, stacks and mappings on its own: near the ends of the 47
 * bits that a process has, on x86-64 and arm64. */
#define ARENA_FIRST UINT64_C(0x200000000000)
#define ARENA_END   UINT64_C(0x300000000000)
/* Places are multiples of this: also of files with huge pages. What is less stays free between
 * them. */
#define PLACE_BYTES (UINT64_C(2) << 20)

int arena_file(const char *name, size_t bytes, unsigned int memfd_flags)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 || fallocate(fd, 0, 0, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		err = errno == ENOSPC ? -ENOMEM : -errno;
		close(fd);
		return err;
	}
	return fd;
}

static bool is_place(uint64_t at, uint64_t bytes)
{
	return at >= ARENA_FIRST && at % PLACE_BYTES == 0 && bytes > 0 &&
	       bytes % ARENA_PAGE_BYTES == 0 && bytes < ARENA_END - ARENA_FIRST &&
	       at < ARENA_END - bytes;
}

static int map_here(int fd, size_t bytes, uint64_t at, void **out)
{
	void *wanted = (void *)(uintptr_t)at; /* NOLINT(performance-no-int-to-ptr): a fixed place */
	void *got = mmap(wanted, bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, fd, 0);

	if (got == MAP_FAILED)
		return -errno;
	if (got != wanted) { /* a kernel before 4.17 takes the address for a wish */
		munmap(got, bytes);
		return -EEXIST;
	}
	*out = got;
	return 0;
}

int arena_map(int fd, size_t bytes, uint64_t *next, void **out)
{
	int err = -EEXIST;

	for (uint64_t at = *next ? *next : ARENA_FIRST; err == -EEXIST; at += PLACE_BYTES) {
		if (!is_place(at, bytes))
			return -ENOMEM;
		err = map_here(fd, bytes, at, out);
		if (!err) /* one page at least stays free behind it */
			*next = at + (bytes / PLACE_BYTES + 1) * PLACE_BYTES;
	}
	return err;
}

int arena_map_at(int fd, size_t bytes, uint64_t at, void **out)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (!is_place(at, bytes) || seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) ||
	    st.st_size < 0 || (uint64_t)st.st_size < bytes)
		return -EBADMSG;
	return map_here(fd, bytes, at, out);
}
