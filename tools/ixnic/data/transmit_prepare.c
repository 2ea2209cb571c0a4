/* SPDX-License-Identifier: MIT */
/*
 * From a packet's descriptors to a packet that can be sent: the buffers copied together, tag and
 * checksums inserted, or the cutting planned (sections 7.2.3.2, 7.2.4 and 7.2.5).
 *
 * The hardware does not compute the pseudo header: the driver leaves its sum in the checksum's
 * place as a seed. With a wrong seed the checksum on the wire is wrong, here as there.
 */
#include "data.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "checksum.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/violations.h"

enum {
	PAYLEN_MIN = 17,      /* 7.2.3.2.4; a legacy packet has addresses and type (7.2.1.1) */
	TSO_HEADER_DESCS = 4, /* at most (7.2.4.1) */
};

void transmit_refuse(struct nic *nic, struct transmit_batch *batch, enum nic_violation rule,
		     const char *what, uint32_t queue, uint32_t value)
{
	if (!batch->bad)
		violation(nic, rule, "queue %u: %s (%u)", queue, what, value);
	batch->bad = true;
}

/* Copies the buffers together behind the headroom. */
static bool tx_gather(struct nic *nic, const struct transmit_batch *batch, uint8_t *to)
{
	for (uint32_t i = 0; i < batch->buffers; i++) {
		uint32_t len = batch->buffer[i].len;
		const void *from = memory_at(nic, batch->buffer[i].iova, len, false);

		if (from)
			memcpy(to, from, len);
		else if (memory_read(nic, batch->buffer[i].iova, to, len) < 0)
			return false;
		to += len;
	}
	return true;
}

static void insert_tag(struct nic *nic, struct transmit_packet *tx, uint16_t tag)
{
	uint32_t type = IXGBE_FIELD_GET(IXGBE_DMATXCTL_VLT, reg(nic, IXGBE_DMATXCTL));

	memmove(tx->data - TAG_BYTES, tx->data, ETHER_TYPE);
	tx->data -= TAG_BYTES;
	tx->len += TAG_BYTES;
	be16_put(tx->data + ETHER_TYPE, type);
	be16_put(tx->data + ETHER_TYPE + 2, tag);
}

/* IC of a legacy descriptor: the sum from CSS to the end, put at CSO (section 7.2.3.2.2). */
static bool legacy_checksum(struct transmit_packet *tx, const union ixgbe_desc *desc,
			    uint32_t shift)
{
	uint32_t offset = IXGBE_FIELD_GET(IXGBE_TXL_CSO, desc->dword[2]) + shift;
	uint32_t start = IXGBE_FIELD_GET(IXGBE_TXL_CSS, desc->dword[3]) + shift;
	uint16_t sum;

	if (start >= tx->len || offset + 2 > tx->len || offset <= start)
		return false;
	sum = (uint16_t)~csum_fold(csum_add(0, tx->data + start, tx->len - start));
	memcpy(tx->data + offset, &sum, sizeof(sum));
	return true;
}

/* Whether the driver's seed is the pseudo header's sum. */
static bool seed_right(const struct transmit_packet *tx, const struct transmit_context *context,
		       uint32_t l2, uint32_t len, uint16_t seed)
{
	const uint8_t *l3 = tx->data + l2;
	bool tcp = context->l4_type == IXGBE_TXC_L4T_TCP;
	uint64_t sum = csum_pseudo(l3, l3[0] >> 4 == 4, tcp ? IPPROTO_TCP : IPPROTO_UDP, len);
	uint16_t right = csum_fold(sum);

	/* 0 and 0xffff are the same sum */
	return right == seed || (right % 0xffff == 0 && seed % 0xffff == 0);
}

static bool sctp_checksum(uint8_t *l4, uint32_t len)
{
	uint32_t crc = 0;

	if (len < SCTP_BYTES)
		return false;
	memcpy(l4 + SCTP_CSUM, &crc, sizeof(crc));
	crc = htole32(crc32c_add(0, l4, len));
	memcpy(l4 + SCTP_CSUM, &crc, sizeof(crc));
	return true;
}

/* TXSM: layer 4 from behind the IP header to the end, with the driver's seed in the field. The
 * context's IPV4 is about IXSM and TSO only: the in-kernel driver leaves it clear here. */
