/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A TAP takes a segmentation frame of 64 KiB in the time of ten frames of 1,514 bytes, though it
 * carries the payload of 45. So frames of one TCP stream that came in one burst are handed over as
 * the frame that a sender with segmentation offload would have given its NIC: the first frame's
 * headers, and the payloads one behind the other. No frame waits for others: a burst is merged
 * within itself.
 *
 * A merge can be undone: a kernel that forwards the merged frame cuts it up again, and the frames
 * that leave are byte for byte those that came. So a frame is added only if its headers are those
 * that segmentation would make from the first frame's:
 *
 *     Ethernet, tags, addresses, ports, ToS, TTL, flow label, DF   the same
 *     IPv4 identification                                          one more than the last
 *     sequence number                                              where the last one ended
 *     acknowledgement, window, urgent pointer, options             the same
 *     flags                                                        ACK; PSH in the last
 *     payload                                                      as long as the first's; the last
 *                                                                  may be shorter, none is empty
 *     checksums                                                    verified by the NIC
 *
 * Frames that all have one identification (with DF) stay alone. The kernel's own GRO merges them,
 * since an skb can say so; a vnet header cannot, and they would leave with other identifications.
 *
 * Order. Writes go out in the order of their first frames. Within a flow that is the order of
 * arrival, as a frame of the flow that is not added ends the write. A frame whose flow cannot be
 * told, such as a fragment, ends all open writes.
 *
 * The NIC may rewrite a frame at any time, also while the kernel reads it. So the first bytes of
 * each frame are read once, into the head of the next write, where the NIC cannot reach them. What
 * is decided is decided on this copy, and the copy is what the kernel gets. A NIC that rewrites the
 * rest spoils payload, which it could have done before.
 *
 * A flow is known by a hash of addresses and ports, which also says where it is looked for: a look
 * costs the same with any number of flows. Two flows of one place end each other's writes: they
 * lose speed, nothing else.
 *
 * Where no frames follow each other there is nothing to merge, and looking for it costs. So where
 * fewer than one frame in GAIN_LEAST joins another, merging rests for a while; and longer each
 * time.
 */
#include "coalesce.h"

#include <assert.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>

#include "headers.h"
#include "ixgbe/tables/guard.h"

#define IP_BYTES_MAX 65535u

struct tcp_frame {
	const uint8_t *data;
	uint32_t tag;
	uint32_t l4_at, header_bytes, payload;
	const struct offload_headers *ip;
	bool fits; /* nothing in this frame alone forbids to merge it */
};

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)offload_get_be16(p) << 16 | offload_get_be16(p + 2);
}

/* ---- One frame ---- */

