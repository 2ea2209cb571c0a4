/* SPDX-License-Identifier: MIT */
/* ixlat's probes, the account of what became of them, and its command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "tools/ixlat/measure/flight.h"
#include "tools/ixlat/command_line.h"
#include "tools/ixlat/measure/probe.h"

/* ---- Probes ---- */

static void a_probe_comes_back_as_it_went(void **state)
{
	uint8_t message[100] = {0};
	struct probe *probe = (struct probe *)(message + 1); /* at an odd place, as in a stream */
	struct probe_stamps stamps;

	(void)state;
	probe_write(probe, 64, 77, 5, 1000);
	assert_int_equal(probe_bytes(probe), 64);
	assert_true(probe_is_request(probe, 64));
	assert_false(probe_read_answer(probe, 64, 77, 64, &stamps));
	probe_make_answer(probe, 2000);
	probe_stamp_sent(probe, 3000);
	assert_false(probe_is_request(probe, 64));
	assert_true(probe_read_answer(probe, 64, 77, 64, &stamps));
	assert_int_equal(stamps.sequence, 5);
	assert_int_equal(stamps.sent_ns, 1000);
	assert_int_equal(stamps.reflector_received_ns, 2000);
	assert_int_equal(stamps.reflector_sent_ns, 3000);
	/* Of another run, another size, cut short. */
	assert_false(probe_read_answer(probe, 64, 78, 64, &stamps));
	assert_false(probe_read_answer(probe, 64, 77, 65, &stamps));
	assert_false(probe_read_answer(probe, 63, 77, 63, &stamps));
	assert_false(probe_read_answer(probe, 63, 77, 64, &stamps));
	assert_false(probe_read_answer(probe, 0, 77, 64, &stamps));
}

/* Each byte of the magic, version, kind and length matters. */
static void what_is_no_probe_is_told(void **state)
{
	struct probe probe;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		probe_write(&probe, sizeof(probe), 1, 1, 1);
		((uint8_t *)&probe)[i] ^= 0x80;
		assert_false(probe_is_request(&probe, sizeof(probe)));
	}
	probe_write(&probe, sizeof(probe) - 1, 1, 1, 1);
	assert_int_equal(probe_bytes(&probe), 0);
	probe_write(&probe, sizeof(probe), 1, 1, 1);
	for (size_t length = 0; length < sizeof(probe); length++)
		assert_false(probe_is_request(&probe, length));
}

/* ---- Flight ---- */

enum { TIMEOUT = 100 };

static struct flight begin(uint32_t warmup)
{
	struct flight flight;

	assert_int_equal(flight_init(&flight, 0, TIMEOUT, warmup), 0);
	return flight;
}

/* Sends one at a time that is its number. */
static void send_until(struct flight *flight, uint32_t count)
{
	while (flight->next < count)
		flight_sent(flight, flight->next, flight->next);
}

static enum flight_verdict answer(struct flight *flight, uint32_t sequence)
{
	const struct flight_slot *slot = NULL;
	enum flight_verdict verdict = flight_answer(flight, sequence, sequence, &slot);

	assert_int_equal(slot != NULL, verdict == FLIGHT_FIRST);
	if (slot)
		assert_int_equal(slot->sequence, sequence);
	return verdict;
}

static void assert_counts(const struct flight *flight, struct result_counts wanted)
{
	assert_int_equal(flight->counts.sent, wanted.sent);
	assert_int_equal(flight->counts.received, wanted.received);
	assert_int_equal(flight->counts.lost, wanted.lost);
	assert_int_equal(flight->counts.late, wanted.late);
	assert_int_equal(flight->counts.duplicates, wanted.duplicates);
	assert_int_equal(flight->counts.reordered, wanted.reordered);
}

