/* SPDX-License-Identifier: MIT */
/*
 * The SFP+ module, over the wires of I2CCTL moved bit by bit as a driver moves them.
 */
#include <string.h>

#include "harness.h"

#define SCL_OUT IXGBE_I2CCTL_CLK_OUT
#define SDA_OUT IXGBE_I2CCTL_DATA_OUT

enum { IDENTITY = 0xa0, DIAGNOSTICS = 0xa2 };

/* The PHY's semaphore, which the wires need: SW_PHY0 taken, or 0 given back. */
static void own(struct model *m, uint32_t sw_phy0)
{
	model_read(m, IXGBE_SWSM);
	model_write(m, IXGBE_SWSM, IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI);
	model_write(m, IXGBE_SW_FW_SYNC, sw_phy0);
	model_write(m, IXGBE_SWSM, 0);
}

static int setup(void **state)
{
	if (model_start(state, NULL))
		return -1;
	own(*state, IXGBE_SW_FW_SYNC_SW_PHY0);
	return 0;
}

/* The inputs come along, as with drivers that change a bit of what they read. */
static void lines(struct model *m, bool scl, bool sda)
{
	model_write(m, IXGBE_I2CCTL,
		    (scl ? SCL_OUT : 0) | (sda ? SDA_OUT : 0) | IXGBE_I2CCTL_CLK_IN |
			    IXGBE_I2CCTL_DATA_IN);
	/* The read brings the write to its end, and nothing holds the clock down. */
	assert_int_equal(!!(model_read(m, IXGBE_I2CCTL) & IXGBE_I2CCTL_CLK_IN), scl);
}

static bool sda(struct model *m)
{
	return model_read(m, IXGBE_I2CCTL) & IXGBE_I2CCTL_DATA_IN;
}

static void start(struct model *m)
{
	lines(m, false, true);
	lines(m, true, true);
	assert_true(sda(m));
	lines(m, true, false);
	lines(m, false, false);
}

static void stop(struct model *m)
{
	lines(m, false, false);
	lines(m, true, false);
	lines(m, true, true);
	assert_true(sda(m));
}

static bool clock_bit(struct model *m, bool out)
{
	bool in;

	lines(m, false, out);
	lines(m, true, out);
	in = sda(m);
	lines(m, false, out);
	return in;
}

/* Whether the module acknowledged. */
static bool byte_out(struct model *m, uint8_t byte)
{
	for (int i = 7; i >= 0; i--)
		clock_bit(m, byte >> i & 1);
	return !clock_bit(m, true);
}

static uint8_t byte_in(struct model *m, bool last)
{
	uint8_t byte = 0;

	for (int i = 7; i >= 0; i--)
		byte = (uint8_t)(byte << 1 | clock_bit(m, true));
	clock_bit(m, last);
	return byte;
}

static void read_bytes(struct model *m, uint8_t device, uint8_t offset, uint8_t *to, size_t len)
{
	start(m);
	assert_true(byte_out(m, device));
	assert_true(byte_out(m, offset));
	start(m);
	assert_true(byte_out(m, device | 1));
	for (size_t i = 0; i < len; i++)
		to[i] = byte_in(m, i == len - 1);
	stop(m);
}

static uint8_t read_byte(struct model *m, uint8_t device, uint8_t offset)
{
	uint8_t byte;

	read_bytes(m, device, offset, &byte, 1);
	return byte;
}

static void write_byte(struct model *m, uint8_t device, uint8_t offset, uint8_t value)
{
	start(m);
	assert_true(byte_out(m, device));
	assert_true(byte_out(m, offset));
	assert_true(byte_out(m, value));
	stop(m);
}

static uint8_t sum(const uint8_t *bytes, size_t len)
{
	uint8_t total = 0;

	while (len--)
		total = (uint8_t)(total + *bytes++);
	return total;
}

