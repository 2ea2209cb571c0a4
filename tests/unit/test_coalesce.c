/* SPDX-License-Identifier: MIT */
/*
 * What is merged, what is not, and that cutting a merged frame up again gives what came. Frames are
 * built, cut and summed here, by other means than in coalesce.c.
 */
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/frames/coalesce.h"
#include "bridge/frames/offload.h"

#define FRAME_MAX 9724u
#define BUF_BYTES 2048u /* of a segment */
#define HEADROOM  64u
#define HEADERS   54u /* of TCP over IPv4 */
#define FLOWS     9u

#define PSH 0x08
#define ACK 0x10

struct frame {
	uint8_t data[FRAME_MAX];
	uint32_t len, l3, l4; /* offsets */
	uint32_t flags;       /* IXGBE_RX_* */
	bool seen;
};

/* What a frame is made of; 0 means the usual. */
struct recipe {
	uint8_t version; /* 4 */
	uint8_t tags;
	uint8_t ip_words;  /* 5 */
	uint8_t tcp_words; /* 5 */
	uint8_t tcp_flags; /* ACK */
	uint16_t port;
	uint16_t id;
	uint32_t seq;
	uint32_t payload; /* 100 */
};

static struct rig {
	struct frame frame[COALESCE_SEGS];
	uint32_t frames, segs;
	uint8_t memory[COALESCE_SEGS][HEADROOM + BUF_BYTES];
	struct ixgbe_buf buf[COALESCE_SEGS];
	struct ixgbe_seg seg[COALESCE_SEGS];
	struct coalesce c;
} r;

/* ---- Frames ---- */

static uint16_t sum16(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void put32(uint8_t *p, uint32_t value)
{
	offload_put_be16(p, (uint16_t)(value >> 16));
	offload_put_be16(p + 2, (uint16_t)value);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)offload_get_be16(p) << 16 | offload_get_be16(p + 2);
}

static uint16_t pseudo(const uint8_t *ip, uint32_t l4_len)
{
	uint8_t rest[4] = {0, IPPROTO_TCP, (uint8_t)(l4_len >> 8), (uint8_t)l4_len};
	uint16_t sum = sum16(rest, 4, 0);

	return ip[0] >> 4 == 4 ? sum16(ip + 12, 8, sum) : sum16(ip + 8, 32, sum);
}

/* IPv4's and TCP's checksums, as the sender fills them. */
static void checksums(uint8_t *frame, uint32_t len, uint32_t l3, uint32_t l4)
{
	uint8_t *ip = frame + l3, *tcp = frame + l4;

	if (ip[0] >> 4 == 4) {
		offload_put_be16(ip + 10, 0);
		offload_put_be16(ip + 10, (uint16_t)~sum16(ip, l4 - l3, 0));
	}
	offload_put_be16(tcp + 16, 0);
	offload_put_be16(tcp + 16, (uint16_t)~sum16(tcp, len - l4, pseudo(ip, len - l4)));
}

static struct frame *frame_add(struct recipe recipe)
{
	const uint8_t version = recipe.version ? recipe.version : 4;
	const uint32_t ip_len = recipe.ip_words ? recipe.ip_words * 4u : version == 4 ? 20 : 40;
	const uint32_t tcp_len = recipe.tcp_words ? recipe.tcp_words * 4u : 20;
	const uint32_t payload = recipe.payload ? recipe.payload : 100;
	struct frame *f = &r.frame[r.frames++];
	uint8_t *p = f->data;

