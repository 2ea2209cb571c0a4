/* SPDX-License-Identifier: MIT */
/*
 * The switches of the receive and transmit paths, and what the datasheet wants of a driver before
 * it throws them (section 4.6).
 *
 *   4.6.3   the reset, then EEC.AUTO_RD and RDRXCTL.DMAIDONE read as set, flow control's registers
 *   4.6.7   packet buffers, queues, RX_DIS, SECRX_RDY, RXCTRL.RXEN
 *   4.6.8   RTTDCS.ARBDIS, packet buffers, ARBDIS off, DMATXCTL.TE
 *
 * A driver that enables reception stops the receive path first by the security block
 * (SECRXCTRL.RX_DIS) and waits until that is empty (sections 4.6.7 and 8.2.3.12). Here the block is
 * empty as soon as it is stopped.
 *
 * What is wrong on the way to RXEN or TE is judged when they go from 0 to 1, and counted once. What
 * a driver changes later is judged again, by the rows of `paths_hooks` with live bits.
 */
#include "chip.h"
#include "violations.h"

enum {
	RX_BUFFER_KIB = 512,
	TX_BUFFER_KIB = 160,
	MARK_DISTANCE = 8, /* bytes from FCRTH.RTH to the packet buffer's end (8.2.3.3.4) */
	TAGS_BYTES = 8,    /* two tags that MAXFRS does not count (8.2.3.22.13) */
	VLAN_TYPE = 0x8100,
};

/* LinkSec or IPsec without a word about either: by a write that forgot what else is there. */
static void security_check(struct nic *nic, const char *name, uint32_t written, uint32_t off)
{
	if (!(written & off))
		violation(nic, VIOLATION_SECURITY_ON, "%s = 0x%08x", name, written);
}

static void secrx_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t stat = reg(nic, IXGBE_SECRXSTAT) & ~IXGBE_SECRXSTAT_SECRX_RDY;

	(void)index;
	(void)old;
	security_check(nic, "SECRXCTRL", written, IXGBE_SECRXCTRL_SECRX_DIS);
	reg_store(nic, IXGBE_SECRXSTAT,
		  stat | (written & IXGBE_SECRXCTRL_RX_DIS ? IXGBE_SECRXSTAT_SECRX_RDY : 0));
}

static void sectx_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t stat = reg(nic, IXGBE_SECTXSTAT) & ~IXGBE_SECTXSTAT_SECTX_RDY;

	(void)index;
	(void)old;
	security_check(nic, "SECTXCTRL", written, IXGBE_SECTXCTRL_SECTX_DIS);
	reg_store(nic, IXGBE_SECTXSTAT,
		  stat | (written & IXGBE_SECTXCTRL_TX_DIS ? IXGBE_SECTXSTAT_SECTX_RDY : 0));
}

/* ---- After a reset ---- */

static uint32_t eec_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	nic->eeprom_seen |= value & IXGBE_EEC_AUTO_RD;
	return value;
}

static uint32_t rdrxctl_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)index;
	nic->dma_seen |= value & IXGBE_RDRXCTL_DMAIDONE;
	return value;
}

static void check_begun(struct nic *nic, const char *what)
{
	if (!nic->eeprom_seen || !nic->dma_seen)
		violation(nic, VIOLATION_INIT_NOT_WAITED, "%s, not seen:%s%s", what,
			  nic->eeprom_seen ? "" : " EEC.AUTO_RD",
			  nic->dma_seen ? "" : " RDRXCTL.DMAIDONE");
	if (!(reg(nic, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_DRV_LOAD))
		violation(nic, VIOLATION_DRV_LOAD, "%s", what);
}

/* ---- Receive ---- */

/* The sizes of a direction's packet buffers together: in KiB, RXPBSIZE or TXPBSIZE. */
static uint32_t buffers_kib(const struct nic *nic, uint32_t first)
{
	uint32_t kib = 0;

	static_assert(IXGBE_RXPBSIZE_SIZE == IXGBE_TXPBSIZE_SIZE &&
			      (int)IXGBE_RXPBSIZE_COUNT == (int)IXGBE_TXPBSIZE_COUNT,
		      "one shape");
	for (uint32_t i = 0; i < IXGBE_RXPBSIZE_COUNT; i++)
		kib += IXGBE_FIELD_GET(IXGBE_RXPBSIZE_SIZE,
				       reg(nic, first + i * IXGBE_RXPBSIZE_STRIDE));
	return kib;
}

static bool any_receive_queue(const struct nic *nic)
{
	for (uint32_t queue = 0; queue < IXGBE_RXQ_COUNT; queue++) {
		if (reg(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, queue)) & IXGBE_RXDCTL_ENABLE)
			return true;
	}
	return false;
}