static uint64_t mix(uint64_t hash, const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

static uint32_t flow_tag(const uint8_t *ip, uint8_t version, const uint8_t *l4)
{
	uint32_t ports;
	uint64_t hash;

	memcpy(&ports, l4, sizeof(ports));
	hash = ports;
	if (version == 4)
		return (uint32_t)mix(hash, ip + IPV4_ADDRESSES);
	for (uint32_t i = 0; i < 32; i += 8)
		hash = mix(hash, ip + IPV6_ADDRESSES + i);
	return (uint32_t)hash;
}

/* IP without options, and no more bytes in the frame than it says. */
static bool ip_fits(const uint8_t *ip, const struct offload_headers *headers, uint32_t bytes,
		    uint32_t flags)
{
	if (headers->version == 6)
		return headers->l3_len == IPV6_BYTES &&
		       offload_get_be16(ip + IPV6_PAYLOAD) + IPV6_BYTES == bytes;
	return headers->l3_len == IPV4_BYTES && flags & IXGBE_RX_IP_GOOD &&
	       !(offload_get_be16(ip + IPV4_FRAG) & ~IPV4_FRAG_DF) &&
	       offload_get_be16(ip + IPV4_TOT_LEN) == bytes;
}

static bool tcp_fits(const uint8_t *tcp, uint32_t flags)
{
	return flags & IXGBE_RX_L4_GOOD && (tcp[TCP_DOFF] & 0xf) == 0 && /* reserved bits */
	       (tcp[TCP_FLAGS] & ~TCP_FLAGS_PSH) == TCP_FLAGS_ACK;
}

/* A frame of `bytes` bytes, whose first `len` stand at `data`. False: the frame's flow cannot be
 * told. A frame whose headers are not all at `data` does not fit. */
static bool tcp_parse(const uint8_t *data, uint32_t len, uint32_t bytes, uint32_t flags,
		      struct offload_headers *headers, struct tcp_frame *out)
{
	const uint8_t *ip, *tcp;
	uint32_t tcp_bytes;

	if (!offload_parse(data, len, headers) || headers->fragment ||
	    headers->protocol != IPPROTO_TCP)
		return false;
	out->data = data;
	out->ip = headers;
	out->l4_at = (uint32_t)headers->l2_len + headers->l3_len;
	if (len - out->l4_at < TCP_BYTES)
		return false;
	ip = data + headers->l2_len;
	tcp = data + out->l4_at;
	out->tag = flow_tag(ip, headers->version, tcp);

	tcp_bytes = (uint32_t)(tcp[TCP_DOFF] >> 4) * 4;
	out->header_bytes = out->l4_at + tcp_bytes;
	out->fits = tcp_bytes >= TCP_BYTES && out->header_bytes < len &&
		    ip_fits(ip, headers, bytes - headers->l2_len, flags) && tcp_fits(tcp, flags);
	out->payload = out->fits ? bytes - out->header_bytes : 0;
	return true;
}

/* ---- Two frames ---- */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the masks below");

/* The bits in which eight bytes differ. Masks are of little-endian words: the first byte is the
 * lowest. */
static uint64_t differ(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

/* Of an Ethernet header with its tags, 14 to 22 bytes. Words overlap. */
static uint64_t l2_differs(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
	const uint32_t middle = bytes > 16 ? 8 : 0, last = bytes - 8;

	return differ(a, b) | differ(a + middle, b + middle) | differ(a + last, b + last);
}

/* Of the headers, but for what segmentation changes: lengths, IPv4's identification, sequence
 * numbers and checksums. And for TCP's flags: those of `a` are ACK alone, and `b` fits. */
static uint64_t ipv4_differs(const uint8_t *a, const uint8_t *b)
{
	return (differ(a, b) & 0xffff00000000ffff) | (differ(a + 8, b + 8) & 0xffffffff0000ffff) |
	       differ(a + 16, b + 16) | (differ(a + 24, b + 24) & 0xffffffff00000000) |
	       (differ(a + 32, b + 32) & 0xffff0000ffff00ff);
}

static uint64_t ipv6_differs(const uint8_t *a, const uint8_t *b)
{
	return (differ(a, b) & 0xffff0000ffffffff) | differ(a + 8, b + 8) | differ(a + 16, b + 16) |
	       differ(a + 24, b + 24) | differ(a + 32, b + 32) |
	       (differ(a + 40, b + 40) & 0x00000000ffffffff) |
	       (differ(a + 48, b + 48) & 0xffff00ffffffffff) |
	       (differ(a + 52, b + 52) & 0xffff000000000000);
}

static_assert(IPV4_BYTES + TCP_BYTES == 40 && IPV6_BYTES + TCP_BYTES == 60, "whole words");

/* Whether `f`, which fits, continues `w`, whose first frame is at `a`. */
static bool extends(const struct coalesce_write *w, const uint8_t *a, const struct tcp_frame *f)
{
	const uint8_t *b = f->data;
	const uint32_t ip = f->ip->l2_len, options = f->l4_at + TCP_BYTES;
	uint64_t differs;

	if (get_be32(b + f->l4_at + TCP_SEQ) != w->next_seq || f->payload > w->gso_size ||
	    f->payload > IP_BYTES_MAX - (w->bytes - w->headers.l2_len) || ip != w->headers.l2_len ||
	    f->l4_at != w->l4_at || f->header_bytes != w->header_bytes)
		return false;
	differs = l2_differs(a, b, ip); /* with the EtherType: the same version of IP */
	if (f->ip->version == 6)
		differs |= ipv6_differs(a + ip, b + ip);
	else if (offload_get_be16(b + ip + IPV4_ID) == w->next_id)
		differs |= ipv4_differs(a + ip, b + ip);
	else
		return false;
	return differs == 0 && memcmp(a + options, b + options, f->header_bytes - options) == 0;
}

/* ---- Whether merging gains anything ---- */

#define GAIN_FRAMES 256u /* that might have joined others, before it is judged */
#define GAIN_LEAST  32u  /* of so many one has to */
#define REST_MIN    8u   /* bursts */
#define REST_MAX    64u

/* Whether the next burst is merged. */
static bool gain_look(struct coalesce_gain *gain)
{
	if (gain->rest > 0) {
		gain->rest--;
		return false;
	}
	if (gain->fit < GAIN_FRAMES)
		return true;
	if (gain->joined * GAIN_LEAST >= gain->fit) {
		gain->next_rest = 0;
	} else {
		gain->next_rest = gain->next_rest ? 2 * gain->next_rest : REST_MIN;
		if (gain->next_rest > REST_MAX)
			gain->next_rest = REST_MAX;
		gain->rest = gain->next_rest;
	}
	gain->fit = gain->joined = 0;
	return gain->rest == 0;
}

/* ---- The writes of a burst ---- */

/* Ends all writes. */
static void slots_free(struct coalesce *c)
{
	c->epoch++;
}

void coalesce_begin(struct coalesce *c, const struct ixgbe_seg *seg, bool on)
{
	c->seg = seg;
	c->on = on && gain_look(&c->gain);
	c->writes = 0;
	slots_free(c);
}

static struct coalesce_write *write_new(struct coalesce *c, uint32_t at, uint32_t segs,
					uint32_t bytes)
{
	struct coalesce_write *w = &c->write[c->writes++];

	w->first = (uint16_t)at;
	w->last = (uint16_t)(at + segs - 1);
	w->segs = (uint16_t)segs;
	w->frames = 1;
	w->bytes = w->wire_bytes = bytes;
	return w;
}

static void write_open(struct coalesce_write *w, const struct tcp_frame *f)
{
	w->gso_size = (uint16_t)f->payload;
	w->next_seq = get_be32(f->data + f->l4_at + TCP_SEQ) + f->payload;
	w->next_id = (uint16_t)(offload_get_be16(f->data + f->ip->l2_len + IPV4_ID) + 1);
	w->l4_at = (uint8_t)f->l4_at;
	w->header_bytes = (uint8_t)f->header_bytes;
	w->psh = false;
}

static void write_extend(struct coalesce *c, struct coalesce_write *w, const struct tcp_frame *f,
			 uint32_t at, uint32_t segs)
{
	c->next[w->last] = (uint16_t)at;
	w->last = (uint16_t)(at + segs - 1);
	w->segs = (uint16_t)(w->segs + segs);
	w->frames++;
	w->bytes += f->payload;
	w->wire_bytes += f->header_bytes + f->payload;
	w->next_seq += f->payload;
	w->next_id++;
	w->psh = f->data[f->l4_at + TCP_FLAGS] & TCP_FLAGS_PSH;
}

static struct coalesce_slot *slot_of(struct coalesce *c, uint32_t tag)
{
	return &c->slot[tag % COALESCE_SLOTS];
}

static void slot_free(struct coalesce_slot *slot)
{
	slot->epoch = 0;
}

static void tcp_add(struct coalesce *c, const struct tcp_frame *f, uint32_t at, uint32_t segs,
		    uint32_t bytes)
{
	struct coalesce_slot *slot = slot_of(c, f->tag);
	const bool psh = f->data[f->l4_at + TCP_FLAGS] & TCP_FLAGS_PSH;
	const bool open = slot->epoch == c->epoch && slot->tag == f->tag;

	c->gain.fit += f->fits;
	if (open && f->fits) {
		struct coalesce_write *w = &c->write[slot->target];

		if (extends(w, c->head[slot->target].frame, f)) {
			c->gain.joined++;
			write_extend(c, w, f, at, segs);
			if (psh || f->payload != w->gso_size)
				slot_free(slot);
			return;
		}
	}
	if (f->fits && !psh) {
		*slot = (struct coalesce_slot){c->epoch, f->tag, (uint16_t)c->writes};
		write_open(write_new(c, at, segs, bytes), f);
		return;
	}
	if (open)
		slot_free(slot);
	write_new(c, at, segs, bytes);
}

/* Reads a frame's first bytes into the head of the next write; returns how many. */
static uint32_t head_read(struct coalesce *c, const struct ixgbe_seg *first)
{
	const uint32_t len =
		first->len <= COALESCE_SHORT_BYTES ? first->len : COALESCE_HEADERS_BYTES;

	memcpy(c->head[c->writes].frame, first->buf->data + first->offset, len);
	return c->write[c->writes].head_bytes = len;
}

void coalesce_add(struct coalesce *c, uint32_t at, uint32_t segs, uint32_t bytes)
{
	const uint32_t flags = c->seg[at + segs - 1].flags;
	struct offload_headers *headers = &c->write[c->writes].headers;
	struct tcp_frame f;
	uint32_t len;

	IXGBE_GUARD(segs > 0 && at < COALESCE_SEGS && segs <= COALESCE_SEGS - at);
	for (uint32_t i = at; i < at + segs; i++)
		c->next[i] = (uint16_t)(i + 1);
	/* The head and the headers are those of the next write: the frame begins that write, or
	 * joins another. */
	len = head_read(c, &c->seg[at]);
	headers->version = 0;
	if (c->on && flags & IXGBE_RX_TCP) {
		if (tcp_parse(c->head[c->writes].frame, len, bytes, flags, headers, &f)) {
			tcp_add(c, &f, at, segs, bytes);
			return;
		}
		if (headers->version == 0) /* nobody else has to try */
			*headers = (struct offload_headers){.version = OFFLOAD_NO_IP};
	}
	if (!(flags & IXGBE_RX_UDP))
		slots_free(c);
	write_new(c, at, segs, bytes);
}

/* ---- One write ---- */

/* The vnet header and all of a frame of one segment, as one piece. */
static struct iovec whole(struct coalesce *c, uint32_t index)
{
	const struct coalesce_write *w = &c->write[index];
	const struct ixgbe_seg *seg = &c->seg[w->first];
	struct coalesce_head *head = &c->head[index];

	if (w->bytes > w->head_bytes)
		memcpy(head->frame + w->head_bytes, seg->buf->data + seg->offset + w->head_bytes,
		       w->bytes - w->head_bytes);
	return (struct iovec){head->vnet, TAP_VNET_HDR_BYTES + w->bytes};
}

uint32_t coalesce_iov(struct coalesce *c, uint32_t index, struct iovec *iov)
{
	const struct coalesce_write *w = &c->write[index];
	uint32_t at = w->first, skip = w->head_bytes, n = 0;

	if (w->segs == 1 && w->bytes <= COALESCE_WHOLE_BYTES) {
		iov[0] = whole(c, index);
		return 1;
	}
	iov[n++] = (struct iovec){c->head[index].vnet, TAP_VNET_HDR_BYTES + skip};
	for (uint32_t i = 0; i < w->segs; i++, at = c->next[at]) {
		const struct ixgbe_seg *seg = &c->seg[at];

		if (seg->len > skip)
			iov[n++] = (struct iovec){seg->buf->data + seg->offset + skip,
						  seg->len - skip};
		/* Behind the end of a frame come the headers of the next. */
		skip = seg->flags & IXGBE_SEG_EOP ? w->header_bytes : 0;
	}
	return n;
}

void coalesce_headers(const struct coalesce_write *w, struct coalesce_head *head)
{
	uint8_t *vnet = head->vnet, *frame = head->frame;
	uint8_t *ip = frame + w->headers.l2_len, *tcp = frame + w->l4_at;
	const uint32_t ip_bytes = w->bytes - w->headers.l2_len;
	uint8_t gso_type = VIRTIO_NET_HDR_GSO_TCPV6;

	assert(w->frames > 1);
	if (w->headers.version == 4) {
		gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		offload_put_be16(ip + IPV4_TOT_LEN, (uint16_t)ip_bytes);
		offload_put_be16(ip + IPV4_CSUM, 0);
		offload_put_be16(ip + IPV4_CSUM, (uint16_t)~offload_sum(ip, IPV4_BYTES));
	} else {
		offload_put_be16(ip + IPV6_PAYLOAD, (uint16_t)(ip_bytes - IPV6_BYTES));
	}
	if (w->psh)
		tcp[TCP_FLAGS] |= TCP_FLAGS_PSH;
	offload_put_be16(tcp + TCP_CSUM,
			 offload_pseudo_sum(frame, &w->headers, w->bytes - w->l4_at));

	memset(vnet, 0, TAP_VNET_HDR_BYTES);
	vnet[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet[VNET_GSO_TYPE] = gso_type;
	offload_put_le16(vnet + VNET_HDR_LEN, w->header_bytes);
	offload_put_le16(vnet + VNET_GSO_SIZE, w->gso_size);
	offload_put_le16(vnet + VNET_CSUM_START, w->l4_at);
	offload_put_le16(vnet + VNET_CSUM_OFFSET, TCP_CSUM);
}
