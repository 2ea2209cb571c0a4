/* SPDX-License-Identifier: MIT */
/*
 * How long an operation on the NIC may take altogether. Each wait for a vfio-user server has a
 * limit (5 s), but a server that answers each of a thousand messages after 4.5 s would keep a start
 * or a stop busy for an hour. An operation that runs out of time gives the bus up: every access
 * fails at once from then on, and the operation ends as after any failure of the NIC.
 *
 *     operation   limit   what follows
 *     ---------   -----   ----------------------------------------------------------------
 *     start       30 s    the start, or an attempt to bring the NIC back, fails
 *     follow      10 s    one event: a setting, the link, a counter, a request of ixtap;
 *                         the NIC has failed, and is brought back
 *     stop         5 s    the NIC is left as it is; a server resets it when the connection
 *                         ends
 *
 * A signal that asks for the end cuts what is under way to 2 s, a start too. A NIC that is well
 * takes far less for any of these.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define PATIENCE_START_MS  30000
#define PATIENCE_FOLLOW_MS 10000
#define PATIENCE_STOP_MS   5000
#define PATIENCE_SIGNAL_MS 2000

struct patience {
	int signals;              /* the descriptor of process_signals, or -1 */
	_Atomic int64_t begun_ms; /* of the operation */
	_Atomic int64_t end_ms;   /* when its time is over; INT64_MAX: there is none */
	_Atomic int64_t spent_ms; /* by the one that ran out of time; 0: none has */
};

void patience_init(struct patience *patience, int signals);
/* The control thread begins an operation, which replaces the one before, or has none. */
void patience_begin(struct patience *patience, int64_t limit_ms);
void patience_end(struct patience *patience);

/* Whether a signal that asks for the end waits to be read. */
bool patience_signalled(const struct patience *patience);
/* Whether the operation has used its time up: options.give_up of libixgbe, for any thread. `ctx` is
 * the struct patience. */
bool patience_over(void *ctx);
/* Adds to `why` that an operation took too long, if one did since the last call. It may show later,
 * in another operation, as a device that is gone. */
void patience_explain(struct patience *patience, struct ixgbe_why *why);
