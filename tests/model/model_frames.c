/* SPDX-License-Identifier: MIT */
#include "model_frames.h"

#include <string.h>

enum { TCP = 6, UDP = 17, SCTP = 132, DESTINATION_OPTIONS = 60 };

const uint8_t frame_mac[6] = {0x02, 0, 0, 0, 0, 0x01};

uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

void set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void set32(uint8_t *at, uint32_t value)
{
	set16(at, value >> 16);
	set16(at + 2, value & 0xffff);
}

uint32_t plain_crc32(const uint8_t *data, size_t len, uint32_t polynomial)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
	}
	return ~crc;
}

uint16_t plain_sum(uint32_t start, const uint8_t *data, size_t len)
{
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

uint16_t pseudo_sum(const uint8_t *data, uint32_t l3, uint8_t protocol, uint32_t l4_len)
{
	bool v6 = data[l3] >> 4 == 6;
	uint16_t sum = plain_sum(0, data + l3 + (v6 ? 8 : 12), v6 ? 32 : 8);

	sum = plain_sum(sum, (uint8_t[]){0, protocol}, 2);
	return plain_sum(sum,
			 (uint8_t[]){(uint8_t)(l4_len >> 24), (uint8_t)(l4_len >> 16),
				     (uint8_t)(l4_len >> 8), (uint8_t)l4_len},
			 4);
}

bool frame_ip_right(const uint8_t *data, uint32_t l3)
{
	return plain_sum(0, data + l3, (data[l3] & 15u) * 4u) == 0xffff;
}

bool frame_l4_right(const uint8_t *data, uint32_t l3, uint32_t l4, uint32_t len)
{
	bool v6 = data[l3] >> 4 == 6;
	uint32_t end = v6 ? l3 + 40 + get16(data + l3 + 4) : l3 + get16(data + l3 + 2);
	uint8_t protocol = v6 ? data[l3 + 6] : data[l3 + 9];

	if (v6 && protocol == DESTINATION_OPTIONS)
		protocol = data[l3 + 40];
	if (end > len || end <= l4)
		return false;
	return plain_sum(pseudo_sum(data, l3, protocol, end - l4), data + l4, end - l4) == 0xffff;
}

static void put_l4(struct built *f, const struct frame_spec *spec, uint8_t protocol)
{
	uint8_t *l4 = f->data + f->l4;
	uint32_t options = protocol == TCP ? spec->tcp_options : 0;
	uint32_t header = (protocol == TCP ? 20 : protocol == UDP ? 8 : 12) + options;
	uint32_t len = header + spec->payload;
	uint32_t sum_at = protocol == TCP ? 16 : 6;
	uint16_t sum;

	f->body = f->l4 + header;
	f->len = f->body + spec->payload;
	for (uint32_t i = 0; i < spec->payload; i++)
		f->data[f->body + i] = (uint8_t)(i + (i >> 8));
	set16(l4, spec->source ? spec->source : 1000);
	set16(l4 + 2, spec->destination ? spec->destination : 2000);
	if (protocol == TCP) {
		set32(l4 + 4, spec->seq);
		l4[12] = (uint8_t)(header / 4 << 4);
		l4[13] = spec->tcp_flags ? spec->tcp_flags : 0x10;
		memset(l4 + 20, 1, options); /* no-operation */
	} else if (protocol == UDP) {
		set16(l4 + 4, len);
	}
	if (protocol == SCTP) {
		uint32_t crc = plain_crc32(l4, len, 0x82f63b78u);

		for (int i = 0; i < 4; i++)
			l4[8 + i] = (uint8_t)(crc >> 8 * i);
		return;
	}
	sum = (uint16_t)~plain_sum(pseudo_sum(f->data, f->l3, protocol, len), l4, len);
	set16(l4 + sum_at, sum ? sum : 0xffff);
}

void frame_build(struct built *f, const struct frame_spec *spec)
{
	uint8_t protocol = spec->protocol ? spec->protocol : TCP;
	uint32_t l4_header = protocol == TCP ? 20u + spec->tcp_options : protocol == UDP ? 8 : 12;
	uint32_t at = 12;
	uint8_t *ip;

	memset(f, 0, sizeof(*f));
	memcpy(f->data, spec->to ? spec->to : frame_mac, 6);
	memcpy(f->data + 6, (const uint8_t[]){0x02, 0, 0, 0, 0, 0x99}, 6);
	if (spec->outer_type) {
		set16(f->data + at, spec->outer_type);
		set16(f->data + at + 2, spec->outer_vlan);
		at += 4;
	}
	if (spec->tagged) {
		set16(f->data + at, 0x8100);
		set16(f->data + at + 2, spec->vlan);
		at += 4;
	}
	set16(f->data + at, spec->ipv6 ? 0x86dd : 0x0800);
	f->l3 = at + 2;
	ip = f->data + f->l3;
	if (spec->ipv6) {
		f->l4 = f->l3 + 40 + spec->ip_options;
		ip[0] = 0x60;
		set16(ip + 4, spec->ip_options + l4_header + spec->payload);
		ip[6] = spec->ip_options ? DESTINATION_OPTIONS : protocol;
		ip[7] = 64;
		for (int i = 0; i < 16; i++) {
			ip[8 + i] = (uint8_t)(0xfd + i);
			ip[24 + i] = (uint8_t)(0xfd + 3 * i);
		}
		if (spec->ip_options) {
			ip[40] = protocol;
			ip[41] = (uint8_t)(spec->ip_options / 8 - 1);
			ip[42] = 1; /* PadN over the rest */
			ip[43] = (uint8_t)(spec->ip_options - 4);
		}
	} else {
		f->l4 = f->l3 + 20 + spec->ip_options;
		ip[0] = (uint8_t)(0x40 | (20 + spec->ip_options) / 4);
		set16(ip + 2, 20u + spec->ip_options + l4_header + spec->payload);
		set16(ip + 4, 0x1234);
		set16(ip + 6, spec->fragment);
		ip[8] = 64;
		ip[9] = protocol;
		memcpy(ip + 12, (const uint8_t[]){192, 0, 2, 1, 192, 0, 2, 2}, 8);
		memset(ip + 20, 1, spec->ip_options);
		set16(ip + 10, (uint16_t)~plain_sum(0, ip, 20u + spec->ip_options));
	}
	put_l4(f, spec, protocol);
	if (f->len < 60)
		f->len = 60;
}

void frame_raw(struct built *f, const uint8_t *to, uint32_t len)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->data, to ? to : frame_mac, 6);
	memcpy(f->data + 6, (const uint8_t[]){0x02, 0, 0, 0, 0, 0x99}, 6);
	set16(f->data + 12, 0x88b5); /* local experiments */
	for (uint32_t i = 14; i < len; i++)
		f->data[i] = (uint8_t)(i * 7);
	f->len = len;
}
