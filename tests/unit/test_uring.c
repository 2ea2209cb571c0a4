/* SPDX-License-Identifier: MIT */
/* What uring.c gives, and how the kernel's io_uring treats a TAP: the data path relies on it. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/frames/uring.h"
#include "bridge/frames/tap.h"

#define NAME "data-ring0"

static struct tap tap;
static struct io_uring ring;

static int set_up(void **state)
{
	struct ixgbe_why why = {""};

	(void)state;
	if (tap_open(&tap, NAME, 1, false, &why) || uring_init(&ring, 64, tap.fd, 1, &why))
		fail_msg("%s", why.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	uring_release(&ring);
	io_uring_queue_exit(&ring);
	tap_close(&tap);
	assert_int_equal(if_nametoindex(NAME), 0); /* at once */
	return 0;
}

static bool nowait_known(void)
{
	char byte = 0;
	struct iovec iov = {&byte, 1};

	return pwritev2(tap.fd[0], &iov, 1, -1, RWF_NOWAIT) >= 0 || errno != EOPNOTSUPP;
}

/* The result of a request that must be complete when the kernel returns. */
static int complete_at_once(void)
{
	struct io_uring_cqe *cqe;
	int res;

	assert_int_equal(io_uring_submit_and_get_events(&ring), 1);
	assert_int_equal(io_uring_peek_cqe(&ring, &cqe), 0);
	res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return res;
}

static struct io_uring_sqe *read_request(void *buf, unsigned int size)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_read(sqe, 0, buf, size, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	return sqe;
}

static void nothing_runs_before_it_is_enabled(void **state)
{
	char buf[100];

	(void)state;
	read_request(buf, sizeof(buf))->rw_flags = nowait_known() ? RWF_NOWAIT : 0;
	assert_int_equal(io_uring_submit(&ring), -EBADFD);
	assert_int_equal(uring_enable(&ring), 0);
	assert_int_equal(io_uring_submit(&ring), 1);
}

/* What the data path never asks for is refused: other requests, and other registrations. */
static void a_ring_does_nothing_else(void **state)
{
	struct io_uring_sqe *sqe;
	char byte;

	(void)state;
	assert_int_equal(uring_enable(&ring), 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/proc/version", O_RDONLY, 0);
	assert_int_equal(complete_at_once(), -EACCES);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_nop(sqe);
	assert_int_equal(complete_at_once(), -EACCES);
	/* A descriptor that is not registered. */
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, tap.fd[0], &byte, 1, 0);
	assert_int_equal(complete_at_once(), -EACCES);
	assert_int_equal(io_uring_register_eventfd(&ring, 0), -EACCES);
}

static void nowait_read_of_an_empty_tap_says_so_at_once(void **state)
{
	char buf[100];

	(void)state;
	if (!nowait_known()) {
		print_message("# the TAP of this kernel does not know RWF_NOWAIT\n");
		skip();
	}
	assert_int_equal(uring_enable(&ring), 0);
	for (int i = 0; i < 100; i++) {
		read_request(buf, sizeof(buf))->rw_flags = RWF_NOWAIT;
		assert_int_equal(complete_at_once(), -EAGAIN);
	}
}

static void write_to_an_interface_that_is_down_is_eio(void **state)
{
	char frame[TAP_VNET_HDR_BYTES + 60] = {0};
	struct io_uring_sqe *sqe;

	(void)state;
	assert_int_equal(uring_enable(&ring), 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, 0, frame, sizeof(frame), 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	sqe->rw_flags = nowait_known() ? RWF_NOWAIT : 0;
	assert_int_equal(complete_at_once(), -EIO);
}

static void deleted_tap_ends_reads_and_polls(void **state)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	char buf[100];

	(void)state;
	assert_int_equal(uring_enable(&ring), 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, 0, POLLIN);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	assert_int_equal(io_uring_submit(&ring), 1);
	assert_int_equal(system("ip link del " NAME), 0);
	assert_int_equal(io_uring_wait_cqe(&ring, &cqe), 0);
	/* The poll may say POLLIN only: it is the read that tells. */
	assert_int_not_equal(cqe->res, 0);
	io_uring_cqe_seen(&ring, cqe);
	read_request(buf, sizeof(buf))->rw_flags = nowait_known() ? RWF_NOWAIT : 0;
	assert_int_equal(complete_at_once(), -EBADFD);
}

static void bad_file_is_reported(void **state)
{
	struct ixgbe_why why = {""};
	const int fd = 999;
	struct io_uring other;

	(void)state;
	assert_int_equal(uring_init(&other, 8, &fd, 1, &why), -EBADF);
	assert_non_null(strstr(why.text, "register files"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_runs_before_it_is_enabled),
		TEST(a_ring_does_nothing_else),
		TEST(nowait_read_of_an_empty_tap_says_so_at_once),
		TEST(write_to_an_interface_that_is_down_is_eio),
		TEST(deleted_tap_ends_reads_and_polls),
		TEST(bad_file_is_reported),
	};

	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("1..0 # SKIP needs root and /dev/net/tun: %s\n", strerror(errno));
		return 0; /* meson's TAP wants no 77 */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
