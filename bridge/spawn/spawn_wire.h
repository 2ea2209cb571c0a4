/* SPDX-License-Identifier: MIT */
/*
 * Messages between keeper and spawner, one each in a SOCK_SEQPACKET pair:
 *
 *     keeper                          spawner
 *     spawn_hello, descriptors  ->
 *                               <-    spawn_word       ready, or why not
 *     spawn_order, descriptors  ->
 *                               <-    spawn_news       a driver, its pidfd; or: a driver has ended
 *     spawn_order               ->                     linger, or not
 *
 * The head of hello and word is the same in all versions: who meets another version can say so.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "spawn.h"

#define SPAWN_MAGIC         0x6e777073u /* "spwn" */
#define SPAWN_LAYOUT        2u          /* of what follows; another one is another version */
#define SPAWN_SOCKET        3           /* the spawner's end, at its start */
#define SPAWN_VERSION_BYTES 24u
#define SPAWN_HELLO_FDS     2u /* record, the keeper's pidfd; the others follow */
#define SPAWN_WIRE_FDS_MAX  (SPAWN_FDS_MAX + SPAWN_HELLO_FDS)

struct spawn_head {
	uint32_t magic;
	uint32_t layout;
	char version[SPAWN_VERSION_BYTES];
};

struct spawn_hello {
	struct spawn_head head;
	uint64_t bytes; /* of the record */
	uint32_t fds;
	uint32_t isolation; /* enum isolation */
	uint32_t user;      /* ISOLATION_USER_FREE: as it is */
	int32_t pid_error;  /* why there is no PID namespace: errno, or 0 */
	uint32_t user_namespace;
	uint32_t reserved;
};

enum spawn_stage {
	SPAWN_READY,
	SPAWN_FAILED,  /* `why` is filled */
	SPAWN_NO_EXEC, /* the process could not execute the program: errno alone */
	SPAWN_NO_USERS /* the process could not set its user namespace up: errno alone */
};

struct spawn_word {
	struct spawn_head head;
	uint32_t stage;
	int32_t error; /* -errno */
	char why[sizeof(((struct ixgbe_why *)0)->text)];
	struct isolation_report report;
};

enum spawn_order_kind {
	SPAWN_ORDER_DRIVER, /* a driver; the descriptors are for it */
	SPAWN_ORDER_LINGER, /* outlive the keeper */
	SPAWN_ORDER_FOLLOW  /* die with the keeper: as at first */
};

struct spawn_order {
	uint32_t magic;
	uint32_t kind;
	uint32_t fds;
};

enum spawn_news_kind { SPAWN_BORN, SPAWN_ENDED };

struct spawn_news {
	uint32_t magic;
	uint32_t kind;
	uint32_t number;
	int32_t error;        /* born: -errno, or 0 and a pidfd */
	int32_t code, status; /* ended: as waitid(2) says */
};

/* `version`: of a program for which this one speaks; NULL: this one's. */
void spawn_head_fill(struct spawn_head *head, const char *version);
/* Whether a message of `got` bytes begins with the head of that version. -EBADMSG: of another one,
 * -EPROTO: with none. */
int spawn_head_check(const struct spawn_head *head, const char *version, size_t got);

/* Does not wait. 0 or -errno. */
int spawn_send(int sock, const void *message, size_t bytes, const int *fd, uint32_t fds);
/*
 * Receives a message of at most `bytes`, and at most `room` descriptors (close on exec), *fds of
 * them; surplus ones are closed. `flags`: MSG_DONTWAIT or 0. The message's size, 0 at the end of
 * the connection; -EAGAIN; -EPROTO: too long, or with too many descriptors; -EMFILE: this process
 * may not have as many. All that came are closed then.
 */
ssize_t spawn_receive(int sock, void *message, size_t bytes, int *fd, uint32_t room, uint32_t *fds,
		      int flags);
void spawn_close_all(const int *fd, uint32_t fds);