static void answers_in_order(void **state)
{
	struct flight flight = begin(0);

	(void)state;
	assert_int_equal(flight_deadline(&flight), INT64_MAX);
	send_until(&flight, 3);
	assert_int_equal(flight_deadline(&flight), TIMEOUT);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(answer(&flight, i), FLIGHT_FIRST);
	assert_true(flight_empty(&flight));
	assert_counts(&flight, (struct result_counts){.sent = 3, .received = 3});
	flight_free(&flight);
}

static void reordered_and_twice(void **state)
{
	struct flight flight = begin(0);

	(void)state;
	send_until(&flight, 4);
	assert_int_equal(answer(&flight, 2), FLIGHT_FIRST);
	assert_int_equal(answer(&flight, 0), FLIGHT_FIRST);
	assert_int_equal(answer(&flight, 0), FLIGHT_DUPLICATE);
	assert_int_equal(answer(&flight, 3), FLIGHT_FIRST);
	assert_int_equal(answer(&flight, 1), FLIGHT_FIRST);
	assert_int_equal(answer(&flight, 3), FLIGHT_DUPLICATE);
	assert_true(flight_empty(&flight));
	assert_counts(&flight, (struct result_counts){
				       .sent = 4, .received = 4, .duplicates = 2, .reordered = 2});
	flight_free(&flight);
}

static void lost_and_late(void **state)
{
	struct flight flight = begin(0);

	(void)state;
	send_until(&flight, 3);
	assert_int_equal(answer(&flight, 1), FLIGHT_FIRST);
	flight_expire(&flight, TIMEOUT - 1);
	assert_false(flight_empty(&flight));
	flight_expire(&flight, TIMEOUT);
	assert_int_equal(flight.counts.lost, 1);
	/* The one that was answered is passed over. */
	assert_int_equal(flight_deadline(&flight), TIMEOUT + 2);
	flight_expire(&flight, TIMEOUT + 2);
	assert_true(flight_empty(&flight));
	assert_int_equal(answer(&flight, 0), FLIGHT_LATE);
	assert_int_equal(answer(&flight, 0), FLIGHT_DUPLICATE);
	assert_counts(&flight,
		      (struct result_counts){
			      .sent = 3, .received = 1, .lost = 2, .late = 1, .duplicates = 1});
	flight_free(&flight);
}

static void answers_to_nothing(void **state)
{
	struct flight flight = begin(0);
	const struct flight_slot *slot = NULL;

	(void)state;
	assert_int_equal(answer(&flight, 0), FLIGHT_UNKNOWN);
	send_until(&flight, 1);
	assert_int_equal(answer(&flight, 1), FLIGHT_UNKNOWN);
	assert_int_equal(answer(&flight, UINT32_MAX), FLIGHT_UNKNOWN);
	/* A stamp that the sender did not write. */
	assert_int_equal(flight_answer(&flight, 0, 12345, &slot), FLIGHT_UNKNOWN);
	assert_counts(&flight, (struct result_counts){.sent = 1});
	flight_free(&flight);
}

static void warming_up_does_not_count(void **state)
{
	struct flight flight = begin(2);

	(void)state;
	send_until(&flight, 3);
	flight_expire(&flight, TIMEOUT);
	assert_int_equal(answer(&flight, 0), FLIGHT_LATE);
	assert_int_equal(answer(&flight, 1), FLIGHT_FIRST);
	assert_int_equal(answer(&flight, 1), FLIGHT_DUPLICATE);
	assert_int_equal(answer(&flight, 2), FLIGHT_FIRST);
	assert_counts(&flight, (struct result_counts){.sent = 1, .received = 1});
	flight_free(&flight);
}