static bool receiver_on(const struct nic *nic, uint32_t index)
{
	(void)index;
	return reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN;
}

/* The mark of packet buffer 0, the one that is in use. */
static void judge_mark(struct nic *nic, uint32_t index)
{
	uint32_t fcrth = reg(nic, IXGBE_FCRTH), mark = fcrth & IXGBE_FCRTH_RTH;
	uint32_t size = IXGBE_FIELD_GET(IXGBE_RXPBSIZE_SIZE, reg(nic, IXGBE_RXPBSIZE)) * 1024;

	if (index == 0 && (mark == 0 || mark + MARK_DISTANCE > size))
		violation(nic, VIOLATION_FCRTH_MARK, "FCRTH[0] is 0x%08x, RXPBSIZE[0] %u bytes",
			  fcrth, size);
}

static void judge_receive_buffers(struct nic *nic, uint32_t index)
{
	uint32_t kib = buffers_kib(nic, IXGBE_RXPBSIZE);

	if (kib > RX_BUFFER_KIB)
		violation(nic, VIOLATION_RX_BUFFER_SUM, "%u KiB", kib);
	judge_mark(nic, index);
}

/* FCEN of FCRTH and FCCFG.TFCE are of two registers, and a driver that negotiates flow control
 * anew changes one after the other while frames come: the two are judged with RXEN alone. */
static bool flow_control_right(const struct nic *nic)
{
	const uint32_t both = IXGBE_MFLCN_RPFCE | IXGBE_MFLCN_RFCE;
	uint32_t tfce = IXGBE_FIELD_GET(IXGBE_FCCFG_TFCE, reg(nic, IXGBE_FCCFG));

	return (reg(nic, IXGBE_MFLCN) & both) != both &&
	       (tfce == IXGBE_FCCFG_TFCE_NONE || reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_TXCRCEN);
}

static void flow_control_wrong(struct nic *nic)
{
	violation(nic, VIOLATION_FLOW_CONTROL,
		  "MFLCN is 0x%08x, FCCFG 0x%08x, FCRTH[0] 0x%08x, HLREG0 0x%08x",
		  reg(nic, IXGBE_MFLCN), reg(nic, IXGBE_FCCFG), reg(nic, IXGBE_FCRTH),
		  reg(nic, IXGBE_HLREG0));
}

static void judge_flow_control(struct nic *nic, uint32_t index)
{
	(void)index;
	if (!flow_control_right(nic))
		flow_control_wrong(nic);
}

static void judge_rdrxctl(struct nic *nic, uint32_t index)
{
	const uint32_t ones = IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX;
	uint32_t rdrxctl = reg(nic, IXGBE_RDRXCTL);

	(void)index;
	if (rdrxctl & IXGBE_RDRXCTL_RSCFRSTSIZE || (rdrxctl & ones) != ones)
		violation(nic, VIOLATION_RDRXCTL_RSC, "RDRXCTL is 0x%08x", rdrxctl);
}

static void rxctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	bool fcen = reg(nic, IXGBE_FCRTH) & IXGBE_FCRTH_FCEN;
	bool tfce =
		IXGBE_FIELD_GET(IXGBE_FCCFG_TFCE, reg(nic, IXGBE_FCCFG)) != IXGBE_FCCFG_TFCE_NONE;

	(void)index;
	if (old & IXGBE_RXCTRL_RXEN || !(written & IXGBE_RXCTRL_RXEN))
		return;
	check_begun(nic, "RXCTRL.RXEN");
	if (!(reg(nic, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS))
		violation(nic, VIOLATION_RXEN_WITHOUT_SECRX, "RXCTRL = 0x%08x", written);
	if (!any_receive_queue(nic))
		violation(nic, VIOLATION_RXEN_WITHOUT_QUEUE, "RXCTRL = 0x%08x", written);
	judge_rdrxctl(nic, 0);
	judge_receive_buffers(nic, 0);
	if (!flow_control_right(nic) || (fcen && !tfce))
		flow_control_wrong(nic);
}

