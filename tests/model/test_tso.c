/* SPDX-License-Identifier: MIT */
/* Segmentation: each frame that comes out is looked at as the receiver would. */
#include <string.h>

#include "model_rings.h"

struct tso_case {
	const char *name;
	struct frame_spec spec;
	uint32_t mss;
	uint32_t piece; /* bytes in a descriptor; 0: as much as fits */
	bool insert_tag;
};

enum { FIN = 1, PSH = 8, ACK = 16, CWR = 128 };

static const struct tso_case cases[] = {
	{"IPv4", {.payload = 10000, .seq = 0xfffff000, .tcp_flags = ACK}, 1460},
	{"IPv4, a multiple of MSS", {.payload = 14600, .tcp_flags = ACK | PSH}, 1460},
	{"IPv4, all flags", {.payload = 5000, .tcp_flags = ACK | PSH | FIN | CWR}, 1000},
	{"one frame keeps its flags", {.payload = 500, .tcp_flags = ACK | PSH | FIN | CWR}, 1460},
	{"IPv4, TCP options, odd MSS", {.payload = 20001, .tcp_options = 12}, 1447},
	{"IPv4, IP options", {.payload = 4000, .ip_options = 16}, 900},
	{"IPv6", {.ipv6 = true, .payload = 30000, .seq = 1}, 1440},
	{"IPv6, options", {.ipv6 = true, .ip_options = 8, .payload = 3000}, 1400},
	{"tag inline", {.tagged = true, .vlan = 9, .payload = 6000}, 1460},
	{"tag inserted", {.payload = 6000}, 1460, 0, true},
	{"many small descriptors", {.payload = 3000}, 1000, 81},
	{"64 KiB", {.payload = 65000, .tcp_options = 12}, 1448},
	{"small MSS", {.payload = 3000}, 10},
	{"UDP", {.protocol = 17, .payload = 5000}, 1472},
	{"UDP over IPv6", {.ipv6 = true, .protocol = 17, .payload = 2500}, 1000},
};

/* Posts the packet as drivers do: lengths 0, the pseudo header's sum without length. */
static uint32_t post(struct ring *tx, const struct tso_case *c, const struct built *original)
{
	struct built f = *original;
	uint8_t protocol = c->spec.protocol ? c->spec.protocol : 6;
	uint32_t piece = c->piece ? c->piece : 16384;
	uint32_t index = 0;

	if (!c->spec.ipv6) {
		set16(f.data + f.l3 + 2, 0);
		set16(f.data + f.l3 + 10, 0);
	} else {
		set16(f.data + f.l3 + 4, 0);
	}
	set16(f.data + f.l4 + (protocol == 6 ? 16 : 6), pseudo_sum(f.data, f.l3, protocol, 0));
	tx_context(tx, 0, f.l3, f.l4 - f.l3, f.body - f.l4, c->mss, 77,
		   (c->spec.ipv6 ? 0 : IXGBE_TXC_IPV4) |
			   IXGBE_FIELD_PREP(IXGBE_TXC_L4T,
					    protocol == 6 ? IXGBE_TXC_L4T_TCP : IXGBE_TXC_L4T_UDP));
	for (uint32_t at = 0; at < f.len; at += piece) {
		uint32_t len = f.len - at < piece ? f.len - at : piece;
		uint32_t cmd = IXGBE_TXD_DEXT | IXGBE_TXD_IFCS | IXGBE_TXD_TSE |
			       (c->insert_tag ? IXGBE_TXD_VLE : 0);

		if (at + len == f.len)
			cmd |= IXGBE_TXD_EOP | IXGBE_TXD_RS;
		index = tx_desc(tx, tx_data(tx, f.data + at, len),
				tx_data_half(len, cmd, f.len - f.body,
					     IXGBE_TXD_CC | IXGBE_TXD_POPTS_TXSM |
						     (c->spec.ipv6 ? 0 : IXGBE_TXD_POPTS_IXSM)));
	}
	tx_kick(tx);
	return index;
}

