/* SPDX-License-Identifier: MIT */
/* The table of attributes, and sets of their values: formatting, parsing, bounds and options. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/attribute_set.h"

static void every_word_finds_its_attribute(void **state)
{
	(void)state;
	for (int which = MEMTUN_A_UNSPEC + 1; which < MEMTUN_A_END; which++) {
		if (attributes[which].type == ATTRIBUTE_NONE)
			assert_null(attributes[which].word);
		else
			assert_int_equal(attribute_find(attributes[which].word), which);
	}
	assert_int_equal(attribute_find(""), MEMTUN_A_UNSPEC);
	assert_int_equal(attribute_find("nothing"), MEMTUN_A_UNSPEC);
}

static void what_is_written_is_read_again(void **state)
{
	static const struct {
		enum memtun_attribute which;
		const char *text;
		uint64_t number;
	} cases[] = {
		{MEMTUN_A_MODE, "tun", MEMTUN_TUN},
		{MEMTUN_A_MODE, "tap", MEMTUN_TAP},
		{MEMTUN_A_SOCKET, "seqpacket", MEMTUN_SEQPACKET},
		{MEMTUN_A_SOCKET, "dgram", MEMTUN_DGRAM},
		{MEMTUN_A_SOCKET, "stream", MEMTUN_STREAM},
		{MEMTUN_A_OVERFLOW, "drop-tail", MEMTUN_DROP_TAIL},
		{MEMTUN_A_OVERFLOW, "drop-head", MEMTUN_DROP_HEAD},
		{MEMTUN_A_OVERFLOW, "block", MEMTUN_BLOCK},
		{MEMTUN_A_STATE, "closed", MEMTUN_CLOSED},
		{MEMTUN_A_STATE, "open", MEMTUN_OPEN},
		{MEMTUN_A_EVENT, "added", MEMTUN_EVENT_ADDED},
		{MEMTUN_A_EVENT, "closed", MEMTUN_EVENT_CLOSED},
		{MEMTUN_A_EVENT, "lost", MEMTUN_EVENT_LOST},
		{MEMTUN_A_PI, "on", 1},
		{MEMTUN_A_PI, "off", 0},
		{MEMTUN_A_MTU, "68", 68},
		{MEMTUN_A_MTU, "65535", 65535},
		{MEMTUN_A_INODE, "18446744073709551615", UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attribute_set set = {0};
		struct fault fault;
		char text[64];

		assert_int_equal(attribute_set_parse(&set, cases[i].which, cases[i].text, &fault),
				 0);
		assert_int_equal(attribute_set_number(&set, cases[i].which), cases[i].number);
		assert_string_equal(attribute_format(&set, cases[i].which, text, sizeof(text)),
				    cases[i].text);
	}
}

static void a_flag_without_a_value_is_on(void **state)
{
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(attribute_set_parse(&set, MEMTUN_A_PI, NULL, &fault), 0);
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_PI), 1);
}

static void values_that_are_none_are_told(void **state)
{
	static const struct {
		enum memtun_attribute which;
		const char *text;
		const char *fault;
	} cases[] = {
		{MEMTUN_A_MODE, "tub", "mode is one of tun, tap, not 'tub'"},
		{MEMTUN_A_MODE, "", "mode is one of tun, tap, not ''"},
		{MEMTUN_A_MODE, "1", "mode is one of tun, tap, not '1'"},
		{MEMTUN_A_MODE, NULL, "mode needs a value"},
		{MEMTUN_A_MTU, NULL, "mtu needs a value"},
		{MEMTUN_A_MTU, "", "mtu takes a number, not ''"},
		{MEMTUN_A_MTU, "-1", "mtu takes a number, not '-1'"},
		{MEMTUN_A_MTU, " 100", "mtu takes a number, not ' 100'"},
		{MEMTUN_A_MTU, "0x64", "mtu takes a number, not '0x64'"},
		{MEMTUN_A_MTU, "100k", "mtu takes a number, not '100k'"},
		{MEMTUN_A_MTU, "99999999999999999999",
		 "mtu takes a number, not '99999999999999999999'"},
		{MEMTUN_A_MTU, "67", "mtu 67 is not from 68 to 65535"},
		{MEMTUN_A_MTU, "4294967364", "mtu 4294967364 is not from 68 to 65535"},
		{MEMTUN_A_PI, "yes", "pi is on or off, not 'yes'"},
		{MEMTUN_A_NAME, "a/b", "name 'a/b' has a '/' or ':'"},
		{MEMTUN_A_NAME, "", "name '' is empty"},
		{MEMTUN_A_PEER, "a%d", "peer 'a%d' has a '%'"},
		{MEMTUN_A_NAME, "a\xff", "name is not UTF-8"},
		{MEMTUN_A_NAME, "a\xc2\x9b", "name 'a?\?' has a control character"},
		{MEMTUN_A_PATH, "/tmp/\xe2\x80\xa8", "path has a control character"},
		{MEMTUN_A_PATH, "/tmp/\xc3", "path is not UTF-8"},
		{MEMTUN_A_UNSPEC, "x", "attribute 0 is unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attribute_set set = {0};
		struct fault fault = {0};

		errno = 0;
		assert_int_equal(attribute_set_parse(&set, cases[i].which, cases[i].text, &fault),
				 -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(fault.error, EINVAL);
		assert_string_equal(fault.text, cases[i].fault);
		assert_int_equal(attribute_set_next(&set, MEMTUN_A_UNSPEC), MEMTUN_A_END);
	}
}

static void an_empty_bridge_is_none(void **state)
{
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(attribute_set_parse(&set, MEMTUN_A_BRIDGE, "", &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_BRIDGE), "");
}

static void what_is_absent_is_zero_and_null(void **state)
{
	struct attribute_set set = {0};

	(void)state;
	set.values[MEMTUN_A_MTU].number = 5;
	assert_false(attribute_set_has(&set, MEMTUN_A_MTU));
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_MTU), 0);
	assert_null(attribute_set_string(&set, MEMTUN_A_NAME));
}

static void a_text_is_cut_to_its_place(void **state)
{
	struct attribute_set set = {0};
	char text[4];

	(void)state;
	attribute_set_put_string(&set, MEMTUN_A_NAME, "longer");
	assert_string_equal(attribute_format(&set, MEMTUN_A_NAME, text, sizeof(text)), "lon");
}

static void a_fault_that_cuts_a_character_is_text_still(void **state)
{
	struct fault fault;

	(void)state;
	assert_int_equal(fault_set(&fault, EINVAL, "no %.2s", "a\xc3\xa9"), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(fault.text, "no a?");
}

static void counters_are_no_options(void **state)
{
	(void)state;
	for (int which = MEMTUN_A_FROM_CLIENT_FRAMES; which <= MEMTUN_A_TO_CLIENT_UNREAD; which++)
		assert_int_equal(attributes[which].options, 0);
	for (int which = MEMTUN_A_FROM_CLIENT_DROPPED_LOSS; which < MEMTUN_A_END; which++)
		assert_int_equal(attributes[which].options, 0);
	assert_true(attribute_is_option(MEMTUN_A_MTU, OPTION_TUNNEL));
	assert_true(attribute_is_option(MEMTUN_A_MTU, OPTION_UPLINK | OPTION_KEY));
	assert_false(attribute_is_option(MEMTUN_A_MTU, OPTION_KEY | OPTION_REQUEST));
	assert_false(attribute_is_option(MEMTUN_A_UNSPEC, ~0U));
}

static void what_can_be_added_or_changed_is_an_option_of_tunnels(void **state)
{
	(void)state;
	for (int i = MEMTUN_A_UNSPEC + 1; i < MEMTUN_A_END; i++) {
		enum memtun_attribute which = (enum memtun_attribute)i;

		if (attribute_is_option(which, OPTION_TUNNEL_SET | OPTION_MEMORY_ONLY))
			assert_true(attribute_is_option(which, OPTION_TUNNEL));
		if (attribute_is_option(which, OPTION_TUNNEL) && which != MEMTUN_A_PERSISTENT)
			assert_true(attribute_is_option(which, OPTION_TUNNEL_ADD));
	}
}

/* Name and VNI, and an attribute of the second word of bits. */
static struct attribute_set sample_set(void)
{
	struct attribute_set set = {0};