static uint32_t word16(struct model *m, uint8_t offset)
{
	uint8_t bytes[2];

	read_bytes(m, DIAGNOSTICS, offset, bytes, 2);
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* What drivers look at before they accept a module. */
static void is_a_short_range_optic(void **state)
{
	assert_int_equal(read_byte(*state, IDENTITY, 0), 0x03);
	assert_int_equal(read_byte(*state, IDENTITY, 3) & 0x10, 0x10);
	assert_int_equal(read_byte(*state, IDENTITY, 6), 0);        /* no 1 Gb/s: one speed only */
	assert_int_equal(read_byte(*state, IDENTITY, 8) & 0x0c, 0); /* no direct attach */
	assert_int_equal(read_byte(*state, IDENTITY, 37), 0x00);
	assert_int_equal(read_byte(*state, IDENTITY, 38), 0x1b);
	assert_int_equal(read_byte(*state, IDENTITY, 39), 0x21);
	assert_int_equal(read_byte(*state, IDENTITY, 92) & 0x44, 0x40); /* diagnostics at 0xa2 */
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
}

static void checksums_are_valid(void **state)
{
	uint8_t page[128];

	read_bytes(*state, IDENTITY, 0, page, sizeof(page));
	assert_int_equal(sum(page, 63), page[63]);
	assert_int_equal(sum(page + 64, 31), page[95]);
	assert_memory_equal(page + 20, "IXTAP           ", 16);
	assert_memory_equal(page + 40, "SOFT-10G-SR     ", 16);
	read_bytes(*state, DIAGNOSTICS, 0, page, sizeof(page));
	assert_int_equal(sum(page, 95), page[95]);
}

static void readings_are_within_limits(void **state)
{
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	for (uint8_t i = 0; i < 5; i++) {
		int16_t high = (int16_t)word16(*state, (uint8_t)(8 * i + 4));
		int16_t low = (int16_t)word16(*state, (uint8_t)(8 * i + 6));
		uint32_t value = word16(*state, (uint8_t)(96 + 2 * i));

		if (i == 0) { /* the temperature alone has a sign */
			assert_true((int16_t)value > low && (int16_t)value < high);
		} else {
			assert_in_range(value, (uint16_t)low, (uint16_t)high);
		}
	}
	assert_int_equal(read_byte(*state, DIAGNOSTICS, 110) & 0x02, 0);
}

static void readings_follow_laser_and_light(void **state)
{
	model_set(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	assert_int_equal(word16(*state, 102), 0);
	assert_int_equal(read_byte(*state, DIAGNOSTICS, 110) & 0x80, 0x80);
	model_clear(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	assert_int_not_equal(word16(*state, 102), 0);
	json_decref(model_control(*state, "link down"));
	assert_int_equal(word16(*state, 104), 0);
	assert_int_equal(read_byte(*state, DIAGNOSTICS, 110) & 0x02, 0x02);
	json_decref(model_control(*state, "link up"));
	assert_int_not_equal(word16(*state, 104), 0);
}

static void soft_disable_turns_the_laser_off(void **state)
{
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	write_byte(*state, DIAGNOSTICS, 110, 0x40);
	assert_int_equal(read_byte(*state, DIAGNOSTICS, 110) & 0x40, 0x40);
	assert_false(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	write_byte(*state, DIAGNOSTICS, 110, 0);
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
}

static void only_the_user_area_is_writable(void **state)
{
	write_byte(*state, IDENTITY, 0, 0xff);
	assert_int_equal(read_byte(*state, IDENTITY, 0), 0x03);
	write_byte(*state, DIAGNOSTICS, 0, 0xff);
	assert_int_not_equal(read_byte(*state, DIAGNOSTICS, 0), 0xff);
	write_byte(*state, DIAGNOSTICS, 130, 0x5a);
	assert_int_equal(read_byte(*state, DIAGNOSTICS, 130), 0x5a);
}

static void nobody_else_answers(void **state)
{
	for (uint32_t device = 0; device < 0x100; device += 2) {
		start(*state);
		assert_int_equal(byte_out(*state, (uint8_t)device),
				 device == 0xa0 || device == 0xa2);
		stop(*state);
	}
}

/* A driver that stops in the middle clears the bus by nine clocks; the next read is whole. */
static void recovers_from_a_broken_transfer(void **state)
{
	for (int broken = 0; broken < 20; broken++) {
		start(*state);
		byte_out(*state, IDENTITY);
		byte_out(*state, 0);
		start(*state);
		byte_out(*state, IDENTITY | 1);
		for (int i = 0; i < broken; i++)
			clock_bit(*state, true);
		for (int i = 0; i < 9; i++)
			clock_bit(*state, true);
		stop(*state);
		assert_int_equal(read_byte(*state, IDENTITY, 0), 0x03);
	}
}

static void wires_without_the_semaphore_are_a_violation(void **state)
{
	own(*state, 0);
	lines(*state, false, true);
	assert_int_equal(model_control_int(*state, "violations", "counts.SEMAPHORE"), 1);
}

/* Whoever has the wires next would begin within the transfer. */
static void a_transfer_ends_with_a_stop(void **state)
{
	struct model *m = *state;

	read_byte(m, IDENTITY, 0);
	own(m, 0);
	own(m, IXGBE_SW_FW_SYNC_SW_PHY0);
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
	start(m);
	assert_true(byte_out(m, IDENTITY));
	own(m, 0);
	assert_int_equal(model_control_int(m, "violations", "counts.WIRES_STOP"), 1);
	assert_int_equal(model_control_int(m, "violations", "total"), 1);
}

/* Two moves that the bus may bring at once: the module loses its place until the next start. */
static void wires_moved_twice_without_a_read_are_a_violation(void **state)
{
	struct model *m = *state;

	read_byte(m, IDENTITY, 0);
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
	start(m);
	model_write(m, IXGBE_I2CCTL, SDA_OUT);
	model_write(m, IXGBE_I2CCTL, SDA_OUT | SCL_OUT);
	model_write(m, IXGBE_I2CCTL, SDA_OUT | SCL_OUT); /* moves nothing */
	assert_int_equal(model_control_int(m, "violations", "counts.WIRES_UNREAD"), 1);
	model_read(m, IXGBE_STATUS); /* any register does */
	assert_false(byte_out(m, IDENTITY));
	stop(m);
	assert_int_equal(read_byte(m, IDENTITY, 0), 0x03);
	assert_int_equal(model_control_int(m, "violations", "counts.WIRES_UNREAD"), 1);
}

/* Whether the module answers, up to the deadline. */
static bool answers(struct model *m)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	bool yes;

	do {
		start(m);
		yes = byte_out(m, 0xa0);
		stop(m);
	} while (!yes && model_now_ms() < end);
	return yes;
}

static void modules_come_and_go(void **state)
{
	static const struct {
		const char *request;
		uint8_t codes, codes_1g, cable;
	} kinds[] = {
		{"module da", 0, 0, 0x04},
		{"module sr-1g", 0x10, 0x01, 0},
		{"module sr", 0x10, 0, 0},
	};
	struct model *m = *state;

	model_set(m, IXGBE_GPIE, IXGBE_GPIE_SDP2_EN);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		json_decref(model_control(m, "module out"));
		assert_false(model_read(m, IXGBE_ESDP) & IXGBE_ESDP_SDP2_DATA);
		assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_GPI_SDP2);
		start(m);
		assert_false(byte_out(m, 0xa0));
		stop(m);
		json_decref(model_control(m, kinds[i].request));
		assert_true(model_read(m, IXGBE_ESDP) & IXGBE_ESDP_SDP2_DATA);
		assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_GPI_SDP2);
		assert_true(answers(m));
		assert_int_equal(read_byte(m, 0xa0, 3), kinds[i].codes);
		assert_int_equal(read_byte(m, 0xa0, 6), kinds[i].codes_1g);
		assert_int_equal(read_byte(m, 0xa0, 8), kinds[i].cable);
	}
	checksums_are_valid(state);
}

