/* SPDX-License-Identifier: MIT */
/*
 * Receive-side coalescing (section 7.11): segments of a TCP connection that follow each other
 * reach the driver as one frame, the large receive, with one header.
 *
 *   rsc_classify()      is the frame TCP over IPv4 on a queue with RSCEN; is it a candidate
 *   rsc_take() ─┬────── it joins the open large receive of its flow: payload into the room of the
 *               │       last buffer, then into the ring's next ones
 *               ├────── or closes that and opens a new one: written like any frame, but its
 *               │       descriptors are not written back yet
 *               └────── or is left to receive.c, which writes it back at once
 *   rsc_close_all()     header rewritten, descriptors written back
 *
 * As in the hardware the payload goes to the driver's buffers when it comes, so descriptors of
 * several flows interleave; NEXTP leads from one of a large receive to the next. The header is
 * merged in a copy of ours and never read back from the driver's memory; a descriptor's addresses
 * are those that it had when it was taken. A buffer that is not there costs the frame, never one
 * that joined before.
 *
 * Candidates (7.11.1): TCP over IPv4 without IP options, fragments or padding, at most a time stamp
 * among TCP's options, ACK and at most PSH among its flags, not marked CE, no error; the CRC is
 * stripped, and the queue has advanced descriptors with buffers of 2 KiB or more and header
 * buffers longer than the header; PSRTYPE has TCP headers recognized (4.6.7.2). A pure ACK is one
 * only without RSCDBU.RSCACKDIS, NFS only with both of RFCTL's NFS filters off. IPv6 is none: the
 * 82599 coalesces TCP over IPv4 only, and drivers take any large receive for IPv4.
 *
 * A large receive is closed (7.11.4, 7.11.6)
 *   - by a segment with PSH, which it still takes;
 *   - by a segment of its flow that may not join: no candidate, out of sequence, another L2 header,
 *     tag or type of service, with a time stamp or an acknowledgement that goes back; or by one
 *     that repeats an acknowledgement without payload;
 *   - when it is full: RSCCTL.MAXDESC descriptors, 14 segments that begin in one buffer (as many
 *     as RSCCNT can count), the 64 KiB of IPv4, no descriptors left in the ring;
 *   - when a new flow needs its context: there are 32, the oldest goes;
 *   - before an interrupt.
 *
 * The hardware closes the large receives of a vector when its EITR interval is over, lets
 * GPIE.RSC_DELAY pass for its writes, and raises the interrupt. Here all are closed at the end of
 * each turn of the data path, before any interrupt is raised. That is no later than the hardware:
 * nothing waits for a segment that may never come, and a driver that polls sees all. No timer is
 * needed, and no large receive outlives the turn, in which no register, ring or mapping changes. A
 * turn has up to RX_FRAMES_TURN frames from the wire, so under load there is something to join.
 * Low-latency interrupts close large receives, too (RDRXCTL.RSCLLIDIS); ixnic does not have their
 * causes.
 *
 * A large receive of one segment is written back as a plain frame: RSCCNT 0.
 */
#include "data.h"

#include <netinet/in.h>
#include <string.h>

#include "descriptor.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/statistics.h"
#include "tools/ixnic/chip/violations.h"

enum {
	PORT_NFS = 2049,
	PACKET_BUFFER_MIN = 2048,
	LARGE_MAX = 65535,              /* bytes of MAXDESC buffers (section 8.2.3.8.13) */
	HEADER_BUFFER_MIN = 128,        /* bytes; longer than any header (section 4.6.7.2) */
	HEADERS_MIN = 14 + 20 + 20 + 4, /* of a frame with the longest segment; with its CRC */
	ITR_UNIT_US = 2,
	DELAY_UNIT_US = 4,
};

static uint32_t max_descs(const struct nic *nic, uint32_t queue)
{
	static const uint32_t descs[] = {
		[IXGBE_RSCCTL_MAXDESC_1] = 1,
		[IXGBE_RSCCTL_MAXDESC_4] = 4,
		[IXGBE_RSCCTL_MAXDESC_8] = 8,
		[IXGBE_RSCCTL_MAXDESC_16] = RSC_DESCS_MAX,
	};

	return descs[IXGBE_FIELD_GET(IXGBE_RSCCTL_MAXDESC, rxq_value(nic, IXGBE_RSCCTL, queue))];
}

