/* SPDX-License-Identifier: MIT */
#include "segments.h"

#include <string.h>

void bed_start(struct bed *bed, void **state, uint32_t kib, uint32_t maxdesc, uint32_t srrctl)
{
	*bed = (struct bed){.m = *state};
	rings_begin(bed->m);
	model_set(bed->m, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
	model_write(bed->m, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, BED_FRAME));
	model_set(bed->m, IXGBE_RFCTL, IXGBE_RFCTL_NFSW_DIS | IXGBE_RFCTL_NFSR_DIS);
	model_write(bed->m, IXGBE_RSCDBU, IXGBE_RSCDBU_RSCACKDIS);
	model_set(bed->m, IXGBE_PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP);
	model_write(bed->m, IXGBE_GPIE, IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT);
	model_write(bed->m, IXGBE_IVAR, BED_VECTOR | IXGBE_IVAR_ALLOC0_VALID);
	model_write(bed->m, ixgbe_eitr_reg(BED_VECTOR),
		    IXGBE_FIELD_PREP(IXGBE_EITR_ITR_INTERVAL, BED_ITR_US / 2));
	model_write(bed->m, ixgbe_rxq_reg(IXGBE_RSCCTL, 0),
		    IXGBE_RSCCTL_RSCEN | IXGBE_FIELD_PREP(IXGBE_RSCCTL_MAXDESC, maxdesc));
	if (!(srrctl & IXGBE_SRRCTL_BSIZEHEADER))
		srrctl |= IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEHEADER, 4);
	rx_open_empty(&bed->ring, bed->m, 0, BED_RING, kib, srrctl);
	rings_go(bed->m);
}

void bed_start_usual(struct bed *bed, void **state)
{
	bed_start(bed, state, 2, IXGBE_RSCCTL_MAXDESC_16, 0);
}

uint8_t stream_byte(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8) * 7);
}

void segment_build(struct built *f, const struct segment *s)
{
	struct frame_spec spec = s->frame;
	uint8_t *ip, *tcp;
	uint32_t l4_len;

	if (s->stamped)
		spec.tcp_options = 12;
	frame_build(f, &spec);
	ip = f->data + f->l3;
	tcp = f->data + f->l4;
	for (uint32_t i = 0; i < spec.payload; i++)
		f->data[f->body + i] = stream_byte(spec.seq + i);
	set32(tcp + 8, s->ack);
	tcp[12] |= s->reserved;
	set16(tcp + 14, s->window);
	if (s->stamped) {
		memcpy(tcp + 20, (const uint8_t[]){1, 1, 8, 10}, 4);
		set32(tcp + 24, s->stamp);
		set32(tcp + 28, s->echo);
	}
	if (!spec.ipv6) {
		ip[1] = s->tos;
		set16(ip + 10, 0);
		set16(ip + 10, (uint16_t)~plain_sum(0, ip, f->l4 - f->l3));
	}
	l4_len = f->body - f->l4 + spec.payload;
	set16(tcp + 16, 0);
	set16(tcp + 16, (uint16_t)~plain_sum(pseudo_sum(f->data, f->l3, 6, l4_len), tcp, l4_len));
}

void bed_send_built(struct bed *bed, const struct built *f)
{
	model_wire_send(bed->m, f->data, f->len);
	bed->sent++;
}

void bed_send(struct bed *bed, const struct segment *s)
{
	static struct built f;

	segment_build(&f, s);
	bed_send_built(bed, &f);
}

void bed_data(struct bed *bed, uint32_t seq, uint32_t payload)
{
	bed_send(bed, &(struct segment){.frame = {.seq = seq, .payload = payload}});
}

void bed_data_flags(struct bed *bed, uint32_t seq, uint32_t payload, uint8_t flags)
{
	bed_send(bed,
		 &(struct segment){.frame = {.seq = seq, .payload = payload, .tcp_flags = flags}});
}

void bed_go(struct bed *bed, uint32_t descs)
{
	model_control_wait(bed->m, "counters", "counters.rx_frames", bed->sent);
	rx_give(&bed->ring, descs);
}

