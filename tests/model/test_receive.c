/* SPDX-License-Identifier: MIT */
/* Receive rings: from frames on the wire to descriptors written back. */
#include <string.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "model_rings.h"

static void receives_a_frame(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, 100);
	assert_int_equal(got.descs, 1);
	assert_memory_equal(got.data, f.data, f.len);
	assert_int_equal(got.last.dword[0], 0);
	assert_int_equal(got.last.dword[2], IXGBE_RXD_STAT_DD | IXGBE_RXD_STAT_EOP);
	assert_int_equal(model_read(*state, IXGBE_RDH), 1);
	assert_int_equal(counter(*state, "rx_delivered"), 1);
	rings_end(*state, 0);
}

static void receives_many_frames_round_the_ring(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < 40; i++) {
			frame_raw(&f, NULL, 60 + round * 40 + i);
			model_wire_send(*state, f.data, f.len);
		}
		for (uint32_t i = 0; i < 40; i++) {
			frame_raw(&f, NULL, 60 + round * 40 + i);
			rx_take(&rx, &got);
			assert_int_equal(got.len, f.len);
			assert_memory_equal(got.data, f.data, f.len);
		}
	}
	rings_end(*state, 0);
}

static void spans_descriptors(void **state)
{
	static const uint32_t lens[] = {2047, 2048, 2049, 4096, 4097, 9014, 9724};
	struct ring rx;
	struct received got;
	struct built f;

	rings_begin(*state);
	model_set(*state, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
	model_write(*state, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 9728));
	rx_open(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		frame_raw(&f, NULL, lens[i]);
		model_wire_send(*state, f.data, f.len);
		rx_take(&rx, &got);
		assert_int_equal(got.len, f.len);
		assert_int_equal(got.descs, (f.len + 2047) / 2048);
		assert_memory_equal(got.data, f.data, f.len);
		if (got.descs > 1)
			assert_int_equal(got.first.dword[2], IXGBE_RXD_STAT_DD);
	}
	frame_raw(&f, NULL, 9725);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_oversize", 1);
	assert_true(rx_silent(&rx));
	assert_int_equal(model_read(*state, IXGBE_ROC), 1);
	rings_end(*state, 0);
}

static void waits_in_the_packet_buffer(void **state)
{
	struct ring rx;
	struct received got;
	struct built f;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	for (uint32_t i = 0; i < 200; i++) {
		frame_raw(&f, NULL, 60 + i);
		model_wire_send(*state, f.data, f.len);
	}
	model_control_wait(*state, "counters", "counters.rx_frames", 200);
	assert_true(rx_silent(&rx));
	rx_give(&rx, 10);
	for (uint32_t i = 0; i < 200; i++) {
		frame_raw(&f, NULL, 60 + i);
		rx_take(&rx, &got);
		assert_int_equal(got.len, f.len);
		assert_memory_equal(got.data, f.data, f.len);
	}
	assert_int_equal(counter(*state, "rx_delivered"), 200);
	rings_end(*state, 0);
}

static void misses_what_the_packet_buffer_cannot_hold(void **state)
{
	struct ring rx;
	struct built f;
	struct received got;
	long long missed;

	rings_begin(*state);
	model_write(*state, IXGBE_RXPBSIZE, 64 * 1024);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	frame_raw(&f, NULL, 1514);
	for (uint32_t i = 0; i < 100; i++)
		model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_frames", 100);
	missed = counter(*state, "rx_drop_missed");
	assert_in_range(missed, 100 - 64 * 1024 / 1514, 75);
	assert_int_equal(model_read(*state, IXGBE_RXMPC), missed);
	assert_true(model_read(*state, IXGBE_EICR) & IXGBE_EICR_RX_MISS);
	rx_give(&rx, 10);
	for (long long i = missed; i < 100; i++)
		rx_take(&rx, &got);
	assert_true(rx_silent(&rx));
	assert_int_equal(counter(*state, "rx_delivered"), 100 - missed);
	rings_end(*state, 0);
}

