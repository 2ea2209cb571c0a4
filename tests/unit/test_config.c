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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/start/config.h"

static int load_bytes(const char *text, size_t len, struct options *options, struct ixgbe_why *why)
{
	char path[] = "/tmp/ixtap-config-XXXXXX";
	int err, fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	options_init(options);
	why->text[0] = '\0';
	err = config_load(options, path, why);
	if (err)
		assert_ptr_equal(strstr(why->text, path), why->text);
	unlink(path);
	return err;
}

static int load(const char *text, struct options *options, struct ixgbe_why *why)
{
	return load_bytes(text, strlen(text), options, why);
}

/* `before`, then `fill` as often as a line of `columns` needs, then `after`; to be freed. */
static char *wide(size_t columns, const char *before, char fill, const char *after)
{
	size_t rest = strlen(before) + strcspn(after, "\n");
	size_t filled = columns > rest ? columns - rest : 0;
	char *text = NULL, *middle = malloc(filled + 1);

	assert_non_null(middle);
	memset(middle, fill, filled);
	middle[filled] = '\0';
	assert_true(asprintf(&text, "%s%s%s", before, middle, after) > 0);
	free(middle);
	return text;
}

static const size_t columns[] = {198, 199, 200, 201, 300, 4096, 8190, 8191, 8192, 100000};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void comments_have_any_length(void **state)
{
	static const char *const kinds[][2] = {
		{"#", " persist = yes\nmtu = 9000\n"}, {";", "\tpersist = yes\nmtu = 9000\n"},
		{"  # ", "[persist]\nmtu = 9000\n"},   {"# ", "\nmtu = 9000\n"},
		{"mtu = 9000 # ", " persist = yes\n"}, {"mtu = 9000\t; ", "=\n"},
	};

	(void)state;
	for (size_t i = 0; i < COLUMNS; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			char *text = wide(columns[i], kinds[k][0], 'x', kinds[k][1]);
			struct options options;
			struct ixgbe_why why;

			if (load(text, &options, &why) || options.persist || options.mtu != 9000)
				fail_msg("%zu columns, kind %zu: persist %d, mtu %u, '%s'",
					 columns[i], k, options.persist, options.mtu, why.text);
			free(text);
		}
}

static void blanks_have_any_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < COLUMNS; i++) {
		char *text = wide(columns[i], "", ' ', "mtu = 9000\npersist = no\n");
		struct options options;
		struct ixgbe_why why;

		assert_int_equal(load(text, &options, &why), 0);
		assert_int_equal(options.mtu, 9000);
		free(text);
		text = wide(columns[i], "mtu =", ' ', "9000\npersist = no\n");
		assert_int_equal(load(text, &options, &why), 0);
		assert_int_equal(options.mtu, 9000);
		free(text);
	}
}

static void long_values_are_whole(void **state)
{
	struct options options;
	struct ixgbe_why why;
	char *text = wide(strlen("netns = ") + NAME_MAX, "netns = ", 'n', "\nup = yes\n");

	(void)state;
	assert_int_equal(load(text, &options, &why), 0);
	assert_int_equal(strlen(options.netns), NAME_MAX);
	assert_true(options.up);
	free(text);
	for (size_t i = 0; i < COLUMNS; i++) {
		text = wide(columns[i], "\n\ncontrol = /", 'x', " persist = yes\nup = yes\n");
		if (!load(text, &options, &why) || !strstr(why.text, ":3: "))
			fail_msg("%zu columns: '%s'", columns[i], why.text);
		assert_false(options.persist);
		free(text);
	}
}

static void faults_behind_long_lines_name_their_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COLUMNS; i++) {
		char *text = wide(columns[i], "#", 'x', "\n\nmtu = 1\n");
		struct options options;
		struct ixgbe_why why;

		if (!load(text, &options, &why) || !strstr(why.text, ":3: "))
			fail_msg("%zu columns: '%s'", columns[i], why.text);
		free(text);
	}
}

