/* SPDX-License-Identifier: MIT */
/* Text of others: fit to be shown, and in JSON. What UTF-8 is: RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bridge/service/printable.h"
#include "bridge/service/text_json.h"
#include "ixgbe/ixgbe.h"

static void any_bytes_become_json(void **state)
{
	static const char *const texts[][2] = {
		{"", ""},
		{"tap0", "tap0"},
		{"b\xc3\xbcro \xe2\x82\xac \xf0\x9f\x90\x8d",
		 "b\xc3\xbcro \xe2\x82\xac \xf0\x9f\x90\x8d"},
		{"b\xfcro", "b\\xfcro"},
		{"a\\xfc", "a\\x5cxfc"},
		{"\x80\xbf", "\\x80\\xbf"},
		{"x\xc3", "x\\xc3"},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xc0\xaf", "\\xc0\\xaf"},
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
		{"\x1b\n\x7f\x01", "\\x1b\\x0a\\x7f\\x01"},
		{"\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = text_json(texts[i][0]);
		char *line = json_dumps(json, JSON_ENCODE_ANY);
		json_t *again = line ? json_loads(line, JSON_DECODE_ANY, NULL) : NULL;
		char back[64];

		assert_non_null(again);
		assert_string_equal(json_string_value(again), texts[i][1]);
		strcpy(back, json_string_value(again));
		printable_undo(back);
		assert_string_equal(back, texts[i][0]);
		json_decref(again);
		json_decref(json);
		free(line);
	}
}

static void any_bytes_become_printable(void **state)
{
	static const struct {
		const char *text;
		size_t room;
		const char *shown, *told, *lines; /* raw; of another program; the same with lines */
	} cases[] = {
		{"b\xfcro", 16, "b\\xfcro", "b\\xfcro", "b\\xfcro"},
		{"b\xfcro", 8, "b\\xfcro", "b\\xfcro", "b\\xfcro"},
		{"b\xfcro", 7, "b?ro", "b?ro", "b?ro"}, /* no room */
		{"\xff\xfe", 6, "\\xff?", "\\xff?", "\\xff?"},
		{"a\nb\x1b\x7f", 15, "a\\x0ab\\x1b\\x7f", "a\\x0ab\\x1b\\x7f", "a\nb\\x1b\\x7f"},
		{"\xc2\x9b\xc2\xa0", 15, "\\xc2\\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0",
		 "\\xc2\\x9b\xc2\xa0"},
		{"\x9b", 15, "\\x9b", "\\x9b", "\\x9b"}, /* a terminal of 8 bits would obey */
		{"a\\xfc", 15, "a\\x5cxfc", "a\\xfc", "a\\xfc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *expected[] = {cases[i].shown, cases[i].told, cases[i].lines};

		for (int way = 0; way < 3; way++) {
			char text[17];

			memset(text, 'X', sizeof(text));
			snprintf(text, sizeof(text), "%s", cases[i].text);
			if (way)
				printable_told(text, cases[i].room, way == 2);
			else
				printable(text, cases[i].room);
			assert_string_equal(text, expected[way]);
			assert_int_equal(text[cases[i].room], 'X');
		}
	}
}

/* What is no escape of ours stays. */
static void only_escapes_are_undone(void **state)
{
	static const char *const texts[][2] = {
		{"\\x41\\x5cx41", "A\\x41"}, {"\\x4", "\\x4"},   {"\\xFC", "\\xFC"}, {"\\", "\\"},
		{"\\x00", "\\x00"},          {"\\\\x41", "\\A"},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		strcpy(text, texts[i][0]);
		printable_undo(text);
		assert_string_equal(text, texts[i][1]);
	}
}

/* The reason stands behind the word that is too long; no character is cut. */
static void what_is_too_long_is_cut_in_the_middle(void **state)
{
	char word[2000];
	struct ixgbe_why why;

	(void)state;
	for (size_t len = 0; len < sizeof(word); len++) {
		char reason[sizeof(why.text)];

		memset(word, 0, sizeof(word));
		for (size_t i = 0; i + 2 <= len; i += 2)
			memcpy(word + i, "\xc3\xbc", 2);
		assert_int_equal(ixgbe_why_fill(&why, -1, "--tap: the name '%s' is too long", word),
				 -1);
		assert_memory_equal(why.text, "--tap: the name '", 17);
		assert_non_null(strstr(why.text, "' is too long"));
		assert_true(strlen(why.text) < sizeof(why.text));
		strcpy(reason, why.text);
		printable(reason, sizeof(reason));
		assert_string_equal(reason, why.text);
	}
}

static void whole_characters_only(void **state)
{
	static const struct {
		const char *text;
		size_t most, bytes;
	} cases[] = {
		{"", 5, 0},
		{"abc", 0, 0},
		{"abc", 2, 2},
		{"abc", 3, 3},
		{"abc", 9, 3},
		{"\xc3\xbc", 1, 0},
		{"a\xe2\x82\xac", 3, 1},
		{"a\xe2\x82\xac", 4, 4},
		{"\xf0\x9f\x90\x8d", 3, 0},
		{"\xfc\xfc", 1, 1}, /* each byte is for itself */
		{"\xe2\x82", 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(printable_bytes(cases[i].text, cases[i].most), cases[i].bytes);
}

/* A binary fraction has more digits than the number that was meant. */
static void numbers_have_no_noise(void **state)
{
	static const char *const texts[] = {
		"[9.012345]",
		"[12.345678,-0.1,0.3]",
		"[1700000000.123456]",
		"[1.0,-1.0,0.0,1e+300,1e-300,0.1]",
		"[123456789012345678,-7]",
		"{\"1.10000000000000009\":\"a\\\"1.10000000000000009\\\\\",\"b\":[null,true,1.1]}",
		"[0.30000000000000004]", /* another number than 0.3 */
		"[]",
	};
	json_t *sum = json_pack("{s:f}", "sum", 1.1 + 2.2);
	char *line = text_json_dump(sum, JSON_COMPACT);

	(void)state;
	assert_string_equal(line, "{\"sum\":3.3000000000000003}");
	free(line);
	json_decref(sum);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = json_loads(texts[i], 0, NULL), *again;

		assert_non_null(json);
		line = text_json_dump(json, JSON_COMPACT);
		assert_string_equal(line, texts[i]);
		again = json_loads(line, 0, NULL);
		assert_true(json_equal(again, json));
		json_decref(again);
		json_decref(json);
		free(line);
	}
	assert_null(text_json_dump(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_become_json),
		cmocka_unit_test(any_bytes_become_printable),
		cmocka_unit_test(only_escapes_are_undone),
		cmocka_unit_test(whole_characters_only),
		cmocka_unit_test(what_is_too_long_is_cut_in_the_middle),
		cmocka_unit_test(numbers_have_no_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
