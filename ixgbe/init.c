/* SPDX-License-Identifier: MIT */
/*
 * Reset, and what is written once after it (section 4.6.3).
 *
 * The static configuration is no DCB, no virtualization, one packet buffer in each direction, no
 * flow control and no receive side coalescing. The tables below have the registers that get one
 * value, and zeros for the memories that a reset does not clear. A row's section is beside the row
 * or at the head of its group. init_configure() changes single bits of further registers.
 */
#include "parts.h"
#include "wait.h"

#include <errno.h>

#define MASTER_LIMIT_US 100000u /* longer than every completion timeout in use */
#define SECRX_LIMIT_US  50000u
#define RESET_ACCESS_US 1000u  /* no register access before that, 8.2.3.1.1 */
#define RESET_SETTLE_US 10000u /* 4.6.3.2 */
#define FLUSH_US        20u    /* 5.2.5.3.2 */

/* KiB, DCB off: section 4.6.11.3.4. */
#define RX_BUFFER_KB    512u
#define TX_BUFFER_KB    160u
#define TX_FRAME_MAX_KB 10u
/* Where XOFF would be sent. Section 4.6.3.2 asks for a value without flow control too. */
#define RX_HIGH_WATER_BYTES (RX_BUFFER_KB * 1024u - 0x6000u)

