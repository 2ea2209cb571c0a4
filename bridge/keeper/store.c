/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A service manager can hold descriptors for a process, and pass them to the next process of the
 * unit. So a keeper that is killed leaves all that is open, and the next one goes on with it, as a
 * program does that is executed in place (upgrade.c):
 *
 *     killed keeper            manager                       next keeper
 *     ----------------------   ---------------------------   ---------------------------------
 *     heir_provide:
 *       descriptors         ─► "ixtap-7", "ixtap-8", ...
 *       memory              ─► "ixtap-memory"
 *       spawner: linger        holds them
 *     SIGKILL                  starts the next one        ─► heir_take: handover, descriptors
 *                                                            a spawner of its own; the driver
 *                                                            leaves, its spawner is killed, the
 *                                                            next driver goes on with the rings
 *
 * The memory is a file that is mapped here: the handover as text, and the journal of the device
 * (ixgbe/ixgbe.h). The text has room twice. It is written into the place that is not in use, and
 * one store makes that the one in use: a keeper that is killed at any instruction leaves the one or
 * the other.
 *
 * Names. The manager knows a file by its name, and one that it has already keeps its first name. A
 * descriptor's number may be another file's by now. So a file gets a number of its own at its first
 * sight, and that stands in the text in place of the descriptor. What is new is stored before the
 * text names it, what is old removed when no text does.
 *
 * A descriptor is the same file as before if number, device and inode are, and, unless it is a
 * socket, the process that it belongs to, since all pidfds have one inode. Eventfds, the TAP's and
 * the NIC's have that, too; those change only after store_empty. A file that is taken for another
 * one would be lost: the manager drops the second name, and we remove the first.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/process.h"
#include "bridge/service/text_json.h"
#include "handover.h"

#define STORE_MAGIC      0x726f7473u /* "stor" */
#define STORE_VERSION    1u
#define STORE_TEXT_BYTES (256u << 10)
#define STORE_FDS_MAX    512u
#define MEMORY_NAME      "ixtap-memory"
#define NAME_PREFIX      "ixtap-"
#define NAME_FORMAT      NAME_PREFIX "%u"
#define END_MS           2000 /* how long a process that is killed may take */

struct store_memory {
	uint32_t magic, version;
	uint32_t current; /* 0: no text; 1, 2 */
	struct {
		uint32_t bytes, sum;
	} of[2];
	struct ixgbe_journal journal;
	char text[2][STORE_TEXT_BYTES];
};

struct held {
	int fd; /* -1: it was this process's before */
	dev_t dev;
	ino_t ino;
	pid_t pid;       /* of the process that it belongs to; 0: none, or a socket */
	uint32_t number; /* in the name */
	bool stored, named;
};

static struct {
	unsigned int room;
	int memory_fd;
	bool memory_stored, complete, unused_said;
	bool deaf; /* the manager does not listen: it is told nothing more for now */
	struct store_memory *memory;
	uint32_t last; /* number */
	size_t count;
	struct held held[STORE_FDS_MAX];
} store = {.memory_fd = -1};

bool store_open(void)
{
	store.room = process_store_room();
	return store.room > 0;
}

/* ---- The memory ---- */

