/* SPDX-License-Identifier: MIT */
/*
 * Receive-side scaling: the published verification vectors of the Toeplitz hash, through the whole
 * NIC; and the other ways to a queue.
 */
#include <arpa/inet.h>
#include <string.h>

#include "model_rings.h"

/* The key and the vectors of "Verifying the RSS Hash Calculation". */
static const uint8_t key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct vector {
	const char *source, *destination;
	uint16_t source_port, destination_port;
	uint32_t hash, hash_with_ports;
} vectors[] = {
	{"66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178},
	{"199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea},
	{"24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a},
	{"38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f},
	{"153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2},
	{"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d},
	{"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf},
	{"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024,
	 0x4b61e985, 0x02d1feef},
};

#define QUEUES 4u

static const uint32_t all_types = IXGBE_MRQC_RSS_FIELDS & 0x00f30000u;

static void build(struct built *f, const struct vector *v, uint8_t protocol)
{
	bool v6 = strchr(v->source, ':');

	frame_build(f, &(struct frame_spec){.ipv6 = v6,
					    .protocol = protocol,
					    .source = v->source_port,
					    .destination = v->destination_port,
					    .payload = 100});
	inet_pton(v6 ? AF_INET6 : AF_INET, v->source, f->data + f->l3 + (v6 ? 8 : 12));
	inet_pton(v6 ? AF_INET6 : AF_INET, v->destination, f->data + f->l3 + (v6 ? 24 : 16));
}

static void start(void **state, struct ring *rx, uint32_t mrqc)
{
	rings_begin(*state);
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t word;

		memcpy(&word, key + i * 4, 4);
		model_write(*state, IXGBE_AT(RSSRK, i), word);
	}
	for (uint32_t i = 0; i < 32; i++)
		model_write(*state, IXGBE_AT(RETA, i), 0x03020100);
	model_write(*state, IXGBE_MRQC, mrqc);
	for (uint32_t q = 0; q < QUEUES; q++)
		rx_open(&rx[q], *state, q, 64, 2, 0);
	rings_go(*state);
}

static void hashes_the_published_vectors(void **state)
{
	struct ring rx[QUEUES];
	struct received got;
	struct built f;

	start(state, rx, IXGBE_MRQC_MRQE_RSS | all_types);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		bool v6 = strchr(v->source, ':');
		static const struct {
			uint8_t protocol;
			uint32_t type4, type6;
			bool ports;
		} kinds[] = {
			{6, IXGBE_RXD_RSS_IPV4_TCP, IXGBE_RXD_RSS_IPV6_TCP, true},
			{17, IXGBE_RXD_RSS_IPV4_UDP, IXGBE_RXD_RSS_IPV6_UDP, true},
			{132, IXGBE_RXD_RSS_IPV4, IXGBE_RXD_RSS_IPV6, false},
		};

		for (size_t k = 0; k < 3; k++) {
			uint32_t hash = kinds[k].ports ? v->hash_with_ports : v->hash;

			build(&f, v, kinds[k].protocol);
			model_wire_send(*state, f.data, f.len);
			rx_take(&rx[hash % QUEUES], &got);
			assert_int_equal(got.last.dword[1], hash);
			assert_int_equal(got.last.dword[0] & IXGBE_RXD_RSS_TYPE,
					 v6 ? kinds[k].type6 : kinds[k].type4);
		}
	}
	rings_end(*state, 0);
}

static void hashes_what_is_enabled(void **state)
{
	struct ring rx[QUEUES];
	struct received got;
	struct built f;

	start(state, rx, IXGBE_MRQC_MRQE_RSS | IXGBE_MRQC_RSS_IPV4 | IXGBE_MRQC_RSS_TCP_IPV6);
	build(&f, &vectors[0], 6); /* no ports for TCP over IPv4 */
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[vectors[0].hash % QUEUES], &got);
	assert_int_equal(got.last.dword[1], vectors[0].hash);
	assert_int_equal(got.last.dword[0] & IXGBE_RXD_RSS_TYPE, IXGBE_RXD_RSS_IPV4);
	build(&f, &vectors[5], 17); /* nothing for UDP over IPv6 */
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[0], &got);
	assert_int_equal(got.last.dword[0] & IXGBE_RXD_RSS_TYPE, IXGBE_RXD_RSS_NONE);
	/* the fragments of a packet go together: no ports */
	build(&f, &vectors[1], 6);
	set16(f.data + f.l3 + 6, 0x2000);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[vectors[1].hash % QUEUES], &got);
	assert_int_equal(got.last.dword[1], vectors[1].hash);
	rings_end(*state, 0);
}

static void follows_the_redirection_table(void **state)
{
	struct ring rx[QUEUES];
	struct received got;
	struct built f;
	uint32_t entry = vectors[0].hash_with_ports & 0x7f;

	start(state, rx, IXGBE_MRQC_MRQE_RSS | all_types);
	build(&f, &vectors[0], 6);
	for (uint32_t queue = 0; queue < QUEUES; queue++) {
		model_write(*state, IXGBE_AT(RETA, entry / 4), queue << entry % 4 * 8);
		model_wire_send(*state, f.data, f.len);
		rx_take(&rx[queue], &got);
	}
	model_write(*state, IXGBE_MRQC, 0);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[0], &got);
	assert_int_equal(got.last.dword[1], 0);
	rings_end(*state, 1); /* RSS_LIVE */
}

/* A reset goes before (7.1.2.8); what is hashed, and where it leads, may change at any time. */
static void rss_is_not_switched_live(void **state)
{
	static const uint32_t modes[2] = {0, IXGBE_MRQC_MRQE_RSS};
	struct ring rx[QUEUES];

	for (uint32_t i = 0; i < 2; i++) {
		start(state, rx, modes[i] | all_types);
		model_write(*state, IXGBE_MRQC, modes[i] | IXGBE_MRQC_RSS_IPV4);
		model_write(*state, IXGBE_AT(RETA, 0), 0);
		rings_end(*state, 0);
		model_write(*state, IXGBE_MRQC, modes[1 - i]);
		assert_int_equal(model_control_int(*state, "violations", "counts.RSS_LIVE"), 1);
		model_clear(*state, IXGBE_RXCTRL, IXGBE_RXCTRL_RXEN);
		model_write(*state, IXGBE_MRQC, modes[i]);
		assert_int_equal(model_control_int(*state, "violations", "counts.RSS_LIVE"), 2);
		rings_end(*state, 2);
		model_set(*state, IXGBE_CTRL, IXGBE_CTRL_PCIE_MASTER_DISABLE);
		model_reset(*state);
		model_write(*state, IXGBE_MRQC, IXGBE_MRQC_MRQE_RSS);
		rings_end(*state, 2);
		model_restart(*state);
	}
}

static void ethertypes_have_one_filter(void **state)
{
	static const struct {
		uint32_t filter, etqf;
		bool wrong;
	} each[] = {
		{0, IXGBE_ETQF_FILTER_EN | 0x88b5, false},
		{0, IXGBE_ETQF_FILTER_EN | IXGBE_ETQF_TIMESTAMP | 0x88b5, false},
		{1, 0x88b5, false}, /* off */
		{1, IXGBE_ETQF_FILTER_EN | 0x88b6, false},
		{2, IXGBE_ETQF_FILTER_EN | 0x88b5, true},
		{3, 0x0800, false},
		{3, IXGBE_ETQF_FILTER_EN | 0x0800, true},
		{4, IXGBE_ETQF_FILTER_EN | 0x86dd, true},
	};
	long long broken = 0;

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		model_write(*state, IXGBE_AT(ETQF, each[i].filter), each[i].etqf);
		broken += each[i].wrong;
		rings_end(*state, broken);
	}
	assert_int_equal(model_control_int(*state, "violations", "counts.ETHERTYPE_FILTER"),
			 broken);
}