/* A slot is not taken from a probe that is waited for; one long over is told from its successor. */
static void the_ring_goes_round(void **state)
{
	struct flight flight = begin(0);
	uint32_t slots = flight.mask + 1;

	(void)state;
	send_until(&flight, slots);
	assert_false(flight_has_room(&flight));
	assert_int_equal(answer(&flight, 1), FLIGHT_FIRST);
	assert_false(flight_has_room(&flight));
	assert_int_equal(answer(&flight, 0), FLIGHT_FIRST);
	assert_true(flight_has_room(&flight));
	send_until(&flight, slots + 2);
	assert_false(flight_has_room(&flight));
	assert_int_equal(answer(&flight, 0), FLIGHT_LATE);
	assert_int_equal(answer(&flight, slots), FLIGHT_FIRST);
	assert_counts(&flight,
		      (struct result_counts){
			      .sent = slots + 2, .received = 3, .late = 1, .reordered = 1});
	flight_abandon(&flight);
	assert_counts(&flight,
		      (struct result_counts){.sent = 3, .received = 3, .late = 1, .reordered = 1});
	flight_free(&flight);
}

static void the_ring_fits_the_rate(void **state)
{
	struct flight flight;

	(void)state;
	assert_int_equal(flight_init(&flight, 100000, 1000000000, 0), 0);
	assert_true(flight.mask + 1 >= 200000);
	flight_free(&flight);
	assert_int_equal(flight_init(&flight, 1e7, 60000000000, 0), -E2BIG);
}

/* ---- The command line ---- */

static int parse(struct ixlat_options *options, const char *line)
{
	char *copy = strdup(line), *words[32] = {copy}, *rest = copy;
	struct ixgbe_why why;
	int count = 0, err;

	while ((words[count] = strsep(&rest, " ")))
		count++;
	err = ixlat_options_parse(options, count, words, &why);
	/* The texts in it are gone with the copy; these tests look at none. */
	free(copy);
	return err;
}

static void good_lines_are_taken(void **state)
{
	static const char *const good[] = {
		"ixlat udp host",
		"ixlat tcp ::1 --port 1",
		"ixlat udp host --rate 0.01 --count 3",
		"ixlat --rate 1e6 udp host --duration 0.5 --timeout 100 --size 40",
		"ixlat udp host --size 65507 --busy --one-way --warmup 0",
		"ixlat tcp host --size 65535",
		"ixlat udp host --kernel-stamps",
		"ixlat raw 02:00:00:00:00:01 --interface eth0 --size 60",
		"ixlat raw 02:00:00:00:00:01 --interface fifteen-letters --size 9018",
		"ixlat udp host --json - --hgrm a --plot a.svg --label x",
		"ixlat reflect udp --listen ::1 --port 65535 --busy",
		"ixlat reflect tcp",
		"ixlat reflect raw --interface eth0",
		"ixlat compare a b",
		"ixlat compare a b c --plot x.png --json y",
	};
	struct ixlat_options options;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (parse(&options, good[i]))
			fail_msg("refused: %s", good[i]);
}

