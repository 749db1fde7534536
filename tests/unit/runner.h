/* SPDX-License-Identifier: MIT */
/*
 * Runs cmocka tests and compares the open descriptors around each: a test that leaves one open, or
 * closes one that was open before, fails with a message that names it. Only differences count, so
 * what valgrind or a sanitizer holds open doesn't matter. One that never ends is ended, and named,
 * by SIGALRM: a test that has use for that itself is without the limit from then on.
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

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN_TESTS(tests) RUN_TESTS_WITH(tests, NULL, NULL)

#define RUN_TESTS_WITH(tests, group_setup, group_teardown) \
	runner_run(#tests, tests, sizeof(tests) / sizeof((tests)[0]), group_setup, group_teardown)

/* Returns what main() is to return: 0; 1 if a test failed; 77 if each one called test_skip(). */
int runner_run(const char *name, const struct CMUnitTest *tests, size_t count,
	       CMFixtureFunction group_setup, CMFixtureFunction group_teardown);

/* Ends the running test, and says why it can't run here. */
_Noreturn void test_skip(const char *why);

#endif
