/* SPDX-License-Identifier: MIT */
/* The words for what has happened to a captured frame. */
#include "tests/unit/runner.h"

#include <string.h>

#include "client/command/fault_text.h"

static void assert_text(const struct memtun_capture_details *details, const char *expected)
{
	char text[FAULT_TEXT_SIZE];

	assert_int_equal(fault_text(text, details), expected[0] != '\0');
	assert_string_equal(text, expected);
}

static void a_frame_on_its_way_has_no_text(void **state)
{
	(void)state;
	assert_text(&(struct memtun_capture_details){.frame = 7}, "");
}

static void a_drop_tells_its_reason(void **state)
{
	struct memtun_capture_details details = {
		.reasons = {MEMTUN_A_TO_CLIENT_DROPPED_FULL},
	};

	(void)state;
	assert_text(&details, "dropped: full");
	details.reasons[0] = MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION;
	assert_text(&details, "dropped: no-destination");
}

static void a_rule_is_told_with_its_seed(void **state)
{
	const struct memtun_capture_details details = {
		.rule = 2,
		.seed = 7,
		.number = 1000,
		.reasons = {MEMTUN_A_TO_CLIENT_DROPPED_MTU, MEMTUN_A_TO_CLIENT_OFFERED},
	};

	(void)state;
	assert_text(&details, "dropped: mtu, offered; rule 2, seed 7, frame 1000");
}

static void a_manual_clock_is_told_with_each_frame(void **state)
{
	struct memtun_capture_details details = {
		.clock = UINT64_C(3600000000001),
		.flags = MEMTUN_CAPTURE_CLOCK,
	};

	(void)state;
	assert_text(&details, "clock 3600.000000001");
	details.reasons[0] = MEMTUN_A_TO_CLIENT_DROPPED_FULL;
	assert_text(&details, "dropped: full; clock 3600.000000001");
	details.clock = 0;
	assert_text(&details, "dropped: full; clock 0.000000000");
}

/* No broker is that much newer, but what it sends must not be taken for text. */
static void an_unknown_reason_is_a_number(void **state)
{
	struct memtun_capture_details details = {.reasons = {60000, MEMTUN_A_NAME}};

	(void)state;
	assert_text(&details, "reason 60000, reason 4");
	memset(details.reasons, 0xff, sizeof(details.reasons));
	details.rule = UINT32_MAX;
	details.seed = UINT64_MAX;
	details.number = UINT64_MAX;
	details.flags = MEMTUN_CAPTURE_CLOCK;
	details.clock = UINT64_MAX;
	assert_text(&details,
		    "reason 65535, reason 65535, reason 65535, reason 65535, reason 65535, "
		    "reason 65535, reason 65535, reason 65535; rule 4294967295, "
		    "seed 18446744073709551615, frame 18446744073709551615; clock 1844674407");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_frame_on_its_way_has_no_text),
	cmocka_unit_test(a_drop_tells_its_reason),
	cmocka_unit_test(a_rule_is_told_with_its_seed),
	cmocka_unit_test(a_manual_clock_is_told_with_each_frame),
	cmocka_unit_test(an_unknown_reason_is_a_number),
};

int main(void)
{
	return RUN_TESTS(tests);
}
