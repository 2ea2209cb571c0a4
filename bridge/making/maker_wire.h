/* SPDX-License-Identifier: MIT */
/*
 * Messages between keeper and maker, one each in a SOCK_SEQPACKET pair:
 *
 *     keeper                                 maker
 *     maker_hello                       ->
 *                                       <-   maker_answer
 *     maker_request, descriptors        ->
 *                                       <-   maker_answer, descriptors
 */
#pragma once

#include "bridge/spawn/spawn_wire.h"
#include "maker.h"

#define MAKER_MAGIC     0x726b616du /* "makr" */
#define MAKER_LAYOUT    2u
#define MAKER_SOCKET    3 /* the maker's end, at its start */
#define MAKER_WORD      "--maker"
#define MAKER_FDS_MAX   (SPAWN_FDS_MAX + 1) /* the record, and a driver's */
#define MAKER_LEVEL_MAX 16u

enum maker_kind {
	MAKER_HELLO,
	MAKER_SPAWNER,
	MAKER_NIC,
	MAKER_SIGNAL,
	MAKER_END,
	MAKER_OPEN,
	MAKER_FORGET,
	MAKER_UNLINK,
	MAKER_KINDS
};

struct maker_head {
	uint32_t magic;
	uint32_t layout;
	uint32_t kind;
	uint32_t number; /* the answer's is the request's */
};

struct maker_hello {
	struct maker_head head;
	uint32_t isolation; /* enum isolation */
	uint32_t user;
	uint32_t outlives; /* ixnic: 0 or 1 */
	char name[IFNAMSIZ];
	char control[MAKER_PATH_BYTES];
	char wire[MAKER_WIRE_BYTES], nic_control[MAKER_PATH_BYTES], log_level[MAKER_LEVEL_MAX];
	char driver[PATH_MAX], nic[PATH_MAX]; /* nic "": none */
};

/* Members that a kind does not use are 0. */
struct maker_request {
	struct maker_head head;
	uint32_t fds;
	uint32_t program;  /* SPAWNER, NIC, FORGET: a program's number; OPEN: enum maker_program */
	uint64_t bytes;    /* SPAWNER: of the record */
	int32_t signal;    /* SIGNAL */
	uint32_t reap;     /* END: 0 or 1 */
	uint64_t dev, ino; /* UNLINK */
	char path[PATH_MAX];               /* OPEN */
	char version[SPAWN_VERSION_BYTES]; /* SPAWNER: of the keeper, whichever that is by now */
};

struct maker_answer {
	struct maker_head head;
	uint32_t fds;
	int32_t error;        /* -errno; `why` is filled */
	int32_t pid;          /* SPAWNER, NIC */
	int32_t code, status; /* END: as waitid(2) says; code 0: it has not ended */
	uint32_t program;     /* HELLO, OPEN: its number */
	uint32_t nic;         /* HELLO: ixnic's */
	char why[sizeof(((struct ixgbe_why *)0)->text)];
	struct isolation_report report; /* SPAWNER */
};

/* Descriptors of an answer. */
enum { MAKER_SPAWNER_FDS = 2, MAKER_NIC_FDS = 4, MAKER_ANSWER_FDS_MAX = 4 };
