/* SPDX-License-Identifier: MIT */
/*
 * The transmit side: from descriptors to frames on the wire.
 *
 *   ring ── fetch ── prepare ─┬─ one frame, with tag and checksums ──┬── wire
 *                             └─ tso.c: many frames ─────────────────┴── receive_frame(), looped
 *
 * A packet is taken from its ring only when its last descriptor (EOP) is there. Its buffers are
 * copied together once. All checks and checksums are of the copy: a client that changes its memory
 * meanwhile changes nothing. Then its frames go to the wire, which may refuse one. The packet waits
 * then, with the ring's head still in front of it. When the last frame is out, the head moves and
 * the descriptors with RS are written back, or the head if TDWBAL says so, at the end of the turn.
 *
 * With TXDCTL.WTHRESH all descriptors are written back, in groups of that many, whatever their RS
 * says. The rest waits for the end of an interval of EITR, which here is the end of the turn; with
 * no interval it waits for more descriptors, and a driver that waits for it hangs (7.2.3.5.1).
 *
 * A packet against the rules is reported (violations.c), dropped, and completed as if sent.
 */
#include "data.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "descriptor.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/faults.h"
#include "tools/ixnic/chip/statistics.h"
#include "tools/ixnic/chip/violations.h"

enum {
	/* The datasheet says 15.5 KiB (7.2.3.2.4), but the in-kernel driver puts up to 16 KiB into
	 * one descriptor, which the hardware sends. */
	DESC_LENGTH_MAX = 16384,
	ON_CHIP_DESCS = 40, /* of a queue (7.2.3.4.1) */
	QUEUES_PLAIN = 64,  /* with neither DCB nor pools (table 7-28) */
};

struct ring {
	uint64_t base;
	uint32_t size;
	uint32_t head;
	uint32_t tail;
};

static struct ring ring_of(const struct nic *nic, uint32_t queue)
{
	struct ring ring = {
		.base = (uint64_t)txq_value(nic, IXGBE_TDBAH, queue) << 32 |
			txq_value(nic, IXGBE_TDBAL, queue),
		.size = txq_value(nic, IXGBE_TDLEN, queue) / IXGBE_DESC_BYTES,
		.head = txq_value(nic, IXGBE_TDH, queue),
		.tail = txq_value(nic, IXGBE_TDT, queue),
	};

	if (ring.head >= ring.size || ring.tail >= ring.size)
		ring.tail = ring.head; /* reported when it was written */
	return ring;
}

static uint32_t ring_next(const struct ring *ring, uint32_t index)
{
	return index + 1 == ring->size ? 0 : index + 1;
}

/* ---- Registers ---- */

static struct ring_case ring_case(struct nic *nic, uint32_t queue)
{
	return (struct ring_case){
		.prefix = "TD",
		.queue = queue,
		.enabled = txq_value(nic, IXGBE_TXDCTL, queue) & IXGBE_TXDCTL_ENABLE,
		.size = txq_value(nic, IXGBE_TDLEN, queue) / IXGBE_DESC_BYTES,
		.head = txq_value(nic, IXGBE_TDH, queue),
		.tail = txq_value(nic, IXGBE_TDT, queue),
		.base_rule = VIOLATION_TX_RING_BASE,
		.length_rule = VIOLATION_TX_RING_LENGTH,
		.live_rule = VIOLATION_TX_RING_LIVE,
		.early_rule = VIOLATION_TX_TAIL_EARLY,
		.range_rule = VIOLATION_TX_TAIL_RANGE,
		.over_rule = VIOLATION_TX_TAIL_OVER,
		.again_rule = VIOLATION_TX_QUEUE_AGAIN,
		.rules = &nic->data->txq[queue].rules,
	};
}

static void live_written(struct nic *nic, uint32_t queue, const char *name)
{
	const struct ring_case ring = ring_case(nic, queue);

	ring_rules_live(nic, &ring, name);
}

/* ---- Fields that are to be 0 ---- */