static struct store_memory *memory_map(int fd)
{
	void *at = mmap(NULL, sizeof(*store.memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int memory_new(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (store.memory)
		return 0;
	store.memory_fd = memfd_create(MEMORY_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (store.memory_fd >= 0 && !ftruncate(store.memory_fd, sizeof(*store.memory)) &&
	    !fcntl(store.memory_fd, F_ADD_SEALS, seals))
		store.memory = memory_map(store.memory_fd);
	if (!store.memory) {
		if (store.memory_fd >= 0)
			close(store.memory_fd);
		store.memory_fd = -1;
		return -ENOMEM;
	}
	store.memory->magic = STORE_MAGIC;
	store.memory->version = STORE_VERSION;
	return 0;
}

struct ixgbe_journal *store_journal(void)
{
	return memory_new() ? NULL : &store.memory->journal;
}

static uint32_t sum_of(const char *text, size_t bytes)
{
	uint32_t sum = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		sum = (sum ^ (uint8_t)text[i]) * 16777619u;
	return sum;
}

/* Says why, once. -ENOSPC. */
static int not_used(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int not_used(const char *format, ...)
{
	struct ixgbe_why why;
	va_list args;

	va_start(args, format);
	vsnprintf(why.text, sizeof(why.text), format, args);
	va_end(args);
	if (!store.unused_said)
		log_warning("the service manager's store is not used, so the NIC starts anew when "
			    "ixtapd is killed: %s",
			    why.text);
	store.unused_said = true;
	return -ENOSPC;
}

static int text_write(const json_t *handover)
{
	struct store_memory *memory = store.memory;
	const uint32_t next = memory->current == 1 ? 1 : 0;
	char *text = text_json_dump(handover, JSON_COMPACT);
	const size_t bytes = text ? strlen(text) : 0;

	if (!bytes || bytes > STORE_TEXT_BYTES) {
		free(text);
		return bytes ? not_used("what ixtapd has to say takes %zu bytes, and %u are there",
					bytes, STORE_TEXT_BYTES)
			     : -ENOMEM;
	}
	memcpy(memory->text[next], text, bytes);
	memory->of[next].bytes = (uint32_t)bytes;
	memory->of[next].sum = sum_of(text, bytes);
	__atomic_store_n(&memory->current, next + 1, __ATOMIC_RELEASE);
	free(text);
	return 0;
}

/* What a process that was killed, perhaps of another version, has written. */
static json_t *text_read(struct ixgbe_why *why)
{
	static char copy[STORE_TEXT_BYTES];
	const struct store_memory *memory = store.memory;
	const uint32_t current = memory->current - 1;
	uint32_t bytes;

	if (memory->magic != STORE_MAGIC || memory->version != STORE_VERSION || current > 1) {
		ixgbe_why_fill(why, -EBADMSG, "it was written by another version");
		return NULL;
	}
	bytes = memory->of[current].bytes;
	if (bytes <= sizeof(copy))
		memcpy(copy, memory->text[current], bytes);
	if (bytes > sizeof(copy) || sum_of(copy, bytes) != memory->of[current].sum) {
		ixgbe_why_fill(why, -EBADMSG, "its text is broken");
		return NULL;
	}
	return handover_parse(copy, bytes, why);
}

/* ---- What the manager holds ---- */

static void name_fill(const struct held *held, char name[32])
{
	snprintf(name, 32, NAME_FORMAT, held->number);
}

static void name_remove(const char *name)
{
	if (!store.deaf)
		store.deaf = process_store_remove(name) != 0;
}

static void settle(void)
{
	if (!store.deaf)
		store.deaf = process_store_settle() != 0;
	if (store.deaf)
		log_warning("the service manager does not listen: it may hold descriptors of the "
			    "NIC");
}

static void held_forget(struct held *held)
{
	char name[32];

	name_fill(held, name);
	if (held->stored)
		name_remove(name);
	*held = store.held[--store.count];
}

static bool is_same(const struct held *held, const struct held *other)
{
	return held->fd == other->fd && held->dev == other->dev && held->ino == other->ino &&
	       held->pid == other->pid;
}

static int held_look(int fd, pid_t pid, struct held *out)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*out = (struct held){.fd = fd,
			     .dev = st.st_dev,
			     .ino = st.st_ino,
			     .pid = S_ISSOCK(st.st_mode) ? 0 : pid};
	return 0;
}

/* The number of a descriptor, for the text. */
static int number_of(void *ctx, int fd, pid_t pid)
{
	struct held now = {.fd = -1};
	int err = held_look(fd, pid, &now);

	(void)ctx;
	if (err)
		return err;
	for (size_t i = 0; i < store.count; i++)
		if (is_same(&store.held[i], &now)) {
			store.held[i].named = true;
			return (int)store.held[i].number;
		}
	if (store.count == STORE_FDS_MAX)
		return not_used("ixtapd stores %u descriptors at most", STORE_FDS_MAX);
	now.number = ++store.last;
	now.named = true;
	store.held[store.count++] = now;
	return (int)now.number;
}

static void old_forget(void)
{
	for (size_t i = store.count; i-- > 0;)
		if (!store.held[i].named)
			held_forget(&store.held[i]);
}

static int new_store(void)
{
	char name[32];
	int err = 0;

	if (!store.memory_stored)
		err = process_store(store.memory_fd, MEMORY_NAME);
	store.memory_stored |= !err;
	for (size_t i = 0; i < store.count && !err; i++) {
		struct held *held = &store.held[i];

		name_fill(held, name);
		if (!held->stored)
			err = process_store(held->fd, name);
		held->stored |= !err;
	}
	return err;
}

int store_put(json_t *handover)
{
	size_t named = 0;
	int err = memory_new();

	store.deaf = false;
	for (size_t i = 0; i < store.count; i++)
		store.held[i].named = false;
	if (!err)
		err = handover_fds(handover, number_of, NULL);
	if (err == -ENOSPC)
		store_empty();
	if (err)
		return err;
	for (size_t i = 0; i < store.count; i++)
		named += store.held[i].named;
	/* What is old goes after the text, unless there is no room for both. */
	if (store.count + 1 > store.room)
		old_forget();
	err = named + 1 > store.room
		      ? not_used("it has room for %u descriptors, and this takes %zu: raise "
				 "FileDescriptorStoreMax=",
				 store.room, named + 1)
		      : new_store();
	if (!err)
		err = text_write(handover);
	if (err == -ENOSPC)
		store_empty();
	if (err)
		return err;
	old_forget();
	store.complete = true;
	return 0;
}

bool store_has(void)
{
	return store.complete;
}

void store_empty(void)
{
	store.complete = false;
	if (!store.memory)
		return;
	store.memory->current = 0;
	store.deaf = false;
	while (store.count > 0)
		held_forget(&store.held[store.count - 1]);
	if (store.memory_stored) {
		name_remove(MEMORY_NAME);
		settle();
	}
	store.memory_stored = false;
}

/* ---- From a keeper that was killed ---- */

/* A descriptor that the manager has passed to this process. Foreign ones are closed. */
/* One that does not fit: what has a name of ours takes no room any more. */
static void stranger_close(int fd, const char *name)
{
	close(fd);
	if (!strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)))
		(void)process_store_remove(name);
}

static void passed_take(int fd, const char *name)
{
	struct held *held = &store.held[store.count];
	unsigned int number;
	char again[32];

	if (!strcmp(name, MEMORY_NAME) && store.memory_fd < 0) {
		store.memory_fd = fd;
		store.memory_stored = true;
		return;
	}
	if (store.count == STORE_FDS_MAX || sscanf(name, NAME_FORMAT, &number) != 1 ||
	    held_look(fd, 0, held)) {
		stranger_close(fd, name);
		return;
	}
	held->number = number;
	held->stored = true;
	name_fill(held, again);
	if (strcmp(name, again) != 0) {
		stranger_close(fd, name);
		return;
	}
	store.count++;
	if (number > store.last)
		store.last = number;
}

/* False: the manager has passed nothing. `why` is filled if it says so in contradictory words. */
static bool all_passed_take(struct ixgbe_why *why)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	if (count < 0)
		ixgbe_why_fill(why, count,
			       "LISTEN_FDS and LISTEN_FDNAMES do not say what was passed: %s",
			       strerror(-count));

	for (int i = 0; i < count; i++) {
		passed_take(SD_LISTEN_FDS_START + i, names[i]);
		free(names[i]);
	}
	free(names);
	return count > 0;
}

/* The descriptor whose number stands in the text. */
static int fd_of(void *ctx, int number, pid_t pid)
{
	struct held again = {.fd = -1};

	(void)ctx;
	for (size_t i = 0; i < store.count; i++)
		if (store.held[i].number == (uint32_t)number) {
			if (held_look(store.held[i].fd, pid, &again))
				return -EBADF;
			store.held[i].named = true;
			store.held[i].pid = again.pid;
			return store.held[i].fd;
		}
	return -EBADF;
}

static int memory_take(struct ixgbe_why *why)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;

