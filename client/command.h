/* SPDX-License-Identifier: MIT */
/*
 * The commands of memtun, and what they share: how they were called, and how they end.
 */
#ifndef MEMTUN_COMMAND_H
#define MEMTUN_COMMAND_H

#include <stdbool.h>

struct memtun;
struct memtun_options;

enum {
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_BROKER = 3,
	/* Of commands that run another, as env(1) and others have them. */
	EXIT_OURS = 125,
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

struct invocation {
	const char *socket; /* NULL: not given */
	bool json;
	bool statistics;
	char **arguments; /* the whole command line */
};

/* One command: what follows its name. Returns the exit status. */
typedef int command_function(const struct invocation *invocation, int count, char **words);

command_function command_add, command_set, command_delete, command_show, command_bridge,
	command_exec, command_monitor;

/* Writes `memtun: …` to standard error, and returns the status. */
int command_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Connects; NULL after saying why not, with *status what to exit with. */
struct memtun *command_connect(const struct invocation *invocation, int *status);

/* Parses `KEY VALUE…` into new options; NULL after saying what is wrong. */
struct memtun_options *command_options(int count, char **words);

#endif
