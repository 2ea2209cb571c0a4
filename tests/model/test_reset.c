/* SPDX-License-Identifier: MIT */
/*
 * The resets, what each of them leaves, the PCIe master, and what a start-up polls.
 */
#include <time.h>

#include "harness.h"

static void wait_10ms(void)
{
	const struct timespec wait = {.tv_nsec = 10000000};

	nanosleep(&wait, NULL);
}

static void master_disable_shows_in_status(void **state)
{
	assert_true(model_read(*state, IXGBE_STATUS) & IXGBE_STATUS_PCIE_MASTER_ENABLE);
	model_set(*state, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
	model_wait(*state, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE, 0);
	model_clear(*state, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
	model_wait(*state, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE,
		   IXGBE_STATUS_PCIE_MASTER_ENABLE);
}

/* Leaves a mark in a plain register, in a semaphore, in a filter of the firmware, in EICR. */
static void mark(struct model *m)
{
	model_write(m, IXGBE_AT(MTA, 7), 0x12345678);
	model_write(m, IXGBE_AT(MFUTP, 1), 0x00010002);
	model_read(m, IXGBE_SWSM);
	model_write(m, IXGBE_EICS, IXGBE_EICR_ECC);
	model_write(m, IXGBE_EIMS, 0x00000001);
	model_write(m, IXGBE_RAL, 0xffffffff);
}

static void check_common(struct model *m)
{
	assert_int_equal(model_read(m, IXGBE_AT(MTA, 7)), 0);
	assert_int_equal(model_read(m, IXGBE_EICR) & IXGBE_EICR_ECC, 0);
	assert_int_equal(model_read(m, IXGBE_EIMS), 0);
	assert_int_equal(model_read(m, IXGBE_RAL), 0x00000002);
	assert_true(model_read(m, IXGBE_STATUS) & IXGBE_STATUS_PCIE_MASTER_ENABLE);
	assert_true(model_read(m, IXGBE_EEC) & IXGBE_EEC_AUTO_RD);
	assert_true(model_read(m, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_DMAIDONE);
}

/* The link lives through it. */
static void software_reset(void **state)
{
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	mark(*state);
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
	assert_int_equal(model_read(*state, IXGBE_CTRL), 0);
	assert_true(model_read(*state, IXGBE_LINKS) & IXGBE_LINKS_UP);
	check_common(*state);
	assert_int_equal(model_read(*state, IXGBE_AT(MFUTP, 1)), 0x00010002);
	assert_true(model_read(*state, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
}

static void link_reset(void **state)
{
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	mark(*state);
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_LRST);
	assert_int_equal(model_read(*state, IXGBE_CTRL), 0);
	check_common(*state);
	assert_true(model_read(*state, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
	model_wait(*state, IXGBE_STATUS, IXGBE_STATUS_LINK_UP, IXGBE_STATUS_LINK_UP);
	/* It was down in between. */
	assert_true(model_read(*state, IXGBE_EICR) & IXGBE_EICR_LSC);
}

static void function_level_reset(void **state)
{
	mark(*state);
	model_reset(*state);
	check_common(*state);
	assert_int_equal(model_read(*state, IXGBE_AT(MFUTP, 1)), 0);
	assert_false(model_read(*state, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
}

static void impatience_is_a_violation(void **state)
{
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
	assert_int_equal(model_read(*state, IXGBE_CTRL), 0); /* writes are posted: now it began */
	wait_10ms();
	model_write(*state, IXGBE_AT(MTA, 0), 1);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
	/* This machine may take 10 ms for a message, but not always. */
	for (int i = 0; i < 1000; i++) {
		model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
		model_write(*state, IXGBE_AT(MTA, 0), 1);
		if (model_control_int(*state, "violations", "total"))
			break;
	}
	assert_true(model_control_int(*state, "violations", "counts.RESET_NOT_WAITED") > 0);
}

/* A driver that forgets to stop its queues. */
static void reset_while_a_queue_runs_is_a_violation(void **state)
{
	struct model *m = *state;
	struct model_dma ring = model_dma_new(m, 4096);

	model_write(m, IXGBE_RDBAL, (uint32_t)ring.iova);
	model_write(m, IXGBE_RDBAH, (uint32_t)(ring.iova >> 32));
	model_write(m, IXGBE_RDLEN, 128);
	model_set(m, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_wait(m, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
	model_set(m, IXGBE_CTRL, IXGBE_CTRL_RST);
	assert_int_equal(model_read(m, IXGBE_RXDCTL) & IXGBE_RXDCTL_ENABLE, 0);
	assert_int_equal(model_control_int(m, "violations", "counts.RESET_WITH_DMA"), 1);
	model_dma_free(m, &ring);
}

static void security_paths_stop_and_go(void **state)
{
	struct model *m = *state;

	assert_false(model_read(m, IXGBE_SECRXSTAT) & IXGBE_SECRXSTAT_SECRX_RDY);
	model_set(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	model_wait(m, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY, IXGBE_SECRXSTAT_SECRX_RDY);
	model_clear(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	model_wait(m, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY, 0);
	model_set(m, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS);
	model_wait(m, IXGBE_SECTXSTAT, IXGBE_SECTXSTAT_SECTX_RDY, IXGBE_SECTXSTAT_SECTX_RDY);
	/* No security offload: its blocks do not come on. */
	assert_true(model_read(m, IXGBE_SECRXSTAT) & IXGBE_SECRXSTAT_SECRX_OFF_DIS);
	model_write(m, IXGBE_SECRXCTRL, 0);
	assert_true(model_read(m, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_SECRX_DIS);
}

static void start_up_rules_are_watched(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	model_write(m, IXGBE_FCTRL, IXGBE_FCTRL_BAM);
	model_write(m, IXGBE_DTXMXSZRQ, 0x1010);
	assert_int_equal(model_control_int(m, "violations", "counts.RXEN_WITHOUT_SECRX"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.RDRXCTL_RSC"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.FCTRL_WITH_RXEN"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.DTXMXSZRQ_BITS"), 1);
	assert_int_equal(model_control_int(m, "violations", "total"), 4);
}

static void flow_director_commands_end(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_FDIRCTRL,
		    IXGBE_FIELD_PREP(IXGBE_FDIRCTRL_PBALLOC, IXGBE_FDIRCTRL_PBALLOC_64K));
	model_wait(m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE, IXGBE_FDIRCTRL_INIT_DONE);
	model_write(m, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CMD_ADD);
	model_wait(m, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CMD, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
	const struct CMUnitTest tests[] = {
		TEST(master_disable_shows_in_status),
		TEST(software_reset),
		TEST(link_reset),
		TEST(function_level_reset),
		TEST(impatience_is_a_violation),
		TEST(reset_while_a_queue_runs_is_a_violation),
		TEST(security_paths_stop_and_go),
		TEST(start_up_rules_are_watched),
		TEST(flow_director_commands_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