static void drops_without_descriptors_if_asked(void **state)
{
	struct ring rx;
	struct built f;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, IXGBE_SRRCTL_DROP_EN);
	rings_go(*state);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 5; i++)
		model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_no_descriptor", 5);
	assert_int_equal(model_read(*state, IXGBE_QPRDC), 5);
	rx_give(&rx, 10);
	assert_true(rx_silent(&rx));
	rings_end(*state, 0);
}

static void drops_what_is_closed(void **state)
{
	struct ring rx, tx;
	struct built f;

	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_frames", 1);
	assert_int_equal(counter(*state, "rx_drop_link_down") + counter(*state, "rx_drop_disabled"),
			 1);
	rings_start(*state, &rx, &tx);
	json_decref(model_control(*state, "link down"));
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_frames", 2);
	assert_true(counter(*state, "rx_drop_link_down") >= 1);
	json_decref(model_control(*state, "link up"));
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, IXGBE_LINKS_UP);
	model_clear(*state, IXGBE_RXDCTL, IXGBE_RXDCTL_ENABLE);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_queue_disabled", 1);
	rings_end(*state, 0);
}

static void refuses_runts_and_giants(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	for (uint32_t len = 1; len < 60; len++) {
		frame_raw(&f, NULL, len);
		model_wire_send(*state, f.data, len);
	}
	frame_raw(&f, NULL, 1514);
	model_wire_send(*state, f.data, 1514);
	rx_take(&rx, &got);
	assert_int_equal(got.len, 1514);
	frame_raw(&f, NULL, 20000);
	model_wire_send(*state, f.data, 1515);
	model_wire_send(*state, f.data, 20000);
	frame_build(&f, &(struct frame_spec){.tagged = true, .payload = 1514 + 4 - 58});
	assert_int_equal(f.len, 1518); /* a tag may come on top */
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, 1518);
	/* Specification clarification 18: those under 12 bytes, with the CRC, are not counted. */
	assert_int_equal(model_read(*state, IXGBE_RUC), 52);
	assert_int_equal(model_read(*state, IXGBE_TPR), 56);
	assert_int_equal(model_read(*state, IXGBE_ROC), 2);
	assert_int_equal(model_read(*state, IXGBE_RUC), 0);
	assert_int_equal(counter(*state, "rx_drop_runt"), 59);
	assert_int_equal(counter(*state, "rx_drop_oversize"), 2);
	rings_end(*state, 0);
}

static void checks_the_length_field(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	set16(f.data + 12, 86);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	frame_raw(&f, NULL, 60);
	set16(f.data + 12, 38);
	model_wire_send(*state, f.data, f.len); /* padded */
	rx_take(&rx, &got);
	set16(f.data + 12, 47);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_length_field", 1);
	assert_int_equal(model_read(*state, IXGBE_RLEC), 1);
	model_clear(*state, IXGBE_HLREG0, IXGBE_HLREG0_RXLNGTHERREN);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	rings_end(*state, 0);
}

static void stores_bad_frames_if_asked(void **state)
{
	struct ring rx;
	struct received got;
	struct built f;

	rings_begin(*state);
	model_write(*state, IXGBE_FCTRL, IXGBE_FCTRL_BAM | IXGBE_FCTRL_SBP);
	rx_open(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	frame_raw(&f, NULL, 40);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, 40);
	assert_true(got.last.dword[2] & IXGBE_RXD_ERR_RXE);
	rings_end(*state, 0);
}

static void keeps_the_crc_if_asked(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;
	uint32_t crc;

	rings_start(*state, &rx, &tx);
	model_clear(*state, IXGBE_HLREG0, IXGBE_HLREG0_RXCRCSTRP);
	model_clear(*state, IXGBE_RDRXCTL, IXGBE_RDRXCTL_CRCSTRIP);
	frame_raw(&f, NULL, 2047);
	for (uint32_t len = 60; len < 1514; len += 97) {
		model_wire_send(*state, f.data, len);
		rx_take(&rx, &got);
		assert_int_equal(got.len, len + 4);
		memcpy(&crc, got.data + len, 4);
		assert_int_equal(crc, plain_crc32(f.data, len, 0xedb88320u));
	}
	rings_end(*state, 0);
}

/* ---- Checksums and packet types ---- */

