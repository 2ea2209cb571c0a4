/* SPDX-License-Identifier: MIT */
/*
 * A NIC that is not new: --dirty. Each rule that only such a NIC judges is kept by the start of a
 * driver that does all of it right, and broken by one that leaves a single step out.
 */
#include <time.h>

#include "harness.h"

#define US 1000l
#define MS 1000000l

/* What is done otherwise than it should be. */
enum wrong {
	NOTHING,
	INTERRUPTS_LEFT,
	QUEUES_LEFT,
	END_NOT_SEEN,
	NO_IDLE_TIME,
	NO_MASTER_DISABLE,
	NO_FLUSH,
	FLUSH_TOO_SHORT,
	PENDING_FLUSHED,
	NO_QUIET,
	RESET_IN_RESET,
	INIT_TOO_EARLY,
	MEMORY_LEFT,
	SETUP_LEFT,
	ARBITER_RUNS,
	RXEN_HALTED_NOT,
	RXEN_OFF_HALTED_NOT,
	RSS_BEFORE_TABLE,
	JUMBO_LEFT,
	RELAXED_LEFT,
	HEADERS_SPLIT,
	TE_TOO_EARLY,
	ADDRESS_VALID,
	POOLS_LEFT,
	OTHER_MARKS, /* right ones */
};

static void pause_ns(long ns)
{
	const struct timespec wait = {.tv_nsec = ns};

	nanosleep(&wait, NULL);
}

static long long broken(struct model *m, const char *rule)
{
	json_t *reply = model_control(m, "violations");
	long long count =
		json_integer_value(json_object_get(json_object_get(reply, "counts"), rule));

	json_decref(reply);
	return count;
}

static int start(void **state)
{
	static const char *const more[] = {"--dirty", "1", NULL};

	return model_start(state, &(struct model_options){.more = more});
}

static int start_as_master(void **state)
{
	static const char *const more[] = {"--dirty", "1", NULL};

	return model_start(state, &(struct model_options){.more = more, .master_stays = true});
}

/* With short waits so long that a message is none. */
static int start_slowly(void **state)
{
	static const char *const more[] = {"--dirty", "1", "--slow", "40", NULL};

	return model_start(state, &(struct model_options){.more = more});
}

/* So slow that a busy machine, too, writes twice within a wait of a few microseconds. */
static int start_slowest(void **state)
{
	static const char *const more[] = {"--dirty", "1", "--slow", "1000", NULL};

	return model_start(state, &(struct model_options){.more = more});
}

/* ---- The start of a driver ---- */

