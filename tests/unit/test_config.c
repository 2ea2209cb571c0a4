/* SPDX-License-Identifier: MIT */
/* The configuration file: what it sets, and that each fault names its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "bridge/start/config.h"

static int load(const char *text, struct options *options, struct ixgbe_why *why)
{
	char path[] = "/tmp/ixtap-config-XXXXXX";
	int err, fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	options_init(options);
	why->text[0] = '\0';
	err = config_load(options, path, why);
	if (err)
		assert_ptr_equal(strstr(why->text, path), why->text);
	unlink(path);
	return err;
}

static void every_option_can_stand_in_a_file(void **state)
{
	struct options options;
	struct ixgbe_why why;

	(void)state;
	assert_int_equal(load("# a bridge\n"
			      "nic = vfio:0000:03:00.0\n"
			      "tap=uplink\n"
			      "\n"
			      "netns = blue ; a comment\n"
			      "mac = 02:00:00:00:00:01\n"
			      "mtu = 9000\n"
			      "address = 192.0.2.1/24\n"
			      "address = 2001:db8::1/64\n"
			      "up = yes\n"
			      "persist = no\n"
			      "queues = 4\n"
			      "poll = busy\n"
			      "control = /tmp/x.sock\n"
			      "log-level = warning\n",
			      &options, &why),
			 0);
	assert_string_equal(options.nic, "vfio:0000:03:00.0");
	assert_string_equal(options.tap, "uplink");
	assert_string_equal(options.netns, "blue");
	assert_int_equal(options.mac[5], 1);
	assert_int_equal(options.mtu, 9000);
	assert_int_equal(options.addresses, 2);
	assert_true(options.up);
	assert_false(options.persist);
	assert_int_equal(options.queues, 4);
	assert_int_equal(options.poll, WORKER_POLL_BUSY);
	assert_string_equal(options.control, "/tmp/x.sock");
	assert_int_equal(options.log_level, IXGBE_LOG_WARNING);
}

static void faults_name_their_line(void **state)
{
	static const struct {
		const char *text, *line, *words;
	} bad[] = {
		{"tap = tap0\ncolour = red\n", ":2: ", "no option 'colour'"},
		{"mtu = 1\n", ":1: ", "MTU"},
		{"\n\nmtu\n", ":3: ", "name = value"},
		{"[ixtapd]\ntap = tap0\n", ":2: ", "sections"},
		{"tap = a\ntap = b\n", ":2: ", "twice"},
		{"config = other\n", ":1: ", "'config'"},
		{"up = perhaps\n", ":1: ", "yes nor no"},
		/* The first of several. */
		{"mtu = 1\nqueues = 0\n", ":1: ", "MTU"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct options options;
		struct ixgbe_why why;

		if (!load(bad[i].text, &options, &why) || !strstr(why.text, bad[i].line) ||
		    !strstr(why.text, bad[i].words))
			fail_msg("%s: '%s'", bad[i].text, why.text);
	}
}

static void files_that_cannot_be_read(void **state)
{
	struct options options;
	struct ixgbe_why why = {""};

	(void)state;
	options_init(&options);
	assert_int_equal(config_load(&options, "/nonexistent/x", &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/x"));
	assert_int_equal(config_load(&options, "/tmp", &why), -EISDIR);
	assert_int_equal(config_load(&options, "/dev/null", &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_can_stand_in_a_file),
		cmocka_unit_test(faults_name_their_line),
		cmocka_unit_test(files_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
