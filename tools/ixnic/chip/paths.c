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
 * What is wrong on the way to RXEN or TE is judged when they go from 0 to 1, and counted once.
 */
#include "chip.h"
#include "violations.h"

enum {
	RX_BUFFER_KIB = 512,
	TX_BUFFER_KIB = 160,
	MARK_DISTANCE = 8, /* bytes from FCRTH.RTH to the packet buffer's end (8.2.3.3.4) */
	VLAN_TYPE = 0x8100,
};

static void secrx_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t stat = reg(nic, IXGBE_SECRXSTAT) & ~IXGBE_SECRXSTAT_SECRX_RDY;

	(void)index;
	(void)old;
	reg_store(nic, IXGBE_SECRXSTAT,
		  stat | (written & IXGBE_SECRXCTRL_RX_DIS ? IXGBE_SECRXSTAT_SECRX_RDY : 0));
}

static void sectx_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t stat = reg(nic, IXGBE_SECTXSTAT) & ~IXGBE_SECTXSTAT_SECTX_RDY;

	(void)index;
	(void)old;
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

static void check_flow_control(struct nic *nic)
{
	uint32_t mflcn = reg(nic, IXGBE_MFLCN), fcrth = reg(nic, IXGBE_FCRTH);
	uint32_t tfce = IXGBE_FIELD_GET(IXGBE_FCCFG_TFCE, reg(nic, IXGBE_FCCFG));
	uint32_t size = IXGBE_FIELD_GET(IXGBE_RXPBSIZE_SIZE, reg(nic, IXGBE_RXPBSIZE)) * 1024;
	uint32_t mark = fcrth & IXGBE_FCRTH_RTH;

	if (mark == 0 || mark + MARK_DISTANCE > size)
		violation(nic, VIOLATION_FCRTH_MARK, "FCRTH[0] is 0x%08x, RXPBSIZE[0] %u bytes",
			  fcrth, size);
	if ((mflcn & IXGBE_MFLCN_RPFCE && mflcn & IXGBE_MFLCN_RFCE) ||
	    (tfce == IXGBE_FCCFG_TFCE_NONE && fcrth & IXGBE_FCRTH_FCEN) ||
	    (tfce != IXGBE_FCCFG_TFCE_NONE && !(reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_TXCRCEN)))
		violation(nic, VIOLATION_FLOW_CONTROL,
			  "MFLCN is 0x%08x, FCCFG.TFCE %u, FCRTH[0] 0x%08x, HLREG0 0x%08x", mflcn,
			  tfce, fcrth, reg(nic, IXGBE_HLREG0));
}

static void rxctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	const uint32_t ones = IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX;
	uint32_t rdrxctl = reg(nic, IXGBE_RDRXCTL);
	uint32_t kib = buffers_kib(nic, IXGBE_RXPBSIZE);

	(void)index;
	if (old & IXGBE_RXCTRL_RXEN || !(written & IXGBE_RXCTRL_RXEN))
		return;
	check_begun(nic, "RXCTRL.RXEN");
	if (!(reg(nic, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS))
		violation(nic, VIOLATION_RXEN_WITHOUT_SECRX, "RXCTRL = 0x%08x", written);
	if (!any_receive_queue(nic))
		violation(nic, VIOLATION_RXEN_WITHOUT_QUEUE, "RXCTRL = 0x%08x", written);
	if (rdrxctl & IXGBE_RDRXCTL_RSCFRSTSIZE || (rdrxctl & ones) != ones)
		violation(nic, VIOLATION_RDRXCTL_RSC, "RDRXCTL is 0x%08x", rdrxctl);
	if (kib > RX_BUFFER_KIB)
		violation(nic, VIOLATION_RX_BUFFER_SUM, "%u KiB", kib);
	check_flow_control(nic);
}

static void fctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (reg(nic, IXGBE_FCTRL) != old && reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)
		violation(nic, VIOLATION_FCTRL_WITH_RXEN, "FCTRL 0x%08x to 0x%08x", old, written);
}

static void ctrl_ext_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if ((reg(nic, IXGBE_CTRL_EXT) ^ old) & IXGBE_CTRL_EXT_EXTENDED_VLAN &&
	    (reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN ||
	     reg(nic, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE))
		violation(nic, VIOLATION_EXTENDED_VLAN_LIVE, "CTRL_EXT 0x%08x to 0x%08x", old,
			  written);
}

/* ---- Transmit ---- */