enum { BREAK_NOTHING, BREAK_IP, BREAK_L4, ZERO_UDP };

struct verdict {
	const char *name;
	struct frame_spec spec;
	int damage;
	uint32_t types, status; /* expected, of the bits below */
};

#define STATUS_BITS                                                                                \
	(IXGBE_RXD_STAT_IPCS | IXGBE_RXD_STAT_L4I | IXGBE_RXD_STAT_UDPCS | IXGBE_RXD_ERR_IPE |     \
	 IXGBE_RXD_ERR_L4E | IXGBE_RXD_ERR_RXE)
#define V4   IXGBE_RXD_TYPE_IPV4
#define V4E  IXGBE_RXD_TYPE_IPV4E
#define V6   IXGBE_RXD_TYPE_IPV6
#define V6E  IXGBE_RXD_TYPE_IPV6E
#define IPCS IXGBE_RXD_STAT_IPCS
#define L4I  IXGBE_RXD_STAT_L4I
#define UCS  IXGBE_RXD_STAT_UDPCS
#define IPE  IXGBE_RXD_ERR_IPE
#define L4E  IXGBE_RXD_ERR_L4E

static const struct verdict verdicts[] = {
	{"TCP", {.payload = 1000}, 0, V4 | IXGBE_RXD_TYPE_TCP, IPCS | L4I},
	{"TCP, odd", {.payload = 999}, 0, V4 | IXGBE_RXD_TYPE_TCP, IPCS | L4I},
	{"TCP without data, padded", {.payload = 0}, 0, V4 | IXGBE_RXD_TYPE_TCP, IPCS | L4I},
	{"TCP, IP options",
	 {.payload = 10, .ip_options = 40},
	 0,
	 V4E | IXGBE_RXD_TYPE_TCP,
	 IPCS | L4I},
	{"TCP, options",
	 {.payload = 10, .tcp_options = 12},
	 0,
	 V4 | IXGBE_RXD_TYPE_TCP,
	 IPCS | L4I},
	{"UDP", {.protocol = 17, .payload = 100}, 0, V4 | IXGBE_RXD_TYPE_UDP, IPCS | L4I | UCS},
	{"SCTP", {.protocol = 132, .payload = 100}, 0, V4 | IXGBE_RXD_TYPE_SCTP, IPCS | L4I},
	{"TCP6", {.ipv6 = true, .payload = 100}, 0, V6 | IXGBE_RXD_TYPE_TCP, L4I},
	{"UDP6",
	 {.ipv6 = true, .protocol = 17, .payload = 7},
	 0,
	 V6 | IXGBE_RXD_TYPE_UDP,
	 L4I | UCS},
	{"TCP6, options",
	 {.ipv6 = true, .ip_options = 24, .payload = 9},
	 0,
	 V6E | IXGBE_RXD_TYPE_TCP,
	 L4I},
	{"tagged",
	 {.tagged = true, .vlan = 5, .payload = 60},
	 0,
	 V4 | IXGBE_RXD_TYPE_TCP,
	 IPCS | L4I},
	{"fragment, right: the erratum", {.fragment = 0x2000, .payload = 64}, 0, V4, IPCS | IPE},
	{"last fragment", {.fragment = 0x0010, .payload = 64}, 0, V4, IPCS | IPE},
	{"not to be cut",
	 {.fragment = 0x4000, .payload = 64},
	 0,
	 V4 | IXGBE_RXD_TYPE_TCP,
	 IPCS | L4I},
	{"another protocol", {.protocol = 47, .payload = 64}, 0, V4, IPCS},
	{"VLAN in VLAN",
	 {.outer_type = 0x8100, .outer_vlan = 3, .tagged = true, .payload = 64},
	 0,
	 0,
	 0},
	{"service tag",
	 {.outer_type = 0x88a8, .outer_vlan = 3, .tagged = true, .payload = 64},
	 0,
	 0,
	 0},
	{"bad IP", {.payload = 100}, BREAK_IP, V4 | IXGBE_RXD_TYPE_TCP, IPCS | L4I | IPE},
	{"bad TCP", {.payload = 100}, BREAK_L4, V4 | IXGBE_RXD_TYPE_TCP, IPCS | L4I | L4E},
	{"bad UDP",
	 {.protocol = 17, .payload = 100},
	 BREAK_L4,
	 V4 | IXGBE_RXD_TYPE_UDP,
	 IPCS | L4I | UCS | L4E},
	{"bad SCTP",
	 {.protocol = 132, .payload = 100},
	 BREAK_L4,
	 V4 | IXGBE_RXD_TYPE_SCTP,
	 IPCS | L4I | L4E},
	{"bad TCP6", {.ipv6 = true, .payload = 1}, BREAK_L4, V6 | IXGBE_RXD_TYPE_TCP, L4I | L4E},
	{"UDP without checksum: the erratum",
	 {.protocol = 17, .payload = 100},
	 ZERO_UDP,
	 V4 | IXGBE_RXD_TYPE_UDP,
	 IPCS | L4I | UCS | L4E},
};

