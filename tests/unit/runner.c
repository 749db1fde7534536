/* SPDX-License-Identifier: MIT */
/*
 * Each test is wrapped: the runner's setup and teardown call the test's own, and list /proc/self/fd
 * before the setup and after the teardown. A descriptor is known by its number and the file that it
 * refers to, so that closing a foreign one and reusing its number is noticed too. A failed test is
 * not compared, because the jump out of it leaves descriptors open.
 */
#include "tests/unit/runner.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

/* The exit status that automake's test driver counts as skipped. */
#define EXIT_SKIPPED 77

/* Seconds that a test may take. The slowest takes far less, under valgrind on a busy machine
 * too. */
#define LIMIT 300

/* Some tests have 512 descriptors and more. 1024 is the kernel's default (INR_OPEN_CUR). */
#define FDS_MIN 1024

struct open_fd {
	int fd;
	char target[64]; /* such as "socket:[123]"; a longer path is cut */
};

struct open_fds {
	struct open_fd *fds;
	size_t count;
};

struct wrapped {
	const struct CMUnitTest *test;
	void *state;
	struct open_fds before;
	bool compare;
};

static size_t skipped;
static struct wrapped *running;

static int open_fd_order(const void *one, const void *other)
{
	return ((const struct open_fd *)one)->fd - ((const struct open_fd *)other)->fd;
}

/* List the open descriptors by number, without the one of the directory that is read for it. */
static int open_fds_list(struct open_fds *list)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t room = 0;
	struct dirent *file;

	list->fds = NULL;
	list->count = 0;
	if (!directory)
		return -1;
	while ((file = readdir(directory))) {
		struct open_fd *found;
		ssize_t length;
		char *end;
		long fd = strtol(file->d_name, &end, 10);

		if (end == file->d_name || *end || fd == dirfd(directory))
			continue;
		if (list->count == room) {
			room = room ? room * 2 : 64;
			found = realloc(list->fds, room * sizeof(*found));
			if (!found)
				abort();
			list->fds = found;
		}
		found = &list->fds[list->count++];
		found->fd = (int)fd;
		length = readlinkat(dirfd(directory), file->d_name, found->target,
				    sizeof(found->target) - 1);
		found->target[length < 0 ? 0 : length] = '\0';
	}
	closedir(directory);
	qsort(list->fds, list->count, sizeof(*list->fds), open_fd_order);
	return 0;
}

static void open_fds_free(struct open_fds *list)
{
	free(list->fds);
	list->fds = NULL;
	list->count = 0;
}

/* Close the descriptors that the program has inherited, except the standard ones: a test expects the
 * numbers that it gets without them. */
static void open_fds_close_inherited(void)
{
	struct open_fds inherited;

	if (open_fds_list(&inherited) < 0)
		return;
	for (size_t i = 0; i < inherited.count; i++)
		if (inherited.fds[i].fd > STDERR_FILENO)
			close(inherited.fds[i].fd);
	open_fds_free(&inherited);
}

static bool open_fds_has(const struct open_fds *list, const struct open_fd *wanted)
{
	const struct open_fd *found =
		bsearch(wanted, list->fds, list->count, sizeof(*wanted), open_fd_order);

	return found && strcmp(found->target, wanted->target) == 0;
}

/* Print the descriptors that are in `list` and not in `other`. Return their number. */
static size_t open_fds_report(const struct open_fds *list, const struct open_fds *other,
			      const char *test, const char *what)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (open_fds_has(other, &list->fds[i]))
			continue;
		print_error("%s %s descriptor %d (%s)\n", test, what, list->fds[i].fd,
			    list->fds[i].target);
		count++;
	}
	return count;
}

static int wrapped_compare(const struct wrapped *wrapped)
{
	struct open_fds after;
	size_t differences;

	if (open_fds_list(&after) < 0) {
		print_error("%s left no descriptor free to list /proc/self/fd\n",
			    wrapped->test->name);
		return -1;
	}
	differences = open_fds_report(&after, &wrapped->before, wrapped->test->name, "left open");
	differences += open_fds_report(&wrapped->before, &after, wrapped->test->name, "closed");
	open_fds_free(&after);
	return differences ? -1 : 0;
}

/* End the program, as a hanging test cannot be ended alone. Call only async-signal-safe
 * functions. */
static void wrapped_is_late(int signal)
{
	struct iovec words[] = {
		{(void *)running->test->name, strlen(running->test->name)},
		{(void *)" was not done in time\n", strlen(" was not done in time\n")},
	};

	(void)signal;
	if (writev(STDERR_FILENO, words, 2) < 0)
		abort();
	_exit(EXIT_FAILURE);
}

static int wrapped_setup(void **state)
{
	const struct sigaction late = {.sa_handler = wrapped_is_late};
	struct wrapped *wrapped = *state;

	running = wrapped;
	sigaction(SIGALRM, &late, NULL);
	alarm(LIMIT);
	wrapped->compare = false;
	wrapped->state = wrapped->test->initial_state;
	if (open_fds_list(&wrapped->before) < 0) {
		print_error("cannot list /proc/self/fd\n");
		return -1;
	}
	if (wrapped->test->setup_func && wrapped->test->setup_func(&wrapped->state) != 0) {
		open_fds_free(&wrapped->before);
		return -1;
	}
	return 0;
}

static void wrapped_test(void **state)
{
	struct wrapped *wrapped = *state;

	wrapped->test->test_func(&wrapped->state);
	wrapped->compare = true;
}

static int wrapped_teardown(void **state)
{
	struct wrapped *wrapped = *state;
	int result = 0;

	if (wrapped->test->teardown_func)
		result = wrapped->test->teardown_func(&wrapped->state);
	if (wrapped->compare && wrapped_compare(wrapped) < 0)
		result = -1;
	open_fds_free(&wrapped->before);
	alarm(0);
	return result;
}

/* Raise the soft limit on descriptors if it is too low for some tests. Return whether it suffices. */
static bool fd_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FDS_MIN)
		return true;
	limit.rlim_cur = FDS_MIN;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int runner_run(const char *name, const struct CMUnitTest *tests, size_t count,
	       CMFixtureFunction group_setup, CMFixtureFunction group_teardown)
{
	struct wrapped *wrapped = calloc(count, sizeof(*wrapped));
	struct CMUnitTest *copies = calloc(count, sizeof(*copies));
	int failures;

	if (!fd_limit_raise()) {
		print_message("skipped: needs %d descriptors (ulimit -Hn)\n", FDS_MIN);
		free(wrapped);
		free(copies);
		return EXIT_SKIPPED;
	}
	if (!wrapped || !copies)
		abort();
	/* A group that runs inside a test keeps the descriptors of that test. */
	if (!running)
		open_fds_close_inherited();
	for (size_t i = 0; i < count; i++) {
		wrapped[i].test = &tests[i];
		copies[i] = (struct CMUnitTest){
			.name = tests[i].name,
			.test_func = wrapped_test,
			.setup_func = wrapped_setup,
			.teardown_func = wrapped_teardown,
			.initial_state = &wrapped[i],
		};
	}
	skipped = 0;
	failures = _cmocka_run_group_tests(name, copies, count, group_setup, group_teardown);
	free(copies);
	free(wrapped);
	/* Not the number of failures: 77 would be a skip, and 256 a success. */
	if (failures)
		return EXIT_FAILURE;
	return count && skipped == count ? EXIT_SKIPPED : EXIT_SUCCESS;
}

void test_skip(const char *why)
{
	print_message("skipped: %s\n", why);
	skipped++;
	running->compare = true;
	skip();
	abort();
}
