/* SPDX-License-Identifier: MIT */
/* The table of the client's memory, without a client: a bare NIC. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/violations.h"

#define PAGE 4096u
#define RW   (MEMORY_READABLE | MEMORY_WRITABLE)
#define BASE 0x100000ull

struct rig {
	struct nic *nic;
	struct memory *memory;
	int fd; /* 16 pages, each byte of page i is i */
	uint8_t *mem;
};

static int setup(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct rig *r = calloc(1, sizeof(*r));

	log_level_set(IXGBE_LOG_ERROR);
	assert_int_equal(nic_new(mac, &r->nic), 0);
	r->memory = r->nic->memory;
	memory_enable(r->memory, true);
	r->fd = memfd_create("dma", MFD_CLOEXEC);
	assert_int_equal(ftruncate(r->fd, 16 * PAGE), 0);
	r->mem = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	for (uint32_t i = 0; i < 16; i++)
		memset(r->mem + i * PAGE, (int)i, PAGE);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	nic_free(r->nic);
	munmap(r->mem, 16 * PAGE);
	close(r->fd);
	free(r);
	return 0;
}

static int map(struct rig *r, uint64_t iova, uint64_t size, uint64_t offset, uint32_t access)
{
	return memory_map(r->memory, iova, size, access, r->fd, offset);
}

/* How often the NIC has mapped memfds of that name: the rig's own mapping is not the NIC's. */
static int mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[256], want[32];
	int n = 0;

	assert_non_null(maps);
	snprintf(want, sizeof(want), "/memfd:%s ", name);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, want) != NULL;
	fclose(maps);
	return n - (strcmp(name, "dma") == 0);
}

static void test_one_mapping(void **state)
{
	struct rig *r = *state;
	uint8_t *at, data[4] = {9, 9, 9, 9};

	assert_null(memory_at(r->nic, BASE, 1, false));
	assert_int_equal(map(r, BASE, 2 * PAGE, 3 * PAGE, RW), 0);
	at = memory_at(r->nic, BASE, 2 * PAGE, true);
	assert_non_null(at);
	assert_int_equal(at[0], 3);
	assert_int_equal(at[PAGE], 4);
	assert_null(memory_at(r->nic, BASE, 2 * PAGE + 1, false));
	assert_null(memory_at(r->nic, BASE - 1, 1, false));
	assert_null(memory_at(r->nic, BASE + 2 * PAGE, 1, false));
	assert_null(memory_at(r->nic, BASE, SIZE_MAX, false));
	assert_null(memory_at(r->nic, UINT64_MAX, 1, false));
	assert_int_equal(memory_write(r->nic, BASE + 2 * PAGE - 4, data, 4), 0);
	assert_int_equal(r->mem[5 * PAGE - 1], 9);
	assert_int_equal(r->mem[5 * PAGE], 5);
}

/* Pages next to each other in both worlds are one piece; others are copied over the edge. */
static void test_neighbours(void **state)
{
	struct rig *r = *state;
	uint8_t data[2 * PAGE];

	assert_int_equal(map(r, BASE, PAGE, 0, RW), 0);
	assert_int_equal(map(r, BASE + 2 * PAGE, PAGE, 7 * PAGE, RW), 0);
	assert_int_equal(map(r, BASE + PAGE, PAGE, PAGE, RW), 0);
	assert_non_null(memory_at(r->nic, BASE + 100, 2 * PAGE - 100, false));
	assert_null(memory_at(r->nic, BASE + 100, 2 * PAGE, false));
	assert_int_equal(memory_read(r->nic, BASE + PAGE, data, 2 * PAGE), 0);
	assert_int_equal(data[PAGE - 1], 1);
	assert_int_equal(data[PAGE], 7);
	assert_int_equal(mapped("dma"), 1);
}

static void count(void *ctx)
{
	(*(int *)ctx)++;
}

