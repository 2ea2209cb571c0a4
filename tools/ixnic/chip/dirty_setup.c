/* SPDX-License-Identifier: MIT */
/*
 * What a driver has to set up after a reset, of a NIC that is not new.
 *
 *     memories    no reset clears them (4.6.7): random until they are written, which has to be
 *                 before RXEN, before MRQC turns RSS on, before RAH.AV
 *     loaded      an EEPROM may load any register after a reset: these are random, too. A driver
 *                 without DCB, virtualization, flow control and coalescing has to write them
 *     left on     from the start: queues that somebody else left
 */
#include "dirty.h"
#include "violations.h"

#define LEFT_QUEUES          3u /* of each direction */
#define STANDARD_FRAME_BYTES 1518u

/* Memories: 4.6.7, and 4.6.11.3.4 for those of the transmit scheduler. */
static const enum ixgbe_reg_row memories[] = {
	IXGBE_ROW_PFUTA,   IXGBE_ROW_MTA,     IXGBE_ROW_VFTA, IXGBE_ROW_MPSAR, IXGBE_ROW_PFVLVF,
	IXGBE_ROW_PFVLVFB, IXGBE_ROW_FTQF,    IXGBE_ROW_RETA, IXGBE_ROW_RSSRK, IXGBE_ROW_RTTDT2C,
	IXGBE_ROW_RTTPT2C, IXGBE_ROW_RTRPT4C, IXGBE_ROW_ETQF, IXGBE_ROW_ETQS,  IXGBE_ROW_WUFC,
};
/* Not random at the start: what starts DMA or raises interrupts, locks, and the ways to EEPROM,
 * flash, PHY and module. */
static const enum ixgbe_reg_row calm[] = {
	IXGBE_ROW_CTRL,  IXGBE_ROW_EEC,    IXGBE_ROW_FLA,        IXGBE_ROW_EERD,
	IXGBE_ROW_EEWR,  IXGBE_ROW_RXDCTL, IXGBE_ROW_RXDCTL_HI,  IXGBE_ROW_TXDCTL,
	IXGBE_ROW_SWSM,  IXGBE_ROW_ESDP,   IXGBE_ROW_SW_FW_SYNC, IXGBE_ROW_I2CCTL,
	IXGBE_ROW_AUTOC, IXGBE_ROW_AUTOC2, IXGBE_ROW_MMNGC,      IXGBE_ROW_EICR,
	IXGBE_ROW_RAL,   IXGBE_ROW_RAH,    IXGBE_ROW_RXCTRL,     IXGBE_ROW_PFMAILBOX,
	IXGBE_ROW_GPIE,  IXGBE_ROW_EIAC,
};

/* Changed only while the transmit arbiter is off (4.6.11.3.1). */
static const enum ixgbe_reg_row arbitrated[] = {
	IXGBE_ROW_DTXMXSZRQ, IXGBE_ROW_TXPBSIZE, IXGBE_ROW_TXPBTHRESH,
	IXGBE_ROW_MTQC,      IXGBE_ROW_RTTDT1C,  IXGBE_ROW_RTTDT2C,
};

#define NO_RSC_NFS (IXGBE_RFCTL_RSC_DIS | IXGBE_RFCTL_NFSW_DIS | IXGBE_RFCTL_NFSR_DIS)
#define RESEND     (IXGBE_GCR_CMPL_TMOUT_RESEND_EN | IXGBE_GCR_CMPL_TMOUT_RESEND)

