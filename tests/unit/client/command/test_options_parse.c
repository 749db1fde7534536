/* SPDX-License-Identifier: MIT */
/*
 * Where options are found on a command line, with POSIXLY_CORRECT in the environment and without.
 */
#include "tests/unit/runner.h"

#include <stdlib.h>
#include <string.h>

#include "client/command/options_parse.h"

#define ARGUMENTS_MAX 16

static const struct command_option test_options[] = {
	{"--timeout", 0, "TIME", "a time"},
	{"-w", 0, "FILE", "a file"},
	TAKES_JSON("print JSON"),
	{0},
};
static const struct command command_test = {.name = "test", .options = test_options};
static const struct command command_runs = {
	.name = "runs",
	.options = test_options,
	.stops_at_word = true,
	.usage_status = EXIT_OURS,
};

static char *words[ARGUMENTS_MAX];
static struct given_option given[ARGUMENTS_MAX];
static struct invocation invocation;
static char line_copy[256];

/* Parse the line, whose first word is the command's name. */
static int parse(const struct command *command, const char *line)
{
	int count = 0;

	strlcpy(line_copy, line, sizeof(line_copy));
	for (char *word = strtok(line_copy, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	invocation = (struct invocation){.command = command, .words = words, .given = given};
	return options_parse(&invocation, count, words);
}

/* Assert that these are the words that are no options. */
static void assert_words(const char *expected)
{
	char joined[256] = "";

	for (int i = 0; i < invocation.count; i++) {
		strlcat(joined, i ? " " : "", sizeof(joined));
		strlcat(joined, invocation.words[i], sizeof(joined));
	}
	assert_string_equal(joined, expected);
	assert_null(invocation.words[invocation.count]);
}

static void options_are_found_wherever_they_are(void **state)
{
	static const char *const lines[] = {
		"test -j --timeout 5 -wfile NAME WORD",
		"test NAME -j --timeout=5 WORD -w file",
		"test NAME WORD --time 5 -jw file",
		"test NAME --timeout 7 -w file --json --timeout 5 -- WORD",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(&command_test, lines[i]), 0);
		assert_words("NAME WORD");
		assert_true(options_has(&invocation, "--json"));
		assert_false(options_has(&invocation, "--help"));
		assert_string_equal(options_value(&invocation, "--timeout"), "5");
		assert_string_equal(options_value(&invocation, "-w"), "file");
		assert_int_equal(options_check(&invocation), 0);
	}
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_test, "test NAME -- -j --timeout -- x"), 0);
	assert_words("NAME -j --timeout -- x");
	assert_int_equal(invocation.given_count, 0);
	assert_int_equal(parse(&command_test, "test - NAME"), 0);
	assert_words("- NAME");
}

static void options_of_a_program_are_its_own(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_runs, "runs -w file ls -j --timeout --unknown -- -w"), 0);
	assert_words("ls -j --timeout --unknown -- -w");
	assert_int_equal(invocation.given_count, 1);
	assert_int_equal(parse(&command_runs, "runs -j -- -j -w"), 0);
	assert_words("-j -w");
	assert_int_equal(invocation.given_count, 1);
}

static void what_is_wrong_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_test, "test NAME --unknown"), -1);
	assert_int_equal(parse(&command_test, "test NAME -x"), -1);
	assert_int_equal(parse(&command_test, "test NAME -w"), -1);
	assert_int_equal(parse(&command_test, "test NAME --timeout"), -1);
	assert_int_equal(parse(&command_test, "test --json=yes NAME"), -1);
	assert_int_equal(parse(&command_runs, "runs -x ls"), -1);
	/* An option of memtun that this command doesn't take. */
	assert_int_equal(parse(&command_test, "test NAME -s"), 0);
	assert_int_equal(options_check(&invocation), -1);
}

static void many_letters_in_one_word_are_as_many_options(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_test, "test -jjjsj"), 0);
	assert_int_equal(invocation.given_count, 5);
}

