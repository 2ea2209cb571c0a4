/* SPDX-License-Identifier: MIT */
/*
 * A NIC that is not new, with --dirty SEED: as another driver, firmware or a crash leaves it.
 *
 *     from the start          registers have random values until a reset
 *     after every reset       memories have random values until they are written: no reset clears
 *                             them (4.6.7). What a driver leaves so until it sets RXEN or enables a
 *                             transmit queue is a violation. So do wake-up filters (4.2.3)
 *     time                    what takes the hardware time takes a random one, and bits that a
 * driver polls change only then: CTRL.RST, STATUS.PCIE_MASTER_ENABLE, EEC.AUTO_RD,
 * RDRXCTL.DMAIDONE, SECRXSTAT.SECRX_RDY, ENABLE of queues, EERD.DONE. A driver that goes on before
 * is a violation
 *
 * Without --dirty nothing here has an effect.
 */
#include <errno.h>
#include <stdlib.h>

#include "chip.h"
#include "tools/ixnic/loop.h"
#include "violations.h"

#define US 1000u
/* Times of the hardware, up to. */
#define RESET_US 2000u
/* 8.2.3.1.1: no access for a millisecond. The write comes late on a busy machine, so less. */
#define RESET_QUIET_US  60u
#define MASTER_US       300u
#define INIT_FIRST_US   11000u /* past the 10 ms that every driver waits */
#define INIT_US         2000u
#define QUEUE_US        200u
#define SECRX_US        100u
#define FLUSH_US        20u
#define MASTER_STUCK_IN 4u /* one master disable of so many is stuck */
#define QUEUES          ((uint32_t)IXGBE_RXQ_COUNT)

struct dirty {
	uint64_t state;
	bool stuck; /* the master disable does not come to its end without a flush */
	bool flushing;
	bool fresh; /* no register was written since the reset */
	uint64_t flush_ns;
	bool undefined[IXGBE_BAR0_SIZE / 4]; /* memory that nobody wrote since the reset */
	bool dt1c_undefined[IXGBE_TXQ_COUNT];
	/* When each is over. */
	uint64_t quiet_ns, reset_ns, master_ns, eeprom_ns, dma_ns, secrx_ns, eerd_ns;
	uint64_t queue_ns[2][IXGBE_RXQ_COUNT];
};

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
};

/* Changed only while the transmit arbiter is off (4.6.11.3.1). */
static const enum ixgbe_reg_row arbitrated[] = {
	IXGBE_ROW_DTXMXSZRQ, IXGBE_ROW_TXPBSIZE, IXGBE_ROW_TXPBTHRESH,
	IXGBE_ROW_MTQC,      IXGBE_ROW_RTTDT1C,  IXGBE_ROW_RTTDT2C,
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
	BITS(TXPBTHRESH, UINT32_MAX, 150, "4.6.11.3.4"),
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
	BITS(FCRTH, UINT32_MAX, 512u * 1024u - 0x6000u, "4.6.3.2"),
	BITS(PFUTA, UINT32_MAX, 0, "4.6.7"),
	BITS(PFVLVF, UINT32_MAX, 0, "4.6.7"),
	BITS(PFVLVFB, UINT32_MAX, 0, "4.6.7"),
	BITS(FTQF, UINT32_MAX, 0, "4.6.7"),
	BITS(ETQF, UINT32_MAX, 0, "8.2.3.7.21"),
	BITS(WUFC, UINT32_MAX, 0, "8.2.3.24.2"),
#undef ALL
#undef FLOW
#undef BITS
};

static uint32_t draw(struct dirty *dirty)
{
	dirty->state = dirty->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(dirty->state >> 32);
}

/* A time between `least_us` and `most_us` from now. */
static uint64_t after(struct dirty *dirty, uint32_t least_us, uint32_t most_us)
{
	return loop_now_ns() + US * (uint64_t)(least_us + draw(dirty) % (most_us - least_us + 1));
}

static bool under_way(uint64_t end_ns)
{
	return end_ns && loop_now_ns() < end_ns;
}

