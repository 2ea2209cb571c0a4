/* SPDX-License-Identifier: MIT */
/* The options of ixtapd: what is accepted, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/service/names.h"
#include "bridge/start/options.h"

/* One option on a command line; a flag has a value in a file only. */
static int set(struct options *options, const char *name, const char *value)
{
	char program[] = "ixtapd", option[300];
	char *argv[] = {program, option, NULL};
	struct ixgbe_why why = {""};
	int err;

	snprintf(option, sizeof(option), value ? "--%s=%s" : "--%s", name, value);
	if (value && (!strcmp(name, "up") || !strcmp(name, "persist")))
		err = options_set(options, name, value, &why);
	else
		err = options_parse(options, 2, argv, &why);
	/* An error has words, one line of them. */
	assert_int_equal(err != 0, why.text[0] != '\0');
	assert_null(strchr(why.text, '\n'));
	return err;
}

struct value {
	const char *name, *value;
};

static void good_values_are_taken(void **state)
{
	static const struct value good[] = {
		{"nic", "soft"},
		{"nic", "soft:tap:wire0"},
		{"nic", "soft:cable:/tmp/cable"},
		{"nic", "soft:seqpacket:/tmp/wire"},
		{"nic", "vfio:0000:03:00.0"},
		{"nic", "vfio:ffff:ff:1f.7"},
		{"nic", "vfio:03:00.0"},
		{"nic", "vfio-user:/run/nic.sock"},
		{"tap", "tap0"},
		{"tap", "fifteen-letters"},
		{"tap", "a"},
		{"netns", "blue"},
		{"mac", "02:00:00:00:00:01"},
		{"mac", "A0:36:9F:00:ab:Cd"},
		{"mtu", "68"},
		{"mtu", "9710"},
		{"address", "192.0.2.1/24"},
		{"address", "2001:db8::1/64"},
		{"address", "192.0.2.1"},
		{"up", NULL},
		{"up", "no"},
		{"persist", "yes"},
		{"queues", "1"},
		{"queues", "16"},
		{"poll", "busy"},
		{"poll", "adaptive"},
		{"poll", "interrupt"},
		{"coalesce", "on"},
		{"coalesce", "off"},
		{"rx-checksum", "off"},
		{"rx-checksum", "on"},
		{"rx-checksum", "all"},
		{"config", "/etc/ixtap.conf"},
		{"control", "/tmp/c.sock"},
		{"log-level", "error"},
		{"log-level", "debug"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct options options;

		options_init(&options);
		if (set(&options, good[i].name, good[i].value))
			fail_msg("--%s %s", good[i].name, good[i].value ? good[i].value : "");
	}
}

static void bad_values_are_refused(void **state)
{
	static const char long_path[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const struct value bad[] = {
		{"nic", ""},
		{"nic", "hard"},
		{"nic", "soft:"},
		{"nic", "soft:tap:"},
		{"nic", "soft:tap:this-name-is-too-long"},
		{"nic", "soft:cable:"},
		{"nic", "soft:string:x"},
		{"nic", "vfio:"},
		{"nic", "vfio:0000:03:00"},
		{"nic", "vfio:0000:03:00.8"},
		{"nic", "vfio:0000:03:20.0"},
		{"nic", "vfio:0000:03:00.0x"},
		{"nic", "vfio:zzzz:03:00.0"},
		{"nic", "vfio-user:"},
		{"nic", "vfio-user-fd:3"},
		{"tap", ""},
		{"tap", "sixteen-letters-"},
		{"tap", "a/b"},
		{"tap", "a b"},
		{"tap", "a:b"},
		{"tap", "tap%d"},
		{"tap", "."},
		{"tap", ".."},
		{"tap", "all"},
		{"tap", "default"},
		{"tap", "tab\t"},
		{"netns", ""},
		{"netns", "../x"},
		{"netns", ".."},
		{"mac", ""},
		{"mac", "02:00:00:00:00"},
		{"mac", "02:00:00:00:00:0g"},
		{"mac", "02:00:00:00:00:01:02"},
		{"mac", "02:00:00:00:00:001"},
		{"mac", "2:0:0:0:0:1"},
		{"mac", "02-00-00-00-00-01"},
		{"mac", "00:00:00:00:00:00"},
		{"mac", "01:00:5e:00:00:01"},
		{"mac", "ff:ff:ff:ff:ff:ff"},
		{"mtu", "67"},
		{"mtu", "9711"},
		{"mtu", "-1500"},
		{"mtu", " 1500"},
		{"mtu", "1500x"},
		{"mtu", ""},
		{"mtu", "99999999999999999999"},
		{"address", ""},
		{"address", "192.0.2.1/33"},
		{"address", "192.0.2/24"},
		{"address", "2001:db8::1/129"},
		{"address", "blue"},
		{"up", "maybe"},
		{"persist", ""},
		{"queues", "0"},
		{"queues", "17"},
		{"poll", "sometimes"},
		{"coalesce", "maybe"},
		{"rx-checksum", "maybe"},
		{"rx-checksum", ""},
		{"config", ""},
		{"control", ""},
		{"control", long_path},
		{"log-level", "loud"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct options options, before;

		options_init(&options);
		options_init(&before);
		if (set(&options, bad[i].name, bad[i].value) != -EINVAL)
			fail_msg("--%s %s", bad[i].name, bad[i].value);
		/* Nothing is stored of a value that is refused. */
		assert_string_equal(options.tap, before.tap);
		assert_string_equal(options.control, before.control);
		assert_int_equal(options.mtu, before.mtu);
		assert_int_equal(options.queues, before.queues);
		assert_int_equal(options.addresses, 0);
		assert_false(options.mac_given);
		assert_false(options.up);
	}
}

static void unknown_option_is_named(void **state)
{
	struct ixgbe_why why = {""};
	struct options options;

	(void)state;
	options_init(&options);
	assert_int_equal(options_set(&options, "colour", "red", &why), -ENOENT);
	assert_non_null(strstr(why.text, "'colour'"));
}

static void values_are_stored(void **state)
{
	static const uint8_t mac[] = {0x02, 0, 0, 0xab, 0, 0xff};
	struct options options;

	(void)state;
	options_init(&options);
	assert_int_equal(set(&options, "mac", "02:00:00:AB:00:ff"), 0);
	assert_memory_equal(options.mac, mac, sizeof(mac));
	assert_true(options.mac_given);
	assert_int_equal(set(&options, "mtu", "9000"), 0);
	assert_int_equal(options.mtu, 9000);
	assert_int_equal(set(&options, "address", "192.0.2.1/24"), 0);
	assert_int_equal(set(&options, "address", "2001:db8::1/64"), 0);
	assert_int_equal(options.addresses, 2);
	assert_int_equal(options.address[0].family, AF_INET);
	assert_int_equal(options.address[0].length, 24);
	assert_int_equal(options.address[1].family, AF_INET6);
	assert_int_equal(set(&options, "poll", "busy"), 0);
	assert_int_equal(options.poll, WORKER_POLL_BUSY);
	assert_string_equal(options_poll_name(options.poll), "busy");
}

static void too_many_addresses_are_refused(void **state)
{
	struct options options;

	(void)state;
	options_init(&options);
	for (size_t i = 0; i < OPTIONS_ADDRESSES_MAX; i++)
		assert_int_equal(set(&options, "address", "192.0.2.1/24"), 0);
	assert_int_equal(set(&options, "address", "192.0.2.1/24"), -EINVAL);
	assert_int_equal(options.addresses, OPTIONS_ADDRESSES_MAX);
}

static void defaults_follow_the_tap(void **state)
{
	struct options options;
	struct ixgbe_why why = {""};

	(void)state;
	options_init(&options);
	assert_int_equal(options_finish(&options, &why), -EINVAL);
	assert_non_null(strstr(why.text, "--tap"));

	assert_int_equal(set(&options, "tap", "uplink"), 0);
	assert_int_equal(options_finish(&options, &why), 0);
	assert_string_equal(options.nic, "soft:tap:uplink-wire");
	assert_string_equal(options.control, "/run/ixtap/uplink.sock");
	assert_int_equal(options.queues, 1);
	assert_int_equal(options.poll, WORKER_POLL_ADAPTIVE);
	assert_int_equal(options.log_level, IXGBE_LOG_INFO);
}

/* The wire's name is an interface's too, and no two interfaces have the same by default. */
static void each_tap_has_a_wire_of_its_own(void **state)
{
	static const char *const taps[] = {
		"uplink-por",      "uplink-port",         "uplink-port-a1",
		"uplink-port-a2",  "fifteen-letters",     "fifteen-lettert",
		"gifteen-letters", "abcd\xc3\xbc-umlaut", "abcde",
	};
	enum { TAPS = sizeof(taps) / sizeof(taps[0]) };
	struct options options[TAPS];
	struct ixgbe_why why;

	(void)state;
	for (size_t i = 0; i < TAPS; i++) {
		const char *wire = options[i].nic + strlen("soft:tap:");

		options_init(&options[i]);
		assert_int_equal(set(&options[i], "tap", taps[i]), 0);
		assert_int_equal(options_finish(&options[i], &why), 0);
		assert_null(names_interface_fault(wire));
		assert_int_equal(strncmp(wire, taps[i], 4), 0);
		assert_string_equal(wire + strlen(wire) - 5, "-wire");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(options[i].nic, options[k].nic);
	}
	assert_string_equal(options[0].nic, "soft:tap:uplink-por-wire");
	/* No part of a character is left. */
	assert_null(strchr(options[7].nic, '\xc3'));
}

/* A name that would be two things is a fault of the words. */
static void one_name_is_one_thing(void **state)
{
	static const char *const nics[] = {"soft:tap:tap0", "soft:cable:/tmp/c",
					   "soft:seqpacket:/tmp/c.nic"};
	struct options options;
	struct ixgbe_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(nics) / sizeof(nics[0]); i++) {
		options_init(&options);
		assert_int_equal(set(&options, "tap", "tap0"), 0);
		assert_int_equal(set(&options, "control", "/tmp/c"), 0);
		assert_int_equal(set(&options, "nic", nics[i]), 0);
		assert_int_equal(options_finish(&options, &why), -EINVAL);
	}
	/* The wire is where ixtapd is. */
	assert_int_equal(set(&options, "netns", "blue"), 0);
	assert_int_equal(set(&options, "nic", "soft:tap:tap0"), 0);
	assert_int_equal(options_finish(&options, &why), 0);
}

/* Parses a command line, with getopt's words on a stderr that goes nowhere. */
static int parse(struct options *options, int argc, const char *const args[])
{
	char *argv[16] = {(char *)"ixtapd"};
	FILE *null = fopen("/dev/null", "w");
	FILE *saved = stderr;
	struct ixgbe_why why;
	int err;

	assert_non_null(null);
	for (int i = 0; i < argc; i++)
		argv[i + 1] = (char *)args[i];
	options_init(options);
	stderr = null;
	err = options_parse(options, argc + 1, argv, &why);
	stderr = saved;
	fclose(null);
	return err;
}

static void file_yields_to_command_line(void **state)
{
	static const char *const given[] = {"--mtu=9000", "--address=192.0.2.1/24"};
	static const char *const twice[] = {"--mtu=9000", "--mtu=1300"};
	struct ixgbe_why why = {""};
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, 2, given), 0);
	assert_int_equal(options_set(&options, "mtu", "1400", &why), 0);
	assert_int_equal(options_set(&options, "address", "192.0.2.2/24", &why), 0);
	assert_int_equal(options_set(&options, "queues", "2", &why), 0);
	assert_int_equal(options.mtu, 9000);
	assert_int_equal(options.addresses, 1);
	assert_int_equal(options.queues, 2);
	/* What is not used must be right all the same. */
	assert_int_equal(options_set(&options, "poll", "x", &why), -EINVAL);
	/* Twice in a file is a mistake; twice on a command line, the last wins. */
	assert_int_equal(options_set(&options, "queues", "3", &why), -EEXIST);
	assert_int_equal(parse(&options, 2, twice), 0);
	assert_int_equal(options.mtu, 1300);
}

