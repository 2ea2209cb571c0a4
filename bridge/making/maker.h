/* SPDX-License-Identifier: MIT */
/*
 * making: how the keeper has processes made once it may make none itself.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     maker.c               the keeper's side: asks, and does it itself where there is no maker
 *     maker_main.c          the maker's side: one loop, one answer for each request
 *       |
 *     maker_requests.c      what the maker does when it is asked
 *       |
 *     nic_process.c         a process that is ixnic
 *     trusted_program.c     a program that nobody but root can have put there
 *     denied_calls.c        system calls that are given up
 *
 * Theory of operation.
 *
 * Making a spawner takes nearly all that root has: namespaces, users, a bounding set. A keeper that
 * keeps these for the next spawner has given up nothing. So they are another process's, the maker,
 * which the keeper executes at its start, before there is a TAP or a NIC:
 *
 *     keeper ── request ──► maker ──► spawner ──► driver
 *        ▲ ──── answer ────── │  └──► ixnic
 *
 * The maker takes requests from one socket, one after the other, and answers each. It holds no
 * device, and talks to nobody else. What it makes is its child: spawner and ixnic die with it
 * (PDEATHSIG), and the maker dies with the keeper, by PDEATHSIG, and by the end of the socket.
 *
 * A keeper whose descriptors a service manager holds leaves children behind, if it is killed: a
 * spawner that it has told to linger (bridge/spawn/spawn.h), and ixnic, of which is said at the
 * start that it outlives the maker. The maker dies all the same. The next keeper starts one of its
 * own, which does not know these children: it ends that spawner itself, before it gives up its
 * rights. ixnic ends when its socket is closed. The next keeper may not kill one that does not.
 *
 * What a keeper that was broken into can do with it. All that decides what a child may do is told
 * once, in the first message, when the keeper has met nobody yet: isolation, user, the interface's
 * name, the wire and control socket of ixnic, programs and paths. Requests have none of these:
 *
 *     MAKER_SPAWNER   a record, and descriptors, for a program that is open; drivers are as
 *                     confined as at the start
 *     MAKER_NIC       ixnic, with the words of the start
 *     MAKER_SIGNAL    SIGTERM or SIGKILL, to what the maker has made, or a child of that
 *     MAKER_END       how a child has ended
 *     MAKER_OPEN      a program for the above, of a later version: a file that root owns, of the
 *                     right name, below folders that root owns, all of which nobody else may write
 *     MAKER_FORGET    a program is needed no more
 *     MAKER_UNLINK    removes the control socket of the start
 *
 * So such a keeper gets drivers and software NICs as the real one gets them, CHILDREN_MAX at once,
 * and may end them. Messages have one size and are checked whole; what does not make sense is
 * refused, with an answer, and changes nothing. Descriptors that do not belong to a request are
 * closed.
 *
 * There is no maker without isolation, nor after an unprivileged start: there is nothing to hold
 * then, and the keeper makes its children itself. The functions below do both.
 *
 * A maker that has ended, or does not answer in time, is lost: nobody has the rights for another
 * one. The keeper ends, and the service manager starts all anew.
 *
 * An upgrade hands the maker over, as it is: the next program asks the former's maker. So a change
 * of the messages needs another MAKER_LAYOUT, and a program that knows both, or a new start.
 */
#pragma once

#include <jansson.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "bridge/spawn/spawn.h"
#include "ixgbe/ixgbe.h"
#include "nic_process.h"

#define MAKER_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)
#define MAKER_WIRE_BYTES 160u

/* What is decided at the start. Texts that do not fit are refused. */
struct maker_config {
	enum isolation isolation;
	uid_t user;          /* of drivers; ISOLATION_USER_FREE */
	const char *name;    /* of the interface */
	const char *control; /* path of the control socket */
	/* ixtap-driver, and ixnic, or NULL: none is wanted. */
	const char *driver, *nic;
	struct nic_words words; /* of ixnic */
};

/* Zeroes: there is none, and what it would do is done by this process. */
struct maker {
	pid_t pid;
	int pidfd;
	int sock;
	bool lost;                          /* it has ended, or did not answer */
	uint32_t requests;                  /* the number of the last one */
	uint32_t driver, nic;               /* programs that it has open; 0: none */
	uint32_t former_driver, former_nic; /* those of the program before this one */
};

enum maker_program { MAKER_DRIVER, MAKER_IXNIC, MAKER_KEEPER, MAKER_PROGRAMS };

/* Starts a maker, in the calling thread's network namespace, if there is isolation and the right to
 * have one. PDEATHSIG is of the calling thread. 0, or -errno with `why` filled. */
int maker_start(struct maker *maker, const struct maker_config *config, struct ixgbe_why *why);
/* The end of the maker, and of all that it has made. */
void maker_close(struct maker *maker);
static inline bool maker_there(const struct maker *maker)
{
	return maker->pid > 0;
}

/* A program for later requests: sets maker.driver or maker.nic; of MAKER_KEEPER, returns a
 * descriptor. With a maker alone. -errno with `why` filled; -EPERM: somebody but root could have
 * put the file there. */
int maker_open(struct maker *maker, enum maker_program what, const char *path,
	       struct ixgbe_why *why);
/* Programs that the former version has opened; those of this one. */
void maker_former_forget(struct maker *maker);
void maker_own_forget(struct maker *maker);

/* As spawner_start and spawner_stop; the program is maker.driver, if there is a maker. */
int maker_spawner_start(struct maker *maker, struct spawner *out, const struct spawn_config *config,
			struct ixgbe_why *why);
void maker_spawner_stop(struct maker *maker, struct spawner *spawner);
/* As nic_process_start, of maker.nic, or of `path` if there is no maker. */
int maker_nic_start(struct maker *maker, const char *path, const struct nic_words *words,
		    struct nic_process *out, struct ixgbe_why *why);
/* To a process that the maker or its children have made. SIGTERM or SIGKILL. -errno: it was not
 * sent. */
int maker_signal(struct maker *maker, int pidfd, int number);
/* Whether the maker answers, if there is one. */
bool maker_answers(struct maker *maker);
/* How a child has ended; false: it has not, or nobody knows. `reap`: nobody asks again. */
bool maker_end(struct maker *maker, int pidfd, bool reap, struct spawn_end *out);
/* Removes the control socket if it is that file. -errno. */
int maker_unlink(struct maker *maker, dev_t dev, ino_t ino);

/* For the program that this process executes next. Members "fd" are descriptors. */
json_t *maker_hand_over(const struct maker *maker);
/* In that program: -EBADMSG with `why` filled: the maker is of another layout. */
int maker_hand_over_check(const json_t *from, struct ixgbe_why *why);
/* `back`: the programs that are open are this one's, which was there before. */
int maker_take_over(struct maker *maker, const json_t *from, bool back, struct ixgbe_why *why);

/* The maker's main(), for a process that was executed as one. */
bool maker_is(int argc, char **argv);
_Noreturn void maker_main(void);