static bool insert_l4(struct transmit_packet *tx, const struct transmit_context *context,
		      uint32_t l2)
{
	uint32_t at = l2 + context->l3_bytes;
	uint32_t field = context->l4_type == IXGBE_TXC_L4T_TCP ? TCP_CSUM : UDP_CSUM;
	uint16_t seed, sum;

	if (l2 >= tx->len ||
	    context->l3_bytes < (tx->data[l2] >> 4 == 4 ? IPV4_BYTES : IPV6_BYTES) || at >= tx->len)
		return false;
	if (context->l4_type == IXGBE_TXC_L4T_SCTP)
		return sctp_checksum(tx->data + at, tx->len - at);
	if (context->l4_type > IXGBE_TXC_L4T_SCTP || tx->len - at < field + 2)
		return false;
	memcpy(&seed, tx->data + at + field, sizeof(seed));
	sum = (uint16_t)~csum_fold(csum_add(0, tx->data + at, tx->len - at));
	if (sum == 0 && context->l4_type == IXGBE_TXC_L4T_UDP)
		sum = 0xffff;
	memcpy(tx->data + at + field, &sum, sizeof(sum));
	if (seed_right(tx, context, l2, tx->len - at, seed))
		tx->frame.checked = at;
	return true;
}

static bool insert_checksums(struct transmit_packet *tx, const union ixgbe_desc *desc,
			     const struct transmit_context *context, uint32_t l2)
{
	if (desc->dword[3] & IXGBE_TXD_POPTS_IXSM) {
		uint8_t *l3 = tx->data + l2;
		uint16_t sum = 0;

		if (context->l3_bytes < IPV4_BYTES || context->l3_bytes > tx->len ||
		    l2 > tx->len - context->l3_bytes)
			return false;
		memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
		sum = (uint16_t)~csum_fold(csum_add(0, l3, context->l3_bytes));
		memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
	}
	return !(desc->dword[3] & IXGBE_TXD_POPTS_TXSM) || insert_l4(tx, context, l2);
}

/* What TSO asks beside the context (7.2.3.2.4, 7.2.4, 7.2.4.1). */
static void check_tso(struct nic *nic, const struct transmit_packet *tx,
		      const struct transmit_context *context, uint32_t l2)
{
	const uint32_t units = IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_TXPADEN;
	uint32_t popts = tx->batch.first.dword[3], header = 0, descs = 0;
	uint32_t bytes = l2 + context->l3_bytes + context->l4_bytes;

	while (descs < tx->batch.buffers && header < bytes)
		header += tx->batch.buffer[descs++].len;
	if (!(popts & IXGBE_TXD_POPTS_TXSM) || (context->ipv4 && !(popts & IXGBE_TXD_POPTS_IXSM)) ||
	    (!context->ipv4 && popts & IXGBE_TXD_POPTS_IXSM) || descs > TSO_HEADER_DESCS ||
	    (reg(nic, IXGBE_HLREG0) & units) != units)
		violation(nic, VIOLATION_TX_TSO_HEADER,
			  "queue %u: POPTS 0x%x, header in %u descriptors, HLREG0 0x%08x",
			  tx->queue, popts & (IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM), descs,
			  reg(nic, IXGBE_HLREG0));
}

static bool start_tso(struct nic *nic, struct transmit_packet *tx,
		      const struct transmit_context *context, uint32_t l2)
{
	uint32_t low = reg(nic, IXGBE_DTXTCPFLGL);
	bool tcp = context->l4_type == IXGBE_TXC_L4T_TCP;
	uint32_t l4 = l2 + context->l3_bytes;
	uint32_t field = l4 + (tcp ? TCP_CSUM : UDP_CSUM);
	struct tso_plan plan = {
		.l2_bytes = l2,
		.l3_bytes = context->l3_bytes,
		.l4_bytes = context->l4_bytes,
		.mss = context->mss,
		.ipv4 = context->ipv4,
		.tcp = tcp,
		.flags_first = (uint16_t)IXGBE_FIELD_GET(IXGBE_DTXTCPFLGL_FIRST, low),
		.flags_middle = (uint16_t)IXGBE_FIELD_GET(IXGBE_DTXTCPFLGL_MIDDLE, low),
		.flags_last = (uint16_t)IXGBE_FIELD_GET(IXGBE_DTXTCPFLGH_LAST,
							reg(nic, IXGBE_DTXTCPFLGH)),
	};
	uint16_t seed;

	if (context->l4_type > IXGBE_TXC_L4T_TCP || tso_head_bytes(&plan) > tx->len ||
	    field + 2 > tx->len)
		return false;
	memcpy(&seed, tx->data + field, sizeof(seed));
	plan.pseudo = seed;
	if (tso_start(&tx->tso, &plan, tx->data, tx->len) < 0)
		return false;
	tx->tso.plan.pseudo_right = seed_right(tx, context, l2, 0, seed);
	/* Behind options and extension headers another address than the header's may count. */
	if (!tx->tso.plan.pseudo_right &&
	    context->l3_bytes == (context->ipv4 ? IPV4_BYTES : IPV6_BYTES))
		violation(nic, VIOLATION_TX_TSO_HEADER,
			  "queue %u: checksum field 0x%04x is not the pseudo header's sum",
			  tx->queue, be16toh(seed));
	if (tcp && (tx->data[l4 + TCP_OFFSET] >> 4) * 4u != context->l4_bytes)
		violation(nic, VIOLATION_TX_TSO_HEADER, "queue %u: L4LEN %u, but TCP header of %u",
			  tx->queue, context->l4_bytes, (tx->data[l4 + TCP_OFFSET] >> 4) * 4u);
	check_tso(nic, tx, context, context->l2_bytes);
	tx->cut = true;
	return true;
}

