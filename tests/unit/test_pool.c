/* SPDX-License-Identifier: MIT */
/* Buffer pools: every buffer is there once, and where it should be. */
#include "ring_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ixgbe/queues/pool.h"

static void every_buffer_is_handed_out_once(void **state)
{
	enum { COUNT = 100, SIZE = 2112 };
	struct rig *rig = *state;
	struct ixgbe_pool *pool;
	struct ixgbe_buf *buf[COUNT];
	bool seen[COUNT] = {false};

	assert_int_equal(ixgbe_pool_new(&rig->nic, COUNT, SIZE, 64, &pool), 0);
	assert_int_equal(ixgbe_pool_count(pool), COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(ixgbe_pool_available(pool), COUNT - i);
		buf[i] = ixgbe_buf_get(pool);
		assert_non_null(buf[i]);
		assert_true(buf[i]->index < COUNT && !seen[buf[i]->index]);
		seen[buf[i]->index] = true;
		assert_ptr_equal(ixgbe_pool_at(pool, buf[i]->index), buf[i]);
		assert_int_equal(buf[i]->size, SIZE);
		assert_int_equal((uintptr_t)buf[i]->data % 64, 0);
		assert_int_equal(buf[i]->iova % 64, 0);
		assert_ptr_equal(rig_at(rig, buf[i]->iova, SIZE), buf[i]->data);
		memset(buf[i]->data, i, SIZE);
	}
	assert_null(ixgbe_buf_get(pool));
	assert_null(ixgbe_pool_at(pool, COUNT));
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(buf[i]->data[0], i);
		assert_int_equal(buf[i]->data[SIZE - 1], i);
		ixgbe_buf_put(buf[i]);
	}
	assert_int_equal(ixgbe_pool_available(pool), COUNT);
	ixgbe_pool_free(pool);
	assert_int_equal(rig->maps, 0);
}

static void the_warmest_buffer_comes_first(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_pool *pool;
	struct ixgbe_buf *a, *b;

	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, 2048, 0, &pool), 0);
	a = ixgbe_buf_get(pool);
	b = ixgbe_buf_get(pool);
	ixgbe_buf_put(b);
	ixgbe_buf_put(a);
	assert_ptr_equal(ixgbe_buf_get(pool), a);
	assert_ptr_equal(ixgbe_buf_get(pool), b);
	ixgbe_buf_put(a);
	ixgbe_buf_put(b);
	ixgbe_pool_free(pool);
}

static void many_go_and_come_as_one_by_one(void **state)
{
	enum { COUNT = 20 };
	struct rig *rig = *state;
	struct ixgbe_pool *pool[2];
	struct ixgbe_seg seg[2 * COUNT + 1];

	for (int i = 0; i < 2; i++)
		assert_int_equal(ixgbe_pool_new(&rig->nic, COUNT, 2048, 0, &pool[i]), 0);
	assert_int_equal(ixgbe_bufs_get(pool[0], seg, 0), 0);
	/* The order is that of ixgbe_buf_get, and what is not there is not given. */
	assert_int_equal(ixgbe_bufs_get(pool[0], seg, 3), 3);
	assert_int_equal(ixgbe_bufs_get(pool[0], seg + 3, COUNT), COUNT - 3);
	assert_int_equal(ixgbe_bufs_get(pool[0], seg + COUNT, 1), 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_ptr_equal(seg[i].buf, ixgbe_pool_at(pool[0], i));
	assert_int_equal(ixgbe_bufs_get(pool[1], seg + COUNT, COUNT), COUNT);
	/* Each to its own pool, in runs and one by one. */
	ixgbe_bufs_put(seg, 5);
	for (uint32_t i = 5; i < COUNT; i++) {
		const struct ixgbe_seg two[] = {seg[i], seg[COUNT + i]};

		ixgbe_bufs_put(two, 2);
	}
	ixgbe_bufs_put(seg + COUNT, 5);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ixgbe_pool_available(pool[i]), COUNT);
		ixgbe_pool_free(pool[i]);
	}
}

/* The first lines of 64 buffers must not share a set of a cache with 64 sets. */
static void power_of_two_buffers_do_not_alias(void **state)
{
	static const uint32_t sizes[] = {2048, 4096, 2112, 65536, 65536 + 64};
	struct rig *rig = *state;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct ixgbe_pool *pool;
		bool set[64] = {false};

		assert_int_equal(ixgbe_pool_new(&rig->nic, 64, sizes[s], 0, &pool), 0);
		for (uint32_t i = 0; i < 64; i++) {
			size_t at = ixgbe_pool_at(pool, i)->iova / 64 % 64;

			assert_false(set[at]);
			set[at] = true;
		}
		ixgbe_pool_free(pool);
	}
}

static void nonsense_is_refused(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_pool *pool = NULL;

	assert_int_equal(ixgbe_pool_new(&rig->nic, 0, 2048, 0, &pool), -EINVAL);
	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, 0, 0, &pool), -EINVAL);
	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, 2048, 2048, &pool), -EINVAL);
	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, 2048, 63, &pool), -EINVAL);
	assert_int_equal(ixgbe_pool_new(&rig->nic, UINT32_MAX, 2048, 0, &pool), -EINVAL);
	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, UINT32_MAX, 0, &pool), -EINVAL);
	rig->map_error = -EPERM;
	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, 2048, 0, &pool), -EPERM);
	assert_null(pool);
	ixgbe_pool_free(NULL);
}

static int setup(void **state)
{
	*state = rig_new(64);
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* Runs `wrong` in a child. Returns whether the guard ended the child: by abort(), or by a trap in a
 * release. The child's message and core are not wanted. */
static bool is_guarded(void (*wrong)(struct ixgbe_pool *), struct ixgbe_pool *pool)
{
	static const int ends[] = {SIGABRT, SIGILL, SIGTRAP};
	enum { ENDS = sizeof(ends) / sizeof(ends[0]) };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		for (size_t i = 0; i < ENDS; i++)
			signal(ends[i], SIG_DFL); /* cmocka catches them */
		prctl(PR_SET_DUMPABLE, 0);
		close(STDERR_FILENO);
		wrong(pool);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < ENDS; i++)
		if (WIFSIGNALED(status) && WTERMSIG(status) == ends[i])
			return true;
	return false;
}

static void put_once_too_often(struct ixgbe_pool *pool)
{
	ixgbe_buf_put(ixgbe_pool_at(pool, 0));
}

static void put_many_once_too_often(struct ixgbe_pool *pool)
{
	struct ixgbe_buf *again[] = {NULL, ixgbe_pool_at(pool, 0), NULL};

	pool_push_many(again, 3, false);
}

static void free_without_one(struct ixgbe_pool *pool)
{
	ixgbe_buf_get(pool);
	ixgbe_pool_free(pool);
}

/* In a build without assertions, too: it would write behind the stack, or leave the device a buffer
 * in memory that is free. */
static void a_pool_is_guarded_in_every_build(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_pool *pool;

	assert_int_equal(ixgbe_pool_new(&rig->nic, 8, 2048, 0, &pool), 0);
	assert_true(is_guarded(put_once_too_often, pool));
	assert_true(is_guarded(put_many_once_too_often, pool));
	assert_true(is_guarded(free_without_one, pool));
	ixgbe_pool_free(pool);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_buffer_is_handed_out_once),   TEST(the_warmest_buffer_comes_first),
		TEST(power_of_two_buffers_do_not_alias), TEST(nonsense_is_refused),
		TEST(a_pool_is_guarded_in_every_build),  TEST(many_go_and_come_as_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
