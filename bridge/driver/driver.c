/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A driver's life:
 *
 *     attach    takes the NIC: resets it, or, if a predecessor left it running, changes nothing
 *     ATTACHED  says which NIC this is, and waits for the order to go
 *     settings  what is wanted and the NIC has not
 *     start     rings, workers; from here on frames flow
 *     RUNNING   follows orders, looks after the NIC, reports
 *     end       as ordered, or killed at any instruction
 *
 * A successor of a driver that was killed has its order to go already. It starts before it follows
 * settings, since frames wait.
 *
 * This thread waits for the keeper's socket, the interrupt of other causes, and the time. Each
 * 250 ms one of the NIC's counters is read: each has its turn within 5 s, and a NIC that is gone is
 * noticed. Where no frame has come or gone for QUIET_MS, two are read each 500 ms. Interrupts of
 * other causes are handled at once, but not more than OTHER_LOOKS of them in that time: those that
 * come without end wait for its end. Once a second: the causes of interrupts, the module, the link,
 * since an interrupt may be lost; whether reads of memory were answered; whether interrupts come
 * that nothing caused; and whether the NIC sends and receives.
 *
 * Whatever fails ends the process, which says why before: the keeper resets the NIC, and makes the
 * next one. A transmit queue that hangs is restarted, and the process ends in order: the next one
 * goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "board.h"
#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "bridge/spawn/spawn.h"

#define TICK_MS          250 /* less than a second */
#define TICKS_PER_SECOND (1000 / TICK_MS)
#define QUIET_MS         5000
#define QUIET_TICKS      2u   /* pass at a time */
#define OTHER_LOOKS      100u /* a link that flaps as fast as any does not reach this */
/* Interrupts a second without a cause that make a storm. A NIC that works sends a few: for frames
 * that were found by looking before, or whose end is counted later. */
#define STORM_PER_S 2000u

static struct driver {
	struct driver_plan plan;
	const struct board_orders *orders;
	struct board_report *report;
	int tap[IXGBE_QUEUES_MAX];
	struct ixgbe_device *device;

	int socket;
	struct ixgbe *nic;
	struct ixgbe_pool *pool[IXGBE_QUEUES_MAX][WORKER_POOLS];
	struct worker *worker[IXGBE_QUEUES_MAX];
	struct board_wishes wishes; /* as last read */
	struct board_state now;     /* as last reported, and what has changed since */
	unsigned int ticks, pace;   /* so many pass between two looks */
	uint64_t frames;            /* at the last look */
	int64_t busy_ms;            /* when there were others than at the look before */
	uint64_t other_interrupts;
	struct {
		uint64_t interrupts, causes;
		int64_t at_ns;
	} storm;                  /* at the last look */
	unsigned int other_looks; /* since the last tick */
} driver;

/* ---- To the keeper ---- */

static void keeper_wake(void)
{
	const struct board_message message = {.version = BOARD_VERSION, .kind = BOARD_LOOK};

	/* A keeper that has messages to read looks anyway. */
	(void)board_send(driver.socket, &message);
}

static void state_write(void)
{
	board_write(&driver.report->sequence, &driver.report->state, &driver.now,
		    sizeof(driver.now));
}

static void state_report(void)
{
	state_write();
	keeper_wake();
}

static void phase_set(enum board_phase phase)
{
	driver.now.phase = phase;
	state_report();
}

/* A line that has no room is lost. */
static void log_keeper(enum ixgbe_log_level level, const char *text)
{
	struct board_message message = {
		.version = BOARD_VERSION, .kind = BOARD_LOG, .level = level};

	snprintf(message.text, sizeof(message.text), "%s", text);
	(void)board_send(driver.socket, &message);
}

static void stats_report(void)
{
	struct board_report *to = driver.report;
	size_t count = ixgbe_stats_count(driver.nic);

	count = count < BOARD_STATS_MAX ? count : BOARD_STATS_MAX;
	for (size_t i = 0; i < count; i++)
		__atomic_store_n(&to->stat[i].value, ixgbe_stats_value(driver.nic, i),
				 __ATOMIC_RELAXED);
}

