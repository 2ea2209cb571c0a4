/* SPDX-License-Identifier: MIT */
/* The module in the cage: its bus, what it is taken for, how it is set up. */
#include <errno.h>
#include <string.h>

#include "port_rig.h"

/* Bytes 0, 3 and 8 of SFF-8472. */
static void module_insert(struct rig *rig, uint8_t identifier, uint8_t codes, uint8_t cable)
{
	rig->fake->sfp.present = true;
	rig->fake->sfp.page[0] = identifier;
	rig->fake->sfp.page[3] = codes;
	rig->fake->sfp.page[8] = cable;
}

static void modules_are_told_apart(void **state)
{
	static const struct {
		uint8_t identifier, codes, cable;
		enum ixgbe_sfp sfp;
	} modules[] = {
		{0x03, 0x10, 0x00, IXGBE_SFP_SR},    {0x03, 0x20, 0x00, IXGBE_SFP_LR},
		{0x03, 0x00, 0x04, IXGBE_SFP_DA},    {0x03, 0x00, 0x08, IXGBE_SFP_DA},
		{0x03, 0x00, 0x00, IXGBE_SFP_OTHER}, {0x0d, 0x10, 0x00, IXGBE_SFP_OTHER},
	};
	struct rig *rig = *state;

	open_with(rig, &options);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_NONE);
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		module_insert(rig, modules[i].identifier, modules[i].codes, modules[i].cable);
		rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
		assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
		assert_int_equal(ixgbe_sfp_type(rig->nic), modules[i].sfp);
	}
	rig->fake->sfp.present = false;
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_NONE);
}

static void the_checksum_is_read_once_for_each_module(void **state)
{
	struct rig *rig = *state;
	size_t before;

	open_with(rig, &options);
	assert_int_equal(ixgbe_sfp_sum_check(rig->nic), 0);
	assert_int_equal(ixgbe_sfp_sum(rig->nic), IXGBE_SFP_SUM_UNREAD);
	for (uint8_t wrong = 0; wrong < 2; wrong++) {
		module_insert(rig, 0x03, 0x10, 0x00);
		rig->fake->sfp.page[62] = 0xfe;
		rig->fake->sfp.page[63] = (uint8_t)(0x03 + 0x10 + 0xfe + wrong);
		rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
		assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
		assert_int_equal(ixgbe_sfp_sum(rig->nic), IXGBE_SFP_SUM_UNREAD);
		assert_int_equal(ixgbe_sfp_sum_check(rig->nic), 0);
		assert_int_equal(ixgbe_sfp_sum(rig->nic),
				 wrong ? IXGBE_SFP_SUM_WRONG : IXGBE_SFP_SUM_RIGHT);
	}
	before = rig->fake->log_count;
	assert_int_equal(ixgbe_sfp_sum_check(rig->nic), 0);
	assert_int_equal(rig->fake->log_count, before);
	rig->fake->gone = true;
	rig->nic->kept->sfp_sum = IXGBE_SFP_SUM_UNREAD;
	assert_int_equal(ixgbe_sfp_sum_check(rig->nic), -ENODEV);
	rig->fake->gone = false;
}

/* Software clarification 3 in ixgbe/ERRATA.md: a write is read back before time is counted, or the
 * bus may bring two of them to the pins at once. */
static void writes_to_the_wires_are_read_back(void **state)
{
	struct rig *rig = *state;
	uint32_t wires = 0;

	open_with(rig, &options);
	module_insert(rig, 0x03, 0x10, 0x00);
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	for (size_t i = 0; i + 1 < rig->fake->log_count; i++) {
		const struct fake_access *access = &rig->fake->log[i];

		if (!access->write || access->offset != IXGBE_I2CCTL)
			continue;
		wires++;
		assert_false(access[1].write);
	}
	assert_true(wires > 100);
}

/* Holds the clock low for some reads after the driver has let go of it. */
static void clock_is_stretched(struct fake *fake, uint32_t offset, uint32_t *value)
{
	uint32_t *reads = fake->ctx;

	if (offset != IXGBE_I2CCTL)
		return;
	*reads = fake->sfp.clock ? *reads + 1 : 0;
	if (*reads < 6)
		*value &= ~IXGBE_I2CCTL_CLK_IN;
}

/* In a start and a stop, too: the data line may move only when the clock is high at the module. */
static void a_stretched_clock_is_waited_for(void **state)
{
	struct rig *rig = *state;
	uint32_t reads = 0, rises = 0;
	bool high = false, seen = false;

	open_with(rig, &options);
	module_insert(rig, 0x03, 0x10, 0x00);
	rig->fake->ctx = &reads;
	rig->fake->on_read = clock_is_stretched;
	rig->fake->log_count = 0;
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	for (size_t i = 0; i < rig->fake->log_count; i++) {
		const struct fake_access *access = &rig->fake->log[i];
		bool up = access->value & IXGBE_I2CCTL_CLK_OUT;

		if (access->offset != IXGBE_I2CCTL)
			continue;
		if (!access->write) {
			seen |= access->value & IXGBE_I2CCTL_CLK_IN;
			continue;
		}
		assert_true(seen || !high);
		if (up && !high) {
			seen = false;
			rises++;
		}
		high = up;
	}
	assert_true(rises > 100);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_SR);
	rig->fake->on_read = NULL;
}

