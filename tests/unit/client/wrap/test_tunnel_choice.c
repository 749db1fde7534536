/* SPDX-License-Identifier: MIT */
/*
 * Which options a wrapped tunnel gets from the SPECs of the command line.
 */
#include "tests/unit/runner.h"

#include <linux/if_tun.h>
#include <string.h>

#include "client/lib/options.h"
#include "client/wrap/tunnel_choice.h"

static const char *const specs[] = {
	"tun[0-9]:mtu=1300",
	"tun*:bridge=lab,mtu=1400",
	"x=mtu=1500",
	NULL,
};
static const struct tunnel_choice choice = {.specs = specs, .bridge = "rest"};

/* Check the mtu (0: none) and the bridge that a tunnel of that name gets. */
static void gets(const char *name, unsigned int flags, uint64_t mtu, const char *bridge)
{
	struct memtun_options *options = tunnel_choice_options(&choice, name, flags);

	assert_non_null(options);
	assert_int_equal(attribute_set_number(&options->set, MEMTUN_A_MTU), mtu);
	assert_string_equal(attribute_set_string(&options->set, MEMTUN_A_BRIDGE), bridge);
	memtun_options_free(options);
}

static void the_first_SPEC_that_matches_counts(void **state)
{
	(void)state;
	gets("tun7", IFF_TUN, 1300, "rest");
	gets("tun77", IFF_TUN, 1400, "lab");
	gets("tun%d", IFF_TUN, 1400, "lab");
	gets("x", IFF_TAP, 1500, "rest");
	gets("y", IFF_TAP, 0, "rest");
}

static void without_a_name_the_template_is_compared(void **state)
{
	(void)state;
	gets("", IFF_TUN, 1400, "lab");
	gets("", IFF_TAP, 0, "rest");
}

static void a_SPEC_is_split_at_the_first_colon_or_equals_sign(void **state)
{
	char pattern[TUNNEL_CHOICE_PATTERN];
	char longest[TUNNEL_CHOICE_PATTERN + 1];

	(void)state;
	assert_string_equal(tunnel_choice_split("tun*:mtu=9", pattern), "mtu=9");
	assert_string_equal(pattern, "tun*");
	assert_string_equal(tunnel_choice_split("tun*=mtu=9", pattern), "mtu=9");
	assert_string_equal(tunnel_choice_split("tun0", pattern), "");
	assert_null(tunnel_choice_split(":mtu=9", pattern));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(tunnel_choice_split(longest, pattern));
	assert_non_null(tunnel_choice_split(longest + 1, pattern));
}

static void what_the_program_chooses_is_reserved(void **state)
{
	static const char *const reserved[] = {"mode=tun", "pi", "persistent", "peer=other", NULL};

	(void)state;
	for (int i = 0; reserved[i]; i++) {
		struct memtun_options *options = memtun_options_new();

		assert_int_equal(memtun_options_parse(options, reserved[i]), 0);
		assert_memory_equal(tunnel_choice_reserved(options), reserved[i], 2);
		memtun_options_free(options);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_SPEC_that_matches_counts),
		cmocka_unit_test(without_a_name_the_template_is_compared),
		cmocka_unit_test(a_SPEC_is_split_at_the_first_colon_or_equals_sign),
		cmocka_unit_test(what_the_program_chooses_is_reserved),
	};

	return RUN_TESTS(tests);
}