static void randomize(struct nic *nic, const struct ixgbe_register *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		uint32_t at = r->offset + i * r->stride;

		reg_store(nic, at,
			  (reg(nic, at) & ~r->writable) | (draw(nic->dirty) & r->writable));
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

int dirty_set(struct nic *nic, uint64_t seed)
{
	nic->dirty = calloc(1, sizeof(*nic->dirty));
	if (!nic->dirty)
		return -ENOMEM;
	nic->dirty->state = seed;
	for (uint32_t row = 0; row < IXGBE_REGISTER_ROWS; row++) {
		if (ixgbe_registers[row].access == IXGBE_REG_RW && !is_calm(row))
			randomize(nic, &ixgbe_registers[row]);
	}
	return 0;
}

void dirty_free(struct nic *nic)
{
	free(nic->dirty);
	nic->dirty = NULL;
}

void dirty_reset(struct nic *nic, enum nic_reset kind)
{
	struct dirty *dirty = nic->dirty;

	if (!dirty)
		return;
	for (size_t m = 0; m < sizeof(memories) / sizeof(memories[0]); m++) {
		const struct ixgbe_register *r = &ixgbe_registers[memories[m]];

		randomize(nic, r);
		for (uint32_t i = 0; i < r->count; i++)
			dirty->undefined[(r->offset + i * r->stride) / 4] = true;
	}
	for (uint32_t q = 0; q < IXGBE_TXQ_COUNT; q++)
		dirty->dt1c_undefined[q] = true;
	for (uint32_t q = 0; q < QUEUES; q++)
		dirty->queue_ns[0][q] = dirty->queue_ns[1][q] = 0;
	dirty->quiet_ns = dirty->reset_ns = dirty->eeprom_ns = dirty->dma_ns = 0;
	dirty->stuck = dirty->flushing = false;
	dirty->fresh = true;
	dirty->master_ns = dirty->secrx_ns = dirty->eerd_ns = 0;
	/* Whoever resets the function waits 100 ms before a driver has it. */
	if (kind != NIC_RESET_CTRL_RST && kind != NIC_RESET_LINK)
		return;
	dirty->quiet_ns = after(dirty, RESET_QUIET_US, RESET_QUIET_US);
	dirty->reset_ns = after(dirty, RESET_US / 2, RESET_US);
	dirty->eeprom_ns = after(dirty, INIT_FIRST_US, INIT_FIRST_US + INIT_US);
	dirty->dma_ns = after(dirty, INIT_FIRST_US, INIT_FIRST_US + INIT_US);
}

/* The time of the queue that this register enables; NULL: the register is another. */
static uint64_t *queue_time(struct dirty *dirty, const struct ixgbe_register *r, uint32_t offset)
{
	const uint32_t row = (uint32_t)(r - ixgbe_registers);

	if (row != IXGBE_ROW_RXDCTL && row != IXGBE_ROW_RXDCTL_HI && row != IXGBE_ROW_TXDCTL)
		return NULL;
	for (uint32_t q = 0; q < QUEUES; q++) {
		if (offset == ixgbe_rxq_reg(IXGBE_RXDCTL, q))
			return &dirty->queue_ns[0][q];
		if (offset == ixgbe_txq_reg(IXGBE_TXDCTL, q))
			return &dirty->queue_ns[1][q];
	}
	return NULL;
}

uint32_t dirty_read(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
		    uint32_t value)
{
	struct dirty *dirty = nic->dirty;
	const uint64_t *queue;

	if (!dirty)
		return value;
	if (offset != IXGBE_STATUS && under_way(dirty->quiet_ns))
		violation(nic, VIOLATION_RESET_NOT_WAITED,
			  "%s read within a millisecond of the reset", r->name);
	queue = queue_time(dirty, r, offset);
	if (queue && under_way(*queue))
		return value ^ IXGBE_RXDCTL_ENABLE;
	if (offset == IXGBE_CTRL && under_way(dirty->reset_ns))
		return value | IXGBE_CTRL_RST;
	if (offset == IXGBE_STATUS && (dirty->stuck || under_way(dirty->master_ns)))
		return value | IXGBE_STATUS_PCIE_MASTER_ENABLE;
	if (offset == IXGBE_EEC && under_way(dirty->eeprom_ns))
		return value & ~IXGBE_EEC_AUTO_RD;
	if (offset == IXGBE_RDRXCTL && under_way(dirty->dma_ns))
		return value & ~IXGBE_RDRXCTL_DMAIDONE;
	if (offset == IXGBE_SECRXSTAT && under_way(dirty->secrx_ns))
		return value & ~IXGBE_SECRXSTAT_SECRX_RDY;
	if (offset == IXGBE_EERD && under_way(dirty->eerd_ns))
		return value & ~(IXGBE_EERD_DONE | IXGBE_EERD_DATA);
	return value;
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

/* 5.2.5.3.2: frames stuck in the transmitter are looped back to a receiver that is off. */
static void flush_before(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	const uint32_t clear = IXGBE_GCR_EXT_BUFFERS_CLEAR;

	if (written & ~old & clear) {
		if (!(reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK) ||
		    reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)
			violation(nic, VIOLATION_MASTER_FLUSH,
				  "buffers cleared without LPBK, or with RXEN");
		dirty->flushing = true;
		dirty->flush_ns = loop_now_ns() + FLUSH_US * US;
	} else if (old & ~written & clear) {
		if (under_way(dirty->flush_ns))
			violation(nic, VIOLATION_MASTER_FLUSH, "buffers not cleared for 20 us");
		dirty->stuck = false;
	}
}

static void check_quiet(struct nic *nic)
{
	const struct dirty *dirty = nic->dirty;

	if (dirty->stuck)
		violation(nic, VIOLATION_MASTER_FLUSH, "reset without a flush");
	if (dirty->flushing && (reg(nic, IXGBE_GCR_EXT) & IXGBE_GCR_EXT_BUFFERS_CLEAR ||
				reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK))
		violation(nic, VIOLATION_MASTER_FLUSH, "reset before the flush was over");
}

static void ctrl_before(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;

	if (written & (IXGBE_CTRL_RST | IXGBE_CTRL_LRST)) {
		if (!dirty->fresh && !(old & IXGBE_CTRL_PCIE_MASTER_DISABLE))
			violation(nic, VIOLATION_RESET_WITH_DMA, "no master disable");
		if (!dirty->fresh)
			check_quiet(nic);
		for (uint32_t q = 0; q < QUEUES; q++) {
			if (under_way(dirty->queue_ns[0][q]) || under_way(dirty->queue_ns[1][q]))
				violation(nic, VIOLATION_RESET_WITH_DMA,
					  "queue %u had not come to its end", q);
		}
		if (under_way(dirty->master_ns))
			violation(nic, VIOLATION_RESET_WITH_DMA,
				  "STATUS.PCIE_MASTER_ENABLE was not clear yet");
		return;
	}
	if (written & ~old & IXGBE_CTRL_PCIE_MASTER_DISABLE) {
		dirty->master_ns = after(dirty, MASTER_US / 2, MASTER_US);
		dirty->stuck = draw(dirty) % MASTER_STUCK_IN == 0;
	}
}

static void check_init_wait(struct nic *nic, const struct ixgbe_register *r, uint32_t offset)
{
	const struct dirty *dirty = nic->dirty;

	if (offset == IXGBE_CTRL || offset == IXGBE_EIMC || offset == IXGBE_AT(EIMC_EX, 0) ||
	    offset == IXGBE_AT(EIMC_EX, 1))
		return;
	if (under_way(dirty->eeprom_ns))
		violation(nic, VIOLATION_INIT_NOT_WAITED, "%s written before EEC.AUTO_RD was set",
			  r->name);
	if (under_way(dirty->dma_ns))
		violation(nic, VIOLATION_INIT_NOT_WAITED,
			  "%s written before RDRXCTL.DMAIDONE was set", r->name);
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

void dirty_write(struct nic *nic, const struct ixgbe_register *r, uint32_t offset, uint32_t old,
		 uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	uint64_t *queue;

	if (!dirty)
		return;
	check_init_wait(nic, r, offset);
	dirty->undefined[offset / 4] = false;
	dirty->fresh = dirty->fresh && offset == IXGBE_CTRL;
	queue = queue_time(dirty, r, offset);
	check_arbiter(nic, r, queue && written & ~old & IXGBE_TXDCTL_ENABLE);
	if (queue && (written ^ old) & IXGBE_RXDCTL_ENABLE)
		*queue = after(dirty, QUEUE_US / 4, QUEUE_US);
	switch (offset) {
	case IXGBE_CTRL:
		ctrl_before(nic, old, written);
		break;
	case IXGBE_SECRXCTRL:
		if (written & ~old & IXGBE_SECRXCTRL_RX_DIS)
			dirty->secrx_ns = after(dirty, SECRX_US / 2, SECRX_US);
		break;
	case IXGBE_RXCTRL:
		if ((written ^ old) & IXGBE_RXCTRL_RXEN && under_way(dirty->secrx_ns))
			violation(nic, VIOLATION_RXEN_WITHOUT_SECRX,
				  "RXEN changed before SECRXSTAT.SECRX_RDY was set");
		if (written & ~old & IXGBE_RXCTRL_RXEN) {
			check_memories(nic, "RXEN");
			check_demanded(nic);
		}
		break;
	case IXGBE_GCR_EXT:
		flush_before(nic, old, written);
		break;
	case IXGBE_RTTDT1C:
		dirty->dt1c_undefined[reg(nic, IXGBE_RTTDQSEL) % IXGBE_TXQ_COUNT] = false;
		break;
	case IXGBE_EERD:
		if (written & IXGBE_EERD_START)
			dirty->eerd_ns = after(dirty, 1, 20);
		break;
	default:
		break;
	}
}