static void files_of_other_systems(void **state)
{
	struct options options;
	struct ixgbe_why why;

	(void)state;
	assert_int_equal(load("tap = uplink\r\nmtu = 9000\r\n\r\n", &options, &why), 0);
	assert_string_equal(options.tap, "uplink");
	assert_int_equal(options.mtu, 9000);
	assert_int_equal(load("\xef\xbb\xbftap = uplink\nmtu = 9000", &options, &why), 0);
	assert_string_equal(options.tap, "uplink");
	assert_int_equal(options.mtu, 9000);
	assert_int_equal(load("", &options, &why), 0);
	assert_int_equal(load("\xef\xbb\xbf", &options, &why), 0);
	assert_int_equal(load("# no end", &options, &why), 0);
}

static void lines_are_independent(void **state)
{
	struct options options;
	struct ixgbe_why why;

	(void)state;
	assert_int_equal(
		load("tap = uplink\n  mtu = 9000\n\t# up = yes\n\tpersist = yes\n", &options, &why),
		0);
	assert_string_equal(options.tap, "uplink");
	assert_int_equal(options.mtu, 9000);
	assert_true(options.persist);
	assert_false(options.up);
	/* A comment begins the line or follows a blank. */
	assert_int_equal(load("control = /tmp/a#b;c\nnetns = blue # a comment\n", &options, &why),
			 0);
	assert_string_equal(options.control, "/tmp/a#b;c");
	assert_string_equal(options.netns, "blue");
	assert_int_equal(load("netns = a = b\n", &options, &why), 0);
	assert_string_equal(options.netns, "a = b");
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
		{"[ixtapd]\ntap = tap0\n", ":1: ", "sections"},
		{"[ixtapd]\n", ":1: ", "[ixtapd]"},
		{"tap = a\ntap = b\n", ":2: ", "twice"},
		{"config = other\n", ":1: ", "'config'"},
		{"up = perhaps\n", ":1: ", "yes nor no"},
		/* The first of several. */
		{"mtu = 1\nqueues = 0\n", ":1: ", "MTU"},
		{"tap = a\nmtu =\n", ":2: ", "MTU"},
		{"tap = a\n= 5\n", ":2: ", "name = value"},
		{"tap = a\nmtu : 1500\n", ":2: ", "name = value"},
		{"tap = a\n  = 5\n", ":2: ", "name = value"},
		{"mtu = 1500\n  1600\n", ":2: ", "name = value"},
		{"mtu = 1500\rup = yes\n", ":1: ", "control character"},
		{"tap = a\nnetns = \033[31m\n", ":2: ", "control character"},
		{"tap = a\n[unclosed\n", ":2: ", "sections"},
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

/* ---- The folder FILE.d ---- */

struct place {
	char file[64], folder[66];
};

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void drop_in(const struct place *place, const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", place->folder, name);
	put(path, text);
}

static int place_make(void **state)
{
	static struct place place;

	snprintf(place.file, sizeof(place.file), "/tmp/ixtap-config-%d", getpid());
	snprintf(place.folder, sizeof(place.folder), "%s.d", place.file);
	*state = &place;
	return mkdir(place.folder, 0700);
}

static int place_remove(void **state)
{
	const struct place *place = *state;
	char words[160];

	snprintf(words, sizeof(words), "rm -rf %s %s", place->file, place->folder);
	return system(words);
}

static void later_files_replace_earlier_ones(void **state)
{
	char program[] = "ixtapd", queues[] = "--queues=2";
	char *args[] = {program, queues, NULL};
	const struct place *place = *state;
	struct options options;
	struct ixgbe_why why;

	put(place->file, "tap = uplink\nmtu = 1400\nqueues = 4\nup = yes\n"
			 "address = 192.0.2.1/24\naddress = 192.0.2.2/24\n");
	drop_in(place, "20-more.conf", "mtu = 9000\n");
	drop_in(place, "10-first.conf",
		"mtu = 1300\npoll = busy\nup = no\nqueues = 3\n"
		"address = 2001:db8::1/64\n");
	drop_in(place, "30-none.conf~", "mtu = 68\n");
	drop_in(place, ".hidden.conf", "mtu = 68\n");
	options_init(&options);
	assert_int_equal(options_parse(&options, 2, args, &why), 0);
	assert_int_equal(config_load(&options, place->file, &why), 0);
	assert_string_equal(options.tap, "uplink");
	assert_int_equal(options.mtu, 9000);
	assert_int_equal(options.poll, WORKER_POLL_BUSY);
	assert_false(options.up);
	assert_int_equal(options.queues, 2);
	assert_int_equal(options.addresses, 1);
	assert_int_equal(options.address[0].family, AF_INET6);
}

static void faults_name_their_file(void **state)
{
	const struct place *place = *state;
	struct options options;
	struct ixgbe_why why;

	put(place->file, "tap = uplink\n");
	drop_in(place, "10-bad.conf", "\nmtu = many\n");
	drop_in(place, "20-good.conf", "mtu = 1500\n");
	options_init(&options);
	assert_int_equal(config_load(&options, place->file, &why), -EINVAL);
	assert_non_null(strstr(why.text, ".d/10-bad.conf:2: "));
	drop_in(place, "10-bad.conf", "mtu = 1500\nmtu = 1500\n");
	options_init(&options);
	assert_int_equal(config_load(&options, place->file, &why), -EEXIST);
	assert_non_null(strstr(why.text, ".d/10-bad.conf:2: "));
}

static void a_folder_that_is_none(void **state)
{
	const struct place *place = *state;
	struct options options;
	struct ixgbe_why why;
	char path[160];

	put(place->file, "tap = uplink\n");
	snprintf(path, sizeof(path), "%s/10-folder.conf", place->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	options_init(&options);
	assert_int_equal(config_load(&options, place->file, &why), -EISDIR);
	assert_non_null(strstr(why.text, "10-folder.conf"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(place->folder), 0);
	put(place->folder, "mtu = 1500\n");
	assert_int_equal(config_load(&options, place->file, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, place->folder));
}

/* A line that never ends must not take all memory. */
static void a_file_that_is_too_large(void **state)
{
	const struct place *place = *state;
	struct options options;
	struct ixgbe_why why;

	put(place->file, "# the rest is a hole\n");
	assert_int_equal(truncate(place->file, (off_t)1 << 40), 0);
	options_init(&options);
	assert_int_equal(config_load(&options, place->file, &why), -EFBIG);
	assert_non_null(strstr(why.text, place->file));
	assert_non_null(strstr(why.text, "1 MiB"));
}

static void a_drop_in_is_masked(void **state)
{
	const struct place *place = *state;
	struct options options;
	struct ixgbe_why why;
	char path[160];

	put(place->file, "tap = uplink\n");
	snprintf(path, sizeof(path), "%s/10-off.conf", place->folder);
	assert_int_equal(symlink("/dev/null", path), 0);
	options_init(&options);
	assert_int_equal(config_load(&options, place->file, &why), 0);
	assert_string_equal(options.tap, "uplink");
}

static void a_zero_byte_is_refused(void **state)
{
	static const char *const parts[][2] = {
		{"tap = a", "b\n"}, {"# ", "\n"}, {"", ""}, {"up = yes\n", ""}};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i][0]) + 1 + strlen(parts[i][1]);
		struct options options;
		struct ixgbe_why why;
		char text[64];

		strcpy(text, parts[i][0]);
		strcpy(text + strlen(text) + 1, parts[i][1]);
		assert_int_equal(load_bytes(text, len, &options, &why), -EINVAL);
		assert_non_null(strstr(why.text, "zero byte"));
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
		cmocka_unit_test(comments_have_any_length),
		cmocka_unit_test(blanks_have_any_length),
		cmocka_unit_test(long_values_are_whole),
		cmocka_unit_test(faults_behind_long_lines_name_their_line),
		cmocka_unit_test(files_of_other_systems),
		cmocka_unit_test(lines_are_independent),
		cmocka_unit_test(a_zero_byte_is_refused),
		cmocka_unit_test_setup_teardown(later_files_replace_earlier_ones, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(faults_name_their_file, place_make, place_remove),
		cmocka_unit_test_setup_teardown(a_folder_that_is_none, place_make, place_remove),
		cmocka_unit_test_setup_teardown(a_file_that_is_too_large, place_make, place_remove),
		cmocka_unit_test_setup_teardown(a_drop_in_is_masked, place_make, place_remove),
		cmocka_unit_test(files_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
