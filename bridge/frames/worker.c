/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A worker runs turns of its data path (datapath.c) for as long as they move anything.
 *
 * Sleep. Three requests wake it: a poll of the TAP, a read of the interrupt's eventfd, and a read
 * of its own eventfd, for orders from other threads. They stay posted until they fire, through busy
 * turns too. The TAP is not polled while the data path is blocked, nor while a read is in flight,
 * which wakes as well. While blocked, sent frames raise the interrupt too.
 *
 * A wake-up cannot be lost: the poll looks at the queue's state when it is posted, a cause that is
 * pending when the vector is armed fires it, and the rings are looked at once more after arming.
 *
 * What wakes is what makes progress: datapath_ready says no to half a frame, or the worker would
 * turn for ever while the NIC owes the other half.
 *
 * Looks. Sent frames raise no interrupt unless the worker is blocked, and the NIC may owe the end
 * of a frame. While it owes either, the worker looks at the rings at growing intervals in its
 * sleep: so frames are soon counted as delivered, ixgbe_tx_watch sees them move, and half a frame
 * that lasts is counted.
 *
 * Otherwise it looks every LOOK_IDLE_NS. An interrupt may be lost: whoever has the other end of the
 * eventfd may take the count back, and a message may not arrive. Its vector is masked then, and no
 * other interrupt would come. Work that is found by looking, and whose interrupt does not follow,
 * is counted; the vector is armed anew, and until an interrupt comes the looks are as frequent as
 * above. The in-kernel driver fires its vectors every 2 s for the same reason.
 *
 * Polling. An adaptive worker measures how long it has nothing to do between two pieces of work, on
 * average over the last few. Where that is less than SPIN_MAX_NS, it turns on for twice as long
 * before it sleeps: a sleep costs more than such a wait, for the worker and for who wakes it. Where
 * the average is more, it sleeps at once. The same load so gives the same turns. They make no
 * system call while there is nothing to do, but for one that gives way: a yield that returns late
 * says that another thread waits for this processor, and is repeated; one that returns at once says
 * that none does, and the next one waits for YIELD_EVERY_NS.
 *
 * A busy worker turns for ever. The scheduler would let it run to the end of its time slice, for
 * milliseconds, while a program that it has just woken waits for the same processor. So it gives
 * way in the first turn that moves nothing, and in one of YIELD_TURNS after that. On a processor
 * of its own that is a system call that returns at once.
 */
#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "datapath.h"

#define SPIN_MAX_NS    50000
#define GAP_MAX_NS     (4 * SPIN_MAX_NS) /* longer ones count as this, or it would rule for ever */
#define GAP_WEIGHT     8                 /* of those before, to one */
#define YIELD_EVERY_NS 200000
#define YIELD_LATE_NS  2000
#define YIELD_TURNS    16u /* when busy polling */

#define LOOK_FIRST_NS 10000000
#define LOOK_MAX_NS   500000000 /* well below the time that ixgbe_tx_watch grants */
#define LOOK_IDLE_NS  (2 * (int64_t)NS_PER_S)
#define IRQ_LATE_NS   20000000 /* how long an interrupt may be under way */
#define UNFINISHED_NS NS_PER_S

#define RX_DATA_BYTES 2048u
/* More frames in flight gain nothing. */
#define TX_IN_FLIGHT_MAX 256u
/* Four turns of frames that are as long as any, and 64 KiB each. */
#define TX_LONG_BUFFERS 64u
static_assert(TX_LONG_BUFFERS >= DATAPATH_BURST, "each read of a turn may bring a long frame");

struct worker {
	struct datapath dp; /* first: aligned to cache lines */
	struct worker_config config;

	bool posted[REQUESTS]; /* IRQ, WAKE */
	bool irq_armed, irq_tx, tap_gone_logged;
	bool irq_doubted; /* the last interrupt was lost */
	uint64_t irq_value, wake_value;
	_Atomic uint64_t interrupts; /* all that irq_value ever was */
	int64_t gap_ns;              /* between two pieces of work, on average */
	int64_t idle_ns;             /* since when there is nothing to do; 0: there is */
	int64_t yield_ns;            /* before then nobody waits for this processor */
	uint32_t idle_turns;         /* since something moved, when busy polling */

