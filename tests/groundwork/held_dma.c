/* SPDX-License-Identifier: MIT */
/*
 * Who keeps memory mapped for DMA, and who may unmap it. The device writes a growing number into
 * two pages of a memfd, mapped by an actor at two IOVAs; whoever looks holds only the memfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bare_device.h"
#include "facts.h"

#define NOBODY 65534u

struct ground {
	const char *bdf;
	char *pages; /* two, of a memfd */
	int memory;
	int channel[2];
	bool as_user; /* the mapper is a user without capabilities */
};

/* Memory of this process that counts as locked, in KiB. */
static int64_t locked_kib(void)
{
	char line[256];
	long long kib = -1;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmLck: %lld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static void mapped(struct device *device, const struct ground *ground)
{
	device_open(device, ground->bdf);
	errno = -dma_add(device->container, ground->pages, PAGE_BYTES, IOVA_FIRST);
	if (!errno)
		errno = -dma_add(device->container, ground->pages + PAGE_BYTES, PAGE_BYTES,
				 IOVA_SECOND);
	if (errno)
		fact_broken("mapping pages for DMA");
	device_command(device, COMMAND_MASTER, 0);
}

static bool first_goes_on(const struct ground *ground)
{
	return dma_goes_on(ground->pages);
}

static bool second_goes_on(const struct ground *ground)
{
	return dma_goes_on(ground->pages + PAGE_BYTES);
}

static const char *said(int64_t result)
{
	static char text[64];

	if (result < 0)
		return strerror((int)-result);
	snprintf(text, sizeof(text), "%lld bytes", (long long)result);
	return text;
}

/* ---- After an exec ---- */

static void become_user(void)
{
	const struct rlimit limit = {2 * PAGE_BYTES, 2 * PAGE_BYTES};

	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY) ||
	    setrlimit(RLIMIT_MEMLOCK, &limit))
		fact_broken("becoming a user");
}

static void play_exec(int sock, void *arg)
{
	const struct ground *ground = arg;
	char sock_word[16], container_word[16];
	void *own =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct device device;

	if (!ground->as_user) {
		mapped(&device, ground);
	} else {
		device_open(&device, ground->bdf);
		become_user();
		errno = -dma_add(device.container, ground->pages, PAGE_BYTES, IOVA_FIRST);
		if (!errno)
			errno = -dma_add(device.container, ground->pages + PAGE_BYTES, PAGE_BYTES,
					 IOVA_SECOND);
		if (errno)
			fact_broken("mapping pages for DMA as a user");
		device_command(&device, COMMAND_MASTER, 0);
	}
	say_and_wait(sock, locked_kib());
	say_and_wait(sock, dma_add(device.container, own, PAGE_BYTES, IOVA_SECOND + PAGE_BYTES));
	snprintf(sock_word, sizeof(sock_word), "%d", sock);
	snprintf(container_word, sizeof(container_word), "%d", device.container);
	execl("/proc/self/exe", "groundwork", "after-exec-dma", sock_word, container_word, NULL);
	fact_broken("exec");
}

int after_exec_dma(char **words)
{
	const int sock = (int)strtol(words[0], NULL, 10),
		  container = (int)strtol(words[1], NULL, 10);
	void *own =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	say_and_wait(sock, locked_kib());
	say_and_wait(sock, dma_add(container, own, PAGE_BYTES, IOVA_SECOND + 2 * PAGE_BYTES));
	say_and_wait(sock, dma_remove(container, IOVA_FIRST, PAGE_BYTES));
	say_and_wait(sock, locked_kib());
	say_and_wait(sock, dma_remove(container, 0, 0));
	say_and_wait(sock, locked_kib());
	return 0;
}

static void after_exec(struct ground *ground)
{
	struct actor actor;
	int64_t before, after, removed, left, all, none, added;

	actor_start(&actor, play_exec, ground);
	before = actor_says(&actor);
	fact(first_goes_on(ground) && second_goes_on(ground), "DMA reaches both pages at first");
	added = actor_next(&actor);
	fact(added == 0, "a third page: %s", strerror((int)-added));
	after = actor_next(&actor);
	fact(first_goes_on(ground) && second_goes_on(ground),
	     "DMA goes on when the mapper has executed another program");
	fact(before == 8 && after == 0,
	     "an exec forgets what is locked: VmLck %lld KiB with two pages mapped, %lld KiB after it",
	     (long long)before, (long long)after);
	added = actor_next(&actor);
	fact(added == 0, "after the exec, a page more: %s", strerror((int)-added));
	removed = actor_next(&actor);
	fact(removed == PAGE_BYTES && !first_goes_on(ground) && second_goes_on(ground),
	     "after the exec the process unmaps one page: %s, the other goes on", said(removed));
	left = actor_next(&actor);
	all = actor_next(&actor);
	none = actor_next(&actor);
	fact(all == 3 * PAGE_BYTES && !second_goes_on(ground), "and all pages: %s", said(all));
	fact(left == 4 && none == 0,
	     "unmapping what was mapped before the exec is not taken from VmLck: %lld KiB, and 0 when all is unmapped: %lld KiB",
	     (long long)left, (long long)none);
	actor_kill(&actor);
	actor_end(&actor);
}

static void limit_of_a_user(struct ground *ground)
{
	struct actor actor;
	int64_t locked, over, after, added;

	ground->as_user = true;
	actor_start(&actor, play_exec, ground);
	locked = actor_says(&actor);
	over = actor_next(&actor);
	after = actor_next(&actor);
	added = actor_next(&actor);
	fact(over == -ENOMEM, "RLIMIT_MEMLOCK of two pages, VmLck %lld KiB: a third page: %s",
	     (long long)locked, strerror((int)-over));
	fact(added == 0, "after an exec, VmLck %lld KiB, a page more: %s", (long long)after,
	     strerror((int)-added));
	actor_kill(&actor);
	actor_end(&actor);
	ground->as_user = false;
}

