/* SPDX-License-Identifier: MIT */
/*
 * driver: the process that drives the NIC, and what it shares with the keeper.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     driver.c   a driver's life: takes the NIC, follows orders, reports
 *       |
 *     board.c    what keeper and driver tell each other
 *       |
 *     mirror.c   settings that differ go into the NIC
 *
 * This file. Two pieces of memory, of 4 KiB pages that the NIC cannot reach, outlive the drivers:
 *
 *     orders   the keeper writes, the driver can only read: the state that the administrator wants
 *     report   the driver writes, the keeper reads: what the NIC has, and the counters. While no
 *              driver lives the keeper clears it.
 *
 * A socket says when to look, and carries the driver's log. Both sides take what the other has
 * written for hostile: they copy it, and check the copy. A copy is whole (board_copy), or the
 * reader keeps the one that it has.
 *
 * A successor goes on with its predecessor's report. So counters go on, and so do the settings that
 * the NIC has.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "bridge/frames/worker.h"
#include "bridge/spawn/spawn.h"
#include "ixgbe/ixgbe.h"
#include "mirror.h"

/* Of all that is in this file. Raised with any change. */
#define BOARD_VERSION 3u

#define BOARD_NAME_BYTES    32u
#define BOARD_STATS_MAX     128u
#define BOARD_REGISTERS_MAX 4096u

/* ---- Copies ---- */

/* In front of what is copied: odd while that is being written. Its writer is one thread. */
typedef _Atomic uint32_t board_sequence;

void board_write(board_sequence *sequence, void *to, const void *from, size_t bytes);
/* False: it is being written, now and at each of some more looks. `to` is undefined then. */
bool board_copy(const board_sequence *sequence, void *to, const void *from, size_t bytes);

/* ---- The keeper's ---- */

struct board_wishes {
	struct mirror wanted;
	uint8_t go;       /* rings and workers run; else the driver only takes the NIC */
	uint8_t coalesce; /* of struct worker_config */
	uint8_t csum_replace;
	uint8_t end;         /* enum board_end */
	uint32_t generation; /* of the whole; the driver says which one it has followed */
	uint32_t asked;      /* counts requests for what a driver does not report by itself */
	uint32_t ask;        /* a set of BOARD_ASK_*, of the last request */
};

enum board_end {
	BOARD_GO_ON,
	BOARD_STOP /* DMA ends, the link goes down, the process ends */
};

enum { BOARD_ASK_STATS = 1u << 0, BOARD_ASK_REGISTERS = 1u << 1 };

struct board_orders {
	board_sequence sequence;
	struct board_wishes wishes;
};

/* ---- The driver's ---- */

enum board_phase {
	BOARD_STARTING, /* no word of this driver yet */
	BOARD_ATTACHED, /* it has the NIC, and waits for `go` */
	BOARD_RUNNING,
	BOARD_ENDED,  /* as told */
	BOARD_LEFT,   /* the NIC runs on, and another driver is to go on with it */
	BOARD_FAILED, /* `error` and `why` say what */
};

struct board_state {
	uint32_t phase;      /* enum board_phase */
	uint32_t generation; /* of the wishes that are followed */
	uint32_t answered;   /* of `asked` */
	int32_t error;
	struct ixgbe_why why;
	struct mirror applied; /* what the NIC has */
	uint8_t applying;      /* it is being changed: the NIC may have some of it */
	uint8_t mac_permanent[IXGBE_MAC_BYTES];
	uint16_t device_id;
	uint8_t link_up;
	uint8_t resumed; /* it went on where another driver had been */
	uint32_t link_mbps;
	uint32_t sfp;        /* enum ixgbe_sfp */
	uint32_t sfp_sum;    /* enum ixgbe_sfp_sum */
	uint32_t modules;    /* counts changes of the module */
	uint32_t timeouts;   /* counts reads of memory that had no answer */
	uint32_t hangs;      /* counts transmit queues that hung */
	uint32_t hung;       /* the last of them */
	uint32_t hang_cured; /* it was restarted; else the NIC is to be reset */
	uint64_t hang_lost;  /* frames in its ring */
	uint32_t storm;      /* interrupts a second, far more than were due; 0: there is no storm */
	uint64_t stats_full; /* counts registers of statistics that were at their maximum */
	struct isolation_fact last_filter;
	uint64_t rx_repeated;                        /* of struct ixgbe_resumed, over all drivers */
	int64_t started_ns, attached_ns, running_ns; /* CLOCK_MONOTONIC */
};

/* Whether a state that another process has written is one. */
bool board_state_valid(const struct board_state *state);

struct board_stat {
	char name[BOARD_NAME_BYTES];
	uint64_t value;
};

struct board_register {
	char name[BOARD_NAME_BYTES];
	uint32_t offset, value;
};

struct board_report {
	board_sequence sequence;
	_Atomic uint32_t beats; /* grows while the driver's main thread turns */
	struct board_state state;
	_Alignas(64) struct worker_board queue[IXGBE_QUEUES_MAX];
	_Alignas(64) uint32_t stats;
	struct board_stat stat[BOARD_STATS_MAX];
	uint32_t registers;
	struct board_register reg[BOARD_REGISTERS_MAX];
};

/* ---- The socket: datagrams of one size ---- */

enum board_kind {
	BOARD_LOOK, /* orders or report have changed */
	BOARD_LOG,  /* driver to keeper: a line of the log */
	/* Keeper to driver: end, and leave the NIC to the next. No order: that one is not to see
	 * this. */
	BOARD_LEAVE
};

#define BOARD_TEXT_BYTES 1000u

struct board_message {
	uint32_t version;
	uint32_t kind;
	uint32_t level; /* enum ixgbe_log_level */
	char text[BOARD_TEXT_BYTES];
};

/* Neither waits. -EAGAIN: the other side has enough to read, or nothing came; -EPIPE: it is gone;
 * -EPROTO: not such a message. */
int board_send(int socket, const struct board_message *message);
int board_receive(int socket, struct board_message *out);

/* ---- What a driver is made from ---- */

/* The same for all drivers of a spawner. Descriptors come with it, in this order: orders, report,
 * one of the TAP for each queue, those of the device. */
struct driver_plan {
	uint32_t version;
	uint16_t queues, rx_ring, tx_ring;
	uint16_t poll; /* enum worker_poll */
	uint16_t mtu;  /* of a NIC that was just reset */
	uint32_t log_level;
	int32_t cpu[IXGBE_QUEUES_MAX]; /* -1: not pinned */
	uint32_t device_bytes;         /* of the device's record, which follows */
};
