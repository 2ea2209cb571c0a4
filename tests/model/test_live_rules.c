/* SPDX-License-Identifier: MIT */
/*
 * What a driver changes while the NIC runs: rules that a start kept can be broken later. Each row
 * is one change to a NIC that runs and keeps all of them.
 */
#include <stdio.h>
#include <string.h>

#include "model_rings.h"

struct late {
	const char *rule; /* NULL: none */
	struct model_change step[3];
};

static void go_on(struct model *m, const struct late *late)
{
	model_change(m, late->step, 3);
}

#define MFS(bytes) IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, bytes)
#define RXPB(kib)  IXGBE_FIELD_PREP(IXGBE_RXPBSIZE_SIZE, kib)
#define ARBDIS                                                                                     \
	{                                                                                          \
		IXGBE_RTTDCS, 0, IXGBE_RTTDCS_ARBDIS                                               \
	}

/* Shown by the write itself. */
static const struct late at_once[] = {
	{"RX_BUFFER_SUM", {{IXGBE_AT(RXPBSIZE, 1), 0, RXPB(1)}}},
	{"FCRTH_MARK", {{IXGBE_FCRTH, IXGBE_FCRTH_RTH, 0}}},
	{"FCRTH_MARK", {{IXGBE_RXPBSIZE, IXGBE_RXPBSIZE_SIZE, RXPB(32)}}},
	{"FLOW_CONTROL", {{IXGBE_MFLCN, 0, IXGBE_MFLCN_RPFCE | IXGBE_MFLCN_RFCE}}},
	{"FLOW_CONTROL", {{IXGBE_FCCFG, 0, 8}, {IXGBE_HLREG0, IXGBE_HLREG0_TXCRCEN, 0}}},
	{"FLOW_CONTROL", {{IXGBE_HLREG0, IXGBE_HLREG0_TXCRCEN, 0}, {IXGBE_FCCFG, 0, 8}}},
	{"RDRXCTL_RSC", {{IXGBE_RDRXCTL, IXGBE_RDRXCTL_RSCACKC, 0}}},
	{"RDRXCTL_RSC", {{IXGBE_RDRXCTL, 0, IXGBE_RDRXCTL_RSCFRSTSIZE}}},
	{"FCTRL_WITH_RXEN", {{IXGBE_FCTRL, 0, IXGBE_FCTRL_MPE}}},
	{"TX_BUFFER_SUM", {ARBDIS, {IXGBE_TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, 159}}},
	{"TX_BUFFER_SUM",
	 {{IXGBE_HLREG0, 0, IXGBE_HLREG0_JUMBOEN}, {IXGBE_MAXFRS, IXGBE_MAXFRS_MFS, MFS(10233)}}},
	{"TX_BUFFER_SUM",
	 {{IXGBE_MAXFRS, IXGBE_MAXFRS_MFS, MFS(10233)}, {IXGBE_HLREG0, 0, IXGBE_HLREG0_JUMBOEN}}},
	{"TX_BUFFER_LIVE", {ARBDIS, {IXGBE_AT(TXPBSIZE, 1), 0, 1024}}},
	{"TX_BUFFER_LIVE", {ARBDIS, {IXGBE_MTQC, 0, 1}}},
	{"TX_ARBITER", {{IXGBE_TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, 140}}},
	{"TX_VLAN_TYPE", {{IXGBE_VLNCTRL, IXGBE_VLNCTRL_VET, 0x88a8}}},
	{"DOUBLE_VLAN", {{IXGBE_DMATXCTL, 0, IXGBE_DMATXCTL_GDV}}},
	{"EXTENDED_VLAN_LIVE", {{IXGBE_CTRL_EXT, 0, IXGBE_CTRL_EXT_EXTENDED_VLAN}}},
	{"TX_RING_LIVE", {{IXGBE_TDWBAL, 0, 0x1000}}},
	{"TX_RING_LIVE", {{IXGBE_TDWBAH, 0, 1}}},
};

/* Shown by the next frame. */
static const struct late at_a_frame[] = {
	{"RX_CRC_STRIP", {{IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP, 0}}},
	{"RX_CRC_STRIP", {{IXGBE_RDRXCTL, IXGBE_RDRXCTL_CRCSTRIP, 0}}},
	{"RX_NO_SNOOP", {{IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS, 0}}},
	{"RX_DCA_RESERVED", {{IXGBE_DCA_RXCTRL, 0, IXGBE_DCA_RXCTRL_RESERVED_ZERO}}},
	{"RX_DCA_RESERVED", {{IXGBE_DCA_RXCTRL, 0, IXGBE_DCA_RXCTRL_DESC_WB_RO_EN}}},
};

/* What a driver may do at any time. */
static const struct late allowed[] = {
	{NULL, {{IXGBE_FCRTH, IXGBE_FCRTH_RTH, 64 * 1024}}},
	{NULL, {{IXGBE_RXPBSIZE, IXGBE_RXPBSIZE_SIZE, RXPB(256)}}},
	/* Flow control, negotiated anew: on, and off again with FCEN after TFCE. */
	{NULL,
	 {{IXGBE_MFLCN, 0, IXGBE_MFLCN_RFCE}, {IXGBE_FCCFG, 0, 8}, {IXGBE_FCRTH, 0, 1u << 31}}},
	{NULL, {{IXGBE_FCRTH, 0, IXGBE_FCRTH_FCEN}, {IXGBE_FCRTH, IXGBE_FCRTH_FCEN, 0}}},
	/* The longest frame that leaves room above 150 KiB, with two tags beside. */
	{NULL,
	 {{IXGBE_HLREG0, 0, IXGBE_HLREG0_JUMBOEN}, {IXGBE_MAXFRS, IXGBE_MAXFRS_MFS, MFS(10232)}}},
	{NULL, {ARBDIS, {IXGBE_TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, 158}}},
	{NULL, {ARBDIS, {IXGBE_DTXMXSZRQ, 0, IXGBE_DTXMXSZRQ_MAX_BYTES}}},
	{NULL, {{IXGBE_VLNCTRL, 0, IXGBE_VLNCTRL_VFE}}},
	{NULL, {{IXGBE_RFCTL, 0, IXGBE_RFCTL_RSC_DIS}}},
	{NULL, {{IXGBE_PSRTYPE, 0, IXGBE_PSRTYPE_SPLIT_TCP}}},
	{NULL, {{IXGBE_EITR, 0, IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, 1)}}},
	{NULL, {{IXGBE_TDWBAL, 0, 0}}},
};

