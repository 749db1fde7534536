/* SPDX-License-Identifier: MIT */
/* Valid and invalid UTF-8, and its repair. */
#include "tests/unit/runner.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

static void text_is_told_from_other_bytes(void **state)
{
	static const struct {
		const char *text;
		bool is_valid;
		const char *mended;
	} cases[] = {
		{"", true, ""},
		{"plain", true, "plain"},
		{"\x7f", true, "\x7f"},
		{"\xc2\x80", true, "\xc2\x80"},
		{"\xc3\xa9t\xc3\xa9", true, "\xc3\xa9t\xc3\xa9"},
		{"\xe0\xa0\x80", true, "\xe0\xa0\x80"},
		{"\xef\xbf\xbf", true, "\xef\xbf\xbf"},
		{"\xf0\x90\x80\x80", true, "\xf0\x90\x80\x80"},
		{"\xf4\x8f\xbf\xbf", true, "\xf4\x8f\xbf\xbf"},
		{"\x80", false, "?"},
		{"a\xff\"", false, "a?\""},
		{"\xc3", false, "?"},
		{"a\xe2\x82", false, "a??"},
		{"\xf0\x9f\x98", false, "???"},
		{"\xc3\x28", false, "?("},
		{"\xc1\xbf", false, "??"},           /* overlong */
		{"\xe0\x9f\xbf", false, "???"},      /* the same */
		{"\xf0\x8f\xbf\xbf", false, "????"}, /* the same */
		{"\xed\xa0\x80", false, "???"},      /* a surrogate */
		{"\xf4\x90\x80\x80", false, "????"}, /* above U+10FFFF */
		{"\xf8\x88\x80\x80\x80", false, "?????"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[16];

		snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(utf8_is_valid(text), cases[i].is_valid);
		utf8_mend(text);
		assert_string_equal(text, cases[i].mended);
		assert_true(utf8_is_valid(text));
	}
}

static void terminal_controls_are_told_from_characters(void **state)
{
	static const char *const controls[] = {
		"\n",           "a\x1b[31m",     "\x7f",         "\xc2\x80",
		"\xc2\x9f",     "a\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xae",
		"\xe2\x81\xa6", "\xe2\x81\xa9",
	};
	static const char *const others[] = {
		"",
		" ~",
		"\xc2\xa0",
		"\xe2\x80\xa7",
		"\xe2\x80\xaf",
		"\xe2\x81\xa5",
		"\xe2\x81\xaa",
		"\xf0\x9f\x98\x80",
		"\x9f\xff",
	};

	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		assert_true(utf8_has_control(controls[i]));
		strlcpy(text, controls[i], sizeof(text));
		utf8_make_printable(text);
		assert_false(utf8_has_control(text));
		assert_int_equal(strlen(text), strlen(controls[i]));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(utf8_has_control(others[i]));
		strlcpy(text, others[i], sizeof(text));
		utf8_make_printable(text);
		assert_true(utf8_is_valid(text));
		if (utf8_is_valid(others[i]))
			assert_string_equal(text, others[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_told_from_other_bytes),
		cmocka_unit_test(terminal_controls_are_told_from_characters),
	};

	return RUN_TESTS(tests);
}