static void five_tuples_have_a_priority(void **state)
{
	for (uint32_t priority = 1; priority < 8; priority++)
		model_write(*state, IXGBE_FTQF,
			    IXGBE_FTQF_QUEUE_ENABLE |
				    IXGBE_FIELD_PREP(IXGBE_FTQF_PRIORITY, priority));
	model_write(*state, IXGBE_FTQF, 0);
	rings_end(*state, 0);
	model_write(*state, IXGBE_FTQF, IXGBE_FTQF_QUEUE_ENABLE);
	assert_int_equal(model_control_int(*state, "violations", "counts.TUPLE_PRIORITY"), 1);
	rings_end(*state, 1);
}

static void uses_the_high_half_of_the_queues(void **state)
{
	struct ring rx, tx;
	struct received got;
	struct built f;
	uint8_t data[MODEL_FRAME_MAX];

	rings_begin(*state);
	rings_pools(*state);
	rx_open(&rx, *state, 127, 64, 2, 0);
	tx_open(&tx, *state, 127, 64);
	rings_go(*state);
	model_write(*state, IXGBE_AT(ETQF, 3), IXGBE_ETQF_FILTER_EN | 0x88b5);
	model_write(*state, IXGBE_AT(ETQS, 3),
		    IXGBE_ETQS_QUEUE_EN | IXGBE_FIELD_PREP(IXGBE_ETQS_RX_QUEUE, 127));
	frame_raw(&f, NULL, 100);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx, &got);
	assert_int_equal(got.last.dword[0], IXGBE_RXD_TYPE_ETQF | 3u << 4);
	tx_frame(&tx, f.data, f.len, 0, 0);
	tx_kick(&tx);
	assert_int_equal(model_wire_recv(*state, data, sizeof(data)), 100);
	rings_end(*state, 0);
}

