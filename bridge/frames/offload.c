/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * From the kernel. A vnet header asks for two things: to fill a checksum, and to cut a frame into
 * pieces of gso_size. The checksum is the sum from csum_start to the end of the frame; it is stored
 * csum_offset behind csum_start, where the sum of the pseudo-header stands before. The 82599 wants
 * the same as header lengths and a protocol. So the frame is parsed, and the vnet header must agree
 * with it:
 *
 *   - TCP or UDP straight behind IP, with its checksum where it belongs: the NIC fills it.
 *   - Any other place (ICMPv6, tunnels, more than two tags): offload_tx fills it. Rare, and right.
 *   - Segmentation: everything is checked, since a NIC cuts without asking. A sum that is not the
 *     pseudo-header's would be wrong in every segment.
 *
 * For segmentation the NIC wants the pseudo-header's sum without the length, which differs from
 * segment to segment, and IP's length and checksum zero (section 7.2.4). The kernel's sum contains
 * the length; it is subtracted. A new sum of the addresses would be wrong behind an IPv6 routing
 * header, whose last address counts.
 *
 * A request to cut a frame that is one segment long is a request for a checksum. hdr_len is a hint
 * about the kernel's buffers: it is checked against the frame, and not used.
 *
 * To the kernel. tun ignores DATA_VALID. The one way to say "the checksum is good" is NEEDS_CSUM
 * with the pseudo-header's sum in place: the kernel takes the frame as one of its own that has no
 * checksum yet. The price: tcpdump calls the checksum of such frames incorrect, sensors discard
 * them, and so do programs that verify raw frames themselves (old DHCP clients). Merged frames have
 * to be such frames. Others are only where somebody asked for it (--rx-checksum all), from
 * OFFLOAD_RX_CSUM_MIN_BYTES on: below, the sum costs little. That spares the kernel, from write()
 * to recv() of a UDP socket, 43 ns of 969 for 300 bytes, 91 of 1,053 for 1,514 and 250 of 1,741 for
 * 9,014. Our work, some 20 ns, is not in these numbers. For 1,514 bytes 'tests/bench tap' has 464
 * ns with it and 479 without, since the kernel looks for the transport header where we name none.
 *
 * A frame that the NIC could not verify, or found bad, is handed over unchanged: the kernel judges
 * and counts.
 *
 * Memory. A frame from the kernel stands where the NIC may rewrite it. Its headers are read once,
 * into memory of our own, and judged there: what was checked is what is used. vnet headers, and the
 * headers of received frames, are in such memory already.
 *
 * Every access is bounded by a length that was checked before; no loop runs longer than a named
 * limit or the frame.
 */
#include "offload.h"

#include <netinet/in.h>
#include <string.h>

#include "bridge/service/tun.h"
#include "headers.h"
#include "ixgbe/tables/desc.h"

#define OFFLOAD_RX_CSUM_MIN_BYTES 256u

#define L2_MAX   (OFFLOAD_ETH_BYTES + 4 * OFFLOAD_VLAN_TAGS)
#define L3_MAX   511u /* IPLEN of a context descriptor (section 7.2.3.2.3) */
#define L4_MAX   60u  /* TCP with options */
#define HEAD_MAX (L2_MAX + L3_MAX + L4_MAX)

/* ---- Sums ---- */

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The ones' complement sum of big-endian words; an odd byte counts as a word's first. */
static uint64_t sum_bytes(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += offload_get_be16(p + i);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

uint16_t offload_sum(const uint8_t *p, uint32_t len)
{
	return fold(sum_bytes(p, len));
}

uint16_t offload_pseudo_sum(const uint8_t *frame, const struct offload_headers *headers,
			    uint32_t l4_len)
{
	const uint8_t *ip = frame + headers->l2_len;
	uint64_t sum = headers->protocol;

	sum += l4_len & 0xffff;
	sum += l4_len >> 16;
	if (headers->version == 4)
		sum += sum_bytes(ip + IPV4_ADDRESSES, 8);
	else
		sum += sum_bytes(ip + IPV6_ADDRESSES, 32);
	return fold(sum);
}

/* ---- Headers ---- */

static bool parse_ipv4(const uint8_t *ip, uint32_t len, struct offload_headers *out)
{
	uint32_t header;

	if (len < IPV4_BYTES || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 0xfu) * 4u;
	if (header < IPV4_BYTES || header > len)
		return false;

	out->version = 4;
	out->protocol = ip[IPV4_PROTOCOL];
	out->fragment = (offload_get_be16(ip + IPV4_FRAG) & IPV4_FRAG_MASK) != 0;
	out->l3_len = (uint16_t)header;
	return true;
}

static bool is_ipv6_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT;
}