static uint32_t buffer_bytes(const struct nic *nic, uint32_t queue)
{
	return IXGBE_FIELD_GET(IXGBE_SRRCTL_BSIZEPACKET, rxq_value(nic, IXGBE_SRRCTL, queue)) *
	       1024;
}

static uint32_t header_buffer_bytes(uint32_t srrctl)
{
	return IXGBE_FIELD_GET(IXGBE_SRRCTL_BSIZEHEADER, srrctl) * 64;
}

/* PSRTYPE also says which headers are looked for at all (section 4.6.7.2). */
static bool tcp_recognized(const struct nic *nic)
{
	return reg(nic, IXGBE_PSRTYPE) & IXGBE_PSRTYPE_SPLIT_TCP;
}

static void check_header(struct nic *nic, uint32_t queue)
{
	uint32_t srrctl = rxq_value(nic, IXGBE_SRRCTL, queue);

	if (header_buffer_bytes(srrctl) < HEADER_BUFFER_MIN || !tcp_recognized(nic))
		violation(nic, VIOLATION_RX_RSC_HEADER, "queue %u: SRRCTL 0x%08x, PSRTYPE 0x%08x",
			  queue, srrctl, reg(nic, IXGBE_PSRTYPE));
}

static void check_mss(struct nic *nic, uint32_t queue)
{
	uint32_t descs = max_descs(nic, queue), bytes = buffer_bytes(nic, queue);

	if (descs * bytes + HEADERS_MIN <= frame_max(nic))
		violation(nic, VIOLATION_RX_RSC_MSS, "queue %u: %u x %u bytes, frames of %u", queue,
			  descs, bytes, frame_max(nic));
}

static bool asked_for(const struct nic *nic, uint32_t queue)
{
	return rxq_value(nic, IXGBE_RSCCTL, queue) & IXGBE_RSCCTL_RSCEN;
}

void rsc_check_queue(struct nic *nic, uint32_t queue)
{
	uint32_t srrctl = rxq_value(nic, IXGBE_SRRCTL, queue), bytes = buffer_bytes(nic, queue);
	uint32_t descs = max_descs(nic, queue);

	if (!asked_for(nic, queue))
		return;
	if (IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, srrctl) == IXGBE_SRRCTL_DESCTYPE_LEGACY ||
	    bytes < PACKET_BUFFER_MIN || descs * bytes > LARGE_MAX)
		violation(nic, VIOLATION_RX_RSC_SETUP, "queue %u: SRRCTL 0x%08x, %u descriptors",
			  queue, srrctl, descs);
	check_header(nic, queue);
	check_mss(nic, queue);
}

/* The first queue that is on and coalesces, if RFCTL has it; IXGBE_RXQ_COUNT: none. */
static uint32_t coalescing_queue(const struct nic *nic)
{
	uint32_t queue = 0;

	while (queue < IXGBE_RXQ_COUNT &&
	       !(asked_for(nic, queue) &&
		 rxq_value(nic, IXGBE_RXDCTL, queue) & IXGBE_RXDCTL_ENABLE))
		queue++;
	return queue;
}

static bool coalesces(const struct nic *nic, uint32_t index)
{
	(void)index;
	return coalescing_queue(nic) < IXGBE_RXQ_COUNT;
}

static void judge_header(struct nic *nic, uint32_t index)
{
	if (index == 0) /* without pools PSRTYPE[0] is the only one (8.2.3.7.4) */
		check_header(nic, coalescing_queue(nic));
}

static void judge_mss(struct nic *nic, uint32_t index)
{
	(void)index;
	check_mss(nic, coalescing_queue(nic));
}

/* What was judged of coalescing with a frame is otherwise now: the next frame shows that. */
static void judge_next(struct nic *nic, uint32_t index)
{
	(void)index;
	for (uint32_t queue = 0; queue < IXGBE_RXQ_COUNT; queue++)
		nic->data->rxq[queue].unjudged |= JUDGE_COALESCING;
}

