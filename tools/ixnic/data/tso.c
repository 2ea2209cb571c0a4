/* SPDX-License-Identifier: MIT */
/*
 * Each frame gets the packet's headers with the changes of section 7.2.4: IPv4 length,
 * identification (one more each) and checksum, or IPv6 payload length; TCP sequence number, flags
 * by the masks of DTXTCPFLGL and H, or UDP length; and the checksum of layer 4. The payload is
 * not copied: a frame is the header in `tso->head` and a piece of the packet.
 *
 * The transmit side cuts the driver's packets, and the TAP those of the kernel.
 */
#include "tso.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "checksum.h"
#include "packet_parse.h"

enum {
	IPV4_LENGTH = 2,
	IPV4_ID = 4,
	IPV4_CSUM = 10,
	IPV4_MIN = 20,
	IPV6_LENGTH = 4,
	IPV6_BYTES = 40,
	TCP_SEQ = 4,
	TCP_FLAGS = 12, /* header length, reserved bits, flags: 16 bits */
	TCP_FLAGS_MASK = 0x0fff,
	TCP_CSUM = 16,
	TCP_MIN = 20,
	UDP_LENGTH = 4,
	UDP_CSUM = 6,
	UDP_BYTES = 8,
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)be16_at(at) << 16 | be16_at(at + 2);
}

int tso_start(struct tso *tso, const struct tso_plan *plan, const uint8_t *data, uint32_t len)
{
	uint32_t head = tso_head_bytes(plan);
	const uint8_t *l3 = data + plan->l2_bytes;
	const uint8_t *l4 = l3 + plan->l3_bytes;

	if (plan->l2_bytes < 14 || plan->l3_bytes < (plan->ipv4 ? IPV4_MIN : IPV6_BYTES) ||
	    plan->l4_bytes < (plan->tcp ? TCP_MIN : UDP_BYTES) || plan->l3_bytes % 4 != 0 ||
	    plan->l4_bytes % 4 != 0 || plan->mss == 0)
		return -EINVAL;
	if (head > sizeof(tso->head) || head > len)
		return -EINVAL;
	tso->plan = *plan;
	memcpy(tso->head, data, head);
	tso->payload = data + head;
	tso->left = len - head;
	tso->id = be16_at(l3 + IPV4_ID);
	tso->seq = get32(l4 + TCP_SEQ);
	tso->flags = plan->tcp ? be16_at(l4 + TCP_FLAGS) : 0;
	tso->first = true;
	return 0;
}

static void ip_finish(struct tso *tso, uint8_t *l3, uint32_t l4_len)
{
	uint32_t header = tso->plan.l3_bytes;
	uint16_t sum;

	if (!tso->plan.ipv4) {
		put16(l3 + IPV6_LENGTH, header - IPV6_BYTES + l4_len);
		return;
	}
	put16(l3 + IPV4_LENGTH, header + l4_len);
	put16(l3 + IPV4_ID, tso->id++);
	put16(l3 + IPV4_CSUM, 0);
	sum = (uint16_t)~csum_fold(csum_add(0, l3, header));
	memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
}

static void tcp_finish(struct tso *tso, uint8_t *l4, uint32_t payload, bool last)
{
	const struct tso_plan *plan = &tso->plan;
	uint16_t mask = plan->flags_middle;

	if (tso->first && last)
		mask = plan->flags_first | plan->flags_last;
	else if (tso->first)
		mask = plan->flags_first;
	else if (last)
		mask = plan->flags_last;
	put16(l4 + TCP_SEQ, tso->seq >> 16);
	put16(l4 + TCP_SEQ + 2, tso->seq & 0xffff);
	put16(l4 + TCP_FLAGS, tso->flags & (mask | (uint16_t)~TCP_FLAGS_MASK));
	tso->seq += payload;
}

bool tso_next(struct tso *tso, struct frame *frame)
{
	const struct tso_plan *plan = &tso->plan;
	uint8_t *l3 = tso->head + plan->l2_bytes;
	uint8_t *l4 = l3 + plan->l3_bytes;
	uint32_t payload = tso->left < plan->mss ? tso->left : plan->mss;
	uint32_t l4_len = plan->l4_bytes + payload;
	uint32_t csum_at = plan->tcp ? TCP_CSUM : UDP_CSUM;
	uint64_t sum;
	uint16_t csum;

	if (tso->left == 0 && !tso->first)
		return false;
	tso->left -= payload;
	ip_finish(tso, l3, l4_len);
	if (plan->tcp)
		tcp_finish(tso, l4, payload, tso->left == 0);
	else
		put16(l4 + UDP_LENGTH, l4_len);

	put16(l4 + csum_at, 0);
	sum = csum_add(plan->pseudo + htobe16((uint16_t)l4_len), l4, plan->l4_bytes);
	csum = (uint16_t)~csum_fold(csum_add(sum, tso->payload, payload));
	if (csum == 0 && !plan->tcp)
		csum = 0xffff; /* 0 would say that there is none (RFC 768) */
	memcpy(l4 + csum_at, &csum, sizeof(csum));

	*frame = (struct frame){
		.head = tso->head,
		.head_len = tso_head_bytes(plan),
		.body = tso->payload,
		.body_len = payload,
		.checked = plan->pseudo_right ? plan->l2_bytes + plan->l3_bytes : 0,
	};
	tso->payload += payload;
	tso->first = false;
	return true;
}
