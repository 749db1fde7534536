/* SPDX-License-Identifier: MIT */
/* Valid and invalid names of tunnels, and templates. */
#include "tests/unit/runner.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "memtun/protocol.h"
#include "common/tunnel_name.h"

static void names_of_up_to_fifteen_bytes_will_do(void **state)
{
	static const char *const names[] = {
		"a",   "tap0", "fifteen-bytes-x",   "a.b",
		"...", "-",    "\xc3\xa9t\xc3\xa9", "\"quoted\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(tunnel_name_fault(names[i], false));
}

static void every_byte_but_the_forbidden_will_do(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char name[] = {'a', (char)byte, 'b', '\0'};
		bool forbidden =
			byte <= ' ' || byte == 0x7f || byte == '/' || byte == ':' || byte == '%';

		assert_int_equal(tunnel_name_fault(name, false) != NULL, forbidden);
	}
}

static void a_template_has_one_percent_d(void **state)
{
	static const char *const good[] = {"%d", "tap%d", "a%db", "%d."};
	static const char *const bad[] = {"%",   "a%", "%s",  "%%d", "%d%d",
					  "%d%", "%D", "% d", "%0d"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_null(tunnel_name_fault(good[i], true));
		assert_non_null(tunnel_name_fault(good[i], false));
		assert_true(tunnel_name_is_template(good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(tunnel_name_fault(bad[i], true));
	assert_false(tunnel_name_is_template("tap0"));
}

static void a_template_gives_names(void **state)
{
	static const struct {
		const char *template;
		unsigned int number;
		const char *name;
	} cases[] = {
		{"%d", 0, "0"},     {"tap%d", 1, "tap1"},     {"tap%d", 10, "tap10"},
		{"a%db", 9, "a9b"}, {"%d.", 99999, "99999."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[MEMTUN_NAME_SIZE];

		assert_true(
			tunnel_name_expand(name, sizeof(name), cases[i].template, cases[i].number));
		assert_string_equal(name, cases[i].name);
	}
}

static void a_name_that_would_be_too_long_is_none(void **state)
{
	char name[MEMTUN_NAME_SIZE];

	(void)state;
	assert_true(tunnel_name_expand(name, sizeof(name), "thirteen-byte%d", 99));
	assert_string_equal(name, "thirteen-byte99");
	assert_false(tunnel_name_expand(name, sizeof(name), "thirteen-byte%d", 100));
	assert_true(tunnel_name_expand(name, sizeof(name), "%d", UINT_MAX));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_up_to_fifteen_bytes_will_do),
		cmocka_unit_test(every_byte_but_the_forbidden_will_do),
		cmocka_unit_test(a_template_has_one_percent_d),
		cmocka_unit_test(a_template_gives_names),
		cmocka_unit_test(a_name_that_would_be_too_long_is_none),
	};

	return RUN_TESTS(tests);
}
