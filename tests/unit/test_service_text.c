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
		{"\x1b\n", "\x1b\n"}, /* JSON has a form of its own for these */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = text_json(texts[i][0]);
		char *line = json_dumps(json, JSON_ENCODE_ANY);
		json_t *again = line ? json_loads(line, JSON_DECODE_ANY, NULL) : NULL;

		assert_non_null(again);
		assert_string_equal(json_string_value(again), texts[i][1]);
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
		bool lines;
		const char *shown;
	} cases[] = {
		{"b\xfcro", 16, false, "b\\xfcro"}, {"b\xfcro", 8, false, "b\\xfcro"},
		{"b\xfcro", 7, false, "b?ro"}, /* no room */
		{"\xff\xfe", 6, false, "\\xff?"},   {"a\nb\x1b\x7f", 15, false, "a?b??"},
		{"a\nb", 15, true, "a\nb"},         {"\xc2\x9b\xc2\xa0", 15, false, "??\xc2\xa0"},
		{"\x9b", 15, false, "\\x9b"}, /* a terminal of 8 bits would obey */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[17];

		memset(text, 'X', sizeof(text));
		snprintf(text, sizeof(text), "%s", cases[i].text);
		printable(text, cases[i].room, cases[i].lines);
		assert_string_equal(text, cases[i].shown);
		assert_int_equal(text[cases[i].room], 'X');
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
		printable(reason, sizeof(reason), false);
		assert_string_equal(reason, why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_become_json),
		cmocka_unit_test(any_bytes_become_printable),
		cmocka_unit_test(what_is_too_long_is_cut_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
