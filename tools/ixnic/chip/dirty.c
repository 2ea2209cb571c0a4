/* SPDX-License-Identifier: MIT */
/*
 * A NIC that is not new, with --dirty SEED: as another driver, firmware or a crash leaves it.
 *
 *     from the start     registers have random values until a reset; queues are on
 *     after every reset  memories, and what an EEPROM may load, are random: dirty_setup.c
 *     time               what takes the hardware time takes a random one, and bits that a driver
 *                        polls change only then: CTRL.RST, STATUS.PCIE_MASTER_ENABLE, EEC.AUTO_RD,
 *                        RDRXCTL.DMAIDONE, SECRXSTAT.SECRX_RDY, ENABLE of queues, EERD.DONE.
 *     the board          module, firmware and link: dirty_board.c
 *
 * A driver that goes on before the time breaks a rule. Waits that a driver makes by its own clock
 * are as short as a message between driver and NIC. With --slow N those of up to 100 us are N times
 * as long, for a driver whose own waits were stretched as much. Without --dirty nothing here has an
 * effect.
 */
#include "dirty.h"

#include <errno.h>
#include <stdlib.h>

#include "violations.h"

/* Times of the hardware, up to. */
#define RESET_US 2000u
/* 8.2.3.1.1: no access for a millisecond after the reset. Its write may arrive late on a busy
 * machine, so the time counts from the read of CTRL before it, and is less. */
#define RESET_QUIET_US  300u
#define MASTER_US       300u
#define PENDING_US      5000u
#define INIT_FIRST_US   11000u /* past the 10 ms that every driver waits */
#define INIT_US         2000u
#define QUEUE_US        200u
#define STAYS_US        300000u /* longer than a driver waits for the end of a queue */
#define SECRX_US        100u
#define FLUSH_US        20u  /* 5.2.5.3.2 */
#define IDLE_US         100u /* 4.6.7.1.2 */
#define MASTER_STUCK_IN 4u   /* one master disable of so many is stuck */

int dirty_set(struct nic *nic, uint64_t seed, uint32_t slow)
{
	nic->dirty = calloc(1, sizeof(*nic->dirty));
	if (!nic->dirty)
		return -ENOMEM;
	nic->dirty->state = seed;
	nic->dirty->slow = slow;
	dirty_setup_start(nic);
	dirty_board_start(nic);
	return 0;
}

void dirty_free(struct nic *nic)
{
	free(nic->dirty);
	nic->dirty = NULL;
}