	if (store.memory_fd < 0)
		return ixgbe_why_fill(why, -EBADMSG, "its memory is missing");
	if (fstat(store.memory_fd, &st) || st.st_size != (off_t)sizeof(*store.memory) ||
	    (fcntl(store.memory_fd, F_GET_SEALS) & sealed) != sealed)
		return ixgbe_why_fill(why, -EBADMSG, "it was written by another version");
	store.memory = memory_map(store.memory_fd);
	return store.memory ? 0 : ixgbe_why_fill(why, -ENOMEM, "out of memory");
}

/* What no text names: it was stored, or was to be removed, when the former keeper was killed. */
static void strangers_close(void)
{
	for (size_t i = store.count; i-- > 0;)
		if (!store.held[i].named) {
			close(store.held[i].fd);
			held_forget(&store.held[i]);
		}
}

json_t *store_take(struct ixgbe_why *why)
{
	json_t *handover = NULL;
	int err;

	why->text[0] = '\0';
	if (!all_passed_take(why))
		return NULL;
	if (!memory_take(why))
		handover = text_read(why);
	err = handover ? handover_fds(handover, fd_of, NULL) : 0;
	if (err) {
		ixgbe_why_fill(why, err,
			       err == -E2BIG ? "its text has too many parts"
					     : "a descriptor is missing");
		json_decref(handover);
		handover = NULL;
	}
	if (!handover)
		store_drop_all();
	else
		strangers_close();
	store.complete = handover != NULL;
	return handover;
}

