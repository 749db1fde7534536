/* SPDX-License-Identifier: MIT */
/* The log: its levels, its rate limit, and a standard error that takes no more. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
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

static void ten_lines_a_second_of_each_level_are_written(void **state)
{
	const char *text;

	log_open("it", LOG_LEVEL_INFO);
	for (int i = 0; i < 100; i++)
		log_line(LOG_LEVEL_WARNING, "again");
	assert_int_equal(lines(written(*state)), 10);
	log_line(LOG_LEVEL_ERROR, "another level");
	assert_string_equal(written(*state), "it: error: another level\n");
	now += CLOCK_SECOND - 1;
	log_line(LOG_LEVEL_WARNING, "again");
	assert_int_equal(lines(written(*state)), 0);
	now += 1;
	log_line(LOG_LEVEL_WARNING, "again");
	text = written(*state);
	assert_string_equal(text, "it: warning: 91 lines of this level were suppressed\n"
				  "it: warning: again\n");
	for (int i = 0; i < 100; i++)
		log_line(LOG_LEVEL_WARNING, "again");
	assert_int_equal(lines(written(*state)), 9);
	log_close();
	assert_string_equal(written(*state),
			    "it: warning: 91 lines of this level were suppressed\n");
}

static void debug_lines_have_no_rate_limit(void **state)
{
	log_open("it", LOG_LEVEL_DEBUG);
	for (int i = 0; i < 100; i++)
		log_line(LOG_LEVEL_DEBUG, "again");
	assert_int_equal(lines(written(*state)), 100);
}

static void lines_below_the_level_do_not_count_towards_the_rate_limit(void **state)
{
	log_open("it", LOG_LEVEL_ERROR);
	for (int i = 0; i < 100; i++)
		log_line(LOG_LEVEL_WARNING, "again");
	log_close();
	assert_string_equal(written(*state), "");
}

#define FLOOD 2000
#define FLOOD_WIDTH 400

struct reader {
	char text[2 * FLOOD * FLOOD_WIDTH];
	size_t used;
};

/* Append all that can be read. A terminal delivers what was written a moment later. */
static void drain(struct reader *reader, int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	ssize_t length;

	while (poll(&polled, 1, 100) > 0 &&
	       (length = read(fd, reader->text + reader->used,
			      sizeof(reader->text) - 1 - reader->used)) > 0)
		reader->used += (size_t)length;
	reader->text[reader->used] = '\0';
}

/* Return how many lines arrived whole or were reported as dropped. */
static unsigned int accounted(const char *text)
{
	unsigned int count = 0, dropped;
	char last = '\0';

	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		count += end - text == FLOOD_WIDTH + (ssize_t)strlen("it: warning: ");
		count += strncmp(text, "it: warning: again\n", strlen("it: warning: again\n")) == 0;
		if (sscanf(text, "it: warning: %u lines of the log could not be writte%c", &dropped,
			   &last) == 2)
			count += dropped;
	}
	return count;
}

/* Log more lines than standard error takes while they are not read, and then until one arrives. */
static void standard_error_that_is_full_drops_and_counts(int standard_error, int fd)
{
	static struct reader reader;
	unsigned int logged = FLOOD;

	reader.used = 0;
	assert_int_equal(dup2(standard_error, STDERR_FILENO), STDERR_FILENO);
	log_open("it", LOG_LEVEL_WARNING);
	for (int i = 0; i < FLOOD; i++) {
		now += CLOCK_SECOND;
		log_line(LOG_LEVEL_WARNING, "%0*d", FLOOD_WIDTH, i);
	}
	/* If a line is lost or a write waits for ever, the runner's time limit ends the test. */
	do
		drain(&reader, fd);
	while (accounted(reader.text) < 5);
	assert_in_range(accounted(reader.text), 5, FLOOD - 1);
	do {
		now += CLOCK_SECOND;
		logged++;
		log_line(LOG_LEVEL_WARNING, "again");
		drain(&reader, fd);
	} while (!strstr(reader.text, "again\n"));
	while (accounted(reader.text) < logged)
		drain(&reader, fd);
	assert_int_equal(accounted(reader.text), logged);
}

static void a_full_pipe_drops_lines_and_counts_them(void **state)
{
	int ends[2];

	(void)state;
	assert_return_code(pipe2(ends, O_CLOEXEC), errno);
	standard_error_that_is_full_drops_and_counts(ends[1], ends[0]);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_fifo_drops_lines_and_counts_them(void **state)
{
	char directory[] = "/tmp/memtun-test-XXXXXX", path[sizeof(directory) + sizeof("/fifo")];
	int reader, writer;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_return_code(mkfifo(path, 0600), errno);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	unlink(path);
	rmdir(directory);
	assert_true(reader >= 0 && writer >= 0);
	standard_error_that_is_full_drops_and_counts(writer, reader);
	close(reader);
	close(writer);
}

static void a_full_stream_socket_drops_lines_and_counts_them(void **state)
{
	int ends[2];

	(void)state;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), errno);
	standard_error_that_is_full_drops_and_counts(ends[1], ends[0]);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_terminal_drops_lines_and_counts_them(void **state)
{
	struct termios raw;
	int reader, terminal;

	(void)state;
	if (openpty(&reader, &terminal, NULL, NULL, NULL) < 0)
		test_skip("no pseudo-terminal here");
	assert_return_code(tcgetattr(terminal, &raw), errno);
	cfmakeraw(&raw);
	assert_return_code(tcsetattr(terminal, TCSANOW, &raw), errno);
	standard_error_that_is_full_drops_and_counts(terminal, reader);
	close(reader);
	close(terminal);
}

static void a_full_device_drops_lines_and_counts_them(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	log_open("it", LOG_LEVEL_WARNING);
	assert_int_equal(dup2(full, STDERR_FILENO), STDERR_FILENO);
	log_line(LOG_LEVEL_WARNING, "lost");
	log_line(LOG_LEVEL_WARNING, "lost");
	assert_int_equal(dup2(((struct caught *)*state)->file, STDERR_FILENO), STDERR_FILENO);
	log_close();
	assert_string_equal(written(*state),
			    "it: warning: 2 lines of the log could not be written\n");
	close(full);
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
		cmocka_unit_test_setup_teardown(ten_lines_a_second_of_each_level_are_written,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(debug_lines_have_no_rate_limit, catch_start,
						catch_end),
		cmocka_unit_test_setup_teardown(
			lines_below_the_level_do_not_count_towards_the_rate_limit, catch_start,
			catch_end),
		cmocka_unit_test_setup_teardown(a_full_pipe_drops_lines_and_counts_them,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(a_full_fifo_drops_lines_and_counts_them,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(a_full_stream_socket_drops_lines_and_counts_them,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(a_full_terminal_drops_lines_and_counts_them,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(a_full_device_drops_lines_and_counts_them,
						catch_start, catch_end),
		cmocka_unit_test_setup_teardown(a_line_is_cut_not_overrun, catch_start, catch_end),
	};

	return RUN_TESTS(tests);
}
