/* SPDX-License-Identifier: MIT */
/* The worker with a NIC that does not do its part; see worker_rig.h. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker_rig.h"

static const enum worker_poll modes[] = {WORKER_POLL_ADAPTIVE, WORKER_POLL_INTERRUPT,
					 WORKER_POLL_BUSY};
#define MODES (sizeof(modes) / sizeof(modes[0]))

static atomic_llong skew_ms; /* how far the clock was put forward */

/* In the place of libc's. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	long long ms = atomic_load(&skew_ms);
	int err = (int)syscall(SYS_clock_gettime, clock, ts);

	ts->tv_sec += ms / 1000;
	ts->tv_nsec += ms % 1000 * 1000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_sec++;
		ts->tv_nsec -= 1000000000;
	}
	return err;
}

static void time_passes(int ms)
{
	atomic_fetch_add(&skew_ms, ms);
}

/* The worker sleeps, and goes on sleeping: 100 ms without a turn. What was under way when the test
 * asked, an interrupt or a frame, may wake the worker before; a worker that spins never has such a
 * time. */
static void expect_sleep(struct rig *rig)
{
	uint64_t turns, again;
	int tries = 0;

	do {
		WAIT_FOR(worker_rig_idle(rig));
		turns = counters(rig).turns;
		poll(NULL, 0, 100);
		again = counters(rig).turns;
	} while (again != turns && ++tries < 50);
	assert_int_equal(again, turns);
	assert_true(worker_rig_idle(rig));
}

/* ---- Received ---- */

/* The NIC writes one descriptor of a frame, whose first byte is at `frame`. Returns what stood in
 * it: its buffer. */
static uint64_t nic_begins(struct rig *rig, const uint8_t *frame, uint32_t len, uint32_t status)
{
	struct puppet *puppet = rig->puppet;
	union ixgbe_desc *desc = &puppet->rx[puppet->rdh];
	const uint64_t buffer = desc->qword[0];

	memcpy(fake_dma_at(puppet->fake, desc->qword[0], len), frame, len);
	desc->qword[0] = 0;
	__atomic_store_n(&desc->qword[1], (uint64_t)len << 32 | IXGBE_RXD_STAT_DD | status,
			 __ATOMIC_RELEASE);
	puppet->rdh = (puppet->rdh + 1) % RING;
	puppet_interrupt(puppet);
	return buffer;
}

/* However long it takes until the worker looks: the deadlines of WAIT_FOR pass, too. */
static void expect_unfinished(struct rig *rig, uint64_t count)
{
	for (int i = 0; i < 500 && counters(rig).rx_unfinished < count; i++) {
		time_passes(1000);
		poll(NULL, 0, 10);
	}
	assert_int_equal(counters(rig).rx_unfinished, count);
}

static void half_a_frame_is_waited_for_and_counted(void **state)
{
	static uint8_t frame[4000];

	(void)state;
	for (size_t i = 0; i < MODES; i++) {
		struct rig *rig = worker_rig_new(modes[i], 9000);

		frame_make(frame, 7, sizeof(frame));
		nic_begins(rig, frame, 2048, 0);
		if (modes[i] != WORKER_POLL_BUSY)
			expect_sleep(rig);
		assert_int_equal(counters(rig).rx_unfinished, 0);
		expect_unfinished(rig, 1);
		if (modes[i] != WORKER_POLL_BUSY)
			expect_sleep(rig);
		/* The other direction is not hindered. */
		kernel_send(rig, frame, sizeof(frame));
		nic_expect(rig, frame, sizeof(frame));

		/* Its end comes after all. */
		nic_begins(rig, frame + 2048, sizeof(frame) - 2048, IXGBE_RXD_STAT_EOP);
		kernel_expect(rig, frame, sizeof(frame));
		time_passes(5000);
		nic_begins(rig, frame, 60, IXGBE_RXD_STAT_EOP);
		kernel_expect(rig, frame, 60);
		assert_int_equal(counters(rig).rx_unfinished, 1);
		/* Another one is counted anew. */
		nic_begins(rig, frame, 100, 0);
		expect_unfinished(rig, 2);
		worker_rig_free(rig);
	}
}