	/* The half frame that was seen last. */
	int64_t unfinished_ns;     /* since when; 0: there is none */
	uint64_t unfinished_after; /* of ixgbe_rx_ended */
	bool unfinished_counted;

	pthread_t thread;
	sem_t started;
	int start_error;
	int wake_fd;
	atomic_bool stop, leave;
};

/* A completion that is not the data path's. */
static void woken(void *ctx, enum datapath_request request, int res)
{
	struct worker *worker = ctx;

	worker->posted[request] = false;
	if (request == REQUEST_IRQ && res > 0) {
		worker->irq_armed = worker->irq_doubted = false;
		bridge_count(&worker->dp.counters->irqs, 1);
		atomic_store_explicit(&worker->interrupts,
				      worker_interrupts(worker) + worker->irq_value,
				      memory_order_relaxed); /* there is one writer */
	}
}

/* ---- What the NIC owes ---- */

/* Counts half a frame that lasts, once: also one that is not there at each look. */
static void unfinished_look(struct worker *worker)
{
	const struct ixgbe_rxq *rxq = worker->dp.rxq;
	const bool there = ixgbe_rx_unfinished(rxq);
	int64_t now;

	if (!there && worker->unfinished_ns == 0)
		return;
	now = clock_ns();
	if (worker->unfinished_ns == 0 || worker->unfinished_after != ixgbe_rx_ended(rxq)) {
		worker->unfinished_ns = there ? now : 0;
		worker->unfinished_after = ixgbe_rx_ended(rxq);
		worker->unfinished_counted = false;
	} else if (!worker->unfinished_counted && now - worker->unfinished_ns >= UNFINISHED_NS) {
		worker->unfinished_counted = true;
		bridge_count(&worker->dp.counters->rx_unfinished, 1);
	}
}

static bool nic_owes(struct worker *worker)
{
	unfinished_look(worker);
	return (worker->unfinished_ns != 0 && !worker->unfinished_counted) ||
	       ixgbe_tx_in_flight(worker->dp.txq) > 0;
}

/* ---- Sleep ---- */

static void post_read_eventfd(struct worker *worker, enum datapath_request request,
			      enum datapath_file file, uint64_t *value)
{
	struct io_uring_sqe *sqe;

	if (worker->posted[request])
		return;
	sqe = datapath_request(&worker->dp);
	io_uring_prep_read(sqe, (int)file, value, sizeof(*value), 0);
	datapath_label(sqe, request, 0);
	worker->posted[request] = true;
}

/* Arms the interrupt, for sent frames too while the data path waits for room. */
static void arm(struct worker *worker)
{
	if (worker->irq_tx != worker->dp.blocked) {
		worker->irq_tx = worker->dp.blocked;
		ixgbe_irq_tx_set(worker->config.nic, worker->config.queue, worker->irq_tx);
	}
	if (!worker->irq_armed)
		ixgbe_irq_arm(worker->config.nic, worker->config.queue);
	worker->irq_armed = true;
}

/* Work was found by looking. An interrupt that does not follow within IRQ_LATE_NS was lost: counts
 * it, and has the vector armed anew. */
static void irq_missed(struct worker *worker)
{
	if (!worker->irq_armed || (!worker->irq_doubted && datapath_wait(&worker->dp, IRQ_LATE_NS)))
		return;
	if (!worker->irq_doubted)
		log_warning("queue %u: an interrupt of the NIC was lost", worker->config.queue);
	worker->irq_doubted = true;
	worker->irq_armed = false;
	bridge_count(&worker->dp.counters->irqs_lost, 1);
}

static void sleep_until_woken(struct worker *worker)
{
	int64_t look_ns = LOOK_FIRST_NS;

	datapath_poll_tap(&worker->dp);
	post_read_eventfd(worker, REQUEST_IRQ, DATAPATH_IRQ, &worker->irq_value);
	post_read_eventfd(worker, REQUEST_WAKE, DATAPATH_WAKE, &worker->wake_value);
	arm(worker);

	/* What came while the vector was masked may have raised no interrupt. */
	if (datapath_ready(&worker->dp))
		return;

	atomic_store_explicit(&worker->config.board->idle, 1, memory_order_relaxed);
	while (!datapath_wait(&worker->dp,
			      nic_owes(worker) || worker->irq_doubted ? look_ns : LOOK_IDLE_NS)) {
		if (datapath_ready(&worker->dp)) {
			irq_missed(worker);
			break;
		}
		look_ns = look_ns < LOOK_MAX_NS / 2 ? look_ns * 2 : LOOK_MAX_NS;
	}
	atomic_store_explicit(&worker->config.board->idle, 0, memory_order_relaxed);
	bridge_count(&worker->dp.counters->wakeups, 1);
}