/* Once: what the counters are called, and how many there are. */
static void stats_name(void)
{
	struct board_report *to = driver.report;
	size_t count = ixgbe_stats_count(driver.nic);

	count = count < BOARD_STATS_MAX ? count : BOARD_STATS_MAX;
	for (size_t i = 0; i < count; i++)
		snprintf(to->stat[i].name, sizeof(to->stat[i].name), "%s",
			 ixgbe_stats_name(driver.nic, i));
	to->stats = (uint32_t)count;
}

_Noreturn static void driver_fail(int err, const char *what)
{
	if (driver.nic)
		stats_report();
	driver.now.error = err;
	ixgbe_why_fill(&driver.now.why, err, "%s", what);
	phase_set(BOARD_FAILED);
	_exit(1);
}

_Noreturn static void driver_fail_errno(int err, const char *what)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", what,
		 err == -ENODEV ? "the device is gone" : strerror(-err));
	driver_fail(err, text);
}

/* ---- Registers ---- */

static void register_add(void *ctx, const char *name, uint32_t offset, uint32_t value)
{
	struct board_report *to = ctx;
	struct board_register *row = &to->reg[to->registers];

	if (to->registers == BOARD_REGISTERS_MAX)
		return;
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->offset = offset;
	row->value = value;
	to->registers++;
}

static void questions_answer(uint32_t ask)
{
	if (ask & BOARD_ASK_STATS) {
		/* If that fails, the next look at the NIC says so. */
		(void)ixgbe_stats_update(driver.nic);
		stats_report();
	}
	if (ask & BOARD_ASK_REGISTERS) {
		driver.report->registers = 0;
		(void)ixgbe_registers_dump(driver.nic, register_add, driver.report);
	}
	driver.now.answered = driver.wishes.asked;
	state_report();
}

/* ---- The NIC's news ---- */

static void link_report(void)
{
	struct ixgbe_link link = {0};
	int err = ixgbe_link_get(driver.nic, &link);

	if (err)
		driver_fail_errno(err, "cannot read the NIC's link");
	if (driver.now.link_up == link.up && driver.now.link_mbps == link.speed_mbps)
		return;
	driver.now.link_up = link.up;
	driver.now.link_mbps = link.speed_mbps;
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		if (driver.worker[q])
			worker_link_set(driver.worker[q], link.up);
	state_report();
}

static void full_report(void)
{
	const uint64_t full = ixgbe_stats_full(driver.nic);

	if (driver.now.stats_full == full)
		return;
	driver.now.stats_full = full;
	state_report();
}

static void bus_report(void)
{
	int events = ixgbe_bus_errors(driver.nic);

	if (events < 0)
		driver_fail_errno(events, "cannot read the NIC's bus errors");
	if (events & IXGBE_BUS_TIMEOUT) {
		driver.now.timeouts++;
		state_report();
	}
}

static void module_read(void)
{
	driver.now.sfp = ixgbe_sfp_type(driver.nic);
	driver.now.sfp_sum = ixgbe_sfp_sum(driver.nic);
}

/* The module's checksum takes long to read. It is of no use to the start. */
static void sum_look(void)
{
	int err = ixgbe_sfp_sum_check(driver.nic);

	if (err)
		driver_fail_errno(err, "cannot read the NIC's module");
	if (driver.now.sfp_sum == (uint32_t)ixgbe_sfp_sum(driver.nic))
		return;
	module_read();
	state_report();
}

static void causes_handle(void)
{
	int events = ixgbe_irq_other_handle(driver.nic);

	if (events < 0)
		driver_fail_errno(events, "cannot read the NIC's interrupt causes");
	if (events & IXGBE_EVENT_FAULT)
		driver_fail(-EIO, "the NIC reports an unrecoverable ECC error");
	if (events & IXGBE_EVENT_SFP) {
		module_read();
		driver.now.modules++;
		state_report();
	}
	if (events & IXGBE_EVENT_BUS)
		bus_report();
	if (events & IXGBE_EVENT_LINK)
		link_report();
}