#define DATA_RESERVED   0x14030000u /* bits 2 and 4 of DCMD, 16 and 17 */
#define LEGACY_RESERVED 0x90000000u /* bits 4 and 7 of CMD */
#define STA             0x0000000fu
#define POPTS_RESERVED  0x00003c00u /* IPSEC, for which this NIC has no unit, and the others */
#define LEGACY_RSVD     0x000000f0u

#define CONTEXT_RESERVED 0x1f0f0000u /* bits 28 to 24, and 10 to 7 of TUCMD */
#define CONTEXT_UNITS    0x0000e1ffu /* FCoE, Encryption, IPSEC_TYPE and IPS_ESP_LEN */
#define CONTEXT_RSV      0x00000080u /* bit 39 */

/* 7.2.3.2: DD is of STA. A driver that polls it would take the packet as sent at once. */
static void check_reserved(struct nic *nic, uint32_t queue, const union ixgbe_desc *desc)
{
	const bool advanced = desc->dword[2] & IXGBE_TXD_DEXT;
	const uint32_t low = desc->dword[2] & (advanced ? DATA_RESERVED : LEGACY_RESERVED);
	const uint32_t high =
		desc->dword[3] & (advanced ? STA | POPTS_RESERVED : STA | LEGACY_RSVD);

	if (low || high)
		violation(nic, VIOLATION_TX_DESC_RESERVED, "queue %u: 0x%08x and 0x%08x are set",
			  queue, low, high);
}

/* 7.2.3.2.3: what no offload of this NIC uses is 0 in a context. */
static void check_context(struct nic *nic, uint32_t queue, const union ixgbe_desc *desc)
{
	const uint32_t low = desc->dword[2] & CONTEXT_RESERVED;
	const uint32_t high = desc->dword[3] & CONTEXT_RSV;

	if (low || high)
		violation(nic, VIOLATION_TX_DESC_RESERVED,
			  "queue %u: context, 0x%08x and 0x%08x are set", queue, low, high);
	if (desc->dword[1] || desc->dword[2] & CONTEXT_UNITS)
		violation(nic, VIOLATION_TX_CONTEXT_UNUSED,
			  "queue %u: 0x%08x and 0x%08x are of IPsec and FCoE", queue,
			  desc->dword[1], desc->dword[2] & CONTEXT_UNITS);
}

/* MSS and L4LEN are for packets that are cut, of which one may come at any time: a context is
 * judged when it ends. */
static void context_ends(struct nic *nic, uint32_t queue, struct transmit_context *context)
{
	if (context->used && !context->used_tse && (context->mss || context->l4_bytes))
		violation(nic, VIOLATION_TX_CONTEXT_UNUSED,
			  "queue %u: MSS %u and L4LEN %u, but nothing was cut", queue, context->mss,
			  context->l4_bytes);
	context->used = false;
}

static void contexts_end(struct nic *nic, uint32_t queue)
{
	for (uint32_t i = 0; i < 2; i++)
		context_ends(nic, queue, &nic->data->txq[queue].context[i]);
}

/* ---- Registers of a ring ---- */

static void tdbal_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old;
	live_written(nic, queue, "BAL");
	nic->data->txq[queue].rules.base = written;
}

static void tdbah_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old, (void)written;
	live_written(nic, queue, "BAH");
}

static void tdlen_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old;
	live_written(nic, queue, "LEN");
	nic->data->txq[queue].rules.length = written;
}

static void tdh_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old, (void)written;
	live_written(nic, queue, "H");
}

static void tdt_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	const struct ring_case ring = ring_case(nic, queue);

	(void)written;
	ring_rules_tail(nic, &ring, old);
	bit_set(nic->data->tx_pending, queue);
}

/* Forgets the packet under way if it is this queue's. */
static void tx_abandon(struct nic *nic, uint32_t queue)
{
	struct transmit_packet *tx = &nic->data->tx;

	if (!tx->busy || tx->queue != queue)
		return;
	tx->busy = false;
	count(nic, COUNTER_tx_drop_reset);
}