/* Something moved again. */
static void gap_learn(struct worker *worker)
{
	const int64_t gap_ns = clock_ns() - worker->idle_ns;

	worker->gap_ns +=
		((gap_ns < GAP_MAX_NS ? gap_ns : GAP_MAX_NS) - worker->gap_ns) / GAP_WEIGHT;
	worker->idle_ns = 0;
}

/* Lets another thread run that waits for this processor, if there is one. */
static void give_way(struct worker *worker, int64_t now)
{
	if (now < worker->yield_ns)
		return;
	sched_yield();
	worker->yield_ns = clock_ns() - now < YIELD_LATE_NS ? now + YIELD_EVERY_NS : 0;
}

/* Nothing moved in the last turn: turns again, or sleeps. */
static void rest(struct worker *worker)
{
	int64_t now;

	if (worker->dp.tap_gone && !worker->tap_gone_logged) {
		worker->tap_gone_logged = true;
		/* Netlink tells the control thread, which knows what that means, and says so. */
		log_debug("queue %u: the TAP is gone", worker->config.queue);
	}
	if (worker->config.poll == WORKER_POLL_BUSY) {
		if (worker->idle_turns++ % YIELD_TURNS == 0) {
			unfinished_look(worker);
			sched_yield();
		}
		return;
	}
	if (worker->config.poll == WORKER_POLL_INTERRUPT) {
		sleep_until_woken(worker);
		return;
	}
	now = clock_ns();
	if (worker->idle_ns == 0) {
		worker->idle_ns = now;
		if (worker->gap_ns < SPIN_MAX_NS)
			datapath_watch(&worker->dp);
	}
	if (worker->gap_ns < SPIN_MAX_NS && now - worker->idle_ns < 2 * worker->gap_ns)
		give_way(worker, now);
	else
		sleep_until_woken(worker);
}

/* ---- Life ---- */

/* Takes back what is posted: the kernel must not write into `worker` afterwards. */
static void cancel_posted(struct worker *worker)
{
	for (uint32_t request = REQUEST_IRQ; request < REQUESTS; request++) {
		struct io_uring_sqe *sqe;

		if (!worker->posted[request])
			continue;
		sqe = datapath_request(&worker->dp);
		io_uring_prep_cancel64(sqe, (uint64_t)request << 32, 0);
		datapath_label(sqe, REQUEST_CANCEL, 0);
	}
	while (worker->posted[REQUEST_IRQ] || worker->posted[REQUEST_WAKE])
		datapath_wait(&worker->dp, 0);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	char name[16];

	/* A thread names itself: for another one a file would have to be opened. */
	snprintf(name, sizeof(name), WORKER_THREAD, worker->config.queue);
	prctl(PR_SET_NAME, name);
	worker->start_error = uring_enable(&worker->dp.ring);
	sem_post(&worker->started);
	if (worker->start_error)
		return NULL;

	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		if (datapath_turn(&worker->dp)) {
			if (worker->idle_ns)
				gap_learn(worker);
			worker->idle_turns = 0;
		} else {
			rest(worker);
		}
	}
	datapath_finish(&worker->dp, !atomic_load_explicit(&worker->leave, memory_order_relaxed));
	cancel_posted(worker);
	uring_release(&worker->dp.ring);
	if (worker->irq_tx)
		ixgbe_irq_tx_set(worker->config.nic, worker->config.queue, false);
	return NULL;
}

