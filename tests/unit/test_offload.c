/* SPDX-License-Identifier: MIT */
/* Vnet headers to NIC offloads and back. Frames are built, and checksums computed, here, by
 * other means than in offload.c: byte by byte, from the RFCs. */
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/frames/offload.h"

#define UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4 */

/* A frame, and where its parts are. */
struct frame {
	uint8_t vnet[TAP_VNET_HDR_BYTES];
	uint8_t *data;
	uint32_t len, l2, l3, l4;
	uint8_t version, protocol;
};

static struct frame frame;

/* What a frame is made of; 0 means the usual. */
struct recipe {
	uint8_t version;  /* 4 */
	uint8_t protocol; /* TCP */
	uint8_t tags;
	uint8_t options;    /* 4-byte words in the IPv4 header */
	uint8_t extensions; /* IPv6 destination options of 8 bytes */
	uint8_t tcp_words;  /* 5 */
	uint32_t payload;
};

static uint16_t add(uint32_t a, uint32_t b)
{
	a += b;
	return (uint16_t)(a > 0xffff ? a - 0xffff : a);
}

static uint16_t sum_of(const uint8_t *p, uint32_t len)
{
	uint16_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum = add(sum, i & 1 ? p[i] : p[i] << 8);
	return sum;
}

static uint16_t pseudo(const struct frame *f, uint32_t l4_len)
{
	const uint8_t *ip = f->data + f->l2;
	uint16_t sum = add(f->protocol, l4_len);

	return add(sum, f->version == 4 ? sum_of(ip + 12, 8) : sum_of(ip + 8, 32));
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* Offset of the checksum in the transport header. */
static uint32_t csum_at(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_ICMPV6 ? 2 : 6;
}

static void build(const struct recipe *r)
{
	struct frame *f = &frame;
	uint32_t header, i;
	uint8_t *ip, *l4;

	free(f->data);
	memset(f, 0, sizeof(*f));
	f->version = r->version ? r->version : 4;
	f->protocol = r->protocol ? r->protocol : IPPROTO_TCP;
	f->l2 = 14 + 4u * r->tags;
	f->l3 = f->version == 4 ? 20 + 4u * r->options : 40 + 8u * r->extensions;
	f->l4 = f->l2 + f->l3;
	header = f->protocol == IPPROTO_TCP ? 4u * (r->tcp_words ? r->tcp_words : 5) : 8;
	f->len = f->l4 + header + r->payload;
	/* Its end is the end of the block, for the sanitizer. */
	f->data = calloc(1, f->len);
	assert_non_null(f->data);

	memcpy(f->data, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	for (i = 0; i < r->tags; i++)
		put16(f->data + 12 + 4 * i, i + 1 < r->tags ? 0x88a8 : 0x8100);
	put16(f->data + f->l2 - 2, f->version == 4 ? 0x0800 : 0x86dd);
	ip = f->data + f->l2;
	if (f->version == 4) {
		ip[0] = (uint8_t)(0x40 | (5 + r->options));
		put16(ip + 2, f->len - f->l2);
		ip[8] = 64;
		ip[9] = f->protocol;
		memcpy(ip + 12, "\x0a\xff\xee\x01\x0a\x0b\x0c\x02", 8);
		put16(ip + 10, (uint16_t)~sum_of(ip, f->l3));
	} else {
		ip[0] = 0x60;
		put16(ip + 4, f->len - f->l2 - 40);
		ip[6] = r->extensions ? IPPROTO_DSTOPTS : f->protocol;
		ip[7] = 64;
		for (i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(0xfe - 3 * i);
		for (i = 0; i < r->extensions; i++)
			ip[40 + 8 * i] = i + 1 < r->extensions ? IPPROTO_DSTOPTS : f->protocol;
	}
	l4 = f->data + f->l4;
	put16(l4, 4000);
	put16(l4 + 2, 5000);
	if (f->protocol == IPPROTO_TCP)
		l4[12] = (uint8_t)(header / 4 << 4);
	else if (f->protocol == IPPROTO_UDP)
		put16(l4 + 4, f->len - f->l4);
	for (i = 0; i < r->payload; i++)
		l4[header + i] = (uint8_t)(i * 31 + 7);
}

/* As the kernel asks for it: the sum of the pseudo-header waits in the field. */
static void ask_csum(void)
{
	put16(frame.data + frame.l4 + csum_at(frame.protocol),
	      pseudo(&frame, frame.len - frame.l4));
	frame.vnet[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	offload_put_le16(frame.vnet + VNET_CSUM_START, (uint16_t)frame.l4);
	offload_put_le16(frame.vnet + VNET_CSUM_OFFSET, (uint16_t)csum_at(frame.protocol));
}

static void ask_gso(uint8_t type, uint16_t size)
{
	ask_csum();
	frame.vnet[VNET_GSO_TYPE] = type;
	offload_put_le16(frame.vnet + VNET_HDR_LEN, (uint16_t)frame.l4);
	offload_put_le16(frame.vnet + VNET_GSO_SIZE, size);
}

static enum offload_tx translate(struct ixgbe_seg *seg)
{
	memset(seg, 0xee, sizeof(*seg)); /* nothing relies on what was there */
	return offload_tx(frame.vnet, frame.data, frame.len, seg);
}

/* Whether the frame's transport checksum is right. */
static bool csum_right(void)
{
	return add(pseudo(&frame, frame.len - frame.l4),
		   sum_of(frame.data + frame.l4, frame.len - frame.l4)) == 0xffff;
}

/* ---- From the kernel ---- */

static void frame_without_requests_is_untouched(void **state)
{
	struct ixgbe_seg seg;
	uint8_t copy[160];

	(void)state;
	build(&(struct recipe){.payload = 100});
	memcpy(copy, frame.data, frame.len);
	assert_int_equal(translate(&seg), OFFLOAD_TX_PLAIN);
	assert_int_equal(seg.flags, 0);
	assert_int_equal(seg.mss, 0);
	assert_memory_equal(copy, frame.data, frame.len);
}

static void nic_fills_tcp_and_udp_checksums(void **state)
{
	static const struct recipe recipes[] = {
		{.payload = 1},
		{.payload = 1460},
		{.protocol = IPPROTO_UDP},
		{.protocol = IPPROTO_UDP, .payload = 33},
		{.version = 6, .payload = 10},
		{.version = 6, .protocol = IPPROTO_UDP, .payload = 10},
		{.tags = 1, .payload = 10},
		{.tags = 2, .version = 6, .payload = 10},
		{.options = 10, .payload = 10},
		{.version = 6, .extensions = 1, .payload = 10},
		{.version = 6, .extensions = 8, .protocol = IPPROTO_UDP, .payload = 10},
		{.tcp_words = 15, .payload = 10},
	};
	struct ixgbe_seg seg;

	(void)state;
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		build(&recipes[i]);
		ask_csum();
		assert_int_equal(translate(&seg), OFFLOAD_TX_CSUM);
		assert_int_equal(seg.flags,
				 (frame.version == 4 ? IXGBE_TX_IPV4 : IXGBE_TX_IPV6) |
					 (frame.protocol == IPPROTO_TCP ? IXGBE_TX_TCP_CSUM
									: IXGBE_TX_UDP_CSUM));
		assert_int_equal(seg.l2_len, frame.l2);
		assert_int_equal(seg.l3_len, frame.l3);
		/* The NIC sums from the transport header on, the field included. */
		put16(frame.data + frame.l4 + csum_at(frame.protocol),
		      (uint16_t)~sum_of(frame.data + frame.l4, frame.len - frame.l4));
		assert_true(csum_right());
	}
}

static void software_fills_what_the_nic_cannot(void **state)
{
	static const struct recipe recipes[] = {
		{.version = 6, .protocol = IPPROTO_ICMPV6, .payload = 57},
		{.protocol = IPPROTO_UDPLITE, .payload = 20},
		{.tags = 3, .payload = 10},
		{.version = 6, .extensions = 9, .payload = 10},
	};
	struct ixgbe_seg seg;

	(void)state;
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		build(&recipes[i]);
		ask_csum();
		assert_int_equal(translate(&seg), OFFLOAD_TX_CSUM_SOFTWARE);
		assert_int_equal(seg.flags, 0);
		assert_true(csum_right());
	}
}

static void software_fills_inside_tunnels_and_at_odd_places(void **state)
{
	struct ixgbe_seg seg;
	uint32_t start;

	(void)state;
	/* The inner header of a tunnel over UDP: anywhere in the payload. */
	for (start = 43; start < 60; start++) {
		uint16_t sum;

		build(&(struct recipe){.protocol = IPPROTO_UDP, .payload = 100});
		ask_csum();
		offload_put_le16(frame.vnet + VNET_CSUM_START, (uint16_t)start);
		sum = sum_of(frame.data + start, frame.len - start);
		assert_int_equal(translate(&seg), OFFLOAD_TX_CSUM_SOFTWARE);
		assert_int_equal(offload_get_be16(frame.data + start + 6), (uint16_t)~sum);
	}
}

static void software_never_writes_a_zero(void **state)
{
	struct ixgbe_seg seg;

	(void)state;
	build(&(struct recipe){.version = 6, .protocol = IPPROTO_ICMPV6, .payload = 2});
	memset(frame.data + frame.l4, 0xff, 10); /* sums to 0xffff: the checksum is 0 */
	frame.vnet[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	offload_put_le16(frame.vnet + VNET_CSUM_START, (uint16_t)frame.l4);
	offload_put_le16(frame.vnet + VNET_CSUM_OFFSET, 2);
	assert_int_equal(translate(&seg), OFFLOAD_TX_CSUM_SOFTWARE);
	assert_int_equal(offload_get_be16(frame.data + frame.l4 + 2), 0xffff);
}

/* Cuts the frame as the NIC does and checks each segment's checksum. */
static void check_segments(const struct ixgbe_seg *seg)
{
	const uint32_t header = (uint32_t)seg->l2_len + seg->l3_len + seg->l4_len;
	const uint8_t *l4 = frame.data + frame.l4;

	for (uint32_t at = header; at < frame.len; at += seg->mss) {
		uint32_t n = frame.len - at < seg->mss ? frame.len - at : seg->mss;
		uint32_t l4_len = seg->l4_len + n;
		uint16_t sum = sum_of(l4, seg->l4_len), csum;

		sum = add(add(sum, l4_len),
			  sum_of(frame.data + at, n)); /* the NIC adds the length */
		csum = (uint16_t)~sum;
		/* With that in the field, from the addresses: */
		sum = add(pseudo(&frame, l4_len), sum_of(l4, seg->l4_len));
		sum = add(sum, (uint16_t)~offload_get_be16(l4 + csum_at(frame.protocol)));
		sum = add(add(sum, csum), sum_of(frame.data + at, n));
		assert_int_equal(sum, 0xffff);
	}
}

static void nic_segments_tcp_and_udp(void **state)
{
	static const struct {
		struct recipe recipe;
		uint8_t type;
		uint16_t mss;
	} cases[] = {
		{{.payload = 65000}, VIRTIO_NET_HDR_GSO_TCPV4, 1448},
		{{.payload = 65495}, VIRTIO_NET_HDR_GSO_TCPV4, 1460},
		{{.payload = 65481, .tags = 2}, VIRTIO_NET_HDR_GSO_TCPV4, 9670},
		{{.payload = 3000, .tcp_words = 15, .options = 10}, VIRTIO_NET_HDR_GSO_TCPV4, 1000},
		{{.payload = 3000}, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 1000},
		{{.payload = 3000, .version = 6}, VIRTIO_NET_HDR_GSO_TCPV6, 1428},
		{{.payload = 3001, .version = 6, .extensions = 8},
		 VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
		 1428},
		{{.payload = 3001, .protocol = IPPROTO_UDP, .tags = 1}, UDP_L4, 1472},
		{{.payload = 3001, .protocol = IPPROTO_UDP, .version = 6}, UDP_L4, 1452},
		{{.payload = 4096}, VIRTIO_NET_HDR_GSO_TCPV4, 1},
		{{.payload = 4097}, VIRTIO_NET_HDR_GSO_TCPV4, 1}, /* too many */
	};
	struct ixgbe_seg seg;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *ip;

		build(&cases[i].recipe);
		ask_gso(cases[i].type, cases[i].mss);
		assert_int_equal(translate(&seg), cases[i].recipe.payload == 4097
							  ? OFFLOAD_TX_DROP_UNSUPPORTED_GSO
							  : OFFLOAD_TX_TSO);
		if (cases[i].recipe.payload == 4097)
			continue;
		assert_int_equal(seg.mss, cases[i].mss);
		assert_int_equal(seg.l2_len, frame.l2);
		assert_int_equal(seg.l3_len, frame.l3);
		assert_int_equal(seg.l4_len, frame.len - cases[i].recipe.payload - frame.l4);
		assert_true(seg.flags & IXGBE_TX_TSO);
		ip = frame.data + frame.l2;
		if (frame.version == 4) {
			assert_true(seg.flags & IXGBE_TX_IP_CSUM);
			assert_int_equal(offload_get_be16(ip + 2), 0);
			assert_int_equal(offload_get_be16(ip + 10), 0);
		} else {
			assert_int_equal(offload_get_be16(ip + 4), 0);
		}
		check_segments(&seg);
	}
}

static void one_segment_is_only_a_checksum(void **state)
{
	struct ixgbe_seg seg;

	(void)state;
	build(&(struct recipe){.payload = 1448});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV4, 1448);
	assert_int_equal(translate(&seg), OFFLOAD_TX_CSUM);
	assert_int_equal(seg.flags, IXGBE_TX_IPV4 | IXGBE_TX_TCP_CSUM);
	assert_int_equal(offload_get_be16(frame.data + 16), 1448 + 40); /* not edited */
}

/* A good TSO frame, spoilt in one place. */
static void contradictions_are_dropped(void **state)
{
	enum { VNET, FRAME };
	static const struct {
		const char *what;
		int where;
		uint32_t at;
		uint8_t value;
		enum offload_tx verdict;
	} cases[] = {
		{"segments without checksum", VNET, VNET_FLAGS, 0, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"UFO", VNET, VNET_GSO_TYPE, VIRTIO_NET_HDR_GSO_UDP,
		 OFFLOAD_TX_DROP_UNSUPPORTED_GSO},
		{"unknown type", VNET, VNET_GSO_TYPE, 2, OFFLOAD_TX_DROP_UNSUPPORTED_GSO},
		{"UDP tunnel", VNET, VNET_GSO_TYPE, 0x21, OFFLOAD_TX_DROP_UNSUPPORTED_GSO},
		{"ECN alone", VNET, VNET_GSO_TYPE, 0x80, OFFLOAD_TX_DROP_UNSUPPORTED_GSO},
		{"ECN with UDP", VNET, VNET_GSO_TYPE, 0x85, OFFLOAD_TX_DROP_UNSUPPORTED_GSO},
		{"IPv6 type, IPv4 frame", VNET, VNET_GSO_TYPE, VIRTIO_NET_HDR_GSO_TCPV6,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"UDP type, TCP frame", VNET, VNET_GSO_TYPE, UDP_L4,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"hdr_len over the frame", VNET, VNET_HDR_LEN + 1, 0xff,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"csum_start not at TCP", VNET, VNET_CSUM_START, 35,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"csum_start over the frame", VNET, VNET_CSUM_START + 1, 0xff,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"csum_start in the Ethernet header", VNET, VNET_CSUM_START, 13,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"csum_offset of UDP", VNET, VNET_CSUM_OFFSET, 6, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"csum_offset over the frame", VNET, VNET_CSUM_OFFSET + 1, 0xff,
		 OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"not IP", FRAME, 12, 0x99, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"IP version", FRAME, 14, 0x55, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"IP header too short", FRAME, 14, 0x44, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"fragment", FRAME, 21, 1, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"more fragments", FRAME, 20, 0x20, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"other protocol", FRAME, 23, IPPROTO_UDP, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"doff 0", FRAME, 34 + 12, 0, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"doff 4", FRAME, 34 + 12, 0x40, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"another sum", FRAME, 34 + 16, 0x11, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
		{"a sum of other addresses", FRAME, 26, 11, OFFLOAD_TX_DROP_BAD_VNET_HEADER},
	};
	struct ixgbe_seg seg;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum offload_tx verdict;

		build(&(struct recipe){.payload = 3000});
		ask_gso(VIRTIO_NET_HDR_GSO_TCPV4, 1000);
		if (cases[i].where == VNET)
			frame.vnet[cases[i].at] = cases[i].value;
		else
			frame.data[cases[i].at] = cases[i].value;
		verdict = translate(&seg);
		if (verdict != cases[i].verdict)
			fail_msg("%s: %d", cases[i].what, (int)verdict);
	}
}

/* With a routing header the last address counts, which is not in the header of IP. */
static void sums_behind_extension_headers_are_the_kernels(void **state)
{
	struct ixgbe_seg seg;

	(void)state;
	build(&(struct recipe){.version = 6, .extensions = 3, .payload = 3000});
	frame.data[frame.l2 + 6] = IPPROTO_ROUTING;
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV6, 1000);
	frame.data[frame.l2 + 24] ^= 0xff;
	assert_int_equal(translate(&seg), OFFLOAD_TX_TSO);
	build(&(struct recipe){.version = 6, .payload = 3000});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV6, 1000);
	frame.data[frame.l2 + 24] ^= 0xff;
	assert_int_equal(translate(&seg), OFFLOAD_TX_DROP_BAD_VNET_HEADER);
}

