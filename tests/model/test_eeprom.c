/* SPDX-License-Identifier: MIT */
/*
 * The EEPROM as drivers walk it: EERD, the checksum over words and sections, the pointers that
 * drivers follow, and the semaphores beside it.
 */
#include "harness.h"

static int setup(void **state)
{
	const struct model_options options = {.mac = "02:11:22:33:44:55"};

	return model_start(state, &options);
}

static int teardown(void **state)
{
	return model_stop(state);
}

static uint16_t word(struct model *m, uint32_t address)
{
	uint32_t eerd;

	model_write(m, IXGBE_EERD, IXGBE_FIELD_PREP(IXGBE_EERD_ADDR, address) | IXGBE_EERD_START);
	eerd = model_wait(m, IXGBE_EERD, IXGBE_EERD_DONE, IXGBE_EERD_DONE);
	return (uint16_t)IXGBE_FIELD_GET(IXGBE_EERD_DATA, eerd);
}

static bool valid(uint16_t pointer)
{
	return pointer != 0 && pointer != 0xffff;
}

static uint16_t sum(struct model *m)
{
	uint16_t total = 0;

	for (uint32_t i = 0; i <= 0x3f; i++)
		total = (uint16_t)(total + word(m, i));
	for (uint32_t i = 0x03; i <= 0x0e; i++) {
		uint16_t at = word(m, i), len;

		if (!valid(at))
			continue;
		len = word(m, at);
		for (uint32_t j = 1; valid(len) && j <= len; j++)
			total = (uint16_t)(total + word(m, at + j));
	}
	return total;
}

static void eec_shows_a_loaded_eeprom(void **state)
{
	uint32_t eec = model_read(*state, IXGBE_EEC);

	assert_true(eec & IXGBE_EEC_PRES);
	assert_true(eec & IXGBE_EEC_AUTO_RD);
	assert_int_equal(1u << (6 + IXGBE_FIELD_GET(IXGBE_EEC_SIZE, eec)), 1024);
	assert_true(model_read(*state, IXGBE_EEMNGCTL) & IXGBE_EEMNGCTL_CFG_DONE0);
}

static void checksum_is_valid(void **state)
{
	assert_int_equal(sum(*state), 0xbaba);
}

static void address_is_in_both_places(void **state)
{
	uint16_t core = word(*state, 0x09);

	assert_int_equal(word(*state, core + 1u), 0x1102);
	assert_int_equal(word(*state, core + 2u), 0x3322);
	assert_int_equal(word(*state, core + 3u), 0x5544);
	assert_int_equal(model_read(*state, IXGBE_RAL), 0x33221102);
	assert_int_equal(model_read(*state, IXGBE_RAH), 0x80005544);
}

/* Module types 5 (optical, port 0) and the others end in words for CORECTL, ended by 0xffff. */
static void modules_have_an_initialization(void **state)
{
	uint32_t list = word(*state, 0x2b), at;
	bool found = false;

	assert_true(valid((uint16_t)list));
	for (at = list + 1; word(*state, at) != 0xffff; at += 2) {
		uint16_t data = word(*state, at + 1);
		uint32_t i = 1;

		assert_true(at < list + 32);
		found |= word(*state, at) == 5;
		assert_true(valid(data));
		while (word(*state, data + i) != 0xffff)
			assert_true(++i < 64);
	}
	assert_true(found);
}

/* Above 5, or drivers call the adapter a prototype; and no firmware manages the link. */
static void firmware_version_is_recent(void **state)
{
	uint16_t firmware = word(*state, 0x0f);
	uint16_t patch;

	assert_true(valid(firmware));
	assert_false(valid(word(*state, firmware + 2u)));
	patch = word(*state, firmware + 4u);
	assert_true(valid(patch));
	assert_true(word(*state, patch + 7u) > 5 && word(*state, patch + 7u) != 0xffff);
}

static void identity_words_are_there(void **state)
{
	uint16_t orom = word(*state, 0x17), san = word(*state, 0x28);

	assert_true(word(*state, 0x2c) & 1); /* any module is welcome */
	assert_true(word(*state, 0x2e) & 0x8000);
	assert_true(valid(orom) && valid(word(*state, orom + 0x83u)));
	assert_true(valid(san));
	assert_int_equal(word(*state, san), 0x1102);
	assert_int_equal(word(*state, san + 1u), 0x3322 ^ 0x8000);
}