void worker_pools(uint16_t rx_ring, uint16_t tx_ring, struct ixgbe_pool_plan out[WORKER_POOLS])
{
	const uint32_t in_flight = tx_ring < TX_IN_FLIGHT_MAX ? tx_ring : TX_IN_FLIGHT_MAX;

	/* A full ring, a burst that is being written, and one to refill with. */
	out[WORKER_POOL_RX] =
		(struct ixgbe_pool_plan){rx_ring + 2 * DATAPATH_RX_BURST, RX_DATA_BYTES, 0};
	out[WORKER_POOL_TX] =
		(struct ixgbe_pool_plan){in_flight + DATAPATH_BURST, DATAPATH_TX_BYTES, 0};
	out[WORKER_POOL_TX_LONG] =
		(struct ixgbe_pool_plan){TX_LONG_BUFFERS, DATAPATH_TX_LONG_BYTES, 0};
}

static int thread_start(struct worker *worker)
{
	const int cpu = worker->config.cpu;
	int err;

	err = pthread_create(&worker->thread, NULL, worker_main, worker);
	if (err)
		return -err;
	if (cpu >= 0 && cpu < CPU_SETSIZE) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((unsigned int)cpu, &set);
		err = pthread_setaffinity_np(worker->thread, sizeof(set), &set);
		if (err)
			log_error("queue %u: cannot be pinned to its processor: %s",
				  worker->config.queue, strerror(err));
	}
	while (sem_wait(&worker->started) < 0)
		;
	if (worker->start_error)
		pthread_join(worker->thread, NULL);
	return worker->start_error;
}

int worker_start(const struct worker_config *config, struct worker **out, struct ixgbe_why *why)
{
	struct worker *worker;
	int err;

	worker = aligned_alloc(_Alignof(struct worker), sizeof(*worker));
	if (!worker)
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	memset(worker, 0, sizeof(*worker));
	worker->config = *config;
	atomic_store_explicit(&worker->config.board->idle, 0, memory_order_relaxed);
	sem_init(&worker->started, 0, 0);

	worker->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (worker->wake_fd < 0) {
		err = ixgbe_why_fill(why, -errno, "cannot make an eventfd: %s", strerror(errno));
		goto fail_free;
	}
	err = datapath_init(&worker->dp, &worker->config, worker->wake_fd, why);
	if (err)
		goto fail_close;
	worker->dp.woken = woken;
	worker->dp.woken_ctx = worker;
	worker->gap_ns = GAP_MAX_NS;
	err = thread_start(worker);
	if (err) {
		ixgbe_why_fill(why, err, "cannot start a worker's thread: %s", strerror(-err));
		goto fail_ring;
	}
	*out = worker;
	return 0;

fail_ring:
	datapath_exit(&worker->dp);
fail_close:
	close(worker->wake_fd);
fail_free:
	sem_destroy(&worker->started);
	free(worker);
	return err;
}

static void wake(struct worker *worker)
{
	const uint64_t one = 1;
	ssize_t n = write(worker->wake_fd, &one, sizeof(one));

	assert(n == sizeof(one));
	(void)n;
}

void worker_halt(struct worker *worker)
{
	if (atomic_exchange_explicit(&worker->stop, true, memory_order_relaxed))
		return;
	wake(worker);
	pthread_join(worker->thread, NULL);
}

void worker_leave(struct worker *worker)
{
	atomic_store_explicit(&worker->leave, true, memory_order_relaxed);
	worker_halt(worker);
}

void worker_stop(struct worker *worker)
{
	if (!worker)
		return;
	worker_halt(worker);
	datapath_exit(&worker->dp);
	close(worker->wake_fd);
	sem_destroy(&worker->started);
	free(worker);
}

void worker_link_set(struct worker *worker, bool up)
{
	/* A worker that sleeps may hold frames that are to be dropped now. */
	if (atomic_exchange_explicit(&worker->dp.link_up, up, memory_order_relaxed) != up)
		wake(worker);
}

void worker_receive_set(struct worker *worker, bool coalesce, bool csum_replace)
{
	atomic_store_explicit(&worker->dp.coalesce_on, coalesce, memory_order_relaxed);
	atomic_store_explicit(&worker->dp.csum_replace, csum_replace, memory_order_relaxed);
}

uint64_t worker_interrupts(const struct worker *worker)
{
	return atomic_load_explicit(&worker->interrupts, memory_order_relaxed);
}
