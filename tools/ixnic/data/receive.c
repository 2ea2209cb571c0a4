/* SPDX-License-Identifier: MIT */
/*
 * The receive side: from a frame on the wire to a descriptor written back.
 *
 *   frame ── MAC checks ── address and VLAN filters ── queue ── checksums ─┬─ ring
 *                                                                          └─ packet buffer ── ring
 *
 * The packet buffer is a first-in first-out memory of RXPBSIZE bytes (section 7.1.3.2). A frame
 * whose queue has no descriptors waits in it and holds up those behind it, unless SRRCTL.DROP_EN is
 * set. Normally nothing waits, and a frame is copied once, from the wire's buffer to the client's.
 * On a queue that coalesces, rsc.c may take the frame on its way to the ring.
 *
 * The rings are the client's memory. A descriptor is read once into a copy, its addresses are only
 * used through memory.c, and a head or tail outside the ring means that there are no descriptors.
 */
#include "data.h"

#include <endian.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "descriptor.h"
#include "filter.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/faults.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/statistics.h"
#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/loop.h"

enum {
	TYPE_MIN = 0x600, /* below: a length */
	TYPE_MAC_CONTROL = 0x8808,
	CONTROL_PAUSE = 1,
	PAYLOAD_MIN = 46,
	TRAFFIC_NS = 500000000, /* a stream has no longer gap */
	TRAFFIC_FRAMES = 64,    /* and at least so many frames */
	COUNTED_MIN = 12,       /* no statistics of shorter ones (specification clarification 18) */
};

/* ---- Registers ---- */

static struct ring_case ring_case(struct nic *nic, uint32_t queue)
{
	return (struct ring_case){
		.prefix = "RD",
		.queue = queue,
		.enabled = rxq_value(nic, IXGBE_RXDCTL, queue) & IXGBE_RXDCTL_ENABLE,
		.size = rxq_value(nic, IXGBE_RDLEN, queue) / IXGBE_DESC_BYTES,
		.head = rxq_value(nic, IXGBE_RDH, queue),
		.tail = rxq_value(nic, IXGBE_RDT, queue),
		.base_rule = VIOLATION_RX_RING_BASE,
		.length_rule = VIOLATION_RX_RING_LENGTH,
		.live_rule = VIOLATION_RX_RING_LIVE,
		.early_rule = VIOLATION_RX_TAIL_EARLY,
		.range_rule = VIOLATION_RX_TAIL_RANGE,
		.over_rule = VIOLATION_RX_TAIL_OVER,
		.again_rule = VIOLATION_RX_QUEUE_AGAIN,
		.rules = &nic->data->rxq[queue].rules,
	};
}

static void live_written(struct nic *nic, uint32_t queue, const char *name)
{
	const struct ring_case ring = ring_case(nic, queue);

	ring_rules_live(nic, &ring, name);
}

static void rdbal_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old;
	live_written(nic, queue, "BAL");
	nic->data->rxq[queue].rules.base = written;
}

static void rdbah_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old, (void)written;
	live_written(nic, queue, "BAH");
}

static void rdlen_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old;
	live_written(nic, queue, "LEN");
	nic->data->rxq[queue].rules.length = written;
}

static void rdh_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	(void)old, (void)written;
	live_written(nic, queue, "H");
}

/* What to do without descriptors (DROP_EN) may change at any time, and drivers do that. */
static void srrctl_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	const uint32_t shape =
		IXGBE_SRRCTL_BSIZEPACKET | IXGBE_SRRCTL_BSIZEHEADER | IXGBE_SRRCTL_DESCTYPE;

	(void)written;
	if (rxq_value(nic, IXGBE_RXDCTL, queue) & IXGBE_RXDCTL_ENABLE &&
	    (rxq_value(nic, IXGBE_SRRCTL, queue) ^ old) & shape)
		violation(nic, VIOLATION_RX_RING_LIVE, "SRRCTL[%u]", queue);
}

static void rdt_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	const struct ring_case ring = ring_case(nic, queue);

	(void)written;
	ring_rules_tail(nic, &ring, old);
}