/* Of what an EEPROM may load: bits that are the driver's to set. */
static const struct {
	enum ixgbe_reg_row row;
	uint32_t mask;
} loaded[] = {
	{IXGBE_ROW_RXPBSIZE, UINT32_MAX},
	{IXGBE_ROW_TXPBSIZE, UINT32_MAX},
	{IXGBE_ROW_TXPBTHRESH, UINT32_MAX},
	{IXGBE_ROW_FCTTV, UINT32_MAX},
	{IXGBE_ROW_FCRTL, UINT32_MAX},
	{IXGBE_ROW_FCRTH, UINT32_MAX},
	{IXGBE_ROW_FCRTV, UINT32_MAX},
	{IXGBE_ROW_FCCFG, UINT32_MAX},
	{IXGBE_ROW_MFLCN, UINT32_MAX},
	{IXGBE_ROW_RTRUP2TC, UINT32_MAX},
	{IXGBE_ROW_RTTUP2TC, UINT32_MAX},
	{IXGBE_ROW_RTRPCS, UINT32_MAX},
	{IXGBE_ROW_RTTPCS, UINT32_MAX},
	{IXGBE_ROW_RTTDCS, UINT32_MAX},
	{IXGBE_ROW_MTQC, UINT32_MAX},
	{IXGBE_ROW_DTXMXSZRQ, UINT32_MAX},
	{IXGBE_ROW_SYNQF, UINT32_MAX},
	{IXGBE_ROW_RXCSUM, UINT32_MAX},
	{IXGBE_ROW_RFCTL, NO_RSC_NFS},
	{IXGBE_ROW_GCR, RESEND},
	{IXGBE_ROW_HLREG0, IXGBE_HLREG0_LPBK | IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_TXCRCEN |
				   IXGBE_HLREG0_TXPADEN | IXGBE_HLREG0_JUMBOEN},
	{IXGBE_ROW_RDRXCTL, IXGBE_RDRXCTL_RSCFRSTSIZE | IXGBE_RDRXCTL_CRCSTRIP |
				    IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX},
	{IXGBE_ROW_VLNCTRL, IXGBE_VLNCTRL_VFE | IXGBE_VLNCTRL_CFIEN | IXGBE_VLNCTRL_CFI},
	{IXGBE_ROW_FCTRL, IXGBE_FCTRL_SBP | IXGBE_FCTRL_BAM | IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE},
	{IXGBE_ROW_MCSTCTRL, UINT32_MAX},
	{IXGBE_ROW_MAXFRS, UINT32_MAX},
	{IXGBE_ROW_MRQC, UINT32_MAX},
	{IXGBE_ROW_RQSMR, UINT32_MAX},
	{IXGBE_ROW_TQSM, UINT32_MAX},
	{IXGBE_ROW_EITR, UINT32_MAX},
	{IXGBE_ROW_DCA_RXCTRL, IXGBE_DCA_RXCTRL_DESC_WB_RO_EN},
	{IXGBE_ROW_DCA_TXCTRL, IXGBE_DCA_TXCTRL_DESC_WB_RO_EN},
	{IXGBE_ROW_RSCCTL, IXGBE_RSCCTL_RSCEN},
	{IXGBE_ROW_SRRCTL, UINT32_MAX},
	{IXGBE_ROW_TDWBAL, UINT32_MAX},
	{IXGBE_ROW_TDWBAH, UINT32_MAX},
};

