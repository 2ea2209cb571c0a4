/* SPDX-License-Identifier: MIT */
/*
 * spawn: how the keeper gets drivers that hold nothing they could misuse.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     spawner.c            the keeper's side: a spawner is started, asked for drivers, ended
 *     spawn_main.c         the program's side: becomes the spawner, forks drivers
 *       |
 *     spawner_exec.c       a process for the program, in its namespaces
 *     free_user.c          a user that nobody else is
 *     isolation.c          what the spawner gives up, mechanism by mechanism
 *       |
 *     isolation_root.c     a root directory with nothing in it
 *     isolation_rights.c   user, capabilities, landlock, limits
 *     isolation_filter.c   the system calls that are left
 *       |
 *     capability_sets.c    capabilities that are given up
 *       |
 *     spawn_wire.c         messages between keeper and spawner
 *       |
 *     isolation_report.c   which mechanism is in force, or why not
 *
 * Three processes. The keeper executes the program ixtap-driver once, as the spawner: process 1 of
 * a PID namespace. The spawner receives a record and descriptors, gives up its rights, lets the
 * program map what drivers need (spawn_program.prepare), says so, and from then on only forks. Each
 * driver is a child of the spawner, so it is born isolated, with all memory mapped, and nothing is
 * executed any more. Why so:
 *  - Exec under isolation would need the program, its libraries and the loader to be in reach.
 *  - A PID namespace dies with its process 1: a spawner killed is a driver killed. The other way
 *    round, a driver that dies leaves the namespace as it was, for the next one.
 *  - The spawner is disposable. It never touches the device, and holds what was mapped at its
 *    start: for other TAP queues, or another device, the keeper makes another spawner.
 *
 * What a driver cannot do, and which mechanism says so, is listed in ISOLATION_MECHANISMS. Each
 * mechanism is in force, or the report has the reason why not; `require` starts nothing then.
 *
 * Messages are structs of fixed size in a SOCK_SEQPACKET pair (spawn_wire.h). Both ends check each:
 * size, layout, number and kind of descriptors; descriptors that are not expected are closed. The
 * keeper waits for the spawner's first word alone, for a bounded time. A driver has no part in that
 * socket: the spawner's end is closed in a driver.
 *
 * Ends. PDEATHSIG kills the spawner when the keeper dies. It is of the keeper's THREAD that called
 * spawner_start: the main thread does that, or one that lives as long. A driver has PDEATHSIG, too:
 * without a PID namespace it dies with the spawner all the same. A keeper whose descriptors a
 * service manager holds tells its spawner to linger: that one, and its driver, then go on for
 * SPAWN_LINGER_MS behind the keeper's end, unless a next keeper ends them before. Where a maker
 * (bridge/making) calls spawner_start, the spawner watches that one, which dies with the keeper.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ixgbe/ixgbe.h"

/* Descriptors in one message: the kernel's limit is 253, two are of the protocol itself. */
#define SPAWN_FDS_MAX        250u
#define SPAWN_START_MS       5000
#define SPAWN_LINGER_MS      10000
#define SPAWN_ENDS_KEPT      8u
#define ISOLATION_TEXT_BYTES 120u
#define ISOLATION_USER_FIRST 61184u /* systemd's range of users that come and go */
#define ISOLATION_USER_LAST  65519u
#define ISOLATION_USER_FREE  ((uid_t)-1) /* choose one */

/* ---- What is in force ---- */

enum isolation {
	ISOLATION_REQUIRE, /* all, or no start */
	ISOLATION_BEST,    /* what can be had */
	ISOLATION_OFF      /* nothing but the processes */
};

/* In the order in which they come into force: symbol, name. */
#define ISOLATION_MECHANISMS(M)                                                                    \
	M(PID, "pid-namespace")             /* no other process can be named */                    \
	M(USER_NAMESPACE, "user-namespace") /* for a keeper without privileges only */             \
	M(NETWORK, "network-namespace")     /* no interface, no abstract socket */                 \
	M(MOUNT, "mount-namespace")                                                                \
	M(IPC, "ipc-namespace")                                                                    \
	M(UTS, "uts-namespace")                                                                    \
	M(CGROUP, "cgroup-namespace")                                                              \
	M(ROOT, "empty-root")           /* no file has a path */                                   \
	M(USER, "user")                 /* no file, no process is its own */                       \
	M(CAPABILITIES, "capabilities") /* all five sets are empty */                              \
	M(NO_NEW_PRIVS, "no-new-privs")                                                            \
	M(LANDLOCK, "landlock")         /* no file, no port, no signal, without any rule */        \
	M(LIMITS, "limits")             /* descriptors, processes, no core, no file grows */       \
	M(DUMPABLE, "not-dumpable")     /* nobody but root traces it */                            \
	M(SECCOMP, "seccomp")           /* system calls of spawner and a driver's start */         \
	M(SECCOMP_LAST, "seccomp-last") /* of a driver that runs: isolation_last */

enum isolation_mechanism {
#define M(symbol, name) ISOLATION_##symbol,
	ISOLATION_MECHANISMS(M)
#undef M
		ISOLATION_COUNT
};

enum isolation_state {
	ISOLATION_MISSING,  /* the text says why */
	ISOLATION_IN_FORCE, /* the text may say more: "uid 61184" */
	ISOLATION_UNUSED,   /* not asked for, or another mechanism serves: the text says which */
	ISOLATION_LATER     /* by the driver itself */
};

/* Plain data of fixed size: goes through sockets and shared memory as it is. */
struct isolation_report {
	struct isolation_fact {
		uint8_t state; /* enum isolation_state */
		char text[ISOLATION_TEXT_BYTES - 1];
	} of[ISOLATION_COUNT];
};

