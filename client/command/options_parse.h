/* SPDX-License-Identifier: MIT */
/*
 * The one parser of memtun's command lines. It finds options before and behind a command's NAME,
 * whatever POSIXLY_CORRECT says; "--" ends them. Each command takes its own options and memtun's.
 */
#ifndef MEMTUN_OPTIONS_PARSE_H
#define MEMTUN_OPTIONS_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/command/command.h"

/*
 * Stands for memtun before a command's name. Its options -s and -j are those of several commands.
 */
extern const struct command memtun_itself;

/* The options that every command takes. */
extern const struct command_option common_options[];

/*
 * Parse the words of invocation->command; words[0] is its name. Add the options to those given, and
 * put the other words into invocation->words, which may be the same array. -1 after a message: an
 * option is unknown or lacks its value.
 */
int options_parse(struct invocation *invocation, int count, char **words);

/* Check that invocation->command takes each option that is given. -1 after a message. */
int options_check(const struct invocation *invocation);

/* Return whether the option with that name is given. */
bool options_has(const struct invocation *invocation, const char *name);

/* Return the value of the option with that name, the last one if it is given twice; NULL: none. */
const char *options_value(const struct invocation *invocation, const char *name);

/*
 * Parse the option's value: a number in these bounds; a time, which without a unit is in seconds,
 * into nanoseconds, or into milliseconds, rounded up; an open descriptor, as --ready-fd has it. An
 * option that isn't given leaves the value as it is. 0, or EXIT_USAGE after a message.
 */
int options_number(const struct invocation *invocation, const char *name, uint64_t min,
		   uint64_t max, uint64_t *number);
int options_time(const struct invocation *invocation, const char *name, uint64_t *nanoseconds);
int options_milliseconds(const struct invocation *invocation, const char *name, int *milliseconds);
int options_ready_fd(const struct invocation *invocation, int *fd);

#endif