/* 0 and 0xffff are one sum, and a kernel may have either. */
static void both_zeros_are_sums(void **state)
{
	struct ixgbe_seg seg;

	(void)state;
	for (uint32_t zero = 0; zero <= 0xffff; zero += 0xffff) {
		uint8_t *address;
		uint16_t sum;

		build(&(struct recipe){.payload = 3000});
		address = frame.data + frame.l2 + 18;
		put16(address, 0);
		sum = pseudo(&frame, frame.len - frame.l4);
		put16(address, (uint16_t)~sum);
		ask_gso(VIRTIO_NET_HDR_GSO_TCPV4, 1000);
		put16(frame.data + frame.l4 + 16, zero);
		assert_int_equal(translate(&seg), OFFLOAD_TX_TSO);
	}
}

static void gso_size_zero_and_empty_segments_are_dropped(void **state)
{
	struct ixgbe_seg seg;

	(void)state;
	build(&(struct recipe){.payload = 3000});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV4, 0);
	assert_int_equal(translate(&seg), OFFLOAD_TX_DROP_BAD_VNET_HEADER);
	build(&(struct recipe){.payload = 0});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV4, 1000);
	assert_int_equal(translate(&seg), OFFLOAD_TX_DROP_BAD_VNET_HEADER);
	/* A header that ends behind the frame. */
	build(&(struct recipe){.payload = 30});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV4, 10);
	frame.data[frame.l4 + 12] = 0xf0;
	assert_int_equal(translate(&seg), OFFLOAD_TX_DROP_BAD_VNET_HEADER);
}

