/* SPDX-License-Identifier: MIT */
/* SPECs, and KEY VALUE pairs. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <string.h>

#include "common/spec.h"

/* Parse all words. */
static int words_parse(const char *const words[], int count, unsigned int options,
		       struct attribute_set *set, struct fault *fault)
{
	for (int i = 0, taken; i < count; i += taken) {
		taken = spec_take(words + i, count - i, options, set, fault);
		if (taken < 0)
			return -1;
	}
	return 0;
}

static void a_name_alone_is_a_spec(void **state)
{
	char text[] = "tap%d";
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(spec_parse(text, OPTION_TUNNEL, &set, &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_NAME), "tap%d");
	attribute_set_remove(&set, MEMTUN_A_NAME);
	assert_int_equal(attribute_set_next(&set, MEMTUN_A_UNSPEC), MEMTUN_A_END);
}

static void options_follow_the_name(void **state)
{
	char text[] = "vm0:bridge=lab,pi,mtu=1400,mode=tun";
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(spec_parse(text, OPTION_TUNNEL, &set, &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_NAME), "vm0");
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_BRIDGE), "lab");
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_PI), 1);
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_MTU), 1400);
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_MODE), MEMTUN_TUN);
}

static void no_bridge_has_a_word(void **state)
{
	char text[] = "vm0:nobridge";
	const char *const words[] = {"nobridge", "mtu", "100"};
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(spec_parse(text, OPTION_TUNNEL, &set, &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_BRIDGE), "");
	attribute_set_clear(&set);
	assert_int_equal(words_parse(words, 3, OPTION_TUNNEL, &set, &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_BRIDGE), "");
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_MTU), 100);
}

static void a_name_that_is_no_name_of_ours_is_an_interface_s(void **state)
{
	const char *const words[] = {"name", "tap7", "mtu", "100"};
	const char *const both[] = {"name", "tap7", "device", "tap8"};
	char text[] = "tap7";
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(words_parse(words, 4, OPTION_UPLINK, &set, &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_DEVICE), "tap7");
	assert_null(attribute_set_string(&set, MEMTUN_A_NAME));
	attribute_set_clear(&set);
	assert_int_equal(words_parse(both, 4, OPTION_UPLINK, &set, &fault), -1);
	assert_string_equal(fault.text, "device is given twice");
	/* Before the colon of a SPEC it is the tunnel's name. */
	attribute_set_clear(&set);
	assert_int_equal(spec_parse(text, OPTION_UPLINK, &set, &fault), 0);
	assert_string_equal(attribute_set_string(&set, MEMTUN_A_NAME), "tap7");
	assert_null(attribute_set_string(&set, MEMTUN_A_DEVICE));
}

static void what_is_no_spec_is_told(void **state)
{
	static const struct {
		const char *text;
		const char *fault;
	} cases[] = {
		{"", "name '' is empty"},
		{":mtu=100", "name '' is empty"},
		{"vm0:", "an option is empty"},
		{"vm0:pi,", "an option is empty"},
		{"vm0:,pi", "an option is empty"},
		{"vm0:=5", "an option is empty"},
		{"vm0:nothing=5", "there is no option 'nothing' here"},
		/* In answers only. Its number is 64 more than that of mtu. */
		{"vm0:from-client-dropped-unresolved=5",
		 "there is no option 'from-client-dropped-unresolved' here"},
		{"vm0:bridge=lab:mtu=3",
		 "bridge 'lab:mtu=3' has a '/' or ':': options have commas between them"},
		{"vm0:pi:mode=tun",
		 "there is no option 'pi:mode' here: options have commas between them"},
		{"vm0:mtu=1400:pi",
		 "mtu takes a number, not '1400:pi': options have commas between them"},
		{"vm0:mtu=1400:path", "mtu takes a number, not '1400:path'"},
		{"vm0:path=x", "there is no option 'path' here"},
		{"vm0:name=x", "there is no option 'name' here"},
		{"vm0:mtu=100,mtu=100", "mtu is given twice"},
		{"vm0:bridge=a,nobridge", "bridge is given twice"},
		{"vm0:nobridge=on", "there is no option 'nobridge' here"},
		{"vm0:mtu", "mtu needs a value"},
		{"vm0:pi=maybe", "pi is on or off, not 'maybe'"},
		{"a b", "name 'a b' has a space"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attribute_set set = {0};
		struct fault fault;
		char text[64];

		strcpy(text, cases[i].text);
		assert_int_equal(spec_parse(text, OPTION_TUNNEL, &set, &fault), -1);
		assert_int_equal(errno, EINVAL);
		assert_string_equal(fault.text, cases[i].fault);
	}
}

static void a_flags_value_may_be_left_out_of_words(void **state)
{
	const char *const words[] = {"pi", "mtu", "1400", "mode", "tun"};
	const char *const given[] = {"pi", "off", "mtu", "1400"};
	struct attribute_set set = {0};
	struct fault fault;

	(void)state;
	assert_int_equal(words_parse(words, 5, OPTION_TUNNEL, &set, &fault), 0);
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_PI), 1);
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_MTU), 1400);
	attribute_set_clear(&set);
	assert_int_equal(words_parse(given, 4, OPTION_TUNNEL, &set, &fault), 0);
	assert_true(attribute_set_has(&set, MEMTUN_A_PI));
	assert_int_equal(attribute_set_number(&set, MEMTUN_A_PI), 0);
}

static void words_that_are_no_options_are_told(void **state)
{
	static const char *const cases[][3] = {
		{"mtu"}, {"nothing", "x"}, {"mtu", "x"}, {"pi", "pi"}, {"mode", "tun", "mode"},
	};
	static const int counts[] = {1, 2, 2, 2, 3};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct attribute_set set = {0};
		struct fault fault;

		assert_int_equal(words_parse(cases[i], counts[i], OPTION_TUNNEL, &set, &fault), -1);
		assert_int_equal(errno, EINVAL);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_alone_is_a_spec),
		cmocka_unit_test(options_follow_the_name),
		cmocka_unit_test(no_bridge_has_a_word),
		cmocka_unit_test(a_name_that_is_no_name_of_ours_is_an_interface_s),
		cmocka_unit_test(what_is_no_spec_is_told),
		cmocka_unit_test(a_flags_value_may_be_left_out_of_words),
		cmocka_unit_test(words_that_are_no_options_are_told),
	};

	return RUN_TESTS(tests);
}
