/* SPDX-License-Identifier: MIT */
/*
 * What --help and memtun help print: made of the tables of commands, options and keys.
 */
#ifndef MEMTUN_HELP_H
#define MEMTUN_HELP_H

#include <stdio.h>

#include "client/command/command.h"

/* Print the list of commands, memtun's options and the exit statuses. */
void help_print_commands(FILE *to);

/* Print the help of a command or a group to standard output. */
void help_print(const struct command *command);

#endif