static void test_faults(void **state)
{
	struct rig *r = *state;
	int refused = 0;
	uint8_t data[2 * PAGE] = {0};
	uint64_t before = violation_info(r->nic, VIOLATION_DMA_FAULT).count;

	assert_int_equal(map(r, BASE, PAGE, 0, MEMORY_READABLE), 0);
	assert_int_equal(map(r, BASE + PAGE, PAGE, PAGE, MEMORY_WRITABLE), 0);
	assert_int_equal(memory_map(r->memory, BASE + 2 * PAGE, PAGE, RW, -1, 0), 0);
	memory_refused_set(r->memory, count, &refused);
	assert_int_equal(memory_write(r->nic, BASE, data, 1), -EFAULT);
	assert_int_equal(r->mem[0], 0);
	assert_int_equal(memory_read(r->nic, BASE, data, PAGE + 1), -EFAULT);
	assert_int_equal(memory_write(r->nic, BASE + PAGE, data, PAGE + 1), -EFAULT);
	assert_int_equal(memory_read(r->nic, BASE + 2 * PAGE, data, 1), -EFAULT);
	assert_int_equal(memory_read(r->nic, UINT64_MAX, data, 2), -EFAULT);
	assert_null(memory_at(r->nic, BASE, 1, true));
	assert_null(memory_at(r->nic, BASE + PAGE, 1, false));
	assert_null(memory_at(r->nic, BASE + 2 * PAGE, 1, false));
	/* Two of them met memory that is mapped but not shared. */
	assert_int_equal(memory_unshared(r->memory), 2);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, before + 3);
	assert_int_equal(refused, 3); /* the reads: writes are posted */
	memory_refused_set(r->memory, NULL, NULL);
	assert_true(memory_reaches(r->nic, BASE, PAGE, false));
	assert_false(memory_reaches(r->nic, BASE, PAGE + 1, false));
	assert_true(memory_reaches(r->nic, BASE + 2 * PAGE - 1, 1, true));
	assert_false(memory_reaches(r->nic, BASE + 2 * PAGE, 1, true));
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, before + 3);
	assert_int_equal(memory_read(r->nic, 0, data, 0), 0); /* nothing is everywhere */
}

/* What the log says from here on goes to a file. */
static int log_begin(int *kept)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	log_level_set(IXGBE_LOG_WARNING);
	*kept = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	return fd;
}

static int log_count(int fd, const char *words)
{
	char text[4096] = {0};
	int n = 0;

	assert_true(pread(fd, text, sizeof(text) - 1, 0) >= 0);
	for (const char *at = text; (at = strstr(at, words)); at++)
		n++;
	return n;
}

/* How often it said these words, which a thread writes; the log goes where it went before. */
static int log_end(int fd, int kept, const char *words)
{
	int n;

	for (int left_ms = 5000; log_count(fd, words) == 0 && left_ms > 0; left_ms -= 10)
		usleep(10000);
	usleep(10000); /* for what must not come */
	n = log_count(fd, words);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(fd);
	log_level_set(IXGBE_LOG_ERROR);
	return n;
}

/* The client hears of it when it maps the memory, once. */
static void test_told_at_once(void **state)
{
	struct rig *r = *state;
	int fd = memfd_create("private", MFD_CLOEXEC), log, kept;
	void *mine;

	assert_int_equal(ftruncate(fd, 4 * PAGE), 0);
	mine = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	memory_client(r->memory, getpid());
	log = log_begin(&kept);
	assert_int_equal(map(r, BASE, PAGE, 0, RW), 0);
	assert_int_equal(memory_map(r->memory, 2 * BASE, PAGE, RW, fd, 0), 0);
	assert_int_equal(memory_map(r->memory, 3 * BASE, PAGE, RW, fd, PAGE), 0);
	assert_int_equal(log_end(log, kept, "mapped its memory privately"), 1);
	/* Little memory without a file is a device's, a guest's is much. */
	memory_client(r->memory, getpid());
	log = log_begin(&kept);
	assert_int_equal(memory_map(r->memory, 4 * BASE, PAGE, RW, -1, 0), 0);
	assert_int_equal(memory_map(r->memory, 1ull << 32, 64u << 20, RW, -1, 0), 0);
	assert_int_equal(log_end(log, kept, "shares no file"), 1);
	munmap(mine, 4 * PAGE);
	close(fd);
}