	f->seen = false;
	f->l3 = 14 + recipe.tags * 4u;
	f->l4 = f->l3 + ip_len;
	f->len = f->l4 + tcp_len + payload;
	memset(p, 0, f->l4 + tcp_len);
	memcpy(p, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	for (uint32_t i = 0; i < recipe.tags; i++)
		memcpy(p + 12 + 4 * i, "\x81\0\x20\x05", 4);
	p += f->l3;
	offload_put_be16(p - 2, version == 4 ? 0x0800 : 0x86dd);
	if (version == 4) {
		p[0] = (uint8_t)(0x40 | ip_len / 4);
		offload_put_be16(p + 2, (uint16_t)(f->len - f->l3));
		offload_put_be16(p + 4, recipe.id);
		p[6] = 0x40;
		p[8] = 64;
		p[9] = IPPROTO_TCP;
		memcpy(p + 12, "\xc0\0\2\1\xc0\0\2\2", 8);
		memset(p + 20, 1, ip_len - 20); /* no-operation options */
	} else {
		p[0] = 0x60;
		offload_put_be16(p + 4, (uint16_t)(f->len - f->l3 - 40));
		p[6] = ip_len > 40 ? IPPROTO_DSTOPTS : IPPROTO_TCP;
		p[7] = 64;
		memcpy(p + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
		memcpy(p + 24, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
		if (ip_len > 40) {
			p[40] = IPPROTO_TCP;
			p[41] = (uint8_t)((ip_len - 40) / 8 - 1);
		}
	}
	p += ip_len;
	offload_put_be16(p, (uint16_t)(1000 + recipe.port));
	offload_put_be16(p + 2, 80);
	put32(p + 4, recipe.seq);
	put32(p + 8, 77);
	p[12] = (uint8_t)(tcp_len / 4 << 4);
	p[13] = recipe.tcp_flags ? recipe.tcp_flags : ACK;
	offload_put_be16(p + 14, 500);
	for (uint32_t i = 20; i < tcp_len; i++)
		p[i] = (uint8_t)i;
	for (uint32_t i = 0; i < payload; i++)
		p[tcp_len + i] = (uint8_t)((recipe.seq + i) * 7 + recipe.port);
	checksums(f->data, f->len, f->l3, f->l4);
	f->flags = IXGBE_RX_TCP | IXGBE_RX_L4_GOOD |
		   (version == 4 ? IXGBE_RX_IPV4 | IXGBE_RX_IP_GOOD : IXGBE_RX_IPV6);
	return f;
}

/* Two frames that are merged, unless something is done to them. */
static void pair(struct recipe recipe)
{
	r.frames = 0;
	recipe.payload = recipe.payload ? recipe.payload : 100;
	frame_add(recipe);
	recipe.seq += recipe.payload;
	recipe.id++;
	frame_add(recipe);
}

/* ---- Running ---- */

/* The burst as the driver gives it; `cut` bytes in a segment. */
static uint32_t merge_cut(bool on, uint32_t cut)
{
	uint32_t begin[COALESCE_SEGS + 1] = {0}; /* and the end */

	r.segs = 0;
	for (uint32_t i = 0; i < r.frames; i++) {
		struct frame *f = &r.frame[i];

		for (uint32_t at = 0, n; at < f->len; at += n, r.segs++) {
			struct ixgbe_seg *seg = &r.seg[r.segs];

			n = f->len - at < cut ? f->len - at : cut;
			assert_true(r.segs < COALESCE_SEGS);
			r.buf[r.segs].data = r.memory[r.segs];
			memcpy(r.memory[r.segs] + HEADROOM, f->data + at, n);
			*seg = (struct ixgbe_seg){
				.buf = &r.buf[r.segs], .offset = HEADROOM, .len = n};
		}
		r.seg[r.segs - 1].flags = f->flags | IXGBE_SEG_EOP;
		begin[i + 1] = r.segs;
	}
	r.c.gain = (struct coalesce_gain){0}; /* each burst is merged */
	coalesce_begin(&r.c, r.seg, on);
	for (uint32_t i = 0; i < r.frames; i++)
		coalesce_add(&r.c, begin[i], begin[i + 1] - begin[i], r.frame[i].len);
	return r.c.writes;
}

static uint32_t merge(void)
{
	return merge_cut(true, BUF_BYTES);
}

static uint8_t written[HEADROOM + (80 << 10)];
static bool rewriting; /* the NIC */

/* A NIC that rewrites its buffers once it has handed them over: what is in front of the frames, and
 * their headers. */
static void nic_rewrites(void)
{
	for (uint32_t i = 0; i < r.segs; i++)
		memset(r.memory[i], 0xa5,
		       HEADROOM + (r.seg[i].len < HEADERS ? r.seg[i].len : HEADERS));
}

/* What a write hands to the kernel, vnet header first; returns the frame's length. */
static uint32_t write_out(uint32_t index)
{
	const struct coalesce_write *w = &r.c.write[index];
	struct coalesce_head *head = &r.c.head[index];
	struct iovec iov[COALESCE_SEGS + 1];
	uint8_t *to = written;
	uint32_t pieces;

	memset(head->vnet, 0, sizeof(head->vnet));
	if (rewriting)
		nic_rewrites();
	if (w->frames > 1)
		coalesce_headers(w, head);
	pieces = coalesce_iov(&r.c, index, iov);
	assert_true(pieces <= w->segs + 1u);
	for (uint32_t i = 0; i < pieces; i++) {
		assert_true(iov[i].iov_len <= sizeof(written) - (size_t)(to - written));
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	assert_int_equal(to - written, w->bytes + TAP_VNET_HDR_BYTES);
	return w->bytes;
}

/* The frame that came is the next one of its flow that was not seen yet. */
static void expect_next(const uint8_t *frame, uint32_t len)
{
	for (uint32_t i = 0; i < r.frames; i++) {
		struct frame *f = &r.frame[i];

		if (f->seen || memcmp(f->data + 12, frame + 12, f->l3 - 12) != 0 ||
		    memcmp(f->data + f->l4, frame + f->l4, 4) != 0)
			continue; /* another's EtherType and tags, or ports */
		f->seen = true;
		assert_int_equal(len, f->len);
		assert_memory_equal(frame, f->data, len);
		return;
	}
	fail_msg("a frame that did not come");
}

/* Cuts the merged frame as a sender's segmentation offload does. */
static void cut_up(uint32_t len)
{
	const uint8_t *vnet = written, *frame = written + TAP_VNET_HDR_BYTES;
	const uint32_t l4 = offload_get_le16(vnet + VNET_CSUM_START);
	const uint32_t header = offload_get_le16(vnet + VNET_HDR_LEN);
	const uint32_t size = offload_get_le16(vnet + VNET_GSO_SIZE);
	const uint32_t l3 = 14 + (frame[12] == 0x81 ? 4u : 0) + (frame[16] == 0x81 ? 4u : 0);
	const bool v4 = frame[l3] >> 4 == 4;
	static uint8_t piece[FRAME_MAX];

	assert_int_equal(vnet[VNET_FLAGS], VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(vnet[VNET_GSO_TYPE],
			 v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(offload_get_le16(vnet + VNET_CSUM_OFFSET), 16);
	assert_int_equal(header, l4 + (frame[l4 + 12] >> 4) * 4u);
	assert_int_equal(offload_get_be16(frame + l4 + 16), pseudo(frame + l3, len - l4));
	if (v4) {
		assert_int_equal(offload_get_be16(frame + l3 + 2), len - l3);
		assert_int_equal(sum16(frame + l3, 20, 0), 0xffff);
	} else {
		assert_int_equal(offload_get_be16(frame + l3 + 4), len - l3 - 40);
	}
	assert_true(size > 0 && len - header > size);
	for (uint32_t at = header, i = 0; at < len; at += size, i++) {
		uint32_t n = len - at < size ? len - at : size;

		memcpy(piece, frame, header);
		memcpy(piece + header, frame + at, n);
		if (v4) {
			offload_put_be16(piece + l3 + 2, (uint16_t)(header + n - l3));
			offload_put_be16(piece + l3 + 4,
					 (uint16_t)(offload_get_be16(frame + l3 + 4) + i));
		} else {
			offload_put_be16(piece + l3 + 4, (uint16_t)(header + n - l3 - 40));
		}
		put32(piece + l4 + 4, get32(frame + l4 + 4) + at - header);
		if (at + n < len)
			piece[l4 + 13] &= (uint8_t)~PSH;
		checksums(piece, header + n, l3, l4);
		expect_next(piece, header + n);
	}
}

/* The headers that a write keeps are those of its first frame. */
static void check_headers(const struct coalesce_write *w)
{
	const struct ixgbe_seg *first = &r.seg[w->first];
	struct offload_headers parsed;

	if (w->headers.version <= OFFLOAD_NO_IP) {
		assert_int_equal(w->frames, 1);
		return;
	}
	if (rewriting)
		return;
	assert_true(offload_parse(first->buf->data + first->offset, first->len, &parsed));
	assert_int_equal(w->headers.version, parsed.version);
	assert_int_equal(w->headers.protocol, parsed.protocol);
	assert_int_equal(w->headers.fragment, parsed.fragment);
	assert_int_equal(w->headers.l2_len, parsed.l2_len);
	assert_int_equal(w->headers.l3_len, parsed.l3_len);
}

/* Everything came out, and as it came in. */
static void check(void)
{
	uint32_t frames = 0, segs = 0, wire_bytes = 0, expected = 0;

	for (uint32_t i = 0; i < r.c.writes; i++) {
		const struct coalesce_write *w = &r.c.write[i];
		uint32_t len;

		check_headers(w);
		len = write_out(i);
		frames += w->frames;
		segs += w->segs;
		wire_bytes += w->wire_bytes;
		if (w->frames > 1)
			cut_up(len);
		else
			expect_next(written + TAP_VNET_HDR_BYTES, len);
	}
	for (uint32_t i = 0; i < r.frames; i++)
		expected += r.frame[i].len;
	assert_int_equal(frames, r.frames);
	assert_int_equal(segs, r.segs);
	assert_int_equal(wire_bytes, expected);
}

static void expect_writes(const char *what, uint32_t writes)
{
	if (merge() != writes)
		fail_msg("%s: %u writes, not %u", what, r.c.writes, writes);
	check();
}

/* ---- The rules ---- */

static void frames_of_a_stream_are_one_write(void **state)
{
	static const struct recipe recipes[] = {
		{.version = 4},
		{.version = 6},
		{.version = 4, .tags = 1, .tcp_words = 8},
		{.version = 6, .tags = 2, .tcp_words = 15},
		{.version = 4, .payload = 1448, .id = 0xffff, .seq = 0xffffff00},
		{.version = 4, .payload = 1},
		{.version = 6, .payload = 8900},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		pair(recipes[i]);
		expect_writes("a pair", 1);
		assert_int_equal(r.c.write[0].frames, 2);
	}
}

enum where { ETHERNET, IP, TCP };

/* What is changed, in the second frame or in both; the checksums stay right. */
static const struct rule {
	const char *name;
	enum where where;
	uint8_t version; /* 0: both */
	uint8_t offset, change;
	bool both;
} rules[] = {
	{"destination", ETHERNET, 0, 5, 1, false},
	{"source", ETHERNET, 0, 11, 1, false},
	{"VLAN", ETHERNET, 0, 15, 1, false},
	{"VLAN priority", ETHERNET, 0, 14, 0x20, false},
	{"ToS", IP, 4, 1, 0x10, false},
	{"congestion", IP, 4, 1, 3, false},
	{"identification", IP, 4, 5, 2, false},
	{"reserved flag", IP, 4, 6, 0x80, true},
	{"do not fragment", IP, 4, 6, 0x40, false},
	{"more fragments", IP, 4, 6, 0x20, true},
	{"fragment offset", IP, 4, 7, 1, true},
	{"time to live", IP, 4, 8, 1, false},
	{"another protocol", IP, 4, 9, 1, true},
	{"source", IP, 4, 15, 4, false},
	{"destination", IP, 4, 19, 4, false},
	{"total length too short", IP, 4, 3, 1, true},
	{"traffic class", IP, 6, 1, 0x20, false},
	{"flow label", IP, 6, 3, 1, false},
	{"payload length too short", IP, 6, 5, 1, true},
	{"hop limit", IP, 6, 7, 1, false},
	{"source", IP, 6, 23, 4, false},
	{"destination", IP, 6, 39, 4, false},
	{"source port", TCP, 0, 1, 1, false},
	{"destination port", TCP, 0, 3, 1, false},
	{"a gap", TCP, 0, 7, 1, false},
	{"acknowledgement", TCP, 0, 11, 1, false},
	{"reserved bits", TCP, 0, 12, 1, true},
	{"header length", TCP, 0, 12, 0x10, false},
	{"header length too short", TCP, 0, 12, 0xc0, true},
	{"FIN", TCP, 0, 13, 0x01, false},
	{"SYN", TCP, 0, 13, 0x02, false},
	{"RST", TCP, 0, 13, 0x04, false},
	{"no ACK", TCP, 0, 13, 0x10, true},
	{"URG", TCP, 0, 13, 0x20, true},
	{"ECE", TCP, 0, 13, 0x40, true},
	{"CWR", TCP, 0, 13, 0x80, true},
	{"window", TCP, 0, 15, 1, false},
	{"urgent pointer", TCP, 0, 19, 1, false},
	{"options", TCP, 0, 20, 1, false},
	{"last option", TCP, 0, 31, 1, false},
};

static void change(struct frame *f, const struct rule *rule)
{
	const uint32_t base[] = {[ETHERNET] = 0, [IP] = f->l3, [TCP] = f->l4};

	f->data[base[rule->where] + rule->offset] ^= rule->change;
	checksums(f->data, f->len, f->l3, f->l4);
}

static void frames_that_differ_are_not_merged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (uint8_t version = 4; version <= 6; version += 2) {
			if (rules[i].version && rules[i].version != version)
				continue;
			pair((struct recipe){.version = version, .tags = 1, .tcp_words = 8});
			assert_int_equal(merge(), 1);
			if (rules[i].both)
				change(&r.frame[0], &rules[i]);
			change(&r.frame[1], &rules[i]);
			if (merge() != 2)
				fail_msg("%s, IPv%u", rules[i].name, version);
		}
}

static void frames_the_nic_has_not_verified_are_not_merged(void **state)
{
	static const uint32_t missing[] = {IXGBE_RX_L4_GOOD, IXGBE_RX_IP_GOOD, IXGBE_RX_TCP};

	(void)state;
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		for (uint32_t which = 0; which < 2; which++) {
			pair((struct recipe){.version = 4});
			r.frame[which].flags &= ~missing[i];
			expect_writes("not verified", 2);
		}
	/* IPv6 has no header checksum. */
	pair((struct recipe){.version = 6});
	assert_false(r.frame[0].flags & IXGBE_RX_IP_GOOD);
	expect_writes("IPv6", 1);
}

static void options_of_ip_and_extension_headers_are_not_merged(void **state)
{
	(void)state;
	pair((struct recipe){.version = 4, .ip_words = 6});
	expect_writes("IPv4 options", 2);
	pair((struct recipe){.version = 6, .ip_words = 12});
	expect_writes("IPv6 destination options", 2);
}

/* Segmentation would give the second another identification. */
static void one_identification_for_all_is_not_merged(void **state)
{
	(void)state;
	r.frames = 0;
	frame_add((struct recipe){.seq = 0});
	frame_add((struct recipe){.seq = 100});
	expect_writes("identification 0", 2);
}

static void empty_frames_and_padding_are_not_merged(void **state)
{
	(void)state;
	pair((struct recipe){.version = 4});
	for (uint32_t i = 0; i < 2; i++) {
		struct frame *f = &r.frame[i];

		f->len = f->l4 + 20;
		offload_put_be16(f->data + f->l3 + 2, 40);
		put32(f->data + f->l4 + 4, 0);
		checksums(f->data, f->len, f->l3, f->l4);
	}
	expect_writes("acknowledgements", 2);
	pair((struct recipe){.payload = 2});
	r.frame[0].len = r.frame[1].len = 60;
	expect_writes("padded to 60 bytes", 2);
}

static void lengths_are_those_of_segmentation(void **state)
{
	(void)state;
	r.frames = 0;
	frame_add((struct recipe){.payload = 100, .seq = 0, .id = 0});
	frame_add((struct recipe){.payload = 101, .seq = 100, .id = 1});
	frame_add((struct recipe){.payload = 101, .seq = 201, .id = 2});
	expect_writes("a longer one begins anew", 2);
	assert_int_equal(r.c.write[1].frames, 2);

	r.frames = 0;
	frame_add((struct recipe){.payload = 100, .seq = 0, .id = 0});
	frame_add((struct recipe){.payload = 99, .seq = 100, .id = 1});
	frame_add((struct recipe){.payload = 99, .seq = 199, .id = 2});
	expect_writes("a shorter one is the last", 2);
	assert_int_equal(r.c.write[0].frames, 2);
}

static void push_is_the_last(void **state)
{
	(void)state;
	r.frames = 0;
	for (uint32_t i = 0; i < 5; i++)
		frame_add((struct recipe){
			.seq = i * 100, .id = (uint16_t)i, .tcp_flags = i == 2 ? ACK | PSH : ACK});
	expect_writes("three, and two", 2);
	assert_int_equal(r.c.write[0].frames, 3);

	pair((struct recipe){.tcp_flags = ACK | PSH});
	expect_writes("nothing behind the first", 2);
}

static void a_frame_is_at_most_64_kib(void **state)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		(void)state;
		r.frames = 0;
		for (uint32_t i = 0; i < 60; i++)
			frame_add((struct recipe){.version = version,
						  .payload = 1448,
						  .seq = i * 1448,
						  .id = (uint16_t)i});
		expect_writes("60 frames", 2);
		assert_int_equal(r.c.write[0].frames, 45);
		assert_true(r.c.write[0].bytes <= TAP_FRAME_MAX);
	}
}

static void jumbo_frames_of_several_segments_are_merged(void **state)
{
	(void)state;
	r.frames = 0;
	for (uint32_t i = 0; i < 7; i++)
		frame_add((struct recipe){
			.payload = 8948, .seq = i * 8948, .id = (uint16_t)i, .tcp_words = 8});
	expect_writes("jumbo frames", 1);
	assert_int_equal(r.c.write[0].segs, 7 * 5);
	/* Headers that are not whole in the first segment are left alone. */
	for (uint32_t cut = 15; cut < 100; cut++) {
		pair((struct recipe){.tcp_words = 8});
		assert_int_equal(merge_cut(true, cut), cut <= 66 ? 2 : 1);
		check();
	}
}

static void a_frame_that_stays_alone_keeps_its_headers(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		r.frames = 0;
		frame_add((struct recipe){.version = version, .tags = 1, .tcp_flags = ACK | PSH});
		expect_writes("one frame", 1);
		assert_int_equal(r.c.write[0].headers.version, version);
	}
}

/* Whoever needs the headers later knows that there are none, and does not parse again. */
static void a_frame_that_cannot_be_parsed_says_so(void **state)
{
	struct frame *f;

	(void)state;
	r.frames = 0;
	f = frame_add((struct recipe){.payload = 1000});
	f->data[f->l3 - 2] = 0x12; /* of the EtherType */
	expect_writes("no IP", 1);
	assert_int_equal(r.c.write[0].headers.version, OFFLOAD_NO_IP);
	assert_int_equal(r.c.write[0].headers.protocol, 0);
}

/* What was checked is what the kernel gets. */
static void headers_that_the_nic_rewrites_are_not_handed_over(void **state)
{
	static const uint32_t payload[] = {100, 300, 1448};

	(void)state;
	rewriting = true;
	for (size_t i = 0; i < sizeof(payload) / sizeof(payload[0]); i++) {
		pair((struct recipe){.payload = payload[i]});
		expect_writes("merged", 1);
		pair((struct recipe){.payload = payload[i], .tcp_flags = ACK | PSH});
		expect_writes("alone", 2);
	}
	rewriting = false;
}

static void off_means_off(void **state)
{
	(void)state;
	pair((struct recipe){.version = 4});
	assert_int_equal(merge_cut(false, BUF_BYTES), 2);
	check();
}

/* ---- Several flows ---- */

static void interleaved_flows_are_merged(void **state)
{
	(void)state;
	r.frames = 0;
	for (uint32_t i = 0; i < 5 * FLOWS; i++)
		frame_add((struct recipe){.port = (uint16_t)(i % FLOWS),
					  .seq = i / FLOWS * 100,
					  .id = (uint16_t)(i / FLOWS)});
	expect_writes("one each", FLOWS);
}

/* Five frames of a stream around one frame: how many writes? */
static uint32_t with_middle(void (*middle)(void))
{
	r.frames = 0;
	for (uint32_t i = 0; i < 5; i++) {
		if (i == 2)
			middle();
		frame_add((struct recipe){.seq = i * 100, .id = (uint16_t)i});
	}
	merge();
	check();
	return r.c.writes;
}

static void middle_udp(void)
{
	struct frame *f = frame_add((struct recipe){.port = 9});

	f->data[f->l3 + 9] = IPPROTO_UDP;
	f->flags = IXGBE_RX_IPV4 | IXGBE_RX_UDP;
}

static void middle_other_flow(void)
{
	frame_add((struct recipe){.port = 9, .tcp_flags = 0x11});
}

static void middle_fin(void)
{
	frame_add((struct recipe){.tcp_flags = 0x11, .seq = 1000});
}

static void middle_bad_checksum(void)
{
	frame_add((struct recipe){.seq = 0})->flags ^= IXGBE_RX_L4_GOOD | IXGBE_RX_L4_BAD;
}

static void middle_fragment(void)
{
	struct frame *f = frame_add((struct recipe){.port = 9});

	f->data[f->l3 + 6] = 0x20;
	f->flags = IXGBE_RX_IPV4;
}

static void middle_called_tcp(void)
{
	middle_fragment();
	r.frame[r.frames - 1].flags |= IXGBE_RX_TCP;
}

static void a_frame_is_not_overtaken_by_its_flow(void **state)
{
	(void)state;
	assert_int_equal(with_middle(middle_udp), 2); /* has nothing to do with it */
	assert_int_equal(with_middle(middle_other_flow), 2);
	assert_int_equal(with_middle(middle_fin), 3);
	assert_int_equal(with_middle(middle_bad_checksum), 3);
	assert_int_equal(with_middle(middle_fragment), 3); /* of which flow? */
	assert_int_equal(with_middle(middle_called_tcp), 3);
}

/* ---- Anything ---- */

/* A number below `n`; always the same sequence. */
static uint32_t pick(uint32_t n)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 32) * n >> 32);
}

