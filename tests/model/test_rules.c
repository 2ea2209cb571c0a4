/* SPDX-License-Identifier: MIT */
/*
 * The rules for a driver's start (section 4.6): each is broken by one change to a start that keeps
 * them all. That the start keeps them is what all other tests of rings show, and the first here.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model_rings.h"

struct breach {
	const char *rule;
	struct model_change change[2];
};

static void change(struct model *m, const struct breach *breach)
{
	model_change(m, breach->change, 2);
}

#define FCRTH_ALL (IXGBE_FCRTH_RTH | IXGBE_FCRTH_FCEN)

/* Before RXEN. */
static const struct breach at_rxen[] = {
	{"RXEN_WITHOUT_QUEUE", {{IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE, 0}}},
	{"RX_BUFFER_SUM", {{IXGBE_AT(RXPBSIZE, 1), 0, 1024}}},
	{"RX_BUFFER_SUM", {{IXGBE_AT(RXPBSIZE, 7), 0, 512 * 1024}}},
	{"FCRTH_MARK", {{IXGBE_FCRTH, FCRTH_ALL, 0}}},
	{"FCRTH_MARK",
	 {{IXGBE_FCRTH, FCRTH_ALL, IXGBE_FCRTH_RTH},
	  {IXGBE_RXPBSIZE, IXGBE_RXPBSIZE_SIZE, 256 * 1024}}},
	{"FCRTH_MARK", {{IXGBE_RXPBSIZE, IXGBE_RXPBSIZE_SIZE, 32 * 1024}}},
	{"FLOW_CONTROL", {{IXGBE_MFLCN, 0, IXGBE_MFLCN_RPFCE | IXGBE_MFLCN_RFCE}}},
	{"FLOW_CONTROL", {{IXGBE_FCRTH, 0, IXGBE_FCRTH_FCEN}}},
	{"FLOW_CONTROL", {{IXGBE_FCCFG, 0, 8}, {IXGBE_HLREG0, IXGBE_HLREG0_TXCRCEN, 0}}},
	{"DRV_LOAD", {{IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD, 0}}},
	{"RDRXCTL_RSC", {{IXGBE_RDRXCTL, IXGBE_RDRXCTL_RSCACKC, 0}}},
};

/* All that follows from a frame. */
static const struct breach at_first_frame[] = {
	{"RX_CRC_STRIP", {{IXGBE_RDRXCTL, IXGBE_RDRXCTL_CRCSTRIP, 0}}},
	{"RX_CRC_STRIP", {{IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP, 0}}},
	{"RX_NO_SNOOP", {{IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS, 0}}},
	{"RX_DCA_RESERVED", {{IXGBE_DCA_RXCTRL, 0, IXGBE_DCA_RXCTRL_RESERVED_ZERO}}},
	{"RX_DCA_RESERVED", {{IXGBE_DCA_RXCTRL, 0, IXGBE_DCA_RXCTRL_DESC_WB_RO_EN}}},
};

/* Before TE. */
static const struct breach at_te[] = {
	{"TX_BUFFER_SUM",
	 {{IXGBE_RTTDCS, 0, IXGBE_RTTDCS_ARBDIS}, {IXGBE_AT(TXPBSIZE, 1), 0, 1024}}},
	{"TX_BUFFER_SUM",
	 {{IXGBE_RTTDCS, 0, IXGBE_RTTDCS_ARBDIS},
	  {IXGBE_TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, 159}}},
	{"TX_BUFFER_SUM",
	 {{IXGBE_RTTDCS, 0, IXGBE_RTTDCS_ARBDIS}, {IXGBE_TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, 0}}},
	{"TX_BUFFER_SUM",
	 {{IXGBE_RTTDCS, 0, IXGBE_RTTDCS_ARBDIS}, {IXGBE_TXPBSIZE, IXGBE_TXPBSIZE_SIZE, 0}}},
	{"TX_BUFFER_SUM",
	 {{IXGBE_HLREG0, 0, IXGBE_HLREG0_JUMBOEN},
	  {IXGBE_MAXFRS, IXGBE_MAXFRS_MFS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 11000)}}},
	{"TX_ARBITER", {{IXGBE_TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, 140}}},
	{"TX_ARBITER", {{IXGBE_AT(TXPBSIZE, 0), IXGBE_TXPBSIZE_SIZE, 159 * 1024}}},
	{"TX_ARBITER", {{IXGBE_DTXMXSZRQ, 0, IXGBE_DTXMXSZRQ_MAX_BYTES}}},
	{"TX_ARBITER", {{IXGBE_MTQC, 0, 1}}},
	{"TX_VLAN_TYPE", {{IXGBE_DMATXCTL, IXGBE_DMATXCTL_VLT, 0x88a8u << 16}}},
	{"TX_VLAN_TYPE", {{IXGBE_VLNCTRL, IXGBE_VLNCTRL_VET, 0x88a8}}},
	{"DOUBLE_VLAN", {{IXGBE_DMATXCTL, 0, IXGBE_DMATXCTL_GDV}}},
	{"DOUBLE_VLAN", {{IXGBE_CTRL_EXT, 0, IXGBE_CTRL_EXT_EXTENDED_VLAN}}},
	{"DRV_LOAD", {{IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD, 0}}},
};