void rsc_check_first(struct nic *nic, uint32_t queue)
{
	uint32_t delay = IXGBE_FIELD_GET(IXGBE_GPIE_RSC_DELAY, reg(nic, IXGBE_GPIE)) + 1;
	uint32_t interval = interrupt_rx_interval(nic, queue);
	bool stripped = reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP;
	bool pools = reg(nic, IXGBE_PFVTCTL) & IXGBE_PFVTCTL_VT_ENA;

	if (!asked_for(nic, queue) || reg(nic, IXGBE_RFCTL) & IXGBE_RFCTL_RSC_DIS)
		return;
	if (!stripped || pools)
		violation(nic, VIOLATION_RX_RSC_GLOBAL, "HLREG0 is 0x%08x, PFVTCTL 0x%08x",
			  reg(nic, IXGBE_HLREG0), reg(nic, IXGBE_PFVTCTL));
	if (interval * ITR_UNIT_US <= delay * DELAY_UNIT_US)
		violation(nic, VIOLATION_RX_RSC_THROTTLE, "queue %u: EITR %u us, RSC_DELAY %u us",
			  queue, interval * ITR_UNIT_US, delay * DELAY_UNIT_US);
}

static bool queue_on(const struct nic *nic, uint32_t index)
{
	return rxq_value(nic, IXGBE_RXDCTL, index) & IXGBE_RXDCTL_ENABLE;
}

static bool queue_hi_on(const struct nic *nic, uint32_t index)
{
	return queue_on(nic, index + IXGBE_RXQ_LOW_COUNT);
}

const struct reg_hook rsc_hooks[] = {
	REG_STILL(RSCCTL, UINT32_MAX, queue_on, RX_RSC_LIVE),
	REG_STILL(RSCCTL_HI, UINT32_MAX, queue_hi_on, RX_RSC_LIVE),
	REG_STILL(RFCTL, IXGBE_RFCTL_RSC_DIS, coalesces, RX_RSC_LIVE),
	REG_JUDGED(PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP, coalesces, judge_header),
	REG_JUDGED(MAXFRS, IXGBE_MAXFRS_MFS, coalesces, judge_mss),
	REG_JUDGED(HLREG0, IXGBE_HLREG0_JUMBOEN, coalesces, judge_mss),
	REG_JUDGED(HLREG0, IXGBE_HLREG0_RXCRCSTRP, NULL, judge_next),
	REG_JUDGED(PFVTCTL, IXGBE_PFVTCTL_VT_ENA, NULL, judge_next),
	REG_JUDGED(GPIE, IXGBE_GPIE_RSC_DELAY, NULL, judge_next),
	REG_JUDGED(EITR, IXGBE_EITR_ITR_INTERVAL, NULL, judge_next),
	REG_JUDGED(EITR_HI, IXGBE_EITR_ITR_INTERVAL, NULL, judge_next),
	REG_JUDGED(IVAR, UINT32_MAX, NULL, judge_next),
	{0},
};

/* ---- Candidates ---- */

static bool nfs_filtered(const struct nic *nic, const uint8_t *l4)
{
	const uint32_t off = IXGBE_RFCTL_NFSW_DIS | IXGBE_RFCTL_NFSR_DIS;

	return (be16_at(l4) == PORT_NFS || be16_at(l4 + 2) == PORT_NFS) &&
	       (reg(nic, IXGBE_RFCTL) & off) != off;
}

void rsc_classify(const struct nic *nic, const struct frame *frame, const struct parsed *packet,
		  struct receive_packet *out)
{
	const uint32_t wrong = IXGBE_RXD_ERR_RXE | IXGBE_RXD_ERR_IPE | IXGBE_RXD_ERR_L4E;
	uint32_t len = frame->head_len + frame->body_len;
	uint32_t stripped = len - out->len; /* of the tag */
	const uint8_t *l4 = frame->head + packet->l4;
	struct rsc_frame *rsc = &out->rsc;