static void matches_five_tuples(void **state)
{
	struct ring rx[QUEUES];
	struct received got;
	struct built f;
	uint32_t address;

	start(state, rx, 0);
	build(&f, &vectors[0], 6);
	/* one for all TCP, at low priority; one for this connection, at a higher one */
	model_write(*state, IXGBE_AT(L34TIMIR, 5),
		    IXGBE_L34TIMIR_SIZE_BP | IXGBE_L34TIMIR_CTRL_BP |
			    IXGBE_FIELD_PREP(IXGBE_L34TIMIR_RX_QUEUE, 1));
	model_write(*state, IXGBE_AT(FTQF, 5),
		    IXGBE_FTQF_QUEUE_ENABLE | IXGBE_FTQF_MASK_SRC_ADDR | IXGBE_FTQF_MASK_DST_ADDR |
			    IXGBE_FTQF_MASK_SRC_PORT | IXGBE_FTQF_MASK_DST_PORT |
			    IXGBE_FTQF_MASK_POOL | IXGBE_FIELD_PREP(IXGBE_FTQF_PRIORITY, 1));
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[1], &got);
	memcpy(&address, f.data + f.l3 + 12, 4);
	model_write(*state, IXGBE_AT(SAQF, 90), address);
	memcpy(&address, f.data + f.l3 + 16, 4);
	model_write(*state, IXGBE_AT(DAQF, 90), address);
	memcpy(&address, f.data + f.l4, 4);
	model_write(*state, IXGBE_AT(SDPQF, 90), address);
	model_write(*state, IXGBE_AT(L34TIMIR, 90),
		    IXGBE_L34TIMIR_SIZE_BP | IXGBE_L34TIMIR_CTRL_BP |
			    IXGBE_FIELD_PREP(IXGBE_L34TIMIR_RX_QUEUE, 2));
	model_write(*state, IXGBE_AT(FTQF, 90),
		    IXGBE_FTQF_QUEUE_ENABLE | IXGBE_FTQF_MASK_POOL |
			    IXGBE_FIELD_PREP(IXGBE_FTQF_PRIORITY, 5));
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[2], &got);
	f.data[f.l4 + 1] ^= 1;
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[1], &got);
	build(&f, &vectors[0], 17);
	model_wire_send(*state, f.data, f.len);
	rx_take(&rx[0], &got);
	rings_end(*state, 0);
}

/* Everything masked but what `compared` says. */
static void five_tuple(struct model *m, uint32_t i, uint32_t queue, uint32_t compared,
		       uint32_t fields)
{
	const uint32_t all = IXGBE_FTQF_MASK_SRC_ADDR | IXGBE_FTQF_MASK_DST_ADDR |
			     IXGBE_FTQF_MASK_SRC_PORT | IXGBE_FTQF_MASK_DST_PORT |
			     IXGBE_FTQF_MASK_PROTOCOL | IXGBE_FTQF_MASK_POOL;

	model_write(m, IXGBE_AT(L34TIMIR, i),
		    IXGBE_L34TIMIR_SIZE_BP | IXGBE_L34TIMIR_CTRL_BP |
			    IXGBE_FIELD_PREP(IXGBE_L34TIMIR_RX_QUEUE, queue));
	model_write(m, IXGBE_AT(FTQF, i),
		    IXGBE_FTQF_QUEUE_ENABLE | (all & ~compared) | fields |
			    IXGBE_FIELD_PREP(IXGBE_FTQF_PRIORITY, 1));
}