	attribute_set_put_string(&set, MEMTUN_A_NAME, "up0");
	attribute_set_put_number(&set, MEMTUN_A_VNI, 7);
	attribute_set_put_number(&set, MEMTUN_A_AGE, 9);
	return set;
}

static void a_sets_attributes_come_in_order(void **state)
{
	struct attribute_set set = sample_set();

	(void)state;
	assert_int_equal(attribute_set_next(&set, MEMTUN_A_UNSPEC), MEMTUN_A_NAME);
	assert_int_equal(attribute_set_next(&set, MEMTUN_A_NAME), MEMTUN_A_VNI);
	assert_int_equal(attribute_set_next(&set, MEMTUN_A_VNI), MEMTUN_A_AGE);
	assert_int_equal(attribute_set_next(&set, MEMTUN_A_AGE), MEMTUN_A_END);
	assert_int_equal(attribute_set_next_option(&set, MEMTUN_A_UNSPEC, OPTION_UPLINK),
			 MEMTUN_A_VNI);
	assert_int_equal(attribute_set_next_option(&set, MEMTUN_A_VNI, OPTION_UPLINK),
			 MEMTUN_A_END);
	attribute_set_remove(&set, MEMTUN_A_VNI);
	attribute_set_remove(&set, MEMTUN_A_AGE);
	assert_int_equal(attribute_set_next(&set, MEMTUN_A_NAME), MEMTUN_A_END);
}