	if (reg(nic, IXGBE_RFCTL) & IXGBE_RFCTL_RSC_DIS || packet->type != ETHERTYPE_IPV4 ||
	    packet->ip != PARSE_IPV4 || packet->l4 == 0 || packet->l4_protocol != IPPROTO_TCP ||
	    !tcp_recognized(nic))
		return;
	rsc->tcp = true;
	rsc_merge_flow(rsc->flow, frame->head + packet->l3, l4);
	if (packet->payload > frame->head_len || packet->l4 + packet->l4_len != len ||
	    !(reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_RXCRCSTRP) || out->done.dword[2] & wrong ||
	    out->done.dword[0] & IXGBE_RXD_TYPE_ETQF || nfs_filtered(nic, l4) ||
	    !rsc_merge_fits(frame->head, packet, &rsc->push))
		return;
	if (packet->payload == len && reg(nic, IXGBE_RSCDBU) & IXGBE_RSCDBU_RSCACKDIS)
		return;
	rsc->candidate = true;
	rsc->at = (struct rsc_layout){
		.l3 = (uint16_t)(packet->l3 - stripped),
		.l4 = (uint16_t)(packet->l4 - stripped),
		.header = (uint16_t)(packet->payload - stripped),
	};
}

/* Whether the queue is set up for coalescing. A packet that waited may find other registers than
 * rsc_classify() did. If the queue splits headers off, the split has to be behind all of them. */
static bool queue_fits(const struct nic *nic, const struct receive_packet *packet)
{
	uint32_t srrctl = rxq_value(nic, IXGBE_SRRCTL, packet->queue);
	uint32_t type = IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, srrctl);

	if (!(rxq_value(nic, IXGBE_RXDCTL, packet->queue) & IXGBE_RXDCTL_ENABLE) ||
	    !(rxq_value(nic, IXGBE_RSCCTL, packet->queue) & IXGBE_RSCCTL_RSCEN) ||
	    packet->rsc.at.header >= header_buffer_bytes(srrctl) ||
	    buffer_bytes(nic, packet->queue) < PACKET_BUFFER_MIN)
		return false;
	return type == IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER ||
	       ((type == IXGBE_SRRCTL_DESCTYPE_ADV_HEADER_SPLIT ||
		 type == IXGBE_SRRCTL_DESCTYPE_ADV_SPLIT_ALWAYS) &&
		packet->split == packet->rsc.at.header);
}

/* ---- Write-back (section 7.1.6.2) ---- */

static void write_desc(const struct rsc_context *c, uint32_t i, union ixgbe_desc *slot)
{
	const struct rsc_desc *desc = &c->desc[i];
	union ixgbe_desc done = c->done;
	bool last = i + 1 == c->tail.descs;

	if (c->split && i == 0)
		done.dword[0] |= IXGBE_FIELD_PREP(IXGBE_RXD_HDR_LEN, c->split) | IXGBE_RXD_SPH;
	if (c->packets > 1)
		done.dword[0] |= IXGBE_FIELD_PREP(IXGBE_RXD_RSC_COUNT, 1 + desc->begin);
	if (last) {
		done.dword[2] |= IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP;
		done.dword[3] |= c->tail.bytes;
	} else {
		done.dword[2] = IXGBE_RXD_STAT_DD;
		if (c->packets > 1)
			done.dword[2] |= IXGBE_FIELD_PREP(IXGBE_RXD_STAT_NEXTP, desc[1].index);
		done.dword[3] = desc->bytes;
	}
	descriptor_store(slot, &done);
}

static bool write_back(struct nic *nic, struct rsc_context *c)
{
	struct receive_ring ring = receive_ring_of(nic, c->queue);

	if (c->packets > 1) {
		rsc_merge_finish(&c->large);
		if (memory_write(nic, c->header_iova, c->large.header, c->large.at.header) < 0)
			return false;
	}
	for (uint32_t i = 0; i < c->tail.descs; i++) {
		union ixgbe_desc *slot = descriptor_at(nic, ring.base, c->desc[i].index);

		if (!slot)
			return false;
		write_desc(c, i, slot);
	}
	return true;
}

static void forget(struct data *dp, struct rsc_context *c)
{
	uint32_t i = 0;

	while (dp->rsc[i] != c)
		i++;
	dp->rsc_open--;
	memmove(&dp->rsc[i], &dp->rsc[i + 1], (dp->rsc_open - i) * sizeof(dp->rsc[0]));
	dp->rsc[dp->rsc_open] = c;
}

