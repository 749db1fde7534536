/* SPDX-License-Identifier: MIT */
/* The log: its levels, and its rate limit. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

static int64_t now; /* the time of the wrapped clock */

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	time->tv_sec = now / CLOCK_SECOND;
	time->tv_nsec = now % CLOCK_SECOND;
	return 0;
}

/* Replace standard error by a file. */
struct caught {
	int file;
	int former;
};

static int catch_start(void **state)
{
	static struct caught caught;

	fflush(stderr);
	caught.former = dup(STDERR_FILENO);
	caught.file = memfd_create("stderr", MFD_CLOEXEC);
	if (caught.former < 0 || caught.file < 0 || dup2(caught.file, STDERR_FILENO) < 0)
		return -1;
	now = 100 * CLOCK_SECOND;
	*state = &caught;
	return 0;
}

static int catch_end(void **state)
{
	struct caught *caught = *state;

	dup2(caught->former, STDERR_FILENO);
	close(caught->former);
	close(caught->file);
	return 0;
}

/* Read what was written since the last call. */
static const char *written(struct caught *caught)
{
	static char text[8192];
	ssize_t length;

	fflush(stderr);
	length = pread(caught->file, text, sizeof(text) - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	if (ftruncate(caught->file, 0) < 0 || lseek(STDERR_FILENO, 0, SEEK_SET) < 0)
		return "";
	return text;
}

static unsigned int lines(const char *text)
{
	unsigned int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void a_line_has_its_program_and_level(void **state)
{
	log_open("it", LOG_LEVEL_INFO);
	log_line(LOG_LEVEL_ERROR, "%d tunnels", 3);
	log_line(LOG_LEVEL_INFO, "and more");
	log_line(LOG_LEVEL_DEBUG, "not this");
	assert_string_equal(written(*state), "it: error: 3 tunnels\nit: info: and more\n");
}

static void levels_have_names(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("warning"), LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("info"), LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud"), -1);
	assert_int_equal(errno, EINVAL);
}

static void the_rate_limit_lets_ten_lines_a_second_pass(void **state)
{
	struct log_ratelimit ratelimit = {0};
	const char *text;

	log_open("it", LOG_LEVEL_WARNING);
	for (int i = 0; i < 100; i++)
		log_ratelimited(&ratelimit, LOG_LEVEL_WARNING, "again");
	assert_int_equal(lines(written(*state)), 10);
	now += CLOCK_SECOND - 1;
	log_ratelimited(&ratelimit, LOG_LEVEL_WARNING, "again");
	assert_int_equal(lines(written(*state)), 0);
	now += 1;
	log_ratelimited(&ratelimit, LOG_LEVEL_WARNING, "again");
	text = written(*state);
	assert_string_equal(text, "it: warning: 91 lines like the next one were suppressed\n"
				  "it: warning: again\n");
	for (int i = 0; i < 100; i++)
		log_ratelimited(&ratelimit, LOG_LEVEL_WARNING, "again");
	assert_int_equal(lines(written(*state)), 9);
}

static void lines_below_the_level_do_not_count_towards_the_rate_limit(void **state)
{
	struct log_ratelimit ratelimit = {0};

	log_open("it", LOG_LEVEL_ERROR);
	for (int i = 0; i < 100; i++)
		log_ratelimited(&ratelimit, LOG_LEVEL_WARNING, "again");
	assert_int_equal(ratelimit.written, 0);
	assert_string_equal(written(*state), "");
}

static void a_line_is_cut_not_overrun(void **state)
{
	char longest[2000];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	log_open("it", LOG_LEVEL_WARNING);
	log_line(LOG_LEVEL_ERROR, "%s", longest);
	assert_int_equal(lines(written(*state)), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_its_program_and_level, catch_start,
						catch_end),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test_setup_teardown(the_rate_limit_lets_ten_lines_a_second_pass,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(
			lines_below_the_level_do_not_count_towards_the_rate_limit, catch_start,
			catch_end),
		cmocka_unit_test_setup_teardown(a_line_is_cut_not_overrun, catch_start, catch_end),
	};

	return RUN_TESTS(tests);
}