/* A vfio-user server has the eventfd too: it may take the count back before us, and clear
 * O_NONBLOCK, which is the file description's. So each read says for itself that it does not wait.
 */
static uint64_t eventfd_take(int eventfd)
{
	uint64_t count;
	const struct iovec iov = {&count, sizeof(count)};

	return preadv2(eventfd, &iov, 1, -1, RWF_NOWAIT) == (ssize_t)sizeof(count) ? count : 0;
}

/* `count` is what the other side says: it must not fill the counter. That is the first queue's,
 * since it is of none. The read of the count came first: a cause behind it fires again. */
static void other_taken(uint64_t count)
{
	if (!count)
		return;
	driver.other_looks++;
	driver.other_interrupts += count;
	bridge_count(&driver.report->queue[0].counters.irqs_other,
		     count < UINT32_MAX ? count : UINT32_MAX);
	causes_handle();
}

/* Each interrupt of a queue is for a descriptor at least that the NIC is done with: a NIC that
 * sends many more is at fault. That is told when it begins and when it ends. */
static void storm_look(void)
{
	const int64_t now_ns = clock_ns(), passed_ms = (now_ns - driver.storm.at_ns) / 1000000;
	uint64_t interrupts = driver.other_interrupts, causes = 0, causes_due, more;
	uint64_t storm = 0;

	for (uint16_t q = 0; q < driver.plan.queues; q++) {
		struct bridge_counters now;

		interrupts += worker_interrupts(driver.worker[q]);
		bridge_counters_read(&driver.report->queue[q].counters, &now);
		causes += now.rx_received + now.tx_delivered;
	}
	more = interrupts - driver.storm.interrupts;
	causes_due = causes - driver.storm.causes +
		     STORM_PER_S * (uint64_t)(passed_ms > 0 ? passed_ms : 1) / 1000;
	if (driver.storm.at_ns && more > causes_due)
		storm = more * 1000 / (uint64_t)(passed_ms > 0 ? passed_ms : 1);
	driver.storm.interrupts = interrupts;
	driver.storm.causes = causes;
	driver.storm.at_ns = now_ns;
	if (!storm == !driver.now.storm)
		return;
	driver.now.storm = storm < UINT32_MAX ? (uint32_t)storm : UINT32_MAX;
	state_report();
}

/* -1: none, or they have come too often. */
static int other_fd(void)
{
	return driver.now.phase == BOARD_RUNNING && driver.other_looks < OTHER_LOOKS
		       ? ixgbe_irq_other_fd(driver.nic)
		       : -1;
}

/* Ends this process, and leaves the NIC to the next. */
_Noreturn static void driver_leave(void)
{
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		if (driver.worker[q])
			worker_leave(driver.worker[q]);
	phase_set(BOARD_LEFT);
	_exit(0);
}

/* The least that may cure a transmit queue that hangs. */
static void hung_queue_restart(uint16_t queue)
{
	struct bridge_counters *counters = &driver.report->queue[queue].counters;
	const uint64_t before = counters->tx_drop_unreported;
	int err;

	worker_stop(driver.worker[queue]);
	driver.worker[queue] = NULL;
	err = ixgbe_tx_restart(driver.nic, queue);
	driver.now.hangs++;
	driver.now.hung = queue;
	driver.now.hang_cured = !err;
	driver.now.hang_lost = counters->tx_drop_unreported - before;
	state_report();
	if (err)
		driver_fail(err, "the NIC has stopped to send");
}

/* A process that is isolated makes no new thread: the next one has a worker for the queue again. */
static void traffic_look(void)
{
	int err = ixgbe_tx_watch(driver.nic);

	if (err == -ETIMEDOUT) {
		for (uint32_t hung = ixgbe_tx_hung(driver.nic); hung; hung &= hung - 1)
			hung_queue_restart((uint16_t)__builtin_ctz(hung));
		driver_leave();
	}
	if (err)
		driver_fail_errno(err, "cannot look after the NIC's transmitter");
	err = ixgbe_rx_watch(driver.nic);
	for (uint32_t skipped = ixgbe_rx_skipped(driver.nic); skipped; skipped &= skipped - 1)
		bridge_count(&driver.report->queue[__builtin_ctz(skipped)].counters.rx_skipped, 1);
	if (err == -ETIMEDOUT)
		driver_fail(err, "the NIC has stopped to receive");
	if (err == -EBADMSG)
		driver_fail(err, "the NIC says done of receive descriptors that it never wrote: "
				 "it is at fault, and to be replaced if that comes again");
	if (err)
		driver_fail_errno(err, "cannot look after the NIC's receiver");
}