static void a_set_must_have_what_is_required_and_no_more_than_is_allowed(void **state)
{
	static const struct {
		struct attribute_choice choice;
		const char *fault; /* NULL: the set is as it should be */
	} cases[] = {
		{{.required = {MEMTUN_A_NAME, MEMTUN_A_VNI}, .allowed = {MEMTUN_A_AGE}}, NULL},
		{{.allowed = {MEMTUN_A_AGE, MEMTUN_A_VNI}, .options = OPTION_KEY}, NULL},
		{{.allowed = {MEMTUN_A_AGE}, .options = OPTION_KEY | OPTION_UPLINK}, NULL},
		{{.required = {MEMTUN_A_NAME, MEMTUN_A_MTU}, .options = ~0U}, "test needs mtu"},
		{{.required = {MEMTUN_A_NAME}, .allowed = {MEMTUN_A_AGE}}, "test takes no vni"},
		{{.options = ~0U}, "test takes no age"},
		{{.required = {MEMTUN_A_UNSPEC}}, "test takes no name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attribute_set set = sample_set();
		struct fault fault = {0};
		int result = attribute_set_check(&set, &cases[i].choice, "test", &fault);

		assert_int_equal(result, cases[i].fault ? -1 : 0);
		assert_string_equal(fault.text, cases[i].fault ? cases[i].fault : "");
	}
}

static void a_copy_has_strings_of_its_own(void **state)
{
	struct attribute_set set = {0}, copy = {0};
	char name[] = "up0";

	(void)state;
	attribute_set_put_string(&set, MEMTUN_A_NAME, name);
	attribute_set_put_number(&set, MEMTUN_A_AGE, 9);
	assert_int_equal(attribute_set_copy(&copy, &set), 0);
	name[0] = 'x';
	assert_string_equal(attribute_set_string(&copy, MEMTUN_A_NAME), "up0");
	assert_int_equal(attribute_set_number(&copy, MEMTUN_A_AGE), 9);
	attribute_set_free(&copy);
}

/* ------------------------------------------------------------------------------ bits, lists */

static void bits_are_words_with_a_plus_between_them(void **state)
{
	static const char *const wrong[] = {"", "up+", "+up", "up,running", "upp", "u", "up+none"};
	char text[ATTRIBUTE_BITS_TEXT_SIZE];
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(
		attribute_set_parse(&set, MEMTUN_A_INTERFACE_FLAGS, "running+up+lower_up", &fault),
		0);
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_INTERFACE_FLAGS), 0x10041);
	assert_string_equal(attribute_format(&set, MEMTUN_A_INTERFACE_FLAGS, text, sizeof(text)),
			    "up+running+lower_up");
	assert_int_equal(attribute_set_parse(&set, MEMTUN_A_INTERFACE_FLAGS, "none", &fault), 0);
	assert_string_equal(attribute_format(&set, MEMTUN_A_INTERFACE_FLAGS, text, sizeof(text)),
			    "none");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
			attribute_set_parse(&set, MEMTUN_A_INTERFACE_FLAGS, wrong[i], &fault), -1);
	/* All of them fit, and no higher bit is one. */
	assert_int_equal(attribute_check_number(MEMTUN_A_INTERFACE_FLAGS, 0x7ffff, &fault), 0);
	assert_int_equal(attribute_check_number(MEMTUN_A_INTERFACE_FLAGS, 0x80000, &fault), -1);
	attribute_set_put_number(&set, MEMTUN_A_INTERFACE_FLAGS, 0x7ffff);
	attribute_format(&set, MEMTUN_A_INTERFACE_FLAGS, text, sizeof(text));
	assert_non_null(strstr(text, "+echo"));
	assert_true(strlen(text) + 1 < sizeof(text));
}

static void a_list_is_longer_than_other_texts(void **state)
{
	static char text[MEMTUN_LIST_SIZE + 1];
	struct fault fault;

	(void)state;
	memset(text, 'x', MEMTUN_LIST_SIZE - 1);
	assert_int_equal(attribute_check_string(MEMTUN_A_INTERFACE_ROUTE, text, &fault), 0);
	assert_int_equal(attribute_check_string(MEMTUN_A_PATH, text, &fault), -1);
	text[MEMTUN_LIST_SIZE - 1] = 'x';
	assert_int_equal(attribute_check_string(MEMTUN_A_INTERFACE_ROUTE, text, &fault), -1);
	assert_int_equal(attribute_check_string(MEMTUN_A_INTERFACE_ROUTE, "a\nb", &fault), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_finds_its_attribute),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(a_flag_without_a_value_is_on),
		cmocka_unit_test(values_that_are_none_are_told),
		cmocka_unit_test(an_empty_bridge_is_none),
		cmocka_unit_test(what_is_absent_is_zero_and_null),
		cmocka_unit_test(a_text_is_cut_to_its_place),
		cmocka_unit_test(a_fault_that_cuts_a_character_is_text_still),
		cmocka_unit_test(counters_are_no_options),
		cmocka_unit_test(what_can_be_added_or_changed_is_an_option_of_tunnels),
		cmocka_unit_test(a_sets_attributes_come_in_order),
		cmocka_unit_test(a_set_must_have_what_is_required_and_no_more_than_is_allowed),
		cmocka_unit_test(a_copy_has_strings_of_its_own),
		cmocka_unit_test(bits_are_words_with_a_plus_between_them),
		cmocka_unit_test(a_list_is_longer_than_other_texts),
	};

	return RUN_TESTS(tests);
}
