/* SPDX-License-Identifier: MIT */
/*
 * The commands of memtun, and what they share: how they were called, and how they end.
 */
#ifndef MEMTUN_COMMAND_H
#define MEMTUN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/exit_status.h"
#include "memtun.h"

struct invocation {
	const char *socket; /* NULL: not given */
	bool json;
	bool statistics;
	bool dot;
	const char *ready_fd; /* NULL: not given */
	char **arguments;     /* the whole command line */
};

/* Which of these a command takes; the socket all do. */
enum {
	TAKES_JSON = 1,
	TAKES_STATISTICS = 2,
	TAKES_DOT = 4,
	TAKES_READY_FD = 8,
};

/* One command: what follows its name. Returns the exit status. */
typedef int command_function(const struct invocation *invocation, int count, char **words);

command_function command_add, command_set, command_delete, command_show, command_bridge,
	command_exec, command_monitor, command_inject, command_expect, command_wait,
	command_capture, command_host, command_top, command_uplink;

/* Writes `memtun: …` to standard error, and returns the status. */
int command_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 0, or EXIT_USAGE after saying which of what was given the command doesn't take. */
int command_check(const struct invocation *invocation, const char *name, unsigned int takes);

/* Connects; NULL after saying why not, with *status what to exit with. */
struct memtun *command_connect(const struct invocation *invocation, int *status);

/* Parses the number that an option takes; else says what is wrong and returns EXIT_USAGE. */
int command_number(const char *option, const char *value, uint64_t min, uint64_t max,
		   uint64_t *number);

/* The same for seconds, maybe with a fraction, into milliseconds. */
int command_seconds(const char *option, const char *value, int *milliseconds);

/* Takes the value of --ready-fd: a descriptor, to be told by command_ready(). -1: there is none. */
int command_ready_fd(const char *value, int *fd);

/* Writes a newline there and closes it, so that a script can wait for what it started. */
int command_ready(int fd);

/* The mode of a tunnel or an uplink. -1 with errno; or, the second, says why and returns
 * EXIT_REFUSED. */
int command_find_mode(struct memtun *memtun, const char *name, enum memtun_mode *mode);
int command_mode(struct memtun *memtun, const char *name, enum memtun_mode *mode);

/*
 * Takes the option that the words begin with, a flag or a key and its value: returns how many words
 * that are, or -1 after saying what is wrong.
 */
int command_option(struct memtun_options *options, int count, char **words);

/* Parses `KEY VALUE…` into new options; NULL after saying what is wrong. */
struct memtun_options *command_options(int count, char **words);

#endif