/* By whether frames came or went. */
static void quiet_look(void)
{
	uint64_t frames = 0;

	for (uint16_t q = 0; q < driver.plan.queues; q++) {
		struct bridge_counters now;

		bridge_counters_read(&driver.report->queue[q].counters, &now);
		frames += now.rx_received + now.tx_received;
	}
	if (frames != driver.frames || !driver.busy_ms)
		driver.busy_ms = clock_ms();
	driver.frames = frames;
	driver.pace = clock_ms() - driver.busy_ms > QUIET_MS ? QUIET_TICKS : 1;
}

static void driver_tick(void)
{
	int err = 0;

	for (unsigned int i = 0; i < driver.pace && !err; i++)
		err = ixgbe_stats_step(driver.nic);
	driver.other_looks = 0;
	if (err)
		driver_fail_errno(err, "cannot read the NIC's counters");
	stats_report();
	driver.ticks += driver.pace;
	if (driver.ticks < TICKS_PER_SECOND)
		return;
	driver.ticks = 0;
	causes_handle();
	bus_report();
	link_report();
	full_report();
	sum_look();
	storm_look();
	traffic_look();
}

/* ---- Orders ---- */

/* False: there are none that can be read, and the old ones hold. */
static bool wishes_read(void)
{
	struct board_wishes wishes;

	if (!board_copy(&driver.orders->sequence, &wishes, &driver.orders->wishes,
			sizeof(wishes)) ||
	    !mirror_valid(&wishes.wanted))
		return false;
	driver.wishes = wishes;
	return true;
}

/* Brings the NIC to what is wanted: what differs, and the parts in `force`. */
static void settings_follow(uint32_t force)
{
	const struct mirror *wanted = &driver.wishes.wanted;
	const bool admin = driver.now.applied.admin_up != wanted->admin_up;
	int err;

	/* Where a predecessor was at this nothing is known of what the NIC has. */
	if (driver.now.applying)
		force = MIRROR_ALL;
	driver.now.applying = 1;
	state_write();
	err = mirror_apply(driver.nic, wanted, &driver.now.applied, force);
	driver.now.applying = 0;
	if (err)
		driver_fail_errno(err, "cannot set the NIC");
	driver.now.generation = driver.wishes.generation;
	if (admin && driver.worker[0])
		link_report();
}

_Noreturn static void driver_end(void)
{
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		if (driver.worker[q])
			worker_halt(driver.worker[q]);
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		worker_stop(driver.worker[q]);
	if (driver.now.phase == BOARD_RUNNING && ixgbe_stop(driver.nic))
		log_debug("the NIC did not stop in order: it is reset all the same");
	stats_report();
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		for (enum worker_pool i = 0; i < WORKER_POOLS; i++)
			ixgbe_pool_free(driver.pool[q][i]);
	ixgbe_close(driver.nic);
	phase_set(BOARD_ENDED);
	_exit(0);
}

static void orders_follow(void)
{
	const uint32_t answered = driver.now.answered;

	if (!wishes_read())
		return;
	if (driver.wishes.end != BOARD_GO_ON)
		driver_end();
	if (driver.now.phase != BOARD_RUNNING)
		return;
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		worker_receive_set(driver.worker[q], driver.wishes.coalesce,
				   driver.wishes.csum_replace);
	if (driver.wishes.generation != driver.now.generation || driver.now.applying) {
		settings_follow(0);
		state_report();
	}
	if (driver.wishes.asked != answered)
		questions_answer(driver.wishes.ask);
}