static void check_thresholds(struct nic *nic, uint32_t queue, uint32_t txdctl)
{
	bool head_wb = txq_value(nic, IXGBE_TDWBAL, queue) & IXGBE_TDWBAL_HEAD_WB_EN;
	uint32_t wthresh = IXGBE_FIELD_GET(IXGBE_TXDCTL_WTHRESH, txdctl);

	if (IXGBE_FIELD_GET(IXGBE_TXDCTL_PTHRESH, txdctl) + wthresh > ON_CHIP_DESCS)
		violation(nic, VIOLATION_TX_WTHRESH, "TXDCTL[%u] = 0x%08x", queue, txdctl);
	if (txdctl & IXGBE_TXDCTL_PTHRESH && !(txdctl & IXGBE_TXDCTL_HTHRESH))
		violation(nic, VIOLATION_TX_HTHRESH, "TXDCTL[%u] = 0x%08x", queue, txdctl);
	if (head_wb && wthresh)
		violation(nic, VIOLATION_TX_WTHRESH, "TXDCTL[%u] = 0x%08x with head write-back",
			  queue, txdctl);
}

/* A queue goes off when it has sent all, or with a flush (4.6.8.1.2). Without a link it cannot. */
static void check_unsent(struct nic *nic, uint32_t queue, uint32_t written)
{
	const struct ring ring = ring_of(nic, queue);

	if (ring.head != ring.tail && !(written & IXGBE_TXDCTL_SWFLSH) && phy_link_is_up(nic) &&
	    reg(nic, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE)
		violation(nic, VIOLATION_TX_QUEUE_OFF, "TDH[%u] is %u, TDT %u", queue, ring.head,
			  ring.tail);
}

static void txdctl_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	struct transmit_queue *q = &nic->data->txq[queue];
	const struct ring_case ring = ring_case(nic, queue);
	bool before;

	if (!(written & IXGBE_TXDCTL_ENABLE)) {
		if (old & IXGBE_TXDCTL_ENABLE) {
			before = violations_pause(nic, ring.rules->falsified);
			check_unsent(nic, queue, written);
			contexts_end(nic, queue);
			violations_pause(nic, before);
			ring_rules_end(&ring);
			master_queue_off(nic, queue);
		}
		q->rules.enable_seen = false;
		tx_abandon(nic, queue);
	}
	if (!(written & IXGBE_TXDCTL_ENABLE))
		return;
	if (written != old)
		check_thresholds(nic, queue, written);
	if (old & IXGBE_TXDCTL_ENABLE)
		return;
	*q = (struct transmit_queue){.rules = q->rules};
	if (fault_on(nic, FAULT_TX_HANG))
		faults_queue_on(nic, FAULT_TX_HANG, queue);
	ring_rules_start(nic, &ring);
	if (master_traces(nic))
		violation(nic, VIOLATION_RESET_STUCK, "TXDCTL[%u] on after one reset", queue);
	if (queue >= QUEUES_PLAIN &&
	    !(reg(nic, IXGBE_MTQC) & (IXGBE_MTQC_RT_ENA | IXGBE_MTQC_VT_ENA)))
		violation(nic, VIOLATION_TX_QUEUE_HIGH, "TXDCTL[%u] on, MTQC is 0x%x", queue,
			  reg(nic, IXGBE_MTQC));
	if (!(reg(nic, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE))
		violation(nic, VIOLATION_TX_WITHOUT_TE, "TXDCTL[%u] = 0x%08x", queue, written);
	bit_set(nic->data->tx_pending, queue);
}

/* With TE queue 0 is enabled, too (8.2.3.9.10). A ring of no length is not one yet. */
static void dmatxctl_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t txdctl = txq_value(nic, IXGBE_TXDCTL, 0);

	(void)index;
	if (!(~old & written & IXGBE_DMATXCTL_TE) || txdctl & IXGBE_TXDCTL_ENABLE)
		return;
	reg_store(nic, IXGBE_TXDCTL, txdctl | IXGBE_TXDCTL_ENABLE);
	if (txq_value(nic, IXGBE_TDLEN, 0))
		txdctl_written(nic, 0, txdctl, txdctl | IXGBE_TXDCTL_ENABLE);
}

