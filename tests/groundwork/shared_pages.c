/* SPDX-License-Identifier: MIT */
/*
 * A memfd of pages of 4 KiB whose size is sealed, and another process that punches holes into it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facts.h"

#define PAGE    4096u
#define PATTERN 0x5a

enum puncher { PUNCH_FALLOCATE, PUNCH_MADVISE, PUNCH_TRUNCATE };

struct shared {
	char *page;
	int fd;
	enum puncher how;
};

static sigjmp_buf after_bus;

static void on_bus(int number)
{
	(void)number;
	siglongjmp(after_bus, 1);
}

/* The first byte; -1: reading it raises SIGBUS. */
static int first_byte(const volatile char *page)
{
	if (sigsetjmp(after_bus, 1))
		return -1;
	return (unsigned char)*page;
}

static void play_puncher(int sock, void *arg)
{
	const struct shared *shared = arg;
	int result = 0;

	switch (shared->how) {
	case PUNCH_FALLOCATE:
		result = fallocate(shared->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
		break;
	case PUNCH_MADVISE:
		result = madvise(shared->page, PAGE, MADV_REMOVE);
		break;
	case PUNCH_TRUNCATE:
		result = ftruncate(shared->fd, 0);
		break;
	}
	message_send(sock, result < 0 ? -errno : 0, NULL, 0);
}

static int64_t punch(struct shared *shared, enum puncher how)
{
	struct actor actor;
	int64_t err;

	memset(shared->page, PATTERN, PAGE);
	shared->how = how;
	actor_start(&actor, play_puncher, shared);
	err = actor_says(&actor);
	actor_dead(&actor, 1000000);
	actor_end(&actor);
	return err;
}

static void holes(void)
{
	struct shared shared;
	int64_t err;
	int byte;

	shared.page = memory_new("shared", 2 * (size_t)PAGE, &shared.fd);
	fcntl(shared.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	err = punch(&shared, PUNCH_TRUNCATE);
	byte = first_byte(shared.page);
	fact(err == -EPERM && byte == PATTERN,
	     "sealed against shrinking: truncating: %s, then the page reads %d",
	     strerror((int)-err), byte);
	err = punch(&shared, PUNCH_FALLOCATE);
	byte = first_byte(shared.page);
	fact(err == 0 && byte == 0,
	     "a hole punched by another process: %s, then the page reads %d, without SIGBUS",
	     strerror((int)-err), byte);
	err = punch(&shared, PUNCH_MADVISE);
	byte = first_byte(shared.page);
	fact(err == 0 && byte == 0,
	     "MADV_REMOVE by another process: %s, then the page reads %d, without SIGBUS",
	     strerror((int)-err), byte);
	fcntl(shared.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
	err = punch(&shared, PUNCH_FALLOCATE);
	byte = first_byte(shared.page);
	fact(err == -EPERM && byte == PATTERN,
	     "sealed by FUTURE_WRITE with writable mappings: punching: %s, the page reads %d",
	     strerror((int)-err), byte);
	err = punch(&shared, PUNCH_MADVISE);
	byte = first_byte(shared.page);
	fact(err == -EPERM && byte == PATTERN, "likewise MADV_REMOVE: %s, the page reads %d",
	     strerror((int)-err), byte);
	fact(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shared.fd, 0) == MAP_FAILED &&
		     errno == EPERM,
	     "and no writable mapping can be made any more");
	munmap(shared.page, 2 * (size_t)PAGE);
	close(shared.fd);
}

static void unsealed(void)
{
	struct shared shared;
	int64_t err;
	int byte;

	shared.page = memory_new("unsealed", PAGE, &shared.fd);
	err = punch(&shared, PUNCH_TRUNCATE);
	byte = first_byte(shared.page);
	fact(err == 0 && byte == -1, "not sealed, truncated: %s, then reading %s",
	     strerror((int)-err), byte < 0 ? "raises SIGBUS" : "gives a byte");
	munmap(shared.page, PAGE);
	close(shared.fd);
}

void facts_shared_pages(void)
{
	signal(SIGBUS, on_bus);
	holes();
	unsealed();
	signal(SIGBUS, SIG_DFL);
}
