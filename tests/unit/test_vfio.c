/* SPDX-License-Identifier: MIT */
/*
 * The kernel VFIO backend against a kernel that the test plays (fake_vfio.h). Each step of the
 * start can be made to fail; whatever happens, nothing may stay open, mapped or attached.
 */
#include "fake_vfio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_fake(const char *name, struct ixgbe_backend **out)
{
	return ixgbe_backend_vfio.open(name, NULL, out, &fake_vfio_why);
}

/* The start fails with this error, says all of these words in one whole line, and leaves
 * nothing behind. */
static void refused(int err, const char *name, const char *const words[])
{
	struct ixgbe_backend *backend = NULL;

	assert_int_equal(open_fake(name, &backend), err);
	assert_null(backend);
	fake_vfio_nothing_left();
	assert_true(strlen(fake_vfio_why.text) < sizeof(fake_vfio_why.text) - 1); /* not cut off */
	assert_null(strchr(fake_vfio_why.text, '\n'));
	for (; *words; words++)
		if (!strstr(fake_vfio_why.text, *words))
			fail_msg("'%s' is not in '%s'", *words, fake_vfio_why.text);
}

#define REFUSED(err, name, ...) refused(err, name, (const char *const[]){__VA_ARGS__, NULL})

/* ---- Names ---- */

static void addresses_are_parsed(void **state)
{
	static const struct {
		const char *text, *bdf;
	} row[] = {
		{"0000:03:00.0", "0000:03:00.0"},
		{"03:00.1", "0000:03:00.1"},
		{"ABCD:Ef:1f.7", "abcd:ef:1f.7"},
		{"", NULL},
		{"03:00", NULL},
		{"03:00.", NULL},
		{"03:00.8", NULL},
		{"03:20.0", NULL},
		{"03:1g.0", NULL},
		{"3:0.0", NULL},
		{"03:00.00", NULL},
		{"000:03:00.0", NULL},
		{"00000:03:00.0", NULL},
		{"0000:03:00.0 ", NULL},
		{" 03:00.0", NULL},
		{"0000-03:00.0", NULL},
		{"../../etc/x0", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct vfio_pci pci;
		int err = vfio_pci_find("/nowhere", row[i].text, &pci, &fake_vfio_why);

		/* A name that is one is told to be of no device. */
		assert_int_equal(err, row[i].bdf ? -ENODEV : -EINVAL);
		assert_non_null(
			strstr(fake_vfio_why.text, row[i].bdf ? row[i].bdf : "no PCI address"));
	}
}

static void what_sysfs_forbids_is_explained(void **state)
{
	struct vfio_pci pci;

	(void)state;
	assert_int_equal(vfio_pci_find(vfio_kernel.sysfs, "03:00.0", &pci, &fake_vfio_why), 0);
	assert_string_equal(pci.bdf, BDF);
	assert_string_equal(pci.group, "12");

	REFUSED(-EINVAL, "eth0", "'eth0'", "DDDD:BB:DD.F");
	REFUSED(-ENODEV, "0000:04:00.0", "0000:04:00.0", "no such PCI device", "lspci");
	fake_vfio_link(LINK_DRIVER, "../../../drivers/ixgbe");
	REFUSED(-ENODEV, BDF, "driver ixgbe", "driverctl set-override " BDF " vfio-pci",
		"echo vfio-pci > devices/" BDF "/driver_override",
		"echo " BDF " > devices/" BDF "/driver/unbind", "echo " BDF " > drivers_probe'");
	fake_vfio_link(LINK_DRIVER, NULL);
	REFUSED(-ENODEV, BDF, "no driver", "driverctl", "drivers_probe'");
	fake_vfio_link(LINK_GROUP, NULL);
	REFUSED(-ENODEV, BDF, "no IOMMU", "intel_iommu=on");
	/* A link to nowhere in particular. */
	fake_vfio_link(LINK_GROUP, "../a-name-that-is-too-long-for-a-number");
	REFUSED(-ENODEV, BDF, "no IOMMU");
}

/* ---- Failures of the kernel's side ---- */

static void each_refusal_is_explained(void **state)
{
	(void)state;
	fake.fail_path = "/dev/vfio/vfio";
	fake.fail_error = ENOENT;
	REFUSED(-ENOENT, BDF, "/dev/vfio/vfio", "modprobe vfio-pci");
	fake.fail_path = GROUP_PATH;
	fake.fail_error = EACCES;
	REFUSED(-EACCES, BDF, GROUP_PATH, "chown USER " GROUP_PATH);
	fake.fail_error = EBUSY;
	REFUSED(-EBUSY, BDF, GROUP_PATH, "in use", "fuser");
	fake.fail_error = ENOENT;
	REFUSED(-ENOENT, BDF, GROUP_PATH);
	fake.fail_path = NULL;

	fake.group_flags = 0;
	REFUSED(-EPERM, BDF, "group 12", "/sys/kernel/iommu_groups/12/devices");
	fake.group_flags = VFIO_GROUP_FLAGS_VIABLE;

	fake.extension = 0;
	REFUSED(-EOPNOTSUPP, BDF, "type 1");
	fake.extension = 1;
	fake.api_version = 1;
	REFUSED(-EOPNOTSUPP, BDF, "type 1");
	fake.api_version = 0;

	fake.fail_request = VFIO_SET_IOMMU;
	fake.fail_error = EPERM;
	REFUSED(-EPERM, BDF, "interrupt remapping", "allow_unsafe_interrupts=1");
	fake.fail_request = 0;

	fake.memlock_left = 8 * MIB;
	REFUSED(-ENOMEM, BDF, "8192 KiB", "32768 KiB", "ulimit -l", "LimitMEMLOCK");
	fake.memlock_left = 64 * MIB;

	fake.device_flags = VFIO_DEVICE_FLAGS_PCI;
	REFUSED(-ENODEV, BDF, "reset");
	fake.device_flags |= VFIO_DEVICE_FLAGS_RESET;
	fake.bar_flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	REFUSED(-ENODEV, BDF, "registers");
	fake.bar_flags |= VFIO_REGION_INFO_FLAG_MMAP;
	fake.vectors = 0;
	REFUSED(-ENODEV, BDF, "MSI-X");
}

static void every_step_that_fails_leaves_nothing(void **state)
{
	static const unsigned long steps[] = {
		VFIO_GROUP_GET_STATUS,       VFIO_GROUP_SET_CONTAINER, VFIO_SET_IOMMU,
		VFIO_IOMMU_GET_INFO,         VFIO_GROUP_GET_DEVICE_FD, VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO, FAIL_MMAP,
		VFIO_IOMMU_MAP_DMA,
	};

	(void)state;
	fake.fail_error = EIO;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake.fail_request = steps[i];
		REFUSED(-EIO, BDF, strerror(EIO));
	}
}