/* ---- Transmit ---- */

static bool transmitter_on(const struct nic *nic, uint32_t index)
{
	(void)index;
	return reg(nic, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE;
}

static bool either_on(const struct nic *nic, uint32_t index)
{
	return receiver_on(nic, index) || transmitter_on(nic, index);
}

/* Whether the transmit arbiter runs, and some registers may not change (4.6.8). */
static bool arbiter_runs(const struct nic *nic, uint32_t index)
{
	(void)index;
	return !(reg(nic, IXGBE_RTTDCS) & IXGBE_RTTDCS_ARBDIS);
}

/* A threshold leaves the buffer room for the longest frame that the driver expects (4.6.11.3.4):
 * THRESH is the size less that frame. A buffer of no size is of a class that is off; class 0 is
 * the one in use. */
static bool thresholds_fit(const struct nic *nic)
{
	uint32_t bytes =
		TAGS_BYTES + (reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_JUMBOEN
				      ? IXGBE_FIELD_GET(IXGBE_MAXFRS_MFS, reg(nic, IXGBE_MAXFRS))
				      : 1518);

	for (uint32_t i = 0; i < IXGBE_TXPBSIZE_COUNT; i++) {
		uint32_t size =
			IXGBE_FIELD_GET(IXGBE_TXPBSIZE_SIZE, reg(nic, IXGBE_AT(TXPBSIZE, i)));
		uint32_t threshold = reg(nic, IXGBE_AT(TXPBTHRESH, i)) & IXGBE_TXPBTHRESH_THRESH;

		if ((i == 0 || (size && threshold)) && threshold + (bytes + 1023) / 1024 > size)
			return false;
	}
	return reg(nic, IXGBE_TXPBTHRESH) & IXGBE_TXPBTHRESH_THRESH;
}

static void judge_transmit_buffers(struct nic *nic, uint32_t index)
{
	uint32_t kib = buffers_kib(nic, IXGBE_TXPBSIZE);

	(void)index;
	if (kib > TX_BUFFER_KIB || !thresholds_fit(nic))
		violation(nic, VIOLATION_TX_BUFFER_SUM, "%u KiB, TXPBTHRESH[0] is 0x%x", kib,
			  reg(nic, IXGBE_TXPBTHRESH));
}

static void check_te_off(struct nic *nic)
{
	for (uint32_t queue = 0; queue < IXGBE_TXQ_COUNT; queue++) {
		if (!(reg(nic, ixgbe_txq_reg(IXGBE_TXDCTL, queue)) & IXGBE_TXDCTL_ENABLE))
			continue;
		violation(nic, VIOLATION_TX_PATH_OFF, "queue %u is enabled", queue);
		return;
	}
}

/* The types and modes of tags are the same in both directions (8.2.3.9.2, 7.4.5). */
static void judge_tag_type(struct nic *nic, uint32_t index)
{
	uint32_t dmatxctl = reg(nic, IXGBE_DMATXCTL);

	(void)index;
	if (IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, dmatxctl) !=
	    (reg(nic, IXGBE_VLNCTRL) & IXGBE_VLNCTRL_VET))
		violation(nic, VIOLATION_TX_VLAN_TYPE, "DMATXCTL is 0x%08x, VLNCTRL 0x%08x",
			  dmatxctl, reg(nic, IXGBE_VLNCTRL));
}

static void judge_tag_mode(struct nic *nic, uint32_t index)
{
	uint32_t dmatxctl = reg(nic, IXGBE_DMATXCTL), ctrl_ext = reg(nic, IXGBE_CTRL_EXT);

	(void)index;
	if ((bool)(ctrl_ext & IXGBE_CTRL_EXT_EXTENDED_VLAN) !=
	    (bool)(dmatxctl & IXGBE_DMATXCTL_GDV))
		violation(nic, VIOLATION_DOUBLE_VLAN, "DMATXCTL is 0x%08x, CTRL_EXT 0x%08x",
			  dmatxctl, ctrl_ext);
}