static void a_write_shows_it(void **state)
{
	for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++) {
		struct ring rx, tx;

		print_message("# %zu %s\n", i, at_once[i].rule);
		rings_start(*state, &rx, &tx);
		rx_one_frame(*state, &rx);
		rings_end(*state, 0);
		go_on(*state, &at_once[i]);
		assert_int_equal(model_broken(*state, at_once[i].rule), 1);
		rings_end(*state, 1);
		go_on(*state, &at_once[i]); /* changes nothing */
		rings_end(*state, 1);
		model_restart(*state);
	}
}

static void the_next_frame_shows_it(void **state)
{
	for (size_t i = 0; i < sizeof(at_a_frame) / sizeof(at_a_frame[0]); i++) {
		struct ring rx, tx;

		print_message("# %zu %s\n", i, at_a_frame[i].rule);
		rings_start(*state, &rx, &tx);
		rx_one_frame(*state, &rx);
		go_on(*state, &at_a_frame[i]);
		rings_end(*state, 0);
		rx_one_frame(*state, &rx);
		rx_one_frame(*state, &rx);
		assert_int_equal(model_broken(*state, at_a_frame[i].rule), 1);
		rings_end(*state, 1);
		model_restart(*state);
	}
}

/* A queue above 63 has rows of its own. */
static void high_queues_too(void **state)
{
	struct ring rx;

	rings_begin(*state);
	rx_open(&rx, *state, 64, 64, 2, 0);
	model_write(*state, IXGBE_ETQF, IXGBE_ETQF_FILTER_EN | 0x88b5);
	model_write(*state, IXGBE_ETQS,
		    IXGBE_ETQS_QUEUE_EN | IXGBE_FIELD_PREP(IXGBE_ETQS_RX_QUEUE, 64));
	rings_go(*state);
	rx_one_frame(*state, &rx);
	rings_end(*state, 0);
	model_set(*state, ixgbe_rxq_reg(IXGBE_DCA_RXCTRL, 64), IXGBE_DCA_RXCTRL_RESERVED_ZERO);
	rx_one_frame(*state, &rx);
	assert_int_equal(model_broken(*state, "RX_DCA_RESERVED"), 1);
	rings_end(*state, 1);
}

static void other_changes_are_free(void **state)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		struct ring rx, tx;

		print_message("# %zu\n", i);
		rings_start(*state, &rx, &tx);
		rx_one_frame(*state, &rx);
		go_on(*state, &allowed[i]);
		rx_one_frame(*state, &rx);
		rings_end(*state, 0);
		model_restart(*state);
	}
}

/* While the NIC does not run most of it is nobody's business: a start shows the rest. */
static void a_nic_at_rest_is_free(void **state)
{
	for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++) {
		bool arbiter = strcmp(at_once[i].rule, "TX_ARBITER") == 0;

		print_message("# %zu %s\n", i, at_once[i].rule);
		go_on(*state, &at_once[i]);
		rings_end(*state, arbiter);
		model_restart(*state);
	}
}

/* The mode of interrupts is judged when the first one goes on, by either name, and when it is
 * changed while one is on. */
static void interrupts_keep_their_mode(void **state)
{
	const uint32_t mode = IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT;
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, mode);
	model_write(m, IXGBE_EIAC, 0xffff);
	model_write(m, IXGBE_AT(EIMS_EX, 0), 1);
	model_write(m, IXGBE_GPIE, mode | IXGBE_GPIE_OCD | IXGBE_GPIE_EIAME);
	model_write(m, IXGBE_EIAC, 1);
	rings_end(m, 0);
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX);
	assert_int_equal(model_broken(m, "IRQ_MODE"), 1);
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_OCD); /* not of the mode */
	model_write(m, IXGBE_GPIE, mode);
	rings_end(m, 1);
	model_write(m, IXGBE_AT(EIMC_EX, 0), 1);
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX);
	rings_end(m, 1);
	model_write(m, IXGBE_AT(EIMS_EX, 1), 1);
	assert_int_equal(model_broken(m, "IRQ_MODE"), 2);
	model_write(m, IXGBE_AT(EIMC_EX, 1), 1);
	model_write(m, IXGBE_EIAC, 0);
	model_write(m, IXGBE_GPIE, 0);
	model_write(m, IXGBE_EIMS, 1);
	rings_end(m, 2);
	model_write(m, IXGBE_EIAC, 1);
	assert_int_equal(model_broken(m, "IRQ_MODE"), 3);
	rings_end(m, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(a_write_shows_it),      T(the_next_frame_shows_it),
		T(high_queues_too),       T(other_changes_are_free),
		T(a_nic_at_rest_is_free), T(interrupts_keep_their_mode),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