/* DRV_LOAD tells firmware that a driver is there. One that resets the function is not. */
void dirty_leave(struct nic *nic, enum nic_reset kind)
{
	if (nic->dirty && kind == NIC_RESET_FLR &&
	    reg(nic, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_DRV_LOAD)
		violation(nic, VIOLATION_DRIVER_LOADED, "CTRL_EXT is 0x%08x",
			  reg(nic, IXGBE_CTRL_EXT));
}

void dirty_reset(struct nic *nic, enum nic_reset kind)
{
	struct dirty *dirty = nic->dirty;

	if (!dirty)
		return;
	dirty_setup_reset(nic);
	dirty_board_reset(nic);
	/* A completion that never came, from before. */
	reg_store(nic, IXGBE_PICAUSE, IXGBE_PIENA_TO);
	for (uint32_t q = 0; q < DIRTY_QUEUES; q++)
		dirty->queue[0][q] = dirty->queue[1][q] = (struct dirty_queue){0};
	dirty->quiet_ns = dirty->reset_ns = dirty->eeprom_ns = dirty->dma_ns = 0;
	dirty->stuck = dirty->flushing = false;
	dirty->fresh = true;
	dirty->master_ns = dirty->pending_ns = dirty->secrx_ns = dirty->eerd_ns = 0;
	/* Whoever resets the function waits 100 ms before a driver has it. */
	if (kind != NIC_RESET_CTRL_RST && kind != NIC_RESET_LINK)
		return;
	dirty->quiet_ns = dirty->ctrl_ns;
	dirty->reset_ns = dirty_after(dirty, RESET_US / 2, RESET_US);
	dirty->eeprom_ns = dirty_after(dirty, INIT_FIRST_US, INIT_FIRST_US + INIT_US);
	dirty->dma_ns = dirty_after(dirty, INIT_FIRST_US, INIT_FIRST_US + INIT_US);
}

bool dirty_pending(struct nic *nic)
{
	struct dirty *dirty = nic->dirty;

	if (!dirty || !dirty->stuck)
		return false;
	if (!dirty->pending_ns)
		dirty->pending_ns = dirty_after(dirty, PENDING_US / 4, PENDING_US);
	return dirty_under_way(dirty->pending_ns);
}

/* The queue that this register enables; NULL: the register is another. */
static struct dirty_queue *queue_of(struct dirty *dirty, const struct ixgbe_register *r,
				    uint32_t offset)
{
	const uint32_t row = (uint32_t)(r - ixgbe_registers);

	if (row != IXGBE_ROW_RXDCTL && row != IXGBE_ROW_RXDCTL_HI && row != IXGBE_ROW_TXDCTL)
		return NULL;
	for (uint32_t q = 0; q < DIRTY_QUEUES; q++) {
		if (offset == ixgbe_rxq_reg(IXGBE_RXDCTL, q))
			return &dirty->queue[0][q];
		if (offset == ixgbe_txq_reg(IXGBE_TXDCTL, q))
			return &dirty->queue[1][q];
	}
	return NULL;
}

static uint32_t queue_read(struct dirty_queue *queue, uint32_t value, const struct dirty *dirty)
{
	if (queue->late)
		return value ^ IXGBE_RXDCTL_ENABLE;
	if (queue->unseen && !(value & IXGBE_RXDCTL_ENABLE)) {
		queue->unseen = false;
		queue->idle_ns = dirty_slowly(dirty, IDLE_US);
	}
	return value;
}

bool dirty_queue_late(struct nic *nic, uint32_t offset)
{
	struct dirty *dirty = nic->dirty;
	struct dirty_queue *queue;
	uint32_t index;

	if (!dirty)
		return false;
	queue = queue_of(dirty, ixgbe_register_find(offset, &index), offset);
	if (queue)
		queue->late = dirty_under_way(queue->ns);
	return queue && queue->late;
}

uint32_t dirty_read(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
		    uint32_t value)
{
	struct dirty *dirty = nic->dirty;
	struct dirty_queue *queue;

	if (!dirty)
		return value;
	if (offset != IXGBE_STATUS && dirty_under_way(dirty->quiet_ns))
		violation(nic, VIOLATION_RESET_NOT_WAITED,
			  "%s read within a millisecond of the reset", r->name);
	queue = queue_of(dirty, r, offset);
	if (queue)
		return queue_read(queue, value, dirty);
	if (r == &ixgbe_registers[IXGBE_ROW_TDH])
		dirty->queue[1][(offset - r->offset) / r->stride].head_seen = true;
	switch (offset) {
	case IXGBE_CTRL:
		dirty->ctrl_ns = dirty_after(dirty, RESET_QUIET_US, RESET_QUIET_US);
		return dirty_under_way(dirty->reset_ns) ? value | IXGBE_CTRL_RST : value;
	case IXGBE_STATUS:
		return dirty->stuck || dirty_under_way(dirty->master_ns)
			       ? value | IXGBE_STATUS_PCIE_MASTER_ENABLE
			       : value;
	case IXGBE_EEC:
		return dirty_under_way(dirty->eeprom_ns) ? value & ~IXGBE_EEC_AUTO_RD : value;
	case IXGBE_RDRXCTL:
		return dirty_under_way(dirty->dma_ns) ? value & ~IXGBE_RDRXCTL_DMAIDONE : value;
	case IXGBE_SECRXSTAT:
		return dirty_under_way(dirty->secrx_ns) ? value & ~IXGBE_SECRXSTAT_SECRX_RDY
							: value;
	case IXGBE_EERD:
		return dirty_under_way(dirty->eerd_ns)
			       ? value & ~(IXGBE_EERD_DONE | IXGBE_EERD_DATA)
			       : value;
	default:
		return dirty_board_read(nic, offset, value);
	}
}

/* ---- The way to a reset ---- */

/* 5.2.5.3.2: frames stuck in the transmitter are looped back to a receiver that is off. */
static void flush_write(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	const uint32_t clear = IXGBE_GCR_EXT_BUFFERS_CLEAR;

	if (written & ~old & clear) {
		if (!(reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK) ||
		    reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN)
			violation(nic, VIOLATION_RESET_STUCK,
				  "buffers cleared without LPBK, or with RXEN");
		if (dirty_under_way(dirty->pending_ns))
			violation(nic, VIOLATION_RESET_STUCK,
				  "buffers cleared while requests were pending");
		dirty->flushing = true;
		dirty->flush_ns = dirty_slowly(dirty, FLUSH_US);
	} else if (old & ~written & clear) {
		if (dirty_under_way(dirty->flush_ns))
			violation(nic, VIOLATION_RESET_STUCK, "buffers not cleared for 20 us");
		dirty->stuck = false;
	}
}

/* Queues are off: each was seen to end, and had time for its last DMA. */
static void check_queues(struct nic *nic, const char *what)
{
	const struct dirty *dirty = nic->dirty;

	for (uint32_t q = 0; q < DIRTY_QUEUES; q++) {
		const struct dirty_queue *rx = &dirty->queue[0][q], *tx = &dirty->queue[1][q];

		if (reg(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, q)) & IXGBE_RXDCTL_ENABLE ||
		    reg(nic, ixgbe_txq_reg(IXGBE_TXDCTL, q)) & IXGBE_TXDCTL_ENABLE)
			violation(nic, VIOLATION_RESET_WITH_DMA, "%s with queue %u on", what, q);
		else if (rx->unseen || tx->unseen || dirty_under_way(rx->ns) ||
			 dirty_under_way(tx->ns))
			violation(nic, VIOLATION_RESET_WITH_DMA, "%s before the end of queue %u",
				  what, q);
		else if (dirty_under_way(rx->idle_ns))
			violation(
				nic, VIOLATION_RESET_WITH_DMA,
				"%s less than 100 us after the end of receive queue %u (4.6.7.1.2)",
				what, q);
	}
}

