/* SPDX-License-Identifier: MIT */
/* Transmit rings: from descriptors to frames on the wire, and back to the driver. */
#include <string.h>

#include "model_rings.h"

/* The next frame on the wire must be this one. */
static void expect(struct model *m, const uint8_t *data, size_t len)
{
	uint8_t got[MODEL_FRAME_MAX];

	assert_int_equal(model_wire_recv(m, got, sizeof(got)), len);
	assert_memory_equal(got, data, len);
}

static void sends_a_frame(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	tx_wait(&tx, index);
	assert_int_equal(model_read(*state, IXGBE_TDH), 1);
	assert_int_equal(counter(*state, "tx_sent"), 1);
	rings_end(*state, 0);
}

static void sends_many_frames_round_the_ring(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	for (uint32_t round = 0; round < 10; round++) {
		uint32_t index = 0;

		for (uint32_t i = 0; i < 40; i++) {
			frame_raw(&f, NULL, 60 + round * 40 + i);
			index = tx_frame(&tx, f.data, f.len, 0, 0);
		}
		tx_kick(&tx);
		for (uint32_t i = 0; i < 40; i++) {
			frame_raw(&f, NULL, 60 + round * 40 + i);
			expect(*state, f.data, f.len);
		}
		tx_wait(&tx, index);
	}
	rings_end(*state, 0);
}

static void gathers_descriptors(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index = 0, pieces = 38, size = 25;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, pieces * size);
	for (uint32_t i = 0; i < pieces; i++)
		index = tx_desc(
			&tx, tx_data(&tx, f.data + i * size, size),
			tx_data_half(size,
				     i + 1 < pieces ? IXGBE_TXD_DEXT | IXGBE_TXD_IFCS : TX_LAST,
				     f.len, 0));
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	tx_wait(&tx, index);
	assert_false(tx_done(&tx, index - 1));
	rings_end(*state, 0);
}

static void waits_for_the_end_of_a_frame(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 200);
	tx_desc(&tx, tx_data(&tx, f.data, 100),
		tx_data_half(100, IXGBE_TXD_DEXT | IXGBE_TXD_IFCS, 200, 0));
	tx_kick(&tx);
	assert_true(model_wire_quiet(*state));
	tx_desc(&tx, tx_data(&tx, f.data + 100, 100), tx_data_half(100, TX_LAST, 200, 0));
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	/* Told once (7.2.3.4), as long as the queue stays enabled. */
	tx_context(&tx, 0, 14, 0, 0, 0, 0, 0);
	tx_kick(&tx);
	assert_true(model_wire_quiet(*state));
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_TAIL_PACKET"), 1);
	rings_end(*state, 1);
}

static void sends_legacy_descriptors(void **state)
{
	struct ring rx, tx;
	struct built f;
	union ixgbe_desc desc = {0};
	uint32_t index;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	frame_build(&f, &(struct frame_spec){.payload = 300});
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, 320));
	desc.dword[2] = f.len | IXGBE_FIELD_PREP(IXGBE_TXL_CSO, f.l4 + 16) | IXGBE_TXL_IC |
			IXGBE_TXD_EOP | IXGBE_TXD_IFCS | IXGBE_TXD_RS | IXGBE_TXD_VLE;
	desc.dword[3] = IXGBE_FIELD_PREP(IXGBE_TXL_CSS, f.l4) | 0x0123u << 16;
	index = tx_desc(&tx, tx_data(&tx, f.data, f.len), desc.qword[1]);
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, got, sizeof(got)), f.len + 4);
	assert_int_equal(get32(got + 12), 0x81000123);
	assert_true(frame_l4_right(got, f.l3 + 4, f.l4 + 4, f.len + 4));
	tx_wait(&tx, index);
	rings_end(*state, 0);
}

static void pads_short_frames(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint8_t want[60] = {0};

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 20);
	memcpy(want, f.data, 20);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, want, sizeof(want));
	/* The 17 bytes are of PAYLEN: a legacy descriptor has 14 at least. */
	memset(want + 14, 0, sizeof(want) - 14);
	tx_desc(&tx, tx_data(&tx, f.data, 14), 14 | (TX_LAST & ~IXGBE_TXD_DEXT));
	tx_kick(&tx);
	expect(*state, want, sizeof(want));
	model_clear(*state, IXGBE_HLREG0, IXGBE_HLREG0_TXPADEN);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	rings_end(*state, 0);
}

