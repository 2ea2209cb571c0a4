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
 *
 * The control thread can do nothing else meanwhile, and whoever asks ixtapd something should not
 * have to wait half a minute. So an operation that has taken PATIENCE_MEANWHILE_MS calls back,
 * from within its waits and in the control thread, each PATIENCE_NEXT_MS. Weighed against it: a
 * thread of its own for the control socket would need a lock around all that a status shows, and a
 * thread for the operation one around the NIC.
 *
 * None of this ends a wait in the kernel: backends/vfio.c says how long its resets may take. That
 * of a NIC that begins anew has a thread of its own (function_reset.h); opening and closing have
 * none.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

#define PATIENCE_START_MS     30000
#define PATIENCE_FOLLOW_MS    10000
#define PATIENCE_STOP_MS      5000
#define PATIENCE_SIGNAL_MS    2000
#define PATIENCE_MEANWHILE_MS 2000 /* less than a client waits for its answer */
#define PATIENCE_NEXT_MS      100

struct patience {
	int signals;              /* the descriptor of process_signals, or -1 */
	_Atomic int64_t begun_ms; /* of the operation */
	_Atomic int64_t end_ms;   /* when its time is over; INT64_MAX: there is none */
	atomic_bool hurried;      /* a signal has cut it short */
	_Atomic int64_t spent_ms; /* by the one that ran out of time; 0: none has */
	atomic_bool spent_hurried;
	void (*meanwhile)(void *ctx);
	void *ctx;
	pthread_t thread;      /* which calls `meanwhile` */
	int64_t meanwhile_ms;  /* when it did last */
	bool within_meanwhile; /* it does */
};

void patience_init(struct patience *patience, int signals);
/* What the calling thread, the control thread, does during operations that take long. It touches no
 * NIC, and begins no operation. */
void patience_meanwhile(struct patience *patience, void (*meanwhile)(void *ctx), void *ctx);
/* The control thread begins an operation, which replaces the one before, or has none. */
void patience_begin(struct patience *patience, int64_t limit_ms);
void patience_end(struct patience *patience);

/* Whether a signal that asks for the end waits to be read. */
bool patience_signalled(const struct patience *patience);
/* Whether the operation has used its time up: options.give_up of libixgbe, for any thread. `ctx` is
 * the struct patience. */
bool patience_over(void *ctx);
/* Adds to `why` that an operation took too long, or was cut short by a signal, if one was since the
 * last call. It may show later, in another operation, as a device that is gone. */
void patience_explain(struct patience *patience, struct ixgbe_why *why);