static void close_one(struct nic *nic, struct rsc_context *c)
{
	forget(nic->data, c);
	bit_set(nic->data->rx_interrupts, c->queue);
	if (!write_back(nic, c)) {
		count_add(nic, COUNTER_rx_drop_dma, c->packets);
		statistics_rx_queue_drop(nic, c->queue, c->packets, c->bytes);
		return;
	}
	count_add(nic, COUNTER_rx_delivered, c->packets);
	statistics_rx_queue(nic, c->queue, c->packets, c->bytes);
	if (c->packets > 1) {
		count(nic, COUNTER_rx_large);
		count_add(nic, COUNTER_rx_coalesced, c->packets);
	}
}

/* ---- Into the buffers ---- */

/* The large receive takes the ring's next descriptor. False: the descriptor is not there. */
static bool take_desc(struct nic *nic, struct rsc_context *c, struct receive_ring *ring,
		      union ixgbe_desc *given)
{
	if (!receive_ring_slot(nic, c->queue, ring, given))
		return false;
	if (c->tail.descs > 0)
		c->desc[c->tail.descs - 1].bytes = c->tail.bytes;
	c->desc[c->tail.descs++] = (struct rsc_desc){.index = (uint16_t)ring->head};
	c->tail.bytes = 0;
	c->tail.room = buffer_bytes(nic, c->queue);
	c->tail.iova = given->qword[0];
	receive_ring_advance(ring);
	return true;
}

/* Writes the reader's next `len` bytes behind the large receive's last one, and takes descriptors
 * as needed. False: one of them, or its buffer, is not there. */
static bool append(struct nic *nic, struct rsc_context *c, struct receive_ring *ring,
		   struct receive_reader *from, uint32_t len)
{
	union ixgbe_desc given;

	while (len > 0) {
		uint32_t n;

		if (c->tail.room == 0 && !take_desc(nic, c, ring, &given))
			return false;
		n = len < c->tail.room ? len : c->tail.room;
		if (!receive_ring_read_to_client(nic, from, c->tail.iova, n))
			return false;
		c->tail.bytes += n;
		c->tail.iova += n;
		c->tail.room -= n;
		len -= n;
	}
	return true;
}

/* Whether `len` more bytes have room: by the ring's descriptors, and by MAXDESC. */
static bool has_room(const struct nic *nic, const struct rsc_context *c,
		     const struct receive_ring *ring, uint32_t len)
{
	uint32_t bytes = buffer_bytes(nic, c->queue), room = c->tail.room;
	uint32_t more = len > room ? (len - room + bytes - 1) / bytes : 0;

	if (c->tail.descs + more == 0)
		more = 1; /* all of the frame is in the header buffer */
	return more <= ring->free && c->tail.descs + more <= max_descs(nic, c->queue);
}

static bool may_join(const struct nic *nic, const struct rsc_context *c,
		     const struct receive_packet *packet, const uint8_t *header, uint32_t payload)
{
	const union ixgbe_desc *a = &c->done, *b = &packet->done;

	return a->dword[0] == b->dword[0] && a->dword[3] == b->dword[3] &&
	       ((a->dword[2] ^ b->dword[2]) & IXGBE_RXD_STAT_VP) == 0 &&
	       rsc_merge_follows(&c->large, header, &packet->rsc.at, payload,
				 reg(nic, IXGBE_RDRXCTL) & IXGBE_RDRXCTL_RSCACKC);
}

/* `from` is behind the packet's header. A large receive that cannot take the whole payload stays as
 * it was: all that append() changed of it is behind the old tail. */
static bool join(struct nic *nic, struct rsc_context *c, const struct receive_packet *packet,
		 const uint8_t *header, struct receive_reader *from)
{
	uint32_t payload = packet->len - packet->rsc.at.header;
	struct receive_ring ring = receive_ring_of(nic, c->queue);
	const struct rsc_tail before = c->tail;
	struct rsc_desc *last = &c->desc[before.descs - 1];
	/* A segment begins in the buffer that has its first byte. */
	struct rsc_desc *first = before.room > 0 || payload == 0 ? last : last + 1;

	if (!may_join(nic, c, packet, header, payload) || !has_room(nic, c, &ring, payload) ||
	    (first == last && last->begin == RSC_BEGIN_MAX))
		return false;
	if (!append(nic, c, &ring, from, payload)) {
		c->tail = before;
		return false;
	}
	first->begin++;
	rsc_merge_join(&c->large, header, payload);
	c->packets++;
	c->bytes += packet->len;
	c->done = packet->done;
	reg_store(nic, ixgbe_rxq_reg(IXGBE_RDH, c->queue), ring.head);
	return true;
}

