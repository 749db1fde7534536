/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/failed.h"

/* Enough to diagnose a peer, too few to fill a disk. */
#define RATELIMIT_LINES_PER_SECOND 10

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static const char *log_program = "memtun";
static enum log_level log_max = LOG_LEVEL_WARNING;

void log_open(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
}

int log_level_parse(const char *name)
{
	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(level_names[i], name) == 0)
			return i;
	}
	return failed(EINVAL);
}

/* Write the line with one call, so that lines of several processes don't mix. */
static void log_write(enum log_level level, const char *format, va_list arguments)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, arguments);
	fprintf(stderr, "%s: %s: %s\n", log_program, level_names[level], text);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	if (level > log_max)
		return;
	va_start(arguments, format);
	log_write(level, format, arguments);
	va_end(arguments);
}

void log_ratelimited(struct log_ratelimit *ratelimit, enum log_level level, const char *format, ...)
{
	va_list arguments;
	int64_t now;

	if (level > log_max)
		return;
	now = clock_now();
	if (now - ratelimit->since >= CLOCK_SECOND) {
		if (ratelimit->suppressed)
			log_line(level, "%u lines like the next one were suppressed",
				 ratelimit->suppressed);
		*ratelimit = (struct log_ratelimit){.since = now};
	}
	if (ratelimit->written >= RATELIMIT_LINES_PER_SECOND) {
		ratelimit->suppressed++;
		return;
	}
	ratelimit->written++;
	va_start(arguments, format);
	log_write(level, format, arguments);
	va_end(arguments);
}