static void faults_are_causes(void **state)
{
	struct model *m = *state;
	json_t *reply;

	json_decref(model_control(m, "fault ecc"));
	assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_ECC);
	json_decref(model_control(m, "fault timeout"));
	assert_false(model_read(m, IXGBE_EICR) & IXGBE_EICR_PCI); /* PIENA does not let it */
	assert_true(model_read(m, IXGBE_PICAUSE) & IXGBE_PIENA_TO);
	model_write(m, IXGBE_PIENA, IXGBE_PIENA_TO);
	json_decref(model_control(m, "fault timeout"));
	assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_PCI);
	for (int i = 0; i < 2; i++) {
		reply = model_control(m, i ? "module frobnicate" : "fault frobnicate");
		assert_non_null(json_object_get(reply, "error"));
		json_decref(reply);
	}
}

/* Another module in the cage, whose identity names no Ethernet, or does not add up. */
static void a_module_can_have_a_wrong_identity(void **state)
{
	struct model *m = *state;
	uint8_t page[64];

	model_set(m, IXGBE_GPIE, IXGBE_GPIE_SDP2_EN);
	json_decref(model_control(m, "fault module-code"));
	assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_GPI_SDP2);
	assert_true(model_read(m, IXGBE_ESDP) & IXGBE_ESDP_SDP2_DATA);
	assert_true(answers(m));
	read_bytes(m, IDENTITY, 0, page, sizeof(page));
	for (int i = 3; i <= 10; i++)
		assert_int_equal(page[i], 0);
	assert_int_equal(page[0], 0x03);
	assert_int_equal(sum(page, 63), page[63]);
	json_decref(model_control(m, "fault clear"));
	assert_true(model_read(m, IXGBE_EICR) & IXGBE_EICR_GPI_SDP2);
	assert_true(answers(m));
	assert_int_equal(read_byte(m, IDENTITY, 3), 0x10);

	json_decref(model_control(m, "fault module-sum"));
	assert_true(answers(m));
	read_bytes(m, IDENTITY, 0, page, sizeof(page));
	assert_int_equal(page[3], 0x10);
	assert_int_not_equal(sum(page, 63), page[63]);
	json_decref(model_control(m, "fault clear module-sum"));
	assert_true(answers(m));
	checksums_are_valid(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(is_a_short_range_optic),
		TEST(checksums_are_valid),
		TEST(readings_are_within_limits),
		TEST(readings_follow_laser_and_light),
		TEST(soft_disable_turns_the_laser_off),
		TEST(only_the_user_area_is_writable),
		TEST(nobody_else_answers),
		TEST(recovers_from_a_broken_transfer),
		TEST(wires_without_the_semaphore_are_a_violation),
		TEST(a_transfer_ends_with_a_stop),
		TEST(wires_moved_twice_without_a_read_are_a_violation),
		TEST(modules_come_and_go),
		TEST(faults_are_causes),
		TEST(a_module_can_have_a_wrong_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
