/* SPDX-License-Identifier: MIT */
#include "patience.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bridge/service/clock.h"

/* An operation that is so young is not asked about signals: it costs a system call. */
#define YOUNG_MS 100

void patience_init(struct patience *patience, int signals)
{
	patience->signals = signals;
	patience->meanwhile = NULL;
	patience_end(patience);
}

void patience_meanwhile(struct patience *patience, void (*meanwhile)(void *ctx), void *ctx)
{
	patience->thread = pthread_self();
	patience->meanwhile_ms = 0;
	patience->within_meanwhile = false;
	patience->ctx = ctx;
	patience->meanwhile = meanwhile;
}

static void pass_time(struct patience *patience, int64_t begun_ms, int64_t now_ms)
{
	if (!patience->meanwhile || begun_ms > now_ms - PATIENCE_MEANWHILE_MS ||
	    !pthread_equal(pthread_self(), patience->thread) || patience->within_meanwhile ||
	    now_ms - patience->meanwhile_ms < PATIENCE_NEXT_MS)
		return;
	patience->meanwhile_ms = now_ms;
	patience->within_meanwhile = true;
	patience->meanwhile(patience->ctx);
	patience->within_meanwhile = false;
}

void patience_begin(struct patience *patience, int64_t limit_ms)
{
	int64_t now = clock_ms();

	atomic_store_explicit(&patience->hurried, false, memory_order_relaxed);
	atomic_store_explicit(&patience->begun_ms, now, memory_order_relaxed);
	atomic_store_explicit(&patience->end_ms, now + limit_ms, memory_order_relaxed);
}

void patience_end(struct patience *patience)
{
	atomic_store_explicit(&patience->begun_ms, INT64_MAX, memory_order_relaxed);
	atomic_store_explicit(&patience->end_ms, INT64_MAX, memory_order_relaxed);
}

bool patience_signalled(const struct patience *patience)
{
	struct pollfd signals = {.fd = patience->signals, .events = POLLIN};

	return poll(&signals, 1, 0) == 1 && (signals.revents & POLLIN);
}

bool patience_over(void *ctx)
{
	struct patience *patience = ctx;
	int64_t end = atomic_load_explicit(&patience->end_ms, memory_order_relaxed);
	int64_t begun, now = clock_ms();

	begun = atomic_load_explicit(&patience->begun_ms, memory_order_relaxed);
	pass_time(patience, begun, now);
	if (now >= end) {
		atomic_store_explicit(
			&patience->spent_hurried,
			atomic_load_explicit(&patience->hurried, memory_order_relaxed),
			memory_order_relaxed);
		atomic_store_explicit(&patience->spent_ms, now - begun, memory_order_relaxed);
		return true;
	}
	if (begun > now - YOUNG_MS || end - now <= PATIENCE_SIGNAL_MS ||
	    !patience_signalled(patience))
		return false;
	/* Not if the control thread has begun another operation meanwhile. */
	if (atomic_compare_exchange_strong_explicit(&patience->end_ms, &end,
						    now + PATIENCE_SIGNAL_MS, memory_order_relaxed,
						    memory_order_relaxed))
		atomic_store_explicit(&patience->hurried, true, memory_order_relaxed);
	return false;
}

void patience_explain(struct patience *patience, struct ixgbe_why *why)
{
	size_t len = strlen(why->text);
	int64_t spent_ms = atomic_exchange_explicit(&patience->spent_ms, 0, memory_order_relaxed);
	bool hurried = atomic_load_explicit(&patience->spent_hurried, memory_order_relaxed);

	if (spent_ms)
		snprintf(why->text + len, sizeof(why->text) - len, " (given up after %lld s: %s)",
			 (long long)spent_ms / 1000,
			 hurried ? "ixtapd was told to stop" : "the NIC answers too slowly");
}