static void rxdctl_written(struct nic *nic, uint32_t queue, uint32_t old, uint32_t written)
{
	uint32_t srrctl = rxq_value(nic, IXGBE_SRRCTL, queue);
	uint32_t units = IXGBE_FIELD_GET(IXGBE_SRRCTL_BSIZEPACKET, srrctl);
	uint32_t type = IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, srrctl);
	const struct ring_case ring = ring_case(nic, queue);

	if (!(written & IXGBE_RXDCTL_ENABLE))
		ring.rules->enable_seen = false;
	if (old & ~written & IXGBE_RXDCTL_ENABLE)
		ring_rules_end(&ring);
	if (old & IXGBE_RXDCTL_ENABLE || !(written & IXGBE_RXDCTL_ENABLE))
		return;
	ring_rules_start(nic, &ring);
	if (fault_on(nic, FAULT_RX_STUCK))
		faults_queue_on(nic, FAULT_RX_STUCK, queue);
	nic->data->rxq[queue].unjudged = JUDGE_ALL;
	if (type != IXGBE_SRRCTL_DESCTYPE_LEGACY && type != IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER)
		violation(nic, VIOLATION_RX_DESC_TYPE, "SRRCTL[%u].DESCTYPE = %u", queue, type);
	if (units == 0 || units > 16)
		violation(nic, VIOLATION_RX_BUFFER_SIZE, "SRRCTL[%u].BSIZEPACKET = %u", queue,
			  units);
	rsc_check_queue(nic, queue);
}

/* A receiver that goes on while frames come, without the security unit being stopped before, may
 * hang: the in-kernel driver calls it an erratum, and does as 4.6.7 asks for it. Here a stream of
 * frames hangs it, and a few do not. */
static void rxctrl_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	struct data *dp = nic->data;

	(void)index;
	dp->rx_began |= (written & IXGBE_RXCTRL_RXEN) != 0;
	if (~old & written & IXGBE_RXCTRL_RXEN && dp->rx_off_frames >= TRAFFIC_FRAMES &&
	    !(reg(nic, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS) &&
	    loop_now_ns() - dp->rx_off_at_ns < TRAFFIC_NS)
		dp->rx_hung = true;
}

/* A frame came while the receiver was off. */
static void rx_off(struct nic *nic)
{
	struct data *dp = nic->data;
	uint64_t now = loop_now_ns();

	if (now - dp->rx_off_at_ns >= TRAFFIC_NS)
		dp->rx_off_frames = 0;
	dp->rx_off_frames++;
	dp->rx_off_at_ns = now;
	count(nic, COUNTER_rx_drop_disabled);
}

/* What the first frame showed is otherwise now: the next one shows that. */
static void judge_again(struct nic *nic, uint32_t index)
{
	(void)index;
	for (uint32_t queue = 0; queue < IXGBE_RXQ_COUNT; queue++)
		nic->data->rxq[queue].unjudged |= JUDGE_SETTINGS;
}

static uint32_t rxdctl_read(struct nic *nic, uint32_t queue, uint32_t value)
{
	const bool late = dirty_queue_late(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, queue));

	ring_rules_seen(&nic->data->rxq[queue].rules, (bool)(value & IXGBE_RXDCTL_ENABLE) != late);
	return value;
}

/* The second half of the queues has rows of its own. */
#define HIGH_HALF(fn)                                                                              \
	static void fn##_hi(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)       \
	{                                                                                          \
		fn(nic, index + IXGBE_RXQ_LOW_COUNT, old, written);                                \
	}
HIGH_HALF(rdbal_written)
HIGH_HALF(rdbah_written)
HIGH_HALF(rdlen_written)
HIGH_HALF(rdh_written)
HIGH_HALF(srrctl_written)
HIGH_HALF(rdt_written)
HIGH_HALF(rxdctl_written)

static uint32_t rxdctl_read_hi(struct nic *nic, uint32_t index, uint32_t value)
{
	return rxdctl_read(nic, index + IXGBE_RXQ_LOW_COUNT, value);
}

#define DCA_ZEROS    (IXGBE_DCA_RXCTRL_RESERVED_ZERO | IXGBE_DCA_RXCTRL_DESC_WB_RO_EN)
#define FDIR_REPORTS (IXGBE_FDIRCTRL_REPORT_STATUS | IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS)