static void check_flushed(struct nic *nic)
{
	const struct dirty *dirty = nic->dirty;

	if (dirty->stuck)
		violation(nic, VIOLATION_RESET_STUCK, "reset without a flush");
	if (dirty->flushing && (reg(nic, IXGBE_GCR_EXT) & IXGBE_GCR_EXT_BUFFERS_CLEAR ||
				reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK))
		violation(nic, VIOLATION_RESET_STUCK, "reset before the flush was over");
}

static void reset_write(struct nic *nic, uint32_t old)
{
	struct dirty *dirty = nic->dirty;

	if (dirty_under_way(dirty->reset_ns))
		violation(nic, VIOLATION_RESET_NOT_WAITED, "CTRL.RST while it was set");
	if (!dirty->fresh && !(old & IXGBE_CTRL_PCIE_MASTER_DISABLE))
		violation(nic, VIOLATION_RESET_WITH_DMA, "no master disable");
	if (!dirty->fresh) {
		check_flushed(nic);
		check_queues(nic, "CTRL.RST");
	}
	if (dirty_under_way(dirty->master_ns))
		violation(nic, VIOLATION_RESET_WITH_DMA,
			  "STATUS.PCIE_MASTER_ENABLE was not clear yet");
}

static void ctrl_write(struct nic *nic, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;

	if (written & (IXGBE_CTRL_RST | IXGBE_CTRL_LRST)) {
		reset_write(nic, old);
		return;
	}
	if (!(written & ~old & IXGBE_CTRL_PCIE_MASTER_DISABLE))
		return;
	check_queues(nic, "master disable");
	dirty->master_ns = dirty_after(dirty, MASTER_US / 2, MASTER_US);
	dirty->stuck = dirty_draw(dirty) % MASTER_STUCK_IN == 0;
}

static void check_init_wait(struct nic *nic, const struct ixgbe_register *r, uint32_t offset)
{
	const struct dirty *dirty = nic->dirty;

	if (offset == IXGBE_CTRL || offset == IXGBE_EIMC || offset == IXGBE_AT(EIMC_EX, 0) ||
	    offset == IXGBE_AT(EIMC_EX, 1))
		return;
	if (dirty_under_way(dirty->eeprom_ns))
		violation(nic, VIOLATION_INIT_NOT_WAITED, "%s written before EEC.AUTO_RD was set",
			  r->name);
	if (dirty_under_way(dirty->dma_ns))
		violation(nic, VIOLATION_INIT_NOT_WAITED,
			  "%s written before RDRXCTL.DMAIDONE was set", r->name);
}

/* ---- Other writes ---- */

