/* SPDX-License-Identifier: MIT */
#include "bare_process.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frame_way.h"

#define SHARED_FD 3 /* in the process, and READY_FD */
#define READY_FD  4

/* The memory that outlives them all, with its pages in place. */
static int shared_memory(uint64_t bytes)
{
	static int fd = -1;
	static uint64_t there;
	void *memory;

	if (fd < 0)
		fd = memfd_create("bare", MFD_CLOEXEC);
	if (fd < 0)
		way_fail("a memfd");
	if (bytes <= there)
		return fd;
	if (ftruncate(fd, (off_t)bytes) < 0)
		way_fail("a memfd");
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		way_fail("shared memory");
	memset(memory, 1, bytes);
	munmap(memory, bytes);
	there = bytes;
	return fd;
}

static pid_t execute(const struct bare_size *size, int memory, int ready)
{
	char word[4][24];
	char bare[] = "--bare";
	char *const words[] = {
		program_invocation_name, bare, word[0], word[1], word[2], word[3], NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	snprintf(word[0], sizeof(word[0]), "%ju", (uintmax_t)size->shared_bytes);
	snprintf(word[1], sizeof(word[1]), "%ju", (uintmax_t)size->private_bytes);
	snprintf(word[2], sizeof(word[2]), "%u", size->mappings);
	snprintf(word[3], sizeof(word[3]), "%u", size->entries);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, memory, SHARED_FD);
	posix_spawn_file_actions_adddup2(&actions, ready, READY_FD);
	errno = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, words, environ);
	if (errno)
		way_fail("a bare process");
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

pid_t bare_start(const struct bare_size *size, int *pidfd)
{
	int memory = fcntl(shared_memory(size->shared_bytes), F_DUPFD_CLOEXEC, READY_FD + 1);
	int ready[2], writer;
	char word;
	pid_t pid;

	if (memory < 0 || pipe2(ready, O_CLOEXEC) < 0)
		way_fail("a pipe");
	writer = fcntl(ready[1], F_DUPFD_CLOEXEC, READY_FD + 1);
	close(ready[1]);
	pid = execute(size, memory, writer);
	close(memory);
	close(writer);
	if (read(ready[0], &word, 1) != 1)
		way_fail("a bare process that does not get ready");
	close(ready[0]);
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd < 0)
		way_fail("a pidfd");
	return pid;
}

/* ---- In the process ---- */

static void map_shared(const struct bare_size *size)
{
	const uint64_t page = 4096, pages = size->shared_bytes / page;
	const uint64_t mappings = size->mappings < pages ? size->mappings : pages;

	/* One page's distance to the next, or the kernel would make one mapping of them. */
	for (uint64_t i = 0; i < mappings; i++) {
		const uint64_t bytes = pages / mappings * page;
		void *there = mmap(NULL, bytes + page, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (there == MAP_FAILED || mmap(there, bytes, PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_FIXED | MAP_POPULATE, SHARED_FD,
						(off_t)(i * bytes)) == MAP_FAILED)
			_exit(EXIT_FAILURE);
	}
}

static void map_private(const struct bare_size *size)
{
	if (size->private_bytes &&
	    mmap(NULL, size->private_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		_exit(EXIT_FAILURE);
}

/* A ring with a read that waits. */
static void make_ring(const struct bare_size *size)
{
	static struct io_uring ring;
	static uint64_t count;
	int event = eventfd(0, EFD_CLOEXEC);
	struct io_uring_sqe *sqe;

	if (!size->entries)
		return;
	if (event < 0 || io_uring_queue_init(size->entries, &ring, 0) ||
	    io_uring_register_files(&ring, &event, 1))
		_exit(EXIT_FAILURE);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, 0, &count, sizeof(count), 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	if (io_uring_submit(&ring) != 1)
		_exit(EXIT_FAILURE);
}

void bare_main(char *const words[])
{
	const struct bare_size size = {
		.shared_bytes = strtoull(words[0], NULL, 10),
		.private_bytes = strtoull(words[1], NULL, 10),
		.mappings = (uint32_t)strtoul(words[2], NULL, 10),
		.entries = (uint32_t)strtoul(words[3], NULL, 10),
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map_shared(&size);
	map_private(&size);
	make_ring(&size);
	if (write(READY_FD, "", 1) != 1)
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}