struct checksum_case {
	const char *name;
	struct frame_spec spec;
	uint32_t l4t;
	uint32_t sum_at;
};

/* `bare`: contexts with what TXSM needs and no more, as the in-kernel driver makes them. */
static void inserts_each_checksum(void **state, bool bare)
{
	static const struct checksum_case cases[] = {
		{"TCP over IPv4", {.payload = 333}, IXGBE_TXC_L4T_TCP, 16},
		{"UDP over IPv4", {.protocol = 17, .payload = 1}, IXGBE_TXC_L4T_UDP, 6},
		{"UDP over IPv4, options",
		 {.protocol = 17, .payload = 99, .ip_options = 8},
		 IXGBE_TXC_L4T_UDP,
		 6},
		{"TCP over IPv6", {.ipv6 = true, .payload = 1000}, IXGBE_TXC_L4T_TCP, 16},
		{"UDP over IPv6",
		 {.ipv6 = true, .protocol = 17, .payload = 64},
		 IXGBE_TXC_L4T_UDP,
		 6},
		{"TCP over IPv6, options",
		 {.ipv6 = true, .ip_options = 16, .payload = 5},
		 IXGBE_TXC_L4T_TCP,
		 16},
		{"TCP, tag inline",
		 {.tagged = true, .vlan = 7, .payload = 500},
		 IXGBE_TXC_L4T_TCP,
		 16},
		{"SCTP", {.protocol = 132, .payload = 40}, IXGBE_TXC_L4T_SCTP, 8},
	};
	struct ring rx, tx;

	rings_start(*state, &rx, &tx);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct checksum_case *c = &cases[i];
		uint8_t protocol = c->spec.protocol ? c->spec.protocol : 6;
		struct built want, f;

		print_message("# %s\n", c->name);
		frame_build(&want, &c->spec);
		f = want;
		if (!c->spec.ipv6 && !bare)
			set16(f.data + f.l3 + 10, 0);
		if (protocol == 132)
			set32(f.data + f.l4 + 8, 0);
		else
			set16(f.data + f.l4 + c->sum_at,
			      pseudo_sum(f.data, f.l3, protocol,
					 (c->spec.ipv6 ? get16(f.data + f.l3 + 4) + 40u
						       : get16(f.data + f.l3 + 2)) -
						 (f.l4 - f.l3)));
		tx_context(&tx, i & 1, f.l3, f.l4 - f.l3, 0, 0, 0,
			   (c->spec.ipv6 || bare ? 0 : IXGBE_TXC_IPV4) |
				   IXGBE_FIELD_PREP(IXGBE_TXC_L4T, c->l4t));
		tx_frame(&tx, f.data, f.len, 0,
			 IXGBE_TXD_CC | IXGBE_FIELD_PREP(IXGBE_TXD_IDX, i & 1) |
				 IXGBE_TXD_POPTS_TXSM |
				 (c->spec.ipv6 || bare ? 0 : IXGBE_TXD_POPTS_IXSM));
		tx_kick(&tx);
		expect(*state, want.data, want.len);
	}
	rings_end(*state, 0);
}

static void inserts_checksums(void **state)
{
	inserts_each_checksum(state, false);
}

static void inserts_checksums_by_bare_contexts(void **state)
{
	inserts_each_checksum(state, true);
}

/* Specification clarification 10: what software appends to a short frame is summed, what the NIC
 * appends is not. */
static void pads_sctp_behind_its_sum(void **state)
{
	struct ring rx, tx;
	struct built want;
	uint8_t sent[60] = {0}, got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	frame_build(&want, &(struct frame_spec){.protocol = 132});
	assert_int_equal(want.body, 46);
	tx_context(&tx, 0, want.l3, want.l4 - want.l3, 0, 0, 0,
		   IXGBE_TXC_IPV4 | IXGBE_FIELD_PREP(IXGBE_TXC_L4T, IXGBE_TXC_L4T_SCTP));
	for (uint32_t len = 46; len <= 60; len += 14) {
		memcpy(sent, want.data, 46);
		set32(sent + want.l4 + 8, 0);
		tx_frame(&tx, sent, len, 0, IXGBE_TXD_CC | IXGBE_TXD_POPTS_TXSM);
		tx_kick(&tx);
		assert_int_equal(model_wire_recv(*state, got, sizeof(got)), 60);
		assert_int_equal(memcmp(got, want.data, 46) == 0, len == 46);
	}
	rings_end(*state, 0);
}

