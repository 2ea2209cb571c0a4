/* SPDX-License-Identifier: MIT */
/*
 * The register file, row by row of the table: reset values, access classes, aliases, what
 * is no register, and that no value written anywhere brings the program down.
 *
 * A register whose action makes it differ from its class has a line in one of the two
 * lists below, with the reason; everything else is checked from the table alone.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"

/* Reads after a reset as something else than the table's row. */
static const struct {
	const char *name;
	uint32_t index, value;
} loaded[] = {
	{"RAL", 0, 0x00000002}, /* 02:00:00:00:00:01, from the EEPROM */
	{"RAH", 0, 0x80000100},        {"ESDP", 0, 0x00000804}, /* a module is in the cage, SDP3 is
								   an output */
	{"TXPBTHRESH", 1, 0x00000000},                          /* 0x96 in entry 0 only */
	{"TXPBTHRESH", 2, 0x00000000}, {"TXPBTHRESH", 3, 0x00000000}, {"TXPBTHRESH", 4, 0x00000000},
	{"TXPBTHRESH", 5, 0x00000000}, {"TXPBTHRESH", 6, 0x00000000}, {"TXPBTHRESH", 7, 0x00000000},
};

/* Not what was written, though the class says so: these bits are the device's. */
static const struct {
	const char *name;
	uint32_t bits;
	const char *why;
} moving[] = {
	{"FRTIMER", 0xffffffff, "counts"},
	{"FLA", 0x80000000, "no flash is fitted, an erase ends at once"},
	{"SWSM", 0x00000001, "a read takes SMBI, a write only gives it back"},
	{"ESDP", 0x00000004, "SDP2 is an input"},
	{"FDIRCMD", 0x00000003, "a command is done at once"},
	{"LINKS", 0x00000080, "reserved, changes with each read"},
	{"RXDCTL", 0x02000000, "a queue without a ring does not start"},
	{"RXDCTL_HI", 0x02000000, "a queue without a ring does not start"},
	{"TXDCTL", 0x02000000, "a queue without a ring does not start"},
	{"EICS", 0xffffffff, "reads as EICR"},
	{"EICR", 0xffffffff, "has its own test"},
};

static int setup(void **state)
{
	const struct model_options options = {.link_down = true};

	return model_start(state, &options);
}

static uint32_t expected_reset(const struct ixgbe_register *r, uint32_t index)
{
	for (size_t i = 0; i < sizeof(loaded) / sizeof(loaded[0]); i++) {
		if (loaded[i].index == index && strcmp(loaded[i].name, r->name) == 0)
			return loaded[i].value;
	}
	return r->reset;
}

static uint32_t moving_bits(const struct ixgbe_register *r)
{
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
		if (strcmp(moving[i].name, r->name) == 0)
			return moving[i].bits;
	}
	return 0;
}

static void all_reset_values(struct model *m)
{
	for (size_t row = 0; row < ixgbe_register_count; row++) {
		const struct ixgbe_register *r = &ixgbe_registers[row];

		for (uint32_t i = 0; i < r->count; i++) {
			uint32_t value = model_read(m, r->offset + i * r->stride);

			if (strcmp(r->name, "LINKS") == 0)
				value &= ~IXGBE_LINKS_RESERVED7;
			if (strcmp(r->name, "FRTIMER") && value != expected_reset(r, i))
				fail_msg("%s[%u] is 0x%08x after reset, not 0x%08x", r->name, i,
					 value, expected_reset(r, i));
		}
	}
}

static void reset_values(void **state)
{
	all_reset_values(*state);
	/* Reading SWSM took the semaphore, and a reset by the driver leaves it taken. */
	model_write(*state, IXGBE_SWSM, 0);
	model_software_reset(*state);
	all_reset_values(*state);
}

/* Every writable bit in both states, then everything back to where it was. */
static void check_rw(struct model *m, const struct ixgbe_register *r, uint32_t at, uint32_t mask)
{
	static const uint32_t patterns[] = {0x5a5a5a5a, 0xa5a5a5a5, 0xffffffff, 0x00000000};
	uint32_t before = model_read(m, at);

	for (size_t p = 0; p < 4; p++) {
		uint32_t value;

		model_write(m, at, patterns[p] & mask);
		value = model_read(m, at);
		if ((value & mask) != (patterns[p] & mask))
			fail_msg("%s at 0x%05x: wrote 0x%08x, read 0x%08x", r->name, at,
				 patterns[p] & mask, value);
	}
	model_write(m, at, before & r->writable);
}

static void check_unchanged(struct model *m, const struct ixgbe_register *r, uint32_t at,
			    uint32_t mask)
{
	uint32_t before = model_read(m, at);
	uint32_t after;

	model_write(m, at, ~before);
	after = model_read(m, at);
	if ((before ^ after) & mask)
		fail_msg("%s at 0x%05x: a write changed 0x%08x to 0x%08x", r->name, at, before,
			 after);
}

static void check_zero(struct model *m, const struct ixgbe_register *r, uint32_t at, uint32_t mask)
{
	model_write(m, at, r->writable);
	if (model_read(m, at) & mask)
		fail_msg("%s at 0x%05x does not read as zero", r->name, at);
}