/* "user"; NULL: there is none of that number. */
const char *isolation_name(unsigned int mechanism);
/* Whether a fact, or a report, from outside is one: known states, texts that end and are printable
 * ASCII. */
bool isolation_fact_valid(const struct isolation_fact *fact);
bool isolation_report_valid(const struct isolation_report *report);

/* ---- The keeper's side ---- */

struct spawn_config {
	const char *program; /* ixtap-driver's path, for messages */
	int program_fd; /* spawner_program_open's: what stands at the path may be another by now */
	const char *version; /* of the keeper's program, and so of that one; NULL: this one's */
	const char *name; /* of the interface: shown by ps(1), and seed of the user; may be NULL */
	enum isolation isolation;
	uid_t user; /* and group; ISOLATION_USER_FREE */
	/* For spawn_program.prepare. They stay the caller's. */
	int record; /* spawner_record_new's */
	size_t bytes;
	const int *fd;
	uint32_t fds; /* at most SPAWN_FDS_MAX */
};

/* How a driver ended, as waitid(2) says: CLD_EXITED and the status, CLD_KILLED and the signal. */
struct spawn_end {
	uint32_t number; /* spawned.number; 0: none */
	int code, status;
};

/* "was killed by signal 9"; NULL: nobody knows how. */
#define SPAWN_FATE_BYTES 64u
void spawn_fate(const struct spawn_end *end, char text[SPAWN_FATE_BYTES]);

/* Zeroes are a spawner that was not started. */
struct spawner {
	pid_t pid;
	int pidfd;
	int sock;     /* to be watched for POLLIN */
	bool lingers; /* as it was told last */
	struct isolation_report report;
	struct spawn_end ends[SPAWN_ENDS_KEPT]; /* for spawner_ended */
};

struct spawned {
	pid_t pid; /* -1: it is gone already */
	int pidfd; /* the caller's */
	uint32_t number;
};

/* Opens the program at a path for reading. A descriptor, or -errno with `why` filled: as
 * spawner_start. */
int spawner_program_open(const char *program, struct ixgbe_why *why);
/* Whether an open file is a program that is executed as itself: a script is its interpreter. 0,
 * -ENOEXEC, -EISDIR. */
int spawner_program_check(int fd);
/* A file of a record, which nobody can change any more: a descriptor, or -errno. */
int spawner_record_new(const void *record, size_t bytes);
/* The process that a pidfd means, as seen from here: *pid -1, it is gone. -EPROTO: it is no pidfd.
 */
int spawner_pidfd_process(int pidfd, pid_t *pid);
/*
 * Starts a spawner, and waits for its word: SPAWN_START_MS at most, prepare's time included.
 * PDEATHSIG is of the calling thread. 0, or -errno with `why` filled: -EPERM (`require`, and a
 * mechanism is missing), -ENOENT, -EACCES, -ENOEXEC, -EISDIR (the program), -EBADMSG (it is of
 * another version), -ETIMEDOUT, -ECHILD (it ended), what prepare returned, and others. Nothing is
 * left of a failure.
 */
int spawner_start(struct spawner *out, const struct spawn_config *config, struct ixgbe_why *why);
/* Asks for a driver; `fd` go to just this one, and stay the caller's, too. Does not wait. -EAGAIN:
 * too many orders stand, -EPIPE: the spawner is gone, -EINVAL: too many descriptors. */
int spawner_order(struct spawner *spawner, const int *fd, uint32_t fds);
/*
 * Takes the next driver; orders are served in turn. Does not wait. -EAGAIN: nothing has come (or
 * only word of an end, see spawner_ended). -EPIPE: the spawner is gone; -ENOMEM and others: it
 * cannot fork; -EPROTO: it speaks nonsense. After all but -EAGAIN it is to be stopped.
 */
int spawner_take(struct spawner *spawner, struct spawned *out);
/* How the driver `number` ended; false: not known (yet: the word comes some time after the pidfd
 * says that the driver is dead, and is taken by spawner_take). */
bool spawner_ended(const struct spawner *spawner, uint32_t number, struct spawn_end *out);
/* Whether the spawner outlives this process, for SPAWN_LINGER_MS; at first it does not. Does not
 * wait. -EAGAIN: too many orders stand; -EPIPE: the spawner is gone. */
int spawner_linger(struct spawner *spawner, bool linger);
/* Kills the spawner, and drivers with it, and waits a bounded time for their end. */
void spawner_stop(struct spawner *spawner);

/* ---- The program's side ---- */

/* What ixtap-driver is made of. */
struct spawn_program {
	/* In the spawner, with no rights, and all system calls still: maps memory, checks. Owns the
	 * descriptors: those that stay open are in every driver. Makes no thread. Nothing of
	 * `record` is of use afterwards. 0, or -errno with `why` filled. */
	int (*prepare)(const void *record, size_t bytes, const int *fd, uint32_t fds,
		       struct ixgbe_why *why);
	/* In a driver: does not return. Its threads run before isolation_last. */
	void (*run)(const int *fd, uint32_t fds);
	uint32_t files; /* descriptors that a driver opens itself, io_uring's registered ones at
			   least */
	uint32_t tasks; /* threads of a driver, the kernel's for io_uring included */
};

/* The whole of main(): does not return in a driver. */
int spawn_main(int argc, char **argv, const struct spawn_program *program);
/*
 * For a driver whose threads run: the last filter, for all threads, and `report` (may be NULL) with
 * what is in force then. 0; -errno: not in force though it is required, so the driver must end.
 */
int isolation_last(struct isolation_report *report);

/* What bridge/ixtap_driver.c puts into struct spawn_program; bridge/driver has them. */
int driver_prepare(const void *record, size_t bytes, const int *fd, uint32_t fds,
		   struct ixgbe_why *why);
_Noreturn void driver_main(const int *fd, uint32_t fds);