/* Writes a large receive's first segment into the ring's next buffers; the header goes into a
 * buffer of its own if the queue splits it off. */
static bool write_first(struct nic *nic, struct rsc_context *c, struct receive_ring *ring,
			const struct receive_packet *packet)
{
	struct receive_reader from = {.packet = packet};
	union ixgbe_desc given;

	if (!has_room(nic, c, ring, packet->len - c->split) || !take_desc(nic, c, ring, &given))
		return false;
	c->header_iova = c->split ? given.qword[1] & ~1ull : given.qword[0];
	return (!c->split || receive_ring_read_to_client(nic, &from, c->header_iova, c->split)) &&
	       append(nic, c, ring, &from, packet->len - c->split);
}

/* Opens a large receive with its first segment. False: the context stays free, and the ring's head
 * where it was. */
static bool open_new(struct nic *nic, const struct receive_packet *packet, const uint8_t *header)
{
	struct data *dp = nic->data;
	uint32_t type =
		IXGBE_FIELD_GET(IXGBE_SRRCTL_DESCTYPE, rxq_value(nic, IXGBE_SRRCTL, packet->queue));
	struct receive_ring ring = receive_ring_of(nic, packet->queue);
	uint32_t head = packet->rsc.at.header;
	struct rsc_context *c;

	if (dp->rsc_open == RSC_CONTEXTS)
		close_one(nic, dp->rsc[0]);
	c = dp->rsc[dp->rsc_open];
	*c = (struct rsc_context){
		.queue = packet->queue,
		.split = type == IXGBE_SRRCTL_DESCTYPE_ADV_ONE_BUFFER ? 0 : head,
		.packets = 1,
		.bytes = packet->len,
		.done = packet->done,
	};
	if (!write_first(nic, c, &ring, packet))
		return false;
	c->desc[0].begin = 1;
	memcpy(c->flow, packet->rsc.flow, sizeof(c->flow));
	rsc_merge_begin(&c->large, header, &packet->rsc.at, packet->len - head);
	dp->rsc_open++;
	reg_store(nic, ixgbe_rxq_reg(IXGBE_RDH, c->queue), ring.head);
	return true;
}

static struct rsc_context *find(const struct data *dp, const struct receive_packet *packet)
{
	for (uint32_t i = 0; i < dp->rsc_open; i++) {
		struct rsc_context *c = dp->rsc[i];

		if (c->queue == packet->queue &&
		    memcmp(c->flow, packet->rsc.flow, sizeof(c->flow)) == 0)
			return c;
	}
	return NULL;
}

bool rsc_take(struct nic *nic, const struct receive_packet *packet)
{
	struct rsc_context *c = find(nic->data, packet);
	struct receive_reader from = {.packet = packet};
	uint8_t header[RSC_HEADER_MAX];

	if (!packet->rsc.candidate || !queue_fits(nic, packet)) {
		if (c)
			close_one(nic, c);
		return false;
	}
	receive_ring_read(&from, header, packet->rsc.at.header);
	if (c) {
		bool joined = join(nic, c, packet, header, &from);

		if (!joined || packet->rsc.push)
			close_one(nic, c);
		if (joined)
			return true;
	}
	return !packet->rsc.push && open_new(nic, packet, header);
}

void rsc_close_all(struct nic *nic)
{
	while (nic->data->rsc_open > 0)
		close_one(nic, nic->data->rsc[0]);
}

void rsc_reset(struct nic *nic)
{
	struct data *dp = nic->data;

	for (uint32_t i = 0; i < dp->rsc_open; i++)
		count_add(nic, COUNTER_rx_drop_reset, dp->rsc[i]->packets);
	dp->rsc_open = 0;
	for (uint32_t i = 0; i < RSC_CONTEXTS; i++)
		dp->rsc[i] = &dp->rsc_context[i];
}