static void damage(struct built *f, int how)
{
	switch (how) {
	case BREAK_IP:
		f->data[f->l3 + 10] ^= 0x40;
		break;
	case BREAK_L4:
		f->data[f->body] ^= 0x40;
		break;
	case ZERO_UDP:
		set16(f->data + f->l4 + 6, 0);
		break;
	}
}

static void judges_checksums(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		const struct verdict *v = &verdicts[i];

		print_message("# %s\n", v->name);
		frame_build(&f, &v->spec);
		damage(&f, v->damage);
		model_wire_send(*state, f.data, f.len);
		rx_take(&rx, &got);
		assert_int_equal(got.len, f.len);
		assert_memory_equal(got.data, f.data, f.len);
		assert_int_equal(got.last.dword[0] & IXGBE_RXD_PKT_TYPE, v->types);
		assert_int_equal(got.last.dword[2] & STATUS_BITS, v->status);
		/* What the descriptor calls wrong is counted, the errata's cases too (8.2.3.23.70).
		 */
		assert_int_equal(model_read(*state, IXGBE_XEC), !!(v->status & (IPE | L4E)));
	}
	rings_end(*state, 0);
}

/* Erratum 67: LLC without SNAP, and bytes that would be IPv4 behind a SNAP header. */
static void takes_llc_for_snap(void **state)
{
	static const uint8_t llc[6] = {0x42, 0x42, 0x03};
	struct ring rx, tx;
	struct received got;
	static struct built f, inner;

	rings_start(*state, &rx, &tx);
	frame_build(&inner, &(struct frame_spec){.payload = 100});
	f = inner;
	set16(f.data + 12, inner.len - 12 + 6);
	memcpy(f.data + 14, llc, 6);
	memcpy(f.data + 20, inner.data + 12, inner.len - 12);
	f.len = inner.len + 8;
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.len);
	assert_memory_equal(got.data, f.data, f.len);
	assert_int_equal(got.last.dword[0] & IXGBE_RXD_PKT_TYPE, V4 | IXGBE_RXD_TYPE_TCP);
	assert_int_equal(got.last.dword[2] & STATUS_BITS, IPCS | L4I);
	rings_end(*state, 0);
}

