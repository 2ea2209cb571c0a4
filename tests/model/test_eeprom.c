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

static void checksum_can_be_wrong(void **state)
{
	json_decref(model_control(*state, "fault eeprom-sum"));
	assert_int_not_equal(sum(*state), 0xbaba);
	json_decref(model_control(*state, "fault clear eeprom-sum"));
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

/* ---- The memory's own pins, as drivers write it ---- */

enum { SPI_WRITE = 2, SPI_READ = 3, SPI_RDSR = 5, SPI_WREN = 6 };

/* With the read that brings the write to its end. */
static uint32_t spi_pins(struct model *m, uint32_t pins)
{
	model_write(m, IXGBE_EEC, IXGBE_EEC_REQ | pins);
	return model_read(m, IXGBE_EEC);
}

static void spi_select(struct model *m, bool selected)
{
	spi_pins(m, selected ? 0 : IXGBE_EEC_CS);
}

static uint8_t spi_byte(struct model *m, uint8_t out)
{
	uint8_t in = 0;

	for (int i = 7; i >= 0; i--) {
		uint32_t pins = out >> i & 1 ? IXGBE_EEC_DI : 0;

		spi_pins(m, pins);
		in = (uint8_t)(in << 1 | !!(spi_pins(m, pins | IXGBE_EEC_SK) & IXGBE_EEC_DO));
		spi_pins(m, pins);
	}
	return in;
}

static void spi_begin(struct model *m, uint8_t opcode, uint32_t word_address)
{
	spi_select(m, false);
	spi_select(m, true);
	spi_byte(m, opcode);
	if (opcode != SPI_READ && opcode != SPI_WRITE)
		return;
	spi_byte(m, (uint8_t)(word_address * 2 >> 8));
	spi_byte(m, (uint8_t)(word_address * 2));
}

static void spi_read(struct model *m, uint32_t address, uint16_t *to, uint32_t words)
{
	spi_begin(m, SPI_READ, address);
	while (words--) {
		*to = spi_byte(m, 0);
		*to++ |= (uint16_t)(spi_byte(m, 0) << 8);
	}
	spi_select(m, false);
}

static void spi_write(struct model *m, uint32_t address, const uint16_t *words, uint32_t count)
{
	spi_begin(m, SPI_WRITE, address);
	for (uint32_t i = 0; i < count; i++) {
		spi_byte(m, (uint8_t)words[i]);
		spi_byte(m, (uint8_t)(words[i] >> 8));
	}
	spi_select(m, false);
}

static void pins_read_what_eerd_reads(void **state)
{
	uint16_t words[0x40];

	spi_read(*state, 0, words, 0x40);
	for (uint32_t i = 0; i < 0x40; i++)
		assert_int_equal(words[i], word(*state, i));
	spi_read(*state, 1023, words, 2); /* and round the end */
	assert_int_equal(words[0], word(*state, 1023));
	assert_int_equal(words[1], word(*state, 0));
}

static void pins_write_by_pages_and_with_permission(void **state)
{
	uint16_t words[18];

	for (uint16_t i = 0; i < 18; i++)
		words[i] = (uint16_t)(0x1000 + i);
	spi_write(*state, 0x300, words, 1);
	assert_int_equal(word(*state, 0x300), 0xffff); /* not permitted */
	spi_begin(*state, SPI_WREN, 0);
	spi_begin(*state, SPI_RDSR, 0);
	assert_int_equal(spi_byte(*state, 0), 2);
	spi_write(*state, 0x300, words, 18); /* 16 words are a page: it wraps */
	assert_int_equal(word(*state, 0x300), 0x1010);
	assert_int_equal(word(*state, 0x301), 0x1011);
	assert_int_equal(word(*state, 0x302), 0x1002);
	assert_int_equal(word(*state, 0x30f), 0x100f);
	assert_int_equal(word(*state, 0x310), 0xffff);
	spi_begin(*state, SPI_RDSR, 0);
	assert_int_equal(spi_byte(*state, 0), 0); /* permits one write */
}

/* Software clarification 3: the bus may bring both to the memory at once. */
static void pins_moved_twice_without_a_read_are_a_violation(void **state)
{
	struct model *m = *state;
	uint16_t value;

	spi_read(m, 0x20, &value, 1);
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
	spi_begin(m, SPI_READ, 0x20);
	model_write(m, IXGBE_EEC, IXGBE_EEC_REQ | IXGBE_EEC_SK);
	model_write(m, IXGBE_EEC, IXGBE_EEC_REQ);
	model_write(m, IXGBE_EEC, IXGBE_EEC_REQ); /* moves nothing */
	assert_int_equal(model_control_int(m, "violations", "counts.WIRES_UNREAD"), 1);
	model_read(m, IXGBE_STATUS);
	assert_int_equal(spi_byte(m, 0), 0); /* it waits for an opcode again */
	spi_read(m, 0x20, &value, 1);
	assert_int_equal(value, word(m, 0x20));
	assert_int_equal(model_control_int(m, "violations", "total"), 1);
}

static void pins_without_a_request_do_nothing(void **state)
{
	model_write(*state, IXGBE_EEC, 0);
	for (int i = 0; i < 64; i++) {
		model_write(*state, IXGBE_EEC, IXGBE_EEC_SK | IXGBE_EEC_DI);
		assert_false(model_read(*state, IXGBE_EEC) & IXGBE_EEC_DO);
		model_write(*state, IXGBE_EEC, 0);
	}
}

/* Drivers log an error every second or two unless FWSM says that firmware runs well, and one that
 * talks to it acknowledges its last reset first. */
static void firmware_is_well_and_manages_nothing(void **state)
{
	uint32_t fwsm = model_read(*state, IXGBE_FWSM);

	assert_true(fwsm & IXGBE_FWSM_FW_VALID);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_FWSM_FW_MODE, fwsm), IXGBE_FWSM_FW_MODE_NONE);
	assert_int_equal(fwsm & IXGBE_FWSM_EXT_ERR_IND, 0);
	model_set(*state, IXGBE_FWSTS, IXGBE_FWSTS_FWRI);
	assert_int_equal(model_read(*state, IXGBE_FWSTS), 0);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
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
	model_write(m, IXGBE_SWSM, IXGBE_SWSM_SMBI); /* only reading takes it */
	assert_false(model_read(m, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
}

static void sync_without_the_semaphore_is_a_violation(void **state)
{
	static const char counts[] = "counts.SEMAPHORE";

	model_write(*state, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_PHY0);
	assert_int_equal(model_control_int(*state, "violations", counts), 1);
	model_read(*state, IXGBE_SWSM); /* SMBI alone */
	model_write(*state, IXGBE_SW_FW_SYNC, 0);
	assert_int_equal(model_control_int(*state, "violations", counts), 2);
	model_set(*state, IXGBE_SWSM, IXGBE_SWSM_SWESMBI);
	model_write(*state, IXGBE_SW_FW_SYNC, IXGBE_SW_FW_SYNC_SW_PHY0);
	assert_int_equal(model_control_int(*state, "violations", counts), 2);
	model_write(*state, IXGBE_SWSM, IXGBE_SWSM_SWESMBI); /* gives SMBI back */
	assert_int_equal(model_control_int(*state, "violations", counts), 3);
	model_write(*state, IXGBE_SW_FW_SYNC, 0);
	assert_int_equal(model_control_int(*state, "violations", counts), 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(eec_shows_a_loaded_eeprom),
		TEST(checksum_is_valid),
		TEST(checksum_can_be_wrong),
		TEST(address_is_in_both_places),
		TEST(modules_have_an_initialization),
		TEST(firmware_version_is_recent),
		TEST(identity_words_are_there),
		TEST(reads_beyond_the_end_are_ones),
		TEST(start_before_done_is_a_violation),
		TEST(a_written_word_stays_and_shows_in_the_sum),
		TEST(pins_are_granted),
		TEST(pins_read_what_eerd_reads),
		TEST(pins_write_by_pages_and_with_permission),
		TEST(pins_moved_twice_without_a_read_are_a_violation),
		TEST(pins_without_a_request_do_nothing),
		TEST(firmware_is_well_and_manages_nothing),
		TEST(semaphores_are_taken_and_given),
		TEST(sync_without_the_semaphore_is_a_violation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