/* What a driver without DCB, virtualization and flow control writes, when RXEN is set. */
static const struct {
	enum ixgbe_reg_row row;
	uint32_t first, count, mask, value;
	const char *section;
} demanded[] = {
#define ALL(name, value)                                                                           \
	{                                                                                          \
		IXGBE_ROW_##name, 0, IXGBE_##name##_COUNT, UINT32_MAX, value, "4.6.11.3.4"         \
	}
#define FLOW(name, count)                                                                          \
	{                                                                                          \
		IXGBE_ROW_##name, 0, count, UINT32_MAX, 0, "4.6.3.2"                               \
	}
#define BITS(name, mask, value, section)                                                           \
	{                                                                                          \
		IXGBE_ROW_##name, 0, 1, mask, value, section                                       \
	}
	BITS(CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS, IXGBE_CTRL_EXT_NS_DIS, "4.6.7"),
	BITS(HLREG0, IXGBE_HLREG0_LPBK, 0, "8.2.3.22.8"),
	BITS(RXFECCERR0, IXGBE_RXFECCERR0_ECCFLT_EN, IXGBE_RXFECCERR0_ECCFLT_EN, "4.6.7"),
	BITS(RXPBSIZE, IXGBE_RXPBSIZE_SIZE, 512u << 10, "4.6.11.3.4"),
	{IXGBE_ROW_RXPBSIZE, 1, 7, UINT32_MAX, 0, "4.6.11.3.4"},
	BITS(TXPBSIZE, IXGBE_TXPBSIZE_SIZE, 160u << 10, "4.6.11.3.4"),
	{IXGBE_ROW_TXPBSIZE, 1, 7, UINT32_MAX, 0, "4.6.11.3.4"},
	{IXGBE_ROW_TXPBTHRESH, 1, 7, UINT32_MAX, 0, "4.6.11.3.4"},
	BITS(DTXMXSZRQ, IXGBE_DTXMXSZRQ_MAX_BYTES, IXGBE_DTXMXSZRQ_MAX_BYTES, "4.6.11.3.4"),
	BITS(RTTPCS, IXGBE_RTTPCS_ARBD,
	     IXGBE_FIELD_PREP(IXGBE_RTTPCS_ARBD, IXGBE_RTTPCS_ARBD_DEFAULT), "4.6.11.3.4"),
	BITS(RTTDCS,
	     IXGBE_RTTDCS_BDPM | IXGBE_RTTDCS_BPBFSM | IXGBE_RTTDCS_TDPAC | IXGBE_RTTDCS_VMPAC |
		     IXGBE_RTTDCS_TDRM,
	     IXGBE_RTTDCS_BDPM | IXGBE_RTTDCS_BPBFSM, "4.6.11.3.4"),
	BITS(MTQC, UINT32_MAX, 0, "4.6.11.3.4"),
	BITS(RTRUP2TC, UINT32_MAX, 0, "4.6.11.3.4"),
	BITS(RTTUP2TC, UINT32_MAX, 0, "4.6.11.3.4"),
	BITS(RTRPCS, UINT32_MAX, 0, "4.6.11.3.4"),
	ALL(RTRPT4C, 0),
	ALL(RTTDT2C, 0),
	ALL(RTTPT2C, 0),
	FLOW(FCTTV, 4),
	FLOW(FCRTL, 8),
	FLOW(FCRTV, 1),
	FLOW(FCCFG, 1),
	{IXGBE_ROW_FCRTH, 1, 7, UINT32_MAX, 0, "4.6.3.2"},
	BITS(FCRTH, IXGBE_FCRTH_FCEN, 0, "4.6.3.2"), /* the mark: FCRTH_MARK */
	BITS(PFUTA, UINT32_MAX, 0, "4.6.7"),
	BITS(PFVLVF, UINT32_MAX, 0, "4.6.7"),
	BITS(PFVLVFB, UINT32_MAX, 0, "4.6.7"),
	BITS(FTQF, UINT32_MAX, 0, "4.6.7"),
	BITS(ETQF, UINT32_MAX, 0, "8.2.3.7.21"),
	BITS(WUFC, UINT32_MAX, 0, "8.2.3.24.2"),
	BITS(SYNQF, IXGBE_SYNQF_QUEUE_EN, 0, "8.2.3.7.20"),
	BITS(RFCTL, NO_RSC_NFS, NO_RSC_NFS, "8.2.3.7.6"),
	BITS(MFLCN, IXGBE_MFLCN_RFCE | IXGBE_MFLCN_RPFCE, 0, "4.6.3.2"),
	BITS(GCR, RESEND, 0, "8.2.3.4.1, specification clarification 2"),
#undef ALL
#undef FLOW
#undef BITS
};

static void randomize(struct nic *nic, const struct ixgbe_register *r, uint32_t mask)
{
	mask &= r->writable;
	for (uint32_t i = 0; i < r->count; i++) {
		uint32_t at = r->offset + i * r->stride;

		reg_store(nic, at, (reg(nic, at) & ~mask) | (dirty_draw(nic->dirty) & mask));
	}
}

static bool is_calm(uint32_t row)
{
	for (size_t i = 0; i < sizeof(calm) / sizeof(calm[0]); i++) {
		if (calm[i] == row)
			return true;
	}
	return false;
}

void dirty_setup_start(struct nic *nic)
{
	struct dirty *dirty = nic->dirty;

	for (uint32_t row = 0; row < IXGBE_REGISTER_ROWS; row++) {
		if (ixgbe_registers[row].access == IXGBE_REG_RW && !is_calm(row))
			randomize(nic, &ixgbe_registers[row], UINT32_MAX);
	}
	for (uint32_t i = 0; i < LEFT_QUEUES; i++) { /* without a ring */
		uint32_t rx = dirty_draw(dirty) % DIRTY_QUEUES;
		uint32_t tx = dirty_draw(dirty) % DIRTY_QUEUES;

		reg_store(nic, ixgbe_rxq_reg(IXGBE_RDLEN, rx), 0);
		reg_store(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, rx), IXGBE_RXDCTL_ENABLE);
		reg_store(nic, ixgbe_txq_reg(IXGBE_TDLEN, tx), 0);
		reg_store(nic, ixgbe_txq_reg(IXGBE_TDH, tx),
			  reg(nic, ixgbe_txq_reg(IXGBE_TDT, tx)));
		reg_store(nic, ixgbe_txq_reg(IXGBE_TXDCTL, tx), IXGBE_TXDCTL_ENABLE);
	}
}

