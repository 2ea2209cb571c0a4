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

/* Whether a run can begin with the frame; notes where its headers are. */
static bool begins(struct wire_tap_merge *merge, const struct frame *frame)
{
	static const struct parse_config config = {ETHERTYPE_VLAN, ETHERTYPE_QINQ};
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
	merge->next_seq = be32_at(tcp + TCP_SEQ) + frame->body_len;
	merge->closed = tcp[TCP_FLAGS] != TCP_FLAGS_ACK;
	return true;
}

/* Headers are equal but for what changes from one cut frame to the next. */
static bool same_headers(const struct wire_tap_merge *merge, const struct frame *frame)
{
	const uint8_t *a = merge->head, *b = frame->head;
	uint32_t l3 = merge->l3, l4 = merge->l4;

	if (merge->ipv4
		    ? memcmp(a, b, l3 + IPV4_LENGTH) ||
			      memcmp(a + l3 + IPV4_FRAGMENT, b + l3 + IPV4_FRAGMENT, 4) ||
			      memcmp(a + l3 + IPV4_ADDRESSES, b + l3 + IPV4_ADDRESSES,
				     l4 - l3 - IPV4_ADDRESSES)
		    : memcmp(a, b, l3 + IPV6_LENGTH) ||
			      memcmp(a + l3 + IPV6_NEXT, b + l3 + IPV6_NEXT, l4 - l3 - IPV6_NEXT))
		return false;
	return memcmp(a + l4, b + l4, TCP_SEQ) == 0 && /* ports */
	       memcmp(a + l4 + TCP_ACK, b + l4 + TCP_ACK, TCP_FLAGS - TCP_ACK) == 0 &&
	       memcmp(a + l4 + TCP_WINDOW, b + l4 + TCP_WINDOW, TCP_CSUM - TCP_WINDOW) == 0 &&
	       memcmp(a + l4 + TCP_URGENT, b + l4 + TCP_URGENT,
		      merge->head_len - l4 - TCP_URGENT) == 0;
}

static bool continues(const struct wire_tap_merge *merge, const struct frame *frame)
{
	uint8_t flags;

	if (merge->frames == 0 || merge->closed || frame->checked != merge->l4 ||
	    frame->head_len != merge->head_len ||
	    frame->body != merge->body.data + merge->body.len || frame->body_len > merge->mss ||
	    merge->head_len - merge->l3 + merge->body.len + frame->body_len > IP_PACKET_MAX)
		return false;
	flags = frame->head[merge->l4 + TCP_FLAGS];
	return (flags & ~(TCP_FLAGS_FIN | TCP_FLAGS_PSH)) == TCP_FLAGS_ACK &&
	       be32_at(frame->head + merge->l4 + TCP_SEQ) == merge->next_seq &&
	       same_headers(merge, frame);
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
	merge->closed = frame->body_len < merge->mss || flags != TCP_FLAGS_ACK;
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
		be16_put(l3 + IPV4_LENGTH, l3_bytes + tcp_len);
		memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
		sum = (uint16_t)~csum_fold(csum_add(0, l3, l3_bytes));
		memcpy(l3 + IPV4_CSUM, &sum, sizeof(sum));
		sum = csum_fold(csum_pseudo(l3, true, IPPROTO_TCP, tcp_len));
	} else {
		be16_put(l3 + IPV6_LENGTH, l3_bytes - IPV6_BYTES + tcp_len);
		sum = csum_fold(csum_pseudo(l3, false, IPPROTO_TCP, tcp_len));
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