static void keeps_both_contexts(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 80);
	tx_context(&tx, 0, 14, 0, 0, 0, 100, 0);
	tx_context(&tx, 1, 14, 0, 0, 0, 200, 0);
	for (uint32_t i = 0; i < 6; i++)
		tx_frame(&tx, f.data, f.len, IXGBE_TXD_VLE, IXGBE_FIELD_PREP(IXGBE_TXD_IDX, i & 1));
	tx_kick(&tx);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(model_wire_recv(*state, got, sizeof(got)), 84);
		assert_int_equal(get16(got + 14), i & 1 ? 200 : 100);
	}
	rings_end(*state, 0);
}

static void interrupts_once_for_a_batch(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	model_write(*state, IXGBE_GPIE,
		    IXGBE_GPIE_MULTIPLE_MSIX | IXGBE_GPIE_PBA_SUPPORT | IXGBE_GPIE_EIAME);
	model_write(*state, IXGBE_EIAC, 0xffff);
	model_write(*state, IXGBE_IVAR,
		    (IXGBE_IVAR_ALLOC0_VALID | 3) << 8 | IXGBE_IVAR_ALLOC0_VALID | 2);
	model_write(*state, IXGBE_EIMS, 1u << 2 | 1u << 3);
	frame_raw(&f, NULL, 100);
	for (uint32_t i = 0; i < 10; i++)
		tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	assert_true(model_irq_wait(*state, 3));
	assert_true(model_irq_quiet(*state, 3));
	assert_true(model_irq_quiet(*state, 2));
	rings_end(*state, 0);
}

static void stands_still_without_link(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index;

	rings_start(*state, &rx, &tx);
	json_decref(model_control(*state, "link down"));
	model_wait(*state, IXGBE_LINKS, IXGBE_LINKS_UP, 0);
	frame_raw(&f, NULL, 100);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	assert_true(model_wire_quiet(*state));
	assert_false(tx_done(&tx, index));
	json_decref(model_control(*state, "link up"));
	expect(*state, f.data, f.len);
	tx_wait(&tx, index);
	rings_end(*state, 0);
}

