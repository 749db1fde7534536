/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/failed.h"

/* Lines of one level per second: enough to see what goes on, too few to fill a disk. */
#define LOG_LINES_PER_SECOND 10

/* The longest line. A pipe takes two of them as a whole, because they are shorter than PIPE_BUF. */
#define LOG_LINE_SIZE 640

/* The rate limit of one level. */
struct log_limit {
	int64_t since; /* the begin of the second that is counted */
	unsigned int passed;
	unsigned int suppressed;
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static const char *log_program = "memtun";
static enum log_level log_max = LOG_LEVEL_WARNING;
static struct log_limit log_limits[LOG_LEVEL_DEBUG];
static unsigned long log_dropped; /* lines that standard error did not take */
static bool log_is_cut;           /* standard error took the begin of a line only */

void log_open(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
	log_dropped = 0;
	log_is_cut = false;
	memset(log_limits, 0, sizeof(log_limits));
}

int log_level_parse(const char *name)
{
	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(level_names[i], name) == 0)
			return i;
	}
	return failed(EINVAL);
}

/* ------------------------------------------------------------------------------ standard error */

/* Write where poll(2) is all that tells whether a write would block. */
static ssize_t write_polled(const char *text, size_t length)
{
	struct pollfd polled = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&polled, 1, 0) > 0 && polled.revents & POLLOUT)
		return write(STDERR_FILENO, text, length);
	return failed(EAGAIN);
}

/* Older kernels do not know RWF_NOWAIT of pipes. A pipe that is writable has PIPE_BUF bytes free. */
static ssize_t write_pipe(const char *text, size_t length)
{
	struct iovec part = {(char *)(uintptr_t)text, length};
	ssize_t written = pwritev2(STDERR_FILENO, &part, 1, -1, RWF_NOWAIT);

	return written < 0 && errno != EAGAIN && errno != EPIPE ? write_polled(text, length)
								: written;
}

/*
 * A terminal that is writable may take less than a line, and write(2) waits for the rest. Another
 * open of the terminal has its own O_NONBLOCK.
 */
static ssize_t write_terminal(const char *text, size_t length)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return write_polled(text, length);
	written = write(fd, text, length);
	close(fd);
	return written;
}

/*
 * Write to standard error without waiting. O_NONBLOCK is not set, because it belongs to the open
 * file description, which the shell and other programs share. -1 with errno.
 */
static ssize_t write_now(const char *text, size_t length)
{
	struct stat status;

	if (fstat(STDERR_FILENO, &status) < 0)
		return -1;
	if (S_ISFIFO(status.st_mode))
		return write_pipe(text, length);
	if (S_ISSOCK(status.st_mode))
		return send(STDERR_FILENO, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (S_ISCHR(status.st_mode) && isatty(STDERR_FILENO))
		return write_terminal(text, length);
	return write_polled(text, length);
}

/* Append a line to the text. Return its new length; a line that is too long is cut. */
static size_t line_append(char *text, size_t used, enum log_level level, const char *message)
{
	int length = snprintf(text + used, LOG_LINE_SIZE, "%s: %s: %s", log_program,
			      level_names[level], message);

	used += length < LOG_LINE_SIZE - 1 ? (size_t)length : LOG_LINE_SIZE - 2;
	text[used++] = '\n';
	return used;
}

/*
 * Write a line (NULL: none), and before it the count of the lines that were dropped. Both are
 * written by one call, so that lines of several processes don't mix, and so that a pipe with room
 * for the count alone does not fill up with counts.
 */
static void log_put(enum log_level level, const char *message)
{
	char text[1 + 2 * LOG_LINE_SIZE], report[80];
	size_t length = 0, report_end;
	ssize_t written;

	if (log_is_cut)
		text[length++] = '\n';
	if (log_dropped) {
		snprintf(report, sizeof(report), "%lu lines of the log could not be written",
			 log_dropped);
		length = line_append(text, length, LOG_LEVEL_WARNING, report);
	}
	report_end = length;
	if (message)
		length = line_append(text, length, level, message);
	written = write_now(text, length);
	if (written >= (ssize_t)report_end)
		log_dropped = 0;
	if (message && written < (ssize_t)length)
		log_dropped++;
	if (written > 0)
		log_is_cut = written < (ssize_t)length;
}

/* ------------------------------------------------------------------------------ rate limit */

static void suppressed_report(enum log_level level)
{
	struct log_limit *limit = &log_limits[level];
	char text[80];

	if (!limit->suppressed)
		return;
	snprintf(text, sizeof(text), "%u lines of this level were suppressed", limit->suppressed);
	limit->suppressed = 0;
	log_put(level, text);
}

/* Return whether the level may have one more line in this second. */
static bool limit_passes(enum log_level level)
{
	struct log_limit *limit = &log_limits[level];
	int64_t now = clock_now();

	if (now - limit->since >= CLOCK_SECOND) {
		suppressed_report(level);
		*limit = (struct log_limit){.since = now};
	}
	if (limit->passed >= LOG_LINES_PER_SECOND) {
		limit->suppressed++;
		return false;
	}
	limit->passed++;
	return true;
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int saved = errno;

	if (level > log_max)
		return;
	if (level == LOG_LEVEL_DEBUG || limit_passes(level)) {
		va_start(arguments, format);
		vsnprintf(text, sizeof(text), format, arguments);
		va_end(arguments);
		log_put(level, text);
	}
	errno = saved;
}

void log_close(void)
{
	for (int i = 0; i < LOG_LEVEL_DEBUG; i++)
		suppressed_report((enum log_level)i);
	if (log_dropped)
		log_put(LOG_LEVEL_WARNING, NULL);
}
