/* SPDX-License-Identifier: MIT */
/*
 * The NIC as the keeper has it: the device, what it shares with drivers, the spawner, the driver
 * that runs, and the process of a software NIC of ours. All of it can be closed and opened again
 * while the TAP stays; the counts go on.
 *
 *     engine_open     device, memory, spawner, a driver that has taken the NIC
 *     engine_start    that driver moves frames
 *     driver dies     engine_renew: the next one goes on where it was
 *     none may        engine_reset: the NIC is reset, and stays open; engine_anew: a driver begins
 *     engine_close    the driver stops the NIC, and all is given back
 *
 * This process reads no register of its own. What the NIC has is in `seen`, a checked copy of what
 * the driver has reported.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     engine_pass.c     the NIC passes from one program to the next
 *     engine_anew.c     the NIC is begun anew, and stays open
 *       |
 *     engine.c          device, spawner, driver
 *       |
 *     function_reset.c  a reset of the NIC's function, which may take a minute
 *     soft_nic.c        an ixnic of our own
 *       |
 *     patience.c        how long an operation on the NIC may take
 *     programs.c        where the programs are that ixtapd starts
 */
#pragma once

#include <jansson.h>
#include <limits.h>

#include "bridge/driver/board.h"
#include "bridge/frames/counters.h"
#include "bridge/making/maker.h"
#include "bridge/spawn/spawn.h"
#include "bridge/start/options.h"
#include "function_reset.h"
#include "ixgbe/ixgbe.h"
#include "patience.h"
#include "soft_nic.h"

/* How long a driver that is asked for counters may take. */
#define ENGINE_ASK_MS 1000

struct engine_lost {
	uint64_t tap_reads; /* frames that the kernel gave to a driver that had died */
};

struct engine_starts {
	uint64_t warm, cold, upgrade;
};

struct engine {
	const struct options *options;
	struct patience *patience; /* of the control thread, which opens, uses and closes this */
	struct maker *maker;       /* makes spawners, and a software NIC */
	struct soft_nic soft;
	char soft_wire[OPTIONS_PATH_BYTES + 16], soft_control[OPTIONS_PATH_BYTES];

	struct ixgbe_device *device;  /* NULL: closed */
	struct function_reset *reset; /* under way, and nobody else uses the device; NULL: none */
	int orders_fd, report_fd;
	struct board_orders *orders;
	struct board_report *report; /* there while control requests are served */
	struct board_wishes wishes;  /* as last given */
	struct board_state seen;
	char program[PATH_MAX];
	bool outlives;  /* a software NIC is not to die with this process */
	int program_fd; /* without a maker: the driver's, for the keeper's life; -1: not opened yet
			 */
	struct spawner spawner;
	bool ordered;          /* a driver that has not come yet */
	struct spawned driver; /* pid -1: none */
	unsigned int messages; /* of the driver, since the caller has set 0 */
	int socket;            /* to the driver; -1: none */
	uint32_t dead_number;  /* of the last that died */
	int64_t dead_ns;       /* when */
	struct engine_starts starts;
	struct engine_lost lost;

	/* The counts that were shown: they never go back. */
	struct bridge_counters shown[IXGBE_QUEUES_MAX];
	size_t stats;
	char (*stat_name)[BOARD_NAME_BYTES];
	uint64_t *stat_before; /* of devices that were closed */
};

void engine_init(struct engine *engine, const struct options *options, struct patience *patience,
		 struct maker *maker);
/* What a maker has to be told at its start of what it will make for this engine. `path` has room
 * for ixtap-driver's path and ixnic's, and stays the caller's. -ENOENT with `why` filled. */
int engine_maker_config(const struct engine *engine, char path[2][PATH_MAX],
			struct maker_config *out, struct ixgbe_why *why);
/* Makes what of orders and report is not there yet; a report goes on with the counts that were
 * shown. Without a report nothing can be answered: engine_open does this, and whoever fails to take
 * over an engine has to. -ENOMEM with `why` filled. */
int engine_board_open(struct engine *engine, struct ixgbe_why *why);
/* Ends a spawner of this engine's, and its drivers. */
void engine_spawner_stop(const struct engine *engine, struct spawner *spawner);

/* ---- From one program to the next: engine_pass.c ---- */

/* What the program that this process executes next needs. Members "fd" are descriptors. The engine
 * and its driver go on. `nic`: with the NIC, if it is open; not while it begins anew. `why` is
 * filled where NULL is returned. */
json_t *engine_hand_over(struct engine *engine, bool nic, struct ixgbe_why *why);
/* Whether engine_take_over could read that, by the versions of what both programs share. Touches
 * nothing. -EBADMSG: the NIC has to start anew. */
int engine_hand_over_check(const json_t *from, struct ixgbe_why *why);
/* In that program, instead of engine_open: the driver runs on, and belongs to the former program's
 * spawner, which goes to `former`. On failure the descriptors are as they were. */