static void values_keep_to_their_bounds(void **state)
{
	uint64_t number = 77;
	int milliseconds = 99;

	(void)state;
	parse(&command_test, "test");
	assert_int_equal(options_number(&invocation, "-w", 1, 9, &number), 0);
	assert_int_equal(options_milliseconds(&invocation, "--timeout", &milliseconds), 0);
	assert_int_equal(number, 77);
	assert_int_equal(milliseconds, 99);
	parse(&command_test, "test -w 9 --timeout 1.5");
	assert_int_equal(options_number(&invocation, "-w", 1, 9, &number), 0);
	assert_int_equal(options_milliseconds(&invocation, "--timeout", &milliseconds), 0);
	assert_int_equal(number, 9);
	assert_int_equal(milliseconds, 1500);
	parse(&command_test, "test -w 10 --timeout -1");
	assert_int_equal(options_number(&invocation, "-w", 1, 9, &number), EXIT_USAGE);
	assert_int_equal(options_milliseconds(&invocation, "--timeout", &milliseconds), EXIT_USAGE);
	parse(&command_test, "test -w -9 --timeout nan");
	assert_int_equal(options_number(&invocation, "-w", 1, 9, &number), EXIT_USAGE);
	assert_int_equal(options_milliseconds(&invocation, "--timeout", &milliseconds), EXIT_USAGE);
}

/* Return the option's time in nanoseconds, or the exit status after a message. */
static uint64_t time_of(const char *value)
{
	uint64_t nanoseconds = 77;
	char line[64];

	snprintf(line, sizeof(line), "test --timeout=%s", value);
	assert_int_equal(parse(&command_test, line), 0);
	return options_time(&invocation, "--timeout", &nanoseconds) ? EXIT_USAGE : nanoseconds;
}

static void times_are_seconds_or_have_a_unit(void **state)
{
	static const char *const refused[] = {
		"",        "s",      "5x",       "-5ms", "0.1ns",
		"1e",      "1e99",   "nan",      "inf",  "11574.1d",
		"1000001", "20ms0",

		"278h",    "1e6min", "1000001s", "0x",   "18446744073709551616",
	};

	(void)state;
	assert_int_equal(time_of("0"), 0);
	assert_int_equal(time_of("10"), UINT64_C(10000000000));
	assert_int_equal(time_of(".5"), 500000000);
	assert_int_equal(time_of("0.001"), 1000000);
	assert_int_equal(time_of("0.3333333333333"), 333333333);
	assert_int_equal(time_of("1e3"), UINT64_C(1000000000000));
	assert_int_equal(time_of("1000000"), UINT64_C(1000000000000000));
	assert_int_equal(time_of("7ns"), 7);
	assert_int_equal(time_of("20us"), 20000);
	assert_int_equal(time_of("1.5ms"), 1500000);
	assert_int_equal(time_of("10s"), UINT64_C(10000000000));
	assert_int_equal(time_of("2min"), UINT64_C(120000000000));
	assert_int_equal(time_of("1h"), UINT64_C(3600000000000));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(time_of(refused[i]), EXIT_USAGE);
}

static void milliseconds_are_rounded_up(void **state)
{
	int milliseconds = 0;

	(void)state;
	parse(&command_test, "test --timeout 1ns");
	assert_int_equal(options_milliseconds(&invocation, "--timeout", &milliseconds), 0);
	assert_int_equal(milliseconds, 1);
	parse(&command_test, "test --timeout 1000000");
	assert_int_equal(options_milliseconds(&invocation, "--timeout", &milliseconds), 0);
	assert_int_equal(milliseconds, 1000000000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(options_are_found_wherever_they_are),
	cmocka_unit_test(two_dashes_end_the_options),
	cmocka_unit_test(options_of_a_program_are_its_own),
	cmocka_unit_test(what_is_wrong_is_refused),
	cmocka_unit_test(many_letters_in_one_word_are_as_many_options),
	cmocka_unit_test(values_keep_to_their_bounds),
	cmocka_unit_test(times_are_seconds_or_have_a_unit),
	cmocka_unit_test(milliseconds_are_rounded_up),
};

int main(void)
{
	int status;

	unsetenv("POSIXLY_CORRECT");
	status = RUN_TESTS(tests);
	setenv("POSIXLY_CORRECT", "1", 1);
	return status ? status : RUN_TESTS(tests);
}