/* ---- A backend that works ---- */

static void it_opens_and_closes_in_order(void **state)
{
	struct ixgbe_backend *backend = fake_vfio_opened();

	(void)state;
	assert_string_equal(backend->ops->name, "vfio");
	assert_string_equal(fake.log, "");
	backend->ops->close(backend);
	assert_string_equal(fake.log, "reset unmap device unset group container");
	fake_vfio_nothing_left();
	ixgbe_backend_vfio.close(NULL);
}

static void registers_are_within_the_bar(void **state)
{
	struct ixgbe_backend *backend = fake_vfio_opened();
	const struct ixgbe_backend_ops *ops = backend->ops;

	(void)state;
	ops->write32(backend, 0x18, 0x12345678);
	assert_int_equal(ops->read32(backend, 0x18), 0x12345678);
	assert_memory_equal(fake.bar + 0x18, "\x78\x56\x34\x12", 4);
	assert_ptr_equal(ops->doorbell(backend, 0x6018), fake.bar + 0x6018);
	ops->write32(backend, BAR_BYTES - 4, 1);
	assert_int_equal(ops->read32(backend, BAR_BYTES - 4), 1);
	ops->write32(backend, BAR_BYTES, 1);
	assert_int_equal(ops->read32(backend, BAR_BYTES), UINT32_MAX);
	assert_int_equal(ops->read32(backend, UINT32_MAX), UINT32_MAX);
	assert_null(ops->doorbell(backend, BAR_BYTES));
	ops->close(backend);
}

