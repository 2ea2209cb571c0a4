/* SPDX-License-Identifier: MIT */
/*
 * The register table is sound: rows do not overlap, stay inside BAR 0 and are consistent
 * with their access class, aliases point at rows, and the fast lookup agrees with a slow
 * one that is obviously right, for every offset of BAR 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#define WORDS (IXGBE_BAR0_SIZE / 4u)

/* A second address range of a register. */
static const struct alias {
	enum ixgbe_reg_row row;
	uint32_t offset, stride, count;
} aliases[] = {
#define IXGBE_A(target, offset, stride, count) {IXGBE_ROW_##target, offset, stride, count},
	IXGBE_REGISTER_ALIASES(IXGBE_A)
#undef IXGBE_A
};

/* Claims count words for an owner; fails when a word has one already. */
static void claim(const char **owner, const char *name, uint32_t offset, uint32_t stride,
		  uint32_t count)
{
	assert_int_equal(offset % 4u, 0);
	assert_int_equal(stride % 4u, 0);
	assert_true(stride >= 4u && count >= 1u);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = offset + i * stride;

		assert_true(at < IXGBE_BAR0_SIZE);
		if (owner[at / 4u])
			fail_msg("%s[%u] at 0x%05x is taken by %s", name, i, at, owner[at / 4u]);
		owner[at / 4u] = name;
	}
}

static void rows_and_aliases_do_not_overlap(void **state)
{
	const char **owner = test_calloc(WORDS, sizeof *owner);

	(void)state;
	assert_non_null(owner);
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		claim(owner, r->name, r->offset, r->stride, r->count);
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		const struct alias *a = &aliases[i];

		claim(owner, "an alias", a->offset, a->stride, a->count);
	}
	test_free(owner);
}

static void names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < ixgbe_register_count; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(ixgbe_registers[i].name, ixgbe_registers[j].name);
}

static void classes_agree_with_masks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		switch (r->access) {
		case IXGBE_REG_RO:
			assert_int_equal(r->writable, 0);
			break;
		case IXGBE_REG_RC:
			assert_int_equal(r->writable, 0);
			assert_int_equal(r->reset, 0);
			break;
		case IXGBE_REG_WO:
			assert_int_not_equal(r->writable, 0);
			assert_int_equal(r->reset, 0);
			break;
		case IXGBE_REG_W1C:
		case IXGBE_REG_RCW1C:
		case IXGBE_REG_W1S:
			assert_int_not_equal(r->writable, 0);
			assert_int_equal(r->reset & ~r->writable, 0);
			break;
		case IXGBE_REG_RW:
			assert_int_not_equal(r->writable, 0);
			break;
		default:
			fail_msg("%s has no access class", r->name);
		}
	}
}

/* Bits set by reset that no write changes are the device's own; each register that has
 * some is named here, so that a slip of the table shows. */
static void reset_bits_outside_the_mask_are_known(void **state)
{
	static const struct {
		const char *name;
		uint32_t bits;
	} known[] = {
		{"I2CCTL", IXGBE_I2CCTL_CLK_IN | IXGBE_I2CCTL_DATA_IN},
		{"EEC", IXGBE_EEC_PRES | IXGBE_EEC_AUTO_RD | IXGBE_EEC_ADDR_SIZE | IXGBE_EEC_SIZE |
				IXGBE_EEC_ALL_DONE},
		{"GCR", IXGBE_GCR_CAP_VER2},
		{"RDRXCTL", IXGBE_RDRXCTL_DMAIDONE},
		{"SECTXCTRL", IXGBE_SECTXCTRL_SECTX_DIS},
		{"SECRXCTRL", IXGBE_SECRXCTRL_SECRX_DIS},
	};

	(void)state;
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];
		uint32_t extra = r->reset & ~r->writable;

		if (r->access != IXGBE_REG_RW || extra == 0)
			continue;
		for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
			if (strcmp(known[k].name, r->name) == 0)
				extra &= ~known[k].bits;
		if (extra)
			fail_msg("%s resets 0x%08x outside its mask", r->name, extra);
	}
}