static bool parse_ipv6(const uint8_t *ip, uint32_t len, struct offload_headers *out)
{
	uint32_t at = IPV6_BYTES, i;
	bool fragment = false;
	uint8_t next;

	if (len < IPV6_BYTES || ip[0] >> 4 != 6)
		return false;
	next = ip[IPV6_NEXT];
	for (i = 0; i < OFFLOAD_IPV6_EXT_MAX && is_ipv6_extension(next); i++) {
		uint32_t bytes = 8;

		if (len - at < 8)
			return false;
		if (next == IPPROTO_FRAGMENT)
			fragment = true;
		else
			bytes = (ip[at + 1] + 1u) * 8u;
		if (bytes > len - at || bytes > L3_MAX - at)
			return false;
		next = ip[at];
		at += bytes;
	}

	out->version = 6;
	out->protocol = next;
	out->fragment = fragment;
	out->l3_len = (uint16_t)at;
	return true;
}

bool offload_parse(const uint8_t *frame, uint32_t len, struct offload_headers *out)
{
	uint32_t l2_len = OFFLOAD_ETH_BYTES, tags;
	uint16_t type;

	if (len < OFFLOAD_ETH_BYTES)
		return false;
	type = offload_get_be16(frame + 12);
	for (tags = 0; tags < OFFLOAD_VLAN_TAGS; tags++) {
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			break;
		if (len - l2_len < 4)
			return false;
		type = offload_get_be16(frame + l2_len + 2);
		l2_len += 4;
	}

	out->l2_len = (uint8_t)l2_len;
	if (type == ETHERTYPE_IPV4)
		return parse_ipv4(frame + l2_len, len - l2_len, out);
	if (type == ETHERTYPE_IPV6)
		return parse_ipv6(frame + l2_len, len - l2_len, out);
	return false;
}

/* ---- From the kernel ---- */

/* The transport protocols whose checksum the NIC fills. */
struct l4 {
	uint8_t protocol;
	uint8_t csum_offset;
	uint8_t min_bytes;
	uint32_t flag;
};

static const struct l4 *l4_find(uint8_t protocol)
{
	static const struct l4 table[] = {
		{IPPROTO_TCP, TCP_CSUM, TCP_BYTES, IXGBE_TX_TCP_CSUM},
		{IPPROTO_UDP, 6, UDP_BYTES, IXGBE_TX_UDP_CSUM},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].protocol == protocol)
			return &table[i];
	return NULL;
}

/* Where a vnet header wants the checksum: 14 <= start, start + offset + 2 <= frame length. */
struct csum {
	uint32_t start, offset;
};

static enum offload_tx tx_csum_software(uint8_t *frame, uint32_t len, const struct csum *csum)
{
	uint16_t sum = (uint16_t)~offload_sum(frame + csum->start, len - csum->start);

	/* UDP takes 0 for "none"; 0xffff is the same number to all. */
	offload_put_be16(frame + csum->start + csum->offset, sum ? sum : 0xffff);
	return OFFLOAD_TX_CSUM_SOFTWARE;
}

/* The first bytes of a frame, read once: the NIC may rewrite the frame meanwhile. */
struct head {
	uint8_t data[HEAD_MAX];
	uint32_t len;
};

/* Up to the end of the longest L4 header where the checksum is to start. A frame whose headers are
 * longer contradicts its vnet header. */
static void headers_copy(struct head *head, const uint8_t *frame, uint32_t len,
			 const struct csum *csum)
{
	head->len = csum->start < HEAD_MAX - L4_MAX ? csum->start + L4_MAX : HEAD_MAX;
	if (head->len > len)
		head->len = len;
	memcpy(head->data, frame, head->len);
}

/* `headers` are those of the frame; NULL: none that the NIC knows. */
static enum offload_tx tx_csum(const struct offload_headers *headers, uint8_t *frame, uint32_t len,
			       const struct csum *csum, struct ixgbe_seg *seg)
{
	const struct l4 *l4 = headers ? l4_find(headers->protocol) : NULL;

	if (!l4 || csum->start != (uint32_t)headers->l2_len + headers->l3_len ||
	    csum->offset != l4->csum_offset || len - csum->start < l4->min_bytes)
		return tx_csum_software(frame, len, csum);

	seg->flags = l4->flag | (headers->version == 4 ? IXGBE_TX_IPV4 : IXGBE_TX_IPV6);
	seg->l2_len = headers->l2_len;
	seg->l3_len = headers->l3_len;
	return OFFLOAD_TX_CSUM;
}

/* The segmentations the NIC does. version 0: either. */
struct gso {
	uint8_t type;
	uint8_t version;
	uint8_t protocol;
};