static void headers_too_long_to_repeat_are_dropped(void **state)
{
	struct ixgbe_seg seg;

	(void)state;
	build(&(struct recipe){
		.version = 6, .extensions = 8, .tcp_words = 15, .tags = 2, .payload = 3000});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV6, 1000);
	assert_int_equal(translate(&seg), OFFLOAD_TX_TSO); /* 186 bytes: fits in 192 */
	build(&(struct recipe){.version = 6, .extensions = 8, .payload = 3000});
	ask_gso(VIRTIO_NET_HDR_GSO_TCPV6, 1000);
	frame.data[frame.l2 + 40] = IPPROTO_TCP; /* one extension of 128 bytes instead */
	frame.data[frame.l2 + 41] = 15;
	frame.l4 = frame.l2 + 40 + 128;
	frame.data[frame.l4 + 12] = 0x50;
	offload_put_le16(frame.vnet + VNET_CSUM_START, (uint16_t)frame.l4);
	assert_int_equal(translate(&seg), OFFLOAD_TX_DROP_UNSUPPORTED_GSO); /* 202 bytes */
}

static void frame_lengths_are_checked(void **state)
{
	static uint8_t bytes[TAP_FRAME_MAX + 1];
	uint8_t vnet[TAP_VNET_HDR_BYTES] = {0};
	struct ixgbe_seg seg;

	(void)state;
	assert_int_equal(offload_tx(vnet, bytes, 0, &seg), OFFLOAD_TX_DROP_SHORT);
	assert_int_equal(offload_tx(vnet, bytes, 13, &seg), OFFLOAD_TX_DROP_SHORT);
	assert_int_equal(offload_tx(vnet, bytes, 14, &seg), OFFLOAD_TX_PLAIN);
	assert_int_equal(offload_tx(vnet, bytes, TAP_FRAME_MAX, &seg), OFFLOAD_TX_PLAIN);
	assert_int_equal(offload_tx(vnet, bytes, TAP_FRAME_MAX + 1, &seg),
			 OFFLOAD_TX_DROP_TRUNCATED);
}

