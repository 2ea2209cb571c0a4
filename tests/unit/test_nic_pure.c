/* SPDX-License-Identifier: MIT */
/*
 * The pure parts of the software NIC's data path, each against the plainest way to say the same:
 * checksums, the parser, the Toeplitz hash, the cutting of packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ixgbe/tables/fields.h"
#include "tests/model/model_frames.h"
#include "tools/ixnic/data/checksum.h"
#include "tools/ixnic/data/packet_parse.h"
#include "tools/ixnic/data/rss_hash.h"
#include "tools/ixnic/data/tso.h"

static const struct parse_config config = {.vlan_type = 0x8100};

static uint32_t random_state = 1;

static uint32_t rnd(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

static void sums_agree_with_the_plain_one(void **state)
{
	static uint8_t data[3000];

	(void)state;
	for (int round = 0; round < 3000; round++) {
		uint32_t at = rnd() % 64, len = rnd() % 2900, cut = rnd() % (len + 1) & ~1u;
		uint16_t sum;

		for (uint32_t i = 0; i < len; i++)
			data[at + i] = round % 3 == 0 ? 0xff : (uint8_t)rnd();
		sum = csum_fold(csum_add(csum_add(0, data + at, cut), data + at + cut, len - cut));
		assert_int_equal(get16((uint8_t *)&sum), plain_sum(0, data + at, len));
	}
}

static void sums_do_not_overflow(void **state)
{
	uint8_t *data = malloc(300000);
	uint64_t sum = 0;

	(void)state;
	assert_non_null(data);
	memset(data, 0xff, 300000);
	for (int i = 0; i < 10000; i++)
		sum = csum_add(sum, data, 300000);
	assert_int_equal(csum_fold(sum), 0xffff);
	free(data);
}

static void crcs_have_their_check_values(void **state)
{
	(void)state;
	assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32c_add(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32_add(crc32_add(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32c_add(crc32c_add(0, "1234", 4), "56789", 5), 0xe3069283);
}

static const struct shape {
	struct frame_spec spec;
	uint32_t types;
	bool l4, fragment;
} shapes[] = {
	{{.payload = 10}, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP, true, false},
	{{.payload = 10, .tcp_options = 40}, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP, true, false},
	{{.payload = 10, .ip_options = 40}, IXGBE_RXD_TYPE_IPV4E | IXGBE_RXD_TYPE_TCP, true, false},
	{{.payload = 10, .protocol = 17}, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_UDP, true, false},
	{{.payload = 10, .protocol = 132}, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_SCTP, true, false},
	{{.payload = 10, .tagged = true}, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP, true, false},
	{{.payload = 10, .ipv6 = true}, IXGBE_RXD_TYPE_IPV6 | IXGBE_RXD_TYPE_TCP, true, false},
	{{.payload = 10, .ipv6 = true, .ip_options = 64},
	 IXGBE_RXD_TYPE_IPV6E | IXGBE_RXD_TYPE_TCP,
	 true,
	 false},
	{{.payload = 10, .fragment = 0x2000}, IXGBE_RXD_TYPE_IPV4, false, true},
	{{.payload = 10, .fragment = 1}, IXGBE_RXD_TYPE_IPV4, false, true},
	{{.payload = 100, .protocol = 4}, IXGBE_RXD_TYPE_IPV4, false, false},
};

static void parses_what_it_knows(void **state)
{
	static struct built f;

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct parsed p;

		frame_build(&f, &shapes[i].spec);
		packet_parse(&p, &config, f.data, f.len, f.len);
		assert_int_equal(p.types, shapes[i].types);
		assert_int_equal(p.vlan, shapes[i].spec.tagged);
		assert_int_equal(p.fragment, shapes[i].fragment);
		assert_int_equal(p.l3, f.l3);
		assert_int_equal(p.l4, shapes[i].l4 ? f.l4 : 0);
		if (shapes[i].l4) {
			assert_int_equal(p.payload, f.body);
			assert_int_equal(p.l4_len, f.body - f.l4 + shapes[i].spec.payload);
		}
	}
}

/* A length in place of the type: eight bytes of LLC and SNAP, and nobody looks whether they are
 * (erratum 67). */
static void takes_any_llc_for_snap(void **state)
{
	static const uint8_t llc[2][6] = {{0xaa, 0xaa, 0x03}, {0x42, 0x42, 0x03, 1, 2, 3}};
	static struct built f;
	uint8_t data[200];
	struct parsed p;

	(void)state;
	frame_build(&f, &(struct frame_spec){.payload = 100});
	for (uint32_t i = 0; i < 2; i++) {
		memcpy(data, f.data, 12);
		memcpy(data + 14, llc[i], 6);
		memcpy(data + 20, f.data + 12, f.len - 12);
		set16(data + 12, f.len - 12 + 6);
		packet_parse(&p, &config, data, f.len + 8, f.len + 8);
		assert_int_equal(p.types, IXGBE_RXD_TYPE_IPV4 | IXGBE_RXD_TYPE_TCP);
		assert_int_equal(p.type, f.len - 12 + 6);
		assert_int_equal(p.l3, f.l3 + 8);
		assert_int_equal(p.payload, f.body + 8);
		packet_parse(&p, &config, data, 21, 21);
		assert_int_equal(p.types, 0);
		assert_int_equal(p.payload, 14);
	}
}

/* Extension headers until behind 64 KiB, as far as a packet of the wire's TAP may reach: no offset
 * wraps round. */