/* Section 7.2.3.2.4: PAYLEN is the data of the packet, without the headers if they are repeated. */
static bool paylen_right(const struct transmit_batch *batch, const struct transmit_context *context)
{
	uint32_t paylen = IXGBE_FIELD_GET(IXGBE_TXD_PAYLEN, batch->first.dword[3]);
	uint32_t head = 0;

	if (batch->first.dword[2] & IXGBE_TXD_TSE)
		head = context->l2_bytes + context->l3_bytes + context->l4_bytes;
	return batch->bytes >= head && paylen == batch->bytes - head;
}

/* The context that a packet takes what it asks for from: with CC it asks for one in any case. NULL:
 * there is none. */
static struct transmit_context *context_of(struct nic *nic, const struct transmit_packet *tx,
					   uint32_t index)
{
	struct transmit_context *context = &nic->data->txq[tx->queue].context[index & 1];

	if (index > 1 || !context->valid)
		return NULL;
	context->used = true;
	context->used_tse |= (tx->batch.first.dword[2] & IXGBE_TXD_TSE) != 0;
	return context;
}

static bool prepare_advanced(struct nic *nic, struct transmit_packet *tx,
			     struct transmit_batch *batch)
{
	const union ixgbe_desc *desc = &batch->first;
	uint32_t index = IXGBE_FIELD_GET(IXGBE_TXD_IDX, desc->dword[3]);
	const struct transmit_context none = {0}, *context = &none;
	bool tse = desc->dword[2] & IXGBE_TXD_TSE;
	bool vle = desc->dword[2] & IXGBE_TXD_VLE;
	bool sums = desc->dword[3] & (IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM);
	uint32_t l2;

	if (tse || vle || sums || desc->dword[3] & IXGBE_TXD_CC)
		context = context_of(nic, tx, index);
	if (!context) {
		transmit_refuse(nic, batch, VIOLATION_TX_CONTEXT, "no such context", tx->queue,
				index);
		return false;
	}
	l2 = context->l2_bytes + (vle ? TAG_BYTES : 0);
	/* 7.2.3.2.3: lengths that no header has. */
	if (((tse || sums) && (context->l2_bytes < ETHER_BYTES || context->l3_bytes > 511)) ||
	    (tse && (context->l4_bytes < 8 || context->l4_bytes > 64 ||
		     context->l2_bytes + context->l3_bytes + context->l4_bytes > 512))) {
		transmit_refuse(nic, batch, VIOLATION_TX_CONTEXT, "lengths of no header", tx->queue,
				index);
		return false;
	}
	if (!paylen_right(batch, context)) {
		transmit_refuse(nic, batch, VIOLATION_TX_PAYLEN, "PAYLEN does not fit the data",
				tx->queue, IXGBE_FIELD_GET(IXGBE_TXD_PAYLEN, desc->dword[3]));
		return false;
	}
	if (vle)
		insert_tag(nic, tx, context->tag);
	if (tse ? start_tso(nic, tx, context, l2) : insert_checksums(tx, desc, context, l2))
		return true;
	transmit_refuse(nic, batch, VIOLATION_TX_CONTEXT, "context does not fit the frame",
			tx->queue, index);
	return false;
}

/* The fields of a legacy packet are in its first descriptor. With CSS or CSO outside the frame no
 * checksum is inserted. */