/* Every prefix of a good frame: nothing is read behind it. */
static void truncated_frames_are_safe(void **state)
{
	static const struct recipe recipes[] = {
		{.payload = 10, .tags = 2, .options = 3},
		{.version = 6, .extensions = 3, .payload = 10},
		{.protocol = IPPROTO_UDP},
	};
	struct offload_headers headers;
	struct ixgbe_seg seg;

	(void)state;
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		build(&recipes[i]);
		ask_gso(recipes[i].version == 6 ? VIRTIO_NET_HDR_GSO_TCPV6
						: VIRTIO_NET_HDR_GSO_TCPV4,
			2);
		for (uint32_t len = 0; len < frame.len; len++) {
			uint8_t *copy = malloc(len ? len : 1);

			memcpy(copy, frame.data, len);
			offload_tx(frame.vnet, copy, len, &seg);
			assert_false(len < frame.l4 && offload_parse(copy, len, &headers));
			free(copy);
		}
	}
}

/* ---- To the kernel ---- */

#define GOOD (IXGBE_SEG_EOP | IXGBE_RX_L4_GOOD)

static const struct offload_headers unparsed;

static enum offload_rx receive(uint32_t flags)
{
	memset(frame.vnet, 0xee, sizeof(frame.vnet));
	return offload_rx(frame.vnet, frame.data, frame.len, frame.len, flags, &unparsed);
}

