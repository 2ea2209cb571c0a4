/* SPDX-License-Identifier: MIT */
/* What a port does when something fails: it says so, in time, and gives everything back. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "port_rig.h"

static void open_fails(struct rig *rig, const struct ixgbe_options *wanted, int error,
		       const char *text)
{
	struct ixgbe_why why = {""};
	struct ixgbe *nic = NULL;

	assert_int_equal(fake_open(rig->fake, wanted, &nic, &why), error);
	assert_null(nic);
	if (!strstr(why.text, text))
		fail_msg("'%s' does not say '%s'", why.text, text);
	assert_int_equal(rig->fake->closed, 1);
	assert_int_equal(rig->fake->maps, 0);
	assert_int_equal(rig->fake->vectors, 0);
}

static void names_are_checked(void **state)
{
	static const char *const names[] = {"", "eth0", "vfio", "soft", "pci:0000:03:00.0"};
	struct ixgbe_why why;
	struct ixgbe *nic = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		why.text[0] = '\0';
		assert_int_equal(ixgbe_open(names[i], NULL, &nic, &why), -EINVAL);
		assert_non_null(strstr(why.text, "vfio-user:PATH"));
	}
	assert_null(nic);
	assert_int_equal(ixgbe_open("eth0", NULL, &nic, NULL), -EINVAL);
	ixgbe_close(NULL);
}

static void options_are_checked(void **state)
{
	struct rig *rig = *state;

	open_fails(rig, &(struct ixgbe_options){.queues = 17}, -EINVAL, "17 queues");
	rig->fake->closed = 0;
	open_fails(rig, &(struct ixgbe_options){.rx_ring = 63}, -EINVAL, "receive ring of 63");
	rig->fake->closed = 0;
	open_fails(rig, &(struct ixgbe_options){.tx_ring = 8200}, -EINVAL, "transmit ring of 8200");
	rig->fake->closed = 0;
	open_fails(rig, &(struct ixgbe_options){.mtu = 9711}, -EINVAL, "MTU 9711");
}

/* The NIC's largest (8.2.3.8.3, 8.2.3.9.7). */
static void the_largest_rings_are_taken(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &(struct ixgbe_options){.rx_ring = 8192, .tx_ring = 8192});
	assert_int_equal(ixgbe_pool_new(rig->nic, 8193, BUFFER_SIZE, HEADROOM, &rig->pool[0]), 0);
	rig->queues = 1;
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, NULL), 0);
	assert_int_equal(reg(rig, IXGBE_RDLEN), 0x20000);
	assert_int_equal(reg(rig, IXGBE_TDLEN), 0x20000);
}

static void another_device_is_named(void **state)
{
	struct rig *rig = *state;

	rig->fake->config[2] = 0x33;
	rig->fake->config[3] = 0x15;
	open_fails(rig, NULL, -ENODEV, "8086:1533");
}

static void a_device_that_is_gone(void **state)
{
	struct rig *rig = *state;

	rig->fake->gone = true;
	open_fails(rig, NULL, -ENODEV, "does not answer any more");
}

static void a_wrong_checksum(void **state)
{
	struct rig *rig = *state;

	rig->fake->eeprom[0x20] ^= 1;
	open_fails(rig, NULL, -EIO, "checksum");
}

static void an_eeprom_that_lies(void **state)
{
	struct rig *rig = *state;

	/* A section that runs past the end. */
	rig->fake->eeprom[0x03] = FAKE_EEPROM_WORDS - 2;
	rig->fake->eeprom[FAKE_EEPROM_WORDS - 2] = 100;
	open_fails(rig, NULL, -EIO, "EEPROM");
}

static void an_eeprom_without_an_address(void **state)
{
	struct rig *rig = *state;

	fake_force(rig->fake, IXGBE_RAH, IXGBE_RAH_AV, 0);
	memset(&rig->fake->eeprom[0x41], 0, 6);
	fake_eeprom_seal(rig->fake);
	open_fails(rig, NULL, -EIO, "no valid MAC");
}

static void the_address_may_come_from_the_eeprom(void **state)
{
	struct rig *rig = *state;
	uint8_t mac[IXGBE_MAC_BYTES];

	fake_force(rig->fake, IXGBE_RAH, IXGBE_RAH_AV, 0);
	open_with(rig, NULL);
	ixgbe_mac_permanent(rig->nic, mac);
	assert_memory_equal(mac, fake_mac, sizeof(mac));
}