const struct reg_hook receive_hooks[] = {
	{.offset = IXGBE_RXCTRL, .write = rxctrl_written},
	{.offset = IXGBE_RDBAL, .write = rdbal_written},
	{.offset = IXGBE_RDBAH, .write = rdbah_written},
	{.offset = IXGBE_RDLEN, .write = rdlen_written},
	{.offset = IXGBE_RDH, .write = rdh_written},
	{.offset = IXGBE_SRRCTL, .write = srrctl_written},
	{.offset = IXGBE_RDT, .write = rdt_written},
	{.offset = IXGBE_RXDCTL, .write = rxdctl_written, .read = rxdctl_read},
	{.offset = IXGBE_RDBAL_HI, .write = rdbal_written_hi},
	{.offset = IXGBE_RDBAH_HI, .write = rdbah_written_hi},
	{.offset = IXGBE_RDLEN_HI, .write = rdlen_written_hi},
	{.offset = IXGBE_RDH_HI, .write = rdh_written_hi},
	{.offset = IXGBE_SRRCTL_HI, .write = srrctl_written_hi},
	{.offset = IXGBE_RDT_HI, .write = rdt_written_hi},
	{.offset = IXGBE_RXDCTL_HI, .write = rxdctl_written_hi, .read = rxdctl_read_hi},
	REG_JUDGED(HLREG0, IXGBE_HLREG0_RXCRCSTRP, NULL, judge_again),
	REG_JUDGED(RDRXCTL, IXGBE_RDRXCTL_CRCSTRIP, NULL, judge_again),
	REG_JUDGED(CTRL_EXT, IXGBE_CTRL_EXT_NS_DIS, NULL, judge_again),
	REG_JUDGED(DCA_RXCTRL, DCA_ZEROS, NULL, judge_again),
	REG_JUDGED(DCA_RXCTRL_HI, DCA_ZEROS, NULL, judge_again),
	REG_JUDGED(MRQC, IXGBE_MRQC_MRQE, NULL, judge_again),
	REG_JUDGED(RXCSUM, IXGBE_RXCSUM_PCSD, NULL, judge_again),
	REG_JUDGED(FDIRCTRL, FDIR_REPORTS, NULL, judge_again),
	{0},
};

/* ---- Into a ring ---- */

enum outcome { DELIVERED, DROPPED, WAITS };

/* A write-back in the form of a legacy descriptor (section 7.1.5): of dword 1 it has the fragment
 * checksum, where no hash is in its place. */
static union ixgbe_desc done_legacy(const union ixgbe_desc *done, uint32_t status, bool hashed)
{
	uint32_t all = done->dword[2] | status;

	return (union ixgbe_desc){
		.dword[2] =
			(done->dword[3] & IXGBE_RXD_LENGTH) |
			(status & IXGBE_RXD_STAT_EOP && !hashed ? done->dword[1] & IXGBE_RXL_CSUM
								: 0),
		.dword[3] = (all & 0xff & ~IXGBE_RXD_STAT_FLM) |
			    (all & IXGBE_RXD_ERR_RXE ? IXGBE_RXL_ERR_RXE : 0) |
			    (all & IXGBE_RXD_ERR_L4E ? IXGBE_RXL_ERR_TCPE : 0) |
			    (all & IXGBE_RXD_ERR_IPE ? IXGBE_RXL_ERR_IPE : 0) |
			    (done->dword[3] & IXGBE_RXD_VLAN),
	};
}

/* A packet on its way into the descriptors of its ring. */
struct delivery {
	struct receive_reader from;
	struct receive_ring ring;
	uint32_t srrctl;
	uint32_t split; /* bytes for the next descriptor's header buffer */
	uint32_t room;  /* bytes of a descriptor's buffer */
	uint32_t left;  /* bytes that are in no descriptor yet */
};

/* The header's length if it is to be split off: SRRCTL.DESCTYPE and PSRTYPE (section 7.1.10). */
static uint32_t split_length(uint32_t srrctl, const struct receive_packet *packet)
{
	uint32_t room = IXGBE_FIELD_GET(IXGBE_SRRCTL_BSIZEHEADER, srrctl) * 64;

	switch (IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, srrctl)) {
	case IXGBE_SRRCTL_DESCTYPE_ADV_HEADER_SPLIT:
		return packet->split <= room ? packet->split : 0;
	case IXGBE_SRRCTL_DESCTYPE_ADV_SPLIT_ALWAYS:
		if (packet->split && packet->split <= room)
			return packet->split;
		return packet->len < room ? packet->len : room;
	default:
		return 0;
	}
}