/* It appears on the bus after the third try to read it. */
static void module_wakes_up(struct fake *fake, uint32_t offset, uint32_t *value)
{
	uint32_t *tries = fake->ctx;

	(void)value;
	if (offset == IXGBE_SW_FW_SYNC && ++*tries == 6)
		fake->sfp.present = true;
}

/* A module may take 300 ms from the cage to its first answer (SFF-8431). */
static void a_module_that_wakes_up_is_waited_for(void **state)
{
	struct rig *rig = *state;
	uint32_t tries = 0;

	open_with(rig, &options);
	module_insert(rig, 0x03, 0x10, 0x00);
	rig->fake->sfp.present = false;
	rig->fake->ctx = &tries;
	rig->fake->on_read = module_wakes_up;
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	assert_int_equal(ixgbe_sfp_type(rig->nic), IXGBE_SFP_SR);
	rig->fake->on_read = NULL;
}

/* Optics for 1 and 10 Gb/s are told by a pin, RS0 on SDP5, which of the two. */
static void optics_of_two_rates_are_set_to_ten(void **state)
{
	const uint32_t pin = IXGBE_ESDP_SDP5_IODIR | IXGBE_ESDP_SDP5_DATA;
	struct rig *rig = *state;
	size_t from;

	module_insert(rig, 0x03, 0x10, 0x00);
	open_with(rig, &options);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_true(never_wrote(rig, IXGBE_ESDP, pin, pin)); /* the board's, otherwise */

	rig->fake->sfp.page[6] = 0x01; /* 1000BASE-SX as well */
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
	from = rig->fake->log_count;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	from = wrote(rig, from, IXGBE_ESDP, pin, pin);
	wrote(rig, from, IXGBE_AUTOC, IXGBE_AUTOC_RESTART_AN, IXGBE_AUTOC_RESTART_AN);
}

/* A copper cable: its own words of the EEPROM, and the transmitter off for want of a laser. */
static void a_copper_cable_is_set_up(void **state)
{
	static const uint16_t list[] = {0, 5, 0x90, 3, 0x98, 0xffff};
	static const uint16_t optical[] = {0, 0x1111, 0xffff},
			      copper[] = {0, 0x2222, 0x3333, 0xffff};
	struct rig *rig = *state;
	size_t at;

	module_insert(rig, 0x03, 0x00, 0x04);
	rig->fake->eeprom[0x2b] = 0x80;
	memcpy(&rig->fake->eeprom[0x80], list, sizeof(list));
	memcpy(&rig->fake->eeprom[0x90], optical, sizeof(optical));
	memcpy(&rig->fake->eeprom[0x98], copper, sizeof(copper));
	fake_eeprom_seal(rig->fake);
	open_with(rig, &options);

	at = wrote(rig, 0, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_MAC_CSR,
		   IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	at = wrote(rig, at, IXGBE_CORECTL, UINT32_MAX, 0x2222);
	wrote(rig, at, IXGBE_CORECTL, UINT32_MAX, 0x3333);
	assert_true(never_wrote(rig, IXGBE_CORECTL, UINT32_MAX, 0x1111));

	/* An active limiting one is set up like optics (byte 60, bit 2). */
	at = rig->fake->log_count;
	module_insert(rig, 0x03, 0x00, 0x08);
	rig->fake->sfp.page[60] = 0x04;
	rig->fake->reg[IXGBE_EICR / 4] = IXGBE_EICR_GPI_SDP2;
	assert_int_equal(ixgbe_irq_other_handle(rig->nic), IXGBE_EVENT_SFP);
	wrote(rig, at, IXGBE_CORECTL, UINT32_MAX, 0x1111);
	assert_true(reg(rig, IXGBE_AUTOC2) & IXGBE_AUTOC2_LINK_DISABLE);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_false(reg(rig, IXGBE_AUTOC2) & IXGBE_AUTOC2_LINK_DISABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, control_setup, control_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(modules_are_told_apart),
		TEST(the_checksum_is_read_once_for_each_module),
		TEST(writes_to_the_wires_are_read_back),
		TEST(a_stretched_clock_is_waited_for),
		TEST(a_module_that_wakes_up_is_waited_for),
		TEST(optics_of_two_rates_are_set_to_ten),
		TEST(a_copper_cable_is_set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
