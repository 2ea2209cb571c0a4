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
#include "header_fields.h"

enum { TCP_FLAGS_MASK = 0x0fff }; /* of the 16 bits at TCP_OFFSET */

int tso_start(struct tso *tso, const struct tso_plan *plan, const uint8_t *data, uint32_t len)
{
	uint32_t head = tso_head_bytes(plan);
	const uint8_t *l3 = data + plan->l2_bytes;
	const uint8_t *l4 = l3 + plan->l3_bytes;

	if (plan->l2_bytes < ETHER_BYTES ||
	    plan->l3_bytes < (plan->ipv4 ? IPV4_BYTES : IPV6_BYTES) ||
	    plan->l4_bytes < (plan->tcp ? TCP_BYTES : UDP_BYTES) || plan->l3_bytes % 4 != 0 ||
	    plan->l4_bytes % 4 != 0 || plan->mss == 0)
		return -EINVAL;
	if (head > sizeof(tso->head) || head > len)
		return -EINVAL;
	tso->plan = *plan;
	memcpy(tso->head, data, head);
	tso->payload = data + head;
	tso->left = len - head;
	tso->id = be16_at(l3 + IPV4_ID);
	tso->seq = be32_at(l4 + TCP_SEQ);
	tso->flags = plan->tcp ? be16_at(l4 + TCP_OFFSET) : 0;
	tso->first = true;
	return 0;
}

static void ip_finish(struct tso *tso, uint8_t *l3, uint32_t l4_len)
{
	uint32_t header = tso->plan.l3_bytes;
	uint16_t sum;

	if (!tso->plan.ipv4) {
		be16_put(l3 + IPV6_LENGTH, header - IPV6_BYTES + l4_len);
		return;
	}
	be16_put(l3 + IPV4_LENGTH, header + l4_len);
	be16_put(l3 + IPV4_ID, tso->id++);
	be16_put(l3 + IPV4_CSUM, 0);
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
	be32_put(l4 + TCP_SEQ, tso->seq);
	be16_put(l4 + TCP_OFFSET, tso->flags & (mask | (uint16_t)~TCP_FLAGS_MASK));
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
		be16_put(l4 + UDP_LENGTH, l4_len);

	be16_put(l4 + csum_at, 0);
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