/* Whatever way it is written, here and where the NIC is opened it is the same one. */
static void a_pci_address_has_one_form(void **state)
{
	struct options options;

	(void)state;
	options_init(&options);
	assert_int_equal(set(&options, "nic", "vfio:03:0A.1"), 0);
	assert_string_equal(options.nic, "vfio:0000:03:0a.1");
	assert_int_equal(set(&options, "nic", "vfio:ABCD:EF:1f.7"), 0);
	assert_string_equal(options.nic, "vfio:abcd:ef:1f.7");
}

static void command_line_is_parsed(void **state)
{
	static const char *const good[] = {"--nic",  "vfio:0000:03:00.0", "--tap=eth9",
					   "--up",   "--persist",         "--address",
					   "::1/64", "--log-level",       "debug"};
	static const char *const unknown[] = {"--tap", "eth9", "--colour"};
	static const char *const stray[] = {"--tap", "eth9", "stray"};
	static const char *const bad_mac[] = {"--tap", "eth9", "--mac", "1"};
	static const char *const no_value[] = {"--tap"};
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, 9, good), 0);
	assert_string_equal(options.nic, "vfio:0000:03:00.0");
	assert_string_equal(options.tap, "eth9");
	assert_true(options.up);
	assert_true(options.persist);
	assert_int_equal(options.addresses, 1);
	assert_int_equal(options.log_level, IXGBE_LOG_DEBUG);

	assert_int_not_equal(parse(&options, 3, unknown), 0);
	assert_int_not_equal(parse(&options, 3, stray), 0);
	assert_int_not_equal(parse(&options, 4, bad_mac), 0);
	assert_int_not_equal(parse(&options, 1, no_value), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_values_are_taken),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(unknown_option_is_named),
		cmocka_unit_test(values_are_stored),
		cmocka_unit_test(too_many_addresses_are_refused),
		cmocka_unit_test(defaults_follow_the_tap),
		cmocka_unit_test(each_tap_has_a_wire_of_its_own),
		cmocka_unit_test(one_name_is_one_thing),
		cmocka_unit_test(file_yields_to_command_line),
		cmocka_unit_test(command_line_is_parsed),
		cmocka_unit_test(a_pci_address_has_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