static void a_start_keeps_them(void **state)
{
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	rx_one_frame(*state, &rx);
	rings_te_off(*state);
	model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	rings_end(*state, 0);
}

static void at_rxen_each(void **state)
{
	for (size_t i = 0; i < sizeof(at_rxen) / sizeof(at_rxen[0]); i++) {
		struct ring rx;

		print_message("# %s\n", at_rxen[i].rule);
		rings_begin(*state);
		rx_open(&rx, *state, 0, 64, 2, 0);
		change(*state, &at_rxen[i]);
		rings_end(*state, 0);
		rings_go(*state);
		assert_int_equal(model_broken(*state, at_rxen[i].rule), 1);
		rings_end(*state, 1);
		/* RXEN that stays on is judged once. */
		model_set(*state, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
		rings_end(*state, 1);
		model_restart(*state);
	}
}

static void at_the_first_frame_each(void **state)
{
	for (size_t i = 0; i < sizeof(at_first_frame) / sizeof(at_first_frame[0]); i++) {
		struct ring rx;

		print_message("# %s\n", at_first_frame[i].rule);
		rings_begin(*state);
		rx_open(&rx, *state, 0, 64, 2, 0);
		change(*state, &at_first_frame[i]);
		rings_go(*state);
		rings_end(*state, 0);
		rx_one_frame(*state, &rx);
		rx_one_frame(*state, &rx);
		assert_int_equal(model_broken(*state, at_first_frame[i].rule), 1);
		rings_end(*state, 1);
		model_restart(*state);
	}
}

static void at_te_each(void **state)
{
	for (size_t i = 0; i < sizeof(at_te) / sizeof(at_te[0]); i++) {
		print_message("# %s\n", at_te[i].rule);
		rings_begin(*state);
		rings_te_off(*state);
		change(*state, &at_te[i]);
		model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
		assert_int_equal(model_broken(*state, at_te[i].rule), 1);
		rings_end(*state, 1);
		model_restart(*state);
	}
}

/* After each reset anew (4.6.3). */
static void waits_are_watched(void **state)
{
	rings_begin(*state);
	for (uint32_t seen = 0; seen < 2; seen++) {
		model_clear(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
		model_clear(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
		model_software_reset(*state);
		model_set(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
		(void)model_read(*state, IXGBE_EEC);
		if (seen)
			(void)model_read(*state, IXGBE_RDRXCTL);
		model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
		assert_int_equal(model_broken(*state, "INIT_NOT_WAITED"), 1);
	}
}

static void resets_come_without_interrupts(void **state)
{
	model_write(*state, IXGBE_EIMS, 1);
	for (uint32_t on = 1; on < 3; on++) {
		model_software_reset(*state);
		assert_int_equal(model_broken(*state, "RESET_WITH_IRQ"), on);
		rings_end(*state, on);
		model_write(*state, IXGBE_AT(EIMS_EX, 1), 1);
	}
	model_write(*state, IXGBE_EIMC, 0x7fffffff);
	model_write(*state, IXGBE_AT(EIMC_EX, 1), 1);
	model_write(*state, IXGBE_CTRL, IXGBE_CTRL_RST);
	rings_end(*state, 2);
}

static void double_vlan_is_not_switched_live(void **state)
{
	struct ring rx, tx;

	model_set(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_EXTENDED_VLAN);
	model_set(*state, IXGBE_DMATXCTL, IXGBE_DMATXCTL_GDV);
	rings_start(*state, &rx, &tx);
	rings_end(*state, 0);
	model_clear(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_EXTENDED_VLAN);
	assert_int_equal(model_broken(*state, "EXTENDED_VLAN_LIVE"), 1);
	rings_end(*state, 1);
}

/* What the in-kernel driver warns of: without the handshake, frames that come hang the receiver. */
static void a_receiver_may_hang_at_rxen(void **state)
{
	for (uint32_t how = 0; how < 3; how++) {
		struct ring rx;
		struct built f;

		rings_begin(*state);
		rx_open(&rx, *state, 0, 64, 2, 0);
		model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
		frame_raw(&f, NULL, 100);
		/* A few frames, then a stream, without the handshake; then a stream with it. */
		for (uint32_t i = 0; i < (how ? 128 : 16); i++)
			model_wire_send(*state, f.data, f.len);
		model_control_wait(*state, "counters", "counters.rx_frames", how ? 128 : 16);
		if (how < 2) {
			model_set(*state, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
			assert_int_equal(model_broken(*state, "RXEN_WITHOUT_SECRX"), 1);
		} else {
			rings_go(*state);
		}
		model_wire_send(*state, f.data, f.len);
		model_control_wait(*state, "counters", "counters.rx_frames", how ? 129 : 17);
		assert_int_equal(counter(*state, "rx_drop_hung") > 0, how == 1);
		assert_int_equal(counter(*state, "rx_delivered") > 0, how != 1);
		rings_end(*state, how < 2);
		model_restart(*state);
	}
}

static void interrupts_have_a_mode(void **state)
{
	struct model *m = *state;

	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT);
	model_write(m, IXGBE_EIAC, 0xffff);
	model_write(m, IXGBE_EIMS, 1);
	model_write(m, IXGBE_EIMC, 0x7fffffff);
	model_write(m, IXGBE_GPIE, 0);
	model_write(m, IXGBE_EIAC, 0);
	model_write(m, IXGBE_EIMS, 1);
	rings_end(m, 0);
	model_write(m, IXGBE_EIMC, 0x7fffffff);
	model_write(m, IXGBE_EIAC, 1); /* nothing clears by itself without MSI-X */
	model_write(m, IXGBE_EIMS, 1);
	assert_int_equal(model_broken(m, "IRQ_MODE"), 1);
	model_write(m, IXGBE_EIMS, 3); /* they are on already */
	assert_int_equal(model_broken(m, "IRQ_MODE"), 1);
	model_write(m, IXGBE_EIMC, 0x7fffffff);
	model_write(m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX);
	model_write(m, IXGBE_EIMS, 1);
	assert_int_equal(model_broken(m, "IRQ_MODE"), 2);
	rings_end(m, 2);
}

static void descriptor_types_are_two(void **state)
{
	for (uint32_t type = 0; type < 8; type++) {
		struct ring rx;

		rings_begin(*state);
		rx_open_empty(&rx, *state, 0, 64, 2, IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE, type));
		rings_end(*state, type > IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER);
		model_restart(*state);
	}
}

/* ---- --strict ---- */

static int strict_setup(void **state)
{
	static const char *const more[] = {"--strict", NULL};

	return model_start(state, &(struct model_options){.more = more});
}

static void sends_one(struct model *m, struct ring *tx)
{
	uint8_t got[MODEL_FRAME_MAX];
	struct built f;

	frame_raw(&f, NULL, 100);
	tx_frame(tx, f.data, f.len, 0, 0);
	tx_kick(tx);
	assert_int_equal(model_wire_recv(m, got, sizeof(got)), f.len);
}

static void a_broken_rule_ends_the_dma(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;
	struct built f;
	uint32_t index;

	rings_start(m, &rx, &tx);
	rx_one_frame(m, &rx);
	sends_one(m, &tx);
	rings_end(m, 0);
	model_write(m, IXGBE_EIMC, 0xffffffff);
	frame_raw(&f, NULL, 100);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	model_wire_send(m, f.data, f.len);
	assert_true(rx_silent(&rx));
	assert_true(model_wire_quiet(m));
	/* As a unit that hangs: the head stands, and nothing else shows it. */
	assert_false(tx_done(&tx, index));
	assert_int_equal(model_read(m, IXGBE_TDH), 1);
	assert_true(model_read(m, IXGBE_LINKS) & IXGBE_LINKS_UP);
	assert_true(model_read(m, IXGBE_TXDCTL) & IXGBE_TXDCTL_ENABLE);
	assert_int_equal(counter(m, "rx_drop_stopped"), 1);
	rings_end(m, 1);
	/* A reset helps, unless it breaks a rule itself. */
	model_software_reset(m);
	assert_int_equal(model_broken(m, "RESET_WITH_DMA"), 1);
	model_software_reset(m);
	rings_start(m, &rx, &tx);
	rx_one_frame(m, &rx);
	sends_one(m, &tx);
	rings_end(m, 2);
}

static void rogue_packets_end_it_too(void **state)
{
	struct ring rx, tx;
	uint32_t index;

	rings_start(*state, &rx, &tx);
	index = tx_desc(&tx, tx.buffer.iova, tx_data_half(100, TX_LAST, 99, 0)); /* PAYLEN */
	tx_kick(&tx);
	model_control_wait(*state, "violations", "counts.TX_PAYLEN", 1);
	assert_true(model_wire_quiet(*state));
	assert_false(tx_done(&tx, index));
	rings_end(*state, 1);
}

/* For a driver whose offences are known: the others still end it. */
static void what_is_forgiven_ends_nothing(void **state)
{
	struct model *m = *state;
	struct ring rx, tx;

	rings_start(m, &rx, &tx);
	json_decref(model_control(m, "strict but DRV_LOAD,EIMC_RESERVED"));
	model_write(m, IXGBE_EIMC, 0xffffffff);
	assert_int_equal(model_broken(m, "EIMC_RESERVED"), 1);
	rx_one_frame(m, &rx);
	sends_one(m, &tx);
	/* No rule of that name: all stays as it was. */
	json_decref(model_control(m, "strict but EIMC_RESERVED,NO_RULE"));
	json_decref(model_control(m, "strict but FCTRL_WITH_RXEN"));
	json_decref(model_control(m, "violations zero"));
	model_set(m, IXGBE_FCTRL, IXGBE_FCTRL_MPE);
	rx_one_frame(m, &rx);
	json_decref(model_control(m, "strict off"));
	model_write(m, IXGBE_EIMC, 0xffffffff);
	rx_one_frame(m, &rx);
	json_decref(model_control(m, "strict on"));
	rx_one_frame(m, &rx);
	model_clear(m, IXGBE_FCTRL, IXGBE_FCTRL_MPE);
	assert_true(rx_silent(&rx));
	rings_end(m, 3);
}

static void strict_has_three_forms(void **state)
{
	static const char *const wrong[] = {
		"strict",
		"strict maybe",
		"strict but",
		"strict on TX_RS",
		"strict but x",
		"strict but TX_RS x",
		"strict but TX_RS,,TX_RS",
		"strict but ,TX_RS",
		"strict but TX_RS,",
		"strict but TX_R",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *reply = model_control(*state, wrong[i]);

		assert_non_null(json_object_get(reply, "error"));
		json_decref(reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(a_start_keeps_them),
		T(at_rxen_each),
		T(at_the_first_frame_each),
		T(at_te_each),
		T(waits_are_watched),
		T(resets_come_without_interrupts),
		T(double_vlan_is_not_switched_live),
		T(a_receiver_may_hang_at_rxen),
		T(interrupts_have_a_mode),
		T(descriptor_types_are_two),
#undef T
#define T(name) cmocka_unit_test_setup_teardown(name, strict_setup, model_stop)
		T(a_broken_rule_ends_the_dma),
		T(rogue_packets_end_it_too),
		T(what_is_forgiven_ends_nothing),
		T(strict_has_three_forms),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