static uint32_t txdctl_read(struct nic *nic, uint32_t queue, uint32_t value)
{
	const bool late = dirty_queue_late(nic, ixgbe_txq_reg(IXGBE_TXDCTL, queue));

	ring_rules_seen(&nic->data->txq[queue].rules, (bool)(value & IXGBE_TXDCTL_ENABLE) != late);
	return value;
}

/* A far end that takes no frames sends pause frames, again and again. Our wires carry none. A wire
 * that is full counts as one pause frame for each read. */
static uint32_t pauses_read(struct nic *nic, uint32_t index, uint32_t value)
{
	const struct transmit_packet *tx = &nic->data->tx;

	(void)index;
	return tx->busy && tx->wire_full && value < UINT32_MAX ? value + 1 : value;
}

static bool queue_on(const struct nic *nic, uint32_t index)
{
	return txq_value(nic, IXGBE_TXDCTL, index) & IXGBE_TXDCTL_ENABLE;
}

const struct reg_hook transmit_hooks[] = {
	{.offset = IXGBE_TDBAL, .write = tdbal_written},
	{.offset = IXGBE_TDBAH, .write = tdbah_written},
	{.offset = IXGBE_TDLEN, .write = tdlen_written},
	{.offset = IXGBE_TDH, .write = tdh_written},
	{.offset = IXGBE_TDT, .write = tdt_written},
	{.offset = IXGBE_TXDCTL, .write = txdctl_written, .read = txdctl_read},
	{.offset = IXGBE_DMATXCTL, .write = dmatxctl_written},
	{.offset = IXGBE_LXOFFRXCNT, .read = pauses_read},
	REG_STILL(TDWBAL, UINT32_MAX, queue_on, TX_RING_LIVE),
	REG_STILL(TDWBAH, UINT32_MAX, queue_on, TX_RING_LIVE),
	{0},
};

/* ---- From the ring ---- */

static void context_store(struct nic *nic, uint32_t queue, const union ixgbe_desc *desc)
{
	uint32_t index = IXGBE_FIELD_GET(IXGBE_TXC_IDX, desc->dword[3]);

	if (index >= 2) {
		violation(nic, VIOLATION_TX_CONTEXT, "queue %u, context index %u", queue, index);
		return;
	}
	check_context(nic, queue, desc);
	context_ends(nic, queue, &nic->data->txq[queue].context[index]);
	nic->data->txq[queue].context[index] = (struct transmit_context){
		.valid = true,
		.ipv4 = desc->dword[2] & IXGBE_TXC_IPV4,
		.l2_bytes = IXGBE_FIELD_GET(IXGBE_TXC_MACLEN, desc->dword[0]),
		.l3_bytes = IXGBE_FIELD_GET(IXGBE_TXC_IPLEN, desc->dword[0]),
		.l4_bytes = IXGBE_FIELD_GET(IXGBE_TXC_L4LEN, desc->dword[3]),
		.l4_type = IXGBE_FIELD_GET(IXGBE_TXC_L4T, desc->dword[2]),
		.mss = IXGBE_FIELD_GET(IXGBE_TXC_MSS, desc->dword[3]),
		.tag = (uint16_t)IXGBE_FIELD_GET(IXGBE_TXC_VLAN, desc->dword[0]),
	};
}

static bool is_context(const union ixgbe_desc *desc)
{
	return desc->dword[2] & IXGBE_TXD_DEXT &&
	       IXGBE_FIELD_GET(IXGBE_TXD_DTYP, desc->dword[2]) == IXGBE_TXD_DTYP_CTXT;
}

/* Section 7.2.3.2.2: a descriptor without data may stand between packets, with EOP. An advanced
 * one is never reported, whatever its RS says (7.2.3.2.4). */
static bool is_null(const struct transmit_batch *batch, const union ixgbe_desc *desc)
{
	return batch->buffers == 0 && !(desc->dword[2] & IXGBE_TXD_DTALEN) &&
	       desc->dword[2] & IXGBE_TXD_EOP;
}