/* ---- After the mapper's death ---- */

static void play_mapper(int sock, void *arg)
{
	const struct ground *ground = arg;
	struct device device;

	mapped(&device, ground);
	message_send(ground->channel[1], 0, (int[]){device.container, device.group, device.fd}, 3);
	say_and_wait(sock, 0);
	say_and_wait(sock, dma_remove(device.container, IOVA_FIRST, PAGE_BYTES));
	wait_for_death();
}

static void play_heir(int sock, void *arg)
{
	const struct ground *ground = arg;
	void *own =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[3];

	message_take(ground->channel[0], fds, 3);
	say_and_wait(sock, 0);
	say_and_wait(sock, dma_remove(fds[0], IOVA_FIRST, PAGE_BYTES));
	say_and_wait(sock, dma_add(fds[0], own, PAGE_BYTES, IOVA_FIRST));
	say_and_wait(sock, dma_goes_on(own));
	say_and_wait(sock, dma_remove(fds[0], IOVA_FIRST, PAGE_BYTES));
	say_and_wait(sock, dma_add(fds[0], ground->pages, PAGE_BYTES, IOVA_SECOND + PAGE_BYTES));
	say_and_wait(sock, dma_remove(fds[0], IOVA_SECOND + PAGE_BYTES, PAGE_BYTES));
	say_and_wait(sock, dma_remove(fds[0], 0, 0));
	wait_for_death();
}

static void heir_start(struct ground *ground, struct actor *mapper, struct actor *heir)
{
	message_pair(ground->channel);
	actor_start(heir, play_heir, ground);
	actor_start(mapper, play_mapper, ground);
	close(ground->channel[0]);
	close(ground->channel[1]);
	actor_says(mapper);
	actor_says(heir);
}

static void heir_of_the_dead(struct ground *ground)
{
	struct actor mapper, heir;
	int64_t removed, added, own, extra, extra_removed, all;
	bool reached, goes_on;

	heir_start(ground, &mapper, &heir);
	actor_kill(&mapper);
	actor_end(&mapper);
	fact(first_goes_on(ground) && second_goes_on(ground),
	     "DMA goes on when the mapper is dead and another process holds the container");
	removed = actor_next(&heir);
	goes_on = first_goes_on(ground);
	fact(removed == PAGE_BYTES && !goes_on,
	     "another process unmaps a dead mapper's page: %s; DMA into it %s", said(removed),
	     goes_on ? "goes on" : "stops");
	added = actor_next(&heir);
	reached = actor_next(&heir);
	own = actor_next(&heir);
	fact(added == 0 && reached && own == PAGE_BYTES,
	     "maps a page of its own at that IOVA: %s, DMA reaches it: %d; unmaps it: %s",
	     strerror((int)-added), reached, said(own));
	extra = actor_next(&heir);
	extra_removed = actor_next(&heir);
	fact(extra == 0 && extra_removed == PAGE_BYTES,
	     "maps the memfd at a new IOVA: %s; unmaps it: %s", strerror((int)-extra),
	     said(extra_removed));
	all = actor_next(&heir);
	goes_on = second_goes_on(ground);
	fact(all == PAGE_BYTES && !goes_on,
	     "unmaps all that is left: %s; DMA into the dead mapper's page %s", said(all),
	     goes_on ? "goes on" : "stops");
	actor_kill(&heir);
	actor_end(&heir);
	fact(!bus_master(ground->bdf) && !second_goes_on(ground), "all ends with the last holder");
}

static void heir_of_the_living(struct ground *ground)
{
	struct actor mapper, heir;
	int64_t removed, by_mapper;
	bool goes_on;

	heir_start(ground, &mapper, &heir);
	removed = actor_next(&heir);
	goes_on = first_goes_on(ground);
	fact(removed == PAGE_BYTES && !goes_on,
	     "another process unmaps a living mapper's page: %s; DMA into it %s", said(removed),
	     goes_on ? "goes on" : "stops");
	by_mapper = actor_next(&mapper);
	fact(by_mapper == 0,
	     "an unmapping that does nothing is no error: the mapper's own then: %s",
	     said(by_mapper));
	actor_kill(&heir);
	actor_end(&heir);
	actor_kill(&mapper);
	actor_end(&mapper);
}

/* ---- A hole in memory that is mapped ---- */

static void play_hole(int sock, void *arg)
{
	struct device device;

	mapped(&device, arg);
	say_and_wait(sock, 0);
	wait_for_death();
}

static void hole_in_memory(struct ground *ground)
{
	struct actor actor;
	int err = 0;

	actor_start(&actor, play_hole, ground);
	actor_says(&actor);
	if (fallocate(ground->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_BYTES) <
	    0)
		err = errno;
	fact(err == 0 && !first_goes_on(ground) && second_goes_on(ground) &&
		     !*(uint64_t *)ground->pages,
	     "a hole punched in mapped memory parts processor and device: punching: %s, the page reads %llu, "
	     "DMA into it is not seen, the next page goes on",
	     strerror(err), (unsigned long long)*(uint64_t *)ground->pages);
	actor_kill(&actor);
	actor_end(&actor);
}

void facts_held_dma(const char *bdf)
{
	struct ground ground = {.bdf = bdf};

	ground.pages = memory_new("held-dma", 2 * PAGE_BYTES, &ground.memory);
	after_exec(&ground);
	limit_of_a_user(&ground);
	heir_of_the_dead(&ground);
	heir_of_the_living(&ground);
	hole_in_memory(&ground);
}