static void check_w1s(struct model *m, const struct ixgbe_register *r, uint32_t at, uint32_t mask)
{
	uint32_t low = 0x00005a5a & mask, high = 0x5a5a0000 & mask;

	model_write(m, at, low);
	model_write(m, at, high);
	if ((model_read(m, at) & mask) != (low | high))
		fail_msg("%s at 0x%05x: ones do not add up", r->name, at);
}

static void access_classes(void **state)
{
	struct model *m = *state;

	model_software_reset(m);
	for (size_t row = 0; row < ixgbe_register_count; row++) {
		const struct ixgbe_register *r = &ixgbe_registers[row];
		uint32_t moves = moving_bits(r);

		for (uint32_t i = 0; i < r->count; i++) {
			uint32_t at = r->offset + i * r->stride;

			switch (r->access) {
			case IXGBE_REG_RW:
				check_rw(m, r, at, r->writable & ~moves);
				break;
			case IXGBE_REG_RO:
			case IXGBE_REG_RC:
				check_unchanged(m, r, at, ~moves);
				break;
			case IXGBE_REG_WO:
			case IXGBE_REG_W1C:
				check_zero(m, r, at, ~moves);
				break;
			case IXGBE_REG_W1S:
				check_w1s(m, r, at, r->writable);
				break;
			case IXGBE_REG_RCW1C:
				break;
			}
		}
	}
	model_software_reset(m);
	model_write(m, IXGBE_SWSM, 0);
	all_reset_values(m);
}

static void read_only_write_is_noted(void **state)
{
	long long before = model_control_int(*state, "violations", "total");

	model_write(*state, IXGBE_MREVID, ~model_read(*state, IXGBE_MREVID));
	assert_int_equal(model_control_int(*state, "violations", "counts.READ_ONLY_WRITE"), 1);
	/* Writing back what is there changes nothing and is no violation. */
	model_write(*state, IXGBE_MREVID, model_read(*state, IXGBE_MREVID));
	assert_int_equal(model_control_int(*state, "violations", "total"), before + 1);
}

static void reserved_bit_is_noted_and_dropped(void **state)
{
	model_write(*state, IXGBE_MAXFRS, 0x05ee0001);
	assert_int_equal(model_read(*state, IXGBE_MAXFRS), 0x05ee0000);
	assert_int_equal(model_control_int(*state, "violations", "counts.RESERVED_BITS"), 1);
	/* Specification change 10: no filter by priority. */
	for (uint32_t bit = 16; bit < 20; bit++) {
		model_write(*state, IXGBE_ETQF, IXGBE_ETQF_FILTER_EN | 1u << bit);
		assert_int_equal(model_read(*state, IXGBE_ETQF), IXGBE_ETQF_FILTER_EN);
	}
	assert_int_equal(model_control_int(*state, "violations", "counts.RESERVED_BITS"), 5);
}

static void every_hole_reads_zero_and_is_noted(void **state)
{
	long long holes = 0;

	for (uint32_t at = 0; at < IXGBE_BAR0_SIZE; at += 4) {
		if (ixgbe_register_find(at, NULL))
			continue;
		if (at > 0x20000 && at % 0x1000) /* beyond the registers a sample does */
			continue;
		model_write(*state, at, 0xffffffff);
		assert_int_equal(model_read(*state, at), 0);
		holes += 2;
	}
	assert_true(holes > 0);
	assert_int_equal(model_control_int(*state, "violations", "counts.UNKNOWN_REGISTER"), holes);
}

static void odd_accesses_are_noted_and_do_nothing(void **state)
{
	uint32_t value = 0xa5a5a5a5;

	assert_int_equal(model_region_write(*state, 0, IXGBE_AT(MTA, 0) + 2, &value, 2), 0);
	assert_int_equal(model_region_write(*state, 0, IXGBE_AT(MTA, 0), &value, 1), 0);
	assert_int_equal(model_region_read(*state, 0, IXGBE_AT(MTA, 0) + 1, &value, 1), 0);
	assert_int_equal(model_read(*state, IXGBE_AT(MTA, 0)), 0);
	assert_int_equal(model_control_int(*state, "violations", "counts.UNALIGNED_ACCESS"), 3);
}

/* A second address range of a register. */
static const struct alias {
	enum ixgbe_reg_row row;
	uint32_t offset, stride, count;
} aliases[] = {
#define IXGBE_A(target, offset, stride, count) {IXGBE_ROW_##target, offset, stride, count},
	IXGBE_REGISTER_ALIASES(IXGBE_A)
#undef IXGBE_A
};

static void aliases_are_the_same_register(void **state)
{
	for (size_t a = 0; a < sizeof(aliases) / sizeof(aliases[0]); a++) {
		const struct alias *alias = &aliases[a];
		const struct ixgbe_register *r = &ixgbe_registers[alias->row];

		if (r->access != IXGBE_REG_RW)
			continue;
		for (uint32_t i = 0; i < alias->count; i++) {
			uint32_t value = (0x11111111u * (i % 15 + 1)) & r->writable;

			model_write(*state, alias->offset + i * alias->stride, value);
			assert_int_equal(model_read(*state, r->offset + i * r->stride), value);
			assert_int_equal(model_read(*state, alias->offset + i * alias->stride),
					 value);
		}
	}
}