static void writes_legacy_descriptors(void **state)
{
	struct ring rx;
	struct built f;
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	volatile uint32_t *desc;

	rings_begin(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	rx_legacy(&rx);
	rings_go(*state);
	frame_build(&f, &(struct frame_spec){.payload = 100});
	damage(&f, BREAK_L4);
	model_wire_send(*state, f.data, f.len);
	desc = (volatile uint32_t *)(void *)rx.desc.addr;
	while (!(desc[3] & IXGBE_RXL_STAT_DD))
		assert_true(model_now_ms() < end);
	assert_int_equal(desc[0], (uint32_t)rx.buffer.iova);
	assert_int_equal(desc[2] & IXGBE_RXL_LENGTH, f.len);
	assert_int_equal(desc[3], IXGBE_RXL_STAT_DD | IXGBE_RXL_STAT_EOP | IXGBE_RXL_STAT_IPCS |
					  IXGBE_RXL_STAT_L4CS | IXGBE_RXL_ERR_TCPE);
	assert_memory_equal(rx.buffer.addr, f.data, f.len);
	rings_end(*state, 0);
}

/* They have no place for a hash, and queues of their own are none of theirs (7.1.5). */
static void legacy_descriptors_are_alone(void **state)
{
	struct ring rx;
	struct built f;

	rings_begin(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	rx_legacy(&rx);
	model_write(*state, IXGBE_MRQC, IXGBE_MRQC_MRQE_DCB4);
	rings_go(*state);
	rings_end(*state, 0);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 1; i < 3; i++) {
		model_wire_send(*state, f.data, f.len);
		model_control_wait(*state, "counters", "counters.rx_delivered", i);
	}
	assert_int_equal(model_control_int(*state, "violations", "counts.RX_LEGACY"), 1);
	rings_end(*state, 1);
}

/* Fragments have their checksum in a legacy descriptor, too, without a hash in its place. */
static void sums_fragments_in_legacy_descriptors(void **state)
{
	for (uint32_t pcsd = 0; pcsd < 2; pcsd++) {
		struct ring rx;
		struct built f;
		uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
		volatile uint32_t *desc;

		rings_begin(*state);
		if (!pcsd) {
			model_clear(*state, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
			model_set(*state, IXGBE_RXCSUM, IXGBE_RXCSUM_IPPCSE);
		}
		rx_open(&rx, *state, 0, 64, 2, 0);
		rx_legacy(&rx);
		rings_go(*state);
		frame_build(&f, &(struct frame_spec){
					.protocol = 17, .fragment = 0x2000, .payload = 64});
		model_wire_send(*state, f.data, f.len);
		desc = (volatile uint32_t *)(void *)rx.desc.addr;
		while (!(desc[3] & IXGBE_RXL_STAT_DD))
			assert_true(model_now_ms() < end);
		assert_int_equal(desc[2] & IXGBE_RXL_LENGTH, f.len);
		assert_int_equal(__builtin_bswap16((uint16_t)(desc[2] >> 16)),
				 pcsd ? 0 : plain_sum(0, f.data + f.l4, f.len - f.l4));
		rings_end(*state, 0);
		model_restart(*state);
	}
}

static void splits_headers(void **state)
{
	struct ring rx;
	struct model_dma headers;
	struct received got;
	struct built f;

	rings_begin(*state);
	headers = model_dma_new(*state, 4096);
	model_write(*state, IXGBE_PSRTYPE, IXGBE_PSRTYPE_SPLIT_TCP);
	rx_open_empty(
		&rx, *state, 0, 64, 2,
		IXGBE_FIELD_PREP(IXGBE_SRRCTL_DESCTYPE, IXGBE_SRRCTL_DESCTYPE_ADV_HEADER_SPLIT) |
			IXGBE_FIELD_PREP(IXGBE_SRRCTL_BSIZEHEADER, 2));
	memcpy(rx.desc.addr + 8, &headers.iova, 8);
	rx_give(&rx, 10);
	rings_go(*state);
	frame_build(&f, &(struct frame_spec){.payload = 1000});
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_true(got.last.dword[0] & IXGBE_RXD_SPH);
	assert_int_equal(IXGBE_FIELD_GET(IXGBE_RXD_HDR_LEN, got.last.dword[0]), f.body);
	assert_int_equal(got.len, 1000);
	assert_memory_equal(headers.addr, f.data, f.body);
	assert_memory_equal(got.data, f.data + f.body, 1000);
	assert_int_equal(model_control_int(*state, "violations", "counts.RX_DESC_TYPE"), 1);
	rings_end(*state, 1);
}

static void interrupts_once_for_a_batch(void **state)
{
	struct ring rx;
	struct received got;
	struct built f;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	model_write(*state, IXGBE_GPIE,
		    IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT | IXGBE_GPIE_EIAME);
	model_write(*state, IXGBE_EIAC, 0xffff);
	model_write(*state, IXGBE_IVAR, IXGBE_IVAR_ALLOC0_VALID | 5);
	model_write(*state, IXGBE_EIMS, 1u << 5);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 10; i++)
		model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_frames", 10);
	assert_true(model_irq_quiet(*state, 5));
	rx_give(&rx, 20);
	assert_true(model_irq_wait(*state, 5));
	assert_true(model_irq_quiet(*state, 5));
	for (uint32_t i = 0; i < 10; i++)
		rx_take(&rx, &got);
	rings_end(*state, 0);
}

static void survives_memory_that_is_not_there(void **state)
{
	struct ring rx;
	struct received got;
	struct built f;
	uint64_t nowhere = 0xdead00000000;

	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	memcpy(rx.desc.addr, &nowhere, 8);
	rx_give(&rx, 10);
	rings_go(*state);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_dma", 1);
	rx_take(&rx, &got);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_memory_equal(got.data, f.data, f.len);
}

/* A client that maps its memory without a file: the driver has done nothing wrong. */
static void blames_no_driver_for_memory_that_is_not_shared(void **state)
{
	const uint64_t iova = 0x40000000;
	struct vu_dma_map map = {.argsz = sizeof(map),
				 .flags = VU_DMA_READABLE | VU_DMA_WRITABLE,
				 .addr = iova,
				 .size = 64u << 20};
	struct ring rx;
	struct built f;

	assert_int_equal(model_command(*state, VU_DMA_MAP, &map, sizeof(map), NULL, 0, NULL, 0), 0);
	rings_begin(*state);
	rx_open_empty(&rx, *state, 0, 64, 2, 0);
	memcpy(rx.desc.addr, &iova, 8);
	rx_give(&rx, 10);
	rings_go(*state);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_dma", 1);
	assert_int_equal(model_control_int(*state, "status", "unshared"), 1);
	rings_end(*state, 0);
}

static void reports_a_ring_that_is_not_there(void **state)
{
	struct ring rx;
	struct built f;

	rings_begin(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	model_write(*state, IXGBE_RDBAH, 0xdead);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_dma", 1);
	assert_int_equal(model_control_int(*state, "violations", "counts.DMA_FAULT"), 1);
}

/* As a kernel does before it resets the device of a process that ended. */
static void stands_still_without_bus_master(void **state)
{
	struct ring rx;
	struct built f;

	rings_begin(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	rings_go(*state);
	model_config_write(*state, 0x04, 2, 0x0002);
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_dma", 1);
	assert_int_equal(model_control_int(*state, "violations", "total"), 0);
	/* Who hands over work without it has forgotten it. */
	model_write(*state, IXGBE_RDT, model_read(*state, IXGBE_RDT) + 1);
	model_control_wait(*state, "violations", "counts.DMA_FAULT", 1);
}

static void refuses_a_frame_larger_than_the_ring(void **state)
{
	struct ring rx;
	struct received got;
	struct built f;

	rings_begin(*state);
	model_set(*state, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
	model_write(*state, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 9728));
	rx_open(&rx, *state, 0, 8, 1, 0);
	rings_go(*state);
	frame_raw(&f, NULL, 9000);
	model_wire_send(*state, f.data, f.len);
	model_control_wait(*state, "counters", "counters.rx_drop_too_big", 1);
	frame_raw(&f, NULL, 7000);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.descs, 7);
	rings_end(*state, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(receives_a_frame),
		T(receives_many_frames_round_the_ring),
		T(spans_descriptors),
		T(waits_in_the_packet_buffer),
		T(misses_what_the_packet_buffer_cannot_hold),
		T(drops_without_descriptors_if_asked),
		T(drops_what_is_closed),
		T(refuses_runts_and_giants),
		T(checks_the_length_field),
		T(stores_bad_frames_if_asked),
		T(keeps_the_crc_if_asked),
		T(judges_checksums),
		T(takes_llc_for_snap),
		T(writes_legacy_descriptors),
		T(legacy_descriptors_are_alone),
		T(sums_fragments_in_legacy_descriptors),
		T(splits_headers),
		T(interrupts_once_for_a_batch),
		T(survives_memory_that_is_not_there),
		T(blames_no_driver_for_memory_that_is_not_shared),
		T(reports_a_ring_that_is_not_there),
		T(stands_still_without_bus_master),
		T(refuses_a_frame_larger_than_the_ring),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