/* Where the working directory is on a disk. A pipe is no memory of a guest's: nobody is told. */
static void test_ordinary_file(void **state)
{
	struct rig *r = *state;
	int pipes[2];
	char path[] = "test_memory-XXXXXX";
	int fd = mkstemp(path), log, kept;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	if (fcntl(fd, F_GET_SEALS) >= 0) {
		close(fd);
		skip();
	}
	memory_client(r->memory, getpid());
	log = log_begin(&kept);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(memory_map(r->memory, BASE, PAGE, RW, pipes[0], 0), -ENOTSUP);
	assert_int_equal(memory_map(r->memory, 2 * BASE, PAGE, RW, fd, 0), -ENOTSUP);
	assert_int_equal(memory_map(r->memory, 3 * BASE, PAGE, RW, fd, 0), -ENOTSUP);
	assert_int_equal(log_end(log, kept, "in a file on a disk (0x1000 bytes at IOVA 0x200000)"),
			 1);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

/* What a client maps but does not share is nobody's fault. */
static void test_unshared(void **state)
{
	struct rig *r = *state;
	uint8_t byte = 0, *mine;
	int fd = memfd_create("private", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 4 * PAGE), 0);
	mine = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	mine[0] = 1;
	memory_client(r->memory, getpid());
	assert_int_equal(memory_map(r->memory, BASE, PAGE, RW, fd, 0), 0);
	assert_int_equal(memory_map(r->memory, 2 * BASE, PAGE, RW, -1, 0), 0);
	assert_null(memory_at(r->nic, BASE, 1, false));
	assert_int_equal(memory_read(r->nic, BASE, &byte, 1), -EFAULT);
	assert_int_equal(memory_write(r->nic, 2 * BASE + PAGE - 1, &byte, 1), -EFAULT);
	assert_int_equal(memory_unshared(r->memory), 2);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 0);
	/* One byte further nothing is mapped. */
	assert_int_equal(memory_read(r->nic, BASE + PAGE, &byte, 1), -EFAULT);
	assert_int_equal(memory_unshared(r->memory), 2);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 1);

	/* Also mapped shared, as by a client that forked its users; or by nobody that we see. */
	assert_int_equal(memory_unmap(r->memory, BASE, PAGE), 0);
	munmap(mine, 4 * PAGE);
	assert_int_equal(memory_map(r->memory, BASE, PAGE, RW, fd, 0), 0);
	assert_non_null(memory_at(r->nic, BASE, 1, true));
	assert_int_equal(memory_map(r->memory, 3 * BASE, PAGE, RW, r->fd, PAGE), 0);
	assert_non_null(memory_at(r->nic, 3 * BASE, 1, true));
	memory_client(r->memory, 0);
	assert_int_equal(memory_unshared(r->memory), 0);
	close(fd);
}

static void test_bus_master(void **state)
{
	struct rig *r = *state;
	uint8_t byte;

	assert_int_equal(map(r, BASE, PAGE, PAGE, RW), 0);
	memory_enable(r->memory, false);
	assert_null(memory_at(r->nic, BASE, 1, false));
	assert_int_equal(memory_read(r->nic, BASE, &byte, 1), -EFAULT);
	memory_enable(r->memory, true);
	assert_int_equal(memory_read(r->nic, BASE, &byte, 1), 0);
	assert_int_equal(byte, 1);
}

/* The cache of the last hit does not outlive the mapping. */
static void test_unmapped_is_gone(void **state)
{
	struct rig *r = *state;

	assert_int_equal(map(r, BASE, PAGE, 0, RW), 0);
	assert_int_equal(map(r, BASE + PAGE, PAGE, PAGE, RW), 0);
	assert_non_null(memory_at(r->nic, BASE + PAGE, 1, false));
	assert_int_equal(memory_unmap(r->memory, BASE + PAGE, PAGE), 0);
	assert_null(memory_at(r->nic, BASE + PAGE, 1, false));
	assert_non_null(memory_at(r->nic, BASE, 1, false));
	assert_int_equal(mapped("dma"), 1);
	assert_int_equal(memory_unmap(r->memory, BASE, PAGE), 0);
	assert_null(memory_at(r->nic, BASE, 1, false));
	assert_int_equal(mapped("dma"), 0);
}

static void test_file_that_grows(void **state)
{
	struct rig *r = *state;
	uint8_t *at;

	assert_int_equal(map(r, BASE, PAGE, 2 * PAGE, RW), 0);
	assert_int_equal(ftruncate(r->fd, 64 * PAGE), 0);
	assert_int_equal(map(r, 2 * BASE, PAGE, 63 * PAGE, RW), 0);
	assert_int_equal(mapped("dma"), 1);
	assert_int_equal(memory_write(r->nic, 2 * BASE, "x", 1), 0);
	at = memory_at(r->nic, BASE, PAGE, false); /* it moved, the mapping not */
	assert_int_equal(at[5], 2);
}

/* Against a plain array, in a stream of random maps, unmaps and accesses. */
static void test_random(void **state)
{
	struct rig *r = *state;
	enum { PAGES = 64 };
	int at[PAGES]; /* page of the file, -1: none */
	unsigned seed = 20;

	memset(at, -1, sizeof(at));
	for (int round = 0; round < 20000; round++) {
		uint32_t first = (uint32_t)rand_r(&seed) % PAGES, len = 1;
		uint64_t iova = BASE + first * PAGE;

		switch (rand_r(&seed) % 3) {
		case 0: {
			uint32_t page = (uint32_t)rand_r(&seed) % 16;

			assert_int_equal(map(r, iova, PAGE, page * PAGE, RW),
					 at[first] >= 0 ? -EEXIST : 0);
			if (at[first] < 0)
				at[first] = (int)page;
			break;
		}
		case 1:
			len = 1 + (uint32_t)rand_r(&seed) % 4;
			if (len > PAGES - first)
				len = PAGES - first;
			assert_int_equal(memory_unmap(r->memory, iova, len * PAGE), 0);
			for (uint32_t i = first; i < first + len; i++)
				at[i] = -1;
			break;
		default: {
			const uint8_t *byte = memory_at(r->nic, iova + 17, 100, false);

			assert_true(at[first] < 0 ? !byte : byte && *byte == at[first]);
		}
		}
	}
	memory_unmap_all(r->memory);
	assert_int_equal(mapped("dma"), 0);
}