/* ... and takes the last one back. */
static void nic_takes_back(struct rig *rig, uint64_t buffer)
{
	struct puppet *puppet = rig->puppet;

	puppet->rdh = (puppet->rdh + RING - 1) % RING;
	__atomic_store_n(&puppet->rx[puppet->rdh].qword[1], 0, __ATOMIC_RELEASE);
	puppet->rx[puppet->rdh].qword[0] = buffer;
	puppet_interrupt(puppet);
}

/* The worker has seen what the ring is like now: it looks before it sleeps, and at times when it
 * only turns. */
static void expect_look(struct rig *rig, enum worker_poll mode)
{
	const uint64_t turns = counters(rig).turns;

	if (mode == WORKER_POLL_BUSY)
		WAIT_FOR(counters(rig).turns > turns + 100);
	else
		expect_sleep(rig);
}

static void half_a_frame_that_comes_and_goes_is_counted(void **state)
{
	static uint8_t frame[100];

	(void)state;
	for (size_t i = 0; i < MODES; i++) {
		struct rig *rig = worker_rig_new(modes[i], 1500);
		uint64_t buffer;

		frame_make(frame, 7, sizeof(frame));
		for (int n = 0; n < 4; n++) {
			buffer = nic_begins(rig, frame, sizeof(frame), 0);
			expect_look(rig, modes[i]);
			time_passes(300);
			nic_takes_back(rig, buffer);
			expect_look(rig, modes[i]);
		}
		expect_unfinished(rig, 1);
		/* Then all is well, and the next one is counted anew. */
		nic_begins(rig, frame, sizeof(frame), IXGBE_RXD_STAT_EOP);
		kernel_expect(rig, frame, sizeof(frame));
		nic_begins(rig, frame, sizeof(frame), 0);
		expect_unfinished(rig, 2);
		worker_rig_free(rig);
	}
}

/* What is seen as half a frame and then ends, with an error of the wire, is no such thing. */
static void half_a_frame_that_is_dropped_is_not_counted(void **state)
{
	static uint8_t frame[100];
	struct rig *rig = worker_rig_new(WORKER_POLL_INTERRUPT, 1500);

	(void)state;
	frame_make(frame, 7, sizeof(frame));
	nic_begins(rig, frame, sizeof(frame), 0);
	expect_sleep(rig);
	nic_begins(rig, frame, sizeof(frame), IXGBE_RXD_STAT_EOP | IXGBE_RXD_ERR_RXE);
	expect_sleep(rig);
	time_passes(5000);
	nic_begins(rig, frame, sizeof(frame), 0);
	expect_sleep(rig);
	assert_int_equal(counters(rig).rx_unfinished, 0);
	expect_unfinished(rig, 1);
	worker_rig_free(rig);
}

static void a_frame_without_end_is_counted(void **state)
{
	static uint8_t frame[2048];

	(void)state;
	for (size_t i = 0; i < MODES; i++) {
		struct rig *rig = worker_rig_new(modes[i], 9000);

		frame_make(frame, 7, sizeof(frame));
		for (int n = 0; n < 200; n++)
			nic_begins(rig, frame, sizeof(frame), 0);
		expect_unfinished(rig, 1);
		nic_begins(rig, frame, sizeof(frame), IXGBE_RXD_STAT_EOP);
		nic_begins(rig, frame, 60, IXGBE_RXD_STAT_EOP);
		kernel_expect(rig, frame, 60);
		assert_int_equal(counters(rig).rx_unfinished, 1);
		worker_rig_free(rig);
	}
}

/* Whoever made the NIC's end of it may change what both ends share. */
static void an_eventfd_made_non_blocking_does_not_spin(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_INTERRUPT, 1500);
	const int fd = rig->puppet->fake->eventfd[0];
	uint8_t frame[60];

	(void)state;
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
	for (uint32_t n = 0; n < 3; n++) {
		puppet_receive(rig->puppet, frame, frame_make(frame, n, sizeof(frame)), 0, 0);
		puppet_interrupt(rig->puppet);
		kernel_expect(rig, frame, sizeof(frame));
		expect_sleep(rig);
	}
	worker_rig_free(rig);
}

