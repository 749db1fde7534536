/* SPDX-License-Identifier: MIT */
/* Which word is suggested for a misspelled one. */
#include "tests/unit/runner.h"

#include <string.h>

#include "client/command/suggestion.h"

static const char *const words[] = {"add", "set", "del", "show", "bridge", "uplink", "capture"};

/* Return the word that is nearest to the given one, or NULL. */
static const char *nearest(const char *given)
{
	struct suggestion suggestion = {.given = given};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggestion_consider(&suggestion, words[i]);
	return suggestion.nearest;
}

static void one_mistake_in_a_short_word_is_near(void **state)
{
	(void)state;
	assert_string_equal(nearest("ad"), "add");
	assert_string_equal(nearest("addd"), "add");
	assert_string_equal(nearest("sed"), "set");
	assert_string_equal(nearest("dle"), "del");
	assert_string_equal(nearest("shwo"), "show");
	assert_null(nearest("grow"));
	assert_null(nearest("a"));
	assert_null(nearest(""));
}

static void two_mistakes_in_a_longer_word_are_near(void **state)
{
	(void)state;
	assert_string_equal(nearest("brigde"), "bridge");
	assert_string_equal(nearest("bdirge"), "bridge");
	assert_null(nearest("capturing"));
	assert_string_equal(nearest("captrues"), "capture");
	assert_null(nearest("upstream"));
	assert_null(nearest("a-word-that-is-longer-than-any-known-one"));
}

static void the_nearest_word_wins(void **state)
{
	struct suggestion suggestion = {.given = "delete"};

	(void)state;
	assert_false(suggestion_consider(&suggestion, "deleted"));
	assert_string_equal(suggestion.nearest, "deleted");
	assert_true(suggestion_consider(&suggestion, "delete"));
	assert_false(suggestion_consider(&suggestion, "deletes"));
	assert_string_equal(suggestion.nearest, "delete");
}

static void without_a_near_word_the_hint_is_the_help(void **state)
{
	struct suggestion suggestion = {.given = "shwo"};
	char hint[SUGGESTION_SIZE];

	(void)state;
	assert_string_equal(suggestion_hint(&suggestion, NULL, hint), "; see memtun help");
	assert_string_equal(suggestion_hint(&suggestion, "bridge", hint),
			    "; see memtun help bridge");
	suggestion_consider(&suggestion, "show");
	assert_string_equal(suggestion_hint(&suggestion, "bridge", hint), "; did you mean 'show'?");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_mistake_in_a_short_word_is_near),
	cmocka_unit_test(two_mistakes_in_a_longer_word_are_near),
	cmocka_unit_test(the_nearest_word_wins),
	cmocka_unit_test(without_a_near_word_the_hint_is_the_help),
};

int main(void)
{
	return RUN_TESTS(tests);
}
