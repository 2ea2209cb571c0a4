/* SPDX-License-Identifier: MIT */
/*
 * The resets, what each of them leaves, the PCIe master, and what a start-up polls.
 */
#include <time.h>

#include "model_rings.h"

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

/* Returns the causes, which the look has cleared. */
static uint32_t check_common(struct model *m)
{
	const uint32_t eicr = model_read(m, IXGBE_EICR);

	assert_int_equal(model_read(m, IXGBE_AT(MTA, 7)), 0);
	assert_int_equal(eicr & IXGBE_EICR_ECC, 0);
	assert_int_equal(model_read(m, IXGBE_EIMS), 0);
	assert_int_equal(model_read(m, IXGBE_RAL), 0x00000002);
	assert_true(model_read(m, IXGBE_STATUS) & IXGBE_STATUS_PCIE_MASTER_ENABLE);
	assert_true(model_read(m, IXGBE_EEC) & IXGBE_EEC_AUTO_RD);
	assert_true(model_read(m, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_DMAIDONE);
	return eicr;
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
	uint32_t causes;

	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	mark(*state);
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_LRST);
	assert_int_equal(model_read(*state, IXGBE_CTRL), 0);
	causes = check_common(*state);
	assert_true(model_read(*state, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
	model_wait(*state, IXGBE_STATUS, IXGBE_STATUS_LINK_UP, IXGBE_STATUS_LINK_UP);
	causes |= model_read(*state, IXGBE_EICR);
	assert_true(causes & IXGBE_EICR_LSC); /* it was down in between */
}

static void function_level_reset(void **state)
{
	mark(*state);
	model_reset(*state);
	check_common(*state);
	assert_int_equal(model_read(*state, IXGBE_AT(MFUTP, 1)), 0);
	assert_false(model_read(*state, IXGBE_SWSM) & IXGBE_SWSM_SMBI);
}

/* A write right behind a reset. This machine may take 10 ms for a message, but not always. */
static void impatient(struct model *m, uint32_t at, uint32_t value)
{
	long long before = model_control_int(m, "violations", "total");

	for (int i = 0; i < 1000 && model_control_int(m, "violations", "total") == before; i++) {
		model_write(m, IXGBE_CTRL, IXGBE_CTRL_RST);
		model_write(m, at, value);
	}
	assert_true(model_control_int(m, "violations", "counts.RESET_NOT_WAITED") > before);
}

static void impatience_is_a_violation(void **state)
{
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
	assert_int_equal(model_read(*state, IXGBE_CTRL), 0); /* writes are posted: now it began */
	wait_10ms();
	model_write(*state, IXGBE_AT(MTA, 0), 1);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
	/* Of CTRL another reset may come at once, and nothing else. */
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
	impatient(*state, IXGBE_AT(MTA, 0), 1);
	impatient(*state, IXGBE_CTRL, 0);
	assert_true(model_control_int(*state, "violations", "counts.RESET_NOT_WAITED") > 1);
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

/* Specification clarification 9: without a link a frame is left, and DMA does not end. */
static void leave_a_frame(struct model *m)
{
	struct ring rx, tx;
	struct built f;

	rings_start(m, &rx, &tx);
	json_decref(model_control(m, "link down"));
	model_wait(m, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	model_clear(m, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	model_clear(m, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_set(m, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
	assert_true(model_read(m, IXGBE_STATUS) & IXGBE_STATUS_PCIE_MASTER_ENABLE);
}

/* `ns`: how long; the datasheet asks for 20 us. Whether DMA has come to its end. */
static bool flush(struct model *m, bool looped, long ns)
{
	const struct timespec wait = {.tv_nsec = ns};

	if (looped)
		model_set(m, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	model_set(m, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR);
	model_read(m, IXGBE_GCR_EXT);
	nanosleep(&wait, NULL);
	model_clear(m, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR);
	model_clear(m, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	return !(model_read(m, IXGBE_STATUS) & IXGBE_STATUS_PCIE_MASTER_ENABLE);
}

/* Whether a frame goes out, from a ring of its own. */
static bool sends(struct model *m)
{
	struct ring rx, tx;
	struct built f;
	uint8_t data[MODEL_FRAME_MAX];

	json_decref(model_control(m, "link up"));
	rings_start(m, &rx, &tx);
	frame_raw(&f, NULL, 80);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	if (model_wire_quiet(m))
		return false;
	assert_int_equal(model_wire_recv(m, data, sizeof(data)), f.len);
	return true;
}

static void a_flush_and_two_resets_are_right(void **state)
{
	leave_a_frame(*state);
	assert_false(flush(*state, false, 100000)); /* not looped back */
	assert_true(flush(*state, true, 100000));
	model_software_reset(*state);
	model_software_reset(*state);
	assert_true(sends(*state));
	rings_end(*state, 0);
}

static void one_reset_is_too_few(void **state)
{
	leave_a_frame(*state);
	assert_true(flush(*state, true, 100000));
	model_software_reset(*state);
	assert_false(sends(*state));
	assert_int_equal(model_control_int(*state, "violations", "counts.RESET_STUCK"), 1);
	rings_end(*state, 1);
}

static void a_reset_without_a_flush_is_a_violation(void **state)
{
	leave_a_frame(*state);
	model_software_reset(*state);
	model_software_reset(*state);
	assert_int_equal(model_control_int(*state, "violations", "counts.RESET_STUCK"), 1);
	rings_end(*state, 1);
}

static void with_a_link_nothing_is_left(void **state)
{
	leave_a_frame(*state);
	json_decref(model_control(*state, "link up"));
	model_wait(*state, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE, 0);
	model_software_reset(*state);
	assert_true(sends(*state));
	rings_end(*state, 0);
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
	assert_int_equal(model_control_int(m, "violations", "total"), 0);
}

/* No security offload: its blocks do not come on. */
static void security_blocks_stay_off(void **state)
{
	struct model *m = *state;

	assert_true(model_read(m, IXGBE_SECRXSTAT) & IXGBE_SECRXSTAT_SECRX_OFF_DIS);
	model_write(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	assert_true(model_read(m, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_SECRX_DIS);
	assert_int_equal(model_control_int(m, "violations", "counts.SECURITY_ON"), 1);
	model_write(m, IXGBE_SECTXCTRL, 0);
	assert_true(model_read(m, IXGBE_SECTXCTRL) & IXGBE_SECTXCTRL_SECTX_DIS);
	assert_int_equal(model_control_int(m, "violations", "counts.SECURITY_ON"), 2);
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
	/* So did all that should have been done before. */
	assert_int_equal(model_control_int(m, "violations", "counts.INIT_NOT_WAITED"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.DRV_LOAD"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.RXEN_WITHOUT_QUEUE"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.RX_BUFFER_SUM"), 1);
	assert_int_equal(model_control_int(m, "violations", "counts.FCRTH_MARK"), 1);
	assert_int_equal(model_control_int(m, "violations", "total"), 9);
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
		TEST(a_flush_and_two_resets_are_right),
		TEST(one_reset_is_too_few),
		TEST(a_reset_without_a_flush_is_a_violation),
		TEST(with_a_link_nothing_is_left),
		TEST(security_paths_stop_and_go),
		TEST(security_blocks_stay_off),
		TEST(start_up_rules_are_watched),
		TEST(flow_director_commands_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