/* The NIC masks the vector and says that it fired, and nothing arrives. */
static void interrupt_gets_lost(struct puppet *puppet)
{
	pthread_mutex_lock(&puppet->irq_lock);
	puppet->irq_armed = puppet->irq_pending = false;
	pthread_mutex_unlock(&puppet->irq_lock);
}

static void a_lost_interrupt_makes_no_queue_deaf(void **state)
{
	uint8_t frame[60];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig *rig = worker_rig_new(modes[i], 1500);
		uint64_t irqs;

		expect_sleep(rig);
		puppet_receive(rig->puppet, frame, frame_make(frame, 1, sizeof(frame)), 0, 0);
		interrupt_gets_lost(rig->puppet);
		kernel_expect(rig, frame, sizeof(frame));
		WAIT_FOR(counters(rig).irqs_lost == 1);
		/* The vector is armed again, and idle time costs nothing. */
		irqs = counters(rig).irqs;
		for (uint32_t n = 2; n < 5; n++) {
			expect_sleep(rig);
			puppet_receive(rig->puppet, frame, frame_make(frame, n, sizeof(frame)), 0,
				       0);
			puppet_interrupt(rig->puppet);
			kernel_expect(rig, frame, sizeof(frame));
			WAIT_FOR(counters(rig).irqs == ++irqs);
		}
		assert_int_equal(counters(rig).irqs_lost, 1);
		worker_rig_free(rig);
	}
}

/* ---- Sent ---- */

static void frames_are_delivered_when_the_nic_says_so(void **state)
{
	uint8_t frame[60];

	(void)state;
	for (size_t i = 0; i < MODES; i++) {
		struct rig *rig = worker_rig_new(modes[i], 1500);
		uint64_t before;

		WAIT_FOR(puppet_transmit_all(rig->puppet) == 0 &&
			 counters(rig).tx_delivered == counters(rig).tx_received);
		before = counters(rig).tx_delivered;
		for (uint32_t n = 0; n < 10; n++)
			kernel_send(rig, frame, frame_make(frame, n, sizeof(frame)));
		WAIT_FOR(counters(rig).tx_received >= before + 10);
		if (modes[i] != WORKER_POLL_BUSY)
			expect_sleep(rig);
		assert_int_equal(counters(rig).tx_delivered, before);
		/* No interrupt and no frame wakes the worker now. */
		WAIT_FOR(puppet_transmit_all(rig->puppet) > 0);
		WAIT_FOR(counters(rig).tx_delivered >= before + 10);
		worker_rig_free(rig);
	}
}

static void frames_that_were_never_sent_are_counted(void **state)
{
	struct rig *rig = worker_rig_new(WORKER_POLL_ADAPTIVE, 1500);
	uint64_t before, received;
	uint8_t frame[60];

	(void)state;
	WAIT_FOR(puppet_transmit_all(rig->puppet) == 0 &&
		 counters(rig).tx_delivered == counters(rig).tx_received);
	before = counters(rig).tx_delivered;
	received = counters(rig).tx_received;
	for (uint32_t n = 0; n < 10; n++)
		kernel_send(rig, frame, frame_make(frame, n, sizeof(frame)));
	WAIT_FOR(counters(rig).tx_received >= received + 10);
	worker_halt(rig->worker);
	assert_int_equal(counters(rig).tx_delivered, before);
	assert_true(counters(rig).tx_drop_unreported >= 10);
	worker_rig_free(rig);
}

#define TEST(function) cmocka_unit_test_teardown(function, worker_rig_clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(half_a_frame_is_waited_for_and_counted),
		TEST(half_a_frame_that_comes_and_goes_is_counted),
		TEST(half_a_frame_that_is_dropped_is_not_counted),
		TEST(a_frame_without_end_is_counted),
		TEST(an_eventfd_made_non_blocking_does_not_spin),
		TEST(a_lost_interrupt_makes_no_queue_deaf),
		TEST(frames_are_delivered_when_the_nic_says_so),
		TEST(frames_that_were_never_sent_are_counted),
	};

	if (!worker_rig_possible())
		return 0; /* meson's TAP wants no 77 */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
