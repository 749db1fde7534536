/* SPDX-License-Identifier: MIT */
/* The keys in the help of commands are the options that the table of attributes has for them. */
#include "tests/unit/runner.h"

#include <string.h>

#include "client/command/keys.h"
#include "common/attribute_table.h"

static bool help_has(unsigned int of_commands, const char *name)
{
	for (const struct key *key = keys; key->name; key++) {
		if (key->commands & of_commands && strcmp(key->name, name) == 0)
			return true;
	}
	return false;
}

/* Assert that the help of that command has each attribute that is one of these options. */
static void assert_help_has(unsigned int of_command, unsigned int options)
{
	for (int i = MEMTUN_A_UNSPEC + 1; i < MEMTUN_A_END; i++) {
		const char *name = attributes[i].word;

		/* The name comes before the keys. */
		if (!attribute_is_option((enum memtun_attribute)i, options) || i == MEMTUN_A_NAME)
			continue;
		if (!help_has(of_command, name))
			fail_msg("the help of command %u lacks %s", of_command, name);
	}
}

/* Assert the reverse, where some keys of the command may be other options. */
static void assert_help_has_only(unsigned int of_command, unsigned int options,
				 const char *except[])
{
	for (const struct key *key = keys; key->name; key++) {
		bool is_excepted = false;

		for (size_t i = 0; except[i]; i++)
			is_excepted |= strcmp(except[i], key->name) == 0;
		if (key->commands & of_command && !is_excepted &&
		    !attribute_is_option(attribute_find(key->name), options))
			fail_msg("command %u doesn't take %s", of_command, key->name);
	}
}

static void help_has_the_options_of_its_command(void **state)
{
	(void)state;
	assert_help_has(KEYS_ADD, OPTION_TUNNEL_ADD);
	assert_help_has(KEYS_SET, OPTION_TUNNEL_SET);
	assert_help_has(KEYS_EXEC, OPTION_TUNNEL);
	assert_help_has(KEYS_UPLINK_ADD, OPTION_UPLINK | OPTION_UPLINK_ANY);
}

static void help_has_no_other_keys(void **state)
{
	(void)state;
	assert_help_has_only(KEYS_ADD, OPTION_TUNNEL_ADD, (const char *[]){NULL});
	assert_help_has_only(KEYS_SET, OPTION_TUNNEL_SET, (const char *[]){"nobridge", NULL});
	assert_help_has_only(KEYS_EXEC | KEYS_HOST, OPTION_TUNNEL,
			     (const char *[]){"exclusive", "socks", NULL});
	/* These are about descriptors of the command, and are not sent. */
	assert_help_has_only(KEYS_UPLINK_ADD, OPTION_UPLINK | OPTION_UPLINK_ANY,
			     (const char *[]){"fd", "pid", "until", NULL});
}

static void a_key_is_there_once_for_a_command(void **state)
{
	(void)state;
	for (const struct key *key = keys; key->name; key++) {
		for (const struct key *other = key + 1; other->name; other++) {
			if (strcmp(key->name, other->name) == 0)
				assert_int_equal(key->commands & other->commands, 0);
		}
	}
}

static void the_hint_is_about_the_first_unknown_key(void **state)
{
	char hint[SUGGESTION_SIZE];

	(void)state;
	assert_string_equal(keys_hint_spec(KEYS_EXEC, "mtu=9,brigde=lab,muT=3", hint),
			    "; did you mean 'bridge'?");
	assert_string_equal(keys_hint_spec(KEYS_EXEC, "mtu=9,colour=3,brigde=lab", hint), "");
	assert_string_equal(keys_hint_spec(KEYS_EXEC, "mtu=9,,pi", hint), "");
	assert_string_equal(keys_hint_spec(KEYS_EXEC, "", hint), "");
	assert_string_equal(keys_hint_spec(KEYS_SET, "vin=9", hint), "");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(help_has_the_options_of_its_command),
	cmocka_unit_test(help_has_no_other_keys),
	cmocka_unit_test(a_key_is_there_once_for_a_command),
	cmocka_unit_test(the_hint_is_about_the_first_unknown_key),
};

int main(void)
{
	return RUN_TESTS(tests);
}
