/* SPDX-License-Identifier: MIT */
/* The function as a kernel enumerates it: identity, BARs, capabilities, reset. */
#include "harness.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "ixgbe/vfio_user/vfio_user.h"

static int setup(void **state)
{
	static const struct model_options options = {.mac = "00:1b:21:0a:0b:0c"};

	return model_start(state, &options);
}

/* Where a capability is, by its chain; 0: nowhere. Fails on a chain that does not end. */
static uint32_t capability(struct model *m, uint32_t id)
{
	uint32_t at = model_config_read(m, PCI_CAPABILITY_LIST, 1);

	for (int steps = 0; at != 0; steps++) {
		assert_in_range(steps, 0, 47);
		assert_true(at >= 0x40 && at % 4 == 0);
		if (model_config_read(m, at, 1) == id)
			return at;
		at = model_config_read(m, at + 1, 1);
	}
	return 0;
}

static uint32_t extended_capability(struct model *m, uint32_t id)
{
	uint32_t at = 0x100;

	for (int steps = 0; at != 0; steps++) {
		uint32_t header = model_config_read(m, at, 4);

		assert_in_range(steps, 0, 959);
		assert_true(at >= 0x100 && at % 4 == 0);
		if (PCI_EXT_CAP_ID(header) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

static void test_identity(void **state)
{
	struct model *m = *state;

	assert_int_equal(model_config_read(m, PCI_VENDOR_ID, 4), 0x10fb8086);
	assert_int_equal(model_config_read(m, PCI_CLASS_REVISION, 4), 0x02000001);
	assert_int_equal(model_config_read(m, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
	assert_int_equal(model_config_read(m, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x00038086);
	assert_int_equal(model_config_read(m, PCI_INTERRUPT_PIN, 1), 1);
	assert_true(model_config_read(m, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	assert_int_equal(model_config_read(m, PCI_ROM_ADDRESS, 4), 0);
}

/* What a kernel learns by writing all ones. */
static void test_bar_sizes(void **state)
{
	struct model *m = *state;
	static const struct {
		uint32_t bar;
		uint32_t flags;
		uint64_t size;
	} want[] = {
		{0, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH, 0x80000},
		{2, PCI_BASE_ADDRESS_SPACE_IO, 32},
		{4, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH, 0x4000},
	};

	for (size_t i = 0; i < 3; i++) {
		uint32_t at = PCI_BASE_ADDRESS_0 + 4 * want[i].bar;
		bool io = want[i].flags & PCI_BASE_ADDRESS_SPACE_IO;
		uint32_t flags = io ? 0x3 : 0xf;

		model_config_write(m, at, 4, 0xffffffff);
		uint32_t low = model_config_read(m, at, 4);

		assert_int_equal(low & flags, want[i].flags);
		assert_int_equal(~(low & ~flags) + 1, want[i].size);
		if (io)
			continue;
		model_config_write(m, at + 4, 4, 0xffffffff);
		assert_int_equal(model_config_read(m, at + 4, 4), 0xffffffff);
	}
	model_config_write(m, PCI_BASE_ADDRESS_3, 4, 0xffffffff);
	assert_int_equal(model_config_read(m, PCI_BASE_ADDRESS_3, 4), 0);
}

static void test_write_masks(void **state)
{
	struct model *m = *state;

	model_config_write(m, PCI_VENDOR_ID, 4, 0);
	assert_int_equal(model_config_read(m, PCI_VENDOR_ID, 4), 0x10fb8086);
	model_config_write(m, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(model_config_read(m, PCI_COMMAND, 2), 0x0547);
	model_config_write(m, PCI_COMMAND + 1, 1, 0); /* one byte lane */
	assert_int_equal(model_config_read(m, PCI_COMMAND, 2), 0x0047);
	model_config_write(m, PCI_INTERRUPT_LINE, 2, 0xffff);
	assert_int_equal(model_config_read(m, PCI_INTERRUPT_LINE, 2), 0x01ff);
	model_config_write(m, 0xffc, 4, 0xffffffff);
	assert_int_equal(model_config_read(m, 0xffc, 4), 0);
}

/* The in-kernel driver reads these three by address. */
static void test_capabilities(void **state)
{
	struct model *m = *state;

	assert_int_equal(capability(m, PCI_CAP_ID_PM), 0x40);
	assert_int_equal(capability(m, PCI_CAP_ID_MSI), 0x50);
	assert_int_equal(capability(m, PCI_CAP_ID_MSIX), 0x70);
	assert_int_equal(capability(m, PCI_CAP_ID_EXP), 0xa0);
	assert_int_equal(capability(m, PCI_CAP_ID_VPD), 0);

	assert_int_equal(model_config_read(m, 0x72, 2), 63);     /* 64 vectors, off */
	assert_int_equal(model_config_read(m, 0x74, 4), 4);      /* table: BAR 4, 0 */
	assert_int_equal(model_config_read(m, 0x78, 4), 0x2004); /* PBA: BAR 4, 0x2000 */

	uint32_t status = model_config_read(m, 0xb2, 2);

	assert_int_equal(status & PCI_EXP_LNKSTA_CLS, PCI_EXP_LNKSTA_CLS_5_0GB);
	assert_int_equal(status & PCI_EXP_LNKSTA_NLW, PCI_EXP_LNKSTA_NLW_X8);
	assert_true(model_config_read(m, 0xa4, 4) & PCI_EXP_DEVCAP_FLR);
	assert_int_equal(model_config_read(m, 0xa2, 2) & PCI_EXP_FLAGS_VERS, 2);
	assert_false(model_config_read(m, 0xaa, 2) & PCI_EXP_DEVSTA_TRPND);
}

static void test_extended_capabilities(void **state)
{
	struct model *m = *state;
	uint32_t aer = extended_capability(m, PCI_EXT_CAP_ID_ERR);
	uint32_t dsn = extended_capability(m, PCI_EXT_CAP_ID_DSN);

	assert_int_equal(aer, 0x100);
	assert_int_equal(model_config_read(m, aer + PCI_ERR_UNCOR_SEVER, 4), 0x00062010);
	/* As lspci prints it: 00-1b-21-ff-ff-0a-0b-0c */
	assert_int_equal(model_config_read(m, dsn + 4, 4), 0xff0a0b0c);
	assert_int_equal(model_config_read(m, dsn + 8, 4), 0x001b21ff);
	assert_int_equal(extended_capability(m, PCI_EXT_CAP_ID_SRIOV), 0);
}

static void test_whole_space_in_one_read(void **state)
{
	struct model *m = *state;
	uint8_t space[4096];

	assert_int_equal(model_region_read(m, VFIO_PCI_CONFIG_REGION_INDEX, 0, space, 4096), 0);
	assert_int_equal(space[0] | space[1] << 8, 0x8086);
	assert_int_equal(model_region_read(m, VFIO_PCI_CONFIG_REGION_INDEX, 4095, space, 2),
			 -EINVAL);
}

static void test_flr(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_LEDCTL, 0x01010101);
	model_config_write(m, PCI_BASE_ADDRESS_0, 4, 0xf0000000);
	assert_int_equal(model_read(m, IXGBE_LEDCTL), 0x01010101);

	model_config_write(m, 0xa8, 2, 0x2810 | PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(model_config_read(m, 0xa8, 2), 0x2810); /* clears itself */
	assert_int_equal(model_config_read(m, PCI_COMMAND, 2), 0);
	assert_int_equal(model_config_read(m, PCI_BASE_ADDRESS_0, 4), 0x0c);
	assert_int_not_equal(model_read(m, IXGBE_LEDCTL), 0x01010101);
}

/* D3hot and back is a reset for a function without No_Soft_Reset. */
static void test_power_states(void **state)
{
	struct model *m = *state;

	assert_false(model_config_read(m, 0x44, 2) & PCI_PM_CTRL_NO_SOFT_RESET);
	model_config_write(m, PCI_BASE_ADDRESS_0, 4, 0xf0000000);
	model_config_write(m, 0x44, 2, 3);
	assert_int_equal(model_config_read(m, 0x44, 2) & PCI_PM_CTRL_STATE_MASK, 3);
	assert_int_equal(model_config_read(m, PCI_BASE_ADDRESS_0, 4), 0xf000000c);
	model_config_write(m, 0x44, 2, 0);
	assert_int_equal(model_config_read(m, 0x44, 2) & PCI_PM_CTRL_STATE_MASK, 0);
	assert_int_equal(model_config_read(m, PCI_BASE_ADDRESS_0, 4), 0x0c);
}

/* The message of DEVICE_RESET leaves the configuration space, as the kernel's VFIO does. */
static void test_reset_by_message(void **state)
{
	struct model *m = *state;

	model_config_write(m, PCI_BASE_ADDRESS_0, 4, 0xf0000000);
	model_write(m, IXGBE_LEDCTL, 0x01010101);
	model_reset(m);
	assert_int_equal(model_config_read(m, PCI_BASE_ADDRESS_0, 4), 0xf000000c);
	assert_int_equal(model_config_read(m, PCI_COMMAND, 2), 0x0006);
	assert_int_not_equal(model_read(m, IXGBE_LEDCTL), 0x01010101);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_bar_sizes),
		TEST(test_write_masks),
		TEST(test_capabilities),
		TEST(test_extended_capabilities),
		TEST(test_whole_space_in_one_read),
		TEST(test_flr),
		TEST(test_power_states),
		TEST(test_reset_by_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