/*
 * What `ethtool -t` does with the in-kernel driver: patterns through `write`, of which `mask` has
 * to stay. Some of what it writes is reserved, and must not.
 */
static void self_test_of_the_kernel_passes(void **state)
{
	static const struct {
		uint32_t at, count, stride, mask, write;
	} tests[] = {
		{IXGBE_FCRTL, 1, 0, 0x8007fff0, 0x8007fff0},
		{IXGBE_FCRTH, 1, 0, 0x8007fff0, 0x8007fff0},
		{IXGBE_PFCTOP, 1, 0, 0xffffffff, 0xffffffff},
		{IXGBE_VLNCTRL, 1, 0, 0x00000000, 0x00000000},
		{IXGBE_RDBAL, 4, 64, 0xffffff80, 0xffffff80},
		{IXGBE_RDBAH, 4, 64, 0xffffffff, 0xffffffff},
		{IXGBE_RDLEN, 4, 64, 0x000fff80, 0x000fffff},
		{IXGBE_RDT, 4, 64, 0x0000ffff, 0x0000ffff},
		{IXGBE_FCTTV, 1, 0, 0xffffffff, 0xffffffff},
		{IXGBE_TDBAL, 4, 64, 0xffffff80, 0xffffffff},
		{IXGBE_TDBAH, 4, 64, 0xffffffff, 0xffffffff},
		{IXGBE_TDLEN, 4, 64, 0x000fff80, 0x000fff80},
		{IXGBE_RXCTRL, 1, 0, 0x00000001, 0x00000001},
		{IXGBE_RAL, 16, 8, 0xffffffff, 0xffffffff},
		{IXGBE_RAH, 16, 8, 0x8001ffff, 0x800cffff},
		{IXGBE_MTA, 128, 4, 0xffffffff, 0xffffffff},
	};
	static const uint32_t patterns[] = {0x5a5a5a5a, 0xa5a5a5a5, 0x00000000, 0xffffffff};
	uint32_t status = model_read(*state, IXGBE_STATUS) & 0x7ffff30f;

	model_write(*state, IXGBE_STATUS, 0x7ffff30f);
	assert_int_equal(model_read(*state, IXGBE_STATUS) & 0x7ffff30f, status);
	for (size_t t = 0; t < sizeof(tests) / sizeof(tests[0]); t++) {
		bool tail = tests[t].at == IXGBE_RDT;

		for (uint32_t i = 0; i < tests[t].count; i++) {
			uint32_t at = tests[t].at + i * tests[t].stride;
			uint32_t before = model_read(*state, at);

			if (tail)
				model_write(*state, IXGBE_AT(RXDCTL, i), IXGBE_RXDCTL_ENABLE);
			for (int p = 0; p < 4; p++) {
				uint32_t value = patterns[p] & tests[t].write;

				model_write(*state, at, value);
				assert_int_equal(model_read(*state, at), value & tests[t].mask);
				model_write(*state, at, before);
			}
			if (tail)
				model_write(*state, IXGBE_AT(RXDCTL, i), 0);
		}
	}
}

static void registers_by_control_have_no_side_effects(void **state)
{
	json_t *reply;

	model_write(*state, IXGBE_EICS, IXGBE_EICR_LSC);
	for (int i = 0; i < 2; i++) {
		reply = model_control(*state, "registers EICR");
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(reply, "registers"), "EICR")),
				 IXGBE_EICR_LSC);
		json_decref(reply);
	}
	reply = model_control(*state, "registers");
	assert_int_equal(json_object_size(json_object_get(reply, "registers")),
			 ixgbe_register_count);
	json_decref(reply);
}

/* A driver out of its mind: any value to any register, in any order. */
static void nothing_written_brings_it_down(void **state)
{
	struct model *m = *state;

	srandom(82599);
	for (int i = 0; i < 60000; i++) {
		const struct ixgbe_register *r =
			&ixgbe_registers[(size_t)random() % ixgbe_register_count];
		uint32_t at = r->offset + (uint32_t)random() % r->count * r->stride;

		if (random() % 4 == 0)
			model_read(m, at);
		else
			model_write(m, at, (uint32_t)random() << 16 ^ (uint32_t)random());
	}
	model_software_reset(m);
	model_write(m, IXGBE_SWSM, 0);
	model_write(m, IXGBE_SW_FW_SYNC, 0);
	assert_int_equal(model_read(m, IXGBE_MREVID), 0x101);
	assert_true(model_control_int(m, "status", "violations") > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(reset_values),
		TEST(access_classes),
		TEST(read_only_write_is_noted),
		TEST(reserved_bit_is_noted_and_dropped),
		TEST(every_hole_reads_zero_and_is_noted),
		TEST(odd_accesses_are_noted_and_do_nothing),
		TEST(aliases_are_the_same_register),
		TEST(self_test_of_the_kernel_passes),
		TEST(registers_by_control_have_no_side_effects),
		TEST(nothing_written_brings_it_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