/* One frame: number `i`, with the payload from `at` on. Returns its payload's length. */
static uint32_t check(const struct tso_case *c, const struct built *f, const uint8_t *got,
		      uint32_t len, uint32_t i, uint32_t at)
{
	uint32_t shift = c->insert_tag ? 4 : 0, l3 = f->l3 + shift, l4 = f->l4 + shift;
	uint32_t body = f->body + shift, total = f->len - f->body;
	uint32_t want = total - at < c->mss ? total - at : c->mss;
	bool first = at == 0, last = at + want == total;
	uint32_t ip_len = body + want - l3;

	assert_int_equal(len, body + want < 60 ? 60 : body + want);
	assert_memory_equal(got, f->data, 12);
	if (c->insert_tag)
		assert_int_equal(get32(got + 12), 0x81000000 | 77);
	assert_memory_equal(got + 12 + shift, f->data + 12, f->l3 - 12);
	if (c->spec.ipv6) {
		assert_int_equal(get16(got + l3 + 4), ip_len - 40);
	} else {
		assert_int_equal(get16(got + l3 + 2), ip_len);
		assert_int_equal(get16(got + l3 + 4), 0x1234 + i);
		assert_true(frame_ip_right(got, l3));
	}
	if (c->spec.protocol == 17) {
		assert_int_equal(get16(got + l4 + 4), 8 + want);
	} else {
		uint8_t flags = f->data[f->l4 + 13];

		assert_int_equal(get32(got + l4 + 4), c->spec.seq + at);
		if (!last)
			flags &= (uint8_t) ~(FIN | PSH);
		if (!first)
			flags &= (uint8_t)~CWR;
		assert_int_equal(got[l4 + 13], flags);
	}
	assert_true(frame_l4_right(got, l3, l4, len));
	assert_memory_equal(got + body, f->data + f->body + at, want);
	return want;
}

static void cuts(void **state)
{
	static struct built f;
	struct ring rx, tx;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tso_case *c = &cases[i];
		uint32_t at = 0, frames = 0, index;

		print_message("# %s\n", c->name);
		frame_build(&f, &c->spec);
		index = post(&tx, c, &f);
		while (at < f.len - f.body) {
			uint32_t len = (uint32_t)model_wire_recv(*state, got, sizeof(got));

			at += check(c, &f, got, len, frames++, at);
		}
		tx_wait(&tx, index);
		assert_int_equal(model_read(*state, IXGBE_GPTC), frames);
	}
	assert_true(model_wire_quiet(*state));
	rings_end(*state, 0);
}

static void obeys_the_flag_masks(void **state)
{
	static struct built f;
	static const struct tso_case c = {
		"", {.payload = 3000, .tcp_flags = ACK | PSH | FIN}, 1000};
	struct ring rx, tx;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	model_write(*state, IXGBE_DTXTCPFLGL, 0x0ff7 | 0x0ffe << 16);
	model_write(*state, IXGBE_DTXTCPFLGH, 0x0fef);
	frame_build(&f, &c.spec);
	post(&tx, &c, &f);
	model_wire_recv(*state, got, sizeof(got));
	assert_int_equal(got[f.l4 + 13], ACK | FIN);
	model_wire_recv(*state, got, sizeof(got));
	assert_int_equal(got[f.l4 + 13], ACK | PSH);
	model_wire_recv(*state, got, sizeof(got));
	assert_int_equal(got[f.l4 + 13], PSH | FIN);
	rings_end(*state, 0);
}

static void stops_for_a_wire_that_is_full(void **state)
{
	static struct built f;
	static const struct tso_case c = {"", {.payload = 60000}, 100};
	struct ring rx, tx;
	uint8_t got[MODEL_FRAME_MAX];
	uint32_t index = 0;

	rings_start(*state, &rx, &tx);
	frame_build(&f, &c.spec);
	for (uint32_t i = 0; i < 8; i++)
		index = post(&tx, &c, &f);
	/* more than any socket holds; nothing may be lost */
	for (uint32_t i = 0; i < 8; i++)
		for (uint32_t n = 0; n < 600; n++)
			check(&c, &f, got, (uint32_t)model_wire_recv(*state, got, sizeof(got)), n,
			      n * 100);
	tx_wait(&tx, index);
	rings_end(*state, 0);
}

struct bad {
	const char *rule;
	uint32_t maclen, iplen, l4len, mss;
};

static void refuses_bad_contexts(void **state)
{
	static const struct bad bad[] = {
		{"TX_CONTEXT", 14, 20, 20, 0},   {"TX_CONTEXT", 0, 20, 34, 1000},
		{"TX_CONTEXT", 14, 0, 40, 1000}, {"TX_CONTEXT", 14, 40, 0, 1000},
		{"TX_PAYLEN", 14, 20, 24, 1000}, {"TX_FRAME_LENGTH", 14, 20, 20, 2000},
	};
	static struct built f;

	frame_build(&f, &(struct frame_spec){.payload = 3000});
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, 0));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ring rx, tx;
		uint32_t index;

		print_message("# %s\n", bad[i].rule);
		rings_start(*state, &rx, &tx);
		tx_context(&tx, 0, bad[i].maclen, bad[i].iplen, bad[i].l4len, bad[i].mss, 0,
			   IXGBE_TXC_IPV4 | IXGBE_FIELD_PREP(IXGBE_TXC_L4T, IXGBE_TXC_L4T_TCP));
		index = tx_desc(&tx, tx_data(&tx, f.data, f.len),
				tx_data_half(f.len, TX_LAST | IXGBE_TXD_TSE, 3000,
					     IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM));
		tx_kick(&tx);
		tx_wait(&tx, index);
		assert_true(model_wire_quiet(*state));
		assert_int_equal(model_broken(*state, bad[i].rule), 1);
		assert_int_equal(counter(*state, "tx_drop_invalid"), 1);
		rings_end(*state, 1);
		model_restart(*state);
	}
}