static void configuration_space_is_read_and_written(void **state)
{
	struct ixgbe_backend *backend = fake_vfio_opened();
	const struct ixgbe_backend_ops *ops = backend->ops;
	uint16_t value = 0x0406;

	(void)state;
	assert_int_equal(ops->config_write(backend, 4, &value, 2), 0);
	assert_memory_equal(fake.config + 4, &value, 2);
	value = 0;
	assert_int_equal(ops->config_read(backend, 4, &value, 2), 0);
	assert_int_equal(value, 0x0406);
	assert_int_equal(ops->config_read(backend, 255, &value, 2), -EINVAL);
	assert_int_equal(ops->config_write(backend, UINT32_MAX, &value, 2), -EINVAL);
	fake.short_config = true;
	assert_int_equal(ops->config_read(backend, 4, &value, 2), -EIO);
	assert_int_equal(ops->config_write(backend, 4, &value, 2), -EPERM);
	ops->close(backend);
}

static void vectors_get_their_eventfds(void **state)
{
	struct ixgbe_backend *backend = fake_vfio_opened();
	const struct ixgbe_backend_ops *ops = backend->ops;
	const int fds[64] = {100, 101, 102};

	(void)state;
	assert_int_equal(ops->irq_set(backend, fds, 3), 0);
	assert_int_equal(fake.irqs, 3);
	assert_memory_equal(fake.eventfd, fds, 3 * sizeof(int));
	assert_int_equal(ops->irq_set(backend, fds, 64), 0); /* more: off and on again */
	assert_int_equal(fake.irqs, 64);
	assert_int_equal(ops->irq_set(backend, fds, 65), -EINVAL);
	assert_int_equal(ops->irq_set(backend, NULL, 0), 0);
	assert_int_equal(fake.irqs, 0);
	assert_int_equal(ops->irq_set(backend, NULL, 0), 0); /* off already */
	assert_int_equal(ops->irq_set(backend, fds, 2), 0);
	fake.log[0] = '\0';
	ops->close(backend);
	assert_string_equal(fake.log, "irqs-off reset unmap device unset group container");
	fake_vfio_nothing_left();
}

static void memory_is_mapped_and_unmapped(void **state)
{
	struct ixgbe_backend *backend = fake_vfio_opened();
	const struct ixgbe_backend_ops *ops = backend->ops;

	(void)state;
	assert_int_equal(ops->dma_map(backend, fake.bar, 4096, -1, 0, 0x1000), 0);
	assert_int_equal(fake.dma_maps, 1);
	assert_int_equal(ops->dma_map(backend, fake.bar, 65 * MIB, -1, 0, 0x100000), -ENOMEM);
	fake.unmap_refused = true;
	assert_int_equal(ops->dma_unmap(backend, 0x1000, 4096), -EPERM);
	fake.unmap_refused = false;
	assert_int_equal(ops->dma_unmap(backend, 0x1000, 4096), 0);
	assert_int_equal(fake.dma_maps, 0);
	assert_int_equal(ops->reset(backend), 0);
	fake.fail_request = VFIO_DEVICE_RESET;
	fake.fail_error = EINVAL;
	assert_int_equal(ops->reset(backend), -EINVAL);
	fake.fail_request = 0;
	ops->close(backend);
}

/* ---- Another program goes on with the device ---- */

static void left_of(struct ixgbe_backend *backend, struct backend_left *left)
{
	*left = (struct backend_left){0};
	assert_int_equal(backend->ops->hand_over(backend, &left->handed), 0);
	backend->ops->registers(backend, &left->registers);
}

static void a_device_is_handed_over(void **state)
{
	struct ixgbe_backend *backend = fake_vfio_opened(), *next;
	const struct ixgbe_backend_ops *ops = backend->ops;
	const int fds[3] = {100, 101, 102};
	struct backend_left left;
	ixgbe_iova first, last;

	(void)state;
	assert_int_equal(ops->dma_map(backend, fake.bar, 4096, -1, 0, 0x1000), 0);
	assert_int_equal(ops->irq_set(backend, fds, 3), 0);
	left_of(backend, &left);
	free(backend); /* as an exec does */
	fake.bar_mapped = false;
	fake.memlock_left = 0; /* nothing is pinned again */
	assert_int_equal(ixgbe_backend_vfio.take_over(&left, NULL, &next, &fake_vfio_why), 0);
	assert_string_equal(fake.log, "");
	assert_int_equal(fake.irqs, 3);
	assert_int_equal(fake.dma_maps, 1);
	assert_true(fake.bar_mapped);
	ops = next->ops;
	ops->dma_range(next, &first, &last);
	assert_int_equal(last, 0xfedfffff);
	assert_ptr_equal(ops->doorbell(next, 0x6018), fake.bar + 0x6018);
	assert_int_equal(ops->config_read(next, 0, &last, 2), 0);
	assert_int_equal(ops->irq_set(next, fds, 2), 0);
	assert_int_equal(ops->dma_unmap(next, 0x1000, 4096), 0);
	fake.log[0] = '\0';
	ops->close(next);
	assert_string_equal(fake.log, "irqs-off reset unmap device unset group container");
	fake_vfio_nothing_left();
}