static void prepare_legacy(struct nic *nic, struct transmit_packet *tx)
{
	const union ixgbe_desc *desc = &tx->batch.first;
	bool vle = desc->dword[2] & IXGBE_TXD_VLE;

	if (vle)
		insert_tag(nic, tx, (uint16_t)(desc->dword[3] >> 16));
	if (desc->dword[2] & IXGBE_TXL_IC && !legacy_checksum(tx, desc, vle ? TAG_BYTES : 0))
		violation(nic, VIOLATION_TX_CONTEXT, "queue %u: CSS or CSO outside the frame",
			  tx->queue);
}

/* What the NIC changes in a frame is in no checksum that software computed: IFCS has to be set. */
static void check_ifcs(struct nic *nic, const struct transmit_packet *tx)
{
	const union ixgbe_desc *desc = &tx->batch.first;
	bool advanced = desc->dword[2] & IXGBE_TXD_DEXT;
	bool short_one = tx->len < FRAME_MIN && reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_TXPADEN;

	if (desc->dword[2] & IXGBE_TXD_IFCS)
		return;
	if (short_one || desc->dword[2] & IXGBE_TXD_VLE ||
	    (advanced ? desc->dword[2] & IXGBE_TXD_TSE ||
				desc->dword[3] & (IXGBE_TXD_POPTS_IXSM | IXGBE_TXD_POPTS_TXSM)
		      : desc->dword[2] & IXGBE_TXL_IC))
		violation(nic, VIOLATION_TX_IFCS, "queue %u: %u bytes, descriptor 0x%08x",
			  tx->queue, tx->len, desc->dword[2]);
}

/* The bytes of the packet's tags, of which two do not count against MAXFRS (8.2.3.22.13). */
static uint32_t tag_bytes(const struct transmit_packet *tx)
{
	uint32_t at = ETHER_TYPE;

	while (at < ETHER_TYPE + 2 * TAG_BYTES && at + TAG_BYTES + 2 <= tx->len &&
	       (be16_at(tx->data + at) == ETHERTYPE_VLAN ||
		be16_at(tx->data + at) == ETHERTYPE_QINQ))
		at += TAG_BYTES;
	return at - ETHER_TYPE;
}

bool transmit_prepare(struct nic *nic, struct transmit_packet *tx)
{
	struct transmit_batch *batch = &tx->batch;
	uint32_t queue = tx->queue;
	uint32_t biggest,
		shortest = batch->first.dword[2] & IXGBE_TXD_DEXT ? PAYLEN_MIN : ETHER_BYTES;

	tx->data = nic->data->tx_buffer + TX_HEADROOM;
	tx->len = batch->bytes;
	tx->cut = tx->frame_ready = false;
	tx->frame = (struct frame){0};
	if (!batch->bad && (batch->bytes < shortest || batch->bytes > TX_PACKET_BYTES))
		transmit_refuse(nic, batch, VIOLATION_TX_FRAME_LENGTH, "frame length", queue,
				batch->bytes);
	if (!batch->bad && !tx_gather(nic, batch, tx->data)) {
		count(nic, COUNTER_tx_drop_dma);
		return false;
	}
	if (batch->bad ||
	    (batch->first.dword[2] & IXGBE_TXD_DEXT && !prepare_advanced(nic, tx, batch))) {
		count(nic, COUNTER_tx_drop_invalid);
		return false;
	}
	if (!(batch->first.dword[2] & IXGBE_TXD_DEXT))
		prepare_legacy(nic, tx);
	check_ifcs(nic, tx);
	tx->no_crc = !tx->cut && (!(reg(nic, IXGBE_HLREG0) & IXGBE_HLREG0_TXCRCEN) ||
				  !(batch->first.dword[2] & IXGBE_TXD_IFCS));
	biggest = tx->cut ? tso_head_bytes(&tx->tso.plan) + tx->tso.plan.mss : tx->len;
	if (tx->cut && biggest > tx->len)
		biggest = tx->len;
	/* The packet has its tag by now, and its CRC unless the NIC inserts one. */
	if (biggest + (tx->no_crc ? 0 : CRC_BYTES) > frame_max(nic) + tag_bytes(tx)) {
		transmit_refuse(nic, batch, VIOLATION_TX_FRAME_LENGTH, "frame longer than MAXFRS",
				queue, biggest);
		count(nic, COUNTER_tx_drop_invalid);
		return false;
	}
	if (!tx->cut) {
		tx->frame.head = tx->data;
		tx->frame.head_len = tx->len;
		tx->frame_ready = true;
	}
	return true;
}
