/* SPDX-License-Identifier: MIT */
/*
 * A reset in a thread of its own, of a device whose backend waits until the test lets it go on: who
 * waits for it, and who does not.
 */
#include "bridge/engine/function_reset.h"
#include "fake_backend.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fds_open.h"

#define LIMIT_MS 10000

static const struct ixgbe_options wanted = {.rx_ring = 64, .tx_ring = 64};
static const struct ixgbe_pool_plan plan = {128, 2112, 64};

static struct kept {
	struct fake *fake;
	struct ixgbe_device *device;
	struct ixgbe_backend_ops ops;
	int begun, go_on, closed; /* eventfds */
	int result;
	int fds;
} kept;

static bool readable(int fd, int timeout_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) == 1;
}

static int reset_when_told(struct ixgbe_backend *backend)
{
	eventfd_t count;

	(void)backend;
	eventfd_write(kept.begun, 1);
	eventfd_read(kept.go_on, &count);
	return kept.result;
}

static void closes(struct ixgbe_backend *backend)
{
	(void)backend;
	eventfd_write(kept.closed, 1);
}

static int setup(void **state)
{
	(void)state;
	kept = (struct kept){.fds = fds_open(), .fake = fake_new()};
	kept.begun = eventfd(0, EFD_CLOEXEC);
	kept.go_on = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	kept.closed = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(device_keep(&kept.fake->base, &wanted, &plan, 1, &kept.device, NULL), 0);
	kept.ops = *kept.fake->base.ops;
	kept.ops.reset = reset_when_told;
	kept.ops.close = closes;
	kept.fake->base.ops = &kept.ops;
	return 0;
}

/* The device is closed, or is to be. */
static int teardown(void **state)
{
	(void)state;
	if (kept.device) {
		eventfd_write(kept.go_on, 1); /* a close resets, too */
		ixgbe_device_close(kept.device);
	}
	close(kept.begun);
	close(kept.go_on);
	close(kept.closed);
	assert_int_equal(kept.fake->maps, 0);
	assert_int_equal(fds_open(), kept.fds);
	fake_free(kept.fake);
	return 0;
}

static void begins(void)
{
	eventfd_t count;

	assert_true(readable(kept.begun, LIMIT_MS));
	assert_int_equal(eventfd_read(kept.begun, &count), 0);
}

static struct function_reset *under_way(bool replace_memory)
{
	struct function_reset *reset = NULL;

	assert_int_equal(function_reset_start(kept.device, replace_memory, &reset), 0);
	begins();
	assert_false(readable(function_reset_fd(reset), 0));
	return reset;
}

static void its_end_is_told(void **state)
{
	struct function_reset *reset = under_way(true);
	struct ixgbe_why why = {""};

	(void)state;
	eventfd_write(kept.go_on, 1);
	assert_true(readable(function_reset_fd(reset), LIMIT_MS));
	assert_int_equal(function_reset_end(reset, &why), 0);
	assert_false(readable(kept.closed, 0));
}

static void a_failure_is_told(void **state)
{
	struct function_reset *reset = under_way(true);
	struct ixgbe_why why = {""};

	(void)state;
	kept.result = -ETIMEDOUT;
	eventfd_write(kept.go_on, 1);
	assert_int_equal(function_reset_end(reset, &why), -ETIMEDOUT);
	assert_non_null(strstr(why.text, "the reset of the device failed"));
	assert_false(readable(kept.closed, 0));
}

/* Nobody waits any more: it closes the device when it comes back. */
static void who_is_left_closes(void **state)
{
	struct function_reset *reset = under_way(false);

	(void)state;
	function_reset_leave(reset);
	assert_false(readable(kept.closed, 0));
	eventfd_write(kept.go_on, 1); /* that reset, and the one of the close */
	begins();
	eventfd_write(kept.go_on, 1);
	assert_true(readable(kept.closed, LIMIT_MS));
	kept.device = NULL;
	/* What the thread has still to do is to free memory and one descriptor. */
	for (int ms = 0; fds_open() > kept.fds + 3; ms++) {
		assert_in_range(ms, 0, LIMIT_MS);
		usleep(1000);
	}
}

static void who_comes_late_closes(void **state)
{
	struct function_reset *reset = under_way(false);

	(void)state;
	eventfd_write(kept.go_on, 1);
	assert_true(readable(function_reset_fd(reset), LIMIT_MS));
	eventfd_write(kept.go_on, 1); /* for the close */
	function_reset_leave(reset);
	assert_true(readable(kept.closed, 0));
	kept.device = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_end_is_told),
		TEST(a_failure_is_told),
		TEST(who_is_left_closes),
		TEST(who_comes_late_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
