/* SPDX-License-Identifier: MIT */
/*
 * The runner's own test. Groups that must fail are run in a child, and judged by its exit status
 * and by what it printed.
 */
#include "tests/unit/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Open throughout, for a test to close that doesn't own it. */
static int foreign = -1;
static int kept = -1;

static void closes_what_it_opens(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
}

static void opens_null(void **state)
{
	(void)state;
	kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(kept >= 0);
}

static void closes_a_foreign_descriptor(void **state)
{
	(void)state;
	close(foreign);
}

static void puts_another_file_in_a_foreign_number(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(dup3(fd, foreign, O_CLOEXEC), foreign);
	close(fd);
}

static void fails_and_leaves_one_open(void **state)
{
	opens_null(state);
	fail_msg("its own failure");
}

static void is_skipped(void **state)
{
	(void)state;
	test_skip("no reason at all");
}

static void is_skipped_and_leaves_one_open(void **state)
{
	opens_null(state);
	test_skip("no reason at all");
}

static void sees_its_initial_state(void **state)
{
	assert_string_equal(*state, "initial");
}

static void has_a_limit(void **state)
{
	unsigned int seconds = alarm(1000);

	(void)state;
	assert_in_range(seconds, 60, 1000);
}

/* Its limit comes soon. */
static void never_ends(void **state)
{
	(void)state;
	alarm(1);
	for (;;)
		pause();
}

static int setup_opens(void **state)
{
	opens_null(state);
	return 0;
}

static int teardown_closes(void **state)
{
	(void)state;
	close(kept);
	return 0;
}

static int setup_fails(void **state)
{
	(void)state;
	return -1;
}

/* Runs a group of one test in a child. Its exit status; what it printed is put in `output`. */
static int run_one(struct CMUnitTest test, char *output, size_t room)
{
	const struct CMUnitTest inner[] = {test};
	int printed = memfd_create("output", MFD_CLOEXEC);
	int status;
	ssize_t length;
	pid_t child;

	assert_true(printed >= 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(printed, STDOUT_FILENO);
		dup2(printed, STDERR_FILENO);
		status = RUN_TESTS(inner);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	length = pread(printed, output, room - 1, 0);
	assert_true(length >= 0);
	output[length] = '\0';
	close(printed);
	return WEXITSTATUS(status);
}

static void a_clean_test_passes(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(
		run_one((struct CMUnitTest)cmocka_unit_test(closes_what_it_opens), output, 4096),
		0);
	assert_null(strstr(output, "left open"));
}

static void a_test_that_leaves_a_descriptor_open_fails(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test(opens_null), output, 4096), 1);
	assert_non_null(strstr(output, "opens_null left open descriptor "));
	assert_non_null(strstr(output, "(/dev/null)"));
}

static void a_test_that_closes_a_foreign_descriptor_fails(void **state)
{
	char output[4096], expected[64];

	(void)state;
	snprintf(expected, sizeof(expected), " closed descriptor %d (", foreign);
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test(closes_a_foreign_descriptor),
				 output, 4096),
			 1);
	assert_non_null(strstr(output, expected));
}

static void a_test_that_replaces_a_foreign_descriptor_fails(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(
		run_one((struct CMUnitTest)cmocka_unit_test(puts_another_file_in_a_foreign_number),
			output, 4096),
		1);
	assert_non_null(strstr(output, "left open"));
	assert_non_null(strstr(output, "closed descriptor"));
}

static void a_failed_test_is_reported_for_its_failure_alone(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test(fails_and_leaves_one_open),
				 output, 4096),
			 1);
	assert_non_null(strstr(output, "its own failure"));
	assert_null(strstr(output, "left open"));
}

static void setup_and_teardown_are_inside_the_comparison(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test_setup_teardown(
					 closes_what_it_opens, setup_opens, teardown_closes),
				 output, 4096),
			 0);
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test_setup_teardown(
					 closes_what_it_opens, setup_opens, NULL),
				 output, 4096),
			 1);
	assert_non_null(strstr(output, "left open"));
}

static void a_failed_setup_fails_the_test(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test_setup_teardown(
					 closes_what_it_opens, setup_fails, NULL),
				 output, 4096),
			 1);
}

static void a_program_whose_tests_are_all_skipped_exits_with_77(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test(is_skipped), output, 4096),
			 77);
	assert_non_null(strstr(output, "no reason at all"));
}

static void a_skipped_test_may_leave_nothing_open_either(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(
		run_one((struct CMUnitTest)cmocka_unit_test(is_skipped_and_leaves_one_open), output,
			4096),
		1);
	assert_non_null(strstr(output, "left open"));
}

static void the_initial_state_reaches_the_test(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test_prestate(
					 sees_its_initial_state, (void *)"initial"),
				 output, 4096),
			 0);
}

static void a_test_that_never_ends_is_ended_and_named(void **state)
{
	char output[4096];

	(void)state;
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test(has_a_limit), output, 4096),
			 0);
	assert_int_equal(run_one((struct CMUnitTest)cmocka_unit_test(never_ends), output, 4096), 1);
	assert_non_null(strstr(output, "never_ends was not done in time"));
}

static int foreign_open(void **state)
{
	(void)state;
	foreign = memfd_create("foreign", MFD_CLOEXEC);
	return foreign < 0 ? -1 : 0;
}

static int foreign_close(void **state)
{
	(void)state;
	return close(foreign);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_clean_test_passes),
	cmocka_unit_test(a_test_that_leaves_a_descriptor_open_fails),
	cmocka_unit_test(a_test_that_closes_a_foreign_descriptor_fails),
	cmocka_unit_test(a_test_that_replaces_a_foreign_descriptor_fails),
	cmocka_unit_test(a_failed_test_is_reported_for_its_failure_alone),
	cmocka_unit_test(setup_and_teardown_are_inside_the_comparison),
	cmocka_unit_test(a_failed_setup_fails_the_test),
	cmocka_unit_test(a_program_whose_tests_are_all_skipped_exits_with_77),
	cmocka_unit_test(a_skipped_test_may_leave_nothing_open_either),
	cmocka_unit_test(the_initial_state_reaches_the_test),
	cmocka_unit_test(a_test_that_never_ends_is_ended_and_named),
};

int main(void)
{
	return RUN_TESTS_WITH(tests, foreign_open, foreign_close);
}