union ixgbe_desc bed_wait_desc(struct bed *bed, uint32_t index)
{
	const uint64_t *at = (const void *)(bed->ring.desc.addr + index * IXGBE_DESC_BYTES);
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	while (!(__atomic_load_n(&at[1], __ATOMIC_ACQUIRE) & IXGBE_RXD_STAT_DD)) {
		if (model_now_ms() > end)
			fail_msg("nothing in descriptor %u", index);
	}
	return (union ixgbe_desc){.qword = {at[0], at[1]}};
}

void bed_take(struct bed *bed, struct chain *out)
{
	uint32_t index = bed->ring.next;
	union ixgbe_desc desc;

	out->len = out->descs = out->packets = 0;
	do {
		uint32_t count, len;

		assert_in_range(index, 0, BED_RING - 1);
		assert_false(bed->taken[index]);
		assert_true(out->descs < RSC_DESCS_MAX);
		desc = bed_wait_desc(bed, index);
		bed->taken[index] = true;
		count = IXGBE_FIELD_GET(IXGBE_RXD_RSC_COUNT, desc.dword[0]);
		len = desc.dword[3] & IXGBE_RXD_LENGTH;
		assert_true(len <= bed->ring.buffer_bytes && out->len + len <= sizeof(out->data));
		memcpy(out->data + out->len,
		       bed->ring.buffer.addr + (size_t)index * bed->ring.buffer_bytes, len);
		out->len += len;
		if (out->descs == 0)
			out->first = desc;
		out->index[out->descs] = index;
		out->count[out->descs++] = count;
		out->packets += count ? count - 1 : 0;
		index = count ? IXGBE_FIELD_GET(IXGBE_RXD_STAT_NEXTP, desc.dword[2])
			      : (index + 1) % BED_RING;
	} while (!(desc.dword[2] & IXGBE_RXD_STAT_EOP));
	out->last = desc;
	while (bed->ring.next < BED_RING - 1 && bed->taken[bed->ring.next])
		bed->ring.next++;
}

void chain_check(const struct chain *c, uint32_t l3, uint32_t header, uint32_t seq,
		 uint32_t payload)
{
	const uint8_t *ip = c->data + l3;

	assert_int_equal(c->len, header + payload);
	assert_int_equal(get16(ip + 2), header - l3 + payload);
	assert_int_equal(get32(ip + 24), seq);
	assert_true(frame_ip_right(c->data, l3));
	assert_true(frame_l4_right(c->data, l3, l3 + 20, c->len));
	assert_int_equal(c->last.dword[2] & (IXGBE_RXD_STAT_L4I | IXGBE_RXD_STAT_IPCS |
					     IXGBE_RXD_ERR_L4E | IXGBE_RXD_ERR_IPE),
			 IXGBE_RXD_STAT_L4I | IXGBE_RXD_STAT_IPCS);
	for (uint32_t i = 0; i < payload; i++)
		assert_int_equal(c->data[header + i], stream_byte(seq + i));
}

void expect_large(struct bed *bed, uint32_t seq, uint32_t payload, uint32_t packets)
{
	static struct chain c;

	bed_take(bed, &c);
	assert_int_equal(c.packets, packets);
	chain_check(&c, 14, 54, seq, payload);
}

void expect_plain_at(struct bed *bed, uint32_t l4, uint32_t seq)
{
	static struct chain c;

	bed_take(bed, &c);
	assert_int_equal(c.first.dword[0] & IXGBE_RXD_RSC_COUNT, 0);
	assert_int_equal(get32(c.data + l4 + 4), seq);
}

void expect_plain(struct bed *bed, uint32_t seq)
{
	expect_plain_at(bed, 34, seq);
}

void bed_end(struct bed *bed, uint32_t large, uint32_t coalesced)
{
	assert_true(rx_silent(&bed->ring));
	assert_int_equal(counter(bed->m, "rx_large"), large);
	assert_int_equal(counter(bed->m, "rx_coalesced"), coalesced);
	assert_int_equal(counter(bed->m, "rx_delivered"), bed->sent);
	rings_end(bed->m, 0);
}
