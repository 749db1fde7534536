/* SPDX-License-Identifier: MIT */
/*
 * Run cmocka tests and compare the open descriptors around each. A test that leaves one open, or
 * closes one that was open before, fails with a message that names it. Only differences count, so
 * descriptors of valgrind or a sanitizer do not matter. SIGALRM ends a test that takes too long,
 * with its name; a test that uses SIGALRM itself has no limit from then on.
 *
 *	static const struct CMUnitTest tests[] = {cmocka_unit_test(...), ...};
 *
 *	int main(void)
 *	{
 *		return RUN_TESTS(tests);
 *	}
 */
#ifndef MEMTUN_TESTS_RUNNER_H
#define MEMTUN_TESTS_RUNNER_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN_TESTS(tests) RUN_TESTS_WITH(tests, NULL, NULL)

#define RUN_TESTS_WITH(tests, group_setup, group_teardown) \
	runner_run(#tests, tests, sizeof(tests) / sizeof((tests)[0]), group_setup, group_teardown)

/* Return the status that main() returns: 0, 1 if a test failed, 77 if every test was skipped. */
int runner_run(const char *name, const struct CMUnitTest *tests, size_t count,
	       CMFixtureFunction group_setup, CMFixtureFunction group_teardown);

/* End the running test as skipped, and print why it cannot run here. */
_Noreturn void test_skip(const char *why);

/* Assert that the call returns -1, with that errno. */
#define assert_fails(call, error)                 \
	do {                                      \
		errno = 0;                        \
		assert_int_equal((call), -1);     \
		assert_int_equal(errno, (error)); \
	} while (0)

#endif