static const struct gso *gso_find(uint8_t type)
{
	static const struct gso table[] = {
		{VIRTIO_NET_HDR_GSO_TCPV4, 4, IPPROTO_TCP},
		{VIRTIO_NET_HDR_GSO_TCPV6, 6, IPPROTO_TCP},
		{VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 4, IPPROTO_TCP},
		{VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, 6, IPPROTO_TCP},
		{VIRTIO_NET_HDR_GSO_UDP_L4, 0, IPPROTO_UDP},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type)
			return &table[i];
	return NULL;
}

/* Bytes of the TCP or UDP header at `l4`, of which there are `len`; 0: nonsense. */
static uint32_t l4_header_bytes(uint8_t protocol, const uint8_t *l4, uint32_t len)
{
	uint32_t bytes;

	if (protocol == IPPROTO_UDP)
		return len < UDP_BYTES ? 0 : UDP_BYTES;
	if (len < TCP_BYTES)
		return 0;
	bytes = (uint32_t)(l4[TCP_DOFF] >> 4) * 4u;
	return bytes < TCP_BYTES || bytes > len ? 0 : bytes;
}

/* Whether the pseudo-header's sum stands where the NIC adds to it. Behind options and extension
 * headers another address than the header's may count: there the kernel is believed. */
static bool pseudo_right(const struct head *head, const struct offload_headers *headers,
			 uint32_t len, const struct csum *csum)
{
	const uint16_t sum = offload_get_be16(head->data + csum->start + csum->offset);
	uint16_t right;

	if (headers->l3_len != (headers->version == 4 ? IPV4_BYTES : IPV6_BYTES))
		return true;
	right = offload_pseudo_sum(head->data, headers, len - csum->start);
	return sum == right || (sum % 0xffff == 0 && right % 0xffff == 0); /* both are zero */
}

/* Prepares the headers that the NIC repeats in each segment (section 7.2.4). */
static void tso_edit(const struct head *head, uint8_t *frame, uint32_t len,
		     const struct offload_headers *headers, const struct csum *csum)
{
	const uint32_t field = csum->start + csum->offset;
	const uint16_t sum = offload_get_be16(head->data + field);
	const uint16_t l4_len = fold(len - csum->start);
	uint8_t *ip = frame + headers->l2_len;

	offload_put_be16(frame + field, fold((uint64_t)sum + (uint16_t)~l4_len));
	if (headers->version == 4) {
		offload_put_be16(ip + IPV4_TOT_LEN, 0);
		offload_put_be16(ip + IPV4_CSUM, 0);
	} else {
		offload_put_be16(ip + IPV6_PAYLOAD, 0);
	}
}

/* `headers` as for tx_csum. */
static enum offload_tx tx_gso(const uint8_t *vnet, const struct head *head,
			      const struct offload_headers *headers, uint8_t *frame, uint32_t len,
			      const struct csum *csum, struct ixgbe_seg *seg)
{
	const struct gso *gso = gso_find(vnet[VNET_GSO_TYPE]);
	uint16_t mss = offload_get_le16(vnet + VNET_GSO_SIZE);
	uint32_t l4_bytes, header_bytes, payload;
	const struct l4 *l4;

	if (!gso)
		return OFFLOAD_TX_DROP_UNSUPPORTED_GSO;
	if (mss == 0 || offload_get_le16(vnet + VNET_HDR_LEN) > len)
		return OFFLOAD_TX_DROP_BAD_VNET_HEADER;
	l4 = headers ? l4_find(headers->protocol) : NULL;
	if (!l4 || headers->protocol != gso->protocol ||
	    (gso->version && headers->version != gso->version) ||
	    csum->start != (uint32_t)headers->l2_len + headers->l3_len ||
	    csum->offset != l4->csum_offset)
		return OFFLOAD_TX_DROP_BAD_VNET_HEADER;

	l4_bytes = l4_header_bytes(headers->protocol, head->data + csum->start,
				   head->len - csum->start);
	header_bytes = csum->start + l4_bytes;
	payload = len - header_bytes;
	if (l4_bytes == 0 || payload == 0)
		return OFFLOAD_TX_DROP_BAD_VNET_HEADER;
	if (payload <= mss)
		return tx_csum(headers, frame, len, csum, seg);
	if (header_bytes > IXGBE_TSO_HEADER_MAX || (payload - 1) / mss >= OFFLOAD_TX_SEGMENTS_MAX)
		return OFFLOAD_TX_DROP_UNSUPPORTED_GSO;
	if (!pseudo_right(head, headers, len, csum))
		return OFFLOAD_TX_DROP_BAD_VNET_HEADER;

	tso_edit(head, frame, len, headers, csum);
	seg->flags = IXGBE_TX_TSO | l4->flag |
		     (headers->version == 4 ? IXGBE_TX_IPV4 | IXGBE_TX_IP_CSUM : IXGBE_TX_IPV6);
	seg->mss = mss;
	seg->l2_len = headers->l2_len;
	seg->l3_len = headers->l3_len;
	seg->l4_len = (uint8_t)l4_bytes;
	return OFFLOAD_TX_TSO;
}