static void sends_jumbo_frames(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index;

	rings_start(*state, &rx, &tx);
	model_set(*state, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
	model_write(*state, IXGBE_MAXFRS, IXGBE_FIELD_PREP(IXGBE_MAXFRS_MFS, 9728));
	frame_raw(&f, NULL, 9724);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
	/* Without jumbo frames the same one is too long; a tag may come on top. */
	model_clear(*state, IXGBE_HLREG0, IXGBE_HLREG0_JUMBOEN);
	index = tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	tx_wait(&tx, index);
	assert_int_equal(counter(*state, "tx_drop_invalid"), 1);
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_FRAME_LENGTH"), 1);
	rings_end(*state, 1);
}

/* Two tags of a frame come on top of the longest frame, and nothing else does. */
static void tags_do_not_count_against_maxfrs(void **state)
{
	static const char *const types[] = {"\x08\x00", "\x81\x00\0\0\x08\x00",
					    "\x88\xa8\0\0\x81\x00\0\0\x08\x00",
					    "\x88\xa8\0\0\x81\x00\0\0\x81\x00"};
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	for (uint32_t i = 0; i < 4; i++) {
		const uint32_t longest = 1514 + 4 * (i < 2 ? i : 2);
		uint32_t index;

		for (uint32_t more = 0; more < 2; more++) {
			frame_raw(&f, NULL, longest + more);
			memcpy(f.data + 12, types[i], i < 2 ? 2 + 4 * i : 10);
			index = tx_frame(&tx, f.data, f.len, 0, 0);
			tx_kick(&tx);
			if (more == 0)
				expect(*state, f.data, f.len);
			tx_wait(&tx, index);
		}
		assert_int_equal(counter(*state, "tx_drop_invalid"), i + 1);
	}
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_FRAME_LENGTH"), 4);
	rings_end(*state, 4);
}

/* The queues take turns, so that a long one starves none. */
static void serves_several_queues(void **state)
{
	static const uint32_t queues[] = {0, 1, 64, 127};
	enum { QUEUES = 4, FRAMES = 30 };
	uint32_t seen[QUEUES] = {0}, last = 0;
	struct ring rx, tx[QUEUES];
	struct built f;

	rings_begin(*state);
	rings_pools(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	for (uint32_t q = 0; q < QUEUES; q++) {
		tx_open(&tx[q], *state, queues[q], 64);
		for (uint32_t i = 0; i < FRAMES; i++) {
			frame_raw(&f, NULL, 60 + q * 100 + i);
			last = tx_frame(&tx[q], f.data, f.len, 0, 0);
		}
	}
	/* Nobody sends while the transmit path stops; all begin at once. */
	model_set(*state, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS);
	rings_go(*state);
	for (uint32_t q = 0; q < QUEUES; q++)
		tx_kick(&tx[q]);
	model_clear(*state, IXGBE_SECTXCTRL, IXGBE_SECTXCTRL_TX_DIS);
	for (uint32_t n = 0; n < QUEUES * FRAMES; n++) {
		uint8_t data[MODEL_FRAME_MAX];
		size_t len = model_wire_recv(*state, data, sizeof(data));
		uint32_t q = (uint32_t)(len - 60) / 100;

		assert_true(len >= 60 && q < QUEUES);
		assert_int_equal(len, 60 + q * 100 + seen[q]); /* in order within a queue */
		assert_int_equal(seen[q]++, n / QUEUES);
	}
	for (uint32_t q = 0; q < QUEUES; q++) {
		tx_wait(&tx[q], last);
		assert_int_equal(model_read(*state, ixgbe_txq_reg(IXGBE_TDH, queues[q])), FRAMES);
	}
	rings_end(*state, 0);
}

static void loops_back(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;

	rings_start(*state, &rx, &tx);
	model_set(*state, IXGBE_HLREG0, IXGBE_HLREG0_LPBK);
	frame_build(&f, &(struct frame_spec){.payload = 700});
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	rx_take(&rx, &got);
	assert_int_equal(got.len, f.len);
	assert_memory_equal(got.data, f.data, f.len);
	assert_true(model_wire_quiet(*state));
	rings_end(*state, 0);
}

static void checks_a_crc_that_software_brings(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t crc;

	rings_start(*state, &rx, &tx);
	frame_raw(&f, NULL, 100);
	crc = plain_crc32(f.data, 100, 0xedb88320u);
	memcpy(f.data + 100, &crc, 4);
	tx_desc(&tx, tx_data(&tx, f.data, 104),
		tx_data_half(104, TX_LAST & ~IXGBE_TXD_IFCS, 104, 0));
	tx_kick(&tx);
	expect(*state, f.data, 100);
	f.data[103] ^= 1;
	tx_desc(&tx, tx_data(&tx, f.data, 104),
		tx_data_half(104, TX_LAST & ~IXGBE_TXD_IFCS, 104, 0));
	tx_kick(&tx);
	assert_true(model_wire_quiet(*state));
	assert_int_equal(counter(*state, "tx_drop_crc"), 1);
	rings_end(*state, 0);
}

/* ---- What a driver must not do: reported, dropped, completed ---- */

struct bad {
	const char *rule;
	uint32_t descs, len, cmd, paylen, options;
};

static void refuses_bad_descriptors(void **state)
{
	static const struct bad cases[] = {
		{"TX_FRAME_LENGTH", 1, 16, TX_LAST, 16, 0},
		{"TX_FRAME_LENGTH", 1, 13, TX_LAST & ~IXGBE_TXD_DEXT, 0, 0},
		{"TX_FRAME_LENGTH", 1, 1600, TX_LAST, 1600, 0},
		{"TX_DESC_LENGTH", 2, 0, TX_LAST, 0, 0},
		{"TX_DESC_LENGTH", 1, 16385, TX_LAST, 16385, 0},
		{"TX_PAYLEN", 1, 100, TX_LAST, 101, 0},
		{"TX_FRAME_DESCS", 39, 20, TX_LAST, 780, 0},
		{"TX_DESC_TYPE", 1, 100, TX_LAST | 0x00c00000, 100, 0}, /* DTYP 15 */
		{"TX_DESC_TYPE", 2, 50, TX_LAST & ~IXGBE_TXD_DEXT, 100, 0},
		{"TX_CONTEXT", 1, 100, TX_LAST | IXGBE_TXD_VLE, 100, 0},
		{"TX_CONTEXT", 1, 100, TX_LAST | IXGBE_TXD_TSE, 100, 0},
		{"TX_CONTEXT", 1, 100, TX_LAST, 100, IXGBE_TXD_POPTS_TXSM | 0x70},
		{"TX_CONTEXT", 1, 100, TX_LAST, 100, IXGBE_TXD_CC},
	};
	static uint8_t data[20000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bad *c = &cases[i];
		struct ring rx, tx;
		uint32_t index = 0;
		struct built f;

		print_message("# %s\n", c->rule);
		rings_start(*state, &rx, &tx);
		for (uint32_t d = 0; d < c->descs; d++)
			index = tx_desc(&tx, tx_data(&tx, data, c->len),
					tx_data_half(c->len,
						     d + 1 < c->descs
							     ? IXGBE_TXD_DEXT | IXGBE_TXD_IFCS
							     : c->cmd,
						     c->paylen, c->options));
		tx_kick(&tx);
		tx_wait(&tx, index);
		assert_int_equal(model_broken(*state, c->rule), 1);
		assert_int_equal(counter(*state, "tx_drop_invalid"), 1);
		frame_raw(&f, NULL, 100);
		tx_frame(&tx, f.data, f.len, 0, 0);
		tx_kick(&tx);
		expect(*state, f.data, f.len); /* the ring goes on */
		rings_end(*state, 1);
		model_restart(*state);
	}
}

static void survives_memory_that_is_not_there(void **state)
{
	struct ring rx, tx;
	struct built f;
	uint32_t index;

	rings_start(*state, &rx, &tx);
	index = tx_desc(&tx, 0xdead00000000, tx_data_half(100, TX_LAST, 100, 0));
	tx_kick(&tx);
	tx_wait(&tx, index);
	assert_int_equal(counter(*state, "tx_drop_dma"), 1);
	/* Received Master Abort (9.3.3): the read was refused. */
	assert_int_equal(model_config_read(*state, 6, 2) & 0x2000, 0x2000);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
}

/* A ring where no memory is stands still, and says why; so does a head that cannot be written. */
static void reports_a_ring_that_is_not_there(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_begin(*state);
	rx_open(&rx, *state, 0, 64, 2, 0);
	tx_open(&tx, *state, 0, 64);
	rings_go(*state);
	model_write(*state, IXGBE_TXDCTL, 0);
	model_write(*state, IXGBE_TDBAH, 0xdead);
	model_write(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_wait(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	model_control_wait(*state, "violations", "counts.DMA_FAULT", 1);
	model_write(*state, IXGBE_TXDCTL, 0);
	model_write(*state, IXGBE_TDBAH, (uint32_t)(tx.desc.iova >> 32));
	model_write(*state, IXGBE_TDWBAH, 0xdead);
	model_write(*state, IXGBE_TDWBAL, IXGBE_TDWBAL_HEAD_WB_EN);
	model_write(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE);
	model_wait(*state, IXGBE_TXDCTL, IXGBE_TXDCTL_ENABLE, IXGBE_TXDCTL_ENABLE);
	expect(*state, f.data, f.len);
	model_control_wait(*state, "violations", "counts.DMA_FAULT", 2);
}

static void ignores_a_tail_outside_the_ring(void **state)
{
	struct ring rx, tx;
	struct built f;

	rings_start(*state, &rx, &tx);
	model_write(*state, IXGBE_TDT, 64);
	model_write(*state, IXGBE_TDT, 0xffff);
	assert_true(model_wire_quiet(*state));
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_TAIL_RANGE"), 1);
	frame_raw(&f, NULL, 100);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	expect(*state, f.data, f.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(sends_a_frame),
		T(sends_many_frames_round_the_ring),
		T(gathers_descriptors),
		T(waits_for_the_end_of_a_frame),
		T(sends_legacy_descriptors),
		T(pads_short_frames),
		T(inserts_checksums),
		T(inserts_checksums_by_bare_contexts),
		T(pads_sctp_behind_its_sum),
		T(keeps_both_contexts),
		T(interrupts_once_for_a_batch),
		T(stands_still_without_link),
		T(sends_jumbo_frames),
		T(tags_do_not_count_against_maxfrs),
		T(serves_several_queues),
		T(loops_back),
		T(checks_a_crc_that_software_brings),
		T(refuses_bad_descriptors),
		T(survives_memory_that_is_not_there),
		T(reports_a_ring_that_is_not_there),
		T(ignores_a_tail_outside_the_ring),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
