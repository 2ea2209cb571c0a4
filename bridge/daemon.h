/* SPDX-License-Identifier: MIT */
/* The running bridge: what daemon.c drives and answers.c shows. */
#pragma once

#include "answers.h"
#include "engine.h"
#include "interface.h"
#include "mirror.h"
#include "notice.h"
#include "bridge/start/options.h"
#include "state.h"

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

	/* Recovery: see daemon.c. */
	unsigned int attempt;                   /* of this run of failures */
	unsigned int recoveries;                /* that succeeded, since start */
	struct notice dma_refused, dma_timeout; /* what the bus did to the NIC's accesses */
	int64_t retry_at_ms;
	int64_t opened_at_ms;

	int64_t started_at_ms;
	unsigned int ticks;
	bool watchdog;
	int exit_status;
	int epoll, signals, timer;
};

/* Runs until a signal or a failure that is final; the status to exit with. */
int daemon_run(const struct options *options);