static void reads_beyond_the_end_are_ones(void **state)
{
	assert_int_equal(word(*state, 1024), 0xffff);
	assert_int_equal(word(*state, 0x3fff), 0xffff);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
}

static void start_before_done_is_a_violation(void **state)
{
	model_write(*state, IXGBE_EERD, IXGBE_EERD_START);
	model_write(*state, IXGBE_EERD, IXGBE_EERD_START | 4);
	model_read(*state, IXGBE_EERD);
	assert_int_equal(model_control_int(*state, "violations", "counts.EERD_BUSY"), 1);
}

static void a_written_word_stays_and_shows_in_the_sum(void **state)
{
	uint16_t old = word(*state, 0x18);

	model_write(*state, IXGBE_EEWR,
		    IXGBE_FIELD_PREP(IXGBE_EEWR_DATA, old + 1u) |
			    IXGBE_FIELD_PREP(IXGBE_EEWR_ADDR, 0x18) | IXGBE_EEWR_START);
	model_wait(*state, IXGBE_EEWR, IXGBE_EEWR_DONE, IXGBE_EEWR_DONE);
	model_reset(*state);
	assert_int_equal(word(*state, 0x18), old + 1);
	assert_int_equal(sum(*state), 0xbabb);
}

static void pins_are_granted(void **state)
{
	model_set(*state, IXGBE_EEC, IXGBE_EEC_REQ);
	assert_true(model_read(*state, IXGBE_EEC) & IXGBE_EEC_GNT);
	model_clear(*state, IXGBE_EEC, IXGBE_EEC_REQ);
	assert_false(model_read(*state, IXGBE_EEC) & IXGBE_EEC_GNT);
	model_set(*state, IXGBE_FLA, IXGBE_FLA_REQ);
	assert_true(model_read(*state, IXGBE_FLA) & IXGBE_FLA_GNT);
}

static void semaphores_are_taken_and_given(void **state)
{
	struct model *m = *state;

	assert_false(model_read(m, IXGBE_SWSM) & IXGBE_SWSM_SMBI); /* this read takes it */
	assert_true(model_read(m, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
	model_set(m, IXGBE_SWSM, IXGBE_SWSM_SWESMBI);
	assert_true(model_read(m, IXGBE_SWSM) & IXGBE_SWSM_SWESMBI);
	model_write(m, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_PHY0);
	assert_int_equal(model_read(m, IXGBE_SW_FW_SYNC), IXGBE_SW_FW_SYNC_SW_PHY0);
	model_write(m, IXGBE_SW_FW_SYNC, 0);
	model_write(m, IXGBE_SWSM, 0);
	assert_false(model_read(m, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
}

static void sync_without_the_semaphore_is_a_violation(void **state)
{
	model_write(*state, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_PHY0);
	model_read(*state, IXGBE_SW_FW_SYNC);
	assert_int_equal(model_control_int(*state, "violations", "counts.SEMAPHORE"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(eec_shows_a_loaded_eeprom, setup, teardown),
		cmocka_unit_test_setup_teardown(checksum_is_valid, setup, teardown),
		cmocka_unit_test_setup_teardown(address_is_in_both_places, setup, teardown),
		cmocka_unit_test_setup_teardown(modules_have_an_initialization, setup, teardown),
		cmocka_unit_test_setup_teardown(firmware_version_is_recent, setup, teardown),
		cmocka_unit_test_setup_teardown(identity_words_are_there, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_beyond_the_end_are_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(start_before_done_is_a_violation, setup, teardown),
		cmocka_unit_test_setup_teardown(a_written_word_stays_and_shows_in_the_sum, setup,
						teardown),
		cmocka_unit_test_setup_teardown(pins_are_granted, setup, teardown),
		cmocka_unit_test_setup_teardown(semaphores_are_taken_and_given, setup, teardown),
		cmocka_unit_test_setup_teardown(sync_without_the_semaphore_is_a_violation, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