int engine_take_over(struct engine *engine, const json_t *from, struct spawner *former,
		     struct ixgbe_why *why);
/* After that: makes a spawner of this program's, and has the driver leave. On failure the driver
 * runs still. */
int engine_former_leave(struct engine *engine, const int tap_fd[], const struct mirror *wanted,
			struct ixgbe_why *why);
/* How the driver ended that was to leave, as engine_driver_end. */
bool engine_former_end(struct engine *engine, struct spawner *former, struct spawn_end *out);
/* Then the next driver goes on with the rings. On failure none runs. */
int engine_succeed(struct engine *engine, struct ixgbe_why *why);

/*
 * Opens the NIC of the options; receiver and transmitter are off. A software NIC is started in the
 * calling thread's network namespace. The descriptors of the TAP are the drivers', too. A failure
 * undoes all.
 */
int engine_open(struct engine *engine, uint16_t mtu, const int tap_fd[], struct ixgbe_why *why);
/* Brings the NIC to `wanted`, starts the rings and a worker for each queue. */
int engine_start(struct engine *engine, const struct mirror *wanted, struct ixgbe_why *why);
/* Stops the driver, quiesces DMA, resets the NIC, ends a software NIC of ours. Does nothing to an
 * engine that is closed. A reset that is under way, and does not come back in the operation's time,
 * is left to itself; the NIC is open until it does. */
void engine_close(struct engine *engine);
/* engine_close, and forgets the counts. */
void engine_free(struct engine *engine);

/* What the driver is to bring the NIC to. Does not wait. */
void engine_wish(struct engine *engine, const struct mirror *wanted);
/* What the workers do to received frames, those that run and those to come. */
void engine_receive_set(struct engine *engine, bool coalesce, bool csum_replace);

/* ---- News; none of these waits for a driver ---- */

/* Takes what the driver has said into `seen`. -EPIPE: it is gone; -EMSGSIZE: it said more than
 * ENGINE_MESSAGES_MAX since engine.messages was 0; other -errno: it lies. */
#define ENGINE_MESSAGES_MAX 4000u
int engine_listen(struct engine *engine);
/* Takes the driver that was ordered. 1: it is there now; 0; -errno: the spawner failed. */
int engine_driver_come(struct engine *engine);
/* Its end is heard of as that of any other. */
void engine_driver_kill(const struct engine *engine);
/* Whether the driver is dead, and not yet forgotten. */
bool engine_driver_died(const struct engine *engine);
bool engine_spawner_died(const struct engine *engine);
/* The driver is dead: forgets it. */
void engine_driver_bury(struct engine *engine);
/* How the last driver that died had ended, as the spawner says: that takes half a second at most.
 * False: it does not. As text: "was killed by signal 9". */
bool engine_driver_end(struct engine *engine, struct spawn_end *out);
void engine_driver_fate(struct engine *engine, char text[SPAWN_FATE_BYTES]);
/* Orders the next driver, which goes on with the running NIC. */
int engine_renew(struct engine *engine, struct ixgbe_why *why);
/* Whether the driver moves frames. One may say so before the spawner's word of it is heard, and is
 * nobody that can be ended, or followed, until then. */
bool engine_running(const struct engine *engine);
/* Whether somebody has stopped its process, or the spawner where there is no driver: SIGSTOP, a
 * debugger. */
bool engine_suspended(const struct engine *engine);
/* The processor that each queue's worker is bound to now, by whomever; -1: it may run on several,
 * or there is none. */
void engine_worker_cpus(const struct engine *engine, int cpu[IXGBE_QUEUES_MAX]);
/* Whether it has done what was wanted last. */
bool engine_followed(const struct engine *engine);

/* ---- Begun anew: engine_anew.c ---- */

/*
 * For a NIC whose next driver may not go on where the last one was. That one is dead. Takes bus
 * mastering away and resets the NIC, which stays open; does not wait. `distrust`: its memory is
 * replaced; the caller has ended the spawner, which has the old one. -errno: it could not begin.
 */
int engine_reset(struct engine *engine, bool distrust, struct ixgbe_why *why);
/* Readable when that is over, then what came of it; -1: none is under way. On failure the NIC is to
 * be closed. */
int engine_reset_fd(const struct engine *engine);
int engine_reset_end(struct engine *engine, struct ixgbe_why *why);
/* Then orders a driver, which has the NIC begin anew and brings it to `wanted`, and makes a spawner
 * if there is none. On failure the NIC is to be closed. */
int engine_anew(struct engine *engine, const int tap_fd[], const struct mirror *wanted,
		struct ixgbe_why *why);

/* ---- Counts ---- */

void engine_counters(struct engine *engine, uint16_t queue, struct bridge_counters *out);
/* Has the driver read the NIC's counters, or registers: BOARD_ASK_*. Waits for ENGINE_ASK_MS at
 * most. -ETIMEDOUT; -ENODEV: no driver. */
int engine_ask(struct engine *engine, uint32_t what);
uint64_t engine_stat(const struct engine *engine, size_t i);
