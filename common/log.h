/* SPDX-License-Identifier: MIT */
/*
 * The log: lines with a level on standard error, and a rate limit for lines that a peer can cause.
 */
#ifndef MEMTUN_LOG_H
#define MEMTUN_LOG_H

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Set the program's name, which begins each line, and the last level that is written. */
void log_open(const char *program, enum log_level max);

/* Return the level of that name (error, warning, info, debug); -1 with EINVAL. */
int log_level_parse(const char *name);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A rate limit of ten lines a second. It logs how many lines it suppressed. Starts as {0}. */
struct log_ratelimit {
	int64_t since;
	unsigned int written;
	unsigned int suppressed;
};

void log_ratelimited(struct log_ratelimit *ratelimit, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