static uint32_t descs_max(const struct nic *nic, uint32_t queue)
{
	uint32_t wthresh =
		IXGBE_FIELD_GET(IXGBE_TXDCTL_WTHRESH, txq_value(nic, IXGBE_TXDCTL, queue));

	return wthresh < IXGBE_TX_DESC_FRAME_MAX ? IXGBE_TX_DESC_FRAME_MAX - wthresh : 0;
}

static void batch_add(struct nic *nic, struct transmit_batch *batch, uint32_t queue,
		      const union ixgbe_desc *desc)
{
	uint32_t len = desc->dword[2] & IXGBE_TXD_DTALEN;
	uint32_t type = IXGBE_FIELD_GET(IXGBE_TXD_DTYP, desc->dword[2]);

	if (batch->buffers && (desc->dword[2] ^ batch->first.dword[2]) & IXGBE_TXD_DEXT)
		transmit_refuse(nic, batch, VIOLATION_TX_DESC_TYPE, "both forms, buffer", queue,
				batch->buffers);
	if (desc->dword[2] & IXGBE_TXD_DEXT && type != IXGBE_TXD_DTYP_DATA)
		transmit_refuse(nic, batch, VIOLATION_TX_DESC_TYPE, "descriptor type", queue, type);
	if (len == 0 || len > DESC_LENGTH_MAX)
		transmit_refuse(nic, batch, VIOLATION_TX_DESC_LENGTH, "descriptor length", queue,
				len);
	if (desc->dword[2] & IXGBE_TXD_RS && !(desc->dword[2] & IXGBE_TXD_EOP))
		violation(nic, VIOLATION_TX_RS, "queue %u: RS without EOP", queue);
	if (batch->buffers >= descs_max(nic, queue))
		transmit_refuse(nic, batch, VIOLATION_TX_FRAME_DESCS,
				"descriptors in a frame, over", queue, descs_max(nic, queue));
	if (batch->buffers == IXGBE_TX_DESC_FRAME_MAX)
		return;
	if (batch->buffers == 0)
		batch->first = *desc;
	batch->buffer[batch->buffers].iova = desc->qword[0];
	batch->buffer[batch->buffers++].len = len;
	batch->bytes += len;
}

/* RS is for WTHRESH 0, and then one of any 40 descriptors has it (7.2.3.2.2, 8.2.3.9.10). It is in
 * a packet's last one, so the packet's own count, too. Told once while the queue is enabled.
 * `packet`: those up to the end of one. */
static void check_rs(struct nic *nic, uint32_t queue, uint32_t packet, bool reported)
{
	struct transmit_queue *q = &nic->data->txq[queue];
	bool groups = txq_value(nic, IXGBE_TXDCTL, queue) & IXGBE_TXDCTL_WTHRESH;
	uint32_t since =
		q->silent + packet; /* the last RS, up to this one or one that is to come */

	q->silent = reported ? 0 : since;
	if (q->rs_told || q->rules.falsified ||
	    (groups ? !reported : since + !reported <= ON_CHIP_DESCS))
		return;
	q->rs_told = true;
	violation(nic, VIOLATION_TX_RS, "queue %u: TXDCTL 0x%08x, %u descriptors since the last RS",
		  queue, txq_value(nic, IXGBE_TXDCTL, queue), since);
}

/* The tail is behind the last descriptor of a packet (7.2.3.4): told once while the queue is
 * enabled. */
static void check_split(struct nic *nic, uint32_t queue, const struct ring *ring)
{
	struct transmit_queue *q = &nic->data->txq[queue];

	if (!q->split_told)
		violation(nic, VIOLATION_TX_TAIL_PACKET, "TDT[%u] = %u", queue, ring->tail);
	q->split_told = true;
}

/* Notes a descriptor with RS, for the write-back after the packet. More than fit are against the
 * rules; the last one replaces the one before it then. */
static void batch_rs(struct transmit_batch *batch, const union ixgbe_desc *desc, uint32_t index)
{
	if (!(desc->dword[2] & IXGBE_TXD_RS))
		return;
	batch->asks = true;
	if (batch->rs_count == sizeof(batch->rs) / sizeof(batch->rs[0]))
		batch->rs_count--;
	batch->rs[batch->rs_count++] = index;
}