static void dmatxctl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if ((old ^ written) & IXGBE_DMATXCTL_VLT &&
	    IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, written) != VLAN_TYPE)
		violation(nic, VIOLATION_TX_VLAN_TYPE, "DMATXCTL = 0x%08x", written);
	if (old & ~written & IXGBE_DMATXCTL_TE)
		check_te_off(nic);
	if (!(~old & written & IXGBE_DMATXCTL_TE))
		return;
	if (IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, written) == VLAN_TYPE)
		judge_tag_type(nic, 0);
	judge_tag_mode(nic, 0);
	check_begun(nic, "DMATXCTL.TE");
	judge_transmit_buffers(nic, 0);
}

static void dtxmxszrq_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index, (void)old;
	if (written & ~IXGBE_DTXMXSZRQ_MAX_BYTES)
		violation(nic, VIOLATION_DTXMXSZRQ_BITS, "DTXMXSZRQ = 0x%08x", written);
}

#define RDRXCTL_FIXED (IXGBE_RDRXCTL_RSCFRSTSIZE | IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX)

const struct reg_hook paths_hooks[] = {
	{.offset = IXGBE_SECRXCTRL, .write = secrx_write},
	{.offset = IXGBE_SECTXCTRL, .write = sectx_write},
	{.offset = IXGBE_EEC, .read = eec_read},
	{.offset = IXGBE_RDRXCTL, .read = rdrxctl_read},
	{.offset = IXGBE_RXCTRL, .write = rxctrl_write},
	{.offset = IXGBE_DMATXCTL, .write = dmatxctl_write},
	{.offset = IXGBE_DTXMXSZRQ, .write = dtxmxszrq_write},
	REG_STILL(FCTRL, UINT32_MAX, receiver_on, FCTRL_WITH_RXEN),
	REG_STILL(CTRL_EXT, IXGBE_CTRL_EXT_EXTENDED_VLAN, either_on, EXTENDED_VLAN_LIVE),
	REG_JUDGED(RXPBSIZE, IXGBE_RXPBSIZE_SIZE, receiver_on, judge_receive_buffers),
	REG_JUDGED(FCRTH, IXGBE_FCRTH_RTH, receiver_on, judge_mark),
	REG_JUDGED(MFLCN, IXGBE_MFLCN_RPFCE | IXGBE_MFLCN_RFCE, receiver_on, judge_flow_control),
	REG_JUDGED(FCCFG, IXGBE_FCCFG_TFCE, receiver_on, judge_flow_control),
	REG_JUDGED(HLREG0, IXGBE_HLREG0_TXCRCEN, receiver_on, judge_flow_control),
	REG_JUDGED(RDRXCTL, RDRXCTL_FIXED, receiver_on, judge_rdrxctl),
	REG_STILL(DTXMXSZRQ, UINT32_MAX, arbiter_runs, TX_ARBITER),
	REG_STILL(TXPBSIZE, UINT32_MAX, arbiter_runs, TX_ARBITER),
	REG_STILL(TXPBTHRESH, UINT32_MAX, arbiter_runs, TX_ARBITER),
	REG_STILL(MTQC, UINT32_MAX, arbiter_runs, TX_ARBITER),
	REG_STILL(TXPBSIZE, IXGBE_TXPBSIZE_SIZE, transmitter_on, TX_BUFFER_LIVE),
	REG_STILL(MTQC, UINT32_MAX, transmitter_on, TX_BUFFER_LIVE),
	REG_JUDGED(TXPBTHRESH, IXGBE_TXPBTHRESH_THRESH, transmitter_on, judge_transmit_buffers),
	REG_JUDGED(MAXFRS, IXGBE_MAXFRS_MFS, transmitter_on, judge_transmit_buffers),
	REG_JUDGED(HLREG0, IXGBE_HLREG0_JUMBOEN, transmitter_on, judge_transmit_buffers),
	REG_JUDGED(VLNCTRL, IXGBE_VLNCTRL_VET, transmitter_on, judge_tag_type),
	REG_JUDGED(DMATXCTL, IXGBE_DMATXCTL_GDV, transmitter_on, judge_tag_mode),
	{0},
};