static void parses_what_is_far(void **state)
{
	enum { LEN = 54 + 65535, TCP = 65542 };
	uint8_t *data = calloc(1, LEN);
	struct parsed p;

	(void)state;
	assert_non_null(data);
	data[12] = 0x86;
	data[13] = 0xdd;
	data[14] = 0x60;
	data[18] = data[19] = 0xff;
	data[20] = 60;
	for (uint32_t at = 54, len; at < TCP; at += len) {
		len = TCP - at < 2048 ? TCP - at : 2048;
		data[at] = at + len < TCP ? 60 : 6;
		data[at + 1] = (uint8_t)(len / 8 - 1);
	}
	data[TCP + 12] = 0x50;
	packet_parse(&p, &config, data, LEN, LEN);
	assert_int_equal(p.l3, 14);
	assert_int_equal(p.l4, TCP);
	assert_int_equal(p.payload, TCP + 20);
	assert_int_equal(p.l4_len, LEN - TCP);
	free(data);
}

/* Cut anywhere, and with any byte wrong, in memory of exactly that length (for the sanitizer): what
 * it says must stay inside the frame. */
static void parses_what_is_broken(void **state)
{
	static struct built f;

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		frame_build(&f, &shapes[i].spec);
		for (uint32_t round = 0; round < 4000; round++) {
			uint32_t len = rnd() % (f.len + 1);
			uint8_t *data = malloc(len ? len : 1);
			struct parsed p;

			assert_non_null(data);
			memcpy(data, f.data, len);
			for (uint32_t k = 0; len > 12 && k < round % 4; k++)
				data[12 + rnd() % (len - 12)] = (uint8_t)rnd();
			packet_parse(&p, &config, data, len, len);
			assert_true(p.l3 <= len && p.l4 <= len && p.payload <= len &&
				    p.tag_at <= len);
			assert_true(p.l4 == 0 ||
				    (p.l3 != 0 && p.l4 > p.l3 && p.l4_len <= len - p.l4));
			assert_true(p.l4 == 0 || p.payload > p.l4);
			free(data);
		}
	}
}

static uint32_t plain_toeplitz(const uint8_t *key, const uint8_t *input, size_t len)
{
	uint32_t hash = 0;

	for (size_t bit = 0; bit < len * 8; bit++) {
		if (!(input[bit / 8] >> (7 - bit % 8) & 1))
			continue;
		for (size_t i = 0; i < 32; i++) {
			size_t at = bit + i;

			hash ^= (uint32_t)(key[at / 8] >> (7 - at % 8) & 1) << (31 - i);
		}
	}
	return hash;
}

static void hashes_as_the_plain_way(void **state)
{
	static struct rss_table table;

	(void)state;
	for (int round = 0; round < 50; round++) {
		uint8_t key[RSS_KEY_BYTES], input[RSS_INPUT_BYTES];

		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (uint8_t)rnd();
		rss_table_fill(&table, key);
		for (size_t len = 0; len <= sizeof(input); len++) {
			for (size_t i = 0; i < sizeof(input); i++)
				input[i] = (uint8_t)rnd();
			assert_int_equal(rss_hash(&table, input, len),
					 plain_toeplitz(key, input, len));
		}
	}
}

static void refuses_plans_that_do_not_fit(void **state)
{
	static const struct tso_plan good = {.l2_bytes = 14,
					     .l3_bytes = 20,
					     .l4_bytes = 20,
					     .mss = 1000,
					     .ipv4 = true,
					     .tcp = true};
	static uint8_t data[1000];
	struct tso_plan plan;
	struct tso tso;

	(void)state;
	assert_int_equal(tso_start(&tso, &good, data, sizeof(data)), 0);
	assert_int_equal(tso_start(&tso, &good, data, 54), 0);
	assert_true(tso_start(&tso, &good, data, 53) < 0);
#define WRONG(field, value)                                                                        \
	(plan = good, plan.field = (value),                                                        \
	 assert_true(tso_start(&tso, &plan, data, sizeof(data)) < 0))
	WRONG(mss, 0);
	WRONG(l2_bytes, 13);
	WRONG(l3_bytes, 16);
	WRONG(l3_bytes, 22);
	WRONG(l4_bytes, 8);
	WRONG(l4_bytes, 200);
	WRONG(ipv4, false);
#undef WRONG
}

static void cuts_everything_once(void **state)
{
	static struct built f;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct tso_plan plan = {.mss = 1 + rnd() % 3000,
					.tcp = true,
					.pseudo_right = true,
					.flags_first = 0xff6,
					.flags_middle = 0xf76,
					.flags_last = 0xf7f};
		uint32_t at = 0, payload = 1 + rnd() % 20000;
		struct frame frame;
		struct tso tso;

		frame_build(&f, &(struct frame_spec){.ipv6 = round & 1, .payload = payload});
		plan.l2_bytes = f.l3;
		plan.l3_bytes = f.l4 - f.l3;
		plan.l4_bytes = f.body - f.l4;
		plan.ipv4 = !(round & 1);
		assert_int_equal(tso_start(&tso, &plan, f.data, f.body + payload), 0);
		while (tso_next(&tso, &frame)) {
			assert_int_equal(frame.head_len, f.body);
			assert_ptr_equal(frame.body, f.data + f.body + at);
			assert_true(frame.body_len > 0 && frame.body_len <= plan.mss);
			at += frame.body_len;
		}
		assert_int_equal(at, payload);
		assert_false(tso_next(&tso, &frame));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_agree_with_the_plain_one),
		cmocka_unit_test(sums_do_not_overflow),
		cmocka_unit_test(crcs_have_their_check_values),
		cmocka_unit_test(parses_what_it_knows),
		cmocka_unit_test(takes_any_llc_for_snap),
		cmocka_unit_test(parses_what_is_far),
		cmocka_unit_test(parses_what_is_broken),
		cmocka_unit_test(hashes_as_the_plain_way),
		cmocka_unit_test(refuses_plans_that_do_not_fit),
		cmocka_unit_test(cuts_everything_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