/* Collects the descriptors of the next packet; contexts before it take effect. A packet without
 * buffers is a null descriptor. False: the last one is not there yet, or the ring cannot be read.
 */
static bool tx_fetch(struct nic *nic, uint32_t queue, const struct ring *ring,
		     struct transmit_batch *batch)
{
	uint32_t index = ring->head;

	batch->buffers = batch->bytes = batch->rs_count = 0;
	batch->bad = batch->asks = false;
	while (index != ring->tail) {
		const union ixgbe_desc *slot = descriptor_at(nic, ring->base, index);
		union ixgbe_desc desc;

		if (!slot)
			return false;
		desc = descriptor_load(slot);
		batch_rs(batch, &desc, index);
		index = ring_next(ring, index);
		if (is_context(&desc)) {
			if (batch->buffers)
				transmit_refuse(nic, batch, VIOLATION_TX_CONTEXT,
						"context within a frame, before index", queue,
						index);
			context_store(nic, queue, &desc);
			continue;
		}
		check_reserved(nic, queue, &desc);
		if (!is_null(batch, &desc))
			batch_add(nic, batch, queue, &desc);
		else if (desc.dword[2] & IXGBE_TXD_DEXT)
			batch->rs_count = 0;
		if (desc.dword[2] & IXGBE_TXD_EOP) {
			batch->end = index;
			return true;
		}
	}
	if (index != ring->head)
		check_split(nic, queue, ring);
	return false;
}

/* ---- From frames to the wire ---- */

/* Without CRC insertion a frame's last four bytes are its CRC, which the far end would check.
 * False: the CRC is wrong. */
static bool take_crc(struct frame *frame)
{
	uint32_t crc;

	if (frame->body_len || frame->head_len < FRAME_MIN)
		return false;
	memcpy(&crc, frame->head + frame->head_len - CRC_BYTES, sizeof(crc));
	frame->head_len -= CRC_BYTES;
	return le32toh(crc) == crc32_add(0, frame->head, frame->head_len);
}

static int to_wire(struct nic *nic, const struct frame *frame)
{
	if (nic->connector)
		return nic->connector->send(nic, frame);
	count(nic, COUNTER_wire_drop_no_peer);
	return 1;
}

/* Sends the current frame. False: the wire is full. */
static bool send_frame(struct nic *nic, struct transmit_packet *tx)
{
	struct frame *frame = &tx->frame;
	uint32_t len = frame->head_len + frame->body_len;
	int taken;

	if (reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK) {
		frame->looped = true;
		receive_frame(nic, frame);
		count(nic, COUNTER_tx_looped);
	} else {
		taken = to_wire(nic, frame);
		tx->paced = taken == -EBUSY;
		if (taken == -EAGAIN || tx->paced)
			return false;
		if (taken == 0)
			count(nic, COUNTER_tx_sent);
	}
	count(nic, COUNTER_tx_frames);
	count_add(nic, COUNTER_tx_bytes, len);
	statistics_tx(nic, frame->head, len + CRC_BYTES);
	statistics_tx_queue(nic, tx->queue, len + CRC_BYTES);
	return true;
}

enum progress { SENT, WIRE_FULL, BUDGET_SPENT };

/* Sends the packet's frames, as far as the budget and the wire's room go. */
static enum progress send_frames(struct nic *nic, struct transmit_packet *tx, uint32_t *budget)
{
	for (;;) {
		if (!tx->frame_ready && !(tx->cut && tso_next(&tx->tso, &tx->frame)))
			return SENT;
		tx->frame_ready = true;
		if (*budget == 0)
			return BUDGET_SPENT;
		if (tx->no_crc && !take_crc(&tx->frame)) {
			count(nic, COUNTER_tx_frames);
			count(nic, COUNTER_tx_drop_crc);
			return SENT;
		}
		if (!tx->no_crc && reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_TXPADEN)
			frame_pad(&tx->frame, nic->data->tx_buffer);
		tx->no_crc = false;
		if (!send_frame(nic, tx))
			return WIRE_FULL;
		(*budget)--;
		tx->frame_ready = false;
	}
}