/* A threshold leaves the buffer room for the longest frame. */
static bool thresholds_fit(const struct nic *nic)
{
	uint32_t bytes = reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_JUMBOEN
				 ? IXGBE_FIELD_GET(IXGBE_MAXFRS_MFS, reg(nic, IXGBE_MAXFRS))
				 : 1518;

	for (uint32_t i = 0; i < IXGBE_TXPBSIZE_COUNT; i++) {
		uint32_t size =
			IXGBE_FIELD_GET(IXGBE_TXPBSIZE_SIZE, reg(nic, IXGBE_AT(TXPBSIZE, i)));
		uint32_t threshold = reg(nic, IXGBE_AT(TXPBTHRESH, i)) & IXGBE_TXPBTHRESH_THRESH;

		if (size && threshold && threshold + (bytes + 1023) / 1024 > size)
			return false;
	}
	return reg(nic, IXGBE_TXPBTHRESH) & IXGBE_TXPBTHRESH_THRESH;
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
static void check_tags(struct nic *nic, uint32_t dmatxctl)
{
	uint32_t type = IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, dmatxctl);
	bool extended = reg(nic, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_EXTENDED_VLAN;

	if (type != (reg(nic, IXGBE_VLNCTRL) & IXGBE_VLNCTRL_VET))
		violation(nic, VIOLATION_TX_VLAN_TYPE, "DMATXCTL = 0x%08x, VLNCTRL is 0x%08x",
			  dmatxctl, reg(nic, IXGBE_VLNCTRL));
	if (extended != (bool)(dmatxctl & IXGBE_DMATXCTL_GDV))
		violation(nic, VIOLATION_DOUBLE_VLAN, "DMATXCTL = 0x%08x, CTRL_EXT is 0x%08x",
			  dmatxctl, reg(nic, IXGBE_CTRL_EXT));
}

static void dmatxctl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t kib = buffers_kib(nic, IXGBE_TXPBSIZE);

	(void)index;
	if ((old ^ written) & IXGBE_DMATXCTL_VLT &&
	    IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, written) != VLAN_TYPE)
		violation(nic, VIOLATION_TX_VLAN_TYPE, "DMATXCTL = 0x%08x", written);
	if (old & ~written & IXGBE_DMATXCTL_TE)
		check_te_off(nic);
	if (!(~old & written & IXGBE_DMATXCTL_TE))
		return;
	if (IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, written) == VLAN_TYPE)
		check_tags(nic, written);
	check_begun(nic, "DMATXCTL.TE");
	if (kib > TX_BUFFER_KIB || !thresholds_fit(nic))
		violation(nic, VIOLATION_TX_BUFFER_SUM, "%u KiB, TXPBTHRESH[0] is 0x%x", kib,
			  reg(nic, IXGBE_TXPBTHRESH));
}

/* Of the registers that change only while the arbiter stands (4.6.8). */
static void arbiter_stands(struct nic *nic, uint32_t offset, uint32_t old, const char *name)
{
	if (reg(nic, offset) != old && !(reg(nic, IXGBE_RTTDCS) & IXGBE_RTTDCS_ARBDIS))
		violation(nic, VIOLATION_TX_ARBITER, "%s 0x%08x to 0x%08x", name, old,
			  reg(nic, offset));
}

static void dtxmxszrq_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	arbiter_stands(nic, IXGBE_DTXMXSZRQ, old, "DTXMXSZRQ");
	if (written & ~IXGBE_DTXMXSZRQ_MAX_BYTES)
		violation(nic, VIOLATION_DTXMXSZRQ_BITS, "DTXMXSZRQ = 0x%08x", written);
}

static void txpbsize_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)written;
	arbiter_stands(nic, IXGBE_AT(TXPBSIZE, index), old, "TXPBSIZE");
}

static void txpbthresh_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)written;
	arbiter_stands(nic, IXGBE_AT(TXPBTHRESH, index), old, "TXPBTHRESH");
}

static void mtqc_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index, (void)written;
	arbiter_stands(nic, IXGBE_MTQC, old, "MTQC");
}

const struct reg_hook paths_hooks[] = {
	{IXGBE_SECRXCTRL, NULL, secrx_write},
	{IXGBE_SECTXCTRL, NULL, sectx_write},
	{IXGBE_EEC, eec_read, NULL},
	{IXGBE_RDRXCTL, rdrxctl_read, NULL},
	{IXGBE_RXCTRL, NULL, rxctrl_write},
	{IXGBE_FCTRL, NULL, fctrl_write},
	{IXGBE_CTRL_EXT, NULL, ctrl_ext_write},
	{IXGBE_DMATXCTL, NULL, dmatxctl_write},
	{IXGBE_DTXMXSZRQ, NULL, dtxmxszrq_write},
	{IXGBE_TXPBSIZE, NULL, txpbsize_write},
	{IXGBE_TXPBTHRESH, NULL, txpbthresh_write},
	{IXGBE_MTQC, NULL, mtqc_write},
	{0},
};