/* Writes `value` to `count` registers from `offset` on. */
struct fill {
	uint32_t offset, stride, count, value;
};
/* clang-format off */
#define ALL(name, value)     {IXGBE_##name, IXGBE_##name##_STRIDE, IXGBE_##name##_COUNT, value}
#define ONE(name, value)     {IXGBE_##name, 4, 1, value}
#define FROM(name, n, value) \
	{IXGBE_AT(name, n), IXGBE_##name##_STRIDE, IXGBE_##name##_COUNT - (n), value}
/* clang-format on */

static const struct fill clears[] = {
	/* 4.6.7: memories have no defined value after a reset; software clears them. */
	ALL(PFUTA, 0),   /* 8.2.3.27.17 */
	ALL(PFVLVF, 0),  /* 8.2.3.27.15 */
	ALL(PFVLVFB, 0), /* 8.2.3.27.16 */
	ALL(FTQF, 0),    /* 8.2.3.7.19: QUEUE_ENABLE off */
	ALL(ETQF, 0),    /* 8.2.3.7.21 */
	ALL(ETQS, 0),    /* 8.2.3.7.22 */
	ONE(SYNQF, 0),   /* 8.2.3.7.20 */
	/* No wake-up pattern takes a frame for itself, 8.2.3.24.2. */
	ONE(WUFC, 0),
};

static const struct fill receive[] = {
	/* One packet buffer, 4.6.11.3.4. */
	ONE(RXPBSIZE, IXGBE_FIELD_PREP(IXGBE_RXPBSIZE_SIZE, RX_BUFFER_KB)),
	FROM(RXPBSIZE, 1, 0),
	/* DEVIATION(flow-control): off. 4.6.3.2: then all of it is 0 but the high water mark, which
	 * is set without FCEN. */
	ALL(FCTTV, 0),
	ALL(FCRTL, 0),
	ONE(FCRTH, RX_HIGH_WATER_BYTES),
	FROM(FCRTH, 1, 0),
	ONE(FCRTV, 0),
	ONE(FCCFG, 0),
	/* Pauses are not obeyed and not handed to the host, 8.2.3.22.34. */
	ONE(MFLCN, IXGBE_MFLCN_DPF),
	/* DCB off: every priority is in class 0 and the arbiter is plain, 4.6.11.3.4. */
	ONE(RTRUP2TC, 0),
	ONE(RTRPCS, 0),
	ALL(RTRPT4C, 0),
	/* The hash stands in the descriptor, not the fragment checksum, 8.2.3.7.5. */
	ONE(RXCSUM, IXGBE_RXCSUM_PCSD),
	/* No coalescing, no NFS header parsing, 8.2.3.7.6. */
	ONE(RFCTL, IXGBE_RFCTL_RSC_DIS | IXGBE_RFCTL_NFSW_DIS | IXGBE_RFCTL_NFSR_DIS),
};

/* 4.6.11.3.4 has these values. 4.6.8: they may change only while RTTDCS.ARBDIS is set. */
static const struct fill transmit[] = {
	ONE(DTXMXSZRQ, IXGBE_DTXMXSZRQ_MAX_BYTES), /* 1 MiB of requests */
	ONE(TXPBSIZE, IXGBE_FIELD_PREP(IXGBE_TXPBSIZE_SIZE, TX_BUFFER_KB)),
	FROM(TXPBSIZE, 1, 0),
	/* The buffer less the largest frame. */
	ONE(TXPBTHRESH, TX_BUFFER_KB - TX_FRAME_MAX_KB),
	FROM(TXPBTHRESH, 1, 0),
	ONE(MTQC, 0), /* one traffic class, no VMDq pools */
	ONE(RTTUP2TC, 0),
	ALL(RTTDT2C, 0),
	ALL(RTTPT2C, 0),
	ONE(RTTPCS, IXGBE_FIELD_PREP(IXGBE_RTTPCS_ARBD, IXGBE_RTTPCS_ARBD_DEFAULT)),
};

static void fill_all(struct ixgbe *nic, const struct fill *row, size_t rows)
{
	for (; rows > 0; rows--, row++)
		for (uint32_t i = 0; i < row->count; i++)
			reg_write(nic, row->offset + i * row->stride, row->value);
}
#define FILL(nic, table) fill_all(nic, table, sizeof(table) / sizeof(*(table)))

static void reg_change(struct ixgbe *nic, uint32_t offset, uint32_t clear, uint32_t set)
{
	reg_write(nic, offset, (reg_read(nic, offset) & ~clear) | set);
}

int init_bus_master_set(struct ixgbe *nic, bool on)
{
	return port_is_kept(nic) ? 0 : pci_bus_master_set(nic->device, on);
}

/* ---- Reset ---- */

/* Whether requests of the device are still on the bus. Unreadable counts as yes, and a kept
 * device's driver cannot read. */
static bool transactions_pending(struct ixgbe *nic)
{
	uint64_t end = wait_now_us() + MASTER_LIMIT_US;

	if (port_is_kept(nic))
		return true;
	for (;;) {
		/* The clock before the look: a late wake-up is no timeout. */
		const bool last = wait_now_us() >= end;
		const int pending = pci_transactions_pending(nic->device);

		if (pending <= 0)
			return pending != 0;
		if (last)
			return true;
		wait_us(1000);
	}
}

/* Section 5.2.5.3.2: before a reset the device stops sending requests, and those on the bus come to
 * their end. */
static int master_disable(struct ixgbe *nic)
{
	int err;

	reg_set(nic, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
	err = reg_wait(nic, IXGBE_STATUS, IXGBE_STATUS_PCIE_MASTER_ENABLE, 0, MASTER_LIMIT_US);
	if (err != -ETIMEDOUT)
		return err;

	port_log(nic, IXGBE_LOG_WARNING, "the device did not end its DMA in time; flushing it");
	if (transactions_pending(nic))
		return -ETIMEDOUT;
	/* 5.2.5.3.2: frames that are stuck in the transmitter are looped back to a receiver that is
	 * off, where they end. */
	reg_set(nic, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	reg_clear(nic, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	reg_set(nic, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR);
	reg_read(nic, IXGBE_GCR_EXT); /* the time begins when the write has arrived */
	wait_us(FLUSH_US);
	reg_clear(nic, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	reg_clear(nic, IXGBE_GCR_EXT, IXGBE_GCR_EXT_BUFFERS_CLEAR);
	return 0;
}

/* Section 4.2.1.5, the last means: ends DMA that nothing else ended. -ETIMEDOUT: it is the keeper's
 * to do. */
static int function_reset(struct ixgbe *nic)
{
	int err;

	if (port_is_kept(nic)) {
		port_log(nic, IXGBE_LOG_WARNING,
			 "the device cannot be flushed; its keeper has to reset the function");
		return -ETIMEDOUT;
	}
	port_log(nic, IXGBE_LOG_WARNING, "the device cannot be flushed; resetting the function");
	/* 8.2.3.1.3: firmware is not to take it that the driver of before is still there. */
	reg_clear(nic, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
	err = nic->backend->ops->reset(nic->backend);
	if (!err) /* registers have to answer again */
		err = init_bus_master_set(nic, false);
	return err ? err : device_vectors_connect(nic->device);
}

static int software_reset(struct ixgbe *nic)
{
	/* 4.2.1.6.1, 8.2.3.1.1: no register may be touched for a millisecond after RST. */
	reg_set(nic, IXGBE_CTRL, IXGBE_CTRL_RST);
	wait_us(RESET_ACCESS_US);
	return reg_wait(nic, IXGBE_CTRL, IXGBE_CTRL_RST, 0, WAIT_LIMIT_US);
}

int init_reset(struct ixgbe *nic)
{
	int err;

	irq_mask_all(nic); /* 4.6.3.1: interrupts are off before a reset, and again after it */
	err = init_receiver_set(nic, false);
	if (err && err != -ETIMEDOUT) /* a reset frees a receive path that is stuck */
		return err;
	err = rings_end_all(nic);
	if (err && err != -ETIMEDOUT)
		return err;
	err = master_disable(nic);
	if (err == -ETIMEDOUT)
		err = function_reset(nic);
	if (err)
		return err;

	/* DEVIATION(double-reset): 5.2.5.3.2 asks for a second reset only where the master disable
	 * failed. A completion that arrives after the first one leaves traces, which the second one
	 * clears. */
	err = software_reset(nic);
	if (!err)
		err = software_reset(nic);
	if (err)
		return err;
	wait_us(RESET_SETTLE_US);
	irq_mask_all(nic);

	/* 4.6.3: registers are the driver's when the EEPROM's values are in them and the DMA unit
	 * is ready. */
	err = reg_wait(nic, IXGBE_EEC, IXGBE_EEC_AUTO_RD, IXGBE_EEC_AUTO_RD, WAIT_LIMIT_US);
	if (err)
		return err;
	return reg_wait(nic, IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, IXGBE_RDRXCTL_DMAIDONE,
			WAIT_LIMIT_US);
}

/* ---- Configuration ---- */

void init_configure(struct ixgbe *nic)
{
	/* DRV_LOAD tells firmware that the link is the driver's. 4.6.7: no-snoop has to be off. */
	reg_set(nic, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD | IXGBE_CTRL_EXT_NS_DIS);

	/* 8.2.3.4.1, specification clarification 2 in ERRATA.md: a request that was sent again
	 * after its time may get two completions, with effects that nobody can tell. EEPROMs have
	 * it off. */
	reg_clear(nic, IXGBE_GCR, IXGBE_GCR_CMPL_TMOUT_RESEND_EN | IXGBE_GCR_CMPL_TMOUT_RESEND);

	FILL(nic, clears);
	FILL(nic, receive);
	/* 8.2.3.8.8: RDRXCTL and HLREG0 have to agree on the CRC. RSCFRSTSIZE has to be 0, RSCACKC
	 * and FCOE_WRFIX 1: all three are otherwise after a reset. */
	reg_change(nic, IXGBE_RDRXCTL, IXGBE_RDRXCTL_RSCFRSTSIZE,
		   IXGBE_RDRXCTL_CRCSTRIP | IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX);
	reg_change(nic, IXGBE_HLREG0, IXGBE_HLREG0_LPBK,
		   IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_TXPADEN);
	rss_configure(nic);

	reg_set(nic, IXGBE_RTTDCS, IXGBE_RTTDCS_ARBDIS);
	FILL(nic, transmit);
	for (uint32_t q = 0; q < IXGBE_TXQ_COUNT; q++) { /* 4.6.11.3.4 */
		reg_write(nic, IXGBE_RTTDQSEL, q);
		reg_write(nic, IXGBE_RTTDT1C, 0);
	}
	reg_change(nic, IXGBE_RTTDCS,
		   IXGBE_RTTDCS_ARBDIS | IXGBE_RTTDCS_TDPAC | IXGBE_RTTDCS_VMPAC |
			   IXGBE_RTTDCS_TDRM,
		   IXGBE_RTTDCS_BDPM | IXGBE_RTTDCS_BPBFSM);

	/* Each queue pair in its own statistics counter (8.2.3.23.71, 73). */
	for (uint32_t i = 0; i < IXGBE_QUEUES_MAX / 4; i++) {
		uint32_t identity = 0x03020100u + 0x04040404u * i;

		reg_write(nic, IXGBE_AT(RQSMR, i), identity);
		reg_write(nic, IXGBE_AT(TQSM, i), identity);
	}
}

void init_memory_errors_report(struct ixgbe *nic)
{
	reg_write(nic, IXGBE_RXFECCERR0, IXGBE_RXFECCERR0_ECCFLT_EN);
}

int init_receiver_set(struct ixgbe *nic, bool on)
{
	int err;

	/* 4.6.7: RXEN changes only while no frame is on its way. RX_DIS makes the security unit,
	 * which is in front of the receiver, hold frames back; SECRX_RDY says that the way is
	 * empty. */
	reg_set(nic, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	err = reg_wait(nic, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_SECRX_RDY, IXGBE_SECRXSTAT_SECRX_RDY,
		       SECRX_LIMIT_US);
	if (err == 0 && on)
		reg_set(nic, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	if (!on) /* even if the way does not empty: a reset follows */
		reg_clear(nic, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
	reg_clear(nic, IXGBE_SECRXCTRL, IXGBE_SECRXCTRL_RX_DIS);
	return err;
}