/* ---- Completion ---- */

static void write_back_head(struct nic *nic, uint32_t queue, uint32_t tdwbal)
{
	uint64_t at =
		(uint64_t)txq_value(nic, IXGBE_TDWBAH, queue) << 32 | (tdwbal & IXGBE_TDWBAL_ADDR);
	uint32_t *head = memory_at(nic, at, sizeof(*head), true);

	if (head && (uintptr_t)head % sizeof(*head) == 0)
		__atomic_store_n(head, htole32(txq_value(nic, IXGBE_TDH, queue)), __ATOMIC_RELEASE);
	else if (memory_enabled(nic))
		memory_fault(nic, at, "head of queue", queue);
}

static void write_back(struct nic *nic, uint32_t queue)
{
	struct transmit_queue *q = &nic->data->txq[queue];
	uint32_t tdwbal = txq_value(nic, IXGBE_TDWBAL, queue);
	struct ring ring = ring_of(nic, queue);

	if (q->done_count == 0)
		return;
	if (tdwbal & IXGBE_TDWBAL_HEAD_WB_EN)
		write_back_head(nic, queue, tdwbal);
	for (uint32_t i = 0; i < q->done_count && !(tdwbal & IXGBE_TDWBAL_HEAD_WB_EN); i++) {
		union ixgbe_desc *slot = descriptor_at(nic, ring.base, q->done[i]);
		union ixgbe_desc done = {.dword[3] = IXGBE_TXD_STAT_DD};
		union ixgbe_desc given;

		if (!slot)
			continue;
		given = descriptor_load(slot);
		if (!(given.dword[2] & IXGBE_TXD_DEXT)) { /* a legacy one keeps the rest */
			done = given;
			done.dword[3] |= IXGBE_TXD_STAT_DD;
		}
		descriptor_store(slot, &done);
	}
	q->done_count = 0;
	bit_set(nic->data->tx_interrupts, queue);
}

/* A descriptor is to be written back, with others when there are `group`; 0: at the end of the
 * turn. A group that is larger than what the chip holds is never full. */
static void done_add(struct nic *nic, uint32_t queue, uint32_t index, uint32_t group)
{
	struct transmit_queue *q = &nic->data->txq[queue];

	if (q->done_count == TX_DONE_MAX)
		return;
	q->done[q->done_count++] = index;
	if (group ? group <= ON_CHIP_DESCS && q->done_count >= group : q->done_count == TX_DONE_MAX)
		write_back(nic, queue);
}

/* Moves the head behind a packet's descriptors, which may be written back now. */
static void complete(struct nic *nic, const struct transmit_packet *tx)
{
	const struct transmit_batch *batch = &tx->batch;
	uint32_t queue = tx->queue;
	const struct ring ring = ring_of(nic, queue);
	uint32_t wthresh =
		IXGBE_FIELD_GET(IXGBE_TXDCTL_WTHRESH, txq_value(nic, IXGBE_TXDCTL, queue));

	/* A driver may have changed the ring meanwhile: the packet ends all the same. */
	uint32_t descs = ring.size ? (batch->end + ring.size - ring.head) % ring.size : 0;
	uint32_t at = ring.head;

	reg_store(nic, ixgbe_txq_reg(IXGBE_TDH, queue), batch->end);
	check_rs(nic, queue, descs, batch->asks);
	for (uint32_t i = 0; wthresh == 0 && i < batch->rs_count; i++)
		done_add(nic, queue, batch->rs[i], 0);
	for (uint32_t i = 0; wthresh > 0 && i < descs; i++, at = ring_next(&ring, at))
		done_add(nic, queue, at, wthresh);
	if (wthresh == 0 || interrupt_tx_moderated(nic, queue))
		bit_set(nic->data->tx_done, queue);
}

/* ---- Turns ---- */

static bool queue_runs(const struct nic *nic, uint32_t queue)
{
	return queue_on(nic, queue) &&
	       !(fault_on(nic, FAULT_TX_HANG) && faults_hung(nic, FAULT_TX_HANG, queue));
}

