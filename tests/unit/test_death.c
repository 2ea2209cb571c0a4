/* SPDX-License-Identifier: MIT */
/*
 * The driver of a ring dies between any two instructions, and a successor goes on.
 *
 * A process of its own, the mortal, runs a script of bursts over state memory and rings that are
 * shared with the test. The test lets it do one instruction at a time, and is the NIC at the points
 * that the script names. After each instruction that has changed anything a successor is forked. It
 * takes copies of all that is shared, at the same addresses, so the mortal is not disturbed. It
 * goes on from there to the end, and checks that nothing is lost, and what may come twice.
 */
#include "ring_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RING        64u
#define BUFFERS     104u
#define BUF_BYTES   2048u
#define STATE_BYTES (64u << 10)
#define BURST       16u
#define HANDLED_MAX 512u /* the bytes that number frames wrap */
#define WARM_UP     7u   /* rounds: both rings wrap in the one that is stepped */
#define FUZZED      1000u
#define QUEUE_WORDS 256u /* the first ones: the queue's records and tables */
#define TX_FRAMES   7u   /* of a burst: the last but one has three segments */
#define TX_SEGS     9u
#define TX_REPORT   32u /* descriptors between two reports, as in tx.c */

/* Shared by all three. */
struct world {
	struct rig *rig;
	_Alignas(64) uint8_t state_bytes[STATE_BYTES];
	struct state_memory state;
	struct ixgbe_pool *rx_pool, *tx_pool;
	_Atomic uint32_t phase; /* the script's; the NIC acts when it changes */
	bool stepped;           /* the test is the NIC; else the script plays it itself */
	uint32_t received;      /* frames that the NIC has put into the ring */
	uint32_t handled[HANDLED_MAX], handled_count;
	uint32_t wanted; /* frames that the mortal has tried to send */
};

static void *shared_new(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static struct world *world_new(void)
{
	struct world *w = shared_new(sizeof(*w));

	w->rig = shared_new(sizeof(*w->rig));
	rig_init(w->rig, RING);
	w->rig->doorbells = true;
	w->rig->device.state = &w->state;
	return w;
}

/* Forgets what the process that made the world has of it: by now its pools are wrong. */
static void world_free(struct world *w)
{
	struct ixgbe_pool *next, *pool = w->rig->nic.pools.first;

	for (; pool; pool = next) {
		next = pool->next;
		free(pool->stack);
		free(pool->is_free);
		free(pool);
	}
	dma_free(w->rig->nic.dma);
	munmap(w->rig, sizeof(*w->rig));
	munmap(w, sizeof(*w));
}

/* Queues and pools, in the order in which each life makes them. */
static void life_begin(struct world *w, bool resumed)
{
	struct rig *rig = w->rig;
	const struct pool_place place = {.dma = rig->nic.dma,
					 .set = &rig->nic.pools,
					 .state = &w->state,
					 .resumed = resumed};

	w->state = (struct state_memory){.at = w->state_bytes, .bytes = STATE_BYTES};
	rig->nic.pools.first = NULL;
	assert_int_equal(rig_rxq_new(rig, 0), 0);
	assert_int_equal(rig_txq_new(rig, 0), 0);
	assert_int_equal(pool_new(&place, BUFFERS, BUF_BYTES, 0, &w->rx_pool), 0);
	assert_int_equal(pool_new(&place, BUFFERS, BUF_BYTES, 0, &w->tx_pool), 0);
}

/* ---- The NIC ---- */

static uint32_t reg(const struct world *w, uint32_t offset)
{
	return w->rig->reg[offset / 4];
}

static void nic_receives(struct world *w, uint32_t frames)
{
	for (; frames > 0 && rig_rx_room(w->rig) > 0; frames--)
		rig_rx_frame(w->rig, 100, (uint8_t)w->received++);
}

/* Frames of two descriptors, and one that the driver drops. */
static void nic_receives_more(struct world *w)
{
	const uint32_t done = IXGBE_RXD_STAT_DD, end = done | IXGBE_RXD_STAT_EOP;

	rig_rx(w->rig, 0, 0, done, BUF_BYTES, 0, (uint8_t)w->received);
	rig_rx(w->rig, 0, 0, end, 50, 0, (uint8_t)w->received++);
	rig_rx(w->rig, 0, 0, end | IXGBE_RXD_ERR_RXE, 60, 0, 0xee);
	nic_receives(w, 3);
}

static void nic_acts(struct world *w, uint32_t phase)
{
	if (phase % 4 == 1)
		nic_receives_more(w);
	else if (phase % 4 == 3)
		rig_tx_send(w->rig, phase % 8 == 3 ? 5 : RING);
	else
		nic_receives(w, 10);
}

/* ---- What a driver does ---- */

static uint32_t receive(struct world *w)
{
	struct ixgbe_seg seg[BURST];
	uint32_t n = ixgbe_rx_burst(w->rig->nic.rxq[0], seg, BURST);

	for (uint32_t i = 0; i < n; i++) {
		if (seg[i].flags & IXGBE_SEG_EOP) {
			w->handled[w->handled_count] = seg[i].buf->data[0];
			state_store(&w->handled_count, w->handled_count + 1);
		}
		ixgbe_buf_put(seg[i].buf);
	}
	return n;
}

static void send_frames(struct world *w)
{
	struct ixgbe_seg seg[TX_SEGS] = {0};
	uint32_t segs = 0;
	int stopped;

	for (uint32_t i = 0; i < TX_FRAMES; i++)
		for (uint32_t left = i == TX_FRAMES - 2 ? 3 : 1; left > 0; left--) {
			struct ixgbe_buf *buf = ixgbe_buf_get(w->tx_pool);

			buf->data[0] = (uint8_t)(w->wanted + i);
			seg[segs++] = (struct ixgbe_seg){
				.buf = buf, .len = 70, .flags = left == 1 ? IXGBE_SEG_EOP : 0};
		}
	state_store(&w->wanted, w->wanted + TX_FRAMES);
	ixgbe_tx_burst(w->rig->nic.txq[0], seg, segs, &stopped);
}

static void next_phase(struct world *w)
{
	w->phase++;
	if (!w->stepped)
		nic_acts(w, w->phase);
}

static void script(struct world *w, uint32_t rounds)
{
	for (; rounds > 0; rounds--) {
		next_phase(w);
		receive(w);
		next_phase(w);
		while (receive(w) > 0)
			;
		next_phase(w);
		send_frames(w);
		next_phase(w);
		ixgbe_tx_reclaim(w->rig->nic.txq[0]);
	}
}

/* ---- The successor ---- */

static void copy_in_place(void *at, size_t len)
{
	static uint8_t copy[1 << 20];

	assert_true(len <= sizeof(copy));
	memcpy(copy, at, len);
	assert_true(mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0) == at);
	memcpy(at, copy, len);
}