void dirty_setup_reset(struct nic *nic)
{
	struct dirty *dirty = nic->dirty;

	for (size_t m = 0; m < sizeof(memories) / sizeof(memories[0]); m++) {
		const struct ixgbe_register *r = &ixgbe_registers[memories[m]];

		randomize(nic, r, UINT32_MAX);
		for (uint32_t i = 0; i < r->count; i++)
			dirty->undefined[(r->offset + i * r->stride) / 4] = true;
	}
	for (size_t l = 0; l < sizeof(loaded) / sizeof(loaded[0]); l++)
		randomize(nic, &ixgbe_registers[loaded[l].row], loaded[l].mask);
	for (uint32_t q = 0; q < IXGBE_TXQ_COUNT; q++)
		dirty->dt1c_undefined[q] = true;
}

/* Once RXEN or a transmit queue's ENABLE is set, memories are used. */
static void check_memories(struct nic *nic, const char *by)
{
	const struct dirty *dirty = nic->dirty;

	for (size_t m = 0; m < sizeof(memories) / sizeof(memories[0]); m++) {
		const struct ixgbe_register *r = &ixgbe_registers[memories[m]];

		for (uint32_t i = 0; i < r->count; i++) {
			if (dirty->undefined[(r->offset + i * r->stride) / 4]) {
				violation(nic, VIOLATION_MEMORY_UNDEFINED,
					  "%s[%u] not written when %s was set", r->name, i, by);
				break;
			}
		}
	}
	for (uint32_t q = 0; q < IXGBE_TXQ_COUNT; q++) {
		if (dirty->dt1c_undefined[q]) {
			violation(nic, VIOLATION_MEMORY_UNDEFINED,
				  "RTTDT1C of queue %u not written when %s was set", q, by);
			break;
		}
	}
}

/* 8.2.3.22.8: JUMBOEN is for frames longer than a standard one. */
static void check_jumbo(struct nic *nic)
{
	const uint32_t frame = IXGBE_FIELD_GET(IXGBE_MAXFRS_MFS, reg(nic, IXGBE_MAXFRS));

	if (reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_JUMBOEN && frame <= STANDARD_FRAME_BYTES)
		violation(nic, VIOLATION_STATIC_SETUP,
			  "HLREG0.JUMBOEN with frames of %u bytes, section 8.2.3.22.8", frame);
}

static void check_demanded(struct nic *nic)
{
	for (size_t d = 0; d < sizeof(demanded) / sizeof(demanded[0]); d++) {
		const struct ixgbe_register *r = &ixgbe_registers[demanded[d].row];

		for (uint32_t i = demanded[d].first; i < demanded[d].first + demanded[d].count;
		     i++) {
			uint32_t value = reg(nic, r->offset + i * r->stride);

			if ((value & demanded[d].mask) == demanded[d].value)
				continue;
			violation(nic, VIOLATION_STATIC_SETUP, "%s[%u] is 0x%08x, section %s",
				  r->name, i, value, demanded[d].section);
			break;
		}
	}
}

/* 4.6.10.1.1: MRQC turns RSS on when key and table are there. */
static void check_rss(struct nic *nic, uint32_t written)
{
	const struct dirty *dirty = nic->dirty;

	if (!(written & IXGBE_MRQC_MRQE))
		return;
	if (dirty->undefined[IXGBE_AT(RSSRK, 0) / 4] || dirty->undefined[IXGBE_AT(RETA, 0) / 4])
		violation(nic, VIOLATION_MEMORY_UNDEFINED,
			  "RSSRK or RETA not written when MRQC turned RSS on");
}

/* The pools of an address are memory, too: there before the address counts. */
static void check_pools(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
			uint32_t written)
{
	const uint32_t n = (offset - r->offset) / r->stride;

	for (uint32_t i = 2 * n; written & IXGBE_RAH_AV && i < 2 * n + 2; i++) {
		if (nic->dirty->undefined[IXGBE_AT(MPSAR, i) / 4])
			violation(nic, VIOLATION_MEMORY_UNDEFINED,
				  "MPSAR[%u] not written when RAH[%u].AV was set", i, n);
	}
}

/* A receive address is no address while it changes (8.2.3.7.9): half of it would match. */
static void check_address(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
			  uint32_t old, uint32_t written)
{
	const uint32_t n = (offset - r->offset) / r->stride;

	if (written != old && reg(nic, IXGBE_AT(RAH, n)) & IXGBE_RAH_AV &&
	    reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)
		violation(nic, VIOLATION_ADDRESS_LIVE, "RAL[%u] = 0x%08x with RAH.AV", n, written);
}

