/* SPDX-License-Identifier: MIT */
/*
 * What `memtun show` and `memtun uplink show` do: records as a table. With counters there is, for
 * people, one line more for each reason that frames were dropped for.
 */
#ifndef MEMTUN_LISTING_H
#define MEMTUN_LISTING_H

#include <stdio.h>

#include "client/command/command.h"
#include "memtun.h"

/* memtun_show() and its like. */
typedef int listing_ask(struct memtun *memtun, const char *name, bool statistics,
			memtun_record_function *function, void *context);

/*
 * Asks and prints; name NULL: all. keys: the columns without -s and -j. Returns the exit status.
 */
int listing_print(const struct invocation *invocation, struct memtun *memtun, const char *name,
		  listing_ask *ask, const char *const keys[]);

/* Writes those lines: name, key and number of each counter of drops that isn't 0. */
void listing_write_drops(FILE *to, const struct memtun_record *record);

#endif