/* All but one of the keeper's messages say only that there is something to see. */
static void messages_read(void)
{
	struct board_message message;
	bool leave = false;
	int err;

	while (!(err = board_receive(driver.socket, &message)))
		leave |= message.kind == BOARD_LEAVE;
	if (leave && driver.now.phase == BOARD_RUNNING)
		driver_leave();
	if (err == -EPIPE)
		_exit(1); /* the keeper is gone, and this process holds the NIC's bus open */
	orders_follow();
}

/* ---- Life ---- */

static void all_pools_new(void)
{
	struct ixgbe_pool_plan plan[WORKER_POOLS];
	int err = 0;

	worker_pools(driver.plan.rx_ring, driver.plan.tx_ring, plan);
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		for (enum worker_pool i = 0; i < WORKER_POOLS && !err; i++)
			err = ixgbe_pool_new(driver.nic, plan[i].count, plan[i].size,
					     plan[i].headroom, &driver.pool[q][i]);
	if (err)
		driver_fail_errno(err, "cannot get DMA buffers");
}

/* Begins with what a predecessor has reported, or with nothing. */
static void state_begin(void)
{
	struct board_state *now = &driver.now;

	/* Of a predecessor that died in the middle of a word nothing is known. */
	if (!board_copy(&driver.report->sequence, now, &driver.report->state, sizeof(*now)) ||
	    !board_state_valid(now))
		*now = (struct board_state){.applying = 1};
	now->phase = BOARD_STARTING;
	now->error = 0;
	now->why.text[0] = '\0';
	now->started_ns = clock_ns();
	now->attached_ns = now->running_ns = 0;
	state_report();
}

static void nic_take(void)
{
	struct ixgbe_resumed resumed;
	int err = ixgbe_attach(driver.device, &driver.nic, &driver.now.why);

	if (err) {
		driver.now.error = err;
		phase_set(BOARD_FAILED);
		_exit(1);
	}
	all_pools_new();
	ixgbe_resumed(driver.nic, &resumed);
	driver.now.resumed = resumed.resumed;
	if (!resumed.resumed) {
		driver.now.applied = (struct mirror){.mtu = driver.plan.mtu};
		ixgbe_mac_get(driver.nic, driver.now.applied.mac);
		driver.now.link_up = 0;
		driver.now.link_mbps = 0;
	}
	ixgbe_mac_permanent(driver.nic, driver.now.mac_permanent);
	driver.now.device_id = ixgbe_device_id(driver.nic);
	module_read();
	driver.now.attached_ns = clock_ns();
	stats_name();
	stats_report();
	phase_set(BOARD_ATTACHED);
}

static void all_workers_start(void)
{
	for (uint16_t q = 0; q < driver.plan.queues; q++) {
		const struct worker_config config = {
			.nic = driver.nic,
			.queue = q,
			.tap_fd = driver.tap[q],
			.pool = driver.pool[q],
			.poll = (enum worker_poll)driver.plan.poll,
			.coalesce = driver.wishes.coalesce,
			.csum_replace = driver.wishes.csum_replace,
			.link_down = !driver.now.link_up,
			.resumed = driver.now.resumed,
			.cpu = driver.plan.cpu[q],
			.board = &driver.report->queue[q],
		};
		int err = worker_start(&config, &driver.worker[q], &driver.now.why);

		if (err)
			driver_fail(err, driver.now.why.text);
	}
}

/* After this no thread can be made, and no file opened. */
static void last_filter_set(void)
{
	struct isolation_report all;
	int err = isolation_last(&all);

	if (err)
		driver_fail_errno(err, "cannot give up the system calls of the start");
	driver.now.last_filter = all.of[ISOLATION_SECCOMP_LAST];
}

static void frames_start(void)
{
	struct ixgbe_pool *rx_pool[IXGBE_QUEUES_MAX];
	struct ixgbe_resumed resumed;
	int err;

	if (!driver.now.resumed)
		settings_follow(MIRROR_ALL);
	for (uint16_t q = 0; q < driver.plan.queues; q++)
		rx_pool[q] = driver.pool[q][WORKER_POOL_RX];
	err = ixgbe_start(driver.nic, rx_pool, &driver.now.why);
	if (err)
		driver_fail(err, driver.now.why.text);
	ixgbe_resumed(driver.nic, &resumed);
	driver.now.rx_repeated += resumed.rx_repeated;
	all_workers_start();
	last_filter_set();
	driver.now.running_ns = clock_ns();
	phase_set(BOARD_RUNNING);
	link_report();
	stats_report();
	orders_follow();
}