/* The row and element at an offset, by looking at each row in turn. */
static const struct ixgbe_register *slow_find(uint32_t offset, uint32_t *index)
{
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		for (uint32_t n = 0; n < r->count; n++)
			if (r->offset + n * r->stride == offset) {
				*index = n;
				return r;
			}
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		const struct alias *a = &aliases[i];

		for (uint32_t n = 0; n < a->count; n++)
			if (a->offset + n * a->stride == offset) {
				*index = n;
				return &ixgbe_registers[a->row];
			}
	}
	return NULL;
}

static void find_agrees_with_a_linear_search(void **state)
{
	(void)state;
	for (uint32_t offset = 0; offset < IXGBE_BAR0_SIZE; offset += 4u) {
		uint32_t want = UINT32_MAX, got = UINT32_MAX;
		const struct ixgbe_register *r = slow_find(offset, &want);

		assert_ptr_equal(ixgbe_register_find(offset, &got), r);
		assert_int_equal(got, want);
	}
}

static void find_refuses_what_is_no_register(void **state)
{
	uint32_t index = 7;

	(void)state;
	assert_null(ixgbe_register_find(IXGBE_CTRL + 1u, &index));
	assert_null(ixgbe_register_find(IXGBE_BAR0_SIZE, &index));
	assert_null(ixgbe_register_find(UINT32_MAX - 3u, &index));
	assert_int_equal(index, 7);
	assert_non_null(ixgbe_register_find(IXGBE_CTRL, NULL));
}

static void aliases_resolve(void **state)
{
	uint32_t index = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		const struct alias *a = &aliases[i];

		assert_true(a->row < IXGBE_REGISTER_ROWS);
		assert_true(a->count <= ixgbe_registers[a->row].count);
	}
	assert_ptr_equal(ixgbe_register_find(0x0547C, &index), &ixgbe_registers[IXGBE_ROW_RAH]);
	assert_int_equal(index, 15);
}

static void queue_helpers_pick_the_range(void **state)
{
	uint32_t index = 0;

	(void)state;
	assert_int_equal(ixgbe_rxq_reg(IXGBE_RDT, 0), 0x01018);
	assert_int_equal(ixgbe_rxq_reg(IXGBE_RDT, 63), 0x01FD8);
	assert_int_equal(ixgbe_rxq_reg(IXGBE_RDT, 64), 0x0D018);
	assert_int_equal(ixgbe_rxq_reg(IXGBE_SRRCTL, 127), 0x0DFD4);
	assert_int_equal(ixgbe_txq_reg(IXGBE_TDT, 127), 0x07FD8);
	assert_int_equal(ixgbe_eitr_reg(23), 0x0087C);
	assert_int_equal(ixgbe_eitr_reg(24), 0x12300);
	assert_int_equal(IXGBE_AT(MTA, 127), 0x053FC);
	for (uint32_t q = 0; q < IXGBE_RXQ_COUNT; q++) {
		enum ixgbe_reg_row row =
			q < IXGBE_RXQ_LOW_COUNT ? IXGBE_ROW_RXDCTL : IXGBE_ROW_RXDCTL_HI;

		assert_ptr_equal(ixgbe_register_find(ixgbe_rxq_reg(IXGBE_RXDCTL, q), &index),
				 &ixgbe_registers[row]);
		assert_int_equal(index, q % IXGBE_RXQ_LOW_COUNT);
	}
}

static void fields_move_values(void **state)
{
	(void)state;
	assert_int_equal(IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 1518), 0x05EE0000);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_SRRCTL_BSIZEHEADER, 0x00000402), 4);
	assert_int_equal(IXGBE_FIELD_SET(IXGBE_LINKS_SPEED, 0xFFFFFFFFu, IXGBE_LINKS_SPEED_1G),
			 0xEFFFFFFFu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_and_aliases_do_not_overlap),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(classes_agree_with_masks),
		cmocka_unit_test(reset_bits_outside_the_mask_are_known),
		cmocka_unit_test(find_agrees_with_a_linear_search),
		cmocka_unit_test(find_refuses_what_is_no_register),
		cmocka_unit_test(aliases_resolve),
		cmocka_unit_test(queue_helpers_pick_the_range),
		cmocka_unit_test(fields_move_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
