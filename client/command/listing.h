/* SPDX-License-Identifier: MIT */
/*
 * memtun show and memtun uplink show: records as a table. Without -j there are lines below the
 * table: with -s one for each reason that frames were dropped for, without it and with a NAME those
 * of the tunnel's interface.
 */
#ifndef MEMTUN_LISTING_H
#define MEMTUN_LISTING_H

#include <stdio.h>

#include "client/command/command.h"
#include "memtun.h"

/* memtun_show() or memtun_uplink_show(). */
typedef int listing_ask(struct memtun *memtun, const char *name, bool statistics,
			memtun_record_function *function, void *context);

/* The options of the commands that list. */
extern const struct command_option listing_options[];

/*
 * Print what the function is told of the NAME on the command line, or of all without one. keys: the
 * columns without -s and -j. Return the exit status.
 */
int listing_run(const struct invocation *invocation, listing_ask *ask, const char *const keys[]);

/* Write a line for each counter of drops that isn't 0: the port's name, the key and the number. */
void listing_write_drops(FILE *to, const struct memtun_record *record);

#endif