/* Whatever never comes true ends in -ETIMEDOUT, with everything given back. */
static void waits_have_deadlines(void **state)
{
	static const struct {
		uint32_t offset, mask, value;
	} stuck[] = {
		{IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST},   {IXGBE_EEC, IXGBE_EEC_AUTO_RD, 0},
		{IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, 0},     {IXGBE_EERD, IXGBE_EERD_DONE, 0},
		{IXGBE_SWSM, IXGBE_SWSM_SMBI, IXGBE_SWSM_SMBI}, {IXGBE_SWSM, IXGBE_SWSM_SWESMBI, 0},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(stuck) / sizeof(*stuck); i++) {
		fake_force(rig->fake, stuck[i].offset, stuck[i].mask, stuck[i].value);
		open_fails(rig, &options, -ETIMEDOUT, "");
		fake_unforce(rig->fake);
		rig->fake->closed = 0;
	}
}

static void dma_that_does_not_end_is_flushed(void **state)
{
	struct rig *rig = *state;
	size_t at;

	fake_force(rig->fake, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE,
		   IXGBE_STATUS_PCIE_MASTER_ENABLE);
	open_with(rig, &options);
	at = wrote(rig, 0, IXGBE_HLREG0, IXGBE_HLREG0_LPBK, IXGBE_HLREG0_LPBK);
	at = wrote(rig, at, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR,
		   IXGBE_GCR_EXT_BUFFERS_CLEAR);
	at = wrote(rig, at, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR, 0);
	wrote(rig, at, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
	fake_unforce(rig->fake);
}

/* Not even the flush helps while requests are on the bus: then the whole function is reset. */
static void dma_that_cannot_be_flushed_is_reset(void **state)
{
	struct rig *rig = *state;

	fake_force(rig->fake, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE,
		   IXGBE_STATUS_PCIE_MASTER_ENABLE);
	rig->fake->config[0xaa] = 0x20;                               /* transactions pending */
	rig->fake->reg[IXGBE_CTRL_EXT / 4] = IXGBE_CTRL_EXT_DRV_LOAD; /* of a driver that died */
	open_with(rig, &options);
	assert_int_equal(rig->fake->resets, 1);
	wrote(rig, 0, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD, 0);
	assert_true(rig->fake->config[4] & 0x04); /* a bus master all the same */
	fake_unforce(rig->fake);
}

/* The first look takes longer than there is time, and the requests end meanwhile. */
static void slow_look(struct fake *fake, uint32_t offset)
{
	static unsigned int looks;

	if (offset != 0xaa)
		return;
	if (looks++)
		fake->config[0xaa] = 0;
	else
		usleep(150000);
}

static void a_late_look_is_no_timeout(void **state)
{
	struct rig *rig = *state;

	fake_force(rig->fake, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE,
		   IXGBE_STATUS_PCIE_MASTER_ENABLE);
	rig->fake->config[0xaa] = 0x20;
	rig->fake->on_config_read = slow_look;
	open_with(rig, &options);
	assert_int_equal(rig->fake->resets, 0);
	fake_unforce(rig->fake);
}

static void no_vectors_no_port(void **state)
{
	struct rig *rig = *state;

	rig->fake->irq_set_error = -EPERM;
	open_fails(rig, &options, -EPERM, "MSI-X");
}

static void a_start_that_fails_leaves_the_port_as_it_was(void **state)
{
	static const struct {
		uint32_t offset, mask;
		const char *text;
	} stuck[] = {
		{0x01028 + 64, IXGBE_RXDCTL_ENABLE, "receive queue 1"},
		{0x06028 + 64, IXGBE_TXDCTL_ENABLE, "transmit queue 1"},
		{IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY, "receiver"},
	};
	struct rig *rig = *state;
	struct ixgbe_why why;

	open_with(rig, &options);
	start(rig);
	assert_int_equal(ixgbe_stop(rig->nic), 0);
	for (size_t i = 0; i < sizeof(stuck) / sizeof(*stuck); i++) {
		fake_force(rig->fake, stuck[i].offset, stuck[i].mask, 0);
		assert_int_equal(ixgbe_start(rig->nic, rig->pool, &why), -ETIMEDOUT);
		if (!strstr(why.text, stuck[i].text))
			fail_msg("'%s' does not say '%s'", why.text, stuck[i].text);
		fake_unforce(rig->fake);
		assert_false(reg(rig, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN);
		for (uint16_t q = 0; q < options.queues; q++)
			assert_int_equal(ixgbe_pool_available(rig->pool[q]), POOL_COUNT);
	}
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, &why), 0);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, &why), -EBUSY);
}

