/* SPDX-License-Identifier: MIT */
/*
 * As at a link partner with receive offload, frames of one TCP connection that follow each other
 * become one packet before the stack sees them. No payload is copied: a frame of tso.c is merged
 * only if its payload begins in the transmit buffer where the last one's ended. The run has to be
 * written before the buffer is used again.
 *
 * A run is frames with the same addresses, ports, acknowledgement, window and options, of one
 * length but for the last, all with checksums that are right. Every frame was sent by then: it
 * is counted and captured on its own.
 */
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>

#include "tools/ixnic/data/checksum.h"
#include "wire_tap_merge.h"

enum {
	IPV4_LENGTH = 2,
	IPV4_CSUM = 10,
	IPV6_LENGTH = 4,
	IPV6_BYTES = 40,
	TCP_SEQ = 4,
	TCP_FLAGS = 13,
	TCP_CSUM = 16,
	FLAG_FIN = 0x01,
	FLAG_PSH = 0x08,
	FLAG_ACK = 0x10,
	PACKET_MAX = 65535, /* IP packet */
};

static uint32_t tcp_seq(const uint8_t *tcp)
{
	return (uint32_t)be16_at(tcp + TCP_SEQ) << 16 | be16_at(tcp + TCP_SEQ + 2);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Whether a run can begin with the frame; notes where its headers are. */
static bool begins(struct wire_tap_merge *merge, const struct frame *frame)
{
	static const struct parse_config config = {.vlan_type = 0x8100, .outer_type = 0x88a8};
	struct parsed packet;

	if (!frame->checked || frame->body_len == 0 || frame->head_len > sizeof(merge->head))
		return false;
	packet_parse(&packet, &config, frame->head, frame->head_len,
		     frame->head_len + frame->body_len);
	if (packet.l4 != frame->checked || packet.l4_protocol != IPPROTO_TCP ||
	    packet.payload != frame->head_len ||
	    packet.l4 + packet.l4_len != frame->head_len + frame->body_len)
		return false;
	merge->ipv4 = packet.ip == PARSE_IPV4;
	merge->l3 = packet.l3;
	merge->l4 = packet.l4;
	return true;
}

bool wire_tap_merge_begin(struct wire_tap_merge *merge, const struct frame *frame)
{
	const uint8_t *tcp;

	if (!begins(merge, frame))
		return false;
	tcp = frame->head + merge->l4;
	memcpy(merge->head, frame->head, frame->head_len);
	merge->frames = 1;
	merge->head_len = frame->head_len;
	merge->body = (struct slice){frame->body, frame->body_len};
	merge->mss = frame->body_len;
	merge->next_seq = tcp_seq(tcp) + frame->body_len;
	merge->closed = tcp[TCP_FLAGS] != FLAG_ACK;
	return true;
}

/* Headers are equal but for what changes from one cut frame to the next. */
static bool same_headers(const struct wire_tap_merge *merge, const struct frame *frame)
{
	const uint8_t *a = merge->head, *b = frame->head;
	uint32_t l3 = merge->l3, l4 = merge->l4;

	if (merge->ipv4
		    ? memcmp(a, b, l3 + IPV4_LENGTH) || memcmp(a + l3 + 6, b + l3 + 6, 4) ||
			      memcmp(a + l3 + 12, b + l3 + 12, l4 - l3 - 12)
		    : memcmp(a, b, l3 + IPV6_LENGTH) || memcmp(a + l3 + 6, b + l3 + 6, l4 - l3 - 6))
		return false;
	return memcmp(a + l4, b + l4, TCP_SEQ) == 0 &&     /* ports */
	       memcmp(a + l4 + 8, b + l4 + 8, 5) == 0 &&   /* acknowledgement, header length */
	       memcmp(a + l4 + 14, b + l4 + 14, 2) == 0 && /* window */
	       memcmp(a + l4 + 18, b + l4 + 18, merge->head_len - l4 - 18) == 0;
}

static bool continues(const struct wire_tap_merge *merge, const struct frame *frame)
{
	uint8_t flags;

	if (merge->frames == 0 || merge->closed || frame->checked != merge->l4 ||
	    frame->head_len != merge->head_len ||
	    frame->body != merge->body.data + merge->body.len || frame->body_len > merge->mss ||
	    merge->head_len - merge->l3 + merge->body.len + frame->body_len > PACKET_MAX)
		return false;
	flags = frame->head[merge->l4 + TCP_FLAGS];
	return (flags & ~(FLAG_FIN | FLAG_PSH)) == FLAG_ACK &&
	       tcp_seq(frame->head + merge->l4) == merge->next_seq && same_headers(merge, frame);
}

bool wire_tap_merge_join(struct wire_tap_merge *merge, const struct frame *frame)
{
	uint8_t flags;

	if (!continues(merge, frame))
		return false;
	flags = frame->head[merge->l4 + TCP_FLAGS];
	merge->frames++;
	merge->body.len += frame->body_len;
	merge->next_seq += frame->body_len;
	merge->head[merge->l4 + TCP_FLAGS] = flags;
	merge->closed = frame->body_len < merge->mss || flags != FLAG_ACK;
	return true;
}

/* Makes the first frame's headers those of the whole packet. */
static void finish_headers(struct wire_tap_merge *merge, struct virtio_net_hdr *vnet)
{
	uint8_t *l3 = merge->head + merge->l3, *l4 = merge->head + merge->l4;
	uint32_t tcp_len = merge->head_len - merge->l4 + merge->body.len;
	uint32_t l3_bytes = merge->l4 - merge->l3;
	uint16_t sum = 0;

	if (merge->ipv4) {
		put16(l3 + IPV4_LENGTH, l3_bytes + tcp_len);
		memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
		sum = (uint16_t)~csum_fold(csum_add(0, l3, l3_bytes));
		memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
		sum = csum_fold(csum_pseudo(l3 + 12, l3 + 16, 4, IPPROTO_TCP, tcp_len));
	} else {
		put16(l3 + IPV6_LENGTH, l3_bytes - IPV6_BYTES + tcp_len);
		sum = csum_fold(csum_pseudo(l3 + 8, l3 + 24, 16, IPPROTO_TCP, tcp_len));
	}
	memcpy(l4 + TCP_CSUM, &sum, sizeof(sum));
	*vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = merge->ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)merge->head_len,
		.gso_size = (uint16_t)merge->mss,
		.csum_start = (uint16_t)merge->l4,
		.csum_offset = TCP_CSUM,
	};
}

uint32_t wire_tap_merge_end(struct wire_tap_merge *merge, struct virtio_net_hdr *vnet)
{
	uint32_t frames = merge->frames;

	*vnet = (struct virtio_net_hdr){0};
	if (frames > 1)
		finish_headers(merge, vnet);
	merge->frames = 0;
	return frames;
}
