/* SPDX-License-Identifier: MIT */
/*
 * The log: lines with a level on standard error. Writing never waits: a line that standard error
 * does not take at once is dropped and counted, and of each level above debug at most ten lines a
 * second are written, so that no peer fills a disk. Both counts are logged.
 */
#ifndef MEMTUN_LOG_H
#define MEMTUN_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Set the program's name, which begins each line, and the last level that is written. */
void log_open(const char *program, enum log_level max);

/* Return the level with that name (error, warning, info, debug), or -1 with EINVAL. */
int log_level_parse(const char *name);

/* Write a line. errno stays as it is. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Log the counts of lines that were not written. */
void log_close(void);

#endif
