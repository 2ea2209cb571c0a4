/* SPDX-License-Identifier: MIT */
/* DMA areas: where their IOVAs are, and that what is released is used again. */
#include "ring_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE 4096u

static int open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += dup2(fd, fd) == fd;
	return n;
}

static void areas_ascend_from_the_first_page(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_dma_area area[4];
	ixgbe_iova end = 0;

	for (int i = 0; i < 4; i++) {
		assert_int_equal(dma_alloc(rig->nic.dma, 100 + (size_t)i * PAGE, &area[i]), 0);
		assert_int_equal(area[i].len, (size_t)(i + 1) * PAGE);
		assert_int_equal(area[i].iova % PAGE, 0);
		/* An unmapped page before each, the first included. */
		assert_int_equal(area[i].iova, end + PAGE);
		end = area[i].iova + area[i].len;
	}
}

static void memory_is_zero_and_mapped_for_both(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_dma_area area;
	const uint8_t *byte;

	assert_int_equal(dma_alloc(rig->nic.dma, 3 * PAGE, &area), 0);
	byte = area.addr;
	for (size_t i = 0; i < area.len; i++)
		assert_int_equal(byte[i], 0);
	assert_ptr_equal(rig_at(rig, area.iova, area.len), area.addr);
	memset(area.addr, 0xff, area.len);
}

static void released_ranges_are_used_again(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_dma_area a, b, c, again;
	ixgbe_iova hole;

	assert_int_equal(dma_alloc(rig->nic.dma, 2 * PAGE, &a), 0);
	assert_int_equal(dma_alloc(rig->nic.dma, 2 * PAGE, &b), 0);
	assert_int_equal(dma_alloc(rig->nic.dma, 2 * PAGE, &c), 0);
	hole = b.iova;
	dma_release(rig->nic.dma, &b);
	assert_null(b.addr);
	assert_int_equal(rig->maps, 2);

	/* What is too long goes behind, what fits goes into the hole. */
	assert_int_equal(dma_alloc(rig->nic.dma, 3 * PAGE, &again), 0);
	assert_true(again.iova > c.iova);
	assert_int_equal(dma_alloc(rig->nic.dma, PAGE, &again), 0);
	assert_int_equal(again.iova, hole);
}

static void the_range_of_the_backend_is_kept(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_dma_area area = {0}, kept;

	dma_free(rig->nic.dma);
	rig->first = 0x10000;
	rig->last = 0x10000 + 8 * PAGE - 1;
	assert_int_equal(dma_new(&rig->backend, &rig->nic.dma), 0);
	assert_int_equal(dma_alloc(rig->nic.dma, 9 * PAGE, &area), -ENOSPC);
	assert_null(area.addr);
	assert_int_equal(dma_alloc(rig->nic.dma, 8 * PAGE, &kept), 0);
	assert_int_equal(kept.iova, 0x10000);
	assert_int_equal(dma_alloc(rig->nic.dma, PAGE, &area), -ENOSPC);
	dma_release(rig->nic.dma, &kept);

	/* The very end of the address space. */
	dma_free(rig->nic.dma);
	rig->first = UINT64_MAX - 2 * PAGE + 1;
	rig->last = UINT64_MAX;
	assert_int_equal(dma_new(&rig->backend, &rig->nic.dma), 0);
	assert_int_equal(dma_alloc(rig->nic.dma, 2 * PAGE, &kept), 0);
	assert_int_equal(dma_alloc(rig->nic.dma, PAGE, &area), -ENOSPC);
}

static void large_areas_are_aligned_to_huge_pages(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_dma_area small, large;

	assert_int_equal(dma_alloc(rig->nic.dma, PAGE, &small), 0);
	assert_int_equal(dma_alloc(rig->nic.dma, 3u << 20, &large), 0);
	/* With huge pages 4 MiB at a multiple of 2 MiB; without, what was asked for. */
	if (large.len == 4u << 20)
		assert_int_equal(large.iova % (2u << 20), 0);
	else
		assert_int_equal(large.len, 3u << 20);
	memset(large.addr, 1, large.len);
}

static void failures_leave_nothing(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_dma_area area = {0};
	int before = open_files();

	rig->map_error = -ENOMEM;
	assert_int_equal(dma_alloc(rig->nic.dma, PAGE, &area), -ENOMEM);
	assert_int_equal(dma_alloc(rig->nic.dma, 4u << 20, &area), -ENOMEM);
	assert_null(area.addr);
	assert_int_equal(dma_alloc(rig->nic.dma, 0, &area), -EINVAL);
	assert_true(dma_alloc(rig->nic.dma, SIZE_MAX, &area) < 0);
	assert_int_equal(open_files(), before);
	rig->map_error = 0;
	assert_int_equal(dma_alloc(rig->nic.dma, PAGE, &area), 0);
	assert_int_equal(open_files(), before); /* the mappings keep the memory */

	dma_release(rig->nic.dma, &area);
	dma_release(rig->nic.dma, &area); /* an empty area is nobody's */
	dma_free(NULL);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(areas_ascend_from_the_first_page),
		TEST(memory_is_zero_and_mapped_for_both),
		TEST(released_ranges_are_used_again),
		TEST(the_range_of_the_backend_is_kept),
		TEST(large_areas_are_aligned_to_huge_pages),
		TEST(failures_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
