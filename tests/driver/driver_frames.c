/* SPDX-License-Identifier: MIT */
#include "driver_frames.h"

#include <string.h>

const uint8_t peer[IXGBE_MAC_BYTES] = {0x02, 0, 0, 0, 0, 0x99};
const uint8_t broadcast[IXGBE_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* One's complement sum, RFC 1071, unfolded so that pieces add up. */
uint32_t sum(const uint8_t *data, size_t len, uint32_t start)
{
	for (size_t i = 0; i < len; i++)
		start += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	return start;
}

uint32_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return value;
}

/* The sum over addresses and protocol, and `length`. */
uint32_t pseudo(const struct packet *p, const uint8_t *ip, uint32_t length)
{
	return p->v6 ? sum(ip + 8, 32, p->proto + length) : sum(ip + 12, 8, p->proto + length);
}

/* Ethernet, IP, TCP or UDP with all checksums right, and a payload that counts. */
void packet_make(struct packet *p, const uint8_t to[IXGBE_MAC_BYTES], bool v6, uint8_t proto,
		 uint16_t port, uint32_t payload)
{
	uint8_t *ip, *l4;
	uint32_t l4_len;

	memset(p, 0, sizeof(*p));
	p->v6 = v6;
	p->proto = proto;
	p->l3 = ETH_BYTES;
	p->l4 = p->l3 + (v6 ? IPV6_BYTES : IPV4_BYTES);
	p->header = p->l4 + (proto == PROTO_TCP ? TCP_BYTES : UDP_BYTES);
	p->len = p->header + payload;
	l4_len = p->len - p->l4;
	ip = p->data + p->l3;
	l4 = p->data + p->l4;

	memcpy(p->data, to, IXGBE_MAC_BYTES);
	memcpy(p->data + 6, peer, IXGBE_MAC_BYTES);
	put16(p->data + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, l4_len);
		ip[6] = proto;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		ip[23] = 1;
		ip[39] = 2;
	} else {
		ip[0] = 0x45;
		put16(ip + 2, IPV4_BYTES + l4_len);
		put16(ip + 4, 0x1234);
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, (const uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
		put16(ip + 10, ~fold(sum(ip, IPV4_BYTES, 0)));
	}
	put16(l4, port);
	put16(l4 + 2, 5001);
	if (proto == PROTO_TCP) {
		l4[7] = 1; /* sequence number */
		l4[12] = TCP_BYTES / 4 << 4;
		l4[13] = 0x18; /* PSH, ACK */
	} else {
		put16(l4 + 4, l4_len);
	}
	for (uint32_t i = 0; i < payload; i++)
		p->data[p->header + i] = (uint8_t)(i * 7 + i / 256);
	put16(l4 + (proto == PROTO_TCP ? 16 : 6), ~fold(sum(l4, l4_len, pseudo(p, ip, l4_len))));
}

uint8_t *checksum_field(struct packet *p)
{
	return p->data + p->l4 + (p->proto == PROTO_TCP ? 16 : 6);
}

/* Whether a frame as long as `len` has right checksums in the headers that `like` has. */
void assert_checksums(const struct packet *like, const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + like->l3;
	uint32_t l4_len = len - like->l4;

	if (!like->v6)
		assert_int_equal(fold(sum(ip, IPV4_BYTES, 0)), 0xffff);
	assert_int_equal(fold(sum(frame + like->l4, l4_len, pseudo(like, ip, l4_len))), 0xffff);
}

struct ixgbe_seg offload_of(const struct packet *p)
{
	uint32_t l4 = p->proto == PROTO_TCP ? IXGBE_TX_TCP_CSUM : IXGBE_TX_UDP_CSUM;

	return (struct ixgbe_seg){
		.flags = l4 | (p->v6 ? IXGBE_TX_IPV6 : IXGBE_TX_IPV4 | IXGBE_TX_IP_CSUM),
		.l2_len = ETH_BYTES,
		.l3_len = (uint16_t)(p->l4 - p->l3),
		.l4_len = (uint8_t)(p->header - p->l4),
	};
}

/* A plain frame of `len` bytes, EtherType of experiments. */
void plain_make(uint8_t *frame, uint32_t len, const uint8_t to[IXGBE_MAC_BYTES], uint8_t seed)
{
	memcpy(frame, to, IXGBE_MAC_BYTES);
	memcpy(frame + 6, peer, IXGBE_MAC_BYTES);
	put16(frame + 12, 0x88b5);
	for (uint32_t i = ETH_BYTES; i < len; i++)
		frame[i] = (uint8_t)(seed + i);
}

void arrives(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	struct rig_frame got;

	rig_wire_send(rig, frame, len);
	rig_recv(rig, &got);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.data, frame, len);
}

/* Once the NIC has it: filters may be others a moment later. */
void is_filtered(struct rig *rig, const uint8_t *frame, uint32_t len)
{
	const uint64_t end = rig_now_ms() + RIG_DEADLINE_MS;
	const uint32_t before = rig_has_control(rig) ? rig_counter(rig, "rx_frames") : 0;

	rig_wire_send(rig, frame, len);
	while (rig_has_control(rig) && rig_counter(rig, "rx_frames") == before)
		assert_true(rig_now_ms() < end);
	assert_true(rig_recv_quiet(rig));
}
