/* SPDX-License-Identifier: MIT */
/*
 * bridge: ixtapd, one NIC port as one network interface.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     ixtapd.c               the program
 *       |
 *     daemon.c               the event loop: every event, and what becomes of it
 *       |
 *     answers.c              what the control socket answers
 *     interface_gone.c       the TAP was deleted, or moved to another namespace
 *     interface_settings.c   MTU, MAC address, filters, up: from the TAP to the NIC
 *       |
 *     nic_life.c             the NIC starts, its link changes, it fails and is brought back
 *       |
 *     publish.c              a change is told: log, monitors, service manager
 *     watch.c                the event loop's descriptors
 *     engine.c               everything of an open NIC: port, buffers, workers
 *     interface.c            the TAP, its namespace, netlink
 *       |
 *     mirror.c               settings that differ go into the NIC
 *     soft_nic.c             an ixnic of our own
 *     state.c                the bridge's state, from what is known
 *     notice.c               what happens often is logged once
 *     start/                 options: command line and file
 *       |
 *     frames/                frames between the TAP and the NIC's rings
 *       |
 *     service/               log, control socket, clock
 */
#pragma once

#include "bridge/service/control.h"
#include "bridge/start/options.h"
#include "engine.h"
#include "interface.h"
#include "mirror.h"
#include "notice.h"
#include "state.h"

#define DAEMON_TICKS_PER_SECOND 4

struct daemon {
	const struct options *options;
	struct interface iface;
	struct engine engine;
	struct control *control;

	struct state_facts facts;
	enum state state;
	struct ixgbe_why reason; /* why the NIC is not open, or "" */
	struct ixgbe_link link;
	struct mirror applied; /* what the NIC has */

	/* Recovery. */
	unsigned int attempt;    /* of this run of failures */
	unsigned int recoveries; /* that succeeded, since the start */
	int64_t retry_at_ms;
	int64_t opened_at_ms;
	struct notice dma_refused, dma_timeout; /* what the bus did to the NIC's accesses */

	int64_t started_at_ms;
	unsigned int ticks;
	bool watchdog;
	int exit_status;
	int epoll, signals, timer;
};

/* Runs until a signal or a failure that is final; returns the status to exit with. */
int daemon_run(const struct options *options);

/* The interface left its namespace, or is in one out of reach: follows it, or stops. */
void interface_gone_find(struct daemon *daemon);

/* Brings the NIC up to what the interface is set to. */
void interface_settings_follow(struct daemon *daemon);

/* With the NIC open and the interface configured: sets the NIC up, then frames flow. */
int nic_life_start(struct daemon *daemon, struct ixgbe_why *why);
/* The NIC does not work any more: closes it and plans the first attempt to bring it back. */
void nic_life_failed(struct daemon *daemon, const char *what);
void nic_life_failed_errno(struct daemon *daemon, const char *what, int err);
/* An attempt to bring the NIC back. */
void nic_life_retry(struct daemon *daemon);
/* Read the link, and what the bus did to the NIC's accesses; false: the NIC failed. */
bool nic_life_link_read(struct daemon *daemon);
bool nic_life_bus_check(struct daemon *daemon);

/* Sends `event` (a reference that is taken; may be NULL) to the monitors. */
void publish_event(struct daemon *daemon, json_t *event);
/* Computes the state from the facts; a new one is told. */
void publish_state(struct daemon *daemon);
/* The loop ends after the present event. */
void publish_stop(struct daemon *daemon, int exit_status);
/* `parts` (enum mirror_part) of what the NIC has have changed. */
void publish_parts(struct daemon *daemon, uint32_t parts);

/* What a descriptor of the event loop is about. */
enum watch {
	WATCH_SIGNALS,
	WATCH_TIMER,
	WATCH_NETLINK,
	WATCH_CONTROL,
	WATCH_NIC,
	WATCH_SOFT_END,
	WATCH_SOFT_OUTPUT,
};

/* Makes epoll, and has it watch signals and the timer. The workers inherit the signal mask that
 * this sets: call it before they start. */
int watch_open(struct daemon *daemon);
void watch_close(const struct daemon *daemon);
int watch_add(const struct daemon *daemon, int fd, enum watch what);
/* Call before `fd` is closed: epoll would go on watching a file that another process holds too.
 * Takes -1. */
void watch_remove(const struct daemon *daemon, int fd);