_Noreturn static void driver_run(void)
{
	int64_t next_ms = clock_ms() + TICK_MS;

	driver.pace = 1;

	for (;;) {
		struct pollfd pfd[] = {
			{.fd = driver.socket, .events = POLLIN},
			{.fd = other_fd(), .events = POLLIN},
		};
		const int64_t left = next_ms - clock_ms();
		const struct timespec wait = {.tv_nsec = left * 1000000}; /* less than a second */

		atomic_fetch_add_explicit(&driver.report->beats, 1, memory_order_relaxed);
		/* As the registers' channel waits, too: one system call less that a driver may
		 * make. */
		if (left > 0 && ppoll(pfd, 2, &wait, NULL) > 0) {
			if (pfd[0].revents)
				messages_read();
			if (pfd[1].revents)
				other_taken(eventfd_take(pfd[1].fd));
		} else if (left <= 0) {
			if (driver.now.phase == BOARD_RUNNING) {
				driver_tick();
				quiet_look();
			}
			next_ms = clock_ms() + TICK_MS * driver.pace;
		}
		if (driver.now.phase == BOARD_ATTACHED && driver.wishes.go)
			frames_start();
	}
}

_Noreturn void driver_main(const int *fd, uint32_t fds)
{
	int err;

	driver.socket = fd[0];
	log_divert(log_keeper);
	log_level_set((enum ixgbe_log_level)driver.plan.log_level);
	err = fds > 1 ? ixgbe_device_channel_set(driver.device, fd[1]) : 0;
	state_begin();
	if (err)
		driver_fail_errno(err, "cannot use the channel to the NIC's registers");
	nic_take();
	orders_follow();
	if (driver.wishes.go)
		frames_start();
	driver_run();
}

/* ---- In the spawner ---- */

/* Maps a file of the keeper's, which has `bytes` at least. */
static void *shared_map(int fd, size_t bytes, int protection)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) || st.st_size < (off_t)bytes) {
		errno = EBADMSG;
		return NULL;
	}
	at = mmap(NULL, bytes, protection, MAP_SHARED | MAP_POPULATE, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static bool plan_valid(const struct driver_plan *plan, size_t bytes, uint32_t fds)
{
	return bytes >= sizeof(*plan) && plan->version == BOARD_VERSION && plan->queues > 0 &&
	       plan->queues <= IXGBE_QUEUES_MAX && plan->poll <= WORKER_POLL_INTERRUPT &&
	       plan->log_level <= IXGBE_LOG_DEBUG && plan->device_bytes == bytes - sizeof(*plan) &&
	       fds >= 2u + plan->queues;
}

int driver_prepare(const void *record, size_t bytes, const int *fd, uint32_t fds,
		   struct ixgbe_why *why)
{
	const struct ixgbe_options options = {.log = log_library};
	const struct driver_plan *plan = record;
	uint32_t first;

	if (!plan_valid(plan, bytes, fds))
		return ixgbe_why_fill(why, -EBADMSG,
				      "the driver program and ixtapd are of different versions: "
				      "install both anew");
	driver.plan = *plan;
	first = 2u + plan->queues;
	driver.orders = shared_map(fd[0], sizeof(*driver.orders), PROT_READ);
	driver.report = shared_map(fd[1], sizeof(*driver.report), PROT_READ | PROT_WRITE);
	if (!driver.orders || !driver.report)
		return ixgbe_why_fill(why, -errno, "cannot map what the drivers share: %s",
				      strerror(errno));
	close(fd[0]);
	close(fd[1]);
	for (uint16_t q = 0; q < plan->queues; q++)
		driver.tap[q] = fd[2 + q];
	return ixgbe_device_import(plan + 1, plan->device_bytes, fd + first, fds - first, &options,
				   &driver.device, why);
}