/* Fills the ring's next descriptor. */
static bool fill_descriptor(struct nic *nic, struct delivery *d)
{
	const struct receive_packet *packet = d->from.packet;
	union ixgbe_desc given, done = packet->done;
	union ixgbe_desc *slot = receive_ring_slot(nic, packet->queue, &d->ring, &given);
	uint32_t status = IXGBE_RXD_STAT_DD;
	uint32_t len;
	bool ok = true;

	if (!slot)
		return false;
	if (d->split) {
		ok = receive_ring_read_to_client(nic, &d->from, given.qword[1] & ~1ull, d->split);
		done.dword[0] |= IXGBE_FIELD_PREP(IXGBE_RXD_HDR_LEN, d->split) | IXGBE_RXD_SPH;
		d->left -= d->split;
		d->split = 0;
	}
	len = d->left < d->room ? d->left : d->room;
	ok = ok && (len == 0 || receive_ring_read_to_client(nic, &d->from, given.qword[0], len));
	d->left -= len;

	done.dword[3] |= len;
	if (d->left == 0)
		status |= IXGBE_RXD_STAT_EOP | done.dword[2];
	else
		done.dword[3] &= IXGBE_RXD_LENGTH;
	done.dword[2] = status;
	if (IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, d->srrctl) == IXGBE_SRRCTL_DESCTYPE_LEGACY) {
		done = done_legacy(&done, status, reg(nic, IXGBE_RXCSUM) & IXGBE_RXCSUM_PCSD);
		done.qword[0] = given.qword[0];
	}
	descriptor_store(slot, &done);
	receive_ring_advance(&d->ring);
	return ok;
}

static enum outcome drop(struct nic *nic, const struct receive_packet *packet,
			 enum nic_counter reason)
{
	count(nic, reason);
	statistics_rx_queue_drop(nic, packet->queue, 1, packet->len);
	return DROPPED;
}

/* What has to be set for reception by the time that a queue's first frame comes (4.6.7); drivers
 * differ in whether they set it before RXEN. */