static void what_is_no_device_is_not_taken_over(void **state)
{
	static const unsigned long steps[] = {
		VFIO_GET_API_VERSION,
		VFIO_GROUP_GET_STATUS,
		VFIO_IOMMU_GET_INFO,
		VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_GET_IRQ_INFO,
		VFIO_DEVICE_GET_REGION_INFO,
		FAIL_MMAP,
	};
	struct ixgbe_backend *backend = fake_vfio_opened(), *next = NULL;
	struct backend_left left;

	(void)state;
	left_of(backend, &left);
	fake.bar_mapped = false;
	fake.fail_error = ENOTTY;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake.fail_request = steps[i];
		fake_vfio_why.text[0] = '\0';
		assert_true(ixgbe_backend_vfio.take_over(&left, NULL, &next, &fake_vfio_why) < 0);
		assert_non_null(strstr(fake_vfio_why.text, "handed over"));
		assert_false(fake.bar_mapped);
	}
	fake.fail_request = 0;
	left.registers.bytes /= 2;
	assert_int_equal(ixgbe_backend_vfio.take_over(&left, NULL, &next, &fake_vfio_why),
			 -EBADMSG);
	assert_false(fake.bar_mapped);
	assert_null(next);
	/* All descriptors are open, and nothing was done to the device. */
	assert_string_equal(fake.log, "unmap");
	fake.bar_mapped = true;
	backend->ops->close(backend);
	fake_vfio_nothing_left();
}

static void a_good_iova_range_is_chosen(void **state)
{
	const uint64_t last39 = (UINT64_C(1) << 39) - 1;
	const struct {
		uint32_t ranges;
		struct vfio_iova_range range[4];
		uint64_t first, last;
	} row[] = {
		{0, {{0}}, 0, 0xfedfffff}, /* an old kernel says nothing */
		{1, {{0, UINT64_MAX}}, 0, last39},
		{2, {{0, 0xfedfffff}, {0xfef00000, UINT64_MAX}}, 0, 0xfedfffff},
		/* The lowest is too small. */
		{2, {{0, 0x3ffffff}, {0xfef00000, UINT64_MAX}}, 0xfef00000, last39},
		/* All are small: the largest. */
		{3,
		 {{0, 0x3ffffff}, {0x8000000, 0xfffffff}, {0x20000000, 0x22000000}},
		 0x8000000,
		 0xfffffff},
		/* One that a narrow IOMMU does not reach. */
		{2, {{UINT64_C(1) << 40, UINT64_MAX}, {0x1000, 0x3ffffff}}, 0x1000, 0x3ffffff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct ixgbe_backend *backend;
		ixgbe_iova first, last;

		fake.ranges = row[i].ranges;
		memcpy(fake.range, row[i].range, sizeof(fake.range));
		backend = fake_vfio_opened();
		backend->ops->dma_range(backend, &first, &last);
		assert_int_equal(first, row[i].first);
		assert_int_equal(last, row[i].last);
		backend->ops->close(backend);
	}
	/* A chain that leads back, or out. */
	fake.ranges = 1;
	for (uint32_t next = 1; next < 4096; next += 7) {
		struct ixgbe_backend *backend;

		fake.cap_next = next;
		backend = fake_vfio_opened();
		backend->ops->close(backend);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, fake_vfio_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(addresses_are_parsed),
		TEST(what_sysfs_forbids_is_explained),
		TEST(each_refusal_is_explained),
		TEST(every_step_that_fails_leaves_nothing),
		TEST(it_opens_and_closes_in_order),
		TEST(registers_are_within_the_bar),
		TEST(configuration_space_is_read_and_written),
		TEST(vectors_get_their_eventfds),
		TEST(memory_is_mapped_and_unmapped),
		TEST(a_good_iova_range_is_chosen),
		TEST(a_device_is_handed_over),
		TEST(what_is_no_device_is_not_taken_over),
	};

	return cmocka_run_group_tests(tests, fake_vfio_begin, fake_vfio_end);
}