/* A client with a file for every page cannot make the table search for ever. */
static void test_many_files(void **state)
{
	struct rig *r = *state;
	uint64_t iova = BASE;
	int err;

	do {
		int fd = memfd_create("page", MFD_CLOEXEC);

		assert_int_equal(ftruncate(fd, PAGE), 0);
		err = memory_map(r->memory, iova, PAGE, RW, fd, 0);
		close(fd);
		iova += PAGE;
	} while (err == 0 && iova < BASE + 2 * MEMORY_FILES_MAX * PAGE);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(mapped("page"), MEMORY_FILES_MAX);
	assert_int_equal(memory_unmap(r->memory, BASE, PAGE), 0);
	assert_int_equal(map(r, iova, PAGE, 0, RW), 0);
	assert_int_equal(map(r, iova + PAGE, PAGE, PAGE, RW), 0);
}

/* A file cut short reads as zeros, and the event says so. The rig is made in here, as cmocka
 * catches SIGBUS itself from the start of a test. */
static void test_torn_file(void **state)
{
	setup(state);
	struct rig *r = *state;
	struct pollfd pfd = {.fd = memory_torn_fd(r->memory), .events = POLLIN};
	uint8_t data[PAGE];

	assert_int_equal(map(r, BASE, 16 * PAGE, 0, RW), 0);
	assert_int_equal(ftruncate(r->fd, PAGE), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(memory_read(r->nic, BASE + 5 * PAGE, data, PAGE), 0);
	assert_int_equal(data[0] | data[PAGE - 1], 0);
	assert_int_equal(memory_write(r->nic, BASE + 16 * PAGE - 1, data, 1), 0);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	memory_unmap_all(r->memory);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	teardown(state);
}

/* What the client was refused it does not share: no driver's doing, until the client says
 * otherwise. */
static void test_refused_mappings(void **state)
{
	struct rig *r = *state;
	uint8_t data[4] = {0};
	int disk = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_int_equal(memory_map(r->memory, BASE, 2 * PAGE, MEMORY_READABLE, disk, 0), -ENOTSUP);
	close(disk);
	assert_int_equal(map(r, BASE + 8 * PAGE, 2 * PAGE, 15 * PAGE, RW), -EINVAL); /* too short */
	assert_int_equal(memory_read(r->nic, BASE + 2 * PAGE - 4, data, 4), -EFAULT);
	assert_int_equal(memory_write(r->nic, BASE + 8 * PAGE, data, 4), -EFAULT);
	assert_int_equal(memory_unshared(r->memory), 2);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 0);
	assert_int_equal(memory_read(r->nic, BASE + 2 * PAGE, data, 4), -EFAULT);
	assert_int_equal(memory_read(r->nic, BASE - 4, data, 4), -EFAULT);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 2);

	/* A mapping that is there already is no refusal. */
	assert_int_equal(map(r, BASE, PAGE, 0, RW), 0);
	assert_int_equal(map(r, BASE, PAGE, 0, RW), -EEXIST);
	assert_int_equal(memory_unmap(r->memory, BASE, PAGE), 0);
	assert_int_equal(memory_read(r->nic, BASE, data, 4), -EFAULT);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 3);
	assert_int_equal(memory_unmap(r->memory, BASE + 8 * PAGE, 2 * PAGE), 0);
	assert_int_equal(memory_write(r->nic, BASE + 8 * PAGE, data, 4), -EFAULT);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 4);
	assert_int_equal(memory_unshared(r->memory), 2);

	/* The latest are remembered. */
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(map(r, BASE + 2 * i * PAGE, PAGE, 16 * PAGE, RW), -EINVAL);
	assert_int_equal(memory_read(r->nic, BASE + 38 * PAGE, data, 4), -EFAULT);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 4);
	memory_unmap_all(r->memory);
	assert_int_equal(memory_read(r->nic, BASE + 38 * PAGE, data, 4), -EFAULT);
	assert_int_equal(violation_info(r->nic, VIOLATION_DMA_FAULT).count, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_one_mapping),
		TEST(test_neighbours),
		TEST(test_faults),
		TEST(test_told_at_once),
		TEST(test_ordinary_file),
		TEST(test_unshared),
		TEST(test_refused_mappings),
		TEST(test_bus_master),
		TEST(test_unmapped_is_gone),
		TEST(test_file_that_grows),
		TEST(test_random),
		TEST(test_many_files),
		cmocka_unit_test(test_torn_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