static_assert(IXGBE_DCA_RXCTRL_DESC_WB_RO_EN == IXGBE_DCA_TXCTRL_DESC_WB_RO_EN, "one bit for both");

/* A queue goes on: without relaxed ordering of its write-backs, and without coalescing if RFCTL
 * has it off. */
static void check_queue(struct nic *nic, uint32_t queue, bool transmit)
{
	const uint32_t ordered = IXGBE_DCA_RXCTRL_DESC_WB_RO_EN;
	const uint32_t srrctl = reg(nic, ixgbe_rxq_reg(IXGBE_SRRCTL, queue));
	const uint32_t dca = reg(nic, transmit ? ixgbe_txq_reg(IXGBE_DCA_TXCTRL, queue)
					       : ixgbe_rxq_reg(IXGBE_DCA_RXCTRL, queue));

	if (dca & ordered)
		violation(nic, VIOLATION_WRITE_BACK_ORDER, "%s[%u] is 0x%08x",
			  transmit ? "DCA_TXCTRL" : "DCA_RXCTRL", queue, dca);
	if (transmit)
		return;
	if (IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, srrctl) > IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER &&
	    !(srrctl & IXGBE_SRRCTL_BSIZEHEADER))
		violation(nic, VIOLATION_RX_BUFFER_SIZE,
			  "SRRCTL[%u] is 0x%08x: headers are split, into no buffer", queue, srrctl);
	if (reg(nic, IXGBE_RFCTL) & IXGBE_RFCTL_RSC_DIS &&
	    reg(nic, ixgbe_rxq_reg(IXGBE_RSCCTL, queue)) & IXGBE_RSCCTL_RSCEN)
		violation(nic, VIOLATION_STATIC_SETUP,
			  "RSCCTL[%u].RSCEN with RFCTL.RSC_DIS, section 8.2.3.7.6", queue);
}

/* The transmit arbiter is off while it is set up, and on when a queue starts. */
static void check_arbiter(struct nic *nic, const struct ixgbe_register *r, bool enables)
{
	const uint32_t row = (uint32_t)(r - ixgbe_registers);
	const bool off = reg(nic, IXGBE_RTTDCS) & IXGBE_RTTDCS_ARBDIS;

	if (enables && row == IXGBE_ROW_TXDCTL && off)
		violation(nic, VIOLATION_TX_ARBITER, "queue enabled with RTTDCS.ARBDIS");
	for (size_t i = 0; !off && i < sizeof(arbitrated) / sizeof(arbitrated[0]); i++) {
		if (arbitrated[i] == row)
			violation(nic, VIOLATION_TX_ARBITER, "%s written without RTTDCS.ARBDIS",
				  r->name);
	}
}

void dirty_setup_write(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
		       uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	const uint32_t row = (uint32_t)(r - ixgbe_registers), on = written & ~old;

	dirty->undefined[offset / 4] = false;
	check_arbiter(nic, r, row == IXGBE_ROW_TXDCTL && on & IXGBE_TXDCTL_ENABLE);
	switch (row) {
	case IXGBE_ROW_RXCTRL:
		if (on & IXGBE_RXCTRL_RXEN) {
			check_memories(nic, "RXEN");
			check_demanded(nic);
			check_jumbo(nic);
		}
		break;
	case IXGBE_ROW_RXDCTL:
	case IXGBE_ROW_TXDCTL:
		if (on & IXGBE_RXDCTL_ENABLE)
			check_queue(nic, (offset - r->offset) / r->stride, row == IXGBE_ROW_TXDCTL);
		break;
	case IXGBE_ROW_RTTDT1C:
		if (written)
			violation(nic, VIOLATION_STATIC_SETUP,
				  "RTTDT1C is 0x%08x, section 4.6.11.3.4", written);
		dirty->dt1c_undefined[reg(nic, IXGBE_RTTDQSEL) % IXGBE_TXQ_COUNT] = false;
		break;
	case IXGBE_ROW_MRQC:
		check_rss(nic, written);
		break;
	case IXGBE_ROW_RAH:
		check_pools(nic, r, offset, written);
		break;
	case IXGBE_ROW_RAL:
		check_address(nic, r, offset, old, written);
		break;
	default:
		break;
	}
}