enum offload_tx offload_tx(const uint8_t vnet[TAP_VNET_HDR_BYTES], uint8_t *frame, uint32_t len,
			   struct ixgbe_seg *seg)
{
	const struct offload_headers *known;
	struct offload_headers headers;
	struct csum csum;
	struct head head;
	bool gso = vnet[VNET_GSO_TYPE] != VIRTIO_NET_HDR_GSO_NONE;

	seg->flags = 0;
	seg->vlan = 0;
	seg->mss = 0;
	seg->l2_len = 0;
	seg->l4_len = 0;
	seg->l3_len = 0;

	if (len < OFFLOAD_ETH_BYTES)
		return OFFLOAD_TX_DROP_SHORT;
	if (len > TAP_FRAME_MAX)
		return OFFLOAD_TX_DROP_TRUNCATED;
	if (!(vnet[VNET_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		/* Segments need checksums: the kernel asks for both, or for neither. */
		return gso ? OFFLOAD_TX_DROP_BAD_VNET_HEADER : OFFLOAD_TX_PLAIN;
	}

	csum.start = offload_get_le16(vnet + VNET_CSUM_START);
	csum.offset = offload_get_le16(vnet + VNET_CSUM_OFFSET);
	if (csum.start < OFFLOAD_ETH_BYTES || csum.start > len || len - csum.start < 2 ||
	    csum.offset > len - csum.start - 2)
		return OFFLOAD_TX_DROP_BAD_VNET_HEADER;
	headers_copy(&head, frame, len, &csum);
	known = offload_parse(head.data, head.len, &headers) && !headers.fragment ? &headers : NULL;
	if (gso)
		return tx_gso(vnet, &head, known, frame, len, &csum, seg);
	return tx_csum(known, frame, len, &csum, seg);
}

/* ---- To the kernel ---- */

/* The TCP or UDP bytes of an IP packet that fills the frame to its end. 0: it does not; the kernel
 * would sum the padding too. */
static uint32_t l4_len_exact(const uint8_t *frame, uint32_t frame_len,
			     const struct offload_headers *headers)
{
	const uint8_t *ip = frame + headers->l2_len;
	uint32_t ip_len;

	if (headers->version == 4)
		ip_len = offload_get_be16(ip + IPV4_TOT_LEN);
	else
		ip_len = offload_get_be16(ip + IPV6_PAYLOAD) + IPV6_BYTES;
	if (ip_len != frame_len - headers->l2_len || ip_len < headers->l3_len)
		return 0;
	return ip_len - headers->l3_len;
}

enum offload_rx offload_rx(uint8_t vnet[TAP_VNET_HDR_BYTES], uint8_t *frame, uint32_t len,
			   uint32_t frame_len, uint32_t flags,
			   const struct offload_headers *headers)
{
	struct offload_headers parsed;
	uint32_t l4_len, start;
	const struct l4 *l4;
	uint8_t *field;

	memset(vnet, 0, TAP_VNET_HDR_BYTES);
	if (!(flags & IXGBE_RX_L4_GOOD) || frame_len < OFFLOAD_RX_CSUM_MIN_BYTES || len > frame_len)
		return OFFLOAD_RX_PLAIN;
	if (headers->version == 0) {
		if (!offload_parse(frame, len, &parsed))
			return OFFLOAD_RX_PLAIN;
		headers = &parsed;
	}
	/* Extension headers may change the address that the sum covers. */
	l4 = l4_find(headers->protocol);
	if (headers->fragment || !l4 || (headers->version == 6 && headers->l3_len != IPV6_BYTES))
		return OFFLOAD_RX_PLAIN;
	start = (uint32_t)headers->l2_len + headers->l3_len;
	l4_len = l4_len_exact(frame, frame_len, headers);
	if (l4_len < l4->min_bytes || len - start < l4->min_bytes)
		return OFFLOAD_RX_PLAIN;

	field = frame + start + l4->csum_offset;
	if (headers->protocol == IPPROTO_UDP && offload_get_be16(field) == 0)
		return OFFLOAD_RX_PLAIN; /* the sender computed none */
	offload_put_be16(field, offload_pseudo_sum(frame, headers, l4_len));
	vnet[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	offload_put_le16(vnet + VNET_CSUM_START, (uint16_t)start);
	offload_put_le16(vnet + VNET_CSUM_OFFSET, l4->csum_offset);
	return OFFLOAD_RX_VERIFIED;
}
