/* SPDX-License-Identifier: MIT */
/* A kept device over the kernel's VFIO, as the test plays it, begins anew and stays open. */
#include "fake_vfio.h"
#include "ixgbe/device/device.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

static struct ixgbe_device *kept(void)
{
	static const struct ixgbe_options options = {.rx_ring = 64, .tx_ring = 64};
	static const struct ixgbe_pool_plan pool = {128, 2048, 0};
	struct ixgbe_device *device = NULL;

	memcpy(fake.config, "\x86\x80\xfb\x10", 4);
	assert_int_equal(
		device_keep(fake_vfio_opened(), &options, &pool, 1, &device, &fake_vfio_why), 0);
	assert_int_equal(ixgbe_device_bus_master_set(device, true), 0);
	fake.log[0] = '\0';
	return device;
}

static void a_reset_leaves_the_device_open(void **state)
{
	struct ixgbe_device *device = kept();
	const uint32_t maps = fake.dma_maps;

	(void)state;
	assert_int_equal(fake.config[PCI_COMMAND], PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fake.reset_takes = true;
	assert_int_equal(ixgbe_device_reset(device, &fake_vfio_why), 0);
	assert_string_equal(fake.log, "reset"); /* nothing was closed or unmapped */
	assert_int_equal(fake.dma_maps, maps);
	assert_int_equal(fake.command_at_reset, PCI_COMMAND_MEMORY);
	assert_int_equal(fake.config[PCI_COMMAND], PCI_COMMAND_MEMORY);
	assert_int_equal(fake.irqs, 2);
	/* A kernel that puts everything back. */
	fake.reset_takes = false;
	assert_int_equal(ixgbe_device_bus_master_set(device, true), 0);
	assert_int_equal(ixgbe_device_reset(device, &fake_vfio_why), 0);
	assert_int_equal(fake.config[PCI_COMMAND], PCI_COMMAND_MEMORY);
	assert_int_equal(fake.irqs, 2);
	fake.fail_request = VFIO_DEVICE_RESET;
	fake.fail_error = ENOTTY;
	assert_int_equal(ixgbe_device_reset(device, &fake_vfio_why), -ENOTTY);
	fake.fail_request = 0;
	ixgbe_device_close(device);
	fake_vfio_nothing_left();
}

static void memory_is_mapped_anew(void **state)
{
	struct ixgbe_device *device = kept();
	const uint32_t maps = fake.dma_maps;
	const uint64_t left = fake.memlock_left;

	(void)state;
	assert_int_equal(ixgbe_device_reset(device, &fake_vfio_why), 0);
	assert_int_equal(ixgbe_device_memory_replace(device, &fake_vfio_why), 0);
	assert_int_equal(fake.dma_maps, maps);
	assert_int_equal(fake.memlock_left, left);
	fake.unmap_refused = true;
	assert_int_equal(ixgbe_device_memory_replace(device, &fake_vfio_why), -EPERM);
	fake.unmap_refused = false;
	/* Half of it: the device can be closed all the same. */
	fake.fail_request = VFIO_IOMMU_MAP_DMA;
	fake.fail_error = ENOMEM;
	assert_int_equal(ixgbe_device_memory_replace(device, &fake_vfio_why), -ENOMEM);
	fake.fail_request = 0;
	assert_int_equal(fake.dma_maps, maps - 1);
	fake.dma_maps++; /* unmapped for a second time */
	ixgbe_device_close(device);
	fake_vfio_nothing_left();
}

#define TEST(f) cmocka_unit_test_setup(f, fake_vfio_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reset_leaves_the_device_open),
		TEST(memory_is_mapped_anew),
	};

	return cmocka_run_group_tests(tests, fake_vfio_begin, fake_vfio_end);
}
