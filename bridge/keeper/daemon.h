/* SPDX-License-Identifier: MIT */
/*
 * keeper: what outlives the driver, and what needs privileges.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     daemon.c               the event loop: every event, and what becomes of it
 *       |
 *     answers.c              what the control socket answers
 *     interface_gone.c       the TAP was deleted, or moved to another namespace
 *     interface_settings.c   MTU, MAC address, filters, up: what the NIC is to have
 *       |
 *     upgrade.c              another program takes this one's place
 *       |
 *     heir.c                 the keeper behind one that was killed goes on
 *     nic_life.c             the NIC starts, drivers follow each other, the NIC fails and is
 *                            brought back
 *       |
 *     nic_anew.c             a NIC that stays open begins anew
 *     nic_bus.c              what the bus tells of the NIC
 *     rx_features.c          checksums and merging of received frames
 *       |
 *     publish.c              a change is told: log, monitors, service manager
 *     store.c                descriptors that the service manager holds
 *     watch.c                the event loop's descriptors
 *       |
 *     handover.c             what the next program has to know
 *     state.c                the bridge's state, from what is known
 *     rights.c               what this process gives up after its start
 */
#pragma once

#include "bridge/engine/engine.h"
#include "bridge/engine/patience.h"
#include "bridge/service/control.h"
#include "bridge/start/options.h"
#include "bridge/interface/interface.h"
#include "bridge/driver/mirror.h"
#include "bridge/service/notice.h"
#include "rights.h"
#include "state.h"
#include "upgrade_order.h"

#define DAEMON_TICKS_PER_SECOND 4
/* Status to exit with when all has to be started anew, by somebody who may: sysexits' EX_TEMPFAIL.
 */
#define DAEMON_EXIT_ANEW 75

/* Where the NIC is while it begins anew and stays open: what comes next. */
enum anew {
	ANEW_NOT,
	ANEW_DEATH, /* of the driver that has been killed */
	ANEW_RESET, /* the end of the function's reset */
	ANEW_TIME,  /* for another driver: not at once, if the last ones have failed */
	ANEW_DRIVER /* a driver that moves frames */
};

struct daemon {
	const struct options *options;
	char *const *argv;          /* the command line */
	char program[PATH_MAX];     /* our own file */
	struct upgrade_order order; /* how this program was executed */
	json_t *handover;           /* from the program before; NULL: there was none */
	struct spawner former;      /* that one's */
	struct rights rights;       /* what this process has given up */
	struct interface iface;
	struct maker maker;
	struct engine engine;
	struct patience patience;
	struct control *control;

	struct state_facts facts;
	enum state state;
	struct ixgbe_why reason; /* why the NIC is not open, or "" */
	/* What the NIC has, as told last. */
	struct ixgbe_link link;
	enum ixgbe_sfp sfp;
	struct mirror applied;
	uint32_t modules, timeouts, hangs; /* of struct board_state */
	uint32_t sfp_sum, storm;
	uint64_t stats_full;
	uint64_t irqs_lost; /* by all workers */
	bool gro;           /* of the interface, as last read */
	enum options_rx_checksum rx_checksum;

	/* Recovery. */
	unsigned int attempt;    /* of this run of failures */
	unsigned int recoveries; /* that succeeded, since the start */
	int64_t retry_at_ms;
	int64_t opened_at_ms;
	enum anew anew;
	int64_t anew_end_ms; /* so long that may take */
	bool distrusted;     /* the driver that was killed may have done anything to memory */
	/* Drivers that follow each other without one that worked for a while between them. */
	unsigned int deaths;
	int64_t ordered_at_ms;  /* the driver that is to come */
	int64_t followed_at_ms; /* when the driver had last done all that was wanted */
	int64_t beat_at_ms;     /* when the driver's main thread had last turned */
	uint32_t beats;
	bool bus_quick;             /* the NIC has answered this process at once */
	bool hung;                  /* the driver is killed, since it does not turn */
	unsigned int upgrade_tries; /* that a signal has left */
	bool warm;                  /* the driver that is to come goes on where one died */
	uint32_t watched;           /* the number of the driver whose end is watched */
	bool left;                  /* that one had ended by itself, and left the NIC in order */
	struct notice driver_died, driver_stopped;
	struct notice dma_refused, dma_timeout; /* accesses of the NIC to memory */
	uint64_t tx_timeouts, counters_full;    /* of all devices, one after the other */

	char name[IFNAMSIZ];                    /* of the interface, as told last */
	uint8_t mac_permanent[IXGBE_MAC_BYTES]; /* of the NIC, at its last start */

	int64_t started_at_ms;
	unsigned int ticks, pace; /* so many ticks pass between two events of the timer */
	int64_t busy_at_ms;       /* the last event but those of the timer */
	bool watchdog;
	int exit_status;
	int epoll, signals, upgrades, timer;
	int release, error; /* eventfds: the NIC is wanted back, or its bus reports an error; -1 */
};

/* Runs until a signal or a failure that is final; returns the status to exit with. `handover`
 * passes to it; NULL: there was no program before. */
int daemon_run(const struct options *options, char *const *argv, struct upgrade_order order,
	       json_t *handover);