/* The hardware sums what software left in the field: wrong there is wrong on the wire. */
static void reports_a_wrong_seed(void **state)
{
	static struct built f;
	struct ring rx, tx;
	uint8_t got[MODEL_FRAME_MAX];
	uint32_t len;

	rings_start(*state, &rx, &tx);
	frame_build(&f, &(struct frame_spec){.payload = 500});
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, 520));
	tx_context(&tx, 0, 14, 20, 20, 1000, 0,
		   IXGBE_TXC_IPV4 | IXGBE_FIELD_PREP(IXGBE_TXC_L4T, IXGBE_TXC_L4T_TCP));
	tx_desc(&tx, tx_data(&tx, f.data, f.len),
		tx_data_half(f.len, TX_LAST | IXGBE_TXD_TSE, 500,
			     IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM));
	tx_kick(&tx);
	len = (uint32_t)model_wire_recv(*state, got, sizeof(got));
	assert_false(frame_l4_right(got, f.l3, f.l4, len));
	assert_int_equal(model_control_int(*state, "violations", "counts.TX_TSO_HEADER"), 1);
	rings_end(*state, 1);
}

/* Behind options the last address of a source route may count: the NIC cannot tell. */
static void does_not_judge_a_seed_behind_options(void **state)
{
	static struct built f;
	struct ring rx, tx;
	uint8_t got[MODEL_FRAME_MAX];

	rings_start(*state, &rx, &tx);
	frame_build(&f, &(struct frame_spec){.payload = 500});
	memmove(f.data + f.l4 + 4, f.data + f.l4, f.len - f.l4);
	memset(f.data + f.l4, 1, 4); /* IP's option that does nothing */
	f.data[f.l3] = 0x46;
	set16(f.data + f.l4 + 4 + 16, 0x1234);
	tx_context(&tx, 0, 14, 24, 20, 1000, 0,
		   IXGBE_TXC_IPV4 | IXGBE_FIELD_PREP(IXGBE_TXC_L4T, IXGBE_TXC_L4T_TCP));
	tx_desc(&tx, tx_data(&tx, f.data, f.len + 4),
		tx_data_half(f.len + 4, TX_LAST | IXGBE_TXD_TSE, 500,
			     IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM));
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, got, sizeof(got)), f.len + 4);
	rings_end(*state, 0);
}

/* What 7.2.4 asks beside the context, each left out. */
static void reports_what_tso_lacks(void **state)
{
	static const struct {
		uint32_t options, clear, pieces;
	} lacks[] = {
		{IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM, 0, 1},
		{IXGBE_TXD_POPTS_IXSM, 0, 1},
		{IXGBE_TXD_POPTS_TXSM, 0, 1},
		{IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM, IXGBE_HLREG0_TXPADEN, 1},
		{IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM, 0, 4},
		{IXGBE_TXD_POPTS_TXSM | IXGBE_TXD_POPTS_IXSM, 0, 5},
	};
	static struct built f;

	frame_build(&f, &(struct frame_spec){.payload = 500});
	set16(f.data + f.l4 + 16, pseudo_sum(f.data, f.l3, 6, 0));
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		bool right = i == 0 || i == 4;
		struct ring rx, tx;
		uint8_t got[MODEL_FRAME_MAX];
		uint32_t at = 0;

		rings_start(*state, &rx, &tx);
		model_clear(*state, IXGBE_HLREG0, lacks[i].clear);
		tx_context(&tx, 0, 14, 20, 20, 1000, 0,
			   IXGBE_TXC_IPV4 | IXGBE_FIELD_PREP(IXGBE_TXC_L4T, IXGBE_TXC_L4T_TCP));
		for (uint32_t n = 1; n <= lacks[i].pieces; n++) {
			bool last = n == lacks[i].pieces;
			uint32_t len = last ? f.len - at : 11;

			tx_desc(&tx, tx_data(&tx, f.data + at, len),
				tx_data_half(len,
					     IXGBE_TXD_DEXT | IXGBE_TXD_IFCS | IXGBE_TXD_TSE |
						     (last ? IXGBE_TXD_EOP | IXGBE_TXD_RS : 0),
					     500, lacks[i].options));
			at += len;
		}
		tx_kick(&tx);
		(void)model_wire_recv(*state, got, sizeof(got));
		rings_end(*state, !right);
		if (!right)
			assert_int_equal(
				model_control_int(*state, "violations", "counts.TX_TSO_HEADER"), 1);
		model_restart(*state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(cuts),
		T(obeys_the_flag_masks),
		T(stops_for_a_wire_that_is_full),
		T(refuses_bad_contexts),
		T(reports_a_wrong_seed),
		T(does_not_judge_a_seed_behind_options),
		T(reports_what_tso_lacks),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
