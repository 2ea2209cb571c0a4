/* SPDX-License-Identifier: MIT */
/*
 * bridge: ixtapd, one NIC port as one network interface.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     ixtapd.c               the program
 *     ixtap_driver.c         the driver's program
 *       |
 *     daemon.c               the event loop: every event, and what becomes of it
 *       |
 *     answers.c              what the control socket answers
 *     interface_gone.c       the TAP was deleted, or moved to another namespace
 *     interface_settings.c   MTU, MAC address, filters, up: from the TAP to the NIC
 *       |
 *     nic_life.c             the NIC starts, its link changes, it fails and is brought back
 *     rx_features.c          checksums and merging of received frames
 *       |
 *     publish.c              a change is told: log, monitors, service manager
 *     watch.c                the event loop's descriptors
 *     engine.c               everything of an open NIC: port, buffers, workers
 *     interface/             the TAP, its namespace, netlink; what it had, and what it shows
 *       |
 *     mirror.c               settings that differ go into the NIC
 *     soft_nic.c             an ixnic of our own
 *     state.c                the bridge's state, from what is known
 *     notice.c               what happens often is logged once
 *     start/                 options: command line and file
 *       |
 *     patience.c             how long an operation on the NIC may take
 *       |
 *     frames/                frames between the TAP and the NIC's rings
 *     spawn/                 processes that drive, and hold nothing they could misuse
 *       |
 *     service/               log, control socket, clock
 */
#pragma once

#include "bridge/service/control.h"
#include "bridge/start/options.h"
#include "engine.h"
#include "bridge/interface/interface.h"
#include "bridge/driver/mirror.h"
#include "bridge/service/notice.h"
#include "patience.h"
#include "state.h"

#define DAEMON_TICKS_PER_SECOND 4

struct daemon {
	const struct options *options;
	struct interface iface;
	struct engine engine;
	struct patience patience;
	struct control *control;

	struct state_facts facts;
	enum state state;
	struct ixgbe_why reason; /* why the NIC is not open, or "" */
	struct ixgbe_link link;
	enum ixgbe_sfp sfp;
	struct mirror applied; /* what the NIC has */
	bool gro;              /* of the interface, as last read */
	enum options_rx_checksum rx_checksum;

	/* Recovery. */
	unsigned int attempt;    /* of this run of failures */
	unsigned int recoveries; /* that succeeded, since the start */
	int64_t retry_at_ms;
	int64_t opened_at_ms;
	struct notice dma_refused, dma_timeout; /* accesses of the NIC to memory */

	char name[IFNAMSIZ]; /* of the interface, as told last */

	int64_t started_at_ms;
	unsigned int ticks;
	bool watchdog;
	int exit_status;
	int epoll, signals, timer;
};

/* Runs until a signal or a failure that is final; returns the status to exit with. */
int daemon_run(const struct options *options);