static void takes(void **state, struct ring *rx, uint32_t queue, const struct built *f)
{
	struct received got;

	model_read(*state, IXGBE_STATUS); /* what was written is done before the frame comes */
	model_wire_send(*state, f->data, f->len);
	rx_take(&rx[queue], &got);
}

/* A packet without ports is of protocol "other", and matches what does not compare ports. */
static void five_tuples_of_other_protocols(void **state)
{
	struct ring rx[QUEUES];
	struct built tcp, icmp, fragment;

	start(state, rx, 0);
	build(&tcp, &vectors[0], 6);
	build(&icmp, &vectors[0], 6);
	icmp.data[icmp.l3 + 9] = 1;
	build(&fragment, &vectors[0], 6);
	set16(fragment.data + fragment.l3 + 6, 0x2000);
	five_tuple(*state, 0, 1, IXGBE_FTQF_MASK_PROTOCOL,
		   IXGBE_FIELD_PREP(IXGBE_FTQF_PROTOCOL, IXGBE_FTQF_PROTOCOL_OTHER));
	takes(state, rx, 1, &icmp);
	takes(state, rx, 0, &tcp);
	takes(state, rx, 0, &fragment);
	five_tuple(*state, 0, 1, IXGBE_FTQF_MASK_SRC_PORT, 0); /* port 0 */
	takes(state, rx, 0, &icmp);
	five_tuple(*state, 0, 1, 0, 0);
	takes(state, rx, 1, &icmp);
	takes(state, rx, 1, &tcp);
	rings_end(*state, 0);
}

static void five_tuples_compare_the_pool(void **state)
{
	struct ring rx[QUEUES];
	struct built f;

	start(state, rx, 0);
	build(&f, &vectors[0], 6);
	five_tuple(*state, 7, 1, IXGBE_FTQF_MASK_POOL, IXGBE_FIELD_PREP(IXGBE_FTQF_POOL, 9));
	takes(state, rx, 0, &f);
	model_write(*state, IXGBE_PFVTCTL,
		    IXGBE_PFVTCTL_VT_ENA | IXGBE_FIELD_PREP(IXGBE_PFVTCTL_DEF_PL, 9));
	takes(state, rx, 1, &f);
	rings_end(*state, 0);
}

static void matches_syn(void **state)
{
	const uint32_t to_queue_2 =
		IXGBE_SYNQF_QUEUE_EN | IXGBE_FIELD_PREP(IXGBE_SYNQF_RX_QUEUE, 2);
	struct ring rx[QUEUES];
	struct built syn, ack, v6, udp;

	start(state, rx, 0);
	frame_build(&syn, &(struct frame_spec){.tcp_flags = 0x02, .payload = 20});
	frame_build(&ack, &(struct frame_spec){.tcp_flags = 0x10, .payload = 20});
	frame_build(&v6, &(struct frame_spec){.ipv6 = true, .tcp_flags = 0x12, .payload = 20});
	frame_build(&udp, &(struct frame_spec){.protocol = 17, .payload = 20});
	set16(udp.data + udp.body + 4, 0x0202); /* where TCP has its flags */
	takes(state, rx, 0, &syn);
	model_write(*state, IXGBE_SYNQF, to_queue_2);
	takes(state, rx, 2, &syn);
	takes(state, rx, 2, &v6);
	takes(state, rx, 0, &ack);
	takes(state, rx, 0, &udp);
	five_tuple(*state, 3, 1, 0, 0);
	takes(state, rx, 1, &syn); /* five-tuple filters go before */
	model_write(*state, IXGBE_SYNQF, to_queue_2 | IXGBE_SYNQF_SYNQFP);
	takes(state, rx, 2, &syn);
	takes(state, rx, 1, &ack);
	rings_end(*state, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, model_setup, model_stop)
		T(hashes_the_published_vectors),
		T(hashes_what_is_enabled),
		T(rss_is_not_switched_live),
		T(ethertypes_have_one_filter),
		T(five_tuples_have_a_priority),
		T(follows_the_redirection_table),
		T(uses_the_high_half_of_the_queues),
		T(matches_five_tuples),
		T(five_tuples_of_other_protocols),
		T(five_tuples_compare_the_pool),
		T(matches_syn),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