/* Without a link the transmit path stands still, and posted descriptors wait. */
static bool path_runs(const struct nic *nic)
{
	return !nic->stopped && reg(nic, IXGBE_DMATXCTL) & IXGBE_DMATXCTL_TE &&
	       !master_traces(nic) && !(reg(nic, IXGBE_SECTXCTRL) & IXGBE_SECTXCTRL_TX_DIS) &&
	       (phy_link_is_up(nic) || reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_LPBK);
}

/* The next queue after the last one served that may have something; -1: none. */
static int next_queue(const struct data *dp)
{
	for (uint32_t i = 0; i < IXGBE_TXQ_COUNT; i++) {
		uint32_t queue = (dp->tx_next + i) % IXGBE_TXQ_COUNT;

		if (dp->tx_pending[queue / 64] >> queue % 64 == 0)
			i += 63 - queue % 64; /* none in the rest of this word */
		else if (dp->tx_pending[queue / 64] >> queue % 64 & 1)
			return (int)queue;
	}
	return -1;
}

/* Takes the next packet of a ring; it is ready to be sent, or dropped and complete. False: the
 * ring has none. */
static bool tx_take(struct nic *nic, uint32_t queue)
{
	struct transmit_packet *tx = &nic->data->tx;
	struct ring ring = ring_of(nic, queue);
	bool before, taken;

	if (!queue_runs(nic, queue))
		return false;
	before = violations_pause(nic, nic->data->txq[queue].rules.falsified);
	taken = tx_fetch(nic, queue, &ring, &tx->batch);
	if (taken) {
		tx->queue = queue;
		tx->busy = false;
	}
	if (taken && tx->batch.buffers > 0) {
		count(nic, COUNTER_tx_packets);
		tx->busy = transmit_prepare(nic, tx);
	}
	violations_pause(nic, before);
	if (taken && !tx->busy)
		complete(nic, tx);
	return taken;
}

bool transmit_work(struct nic *nic, uint32_t budget)
{
	struct data *dp = nic->data;
	enum progress progress = SENT;

	master_turn(nic);
	if (!path_runs(nic))
		return false;
	while (budget > 0 && progress == SENT && !nic->stopped) {
		int queue;

		if (dp->tx.busy) {
			progress = send_frames(nic, &dp->tx, &budget);
			if (progress != SENT)
				break;
			dp->tx.busy = false;
			complete(nic, &dp->tx);
			if (nic->connector)
				nic->connector->flush(nic);
			continue;
		}
		queue = next_queue(dp);
		if (queue < 0)
			break;
		dp->tx_next = ((uint32_t)queue + 1) % IXGBE_TXQ_COUNT;
		if (tx_take(nic, (uint32_t)queue))
			budget -= !dp->tx.busy;
		else
			dp->tx_pending[queue / 64] &= ~(1ull << queue % 64);
	}
	for (uint32_t queue = 0; queue < IXGBE_TXQ_COUNT && !nic->stopped; queue++)
		if (dp->tx_done[queue / 64] >> queue % 64 & 1)
			write_back(nic, queue);
	memset(dp->tx_done, 0, sizeof(dp->tx_done));
	dp->tx.wire_full = progress == WIRE_FULL && !dp->tx.paced;
	return progress != WIRE_FULL && !nic->stopped && (dp->tx.busy || next_queue(dp) >= 0);
}

void transmit_again(struct nic *nic)
{
	for (uint32_t queue = 0; queue < IXGBE_TXQ_COUNT; queue++)
		bit_set(nic->data->tx_pending, queue);
}

void transmit_reset(struct nic *nic)
{
	struct data *dp = nic->data;

	if (dp->tx.busy)
		tx_abandon(nic, dp->tx.queue);
	memset(dp->txq, 0, sizeof(dp->txq));
	memset(dp->tx_pending, 0, sizeof(dp->tx_pending));
	memset(dp->tx_done, 0, sizeof(dp->tx_done));
	memset(dp->tx_interrupts, 0, sizeof(dp->tx_interrupts));
	dp->tx_next = 0;
}