static void random_frame(struct recipe *next)
{
	struct recipe recipe = *next;
	struct frame *f;

	if (pick(12) == 0)
		recipe.payload = 1 + pick(recipe.payload + 20);
	if (pick(12) == 0)
		recipe.tcp_flags = (uint8_t)(ACK | 1u << pick(8));
	if (pick(20) == 0)
		recipe.seq += pick(3);
	if (pick(20) == 0)
		recipe.id = (uint16_t)(recipe.id + pick(3));
	f = frame_add(recipe);
	if (pick(12) == 0) {
		const struct rule *rule = &rules[pick(sizeof(rules) / sizeof(rules[0]))];

		/* Another address would be another flow. */
		if (rule->version == (f->data[f->l3] >> 4) && rule->offset < 8)
			change(f, rule);
		if (rule->where == TCP && rule->offset > 3)
			change(f, rule);
	}
	if (pick(30) == 0)
		f->flags ^= 1u << (2 + pick(8));
	next->seq = recipe.seq + recipe.payload;
	next->id = (uint16_t)(recipe.id + 1);
}

static void any_burst_can_be_cut_up_again(void **state)
{
	uint32_t merged = 0, frames = 0;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		const uint32_t flows = 1 + pick(12), count = 1 + pick(COALESCE_SEGS / 4);
		struct recipe next[12];

		for (uint32_t i = 0; i < flows; i++)
			next[i] = (struct recipe){
				.version = pick(2) ? 4 : 6,
				.tags = (uint8_t)pick(3),
				.tcp_words = (uint8_t)(5 + pick(11)),
				.payload = pick(8) ? 1 + pick(1500) : 1 + pick(6000),
				.port = (uint16_t)i,
				.id = (uint16_t)pick(1u << 16),
				.seq = pick(UINT32_MAX),
			};
		r.frames = 0;
		for (uint32_t i = 0; i < count; i++)
			random_frame(&next[pick(flows) % (1 + pick(flows))]);
		merge();
		check();
		frames += count;
		merged += count - r.c.writes;
	}
	assert_true(merged > frames / 4); /* it was about something */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_a_stream_are_one_write),
		cmocka_unit_test(frames_that_differ_are_not_merged),
		cmocka_unit_test(frames_the_nic_has_not_verified_are_not_merged),
		cmocka_unit_test(options_of_ip_and_extension_headers_are_not_merged),
		cmocka_unit_test(one_identification_for_all_is_not_merged),
		cmocka_unit_test(empty_frames_and_padding_are_not_merged),
		cmocka_unit_test(lengths_are_those_of_segmentation),
		cmocka_unit_test(push_is_the_last),
		cmocka_unit_test(a_frame_is_at_most_64_kib),
		cmocka_unit_test(jumbo_frames_of_several_segments_are_merged),
		cmocka_unit_test(a_frame_that_stays_alone_keeps_its_headers),
		cmocka_unit_test(a_frame_that_cannot_be_parsed_says_so),
		cmocka_unit_test(headers_that_the_nic_rewrites_are_not_handed_over),
		cmocka_unit_test(off_means_off),
		cmocka_unit_test(interleaved_flows_are_merged),
		cmocka_unit_test(a_frame_is_not_overtaken_by_its_flow),
		cmocka_unit_test(any_burst_can_be_cut_up_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