static void judge_first(struct nic *nic, uint32_t queue)
{
	bool by_mac = reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP;
	bool by_dma = reg(nic, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_CRCSTRIP;
	uint32_t dca = rxq_value(nic, IXGBE_DCA_RXCTRL, queue), mrqc = reg(nic, IXGBE_MRQC);
	uint32_t type = IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, rxq_value(nic, IXGBE_SRRCTL, queue));

	if (by_mac != by_dma)
		violation(nic, VIOLATION_RX_CRC_STRIP, "HLREG0 says %d, RDRXCTL %d", by_mac,
			  by_dma);
	if (!(reg(nic, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_NS_DIS))
		violation(nic, VIOLATION_RX_NO_SNOOP, "queue %u", queue);
	if (dca & DCA_ZEROS)
		violation(nic, VIOLATION_RX_DCA_RESERVED, "DCA_RXCTRL[%u] is 0x%08x", queue, dca);
	if (type == IXGBE_SRRCTL_DESCTYPE_LEGACY && mrqc & IXGBE_MRQC_MRQE)
		violation(nic, VIOLATION_RX_LEGACY, "queue %u, MRQC is 0x%08x", queue, mrqc);
	fdir_check_first(nic);
}

static void judge_frame(struct nic *nic, uint32_t queue)
{
	uint8_t unjudged = nic->data->rxq[queue].unjudged;

	nic->data->rxq[queue].unjudged = 0;
	if (unjudged & JUDGE_SETTINGS)
		judge_first(nic, queue);
	if (unjudged & JUDGE_COALESCING)
		rsc_check_first(nic, queue);
}

/* Writes a packet to its ring, drops it, or leaves it to wait. */
static enum outcome rx_place(struct nic *nic, const struct receive_packet *packet)
{
	uint32_t queue = packet->queue;
	uint32_t srrctl = rxq_value(nic, IXGBE_SRRCTL, queue);
	struct delivery d = {
		.from = {.packet = packet},
		.srrctl = srrctl,
		.split = split_length(srrctl, packet),
		.room = IXGBE_FIELD_GET(IXGBE_SRRCTL_BSIZEPACKET, srrctl) * 1024,
		.left = packet->len,
	};
	uint32_t need;
	bool ok;

	if (fault_on(nic, FAULT_RX_STUCK) && faults_hung(nic, FAULT_RX_STUCK, queue))
		return WAITS;
	if (nic->data->rxq[queue].unjudged &&
	    rxq_value(nic, IXGBE_RXDCTL, queue) & IXGBE_RXDCTL_ENABLE)
		judge_frame(nic, queue);
	if (packet->rsc.tcp && rsc_take(nic, packet))
		return DELIVERED;
	d.ring = receive_ring_of(nic, queue);
	if (!(rxq_value(nic, IXGBE_RXDCTL, queue) & IXGBE_RXDCTL_ENABLE))
		return drop(nic, packet,
			    packet->flow_drop ? COUNTER_rx_drop_flow_director
					      : COUNTER_rx_drop_queue_disabled);
	if (d.room == 0)
		return drop(nic, packet, COUNTER_rx_drop_too_big);
	need = d.left > d.split ? (d.left - d.split + d.room - 1) / d.room : 1;
	if (need >= d.ring.size)
		return drop(nic, packet, COUNTER_rx_drop_too_big);
	if (need > d.ring.free) {
		if (srrctl & IXGBE_SRRCTL_DROP_EN)
			return drop(nic, packet, COUNTER_rx_drop_no_descriptor);
		return WAITS;
	}
	do
		ok = fill_descriptor(nic, &d);
	while (ok && d.left > 0);
	reg_store(nic, ixgbe_rxq_reg(IXGBE_RDH, queue), d.ring.head);
	bit_set(nic->data->rx_interrupts, queue);
	if (!ok)
		return drop(nic, packet, COUNTER_rx_drop_dma);
	count(nic, COUNTER_rx_delivered);
	statistics_rx_queue(nic, queue, 1, packet->len);
	return DELIVERED;
}

static enum outcome rx_deliver(struct nic *nic, const struct receive_packet *packet)
{
	bool before = violations_pause(nic, nic->data->rxq[packet->queue].rules.falsified);
	enum outcome outcome = rx_place(nic, packet);

	violations_pause(nic, before);
	return outcome;
}

/* ---- The packet buffer ---- */

/* An entry of the packet buffer is a struct receive_packet, then its bytes, in multiples of 8. One
 * with len 0 means: go on at the start. */
static uint32_t fifo_bytes(uint32_t len)
{
	return (uint32_t)sizeof(struct receive_packet) + (len + 7u) / 8u * 8u;
}

static uint32_t fifo_size(const struct nic *nic)
{
	uint32_t size = reg(nic, IXGBE_RXPBSIZE) & IXGBE_RXPBSIZE_SIZE;
	uint32_t most = RX_BUFFER_BYTES - fdir_memory(nic);

	return size < most ? size : most;
}

static bool fifo_put(struct nic *nic, const struct receive_packet *packet)
{
	struct data *dp = nic->data;
	uint32_t need = fifo_bytes(packet->len);
	uint32_t to_end = RX_BUFFER_BYTES - dp->fifo_tail;
	uint32_t skip = to_end < need ? to_end : 0;
	struct receive_packet *entry;
	struct receive_reader from = {.packet = packet};
	uint8_t *bytes;

	if (need + skip > fifo_size(nic) - dp->fifo_used || dp->fifo_used > fifo_size(nic))
		return false;
	if (skip) {
		if (skip >= sizeof(*entry))
			((struct receive_packet *)(void *)(dp->fifo + dp->fifo_tail))->len = 0;
		dp->fifo_tail = 0;
		dp->fifo_used += skip;
	}
	entry = (void *)(dp->fifo + dp->fifo_tail);
	bytes = dp->fifo + dp->fifo_tail + sizeof(*entry);
	receive_ring_read(&from, bytes, packet->len);
	*entry = *packet;
	entry->parts = 1;
	entry->part[0] = (struct slice){bytes, packet->len};
	dp->fifo_tail = (dp->fifo_tail + need) % RX_BUFFER_BYTES;
	dp->fifo_used += need;
	return true;
}

/* The oldest packet; NULL: none waits. */
static struct receive_packet *fifo_first(struct data *dp)
{
	uint32_t to_end = RX_BUFFER_BYTES - dp->fifo_head;
	struct receive_packet *entry = (void *)(dp->fifo + dp->fifo_head);

	if (dp->fifo_used == 0)
		return NULL;
	if (to_end < sizeof(*entry) || entry->len == 0) {
		dp->fifo_used -= to_end;
		dp->fifo_head = 0;
		entry = (void *)dp->fifo;
	}
	return entry;
}

static void fifo_remove(struct data *dp, const struct receive_packet *packet)
{
	uint32_t need = fifo_bytes(packet->len);

	dp->fifo_head = (dp->fifo_head + need) % RX_BUFFER_BYTES;
	dp->fifo_used -= need;
}

void receive_drain(struct nic *nic)
{
	struct receive_packet *packet;

	while ((packet = fifo_first(nic->data)) && rx_deliver(nic, packet) != WAITS)
		fifo_remove(nic->data, packet);
}

/* The largest frame has room, even if it has to go to the buffer's start. A NIC that is stuck takes
 * frames and loses them. */
bool receive_ready(const struct nic *nic)
{
	uint32_t used = nic->data->fifo_used;

	return used == 0 || fault_on(nic, FAULT_RX_STUCK) ||
	       used + 2 * fifo_bytes(NIC_FRAME_MAX) <= fifo_size(nic);
}

void receive_reset(struct nic *nic)
{
	struct data *dp = nic->data;
	struct receive_packet *packet;

	while ((packet = fifo_first(dp))) {
		count(nic, COUNTER_rx_drop_reset);
		fifo_remove(dp, packet);
	}
	rsc_reset(nic);
	dp->rx_hung = dp->rx_began = false;
	dp->rx_off_frames = 0;
	memset(dp->rxq, 0, sizeof(dp->rxq));
	memset(dp->rx_interrupts, 0, sizeof(dp->rx_interrupts));
}

static void rx_enqueue(struct nic *nic, const struct receive_packet *packet)
{
	receive_drain(nic);
	if (nic->data->fifo_used == 0 && rx_deliver(nic, packet) != WAITS)
		return;
	if (fifo_put(nic, packet))
		return;
	count(nic, COUNTER_rx_drop_missed);
	statistics_add(nic, IXGBE_RXMPC, 1);
	interrupt_raise(nic, IXGBE_EICR_RX_MISS);
}

/* ---- MAC and checksum unit ---- */

/* What a frame may have above MAXFRS: the tag that it begins with; for double VLAN the NIC adds 8
 * bytes, for whatever frame (8.2.3.22.13). A second tag has no room of its own without that mode,
 * nor has a first one of another type than VLNCTRL.VET. */
static uint32_t tag_room(const struct nic *nic, uint32_t tags)
{
	return reg(nic, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_EXTENDED_VLAN ? 2 * TAG_BYTES : tags;
}

/* Counts and refuses frames that are too short or too long, or whose 802.3 length is wrong. With
 * FCTRL.SBP they go on, marked. */
static bool mac_accept(struct nic *nic, const struct frame *frame, const struct parsed *packet,
		       uint32_t *error)
{
	uint32_t hlreg0 = reg(nic, IXGBE_HLREG0);
	uint32_t len = frame->head_len + frame->body_len;
	uint32_t tags = packet->payload > ETHER_BYTES && packet->vlan ? TAG_BYTES : 0;
	enum nic_counter reason;

	if (len < FRAME_MIN) {
		if (len + CRC_BYTES >= COUNTED_MIN)
			statistics_add(nic, IXGBE_RUC, 1);
		reason = COUNTER_rx_drop_runt;
	} else if (len + CRC_BYTES > frame_max(nic) + tag_room(nic, tags)) {
		statistics_add(nic, IXGBE_ROC, 1);
		reason = COUNTER_rx_drop_oversize;
	} else if (packet->type < TYPE_MIN && hlreg0 & IXGBE_HLREG0_RXLNGTHERREN) {
		uint32_t payload = len - ETHER_BYTES - tags;

		if (payload == packet->type || (payload >= packet->type && payload <= PAYLOAD_MIN))
			return true;
		statistics_add(nic, IXGBE_RLEC, 1);
		reason = COUNTER_rx_drop_length_field;
	} else {
		return true;
	}
	*error |= IXGBE_RXD_ERR_RXE;
	if (reg(nic, IXGBE_FCTRL) & IXGBE_FCTRL_SBP && len >= ETHER_BYTES && len <= NIC_FRAME_MAX)
		return true;
	count(nic, reason);
	return false;
}

/* MAC control frames end here, unless MFLCN passes them on (section 3.7.7.3). */
static bool control_accept(struct nic *nic, const struct frame *frame, const struct parsed *packet)
{
	uint32_t mflcn = reg(nic, IXGBE_MFLCN);

	if (packet->type != TYPE_MAC_CONTROL || frame->head_len < ETHER_BYTES + 4)
		return true;
	if (be16_at(frame->head + ETHER_BYTES) == CONTROL_PAUSE) {
		bool on = be16_at(frame->head + ETHER_BYTES + 2) == 0;

		statistics_add(nic, on ? IXGBE_LXONRXCNT : IXGBE_LXOFFRXCNT, 1);
		if (!(mflcn & IXGBE_MFLCN_DPF))
			return true;
		count(nic, COUNTER_rx_drop_pause);
		return false;
	}
	if (mflcn & IXGBE_MFLCN_PMCF)
		return true;
	count(nic, COUNTER_rx_drop_control);
	return false;
}

static uint64_t sum_from(const struct frame *frame, uint64_t sum, uint32_t at, uint32_t len)
{
	uint32_t in_head = at < frame->head_len ? frame->head_len - at : 0;

	if (in_head > len)
		in_head = len;
	sum = csum_add(sum, frame->head + at, in_head);
	return in_head < len ? csum_add(sum, frame->body, len - in_head) : sum;
}

static bool sctp_right(const struct frame *frame, const struct parsed *packet)
{
	static const uint8_t zero[4];
	const uint8_t *sctp = frame->head + packet->l4;
	uint32_t in_head = frame->head_len - packet->l4;
	uint32_t crc, found;

	if (in_head > packet->l4_len)
		in_head = packet->l4_len;
	crc = crc32c_add(0, sctp, SCTP_CSUM);
	crc = crc32c_add(crc, zero, sizeof(zero));
	crc = crc32c_add(crc, sctp + SCTP_BYTES, in_head - SCTP_BYTES);
	crc = crc32c_add(crc, frame->body, packet->l4_len - in_head);
	memcpy(&found, sctp + SCTP_CSUM, sizeof(found));
	return le32toh(found) == crc;
}

static bool l4_right(const struct frame *frame, const struct parsed *packet)
{
	const uint8_t *l3 = frame->head + packet->l3;
	uint64_t sum;

	if (packet->l4_protocol == IPPROTO_SCTP)
		return sctp_right(frame, packet);
	/* the 82599 reports a UDP checksum of 0 as wrong, though there is none (erratum) */
	if (packet->l4_protocol == IPPROTO_UDP && be16_at(frame->head + packet->l4 + UDP_CSUM) == 0)
		return false;
	if (frame->checked == packet->l4 || frame->checked == FRAME_CHECKED_ANY)
		return true;
	sum = csum_pseudo(l3, packet->ip == PARSE_IPV4, packet->l4_protocol, packet->l4_len);
	return csum_fold(sum_from(frame, sum, packet->l4, packet->l4_len)) == 0xffff;
}

/* Status and error bits of the checksum unit (section 7.1.11). */
static uint32_t checksum_status(const struct frame *frame, const struct parsed *packet)
{
	uint32_t status = 0;

	if (packet->ip == PARSE_IPV4) {
		const uint8_t *l3 = frame->head + packet->l3;

		status |= IXGBE_RXD_STAT_IPCS;
		/* the 82599 may report a fragment's right sum as wrong (erratum 66): always here */
		if (packet->fragment || csum_fold(csum_add(0, l3, (l3[0] & 0xf) * 4u)) != 0xffff)
			status |= IXGBE_RXD_ERR_IPE;
	}
	if (packet->l4 && !packet->routed) {
		status |= IXGBE_RXD_STAT_L4I;
		if (packet->l4_protocol == IPPROTO_UDP)
			status |= IXGBE_RXD_STAT_UDPCS;
		if (!l4_right(frame, packet))
			status |= IXGBE_RXD_ERR_L4E;
	}
	return status;
}

/* With RXCSUM.IPPCSE, and PCSD clear: identification and raw payload sum of an IPv4 fragment. */
static uint32_t fragment_sum(const struct nic *nic, const struct frame *frame,
			     const struct parsed *packet)
{
	const uint8_t *l3 = frame->head + packet->l3;
	uint32_t header = packet->payload - packet->l3;

	if (packet->ip != PARSE_IPV4 || !packet->fragment ||
	    !(reg(nic, IXGBE_RXCSUM) & IXGBE_RXCSUM_IPPCSE))
		return 0;
	return (uint32_t)csum_fold(
		       sum_from(frame, 0, packet->payload, be16_at(l3 + IPV4_LENGTH) - header))
		       << 16 |
	       be16_at(l3 + IPV4_ID);
}

/* Where the header ends that PSRTYPE of the default pool wants split off, or 0. */
static uint32_t split_at(const struct nic *nic, const struct parsed *packet)
{
	uint32_t psrtype = reg(nic, IXGBE_PSRTYPE);
	bool tcp = packet->l4 && packet->l4_protocol == IPPROTO_TCP;
	bool udp = packet->l4 && packet->l4_protocol == IPPROTO_UDP;

	if ((tcp && psrtype & IXGBE_PSRTYPE_SPLIT_TCP) ||
	    (udp && psrtype & IXGBE_PSRTYPE_SPLIT_UDP))
		return packet->payload;
	if ((packet->ip == PARSE_IPV4 && psrtype & IXGBE_PSRTYPE_SPLIT_IP4) ||
	    (packet->ip == PARSE_IPV6 && psrtype & IXGBE_PSRTYPE_SPLIT_IP6))
		return packet->l4 ? packet->l4 : packet->payload;
	return psrtype & IXGBE_PSRTYPE_SPLIT_L2 ? ETHER_BYTES : 0;
}

static uint32_t frame_crc(const struct frame *frame)
{
	return htole32(crc32_add(crc32_add(0, frame->head, frame->head_len), frame->body,
				 frame->body_len));
}

static void add_part(struct receive_packet *out, const uint8_t *data, uint32_t len)
{
	if (len == 0)
		return;
	out->part[out->parts++] = (struct slice){data, len};
	out->len += len;
}

/* Lays out the parts that reach the client: without the tag if RXDCTL.VME, with the CRC unless
 * it is stripped. */
static void lay_out(struct nic *nic, struct receive_packet *out, const struct frame *frame,
		    const struct parsed *packet, uint32_t *crc)
{
	bool vme = rxq_value(nic, IXGBE_RXDCTL, out->queue) & IXGBE_RXDCTL_VME;
	uint32_t resume = 0;

	if (packet->vlan) {
		out->done.dword[2] |= IXGBE_RXD_STAT_VP;
		out->done.dword[3] |= IXGBE_FIELD_PREP(IXGBE_RXD_VLAN, packet->tag);
	}
	if (packet->vlan && vme) {
		add_part(out, frame->head, packet->tag_at);
		resume = packet->tag_at + TAG_BYTES;
		if (out->split > resume)
			out->split -= TAG_BYTES;
	}
	add_part(out, frame->head + resume, frame->head_len - resume);
	add_part(out, frame->body, frame->body_len);
	if (!(reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP)) {
		*crc = frame_crc(frame);
		add_part(out, (const uint8_t *)crc, CRC_BYTES);
	}
}

static bool rx_open(struct nic *nic, const struct frame *frame)
{
	if (!frame->looped && !phy_link_is_up(nic)) {
		count(nic, COUNTER_rx_drop_link_down);
		return false;
	}
	if (nic->stopped) {
		count(nic, COUNTER_rx_drop_stopped);
		return false;
	}
	if (!(reg(nic, IXGBE_RXCTRL) & IXGBE_RXCTRL_RXEN) ||
	    reg(nic, IXGBE_SECRXCTRL) & IXGBE_SECRXCTRL_RX_DIS) {
		rx_off(nic);
		return false;
	}
	if (nic->data->rx_hung) {
		count(nic, COUNTER_rx_drop_hung);
		return false;
	}
	return true;
}

void receive_frame(struct nic *nic, const struct frame *frame)
{
	struct receive_packet out = {0};
	struct parse_config config = {.vlan_type = (uint16_t)reg(nic, IXGBE_VLNCTRL)};
	uint32_t len = frame->head_len + frame->body_len;
	struct parsed packet;
	bool inexact = false;
	uint32_t hash, crc;

	count(nic, COUNTER_rx_frames);
	count_add(nic, COUNTER_rx_bytes, len);
	if (!rx_open(nic, frame))
		return;
	if (reg(nic, IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_EXTENDED_VLAN)
		config.outer_type =
			(uint16_t)IXGBE_FIELD_GET(IXGBE_EXVET_VET_EXT, reg(nic, IXGBE_EXVET));
	if (len + CRC_BYTES >= COUNTED_MIN)
		statistics_rx_wire(nic, len + CRC_BYTES);
	packet_parse(&packet, &config, frame->head, frame->head_len, len);
	if (!mac_accept(nic, frame, &packet, &out.done.dword[2]) ||
	    !control_accept(nic, frame, &packet) ||
	    !filter_accept(nic, frame->head, &packet, &inexact))
		return;
	if (!out.done.dword[2])
		statistics_rx_good(nic, frame->head, len + CRC_BYTES);
	filter_queue(nic, &packet, frame, &out, &hash);
	out.split = split_at(nic, &packet);
	out.done.dword[1] = reg(nic, IXGBE_RXCSUM) & IXGBE_RXCSUM_PCSD
				    ? hash
				    : fragment_sum(nic, frame, &packet);
	out.done.dword[2] |= checksum_status(frame, &packet) | (inexact ? IXGBE_RXD_STAT_PIF : 0);
	if (out.done.dword[2] & (IXGBE_RXD_ERR_IPE | IXGBE_RXD_ERR_L4E))
		statistics_add(nic, IXGBE_XEC, 1);
	lay_out(nic, &out, frame, &packet, &crc);
	if (rxq_value(nic, IXGBE_RSCCTL, out.queue) & IXGBE_RSCCTL_RSCEN)
		rsc_classify(nic, frame, &packet, &out);
	rx_enqueue(nic, &out);
}
