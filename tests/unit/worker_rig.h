/* SPDX-License-Identifier: MIT */
/*
 * The worker between a real TAP, in a network namespace of the test's own, and a NIC
 * that the test plays:
 *
 *     packet socket ── kernel ── TAP ── worker ── driver ── rings ── puppet
 */
#pragma once

#include <poll.h>

#include "bridge/frames/tap.h"
#include "bridge/frames/worker.h"
#include "puppet_nic.h"

#define NAME        "data-wrk0"
#define ETHERTYPE   0x88b5u /* for experiments; all else on the wire is the kernel's own talk */
#define DEADLINE_MS 10000
#define RING        512

struct rig {
	struct puppet *puppet;
	struct tap tap;
	struct worker *worker;
	const struct worker_board *board;
	int socket; /* the kernel's side */
	struct puppet_frame frame;
};

uint64_t now_ms(void);

/* Repeats `condition` until it is true or the deadline has passed. */
#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t end_ = now_ms() + DEADLINE_MS;                                            \
		while (!(condition)) {                                                             \
			if (now_ms() > end_)                                                       \
				fail_msg("never: %s", #condition);                                 \
			poll(NULL, 0, 1);                                                          \
		}                                                                                  \
	} while (0)

/* The TAP is taken for one that does not know RWF_NOWAIT. */
extern bool worker_rig_no_nowait;

struct rig *worker_rig_new(enum worker_poll poll_mode, uint16_t mtu);
/* Fails the test if a frame is in no count, or a buffer is not back. */
void worker_rig_free(struct rig *rig);
/* The teardown of each test: takes away what a failed one left behind. */
int worker_rig_clean_up(void **state);
/* Whether there can be a TAP here, in a namespace that this makes for the process; if not, says
 * that the tests are skipped. */
bool worker_rig_possible(void);

void interface_set(bool up, int mtu);
struct bridge_counters counters(const struct rig *rig);
bool worker_rig_idle(const struct rig *rig); /* the worker sleeps */

/* Frame number n has its own length and content. */
uint32_t frame_make(uint8_t *frame, uint32_t n, uint32_t len);
uint32_t frame_len(uint32_t n, uint32_t max);
void kernel_send(struct rig *rig, const uint8_t *frame, uint32_t len);
void kernel_expect(struct rig *rig, const uint8_t *frame, uint32_t len);
/* The next frame that is the test's: into rig->frame. */
void nic_next(struct rig *rig);
void nic_expect(struct rig *rig, const uint8_t *frame, uint32_t len);