static void rxctrl_write(struct nic *nic, uint32_t old, uint32_t written)
{
	if (!((written ^ old) & IXGBE_RXCTRL_RXEN))
		return;
	if (!(reg(nic, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS))
		violation(nic, VIOLATION_RXEN_WITHOUT_SECRX, "RXEN changed without RX_DIS");
	else if (dirty_under_way(nic->dirty->secrx_ns))
		violation(nic, VIOLATION_RXEN_WITHOUT_SECRX,
			  "RXEN changed before SECRXSTAT.SECRX_RDY was set");
}

/* The transmitter goes off when its queues have come to their end. */
static void dmatxctl_write(struct nic *nic, uint32_t old, uint32_t written)
{
	const struct dirty *dirty = nic->dirty;

	for (uint32_t q = 0; old & ~written & IXGBE_DMATXCTL_TE && q < DIRTY_QUEUES; q++) {
		if (reg(nic, ixgbe_txq_reg(IXGBE_TXDCTL, q)) & IXGBE_TXDCTL_ENABLE ||
		    dirty->queue[1][q].unseen || dirty_under_way(dirty->queue[1][q].ns))
			violation(nic, VIOLATION_TX_PATH_OFF,
				  "TE cleared before the end of queue %u", q);
	}
}

/* Without SWFLSH a transmit queue does not end before its frames are out. */
static bool frames_left(const struct nic *nic, const struct dirty_queue *queue, uint32_t written)
{
	const uint32_t q = (uint32_t)(queue - nic->dirty->queue[1]);

	return queue >= nic->dirty->queue[1] &&
	       !(written & (IXGBE_TXDCTL_ENABLE | IXGBE_TXDCTL_SWFLSH)) &&
	       reg(nic, ixgbe_txq_reg(IXGBE_TDH, q)) != reg(nic, ixgbe_txq_reg(IXGBE_TDT, q));
}

/* A transmit queue ends when it has sent what it had, or did not for too long. */
static void check_head(struct nic *nic, const struct dirty_queue *queue, uint32_t written)
{
	const uint32_t q = (uint32_t)(queue - nic->dirty->queue[1]);

	if (queue >= nic->dirty->queue[1] && !(written & IXGBE_TXDCTL_ENABLE) &&
	    !queue->head_seen &&
	    reg(nic, ixgbe_txq_reg(IXGBE_TDH, q)) != reg(nic, ixgbe_txq_reg(IXGBE_TDT, q)))
		violation(nic, VIOLATION_TX_END_UNSEEN, "TXDCTL[%u] = 0x%08x", q, written);
}

static void queue_write(struct nic *nic, struct dirty_queue *queue, uint32_t old, uint32_t written)
{
	struct dirty *dirty = nic->dirty;

	if (!((written ^ old) & IXGBE_RXDCTL_ENABLE))
		return;
	check_head(nic, queue, written);
	queue->ns = frames_left(nic, queue, written) ? dirty_after(dirty, STAYS_US, STAYS_US)
						     : dirty_after(dirty, QUEUE_US / 4, QUEUE_US);
	queue->unseen = old & IXGBE_RXDCTL_ENABLE;
	queue->idle_ns = 0;
}

/* A cause that is there when PIENA lets it through interrupts: its level counts. */
bool dirty_exception(const struct nic *nic)
{
	return nic->dirty && reg(nic, IXGBE_PICAUSE) & reg(nic, IXGBE_PIENA);
}

void dirty_write(struct nic *nic, const struct ixgbe_register *r, uint32_t offset, uint32_t old,
		 uint32_t written)
{
	struct dirty *dirty = nic->dirty;
	struct dirty_queue *queue;

	if (!dirty)
		return;
	check_init_wait(nic, r, offset);
	dirty->fresh = dirty->fresh && offset == IXGBE_CTRL;
	dirty_setup_write(nic, r, offset, old, written);
	queue = queue_of(dirty, r, offset);
	if (queue)
		queue_write(nic, queue, old, written);
	if (r == &ixgbe_registers[IXGBE_ROW_TDT])
		dirty->queue[1][(offset - r->offset) / r->stride].head_seen = false;
	switch (offset) {
	case IXGBE_CTRL:
		ctrl_write(nic, old, written);
		break;
	case IXGBE_SECRXCTRL:
		if (written & ~old & IXGBE_SECRXCTRL_RX_DIS)
			dirty->secrx_ns = dirty_after(dirty, SECRX_US / 2, SECRX_US);
		break;
	case IXGBE_RXCTRL:
		rxctrl_write(nic, old, written);
		break;
	case IXGBE_DMATXCTL:
		dmatxctl_write(nic, old, written);
		break;
	case IXGBE_GCR_EXT:
		flush_write(nic, old, written);
		break;
	case IXGBE_EERD:
		if (written & IXGBE_EERD_START)
			dirty->eerd_ns = dirty_after(dirty, 1, 20);
		break;
	default:
		dirty_board_write(nic, offset, old, written);
		break;
	}
}