static void copy_world(struct world *w)
{
	copy_in_place(w, sizeof(*w));
	copy_in_place(w->rig, sizeof(*w->rig));
	for (uint32_t i = 0; i < w->rig->maps; i++)
		copy_in_place(w->rig->map[i].addr, w->rig->map[i].len);
}

/* All frames were handled, in order; of those the mortal had handled, `repeated` at most came
 * again. */
static bool all_received(const struct world *w, uint32_t before, uint32_t repeated)
{
	const uint32_t again = w->handled_count - w->received;

	if (w->handled_count < w->received || again > repeated || again > before)
		return false;
	for (uint32_t i = 0; i < before; i++)
		if (w->handled[i] != (uint8_t)i)
			return false;
	for (uint32_t i = before; i < w->handled_count; i++)
		if (w->handled[i] != (uint8_t)(i - again))
			return false;
	return true;
}

/* The frames in the ring follow each other and are whole. */
static bool all_sendable(struct world *w)
{
	const uint32_t head = reg(w, ixgbe_txq_reg(IXGBE_TDH, 0));
	uint32_t queued = rig_tx_queued(w->rig), frames = 0;
	uint8_t next = 0;
	bool whole = true;

	for (uint32_t i = 0; i < queued; i++) {
		const union ixgbe_desc *desc = rig_tx_desc(w->rig, (head + i) % RING);
		const uint8_t number = *(uint8_t *)rig_at(w->rig, desc->qword[0], 70);

		if (whole && frames++ > 0 && number != next)
			return false;
		next = (uint8_t)(number + 1);
		whole = desc->dword[2] & IXGBE_TXD_EOP;
	}
	return whole;
}