static void verified_checksums_are_passed_on(void **state)
{
	static const struct recipe recipes[] = {
		{.payload = 1460},
		{.payload = 1000, .protocol = IPPROTO_UDP},
		{.payload = 1000, .version = 6},
		{.payload = 1000, .version = 6, .protocol = IPPROTO_UDP, .tags = 2},
		{.payload = 1000, .options = 10, .tcp_words = 15, .tags = 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		build(&recipes[i]);
		put16(frame.data + frame.l4 + csum_at(frame.protocol), 0x1234);
		assert_int_equal(receive(GOOD), OFFLOAD_RX_VERIFIED);
		assert_int_equal(frame.vnet[VNET_FLAGS], VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(frame.vnet[VNET_GSO_TYPE], VIRTIO_NET_HDR_GSO_NONE);
		assert_int_equal(offload_get_le16(frame.vnet + VNET_CSUM_START), frame.l4);
		assert_int_equal(offload_get_le16(frame.vnet + VNET_CSUM_OFFSET),
				 csum_at(frame.protocol));
		assert_int_equal(offload_get_be16(frame.data + frame.l4 + csum_at(frame.protocol)),
				 pseudo(&frame, frame.len - frame.l4));
	}
}

static void anything_else_arrives_as_on_the_wire(void **state)
{
	static const struct {
		const char *what;
		struct recipe recipe;
		uint32_t flags, at, len_change;
		uint8_t value;
	} cases[] = {
		{"not verified", {.payload = 1000}, IXGBE_SEG_EOP, 0, 0, 0},
		{"bad", {.payload = 1000}, IXGBE_SEG_EOP | IXGBE_RX_L4_BAD, 0, 0, 0},
		{"small", {.payload = 100}, GOOD, 0, 0, 0},
		{"fragment", {.payload = 1000}, GOOD, 20, 0, 0x20},
		{"LLC, which the NIC took for IP", {.payload = 1000}, GOOD, 12, 0, 0x03},
		{"padded", {.payload = 1000}, GOOD, 17, 0, 0},
		{"other protocol", {.payload = 1000, .protocol = IPPROTO_UDPLITE}, GOOD, 0, 0, 0},
		{"UDP without", {.payload = 1000, .protocol = IPPROTO_UDP}, GOOD, 0, 0, 0},
		{"extension", {.payload = 1000, .version = 6, .extensions = 1}, GOOD, 0, 0, 0},
		{"three tags", {.payload = 1000, .tags = 3}, GOOD, 0, 0, 0},
	};
	static const uint8_t none[TAP_VNET_HDR_BYTES];
	uint8_t copy[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build(&cases[i].recipe);
		if (cases[i].at)
			frame.data[cases[i].at] = cases[i].value;
		memcpy(copy, frame.data, frame.len);
		if (receive(cases[i].flags) != OFFLOAD_RX_PLAIN)
			fail_msg("%s", cases[i].what);
		assert_memory_equal(frame.vnet, none, sizeof(none));
		assert_memory_equal(frame.data, copy, frame.len);
	}
}

/* Whoever has parsed the frame in vain says so. */
static void a_frame_is_not_parsed_again(void **state)
{
	static const struct offload_headers no_ip = {.version = OFFLOAD_NO_IP};

	(void)state;
	build(&(struct recipe){.payload = 1000});
	assert_int_equal(offload_rx(frame.vnet, frame.data, frame.len, frame.len, GOOD, &no_ip),
			 OFFLOAD_RX_PLAIN);
	assert_int_equal(offload_rx(frame.vnet, frame.data, frame.len, frame.len, GOOD, &unparsed),
			 OFFLOAD_RX_VERIFIED);
}

static void first_segment_alone_is_looked_at(void **state)
{
	uint8_t *first;

	(void)state;
	build(&(struct recipe){.payload = 9000});
	for (uint32_t len = 0; len < 60; len++) {
		enum offload_rx got;

		first = malloc(len ? len : 1);
		memcpy(first, frame.data, len);
		got = offload_rx(frame.vnet, first, len, frame.len, GOOD, &unparsed);
		assert_int_equal(got, len < 54 ? OFFLOAD_RX_PLAIN : OFFLOAD_RX_VERIFIED);
		free(first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_without_requests_is_untouched),
		cmocka_unit_test(nic_fills_tcp_and_udp_checksums),
		cmocka_unit_test(software_fills_what_the_nic_cannot),
		cmocka_unit_test(software_fills_inside_tunnels_and_at_odd_places),
		cmocka_unit_test(software_never_writes_a_zero),
		cmocka_unit_test(nic_segments_tcp_and_udp),
		cmocka_unit_test(one_segment_is_only_a_checksum),
		cmocka_unit_test(contradictions_are_dropped),
		cmocka_unit_test(sums_behind_extension_headers_are_the_kernels),
		cmocka_unit_test(both_zeros_are_sums),
		cmocka_unit_test(gso_size_zero_and_empty_segments_are_dropped),
		cmocka_unit_test(headers_too_long_to_repeat_are_dropped),
		cmocka_unit_test(frame_lengths_are_checked),
		cmocka_unit_test(truncated_frames_are_safe),
		cmocka_unit_test(verified_checksums_are_passed_on),
		cmocka_unit_test(anything_else_arrives_as_on_the_wire),
		cmocka_unit_test(a_frame_is_not_parsed_again),
		cmocka_unit_test(first_segment_alone_is_looked_at),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(frame.data);
	return failed;
}