static void receiver(struct model *m, bool on, bool halted)
{
	if (halted) {
		model_set(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
		model_wait(m, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY,
			   IXGBE_SECRXSTAT_SECRX_RDY);
	}
	if (on)
		model_set(m, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	else
		model_clear(m, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	model_clear(m, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
}

static void queue_end(struct model *m, uint32_t offset, bool seen)
{
	if (!(model_read(m, offset) & IXGBE_RXDCTL_ENABLE))
		return;
	model_clear(m, offset, IXGBE_RXDCTL_ENABLE);
	if (seen)
		model_wait(m, offset, IXGBE_RXDCTL_ENABLE, 0);
}

static void queues_end(struct model *m, enum wrong wrong)
{
	for (uint32_t q = 0; wrong != QUEUES_LEFT && q < IXGBE_RXQ_COUNT; q++) {
		queue_end(m, ixgbe_rxq_reg(IXGBE_RXDCTL, q), wrong != END_NOT_SEEN);
		queue_end(m, ixgbe_txq_reg(IXGBE_TXDCTL, q), true);
	}
	if (wrong != NO_IDLE_TIME)
		pause_ns(50 * MS);
}

static void flush(struct model *m, enum wrong wrong)
{
	while (wrong != PENDING_FLUSHED && model_config_read(m, 0xaa, 2) & 0x20)
		pause_ns(MS);
	model_set(m, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	model_set(m, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR);
	model_read(m, IXGBE_GCR_EXT);
	if (wrong != FLUSH_TOO_SHORT)
		pause_ns(10 * MS);
	model_clear(m, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	model_clear(m, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR);
}

/* Whether the device had to be flushed: one master disable of some does not come to its end. */
static bool master_disable(struct model *m, enum wrong wrong)
{
	model_set(m, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
	for (int i = 0; i < 50; i++) {
		pause_ns(MS);
		if (!(model_read(m, IXGBE_STATUS) & IXGBE_STATUS_PCIE_MASTER_ENABLE))
			return false;
	}
	if (wrong == PENDING_FLUSHED) /* the first look finds them pending */
		assert_true(model_config_read(m, 0xaa, 2) & 0x20);
	if (wrong != NO_FLUSH)
		flush(m, wrong);
	return true;
}

static void software_reset(struct model *m, enum wrong wrong)
{
	model_set(m, IXGBE_CTRL, IXGBE_CTRL_RST);
	model_read(m, IXGBE_STATUS); /* writes are posted: now it began */
	if (wrong != NO_QUIET)
		pause_ns(MS);
	if (wrong != RESET_IN_RESET)
		model_wait(m, IXGBE_CTRL, IXGBE_CTRL_RST, 0);
}

/* Whether the device had to be flushed. */
static bool quiesce_and_reset(struct model *m, enum wrong wrong)
{
	bool flushed = false;

	if (wrong != INTERRUPTS_LEFT) {
		model_write(m, IXGBE_EIMC, IXGBE_EICR_ALL);
		model_write(m, IXGBE_AT(EIMC_EX, 0), UINT32_MAX);
		model_write(m, IXGBE_AT(EIMC_EX, 1), UINT32_MAX);
	}
	receiver(m, false, wrong != RXEN_OFF_HALTED_NOT);
	queues_end(m, wrong);
	if (wrong != NO_MASTER_DISABLE)
		flushed = master_disable(m, wrong);
	software_reset(m, wrong);
	software_reset(m, wrong);
	pause_ns(10 * MS);
	if (wrong == INIT_TOO_EARLY)
		model_write(m, IXGBE_WUFC, 0);
	model_wait(m, IXGBE_EEC, IXGBE_EEC_AUTO_RD, IXGBE_EEC_AUTO_RD);
	model_wait(m, IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, IXGBE_RDRXCTL_DMAIDONE);
	return flushed;
}

#define FILL(m, name, first, value)                                                                \
	for (uint32_t i = first; i < (uint32_t)IXGBE_##name##_COUNT; i++)                          \
	model_write(m, IXGBE_AT(name, i), value)

static void tables(struct model *m, enum wrong wrong)
{
	FILL(m, PFUTA, 0, 0);
	FILL(m, PFVLVF, 0, 0);
	FILL(m, PFVLVFB, 0, 0);
	FILL(m, FTQF, 0, 0);
	FILL(m, ETQF, 0, 0);
	FILL(m, ETQS, 0, 0);
	FILL(m, MTA, 0, 0);
	if (wrong == POOLS_LEFT)
		model_write(m, IXGBE_RAH, IXGBE_RAH_AV);
	FILL(m, MPSAR, 0, 0);
	FILL(m, RTRPT4C, 0, 0);
	if (wrong != MEMORY_LEFT)
		FILL(m, VFTA, 0, 0);
	FILL(m, RSSRK, 0, 0);
	if (wrong == RSS_BEFORE_TABLE)
		model_write(m, IXGBE_MRQC, IXGBE_MRQC_MRQE_RSS);
	FILL(m, RETA, 0, 0);
	model_write(m, IXGBE_MRQC, IXGBE_MRQC_MRQE_RSS);
	model_write(m, IXGBE_WUFC, 0);
	model_write(m, IXGBE_SYNQF, 0);
	model_write(m, IXGBE_RXFECCERR0, IXGBE_RXFECCERR0_ECCFLT_EN);
}

static void receive_setup(struct model *m, enum wrong wrong)
{
	model_set(m, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS | IXGBE_CTRL_EXT_DRV_LOAD);
	model_clear(m, IXGBE_GCR, IXGBE_GCR_CMPL_TMOUT_RESEND_EN | IXGBE_GCR_CMPL_TMOUT_RESEND);
	model_write(m, IXGBE_RXPBSIZE, 512u << 10);
	FILL(m, RXPBSIZE, 1, 0);
	FILL(m, FCTTV, 0, 0);
	FILL(m, FCRTL, 0, 0);
	model_write(m, IXGBE_FCRTH, wrong == OTHER_MARKS ? 32u * 1024u : 512u * 1024u - 0x6000u);
	FILL(m, FCRTH, 1, 0);
	if (wrong != SETUP_LEFT)
		model_write(m, IXGBE_FCRTV, 0);
	model_write(m, IXGBE_FCCFG, 0);
	model_write(m, IXGBE_MFLCN, IXGBE_MFLCN_DPF);
	model_write(m, IXGBE_RTRUP2TC, 0);
	model_write(m, IXGBE_RTRPCS, 0);
	model_write(m, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
	model_write(m, IXGBE_RFCTL,
		    IXGBE_RFCTL_RSC_DIS | IXGBE_RFCTL_NFSW_DIS | IXGBE_RFCTL_NFSR_DIS);
	model_write(m, IXGBE_RDRXCTL,
		    (model_read(m, IXGBE_RDRXCTL) & ~IXGBE_RDRXCTL_RSCFRSTSIZE) |
			    IXGBE_RDRXCTL_CRCSTRIP | IXGBE_RDRXCTL_RSCACKC |
			    IXGBE_RDRXCTL_FCOE_WRFIX);
	model_write(m, IXGBE_HLREG0,
		    (model_read(m, IXGBE_HLREG0) & ~(IXGBE_HLREG0_LPBK | IXGBE_HLREG0_JUMBOEN)) |
			    IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_TXPADEN |
			    (wrong == JUMBO_LEFT ? IXGBE_HLREG0_JUMBOEN : 0));
	model_write(m, IXGBE_MAXFRS, 1518u << 16);
}

static void transmit_setup(struct model *m, enum wrong wrong)
{
	const uint32_t rttdcs = IXGBE_RTTDCS_BDPM | IXGBE_RTTDCS_BPBFSM;

	model_write(m, IXGBE_RTTDCS, wrong == ARBITER_RUNS ? 0 : rttdcs | IXGBE_RTTDCS_ARBDIS);
	model_write(m, IXGBE_DTXMXSZRQ, IXGBE_DTXMXSZRQ_MAX_BYTES);
	model_write(m, IXGBE_TXPBSIZE, 160u << 10);
	FILL(m, TXPBSIZE, 1, 0);
	model_write(m, IXGBE_TXPBTHRESH, wrong == OTHER_MARKS ? 148 : 150);
	FILL(m, TXPBTHRESH, 1, 0);
	model_write(m, IXGBE_MTQC, 0);
	model_write(m, IXGBE_RTTUP2TC, 0);
	FILL(m, RTTDT2C, 0, 0);
	FILL(m, RTTPT2C, 0, 0);
	model_write(m, IXGBE_RTTPCS,
		    IXGBE_FIELD_PREP(IXGBE_RTTPCS_ARBD, IXGBE_RTTPCS_ARBD_DEFAULT));
	for (uint32_t q = 0; q < IXGBE_TXQ_COUNT; q++) {
		model_write(m, IXGBE_RTTDQSEL, q);
		model_write(m, IXGBE_RTTDT1C, 0);
	}
	model_write(m, IXGBE_RTTDCS, rttdcs);
}

/* Queue 0 of each direction, without traffic. */
static void queues_start(struct model *m, struct model_dma *ring, enum wrong wrong)
{
	*ring = model_dma_new(m, 4096);
	for (uint32_t at = 0; at < 2; at++) {
		const uint32_t base = at ? IXGBE_TDBAL : IXGBE_RDBAL;

		model_write(m, base, (uint32_t)(ring->iova + 2048 * at));
		model_write(m, base + 4, (uint32_t)(ring->iova >> 32));
		model_write(m, base + 8, 128);
	}
	model_write(m, IXGBE_SRRCTL,
		    2 | IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE, wrong == HEADERS_SPLIT ? 2 : 1));
	model_write(m, IXGBE_RSCCTL, 0);
	model_write(m, IXGBE_TDWBAL, 0);
	if (wrong == RELAXED_LEFT)
		model_set(m, IXGBE_DCA_RXCTRL, IXGBE_DCA_RXCTRL_DESC_WB_RO_EN);
	else
		model_clear(m, IXGBE_DCA_RXCTRL,
			    IXGBE_DCA_RXCTRL_RESERVED_ZERO | IXGBE_DCA_RXCTRL_DESC_WB_RO_EN);
	model_clear(m, IXGBE_DCA_TXCTRL, IXGBE_DCA_TXCTRL_DESC_WB_RO_EN);
	model_set(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	model_write(m, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_wait(m, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
	model_write(m, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_wait(m, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE, IXGBE_RXDCTL_ENABLE);
}

/* From a dirty NIC to traffic and back. Whether the device had to be flushed. */
static bool life(struct model *m, enum wrong wrong)
{
	struct model_dma ring;
	bool flushed = quiesce_and_reset(m, wrong);

	tables(m, wrong);
	receive_setup(m, wrong);
	transmit_setup(m, wrong);
	queues_start(m, &ring, wrong);
	receiver(m, true, wrong != RXEN_HALTED_NOT);
	if (wrong != ADDRESS_VALID)
		model_write(m, IXGBE_RAH, 0);
	model_write(m, IXGBE_RAL, 0x12345678);
	model_write(m, IXGBE_RAH, IXGBE_RAH_AV);
	if (wrong == TE_TOO_EARLY)
		model_clear(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	receiver(m, false, wrong != RXEN_OFF_HALTED_NOT);
	queues_end(m, NOTHING);
	model_clear(m, IXGBE_DMATXCTL, IXGBE_DMATXCTL_TE);
	flushed |= quiesce_and_reset(m, wrong);
	model_dma_free(m, &ring);
	return flushed;
}

/* ---- The tests ---- */

/* Some rules are for what comes only now and then, so there are some tries. */
static void all_rules_are_kept(void **state)
{
	for (int i = 0; i < 5; i++)
		life(*state, i % 2 ? OTHER_MARKS : NOTHING);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
}

struct left_out {
	enum wrong wrong;
	const char *rule;
};

static const struct left_out breaks[] = {
	{INTERRUPTS_LEFT, "RESET_WITH_IRQ"},
	{QUEUES_LEFT, "RESET_WITH_DMA"},
	{END_NOT_SEEN, "RESET_WITH_DMA"},
	{NO_MASTER_DISABLE, "RESET_WITH_DMA"},
	{NO_QUIET, "RESET_NOT_WAITED"},
	{RESET_IN_RESET, "RESET_NOT_WAITED"},
	{INIT_TOO_EARLY, "INIT_NOT_WAITED"},
	{MEMORY_LEFT, "MEMORY_UNDEFINED"},
	{RSS_BEFORE_TABLE, "MEMORY_UNDEFINED"},
	{POOLS_LEFT, "MEMORY_UNDEFINED"},
	{SETUP_LEFT, "STATIC_SETUP"},
	{JUMBO_LEFT, "STATIC_SETUP"},
	{ARBITER_RUNS, "TX_ARBITER"},
	{RXEN_HALTED_NOT, "RXEN_WITHOUT_SECRX"},
	{RXEN_OFF_HALTED_NOT, "RXEN_WITHOUT_SECRX"},
	{RELAXED_LEFT, "WRITE_BACK_ORDER"},
	{HEADERS_SPLIT, "RX_BUFFER_SIZE"},
	{TE_TOO_EARLY, "TX_PATH_OFF"},
	{ADDRESS_VALID, "ADDRESS_LIVE"},
};

static void each_rule_is_broken_by_one_step(void **state)
{
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		model_restart(*state);
		for (int k = 0; k < 20 && broken(*state, breaks[i].rule) == 0; k++)
			life(*state, breaks[i].wrong);
		if (broken(*state, breaks[i].rule) == 0)
			fail_msg("%zu does not break %s", i, breaks[i].rule);
	}
}

static void a_flush_is_whole(void **state)
{
	static const enum wrong wrong[] = {NO_FLUSH, FLUSH_TOO_SHORT, PENDING_FLUSHED};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		model_restart(*state);
		while (!life(*state, wrong[i]))
			assert_int_equal(broken(*state, "RESET_STUCK"), 0);
		assert_true(broken(*state, "RESET_STUCK") > 0);
	}
	model_restart(*state);
	while (!life(*state, NOTHING))
		;
	assert_int_equal(broken(*state, "RESET_STUCK"), 0);
}

static void the_last_dma_has_its_time(void **state)
{
	life(*state, NOTHING);
	assert_int_equal(broken(*state, "RESET_WITH_DMA"), 0);
	model_restart(*state);
	life(*state, NO_IDLE_TIME);
	assert_true(broken(*state, "RESET_WITH_DMA") > 0);
}

/* Without a link nothing is sent. */
static void end_of_a_queue(struct model *m, bool looked_at)
{
	struct model_dma ring;

	quiesce_and_reset(m, NOTHING);
	tables(m, NOTHING);
	receive_setup(m, NOTHING);
	transmit_setup(m, NOTHING);
	queues_start(m, &ring, NOTHING);
	model_write(m, IXGBE_TDT, 1);
	if (looked_at)
		assert_int_equal(model_read(m, IXGBE_TDH), 0);
	model_write(m, IXGBE_TXDCTL, IXGBE_TXDCTL_SWFLSH);
	model_wait(m, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE, 0);
	model_dma_free(m, &ring);
}

static void a_queue_with_frames_is_looked_at(void **state)
{
	end_of_a_queue(*state, true);
	assert_int_equal(broken(*state, "TX_END_UNSEEN"), 0);
	model_restart(*state);
	end_of_a_queue(*state, false);
	assert_int_equal(broken(*state, "TX_END_UNSEEN"), 1);
}

/* ---- The board ---- */

static void guard_take(struct model *m)
{
	while (model_read(m, IXGBE_SWSM) & IXGBE_SWSM_SMBI)
		pause_ns(100 * US);
	model_set(m, IXGBE_SWSM, IXGBE_SWSM_SWESMBI);
}

static void guard_release(struct model *m)
{
	model_clear(m, IXGBE_SWSM, IXGBE_SWSM_SWESMBI | IXGBE_SWSM_SMBI);
}

/* Waits for firmware, if `patient`. */
static void resource_take(struct model *m, uint32_t bit, bool patient)
{
	for (;;) {
		uint32_t sync;

		guard_take(m);
		sync = model_read(m, IXGBE_SW_FW_SYNC);
		if (!patient || !(sync & (bit | bit << 5))) {
			model_write(m, IXGBE_SW_FW_SYNC, sync | bit);
			guard_release(m);
			return;
		}
		guard_release(m);
		pause_ns(MS);
	}
}

static void resource_release(struct model *m, uint32_t bit)
{
	guard_take(m);
	model_clear(m, IXGBE_SW_FW_SYNC, bit);
	guard_release(m);
}

static void firmware_is_waited_for(void **state)
{
	resource_take(*state, IXGBE_SW_FW_SYNC_SW_EEP, true);
	resource_release(*state, IXGBE_SW_FW_SYNC_SW_EEP);
	assert_int_equal(broken(*state, "SEMAPHORE"), 0);
	model_restart(*state);
	resource_take(*state, model_read(*state, IXGBE_SW_FW_SYNC) >> 5 & 0x1f, false);
	assert_int_equal(broken(*state, "SEMAPHORE"), 1);
}

/* The other port's driver has what it has until it gives that back. Its module is its own. */
static void the_other_port_keeps_what_it_has(void **state)
{
	const uint32_t own = IXGBE_SW_FW_SYNC_SW_PHY0;
	uint32_t others;

	resource_take(*state, own, true);
	others = model_read(*state, IXGBE_SW_FW_SYNC) & 0x1f & ~own;
	assert_true(others & IXGBE_SW_FW_SYNC_SW_PHY1);
	resource_release(*state, own);
	assert_int_equal(model_read(*state, IXGBE_SW_FW_SYNC) & 0x1f, others);
	assert_int_equal(broken(*state, "SEMAPHORE"), 0);
	guard_take(*state);
	model_write(*state, IXGBE_SW_FW_SYNC, own);
	guard_release(*state);
	assert_int_equal(broken(*state, "SEMAPHORE"), 1);
}

/* Who uses what the other port's driver has, and gives it back, takes it away. */
static void the_other_port_is_waited_for(void **state)
{
	const uint32_t shared = IXGBE_SW_FW_SYNC_SW_EEP | IXGBE_SW_FW_SYNC_SW_MAC_CSR;
	uint32_t has = model_read(*state, IXGBE_SW_FW_SYNC) & shared;

	assert_int_not_equal(has, 0);
	resource_take(*state, has, true);
	resource_release(*state, has);
	assert_int_equal(broken(*state, "SEMAPHORE"), 0);
	model_restart(*state);
	resource_release(*state, model_read(*state, IXGBE_SW_FW_SYNC) & shared);
	assert_int_equal(broken(*state, "SEMAPHORE"), 1);
}

static void firmware_gets_at_the_guard(void **state)
{
	guard_take(*state);
	guard_release(*state);
	pause_ns(10 * MS); /* firmware wants to give back what it has */
	for (int i = 0; i < 5; i++) {
		pause_ns(2 * MS);
		guard_take(*state);
		guard_release(*state);
	}
	assert_int_equal(model_read(*state, IXGBE_SW_FW_SYNC) >> 5 & 0x1f, 0);
	assert_int_equal(broken(*state, "SEMAPHORE"), 0);
	/* A machine may be so slow that firmware finds a gap, but not always. */
	for (int i = 0; i < 20 && broken(*state, "SEMAPHORE") == 0; i++) {
		model_restart(*state);
		guard_take(*state);
		pause_ns(10 * MS);
		for (int k = 0; k < 20; k++) {
			guard_release(*state);
			guard_take(*state);
		}
	}
	assert_int_equal(broken(*state, "SEMAPHORE"), 1);
}

/* The other port's driver has SMBI for a while. */
static void the_guard_has_two_bits(void **state)
{
	model_set(*state, IXGBE_SWSM, IXGBE_SWSM_SWESMBI);
	assert_int_equal(broken(*state, "SEMAPHORE"), 1);
	guard_release(*state);
	guard_take(*state);
	guard_release(*state);
	assert_int_equal(broken(*state, "SEMAPHORE"), 1);
}

static void settings_write(struct model *m)
{
	resource_take(m, IXGBE_SW_FW_SYNC_SW_MAC_CSR, true);
	model_write(m, IXGBE_CORECTL, 0x0144);
	model_write(m, IXGBE_CORECTL, 0x0245);
	resource_release(m, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
}

static void firmware_has_its_turn(void **state)
{
	settings_write(*state);
	pause_ns(10 * MS);
	resource_take(*state, IXGBE_SW_FW_SYNC_SW_MAC_CSR, true);
	resource_release(*state, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	assert_int_equal(broken(*state, "SEMAPHORE"), 0);
	/* A machine may take so long for a message, but not always. */
	for (int i = 0; i < 100 && broken(*state, "SEMAPHORE") == 0; i++) {
		settings_write(*state);
		resource_take(*state, IXGBE_SW_FW_SYNC_SW_MAC_CSR, true);
		resource_release(*state, IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	}
	assert_true(broken(*state, "SEMAPHORE") > 0);
}

/* Bits of a byte: data, clock up, clock down. `ns`: each level's time. */
static void wires_move(struct model *m, long ns)
{
	const uint32_t clock = IXGBE_I2CCTL_CLK_OUT, data = IXGBE_I2CCTL_DATA_OUT;

	for (int i = 0; i < 9; i++) {
		model_write(m, IXGBE_I2CCTL, i & 1 ? data : 0);
		model_read(m, IXGBE_I2CCTL);
		pause_ns(ns);
		model_write(m, IXGBE_I2CCTL, clock | (i & 1 ? data : 0));
		if (ns)
			model_wait(m, IXGBE_I2CCTL, IXGBE_I2CCTL_CLK_IN, IXGBE_I2CCTL_CLK_IN);
		else
			model_read(m, IXGBE_I2CCTL);
		pause_ns(ns);
		model_write(m, IXGBE_I2CCTL, i & 1 ? data : 0);
		model_read(m, IXGBE_I2CCTL);
	}
}

static void the_module_has_its_time(void **state)
{
	resource_take(*state, IXGBE_SW_FW_SYNC_SW_PHY0, true);
	wires_move(*state, 5 * MS);
	assert_int_equal(broken(*state, "MODULE_TIMING"), 0);
	wires_move(*state, 0);
	assert_true(broken(*state, "MODULE_TIMING") > 0);
}

static void light_goes_off_before_it_comes(void **state)
{
	model_set(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	pause_ns(60 * MS);
	model_clear(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	assert_int_equal(broken(*state, "MODULE_TIMING"), 0);
	for (int i = 0; i < 9; i++) { /* one of them is fast */
		model_set(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
		model_clear(*state, IXGBE_ESDP, IXGBE_ESDP_SDP3_DATA);
	}
	assert_true(broken(*state, "MODULE_TIMING") > 0);
}

static void a_driver_says_that_it_goes(void **state)
{
	model_set(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
	model_clear(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
	model_reset(*state);
	assert_int_equal(broken(*state, "DRIVER_LOADED"), 0);
	model_set(*state, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
	model_reset(*state);
	assert_int_equal(broken(*state, "DRIVER_LOADED"), 1);
}

#define DIRTY(name)  cmocka_unit_test_setup_teardown(name, start, model_stop)
#define SLOWLY(name) cmocka_unit_test_setup_teardown(name, start_slowly, model_stop)

/* Its predecessor's rings are in memory that is somebody else's by now (9.3.3). */
static void a_predecessor_is_off_the_bus(void **state)
{
	for (uint32_t i = 0; i < 2; i++) {
		if (i) /* the kernel's VFIO resets a function before its user has it */
			model_reset(*state);
		else
			assert_int_equal(model_config_read(*state, 0x04, 2), 0x0006);
		model_write(*state, IXGBE_AT(MTA, 0), 0);
		model_write(*state, IXGBE_AT(MTA, 0), 0);
		assert_int_equal(broken(*state, "FORMER_RINGS"), 1 - i);
		model_restart(*state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRTY(all_rules_are_kept),
		DIRTY(each_rule_is_broken_by_one_step),
		SLOWLY(a_flush_is_whole),
		SLOWLY(the_last_dma_has_its_time),
		DIRTY(a_queue_with_frames_is_looked_at),
		DIRTY(firmware_is_waited_for),
		DIRTY(the_guard_has_two_bits),
		DIRTY(the_other_port_keeps_what_it_has),
		DIRTY(the_other_port_is_waited_for),
		DIRTY(firmware_gets_at_the_guard),
		DIRTY(firmware_has_its_turn),
		cmocka_unit_test_setup_teardown(the_module_has_its_time, start_slowest, model_stop),
		SLOWLY(light_goes_off_before_it_comes),
		DIRTY(a_driver_says_that_it_goes),
		cmocka_unit_test_setup_teardown(a_predecessor_is_off_the_bus, start_as_master,
						model_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