/* 0, or the number of the check that failed. `busy`: the NIC goes on while nobody drives it. */
static int succeed(struct world *w, bool busy)
{
	const uint32_t before = w->handled_count;
	uint32_t repeated, forgotten;
	struct ixgbe *nic = &w->rig->nic;

	copy_world(w);
	if (busy) {
		nic_receives(w, 5);
		rig_tx_send(w->rig, RING);
	}
	dma_keep(nic->dma);
	life_begin(w, true);
	if (rxq_resume(nic->rxq[0], w->rx_pool, &repeated))
		return 1;
	if (txq_resume(nic->txq[0], &nic->pools, &forgotten))
		return 2;
	pool_settle(w->rx_pool);
	pool_settle(w->tx_pool);
	if (w->tx_pool->available + ixgbe_tx_in_flight(nic->txq[0]) != BUFFERS)
		return 3;
	rxq_tell(nic->rxq[0]);
	txq_tell(nic->txq[0]);
	if (repeated > BURST + 1 || forgotten > TX_SEGS) /* one was dropped */
		return 4;
	if (rig_tx_queued(w->rig) > (busy ? TX_SEGS : 2 * TX_SEGS) || !all_sendable(w))
		return 5;
	receive(w);
	while (receive(w) > 0)
		;
	if (!all_received(w, before, repeated))
		return 6;
	rig_tx_send(w->rig, RING);
	ixgbe_tx_reclaim(nic->txq[0]);
	if (w->tx_pool->available != BUFFERS)
		return 7;
	w->stepped = false;
	script(w, 2); /* it goes on as if nothing had happened */
	rxq_drain(nic->rxq[0]);
	return w->rx_pool->available == BUFFERS ? 0 : 8;
}

static int successor(struct world *w, bool busy)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(succeed(w, busy));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- Tests ---- */

#define RING_BYTES (RING * IXGBE_DESC_BYTES)

/* What a successor sees of its predecessor, but for the frames' bytes. */
struct seen {
	uint8_t bytes[STATE_BYTES + 2 * RING_BYTES + 3 * sizeof(uint32_t)];
};

static bool has_changed(struct world *w, struct seen *seen)
{
	const uint32_t number[] = {reg(w, ixgbe_rxq_reg(IXGBE_RDT, 0)),
				   reg(w, ixgbe_txq_reg(IXGBE_TDT, 0)), w->handled_count};
	static struct seen now;
	uint8_t *rings = now.bytes + STATE_BYTES;

	memcpy(now.bytes, w->state_bytes, w->state.used);
	memcpy(rings, rig_rx_desc(w->rig, 0), RING_BYTES);
	memcpy(rings + RING_BYTES, rig_tx_desc(w->rig, 0), RING_BYTES);
	memcpy(rings + 2 * (size_t)RING_BYTES, number, sizeof(number));
	if (memcmp(now.bytes, seen->bytes, sizeof(now.bytes)) == 0)
		return false;
	*seen = now;
	return true;
}

static void succeeded(struct world *w, bool busy, uint32_t steps)
{
	int verdict = successor(w, busy);

	if (verdict != 0)
		print_error("after %u instructions, in phase %u: status %#x\n", steps, w->phase,
			    (unsigned int)verdict);
	assert_int_equal(verdict, 0);
}