/* A device that cannot be reset is kept from memory; the next start resets it first. */
static void a_stop_that_fails_is_made_good_by_start(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_why why;

	open_with(rig, &options);
	start(rig);
	fake_force(rig->fake, IXGBE_CTRL, IXGBE_CTRL_RST, IXGBE_CTRL_RST);
	assert_int_equal(ixgbe_stop(rig->nic), -ETIMEDOUT);
	assert_false(rig->fake->config[4] & 0x04);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, &why), -ETIMEDOUT);
	assert_non_null(strstr(why.text, "reset"));
	fake_unforce(rig->fake);
	assert_int_equal(ixgbe_start(rig->nic, rig->pool, &why), 0);
	assert_true(rig->fake->config[4] & 0x04);
	assert_true(reg(rig, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_CRCSTRIP);
}

static void a_link_that_could_not_be_set_is_set_by_the_next_try(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &options);
	fake_force(rig->fake, IXGBE_SWSM, IXGBE_SWSM_SMBI, IXGBE_SWSM_SMBI);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), -ETIMEDOUT);
	fake_unforce(rig->fake);
	assert_int_equal(ixgbe_link_set_admin(rig->nic, true), 0);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, 0), 0);
}

/* A filter change that could not open the receiver again is not the end of reception. */
static void a_receiver_that_stayed_closed_is_opened_by_the_next_try(void **state)
{
	struct rig *rig = *state;

	open_with(rig, &options);
	start(rig);
	fake_force(rig->fake, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY, 0);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, true), -ETIMEDOUT);
	fake_unforce(rig->fake);
	assert_int_equal(ixgbe_promiscuous_set(rig->nic, false), 0);
	assert_true(reg(rig, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN);
}

/* What ails firmware need not ail the EEPROM: the in-kernel driver goes on too. */
static void an_error_of_firmware_is_a_warning(void **state)
{
	struct rig *rig = *state;

	fake_force(rig->fake, IXGBE_FWSM, IXGBE_FWSM_EXT_ERR_IND,
		   IXGBE_FIELD_PREP(IXGBE_FWSM_EXT_ERR_IND, 3));
	open_with(rig, &options);
	fake_unforce(rig->fake);
}

/* The device vanishes while it runs: the end is quick and gives everything back. */
static void surprise_removal(void **state)
{
	struct rig *rig = *state;
	struct ixgbe_link link;

	open_with(rig, &options);
	start(rig);
	rig->fake->gone = true;
	assert_int_equal(ixgbe_link_get(rig->nic, &link), -ENODEV);
	assert_int_equal(ixgbe_link_wait(rig->nic, true, 10000), -ENODEV);
	assert_int_equal(ixgbe_stop(rig->nic), -ENODEV);
	for (uint16_t q = 0; q < options.queues; q++)
		assert_int_equal(ixgbe_pool_available(rig->pool[q]), POOL_COUNT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, control_setup, control_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_checked),
		TEST(options_are_checked),
		TEST(the_largest_rings_are_taken),
		TEST(another_device_is_named),
		TEST(a_device_that_is_gone),
		TEST(a_wrong_checksum),
		TEST(an_eeprom_that_lies),
		TEST(an_eeprom_without_an_address),
		TEST(the_address_may_come_from_the_eeprom),
		TEST(waits_have_deadlines),
		TEST(dma_that_does_not_end_is_flushed),
		TEST(dma_that_cannot_be_flushed_is_reset),
		TEST(a_late_look_is_no_timeout),
		TEST(no_vectors_no_port),
		TEST(a_start_that_fails_leaves_the_port_as_it_was),
		TEST(a_stop_that_fails_is_made_good_by_start),
		TEST(a_link_that_could_not_be_set_is_set_by_the_next_try),
		TEST(a_receiver_that_stayed_closed_is_opened_by_the_next_try),
		TEST(an_error_of_firmware_is_a_warning),
		TEST(surprise_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