/* ---- What is of no use ---- */

/* The process that a pidfd means, and no other descriptor does. */
static void process_end(int fd)
{
	struct pollfd dead = {.fd = fd, .events = POLLIN};

	if (fd >= 0 && !syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0))
		(void)poll(&dead, 1, END_MS);
}

static int end_visit(void *ctx, int fd, pid_t pid)
{
	(void)ctx;
	(void)pid;
	process_end(fd);
	return fd;
}

static int close_visit(void *ctx, int fd, pid_t pid)
{
	(void)ctx;
	(void)pid;
	for (size_t i = store.count; i-- > 0;)
		if (store.held[i].fd == fd)
			held_forget(&store.held[i]);
	close(fd);
	return fd;
}

void store_drop(json_t *part)
{
	store.deaf = false;
	(void)handover_fds(part, end_visit, NULL);
	(void)handover_fds(part, close_visit, NULL);
	settle();
}

void store_drop_all(void)
{
	for (size_t i = 0; i < store.count; i++)
		process_end(store.held[i].fd);
	for (size_t i = 0; i < store.count; i++)
		close(store.held[i].fd);
	while (store.count > 0)
		held_forget(&store.held[store.count - 1]);
	if (store.memory)
		munmap(store.memory, sizeof(*store.memory));
	if (store.memory_fd >= 0)
		close(store.memory_fd);
	store.memory = NULL;
	store.memory_fd = -1;
	store.memory_stored = store.complete = false;
	name_remove(MEMORY_NAME);
	settle();
}

/* ---- From one program to the next ---- */

json_t *store_hand_over(void)
{
	json_t *held = json_array();

	for (size_t i = 0; i < store.count; i++) {
		const struct held *one = &store.held[i];

		json_array_append_new(held, json_pack("{s:i,s:i,s:i,s:b}", "descriptor", one->fd,
						      "number", (int)one->number, "process",
						      (int)one->pid, "stored", one->stored));
	}
	return json_pack("{s:i,s:b,s:b,s:i,s:o}", "fd", store.memory_fd, "stored",
			 store.memory_stored, "complete", store.complete, "last", (int)store.last,
			 "held", held);
}

/* A descriptor that is none any more is removed with the next store_put. */
static void held_take_over(json_t *from)
{
	int fd, number, pid, stored;
	struct held now = {.fd = -1};

	if (store.count == STORE_FDS_MAX ||
	    json_unpack(from, "{s:i,s:i,s:i,s:b}", "descriptor", &fd, "number", &number, "process",
			&pid, "stored", &stored))
		return;
	if (held_look(fd, pid, &now))
		now.fd = -1;
	now.number = (uint32_t)number;
	now.stored = stored;
	store.held[store.count++] = now;
}

void store_take_over(const json_t *from)
{
	int fd, stored, complete, last;
	json_t *held, *one;
	size_t i;

	if (json_unpack((json_t *)(uintptr_t)from, "{s:i,s:b,s:b,s:i,s:o}", "fd", &fd, "stored",
			&stored, "complete", &complete, "last", &last, "held", &held) ||
	    fd < 0)
		return;
	store.memory = memory_map(fd);
	if (!store.memory)
		return;
	store.memory_fd = fd;
	store.memory_stored = stored;
	store.complete = complete;
	store.last = (uint32_t)last;
	json_array_foreach(held, i, one) held_take_over(one);
}