static void dies_anywhere(void **state)
{
	struct world *w = world_new();
	static struct seen seen;
	uint32_t phase, rx_head, tx_tail, steps = 0, successors = 0;
	int status;
	pid_t pid;

	(void)state;
	life_begin(w, false);
	assert_int_equal(rings_transmit_start(&w->rig->nic, NULL), 0);
	assert_int_equal(rings_receive_start(&w->rig->nic, &w->rx_pool, NULL), 0);
	script(w, WARM_UP);
	w->stepped = true;
	phase = w->phase;
	rx_head = reg(w, ixgbe_rxq_reg(IXGBE_RDH, 0));
	tx_tail = reg(w, ixgbe_txq_reg(IXGBE_TDT, 0));
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		script(w, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (WIFSTOPPED(status)) {
		if (has_changed(w, &seen)) {
			succeeded(w, false, steps);
			succeeded(w, true, steps);
			successors++;
		}
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		steps++;
		if (w->phase != phase)
			nic_acts(w, ++phase);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(phase, 4 * (WARM_UP + 1));
	assert_true(steps > 1000 && successors > 100);
	assert_true(reg(w, ixgbe_rxq_reg(IXGBE_RDH, 0)) < rx_head);
	assert_true(reg(w, ixgbe_txq_reg(IXGBE_TDT, 0)) < tx_tail);
	world_free(w);
}

/* One report is enough for frames that end with a report's batch. */
static void a_burst_may_stop_behind_a_report(void **state)
{
	struct world *w = world_new();
	struct ixgbe_seg seg[TX_REPORT + 1];
	int stopped;

	(void)state;
	life_begin(w, false);
	assert_int_equal(rings_transmit_start(&w->rig->nic, NULL), 0);
	assert_int_equal(rings_receive_start(&w->rig->nic, &w->rx_pool, NULL), 0);
	for (uint32_t i = 0; i <= TX_REPORT; i++)
		seg[i] = (struct ixgbe_seg){.buf = ixgbe_buf_get(w->tx_pool),
					    .len = i < TX_REPORT ? 70 : 0,
					    .flags = IXGBE_SEG_EOP};
	assert_int_equal(ixgbe_tx_burst(w->rig->nic.txq[0], seg, TX_REPORT + 1, &stopped),
			 TX_REPORT);
	assert_int_equal(stopped, -EINVAL);
	assert_int_equal(successor(w, true), 0);
	world_free(w);
}

/* Whatever the memory holds, a successor refuses it or goes on within its memory. */
static void any_state_is_survived(void **state)
{
	static const uint32_t edges[] = {0, 1, RING - 1, RING, RING + 1, 0x7fffffff, UINT32_MAX};
	struct world *w = world_new();
	uint32_t refused = 0;

	(void)state;
	life_begin(w, false);
	assert_int_equal(rings_transmit_start(&w->rig->nic, NULL), 0);
	assert_int_equal(rings_receive_start(&w->rig->nic, &w->rx_pool, NULL), 0);
	script(w, WARM_UP);
	srandom(82599);
	for (uint32_t i = 0; i < FUZZED; i++) {
		const size_t words = i % 2 ? w->state.used / 4 : QUEUE_WORDS;
		uint32_t *word = (uint32_t *)w->state_bytes + (size_t)random() % words;
		const uint32_t was = *word;
		int verdict;

		*word = i % 3 ? edges[(size_t)random() % (sizeof(edges) / sizeof(*edges))]
			      : (uint32_t)random();
		verdict = successor(w, false);
		assert_true(WIFEXITED(verdict));
		refused += WEXITSTATUS(verdict) == 1 || WEXITSTATUS(verdict) == 2;
		*word = was;
	}
	assert_true(refused > FUZZED / 20);
	assert_int_equal(successor(w, false), 0);
	world_free(w);
}

/* Entry `at` of the table behind a queue's record. */
static struct ixgbe_buf **table_at(void *queue, size_t record_bytes, uint32_t at)
{
	return (struct ixgbe_buf **)((uint8_t *)queue + record_bytes) + at;
}

/* A table that adds up, and is not what the NIC has. */
static void other_buffers_are_refused(void **state)
{
	const size_t rx_bytes = rxq_memory_bytes(RING) - RING * sizeof(struct ixgbe_buf *);
	const size_t tx_bytes =
		txq_memory_bytes(RING) - RING * (sizeof(struct ixgbe_buf *) + sizeof(uint16_t));
	struct world *w = world_new();
	struct ixgbe_buf **entry, *was;

	(void)state;
	life_begin(w, false);
	assert_int_equal(rings_transmit_start(&w->rig->nic, NULL), 0);
	assert_int_equal(rings_receive_start(&w->rig->nic, &w->rx_pool, NULL), 0);
	send_frames(w);
	entry = table_at(w->rig->nic.rxq[0], rx_bytes, 5);
	was = *entry;
	assert_ptr_equal(was->pool, w->rx_pool);
	*entry = ixgbe_buf_get(w->rx_pool);
	assert_int_equal(WEXITSTATUS(successor(w, false)), 1);
	*entry = was;
	entry = table_at(w->rig->nic.txq[0], tx_bytes, 2);
	was = *entry;
	assert_ptr_equal(was->pool, w->tx_pool);
	*entry = ixgbe_buf_get(w->tx_pool);
	assert_int_equal(WEXITSTATUS(successor(w, false)), 2);
	*entry = NULL;
	assert_int_equal(WEXITSTATUS(successor(w, false)), 2);
	*entry = was;
	assert_int_equal(successor(w, false), 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dies_anywhere),
		cmocka_unit_test(a_burst_may_stop_behind_a_report),
		cmocka_unit_test(any_state_is_survived),
		cmocka_unit_test(other_buffers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