static void bad_lines_are_refused(void **state)
{
	static const char *const bad[] = {
		"ixlat",
		"ixlat ping host",
		"ixlat udp",
		"ixlat udp ",
		"ixlat udp a b",
		"ixlat reflect",
		"ixlat reflect compare",
		"ixlat reflect udp host",
		"ixlat reflect udp --rate 1",
		"ixlat reflect tcp --busy",
		"ixlat reflect raw",
		"ixlat reflect raw --interface eth0 --port 1",
		"ixlat compare",
		"ixlat compare a",
		"ixlat compare a b --rate 1",
		"ixlat compare 1 2 3 4 5 6 7 8 9",
		"ixlat raw 02:00:00:00:00:01",
		"ixlat raw --interface eth0",
		"ixlat raw 192.0.2.1 --interface eth0",
		"ixlat raw 02:00:00:00:00:1 --interface eth0",
		"ixlat raw 02:00:00:00:00:+1 --interface eth0",
		"ixlat raw ff:ff:ff:ff:ff:ff --interface eth0",
		"ixlat raw 02:00:00:00:00:01 --interface sixteen-letters-",
		"ixlat raw 02:00:00:00:00:01 --interface eth0 --size 59",
		"ixlat raw 02:00:00:00:00:01 --interface eth0 --port 5",
		"ixlat udp host --interface eth0",
		"ixlat udp host --listen ::1",
		"ixlat udp host --port 0",
		"ixlat udp host --port 65536",
		"ixlat udp host --port -1",
		"ixlat udp host --size 39",
		"ixlat udp host --size 65508",
		"ixlat udp host --size 0",
		"ixlat udp host --size 64k",
		"ixlat tcp host --size 65536",
		"ixlat tcp host --kernel-stamps",
		"ixlat udp host --rate -1",
		"ixlat udp host --rate nan",
		"ixlat udp host --rate inf",
		"ixlat udp host --rate 0.001",
		"ixlat udp host --rate 1e8",
		"ixlat udp host --rate 1 --count 100000",
		"ixlat udp host --rate 1e7 --timeout 1000",
		"ixlat udp host --rate 100000 --duration 86400",
		"ixlat udp host --count 0",
		"ixlat udp host --count 5000000000",
		"ixlat udp host --count 4293967295", /* with --warmup as many as stand for "by time"
						      */
		"ixlat udp host --count 1 --duration 1",
		"ixlat udp host --duration 0",
		"ixlat udp host --duration 1e9",
		"ixlat udp host --warmup -1",
		"ixlat udp host --timeout 0",
		"ixlat udp host --timeout 60001",
		"ixlat udp host --plot x.pdf",
		"ixlat udp host --plot .svg",
		"ixlat udp host --nothing",
	};
	struct ixlat_options options;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(&options, bad[i]) == 0)
			fail_msg("taken: %s", bad[i]);
}

static void values_arrive(void **state)
{
	static const uint8_t mac[6] = {0x02, 0xab, 0, 0, 0, 0x7f};
	struct ixlat_options options;

	(void)state;
	assert_int_equal(parse(&options, "ixlat udp host"), 0);
	assert_int_equal(options.command, COMMAND_RUN);
	assert_int_equal(options.mode, MODE_UDP);
	assert_int_equal(options.port, 8259);
	assert_int_equal(options.size_bytes, 64);
	assert_int_equal(options.timeout_ms, 1000);
	assert_true(options.rate_hz == 0 && options.duration_s == 10 && options.count == 0);
	assert_int_equal(parse(&options, "ixlat raw 02:AB:00:00:00:7f --interface x --rate 2.5 "
					 "--count 7 --warmup 3 --timeout 9 --size 1000 --busy"),
			 0);
	assert_int_equal(options.mode, MODE_RAW);
	assert_memory_equal(options.mac, mac, sizeof(mac));
	assert_true(options.rate_hz == 2.5 && options.duration_s == 0 && options.busy);
	assert_int_equal(options.count, 7);
	assert_int_equal(options.warmup, 3);
	assert_int_equal(options.timeout_ms, 9);
	assert_int_equal(options.size_bytes, 1000);
	assert_int_equal(parse(&options, "ixlat reflect tcp"), 0);
	assert_int_equal(options.command, COMMAND_REFLECT);
	assert_int_equal(options.mode, MODE_TCP);
	assert_int_equal(parse(&options, "ixlat compare a b c"), 0);
	assert_int_equal(options.command, COMMAND_COMPARE);
	assert_int_equal(options.file_count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_comes_back_as_it_went),
		cmocka_unit_test(what_is_no_probe_is_told),
		cmocka_unit_test(answers_in_order),
		cmocka_unit_test(reordered_and_twice),
		cmocka_unit_test(lost_and_late),
		cmocka_unit_test(answers_to_nothing),
		cmocka_unit_test(warming_up_does_not_count),
		cmocka_unit_test(the_ring_goes_round),
		cmocka_unit_test(the_ring_fits_the_rate),
		cmocka_unit_test(good_lines_are_taken),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(values_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
