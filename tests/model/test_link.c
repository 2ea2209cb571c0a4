/* SPDX-License-Identifier: MIT */
/*
 * The link: cable, laser, mode and the registers that show it, and its interrupt.
 */
#include "harness.h"

static int setup_down(void **state)
{
	const struct model_options options = {.link_down = true};

	return model_start(state, &options);
}

static void link_wait(struct model *m, bool up)
{
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, up ? IXGBE_LINKS_UP : 0);
}

static void control(struct model *m, const char *request)
{
	json_decref(model_control(m, request));
}

static void comes_up_at_10g(void **state)
{
	uint32_t links;

	link_wait(*state, true);
	links = model_read(*state, IXGBE_LINKS);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_LINKS_SPEED, links), IXGBE_LINKS_SPEED_10G);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_LINKS_MODE, links), IXGBE_LINKS_MODE_10G_SERIAL);
	assert_true(model_read(*state, IXGBE_STATUS) & IXGBE_STATUS_LINK_UP);
}

static void without_a_cable_it_stays_down(void **state)
{
	assert_int_equal(model_read(*state, IXGBE_LINKS) & ~IXGBE_LINKS_RESERVED7, 0);
	model_set(*state, IXGBE_AUTOC, IXGBE_AUTOC_RESTART_AN);
	for (uint64_t end = model_now_ms() + MODEL_QUIET_MS; model_now_ms() < end;)
		assert_int_equal(model_read(*state, IXGBE_LINKS) & ~IXGBE_LINKS_RESERVED7, 0);
	control(*state, "link up");
	link_wait(*state, true);
}

static void operator_pulls_and_plugs(void **state)
{
	link_wait(*state, true);
	model_read(*state, IXGBE_EICR);
	control(*state, "link down");
	assert_false(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	assert_false(model_read(*state, IXGBE_STATUS) & IXGBE_STATUS_LINK_UP);
	assert_true(model_read(*state, IXGBE_EICR) & IXGBE_EICR_LSC);
	control(*state, "link up");
	link_wait(*state, true);
	assert_true(model_read(*state, IXGBE_EICR) & IXGBE_EICR_LSC);
	assert_false(model_read(*state, IXGBE_EICR) & IXGBE_EICR_LSC);
}

/* Specification change 12: whether the link is up or down, the bit is now this, now that. */
static void bit_7_says_nothing(void **state)
{
	for (int up = 1; up >= 0; up--) {
		uint32_t first, second;

		control(*state, up ? "link up" : "link down");
		link_wait(*state, up);
		first = model_read(*state, IXGBE_LINKS);
		second = model_read(*state, IXGBE_LINKS);
		assert_int_equal(first ^ second, IXGBE_LINKS_RESERVED7);
		assert_int_equal(model_read(*state, IXGBE_LINKS), first);
	}
}

static void laser_off_is_link_down(void **state)
{
	link_wait(*state, true);
	model_set(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	assert_false(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	model_clear(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	link_wait(*state, true);
	/* A pin that is an input drives nothing, and the module pulls it up. */
	model_clear(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_IODIR);
	assert_false(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	model_set(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_IODIR);
	link_wait(*state, true);
	model_set(*state, IXGBE_AUTOC2, IXGBE_AUTOC2_LINK_DISABLE);
	assert_false(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	model_clear(*state, IXGBE_AUTOC2, IXGBE_AUTOC2_LINK_DISABLE);
	link_wait(*state, true);
}

static void restart_takes_it_down_and_up(void **state)
{
	link_wait(*state, true);
	model_read(*state, IXGBE_EICR);
	model_set(*state, IXGBE_AUTOC, IXGBE_AUTOC_RESTART_AN);
	assert_false(model_read(*state, IXGBE_AUTOC) & IXGBE_AUTOC_RESTART_AN);
	link_wait(*state, true);
	assert_true(model_read(*state, IXGBE_EICR) & IXGBE_EICR_LSC);
}

/* As drivers do it: LMS with bit 2 toggled and a restart, wait for AN_STATE, and back. */
static void pipeline_reset_shows_a_state(void **state)
{
	uint32_t autoc = model_read(*state, IXGBE_AUTOC);

	assert_int_equal(IXGBE_FIELD_GET(IXGBE_AUTOC_LMS, autoc), IXGBE_AUTOC_LMS_10G_SERIAL);
	assert_int_equal(model_read(*state, IXGBE_ANLP1) & IXGBE_ANLP1_AN_STATE, 0);
	model_write(*state, IXGBE_AUTOC,
		    (autoc ^ IXGBE_FIELD_PREP(IXGBE_AUTOC_LMS, 4)) | IXGBE_AUTOC_RESTART_AN);
	assert_int_not_equal(model_read(*state, IXGBE_ANLP1) & IXGBE_ANLP1_AN_STATE, 0);
	assert_false(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	model_write(*state, IXGBE_AUTOC, autoc | IXGBE_AUTOC_RESTART_AN);
	link_wait(*state, true);
}

/* For loopback: up with nothing plugged in. */
static void forced_up_without_a_cable(void **state)
{
	model_set(*state, IXGBE_AUTOC, IXGBE_AUTOC_FLU);
	link_wait(*state, true);
	model_clear(*state, IXGBE_AUTOC, IXGBE_AUTOC_FLU);
	link_wait(*state, false);
}

static void change_fires_the_vector_of_other_causes(void **state)
{
	link_wait(*state, true);
	model_read(*state, IXGBE_EICR);
	model_write(*state, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX);
	model_write(*state, IXGBE_IVAR_MISC,
		    IXGBE_FIELD_PREP(IXGBE_IVAR_MISC_OTHER, 5) | IXGBE_IVAR_MISC_OTHER_VALID);
	model_write(*state, IXGBE_EIMS, IXGBE_EICR_LSC);
	assert_false(model_irq_pending(*state, 5));
	control(*state, "link down");
	assert_true(model_irq_wait(*state, 5));
	model_write(*state, IXGBE_EICR, IXGBE_EICR_LSC);
	control(*state, "link up");
	assert_true(model_irq_wait(*state, 5));
}

static void no_phy_answers(void **state)
{
	model_write(*state, IXGBE_MSCA,
		    IXGBE_FIELD_PREP(IXGBE_MSCA_OPCODE, IXGBE_MSCA_OPCODE_READ) |
			    IXGBE_MSCA_MDICMD);
	assert_false(model_read(*state, IXGBE_MSCA) & IXGBE_MSCA_MDICMD);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_MSRWD_READ_DATA, model_read(*state, IXGBE_MSRWD)),
			 0xffff);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(comes_up_at_10g),
		cmocka_unit_test_setup_teardown(without_a_cable_it_stays_down, setup_down,
						model_stop),
		TEST(operator_pulls_and_plugs),
		TEST(bit_7_says_nothing),
		TEST(laser_off_is_link_down),
		TEST(restart_takes_it_down_and_up),
		TEST(pipeline_reset_shows_a_state),
		cmocka_unit_test_setup_teardown(forced_up_without_a_cable, setup_down, model_stop),
		TEST(change_fires_the_vector_of_other_causes),
		TEST(no_phy_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
